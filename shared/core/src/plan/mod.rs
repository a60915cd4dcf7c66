//! A plan: what fails over together, and how.
//!
//! A plan is kept in Git as YAML (or JSON) and stored in the table revision by revision. [`parse()`] reads it
//! strictly and reports *every* problem at once, each with its path; [`json_schema`] publishes the JSON Schema
//! that is generated from these very types.
//!
//! Defaults are chosen to be slow rather than wrong: a site must be unhealthy by all of its probes, for
//! half a minute, before anything moves by itself.

mod account;
mod fence;
mod hours;
mod lag;
mod parse;
mod policy;
mod probe;
mod schema;
mod stack;
mod step;
mod validate;

pub use account::ForeignArn;
pub use hours::{Hours, Weekday};
pub use lag::LagSource;
pub use parse::{PlanError, Problem, parse, parse_text};
pub use policy::{
    Approval, Consent, Failback, FailbackMode, Mode, Objectives, Observers, OnExpiry, Policy, UnhealthyRule,
};
pub use probe::{
    AlarmProbe, AutoScalingGroupProbe, Ec2Probe, EndpointProbe, Method, Probe, ProbeCommon, Protocol, RdsClusterProbe,
    RdsInstanceProbe, StatusRange, TargetGroupProbe,
};
pub use probe::{Comparison, DnsHealthCheckProbe, Metric, MetricProbe, MetricSeries, Missing, expression};
pub use schema::json_schema;
pub use stack::Stack;
pub use step::{
    AcceleratorDial, AlarmComparison, AlarmStatistic, AlarmWhen, AlarmedPolicy, CheckProtocol, DialSite, DnsSignal,
    HEALTH_CHECK_TIMEOUT_SECONDS, MetricAlarm, MissingData, Signal, TargetGroupHealth, ZonalShift,
};
pub use step::{
    Alias, DNS_PROPAGATION_SECONDS, DNS_SAFE_TIMEOUT_SECONDS, DbInstanceRef, DnsRecord, DnsRecords, DnsSite,
    ElbWeights, FenceBy, FenceSource, FencedDatabase, OnFailure, OpenDestination, RdsClusterFailover, RdsGlobal,
    RdsPromoteReplica, RdsRebootFailover, RecordType, Reversibility, Step, StepCommon, StepKind, WaitHealthy, When,
};
pub use step::{AsgCapacity, AsgZones, Ec2Instance, ElasticIp, ElbTargets, InstanceAction, TargetId};
pub use step::{
    AsgScalingPolicy, AsgSettings, AwaitApproval, DnsFailoverRecords, DnsHealthCheck, EventCategory, EventSource,
    FailoverRecord, HealthCheckType, Invoke, InvokeUndo, MAX_PAYLOAD_BYTES, RdsEventSubscription, RdsMultiAz,
    RdsReadReplica, ReadReplica, RequestInterval, Wait,
};

use crate::execution::{Kind, Style};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// The largest plan that is stored, in bytes of its JSON form.
pub const MAX_PLAN_BYTES: usize = 100 * 1024;

/// What fails over together: sites, probes, alarms, steps and policy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Plan {
    /// The version of this format. Always 1.
    #[schemars(range(min = 1, max = 1))]
    pub schema_version: u32,
    /// The plan's name: the key of everything that is stored about it.
    #[schemars(regex(pattern = r"^[a-z0-9][a-z0-9-]{0,62}$"))]
    pub name: String,
    /// One line for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 300))]
    pub description: Option<String>,
    /// The Region of the plan's resources, unless a probe, alarm or step names its own.
    /// Without it: the Region in which Understudy runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^[a-z]{2}(-[a-z]+)+-[0-9]$"))]
    pub region: Option<String>,
    /// The places that can carry the plan, at least two. Exactly one is active at a time.
    #[schemars(length(min = 2, max = 8))]
    pub sites: Vec<Site>,
    /// The questions that are asked about the sites, again and again.
    #[serde(default)]
    #[schemars(length(max = 2000))]
    pub probes: Vec<Probe>,
    /// CloudWatch alarms bound to a site.
    #[serde(default)]
    #[schemars(length(max = 100))]
    pub alarms: Vec<Alarm>,
    /// The changes that move the plan from one site to another, in order.
    #[schemars(length(min = 1, max = 50))]
    pub steps: Vec<Step>,
    /// What is made or adjusted once, by `setup`, so that the moves can work: health checks, alarms, … In order;
    /// `teardown` takes it back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50))]
    pub setup: Vec<Step>,
    /// When to move by itself, and when not.
    #[serde(default)]
    pub policy: Policy,
    /// The SNS topic for this plan's announcements, in the controller's Region. Without it: the topic of
    /// Understudy's own stack.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_.-]{1,256}$"))]
    pub topic_arn: Option<String>,
}

