//! What people ask for, also all at once.

use super::{forget, plan_named, put, status};
use serde_json::{Value, json};
use std::time::Duration;
use understudy_tests::story::Stage;

// A gate would wait for observations that these scenarios do not need.
const NO_GATE: (&str, &str) = (
    "  - name: standby-is-well\n    kind: wait_healthy\n    timeout_seconds: 60\n",
    "",
);

pub async fn a_plan_that_names_a_missing_resource_is_refused_by_its_name(stage: &Stage) {
    let missing = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/nowhere/0123456789abcdef";
    let plan = plan_named(stage, "missing", &[(&stage.world.green_target_group_arn, missing)]);
    let answer = stage
        .command(json!({"command": "validate", "plan": plan}))
        .await
        .expect("an answer");
    assert_eq!(answer["ok"], false, "{answer:#}");
    assert!(answer["problems"].to_string().contains("nowhere"), "{answer:#}");
    assert_eq!(answer["changed"], "nothing");
}

pub async fn two_put_plans_at_once_one_wins_and_the_other_is_told(stage: &Stage) {
    let plan = plan_named(stage, "raced", &[]);
    let (left, right) = tokio::join!(put(stage, &plan), put(stage, &plan));
    let listed = stage.command(json!({"command": "list"})).await.expect("an answer");
    assert!(listed["plans"].to_string().contains("raced"), "{listed:#}");
    let stored: Vec<&Value> = [&left, &right]
        .into_iter()
        .filter(|answer| answer["ok"] == true)
        .collect();
    // Both may be stored one after the other, as revisions 1 and 2; never both as the same one.
    match stored.as_slice() {
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
    let plan = plan_named(stage, "rush", &[NO_GATE, ("mode: automatic", "mode: manual")]);
    assert_eq!(put(stage, &plan).await["ok"], true);
    let mark = stage.cloud.proxy().mark();
    let asked = json!({"command": "failover", "plan": "rush", "to": "green", "operator": "test", "reason": "all at once", "force": true});
    let answers = futures_util::future::join_all((0..64).map(|_| stage.command(asked.clone()))).await;
    let answers: Vec<Value> = answers.into_iter().map(|answer| answer.expect("an answer")).collect();
    let opened: Vec<&Value> = answers.iter().filter(|answer| answer["ok"] == true).collect();
    assert_eq!(opened.len(), 1, "{} executions were opened", opened.len());
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
    let id = opened[0]["execution"].as_str().unwrap_or_default().to_owned();
    let mut now = status(stage, "rush").await;
    for _ in 0..90 {
        if now["last_execution"]["id"] == id.as_str() {
            break;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        now = status(stage, "rush").await;
    }
    assert_eq!(now["last_execution"]["status"], "completed", "{now:#}");
    let calls = stage.cloud.proxy().calls_since(mark);
    assert_eq!(
        calls.iter().filter(|call| call.operation == "ModifyListener").count(),
        1
    );
    let home = stage
        .command(json!({"command": "failback", "plan": "rush", "operator": "test", "reason": "home", "force": true, "wait_seconds": 45}))
        .await
        .expect("an answer");
    assert_eq!(home["status"], "completed", "{home:#}");
    forget(stage, "rush").await;
}

pub async fn the_resource_form_finds_its_plan(stage: &Stage) {
    let plan = plan_named(stage, "by-resource", &[NO_GATE, ("mode: automatic", "mode: manual")]);
    assert_eq!(put(stage, &plan).await["ok"], true);
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
