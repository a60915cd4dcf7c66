//! The judgement: a trigger, a plan, its control item and the health of its sites become one decision.
//!
//! [`decide`] is pure. It returns every guard's verdict, those that let go included, because the record of
//! what was *not* done is worth as much as that of what was. The engine reads, calls this, and writes.
//!
//! 1. An execution is in progress: nothing new starts.
//! 2. Home or away: is the active site unhealthy (failover), or is the plan away and its primary stable (failback)?
//! 3. Each guard of that move speaks. All must let go.
//! 4. What could change by itself with time (a hold, a stability window) sets `look_again_at`.
//! 5. Unknown, stale or contradictory evidence, or everything bad at once, moves nothing and makes an alert.

mod automatic;
mod operator;

use crate::command::Failover;
use crate::control::{Control, later};
use crate::event::AlarmEvent;
use crate::execution::{Kind, Style, TriggerKind};
use crate::guard::{Guard, Verdict};
use crate::health::{AlarmReading, Health, SiteHealth};
use crate::mutant::{Mutant, active};
use crate::plan::Plan;
use crate::report::clock;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What made decision look.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Trigger {
    /// An alarm's change, and the alarm as it was read again.
    Alarm {
        /// What was told.
        event: AlarmEvent,
        /// The alarm read again; none if CloudWatch does not know it (any more).
        reading: Option<AlarmReading>,
    },
    /// A settled health changed.
    Health {
        /// The site.
        site: String,
        /// The probe.
        probe: String,
    },
    /// A time came that decision had set, or the probe touched the item.
    Timer,
    /// A person asks to move the plan.
    Operator {
        /// The command.
        asked: Failover,
        /// Failover or failback.
        move_kind: Kind,
    },
}

impl Trigger {
    /// A few words for the record.
    pub fn sentence(&self) -> String {
        match self {
            Self::Alarm { event, .. } => {
                format!(
                    "alarm {} went to {:?} at {} (via {})",
                    event.alarm_name,
                    event.state,
                    clock(event.at),
                    event.via
                )
            }
            Self::Health { site, probe } => format!("the health of probe {probe} of site {site} changed"),
            Self::Timer => "a timer ran out".into(),
            Self::Operator { asked, move_kind } => {
                format!("{} asks for a {move_kind}: {}", asked.operator, asked.reason)
            }
        }
    }
}

/// What is known when deciding.
#[derive(Clone, Copy, Debug)]
pub struct Situation<'a> {
    /// The plan's newest revision.
    pub plan: &'a Plan,
    /// Its control item.
    pub control: &'a Control,
    /// The health of its sites, from [`crate::health::assess`].
    pub sites: &'a BTreeMap<String, SiteHealth>,
}

/// A move that decision opens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Move {
    /// Failover or failback.
    pub kind: Kind,
    /// The guards or a person.
    pub trigger: TriggerKind,
    /// Planned or unplanned.
    pub style: Style,
    /// The site that carries the plan.
    pub from: String,
    /// The site that shall.
    pub to: String,
    /// Why.
    pub reason: String,
    /// Who asked.
    pub operator: Option<String>,
    /// When the trouble began, by the evidence.
    pub detected_at: Option<Timestamp>,
    /// Seconds after completion at which it comes home by itself.
    pub return_after_seconds: Option<u32>,
}

/// What was decided, and why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// The move to open; none if nothing starts.
    pub start: Option<Move>,
    /// What every guard said, in the order asked.
    pub verdicts: Vec<Verdict>,
    /// One sentence for people.
    pub summary: String,
    /// Somebody should know, although nothing moved.
    pub alert: bool,
    /// When to look again.
    pub look_again_at: Option<Timestamp>,
}

impl Decision {
    fn nothing(summary: impl Into<String>, verdicts: Vec<Verdict>) -> Self {
        Self {
            start: None,
            verdicts,
            summary: summary.into(),
            alert: false,
            look_again_at: None,
        }
    }

