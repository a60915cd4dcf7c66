//! Preflight: what a quiet day finds out, whom it tells, and what it holds back.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod protocol_support;

use jiff::SignedDuration;
use serde_json::{Value, json};
use understudy_core::guard::Guard;
use understudy_core::health::Health;
use understudy_core::preflight::{Preflight, Weight};
use understudy_core::report::EventKind;
use understudy_engine::ports::{CallErrorKind, Clock};
use understudy_testkit::cloud::FakeCloud;
use understudy_testkit::faults::Fault;
use understudy_testkit::world::World;
use understudy_testkit::world_oracle::violations;
use understudy_testkit::world_plan::{
    BLUE_HOST, GREEN_GROUP, OTHER_GROUP, failover, furnish, really_at, sample_plan, shop,
};

fn found(world: &World) -> Option<Preflight> {
    let item = world.table.peek_all("shop", "preflight").pop()?;
    serde_json::from_value(item.body).ok()
}

fn blocking(world: &World) -> Vec<String> {
    let concerns = found(world).expect("a preflight").concerns;
    let blocking = concerns.iter().filter(|concern| concern.weight == Weight::Blocks);
    blocking.map(|concern| concern.sentence()).collect()
}

fn alerts(world: &World) -> Vec<String> {
    let published = world.cloud.published();
    let alerts = published
        .iter()
        .filter(|published| published.announcement.event == EventKind::Alert);
    alerts.map(|published| published.announcement.text.clone()).collect()
}

async fn preflight(world: &World) -> Value {
    let answer = world.command(json!({"command": "preflight", "plan": "shop"})).await;
    world.deliver().await;
    answer
}

/// Half an hour and a little: whole invocations of the probe, which alone asks for it.
async fn half_an_hour(world: &World) {
    for _ in 0..36 {
        world.observe_for_a_minute().await;
        world.deliver().await;
        world.clock.sleep(SignedDuration::from_secs(8)).await;
    }
}

#[tokio::test]
async fn a_plan_is_read_through_when_it_is_stored_and_every_half_hour() {
    let world = shop(61).await;
    let first = found(&world).expect("made when the plan was stored");
    assert_eq!((first.plan_revision, first.complete), (1, true));
    assert_eq!(first.concerns, []);
    half_an_hour(&world).await;
    let second = found(&world).unwrap();
    let apart = second.checked_at.duration_since(first.checked_at);
    assert!(apart >= SignedDuration::from_mins(30), "{apart}");
    assert!(apart <= SignedDuration::from_mins(36), "{apart}");
    assert_eq!(alerts(&world), Vec::<String>::new(), "nothing to tell");
    let mut plan = sample_plan("shop");
    plan["description"] = json!("another one");
    world.put_plan(plan).await;
    world.deliver().await;
    assert_eq!(found(&world).unwrap().plan_revision, 2);
}

#[tokio::test]
async fn a_standby_that_rots_is_told_once_and_again_when_it_is_well() {
    let world = shop(62).await;
    world.cloud.put_targets(GREEN_GROUP, &["unused", "unused"]);
    half_an_hour(&world).await;
    let told = alerts(&world);
    assert_eq!(told.len(), 1, "{told:#?}");
    for part in ["steps[1] (weights)", "not attached"] {
        assert!(told[0].contains(part), "{part}: {told:#?}");
    }
    half_an_hour(&world).await;
    assert_eq!(alerts(&world).len(), 1, "known");
    furnish(&world.cloud);
    let answer = preflight(&world).await;
    assert_eq!(answer["ok"], true, "{answer:#}");
    assert!(
        alerts(&world)[1].contains("could be done again"),
        "{:#?}",
        alerts(&world)
    );
    assert_eq!(violations(&world), Vec::<String>::new());
}

#[tokio::test]
async fn what_would_fail_holds_back_what_moves_by_itself_and_no_person() {
    let world = shop(63).await;
    world.cloud.take_permission("route53:ChangeResourceRecordSets", &[]);
    let answer = preflight(&world).await;
    assert_eq!(answer["ok"], false, "{answer:#}");
    assert!(
        answer["summary"].as_str().unwrap().contains("1 step(s) would fail"),
        "{answer:#}"
    );
    world.cloud.answer(BLUE_HOST, Health::Unhealthy, "connection refused");
    world.run_rounds(12).await;
    assert_eq!(world.control("shop").active_site, "blue");
    assert!(world.cloud.changes().is_empty());
    let status = world.command(json!({"command": "status", "plan": "shop"})).await;
    let next = status["next"].as_str().unwrap();
    assert!(next.contains(Guard::PreflightPassed.as_str()), "{status:#}");
    assert!(
        next.contains("may not call route53:ChangeResourceRecordSets"),
        "{status:#}"
    );
    assert!(
        alerts(&world).iter().any(|text| text.contains("preflight_passed")),
        "{:#?}",
        alerts(&world)
    );

    assert_eq!(world.command(failover("I know better")).await["ok"], true);
    assert!(world.settle(20).await, "{:#?}", world.control("shop"));
    assert_eq!(really_at(&world.cloud), ("green", "green"));
}

