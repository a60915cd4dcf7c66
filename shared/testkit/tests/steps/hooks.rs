//! Users' functions. What they have done can not be read, so two questions of the proof do not fit: whether it is done
//! already, and whether somebody else was quicker.

use super::assert_none;
use serde_json::json;
use understudy_core::execution::{Status, StepState, Style};
use understudy_engine::ports::{CallErrorKind, HookAnswer};
use understudy_testkit::cloud::FakeCloud;
use understudy_testkit::faults::Fault;
use understudy_testkit::step_proof::Proof;

const HOOK: &str = "shop-hook";

fn invoke() -> Proof {
    Proof {
        step: json!({"kind": "invoke", "name": "sessions", "function": HOOK, "payload": {"drain": true}, "undo": "invoke"}),
        style: Style::Planned,
        furnish: |cloud| cloud.put_hook(HOOK),
        snapshot: |cloud| json!(cloud.hook_done(HOOK)),
        moved: |cloud| cloud.hook_done(HOOK),
        reads: &[],
        calls: &["hooks.ask"],
        undo_calls: &["hooks.ask"],
        disturb: |_| {},
        is_disturbed: |_| true,
    }
}

fn answering(furnish: fn(&FakeCloud)) -> Proof {
    Proof { furnish, ..invoke() }
}

fn refuse_record(cloud: &FakeCloud) {
    cloud
        .faults
        .next("dns.change_records", Fault::Before(CallErrorKind::Refused));
}

#[tokio::test]
async fn invoke_stands_the_proof() {
    let proof = invoke();
    assert_none(&proof.works().await);
    assert_none(&proof.bears_errors().await);
    assert_none(&proof.bears_lost_replies().await);
    assert_none(&proof.is_undone().await);
}

#[tokio::test]
async fn invoke_bears_deaths() {
    assert_none(&invoke().bears_deaths().await);
}

#[tokio::test]
async fn it_is_told_which_move_it_is_part_of_and_knows_a_repeat_by_its_key() {
    let proof = answering(|cloud| {
        cloud.put_hook(HOOK);
        cloud.faults.next("hooks.ask", Fault::ReplyLost);
        refuse_record(cloud);
    });
    let (world, execution) = proof.run_once().await;
    let execution = execution.unwrap();
    let events = world.cloud.hook_events(HOOK);
    let sent: Vec<_> = events
        .iter()
        .map(|event| {
            (
                event["direction"].as_str().unwrap(),
                event["idempotency_key"].as_str().unwrap(),
            )
        })
        .collect();
    let (there, back) = (
        format!("{}/sessions/forward", execution.id),
        format!("{}/sessions/back", execution.id),
    );
    assert_eq!(
        sent,
        [("forward", there.as_str()), ("forward", &there), ("back", &back)]
    );
    let first = &events[0];
    assert!(first["epoch"].as_u64().unwrap() > 0);
    let expected = json!({
        "plan": "shop", "execution": execution.id, "step": "sessions", "epoch": first["epoch"], "direction": "forward",
        "from": "blue", "to": "green", "style": "planned", "idempotency_key": there, "payload": {"drain": true},
    });
    assert_eq!(*first, expected);
}

#[tokio::test]
async fn what_it_says_is_on_the_record() {
    let (_, execution) = invoke().run_once().await;
    let run = &execution.unwrap().steps[0];
    assert_eq!((run.state, run.detail.as_str()), (StepState::Done, "done: as asked"));
}

#[tokio::test]
async fn its_no_fails_the_step_with_the_reason_and_is_not_asked_about_again() {
    let proof = answering(|cloud| {
        cloud.put_hook(HOOK);
        let reason = "a batch is running".to_owned();
        cloud.hook_answers(HOOK, [HookAnswer::Refused { reason }]);
    });
    let (world, execution) = proof.run_once().await;
    let execution = execution.unwrap();
    assert_eq!(execution.status, Status::RolledBack);
    let why = execution.failure.unwrap();
    assert!(why.contains("a batch is running") && why.contains(HOOK), "{why}");
    assert_eq!(
        world.cloud.hook_events(HOOK).len(),
        1,
        "it did nothing, so nothing is undone"
    );
}

