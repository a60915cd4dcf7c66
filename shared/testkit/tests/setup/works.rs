//! It is made once, remembered, and adjusted where the plan changes.

use crate::shop::{NEW, OLD, ask, done, ended, is_set_up, is_untouched, made, old_alarm, plan, record, shop, shop_of};
use serde_json::{Value, json};
use understudy_core::execution::{Kind, Status, StepState};
use understudy_core::plan::Stack;
use understudy_core::report::EventKind;
use understudy_core::state::{ResourceState, Threshold};
use understudy_engine::ports::Balanced;
use understudy_testkit::cloud::FakeCloud;
use understudy_testkit::world_oracle::violations;
use understudy_testkit::world_plan::{BLUE_GROUP, GREEN_GROUP, TOPIC, failover};

#[tokio::test]
async fn a_setup_makes_what_the_plan_states_and_moves_nothing() {
    let world = shop(71).await;
    let execution = done(&world, "setup").await;
    assert_eq!((execution.kind, execution.status), (Kind::Setup, Status::Completed));
    assert!(is_set_up(&world));
    assert_eq!(
        made(&world),
        ["traffic.set_health_check", "definitions.define", "definitions.define"]
    );
    let (_, tags) = world.cloud.definition_of(NEW).unwrap();
    assert_eq!(tags["understudy"], "shop");
    assert_eq!(tags["understudy-setup"], "unhealthy");
    let (_, tags) = world.cloud.definition_of(OLD).unwrap();
    assert!(tags.is_empty(), "what was there before is not called ours");

    let control = world.control("shop");
    assert_eq!(
        (control.active_site.as_str(), &control.away, &control.latch),
        ("blue", &None, &None)
    );
    assert_eq!(control.set_up.as_ref().unwrap().items, 3);
    let names: Vec<String> = record(&world).items.iter().map(|item| item.name().to_owned()).collect();
    assert_eq!(names, ["blue-check", "unhealthy", "latency"]);
    assert_eq!(violations(&world), Vec::<String>::new());
}

#[tokio::test]
async fn begin_and_end_are_announced_and_told_by_status_and_history() {
    let world = shop(72).await;
    done(&world, "setup").await;
    let told: Vec<(EventKind, String)> = world
        .cloud
        .published()
        .into_iter()
        .map(|message| (message.announcement.event, message.announcement.subject))
        .filter(|(_, subject)| subject.contains("setup"))
        .collect();
    assert_eq!(
        told,
        [
            (EventKind::Started, "Understudy: shop setup started: at blue".to_owned()),
            (
                EventKind::Completed,
                "Understudy: shop setup completed: at blue".to_owned()
            ),
        ]
    );
    let status = world.command(json!({"command": "status", "plan": "shop"})).await;
    assert_eq!(status["setup"]["items"], 3, "{status:#}");
    assert_eq!(status["setup"]["made"][1]["before"], "no alarm", "{status:#}");
    let text = status["text"].to_string();
    assert!(text.contains("3 item(s) of its setup are made"), "{text}");
    assert!(text.contains("setup at blue completed: 3 of 3 steps done"), "{text}");
    let history = world.command(json!({"command": "history", "plan": "shop"})).await;
    assert!(
        history["text"][0].as_str().unwrap().contains("setup at blue completed"),
        "{history:#}"
    );
}

#[tokio::test]
async fn a_second_setup_finds_everything_as_wanted_and_forgets_nothing() {
    let world = shop(73).await;
    done(&world, "setup").await;
    let (before, calls) = (record(&world), made(&world).len());
    let again = done(&world, "setup").await;
    assert_eq!(again.status, Status::Completed);
    assert!(
        again.steps.iter().all(|run| run.state == StepState::Satisfied),
        "{again:#?}"
    );
    assert_eq!(made(&world).len(), calls);
    assert_eq!(record(&world).items, before.items);
    assert_eq!(world.control("shop").set_up.unwrap().items, 3);
}

#[tokio::test]
async fn a_changed_item_is_adjusted_and_what_was_there_first_stays_known() {
    let world = shop(74).await;
    done(&world, "setup").await;
    let mut changed = plan();
    changed["setup"][2]["threshold"] = json!(0.8);
    world.put_plan(changed).await;
    let again = done(&world, "setup").await;
    assert_eq!(again.steps[2].state, StepState::Done);
    assert_eq!(world.cloud.definition_of(OLD).unwrap().0.threshold, Threshold(0.8));
    let record = record(&world);
    let item = record.items.last().unwrap();
    let first = ResourceState::MetricAlarm {
        alarm: Some(Box::new(old_alarm())),
    };
    assert_eq!(item.pre_state.inline(), Some(&first));
    assert_eq!((item.name(), &item.execution), ("latency", &again.id));

    assert_eq!(done(&world, "teardown").await.status, Status::Completed);
    assert!(is_untouched(&world));
}

