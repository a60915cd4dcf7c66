//! Policy: when a plan moves by itself, and when not.

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
    /// How the work comes home.
    pub failback: Failback,
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// It does, within the guards.
    #[default]
    Automatic,
    /// Only a person's command moves it.
    Manual,
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
            failback: Failback::default(),
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
        }
    }
}
