//! Policy: when a plan moves by itself, and when not.

use super::Hours;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// When a plan moves by itself, and when not. Every field has a default that errs towards waiting.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub struct Policy {
    /// Whether Understudy moves the plan by itself.
    pub mode: Mode,
    /// When a site counts as unhealthy.
    pub unhealthy_when: UnhealthyRule,
    /// How long the active site must have been unhealthy before an automatic move.
    #[schemars(range(max = 3600))]
    pub hold_seconds: u32,
    /// How long after an automatic failover no further one starts (the latch), unless a person acknowledges.
    #[schemars(range(min = 60, max = 604800))]
    pub cooldown_seconds: u32,
    /// How many automatic failovers an hour the plan may make.
    #[schemars(range(min = 1, max = 10))]
    pub automatic_failovers_per_hour: u32,
    /// How old an alarm event may be. An older one is recorded and moves nothing.
    #[schemars(range(min = 30, max = 3600))]
    pub max_event_age_seconds: u32,
    /// How long an execution may take before it is *stuck* and a person is called.
    #[schemars(range(min = 60, max = 86400))]
    pub max_duration_seconds: u32,
    /// Who must have seen it, where several probe functions observe.
    pub observers: Observers,
    /// How a person is asked, in mode `approve`.
    pub approval: Approval,
    /// What a move that can lose data needs.
    pub consent: Consent,
    /// How quick it should be: compared with every move, and never a reason to hurry.
    pub objectives: Objectives,
    /// How the work comes home.
    pub failback: Failback,
}

/// How quick it should be. Each move's timeline says whether it was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub struct Objectives {
    /// From the first bad answer until the site counts as unhealthy.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 86400))]
    pub detection_seconds: Option<u32>,
    /// From then until a move begins: the hold, and whatever keeps it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 86400))]
    pub decision_seconds: Option<u32>,
    /// From then until it has ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 86400))]
    pub execution_seconds: Option<u32>,
    /// From the first bad answer until the work is done elsewhere (the recovery time objective).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 86400))]
    pub recovery_seconds: Option<u32>,
}

/// How a person is asked, in mode `approve`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub struct Approval {
    /// How long a proposal waits for an answer.
    #[schemars(range(min = 60, max = 86400))]
    pub expires_after_seconds: u32,
    /// What happens when nobody has answered.
    pub on_expiry: OnExpiry,
}

/// What happens to a proposal that nobody has answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnExpiry {
    /// Nothing moves.
    #[default]
    Discard,
    /// It moves, if every guard still lets go.
    Move,
}

/// What a move needs that can lose data, or can not be taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub struct Consent {
    /// Whether it may start without a person's word.
    pub allow_data_loss: bool,
    /// Whether it may start without a person's word although a step of it can not be taken back.
    pub allow_irreversible: bool,
    /// How far the copy may have been behind.
    #[schemars(range(max = 86400))]
    pub max_lag_seconds: u32,
    /// How old the last measurement may be.
    #[schemars(range(min = 60, max = 86400))]
    pub max_lag_age_seconds: u32,
}

/// Who must have seen it, where several probe functions (one a Region) observe.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub struct Observers {
    /// How many observers must say the same of a probe before it counts. With 1 (the default), any two that disagree
    /// make it unknown; with more, the many outvote the few. Never more than there are probe functions.
    #[schemars(range(min = 1, max = 10))]
    pub quorum: u32,
    /// Endpoints, as `host:port`, that the observer opens a TCP connection to and that have nothing to do with the
    /// plan. If it reaches none of them, its own network is the suspect, and its voice does not count.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 5),
        inner(length(max = 259), regex(pattern = r"^[A-Za-z0-9.-]+:[0-9]{1,5}$"))
    )]
    pub reference: Vec<String>,
}

/// Whether Understudy moves the plan by itself.
// From the boldest to the most careful: a mode of all plans counts where it is the more careful one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// It does, within the guards.
    #[default]
    Automatic,
    /// It asks a person first (`approve`, `reject`), once every guard lets go.
    Approve,
    /// It moves nothing, and records and announces what it would have done.
    Observe,
    /// Only a person's command moves it.
    Manual,
}

impl Mode {
    /// The word, as plan files and commands spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Automatic => "automatic",
            Self::Approve => "approve",
            Self::Observe => "observe",
            Self::Manual => "manual",
        }
    }
}

impl std::fmt::Display for Mode {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// When a site counts as unhealthy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum UnhealthyRule {
    /// One unhealthy probe is enough.
    Any,
    /// Every probe must be unhealthy.
    #[default]
    All,
    /// At least this many probes must be unhealthy.
    AtLeast(#[schemars(range(min = 1, max = 2000))] u32),
}

/// How the work comes home.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub struct Failback {
    /// Whether it comes home by itself.
    pub mode: FailbackMode,
    /// How long the primary must have been healthy, without a break, before it does.
    #[schemars(range(min = 10, max = 604800))]
    pub stability_seconds: u32,
    /// When it may come home by itself. Without it: at any time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hours: Option<Hours>,
    /// How often within 24 hours it may come home by itself.
    #[schemars(range(min = 1, max = 24))]
    pub max_per_day: u32,
}

/// Whether the work comes home by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FailbackMode {
    /// Only by a person's command.
    #[default]
    Manual,
    /// After the stability window.
    Automatic,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            mode: Mode::default(),
            unhealthy_when: UnhealthyRule::default(),
            hold_seconds: 30,
            cooldown_seconds: 3600,
            automatic_failovers_per_hour: 1,
            max_event_age_seconds: 300,
            max_duration_seconds: 1800,
            observers: Observers::default(),
            approval: Approval::default(),
            consent: Consent::default(),
            objectives: Objectives::default(),
            failback: Failback::default(),
        }
    }
}

impl Default for Approval {
    fn default() -> Self {
        Self {
            expires_after_seconds: 900,
            on_expiry: OnExpiry::default(),
        }
    }
}

impl Default for Consent {
    fn default() -> Self {
        Self {
            allow_data_loss: false,
            allow_irreversible: false,
            max_lag_seconds: 0,
            max_lag_age_seconds: 900,
        }
    }
}

impl Default for Observers {
    fn default() -> Self {
        Self {
            quorum: 1,
            reference: Vec::new(),
        }
    }
}

impl Default for Failback {
    fn default() -> Self {
        Self {
            mode: FailbackMode::default(),
            stability_seconds: 600,
            hours: None,
            max_per_day: 1,
        }
    }
}
