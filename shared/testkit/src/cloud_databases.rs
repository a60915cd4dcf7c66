//! Databases of [`FakeCloud`], and the sandboxes' and the simulator's ways to them.
//!
//! As in AWS: a database that is not `available` takes no change for now, a reboot with failover swaps the zones of an
//! instance and its standby each time, a promotion can not be taken back, and what a change made is seen as late as a
//! test asks. Security groups keep new connections out; those that are open stay open until the instance is restarted.

use crate::clock::lock;
use crate::cloud::{FakeCloud, Lagging, not_found};
use crate::cloud_ports::seen_after;
use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use understudy_core::control::later;
use understudy_core::state::{Power, ResourceState};
use understudy_engine::ports::{
    CallError, CallErrorKind, Clock, DatabaseCluster, DatabaseClusterStatus, DatabaseFailover, DatabaseInstance,
    GlobalDatabase,
};

/// How many reads an instance is `rebooting`, `stopping` or `starting`.
const REBOOTING_READS: u32 = 3;

/// The databases of a cloud.
#[derive(Default)]
pub(crate) struct Databases {
    instances: BTreeMap<String, Lagging<DatabaseInstance>>,
    clusters: BTreeMap<String, Lagging<DatabaseCluster>>,
    globals: BTreeMap<String, Lagging<GlobalDatabase>>,
    /// The connections that clients have open at each instance.
    connections: BTreeMap<String, u32>,
    /// When each instance was restarted, as its events say.
    restarts: BTreeMap<String, Vec<Timestamp>>,
    /// Events get lost: none is reported of this instance.
    silent: BTreeSet<String>,
    /// How long a global database reads as before, and says that it moves, until another cluster writes.
    moves_take: SignedDuration,
    /// The global databases that move now: until when, and who writes then.
    moving: BTreeMap<String, (Timestamp, String)>,
}

impl Databases {
    /// A cluster as the probe sees it: it copies another if a global database says so.
    pub(crate) fn cluster_status(&self, id: &str) -> Option<DatabaseClusterStatus> {
        let found = self.clusters.get(id)?;
        let is_this = |arn: &String| arn.rsplit(':').next() == Some(id);
        let is_replica = self.globals.values().any(|global| {
            let global = &global.real;
            global.members.iter().any(is_this) && !global.writer.as_ref().is_some_and(is_this)
        });
        Some(DatabaseClusterStatus {
            db_cluster_identifier: id.to_owned(),
            cluster: found.real.clone(),
            is_replica,
        })
    }

    // What moves has arrived, where its time is over.
    fn arrive(&mut self, now: Timestamp) {
        let arrived = |_: &String, (at, _): &mut (Timestamp, String)| *at <= now;
        for (id, (_, writer)) in self.moving.extract_if(.., arrived) {
            if let Some(found) = self.globals.get_mut(&id) {
                let mut global = found.real.clone();
                (global.writer, global.status, global.is_moving) = (Some(writer), "available".into(), false);
                *found = Lagging::new(global);
            }
        }
    }

    /// Every change so far is seen by everybody.
    pub(crate) fn settle(&mut self) {
        self.instances.values_mut().for_each(Lagging::settle);
        self.clusters.values_mut().for_each(Lagging::settle);
        self.globals.values_mut().for_each(Lagging::settle);
    }
}

impl FakeCloud {
    /// Puts a DB instance there, or changes it as somebody else would.
    pub fn put_db_instance(&self, id: &str, instance: DatabaseInstance) {
        let found = Lagging::new(instance);
        lock(&self.state).data.instances.insert(id.to_owned(), found);
    }

    /// Where the standby of a Multi-AZ instance is.
    pub fn put_standby_zone(&self, id: &str, zone: &str) {
        if let Some(found) = lock(&self.state).data.instances.get_mut(id) {
            found.real.standby_zone = Some(zone.to_owned());
        }
    }

    /// Clients have so many connections to the instance open, as a pool keeps them.
    pub fn put_db_connections(&self, id: &str, connections: u32) {
        let open = &mut lock(&self.state).data.connections;
        open.insert(id.to_owned(), connections);
    }

    /// How many connections are open, whoever is let in now: over each of them clients write.
    pub fn db_connections(&self, id: &str) -> u32 {
        lock(&self.state).data.connections.get(id).copied().unwrap_or_default()
    }

