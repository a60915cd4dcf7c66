//! `dns_signal`: a metric says which site is active, and health checks of Route 53 follow it.
//!
//! Publishing a metric, evaluating an alarm and answering queries are all data plane, so this switch works while control
//! planes are down. It has its own ways:
//!
//! 1. What is in effect is read from the alarms: with `TreatMissingData: ignore` an alarm keeps its state for as long as
//!    nothing is published, and that is what health checks follow. An alarm without any data yet has not said anything: the
//!    site that carries the plan is taken to be the active one, and undoing publishes that.
//! 2. One call publishes a datapoint for every site. One is enough; but one that falls into the same minute as another may
//!    be outvoted by it, and CloudWatch may lose one. So it is published again, four times a minute, until the alarms
//!    have followed. Publishing twice does no harm.
//! 3. A metric has no version to compare. What somebody else publishes in between counts for as long as it is the newest.
//! 4. An alarm follows a minute or two later, and a read as before proves nothing until then: see [`Driver::read_lag`].
//!    Its period should be at most a minute, and one datapoint enough.
//! 5. Where a site has a health check, its `HealthCheckStatus` is waited for too. It is read from CloudWatch, where
//!    Route 53 puts it once a minute: `GetHealthCheckStatus` may be called once a second in a whole account.

use super::{Driver, Facts, Goal, Plane, Reading, StepPorts, foreign_state, not_found};
use crate::ports::{Account, Alarms, CallError, Clock, MetricQuery, Metrics, Permission, SignalMetric, Signals};
use async_trait::async_trait;
use jiff::SignedDuration;
use std::collections::BTreeMap;
use std::sync::Arc;
use understudy_core::control::later;
use understudy_core::health::AlarmState;
use understudy_core::plan::{DnsSignal, Signal};
use understudy_core::state::{ResourceState, signalled, wanted_signals};

/// Where Route 53 publishes the status of health checks, wherever they are.
const HEALTH_CHECK_REGION: &str = "us-east-1";
/// How old a status may be, until it counts as none.
const STATUS_AGE: SignedDuration = SignedDuration::from_mins(5);
/// How long an alarm has to follow, before its metric is published again.
const REPEAT_AFTER: SignedDuration = SignedDuration::from_secs(15);
/// How long an alarm of a period of one minute may take to follow: the minute itself, and as long for the datapoint to
/// arrive and to be evaluated.
const ALARM_LAG: SignedDuration = SignedDuration::from_mins(2);

pub(super) struct DnsSignalDriver {
    alarms: Arc<dyn Alarms>,
    metrics: Arc<dyn Metrics>,
    signals: Arc<dyn Signals>,
    clock: Arc<dyn Clock>,
    step: DnsSignal,
    region: Option<String>,
}

impl DnsSignalDriver {
    pub(super) fn new(ports: &StepPorts, step: DnsSignal, region: Option<String>) -> Self {
        Self {
            alarms: ports.alarms.clone(),
            metrics: ports.metrics.clone(),
            signals: ports.signals.clone(),
            clock: ports.clock.clone(),
            step,
            region,
        }
    }

    // The state of each site's alarm.
    async fn alarm_states(&self) -> Result<BTreeMap<String, AlarmState>, CallError> {
        let signals = &self.step.signals;
        let names: Vec<String> = signals.values().map(|signal| signal.alarm_name.clone()).collect();
        let found = self.alarms.readings(self.region.as_deref(), &names).await?;
        let state = |(site, signal): (&String, &Signal)| {
            let reading = found.iter().find(|reading| reading.alarm_name == signal.alarm_name);
            reading
                .map(|reading| (site.clone(), reading.state))
                .ok_or_else(|| not_found("alarm", &signal.alarm_name))
        };
        signals.iter().map(state).collect()
    }

    // Each health check that does not show yet what is wanted, in words.
    async fn behind(&self, wanted: &BTreeMap<String, bool>) -> Result<Vec<String>, CallError> {
        let signals = self.step.signals.iter();
        let checks: Vec<(&str, bool)> = signals
            .filter_map(|(site, signal)| {
                let healthy = signalled(signal, AlarmState::Ok) == wanted.get(site).copied();
                Some((signal.health_check_id.as_deref()?, healthy))
            })
            .collect();
        if checks.is_empty() {
            return Ok(Vec::new());
        }
        let queries: Vec<MetricQuery> = checks.iter().map(|(id, _)| health_check_status(id)).collect();
        let since = later(self.clock.now(), -STATUS_AGE);
        let region = Some(HEALTH_CHECK_REGION);
        let found = self.metrics.newest(region, &queries, since, None).await?;
        let behind = checks.iter().zip(found).filter_map(|((id, wanted), point)| {
            let word = |healthy: bool| if healthy { "healthy" } else { "unhealthy" };
            match point.ok().flatten().map(|point| point.value >= 1.0) {
                Some(healthy) if healthy == *wanted => None,
                Some(healthy) => Some(format!("health check {id} is still {}", word(healthy))),
                None => Some(format!("health check {id} has published no status lately")),
            }
        });
        Ok(behind.collect())
    }

