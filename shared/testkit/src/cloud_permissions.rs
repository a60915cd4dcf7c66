//! The policy simulator of [`FakeCloud`]: everything is allowed but what a test takes away.

use crate::clock::lock;
use crate::cloud::FakeCloud;
use async_trait::async_trait;
use std::collections::BTreeMap;
use understudy_engine::actions::TAG;
use understudy_engine::ports::{Account, CallError, Permission, Permissions, Refused};

/// What is taken away: by action, with the condition keys that it hangs on.
pub(crate) type Taken = BTreeMap<String, Vec<String>>;

pub(crate) fn account() -> Account {
    Account {
        partition: "aws".into(),
        id: "000000000000".into(),
        region: "eu-west-1".into(),
    }
}

impl FakeCloud {
    /// The executor's role loses an action, for sure or under conditions on these keys.
    pub fn take_permission(&self, action: &str, depends_on: &[&str]) {
        let keys = depends_on.iter().map(|key| (*key).to_owned()).collect();
        lock(&self.state).taken.insert(action.to_owned(), keys);
    }

    /// The owner of this resource takes its tags off; every other carries the tag `understudy`.
    pub fn untag(&self, resource: &str) {
        lock(&self.state).untagged.insert(resource.to_owned());
    }

    pub(crate) fn tags_of(&self, resource: &str) -> BTreeMap<String, String> {
        let tagged = !lock(&self.state).untagged.contains(resource);
        let tag = || (TAG.to_owned(), "anything".to_owned());
        tagged.then(tag).into_iter().collect()
    }

    /// It has all of them again.
    pub fn give_permissions_back(&self) {
        lock(&self.state).taken.clear();
    }
}

#[async_trait]
impl Permissions for FakeCloud {
    fn account(&self) -> &Account {
        &self.account
    }

    async fn refused(&self, calls: &[Permission]) -> Result<Vec<Refused>, CallError> {
        let reply = self.reach("permissions.refused").await?;
        let refused = {
            let state = lock(&self.state);
            let judge = |call: &Permission| {
                let taken = state.taken.get(call.action)?;
                // A condition on what is known holds.
                let unknown = taken.iter().filter(|key| !call.context.contains_key(*key));
                let depends_on: Vec<String> = unknown.cloned().collect();
                if depends_on.is_empty() && !taken.is_empty() {
                    return None;
                }
                let permission = call.clone();
                Some(Refused { permission, depends_on })
            };
            calls.iter().filter_map(judge).collect()
        };
        reply.give("permissions.refused", refused)
    }
}
