//! Record sets are read whole and changed by compare-and-set.
//!
//! Tries steps: dns_records, dns_failover_records.

#![cfg(feature = "route53")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{Answer, Script, says};
use understudy_aws::route53::Route53Dns;
use understudy_core::plan::Alias;
use understudy_core::state::{RecordChange, RecordSet};
use understudy_engine::ports::{CallErrorKind, Dns};

const NAMESPACE: &str = "https://route53.amazonaws.com/doc/2013-04-01/";

fn listing(sets: &str, next: Option<&str>) -> Answer {
    let next = next.map_or_else(
        || "<IsTruncated>false</IsTruncated>".to_owned(),
        |next| format!("<IsTruncated>true</IsTruncated>{next}"),
    );
    says(
        200,
        format!(
            "<ListResourceRecordSetsResponse xmlns=\"{NAMESPACE}\"><ResourceRecordSets>{sets}</ResourceRecordSets>{next}\
             <MaxItems>300</MaxItems></ListResourceRecordSetsResponse>"
        ),
    )
}

fn set(name: &str, record_type: &str, rest: &str) -> String {
    format!("<ResourceRecordSet><Name>{name}</Name><Type>{record_type}</Type>{rest}</ResourceRecordSet>")
}

fn value(value: &str) -> String {
    format!("<TTL>60</TTL><ResourceRecords><ResourceRecord><Value>{value}</Value></ResourceRecord></ResourceRecords>")
}

fn names(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs
        .iter()
        .map(|(name, record_type)| ((*name).to_owned(), (*record_type).to_owned()))
        .collect()
}

fn simple(name: &str, address: &str) -> RecordSet {
    RecordSet {
        name: name.into(),
        record_type: "A".into(),
        ttl_seconds: Some(60),
        values: vec![address.into()],
        ..RecordSet::default()
    }
}

#[tokio::test]
async fn the_sets_of_a_name_are_read_until_the_next_name() {
    let first = set(
        "\\052.example.test.",
        "A",
        &format!(
            "<SetIdentifier>blue</SetIdentifier><Weight>100</Weight>{}",
            value("192.0.2.1")
        ),
    );
    let second = set(
        "\\052.example.test.",
        "A",
        &format!(
            "<SetIdentifier>green</SetIdentifier><Weight>0</Weight>{}",
            value("192.0.2.2")
        ),
    );
    let past = set("zoo.example.test.", "A", &value("192.0.2.9"));
    let next = "<NextRecordName>\\052.example.test.</NextRecordName><NextRecordType>A</NextRecordType>\
                <NextRecordIdentifier>green</NextRecordIdentifier>";
    let script = Script::new([listing(&first, Some(next)), listing(&format!("{second}{past}"), None)]);
    let dns = Route53Dns::new(&script.config());
    let asked = names(&[("*.Example.test", "A"), ("*.example.test.", "A")]);
    let found = dns.records("Z1", &asked).await.unwrap();
    assert_eq!(
        found,
        [
            RecordSet {
                set_identifier: Some("blue".into()),
                weight: Some(100),
                ..simple("*.example.test.", "192.0.2.1")
            },
            RecordSet {
                set_identifier: Some("green".into()),
                weight: Some(0),
                ..simple("*.example.test.", "192.0.2.2")
            },
        ]
    );
    let sent = script.sent();
    assert_eq!(sent.len(), 2);
    assert!(sent[1].uri.contains("identifier=green"), "{}", sent[1].uri);
}

#[tokio::test]
async fn aliases_health_checks_and_what_is_not_carried_are_seen() {
    let alias = "<AliasTarget><HostedZoneId>Z2</HostedZoneId><DNSName>dualstack.LB.example.test.</DNSName>\
                 <EvaluateTargetHealth>true</EvaluateTargetHealth></AliasTarget><HealthCheckId>hc-1</HealthCheckId>";
    let geo = format!(
        "<SetIdentifier>eu</SetIdentifier><GeoLocation><ContinentCode>EU</ContinentCode></GeoLocation>{}",
        value("192.0.2.3")
    );
    let script = Script::new([
        listing(&set("a.test.", "A", alias), None),
        listing(&set("geo.test.", "A", &geo), None),
        listing("", None),
    ]);
    let dns = Route53Dns::new(&script.config());
    let found = dns
        .records("Z1", &names(&[("a.test", "A"), ("geo.test", "A"), ("gone.test", "A")]))
        .await
        .unwrap();
    assert_eq!(found.len(), 2);
    assert_eq!(
        found[0].alias,
        Some(Alias {
            dns_name: "dualstack.lb.example.test.".into(),
            hosted_zone_id: "Z2".into(),
            evaluate_target_health: true
        })
    );
    assert_eq!(
        (found[0].ttl_seconds, found[0].health_check_id.as_deref()),
        (None, Some("hc-1"))
    );
    assert_eq!(found[1].unsupported.as_deref(), Some("geolocation"));
}

