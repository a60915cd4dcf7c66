//! One sandbox of one function: every port, with a [`Wire`] in between.

use crate::clock::TestClock;
use crate::faults::{Place, Wire};
use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::Value;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use tokio::sync::Notify;
use understudy_core::control::Wake;
use understudy_core::health::{AlarmReading, Sample};
use understudy_core::plan::{EndpointProbe, TargetId};
use understudy_core::report::Announcement;
use understudy_core::state::{
    AlarmDefinition, Association, GroupSize, HealthCheck, RecordChange, RecordSet, TargetWeight,
};
use understudy_engine::ports::{
    Account, AlarmDefinitions, Alarms, AutoScalingGroup, CallError, Compute, Database, DatabaseClusterStatus,
    DatabaseStatus, Dns, Due, Endpoint, ForwardTarget, Functions, Groups, HookAnswer, HookFunction, Hooks,
    InstanceStatus, Item, Key, Notifier, Permission, Permissions, Put, Refused, Rehearsal, Table, Target, Traffic,
};

/// The process in which one invocation runs. It can die.
pub(crate) struct Sandbox {
    pub(crate) request_id: String,
    clock: Arc<TestClock>,
    wire: Arc<Wire>,
    calls: AtomicU32,
    dies_next: AtomicBool,
    died: Notify,
}

impl Sandbox {
    pub(crate) fn new(request_id: String, clock: Arc<TestClock>, wire: Arc<Wire>) -> Arc<Self> {
        let (calls, dies_next, died) = (AtomicU32::new(0), AtomicBool::new(false), Notify::new());
        Arc::new(Self {
            request_id,
            clock,
            wire,
            calls,
            dies_next,
            died,
        })
    }

    /// Returns when it has died.
    pub(crate) async fn death(&self) {
        self.died.notified().await;
    }

    /// Whether it read its last reply and was to die after it.
    pub(crate) fn is_doomed(&self) -> bool {
        self.dies_next.load(Ordering::SeqCst)
    }

    async fn die<T>(&self) -> T {
        self.died.notify_one();
        std::future::pending().await
    }

    pub(crate) async fn through<T>(&self, operation: &'static str, call: impl Future<Output = T>) -> T {
        if self.is_doomed() {
            return self.die().await;
        }
        let nth = self.calls.fetch_add(1, Ordering::SeqCst) + 1;
        let place = self.wire.enter(&self.request_id, nth, operation);
        self.clock.breathe().await;
        if place == Some(Place::BeforeEffect) {
            return self.die().await;
        }
        let reply = call.await;
        match place {
            Some(Place::AfterEffect) => return self.die().await,
            Some(Place::AfterReply) => self.dies_next.store(true, Ordering::SeqCst),
            _ => {}
        }
        reply
    }
}

/// A port with the wire in between.
pub(crate) struct Wired<T> {
    pub(crate) inner: Arc<T>,
    pub(crate) sandbox: Arc<Sandbox>,
}

#[async_trait]
impl<T: Table> Table for Wired<T> {
    async fn get(&self, key: &Key) -> Result<Option<Item>, CallError> {
        self.sandbox.through("table.get", self.inner.get(key)).await
    }
    async fn put(&self, item: &Item, expected: u64) -> Result<Put, CallError> {
        self.sandbox.through("table.put", self.inner.put(item, expected)).await
    }
    async fn delete(&self, key: &Key, expected: u64) -> Result<Put, CallError> {
        self.sandbox
            .through("table.delete", self.inner.delete(key, expected))
            .await
    }
    async fn query(&self, plan: &str, prefix: &str, limit: usize, newest_first: bool) -> Result<Vec<Item>, CallError> {
        self.sandbox
            .through("table.query", self.inner.query(plan, prefix, limit, newest_first))
            .await
    }
    async fn due(&self, until: Option<Timestamp>) -> Result<Vec<Due>, CallError> {
        self.sandbox.through("table.due", self.inner.due(until)).await
    }
}

#[async_trait]
impl<T: Endpoint> Endpoint for Wired<T> {
    async fn check(&self, probe: &EndpointProbe) -> Sample {
        self.sandbox.through("endpoint.check", self.inner.check(probe)).await
    }
}

