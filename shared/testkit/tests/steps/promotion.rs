//! The promotion of a replica: the step that can not be taken back.

use super::assert_none;
use super::databases::instance;
use serde_json::{Value, json};
use understudy_core::execution::{Execution, Status, Style};
use understudy_core::report::EventKind;
use understudy_engine::ports::{CallErrorKind, DatabaseInstance};
use understudy_testkit::cloud::FakeCloud;
use understudy_testkit::faults::Fault;
use understudy_testkit::step_proof::Proof;
use understudy_testkit::world::World;
use understudy_testkit::world_plan::{furnish, sample_plan};

const OPEN: &str = "sg-0123456789abcdef0";
const FENCE: &str = "sg-0fedcba9876543210";

fn promote() -> Value {
    json!({
        "kind": "rds_promote_replica", "name": "promote", "timeout_seconds": 600,
        "instances": {"blue": {"db_instance_identifier": "shop-blue"}, "green": {"db_instance_identifier": "shop-green"}},
    })
}

fn put_pair(cloud: &FakeCloud) {
    cloud.put_db_instance("shop-blue", instance(&[OPEN]));
    let replica_of = Some("shop-blue".to_owned());
    cloud.put_db_instance(
        "shop-green",
        DatabaseInstance {
            replica_of,
            ..instance(&[OPEN])
        },
    );
}

fn proof() -> Proof {
    Proof {
        step: promote(),
        style: Style::Unplanned,
        furnish: put_pair,
        snapshot: |cloud| json!(cloud.db_instance("shop-green").replica_of),
        moved: |cloud| cloud.db_instance("shop-green").replica_of.is_none(),
        reads: &["databases.instance"],
        calls: &["databases.promote"],
        undo_calls: &[],
        disturb: |cloud| cloud.put_db_instance("shop-green", replica_of_other()),
        is_disturbed: |cloud| cloud.db_instance("shop-green").replica_of == replica_of_other().replica_of,
    }
}

fn replica_of_other() -> DatabaseInstance {
    let replica_of = Some("shop-other".to_owned());
    DatabaseInstance {
        replica_of,
        ..instance(&[OPEN])
    }
}

// All that can be asked of what is not undone, and refused where it was done before. An error for good behind the call
// calls a person, as is asked below.
#[tokio::test]
async fn it_works_and_bears_lost_replies_and_somebody_quicker() {
    assert_none(&proof().works().await);
    assert_none(&proof().bears_lost_replies().await);
    assert_none(&proof().leaves_others_alone().await);
}

#[tokio::test]
async fn it_bears_deaths() {
    assert_none(&proof().bears_deaths_going_forward().await);
}

async fn world(steps: &[Value]) -> World {
    let world = World::new(17);
    furnish(&world.cloud);
    put_pair(&world.cloud);
    let mut plan = sample_plan("shop");
    let record = plan["steps"][2].clone();
    plan["steps"] = steps.iter().cloned().chain([record]).collect();
    plan["policy"]["max_duration_seconds"] = json!(7200);
    world.put_plan(plan).await;
    world.run_rounds(6).await;
    world
}

async fn failover(world: &World, style: Style, word: &str) -> Value {
    let mut command =
        json!({"command": "failover", "plan": "shop", "operator": "mia", "reason": "a test", "style": style});
    command[word] = json!(true);
    let answer = world.command(command).await;
    world.deliver().await;
    answer
}

fn running(world: &World) -> Option<Execution> {
    world.table.control("shop").and_then(|control| control.execution)
}

async fn at_rest(world: &World) -> bool {
    let rests = |world: &World| running(world).is_none_or(|execution| execution.status == Status::Stuck);
    world.run_until(200, rests).await
}

#[tokio::test]
async fn without_a_word_it_does_not_begin() {
    let world = world(&[promote()]).await;
    let answer = failover(&world, Style::Unplanned, "force").await;
    assert_eq!(answer["ok"], json!(false), "{answer}");
    let said = answer.to_string();
    assert!(
        said.contains("data_loss_allowed") && said.contains("irreversible_allowed"),
        "{said}"
    );
    assert_eq!(world.cloud.changes().len(), 0);
}

