//! What comes in, told apart by its form.
//!
//! One function may be invoked by EventBridge, by an alarm itself, through SNS, by the stream, by another
//! function and by people. Each form is read with the kept event types where they exist; what fits none is
//! [`Incoming::Unknown`], which is answered with a clear error and never retried. An alarm's event that can not be read is
//! no nonsense: whoever handles it fails, so that Lambda tries again and keeps it in the dead letters.

use aws_lambda_events::cloudwatch_alarms::CloudWatchAlarm;
use aws_lambda_events::eventbridge::EventBridgeEvent;
use aws_lambda_events::sns::SnsEvent;
use serde::Deserialize;
use serde_json::Value;
use understudy_core::event::{AlarmEvent, alarm_state, aws_time, excerpt, excerpt_long};

/// The largest payload that is looked at, in bytes. Lambda itself stops at 6 MB.
pub const MAX_PAYLOAD_BYTES: usize = 512 * 1024;
/// The longest name of a plan.
const MAX_PLAN_NAME: usize = 63;
/// The longest name of an alarm, by CloudWatch. A longer one would be refused as a key, and come again and again.
const MAX_ALARM_NAME: usize = 255;

/// What came in.
#[derive(Clone, Debug, PartialEq)]
pub enum Incoming {
    /// A person's command, not read yet.
    Command(Value),
    /// The request form that names resources instead of a plan, not read yet.
    ResourceRequest(Value),
    /// Alarms that changed (an SNS batch may have several), and what is wrong with those that can not be read.
    Alarms(Vec<AlarmEvent>, Vec<String>),
    /// Items of the table that need a function.
    Wakes(Vec<WakeRecord>),
    /// Look at this plan.
    Nudge(String),
    /// A question that only reads.
    Question(Value),
    /// None of these: why.
    Unknown(String),
}

/// One record of the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WakeRecord {
    /// What a partial batch answer names it by.
    pub sequence_number: String,
    /// The partition key.
    pub plan: String,
    /// The sort key.
    pub item: String,
}

