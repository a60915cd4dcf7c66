//! What people ask for, as JSON.
//!
//! A command is one object: `{"command": "failover", "plan": "shop", "operator": "mia", "reason": "…"}`.
//! It is read strictly: a field that is not known is an error, since a misspelt `dry_run` must not move
//! production. Where a command changes something it takes `dry_run`, and `operator` and `reason` are asked for.

use crate::control::later;
use crate::execution::Style;
use crate::fleet::MAX_MAINTENANCE_SECONDS;
use jiff::{SignedDuration, Timestamp};
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
    "maintenance",
    "stop-all",
    "start-all",
    "approve",
    "reject",
    "acknowledge",
    "cancel",
    "skip",
    "escalate",
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
    /// No automatic moves until `resume`; or the running execution stops at the next step boundary.
    Pause(Pause),
    /// Automatic moves again; or the running execution goes on.
    Resume(Pause),
    /// No automatic moves until a time.
    Maintenance(MaintenanceWindow),
    /// The kill switch: nothing starts, and nothing that runs makes a further mutating call.
    #[serde(alias = "stop_all")]
    StopAll(Word),
    /// The kill switch off.
    #[serde(alias = "start_all")]
    StartAll(Word),
    /// Yes to the proposal that waits.
    Approve(Answer),
    /// No to it.
    Reject(Answer),
    /// Opens the latch of the last automatic failover.
    Acknowledge(WordOnPlan),
    /// Stops the running execution and undoes what it did.
    Cancel(WordOnPlan),
    /// Goes on without the step at which the running execution stands.
    Skip(Skip),
    /// The running planned move goes on as an unplanned one.
    Escalate(WordOnPlan),
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
    /// Move although data may be lost. On the record.
    #[serde(default)]
    pub accept_data_loss: bool,
    /// Seconds after which a planned move whose step still waits goes on as an unplanned one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub escalate_after_seconds: Option<u32>,
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

/// All plans, where a command takes that.
pub const ALL_PLANS: &str = "*";

/// Off and on again: of a plan, of all plans, or of the execution that runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pause {
    /// The plan's name, or `*` for all.
    pub plan: String,
    /// The running execution is meant, not the plan's automatic moves.
    #[serde(default)]
    pub execution: bool,
    /// Who asks (asserted; CloudTrail proves).
    pub operator: String,
    /// Why.
    pub reason: String,
    /// Say what would be done, and do nothing.
    #[serde(default)]
    pub dry_run: bool,
}

impl Pause {
    /// The word alone.
    pub fn word(&self) -> WordOnPlan {
        WordOnPlan {
            plan: self.plan.clone(),
            operator: self.operator.clone(),
            reason: self.reason.clone(),
            dry_run: self.dry_run,
        }
    }
}

/// No automatic moves until a time. Either `until` or `for_seconds`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MaintenanceWindow {
    /// The plan's name, or `*` for all.
    pub plan: String,
    /// When it ends, RFC 3339; at most seven days from now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// How long it lasts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub for_seconds: Option<u32>,
    /// Who asks (asserted; CloudTrail proves).
    pub operator: String,
    /// Why.
    pub reason: String,
    /// Say what would be done, and do nothing.
    #[serde(default)]
    pub dry_run: bool,
}

impl MaintenanceWindow {
    /// When it ends.
    ///
    /// # Errors
    /// It ends in the past, or too late.
    pub fn ends_at(&self, now: Timestamp) -> Result<Timestamp, String> {
        let longest = SignedDuration::from_secs(i64::from(MAX_MAINTENANCE_SECONDS));
        let asked = self.for_seconds.unwrap_or_default();
        let until = self
            .until
            .unwrap_or_else(|| later(now, SignedDuration::from_secs(i64::from(asked))));
        if until <= now {
            return Err(format!("the window would end at {until}, which is over; now is {now}"));
        }
        if until > later(now, longest) {
            return Err(format!(
                "the window would end at {until}; at most seven days are possible, until {}",
                later(now, longest)
            ));
        }
        Ok(until)
    }
}

