//! `elastic_ip`: an address moves from the source's instance or network interface to the destination's.
//!
//! `AssociateAddress` takes an address from wherever it is, unless it is told not to. It is told not to: the address is
//! disassociated from what the plan names, in a call that names that one association, and then associated. Between
//! the two it belongs to nobody, and an association that somebody else makes there stands: the second call is refused.
//!
//! Nor is an address pushed away: where the destination carries another one already, AWS would disassociate that one to
//! make room. The step does not begin then; and should one come meanwhile, there or back, the call is not made.

use super::{Driver, Facts, Finding, Goal, Plane, Reading, StepPorts, foreign_state};
use crate::ports::{CallError, Compute, Rehearsal};
use async_trait::async_trait;
use std::sync::Arc;
use understudy_core::plan::ElasticIp;
use understudy_core::state::{Association, ResourceState, wanted_association};

pub(super) struct ElasticIpDriver {
    compute: Arc<dyn Compute>,
    step: ElasticIp,
    region: Option<String>,
}

impl ElasticIpDriver {
    pub(super) fn new(ports: &StepPorts, step: ElasticIp, region: Option<String>) -> Self {
        Self {
            compute: ports.compute.clone(),
            step,
            region,
        }
    }

    // Why the destination has no room, if it has none.
    async fn taken(&self, wanted: &Association) -> Result<Option<String>, CallError> {
        let address = &self.step.allocation_id;
        let others = self
            .compute
            .addresses_in_the_way(self.region.as_deref(), address, wanted)
            .await?;
        Ok((!others.is_empty()).then(|| {
            format!(
                "address {address}: {} has another address already ({}), which AWS would disassociate to make room; nothing was \
                 changed. Disassociate that one, or name a network interface of its own in the plan",
                wanted.sentence(),
                others.join(", ")
            )
        }))
    }
}

#[async_trait]
impl Driver for ElasticIpDriver {
    fn facts(&self) -> Facts {
        Facts {
            plane: Plane::Control,
            reads: &["ec2:DescribeAddresses"],
            changes: &["ec2:AssociateAddress", "ec2:DisassociateAddress"],
        }
    }

    async fn read(&self, goal: &Goal) -> Result<Reading, CallError> {
        let address = &self.step.allocation_id;
        let association = self.compute.association(self.region.as_deref(), address).await?;
        let (wanted, blocked) = match wanted_association(&self.step, &goal.to, association.as_ref()) {
            Ok(wanted) => (Some(wanted), None),
            Err(why) => (None, Some(format!("address {address}: {why}; nothing was changed"))),
        };
        let blocked = match &wanted {
            Some(wanted) if !association.as_ref().is_some_and(|now| now.same_as(wanted)) => self.taken(wanted).await?,
            _ => blocked,
        };
        let wanted = ResourceState::ElasticIp { association: wanted };
        Ok(Reading::of_change(ResourceState::ElasticIp { association }, wanted).blocked_by(blocked))
    }

    async fn change(
        &self,
        from: &ResourceState,
        into: &ResourceState,
        _comment: &str,
    ) -> Result<Option<String>, CallError> {
        let (Some(from), Some(into)) = (association_of(from), association_of(into)) else {
            return Err(foreign_state("elastic_ip"));
        };
        let (region, address) = (self.region.as_deref(), &self.step.allocation_id);
        match (from, into) {
            (Some(expected), _) => self.compute.disassociate(region, address, expected).await?,
            (None, Some(wanted)) => self.compute.associate(region, address, wanted).await?,
            (None, None) => {}
        }
        Ok(None)
    }

    fn is_between(&self, from: &ResourceState, now: &ResourceState, into: &ResourceState) -> bool {
        association_of(now) == Some(None)
            && matches!(
                (association_of(from), association_of(into)),
                (Some(Some(_)), Some(Some(_)))
            )
    }

    fn is_last_call(&self, from: &ResourceState, into: &ResourceState) -> bool {
        !matches!(
            (association_of(from), association_of(into)),
            (Some(Some(_)), Some(Some(_)))
        )
    }

    async fn rehearse(&self, _goal: &Goal, reading: &Reading) -> Result<Vec<Finding>, CallError> {
        let (region, address) = (self.region.as_deref(), &self.step.allocation_id);
        if let Some(wanted) = association_of(&reading.wanted).flatten() {
            let call = Rehearsal::Associate(address.clone(), wanted.clone());
            self.compute.rehearse(region, &call).await?;
        }
        if let Some(found) = association_of(&reading.current).flatten() {
            let call = Rehearsal::Disassociate(address.clone(), found.clone());
            self.compute.rehearse(region, &call).await?;
        }
        Ok(Vec::new())
    }

    fn calls(&self, from: &ResourceState, into: &ResourceState) -> Vec<String> {
        let address = &self.step.allocation_id;
        let part = association_of(from)
            .flatten()
            .map(|old| format!("ec2:DisassociateAddress {address} from {}", old.sentence()));
        let join = association_of(into).flatten().map(|new| {
            format!(
                "ec2:AssociateAddress {address} with {}, AllowReassociation=false",
                new.sentence()
            )
        });
        part.into_iter().chain(join).collect()
    }
}

fn association_of(state: &ResourceState) -> Option<Option<&Association>> {
    match state {
        ResourceState::ElasticIp { association } => Some(association.as_ref()),
        _ => None,
    }
}
