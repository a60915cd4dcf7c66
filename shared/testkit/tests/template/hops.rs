//! Every hop: who may invoke whom, how old a message may grow, and where it goes when nobody takes it.

use serde_json::{Value, json};

use super::roles::statements;
use super::{FUNCTIONS, at, resource, resources_of, texts};

#[track_caller]
fn assert_mapping(function: &str, queue: &str, wake: &str) {
    let mapping = resource(function);
    let mapping = at(&mapping, "/Properties/Events/Wake", function);
    assert_eq!(mapping["Type"], "DynamoDB", "{function}: Wake must be a stream mapping");
    let pattern = json!({"dynamodb": {"NewImage": {"wake": {"S": [wake]}}}});
    for (property, wanted, why) in [
        (
            "Stream",
            json!(["OwnsTable", "Table.StreamArn", "ExistingTableStreamArn"]),
            "the stream of the one table is the bus",
        ),
        (
            "StartingPosition",
            json!("TRIM_HORIZON"),
            "LATEST loses what was written before the mapping is live",
        ),
        ("BatchSize", json!(1), "one bad record must not hold up others"),
        (
            "ParallelizationFactor",
            json!(10),
            "one slow plan must not hold up others",
        ),
        (
            "MaximumRecordAgeInSeconds",
            json!(60),
            "a poison record must not stop its lane for a day",
        ),
        (
            "MaximumRetryAttempts",
            json!(2),
            "the default is to retry until the record expires",
        ),
        (
            "BisectBatchOnFunctionError",
            json!(true),
            "a larger batch must be halved to find its bad record",
        ),
        (
            "FunctionResponseTypes",
            json!(["ReportBatchItemFailures"]),
            "the functions answer with partial failures",
        ),
        (
            "DestinationConfig",
            json!({"OnFailure": {"Type": "SQS", "Destination": format!("{queue}.Arn")}}),
            "what is given up must be seen",
        ),
    ] {
        assert_eq!(
            mapping["Properties"][property], wanted,
            "{function}, stream mapping, {property}: {why}"
        );
    }
    let filters = at(mapping, "/Properties/FilterCriteria/Filters", function)
        .as_array()
        .expect("Filters is a list");
    assert_eq!(
        filters.len(),
        1,
        "{function}: filters are alternatives, a second one would widen the first"
    );
    let found: Value = serde_json::from_str(filters[0]["Pattern"].as_str().expect("the pattern is text"))
        .expect("the pattern is JSON");
    assert_eq!(
        found, pattern,
        "{function}: only items that say wake = {wake} may invoke it"
    );
}

#[test]
fn decision_is_woken_by_the_stream_as_designed() {
    assert_mapping("DecisionFunction", "DecisionDeadLetters", "decision");
}

#[test]
fn executor_is_woken_by_the_stream_as_designed() {
    assert_mapping("ExecutorFunction", "ExecutorDeadLetters", "executor");
}

#[test]
fn no_third_function_reads_the_stream() {
    let mut readers: Vec<String> = Vec::new();
    for (name, function) in resources_of("AWS::Serverless::Function") {
        for event in function["Properties"]["Events"]
            .as_object()
            .expect("Events is a mapping")
            .values()
        {
            if event["Type"] == "DynamoDB" {
                readers.push(name.clone());
            }
        }
    }
    readers.sort();
    assert_eq!(
        readers,
        ["DecisionFunction", "ExecutorFunction"],
        "two readers a shard is the stream's limit"
    );
    assert!(
        resources_of("AWS::Lambda::EventSourceMapping").is_empty(),
        "mappings are written as events of their functions"
    );
}

#[test]
fn every_queue_hop_has_a_dead_letter_queue_and_a_low_age() {
    let queues = resources_of("AWS::SQS::Queue");
    for (name, queue) in FUNCTIONS {
        assert!(queues.contains_key(queue), "the queue {queue} of {name} is missing");
        let function = resource(name);
        let asynchronous = at(&function, "/Properties/EventInvokeConfig", name);
        assert_eq!(
            asynchronous["DestinationConfig"]["OnFailure"],
            json!({"Type": "SQS", "Destination": format!("{queue}.Arn")}),
            "{name}: a failed asynchronous invocation must leave a dead letter"
        );
        let age = asynchronous["MaximumEventAgeInSeconds"].as_u64().unwrap_or(u64::MAX);
        assert!(
            (60..=300).contains(&age),
            "{name}: asynchronous events must not grow older than 300 s, the template says {age}"
        );

        for (event, definition) in at(&function, "/Properties/Events", name)
            .as_object()
            .expect("Events is a mapping")
        {
            if definition["Type"] == "DynamoDB" {
                continue; // asserted mapping by mapping above
            }
            let properties = &definition["Properties"];
            assert_eq!(
                properties["DeadLetterConfig"]["Arn"],
                format!("{queue}.Arn"),
                "{name}.{event}: what EventBridge cannot deliver must leave a dead letter"
            );
            let age = properties["RetryPolicy"]["MaximumEventAgeInSeconds"]
                .as_u64()
                .unwrap_or(u64::MAX);
            assert!(
                (60..=300).contains(&age),
                "{name}.{event}: EventBridge tries for a day unless told otherwise, the template says {age} s"
            );
            assert!(
                properties["RetryPolicy"]["MaximumRetryAttempts"]
                    .as_u64()
                    .is_some_and(|tries| tries <= 5),
                "{name}.{event}: EventBridge tries 185 times unless told otherwise"
            );
        }
    }
}

