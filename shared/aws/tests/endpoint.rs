//! Real connections to servers of this very test.
//!
//! Tries probes: endpoint.

#![cfg(feature = "endpoint")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use serde_json::json;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use understudy_aws::endpoint::NetworkEndpoint;
use understudy_core::health::{Health, Sample};
use understudy_core::plan::EndpointProbe;
use understudy_engine::ports::Endpoint;

/// A probe of this address; `more` overrides its fields.
fn probe(address: SocketAddr, more: serde_json::Value) -> EndpointProbe {
    let mut fields = json!({
        "name": "web", "site": "blue", "host": address.ip().to_string(), "port": address.port(), "protocol": "http",
        "timeout_seconds": 5,
    });
    for (name, value) in more.as_object().unwrap() {
        fields[name] = value.clone();
    }
    serde_json::from_value(fields).unwrap()
}

async fn check(address: SocketAddr, more: serde_json::Value) -> Sample {
    NetworkEndpoint::new().check(&probe(address, more)).await
}

/// Reads one request up to its empty line and gives the answer, byte for byte.
async fn answer(mut stream: impl AsyncRead + AsyncWrite + Unpin, answer: Vec<u8>) -> String {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => request.push(byte),
            Err(_) => return String::new(),
        }
    }
    let _ = stream.write_all(&answer).await;
    let _ = stream.shutdown().await;
    String::from_utf8(request).unwrap()
}

fn http(status: &str, body: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\nLocation: /elsewhere\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// A server that gives every connection the same answer.
async fn server(response: Vec<u8>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer(stream, response.clone()));
        }
    });
    address
}

#[tokio::test]
async fn the_status_decides() {
    let good = server(http("200 OK", "hello")).await;
    assert_eq!(check(good, json!({})).await, Sample::new(Health::Healthy, "HTTP 200"));
    let bad = server(http("500 Internal Server Error", "")).await;
    assert_eq!(
        check(bad, json!({})).await,
        Sample::new(Health::Unhealthy, "HTTP 500, expected 200 to 299")
    );
    let range = json!({"expected_status": {"from": 500, "to": 500}});
    assert_eq!(check(bad, range).await.health, Health::Healthy);
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = server(http("302 Found", "")).await;
    let sample = check(elsewhere, json!({})).await;
    assert_eq!(
        sample,
        Sample::new(
            Health::Unhealthy,
            "HTTP 302, expected 200 to 299; redirects are not followed"
        )
    );
}

#[tokio::test]
async fn the_request_is_what_the_plan_says_and_each_try_connects_anew() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let seen = tokio::spawn(async move {
        let mut seen = Vec::new();
        for _ in 0..2 {
            let (stream, _) = listener.accept().await.unwrap();
            seen.push(answer(stream, b"HTTP/1.1 204 No Content\r\n\r\n".to_vec()).await);
        }
        seen
    });
    let endpoint = NetworkEndpoint::new();
    let wanted = probe(address, json!({"path": "/health?deep=1", "method": "HEAD"}));
    for _ in 0..2 {
        assert_eq!(endpoint.check(&wanted).await.health, Health::Healthy);
    }
    for request in seen.await.unwrap() {
        assert!(request.starts_with("HEAD /health?deep=1 HTTP/1.1\r\n"), "{request}");
        assert!(request.contains("user-agent: understudy-probe\r\n"), "{request}");
    }
}

#[tokio::test]
async fn the_body_is_looked_at_to_64_kib() {
    let hello = server(http("200 OK", "status: ready")).await;
    assert_eq!(
        check(hello, json!({"body_contains": "ready"})).await.health,
        Health::Healthy
    );
    let sample = check(hello, json!({"body_contains": "broken"})).await;
    assert_eq!(
        sample,
        Sample::new(Health::Unhealthy, "HTTP 200, the body does not contain \"broken\"")
    );

    let within = server(http("200 OK", &format!("{}needle", "x".repeat(64 * 1024 - 6)))).await;
    assert_eq!(
        check(within, json!({"body_contains": "needle"})).await.health,
        Health::Healthy
    );
    let beyond = server(http("200 OK", &format!("{}needle", "x".repeat(64 * 1024)))).await;
    assert_eq!(
        check(beyond, json!({"body_contains": "needle"})).await.health,
        Health::Unhealthy
    );
}

