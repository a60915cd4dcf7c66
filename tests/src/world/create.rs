//! Making the world, one service after the other.

use std::collections::HashMap;

use aws_sdk_cloudwatch::types::{ComparisonOperator, Dimension, Statistic};
use aws_sdk_elasticloadbalancingv2::types::{
    Action, ActionTypeEnum, ForwardActionConfig, ProtocolEnum, TargetDescription, TargetGroupTuple, TargetTypeEnum,
};
use aws_sdk_route53::types::{Change, ChangeAction, ChangeBatch, ResourceRecord, ResourceRecordSet, RrType};
use aws_sdk_sqs::types::QueueAttributeName;

use super::{ALARM, BLUE_HOST, DATABASE, RECORD, RECORD_TTL_SECONDS, ZONE};
use crate::local_cloud::{Clients, CloudError, LocalCloud};

/// The ids of everything in the world.
#[derive(Clone, Debug)]
pub struct World {
    /// The network.
    pub vpc_id: String,
    /// Its two subnets, in two Availability Zones.
    pub subnet_ids: [String; 2],
    /// The load balancer.
    pub load_balancer_arn: String,
    /// Its listener on port 80, which forwards by weight.
    pub listener_arn: String,
    /// The active target group, weight 100.
    pub blue_target_group_arn: String,
    /// The standby target group, weight 0.
    pub green_target_group_arn: String,
    /// The instance in the blue group.
    pub blue_instance_id: String,
    /// The instance in the green group.
    pub green_instance_id: String,
    /// The hosted zone, without `/hostedzone/`.
    pub hosted_zone_id: String,
    /// The queue of the subscriber to the topic.
    pub queue_url: String,
    /// The database instance's ARN.
    pub database_arn: String,
    /// The alarm's ARN.
    pub alarm_arn: String,
}

impl World {
    /// Makes the world. The subscriber's queue is subscribed to `topic_arn`, with the envelope
    /// that SNS sends by default.
    ///
    /// # Errors
    /// With the first call that was refused; what was made before it stays.
    pub async fn create(cloud: &LocalCloud, topic_arn: &str) -> Result<Self, CloudError> {
        let clients = cloud.clients();
        let (vpc_id, subnet_ids) = network(clients).await?;
        let blue_target_group_arn = target_group(clients, "shop-blue", &vpc_id).await?;
        let green_target_group_arn = target_group(clients, "shop-green", &vpc_id).await?;
        let (load_balancer_arn, listener_arn) =
            listener(clients, &subnet_ids, &blue_target_group_arn, &green_target_group_arn).await?;
        let blue_instance_id = instance(clients, &subnet_ids[0], &blue_target_group_arn).await?;
        let green_instance_id = instance(clients, &subnet_ids[1], &green_target_group_arn).await?;
        Ok(Self {
            hosted_zone_id: hosted_zone(clients).await?,
            queue_url: subscriber(clients, topic_arn).await?,
            database_arn: database(clients).await?,
            alarm_arn: alarm(clients, &load_balancer_arn, &blue_target_group_arn).await?,
            vpc_id,
            subnet_ids,
            load_balancer_arn,
            listener_arn,
            blue_target_group_arn,
            green_target_group_arn,
            blue_instance_id,
            green_instance_id,
        })
    }
}

fn id(what: &str, found: Option<&str>) -> Result<String, CloudError> {
    found
        .map(str::to_owned)
        .ok_or_else(|| CloudError::missing(what, "an answer without an id"))
}

async fn network(clients: &Clients) -> Result<(String, [String; 2]), CloudError> {
    let made = clients.ec2.create_vpc().cidr_block("10.20.0.0/16").send().await;
    let made = made.map_err(CloudError::call("CreateVpc"))?;
    let vpc_id = id("CreateVpc", made.vpc().and_then(|vpc| vpc.vpc_id()))?;
    let mut subnets = [String::new(), String::new()];
    for (subnet, (zone, block)) in subnets
        .iter_mut()
        .zip([("us-east-1a", "10.20.1.0/24"), ("us-east-1b", "10.20.2.0/24")])
    {
        let call = clients.ec2.create_subnet().vpc_id(&vpc_id).cidr_block(block);
        let made = call.availability_zone(zone).send().await;
        let made = made.map_err(CloudError::call(format!("CreateSubnet in {zone}")))?;
        *subnet = id("CreateSubnet", made.subnet().and_then(|subnet| subnet.subnet_id()))?;
    }
    Ok((vpc_id, subnets))
}

