//! DB clusters: one call for the clusters of a batch, and then for those of their members whose status decides.

use super::super::{Asked, Probe};
use super::{BATCH, does_not_exist, judge_each, unanswered};
use crate::ports::{CallError, DatabaseClusterStatus};
use std::collections::{BTreeMap, BTreeSet};
use understudy_core::health::Sample;
use understudy_core::judge::{self, ClusterReading};
use understudy_core::plan::Probe as PlanProbe;

/// The status of each member that was asked for: none where there is no such instance.
type Statuses = BTreeMap<String, Result<Option<String>, CallError>>;

pub(super) async fn clusters(probe: &Probe, region: Option<&str>, batch: Vec<Asked>) -> Vec<(Asked, Sample)> {
    let id_of = |asked: &Asked| match asked.probe() {
        PlanProbe::RdsCluster(plan) => plan.db_cluster_identifier.to_ascii_lowercase(),
        _ => String::new(),
    };
    let ids: BTreeSet<String> = batch.iter().map(id_of).collect();
    let ids: Vec<String> = ids.into_iter().collect();
    let found = {
        let _place = probe.place_for_describe(region).await;
        probe.ports.database.cluster_statuses(region, &ids).await
    };
    let statuses = match &found {
        Ok(found) => statuses(probe, region, found).await,
        Err(_) => Statuses::new(),
    };
    judge_each(batch, found, |asked, found| {
        let id = id_of(asked);
        found
            .iter()
            .find(|cluster| cluster.db_cluster_identifier.eq_ignore_ascii_case(&id))
            .map_or_else(|| does_not_exist("DB cluster", &id), |found| judged(found, &statuses))
    })
}

/// The members whose status decides: the writer, or of a cluster without one any that may serve.
fn deciding(found: &DatabaseClusterStatus) -> Vec<&str> {
    match &found.cluster.writer {
        Some(writer) => vec![writer],
        None if found.is_replica => found.cluster.members.iter().map(String::as_str).collect(),
        None => Vec::new(),
    }
}

async fn statuses(probe: &Probe, region: Option<&str>, found: &[DatabaseClusterStatus]) -> Statuses {
    let members: BTreeSet<&str> = found.iter().flat_map(deciding).collect();
    let members: Vec<String> = members.into_iter().map(str::to_owned).collect();
    let mut statuses = Statuses::new();
    for some in members.chunks(BATCH) {
        let answer = {
            let _place = probe.place_for_describe(region).await;
            probe.ports.database.instance_statuses(region, some).await
        };
        for member in some {
            let status = match &answer {
                Ok(found) => Ok(found
                    .iter()
                    .find(|status| status.db_instance_identifier == *member)
                    .map(|status| status.status.clone())),
                Err(error) => Err(error.clone()),
            };
            statuses.insert(member.clone(), status);
        }
    }
    statuses
}

fn judged(found: &DatabaseClusterStatus, statuses: &Statuses) -> Sample {
    if let Some(error) = deciding(found).iter().find_map(|member| failed(statuses.get(*member))) {
        return unanswered(error);
    }
    let status = |member: &str| match statuses.get(member) {
        Some(Ok(status)) => status.as_deref(),
        _ => None,
    };
    let members = found.cluster.members.iter();
    let members: Vec<(&str, Option<&str>)> = members.map(|member| (member.as_str(), status(member))).collect();
    judge::database_cluster(&ClusterReading {
        status: &found.cluster.status,
        writer: found.cluster.writer.as_deref(),
        members: &members,
        is_replica: found.is_replica,
    })
}

fn failed(status: Option<&Result<Option<String>, CallError>>) -> Option<&CallError> {
    status.and_then(|status| status.as_ref().err())
}
