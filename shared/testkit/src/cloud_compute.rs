//! Machines of [`FakeCloud`]: instances, addresses, Auto Scaling groups.
//!
//! What was started, stopped or resized is on its way for a few reads. A group then has as many instances in service as
//! it shall have, and none in the zones that it has left.

use crate::clock::lock;
use crate::cloud::{FakeCloud, Lagging, Maturing, not_found};
use crate::cloud_ports::{conflict, seen_after};
use async_trait::async_trait;
use std::collections::BTreeMap;
use understudy_core::state::{Association, GroupSize, Power, ResourceState};
use understudy_engine::ports::{
    AutoScalingGroup, CallError, CallErrorKind, Compute, Groups, InstanceStatus, Rehearsal,
};

impl FakeCloud {
    /// Puts an instance there.
    pub fn put_instance(&self, id: &str, state: &str, check: &str) {
        let status = InstanceStatus {
            instance_id: id.to_owned(),
            state: state.to_owned(),
            instance_check: check.to_owned(),
            system_check: check.to_owned(),
        };
        lock(&self.state)
            .instances
            .insert(id.to_owned(), Maturing::arrived(status));
    }

    /// The state of an instance that really is.
    pub fn instance_state(&self, id: &str) -> Option<String> {
        let state = lock(&self.state);
        state.instances.get(id).map(|instance| instance.now.state.clone())
    }

    /// Puts an address there, or changes it as somebody else would.
    pub fn put_address(&self, allocation_id: &str, association: Option<Association>) {
        lock(&self.state)
            .addresses
            .insert(allocation_id.to_owned(), Lagging::new(association));
    }

    /// What an address is really associated with.
    pub fn address(&self, allocation_id: &str) -> Option<Association> {
        let state = lock(&self.state);
        state
            .addresses
            .get(allocation_id)
            .and_then(|address| address.real.clone())
    }

    /// Puts an Auto Scaling group there, or changes it as somebody else would.
    pub fn put_group(&self, group: AutoScalingGroup) {
        lock(&self.state)
            .groups
            .insert(group.name.clone(), Maturing::arrived(group));
    }

    /// A group as it really is.
    pub fn group(&self, name: &str) -> Option<AutoScalingGroup> {
        lock(&self.state).groups.get(name).map(|group| group.now.clone())
    }

    fn change_group(
        &self,
        operation: &'static str,
        name: &str,
        look: impl Fn(&AutoScalingGroup) -> ResourceState,
        accepts: impl FnOnce(&AutoScalingGroup) -> bool,
        change: impl FnOnce(&mut AutoScalingGroup),
    ) -> Result<(), CallError> {
        let (before, after, accepted) = {
            let mut state = lock(&self.state);
            let group = state
                .groups
                .get_mut(name)
                .ok_or_else(|| not_found("Auto Scaling group", name))?;
            let before = look(&group.now);
            let accepted = accepts(&group.now);
            if accepted {
                change(&mut group.now);
                *group = Maturing::on_its_way(group.now.clone());
            }
            (before, look(&group.now), accepted)
        };
        self.record(operation, name, before, after, accepted);
        if !accepted {
            return Err(conflict(format!("{name} is not as expected; nothing was changed")));
        }
        Ok(())
    }

    fn change_instances(
        &self,
        operation: &'static str,
        ids: &[String],
        refuses: impl Fn(&str) -> Option<CallErrorKind>,
        power: Power,
        on_the_way: &str,
    ) -> Result<(), CallError> {
        let mut before = BTreeMap::new();
        {
            let mut state = lock(&self.state);
            for id in ids {
                let instance = state.instances.get(id).ok_or_else(|| not_found("instance", id))?;
                if let Some(kind) = refuses(&instance.now.state) {
                    let message = format!("instance {id} is {}; nothing was changed", instance.now.state);
                    return Err(CallError::new(kind, message));
                }
                if let Some(power) = Power::of(&instance.now.state) {
                    before.insert(id.clone(), power);
                }
            }
            for (id, instance) in &mut state.instances {
                if ids.contains(id) && before.get(id) != Some(&power) {
                    *instance = Maturing::on_its_way(status(id, on_the_way, "initializing"));
                }
            }
        }
        let after = before.keys().map(|id| (id.clone(), power)).collect();
        let as_state = |instances| ResourceState::Ec2Instance { instances };
        let first = ids.first().map(String::as_str).unwrap_or_default();
        self.record(operation, first, as_state(before), as_state(after), true);
        Ok(())
    }
}

