//! Auto Scaling groups as the set-up of a plan adjusts them: their settings and their scaling policies.
//!
//! `PutScalingPolicy` compares nothing and replaces the whole policy: what is expected is looked at just before.

use super::{AutoScalingGroups, CODES, group};
use crate::failure::{Effect, explain, within_one_call};
use async_trait::async_trait;
use aws_sdk_autoscaling::types::{AutoScalingGroup as Described, ScalingPolicy as DescribedPolicy, StepAdjustment};
use understudy_core::state::{GroupSettings, ScalingPolicy, ScalingStep};
use understudy_engine::ports::{CallError, CallErrorKind, GroupSetUp, GroupSetup};

#[async_trait]
impl GroupSetup for AutoScalingGroups {
    async fn group_set_up(&self, region: Option<&str>, name: &str) -> Result<Option<GroupSetUp>, CallError> {
        let doing = format!("reading Auto Scaling group {name}");
        let found = self.described(region, &[name.to_owned()], &doing).await?;
        Ok(found.first().map(|found| {
            let group = group(found);
            GroupSetUp {
                settings: settings(found),
                in_service: group.in_service,
                minimum: group.size.minimum,
            }
        }))
    }

    async fn set_settings(
        &self,
        region: Option<&str>,
        name: &str,
        expected: &GroupSettings,
        wanted: &GroupSettings,
    ) -> Result<(), CallError> {
        let doing = format!("setting Auto Scaling group {name} to: {}", wanted.sentence());
        let seconds = |value: Option<u32>| value.map(|value| i32::try_from(value).unwrap_or(i32::MAX));
        let unexpected = |found: &Described| {
            let found = settings(found).only(expected);
            (found != *expected).then(|| {
                let (found, expected) = (found.sentence(), expected.sentence());
                format!("found \"{found}\" where \"{expected}\" was expected")
            })
        };
        self.update(region, name, &doing, unexpected, |call| {
            call.set_vpc_zone_identifier(wanted.subnets.as_ref().map(|subnets| subnets.join(",")))
                .set_availability_zones(wanted.availability_zones.clone())
                .set_health_check_type(wanted.health_check_type.clone())
                .set_health_check_grace_period(seconds(wanted.health_check_grace_seconds))
                .set_default_cooldown(seconds(wanted.default_cooldown_seconds))
        })
        .await
    }

    async fn policy(&self, region: Option<&str>, group: &str, name: &str) -> Result<Option<ScalingPolicy>, CallError> {
        let found = self.described_policy(region, group, name).await?;
        Ok(found.as_ref().map(read))
    }

    async fn policy_arn(&self, region: Option<&str>, group: &str, name: &str) -> Result<Option<String>, CallError> {
        let found = self.described_policy(region, group, name).await?;
        Ok(found.and_then(|policy| policy.policy_arn))
    }

    async fn put_policy(
        &self,
        region: Option<&str>,
        group: &str,
        name: &str,
        expected: Option<&ScalingPolicy>,
        wanted: &ScalingPolicy,
    ) -> Result<(), CallError> {
        let doing = format!("putting scaling policy {name} of Auto Scaling group {group}");
        within_one_call(&doing, async {
            self.expect_policy(region, group, name, expected, &doing).await?;
            let mut steps = Vec::new();
            for step in &wanted.steps {
                steps.push(written(step, &doing)?);
            }
            let call = self.changing.client(region).put_scaling_policy();
            call.auto_scaling_group_name(group)
                .policy_name(name)
                .policy_type(&wanted.policy_type)
                .set_adjustment_type(wanted.adjustment_type.clone())
                .set_min_adjustment_magnitude(wanted.min_adjustment_magnitude)
                .set_scaling_adjustment(wanted.scaling_adjustment)
                .set_cooldown(wanted.cooldown_seconds)
                .set_step_adjustments((!steps.is_empty()).then_some(steps))
                .set_metric_aggregation_type(wanted.metric_aggregation_type.clone())
                .set_estimated_instance_warmup(wanted.warmup_seconds)
                .enabled(wanted.is_enabled)
                .send()
                .await
                .map(drop)
                .map_err(|error| explain(&doing, Effect::Changes, CODES, &error))
        })
        .await
    }

    async fn delete_policy(
        &self,
        region: Option<&str>,
        group: &str,
        name: &str,
        expected: &ScalingPolicy,
    ) -> Result<(), CallError> {
        let doing = format!("deleting scaling policy {name} of Auto Scaling group {group}");
        within_one_call(&doing, async {
            self.expect_policy(region, group, name, Some(expected), &doing).await?;
            let call = self.changing.client(region).delete_policy();
            call.auto_scaling_group_name(group)
                .policy_name(name)
                .send()
                .await
                .map(drop)
                .map_err(|error| explain(&doing, Effect::Changes, CODES, &error))
        })
        .await
    }
}

