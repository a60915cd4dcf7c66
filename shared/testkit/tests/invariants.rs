//! The invariants of the design, each with a test of its name. Here each is shown once, plainly; the harder cases are
//! in the files beside this one.
//!
//! | invariant | also in |
//! |---|---|
//! | 1 one execution a plan | `bad_days`: sixty-four failovers at once |
//! | 2 the old holder is harmless | |
//! | 3 intent before call | `world_oracle::intents`, after every test |
//! | 4 no automatic move to what is not seen healthy | |
//! | 5 unknown is not unhealthy | `bad_days`: a probe that errs |
//! | 7 budget and velocity | |
//! | 8 progress | `protocol`: killed at any call; `bad_days`: a deaf bus |
//! | 9 no table, no call | `bad_days`: away from any moment on |
//! | 10 everything is told | `world_oracle::announced`, after every test; `bad_days`: SNS away |
//! | 11 nothing is dropped silently | `bad_days`: an alarm of yesterday |
//! | 12 exact pre-state | `protocol`: refused at every call; `protocol_back`: killed on the way |
//! | 13 copies, in any order, late | `bad_days`: doubled, late, out of order |
//!
//! Invariant 6 (data loss needs consent) is in `invariant_consent`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use jiff::SignedDuration;
use serde_json::{Value, json};
use understudy_core::execution::{Execution, Status};
use understudy_core::health::{AlarmState, Health};
use understudy_core::report::EventKind;
use understudy_engine::ports::{CallErrorKind, Clock, Random};
use understudy_testkit::clock::SeededRandom;
use understudy_testkit::faults::Fault;
use understudy_testkit::world::World;
use understudy_testkit::world_oracle::{announced, intents, one_execution, violations};
use understudy_testkit::world_plan::{
    BLUE_ALARM, BLUE_GROUP, BLUE_HOST, GREEN_GROUP, GREEN_HOST, LISTENER, OTHER_GROUP, ZONE, a_record, failover,
    furnish, really_at, sample_plan, shop,
};

fn history(world: &World, plan: &str) -> Vec<Execution> {
    let items = world.table.peek_all(plan, "execution#");
    items
        .into_iter()
        .map(|item| serde_json::from_value(item.body).unwrap())
        .collect()
}

fn alerts(world: &World) -> Vec<String> {
    let published = world.cloud.published();
    let alerts = published
        .iter()
        .filter(|told| told.announcement.event == EventKind::Alert);
    alerts.map(|told| told.announcement.text.clone()).collect()
}