async fn target_group(clients: &Clients, name: &str, vpc_id: &str) -> Result<String, CloudError> {
    let made = clients
        .elb
        .create_target_group()
        .name(name)
        .protocol(ProtocolEnum::Http)
        .port(80)
        .vpc_id(vpc_id)
        .target_type(TargetTypeEnum::Instance)
        .health_check_path("/health")
        .send()
        .await
        .map_err(CloudError::call(format!("CreateTargetGroup {name}")))?;
    id(
        "CreateTargetGroup",
        made.target_groups().first().and_then(|group| group.target_group_arn()),
    )
}

async fn listener(
    clients: &Clients,
    subnets: &[String; 2],
    blue: &str,
    green: &str,
) -> Result<(String, String), CloudError> {
    let call = clients.elb.create_load_balancer().name("shop");
    let made = call.set_subnets(Some(subnets.to_vec())).send().await;
    let made = made.map_err(CloudError::call("CreateLoadBalancer shop"))?;
    let balancer = made.load_balancers().first();
    let balancer = id(
        "CreateLoadBalancer",
        balancer.and_then(|found| found.load_balancer_arn()),
    )?;
    let weight = |arn: &str, weight| TargetGroupTuple::builder().target_group_arn(arn).weight(weight).build();
    let forward = ForwardActionConfig::builder()
        .target_groups(weight(blue, 100))
        .target_groups(weight(green, 0))
        .build();
    let action = Action::builder()
        .r#type(ActionTypeEnum::Forward)
        .forward_config(forward)
        .build();
    let made = clients
        .elb
        .create_listener()
        .load_balancer_arn(&balancer)
        .protocol(ProtocolEnum::Http)
        .port(80)
        .default_actions(action)
        .send()
        .await
        .map_err(CloudError::call("CreateListener on the load balancer shop"))?;
    let listener = made.listeners().first().and_then(|found| found.listener_arn());
    Ok((balancer, id("CreateListener", listener)?))
}

async fn instance(clients: &Clients, subnet: &str, group: &str) -> Result<String, CloudError> {
    let call = clients
        .ec2
        .run_instances()
        .image_id("ami-12c6146b")
        .min_count(1)
        .max_count(1);
    let made = call
        .subnet_id(subnet)
        .send()
        .await
        .map_err(CloudError::call("RunInstances"))?;
    let found = made.instances().first().and_then(|instance| instance.instance_id());
    let instance = id("RunInstances", found)?;
    let target = TargetDescription::builder().id(&instance).port(80).build();
    let call = clients
        .elb
        .register_targets()
        .target_group_arn(group)
        .targets(target)
        .send();
    call.await
        .map_err(CloudError::call(format!("RegisterTargets {instance} in {group}")))?;
    Ok(instance)
}

async fn hosted_zone(clients: &Clients) -> Result<String, CloudError> {
    let call = clients
        .route53
        .create_hosted_zone()
        .name(ZONE)
        .caller_reference("understudy");
    let made = call
        .send()
        .await
        .map_err(CloudError::call(format!("CreateHostedZone {ZONE}")))?;
    let zone = id("CreateHostedZone", made.hosted_zone().map(|zone| zone.id()))?;
    let zone = zone.trim_start_matches("/hostedzone/").to_owned();
    let bad = |error: aws_sdk_route53::error::BuildError| {
        CloudError::missing("the record set of the world", error.to_string())
    };
    let record = ResourceRecord::builder().value(BLUE_HOST).build().map_err(bad)?;
    let set = ResourceRecordSet::builder()
        .name(RECORD)
        .r#type(RrType::Cname)
        .ttl(RECORD_TTL_SECONDS)
        .resource_records(record)
        .build()
        .map_err(bad)?;
    let change = Change::builder().action(ChangeAction::Create).resource_record_set(set);
    let batch = ChangeBatch::builder()
        .changes(change.build().map_err(bad)?)
        .build()
        .map_err(bad)?;
    let call = clients.route53.change_resource_record_sets().hosted_zone_id(&zone);
    let made = call.change_batch(batch).send().await;
    made.map_err(CloudError::call(format!("ChangeResourceRecordSets: create {RECORD}")))?;
    Ok(zone)
}

