//! `dns_failover_records`: the primary and the secondary record of a name, each with its own health check.
//!
//! Both are made in one batch of the zone, together with the deletion of a simple record of the same name if there is
//! one: at no moment has the name no answer. A health check that the plan makes is looked up when the step is read, by
//! the reference that it was made with.

use super::dns_health_check::reference_prefix;
use super::zone::{PROPAGATION, Zone};
use super::{Driver, Facts, Goal, Plane, Reading, StepPorts};
use crate::ports::{Account, CallError, HealthChecks, Permission};
use async_trait::async_trait;
use jiff::SignedDuration;
use std::sync::Arc;
use understudy_core::plan::{DnsFailoverRecords, FailoverRecord, Plan};
use understudy_core::state::{ResourceState, absolute, wanted_failover_records};

pub(super) struct DnsFailoverRecordsDriver {
    zone: Zone,
    checks: Arc<dyn HealthChecks>,
    step: DnsFailoverRecords,
    plan: String,
}

impl DnsFailoverRecordsDriver {
    pub(super) fn new(ports: &StepPorts, plan: &Plan, step: DnsFailoverRecords) -> Self {
        Self {
            zone: Zone {
                dns: ports.dns.clone(),
                id: step.hosted_zone_id.clone(),
            },
            checks: ports.health_checks.clone(),
            step,
            plan: plan.name.clone(),
        }
    }

    // The id of the record's health check (in words, if there is none yet), and the step of the plan that has not made it.
    async fn check_of(&self, record: &FailoverRecord) -> Result<(Option<String>, Option<String>), CallError> {
        let Some(name) = &record.health_check else {
            return Ok((record.health_check_id.clone(), None));
        };
        let found = self.checks.find(&reference_prefix(&self.plan, name)).await?;
        let missing = found.is_none().then(|| name.clone());
        let not_yet = || format!("the id of {name}");
        Ok((Some(found.map_or_else(not_yet, |found| found.id)), missing))
    }

    fn refusal(&self, missing: &str) -> String {
        format!(
            "health check {missing} of this plan does not exist yet, and without it the record of {} would count as healthy \
             for ever; nothing was changed. Set it up first",
            self.step.record_name
        )
    }
}

#[async_trait]
impl Driver for DnsFailoverRecordsDriver {
    fn facts(&self) -> Facts {
        Facts {
            plane: Plane::Control,
            reads: &[
                "route53:ListResourceRecordSets",
                "route53:ListHealthChecks",
                "route53:ListTagsForResource",
                "route53:GetChange",
            ],
            changes: &["route53:ChangeResourceRecordSets"],
        }
    }

    async fn read(&self, _goal: &Goal) -> Result<Reading, CallError> {
        let name = (
            absolute(&self.step.record_name),
            self.step.record_type.as_str().to_owned(),
        );
        let current = self.zone.records(&[name]).await?;
        let (primary, no_primary) = self.check_of(&self.step.primary).await?;
        let (secondary, no_secondary) = self.check_of(&self.step.secondary).await?;
        let wanted = wanted_failover_records(&self.step, &current, primary.as_deref(), secondary.as_deref())
            .map_err(|found| self.zone.refused(&found))?;
        let reading = Reading::of_change(
            ResourceState::DnsRecords { records: current },
            ResourceState::DnsRecords { records: wanted },
        );
        let missing: Vec<String> = no_primary.into_iter().chain(no_secondary).collect();
        let blocked = missing.first().map(|name| self.refusal(name));
        Ok(reading.blocked_by(blocked).resting_on(missing))
    }

    async fn change(
        &self,
        from: &ResourceState,
        into: &ResourceState,
        comment: &str,
    ) -> Result<Option<String>, CallError> {
        self.zone.change(from, into, comment).await
    }

    async fn settled(&self, receipt: &str) -> Result<bool, CallError> {
        self.zone.dns.in_sync(receipt).await
    }

    fn propagation(&self) -> Option<SignedDuration> {
        Some(PROPAGATION)
    }

    fn permissions(&self, _goal: &Goal, account: &Account) -> Vec<Permission> {
        vec![self.zone.permission(account)]
    }

    fn calls(&self, from: &ResourceState, into: &ResourceState) -> Vec<String> {
        self.zone.calls(from, into)
    }
}