    /// The instance restarts by itself: its connections are cut, and its clients come again if they are let in.
    pub fn restart_db_instance(&self, id: &str) {
        let at = self.clock.now();
        let data = &mut lock(&self.state).data;
        data.restarts.entry(id.to_owned()).or_default().push(at);
    }

    /// Of this instance no event is reported from now on.
    pub fn keep_silent_about(&self, id: &str) {
        lock(&self.state).data.silent.insert(id.to_owned());
    }

    /// Puts a DB cluster there, or changes it as somebody else would.
    pub fn put_db_cluster(&self, id: &str, cluster: DatabaseCluster) {
        let found = Lagging::new(cluster);
        lock(&self.state).data.clusters.insert(id.to_owned(), found);
    }

    /// Puts a global database there, with its clusters, or changes it as somebody else would.
    pub fn put_global_database(&self, id: &str, global: GlobalDatabase) {
        let member = DatabaseCluster {
            status: "available".into(),
            engine: "aurora-postgresql 16.4".into(),
            ..DatabaseCluster::default()
        };
        for arn in &global.members {
            self.put_db_cluster(arn, member.clone());
        }
        let found = Lagging::new(global);
        lock(&self.state).data.globals.insert(id.to_owned(), found);
    }

    /// Moving a global database takes so long from now on, as in AWS, where the writer is another one only at the end.
    pub fn let_global_moves_take(&self, time: SignedDuration) {
        lock(&self.state).data.moves_take = time;
    }

    /// The instance as it really is.
    pub fn db_instance(&self, id: &str) -> DatabaseInstance {
        let state = lock(&self.state);
        state
            .data
            .instances
            .get(id)
            .map(|found| found.real.clone())
            .unwrap_or_default()
    }

    /// The writer of a cluster or of a global database as it really is.
    pub fn db_writer(&self, id: &str) -> Option<String> {
        let mut state = lock(&self.state);
        state.data.arrive(self.clock.now());
        let cluster = state.data.clusters.get(id).and_then(|found| found.real.writer.clone());
        cluster.or_else(|| state.data.globals.get(id).and_then(|found| found.real.writer.clone()))
    }
}

fn busy(what: &str, id: &str, status: &str) -> Result<(), CallError> {
    if status == "available" {
        return Ok(());
    }
    let message = format!("{what} {id} is {status}, which does not allow this now");
    Err(CallError::new(CallErrorKind::Retryable, message))
}

impl FakeCloud {
    async fn change_instance(
        &self,
        operation: &'static str,
        id: &str,
        as_state: fn(&DatabaseInstance) -> ResourceState,
        expected: impl FnOnce(&DatabaseInstance) -> bool + Send,
        change: impl FnOnce(&mut DatabaseInstance) -> Result<(), CallError> + Send,
    ) -> Result<(), CallError> {
        let reply = self.reach(operation).await?;
        let (before, after) = {
            let state = lock(&self.state);
            let found = state
                .data
                .instances
                .get(id)
                .ok_or_else(|| not_found("DB instance", id))?;
            let before = found.real.clone();
            busy("DB instance", id, &before.status)?;
            if !expected(&before) {
                drop(state);
                return Err(self.unexpected(operation, id, as_state(&before)));
            }
            let mut after = before.clone();
            change(&mut after)?;
            (before, after)
        };
        self.record(operation, id, as_state(&before), as_state(&after), true);
        let mut state = lock(&self.state);
        if let Some(found) = state.data.instances.get_mut(id) {
            found.set(after, seen_after(reply));
        }
        drop(state);
        reply.give(operation, ())
    }

    fn unexpected(&self, operation: &'static str, id: &str, found: ResourceState) -> CallError {
        let message = format!("{id} is not as expected: {}; nothing was changed", found.sentence());
        self.record(operation, id, found.clone(), found, false);
        CallError::new(CallErrorKind::Conflict, message)
    }

    async fn move_global(
        &self,
        operation: &'static str,
        id: &str,
        expected: Option<&str>,
        cluster: &str,
    ) -> Result<(), CallError> {
        let reply = self.reach(operation).await?;
        let (before, mut after) = {
            let mut state = lock(&self.state);
            state.data.arrive(self.clock.now());
            let found = state
                .data
                .globals
                .get(id)
                .ok_or_else(|| not_found("global database", id))?;
            busy("global database", id, &found.real.status)?;
            (found.real.clone(), found.real.clone())
        };
        let as_state = |global: &GlobalDatabase| ResourceState::DbWriter {
            writer: global.writer.clone(),
        };
        if before.writer.as_deref() != expected {
            return Err(self.unexpected(operation, id, as_state(&before)));
        }
        after.writer = Some(cluster.to_owned());
        self.record(operation, id, as_state(&before), as_state(&after), true);
        let mut state = lock(&self.state);
        let data = &mut state.data;
        if data.moves_take > SignedDuration::ZERO {
            let arrives = later(self.clock.now(), data.moves_take);
            data.moving.insert(id.to_owned(), (arrives, cluster.to_owned()));
            (after.writer, after.status, after.is_moving) = (before.writer, "switching-over".into(), true);
        }
        if let Some(found) = data.globals.get_mut(id) {
            found.set(after, seen_after(reply));
        }
        drop(state);
        reply.give(operation, ())
    }
}

