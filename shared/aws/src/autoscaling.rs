//! Auto Scaling groups: their sizes and their subnets.
//!
//! `UpdateAutoScalingGroup` has no version to compare. So a change reads the group, compares what it is about to replace
//! with what its caller expects, and sends only those fields: all others stay as they are.

mod setup;

use crate::config::{AwsConfig, Regional, Usage};
use crate::failure::{Codes, Effect, explain, within_one_call};
use async_trait::async_trait;
use aws_sdk_autoscaling::Client;
use aws_sdk_autoscaling::operation::update_auto_scaling_group::builders::UpdateAutoScalingGroupFluentBuilder;
use aws_sdk_autoscaling::types::{AutoScalingGroup as Described, Instance, LifecycleState};
use std::collections::BTreeMap;
use understudy_core::state::GroupSize;
use understudy_engine::actions::repeated;
use understudy_engine::ports::{AutoScalingGroup, CallError, CallErrorKind, Groups};

/// A scaling activity under way, or another update at the same moment: both pass.
const CODES: Codes = Codes {
    not_found: &[],
    retryable: repeated::AUTO_SCALING,
};

/// EC2 Auto Scaling.
pub struct AutoScalingGroups {
    reading: Regional<Client>,
    changing: Regional<Client>,
}

impl AutoScalingGroups {
    /// Groups of every Region that this configuration reaches.
    pub fn new(config: &AwsConfig) -> Self {
        Self {
            reading: Regional::new(config, Usage::Reads, Client::new),
            changing: Regional::new(config, Usage::Changes, Client::new),
        }
    }

    async fn described(
        &self,
        region: Option<&str>,
        names: &[String],
        doing: &str,
    ) -> Result<Vec<Described>, CallError> {
        let answer = self
            .reading
            .client(region)
            .describe_auto_scaling_groups()
            .set_auto_scaling_group_names(Some(names.to_vec()))
            .max_records(100)
            .send()
            .await
            .map_err(|error| explain(doing, Effect::Reads, CODES, &error))?;
        Ok(answer.auto_scaling_groups.unwrap_or_default())
    }

    // Reads, compares, and sends: to the executor one call.
    async fn update(
        &self,
        region: Option<&str>,
        name: &str,
        doing: &str,
        unexpected: impl Fn(&Described) -> Option<String>,
        edit: impl FnOnce(UpdateAutoScalingGroupFluentBuilder) -> UpdateAutoScalingGroupFluentBuilder,
    ) -> Result<(), CallError> {
        within_one_call(doing, async {
            let names = [name.to_owned()];
            let found = self.described(region, &names, doing).await?.into_iter().next();
            let found = found.ok_or_else(|| {
                let message =
                    format!("{doing}: there is no such group in this account and Region; nothing was changed");
                CallError::new(CallErrorKind::NotFound, message)
            })?;
            if let Some(found) = unexpected(&found) {
                let message = format!("{doing}: {found}, so somebody else changed it; nothing was changed");
                return Err(CallError::new(CallErrorKind::Conflict, message));
            }
            let call = self
                .changing
                .client(region)
                .update_auto_scaling_group()
                .auto_scaling_group_name(name);
            edit(call)
                .send()
                .await
                .map(drop)
                .map_err(|error| explain(doing, Effect::Changes, CODES, &error))
        })
        .await
    }
}

#[async_trait]
impl Groups for AutoScalingGroups {
    async fn groups(&self, region: Option<&str>, names: &[String]) -> Result<Vec<AutoScalingGroup>, CallError> {
        if names.is_empty() {
            // Without names the service lists all groups of the account.
            return Ok(Vec::new());
        }
        let doing = format!("reading Auto Scaling group(s) {}", names.join(", "));
        let found = self.described(region, names, &doing).await?;
        Ok(found.iter().map(group).collect())
    }

