//! `metric_alarm`: an alarm on one metric, made or adjusted by setup.
//!
//! `PutMetricAlarm` replaces an alarm whole and has no version: the port reads the alarm, compares it with what is
//! expected, and only then puts it. The pre-state is the whole alarm, or that there was none: undo puts the one and
//! deletes the other. An alarm that is there and has what can not be put back (metric math, anomaly bands) is left alone.

use super::{Driver, Facts, Goal, Plane, Reading, StepPorts, foreign_state, setup_tags};
use crate::ports::{Account, AlarmDefinitions, CallError, Permission};
use async_trait::async_trait;
use std::sync::Arc;
use understudy_core::plan::{MetricAlarm, Plan};
use understudy_core::state::{ResourceState, wanted_alarm};

pub(super) struct MetricAlarmDriver {
    definitions: Arc<dyn AlarmDefinitions>,
    plan: Plan,
    step: MetricAlarm,
    region: Option<String>,
}

impl MetricAlarmDriver {
    pub(super) fn new(ports: &StepPorts, plan: &Plan, step: MetricAlarm, region: Option<String>) -> Self {
        Self {
            definitions: ports.definitions.clone(),
            plan: plan.clone(),
            step,
            region,
        }
    }
}

#[async_trait]
impl Driver for MetricAlarmDriver {
    fn facts(&self) -> Facts {
        Facts {
            plane: Plane::Control,
            reads: &["cloudwatch:DescribeAlarms"],
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
        let (wanted, blocked) = match wanted_alarm(&self.step, &self.plan, current.as_ref()) {
            Ok(wanted) => (Some(Box::new(wanted)), None),
            Err(why) => (
                current.clone().map(Box::new),
                Some(format!("alarm {name}: {why}; nothing was changed")),
            ),
        };
        let current = ResourceState::MetricAlarm {
            alarm: current.map(Box::new),
        };
        let wanted = ResourceState::MetricAlarm { alarm: wanted };
        Ok(Reading::of_change(current, wanted).blocked_by(blocked))
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
                let tags = setup_tags(&self.plan, &self.step.common);
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

    fn calls(&self, _from: &ResourceState, into: &ResourceState) -> Vec<String> {
        let name = &self.step.alarm_name;
        match into {
            ResourceState::MetricAlarm { alarm: None } => vec![format!("cloudwatch:DeleteAlarms {name}")],
            into => vec![format!("cloudwatch:PutMetricAlarm {name} as {}", into.sentence())],
        }
    }
}
