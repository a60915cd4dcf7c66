//! Load balancers of [`FakeCloud`].
//!
//! A registered target is `initial` for a few reads, and then healthy; a deregistered one drains for as long as its
//! group says, idle or not, and is then gone.

use crate::clock::lock;
use crate::cloud::{FakeCloud, Lagging, Maturing, not_found};
use crate::cloud_ports::{conflict, seen_after};
use async_trait::async_trait;
use jiff::SignedDuration;
use std::collections::BTreeMap;
use understudy_core::control::later;
use understudy_core::plan::TargetId;
use understudy_core::state::{HealthCheck, ResourceState, TargetWeight};
use understudy_engine::ports::{Balanced, CallError, Clock, ForwardTarget, Target, Traffic};

const DRAINING: &str = "draining";

/// For how many seconds AWS lets targets drain where nobody has said otherwise.
const DRAINS_SECONDS: u32 = 300;

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

    /// Makes the forward action of a listener or rule sticky for so many seconds.
    pub fn put_group_stickiness(&self, arn: &str, seconds: u32) {
        lock(&self.state).stickiness.insert(arn.to_owned(), seconds);
    }

    /// Sets for how many seconds the targets of a group drain.
    pub fn put_deregistration_delay(&self, arn: &str, seconds: u32) {
        lock(&self.state).deregistration_delays.insert(arn.to_owned(), seconds);
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
    async fn balanced(&self, _region: Option<&str>, name: &str) -> Result<Option<Balanced>, CallError> {
        let reply = self.reach("traffic.balanced").await?;
        let found = lock(&self.state).balanced.get(name).cloned();
        reply.give("traffic.balanced", found)
    }

    async fn weights(&self, _region: Option<&str>, target: &ForwardTarget) -> Result<Vec<TargetWeight>, CallError> {
        let reply = self.reach("traffic.weights").await?;
        let mut state = lock(&self.state);
        let found = state
            .weights
            .get_mut(arn_of(target))
            .ok_or_else(|| not_found("listener or rule", arn_of(target)))?;
        reply.give("traffic.weights", found.read())
    }

    async fn group_stickiness(&self, _region: Option<&str>, target: &ForwardTarget) -> Result<Option<u32>, CallError> {
        let reply = self.reach("traffic.group_stickiness").await?;
        let seconds = lock(&self.state).stickiness.get(arn_of(target)).copied();
        reply.give("traffic.group_stickiness", seconds)
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
        let now = self.clock.now();
        let mut state = lock(&self.state);
        let state = &mut *state;
        let group = state
            .targets
            .get_mut(target_group_arn)
            .ok_or_else(|| not_found("target group", target_group_arn))?;
        let gone = |target: &Target| {
            let key = (target_group_arn.to_owned(), target.id.clone());
            target.state == DRAINING && state.drained_at.get(&key).is_some_and(|at| *at <= now)
        };
        group.retain(|target| !gone(&target.now));
        let found = group.iter().map(|target| target.now.clone()).collect();
        for target in group {
            target.arrives();
            if target.reads_left == 0 && target.now.state == "initial" {
                target.now.state = "healthy".into();
            }
        }
        reply.give("traffic.targets", found)
    }

    async fn deregistration_delay(&self, _region: Option<&str>, target_group_arn: &str) -> Result<u32, CallError> {
        let reply = self.reach("traffic.deregistration_delay").await?;
        let delays = lock(&self.state).deregistration_delays.clone();
        let seconds = delays.get(target_group_arn).copied().unwrap_or(DRAINS_SECONDS);
        reply.give("traffic.deregistration_delay", seconds)
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
        let drained_at = {
            let delays = &lock(&self.state).deregistration_delays;
            let seconds = delays.get(target_group_arn).copied().unwrap_or(DRAINS_SECONDS);
            later(self.clock.now(), SignedDuration::from_secs(i64::from(seconds)))
        };
        let mut draining = Vec::new();
        self.change_targets("traffic.deregister", target_group_arn, |group| {
            for target in group.iter_mut() {
                if target.now.state != DRAINING && targets.iter().any(|old| is(&target.now, old)) {
                    draining.push((target_group_arn.to_owned(), target.now.id.clone()));
                    *target = Maturing::arrived(Target {
                        state: DRAINING.into(),
                        ..target.now.clone()
                    });
                }
            }
        })?;
        let drained = draining.into_iter().map(|target| (target, drained_at));
        lock(&self.state).drained_at.extend(drained);
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
