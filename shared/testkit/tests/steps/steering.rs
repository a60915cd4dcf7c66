//! Steps that steer traffic: signals, zonal shifts, dials.

use super::assert_none;
use jiff::SignedDuration;
use serde_json::{Value, json};
use understudy_core::execution::{Execution, Status, Style};
use understudy_core::health::AlarmState;
use understudy_core::state::Percent;
use understudy_engine::ports::{CallErrorKind, Clock, SignalMetric};
use understudy_testkit::cloud::FakeCloud;
use understudy_testkit::faults::Fault;
use understudy_testkit::step_proof::Proof;
use understudy_testkit::world::World;

// ---------------------------------------------------------------------------------------------------- signals

fn metric(site: &str) -> SignalMetric {
    SignalMetric {
        namespace: "Understudy/shop".into(),
        name: "Active".into(),
        dimensions: vec![("Plan".into(), "shop".into()), ("Site".into(), site.into())],
    }
}

// An alarm of each site that goes off while the site is not active.
fn put_signals(cloud: &FakeCloud, blue: AlarmState, green: AlarmState) {
    cloud.put_signal(metric("blue"), "blue-inactive", 0.0, blue);
    cloud.put_signal(metric("green"), "green-inactive", 0.0, green);
}

fn alarms(cloud: &FakeCloud) -> Value {
    let state = |name| format!("{:?}", cloud.alarm_state(name).unwrap());
    json!([state("blue-inactive"), state("green-inactive")])
}

fn dns_signal() -> Proof {
    Proof {
        step: json!({
            "kind": "dns_signal", "name": "signal", "namespace": "Understudy/shop", "metric_name": "Active",
            "dimensions": {"Plan": "shop"}, "timeout_seconds": 300,
            "signals": {"blue": {"dimensions": {"Site": "blue"}, "alarm_name": "blue-inactive"},
                        "green": {"dimensions": {"Site": "green"}, "alarm_name": "green-inactive"}},
        }),
        style: Style::Unplanned,
        furnish: |cloud| put_signals(cloud, AlarmState::Ok, AlarmState::Alarm),
        snapshot: alarms,
        moved: |cloud| alarms(cloud) == json!(["Alarm", "Ok"]),
        reads: &["alarms.readings"],
        calls: &["signals.publish"],
        undo_calls: &["signals.publish"],
        disturb: |_| {},
        is_disturbed: |_| true,
    }
}

// All questions but one: a metric has no version, so that somebody else who is quicker has only the newest word for a while.
#[tokio::test]
async fn dns_signal_stands_the_proof() {
    let proof = dns_signal();
    assert_none(&proof.works().await);
    assert_none(&proof.is_done_once().await);
    assert_none(&proof.bears_errors().await);
    assert_none(&proof.bears_lost_replies().await);
    assert_none(&proof.is_undone().await);
}

#[tokio::test]
async fn dns_signal_bears_deaths() {
    assert_none(&dns_signal().bears_deaths().await);
}

#[tokio::test]
async fn a_switch_that_has_never_been_used_goes_back_to_the_site_that_carried_the_plan() {
    let proof = Proof {
        furnish: |cloud| put_signals(cloud, AlarmState::InsufficientData, AlarmState::InsufficientData),
        ..dns_signal()
    };
    assert_none(&proof.works().await);
    let (world, execution) = Proof {
        furnish: |cloud| {
            put_signals(cloud, AlarmState::InsufficientData, AlarmState::InsufficientData);
            let refused = Fault::Before(CallErrorKind::Refused);
            cloud.faults.next("dns.change_records", refused);
        },
        ..dns_signal()
    }
    .run_once()
    .await;
    assert_eq!(execution.unwrap().status, Status::RolledBack);
    assert_eq!(
        alarms(&world.cloud),
        json!(["Ok", "Alarm"]),
        "blue is active, and said so"
    );
}

#[tokio::test]
async fn an_alarm_that_does_not_exist_fails_the_step_before_anything_is_published() {
    let proof = Proof {
        furnish: |cloud| cloud.put_signal(metric("blue"), "blue-inactive", 0.0, AlarmState::Ok),
        ..dns_signal()
    };
    let (world, execution) = proof.run_once().await;
    let why = execution.unwrap().failure.unwrap();
    assert!(why.contains("green-inactive"), "{why}");
    assert!(world.cloud.changes().is_empty());
}

// The status of a health check, put once a minute: here by hand.
fn put_status(cloud: &FakeCloud, id: &str, healthy: bool) {
    cloud.put_metric(
        "HealthCheckStatus",
        &[("HealthCheckId", id)],
        if healthy { 1.0 } else { 0.0 },
    );
}

