//! Steps: one change to one resource, as the plan states it.
//!
//! Here is only what the plan says. What a step reads, wants and restores is in [`crate::state`]; how it is
//! driven, in [`crate::execution`]. A new kind gets a variant and a struct here, its state there, and one
//! module of the engine's `steps`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How long Route 53 generally takes to propagate a change, in seconds: the API reference of
/// `ChangeResourceRecordSets` says "within 60 seconds". Waited for in full where the reply to a change is lost, since
/// without the id that it carried nobody can be asked.
pub const DNS_PROPAGATION_SECONDS: u32 = 60;

/// The shortest time for a `dns_records` step in which a lost reply can be outlasted, in seconds: the propagation, and
/// what lies around it (a call that is not answered within 8 s, reading again, the probe's round that ends the wait).
pub const DNS_SAFE_TIMEOUT_SECONDS: u32 = DNS_PROPAGATION_SECONDS + 30;

/// One change to one resource, or one gate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Step {
    /// Weights of the forward action of a listener or a rule.
    ElbWeights(ElbWeights),
    /// Records of a hosted zone, changed by compare-and-set.
    DnsRecords(DnsRecords),
    /// A gate: goes on when the destination is healthy.
    WaitHealthy(WaitHealthy),
}

/// What every step has.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StepCommon {
    /// The step's name, unique in the plan.
    #[schemars(regex(pattern = r"^[a-z0-9][a-z0-9-]{0,62}$"))]
    pub name: String,
    /// How long the step may take, repeats included.
    #[serde(default = "two_minutes")]
    #[schemars(range(min = 5, max = 3600))]
    pub timeout_seconds: u32,
    /// What happens when it can not be done.
    #[serde(default)]
    pub on_failure: OnFailure,
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
}

/// Weights of the forward action of one listener or one rule. Other actions are preserved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct ElbWeights {
    /// What every step has.
    #[serde(flatten)]
    pub common: StepCommon,
    /// The listener whose default action is changed. Either this or `rule_arn`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^arn:aws[a-z-]*:elasticloadbalancing:[a-z0-9-]+:[0-9]{12}:listener/.+$"))]
    pub listener_arn: Option<String>,
    /// The rule whose action is changed. Either this or `listener_arn`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^arn:aws[a-z-]*:elasticloadbalancing:[a-z0-9-]+:[0-9]{12}:listener-rule/.+$"))]
    pub rule_arn: Option<String>,
    /// The target group of each site.
    #[schemars(extend("minProperties" = 2, "additionalProperties" = {
        "type": "string",
        "pattern": r"^arn:aws[a-z-]*:elasticloadbalancing:[a-z0-9-]+:[0-9]{12}:targetgroup/.+$"
    }))]
    pub target_groups: BTreeMap<String, String>,
    /// The weight of a site's group while that site is active; the others get 0. Without it: 100.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("additionalProperties" = {"type": "integer", "minimum": 1, "maximum": 999}))]
    pub weights: BTreeMap<String, u32>,
}

/// Records of one hosted zone, changed together in one atomic batch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct DnsRecords {
    /// What every step has.
    #[serde(flatten)]
    pub common: StepCommon,
    /// The hosted zone's id, without `/hostedzone/`.
    #[schemars(regex(pattern = r"^Z[A-Z0-9]{1,31}$"))]
    pub hosted_zone_id: String,
    /// The records.
    #[schemars(length(min = 1, max = 100))]
    pub records: Vec<DnsRecord>,
}

/// One record name and what it says while each site is active.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct DnsRecord {
    /// The full name, with or without the dot at its end.
    #[schemars(length(min = 1, max = 255))]
    pub name: String,
    /// The type.
    #[serde(rename = "type")]
    pub record_type: RecordType,
    /// How long resolvers may keep the answer. Not for aliases. At most 60, or a move is not seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 60))]
    pub ttl_seconds: Option<u32>,
    /// What the record says for each site.
    #[schemars(extend("minProperties" = 2))]
    pub sites: BTreeMap<String, DnsSite>,
}

/// What a record says for one site: its values or alias while that site is active, or, with a
/// `set_identifier`, a weighted record set of its own that gets `weight` while the site is active and 0 otherwise.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct DnsSite {
    /// Addresses or names; the texts of a TXT record in double quotes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100))]
    pub values: Vec<String>,
    /// An alias to an AWS resource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias: Option<Alias>,
    /// The identifier of this site's weighted record set, which must exist.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub set_identifier: Option<String>,
    /// The weight of that set while the site is active. Without it: 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 255))]
    pub weight: Option<u32>,
}

