//! The table's requests, and what its answers mean.

#![cfg(feature = "dynamodb")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{Answer, Script, says};
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::task::JoinSet;
use understudy_aws::dynamodb::DynamoTable;
use understudy_core::control::Wake;
use understudy_core::{SCHEMA_VERSION, Timestamp};
use understudy_engine::ports::{CallErrorKind, Item, Key, Put, Table};

fn key() -> Key {
    Key {
        plan: "shop".into(),
        item: "control".into(),
    }
}

fn item() -> Item {
    Item {
        key: key(),
        version: 8,
        write_id: "mine".into(),
        schema_version: SCHEMA_VERSION,
        wake: Some(Wake::Executor),
        due_at: Some(Timestamp::from_millisecond(1_700_000_000_123).unwrap()),
        body: json!({"epoch": 3}),
    }
}

fn stored(schema_version: u32, write_id: &str) -> Value {
    json!({
        "plan": {"S": "shop"}, "item": {"S": "control"}, "version": {"N": "9"}, "write_id": {"S": write_id},
        "schema_version": {"N": schema_version.to_string()}, "wake": {"S": "decision"},
        "due_shard": {"S": "0"}, "due_at": {"N": "1700000000123"}, "body": {"M": {"epoch": {"N": "4"}}},
    })
}

fn failed(code: &str) -> Value {
    json!({"__type": format!("com.amazonaws.dynamodb.v20120810#{code}"), "message": "as scripted"})
}

#[tokio::test]
async fn a_write_is_conditional_and_asks_for_what_it_loses_to() {
    let script = Script::new([says(200, "{}"), says(200, "{}")]);
    let table = DynamoTable::new(&script.config(), "plans");
    assert_eq!(table.put(&item(), 7).await.unwrap(), Put::Written);
    assert_eq!(table.put(&item(), 0).await.unwrap(), Put::Written);

    let [over, new] = script.sent().try_into().unwrap();
    assert_eq!(over.target, "DynamoDB_20120810.PutItem");
    let over = over.json();
    assert_eq!(over["ConditionExpression"], "#version = :expected");
    assert_eq!(over["ExpressionAttributeValues"], json!({":expected": {"N": "7"}}));
    assert_eq!(over["ReturnValuesOnConditionCheckFailure"], "ALL_OLD");
    assert_eq!(
        over["Item"],
        json!({
            "plan": {"S": "shop"}, "item": {"S": "control"}, "version": {"N": "8"}, "write_id": {"S": "mine"},
            "schema_version": {"N": SCHEMA_VERSION.to_string()}, "wake": {"S": "executor"},
            "due_shard": {"S": "0"}, "due_at": {"N": "1700000000123"}, "body": {"M": {"epoch": {"N": "3"}}},
        })
    );
    assert_eq!(new.json()["ConditionExpression"], "attribute_not_exists(#plan)");
}

#[tokio::test]
async fn a_refused_write_brings_the_item_that_it_lost_to() {
    let mut refusal = failed("ConditionalCheckFailedException");
    refusal["Item"] = stored(SCHEMA_VERSION, "theirs");
    let script = Script::new([says(400, refusal.to_string())]);
    let table = DynamoTable::new(&script.config(), "plans");
    let Put::Lost(Some(found)) = table.put(&item(), 7).await.unwrap() else {
        panic!("not lost")
    };
    assert_eq!(
        (found.write_id.as_str(), found.version, found.wake),
        ("theirs", 9, Some(Wake::Decision))
    );
    assert_eq!(found.body, json!({"epoch": 4}));
}

#[tokio::test]
async fn a_refusal_without_an_item_is_looked_up() {
    let refusal = failed("ConditionalCheckFailedException").to_string();
    let found = json!({"Item": stored(SCHEMA_VERSION, "mine")}).to_string();
    let script = Script::new([
        says(400, refusal.clone()),
        says(200, found),
        says(400, refusal),
        says(200, "{}"),
    ]);
    let table = DynamoTable::new(&script.config(), "plans");
    let Put::Lost(Some(found)) = table.put(&item(), 7).await.unwrap() else {
        panic!("not lost")
    };
    assert_eq!(found.write_id, "mine");
    assert_eq!(table.put(&item(), 7).await.unwrap(), Put::Lost(None));
    assert_eq!(script.sent()[1].json()["ConsistentRead"], true);
}

#[tokio::test]
async fn an_item_of_a_newer_form_is_refused() {
    let newer = json!({"Item": stored(SCHEMA_VERSION + 1, "x")}).to_string();
    let script = Script::new([says(200, newer)]);
    let error = DynamoTable::new(&script.config(), "plans")
        .get(&key())
        .await
        .unwrap_err();
    assert_eq!(error.kind, CallErrorKind::Refused);
    assert!(
        error.message.contains("item control of plan shop in table plans"),
        "{error}"
    );
    assert!(
        error.message.contains(&format!("form {}", SCHEMA_VERSION + 1)),
        "{error}"
    );
}