fn status(id: &str, state: &str, check: &str) -> InstanceStatus {
    InstanceStatus {
        instance_id: id.to_owned(),
        state: state.to_owned(),
        instance_check: check.to_owned(),
        system_check: check.to_owned(),
    }
}

fn too_many(what: &str) -> CallError {
    CallError::new(CallErrorKind::Refused, format!("{what} takes at most 100"))
}

#[async_trait]
impl Compute for FakeCloud {
    async fn instance_statuses(&self, _region: Option<&str>, ids: &[String]) -> Result<Vec<InstanceStatus>, CallError> {
        let reply = self.reach("compute.instance_statuses").await?;
        if ids.len() > 100 {
            return Err(too_many("DescribeInstanceStatus"));
        }
        let mut state = lock(&self.state);
        let mut found = Vec::new();
        for id in ids {
            let instance = state.instances.get_mut(id).ok_or_else(|| not_found("instance", id))?;
            found.push(instance.now.clone());
            if instance.arrives() {
                instance.now = match Power::of(&instance.now.state) {
                    Some(Power::Running) => status(id, "running", "ok"),
                    _ => status(id, "stopped", "not-applicable"),
                };
            }
        }
        reply.give("compute.instance_statuses", found)
    }

    async fn rehearse(&self, _region: Option<&str>, call: &Rehearsal) -> Result<(), CallError> {
        let reply = self.reach("compute.rehearse").await?;
        let action = match call {
            Rehearsal::Start(_) => "ec2:StartInstances",
            Rehearsal::Stop(_) => "ec2:StopInstances",
            Rehearsal::Associate(..) => "ec2:AssociateAddress",
            Rehearsal::Disassociate(..) => "ec2:DisassociateAddress",
        };
        if lock(&self.state).taken.contains_key(action) {
            let message = format!("{action}: UnauthorizedOperation; nothing was changed");
            return Err(CallError::new(CallErrorKind::Refused, message));
        }
        reply.give("compute.rehearse", ())
    }

    async fn start(&self, _region: Option<&str>, ids: &[String]) -> Result<(), CallError> {
        let reply = self.reach("compute.start").await?;
        let refuses = |state: &str| match state {
            "stopping" => Some(CallErrorKind::Retryable),
            "stopped" | "running" | "pending" => None,
            _ => Some(CallErrorKind::Refused),
        };
        self.change_instances("compute.start", ids, refuses, Power::Running, "pending")?;
        reply.give("compute.start", ())
    }

    async fn stop(&self, _region: Option<&str>, ids: &[String]) -> Result<(), CallError> {
        let reply = self.reach("compute.stop").await?;
        let refuses = |state: &str| Power::of(state).is_none().then_some(CallErrorKind::Refused);
        self.change_instances("compute.stop", ids, refuses, Power::Stopped, "stopping")?;
        reply.give("compute.stop", ())
    }

    async fn association(&self, _region: Option<&str>, allocation_id: &str) -> Result<Option<Association>, CallError> {
        let reply = self.reach("compute.association").await?;
        let mut state = lock(&self.state);
        let address = state
            .addresses
            .get_mut(allocation_id)
            .ok_or_else(|| not_found("address", allocation_id))?;
        reply.give("compute.association", address.read())
    }

    async fn addresses_in_the_way(
        &self,
        _region: Option<&str>,
        allocation_id: &str,
        wanted: &Association,
    ) -> Result<Vec<String>, CallError> {
        let reply = self.reach("compute.addresses_in_the_way").await?;
        reply.give("compute.addresses_in_the_way", self.others_at(allocation_id, wanted))
    }

    async fn associate(
        &self,
        _region: Option<&str>,
        allocation_id: &str,
        wanted: &Association,
    ) -> Result<(), CallError> {
        let reply = self.reach("compute.associate").await?;
        let others = self.others_at(allocation_id, wanted);
        if !others.is_empty() {
            let message = format!("{} is there already; nothing was changed", others.join(", "));
            return Err(CallError::new(CallErrorKind::Refused, message));
        }
        let wanted = Some(furnished(wanted));
        self.change_address(
            "compute.associate",
            allocation_id,
            Option::is_none,
            wanted,
            seen_after(reply),
        )?;
        reply.give("compute.associate", ())
    }

    async fn disassociate(
        &self,
        _region: Option<&str>,
        allocation_id: &str,
        expected: &Association,
    ) -> Result<(), CallError> {
        let reply = self.reach("compute.disassociate").await?;
        let accepts = |now: &Option<Association>| now.as_ref().is_some_and(|now| now.same_as(expected));
        self.change_address("compute.disassociate", allocation_id, accepts, None, seen_after(reply))?;
        reply.give("compute.disassociate", ())
    }
}

