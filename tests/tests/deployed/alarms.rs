//! An alarm, told as EventBridge tells it: the same event several times.

use super::{CHANGES, effective, go_home, plan_named, put};
use serde_json::json;
use understudy_tests::story::{Quiet, Stage};
use understudy_tests::world::ALARM;

/// EventBridge delivers at least once. Five times is often.
pub const COPIES: usize = 5;

/// A change of the demo's plan: the word of its alarm is sufficient.
const SUFFICIENT: (&str, &str) = (
    "    site: blue\n\nsteps:",
    "    site: blue\n    evidence: sufficient\n\nsteps:",
);

/// Stores a plan that alarms move without a hold, and that only people bring home, and waits until it is seen well.
pub async fn alarmed_plan(stage: &Stage, name: &str, alarms: (&str, &str)) {
    let plan = plan_named(
        stage,
        name,
        &[
            alarms,
            ("hold_seconds: 5", "hold_seconds: 0"),
            ("mode: automatic", "mode: manual"),
        ],
    );
    put(stage, &plan).await;
    stage.kick_probe().await.expect("a probe");
    stage
        .wait_until(name, "both sites to be seen healthy", &mut Quiet, |now, _| {
            ["blue", "green"]
                .iter()
                .all(|site| now["sites"][site]["health"] == "healthy")
        })
        .await
        .expect("both sites are well");
}

pub async fn an_alarm_moves_the_plan_once_however_often_it_is_told(stage: &Stage) {
    let name = "alarmed";
    alarmed_plan(stage, name, SUFFICIENT).await;
    let mark = stage.cloud.proxy().mark();
    let event = stage
        .cloud
        .deliver_alarm_event(&stage.deployment, ALARM, "ALARM", "healthy hosts below 1")
        .await
        .expect("the deployed rule's pattern matches the event, and the event is delivered");
    for _ in 1..COPIES {
        stage
            .cloud
            .deliver_event(&stage.deployment, &event)
            .await
            .expect("a copy");
    }
    expect_one_move(stage, name).await;
    for operation in CHANGES {
        assert_eq!(
            effective(stage, mark, operation),
            1,
            "{COPIES} copies of one event had more than one effect: {operation}"
        );
    }
    stage
        .cloud
        .deliver_alarm_event(&stage.deployment, ALARM, "OK", "healthy hosts again")
        .await
        .expect("the alarm is over");
    go_home(stage, name).await;
}

/// Waits until the plan has moved to green, and looks whether it did so once and by itself.
pub async fn expect_one_move(stage: &Stage, name: &str) {
    stage
        .wait_until(name, "the move to green", &mut Quiet, |now, _| {
            now["active_site"] == "green" && now["execution"].is_null()
        })
        .await
        .expect("the alarm moves it");
    stage
        .expect_everything_at("green")
        .await
        .expect("traffic and name at green");
    let history = stage
        .command(json!({"command": "history", "plan": name}))
        .await
        .expect("a history");
    assert_eq!(history["executions"].as_array().map(Vec::len), Some(1), "{history:#}");
    assert_eq!(history["executions"][0]["trigger"], "automatic");
    assert_eq!(history["executions"][0]["status"], "completed");
}
