//! Users' functions: what they are sent, and what is made of each answer.
//!
//! Tries steps: invoke.

#![cfg(feature = "lambda")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{Answer, Script, says};
use serde_json::json;
use understudy_aws::lambda::LambdaHooks;
use understudy_engine::ports::{CallError, CallErrorKind, HookAnswer, HookFunction, Hooks};

fn function(name: &str, qualifier: Option<&str>) -> HookFunction {
    HookFunction {
        name: name.to_owned(),
        qualifier: qualifier.map(str::to_owned),
    }
}

async fn answered(answer: Answer) -> Result<HookAnswer, CallError> {
    let script = Script::new([answer]);
    let hooks = LambdaHooks::new(&script.config());
    let answer = hooks
        .ask(None, &function("shop-hook", None), &json!({"direction": "forward"}))
        .await;
    assert_eq!(script.sent().len(), 1, "never repeated here");
    answer
}

fn failed(status: u16, code: &'static str) -> Answer {
    Answer::SaysWith(status, "x-amzn-errortype", code, br#"{"message":"no"}"#.to_vec())
}

#[tokio::test]
async fn a_hook_is_invoked_synchronously_with_the_whole_event() {
    let event = json!({"plan": "shop", "idempotency_key": "id/sessions/forward"});
    let script = Script::new([says(200, r#"{"ok":true}"#), says(200, r#"{"ok":true}"#)]);
    let hooks = LambdaHooks::new(&script.config());
    hooks
        .ask(None, &function("shop-hook", Some("live")), &event)
        .await
        .unwrap();
    let arn = "arn:aws:lambda:eu-central-1:000000000000:function:shop-hook";
    hooks
        .ask(Some("eu-central-1"), &function(arn, None), &event)
        .await
        .unwrap();
    let [named, elsewhere] = script.sent().try_into().unwrap();
    assert!(
        named.uri.ends_with("/functions/shop-hook/invocations?Qualifier=live"),
        "{}",
        named.uri
    );
    assert_eq!(named.json(), event);
    let kind = ("x-amz-invocation-type".to_owned(), "RequestResponse".to_owned());
    assert!(named.headers.contains(&kind), "{:?}", named.headers);
    assert!(
        elsewhere.uri.contains("lambda.eu-central-1.") && elsewhere.uri.contains("shop-hook/invocations"),
        "{}",
        elsewhere.uri
    );
}

#[tokio::test]
async fn its_answers_are_understood() {
    let done = answered(says(200, r#"{"ok":true,"detail":"12 moved"}"#)).await.unwrap();
    assert_eq!(
        done,
        HookAnswer::Done {
            detail: Some("12 moved".into())
        }
    );
    let refused = answered(says(200, r#"{"ok":false,"reason":"a batch runs"}"#))
        .await
        .unwrap();
    assert_eq!(
        refused,
        HookAnswer::Refused {
            reason: "a batch runs".into()
        }
    );
    let not_yet = answered(says(200, r#"{"wait":true}"#)).await.unwrap();
    assert_eq!(not_yet, HookAnswer::NotYet { detail: None });
}

#[tokio::test]
async fn a_function_that_failed_or_speaks_in_riddles_may_have_done_its_work() {
    let unhandled = br#"{"errorMessage":"the queue is gone"}"#.to_vec();
    let cases = [
        (
            Answer::SaysWith(200, "x-amz-function-error", "Unhandled", unhandled),
            "the queue is gone",
        ),
        (says(200, "not json"), "not JSON"),
        (says(200, ""), "not JSON"),
        (says(200, r#"{"status":"fine"}"#), "not understood"),
    ];
    for (answer, words) in cases {
        let error = answered(answer).await.unwrap_err();
        assert_eq!(error.kind, CallErrorKind::Fault, "{error}");
        for part in [words, "shop-hook", "not known whether"] {
            assert!(error.message.contains(part), "{error}");
        }
    }
}

#[tokio::test]
async fn what_goes_wrong_on_the_way_is_classified() {
    for (answer, kind) in [
        (failed(429, "TooManyRequestsException"), CallErrorKind::Retryable),
        (failed(409, "ResourceConflictException"), CallErrorKind::Retryable),
        (failed(502, "ResourceNotReadyException"), CallErrorKind::Fault),
        (failed(500, "ServiceException"), CallErrorKind::Fault),
        (failed(404, "ResourceNotFoundException"), CallErrorKind::NotFound),
        (failed(403, "AccessDeniedException"), CallErrorKind::Refused),
        (failed(413, "RequestTooLargeException"), CallErrorKind::Refused),
        (Answer::Silent, CallErrorKind::Lost),
        (Answer::Broken, CallErrorKind::Lost),
    ] {
        let error = answered(answer).await.unwrap_err();
        assert_eq!(error.kind, kind, "{error}");
        let helps = error.message.contains("\"wait\": true");
        assert_eq!(helps, kind == CallErrorKind::Lost, "{error}");
    }
}
