//! One module for each kind of step, all in one shape.
//!
//! A kind says what it is ([`Facts`]) and does three things: *read* what is and what is wanted, *change* the
//! one into the other with a single mutating call (or say which states lie between, where it takes several), and say
//! whether a change has *settled*. Undo is no fourth thing: it is a change from what is to the recorded pre-state.
//! Repeats, deadlines, intents and lost replies belong to the executor and are the same for every kind.
//!
//! | to add a kind | where |
//! |---|---|
//! | what the plan says | a struct in `core::plan::step`, which says of itself what it is (`StepKind`) |
//! | what it reads and restores | a variant of `core::state::ResourceState` and a pure `wanted_…` |
//! | how | a module here, and its arm in [`driver`] |

mod accelerator_dial;
mod asg_capacity;
mod asg_scaling_policy;
mod asg_settings;
mod asg_zones;
mod database;
mod dns_failover_records;
mod dns_health_check;
mod dns_records;
mod dns_signal;
mod ec2_instance;
mod elastic_ip;
mod elb_targets;
mod elb_weights;
mod invoke;
mod metric_alarm;
mod target_group_health;
mod wait_healthy;
mod waits;
mod zonal_shift;
mod zone;
use crate::actions::{SETUP_TAG, TAG};
use crate::ports::{
    Accelerators, Account, AlarmDefinitions, Alarms, CallError, Clock, Compute, DatabaseFailover, DatabaseSetup, Dns,
    GroupSetup, Groups, HealthChecks, Hooks, Metrics, Permission, Signals, TagsOf, Traffic, ZonalShifts,
};
use crate::store::Store;
use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use understudy_core::execution::{Direction, StepRun, Style};
use understudy_core::plan::{FenceBy, Plan, Step};
use understudy_core::preflight::Weight;
use understudy_core::state::ResourceState;

/// How long the reads of most services lag behind their calls at most.
const READ_LAG: SignedDuration = SignedDuration::from_secs(6);

/// Which plane a step's calls use. On a Region's bad day its control planes may be down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Plane {
    /// Configuration calls.
    Control,
    /// Calls that are made to work while control planes are down.
    Data,
    /// It calls nothing of AWS but the table.
    None,
}

/// What a kind of step is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Facts {
    /// The plane of its calls.
    pub plane: Plane,
    /// The IAM actions that it reads with.
    pub reads: &'static [&'static str],
    /// The IAM actions that it changes with.
    pub changes: &'static [&'static str],
}

/// What a step found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// What is.
    pub current: ResourceState,
    /// What is wanted.
    pub wanted: ResourceState,
    /// For a gate: whether it lets go on. For a change: whether what it brought about can be relied on too (instances
    /// in service, targets healthy): until then it is verified again.
    pub open: bool,
    /// What was found, for people.
    pub note: String,
    /// Why the step must not begin, if it must not. Asked before the intent only: what has begun is verified.
    pub blocked: Option<String>,
    /// If it is blocked by nothing but what other steps of the plan have not made yet: their names. `wanted` is then as
    /// it will be, with what only their calls will tell in words.
    pub rests_on: Vec<String>,
    /// Why the resource takes no call now, if it does not: see [`Driver::holds`].
    pub hold: Option<String>,
    /// Whether the resource is at work on such a change now, and reads as before until its end.
    pub under_way: bool,
    /// Before this time nothing comes of looking again, unless a person says something.
    pub until: Option<Timestamp>,
}

/// What a rehearsal brought up beside what reading tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How much it weighs.
    pub weight: Weight,
    /// What was found, of what, and what to do.
    pub message: String,
}

impl Finding {
    /// Of this weight.
    pub fn new(weight: Weight, message: impl Into<String>) -> Self {
        Self {
            weight,
            message: message.into(),
        }
    }
}