/// A word about all plans.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Word {
    /// Who asks (asserted; CloudTrail proves).
    pub operator: String,
    /// Why.
    pub reason: String,
    /// Say what would be done, and do nothing.
    #[serde(default)]
    pub dry_run: bool,
}

/// An answer to a proposal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// The plan's name.
    pub plan: String,
    /// Which proposal is meant. Without it: the one that waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proposal: Option<String>,
    /// Who answers (asserted; CloudTrail proves).
    pub operator: String,
    /// Why.
    pub reason: String,
    /// Say what would be done, and do nothing.
    #[serde(default)]
    pub dry_run: bool,
}

/// Go on without a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Skip {
    /// The plan's name.
    pub plan: String,
    /// The step's name: it must be the one at which the execution stands.
    pub step: String,
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
            Self::Maintenance(_) => "maintenance",
            Self::StopAll(_) => "stop-all",
            Self::StartAll(_) => "start-all",
            Self::Approve(_) => "approve",
            Self::Reject(_) => "reject",
            Self::Acknowledge(_) => "acknowledge",
            Self::Cancel(_) => "cancel",
            Self::Skip(_) => "skip",
            Self::Escalate(_) => "escalate",
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

fn problems(command: &Command) -> Vec<String> {
    let mut problems = Vec::new();
    match command {
        Command::Failover(asked) | Command::Failback(asked) => {
            words(&mut problems, Some(&asked.plan), &asked.operator, &asked.reason);
            if asked.wait_seconds > MAX_WAIT_SECONDS {
                problems.push(format!(
                    "`wait_seconds` is {}; at most {MAX_WAIT_SECONDS}",
                    asked.wait_seconds
                ));
            }
            if asked.escalate_after_seconds.is_some() && asked.style == Style::Unplanned {
                problems.push("`escalate_after_seconds` is for a planned move; this one is unplanned already".into());
            }
        }
        Command::Status(OfPlan { plan }) | Command::History(History { plan, .. }) => {
            text(&mut problems, "plan", plan, 63);
        }
        Command::Pause(word) | Command::Resume(word) => {
            words(&mut problems, Some(&word.plan), &word.operator, &word.reason);
            if word.execution && word.plan == ALL_PLANS {
                problems.push("`execution` needs the name of a plan; `stop-all` stops what runs everywhere".into());
            }
        }
        Command::Maintenance(window) => {
            words(&mut problems, Some(&window.plan), &window.operator, &window.reason);
            if window.until.is_some() == window.for_seconds.is_some() {
                problems.push("say either `until` or `for_seconds`".into());
            }
        }
        Command::Acknowledge(word) | Command::Cancel(word) | Command::Escalate(word) | Command::DeletePlan(word) => {
            words(&mut problems, Some(&word.plan), &word.operator, &word.reason);
        }
        Command::StopAll(word) | Command::StartAll(word) => {
            words(&mut problems, None, &word.operator, &word.reason);
        }
        Command::Approve(answer) | Command::Reject(answer) => {
            words(&mut problems, Some(&answer.plan), &answer.operator, &answer.reason);
        }
        Command::Skip(skip) => {
            words(&mut problems, Some(&skip.plan), &skip.operator, &skip.reason);
            text(&mut problems, "step", &skip.step, 63);
        }
        Command::Resolve(word) => words(&mut problems, Some(&word.plan), &word.operator, &word.reason),
        Command::PutPlan(put) => words(&mut problems, None, &put.operator, &put.reason),
        Command::List(_) | Command::Validate(_) => {}
    }
    problems
}

fn words(problems: &mut Vec<String>, plan: Option<&str>, operator: &str, reason: &str) {
    if let Some(plan) = plan {
        text(problems, "plan", plan, 63);
    }
    text(problems, "operator", operator, 128);
    text(problems, "reason", reason, 500);
}

fn text(problems: &mut Vec<String>, name: &str, value: &str, longest: usize) {
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
