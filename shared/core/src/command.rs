//! What people ask for, as JSON.
//!
//! A command is one object: `{"command": "failover", "plan": "shop", "operator": "mia", "reason": "…"}`.
//! It is read strictly: a field that is not known is an error, since a misspelt `dry_run` must not move
//! production. Where a command changes something it takes `dry_run`, and `operator` and `reason` are asked for.

use crate::execution::Style;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The longest that `failover` and `failback` wait for the end of the execution that they started.
pub const MAX_WAIT_SECONDS: u32 = 60;

/// Every command, by its word.
pub const COMMANDS: &[&str] = &[
    "failover",
    "failback",
    "status",
    "list",
    "history",
    "pause",
    "resume",
    "acknowledge",
    "cancel",
    "resolve",
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
    /// What is going on with a plan.
    Status(OfPlan),
    /// All plans, a line each.
    List(Nothing),
    /// What happened to a plan: executions and decisions, the newest first.
    History(History),
    /// No automatic moves until `resume`.
    Pause(WordOnPlan),
    /// Automatic moves again.
    Resume(WordOnPlan),
    /// Opens the latch of the last automatic failover.
    Acknowledge(WordOnPlan),
    /// Stops the running execution and undoes what it did.
    Cancel(WordOnPlan),
    /// Says how a stuck execution goes on.
    Resolve(Resolve),
    /// Stores a revision of a plan.
    #[serde(alias = "put_plan")]
    PutPlan(PutPlan),
    /// Forgets a plan.
    #[serde(alias = "delete_plan")]
    DeletePlan(WordOnPlan),
    /// Checks a plan, its resources included, and stores nothing.
    Validate(Validate),
}

/// No fields.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

/// Only the plan's name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OfPlan {
    /// The plan's name.
    pub plan: String,
}

/// How much history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct History {
    /// The plan's name.
    pub plan: String,
    /// How many executions and how many decisions, at most 50.
    #[serde(default = "ten")]
    pub limit: u32,
}

/// Move a plan. `failback` is the same, and always goes to the primary.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Failover {
    /// The plan's name.
    pub plan: String,
    /// The destination; without it the most preferred healthy site that is not active.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Who asks (asserted; CloudTrail proves).
    pub operator: String,
    /// Why.
    pub reason: String,
    /// Whether the source still works: `planned` (the default) or `unplanned`.
    #[serde(default = "planned")]
    pub style: Style,
    /// Go even if the destination is not seen to be healthy. On the record.
    #[serde(default)]
    pub force: bool,
    /// How long to wait for the end, at most 60 seconds. The answer always has the execution's id.
    #[serde(default)]
    pub wait_seconds: u32,
    /// Say what would be done, and do nothing.
    #[serde(default)]
    pub dry_run: bool,
    /// Come home by itself some time after a planned move.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollback_plan: Option<RollbackPlan>,
}

/// Come home by itself some time after a planned move.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RollbackPlan {
    /// Whether to.
    #[serde(default)]
    pub auto_rollback: bool,
    /// How many seconds after the move has completed.
    #[serde(default = "an_hour")]
    pub rollback_delay: u32,
}

/// A word of a person about a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WordOnPlan {
    /// The plan's name.
    pub plan: String,
    /// Who asks (asserted; CloudTrail proves).
    pub operator: String,
    /// Why.
    pub reason: String,
    /// Say what would be done, and do nothing.
    #[serde(default)]
    pub dry_run: bool,
}

/// How a stuck execution goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resolve {
    /// The plan's name.
    pub plan: String,
    /// Who asks (asserted; CloudTrail proves).
    pub operator: String,
    /// Why.
    pub reason: String,
    /// Which way.
    pub action: Resolution,
    /// With `abandon`: the site that really carries the plan now. Without it, the one before the execution.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active_site: Option<String>,
    /// Say what would be done, and do nothing.
    #[serde(default)]
    pub dry_run: bool,
}

/// Which way a stuck execution goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resolution {
    /// Try on from the step where it stands.
    Retry,
    /// Undo what was done.
    Rollback,
    /// Leave the resources as they are and end the execution as failed.
    Abandon,
}