#[test]
fn a_failed_tick_of_the_clock_is_not_repeated_and_other_events_are() {
    let retries = |name: &str| {
        at(
            &resource(name),
            "/Properties/EventInvokeConfig/MaximumRetryAttempts",
            name,
        )
        .clone()
    };
    assert_eq!(retries("ProbeFunction"), 0, "the next tick is a minute away");
    assert_eq!(retries("DecisionFunction"), 2);
    assert_eq!(retries("ExecutorFunction"), 2);
}

#[test]
fn each_function_may_write_to_its_dead_letter_queue_and_eventbridge_too() {
    for (function, queue) in FUNCTIONS {
        let role = function.replace("Function", "Role");
        let may_send = statements(&resource(&role)).iter().any(|statement| {
            texts(&statement["Action"]).contains(&"sqs:SendMessage".to_owned())
                && texts(&statement["Resource"]) == [format!("{queue}.Arn")]
        });
        assert!(
            may_send,
            "{role} may not send to {queue}: failed invocations would be lost"
        );
    }
    for (queue, rule) in [
        ("ProbeDeadLetters", "ProbeFunctionEveryMinute"),
        ("DecisionDeadLetters", "DecisionFunctionAlarmStateChange"),
    ] {
        let policy = resource(&format!("{queue}Policy"));
        let statement = at(&policy, "/Properties/PolicyDocument/Statement/0", queue);
        assert_eq!(policy["Properties"]["Queues"], json!([queue]));
        assert_eq!(
            statement["Principal"]["Service"], "events.amazonaws.com",
            "{queue}: EventBridge sends under its own name"
        );
        assert_eq!(statement["Resource"], format!("{queue}.Arn"));
        assert_eq!(
            statement["Condition"]["ArnEquals"]["aws:SourceArn"],
            format!("{rule}.Arn"),
            "{queue}: only our own rule may send"
        );
    }
}

#[test]
fn alarm_state_changes_go_to_decision_and_nothing_else_does() {
    let function = resource("DecisionFunction");
    let pattern = at(
        &function,
        "/Properties/Events/AlarmStateChange/Properties/Pattern",
        "DecisionFunction",
    );
    assert_eq!(pattern["source"], json!(["aws.cloudwatch"]));
    assert_eq!(pattern["detail-type"], json!(["CloudWatch Alarm State Change"]));
    assert_eq!(
        pattern["detail"],
        json!({"alarmName": [["EveryAlarm", {"exists": true}, {"prefix": "AlarmNamePrefix"}]]}),
        "every alarm passes unless the parameter AlarmNamePrefix narrows it"
    );
    let schedule = resource("ProbeFunction");
    assert_eq!(
        at(
            &schedule,
            "/Properties/Events/EveryMinute/Properties/Schedule",
            "ProbeFunction"
        ),
        "rate(1 minute)"
    );
}

#[test]
fn alarms_and_topics_of_this_account_alone_may_invoke_decision_directly() {
    for (name, principal, source) in [
        (
            "DecisionAlarmPermission",
            "lambda.alarms.cloudwatch.amazonaws.com",
            ":cloudwatch:",
        ),
        ("DecisionTopicPermission", "sns.amazonaws.com", ":sns:"),
    ] {
        let permission = resource(name);
        assert_eq!(permission["Properties"]["Principal"], principal, "{name}");
        assert_eq!(permission["Properties"]["FunctionName"], "DecisionFunction", "{name}");
        let arn = permission["Properties"]["SourceArn"].as_str().unwrap_or_default();
        assert!(
            arn.contains(source) && arn.contains("${AWS::AccountId}"),
            "{name}: SourceArn must hold the account, it is {arn:?}"
        );
    }
}