#[tokio::test]
async fn once_mended_the_plan_moves_by_itself_again() {
    let world = shop(64).await;
    world.cloud.take_permission("route53:ChangeResourceRecordSets", &[]);
    assert_eq!(preflight(&world).await["ok"], false);
    world.cloud.give_permissions_back();
    assert_eq!(preflight(&world).await["ok"], true);
    world.cloud.answer(BLUE_HOST, Health::Unhealthy, "connection refused");
    assert!(
        world
            .run_until(20, |world| world.control("shop").active_site == "green")
            .await
    );
}

#[tokio::test]
async fn once_mended_the_plan_comes_home_by_itself_whether_or_not_anybody_says_preflight() {
    for said in [true, false] {
        let world = shop(65).await;
        world.cloud.answer(BLUE_HOST, Health::Unhealthy, "connection refused");
        assert!(
            world
                .run_until(20, |world| world.control("shop").active_site == "green")
                .await
        );
        world.cloud.take_permission("route53:ChangeResourceRecordSets", &[]);
        assert_eq!(preflight(&world).await["ok"], false);
        world.cloud.answer(BLUE_HOST, Health::Healthy, "HTTP 200");
        world.run_rounds(30).await;
        assert_eq!(world.control("shop").active_site, "green", "held back");
        let told = alerts(&world).concat();
        assert!(told.contains("no failback: preflight_passed"), "{told}");
        world.cloud.give_permissions_back();
        if said {
            assert_eq!(preflight(&world).await["ok"], true);
            world.run_rounds(20).await;
        } else {
            half_an_hour(&world).await;
        }
        assert_eq!(world.control("shop").active_site, "blue", "said: {said}");
    }
}

#[tokio::test]
async fn a_grant_that_hangs_on_a_tag_is_a_warning() {
    let world = shop(65).await;
    let key = "aws:ResourceTag/understudy";
    world
        .cloud
        .take_permission("elasticloadbalancing:ModifyListener", &[key]);
    let answer = preflight(&world).await;
    assert_eq!(answer["ok"], true, "{answer:#}");
    let concerns = found(&world).unwrap().concerns;
    assert_eq!(concerns.len(), 1, "{concerns:#?}");
    assert!(concerns[0].message.contains(key), "{concerns:#?}");
}

#[tokio::test]
async fn an_error_that_may_pass_blocks_nothing_and_is_looked_at_again_soon() {
    let world = shop(66).await;
    world
        .cloud
        .faults
        .next("dns.records", Fault::Before(CallErrorKind::Retryable));
    assert_eq!(preflight(&world).await["ok"], true);
    let first = found(&world).unwrap();
    assert!(!first.complete && blocking(&world).is_empty(), "{first:#?}");
    for _ in 0..12 {
        world.observe_for_a_minute().await;
        world.deliver().await;
        world.clock.sleep(SignedDuration::from_secs(8)).await;
    }
    let second = found(&world).unwrap();
    assert!(second.complete && second.concerns.is_empty(), "{second:#?}");
}

#[tokio::test]
async fn on_a_bad_day_what_was_found_before_stands() {
    let world = shop(67).await;
    world.cloud.take_permission("route53:ChangeResourceRecordSets", &[]);
    let before = found(&world).unwrap();
    world.cloud.answer(BLUE_HOST, Health::Unhealthy, "connection refused");
    world.run_rounds(3).await;
    let answer = preflight(&world).await;
    assert_eq!(answer["ok"], false);
    assert!(answer["error"].as_str().unwrap().contains("not well"), "{answer:#}");
    assert_eq!(found(&world).unwrap(), before);
}

#[tokio::test]
async fn a_plan_of_which_something_is_missing_says_so_by_its_path() {
    let world = World::new(68);
    furnish(&world.cloud);
    let mut plan = sample_plan("shop");
    let address = json!({"kind": "elastic_ip", "name": "address", "allocation_id": "eipalloc-0123456789abcdef0",
                         "targets": {"blue": "i-0123456789abcdef0", "green": "i-0123456789abcdef1"}});
    plan["steps"].as_array_mut().unwrap().push(address);
    assert_eq!(world.put_plan(plan).await["ok"], true);
    world.run_rounds(2).await;
    let blocking = blocking(&world);
    assert_eq!(blocking.len(), 1, "{blocking:#?}");
    assert!(
        blocking[0].starts_with("steps[3] (address) towards green"),
        "{blocking:#?}"
    );
    let status = world.command(json!({"command": "status", "plan": "shop"})).await;
    let text = status["text"].to_string();
    assert!(
        text.contains("preflight") && text.contains("steps[3] (address)"),
        "{status:#}"
    );
}

