//! What steers traffic: signals, zonal shifts, dials. What is sent, and what is made of each answer.
//!
//! Tries steps: dns_signal, zonal_shift, accelerator_dial.

#![cfg(all(feature = "arczonalshift", feature = "cloudwatch", feature = "globalaccelerator"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{Answer, Script, says};
use serde_json::json;
use understudy_aws::arczonalshift::ArcZonalShifts;
use understudy_aws::cloudwatch::CloudWatchSignals;
use understudy_aws::globalaccelerator::GlobalAccelerators;
use understudy_core::state::{Dial, Percent};
use understudy_engine::ports::{Accelerators, CallErrorKind, SignalMetric, Signals, ZonalShifts};

// ---------------------------------------------------------------------------------------------------- signals

fn signal(site: &str) -> SignalMetric {
    SignalMetric {
        namespace: "Understudy/shop".into(),
        name: "Active".into(),
        dimensions: vec![("Site".into(), site.into())],
    }
}

// CloudWatch speaks CBOR: an error is a map of two texts.
fn cloudwatch_failed(status: u16, code: &str) -> Answer {
    let text = |text: &str| [vec![0x78, u8::try_from(text.len()).unwrap()], text.as_bytes().to_vec()].concat();
    let code = format!("com.amazonaws.cloudwatch#{code}");
    let fields = ["__type", &code, "message", "as scripted"].map(text).concat();
    Answer::SaysWith(status, "smithy-protocol", "rpc-v2-cbor", [vec![0xa2], fields].concat())
}

#[tokio::test]
async fn every_site_is_signalled_by_one_call() {
    let script = Script::new([Answer::SaysWith(200, "smithy-protocol", "rpc-v2-cbor", vec![0xa0])]);
    let signals = CloudWatchSignals::new(&script.config());
    let values = [(signal("blue"), 0.0), (signal("green"), 1.0)];
    signals.publish(Some("eu-central-1"), &values).await.unwrap();
    let sent = script.sent();
    assert_eq!(sent.len(), 1);
    assert!(
        sent[0].uri.contains("eu-central-1") && sent[0].uri.ends_with("/PutMetricData"),
        "{}",
        sent[0].uri
    );
    for word in ["Understudy/shop", "Active", "blue", "green"] {
        assert!(sent[0].body.contains(word), "{word} in {}", sent[0].body);
    }
    assert!(!sent[0].body.contains("Timestamp"), "the service's own clock counts");
}

#[tokio::test]
async fn what_a_failed_signal_means() {
    for (answer, kind) in [
        (cloudwatch_failed(400, "Throttling"), CallErrorKind::Retryable),
        (cloudwatch_failed(500, "InternalServiceFault"), CallErrorKind::Fault),
        (cloudwatch_failed(403, "AccessDenied"), CallErrorKind::Refused),
        (Answer::Silent, CallErrorKind::Lost),
    ] {
        let script = Script::new([answer]);
        let signals = CloudWatchSignals::new(&script.config());
        let error = signals.publish(None, &[(signal("blue"), 1.0)]).await.unwrap_err();
        assert_eq!(error.kind, kind, "{error}");
        assert_eq!(script.sent().len(), 1, "sent once");
    }
}

#[tokio::test]
async fn several_namespaces_are_refused_and_none_is_nothing() {
    let script = Script::new([]);
    let signals = CloudWatchSignals::new(&script.config());
    signals.publish(None, &[]).await.unwrap();
    let mut other = signal("green");
    other.namespace = "Understudy/other".into();
    let error = signals
        .publish(None, &[(signal("blue"), 1.0), (other, 0.0)])
        .await
        .unwrap_err();
    assert_eq!(error.kind, CallErrorKind::Refused);
    assert!(error.message.contains("nothing was changed"), "{error}");
}

// ---------------------------------------------------------------------------------------------------- zonal shifts

const BALANCER: &str = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/app/shop/0123456789abcdef";

fn shift_failed(status: u16, code: &'static str, reason: &str) -> Answer {
    let body = json!({"message": "as scripted", "reason": reason});
    Answer::SaysWith(status, "x-amzn-errortype", code, body.to_string().into_bytes())
}

