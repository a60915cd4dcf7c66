//! Forgetting: large pre-states go with the last execution that names them, and never while one may need them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use serde_json::{Value, json};
use understudy_engine::ports::{Item, Key, Put, Table};
use understudy_testkit::world::World;
use understudy_testkit::world_oracle::violations;
use understudy_testkit::world_plan::{ZONE, a_record, failover, sample_plan, shop, shop_with};

/// So many records are well over what a control item holds of one step.
const RECORDS: usize = 90;
const DAY: i64 = 24 * 3600;

/// The sample plan with many records in its last step. It stays where a person moves it.
async fn large_shop(seed: u64) -> World {
    let name = |number: usize| format!("shop-{number:03}.example.com");
    let mut plan = sample_plan("shop");
    plan["policy"] = json!({"mode": "manual", "hold_seconds": 15, "failback": {"mode": "manual"}});
    plan["steps"][2]["records"] = (0..RECORDS)
        .map(|number| {
            json!({
                "name": name(number), "type": "A", "ttl_seconds": 60,
                "sites": {"blue": {"values": ["192.0.2.1"]}, "green": {"values": ["192.0.2.2"]}},
            })
        })
        .collect();
    let world = shop_with(seed, plan).await;
    let zone = (0..RECORDS).map(|number| a_record(&format!("{}.", name(number)), "192.0.2.1"));
    world.cloud.put_zone(ZONE, zone.collect());
    world
}

async fn moves(world: &World, command: &str) {
    let asked = json!({"command": command, "plan": "shop", "operator": "mia", "reason": "to and fro"});
    let answer = world.command(asked).await;
    assert_eq!(answer["ok"], true, "{answer:#}");
    assert!(world.settle(12).await, "{:#?}", world.control("shop"));
}

fn pre_states(world: &World) -> Vec<String> {
    let items = world.table.peek_all("shop", "pre_state#");
    items.into_iter().map(|item| item.key.item).collect()
}

/// An item that an executor may have left behind, whose intent was never made.
fn orphan(hash: &str) -> Item {
    Item {
        key: Key {
            plan: "shop".into(),
            item: format!("pre_state#{hash}"),
        },
        version: 1,
        write_id: "left behind".into(),
        schema_version: 1,
        wake: None,
        due_at: None,
        body: json!({"kind": "dns_records", "records": []}),
    }
}

/// One turn of every share of the pre-states.
async fn all_shares(world: &World) {
    shares(world, 256).await;
}

async fn shares(world: &World, count: u32) {
    for _ in 0..count {
        world.observe().await;
        world.advance(60);
    }
}

#[tokio::test]
async fn a_pre_state_stays_while_an_ended_execution_names_it_and_goes_with_the_last_one() {
    let world = large_shop(61).await;
    moves(&world, "failover").await;
    let at_blue = pre_states(&world);
    assert_eq!(at_blue.len(), 1);
    moves(&world, "failback").await;
    assert_eq!(pre_states(&world).len(), 2, "that of blue, and that of green");
    all_shares(&world).await;
    assert_eq!(pre_states(&world).len(), 2, "the history names both");

    world.advance(200 * DAY);
    world.run_rounds(6).await;
    moves(&world, "failover").await;
    assert_eq!(pre_states(&world).len(), 2, "the first one again");

    world.advance(201 * DAY);
    world.observe().await;
    assert_eq!(world.table.peek_all("shop", "execution#").len(), 1);
    assert_eq!(pre_states(&world), at_blue, "the newest execution names it still");

    world.advance(200 * DAY);
    world.observe().await;
    assert!(world.table.peek_all("shop", "execution#").is_empty());
    assert!(pre_states(&world).is_empty());
    assert_eq!(violations(&world), Vec::<String>::new());
}

#[tokio::test]
async fn a_pre_state_that_nobody_names_goes_when_its_share_has_its_turn() {
    let world = shop(62).await;
    for digit in ["0", "7", "f"] {
        world.table.plant(orphan(&digit.repeat(64)));
    }
    all_shares(&world).await;
    assert_eq!(pre_states(&world), Vec::<String>::new());
}

#[tokio::test]
async fn a_record_that_can_not_be_read_keeps_what_it_names() {
    let world = shop(63).await;
    let hash = "7".repeat(64);
    world.table.plant(orphan(&hash));
    let mut record = orphan("");
    // Made long after today, so that it is not too old.
    record.key.item = "execution#fff00000-0000-7000-8000-000000000000".into();
    record.body = json!({"of": "another form", "undo": [{"what": [hash]}]});
    world.table.plant(record.clone());
    all_shares(&world).await;
    assert_eq!(pre_states(&world), [format!("pre_state#{hash}")]);

    record.body = Value::Null;
    world.table.plant(record);
    all_shares(&world).await;
    assert_eq!(pre_states(&world), Vec::<String>::new());
}

#[tokio::test]
async fn nothing_goes_while_an_execution_is_in_progress() {
    let world = shop(64).await;
    // One in each share, so that each turn would find one.
    for share in 0..256 {
        world.table.plant(orphan(&format!("{share:02x}").repeat(32)));
    }
    world.command(failover("it waits for its executor")).await;
    shares(&world, 4).await;
    assert_eq!(pre_states(&world).len(), 256, "it may be about to be named");

    world.deliver().await;
    assert!(world.settle(20).await, "{:#?}", world.control("shop"));
    let left = pre_states(&world).len();
    shares(&world, 4).await;
    assert!(pre_states(&world).len() < left, "a share a turn");
    all_shares(&world).await;
    assert!(pre_states(&world).is_empty());
}

#[tokio::test]
async fn a_pre_state_that_somebody_begins_to_need_can_not_be_deleted_by_whoever_saw_it_unused() {
    let world = large_shop(65).await;
    moves(&world, "failover").await;
    let seen = world.table.peek_all("shop", "pre_state#").remove(0);
    moves(&world, "failback").await;
    moves(&world, "failover").await;
    let lost = world.table.delete(&seen.key, seen.version).await.unwrap();
    assert!(matches!(lost, Put::Lost(Some(_))), "{lost:?}");
    let stands = world.table.peek("shop", &seen.key.item).unwrap();
    assert_eq!(stands.body, seen.body, "its content is what it was");
}