const CHECK: &str = "01234567-89ab-cdef-0123-456789abcdef";

fn with_health_check() -> Value {
    let mut step = dns_signal().step;
    step["signals"]["green"]["health_check_id"] = json!(CHECK);
    step
}

#[tokio::test]
async fn a_health_check_that_shows_the_signal_ends_the_step() {
    let proof = Proof {
        step: with_health_check(),
        furnish: |cloud| {
            put_signals(cloud, AlarmState::Ok, AlarmState::Alarm);
            put_status(cloud, CHECK, true);
        },
        ..dns_signal()
    };
    assert_none(&proof.works().await);
}

#[tokio::test]
async fn a_health_check_that_does_not_show_the_signal_turns_the_move_round() {
    let proof = Proof {
        step: with_health_check(),
        furnish: |cloud| {
            put_signals(cloud, AlarmState::Ok, AlarmState::Alarm);
            put_status(cloud, CHECK, false);
        },
        ..dns_signal()
    };
    let (world, execution) = proof.run_once().await;
    let execution = execution.unwrap();
    assert_eq!(execution.status, Status::RolledBack, "{execution:#?}");
    assert_eq!(alarms(&world.cloud), json!(["Ok", "Alarm"]));
}

// ---------------------------------------------------------------------------------------------------- zonal shifts

const BALANCER: &str = "arn:aws:elasticloadbalancing:eu-west-1:000000000000:loadbalancer/app/shop/0123456789abcdef";
const ZONE_1: &str = "euw1-az1";
const ZONE_2: &str = "euw1-az2";
const OURS: &str = "Understudy shop 0 epoch 1";

fn shifts(cloud: &FakeCloud) -> Value {
    let shifts = cloud.shifts(BALANCER).into_iter();
    shifts
        .map(|shift| {
            let ours = shift.comment.starts_with("Understudy shop ");
            json!({"away_from": shift.away_from, "ours": ours, "type": shift.shift_type})
        })
        .collect()
}

fn ours(zone: &str) -> Value {
    json!([{"away_from": zone, "ours": true, "type": "ZONAL_SHIFT"}])
}

fn theirs(cloud: &FakeCloud) {
    cloud.put_shift(
        BALANCER,
        ZONE_2,
        "mia at work",
        "ZONAL_SHIFT",
        SignedDuration::from_hours(8),
    );
}

fn zonal_shift() -> Proof {
    Proof {
        step: json!({
            "kind": "zonal_shift", "name": "zone", "resource_identifier": BALANCER, "away_from": {"green": ZONE_1},
            "expires_in_hours": 24,
        }),
        style: Style::Unplanned,
        furnish: |cloud| cloud.put_shiftable(BALANCER, &[ZONE_1, ZONE_2]),
        snapshot: shifts,
        moved: |cloud| shifts(cloud) == ours(ZONE_1),
        reads: &["shifts.resource"],
        calls: &["shifts.start"],
        undo_calls: &["shifts.cancel"],
        disturb: theirs,
        is_disturbed: |cloud| shifts(cloud) == json!([{"away_from": ZONE_2, "ours": false, "type": "ZONAL_SHIFT"}]),
    }
}

// Where the plan comes home: the shift of the move before is still active.
fn coming_home() -> Proof {
    let mut proof = zonal_shift();
    proof.step["away_from"] = json!({"blue": ZONE_1});
    Proof {
        furnish: |cloud| {
            cloud.put_shiftable(BALANCER, &[ZONE_1, ZONE_2]);
            cloud.put_shift(BALANCER, ZONE_1, OURS, "ZONAL_SHIFT", SignedDuration::from_hours(20));
        },
        moved: |cloud| cloud.shifts(BALANCER).is_empty(),
        calls: &["shifts.cancel"],
        undo_calls: &["shifts.start"],
        ..proof
    }
}

// From one zone into another: two calls.
fn from_zone_to_zone() -> Proof {
    let mut proof = zonal_shift();
    proof.step["away_from"] = json!({"blue": ZONE_2, "green": ZONE_1});
    Proof {
        furnish: |cloud| {
            cloud.put_shiftable(BALANCER, &[ZONE_1, ZONE_2]);
            cloud.put_shift(BALANCER, ZONE_2, OURS, "ZONAL_SHIFT", SignedDuration::from_hours(20));
        },
        calls: &["shifts.cancel", "shifts.start"],
        undo_calls: &["shifts.cancel", "shifts.start"],
        ..proof
    }
}

