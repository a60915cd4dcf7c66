//! Events as they come on a bad day: several times each, in any order, and a day late.
//!
//! Each is on record afterwards. In foul weather the decision function may fail at one to the last try: then the event lies
//! in the queue of dead letters, and that is on record too.

use super::alarms::{COPIES, alarmed_plan, expect_one_move};
use super::{CHANGES, NO_GATE, effective, forget, go_home, plan_named, put, status};
use aws_sdk_cloudwatch::types::{ComparisonOperator, StandardUnit, Statistic};
use aws_sdk_sqs::types::QueueAttributeName;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use understudy_engine::ports::Random;
use understudy_testkit::clock::SeededRandom;
use understudy_tests::local_cloud::alarm::{AlarmChange, alarm_state_change_event};
use understudy_tests::story::{Stage, Weather};
use understudy_tests::world::ALARM;

/// A second alarm about the same site.
const SECOND_ALARM: &str = "shop-blue-slow";

/// For so long no record may change before the events count as judged.
const QUIET: Duration = Duration::from_secs(2);

/// Of the order in which the events come: one in fair weather, another in foul.
const SEED: u64 = 20_261_121;

/// A day late: the event of a state that the alarm is really in, so that its age is all that speaks against it.
pub async fn an_event_of_yesterday_is_recorded_and_moves_nothing(stage: &Stage) {
    let plan = plan_named(stage, "yesterday", &[NO_GATE]);
    put(stage, &plan).await;
    let (mark, dead) = (stage.cloud.proxy().mark(), dead_letters(stage).await);
    let fresh = stage
        .cloud
        .change_alarm(ALARM, "ALARM", "healthy hosts below 1")
        .await
        .expect("the alarm goes off");
    let alarm = stage.cloud.alarm(ALARM).await.expect("the alarm");
    let yesterday = Timestamp::now() - SignedDuration::from_hours(24);
    let late = alarm_state_change_event(
        &alarm,
        &AlarmChange {
            state: "ALARM".to_owned(),
            previous_state: "OK".to_owned(),
            reason: "healthy hosts below 1".to_owned(),
            changed_at: yesterday,
            previous_changed_at: yesterday - SignedDuration::from_hours(1),
        },
    );
    for _ in 0..COPIES {
        stage
            .cloud
            .deliver_event(&stage.deployment, &late)
            .await
            .expect("the rule knows no age");
    }
    let all_told = |records: &[Value], lost| told(records) + lost >= COPIES;
    let records = records_of_alarms(stage, "yesterday", dead, all_told).await;
    for record in &records {
        assert_eq!(stops(record), ["event_fresh"], "{record:#}");
        assert!(record["execution"].is_null(), "{record:#}");
    }
    // Of today, the same event is taken; this plan has its alarm's word for a hint, and its sites are not unhealthy.
    for _ in 0..COPIES {
        stage
            .cloud
            .deliver_event(&stage.deployment, &fresh)
            .await
            .expect("a delivery");
    }
    let of_today = |record: &Value| !stops(record).contains(&"event_fresh");
    records_of_alarms(stage, "yesterday", dead, |records, _| records.iter().any(of_today)).await;

    let now = status(stage, "yesterday").await;
    assert_eq!(now["active_site"], "blue", "{now:#}");
    assert!(now["execution"].is_null() && now["last_execution"].is_null(), "{now:#}");
    for operation in CHANGES {
        assert_eq!(effective(stage, mark, operation), 0, "{operation}");
    }
    stage
        .cloud
        .change_alarm(ALARM, "OK", "healthy hosts again")
        .await
        .expect("the alarm is over");
    forget(stage, "yesterday").await;
}