/// One place that can carry the plan: a Region, a zone, a target group, a database.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Site {
    /// The site's name, used by probes, alarms and steps.
    #[schemars(regex(pattern = r"^[a-z0-9][a-z0-9-]{0,62}$"))]
    pub name: String,
    /// Who is preferred: 1 is the primary, the next larger number its first standby. No two are equal.
    #[schemars(range(min = 1, max = 100))]
    pub priority: u32,
    /// How much of the plan's load the site can carry, in percent. Below 100 a move is announced as reduced.
    #[serde(default = "hundred")]
    #[schemars(range(min = 1, max = 100))]
    pub capacity_percent: u32,
    /// The Region that the site stands and falls with. Where executors run in several Regions, the one in the Region
    /// that the plan leaves lets the others go first. It says nothing about where resources are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^[a-z]{2}(-[a-z]+)+-[0-9]$"))]
    pub region: Option<String>,
    /// The Availability Zone that the site stands and falls with, by its name in this account (`eu-west-1a`). Steps that
    /// would move the plan into the zone that it leaves are refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^[a-z]{2}(-[a-z]+)+-[0-9][a-z]$"))]
    pub zone: Option<String>,
    /// The same by its id (`euw1-az1`), which is that of all accounts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^[a-z]{3,5}[0-9]-az[0-9]{1,2}$"))]
    pub zone_id: Option<String>,
    /// Further resources (ids, ARNs, names) that belong to this site, so that a request that names one of
    /// them finds the plan. Those of the site's probes and steps are known without being listed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100))]
    pub resources: Vec<String>,
}

/// A CloudWatch alarm bound to a site.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Alarm {
    /// The alarm's name in CloudWatch.
    #[schemars(length(min = 1, max = 255))]
    pub alarm_name: String,
    /// The site that it speaks about.
    pub site: String,
    /// How much its word counts.
    #[serde(default)]
    pub evidence: AlarmEvidence,
    /// The alarm's Region, if it is not the plan's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^[a-z]{2}(-[a-z]+)+-[0-9]$"))]
    pub region: Option<String>,
}

/// How much an alarm's word counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AlarmEvidence {
    /// The alarm makes decision look at the probes; it moves nothing by itself.
    #[default]
    Hint,
    /// The alarm in state ALARM, read again when deciding, is enough to call its site unhealthy.
    Sufficient,
}

fn hundred() -> u32 {
    100
}

impl Plan {
    /// Whether the plan's `setup` makes the alarm of this name.
    pub fn sets_up_alarm(&self, alarm_name: &str) -> bool {
        let makes = |step: &Step| matches!(step, Step::MetricAlarm(step) if step.alarm_name == alarm_name);
        self.setup.iter().any(makes)
    }

    /// The site of this name.
    pub fn site(&self, name: &str) -> Option<&Site> {
        self.sites.iter().find(|site| site.name == name)
    }

    /// The sites, the most preferred first.
    pub fn sites_by_priority(&self) -> Vec<&Site> {
        let mut sites: Vec<&Site> = self.sites.iter().collect();
        sites.sort_by_key(|site| site.priority);
        sites
    }

    /// The preferred site: where the plan is at home.
    pub fn primary(&self) -> Option<&Site> {
        self.sites.iter().min_by_key(|site| site.priority)
    }

    /// Whether the plan is at home at this site.
    pub fn is_home(&self, site: &str) -> bool {
        self.primary().is_some_and(|primary| primary.name == site)
    }

