//! Bad input: nonsense, hostile and unknown payloads and plans are answered clearly, write nothing and break nothing.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use serde_json::{Value, json};
use understudy_core::SCHEMA_VERSION;
use understudy_core::health::{AlarmState, Health, Observation};
use understudy_engine::ports::Clock;
use understudy_testkit::world::{Outcome, World};
use understudy_testkit::world_oracle::violations;
use understudy_testkit::world_plan::{
    BLUE_ALARM, BLUE_HOST, GREEN_HOST, failover, furnish, really_at, sample_plan, shop, shop_with,
};

fn observation(world: &World, site: &str) -> Observation {
    let items = world.table.peek_all("shop", &format!("observation#{site}#"));
    serde_json::from_value(items.first().expect("the site has been observed").body.clone()).unwrap()
}

fn hostile() -> Vec<Value> {
    let mut deep = json!({"command": "status"});
    for _ in 0..100 {
        deep = json!({"plan": deep});
    }
    vec![
        Value::Null,
        json!([]),
        json!(""),
        json!(1e308),
        json!(true),
        json!({}),
        json!({"command": 5}),
        json!({"command": null}),
        json!({"command": "explode"}),
        json!({"command": "failover"}),
        json!({"command": "failover", "plan": "shop"}),
        json!({"command": "failover", "plan": "nosuch", "operator": "m", "reason": "r"}),
        json!({"command": "failover", "plan": "shop", "operator": "", "reason": ""}),
        json!({"command": "failover", "plan": "shop", "operator": "m", "reason": "r", "to": "../../etc"}),
        json!({"command": "failover", "plan": "shop", "operator": "m", "reason": "r", "to": "x".repeat(100_000)}),
        json!({"command": "failover", "plan": "shop", "operator": "m", "reason": "r", "wait_seconds": 1e9}),
        json!({"command": "failover", "plan": "shop", "operator": "m", "reason": "r", "dryrun": true}),
        json!({"command": "status", "plan": "_fleet"}),
        json!({"command": "status", "plan": "\u{1b}[2J"}),
        json!({"command": "delete-plan", "plan": "_observer#eu-west-1", "operator": "m", "reason": "r"}),
        json!({"command": "resolve", "plan": "shop", "operator": "m", "reason": "r", "action": "retry"}),
        json!({"command": "resolve", "plan": "shop", "operator": "m", "reason": "r", "action": "burn"}),
        json!({"command": "put-plan", "plan": null, "operator": "m", "reason": "r"}),
        json!({"command": "put-plan", "plan": [], "operator": "m", "reason": "r"}),
        json!({"command": "put-plan", "plan": "a: &a [*a]", "operator": "m", "reason": "r"}),
        json!({"command": "put-plan", "plan": "a: &a [x,x]\nb: &b [*a,*a]\nc: &c [*b,*b]\nd: [*c,*c]", "operator": "m", "reason": "r"}),
        json!({"command": "put-plan", "plan": {"name": "_fleet", "schema_version": 1, "sites": [], "steps": []}, "operator": "m", "reason": "r"}),
        json!({"command": "put-plan", "plan": {"name": "x", "description": "y".repeat(200_000)}, "operator": "m", "reason": "r"}),
        json!({"command": "validate", "plan": 7}),
        json!({"source_resource": "a"}),
        json!({"source_resource": "a", "target_resource": "b", "resource_type": "ec2"}),
        json!({"source_resource": 1, "target_resource": []}),
        json!({"Records": []}),
        json!({"Records": "x"}),
        json!({"Records": [null]}),
        json!({"Records": [{"eventSource": "aws:kinesis"}]}),
        json!({"Records": [{"eventSource": "aws:dynamodb"}]}),
        json!({"Records": [{"eventSource": "aws:dynamodb", "dynamodb": {"Keys": {"plan": {"N": "1"}}}}]}),
        json!({"Records": [{"EventSource": "aws:sns", "Sns": {"Message": "hello"}}]}),
        json!({"detail-type": "CloudWatch Alarm State Change"}),
        json!({"detail-type": "CloudWatch Alarm State Change", "source": "aws.cloudwatch", "detail": {}}),
        json!({"detail-type": "x", "source": "y", "detail": {"alarmName": "z"}}),
        json!({"alarmData": 1}),
        json!({"read_only": "explode"}),
        json!({"read_only": "dry_run"}),
        World::alarm_event(&"x".repeat(5_000), "ALARM", jiff::Timestamp::UNIX_EPOCH),
        World::alarm_event("", "ALARM", jiff::Timestamp::UNIX_EPOCH),
        World::alarm_event("blue-is-down", "ON FIRE", jiff::Timestamp::UNIX_EPOCH),
        json!({"plan": "x".repeat(5_000)}),
        json!({"plan": 5}),
        json!({"plan": ""}),
        json!({"plan": "shop", "extra": 1}),
        json!({"x": "y".repeat(2_000_000)}),
        deep,
    ]
}

