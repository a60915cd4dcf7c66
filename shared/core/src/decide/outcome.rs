//! What a judgement changes in the control item: an execution is opened, or it is remembered and told why not.
//!
//! 1. [`Decision::heed_fleet`] holds a move back for what holds for all plans together.
//! 2. [`Control::open`] opens an execution. What limits automatic moves is counted in the same write.
//! 3. [`Control::follow`] is the rest: the proposal, the timer, and what has to be told. The same refusal again tells
//!    nobody twice, and its record is counted up.
//!
//! The engine writes the changed item over exactly the one that was judged, and the record behind it.

use super::{Closed, Decision, Proposal, ProposalChange, Trigger};
use crate::control::{Control, LastRefusal, Latch, Wake, later};
use crate::execution::{Execution, Kind, TriggerKind};
use crate::guard::{Guard, Verdict, reasons, refusals};
use crate::health::Health;
use crate::report::EventKind;
use jiff::{SignedDuration, Timestamp};

/// When a move that the fleet's limits held back is judged again: nothing else tells when another one has ended.
const FLEET_AGAIN: SignedDuration = SignedDuration::from_mins(1);

/// How long after a refusal a timer looks whether its record is there.
const RECORD_MISSED: SignedDuration = SignedDuration::from_hours(1);

/// What is recorded of a judgement that starts nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// Nothing: a timer found nothing new.
    Nothing,
    /// A new record of this id.
    New(String),
    /// The record of this id: its count goes up.
    Again(String),
    /// The record of this id, if it is not there, with what is seen now: a timer found nothing new, and the invocation that
    /// was to write the last record may have died before it did.
    IfMissing(String),
}

/// What came of following a judgement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Followed {
    /// What is recorded.
    pub record: Record,
    /// People are alerted.
    pub alerts: bool,
}

impl Decision {
    /// Adds what the fleet's limits said of the move that was to start. It does not, if one of them stops it.
    pub fn heed_fleet(&mut self, now: Timestamp, verdicts: Vec<Verdict>) {
        if verdicts.iter().any(|verdict| !verdict.allows) {
            self.start = None;
            self.alert = true;
            self.summary = format!("nothing moves: {}", refusals(&verdicts));
            self.look_again_at = Some(later(now, FLEET_AGAIN));
        }
        self.verdicts.extend(verdicts);
    }
}

impl Control {
    /// Opens an execution that was judged. `now` is when.
    pub fn open(&mut self, now: Timestamp, execution: Execution) {
        self.expire(now);
        let automatic = |kind| execution.trigger == TriggerKind::Automatic && execution.kind == kind;
        if automatic(Kind::Failover) {
            let cooldown = SignedDuration::from_secs(i64::from(execution.plan.policy.cooldown_seconds));
            self.latch = Some(Latch {
                until: later(now, cooldown),
                execution: execution.id.clone(),
            });
            self.automatic_failovers.push(now);
        }
        // A promised return is the person's, and takes nothing from what may happen by itself.
        let promised = self.away.as_ref().is_some_and(|away| away.return_at.is_some());
        if automatic(Kind::Failback) && !promised {
            self.automatic_failbacks.push(now);
        }
        // What moves nothing answers no proposal, and does not make an answer forgotten.
        if execution.kind.is_move() {
            self.proposal = None;
        }
        self.look_again_at = None;
        self.last_refusals.clear();
        self.execution = Some(execution);
        self.clear_decision_wake();
        self.wake(now, Wake::Executor);
    }

