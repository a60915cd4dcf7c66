//! The proxy in front of tiny upstream servers that tell what they were sent.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::answer::error_code;
use super::operation::{RequestShape, operation_name};
use super::*;

const AUTHORIZATION: &str = "AWS4-HMAC-SHA256 Credential=ASIA0123456789ABCDEF/20261121/us-east-1/SERVICE/aws4_request, SignedHeaders=host;x-amz-date, Signature=00";

/// Answers 200 and tells in JSON what it saw; `x-wanted-status` asks for an error answer.
pub(super) async fn upstream(name: &'static str) -> Upstream {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let answer = service_fn(move |request: Request<Incoming>| async move {
                    let (parts, body) = request.into_parts();
                    let body = body.collect().await.unwrap().to_bytes();
                    let header = |key: &str| parts.headers.get(key).map(|v| v.to_str().unwrap().to_owned());
                    let seen = json!({
                        "upstream": name, "host": header("host"), "path": parts.uri.to_string(),
                        "body": String::from_utf8_lossy(&body), "expect": header("expect"),
                    });
                    let mut response = Response::new(Full::new(Bytes::from(seen.to_string())));
                    if let Some(status) = header("x-wanted-status") {
                        *response.status_mut() = status.parse().unwrap();
                        *response.body_mut() = Full::new(Bytes::from_static(
                            br#"{"__type":"com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException"}"#,
                        ));
                    }
                    Ok::<_, hyper::Error>(response)
                });
                let _ = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), answer)
                    .await;
            });
        }
    });
    Upstream::new(name, address.to_string())
}

pub(super) async fn proxy() -> RecordingProxy {
    let moto = upstream("moto").await;
    let routes = RoutingTable::new(upstream("ministack").await).with(&["elasticloadbalancing"], &moto);
    RecordingProxy::start(ProxySettings::new(routes)).await.unwrap()
}

pub(super) fn request(proxy: &RecordingProxy, service: &str, path: &str) -> hyper::http::request::Builder {
    Request::builder()
        .method(Method::POST)
        .uri(format!("{}{path}", proxy.endpoint_url()))
        .header("authorization", AUTHORIZATION.replace("SERVICE", service))
}

pub(super) async fn send(request: Request<Full<Bytes>>) -> (u16, Value) {
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let response = client.request(request).await.unwrap();
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&body).unwrap())
}

pub(super) fn form(text: &'static str) -> Full<Bytes> {
    Full::new(Bytes::from_static(text.as_bytes()))
}

#[tokio::test]
async fn the_service_in_the_signature_decides_the_upstream() {
    let proxy = proxy().await;
    for (service, expected) in [
        ("dynamodb", "ministack"),
        ("elasticloadbalancing", "moto"),
        ("never-heard-of", "ministack"),
    ] {
        let (_, seen) = send(request(&proxy, service, "/").body(form("")).unwrap()).await;
        assert_eq!(seen["upstream"], expected, "{service}");
    }
    let unsigned = Request::post(proxy.endpoint_url()).body(form("")).unwrap();
    assert_eq!(send(unsigned).await.1["upstream"], "ministack");
}

#[tokio::test]
async fn what_is_signed_arrives_unchanged() {
    let proxy = proxy().await;
    let path = "/2013-04-01/hostedzone/Z1/rrset?name=a%2Fb%20c&empty=&x=%C3%A9";
    let call = request(&proxy, "route53", path)
        .header("host", "signed.example.test")
        .header("expect", "100-continue")
        .body(form("<xml/>"))
        .unwrap();
    let (_, seen) = send(call).await;
    assert_eq!(seen["host"], "signed.example.test");
    assert_eq!(seen["path"], path);
    assert_eq!(seen["body"], "<xml/>");
    assert_eq!(seen["expect"], Value::Null);
}

#[tokio::test]
async fn a_query_call_is_recorded_with_operation_resource_and_caller() {
    let proxy = proxy().await;
    proxy.callers().name("ASIA0123456789ABCDEF", "executor-role");
    let mark = proxy.mark();
    let call = request(&proxy, "elasticloadbalancing", "/")
        .header("content-type", "application/x-www-form-urlencoded; charset=utf-8")
        .body(form(
            "Action=ModifyListener&ListenerArn=arn%3Aaws%3Ax%3Alistener%2Fapp%2Fa&Other=1",
        ))
        .unwrap();
    send(call).await;
    let calls = proxy.calls_since(mark);
    assert_eq!(calls.len(), 1);
    assert_eq!(calls[0].operation, "ModifyListener");
    assert_eq!(calls[0].resources, ["arn:aws:x:listener/app/a"]);
    assert_eq!(calls[0].caller.as_deref(), Some("executor-role"));
    assert_eq!(calls[0].region.as_deref(), Some("us-east-1"));
    assert_eq!(calls[0].upstream, "moto");
    assert!(calls[0].succeeded());
    assert_eq!(proxy.count("elasticloadbalancing", "ModifyListener"), 1);
    assert_eq!(proxy.count("elasticloadbalancing", "ModifyRule"), 0);
}

