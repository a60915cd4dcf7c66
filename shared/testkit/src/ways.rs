//! What stands between a function and its ports: the wire of a [`World`](crate::world::World), or the gate of the simulator.
//!
//! Either sees every call by its name, port and method: `traffic.set_weights`, `dns.in_sync`. The methods of each port are
//! listed here once, and both pass them on alike. The table is not among them: the simulator names its calls by the kind of
//! item that they are about.

use crate::faults_wire::Wired;
use crate::sim::Gated;
use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::Value;
use std::collections::BTreeMap;
use understudy_core::control::Wake;
use understudy_core::health::{AlarmReading, Sample};
use understudy_core::plan::{EndpointProbe, ReadReplica, TargetId};
use understudy_core::report::Announcement;
use understudy_core::state::*;
use understudy_engine::ports::*;

macro_rules! passed_on {
    ($($port:ident as $name:literal {
        $(fn $told:ident(&self) -> $said:ty;)*
        $(async fn $method:ident(&self $(, $argument:ident: $given:ty)* $(,)?) -> $answer:ty;)+
    })+) => {
        $(
            passed_on!(@by Wired, sandbox, $port, $name, { $($told -> $said,)* } $(
                $method($($argument: $given),*) -> $answer,
            )+);
            passed_on!(@by Gated, gate, $port, $name, { $($told -> $said,)* } $(
                $method($($argument: $given),*) -> $answer,
            )+);
        )+
    };
    (@by $way:ident, $between:ident, $port:ident, $name:literal, { $($told:ident -> $said:ty,)* } $(
        $method:ident($($argument:ident: $given:ty),*) -> $answer:ty,
    )+) => {
        #[async_trait]
        impl<T: $port> $port for $way<T> {
            $(fn $told(&self) -> $said {
                self.inner.$told()
            })*
            $(async fn $method(&self, $($argument: $given),*) -> $answer {
                let call = self.inner.$method($($argument),*);
                self.$between.through(concat!($name, ".", stringify!($method)), call).await
            })+
        }
    };
}