fn shift_answer() -> Answer {
    let body = json!({
        "zonalShiftId": "6f1e4b0a", "resourceIdentifier": BALANCER, "awayFrom": "euw1-az1", "expiryTime": 1_700_086_400,
        "startTime": 1_700_000_000, "status": "ACTIVE", "comment": "Understudy shop",
    });
    says(200, body.to_string())
}

#[tokio::test]
async fn a_resource_says_where_its_traffic_goes_and_who_shifted_it() {
    let body = json!({
        "arn": BALANCER, "name": "shop", "appliedWeights": {"euw1-az1": 0.0, "euw1-az2": 1.0, "euw1-az3": 1.0},
        "zonalShifts": [
            {"appliedStatus": "APPLIED", "zonalShiftId": "6f1e4b0a", "resourceIdentifier": BALANCER, "awayFrom": "euw1-az1",
             "expiryTime": 1_700_086_400, "startTime": 1_700_000_000, "comment": "Understudy shop e epoch 1", "shiftType": "ZONAL_SHIFT"},
            {"appliedStatus": "NOT_APPLIED", "zonalShiftId": "7a", "resourceIdentifier": BALANCER, "awayFrom": "euw1-az2",
             "expiryTime": 1_700_001_800, "startTime": 1_700_000_000, "comment": "", "shiftType": "PRACTICE_RUN",
             "practiceRunOutcome": "PENDING"},
        ],
        "autoshifts": [{"appliedStatus": "NOT_APPLIED", "awayFrom": "euw1-az3", "startTime": 1_700_000_000}],
    });
    let script = Script::new([says(200, body.to_string())]);
    let shifts = ArcZonalShifts::new(&script.config());
    let found = shifts.resource(None, BALANCER).await.unwrap();
    let zones: Vec<(&str, bool)> = found
        .zones
        .iter()
        .map(|(zone, carries)| (zone.as_str(), *carries))
        .collect();
    assert_eq!(zones, [("euw1-az1", false), ("euw1-az2", true), ("euw1-az3", true)]);
    assert_eq!(found.autoshifts, ["euw1-az3"]);
    let [ours, practice] = found.shifts.as_slice() else {
        panic!("{found:#?}");
    };
    assert_eq!((ours.id.as_str(), ours.away_from.as_str()), ("6f1e4b0a", "euw1-az1"));
    assert_eq!(
        (ours.ends_at.as_second(), ours.shift_type.as_str()),
        (1_700_086_400, "ZONAL_SHIFT")
    );
    assert_eq!(ours.comment, "Understudy shop e epoch 1");
    assert_eq!(practice.shift_type, "PRACTICE_RUN");
    assert!(
        script.sent()[0].uri.contains("/managedresources/"),
        "{}",
        script.sent()[0].uri
    );
}

#[tokio::test]
async fn a_resource_that_is_not_enabled_says_what_to_enable() {
    let script = Script::new([shift_failed(404, "ResourceNotFoundException", "")]);
    let shifts = ArcZonalShifts::new(&script.config());
    let error = shifts.resource(None, BALANCER).await.unwrap_err();
    assert_eq!(error.kind, CallErrorKind::NotFound);
    assert!(error.message.contains("zonal_shift.config.enabled"), "{error}");
}

#[tokio::test]
async fn a_shift_is_started_extended_and_cancelled_by_one_call_each() {
    let script = Script::new([shift_answer(), shift_answer(), shift_answer()]);
    let shifts = ArcZonalShifts::new(&script.config());
    let long = "Understudy shop ".repeat(20);
    shifts.start(None, BALANCER, "euw1-az1", 1440, &long).await.unwrap();
    shifts.extend(None, "6f1e4b0a", 90, "Understudy shop").await.unwrap();
    shifts.cancel(None, "6f1e4b0a").await.unwrap();
    let sent = script.sent();
    let requests: Vec<&str> = sent.iter().map(|sent| sent.method.as_str()).collect();
    assert_eq!(requests, ["POST", "PATCH", "DELETE"]);
    let started = sent[0].json();
    assert_eq!(started["resourceIdentifier"], BALANCER);
    assert_eq!(
        (&started["awayFrom"], &started["expiresIn"]),
        (&json!("euw1-az1"), &json!("1440m"))
    );
    assert_eq!(
        started["comment"].as_str().unwrap().len(),
        128,
        "as long as the service takes"
    );
    assert_eq!(sent[1].json()["expiresIn"], "90m");
    for sent in &sent[1..] {
        assert!(sent.uri.ends_with("/zonalshifts/6f1e4b0a"), "{}", sent.uri);
    }
}

