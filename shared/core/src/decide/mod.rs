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
//! 6. What was decided changes the control item: [`Control::open`], or [`Control::follow`].
//! 7. Unknown, stale or contradictory evidence, or everything bad at once, moves nothing and makes an alert; of a standby
//!    and of an alarm too ([`Concerns`]), once for each change.

mod asking;
mod automatic;
mod concern;
mod consent;
mod escalation;
mod evidence;
mod failback;
mod failover;
mod operator;
mod outcome;
mod proposal;
mod restraint;
mod setup;

pub use concern::Concerns;
pub use consent::{Accepted, LagRecord, Lags, consent, consequences, loss_estimate};
pub use escalation::{Escalation, escalation, without_fence};
pub use outcome::{Followed, Record};
pub use proposal::{Closed, Proposal, ProposalChange};

use crate::command::{Answer, Failover, SettingUp};
use crate::control::{Control, later};
use crate::event::AlarmEvent;
use crate::execution::{Kind, Style, TriggerKind};
use crate::fleet::FleetState;
use crate::guard::{Guard, Verdict};
use crate::health::{AlarmReading, Health, SiteHealth};
use crate::mutant::{Mutant, active};
use crate::plan::Plan;
use crate::preflight::Preflight;
use crate::report::clock;
use crate::setup::SetupRecord;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// When sufficient alarms are asked again. One that could not be read, or that CloudWatch showed in another state than
/// the event told, may show by then; and an event that was lost would leave nobody else to look.
const ALARMS_AGAIN: SignedDuration = SignedDuration::from_mins(1);

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
    /// A person asks for a setup or a teardown.
    Setup {
        /// The command.
        asked: SettingUp,
        /// Setup or teardown.
        setup_kind: Kind,
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
            Self::Setup { asked, setup_kind } => {
                format!("{} asks for a {setup_kind}: {}", asked.operator, asked.reason)
            }
            Self::Approval { answer } => format!("{} says yes: {}", answer.operator, answer.reason),
        }
    }

    /// Whose word it is: of several that are refused again and again, each is remembered by itself.
    pub fn source(&self) -> String {
        match self {
            Self::Alarm { event, .. } => format!("alarm {}", event.alarm_name),
            Self::Health { .. } | Self::Timer => "health".into(),
            Self::Operator { .. } | Self::Setup { .. } | Self::Approval { .. } => "person".into(),
        }
    }

    /// What the person who asks says about consequences: nothing, where nobody asks.
    pub fn accepted(&self) -> Accepted {
        match self {
            Self::Operator { asked, .. } => Accepted {
                data_loss: asked.accept_data_loss,
                irreversible: asked.accept_irreversible,
            },
            _ => Accepted::default(),
        }
    }

    /// Whether a person asked, who is answered at once.
    pub fn is_a_persons(&self) -> bool {
        matches!(self, Self::Operator { .. } | Self::Setup { .. } | Self::Approval { .. })
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
    /// How far the copies of its data are behind.
    pub lags: &'a Lags,
    /// What was found when the plan was last read through.
    pub preflight: Option<&'a Preflight>,
    /// What setup has made.
    pub setup: &'a SetupRecord,
}

