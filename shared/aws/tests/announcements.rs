//! Announcements as SNS gets them, and our functions as Lambda is asked for them.

#![cfg(all(feature = "sns", feature = "lambda"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{Answer, Script, says};
use serde_json::{Value, json};
use understudy_aws::lambda::LambdaFunctions;
use understudy_aws::sns::SnsNotifier;
use understudy_core::Timestamp;
use understudy_core::control::Wake;
use understudy_core::report::{Announcement, EventKind};
use understudy_engine::ports::{CallErrorKind, Functions, Notifier};

const TOPIC: &str = "arn:aws:sns:eu-west-1:123456789012:understudy";

fn announcement() -> Announcement {
    Announcement {
        id: "e-1:completed".into(),
        event: EventKind::Completed,
        subject: "shop failover completed: blue to green".into(),
        text: "shop went from blue to green".into(),
        body: json!({"event": "completed", "plan": "shop", "execution": "e-1"}),
        retry_at: Timestamp::UNIX_EPOCH,
    }
}

fn published() -> Answer {
    says(
        200,
        "<PublishResponse><PublishResult><MessageId>m-1</MessageId></PublishResult></PublishResponse>",
    )
}

#[tokio::test]
async fn machines_get_json_and_people_get_a_text() {
    let script = Script::new([published()]);
    SnsNotifier::new(&script.config(), TOPIC)
        .publish(None, "shop", &announcement())
        .await
        .unwrap();
    let sent = &script.sent()[0];
    assert_eq!(sent.field("TopicArn").as_deref(), Some(TOPIC));
    assert_eq!(sent.field("MessageStructure").as_deref(), Some("json"));
    assert_eq!(
        sent.field("Subject").as_deref(),
        Some("shop failover completed: blue to green")
    );
    let message: Value = serde_json::from_str(&sent.field("Message").unwrap()).unwrap();
    assert_eq!(message["email"], "shop went from blue to green");
    let body: Value = serde_json::from_str(message["default"].as_str().unwrap()).unwrap();
    assert_eq!(
        body,
        json!({"event": "completed", "plan": "shop", "execution": "e-1", "id": "e-1:completed"})
    );

    let mut attributes: Vec<(String, String)> = (1..=4)
        .map(|index| {
            let entry = |rest: &str| sent.field(&format!("MessageAttributes.entry.{index}.{rest}")).unwrap();
            assert_eq!(entry("Value.DataType"), "String");
            (entry("Name"), entry("Value.StringValue"))
        })
        .collect();
    attributes.sort();
    let wanted = [
        ("dedup_id", "e-1:completed"),
        ("event", "completed"),
        ("execution", "e-1"),
        ("plan", "shop"),
    ];
    assert_eq!(
        attributes,
        wanted.map(|(name, value)| (name.to_owned(), value.to_owned()))
    );
    assert_eq!(sent.field("MessageGroupId"), None);
}

#[tokio::test]
async fn a_fifo_topic_in_another_region_gets_group_and_deduplication() {
    let script = Script::new([published()]);
    let notifier = SnsNotifier::new(&script.config(), TOPIC);
    let topic = "arn:aws:sns:us-east-1:123456789012:orders.fifo";
    let alert = Announcement {
        body: json!({"plan": "shop"}),
        ..announcement()
    };
    notifier.publish(Some(topic), "shop", &alert).await.unwrap();
    let sent = &script.sent()[0];
    assert!(sent.uri.contains("us-east-1"), "{}", sent.uri);
    assert_eq!(sent.field("MessageGroupId").as_deref(), Some("shop"));
    assert_eq!(sent.field("MessageDeduplicationId").as_deref(), Some("e-1:completed"));
    assert_eq!(
        sent.field("MessageAttributes.entry.4.Name"),
        None,
        "there is no execution to name"
    );
}

#[tokio::test]
async fn what_a_failed_publication_means_and_that_it_is_sent_once() {
    let failed = |status: u16, code: &str| {
        says(
            status,
            format!("<ErrorResponse><Error><Code>{code}</Code><Message>as scripted</Message></Error></ErrorResponse>"),
        )
    };
    let cases = [
        (failed(400, "Throttled"), CallErrorKind::Retryable),
        (failed(500, "InternalError"), CallErrorKind::Fault),
        (failed(404, "NotFound"), CallErrorKind::NotFound),
        (failed(403, "AuthorizationError"), CallErrorKind::Refused),
        (Answer::Silent, CallErrorKind::Lost),
    ];
    for (answer, kind) in cases {
        let script = Script::new([answer]);
        let error = SnsNotifier::new(&script.config(), TOPIC)
            .publish(None, "shop", &announcement())
            .await
            .unwrap_err();
        assert_eq!(error.kind, kind, "{error}");
        assert_eq!(script.sent().len(), 1);
    }
}

#[tokio::test]
async fn a_nudge_names_the_plan_and_waits_for_nothing() {
    let script = Script::new([says(202, ""), says(202, "")]);
    let functions = LambdaFunctions::new(&script.config(), Some("u-decision".into()), Some("u-executor".into()));
    functions.nudge(Wake::Decision, "shop").await.unwrap();
    functions.nudge(Wake::Executor, "shop").await.unwrap();
    let [decision, executor] = script.sent().try_into().unwrap();
    assert!(
        decision.uri.ends_with("/functions/u-decision/invocations"),
        "{}",
        decision.uri
    );
    assert!(
        executor.uri.ends_with("/functions/u-executor/invocations"),
        "{}",
        executor.uri
    );
    assert_eq!(decision.json(), json!({"plan": "shop"}));
    assert!(
        decision
            .headers
            .contains(&("x-amz-invocation-type".into(), "Event".into())),
        "{:?}",
        decision.headers
    );
}

#[tokio::test]
async fn a_function_that_was_not_named_is_not_invoked() {
    let script = Script::new([]);
    let functions = LambdaFunctions::new(&script.config(), None, Some("u-executor".into()));
    assert_eq!(
        functions.nudge(Wake::Decision, "shop").await.unwrap_err().kind,
        CallErrorKind::Refused
    );
}

#[tokio::test]
async fn a_question_brings_the_answer_or_the_reason() {
    let full = || {
        Answer::SaysWith(
            429,
            "x-amzn-errortype",
            "TooManyRequestsException",
            br#"{"Type":"User","message":"Rate exceeded"}"#.to_vec(),
        )
    };
    let script = Script::new([
        says(200, r#"{"ok":true}"#),
        Answer::SaysWith(
            200,
            "x-amz-function-error",
            "Unhandled",
            br#"{"errorMessage":"the table is gone"}"#.to_vec(),
        ),
        full(),
        full(),
        says(200, r#"{"ok":"later"}"#),
    ]);
    let functions = LambdaFunctions::new(&script.config(), None, Some("u-executor".into()));
    let question = json!({"read_only": {"plan": "shop"}});
    assert_eq!(functions.ask_executor(&question).await.unwrap(), json!({"ok": true}));
    assert_eq!(script.sent()[0].json(), question);
    let error = functions.ask_executor(&question).await.unwrap_err();
    assert_eq!(error.kind, CallErrorKind::Refused);
    assert!(error.message.contains("the table is gone"), "{error}");
    assert_eq!(
        functions.ask_executor(&question).await.unwrap_err().kind,
        CallErrorKind::Retryable
    );
    // As deployed: a question changes nothing, so it is asked again where all executors are taken.
    let deployed = script.config().with_read_attempts(5);
    let deployed = LambdaFunctions::new(&deployed, None, Some("u-executor".into()));
    assert_eq!(deployed.ask_executor(&question).await.unwrap(), json!({"ok": "later"}));
}
