//! People's words about a move that goes on, and the way home within its hours.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use serde_json::{Value, json};
use understudy_core::execution::{Execution, Status, Style};
use understudy_core::health::Health;
use understudy_core::report::EventKind;
use understudy_testkit::world::World;
use understudy_testkit::world_oracle::violations;
use understudy_testkit::world_plan::{BLUE_HOST, GREEN_HOST, ZONE, failover, really_at, sample_plan, shop, shop_with};

fn with(mut asked: Value, more: &Value) -> Value {
    for (name, value) in more.as_object().unwrap() {
        asked[name] = value.clone();
    }
    asked
}

fn words(command: &str, more: Value) -> Value {
    with(
        json!({"command": command, "plan": "shop", "operator": "mia", "reason": "because"}),
        &more,
    )
}

async fn say(world: &World, command: &str, more: Value) -> Value {
    let answer = world.command(words(command, more)).await;
    world.deliver().await;
    answer
}

fn running(world: &World) -> Execution {
    world.control("shop").execution.expect("an execution goes on")
}

/// A move that waits at its gate, since green is not well.
async fn at_the_gate(seed: u64, more: Value) -> World {
    let mut plan = sample_plan("shop");
    // Only people move it: a plan that is forced onto a site that is not well would come straight back.
    plan["policy"]["mode"] = json!("manual");
    let world = shop_with(seed, plan).await;
    world.cloud.answer(GREEN_HOST, Health::Unhealthy, "not up yet");
    world.run_rounds(3).await;
    let mut asked = failover("green comes up soon");
    asked["force"] = json!(true);
    assert_eq!(world.command(with(asked, &more)).await["ok"], true);
    world.deliver().await;
    world
}

/// A move that is stuck, since the listener refuses what it asks.
async fn stuck_at_the_listener(seed: u64) -> World {
    let mut plan = sample_plan("shop");
    plan["steps"][1]["on_failure"] = json!("halt");
    let world = shop_with(seed, plan).await;
    world.cloud.faults.always(
        "traffic.set_weights",
        understudy_testkit::faults::Fault::Before(understudy_engine::ports::CallErrorKind::Refused),
    );
    world.command(failover("the listener refuses")).await;
    assert!(
        world
            .run_until(10, |world| running(world).status == Status::Stuck)
            .await
    );
    world
}

#[tokio::test]
async fn a_held_move_rests_for_as_long_as_it_is_held_and_then_goes_on() {
    let world = at_the_gate(1, json!({})).await;
    let held = say(&world, "pause", json!({"execution": true})).await;
    assert_eq!(held["ok"], true, "{held:#}");
    world.run_rounds(300).await;
    assert_eq!(running(&world).status, Status::Waiting, "far beyond every deadline");
    assert!(world.control("shop").paused.is_none(), "the plan itself is not paused");
    assert!(world.cloud.changes().is_empty());
    world.cloud.answer(GREEN_HOST, Health::Healthy, "HTTP 200");
    assert_eq!(say(&world, "resume", json!({"execution": true})).await["ok"], true);
    assert!(world.settle(20).await, "{:#?}", world.control("shop"));
    assert_eq!(really_at(&world.cloud), ("green", "green"));
    assert_eq!(violations(&world), Vec::<String>::new());
}

#[tokio::test]
async fn a_move_keeps_the_plan_that_it_was_opened_with_and_the_next_one_takes_the_new() {
    let world = at_the_gate(14, json!({})).await;
    let mut edited = sample_plan("shop");
    edited["policy"]["mode"] = json!("manual");
    edited["steps"].as_array_mut().unwrap().swap(1, 2);
    edited["steps"][1]["records"][0]["sites"]["green"]["values"] = json!(["192.0.2.9"]);
    assert_eq!(world.put_plan(edited).await["ok"], true);
    world.cloud.answer(GREEN_HOST, Health::Healthy, "HTTP 200");
    assert!(world.settle(20).await, "{:#?}", world.control("shop"));
    assert_eq!(really_at(&world.cloud), ("green", "green"));
    let order = |world: &World| {
        let made = world.cloud.effective_changes();
        made.into_iter().map(|change| change.operation).collect::<Vec<_>>()
    };
    assert_eq!(order(&world), ["traffic.set_weights", "dns.change_records"]);
    for word in ["failback", "failover"] {
        assert_eq!(say(&world, word, json!({"force": true})).await["ok"], true, "{word}");
        assert!(world.settle(20).await, "{:#?}", world.control("shop"));
    }
    let zone = world.cloud.zone(ZONE);
    assert!(zone.iter().any(|set| set.values == ["192.0.2.9"]), "{zone:#?}");
    assert_eq!(order(&world)[4..], ["dns.change_records", "traffic.set_weights"]);
    assert_eq!(violations(&world), Vec::<String>::new());
}