    /// The probes that speak about `site`.
    pub fn probes_of<'a>(&'a self, site: &'a str) -> impl Iterator<Item = &'a Probe> {
        self.probes.iter().filter(move |probe| probe.common().site == site)
    }

    /// The alarms whose word is evidence by itself.
    pub fn sufficient_alarms(&self) -> impl Iterator<Item = &Alarm> {
        let alarms = self.alarms.iter();
        alarms.filter(|alarm| alarm.evidence == AlarmEvidence::Sufficient)
    }

    /// The names of the steps of such a move that can not be taken back.
    pub fn irreversible_steps(&self, style: Style) -> Vec<&str> {
        let steps = self.steps.iter();
        steps
            .filter(|step| step.common().when.includes(style))
            .filter(|step| step.as_kind().reversibility() == Reversibility::Irreversible)
            .map(Step::name)
            .collect()
    }

    /// What is allowed in this plan, and will hurt on a bad day. Unlike a problem it refuses nothing.
    pub fn warnings(&self) -> Vec<Problem> {
        let warnings = |list: &'static str, steps: &[Step]| -> Vec<Problem> {
            let steps = steps.iter().enumerate();
            steps
                .filter_map(|(index, step)| {
                    let (field, message) = step.as_kind().warning().or_else(|| self.waits_for_people(step))?;
                    let path = format!("{list}[{index}].{field}");
                    Some(Problem { path, message })
                })
                .collect()
        };
        let mut found = warnings("steps", &self.steps);
        found.extend(warnings("setup", &self.setup));
        found.extend(self.unbound_alarms());
        found
    }

    /// The plan as an execution of this kind goes through it: its steps are the execution's own.
    pub fn of_execution(&self, kind: Kind) -> Self {
        match kind {
            Kind::Failover | Kind::Failback => self.clone(),
            Kind::Setup | Kind::Teardown => Self {
                steps: self.setup.clone(),
                setup: Vec::new(),
                ..self.clone()
            },
        }
    }

    // A move that begins by itself and then waits for somebody who may be asleep.
    fn waits_for_people(&self, step: &Step) -> Option<(&'static str, String)> {
        let waits = matches!(step, Step::AwaitApproval(_)) && self.policy.mode == Mode::Automatic;
        waits.then(|| {
            let message = "policy.mode is automatic, and every automatic move that does this step waits here for a person's \
                           `approve`, half moved";
            ("kind", message.to_owned())
        })
    }

    /// The questions that an observer asks about itself: one TCP connection for each of `policy.observers.reference`.
    pub fn reference_probes(&self) -> Vec<Probe> {
        let references = self.policy.observers.reference.iter().enumerate();
        references
            .filter_map(|(index, reference)| {
                let (host, port) = reference.rsplit_once(':')?;
                Some(Probe::reference(index, host, port.parse().ok()?))
            })
            .collect()
    }

    /// The sites to which the resource belongs: none, one, or (a listener, a zone) all of them.
    ///
    /// The resources of a site are those that it lists, those that its probes ask about, its alarms, and
    /// what the steps name for it.
    pub fn sites_owning(&self, resource: &str) -> BTreeSet<&str> {
        let mut owners = BTreeSet::new();
        for site in &self.sites {
            let listed = site.resources.iter().any(|known| known == resource) || site.name == resource;
            let probed = self
                .probes_of(&site.name)
                .any(|probe| probe.resource() == Some(resource));
            let alarmed = self
                .alarms
                .iter()
                .any(|alarm| alarm.site == site.name && alarm.alarm_name == resource);
            let stepped = self
                .steps
                .iter()
                .any(|step| step.as_kind().resources_of(&site.name).contains(&resource));
            if listed || probed || alarmed || stepped {
                owners.insert(site.name.as_str());
            }
        }
        if owners.is_empty()
            && self
                .steps
                .iter()
                .any(|step| step.as_kind().shared_resources().contains(&resource))
        {
            owners.extend(self.sites.iter().map(|site| site.name.as_str()));
        }
        owners
    }
}
