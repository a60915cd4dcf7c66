//! Gates that open at a time, or at a person's word.

use jiff::SignedDuration;
use serde_json::{Value, json};
use understudy_core::control::Wake;
use understudy_core::execution::{Execution, Status, StepState};
use understudy_core::health::Health;
use understudy_core::report::EventKind;
use understudy_engine::ports::Clock;
use understudy_testkit::faults::Fault;
use understudy_testkit::world::World;
use understudy_testkit::world_oracle::violations;
use understudy_testkit::world_plan::{BLUE_HOST, failover, really_at, sample_plan, shop_with};

// The sample plan with a gate before its record, so that it stands half moved.
fn plan(gate: Value) -> Value {
    let mut plan = sample_plan("shop");
    let steps = plan["steps"].as_array_mut().unwrap();
    steps.insert(2, gate);
    plan["policy"]["max_duration_seconds"] = json!(3600);
    plan
}

fn approval(more: Value) -> Value {
    let mut gate = json!({"kind": "approval", "name": "sure", "timeout_seconds": 600, "question": "Is green warm?"});
    for (name, value) in more.as_object().unwrap() {
        gate[name] = value.clone();
    }
    gate
}

fn running(world: &World) -> Execution {
    world.control("shop").execution.expect("an execution goes on")
}

fn ended(world: &World) -> Status {
    world.control("shop").last_execution.expect("one has ended").status
}

async fn say(world: &World, command: &str, more: Value) -> Value {
    let mut asked = json!({"command": command, "plan": "shop", "operator": "mia", "reason": "I looked"});
    for (name, value) in more.as_object().unwrap() {
        asked[name] = value.clone();
    }
    let answer = world.command(asked).await;
    world.deliver().await;
    answer
}

/// A move by hand that stands at its approval.
async fn at_the_approval(seed: u64, more: Value) -> World {
    let world = shop_with(seed, plan(approval(more))).await;
    assert_eq!(world.command(failover("green is warm")).await["ok"], true);
    world.deliver().await;
    world.run_rounds(4).await;
    assert_eq!(running(&world).front().next().unwrap().1.name, "sure");
    world
}

#[tokio::test]
async fn a_wait_lets_go_when_its_time_is_over_and_not_before() {
    let gate = json!({"kind": "wait", "name": "caches", "seconds": 200, "timeout_seconds": 300});
    let world = shop_with(1, plan(gate)).await;
    let dry = world
        .command(json!({"command": "failover", "plan": "shop", "operator": "mia", "reason": "r", "dry_run": true}))
        .await;
    assert_eq!(dry["steps"][2]["current"], "it waits 200 s", "{dry:#}");
    world.command(failover("go")).await;
    world.deliver().await;
    assert!(world.settle(120).await, "{:#?}", world.control("shop"));
    let history = world.table.peek_all("shop", "execution#");
    let execution: Execution = serde_json::from_value(history[0].body.clone()).unwrap();
    assert_eq!(execution.status, Status::Completed);
    let run = &execution.steps[2];
    assert_eq!((run.state, run.detail.as_str()), (StepState::Done, "waited 200 s"));
    let waited = run.ended_at.unwrap().duration_since(run.started_at.unwrap()).as_secs();
    assert!(waited >= 200, "{waited}");
    let record = &execution.steps[3];
    assert!(record.started_at.unwrap() >= run.ended_at.unwrap());
    assert!(run.retries <= 6, "nobody looks every few seconds: {}", run.retries);
    assert_eq!(violations(&world), Vec::<String>::new());
}

#[tokio::test]
async fn a_wait_can_be_skipped_before_its_time() {
    let gate = json!({"kind": "wait", "name": "caches", "seconds": 200, "timeout_seconds": 300});
    let world = shop_with(2, plan(gate)).await;
    world.command(failover("go")).await;
    world.deliver().await;
    world.run_rounds(3).await;
    assert_eq!(say(&world, "skip", json!({"step": "caches"})).await["ok"], true);
    assert!(world.settle(6).await, "{:#?}", world.control("shop"));
    assert_eq!(really_at(&world.cloud), ("green", "green"));
}

#[tokio::test]
async fn who_is_waited_for_is_told_at_once_with_what_to_say() {
    let world = at_the_approval(3, json!({})).await;
    let told = world.cloud.published();
    let waiting: Vec<_> = told
        .iter()
        .filter(|message| message.announcement.event == EventKind::Waiting)
        .collect();
    assert_eq!(waiting.len(), 1, "{waiting:#?}");
    let text = &waiting[0].announcement.text;
    for part in [
        "Is green warm?",
        "\"command\": \"approve\"",
        "\"command\": \"reject\"",
        "\"step\": \"sure\"",
    ] {
        assert!(text.contains(part), "{text}");
    }
    let status = world.command(json!({"command": "status", "plan": "shop"})).await;
    assert_eq!(status["execution"]["asking"].as_array().unwrap().len(), 3, "{status:#}");
    let lines = status["text"].to_string();
    assert!(lines.contains("A person's yes is needed at step sure"), "{lines}");
    assert_eq!(really_at(&world.cloud), ("green", "blue"), "half moved");
}

