//! What both sides watch: instances, target groups and databases in the emulator, and the plans that name them.
//!
//! Ours watches Auto Scaling groups besides. The baseline has no check for them, so it is not asked: its rounds are over
//! fewer resources, which is to its advantage in every line of the comparison.

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection, ProjectionType,
    ScalarAttributeType,
};
use aws_sdk_elasticloadbalancingv2::types::{ProtocolEnum, TargetDescription, TargetTypeEnum};
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use serde_json::{Value, json};
use std::sync::Arc;
use understudy_aws::AwsConfig;
use understudy_aws::clock::{SystemClock, SystemRandom};
use understudy_aws::dynamodb::DynamoTable;
use understudy_core::control::Control;
use understudy_core::plan::parse;
use understudy_core::preflight::Preflight;
use understudy_engine::store::Store;

use crate::local_cloud::{ACCOUNT, Clients, CloudError, LocalCloud, REGION};

/// The table of this benchmark.
pub const TABLE: &str = "understudy-bench";
/// How many instances there are.
pub const INSTANCES: usize = 1_000;
/// How many target groups there are.
pub const TARGET_GROUPS: usize = 200;
/// How many databases there are.
pub const DATABASES: usize = 100;
/// How many Auto Scaling groups there are, which the baseline does not watch.
pub const GROUPS: usize = 100;
/// How many plans share them: a plan is at most 100 KB, so one alone cannot name them all.
pub const PLANS: usize = 10;
/// How often each is asked, in seconds: the shortest that these kinds allow.
pub const INTERVAL_SECONDS: u32 = 30;

/// An image that the emulator has.
const IMAGE: &str = "ami-12c6146b";

/// The names of everything that is watched.
#[derive(Clone, Debug)]
pub struct Watched {
    instances: Vec<String>,
    target_groups: Vec<String>,
    databases: Vec<String>,
    groups: Vec<String>,
}

impl Watched {
    /// Makes it all, past any latency.
    ///
    /// # Errors
    /// With the first call that was refused.
    pub async fn create(clients: &Clients) -> Result<Self, CloudError> {
        let instances = instances(clients).await?;
        let target_groups = target_groups(clients, &instances).await?;
        let databases = databases(clients).await?;
        let groups = groups(clients).await?;
        Ok(Self {
            instances,
            target_groups,
            databases,
            groups,
        })
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.count_of_baseline() + self.groups.len()
    }

    /// How many of them the baseline watches.
    pub fn count_of_baseline(&self) -> usize {
        self.instances.len() + self.target_groups.len() + self.databases.len()
    }

    /// The event of the baseline.
    pub fn event_of_baseline(&self) -> Value {
        let of_kind = |ids: &[String], kind: &str| -> Vec<Value> {
            let one = |id: &String| json!({"resource_id": id, "resource_type": kind});
            ids.iter().map(one).collect()
        };
        let mut resources = of_kind(&self.instances, "ec2");
        resources.extend(of_kind(&self.target_groups, "load_balancer"));
        resources.extend(of_kind(&self.databases, "rds"));
        json!({ "resources": resources })
    }

    /// Stores the plans as `put-plan` would: valid ones, each with its control item and its revision, read through and
    /// found in order (the executor, which would do that, does not run here).
    ///
    /// # Errors
    /// When a plan is not valid or the table refuses it.
    pub async fn store_plans(&self, cloud: &LocalCloud) -> Result<(), CloudError> {
        let config = AwsConfig::from_sdk(sdk(&cloud.endpoint_url()));
        let table = Arc::new(DynamoTable::new(&config, TABLE));
        let store = Store::new(table, Arc::new(SystemClock), Arc::new(SystemRandom));
        for number in 0..PLANS {
            let written = self.plan(number);
            let plan =
                parse(written).map_err(|error| CloudError::missing("a plan of the benchmark", error.to_string()))?;
            let what = format!("storing the plan {}", plan.name);
            let revision = store.put_revision(&plan, 1, jiff::Timestamp::now()).await;
            let revision = revision.map_err(CloudError::call(what.clone()))?;
            let mut control = Control::new(&plan.name, "left", &revision);
            let put = store.put_control(&mut control).await;
            if put.map_err(CloudError::call(what.clone()))?.is_some() {
                return Err(CloudError::missing(
                    format!("the plan {}", plan.name),
                    "it was there already",
                ));
            }
            let in_order = Preflight::new(jiff::Timestamp::now(), &control, true, Vec::new());
            let known = store.remember_preflight(&plan.name, &in_order).await;
            known.map_err(CloudError::call(what))?;
        }
        Ok(())
    }

