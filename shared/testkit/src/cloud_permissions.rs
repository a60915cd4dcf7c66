//! The policy simulator of [`FakeCloud`]: everything is allowed but what a test takes away.

use crate::clock::lock;
use crate::cloud::FakeCloud;
use async_trait::async_trait;
use std::collections::BTreeMap;
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
                let depends_on = state.taken.get(call.action)?.clone();
                let permission = call.clone();
                Some(Refused { permission, depends_on })
            };
            calls.iter().filter_map(judge).collect()
        };
        reply.give("permissions.refused", refused)
    }
}
