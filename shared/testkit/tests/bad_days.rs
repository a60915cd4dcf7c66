//! Bad days: the table or SNS away, everybody at once, copies and delays: nothing moves that should not, nothing is lost.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use jiff::SignedDuration;
use serde_json::{Value, json};
use std::rc::Rc;
use understudy_core::health::{AlarmState, Health, Observation};
use understudy_core::report::EventKind;
use understudy_engine::ports::{CallErrorKind, Clock};
use understudy_testkit::faults::Fault;
use understudy_testkit::world::{Outcome, World};
use understudy_testkit::world_oracle::violations;
use understudy_testkit::world_plan::{
    BLUE_ALARM, BLUE_GROUP, BLUE_HOST, failover, furnish, really_at, sample_plan, shop, shop_with,
};

fn observation(world: &World, site: &str) -> Observation {
    let items = world.table.peek_all("shop", &format!("observation#{site}#"));
    serde_json::from_value(items.first().expect("the site has been observed").body.clone()).unwrap()
}

#[tokio::test]
async fn with_the_table_away_from_any_moment_on_nothing_more_is_called() {
    for nth in 1..=20 {
        let world = shop(1).await;
        world.command(failover("the table goes")).await;
        let before = world.executor_wire.calls().len();
        world
            .table
            .faults
            .from_nth("table.*", nth, Fault::Before(CallErrorKind::Lost));
        world.deliver().await;
        let calls = world.executor_wire.calls();
        let mut table_calls = 0;
        for call in &calls[before..] {
            if call.operation.starts_with("table.") {
                table_calls += 1;
            } else if table_calls >= nth {
                let mutating = matches!(call.operation, "traffic.set_weights" | "dns.change_records");
                assert!(
                    !mutating,
                    "{} after the table was away from its call {nth} on",
                    call.operation
                );
            }
        }
        world.table.faults.clear();
        assert!(world.settle(30).await, "away from {nth}: {:#?}", world.control("shop"));
        assert_eq!(really_at(&world.cloud), ("green", "green"), "away from {nth}");
        assert_eq!(world.cloud.effective_changes().len(), 2, "away from {nth}");
        assert_eq!(violations(&world), Vec::<String>::new(), "away from {nth}");
    }
}

#[tokio::test]
async fn commands_to_a_table_that_is_away_are_answered_clearly() {
    let world = shop(2).await;
    for kind in [CallErrorKind::Lost, CallErrorKind::Retryable, CallErrorKind::Refused] {
        world.table.faults.always("table.*", Fault::Before(kind));
        for command in ["status", "history", "failover", "pause", "list"] {
            let mut asked = json!({"command": command});
            if command != "list" {
                asked["plan"] = json!("shop");
            }
            if matches!(command, "failover" | "pause") {
                asked["operator"] = json!("mia");
                asked["reason"] = json!("away");
            }
            let outcome = world.invoke_decision(asked).await;
            let Outcome::Answer(answer) = outcome else {
                panic!("{command}: {outcome:?}")
            };
            assert_eq!(answer["ok"], false, "{command}: {answer:#}");
            assert!(
                answer["error"].as_str().is_some_and(|error| !error.is_empty()),
                "{command}: {answer:#}"
            );
        }
        world.table.faults.clear();
    }
}

#[tokio::test]
async fn with_sns_away_the_move_goes_on_and_is_told_later() {
    let world = shop(3).await;
    world
        .cloud
        .faults
        .always("notifier.publish", Fault::Before(CallErrorKind::Retryable));
    let told_before = world.cloud.published().len();
    world.command(failover("nobody can hear")).await;
    world.run_rounds(6).await;
    assert_eq!(really_at(&world.cloud), ("green", "green"));
    let control = world.control("shop");
    assert!(control.execution.is_none(), "the execution does not wait for SNS");
    assert_eq!(world.cloud.published().len(), told_before);
    assert!(control.announcements.len() >= 2, "start and end wait to be told");
    world.cloud.faults.clear();
    assert!(world.settle(12).await);
    let told: Vec<EventKind> = world.cloud.published()[told_before..]
        .iter()
        .map(|published| published.announcement.event)
        .collect();
    assert!(
        told.contains(&EventKind::Started) && told.contains(&EventKind::Completed),
        "{told:?}"
    );
    assert_eq!(violations(&world), Vec::<String>::new());
}