// A plan that registers targets, which the executor may only do under conditions on these keys; with none, never.
async fn registering_takes(keys: &[&str]) -> World {
    let mut plan = sample_plan("shop");
    plan["steps"].as_array_mut().unwrap().push(
        json!({"kind": "elb_targets", "name": "targets", "target_group_arn": OTHER_GROUP, "timeout_seconds": 420,
               "targets": {"blue": [{"id": "i-0123456789abcdef0", "port": 80}], "green": [{"id": "i-0123456789abcdef1", "port": 80}]}}),
    );
    let world = World::new(69);
    furnish(&world.cloud);
    world
        .cloud
        .take_permission("elasticloadbalancing:RegisterTargets", keys);
    assert_eq!(world.put_plan(plan).await["ok"], true);
    world.run_rounds(2).await;
    world
}

// Some simulators do not say that they lack a tag: they say no.
#[tokio::test]
async fn tags_that_could_not_be_read_for_now_block_nothing_and_are_read_again_soon() {
    let world = registering_takes(&[]).await;
    let unread = Fault::Before(CallErrorKind::Retryable);
    world.cloud.faults.always("traffic.tags", unread);
    assert_eq!(preflight(&world).await["ok"], true);
    let first = found(&world).unwrap();
    assert!(!first.complete && blocking(&world).is_empty(), "{first:#?}");
    assert!(
        first.concerns[0].message.contains("tags could not be read"),
        "{first:#?}"
    );
    world.cloud.faults.clear();
    assert_eq!(preflight(&world).await["ok"], false, "now it is known");
}

#[tokio::test]
async fn a_tag_that_is_there_is_looked_at_and_one_that_is_not_is_found() {
    let world = registering_takes(&["aws:ResourceTag/understudy"]).await;
    assert_eq!(found(&world).unwrap().concerns, [], "it carries the tag");

    world.cloud.untag(OTHER_GROUP);
    assert_eq!(preflight(&world).await["ok"], false);
    let blocking = blocking(&world);
    assert_eq!(blocking.len(), 1, "{blocking:#?}");
    for part in ["steps[3] (targets) towards green", OTHER_GROUP, "the tag understudy"] {
        assert!(blocking[0].contains(part), "{part}: {blocking:#?}");
    }
}

#[tokio::test]
async fn what_a_plan_names_beside_its_steps_is_looked_at_and_holds_nothing_back() {
    let world = shop(70).await;
    world
        .cloud
        .put_target_health(GREEN_GROUP, FakeCloud::default_health_check());
    let mut plan = sample_plan("shop");
    plan["probes"]
        .as_array_mut()
        .unwrap()
        .push(json!({"kind": "ec2", "name": "green-machine", "site": "green", "instance_id": "i-0123456789abcdef0"}));
    plan["alarms"] = json!([{"alarm_name": "nobody-made-this", "site": "blue"}]);
    plan["setup"] =
        json!([{"kind": "target_group_health", "name": "check", "target_group_arn": GREEN_GROUP, "path": "/other"}]);
    world
        .cloud
        .take_permission("elasticloadbalancing:ModifyTargetGroup", &[]);
    let answer = world.put_plan(plan).await;
    assert_eq!(answer["ok"], true, "{answer:#}");
    world.deliver().await;
    let made = found(&world).unwrap();
    assert_eq!(blocking(&world), Vec::<String>::new());
    let concerns: Vec<String> = made.concerns.iter().map(|concern| concern.sentence()).collect();
    for part in [
        "probes[2] (green-machine): ",
        "alarms[0].alarm_name (nobody-made-this): ",
        "setup[0] (check): it is not set up",
        "setup[0] (check): the executor's role may not call elasticloadbalancing:ModifyTargetGroup",
    ] {
        assert!(
            concerns.iter().any(|concern| concern.contains(part)),
            "{part}: {concerns:#?}"
        );
    }
}

#[tokio::test]
async fn what_is_in_another_account_is_told_by_its_path() {
    let world = World::new(80);
    furnish(&world.cloud);
    let mut plan = sample_plan("shop");
    let elsewhere = GREEN_GROUP.replace("000000000000", "111111111111");
    world.cloud.put_targets(&elsewhere, &["healthy"]);
    plan["probes"]
        .as_array_mut()
        .unwrap()
        .push(json!({"kind": "target_group", "name": "green-targets", "site": "green", "target_group_arn": elsewhere}));
    let answer = world.command(json!({"command": "validate", "plan": plan})).await;
    assert_eq!(answer["ok"], false, "{answer:#}");
    let problem = &answer["problems"][0];
    assert_eq!(problem["path"], "probes[2].target_group_arn", "{answer:#}");
    assert!(
        problem["message"].as_str().unwrap().contains("account 111111111111"),
        "{answer:#}"
    );
    world.put_plan(plan).await;
    world.run_rounds(2).await;
    let concerns = found(&world).unwrap().concerns;
    assert!(
        concerns
            .iter()
            .any(|concern| concern.path == "probes[2].target_group_arn"),
        "{concerns:#?}"
    );
}
