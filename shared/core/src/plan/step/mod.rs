//! Steps: one change to one resource, as the plan states it.
//!
//! Here is only what the plan says, a module for each service: the struct of a kind, and what the kind says of
//! itself ([`StepKind`]). What a step reads, wants and restores is in [`crate::state`]; how it is driven, in
//! [`crate::execution`]. A new kind gets a struct here, its line in `kinds!`, its state there, and one module of the
//! engine's `steps`.

mod alarm;
mod compute;
mod database;
mod database_setup;
mod dns;
mod dns_setup;
mod elb;
mod gate;
mod group_setup;
mod hook;
mod steering;

pub use alarm::{AlarmComparison, AlarmStatistic, AlarmedPolicy, MetricAlarm, MissingData};
pub use compute::{AsgCapacity, AsgZones, Ec2Instance, ElasticIp, InstanceAction};
pub use database::{
    DbInstanceRef, FenceBy, FenceSource, FencedDatabase, OpenDestination, RdsClusterFailover, RdsGlobal,
    RdsPromoteReplica, RdsRebootFailover,
};
pub use database_setup::{EventCategory, EventSource, RdsEventSubscription, RdsMultiAz, RdsReadReplica, ReadReplica};
pub use dns::{Alias, DNS_PROPAGATION_SECONDS, DNS_SAFE_TIMEOUT_SECONDS, DnsRecord, DnsRecords, DnsSite, RecordType};
pub use dns_setup::{DnsFailoverRecords, DnsHealthCheck, FailoverRecord, RequestInterval};
pub use elb::{CheckProtocol, ElbTargets, ElbWeights, TargetGroupHealth, TargetId};
pub use gate::{AwaitApproval, Wait, WaitHealthy};
pub use group_setup::{AsgScalingPolicy, AsgSettings, HealthCheckType};
pub use hook::{Invoke, InvokeUndo, MAX_PAYLOAD_BYTES};
pub use steering::{AcceleratorDial, AlarmWhen, DialSite, DnsSignal, HEALTH_CHECK_TIMEOUT_SECONDS, Signal, ZonalShift};

use super::Site;
use crate::execution::Style;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What every step has.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StepCommon {
    /// The step's name, unique in the plan.
    #[schemars(regex(pattern = r"^[a-z0-9][a-z0-9-]{0,62}$"))]
    pub name: String,
    /// How long the step may take, repeats included. Without it: 120 seconds; of `elb_targets` 420, since its old targets
    /// drain for 300 seconds unless their group says otherwise.
    #[serde(default = "two_minutes")]
    #[schemars(range(min = 5, max = 3600))]
    pub timeout_seconds: u32,
    /// In which moves it is done: in those whose source still works (`planned`), in the others, or in all.
    #[serde(default)]
    pub when: When,
    /// What happens when it can not be done.
    #[serde(default)]
    pub on_failure: OnFailure,
    /// How often an error that may pass (throttling, a fault of the service, no answer) is answered with another try.
    /// Without it: as often as the timeout lets it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 1000))]
    pub retry_budget: Option<u32>,
    /// Steps that stand side by side and name the same group are begun together, and waited for together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^[a-z0-9][a-z0-9-]{0,62}$"))]
    pub group: Option<String>,
    /// The resource's Region, if it is not the plan's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^[a-z]{2}(-[a-z]+)+-[0-9]$"))]
    pub region: Option<String>,
}

/// What happens when a step can not be done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnFailure {
    /// Undo what was done, in reverse order.
    #[default]
    Rollback,
    /// Leave everything as it is and call a person.
    Halt,
    /// Go on without it. It stays on the record as failed.
    Continue,
}

/// In which moves a step is done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// In all.
    #[default]
    Always,
    /// Where the source still works.
    Planned,
    /// Where it does not, or is no longer waited for.
    Unplanned,
}

impl When {
    /// Whether a move of this style does the step.
    pub fn includes(self, style: Style) -> bool {
        match self {
            Self::Always => true,
            Self::Planned => style == Style::Planned,
            Self::Unplanned => style == Style::Unplanned,
        }
    }

