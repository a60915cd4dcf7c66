//! What must hold of every reader of bytes from outside, whatever the bytes are: one function for each reader.
//!
//! Each takes bytes and fails if something does not hold. They run over the files of `tests/corpus` with every `cargo
//! test`, and as fuzz targets (`shared/testkit/fuzz`), which look for bytes that nobody has thought of.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
// Each user uses some of it.
#![allow(dead_code)]

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Debug;
use understudy_core::control::Control;
use understudy_core::decide::Lags;
use understudy_core::event::excerpt_long;
use understudy_core::execution::{Execution, Kind};
use understudy_core::fleet::{Fleet, FleetEntry, FleetLimits, FleetState};
use understudy_core::health::{Health, Observation, Sample, assess, observe, unfit};
use understudy_core::plan::{Plan, parse};
use understudy_core::preflight::Preflight;
use understudy_core::setup::SetupRecord;
use understudy_core::state::ResourceState;
use understudy_core::{SignedDuration, Timestamp};
use understudy_engine::decision::DecisionRecord;
use understudy_engine::executor::question::{Question, answer as answered};
use understudy_engine::intake::{Incoming, classify};
use understudy_engine::ports::{HookAnswer, Item, Key};
use understudy_engine::store::{FLEET_STATE, FLEET_VELOCITY, LAG, PREFLIGHT, SETUP, from_item, to_body};

/// More than any answer about bad input needs.
const LONGEST_ANSWER: usize = 4_000;

/// An answer for people: not empty, not endless, and nothing in it that a terminal obeys.
#[track_caller]
pub fn readable(answer: &str) {
    assert!(!answer.trim().is_empty(), "an empty answer helps nobody");
    assert!(answer.len() <= LONGEST_ANSWER, "{} bytes: {answer}", answer.len());
    assert!(!answer.chars().any(|c| c.is_control() && c != '\n'), "{answer:?}");
}

/// What a function is invoked with, as JSON.
pub fn event(bytes: &[u8]) {
    if let Ok(payload) = serde_json::from_slice::<Value>(bytes) {
        event_value(payload);
    }
}

/// What a function is invoked with: it is told apart, nothing of it is dropped, and what is not understood is answered.
pub fn event_value(payload: Value) {
    let records = payload["Records"].as_array().map_or(0, Vec::len);
    match classify(payload.clone()) {
        Incoming::Command(same) | Incoming::ResourceRequest(same) | Incoming::Question(same) => {
            assert_eq!(same, payload, "who reads it gets all of it");
        }
        Incoming::Alarms(alarms, unread) => {
            let of_records = alarms.len() + unread.len();
            assert_eq!(
                of_records,
                records.max(1),
                "each record is an alarm, or is named: {payload}"
            );
            unread.iter().for_each(|why| readable(why));
            for alarm in alarms {
                assert!((1..=255).contains(&alarm.alarm_name.chars().count()), "{alarm:?}");
                assert_ne!(alarm.region.as_deref(), Some(""), "a Region is named, or it is not");
                assert!(!alarm.reason.chars().any(char::is_control), "{alarm:?}");
                assert!(alarm.reason.chars().count() <= 601, "{alarm:?}");
            }
        }
        Incoming::Wakes(wakes) => {
            assert!(!wakes.is_empty(), "{payload}");
            assert_eq!(wakes.len(), records, "one wake for each record: {payload}");
        }
        Incoming::Nudge(plan) => assert!((1..=63).contains(&plan.len()), "{plan}"),
        Incoming::Unknown(why) => readable(&why),
    }
}

/// The body of an observation in the table, and the first things that are done with it.
pub fn observation(bytes: &[u8]) {
    let Some(observation) = body::<Observation>("observation#blue#blue-web#eu-west-1", bytes) else {
        return;
    };
    let now: Timestamp = "2026-11-21T10:00:00Z".parse().unwrap();
    let plan = plan();
    assess(now, &plan, std::slice::from_ref(&observation), &[]);
    unfit(now, std::iter::once(("shop", Some((&observation, observation.slot)))));
    let sample = Sample::new(Health::Unhealthy, "connection refused");
    if let Some(next) = observe(Some(&observation), &plan.probes[0], "eu-west-1", now, sample) {
        // One from the future is got over.
        let is_ahead = observation.slot > next.observation.slot + 1;
        assert!(
            next.observation.slot > observation.slot
                || is_ahead
                || next.observation.interval_seconds != observation.interval_seconds
        );
        assert!((1..=2).contains(&next.observation.streak.slots), "{next:?}");
    }
}

/// The body of a control item in the table, and the first things that are done with it.
pub fn control(bytes: &[u8]) {
    let Some(mut control) = body::<Control>("control", bytes) else {
        return;
    };
    let now: Timestamp = "2026-11-21T10:00:00Z".parse().unwrap();
    control.next_due();
    if let Some(execution) = &control.execution {
        execution.next(now);
        execution.route();
    }
    control.expire(now);
    control.touch(now);
}

/// Reads an item as the store does: what is accepted is the same when it is written and read again.
fn body<V: DeserializeOwned + Serialize + PartialEq + Debug>(name: &str, bytes: &[u8]) -> Option<V> {
    let mut item = Item {
        key: Key {
            plan: "shop".into(),
            item: name.into(),
        },
        version: 1,
        write_id: "00".into(),
        schema_version: 1,
        wake: None,
        due_at: None,
        body: serde_json::from_slice(bytes).ok()?,
    };
    match from_item::<V>(&item) {
        Ok(value) => {
            item.body = to_body(&item.key, &value).unwrap();
            assert_eq!(from_item::<V>(&item).as_ref(), Ok(&value));
            Some(value)
        }
        Err(error) => {
            assert!(error.message.contains(name), "{error}");
            None
        }
    }
}

