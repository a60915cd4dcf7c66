//! The control item: all of a plan that the epoch protects, in one item.
//!
//! Every change is a pure function from one control item to the next, and is written by compare-and-set on
//! [`Control::version`]. There are no transactions and nothing else to keep in step, so the same code runs
//! on a strongly consistent global table in three Regions.
//!
//! # The lease
//! 1. A taker that finds no lease, or one whose expiry lies more than [`TAKEOVER_MARGIN`] back, writes its
//!    name, a new expiry and `epoch + 1` in one conditional write. That write also clears the wake.
//! 2. The holder's later writes carry its name and epoch ([`Control::held_by`]); any that finds another
//!    epoch stops at once.
//! 3. A mutating call starts only if its whole timeout fits into the lease less [`CALL_MARGIN`]
//!    ([`Lease::fits`]), so when a lease is taken over, at most one call of the old holder is in flight
//!    and that one has ended.
//! 4. The holder releases when its turn ends. A takeover of an unreleased lease is counted; after
//!    [`MAX_TAKEOVERS`] without progress the execution is *stuck*.

use crate::decide::{Concerns, Proposal};
use crate::execution::{Direction, Execution, Status, TriggerKind};
use crate::fleet::Maintenance;
use crate::mutant::{Mutant, active};
use crate::regions::SittingOut;
use crate::report::{Announcement, EventKind, about_plan};
use crate::setup::SetUp;
use crate::state::RaisedGroup;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// How long a lease lasts.
pub const LEASE: SignedDuration = SignedDuration::from_secs(20);
/// How long after its expiry another may take it: more than two clocks may differ.
pub const TAKEOVER_MARGIN: SignedDuration = SignedDuration::from_secs(5);
/// How long before its expiry the last call must have ended.
pub const CALL_MARGIN: SignedDuration = SignedDuration::from_secs(5);
/// How many takeovers without progress make an execution stuck.
pub const MAX_TAKEOVERS: u32 = 5;
/// How long a wake may lie untaken before the probe touches the item again.
pub const WAKE_PATIENCE: SignedDuration = SignedDuration::from_secs(10);
/// How often an announcement that could not be published is tried again.
pub const ANNOUNCE_RETRY: SignedDuration = SignedDuration::from_secs(15);
/// How many unsent announcements are kept. Beyond it the oldest alerts give way, then the oldest operators' words, which
/// were answered; starts, ends and waits only where there is nothing else.
pub const MAX_ANNOUNCEMENTS: usize = 50;
/// Of how many sources of refusals (the health, each alarm) the last one is remembered. Beyond it the oldest gives way,
/// and its repetition is told once more.
pub const MAX_REFUSALS: usize = 8;

/// Which function an item needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wake {
    /// The decision function.
    Decision,
    /// The executor.
    Executor,
}

impl Wake {
    /// The word in the item, which the stream's filters compare with.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Decision => "decision",
            Self::Executor => "executor",
        }
    }
}

/// All of a plan that the epoch protects.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Control {
    /// The plan's name.
    pub plan: String,
    /// Grows by one with every write: what compare-and-set compares.
    pub version: u64,
    /// Only grows. Whoever acts holds one; a write that carries an older one is refused.
    pub epoch: u64,
    /// The revision of the plan that the next execution takes.
    pub plan_revision: u64,
    /// The item that holds that revision.
    pub plan_item: String,
    /// The site that carries the plan.
    pub active_site: String,
    /// Where the plan is when it is not at home.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub away: Option<Away>,
    /// Automatic moves are off, by a person's word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused: Option<Word>,
    /// Automatic moves are off for a time, by a person's word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maintenance: Option<Maintenance>,
    /// The move that waits for a person's yes, or the memory of one that was not made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proposal: Option<Proposal>,
    /// No further automatic failover until it opens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latch: Option<Latch>,
    /// Who acts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease: Option<Lease>,
    /// When the lease was given back last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub released_at: Option<Timestamp>,
    /// The Region whose executors leave the lease to others for a while.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sitting_out: Option<SittingOut>,
    /// Which function is needed now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wake: Option<Woken>,
    /// When decision wants to look again (a hold time, a stability window, a return).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub look_again_at: Option<Timestamp>,
    /// The execution that is going on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub execution: Option<Execution>,
    /// What is still to be told.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub announcements: Vec<Announcement>,
    /// When the automatic failovers of the last hour were opened.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub automatic_failovers: Vec<Timestamp>,
    /// When the automatic failbacks of the last day were opened.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub automatic_failbacks: Vec<Timestamp>,
    /// What was refused or alerted last, of each source, so that its repetition is counted and not told again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub last_refusals: Vec<LastRefusal>,
    /// What people were told to look at although the active site was well, and what still is so.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub concerns: Vec<String>,
    /// Sufficient alarms that could not be read at the last look.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unread_alarms: Vec<String>,
    /// That something is set up, and remembered in an item of its own ([`crate::setup`]).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set_up: Option<SetUp>,
    /// The execution that ended last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_execution: Option<Ended>,
}

