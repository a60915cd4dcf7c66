//! What steps and set-up change at CloudWatch, Route 53 and Lambda, at an emulator that keeps what is written: what was
//! set is what is read, what is not as expected is left alone, and what was there is restored.
//!
//! Tries steps: dns_signal, metric_alarm, dns_records, dns_failover_records, invoke.

#![cfg(all(feature = "cloudwatch", feature = "route53", feature = "lambda"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{FunctionCode, Runtime};
use common::emulator::Emulator;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};
use understudy_aws::cloudwatch::{CloudWatchDefinitions, CloudWatchMetrics, CloudWatchSignals};
use understudy_aws::lambda::LambdaHooks;
use understudy_aws::route53::Route53Dns;
use understudy_core::plan::{Metric, MetricSeries};
use understudy_core::state::{AlarmDefinition, RecordChange, RecordSet, Threshold};
use understudy_engine::ports::{
    AlarmDefinitions, CallErrorKind, Dns, HookAnswer, HookFunction, Hooks, MetricQuery, Metrics, SignalMetric, Signals,
};

#[tokio::test]
async fn what_is_set_is_what_is_read() {
    let emulator = Emulator::start_ministack().await;
    signals(&emulator).await;
    alarms(&emulator).await;
    failover_records(&emulator).await;
    hooks(&emulator).await;
}

async fn signals(emulator: &Emulator) {
    let metric = |site: &str| SignalMetric {
        namespace: "Understudy/shop".into(),
        name: "Active".into(),
        dimensions: vec![("Site".into(), site.into())],
    };
    let signals = CloudWatchSignals::new(&emulator.config());
    signals
        .publish(None, &[(metric("blue"), 0.0), (metric("green"), 1.0)])
        .await
        .unwrap();
    let query = |site: &str| MetricQuery {
        series: MetricSeries::Metric(Metric {
            namespace: "Understudy/shop".into(),
            metric_name: "Active".into(),
            dimensions: BTreeMap::from([("Site".into(), site.into())]),
            statistic: "minimum".into(),
        }),
        period_seconds: 60,
    };
    // Its period is not over, so the end is left open, as the step leaves it.
    let since = Timestamp::now() - SignedDuration::from_mins(5);
    let found = CloudWatchMetrics::new(&emulator.config())
        .newest(None, &[query("blue"), query("green"), query("nobody")], since, None)
        .await
        .unwrap();
    let values: Vec<Option<f64>> = found
        .into_iter()
        .map(|newest| newest.unwrap().map(|datapoint| datapoint.value))
        .collect();
    assert_eq!(values, [Some(0.0), Some(1.0), None]);
}

async fn alarms(emulator: &Emulator) {
    let definitions = CloudWatchDefinitions::new(&emulator.config());
    let read = async || definitions.definition(None, "shop-blue").await.unwrap();
    let tags = [("understudy".to_owned(), "shop".to_owned())];
    let wanted = AlarmDefinition {
        description: Some("blue has no healthy target".into()),
        actions_enabled: true,
        alarm_actions: vec!["arn:aws:sns:eu-west-1:000000000000:shop".into()],
        namespace: "AWS/ApplicationELB".into(),
        metric_name: "UnHealthyHostCount".into(),
        dimensions: BTreeMap::from([
            ("TargetGroup".to_owned(), "targetgroup/blue/0123456789abcdef".to_owned()),
            ("LoadBalancer".to_owned(), "app/shop/0123456789abcdef".to_owned()),
        ]),
        statistic: Some("Minimum".into()),
        period_seconds: 60,
        evaluation_periods: 2,
        threshold: Threshold(1.0),
        comparison: "GreaterThanOrEqualToThreshold".into(),
        treat_missing_data: Some("breaching".into()),
        ..AlarmDefinition::default()
    };
    assert_eq!(read().await, None);
    definitions
        .define(None, "shop-blue", None, &wanted, &tags)
        .await
        .unwrap();
    let made = read().await.unwrap();
    assert!(made.same_as(&wanted), "{made:?}");
    let taken = definitions
        .define(None, "shop-blue", None, &wanted, &tags)
        .await
        .unwrap_err();
    assert_eq!(taken.kind, CallErrorKind::Conflict, "{taken}");

    let other = AlarmDefinition {
        threshold: Threshold(2.5),
        ok_actions: wanted.alarm_actions.clone(),
        ..wanted.clone()
    };
    definitions
        .define(None, "shop-blue", Some(&made), &other, &[])
        .await
        .unwrap();
    let replaced = read().await.unwrap();
    assert!(replaced.same_as(&other), "{replaced:?}");
    let stale = definitions.remove(None, "shop-blue", &made).await.unwrap_err();
    assert_eq!(stale.kind, CallErrorKind::Conflict, "{stale}");
    definitions
        .define(None, "shop-blue", Some(&replaced), &made, &[])
        .await
        .unwrap();
    let restored = read().await.unwrap();
    assert!(restored.same_as(&made), "{restored:?}");
    definitions.remove(None, "shop-blue", &restored).await.unwrap();
    assert_eq!(read().await, None);
}