/// The move that a step is part of.
#[derive(Clone, Debug, PartialEq)]
pub struct Goal {
    /// The site that carries the plan.
    pub from: String,
    /// The site that shall.
    pub to: String,
    /// Whether the source still works.
    pub style: Style,
    /// When the step was begun, once it was. Never in a dry run.
    pub started_at: Option<Timestamp>,
    /// The execution that it is done for. None in a dry run.
    pub doing: Option<Doing>,
}

/// The execution that a step is done for, and where the step stands in it.
#[derive(Clone, Debug, PartialEq)]
pub struct Doing {
    /// The execution's id.
    pub execution: String,
    /// The epoch of who does it.
    pub epoch: u64,
    /// Which way the execution goes.
    pub direction: Direction,
    /// The step's record.
    pub run: StepRun,
    /// Whether a step before it has verifiably cut the writes to the source.
    pub fenced: bool,
}

impl Reading {
    /// Whether nothing is to be changed or waited for.
    pub fn is_satisfied(&self) -> bool {
        self.open && self.current.same_as(&self.wanted)
    }

    /// The reading of a change.
    pub fn of_change(current: ResourceState, wanted: ResourceState) -> Self {
        Self {
            note: current.sentence(),
            current,
            wanted,
            open: true,
            blocked: None,
            rests_on: Vec::new(),
            hold: None,
            under_way: false,
            until: None,
        }
    }

    /// The reading of a gate.
    pub fn of_gate(open: bool, note: String) -> Self {
        Self {
            current: ResourceState::Gate,
            wanted: ResourceState::Gate,
            open,
            note,
            blocked: None,
            rests_on: Vec::new(),
            hold: None,
            under_way: false,
            until: None,
        }
    }

    /// The same, at which nobody needs to look before this time.
    pub fn quiet_until(self, until: Option<Timestamp>) -> Self {
        Self { until, ..self }
    }

    /// The same of a change that can not be relied on yet, unless `open`; with what was found, for people.
    pub fn opened(self, open: bool, note: String) -> Self {
        Self { open, note, ..self }
    }

    /// The same, which must not begin for this reason.
    pub fn blocked_by(self, why: Option<String>) -> Self {
        Self { blocked: why, ..self }
    }

    /// The same, which is blocked by nothing but that these steps of the plan have not made what it needs.
    pub fn resting_on(self, steps: Vec<String>) -> Self {
        Self {
            rests_on: steps,
            ..self
        }
    }

    /// The same, which is not in effect yet, or does not take a call now, for this reason.
    pub fn held_by(self, why: Option<String>) -> Self {
        Self {
            open: why.is_none(),
            hold: why,
            ..self
        }
    }

    /// The same of a resource that is, or is not, at work on such a change and reads as before until its end.
    pub fn under_way(self, under_way: bool) -> Self {
        Self { under_way, ..self }
    }

    /// The same, held by nothing but the work of the resource itself, which may be such a change.
    pub fn busy_with(self, why: Option<String>) -> Self {
        let busy = why.is_some();
        self.held_by(why).under_way(busy)
    }
}