/// A person's word.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Word {
    /// Who said it (asserted; CloudTrail proves).
    pub operator: String,
    /// Why.
    pub reason: String,
    /// When.
    pub at: Timestamp,
}

/// The plan is not at home.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Away {
    /// Since when.
    pub since: Timestamp,
    /// What moved it.
    pub trigger: TriggerKind,
    /// The execution that moved it.
    pub execution: String,
    /// When it comes home by the word of the person who moved it (`rollback_plan`), unless somebody says `keep`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub return_at: Option<Timestamp>,
    /// Who said `keep`: the promise to come home is off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept: Option<Word>,
    /// The groups that were made larger for it, and go back to what they were when it has come home.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub raised: Vec<RaisedGroup>,
}

/// No further automatic failover until the cooldown ends or a person acknowledges.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Latch {
    /// When it opens by itself.
    pub until: Timestamp,
    /// The execution that closed it.
    pub execution: String,
}

/// Who acts, and until when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// The holder: one invocation of one executor.
    pub holder: String,
    /// When it runs out.
    pub expires_at: Timestamp,
}

impl Lease {
    /// Whether a call of at most `timeout` ends well before the lease does.
    pub fn fits(&self, now: Timestamp, timeout: SignedDuration) -> bool {
        now.checked_add(timeout)
            .and_then(|end| end.checked_add(CALL_MARGIN))
            .is_ok_and(|end| end <= self.expires_at)
    }
}

/// A wake that nobody has taken yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Woken {
    /// Whom it is for.
    pub function: Wake,
    /// When it was written last.
    pub at: Timestamp,
    /// How often the probe has touched it since.
    #[serde(default)]
    pub touches: u32,
}

/// The last refusal of one source, by its fingerprint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastRefusal {
    /// What made decision look ([`crate::decide::Trigger::source`]).
    pub source: String,
    /// Trigger and guards, without times.
    pub fingerprint: String,
    /// The decision record whose count goes up when it is repeated.
    pub decision_id: String,
    /// When it was refused like this first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
}

/// The execution that ended last, in brief. The whole one is in the history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// Its id.
    pub id: String,
    /// How it ended.
    pub status: Status,
    /// Where it went from.
    pub from: String,
    /// Where it went.
    pub to: String,
    /// When it ended.
    pub ended_at: Timestamp,
    /// What people were told.
    pub summary: String,
}

/// The lease can not be taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the lease of plan {plan} is held by {holder} until {expires_at}")]
pub struct LeaseHeld {
    /// The plan.
    pub plan: String,
    /// The holder.
    pub holder: String,
    /// Its expiry.
    pub expires_at: Timestamp,
}

impl Control {
    /// The control item of a plan that was stored for the first time.
    pub fn new(plan: &str, active_site: &str, plan_item: &str) -> Self {
        Self {
            plan: plan.to_owned(),
            version: 0,
            epoch: 0,
            plan_revision: 1,
            plan_item: plan_item.to_owned(),
            active_site: active_site.to_owned(),
            away: None,
            paused: None,
            maintenance: None,
            proposal: None,
            latch: None,
            lease: None,
            released_at: None,
            sitting_out: None,
            wake: None,
            look_again_at: None,
            execution: None,
            announcements: Vec::new(),
            automatic_failovers: Vec::new(),
            automatic_failbacks: Vec::new(),
            last_refusals: Vec::new(),
            concerns: Vec::new(),
            unread_alarms: Vec::new(),
            set_up: None,
            last_execution: None,
        }
    }

