//! What a move away from home made larger, and gives back when it comes home.
//!
//! 1. An execution that completes away from home leaves the groups that its `asg_capacity` steps raised in
//!    [`Away::raised`](crate::control::Away::raised): what each was, and what was made of it.
//! 2. The execution that brings the plan home gets a step more for each of them, behind all others
//!    ([`Plan::giving_back`]). It is an ordinary step: its pre-state and its intent are durable before its call.
//! 3. It never fails the move: the work is at home by then. What could not be given back is told with the move's end.

use super::{Execution, StepState};
use crate::plan::{AsgCapacity, OnFailure, Plan, Step, StepCommon, When};
use crate::state::{RaisedGroup, ResourceState};
use std::collections::{BTreeMap, BTreeSet};

/// How long giving back one group may take: it is one call, and nothing is waited for.
const GIVING_BACK_SECONDS: u32 = 120;
/// The longest name of a step.
const MAX_NAME: usize = 63;

impl Execution {
    /// The groups that it has made larger, and those of `before` that it has not: what is to be given back at home.
    pub fn raised(&self, before: &[RaisedGroup]) -> Vec<RaisedGroup> {
        let steps = self.plan.steps.iter().zip(&self.steps);
        let mut raised: Vec<RaisedGroup> = steps.filter_map(|(step, run)| raised_by(step, run)).collect();
        for known in before {
            let same = |new: &&mut RaisedGroup| (&new.group, &new.region) == (&known.group, &known.region);
            match raised.iter_mut().find(same) {
                // Raised twice, it goes back to what it was at first.
                Some(again) => again.found = known.found,
                None => raised.push(known.clone()),
            }
        }
        raised
    }
}

fn raised_by(step: &Step, run: &super::StepRun) -> Option<RaisedGroup> {
    let Step::AsgCapacity(step) = step else { return None };
    let found = run.pre_state.as_ref()?.inline()?;
    let (ResourceState::AsgCapacity { site, size: found, .. }, ResourceState::AsgCapacity { size: made, .. }) =
        (found, run.wanted.as_ref()?)
    else {
        return None;
    };
    let called = run.attempts > 0 && run.state != StepState::Undone && step.gives_back.is_none();
    called.then(|| RaisedGroup {
        step: step.common.name.clone(),
        site: site.clone(),
        group: step.groups.get(site).cloned().unwrap_or_default(),
        region: step.regions.get(site).or(step.common.region.as_ref()).cloned(),
        found: *found,
        made: *made,
    })
}

impl Plan {
    /// The plan of an execution that comes home: with a step for each group that is to be given back, behind all others.
    /// The execution gets as much more time.
    #[must_use]
    pub fn giving_back(mut self, raised: &[RaisedGroup]) -> Self {
        let mut names: BTreeSet<String> = self.steps.iter().map(|step| step.name().to_owned()).collect();
        for group in raised {
            let name = free_name(&group.step, &names);
            names.insert(name.clone());
            self.steps.push(Step::AsgCapacity(AsgCapacity {
                common: StepCommon {
                    name,
                    timeout_seconds: GIVING_BACK_SECONDS,
                    when: When::Always,
                    on_failure: OnFailure::Continue,
                    retry_budget: None,
                    group: None,
                    region: group.region.clone(),
                },
                groups: BTreeMap::from([(group.site.clone(), group.group.clone())]),
                percent: 100,
                minimum: 1,
                raise_max: false,
                regions: BTreeMap::new(),
                gives_back: Some(group.clone()),
            }));
            let longest = &mut self.policy.max_duration_seconds;
            *longest = longest.saturating_add(GIVING_BACK_SECONDS);
        }
        self
    }
}

// `size-back`, or `size-back-2` where a step of that name is there already.
fn free_name(step: &str, names: &BTreeSet<String>) -> String {
    let named = |ending: &str| {
        let room = MAX_NAME.saturating_sub(ending.len());
        let head: String = step.chars().take(room).collect();
        format!("{head}{ending}")
    };
    let mut name = named("-back");
    let mut number = 2_u32;
    while names.contains(&name) {
        name = named(&format!("-back-{number}"));
        number = number.saturating_add(1);
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_free_and_no_longer_than_names_are() {
        let known = BTreeSet::from(["size-back".to_owned()]);
        assert_eq!(free_name("size", &known), "size-back-2");
        assert_eq!(free_name(&"x".repeat(63), &known).len(), 63);
    }
}
