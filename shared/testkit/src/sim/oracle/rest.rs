//! What must hold when faults have stopped and everything was delivered.

use super::Oracle;
use jiff::Timestamp;
use understudy_core::control::{Control, Lease, Wake};
use understudy_core::execution::{Execution, Status};

impl Oracle {
    /// Whether no plan has anything left to do.
    pub(crate) fn is_at_rest(&self, now: Timestamp) -> bool {
        self.controls.values().all(|control| {
            let idle = control
                .execution
                .as_ref()
                .is_none_or(|execution| execution.status == Status::Stuck || execution.rests());
            let woken = control.wake.is_some() && !looks_for_the_switch(control);
            idle && control.announcements.is_empty() && !woken && lease(control, now).is_none()
        }) && self.observed.values().all(|(_, wake)| wake.is_none())
    }

    /// What is left although nothing stood in the way.
    pub(crate) fn unrest(&mut self, now: Timestamp) {
        let mut found = Vec::new();
        for control in self.controls.values() {
            let plan = &control.plan;
            if let Some(execution) = control
                .execution
                .as_ref()
                .filter(|execution| execution.status != Status::Stuck && !execution.rests())
            {
                found.push((
                    8,
                    format!(
                        "execution {} of {plan} is still {} at {now}",
                        execution.id, execution.status
                    ),
                ));
            }
            if let Some(wake) = control.wake.as_ref().filter(|_| !looks_for_the_switch(control)) {
                found.push((
                    8,
                    format!(
                        "{plan} still wakes {} since {} ({} touches)",
                        wake.function.as_str(),
                        wake.at,
                        wake.touches
                    ),
                ));
            }
            if let Some(lease) = lease(control, now) {
                found.push((
                    8,
                    format!("{plan} is still held by {} until {}", lease.holder, lease.expires_at),
                ));
            }
            for announcement in &control.announcements {
                found.push((10, format!("{} was never published", announcement.id)));
            }
        }
        for (key, (_, wake)) in &self.observed {
            if wake.is_some() {
                found.push((
                    11,
                    format!("the change of {} of {} was never judged", key.item, key.plan),
                ));
            }
        }
        for (invariant, what) in found {
            self.violate(invariant, what);
        }
    }

    /// The plan whose sites are both bad, of which nobody has heard yet: its looks may have to begin anew.
    pub(crate) fn untold(&self) -> Option<&'static str> {
        self.both_bad.filter(|plan| !self.alerted.contains(*plan))
    }

    /// Both sites of a plan have been bad all the time: nobody was moved, so somebody must have been told.
    pub(crate) fn paged(&mut self) {
        if let Some(plan) = self.untold() {
            self.violate(5, format!("both sites of {plan} are bad, and nobody was told"));
        }
    }

    /// A plan that should have moved and did not.
    pub(crate) fn unmoved(&mut self, plan: &str, why: &str) {
        self.violate(11, format!("{plan}: {why}"));
    }
}

// The lease that must not be there. What a person holds needs nobody: the lease of one that died over it runs out, and
// the next takes it over.
fn lease(control: &Control, now: Timestamp) -> Option<&Lease> {
    let rests = control.execution.as_ref().is_some_and(Execution::rests);
    control.lease.as_ref().filter(|lease| lease.expires_at > now || !rests)
}

// An execution that the kill switch holds is looked at again and again, lest it be let go on: of two of them one is always
// woken.
fn looks_for_the_switch(control: &Control) -> bool {
    let held = control.execution.as_ref().and_then(|execution| execution.held.as_ref());
    let executor = control
        .wake
        .as_ref()
        .is_some_and(|wake| wake.function == Wake::Executor);
    executor && held.is_some_and(|held| held.by_fleet)
}
