//! What set-up asks of RDS: what is read, what is compared before a call, and what is called.
//!
//! Tries steps: rds_read_replica, rds_multi_az.

#![cfg(feature = "rds")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::query::{done, failed};
use common::{Answer, Script, says};
use std::collections::BTreeMap;
use understudy_aws::rds::RdsSetup;
use understudy_core::plan::ReadReplica;
use understudy_core::state::MultiAz;
use understudy_engine::ports::{CallErrorKind, DatabaseSetup, InstanceMade};

const SOURCE: &str = "<ReadReplicaSourceDBInstanceIdentifier>shop</ReadReplicaSourceDBInstanceIdentifier>";

fn instance(extra: &str) -> Answer {
    says(
        200,
        format!(
            "<DescribeDBInstancesResponse><DescribeDBInstancesResult><DBInstances><DBInstance>\
             <DBInstanceIdentifier>copy</DBInstanceIdentifier><DBInstanceStatus>available</DBInstanceStatus>\
             <MultiAZ>false</MultiAZ>{extra}</DBInstance></DBInstances></DescribeDBInstancesResult>\
             </DescribeDBInstancesResponse>"
        ),
    )
}

fn tagged(plan: &str) -> String {
    format!(
        "{SOURCE}<TagList><Tag><Key>Name</Key><Value>x</Value></Tag>\
         <Tag><Key>understudy</Key><Value>{plan}</Value></Tag></TagList>"
    )
}

fn replica() -> ReadReplica {
    serde_json::from_value(serde_json::json!({
        "db_instance_identifier": "copy", "source": "arn:aws:rds:eu-central-1:000000000000:db:shop",
        "db_instance_class": "db.t3.micro", "availability_zone": "eu-west-1b", "kms_key_id": "alias/data",
        "db_subnet_group_name": "data", "security_groups": ["sg-00000001"], "tags": {"Purpose": "ReadReplica"},
    }))
    .unwrap()
}

fn tags() -> BTreeMap<String, String> {
    [("understudy".to_owned(), "plan".to_owned())].into()
}

#[tokio::test]
async fn an_instance_is_read_with_its_source_its_tag_and_what_is_pending() {
    let pending = "<PendingModifiedValues><MultiAZ>true</MultiAZ></PendingModifiedValues>";
    let others = "<PendingModifiedValues><MultiAZ>true</MultiAZ><DBInstanceClass>db.r5.large</DBInstanceClass></PendingModifiedValues>";
    let so_already = "<PendingModifiedValues><MultiAZ>false</MultiAZ></PendingModifiedValues>";
    let script = Script::new([
        instance(&tagged("plan")),
        instance(pending),
        instance(others),
        instance(so_already),
        failed(404, "DBInstanceNotFound"),
    ]);
    let setup = RdsSetup::new(&script.config());
    let mut found = Vec::new();
    for _ in 0..5 {
        found.push(setup.find(Some("eu-west-1"), "copy").await.unwrap());
    }
    let plain = InstanceMade {
        status: "available".into(),
        ..InstanceMade::default()
    };
    let waiting = MultiAz {
        pending: Some(true),
        ..MultiAz::default()
    };
    let wanted = [
        Some(InstanceMade {
            replica_of: Some("shop".into()),
            made_by: Some("plan".into()),
            ..plain.clone()
        }),
        Some(InstanceMade {
            multi_az: waiting,
            ..plain.clone()
        }),
        Some(InstanceMade {
            multi_az: waiting,
            has_other_changes: true,
            ..plain.clone()
        }),
        Some(plain),
        None,
    ];
    assert_eq!(found, wanted);
}

#[tokio::test]
async fn a_replica_is_made_in_one_call_and_is_never_public() {
    let script = Script::new([done("CreateDBInstanceReadReplica")]);
    let setup = RdsSetup::new(&script.config());
    setup
        .create_replica(Some("eu-west-1"), &replica(), &tags())
        .await
        .unwrap();
    let sent = &script.sent()[0];
    for (name, value) in [
        ("Action", "CreateDBInstanceReadReplica"),
        ("DBInstanceIdentifier", "copy"),
        (
            "SourceDBInstanceIdentifier",
            "arn:aws:rds:eu-central-1:000000000000:db:shop",
        ),
        ("DBInstanceClass", "db.t3.micro"),
        ("AvailabilityZone", "eu-west-1b"),
        ("MultiAZ", "false"),
        ("AutoMinorVersionUpgrade", "true"),
        ("PubliclyAccessible", "false"),
        ("KmsKeyId", "alias/data"),
        ("DBSubnetGroupName", "data"),
        ("VpcSecurityGroupIds.VpcSecurityGroupId.1", "sg-00000001"),
        ("Tags.Tag.1.Key", "Purpose"),
        ("Tags.Tag.2.Key", "understudy"),
        ("Tags.Tag.2.Value", "plan"),
    ] {
        assert_eq!(sent.field(name).as_deref(), Some(value), "{name}");
    }
}

