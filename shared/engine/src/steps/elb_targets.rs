//! `elb_targets`: the targets of one target group, one site's for another's.
//!
//! 1. The destination's targets are registered.
//! 2. When all of them are `healthy`, the source's are deregistered: never before, or nobody would answer.
//! 3. In a planned move, the source's have drained when the step is done. One that does not work is not waited for.
//!    A target drains for the group's whole deregistration delay, idle or not (300 seconds by default): a step that has
//!    less time than that is warned about in preflight.
//!
//! Undo is the same the other way round, except that it waits only for targets whose first health checks are still
//! under way: what it brings back may be what had failed. A target that drains counts as deregistered; registering
//! takes it back. `RegisterTargets` and `DeregisterTargets` may be repeated without harm.

use super::{Driver, Facts, Finding, Goal, Plane, Reading, StepPorts, balancing_permission, foreign_state};
use crate::ports::{Account, CallError, Permission, Target, Traffic};
use async_trait::async_trait;
use std::collections::BTreeSet;
use std::sync::Arc;
use understudy_core::execution::Style;
use understudy_core::plan::{ElbTargets, TargetId};
use understudy_core::preflight::Weight;
use understudy_core::state::{ResourceState, wanted_targets};

const DRAINING: &str = "draining";

pub(super) struct ElbTargetsDriver {
    traffic: Arc<dyn Traffic>,
    step: ElbTargets,
    region: Option<String>,
}

impl ElbTargetsDriver {
    pub(super) fn new(ports: &StepPorts, step: ElbTargets, region: Option<String>) -> Self {
        Self {
            traffic: ports.traffic.clone(),
            step,
            region,
        }
    }

    // The targets of the group that the plan names.
    async fn named(&self) -> Result<Vec<(TargetId, Target)>, CallError> {
        let known: BTreeSet<&TargetId> = self.step.targets.values().flatten().collect();
        let arn = &self.step.target_group_arn;
        let found = self.traffic.targets(self.region.as_deref(), arn).await?;
        let named = found.into_iter().filter_map(|target| {
            let id = TargetId {
                id: target.id.clone(),
                port: target.port?,
            };
            known.contains(&id).then_some((id, target))
        });
        Ok(named.collect())
    }
}

#[async_trait]
impl Driver for ElbTargetsDriver {
    fn facts(&self) -> Facts {
        Facts {
            plane: Plane::Control,
            // The tags in preflight: whether the role may change the group hangs on one.
            reads: &[
                "elasticloadbalancing:DescribeTargetHealth",
                "elasticloadbalancing:DescribeTargetGroupAttributes",
                "elasticloadbalancing:DescribeTags",
            ],
            changes: &[
                "elasticloadbalancing:RegisterTargets",
                "elasticloadbalancing:DeregisterTargets",
            ],
        }
    }

    async fn read(&self, goal: &Goal) -> Result<Reading, CallError> {
        let named = self.named().await?;
        let registered: BTreeSet<TargetId> = named
            .iter()
            .filter(|(_, target)| target.state != DRAINING)
            .map(|(id, _)| id.clone())
            .collect();
        let wanted = wanted_targets(&self.step, &goal.to);
        let open = named.iter().all(|(id, target)| match target.state.as_str() {
            "healthy" => true,
            DRAINING => goal.style == Style::Unplanned,
            _ => !wanted.contains(id),
        });
        let current = ResourceState::ElbTargets {
            targets: registered.into_iter().collect(),
        };
        let wanted = ResourceState::ElbTargets { targets: wanted };
        Ok(Reading::of_change(current, wanted).opened(open, note(named.iter().map(|(_, target)| target))))
    }

    async fn change(
        &self,
        from: &ResourceState,
        into: &ResourceState,
        _comment: &str,
    ) -> Result<Option<String>, CallError> {
        let (Some(new), Some(old)) = (gained(from, into), gained(into, from)) else {
            return Err(foreign_state("elb_targets"));
        };
        let (region, arn) = (self.region.as_deref(), &self.step.target_group_arn);
        if new.is_empty() {
            self.traffic.deregister(region, arn, &old).await?;
        } else {
            self.traffic.register(region, arn, &new).await?;
        }
        Ok(None)
    }

