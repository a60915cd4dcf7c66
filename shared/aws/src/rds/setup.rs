//! Databases as the set-up of a plan makes and adjusts them.
//!
//! `CreateDBInstanceReadReplica` compares by itself: an identifier is taken or it is not. The others compare nothing, so
//! what they expect is looked at just before.

use super::failover::{absent, expect};
use crate::config::{AwsConfig, Regional, Usage, attempts_alone};
use crate::failure::{Codes, Effect, explain, within_one_call};
use async_trait::async_trait;
use aws_sdk_rds::Client;
use aws_sdk_rds::config::Builder;
use aws_sdk_rds::types::{DbInstance, PendingModifiedValues, Tag};
use std::collections::BTreeMap;
use understudy_core::plan::ReadReplica;
use understudy_core::state::{EventSubscription, MultiAz, same_database};
use understudy_engine::actions::{TAG, repeated};
use understudy_engine::ports::{CallError, CallErrorKind, DatabaseSetup, InstanceMade, SubscriptionFound};

const CODES: Codes = Codes {
    not_found: &["DBInstanceNotFound", "DBInstanceNotFoundFault"],
    retryable: repeated::RDS,
};

/// Databases of RDS, for what is made once.
pub struct RdsSetup {
    pub(super) reading: Regional<Client>,
    pub(super) changing: Regional<Client>,
}

impl RdsSetup {
    /// Databases of every Region that this configuration reaches.
    pub fn new(config: &AwsConfig) -> Self {
        Self {
            reading: Regional::new(config, Usage::Reads, |sdk| {
                Client::from_conf(Builder::from(sdk).retry_partition(attempts_alone()).build())
            }),
            changing: Regional::new(config, Usage::Changes, Client::new),
        }
    }

    async fn existing(&self, region: Option<&str>, id: &str, doing: &str) -> Result<InstanceMade, CallError> {
        self.find(region, id).await?.ok_or_else(|| absent(doing))
    }
}

