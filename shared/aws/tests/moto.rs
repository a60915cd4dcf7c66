//! The rooms of machines and targets at an emulator that keeps what is written: what was set is what is read.
//!
//! It needs the pinned tools (`make tools`). What the emulator has not, the scripted tests beside this one have.

#![cfg(all(feature = "autoscaling", feature = "cloudwatch", feature = "ec2", feature = "elbv2"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use understudy_aws::AwsConfig;
use understudy_aws::autoscaling::AutoScalingGroups;
use understudy_aws::cloudwatch::CloudWatchDefinitions;
use understudy_aws::ec2::Ec2Compute;
use understudy_aws::elbv2::ElbTraffic;
use understudy_core::plan::TargetId;
use understudy_core::state::{AlarmDefinition, Association, GroupSize, HealthCheck, Matcher, Threshold};
use understudy_engine::ports::{AlarmDefinitions, CallErrorKind, Compute, Groups, Traffic};

/// The emulator, which ends when its standard input does: however this process ends.
struct Moto {
    child: Child,
    sdk: SdkConfig,
}

impl Moto {
    async fn start() -> Self {
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.tools/moto/bin/moto_server");
        assert!(program.exists(), "{} is not there; run `make tools`", program.display());
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let child = Command::new("/bin/sh")
            .args(["-c", "\"$@\" < /dev/null & cat > /dev/null; kill -9 $!", "moto"])
            .arg(program)
            .args(["-H", "127.0.0.1", "-p", &port.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let began = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(
                began.elapsed() < Duration::from_secs(120),
                "the emulator does not answer"
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let sdk = SdkConfig::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::new("eu-west-1"))
            .endpoint_url(format!("http://127.0.0.1:{port}"))
            .credentials_provider(SharedCredentialsProvider::new(Credentials::new(
                "AKIDEXAMPLE",
                "example",
                None,
                None,
                "test",
            )))
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .build();
        Self { child, sdk }
    }

    fn config(&self) -> AwsConfig {
        AwsConfig::from_sdk(self.sdk.clone())
    }

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

impl Drop for Moto {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn what_is_set_is_what_is_read() {
    let moto = Moto::start().await;
    groups(&moto).await;
    instances_and_addresses(&moto).await;
    targets(&moto).await;
    alarms(&moto).await;
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
    health_check(&traffic, arn, &nowhere).await;
}

async fn health_check(traffic: &ElbTraffic, arn: &str, nowhere: &str) {
    let before = traffic.health_check(None, arn).await.unwrap();
    assert!(before.enabled);
    assert_eq!(
        (before.protocol.as_str(), before.port.as_str()),
        ("HTTP", "traffic-port")
    );
    let wanted = HealthCheck {
        port: "8443".into(),
        path: Some("/health".into()),
        interval_seconds: 12,
        answer_seconds: 4,
        unhealthy_threshold: 4,
        matcher: Some(Matcher::Http("200-299".into())),
        ..before.clone()
    };
    traffic.set_health_check(None, arn, &before, &wanted).await.unwrap();
    assert_eq!(traffic.health_check(None, arn).await.unwrap(), wanted);
    let stale = traffic.set_health_check(None, arn, &before, &wanted).await.unwrap_err();
    assert_eq!(stale.kind, CallErrorKind::Conflict, "{stale}");
    traffic.set_health_check(None, arn, &wanted, &before).await.unwrap();
    assert_eq!(traffic.health_check(None, arn).await.unwrap(), before);
    let missing = traffic.health_check(None, nowhere).await.unwrap_err();
    assert_eq!(missing.kind, CallErrorKind::NotFound, "{missing}");
}

async fn alarms(moto: &Moto) {
    let definitions = CloudWatchDefinitions::new(&moto.config());
    let read = async || definitions.definition(None, "shop-unhealthy").await.unwrap();
    assert_eq!(read().await, None);
    let made = AlarmDefinition {
        description: Some("hosts".into()),
        actions_enabled: true,
        alarm_actions: vec!["arn:aws:sns:eu-west-1:123456789012:shop".into()],
        namespace: "AWS/ApplicationELB".into(),
        metric_name: "UnHealthyHostCount".into(),
        dimensions: [("TargetGroup".to_owned(), "targetgroup/blue/1".to_owned())].into(),
        statistic: Some("Maximum".into()),
        period_seconds: 60,
        evaluation_periods: 3,
        datapoints_to_alarm: Some(2),
        threshold: Threshold(0.1),
        comparison: "GreaterThanThreshold".into(),
        treat_missing_data: Some("breaching".into()),
        ..AlarmDefinition::default()
    };
    let tags = [("understudy".to_owned(), "shop".to_owned())];
    definitions
        .define(None, "shop-unhealthy", None, &made, &tags)
        .await
        .unwrap();
    let found = read().await.unwrap();
    assert!(found.same_as(&made), "{found:#?}");
    let adjusted = AlarmDefinition {
        threshold: Threshold(1.0 / 3.0),
        ..made.clone()
    };
    definitions
        .define(None, "shop-unhealthy", Some(&found), &adjusted, &[])
        .await
        .unwrap();
    assert!(read().await.unwrap().same_as(&adjusted), "every digit of the threshold");
    let stale = definitions
        .define(None, "shop-unhealthy", Some(&made), &made, &[])
        .await
        .unwrap_err();
    assert_eq!(stale.kind, CallErrorKind::Conflict, "{stale}");
    definitions.remove(None, "shop-unhealthy", &adjusted).await.unwrap();
    assert_eq!(read().await, None);
}
