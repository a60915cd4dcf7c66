//! What setup makes and adjusts in [`FakeCloud`]: health checks of target groups, and alarms.

use crate::clock::lock;
use crate::cloud::{FakeCloud, Lagging, not_found};
use crate::cloud_ports::{conflict, seen_after};
use async_trait::async_trait;
use std::collections::BTreeMap;
use understudy_core::plan::Stack;
use understudy_core::state::{AlarmDefinition, HealthCheck, Matcher, ResourceState};
use understudy_engine::ports::{AlarmDefinitions, Balanced, CallError};

/// An alarm with its tags.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Tagged {
    definition: AlarmDefinition,
    tags: BTreeMap<String, String>,
}

impl FakeCloud {
    /// What executor and decision are told of their stack. Without a word: nothing.
    pub fn put_stack(&self, stack: Stack) {
        lock(&self.state).stack = stack;
    }

    pub(crate) fn stack(&self) -> Stack {
        lock(&self.state).stack.clone()
    }

    /// Puts a target group with this health check there, or changes it as somebody else would.
    pub fn put_target_health(&self, arn: &str, check: HealthCheck) {
        let mut state = lock(&self.state);
        state.target_health.insert(arn.to_owned(), Lagging::new(check));
    }

    /// These load balancers forward to the target group of this name.
    pub fn put_balanced(&self, name: &str, balanced: Balanced) {
        lock(&self.state).balanced.insert(name.to_owned(), balanced);
    }

    /// A health check as Elastic Load Balancing makes it where nothing is stated.
    pub fn default_health_check() -> HealthCheck {
        HealthCheck {
            enabled: true,
            protocol: "HTTP".into(),
            port: "traffic-port".into(),
            path: Some("/".into()),
            interval_seconds: 30,
            answer_seconds: 5,
            healthy_threshold: 5,
            unhealthy_threshold: 2,
            matcher: Some(Matcher::Http("200".into())),
        }
    }

    /// The health check that really is.
    pub fn health_check_of(&self, arn: &str) -> Option<HealthCheck> {
        lock(&self.state).target_health.get(arn).map(|found| found.real.clone())
    }

    /// The target group is gone.
    pub fn remove_target_group(&self, arn: &str) {
        lock(&self.state).target_health.remove(arn);
    }

    /// Puts an alarm there, or none, as somebody else would.
    pub fn put_definition(&self, name: &str, definition: Option<AlarmDefinition>) {
        let tagged = definition.map(|definition| Tagged {
            definition,
            tags: BTreeMap::new(),
        });
        lock(&self.state)
            .definitions
            .insert(name.to_owned(), Lagging::new(tagged));
    }

    /// Takes the tags of an alarm away, as somebody else would.
    pub fn untag_definition(&self, name: &str) {
        if let Some((definition, _)) = self.definition_of(name) {
            self.put_definition(name, Some(definition));
        }
    }

    /// The alarm that really is, with its tags.
    pub fn definition_of(&self, name: &str) -> Option<(AlarmDefinition, BTreeMap<String, String>)> {
        let state = lock(&self.state);
        let found = state.definitions.get(name)?.real.clone()?;
        Some((found.definition, found.tags))
    }

    pub(crate) async fn read_health_check(&self, arn: &str) -> Result<HealthCheck, CallError> {
        let reply = self.reach("traffic.health_check").await?;
        let mut state = lock(&self.state);
        let found = state
            .target_health
            .get_mut(arn)
            .ok_or_else(|| not_found("target group", arn))?;
        reply.give("traffic.health_check", found.read())
    }

    pub(crate) async fn change_health_check(
        &self,
        arn: &str,
        expected: &HealthCheck,
        wanted: &HealthCheck,
    ) -> Result<(), CallError> {
        let reply = self.reach("traffic.set_health_check").await?;
        let as_state = |check: &HealthCheck| ResourceState::TargetGroupHealth { check: check.clone() };
        let before = self
            .health_check_of(arn)
            .ok_or_else(|| not_found("target group", arn))?;
        let accepted = before == *expected;
        self.record(
            "traffic.set_health_check",
            arn,
            as_state(&before),
            as_state(wanted),
            accepted,
        );
        if !accepted {
            return Err(conflict(format!("{arn} is not as expected; nothing was changed")));
        }
        if let Some(found) = lock(&self.state).target_health.get_mut(arn) {
            found.set(wanted.clone(), seen_after(reply));
        }
        reply.give("traffic.set_health_check", ())
    }

    async fn replace_definition(
        &self,
        operation: &'static str,
        name: &str,
        expected: Option<&AlarmDefinition>,
        wanted: Option<&AlarmDefinition>,
        tags: &[(String, String)],
    ) -> Result<(), CallError> {
        let reply = self.reach(operation).await?;
        let as_state = |alarm: Option<&AlarmDefinition>| ResourceState::MetricAlarm {
            alarm: alarm.cloned().map(Box::new),
        };
        let before = self.definition_of(name);
        let found = before.as_ref().map(|(definition, _)| definition);
        let accepted = as_state(found).same_as(&as_state(expected));
        self.record(operation, name, as_state(found), as_state(wanted), accepted);
        if !accepted {
            return Err(conflict(format!(
                "alarm {name} is not as expected; nothing was changed"
            )));
        }
        // One that was there keeps its tags, whatever it is told.
        let made = || tags.iter().cloned().collect();
        let tags = before.map_or_else(made, |(_, tags)| tags);
        let after = wanted.map(|wanted| Tagged {
            definition: wanted.clone(),
            tags,
        });
        let mut state = lock(&self.state);
        let known = state
            .definitions
            .entry(name.to_owned())
            .or_insert_with(|| Lagging::new(None));
        known.set(after, seen_after(reply));
        reply.give(operation, ())
    }
}

#[async_trait]
impl AlarmDefinitions for FakeCloud {
    async fn definition(&self, _region: Option<&str>, name: &str) -> Result<Option<AlarmDefinition>, CallError> {
        let reply = self.reach("definitions.definition").await?;
        let mut state = lock(&self.state);
        let found = state.definitions.get_mut(name).and_then(Lagging::read);
        let found = found.map(|found| AlarmDefinition {
            made_by: found.tags.get("understudy").cloned(),
            ..found.definition
        });
        reply.give("definitions.definition", found)
    }

    async fn define(
        &self,
        _region: Option<&str>,
        name: &str,
        expected: Option<&AlarmDefinition>,
        wanted: &AlarmDefinition,
        tags: &[(String, String)],
    ) -> Result<(), CallError> {
        self.replace_definition("definitions.define", name, expected, Some(wanted), tags)
            .await
    }

    async fn remove(&self, _region: Option<&str>, name: &str, expected: &AlarmDefinition) -> Result<(), CallError> {
        self.replace_definition("definitions.remove", name, Some(expected), None, &[])
            .await
    }
}