#[tokio::test]
async fn what_a_failed_shift_means() {
    for (answer, kind) in [
        (
            shift_failed(409, "ConflictException", "ZonalShiftAlreadyExists"),
            CallErrorKind::Conflict,
        ),
        (shift_failed(429, "ThrottlingException", ""), CallErrorKind::Retryable),
        (shift_failed(500, "InternalServerException", ""), CallErrorKind::Fault),
        (
            shift_failed(400, "ValidationException", "InvalidAz"),
            CallErrorKind::Refused,
        ),
        (shift_failed(403, "AccessDeniedException", ""), CallErrorKind::Refused),
        (
            shift_failed(404, "ResourceNotFoundException", ""),
            CallErrorKind::NotFound,
        ),
        (Answer::Silent, CallErrorKind::Lost),
    ] {
        let script = Script::new([answer]);
        let shifts = ArcZonalShifts::new(&script.config());
        let error = shifts.start(None, BALANCER, "euw1-az1", 60, "").await.unwrap_err();
        assert_eq!(error.kind, kind, "{error}");
        assert_eq!(script.sent().len(), 1, "sent once");
    }
}

#[tokio::test]
async fn a_shift_that_has_ended_is_a_conflict() {
    let ended = || shift_failed(409, "ConflictException", "ZonalShiftStatusNotActive");
    let unknown = || shift_failed(404, "ResourceNotFoundException", "");
    let script = Script::new([ended(), unknown(), ended(), unknown()]);
    let shifts = ArcZonalShifts::new(&script.config());
    for _ in 0..2 {
        let error = shifts.cancel(None, "6f1e4b0a").await.unwrap_err();
        assert_eq!(error.kind, CallErrorKind::Conflict, "{error}");
    }
    for _ in 0..2 {
        let error = shifts.extend(None, "6f1e4b0a", 60, "").await.unwrap_err();
        assert_eq!(error.kind, CallErrorKind::Conflict, "{error}");
    }
}

// ---------------------------------------------------------------------------------------------------- dials

const ACCELERATOR: &str = "arn:aws:globalaccelerator::123456789012:accelerator/01234567-89ab-cdef-0123-456789abcdef";

fn group() -> String {
    format!("{ACCELERATOR}/listener/0123abcd/endpoint-group/ab88888example")
}

fn described(percent: f32) -> Answer {
    let body = json!({"EndpointGroup": {
        "EndpointGroupArn": group(), "EndpointGroupRegion": "eu-west-1", "TrafficDialPercentage": percent,
        "EndpointDescriptions": [
            {"EndpointId": "alb-blue", "Weight": 128, "HealthState": "HEALTHY", "ClientIPPreservationEnabled": true},
            {"EndpointId": "alb-green", "Weight": 0, "HealthState": "HEALTHY", "ClientIPPreservationEnabled": false},
            {"EndpointId": "alb-other", "HealthState": "UNHEALTHY"},
        ],
        "HealthCheckPort": 443, "HealthCheckProtocol": "TCP", "HealthCheckIntervalSeconds": 10, "ThresholdCount": 3,
    }});
    says(200, body.to_string())
}

fn accelerator_failed(status: u16, code: &str) -> Answer {
    says(status, json!({"__type": code, "Message": "as scripted"}).to_string())
}

fn dial(percent: f32, weights: &[(&str, u32)]) -> Dial {
    let weights = weights.iter().map(|(id, weight)| ((*id).to_owned(), *weight));
    Dial {
        percent: Percent::new(percent).unwrap(),
        weights: weights.collect(),
    }
}

#[tokio::test]
async fn a_group_says_how_far_its_dial_is_open_and_what_its_endpoints_weigh() {
    let script = Script::new([described(12.5)]);
    let found = GlobalAccelerators::new(&script.config())
        .endpoint_group(&group())
        .await
        .unwrap();
    assert_eq!(found.percent, Percent::new(12.5).unwrap());
    let endpoints: Vec<(&str, u32)> = found
        .endpoints
        .iter()
        .map(|(id, weight)| (id.as_str(), *weight))
        .collect();
    assert_eq!(endpoints, [("alb-blue", 128), ("alb-green", 0), ("alb-other", 128)]);
    let sent = &script.sent()[0];
    assert!(
        sent.uri.contains("us-west-2"),
        "the API is there, whatever the Region: {}",
        sent.uri
    );
    assert_eq!(sent.json()["EndpointGroupArn"], group());
}

