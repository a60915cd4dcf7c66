//! People's words: what is not done while they hold, and what only they open.
//!
//! What a function knew of the words on all plans is what stood in the table when it last read them: between that read
//! and what it writes or calls, a newer word may have come.

use super::{Oracle, Watched};
use crate::sim::sandbox::{Function, Origin, Running};
use crate::sim::trace::Trace;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use understudy_core::control::{Control, later};
use understudy_core::execution::{Execution, Kind, StepRun, StepState, Style, TriggerKind};
use understudy_core::fleet::FleetState;
use understudy_core::plan::{Mode, OnExpiry};
use understudy_engine::ports::Item;

/// What two clocks may make of a second.
const ABOUT: SignedDuration = SignedDuration::from_secs(6);

impl Oracle {
    /// A function reads people's words on all plans: this is what it is answered.
    pub(super) fn fleet_read(&mut self, running: &Running, item: Option<&Item>) {
        let state = item.and_then(|item| FleetState::deserialize(&item.body).ok());
        let known = self.known.entry(running.request_id.clone()).or_default();
        known.fleet = Some(state.unwrap_or_default());
    }

    /// A mutating call begins only after a look at the kill switch that is no older than the call before, and found it
    /// off.
    pub(super) fn kill_switch_read(&mut self, running: &Running, point: &str) {
        let known = self.known.entry(running.request_id.clone()).or_default();
        match known.fleet.take() {
            None => self.rule(
                "kill switch",
                format!("{point} by {} without a look at the kill switch", running.request_id),
            ),
            Some(fleet) if fleet.stopped.is_some() => self.rule(
                "kill switch",
                format!("{point} by {} although all is stopped", running.request_id),
            ),
            Some(_) => {}
        }
    }

    /// What was opened, against the words that held.
    pub(super) fn opened_under_words(&mut self, running: &Running, before: &Control, opened: &Execution, what: &str) {
        let fleet = self
            .known
            .get(&running.request_id)
            .and_then(|known| known.fleet.clone());
        let Some(fleet) = fleet else {
            return self.rule("kill switch", format!("{what} without a look at the kill switch"));
        };
        if fleet.stopped.is_some() {
            self.rule("kill switch", format!("{what} although all is stopped"));
        }
        if opened.trigger == TriggerKind::Manual {
            return;
        }
        if fleet.paused.is_some() {
            self.violate(7, format!("{what} although all plans are paused"));
        }
        let windows = [&before.maintenance, &fleet.maintenance];
        if windows
            .into_iter()
            .flatten()
            .any(|window| window.until > opened.created_at)
        {
            self.violate(7, format!("{what} although a maintenance window is open"));
        }
        let promised =
            opened.kind == Kind::Failback && before.away.as_ref().is_some_and(|away| away.return_at.is_some());
        if promised {
            return;
        }
        match opened.plan.policy.mode {
            Mode::Automatic => {}
            mode @ (Mode::Manual | Mode::Observe) => {
                self.violate(7, format!("{what} although its mode is {mode:?}"));
            }
            Mode::Approve => self.was_approved(running, before, opened, what),
        }
    }

    // In mode `approve` only what was proposed opens: by a yes in time, or by silence where the policy says so.
    fn was_approved(&mut self, running: &Running, before: &Control, opened: &Execution, what: &str) {
        let proposed = before.proposal.as_ref().filter(|known| {
            let chosen = &known.chosen;
            known.closed.is_none() && (chosen.kind, &chosen.from, &chosen.to) == (opened.kind, &opened.from, &opened.to)
        });
        let Some(proposal) = proposed else {
            return self.violate(7, format!("{what}, which was not proposed to anybody"));
        };
        let expired = opened.created_at >= proposal.expires_at;
        match &running.origin {
            Origin::Person {
                word: "approve",
                dry_run: false,
                meant,
                ..
            } => {
                if meant.as_ref().is_some_and(|meant| *meant != proposal.id) {
                    self.violate(7, format!("{what} by a yes to another proposal"));
                }
                if expired {
                    self.violate(7, format!("{what} by a yes to a proposal that had expired"));
                }
            }
            _ if proposal.on_expiry == OnExpiry::Move && expired => {}
            _ => self.violate(7, format!("{what} although nobody said yes")),
        }
    }

