//! Settings and scaling policies of Auto Scaling groups in [`FakeCloud`], and the sandboxes' and the simulator's ways to
//! them.
//!
//! A group whose settings were changed has its instances in service a few reads later.

use crate::clock::lock;
use crate::cloud::{FakeCloud, Lagging, Maturing, not_found};
use crate::cloud_ports::{conflict, seen_after};
use async_trait::async_trait;
use std::collections::BTreeMap;
use understudy_core::state::{GroupSettings, ResourceState, ScalingPolicy};
use understudy_engine::ports::{CallError, GroupSetUp, GroupSetup};

/// What set-up adjusts at groups.
#[derive(Default)]
pub(crate) struct GroupsSetUp {
    groups: BTreeMap<String, Maturing<GroupSetUp>>,
    policies: BTreeMap<(String, String), Lagging<Option<ScalingPolicy>>>,
}

impl FakeCloud {
    /// Puts a group there that set-up looks at, or changes it as somebody else would.
    pub fn put_group_set_up(&self, name: &str, group: GroupSetUp) {
        let group = Maturing::arrived(group);
        lock(&self.state).group_setup.groups.insert(name.to_owned(), group);
    }

    /// The settings that a group really has.
    pub fn group_settings(&self, name: &str) -> Option<GroupSettings> {
        let state = lock(&self.state);
        let found = state.group_setup.groups.get(name);
        found.map(|group| group.now.settings.clone())
    }

    /// Puts a scaling policy there, or changes it as somebody else would.
    pub fn put_scaling_policy(&self, group: &str, name: &str, policy: Option<ScalingPolicy>) {
        let key = (group.to_owned(), name.to_owned());
        lock(&self.state).group_setup.policies.insert(key, Lagging::new(policy));
    }

    /// The ARN of a scaling policy. It is the same for one that is made again.
    pub fn policy_arn_of(group: &str, name: &str) -> String {
        format!(
            "arn:aws:autoscaling:eu-west-1:000000000000:scalingPolicy:00000000-0000-0000-0000-000000000000:\
             autoScalingGroupName/{group}:policyName/{name}"
        )
    }

    /// The scaling policy that really is.
    pub fn scaling_policy(&self, group: &str, name: &str) -> Option<ScalingPolicy> {
        let state = lock(&self.state);
        let found = state.group_setup.policies.get(&(group.to_owned(), name.to_owned()));
        found.and_then(|policy| policy.real.clone())
    }

    fn change_policy(
        &self,
        operation: &'static str,
        group: &str,
        name: &str,
        expected: Option<&ScalingPolicy>,
        wanted: Option<&ScalingPolicy>,
        seen_after: u32,
    ) -> Result<(), CallError> {
        let before = self.scaling_policy(group, name);
        let accepted = before.as_ref() == expected;
        let as_state = |policy: Option<&ScalingPolicy>| ResourceState::AsgScalingPolicy {
            policy: policy.cloned(),
        };
        self.record(operation, name, as_state(before.as_ref()), as_state(wanted), accepted);
        if !accepted {
            return Err(conflict(format!(
                "policy {name} is not as expected; nothing was changed"
            )));
        }
        let key = (group.to_owned(), name.to_owned());
        let mut state = lock(&self.state);
        let policy = state
            .group_setup
            .policies
            .entry(key)
            .or_insert_with(|| Lagging::new(None));
        policy.set(wanted.cloned(), seen_after);
        Ok(())
    }
}

#[async_trait]
impl GroupSetup for FakeCloud {
    async fn group_set_up(&self, _region: Option<&str>, name: &str) -> Result<Option<GroupSetUp>, CallError> {
        let reply = self.reach("group_setup.group_set_up").await?;
        let mut state = lock(&self.state);
        let found = state.group_setup.groups.get_mut(name).map(|group| {
            let found = group.now.clone();
            if group.arrives() {
                group.now.in_service = group.now.minimum;
            }
            found
        });
        reply.give("group_setup.group_set_up", found)
    }

    async fn set_settings(
        &self,
        _region: Option<&str>,
        name: &str,
        expected: &GroupSettings,
        wanted: &GroupSettings,
    ) -> Result<(), CallError> {
        let reply = self.reach("group_setup.set_settings").await?;
        let found = lock(&self.state)
            .group_setup
            .groups
            .get(name)
            .map(|group| group.now.clone());
        let mut group = found.ok_or_else(|| not_found("Auto Scaling group", name))?;
        let before = group.settings.only(expected);
        let accepted = before == *expected;
        let as_state = |settings: &GroupSettings| ResourceState::AsgSettings {
            settings: settings.clone(),
        };
        self.record(
            "group_setup.set_settings",
            name,
            as_state(&before),
            as_state(wanted),
            accepted,
        );
        if !accepted {
            return Err(conflict(format!("{name} is not as expected; nothing was changed")));
        }
        let old = group.settings.clone();
        let new = wanted.clone();
        group.settings = GroupSettings {
            subnets: new.subnets.or(old.subnets),
            availability_zones: new.availability_zones.or(old.availability_zones),
            health_check_type: new.health_check_type.or(old.health_check_type),
            health_check_grace_seconds: new.health_check_grace_seconds.or(old.health_check_grace_seconds),
            default_cooldown_seconds: new.default_cooldown_seconds.or(old.default_cooldown_seconds),
        };
        group.in_service = 0;
        let group = Maturing::on_its_way(group);
        lock(&self.state).group_setup.groups.insert(name.to_owned(), group);
        reply.give("group_setup.set_settings", ())
    }

    async fn policy(&self, _region: Option<&str>, group: &str, name: &str) -> Result<Option<ScalingPolicy>, CallError> {
        let reply = self.reach("group_setup.policy").await?;
        let mut state = lock(&self.state);
        let key = (group.to_owned(), name.to_owned());
        let found = state.group_setup.policies.get_mut(&key).and_then(Lagging::read);
        reply.give("group_setup.policy", found)
    }

    async fn policy_arn(&self, _region: Option<&str>, group: &str, name: &str) -> Result<Option<String>, CallError> {
        let reply = self.reach("group_setup.policy_arn").await?;
        let mut state = lock(&self.state);
        let key = (group.to_owned(), name.to_owned());
        let found = state.group_setup.policies.get_mut(&key).and_then(Lagging::read);
        reply.give(
            "group_setup.policy_arn",
            found.map(|_| Self::policy_arn_of(group, name)),
        )
    }

    async fn put_policy(
        &self,
        _region: Option<&str>,
        group: &str,
        name: &str,
        expected: Option<&ScalingPolicy>,
        wanted: &ScalingPolicy,
    ) -> Result<(), CallError> {
        let reply = self.reach("group_setup.put_policy").await?;
        let operation = "group_setup.put_policy";
        self.change_policy(operation, group, name, expected, Some(wanted), seen_after(reply))?;
        reply.give(operation, ())
    }

    async fn delete_policy(
        &self,
        _region: Option<&str>,
        group: &str,
        name: &str,
        expected: &ScalingPolicy,
    ) -> Result<(), CallError> {
        let reply = self.reach("group_setup.delete_policy").await?;
        let operation = "group_setup.delete_policy";
        self.change_policy(operation, group, name, Some(expected), None, seen_after(reply))?;
        reply.give(operation, ())
    }
}
