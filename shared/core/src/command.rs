//! What people ask for, as JSON.
//!
//! A command is one object: `{"command": "failover", "plan": "shop", "operator": "mia", "reason": "…"}`.
//! It is read strictly: a field that is not known is an error, since a misspelt `dry_run` must not move
//! production. Where a command changes something it takes `dry_run`, and `operator` and `reason` are asked for.

mod problems;
mod shapes;

pub use shapes::{
    ALL_PLANS, Answer, Escalate, Failover, History, MaintenanceWindow, ModeOfAll, Nothing, OfPlan, Pause, PutPlan,
    Resolution, Resolve, ResourceRequest, RollbackPlan, SettingUp, Skip, Validate, Word, WordOnPlan,
};

use problems::problems;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The longest that `failover` and `failback` wait for the end of the execution that they started.
pub const MAX_WAIT_SECONDS: u32 = 60;

/// Every command, by its word.
pub const COMMANDS: &[&str] = &[
    "failover",
    "failback",
    "setup",
    "teardown",
    "status",
    "list",
    "history",
    "pause",
    "resume",
    "maintenance",
    "mode",
    "stop-all",
    "start-all",
    "approve",
    "reject",
    "acknowledge",
    "keep",
    "cancel",
    "skip",
    "escalate",
    "resolve",
    "preflight",
    "put-plan",
    "delete-plan",
    "validate",
];

/// What a person asks for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "kebab-case")]
pub enum Command {
    /// Move a plan to another site.
    Failover(Failover),
    /// Bring a plan home to its primary.
    Failback(Failover),
    /// Make or adjust what the plan's `setup` states.
    Setup(SettingUp),
    /// Take back what setup made.
    Teardown(SettingUp),
    /// What is going on with a plan.
    Status(OfPlan),
    /// All plans, a line each.
    List(Nothing),
    /// What happened to a plan: executions and decisions, the newest first.
    History(History),
    /// No automatic moves until `resume`; or the running execution stops at the next step boundary.
    Pause(Pause),
    /// Automatic moves again; or the running execution goes on.
    Resume(Pause),
    /// No automatic moves until a time.
    Maintenance(MaintenanceWindow),
    /// No plan is bolder than this mode.
    Mode(ModeOfAll),
    /// The kill switch: nothing starts, and nothing that runs makes a further mutating call.
    #[serde(alias = "stop_all")]
    StopAll(Word),
    /// The kill switch off.
    #[serde(alias = "start_all")]
    StartAll(Word),
    /// Yes to the proposal that waits, or to the running execution that does.
    Approve(Answer),
    /// No to it.
    Reject(Answer),
    /// Opens the latch of the last automatic failover.
    Acknowledge(WordOnPlan),
    /// The plan does not come home by itself, as `rollback_plan` promised.
    Keep(WordOnPlan),
    /// Stops the running execution and undoes what it did.
    Cancel(WordOnPlan),
    /// Goes on without the step at which the running execution stands.
    Skip(Skip),
    /// The running planned move goes on as an unplanned one.
    Escalate(Escalate),
    /// Says how a stuck execution goes on.
    Resolve(Resolve),
    /// Reads a plan through now: whether it could move.
    Preflight(OfPlan),
    /// Stores a revision of a plan.
    #[serde(alias = "put_plan")]
    PutPlan(PutPlan),
    /// Forgets a plan.
    #[serde(alias = "delete_plan")]
    DeletePlan(WordOnPlan),
    /// Checks a plan, its resources included, and stores nothing.
    Validate(Validate),
}

impl Command {
    /// The command's word.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Failover(_) => "failover",
            Self::Failback(_) => "failback",
            Self::Setup(_) => "setup",
            Self::Teardown(_) => "teardown",
            Self::Status(_) => "status",
            Self::List(_) => "list",
            Self::History(_) => "history",
            Self::Pause(_) => "pause",
            Self::Resume(_) => "resume",
            Self::Maintenance(_) => "maintenance",
            Self::Mode(_) => "mode",
            Self::StopAll(_) => "stop-all",
            Self::StartAll(_) => "start-all",
            Self::Approve(_) => "approve",
            Self::Reject(_) => "reject",
            Self::Acknowledge(_) => "acknowledge",
            Self::Keep(_) => "keep",
            Self::Cancel(_) => "cancel",
            Self::Skip(_) => "skip",
            Self::Escalate(_) => "escalate",
            Self::Resolve(_) => "resolve",
            Self::Preflight(_) => "preflight",
            Self::PutPlan(_) => "put-plan",
            Self::DeletePlan(_) => "delete-plan",
            Self::Validate(_) => "validate",
        }
    }
}

/// Reads a command.
///
/// # Errors
/// A sentence that says what is wrong and what would be right. Nothing of the input is repeated at length.
pub fn parse(value: Value) -> Result<Command, String> {
    let word = match value.get("command") {
        Some(Value::String(word)) => word.clone(),
        Some(_) => return Err(format!("`command` must be a text, one of: {}", COMMANDS.join(", "))),
        None => return Err(format!("`command` is missing; it is one of: {}", COMMANDS.join(", "))),
    };
    let known = COMMANDS.contains(&word.as_str())
        || matches!(word.as_str(), "put_plan" | "delete_plan" | "stop_all" | "start_all");
    if !known {
        return Err(format!(
            "there is no command `{}`; the commands are: {}",
            crate::event::excerpt(&word),
            COMMANDS.join(", ")
        ));
    }
    let command: Command = serde_json::from_value(value)
        .map_err(|error| format!("{word}: {}", crate::event::excerpt_long(&error.to_string())))?;
    let problems = problems(&command);
    if problems.is_empty() {
        Ok(command)
    } else {
        Err(format!("{word}: {}", problems.join("; ")))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    #[test]
    fn a_misspelt_field_is_refused_by_name() {
        let error =
            parse(json!({"command": "failover", "plan": "shop", "operator": "mia", "reason": "r", "dryrun": true}))
                .unwrap_err();
        assert!(error.contains("dryrun") && error.contains("dry_run"), "{error}");
    }

    #[test]
    fn an_unknown_command_lists_the_known_ones() {
        let error = parse(json!({"command": "explode"})).unwrap_err();
        assert!(error.contains("explode") && error.contains("put-plan"), "{error}");
    }

    #[test]
    fn every_problem_is_named_at_once() {
        let error =
            parse(json!({"command": "failover", "plan": "shop", "operator": " ", "reason": "", "wait_seconds": 61}))
                .unwrap_err();
        for part in ["operator", "reason", "wait_seconds"] {
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn every_word_is_a_command() {
        for word in COMMANDS {
            let error = parse(json!({"command": word, "nonsense": 1})).unwrap_err();
            assert!(!error.contains("there is no command"), "{error}");
        }
    }

    #[test]
    fn both_spellings_of_put_plan_are_read() {
        for word in ["put-plan", "put_plan"] {
            let command = parse(json!({"command": word, "plan": {}, "operator": "mia", "reason": "first"})).unwrap();
            assert_eq!(command.word(), "put-plan");
        }
    }
}
