//! Checks: one call, for one probe or for a batch of them.
//!
//! Batches follow the limits of the services: 100 instance ids, 100 identifiers of databases or clusters, 100 group
//! names and 100 alarm names a call, 500 metrics a call, one target group a call. A batch that fails because one of its ids
//! does not exist is cut in halves until that id stands alone, so one bad probe never breaks another.

mod clusters;
mod metrics;

use super::{Asked, Probe};
use crate::ports::{CallError, CallErrorKind};
use futures_util::stream::{self, StreamExt};
use std::collections::BTreeMap;
use understudy_core::health::{Health, Sample};
use understudy_core::judge;
use understudy_core::plan::Probe as PlanProbe;

/// How many ids, identifiers or names a describe takes.
const BATCH: usize = 100;
/// How many samples of one batch are counted at once: enough to keep all places for writes busy, few enough to
/// keep a batch of 100 from lying in memory as 100 half-made writes.
const COUNTS_AT_ONCE: usize = 8;

/// One thing to do in a round.
pub(super) enum Check {
    Endpoint(Asked),
    TargetGroup(Asked),
    Instances(Option<String>, Vec<Asked>),
    Databases(Option<String>, Vec<Asked>),
    Groups(Option<String>, Vec<Asked>),
    Alarms(Option<String>, Vec<Asked>),
    Clusters(Option<String>, Vec<Asked>),
    Metrics(Option<String>, Vec<Asked>),
}

/// What came of it.
#[derive(Default)]
pub(super) struct Done {
    pub(super) probes: Vec<(String, String)>,
    pub(super) samples: u32,
    pub(super) writes: u32,
    pub(super) touches: u32,
    pub(super) nudges: u32,
    pub(super) pruned: u32,
    pub(super) errors: u32,
}

/// Groups probes into as few calls as the services allow.
pub(super) fn checks(due: Vec<Asked>) -> Vec<Check> {
    let mut checks = Vec::new();
    let mut instances: BTreeMap<Option<String>, Vec<Asked>> = BTreeMap::new();
    let mut databases: BTreeMap<Option<String>, Vec<Asked>> = BTreeMap::new();
    let mut groups: BTreeMap<Option<String>, Vec<Asked>> = BTreeMap::new();
    let mut alarms: BTreeMap<Option<String>, Vec<Asked>> = BTreeMap::new();
    let mut clusters: BTreeMap<Option<String>, Vec<Asked>> = BTreeMap::new();
    let mut figures = Vec::new();
    for asked in due {
        let region = asked.region();
        match asked.probe() {
            PlanProbe::Endpoint(_) => checks.push(Check::Endpoint(asked)),
            PlanProbe::TargetGroup(_) => checks.push(Check::TargetGroup(asked)),
            PlanProbe::Ec2(_) => instances.entry(region).or_default().push(asked),
            PlanProbe::RdsInstance(_) => databases.entry(region).or_default().push(asked),
            PlanProbe::AutoScalingGroup(_) => groups.entry(region).or_default().push(asked),
            PlanProbe::Alarm(_) => alarms.entry(region).or_default().push(asked),
            PlanProbe::RdsCluster(_) => clusters.entry(region).or_default().push(asked),
            PlanProbe::Metric(_) | PlanProbe::DnsHealthCheck(_) => figures.push(asked),
        }
    }
    let batched = |groups: BTreeMap<Option<String>, Vec<Asked>>, make: fn(Option<String>, Vec<Asked>) -> Check| {
        groups
            .into_iter()
            .flat_map(move |(region, all)| {
                let batches: Vec<Vec<Asked>> = all.chunks(BATCH).map(<[Asked]>::to_vec).collect();
                batches.into_iter().map(move |batch| make(region.clone(), batch))
            })
            .collect::<Vec<_>>()
    };
    // First what serves a hundred probes with one call.
    let mut first = batched(instances, Check::Instances);
    first.extend(batched(databases, Check::Databases));
    first.extend(batched(groups, Check::Groups));
    first.extend(batched(alarms, Check::Alarms));
    first.extend(batched(clusters, Check::Clusters));
    first.extend(metrics::batched(figures).map(|(region, batch)| Check::Metrics(region, batch)));
    first.extend(checks);
    first
}

