//! The state of the resources that steps change: what was read, what is wanted, and what undo restores.
//!
//! [`ResourceState`] is recorded as the *pre-state* before the first call of a step. Restoring it exactly is
//! what rolling back means, so it holds all that a restoring call needs and nothing that may differ by then.

mod alarm;
mod compute;
mod database;
mod difference;
mod dns_setup;
mod events;
mod group_setup;
mod steering;
mod target_health;
mod traffic;

pub use alarm::{AlarmDefinition, Threshold, wanted_alarm};
pub use compute::{
    Association, GroupSize, Power, RaisedGroup, SourceCount, WantedSize, wanted_association, wanted_back, wanted_power,
    wanted_size, wanted_subnets,
};
pub use database::{MultiAz, ReplicaMade, fenced_groups, open_groups, same_database};
pub use dns_setup::{HealthCheckMade, HealthCheckSettings, wanted_failover_records, wanted_health_check};
pub use events::{EventSubscription, wanted_events};
pub use group_setup::{GroupSettings, ScalingPolicy, ScalingStep, wanted_policy, wanted_settings};
pub use steering::{
    Dial, Dials, Percent, Shift, is_on_the_way, next_dial, signalled, wanted_dials, wanted_shift, wanted_signals,
};
pub use target_health::{HealthCheck, Matcher, wanted_target_health};
pub use traffic::{
    RecordChange, RecordSet, TargetWeight, absolute, record_changes, unescaped, unlike_plan, wanted_records,
    wanted_targets, wanted_weights,
};

use crate::plan::TargetId;

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a step found, or wants to find.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ResourceState {
    /// The forward action of a listener or rule.
    ElbWeights {
        /// Its target groups with their weights, in the order in which the API keeps them.
        weights: Vec<TargetWeight>,
    },
    /// Record sets of a hosted zone.
    DnsRecords {
        /// The sets that the step is about. A set that does not exist is not listed.
        records: Vec<RecordSet>,
    },
    /// A health check of Route 53.
    DnsHealthCheck {
        /// None if the step has made none.
        check: Option<HealthCheckMade>,
    },
    /// The Availability Zone of a Multi-AZ DB instance.
    DbZone {
        /// The zone.
        zone: String,
    },
    /// Who takes the writes of a cluster (a DB instance) or of a global database (a cluster's ARN).
    DbWriter {
        /// The writer; none while there is none.
        writer: Option<String>,
    },
    /// Whether a DB instance is a read replica.
    DbReplica {
        /// What it replicates; none if it is a database of its own.
        replica_of: Option<String>,
    },
    /// What there is under the identifier of a read replica that a step makes.
    DbReadReplica {
        /// None if there is no such instance.
        replica: Option<ReplicaMade>,
    },
    /// The standby of a DB instance.
    DbMultiAz(MultiAz),
    /// A subscription to events of databases.
    RdsEventSubscription {
        /// None if there is none of its name.
        subscription: Option<EventSubscription>,
    },
    /// Who is let into a database.
    DbAccess {
        /// Its security groups, in order.
        security_groups: Vec<String>,
        /// Whether it was restarted behind them, which cuts the connections that were open before.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        connections_cut: bool,
    },
    /// Whether a DB instance runs.
    DbPower {
        /// What it is, or is becoming.
        power: Power,
    },
    /// The targets of a target group.
    ElbTargets {
        /// Those of the plan that are registered, in order. One that drains is not.
        targets: Vec<TargetId>,
    },
    /// The size of an Auto Scaling group.
    AsgCapacity {
        /// The site whose group it is.
        site: String,
        /// Its bounds and its desired capacity.
        size: GroupSize,
        /// Whether a larger desired capacity is as good. A wanted one is a floor, beyond which a scaling policy may go
        /// at any time; one that was found is exact.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        at_least: bool,
    },
    /// The subnets of an Auto Scaling group.
    AsgZones {
        /// All of them, in order.
        subnets: Vec<String>,
    },
    /// Settings of an Auto Scaling group.
    AsgSettings {
        /// Those that the step names.
        settings: GroupSettings,
    },
    /// A scaling policy.
    AsgScalingPolicy {
        /// None if there is none of its name.
        policy: Option<ScalingPolicy>,
    },
    /// The power of instances.
    Ec2Instance {
        /// Each by its id.
        instances: BTreeMap<String, Power>,
    },
    /// The place of an address.
    ElasticIp {
        /// What it is associated with, if anything.
        association: Option<Association>,
    },
    /// The signals that health checks follow.
    DnsSignal {
        /// Whether each calls its site active, by site.
        active: BTreeMap<String, bool>,
    },
    /// The zone that is left.
    ZonalShift {
        /// The shift, if there is one.
        shift: Option<Shift>,
    },
    /// Endpoint groups of Global Accelerator.
    AcceleratorDial {
        /// Each by its ARN.
        dials: Dials,
    },
    /// The health check of a target group.
    TargetGroupHealth {
        /// All of it.
        check: HealthCheck,
    },
    /// An alarm on a metric.
    MetricAlarm {
        /// All of it; none if there is no alarm of this name.
        alarm: Option<Box<AlarmDefinition>>,
    },
    /// What a hook has done. Nobody can read it: it is what the execution's own record says.
    Hook {
        /// Whether it has answered that it is done, and has not been asked to undo it since.
        done: bool,
    },
    /// A gate has none.
    Gate,
}