    /// What is the same when the same thing is refused again: guards and sites, without times.
    pub fn fingerprint(&self, trigger: &Trigger) -> String {
        let kind = match trigger {
            Trigger::Alarm { event, .. } => format!("alarm {} {:?}", event.alarm_name, event.state),
            Trigger::Health { .. } | Trigger::Timer => "health".into(),
            Trigger::Operator { asked, move_kind } => format!("operator {move_kind} {:?}", asked.to),
        };
        let stops: Vec<&str> = self
            .verdicts
            .iter()
            .filter(|verdict| !verdict.allows)
            .map(|verdict| verdict.guard.as_str())
            .collect();
        // What is worth an alert is never the repetition of what was not, though the same guard stops both.
        format!(
            "{kind}|{}|{}",
            stops.join(","),
            if self.alert { "alert" } else { "quiet" }
        )
    }
}

/// Judges. See the module's story.
pub fn decide(now: Timestamp, trigger: &Trigger, situation: Situation<'_>) -> Decision {
    match trigger {
        Trigger::Operator { asked, move_kind } => operator::decide_operator(now, asked, *move_kind, situation),
        Trigger::Alarm { event, reading } => {
            let verdicts = alarm_verdicts(now, event, reading.as_ref(), situation.plan);
            if verdicts.iter().any(|verdict| !verdict.allows) {
                let summary = format!("nothing moves: {}", crate::guard::refusals(&verdicts));
                // A hint that can not be used must not make a timer forgotten that an earlier look has set.
                return Decision {
                    look_again_at: situation.control.look_again_at,
                    ..Decision::nothing(summary, verdicts)
                };
            }
            automatic::decide_automatic(now, situation, verdicts)
        }
        Trigger::Health { .. } | Trigger::Timer => automatic::decide_automatic(now, situation, Vec::new()),
    }
}

fn alarm_verdicts(now: Timestamp, event: &AlarmEvent, reading: Option<&AlarmReading>, plan: &Plan) -> Vec<Verdict> {
    let age = now.duration_since(event.at);
    let limit = SignedDuration::from_secs(i64::from(plan.policy.max_event_age_seconds));
    let fresh = Verdict::when(
        Guard::EventFresh,
        (age <= limit || active(Mutant::EventAgeIgnored)) && age >= -SignedDuration::from_mins(5),
        format!(
            "the event is of {} and {} s old; the limit is {} s",
            clock(event.at),
            age.as_secs(),
            limit.as_secs()
        ),
        "nothing: an old event says nothing about now, and the probes go on looking",
    );
    let confirmed = match reading {
        None => Verdict::stop(
            Guard::AlarmConfirmed,
            format!("CloudWatch does not know an alarm {}", event.alarm_name),
            "create the alarm, or take it out of the plan",
        ),
        Some(read) => Verdict::when(
            Guard::AlarmConfirmed,
            read.state == event.state,
            format!(
                "the event says {:?}; the alarm, read again, is in {:?}",
                event.state, read.state
            ),
            "nothing: the alarm has changed since",
        ),
    };
    vec![fresh, confirmed]
}

// The destination must have been well for as long as the source must have been ill: a site that has just come up is
// no safer than one that has just gone down. `None` for the time: it is not healthy, and no clock will change that.
fn target_verdict(
    now: Timestamp,
    plan: &Plan,
    name: &str,
    health: Option<&SiteHealth>,
) -> (Verdict, Option<Timestamp>) {
    let hold = SignedDuration::from_secs(i64::from(plan.policy.hold_seconds));
    let since = health
        .filter(|health| health.health == Health::Healthy)
        .and_then(|health| health.since);
    let ready_at = since.map(|since| later(since, hold));
    let verdict = Verdict::when(
        Guard::TargetHealthyLongEnough,
        ready_at.is_some_and(|at| at <= now),
        match since {
            Some(since) => format!(
                "site {} has been healthy for {} s of the {} s that the policy asks",
                crate::event::excerpt(name),
                now.duration_since(since).as_secs(),
                hold.as_secs()
            ),
            None => format!(
                "nobody can say since when site {} is healthy",
                crate::event::excerpt(name)
            ),
        },
        "wait, or say `\"force\": true` to go there all the same",
    );
    (verdict, ready_at)
}

fn no_execution(control: &Control) -> Verdict {
    match control.execution.as_ref().filter(|_| !active(Mutant::SecondExecution)) {
        None => Verdict::allow(Guard::NoExecutionInProgress, "no execution is in progress"),
        Some(running) => Verdict::stop(
            Guard::NoExecutionInProgress,
            format!(
                "execution {} ({} {}) is {}",
                running.id,
                running.kind,
                running.route(),
                running.status
            ),
            "wait for its end, or `cancel` it",
        ),
    }
}
