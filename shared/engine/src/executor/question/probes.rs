//! Whether what the probes of a plan ask about is there.
//!
//! A metric without any value (see [`crate::silence`]) is only a problem where silence is not called healthy.

use super::super::Executor;
use crate::ports::{CallError, CallErrorKind};
use crate::silence::has_spoken;
use understudy_core::plan::{MetricSeries, Missing, Plan, Probe};

impl Executor {
    pub(super) async fn probe_resource(&self, plan: &Plan, probe: &Probe) -> Result<(), CallError> {
        let region = probe.region(plan.region.as_deref());
        match probe {
            Probe::Endpoint(_) => Ok(()),
            Probe::Ec2(probe) => {
                let ids = [probe.instance_id.clone()];
                let found = self.ports.compute.instance_statuses(region, &ids).await?;
                present(!found.is_empty(), "instance", &probe.instance_id)
            }
            Probe::TargetGroup(probe) => self
                .ports
                .traffic
                .targets(region, &probe.target_group_arn)
                .await
                .map(|_| ()),
            Probe::RdsInstance(probe) => {
                let ids = [probe.db_instance_identifier.clone()];
                let found = self.ports.database.instance_statuses(region, &ids).await?;
                present(!found.is_empty(), "DB instance", &probe.db_instance_identifier)
            }
            Probe::RdsCluster(probe) => {
                let ids = [probe.db_cluster_identifier.clone()];
                let found = self.ports.database.cluster_statuses(region, &ids).await?;
                present(!found.is_empty(), "DB cluster", &probe.db_cluster_identifier)
            }
            Probe::AutoScalingGroup(probe) => {
                let names = [probe.auto_scaling_group_name.clone()];
                let found = self.ports.groups.groups(region, &names).await?;
                present(!found.is_empty(), "Auto Scaling group", &probe.auto_scaling_group_name)
            }
            Probe::Alarm(probe) => self.alarm_exists(plan, region, &probe.alarm_name).await,
            Probe::Metric(probe) => match probe.series() {
                Some(series) => {
                    let may_be_silent = probe.missing == Missing::Healthy;
                    self.metric_speaks(region, series, may_be_silent).await
                }
                None => Ok(()),
            },
            Probe::DnsHealthCheck(probe) => {
                let found = self.metric_speaks(region, probe.series(), false).await;
                found.map_err(|error| match error.kind {
                    CallErrorKind::NotFound => CallError::new(
                        CallErrorKind::NotFound,
                        format!(
                            "there is no Route 53 health check {} in this account that has said anything in two weeks",
                            probe.health_check_id
                        ),
                    ),
                    _ => error,
                })
            }
        }
    }

    // It is there, or the setup of the plan makes it.
    pub(super) async fn alarm_exists(&self, plan: &Plan, region: Option<&str>, name: &str) -> Result<(), CallError> {
        if plan.sets_up_alarm(name) {
            return Ok(());
        }
        let found = self.ports.alarms.readings(region, &[name.to_owned()]).await?;
        present(!found.is_empty(), "alarm", name)
    }

    // The call is made even where silence is fine: an expression that CloudWatch does not take is told.
    async fn metric_speaks(
        &self,
        region: Option<&str>,
        series: MetricSeries,
        may_be_silent: bool,
    ) -> Result<(), CallError> {
        let name = series.to_string();
        let now = self.ports.clock.now();
        match has_spoken(self.ports.metrics.as_ref(), now, region, series).await? {
            true => Ok(()),
            false if may_be_silent => Ok(()),
            false => Err(CallError::new(
                CallErrorKind::NotFound,
                format!(
                    "the metric {name} has had no value in two weeks, in this account and Region; look at its namespace, \
                     name and dimensions, or say `missing: healthy` if silence is what is wanted"
                ),
            )),
        }
    }
}

fn present(found: bool, what: &str, name: &str) -> Result<(), CallError> {
    if found {
        return Ok(());
    }
    Err(CallError::new(
        CallErrorKind::NotFound,
        format!("there is no {what} {name} in this account and Region"),
    ))
}