    // What is published to say this.
    fn values(&self, active: &BTreeMap<String, bool>) -> Vec<(SignalMetric, f64)> {
        let signals = self.step.signals.iter();
        signals
            .filter_map(|(site, signal)| {
                let query = SignalMetric {
                    namespace: self.step.namespace.clone(),
                    name: self.step.metric_name.clone(),
                    dimensions: self.step.dimensions_of(signal).into_iter().collect(),
                };
                Some((query, if *active.get(site)? { 1.0 } else { 0.0 }))
            })
            .collect()
    }
}

#[async_trait]
impl Driver for DnsSignalDriver {
    fn facts(&self) -> Facts {
        Facts {
            plane: Plane::Data,
            reads: &["cloudwatch:DescribeAlarms", "cloudwatch:GetMetricData"],
            changes: &["cloudwatch:PutMetricData"],
        }
    }

    async fn read(&self, goal: &Goal) -> Result<Reading, CallError> {
        let states = self.alarm_states().await?;
        let mut active = BTreeMap::new();
        let mut notes = Vec::new();
        for (site, signal) in &self.step.signals {
            let state = states.get(site).copied();
            let said = signalled(signal, state.unwrap_or(AlarmState::InsufficientData));
            if said.is_none() {
                notes.push(format!(
                    "alarm {} has no data yet: {} is taken to be active",
                    signal.alarm_name, goal.from
                ));
            }
            active.insert(site.clone(), said.unwrap_or(*site == goal.from));
        }
        let wanted = wanted_signals(&self.step, &goal.to);
        let behind = if active == wanted {
            self.behind(&wanted).await?
        } else {
            Vec::new()
        };
        let current = ResourceState::DnsSignal { active };
        let open = behind.is_empty();
        let note: Vec<String> = [current.sentence()].into_iter().chain(notes).chain(behind).collect();
        let wanted = ResourceState::DnsSignal { active: wanted };
        Ok(Reading::of_change(current, wanted).opened(open, note.join("; ")))
    }

    async fn change(
        &self,
        _from: &ResourceState,
        into: &ResourceState,
        _comment: &str,
    ) -> Result<Option<String>, CallError> {
        let ResourceState::DnsSignal { active } = into else {
            return Err(foreign_state("dns_signal"));
        };
        self.signals
            .publish(self.region.as_deref(), &self.values(active))
            .await?;
        Ok(None)
    }

    // The alarms follow one by one.
    fn is_between(&self, from: &ResourceState, now: &ResourceState, into: &ResourceState) -> bool {
        let (
            ResourceState::DnsSignal { active: from },
            ResourceState::DnsSignal { active: now },
            ResourceState::DnsSignal { active: into },
        ) = (from, now, into)
        else {
            return false;
        };
        now.iter()
            .all(|(site, said)| from.get(site) == Some(said) || into.get(site) == Some(said))
    }

    // Whether one was enough, only the alarms can tell.
    fn is_last_call(&self, _from: &ResourceState, _into: &ResourceState) -> bool {
        false
    }

    fn repeat_after(&self, _from: &ResourceState, _into: &ResourceState) -> Option<SignedDuration> {
        Some(REPEAT_AFTER)
    }

    fn read_lag(&self) -> SignedDuration {
        ALARM_LAG
    }

    fn permissions(&self, _goal: &Goal, _account: &Account) -> Vec<Permission> {
        let call = Permission::new("cloudwatch:PutMetricData", "*");
        vec![call.with("cloudwatch:namespace", &self.step.namespace)]
    }

    fn calls(&self, _from: &ResourceState, into: &ResourceState) -> Vec<String> {
        let ResourceState::DnsSignal { active } = into else {
            return Vec::new();
        };
        let values = self.values(active);
        let words: Vec<String> = values
            .iter()
            .map(|(metric, value)| {
                let dimensions = metric.dimensions.iter().map(|(name, value)| format!("{name}={value}"));
                let dimensions: Vec<String> = dimensions.collect();
                format!("{}{{{}}} {value}", metric.name, dimensions.join(","))
            })
            .collect();
        vec![format!(
            "cloudwatch:PutMetricData {}: {}",
            self.step.namespace,
            words.join(", ")
        )]
    }
}

fn health_check_status(id: &str) -> MetricQuery {
    MetricQuery::most_of_a_minute("AWS/Route53", "HealthCheckStatus", &[("HealthCheckId", id.to_owned())])
}
