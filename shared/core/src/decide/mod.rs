//! The judgement: a trigger, a plan, its control item and the health of its sites become one decision.
//!
//! [`decide`] is pure. It returns every guard's verdict, those that let go included, because the record of
//! what was *not* done is worth as much as that of what was. The engine reads, calls this, and writes.
//!
//! 1. An execution is in progress: nothing new starts.
//! 2. Home or away: is the active site unhealthy (failover), or is the plan away and its primary stable (failback)?
//! 3. Each guard of that move speaks: evidence, then restraint, then consent. All must let go.
//! 4. The plan's mode says what that means: the move starts, a person is asked ([`Proposal`]), or it is only recorded.
//! 5. What could change by itself with time (a hold, a stability window, an expiry) sets `look_again_at`.
//! 6. Unknown, stale or contradictory evidence, or everything bad at once, moves nothing and makes an alert.

mod asking;
mod consent;
mod failback;
mod failover;
mod operator;
mod proposal;
mod restraint;

pub use consent::{LagRecord, consent};
pub use proposal::{Closed, Proposal, ProposalChange};

use crate::command::{Answer, Failover};
use crate::control::{Control, later};
use crate::event::AlarmEvent;
use crate::execution::{Kind, Style, TriggerKind};
use crate::fleet::FleetState;
use crate::guard::{Guard, Verdict};
use crate::health::{AlarmReading, Health, SiteHealth};
use crate::mutant::{Mutant, active};
use crate::plan::{Mode, Plan};
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
    /// A person says yes to the proposal.
    Approval {
        /// The command.
        answer: Answer,
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
            Self::Approval { answer } => format!("{} says yes: {}", answer.operator, answer.reason),
        }
    }

    /// Whether a person asked, who is answered at once.
    pub fn is_a_persons(&self) -> bool {
        matches!(self, Self::Operator { .. } | Self::Approval { .. })
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
    /// People's word about all plans.
    pub fleet: &'a FleetState,
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
    /// Seconds after which a planned move that still waits goes on as an unplanned one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub escalate_after_seconds: Option<u32>,
}

impl Move {
    /// The move in a few words.
    pub fn sentence(&self) -> String {
        format!("{} {} → {}: {}", self.kind, self.from, self.to, self.reason)
    }
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
    /// What happens to the proposal.
    #[serde(default)]
    pub proposal: ProposalChange,
    /// In mode `observe`: what it would have done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub would: Option<Move>,
}

impl Decision {
    fn nothing(summary: impl Into<String>, verdicts: Vec<Verdict>) -> Self {
        Self {
            start: None,
            verdicts,
            summary: summary.into(),
            alert: false,
            look_again_at: None,
            proposal: ProposalChange::Keep,
            would: None,
        }
    }

