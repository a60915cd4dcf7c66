//! Health checks of Route 53.
//!
//! They are listed by pages and can be looked up by id only, so a check is found by the reference that it was made with.
//! An update compares its version, which is read just before with the settings that the caller expects.
//! `CreateHealthCheck` is allowed once in two seconds for the whole account: being throttled there is for later.

use super::CODES as ZONES;
use crate::config::{AwsConfig, Regional, Usage, attempts_alone};
use crate::failure::{Codes, Effect, explain, within_one_call};
use async_trait::async_trait;
use aws_sdk_route53::Client;
use aws_sdk_route53::config::Builder;
use aws_sdk_route53::error::BuildError;
use aws_sdk_route53::types::{
    HealthCheck, HealthCheckConfig, HealthCheckType, ResettableElementName, Tag, TagResourceType,
};
use std::collections::BTreeMap;
use understudy_core::state::HealthCheckSettings;
use understudy_engine::ports::{CallError, CallErrorKind, HealthCheckFound, HealthChecks};

const CODES: Codes = Codes {
    not_found: &["NoSuchHealthCheck"],
    retryable: ZONES.retryable,
};

/// How many checks are listed at once: the most that the service gives.
const PAGE: i32 = 100;

/// Health checks of the account.
pub struct Route53HealthChecks {
    reading: Regional<Client>,
    changing: Regional<Client>,
}

impl Route53HealthChecks {
    /// The health checks of the account.
    pub fn new(config: &AwsConfig) -> Self {
        Self {
            reading: Regional::new(config, Usage::Reads, |sdk| {
                Client::from_conf(Builder::from(sdk).retry_partition(attempts_alone()).build())
            }),
            changing: Regional::new(config, Usage::Changes, Client::new),
        }
    }

    async fn tags(&self, id: &str) -> Result<BTreeMap<String, String>, CallError> {
        let doing = format!("reading the tags of health check {id}");
        let call = self.reading.client(None).list_tags_for_resource();
        let answer = call
            .resource_type(TagResourceType::Healthcheck)
            .resource_id(id)
            .send()
            .await
            .map_err(|error| explain(&doing, Effect::Reads, CODES, &error))?;
        let tags = answer.resource_tag_set.and_then(|set| set.tags).unwrap_or_default();
        let pair = |tag: Tag| Some((tag.key?, tag.value.unwrap_or_default()));
        Ok(tags.into_iter().filter_map(pair).collect())
    }

    // The check's version, if it is as expected.
    async fn expected_version(&self, id: &str, expected: &HealthCheckSettings, doing: &str) -> Result<i64, CallError> {
        let answer = self
            .reading
            .client(None)
            .get_health_check()
            .health_check_id(id)
            .send()
            .await
            .map_err(|error| explain(doing, Effect::Reads, CODES, &error))?;
        let found = answer.health_check.ok_or_else(|| {
            let message = format!("{doing}: there is no such health check; nothing was changed");
            CallError::new(CallErrorKind::NotFound, message)
        })?;
        let settings = settings(&found);
        if settings == *expected {
            return Ok(found.health_check_version);
        }
        let message = format!(
            "{doing}: found \"{}\" where \"{}\" was expected, so somebody else changed it; nothing was changed",
            settings.sentence(),
            expected.sentence()
        );
        Err(CallError::new(CallErrorKind::Conflict, message))
    }
}

#[async_trait]
impl HealthChecks for Route53HealthChecks {
    async fn find(&self, prefix: &str) -> Result<Option<HealthCheckFound>, CallError> {
        let doing = "listing the health checks of the account";
        let mut found: Vec<HealthCheck> = Vec::new();
        let mut marker: Option<String> = None;
        loop {
            let page = self
                .reading
                .client(None)
                .list_health_checks()
                .max_items(PAGE)
                .set_marker(marker.take())
                .send()
                .await
                .map_err(|error| explain(doing, Effect::Reads, CODES, &error))?;
            let checks = page.health_checks.into_iter();
            found.extend(checks.filter(|check| check.caller_reference.starts_with(prefix)));
            marker = page
                .next_marker
                .filter(|marker| page.is_truncated && !marker.is_empty());
            if marker.is_none() {
                break;
            }
        }
        if found.len() > 1 {
            let ids: Vec<&str> = found.iter().map(|check| check.id.as_str()).collect();
            let message = format!(
                "{doing}: {} were made with references that begin with {prefix}, and one step has one; nothing was changed. \
                 Delete those that no record follows",
                ids.join(", ")
            );
            return Err(CallError::new(CallErrorKind::Refused, message));
        }
        let Some(check) = found.pop() else {
            return Ok(None);
        };
        Ok(Some(HealthCheckFound {
            tags: self.tags(&check.id).await?,
            settings: settings(&check),
            id: check.id,
        }))
    }