#[tokio::test]
async fn one_that_has_begun_is_asked_again_without_using_up_the_retry_budget() {
    let mut proof = answering(|cloud| {
        cloud.put_hook(HOOK);
        let detail = Some("12 sessions left".to_owned());
        cloud.hook_answers(HOOK, vec![HookAnswer::NotYet { detail }; 4]);
    });
    proof.step["retry_budget"] = json!(1);
    let (world, execution) = proof.run_once().await;
    let execution = execution.unwrap();
    assert_eq!(execution.status, Status::Completed, "{execution:#?}");
    assert_eq!(execution.steps[0].errors, 0);
    assert!(world.cloud.hook_done(HOOK));
    let told = world.cloud.published();
    let waits = told
        .iter()
        .find(|message| message.announcement.event.as_str() == "waiting");
    assert!(waits.unwrap().announcement.text.contains("12 sessions left"));
}

#[tokio::test]
async fn one_that_never_comes_to_an_end_is_undone_when_its_time_is_over() {
    let mut proof = answering(|cloud| {
        cloud.put_hook(HOOK);
        cloud.hook_answers(HOOK, vec![HookAnswer::NotYet { detail: None }; 4]);
    });
    proof.step["timeout_seconds"] = json!(12);
    let (world, execution) = proof.run_once().await;
    let execution = execution.unwrap();
    assert_eq!(execution.status, Status::RolledBack, "{execution:#?}");
    let events = world.cloud.hook_events(HOOK);
    assert_eq!(events.last().unwrap()["direction"], "back", "it may have done a part");
}

#[tokio::test]
async fn a_function_that_fails_is_asked_again_within_the_retry_budget() {
    let broken = |cloud: &FakeCloud| {
        cloud.put_hook(HOOK);
        let fails = Fault::Before(CallErrorKind::Retryable);
        cloud.faults.times("hooks.ask", 3, fails);
    };
    let (world, execution) = answering(broken).run_once().await;
    assert_eq!(execution.unwrap().status, Status::Completed);
    assert!(world.cloud.hook_done(HOOK));

    let mut proof = answering(broken);
    proof.step["retry_budget"] = json!(2);
    let (_, execution) = proof.run_once().await;
    let execution = execution.unwrap();
    assert_eq!(execution.status, Status::RolledBack);
    assert!(execution.failure.unwrap().contains("retry budget"));
}

#[tokio::test]
async fn one_with_nothing_to_take_back_is_left_as_it_is() {
    let mut proof = answering(|cloud| {
        cloud.put_hook(HOOK);
        refuse_record(cloud);
    });
    proof.step["undo"] = json!("none");
    let (world, execution) = proof.run_once().await;
    let execution = execution.unwrap();
    assert_eq!(execution.status, Status::RolledBack);
    let run = &execution.steps[0];
    assert_eq!(run.state, StepState::Undone);
    assert!(run.detail.contains("nothing to take back"), "{}", run.detail);
    assert_eq!(world.cloud.hook_events(HOOK).len(), 1);
}

#[tokio::test]
async fn a_no_on_the_way_back_calls_a_person() {
    let proof = answering(|cloud| {
        cloud.put_hook(HOOK);
        // The way there goes well; the refused record turns it round, and the hook has closed meanwhile.
        cloud.faults.nth(
            "hooks.ask",
            2,
            Fault::Outside(Box::new(|cloud| {
                let reason = "too late".to_owned();
                cloud.hook_answers(HOOK, [HookAnswer::Refused { reason }]);
            })),
        );
        refuse_record(cloud);
    });
    let (_, execution) = proof.run_once().await;
    let execution = execution.unwrap();
    assert_eq!(execution.status, Status::Stuck);
    let why = execution.failure.unwrap();
    assert!(why.contains("can not be undone") && why.contains("too late"), "{why}");
}

#[tokio::test]
async fn a_function_that_is_not_there_fails_the_step() {
    let (_, execution) = answering(|_| {}).run_once().await;
    let execution = execution.unwrap();
    assert_eq!(execution.status, Status::RolledBack);
    assert!(execution.failure.unwrap().contains(HOOK));
}
