//! Guards: reasons why something must not start now.
//!
//! A guard is always a named value with its facts, never a bare `false`: what is refused can be explained,
//! counted, and told apart by a machine.

use serde::{Deserialize, Serialize};

/// The name of a guard. Stable: dashboards and people search for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Guard {
    /// At most one execution of a plan is in progress.
    NoExecutionInProgress,
    /// The plan's policy lets Understudy move it by itself.
    PlanIsAutomatic,
    /// The plan is not paused.
    PlanNotPaused,
    /// The active site is unhealthy by the plan's rule, by fresh observations.
    SourceUnhealthy,
    /// It has been for as long as the policy asks.
    SourceUnhealthyLongEnough,
    /// Something else is healthy: if everything looks bad at once, suspect the observer.
    NotEverythingUnhealthy,
    /// The destination is healthy by fresh observations.
    TargetHealthy,
    /// The latch of the last automatic failover is open.
    LatchOpen,
    /// The plan's automatic failovers of the last hour are within its budget.
    WithinBudget,
    /// The automatic failovers of all plans within an hour are within the fleet's limit.
    WithinFleetLimit,
    /// The event is young enough to act on.
    EventFresh,
    /// The alarm, read again, is in the state that its event told.
    AlarmConfirmed,
    /// The destination is a site of the plan.
    TargetKnown,
    /// The destination is not the site that is active already.
    TargetDiffers,
    /// The plan is away from home.
    AwayFromHome,
    /// The plan is at home: a failover that names no destination starts only there.
    AtHome,
    /// The policy lets the work come home by itself.
    FailbackIsAutomatic,
    /// The plan went away by itself; a person's move waits for a person's failback.
    WentAwayAutomatically,
    /// The primary has been healthy for the whole stability window.
    PrimaryStable,
}

impl Guard {
    /// The name, as JSON and logs spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoExecutionInProgress => "no_execution_in_progress",
            Self::PlanIsAutomatic => "plan_is_automatic",
            Self::PlanNotPaused => "plan_not_paused",
            Self::SourceUnhealthy => "source_unhealthy",
            Self::SourceUnhealthyLongEnough => "source_unhealthy_long_enough",
            Self::NotEverythingUnhealthy => "not_everything_unhealthy",
            Self::TargetHealthy => "target_healthy",
            Self::LatchOpen => "latch_open",
            Self::WithinBudget => "within_budget",
            Self::WithinFleetLimit => "within_fleet_limit",
            Self::EventFresh => "event_fresh",
            Self::AlarmConfirmed => "alarm_confirmed",
            Self::TargetKnown => "target_known",
            Self::TargetDiffers => "target_differs",
            Self::AwayFromHome => "away_from_home",
            Self::AtHome => "at_home",
            Self::FailbackIsAutomatic => "failback_is_automatic",
            Self::WentAwayAutomatically => "went_away_automatically",
            Self::PrimaryStable => "primary_stable",
        }
    }
}

/// What a guard said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// Which guard.
    pub guard: Guard,
    /// Whether it lets go on.
    pub allows: bool,
    /// Whether it would have stopped, and a person's word went over it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub overridden: bool,
    /// The facts, for people.
    pub facts: String,
    /// What to do about it, where it stops and something can be done.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub remedy: String,
}

impl Verdict {
    /// The guard lets go on.
    pub fn allow(guard: Guard, facts: impl Into<String>) -> Self {
        Self {
            guard,
            allows: true,
            overridden: false,
            facts: facts.into(),
            remedy: String::new(),
        }
    }

    /// The guard stops.
    pub fn stop(guard: Guard, facts: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            guard,
            allows: false,
            overridden: false,
            facts: facts.into(),
            remedy: remedy.into(),
        }
    }

    /// `allow` or `stop` by a condition.
    pub fn when(guard: Guard, allows: bool, facts: impl Into<String>, remedy: &str) -> Self {
        let remedy = if allows { String::new() } else { remedy.to_owned() };
        Self {
            guard,
            allows,
            overridden: false,
            facts: facts.into(),
            remedy,
        }
    }

    /// The same verdict, overridden by an operator's word if it stops.
    pub fn override_if(mut self, overridden: bool) -> Self {
        if !self.allows && overridden {
            self.allows = true;
            self.overridden = true;
        }
        self
    }
}

/// The verdicts that stop, as one sentence.
pub fn refusals(verdicts: &[Verdict]) -> String {
    verdicts
        .iter()
        .filter(|verdict| !verdict.allows)
        .map(|verdict| format!("{}: {}", verdict.guard.as_str(), verdict.facts))
        .collect::<Vec<_>>()
        .join("; ")
}