    async fn create(&self, reference: &str, wanted: &HealthCheckSettings) -> Result<(), CallError> {
        let doing = format!("making a health check: {}", wanted.sentence());
        let config = config(wanted).map_err(|error| {
            let message = format!("{doing}: it is not complete: {error}; nothing was made");
            CallError::new(CallErrorKind::Refused, message)
        })?;
        let call = self.changing.client(None).create_health_check();
        call.caller_reference(reference)
            .health_check_config(config)
            .send()
            .await
            .map(drop)
            .map_err(|error| {
                let is_taken = error
                    .as_service_error()
                    .is_some_and(|error| error.is_health_check_already_exists());
                let told = explain(&doing, Effect::Changes, CODES, &error);
                if is_taken {
                    return CallError::new(CallErrorKind::Conflict, told.message);
                }
                told
            })
    }

    async fn update(
        &self,
        id: &str,
        expected: &HealthCheckSettings,
        wanted: &HealthCheckSettings,
    ) -> Result<(), CallError> {
        let doing = format!("changing health check {id} to: {}", wanted.sentence());
        within_one_call(&doing, async {
            let version = self.expected_version(id, expected, &doing).await?;
            let call = self.changing.client(None).update_health_check();
            let mut call = call
                .health_check_id(id)
                .health_check_version(version)
                .set_ip_address(wanted.ip_address.clone())
                .set_fully_qualified_domain_name(wanted.host.clone())
                .set_port(wanted.port.map(i32::from))
                .set_resource_path(wanted.path.clone())
                .failure_threshold(number(wanted.failure_threshold))
                .disabled(wanted.is_disabled)
                .inverted(wanted.is_inverted);
            // What is not sent stays: a field is emptied by its name.
            for (element, is_emptied) in [
                (
                    ResettableElementName::FullyQualifiedDomainName,
                    wanted.host.is_none() && expected.host.is_some(),
                ),
                (
                    ResettableElementName::ResourcePath,
                    wanted.path.is_none() && expected.path.is_some(),
                ),
            ] {
                if is_emptied {
                    call = call.reset_elements(element);
                }
            }
            call.send().await.map(drop).map_err(|error| {
                let is_stale = error
                    .as_service_error()
                    .is_some_and(|error| error.is_health_check_version_mismatch());
                let told = explain(&doing, Effect::Changes, CODES, &error);
                if is_stale {
                    return CallError::new(CallErrorKind::Conflict, told.message);
                }
                told
            })
        })
        .await
    }

    async fn tag(&self, id: &str, tags: &BTreeMap<String, String>, present: bool) -> Result<(), CallError> {
        let doing = format!("tagging health check {id}");
        let call = self.changing.client(None).change_tags_for_resource();
        let call = call.resource_type(TagResourceType::Healthcheck).resource_id(id);
        let call = if present {
            let tags = tags
                .iter()
                .map(|(key, value)| Tag::builder().key(key).value(value).build());
            call.set_add_tags(Some(tags.collect()))
        } else {
            call.set_remove_tag_keys(Some(tags.keys().cloned().collect()))
        };
        let answer = call.send().await;
        answer
            .map(drop)
            .map_err(|error| explain(&doing, Effect::Changes, CODES, &error))
    }

    async fn delete(&self, id: &str, expected: &HealthCheckSettings) -> Result<(), CallError> {
        let doing = format!("deleting health check {id}");
        within_one_call(&doing, async {
            self.expected_version(id, expected, &doing).await?;
            let call = self.changing.client(None).delete_health_check();
            call.health_check_id(id)
                .send()
                .await
                .map(drop)
                .map_err(|error| explain(&doing, Effect::Changes, CODES, &error))
        })
        .await
    }
}

fn number(value: u32) -> i32 {
    i32::try_from(value).unwrap_or(i32::MAX)
}

fn config(wanted: &HealthCheckSettings) -> Result<HealthCheckConfig, BuildError> {
    let names_itself = wanted.protocol == "HTTPS" && wanted.host.is_some();
    HealthCheckConfig::builder()
        .r#type(HealthCheckType::from(wanted.protocol.as_str()))
        .set_ip_address(wanted.ip_address.clone())
        .set_fully_qualified_domain_name(wanted.host.clone())
        .set_port(wanted.port.map(i32::from))
        .set_resource_path(wanted.path.clone())
        .request_interval(number(wanted.request_interval_seconds))
        .failure_threshold(number(wanted.failure_threshold))
        // A server of several names shows the right certificate only to who says which one is meant.
        .set_enable_sni(names_itself.then_some(true))
        .build()
}

fn settings(check: &HealthCheck) -> HealthCheckSettings {
    let Some(config) = &check.health_check_config else {
        return HealthCheckSettings::default();
    };
    let count = |value: Option<i32>, default: u32| value.and_then(|value| u32::try_from(value).ok()).unwrap_or(default);
    let text = |value: &Option<String>| value.clone().filter(|value| !value.is_empty());
    HealthCheckSettings {
        protocol: config.r#type.as_str().to_owned(),
        host: text(&config.fully_qualified_domain_name),
        ip_address: text(&config.ip_address),
        port: config.port.and_then(|port| u16::try_from(port).ok()),
        path: text(&config.resource_path),
        request_interval_seconds: count(config.request_interval, 30),
        failure_threshold: count(config.failure_threshold, 3),
        is_disabled: config.disabled.unwrap_or_default(),
        is_inverted: config.inverted.unwrap_or_default(),
    }
}