async fn failover_records(emulator: &Emulator) {
    let client = aws_sdk_route53::Client::new(&emulator.sdk);
    let zone = client
        .create_hosted_zone()
        .name("example.test")
        .caller_reference("emulated")
        .send()
        .await
        .unwrap();
    let zone = zone
        .hosted_zone()
        .unwrap()
        .id()
        .trim_start_matches("/hostedzone/")
        .to_owned();
    let dns = Route53Dns::new(&emulator.config());
    let name = [("shop.example.test".to_owned(), "A".to_owned())];
    let read = async || {
        let mut found = dns.records(&zone, &name).await.unwrap();
        found.sort_by(|left, right| left.set_identifier.cmp(&right.set_identifier));
        found
    };
    let set = |site: &str, role: &str, address: &str| RecordSet {
        name: "shop.example.test.".into(),
        record_type: "A".into(),
        set_identifier: Some(site.into()),
        failover: Some(role.into()),
        ttl_seconds: Some(30),
        values: vec![address.into()],
        ..RecordSet::default()
    };
    let home = [
        set("blue", "PRIMARY", "192.0.2.1"),
        set("green", "SECONDARY", "192.0.2.2"),
    ];
    let created = home.clone().map(|set| RecordChange {
        old: None,
        new: Some(set),
    });
    assert_eq!(read().await, []);
    let change = dns.change_records(&zone, &created, "made").await.unwrap();
    assert!(
        !dns.in_sync(&change).await.unwrap(),
        "the emulator takes a change for done when it is asked again"
    );
    assert!(dns.in_sync(&change).await.unwrap());
    assert_eq!(read().await, home);

    // Both change in one batch, or neither: the second set is not as it says, so the first stays too.
    let away = home.clone().map(|set| RecordSet {
        ttl_seconds: Some(10),
        ..set
    });
    let change_from = |old: &[RecordSet; 2]| {
        [0, 1].map(|index| RecordChange {
            old: Some(old[index].clone()),
            new: Some(away[index].clone()),
        })
    };
    let mut imagined = home.clone();
    imagined[1].values = vec!["192.0.2.9".into()];
    let stale = dns
        .change_records(&zone, &change_from(&imagined), "stale")
        .await
        .unwrap_err();
    assert_eq!(stale.kind, CallErrorKind::Conflict, "{stale}");
    assert_eq!(read().await, home);
    dns.change_records(&zone, &change_from(&home), "changed").await.unwrap();
    assert_eq!(read().await, away);
    let removed = away.map(|set| RecordChange {
        old: Some(set),
        new: None,
    });
    dns.change_records(&zone, &removed, "removed").await.unwrap();
    assert_eq!(read().await, []);
}

// A function as a user would write one.
const HOOK: &str = "
def handler(event, context):
    if event['direction'] == 'back':
        return {'ok': False, 'reason': 'a batch runs'}
    return {'ok': True, 'detail': event['plan'] + ' ' + event['idempotency_key']}
";

fn package() -> Vec<u8> {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.tools/ministack/bin/python");
    let write = "import sys, zipfile; zipfile.ZipFile(sys.stdout.buffer, 'w').writestr('hook.py', sys.argv[1])";
    let zipped = Command::new(python).args(["-c", write, HOOK]).output().unwrap();
    assert!(zipped.status.success(), "{}", String::from_utf8_lossy(&zipped.stderr));
    zipped.stdout
}

async fn hooks(emulator: &Emulator) {
    let client = aws_sdk_lambda::Client::new(&emulator.sdk);
    client
        .create_function()
        .function_name("shop-hook")
        .runtime(Runtime::from("python3.11"))
        .handler("hook.handler")
        .role("arn:aws:iam::000000000000:role/hook")
        .code(FunctionCode::builder().zip_file(Blob::new(package())).build())
        .send()
        .await
        .unwrap();
    let function = |name: &str| HookFunction {
        name: name.into(),
        qualifier: None,
    };
    let hooks = LambdaHooks::new(&emulator.config());
    let event = |direction: &str| json!({"plan": "shop", "idempotency_key": "e-1/hook", "direction": direction});
    // The first call starts its process, which may take longer than a hook has.
    let begun = Instant::now();
    let answer = loop {
        match hooks.ask(None, &function("shop-hook"), &event("forward")).await {
            Ok(answer) => break answer,
            Err(error) if begun.elapsed() > Duration::from_secs(60) => panic!("{error}"),
            Err(_) => tokio::time::sleep(Duration::from_millis(200)).await,
        }
    };
    let done = HookAnswer::Done {
        detail: Some("shop e-1/hook".into()),
    };
    assert_eq!(answer, done);
    let refused = HookAnswer::Refused {
        reason: "a batch runs".into(),
    };
    let back = hooks.ask(None, &function("shop-hook"), &event("back")).await;
    assert_eq!(back.unwrap(), refused);
    let missing = hooks
        .ask(None, &function("nobody"), &event("forward"))
        .await
        .unwrap_err();
    assert_eq!(missing.kind, CallErrorKind::NotFound, "{missing}");
}