#[tokio::test]
async fn an_identifier_that_is_taken_is_a_conflict_and_what_passes_is_for_later() {
    for (answer, kind) in [
        (failed(400, "DBInstanceAlreadyExists"), CallErrorKind::Conflict),
        (failed(400, "InvalidDBInstanceState"), CallErrorKind::Retryable),
        (failed(400, "Throttling"), CallErrorKind::Retryable),
        (failed(400, "KMSKeyNotAccessibleFault"), CallErrorKind::Refused),
        (Answer::Silent, CallErrorKind::Lost),
    ] {
        let script = Script::new([answer]);
        let setup = RdsSetup::new(&script.config());
        let error = setup.create_replica(None, &replica(), &tags()).await.unwrap_err();
        assert_eq!(error.kind, kind, "{error}");
        assert_eq!(script.sent().len(), 1, "sent once: {error}");
    }
}

#[tokio::test]
async fn only_the_plan_s_own_replica_is_deleted() {
    let script = Script::new([instance(&tagged("plan")), done("DeleteDBInstance")]);
    let setup = RdsSetup::new(&script.config());
    let source = "arn:aws:rds:eu-west-1:000000000000:db:shop";
    setup.delete_replica(None, "copy", source, "plan").await.unwrap();
    let sent = &script.sent()[1];
    assert_eq!(sent.field("Action").as_deref(), Some("DeleteDBInstance"));
    assert_eq!(sent.field("SkipFinalSnapshot").as_deref(), Some("true"));

    for found in [tagged("another"), SOURCE.to_owned(), String::new()] {
        let script = Script::new([instance(&found)]);
        let setup = RdsSetup::new(&script.config());
        let error = setup.delete_replica(None, "copy", "shop", "plan").await.unwrap_err();
        assert_eq!(error.kind, CallErrorKind::Conflict, "{error}");
        assert_eq!(script.sent().len(), 1, "nothing was deleted");
    }
}

#[tokio::test]
async fn a_standby_is_asked_for_at_once_or_in_the_window() {
    for immediately in [true, false] {
        let script = Script::new([instance(""), done("ModifyDBInstance")]);
        let setup = RdsSetup::new(&script.config());
        let single = MultiAz::default();
        setup
            .set_multi_az(None, "copy", single, true, immediately)
            .await
            .unwrap();
        let mut form = script.sent()[1].form();
        form.sort();
        let wanted = [
            ("Action", "ModifyDBInstance".to_owned()),
            ("ApplyImmediately", immediately.to_string()),
            ("DBInstanceIdentifier", "copy".to_owned()),
            ("MultiAZ", "true".to_owned()),
            ("Version", "2014-10-31".to_owned()),
        ];
        assert_eq!(form, wanted.map(|(name, value)| (name.to_owned(), value)));
    }
}

#[tokio::test]
async fn what_else_waits_is_not_applied_with_it_nor_what_somebody_changed_overwritten() {
    let others = "<PendingModifiedValues><EngineVersion>9</EngineVersion></PendingModifiedValues>";
    let script = Script::new([instance(others), instance("")]);
    let setup = RdsSetup::new(&script.config());
    let single = MultiAz::default();
    let error = setup.set_multi_az(None, "copy", single, true, true).await.unwrap_err();
    assert_eq!(error.kind, CallErrorKind::Refused, "{error}");
    let waiting = MultiAz {
        pending: Some(true),
        ..single
    };
    let error = setup.set_multi_az(None, "copy", waiting, true, true).await.unwrap_err();
    assert_eq!(error.kind, CallErrorKind::Conflict, "{error}");
    assert_eq!(script.sent().len(), 2, "only reads");
}
