//! A second controller in another Region, on a replica of the first one's table.
//!
//! The emulator's replica is written at once and by the same process: what is shown here is the wiring of the template
//! (functions, roles, streams, index) to a table that another stack owns, and that observers and executors of two
//! Regions work on one plan. That two Regions can not both win a conditional write is DynamoDB's promise.
//!
//! In foul weather a Region that gets no answer gives the lease back, so that either executor may do the work: then what is
//! claimed is that it is done, and once.

use super::{CHANGES, NO_GATE, effective, forget, plan_named, put};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};
use understudy_testkit::proxy::Mark;
use understudy_tests::local_cloud::{DeployOptions, Deployment, REGION};
use understudy_tests::story::{Quiet, Stage, Weather};

/// Where the second controller is.
const SECOND_REGION: &str = "us-west-2";

const PLAN: &str = "two-regions";

/// Deploys the same template once more, in another Region, with the replica's stream for its table.
pub async fn a_second_stack_stands_on_the_first_ones_table(stage: &Stage) -> Deployment {
    let table = stage.deployment.output("TableName").expect("a table").to_owned();
    let stream = stage
        .cloud
        .replicate_table(&table, SECOND_REGION)
        .await
        .expect("a replica");
    let options = DeployOptions {
        stack: "understudy-second".to_owned(),
        region: SECOND_REGION.to_owned(),
        parameters: vec![
            ("ExistingTableStreamArn".into(), stream.clone()),
            // Without a word, an executor may change listeners of its own Region only.
            ("ListenerArns".into(), stage.world.listener_arn.clone()),
        ],
        build: false,
    };
    let second = stage
        .cloud
        .deploy(&options, &mut |_| {})
        .await
        .expect("the second stack");
    assert!(
        second.of_type("AWS::DynamoDB::Table").is_empty(),
        "the second stack has made a table of its own"
    );
    assert_eq!(second.output("TableName").expect("a table"), table);
    assert_eq!(second.output("TableStreamArn").expect("a stream"), stream);
    second
}

pub async fn two_regions_watch_and_move_one_plan(stage: &Stage, second: &Deployment) {
    // Blue stands and falls with the first Region, so that its executor lets the other go first, and the other way home.
    let plan = plan_named(
        stage,
        PLAN,
        &[
            NO_GATE,
            ("mode: automatic", "mode: manual"),
            ("hold_seconds: 5", "hold_seconds: 0"),
            ("name: two-regions\n", &format!("name: two-regions\nregion: {REGION}\n")),
            ("    priority: 1\n", &format!("    priority: 1\n    region: {REGION}\n")),
            (
                "    priority: 2\n",
                &format!("    priority: 2\n    region: {SECOND_REGION}\n"),
            ),
            ("policy:\n", "policy:\n  observers:\n    quorum: 2\n"),
        ],
    );
    put(stage, &plan).await;
    let observed = ask_until(stage, second, |status| {
        ["blue", "green"]
            .iter()
            .all(|site| status["sites"][site]["health"] == "healthy")
    })
    .await;
    assert_eq!(observed["active_site"], "blue", "{observed:#}");
    assert_eq!(
        observers(stage).await,
        BTreeSet::from([REGION.to_owned(), SECOND_REGION.to_owned()])
    );
    for (command, to, region, deployment) in [
        ("failover", "green", SECOND_REGION, second),
        ("failback", "blue", REGION, &stage.deployment),
    ] {
        let mark = stage.cloud.proxy().mark();
        let word = json!({"command": command, "plan": PLAN, "to": to, "operator": "test", "reason": "two Regions"});
        let ordered = order(stage, second, word).await;
        let moved = ask_until(stage, second, |status| status["execution"].is_null()).await;
        assert_eq!(moved["last_execution"]["id"], ordered, "{moved:#}");
        assert_eq!(moved["last_execution"]["status"], "completed", "{moved:#}");
        assert_eq!(moved["active_site"], to, "{moved:#}");
        stage
            .expect_everything_at(to)
            .await
            .expect("what the status says is so");
        let executor = &deployment.function("executor").expect("an executor").role_name;
        for operation in CHANGES {
            assert_eq!(effective(stage, mark, operation), 1, "{operation}");
            if stage.weather == Weather::Fair {
                assert_eq!(
                    callers(stage, mark, operation),
                    BTreeSet::from([executor.clone()]),
                    "{operation} of the {command} to {to} is the work of the executor in {region}"
                );
            }
        }
        // Both decisions tell the same.
        let first = stage
            .wait_until(PLAN, "the first Region's status", &mut Quiet, |_, _| true)
            .await
            .expect("a status");
        assert_eq!(first["last_execution"]["id"], moved["last_execution"]["id"]);
    }
    forget(stage, PLAN).await;
    let gone = ask(stage, second, json!({"command": "status", "plan": PLAN})).await;
    assert_eq!(gone["ok"], false, "{gone:#}");
}