impl Check {
    pub(super) async fn run(self, probe: &Probe) -> Done {
        let answered: Vec<(Asked, Sample)> = match self {
            Self::Endpoint(asked) => {
                let sample = match asked.probe() {
                    PlanProbe::Endpoint(endpoint) => {
                        let _place = probe.endpoints.acquire().await;
                        probe.ports.endpoint.check(endpoint).await
                    }
                    _ => wrong_kind(),
                };
                vec![(asked, sample)]
            }
            Self::TargetGroup(asked) => {
                let sample = target_group(probe, &asked).await;
                vec![(asked, sample)]
            }
            Self::Instances(region, batch) => instances(probe, region.as_deref(), batch).await,
            Self::Databases(region, batch) => databases(probe, region.as_deref(), batch).await,
            Self::Groups(region, batch) => groups(probe, region.as_deref(), batch).await,
            Self::Alarms(region, batch) => alarms(probe, region.as_deref(), batch).await,
            Self::Clusters(region, batch) => clusters::clusters(probe, region.as_deref(), batch).await,
            Self::Metrics(region, batch) => metrics::metrics(probe, region.as_deref(), batch).await,
        };
        let mut done = Done {
            probes: answered.iter().map(|(asked, _)| asked.id()).collect(),
            ..Done::default()
        };
        let counting = answered.into_iter().map(|(asked, sample)| async move {
            let counted = probe.count(&asked, sample).await;
            (asked, counted)
        });
        let mut counted = stream::iter(counting).buffer_unordered(COUNTS_AT_ONCE);
        while let Some((asked, counted)) = counted.next().await {
            done.samples += 1;
            match counted {
                Ok(written) => done.writes += u32::from(written),
                Err(error) => {
                    done.errors += 1;
                    tracing::error!(
                        plan = asked.plan.name,
                        probe = asked.probe().name(),
                        error = error.message,
                        "the observation was not written"
                    );
                }
            }
        }
        done
    }
}

// A service that does not answer says nothing about the resource.
fn unanswered(error: &CallError) -> Sample {
    Sample::new(Health::Unknown, understudy_core::event::excerpt_long(&error.message))
}

fn wrong_kind() -> Sample {
    Sample::new(Health::Unknown, "the probe is of another kind than its check")
}

fn does_not_exist(what: &str, name: &str) -> Sample {
    Sample::new(
        Health::Unknown,
        format!("there is no {what} {name} in this account and Region; correct the plan"),
    )
}

async fn target_group(probe: &Probe, asked: &Asked) -> Sample {
    let PlanProbe::TargetGroup(plan) = asked.probe() else {
        return wrong_kind();
    };
    let region = asked.region();
    let _place = probe.place_for_describe(region.as_deref()).await;
    match probe
        .ports
        .traffic
        .targets(region.as_deref(), &plan.target_group_arn)
        .await
    {
        Ok(targets) => judge::target_group(targets.iter().map(|target| target.state.as_str()), plan.minimum_healthy),
        Err(error) => unanswered(&error),
    }
}