/// One step of one plan, bound to the ports that it uses.
#[async_trait]
pub trait Driver: Send + Sync {
    /// What the kind is.
    fn facts(&self) -> Facts;
    /// Reads what is, and works out what is wanted at the end of the move.
    async fn read(&self, goal: &Goal) -> Result<Reading, CallError>;
    /// Turns `from` into `into` with one mutating call, refused if it is not `from` any more.
    /// Answers what [`Driver::settled`] asks about, if anything.
    async fn change(
        &self,
        from: &ResourceState,
        into: &ResourceState,
        comment: &str,
    ) -> Result<Option<String>, CallError>;
    /// Whether the change has reached everybody.
    async fn settled(&self, receipt: &str) -> Result<bool, CallError> {
        let _ = receipt;
        Ok(true)
    }
    /// Whether `now` is a state that changing `from` into `into` passes through, because it takes several calls: then it
    /// is nobody else's doing, and the next call is made from there.
    fn is_between(&self, from: &ResourceState, now: &ResourceState, into: &ResourceState) -> bool {
        let _ = (from, now, into);
        false
    }
    /// Whether one [`Driver::change`] from `from` is enough. After one that is not, the resource is read again and the
    /// next call is made.
    fn is_last_call(&self, from: &ResourceState, into: &ResourceState) -> bool {
        let _ = (from, into);
        true
    }
    /// Why the next call has to wait, if it must: the resource takes none now, or the call before has not done its work
    /// yet. `back` when the calls undo.
    async fn holds(&self, reading: &Reading, into: &ResourceState, back: bool) -> Result<Option<String>, CallError> {
        let _ = (into, back);
        Ok(reading.hold.clone())
    }
    /// Whether undo has nothing more to do: the resource is again as it was found.
    fn is_restored(&self, current: &ResourceState, pre_state: &ResourceState) -> bool {
        current.same_as(pre_state)
    }
    /// For calls that must not be made twice: how long after one that was not seen to work the resource must still read
    /// as before, until it is taken to have had no effect. `None`: a repeat of the call from `from` does no harm.
    fn repeat_after(&self, from: &ResourceState, into: &ResourceState) -> Option<SignedDuration> {
        let _ = (from, into);
        None
    }
    /// Why a teardown leaves alone what it would delete, though it is what setup made: its tags say that it is somebody
    /// else's by now. What is not deleted is restored, whatever its tags are.
    fn not_ours(&self, current: &ResourceState, into: &ResourceState) -> Option<String> {
        let _ = (current, into);
        None
    }
    /// How long a read may lag behind a call: a resource that still reads as before after that was not changed.
    fn read_lag(&self) -> SignedDuration {
        READ_LAG
    }
    /// How long a change generally takes to reach everybody, where [`Driver::settled`] must be asked. That long is
    /// waited when the answer of [`Driver::change`] was lost and nobody can be asked.
    fn propagation(&self) -> Option<SignedDuration> {
        None
    }
    /// What a move would run into beyond what reading tells: asked in preflight, on a quiet day. It changes nothing: calls
    /// that can be rehearsed are (EC2's `DryRun`).
    async fn rehearse(&self, goal: &Goal, reading: &Reading) -> Result<Vec<Finding>, CallError> {
        let _ = (goal, reading);
        Ok(Vec::new())
    }
    /// The changing calls that such a move makes, and those that undo it, as the executor's role must allow them: for the
    /// policy simulator, so none that [`Driver::rehearse`] has tried.
    fn permissions(&self, goal: &Goal, account: &Account) -> Vec<Permission> {
        let _ = (goal, account);
        Vec::new()
    }
    /// The calls that [`Driver::change`] would make, for a dry run.
    fn calls(&self, from: &ResourceState, into: &ResourceState) -> Vec<String>;
}

/// What drivers need of the world.
#[derive(Clone)]
pub struct StepPorts {
    /// Elastic Load Balancing.
    pub traffic: Arc<dyn Traffic>,
    /// Route 53.
    pub dns: Arc<dyn Dns>,
    /// Route 53's health checks.
    pub health_checks: Arc<dyn HealthChecks>,
    /// EC2.
    pub compute: Arc<dyn Compute>,
    /// EC2 Auto Scaling.
    pub groups: Arc<dyn Groups>,
    /// EC2 Auto Scaling, for what is adjusted once.
    pub group_setup: Arc<dyn GroupSetup>,
    /// CloudWatch alarms.
    pub alarms: Arc<dyn Alarms>,
    /// What alarms are.
    pub definitions: Arc<dyn AlarmDefinitions>,
    /// CloudWatch metrics.
    pub metrics: Arc<dyn Metrics>,
    /// CloudWatch metrics that health checks follow.
    pub signals: Arc<dyn Signals>,
    /// ARC zonal shift.
    pub shifts: Arc<dyn ZonalShifts>,
    /// Global Accelerator.
    pub accelerators: Arc<dyn Accelerators>,
    /// Users' functions.
    pub hooks: Arc<dyn Hooks>,
    /// RDS.
    pub databases: Arc<dyn DatabaseFailover>,
    /// RDS, for what is made once.
    pub database_setup: Arc<dyn DatabaseSetup>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Observations.
    pub store: Store,
    /// The stack's own topic, for plans that name none.
    pub topic_arn: Option<String>,
}

