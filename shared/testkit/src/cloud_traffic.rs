//! Load balancers of [`FakeCloud`].
//!
//! A registered target is `initial` for a few reads, and then healthy; a deregistered one drains for a few reads, and is
//! then gone.

use crate::clock::lock;
use crate::cloud::{FakeCloud, Lagging, Maturing, not_found};
use crate::cloud_ports::{conflict, seen_after};
use async_trait::async_trait;
use std::collections::BTreeMap;
use understudy_core::plan::TargetId;
use understudy_core::state::{HealthCheck, ResourceState, TargetWeight};
use understudy_engine::ports::{CallError, ForwardTarget, Target, Traffic};

const DRAINING: &str = "draining";

impl FakeCloud {
    /// Puts a listener or rule there, or changes it as somebody else would.
    pub fn put_weights(&self, arn: &str, weights: &[(&str, u32)]) {
        let weights = weights
            .iter()
            .map(|(arn, weight)| TargetWeight {
                target_group_arn: (*arn).to_owned(),
                weight: *weight,
            })
            .collect();
        lock(&self.state).weights.insert(arn.to_owned(), Lagging::new(weights));
    }

    /// The weights that really are, as `(target group, weight)`.
    pub fn weights_of(&self, arn: &str) -> Vec<(String, u32)> {
        let state = lock(&self.state);
        let weights = state
            .weights
            .get(arn)
            .map(|found| found.real.clone())
            .unwrap_or_default();
        weights
            .into_iter()
            .map(|target| (target.target_group_arn, target.weight))
            .collect()
    }

    /// Puts a target group there.
    pub fn put_targets(&self, arn: &str, states: &[&str]) {
        let targets = states
            .iter()
            .enumerate()
            .map(|(index, state)| Maturing::arrived(target(&format!("i-{index:08x}"), 80, state)))
            .collect();
        lock(&self.state).targets.insert(arn.to_owned(), targets);
    }

    /// Puts a target group there with these targets, as `(id, state)` on port 80, or changes it as somebody else would.
    pub fn put_named_targets(&self, arn: &str, targets: &[(&str, &str)]) {
        let targets = targets
            .iter()
            .map(|(id, state)| Maturing::arrived(target(id, 80, state)))
            .collect();
        lock(&self.state).targets.insert(arn.to_owned(), targets);
    }

    /// The targets that really are, as `(id, state)`, in order.
    pub fn targets_of(&self, arn: &str) -> Vec<(String, String)> {
        let state = lock(&self.state);
        let targets = state.targets.get(arn).into_iter().flatten();
        let mut targets: Vec<(String, String)> = targets
            .map(|target| (target.now.id.clone(), target.now.state.clone()))
            .collect();
        targets.sort();
        targets
    }

    fn change_targets(
        &self,
        operation: &'static str,
        arn: &str,
        change: impl FnOnce(&mut Vec<Maturing<Target>>),
    ) -> Result<(), CallError> {
        let (before, after) = {
            let mut state = lock(&self.state);
            let group = state
                .targets
                .get_mut(arn)
                .ok_or_else(|| not_found("target group", arn))?;
            let before = registered(group);
            change(group);
            (before, registered(group))
        };
        self.record(operation, arn, before, after, true);
        Ok(())
    }
}

fn target(id: &str, port: u16, state: &str) -> Target {
    Target {
        id: id.to_owned(),
        port: Some(port),
        state: state.to_owned(),
        reason: String::new(),
    }
}

fn is(target: &Target, id: &TargetId) -> bool {
    target.id == id.id && target.port == Some(id.port)
}

fn registered(group: &[Maturing<Target>]) -> ResourceState {
    let mut targets: Vec<TargetId> = group
        .iter()
        .filter(|target| target.now.state != DRAINING)
        .map(|target| TargetId {
            id: target.now.id.clone(),
            port: target.now.port.unwrap_or_default(),
        })
        .collect();
    targets.sort();
    ResourceState::ElbTargets { targets }
}

/// The ARN of a forward target.
pub(crate) fn arn_of(target: &ForwardTarget) -> &str {
    match target {
        ForwardTarget::Listener(arn) | ForwardTarget::Rule(arn) => arn,
    }
}

