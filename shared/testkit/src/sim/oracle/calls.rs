//! Every mutating call, at the moment of its effect.

use super::{MOST_SKEW, Oracle};
use crate::cloud::Change;
use crate::sim::sandbox::Running;
use jiff::{SignedDuration, Timestamp};
use understudy_core::control::{CALL_MARGIN, later};
use understudy_core::execution::{Direction, Execution, PreState, StepState};
use understudy_core::state::{RecordSet, ResourceState};
use understudy_engine::executor::CALL_TIMEOUT;

/// How long after a step's deadline a call may still have its effect: it was looked at before a read, a commit and the
/// call itself, each as slow as a client bears, and by a clock of its own.
const ON_ITS_WAY: SignedDuration = SignedDuration::from_secs(45);

impl Oracle {
    pub(super) fn call_made(&mut self, running: &Running, change: &Change) {
        let found = self.controls.values().find_map(|control| {
            let execution = control.execution.as_ref()?;
            let step = execution
                .plan
                .steps
                .iter()
                .position(|step| step.names(&change.resource, &execution.plan.sites))?;
            Some((control.plan.clone(), execution.clone(), control.lease.clone(), step))
        });
        let what = format!("{} by {}", change.operation, running.request_id);
        let Some((plan, execution, lease, step)) = found else {
            return self.violate(3, format!("{what} belongs to no execution in the table"));
        };
        match &lease {
            Some(lease) if lease.holder.split('/').next() == Some(&running.request_id) => {
                if lease.expires_at < change.at {
                    self.violate(
                        2,
                        format!(
                            "{what} for {plan} at {} after its lease had ended at {}",
                            change.at, lease.expires_at
                        ),
                    );
                }
            }
            Some(lease) => self.violate(2, format!("{what} for {plan} while {} holds the lease", lease.holder)),
            None => self.violate(2, format!("{what} for {plan} while nobody holds the lease")),
        }
        self.intended(&execution, step, change, &what);
        if !change.is_effective() {
            return;
        }
        let undoing = execution.direction == Direction::Back;
        let watched = self.watched.entry(execution.id.clone()).or_default();
        let count = watched.changed.entry((step, undoing)).or_default();
        *count += 1;
        let count = *count;
        let others = self.touched_by_others(&change.resource, execution.created_at);
        if count > 1 && !others {
            self.violate(
                13,
                format!(
                    "{what} changed the resource of step {step} of execution {} a second time",
                    execution.id
                ),
            );
        }
        if undoing {
            for (after, run) in execution.steps.iter().enumerate().skip(step + 1) {
                let changed = run.pre_state.as_ref().is_some_and(|state| !state.is_gate());
                if changed && run.state != StepState::Undone && run.state != StepState::Satisfied {
                    self.violate(
                        12,
                        format!(
                            "{what} undoes step {step} of execution {} before step {after}",
                            execution.id
                        ),
                    );
                }
            }
        }
    }

    // A call begins only if all the time that it may take fits into the lease, with a margin.
    pub(super) fn fits_the_lease(&mut self, running: &Running, point: &str, sent: Timestamp) {
        let mut leases = self.controls.values().filter_map(|control| control.lease.as_ref());
        let mine = leases.find(|lease| lease.holder.split('/').next() == Some(&running.request_id));
        // By its own clock; one that jumped meanwhile may have shown another time when it was looked at.
        let jump = if running.jumped {
            MOST_SKEW * 2
        } else {
            SignedDuration::ZERO
        };
        let ends = later(sent, running.gate.skew() + CALL_TIMEOUT + CALL_MARGIN - jump);
        if let Some(lease) = mine.filter(|lease| lease.expires_at < ends) {
            let words = format!(
                "{point} by {} began at {sent}, too late for its lease until {}",
                running.request_id, lease.expires_at
            );
            self.violate(2, words);
        }
    }

    fn intended(&mut self, execution: &Execution, step: usize, change: &Change, what: &str) {
        let Some(run) = execution.steps.get(step) else { return };
        // The simulated pre-states are small: every one of them is in the control item.
        let (Some(pre_state), Some(wanted)) = (run.pre_state.as_ref().and_then(PreState::inline), &run.wanted) else {
            return self.violate(3, format!("{what} without a recorded pre-state"));
        };
        let undoing = execution.direction == Direction::Back;
        if !undoing && run.state != StepState::Intended {
            self.violate(3, format!("{what} while its step is {}", run.state));
        }
        if run.attempts == 0 || (undoing && run.undo_attempts == 0) {
            self.violate(3, format!("{what} without a recorded attempt"));
        }
        if change.accepted {
            let watched = self.watched.entry(execution.id.clone()).or_default();
            let accepted = watched.accepted.entry(step).or_default();
            *accepted += 1;
            if *accepted > run.attempts {
                let attempts = run.attempts;
                self.violate(
                    9,
                    format!("{what} is one call more than the {attempts} that the table knows of"),
                );
            }
            if !undoing && !reaches(&change.before, pre_state) {
                self.violate(
                    12,
                    format!(
                        "{what} wrote over {}, which is not its pre-state",
                        change.before.sentence()
                    ),
                );
            }
            let goal = if undoing { pre_state } else { wanted };
            if !reaches(&change.after, goal) {
                self.violate(
                    if undoing { 12 } else { 3 },
                    format!("{what} made {} and not {}", change.after.sentence(), goal.sentence()),
                );
            }
        }
        let overdue = |at: Timestamp| change.at > later(at, ON_ITS_WAY);
        if !undoing && run.deadline.is_some_and(overdue) {
            self.violate(
                8,
                format!("{what} although its step was to be done by {:?}", run.deadline),
            );
        }
    }

    /// Whether somebody else had their hands on a resource since then.
    pub(super) fn touched_by_others(&self, resource: &str, since: Timestamp) -> bool {
        self.outside.get(resource).is_some_and(|at| *at >= since)
    }
}

/// Whether a resource is as an intent says: a zone holds more than a step is about.
pub(super) fn reaches(state: &ResourceState, goal: &ResourceState) -> bool {
    match (state, goal) {
        (ResourceState::DnsRecords { records }, ResourceState::DnsRecords { records: goal }) => {
            let names: Vec<(&str, &str)> = goal
                .iter()
                .map(|set| (set.name.as_str(), set.record_type.as_str()))
                .collect();
            let about = |set: &RecordSet| names.contains(&(set.name.as_str(), set.record_type.as_str()));
            let records = records.iter().filter(|set| about(set)).cloned().collect();
            ResourceState::DnsRecords { records }.same_as(&ResourceState::DnsRecords { records: goal.clone() })
        }
        _ => state.same_as(goal),
    }
}
