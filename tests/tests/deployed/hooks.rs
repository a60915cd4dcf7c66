//! A step that is a function of the user's: what it says counts.
//!
//! Tries steps: invoke.

use super::{NO_GATE, forget, go_home, plan_named, put};
use serde_json::{Value, json};
use understudy_tests::local_cloud::{ACCOUNT, REGION, StackHome};
use understudy_tests::story::Stage;

/// What the stack's `HookFunctionArns` names: the function of `hook.yaml`.
pub fn function_arn() -> String {
    format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:understudy-test-hook")
}

/// The function that is asked.
pub async fn somebody_to_ask(stage: &Stage) {
    stage
        .cloud
        .create_stack(StackHome::Ministack, "hook", "tests/tests/deployed/hook.yaml", &[])
        .await
        .expect("a function to ask");
}

pub async fn a_hook_is_asked_and_may_say_no(stage: &Stage) {
    let moved = move_with_hook(stage, "hooked", "yes").await;
    assert_eq!(moved["status"], "completed", "{moved:#}");
    let detail = moved["steps"][0]["detail"].as_str().unwrap_or_default();
    assert!(detail.contains("forward from blue to green"), "{moved:#}");
    stage.expect_everything_at("green").await.expect("it said yes");
    go_home(stage, "hooked").await;

    let refused = move_with_hook(stage, "vetoed", "no").await;
    assert_eq!(refused["status"], "rolled_back", "{refused:#}");
    let why = refused["failure"].as_str().unwrap_or_default();
    assert!(why.contains("the caches of green are cold"), "{refused:#}");
    stage.expect_everything_at("blue").await.expect("it said no");
    forget(stage, "vetoed").await;
}

// Stores a plan that asks the hook first, orders its move, and returns the ended execution.
async fn move_with_hook(stage: &Stage, name: &str, says: &str) -> Value {
    let hook = format!(
        "\nsteps:\n  - name: hook\n    kind: invoke\n    timeout_seconds: 60\n    function: {}\n    payload: {{ says: \"{says}\" }}\n",
        function_arn()
    );
    let plan = plan_named(
        stage,
        name,
        &[NO_GATE, ("mode: automatic", "mode: manual"), ("\nsteps:\n", &hook)],
    );
    put(stage, &plan).await;
    let order = json!({"command": "failover", "plan": name, "to": "green", "operator": "test", "reason": "a hook", "force": true, "wait_seconds": 45});
    stage.carried_out(&order).await.expect("the end of the move")
}