#[tokio::test]
async fn a_yes_lets_the_move_go_on_under_the_name_of_who_said_it() {
    let world = at_the_approval(4, json!({})).await;
    let would = say(&world, "approve", json!({"dry_run": true})).await;
    assert_eq!(would["changed"], "nothing", "{would:#}");
    assert!(running(&world).awaits_approval().is_some());
    let yes = say(&world, "approve", json!({})).await;
    assert_eq!(yes["ok"], true, "{yes:#}");
    assert!(world.settle(6).await, "{:#?}", world.control("shop"));
    assert_eq!(really_at(&world.cloud), ("green", "green"));
    let history = world.command(json!({"command": "history", "plan": "shop"})).await;
    let step = &history["executions"][0]["steps"][2];
    assert_eq!(step["detail"], "approved by mia: I looked", "{step}");
    assert_eq!(violations(&world), Vec::<String>::new());
}

#[tokio::test]
async fn a_no_undoes_what_was_done() {
    let world = at_the_approval(5, json!({})).await;
    let no = say(&world, "reject", json!({})).await;
    assert_eq!(no["ok"], true, "{no:#}");
    assert!(world.settle(10).await, "{:#?}", world.control("shop"));
    assert_eq!(ended(&world), Status::Cancelled);
    assert_eq!(really_at(&world.cloud), ("blue", "blue"));
    assert_eq!(violations(&world), Vec::<String>::new());
}

#[tokio::test]
async fn silence_fails_the_step_as_its_plan_says() {
    for (seed, on_failure, expected) in [(6, "rollback", ("blue", "blue")), (7, "halt", ("green", "blue"))] {
        let world = at_the_approval(seed, json!({"on_failure": on_failure, "timeout_seconds": 120})).await;
        let at_rest = |world: &World| {
            let control = world.control("shop");
            control
                .execution
                .is_none_or(|execution| execution.status == Status::Stuck)
        };
        assert!(world.run_until(60, at_rest).await, "{:#?}", world.control("shop"));
        assert_eq!(really_at(&world.cloud), expected, "{on_failure}");
        let too_late = say(&world, "approve", json!({})).await;
        assert_eq!(too_late["ok"], false, "{too_late:#}");
    }
}

#[tokio::test]
async fn an_answer_that_comes_twice_or_for_something_else_opens_nothing() {
    let mut two = plan(approval(json!({})));
    let again = approval(json!({"name": "still-sure"}));
    two["steps"].as_array_mut().unwrap().insert(3, again);
    let world = shop_with(8, two).await;
    let early = say(&world, "approve", json!({"step": "sure"})).await;
    assert_eq!(early["ok"], false, "nothing runs: {early:#}");
    world.command(failover("go")).await;
    world.deliver().await;
    world.run_rounds(4).await;
    for wrong in [json!({"step": "ready"}), json!({"execution": "another"})] {
        let refused = say(&world, "approve", wrong).await;
        assert_eq!(refused["ok"], false, "{refused:#}");
    }
    let yes = json!({"execution": running(&world).id, "step": "sure"});
    assert_eq!(say(&world, "approve", yes.clone()).await["ok"], true);
    world.run_rounds(2).await;
    assert_eq!(running(&world).front().next().unwrap().1.name, "still-sure");
    let copy = say(&world, "approve", yes).await;
    assert_eq!(copy["ok"], false, "{copy:#}");
    assert_eq!(running(&world).front().next().unwrap().1.name, "still-sure");
}

#[tokio::test]
async fn an_automatic_move_waits_for_a_person_too() {
    let world = shop_with(9, plan(approval(json!({})))).await;
    world.cloud.answer(BLUE_HOST, Health::Unhealthy, "HTTP 503");
    let stands = |world: &World| {
        let control = world.control("shop");
        control
            .execution
            .is_some_and(|execution| execution.awaits_approval().is_some())
    };
    assert!(world.run_until(20, stands).await, "{:#?}", world.control("shop"));
    world.run_rounds(10).await;
    assert!(stands(&world));
    assert_eq!(say(&world, "approve", json!({})).await["ok"], true);
    assert!(world.settle(6).await, "{:#?}", world.control("shop"));
    assert_eq!(really_at(&world.cloud), ("green", "green"));
}

// The word comes at any moment of the turn, also between the executor's look and its record of the wait: it is not slept
// through.
#[tokio::test]
async fn a_word_that_crosses_the_record_of_the_wait_is_heeded_at_once() {
    let mut crossed = 0;
    for delay in (0..6000).step_by(100) {
        let world = shop_with(10, plan(approval(json!({})))).await;
        world.command(failover("go")).await;
        // A slow table, so that every moment between a look and its record is hit.
        let slow = || Fault::Slow(SignedDuration::from_millis(200));
        world.table.faults.always("table.get", slow());
        world.table.faults.always("table.put", slow());
        let turn = world.invoke(Wake::Executor, json!({"plan": "shop"}));
        let word = async {
            world.clock.sleep(SignedDuration::from_millis(delay)).await;
            let asked = json!({"command": "approve", "plan": "shop", "operator": "mia", "reason": "quick"});
            world.command(asked).await["ok"] == true
        };
        let (_, said) = tokio::join!(turn, word);
        if !said {
            continue;
        }
        crossed += 1;
        world.table.faults.clear();
        world.deliver().await;
        assert!(
            world.settle(4).await,
            "said after {delay} ms: {:#?}",
            world.control("shop")
        );
        assert_eq!(really_at(&world.cloud), ("green", "green"));
    }
    assert!(crossed > 10, "words came {crossed} times while the turn went on");
}
