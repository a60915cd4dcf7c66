//! Moves that wait for a person's yes (`policy.mode: approve`, or the same mode of all plans).
//!
//! 1. When every guard lets go, decision does not start: it makes a [`Proposal`] on the control item, and tells people.
//! 2. `approve` makes decision judge again, since evidence may have changed meanwhile; the proposal lets go only of
//!    the very move that it names. `reject` closes it.
//! 3. A proposal that nobody answered expires. The policy says what that means: it is discarded, or it moves.
//! 4. A closed proposal stays as a memory: the same trouble is not proposed again until the site has been well in
//!    between, or the cooldown is over. One whose trouble is over is withdrawn.

use super::{Move, Situation, Trigger};
use crate::control::{Word, later};
use crate::execution::Kind;
use crate::guard::{Guard, Verdict};
use crate::health::Health;
use crate::plan::OnExpiry;
use crate::report::clock;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// A move that waits for a person's yes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Proposal {
    /// Its id.
    pub id: String,
    /// The move.
    pub chosen: Move,
    /// What the guards said.
    pub verdicts: Vec<Verdict>,
    /// When it was made.
    pub made_at: Timestamp,
    /// When it expires.
    pub expires_at: Timestamp,
    /// What happens then.
    pub on_expiry: OnExpiry,
    /// How it was closed; none while it waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed: Option<Closed>,
}

/// How a proposal was closed without a move.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closed {
    /// When.
    pub at: Timestamp,
    /// By what, for people.
    pub why: String,
    /// Nobody said no: its time ended while other guards held it back. When they let go it is proposed again at once.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub held: bool,
}

/// What happens to the proposal on the control item.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum ProposalChange {
    /// Nothing.
    #[default]
    Keep,
    /// This one is made.
    Make {
        /// The move.
        chosen: Box<Move>,
        /// When it expires.
        expires_at: Timestamp,
        /// What happens then.
        on_expiry: OnExpiry,
    },
    /// It is closed, and remembered.
    Close {
        /// Why.
        why: String,
        /// Silence would have moved, and other guards held it back: [`Closed::held`].
        held: bool,
    },
    /// It is forgotten: its trouble is over.
    Withdraw {
        /// Why.
        why: String,
    },
}

impl Proposal {
    /// Whether it waits for an answer.
    pub fn is_open(&self) -> bool {
        self.closed.is_none()
    }

    /// The move in a few words.
    pub fn sentence(&self) -> String {
        format!("{} {} → {}", self.chosen.kind, self.chosen.from, self.chosen.to)
    }

    /// What the person is asked: why, until when, what silence means, and what to send.
    pub fn asking(&self, plan: &str) -> Vec<String> {
        let silence = match self.on_expiry {
            OnExpiry::Discard => "nothing moves then",
            OnExpiry::Move => "it moves by itself then, if every guard still lets go",
        };
        let send = |word: &str| {
            format!(
                "{{\"command\": \"{word}\", \"plan\": \"{plan}\", \"proposal\": \"{}\", \"operator\": \"…\", \"reason\": \"…\"}}",
                self.id
            )
        };
        let mut lines = vec![
            format!("why: {}", self.chosen.reason),
            format!("it waits until {}; {silence}", self.expires_at),
            format!("yes: {}", send("approve")),
            format!("no: {}", send("reject")),
        ];
        let let_go = self.verdicts.iter().filter(|verdict| verdict.allows);
        lines.extend(let_go.map(|verdict| format!("{}: {}", verdict.guard.as_str(), verdict.facts)));
        lines
    }

    /// A person says no.
    pub fn reject(&mut self, word: &Word) {
        self.closed = Some(Closed {
            at: word.at,
            why: format!("rejected by {}: {}", word.operator, word.reason),
            held: false,
        });
    }

    fn is_about(&self, chosen: &Move) -> bool {
        (self.chosen.kind, &self.chosen.from) == (chosen.kind, &chosen.from)
    }
}

