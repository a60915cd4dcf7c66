//! Runs a handler under the Lambda runtime.
//!
//! - Each invocation has a span with its request id, and knows its deadline.
//! - An error of the handler is an error answer: asynchronous invocations and streams are then delivered
//!   again, and the function's error alarm tells.
//! - A panic is one too: the runtime catches it (which needs `panic = "unwind"`), and the next invocation is
//!   served by the same process.
//! - What was counted is written at the end of each invocation, after a panic as well.

use crate::telemetry::Telemetry;
use jiff::Timestamp;
use lambda_runtime::{Context, Diagnostic, LambdaEvent, Runtime, service_fn};
use serde_json::Value;
use std::fmt::Display;
use std::future::Future;
use tracing::Instrument;
use understudy_engine::ports::Invocation;

/// Serves invocations until Lambda ends the process.
///
/// # Errors
/// The runtime API can not be reached.
pub async fn run<Handler, Answer, Problem>(telemetry: Telemetry, handler: Handler) -> Result<(), lambda_runtime::Error>
where
    Handler: Fn(Value, Invocation) -> Answer,
    Answer: Future<Output = Result<Value, Problem>>,
    Problem: Display,
{
    let handler = &handler;
    let service = service_fn(move |event: LambdaEvent<Value>| async move {
        let invocation = invocation(&event.context);
        let span = tracing::info_span!("invocation", request_id = invocation.request_id);
        let _flush = FlushAtEnd {
            telemetry,
            request_id: invocation.request_id.clone(),
        };
        handler(event.payload, invocation)
            .instrument(span)
            .await
            .map_err(|problem| diagnostic(&problem))
    });
    Runtime::new(service).run().await
}

/// What the context says, in our own type.
fn invocation(context: &Context) -> Invocation {
    let deadline = i64::try_from(context.deadline)
        .ok()
        .and_then(|millis| Timestamp::from_millisecond(millis).ok());
    Invocation {
        request_id: context.request_id.clone(),
        // Without a deadline nothing that takes time may begin.
        deadline: deadline.unwrap_or(Timestamp::UNIX_EPOCH),
    }
}

fn diagnostic(problem: &impl Display) -> Diagnostic {
    Diagnostic {
        error_type: "HandlerError".to_owned(),
        error_message: problem.to_string(),
    }
}

/// Writes the metrics when the invocation ends, however it ends.
struct FlushAtEnd {
    telemetry: Telemetry,
    request_id: String,
}

impl Drop for FlushAtEnd {
    fn drop(&mut self) {
        self.telemetry.flush(&self.request_id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deadline_is_that_of_the_context() {
        let mut context = Context::default();
        context.request_id = "r-1".into();
        context.deadline = 1_700_000_000_123;
        let found = invocation(&context);
        assert_eq!(found.request_id, "r-1");
        assert_eq!(found.deadline.as_millisecond(), 1_700_000_000_123);
    }
}
