//! What set-up makes and adjusts in [`FakeCloud`], and the sandboxes' and the simulator's ways to it.
//!
//! As in AWS: a replica is a while in the making, an identifier is used once, and what is being deleted is still there
//! for a while.

use crate::clock::lock;
use crate::cloud::{FakeCloud, Maturing, not_found};
use crate::cloud_ports::conflict;
use async_trait::async_trait;
use std::collections::BTreeMap;
use understudy_core::plan::ReadReplica;
use understudy_core::state::{MultiAz, ReplicaMade, ResourceState, same_database};
use understudy_engine::ports::{CallError, CallErrorKind, DatabaseSetup, InstanceMade};

/// What set-up has made.
#[derive(Default)]
pub(crate) struct Setup {
    databases: BTreeMap<String, Maturing<InstanceMade>>,
}

impl FakeCloud {
    /// Puts a DB instance there that set-up looks at, or changes it as somebody else would.
    pub fn put_instance_made(&self, id: &str, instance: InstanceMade) {
        let instance = Maturing::arrived(instance);
        lock(&self.state).setup.databases.insert(id.to_owned(), instance);
    }

    /// Takes a DB instance away, as somebody else would.
    pub fn drop_instance_made(&self, id: &str) {
        lock(&self.state).setup.databases.remove(id);
    }

    /// The instance as it really is; one that is being deleted is no longer.
    pub fn instance_made(&self, id: &str) -> Option<InstanceMade> {
        let state = lock(&self.state);
        let found = state.setup.databases.get(id).map(|found| found.now.clone());
        found.filter(|found| found.status != "deleting")
    }
}

fn as_replica(instance: Option<&InstanceMade>) -> ResourceState {
    ResourceState::DbReadReplica {
        replica: instance.map(|instance| ReplicaMade {
            replica_of: instance.replica_of.clone(),
            made_by: instance.made_by.clone(),
        }),
    }
}

// RDS takes no change in another status.
fn available(id: &str, instance: &InstanceMade) -> Result<(), CallError> {
    if instance.status == "available" {
        return Ok(());
    }
    let message = format!("DB instance {id} is {}, which does not allow this now", instance.status);
    Err(CallError::new(CallErrorKind::Retryable, message))
}

#[async_trait]
impl DatabaseSetup for FakeCloud {
    async fn find(&self, _region: Option<&str>, id: &str) -> Result<Option<InstanceMade>, CallError> {
        let reply = self.reach("database_setup.find").await?;
        let mut state = lock(&self.state);
        let shown = state.setup.databases.get(id).map(|found| found.now.clone());
        if let Some(found) = state.setup.databases.get_mut(id)
            && found.arrives()
        {
            if found.now.status == "deleting" {
                state.setup.databases.remove(id);
            } else {
                found.now.status = "available".into();
                let waiting = found.now.multi_az.pending.take();
                found.now.multi_az.multi_az = waiting.unwrap_or(found.now.multi_az.multi_az);
            }
        }
        reply.give("database_setup.find", shown)
    }

    async fn create_replica(
        &self,
        _region: Option<&str>,
        replica: &ReadReplica,
        tags: &BTreeMap<String, String>,
    ) -> Result<(), CallError> {
        let reply = self.reach("database_setup.create_replica").await?;
        let id = &replica.db_instance_identifier;
        let made = InstanceMade {
            status: "creating".into(),
            replica_of: Some(replica.source.clone()),
            made_by: tags.get("understudy").cloned(),
            multi_az: MultiAz {
                multi_az: replica.multi_az,
                ..MultiAz::default()
            },
            has_other_changes: false,
        };
        let before = lock(&self.state).setup.databases.get(id).map(|found| found.now.clone());
        let (was, is) = (as_replica(before.as_ref()), as_replica(Some(&made)));
        self.record("database_setup.create_replica", id, was, is, before.is_none());
        if before.is_some() {
            return Err(conflict(format!("there is a DB instance {id}; nothing was made")));
        }
        let made = Maturing::on_its_way(made);
        lock(&self.state).setup.databases.insert(id.clone(), made);
        reply.give("database_setup.create_replica", ())
    }

    async fn delete_replica(
        &self,
        _region: Option<&str>,
        id: &str,
        expected: &str,
        made_by: &str,
    ) -> Result<(), CallError> {
        let reply = self.reach("database_setup.delete_replica").await?;
        let found = lock(&self.state).setup.databases.get(id).map(|found| found.now.clone());
        let found = found.ok_or_else(|| not_found("DB instance", id))?;
        available(id, &found)?;
        let replicates = found.replica_of.as_deref();
        let accepted =
            replicates.is_some_and(|known| same_database(known, expected)) && found.made_by.as_deref() == Some(made_by);
        let before = as_replica(Some(&found));
        self.record("database_setup.delete_replica", id, before, as_replica(None), accepted);
        if !accepted {
            return Err(conflict(format!("{id} is not what the plan made; nothing was deleted")));
        }
        let status = "deleting".into();
        let going = Maturing::on_its_way(InstanceMade { status, ..found });
        lock(&self.state).setup.databases.insert(id.to_owned(), going);
        reply.give("database_setup.delete_replica", ())
    }

    async fn set_multi_az(
        &self,
        _region: Option<&str>,
        id: &str,
        expected: MultiAz,
        wanted: bool,
        immediately: bool,
    ) -> Result<(), CallError> {
        let reply = self.reach("database_setup.set_multi_az").await?;
        let found = lock(&self.state).setup.databases.get(id).map(|found| found.now.clone());
        let found = found.ok_or_else(|| not_found("DB instance", id))?;
        available(id, &found)?;
        let mut after = found.clone();
        after.multi_az.pending = (wanted != found.multi_az.multi_az).then_some(wanted);
        let accepted = found.multi_az == expected;
        let to_be = MultiAz {
            multi_az: wanted,
            ..MultiAz::default()
        };
        let is = if immediately { to_be } else { after.multi_az };
        let [was, is] = [found.multi_az, is].map(ResourceState::DbMultiAz);
        self.record("database_setup.set_multi_az", id, was, is, accepted);
        if !accepted {
            return Err(conflict(format!("{id} is not as expected; nothing was changed")));
        }
        let after = if immediately {
            after.status = "modifying".into();
            Maturing::on_its_way(after)
        } else {
            Maturing::arrived(after)
        };
        lock(&self.state).setup.databases.insert(id.to_owned(), after);
        reply.give("database_setup.set_multi_az", ())
    }
}