    fn plan(&self, number: usize) -> Value {
        let share = |all: &[String], kind: &str, field: &str| -> Vec<Value> {
            let mine = all.iter().enumerate().filter(|(index, _)| index % PLANS == number);
            mine.map(|(index, id)| {
                // Each site gets half of them.
                let site = if (index / PLANS).is_multiple_of(2) {
                    "left"
                } else {
                    "right"
                };
                json!({
                    "name": format!("{}-{index}", kind.replace('_', "-")), "kind": kind, "site": site, field: id,
                    "interval_seconds": INTERVAL_SECONDS,
                })
            })
            .collect()
        };
        let mut probes = share(&self.instances, "ec2", "instance_id");
        probes.extend(share(&self.target_groups, "target_group", "target_group_arn"));
        probes.extend(share(&self.databases, "rds_instance", "db_instance_identifier"));
        probes.extend(share(&self.groups, "auto_scaling_group", "auto_scaling_group_name"));
        let listener = format!("arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT}:listener/app/bench/1/{number}");
        json!({
            "schema_version": 1,
            "name": format!("bench-{number}"),
            "region": REGION,
            "sites": [{"name": "left", "priority": 1}, {"name": "right", "priority": 2}],
            "probes": probes,
            "steps": [{
                "name": "traffic", "kind": "elb_weights", "listener_arn": listener,
                "target_groups": {
                    "left": self.target_groups.first(), "right": self.target_groups.last(),
                },
            }],
            "policy": {"mode": "manual"},
        })
    }
}

/// A table of the deployed one's keys and index, without its stream: nobody listens here.
///
/// # Errors
/// When it is refused.
pub async fn create_table(clients: &Clients) -> Result<(), CloudError> {
    let bad = |error: aws_sdk_dynamodb::error::BuildError| CloudError::missing(TABLE, error.to_string());
    let attribute = |name: &str, kind: ScalarAttributeType| {
        let built = AttributeDefinition::builder().attribute_name(name).attribute_type(kind);
        built.build().map_err(bad)
    };
    let key = |name: &str, kind: KeyType| {
        let built = KeySchemaElement::builder().attribute_name(name).key_type(kind);
        built.build().map_err(bad)
    };
    let index = GlobalSecondaryIndex::builder()
        .index_name("due")
        .key_schema(key("due_shard", KeyType::Hash)?)
        .key_schema(key("due_at", KeyType::Range)?)
        .projection(Projection::builder().projection_type(ProjectionType::KeysOnly).build());
    clients
        .dynamodb
        .create_table()
        .table_name(TABLE)
        .billing_mode(BillingMode::PayPerRequest)
        .attribute_definitions(attribute("plan", ScalarAttributeType::S)?)
        .attribute_definitions(attribute("item", ScalarAttributeType::S)?)
        .attribute_definitions(attribute("due_shard", ScalarAttributeType::S)?)
        .attribute_definitions(attribute("due_at", ScalarAttributeType::N)?)
        .key_schema(key("plan", KeyType::Hash)?)
        .key_schema(key("item", KeyType::Range)?)
        .global_secondary_indexes(index.build().map_err(bad)?)
        .send()
        .await
        .map_err(CloudError::call(format!("CreateTable {TABLE}")))?;
    Ok(())
}

async fn instances(clients: &Clients) -> Result<Vec<String>, CloudError> {
    let count = i32::try_from(INSTANCES).unwrap_or(i32::MAX);
    let call = clients.ec2.run_instances().image_id(IMAGE);
    let made = call.min_count(count).max_count(count).send().await;
    let made = made.map_err(CloudError::call(format!("RunInstances of {INSTANCES}")))?;
    let ids = made.instances().iter().filter_map(|instance| instance.instance_id());
    Ok(ids.map(str::to_owned).collect())
}