#[tokio::test]
async fn sixty_four_failovers_at_once_are_one_execution_and_sixty_three_clear_refusals() {
    let world = Rc::new(shop(5).await);
    let local = tokio::task::LocalSet::new();
    let answers: Vec<Value> = local
        .run_until(async {
            let tasks: Vec<_> = (0..64)
                .map(|number| {
                    let world = world.clone();
                    tokio::task::spawn_local(async move { world.command(failover(&format!("person {number}"))).await })
                })
                .collect();
            let mut answers = Vec::new();
            for task in tasks {
                answers.push(task.await.unwrap());
            }
            answers
        })
        .await;
    let (started, refused): (Vec<&Value>, Vec<&Value>) =
        answers.iter().partition(|answer| answer["execution"].is_string());
    assert_eq!(started.len(), 1, "{started:#?}");
    assert_eq!(refused.len(), 63);
    for answer in refused {
        assert_eq!(answer["ok"], false, "{answer:#}");
        assert!(
            answer["error"].as_str().unwrap().contains("no_execution_in_progress"),
            "{answer:#}"
        );
        assert!(
            answer["error"]
                .as_str()
                .unwrap()
                .contains(started[0]["execution"].as_str().unwrap()),
            "it names it: {answer:#}"
        );
    }
    assert!(world.settle(8).await);
    assert_eq!(world.table.peek_all("shop", "execution#").len(), 1);
    assert_eq!(world.cloud.effective_changes().len(), 2);
    assert_eq!(violations(&world), Vec::<String>::new());
}

#[tokio::test]
async fn probes_that_overlap_do_not_count_a_slot_twice() {
    let world = shop(6).await;
    world.cloud.answer(BLUE_HOST, Health::Unhealthy, "connection refused");
    // Three in the same slot, where two slots would be enough.
    tokio::join!(world.observe(), world.observe(), world.observe());
    let seen = observation(&world, "blue");
    assert_eq!(seen.streak.slots, 1, "{seen:?}");
    assert_eq!(
        seen.health,
        Health::Healthy,
        "one slot does not reach a threshold of two"
    );
    assert_eq!(violations(&world), Vec::<String>::new());
}

#[tokio::test]
async fn whole_minutes_of_two_overlapping_probes_count_each_slot_once() {
    let world = shop(7).await;
    world.cloud.answer(BLUE_HOST, Health::Unhealthy, "connection refused");
    tokio::join!(world.observe_for_a_minute(), world.observe_for_a_minute());
    let mut slots: Vec<i64> = Vec::new();
    for write in world
        .table
        .writes()
        .iter()
        .filter(|write| write.accepted && write.key.item.starts_with("observation#blue#"))
    {
        let seen: Observation = serde_json::from_value(write.item.as_ref().unwrap().body.clone()).unwrap();
        slots.push(seen.slot);
    }
    let mut sorted = slots.clone();
    sorted.dedup();
    assert!(slots.is_sorted(), "slots only grow: {slots:?}");
    assert_eq!(violations(&world), Vec::<String>::new());
}

#[tokio::test]
async fn a_probe_that_hangs_or_errs_leaves_the_others_alone() {
    let mut plan = sample_plan("shop");
    let extra = |name: &str, id: &str| {
        json!({"kind": "ec2", "name": name, "site": "green", "instance_id": id, "interval_seconds": 30,
               "healthy_threshold": 1, "unhealthy_threshold": 1})
    };
    for probe in [
        extra("good", "i-00000000000000001"),
        extra("missing", "i-00000000000000002"),
    ] {
        plan["probes"].as_array_mut().unwrap().push(probe);
    }
    let world = World::new(8);
    furnish(&world.cloud);
    world.cloud.put_instance("i-00000000000000001", "running", "ok");
    world.put_plan(plan).await;
    world.cloud.hang(BLUE_HOST);
    world.observe_for_a_minute().await;
    let items = world.table.peek_all("shop", "observation#green#");
    let named = |probe: &str| -> Observation {
        let item = items
            .iter()
            .find(|item| item.body["probe"] == probe)
            .unwrap_or_else(|| panic!("{probe} is not observed"));
        serde_json::from_value(item.body.clone()).unwrap()
    };
    assert_eq!(
        named("green-web").health,
        Health::Healthy,
        "one that hangs does not delay another"
    );
    assert_eq!(
        named("good").health,
        Health::Healthy,
        "an id that does not exist does not spoil its batch"
    );
    assert_eq!(
        named("missing").health,
        Health::Unknown,
        "what does not exist is unknown, not unhealthy"
    );
    assert_eq!(observation(&world, "blue").health, Health::Unhealthy);
}