#[tokio::test]
async fn what_fails_after_it_calls_a_person_and_leaves_the_traffic_with_its_data() {
    let world = world(&[promote()]).await;
    world
        .cloud
        .faults
        .always("dns.change_records", Fault::Before(CallErrorKind::Refused));
    failover(&world, Style::Unplanned, "accept_data_loss").await;
    assert!(at_rest(&world).await);
    let stuck = running(&world).expect("a stuck execution");
    let told = world.cloud.published();
    let started = &told
        .iter()
        .find(|told| told.announcement.subject.contains("started"))
        .expect("a start")
        .announcement;
    assert!(
        started.text.contains("Can not be taken back: promote"),
        "{}",
        started.text
    );
    assert!(
        started.text.contains("Data that may be lost: nobody knows"),
        "{}",
        started.text
    );
    assert_eq!(stuck.status, Status::Stuck);
    let why = stuck.failure.unwrap_or_default();
    assert!(why.contains("Step promote can not be taken back"), "{why}");
    assert_eq!(world.cloud.db_instance("shop-green").replica_of, None);

    // The person mends what failed, and it goes on from there.
    world.cloud.faults.clear();
    let resolve =
        json!({"command": "resolve", "plan": "shop", "operator": "mia", "reason": "mended", "action": "retry"});
    let answer = world.command(resolve).await;
    assert_eq!(answer["ok"], json!(true), "{answer}");
    world.deliver().await;
    assert!(at_rest(&world).await);
    assert_eq!(
        world
            .table
            .control("shop")
            .map(|control| control.active_site)
            .as_deref(),
        Some("green")
    );
}

#[tokio::test]
async fn a_person_who_insists_gets_everything_undone_but_the_promotion() {
    let world = world(&[promote()]).await;
    world
        .cloud
        .faults
        .always("dns.change_records", Fault::Before(CallErrorKind::Refused));
    failover(&world, Style::Unplanned, "accept_data_loss").await;
    assert!(at_rest(&world).await);
    world.cloud.faults.clear();
    let resolve =
        json!({"command": "resolve", "plan": "shop", "operator": "mia", "reason": "go back", "action": "rollback"});
    world.command(resolve).await;
    world.deliver().await;
    assert!(at_rest(&world).await);
    assert!(running(&world).is_none());
    let history = world.table.peek_all("shop", "execution#");
    let steps = history.last().expect("a history").body["steps"].to_string();
    assert!(steps.contains("left as it is: it can not be taken back"), "{steps}");
    assert_eq!(world.cloud.db_instance("shop-green").replica_of, None);
}

#[tokio::test]
async fn the_way_home_is_refused_until_the_old_side_is_a_replica_of_the_new_one() {
    let mut fence = fence();
    fence["when"] = json!("planned");
    let world = world(&[fence, promote()]).await;
    failover(&world, Style::Unplanned, "accept_data_loss").await;
    assert!(at_rest(&world).await);
    let home = json!({"command": "failback", "plan": "shop", "operator": "mia", "reason": "home", "accept_irreversible": true});

    let dry = world
        .command({
            let mut dry = home.clone();
            dry["dry_run"] = json!(true);
            dry
        })
        .await;
    assert!(
        dry["steps"]
            .to_string()
            .contains("shop-blue is no replica of shop-green"),
        "{dry:#}"
    );
    world.command(home.clone()).await;
    world.deliver().await;
    assert!(at_rest(&world).await);
    assert_eq!(
        world
            .table
            .control("shop")
            .map(|control| control.active_site)
            .as_deref(),
        Some("green")
    );

    let replica_of = Some("arn:aws:rds:eu-west-1:000000000000:db:shop-green".to_owned());
    world.cloud.put_db_instance(
        "shop-blue",
        DatabaseInstance {
            replica_of,
            ..instance(&[OPEN])
        },
    );
    world.command(home).await;
    world.run_rounds(6).await;
    assert_eq!(world.cloud.db_instance("shop-green").security_groups, [FENCE]);
    assert!(
        world.cloud.db_instance("shop-blue").replica_of.is_some(),
        "it waits for what was written"
    );
    let dimensions = [("DBInstanceIdentifier", "shop-blue")];
    world.cloud.put_metric("ReplicaLag", &dimensions, 0.0);
    assert!(at_rest(&world).await);
    assert_eq!(
        world
            .table
            .control("shop")
            .map(|control| control.active_site)
            .as_deref(),
        Some("blue")
    );
    assert_eq!(world.cloud.db_instance("shop-blue").replica_of, None);
}

