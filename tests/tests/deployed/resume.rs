//! The executor is killed in the middle of a move.

use super::{NO_GATE, effective, go_home, plan_named, put};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use std::time::Duration;
use understudy_core::control::LEASE;
use understudy_tests::story::{Quiet, Stage, Weather};

/// The clock's own round: the probe is started every minute, and touches what is due.
const ROUND: SignedDuration = SignedDuration::from_mins(1);

pub async fn a_killed_executor_is_finished_by_the_next(stage: &Stage) {
    let name = "killed";
    let plan = plan_named(stage, name, &[NO_GATE, ("mode: automatic", "mode: manual")]);
    put(stage, &plan).await;
    let executor = stage.deployment.function("executor").expect("an executor").name.clone();
    // The call that changes the listener is slow: that is the middle in which the process dies. In foul weather no slower
    // than it must be, lest turns end before they come to it, and five of them make the move stuck.
    let slow = match stage.weather {
        Weather::Fair => Duration::from_secs(3),
        Weather::Foul => Duration::from_secs(1),
    };
    stage.cloud.proxy().latency().set_service("elasticloadbalancing", slow);
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
    let killed_at = Timestamp::now();
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
    // The protocol's promise, by the time that the next one wrote down. On a bad day there may be several next ones.
    if stage.weather == Weather::Fair {
        let moved = stage.ended_execution(name).await.expect("the execution");
        let ended_at: Timestamp = moved["ended_at"]
            .as_str()
            .and_then(|at| at.parse().ok())
            .expect("an end");
        let took = ended_at.duration_since(killed_at);
        println!("   {} s from the kill to the end of the move", took.as_secs());
        assert!(
            took <= LEASE + ROUND,
            "another executor finishes within one lease and one round; this one took {} s: {moved:#}",
            took.as_secs()
        );
    }
    go_home(stage, name).await;
}