#[tokio::test]
async fn zonal_shift_stands_the_proof() {
    assert_none(&zonal_shift().violations().await);
}

#[tokio::test]
async fn zonal_shift_stands_the_proof_coming_home() {
    assert_none(&coming_home().violations().await);
}

#[tokio::test]
async fn zonal_shift_stands_the_proof_from_zone_to_zone() {
    assert_none(&from_zone_to_zone().violations().await);
}

#[tokio::test]
async fn zonal_shift_bears_deaths() {
    assert_none(&zonal_shift().bears_deaths().await);
    assert_none(&coming_home().bears_deaths().await);
    assert_none(&from_zone_to_zone().bears_deaths().await);
}

fn ends_in(world: &World) -> SignedDuration {
    let shifts = world.cloud.shifts(BALANCER);
    shifts[0].ends_at.duration_since(world.clock.now())
}

#[tokio::test]
async fn a_shift_that_ends_too_early_is_extended_and_one_that_lasts_is_left() {
    let proof = |furnish| Proof {
        furnish,
        ..zonal_shift()
    };
    let (world, execution) = proof(|cloud: &FakeCloud| {
        cloud.put_shiftable(BALANCER, &[ZONE_1, ZONE_2]);
        cloud.put_shift(BALANCER, ZONE_1, OURS, "ZONAL_SHIFT", SignedDuration::from_hours(2));
    })
    .run_once()
    .await;
    assert_eq!(execution.unwrap().status, Status::Completed);
    let made: Vec<&str> = world.cloud.changes().iter().map(|change| change.operation).collect();
    assert!(
        made.contains(&"shifts.extend") && !made.contains(&"shifts.start"),
        "{made:?}"
    );
    assert!(ends_in(&world) > SignedDuration::from_hours(23));

    let (world, execution) = proof(|cloud: &FakeCloud| {
        cloud.put_shiftable(BALANCER, &[ZONE_1, ZONE_2]);
        cloud.put_shift(BALANCER, ZONE_1, OURS, "ZONAL_SHIFT", SignedDuration::from_hours(20));
    })
    .run_once()
    .await;
    assert_eq!(execution.unwrap().status, Status::Completed);
    assert!(ends_in(&world) < SignedDuration::from_hours(20), "left as it was");
}

#[tokio::test]
async fn a_shift_that_was_extended_is_set_back_to_its_old_end() {
    let proof = Proof {
        furnish: |cloud| {
            cloud.put_shiftable(BALANCER, &[ZONE_1, ZONE_2]);
            cloud.put_shift(BALANCER, ZONE_1, OURS, "ZONAL_SHIFT", SignedDuration::from_hours(2));
        },
        calls: &["shifts.extend"],
        undo_calls: &["shifts.extend"],
        ..zonal_shift()
    };
    assert_none(&proof.is_undone().await);
    let world = proof
        .world_with(|cloud| {
            let refused = Fault::Before(CallErrorKind::Refused);
            cloud.faults.next("dns.change_records", refused);
        })
        .await;
    let ends_at = world.cloud.shifts(BALANCER)[0].ends_at;
    let execution = proof.run(&world).await.unwrap();
    assert_eq!(execution.status, Status::RolledBack, "{execution:#?}");
    let later = world.cloud.shifts(BALANCER)[0].ends_at.duration_since(ends_at);
    assert!((0..=180).contains(&later.as_secs()), "{later}");
}

#[tokio::test]
async fn a_shift_that_was_cancelled_is_started_anew_to_end_when_it_would_have() {
    let (world, execution) = Proof {
        furnish: |cloud| {
            (coming_home().furnish)(cloud);
            let refused = Fault::Before(CallErrorKind::Refused);
            cloud.faults.next("dns.change_records", refused);
        },
        ..coming_home()
    }
    .run_once()
    .await;
    assert_eq!(execution.unwrap().status, Status::RolledBack);
    let left = ends_in(&world);
    let twenty = SignedDuration::from_hours(20);
    assert!(
        left > twenty - SignedDuration::from_mins(15) && left <= twenty + SignedDuration::from_mins(2),
        "{left}"
    );
}

fn refused(execution: Option<Execution>, world: &World, words: &[&str]) {
    let why = execution.unwrap().failure.unwrap();
    for word in words {
        assert!(why.contains(word), "no {word} in: {why}");
    }
    assert!(world.cloud.changes().is_empty(), "{why}");
}

