//! The harness itself: it starts, holds a world, and leaves nothing behind.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use serde_json::json;
use understudy_tests::local_cloud::{
    LocalCloud, OPERATOR,
    alarm::{AlarmChange, alarm_state_change_event},
    processes_of_group,
};
use understudy_tests::sites::{Mood, Site};
use understudy_tests::world::{ALARM, BLUE_HOST, World};

#[tokio::test(flavor = "multi_thread")]
async fn a_world_is_made_read_back_and_leaves_no_process() {
    let cloud = LocalCloud::start().await.unwrap();
    let groups = cloud.process_groups();
    let clients = cloud.clients();
    let topic = clients.sns.create_topic().name("announcements").send().await.unwrap();
    let topic = topic.topic_arn().unwrap();

    let world = World::create(&cloud, topic).await.unwrap();
    assert_eq!(world.blue_green_weights(&cloud).await.unwrap(), (100, 0));
    assert_eq!(world.record_values(&cloud).await.unwrap(), [BLUE_HOST]);

    let attribute = aws_sdk_sns::types::MessageAttributeValue::builder()
        .data_type("String")
        .string_value("shop")
        .build()
        .unwrap();
    let publish = clients.sns.publish().topic_arn(topic).subject("Moved").message("{}");
    publish.message_attributes("plan", attribute).send().await.unwrap();
    let messages = world.take_messages(&cloud, 5).await.unwrap();
    assert_eq!(messages.len(), 1);
    assert_eq!(messages[0].subject.as_deref(), Some("Moved"));
    assert_eq!(messages[0].body, "{}");
    assert_eq!(messages[0].attributes["plan"], "shop");
    assert!(world.take_messages(&cloud, 0).await.unwrap().is_empty());

    let calls = cloud.proxy().calls();
    let weighed = calls.iter().find(|call| call.operation == "ModifyListener").unwrap();
    assert_eq!(
        (weighed.upstream.as_str(), weighed.caller.as_deref()),
        ("moto", Some(OPERATOR))
    );
    let published = calls.iter().find(|call| call.operation == "Publish").unwrap();
    assert_eq!(published.upstream, "ministack");
    assert!(calls.iter().all(|call| call.succeeded()), "{calls:#?}");
    assert!(cloud.access_denied_calls().is_empty());

    assert!(groups.iter().all(|group| !processes_of_group(*group).is_empty()));
    cloud.stop();
    assert!(groups.iter().all(|group| processes_of_group(*group).is_empty()));
}

/// Set in the process that the next test starts and kills.
const VICTIM: &str = "UNDERSTUDY_SMOKE_VICTIM";

#[tokio::test(flavor = "multi_thread")]
async fn a_cloud_does_not_outlive_a_process_that_was_killed() {
    if std::env::var_os(VICTIM).is_some() {
        let cloud = LocalCloud::start().await.unwrap();
        let [ministack, moto] = cloud.process_groups();
        println!("groups {ministack} {moto} end");
        std::future::pending::<()>().await;
    }
    use std::io::BufRead;
    let mut victim = std::process::Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "a_cloud_does_not_outlive_a_process_that_was_killed",
            "--nocapture",
        ])
        .env(VICTIM, "1")
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let output = std::io::BufReader::new(victim.stdout.take().unwrap());
    let mut lines = output.lines().map_while(Result::ok);
    let line = lines.find(|line| line.contains("groups ")).unwrap();
    let (_, groups) = line.split_once("groups ").unwrap();
    let groups: Vec<u32> = groups.split(' ').map_while(|group| group.parse().ok()).collect();
    assert_eq!(groups.len(), 2);
    assert!(groups.iter().all(|group| !processes_of_group(*group).is_empty()));
    // On Unix this is SIGKILL: nothing in the victim gets to clean up.
    victim.kill().unwrap();
    victim.wait().unwrap();
    let mut turns = 0;
    while groups.iter().any(|group| !processes_of_group(*group).is_empty()) {
        turns += 1;
        assert!(turns < 2_000, "still alive: {groups:?}");
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_site_dies_fails_and_comes_back_on_its_port() {
    let mut site = Site::start("blue").await.unwrap();
    assert_eq!(status(&site).await, Some(200));
    site.answer_500().await.unwrap();
    assert_eq!(status(&site).await, Some(500));
    site.die().await;
    assert_eq!(site.mood(), Mood::Dead);
    let refused = tokio::net::TcpStream::connect(site.address()).await.unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
    site.hang().await.unwrap();
    let hanging = tokio::spawn(status_of(site.address()));
    tokio::task::yield_now().await;
    assert!(!hanging.is_finished());
    site.come_back().await.unwrap();
    assert_eq!(hanging.await.unwrap(), Some(200));
    assert_eq!(status(&site).await, Some(200));
}

#[test]
fn an_alarm_event_has_the_shape_that_aws_sends() {
    let alarm = aws_sdk_cloudwatch::types::MetricAlarm::builder()
        .alarm_name(ALARM)
        .alarm_arn("arn:aws:cloudwatch:us-east-1:123456789012:alarm:a")
        .namespace("AWS/ApplicationELB")
        .build();
    let event = alarm_state_change_event(
        &alarm,
        &AlarmChange {
            state: "ALARM".into(),
            previous_state: "OK".into(),
            reason: "Threshold Crossed".into(),
            changed_at: "2026-11-21T10:00:01.25Z".parse().unwrap(),
            previous_changed_at: "2026-11-21T09:00:00Z".parse().unwrap(),
        },
    );
    assert_eq!(event["detail-type"], "CloudWatch Alarm State Change");
    assert_eq!(event["time"], "2026-11-21T10:00:01Z");
    assert_eq!(
        event["resources"],
        json!(["arn:aws:cloudwatch:us-east-1:123456789012:alarm:a"])
    );
    assert_eq!(event["detail"]["state"]["value"], "ALARM");
    assert_eq!(event["detail"]["state"]["timestamp"], "2026-11-21T10:00:01.250+0000");
    assert_eq!(event["detail"]["previousState"]["value"], "OK");
    assert!(event["detail"]["state"]["reasonData"].is_string());
}

async fn status(site: &Site) -> Option<u16> {
    status_of(site.address()).await
}

/// The status of the health page, by a request as plain as can be.
async fn status_of(address: std::net::SocketAddr) -> Option<u16> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::TcpStream::connect(address).await.ok()?;
    let request = "GET /health HTTP/1.1\r\nhost: site\r\nconnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.ok()?;
    answer.split_whitespace().nth(1)?.parse().ok()
}
