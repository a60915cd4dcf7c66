//! The executor is killed in the middle of a move.

use super::{NO_GATE, effective, go_home, plan_named, put};
use serde_json::json;
use std::time::Duration;
use understudy_tests::story::{Quiet, Stage};

pub async fn a_killed_executor_is_finished_by_the_next(stage: &mut Stage) {
    let name = "killed";
    let plan = plan_named(stage, name, &[NO_GATE, ("mode: automatic", "mode: manual")]);
    put(stage, &plan).await;
    let executor = stage.deployment.function("executor").expect("an executor").name.clone();
    // The call that changes the listener is slow: that is the middle in which the process dies.
    stage
        .cloud
        .proxy()
        .latency()
        .set_service("elasticloadbalancing", Duration::from_secs(3));
    let mark = stage.cloud.proxy().mark();
    let asked = json!({"command": "failover", "plan": name, "to": "green", "operator": "test", "reason": "kill and resume", "force": true});
    // What the answer says is lost sometimes, and the move goes on: what counts is the status.
    let answer = stage.command(asked).await.expect("an answer");
    let begun = std::time::Instant::now();
    while effective(stage, mark, "ModifyListener") == 0 {
        assert!(
            begun.elapsed() < stage.weather.patience(),
            "the executor never came to change the listener: {answer:#}"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let killed = stage.cloud.kill_function_process(&executor).expect("kill");
    assert!(killed > 0, "there was no executor process to kill");
    stage.cloud.proxy().latency().clear();

    let now = stage
        .wait_until(name, "the next executor", &mut Quiet, |now, _| {
            now["execution"].is_null() && !now["last_execution"].is_null()
        })
        .await
        .expect("an end");
    assert_eq!(now["last_execution"]["status"], "completed", "{now:#}");
    assert!(now["epoch"].as_u64() >= Some(2), "nobody took over: {now:#}");
    stage
        .expect_everything_at("green")
        .await
        .expect("the next executor finished the move");
    go_home(stage, name).await;
}
