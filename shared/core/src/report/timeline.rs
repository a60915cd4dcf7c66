//! How long what took, and whether that is what the plan wants (`policy.objectives`).
//!
//! ```text
//! first bad answer ── detection ──▶ unhealthy ── decision ──▶ opened ── execution ──▶ ended
//!        └────────────────────────────── recovery ───────────────────────────────────────┘
//! ```
//!
//! Decision includes the hold. A move that nobody's evidence began (a person's) has only its execution; its recovery
//! is counted from the moment at which the person asked.

use super::seconds;
use crate::execution::{Execution, Kind, Status};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// How long what took, in seconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Timeline {
    /// From the first bad answer until the site counted as unhealthy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detection_seconds: Option<f64>,
    /// From then until the execution was opened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision_seconds: Option<f64>,
    /// From then until its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub execution_seconds: Option<f64>,
    /// All of it, for a failover that has completed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovery_seconds: Option<f64>,
    /// The plan's objectives, each met or not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub objectives: Vec<Objective>,
}

/// One objective, and how it was met.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Objective {
    /// `detection`, `decision`, `execution` or `recovery`.
    pub name: String,
    /// What the plan wants, in seconds.
    pub objective_seconds: u32,
    /// How long it took.
    pub seconds: f64,
    /// Whether that is within the objective.
    pub met: bool,
}

impl Timeline {
    /// The timeline of an execution, as far as it has come.
    pub fn of(execution: &Execution) -> Self {
        let span = |from: Option<Timestamp>, to: Option<Timestamp>| Some(rounded(to?.duration_since(from?)));
        let opened = Some(execution.created_at);
        let is_failover = execution.kind == Kind::Failover;
        let began = execution.began_at.or(execution.detected_at);
        let recovered = execution
            .ended_at
            .filter(|_| is_failover && execution.status == Status::Completed);
        let mut timeline = Self {
            detection_seconds: span(execution.began_at, execution.detected_at).filter(|_| is_failover),
            decision_seconds: span(execution.detected_at, opened).filter(|_| is_failover),
            execution_seconds: span(opened, execution.ended_at),
            recovery_seconds: span(began.or(opened), recovered),
            objectives: Vec::new(),
        };
        let wanted = &execution.plan.policy.objectives;
        let asked = [
            ("detection", wanted.detection_seconds, timeline.detection_seconds),
            ("decision", wanted.decision_seconds, timeline.decision_seconds),
            ("execution", wanted.execution_seconds, timeline.execution_seconds),
            ("recovery", wanted.recovery_seconds, timeline.recovery_seconds),
        ];
        for (name, objective, took) in asked {
            if let (Some(objective_seconds), Some(seconds)) = (objective, took) {
                timeline.objectives.push(Objective {
                    name: name.to_owned(),
                    objective_seconds,
                    seconds,
                    met: seconds <= f64::from(objective_seconds),
                });
            }
        }
        timeline
    }

    /// One line: `detection 10.0 s, decision 15.2 s, execution 3.1 s, recovery 28.3 s (objective 60 s: met)`.
    pub fn sentence(&self) -> String {
        let parts = [
            ("detection", self.detection_seconds),
            ("decision", self.decision_seconds),
            ("execution", self.execution_seconds),
            ("recovery", self.recovery_seconds),
        ];
        let words: Vec<String> = parts
            .into_iter()
            .filter_map(|(name, took)| {
                let took = seconds(SignedDuration::from_millis((took? * 1000.0) as i64));
                let objective = self.objectives.iter().find(|objective| objective.name == name);
                Some(match objective {
                    None => format!("{name} {took}"),
                    Some(objective) => format!(
                        "{name} {took} (objective {} s: {})",
                        objective.objective_seconds,
                        if objective.met { "met" } else { "NOT met" }
                    ),
                })
            })
            .collect();
        words.join(", ")
    }
}

// To a tenth of a second: finer than any clock here is trusted.
fn rounded(duration: SignedDuration) -> f64 {
    (duration.as_secs_f64() * 10.0).round().max(0.0) / 10.0
}
