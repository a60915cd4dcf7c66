//! What nobody should send, sent: in foul weather to functions whose table has no plan, so that nobody else's writes are
//! there to be taken for theirs. A preflight may be: it comes by itself, and may have been on its way when the plan was
//! forgotten. Nonsense never asks for one.

use serde_json::{Value, json};
use understudy_tests::story::Stage;

pub async fn nonsense_is_answered_and_writes_nothing(stage: &Stage) {
    let mark = stage.cloud.proxy().mark();
    let deep = (0..100).fold(json!(1), |inner, _| json!([inner]));
    let payloads = [
        json!(null),
        json!(42),
        json!("failover"),
        json!([]),
        json!({}),
        json!({"command": 7}),
        json!({"command": "explode"}),
        json!({"command": "failover"}),
        json!({"command": "failover", "plan": "shop", "operator": "x", "reason": "y", "dryrun": true}),
        json!({"command": "status", "plan": "no-such-plan"}),
        json!({"command": "status", "plan": "../../etc/passwd"}),
        json!({"command": "put-plan", "operator": "x", "reason": "y", "plan": {"name": "_fleet"}}),
        json!({"command": "put-plan", "operator": "x", "reason": "y", "plan": "a: [unclosed"}),
        json!({"command": "put-plan", "operator": "x", "reason": "y", "plan": "x".repeat(200_000)}),
        json!({"command": "validate", "plan": deep}),
        json!({"detail-type": "CloudWatch Alarm State Change", "source": "aws.cloudwatch", "detail": {}}),
        json!({"detail-type": "Something Else", "source": "aws.ec2", "detail": {}}),
        json!({"Records": []}),
        json!({"Records": [{"eventSource": "aws:s3"}]}),
        json!({"Records": [{"EventSource": "aws:sns", "Sns": {"Message": "not an alarm"}}]}),
        json!({"alarmData": "none"}),
        json!({"source_resource": 1}),
    ];
    for function in ["decision", "executor"] {
        let name = &stage.deployment.function(function).expect("a function").name;
        for payload in &payloads {
            let answer = stage.cloud.invoke(name, payload).await.expect("an invocation");
            let of_alarm = payload["source"] == "aws.cloudwatch" || !payload["alarmData"].is_null();
            if function == "decision" && of_alarm {
                // Lambda tries it again and keeps it: an alarm that can not be read is not lost.
                let error = answer.payload["errorMessage"].as_str().unwrap_or_default();
                assert!(error.contains("can not be read"), "{payload}: {}", answer.payload);
                continue;
            }
            assert_eq!(
                answer.function_error, None,
                "{function} failed on {payload}: {}",
                answer.payload
            );
            let shown = payload.to_string();
            let shown = shown.get(..200).unwrap_or(&shown);
            let clear = answer.payload["error"].as_str().is_some_and(|error| error.len() > 20)
                || answer.payload["problems"]
                    .as_array()
                    .is_some_and(|problems| !problems.is_empty());
            assert!(
                clear,
                "{function} does not say what is wrong with {shown}: {}",
                answer.payload
            );
        }
    }
    let writes: Vec<Value> = stage
        .cloud
        .proxy()
        .calls_since(mark)
        .iter()
        .filter(|call| ["PutItem", "DeleteItem", "UpdateItem"].contains(&call.operation.as_str()))
        .filter(|call| call.caller.as_deref().is_some_and(|caller| !caller.to_lowercase().contains("probe")))
        .filter(|call| call.table_key.as_ref().is_none_or(|key| key.item != "preflight"))
        .map(|call| json!({"operation": call.operation, "key": call.table_key.as_ref().map(|key| format!("{key:?}")), "caller": call.caller}))
        .collect();
    assert!(writes.is_empty(), "nonsense was written down: {writes:#?}");
}