#[tokio::test]
async fn a_shift_of_somebody_else_is_never_touched() {
    type Other = (fn(&FakeCloud), [&'static str; 2]);
    let others: [Other; 3] = [
        (theirs, ["ZONAL_SHIFT", "mia at work"]),
        (
            |cloud| {
                let other = "Understudy shop-2 0 epoch 1";
                cloud.put_shift(BALANCER, ZONE_1, other, "ZONAL_SHIFT", SignedDuration::from_hours(20));
            },
            ["ZONAL_SHIFT", "shop-2"],
        ),
        (
            |cloud| cloud.put_shift(BALANCER, ZONE_1, OURS, "PRACTICE_RUN", SignedDuration::from_mins(30)),
            ["PRACTICE_RUN", ZONE_1],
        ),
    ];
    for (other, words) in others {
        let world = zonal_shift().world_with(other).await;
        let execution = zonal_shift().run(&world).await;
        refused(execution, &world, &[words[0], words[1], "nothing was changed"]);
    }
}

#[tokio::test]
async fn an_autoshift_away_from_another_zone_is_not_overridden_and_one_from_the_same_is_joined() {
    let (world, execution) = Proof {
        furnish: |cloud| {
            (zonal_shift().furnish)(cloud);
            cloud.put_autoshift(BALANCER, Some(ZONE_2));
        },
        ..zonal_shift()
    }
    .run_once()
    .await;
    refused(execution, &world, &["autoshift", ZONE_2]);
    let (world, execution) = Proof {
        furnish: |cloud| {
            (zonal_shift().furnish)(cloud);
            cloud.put_autoshift(BALANCER, Some(ZONE_1));
        },
        ..zonal_shift()
    }
    .run_once()
    .await;
    assert_eq!(execution.unwrap().status, Status::Completed);
    assert_eq!(shifts(&world.cloud), ours(ZONE_1));
}

#[tokio::test]
async fn a_zone_that_the_resource_is_not_in_or_is_in_alone_is_not_left() {
    let (world, execution) = Proof {
        furnish: |cloud| cloud.put_shiftable(BALANCER, &[ZONE_2, "euw1-az3"]),
        ..zonal_shift()
    }
    .run_once()
    .await;
    refused(execution, &world, &[ZONE_1, ZONE_2, "euw1-az3"]);
    let (world, execution) = Proof {
        furnish: |cloud| cloud.put_shiftable(BALANCER, &[ZONE_1]),
        ..zonal_shift()
    }
    .run_once()
    .await;
    refused(execution, &world, &[ZONE_1, "alone"]);
}

// ---------------------------------------------------------------------------------------------------- dials

const LISTENER: &str =
    "arn:aws:globalaccelerator::000000000000:accelerator/01234567-89ab-cdef-0123-456789abcdef/listener/0123abcd";

fn group(name: &str) -> String {
    format!("{LISTENER}/endpoint-group/{name}")
}

fn percent(percent: f32) -> Percent {
    Percent::new(percent).unwrap()
}

fn dials(cloud: &FakeCloud) -> Value {
    let dial = |name| {
        let group = cloud.endpoint_group_now(&group(name))?;
        Some(json!({"percent": group.percent, "endpoints": group.endpoints}))
    };
    json!([dial("blue"), dial("green")])
}

fn accelerator_dial() -> Proof {
    Proof {
        step: json!({
            "kind": "accelerator_dial", "name": "dial", "timeout_seconds": 300,
            "sites": {"blue": {"endpoint_group_arn": group("blue")},
                      "green": {"endpoint_group_arn": group("green"), "percent": 80}},
        }),
        style: Style::Planned,
        // Not a round number: it is restored exactly.
        furnish: |cloud| {
            cloud.put_endpoint_group(&group("blue"), percent(99.7), &[("alb-blue", 128)]);
            cloud.put_endpoint_group(&group("green"), percent(0.0), &[("alb-green", 77)]);
        },
        snapshot: dials,
        moved: |cloud| {
            dials(cloud)
                == json!([{"percent": percent(0.0), "endpoints": {"alb-blue": 128}},
                          {"percent": percent(80.0), "endpoints": {"alb-green": 77}}])
        },
        reads: &["accelerators.endpoint_group", "accelerators.is_deployed"],
        calls: &["accelerators.dial", "accelerators.dial"],
        undo_calls: &["accelerators.dial", "accelerators.dial"],
        disturb: |cloud| cloud.put_endpoint_group(&group("green"), percent(33.0), &[("alb-green", 77)]),
        is_disturbed: |cloud| cloud.endpoint_group_now(&group("green")).unwrap().percent == percent(33.0),
    }
}

// Both sites in one group, beside an endpoint that the plan does not know.
fn weights() -> Proof {
    Proof {
        step: json!({
            "kind": "accelerator_dial", "name": "dial", "timeout_seconds": 300,
            "sites": {"blue": {"endpoint_group_arn": group("blue"), "endpoints": {"alb-blue": 128}},
                      "green": {"endpoint_group_arn": group("blue"), "endpoints": {"alb-green": 200}}},
        }),
        furnish: |cloud| {
            let endpoints = [("alb-blue", 100), ("alb-green", 0), ("alb-other", 5)];
            cloud.put_endpoint_group(&group("blue"), percent(50.0), &endpoints);
        },
        moved: |cloud| {
            let endpoints = json!({"alb-blue": 0, "alb-green": 200, "alb-other": 5});
            dials(cloud) == json!([{"percent": percent(50.0), "endpoints": endpoints}, null])
        },
        calls: &["accelerators.dial"],
        undo_calls: &["accelerators.dial"],
        disturb: |cloud| {
            let endpoints = [("alb-blue", 1), ("alb-green", 1), ("alb-other", 5)];
            cloud.put_endpoint_group(&group("blue"), percent(50.0), &endpoints);
        },
        is_disturbed: |cloud| {
            let now = cloud.endpoint_group_now(&group("blue")).unwrap();
            now.endpoints["alb-blue"] == 1
        },
        ..accelerator_dial()
    }
}

#[tokio::test]
async fn accelerator_dial_stands_the_proof() {
    assert_none(&accelerator_dial().violations().await);
}

#[tokio::test]
async fn accelerator_dial_stands_the_proof_with_weights() {
    assert_none(&weights().violations().await);
}

#[tokio::test]
async fn accelerator_dial_bears_deaths() {
    assert_none(&accelerator_dial().bears_deaths().await);
}

#[tokio::test]
async fn the_destination_is_opened_and_deployed_before_the_source_is_closed() {
    let (world, _) = accelerator_dial().run_once().await;
    let changes = world.cloud.effective_changes();
    let dials = changes.iter().filter(|change| change.operation == "accelerators.dial");
    let opened: Vec<&str> = dials.map(|change| change.resource.as_str()).collect();
    assert_eq!(opened, [group("green"), group("blue")]);
}

#[tokio::test]
async fn an_endpoint_that_the_group_has_not_fails_the_step_before_anything_is_changed() {
    let proof = Proof {
        furnish: |cloud| cloud.put_endpoint_group(&group("blue"), percent(50.0), &[("alb-blue", 100)]),
        ..weights()
    };
    let (world, execution) = proof.run_once().await;
    refused(execution, &world, &["alb-green", "no endpoint of"]);
}

#[tokio::test]
async fn a_signal_is_published_four_times_a_minute_until_the_alarms_have_followed_and_no_more() {
    let proof = dns_signal();
    let world = proof
        .world_with(|cloud| cloud.let_alarms_follow_after(SignedDuration::from_secs(100)))
        .await;
    let execution = proof.run(&world).await.expect("an execution");
    assert_eq!(execution.status, Status::Completed, "{execution:#?}");
    let changes = world.cloud.changes();
    let published = changes
        .iter()
        .filter(|change| change.operation == "signals.publish")
        .count();
    assert!((4..=8).contains(&published), "{published} times in 100 s");
}

#[tokio::test]
async fn an_undo_that_is_long_in_coming_bears_a_throttled_read_at_its_end() {
    let proof = dns_signal();
    let world = proof
        .world_with(|cloud| {
            cloud.let_alarms_follow_after(SignedDuration::from_secs(170));
            let refused = Fault::Before(CallErrorKind::Refused);
            cloud.faults.next("dns.change_records", refused);
        })
        .await;
    let undoing = |world: &World| {
        let running = world.control("shop").execution;
        running.is_some_and(|running| running.steps[0].undo_attempts >= 9)
    };
    let command = json!({
        "command": "failover", "plan": "shop", "operator": "mia", "reason": "a proof", "style": "unplanned",
    });
    assert_eq!(world.command(command).await["ok"], true);
    world.deliver().await;
    assert!(world.run_until(200, undoing).await, "{:#?}", world.control("shop"));
    world
        .cloud
        .faults
        .next("alarms.readings", Fault::Before(CallErrorKind::Retryable));
    assert!(
        world
            .run_until(200, |world| world.control("shop").execution.is_none())
            .await
    );
    assert_eq!(world.control("shop").last_execution.unwrap().status, Status::RolledBack);
}