    /// As plan files spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Always => "always",
            Self::Planned => "planned",
            Self::Unplanned => "unplanned",
        }
    }
}

/// Whether a step can be taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reversibility {
    /// Its pre-state is restored exactly.
    Reversible,
    /// What it did can be made up for by doing the opposite, which is an interruption of its own.
    Compensable,
    /// It can not be taken back. Once it was called, an execution no longer turns round by itself.
    Irreversible,
    /// There is nothing to take back.
    Nothing,
}

/// What each kind of step says of itself, beside what every step has.
pub trait StepKind {
    /// Whether it can be taken back.
    fn reversibility(&self) -> Reversibility {
        Reversibility::Reversible
    }
    /// Whether it can lose data in a move of this style, so that it needs consent ([`crate::decide::consent`]).
    fn is_lossy(&self, style: Style) -> bool {
        let _ = style;
        false
    }
    /// What is allowed, and will hurt on a bad day, with the field that it is about.
    fn warning(&self) -> Option<(&'static str, String)> {
        None
    }
    /// Whether it makes or adjusts something once, so that moves can work: such kinds may stand in `setup`.
    fn is_setup(&self) -> bool {
        false
    }
    /// Whether it changes nothing, and only waits.
    fn is_gate(&self) -> bool {
        false
    }
    /// The resources that the step names for `site` alone.
    fn resources_of(&self, site: &str) -> Vec<&str> {
        let _ = site;
        Vec::new()
    }
    /// The resources that the step names for the whole plan: a listener, a zone, a record.
    fn shared_resources(&self) -> Vec<&str> {
        Vec::new()
    }
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident => $name:literal),+ $(,)?) => {
        /// One change to one resource, or one gate.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
        #[serde(tag = "kind")]
        pub enum Step {
            $($(#[$doc])* #[serde(rename = $name)] $kind($kind)),+
        }

        impl Step {
            /// What the step says of itself.
            pub fn as_kind(&self) -> &dyn StepKind {
                match self {
                    $(Self::$kind(step) => step),+
                }
            }

            /// What every step has.
            pub fn common(&self) -> &StepCommon {
                match self {
                    $(Self::$kind(step) => &step.common),+
                }
            }

            /// The same, to be changed.
            pub fn common_mut(&mut self) -> &mut StepCommon {
                match self {
                    $(Self::$kind(step) => &mut step.common),+
                }
            }

            /// The kind, as plan files spell it.
            pub fn kind(&self) -> &'static str {
                match self {
                    $(Self::$kind(_) => $name),+
                }
            }
        }
    };
}

