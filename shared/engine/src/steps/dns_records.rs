//! `dns_records`: records of one hosted zone, changed in one atomic batch.
//!
//! A set with a routing policy keeps its values, its TTL and its health check: of a weighted one the weight is changed, of a
//! failover pair the roles are swapped. How a batch compares, and when it has reached everybody, is the zone's ([`super::zone`]).

use super::zone::{PROPAGATION, Zone};
use super::{Driver, Facts, Finding, Goal, Plane, Reading};
use crate::ports::{Account, CallError, Dns, Permission};
use async_trait::async_trait;
use jiff::SignedDuration;
use std::sync::Arc;
use understudy_core::plan::DnsRecords;
use understudy_core::preflight::Weight;
use understudy_core::state::{RecordSet, ResourceState, absolute, unlike_plan, wanted_records};

pub(super) struct DnsRecordsDriver {
    zone: Zone,
    step: DnsRecords,
}

impl DnsRecordsDriver {
    pub(super) fn new(dns: Arc<dyn Dns>, step: DnsRecords) -> Self {
        let id = step.hosted_zone_id.clone();
        Self {
            zone: Zone { dns, id },
            step,
        }
    }

    // The sets that the step is about: all of a name and type, or, where the plan names identifiers, those.
    fn concerns(&self, record: &RecordSet) -> bool {
        self.step.records.iter().any(|planned| {
            let mut identifiers = planned
                .sites
                .values()
                .filter_map(|site| site.set_identifier.as_deref())
                .peekable();
            let named = identifiers.peek().is_none()
                || identifiers.any(|identifier| record.set_identifier.as_deref() == Some(identifier));
            absolute(&planned.name) == record.name && planned.record_type.as_str() == record.record_type && named
        })
    }
}

#[async_trait]
impl Driver for DnsRecordsDriver {
    fn facts(&self) -> Facts {
        Facts {
            plane: Plane::Control,
            reads: &["route53:ListResourceRecordSets", "route53:GetChange"],
            changes: &["route53:ChangeResourceRecordSets"],
        }
    }

    async fn read(&self, goal: &Goal) -> Result<Reading, CallError> {
        let names: Vec<(String, String)> = self
            .step
            .records
            .iter()
            .map(|record| (absolute(&record.name), record.record_type.as_str().to_owned()))
            .collect();
        let mut current = self.zone.records(&names).await?;
        current.retain(|record| self.concerns(record));
        let wanted = wanted_records(&self.step, &goal.to, &current).map_err(|found| self.zone.refused(&found))?;
        let current = ResourceState::DnsRecords { records: current };
        let wanted = ResourceState::DnsRecords { records: wanted };
        Ok(Reading::of_change(current, wanted))
    }

    async fn change(
        &self,
        from: &ResourceState,
        into: &ResourceState,
        comment: &str,
    ) -> Result<Option<String>, CallError> {
        self.zone.change(from, into, comment).await
    }

    // Sets of their own keep what they say, so what the plan says beside is only looked at.
    async fn rehearse(&self, _goal: &Goal, reading: &Reading) -> Result<Vec<Finding>, CallError> {
        let ResourceState::DnsRecords { records } = &reading.current else {
            return Ok(Vec::new());
        };
        let found = unlike_plan(&self.step, records).into_iter();
        Ok(found.map(|found| Finding::new(Weight::Warns, found)).collect())
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
