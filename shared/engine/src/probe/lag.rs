//! How far the copies of data are behind: measured once a minute, and remembered while the source is well.
//!
//! A dying source flatters its copies: what it no longer sends does not count as lag. So the record that consent asks
//! about is the newest of a minute that began while the active site was known to be healthy, and it says when that was.

use super::Probe;
use super::check::Done;
use crate::ports::{CallError, Datapoint, MetricQuery};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;
use std::sync::Arc;
use understudy_core::control::later;
use understudy_core::decide::{LagRecord, Lags};
use understudy_core::health::{Health, Observation, assess, is_fresh};
use understudy_core::mutant::{Mutant, active};
use understudy_core::plan::{LagSource, Plan};

/// How old the newest datapoint may be: CloudWatch has one a minute, some two minutes late.
const OLDEST: SignedDuration = SignedDuration::from_mins(5);

impl Probe {
    /// Measures the lag of every plan that a move could lose data by.
    pub(super) async fn measure_lags(&self, plans: &[Arc<Plan>], now: Timestamp) -> Done {
        let mut done = Done::default();
        for plan in plans {
            if let Err(error) = self.measure_lag(plan, now).await {
                done.errors += 1;
                tracing::warn!(
                    plan = plan.name,
                    error = error.message,
                    "the lag was not measured; what was measured before grows older, and blocks when it is too old"
                );
            }
        }
        done
    }

    async fn measure_lag(&self, plan: &Plan, now: Timestamp) -> Result<(), CallError> {
        // Nothing to measure for any active site: by far the most plans.
        if plan.sites.iter().all(|site| plan.lag_sources(&site.name).is_empty()) {
            return Ok(());
        }
        let Some(control) = self.store.control(&plan.name).await? else {
            return Ok(());
        };
        let sources = plan.lag_sources(&control.active_site);
        let mut by_region: BTreeMap<Option<&str>, Vec<&LagSource>> = BTreeMap::new();
        for source in &sources {
            by_region.entry(source.region.as_deref()).or_default().push(source);
        }
        let observations = self.store.seen(&plan.name).await?;
        let Some((since, until)) = well(now, plan, &control.active_site, &observations) else {
            return Ok(());
        };
        let since = since.max(later(now, -OLDEST));
        // Nothing lies between, and CloudWatch refuses such a question.
        if since.as_second() >= until.as_second() {
            return Ok(());
        }
        let mut measured = Lags::new();
        let mut unsaid = None;
        for (region, sources) in by_region {
            let queries: Vec<MetricQuery> = sources.iter().map(|source| query(source)).collect();
            let found = {
                let _place = self.place_for_describe(region).await;
                self.ports.metrics.newest(region, &queries, since, Some(until)).await?
            };
            for (source, point) in sources.iter().zip(found) {
                let point = point.unwrap_or_else(|error| {
                    unsaid = Some(error);
                    None
                });
                let Some(record) = point.and_then(|point| record(source, point)) else {
                    continue;
                };
                // Two copies at one site, or two steps: the one that is further behind is what would be lost.
                let worst = measured
                    .get(&source.site)
                    .is_none_or(|known| known.seconds < record.seconds);
                if worst {
                    measured.insert(source.site.clone(), record);
                }
            }
        }
        if !measured.is_empty() {
            self.store.remember_lags(&plan.name, &measured, now).await?;
        }
        unsaid.map_or(Ok(()), Err)
    }
}

fn query(source: &LagSource) -> MetricQuery {
    MetricQuery::most_of_a_minute("AWS/RDS", source.metric, &source.dimensions)
}

/// From when to when the active site is known to have been healthy: since it was seen to be, until the newest good answer
/// of each of its probes that gives any. It may have died right after that, and what a minute says that began later may
/// flatter.
///
/// One bad answer does not make a site unhealthy yet, but it is enough for nothing to be measured.
fn well(now: Timestamp, plan: &Plan, site: &str, observations: &[Observation]) -> Option<(Timestamp, Timestamp)> {
    if active(Mutant::LagOfDyingSource) {
        return Some((later(now, -OLDEST), now));
    }
    let assessed = assess(now, plan, observations, &[])
        .remove(site)
        .filter(|found| found.health == Health::Healthy)?;
    let mut until: Option<Timestamp> = None;
    for probe in plan.probes.iter().filter(|probe| probe.common().site == site) {
        let of_probe = observations.iter().filter(|seen| {
            seen.site == site && seen.probe == probe.name() && seen.unfit.is_none() && is_fresh(now, seen)
        });
        if of_probe.clone().any(|seen| seen.failing_since.is_some()) {
            return None;
        }
        let good = of_probe.filter(|seen| seen.streak.health == Health::Healthy);
        let newest = good.map(|seen| seen.observed_at).max();
        until = [until, newest].into_iter().flatten().min();
    }
    assessed.since.zip(until)
}

// A negative value says that nothing replicates, which is no lag that anybody could rely on.
fn record(source: &LagSource, point: Datapoint) -> Option<LagRecord> {
    if !point.value.is_finite() || point.value < 0.0 {
        return None;
    }
    let seconds = (point.value / f64::from(source.units_a_second))
        .ceil()
        .min(f64::from(u32::MAX));
    Some(LagRecord {
        // Finite and not negative, and no larger than fits.
        seconds: seconds as u32,
        measured_at: point.at,
        source_healthy: true,
    })
}
