//! DNS on Route 53: record sets are changed by compare-and-set.
//!
//! A batch is atomic, and a `DELETE` must name the set exactly as it is: so deleting the old and creating the
//! new in one batch changes nothing if anybody else has changed the set meanwhile. `UPSERT` would.
//!
//! Names come back in lower case, with a dot at the end and with escape codes (`\052` is `*`); they are
//! compared and sent without the codes.

mod health_checks;

pub use health_checks::Route53HealthChecks;

use crate::config::{AwsConfig, Regional, Usage, attempts_alone};
use crate::failure::{Codes, Effect, explain};
use async_trait::async_trait;
use aws_sdk_route53::Client;
use aws_sdk_route53::config::Builder;
use aws_sdk_route53::error::BuildError;
use aws_sdk_route53::operation::change_resource_record_sets::ChangeResourceRecordSetsError;
use aws_sdk_route53::types::{
    AliasTarget, Change, ChangeAction, ChangeBatch, ChangeStatus, ResourceRecord, ResourceRecordSet,
    ResourceRecordSetFailover, ResourceRecordSetRegion, RrType,
};
use aws_smithy_xml::decode::{Document, try_data};
use understudy_core::event::excerpt_long;
use understudy_core::plan::Alias;
use understudy_core::state::{RecordChange, RecordSet, absolute, unescaped};
use understudy_engine::ports::{CallError, CallErrorKind, Dns};

const CODES: Codes = Codes {
    not_found: &["NoSuchHostedZone", "NoSuchChange"],
    retryable: &[],
};

/// How long the comment of a batch may be.
const MAX_COMMENT: usize = 256;

/// What Route 53 says when a set is not as a batch expects it. Anything else it says about a batch is a
/// mistake in the batch itself, which no repetition cures.
const NOT_AS_EXPECTED: &[&str] = &[
    "but it was not found",
    "do not match the current values",
    "but it already exists",
];

/// Hosted zones.
pub struct Route53Dns {
    reading: Regional<Client>,
    changing: Regional<Client>,
}

impl Route53Dns {
    /// The hosted zones of the account.
    pub fn new(config: &AwsConfig) -> Self {
        Self {
            reading: Regional::new(config, Usage::Reads, |sdk| {
                Client::from_conf(Builder::from(sdk).retry_partition(attempts_alone()).build())
            }),
            changing: Regional::new(config, Usage::Changes, Client::new),
        }
    }

    /// All sets of one name and type: they stand together in the zone's order.
    async fn sets(&self, hosted_zone_id: &str, name: &str, record_type: &str) -> Result<Vec<RecordSet>, CallError> {
        let doing = format!("reading {name} {record_type} of hosted zone {hosted_zone_id}");
        let mut found = Vec::new();
        let mut start = (name.to_owned(), RrType::from(record_type), None);
        loop {
            let (start_name, start_type, start_identifier) = start;
            let page = self
                .reading
                .client(None)
                .list_resource_record_sets()
                .hosted_zone_id(hosted_zone_id)
                .start_record_name(start_name)
                .start_record_type(start_type)
                .set_start_record_identifier(start_identifier)
                .send()
                .await
                .map_err(|error| explain(&doing, Effect::Reads, CODES, &error))?;
            for set in &page.resource_record_sets {
                if unescaped(&set.name) != name || set.r#type.as_str() != record_type {
                    return Ok(found);
                }
                found.push(read(set));
            }
            match (page.is_truncated, page.next_record_name, page.next_record_type) {
                (true, Some(next_name), Some(next_type)) if unescaped(&next_name) == name => {
                    start = (next_name, next_type, page.next_record_identifier);
                }
                _ => return Ok(found),
            }
        }
    }
}

