//! Refusals in a service's own words.
//!
//! Each AWS protocol puts its errors into another form, and an SDK that can not read the form does not see the code
//! in it. So a refusal of the proxy's takes the form of the protocol in which it was asked.

use hyper::header::{self, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Response, StatusCode};

use super::faults::Fault;
use super::forward::Body;

/// The forms of AWS errors that the project's SDKs read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// DynamoDB, and others with `x-amz-target`.
    Json,
    /// Lambda: JSON, its code in a header.
    RestJson,
    /// CloudWatch: CBOR.
    Cbor,
    /// ELB, RDS, SNS, Auto Scaling: XML in answer to a form.
    Query,
    /// EC2: XML of its own kind.
    Ec2,
    /// Route 53: XML.
    RestXml,
}

fn form_of(parts: &Parts, service: Option<&str>) -> Form {
    let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
    let content = header("content-type").unwrap_or_default();
    if header("smithy-protocol") == Some("rpc-v2-cbor") {
        Form::Cbor
    } else if header("x-amz-target").is_some() {
        Form::Json
    } else if service == Some("ec2") {
        Form::Ec2
    } else if content.starts_with("application/x-www-form-urlencoded") {
        Form::Query
    } else if service == Some("route53") {
        Form::RestXml
    } else {
        Form::RestJson
    }
}

/// What a throttled or failed call is answered.
pub(super) fn refusal_in_form(parts: &Parts, service: Option<&str>, fault: Fault) -> (Response<Body>, &'static str) {
    let form = form_of(parts, service);
    let throttled = fault == Fault::Throttled;
    let (status, code) = match (throttled, form) {
        // The words of each service's documentation of common errors.
        (true, Form::Ec2) => (StatusCode::SERVICE_UNAVAILABLE, "RequestLimitExceeded"),
        (true, Form::RestJson) => (StatusCode::TOO_MANY_REQUESTS, "TooManyRequestsException"),
        (true, Form::Json | Form::Cbor) => (StatusCode::BAD_REQUEST, "ThrottlingException"),
        (true, Form::Query | Form::RestXml) => (StatusCode::BAD_REQUEST, "Throttling"),
        (false, Form::Json) => (StatusCode::INTERNAL_SERVER_ERROR, "InternalServerError"),
        (false, Form::RestJson) => (StatusCode::INTERNAL_SERVER_ERROR, "ServiceException"),
        (false, _) => (StatusCode::INTERNAL_SERVER_ERROR, "InternalFailure"),
    };
    let message = if throttled {
        "Rate exceeded"
    } else {
        "We encountered an internal error. Please try again."
    };
    let (content, body) = match form {
        Form::Json | Form::RestJson => {
            let body = serde_json::json!({ "__type": code, "message": message, "Message": message });
            ("application/x-amz-json-1.0", body.to_string().into_bytes())
        }
        Form::Cbor => ("application/cbor", cbor(&[("__type", code), ("message", message)])),
        Form::Query | Form::RestXml => (
            "text/xml",
            format!(
                "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>\
                 <RequestId>injected</RequestId></ErrorResponse>"
            )
            .into_bytes(),
        ),
        Form::Ec2 => (
            "text/xml",
            format!(
                "<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors>\
                 <RequestID>injected</RequestID></Response>"
            )
            .into_bytes(),
        ),
    };
    let mut response = Response::new(Body::new(body.into()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content));
    if matches!(form, Form::RestJson) {
        headers.insert("x-amzn-errortype", HeaderValue::from_static(code));
    }
    if form == Form::Cbor {
        headers.insert("smithy-protocol", HeaderValue::from_static("rpc-v2-cbor"));
    }
    (response, code)
}

/// A map of short texts in CBOR (RFC 8949: major type 5 with up to 23 entries, major type 3).
fn cbor(entries: &[(&str, &str)]) -> Vec<u8> {
    let mut bytes = vec![0xa0 | u8::try_from(entries.len()).unwrap_or_default()];
    for text in entries.iter().flat_map(|(key, value)| [key, value]) {
        match u8::try_from(text.len()) {
            Ok(short @ 0..=23) => bytes.push(0x60 | short),
            Ok(length) => bytes.extend([0x78, length]),
            // None of the texts above is that long.
            Err(_) => continue,
        }
        bytes.extend(text.as_bytes());
    }
    bytes
}