    /// Follows a judgement that starts nothing, made now. `source`: the health of the active site, as it was seen.
    /// `new_id` gives ids, for a record and for a proposal.
    ///
    /// A person who asked has the answer, and the control item need not know: it stays as it is.
    pub fn follow(
        &mut self,
        now: Timestamp,
        trigger: &Trigger,
        decision: &Decision,
        source: Option<Health>,
        new_id: impl Fn() -> String,
    ) -> Followed {
        let proposes = decision.proposal != ProposalChange::Keep;
        let fingerprint = decision.fingerprint(trigger, source);
        let concerns = decision.concerns.as_ref().filter(|concerns| concerns.are_news(self));
        let known = self.repeated(&fingerprint).filter(|_| !proposes && concerns.is_none());
        let known = known.map(|last| last.decision_id.clone());
        let mut stops = decision.verdicts.iter().filter(|verdict| !verdict.allows);
        let held_back = stops.any(|verdict| verdict.guard != Guard::SourceUnhealthy);
        // A timer that finds all as before says nothing new; one that finds a move held back says by what, once.
        let says = decision.alert || proposes || !matches!(trigger, Trigger::Timer);
        let last = self.last_refusals.iter().find(|last| last.source == trigger.source());
        let lately = last.filter(|last| last.at.is_some_and(|at| now <= later(at, RECORD_MISSED)));
        let record = match (known, lately) {
            (Some(id), _) if says => Record::Again(id),
            (None, _) if says || held_back => Record::New(new_id()),
            (_, Some(last)) => Record::IfMissing(last.decision_id.clone()),
            _ => Record::Nothing,
        };
        if trigger.is_a_persons() {
            return Followed { record, alerts: false };
        }
        let headline = match (&decision.would, concerns) {
            (Some(would), _) => format!("observed only: would {} {} to {}", would.kind, would.from, would.to),
            (None, Some(concerns)) => format!("look at this: {}", concerns.names.join(", ")),
            (None, None) => format!("nothing moved: {}", trigger.sentence()),
        };
        self.expire(now);
        self.clear_decision_wake();
        self.look_again_at = decision.look_again_at;
        if let Some(concerns) = &decision.concerns {
            self.remember_concerns(concerns);
        }
        self.follow_proposal(now, decision, &new_id);
        let Record::New(decision_id) = &record else {
            return Followed { record, alerts: false };
        };
        let refusal = LastRefusal {
            source: trigger.source(),
            fingerprint,
            decision_id: decision_id.clone(),
            at: Some(now),
        };
        let of_alarm = matches!(trigger, Trigger::Alarm { .. });
        self.remember_refusal(refusal, !of_alarm && !decision.alert);
        if decision.alert {
            let mut details = vec![decision.summary.clone()];
            details.extend(reasons(&decision.verdicts));
            self.tell(
                now,
                EventKind::Alert,
                &format!("decision:{decision_id}"),
                &headline,
                &details,
            );
        }
        let alerts = decision.alert;
        Followed { record, alerts }
    }

    // What waits for a person's yes is told in the same write that makes it.
    fn follow_proposal(&mut self, now: Timestamp, decision: &Decision, new_id: impl Fn() -> String) {
        match &decision.proposal {
            ProposalChange::Keep => {}
            ProposalChange::Make {
                chosen,
                expires_at,
                on_expiry,
            } => {
                let proposal = Proposal {
                    id: new_id(),
                    chosen: chosen.as_ref().clone(),
                    verdicts: decision.verdicts.clone(),
                    made_at: now,
                    expires_at: *expires_at,
                    on_expiry: *on_expiry,
                    closed: None,
                };
                let id = format!("proposal:{}", proposal.id);
                let details = proposal.asking(&self.plan);
                let headline = format!("a yes is needed: {}", proposal.sentence());
                self.proposal = Some(proposal);
                self.tell(now, EventKind::Waiting, &id, &headline, &details);
            }
            ProposalChange::Close { why, held } => {
                let Some(known) = &mut self.proposal else { return };
                known.closed = Some(Closed {
                    at: now,
                    why: why.clone(),
                    held: *held,
                });
                let headline = format!("not moved: {}", known.sentence());
                let id = format!("proposal:{}:closed", known.id);
                self.tell(now, EventKind::Operator, &id, &headline, std::slice::from_ref(why));
            }
            ProposalChange::Withdraw { why } => {
                let Some(known) = self.proposal.take().filter(Proposal::is_open) else {
                    return;
                };
                let headline = format!("no answer is needed any more: {}", known.sentence());
                let id = format!("proposal:{}:withdrawn", known.id);
                self.tell(now, EventKind::Operator, &id, &headline, std::slice::from_ref(why));
            }
        }
    }
}