    /// Whether a plan comes home within its hours, by the oracle's own reckoning.
    pub(super) fn within_hours(&mut self, opened: &Execution, now: Timestamp, what: &str) {
        let Some((from, to)) = self.failback_hours else { return };
        let open = |at: Timestamp| {
            let minute = at.as_second().rem_euclid(86_400) / 60;
            (i64::from(from)..i64::from(to)).contains(&minute)
        };
        let times = [opened.created_at, now, later(now, -ABOUT), later(now, ABOUT)];
        if !times.into_iter().any(open) {
            self.violate(7, format!("{what} outside of its hours"));
        }
    }

    /// The blast radius: how many others went on all the while since this one was entered among them.
    pub(super) fn within_blast_radius(&mut self, running: &Running, opened: &Execution, what: &str) {
        let entered = self.known.get(&running.request_id).and_then(|known| known.entered);
        let others = self.controls.values().filter(|control| {
            control.execution.as_ref().is_some_and(|other| {
                other.trigger == TriggerKind::Automatic
                    && !other.status.is_final()
                    && entered.is_some_and(|entered| self.opened_at.get(&other.id).is_some_and(|at| *at < entered))
            })
        });
        let others = others.filter(|control| control.plan != opened.plan.name).count();
        if others >= self.concurrent {
            self.violate(7, format!("{what} while {others} others are in progress"));
        }
    }

    /// What a write does to an execution that somebody holds, skips a step of, or hurries.
    pub(super) fn words_heeded(&mut self, running: &Running, before: &Control, after: &Control, trace: &mut Trace) {
        let (Some(old), Some(new)) = (&before.execution, &after.execution) else {
            return;
        };
        if old.id != new.id {
            return;
        }
        let begun = |(old, new): &(&StepRun, &StepRun)| {
            old.state == StepState::Pending && matches!(new.state, StepState::Intended | StepState::Satisfied)
        };
        let begun = old.steps.iter().zip(&new.steps).filter(begun).count();
        let back = old.steps.iter().zip(&new.steps).any(|(old, new)| {
            old.state == StepState::Skipped && !matches!(new.state, StepState::Skipped | StepState::Undone)
        });
        if back {
            self.rule("skip", format!("a skipped step of execution {} goes on", new.id));
        }
        let escalated = old.style == Style::Planned && new.style == Style::Unplanned;
        let policy_allows = new.plan.policy.consent.allow_data_loss;
        let watched: &mut Watched = self.watched.entry(new.id.clone()).or_default();
        if old.held.is_none() {
            watched.begun_while_held = 0;
        } else if running.function == Function::Executor {
            watched.begun_while_held += begun;
        }
        let (held_steps, lossy_word) = (watched.begun_while_held, watched.lossy_word);
        // One may have been on its way when the word came.
        if held_steps > 1 {
            self.rule("hold", format!("execution {} begins steps although it is held", new.id));
        }
        // What could lose data may be over, done as a planned move does it.
        let mut ahead = old.plan.steps.iter().zip(&old.steps).filter(|(_, run)| {
            !matches!(
                run.state,
                StepState::Done | StepState::Satisfied | StepState::Skipped | StepState::Undone
            )
        });
        let lossy = ahead.any(|(step, _)| step.is_lossy(Style::Unplanned));
        if escalated && lossy && !policy_allows && !lossy_word {
            let said = matches!(running.origin, Origin::Person { lossy: true, .. });
            if !said {
                self.violate(
                    6,
                    format!(
                        "execution {} goes on as one that can lose data, and nobody allowed it",
                        new.id
                    ),
                );
            }
        }
        if escalated {
            trace.note(new.created_at, || {
                format!("  execution {} is unplanned from now on", new.id)
            });
        }
    }
}