#[tokio::test]
async fn a_dry_run_names_the_calls_and_makes_none() {
    let world = shop(75).await;
    let dry =
        |command: &str| json!({"command": command, "plan": "shop", "operator": "mia", "reason": "r", "dry_run": true});
    let answer = world.command(dry("setup")).await;
    assert_eq!(
        (&answer["ok"], &answer["changed"]),
        (&json!(true), &json!("nothing")),
        "{answer:#}"
    );
    let steps = answer["steps"].as_array().unwrap();
    assert_eq!(steps.len(), 3);
    assert!(
        steps[0]["current"].as_str().unwrap().contains("every 30 s"),
        "{answer:#}"
    );
    assert!(
        steps[0]["wanted"].as_str().unwrap().contains("every 10 s"),
        "{answer:#}"
    );
    assert!(
        steps[1]["calls"][0]
            .as_str()
            .unwrap()
            .starts_with("cloudwatch:PutMetricAlarm"),
        "{answer:#}"
    );
    assert_eq!(
        world.command(dry("teardown")).await["ok"],
        false,
        "nothing to take back yet"
    );

    done(&world, "setup").await;
    let (calls, version) = (made(&world).len(), world.control("shop").version);
    let answer = world.command(dry("teardown")).await;
    let steps = answer["steps"].as_array().unwrap();
    let names: Vec<&Value> = steps.iter().map(|step| &step["name"]).collect();
    assert_eq!(
        names,
        ["latency", "unhealthy", "blue-check"],
        "the newest first: {answer:#}"
    );
    assert_eq!(steps[1]["calls"][0], format!("cloudwatch:DeleteAlarms {NEW}"));
    assert_eq!((made(&world).len(), world.control("shop").version), (calls, version));
}

#[tokio::test]
async fn without_anything_stated_there_is_nothing_to_set_up() {
    let mut bare = plan();
    bare["setup"] = json!([]);
    let world = shop_of(76, bare).await;
    let answer = ask(&world, "setup").await;
    assert_eq!(answer["ok"], false);
    assert!(answer["error"].as_str().unwrap().contains("setup_stated"), "{answer:#}");
    assert!(ended(&world).is_empty());
}

#[tokio::test]
async fn an_item_that_names_another_resource_now_needs_a_teardown_or_another_name() {
    let world = shop(77).await;
    done(&world, "setup").await;
    let mut other = plan();
    other["setup"][0]["target_group_arn"] = json!(GREEN_GROUP);
    world.put_plan(other).await;
    let answer = ask(&world, "setup").await;
    let error = answer["error"].as_str().unwrap();
    assert!(
        error.contains("setup_known") && error.contains("blue-check"),
        "{answer:#}"
    );
    assert!(is_set_up(&world));
}

#[tokio::test]
async fn a_setup_away_from_home_leaves_the_plan_away() {
    let world = shop(78).await;
    world.command(failover("shop")).await;
    assert!(world.settle(12).await);
    let away = world.control("shop").away.unwrap();
    let execution = done(&world, "setup").await;
    assert_eq!((execution.from.as_str(), execution.to.as_str()), ("green", "green"));
    let control = world.control("shop");
    assert_eq!((control.active_site.as_str(), control.away), ("green", Some(away)));
}

#[tokio::test]
async fn an_alarm_that_the_setup_makes_is_not_missing_before() {
    let mut bound = plan();
    bound["alarms"] = json!([{"alarm_name": NEW, "site": "blue"}]);
    let world = shop_of(79, bound.clone()).await;
    let validate = |plan: &Value| json!({"command": "validate", "plan": plan});
    assert_eq!(world.command(validate(&bound)).await["ok"], true);
    bound["setup"] = json!([]);
    let answer = world.command(validate(&bound)).await;
    assert_eq!(answer["problems"][0]["path"], "alarms[0].alarm_name", "{answer:#}");
}

#[tokio::test]
async fn what_the_setup_names_and_is_not_there_is_found_by_validate() {
    let mut wrong = plan();
    wrong["setup"][0]["target_group_arn"] = json!(GREEN_GROUP);
    let world = shop_of(80, plan()).await;
    let answer = world.command(json!({"command": "validate", "plan": wrong})).await;
    assert_eq!(answer["problems"][0]["path"], "setup[0]", "{answer:#}");
}

#[tokio::test]
async fn a_setup_leaves_the_answer_to_a_proposal_as_it_was() {
    let mut approved = plan();
    approved["policy"]["mode"] = json!("approve");
    let world = shop_of(88, approved).await;
    world.cloud.answer(
        understudy_testkit::world_plan::BLUE_HOST,
        understudy_core::health::Health::Unhealthy,
        "HTTP 500",
    );
    assert!(
        world
            .run_until(30, |world| world.control("shop").proposal.is_some())
            .await
    );
    let reject = json!({"command": "reject", "plan": "shop", "operator": "mia", "reason": "we know"});
    assert_eq!(world.command(reject).await["ok"], true);
    let before = world.control("shop").proposal;
    assert_eq!(done(&world, "setup").await.status, Status::Completed);
    assert_eq!(world.control("shop").proposal, before);
}

