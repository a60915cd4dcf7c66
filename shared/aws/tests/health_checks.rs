//! Health checks of Route 53: found by their reference, made once, and changed only where they are as expected.
//!
//! Tries steps: dns_health_check.

#![cfg(feature = "route53")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{Answer, Script, says};
use std::collections::BTreeMap;
use understudy_aws::route53::Route53HealthChecks;
use understudy_core::state::HealthCheckSettings;
use understudy_engine::ports::{CallErrorKind, HealthChecks};

const NAMESPACE: &str = "https://route53.amazonaws.com/doc/2013-04-01/";
const ID: &str = "01234567-89ab-cdef-0123-456789abcdef";

fn check(id: &str, reference: &str, config: &str) -> String {
    format!(
        "<HealthCheck><Id>{id}</Id><CallerReference>{reference}</CallerReference><HealthCheckConfig>{config}\
         </HealthCheckConfig><HealthCheckVersion>7</HealthCheckVersion></HealthCheck>"
    )
}

fn https() -> &'static str {
    "<Port>443</Port><Type>HTTPS</Type><ResourcePath>/health</ResourcePath>\
     <FullyQualifiedDomainName>blue.example.com</FullyQualifiedDomainName><RequestInterval>30</RequestInterval>\
     <FailureThreshold>3</FailureThreshold><EnableSNI>true</EnableSNI>"
}

fn settings() -> HealthCheckSettings {
    HealthCheckSettings {
        protocol: "HTTPS".into(),
        host: Some("blue.example.com".into()),
        port: Some(443),
        path: Some("/health".into()),
        request_interval_seconds: 30,
        failure_threshold: 3,
        ..HealthCheckSettings::default()
    }
}

fn listing(checks: &str, next: Option<&str>) -> Answer {
    let next = next.map_or_else(
        || "<IsTruncated>false</IsTruncated>".to_owned(),
        |next| format!("<IsTruncated>true</IsTruncated><NextMarker>{next}</NextMarker>"),
    );
    let body = format!(
        "<ListHealthChecksResponse xmlns=\"{NAMESPACE}\"><HealthChecks>{checks}</HealthChecks><Marker></Marker>{next}\
         <MaxItems>100</MaxItems></ListHealthChecksResponse>"
    );
    says(200, body)
}

fn tags(tags: &str) -> Answer {
    let body = format!(
        "<ListTagsForResourceResponse xmlns=\"{NAMESPACE}\"><ResourceTagSet><ResourceType>healthcheck</ResourceType>\
         <ResourceId>{ID}</ResourceId><Tags>{tags}</Tags></ResourceTagSet></ListTagsForResourceResponse>"
    );
    says(200, body)
}

fn one(action: &str, status: u16) -> Answer {
    let body = format!(
        "<{action}Response xmlns=\"{NAMESPACE}\">{}</{action}Response>",
        check(ID, "ours:1", https())
    );
    says(status, body)
}

fn failed(status: u16, code: &str) -> Answer {
    let body = format!(
        "<ErrorResponse xmlns=\"{NAMESPACE}\"><Error><Type>Sender</Type><Code>{code}</Code>\
         <Message>as scripted</Message></Error><RequestId>r-1</RequestId></ErrorResponse>"
    );
    says(status, body)
}

#[tokio::test]
async fn a_check_is_found_by_its_reference_on_whichever_page_it_is() {
    let other = check("other", "theirs:1", "<Type>CALCULATED</Type>");
    let tag = "<Tag><Key>understudy</Key><Value>shop</Value></Tag>";
    let script = Script::new([
        listing(&other, Some("more")),
        listing(&check(ID, "ours:1", https()), None),
        tags(tag),
        listing(&other, None),
    ]);
    let checks = Route53HealthChecks::new(&script.config());
    let found = checks.find("ours:").await.unwrap().unwrap();
    assert_eq!((found.id.as_str(), &found.settings), (ID, &settings()));
    assert_eq!(found.tags, [("understudy".to_owned(), "shop".to_owned())].into());
    assert!(script.sent()[1].uri.contains("marker=more"), "{}", script.sent()[1].uri);
    assert_eq!(checks.find("ours:").await.unwrap(), None);
}

#[tokio::test]
async fn two_of_one_step_are_named_and_neither_is_touched() {
    let two = format!("{}{}", check("a", "ours:1", https()), check("b", "ours:2", https()));
    let script = Script::new([listing(&two, None)]);
    let checks = Route53HealthChecks::new(&script.config());
    let error = checks.find("ours:").await.unwrap_err();
    assert_eq!(error.kind, CallErrorKind::Refused);
    assert!(error.message.contains("a, b"), "{error}");
}

