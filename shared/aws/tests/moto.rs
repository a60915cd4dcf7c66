//! The rooms of machines and targets at an emulator that keeps what is written: what was set is what is read.
//!
//! It needs the pinned tools (`make tools`). What the emulator has not, the scripted tests beside this one have.
//!
//! Tries steps: asg_capacity, asg_zones, asg_settings, asg_scaling_policy, ec2_instance, elastic_ip, elb_targets, dns_health_check.
//! Tries probes: ec2, target_group, auto_scaling_group.

#![cfg(all(feature = "autoscaling", feature = "ec2", feature = "elbv2", feature = "route53"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;
use common::emulator::Moto;
use std::collections::BTreeMap;
use understudy_aws::autoscaling::AutoScalingGroups;
use understudy_aws::ec2::Ec2Compute;
use understudy_aws::elbv2::ElbTraffic;
use understudy_aws::route53::Route53HealthChecks;
use understudy_core::plan::TargetId;
use understudy_core::state::{
    Association, GroupSettings, GroupSize, HealthCheckSettings, wanted_health_check, wanted_policy,
};
use understudy_engine::ports::{CallErrorKind, Compute, GroupSetup, Groups, HealthChecks, Traffic};

impl Moto {
    fn ec2(&self) -> aws_sdk_ec2::Client {
        aws_sdk_ec2::Client::new(&self.sdk)
    }

    async fn subnets(&self) -> Vec<String> {
        let found = self.ec2().describe_subnets().send().await.unwrap();
        let mut subnets: Vec<String> = found
            .subnets()
            .iter()
            .map(|subnet| subnet.subnet_id().unwrap().to_owned())
            .collect();
        subnets.sort();
        assert!(
            subnets.len() >= 2,
            "a default VPC has a subnet in each zone: {subnets:?}"
        );
        subnets
    }

    async fn image(&self) -> String {
        let found = self.ec2().describe_images().owners("amazon").send().await.unwrap();
        found.images()[0].image_id().unwrap().to_owned()
    }

    async fn instances(&self, count: i32) -> Vec<String> {
        let run = self.ec2().run_instances().image_id(self.image().await);
        let run = run.min_count(count).max_count(count).send().await.unwrap();
        run.instances()
            .iter()
            .map(|instance| instance.instance_id().unwrap().to_owned())
            .collect()
    }
}

#[tokio::test]
async fn what_is_set_is_what_is_read() {
    let moto = Moto::start().await;
    groups(&moto).await;
    group_setup(&moto).await;
    instances_and_addresses(&moto).await;
    targets(&moto).await;
    health_checks(&moto).await;
}

async fn groups(moto: &Moto) {
    let client = aws_sdk_autoscaling::Client::new(&moto.sdk);
    let subnets = moto.subnets().await;
    client
        .create_launch_configuration()
        .launch_configuration_name("web")
        .image_id(moto.image().await)
        .instance_type("t3.micro")
        .send()
        .await
        .unwrap();
    client
        .create_auto_scaling_group()
        .auto_scaling_group_name("web")
        .launch_configuration_name("web")
        .min_size(1)
        .desired_capacity(2)
        .max_size(6)
        .health_check_grace_period(77)
        .vpc_zone_identifier(&subnets[0])
        .send()
        .await
        .unwrap();

    let groups = AutoScalingGroups::new(&moto.config());
    let names = ["web".to_owned()];
    let read = async || groups.groups(None, &names).await.unwrap().pop().unwrap();
    let before = read().await;
    let size = |minimum, desired, maximum| GroupSize {
        minimum,
        desired,
        maximum,
    };
    assert_eq!((before.size, before.in_service), (size(1, 2, 6), 2));
    assert_eq!(before.subnets, subnets[..1]);
    assert!(before.launches);

    let wanted = size(4, 4, 6);
    groups.resize(None, "web", before.size, wanted).await.unwrap();
    let grown = read().await;
    assert_eq!((grown.size, grown.in_service), (wanted, 4));
    let stale = groups.resize(None, "web", before.size, wanted).await.unwrap_err();
    assert_eq!(stale.kind, CallErrorKind::Conflict, "{stale}");

    let two = &subnets[..2];
    groups.set_subnets(None, "web", &before.subnets, two).await.unwrap();
    assert_eq!(read().await.subnets, two);
    groups.set_subnets(None, "web", two, &before.subnets).await.unwrap();
    groups.resize(None, "web", wanted, before.size).await.unwrap();
    let after = read().await;
    assert_eq!((after.size, after.subnets), (before.size, before.subnets));
    let described = client.describe_auto_scaling_groups().send().await.unwrap();
    let grace = described.auto_scaling_groups()[0].health_check_grace_period();
    assert_eq!(grace, Some(77), "what is not named stays");

    client
        .suspend_processes()
        .auto_scaling_group_name("web")
        .scaling_processes("Launch")
        .send()
        .await
        .unwrap();
    assert!(!read().await.launches);
    assert_eq!(groups.groups(None, &["nobody".to_owned()]).await.unwrap(), []);
}

