//! Invariant 6 in a whole world: a site dies whose data another Region has a copy of.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use serde_json::{Value, json};
use understudy_core::execution::{Execution, Style};
use understudy_core::health::Health;
use understudy_engine::ports::{Clock, GlobalDatabase};
use understudy_testkit::cloud::Published;
use understudy_testkit::world::World;
use understudy_testkit::world_oracle::violations;
use understudy_testkit::world_plan::{BLUE_HOST, GREEN_HOST, furnish, sample_plan};

const BLUE: &str = "arn:aws:rds:eu-west-1:000000000000:cluster:shop-blue";
const GREEN: &str = "arn:aws:rds:eu-central-1:000000000000:cluster:shop-green";

// The sample plan with a global database behind it, whose copy is so far behind.
async fn world(consent: Value, lag_seconds: Option<u32>) -> World {
    let mut plan = sample_plan("shop");
    plan["policy"]["consent"] = consent;
    plan["steps"][0]["timeout_seconds"] = json!(600);
    let data = json!({
        "kind": "rds_global", "name": "data", "global_cluster_identifier": "shop", "timeout_seconds": 120,
        "clusters": {"blue": BLUE, "green": GREEN},
    });
    plan["steps"].as_array_mut().unwrap().insert(1, data);
    let world = World::new(6);
    furnish(&world.cloud);
    world.cloud.put_global_database(
        "shop",
        GlobalDatabase {
            status: "available".into(),
            is_moving: false,
            writer: Some(BLUE.into()),
            members: vec![BLUE.into(), GREEN.into()],
        },
    );
    assert_eq!(world.put_plan(plan).await["ok"], true);
    world.run_rounds(6).await;
    world.run_until_a_minute_begins().await;
    if let Some(seconds) = lag_seconds {
        measure(&world, seconds);
    }
    // The probe measures once an invocation.
    world.run_rounds(24).await;
    world
}

fn measure(world: &World, seconds: u32) {
    world.cloud.put_lag(world.clock.now(), BLUE, GREEN, seconds);
}

async fn blue_dies(world: &World) {
    world.cloud.answer(BLUE_HOST, Health::Unhealthy, "connection refused");
    world.run_rounds(24).await;
    world.settle(60).await;
}

fn moves(world: &World) -> Vec<Execution> {
    let history = world.table.peek_all("shop", "execution#");
    history
        .iter()
        .map(|item| serde_json::from_value(item.body.clone()).unwrap())
        .collect()
}

fn generous() -> Value {
    json!({"allow_data_loss": true, "max_lag_seconds": 5, "max_lag_age_seconds": 600})
}

/// What holds a lossy move back: a word for it, the policy, the lag in seconds, and the guard that says so.
fn without_consent() -> [(&'static str, Value, Option<u32>, &'static str); 3] {
    [
        ("no policy", json!({}), Some(0), "data_loss_allowed"),
        ("never measured", generous(), None, "lag_known"),
        ("too far behind", generous(), Some(6), "lag_within_limit"),
    ]
}

#[tokio::test]
async fn invariant_06_with_consent_and_a_known_lag_it_moves_and_says_what_may_be_lost() {
    let world = world(generous(), Some(2)).await;
    blue_dies(&world).await;
    let told: Vec<String> = world
        .cloud
        .published()
        .iter()
        .map(|told| told.announcement.text.clone())
        .collect();
    assert_eq!(world.cloud.db_writer("shop").as_deref(), Some(GREEN), "{told:#?}");
    let made = world.cloud.effective_changes();
    assert!(
        made.iter()
            .any(|change| change.operation == "databases.fail_over_global")
    );
    let loss = moves(&world)[0].loss_estimate_seconds.expect("an estimate");
    assert!(loss > 2, "the lag and the time since: {loss} s");
    let said = format!("Data that may be lost: about {loss} s");
    assert!(told.iter().any(|text| text.contains(&said)), "{told:#?}");
    assert_eq!(violations(&world), Vec::<String>::new());
}

#[tokio::test]
async fn invariant_06_without_a_policy_or_a_lag_within_its_limit_nothing_moves_and_people_are_told() {
    for (case, consent, lag, guard) in without_consent() {
        let world = world(consent, lag).await;
        // What a dying source says counts for nothing.
        world.cloud.answer(BLUE_HOST, Health::Unhealthy, "connection refused");
        world.run_rounds(4).await;
        measure(&world, 0);
        blue_dies(&world).await;
        assert_eq!(world.cloud.changes().len(), 0, "{case}");
        let told = world.cloud.published();
        let said = told.iter().any(|message| message.announcement.text.contains(guard));
        assert!(said, "{case}: {told:#?}");
    }
}