#[tokio::test]
async fn a_check_is_made_with_its_reference_and_tagged() {
    let tagged = says(200, format!("<ChangeTagsForResourceResponse xmlns=\"{NAMESPACE}\"/>"));
    let script = Script::new([one("CreateHealthCheck", 201), tagged]);
    let checks = Route53HealthChecks::new(&script.config());
    checks.create("ours:1", &settings()).await.unwrap();
    let tags: BTreeMap<String, String> = [("understudy".to_owned(), "shop".to_owned())].into();
    checks.tag(ID, &tags, true).await.unwrap();
    let sent = script.sent();
    for part in [
        "<CallerReference>ours:1</CallerReference>",
        "<Type>HTTPS</Type>",
        "<ResourcePath>/health</ResourcePath>",
        "<FullyQualifiedDomainName>blue.example.com</FullyQualifiedDomainName>",
        "<RequestInterval>30</RequestInterval>",
        "<FailureThreshold>3</FailureThreshold>",
        "<EnableSNI>true</EnableSNI>",
    ] {
        assert!(sent[0].body.contains(part), "{part}: {}", sent[0].body);
    }
    assert!(sent[1].uri.contains(ID), "{}", sent[1].uri);
    assert!(
        sent[1]
            .body
            .contains("<AddTags><Tag><Key>understudy</Key><Value>shop</Value></Tag></AddTags>"),
        "{}",
        sent[1].body
    );
}

#[tokio::test]
async fn what_passes_what_is_taken_and_what_is_refused_are_told_apart() {
    for (answer, kind) in [
        (failed(409, "HealthCheckAlreadyExists"), CallErrorKind::Conflict),
        (failed(400, "Throttling"), CallErrorKind::Retryable),
        (failed(400, "PriorRequestNotComplete"), CallErrorKind::Retryable),
        (failed(400, "TooManyHealthChecks"), CallErrorKind::Refused),
        (Answer::Silent, CallErrorKind::Lost),
    ] {
        let script = Script::new([answer]);
        let checks = Route53HealthChecks::new(&script.config());
        let error = checks.create("ours:1", &settings()).await.unwrap_err();
        assert_eq!(error.kind, kind, "{error}");
        assert_eq!(script.sent().len(), 1, "sent once: {error}");
    }
}

#[tokio::test]
async fn a_change_names_the_version_that_it_read() {
    let script = Script::new([one("GetHealthCheck", 200), one("UpdateHealthCheck", 200)]);
    let checks = Route53HealthChecks::new(&script.config());
    let wanted = HealthCheckSettings {
        failure_threshold: 5,
        ..settings()
    };
    checks.update(ID, &settings(), &wanted).await.unwrap();
    let body = &script.sent()[1].body;
    assert!(body.contains("<HealthCheckVersion>7</HealthCheckVersion>"), "{body}");
    assert!(body.contains("<FailureThreshold>5</FailureThreshold>"), "{body}");

    let mismatch = failed(409, "HealthCheckVersionMismatch");
    let script = Script::new([one("GetHealthCheck", 200), mismatch]);
    let checks = Route53HealthChecks::new(&script.config());
    let error = checks.update(ID, &settings(), &wanted).await.unwrap_err();
    assert_eq!(error.kind, CallErrorKind::Conflict, "{error}");
}

#[tokio::test]
async fn what_somebody_changed_is_neither_changed_nor_deleted() {
    let script = Script::new([one("GetHealthCheck", 200), one("GetHealthCheck", 200)]);
    let checks = Route53HealthChecks::new(&script.config());
    let other = HealthCheckSettings {
        is_disabled: true,
        ..settings()
    };
    let error = checks.update(ID, &other, &settings()).await.unwrap_err();
    assert_eq!(error.kind, CallErrorKind::Conflict, "{error}");
    let error = checks.delete(ID, &other).await.unwrap_err();
    assert_eq!(error.kind, CallErrorKind::Conflict, "{error}");
    assert_eq!(script.sent().len(), 2, "only reads");

    let deleted = says(200, format!("<DeleteHealthCheckResponse xmlns=\"{NAMESPACE}\"/>"));
    let script = Script::new([one("GetHealthCheck", 200), deleted]);
    let checks = Route53HealthChecks::new(&script.config());
    checks.delete(ID, &settings()).await.unwrap();
    assert_eq!(script.sent()[1].method, "DELETE");
}
