//! What every error of a step says: to what it was done, what was wanted, what was found, and what was called.
//!
//! Here alone, so that whoever is woken reads the same four things whatever went wrong, and wherever.

use super::{Execution, StepRun};
use crate::state::ResourceState;

/// So many resources are named; the rest is only counted.
const MAX_NAMED: usize = 4;

impl Execution {
    /// The resources that the step names in this move: `listener/app/shop/… + targetgroup/green/…`. Empty for a gate.
    pub fn resources_of_step(&self, index: usize) -> String {
        let Some(step) = self.step(index) else {
            return String::new();
        };
        let kind = step.as_kind();
        let mut named = kind.shared_resources();
        named.extend(kind.resources_of(&self.to));
        named.extend(kind.resources_of(&self.from));
        let mut first: Vec<&str> = Vec::new();
        for resource in named {
            if !first.contains(&resource) {
                first.push(resource);
            }
        }
        let more = first.len().saturating_sub(MAX_NAMED);
        first.truncate(MAX_NAMED);
        let named = first.join(" + ");
        if more > 0 {
            return format!("{named} and {more} more");
        }
        named
    }

    /// The step, and what it is about: `step weights (elb_weights at listener/…)`.
    pub fn step_at(&self, index: usize) -> String {
        let Some(run) = self.steps.get(index) else {
            return format!("step {index}");
        };
        let resources = self.resources_of_step(index);
        let at = if resources.is_empty() {
            String::new()
        } else {
            format!(" at {resources}")
        };
        format!("step {} ({}{at})", run.name, run.kind)
    }

    /// What errors of the step end with: what was wanted, if it is known, what was found, if it was, and what was called.
    pub fn account(&self, index: usize, found: Option<&ResourceState>) -> String {
        let Some(run) = self.steps.get(index) else {
            return String::new();
        };
        let wanted = run.wanted.as_ref().filter(|wanted| **wanted != ResourceState::Gate);
        let wanted = wanted.map(|wanted| format!("wanted: {}; ", wanted.sentence()));
        let found = found.filter(|found| **found != ResourceState::Gate);
        let found = found.map(|found| format!("found: {}; ", found.sentence()));
        format!(
            "{}{}{}",
            wanted.unwrap_or_default(),
            found.unwrap_or_default(),
            called(run)
        )
    }

    /// Why the step is given up when its time is over.
    pub(super) fn overdue(&self, index: usize) -> String {
        let seconds = self.step(index).map_or(0, |step| step.common().timeout_seconds);
        let detail = self.steps.get(index).map_or("", |run| run.detail.as_str());
        let last = if detail.is_empty() {
            String::new()
        } else {
            format!("; last seen: {detail}")
        };
        format!(
            "it was not done within its time of {seconds} seconds{last}; {}",
            self.account(index, None)
        )
    }
}

fn called(run: &StepRun) -> String {
    let undone = match run.undo_attempts {
        0 => String::new(),
        1 => ", and 1 to undo it".to_owned(),
        many => format!(", and {many} to undo it"),
    };
    match run.attempts.saturating_sub(run.undo_attempts) {
        0 => format!("no call was made that may have changed it{undone}"),
        1 => format!("1 call was made that may have changed it{undone}"),
        many => format!("{many} calls were made that may have changed it{undone}"),
    }
}
