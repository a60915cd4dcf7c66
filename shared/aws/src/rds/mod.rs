//! Database instances on RDS.
//!
//! RDS keeps identifiers in lower case; a plan may spell them as it likes, and gets its own spelling back.

mod failover;
mod setup;

pub use failover::RdsFailover;
pub use setup::RdsSetup;

use crate::config::{AwsConfig, Regional, Usage};
use crate::failure::{Codes, Effect, explain};
use async_trait::async_trait;
use aws_sdk_rds::Client;
use aws_sdk_rds::types::Filter;
use understudy_engine::ports::{CallError, CallErrorKind, Database, DatabaseStatus};

const CODES: Codes = Codes {
    not_found: &["DBInstanceNotFound", "DBInstanceNotFoundFault"],
    retryable: &[],
};

/// RDS instances.
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
        let lower: Vec<String> = ids.iter().map(|id| id.to_ascii_lowercase()).collect();
        let mut found = Vec::new();
        let mut marker: Option<String> = None;
        loop {
            let page = self
                .clients
                .client(region)
                .describe_db_instances()
                .filters(
                    Filter::builder()
                        .name("db-instance-id")
                        .set_values(Some(lower.clone()))
                        .build(),
                )
                .set_marker(marker.take())
                .send()
                .await
                .map_err(|error| explain(&doing, Effect::Reads, CODES, &error))?;
            for instance in page.db_instances() {
                let id = instance.db_instance_identifier().unwrap_or_default();
                for asked in ids.iter().filter(|asked| asked.eq_ignore_ascii_case(id)) {
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
}

#[async_trait]
impl Database for RdsDatabase {
    async fn instance_statuses(&self, region: Option<&str>, ids: &[String]) -> Result<Vec<DatabaseStatus>, CallError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        match self.describe(region, ids).await {
            // One unknown identifier may fail the whole call: then each is asked for alone.
            Err(error) if error.kind == CallErrorKind::NotFound => {
                let mut found = Vec::new();
                for id in ids.iter().filter(|_| ids.len() > 1) {
                    match self.describe(region, std::slice::from_ref(id)).await {
                        Err(error) if error.kind == CallErrorKind::NotFound => {}
                        answer => found.extend(answer?),
                    }
                }
                Ok(found)
            }
            answer => answer,
        }
    }
}