/// An alias target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Alias {
    /// The resource's DNS name.
    #[schemars(length(min = 1, max = 255))]
    pub dns_name: String,
    /// The hosted zone of the resource (a constant of its service and Region).
    #[schemars(regex(pattern = r"^Z[A-Z0-9]{1,31}$"))]
    pub hosted_zone_id: String,
    /// Whether Route 53 looks at the health of the alias target.
    #[serde(default)]
    pub evaluate_target_health: bool,
}

/// The record types that a site can be reached by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum RecordType {
    /// IPv4 addresses.
    A,
    /// IPv6 addresses.
    Aaaa,
    /// Another name.
    Cname,
    /// Text.
    Txt,
}

impl RecordType {
    /// The type as Route 53 spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::A => "A",
            Self::Aaaa => "AAAA",
            Self::Cname => "CNAME",
            Self::Txt => "TXT",
        }
    }
}

/// A gate: goes on when fresh observations call the destination healthy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct WaitHealthy {
    /// What every step has. The step fails if the destination is not healthy within `timeout_seconds`.
    #[serde(flatten)]
    pub common: StepCommon,
    /// How long the destination must have been healthy.
    #[serde(default)]
    #[schemars(range(max = 3600))]
    pub for_seconds: u32,
}

fn two_minutes() -> u32 {
    120
}

impl Step {
    /// What every step has.
    pub fn common(&self) -> &StepCommon {
        match self {
            Self::ElbWeights(step) => &step.common,
            Self::DnsRecords(step) => &step.common,
            Self::WaitHealthy(step) => &step.common,
        }
    }

    /// The step's name, unique in its plan.
    pub fn name(&self) -> &str {
        &self.common().name
    }

    /// The kind, as plan files spell it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::ElbWeights(_) => "elb_weights",
            Self::DnsRecords(_) => "dns_records",
            Self::WaitHealthy(_) => "wait_healthy",
        }
    }

    /// Whether the step can lose data, so that it needs consent ([`crate::decide::consent`]). No kind of this version can.
    pub fn is_lossy(&self) -> bool {
        match self {
            Self::ElbWeights(_) | Self::DnsRecords(_) | Self::WaitHealthy(_) => false,
        }
    }

    /// What is allowed, and will hurt on a bad day: for people who check a plan or a move.
    pub fn warning(&self) -> Option<String> {
        match self {
            Self::DnsRecords(step) if step.common.timeout_seconds < DNS_SAFE_TIMEOUT_SECONDS => Some(format!(
                "{} seconds are not enough if the reply of Route 53 to the change is lost: then the {DNS_PROPAGATION_SECONDS} \
                 seconds that a change takes are waited for, and a change that was made would count as failed. Give it at \
                 least {DNS_SAFE_TIMEOUT_SECONDS}",
                step.common.timeout_seconds
            )),
            Self::DnsRecords(_) | Self::ElbWeights(_) | Self::WaitHealthy(_) => None,
        }
    }

    /// The resources that the step names for `site` alone.
    pub fn resources_of(&self, site: &str) -> Vec<&str> {
        match self {
            Self::ElbWeights(step) => step.target_groups.get(site).map(String::as_str).into_iter().collect(),
            Self::DnsRecords(step) => step
                .records
                .iter()
                .filter_map(|record| record.sites.get(site))
                .flat_map(|at| at.values.iter().chain(at.alias.iter().map(|alias| &alias.dns_name)))
                .map(String::as_str)
                .collect(),
            Self::WaitHealthy(_) => Vec::new(),
        }
    }

    /// The resources that the step names for the whole plan: a listener, a zone, a record.
    pub fn shared_resources(&self) -> Vec<&str> {
        match self {
            Self::ElbWeights(step) => step
                .listener_arn
                .iter()
                .chain(&step.rule_arn)
                .map(String::as_str)
                .collect(),
            Self::DnsRecords(step) => std::iter::once(step.hosted_zone_id.as_str())
                .chain(step.records.iter().map(|record| record.name.as_str()))
                .collect(),
            Self::WaitHealthy(_) => Vec::new(),
        }
    }
}