async fn instances(probe: &Probe, region: Option<&str>, batch: Vec<Asked>) -> Vec<(Asked, Sample)> {
    let id_of = |asked: &Asked| match asked.probe() {
        PlanProbe::Ec2(plan) => plan.instance_id.clone(),
        _ => String::new(),
    };
    let mut answered = Vec::new();
    let mut waiting = vec![batch];
    while let Some(batch) = waiting.pop() {
        let mut ids: Vec<String> = batch.iter().map(id_of).collect();
        ids.sort();
        ids.dedup();
        let found = {
            let _place = probe.place_for_describe(region).await;
            probe.ports.compute.instance_statuses(region, &ids).await
        };
        match found {
            Ok(found) => answered.extend(batch.into_iter().map(|asked| {
                let id = id_of(&asked);
                let sample = found.iter().find(|status| status.instance_id == id).map_or_else(
                    || does_not_exist("instance", &id),
                    |status| judge::instance(&status.state, &status.instance_check, &status.system_check),
                );
                (asked, sample)
            })),
            Err(error) if error.kind == CallErrorKind::NotFound && batch.len() > 1 => waiting.extend(halves(batch)),
            Err(error) => answered.extend(batch.into_iter().map(|asked| (asked, unanswered(&error)))),
        }
    }
    answered
}

async fn databases(probe: &Probe, region: Option<&str>, batch: Vec<Asked>) -> Vec<(Asked, Sample)> {
    let id_of = |asked: &Asked| match asked.probe() {
        PlanProbe::RdsInstance(plan) => plan.db_instance_identifier.to_ascii_lowercase(),
        _ => String::new(),
    };
    let mut ids: Vec<String> = batch.iter().map(id_of).collect();
    ids.sort();
    ids.dedup();
    let found = {
        let _place = probe.place_for_describe(region).await;
        probe.ports.database.instance_statuses(region, &ids).await
    };
    judge_each(batch, found, |asked, found| {
        let id = id_of(asked);
        found
            .iter()
            .find(|database| database.db_instance_identifier.eq_ignore_ascii_case(&id))
            .map_or_else(
                || does_not_exist("DB instance", &id),
                |database| judge::database(&database.status),
            )
    })
}

async fn groups(probe: &Probe, region: Option<&str>, batch: Vec<Asked>) -> Vec<(Asked, Sample)> {
    let plan_of = |asked: &Asked| match asked.probe() {
        PlanProbe::AutoScalingGroup(plan) => (plan.auto_scaling_group_name.clone(), plan.minimum_in_service),
        _ => (String::new(), None),
    };
    let mut names: Vec<String> = batch.iter().map(|asked| plan_of(asked).0).collect();
    names.sort();
    names.dedup();
    let found = {
        let _place = probe.place_for_describe(region).await;
        probe.ports.groups.groups(region, &names).await
    };
    judge_each(batch, found, |asked, found| {
        let (name, minimum) = plan_of(asked);
        found.iter().find(|group| group.name == name).map_or_else(
            || does_not_exist("Auto Scaling group", &name),
            |group| judge::auto_scaling_group(group.in_service, group.size, minimum),
        )
    })
}

async fn alarms(probe: &Probe, region: Option<&str>, batch: Vec<Asked>) -> Vec<(Asked, Sample)> {
    let name_of = |asked: &Asked| match asked.probe() {
        PlanProbe::Alarm(plan) => plan.alarm_name.clone(),
        _ => String::new(),
    };
    let mut names: Vec<String> = batch.iter().map(name_of).collect();
    names.sort();
    names.dedup();
    let found = {
        let _place = probe.place_for_describe(region).await;
        probe.ports.alarms.readings(region, &names).await
    };
    judge_each(batch, found, |asked, found| {
        let name = name_of(asked);
        found
            .iter()
            .find(|reading| reading.alarm_name == name)
            .map_or_else(|| does_not_exist("alarm", &name), judge::alarm)
    })
}

fn halves(mut left: Vec<Asked>) -> [Vec<Asked>; 2] {
    let right = left.split_off(left.len() / 2);
    [left, right]
}

fn judge_each<T>(
    batch: Vec<Asked>,
    found: Result<Vec<T>, CallError>,
    judge: impl Fn(&Asked, &[T]) -> Sample,
) -> Vec<(Asked, Sample)> {
    batch
        .into_iter()
        .map(|asked| {
            let sample = match &found {
                Ok(found) => judge(&asked, found),
                Err(error) => unanswered(error),
            };
            (asked, sample)
        })
        .collect()
}