#[async_trait]
impl DatabaseFailover for FakeCloud {
    async fn instance(&self, _region: Option<&str>, id: &str) -> Result<DatabaseInstance, CallError> {
        let reply = self.reach("databases.instance").await?;
        let mut state = lock(&self.state);
        let found = state
            .data
            .instances
            .get_mut(id)
            .ok_or_else(|| not_found("DB instance", id))?;
        reply.give("databases.instance", found.read())
    }
    async fn cluster(&self, _region: Option<&str>, id: &str) -> Result<DatabaseCluster, CallError> {
        let reply = self.reach("databases.cluster").await?;
        let mut state = lock(&self.state);
        let found = state
            .data
            .clusters
            .get_mut(id)
            .ok_or_else(|| not_found("DB cluster", id))?;
        reply.give("databases.cluster", found.read())
    }
    async fn global(&self, _region: Option<&str>, id: &str) -> Result<GlobalDatabase, CallError> {
        let reply = self.reach("databases.global").await?;
        let mut state = lock(&self.state);
        state.data.arrive(self.clock.now());
        let found = state
            .data
            .globals
            .get_mut(id)
            .ok_or_else(|| not_found("global database", id))?;
        reply.give("databases.global", found.read())
    }
    async fn reboot_with_failover(&self, _region: Option<&str>, id: &str, expected: &str) -> Result<(), CallError> {
        let as_state = |instance: &DatabaseInstance| ResourceState::DbZone {
            zone: instance.zone.clone(),
        };
        let same = |instance: &DatabaseInstance| instance.zone == expected;
        self.change_instance("databases.reboot_with_failover", id, as_state, same, |instance| {
            let standby = instance.standby_zone.take().filter(|_| instance.multi_az);
            let standby = standby.ok_or_else(|| not_found("standby of", id))?;
            instance.standby_zone = Some(std::mem::replace(&mut instance.zone, standby));
            Ok(())
        })
        .await
    }
    async fn fail_over_cluster(
        &self,
        _region: Option<&str>,
        id: &str,
        expected: Option<&str>,
        writer: &str,
    ) -> Result<(), CallError> {
        let reply = self.reach("databases.fail_over_cluster").await?;
        let (before, mut after) = {
            let state = lock(&self.state);
            let found = state.data.clusters.get(id).ok_or_else(|| not_found("DB cluster", id))?;
            busy("DB cluster", id, &found.real.status)?;
            (found.real.clone(), found.real.clone())
        };
        let as_state = |cluster: &DatabaseCluster| ResourceState::DbWriter {
            writer: cluster.writer.clone(),
        };
        if before.writer.as_deref() != expected {
            return Err(self.unexpected("databases.fail_over_cluster", id, as_state(&before)));
        }
        after.writer = Some(writer.to_owned());
        self.record(
            "databases.fail_over_cluster",
            id,
            as_state(&before),
            as_state(&after),
            true,
        );
        if let Some(found) = lock(&self.state).data.clusters.get_mut(id) {
            found.set(after, seen_after(reply));
        }
        reply.give("databases.fail_over_cluster", ())
    }
    async fn switch_over_global(
        &self,
        _region: Option<&str>,
        id: &str,
        expected: Option<&str>,
        cluster_arn: &str,
    ) -> Result<(), CallError> {
        self.move_global("databases.switch_over_global", id, expected, cluster_arn)
            .await
    }
    async fn fail_over_global(
        &self,
        _region: Option<&str>,
        id: &str,
        expected: Option<&str>,
        cluster_arn: &str,
    ) -> Result<(), CallError> {
        self.move_global("databases.fail_over_global", id, expected, cluster_arn)
            .await
    }
    async fn promote(&self, _region: Option<&str>, id: &str, expected: Option<&str>) -> Result<(), CallError> {
        let as_state = |instance: &DatabaseInstance| ResourceState::DbReplica {
            replica_of: instance.replica_of.clone(),
        };
        let same = |instance: &DatabaseInstance| instance.replica_of.as_deref() == expected;
        self.change_instance("databases.promote", id, as_state, same, |instance| {
            if instance.replica_of.take().is_none() {
                let message = format!("DB instance {id} is not a read replica");
                return Err(CallError::new(CallErrorKind::Refused, message));
            }
            Ok(())
        })
        .await
    }
    async fn set_security_groups(
        &self,
        _region: Option<&str>,
        id: &str,
        expected: &[String],
        groups: &[String],
    ) -> Result<(), CallError> {
        let as_state = |instance: &DatabaseInstance| ResourceState::DbAccess {
            security_groups: instance.security_groups.clone(),
            connections_cut: false,
        };
        let same = |instance: &DatabaseInstance| instance.security_groups == expected;
        self.change_instance("databases.set_security_groups", id, as_state, same, |instance| {
            instance.security_groups = groups.to_vec();
            Ok(())
        })
        .await
    }
    async fn restarted_since(&self, _region: Option<&str>, id: &str, since: Timestamp) -> Result<bool, CallError> {
        let reply = self.reach("databases.restarted_since").await?;
        let restarted = {
            let state = lock(&self.state);
            let times = state.data.restarts.get(id).filter(|_| !state.data.silent.contains(id));
            times.is_some_and(|times| times.iter().any(|at| *at >= since))
        };
        reply.give("databases.restarted_since", restarted)
    }
    async fn restart(&self, _region: Option<&str>, id: &str, expected: &[String]) -> Result<(), CallError> {
        let operation = "databases.restart";
        let reply = self.reach(operation).await?;
        let as_state = |instance: &DatabaseInstance, connections_cut| ResourceState::DbAccess {
            security_groups: instance.security_groups.clone(),
            connections_cut,
        };
        let before = {
            let state = lock(&self.state);
            let found = state.data.instances.get(id);
            found.ok_or_else(|| not_found("DB instance", id))?.real.clone()
        };
        busy("DB instance", id, &before.status)?;
        if before.security_groups != expected {
            return Err(self.unexpected(operation, id, as_state(&before, false)));
        }
        self.record(operation, id, as_state(&before, false), as_state(&before, true), true);
        let at = self.clock.now();
        let mut state = lock(&self.state);
        state.data.restarts.entry(id.to_owned()).or_default().push(at);
        state.data.connections.insert(id.to_owned(), 0);
        if let Some(found) = state.data.instances.get_mut(id) {
            let rebooting = DatabaseInstance {
                status: "rebooting".into(),
                ..found.real.clone()
            };
            found.show(rebooting, REBOOTING_READS);
        }
        drop(state);
        reply.give(operation, ())
    }
    async fn stop(&self, _region: Option<&str>, id: &str) -> Result<(), CallError> {
        self.power("databases.stop", id, Power::Stopped).await
    }
    async fn start(&self, _region: Option<&str>, id: &str) -> Result<(), CallError> {
        self.power("databases.start", id, Power::Running).await
    }
}