/// The verdict of `move_approved` on a move that every other guard has let go, and what happens to the proposal. `of`: what
/// has the mode `approve`.
pub(super) fn approval(
    now: Timestamp,
    trigger: &Trigger,
    situation: Situation<'_>,
    (chosen, of): (&Move, &str),
) -> (Verdict, ProposalChange) {
    let approval = &situation.plan.policy.approval;
    let known = situation
        .control
        .proposal
        .as_ref()
        .filter(|known| known.is_about(chosen));
    let same = known.filter(|known| known.is_open() && known.chosen.to == chosen.to);
    let make = || {
        let expires_at = later(
            now,
            SignedDuration::from_secs(i64::from(approval.expires_after_seconds)),
        );
        let verdict = stop(format!(
            "{of} is approve; a person is asked until {}",
            clock(expires_at)
        ));
        let chosen = Box::new(chosen.clone());
        let on_expiry = approval.on_expiry;
        (
            verdict,
            ProposalChange::Make {
                chosen,
                expires_at,
                on_expiry,
            },
        )
    };
    if let Trigger::Approval { answer } = trigger {
        let verdict = match same {
            Some(_) => Verdict::allow(
                Guard::MoveApproved,
                format!("approved by {}: {}", answer.operator, answer.reason),
            ),
            None => stop("the evidence now calls for another move than the one proposed".into()),
        };
        return (verdict, ProposalChange::Keep);
    }
    match (same, known.and_then(|known| known.closed.as_ref())) {
        (Some(open), _) if now < open.expires_at => {
            let facts = format!(
                "proposal {} waits for an answer until {}",
                open.id,
                clock(open.expires_at)
            );
            (stop(facts), ProposalChange::Keep)
        }
        (Some(open), _) => {
            let facts = format!("nobody answered proposal {} until {}", open.id, clock(open.expires_at));
            match open.on_expiry {
                OnExpiry::Move => (
                    Verdict::allow(
                        Guard::MoveApproved,
                        format!("{facts}; policy.approval.on_expiry is move"),
                    ),
                    ProposalChange::Keep,
                ),
                OnExpiry::Discard => {
                    let closed = ProposalChange::Close {
                        why: facts.clone(),
                        held: false,
                    };
                    (stop(facts), closed)
                }
            }
        }
        (None, Some(closed)) if now < asked_again_at(situation, closed) => {
            let facts = format!(
                "{} ({}); it is not proposed again before {}, or before the site has been well",
                closed.why,
                clock(closed.at),
                clock(asked_again_at(situation, closed))
            );
            (stop(facts), ProposalChange::Keep)
        }
        (None, _) => make(),
    }
}

/// What becomes of a proposal that the judgement did not touch, and when it must be looked at again.
pub(super) fn aftermath(now: Timestamp, situation: Situation<'_>) -> (ProposalChange, Option<Timestamp>) {
    let Some(known) = &situation.control.proposal else {
        return (ProposalChange::Keep, None);
    };
    if let Some(why) = over(known, situation) {
        return (ProposalChange::Withdraw { why }, None);
    }
    match &known.closed {
        Some(closed) => {
            let at = asked_again_at(situation, closed);
            (ProposalChange::Keep, (at > now).then_some(at))
        }
        None if known.expires_at <= now => {
            let held = known.on_expiry == OnExpiry::Move;
            let why = format!(
                "it expired at {} while other guards held it back{}",
                clock(known.expires_at),
                if held {
                    "; it is proposed again when they let go"
                } else {
                    ""
                }
            );
            (ProposalChange::Close { why, held }, None)
        }
        None => (ProposalChange::Keep, Some(known.expires_at)),
    }
}

fn asked_again_at(situation: Situation<'_>, closed: &Closed) -> Timestamp {
    if closed.held {
        return closed.at;
    }
    let cooldown = SignedDuration::from_secs(i64::from(situation.plan.policy.cooldown_seconds));
    later(closed.at, cooldown)
}

// Why the trouble that a proposal is about is over.
fn over(known: &Proposal, situation: Situation<'_>) -> Option<String> {
    let Situation {
        control, sites, plan, ..
    } = situation;
    if control.active_site != known.chosen.from {
        return Some(format!("{} carries the plan now", control.active_site));
    }
    if plan.site(&known.chosen.to).is_none() {
        return Some(format!("the plan has no site {} any more", known.chosen.to));
    }
    let health = |name: &str| sites.get(name).map_or(Health::Unknown, |site| site.health);
    match known.chosen.kind {
        Kind::Failover if health(&known.chosen.from) == Health::Healthy => {
            Some(format!("site {} is healthy again", known.chosen.from))
        }
        Kind::Failback if health(&known.chosen.to) == Health::Unhealthy => {
            Some(format!("site {} is unhealthy", known.chosen.to))
        }
        _ => None,
    }
}

fn stop(facts: String) -> Verdict {
    Verdict::stop(
        Guard::MoveApproved,
        facts,
        "`approve` or `reject` it, or move by hand with `failover`",
    )
}