#[tokio::test]
async fn a_table_write_is_recorded_with_its_key_and_its_refusal() {
    let proxy = proxy().await;
    let call = request(&proxy, "dynamodb", "/")
        .header("x-amz-target", "DynamoDB_20120810.PutItem")
        .header("content-type", "application/x-amz-json-1.0")
        .header("x-wanted-status", "400")
        .body(form(
            r#"{"TableName":"t","Item":{"plan":{"S":"shop"},"item":{"S":"control"}}}"#,
        ))
        .unwrap();
    assert_eq!(send(call).await.0, 400);
    let record = proxy.calls().pop().unwrap();
    assert_eq!(record.operation, "PutItem");
    assert_eq!(record.resources, ["t"]);
    let key = record.table_key.clone().unwrap();
    assert_eq!((key.plan.as_str(), key.item.as_str()), ("shop", "control"));
    assert_eq!(record.error_code(), Some("ConditionalCheckFailedException"));
    assert!(!record.succeeded());
}

#[tokio::test]
async fn latency_is_added_where_it_was_asked_for() {
    let proxy = proxy().await;
    proxy.latency().set_every_call(Duration::from_millis(2));
    proxy.latency().set_service("sns", Duration::from_millis(5));
    for service in ["sns", "sqs"] {
        send(request(&proxy, service, "/").body(form("")).unwrap()).await;
    }
    proxy.latency().clear();
    send(request(&proxy, "sns", "/").body(form("")).unwrap()).await;
    let injected: Vec<u64> = proxy
        .calls()
        .iter()
        .map(|record| record.latency_injected_milliseconds)
        .collect();
    assert_eq!(injected, [5, 2, 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn sixty_four_calls_at_once_are_all_answered_and_recorded_once() {
    let proxy = proxy().await;
    let mut calls = tokio::task::JoinSet::new();
    for number in 0..64 {
        let body = format!(r#"{{"TableName":"t{number}"}}"#);
        let call = request(&proxy, "dynamodb", "/")
            .header("x-amz-target", "DynamoDB_20120810.GetItem")
            .body(Full::new(Bytes::from(body)))
            .unwrap();
        calls.spawn(send(call));
    }
    while let Some(answer) = calls.join_next().await {
        assert_eq!(answer.unwrap().0, 200);
    }
    let mut tables: Vec<String> = proxy.calls().iter().map(|r| r.resources[0].clone()).collect();
    tables.sort();
    tables.dedup();
    assert_eq!(tables.len(), 64);
    assert!(proxy.calls().iter().all(CallRecord::succeeded));
}

#[tokio::test]
async fn an_upstream_that_is_down_is_a_502_with_the_reason() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let routes = RoutingTable::new(Upstream::new("ministack", closed.to_string()));
    let proxy = RecordingProxy::start(ProxySettings::new(routes)).await.unwrap();
    let (status, answer) = send(request(&proxy, "sns", "/").body(form("")).unwrap()).await;
    assert_eq!(status, 502);
    assert_eq!(answer["__type"], "ProxyUpstreamUnreachable");
    let message = answer["message"].as_str().unwrap();
    assert!(
        message.contains("ministack") && message.contains(&closed.to_string()),
        "{message}"
    );
    assert_eq!(proxy.calls()[0].error_code(), Some("ProxyUpstreamUnreachable"));
}

#[tokio::test]
async fn a_caller_that_hangs_up_leaves_its_call_on_record_and_the_proxy_alive() {
    use tokio::io::AsyncWriteExt;
    let proxy = proxy().await;
    proxy.latency().set_every_call(Duration::from_millis(20));
    let mut stream = tokio::net::TcpStream::connect(proxy.address()).await.unwrap();
    let head = "POST / HTTP/1.1\r\nhost: a\r\nx-amz-target: A.Gone\r\ncontent-length: 2\r\n\r\n{}";
    stream.write_all(head.as_bytes()).await.unwrap();
    while proxy.calls().is_empty() {
        tokio::task::yield_now().await;
    }
    drop(stream);
    let mut garbage = tokio::net::TcpStream::connect(proxy.address()).await.unwrap();
    garbage
        .write_all(b"\x16\x03\x01 this is not HTTP\r\n\r\n")
        .await
        .unwrap();
    drop(garbage);
    while proxy.calls()[0].outcome.is_none() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(proxy.calls()[0].operation, "Gone");
    assert!(proxy.calls()[0].succeeded());
    assert_eq!(send(request(&proxy, "sns", "/").body(form("")).unwrap()).await.0, 200);
}

#[tokio::test]
async fn ended_calls_are_also_lines_of_json() {
    let folder = std::env::temp_dir().join(format!("understudy-proxy-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("calls.jsonl");
    let mut settings = ProxySettings::new(RoutingTable::new(upstream("ministack").await));
    settings.record_file = Some(file.clone());
    let proxy = RecordingProxy::start(settings).await.unwrap();
    for _ in 0..2 {
        send(request(&proxy, "sns", "/").body(form("")).unwrap()).await;
    }
    let text = std::fs::read_to_string(&file).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[1]["number"], 1);
    assert_eq!(lines[1]["outcome"]["status"], 200);
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn operations_are_named_in_every_protocol() {
    let plain = RequestShape {
        service: None,
        method: "GET",
        path: "/",
        target: None,
        action: None,
    };
    let rest = |service, method, path| RequestShape {
        service: Some(service),
        method,
        path,
        ..plain
    };
    for (request, expected) in [
        (
            rest("route53", "POST", "/2013-04-01/hostedzone/Z1/rrset/"),
            "ChangeResourceRecordSets",
        ),
        (rest("route53", "GET", "/2013-04-01/change/C1"), "GetChange"),
        (
            rest("lambda", "POST", "/2015-03-31/functions/decision/invocations"),
            "Invoke",
        ),
        (
            rest(
                "monitoring",
                "POST",
                "/service/GraniteServiceVersion20100801/operation/DescribeAlarms",
            ),
            "DescribeAlarms",
        ),
        (rest("route53", "PATCH", "/2013-04-01/new"), "PATCH /2013-04-01/new"),
        (
            RequestShape {
                action: Some("Publish"),
                ..plain
            },
            "Publish",
        ),
        (
            RequestShape {
                target: Some("AmazonSQS.SendMessage"),
                ..plain
            },
            "SendMessage",
        ),
    ] {
        assert_eq!(operation_name(request), expected);
    }
}

#[test]
fn error_codes_are_found_in_every_protocol() {
    let none = hyper::HeaderMap::new();
    for (body, expected) in [
        (
            &br#"{"__type":"com.amazon#AccessDeniedException"}"#[..],
            "AccessDeniedException",
        ),
        (
            b"<ErrorResponse><Error><Code>AccessDenied</Code></Error></ErrorResponse>",
            "AccessDenied",
        ),
        (b"\xa1\x66__type\x73com.amazon#Throttle", "Throttle"),
    ] {
        assert_eq!(error_code(&none, body).as_deref(), Some(expected), "{body:?}");
    }
    assert_eq!(error_code(&none, b"\xa1\x66__type"), None);
    let mut headers = hyper::HeaderMap::new();
    headers.insert("x-amzn-errortype", "NoSuchHostedZone:http://x/".parse().unwrap());
    assert_eq!(error_code(&headers, b"").as_deref(), Some("NoSuchHostedZone"));
}

#[test]
fn a_scope_is_read_from_header_and_presigned_query_and_nothing_else() {
    let scope = CredentialScope::parse(&AUTHORIZATION.replace("SERVICE", "rds")).unwrap();
    assert_eq!(scope.service, "rds");
    assert_eq!(scope.access_key_id, "ASIA0123456789ABCDEF");
    let query = "a=b&X-Amz-Credential=test%2F20261121%2Feu-west-1%2Fs3%2Faws4_request";
    assert_eq!(CredentialScope::parse_query(query).unwrap().region, "eu-west-1");
    for bad in [
        "",
        "Bearer x",
        "Credential=",
        "Credential=a/b/c",
        "Credential=a/b/c/d/other",
    ] {
        assert_eq!(CredentialScope::parse(bad), None, "{bad}");
    }
}

#[test]
fn a_functions_access_key_is_derived_as_the_emulator_does() {
    let key = function_access_key(
        "arn:aws:lambda:us-east-1:000000000000:function:decision",
        "arn:aws:iam::000000000000:role/decision",
    );
    assert_eq!(key.len(), 20);
    assert_eq!(key, "ASIAEB6725564AC1C7E0");
}