#[tokio::test]
async fn an_accelerator_is_deployed_when_it_says_so() {
    let status = |status: &str| {
        says(
            200,
            json!({"Accelerator": {"AcceleratorArn": ACCELERATOR, "Status": status}}).to_string(),
        )
    };
    let script = Script::new([status("IN_PROGRESS"), status("DEPLOYED")]);
    let accelerators = GlobalAccelerators::new(&script.config());
    assert!(!accelerators.is_deployed(&group()).await.unwrap());
    assert!(accelerators.is_deployed(&group()).await.unwrap());
    assert_eq!(script.sent()[0].json()["AcceleratorArn"], ACCELERATOR);
}

#[tokio::test]
async fn a_dial_is_turned_without_touching_the_endpoints() {
    let script = Script::new([described(0.0), described(80.0)]);
    let accelerators = GlobalAccelerators::new(&script.config());
    accelerators
        .dial(&group(), &dial(0.0, &[]), &dial(80.0, &[]))
        .await
        .unwrap();
    assert_eq!(
        script.sent()[1].json(),
        json!({"EndpointGroupArn": group(), "TrafficDialPercentage": 80.0})
    );
}

#[tokio::test]
async fn weights_are_changed_by_writing_every_endpoint_as_it_is() {
    let script = Script::new([described(50.0), described(50.0)]);
    let accelerators = GlobalAccelerators::new(&script.config());
    let expected = dial(50.0, &[("alb-blue", 128), ("alb-green", 0)]);
    let wanted = dial(50.0, &[("alb-blue", 0), ("alb-green", 200)]);
    accelerators.dial(&group(), &expected, &wanted).await.unwrap();
    assert_eq!(
        script.sent()[1].json(),
        json!({"EndpointGroupArn": group(), "EndpointConfigurations": [
            {"EndpointId": "alb-blue", "Weight": 0, "ClientIPPreservationEnabled": true},
            {"EndpointId": "alb-green", "Weight": 200, "ClientIPPreservationEnabled": false},
            {"EndpointId": "alb-other"},
        ]})
    );
}

#[tokio::test]
async fn a_group_that_is_not_as_expected_is_left_alone() {
    for expected in [
        dial(0.0, &[]),
        dial(50.0, &[("alb-blue", 127)]),
        dial(50.0, &[("alb-gone", 1)]),
    ] {
        let script = Script::new([described(50.0)]);
        let accelerators = GlobalAccelerators::new(&script.config());
        let error = accelerators
            .dial(&group(), &expected, &dial(100.0, &[]))
            .await
            .unwrap_err();
        assert_eq!(error.kind, CallErrorKind::Conflict);
        assert!(error.message.contains("nothing was changed"), "{error}");
        assert_eq!(script.sent().len(), 1, "only read");
    }
}

#[tokio::test]
async fn what_a_failed_dial_means() {
    for (answer, kind) in [
        (
            accelerator_failed(400, "EndpointGroupNotFoundException"),
            CallErrorKind::NotFound,
        ),
        (
            accelerator_failed(400, "TransactionInProgressException"),
            CallErrorKind::Retryable,
        ),
        (
            accelerator_failed(500, "InternalServiceErrorException"),
            CallErrorKind::Fault,
        ),
        (
            accelerator_failed(400, "InvalidArgumentException"),
            CallErrorKind::Refused,
        ),
        (accelerator_failed(400, "AccessDeniedException"), CallErrorKind::Refused),
        (Answer::Silent, CallErrorKind::Lost),
    ] {
        let script = Script::new([described(0.0), answer]);
        let accelerators = GlobalAccelerators::new(&script.config());
        let error = accelerators
            .dial(&group(), &dial(0.0, &[]), &dial(80.0, &[]))
            .await
            .unwrap_err();
        assert_eq!(error.kind, kind, "{error}");
        assert_eq!(script.sent().len(), 2, "read once, sent once");
    }
}