fn fence() -> Value {
    let database = |site: &str| json!({"db_instance_identifier": format!("shop-{site}"), "security_groups": [OPEN], "fence_group": FENCE});
    json!({"kind": "fence_source", "name": "fence", "timeout_seconds": 600,
           "databases": {"blue": database("blue"), "green": database("green")}})
}

#[tokio::test]
async fn a_fence_is_skipped_only_by_who_accepts_the_loss_and_then_nobody_waits_for_the_lag() {
    let mut halting = fence();
    halting["on_failure"] = json!("halt");
    let world = world(&[halting, promote()]).await;
    let refused = Fault::Before(CallErrorKind::Refused);
    world.cloud.faults.always("databases.set_security_groups", refused);
    let answer = failover(&world, Style::Planned, "accept_irreversible").await;
    assert_eq!(answer["ok"], json!(true), "{answer}");
    assert!(at_rest(&world).await);
    let mut skip = json!({"command": "skip", "plan": "shop", "operator": "mia", "reason": "no time", "step": "fence"});
    let answer = world.command(skip.clone()).await;
    assert_eq!(answer["ok"], json!(false), "{answer}");
    assert!(answer.to_string().contains("accept_data_loss"), "{answer}");
    skip["accept_data_loss"] = json!(true);
    let answer = world.command(skip).await;
    assert_eq!(answer["ok"], json!(true), "{answer}");
    assert!(answer["verdicts"].to_string().contains("data_loss_allowed"), "{answer}");
    assert!(answer["summary"].to_string().contains("data may be lost"), "{answer}");
    world.deliver().await;
    assert!(at_rest(&world).await);
    let history = world.table.peek_all("shop", "execution#");
    let told = world
        .cloud
        .published()
        .into_iter()
        .next_back()
        .expect("its end was told");
    let told = told.announcement.text;
    assert!(told.contains("Data that may be lost"), "{told}");
    let steps = history.last().expect("a history").body["steps"].to_string();
    assert!(steps.contains("no time (accepting the loss of data)"), "{steps}");
    assert_eq!(world.cloud.db_instance("shop-green").replica_of, None);
}

#[tokio::test]
async fn a_planned_one_behind_a_fence_waits_until_the_replica_has_caught_up() {
    let world = world(&[fence(), promote()]).await;
    world.cloud.put_db_connections("shop-blue", 20);
    let lag = |seconds: f64| {
        let dimensions = [("DBInstanceIdentifier", "shop-green")];
        world.cloud.put_metric("ReplicaLag", &dimensions, seconds);
    };
    lag(0.0);
    let answer = failover(&world, Style::Planned, "accept_irreversible").await;
    assert_eq!(answer["ok"], json!(true), "{answer}");
    world.run_rounds(6).await;
    let promoted = |world: &World| world.cloud.db_instance("shop-green").replica_of.is_none();
    assert_eq!(world.cloud.db_instance("shop-blue").security_groups, [FENCE]);
    assert_eq!(
        world.cloud.db_connections("shop-blue"),
        0,
        "a pool keeps its connections behind new groups"
    );
    assert!(!promoted(&world), "a figure from before the fence says nothing");
    lag(300.0);
    world.run_rounds(6).await;
    assert!(!promoted(&world), "what it has replayed is older than the fence");
    for absurd in [-1.0, f64::NAN, f64::INFINITY, 1e300] {
        lag(absurd);
        world.run_rounds(1).await;
        assert!(!promoted(&world), "a lag of {absurd} says nothing");
    }
    // An idle PostgreSQL source never shows 0: it is enough that something of after the fence has arrived.
    lag(4.0);
    assert!(world.run_until(24, promoted).await);
    assert!(at_rest(&world).await);
    assert_eq!(
        world
            .table
            .control("shop")
            .map(|control| control.active_site)
            .as_deref(),
        Some("green")
    );
}