fn guards_that_stopped(answer: &Value) -> Vec<String> {
    let verdicts = answer["verdicts"].as_array().cloned().unwrap_or_default();
    verdicts
        .iter()
        .filter(|verdict| verdict["allows"] == false)
        .map(|verdict| verdict["guard"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn invariant_01_at_most_one_execution_of_a_plan_is_in_progress() {
    let world = shop(1).await;
    world.cloud.polls_until_in_sync(6);
    // Everybody asks at once, and again while it runs.
    world.cloud.answer(BLUE_HOST, Health::Unhealthy, "connection refused");
    world.run_rounds(4).await;
    let (one, other) = tokio::join!(world.command(failover("one")), world.command(failover("other")));
    let started = [&one, &other]
        .into_iter()
        .filter(|answer| answer["execution"].is_string())
        .count();
    assert!(started <= 1, "{one:#} {other:#}");
    for _ in 0..6 {
        world.run_round().await;
        let answer = world.command(failover("again")).await;
        if world.control("shop").execution.is_some() && !answer["execution"].is_string() {
            assert_eq!(
                guards_that_stopped(&answer)[0],
                "no_execution_in_progress",
                "{answer:#}"
            );
        }
    }
    assert!(world.settle(20).await);
    assert_eq!(one_execution(&world), Vec::<String>::new());
}

#[tokio::test]
async fn invariant_02_after_a_takeover_the_old_holder_makes_no_new_mutating_call() {
    // The first executor freezes in a read, or in the mutating call itself, for longer than lease and margin.
    for frozen in [
        "traffic.weights",
        "traffic.set_weights",
        "dns.records",
        "dns.change_records",
    ] {
        let world = shop(2).await;
        world.command(failover("frozen")).await;
        let before = world.executor_wire.calls().len();
        world
            .cloud
            .faults
            .next(frozen, Fault::Slow(SignedDuration::from_secs(45)));
        let record = world.table.take_record().unwrap();
        tokio::join!(world.deliver_record(&record), world.run_rounds(12));
        assert!(world.settle(20).await, "{frozen}: {:#?}", world.control("shop"));
        let calls = world.executor_wire.calls();
        let first = calls[before].request_id.clone();
        // What the first invocation called after another had begun to call.
        let takeover = calls[before..]
            .iter()
            .position(|call| call.request_id != first && call.operation != "table.get");
        let takeover = takeover.expect("somebody took over") + before;
        let late: Vec<_> = calls[takeover..]
            .iter()
            .filter(|call| call.request_id == first)
            .filter(|call| {
                matches!(
                    call.operation,
                    "traffic.set_weights" | "dns.change_records" | "notifier.publish"
                )
            })
            .collect();
        assert!(late.is_empty(), "{frozen}: the old holder called {late:?}");
        assert_eq!(really_at(&world.cloud), ("green", "green"), "{frozen}");
        assert_eq!(world.cloud.effective_changes().len(), 2, "{frozen}");
    }
}

#[tokio::test]
async fn invariant_03_every_mutating_call_was_preceded_by_its_durable_intent_and_pre_state() {
    let world = shop(3).await;
    world.cloud.faults.next("traffic.set_weights", Fault::ReplyLost);
    world
        .cloud
        .faults
        .next("dns.change_records", Fault::Before(CallErrorKind::Refused));
    world.command(failover("there and back")).await;
    assert!(world.settle(12).await);
    world.command(failover("there")).await;
    assert!(world.settle(12).await);
    assert!(world.cloud.changes().len() >= 4, "there are calls to look at");
    assert_eq!(intents(&world), Vec::<String>::new());
    for change in world.cloud.changes() {
        let execution = change
            .controls
            .iter()
            .find_map(|control| control.execution.clone())
            .unwrap();
        let run = execution
            .steps
            .iter()
            .find(|run| run.attempts > 0 && run.pre_state.is_some())
            .unwrap();
        assert!(run.wanted.is_some(), "the intent says what is wanted");
    }
}

#[tokio::test]
async fn invariant_04_no_automatic_move_towards_a_site_that_fresh_observations_do_not_call_healthy() {
    for standby in [Health::Unhealthy, Health::Unknown, Health::Degraded] {
        let world = shop(4).await;
        world.cloud.answer(GREEN_HOST, standby, "not well");
        world.run_rounds(4).await;
        world.cloud.answer(BLUE_HOST, Health::Unhealthy, "connection refused");
        world.run_rounds(12).await;
        assert!(world.cloud.changes().is_empty(), "{standby}");
        assert!(history(&world, "shop").is_empty(), "{standby}");
        assert!(!alerts(&world).is_empty(), "{standby}: somebody is told");

        // A person is refused too, by name; with force it is on the record.
        let answer = world.command(failover("by hand")).await;
        assert!(
            guards_that_stopped(&answer).contains(&"target_healthy".to_owned()),
            "{standby}: {answer:#}"
        );
        let mut forced = failover("I know");
        forced["force"] = json!(true);
        let answer = world.command(forced).await;
        let verdicts = answer["verdicts"].as_array().unwrap();
        let overridden = verdicts
            .iter()
            .any(|verdict| verdict["guard"] == "target_healthy" && verdict["overridden"] == true);
        assert!(overridden && answer["execution"].is_string(), "{standby}: {answer:#}");
        let execution = world.control("shop").execution.unwrap();
        assert_eq!(execution.operator.as_deref(), Some("mia"));
        assert!(execution.verdicts.iter().any(|verdict| verdict.overridden));
    }
}

#[tokio::test]
async fn invariant_04_a_standby_whose_last_good_word_is_old_is_not_moved_to() {
    let world = shop(40).await;
    world.cloud.put_alarm(BLUE_ALARM, AlarmState::Alarm);
    world.advance(120);
    world
        .invoke_decision(World::alarm_event(BLUE_ALARM, "ALARM", world.clock.now()))
        .await;
    world.deliver().await;
    assert!(world.control("shop").execution.is_none());
    assert!(world.cloud.changes().is_empty());
}

#[tokio::test]
async fn invariant_05_unknown_is_not_unhealthy_and_everything_bad_at_once_suspects_the_observer() {
    // Nobody can say.
    let world = shop(5).await;
    world
        .cloud
        .faults
        .always("endpoint.check", Fault::Before(CallErrorKind::Retryable));
    world.run_rounds(20).await;
    assert!(world.cloud.changes().is_empty());
    assert!(!alerts(&world).is_empty(), "missing evidence raises an alert");

    // Everything is bad at once.
    let world = shop(50).await;
    world.cloud.answer(BLUE_HOST, Health::Unhealthy, "connection refused");
    world.cloud.answer(GREEN_HOST, Health::Unhealthy, "connection refused");
    world.run_rounds(20).await;
    assert!(world.cloud.changes().is_empty());
    assert!(
        alerts(&world)
            .iter()
            .any(|text| text.contains("not_everything_unhealthy")),
        "{:?}",
        alerts(&world)
    );

    // Two observers disagree.
    let world = shop(51).await;
    for _ in 0..20 {
        world.cloud.answer(BLUE_HOST, Health::Unhealthy, "connection refused");
        world.observe_as("eu-west-1").await;
        world.cloud.answer(BLUE_HOST, Health::Healthy, "HTTP 200");
        world.observe_as("eu-central-1").await;
        world.deliver().await;
        world.clock.sleep(SignedDuration::from_secs(5)).await;
    }
    assert!(world.cloud.changes().is_empty());
    assert!(
        alerts(&world).iter().any(|text| text.contains("disagree")),
        "{:?}",
        alerts(&world)
    );
}

#[tokio::test]
async fn invariant_07_automatic_failovers_stay_within_latch_and_budget() {
    let world = shop(7).await;
    world.cloud.answer(BLUE_HOST, Health::Unhealthy, "connection refused");
    assert!(
        world
            .run_until(15, |world| really_at(&world.cloud) == ("green", "green"))
            .await
    );
    assert!(world.settle(6).await);
    // Now green dies, and blue lives: without the latch this would be the second move.
    world.cloud.answer(BLUE_HOST, Health::Healthy, "HTTP 200");
    world.run_rounds(3).await;
    world.cloud.answer(GREEN_HOST, Health::Unhealthy, "connection refused");
    world.run_rounds(10).await;
    assert_eq!(history(&world, "shop").len(), 1);
    assert!(
        alerts(&world).iter().any(|text| text.contains("latch_open")),
        "{:?}",
        alerts(&world)
    );
    let answer = world
        .command(json!({"command": "acknowledge", "plan": "shop", "operator": "mia", "reason": "seen"}))
        .await;
    assert_eq!(answer["ok"], true, "{answer:#}");
    assert!(world.settle(20).await);
    assert_eq!(really_at(&world.cloud), ("blue", "blue"), "a person's word opens it");
    assert_eq!(violations(&world), Vec::<String>::new());
}

#[tokio::test]
async fn invariant_07_over_all_plans_automatic_failovers_stay_within_the_fleets_limit() {
    let mut world = World::new(70);
    world.fleet_limit = 2;
    furnish(&world.cloud);
    let names = ["one", "two", "three", "four"];
    for name in names {
        world.put_plan(sample_plan(name)).await;
    }
    world.run_rounds(3).await;
    world.cloud.answer(BLUE_HOST, Health::Unhealthy, "connection refused");
    world.run_rounds(20).await;
    let moved = names.iter().filter(|name| !history(&world, name).is_empty()).count();
    assert_eq!(moved, 2);
    assert!(
        alerts(&world).iter().any(|text| text.contains("within_fleet_limit")),
        "{:?}",
        alerts(&world)
    );
}

#[tokio::test]
async fn invariant_08_when_faults_stop_every_execution_progresses() {
    let world = shop(8).await;
    world.command(failover("everything fails")).await;
    for operation in ["traffic.*", "dns.*", "notifier.*"] {
        world
            .cloud
            .faults
            .always(operation, Fault::Before(CallErrorKind::Retryable));
    }
    world.run_rounds(5).await;
    let execution = world.control("shop").execution.expect("it goes on trying");
    assert!(
        execution.wake_at.is_some() || world.control("shop").lease.is_some() || world.control("shop").wake.is_some()
    );
    world.cloud.faults.clear();
    assert!(world.settle(8).await, "{:#?}", world.control("shop"));
    assert_eq!(history(&world, "shop")[0].status, Status::Completed);
}

#[tokio::test]
async fn invariant_08_what_never_ends_gets_stuck_is_told_and_waits_for_a_named_command() {
    let world = shop(80).await;
    world.cloud.polls_until_in_sync(1_000_000);
    world.command(failover("never in sync")).await;
    let stuck = |world: &World| {
        world
            .control("shop")
            .execution
            .is_some_and(|execution| execution.status == Status::Stuck)
    };
    assert!(world.run_until(260, stuck).await, "{:#?}", world.control("shop"));
    world.run_rounds(2).await;
    let told = world.cloud.published();
    let stuck = told
        .iter()
        .find(|told| told.announcement.event == EventKind::Stuck)
        .expect("a person is called");
    assert!(
        stuck.announcement.text.contains("resolve"),
        "{}",
        stuck.announcement.text
    );
    let status = world.command(json!({"command": "status", "plan": "shop"})).await;
    assert!(
        status["how_to_stop_it"].as_str().unwrap().contains("resolve"),
        "{status:#}"
    );
}

#[tokio::test]
async fn invariant_08_five_takeovers_without_progress_are_stuck() {
    let world = shop(81).await;
    world.command(failover("a deadly step")).await;
    // Whoever reads the listener never comes back: Lambda ends it, and its lease runs out.
    world.cloud.faults.always("traffic.weights", Fault::Hang);
    let stuck = |world: &World| {
        world
            .control("shop")
            .execution
            .is_some_and(|execution| execution.status == Status::Stuck)
    };
    assert!(world.run_until(120, stuck).await, "{:#?}", world.control("shop"));
    assert!(world.cloud.changes().is_empty());
}

#[tokio::test]
async fn invariant_09_with_the_table_out_of_reach_no_mutating_call_is_made() {
    for kind in [CallErrorKind::Lost, CallErrorKind::Retryable] {
        let world = shop(9).await;
        world.command(failover("no table")).await;
        world.table.faults.always("table.*", Fault::Before(kind));
        world.deliver().await;
        world.invoke_executor(json!({"plan": "shop"})).await;
        assert!(world.cloud.changes().is_empty());
        world.table.faults.clear();
        assert!(world.settle(20).await);
        assert_eq!(really_at(&world.cloud), ("green", "green"));
    }
}

#[tokio::test]
async fn invariant_10_every_start_outcome_and_wait_is_told_at_least_once_with_an_id() {
    let world = shop(10).await;
    world.cloud.polls_until_in_sync(30);
    world.cloud.faults.times("notifier.publish", 2, Fault::ReplyLost);
    world.command(failover("told twice")).await;
    assert!(world.settle(20).await);
    assert_eq!(announced(&world), Vec::<String>::new());
    let id = history(&world, "shop")[0].id.clone();
    let of_it: Vec<_> = world
        .cloud
        .published()
        .into_iter()
        .filter(|told| told.announcement.body["execution"] == id.as_str())
        .collect();
    for event in [EventKind::Started, EventKind::Waiting, EventKind::Completed] {
        let told: Vec<_> = of_it.iter().filter(|told| told.announcement.event == event).collect();
        assert!(!told.is_empty(), "{event:?}");
        let first = &told[0].announcement;
        assert!(
            told.iter().all(|told| told.announcement.id == first.id),
            "the copies of {event:?} share their id"
        );
    }
    let started = of_it
        .iter()
        .filter(|told| told.announcement.event == EventKind::Started)
        .count();
    assert_eq!(started, 3, "its reply was lost twice, so it was told three times");
}

#[tokio::test]
async fn invariant_11_every_alarm_and_health_change_is_acted_on_or_recorded_with_the_reason() {
    let world = shop(11).await;
    // The alarm speaks, but the probes do not agree.
    world.cloud.put_alarm(BLUE_ALARM, AlarmState::Alarm);
    world
        .invoke_decision(World::alarm_event(BLUE_ALARM, "ALARM", world.clock.now()))
        .await;
    // An alarm that nobody has bound.
    world
        .invoke_decision(World::alarm_event("somebody-elses", "ALARM", world.clock.now()))
        .await;
    // A health change that moves nothing.
    world.cloud.answer(GREEN_HOST, Health::Unhealthy, "HTTP 500");
    world.run_rounds(3).await;

    let records: Vec<Value> = world
        .table
        .peek_all("shop", "decision#")
        .into_iter()
        .map(|item| item.body)
        .collect();
    let with_alarm = records
        .iter()
        .find(|record| record["trigger"]["kind"] == "alarm")
        .expect("the alarm is recorded");
    assert!(!with_alarm["summary"].as_str().unwrap().is_empty());
    assert!(
        records.iter().any(|record| record["trigger"]["kind"] == "health"),
        "{records:#?}"
    );
    assert_eq!(world.table.peek_all("_unbound", "").len(), 1, "and the unbound one too");
    assert!(
        world
            .table
            .items()
            .iter()
            .all(|item| item.key.item == "control" || item.wake.is_none()),
        "no wake is left untaken"
    );
}

#[tokio::test]
async fn invariant_12_rolling_back_restores_the_exact_pre_state_of_every_step() {
    let world = shop(12).await;
    // Odd values, to be restored as they are.
    let odd = [(OTHER_GROUP, 3), (GREEN_GROUP, 13), (BLUE_GROUP, 977)];
    world.cloud.put_weights(LISTENER, &odd);
    let mut record = a_record("www.example.com.", "203.0.113.5");
    record.ttl_seconds = Some(17);
    record.values.push("203.0.113.6".into());
    record.health_check_id = Some("0aa0".into());
    world.cloud.put_zone(ZONE, vec![record.clone()]);
    world.cloud.polls_until_in_sync(0);
    // The last step works, and then never verifies.
    world
        .cloud
        .faults
        .next("dns.in_sync", Fault::Before(CallErrorKind::Refused));
    world.command(failover("odd")).await;
    assert!(world.settle(12).await, "{:#?}", world.control("shop"));
    assert_eq!(history(&world, "shop")[0].status, Status::RolledBack);
    assert_eq!(
        world.cloud.weights_of(LISTENER),
        odd.map(|(arn, weight)| (arn.to_owned(), weight)).to_vec()
    );
    assert_eq!(world.cloud.zone(ZONE), [record]);
    assert_eq!(world.cloud.effective_changes().len(), 4, "both there, both back");
}

#[tokio::test]
async fn invariant_13_one_to_five_copies_in_any_order_up_to_a_day_late_have_one_effect_at_most() {
    for seed in 0..24 {
        let world = shop(1300 + seed).await;
        world.cloud.answer(BLUE_HOST, Health::Unhealthy, "connection refused");
        world.cloud.put_alarm(BLUE_ALARM, AlarmState::Alarm);
        let alarm = World::alarm_event(BLUE_ALARM, "ALARM", world.clock.now());
        let random = SeededRandom::new(seed);
        let mut late = Vec::new();
        for _ in 0..14 {
            world.observe().await;
            // What waits is delivered in a random order, in one to five copies, and kept for later.
            let mut waiting = Vec::new();
            while let Some(record) = world.table.take_record() {
                waiting.push(record);
            }
            waiting.sort_by_cached_key(|_| random.bytes());
            for record in &waiting {
                for _ in 0..=random.bytes()[0] % 5 {
                    world.deliver_record(record).await;
                }
            }
            late.extend(waiting);
            if random.bytes()[0].is_multiple_of(2) {
                world.invoke_decision(alarm.clone()).await;
            }
            world.clock.sleep(SignedDuration::from_secs(5)).await;
        }
        assert!(world.settle(20).await, "seed {seed}: {:#?}", world.control("shop"));
        world.advance(86_400 - 300);
        late.sort_by_cached_key(|_| random.bytes());
        for record in &late {
            world.deliver_record(record).await;
        }
        world.invoke_decision(alarm.clone()).await;
        world.deliver().await;
        assert_eq!(history(&world, "shop").len(), 1, "seed {seed}");
        assert_eq!(really_at(&world.cloud), ("green", "green"), "seed {seed}");
        assert_eq!(world.cloud.effective_changes().len(), 2, "seed {seed}");
        assert_eq!(violations(&world), Vec::<String>::new(), "seed {seed}");
    }
}