passed_on! {
    Endpoint as "endpoint" {
        async fn check(&self, probe: &EndpointProbe) -> Sample;
    }

    Traffic as "traffic" {
        async fn weights(&self, region: Option<&str>, target: &ForwardTarget) -> Result<Vec<TargetWeight>, CallError>;
        async fn group_stickiness(&self, region: Option<&str>, target: &ForwardTarget) -> Result<Option<u32>, CallError>;
        async fn set_weights(
            &self,
            region: Option<&str>,
            target: &ForwardTarget,
            expected: &[TargetWeight],
            wanted: &[TargetWeight],
        ) -> Result<(), CallError>;
        async fn deregistration_delay(&self, region: Option<&str>, target_group_arn: &str) -> Result<u32, CallError>;
        async fn targets(&self, region: Option<&str>, target_group_arn: &str) -> Result<Vec<Target>, CallError>;
        async fn tags(&self, region: Option<&str>, arn: &str) -> Result<BTreeMap<String, String>, CallError>;
        async fn register(
            &self,
            region: Option<&str>,
            target_group_arn: &str,
            targets: &[TargetId],
        ) -> Result<(), CallError>;
        async fn deregister(
            &self,
            region: Option<&str>,
            target_group_arn: &str,
            targets: &[TargetId],
        ) -> Result<(), CallError>;
        async fn balanced(&self, region: Option<&str>, name: &str) -> Result<Option<Balanced>, CallError>;
        async fn health_check(&self, region: Option<&str>, target_group_arn: &str) -> Result<HealthCheck, CallError>;
        async fn set_health_check(
            &self,
            region: Option<&str>,
            target_group_arn: &str,
            expected: &HealthCheck,
            wanted: &HealthCheck,
        ) -> Result<(), CallError>;
    }

    Dns as "dns" {
        async fn records(&self, hosted_zone_id: &str, names: &[(String, String)]) -> Result<Vec<RecordSet>, CallError>;
        async fn change_records(
            &self,
            hosted_zone_id: &str,
            changes: &[RecordChange],
            comment: &str,
        ) -> Result<String, CallError>;
        async fn in_sync(&self, change_id: &str) -> Result<bool, CallError>;
    }

    Compute as "compute" {
        async fn instance_statuses(&self, region: Option<&str>, ids: &[String]) -> Result<Vec<InstanceStatus>, CallError>;
        async fn start(&self, region: Option<&str>, ids: &[String]) -> Result<(), CallError>;
        async fn stop(&self, region: Option<&str>, ids: &[String]) -> Result<(), CallError>;
        async fn rehearse(&self, region: Option<&str>, call: &Rehearsal) -> Result<(), CallError>;
        async fn association(&self, region: Option<&str>, allocation_id: &str) -> Result<Option<Association>, CallError>;
        async fn addresses_in_the_way(
            &self,
            region: Option<&str>,
            allocation_id: &str,
            wanted: &Association,
        ) -> Result<Vec<String>, CallError>;
        async fn associate(&self, region: Option<&str>, allocation_id: &str, wanted: &Association) -> Result<(), CallError>;
        async fn disassociate(
            &self,
            region: Option<&str>,
            allocation_id: &str,
            expected: &Association,
        ) -> Result<(), CallError>;
    }

    Groups as "groups" {
        async fn groups(&self, region: Option<&str>, names: &[String]) -> Result<Vec<AutoScalingGroup>, CallError>;
        async fn tags(&self, region: Option<&str>, name: &str) -> Result<BTreeMap<String, String>, CallError>;
        async fn resize(
            &self,
            region: Option<&str>,
            name: &str,
            expected: GroupSize,
            wanted: GroupSize,
        ) -> Result<(), CallError>;
        async fn set_subnets(
            &self,
            region: Option<&str>,
            name: &str,
            expected: &[String],
            wanted: &[String],
        ) -> Result<(), CallError>;
    }

    Hooks as "hooks" {
        async fn ask(&self, region: Option<&str>, function: &HookFunction, event: &Value) -> Result<HookAnswer, CallError>;
    }

    Database as "database" {
        async fn instance_statuses(&self, region: Option<&str>, ids: &[String]) -> Result<Vec<DatabaseStatus>, CallError>;
        async fn cluster_statuses(
            &self,
            region: Option<&str>,
            ids: &[String],
        ) -> Result<Vec<DatabaseClusterStatus>, CallError>;
    }

    Alarms as "alarms" {
        async fn readings(&self, region: Option<&str>, names: &[String]) -> Result<Vec<AlarmReading>, CallError>;
    }

    AlarmDefinitions as "definitions" {
        async fn definition(&self, region: Option<&str>, name: &str) -> Result<Option<AlarmDefinition>, CallError>;
        async fn define(
            &self,
            region: Option<&str>,
            name: &str,
            expected: Option<&AlarmDefinition>,
            wanted: &AlarmDefinition,
            tags: &[(String, String)],
        ) -> Result<(), CallError>;
        async fn remove(&self, region: Option<&str>, name: &str, expected: &AlarmDefinition) -> Result<(), CallError>;
    }

    Notifier as "notifier" {
        async fn publish(&self, topic_arn: Option<&str>, plan: &str, announcement: &Announcement) -> Result<(), CallError>;
    }

    Functions as "functions" {
        async fn nudge(&self, function: Wake, plan: &str) -> Result<(), CallError>;
        async fn ask_executor(&self, question: &Value) -> Result<Value, CallError>;
    }

    Permissions as "permissions" {
        fn account(&self) -> &Account;
        async fn refused(&self, calls: &[Permission]) -> Result<Vec<Refused>, CallError>;
    }

    DatabaseFailover as "databases" {
        async fn instance(&self, region: Option<&str>, id: &str) -> Result<DatabaseInstance, CallError>;
        async fn cluster(&self, region: Option<&str>, id: &str) -> Result<DatabaseCluster, CallError>;
        async fn global(&self, region: Option<&str>, id: &str) -> Result<GlobalDatabase, CallError>;
        async fn reboot_with_failover(&self, region: Option<&str>, id: &str, zone: &str) -> Result<(), CallError>;
        async fn fail_over_cluster(
            &self,
            region: Option<&str>,
            id: &str,
            expected: Option<&str>,
            writer: &str,
        ) -> Result<(), CallError>;
        async fn switch_over_global(
            &self,
            region: Option<&str>,
            id: &str,
            expected: Option<&str>,
            arn: &str,
        ) -> Result<(), CallError>;
        async fn fail_over_global(
            &self,
            region: Option<&str>,
            id: &str,
            expected: Option<&str>,
            arn: &str,
        ) -> Result<(), CallError>;
        async fn promote(&self, region: Option<&str>, id: &str, expected: Option<&str>) -> Result<(), CallError>;
        async fn set_security_groups(
            &self,
            region: Option<&str>,
            id: &str,
            expected: &[String],
            groups: &[String],
        ) -> Result<(), CallError>;
        async fn restarted_since(&self, region: Option<&str>, id: &str, since: Timestamp) -> Result<bool, CallError>;
        async fn restart(&self, region: Option<&str>, id: &str, expected: &[String]) -> Result<(), CallError>;
        async fn stop(&self, region: Option<&str>, id: &str) -> Result<(), CallError>;
        async fn start(&self, region: Option<&str>, id: &str) -> Result<(), CallError>;
    }

    Metrics as "metrics" {
        async fn newest(
            &self,
            region: Option<&str>,
            queries: &[MetricQuery],
            since: Timestamp,
            until: Option<Timestamp>,
        ) -> Result<Vec<Newest>, CallError>;
    }

    Signals as "signals" {
        async fn publish(&self, region: Option<&str>, values: &[(SignalMetric, f64)]) -> Result<(), CallError>;
    }

    ZonalShifts as "shifts" {
        async fn resource(&self, region: Option<&str>, arn: &str) -> Result<ShiftedResource, CallError>;
        async fn start(
            &self,
            region: Option<&str>,
            arn: &str,
            away_from: &str,
            minutes: u32,
            comment: &str,
        ) -> Result<(), CallError>;
        async fn extend(&self, region: Option<&str>, id: &str, minutes: u32, comment: &str) -> Result<(), CallError>;
        async fn cancel(&self, region: Option<&str>, id: &str) -> Result<(), CallError>;
    }

    Accelerators as "accelerators" {
        async fn endpoint_group(&self, arn: &str) -> Result<EndpointGroup, CallError>;
        async fn is_deployed(&self, endpoint_group_arn: &str) -> Result<bool, CallError>;
        async fn dial(&self, arn: &str, expected: &Dial, wanted: &Dial) -> Result<(), CallError>;
    }

    DatabaseSetup as "database_setup" {
        async fn find(&self, region: Option<&str>, id: &str) -> Result<Option<InstanceMade>, CallError>;
        async fn create_replica(
            &self,
            region: Option<&str>,
            replica: &ReadReplica,
            tags: &BTreeMap<String, String>,
        ) -> Result<(), CallError>;
        async fn delete_replica(
            &self,
            region: Option<&str>,
            id: &str,
            expected: &str,
            made_by: &str,
        ) -> Result<(), CallError>;
        async fn set_multi_az(
            &self,
            region: Option<&str>,
            id: &str,
            expected: MultiAz,
            wanted: bool,
            immediately: bool,
        ) -> Result<(), CallError>;
        async fn subscription(&self, region: Option<&str>, name: &str) -> Result<Option<SubscriptionFound>, CallError>;
        async fn put_subscription(
            &self,
            region: Option<&str>,
            name: &str,
            expected: Option<&EventSubscription>,
            wanted: &EventSubscription,
            tags: &BTreeMap<String, String>,
        ) -> Result<(), CallError>;
        async fn delete_subscription(
            &self,
            region: Option<&str>,
            name: &str,
            expected: &EventSubscription,
        ) -> Result<(), CallError>;
    }

    GroupSetup as "group_setup" {
        async fn group_set_up(&self, region: Option<&str>, name: &str) -> Result<Option<GroupSetUp>, CallError>;
        async fn set_settings(
            &self,
            region: Option<&str>,
            name: &str,
            expected: &GroupSettings,
            wanted: &GroupSettings,
        ) -> Result<(), CallError>;
        async fn policy(&self, region: Option<&str>, group: &str, name: &str) -> Result<Option<ScalingPolicy>, CallError>;
        async fn policy_arn(&self, region: Option<&str>, group: &str, name: &str) -> Result<Option<String>, CallError>;
        async fn put_policy(
            &self,
            region: Option<&str>,
            group: &str,
            name: &str,
            expected: Option<&ScalingPolicy>,
            wanted: &ScalingPolicy,
        ) -> Result<(), CallError>;
        async fn delete_policy(
            &self,
            region: Option<&str>,
            group: &str,
            name: &str,
            expected: &ScalingPolicy,
        ) -> Result<(), CallError>;
    }

    HealthChecks as "health_checks" {
        async fn find(&self, prefix: &str) -> Result<Option<HealthCheckFound>, CallError>;
        async fn create(&self, reference: &str, settings: &HealthCheckSettings) -> Result<(), CallError>;
        async fn update(
            &self,
            id: &str,
            expected: &HealthCheckSettings,
            wanted: &HealthCheckSettings,
        ) -> Result<(), CallError>;
        async fn tag(&self, id: &str, tags: &BTreeMap<String, String>, present: bool) -> Result<(), CallError>;
        async fn delete(&self, id: &str, expected: &HealthCheckSettings) -> Result<(), CallError>;
    }
}
