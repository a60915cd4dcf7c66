//! A hosted zone, as steps at records change it.
//!
//! The batch deletes the old set exactly as it was read and creates the new one. Route 53 refuses a delete of what is not
//! exactly so, which makes the batch a compare-and-set; an `UPSERT` would be none. A change has worked when `GetChange`
//! says INSYNC. These are control-plane calls in us-east-1.
//!
//! `GetChange` wants the id that the reply to the change carried. If that reply is lost, nothing lists the changes of a
//! zone, and a second, identical change would prove nothing: neither does Route 53 promise that one change propagates
//! before the next, nor that a change that alters nothing is sent to the name servers at all. So the executor waits
//! [`PROPAGATION`] from when the record first reads back, and records that nobody confirmed it.

use super::foreign_state;
use crate::ports::{Account, CallError, CallErrorKind, Dns, Permission};
use jiff::SignedDuration;
use std::sync::Arc;
use understudy_core::plan::DNS_PROPAGATION_SECONDS;
use understudy_core::state::{RecordChange, RecordSet, ResourceState, record_changes};

/// How long a change generally takes.
pub(super) const PROPAGATION: SignedDuration = SignedDuration::from_secs(DNS_PROPAGATION_SECONDS as i64);

/// One hosted zone.
pub(super) struct Zone {
    pub(super) dns: Arc<dyn Dns>,
    pub(super) id: String,
}

impl Zone {
    pub(super) async fn records(&self, names: &[(String, String)]) -> Result<Vec<RecordSet>, CallError> {
        self.dns.records(&self.id, names).await
    }

    /// What was found can not become what is wanted.
    pub(super) fn refused(&self, found: &str) -> CallError {
        let message = format!("reading hosted zone {}: {found}; nothing was changed", self.id);
        CallError::new(CallErrorKind::Refused, message)
    }

    /// Answers the id of the change.
    pub(super) async fn change(
        &self,
        from: &ResourceState,
        into: &ResourceState,
        comment: &str,
    ) -> Result<Option<String>, CallError> {
        let changes = batch(from, into)?;
        if changes.is_empty() {
            return Ok(None);
        }
        self.dns.change_records(&self.id, &changes, comment).await.map(Some)
    }

    /// To change its records.
    pub(super) fn permission(&self, account: &Account) -> Permission {
        let arn = account.global_arn("route53", &format!("hostedzone/{}", self.id));
        Permission::new("route53:ChangeResourceRecordSets", arn)
    }

    pub(super) fn calls(&self, from: &ResourceState, into: &ResourceState) -> Vec<String> {
        let whole = |record: &Option<RecordSet>| {
            let record = record.as_ref();
            record.map_or_else(|| "nothing".to_owned(), |record| format!("({})", record.whole()))
        };
        let changes = batch(from, into).unwrap_or_default();
        let call = |change: &RecordChange| {
            format!(
                "route53:ChangeResourceRecordSets {} DELETE {} CREATE {}",
                self.id,
                whole(&change.old),
                whole(&change.new)
            )
        };
        changes.iter().map(call).collect()
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