fn is_of_an_alarm(payload: &Value) -> bool {
    let by_rule = payload["source"] == "aws.cloudwatch" && payload["detail-type"] == "CloudWatch Alarm State Change";
    by_rule || !payload["alarmData"].is_null()
}

#[tokio::test]
async fn nonsense_is_answered_clearly_writes_nothing_and_breaks_nothing() {
    let world = shop(12).await;
    let (items, changes) = (world.table.items(), world.cloud.changes().len());
    for payload in hostile() {
        let shown: String = payload.to_string().chars().take(160).collect();
        for function in ["decision", "executor"] {
            let outcome = if function == "decision" {
                world.invoke_decision(payload.clone()).await
            } else {
                world.invoke_executor(payload.clone()).await
            };
            let answer = match outcome {
                Outcome::Answer(answer) => answer,
                // An alarm's event that can not be read is kept, and somebody hears of it.
                Outcome::Failed(error) if function == "decision" && is_of_an_alarm(&payload) => {
                    json!({"ok": false, "error": error})
                }
                outcome => panic!("{function} on {shown}: {outcome:?}"),
            };
            assert_eq!(answer["ok"], false, "{function} on {shown}: {answer:#}");
            let has_problems = answer["problems"]
                .as_array()
                .is_some_and(|problems| !problems.is_empty());
            let error = answer["error"].as_str().unwrap_or_default();
            assert!(has_problems || error.len() > 10, "{function} on {shown}: {answer:#}");
            assert!(
                answer.to_string().len() < 20_000,
                "{function} on {shown} answers at length"
            );
            assert!(
                !error.contains('\u{1b}'),
                "{function} on {shown} repeats control characters"
            );
        }
    }
    let without_records = |items: Vec<understudy_engine::ports::Item>| -> Vec<_> {
        // A refused move is recorded: that is the record of why not, and nothing else may be new.
        items
            .into_iter()
            .filter(|item| !item.key.item.starts_with("decision#"))
            .collect()
    };
    assert_eq!(without_records(world.table.items()), without_records(items));
    assert_eq!(world.cloud.changes().len(), changes);
    assert!(world.settle(3).await, "and it works as before");
}

#[tokio::test]
async fn an_item_of_a_newer_form_is_refused_and_left_alone() {
    let world = shop(13).await;
    world.command(failover("from the future")).await;
    let mut item = world.table.peek("shop", "control").unwrap();
    item.schema_version = SCHEMA_VERSION + 1;
    world.table.plant(item.clone());
    world.deliver().await;
    assert!(world.cloud.changes().is_empty(), "nothing is called");
    assert_eq!(
        world.table.peek("shop", "control").unwrap(),
        item,
        "nothing is written over it"
    );
    assert_eq!(world.dead_letters().len(), 1, "and somebody hears of it");
    let answer = world.command(json!({"command": "status", "plan": "shop"})).await;
    assert_eq!(answer["ok"], false);
    assert!(
        answer["error"].as_str().unwrap().contains("schema version"),
        "{answer:#}"
    );
}

#[tokio::test]
async fn one_broken_plan_does_not_blind_the_probe_for_the_others() {
    let world = shop(14).await;
    world.put_plan(sample_plan("other")).await;
    let mut item = world.table.peek("other", "control").unwrap();
    item.schema_version = SCHEMA_VERSION + 1;
    world.table.plant(item);
    world.cloud.answer(BLUE_HOST, Health::Unhealthy, "connection refused");
    world.run_rounds(3).await;
    assert_eq!(observation(&world, "blue").health, Health::Unhealthy);
    let list = world.command(json!({"command": "list"})).await;
    assert!(list.to_string().contains("shop"), "{list:#}");
}

