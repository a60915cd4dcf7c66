//! One call through the proxy: read it whole, record it, wait, send it on, record the answer.
//!
//! 1. The body is read whole, up to a limit: it names the operation in some protocols.
//! 2. The record is made *before* anything is forwarded.
//! 3. [`before_forwarding`] decides what happens to the call: latency, and perhaps a fault.
//! 4. Method, path, query, body and every end-to-end header, `Host` included, go on unchanged:
//!    they are signed, and the emulator checks the signature.
//! 5. The answer is read whole, its error code noted, and given back unchanged; or it is lost, and the caller's
//!    connection closed.
//!
//! Steps 2 to 5 run in a task of their own. A caller that hangs up does not undo its call: AWS
//! would have carried it out too, and the record must say so.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Method, Request, Response, StatusCode, Uri};

use super::answer::error_code;
use super::faults::Fault;
use super::operation::{RequestShape, operation_name};
use super::record::{CallOutcome, CallRecord};
use super::refusal::refusal_in_form;
use super::resource;
use super::route::{CredentialScope, Upstream};
use super::{BODY_LIMIT_BYTES, Shared};

/// Headers that belong to one connection and are never passed on. `Expect` is among them:
/// the body has been read by then, so there is nothing left to wait for.
const CONNECTION_HEADERS: [HeaderName; 8] = [
    header::CONNECTION,
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::EXPECT,
];

/// The whole body of an answer.
pub(super) type Body = Full<Bytes>;

/// The caller gets no answer: its connection is closed.
#[derive(Debug, thiserror::Error)]
#[error("the proxy hangs up, as it was told to")]
pub(super) struct HangUp;

/// Decides what happens to a call that has arrived and is recorded: how much later it goes on, and whether it meets
/// a fault. The one place that every call passes before an emulator has seen it.
fn before_forwarding(shared: &Shared, record: &CallRecord) -> (Duration, Option<Fault>) {
    (
        shared.latency.of(record.service.as_deref()),
        shared.faults.strike(record),
    )
}

/// Serves one request of one connection. What goes wrong is an answer, but for a hanging up that was asked for.
pub(super) async fn serve(shared: Arc<Shared>, request: Request<Incoming>) -> Result<Response<Body>, HangUp> {
    let (parts, body) = request.into_parts();
    let body = match Limited::new(body, BODY_LIMIT_BYTES).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) => {
            let reason = format!(
                "the proxy could not read the body of {} {} whole (limit {BODY_LIMIT_BYTES} bytes): {error}; nothing was forwarded",
                parts.method, parts.uri
            );
            return Ok(refusal(StatusCode::PAYLOAD_TOO_LARGE, "ProxyBodyUnreadable", &reason));
        }
    };
    let task = tokio::spawn(call(shared, parts, body));
    task.await.unwrap_or_else(|error| {
        let reason = format!("the proxy's own task ended early: {error}");
        Ok(refusal(StatusCode::INTERNAL_SERVER_ERROR, "ProxyTaskEnded", &reason))
    })
}

async fn call(shared: Arc<Shared>, parts: Parts, body: Bytes) -> Result<Response<Body>, HangUp> {
    let started = Instant::now();
    let mut record = describe(&shared, &parts, &body);
    let (latency, fault) = before_forwarding(&shared, &record);
    record.latency_injected_milliseconds = milliseconds(latency);
    record.fault_injected = fault;
    let service = record.service.clone();
    let name = format!("{} {}", service.as_deref().unwrap_or("unsigned"), record.operation);
    let number = shared.log.arrived(record);
    if !latency.is_zero() {
        tokio::time::sleep(latency).await;
    }
    let (answer, code) = match fault {
        Some(Fault::Reset) => (Err(HangUp), None),
        Some(fault @ (Fault::Throttled | Fault::ServerError)) => {
            let (response, code) = refusal_in_form(&parts, service.as_deref(), fault);
            (Ok(response), Some(code.to_owned()))
        }
        None | Some(Fault::ReplyLost) => {
            let (response, code) = ask_emulator(&shared, service.as_deref(), &name, &parts, body).await;
            let lost = fault == Some(Fault::ReplyLost);
            (if lost { Err(HangUp) } else { Ok(response) }, code)
        }
    };
    shared.log.ended(
        number,
        CallOutcome {
            status: answer.as_ref().map_or(0, |response| response.status().as_u16()),
            error_code: code,
            duration_milliseconds: milliseconds(started.elapsed()),
        },
    );
    answer
}

