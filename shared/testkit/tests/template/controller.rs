//! The controller as a whole: how its functions are built and limited, and which alarms watch the watcher.

use serde_json::json;

use super::{at, resource, resources_of, template};

#[test]
fn concurrency_is_reserved_and_can_be_turned_off() {
    for (name, condition, parameter, default) in [
        ("ProbeFunction", "ReservesProbe", "ProbeConcurrency", "2"),
        ("DecisionFunction", "ReservesDecision", "DecisionConcurrency", "10"),
        ("ExecutorFunction", "ReservesExecutor", "ExecutorConcurrency", "20"),
    ] {
        assert_eq!(
            resource(name)["Properties"]["ReservedConcurrentExecutions"],
            json!([condition, parameter, "AWS::NoValue"]),
            "{name}"
        );
        assert_eq!(
            at(
                &template(),
                &format!("/Parameters/{parameter}/Default"),
                "template.yaml"
            ),
            default,
            "{parameter}"
        );
    }
}

#[test]
fn functions_are_built_together_and_have_the_time_that_their_work_takes() {
    assert_eq!(
        at(&template(), "/Globals/Function/CodeUri", "template.yaml"),
        ".",
        "a folder each would compile the SDK three times"
    );
    assert_eq!(
        at(&template(), "/Globals/Function/Runtime", "template.yaml"),
        "provided.al2023"
    );
    for (name, binary, timeout_seconds) in [
        ("ProbeFunction", "probe", 60),
        ("DecisionFunction", "decision", 75),
        ("ExecutorFunction", "executor", 60),
    ] {
        let function = resource(name);
        assert_eq!(function["Metadata"]["BuildMethod"], "rust-cargolambda", "{name}");
        assert_eq!(function["Metadata"]["BuildProperties"]["Binary"], binary, "{name}");
        assert_eq!(function["Properties"]["Timeout"], timeout_seconds, "{name}");
        assert_eq!(
            function["Properties"]["Environment"]["Variables"]["AWS_SDK_UA_APP_ID"],
            format!("understudy-{binary}"),
            "{name}"
        );
    }
}

/// Each alarm on the controller itself: logical id, namespace, metric, the dimension's value, what missing data means.
const ALARMS: [(&str, &str, &str, Option<&str>, &str); 16] = [
    (
        "HeartbeatMissedAlarm",
        "Understudy",
        "RoundsCompleted",
        Some("ProbeFunction"),
        "breaching",
    ),
    (
        "ExecutionsStuckAlarm",
        "Understudy",
        "ExecutionsStuck",
        Some("ProbeFunction"),
        "notBreaching",
    ),
    (
        "NewerItemsRefusedAlarm",
        "Understudy",
        "NewerItemsRefused",
        Some("ProbeFunction"),
        "notBreaching",
    ),
    (
        "ProbeErrorsAlarm",
        "AWS/Lambda",
        "Errors",
        Some("ProbeFunction"),
        "notBreaching",
    ),
    (
        "DecisionErrorsAlarm",
        "AWS/Lambda",
        "Errors",
        Some("DecisionFunction"),
        "notBreaching",
    ),
    (
        "ExecutorErrorsAlarm",
        "AWS/Lambda",
        "Errors",
        Some("ExecutorFunction"),
        "notBreaching",
    ),
    (
        "ProbeThrottlesAlarm",
        "AWS/Lambda",
        "Throttles",
        Some("ProbeFunction"),
        "notBreaching",
    ),
    (
        "DecisionThrottlesAlarm",
        "AWS/Lambda",
        "Throttles",
        Some("DecisionFunction"),
        "notBreaching",
    ),
    (
        "ExecutorThrottlesAlarm",
        "AWS/Lambda",
        "Throttles",
        Some("ExecutorFunction"),
        "notBreaching",
    ),
    (
        "DecisionIteratorAgeAlarm",
        "AWS/Lambda",
        "IteratorAge",
        Some("DecisionFunction"),
        "notBreaching",
    ),
    (
        "ExecutorIteratorAgeAlarm",
        "AWS/Lambda",
        "IteratorAge",
        Some("ExecutorFunction"),
        "notBreaching",
    ),
    (
        "ProbeDeadLettersAlarm",
        "AWS/SQS",
        "ApproximateNumberOfMessagesVisible",
        Some("ProbeDeadLetters.QueueName"),
        "notBreaching",
    ),
    (
        "DecisionDeadLettersAlarm",
        "AWS/SQS",
        "ApproximateNumberOfMessagesVisible",
        Some("DecisionDeadLetters.QueueName"),
        "notBreaching",
    ),
    (
        "ExecutorDeadLettersAlarm",
        "AWS/SQS",
        "ApproximateNumberOfMessagesVisible",
        Some("ExecutorDeadLetters.QueueName"),
        "notBreaching",
    ),
    (
        "TableReadThrottlesAlarm",
        "AWS/DynamoDB",
        "ReadThrottleEvents",
        Some("Table"),
        "notBreaching",
    ),
    (
        "TableWriteThrottlesAlarm",
        "AWS/DynamoDB",
        "WriteThrottleEvents",
        Some("Table"),
        "notBreaching",
    ),
];

#[test]
fn the_controller_has_an_alarm_for_each_way_in_which_it_can_fail() {
    for (name, namespace, metric, dimension, missing) in ALARMS {
        let alarm = resource(name);
        let properties = &alarm["Properties"];
        assert_eq!(alarm["Type"], "AWS::CloudWatch::Alarm", "{name}");
        assert_eq!(properties["Namespace"], namespace, "{name}");
        assert_eq!(properties["MetricName"], metric, "{name}");
        let watched = &properties["Dimensions"][0]["Value"];
        // Of a choice between the stack's own table and a replica, the first.
        let watched = watched.get(1).unwrap_or(watched);
        assert_eq!(watched.as_str(), dimension, "{name} watches the wrong thing");
        assert_eq!(properties["TreatMissingData"], missing, "{name}");
        assert_eq!(properties["AlarmActions"], json!(["Topic"]), "{name} tells nobody");
        assert!(
            properties["AlarmDescription"]
                .as_str()
                .is_some_and(|text| text.len() > 40),
            "{name}: say what happened and what to do"
        );
    }
    let heartbeat = resource("HeartbeatMissedAlarm");
    assert_eq!(heartbeat["Properties"]["ComparisonOperator"], "LessThanThreshold");
    assert_eq!(heartbeat["Properties"]["Threshold"], 1);
    assert_eq!(
        resources_of("AWS::CloudWatch::Alarm").len(),
        ALARMS.len(),
        "an alarm that this test does not know"
    );
}

#[test]
fn every_parameter_and_output_explains_itself() {
    for section in ["Parameters", "Outputs"] {
        for (name, entry) in at(&template(), &format!("/{section}"), "template.yaml")
            .as_object()
            .expect("a mapping")
        {
            assert!(
                entry["Description"].as_str().is_some_and(|text| text.len() > 20),
                "{section}.{name} has no description worth the name"
            );
            assert!(
                section == "Outputs" || !entry["Default"].is_null(),
                "the parameter {name} has no default: `sam deploy` could not run unasked"
            );
        }
    }
}