/// The driver of a step of a move.
pub fn driver(ports: &StepPorts, plan: &Plan, step: &Step, goal: &Goal) -> Box<dyn Driver> {
    let region = step.common().region.clone().or_else(|| plan.region.clone());
    match step {
        Step::ElbWeights(step) => Box::new(elb_weights::ElbWeightsDriver::new(
            ports.traffic.clone(),
            step.clone(),
            region,
        )),
        Step::ElbTargets(step) => Box::new(elb_targets::ElbTargetsDriver::new(ports, step.clone(), region)),
        Step::AsgCapacity(step) => Box::new(asg_capacity::AsgCapacityDriver::new(ports, step.clone(), region)),
        Step::AsgZones(step) => Box::new(asg_zones::AsgZonesDriver::new(ports, step.clone(), region)),
        Step::AsgSettings(step) => Box::new(asg_settings::AsgSettingsDriver::new(ports, step.clone(), region)),
        Step::AsgScalingPolicy(step) => Box::new(asg_scaling_policy::AsgScalingPolicyDriver::new(
            ports,
            step.clone(),
            region,
        )),
        Step::Ec2Instance(step) => Box::new(ec2_instance::Ec2InstanceDriver::new(ports, step.clone(), region)),
        Step::ElasticIp(step) => Box::new(elastic_ip::ElasticIpDriver::new(ports, step.clone(), region)),
        Step::DnsRecords(step) => Box::new(dns_records::DnsRecordsDriver::new(ports.dns.clone(), step.clone())),
        Step::DnsSignal(step) => Box::new(dns_signal::DnsSignalDriver::new(ports, step.clone(), region)),
        Step::ZonalShift(step) => Box::new(zonal_shift::ZonalShiftDriver::new(ports, plan, step.clone(), region)),
        Step::AcceleratorDial(step) => Box::new(accelerator_dial::AcceleratorDialDriver::new(ports, step.clone())),
        Step::DnsHealthCheck(step) => Box::new(dns_health_check::DnsHealthCheckDriver::new(
            ports,
            plan,
            step.clone(),
            goal,
        )),
        Step::DnsFailoverRecords(step) => Box::new(dns_failover_records::DnsFailoverRecordsDriver::new(
            ports,
            plan,
            step.clone(),
        )),
        Step::FenceSource(step) if step.by == FenceBy::Stop => {
            Box::new(database::PowerDriver::fence(ports, step, goal, region))
        }
        Step::FenceSource(step) => Box::new(database::AccessDriver::fence(ports, step, goal, region)),
        Step::OpenDestination(step) if step.by == FenceBy::Stop => {
            Box::new(database::PowerDriver::open(ports, step, goal, region))
        }
        Step::OpenDestination(step) => Box::new(database::AccessDriver::open(ports, step, goal, region)),
        Step::RdsRebootFailover(step) => Box::new(database::RebootDriver::new(ports, step.clone(), region)),
        Step::RdsClusterFailover(step) => Box::new(database::ClusterDriver::new(ports, step.clone(), region)),
        Step::RdsGlobal(step) => Box::new(database::GlobalDriver::new(ports, step.clone(), goal)),
        Step::RdsPromoteReplica(step) => {
            Box::new(database::PromoteDriver::new(ports, plan, step.clone(), goal, region))
        }
        Step::RdsReadReplica(step) => Box::new(database::ReplicaDriver::new(ports, plan, step, goal, region)),
        Step::RdsEventSubscription(step) => Box::new(database::EventsDriver::new(ports, plan, step.clone(), region)),
        Step::RdsMultiAz(step) => Box::new(database::MultiAzDriver::new(ports, step.clone(), region)),
        Step::TargetGroupHealth(step) => Box::new(target_group_health::TargetGroupHealthDriver::new(
            ports,
            step.clone(),
            region,
        )),
        Step::MetricAlarm(step) => Box::new(metric_alarm::MetricAlarmDriver::new(ports, plan, step.clone(), region)),
        Step::Invoke(step) => Box::new(invoke::InvokeDriver::new(ports, &plan.name, step.clone(), goal, region)),
        Step::Wait(step) => Box::new(waits::WaitDriver::new(ports, step.clone())),
        Step::AwaitApproval(step) => Box::new(waits::ApprovalDriver::new(step.clone())),
        Step::WaitHealthy(step) => Box::new(wait_healthy::WaitHealthyDriver::new(ports, plan.clone(), step.clone())),
    }
}