#[tokio::test]
async fn a_batch_deletes_what_was_and_then_creates_what_shall_be() {
    let answer = format!(
        "<ChangeResourceRecordSetsResponse xmlns=\"{NAMESPACE}\"><ChangeInfo><Id>/change/C123</Id><Status>PENDING</Status>\
         <SubmittedAt>2026-01-01T00:00:00Z</SubmittedAt></ChangeInfo></ChangeResourceRecordSetsResponse>"
    );
    let script = Script::new([says(200, answer)]);
    let dns = Route53Dns::new(&script.config());
    let old = RecordSet {
        health_check_id: Some("hc-1".into()),
        ..simple("a.test.", "192.0.2.1")
    };
    let new = RecordSet {
        values: vec!["192.0.2.2".into()],
        ..old.clone()
    };
    let added = RecordSet {
        ttl_seconds: None,
        values: Vec::new(),
        alias: Some(Alias {
            dns_name: "lb.test.".into(),
            hosted_zone_id: "Z2".into(),
            evaluate_target_health: false,
        }),
        ..simple("b.test.", "")
    };
    let changes = [
        RecordChange {
            old: None,
            new: Some(added),
        },
        RecordChange {
            old: Some(old),
            new: Some(new),
        },
    ];
    let id = dns.change_records("Z1", &changes, "execution e-1").await.unwrap();
    assert_eq!(id, "C123");

    let one = |action: &str, name: &str, rest: &str| {
        format!(
            "<Change><Action>{action}</Action><ResourceRecordSet><Name>{name}</Name><Type>A</Type>{rest}</ResourceRecordSet></Change>"
        )
    };
    let with = |address: &str| format!("{}<HealthCheckId>hc-1</HealthCheckId>", value(address));
    let alias = "<AliasTarget><HostedZoneId>Z2</HostedZoneId><DNSName>lb.test.</DNSName>\
                 <EvaluateTargetHealth>false</EvaluateTargetHealth></AliasTarget>";
    let batch = [
        one("DELETE", "a.test.", &with("192.0.2.1")),
        one("CREATE", "b.test.", alias),
        one("CREATE", "a.test.", &with("192.0.2.2")),
    ]
    .concat();
    let sent = &script.sent()[0];
    assert!(sent.uri.ends_with("/2013-04-01/hostedzone/Z1/rrset"), "{}", sent.uri);
    assert!(
        sent.body
            .contains(&format!("<Comment>execution e-1</Comment><Changes>{batch}</Changes>")),
        "{}",
        sent.body
    );
}

#[tokio::test]
async fn what_is_not_carried_is_never_sent() {
    let script = Script::new([]);
    let geo = RecordSet {
        unsupported: Some("geolocation".into()),
        ..simple("a.test.", "192.0.2.1")
    };
    let changes = [RecordChange {
        old: Some(geo),
        new: None,
    }];
    let error = Route53Dns::new(&script.config())
        .change_records("Z1", &changes, "")
        .await
        .unwrap_err();
    assert_eq!(error.kind, CallErrorKind::Refused);
    assert!(script.sent().is_empty());
}

#[tokio::test]
async fn what_a_failed_batch_means_and_that_it_is_sent_once() {
    let failed = |status: u16, code: &str| {
        says(
            status,
            format!(
                "<ErrorResponse xmlns=\"{NAMESPACE}\"><Error><Type>Sender</Type><Code>{code}</Code><Message>as scripted</Message>\
                 </Error><RequestId>r-1</RequestId></ErrorResponse>"
            ),
        )
    };
    let invalid = |message: &str| {
        says(
            400,
            format!(
                "<InvalidChangeBatch xmlns=\"{NAMESPACE}\"><Messages><Message>{message}</Message></Messages>\
                 <RequestId>r-1</RequestId></InvalidChangeBatch>"
            ),
        )
    };
    let enveloped = |message: &str| {
        says(
            400,
            format!(
                "<ErrorResponse xmlns=\"{NAMESPACE}\"><Error><Type>Sender</Type><Code>InvalidChangeBatch</Code>\
                 <Message>[{message}]</Message></Error><RequestId>r-1</RequestId></ErrorResponse>"
            ),
        )
    };
    let lost = "Tried to delete resource record set [name='a.test.', type='A'] but the values provided do not match the current values";
    let cases = [
        (invalid(lost), CallErrorKind::Conflict),
        (enveloped(lost), CallErrorKind::Conflict),
        (
            enveloped("Invalid Resource Record: FATAL problem: ARRDATAIllegalIPv4Address"),
            CallErrorKind::Refused,
        ),
        (failed(400, "PriorRequestNotComplete"), CallErrorKind::Retryable),
        (failed(400, "Throttling"), CallErrorKind::Retryable),
        (failed(500, "InternalError"), CallErrorKind::Fault),
        (failed(404, "NoSuchHostedZone"), CallErrorKind::NotFound),
        (failed(403, "AccessDenied"), CallErrorKind::Refused),
        (Answer::Silent, CallErrorKind::Lost),
    ];
    for (answer, kind) in cases {
        let script = Script::new([answer]);
        let changes = [RecordChange {
            old: Some(simple("a.test.", "192.0.2.1")),
            new: None,
        }];
        let error = Route53Dns::new(&script.config())
            .change_records("Z1", &changes, "c")
            .await
            .unwrap_err();
        assert_eq!(error.kind, kind, "{error}");
        assert_eq!(script.sent().len(), 1);
    }
}

#[tokio::test]
async fn a_change_is_in_sync_when_the_service_says_so() {
    let change = |status: &str| {
        let body = format!(
            "<GetChangeResponse xmlns=\"{NAMESPACE}\"><ChangeInfo><Id>/change/C1</Id><Status>{status}</Status>\
             <SubmittedAt>2026-01-01T00:00:00Z</SubmittedAt></ChangeInfo></GetChangeResponse>"
        );
        says(200, body)
    };
    let script = Script::new([change("PENDING"), change("INSYNC")]);
    let dns = Route53Dns::new(&script.config());
    assert!(!dns.in_sync("C1").await.unwrap());
    assert!(dns.in_sync("C1").await.unwrap());
}
