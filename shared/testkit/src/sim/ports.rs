//! Every port of the engine, with a [`Gate`] in front of the fake that serves it.

use super::gate::Gate;
use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use std::sync::Arc;
use understudy_core::control::Wake;
use understudy_core::health::{AlarmReading, Sample};
use understudy_core::plan::{EndpointProbe, TargetId};
use understudy_core::report::Announcement;
use understudy_core::state::{
    AlarmDefinition, Association, GroupSize, HealthCheck, RecordChange, RecordSet, TargetWeight,
};
use understudy_engine::ports::{
    Account, AlarmDefinitions, Alarms, AutoScalingGroup, CallError, Clock, Compute, Database, DatabaseClusterStatus,
    DatabaseStatus, Dns, Due, Endpoint, ForwardTarget, Functions, Groups, HookAnswer, HookFunction, Hooks,
    InstanceStatus, Item, Key, Notifier, Permission, Permissions, Put, Refused, Rehearsal, Table, Target, Traffic,
};

/// A fake with a gate in front.
pub(crate) struct Gated<T> {
    pub(crate) inner: Arc<T>,
    pub(crate) gate: Arc<Gate>,
}

/// The clock of one sandbox: true time and its own error.
pub(crate) struct SandboxClock(pub(crate) Arc<Gate>);

#[async_trait]
impl Clock for SandboxClock {
    fn now(&self) -> Timestamp {
        self.0.now()
    }
    async fn sleep(&self, duration: SignedDuration) {
        self.0.sleep(duration).await;
    }
}

macro_rules! points {
    ($name:ident, $operation:literal) => {
        // One name for each kind of item: where an invocation can die is counted by these.
        fn $name(item: &str) -> &'static str {
            match item.split('#').next().unwrap_or_default() {
                "control" => concat!($operation, " control"),
                "revision" => concat!($operation, " revision"),
                "observation" => concat!($operation, " observation"),
                "decision" => concat!($operation, " decision"),
                "execution" => concat!($operation, " execution"),
                "velocity" => concat!($operation, " fleet"),
                "heartbeat" => concat!($operation, " heartbeat"),
                "lag" => concat!($operation, " lag"),
                "preflight" => concat!($operation, " preflight"),
                "setup" => concat!($operation, " setup"),
                _ => concat!($operation, " other"),
            }
        }
    };
}

points!(get_point, "table.get");
points!(put_point, "table.put");
points!(delete_point, "table.delete");
points!(query_point, "table.query");

#[async_trait]
impl<T: Table> Table for Gated<T> {
    async fn get(&self, key: &Key) -> Result<Option<Item>, CallError> {
        self.gate.through(get_point(&key.item), self.inner.get(key)).await
    }
    async fn put(&self, item: &Item, expected: u64) -> Result<Put, CallError> {
        self.gate
            .through(put_point(&item.key.item), self.inner.put(item, expected))
            .await
    }
    async fn delete(&self, key: &Key, expected: u64) -> Result<Put, CallError> {
        self.gate
            .through(delete_point(&key.item), self.inner.delete(key, expected))
            .await
    }
    async fn query(&self, plan: &str, prefix: &str, limit: usize, newest_first: bool) -> Result<Vec<Item>, CallError> {
        self.gate
            .through(query_point(prefix), self.inner.query(plan, prefix, limit, newest_first))
            .await
    }
    async fn due(&self, until: Option<Timestamp>) -> Result<Vec<Due>, CallError> {
        self.gate.through("table.due", self.inner.due(until)).await
    }
}

#[async_trait]
impl<T: Endpoint> Endpoint for Gated<T> {
    async fn check(&self, probe: &EndpointProbe) -> Sample {
        self.gate.through("endpoint.check", self.inner.check(probe)).await
    }
}

#[async_trait]
impl<T: Traffic> Traffic for Gated<T> {
    async fn weights(&self, region: Option<&str>, target: &ForwardTarget) -> Result<Vec<TargetWeight>, CallError> {
        self.gate
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
        let call = self.inner.set_weights(region, target, expected, wanted);
        self.gate.through("traffic.set_weights", call).await
    }
    async fn targets(&self, region: Option<&str>, target_group_arn: &str) -> Result<Vec<Target>, CallError> {
        self.gate
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
        self.gate.through("traffic.register", call).await
    }
    async fn deregister(
        &self,
        region: Option<&str>,
        target_group_arn: &str,
        targets: &[TargetId],
    ) -> Result<(), CallError> {
        let call = self.inner.deregister(region, target_group_arn, targets);
        self.gate.through("traffic.deregister", call).await
    }
    async fn health_check(&self, region: Option<&str>, target_group_arn: &str) -> Result<HealthCheck, CallError> {
        let call = self.inner.health_check(region, target_group_arn);
        self.gate.through("traffic.health_check", call).await
    }
    async fn set_health_check(
        &self,
        region: Option<&str>,
        target_group_arn: &str,
        expected: &HealthCheck,
        wanted: &HealthCheck,
    ) -> Result<(), CallError> {
        let call = self.inner.set_health_check(region, target_group_arn, expected, wanted);
        self.gate.through("traffic.set_health_check", call).await
    }
}

#[async_trait]
impl<T: Dns> Dns for Gated<T> {
    async fn records(&self, hosted_zone_id: &str, names: &[(String, String)]) -> Result<Vec<RecordSet>, CallError> {
        self.gate
            .through("dns.records", self.inner.records(hosted_zone_id, names))
            .await
    }
    async fn change_records(
        &self,
        hosted_zone_id: &str,
        changes: &[RecordChange],
        comment: &str,
    ) -> Result<String, CallError> {
        let call = self.inner.change_records(hosted_zone_id, changes, comment);
        self.gate.through("dns.change_records", call).await
    }
    async fn in_sync(&self, change_id: &str) -> Result<bool, CallError> {
        self.gate.through("dns.in_sync", self.inner.in_sync(change_id)).await
    }
}