    /// Takes the lease: step 1 of the protocol. Returns the new epoch.
    ///
    /// # Errors
    /// Somebody holds it, or held it until less than [`TAKEOVER_MARGIN`] ago.
    pub fn take_lease(&mut self, now: Timestamp, holder: &str) -> Result<u64, LeaseHeld> {
        if let Some(lease) = &self.lease {
            let margin = if active(Mutant::LeaseWithoutMargin) {
                SignedDuration::ZERO
            } else {
                TAKEOVER_MARGIN
            };
            let free_at = later(lease.expires_at, margin);
            if now <= free_at && !active(Mutant::LeaseNotRespected) {
                return Err(LeaseHeld {
                    plan: self.plan.clone(),
                    holder: lease.holder.clone(),
                    expires_at: lease.expires_at,
                });
            }
            if let Some(execution) = &mut self.execution {
                execution.takeovers_without_progress += u32::from(!active(Mutant::TakeoverNotCounted));
            }
        }
        self.epoch += u64::from(!active(Mutant::EpochNotGrown));
        self.lease = Some(Lease {
            holder: holder.to_owned(),
            expires_at: later(
                now,
                if active(Mutant::LeaseNeverExpires) {
                    LEASE * 4320
                } else {
                    LEASE
                },
            ),
        });
        let taken = self.wake.as_ref().is_some_and(|wake| wake.function == Wake::Executor);
        if taken && !active(Mutant::ExecutorWakeNotCleared) {
            self.wake = None;
        }
        Ok(self.epoch)
    }

    /// Whether `holder` still acts in `epoch`.
    pub fn held_by(&self, holder: &str, epoch: u64) -> bool {
        active(Mutant::EpochNotChecked)
            || self.epoch == epoch && self.lease.as_ref().is_some_and(|lease| lease.holder == holder)
    }

    /// Prolongs the lease of the holder.
    pub fn renew_lease(&mut self, now: Timestamp) {
        if let Some(lease) = &mut self.lease {
            lease.expires_at = later(now, LEASE);
        }
    }

    /// Asks for a function. Decision does not take the place of an untaken executor's wake: an executor's
    /// turn ends by waking decision where it is needed.
    pub fn wake(&mut self, now: Timestamp, function: Wake) {
        let waiting = self.wake.as_ref().is_some_and(|wake| wake.function == Wake::Executor);
        if !(waiting && function == Wake::Decision) {
            self.wake = Some(Woken {
                function,
                at: now,
                touches: 0,
            });
        }
    }

    /// Decision has taken its wake.
    pub fn clear_decision_wake(&mut self) {
        let taken = self.wake.as_ref().is_some_and(|wake| wake.function == Wake::Decision);
        if taken && !active(Mutant::DecisionWakeNotCleared) {
            self.wake = None;
        }
    }

    /// Adds what is to be told, in the same write as the change that it tells.
    pub fn announce(&mut self, announcement: Announcement) {
        let lost = active(Mutant::AnnouncementDropped) && !self.announcements.is_empty();
        if lost || self.announcements.iter().any(|known| known.id == announcement.id) {
            return;
        }
        self.announcements.push(announcement);
        if self.announcements.len() > MAX_ANNOUNCEMENTS {
            let oldest = |event| self.announcements.iter().position(|known| known.event == event);
            let least = oldest(EventKind::Alert).or(oldest(EventKind::Operator)).unwrap_or(0);
            self.announcements.remove(least);
        }
    }

    /// Tells people something about the plan, in the same write as what it tells, and calls for the executor, which
    /// publishes it.
    pub fn tell(&mut self, now: Timestamp, event: EventKind, id: &str, headline: &str, details: &[String]) {
        self.announce(about_plan(event, &self.plan, id, headline, details, now));
        self.wake(now, Wake::Executor);
    }

    /// The refusal that this one repeats, if its source has not been refused otherwise since.
    pub fn repeated(&self, fingerprint: &str) -> Option<&LastRefusal> {
        self.last_refusals.iter().find(|last| last.fingerprint == fingerprint)
    }