// A command to the second Region's decision function.
async fn ask(stage: &Stage, second: &Deployment, command: Value) -> Value {
    let decision = &second.function("decision").expect("a decision function").arn;
    stage.command_to(decision, command).await.expect("an answer")
}

// Orders a move there and returns the id of its execution. In foul weather the order is repeated until it stands; that it
// does, its answer may not have said.
async fn order(stage: &Stage, second: &Deployment, word: Value) -> Value {
    let begun = Instant::now();
    let before = ask(stage, second, json!({"command": "status", "plan": PLAN})).await;
    loop {
        let answer = ask(stage, second, word.clone()).await;
        if answer["ok"] == true {
            return answer["execution"].clone();
        }
        let now = ask(stage, second, json!({"command": "status", "plan": PLAN})).await;
        for stands in [&now["execution"]["id"], &now["last_execution"]["id"]] {
            if !stands.is_null() && *stands != before["last_execution"]["id"] {
                return stands.clone();
            }
        }
        let patient = stage.weather == Weather::Foul && begun.elapsed() < stage.weather.patience();
        assert!(patient, "{answer:#}");
        tokio::time::sleep(Duration::from_millis(700)).await;
    }
}

// The status as the second Region's decision function tells it, when it is so.
async fn ask_until(stage: &Stage, second: &Deployment, good: impl Fn(&Value) -> bool) -> Value {
    let begun = Instant::now();
    loop {
        let status = ask(stage, second, json!({"command": "status", "plan": PLAN})).await;
        if good(&status) {
            return status;
        }
        assert!(begun.elapsed() < stage.weather.patience(), "it never came: {status:#}");
        tokio::time::sleep(Duration::from_millis(700)).await;
    }
}

// Whose observations of the plan are in the table.
async fn observers(stage: &Stage) -> BTreeSet<String> {
    let table = stage.deployment.output("TableName").expect("a table");
    let answer = stage
        .cloud
        .clients()
        .dynamodb
        .query()
        .table_name(table)
        .key_condition_expression("#plan = :plan AND begins_with(#item, :prefix)")
        .expression_attribute_names("#plan", "plan")
        .expression_attribute_names("#item", "item")
        .expression_attribute_values(":plan", text(PLAN))
        .expression_attribute_values(":prefix", text("observation#"))
        .send()
        .await
        .expect("the plan's observations");
    answer
        .items()
        .iter()
        .filter_map(|item| item.get("body")?.as_m().ok()?.get("observer")?.as_s().ok().cloned())
        .collect()
}

fn text(value: &str) -> aws_sdk_dynamodb::types::AttributeValue {
    aws_sdk_dynamodb::types::AttributeValue::S(value.to_owned())
}

// Whose calls of an operation there were.
fn callers(stage: &Stage, since: Mark, operation: &str) -> BTreeSet<String> {
    stage
        .cloud
        .proxy()
        .calls_since(since)
        .into_iter()
        .filter(|call| call.operation == operation)
        .map(|call| call.caller.unwrap_or_default())
        .collect()
}