#[tokio::test]
async fn silence_and_a_body_that_never_ends_run_out_of_time() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let sample = check(address, json!({"timeout_seconds": 1})).await;
    assert_eq!(sample, Sample::new(Health::Unhealthy, "no answer within 1 s"));
    let hanging = tokio::spawn(async move {
        let mut open = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read_u8().await;
            let begin = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly the begin";
            let _ = stream.write_all(begin).await;
            open.push(stream);
        }
    });
    let sample = check(address, json!({"timeout_seconds": 1, "body_contains": "end"})).await;
    assert_eq!(sample, Sample::new(Health::Unhealthy, "no answer within 1 s"));
    hanging.abort();
}

#[tokio::test]
async fn a_port_that_nobody_listens_on_refuses() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    assert_eq!(check(address, json!({"protocol": "tcp"})).await.health, Health::Healthy);
    drop(listener);
    for protocol in ["http", "https", "tcp"] {
        let sample = check(address, json!({"protocol": protocol})).await;
        assert_eq!(
            sample,
            Sample::new(Health::Unhealthy, "connection refused"),
            "{protocol}"
        );
    }
}

#[tokio::test]
async fn an_answer_that_is_not_http_is_unhealthy() {
    let odd = server(b"220 mail.example.test ready\r\n\r\n".to_vec()).await;
    assert_eq!(check(odd, json!({})).await.health, Health::Unhealthy);
}

#[tokio::test]
async fn a_plan_that_makes_no_address_says_nothing_about_the_endpoint() {
    let good = server(http("200 OK", "")).await;
    assert_eq!(check(good, json!({"host": "not a host"})).await.health, Health::Unknown);
    assert_eq!(
        check(good, json!({"protocol": "tcp", "port": null})).await.health,
        Health::Unknown
    );
}

/// An HTTPS server with a certificate of its own for `localhost`; the certificate as PEM.
async fn tls_server(names: &[&str]) -> (SocketAddr, String) {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let signed = rcgen::generate_simple_self_signed(names).unwrap();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(signed.signing_key.serialize_der()));
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![signed.cert.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                if let Ok(stream) = acceptor.accept(stream).await {
                    answer(stream, http("200 OK", "secure")).await;
                }
            });
        }
    });
    (address, signed.cert.pem())
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_named() {
    let (address, _) = tls_server(&["localhost"]).await;
    let sample = check(address, json!({"protocol": "https", "host": "localhost"})).await;
    assert_eq!(sample.health, Health::Unhealthy, "{}", sample.reason);
    assert!(
        sample.reason.starts_with("TLS: the certificate is not valid: "),
        "{}",
        sample.reason
    );
}

#[tokio::test]
async fn a_certificate_of_a_given_root_is_trusted_for_its_name_only() {
    let (address, pem) = tls_server(&["localhost"]).await;
    let endpoint = NetworkEndpoint::with_roots(&[&pem]).unwrap();
    let good = probe(
        address,
        json!({"protocol": "https", "host": "localhost", "body_contains": "secure"}),
    );
    assert_eq!(
        endpoint.check(&good).await,
        Sample::new(Health::Healthy, "HTTP 200, body as expected")
    );
    let wrong = probe(address, json!({"protocol": "https", "host": "127.0.0.1"}));
    let sample = endpoint.check(&wrong).await;
    assert_eq!(sample.health, Health::Unhealthy);
    assert!(
        sample.reason.starts_with("TLS: the certificate is not valid: "),
        "{}",
        sample.reason
    );
}

#[tokio::test]
async fn a_plain_server_behind_an_https_probe_is_unhealthy() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let _ = stream.read(&mut [0; 4096]).await;
        let _ = stream.write_all(&http("400 Bad Request", "")).await;
    });
    let sample = check(address, json!({"protocol": "https"})).await;
    assert_eq!(sample.health, Health::Unhealthy);
    assert!(sample.reason.starts_with("TLS: "), "{}", sample.reason);
}

#[test]
fn a_root_that_is_no_certificate_is_refused() {
    assert!(NetworkEndpoint::with_roots(&["-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n"]).is_err());
}
