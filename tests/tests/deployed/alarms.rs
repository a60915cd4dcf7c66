//! Alarms, told as EventBridge tells them.

use super::{forget, plan_named, put, status};
use serde_json::json;
use std::time::Duration;
use understudy_tests::story::Stage;
use understudy_tests::world::ALARM;

pub async fn an_alarm_moves_the_plan_once_however_often_it_is_told(stage: &mut Stage) {
    // This plan takes the alarm's word as sufficient, and needs no hold.
    let plan = plan_named(
        stage,
        "alarmed",
        &[
            (
                "    site: blue\n\nsteps:",
                "    site: blue\n    evidence: sufficient\n\nsteps:",
            ),
            ("hold_seconds: 5", "hold_seconds: 0"),
            ("mode: automatic", "mode: manual"),
        ],
    );
    let stored = put(stage, &plan).await;
    assert_eq!(stored["ok"], true, "{stored}");
    stage.kick_probe().await.expect("a probe");
    for _ in 0..120 {
        let now = status(stage, "alarmed").await;
        if ["blue", "green"]
            .iter()
            .all(|site| now["sites"][site]["health"] == "healthy")
        {
            break;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let mark = stage.cloud.proxy().mark();
    let event = stage
        .cloud
        .deliver_alarm_event(&stage.deployment, ALARM, "ALARM", "healthy hosts below 1")
        .await
        .expect("the deployed rule's pattern matches the event, and the event is delivered");
    // EventBridge delivers at least once.
    for _ in 0..4 {
        stage
            .cloud
            .deliver_event(&stage.deployment, &event)
            .await
            .expect("a copy");
    }
    let mut moved = status(stage, "alarmed").await;
    for _ in 0..60 {
        if moved["active_site"] == "green" && moved["execution"].is_null() {
            break;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        moved = status(stage, "alarmed").await;
    }
    assert_eq!(moved["active_site"], "green", "{moved:#}");
    stage
        .expect_everything_at("green")
        .await
        .expect("traffic and name at green");
    let changes = stage.cloud.proxy().calls_since(mark);
    let modified = changes.iter().filter(|call| call.operation == "ModifyListener").count();
    let batches = changes
        .iter()
        .filter(|call| call.operation == "ChangeResourceRecordSets")
        .count();
    assert_eq!(
        (modified, batches),
        (1, 1),
        "five copies of one event had more than one effect"
    );
    let history = stage
        .command(json!({"command": "history", "plan": "alarmed"}))
        .await
        .expect("a history");
    assert_eq!(history["executions"].as_array().map(Vec::len), Some(1), "{history:#}");
    assert_eq!(history["executions"][0]["trigger"], "automatic");

    stage
        .cloud
        .deliver_alarm_event(&stage.deployment, ALARM, "OK", "healthy hosts again")
        .await
        .expect("the alarm is over");
    let home = stage
        .command(json!({"command": "failback", "plan": "alarmed", "operator": "test", "reason": "home", "wait_seconds": 45, "force": true}))
        .await
        .expect("an answer");
    assert_eq!(home["status"], "completed", "{home:#}");
    stage.expect_everything_at("blue").await.expect("home again");
    forget(stage, "alarmed").await;
}