#[tokio::test]
async fn an_alarm_of_yesterday_moves_nothing_and_is_recorded_once_with_a_count() {
    let world = shop(9).await;
    world.cloud.put_alarm(BLUE_ALARM, AlarmState::Alarm);
    world.cloud.answer(BLUE_HOST, Health::Unhealthy, "connection refused");
    let yesterday = world.clock.now().checked_sub(SignedDuration::from_hours(24)).unwrap();
    for _ in 0..5 {
        let outcome = world
            .invoke_decision(World::alarm_event(BLUE_ALARM, "ALARM", yesterday))
            .await;
        assert!(matches!(outcome, Outcome::Answer(_)), "{outcome:?}");
    }
    assert!(world.control("shop").execution.is_none());
    let records: Vec<Value> = world
        .table
        .peek_all("shop", "decision#")
        .into_iter()
        .map(|item| item.body)
        .filter(|body| body["trigger"]["kind"] == "alarm")
        .collect();
    assert_eq!(records.len(), 1, "{records:#?}");
    assert_eq!(records[0]["count"], 5);
    assert!(
        records[0]["summary"].as_str().unwrap().contains("event_fresh"),
        "{:#}",
        records[0]
    );
}

#[tokio::test]
async fn a_fresh_alarm_of_a_dead_site_moves_it_once_however_often_it_is_told() {
    let mut plan = sample_plan("shop");
    plan["policy"]["hold_seconds"] = json!(0);
    plan["alarms"][0]["evidence"] = json!("sufficient");
    let world = shop_with(10, plan).await;
    world.cloud.put_alarm(BLUE_ALARM, AlarmState::Alarm);
    let event = World::alarm_event(BLUE_ALARM, "ALARM", world.clock.now());
    for _ in 0..5 {
        world.invoke_decision(event.clone()).await;
        world.deliver().await;
    }
    assert!(world.settle(8).await);
    assert_eq!(really_at(&world.cloud), ("green", "green"));
    assert_eq!(world.table.peek_all("shop", "execution#").len(), 1);
    assert_eq!(violations(&world), Vec::<String>::new());
}

#[tokio::test]
async fn stream_records_doubled_late_and_out_of_order_have_one_effect() {
    let world = shop(11).await;
    world.command(failover("a noisy bus")).await;
    let mut all = world.table.waiting_records();
    assert!(world.settle(8).await);
    let writes = world.table.accepted_writes();
    all.reverse();
    world.advance(86_400);
    for record in all.iter().chain(&all) {
        world.deliver_record(record).await;
    }
    assert_eq!(
        world.table.accepted_writes(),
        writes,
        "records of yesterday find nothing to do"
    );
    assert_eq!(world.cloud.effective_changes().len(), 2);
}

#[tokio::test]
async fn a_wake_that_the_bus_loses_is_taken_over_by_the_clock() {
    let world = shop(15).await;
    world.command(failover("a deaf bus")).await;
    // Every record is lost; only direct invocations arrive.
    for _ in 0..20 {
        world.table.drop_stream();
        world.observe().await;
        world.table.drop_stream();
        world.deliver().await;
        world.clock.sleep(SignedDuration::from_secs(5)).await;
        if really_at(&world.cloud) == ("green", "green") {
            break;
        }
    }
    assert!(
        !world.cloud.nudges().is_empty(),
        "nobody took the wake, so the executor was invoked directly"
    );
    assert_eq!(really_at(&world.cloud), ("green", "green"));
}

#[tokio::test]
async fn a_small_budget_spreads_the_describes_and_loses_none() {
    let mut world = World::new(21);
    world.describes_per_second = 1;
    furnish(&world.cloud);
    let mut plan = sample_plan("shop");
    let probes = plan["probes"].as_array_mut().unwrap();
    probes.clear();
    for (number, site) in ["blue", "green"].into_iter().cycle().take(40).enumerate() {
        probes.push(json!({
            "kind": "target_group", "name": format!("group-{number}"), "site": site, "target_group_arn": BLUE_GROUP,
            "interval_seconds": 300,
        }));
    }
    let stored = world.put_plan(plan).await;
    assert_eq!(stored["ok"], true, "{stored:#}");
    let started = world.clock.now();
    let answer = world.observe().await.answer();
    let took = world.clock.now().duration_since(started).as_secs();
    assert_eq!(
        (answer["tally"]["samples"].clone(), answer["tally"]["errors"].clone()),
        (json!(40), json!(0))
    );
    assert_eq!(took, 10, "thirty were saved up, ten more come at one a second");
}