/// A move that decision opens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Move {
    /// Failover, failback, setup or teardown.
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
    /// When the first bad answer came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub began_at: Option<Timestamp>,
    /// Since when the evidence calls for it.
    pub detected_at: Option<Timestamp>,
    /// Seconds after completion at which it comes home by itself.
    pub return_after_seconds: Option<u32>,
    /// Seconds after which a planned move that still waits goes on as an unplanned one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub escalate_after_seconds: Option<u32>,
    /// Seconds of data that it may lose, where it can lose any and the lag is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss_estimate_seconds: Option<u32>,
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
    /// What somebody should look at although the active site is well; none if that was not looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concerns: Option<Concerns>,
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
            concerns: None,
        }
    }

    /// What is the same when the same thing is refused again: guards, and where it is told, what the active site is;
    /// without times.
    pub fn fingerprint(&self, trigger: &Trigger, source: Option<Health>) -> String {
        let kind = match trigger {
            Trigger::Alarm { event, .. } => format!("alarm {} {:?}", event.alarm_name, event.state),
            Trigger::Health { .. } | Trigger::Timer => "health".into(),
            Trigger::Operator { asked, move_kind } => format!("operator {move_kind} {:?}", asked.to),
            Trigger::Setup { setup_kind, .. } => format!("operator {setup_kind}"),
            Trigger::Approval { .. } => "approval".into(),
        };
        let stops: Vec<&str> = self
            .verdicts
            .iter()
            .filter(|verdict| !verdict.allows)
            .map(|verdict| verdict.guard.as_str())
            .collect();
        // What is worth an alert is never the repetition of what was not, though the same guard stops both; nor is a site
        // that nothing is known of any more that of one that was degraded.
        let of_source = stops.contains(&Guard::SourceUnhealthy.as_str());
        let told = match source.filter(|_| of_source) {
            _ if !self.alert => "quiet".to_owned(),
            Some(health) => format!("alert {health}"),
            None => "alert".to_owned(),
        };
        format!("{kind}|{}|{told}", stops.join(","))
    }
}

/// Judges. See the module's story.
pub fn decide(now: Timestamp, trigger: &Trigger, situation: Situation<'_>) -> Decision {
    let mut decision = match trigger {
        Trigger::Operator { asked, move_kind } => return operator::decide_operator(now, asked, *move_kind, situation),
        Trigger::Setup { asked, setup_kind } => return setup::decide_setup(asked, *setup_kind, situation),
        Trigger::Alarm { event, reading } => {
            let verdicts = evidence::alarm_verdicts(now, event, reading.as_ref(), situation.plan);
            if verdicts.iter().any(|verdict| !verdict.allows) {
                let summary = format!("nothing moves: {}", crate::guard::refusals(&verdicts));
                // A hint that can not be used must not make a timer forgotten that an earlier look has set.
                let refused = Decision::nothing(summary, verdicts);
                return Decision {
                    look_again_at: with_alarms(now, situation, situation.control.look_again_at),
                    ..refused
                };
            }
            automatic::decide_automatic(now, trigger, situation, verdicts)
        }
        Trigger::Approval { answer } => match unanswerable(now, answer, situation.control) {
            Some(verdict) => {
                let summary = format!("refused: {}: {}", verdict.guard.as_str(), verdict.facts);
                return Decision::nothing(summary, vec![verdict]);
            }
            None => automatic::decide_automatic(now, trigger, situation, Vec::new()),
        },
        Trigger::Health { .. } | Trigger::Timer => automatic::decide_automatic(now, trigger, situation, Vec::new()),
    };
    if decision.start.is_none() && decision.proposal == ProposalChange::Keep {
        let (change, look_again_at) = proposal::aftermath(now, situation);
        decision.proposal = change;
        decision.look_again_at = [decision.look_again_at, look_again_at].into_iter().flatten().min();
    }
    decision.look_again_at = with_alarms(now, situation, decision.look_again_at);
    decision
}

// When to look again, where alarms are to be asked again.
fn with_alarms(now: Timestamp, situation: Situation<'_>, look_again_at: Option<Timestamp>) -> Option<Timestamp> {
    let mut alarms = situation.plan.sufficient_alarms();
    let soon = alarms.next().map(|_| later(now, ALARMS_AGAIN));
    [look_again_at, soon].into_iter().flatten().min()
}

// Why a yes can not be taken; none if it can.
fn unanswerable(now: Timestamp, answer: &Answer, control: &Control) -> Option<Verdict> {
    let stop = |facts: String| {
        let remedy = "look with `status` what waits; to move the plan all the same, use `failover`";
        Some(Verdict::stop(Guard::MoveApproved, facts, remedy))
    };
    match control.proposal.as_ref().filter(|known| known.is_open()) {
        None => stop("no proposal waits for an answer".into()),
        Some(open) if open.expires_at <= now && !active(Mutant::YesAfterExpiry) => {
            stop(format!("the proposal expired at {}", clock(open.expires_at)))
        }
        Some(open) if answer.proposal.as_ref().is_some_and(|meant| *meant != open.id) => {
            stop(format!("the proposal that waits is {}: {}", open.id, open.sentence()))
        }
        Some(_) => None,
    }
}
