//! What comes in: whatever it is, it is told apart, nothing of it is dropped, and what is not understood is answered.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod bytes;

use proptest::prelude::*;
use serde_json::{Map, Value, json};
use understudy_engine::intake::{Incoming, WakeRecord, classify};

const TIME: &str = "2026-11-21T10:00:00.123+0000";

/// Keys and words of the events among arbitrary ones, so that values get past the first check.
fn word() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => prop::sample::select(vec![
            "command", "read_only", "source_resource", "target_resource", "Records", "detail-type", "detail", "source",
            "alarmData", "alarmName", "state", "value", "reason", "timestamp", "time", "region", "plan", "eventSource",
            "EventSource", "aws:sns", "aws:dynamodb", "aws.cloudwatch", "CloudWatch Alarm State Change", "Sns", "Message",
            "dynamodb", "Keys", "SequenceNumber", "S", "item", "ALARM", "OK", TIME, "AlarmArn",
        ]).prop_map(str::to_owned),
        1 => any::<String>(),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        word().prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 64, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((word(), inner), 0..6)
                .prop_map(|fields| Value::Object(fields.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

fn alarm_name() -> impl Strategy<Value = String> {
    "[ -~äöü€]{1,255}"
}

fn state() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["OK", "ALARM", "INSUFFICIENT_DATA"])
}

/// An alarm's change as EventBridge sends it.
fn eventbridge(name: &str, state: &str) -> Value {
    json!({
        "version": "0", "id": "c4c1c1c9-6542-e61b-6ef0-8c4d36933a92", "detail-type": "CloudWatch Alarm State Change",
        "source": "aws.cloudwatch", "account": "123456789012", "time": "2026-11-21T10:00:00Z", "region": "eu-west-1",
        "resources": ["arn:aws:cloudwatch:eu-west-1:123456789012:alarm:blue"],
        "detail": {
            "alarmName": name, "state": {"value": state, "reason": "threshold crossed", "timestamp": TIME},
            "previousState": {"value": "OK", "reason": "was well", "timestamp": TIME},
        },
    })
}

/// The same as the alarm itself invokes a function with it.
fn direct(name: &str, state: &str) -> Value {
    json!({
        "source": "aws.cloudwatch", "alarmArn": "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:blue",
        "accountId": "123456789012", "time": TIME, "region": "eu-west-1",
        "alarmData": {
            "alarmName": name, "state": {"value": state, "reason": "threshold crossed", "timestamp": TIME},
            "previousState": {"value": "OK", "reason": "was well", "timestamp": TIME},
            "configuration": {"description": "blue's errors", "metrics": []},
        },
    })
}

/// One record of an SNS batch with an alarm's notification.
fn notification(name: &str, state: &str) -> Value {
    let message = json!({
        "AlarmName": name, "NewStateValue": state, "NewStateReason": "threshold crossed", "StateChangeTime": TIME,
        "Region": "EU (Ireland)", "AlarmArn": "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:blue",
    });
    json!({
        "EventVersion": "1.0", "EventSource": "aws:sns",
        "EventSubscriptionArn": "arn:aws:sns:eu-west-1:123456789012:moves:21be56ed-a058-49f5-8c98-aedd2564c486",
        "Sns": {
            "Type": "Notification", "MessageId": "95df01b4-ee98-5cb9-9903-4c221d41eb5e", "Subject": "ALARM",
            "TopicArn": "arn:aws:sns:eu-west-1:123456789012:moves", "Message": message.to_string(),
            "Timestamp": "2026-11-21T10:00:00.123Z", "SignatureVersion": "1", "Signature": "EXAMPLE",
            "SigningCertUrl": "EXAMPLE", "UnsubscribeUrl": "EXAMPLE", "MessageAttributes": {},
        },
    })
}

/// One record of a stream batch.
fn change(plan: &str, item: &str, sequence_number: &str) -> Value {
    json!({
        "eventID": "1", "eventName": "MODIFY", "eventSource": "aws:dynamodb", "awsRegion": "eu-west-1",
        "dynamodb": {
            "Keys": {"plan": {"S": plan}, "item": {"S": item}}, "SequenceNumber": sequence_number,
            "NewImage": {"plan": {"S": plan}, "item": {"S": item}, "wake": {"S": "executor"}}, "StreamViewType": "NEW_IMAGE",
        },
    })
}

fn batch(records: Vec<Value>) -> Value {
    json!({ "Records": records })
}

/// A good event of any form.
fn event() -> impl Strategy<Value = Value> {
    let alarms = || prop::collection::vec((alarm_name(), state()), 1..4);
    let word = json!({"command": "pause", "plan": "shop", "operator": "mia", "reason": "a drill"});
    prop_oneof![
        (alarm_name(), state()).prop_map(|(name, state)| eventbridge(&name, state)),
        (alarm_name(), state()).prop_map(|(name, state)| direct(&name, state)),
        alarms().prop_map(|alarms| batch(alarms.iter().map(|(name, state)| notification(name, state)).collect())),
        prop::collection::vec((".{1,63}", ".{1,20}", "[0-9]{1,40}"), 1..5).prop_map(|keys| batch(
            keys.iter()
                .map(|(plan, item, number)| change(plan, item, number))
                .collect()
        )),
        Just(word),
        Just(json!({"source_resource": "i-1", "target_resource": "i-2", "resource_type": "ec2"})),
        Just(json!({"read_only": "validate", "plan": {}})),
        "[a-z0-9]{1,63}".prop_map(|plan| json!({ "plan": plan })),
    ]
}