#[async_trait]
impl<T: Traffic> Traffic for Wired<T> {
    async fn weights(&self, region: Option<&str>, target: &ForwardTarget) -> Result<Vec<TargetWeight>, CallError> {
        self.sandbox
            .through("traffic.weights", self.inner.weights(region, target))
            .await
    }
    async fn set_weights(
        &self,
        region: Option<&str>,
        target: &ForwardTarget,
        expected: &[TargetWeight],
        wanted: &[TargetWeight],
    ) -> Result<(), CallError> {
        self.sandbox
            .through(
                "traffic.set_weights",
                self.inner.set_weights(region, target, expected, wanted),
            )
            .await
    }
    async fn targets(&self, region: Option<&str>, target_group_arn: &str) -> Result<Vec<Target>, CallError> {
        self.sandbox
            .through("traffic.targets", self.inner.targets(region, target_group_arn))
            .await
    }
    async fn register(
        &self,
        region: Option<&str>,
        target_group_arn: &str,
        targets: &[TargetId],
    ) -> Result<(), CallError> {
        let call = self.inner.register(region, target_group_arn, targets);
        self.sandbox.through("traffic.register", call).await
    }
    async fn deregister(
        &self,
        region: Option<&str>,
        target_group_arn: &str,
        targets: &[TargetId],
    ) -> Result<(), CallError> {
        let call = self.inner.deregister(region, target_group_arn, targets);
        self.sandbox.through("traffic.deregister", call).await
    }
    async fn health_check(&self, region: Option<&str>, target_group_arn: &str) -> Result<HealthCheck, CallError> {
        let call = self.inner.health_check(region, target_group_arn);
        self.sandbox.through("traffic.health_check", call).await
    }
    async fn set_health_check(
        &self,
        region: Option<&str>,
        target_group_arn: &str,
        expected: &HealthCheck,
        wanted: &HealthCheck,
    ) -> Result<(), CallError> {
        let call = self.inner.set_health_check(region, target_group_arn, expected, wanted);
        self.sandbox.through("traffic.set_health_check", call).await
    }
}

#[async_trait]
impl<T: Dns> Dns for Wired<T> {
    async fn records(&self, hosted_zone_id: &str, names: &[(String, String)]) -> Result<Vec<RecordSet>, CallError> {
        self.sandbox
            .through("dns.records", self.inner.records(hosted_zone_id, names))
            .await
    }
    async fn change_records(
        &self,
        hosted_zone_id: &str,
        changes: &[RecordChange],
        comment: &str,
    ) -> Result<String, CallError> {
        self.sandbox
            .through(
                "dns.change_records",
                self.inner.change_records(hosted_zone_id, changes, comment),
            )
            .await
    }
    async fn in_sync(&self, change_id: &str) -> Result<bool, CallError> {
        self.sandbox.through("dns.in_sync", self.inner.in_sync(change_id)).await
    }
}

#[async_trait]
impl<T: Compute> Compute for Wired<T> {
    async fn instance_statuses(&self, region: Option<&str>, ids: &[String]) -> Result<Vec<InstanceStatus>, CallError> {
        self.sandbox
            .through("compute.instance_statuses", self.inner.instance_statuses(region, ids))
            .await
    }
    async fn start(&self, region: Option<&str>, ids: &[String]) -> Result<(), CallError> {
        let call = self.inner.start(region, ids);
        self.sandbox.through("compute.start", call).await
    }
    async fn stop(&self, region: Option<&str>, ids: &[String]) -> Result<(), CallError> {
        let call = self.inner.stop(region, ids);
        self.sandbox.through("compute.stop", call).await
    }
    async fn rehearse(&self, region: Option<&str>, call: &Rehearsal) -> Result<(), CallError> {
        let call = self.inner.rehearse(region, call);
        self.sandbox.through("compute.rehearse", call).await
    }
    async fn association(&self, region: Option<&str>, allocation_id: &str) -> Result<Option<Association>, CallError> {
        let call = self.inner.association(region, allocation_id);
        self.sandbox.through("compute.association", call).await
    }
    async fn associate(
        &self,
        region: Option<&str>,
        allocation_id: &str,
        wanted: &Association,
    ) -> Result<(), CallError> {
        let call = self.inner.associate(region, allocation_id, wanted);
        self.sandbox.through("compute.associate", call).await
    }
    async fn disassociate(
        &self,
        region: Option<&str>,
        allocation_id: &str,
        expected: &Association,
    ) -> Result<(), CallError> {
        let call = self.inner.disassociate(region, allocation_id, expected);
        self.sandbox.through("compute.disassociate", call).await
    }
}

