//! What steps and set-up change at databases, at emulators that keep what is written: what was set is what is read, and
//! what is not as expected is left alone.
//!
//! Not here, because no emulator has it: a reboot that changes the zone, a replica that forgets its source when it is
//! promoted, a switchover that takes time. The scripted tests beside this one have these, and the fake has their meaning.
//!
//! Tries steps: fence_source, open_destination, rds_global, rds_promote_replica, rds_read_replica, rds_multi_az.

#![cfg(feature = "rds")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use aws_config::Region;
use aws_sdk_rds::Client;
use common::emulator::Emulator;
use std::collections::{BTreeMap, BTreeSet};
use understudy_aws::rds::{RdsFailover, RdsSetup};
use understudy_core::plan::ReadReplica;
use understudy_core::state::MultiAz;
use understudy_engine::ports::{CallErrorKind, DatabaseFailover, DatabaseSetup};

async fn instance(client: &Client, id: &str, groups: &[&str]) {
    let call = client.create_db_instance();
    call.db_instance_identifier(id)
        .db_instance_class("db.t3.micro")
        .engine("postgres")
        .master_username("shop")
        .master_user_password("only-in-the-emulator")
        .allocated_storage(20)
        .set_vpc_security_group_ids(Some(groups.iter().map(|group| (*group).to_owned()).collect()))
        .send()
        .await
        .unwrap();
}

fn texts(values: &[&str]) -> Vec<String> {
    values.iter().map(|value| (*value).to_owned()).collect()
}

#[tokio::test]
async fn a_source_is_fenced_and_opened_again_exactly() {
    let emulator = Emulator::start().await;
    let client = Client::new(&emulator.sdk);
    instance(&client, "orders", &["sg-0a0a0a0a0a0a0a0a0", "sg-0b0b0b0b0b0b0b0b0"]).await;
    let failover = RdsFailover::new(&emulator.config());
    let before = failover.instance(None, "orders").await.unwrap();
    assert_eq!(before.security_groups, ["sg-0a0a0a0a0a0a0a0a0", "sg-0b0b0b0b0b0b0b0b0"]);
    assert!(before.security_groups_active);
    let fence = texts(&["sg-0f0f0f0f0f0f0f0f0"]);
    failover
        .set_security_groups(None, "orders", &before.security_groups, &fence)
        .await
        .unwrap();
    assert_eq!(failover.instance(None, "orders").await.unwrap().security_groups, fence);
    let stale = failover
        .set_security_groups(None, "orders", &before.security_groups, &fence)
        .await
        .unwrap_err();
    assert_eq!(stale.kind, CallErrorKind::Conflict, "{stale}");
    failover
        .set_security_groups(None, "orders", &fence, &before.security_groups)
        .await
        .unwrap();
    assert_eq!(failover.instance(None, "orders").await.unwrap(), before);
    let missing = failover.instance(None, "nobody").await.unwrap_err();
    assert_eq!(missing.kind, CallErrorKind::NotFound, "{missing}");
}

#[tokio::test]
async fn a_replica_is_made_once_promoted_only_from_its_source_and_deleted_only_by_its_maker() {
    let emulator = Emulator::start().await;
    let client = Client::new(&emulator.sdk);
    instance(&client, "orders", &[]).await;
    let (failover, setup) = (RdsFailover::new(&emulator.config()), RdsSetup::new(&emulator.config()));
    let replica: ReadReplica = serde_json::from_value(serde_json::json!({
        "name": "replica", "db_instance_identifier": "orders-copy", "source": "orders", "db_instance_class": "db.t3.micro",
    }))
    .unwrap();
    let tags: BTreeMap<String, String> = [("understudy".to_owned(), "shop".to_owned())].into();
    assert_eq!(setup.find(None, "orders-copy").await.unwrap(), None);
    setup.create_replica(None, &replica, &tags).await.unwrap();
    let made = setup.find(None, "orders-copy").await.unwrap().unwrap();
    assert_eq!(made.replica_of.as_deref(), Some("orders"));
    assert_eq!(made.made_by.as_deref(), Some("shop"));

    let strange = setup
        .delete_replica(None, "orders-copy", "orders", "store")
        .await
        .unwrap_err();
    assert_eq!(strange.kind, CallErrorKind::Conflict, "{strange}");
    let elsewhere = failover.promote(None, "orders-copy", Some("others")).await.unwrap_err();
    assert_eq!(elsewhere.kind, CallErrorKind::Conflict, "{elsewhere}");
    assert!(
        setup.find(None, "orders-copy").await.unwrap().is_some(),
        "neither touched it"
    );

    setup
        .delete_replica(None, "orders-copy", "orders", "shop")
        .await
        .unwrap();
    assert_eq!(setup.find(None, "orders-copy").await.unwrap(), None);

    // The emulator takes a promotion, and goes on calling it a replica: what RDS says then, the scripted tests have.
    setup.create_replica(None, &replica, &tags).await.unwrap();
    failover.promote(None, "orders-copy", Some("orders")).await.unwrap();
    assert_eq!(
        failover.instance(None, "orders-copy").await.unwrap().status,
        "available"
    );
}