#[tokio::test]
async fn what_a_failed_call_means() {
    let cases = [
        (
            says(400, failed("ProvisionedThroughputExceededException").to_string()),
            CallErrorKind::Retryable,
        ),
        (
            says(400, failed("ThrottlingException").to_string()),
            CallErrorKind::Retryable,
        ),
        (
            says(400, failed("RequestLimitExceeded").to_string()),
            CallErrorKind::Retryable,
        ),
        (
            says(400, failed("ReplicatedWriteConflictException").to_string()),
            CallErrorKind::Retryable,
        ),
        (
            says(400, failed("TransactionConflictException").to_string()),
            CallErrorKind::Retryable,
        ),
        (
            says(500, failed("InternalServerError").to_string()),
            CallErrorKind::Fault,
        ),
        (says(503, ""), CallErrorKind::Fault),
        (Answer::Silent, CallErrorKind::Lost),
        (Answer::Broken, CallErrorKind::Lost),
        (
            says(400, failed("ResourceNotFoundException").to_string()),
            CallErrorKind::NotFound,
        ),
        (
            says(400, failed("AccessDeniedException").to_string()),
            CallErrorKind::Refused,
        ),
        (
            says(400, failed("ValidationException").to_string()),
            CallErrorKind::Refused,
        ),
    ];
    for (answer, kind) in cases {
        let script = Script::new([answer]);
        let error = DynamoTable::new(&script.config(), "plans")
            .put(&item(), 7)
            .await
            .unwrap_err();
        assert_eq!(error.kind, kind, "{error}");
        assert!(
            error
                .message
                .starts_with("writing item control of plan shop in table plans: "),
            "{error}"
        );
        let unknown = error.message.ends_with("it is not known whether anything was changed");
        assert_eq!(unknown, error.is_unsure(), "{error}");
    }
}

#[tokio::test]
async fn a_query_pages_until_its_limit() {
    let page = |last: bool| {
        let mut page = json!({"Items": [stored(SCHEMA_VERSION, "a")]});
        if !last {
            page["LastEvaluatedKey"] = json!({"plan": {"S": "shop"}, "item": {"S": "control"}});
        }
        says(200, page.to_string())
    };
    let script = Script::new([page(false), page(false)]);
    let table = DynamoTable::new(&script.config(), "plans");
    assert_eq!(table.query("shop", "decision#", 2, true).await.unwrap().len(), 2);
    let [first, second] = script.sent().try_into().unwrap();
    assert_eq!(
        first.json()["KeyConditionExpression"],
        "#plan = :plan AND begins_with(#item, :prefix)"
    );
    assert_eq!(
        (&first.json()["ScanIndexForward"], &first.json()["ConsistentRead"]),
        (&json!(false), &json!(true))
    );
    assert_eq!(
        (&first.json()["Limit"], &second.json()["Limit"]),
        (&json!(2), &json!(1))
    );
    assert_eq!(second.json()["ExclusiveStartKey"]["item"], json!({"S": "control"}));

    let script = Script::new([page(false), page(true)]);
    let table = DynamoTable::new(&script.config(), "plans");
    assert_eq!(table.query("shop", "", 50, false).await.unwrap().len(), 2);
    assert_eq!(script.sent()[0].json()["KeyConditionExpression"], "#plan = :plan");
}

#[tokio::test]
async fn what_is_due_comes_from_the_index_page_by_page() {
    let entry = |plan: &str| json!({"plan": {"S": plan}, "item": {"S": "control"}, "due_shard": {"S": "0"}, "due_at": {"N": "5000"}});
    let script = Script::new([
        says(
            200,
            json!({"Items": [entry("a")], "LastEvaluatedKey": entry("a")}).to_string(),
        ),
        says(200, json!({"Items": [entry("b")]}).to_string()),
    ]);
    let table = DynamoTable::new(&script.config(), "plans");
    let due = table.due(Some(Timestamp::from_second(9).unwrap())).await.unwrap();
    assert_eq!(due.iter().map(|due| due.plan.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(due[0].due_at, Timestamp::from_second(5).unwrap());
    let sent = script.sent()[0].json();
    assert_eq!(
        (&sent["IndexName"], &sent["KeyConditionExpression"]),
        (&json!("due"), &json!("#shard = :shard AND #due <= :until"))
    );
    assert_eq!(sent["ExpressionAttributeValues"][":until"], json!({"N": "9000"}));
}

#[tokio::test]
async fn a_delete_takes_only_the_version_it_knows() {
    let script = Script::new([says(200, "{}")]);
    let table = DynamoTable::new(&script.config(), "plans");
    assert_eq!(table.delete(&key(), 7).await.unwrap(), Put::Written);
    assert_eq!(
        script.sent()[0].json()["ConditionExpression"],
        "attribute_not_exists(#plan) OR #version = :expected"
    );
}

#[tokio::test]
async fn on_a_long_bad_day_each_call_still_has_all_its_attempts() {
    // The SDK opens an account of tokens for a service, which pays for some dozens of repetitions. Once it is empty,
    // calls are sent once. These are made at the same time: each is repeated before any can give its tokens back.
    const CALLS: usize = 80;
    let refusals = (0..CALLS).map(|_| says(500, failed("InternalServerError").to_string()));
    let replies = (0..CALLS).map(|_| says(200, "{}"));
    let script = Script::new(refusals.chain(replies));
    let table = Arc::new(DynamoTable::new(&script.config().with_read_attempts(5), "plans"));
    let mut calls = JoinSet::new();
    for _ in 0..CALLS {
        let table = Arc::clone(&table);
        calls.spawn(async move { table.get(&key()).await });
    }
    let failed: Vec<String> = calls
        .join_all()
        .await
        .into_iter()
        .filter_map(|answer| Some(answer.err()?.message))
        .collect();
    assert_eq!(failed.len(), 0, "of {CALLS} calls: {failed:#?}");
    assert_eq!(script.sent().len(), 2 * CALLS);
}