    async fn tags(&self, region: Option<&str>, name: &str) -> Result<BTreeMap<String, String>, CallError> {
        let doing = format!("reading the tags of Auto Scaling group {name}");
        let found = self
            .described(region, &[name.to_owned()], &doing)
            .await?
            .into_iter()
            .next();
        let found = found.ok_or_else(|| {
            let message = format!("{doing}: there is no such group in this account and Region");
            CallError::new(CallErrorKind::NotFound, message)
        })?;
        let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
        Ok(found
            .tags()
            .iter()
            .map(|tag| (text(tag.key()), text(tag.value())))
            .collect())
    }

    async fn resize(
        &self,
        region: Option<&str>,
        name: &str,
        expected: GroupSize,
        wanted: GroupSize,
    ) -> Result<(), CallError> {
        let doing = format!("resizing Auto Scaling group {name} to {}", sentence(wanted));
        let [minimum, desired, maximum] = [wanted.minimum, wanted.desired, wanted.maximum].map(i32::try_from);
        let (Ok(minimum), Ok(desired), Ok(maximum)) = (minimum, desired, maximum) else {
            let message = format!("{doing}: no group is that large; nothing was changed");
            return Err(CallError::new(CallErrorKind::Refused, message));
        };
        let unexpected = |found: &Described| {
            let found = group(found);
            (found.size != expected).then(|| {
                format!(
                    "found {} where {} was expected",
                    sentence(found.size),
                    sentence(expected)
                )
            })
        };
        self.update(region, name, &doing, unexpected, |call| {
            call.min_size(minimum).desired_capacity(desired).max_size(maximum)
        })
        .await
    }

    async fn set_subnets(
        &self,
        region: Option<&str>,
        name: &str,
        expected: &[String],
        wanted: &[String],
    ) -> Result<(), CallError> {
        let doing = format!("putting Auto Scaling group {name} into {}", wanted.join(", "));
        if wanted.is_empty() {
            let message = format!("{doing}: a group without subnets has nowhere to be; nothing was changed");
            return Err(CallError::new(CallErrorKind::Refused, message));
        }
        let unexpected = |found: &Described| {
            let found = group(found);
            (found.subnets != expected).then(|| {
                let (found, expected) = (found.subnets.join(", "), expected.join(", "));
                format!("found it in {found} where {expected} was expected")
            })
        };
        self.update(region, name, &doing, unexpected, |call| {
            call.vpc_zone_identifier(wanted.join(","))
        })
        .await
    }
}

fn group(described: &Described) -> AutoScalingGroup {
    let count = |number: Option<i32>| number.and_then(|number| u32::try_from(number).ok()).unwrap_or_default();
    let in_service = described
        .instances()
        .iter()
        .filter(|instance| instance.lifecycle_state() == Some(&LifecycleState::InService));
    // The answer tells an instance's zone, not its subnet; the group's zones follow from its subnets.
    let zones = described.availability_zones();
    let left_behind = |instance: &&Instance| {
        let zone = instance.availability_zone();
        !zones.is_empty() && zone.is_some_and(|zone| !zones.iter().any(|of_group| of_group == zone))
    };
    let mut subnets: Vec<String> = described
        .vpc_zone_identifier()
        .unwrap_or_default()
        .split(',')
        .map(str::trim)
        .filter(|subnet| !subnet.is_empty())
        .map(str::to_owned)
        .collect();
    subnets.sort();
    let suspended = described
        .suspended_processes()
        .iter()
        .any(|process| process.process_name() == Some("Launch"));
    AutoScalingGroup {
        name: described.auto_scaling_group_name().unwrap_or_default().to_owned(),
        size: GroupSize {
            minimum: count(described.min_size()),
            desired: count(described.desired_capacity()),
            maximum: count(described.max_size()),
        },
        in_service: u32::try_from(in_service.clone().count()).unwrap_or(u32::MAX),
        left_behind: u32::try_from(in_service.filter(left_behind).count()).unwrap_or(u32::MAX),
        subnets,
        // A group has a status only while it is being deleted.
        launches: !suspended && described.status().is_none(),
    }
}

fn sentence(size: GroupSize) -> String {
    format!(
        "minimum {}, desired {}, maximum {}",
        size.minimum, size.desired, size.maximum
    )
}
