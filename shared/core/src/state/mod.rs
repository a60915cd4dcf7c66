//! The state of the resources that steps change: what was read, what is wanted, and what undo restores.
//!
//! [`ResourceState`] is recorded as the *pre-state* before the first call of a step. Restoring it exactly is
//! what rolling back means, so it holds all that a restoring call needs and nothing that may differ by then.

mod database;
mod traffic;

pub use database::{fenced_groups, open_groups};
pub use traffic::{RecordChange, RecordSet, TargetWeight, absolute, record_changes, wanted_records, wanted_weights};

use serde::{Deserialize, Serialize};

/// What a step found, or wants to find.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ResourceState {
    /// The forward action of a listener or rule.
    ElbWeights {
        /// Its target groups with their weights, in the order in which the API keeps them.
        weights: Vec<TargetWeight>,
    },
    /// Record sets of a hosted zone.
    DnsRecords {
        /// The sets that the step is about. A set that does not exist is not listed.
        records: Vec<RecordSet>,
    },
    /// The Availability Zone of a Multi-AZ DB instance.
    DbZone {
        /// The zone.
        zone: String,
    },
    /// Who takes the writes of a cluster (a DB instance) or of a global database (a cluster's ARN).
    DbWriter {
        /// The writer; none while there is none.
        writer: Option<String>,
    },
    /// Whether a DB instance is a read replica.
    DbReplica {
        /// What it replicates; none if it is a database of its own.
        replica_of: Option<String>,
    },
    /// Who is let into a database.
    DbAccess {
        /// Its security groups, in order.
        security_groups: Vec<String>,
    },
    /// A gate has none.
    Gate,
}

impl ResourceState {
    /// One line for people.
    pub fn sentence(&self) -> String {
        match self {
            Self::ElbWeights { weights } => weights
                .iter()
                .map(|target| {
                    format!(
                        "{}={}",
                        traffic::short_target_group(&target.target_group_arn),
                        target.weight
                    )
                })
                .collect::<Vec<_>>()
                .join(" "),
            Self::DnsRecords { records } if records.is_empty() => "no record".into(),
            Self::DnsRecords { records } => records.iter().map(RecordSet::sentence).collect::<Vec<_>>().join(", "),
            Self::DbZone { zone } => format!("in {zone}"),
            Self::DbWriter { writer: Some(writer) } => format!("writer {writer}"),
            Self::DbWriter { writer: None } => "no writer".into(),
            Self::DbReplica {
                replica_of: Some(source),
            } => format!("a replica of {source}"),
            Self::DbReplica { replica_of: None } => "a database of its own".into(),
            Self::DbAccess { security_groups } => format!("lets in {}", security_groups.join(" + ")),
            Self::Gate => "a gate".into(),
        }
    }

    /// Whether both describe the same thing, whatever the order in which the API lists it.
    pub fn same_as(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::ElbWeights { weights: left }, Self::ElbWeights { weights: right }) => {
                traffic::sorted(left) == traffic::sorted(right)
            }
            (Self::DnsRecords { records: left }, Self::DnsRecords { records: right }) => {
                left.len() == right.len()
                    && left
                        .iter()
                        .all(|record| right.iter().any(|other| traffic::same_record(record, other)))
            }
            (left, right) => left == right,
        }
    }
}
