//! `metric_alarm`: an alarm on one metric, made or adjusted by setup.
//!
//! `PutMetricAlarm` replaces an alarm whole and has no version: the port reads the alarm, compares it with what is
//! expected, and only then puts it. The pre-state is the whole alarm, or that there was none: undo puts the one and
//! deletes the other. An alarm that is there and has what can not be put back (metric math, anomaly bands) is left alone.
//! Before it is made, it is asked whether its metric has data and its load balancer is the target group's: an alarm that
//! can not fire is told. An alarm sets off a scaling policy by its ARN, which is looked up when the step is read.

use super::{
    Driver, Facts, Finding, Goal, Plane, Reading, StepPorts, foreign_state, own_topic, setup_tags, tagged_as_others,
};
use crate::ports::{Account, AlarmDefinitions, CallError, Clock, GroupSetup, Metrics, Permission, Traffic};
use crate::silence::has_spoken;
use async_trait::async_trait;
use std::sync::Arc;
use understudy_core::plan::{AlarmedPolicy, Metric, MetricAlarm, MetricSeries, MissingData, Plan, Step};
use understudy_core::preflight::Weight;
use understudy_core::state::{ResourceState, wanted_alarm};

pub(super) struct MetricAlarmDriver {
    definitions: Arc<dyn AlarmDefinitions>,
    groups: Arc<dyn GroupSetup>,
    metrics: Arc<dyn Metrics>,
    traffic: Arc<dyn Traffic>,
    clock: Arc<dyn Clock>,
    plan: Plan,
    topic: Option<String>,
    step: MetricAlarm,
    region: Option<String>,
}

impl MetricAlarmDriver {
    pub(super) fn new(ports: &StepPorts, plan: &Plan, step: MetricAlarm, region: Option<String>) -> Self {
        Self {
            definitions: ports.definitions.clone(),
            groups: ports.group_setup.clone(),
            metrics: ports.metrics.clone(),
            traffic: ports.traffic.clone(),
            clock: ports.clock.clone(),
            topic: own_topic(ports, plan, region.as_deref()),
            plan: plan.clone(),
            step,
            region,
        }
    }

    async fn policy_arn(&self) -> Result<Option<String>, CallError> {
        let Some(policy) = &self.step.scaling_policy else {
            return Ok(None);
        };
        let (group, name) = (&policy.auto_scaling_group_name, &policy.policy_name);
        self.groups.policy_arn(self.region.as_deref(), group, name).await
    }

    // Why the alarm would never have anything to go by, if so. Where a period without data counts as good, somebody has
    // thought of it.
    async fn silent(&self, goal: &Goal) -> Result<Option<String>, CallError> {
        let step = &self.step;
        let is_made_here = |id: &String| {
            self.plan.steps.iter().any(|other| {
                matches!(other, Step::RdsReadReplica(other)
                    if other.wanted(&goal.to).is_some_and(|replica| replica.db_instance_identifier == *id))
            })
        };
        if step.treat_missing_data == MissingData::NotBreaching || step.dimensions.values().any(is_made_here) {
            return Ok(None);
        }
        let series = MetricSeries::Metric(Metric {
            namespace: step.namespace.clone(),
            metric_name: step.metric_name.clone(),
            dimensions: step.dimensions.clone(),
            statistic: "maximum".to_owned(),
        });
        let words = series.to_string();
        let spoken = has_spoken(self.metrics.as_ref(), self.clock.now(), self.region.as_deref(), series).await?;
        Ok((!spoken).then(|| {
            format!(
                "its metric {words} has had no value in two weeks, in this account and Region, so it could not fire; look at \
                 namespace, name and dimensions"
            )
        }))
    }

    // Why no load balancer writes the metric with these dimensions, if so.
    async fn of_another_balancer(&self) -> Result<Option<String>, CallError> {
        let dimension = |name: &str| self.step.dimensions.get(name);
        let (Some(group), Some(balancer)) = (dimension("TargetGroup"), dimension("LoadBalancer")) else {
            return Ok(None);
        };
        let Some(name) = group
            .strip_prefix("targetgroup/")
            .and_then(|rest| rest.split('/').next())
        else {
            return Ok(Some(format!(
                "its dimension TargetGroup is {group}, not targetgroup/<name>/<id>"
            )));
        };
        let found = self.traffic.balanced(self.region.as_deref(), name).await?;
        let Some(found) = found.filter(|found| found.target_group_arn.ends_with(&format!(":{group}"))) else {
            return Ok(Some(format!(
                "there is no target group {group} in this account and Region"
            )));
        };
        let dimensions: Vec<&str> = found
            .load_balancer_arns
            .iter()
            .map(|arn| arn.split_once(":loadbalancer/").map_or(arn.as_str(), |(_, last)| last))
            .collect();
        Ok((!dimensions.contains(&balancer.as_str())).then(|| {
            format!(
                "its dimension LoadBalancer is {balancer}, which does not forward to {group}, so the metric has no data; {}",
                if dimensions.is_empty() {
                    "no load balancer does".to_owned()
                } else {
                    format!("{} does", dimensions.join(", "))
                }
            )
        }))
    }

