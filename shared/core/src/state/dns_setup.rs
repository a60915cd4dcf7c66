//! Health checks of Route 53, and the pair of failover records that follows them.

use super::traffic::{RecordSet, absolute, absolute_alias};
use crate::plan::{DnsFailoverRecords, DnsHealthCheck, FailoverRecord, Protocol};
use serde::{Deserialize, Serialize};

/// A health check that a step made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthCheckMade {
    /// The id that Route 53 gave it; none of one that is only wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// How it asks.
    pub settings: HealthCheckSettings,
    /// Whether it carries the tags that say whose it is. It is made first and tagged then.
    pub is_tagged: bool,
    /// The plan that its tag `understudy` names, if it has one. Whose it is said to be is no part of what it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made_by: Option<String>,
}

/// How a health check asks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthCheckSettings {
    /// `HTTP`, `HTTPS`, `TCP`; another one of a check that was changed by hand.
    pub protocol: String,
    /// The host name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// The address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip_address: Option<String>,
    /// The port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// The path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// How often each checker asks.
    pub request_interval_seconds: u32,
    /// After how many answers in a row the health changes.
    pub failure_threshold: u32,
    /// Whether it is switched off: Route 53 then calls it healthy for ever.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_disabled: bool,
    /// Whether its word is turned round.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_inverted: bool,
}

impl HealthCheckMade {
    pub(super) fn same_as(&self, other: &Self) -> bool {
        let same_id = self.id.is_none() || other.id.is_none() || self.id == other.id;
        same_id && self.settings == other.settings && self.is_tagged == other.is_tagged
    }

    pub(super) fn sentence(&self) -> String {
        let id = self.id.as_ref().map(|id| format!("health check {id}, "));
        let tagged = if self.is_tagged { "" } else { ", not tagged" };
        format!("{}{}{tagged}", id.unwrap_or_default(), self.settings.sentence())
    }
}

impl HealthCheckSettings {
    /// One line for people.
    pub fn sentence(&self) -> String {
        let target = [&self.ip_address, &self.host].into_iter().flatten();
        let target: Vec<&str> = target.map(String::as_str).collect();
        let port = self.port.map(|port| format!(":{port}")).unwrap_or_default();
        let off = if self.is_disabled { ", switched off" } else { "" };
        let round = if self.is_inverted { ", turned round" } else { "" };
        format!(
            "{} {}{port}{} every {} s, {} in a row{off}{round}",
            self.protocol,
            target.join(" as "),
            self.path.as_deref().unwrap_or_default(),
            self.request_interval_seconds,
            self.failure_threshold
        )
    }

    /// What of `self` can not be changed into `wanted`, as fields of the plan: protocol and interval are given once, and an
    /// address can be changed but neither added nor removed (API reference of `UpdateHealthCheck`).
    pub fn unchangeable(&self, wanted: &Self) -> Vec<&'static str> {
        let fields = [
            ("protocol", self.protocol != wanted.protocol),
            (
                "request_interval_seconds",
                self.request_interval_seconds != wanted.request_interval_seconds,
            ),
            ("ip_address", self.ip_address.is_some() != wanted.ip_address.is_some()),
        ];
        let differing = fields.iter().filter(|(_, differs)| *differs);
        differing.map(|(field, _)| *field).collect()
    }
}

/// The health check as it shall be.
pub fn wanted_health_check(step: &DnsHealthCheck) -> HealthCheckSettings {
    HealthCheckSettings {
        protocol: match step.protocol {
            Protocol::Http => "HTTP",
            Protocol::Https => "HTTPS",
            Protocol::Tcp => "TCP",
        }
        .to_owned(),
        host: step.host.clone(),
        ip_address: step.ip_address.clone(),
        port: step.asked_port(),
        path: (step.protocol != Protocol::Tcp).then(|| step.path.clone().unwrap_or_else(|| "/".to_owned())),
        request_interval_seconds: step.request_interval_seconds.seconds(),
        failure_threshold: step.failure_threshold,
        is_disabled: false,
        is_inverted: false,
    }
}

/// The two records as they shall be, given all sets of their name and type that exist, and the id of each one's health
/// check.
///
/// # Errors
/// A sentence that says which set stands in the way: only a simple record and failover records are replaced.
pub fn wanted_failover_records(
    step: &DnsFailoverRecords,
    current: &[RecordSet],
    primary_check: Option<&str>,
    secondary_check: Option<&str>,
) -> Result<Vec<RecordSet>, String> {
    let in_the_way = current.iter().find_map(|set| {
        let policy = if let Some(what) = &set.unsupported {
            what.as_str()
        } else if set.weight.is_some() {
            "weighted"
        } else if set.latency_region.is_some() {
            "latency"
        } else if set.multi_value_answer.is_some() {
            "multivalue"
        } else {
            return None;
        };
        Some((set, policy))
    });
    if let Some((set, policy)) = in_the_way {
        return Err(format!(
            "the record {} {} has a {policy} policy, beside which no failover records can stand; remove it first, or name \
             another record",
            set.name, set.record_type
        ));
    }
    let one = |record: &FailoverRecord, role: &str, check: Option<&str>| RecordSet {
        name: absolute(&step.record_name),
        record_type: step.record_type.as_str().to_owned(),
        set_identifier: Some(record.set_identifier.clone().unwrap_or_else(|| role.to_lowercase())),
        failover: Some(role.to_owned()),
        ttl_seconds: record.alias.is_none().then_some(step.ttl_seconds.map_or(60, i64::from)),
        values: record.values.clone(),
        alias: record.alias.clone().map(absolute_alias),
        health_check_id: check.map(str::to_owned),
        ..RecordSet::default()
    };
    Ok(vec![
        one(&step.primary, "PRIMARY", primary_check),
        one(&step.secondary, "SECONDARY", secondary_check),
    ])
}
