//! From the SDK's errors to the engine's: what a failed call means for the caller.
//!
//! | what happened | kind |
//! |---|---|
//! | a code that the port knows | what the port says |
//! | throttled | retryable |
//! | HTTP 5xx to a call that reads | retryable |
//! | HTTP 5xx to a call that changes | fault: it may have been carried out |
//! | no answer, half an answer | lost |
//! | any other answer | refused |
//!
//! The message says what was being done, what was answered, and whether anything may have been changed. It
//! never has the SDK's debug form in it: that one carries whole responses.

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use std::error::Error;
use understudy_core::event::{excerpt, excerpt_of};
use understudy_engine::actions::THROTTLED;
use understudy_engine::ports::{CallError, CallErrorKind};

/// Codes that say that this role may not.
const DENIED: &[&str] = &[
    "AccessDenied",
    "AccessDeniedException",
    "AuthorizationError",
    "AuthorizationErrorException",
    "UnauthorizedOperation",
];

/// How much of a service's message is passed on, in characters. EC2's refusals carry an encoded message that can be
/// decoded only as a whole (`aws sts decode-authorization-message`).
const LONGEST_MESSAGE: usize = 3_000;

/// Whether the call would have changed something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// It only reads.
    Reads,
    /// It changes something.
    #[cfg_attr(not(feature = "dynamodb"), allow(dead_code))]
    Changes,
}

/// The codes of a service that mean something of their own.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Codes {
    /// The resource does not exist.
    pub(crate) not_found: &'static [&'static str],
    /// The same call may work later.
    pub(crate) retryable: &'static [&'static str],
}

/// What a failed call means. `doing` says what to what: `reading the weights of listener arn:…`.
pub(crate) fn explain<E>(doing: &str, effect: Effect, codes: Codes, error: &SdkError<E, HttpResponse>) -> CallError
where
    E: Error + ProvideErrorMetadata + 'static,
{
    let (kind, what) = match error {
        SdkError::ServiceError(answer) => {
            let status = answer.raw().status().as_u16();
            let code = answer.err().code().unwrap_or("no code");
            let message = answer.err().message().unwrap_or("no message");
            let request = answer.err().meta().extra("aws_request_id").unwrap_or("unknown");
            (
                kind_of(effect, code, status, codes),
                answered(code, message, status, request),
            )
        }
        SdkError::TimeoutError(_) => (CallErrorKind::Lost, "no answer in time".to_owned()),
        SdkError::DispatchFailure(failure) if failure.is_user() => (CallErrorKind::Refused, shown(&chain(error))),
        SdkError::ConstructionFailure(_) => (CallErrorKind::Refused, shown(&chain(error))),
        _ => (CallErrorKind::Lost, shown(&chain(error))),
    };
    let outcome = match (effect, kind) {
        (Effect::Changes, CallErrorKind::Lost | CallErrorKind::Fault) => "it is not known whether anything was changed",
        _ => "nothing was changed",
    };
    CallError::new(kind, format!("{doing}: {what}; {outcome}"))
}

/// What a service answered, as one sentence that is safe to show, whatever it was.
pub fn answered(code: &str, message: &str, status: u16, request: &str) -> String {
    let denied = if DENIED.contains(&code) {
        "; this function's role lacks a permission, or what is named is in another account, where it never has one"
    } else {
        ""
    };
    let (code, message, request) = (excerpt(code), shown(message), excerpt(request));
    format!("{code}: {message} (HTTP {status}, request {request}){denied}")
}

/// What the executor counts as one call, reading and comparing included: together they end within its time.
#[cfg(any(
    feature = "autoscaling",
    feature = "cloudwatch",
    feature = "ec2",
    feature = "elbv2",
    feature = "globalaccelerator",
    feature = "rds",
    feature = "route53"
))]
pub(crate) async fn within_one_call<T>(
    doing: &str,
    call: impl Future<Output = Result<T, CallError>>,
) -> Result<T, CallError> {
    let whole = std::time::Duration::from_secs(crate::config::MUTATING_CALL_TIMEOUT_SECONDS);
    tokio::time::timeout(whole, call).await.unwrap_or_else(|_| {
        let lost = format!("{doing}: no answer in time; it is not known whether anything was changed");
        Err(CallError::new(CallErrorKind::Lost, lost))
    })
}

fn kind_of(effect: Effect, code: &str, status: u16, codes: Codes) -> CallErrorKind {
    // Some services throttle with a 5xx too: that is no fault.
    let throttled = THROTTLED.contains(&code) || status == 429;
    if codes.not_found.contains(&code) {
        CallErrorKind::NotFound
    } else if effect == Effect::Changes && status >= 500 && !throttled {
        CallErrorKind::Fault
    } else if codes.retryable.contains(&code) || throttled || status >= 500 {
        CallErrorKind::Retryable
    } else {
        CallErrorKind::Refused
    }
}

fn shown(text: &str) -> String {
    excerpt_of(text, LONGEST_MESSAGE)
}

/// The error and its sources, each by its sentence.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        let sentence = source.to_string();
        if !text.ends_with(&sentence) {
            text.push_str(": ");
            text.push_str(&sentence);
        }
        next = source.source();
    }
    text
}
