//! Steps at Route 53.

use super::{StepCommon, StepKind};
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
/// `set_identifier`, a record set of its own. A weighted one gets `weight` while the site is active and 0 otherwise; one of
/// a failover pair is the primary while the site is active and the secondary otherwise. Nothing else of such a set is
/// changed: preflight warns where it says otherwise than the plan.
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
    /// The identifier of this site's weighted or failover record set, which must exist.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub set_identifier: Option<String>,
    /// The weight of that set while the site is active. Without it: 100. Not for failover pairs.
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

/// The warning of a step at records whose time does not outlast a lost reply.
pub(super) fn too_short_to_propagate(common: &StepCommon) -> Option<(&'static str, String)> {
    let seconds = common.timeout_seconds;
    let message = || {
        format!(
            "{seconds} seconds are not enough if the reply of Route 53 to the change is lost: then the \
             {DNS_PROPAGATION_SECONDS} seconds that a change takes are waited for, and a change that was made would \
             count as failed. Give it at least {DNS_SAFE_TIMEOUT_SECONDS}"
        )
    };
    (seconds < DNS_SAFE_TIMEOUT_SECONDS).then(|| ("timeout_seconds", message()))
}

impl StepKind for DnsRecords {
    fn warning(&self) -> Option<(&'static str, String)> {
        too_short_to_propagate(&self.common)
    }

    fn resources_of(&self, site: &str) -> Vec<&str> {
        self.records
            .iter()
            .filter_map(|record| record.sites.get(site))
            .flat_map(|at| at.values.iter().chain(at.alias.iter().map(|alias| &alias.dns_name)))
            .map(String::as_str)
            .collect()
    }

    fn shared_resources(&self) -> Vec<&str> {
        std::iter::once(self.hosted_zone_id.as_str())
            .chain(self.records.iter().map(|record| record.name.as_str()))
            .collect()
    }
}
