//! The weights of forward actions, and the record sets of hosted zones.

use crate::plan::{Alias, DnsRecord, DnsRecords, DnsSite, ElbTargets, ElbWeights, TargetId};
use serde::{Deserialize, Serialize};

/// One target group of a forward action.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TargetWeight {
    /// The target group.
    pub target_group_arn: String,
    /// Its weight, 0 to 999.
    pub weight: u32,
}

/// One record set, whole: Route 53 deletes a set only if it is given exactly as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordSet {
    /// The full name, with its dot.
    pub name: String,
    /// The type, as Route 53 spells it.
    pub record_type: String,
    /// The identifier of a set with a routing policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set_identifier: Option<String>,
    /// The weight of a weighted set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<i64>,
    /// `PRIMARY` or `SECONDARY` of a failover set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failover: Option<String>,
    /// The Region of a latency set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_region: Option<String>,
    /// Whether it is a multivalue answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub multi_value_answer: Option<bool>,
    /// The time to live; none for an alias.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_seconds: Option<i64>,
    /// The values; empty for an alias.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
    /// The alias target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias: Option<Alias>,
    /// The health check.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health_check_id: Option<String>,
    /// A property that Understudy does not carry (geolocation, CIDR, …): such a set is never changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unsupported: Option<String>,
}

/// One replacement of a batch: delete exactly `old`, create `new`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordChange {
    /// The set as it must be now; none if there must be none.
    pub old: Option<RecordSet>,
    /// The set as it shall be; none to remove it.
    pub new: Option<RecordSet>,
}

impl RecordSet {
    fn key(&self) -> (&str, &str, Option<&str>) {
        (&self.name, &self.record_type, self.set_identifier.as_deref())
    }

    /// The set with all that a change batch is told of it.
    pub fn whole(&self) -> String {
        let text = |name: &str, value: Option<&String>| value.map(|value| format!("{name}={value}"));
        let alias = self.alias.as_ref().map(|alias| {
            let zone = alias.hosted_zone_id.as_str();
            format!("in zone {zone}, EvaluateTargetHealth={}", alias.evaluate_target_health)
        });
        let parts = [
            text("Failover", self.failover.as_ref()),
            text("Region", self.latency_region.as_ref()),
            self.multi_value_answer
                .map(|answer| format!("MultiValueAnswer={answer}")),
            self.ttl_seconds.map(|seconds| format!("TTL={seconds}")),
            text("HealthCheckId", self.health_check_id.as_ref()),
            alias,
        ];
        let parts: Vec<String> = std::iter::once(self.sentence())
            .chain(parts.into_iter().flatten())
            .collect();
        parts.join(", ")
    }

    pub(super) fn sentence(&self) -> String {
        let identifier = self
            .set_identifier
            .as_ref()
            .map(|id| format!(" [{id}]"))
            .unwrap_or_default();
        let weight = self
            .weight
            .map(|weight| format!(" weight {weight}"))
            .unwrap_or_default();
        let failover = self
            .failover
            .as_ref()
            .map(|role| format!(" {role}"))
            .unwrap_or_default();
        let target = self
            .alias
            .as_ref()
            .map_or_else(|| self.values.join(","), |alias| format!("alias {}", alias.dns_name));
        format!(
            "{} {}{identifier}{weight}{failover} → {target}",
            self.name.trim_end_matches('.'),
            self.record_type
        )
    }
}

pub(super) fn sorted(weights: &[TargetWeight]) -> Vec<&TargetWeight> {
    let mut sorted: Vec<&TargetWeight> = weights.iter().collect();
    sorted.sort();
    sorted
}

pub(super) fn same_record(left: &RecordSet, right: &RecordSet) -> bool {
    let values = |record: &RecordSet| {
        let mut values = record.values.clone();
        values.sort();
        values
    };
    values(left) == values(right)
        && RecordSet {
            values: Vec::new(),
            ..left.clone()
        } == RecordSet {
            values: Vec::new(),
            ..right.clone()
        }
}

/// `targetgroup/blue/0123` of an ARN becomes `blue`.
pub(super) fn short_target_group(arn: &str) -> &str {
    arn.split(":targetgroup/")
        .nth(1)
        .and_then(|rest| rest.split('/').next())
        .unwrap_or(arn)
}

/// The weights while `to` is active: its own group carries all, the groups of the other sites nothing.
/// Groups that the plan does not name keep their weight: they are somebody else's.
pub fn wanted_weights(step: &ElbWeights, to: &str, current: &[TargetWeight]) -> Vec<TargetWeight> {
    let weight_of = |site: &str| {
        if site == to {
            step.weights.get(site).copied().unwrap_or(100)
        } else {
            0
        }
    };
    let mut wanted: Vec<TargetWeight> = current
        .iter()
        .map(|target| TargetWeight {
            weight: step
                .target_groups
                .iter()
                .find(|(_, arn)| **arn == target.target_group_arn)
                .map_or(target.weight, |(site, _)| weight_of(site)),
            target_group_arn: target.target_group_arn.clone(),
        })
        .collect();
    for (site, arn) in &step.target_groups {
        if !current.iter().any(|target| target.target_group_arn == *arn) {
            wanted.push(TargetWeight {
                target_group_arn: arn.clone(),
                weight: weight_of(site),
            });
        }
    }
    wanted
}

