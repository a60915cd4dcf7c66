//! The whole story, once: the primary dies, rounds see it, the plan is held, moved, told, and comes home.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use serde_json::json;
use understudy_core::execution::{Kind, Status, TriggerKind};
use understudy_core::health::Health;
use understudy_core::report::EventKind;
use understudy_engine::ports::CallErrorKind;
use understudy_testkit::faults::Fault;
use understudy_testkit::world_oracle::violations;
use understudy_testkit::world_plan::{BLUE_HOST, TOPIC, really_at, shop};

#[tokio::test]
async fn a_dying_primary_is_seen_held_left_announced_and_returned_to() {
    let world = shop(1).await;
    assert_eq!(world.control("shop").active_site, "blue");
    let status = world.command(json!({"command": "status", "plan": "shop"})).await;
    assert_eq!(status["sites"]["blue"]["health"], "healthy", "{status:#}");
    assert_eq!(status["sites"]["green"]["health"], "healthy", "{status:#}");

    // The primary dies. Two slots later it is unhealthy; the policy holds for fifteen seconds more.
    world.cloud.answer(BLUE_HOST, Health::Unhealthy, "connection refused");
    world.run_rounds(3).await;
    let held = world.control("shop");
    assert!(held.execution.is_none(), "nothing moves while the hold lasts");
    assert!(held.look_again_at.is_some(), "decision has set itself a timer");
    assert_eq!(really_at(&world.cloud), ("blue", "blue"));

    assert!(
        world
            .run_until(12, |world| really_at(&world.cloud) == ("green", "green"))
            .await,
        "{:#?}",
        world.control("shop")
    );
    assert!(world.settle(12).await, "{:#?}", world.control("shop"));
    let moved = world.control("shop");
    assert_eq!(moved.active_site, "green");
    assert_eq!(moved.last_execution.as_ref().unwrap().status, Status::Completed);
    assert_eq!(moved.away.as_ref().unwrap().trigger, TriggerKind::Automatic);
    assert!(moved.latch.is_some(), "an automatic failover latches the plan");

    // It returns, and is watched for a minute before anything comes home.
    world.cloud.answer(BLUE_HOST, Health::Healthy, "HTTP 200");
    world.run_rounds(6).await;
    assert_eq!(
        really_at(&world.cloud),
        ("green", "green"),
        "not before the stability window is over"
    );
    assert!(
        world
            .run_until(20, |world| really_at(&world.cloud) == ("blue", "blue"))
            .await,
        "{:#?}",
        world.control("shop")
    );
    assert!(world.settle(12).await);
    let home = world.control("shop");
    assert_eq!(home.active_site, "blue");
    assert!(home.away.is_none());
    assert!(home.latch.is_some(), "coming home does not open the latch");

    let history = world.command(json!({"command": "history", "plan": "shop"})).await;
    let kinds: Vec<&str> = history["executions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|run| run["kind"].as_str().unwrap())
        .collect();
    assert_eq!(
        kinds,
        [Kind::Failback.as_str(), Kind::Failover.as_str()],
        "the newest first"
    );

    let told: Vec<EventKind> = world
        .cloud
        .published()
        .iter()
        .filter(|published| published.announcement.body["execution"].is_string())
        .map(|published| published.announcement.event)
        .collect();
    assert_eq!(
        told,
        [
            EventKind::Started,
            EventKind::Completed,
            EventKind::Started,
            EventKind::Completed
        ]
    );
    assert!(
        world
            .cloud
            .published()
            .iter()
            .all(|published| published.topic_arn.as_deref() == Some(TOPIC))
    );
    assert_eq!(
        world.cloud.effective_changes().len(),
        4,
        "two resources, there and back, each once"
    );
    assert!(world.dead_letters().is_empty());
    assert_eq!(violations(&world), Vec::<String>::new());
}

#[tokio::test]
async fn the_same_story_by_whole_minutes_of_the_deployed_probe() {
    let world = shop(2).await;
    world.cloud.answer(BLUE_HOST, Health::Unhealthy, "connection refused");
    // The probe touches and nudges by itself; nothing but its own invocations and the stream is needed.
    for _ in 0..3 {
        world.observe_for_a_minute().await;
        world.deliver().await;
    }
    assert_eq!(
        really_at(&world.cloud),
        ("green", "green"),
        "{:#?}",
        world.control("shop")
    );
    assert_eq!(violations(&world), Vec::<String>::new());
}

#[tokio::test]
async fn a_planned_move_by_hand_is_first_tried_dry_and_changes_nothing() {
    let world = shop(3).await;
    let written = world.table.writes().len();
    let dry = world
        .command(
            json!({"command": "failover", "plan": "shop", "operator": "mia", "reason": "patch day", "dry_run": true}),
        )
        .await;
    assert_eq!(dry["ok"], true, "{dry:#}");
    assert_eq!(dry["dry_run"], true);
    let steps = dry["steps"].as_array().unwrap();
    let planes: Vec<&serde_json::Value> = steps.iter().map(|step| &step["plane"]).collect();
    assert_eq!(planes, ["none", "control", "control"], "{dry:#}");
    assert!(
        dry["steps"][1]["calls"][0].as_str().unwrap().contains("ModifyListener"),
        "{dry:#}"
    );
    assert_eq!(world.table.writes().len(), written, "a dry run writes nothing");
    assert!(world.cloud.changes().is_empty(), "a dry run calls nothing that changes");

    let real = world
        .command(json!({"command": "failover", "plan": "shop", "operator": "mia", "reason": "patch day"}))
        .await;
    assert!(real["execution"].is_string(), "{real:#}");
    assert!(world.settle(6).await);
    assert_eq!(really_at(&world.cloud), ("green", "green"));
    // A person's move waits for a person's failback, however healthy the primary is.
    world.run_rounds(30).await;
    assert_eq!(really_at(&world.cloud), ("green", "green"));
    let back = world
        .command(json!({"command": "failback", "plan": "shop", "operator": "mia", "reason": "patched"}))
        .await;
    assert!(back["execution"].is_string(), "{back:#}");
    assert!(world.settle(6).await);
    assert_eq!(really_at(&world.cloud), ("blue", "blue"));
    assert_eq!(violations(&world), Vec::<String>::new());
}

#[tokio::test]
async fn a_waiting_command_answers_with_the_end_of_what_it_started() {
    let world = shop(4).await;
    let mut command = understudy_testkit::world_plan::failover("patch day");
    command["wait_seconds"] = json!(30);
    let deliver = async {
        // The stream delivers while the command waits.
        for _ in 0..40 {
            world.deliver().await;
            understudy_engine::ports::Clock::sleep(&*world.clock, jiff::SignedDuration::from_millis(200)).await;
        }
    };
    let (answer, ()) = tokio::join!(world.command(command), deliver);
    assert_eq!(answer["status"], "completed", "{answer:#}");
    assert_eq!(answer["waited_for"]["to"], "green");
}

#[tokio::test]
async fn a_waiting_command_names_what_it_started_although_the_table_is_away_while_it_waits() {
    let world = shop(4).await;
    let mut command = understudy_testkit::world_plan::failover("patch day");
    command["wait_seconds"] = json!(5);
    let lose_the_table = async {
        understudy_engine::ports::Clock::sleep(&*world.clock, jiff::SignedDuration::from_millis(200)).await;
        world
            .table
            .faults
            .always("table.*", Fault::Before(CallErrorKind::Retryable));
    };
    let (answer, ()) = tokio::join!(world.command(command), lose_the_table);
    assert_eq!(answer["ok"], true, "the move has been started: {answer:#}");
    assert_eq!(answer["status"], "pending", "{answer:#}");
    world.table.faults.clear();
    let control = world.control("shop");
    let running = control.execution.expect("the move goes on");
    assert_eq!(answer["execution"], running.id, "{answer:#}");
}

#[tokio::test]
async fn a_move_with_a_rollback_plan_comes_home_when_its_delay_is_over() {
    let world = shop(5).await;
    let mut command = understudy_testkit::world_plan::failover("a rehearsal");
    command["rollback_plan"] = json!({"auto_rollback": true, "rollback_delay": 60});
    world.command(command).await;
    assert!(world.settle(6).await);
    assert_eq!(really_at(&world.cloud), ("green", "green"));
    assert!(
        world
            .run_until(20, |world| really_at(&world.cloud) == ("blue", "blue"))
            .await,
        "{:#?}",
        world.control("shop")
    );
    assert!(world.settle(6).await);
    assert_eq!(violations(&world), Vec::<String>::new());
}