/// A plan of one probe a site, with thresholds of two.
fn plan() -> Plan {
    let probe = |site: &str| {
        json!({
            "kind": "endpoint", "name": format!("{site}-web"), "site": site, "host": format!("{site}.example.com"),
            "interval_seconds": 5, "timeout_seconds": 2, "healthy_threshold": 2, "unhealthy_threshold": 2,
        })
    };
    let value = json!({
        "schema_version": 1, "name": "shop",
        "sites": [{"name": "blue", "priority": 1}, {"name": "green", "priority": 2}],
        "probes": [probe("blue"), probe("green")],
        "steps": [{
            "kind": "dns_records", "name": "record", "hosted_zone_id": "ZSHOP00000000",
            "records": [{
                "name": "www.example.com", "type": "A", "ttl_seconds": 60,
                "sites": {"blue": {"values": ["192.0.2.1"]}, "green": {"values": ["192.0.2.2"]}},
            }],
        }],
    });
    parse(value).expect("a valid plan")
}

/// A question to the executor: what is accepted is the same when it is written and read again.
pub fn question(bytes: &[u8]) {
    let Ok(value) = serde_json::from_slice::<Value>(bytes) else {
        return;
    };
    match serde_json::from_value::<Question>(value) {
        Ok(question) => {
            let written = serde_json::to_value(&question).unwrap();
            assert_eq!(serde_json::from_value::<Question>(written).unwrap(), question);
        }
        Err(error) => readable(&excerpt_long(&error.to_string())),
    }
}

/// What the executor answered, to any question: what is not the answer to it is told, and never taken for an empty one.
/// Whether it is the answer to one of them.
pub fn answer(bytes: &[u8]) -> bool {
    let Ok(said) = serde_json::from_slice::<Value>(bytes) else {
        return false;
    };
    let read = [
        ("steps", answered::steps(&said).map(drop)),
        ("problems", answered::problems(&said).map(drop)),
        ("preflight", answered::preflight(&said).map(drop)),
    ];
    for (field, read) in &read {
        match read {
            Ok(()) => assert!(said["ok"] == true && said.get(field).is_some(), "{field}: {said}"),
            Err(why) => readable(why),
        }
    }
    read.iter().any(|(_, read)| read.is_ok())
}

/// What a hook answered: only a `true` that is one is a yes, and what is not understood is answered.
pub fn hook_answer(bytes: &[u8]) {
    let Ok(said) = serde_json::from_slice::<Value>(bytes) else {
        return;
    };
    let yes = said["ok"] == true;
    match HookAnswer::read(&said) {
        Ok(HookAnswer::Done { .. }) => assert!(yes && said["wait"] != true, "{said}"),
        Ok(HookAnswer::Refused { reason }) => assert!(!yes && !reason.is_empty(), "{said}"),
        Ok(HookAnswer::NotYet { .. }) => assert!(!yes && said["wait"] == true, "{said}"),
        Err(why) => readable(&why),
    }
}

/// The body of an item of the table that is neither an observation nor a control item: `{"item": NAME, "body": …}`. What
/// is accepted is the same when it is written and read again, and stands what is done with it first. Whether it was.
pub fn item(bytes: &[u8]) -> bool {
    let now: Timestamp = "2026-11-21T10:00:00Z".parse().unwrap();
    let Ok(value) = serde_json::from_slice::<Value>(bytes) else {
        return false;
    };
    let (Some(name), Ok(bytes)) = (value["item"].as_str(), serde_json::to_vec(&value["body"])) else {
        return false;
    };
    match name.split('#').next().unwrap_or_default() {
        FLEET_VELOCITY => body::<Fleet>(name, &bytes).is_some_and(|mut fleet| {
            let asked = FleetEntry {
                plan: "shop".into(),
                execution: "asked".into(),
                at: now,
                kind: Kind::Failover,
            };
            let limits = FleetLimits {
                failovers_per_hour: 5,
                concurrent: 3,
            };
            let verdicts = fleet.admit(now, asked, &BTreeMap::new(), limits);
            let admitted = verdicts.iter().all(|verdict| verdict.allows);
            assert_eq!(admitted, fleet.entries.iter().any(|entry| entry.execution == "asked"));
            true
        }),
        FLEET_STATE => body::<FleetState>(name, &bytes).is_some(),
        LAG => body::<Lags>(name, &bytes).is_some_and(|lags| {
            for lag in lags.values() {
                assert!(lag.loss_estimate(now) >= SignedDuration::from_secs(i64::from(lag.seconds)));
                lag.remember(Some(*lag), now);
            }
            true
        }),
        PREFLIGHT => body::<Preflight>(name, &bytes).is_some_and(|found| {
            found.is_about(&Control::new("shop", "blue", "revision#00000001"));
            found.sentence();
            found.blocking("green").count() <= found.concerns.len()
        }),
        SETUP => body::<SetupRecord>(name, &bytes)
            .is_some_and(|record| record.items.iter().all(|item| item.run().name == item.name())),
        "revision" => body::<Plan>(name, &bytes).is_some_and(|plan| plan.primary().is_some()),
        "pre_state" => body::<ResourceState>(name, &bytes).is_some_and(|state| !state.sentence().is_empty()),
        "decision" => body::<DecisionRecord>(name, &bytes).is_some(),
        "execution" => body::<Execution>(name, &bytes).is_some_and(|execution| {
            execution.next(now);
            execution.route();
            execution.awaits_approval();
            execution.rests();
            true
        }),
        _ => false,
    }
}