    // Registered are both, until the old ones go.
    fn is_between(&self, from: &ResourceState, now: &ResourceState, into: &ResourceState) -> bool {
        let nothing = |targets: Option<Vec<TargetId>>| targets.is_some_and(|targets| targets.is_empty());
        nothing(gained(now, from))
            && nothing(gained(now, into))
            && gained(from, now) == gained(from, into)
            && gained(into, now) == gained(into, from)
    }

    fn is_last_call(&self, from: &ResourceState, into: &ResourceState) -> bool {
        let some = |targets: Option<Vec<TargetId>>| targets.is_some_and(|targets| !targets.is_empty());
        !(some(gained(from, into)) && some(gained(into, from)))
    }

    async fn holds(&self, reading: &Reading, into: &ResourceState, back: bool) -> Result<Option<String>, CallError> {
        let (Some(new), ResourceState::ElbTargets { targets }) = (gained(&reading.current, into), into) else {
            return Err(foreign_state("elb_targets"));
        };
        if !new.is_empty() {
            return Ok(None);
        }
        let named = self.named().await?;
        let waited_for = |target: &Target| match target.state.as_str() {
            "healthy" => false,
            "initial" => true,
            _ => !back,
        };
        let missing: Vec<&Target> = named
            .iter()
            .filter(|(id, target)| targets.contains(id) && waited_for(target))
            .map(|(_, target)| target)
            .collect();
        let why = || {
            format!(
                "nothing is deregistered before they are healthy: {}",
                note(missing.iter().copied())
            )
        };
        Ok((!missing.is_empty()).then(why))
    }

    async fn rehearse(&self, _goal: &Goal, _reading: &Reading) -> Result<Vec<Finding>, CallError> {
        let (region, arn) = (self.region.as_deref(), &self.step.target_group_arn);
        let delay_seconds = self.traffic.deregistration_delay(region, arn).await?;
        let short = self.step.too_short_to_drain(delay_seconds);
        Ok(short.map(|why| Finding::new(Weight::Warns, why)).into_iter().collect())
    }

    fn permissions(&self, _goal: &Goal, _account: &Account) -> Vec<Permission> {
        let (region, arn) = (self.region.as_deref(), &self.step.target_group_arn);
        let changes = self.facts().changes.iter();
        changes
            .map(|action| balancing_permission(action, region, arn))
            .collect()
    }

    fn calls(&self, from: &ResourceState, into: &ResourceState) -> Vec<String> {
        let arn = &self.step.target_group_arn;
        let call = |name: &str, targets: Option<Vec<TargetId>>| {
            let targets = targets.filter(|targets| !targets.is_empty())?;
            let targets = ResourceState::ElbTargets { targets };
            Some(format!("elasticloadbalancing:{name} {arn} {}", targets.sentence()))
        };
        let calls = [
            call("RegisterTargets", gained(from, into)),
            call("DeregisterTargets", gained(into, from)),
        ];
        calls.into_iter().flatten().collect()
    }
}

// The targets of `into` that `from` does not have.
fn gained(from: &ResourceState, into: &ResourceState) -> Option<Vec<TargetId>> {
    let (ResourceState::ElbTargets { targets: from }, ResourceState::ElbTargets { targets: into }) = (from, into)
    else {
        return None;
    };
    Some(into.iter().filter(|target| !from.contains(target)).cloned().collect())
}

fn note<'a>(targets: impl Iterator<Item = &'a Target>) -> String {
    let words: Vec<String> = targets
        .map(|target| {
            let reason = if target.reason.is_empty() {
                String::new()
            } else {
                format!(" ({})", target.reason)
            };
            format!(
                "{}:{} {}{reason}",
                target.id,
                target.port.unwrap_or_default(),
                target.state
            )
        })
        .collect();
    if words.is_empty() {
        return "no target of the plan is registered".into();
    }
    words.join(", ")
}