/// The targets of the plan that are registered while `to` is active, in order.
pub fn wanted_targets(step: &ElbTargets, to: &str) -> Vec<TargetId> {
    let mut wanted = step.targets.get(to).cloned().unwrap_or_default();
    wanted.sort();
    wanted
}

/// The record sets while `to` is active, given those that exist now.
///
/// # Errors
/// A sentence that says which set is missing or can not be changed.
pub fn wanted_records(step: &DnsRecords, to: &str, current: &[RecordSet]) -> Result<Vec<RecordSet>, String> {
    let mut wanted = Vec::new();
    for record in &step.records {
        let name = absolute(&record.name);
        let record_type = record.record_type.as_str();
        let sets: Vec<&RecordSet> = current
            .iter()
            .filter(|set| set.name == name && set.record_type == record_type)
            .collect();
        if let Some(set) = sets.iter().find(|set| set.unsupported.is_some()) {
            let what = set.unsupported.as_deref().unwrap_or_default();
            return Err(format!(
                "the record {name} {record_type} has a {what} policy, which Understudy does not change"
            ));
        }
        if record.sites.values().any(|site| site.set_identifier.is_some()) {
            wanted.extend(wanted_of_sets(record, to, &sets)?);
        } else {
            wanted.push(wanted_simple(record, to, &sets)?);
        }
    }
    Ok(wanted)
}

fn wanted_simple(record: &DnsRecord, to: &str, sets: &[&RecordSet]) -> Result<RecordSet, String> {
    let name = absolute(&record.name);
    let record_type = record.record_type.as_str();
    if sets.len() > 1 || sets.iter().any(|set| set.set_identifier.is_some()) {
        return Err(format!(
            "the record {name} {record_type} has a routing policy; give each of its sites a set_identifier in the plan"
        ));
    }
    let Some(site) = record.sites.get(to) else {
        return Err(format!("the plan has no values of {name} {record_type} for site {to}"));
    };
    let kept = sets.first().map(|set| (*set).clone()).unwrap_or_default();
    Ok(RecordSet {
        name,
        record_type: record_type.to_owned(),
        ttl_seconds: site.alias.is_none().then_some(record.ttl_seconds.map_or(60, i64::from)),
        values: site.values.clone(),
        alias: site.alias.clone().map(absolute_alias),
        ..kept
    })
}

// Sets with a routing policy, one of each site: weighted ones, or the two of a failover pair.
fn wanted_of_sets(record: &DnsRecord, to: &str, sets: &[&RecordSet]) -> Result<Vec<RecordSet>, String> {
    let found: Vec<(&String, &DnsSite, &RecordSet)> = record
        .sites
        .iter()
        .map(|(site, at)| Ok((site, at, set_of(record, at, sets)?)))
        .collect::<Result<_, String>>()?;
    let pair = found.iter().all(|(_, _, set)| set.failover.is_some());
    if pair && found.len() != 2 {
        return Err(format!(
            "the record {} {} is a failover pair, and the plan has {} sites; a pair has two",
            record.name,
            record.record_type.as_str(),
            found.len()
        ));
    }
    let wanted = |(site, at, set): (&String, &DnsSite, &RecordSet)| {
        if pair {
            wanted_of_pair(at, site == to, set)
        } else {
            wanted_weighted(at, site == to, set)
        }
    };
    found.into_iter().map(wanted).collect()
}

fn set_of<'a>(record: &DnsRecord, at: &DnsSite, sets: &[&'a RecordSet]) -> Result<&'a RecordSet, String> {
    let identifier = at.set_identifier.as_deref().unwrap_or_default();
    let mut sets = sets.iter().copied();
    let set = sets.find(|set| set.set_identifier.as_deref() == Some(identifier));
    set.ok_or_else(|| {
        format!(
            "there is no record set {} {} [{identifier}]",
            record.name,
            record.record_type.as_str()
        )
    })
}

// The destination's set answers first, the other one where that is unhealthy. Each keeps its values and its health check.
fn wanted_of_pair(at: &DnsSite, active: bool, set: &RecordSet) -> Result<RecordSet, String> {
    if at.weight.is_some() {
        let identifier = at.set_identifier.as_deref().unwrap_or_default();
        return Err(format!(
            "the plan gives the record set {} [{identifier}] a weight, and it is {} of a failover pair, which has none",
            set.name,
            set.failover.as_deref().unwrap_or_default()
        ));
    }
    let failover = if active { "PRIMARY" } else { "SECONDARY" };
    Ok(RecordSet {
        failover: Some(failover.to_owned()),
        ..set.clone()
    })
}