// Between two looks nobody knows whether the source lives, and what is measured then may flatter.
#[tokio::test]
async fn invariant_06_a_minute_that_began_after_the_last_good_look_counts_for_nothing() {
    let world = world(generous(), Some(6)).await;
    world.run_until_a_minute_begins().await;
    world.cloud.answer(BLUE_HOST, Health::Unhealthy, "connection refused");
    measure(&world, 0);
    blue_dies(&world).await;
    assert_eq!(world.cloud.changes().len(), 0);
    let told = world.cloud.published();
    let said = |message: &Published| message.announcement.text.contains("lag_within_limit");
    assert!(told.iter().any(said), "{told:#?}");
}

#[tokio::test]
async fn invariant_06_a_planned_move_switches_over_and_loses_nothing() {
    let world = world(json!({}), None).await;
    let command = json!({"command": "failover", "plan": "shop", "operator": "mia", "reason": "practice"});
    assert_eq!(world.command(command).await["ok"], json!(true));
    world.deliver().await;
    assert!(world.settle(60).await);
    let made = world.cloud.effective_changes();
    assert!(
        made.iter()
            .any(|change| change.operation == "databases.switch_over_global")
    );
    assert_eq!(moves(&world)[0].loss_estimate_seconds, None);
}

// A planned move that waits for green, which is not well.
async fn at_the_gate(world: &World, more: Value) {
    world.cloud.answer(GREEN_HOST, Health::Unhealthy, "not up yet");
    world.run_rounds(3).await;
    let asked =
        json!({"command": "failover", "plan": "shop", "operator": "mia", "reason": "work on blue", "force": true});
    assert_eq!(say(world, asked, more).await["ok"], json!(true));
}

async fn say(world: &World, mut command: Value, more: Value) -> Value {
    command
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    let answer = world.command(command).await;
    world.deliver().await;
    answer
}

fn running(world: &World) -> Execution {
    world.control("shop").execution.expect("an execution goes on")
}

fn escalate() -> Value {
    json!({"command": "escalate", "plan": "shop", "operator": "noa", "reason": "blue is dying"})
}

#[tokio::test]
async fn invariant_06_an_escalation_in_time_asks_again_and_is_left_to_a_person_if_the_copy_lags() {
    for (lag, style) in [(60, Style::Planned), (3, Style::Unplanned)] {
        let world = world(generous(), Some(2)).await;
        at_the_gate(&world, json!({"escalate_after_seconds": 200})).await;
        assert_eq!(running(&world).style, Style::Planned);
        measure(&world, lag);
        world.run_rounds(60).await;
        let execution = running(&world);
        assert_eq!((execution.style, execution.escalate_at), (style, None), "{lag} s");
        assert_eq!(world.cloud.changes().len(), 0, "it waits for green all the same");
        let told = world.cloud.published();
        let stays: Vec<&str> = told
            .iter()
            .map(|told| told.announcement.text.as_str())
            .filter(|text| text.contains("stays planned"))
            .collect();
        if style == Style::Planned {
            assert!(stays.len() == 1 && stays[0].contains("lag_within_limit"), "{stays:#?}");
            assert_eq!(execution.loss_estimate_seconds, None);
        } else {
            assert_eq!(stays.len(), 0, "{stays:#?}");
            assert!(execution.loss_estimate_seconds.is_some_and(|loss| loss >= 3));
        }
        assert_eq!(violations(&world), Vec::<String>::new());
    }
}

#[tokio::test]
async fn invariant_06_a_person_who_escalates_is_asked_for_consent_by_every_guard() {
    for (case, consent, lag, guard) in without_consent() {
        let world = world(consent, lag).await;
        at_the_gate(&world, json!({})).await;
        let before = running(&world);
        let refused = say(&world, escalate(), json!({})).await;
        assert_eq!(refused["ok"], json!(false), "{case}: {refused:#}");
        let verdicts = refused["verdicts"].as_array().expect("the verdicts").iter();
        let stops: Vec<&Value> = verdicts
            .filter(|verdict| verdict["allows"] == false)
            .map(|verdict| &verdict["guard"])
            .collect();
        assert!(stops.contains(&&json!(guard)), "{case}: {refused:#}");
        assert_eq!(running(&world).style, before.style, "{case}");

        let done = say(&world, escalate(), json!({"accept_data_loss": true})).await;
        assert_eq!(done["ok"], json!(true), "{case}: {done:#}");
        let after = running(&world);
        assert_eq!(after.style, Style::Unplanned);
        assert_eq!(after.loss_estimate_seconds.is_some(), lag.is_some(), "{case}");
        assert!(after.verdicts.iter().any(|verdict| verdict.overridden), "{case}");
        assert_eq!(after.words[0].word.operator, "noa", "{case}");
    }
}
