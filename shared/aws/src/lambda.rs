//! Functions on Lambda: our own, nudged without waiting, or asked and waited for; and users' ([`LambdaHooks`]).

mod hooks;

pub use hooks::LambdaHooks;

use crate::config::{AwsConfig, Regional, Usage, attempts_alone};
use crate::failure::{Codes, Effect, explain};
use async_trait::async_trait;
use aws_sdk_lambda::Client;
use aws_sdk_lambda::config::Builder;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::InvocationType;
use serde_json::{Value, json};
use understudy_core::control::Wake;
use understudy_core::event::{excerpt, excerpt_long};
use understudy_engine::actions::repeated;
use understudy_engine::ports::{CallError, CallErrorKind, Functions};

const CODES: Codes = Codes {
    not_found: &["ResourceNotFoundException"],
    retryable: repeated::LAMBDA,
};

/// The functions of this deployment.
pub struct LambdaFunctions {
    changing: Regional<Client>,
    asking: Regional<Client>,
    decision_function: Option<String>,
    executor_function: Option<String>,
}

impl LambdaFunctions {
    /// The functions by their names; `None` for one that this function never calls.
    pub fn new(config: &AwsConfig, decision_function: Option<String>, executor_function: Option<String>) -> Self {
        Self {
            changing: Regional::new(config, Usage::Changes, Client::new),
            asking: Regional::new(config, Usage::Asks, |sdk| {
                Client::from_conf(Builder::from(sdk).retry_partition(attempts_alone()).build())
            }),
            decision_function,
            executor_function,
        }
    }

    fn name_of(&self, function: Wake) -> Result<&str, CallError> {
        let name = match function {
            Wake::Decision => &self.decision_function,
            Wake::Executor => &self.executor_function,
        };
        name.as_deref().ok_or_else(|| {
            let function = function.as_str();
            CallError::new(
                CallErrorKind::Refused,
                format!("invoking function {function}: this function was not told its name; nothing was invoked"),
            )
        })
    }
}

#[async_trait]
impl Functions for LambdaFunctions {
    async fn nudge(&self, function: Wake, plan: &str) -> Result<(), CallError> {
        let name = self.name_of(function)?;
        self.changing
            .client(None)
            .invoke()
            .function_name(name)
            .invocation_type(InvocationType::Event)
            .payload(Blob::new(json!({ "plan": plan }).to_string()))
            .send()
            .await
            .map(drop)
            .map_err(|error| {
                explain(
                    &format!("nudging function {name} for plan {plan}"),
                    Effect::Changes,
                    CODES,
                    &error,
                )
            })
    }

    async fn ask_executor(&self, question: &Value) -> Result<Value, CallError> {
        let name = self.name_of(Wake::Executor)?;
        let doing = format!("asking function {name}");
        let answer = self
            .asking
            .client(None)
            .invoke()
            .function_name(name)
            .invocation_type(InvocationType::RequestResponse)
            .payload(Blob::new(question.to_string()))
            .send()
            .await
            .map_err(|error| explain(&doing, Effect::Reads, CODES, &error))?;
        let payload = answer.payload.map(Blob::into_inner).unwrap_or_default();
        said(&payload, answer.function_error.as_deref())
            .map_err(|why| CallError::new(CallErrorKind::Refused, format!("{doing}: {why}; nothing was changed")))
    }
}

/// What an invoked function said; `failed` is how Lambda says that it failed.
///
/// # Errors
/// A sentence, safe to show, if it failed or did not answer with JSON.
pub fn said(payload: &[u8], failed: Option<&str>) -> Result<Value, String> {
    if let Some(kind) = failed {
        let (kind, message) = (excerpt(kind), error_message(payload));
        return Err(format!("the function failed ({kind}): {message}"));
    }
    serde_json::from_slice(payload).map_err(|error| format!("its answer is not JSON: {error}"))
}

/// What a failed function says of itself, safe to show.
pub fn error_message(payload: &[u8]) -> String {
    let said: Option<Value> = serde_json::from_slice(payload).ok();
    let message = said
        .as_ref()
        .and_then(|said| said.get("errorMessage"))
        .and_then(Value::as_str);
    let message = message.map_or_else(|| String::from_utf8_lossy(payload).into_owned(), str::to_owned);
    excerpt_long(&message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_function_is_quoted() {
        assert_eq!(
            error_message(br#"{"errorType":"x","errorMessage":"the table is gone"}"#),
            "the table is gone"
        );
        assert_eq!(error_message(b"not json"), "not json");
        let failed = said(br#"{"errorMessage":"no table"}"#, Some("Unhandled"));
        assert_eq!(failed, Err("the function failed (Unhandled): no table".to_owned()));
    }
}
