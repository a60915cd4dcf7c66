//! The executor is killed in the middle of a move.

use super::{forget, plan_named, put, status};
use serde_json::json;
use std::time::Duration;
use understudy_tests::story::Stage;

pub async fn a_killed_executor_is_finished_by_the_next(stage: &Stage) {
    let gate = (
        "  - name: standby-is-well\n    kind: wait_healthy\n    timeout_seconds: 60\n",
        "",
    );
    let plan = plan_named(stage, "killed", &[gate, ("mode: automatic", "mode: manual")]);
    assert_eq!(put(stage, &plan).await["ok"], true);
    let executor = stage.deployment.function("executor").expect("an executor").name.clone();
    // The call that changes the listener is slow: that is the middle in which the process dies.
    stage
        .cloud
        .proxy()
        .latency()
        .set_service("elasticloadbalancing", Duration::from_secs(3));
    let mark = stage.cloud.proxy().mark();
    let asked = json!({"command": "failover", "plan": "killed", "to": "green", "operator": "test", "reason": "kill and resume", "force": true});
    let opened = stage.command(asked).await.expect("an answer");
    assert_eq!(opened["ok"], true, "{opened:#}");
    let mut under_way = false;
    for _ in 0..300 {
        under_way = stage
            .cloud
            .proxy()
            .calls_since(mark)
            .iter()
            .any(|call| call.operation == "ModifyListener");
        if under_way {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(under_way, "the executor never came to change the listener");
    let killed = stage.cloud.kill_function_process(&executor).expect("kill");
    assert!(killed > 0, "there was no executor process to kill");
    stage.cloud.proxy().latency().clear();

    let mut now = status(stage, "killed").await;
    for _ in 0..180 {
        if now["execution"].is_null() {
            break;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        now = status(stage, "killed").await;
    }
    assert_eq!(now["last_execution"]["status"], "completed", "{now:#}");
    assert!(now["epoch"].as_u64() >= Some(2), "nobody took over: {now:#}");
    stage
        .expect_everything_at("green")
        .await
        .expect("the next executor finished the move");
    let home = stage
        .command(json!({"command": "failback", "plan": "killed", "operator": "test", "reason": "home", "force": true, "wait_seconds": 45}))
        .await
        .expect("an answer");
    assert_eq!(home["status"], "completed", "{home:#}");
    forget(stage, "killed").await;
}