#[tokio::test]
async fn without_a_topic_of_the_plan_an_alarm_tells_that_of_the_stack_if_it_can_reach_it() {
    for (region, told) in [("eu-west-1", vec![TOPIC.to_owned()]), ("us-east-1", vec![])] {
        let mut plan = plan();
        plan["topic_arn"] = Value::Null;
        plan["setup"][1]["region"] = json!(region);
        let world = shop_of(89, plan).await;
        world.cloud.put_stack(Stack {
            topic_arn: Some(TOPIC.to_owned()),
            ..Stack::default()
        });
        assert_eq!(done(&world, "setup").await.status, Status::Completed);
        assert_eq!(
            world.cloud.definition_of(NEW).unwrap().0.alarm_actions,
            told,
            "{region}"
        );
    }
}

#[tokio::test]
async fn what_an_earlier_item_makes_counts_as_made_in_a_dry_run_and_nowhere_else() {
    let policy = json!({"kind": "asg_scaling_policy", "name": "more", "auto_scaling_group_name": "web",
                        "policy_name": "failover", "adjustment": 2});
    let mut scaling = plan();
    scaling["setup"][1]["scaling_policy"] = json!({"auto_scaling_group_name": "web", "policy_name": "failover"});
    let mut made_before = scaling.clone();
    made_before["setup"].as_array_mut().unwrap().insert(0, policy);
    for (plan, is_made) in [(made_before, true), (scaling, false)] {
        let world = shop_of(90, plan).await;
        let dry = json!({"command": "setup", "plan": "shop", "operator": "mia", "reason": "r", "dry_run": true});
        let answer = world.command(dry).await;
        let steps = answer["steps"].as_array().unwrap();
        let alarm = steps.iter().find(|step| step["name"] == "unhealthy").unwrap();
        if is_made {
            let call = alarm["calls"][0].as_str().unwrap();
            assert!(call.contains("the ARN of policy failover of web"), "{answer:#}");
            let execution = done(&world, "setup").await;
            assert_eq!(execution.status, Status::Completed, "{execution:#?}");
            let actions = world.cloud.definition_of(NEW).unwrap().0.alarm_actions;
            assert_eq!(actions, [TOPIC.to_owned(), FakeCloud::policy_arn_of("web", "failover")]);
        } else {
            assert_eq!(alarm["would"], "fail here", "{answer:#}");
        }
    }
}

#[tokio::test]
async fn a_dry_run_shows_field_by_field_what_no_sentence_says() {
    let mut quiet = plan();
    quiet["setup"][1]["description"] = json!("before");
    let world = shop_of(91, quiet.clone()).await;
    done(&world, "setup").await;
    quiet["setup"][1]["description"] = json!("after");
    quiet["setup"][1]["treat_missing_data"] = json!("breaching");
    world.put_plan(quiet).await;
    let dry = json!({"command": "setup", "plan": "shop", "operator": "mia", "reason": "r", "dry_run": true});
    let answer = world.command(dry).await;
    assert_eq!(
        answer["steps"][1]["differences"],
        json!([
            "description: before → after",
            "treat_missing_data: missing → breaching",
            "all else stays as it is"
        ]),
        "{answer:#}"
    );
    let call = answer["steps"][1]["calls"][0].as_str().unwrap();
    for sent in [
        "AlarmDescription=\"after\"",
        "TreatMissingData=breaching",
        TOPIC,
        "LoadBalancer=app/shop",
    ] {
        assert!(call.contains(sent), "{sent}: {call}");
    }
}

#[tokio::test]
async fn a_dry_run_warns_of_an_alarm_that_could_not_fire() {
    let world = shop_of(93, plan()).await;
    let dry = json!({"command": "setup", "plan": "shop", "operator": "mia", "reason": "r", "dry_run": true});
    let warnings = async |item: usize| {
        let answer = world.command(dry.clone()).await;
        let warnings = answer["steps"][item]["warnings"].clone();
        if warnings.is_null() {
            String::new()
        } else {
            warnings.to_string()
        }
    };
    let found = warnings(1).await;
    assert!(found.contains("has had no value in two weeks"), "{found}");
    assert!(
        found.contains("there is no target group targetgroup/blue/0123456789abcdef"),
        "{found}"
    );

    let balanced = |balancer: &str| Balanced {
        target_group_arn: BLUE_GROUP.to_owned(),
        load_balancer_arns: vec![format!(
            "arn:aws:elasticloadbalancing:eu-west-1:000000000000:loadbalancer/{balancer}"
        )],
    };
    world.cloud.put_balanced("blue", balanced("app/other/0123456789abcdef"));
    let dimensions = [
        ("TargetGroup", "targetgroup/blue/0123456789abcdef"),
        ("LoadBalancer", "app/shop/0123456789abcdef"),
    ];
    world.cloud.put_metric("UnHealthyHostCount", &dimensions, 0.0);
    let found = warnings(1).await;
    assert!(!found.contains("no value"), "{found}");
    assert!(found.contains("app/other/0123456789abcdef does"), "{found}");

    world.cloud.put_balanced("blue", balanced("app/shop/0123456789abcdef"));
    assert_eq!(warnings(1).await, "");
    // It has one dimension, and no target group to belong to.
    let found = warnings(2).await;
    assert!(found.contains("no value") && !found.contains("target group"), "{found}");
}
