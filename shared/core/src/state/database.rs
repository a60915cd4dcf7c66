//! States of databases: who writes, where, and who is let in.

use crate::plan::FencedDatabase;

/// The security groups of a database that lets its clients in, in order.
pub fn open_groups(database: &FencedDatabase) -> Vec<String> {
    let mut groups = database.security_groups.clone();
    groups.sort();
    groups.dedup();
    groups
}

/// The security groups of a database that lets nobody in.
pub fn fenced_groups(database: &FencedDatabase) -> Vec<String> {
    vec![database.fence_group.clone()]
}
