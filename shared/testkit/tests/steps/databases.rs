//! Steps at databases that can be gone back on.

use super::assert_none;
use serde_json::{Value, json};
use understudy_core::execution::Style;
use understudy_engine::ports::{DatabaseCluster, DatabaseInstance, GlobalDatabase};
use understudy_testkit::cloud::FakeCloud;
use understudy_testkit::step_proof::Proof;

const OPEN: &str = "sg-0123456789abcdef0";
const FENCE: &str = "sg-0fedcba9876543210";
const BLUE_CLUSTER: &str = "arn:aws:rds:eu-west-1:000000000000:cluster:shop-blue";
const GREEN_CLUSTER: &str = "arn:aws:rds:eu-central-1:000000000000:cluster:shop-green";
const OTHER_CLUSTER: &str = "arn:aws:rds:eu-north-1:000000000000:cluster:shop-other";

pub fn instance(groups: &[&str]) -> DatabaseInstance {
    DatabaseInstance {
        status: "available".into(),
        zone: "eu-west-1a".into(),
        multi_az: true,
        replica_of: None,
        security_groups: groups.iter().map(|group| (*group).to_owned()).collect(),
        security_groups_active: true,
        engine: "postgres 16.4".into(),
    }
}

fn fenced(kind: &str, name: &str) -> Value {
    let database = |site: &str| json!({"db_instance_identifier": format!("shop-{site}"), "security_groups": [OPEN], "fence_group": FENCE});
    json!({"kind": kind, "name": name, "databases": {"blue": database("blue"), "green": database("green")}})
}

fn access(cloud: &FakeCloud) -> Value {
    json!([
        cloud.db_instance("shop-blue").security_groups,
        cloud.db_instance("shop-green").security_groups
    ])
}

fn fence_source() -> Proof {
    Proof {
        step: fenced("fence_source", "fence"),
        style: Style::Planned,
        furnish: |cloud| {
            cloud.put_db_instance("shop-blue", instance(&[OPEN]));
            cloud.put_db_instance("shop-green", instance(&[OPEN]));
        },
        snapshot: access,
        moved: |cloud| access(cloud) == json!([[FENCE], [OPEN]]),
        reads: &["databases.instance"],
        calls: &["databases.set_security_groups"],
        undo_calls: &["databases.set_security_groups"],
        disturb: |cloud| cloud.put_db_instance("shop-blue", instance(&["sg-00000000"])),
        is_disturbed: |cloud| access(cloud)[0] == json!(["sg-00000000"]),
    }
}

fn open_destination() -> Proof {
    Proof {
        step: fenced("open_destination", "open"),
        furnish: |cloud| {
            cloud.put_db_instance("shop-blue", instance(&[OPEN]));
            cloud.put_db_instance("shop-green", instance(&[FENCE]));
        },
        moved: |cloud| access(cloud) == json!([[OPEN], [OPEN]]),
        disturb: |cloud| cloud.put_db_instance("shop-green", instance(&["sg-00000000"])),
        is_disturbed: |cloud| access(cloud)[1] == json!(["sg-00000000"]),
        ..fence_source()
    }
}

fn rds_reboot_failover() -> Proof {
    Proof {
        step: json!({
            "kind": "rds_reboot_failover", "name": "reboot", "db_instance_identifier": "shop", "timeout_seconds": 900,
            "zones": {"blue": "eu-west-1a", "green": "eu-west-1b"},
        }),
        style: Style::Unplanned,
        furnish: |cloud| {
            cloud.put_db_instance("shop", instance(&[OPEN]));
            cloud.put_standby_zone("shop", "eu-west-1b");
        },
        snapshot: |cloud| json!(cloud.db_instance("shop").zone),
        moved: |cloud| cloud.db_instance("shop").zone == "eu-west-1b",
        reads: &["databases.instance"],
        calls: &["databases.reboot_with_failover"],
        undo_calls: &["databases.reboot_with_failover"],
        disturb: |cloud| {
            let zone = "eu-west-1c".into();
            cloud.put_db_instance(
                "shop",
                DatabaseInstance {
                    zone,
                    ..instance(&[OPEN])
                },
            );
        },
        is_disturbed: |cloud| cloud.db_instance("shop").zone == "eu-west-1c",
    }
}

fn cluster(writer: &str) -> DatabaseCluster {
    DatabaseCluster {
        status: "available".into(),
        writer: Some(writer.into()),
        members: vec!["shop-1".into(), "shop-2".into(), "shop-3".into()],
        engine: "aurora-postgresql 16.4".into(),
    }
}

fn rds_cluster_failover() -> Proof {
    Proof {
        step: json!({
            "kind": "rds_cluster_failover", "name": "writer", "db_cluster_identifier": "shop", "timeout_seconds": 300,
            "writers": {"blue": "Shop-1", "green": "Shop-2"},
        }),
        style: Style::Unplanned,
        furnish: |cloud| cloud.put_db_cluster("shop", cluster("shop-1")),
        snapshot: |cloud| json!(cloud.db_writer("shop")),
        moved: |cloud| cloud.db_writer("shop").as_deref() == Some("shop-2"),
        reads: &["databases.cluster"],
        calls: &["databases.fail_over_cluster"],
        undo_calls: &["databases.fail_over_cluster"],
        disturb: |cloud| cloud.put_db_cluster("shop", cluster("shop-3")),
        is_disturbed: |cloud| cloud.db_writer("shop").as_deref() == Some("shop-3"),
    }
}

fn global(writer: &str) -> GlobalDatabase {
    GlobalDatabase {
        status: "available".into(),
        is_moving: false,
        writer: Some(writer.into()),
        members: vec![BLUE_CLUSTER.into(), GREEN_CLUSTER.into(), OTHER_CLUSTER.into()],
    }
}

fn rds_global(style: Style) -> Proof {
    Proof {
        step: json!({
            "kind": "rds_global", "name": "global", "global_cluster_identifier": "shop", "timeout_seconds": 300,
            "clusters": {"blue": BLUE_CLUSTER, "green": GREEN_CLUSTER},
        }),
        style,
        furnish: |cloud| cloud.put_global_database("shop", global(BLUE_CLUSTER)),
        snapshot: |cloud| json!(cloud.db_writer("shop")),
        moved: |cloud| cloud.db_writer("shop").as_deref() == Some(GREEN_CLUSTER),
        reads: &["databases.global"],
        calls: match style {
            Style::Planned => &["databases.switch_over_global"],
            Style::Unplanned => &["databases.fail_over_global"],
        },
        // Whichever way it went: back is always without loss.
        undo_calls: &["databases.switch_over_global"],
        disturb: |cloud| cloud.put_global_database("shop", global(OTHER_CLUSTER)),
        is_disturbed: |cloud| cloud.db_writer("shop").as_deref() == Some(OTHER_CLUSTER),
    }
}

macro_rules! proofs {
    ($($name:ident => $proof:expr;)+) => {
        $(
            #[tokio::test]
            async fn $name() {
                assert_none(&$proof.violations().await);
            }
        )+
    };
}

proofs! {
    fence_source_stands_the_proof => fence_source();
    open_destination_stands_the_proof => open_destination();
    rds_reboot_failover_stands_the_proof => rds_reboot_failover();
    rds_cluster_failover_stands_the_proof => rds_cluster_failover();
    a_switchover_stands_the_proof => rds_global(Style::Planned);
    a_failover_with_loss_stands_the_proof => rds_global(Style::Unplanned);
}

// The one call that must not be made twice.
#[tokio::test]
async fn rds_reboot_failover_bears_deaths() {
    assert_none(&rds_reboot_failover().bears_deaths().await);
}