#[tokio::test]
async fn the_lag_is_remembered_while_the_source_is_well_and_not_when_it_dies() {
    let mut plan = sample_plan("shop");
    plan["steps"] = json!([promote(), plan["steps"][2]]);
    let world = World::new(17);
    furnish(&world.cloud);
    put_pair(&world.cloud);
    world.put_plan(plan).await;
    let lag = |seconds: f64| {
        let dimensions = [("DBInstanceIdentifier", "shop-green")];
        world.cloud.put_metric("ReplicaLag", &dimensions, seconds);
    };
    world.run_rounds(6).await;
    // A minute counts in which blue was well from its beginning.
    world.run_until_a_minute_begins().await;
    lag(4.0);
    world.run_rounds(24).await;
    let remembered = |world: &World| {
        world
            .table
            .peek_all("shop", "lag")
            .last()
            .map(|item| item.body["green"]["seconds"].clone())
    };
    assert_eq!(remembered(&world), Some(json!(4)));

    world.cloud.answer(
        "blue.example.com",
        understudy_core::health::Health::Unhealthy,
        "refused",
    );
    world.run_rounds(12).await;
    lag(0.0);
    world.run_rounds(24).await;
    assert_eq!(remembered(&world), Some(json!(4)), "a dying source flatters");
}

#[tokio::test]
async fn a_cancel_that_came_too_late_is_taken_back_by_trying_on() {
    let gate = json!({"kind": "approval", "name": "sure", "timeout_seconds": 3600});
    let world = world(&[promote(), gate]).await;
    let answer = failover(&world, Style::Unplanned, "accept_data_loss").await;
    assert_eq!(answer["ok"], json!(true), "{answer}");
    let waits = |world: &World| running(world).is_some_and(|running| running.awaits_approval().is_some());
    assert!(world.run_until(48, waits).await, "{:#?}", running(&world));
    let say = async |command: &str, more: &str| {
        let mut asked = json!({"command": command, "plan": "shop", "operator": "mia", "reason": "I looked"});
        if !more.is_empty() {
            asked["action"] = json!(more);
        }
        let answer = world.command(asked).await;
        world.deliver().await;
        assert_eq!(answer["ok"], json!(true), "{command}: {answer}");
    };
    for _ in 0..2 {
        say("cancel", "").await;
        assert!(at_rest(&world).await);
        let stuck = running(&world).expect("it is stuck");
        assert_eq!(stuck.status, Status::Stuck);
        let why = stuck.failure.unwrap_or_default();
        assert!(why.contains("`retry` takes the word back"), "{why}");
        say("resolve", "retry").await;
        assert!(world.run_until(12, waits).await, "{:#?}", running(&world));
    }
    let told = world.cloud.published();
    let stuck = told.iter().filter(|told| told.announcement.event == EventKind::Stuck);
    let mut ids: Vec<&str> = stuck.map(|told| told.announcement.id.as_str()).collect();
    ids.dedup();
    assert_eq!(ids.len(), 2, "each stop is told by an id of its own: {ids:?}");
    say("approve", "").await;
    assert!(at_rest(&world).await);
    let ended = world.control("shop").last_execution.expect("it has ended");
    assert_eq!(ended.status, Status::Completed);
}

#[tokio::test]
async fn a_promotion_that_can_not_be_made_is_found_before_the_source_is_fenced() {
    let world = world(&[fence(), promote()]).await;
    world.cloud.put_db_instance("shop-green", replica_of_other());
    let answer = failover(&world, Style::Planned, "accept_irreversible").await;
    assert_eq!(answer["ok"], json!(true), "{answer}");
    assert!(at_rest(&world).await);
    assert_eq!(world.cloud.changes().len(), 0, "production was left alone");
    let ended = world.control("shop").last_execution.expect("it has ended");
    assert_eq!(ended.status, Status::RolledBack);
    let history = world.table.peek_all("shop", "execution#");
    let failure = history.last().expect("a history").body["failure"].to_string();
    assert!(
        failure.contains("replicates shop-other") && failure.contains("nothing was done"),
        "{failure}"
    );
}

#[tokio::test]
async fn what_a_person_may_mend_meanwhile_is_looked_at_when_its_turn_comes() {
    let gate = json!({"kind": "approval", "name": "rebuilt", "timeout_seconds": 3600});
    let world = world(&[gate, promote()]).await;
    world.cloud.put_db_instance("shop-green", replica_of_other());
    let answer = failover(&world, Style::Unplanned, "accept_data_loss").await;
    assert_eq!(answer["ok"], json!(true), "{answer}");
    let waits = |world: &World| running(world).is_some_and(|running| running.awaits_approval().is_some());
    assert!(world.run_until(48, waits).await, "{:#?}", running(&world));
}
