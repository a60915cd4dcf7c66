//! The executor's protocol, large pre-states: written once before their intent, read back exactly, never guessed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod protocol_support;

use protocol_support::newest;
use serde_json::json;
use understudy_core::execution::{MAX_INLINE_PRE_STATE_BYTES, PreState, Status, StepRun};
use understudy_core::state::RecordSet;
use understudy_engine::ports::{CallErrorKind, Table};
use understudy_testkit::faults::{Fault, Place};
use understudy_testkit::world::World;
use understudy_testkit::world_oracle::violations;
use understudy_testkit::world_plan::{ZONE, a_record, failover, sample_plan, shop, shop_with};

/// So many records are well over what a control item holds of one step.
const RECORDS: usize = 90;
/// Where the step of the records stands in the sample plan.
const RECORD: usize = 2;

fn zone_at(address: &str) -> Vec<RecordSet> {
    (0..RECORDS)
        .map(|number| a_record(&format!("shop-{number:03}.example.com."), address))
        .collect()
}

/// The sample plan with many records in its last step.
async fn large_shop(seed: u64) -> World {
    let mut plan = sample_plan("shop");
    plan["steps"][RECORD]["records"] = (0..RECORDS)
        .map(|number| {
            json!({
                "name": format!("shop-{number:03}.example.com"), "type": "A", "ttl_seconds": 60,
                "sites": {"blue": {"values": ["192.0.2.1"]}, "green": {"values": ["192.0.2.2"]}},
            })
        })
        .collect();
    let world = shop_with(seed, plan).await;
    world.cloud.put_zone(ZONE, zone_at("192.0.2.1"));
    world
}

/// A failover of a large plan whose last step is made and then turns round.
async fn turning_back(seed: u64) -> World {
    let world = large_shop(seed).await;
    world
        .cloud
        .faults
        .next("dns.in_sync", Fault::Before(CallErrorKind::Refused));
    world
}

fn hash_of(run: &StepRun) -> &str {
    match run.pre_state.as_ref().expect("a pre-state is recorded") {
        PreState::Stored { sha256 } => sha256,
        PreState::Inline(state) => panic!("{} is inline", state.sentence()),
    }
}

fn sorted(mut zone: Vec<RecordSet>) -> Vec<RecordSet> {
    zone.sort_by(|left, right| left.name.cmp(&right.name));
    zone
}

#[tokio::test]
async fn a_small_pre_state_stays_in_the_control_item() {
    let world = shop(41).await;
    world.command(failover("small")).await;
    assert!(world.settle(6).await);
    let inline = |run: &StepRun| matches!(run.pre_state, None | Some(PreState::Inline(_)));
    assert!(newest(&world).steps.iter().all(inline));
    assert!(world.table.peek_all("shop", "pre_state#").is_empty());
}

#[tokio::test]
async fn a_large_pre_state_is_durable_in_its_own_item_before_its_intent_and_the_history_keeps_its_name() {
    let world = large_shop(42).await;
    world.command(failover("large")).await;
    assert!(world.settle(6).await, "{:#?}", world.control("shop"));
    let ended = newest(&world);
    assert_eq!(ended.status, Status::Completed);
    let hash = hash_of(&ended.steps[RECORD]);
    let items = world.table.peek_all("shop", "pre_state#");
    assert_eq!(items.len(), 1);
    assert_eq!(items[0].key.item, format!("pre_state#{hash}"));
    assert!(items[0].body.to_string().len() > MAX_INLINE_PRE_STATE_BYTES);

    let writes = world.table.writes();
    let kept = writes.iter().position(|write| write.key.item == items[0].key.item);
    let intended = writes.iter().position(|write| {
        write
            .item
            .as_ref()
            .is_some_and(|item| item.body.to_string().contains(hash))
    });
    assert!(
        kept.unwrap() < intended.unwrap(),
        "first the pre-state, then the intent"
    );
    assert_eq!(writes[kept.unwrap()].expected, 0, "written once");
    assert_eq!(violations(&world), Vec::<String>::new());
}

