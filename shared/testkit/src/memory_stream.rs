//! The table's stream as Lambda hands it to a function: real payloads, attribute by attribute.

use crate::memory::StreamRecord;
use serde_json::{Map, Value, json};
use understudy_engine::ports::Item;

/// A batch as the event source mapping sends it.
pub fn stream_payload(records: &[StreamRecord]) -> Value {
    json!({"Records": records.iter().map(record_payload).collect::<Vec<_>>()})
}

/// The same with the keys alone: all that the functions read of it, and quickly made.
pub(crate) fn key_payload(record: &StreamRecord) -> Value {
    let key = &record.item.key;
    json!({"Records": [{
        "eventSource": "aws:dynamodb",
        "dynamodb": {
            "Keys": {"plan": {"S": key.plan}, "item": {"S": key.item}},
            "SequenceNumber": record.sequence.to_string(),
        },
    }]})
}

fn record_payload(record: &StreamRecord) -> Value {
    let item = &record.item;
    json!({
        "eventID": format!("{:032x}", record.sequence),
        "eventName": if item.version == 1 { "INSERT" } else { "MODIFY" },
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "eu-west-1",
        "dynamodb": {
            "ApproximateCreationDateTime": 1_795_000_000,
            "Keys": {"plan": {"S": item.key.plan}, "item": {"S": item.key.item}},
            "NewImage": image(item),
            "SequenceNumber": record.sequence.to_string(),
            "SizeBytes": item.body.to_string().len(),
            "StreamViewType": "NEW_IMAGE",
        },
        "eventSourceARN": "arn:aws:dynamodb:eu-west-1:000000000000:table/understudy/stream/2026-11-21T00:00:00.000",
    })
}

/// The item as DynamoDB spells it.
pub fn image(item: &Item) -> Value {
    let mut image = Map::new();
    image.insert("plan".into(), json!({"S": item.key.plan}));
    image.insert("item".into(), json!({"S": item.key.item}));
    image.insert("version".into(), json!({"N": item.version.to_string()}));
    image.insert("write_id".into(), json!({"S": item.write_id}));
    image.insert("schema_version".into(), json!({"N": item.schema_version.to_string()}));
    image.insert("body".into(), attribute(&item.body));
    if let Some(wake) = item.wake {
        image.insert("wake".into(), json!({"S": wake.as_str()}));
    }
    if let Some(due) = item.due_at {
        image.insert("due_shard".into(), json!({"S": "0"}));
        image.insert("due_at".into(), json!({"N": due.as_millisecond().to_string()}));
    }
    Value::Object(image)
}

fn attribute(value: &Value) -> Value {
    match value {
        Value::Null => json!({"NULL": true}),
        Value::Bool(flag) => json!({"BOOL": flag}),
        Value::Number(number) => json!({"N": number.to_string()}),
        Value::String(text) => json!({"S": text}),
        Value::Array(items) => json!({"L": items.iter().map(attribute).collect::<Vec<_>>()}),
        Value::Object(fields) => {
            json!({"M": fields.iter().map(|(name, value)| (name.clone(), attribute(value))).collect::<Map<_, _>>()})
        }
    }
}
