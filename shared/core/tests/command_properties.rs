//! Commands: whatever can be meant survives being written and read again, and whatever else comes is answered.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod bytes;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use serde_json::{Map, Value, json};
use understudy_core::Timestamp;
use understudy_core::command::{
    ALL_PLANS, Answer, COMMANDS, Command, Escalate, Failover, History, MAX_WAIT_SECONDS, MaintenanceWindow, ModeOfAll,
    Nothing, OfPlan, Pause, PutPlan, Resolution, Resolve, ResourceRequest, RollbackPlan, SettingUp, Skip, Validate,
    Word, WordOnPlan, parse,
};
use understudy_core::execution::Style;
use understudy_core::plan::Mode;

/// A text that a person may give: something to see in it, and nothing that a terminal obeys.
fn text(longest: usize) -> impl Strategy<Value = String> {
    prop::collection::vec(
        any::<char>().prop_filter("no control characters", |c| !c.is_control()),
        0..longest,
    )
    .prop_map(|characters| characters.into_iter().collect::<String>())
    .prop_map(|text| if text.trim().is_empty() { "x".to_owned() } else { text })
}

/// Keys and words of the commands among arbitrary ones.
fn word() -> impl Strategy<Value = String> {
    let known = [
        "command",
        "plan",
        "operator",
        "reason",
        "to",
        "style",
        "planned",
        "force",
        "dry_run",
        "wait_seconds",
        "limit",
        "rollback_plan",
        "auto_rollback",
        "rollback_delay",
        "action",
        "mode",
        "observe",
        "retry",
        "active_site",
        "expected_revision",
        "shop",
        "source_resource",
        "target_resource",
    ];
    let words: Vec<&str> = known.into_iter().chain(COMMANDS.iter().copied()).collect();
    prop_oneof![3 => prop::sample::select(words).prop_map(str::to_owned), 1 => any::<String>()]
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        word().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 48, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((word(), inner), 0..6)
                .prop_map(|fields| Value::Object(fields.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

fn rollback_plan() -> impl Strategy<Value = RollbackPlan> {
    any::<(bool, u32)>().prop_map(|(auto_rollback, rollback_delay)| RollbackPlan {
        auto_rollback,
        rollback_delay,
    })
}

prop_compose! {
    fn failover()(
        plan in text(63), to in prop::option::of(text(63)), operator in text(128), reason in text(500),
        planned: bool, force: bool, wait_seconds in 0..=MAX_WAIT_SECONDS, dry_run: bool,
        rollback_plan in prop::option::of(rollback_plan()), accept_data_loss: bool, accept_irreversible: bool,
        escalate_after_seconds in prop::option::of(any::<u32>()),
    ) -> Failover {
        let style = if planned { Style::Planned } else { Style::Unplanned };
        // Only what is planned can be escalated.
        let escalate_after_seconds = escalate_after_seconds.filter(|_| planned);
        Failover {
            plan, to, operator, reason, style, force, accept_data_loss, accept_irreversible, escalate_after_seconds, wait_seconds, dry_run,
            rollback_plan,
        }
    }
}

prop_compose! {
    fn word_on_plan()(plan in text(63), operator in text(128), reason in text(500), dry_run: bool) -> WordOnPlan {
        WordOnPlan { plan, operator, reason, dry_run }
    }
}

prop_compose! {
    fn setting_up()(
        plan in text(63), operator in text(128), reason in text(500), wait_seconds in 0..=MAX_WAIT_SECONDS, dry_run: bool,
    ) -> SettingUp {
        SettingUp { plan, operator, reason, wait_seconds, dry_run }
    }
}

prop_compose! {
    fn pause()(plan in text(63), execution: bool, operator in text(128), reason in text(500), dry_run: bool) -> Pause {
        let execution = execution && plan != ALL_PLANS;
        Pause { plan, execution, operator, reason, dry_run }
    }
}

prop_compose! {
    fn maintenance()(
        plan in text(63), until in prop::option::of(0_i64..4_000_000_000), seconds: u32, operator in text(128),
        reason in text(500), dry_run: bool,
    ) -> MaintenanceWindow {
        let until = until.and_then(|second| Timestamp::from_second(second).ok());
        let for_seconds = until.is_none().then_some(seconds);
        MaintenanceWindow { plan, until, for_seconds, operator, reason, dry_run }
    }
}

prop_compose! {
    fn mode_of_all()(
        operator in text(128), reason in text(500), dry_run: bool,
        mode in prop::sample::select(vec![Mode::Automatic, Mode::Approve, Mode::Observe, Mode::Manual]),
    ) -> ModeOfAll {
        ModeOfAll { plan: ALL_PLANS.to_owned(), mode, operator, reason, dry_run }
    }
}

prop_compose! {
    fn word_on_all()(operator in text(128), reason in text(500), dry_run: bool) -> Word {
        Word { operator, reason, dry_run }
    }
}

prop_compose! {
    fn answer()(
        plan in text(63), of_proposal: bool, id in prop::option::of(text(63)), step in prop::option::of(text(63)),
        operator in text(128), reason in text(500), dry_run: bool,
    ) -> Answer {
        let (proposal, execution, step) = if of_proposal { (id, None, None) } else { (None, id, step) };
        Answer { plan, proposal, execution, step, operator, reason, dry_run }
    }
}

prop_compose! {
    fn escalate()(
        plan in text(63), operator in text(128), reason in text(500), accept_data_loss: bool,
        accept_irreversible: bool, dry_run: bool,
    ) -> Escalate {
        Escalate { plan, operator, reason, accept_data_loss, accept_irreversible, dry_run }
    }
}

prop_compose! {
    fn skip()(
        plan in text(63), step in text(63), operator in text(128), reason in text(500), accept_data_loss: bool, dry_run: bool,
    ) -> Skip {
        Skip { plan, step, operator, reason, accept_data_loss, dry_run }
    }
}

prop_compose! {
    fn resolve()(
        plan in text(63), operator in text(128), reason in text(500), dry_run: bool, active_site in prop::option::of(text(63)),
        action in prop::sample::select(vec![Resolution::Retry, Resolution::Rollback, Resolution::Abandon]),
    ) -> Resolve {
        Resolve { plan, operator, reason, action, active_site, dry_run }
    }
}

prop_compose! {
    fn put_plan()(
        plan in value(), operator in text(128), reason in text(500), dry_run: bool,
        active_site in prop::option::of(text(63)), expected_revision in prop::option::of(any::<u64>()),
    ) -> PutPlan {
        PutPlan { plan, operator, reason, active_site, expected_revision, dry_run }
    }
}

fn command() -> impl Strategy<Value = Command> {
    prop_oneof![
        failover().prop_map(Command::Failover),
        failover().prop_map(Command::Failback),
        setting_up().prop_map(Command::Setup),
        setting_up().prop_map(Command::Teardown),
        text(63).prop_map(|plan| Command::Status(OfPlan { plan })),
        text(63).prop_map(|plan| Command::Preflight(OfPlan { plan })),
        Just(Command::List(Nothing {})),
        (text(63), any::<u32>()).prop_map(|(plan, limit)| Command::History(History { plan, limit })),
        pause().prop_map(Command::Pause),
        pause().prop_map(Command::Resume),
        maintenance().prop_map(Command::Maintenance),
        mode_of_all().prop_map(Command::Mode),
        word_on_all().prop_map(Command::StopAll),
        word_on_all().prop_map(Command::StartAll),
        answer().prop_map(Command::Approve),
        answer().prop_map(Command::Reject),
        word_on_plan().prop_map(Command::Acknowledge),
        word_on_plan().prop_map(Command::Keep),
        word_on_plan().prop_map(Command::Cancel),
        skip().prop_map(Command::Skip),
        escalate().prop_map(Command::Escalate),
        resolve().prop_map(Command::Resolve),
        put_plan().prop_map(Command::PutPlan),
        word_on_plan().prop_map(Command::DeletePlan),
        value().prop_map(|plan| Command::Validate(Validate { plan })),
    ]
}

prop_compose! {
    fn resource_request()(
        source_resource: String, target_resource: String, resource_type: String, reason: String, operator: String,
        rollback_plan in prop::option::of(rollback_plan()), wait_seconds: u32, dry_run: bool,
    ) -> ResourceRequest {
        ResourceRequest {
            source_resource, target_resource, resource_type, reason, operator, rollback_plan, wait_seconds, dry_run,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_command_survives_writing_and_reading(command in command()) {
        let written = serde_json::to_value(&command).unwrap();
        prop_assert_eq!(written["command"].as_str(), Some(command.word()));
        prop_assert_eq!(parse(written), Ok(command));
    }

    #[test]
    fn a_resource_request_survives_writing_and_reading(request in resource_request()) {
        let written = serde_json::to_value(&request).unwrap();
        prop_assert_eq!(serde_json::from_value::<ResourceRequest>(written).unwrap(), request);
    }

    #[test]
    fn arbitrary_values_are_answered(value in value()) {
        bytes::command_value(value);
    }

    /// A known command with arbitrary fields, so that they are looked at.
    #[test]
    fn arbitrary_fields_are_answered(word in prop::sample::select(COMMANDS), mut value in value()) {
        if let Some(fields) = value.as_object_mut() {
            fields.insert("command".into(), json!(word));
        }
        bytes::command_value(value);
    }

    /// A good command with one field replaced: accepted, or answered with the field's name among the words.
    #[test]
    fn a_command_with_one_field_replaced_is_answered(command in command(), field in any::<prop::sample::Index>(), value in value()) {
        let mut written = serde_json::to_value(&command).unwrap();
        let names: Vec<String> = written.as_object().unwrap().keys().cloned().collect();
        written[field.get(&names).as_str()] = value;
        bytes::command_value(written);
    }

    /// A field that no command has is refused by its name: a misspelt `dry_run` moves nothing.
    #[test]
    fn a_field_that_is_not_known_is_refused(command in command(), dry in any::<bool>()) {
        let mut written = serde_json::to_value(&command).unwrap();
        written["dryrun"] = json!(dry);
        let answer = parse(written).unwrap_err();
        prop_assert!(answer.contains("dryrun"), "{}", answer);
    }
}

#[test]
fn every_command_is_tried() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let strategy = command();
    let tried: std::collections::BTreeSet<&str> = (0..500)
        .map(|_| strategy.new_tree(&mut runner).unwrap().current().word())
        .collect();
    assert_eq!(tried, COMMANDS.iter().copied().collect());
}
