//! The health checks that setup adjusts, at an emulator that keeps what is written: what was set is what is read.
//!
//! Alarms are not here: CloudWatch speaks CBOR with this SDK, and the emulator does not.
//!
//! Tries steps: target_group_health.

#![cfg(feature = "elbv2")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use aws_sdk_elasticloadbalancingv2::types::ProtocolEnum;
use common::emulator::Moto;
use std::io::{Read, Write};
use std::net::TcpStream;
use understudy_aws::elbv2::ElbTraffic;
use understudy_core::state::{HealthCheck, Matcher};
use understudy_engine::ports::{CallErrorKind, Traffic};

// Asked without the SDK of EC2, which takes long to build.
fn default_vpc(moto: &Moto) -> String {
    let body = "Action=DescribeVpcs&Version=2016-11-15";
    let address = moto.sdk.endpoint_url().unwrap().strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    // The emulator tells services apart by whom a request is signed for, and does not look at the signature.
    let credential = "AKIDEXAMPLE/20260101/eu-west-1/ec2/aws4_request";
    let head = [
        "POST / HTTP/1.1".to_owned(),
        format!("Host: {address}"),
        "Connection: close".to_owned(),
        format!("Authorization: AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host, Signature=0"),
        "Content-Type: application/x-www-form-urlencoded".to_owned(),
        format!("Content-Length: {}", body.len()),
    ];
    write!(stream, "{}\r\n\r\n{body}", head.join("\r\n")).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (_, rest) = answer
        .split_once("<vpcId>")
        .unwrap_or_else(|| panic!("no default VPC: {answer}"));
    rest.split_once('<').unwrap().0.to_owned()
}

#[tokio::test]
async fn a_health_check_is_read_as_it_was_set_and_restored_exactly() {
    let moto = Moto::start().await;
    let client = aws_sdk_elasticloadbalancingv2::Client::new(&moto.sdk);
    let created = client
        .create_target_group()
        .name("blue")
        .protocol(ProtocolEnum::Http)
        .port(80)
        .vpc_id(default_vpc(&moto))
        .send()
        .await
        .unwrap();
    let arn = created.target_groups()[0].target_group_arn().unwrap();
    let traffic = ElbTraffic::new(&moto.config());
    let before = traffic.health_check(None, arn).await.unwrap();
    assert!(before.enabled);
    assert_eq!(
        (before.protocol.as_str(), before.port.as_str()),
        ("HTTP", "traffic-port")
    );
    let wanted = HealthCheck {
        port: "8443".into(),
        path: Some("/health".into()),
        interval_seconds: 12,
        answer_seconds: 4,
        unhealthy_threshold: 4,
        matcher: Some(Matcher::Http("200-299".into())),
        ..before.clone()
    };
    traffic.set_health_check(None, arn, &before, &wanted).await.unwrap();
    assert_eq!(traffic.health_check(None, arn).await.unwrap(), wanted);
    let stale = traffic.set_health_check(None, arn, &before, &wanted).await.unwrap_err();
    assert_eq!(stale.kind, CallErrorKind::Conflict, "{stale}");
    traffic.set_health_check(None, arn, &wanted, &before).await.unwrap();
    assert_eq!(traffic.health_check(None, arn).await.unwrap(), before);
    let missing = traffic
        .health_check(None, &arn.replace("/blue/", "/none/"))
        .await
        .unwrap_err();
    assert_eq!(missing.kind, CallErrorKind::NotFound, "{missing}");
}
