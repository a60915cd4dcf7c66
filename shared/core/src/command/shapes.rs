//! The fields of each command.

use crate::control::later;
use crate::execution::Style;
use crate::fleet::MAX_MAINTENANCE_SECONDS;
use crate::plan::Mode;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

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
    /// Move although a step can not be taken back. On the record. `accept_data_loss` says this too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub accept_irreversible: bool,
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

/// Make what the plan's `setup` states, or take it back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SettingUp {
    /// The plan's name.
    pub plan: String,
    /// Who asks (asserted; CloudTrail proves).
    pub operator: String,
    /// Why.
    pub reason: String,
    /// How long to wait for the end, at most 60 seconds. The answer always has the execution's id.
    #[serde(default)]
    pub wait_seconds: u32,
    /// Say what would be called, and call nothing.
    #[serde(default)]
    pub dry_run: bool,
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

/// Go on as an unplanned move.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Escalate {
    /// The plan's name.
    pub plan: String,
    /// Who asks (asserted; CloudTrail proves).
    pub operator: String,
    /// Why.
    pub reason: String,
    /// Go on although an unplanned move of this plan can lose data. On the record.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub accept_data_loss: bool,
    /// Go on although a step can not be taken back. On the record. `accept_data_loss` says this too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub accept_irreversible: bool,
    /// Say what would be done, and do nothing.
    #[serde(default)]
    pub dry_run: bool,
}

macro_rules! with_a_word {
    ($($command:ty),+) => {
        $(impl $command {
            /// The word alone.
            pub fn word(&self) -> WordOnPlan {
                WordOnPlan {
                    plan: self.plan.clone(),
                    operator: self.operator.clone(),
                    reason: self.reason.clone(),
                    dry_run: self.dry_run,
                }
            }
        })+
    };
}

with_a_word!(Answer, Escalate, MaintenanceWindow, ModeOfAll, Pause, Resolve, Skip);

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

/// A mode for all plans, which makes their own modes more careful and never bolder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModeOfAll {
    /// `*`: the mode of one plan is its file's.
    pub plan: String,
    /// The mode; `automatic` gives each plan its own back.
    pub mode: Mode,
    /// Who asks (asserted; CloudTrail proves).
    pub operator: String,
    /// Why.
    pub reason: String,
    /// Say what would be done, and do nothing.
    #[serde(default)]
    pub dry_run: bool,
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

/// An answer to a proposal, or to a running execution that stands at an `approval` step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// The plan's name.
    pub plan: String,
    /// Which proposal is meant. Without it: the one that waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proposal: Option<String>,
    /// Which execution is meant. Without it: the one that waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub execution: Option<String>,
    /// Which `approval` step of it is meant. Without it: the one at which it stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
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
    /// Go on although the step is a fence, and a promotion behind it can lose data without it. On the record.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub accept_data_loss: bool,
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

impl Resolution {
    /// The word, as JSON spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Retry => "retry",
            Self::Rollback => "rollback",
            Self::Abandon => "abandon",
        }
    }
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