// The Region of a site's resource: its own, or the step's.
fn region_of_site<'a>(regions: &'a BTreeMap<String, String>, site: &str, step: Option<&'a String>) -> Option<&'a str> {
    regions.get(site).or(step).map(String::as_str)
}

// To do this to an Auto Scaling group. The unique part of its ARN is nothing that a policy could know, so any will do.
fn group_permission(account: &Account, action: &'static str, region: Option<&str>, name: &str) -> Permission {
    let unique = "00000000-0000-0000-0000-000000000000";
    let resource = format!("autoScalingGroup:{unique}:autoScalingGroupName/{name}");
    let tags_of = TagsOf::Group(region.map(str::to_owned), name.to_owned());
    Permission::new(action, account.arn("autoscaling", region, &resource)).tagged(tags_of)
}

// To do this to a load balancer or a target group.
fn balancing_permission(action: &'static str, region: Option<&str>, arn: &str) -> Permission {
    let tags_of = TagsOf::Balancing(region.map(str::to_owned), arn.to_owned());
    Permission::new(action, arn).tagged(tags_of)
}

// The topic that is told by what is made: the plan's, or else the stack's own, if what is in this Region can reach it. AWS
// lets alarms and events go to topics of their own Region only.
fn own_topic(ports: &StepPorts, plan: &Plan, region: Option<&str>) -> Option<String> {
    let reaches = |topic: &&String| region.is_none_or(|region| topic.split(':').nth(3) == Some(region));
    let of_stack = || ports.topic_arn.as_ref().filter(reaches).cloned();
    plan.topic_arn.clone().or_else(of_stack)
}

// What is made says so: of which plan, and which item of its setup (or step of its moves).
fn setup_tags(plan: &str, item: &str) -> Vec<(String, String)> {
    let tags = [(TAG, plan), (SETUP_TAG, item)];
    tags.map(|(key, value)| (key.to_owned(), value.to_owned())).into()
}

// What a teardown would delete, and whose tag names another plan or none.
fn tagged_as_others(what: &str, plan: &str, made_by: Option<&str>) -> Option<String> {
    let says = match made_by {
        Some(found) if found == plan => return None,
        Some(other) => format!("is \"{other}\""),
        None => "is gone".to_owned(),
    };
    Some(format!(
        "the tag {TAG} of {what} {says}, where setup made it \"{plan}\""
    ))
}

fn not_found(what: &str, name: &str) -> CallError {
    CallError::new(
        crate::ports::CallErrorKind::NotFound,
        format!("there is no {what} {name} in this account and Region; nothing was changed"),
    )
}

/// An error for states of another kind: an item written by hand, or a bug.
fn foreign_state(kind: &str) -> CallError {
    CallError::new(
        crate::ports::CallErrorKind::Refused,
        format!("a {kind} step was given the state of another kind of step; nothing was called"),
    )
}