#[async_trait]
impl Traffic for FakeCloud {
    async fn weights(&self, _region: Option<&str>, target: &ForwardTarget) -> Result<Vec<TargetWeight>, CallError> {
        let reply = self.reach("traffic.weights").await?;
        let mut state = lock(&self.state);
        let found = state
            .weights
            .get_mut(arn_of(target))
            .ok_or_else(|| not_found("listener or rule", arn_of(target)))?;
        reply.give("traffic.weights", found.read())
    }

    async fn set_weights(
        &self,
        _region: Option<&str>,
        target: &ForwardTarget,
        expected: &[TargetWeight],
        wanted: &[TargetWeight],
    ) -> Result<(), CallError> {
        let reply = self.reach("traffic.set_weights").await?;
        let arn = arn_of(target);
        let as_state = |weights: &[TargetWeight]| ResourceState::ElbWeights {
            weights: weights.to_vec(),
        };
        let before = {
            let state = lock(&self.state);
            state
                .weights
                .get(arn)
                .map(|found| as_state(&found.real))
                .ok_or_else(|| not_found("listener or rule", arn))?
        };
        let accepted = before.same_as(&as_state(expected));
        self.record("traffic.set_weights", arn, before, as_state(wanted), accepted);
        if !accepted {
            return Err(conflict(format!("{arn} is not as expected; nothing was changed")));
        }
        if let Some(found) = lock(&self.state).weights.get_mut(arn) {
            found.set(wanted.to_vec(), seen_after(reply));
        }
        reply.give("traffic.set_weights", ())
    }

    async fn targets(&self, _region: Option<&str>, target_group_arn: &str) -> Result<Vec<Target>, CallError> {
        let reply = self.reach("traffic.targets").await?;
        let mut state = lock(&self.state);
        let group = state
            .targets
            .get_mut(target_group_arn)
            .ok_or_else(|| not_found("target group", target_group_arn))?;
        let found = group.iter().map(|target| target.now.clone()).collect();
        group.retain_mut(|target| {
            let gone = target.arrives() && target.now.state == DRAINING;
            if target.reads_left == 0 && target.now.state == "initial" {
                target.now.state = "healthy".into();
            }
            !gone
        });
        reply.give("traffic.targets", found)
    }

    async fn tags(&self, _region: Option<&str>, arn: &str) -> Result<BTreeMap<String, String>, CallError> {
        let reply = self.reach("traffic.tags").await?;
        reply.give("traffic.tags", self.tags_of(arn))
    }

    async fn register(
        &self,
        _region: Option<&str>,
        target_group_arn: &str,
        targets: &[TargetId],
    ) -> Result<(), CallError> {
        let reply = self.reach("traffic.register").await?;
        self.change_targets("traffic.register", target_group_arn, |group| {
            for new in targets {
                match group.iter_mut().find(|target| is(&target.now, new)) {
                    Some(target) if target.now.state != DRAINING => {}
                    Some(target) => *target = Maturing::on_its_way(self::target(&new.id, new.port, "initial")),
                    None => group.push(Maturing::on_its_way(self::target(&new.id, new.port, "initial"))),
                }
            }
        })?;
        reply.give("traffic.register", ())
    }

    async fn deregister(
        &self,
        _region: Option<&str>,
        target_group_arn: &str,
        targets: &[TargetId],
    ) -> Result<(), CallError> {
        let reply = self.reach("traffic.deregister").await?;
        self.change_targets("traffic.deregister", target_group_arn, |group| {
            for target in group.iter_mut() {
                if target.now.state != DRAINING && targets.iter().any(|old| is(&target.now, old)) {
                    *target = Maturing::on_its_way(Target {
                        state: DRAINING.into(),
                        ..target.now.clone()
                    });
                }
            }
        })?;
        reply.give("traffic.deregister", ())
    }

    async fn health_check(&self, _region: Option<&str>, target_group_arn: &str) -> Result<HealthCheck, CallError> {
        self.read_health_check(target_group_arn).await
    }

    async fn set_health_check(
        &self,
        _region: Option<&str>,
        target_group_arn: &str,
        expected: &HealthCheck,
        wanted: &HealthCheck,
    ) -> Result<(), CallError> {
        self.change_health_check(target_group_arn, expected, wanted).await
    }
}
