//! Databases as steps read and change them.
//!
//! RDS takes no change while a database is in another state than the call wants (`InvalidDBInstanceState` and its kin):
//! nearly always because something is under way, so that is for later, not for good. Identifiers are answered in lower
//! case.

use super::cluster;
use crate::config::{AwsConfig, Regional, Usage, attempts_alone};
use crate::failure::{Codes, Effect, explain, within_one_call};
use async_trait::async_trait;
use aws_sdk_rds::Client;
use aws_sdk_rds::config::Builder;
use aws_sdk_rds::primitives::DateTime;
use aws_sdk_rds::types::SourceType;
use jiff::Timestamp;
use understudy_engine::actions::repeated;
use understudy_engine::ports::{
    CallError, CallErrorKind, DatabaseCluster, DatabaseFailover, DatabaseInstance, GlobalDatabase,
};

const CODES: Codes = Codes {
    not_found: &[
        "DBInstanceNotFound",
        "DBInstanceNotFoundFault",
        "DBClusterNotFoundFault",
        "GlobalClusterNotFoundFault",
    ],
    retryable: repeated::RDS,
};

/// Databases of RDS and Aurora, for steps.
pub struct RdsFailover {
    reading: Regional<Client>,
    changing: Regional<Client>,
}

impl RdsFailover {
    /// Databases of every Region that this configuration reaches.
    pub fn new(config: &AwsConfig) -> Self {
        Self {
            reading: Regional::new(config, Usage::Reads, |sdk| {
                Client::from_conf(Builder::from(sdk).retry_partition(attempts_alone()).build())
            }),
            changing: Regional::new(config, Usage::Changes, Client::new),
        }
    }
}

/// RDS compares nothing: what a call expects is looked at just before it.
pub(super) fn expect<T: PartialEq + std::fmt::Debug>(doing: &str, found: &T, expected: &T) -> Result<(), CallError> {
    if found == expected {
        return Ok(());
    }
    let message = format!("{doing}: expected {expected:?}, found {found:?}; nothing was changed");
    Err(CallError::new(CallErrorKind::Conflict, message))
}

pub(super) fn absent(doing: &str) -> CallError {
    CallError::new(CallErrorKind::NotFound, format!("{doing}: there is no such database"))
}

#[async_trait]
impl DatabaseFailover for RdsFailover {
    async fn instance(&self, region: Option<&str>, id: &str) -> Result<DatabaseInstance, CallError> {
        let doing = format!("reading DB instance {id}");
        let page = self
            .reading
            .client(region)
            .describe_db_instances()
            .db_instance_identifier(id)
            .send()
            .await
            .map_err(|error| explain(&doing, Effect::Reads, CODES, &error))?;
        let found = page.db_instances().first().ok_or_else(|| absent(&doing))?;
        let groups = found.vpc_security_groups();
        let mut security_groups: Vec<String> = groups
            .iter()
            // One that is on its way out no longer counts; until it is gone the others are not in force alone.
            .filter(|group| group.status() != Some("removing"))
            .filter_map(|group| group.vpc_security_group_id().map(str::to_owned))
            .collect();
        security_groups.sort();
        let replica_of = found.read_replica_source_db_instance_identifier();
        Ok(DatabaseInstance {
            status: found.db_instance_status().unwrap_or("unknown").to_owned(),
            zone: found.availability_zone().unwrap_or_default().to_owned(),
            multi_az: found.multi_az().unwrap_or_default(),
            replica_of: replica_of.filter(|source| !source.is_empty()).map(str::to_owned),
            security_groups,
            security_groups_active: groups.iter().all(|group| group.status() == Some("active")),
            engine: super::engine(found.engine(), found.engine_version()),
            standby_zone: found.secondary_availability_zone().map(str::to_owned),
            cluster: found.db_cluster_identifier().map(str::to_owned),
            replicas: found.read_replica_db_instance_identifiers().to_vec(),
        })
    }