#[async_trait]
impl DatabaseSetup for RdsSetup {
    async fn find(&self, region: Option<&str>, id: &str) -> Result<Option<InstanceMade>, CallError> {
        let doing = format!("reading DB instance {id}");
        let client = self.reading.client(region);
        let answer = client.describe_db_instances().db_instance_identifier(id).send().await;
        let found = answer.map_err(|error| explain(&doing, Effect::Reads, CODES, &error));
        match found {
            Ok(page) => Ok(page.db_instances().first().map(made)),
            Err(error) if error.kind == CallErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn create_replica(
        &self,
        region: Option<&str>,
        replica: &ReadReplica,
        tags: &BTreeMap<String, String>,
    ) -> Result<(), CallError> {
        let id = &replica.db_instance_identifier;
        let doing = format!("making read replica {id} of {}", replica.source);
        let groups = &replica.security_groups;
        let own = replica.tags.iter().chain(tags);
        let tags = own.map(|(key, value)| Tag::builder().key(key).value(value).build());
        let call = self.changing.client(region).create_db_instance_read_replica();
        call.db_instance_identifier(id)
            .source_db_instance_identifier(&replica.source)
            .set_db_instance_class(replica.db_instance_class.clone())
            .set_availability_zone(replica.availability_zone.clone())
            .multi_az(replica.multi_az)
            .auto_minor_version_upgrade(replica.auto_minor_version_upgrade)
            .publicly_accessible(false)
            .set_db_subnet_group_name(replica.db_subnet_group_name.clone())
            .set_vpc_security_group_ids((!groups.is_empty()).then(|| groups.clone()))
            .set_kms_key_id(replica.kms_key_id.clone())
            .set_tags(Some(tags.collect()))
            .send()
            .await
            .map(drop)
            .map_err(|error| {
                let taken = error
                    .as_service_error()
                    .is_some_and(|error| error.is_db_instance_already_exists_fault());
                let told = explain(&doing, Effect::Changes, CODES, &error);
                if taken {
                    return CallError::new(CallErrorKind::Conflict, told.message);
                }
                told
            })
    }

    async fn delete_replica(
        &self,
        region: Option<&str>,
        id: &str,
        expected: &str,
        made_by: &str,
    ) -> Result<(), CallError> {
        let doing = format!("deleting read replica {id}");
        within_one_call(&doing, async {
            let found = self.existing(region, id, &doing).await?;
            let replicates = found.replica_of.as_deref();
            if !replicates.is_some_and(|known| same_database(known, expected)) {
                expect(&doing, &replicates, &Some(expected))?;
            }
            if found.made_by.as_deref() != Some(made_by) {
                let message = format!(
                    "{doing}: its tag {TAG} is {:?}, so the plan {made_by} did not make it; nothing was deleted",
                    found.made_by.unwrap_or_default()
                );
                return Err(CallError::new(CallErrorKind::Conflict, message));
            }
            let call = self.changing.client(region).delete_db_instance();
            call.db_instance_identifier(id)
                .skip_final_snapshot(true)
                .send()
                .await
                .map(drop)
                .map_err(|error| explain(&doing, Effect::Changes, CODES, &error))
        })
        .await
    }

    async fn set_multi_az(
        &self,
        region: Option<&str>,
        id: &str,
        expected: MultiAz,
        wanted: bool,
        immediately: bool,
    ) -> Result<(), CallError> {
        let doing = format!("setting MultiAZ of DB instance {id} to {wanted}");
        within_one_call(&doing, async {
            let found = self.existing(region, id, &doing).await?;
            expect(&doing, &found.multi_az, &expected)?;
            if immediately && found.has_other_changes {
                let message = format!(
                    "{doing}: other changes wait for its maintenance window and would be applied at once with this one; \
                     nothing was changed; apply them first"
                );
                return Err(CallError::new(CallErrorKind::Refused, message));
            }
            let call = self.changing.client(region).modify_db_instance();
            call.db_instance_identifier(id)
                .multi_az(wanted)
                .apply_immediately(immediately)
                .send()
                .await
                .map(drop)
                .map_err(|error| explain(&doing, Effect::Changes, CODES, &error))
        })
        .await
    }

    async fn subscription(&self, region: Option<&str>, name: &str) -> Result<Option<SubscriptionFound>, CallError> {
        let doing = format!("reading event subscription {name}");
        self.find_subscription(region, name, &doing).await
    }

    async fn put_subscription(
        &self,
        region: Option<&str>,
        name: &str,
        expected: Option<&EventSubscription>,
        wanted: &EventSubscription,
        tags: &BTreeMap<String, String>,
    ) -> Result<(), CallError> {
        self.make_or_change_subscription(region, name, expected, wanted, tags)
            .await
    }

    async fn delete_subscription(
        &self,
        region: Option<&str>,
        name: &str,
        expected: &EventSubscription,
    ) -> Result<(), CallError> {
        self.take_subscription_away(region, name, expected).await
    }
}

fn made(found: &DbInstance) -> InstanceMade {
    let multi_az = found.multi_az().unwrap_or_default();
    let pending = found.pending_modified_values().cloned().unwrap_or_else(none_pending);
    let source = found.read_replica_source_db_instance_identifier();
    let tag = found.tag_list().iter().find(|tag| tag.key() == Some(TAG));
    InstanceMade {
        status: found.db_instance_status().unwrap_or("unknown").to_owned(),
        replica_of: source.filter(|source| !source.is_empty()).map(str::to_owned),
        made_by: tag.and_then(|tag| tag.value().map(str::to_owned)),
        multi_az: MultiAz {
            multi_az,
            pending: pending.multi_az.filter(|pending| *pending != multi_az),
            in_window: false,
        },
        has_other_changes: has_others(pending),
    }
}

fn none_pending() -> PendingModifiedValues {
    PendingModifiedValues::builder().build()
}

/// Whether anything but the standby is pending. Empty lists are nothing.
fn has_others(mut pending: PendingModifiedValues) -> bool {
    pending.multi_az = None;
    pending.processor_features = pending.processor_features.filter(|list| !list.is_empty());
    pending.additional_storage_volumes = pending.additional_storage_volumes.filter(|list| !list.is_empty());
    pending != none_pending()
}