    // The step of the plan that makes this policy, if one does.
    fn maker(&self, policy: &AlarmedPolicy) -> Option<String> {
        let region = |region: &Option<String>| region.clone().or_else(|| self.plan.region.clone());
        let mut steps = self.plan.steps.iter();
        let found = steps.find(|step| {
            matches!(step, Step::AsgScalingPolicy(step)
                if step.auto_scaling_group_name == policy.auto_scaling_group_name
                    && step.policy_name == policy.policy_name && region(&step.common.region) == self.region)
        });
        found.map(|step| step.name().to_owned())
    }
}

#[async_trait]
impl Driver for MetricAlarmDriver {
    fn facts(&self) -> Facts {
        Facts {
            plane: Plane::Control,
            reads: &[
                "cloudwatch:DescribeAlarms",
                "cloudwatch:ListTagsForResource",
                "autoscaling:DescribePolicies",
            ],
            // Tags that an alarm is made with ask for a permission of their own.
            changes: &[
                "cloudwatch:DeleteAlarms",
                "cloudwatch:PutMetricAlarm",
                "cloudwatch:TagResource",
            ],
        }
    }

    async fn read(&self, _goal: &Goal) -> Result<Reading, CallError> {
        let name = &self.step.alarm_name;
        let current = self.definitions.definition(self.region.as_deref(), name).await?;
        let policy = self.policy_arn().await?;
        let missing = self.step.scaling_policy.as_ref().filter(|_| policy.is_none());
        let not_yet = missing.map(|policy| {
            format!(
                "the ARN of policy {} of {}",
                policy.policy_name, policy.auto_scaling_group_name
            )
        });
        let policy = policy.or(not_yet);
        let no_policy = missing.map(|policy| {
            format!(
                "alarm {name}: Auto Scaling group {} has no scaling policy {}, which the alarm shall set off; nothing was \
                 changed. Make the policy first",
                policy.auto_scaling_group_name, policy.policy_name
            )
        });
        let (wanted, blocked) =
            match wanted_alarm(&self.step, self.topic.as_deref(), policy.as_deref(), current.as_ref()) {
                Ok(wanted) => (Some(Box::new(wanted)), no_policy),
                Err(why) => (
                    current.clone().map(Box::new),
                    Some(format!("alarm {name}: {why}; nothing was changed")),
                ),
            };
        // An alarm that is left alone in any case waits for nobody.
        let is_refused = current.as_ref().is_some_and(|current| current.unsupported.is_some());
        let maker = missing.filter(|_| !is_refused).and_then(|policy| self.maker(policy));
        let current = ResourceState::MetricAlarm {
            alarm: current.map(Box::new),
        };
        let wanted = ResourceState::MetricAlarm { alarm: wanted };
        let reading = Reading::of_change(current, wanted).blocked_by(blocked);
        Ok(reading.resting_on(maker.into_iter().collect()))
    }

    async fn change(
        &self,
        from: &ResourceState,
        into: &ResourceState,
        _comment: &str,
    ) -> Result<Option<String>, CallError> {
        let (ResourceState::MetricAlarm { alarm: from }, ResourceState::MetricAlarm { alarm: into }) = (from, into)
        else {
            return Err(foreign_state("metric_alarm"));
        };
        let (region, name) = (self.region.as_deref(), &self.step.alarm_name);
        match (from.as_deref(), into.as_deref()) {
            (from, Some(into)) => {
                let tags = setup_tags(&self.plan.name, &self.step.common.name);
                self.definitions.define(region, name, from, into, &tags).await?;
            }
            (Some(from), None) => self.definitions.remove(region, name, from).await?,
            (None, None) => {}
        }
        Ok(None)
    }

    fn permissions(&self, _goal: &Goal, account: &Account) -> Vec<Permission> {
        let arn = account.arn(
            "cloudwatch",
            self.region.as_deref(),
            &format!("alarm:{}", self.step.alarm_name),
        );
        let changes = self.facts().changes.iter();
        changes.map(|action| Permission::new(action, &arn)).collect()
    }

    // An alarm that can never fire is worse than none: somebody relies on it.
    async fn rehearse(&self, goal: &Goal, _reading: &Reading) -> Result<Vec<Finding>, CallError> {
        let found = [self.silent(goal).await?, self.of_another_balancer().await?];
        let name = &self.step.alarm_name;
        let told = found.into_iter().flatten();
        Ok(told
            .map(|why| Finding::new(Weight::Warns, format!("alarm {name}: {why}")))
            .collect())
    }

    fn not_ours(&self, current: &ResourceState, into: &ResourceState) -> Option<String> {
        match (current, into) {
            (ResourceState::MetricAlarm { alarm: Some(alarm) }, ResourceState::MetricAlarm { alarm: None }) => {
                tagged_as_others("the alarm", &self.plan.name, alarm.made_by.as_deref())
            }
            _ => None,
        }
    }

    fn calls(&self, from: &ResourceState, into: &ResourceState) -> Vec<String> {
        let name = &self.step.alarm_name;
        let is_new = matches!(from, ResourceState::MetricAlarm { alarm: None });
        match into {
            ResourceState::MetricAlarm { alarm: Some(alarm) } => {
                let tags = is_new.then(|| format!(", Tags={:?}", setup_tags(&self.plan.name, &self.step.common.name)));
                let tags = tags.unwrap_or_default();
                vec![format!(
                    "cloudwatch:PutMetricAlarm {name}: {}{tags}",
                    alarm.parameters()
                )]
            }
            _ => vec![format!("cloudwatch:DeleteAlarms {name}")],
        }
    }
}