    /// Remembers a refusal in the place of the last one of its source. `all_quiet`: the sites themselves give no reason
    /// to alert anybody any more, so that what other sources say next is news again.
    pub fn remember_refusal(&mut self, refusal: LastRefusal, all_quiet: bool) {
        self.last_refusals
            .retain(|last| last.source != refusal.source && !all_quiet);
        self.last_refusals.push(refusal);
        let beyond = self.last_refusals.len().saturating_sub(MAX_REFUSALS);
        self.last_refusals.drain(..beyond);
    }

    /// Remembers what is of concern: it has been told, or is told in the same write.
    pub fn remember_concerns(&mut self, concerns: &Concerns) {
        self.concerns.clone_from(&concerns.names);
        self.unread_alarms.clone_from(&concerns.unread);
    }

    /// When something is due, and for whom: what the sparse index carries.
    pub fn next_due(&self) -> Option<(Timestamp, Wake)> {
        let lease_free = self
            .lease
            .as_ref()
            .map(|lease| later(lease.expires_at, TAKEOVER_MARGIN));
        let wake = self
            .wake
            .as_ref()
            .map(|wake| (later(wake.at, WAKE_PATIENCE), wake.function));
        let execution = self
            .execution
            .as_ref()
            .filter(|execution| {
                let by_person = execution.held.as_ref().is_some_and(|held| !held.by_fleet);
                execution.status != Status::Stuck && !(by_person && execution.rests())
            })
            .map(|execution| {
                let ready = execution.wake_at.unwrap_or(execution.created_at);
                let forward = execution.direction == Direction::Forward;
                let escalate_at = execution.escalate_at.filter(|_| forward);
                let ready = escalate_at.map_or(ready, |at| at.min(ready));
                (lease_free.map_or(ready, |free| free.max(ready)), Wake::Executor)
            });
        let announcements = self
            .announcements
            .iter()
            .map(|announcement| announcement.retry_at)
            .min()
            .map(|at| (lease_free.map_or(at, |free| free.max(at)), Wake::Executor));
        let look = self.look_again_at.map(|at| (at, Wake::Decision));
        [wake, execution, announcements, look]
            .into_iter()
            .flatten()
            .min_by_key(|(at, _)| *at)
    }

    /// Since when the active site has carried the plan, as far as the last moves tell; none where nothing is known to have
    /// moved it there.
    pub fn carried_since(&self) -> Option<Timestamp> {
        let away = self.away.as_ref().map(|away| away.since);
        let last = self.last_execution.as_ref();
        let came = last.filter(|last| last.status == Status::Completed && last.to == self.active_site);
        away.max(came.filter(|last| last.from != last.to).map(|last| last.ended_at))
    }

    /// Decision looks at the plan at this time at the latest. A wake gives way to another one; this stays until decision
    /// has looked.
    pub fn look_by(&mut self, latest: Timestamp) {
        self.look_again_at = Some(self.look_again_at.map_or(latest, |at| at.min(latest)));
    }

    /// The probe's touch of a due item: `None` if nothing is due (the index was only a hint).
    pub fn touch(&mut self, now: Timestamp) -> Option<Woken> {
        let (at, function) = self.next_due()?;
        if at > now {
            return None;
        }
        let touches = self
            .wake
            .as_ref()
            .filter(|wake| wake.function == function)
            .map_or(0, |wake| wake.touches)
            .saturating_add(1);
        let woken = Woken {
            function,
            at: now,
            touches,
        };
        self.wake = Some(woken.clone());
        Some(woken)
    }

    /// Forgets what has run out: automatic failovers of more than an hour ago, automatic failbacks of more than a day
    /// ago, an open latch, a maintenance window that is over.
    pub fn expire(&mut self, now: Timestamp) {
        let ago = |hours| {
            now.checked_sub(SignedDuration::from_hours(hours))
                .unwrap_or(Timestamp::MIN)
        };
        self.automatic_failovers.retain(|at| *at > ago(1));
        self.automatic_failbacks.retain(|at| *at > ago(24));
        self.maintenance.take_if(|window| window.until <= now);
        if self.latch.as_ref().is_some_and(|latch| latch.until <= now) {
            self.latch = None;
        }
    }
}

/// `at + by`, and the end of time rather than an overflow.
pub fn later(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.checked_add(by).unwrap_or(Timestamp::MAX)
}