// The group of before, as set-up adjusts it.
async fn group_setup(moto: &Moto) {
    let groups = AutoScalingGroups::new(&moto.config());
    let before = groups.group_set_up(None, "web").await.unwrap().unwrap().settings;
    assert_eq!(before.health_check_grace_seconds, Some(77));
    let wanted = GroupSettings {
        health_check_type: Some("ELB".into()),
        health_check_grace_seconds: Some(300),
        // The emulator does not change a cooldown; the scripted tests have it.
        ..GroupSettings::default()
    };
    let named = before.only(&wanted);
    groups.set_settings(None, "web", &named, &wanted).await.unwrap();
    let read = async || groups.group_set_up(None, "web").await.unwrap().unwrap().settings;
    assert_eq!(read().await.only(&wanted), wanted);
    assert_eq!(read().await.subnets, before.subnets, "what is not named stays");
    groups.set_settings(None, "web", &wanted, &named).await.unwrap();
    assert_eq!(read().await, before);

    let step = serde_json::from_value(serde_json::json!({
        "name": "policy", "auto_scaling_group_name": "web", "policy_name": "up", "adjustment": 2, "warmup_seconds": 60,
    }));
    let policy = wanted_policy(&step.unwrap());
    assert_eq!(groups.policy(None, "web", "up").await.unwrap(), None);
    groups.put_policy(None, "web", "up", None, &policy).await.unwrap();
    assert_eq!(groups.policy(None, "web", "up").await.unwrap(), Some(policy.clone()));
    let taken = groups.put_policy(None, "web", "up", None, &policy).await.unwrap_err();
    assert_eq!(taken.kind, CallErrorKind::Conflict, "{taken}");
    groups.delete_policy(None, "web", "up", &policy).await.unwrap();
    assert_eq!(groups.policy(None, "web", "up").await.unwrap(), None);
}

async fn health_checks(moto: &Moto) {
    let checks = Route53HealthChecks::new(&moto.config());
    let step =
        serde_json::from_value(serde_json::json!({"name": "check", "host": "blue.example.com", "path": "/health"}));
    let settings = wanted_health_check(&step.unwrap());
    assert_eq!(checks.find("ours:").await.unwrap(), None);
    checks.create("ours:1", &settings).await.unwrap();
    checks.create("theirs:1", &settings).await.unwrap();
    let made = checks.find("ours:").await.unwrap().unwrap();
    assert_eq!((&made.settings, made.tags.len()), (&settings, 0));
    let tags: BTreeMap<String, String> = [("understudy".to_owned(), "shop".to_owned())].into();
    checks.tag(&made.id, &tags, true).await.unwrap();
    let wanted = HealthCheckSettings {
        failure_threshold: 9,
        ..settings.clone()
    };
    checks.update(&made.id, &settings, &wanted).await.unwrap();
    let found = checks.find("ours:").await.unwrap().unwrap();
    assert_eq!((&found.id, &found.settings, &found.tags), (&made.id, &wanted, &tags));
    let stale = checks.delete(&made.id, &settings).await.unwrap_err();
    assert_eq!(stale.kind, CallErrorKind::Conflict, "{stale}");
    checks.delete(&made.id, &wanted).await.unwrap();
    assert_eq!(checks.find("ours:").await.unwrap(), None);
    assert!(checks.find("theirs:").await.unwrap().is_some(), "somebody else's stays");
}