    async fn cluster(&self, region: Option<&str>, id: &str) -> Result<DatabaseCluster, CallError> {
        let doing = format!("reading DB cluster {id}");
        let page = self
            .reading
            .client(region)
            .describe_db_clusters()
            .db_cluster_identifier(id)
            .send()
            .await
            .map_err(|error| explain(&doing, Effect::Reads, CODES, &error))?;
        let found = page.db_clusters().first().ok_or_else(|| absent(&doing))?;
        Ok(cluster(found))
    }

    async fn global(&self, region: Option<&str>, id: &str) -> Result<GlobalDatabase, CallError> {
        let doing = format!("reading global database {id}");
        let page = self
            .reading
            .client(region)
            .describe_global_clusters()
            .global_cluster_identifier(id)
            .send()
            .await
            .map_err(|error| explain(&doing, Effect::Reads, CODES, &error))?;
        let found = page.global_clusters().first().ok_or_else(|| absent(&doing))?;
        let members = found.global_cluster_members();
        let status = found.status().unwrap_or("unknown");
        let moving = found.failover_state().and_then(|state| state.status());
        Ok(GlobalDatabase {
            status: moving.map_or_else(|| status.to_owned(), |moving| moving.as_str().to_owned()),
            is_moving: moving.is_some() || status != "available",
            writer: members
                .iter()
                .find(|member| member.is_writer() == Some(true))
                .and_then(|member| member.db_cluster_arn().map(str::to_owned)),
            members: members
                .iter()
                .filter_map(|member| member.db_cluster_arn().map(str::to_owned))
                .collect(),
        })
    }

    async fn reboot_with_failover(&self, region: Option<&str>, id: &str, expected: &str) -> Result<(), CallError> {
        let doing = format!("rebooting DB instance {id} with failover");
        within_one_call(&doing, async {
            let found = self.instance(region, id).await?;
            expect(&doing, &found.zone.as_str(), &expected)?;
            let call = self.changing.client(region).reboot_db_instance();
            call.db_instance_identifier(id)
                .force_failover(true)
                .send()
                .await
                .map(drop)
                .map_err(|error| explain(&doing, Effect::Changes, CODES, &error))
        })
        .await
    }

    async fn fail_over_cluster(
        &self,
        region: Option<&str>,
        id: &str,
        expected: Option<&str>,
        writer: &str,
    ) -> Result<(), CallError> {
        let doing = format!("failing DB cluster {id} over to {writer}");
        within_one_call(&doing, async {
            let found = self.cluster(region, id).await?;
            expect(&doing, &found.writer.as_deref(), &expected)?;
            let call = self.changing.client(region).failover_db_cluster();
            call.db_cluster_identifier(id)
                .target_db_instance_identifier(writer)
                .send()
                .await
                .map(drop)
                .map_err(|error| explain(&doing, Effect::Changes, CODES, &error))
        })
        .await
    }

    async fn switch_over_global(
        &self,
        region: Option<&str>,
        id: &str,
        expected: Option<&str>,
        cluster_arn: &str,
    ) -> Result<(), CallError> {
        let doing = format!("switching global database {id} over to {cluster_arn}");
        within_one_call(&doing, async {
            let found = self.global(region, id).await?;
            expect(&doing, &found.writer.as_deref(), &expected)?;
            let call = self.changing.client(region).switchover_global_cluster();
            call.global_cluster_identifier(id)
                .target_db_cluster_identifier(cluster_arn)
                .send()
                .await
                .map(drop)
                .map_err(|error| explain(&doing, Effect::Changes, CODES, &error))
        })
        .await
    }

    async fn fail_over_global(
        &self,
        region: Option<&str>,
        id: &str,
        expected: Option<&str>,
        cluster_arn: &str,
    ) -> Result<(), CallError> {
        let doing = format!("failing global database {id} over to {cluster_arn}");
        within_one_call(&doing, async {
            let found = self.global(region, id).await?;
            expect(&doing, &found.writer.as_deref(), &expected)?;
            let call = self.changing.client(region).failover_global_cluster();
            call.global_cluster_identifier(id)
                .target_db_cluster_identifier(cluster_arn)
                // Without it AWS would try a switchover, which a primary that is down can not take part in.
                .allow_data_loss(true)
                .send()
                .await
                .map(drop)
                .map_err(|error| explain(&doing, Effect::Changes, CODES, &error))
        })
        .await
    }

