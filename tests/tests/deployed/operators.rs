//! What people ask for, also all at once.

use super::{CHANGES, NO_GATE, effective, forget, go_home, plan_named, put, put_once};
use serde_json::{Value, json};
use std::time::Instant;
use understudy_tests::story::{Quiet, Stage, Weather};

pub async fn a_plan_that_names_a_missing_resource_is_refused_by_its_name(stage: &Stage) {
    let missing = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/nowhere/0123456789abcdef";
    let plan = plan_named(stage, "missing", &[(&stage.world.green_target_group_arn, missing)]);
    let begun = Instant::now();
    loop {
        let answer = stage
            .command(json!({"command": "validate", "plan": plan}))
            .await
            .expect("an answer");
        assert_eq!(answer["changed"], "nothing");
        if answer["problems"].to_string().contains("nowhere") {
            assert_eq!(answer["ok"], false, "{answer:#}");
            return;
        }
        // In foul weather it may not have been looked at.
        let patient = stage.weather == Weather::Foul && begun.elapsed() < stage.weather.patience();
        assert!(patient, "{answer:#}");
    }
}

pub async fn two_put_plans_at_once_one_wins_and_the_other_is_told(stage: &Stage) {
    let plan = plan_named(stage, "raced", &[]);
    let (left, right) = tokio::join!(put_once(stage, &plan), put_once(stage, &plan));
    let listed = stage.command(json!({"command": "list"})).await.expect("an answer");
    assert!(listed["plans"].to_string().contains("raced"), "{listed:#}");
    let stored: Vec<&Value> = [&left, &right]
        .into_iter()
        .filter(|answer| answer["ok"] == true)
        .collect();
    // Both may be stored one after the other, as revisions 1 and 2; never both as the same one.
    match stored.as_slice() {
        // The answers of those that were stored may have been lost; the list above knows.
        [] | [_] if stage.weather == Weather::Foul => {}
        [one] => {
            assert_eq!(one["revision"], 1);
            let told = if left["ok"] == true { &right } else { &left };
            assert!(
                told["error"].as_str().is_some_and(|error| error.contains("same time")),
                "{told:#}"
            );
        }
        [one, two] => assert_ne!(
            one["revision"], two["revision"],
            "two plans were stored as one revision"
        ),
        _ => panic!("neither was stored: {left:#} {right:#}"),
    }
    let stale = stage
        .command(
            json!({"command": "put-plan", "plan": plan, "operator": "test", "reason": "late", "expected_revision": 0}),
        )
        .await
        .expect("an answer");
    assert_eq!(stale["ok"], false, "{stale:#}");
    forget(stage, "raced").await;
}

pub async fn sixty_four_failovers_at_once_open_one_execution(stage: &Stage) {
    let name = "rush";
    let plan = plan_named(stage, name, &[NO_GATE, ("mode: automatic", "mode: manual")]);
    put(stage, &plan).await;
    let mark = stage.cloud.proxy().mark();
    let asked = json!({"command": "failover", "plan": name, "to": "green", "operator": "test", "reason": "all at once", "force": true});
    let answers = futures_util::future::join_all((0..64).map(|_| stage.command(asked.clone()))).await;
    let answers: Vec<Value> = answers.into_iter().map(|answer| answer.expect("an answer")).collect();
    let opened = answers.iter().filter(|answer| answer["ok"] == true).count();
    match stage.weather {
        Weather::Fair => assert_eq!(opened, 1, "{opened} executions were opened"),
        // The answer of the one that opened it may have been lost; the history below knows.
        Weather::Foul => assert!(opened <= 1, "{opened} executions were opened"),
    }
    for refused in answers.iter().filter(|answer| answer["ok"] != true) {
        let guards: Vec<&str> = refused["verdicts"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|verdict| verdict["allows"] == false)
            .filter_map(|verdict| verdict["guard"].as_str())
            .collect();
        let clear = guards
            .iter()
            .any(|guard| ["no_execution_in_progress", "target_differs"].contains(guard));
        assert!(clear, "a refusal without its guard: {refused:#}");
    }
    let now = stage
        .wait_until(name, "the one move", &mut Quiet, |now, _| {
            now["execution"].is_null() && !now["last_execution"].is_null()
        })
        .await
        .expect("an end");
    assert_eq!(now["last_execution"]["status"], "completed", "{now:#}");
    for change in CHANGES {
        assert_eq!(effective(stage, mark, change), 1, "{change}");
    }
    let history = stage
        .command(json!({"command": "history", "plan": name}))
        .await
        .expect("a history");
    assert_eq!(history["executions"].as_array().map(Vec::len), Some(1), "{history:#}");
    go_home(stage, name).await;
}

pub async fn the_resource_form_finds_its_plan(stage: &Stage) {
    let plan = plan_named(stage, "by-resource", &[NO_GATE, ("mode: automatic", "mode: manual")]);
    put(stage, &plan).await;
    let request = json!({
        "source_resource": stage.world.blue_instance_id,
        "target_resource": stage.world.green_instance_id,
        "resource_type": "ec2",
        "reason": "Planned maintenance",
        "rollback_plan": {"auto_rollback": true, "rollback_delay": 3600},
        "dry_run": true,
    });
    let answer = stage.command(request.clone()).await.expect("an answer");
    assert_eq!(answer["plan"], "by-resource", "{answer:#}");
    let mut stranger = request;
    stranger["target_resource"] = json!("i-0123456789abcdef0");
    let answer = stage.command(stranger).await.expect("an answer");
    assert_eq!(answer["ok"], false, "{answer:#}");
    assert!(
        answer["error"]
            .as_str()
            .is_some_and(|error| error.contains("i-0123456789abcdef0")),
        "{answer:#}"
    );
    forget(stage, "by-resource").await;
}