#[async_trait]
impl<T: Groups> Groups for Wired<T> {
    async fn groups(&self, region: Option<&str>, names: &[String]) -> Result<Vec<AutoScalingGroup>, CallError> {
        let call = self.inner.groups(region, names);
        self.sandbox.through("groups.groups", call).await
    }
    async fn resize(
        &self,
        region: Option<&str>,
        name: &str,
        expected: GroupSize,
        wanted: GroupSize,
    ) -> Result<(), CallError> {
        let call = self.inner.resize(region, name, expected, wanted);
        self.sandbox.through("groups.resize", call).await
    }
    async fn set_subnets(
        &self,
        region: Option<&str>,
        name: &str,
        expected: &[String],
        wanted: &[String],
    ) -> Result<(), CallError> {
        let call = self.inner.set_subnets(region, name, expected, wanted);
        self.sandbox.through("groups.set_subnets", call).await
    }
}

#[async_trait]
impl<T: Hooks> Hooks for Wired<T> {
    async fn ask(&self, region: Option<&str>, function: &HookFunction, event: &Value) -> Result<HookAnswer, CallError> {
        let call = self.inner.ask(region, function, event);
        self.sandbox.through("hooks.ask", call).await
    }
}

#[async_trait]
impl<T: Database> Database for Wired<T> {
    async fn instance_statuses(&self, region: Option<&str>, ids: &[String]) -> Result<Vec<DatabaseStatus>, CallError> {
        self.sandbox
            .through("database.instance_statuses", self.inner.instance_statuses(region, ids))
            .await
    }
    async fn cluster_statuses(
        &self,
        region: Option<&str>,
        ids: &[String],
    ) -> Result<Vec<DatabaseClusterStatus>, CallError> {
        let call = self.inner.cluster_statuses(region, ids);
        self.sandbox.through("database.cluster_statuses", call).await
    }
}

#[async_trait]
impl<T: Alarms> Alarms for Wired<T> {
    async fn readings(&self, region: Option<&str>, names: &[String]) -> Result<Vec<AlarmReading>, CallError> {
        self.sandbox
            .through("alarms.readings", self.inner.readings(region, names))
            .await
    }
}

#[async_trait]
impl<T: AlarmDefinitions> AlarmDefinitions for Wired<T> {
    async fn definition(&self, region: Option<&str>, name: &str) -> Result<Option<AlarmDefinition>, CallError> {
        let call = self.inner.definition(region, name);
        self.sandbox.through("definitions.definition", call).await
    }
    async fn define(
        &self,
        region: Option<&str>,
        name: &str,
        expected: Option<&AlarmDefinition>,
        wanted: &AlarmDefinition,
        tags: &[(String, String)],
    ) -> Result<(), CallError> {
        let call = self.inner.define(region, name, expected, wanted, tags);
        self.sandbox.through("definitions.define", call).await
    }
    async fn remove(&self, region: Option<&str>, name: &str, expected: &AlarmDefinition) -> Result<(), CallError> {
        let call = self.inner.remove(region, name, expected);
        self.sandbox.through("definitions.remove", call).await
    }
}

#[async_trait]
impl<T: Notifier> Notifier for Wired<T> {
    async fn publish(&self, topic_arn: Option<&str>, plan: &str, announcement: &Announcement) -> Result<(), CallError> {
        self.sandbox
            .through("notifier.publish", self.inner.publish(topic_arn, plan, announcement))
            .await
    }
}

#[async_trait]
impl<T: Functions> Functions for Wired<T> {
    async fn nudge(&self, function: Wake, plan: &str) -> Result<(), CallError> {
        self.sandbox
            .through("functions.nudge", self.inner.nudge(function, plan))
            .await
    }
    async fn ask_executor(&self, question: &Value) -> Result<Value, CallError> {
        self.sandbox
            .through("functions.ask_executor", self.inner.ask_executor(question))
            .await
    }
}

#[async_trait]
impl<T: Permissions> Permissions for Wired<T> {
    fn account(&self) -> &Account {
        self.inner.account()
    }
    async fn refused(&self, calls: &[Permission]) -> Result<Vec<Refused>, CallError> {
        let call = self.inner.refused(calls);
        self.sandbox.through("permissions.refused", call).await
    }
}