fn wanted_weighted(at: &DnsSite, active: bool, set: &RecordSet) -> Result<RecordSet, String> {
    if set.weight.is_none() {
        let identifier = at.set_identifier.as_deref().unwrap_or_default();
        return Err(format!(
            "the record set {} [{identifier}] is neither weighted nor one of a failover pair",
            set.name
        ));
    }
    let weight = if active { at.weight.map_or(100, i64::from) } else { 0 };
    Ok(RecordSet {
        weight: Some(weight),
        ..set.clone()
    })
}

/// What the sets with a routing policy say otherwise than the plan, which changes only their weights or their roles: a
/// sentence for each.
pub fn unlike_plan(step: &DnsRecords, current: &[RecordSet]) -> Vec<String> {
    let mut found = Vec::new();
    for record in &step.records {
        let name = absolute(&record.name);
        let same = |set: &&RecordSet| set.name == name && set.record_type == record.record_type.as_str();
        for (site, at) in &record.sites {
            let Some(identifier) = at.set_identifier.as_deref() else {
                continue;
            };
            let mut sets = current.iter().filter(same);
            let Some(set) = sets.find(|set| set.set_identifier.as_deref() == Some(identifier)) else {
                continue;
            };
            let place = format!(
                "the record set {name} {} [{identifier}] of site {site}",
                set.record_type
            );
            let planned = record.ttl_seconds.map(i64::from);
            if let (Some(ttl), Some(planned)) = (set.ttl_seconds, planned)
                && ttl != planned
            {
                found.push(format!(
                    "{place} has a TTL of {ttl} seconds, and the plan says {planned}: so long resolvers keep the old answer. A \
                     move changes its weight or its role only; correct the set, or the plan"
                ));
            }
            if answers(&at.values, at.alias.as_ref()) != answers(&set.values, set.alias.as_ref()) {
                let told = RecordSet {
                    values: at.values.clone(),
                    alias: at.alias.clone().map(absolute_alias),
                    ..set.clone()
                };
                found.push(format!(
                    "{place} is {}, and the plan says {}: traffic would go where the set says. A move changes its weight or its \
                     role only; correct the set, or the plan",
                    set.sentence(),
                    told.sentence()
                ));
            }
        }
    }
    found
}

// What a set answers, whatever the order and the spelling.
fn answers(values: &[String], alias: Option<&Alias>) -> Vec<String> {
    let plain = |value: &String| match value.parse::<std::net::IpAddr>() {
        Ok(address) => address.to_string(),
        Err(_) if value.starts_with('"') => value.clone(),
        Err(_) => absolute(value),
    };
    let mut answers: Vec<String> = values.iter().map(plain).collect();
    answers.extend(alias.map(|alias| format!("alias {} {}", absolute(&alias.dns_name), alias.hosted_zone_id)));
    answers.sort();
    answers
}

/// The batch that turns `current` into `wanted`: only what differs.
pub fn record_changes(current: &[RecordSet], wanted: &[RecordSet]) -> Vec<RecordChange> {
    let find = |sets: &[RecordSet], key: (&str, &str, Option<&str>)| sets.iter().find(|set| set.key() == key).cloned();
    let mut changes: Vec<RecordChange> = wanted
        .iter()
        .filter(|new| !find(current, new.key()).is_some_and(|old| same_record(&old, new)))
        .map(|new| RecordChange {
            old: find(current, new.key()),
            new: Some(new.clone()),
        })
        .collect();
    changes.extend(
        current
            .iter()
            .filter(|old| find(wanted, old.key()).is_none())
            .map(|old| RecordChange {
                old: Some(old.clone()),
                new: None,
            }),
    );
    changes
}

/// The name with the dot at its end, in lower case, as Route 53 keeps it.
pub fn absolute(name: &str) -> String {
    format!("{}.", name.trim_end_matches('.').to_ascii_lowercase())
}

/// A name as Route 53 writes it: in lower case, with its dot, and with those escape codes resolved (`\052` for `*`) that
/// stand for a character which may be sent as it is. A dot or backslash inside a label keeps its code: without it the
/// name would be another.
pub fn unescaped(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    let mut rest = name;
    while let Some(at) = rest.find('\\') {
        let (before, code) = rest.split_at(at);
        text.push_str(before);
        // Digits alone: a number may have a sign, a code has none.
        let digits = code
            .get(1..4)
            .filter(|code| code.bytes().all(|digit| digit.is_ascii_digit()));
        let value = digits.and_then(|digits| u8::from_str_radix(digits, 8).ok());
        match value.map(char::from) {
            Some(character) if character.is_ascii_graphic() && !matches!(character, '.' | '\\') => {
                text.push(character);
                rest = code.get(4..).unwrap_or_default();
            }
            _ => {
                text.push('\\');
                rest = code.get(1..).unwrap_or_default();
            }
        }
    }
    text.push_str(rest);
    absolute(&text)
}

pub(super) fn absolute_alias(alias: Alias) -> Alias {
    Alias {
        dns_name: absolute(&alias.dns_name),
        ..alias
    }
}
