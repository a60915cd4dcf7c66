//! `asg_capacity`: the destination's Auto Scaling group is large enough before traffic comes.
//!
//! The source's group says how large: a share of its instances in service, or in an unplanned move of its desired
//! capacity if that is more. If it can not be read then, the plan's minimum must do. Minimum and desired capacity rise
//! together, so that no policy scales in before traffic has come; the maximum rises only if the plan allows it.
//! Nothing is scaled down before traffic has come home, and undo restores all three exactly.
//!
//! The last act of the execution that comes home is a step of this kind that no plan file has
//! ([`Plan::giving_back`](understudy_core::plan::Plan::giving_back)): each group that a move away has raised goes back to
//! the size that was found then. Where somebody else has changed its bounds since, it is left alone, and told.
//!
//! A scaling policy may change the desired capacity at any time. So more than was wanted is as good, and a group whose
//! bounds are as they were left is nobody else's: only its bounds tell who was there.

use super::{
    Driver, Facts, Goal, Plane, Reading, StepPorts, foreign_state, group_permission, not_found, region_of_site,
};
use crate::ports::{Account, AutoScalingGroup, CallError, Groups, Permission};
use async_trait::async_trait;
use std::sync::Arc;
use understudy_core::execution::Style;
use understudy_core::plan::AsgCapacity;
use understudy_core::state::{GroupSize, RaisedGroup, ResourceState, SourceCount, wanted_back, wanted_size};

pub(super) struct AsgCapacityDriver {
    groups: Arc<dyn Groups>,
    step: AsgCapacity,
    region: Option<String>,
}

impl AsgCapacityDriver {
    pub(super) fn new(ports: &StepPorts, step: AsgCapacity, region: Option<String>) -> Self {
        Self {
            groups: ports.groups.clone(),
            step,
            region,
        }
    }

    fn region_of(&self, site: &str) -> Option<&str> {
        region_of_site(&self.step.regions, site, self.region.as_ref())
    }

    fn name_of(&self, site: &str) -> Result<&String, CallError> {
        let name = self.step.groups.get(site);
        name.ok_or_else(|| not_found("Auto Scaling group", &format!("of site {site}")))
    }

    async fn group(&self, site: &str) -> Result<AutoScalingGroup, CallError> {
        let name = self.name_of(site)?;
        let names = std::slice::from_ref(name);
        let found = self.groups.groups(self.region_of(site), names).await?;
        found
            .into_iter()
            .next()
            .ok_or_else(|| not_found("Auto Scaling group", name))
    }

    // On the way home: what a move away has raised goes back to what it was.
    async fn read_back(&self, raised: &RaisedGroup) -> Result<Reading, CallError> {
        let group = self.group(&raised.site).await?;
        let wanted = wanted_back(raised, group.size);
        let state = |size, at_least| ResourceState::AsgCapacity {
            site: raised.site.clone(),
            size,
            at_least,
        };
        let blocked = wanted.as_ref().err();
        let blocked = blocked.map(|why| format!("Auto Scaling group {}: {why}; nothing was changed", group.name));
        let (current, wanted) = (state(group.size, false), state(wanted.unwrap_or(group.size), true));
        Ok(Reading::of_change(current, wanted).blocked_by(blocked))
    }

    async fn source(&self, goal: &Goal) -> Result<Option<SourceCount>, CallError> {
        match self.group(&goal.from).await {
            Ok(group) => Ok(Some(SourceCount {
                in_service: group.in_service,
                desired: group.size.desired,
            })),
            // Its Region may be what failed.
            Err(_) if goal.style == Style::Unplanned => Ok(None),
            Err(error) => Err(error),
        }
    }
}

#[async_trait]
impl Driver for AsgCapacityDriver {
    fn facts(&self) -> Facts {
        Facts {
            plane: Plane::Control,
            reads: &["autoscaling:DescribeAutoScalingGroups"],
            changes: &["autoscaling:UpdateAutoScalingGroup"],
        }
    }

    async fn read(&self, goal: &Goal) -> Result<Reading, CallError> {
        if let Some(raised) = &self.step.gives_back {
            return self.read_back(raised).await;
        }
        let group = self.group(&goal.to).await?;
        let source = self.source(goal).await?;
        let wanted = wanted_size(&self.step, group.size, source, goal.style);
        let open = group.in_service >= wanted.in_service.min(group.size.desired);
        let note = format!(
            "{} has {} instance(s) in service, {} wanted; its desired capacity is {} of {} to {}",
            group.name, group.in_service, wanted.in_service, group.size.desired, group.size.minimum, group.size.maximum
        );
        let blocked = wanted
            .refused
            .or_else(|| launches_nothing(&group, wanted.in_service))
            .map(|why| format!("Auto Scaling group {}: {why}; nothing was changed", group.name));
        let state = |size, at_least| ResourceState::AsgCapacity {
            site: goal.to.clone(),
            size,
            at_least,
        };
        Ok(Reading::of_change(state(group.size, false), state(wanted.size, true))
            .opened(open, note)
            .blocked_by(blocked))
    }

    async fn change(
        &self,
        from: &ResourceState,
        into: &ResourceState,
        _comment: &str,
    ) -> Result<Option<String>, CallError> {
        let (Some((site, from)), Some((_, into))) = (size_of(from), size_of(into)) else {
            return Err(foreign_state("asg_capacity"));
        };
        let name = self.name_of(site)?;
        self.groups.resize(self.region_of(site), name, from, into).await?;
        Ok(None)
    }

    // Wherever the bounds are as they were, or as they shall be, a policy has moved what lies between them.
    fn is_between(&self, from: &ResourceState, now: &ResourceState, into: &ResourceState) -> bool {
        match (size_of(from), size_of(now), size_of(into)) {
            (Some((_, from)), Some((_, now)), Some((_, into))) => now.has_bounds_of(from) || now.has_bounds_of(into),
            _ => false,
        }
    }

    fn permissions(&self, goal: &Goal, account: &Account) -> Vec<Permission> {
        let name = self.step.groups.get(&goal.to).into_iter();
        name.map(|name| {
            group_permission(
                account,
                "autoscaling:UpdateAutoScalingGroup",
                self.region_of(&goal.to),
                name,
            )
        })
        .collect()
    }

    fn calls(&self, _from: &ResourceState, into: &ResourceState) -> Vec<String> {
        let Some((site, size)) = size_of(into) else {
            return Vec::new();
        };
        let name = self.step.groups.get(site).map(String::as_str).unwrap_or_default();
        vec![format!(
            "autoscaling:UpdateAutoScalingGroup {name} with minimum {}, desired {}, maximum {}",
            size.minimum, size.desired, size.maximum
        )]
    }
}

// Why a group would not grow as far as is needed, if it would not.
fn launches_nothing(group: &AutoScalingGroup, needed: u32) -> Option<String> {
    let short = group.in_service < needed;
    (short && !group.launches).then(|| {
        "it launches no instances: its process Launch is suspended, or it is being deleted; resume it".to_owned()
    })
}

fn size_of(state: &ResourceState) -> Option<(&str, GroupSize)> {
    match state {
        ResourceState::AsgCapacity { site, size, .. } => Some((site, *size)),
        _ => None,
    }
}