#[tokio::test]
async fn a_held_move_can_be_cancelled() {
    let world = at_the_gate(2, json!({})).await;
    say(&world, "pause", json!({"execution": true})).await;
    assert_eq!(say(&world, "cancel", json!({})).await["ok"], true);
    assert!(world.settle(20).await, "{:#?}", world.control("shop"));
    assert_eq!(world.control("shop").last_execution.unwrap().status, Status::Cancelled);
    assert_eq!(really_at(&world.cloud), ("blue", "blue"));
}

#[tokio::test]
async fn a_gate_that_waits_is_skipped_by_name_and_by_whom() {
    let world = at_the_gate(3, json!({})).await;
    let wrong = say(&world, "skip", json!({"step": "weights"})).await;
    assert_eq!(wrong["ok"], false, "it does not stand there: {wrong:#}");
    let right = say(&world, "skip", json!({"step": "ready"})).await;
    assert_eq!(right["ok"], true, "{right:#}");
    assert!(world.settle(20).await, "{:#?}", world.control("shop"));
    assert_eq!(really_at(&world.cloud), ("green", "green"));
    let history = world.command(json!({"command": "history", "plan": "shop"})).await;
    let step = &history["executions"][0]["steps"][0];
    assert_eq!(step["state"], "skipped", "{history:#}");
    assert!(
        step["detail"].as_str().unwrap().contains("skipped by mia: because"),
        "{step}"
    );
    assert_eq!(violations(&world), Vec::<String>::new());
}

#[tokio::test]
async fn a_step_whose_call_may_be_in_flight_is_not_skipped() {
    let world = shop(4).await;
    world.cloud.polls_until_in_sync(1_000_000);
    world.command(failover("the record lags")).await;
    world.deliver().await;
    assert_eq!(running(&world).front().next().unwrap().1.name, "record");
    let refused = say(&world, "skip", json!({"step": "record"})).await;
    assert_eq!(refused["ok"], false);
    assert!(refused["error"].as_str().unwrap().contains("in flight"), "{refused:#}");
}

#[tokio::test]
async fn a_failed_step_of_a_stuck_move_is_skipped_and_the_move_completes() {
    let world = stuck_at_the_listener(5).await;
    let skipped = say(&world, "skip", json!({"step": "weights"})).await;
    assert_eq!(skipped["ok"], true, "{skipped:#}");
    assert!(world.settle(20).await, "{:#?}", world.control("shop"));
    assert_eq!(world.control("shop").last_execution.unwrap().status, Status::Completed);
    assert_eq!(
        really_at(&world.cloud),
        ("blue", "green"),
        "the weights were left alone"
    );
}

#[tokio::test]
async fn a_planned_move_that_waits_escalates_in_time_or_by_word() {
    let world = at_the_gate(6, json!({"escalate_after_seconds": 20})).await;
    assert_eq!(running(&world).style, Style::Planned);
    assert!(
        world
            .run_until(10, |world| running(world).style == Style::Unplanned)
            .await
    );
    world.run_rounds(1).await;
    let told = world.cloud.published();
    let waited = |published: &&understudy_testkit::cloud::Published| {
        published.announcement.event == EventKind::Waiting && published.announcement.text.contains("unplanned")
    };
    assert_eq!(told.iter().filter(waited).count(), 1);

    let world = at_the_gate(7, json!({})).await;
    assert_eq!(say(&world, "escalate", json!({})).await["ok"], true);
    assert_eq!(running(&world).style, Style::Unplanned);
    assert_eq!(say(&world, "escalate", json!({})).await["ok"], false, "once is enough");
}

#[tokio::test]
async fn there_is_nothing_to_hold_skip_or_escalate_where_nothing_runs() {
    let world = shop(8).await;
    for (command, more) in [
        ("pause", json!({"execution": true})),
        ("resume", json!({"execution": true})),
        ("skip", json!({"step": "ready"})),
        ("escalate", json!({})),
    ] {
        let answer = say(&world, command, more).await;
        assert_eq!(answer["ok"], false, "{command}");
        assert!(answer["error"].as_str().unwrap().contains("no execution"), "{answer:#}");
    }
}

#[tokio::test]
async fn the_work_comes_home_when_the_failback_hours_open() {
    let mut plan = sample_plan("shop");
    plan["policy"]["failback"]["hours"] = json!({"from": "10:20", "to": "11:00", "weekdays": ["saturday"]});
    let world = shop_with(9, plan).await;
    world.cloud.answer(BLUE_HOST, Health::Unhealthy, "connection refused");
    assert!(
        world
            .run_until(20, |world| world.control("shop").active_site == "green")
            .await
    );
    world.cloud.answer(BLUE_HOST, Health::Healthy, "HTTP 200");
    world.run_rounds(60).await;
    let status = world.command(json!({"command": "status", "plan": "shop"})).await;
    assert_eq!(status["active_site"], "green");
    assert!(status["next"].as_str().unwrap().contains("10:20:00Z"), "{status:#}");
    // That a timer found the way home held back is on record, once.
    let records = world.table.peek_all("shop", "decision#");
    let held = records.iter().filter(|record| {
        let by_timer = record.body["trigger_text"] == "a timer ran out";
        by_timer && record.body["verdicts"].to_string().contains("within_failback_hours")
    });
    assert_eq!(held.count(), 1, "{records:#?}");
    assert!(
        world
            .run_until(260, |world| world.control("shop").active_site == "blue")
            .await
    );
    assert!(world.settle(20).await);
    let home = world.control("shop").last_execution.unwrap().ended_at.to_string();
    assert!(home.contains("T10:20:"), "{home}");
    assert_eq!(world.control("shop").automatic_failbacks.len(), 1);
}

