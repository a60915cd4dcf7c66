//! `dns_records`: records of one hosted zone, changed in one atomic batch.
//!
//! The batch deletes the old set exactly as it was read and creates the new one. Route 53 refuses a delete
//! of what is not exactly so, which makes the batch a compare-and-set; an `UPSERT` would be none. A change
//! has worked when `GetChange` says INSYNC. These are control-plane calls in us-east-1.
//!
//! `GetChange` wants the id that the reply to the change carried. If that reply is lost, nothing lists the changes
//! of a zone, and a second, identical change would prove nothing: neither does Route 53 promise that one change
//! propagates before the next, nor that a change that alters nothing is sent to the name servers at all. So the
//! executor waits [`PROPAGATION`] from when the record first reads back, and records that nobody confirmed it.

use super::{Driver, Facts, Goal, Plane, Reading, foreign_state};
use crate::ports::{Account, CallError, CallErrorKind, Dns, Permission};
use async_trait::async_trait;
use jiff::SignedDuration;
use std::sync::Arc;
use understudy_core::plan::{DNS_PROPAGATION_SECONDS, DnsRecords};
use understudy_core::state::{RecordChange, RecordSet, ResourceState, absolute, record_changes, wanted_records};

/// How long a change generally takes.
const PROPAGATION: SignedDuration = SignedDuration::from_secs(DNS_PROPAGATION_SECONDS as i64);

pub(super) struct DnsRecordsDriver {
    dns: Arc<dyn Dns>,
    step: DnsRecords,
}

impl DnsRecordsDriver {
    pub(super) fn new(dns: Arc<dyn Dns>, step: DnsRecords) -> Self {
        Self { dns, step }
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
        let mut current = self.dns.records(&self.step.hosted_zone_id, &names).await?;
        current.retain(|record| self.concerns(record));
        let wanted = wanted_records(&self.step, &goal.to, &current).map_err(|found| {
            CallError::new(
                CallErrorKind::Refused,
                format!(
                    "reading hosted zone {}: {found}; nothing was changed",
                    self.step.hosted_zone_id
                ),
            )
        })?;
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
        let changes = batch(from, into)?;
        if changes.is_empty() {
            return Ok(None);
        }
        self.dns
            .change_records(&self.step.hosted_zone_id, &changes, comment)
            .await
            .map(Some)
    }

    async fn settled(&self, receipt: &str) -> Result<bool, CallError> {
        self.dns.in_sync(receipt).await
    }

    fn propagation(&self) -> Option<SignedDuration> {
        Some(PROPAGATION)
    }

    fn permissions(&self, _goal: &Goal, account: &Account) -> Vec<Permission> {
        let zone = account.global_arn("route53", &format!("hostedzone/{}", self.step.hosted_zone_id));
        vec![Permission::new("route53:ChangeResourceRecordSets", zone)]
    }

    fn calls(&self, from: &ResourceState, into: &ResourceState) -> Vec<String> {
        batch(from, into)
            .unwrap_or_default()
            .iter()
            .map(|change| {
                let sentence = |record: &Option<RecordSet>| {
                    record.as_ref().map_or_else(
                        || "nothing".to_owned(),
                        |record| {
                            ResourceState::DnsRecords {
                                records: vec![record.clone()],
                            }
                            .sentence()
                        },
                    )
                };
                format!(
                    "route53:ChangeResourceRecordSets {} DELETE {} CREATE {}",
                    self.step.hosted_zone_id,
                    sentence(&change.old),
                    sentence(&change.new)
                )
            })
            .collect()
    }
}

// The replacements of the batch that turns `from` into `into`.
fn batch(from: &ResourceState, into: &ResourceState) -> Result<Vec<RecordChange>, CallError> {
    match (from, into) {
        (ResourceState::DnsRecords { records: from }, ResourceState::DnsRecords { records: into }) => {
            Ok(record_changes(from, into))
        }
        _ => Err(foreign_state("dns_records")),
    }
}
