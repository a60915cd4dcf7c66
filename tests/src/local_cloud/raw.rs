//! Signed calls without an SDK, for services of which a test needs one or two operations.
//!
//! CloudFormation, IAM and EventBridge are asked so little that compiling their SDKs would cost
//! more than these lines. Credentials are the emulator's root ones; they are not a secret.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::{Request, StatusCode};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

use super::REGION;
use super::error::CloudError;

/// Root access key id and secret of the emulators.
pub(super) const ROOT: (&str, &str) = ("test", "test");

/// Calls a Query service (`Action=…`) in [`REGION`] and returns the XML of its answer.
pub(super) async fn query(
    endpoint: &str,
    service: &str,
    version: &str,
    action: &str,
    parameters: &[(&str, &str)],
) -> Result<String, CloudError> {
    query_in(REGION, endpoint, service, version, action, parameters).await
}

/// The same in any Region.
pub(super) async fn query_in(
    region: &str,
    endpoint: &str,
    service: &str,
    version: &str,
    action: &str,
    parameters: &[(&str, &str)],
) -> Result<String, CloudError> {
    let body = form_urlencoded::Serializer::new(String::new())
        .append_pair("Action", action)
        .append_pair("Version", version)
        .extend_pairs(parameters)
        .finish();
    let kind = "application/x-www-form-urlencoded";
    send(region, endpoint, service, action, &[("content-type", kind)], body).await
}

/// Calls a JSON service; `target` is the whole `X-Amz-Target`, for example `AWSEvents.ListRules`.
pub(super) async fn json(endpoint: &str, service: &str, target: &str, body: &Value) -> Result<Value, CloudError> {
    let headers = [("content-type", "application/x-amz-json-1.1"), ("x-amz-target", target)];
    let answer = send(REGION, endpoint, service, target, &headers, body.to_string()).await?;
    if answer.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_str(&answer)
        .map_err(|error| CloudError::missing(format!("the answer to {target}"), error.to_string()))
}

async fn send(
    region: &str,
    endpoint: &str,
    service: &str,
    what: &str,
    headers: &[(&str, &str)],
    body: String,
) -> Result<String, CloudError> {
    let refused = |reason: String| CloudError::Call {
        what: what.to_owned(),
        reason,
    };
    let url = format!("{endpoint}/");
    let mut request = Request::post(&url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let mut request = request
        .body(Full::new(Bytes::from(body.clone())))
        .map_err(|e| refused(e.to_string()))?;
    let identity = Credentials::new(ROOT.0, ROOT.1, None, None, "understudy-tests").into();
    let parameters = v4::SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name(service)
        .time(SystemTime::now())
        .settings(SigningSettings::default())
        .build()
        .map_err(|e| refused(e.to_string()))?
        .into();
    let signable = SignableRequest::new(
        "POST",
        &url,
        headers.iter().copied(),
        SignableBody::Bytes(body.as_bytes()),
    )
    .map_err(|e| refused(e.to_string()))?;
    let (instructions, _) = sign(signable, &parameters)
        .map_err(|e| refused(e.to_string()))?
        .into_parts();
    instructions.apply_to_request_http1x(&mut request);
    let client = Client::builder(TokioExecutor::new()).build_http();
    let response = client.request(request).await.map_err(|e| refused(format!("{e:?}")))?;
    let status = response.status();
    let body = response
        .into_body()
        .collect()
        .await
        .map_err(|e| refused(e.to_string()))?
        .to_bytes();
    let text = String::from_utf8_lossy(&body).into_owned();
    if status == StatusCode::OK {
        Ok(text)
    } else {
        Err(refused(format!("{status}: {text}")))
    }
}

/// The status of an unsigned GET; `None` when nobody answers within a second.
pub(super) async fn get_status(port: u16, path: &str) -> Option<u16> {
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let url = format!("http://127.0.0.1:{port}{path}").parse().ok()?;
    let response = tokio::time::timeout(Duration::from_secs(1), client.get(url))
        .await
        .ok()?
        .ok()?;
    Some(response.status().as_u16())
}

/// The texts of every `<tag>` without attributes, entities resolved. For flat answers only.
pub(super) fn texts(xml: &str, tag: &str) -> Vec<String> {
    let (open, close) = (format!("<{tag}>"), format!("</{tag}>"));
    let mut found = Vec::new();
    let mut rest = xml;
    while let Some((_, after)) = rest.split_once(&open) {
        let Some((text, next)) = after.split_once(&close) else {
            break;
        };
        found.push(
            text.replace("&lt;", "<")
                .replace("&gt;", ">")
                .replace("&quot;", "\"")
                .replace("&apos;", "'")
                .replace("&#x27;", "'")
                .replace("&#39;", "'")
                .replace("&amp;", "&"),
        );
        rest = next;
    }
    found
}