#[tokio::test]
async fn status_and_history_read_like_a_report_with_the_objectives() {
    let mut plan = sample_plan("shop");
    plan["policy"]["objectives"] = json!({"detection_seconds": 30, "recovery_seconds": 1});
    let world = shop_with(10, plan).await;
    world.cloud.answer(BLUE_HOST, Health::Unhealthy, "connection refused");
    assert!(
        world
            .run_until(20, |world| world.control("shop").active_site == "green")
            .await
    );
    world.run_rounds(2).await;
    let text = |answer: &Value| {
        let lines: Vec<&str> = answer["text"]
            .as_array()
            .expect("lines")
            .iter()
            .filter_map(Value::as_str)
            .collect();
        lines.join("\n")
    };
    let status = text(&world.command(json!({"command": "status", "plan": "shop"})).await);
    assert!(status.contains("green carries it, away from blue since"), "{status}");
    assert!(
        status.contains("latched by execution") && status.contains("to stop it:"),
        "{status}"
    );
    let history = text(&world.command(json!({"command": "history", "plan": "shop"})).await);
    assert!(
        history.contains("failover blue → green completed (automatic)"),
        "{history}"
    );
    assert!(
        history.contains("objective 30 s: met") && history.contains("objective 1 s: NOT met"),
        "{history}"
    );
    let told = world.cloud.published();
    let completed = told
        .iter()
        .find(|published| published.announcement.event == EventKind::Completed);
    let completed = &completed.expect("the end is told").announcement;
    assert!(completed.text.contains("objective 1 s: NOT met"), "{}", completed.text);
    assert!(
        completed.body["timeline"]["detection_seconds"]
            .as_f64()
            .is_some_and(|took| took > 0.0)
    );
}

#[tokio::test]
async fn every_word_of_a_person_leaves_one_record_with_who_why_and_what_came_of_it() {
    let world = at_the_gate(11, json!({})).await;
    let records = |world: &World| -> Vec<Value> {
        let records = world.table.peek_all("shop", "decision#").into_iter();
        records
            .map(|item| item.body)
            .filter(|record| record["trigger"]["command"].is_string())
            .collect()
    };
    let before = records(&world).len();
    assert_eq!(before, 1, "the plan was put: {:#?}", records(&world));
    for (command, more) in [
        ("pause", json!({})),
        ("pause", json!({"execution": true})),
        ("resume", json!({"execution": true})),
        ("acknowledge", json!({})),
        ("escalate", json!({})),
        ("cancel", json!({"dry_run": true})),
        ("cancel", json!({})),
    ] {
        say(&world, command, more).await;
    }
    let stop = json!({"command": "stop-all", "operator": "mia", "reason": "because"});
    assert_eq!(world.command(stop).await["ok"], true);
    // Two of the same millisecond stand in either order.
    let mut found: Vec<(String, bool)> = records(&world)
        .iter()
        .skip(before)
        .map(|record| {
            assert_eq!(record["trigger"]["operator"], "mia", "{record:#}");
            assert_eq!(record["trigger"]["reason"], "because", "{record:#}");
            let command = record["trigger"]["command"].as_str().unwrap().to_owned();
            (command, record["summary"].as_str().unwrap().starts_with("refused: "))
        })
        .collect();
    let wanted = [
        "pause",
        "pause",
        "resume",
        "acknowledge",
        "escalate",
        "cancel",
        "stop-all",
    ];
    let mut wanted: Vec<(String, bool)> = wanted
        .iter()
        .map(|word| ((*word).to_owned(), *word == "acknowledge"))
        .collect();
    found.sort();
    wanted.sort();
    assert_eq!(found, wanted, "a dry run leaves none, and a refusal says so");
    let history = world
        .command(json!({"command": "history", "plan": "shop", "limit": 50}))
        .await;
    assert!(
        history["text"].to_string().contains("mia says pause: because"),
        "{history:#}"
    );
}

#[tokio::test]
async fn an_execution_says_who_has_let_it_go_on() {
    let world = stuck_at_the_listener(14).await;
    world.cloud.faults.clear();
    say(&world, "resolve", json!({"action": "retry"})).await;
    assert!(world.settle(20).await);
    let history = world.command(json!({"command": "history", "plan": "shop"})).await;
    let said = &history["executions"][0]["words"][0];
    assert_eq!(said["command"], "resolve with retry", "{history:#}");
    assert_eq!(said["word"]["operator"], "mia", "{history:#}");
}
