//! Database instances and clusters on RDS.
//!
//! RDS keeps identifiers in lower case; a plan may spell them as it likes, and gets its own spelling back.

mod events;
mod failover;
mod setup;

pub use failover::RdsFailover;
pub use setup::RdsSetup;

use crate::config::{AwsConfig, Regional, Usage};
use crate::failure::{Codes, Effect, explain};
use async_trait::async_trait;
use aws_sdk_rds::Client;
use aws_sdk_rds::types::{DbCluster, Filter};
use understudy_engine::ports::{
    CallError, CallErrorKind, Database, DatabaseCluster, DatabaseClusterStatus, DatabaseStatus,
};

const CODES: Codes = Codes {
    not_found: &[
        "DBInstanceNotFound",
        "DBInstanceNotFoundFault",
        "DBClusterNotFoundFault",
    ],
    retryable: &[],
};

/// A cluster as it is described, its members in lower case.
fn cluster(found: &DbCluster) -> DatabaseCluster {
    let members = found.db_cluster_members();
    let name = |member: &aws_sdk_rds::types::DbClusterMember| {
        member.db_instance_identifier().unwrap_or_default().to_ascii_lowercase()
    };
    DatabaseCluster {
        status: found.status().unwrap_or("unknown").to_owned(),
        writer: members
            .iter()
            .find(|member| member.is_cluster_writer() == Some(true))
            .map(name),
        members: members.iter().map(name).collect(),
        engine: engine(found.engine(), found.engine_version()),
    }
}

fn engine(name: Option<&str>, version: Option<&str>) -> String {
    format!(
        "{} {}",
        name.unwrap_or("unknown"),
        version.unwrap_or("of an unknown version")
    )
}

/// RDS instances and clusters.
pub struct RdsDatabase {
    clients: Regional<Client>,
}

impl RdsDatabase {
    /// Instances of every Region that this configuration reaches.
    pub fn new(config: &AwsConfig) -> Self {
        Self {
            clients: Regional::new(config, Usage::Reads, Client::new),
        }
    }

    async fn describe(&self, region: Option<&str>, ids: &[String]) -> Result<Vec<DatabaseStatus>, CallError> {
        let doing = format!("reading the status of database instance(s) {}", ids.join(", "));
        let mut found = Vec::new();
        let mut marker: Option<String> = None;
        loop {
            let page = self
                .clients
                .client(region)
                .describe_db_instances()
                .filters(filter("db-instance-id", ids))
                .set_marker(marker.take())
                .send()
                .await
                .map_err(|error| explain(&doing, Effect::Reads, CODES, &error))?;
            for instance in page.db_instances() {
                let id = instance.db_instance_identifier().unwrap_or_default();
                for asked in spelled(ids, id) {
                    found.push(DatabaseStatus {
                        db_instance_identifier: asked.clone(),
                        status: instance.db_instance_status().unwrap_or("unknown").to_owned(),
                    });
                }
            }
            marker = page.marker.filter(|marker| !marker.is_empty());
            if marker.is_none() {
                return Ok(found);
            }
        }
    }

    async fn describe_clusters(
        &self,
        region: Option<&str>,
        ids: &[String],
    ) -> Result<Vec<DatabaseClusterStatus>, CallError> {
        let doing = format!("reading the status of DB cluster(s) {}", ids.join(", "));
        let mut found = Vec::new();
        let mut marker: Option<String> = None;
        loop {
            let page = self
                .clients
                .client(region)
                .describe_db_clusters()
                .filters(filter("db-cluster-id", ids))
                .set_marker(marker.take())
                .send()
                .await
                .map_err(|error| explain(&doing, Effect::Reads, CODES, &error))?;
            for described in page.db_clusters() {
                let id = described.db_cluster_identifier().unwrap_or_default();
                let source = described.replication_source_identifier();
                for asked in spelled(ids, id) {
                    found.push(DatabaseClusterStatus {
                        db_cluster_identifier: asked.clone(),
                        cluster: cluster(described),
                        is_replica: source.is_some_and(|source| !source.is_empty()),
                    });
                }
            }
            marker = page.marker.filter(|marker| !marker.is_empty());
            if marker.is_none() {
                return Ok(found);
            }
        }
    }
}

fn filter(name: &str, ids: &[String]) -> Filter {
    let lower = ids.iter().map(|id| id.to_ascii_lowercase()).collect();
    Filter::builder().name(name).set_values(Some(lower)).build()
}

fn spelled<'a>(ids: &'a [String], id: &'a str) -> impl Iterator<Item = &'a String> {
    ids.iter().filter(move |asked| asked.eq_ignore_ascii_case(id))
}

/// Asks for all at once, and where one unknown identifier fails the whole call, for each alone.
async fn each_or_all<T, Answer>(ids: &[String], describe: impl Fn(Vec<String>) -> Answer) -> Result<Vec<T>, CallError>
where
    Answer: Future<Output = Result<Vec<T>, CallError>>,
{
    if ids.is_empty() {
        // The service would answer with all that the account has.
        return Ok(Vec::new());
    }
    match describe(ids.to_vec()).await {
        Err(error) if error.kind == CallErrorKind::NotFound => {
            let mut found = Vec::new();
            for id in ids.iter().filter(|_| ids.len() > 1) {
                match describe(vec![id.clone()]).await {
                    Err(error) if error.kind == CallErrorKind::NotFound => {}
                    answer => found.extend(answer?),
                }
            }
            Ok(found)
        }
        answer => answer,
    }
}

#[async_trait]
impl Database for RdsDatabase {
    async fn instance_statuses(&self, region: Option<&str>, ids: &[String]) -> Result<Vec<DatabaseStatus>, CallError> {
        each_or_all(ids, |ids| async move { self.describe(region, &ids).await }).await
    }

    async fn cluster_statuses(
        &self,
        region: Option<&str>,
        ids: &[String],
    ) -> Result<Vec<DatabaseClusterStatus>, CallError> {
        each_or_all(ids, |ids| async move { self.describe_clusters(region, &ids).await }).await
    }
}
