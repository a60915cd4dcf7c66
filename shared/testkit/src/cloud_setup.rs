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
use understudy_core::state::{EventSubscription, MultiAz, ReplicaMade, ResourceState, same_database};
use understudy_engine::ports::{CallError, CallErrorKind, DatabaseSetup, InstanceMade, SubscriptionFound};

/// What set-up has made.
#[derive(Default)]
pub(crate) struct Setup {
    databases: BTreeMap<String, Maturing<InstanceMade>>,
    subscriptions: BTreeMap<String, Maturing<SubscriptionFound>>,
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

    /// Puts a subscription to events there, or changes it as somebody else would.
    pub fn put_event_subscription(&self, name: &str, subscription: EventSubscription) {
        let found = SubscriptionFound {
            status: "active".into(),
            subscription,
        };
        let mut state = lock(&self.state);
        state
            .setup
            .subscriptions
            .insert(name.to_owned(), Maturing::arrived(found));
    }

    /// The subscription as it really is; one that is being deleted is no longer.
    pub fn event_subscription(&self, name: &str) -> Option<EventSubscription> {
        let state = lock(&self.state);
        let found = state.setup.subscriptions.get(name).map(|found| found.now.clone());
        found
            .filter(|found| found.status != "deleting")
            .map(|found| found.subscription)
    }

    fn change_subscription(
        &self,
        operation: &'static str,
        name: &str,
        expected: Option<&EventSubscription>,
        wanted: Option<EventSubscription>,
    ) -> Result<(), CallError> {
        let found = lock(&self.state)
            .setup
            .subscriptions
            .get(name)
            .map(|found| found.now.clone());
        if let Some(found) = found.as_ref().filter(|found| found.status != "active") {
            let message = format!("event subscription {name} is {}", found.status);
            return Err(CallError::new(CallErrorKind::Retryable, message));
        }
        let before = found.map(|found| found.subscription);
        let as_state = |subscription: Option<EventSubscription>| ResourceState::RdsEventSubscription { subscription };
        let was = as_state(before.clone());
        let accepted = was.same_as(&as_state(expected.cloned()));
        self.record(operation, name, was, as_state(wanted.clone()), accepted);
        if !accepted {
            return Err(conflict(format!(
                "event subscription {name} is not as expected; nothing was changed"
            )));
        }
        let status = match (&before, &wanted) {
            (_, None) => "deleting",
            (None, Some(_)) => "creating",
            (Some(_), Some(_)) => "modifying",
        };
        let now = SubscriptionFound {
            status: status.into(),
            subscription: wanted.or(before).unwrap_or_default(),
        };
        let mut state = lock(&self.state);
        state
            .setup
            .subscriptions
            .insert(name.to_owned(), Maturing::on_its_way(now));
        Ok(())
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

    async fn subscription(&self, _region: Option<&str>, name: &str) -> Result<Option<SubscriptionFound>, CallError> {
        let reply = self.reach("database_setup.subscription").await?;
        let mut state = lock(&self.state);
        let shown = state.setup.subscriptions.get(name).map(|found| found.now.clone());
        if let Some(found) = state.setup.subscriptions.get_mut(name)
            && found.arrives()
        {
            if found.now.status == "deleting" {
                state.setup.subscriptions.remove(name);
            } else {
                found.now.status = "active".into();
            }
        }
        reply.give("database_setup.subscription", shown)
    }

    async fn put_subscription(
        &self,
        _region: Option<&str>,
        name: &str,
        expected: Option<&EventSubscription>,
        wanted: &EventSubscription,
        tags: &BTreeMap<String, String>,
    ) -> Result<(), CallError> {
        let operation = "database_setup.put_subscription";
        let reply = self.reach(operation).await?;
        // One that was there keeps its tags.
        let made_by = match self.event_subscription(name) {
            Some(known) => known.made_by,
            None => tags.get("understudy").cloned(),
        };
        let wanted = EventSubscription {
            made_by,
            ..wanted.clone()
        };
        self.change_subscription(operation, name, expected, Some(wanted))?;
        reply.give(operation, ())
    }

    async fn delete_subscription(
        &self,
        _region: Option<&str>,
        name: &str,
        expected: &EventSubscription,
    ) -> Result<(), CallError> {
        let operation = "database_setup.delete_subscription";
        let reply = self.reach(operation).await?;
        self.change_subscription(operation, name, Some(expected), None)?;
        reply.give(operation, ())
    }
}