/// Two alarms go off, are over, and go off again: six events, five copies each, in an order that nobody meant.
pub async fn copies_in_any_order_move_the_plan_once(stage: &Stage) {
    create_second_alarm(stage).await;
    let both_sufficient = format!(
        "    site: blue\n    evidence: sufficient\n  - alarm_name: {SECOND_ALARM}\n    site: blue\n    evidence: sufficient\n\nsteps:"
    );
    alarmed_plan(stage, "shuffled", ("    site: blue\n\nsteps:", &both_sufficient)).await;
    let (mark, dead) = (stage.cloud.proxy().mark(), dead_letters(stage).await);
    let mut events = Vec::new();
    for state in ["ALARM", "OK", "ALARM"] {
        for alarm in [ALARM, SECOND_ALARM] {
            let event = stage.cloud.change_alarm(alarm, state, "a flapping site").await;
            events.extend(std::iter::repeat_n(event.expect("an event"), COPIES));
        }
    }
    let random = SeededRandom::new(SEED + u64::from(stage.weather == Weather::Foul));
    events.sort_by_cached_key(|_| random.bytes());
    for event in &events {
        stage
            .cloud
            .deliver_event(&stage.deployment, event)
            .await
            .expect("a delivery");
    }
    // Whatever each came to is on record, and everything that they were to cause has been caused.
    let all_told = |records: &[Value], lost| told(records) + lost >= events.len();
    let records = records_of_alarms(stage, "shuffled", dead, all_told).await;
    if stage.weather == Weather::Fair {
        assert_eq!(told(&records), events.len(), "each is accounted for once: {records:#?}");
    }
    let started = records.iter().filter(|record| !record["execution"].is_null()).count();
    assert!(started <= 1, "{started} events started a move: {records:#?}");
    expect_one_move(stage, "shuffled").await;
    for operation in CHANGES {
        assert_eq!(
            effective(stage, mark, operation),
            1,
            "{} events had more than one effect: {operation}",
            events.len()
        );
    }
    for alarm in [ALARM, SECOND_ALARM] {
        let over = stage.cloud.change_alarm(alarm, "OK", "over").await;
        over.expect("the alarm is over");
    }
    go_home(stage, "shuffled").await;
}

// The guards that stopped what a record tells of.
fn stops(record: &Value) -> Vec<&str> {
    let verdicts = record["verdicts"].as_array().into_iter().flatten();
    verdicts
        .filter(|verdict| verdict["allows"] == false)
        .filter_map(|verdict| verdict["guard"].as_str())
        .collect()
}

// How many alarm events records account for: the same refusal again counts up its record. In foul weather one whose
// invocation failed behind its record is delivered again, and counted again.
fn told(records: &[Value]) -> usize {
    let counts = records.iter().filter_map(|record| record["count"].as_u64());
    usize::try_from(counts.sum::<u64>()).unwrap_or(usize::MAX)
}

// The plan's records of alarm events, once there are enough of them (and of dead letters, beyond the `dead` that there were)
// and for some seconds no more have come.
async fn records_of_alarms(
    stage: &Stage,
    plan: &str,
    dead: usize,
    enough: impl Fn(&[Value], usize) -> bool,
) -> Vec<Value> {
    let begun = Instant::now();
    let mut last = Vec::new();
    loop {
        let asked = json!({"command": "history", "plan": plan, "limit": 50});
        let history = stage.command(asked).await.expect("a history");
        let mut records = history["decisions"].as_array().cloned().unwrap_or_default();
        records.retain(|record| record["trigger"]["kind"] == "alarm");
        let lost = dead_letters(stage).await.saturating_sub(dead);
        if enough(&records, lost) && records == last {
            return records;
        }
        assert!(
            begun.elapsed() < stage.weather.patience(),
            "alarm events are missing from the records, and {lost} lie in the dead letters: {records:#?}"
        );
        last = records;
        tokio::time::sleep(QUIET).await;
    }
}

// How many events and wakes the decision function could not handle to the last try.
async fn dead_letters(stage: &Stage) -> usize {
    let queue = stage.deployment.output("DecisionDeadLettersUrl").expect("a queue");
    let name = QueueAttributeName::ApproximateNumberOfMessages;
    let call = stage.cloud.clients().sqs.get_queue_attributes().queue_url(queue);
    let found = call.attribute_names(name.clone()).send().await.expect("the queue");
    let count = found.attributes().and_then(|attributes| attributes.get(&name));
    count.and_then(|count| count.parse().ok()).expect("a number")
}

async fn create_second_alarm(stage: &Stage) {
    stage
        .cloud
        .clients()
        .cloudwatch
        .put_metric_alarm()
        .alarm_name(SECOND_ALARM)
        .alarm_description("The blue target group answers slowly")
        .namespace("AWS/ApplicationELB")
        .metric_name("TargetResponseTime")
        .statistic(Statistic::Average)
        .unit(StandardUnit::Seconds)
        .period(60)
        .evaluation_periods(1)
        .threshold(2.0)
        .comparison_operator(ComparisonOperator::GreaterThanThreshold)
        .send()
        .await
        .expect("a second alarm");
}