impl FakeCloud {
    fn others_at(&self, allocation_id: &str, wanted: &Association) -> Vec<String> {
        let state = lock(&self.state);
        let there = |(id, address): &(&String, &Lagging<Option<Association>>)| {
            *id != allocation_id && address.real.as_ref().is_some_and(|now| now.same_as(wanted))
        };
        let others = state.addresses.iter().filter(there);
        others.map(|(id, _)| id.clone()).collect()
    }

    fn change_address(
        &self,
        operation: &'static str,
        allocation_id: &str,
        accepts: impl FnOnce(&Option<Association>) -> bool,
        wanted: Option<Association>,
        seen_after: u32,
    ) -> Result<(), CallError> {
        let before = {
            let state = lock(&self.state);
            let found = state.addresses.get(allocation_id);
            let found = found.ok_or_else(|| not_found("address", allocation_id))?;
            found.real.clone()
        };
        let accepted = accepts(&before);
        let as_state = |association: Option<Association>| ResourceState::ElasticIp { association };
        self.record(
            operation,
            allocation_id,
            as_state(before),
            as_state(wanted.clone()),
            accepted,
        );
        if !accepted {
            return Err(conflict(format!(
                "{allocation_id} is not as expected; nothing was changed"
            )));
        }
        if let Some(address) = lock(&self.state).addresses.get_mut(allocation_id) {
            address.set(wanted, seen_after);
        }
        Ok(())
    }
}

// As the service tells it: an instance has an interface, and an interface an address.
fn furnished(wanted: &Association) -> Association {
    let own = |id: &str, what: &str| id.replacen("i-", what, 1);
    let interface = wanted.network_interface_id.clone();
    let interface = interface.or_else(|| wanted.instance_id.as_ref().map(|id| own(id, "eni-")));
    Association {
        instance_id: wanted.instance_id.clone(),
        private_ip_address: wanted
            .private_ip_address
            .clone()
            .or_else(|| interface.as_ref().map(|id| format!("10.0.0.{}", id.len()))),
        network_interface_id: interface,
    }
}

#[async_trait]
impl Groups for FakeCloud {
    async fn groups(&self, _region: Option<&str>, names: &[String]) -> Result<Vec<AutoScalingGroup>, CallError> {
        let reply = self.reach("groups.groups").await?;
        if names.len() > 100 {
            return Err(too_many("DescribeAutoScalingGroups"));
        }
        let mut state = lock(&self.state);
        let mut found = Vec::new();
        for name in names {
            let Some(group) = state.groups.get_mut(name) else {
                continue;
            };
            found.push(group.now.clone());
            if group.arrives() && group.now.launches {
                group.now.in_service = group.now.size.desired;
                group.now.left_behind = 0;
            }
        }
        reply.give("groups.groups", found)
    }

    async fn tags(&self, _region: Option<&str>, name: &str) -> Result<BTreeMap<String, String>, CallError> {
        let reply = self.reach("groups.tags").await?;
        reply.give("groups.tags", self.tags_of(name))
    }

    async fn resize(
        &self,
        _region: Option<&str>,
        name: &str,
        expected: GroupSize,
        wanted: GroupSize,
    ) -> Result<(), CallError> {
        let reply = self.reach("groups.resize").await?;
        let look = |group: &AutoScalingGroup| ResourceState::AsgCapacity {
            site: name.to_owned(),
            size: group.size,
            at_least: false,
        };
        let accepts = |group: &AutoScalingGroup| group.size == expected;
        self.change_group("groups.resize", name, look, accepts, |group| group.size = wanted)?;
        reply.give("groups.resize", ())
    }

    async fn set_subnets(
        &self,
        _region: Option<&str>,
        name: &str,
        expected: &[String],
        wanted: &[String],
    ) -> Result<(), CallError> {
        let reply = self.reach("groups.set_subnets").await?;
        let look = |group: &AutoScalingGroup| ResourceState::AsgZones {
            subnets: group.subnets.clone(),
        };
        let accepts = |group: &AutoScalingGroup| group.subnets == expected;
        let change = |group: &mut AutoScalingGroup| {
            // Its instances serve where they are until the group has ended them.
            let leaves = group.subnets.iter().any(|subnet| !wanted.contains(subnet));
            group.left_behind = if leaves { group.in_service } else { 0 };
            group.subnets = wanted.to_vec();
        };
        self.change_group("groups.set_subnets", name, look, accepts, change)?;
        reply.give("groups.set_subnets", ())
    }
}
