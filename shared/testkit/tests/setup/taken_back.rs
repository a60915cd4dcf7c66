//! A teardown restores exactly what setup changed, and only that.

use crate::shop::{NEW, OLD, ask, done, ended, is_untouched, made, old_alarm, plan, record, shop};
use serde_json::json;
use understudy_core::execution::{Direction, Kind, Status, StepState};
use understudy_core::state::{AlarmDefinition, Threshold};
use understudy_testkit::cloud::FakeCloud;
use understudy_testkit::world_oracle::violations;
use understudy_testkit::world_plan::BLUE_GROUP;

#[tokio::test]
async fn a_teardown_restores_everything_the_newest_first_and_once() {
    let world = shop(81).await;
    done(&world, "setup").await;
    let calls = made(&world).len();
    let execution = done(&world, "teardown").await;
    assert_eq!(
        (execution.kind, execution.status, execution.direction),
        (Kind::Teardown, Status::Completed, Direction::Back)
    );
    assert!(is_untouched(&world));
    assert_eq!(
        made(&world)[calls..],
        ["definitions.define", "definitions.remove", "traffic.set_health_check"]
    );
    assert!(record(&world).items.is_empty());
    let control = world.control("shop");
    assert_eq!((control.set_up, control.active_site.as_str()), (None, "blue"));
    assert!(control.last_execution.unwrap().summary.contains("3 of 3 steps done"));
    assert_eq!(violations(&world), Vec::<String>::new());

    let again = ask(&world, "teardown").await;
    assert!(
        again["error"].as_str().unwrap().contains("setup_remembered"),
        "{again:#}"
    );
    assert_eq!(ended(&world).len(), 2);
}

#[tokio::test]
async fn what_somebody_else_changed_since_is_left_alone_and_told() {
    let world = shop(82).await;
    done(&world, "setup").await;
    let theirs = AlarmDefinition {
        threshold: Threshold(7.0),
        ..old_alarm()
    };
    world.cloud.put_definition(NEW, Some(theirs.clone()));
    let execution = done(&world, "teardown").await;
    assert_eq!(execution.status, Status::Completed);
    assert_eq!(world.cloud.definition_of(NEW).unwrap().0, theirs);
    let left = execution.steps.iter().find(|run| run.name == "unhealthy").unwrap();
    assert_eq!(left.state, StepState::Undone);
    assert!(left.detail.contains("somebody else"), "{}", left.detail);
    assert!(
        left.detail.contains(&format!("cloudwatch:DeleteAlarms {NEW}")),
        "how to do it by hand: {}",
        left.detail
    );
    assert_eq!(
        world.cloud.definition_of(OLD).unwrap().0,
        old_alarm(),
        "the others are restored"
    );
    assert_eq!(
        world.cloud.health_check_of(BLUE_GROUP),
        Some(FakeCloud::default_health_check())
    );
    let message = world.cloud.published().pop().unwrap().announcement;
    assert!(
        message.text.contains("left as it is: somebody else has changed it"),
        "{}",
        message.text
    );
    assert!(record(&world).items.is_empty());
}

#[tokio::test]
async fn what_is_gone_needs_no_taking_back() {
    let world = shop(83).await;
    done(&world, "setup").await;
    world.cloud.remove_target_group(BLUE_GROUP);
    world.cloud.put_definition(NEW, None);
    let execution = done(&world, "teardown").await;
    assert_eq!(execution.status, Status::Completed);
    assert!(
        execution.steps[0].detail.contains("gone"),
        "{}",
        execution.steps[0].detail
    );
    assert_eq!(world.cloud.definition_of(OLD).unwrap().0, old_alarm());
}

#[tokio::test]
async fn what_the_plan_no_longer_states_is_taken_back_all_the_same() {
    let world = shop(84).await;
    done(&world, "setup").await;
    let mut edited = plan();
    edited["setup"] = json!([]);
    edited["region"] = json!("eu-west-1");
    assert_eq!(world.put_plan(edited).await["ok"], true);
    assert_eq!(done(&world, "teardown").await.status, Status::Completed);
    assert!(is_untouched(&world));
}

#[tokio::test]
async fn a_plan_is_not_deleted_while_something_of_its_setup_stands() {
    let world = shop(85).await;
    done(&world, "setup").await;
    let delete = json!({"command": "delete-plan", "plan": "shop", "operator": "mia", "reason": "no longer needed"});
    let answer = world.command(delete.clone()).await;
    assert!(answer["error"].as_str().unwrap().contains("teardown"), "{answer:#}");
    done(&world, "teardown").await;
    assert_eq!(world.command(delete).await["ok"], true);
    assert!(world.table.peek_all("shop", "setup").is_empty());
}

#[tokio::test]
async fn after_a_teardown_a_setup_begins_anew() {
    let world = shop(86).await;
    for _ in 0..2 {
        assert_eq!(done(&world, "setup").await.status, Status::Completed);
        assert!(crate::shop::is_set_up(&world));
        assert_eq!(done(&world, "teardown").await.status, Status::Completed);
        assert!(is_untouched(&world));
    }
}

#[tokio::test]
async fn a_large_pre_state_is_kept_for_as_long_as_it_may_be_restored() {
    const DAY: i64 = 24 * 3600;
    let world = shop(87).await;
    let large = AlarmDefinition {
        description: Some("d".repeat(1024)),
        ok_actions: (0..5)
            .map(|number| format!("arn:aws:sns:eu-west-1:000000000000:{}{number}", "t".repeat(250)))
            .collect(),
        ..old_alarm()
    };
    world.cloud.put_definition(OLD, Some(large.clone()));
    done(&world, "setup").await;
    assert_eq!(world.table.peek_all("shop", "pre_state#").len(), 1);
    world.advance(401 * DAY);
    for _ in 0..257 {
        world.observe().await;
        world.advance(60);
    }
    assert!(ended(&world).is_empty(), "the history has been pruned");
    assert_eq!(world.table.peek_all("shop", "pre_state#").len(), 1);
    world.run_rounds(6).await;
    assert_eq!(done(&world, "teardown").await.status, Status::Completed);
    assert_eq!(world.cloud.definition_of(OLD).unwrap().0, large);
}

#[tokio::test]
async fn what_setup_made_and_its_tag_no_longer_says_so_is_not_deleted() {
    let world = shop(92).await;
    done(&world, "setup").await;
    world.cloud.untag_definition(NEW);
    let dry = json!({"command": "teardown", "plan": "shop", "operator": "mia", "reason": "r", "dry_run": true});
    let answer = world.command(dry).await;
    let would = answer["steps"][1]["would"].as_str().unwrap();
    assert!(
        would.contains("leave it alone: the tag understudy of the alarm is gone"),
        "{answer:#}"
    );
    let execution = done(&world, "teardown").await;
    assert_eq!(execution.status, Status::Completed);
    assert!(world.cloud.definition_of(NEW).is_some());
    let left = execution.steps.iter().find(|run| run.name == "unhealthy").unwrap();
    assert!(
        left.detail.contains("is gone") && left.detail.contains("DeleteAlarms"),
        "{}",
        left.detail
    );
    // What was there before carries no tag of ours, and is restored.
    assert_eq!(world.cloud.definition_of(OLD).unwrap().0, old_alarm());
}