async fn subscriber(clients: &Clients, topic_arn: &str) -> Result<String, CloudError> {
    let made = clients
        .sqs
        .create_queue()
        .queue_name("understudy-subscriber")
        .send()
        .await;
    let made = made.map_err(CloudError::call("CreateQueue understudy-subscriber"))?;
    let url = id("CreateQueue", made.queue_url())?;
    let call = clients.sqs.get_queue_attributes().queue_url(&url);
    let read = call.attribute_names(QueueAttributeName::QueueArn).send().await;
    let read = read.map_err(CloudError::call(format!("GetQueueAttributes of {url}")))?;
    let arn = read.attributes().and_then(|all| all.get(&QueueAttributeName::QueueArn));
    let arn = id("GetQueueAttributes", arn.map(String::as_str))?;
    // Without this policy AWS would not let the topic deliver.
    let policy = serde_json::json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow", "Principal": { "Service": "sns.amazonaws.com" },
            "Action": "sqs:SendMessage", "Resource": arn,
            "Condition": { "ArnEquals": { "aws:SourceArn": topic_arn } },
        }],
    });
    let attributes = HashMap::from([(QueueAttributeName::Policy, policy.to_string())]);
    let call = clients.sqs.set_queue_attributes().queue_url(&url);
    let set = call.set_attributes(Some(attributes)).send().await;
    set.map_err(CloudError::call(format!("SetQueueAttributes of {url}")))?;
    let call = clients
        .sns
        .subscribe()
        .topic_arn(topic_arn)
        .protocol("sqs")
        .endpoint(arn);
    call.send()
        .await
        .map_err(CloudError::call(format!("Subscribe to {topic_arn}")))?;
    Ok(url)
}

async fn database(clients: &Clients) -> Result<String, CloudError> {
    let made = clients
        .rds
        .create_db_instance()
        .db_instance_identifier(DATABASE)
        .db_instance_class("db.t3.micro")
        .engine("postgres")
        .allocated_storage(20)
        .master_username("shop")
        .master_user_password("only-in-the-emulator")
        .multi_az(true)
        .send()
        .await
        .map_err(CloudError::call(format!("CreateDBInstance {DATABASE}")))?;
    let found = made.db_instance();
    id(
        "CreateDBInstance",
        found.and_then(|database| database.db_instance_arn()),
    )
}

async fn alarm(clients: &Clients, balancer: &str, group: &str) -> Result<String, CloudError> {
    // The dimensions are the ends of the ARNs: `app/shop/…` and `targetgroup/shop-blue/…`.
    let balancer = balancer.split_once("loadbalancer/").map_or(balancer, |(_, end)| end);
    let group = group.rsplit(':').next().unwrap_or(group);
    let dimension = |name: &str, value: &str| Dimension::builder().name(name).value(value).build();
    clients
        .cloudwatch
        .put_metric_alarm()
        .alarm_name(ALARM)
        .alarm_description("The blue target group has no healthy target")
        .namespace("AWS/ApplicationELB")
        .metric_name("HealthyHostCount")
        .dimensions(dimension("LoadBalancer", balancer))
        .dimensions(dimension("TargetGroup", group))
        .statistic(Statistic::Minimum)
        .period(60)
        .evaluation_periods(1)
        .threshold(1.0)
        .comparison_operator(ComparisonOperator::LessThanThreshold)
        .send()
        .await
        .map_err(CloudError::call(format!("PutMetricAlarm {ALARM}")))?;
    let call = clients.cloudwatch.describe_alarms().alarm_names(ALARM).send();
    let read = call
        .await
        .map_err(CloudError::call(format!("DescribeAlarms of {ALARM}")))?;
    id(
        "DescribeAlarms",
        read.metric_alarms().first().and_then(|alarm| alarm.alarm_arn()),
    )
}