#[tokio::test]
async fn a_rollback_restores_a_large_pre_state_exactly() {
    let world = turning_back(43).await;
    world.command(failover("there and back")).await;
    assert!(world.settle(12).await, "{:#?}", world.control("shop"));
    assert_eq!(newest(&world).status, Status::RolledBack);
    assert_eq!(world.cloud.effective_changes().len(), 4, "each step there and back");
    assert_eq!(sorted(world.cloud.zone(ZONE)), zone_at("192.0.2.1"));
    assert_eq!(violations(&world), Vec::<String>::new());
}

#[tokio::test]
async fn a_large_pre_state_that_is_gone_or_altered_restores_nothing_and_calls_a_person() {
    for altered in [false, true] {
        let world = turning_back(44).await;
        // The step is made and waits to be in sync when the item goes.
        world.cloud.faults.clear();
        world.cloud.polls_until_in_sync(1000);
        world.command(failover("vandals")).await;
        world.run_rounds(2).await;
        let mut item = world.table.peek_all("shop", "pre_state#").pop().unwrap();
        if altered {
            item.body["records"][0]["values"] = json!(["203.0.113.7"]);
            world.table.plant(item);
        } else {
            world.table.delete(&item.key, item.version).await.unwrap();
        }
        world
            .cloud
            .faults
            .next("dns.in_sync", Fault::Before(CallErrorKind::Refused));
        world.run_rounds(6).await;
        let stuck = newest(&world);
        assert_eq!(stuck.status, Status::Stuck, "{stuck:#?}");
        let failure = stuck.failure.unwrap();
        let found = if altered { "another content" } else { "not in the table" };
        for words in ["pre_state#", found, "by hand", "resolve"] {
            assert!(failure.contains(words), "{failure}");
        }
        assert_eq!(
            sorted(world.cloud.zone(ZONE)),
            zone_at("192.0.2.2"),
            "nothing is guessed"
        );
    }
}

#[tokio::test]
async fn an_executor_killed_around_the_two_writes_is_followed_by_one_that_moves_once() {
    let world = large_shop(45).await;
    let before = world.executor_wire.calls().len();
    world.command(failover("count")).await;
    world.deliver().await;
    let calls = world.executor_wire.calls().split_off(before);
    let changed = calls.iter().position(|made| made.operation == "dns.change_records");
    // The last writes before the change: the pre-state, the intent, the attempt. Calls are counted from one.
    let writes: Vec<usize> = (1..)
        .zip(&calls[..changed.unwrap()])
        .filter(|(_, made)| made.operation == "table.put")
        .map(|(nth, _)| nth)
        .collect();
    let [.., pre_state, intent, _] = writes[..] else {
        panic!("too few writes: {calls:?}")
    };
    for nth in pre_state as u32..=intent as u32 {
        for place in Place::ALL {
            let world = large_shop(45).await;
            world.executor_wire.kill_at(nth, place);
            world.command(failover("killed")).await;
            let when = format!("killed at call {nth}, {place:?}");
            assert!(world.settle(30).await, "{when}: {:#?}", world.control("shop"));
            assert_eq!(newest(&world).status, Status::Completed, "{when}");
            assert_eq!(sorted(world.cloud.zone(ZONE)), zone_at("192.0.2.2"), "{when}");
            assert_eq!(world.table.peek_all("shop", "pre_state#").len(), 1, "{when}");
            assert_eq!(violations(&world), Vec::<String>::new(), "{when}");
        }
    }
}

#[tokio::test]
async fn an_intent_is_not_made_while_its_pre_state_can_not_be_written() {
    let world = large_shop(46).await;
    world.command(failover("count")).await;
    let before = world.table.writes().len();
    world.deliver().await;
    let kept = world.table.writes()[before..]
        .iter()
        .position(|write| write.key.item.starts_with("pre_state#"))
        .unwrap() as u32;

    let world = large_shop(46).await;
    world.command(failover("the write fails")).await;
    world
        .table
        .faults
        .nth("table.put", kept + 1, Fault::Before(CallErrorKind::Refused));
    world.deliver().await;
    assert!(world.settle(12).await, "{:#?}", world.control("shop"));
    let ended = newest(&world);
    assert_eq!(ended.status, Status::RolledBack, "{ended:#?}");
    assert!(ended.steps[RECORD].pre_state.is_none());
    assert!(
        world
            .cloud
            .changes()
            .iter()
            .all(|change| change.operation != "dns.change_records"),
        "nothing was called without it"
    );
}