#[tokio::test]
async fn a_standby_is_given_and_taken_away() {
    let emulator = Emulator::start().await;
    instance(&Client::new(&emulator.sdk), "orders", &[]).await;
    let setup = RdsSetup::new(&emulator.config());
    let read = async || setup.find(None, "orders").await.unwrap().unwrap().multi_az;
    let alone = read().await;
    assert!(!alone.multi_az);
    setup.set_multi_az(None, "orders", alone, true, true).await.unwrap();
    let stands_by = read().await;
    assert_eq!(
        stands_by,
        MultiAz {
            multi_az: true,
            ..alone
        }
    );
    let stale = setup.set_multi_az(None, "orders", alone, true, true).await.unwrap_err();
    assert_eq!(stale.kind, CallErrorKind::Conflict, "{stale}");
    setup
        .set_multi_az(None, "orders", stands_by, false, true)
        .await
        .unwrap();
    assert_eq!(read().await, alone);
}

#[tokio::test]
async fn a_global_database_fails_over_to_the_cluster_that_is_named() {
    let emulator = Emulator::start_ministack().await;
    // A Region has one member of a global database at most.
    let client = |region| {
        let config = emulator.sdk.to_builder().region(Region::new(region)).build();
        Client::new(&config)
    };
    let arn = async |region, id: &str, global: Option<&str>| {
        let call = client(region).create_db_cluster();
        let made = call
            .db_cluster_identifier(id)
            .engine("aurora-mysql")
            .master_username("shop")
            .master_user_password("only-in-the-emulator")
            .set_global_cluster_identifier(global.map(str::to_owned))
            .send()
            .await
            .unwrap();
        made.db_cluster().unwrap().db_cluster_arn().unwrap().to_owned()
    };
    let blue = arn("eu-west-1", "orders-blue", None).await;
    client("eu-west-1")
        .create_global_cluster()
        .global_cluster_identifier("orders")
        .source_db_cluster_identifier(&blue)
        .send()
        .await
        .unwrap();
    let green = arn("eu-central-1", "orders-green", Some("orders")).await;
    let failover = RdsFailover::new(&emulator.config());
    let before = failover.global(None, "orders").await.unwrap();
    assert_eq!(before.writer.as_ref(), Some(&blue), "{before:?}");
    let members: BTreeSet<&String> = before.members.iter().collect();
    assert_eq!(members, BTreeSet::from([&blue, &green]));

    // Asked of the Region that is to take over: the other one may be away.
    let there = Some("eu-central-1");
    let stale = failover
        .fail_over_global(there, "orders", Some(&green), &green)
        .await
        .unwrap_err();
    assert_eq!(stale.kind, CallErrorKind::Conflict, "{stale}");
    failover
        .fail_over_global(there, "orders", Some(&blue), &green)
        .await
        .unwrap();
    let after = failover.global(None, "orders").await.unwrap();
    assert_eq!(after.writer, Some(green));
    let missing = failover.global(None, "nobody").await.unwrap_err();
    assert_eq!(missing.kind, CallErrorKind::NotFound, "{missing}");
}
