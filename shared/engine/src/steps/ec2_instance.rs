//! `ec2_instance`: instances are started, or stopped.
//!
//! Starting belongs before the steps that move traffic and stopping after them, so one step does one of the two. A
//! started instance has arrived when it runs and both its status checks are passed; a stopped one when it is `stopped`.
//! One on its way counts as where it goes, and `StartInstances` of one that is still stopping is refused for a while:
//! that passes. Both calls leave alone what is so already, so they may be repeated without harm.

use super::{Driver, Facts, Finding, Goal, Plane, Reading, StepPorts, foreign_state, not_found, region_of_site};
use crate::ports::{CallError, Compute, InstanceStatus, Rehearsal};
use async_trait::async_trait;
use std::collections::BTreeMap;
use std::sync::Arc;
use understudy_core::plan::{Ec2Instance, InstanceAction};
use understudy_core::state::{Power, ResourceState, wanted_power};

pub(super) struct Ec2InstanceDriver {
    compute: Arc<dyn Compute>,
    step: Ec2Instance,
    region: Option<String>,
}

impl Ec2InstanceDriver {
    pub(super) fn new(ports: &StepPorts, step: Ec2Instance, region: Option<String>) -> Self {
        Self {
            compute: ports.compute.clone(),
            step,
            region,
        }
    }

    // All instances of one step's call are of one site.
    fn region_of(&self, ids: &[String]) -> Option<&str> {
        let mut sites = self.step.instances.iter();
        let site = sites.find(|(_, known)| ids.iter().any(|id| known.contains(id)));
        let site = site.map(|(site, _)| site.as_str()).unwrap_or_default();
        region_of_site(&self.step.regions, site, self.region.as_ref())
    }

    async fn statuses(&self, ids: &[String]) -> Result<Vec<InstanceStatus>, CallError> {
        let found = self.compute.instance_statuses(self.region_of(ids), ids).await?;
        match ids
            .iter()
            .find(|id| !found.iter().any(|status| status.instance_id == **id))
        {
            Some(missing) => Err(not_found("instance", missing)),
            None => Ok(found),
        }
    }
}

#[async_trait]
impl Driver for Ec2InstanceDriver {
    fn facts(&self) -> Facts {
        Facts {
            plane: Plane::Control,
            reads: &["ec2:DescribeInstanceStatus"],
            changes: &["ec2:StartInstances", "ec2:StopInstances"],
        }
    }

    async fn read(&self, goal: &Goal) -> Result<Reading, CallError> {
        let wanted = wanted_power(&self.step, &goal.from, &goal.to);
        let ids: Vec<String> = wanted.keys().cloned().collect();
        let statuses = self.statuses(&ids).await?;
        let current: BTreeMap<String, Power> = statuses
            .iter()
            .filter_map(|status| Some((status.instance_id.clone(), Power::of(&status.state)?)))
            .collect();
        let open = match self.step.action {
            InstanceAction::Start => statuses.iter().all(is_up),
            InstanceAction::Stop => statuses.iter().all(|status| status.state == "stopped"),
        };
        let gone = statuses.iter().find(|status| Power::of(&status.state).is_none());
        let blocked = gone.map(|status| {
            format!(
                "instance {} is {}, and will neither start nor stop; nothing was changed; correct the plan",
                status.instance_id, status.state
            )
        });
        let current = ResourceState::Ec2Instance { instances: current };
        let wanted = ResourceState::Ec2Instance { instances: wanted };
        Ok(Reading::of_change(current, wanted)
            .opened(open, note(&statuses))
            .blocked_by(blocked))
    }

    async fn change(
        &self,
        from: &ResourceState,
        into: &ResourceState,
        _comment: &str,
    ) -> Result<Option<String>, CallError> {
        let (Some(start), Some(stop)) = (
            becoming(from, into, Power::Running),
            becoming(from, into, Power::Stopped),
        ) else {
            return Err(foreign_state("ec2_instance"));
        };
        if start.is_empty() {
            self.compute.stop(self.region_of(&stop), &stop).await?;
            return Ok(None);
        }
        self.compute.start(self.region_of(&start), &start).await?;
        Ok(Some(start.join(",")))
    }

    // What was started is up: also where a rollback has started again what the move had stopped.
    async fn settled(&self, receipt: &str) -> Result<bool, CallError> {
        let ids: Vec<String> = receipt.split(',').map(str::to_owned).collect();
        Ok(self.statuses(&ids).await?.iter().all(is_up))
    }

    async fn rehearse(&self, goal: &Goal, _reading: &Reading) -> Result<Vec<Finding>, CallError> {
        let ids: Vec<String> = wanted_power(&self.step, &goal.from, &goal.to).into_keys().collect();
        let region = self.region_of(&ids);
        // Either is the other's undo.
        for call in [Rehearsal::Start(ids.clone()), Rehearsal::Stop(ids.clone())] {
            self.compute.rehearse(region, &call).await?;
        }
        Ok(Vec::new())
    }

    fn calls(&self, from: &ResourceState, into: &ResourceState) -> Vec<String> {
        let call = |name: &str, power: Power| {
            let ids = becoming(from, into, power).filter(|ids| !ids.is_empty())?;
            Some(format!("ec2:{name} {}", ids.join(", ")))
        };
        let calls = [
            call("StartInstances", Power::Running),
            call("StopInstances", Power::Stopped),
        ];
        calls.into_iter().flatten().collect()
    }
}

fn is_up(status: &InstanceStatus) -> bool {
    status.state == "running" && status.instance_check == "ok" && status.system_check == "ok"
}

// The instances that have this power in `into`, and not in `from`.
fn becoming(from: &ResourceState, into: &ResourceState, power: Power) -> Option<Vec<String>> {
    let (ResourceState::Ec2Instance { instances: from }, ResourceState::Ec2Instance { instances: into }) = (from, into)
    else {
        return None;
    };
    let becoming = into
        .iter()
        .filter(|(id, wanted)| **wanted == power && from.get(*id) != Some(wanted));
    Some(becoming.map(|(id, _)| id.clone()).collect())
}

fn note(statuses: &[InstanceStatus]) -> String {
    let words: Vec<String> = statuses
        .iter()
        .map(|status| match status.state.as_str() {
            "running" => format!(
                "{} running (instance check {}, system check {})",
                status.instance_id, status.instance_check, status.system_check
            ),
            state => format!("{} {state}", status.instance_id),
        })
        .collect();
    words.join(", ")
}