impl AutoScalingGroups {
    async fn described_policy(
        &self,
        region: Option<&str>,
        group: &str,
        name: &str,
    ) -> Result<Option<DescribedPolicy>, CallError> {
        let doing = format!("reading scaling policy {name} of Auto Scaling group {group}");
        let answer = self
            .reading
            .client(region)
            .describe_policies()
            .auto_scaling_group_name(group)
            .policy_names(name)
            .send()
            .await
            .map_err(|error| explain(&doing, Effect::Reads, CODES, &error))?;
        let mut found = answer.scaling_policies.unwrap_or_default().into_iter();
        Ok(found.find(|policy| policy.policy_name() == Some(name)))
    }

    async fn expect_policy(
        &self,
        region: Option<&str>,
        group: &str,
        name: &str,
        expected: Option<&ScalingPolicy>,
        doing: &str,
    ) -> Result<(), CallError> {
        let found = self.policy(region, group, name).await?;
        if found.as_ref() == expected {
            return Ok(());
        }
        let sentence =
            |policy: Option<&ScalingPolicy>| policy.map_or_else(|| "none".to_owned(), ScalingPolicy::sentence);
        let message = format!(
            "{doing}: found {} where {} was expected, so somebody else changed it; nothing was changed",
            sentence(found.as_ref()),
            sentence(expected)
        );
        Err(CallError::new(CallErrorKind::Conflict, message))
    }
}

/// All settings. A group with subnets has their zones too, which are then not what it is placed by.
fn settings(found: &Described) -> GroupSettings {
    let seconds = |value: Option<i32>| value.and_then(|value| u32::try_from(value).ok());
    let subnets = group(found).subnets;
    let mut zones = found.availability_zones().to_vec();
    zones.sort();
    let is_placed_by_subnets = !subnets.is_empty();
    GroupSettings {
        subnets: is_placed_by_subnets.then_some(subnets),
        availability_zones: (!is_placed_by_subnets).then_some(zones),
        health_check_type: found.health_check_type().map(str::to_owned),
        health_check_grace_seconds: seconds(found.health_check_grace_period()),
        default_cooldown_seconds: seconds(found.default_cooldown()),
    }
}

fn read(found: &DescribedPolicy) -> ScalingPolicy {
    let policy_type = found.policy_type().unwrap_or("SimpleScaling");
    let is_step = policy_type == "StepScaling";
    let carried = (is_step || policy_type == "SimpleScaling") && found.min_adjustment_step().unwrap_or_default() == 0;
    let mut steps: Vec<&StepAdjustment> = found.step_adjustments().iter().collect();
    let lowest = |step: &&StepAdjustment| step.metric_interval_lower_bound().unwrap_or(f64::NEG_INFINITY);
    steps.sort_by(|left, right| lowest(left).total_cmp(&lowest(right)));
    let bound = |bound: Option<f64>| bound.map(|bound| bound.to_string());
    let aggregation = found.metric_aggregation_type().map(str::to_owned);
    ScalingPolicy {
        policy_type: policy_type.to_owned(),
        adjustment_type: found.adjustment_type().map(str::to_owned),
        min_adjustment_magnitude: found.min_adjustment_magnitude(),
        scaling_adjustment: found.scaling_adjustment(),
        cooldown_seconds: found.cooldown(),
        steps: steps
            .into_iter()
            .map(|step| ScalingStep {
                lower_bound: bound(step.metric_interval_lower_bound()),
                upper_bound: bound(step.metric_interval_upper_bound()),
                adjustment: step.scaling_adjustment().unwrap_or_default(),
            })
            .collect(),
        // "If the aggregation type is null, the value is treated as Average" (API reference of `PutScalingPolicy`).
        metric_aggregation_type: aggregation.or_else(|| is_step.then(|| "Average".to_owned())),
        warmup_seconds: found.estimated_instance_warmup(),
        is_enabled: found.enabled().unwrap_or(true),
        unsupported: (!carried).then(|| policy_type.to_owned()),
    }
}

fn written(step: &ScalingStep, doing: &str) -> Result<StepAdjustment, CallError> {
    let bound = |bound: &Option<String>| {
        let number = bound.as_deref().map(str::parse::<f64>).transpose();
        number.map_err(|_| {
            let message = format!("{doing}: the bound {bound:?} is no number; nothing was changed");
            CallError::new(CallErrorKind::Refused, message)
        })
    };
    Ok(StepAdjustment::builder()
        .set_metric_interval_lower_bound(bound(&step.lower_bound)?)
        .set_metric_interval_upper_bound(bound(&step.upper_bound)?)
        .scaling_adjustment(step.adjustment)
        .build())
}
