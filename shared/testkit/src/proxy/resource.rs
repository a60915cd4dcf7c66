//! Which resources a call names, where that is cheap to read.
//!
//! Permissions are checked against these afterwards, and tests ask "who wrote this item". It is
//! a reading of the request only: what cannot be read is left out, never guessed.

use serde_json::Value;

use super::operation::rest_parts;

/// The plan and item that a DynamoDB call names by key.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct TableKey {
    /// The partition key, attribute `plan`.
    pub plan: String,
    /// The sort key, attribute `item`.
    pub item: String,
}

/// Form fields that name a resource, without the `.member.N` or `.N` of a list.
const FORM_FIELDS: &[&str] = &[
    "ListenerArn",
    "ListenerArns",
    "RuleArn",
    "RuleArns",
    "TargetGroupArn",
    "TargetGroupArns",
    "LoadBalancerArn",
    "LoadBalancerArns",
    "TopicArn",
    "TargetArn",
    "InstanceId",
    "InstanceIds",
    "DBInstanceIdentifier",
    "DBClusterIdentifier",
    "GlobalClusterIdentifier",
    "AutoScalingGroupName",
    "AutoScalingGroupNames",
    "AlarmNames",
    "RoleName",
    "StackName",
];

/// JSON members that name a resource.
const JSON_MEMBERS: &[&str] = &["TableName", "StreamArn", "QueueUrl", "TopicArn", "logGroupName"];

/// The resources of a Query call, from its form fields, each once and in order.
pub fn from_form(fields: &[(String, String)]) -> Vec<String> {
    let mut found = Vec::new();
    for (name, value) in fields {
        let plain = name.split('.').next().unwrap_or(name);
        if FORM_FIELDS.contains(&plain) && !found.contains(value) {
            found.push(value.clone());
        }
    }
    found
}

/// The resources of a JSON call, and the table key where the call names one.
pub fn from_json(body: &[u8]) -> (Vec<String>, Option<TableKey>) {
    let Ok(body) = serde_json::from_slice::<Value>(body) else {
        return (Vec::new(), None);
    };
    let resources = JSON_MEMBERS
        .iter()
        .filter_map(|name| body.get(name)?.as_str())
        .map(str::to_owned)
        .collect();
    let key = body.get("Key").or_else(|| body.get("Item"));
    let text = |name: &str| key?.get(name)?.get("S")?.as_str().map(str::to_owned);
    let table_key = text("plan")
        .zip(text("item"))
        .map(|(plan, item)| TableKey { plan, item });
    (resources, table_key)
}

/// The resources that a REST path names: a hosted zone, a change, a function, a bucket.
pub fn from_path(service: Option<&str>, path: &str) -> Vec<String> {
    let parts = rest_parts(path);
    match (service, parts.as_slice()) {
        (Some("route53"), ["hostedzone" | "change" | "healthcheck", id, ..])
        | (Some("lambda"), ["functions" | "event-source-mappings", id, ..]) => {
            vec![form_decoded(id)]
        }
        (Some("s3"), _) => vec![path.trim_start_matches('/').to_owned()],
        _ => Vec::new(),
    }
}

fn form_decoded(text: &str) -> String {
    // A path part has no `=` or `&` of its own: both arrive percent-encoded.
    form_urlencoded::parse(text.as_bytes())
        .next()
        .map_or_else(String::new, |(name, _)| name.into_owned())
}
