//! The deployed functions, in the local cloud, with roles enforced.
//!
//! A [`Part`] has a cloud and a deployment of its own, and plays one scenario after the other on it: starting them costs
//! more than any of them. Each scenario has a plan of its own, so that none leans on what another left. The parts in
//! foul weather are played beside the first: most of their time is spent waiting for leases of turns that failed.
//!
//! | scenario | what it shows |
//! |---|---|
//! | [`story`] | the demo's story: dead endpoint → moved → home by itself; dry run; planned; the orders, with capacity and database |
//! | [`alarms`] | alarm → moved; five copies of the event, one effect |
//! | [`events`] | two alarms, six events, five copies each, shuffled: one effect; an event a day old is recorded |
//! | [`operators`] | sixty-four at once; refusals; `put-plan` races; missing resources; the resource form |
//! | [`resume`] | the executor is killed in the middle, and the next one finishes within one lease and one round |
//! | [`setup`] | where the stack allows it: what a plan's moves need is made, found as wanted, and taken back |
//! | [`hooks`] | a function of the user's is asked, and its no stops a move |
//! | [`two_regions`] | a second stack in another Region on a replica of the table: both observe, both execute |
//! | [`hostile`] | malformed, huge and unknown payloads: a clear answer, nothing written |
//! | [`bad_network`] | all of it once more, with 30 % of the functions' calls throttled, 10 % met by server errors and 5 % without a reply: every move ends right |
//!
//! At the end of each part: no call was refused for want of a permission, and every call to the emulator that does not
//! enforce roles was granted by the deployed role.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod alarms;
mod bad_network;
mod events;
mod hooks;
mod hostile;
mod operators;
mod resume;
mod setup;
mod story;
mod two_regions;

use serde_json::{Value, json};
use std::time::{Duration, Instant};
use understudy_testkit::proxy::{Fault, Mark};
use understudy_tests::local_cloud::{CloudError, Deployment};
use understudy_tests::story::{Quiet, Stage, StageOptions, Weather};

/// The calls by which the plans of the scenarios move: once each a move.
pub const CHANGES: [&str; 2] = ["ModifyListener", "ChangeResourceRecordSets"];

/// A change of the demo's plan: without its gate, which waits for observations that most scenarios do not need.
pub const NO_GATE: (&str, &str) = (
    "  - name: standby-is-well\n    kind: wait_healthy\n    timeout_seconds: 60\n",
    "",
);

/// A plan like the demo's, under another name and with another text put in its place, with time for the weather.
pub fn plan_named(stage: &Stage, name: &str, changes: &[(&str, &str)]) -> String {
    let text = understudy_tests::story::plan_text(&stage.world, &stage.blue, &stage.green).expect("the demo's plan");
    let text = text.replace("name: shop\n", &format!("name: {name}\n"));
    let text = changes.iter().fold(text, |text, (from, to)| {
        assert!(text.contains(from), "the demo's plan has no `{from}`");
        text.replace(from, to)
    });
    stage.weather.time_for(&text)
}

/// Stores a plan, in foul weather until it is.
pub async fn put(stage: &Stage, plan: &str) -> Value {
    stage.granted(put_plan(plan)).await.expect("the plan is stored")
}

/// Asks once that a plan be stored, in foul weather until it is answered, and says what was.
pub async fn put_once(stage: &Stage, plan: &str) -> Value {
    stage.command(put_plan(plan)).await.expect("an answer")
}

fn put_plan(plan: &str) -> Value {
    json!({"command": "put-plan", "plan": plan, "operator": "test", "reason": "a scenario"})
}