async fn instances_and_addresses(moto: &Moto) {
    let compute = Ec2Compute::new(&moto.config());
    let ids = moto.instances(2).await;
    let state = async |id: &String| {
        let found = compute.instance_statuses(None, std::slice::from_ref(id)).await.unwrap();
        found[0].state.clone()
    };
    compute.stop(None, &ids).await.unwrap();
    assert_eq!(state(&ids[0]).await, "stopped");
    compute.stop(None, &ids).await.unwrap();
    compute.start(None, &ids[..1]).await.unwrap();
    assert_eq!([state(&ids[0]).await, state(&ids[1]).await], ["running", "stopped"]);
    compute.start(None, &ids).await.unwrap();
    let missing = compute.start(None, &["i-0123456789abcdef0".into()]).await.unwrap_err();
    assert_eq!(missing.kind, CallErrorKind::NotFound, "{missing}");

    let allocated = moto.ec2().allocate_address().send().await.unwrap();
    let address = allocated.allocation_id().unwrap();
    assert_eq!(compute.association(None, address).await.unwrap(), None);
    let (blue, green) = (Association::with(&ids[0]), Association::with(&ids[1]));
    compute.associate(None, address, &blue).await.unwrap();
    let found = compute.association(None, address).await.unwrap().unwrap();
    assert!(found.same_as(&blue), "{found:?}");
    let stolen = compute.associate(None, address, &green).await.unwrap_err();
    assert_eq!(stolen.kind, CallErrorKind::Conflict, "{stolen}");
    let elsewhere = compute.disassociate(None, address, &green).await.unwrap_err();
    assert_eq!(elsewhere.kind, CallErrorKind::Conflict, "{elsewhere}");

    compute.disassociate(None, address, &found).await.unwrap();
    compute.associate(None, address, &green).await.unwrap();
    let moved = compute.association(None, address).await.unwrap().unwrap();
    assert!(moved.same_as(&green), "{moved:?}");
    // Back again, exactly: by its interface. The emulator does not tell the instance then, as the service does.
    compute.disassociate(None, address, &moved).await.unwrap();
    compute.associate(None, address, &found).await.unwrap();
    let back = compute.association(None, address).await.unwrap().unwrap();
    assert!(back.same_as(&found), "{back:?}");
    assert_eq!(back.private_ip_address, found.private_ip_address);
}

async fn targets(moto: &Moto) {
    let client = aws_sdk_elasticloadbalancingv2::Client::new(&moto.sdk);
    let vpcs = moto.ec2().describe_vpcs().send().await.unwrap();
    let created = client
        .create_target_group()
        .name("all")
        .protocol(aws_sdk_elasticloadbalancingv2::types::ProtocolEnum::Http)
        .port(80)
        .vpc_id(vpcs.vpcs()[0].vpc_id().unwrap())
        .send()
        .await
        .unwrap();
    let arn = created.target_groups()[0].target_group_arn().unwrap();
    let traffic = ElbTraffic::new(&moto.config());
    let ids = moto.instances(2).await;
    let at = |index: usize, port| TargetId {
        id: ids[index].clone(),
        port,
    };
    let registered = async || {
        let found = traffic.targets(None, arn).await.unwrap();
        let mut found: Vec<(String, Option<u16>)> = found.into_iter().map(|target| (target.id, target.port)).collect();
        found.sort();
        found
    };
    traffic.register(None, arn, &[at(0, 80)]).await.unwrap();
    traffic.register(None, arn, &[at(0, 80), at(1, 8080)]).await.unwrap();
    let mut both = vec![(ids[0].clone(), Some(80)), (ids[1].clone(), Some(8080))];
    both.sort();
    assert_eq!(registered().await, both);
    traffic.deregister(None, arn, &[at(0, 80)]).await.unwrap();
    // The service takes a second deregistration as done; the emulator refuses it.
    assert_eq!(registered().await, [(ids[1].clone(), Some(8080))]);
    let nowhere = arn.replace("/all/", "/none/");
    let missing = traffic.register(None, &nowhere, &[at(0, 80)]).await.unwrap_err();
    assert_eq!(missing.kind, CallErrorKind::NotFound, "{missing}");
}