#[tokio::test]
async fn a_plan_that_names_what_is_not_there_is_refused_by_name() {
    let world = shop(16).await;
    let mut plan = sample_plan("shop");
    plan["steps"][2]["hosted_zone_id"] = json!("ZNOWHERE");
    plan["alarms"][0]["alarm_name"] = json!("no-such-alarm");
    let answer = world.command(json!({"command": "validate", "plan": plan})).await;
    assert_eq!(answer["ok"], false, "{answer:#}");
    for part in ["ZNOWHERE", "no-such-alarm", "steps[2]", "alarms[0]"] {
        assert!(answer.to_string().contains(part), "{part}: {answer:#}");
    }
    world.cloud.hang(GREEN_HOST);
    let answer = world.command(json!({"command": "validate", "plan": "shop"})).await;
    assert_eq!(answer["ok"], true, "{answer:#}");
}

#[tokio::test]
async fn one_broken_plan_does_not_deafen_decision_to_an_alarm_of_another() {
    let mut plan = sample_plan("shop");
    plan["policy"]["hold_seconds"] = json!(0);
    plan["alarms"][0]["evidence"] = json!("sufficient");
    let world = shop_with(17, plan).await;
    world.put_plan(sample_plan("another")).await;
    let mut item = world.table.peek("another", "control").unwrap();
    item.schema_version = SCHEMA_VERSION + 1;
    world.table.plant(item);
    world.cloud.put_alarm(BLUE_ALARM, AlarmState::Alarm);
    let outcome = world
        .invoke_decision(World::alarm_event(BLUE_ALARM, "ALARM", world.clock.now()))
        .await;
    assert!(
        matches!(outcome, Outcome::Failed(_)),
        "the broken one asks for the event again: {outcome:?}"
    );
    world.deliver().await;
    assert_eq!(really_at(&world.cloud), ("green", "green"));
}

#[tokio::test]
async fn of_two_plans_put_at_once_one_is_stored_and_the_other_is_told() {
    let put = |description: &str| {
        let mut plan = sample_plan("shop");
        plan["description"] = json!(description);
        json!({"command": "put-plan", "plan": plan, "operator": "mia", "reason": description})
    };
    // For a plan that is new, and for one that stands.
    for standing in [false, true] {
        let world = if standing { shop(4).await } else { World::new(4) };
        furnish(&world.cloud);
        let (one, other) = tokio::join!(world.command(put("one")), world.command(put("other")));
        let stored: Vec<&Value> = [&one, &other]
            .into_iter()
            .filter(|answer| answer["ok"] == true)
            .collect();
        assert_eq!(stored.len(), 1, "standing {standing}: {one:#} {other:#}");
        let loser = if one["ok"] == true { &other } else { &one };
        assert!(loser["error"].as_str().unwrap().contains("put"), "{loser:#}");
        let revision = stored[0]["revision"].as_u64().unwrap();
        assert_eq!(world.control("shop").plan_revision, revision);
        let kept = world.table.peek("shop", &world.control("shop").plan_item).unwrap().body["description"].clone();
        let winner = if one["ok"] == true { "one" } else { "other" };
        assert_eq!(kept, winner, "the control item points to the winner's plan");
        assert_eq!(violations(&world), Vec::<String>::new());
    }
}

#[tokio::test]
async fn what_is_allowed_and_will_hurt_is_told_by_validate_and_put_plan() {
    let world = shop(31).await;
    let mut plan = sample_plan("shop");
    plan["steps"][2]["timeout_seconds"] = json!(30);
    for command in ["validate", "put-plan"] {
        let mut asked = json!({"command": command, "plan": plan});
        if command == "put-plan" {
            asked["operator"] = json!("mia");
            asked["reason"] = json!("quicker");
        }
        let answer = world.command(asked).await;
        assert_eq!(answer["ok"], true, "{answer:#}");
        assert_eq!(answer["warnings"][0]["path"], "steps[2].timeout_seconds", "{answer:#}");
    }
    let answer = world
        .command(json!({"command": "validate", "plan": sample_plan("shop")}))
        .await;
    assert_eq!(answer["warnings"], json!([]), "{answer:#}");
}
