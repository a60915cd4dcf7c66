//! The deployed functions, in the local cloud, with roles enforced.
//!
//! One cloud, one deployment, and one scenario after the other on it: starting them costs more than any of
//! them. Each scenario has a plan of its own, so that none leans on what another left.
//!
//! | scenario | what it shows |
//! |---|---|
//! | [`story`] | the demo's story: dead endpoint → moved → home by itself; dry run; planned |
//! | [`alarms`] | alarm → moved; five copies of the event, one effect; unbound and stale ones are recorded |
//! | [`operators`] | sixty-four at once; refusals; `put-plan` races; missing resources; the resource form |
//! | [`resume`] | the executor is killed in the middle, and the next one finishes |
//! | [`bad_network`] | 30 % throttled, 10 % server errors, 5 % lost replies: every move ends right |
//! | [`hostile`] | malformed, huge and unknown payloads: a clear answer, nothing written |
//!
//! At the end: no call was refused for want of a permission, and every call to the emulator that does not
//! enforce roles was granted by the deployed role.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod alarms;
mod bad_network;
mod hostile;
mod operators;
mod resume;
mod story;

use serde_json::{Value, json};
use understudy_tests::local_cloud::CloudError;
use understudy_tests::story::{Quiet, Stage, StageOptions};

/// A plan like the demo's, under another name and with another text put in its place.
pub fn plan_named(stage: &Stage, name: &str, changes: &[(&str, &str)]) -> String {
    let text = understudy_tests::story::plan_text(&stage.world, &stage.blue, &stage.green).expect("the demo's plan");
    let text = text.replace("name: shop\n", &format!("name: {name}\n"));
    changes.iter().fold(text, |text, (from, to)| {
        assert!(text.contains(from), "the demo's plan has no `{from}`");
        text.replace(from, to)
    })
}

/// Stores a plan and says what it was answered.
pub async fn put(stage: &Stage, plan: &str) -> Value {
    stage
        .command(json!({"command": "put-plan", "plan": plan, "operator": "test", "reason": "a scenario"}))
        .await
        .expect("an answer")
}

/// Forgets a plan, so that the next scenario's probes and alarms are its own.
pub async fn forget(stage: &Stage, name: &str) {
    let answer = stage
        .command(json!({"command": "delete-plan", "plan": name, "operator": "test", "reason": "the scenario is over"}))
        .await
        .expect("an answer");
    assert_eq!(answer["ok"], true, "{answer}");
}

/// The status of a plan.
pub async fn status(stage: &Stage, name: &str) -> Value {
    stage
        .command(json!({"command": "status", "plan": name}))
        .await
        .expect("a status")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_deployed_functions_do_what_the_readme_says() {
    let mut stage = Stage::set(&StageOptions::default(), &mut Quiet)
        .await
        .expect("the stage");
    let told = run(&mut stage).await;
    if let Err(error) = &told {
        let folder = stage.cloud.folder().to_owned();
        stage.cloud.stop();
        panic!("{error}\n(logs: {})", folder.display());
    }
    stage.cloud.stop();
}

async fn run(stage: &mut Stage) -> Result<(), CloudError> {
    story::the_whole_story(stage).await?;
    forget(stage, "shop").await;
    hostile::nonsense_is_answered_and_writes_nothing(stage).await;
    operators::a_plan_that_names_a_missing_resource_is_refused_by_its_name(stage).await;
    operators::two_put_plans_at_once_one_wins_and_the_other_is_told(stage).await;
    operators::sixty_four_failovers_at_once_open_one_execution(stage).await;
    operators::the_resource_form_finds_its_plan(stage).await;
    alarms::an_alarm_moves_the_plan_once_however_often_it_is_told(stage).await;
    resume::a_killed_executor_is_finished_by_the_next(stage).await;
    bad_network::moves_end_right_with_throttling_errors_and_lost_replies(stage).await;

    let refused = stage.cloud.access_denied_calls();
    assert!(
        refused.is_empty(),
        "calls were refused for want of a permission: {refused:#?}"
    );
    let grants = stage.cloud.check_grants(&stage.deployment).await?;
    assert!(
        grants.checked > 0,
        "no call of a deployed role to the emulator that does not enforce was found"
    );
    assert!(
        grants.denied.is_empty(),
        "the deployed roles do not grant what the functions called: {:#?}",
        grants.denied
    );
    Ok(())
}