async fn ask_emulator(
    shared: &Shared,
    service: Option<&str>,
    name: &str,
    parts: &Parts,
    body: Bytes,
) -> (Response<Body>, Option<String>) {
    let upstream = shared.routes.upstream(service);
    match forward(shared, upstream, parts, body).await {
        Ok(answered) => answered,
        Err(reason) => {
            let code = "ProxyUpstreamUnreachable";
            let reason = format!(
                "the proxy could not have {name} answered by {} at {}: {reason}; look at that emulator's log",
                upstream.name, upstream.authority
            );
            (refusal(StatusCode::BAD_GATEWAY, code, &reason), Some(code.to_owned()))
        }
    }
}

fn describe(shared: &Shared, parts: &Parts, body: &[u8]) -> CallRecord {
    let text = |name: &HeaderName| parts.headers.get(name).and_then(|value| value.to_str().ok());
    let query = parts.uri.query().unwrap_or_default();
    let scope = text(&header::AUTHORIZATION)
        .and_then(CredentialScope::parse)
        .or_else(|| CredentialScope::parse_query(query));
    let service = scope.as_ref().map(|scope| scope.service.clone());
    let form: Vec<(String, String)> = text(&header::CONTENT_TYPE)
        .filter(|kind| kind.starts_with("application/x-www-form-urlencoded"))
        .map(|_| form_urlencoded::parse(body).into_owned().collect())
        .unwrap_or_default();
    let in_query = || form_urlencoded::parse(query.as_bytes()).find(|(n, _)| n == "Action");
    let action = match form.iter().find(|(name, _)| name == "Action") {
        Some((_, action)) => Some(action.clone()),
        None => in_query().map(|(_, action)| action.into_owned()),
    };
    let target = parts.headers.get("x-amz-target").and_then(|value| value.to_str().ok());
    let operation = operation_name(RequestShape {
        service: service.as_deref(),
        method: parts.method.as_str(),
        path: parts.uri.path(),
        target,
        action: action.as_deref(),
    });
    let (resources, table_key) = if !form.is_empty() {
        (resource::from_form(&form), None)
    } else if target.is_some() {
        resource::from_json(body)
    } else {
        (resource::from_path(service.as_deref(), parts.uri.path()), None)
    };
    CallRecord {
        number: 0,
        arrived_at: jiff::Timestamp::now(),
        operation,
        resources,
        table_key,
        caller: scope
            .as_ref()
            .and_then(|scope| shared.callers.name_of(&scope.access_key_id)),
        access_key_id: scope.as_ref().map(|scope| scope.access_key_id.clone()),
        region: scope.map(|scope| scope.region),
        upstream: shared.routes.upstream(service.as_deref()).name.clone(),
        service,
        latency_injected_milliseconds: 0,
        fault_injected: None,
        outcome: None,
    }
}

/// Sends the call on and reads the answer; the error is a reason in words.
async fn forward(
    shared: &Shared,
    upstream: &Upstream,
    parts: &Parts,
    body: Bytes,
) -> Result<(Response<Body>, Option<String>), String> {
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let uri: Uri = format!("http://{}{path}", upstream.authority)
        .parse()
        .map_err(|error| format!("its address is not valid ({error})"))?;
    let mut request = Request::new(Full::new(body));
    *request.method_mut() = parts.method.clone();
    *request.uri_mut() = uri;
    *request.headers_mut() = end_to_end(&parts.headers);
    let answer = tokio::time::timeout(shared.upstream_timeout, async {
        let response = shared.client.request(request).await.map_err(|error| chain(&error))?;
        let (head, body) = response.into_parts();
        let body = Limited::new(body, BODY_LIMIT_BYTES)
            .collect()
            .await
            .map_err(|error| format!("its answer could not be read whole ({error})"))?;
        Ok::<_, String>((head, body.to_bytes()))
    });
    let (head, body) = answer
        .await
        .map_err(|_| format!("no answer within {} s", shared.upstream_timeout.as_secs()))??;
    let code = if head.status.is_client_error() || head.status.is_server_error() {
        error_code(&head.headers, &body)
    } else {
        None
    };
    let mut headers = end_to_end(&head.headers);
    if parts.method != Method::HEAD {
        // The length of what was read is known again; only HEAD tells one of a body not sent.
        headers.remove(header::CONTENT_LENGTH);
    }
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = head.status;
    *response.headers_mut() = headers;
    Ok((response, code))
}

fn end_to_end(headers: &HeaderMap) -> HeaderMap {
    let mut kept = headers.clone();
    for name in &CONNECTION_HEADERS {
        kept.remove(name);
    }
    kept.remove("keep-alive");
    kept
}

/// An answer of the proxy's own, in the shape that AWS SDKs read errors from.
fn refusal(status: StatusCode, code: &str, reason: &str) -> Response<Body> {
    let body = serde_json::json!({ "__type": code, "message": reason }).to_string();
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Ok(code) = HeaderValue::from_str(code) {
        headers.insert("x-amzn-errortype", code);
    }
    response
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        source = inner.source();
    }
    text
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