/// Stores a revision of a plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PutPlan {
    /// The plan: an object, or its YAML or JSON as text.
    pub plan: Value,
    /// Who asks (asserted; CloudTrail proves).
    pub operator: String,
    /// Why.
    pub reason: String,
    /// For a new plan: the site that carries it now. Without it, the primary.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active_site: Option<String>,
    /// The revision that this one is based on: refused if it is no longer the newest. 0 for a new plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_revision: Option<u64>,
    /// Check it, say what would change, and store nothing.
    #[serde(default)]
    pub dry_run: bool,
}

/// Checks a plan and stores nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Validate {
    /// The plan: an object, its YAML or JSON as text, or the name of one that is stored.
    pub plan: Value,
}

/// The request form of the guidance page that Understudy grew from: resources instead of plan and site.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResourceRequest {
    /// The resource that carries the work now.
    pub source_resource: String,
    /// The resource that shall carry it.
    pub target_resource: String,
    /// What they are: `ec2`, `load_balancer`, `database`, `dns`, `auto_scaling`. Told back, not needed to find the plan.
    #[serde(default)]
    pub resource_type: String,
    /// Why.
    #[serde(default = "manual_reason")]
    pub reason: String,
    /// Who asks; without it `unnamed`.
    #[serde(default = "unnamed")]
    pub operator: String,
    /// Come home by itself some time after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollback_plan: Option<RollbackPlan>,
    /// How long to wait for the end, at most 60 seconds.
    #[serde(default)]
    pub wait_seconds: u32,
    /// Say what would be done, and do nothing.
    #[serde(default)]
    pub dry_run: bool,
}

fn ten() -> u32 {
    10
}
fn planned() -> Style {
    Style::Planned
}
fn an_hour() -> u32 {
    3600
}
fn unnamed() -> String {
    "unnamed".into()
}
fn manual_reason() -> String {
    "Manual failover requested".into()
}

impl Command {
    /// The command's word.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Failover(_) => "failover",
            Self::Failback(_) => "failback",
            Self::Status(_) => "status",
            Self::List(_) => "list",
            Self::History(_) => "history",
            Self::Pause(_) => "pause",
            Self::Resume(_) => "resume",
            Self::Acknowledge(_) => "acknowledge",
            Self::Cancel(_) => "cancel",
            Self::Resolve(_) => "resolve",
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
    let known = COMMANDS.contains(&word.as_str()) || matches!(word.as_str(), "put_plan" | "delete_plan");
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

fn problems(command: &Command) -> Vec<String> {
    let mut problems = Vec::new();
    let mut text = |name: &str, value: &str, longest: usize| {
        if value.trim().is_empty() {
            problems.push(format!("`{name}` must not be empty"));
        } else if value.chars().count() > longest {
            problems.push(format!(
                "`{name}` has {} characters; at most {longest} are kept",
                value.chars().count()
            ));
        } else if value.chars().any(char::is_control) {
            problems.push(format!("`{name}` must not contain control characters"));
        }
    };
    match command {
        Command::Failover(asked) | Command::Failback(asked) => {
            text("plan", &asked.plan, 63);
            text("operator", &asked.operator, 128);
            text("reason", &asked.reason, 500);
            if asked.wait_seconds > MAX_WAIT_SECONDS {
                problems.push(format!(
                    "`wait_seconds` is {}; at most {MAX_WAIT_SECONDS}",
                    asked.wait_seconds
                ));
            }
        }
        Command::Status(OfPlan { plan }) | Command::History(History { plan, .. }) => text("plan", plan, 63),
        Command::Pause(word)
        | Command::Resume(word)
        | Command::Acknowledge(word)
        | Command::Cancel(word)
        | Command::DeletePlan(word) => {
            text("plan", &word.plan, 63);
            text("operator", &word.operator, 128);
            text("reason", &word.reason, 500);
        }
        Command::Resolve(word) => {
            text("plan", &word.plan, 63);
            text("operator", &word.operator, 128);
            text("reason", &word.reason, 500);
        }
        Command::PutPlan(put) => {
            text("operator", &put.operator, 128);
            text("reason", &put.reason, 500);
        }
        Command::List(_) | Command::Validate(_) => {}
    }
    problems
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
