//! States of databases: who writes, where, who is let in, and what stands by.

use crate::plan::FencedDatabase;
use serde::{Deserialize, Serialize};

/// A DB instance under the identifier of a replica.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplicaMade {
    /// What it replicates: an identifier, or an ARN where that is in another Region; none if it is a database of its own.
    pub replica_of: Option<String>,
    /// The plan that made it, as its tag `understudy` says. Who made it is no part of what it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made_by: Option<String>,
}

/// Whether a DB instance has a standby in another zone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MultiAz {
    /// Whether it has one now.
    pub multi_az: bool,
    /// What waits for the maintenance window, or is under way; none if nothing does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending: Option<bool>,
    /// Whether it counts when it is on its way, too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub in_window: bool,
}

impl ReplicaMade {
    pub(super) fn sentence(&self) -> String {
        match &self.replica_of {
            Some(source) => format!("a replica of {source}"),
            None => "a database of its own".into(),
        }
    }

    pub(super) fn same_as(&self, other: &Self) -> bool {
        match (&self.replica_of, &other.replica_of) {
            (Some(left), Some(right)) => same_database(left, right),
            (left, right) => left == right,
        }
    }
}

impl MultiAz {
    /// What it will be.
    fn to_be(self) -> bool {
        self.pending.unwrap_or(self.multi_az)
    }

    pub(super) fn sentence(self) -> String {
        let now = if self.multi_az { "Multi-AZ" } else { "in one zone" };
        match self.pending {
            Some(pending) if pending != self.multi_az => {
                let to_be = if pending { "Multi-AZ" } else { "in one zone" };
                format!("{now}, to become {to_be}")
            }
            _ => now.into(),
        }
    }

    pub(super) fn same_as(self, other: Self) -> bool {
        if self.in_window || other.in_window {
            return self.to_be() == other.to_be();
        }
        (self.multi_az, self.pending) == (other.multi_az, other.pending)
    }
}

/// Whether both name the same DB instance, by identifier or ARN. An identifier alone says nothing of a Region.
pub fn same_database(left: &str, right: &str) -> bool {
    let name = |text: &str| text.rsplit(':').next().unwrap_or(text).to_ascii_lowercase();
    let region = |text: &str| {
        text.starts_with("arn:")
            .then(|| text.split(':').nth(3).map(str::to_owned))
    };
    let regions = (region(left).flatten(), region(right).flatten());
    let apart = matches!(&regions, (Some(left), Some(right)) if left != right);
    name(left) == name(right) && !apart
}

/// The security groups of a database that lets its clients in, in order.
pub fn open_groups(database: &FencedDatabase) -> Vec<String> {
    let mut groups = database.security_groups.clone();
    groups.sort();
    groups.dedup();
    groups
}

/// The security groups of a database that lets nobody in.
pub fn fenced_groups(database: &FencedDatabase) -> Vec<String> {
    database.fence_group.iter().cloned().collect()
}
