//! What the executor's role does not allow, as far as IAM's policy simulator knows.
//!
//! The simulator does not look at resources: what a condition asks about has to be told to it. So the tags by which owners
//! give resources to Understudy are read where somebody can ([`TagsOf`]), and one that is not there is found here. A
//! condition that nobody could look at is a warning, and so is whatever is refused where the tags could not be read for now:
//! all is looked at again soon.

use super::{Looked, STEPS_AT_ONCE};
use crate::actions::{SETUP_TAG, TAG};
use crate::executor::Executor;
use crate::ports::{CallError, Permission, Refused, TagsOf};
use crate::steps::Finding;
use futures_util::stream::{self, StreamExt};
use std::collections::{BTreeMap, BTreeSet};
use understudy_core::preflight::{Concern, Weight};

/// The tags that policies ask for.
const TAGS: [&str; 2] = [TAG, SETUP_TAG];

/// What is known of tags.
#[derive(Default)]
struct Tags {
    /// Of what they could be read of.
    read: BTreeMap<TagsOf, BTreeMap<String, String>>,
    /// Why not for now, of the rest.
    unread: BTreeMap<TagsOf, String>,
}

impl Executor {
    // What is not permitted, and whether all could be looked at.
    pub(super) async fn not_permitted(&self, looked: &[Looked]) -> Result<(Vec<Concern>, bool), CallError> {
        let all: BTreeSet<&Permission> = looked.iter().flat_map(|look| &look.permissions).collect();
        if all.is_empty() {
            return Ok((Vec::new(), true));
        }
        let tags = self.tags_of(&all).await;
        let asked: Vec<Permission> = all.iter().map(|permission| knowing(permission, &tags)).collect();
        let refused = self.ports.permissions.refused(&asked).await?;
        let mut concerns = Vec::new();
        for refused in &refused {
            let finding = finding(refused, &tags);
            let needing = looked.iter().filter(|look| {
                let mut needed = look.permissions.iter();
                needed.any(|needed| knowing(needed, &tags) == refused.permission)
            });
            concerns.extend(needing.map(|look| look.concern(finding.clone())));
        }
        Ok((concerns, tags.unread.is_empty()))
    }

    // What can not be read is left out: then the simulator says that it does not know, or no.
    async fn tags_of(&self, permissions: &BTreeSet<&Permission>) -> Tags {
        let owners: BTreeSet<&TagsOf> = permissions.iter().filter_map(|call| call.tags_of.as_ref()).collect();
        let reads: Vec<_> = owners.into_iter().map(|owner| self.tags_of_one(owner)).collect();
        let all: Vec<_> = stream::iter(reads).buffered(STEPS_AT_ONCE).collect().await;
        let mut tags = Tags::default();
        for (owner, read) in all {
            match read {
                Ok(found) => {
                    tags.read.insert(owner, found);
                }
                Err(error) => {
                    tracing::warn!(error = error.message, "tags could not be read");
                    if error.may_repeat() {
                        tags.unread.insert(owner, error.message);
                    }
                }
            }
        }
        tags
    }

    async fn tags_of_one(&self, owner: &TagsOf) -> (TagsOf, Result<BTreeMap<String, String>, CallError>) {
        let read = match owner {
            TagsOf::Balancing(region, arn) => self.ports.traffic.tags(region.as_deref(), arn).await,
            TagsOf::Group(region, name) => self.ports.groups.tags(region.as_deref(), name).await,
        };
        (owner.clone(), read)
    }
}

// The call, with what is known of its resource's tags.
fn knowing(permission: &Permission, tags: &Tags) -> Permission {
    let known = permission.tags_of.as_ref().and_then(|owner| tags.read.get(owner));
    let known = known
        .into_iter()
        .flatten()
        .filter(|(key, _)| TAGS.contains(&key.as_str()));
    known.fold(permission.clone(), |call, (key, value)| {
        call.with(format!("aws:ResourceTag/{key}"), value)
    })
}

fn finding(refused: &Refused, tags: &Tags) -> Finding {
    let Permission {
        action,
        resource,
        tags_of,
        ..
    } = &refused.permission;
    if let Some(why) = tags_of.as_ref().and_then(|owner| tags.unread.get(owner)) {
        let message = format!(
            "whether the executor's role may call {action} on {resource} is not known, because its tags could not be read: {why}"
        );
        return Finding::new(Weight::Warns, message);
    }
    if refused.depends_on.is_empty() {
        let message = format!(
            "the executor's role may not call {action} on {resource}; grant it with the stack's parameters (AllowSetup for what \
             only setup does)"
        );
        return Finding::new(Weight::Blocks, message);
    }
    let known = tags_of.as_ref().and_then(|owner| tags.read.get(owner));
    let missing: Vec<&str> = TAGS
        .into_iter()
        .filter(|tag| {
            let key = format!("aws:ResourceTag/{tag}");
            let asked = refused.depends_on.iter().any(|known| known.eq_ignore_ascii_case(&key));
            asked && known.is_some_and(|known| !known.contains_key(*tag))
        })
        .collect();
    if missing.len() == refused.depends_on.len() {
        let message = format!(
            "the executor's role may call {action} only on what carries the tag {}, and {resource} does not; tag it, if \
             Understudy may change it",
            missing.join(" and ")
        );
        return Finding::new(Weight::Blocks, message);
    }
    let message = format!(
        "{action} on {resource} is granted by a condition on {}, which was not looked at; see that it holds",
        refused.depends_on.join(", ")
    );
    Finding::new(Weight::Warns, message)
}
