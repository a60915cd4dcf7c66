//! Making the world: two stacks, and the two things that an emulator's CloudFormation leaves out.

use aws_sdk_elasticloadbalancingv2::types::{
    Action, ActionTypeEnum, ForwardActionConfig, TargetDescription, TargetGroupTuple,
};

use crate::local_cloud::{CloudError, LocalCloud, StackHome, output};

/// The ids of what the plan names and the tests read back.
#[derive(Clone, Debug)]
pub struct World {
    /// The load balancer's listener on port 80, which forwards by weight.
    pub listener_arn: String,
    /// The active target group, weight 100.
    pub blue_target_group_arn: String,
    /// The standby target group, weight 0.
    pub green_target_group_arn: String,
    /// The instance in the blue group.
    pub blue_instance_id: String,
    /// The instance in the green group.
    pub green_instance_id: String,
    /// The subnet in blue's zone, the one in green's, and the security group of both.
    pub network: [String; 3],
    /// The hosted zone, without `/hostedzone/`.
    pub hosted_zone_id: String,
    /// The queue of the subscriber to the topic.
    pub queue_url: String,
}

impl World {
    /// Makes the world. The subscriber's queue is subscribed to `topic_arn`, with the envelope
    /// that SNS sends by default.
    ///
    /// # Errors
    /// With the first stack or call that was refused; what was made before it stays.
    pub async fn create(cloud: &LocalCloud, topic_arn: &str) -> Result<Self, CloudError> {
        let stack = "shop-traffic";
        let traffic = cloud
            .create_stack(
                StackHome::Moto,
                stack,
                "infra/demo/traffic.yaml",
                &[("ForwardByWeight", "false")],
            )
            .await?;
        let of_traffic = |name| output(&traffic, stack, name).map(str::to_owned);
        let load_balancer_arn = of_traffic("LoadBalancerArn")?;
        let blue_target_group_arn = of_traffic("BlueTargetGroupArn")?;

        let stack = "shop-dns-and-messages";
        let rest = cloud
            .create_stack(
                StackHome::Ministack,
                stack,
                "infra/demo/dns-and-messages.yaml",
                &[
                    ("TopicArn", topic_arn),
                    ("LoadBalancerArn", &load_balancer_arn),
                    ("BlueTargetGroupArn", &blue_target_group_arn),
                ],
            )
            .await?;
        let of_rest = |name| output(&rest, stack, name).map(str::to_owned);

        let world = Self {
            listener_arn: of_traffic("ListenerArn")?,
            blue_target_group_arn,
            green_target_group_arn: of_traffic("GreenTargetGroupArn")?,
            blue_instance_id: of_traffic("BlueInstanceId")?,
            green_instance_id: of_traffic("GreenInstanceId")?,
            network: [
                of_traffic("BlueSubnetId")?,
                of_traffic("GreenSubnetId")?,
                of_traffic("SecurityGroupId")?,
            ],
            hosted_zone_id: of_rest("HostedZoneId")?,
            queue_url: of_rest("QueueUrl")?,
        };
        world.register_targets(cloud).await?;
        world.forward_by_weight(cloud).await?;
        Ok(world)
    }

    // moto's CloudFormation drops `Targets` of a target group.
    async fn register_targets(&self, cloud: &LocalCloud) -> Result<(), CloudError> {
        for (group, instance) in [
            (&self.blue_target_group_arn, &self.blue_instance_id),
            (&self.green_target_group_arn, &self.green_instance_id),
        ] {
            let call = cloud.clients().elb.register_targets().target_group_arn(group);
            let call = call.targets(TargetDescription::builder().id(instance).build());
            call.send()
                .await
                .map_err(CloudError::call(format!("RegisterTargets {instance} in {group}")))?;
        }
        Ok(())
    }

    // moto's CloudFormation fails at a listener with `ForwardConfig`, which is why the template was asked for one
    // that forwards to blue alone. Its API keeps weights well.
    async fn forward_by_weight(&self, cloud: &LocalCloud) -> Result<(), CloudError> {
        let weight = |arn: &str, weight| TargetGroupTuple::builder().target_group_arn(arn).weight(weight).build();
        let forward = ForwardActionConfig::builder()
            .target_groups(weight(&self.blue_target_group_arn, 100))
            .target_groups(weight(&self.green_target_group_arn, 0))
            .build();
        let action = Action::builder()
            .r#type(ActionTypeEnum::Forward)
            .forward_config(forward)
            .build();
        let call = cloud.clients().elb.modify_listener().listener_arn(&self.listener_arn);
        call.default_actions(action)
            .send()
            .await
            .map_err(CloudError::call(format!("ModifyListener {}", self.listener_arn)))?;
        Ok(())
    }
}