    /// What is the same when the same thing is refused again: guards and sites, without times.
    pub fn fingerprint(&self, trigger: &Trigger) -> String {
        let kind = match trigger {
            Trigger::Alarm { event, .. } => format!("alarm {} {:?}", event.alarm_name, event.state),
            Trigger::Health { .. } | Trigger::Timer => "health".into(),
            Trigger::Operator { asked, move_kind } => format!("operator {move_kind} {:?}", asked.to),
            Trigger::Approval { .. } => "approval".into(),
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
    let mut decision = match trigger {
        Trigger::Operator { asked, move_kind } => return operator::decide_operator(now, asked, *move_kind, situation),
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
            decide_automatic(now, trigger, situation, verdicts)
        }
        Trigger::Approval { answer } => match unanswerable(now, answer, situation.control) {
            Some(verdict) => {
                let summary = format!("refused: {}: {}", verdict.guard.as_str(), verdict.facts);
                return Decision::nothing(summary, vec![verdict]);
            }
            None => decide_automatic(now, trigger, situation, Vec::new()),
        },
        Trigger::Health { .. } | Trigger::Timer => decide_automatic(now, trigger, situation, Vec::new()),
    };
    if decision.start.is_none() && decision.proposal == ProposalChange::Keep {
        let (change, look_again_at) = proposal::aftermath(now, situation);
        decision.proposal = change;
        decision.look_again_at = [decision.look_again_at, look_again_at].into_iter().flatten().min();
    }
    decision
}

// Why a yes can not be taken; none if it can.
fn unanswerable(now: Timestamp, answer: &Answer, control: &Control) -> Option<Verdict> {
    let stop = |facts: String| {
        let remedy = "look with `status` what waits; to move the plan all the same, use `failover`";
        Some(Verdict::stop(Guard::MoveApproved, facts, remedy))
    };
    match control.proposal.as_ref().filter(|known| known.is_open()) {
        None => stop("no proposal waits for an answer".into()),
        Some(open) if open.expires_at <= now => stop(format!("the proposal expired at {}", clock(open.expires_at))),
        Some(open) if answer.proposal.as_ref().is_some_and(|meant| *meant != open.id) => {
            stop(format!("the proposal that waits is {}: {}", open.id, open.sentence()))
        }
        Some(_) => None,
    }
}

fn decide_automatic(
    now: Timestamp,
    trigger: &Trigger,
    situation: Situation<'_>,
    mut verdicts: Vec<Verdict>,
) -> Decision {
    let Situation { control, sites, .. } = situation;
    verdicts.push(no_execution(control));
    if control.execution.is_some() && !active(Mutant::SecondExecution) {
        return Decision::nothing("nothing new starts: an execution is in progress", verdicts);
    }
    let active = control.active_site.as_str();
    let unknown = SiteHealth {
        health: Health::Unknown,
        since: None,
        witnesses: Vec::new(),
        settling: true,
    };
    let source = sites.get(active).unwrap_or(&unknown);
    match source.health {
        Health::Unhealthy => failover::decide_failover(now, trigger, situation, source, verdicts),
        _ if control.away.is_some() => failback::decide_failback(now, trigger, situation, source, verdicts),
        Health::Healthy => {
            verdicts.push(source_verdict(active, source));
            let summary = format!("nothing to do: the active site {active} is healthy");
            match unfit_observers(sites) {
                None => Decision::nothing(summary, verdicts),
                Some(unfit) => Decision {
                    alert: true,
                    ..Decision::nothing(
                        format!("{summary}; but not every observer can be heard: {unfit}"),
                        verdicts,
                    )
                },
            }
        }
        Health::Degraded | Health::Unknown => {
            verdicts.push(source_verdict(active, source));
            let summary = format!(
                "nothing moves: the active site {active} is {}; that never moves anything by itself",
                source.sentence()
            );
            Decision {
                alert: worth_an_alert(source),
                ..Decision::nothing(summary, verdicts)
            }
        }
    }
}

// Every guard has let go of this move: what the plan's mode makes of that. A promised move (`by_word`) needs no asking.
fn conclude(
    now: Timestamp,
    trigger: &Trigger,
    situation: Situation<'_>,
    mut verdicts: Vec<Verdict>,
    mut chosen: Move,
    by_word: bool,
) -> Decision {
    match situation.plan.policy.mode {
        Mode::Observe if !by_word => {
            let summary = format!("it would have started: {}; policy.mode is observe", chosen.sentence());
            return Decision {
                alert: true,
                would: Some(chosen),
                ..Decision::nothing(summary, verdicts)
            };
        }
        Mode::Approve if !by_word => {
            let (verdict, change) = proposal::approval(now, trigger, situation, &chosen);
            let allows = verdict.allows;
            verdicts.push(verdict);
            if !allows {
                let look_again_at = match &change {
                    ProposalChange::Make { expires_at, .. } => Some(*expires_at),
                    _ => proposal::aftermath(now, situation).1,
                };
                return Decision {
                    proposal: change,
                    look_again_at,
                    ..Decision::nothing(
                        format!("{}; {}", chosen.sentence(), crate::guard::refusals(&verdicts)),
                        verdicts,
                    )
                };
            }
            if let Trigger::Approval { answer } = trigger {
                chosen.operator = Some(answer.operator.clone());
            }
        }
        _ => {}
    }
    Decision {
        start: Some(chosen.clone()),
        ..Decision::nothing(chosen.sentence(), verdicts)
    }
}

fn source_verdict(active: &str, source: &SiteHealth) -> Verdict {
    Verdict::when(
        Guard::SourceUnhealthy,
        source.health == Health::Unhealthy,
        format!("the active site {active} is {}", source.sentence()),
        "nothing, if that is right; else look at the site's probes",
    )
}

// Whose voice does not count, and why. The others decide without it; somebody should know all the same.
fn unfit_observers(sites: &BTreeMap<String, SiteHealth>) -> Option<String> {
    let mut unfit: Vec<&str> = sites
        .values()
        .flat_map(|site| &site.witnesses)
        .flat_map(|witness| &witness.unfit)
        .map(String::as_str)
        .collect();
    unfit.sort_unstable();
    unfit.dedup();
    (!unfit.is_empty()).then(|| unfit.join("; "))
}

// A site that has just begun to be observed is unknown too, and no news.
fn worth_an_alert(site: &SiteHealth) -> bool {
    matches!(site.health, Health::Unknown | Health::Degraded) && !site.settling
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