#[async_trait]
impl<T: Compute> Compute for Gated<T> {
    async fn instance_statuses(&self, region: Option<&str>, ids: &[String]) -> Result<Vec<InstanceStatus>, CallError> {
        let call = self.inner.instance_statuses(region, ids);
        self.gate.through("compute.instance_statuses", call).await
    }
    async fn start(&self, region: Option<&str>, ids: &[String]) -> Result<(), CallError> {
        let call = self.inner.start(region, ids);
        self.gate.through("compute.start", call).await
    }
    async fn stop(&self, region: Option<&str>, ids: &[String]) -> Result<(), CallError> {
        let call = self.inner.stop(region, ids);
        self.gate.through("compute.stop", call).await
    }
    async fn rehearse(&self, region: Option<&str>, call: &Rehearsal) -> Result<(), CallError> {
        let call = self.inner.rehearse(region, call);
        self.gate.through("compute.rehearse", call).await
    }
    async fn association(&self, region: Option<&str>, allocation_id: &str) -> Result<Option<Association>, CallError> {
        let call = self.inner.association(region, allocation_id);
        self.gate.through("compute.association", call).await
    }
    async fn associate(
        &self,
        region: Option<&str>,
        allocation_id: &str,
        wanted: &Association,
    ) -> Result<(), CallError> {
        let call = self.inner.associate(region, allocation_id, wanted);
        self.gate.through("compute.associate", call).await
    }
    async fn disassociate(
        &self,
        region: Option<&str>,
        allocation_id: &str,
        expected: &Association,
    ) -> Result<(), CallError> {
        let call = self.inner.disassociate(region, allocation_id, expected);
        self.gate.through("compute.disassociate", call).await
    }
}

#[async_trait]
impl<T: Groups> Groups for Gated<T> {
    async fn groups(&self, region: Option<&str>, names: &[String]) -> Result<Vec<AutoScalingGroup>, CallError> {
        let call = self.inner.groups(region, names);
        self.gate.through("groups.groups", call).await
    }
    async fn resize(
        &self,
        region: Option<&str>,
        name: &str,
        expected: GroupSize,
        wanted: GroupSize,
    ) -> Result<(), CallError> {
        let call = self.inner.resize(region, name, expected, wanted);
        self.gate.through("groups.resize", call).await
    }
    async fn set_subnets(
        &self,
        region: Option<&str>,
        name: &str,
        expected: &[String],
        wanted: &[String],
    ) -> Result<(), CallError> {
        let call = self.inner.set_subnets(region, name, expected, wanted);
        self.gate.through("groups.set_subnets", call).await
    }
}

#[async_trait]
impl<T: Hooks> Hooks for Gated<T> {
    async fn ask(&self, region: Option<&str>, function: &HookFunction, event: &Value) -> Result<HookAnswer, CallError> {
        let call = self.inner.ask(region, function, event);
        self.gate.through("hooks.ask", call).await
    }
}

#[async_trait]
impl<T: Database> Database for Gated<T> {
    async fn instance_statuses(&self, region: Option<&str>, ids: &[String]) -> Result<Vec<DatabaseStatus>, CallError> {
        let call = self.inner.instance_statuses(region, ids);
        self.gate.through("database.instance_statuses", call).await
    }
    async fn cluster_statuses(
        &self,
        region: Option<&str>,
        ids: &[String],
    ) -> Result<Vec<DatabaseClusterStatus>, CallError> {
        let call = self.inner.cluster_statuses(region, ids);
        self.gate.through("database.cluster_statuses", call).await
    }
}

#[async_trait]
impl<T: Alarms> Alarms for Gated<T> {
    async fn readings(&self, region: Option<&str>, names: &[String]) -> Result<Vec<AlarmReading>, CallError> {
        self.gate
            .through("alarms.readings", self.inner.readings(region, names))
            .await
    }
}

#[async_trait]
impl<T: AlarmDefinitions> AlarmDefinitions for Gated<T> {
    async fn definition(&self, region: Option<&str>, name: &str) -> Result<Option<AlarmDefinition>, CallError> {
        let call = self.inner.definition(region, name);
        self.gate.through("definitions.definition", call).await
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
        self.gate.through("definitions.define", call).await
    }
    async fn remove(&self, region: Option<&str>, name: &str, expected: &AlarmDefinition) -> Result<(), CallError> {
        let call = self.inner.remove(region, name, expected);
        self.gate.through("definitions.remove", call).await
    }
}

#[async_trait]
impl<T: Notifier> Notifier for Gated<T> {
    async fn publish(&self, topic_arn: Option<&str>, plan: &str, announcement: &Announcement) -> Result<(), CallError> {
        let call = self.inner.publish(topic_arn, plan, announcement);
        self.gate.through("notifier.publish", call).await
    }
}

#[async_trait]
impl<T: Functions> Functions for Gated<T> {
    async fn nudge(&self, function: Wake, plan: &str) -> Result<(), CallError> {
        self.gate
            .through("functions.nudge", self.inner.nudge(function, plan))
            .await
    }
    async fn ask_executor(&self, question: &Value) -> Result<Value, CallError> {
        self.gate
            .through("functions.ask_executor", self.inner.ask_executor(question))
            .await
    }
}

#[async_trait]
impl<T: Permissions> Permissions for Gated<T> {
    fn account(&self) -> &Account {
        self.inner.account()
    }
    async fn refused(&self, calls: &[Permission]) -> Result<Vec<Refused>, CallError> {
        let call = self.inner.refused(calls);
        self.gate.through("permissions.refused", call).await
    }
}
