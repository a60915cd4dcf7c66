//! `accelerator_dial`: Global Accelerator's traffic dials, or the weights of endpoints within one group.
//!
//! 1. One group at a time, and those that get more come first, there and back: nobody is left without.
//! 2. What gives way does so only when the accelerator has deployed what was opened before. `IN_PROGRESS` means that its
//!    edge has not heard of it everywhere.
//! 3. It has worked when the dials and weights read so, and the accelerator is `DEPLOYED` again.
//!
//! `UpdateEndpointGroup` has no version, and replaces the endpoints of a group as a whole: the port reads them all, compares,
//! and writes them all. Its API lies in us-west-2 whatever the plan's Region, and is control plane.

use super::{Driver, Facts, Goal, Plane, Reading, StepPorts, foreign_state};
use crate::ports::{Accelerators, Account, CallError, Permission};
use async_trait::async_trait;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use understudy_core::plan::AcceleratorDial;
use understudy_core::state::{Dial, Dials, ResourceState, is_on_the_way, next_dial, wanted_dials};

pub(super) struct AcceleratorDialDriver {
    accelerators: Arc<dyn Accelerators>,
    step: AcceleratorDial,
}

impl AcceleratorDialDriver {
    pub(super) fn new(ports: &StepPorts, step: AcceleratorDial) -> Self {
        Self {
            accelerators: ports.accelerators.clone(),
            step,
        }
    }

    fn groups(&self) -> BTreeSet<&String> {
        self.step.sites.values().map(|site| &site.endpoint_group_arn).collect()
    }

    // The dials of all groups, and the endpoints that the plan names but no group has.
    async fn dials(&self) -> Result<(Dials, Vec<String>), CallError> {
        let (mut dials, mut missing) = (BTreeMap::new(), Vec::new());
        for arn in self.groups() {
            let found = self.accelerators.endpoint_group(arn).await?;
            let sites = self.step.sites.values().filter(|site| site.endpoint_group_arn == *arn);
            let mut weights = BTreeMap::new();
            for id in sites.flat_map(|site| site.endpoints.keys()) {
                match found.endpoints.get(id) {
                    Some(weight) => {
                        weights.insert(id.clone(), *weight);
                    }
                    None => missing.push(format!("{id} is no endpoint of {arn}")),
                }
            }
            let percent = found.percent;
            dials.insert(arn.clone(), Dial { percent, weights });
        }
        Ok((dials, missing))
    }

    // All groups are of one accelerator: validation sees to that.
    async fn is_deployed(&self) -> Result<bool, CallError> {
        match self.groups().first() {
            Some(arn) => self.accelerators.is_deployed(arn).await,
            None => Ok(true),
        }
    }
}

#[async_trait]
impl Driver for AcceleratorDialDriver {
    fn facts(&self) -> Facts {
        Facts {
            plane: Plane::Control,
            reads: &[
                "globalaccelerator:DescribeEndpointGroup",
                "globalaccelerator:DescribeAccelerator",
            ],
            changes: &["globalaccelerator:UpdateEndpointGroup"],
        }
    }

    async fn read(&self, goal: &Goal) -> Result<Reading, CallError> {
        let (current, missing) = self.dials().await?;
        let deployed = self.is_deployed().await?;
        let wanted = wanted_dials(&self.step, &goal.to, &current);
        let blocked =
            (!missing.is_empty()).then(|| format!("{}; nothing was changed; correct the plan", missing.join(", ")));
        let hold = (!deployed)
            .then(|| "the accelerator is IN_PROGRESS: its last change is not deployed everywhere yet".to_owned());
        let current = ResourceState::AcceleratorDial { dials: current };
        let wanted = ResourceState::AcceleratorDial { dials: wanted };
        Ok(Reading::of_change(current, wanted).held_by(hold).blocked_by(blocked))
    }

    async fn change(
        &self,
        from: &ResourceState,
        into: &ResourceState,
        _comment: &str,
    ) -> Result<Option<String>, CallError> {
        let (Some(from), Some(into)) = (dials_of(from), dials_of(into)) else {
            return Err(foreign_state("accelerator_dial"));
        };
        let Some((arn, wanted)) = next_dial(from, into) else {
            return Ok(None);
        };
        let expected = from.get(arn).ok_or_else(|| foreign_state("accelerator_dial"))?;
        self.accelerators.dial(arn, expected, wanted).await?;
        Ok(Some(arn.to_owned()))
    }

    async fn settled(&self, receipt: &str) -> Result<bool, CallError> {
        self.accelerators.is_deployed(receipt).await
    }

    // Either way: a rollback may begin on the way there, and a new executor on the way back.
    fn is_between(&self, from: &ResourceState, now: &ResourceState, into: &ResourceState) -> bool {
        let (Some(from), Some(now), Some(into)) = (dials_of(from), dials_of(now), dials_of(into)) else {
            return false;
        };
        is_on_the_way(from, now, into) || is_on_the_way(into, now, from)
    }

    fn is_last_call(&self, from: &ResourceState, into: &ResourceState) -> bool {
        let (Some(from), Some(into)) = (dials_of(from), dials_of(into)) else {
            return true;
        };
        let differ = into.iter().filter(|(arn, wanted)| from.get(*arn) != Some(*wanted));
        differ.count() < 2
    }

    // What is opened waits for nothing.
    async fn holds(&self, reading: &Reading, into: &ResourceState, _back: bool) -> Result<Option<String>, CallError> {
        let (Some(current), Some(into)) = (dials_of(&reading.current), dials_of(into)) else {
            return Err(foreign_state("accelerator_dial"));
        };
        let opens = next_dial(current, into)
            .is_some_and(|(arn, wanted)| current.get(arn).is_some_and(|now| wanted.raises(now)));
        Ok(reading.hold.clone().filter(|_| !opens))
    }

    fn permissions(&self, _goal: &Goal, _account: &Account) -> Vec<Permission> {
        let ask = |arn: &String| Permission::new("globalaccelerator:UpdateEndpointGroup", arn);
        self.groups().into_iter().map(ask).collect()
    }

    fn calls(&self, from: &ResourceState, into: &ResourceState) -> Vec<String> {
        let (Some(from), Some(into)) = (dials_of(from), dials_of(into)) else {
            return Vec::new();
        };
        let (mut here, mut calls) = (from.clone(), Vec::new());
        while let Some((arn, wanted)) = next_dial(&here, into) {
            let weights = wanted.weights.iter().map(|(id, weight)| format!(", {id} = {weight}"));
            let weights: String = weights.collect();
            calls.push(format!(
                "globalaccelerator:UpdateEndpointGroup {arn} to {}{weights}",
                wanted.percent
            ));
            here.insert(arn.to_owned(), wanted.clone());
        }
        calls
    }
}

fn dials_of(state: &ResourceState) -> Option<&Dials> {
    match state {
        ResourceState::AcceleratorDial { dials } => Some(dials),
        _ => None,
    }
}