#[async_trait]
impl Dns for Route53Dns {
    async fn records(&self, hosted_zone_id: &str, names: &[(String, String)]) -> Result<Vec<RecordSet>, CallError> {
        let mut asked: Vec<(String, &str)> = Vec::new();
        let mut found = Vec::new();
        for (name, record_type) in names {
            let pair = (absolute(name), record_type.as_str());
            if !asked.contains(&pair) {
                found.extend(self.sets(hosted_zone_id, &pair.0, pair.1).await?);
                asked.push(pair);
            }
        }
        Ok(found)
    }

    async fn change_records(
        &self,
        hosted_zone_id: &str,
        changes: &[RecordChange],
        comment: &str,
    ) -> Result<String, CallError> {
        let doing = format!(
            "changing {} record set(s) of hosted zone {hosted_zone_id}",
            changes.len()
        );
        let batch = batch(changes, comment).map_err(|problem| {
            CallError::new(
                CallErrorKind::Refused,
                format!("{doing}: {problem}; nothing was changed"),
            )
        })?;
        let answer = self
            .changing
            .client(None)
            .change_resource_record_sets()
            .hosted_zone_id(hosted_zone_id)
            .change_batch(batch)
            .send()
            .await
            .map_err(|error| match error.as_service_error() {
                Some(ChangeResourceRecordSetsError::InvalidChangeBatch(invalid)) => {
                    let mut reasons: Vec<&str> = invalid.messages().iter().map(String::as_str).collect();
                    reasons.extend(invalid.message());
                    refused_batch(&doing, &reasons.join(" "))
                }
                _ => error
                    .raw_response()
                    .and_then(|response| bare_refusal(&doing, response.body().bytes()?))
                    .unwrap_or_else(|| explain(&doing, Effect::Changes, CODES, &error)),
            })?;
        let id = answer.change_info.map(|info| info.id).unwrap_or_default();
        Ok(id.trim_start_matches("/change/").to_owned())
    }

    async fn in_sync(&self, change_id: &str) -> Result<bool, CallError> {
        let doing = format!("reading whether change {change_id} has reached all name servers");
        let answer = self
            .reading
            .client(None)
            .get_change()
            .id(change_id)
            .send()
            .await
            .map_err(|error| explain(&doing, Effect::Reads, CODES, &error))?;
        Ok(answer
            .change_info
            .is_some_and(|info| info.status == ChangeStatus::Insync))
    }
}

/// A refusal that comes without the usual envelope, which the SDK does not understand: an `InvalidChangeBatch` with
/// `Messages` or a `Message`. `None`: it is another answer.
pub fn bare_refusal(doing: &str, body: &[u8]) -> Option<CallError> {
    let body = std::str::from_utf8(body).ok()?;
    let mut document = Document::new(body);
    let mut root = document.root_element().ok()?;
    if root.start_el().local() != "InvalidChangeBatch" {
        return None;
    }
    let mut reasons = Vec::new();
    while let Some(mut part) = root.next_tag() {
        match part.start_el().local() {
            "Message" => reasons.extend(try_data(&mut part).ok()),
            "Messages" => {
                while let Some(mut message) = part.next_tag() {
                    reasons.extend(try_data(&mut message).ok());
                }
            }
            _ => {}
        }
    }
    Some(refused_batch(doing, &reasons.join(" ")))
}

fn refused_batch(doing: &str, reasons: &str) -> CallError {
    let not_as_expected = NOT_AS_EXPECTED.iter().any(|phrase| reasons.contains(phrase));
    let reasons = excerpt_long(reasons.trim());
    if reasons.is_empty() || not_as_expected {
        let found = "the records are not as they were read, so somebody else changed them";
        return CallError::new(
            CallErrorKind::Conflict,
            format!("{doing}: {found}: {reasons}; nothing was changed"),
        );
    }
    CallError::new(
        CallErrorKind::Refused,
        format!("{doing}: InvalidChangeBatch: {reasons}; nothing was changed"),
    )
}