    async fn promote(&self, region: Option<&str>, id: &str, expected: Option<&str>) -> Result<(), CallError> {
        let doing = format!("promoting read replica {id}");
        within_one_call(&doing, async {
            let found = self.instance(region, id).await?;
            expect(&doing, &found.replica_of.as_deref(), &expected)?;
            let call = self.changing.client(region).promote_read_replica();
            call.db_instance_identifier(id)
                .send()
                .await
                .map(drop)
                .map_err(|error| explain(&doing, Effect::Changes, CODES, &error))
        })
        .await
    }

    async fn set_security_groups(
        &self,
        region: Option<&str>,
        id: &str,
        expected: &[String],
        groups: &[String],
    ) -> Result<(), CallError> {
        let doing = format!("giving DB instance {id} the security groups {}", groups.join(", "));
        within_one_call(&doing, async {
            let found = self.instance(region, id).await?;
            expect(&doing, &found.security_groups.as_slice(), &expected)?;
            let call = self.changing.client(region).modify_db_instance();
            call.db_instance_identifier(id)
                .set_vpc_security_group_ids(Some(groups.to_vec()))
                .apply_immediately(true)
                .send()
                .await
                .map(drop)
                .map_err(|error| explain(&doing, Effect::Changes, CODES, &error))
        })
        .await
    }

    async fn restarted_since(&self, region: Option<&str>, id: &str, since: Timestamp) -> Result<bool, CallError> {
        let doing = format!("reading the events of DB instance {id}");
        let mut marker: Option<String> = None;
        loop {
            let page = self
                .reading
                .client(region)
                .describe_events()
                .source_type(SourceType::DbInstance)
                .source_identifier(id.to_ascii_lowercase())
                // Whole seconds, and a minute more: each event's own time is compared below.
                .start_time(DateTime::from_secs(since.as_second() - 60))
                .set_marker(marker.take())
                .send()
                .await
                .map_err(|error| explain(&doing, Effect::Reads, CODES, &error))?;
            let restarted = page.events().iter().any(|event| {
                let is_later = event
                    .date()
                    .is_some_and(|date| date.as_nanos() >= since.as_nanosecond());
                is_later && event.message().is_some_and(says_restarted)
            });
            marker = page.marker.filter(|marker| !marker.is_empty());
            if restarted || marker.is_none() {
                return Ok(restarted);
            }
        }
    }

    async fn restart(&self, region: Option<&str>, id: &str, expected: &[String]) -> Result<(), CallError> {
        let doing = format!("restarting DB instance {id}");
        within_one_call(&doing, async {
            let found = self.instance(region, id).await?;
            expect(&doing, &found.security_groups.as_slice(), &expected)?;
            if !found.security_groups_active {
                let message = format!("{doing}: its security groups are not in force yet; nothing was called");
                return Err(CallError::new(CallErrorKind::Retryable, message));
            }
            let call = self.changing.client(region).reboot_db_instance();
            call.db_instance_identifier(id)
                .send()
                .await
                .map(drop)
                .map_err(|error| explain(&doing, Effect::Changes, CODES, &error))
        })
        .await
    }

    // RDS itself compares: it stops only what is `available`.
    async fn stop(&self, region: Option<&str>, id: &str) -> Result<(), CallError> {
        let doing = format!("stopping DB instance {id}");
        let call = self.changing.client(region).stop_db_instance();
        call.db_instance_identifier(id)
            .send()
            .await
            .map(drop)
            .map_err(|error| explain(&doing, Effect::Changes, CODES, &error))
    }

    async fn start(&self, region: Option<&str>, id: &str) -> Result<(), CallError> {
        let doing = format!("starting DB instance {id}");
        let call = self.changing.client(region).start_db_instance();
        call.db_instance_identifier(id)
            .send()
            .await
            .map(drop)
            .map_err(|error| explain(&doing, Effect::Changes, CODES, &error))
    }
}

// RDS-EVENT-0006, "DB instance restarted" (Amazon RDS User Guide, "Amazon RDS event categories and event messages").
fn says_restarted(message: &str) -> bool {
    message.to_ascii_lowercase().contains("instance restarted")
}
