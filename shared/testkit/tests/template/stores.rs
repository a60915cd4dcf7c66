//! What is kept: the table and its protections, logs with an end, encrypted queues and topic.

use serde_json::{Value, json};

use super::{FUNCTIONS, at, resource, resources_of, template};

#[test]
fn the_table_is_protected_and_outlives_the_stack() {
    let table = resource("Table");
    assert_eq!(table["DeletionPolicy"], "Retain");
    assert_eq!(table["UpdateReplacePolicy"], "Retain");
    let properties = &table["Properties"];
    assert_eq!(properties["SSESpecification"]["SSEEnabled"], true);
    assert_eq!(
        properties["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"],
        true
    );
    assert_eq!(
        properties["DeletionProtectionEnabled"],
        json!(["ProtectsTable", true, false])
    );
    assert_eq!(
        at(&template(), "/Parameters/DeletionProtection/Default", "template.yaml"),
        "true",
        "protected unless someone says otherwise"
    );
    assert_eq!(
        properties["BillingMode"], "PAY_PER_REQUEST",
        "a bad day writes more than any forecast"
    );
}

#[test]
fn the_table_has_the_keys_the_stream_and_the_sparse_index_of_the_protocol() {
    let table = resource("Table");
    let properties = &table["Properties"];
    let key = |hash: &str, range: &str| json!([{"AttributeName": hash, "KeyType": "HASH"}, {"AttributeName": range, "KeyType": "RANGE"}]);
    assert_eq!(properties["KeySchema"], key("plan", "item"));
    assert_eq!(properties["StreamSpecification"]["StreamViewType"], "NEW_IMAGE");
    let indexes = properties["GlobalSecondaryIndexes"]
        .as_array()
        .expect("GlobalSecondaryIndexes is a list");
    assert_eq!(indexes.len(), 1, "one index, and it is a hint");
    assert_eq!(indexes[0]["IndexName"], "due");
    assert_eq!(indexes[0]["KeySchema"], key("due_shard", "due_at"));
    assert_eq!(indexes[0]["Projection"]["ProjectionType"], "KEYS_ONLY");
    assert!(
        properties["LocalSecondaryIndexes"].is_null(),
        "a strongly consistent global table has no local indexes"
    );
    assert!(
        properties["TimeToLiveSpecification"].is_null(),
        "a strongly consistent global table has no time to live"
    );
}

#[test]
fn a_stack_that_is_given_a_replica_makes_no_table_and_means_the_replica_everywhere() {
    // Every place that means the table, with what is around it.
    fn mentions<'a>(value: &'a Value, around: &'a Value, found: &mut Vec<&'a Value>) {
        match value {
            Value::String(text) if text == "Table" || text.starts_with("Table.") || text.contains("${Table") => {
                found.push(around);
            }
            Value::Array(items) => items.iter().for_each(|item| mentions(item, value, found)),
            Value::Object(fields) => fields
                .iter()
                .filter(|(name, _)| *name != "Sid")
                .for_each(|(_, field)| mentions(field, value, found)),
            _ => {}
        }
    }
    let template = template();
    assert_eq!(resource("Table")["Condition"], "OwnsTable");
    assert_eq!(
        at(&template, "/Conditions/OwnsTable", "template.yaml"),
        &json!(["ExistingTableStreamArn", ""])
    );
    assert_eq!(
        at(&template, "/Parameters/ExistingTableStreamArn/Default", "template.yaml"),
        ""
    );
    let mut found = Vec::new();
    for part in ["/Globals", "/Resources", "/Outputs"] {
        let part = at(&template, part, "template.yaml");
        mentions(part, part, &mut found);
    }
    assert!(found.len() > 10, "the walk finds too little: {found:#?}");
    for around in found {
        let choice = around.as_array().filter(|choice| choice.len() == 3);
        let choice = choice.unwrap_or_else(|| panic!("not a choice between table and replica: {around}"));
        assert_eq!(choice[0], "OwnsTable", "{around}");
        let replica = choice[2].to_string();
        assert!(
            replica.contains("ExistingTableStreamArn"),
            "{around} does not say which replica"
        );
    }
}

#[test]
fn every_function_logs_json_into_a_group_with_retention() {
    for (name, group) in resources_of("AWS::Logs::LogGroup") {
        assert_eq!(
            group["Properties"]["RetentionInDays"], "LogRetentionDays",
            "{name} would be kept, and paid for, forever"
        );
    }
    for (name, _) in FUNCTIONS {
        let logging = resource(name)["Properties"]["LoggingConfig"].clone();
        assert_eq!(
            logging,
            json!({"LogGroup": name.replace("Function", "Logs"), "LogFormat": "JSON"}),
            "{name}"
        );
        assert_eq!(
            resource(&name.replace("Function", "Logs"))["Type"],
            "AWS::Logs::LogGroup",
            "{name}"
        );
    }
    assert!(
        at(&template(), "/Parameters/LogRetentionDays/Default", "template.yaml")
            .as_u64()
            .is_some_and(|days| days > 0)
    );
}

#[test]
fn topic_and_queues_are_encrypted_and_alarms_can_use_the_topic() {
    assert_eq!(resource("Topic")["Properties"]["KmsMasterKeyId"], "TopicKey");
    let key = resource("TopicKey");
    let statements = at(&key, "/Properties/KeyPolicy/Statement", "TopicKey")
        .as_array()
        .expect("Statement is a list");
    assert!(
        statements
            .iter()
            .any(|statement| statement["Principal"]["Service"] == "cloudwatch.amazonaws.com"),
        "without the key, CloudWatch cannot publish an alarm"
    );
    for (name, queue) in resources_of("AWS::SQS::Queue") {
        assert_eq!(queue["Properties"]["SqsManagedSseEnabled"], true, "{name}");
        assert_eq!(
            queue["Properties"]["MessageRetentionPeriod"], 1_209_600,
            "{name}: fourteen days, the longest there is"
        );
    }
}