/// All deletions first: a set and its successor share their key.
fn batch(changes: &[RecordChange], comment: &str) -> Result<ChangeBatch, String> {
    let incomplete = |error: BuildError| format!("the batch is not complete: {error}");
    let old = changes
        .iter()
        .filter_map(|change| change.old.as_ref())
        .map(|set| (ChangeAction::Delete, set));
    let new = changes
        .iter()
        .filter_map(|change| change.new.as_ref())
        .map(|set| (ChangeAction::Create, set));
    let mut batch = ChangeBatch::builder().comment(comment.chars().take(MAX_COMMENT).collect::<String>());
    for (action, set) in old.chain(new) {
        if let Some(what) = &set.unsupported {
            return Err(format!(
                "{} {} has a {what} policy, which Understudy does not carry",
                set.name, set.record_type
            ));
        }
        let written = write(set).map_err(incomplete)?;
        batch = batch.changes(
            Change::builder()
                .action(action)
                .resource_record_set(written)
                .build()
                .map_err(incomplete)?,
        );
    }
    batch.build().map_err(incomplete)
}

fn write(set: &RecordSet) -> Result<ResourceRecordSet, BuildError> {
    let mut values = Vec::new();
    for value in &set.values {
        values.push(ResourceRecord::builder().value(value).build()?);
    }
    let alias = match &set.alias {
        None => None,
        Some(alias) => Some(
            AliasTarget::builder()
                .hosted_zone_id(&alias.hosted_zone_id)
                .dns_name(&alias.dns_name)
                .evaluate_target_health(alias.evaluate_target_health)
                .build()?,
        ),
    };
    ResourceRecordSet::builder()
        .name(&set.name)
        .r#type(RrType::from(set.record_type.as_str()))
        .set_set_identifier(set.set_identifier.clone())
        .set_weight(set.weight)
        .set_failover(set.failover.as_deref().map(ResourceRecordSetFailover::from))
        .set_region(set.latency_region.as_deref().map(ResourceRecordSetRegion::from))
        .set_multi_value_answer(set.multi_value_answer)
        .set_ttl(set.ttl_seconds)
        .set_resource_records((!values.is_empty()).then_some(values))
        .set_alias_target(alias)
        .set_health_check_id(set.health_check_id.clone())
        .build()
}

fn read(set: &ResourceRecordSet) -> RecordSet {
    let unsupported = [
        ("geolocation", set.geo_location.is_some()),
        ("geoproximity", set.geo_proximity_location.is_some()),
        ("CIDR", set.cidr_routing_config.is_some()),
        ("traffic", set.traffic_policy_instance_id.is_some()),
    ];
    RecordSet {
        name: unescaped(&set.name),
        record_type: set.r#type.as_str().to_owned(),
        set_identifier: set.set_identifier.clone(),
        weight: set.weight,
        failover: set.failover.as_ref().map(|failover| failover.as_str().to_owned()),
        latency_region: set.region.as_ref().map(|region| region.as_str().to_owned()),
        multi_value_answer: set.multi_value_answer,
        ttl_seconds: set.ttl,
        values: set
            .resource_records()
            .iter()
            .map(|record| record.value.clone())
            .collect(),
        alias: set.alias_target.as_ref().map(|alias| Alias {
            dns_name: unescaped(&alias.dns_name),
            hosted_zone_id: alias.hosted_zone_id.clone(),
            evaluate_target_health: alias.evaluate_target_health,
        }),
        health_check_id: set.health_check_id.clone(),
        unsupported: unsupported
            .iter()
            .find(|(_, has)| *has)
            .map(|(what, _)| (*what).to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_that_met_other_records_is_a_conflict_and_a_wrong_one_is_not() {
        let lost = "Tried to delete resource record set [name='a.test.', type='A'] but it was not found";
        assert_eq!(refused_batch("changing", lost).kind, CallErrorKind::Conflict);
        let wrong = "Invalid Resource Record: FATAL problem: ARRDATAIllegalIPv4Address encountered with '1.2.3'";
        assert_eq!(refused_batch("changing", wrong).kind, CallErrorKind::Refused);
        assert_eq!(refused_batch("changing", "").kind, CallErrorKind::Conflict);
    }
}