/// Every place of a value, as JSON pointers.
fn places(value: &Value, here: &str, found: &mut Vec<String>) {
    found.push(here.to_owned());
    match value {
        Value::Array(items) => {
            let items = items.iter().enumerate();
            items.for_each(|(index, item)| places(item, &format!("{here}/{index}"), found));
        }
        Value::Object(fields) => {
            let fields = fields.iter();
            fields.for_each(|(name, field)| {
                places(
                    field,
                    &format!("{here}/{}", name.replace('~', "~0").replace('/', "~1")),
                    found,
                )
            });
        }
        _ => {}
    }
}

/// Takes the place out of what it is in. The whole itself stays.
fn take_out(value: &mut Value, place: &str) {
    let Some((parent, last)) = place.rsplit_once('/') else {
        return;
    };
    match value.pointer_mut(parent).unwrap() {
        Value::Object(fields) => drop(fields.remove(&last.replace("~1", "/").replace("~0", "~"))),
        Value::Array(items) => drop(items.remove(last.parse().unwrap())),
        other => panic!("{parent} is {other}"),
    }
}

fn names(incoming: Incoming) -> Vec<String> {
    match incoming {
        Incoming::Alarms(alarms, unread) if unread.is_empty() => {
            alarms.into_iter().map(|alarm| alarm.alarm_name).collect()
        }
        other => panic!("not alarms: {other:?}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_json_is_told_apart(value in value()) {
        bytes::event_value(value);
    }

    #[test]
    fn a_good_event_is_understood(event in event()) {
        bytes::event_value(event.clone());
        let incoming = classify(event);
        prop_assert!(!matches!(incoming, Incoming::Unknown(_)), "{:?}", incoming);
    }

    /// A good event with places replaced or taken out, the message inside of a notification included.
    #[test]
    fn a_mutated_event_is_told_apart(
        event in event(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), prop::option::weighted(0.7, value())), 1..4),
    ) {
        let mut broken = event;
        for (place, instead) in changes {
            let mut found = Vec::new();
            places(&broken, "", &mut found);
            let place = place.get(&found).as_str();
            match instead {
                Some(value) => *broken.pointer_mut(place).unwrap() = value,
                None => take_out(&mut broken, place),
            }
        }
        bytes::event_value(broken);
    }

    #[test]
    fn a_mutated_notification_is_told_apart(name in alarm_name(), place in any::<prop::sample::Index>(), value in value()) {
        let mut record = notification(&name, "ALARM");
        let mut message: Value = serde_json::from_str(record["Sns"]["Message"].as_str().unwrap()).unwrap();
        let mut found = Vec::new();
        places(&message, "", &mut found);
        *message.pointer_mut(place.get(&found).as_str()).unwrap() = value;
        record["Sns"]["Message"] = json!(message.to_string());
        let both = batch(vec![notification("well", "OK"), record]);
        bytes::event_value(both.clone());
        match classify(both) {
            Incoming::Alarms(alarms, unread) => {
                prop_assert_eq!(&alarms[0].alarm_name, "well", "the good one comes through");
                prop_assert_eq!(alarms.len() + unread.len(), 2);
            }
            other => prop_assert!(false, "{:?}", other),
        }
    }

    /// Each alarm of a batch is there, in its order.
    #[test]
    fn every_alarm_of_a_batch_comes_through(alarms in prop::collection::vec((alarm_name(), state()), 1..6)) {
        let payload = batch(alarms.iter().map(|(name, state)| notification(name, state)).collect());
        let expected: Vec<String> = alarms.into_iter().map(|(name, _)| name).collect();
        prop_assert_eq!(names(classify(payload)), expected);
    }

    /// The three forms of an alarm's change say the same.
    #[test]
    fn an_alarm_is_the_same_by_each_way(name in alarm_name(), state in state()) {
        let forms = [eventbridge(&name, state), direct(&name, state), batch(vec![notification(&name, state)])];
        let mut read = forms.map(|form| match classify(form) {
            Incoming::Alarms(mut alarms, _) => alarms.remove(0),
            other => panic!("not alarms: {other:?}"),
        });
        read.iter_mut().for_each(|alarm| alarm.via = "any".to_owned());
        let [one, two, three] = read;
        prop_assert_eq!(&one, &two);
        prop_assert_eq!(&one, &three);
    }

    /// Each record of a stream batch is there, in its order and with its own keys.
    #[test]
    fn every_wake_of_a_batch_comes_through(keys in prop::collection::vec((".{0,80}", ".{0,80}", "[0-9]{0,40}"), 1..6)) {
        let payload = batch(keys.iter().map(|(plan, item, number)| change(plan, item, number)).collect());
        let expected = keys.into_iter().map(|(plan, item, sequence_number)| WakeRecord { sequence_number, plan, item });
        prop_assert_eq!(classify(payload), Incoming::Wakes(expected.collect()));
    }
}