/// Forgets a plan, so that the next scenario's probes and alarms are its own.
pub async fn forget(stage: &Stage, name: &str) {
    let word = json!({"command": "delete-plan", "plan": name, "operator": "test", "reason": "the scenario is over"});
    let begun = Instant::now();
    loop {
        let answer = stage.command(word.clone()).await.expect("an answer");
        // In foul weather it may be forgotten although the answer was lost.
        let gone = || {
            answer["error"]
                .as_str()
                .is_some_and(|error| error.starts_with("there is no plan"))
        };
        let foul = stage.weather == Weather::Foul;
        if answer["ok"] == true || (foul && gone()) {
            return;
        }
        assert!(foul && begun.elapsed() < stage.weather.patience(), "{answer}");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// Brings a plan home by hand, and forgets it.
pub async fn go_home(stage: &Stage, name: &str) {
    stage
        .move_by_hand(json!({"command": "failback", "plan": name, "operator": "test", "reason": "home", "force": true, "wait_seconds": 45}))
        .await
        .expect("home again");
    stage.expect_everything_at("blue").await.expect("home again");
    forget(stage, name).await;
}

/// The status of a plan.
pub async fn status(stage: &Stage, name: &str) -> Value {
    stage.status_of(name).await.expect("a status")
}

/// How many calls of an operation since then had their effect: those that were let through, and those of which only
/// the reply was lost.
pub fn effective(stage: &Stage, since: Mark, operation: &str) -> usize {
    let took_effect = |fault: Option<Fault>| matches!(fault, None | Some(Fault::ReplyLost));
    stage
        .cloud
        .proxy()
        .calls_since(since)
        .iter()
        .filter(|call| call.operation == operation && took_effect(call.fault_injected))
        .count()
}

/// What is played on one cloud.
#[derive(Clone, Copy, Debug)]
enum Part {
    /// Everything, with calls that are answered.
    Fair,
    /// In foul weather, the story: what moves by itself, and the orders.
    ByItself,
    /// In foul weather: a planned move, and those by alarms.
    ByWordAndAlarm,
    /// In foul weather: nonsense, what is refused, sixty-four at once, a killed executor, and two Regions.
    ByManyAndOnceMore,
    /// On a stack that allows setup and names a hook: both in fair weather and in foul.
    WhatMovesNeed,
}

#[tokio::test(flavor = "multi_thread")]
async fn the_deployed_functions_do_what_the_readme_says() {
    // The first builds what all deploy.
    let mut parts = vec![tokio::spawn(play(Part::Fair, set(true, &[]).await))];
    for part in [Part::ByItself, Part::ByWordAndAlarm, Part::ByManyAndOnceMore] {
        parts.push(tokio::spawn(async move { play(part, set(false, &[]).await).await }));
    }
    parts.push(tokio::spawn(async {
        let hook = hooks::function_arn();
        let allowed = [("AllowSetup", "true"), ("HookFunctionArns", hook.as_str())];
        play(Part::WhatMovesNeed, set(false, &allowed).await).await;
    }));
    // Each is heard to its end, whatever came of the others.
    let ended = futures_util::future::join_all(parts).await;
    let failed = ended.iter().filter(|part| part.is_err()).count();
    assert_eq!(failed, 0, "parts that failed; each says above why");
}

async fn set(build: bool, parameters: &[(&str, &str)]) -> Stage {
    // So many scenarios would use up the five of an hour.
    let parameters = [&[("FleetFailoversPerHour", "50")], parameters].concat();
    let options = StageOptions {
        build,
        parameters: parameters
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
        ..StageOptions::default()
    };
    Stage::set(&options, &mut Quiet).await.expect("the stage")
}

async fn play(part: Part, mut stage: Stage) {
    let begun = Instant::now();
    let ended = run(part, &mut stage).await;
    let folder = stage.cloud.folder().to_owned();
    stage.cloud.stop();
    if let Err(error) = ended {
        panic!("{part:?}: {error}\n(logs: {})", folder.display());
    }
    println!("-- {part:?} took {} s", begun.elapsed().as_secs());
}

async fn run(part: Part, stage: &mut Stage) -> Result<(), CloudError> {
    let mut second = None;
    match part {
        Part::Fair => {
            story::the_whole_story(stage).await?;
            hostile::nonsense_is_answered_and_writes_nothing(stage).await;
            operators::a_plan_that_names_a_missing_resource_is_refused_by_its_name(stage).await;
            operators::two_put_plans_at_once_one_wins_and_the_other_is_told(stage).await;
            operators::sixty_four_failovers_at_once_open_one_execution(stage).await;
            operators::the_resource_form_finds_its_plan(stage).await;
            alarms::an_alarm_moves_the_plan_once_however_often_it_is_told(stage).await;
            events::an_event_of_yesterday_is_recorded_and_moves_nothing(stage).await;
            events::copies_in_any_order_move_the_plan_once(stage).await;
            resume::a_killed_executor_is_finished_by_the_next(stage).await;
            let deployed = two_regions::a_second_stack_stands_on_the_first_ones_table(stage).await;
            two_regions::two_regions_watch_and_move_one_plan(stage, &deployed).await;
            second = Some(deployed);
        }
        Part::ByItself => {
            stage.everything_is_well(&mut Quiet).await?;
            bad_network::begins(stage, 1);
            put(stage, &plan_named(stage, "shop", &[])).await;
            story::away_and_home_by_itself(stage).await?;
            story::the_orders_there_and_back(stage).await?;
        }
        Part::ByWordAndAlarm => {
            stage.everything_is_well(&mut Quiet).await?;
            bad_network::begins(stage, 2);
            put(stage, &plan_named(stage, "shop", &[])).await;
            story::away_and_home_by_hand(stage).await?;
            alarms::an_alarm_moves_the_plan_once_however_often_it_is_told(stage).await;
            events::an_event_of_yesterday_is_recorded_and_moves_nothing(stage).await;
            events::copies_in_any_order_move_the_plan_once(stage).await;
        }
        Part::ByManyAndOnceMore => {
            forget(stage, "shop").await;
            bad_network::begins(stage, 3);
            hostile::nonsense_is_answered_and_writes_nothing(stage).await;
            operators::a_plan_that_names_a_missing_resource_is_refused_by_its_name(stage).await;
            operators::two_put_plans_at_once_one_wins_and_the_other_is_told(stage).await;
            operators::the_resource_form_finds_its_plan(stage).await;
            operators::sixty_four_failovers_at_once_open_one_execution(stage).await;
            resume::a_killed_executor_is_finished_by_the_next(stage).await;
            let deployed = two_regions::a_second_stack_stands_on_the_first_ones_table(stage).await;
            bad_network::set_for(stage, Some(&deployed), Weather::Foul);
            two_regions::two_regions_watch_and_move_one_plan(stage, &deployed).await;
            second = Some(deployed);
        }
        Part::WhatMovesNeed => {
            forget(stage, "shop").await;
            setup::something_to_adjust(stage).await;
            setup::setup_makes_what_the_plan_states_and_teardown_takes_it_back(stage).await;
            hooks::somebody_to_ask(stage).await;
            hooks::a_hook_is_asked_and_may_say_no(stage).await;
            bad_network::begins(stage, 4);
            setup::setup_makes_what_the_plan_states_and_teardown_takes_it_back(stage).await;
            hooks::a_hook_is_asked_and_may_say_no(stage).await;
        }
    }
    if stage.weather == Weather::Foul {
        bad_network::ends(stage);
    }
    nothing_was_denied(stage, second.as_ref()).await
}

async fn nothing_was_denied(stage: &Stage, second: Option<&Deployment>) -> Result<(), CloudError> {
    let refused = stage.cloud.access_denied_calls();
    assert!(
        refused.is_empty(),
        "calls were refused for want of a permission: {refused:#?}"
    );
    for deployment in [Some(&stage.deployment), second].into_iter().flatten() {
        let grants = stage.cloud.check_grants(deployment).await?;
        assert!(
            grants.checked > 0,
            "no call of a deployed role of {} to the emulator that does not enforce was found",
            deployment.stack
        );
        assert!(
            grants.denied.is_empty(),
            "the roles of {} do not grant what the functions called: {:#?}",
            deployment.stack,
            grants.denied
        );
    }
    Ok(())
}
