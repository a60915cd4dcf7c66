//! Users' functions on Lambda, asked and waited for.
//!
//! A hook is a mutating call like any other: sent once, within the time of one. What it answers is JSON of the form that
//! [`HookAnswer::read`] knows. A function that failed, or answered something else, may have done its work: that is
//! retryable, so that it is asked again with the same key, and never taken for a no.

use super::{CODES, said};
use crate::config::{AwsConfig, MUTATING_CALL_TIMEOUT_SECONDS, Regional, Usage};
use crate::failure::{Effect, explain};
use async_trait::async_trait;
use aws_sdk_lambda::Client;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::InvocationType;
use serde_json::Value;
use understudy_engine::ports::{CallError, CallErrorKind, HookAnswer, HookFunction, Hooks};

/// Users' functions, of any Region.
pub struct LambdaHooks {
    clients: Regional<Client>,
}

impl LambdaHooks {
    /// All that the role may invoke.
    pub fn new(config: &AwsConfig) -> Self {
        Self {
            clients: Regional::new(config, Usage::Changes, Client::new),
        }
    }
}

#[async_trait]
impl Hooks for LambdaHooks {
    async fn ask(&self, region: Option<&str>, function: &HookFunction, event: &Value) -> Result<HookAnswer, CallError> {
        let doing = format!("asking function {}", function.name);
        let answer = self
            .clients
            .client(region)
            .invoke()
            .function_name(&function.name)
            .set_qualifier(function.qualifier.clone())
            .invocation_type(InvocationType::RequestResponse)
            .payload(Blob::new(event.to_string()))
            .send()
            .await
            .map_err(|error| late(explain(&doing, Effect::Changes, CODES, &error)))?;
        let payload = answer.payload.map(Blob::into_inner).unwrap_or_default();
        let unclear = |why: String| {
            let message = format!("{doing}: {why}; it is not known whether anything was changed");
            CallError::new(CallErrorKind::Fault, message)
        };
        let failed = answer.function_error.as_deref();
        let said = said(&payload, failed).map_err(|why| match failed {
            Some(_) => unclear(why),
            None => unclear(format!("{why}; it must be {}", HookAnswer::FORMS)),
        })?;
        HookAnswer::read(&said).map_err(unclear)
    }
}

// The most frequent trouble of a hook is that it takes too long: say what helps.
fn late(error: CallError) -> CallError {
    if error.kind != CallErrorKind::Lost {
        return error;
    }
    let message = format!(
        "{}; a hook answers within {MUTATING_CALL_TIMEOUT_SECONDS} s, and with {{\"wait\": true}} where it takes longer",
        error.message
    );
    CallError { message, ..error }
}