/// Each with one target, so that there is something to describe.
async fn target_groups(clients: &Clients, instances: &[String]) -> Result<Vec<String>, CloudError> {
    let vpc = clients.ec2.create_vpc().cidr_block("10.30.0.0/16").send().await;
    let vpc = vpc.map_err(CloudError::call("CreateVpc"))?;
    let vpc = vpc.vpc().and_then(|vpc| vpc.vpc_id()).unwrap_or_default().to_owned();
    let mut arns = Vec::with_capacity(TARGET_GROUPS);
    for (number, instance) in instances.iter().take(TARGET_GROUPS).enumerate() {
        let name = format!("bench-{number}");
        let call = clients.elb.create_target_group().name(&name).vpc_id(&vpc);
        let call = call
            .protocol(ProtocolEnum::Http)
            .port(80)
            .target_type(TargetTypeEnum::Instance);
        let made = call.send().await;
        let made = made.map_err(CloudError::call(format!("CreateTargetGroup {name}")))?;
        let arn = made.target_groups().first().and_then(|group| group.target_group_arn());
        let arn = arn.unwrap_or_default().to_owned();
        let target = TargetDescription::builder().id(instance).port(80).build();
        let call = clients.elb.register_targets().target_group_arn(&arn).targets(target);
        let registered = call.send().await;
        registered.map_err(CloudError::call(format!("RegisterTargets in {name}")))?;
        arns.push(arn);
    }
    Ok(arns)
}

async fn databases(clients: &Clients) -> Result<Vec<String>, CloudError> {
    let mut names = Vec::with_capacity(DATABASES);
    for number in 0..DATABASES {
        let name = format!("bench-{number}");
        clients
            .rds
            .create_db_instance()
            .db_instance_identifier(&name)
            .db_instance_class("db.t3.micro")
            .engine("postgres")
            .allocated_storage(20)
            .master_username("bench")
            .master_user_password("only-in-the-emulator")
            .send()
            .await
            .map_err(CloudError::call(format!("CreateDBInstance {name}")))?;
        names.push(name);
    }
    Ok(names)
}

/// Each with an instance in service: a group with nothing in service would be unhealthy, and so have more to write.
async fn groups(clients: &Clients) -> Result<Vec<String>, CloudError> {
    let launch = clients.autoscaling.create_launch_configuration();
    let launch = launch
        .launch_configuration_name("bench")
        .image_id(IMAGE)
        .instance_type("t3.micro");
    let made = launch.send().await;
    made.map_err(CloudError::call("CreateLaunchConfiguration"))?;
    let mut names = Vec::with_capacity(GROUPS);
    for number in 0..GROUPS {
        let name = format!("bench-{number}");
        clients
            .autoscaling
            .create_auto_scaling_group()
            .auto_scaling_group_name(&name)
            .launch_configuration_name("bench")
            .availability_zones(format!("{REGION}a"))
            .min_size(1)
            .desired_capacity(1)
            .max_size(1)
            .send()
            .await
            .map_err(CloudError::call(format!("CreateAutoScalingGroup {name}")))?;
        names.push(name);
    }
    Ok(names)
}

fn sdk(endpoint: &str) -> SdkConfig {
    let http = Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .build_https();
    let credentials = Credentials::new("test", "test", None, None, "understudy-bench");
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new(REGION))
        .endpoint_url(endpoint)
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
        .http_client(http)
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use understudy_core::plan::Probe;

    fn watched() -> Watched {
        let arn = |number| {
            format!("arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT}:targetgroup/bench-{number}/0123456789abcdef")
        };
        Watched {
            instances: (0..INSTANCES).map(|number| format!("i-{number:017x}")).collect(),
            target_groups: (0..TARGET_GROUPS).map(arn).collect(),
            databases: (0..DATABASES).map(|number| format!("bench-{number}")).collect(),
            groups: (0..GROUPS).map(|number| format!("bench-{number}")).collect(),
        }
    }

    #[test]
    fn the_plans_are_valid_and_share_everything_that_is_watched() -> Result<(), String> {
        let watched = watched();
        let mut asked: BTreeMap<(&str, String), usize> = BTreeMap::new();
        for number in 0..PLANS {
            let plan = parse(watched.plan(number)).map_err(|error| error.to_string())?;
            for probe in &plan.probes {
                let resource = probe.resource().unwrap_or_default().to_owned();
                *asked.entry((probe.kind(), resource)).or_insert(0) += 1;
            }
            assert!(
                plan.probes
                    .iter()
                    .any(|probe| matches!(probe, Probe::AutoScalingGroup(_)))
            );
        }
        assert_eq!(asked.len(), watched.count());
        assert!(asked.values().all(|times| *times == 1));
        Ok(())
    }

    #[test]
    fn the_baseline_is_asked_about_all_that_it_can_check_and_nothing_else() {
        let watched = watched();
        let event = watched.event_of_baseline();
        let resources = event["resources"].as_array().map(Vec::len);
        assert_eq!(resources, Some(watched.count_of_baseline()));
        assert_eq!(watched.count() - watched.count_of_baseline(), GROUPS);
    }
}
