//! A day on which nearly every second call of the functions fails: they come to the right end all the same.

use super::{forget, plan_named, put};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use understudy_testkit::proxy::{Fault, FaultRule};
use understudy_tests::story::Stage;

const NO_GATE: (&str, &str) = (
    "  - name: standby-is-well\n    kind: wait_healthy\n    timeout_seconds: 60\n",
    "",
);

/// How long a move may take before something is wrong: five takeovers of a lease, and rounds between them.
const PATIENCE: Duration = Duration::from_secs(300);

pub async fn moves_end_right_with_throttling_errors_and_lost_replies(stage: &Stage) {
    let plan = plan_named(stage, "stormy", &[NO_GATE, ("mode: automatic", "mode: manual")]);
    assert_eq!(put(stage, &plan).await["ok"], true);
    let roles: Vec<String> = ["probe", "decision", "executor"]
        .iter()
        .map(|name| stage.deployment.function(name).expect("deployed").role_name.clone())
        .collect();
    let faults = stage.cloud.proxy().faults();
    let mark = stage.cloud.proxy().mark();
    faults.seed(20_261_121);
    faults.add(
        FaultRule::new()
            .of_callers(roles)
            .with(Fault::Throttled, 30)
            .with(Fault::ServerError, 10)
            .with(Fault::ReplyLost, 5),
    );
    for (command, to) in [("failover", "green"), ("failback", "blue")] {
        let before = ended(&ask(stage, json!({"command": "status", "plan": "stormy"}), reports).await);
        let asked = json!({
            "command": command, "plan": "stormy", "to": to, "operator": "test", "reason": "a bad day", "force": true,
        });
        // Its answer may have been lost after its effect: then the next is refused by the execution that it opened,
        // or by the plan being there already.
        let answer = ask(stage, asked, |answer| {
            answer["ok"] == true
                || answer["verdicts"]
                    .as_array()
                    .is_some_and(|verdicts| !verdicts.is_empty())
        })
        .await;
        let settled = ask(stage, json!({"command": "status", "plan": "stormy"}), |status| {
            reports(status) && status["execution"].is_null() && ended(status) != before
        })
        .await;
        assert_eq!(
            settled["last_execution"]["status"], "completed",
            "{command} to {to}, answered {answer:#}: {settled:#}"
        );
        assert_eq!(settled["active_site"], to, "{settled:#}");
        stage
            .expect_everything_at(to)
            .await
            .expect("what the status says is so");
    }
    let struck = faults.struck();
    faults.clear();
    for fault in [Fault::Throttled, Fault::ServerError, Fault::ReplyLost] {
        assert!(struck.contains_key(&fault), "no call was {fault:?}: {struck:?}");
    }
    let calls = stage.cloud.proxy().calls_since(mark);
    let effective = |operation: &str| {
        let took_effect = |fault: Option<Fault>| matches!(fault, None | Some(Fault::ReplyLost));
        calls
            .iter()
            .filter(|call| call.operation == operation && took_effect(call.fault_injected))
            .count()
    };
    // Two moves. What was read back after a lost reply was not changed a second time.
    assert_eq!(
        effective("ModifyListener"),
        2,
        "weights were written more often than they changed"
    );
    assert_eq!(
        effective("ChangeResourceRecordSets"),
        2,
        "records were written more often than they changed"
    );
    forget(stage, "stormy").await;
}

fn reports(status: &Value) -> bool {
    status["active_site"].is_string()
}

fn ended(status: &Value) -> Value {
    status["last_execution"]["id"].clone()
}

/// Asks again and again, as a person would, until the answer is good enough.
async fn ask(stage: &Stage, command: Value, good: impl Fn(&Value) -> bool) -> Value {
    let begun = Instant::now();
    loop {
        let answer = match stage.command(command.clone()).await {
            Ok(answer) if good(&answer) => return answer,
            Ok(answer) => format!("{answer:#}"),
            Err(error) => error.to_string(),
        };
        assert!(begun.elapsed() < PATIENCE, "{command} came to no end: {answer}");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}
