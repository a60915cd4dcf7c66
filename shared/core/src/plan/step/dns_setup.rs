//! Steps that make names ready: health checks of Route 53, and the pair of failover records that follows them.
//!
//! With such a pair Route 53 itself answers with the secondary while the primary is unhealthy, by its data plane: a move
//! that needs no call of anybody.

use super::{Alias, RecordType, StepCommon, StepKind};
use crate::plan::Protocol;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Makes a health check of Route 53, or adjusts the one that this step made before.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct DnsHealthCheck {
    /// What every step has.
    #[serde(flatten)]
    pub common: StepCommon,
    /// The host name that is asked. Beside an `ip_address` it is only the name in the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 255))]
    pub host: Option<String>,
    /// The address that is asked, which must be public: Route 53 asks from outside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2, max = 45))]
    pub ip_address: Option<String>,
    /// How it is asked. It can not be changed afterwards.
    #[serde(default)]
    pub protocol: Protocol,
    /// The port. Without it: 443 for `https`, 80 for `http`; `tcp` needs one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65535))]
    pub port: Option<u16>,
    /// What is asked for. Not for `tcp`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^/"), length(max = 255))]
    pub path: Option<String>,
    /// How often each checker asks. 10 costs more than 30. It can not be changed afterwards.
    #[serde(default)]
    pub request_interval_seconds: RequestInterval,
    /// After how many answers in a row the health changes.
    #[serde(default = "three")]
    #[schemars(range(min = 1, max = 10))]
    pub failure_threshold: u32,
}

/// How often each checker of Route 53 asks: there are only two choices.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "u32", into = "u32")]
#[schemars(with = "u32", extend("enum" = [10, 30]))]
pub enum RequestInterval {
    /// Every ten seconds.
    Ten,
    /// Every thirty seconds.
    #[default]
    Thirty,
}

/// Makes the two failover records of a name: the primary, and the secondary that answers while the primary is
/// unhealthy. Both are changed in one batch; a simple record of the name is replaced in the same batch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct DnsFailoverRecords {
    /// What every step has.
    #[serde(flatten)]
    pub common: StepCommon,
    /// The hosted zone's id, without `/hostedzone/`.
    #[schemars(regex(pattern = r"^Z[A-Z0-9]{1,31}$"))]
    pub hosted_zone_id: String,
    /// The records' full name, with or without the dot at its end.
    #[schemars(length(min = 1, max = 255))]
    pub record_name: String,
    /// The type.
    #[serde(rename = "type")]
    pub record_type: RecordType,
    /// How long resolvers may keep the answer. Not for aliases. At most 60, or a failover is seen late.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 60))]
    pub ttl_seconds: Option<u32>,
    /// The record that answers while it is healthy.
    pub primary: FailoverRecord,
    /// The record that answers otherwise.
    pub secondary: FailoverRecord,
}

/// One of the two failover records of a name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct FailoverRecord {
    /// Addresses or names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100))]
    pub values: Vec<String>,
    /// An alias to an AWS resource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias: Option<Alias>,
    /// The name of the `dns_health_check` of this plan that it follows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^[a-z0-9][a-z0-9-]{0,62}$"))]
    pub health_check: Option<String>,
    /// The id of a health check that somebody else made, if it follows that one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"))]
    pub health_check_id: Option<String>,
    /// The identifier of its record set. Without it: `primary` or `secondary`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub set_identifier: Option<String>,
}

impl RequestInterval {
    /// In seconds.
    pub fn seconds(self) -> u32 {
        match self {
            Self::Ten => 10,
            Self::Thirty => 30,
        }
    }
}

impl From<RequestInterval> for u32 {
    fn from(interval: RequestInterval) -> Self {
        interval.seconds()
    }
}

impl TryFrom<u32> for RequestInterval {
    type Error = String;

    fn try_from(seconds: u32) -> Result<Self, String> {
        match seconds {
            10 => Ok(Self::Ten),
            30 => Ok(Self::Thirty),
            other => Err(format!("must be 10 or 30; found {other}")),
        }
    }
}

impl DnsHealthCheck {
    /// The port that is asked; none where the plan says none and the protocol has none of its own.
    pub fn asked_port(&self) -> Option<u16> {
        self.port.or(match self.protocol {
            Protocol::Http => Some(80),
            Protocol::Https => Some(443),
            Protocol::Tcp => None,
        })
    }
}

impl StepKind for DnsHealthCheck {
    fn is_setup(&self) -> bool {
        true
    }

    // Its id is given by Route 53: until then it is known by its name.
    fn shared_resources(&self) -> Vec<&str> {
        std::iter::once(self.common.name.as_str())
            .chain(self.host.as_deref())
            .chain(self.ip_address.as_deref())
            .collect()
    }
}

impl StepKind for DnsFailoverRecords {
    fn warning(&self) -> Option<(&'static str, String)> {
        super::dns::too_short_to_propagate(&self.common)
    }

    fn is_setup(&self) -> bool {
        true
    }

    fn shared_resources(&self) -> Vec<&str> {
        let targets = [&self.primary, &self.secondary].into_iter().flat_map(|record| {
            let values = record.values.iter().map(String::as_str);
            values.chain(record.alias.iter().map(|alias| alias.dns_name.as_str()))
        });
        [self.hosted_zone_id.as_str(), self.record_name.as_str()]
            .into_iter()
            .chain(targets)
            .collect()
    }
}

fn three() -> u32 {
    3
}
