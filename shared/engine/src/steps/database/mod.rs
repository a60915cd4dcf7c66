//! Databases: which one takes the writes, and who is let in. One module for each way.
//!
//! A database takes its time and says so in its status: a call that its state forbids for now is waited for (`hold`),
//! within the step's timeout. What it must never do is decided before the intent (`blocked`).

mod access;
mod cluster;
mod events;
mod global;
mod multi_az;
mod power;
mod promote;
mod reboot;
mod replica;

pub(super) use access::AccessDriver;
pub(super) use cluster::ClusterDriver;
pub(super) use events::EventsDriver;
pub(super) use global::GlobalDriver;
pub(super) use multi_az::MultiAzDriver;
pub(super) use power::PowerDriver;
pub(super) use promote::PromoteDriver;
pub(super) use reboot::RebootDriver;
pub(super) use replica::ReplicaDriver;

use super::{Facts, Finding, Plane};
use crate::ports::{Account, CallError, CallErrorKind, Permission};
use understudy_core::preflight::Weight;

/// The only status in which RDS takes any of these calls.
const AVAILABLE: &str = "available";

/// What `fence_source` calls, whichever way it fences.
const FENCES: Facts = Facts {
    plane: Plane::Control,
    reads: &["rds:DescribeDBInstances", "rds:DescribeEvents"],
    changes: &[
        "rds:ModifyDBInstance",
        "rds:RebootDBInstance",
        "rds:StartDBInstance",
        "rds:StopDBInstance",
    ],
};

/// What `open_destination` calls.
const OPENS: Facts = Facts {
    plane: Plane::Control,
    reads: &["rds:DescribeDBInstances"],
    changes: &["rds:ModifyDBInstance", "rds:StartDBInstance", "rds:StopDBInstance"],
};

/// Why a database in this status must be waited for.
fn not_available(what: &str, status: &str) -> Option<String> {
    (status != AVAILABLE).then(|| format!("{what} is {status}; waiting until it is {AVAILABLE}"))
}

/// What the plan says of a site; validation lets no plan leave one out.
fn of_site<'a, T>(map: &'a std::collections::BTreeMap<String, T>, site: &str) -> Result<&'a T, CallError> {
    map.get(site).ok_or_else(|| {
        CallError::new(
            CallErrorKind::Refused,
            format!("the step names nothing for site {site}; nothing was called"),
        )
    })
}

// To make this call at a DB instance.
fn instance_permission(account: &Account, action: &'static str, region: Option<&str>, id: &str) -> Permission {
    let resource = format!("db:{}", id.to_ascii_lowercase());
    Permission::new(action, account.arn("rds", region, &resource))
}

// What is to be said of a copy that runs another version than its source: clients would meet it only after the move.
fn other_version(copy: (&str, &str), source: (&str, &str)) -> Option<Finding> {
    let ((copy, its), (source, other)) = (copy, source);
    (its != other).then(|| {
        Finding::new(
            Weight::Warns,
            format!("{copy} runs {its}, and {source} runs {other}; bring both to one version"),
        )
    })
}