kinds! {
    /// Weights of the forward action of a listener or a rule.
    ElbWeights => "elb_weights",
    /// Targets of one target group: the destination's are registered, the source's deregistered.
    ElbTargets => "elb_targets",
    /// Records of a hosted zone, changed by compare-and-set.
    DnsRecords => "dns_records",
    /// A metric that health checks of Route 53 follow.
    DnsSignal => "dns_signal",
    /// A zone from which a load balancer or an Auto Scaling group keeps its traffic away.
    ZonalShift => "zonal_shift",
    /// Dials of Global Accelerator's endpoint groups, or weights within one.
    AcceleratorDial => "accelerator_dial",
    /// A health check of Route 53.
    DnsHealthCheck => "dns_health_check",
    /// The primary and the secondary record of a name.
    DnsFailoverRecords => "dns_failover_records",
    /// Cuts writes to the source's database.
    FenceSource => "fence_source",
    /// Lets clients into the destination's database.
    OpenDestination => "open_destination",
    /// A Multi-AZ instance fails over to its standby.
    RdsRebootFailover => "rds_reboot_failover",
    /// Another member of a cluster becomes its writer.
    RdsClusterFailover => "rds_cluster_failover",
    /// Another Region's cluster becomes the primary of a global database.
    RdsGlobal => "rds_global",
    /// A read replica becomes a database of its own.
    RdsPromoteReplica => "rds_promote_replica",
    /// A read replica is made.
    RdsReadReplica => "rds_read_replica",
    /// A DB instance gets a standby in another zone.
    RdsMultiAz => "rds_multi_az",
    /// RDS tells a topic what happens to databases.
    RdsEventSubscription => "rds_event_subscription",
    /// The size of the destination's Auto Scaling group.
    AsgCapacity => "asg_capacity",
    /// The zones of an Auto Scaling group.
    AsgZones => "asg_zones",
    /// Where an Auto Scaling group launches, and how it judges its instances.
    AsgSettings => "asg_settings",
    /// A step scaling policy of an Auto Scaling group.
    AsgScalingPolicy => "asg_scaling_policy",
    /// Instances that are started, or stopped.
    Ec2Instance => "ec2_instance",
    /// An Elastic IP address.
    ElasticIp => "elastic_ip",
    /// The health check of a target group.
    TargetGroupHealth => "target_group_health",
    /// A CloudWatch alarm on one metric.
    MetricAlarm => "metric_alarm",
    /// A user's function, which does what no other kind does, or says no.
    Invoke => "invoke",
    /// A gate: goes on when the destination is healthy.
    WaitHealthy => "wait_healthy",
    /// A gate: goes on when a time has passed.
    Wait => "wait",
    /// A gate: goes on when a person says yes.
    AwaitApproval => "approval",
}

impl Step {
    /// The step's name, unique in its plan.
    pub fn name(&self) -> &str {
        &self.common().name
    }

    /// Whether it names the resource, for the whole plan or for one of its sites.
    pub fn names(&self, resource: &str, sites: &[Site]) -> bool {
        let kind = self.as_kind();
        kind.shared_resources().contains(&resource)
            || sites
                .iter()
                .any(|site| kind.resources_of(&site.name).contains(&resource))
    }

    /// Whether both change the same thing: of one kind, in one Region, with the same resources named.
    pub fn changes_same_as(&self, other: &Self, sites: &[Site]) -> bool {
        let named = |step: &Self| -> Vec<String> {
            let kind = step.as_kind();
            let of_sites = sites.iter().flat_map(|site| kind.resources_of(&site.name));
            let mut named: Vec<String> = kind
                .shared_resources()
                .into_iter()
                .chain(of_sites)
                .map(str::to_owned)
                .collect();
            named.sort();
            named
        };
        self.kind() == other.kind() && self.common().region == other.common().region && named(self) == named(other)
    }

    /// The item of a setup as it is made, with its Region, while `site` carries the plan.
    pub fn as_set_up(&self, region: Option<&String>, site: &str) -> Self {
        let mut step = match self {
            Self::RdsReadReplica(step) => Self::RdsReadReplica(step.made_at(site)),
            step => step.clone(),
        };
        let common = step.common_mut();
        common.region = common.region.take().or_else(|| region.cloned());
        step
    }

    /// Whether it verifiably cuts the writes to the source's database.
    pub fn fences_source(&self) -> bool {
        match self {
            Self::FenceSource(_) => true,
            Self::Invoke(step) => step.fences_source,
            _ => false,
        }
    }

    /// Whether it only waits.
    pub fn is_gate(&self) -> bool {
        self.as_kind().is_gate()
    }

    /// Whether a move of this style does it, and can lose data by it.
    pub fn is_lossy(&self, style: Style) -> bool {
        self.common().when.includes(style) && self.as_kind().is_lossy(style)
    }
}

impl StepCommon {
    /// The warning that the step is given less time than what it does usually takes.
    fn warns_of_less_than(&self, seconds: u32, why: &str) -> Option<(&'static str, String)> {
        (self.timeout_seconds < seconds).then(|| {
            let message = format!(
                "{} s may be too short: {why}. A step that is not done in its time is undone; give it {seconds} s or more",
                self.timeout_seconds
            );
            ("timeout_seconds", message)
        })
    }
}

fn two_minutes() -> u32 {
    120
}