impl ResourceState {
    /// One line for people.
    pub fn sentence(&self) -> String {
        match self {
            Self::ElbWeights { weights } => weights
                .iter()
                .map(|target| {
                    format!(
                        "{}={}",
                        traffic::short_target_group(&target.target_group_arn),
                        target.weight
                    )
                })
                .collect::<Vec<_>>()
                .join(" "),
            Self::DnsRecords { records } if records.is_empty() => "no record".into(),
            Self::DnsRecords { records } => records.iter().map(RecordSet::sentence).collect::<Vec<_>>().join(", "),
            Self::DnsHealthCheck { check: None } => "no health check".into(),
            Self::DnsHealthCheck { check: Some(check) } => check.sentence(),
            Self::DbZone { zone } => format!("in {zone}"),
            Self::DbWriter { writer: Some(writer) } => format!("writer {writer}"),
            Self::DbWriter { writer: None } => "no writer".into(),
            Self::DbReplica {
                replica_of: Some(source),
            } => format!("a replica of {source}"),
            Self::DbReplica { replica_of: None } => "a database of its own".into(),
            Self::DbReadReplica { replica: None } => "no such instance".into(),
            Self::DbReadReplica { replica: Some(replica) } => replica.sentence(),
            Self::DbMultiAz(multi_az) => multi_az.sentence(),
            Self::RdsEventSubscription { subscription: None } => "no such subscription".into(),
            Self::RdsEventSubscription {
                subscription: Some(subscription),
            } => subscription.sentence(),
            Self::DbAccess {
                security_groups,
                connections_cut,
            } => {
                let behind = if *connections_cut { ", restarted behind it" } else { "" };
                format!("lets in {}{behind}", security_groups.join(" + "))
            }
            Self::DbPower { power } => power.as_str().into(),
            Self::ElbTargets { targets } if targets.is_empty() => "no target of the plan".into(),
            Self::ElbTargets { targets } => {
                joined(targets.iter().map(|target| format!("{}:{}", target.id, target.port)))
            }
            Self::AsgCapacity { site, size, at_least } => format!("{site}: {}", size.sentence(*at_least)),
            Self::AsgZones { subnets } => joined(subnets.iter().cloned()),
            Self::AsgSettings { settings } => settings.sentence(),
            Self::AsgScalingPolicy { policy: None } => "no such policy".into(),
            Self::AsgScalingPolicy { policy: Some(policy) } => policy.sentence(),
            Self::Ec2Instance { instances } => {
                joined(instances.iter().map(|(id, power)| format!("{id} {}", power.as_str())))
            }
            Self::ElasticIp { association: None } => "associated with nothing".into(),
            Self::ElasticIp {
                association: Some(association),
            } => format!("associated with {}", association.sentence()),
            Self::DnsSignal { active } => joined(
                active
                    .iter()
                    .map(|(site, active)| format!("{site} {}", if *active { "active" } else { "not active" })),
            ),
            Self::ZonalShift { shift: None } => "no zonal shift".into(),
            Self::ZonalShift { shift: Some(shift) } => shift.sentence(),
            Self::AcceleratorDial { dials } => joined(dials.iter().map(|(arn, dial)| dial.sentence(arn))),
            Self::TargetGroupHealth { check } => check.sentence(),
            Self::MetricAlarm { alarm: None } => "no alarm".into(),
            Self::MetricAlarm { alarm: Some(alarm) } => alarm.sentence(),
            Self::Hook { done: true } => "done by its function".into(),
            Self::Hook { done: false } => "not done by its function".into(),
            Self::Gate => "a gate".into(),
        }
    }

    /// Whether both describe the same thing, whatever the order in which the API lists it. A zonal shift is the same as
    /// one that ends earlier, but not the other way round: what is shall last at least as long as what is wanted.
    pub fn same_as(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::ElbWeights { weights: left }, Self::ElbWeights { weights: right }) => {
                traffic::sorted(left) == traffic::sorted(right)
            }
            (Self::DnsRecords { records: left }, Self::DnsRecords { records: right }) => {
                left.len() == right.len()
                    && left
                        .iter()
                        .all(|record| right.iter().any(|other| traffic::same_record(record, other)))
            }
            (
                Self::AsgCapacity { size, at_least, .. },
                Self::AsgCapacity {
                    size: other,
                    at_least: other_at_least,
                    ..
                },
            ) => {
                let enough =
                    (*other_at_least && size.desired >= other.desired) || (*at_least && other.desired >= size.desired);
                size.has_bounds_of(*other) && (size.desired == other.desired || enough)
            }
            (
                Self::ElasticIp {
                    association: Some(left),
                },
                Self::ElasticIp {
                    association: Some(right),
                },
            ) => left.same_as(right),
            (Self::ZonalShift { shift: Some(left) }, Self::ZonalShift { shift: Some(right) }) => {
                left.is_as_good_as(right)
            }
            (Self::DbReadReplica { replica: Some(left) }, Self::DbReadReplica { replica: Some(right) }) => {
                left.same_as(right)
            }
            (Self::DnsHealthCheck { check: Some(left) }, Self::DnsHealthCheck { check: Some(right) }) => {
                left.same_as(right)
            }
            (Self::DbMultiAz(left), Self::DbMultiAz(right)) => left.same_as(*right),
            (
                Self::RdsEventSubscription {
                    subscription: Some(left),
                },
                Self::RdsEventSubscription {
                    subscription: Some(right),
                },
            ) => left.same_as(right),
            (Self::MetricAlarm { alarm: Some(left) }, Self::MetricAlarm { alarm: Some(right) }) => left.same_as(right),
            (left, right) => left == right,
        }
    }
}

// What a call sends, by the names of its API.
fn parameters<'a>(stated: impl IntoIterator<Item = (&'a str, Option<String>)>) -> String {
    let stated = stated.into_iter();
    joined(stated.filter_map(|(name, value)| Some(format!("{name}={}", value?))))
}

fn joined(words: impl Iterator<Item = String>) -> String {
    words.collect::<Vec<_>>().join(", ")
}
