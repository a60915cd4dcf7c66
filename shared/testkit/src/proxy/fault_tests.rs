//! Bad days at the proxy: what a caller sees, what the emulator saw, and what is on record.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use std::collections::BTreeMap;

use super::answer::error_code;
use super::tests::{form, proxy, request};
use super::*;

type Answered = Option<(u16, Option<String>, Bytes)>;

/// Status, error code and body; none if the connection ended without an answer.
async fn ask(request: hyper::Request<Full<Bytes>>) -> Answered {
    let client = Client::builder(TokioExecutor::new())
        .retry_canceled_requests(false)
        .build_http::<Full<Bytes>>();
    let (head, body) = client.request(request).await.ok()?.into_parts();
    let body = body.collect().await.ok()?.to_bytes();
    let code = error_code(&head.headers, &body);
    Some((head.status.as_u16(), code, body))
}

fn modify(proxy: &RecordingProxy) -> hyper::Request<Full<Bytes>> {
    request(proxy, "elasticloadbalancing", "/")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(form("Action=ModifyListener&ListenerArn=arn%3Aone"))
        .unwrap()
}

#[tokio::test]
async fn a_throttled_call_never_reaches_the_emulator_and_reads_as_its_service_would_say_it() {
    let proxy = proxy().await;
    proxy.faults().add(FaultRule::new().with(Fault::Throttled, 100));
    let calls = [
        (
            request(&proxy, "dynamodb", "/").header("x-amz-target", "DynamoDB_20120810.PutItem"),
            400,
            "ThrottlingException",
        ),
        (
            request(&proxy, "elasticloadbalancing", "/").header("content-type", "application/x-www-form-urlencoded"),
            400,
            "Throttling",
        ),
        (
            request(&proxy, "ec2", "/").header("content-type", "application/x-www-form-urlencoded"),
            503,
            "RequestLimitExceeded",
        ),
        (
            request(&proxy, "route53", "/2013-04-01/hostedzone/Z1/rrset"),
            400,
            "Throttling",
        ),
        (
            request(&proxy, "lambda", "/2015-03-31/functions/f/invocations"),
            429,
            "TooManyRequestsException",
        ),
        (
            request(&proxy, "monitoring", "/service/x/operation/y").header("smithy-protocol", "rpc-v2-cbor"),
            400,
            "ThrottlingException",
        ),
    ];
    for (call, status, code) in calls {
        let (found, found_code, _) = ask(call.body(form("")).unwrap()).await.expect("an answer");
        assert_eq!((found, found_code.as_deref()), (status, Some(code)));
    }
    let struck = proxy
        .calls()
        .iter()
        .filter(|call| call.fault_injected == Some(Fault::Throttled))
        .count();
    assert_eq!(struck, 6);
    assert_eq!(proxy.faults().struck(), BTreeMap::from([(Fault::Throttled, 6)]));
}

#[tokio::test]
async fn a_server_error_has_status_500_and_a_code() {
    let proxy = proxy().await;
    proxy.faults().add(FaultRule::new().with(Fault::ServerError, 100));
    let (status, code, _) = ask(modify(&proxy)).await.expect("an answer");
    assert_eq!((status, code.as_deref()), (500, Some("InternalFailure")));
}

#[tokio::test]
async fn a_reset_has_no_effect_and_a_lost_reply_has() {
    let proxy = proxy().await;
    proxy.faults().add(FaultRule::new().with(Fault::Reset, 100).times(1));
    proxy
        .faults()
        .add(FaultRule::new().with(Fault::ReplyLost, 100).times(1));
    assert_eq!(ask(modify(&proxy)).await, None, "reset");
    assert_eq!(ask(modify(&proxy)).await, None, "reply lost");
    let (status, _, body) = ask(modify(&proxy)).await.expect("the rules are over");
    assert_eq!(status, 200);
    assert!(String::from_utf8_lossy(&body).contains("ModifyListener"));
    let seen: Vec<_> = proxy
        .calls()
        .iter()
        .map(|call| call.outcome.as_ref().map(|outcome| outcome.status))
        .collect();
    assert_eq!(seen, [Some(0), Some(0), Some(200)], "all three are on record as ended");
}

#[tokio::test]
async fn a_rule_is_about_its_caller_service_and_operation_only() {
    let proxy = proxy().await;
    proxy.callers().name("ASIA0123456789ABCDEF", "executor");
    let rule = |caller: &str, service: &str, operation: &str| {
        FaultRule::new()
            .of_callers([caller])
            .of_service(service)
            .of_operations(&[operation])
            .with(Fault::ServerError, 100)
    };
    proxy
        .faults()
        .add(rule("probe", "elasticloadbalancing", "ModifyListener"));
    proxy.faults().add(rule("executor", "ec2", "ModifyListener"));
    proxy
        .faults()
        .add(rule("executor", "elasticloadbalancing", "ModifyRule"));
    assert_eq!(ask(modify(&proxy)).await.expect("an answer").0, 200);
    proxy
        .faults()
        .add(rule("executor", "elasticloadbalancing", "ModifyListener"));
    assert_eq!(ask(modify(&proxy)).await.expect("an answer").0, 500);
    proxy.faults().clear();
    assert_eq!(ask(modify(&proxy)).await.expect("an answer").0, 200);
}