impl FakeCloud {
    async fn power(&self, operation: &'static str, id: &str, into: Power) -> Result<(), CallError> {
        let reply = self.reach(operation).await?;
        let (from, way, to, before) = match into {
            Power::Stopped => ("available", "stopping", "stopped", Power::Running),
            Power::Running => ("stopped", "starting", "available", Power::Stopped),
        };
        let found = {
            let state = lock(&self.state);
            let found = state.data.instances.get(id);
            found.ok_or_else(|| not_found("DB instance", id))?.real.clone()
        };
        if found.status != from || !found.replicas.is_empty() || found.replica_of.is_some() {
            let message = format!("DB instance {id} is {}, which does not allow this now", found.status);
            return Err(CallError::new(CallErrorKind::Retryable, message));
        }
        let as_state = |power| ResourceState::DbPower { power };
        self.record(operation, id, as_state(before), as_state(into), true);
        let mut state = lock(&self.state);
        if into == Power::Stopped {
            state.data.connections.insert(id.to_owned(), 0);
        }
        let on_its_way = DatabaseInstance {
            status: way.into(),
            ..found
        };
        if let Some(found) = state.data.instances.get_mut(id) {
            found.real.status = to.into();
            found.show(on_its_way, REBOOTING_READS);
        }
        drop(state);
        reply.give(operation, ())
    }
}
