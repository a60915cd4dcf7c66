//! Guards: reasons why something must not start now.
//!
//! A guard is always a named value with its facts, never a bare `false`: what is refused can be explained,
//! counted, and told apart by a machine.

use serde::{Deserialize, Serialize};

macro_rules! guards {
    ($($(#[$doc:meta])+ $variant:ident => $name:literal),+ $(,)?) => {
        /// The name of a guard. Stable: dashboards and people search for it. `docs/OPERATING.md` says of each what to do.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Guard { $($(#[$doc])+ $variant),+ }

        impl Guard {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The name, as JSON and logs spell it.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }
        }
    };
}

guards! {
    /// At most one execution of a plan is in progress.
    NoExecutionInProgress => "no_execution_in_progress",
    /// The plan's policy lets Understudy move it by itself.
    PlanIsAutomatic => "plan_is_automatic",
    /// People have set no mode for all plans that leaves moves to them.
    FleetIsAutomatic => "fleet_is_automatic",
    /// The plan is not paused.
    PlanNotPaused => "plan_not_paused",
    /// The plans are not paused all together.
    FleetNotPaused => "fleet_not_paused",
    /// The kill switch is off: nothing starts, by whomever, while it is on.
    FleetNotStopped => "fleet_not_stopped",
    /// No maintenance window is open, of the plan or of all plans.
    NoMaintenance => "no_maintenance",
    /// In mode `approve`: a person has said yes to this very move.
    MoveApproved => "move_approved",
    /// The active site is unhealthy by the plan's rule, by fresh observations.
    SourceUnhealthy => "source_unhealthy",
    /// It has been for as long as the policy asks.
    SourceUnhealthyLongEnough => "source_unhealthy_long_enough",
    /// Something else is healthy: if everything looks bad at once, suspect the observer.
    NotEverythingUnhealthy => "not_everything_unhealthy",
    /// The destination is healthy by fresh observations.
    TargetHealthy => "target_healthy",
    /// It has been for as long as the policy asks of the source.
    TargetHealthyLongEnough => "target_healthy_long_enough",
    /// Preflight, when the plan was last read through, found nothing that would make the move fail.
    PreflightPassed => "preflight_passed",
    /// The latch of the last automatic failover is open.
    LatchOpen => "latch_open",
    /// The plan's automatic failovers of the last hour are within its budget.
    WithinBudget => "within_budget",
    /// The automatic failovers of all plans within an hour are within the fleet's limit.
    WithinFleetLimit => "within_fleet_limit",
    /// Not too many plans move by themselves at once.
    WithinBlastRadius => "within_blast_radius",
    /// The event is young enough to act on.
    EventFresh => "event_fresh",
    /// The alarm, read again, is in the state that its event told.
    AlarmConfirmed => "alarm_confirmed",
    /// The destination is a site of the plan.
    TargetKnown => "target_known",
    /// The destination is not the site that is active already.
    TargetDiffers => "target_differs",
    /// The plan is away from home.
    AwayFromHome => "away_from_home",
    /// The plan is at home: a failover that names no destination starts only there.
    AtHome => "at_home",
    /// A move that is to come home by itself leads away from home.
    ReturnPossible => "return_possible",
    /// The policy lets the work come home by itself.
    FailbackIsAutomatic => "failback_is_automatic",
    /// The plan went away by itself; a person's move waits for a person's failback.
    WentAwayAutomatically => "went_away_automatically",
    /// The primary has been healthy for the whole stability window.
    PrimaryStable => "primary_stable",
    /// The hours in which the work may come home by itself are on.
    WithinFailbackHours => "within_failback_hours",
    /// It has not come home by itself too often within a day.
    WithinFailbackLimit => "within_failback_limit",
    /// A policy or a person allows that data is lost.
    DataLossAllowed => "data_loss_allowed",
    /// How far the copy is behind was measured lately, while the source was well.
    LagKnown => "lag_known",
    /// It is no further behind than the policy allows.
    LagWithinLimit => "lag_within_limit",
    /// A policy or a person allows steps that can not be taken back.
    IrreversibleAllowed => "irreversible_allowed",
    /// What goes home by itself can be taken back: a promotion on the way home is for a person.
    FailbackReversible => "failback_reversible",
    /// Databases go home by a switchover: no failback is unplanned where that loses what was written away from home.
    FailbackBySwitchover => "failback_by_switchover",
    /// A setup has something to do: the plan's `setup` states something.
    SetupStated => "setup_stated",
    /// No item of it is remembered for another resource, whose pre-state would be lost.
    SetupKnown => "setup_known",
    /// A teardown has something to take back.
    SetupRemembered => "setup_remembered",
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

/// The verdicts that stop, a line each, with what to do about it.
pub fn reasons(verdicts: &[Verdict]) -> Vec<String> {
    let stops = verdicts.iter().filter(|verdict| !verdict.allows);
    stops
        .map(|verdict| format!("{}: {} ({})", verdict.guard.as_str(), verdict.facts, verdict.remedy))
        .collect()
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