/// Tells a payload apart.
pub fn classify(payload: Value) -> Incoming {
    let Some(object) = payload.as_object() else {
        return Incoming::Unknown(
            "the payload is not a JSON object; send {\"command\": \"list\"} to see that it works".into(),
        );
    };
    if object.contains_key("command") {
        return Incoming::Command(payload);
    }
    if object.contains_key("read_only") {
        return Incoming::Question(payload);
    }
    if object.contains_key("source_resource") || object.contains_key("target_resource") {
        return Incoming::ResourceRequest(payload);
    }
    if object.contains_key("Records") {
        return records(payload);
    }
    if object.contains_key("detail-type") {
        return eventbridge(payload);
    }
    if object.contains_key("alarmData") {
        return direct(payload);
    }
    match object.get("plan").and_then(Value::as_str) {
        Some(plan) if object.len() == 1 && (1..=MAX_PLAN_NAME).contains(&plan.len()) => {
            Incoming::Nudge(plan.to_owned())
        }
        _ => Incoming::Unknown(format!(
            "the payload is none of: a command ({{\"command\": …}}), an alarm event, a stream batch; its fields are: {}",
            object
                .keys()
                .take(10)
                .map(|key| excerpt(key))
                .collect::<Vec<_>>()
                .join(", ")
        )),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AlarmChange {
    alarm_name: String,
    state: AlarmChangeState,
}

#[derive(Deserialize)]
struct AlarmChangeState {
    value: String,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    timestamp: Option<String>,
}

fn eventbridge(payload: Value) -> Incoming {
    let event: EventBridgeEvent<Value> = match serde_json::from_value(payload) {
        Ok(event) => event,
        Err(error) => return Incoming::Unknown(unreadable("EventBridge event", &error.to_string())),
    };
    if event.source != "aws.cloudwatch" || event.detail_type != "CloudWatch Alarm State Change" {
        return Incoming::Unknown(format!(
            "an EventBridge event `{}` from `{}`; only `CloudWatch Alarm State Change` from `aws.cloudwatch` is understood",
            excerpt(&event.detail_type),
            excerpt(&event.source)
        ));
    }
    let time = event.time.map(|time| time.to_rfc3339());
    match serde_json::from_value::<AlarmChange>(event.detail) {
        Ok(change) => one(alarm(
            change.alarm_name,
            event.region,
            &change.state.value,
            change.state.timestamp.or(time),
            change.state.reason,
            "eventbridge",
        )),
        Err(error) => one(Err(unreadable("alarm event", &error.to_string()))),
    }
}

fn direct(payload: Value) -> Incoming {
    match serde_json::from_value::<CloudWatchAlarm<Value, Value>>(payload) {
        Ok(event) => {
            let Some(state) = event.alarm_data.state else {
                return one(Err(unreadable("alarm's direct invocation", "it has no state")));
            };
            let word = serde_json::to_value(&state.value).ok();
            let word = word.as_ref().and_then(Value::as_str).unwrap_or_default();
            one(alarm(
                event.alarm_data.alarm_name,
                event.region,
                word,
                Some(state.timestamp.to_rfc3339()),
                state.reason,
                "direct",
            ))
        }
        Err(error) => one(Err(unreadable("alarm's direct invocation", &error.to_string()))),
    }
}

fn records(payload: Value) -> Incoming {
    let source = payload
        .pointer("/Records/0/eventSource")
        .or_else(|| payload.pointer("/Records/0/EventSource"))
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned();
    match source.as_str() {
        "aws:dynamodb" => stream(&payload),
        "aws:sns" => sns(payload),
        other => Incoming::Unknown(format!(
            "a batch of records from `{}`; only `aws:dynamodb` and `aws:sns` are understood",
            excerpt(other)
        )),
    }
}

// Only the keys are read: the item itself is read from the table, strongly consistent.
#[derive(Deserialize)]
struct StreamBatch {
    #[serde(rename = "Records")]
    records: Vec<StreamRecord>,
}

#[derive(Deserialize)]
struct StreamRecord {
    dynamodb: StreamChange,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct StreamChange {
    keys: StreamKeys,
    #[serde(default)]
    sequence_number: String,
}

#[derive(Deserialize)]
struct StreamKeys {
    plan: Text,
    item: Text,
}

#[derive(Deserialize)]
struct Text {
    #[serde(rename = "S")]
    text: String,
}

fn stream(payload: &Value) -> Incoming {
    match StreamBatch::deserialize(payload) {
        Ok(batch) => Incoming::Wakes(
            batch
                .records
                .into_iter()
                .map(|record| WakeRecord {
                    sequence_number: record.dynamodb.sequence_number,
                    plan: record.dynamodb.keys.plan.text,
                    item: record.dynamodb.keys.item.text,
                })
                .collect(),
        ),
        Err(error) => Incoming::Unknown(unreadable("stream batch", &error.to_string())),
    }
}

// The message of an alarm's SNS notification.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct AlarmMessage {
    alarm_name: String,
    new_state_value: String,
    #[serde(default)]
    new_state_reason: String,
    state_change_time: String,
    #[serde(default)]
    alarm_arn: Option<String>,
}

fn sns(payload: Value) -> Incoming {
    let event: SnsEvent = match serde_json::from_value(payload) {
        Ok(event) => event,
        Err(error) => return Incoming::Unknown(unreadable("SNS batch", &error.to_string())),
    };
    let (mut alarms, mut unread) = (Vec::new(), Vec::new());
    for record in event.records {
        match notification(&record.sns.message) {
            Ok(event) => alarms.push(event),
            Err(why) => unread.push(why),
        }
    }
    // One that can not be read takes no other along. A topic may carry what is no alarm's.
    if alarms.is_empty() {
        return Incoming::Unknown(excerpt_long(&unread.join("; ")));
    }
    Incoming::Alarms(alarms, unread)
}

fn notification(text: &str) -> Result<AlarmEvent, String> {
    let message: AlarmMessage = serde_json::from_str(text)
        .map_err(|error| unreadable("SNS message (it is not an alarm's)", &error.to_string()))?;
    // The `Region` of the message is a long name; the ARN has the code.
    let region = message
        .alarm_arn
        .as_deref()
        .and_then(|arn| arn.split(':').nth(3))
        .map(str::to_owned);
    alarm(
        message.alarm_name,
        region,
        &message.new_state_value,
        Some(message.state_change_time),
        message.new_state_reason,
        "sns",
    )
}

fn alarm(
    alarm_name: String,
    region: Option<String>,
    state: &str,
    time: Option<String>,
    reason: impl Into<Option<String>>,
    via: &str,
) -> Result<AlarmEvent, String> {
    let characters = alarm_name.chars().count();
    if !(1..=MAX_ALARM_NAME).contains(&characters) {
        return Err(unreadable(
            "alarm event",
            &format!("its alarm's name has {characters} characters; CloudWatch's have 1 to {MAX_ALARM_NAME}"),
        ));
    }
    let state = alarm_state(state).map_err(|error| unreadable("alarm event", &error))?;
    let time = time.ok_or_else(|| unreadable("alarm event", "it has no time"))?;
    let at = aws_time(&time).map_err(|error| unreadable("alarm event", &error))?;
    Ok(AlarmEvent {
        alarm_name,
        region: region.filter(|region| !region.is_empty()),
        state,
        at,
        reason: excerpt_long(&reason.into().unwrap_or_default()),
        via: via.to_owned(),
    })
}

fn one(read: Result<AlarmEvent, String>) -> Incoming {
    match read {
        Ok(event) => Incoming::Alarms(vec![event], Vec::new()),
        Err(why) => Incoming::Alarms(Vec::new(), vec![why]),
    }
}

fn unreadable(what: &str, error: &str) -> String {
    format!("the {what} can not be read: {}", excerpt_long(error))
}
