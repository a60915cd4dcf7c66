//! The orders: an Auto Scaling group in each zone, and a database cluster with a member in each.
//!
//! The groups come from `infra/demo/orders.yaml`. The cluster is made by API calls: moto's CloudFormation knows no DB
//! clusters, and drops the cluster of an instance.

use super::World;
use crate::local_cloud::{CloudError, LocalCloud, StackHome};
use std::fmt;

/// Their record.
const RECORD: &str = "orders.example.test";
/// The database cluster.
const CLUSTER: &str = "orders";
/// The Auto Scaling groups of blue and green. The members of the cluster have the same names.
const SITES: [&str; 2] = ["orders-blue", "orders-green"];
/// What the template says too.
const ENGINE: &str = "aurora-mysql";

/// How large an Auto Scaling group is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupCount {
    /// Its minimum.
    pub minimum: i32,
    /// Its desired capacity.
    pub desired: i32,
    /// Its instances in service.
    pub in_service: usize,
}

/// The orders' world as the cloud's own APIs tell it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrdersState {
    /// Blue's group.
    pub blue: GroupCount,
    /// Green's group.
    pub green: GroupCount,
    /// The member of the cluster that writes.
    pub writer: String,
    /// The values of the record.
    pub record: Vec<String>,
}

impl fmt::Display for OrdersState {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let group = |group: GroupCount| format!("{} of at least {} in service", group.in_service, group.minimum);
        write!(
            formatter,
            "group blue {}, green {}; {} writes; {RECORD} CNAME {}",
            group(self.blue),
            group(self.green),
            self.writer,
            self.record.join(",")
        )
    }
}

impl World {
    /// Makes what the orders need.
    ///
    /// # Errors
    /// With the stack or the call that was refused; what was made before it stays.
    pub async fn create_orders(&self, cloud: &LocalCloud) -> Result<(), CloudError> {
        let [blue_subnet, green_subnet, security_group] = &self.network;
        let parameters = [
            ("BlueSubnetId", blue_subnet.as_str()),
            ("GreenSubnetId", green_subnet),
            ("SecurityGroupId", security_group),
            ("WithDatabase", "false"),
        ];
        let template = "infra/demo/orders.yaml";
        cloud
            .create_stack(StackHome::Moto, "orders", template, &parameters)
            .await?;
        create_cluster(cloud).await
    }

    /// How it is now.
    ///
    /// # Errors
    /// When one of its parts can not be read, or is not there.
    pub async fn orders_state(&self, cloud: &LocalCloud) -> Result<OrdersState, CloudError> {
        let [blue, green] = SITES;
        Ok(OrdersState {
            blue: group(cloud, blue).await?,
            green: group(cloud, green).await?,
            writer: writer(cloud).await?,
            record: self.values_of(cloud, RECORD).await?,
        })
    }
}

// The first member that is made is the writer.
async fn create_cluster(cloud: &LocalCloud) -> Result<(), CloudError> {
    let rds = &cloud.clients().rds;
    let cluster = rds.create_db_cluster().db_cluster_identifier(CLUSTER).engine(ENGINE);
    let cluster = cluster.master_username("orders").manage_master_user_password(true);
    let what = format!("CreateDBCluster {CLUSTER}");
    cluster.send().await.map_err(CloudError::call(what))?;
    for member in SITES {
        let call = rds.create_db_instance().db_instance_identifier(member).engine(ENGINE);
        let call = call.db_cluster_identifier(CLUSTER).db_instance_class("db.t4g.medium");
        let what = format!("CreateDBInstance {member} in {CLUSTER}");
        call.send().await.map_err(CloudError::call(what))?;
    }
    Ok(())
}

async fn group(cloud: &LocalCloud, name: &str) -> Result<GroupCount, CloudError> {
    let call = cloud.clients().autoscaling.describe_auto_scaling_groups();
    let what = format!("DescribeAutoScalingGroups {name}");
    let found = call.auto_scaling_group_names(name).send().await;
    let found = found.map_err(CloudError::call(&what))?;
    let group = found.auto_scaling_groups().first();
    let group = group.ok_or_else(|| CloudError::missing(what, "no such group"))?;
    let in_service = |instance: &&aws_sdk_autoscaling::types::Instance| {
        instance
            .lifecycle_state()
            .is_some_and(|state| state.as_str() == "InService")
    };
    Ok(GroupCount {
        minimum: group.min_size().unwrap_or_default(),
        desired: group.desired_capacity().unwrap_or_default(),
        in_service: group.instances().iter().filter(in_service).count(),
    })
}

async fn writer(cloud: &LocalCloud) -> Result<String, CloudError> {
    let call = cloud
        .clients()
        .rds
        .describe_db_clusters()
        .db_cluster_identifier(CLUSTER);
    let what = format!("DescribeDBClusters {CLUSTER}");
    let found = call.send().await.map_err(CloudError::call(&what))?;
    let mut members = found
        .db_clusters()
        .iter()
        .flat_map(|cluster| cluster.db_cluster_members());
    let writer = members.find(|member| member.is_cluster_writer() == Some(true));
    let name = writer.and_then(|member| member.db_instance_identifier());
    name.map(str::to_owned)
        .ok_or_else(|| CloudError::missing(what, "no member that writes"))
}
