//! Metrics and health checks: what is new enough counts, five hundred share a call, and silence moves nothing.

use super::support::{calls, health, seen, world_with};
use serde_json::{Value, json};
use understudy_core::health::Health;
use understudy_engine::ports::{CallErrorKind, Clock};
use understudy_testkit::cloud::MetricCall;
use understudy_testkit::faults::Fault;
use understudy_testkit::world::World;

const CHECK: &str = "0123abcd-45ef-6789-abcd-0123456789ab";

fn probe(name: &str, more: Value) -> Value {
    let mut probe = json!({
        "kind": "metric", "name": name, "namespace": "Shop", "metric_name": name, "statistic": "sum",
        "comparison": "greater_than", "threshold": 5,
    });
    let more = more.as_object().unwrap();
    probe.as_object_mut().unwrap().extend(more.clone());
    probe
}

fn math(name: &str, expression: &str) -> Value {
    json!({
        "kind": "metric", "name": name, "expression": expression, "comparison": "greater_than", "threshold": 5,
        "metrics": {"a": {"namespace": "Shop", "metric_name": "A", "statistic": "sum"}},
    })
}

fn health_check() -> Value {
    json!({"kind": "dns_health_check", "name": "world", "health_check_id": CHECK})
}

/// The state of the health check is so in this minute.
fn say(world: &World, state: f64) {
    world
        .cloud
        .put_metric("HealthCheckStatus", &[("HealthCheckId", CHECK)], state);
}

/// To the beginning of the next minute, and a little further.
fn next_minute(world: &World) {
    let second = world.clock.now().as_second().rem_euclid(60);
    world.advance(60 - second + 1);
}

#[tokio::test]
async fn the_newest_complete_minute_is_judged() {
    let world = world_with(vec![probe("errors", json!({}))]).await;
    // Ten in two halves: each half would be well.
    world.cloud.put_metric("errors", &[], 4.0);
    world.cloud.put_metric("errors", &[], 6.0);
    world.observe().await;
    assert_eq!(health(&world, "errors"), Health::Unknown, "the minute is not over");
    next_minute(&world);
    // The minute that goes on is not looked at, whatever is in it.
    world.cloud.put_metric("errors", &[], 0.0);
    world.observe().await;
    assert_eq!(health(&world, "errors"), Health::Unhealthy, "{:#?}", seen(&world));
    next_minute(&world);
    world.observe().await;
    assert_eq!(health(&world, "errors"), Health::Healthy, "{:#?}", seen(&world));
}

#[tokio::test]
async fn what_is_too_old_and_what_is_no_number_are_unknown_unless_the_plan_says_otherwise() {
    let world = world_with(vec![
        probe("stale", json!({})),
        probe("heartbeat", json!({"missing": "unhealthy", "comparison": "less_than"})),
        probe("failures", json!({"missing": "healthy"})),
        probe("nan", json!({})),
    ])
    .await;
    for (name, value) in [("stale", 0.0), ("heartbeat", 9.0), ("nan", f64::NAN)] {
        world.cloud.put_metric(name, &[], value);
    }
    next_minute(&world);
    world.observe().await;
    for (name, expected) in [
        ("stale", Health::Healthy),
        ("heartbeat", Health::Healthy),
        ("failures", Health::Healthy),
        ("nan", Health::Unknown),
    ] {
        assert_eq!(health(&world, name), expected, "{name}");
    }
    next_minute(&world);
    next_minute(&world);
    world.observe().await;
    assert_eq!(
        health(&world, "stale"),
        Health::Healthy,
        "the third minute back still counts"
    );
    next_minute(&world);
    world.observe().await;
    assert_eq!(health(&world, "stale"), Health::Unknown);
    assert_eq!(health(&world, "heartbeat"), Health::Unhealthy);
    assert_eq!(health(&world, "failures"), Health::Healthy);
}

#[tokio::test]
async fn a_health_check_is_read_from_its_metric_where_all_of_them_are() {
    let mut elsewhere = probe("errors", json!({"region": "us-east-1"}));
    elsewhere["threshold"] = json!(0);
    let world = world_with(vec![health_check(), elsewhere]).await;
    say(&world, 1.0);
    world.cloud.put_metric("errors", &[], 1.0);
    next_minute(&world);
    world.observe().await;
    assert_eq!(health(&world, "world"), Health::Healthy);
    assert_eq!(health(&world, "errors"), Health::Unhealthy);
    let together = MetricCall {
        region: Some("us-east-1".into()),
        queries: 2,
    };
    assert_eq!(world.cloud.metric_calls(), [together], "one call for both");
    // One checker's word in a minute is enough to doubt it: the least of the minute counts.
    say(&world, 1.0);
    say(&world, 0.0);
    next_minute(&world);
    world.observe().await;
    assert_eq!(health(&world, "world"), Health::Unhealthy);
    for _ in 0..6 {
        next_minute(&world);
    }
    world.observe().await;
    assert_eq!(health(&world, "world"), Health::Unknown, "silence is not failure");
}

#[tokio::test]
async fn cloudwatch_away_is_unknown_whatever_the_plan_calls_silence() {
    for missing in ["unknown", "unhealthy", "healthy"] {
        let world = world_with(vec![
            probe("errors", json!({"missing": missing})),
            probe("other", json!({})),
        ])
        .await;
        world.cloud.put_metric("other", &[], 9.0);
        next_minute(&world);
        let fault = Fault::Before(CallErrorKind::Retryable);
        world.cloud.faults.always("metrics.newest", fault);
        world.observe().await;
        assert_eq!(health(&world, "errors"), Health::Unknown, "{missing}");
        world.cloud.faults.clear();
        // Of one alone it can not say: that is not silence either.
        world.cloud.hide_metric("errors");
        next_minute(&world);
        world.observe().await;
        assert_eq!(health(&world, "errors"), Health::Unknown, "{missing}");
        assert_eq!(health(&world, "other"), Health::Unhealthy, "{missing}");
    }
}

/// An expression over twenty metrics, told from others by its last number.
fn over_twenty(number: usize) -> (Value, String) {
    let names: Vec<String> = (0..20).map(|number| format!("m{number}")).collect();
    let expression = format!("{} + {number}", names.join("+"));
    let one = json!({"namespace": "S", "metric_name": "A", "statistic": "sum"});
    let mut probe = math(&format!("e-{number}"), &expression);
    probe["metrics"] = names.into_iter().map(|name| (name, one.clone())).collect();
    (probe, expression)
}

#[tokio::test]
async fn five_hundred_queries_are_one_call_and_an_expression_counts_with_its_metrics() {
    // 23 times 21 and 17 are 500.
    for (plain, expected) in [(17, vec![500]), (18, vec![500, 1])] {
        let (mut probes, expressions): (Vec<Value>, Vec<String>) = (0..23).map(over_twenty).unzip();
        let names: Vec<String> = (0..plain).map(|number| format!("p-{number}")).collect();
        probes.extend(names.iter().map(|name| probe(name, json!({}))));
        let count = probes.len();
        let world = world_with(probes).await;
        for name in names.iter().chain(&expressions) {
            world.cloud.put_metric(name, &[], 9.0);
        }
        next_minute(&world);
        world.observe().await;
        let found = seen(&world);
        assert_eq!(found.len(), count);
        assert!(found.iter().all(|seen| seen.health == Health::Unhealthy), "{found:#?}");
        let mut sizes: Vec<usize> = world.cloud.metric_calls().iter().map(|call| call.queries).collect();
        // Which of them is the first to arrive is nobody's business.
        sizes.sort_by(|one, other| other.cmp(one));
        assert_eq!(sizes, expected);
        assert_eq!(calls(&world, "metrics.newest"), expected.len());
    }
}

#[tokio::test]
async fn what_two_probes_ask_alike_is_asked_once_and_each_judges_it() {
    let strict = probe("a", json!({"metric_name": "errors", "threshold": 1}));
    let mild = probe("b", json!({"metric_name": "errors", "threshold": 9}));
    let other_period = probe("c", json!({"metric_name": "errors", "period_seconds": 300}));
    let world = world_with(vec![strict, mild, other_period]).await;
    world.cloud.put_metric("errors", &[], 5.0);
    next_minute(&world);
    world.observe().await;
    assert_eq!(health(&world, "a"), Health::Unhealthy);
    assert_eq!(health(&world, "b"), Health::Healthy);
    let sizes: Vec<usize> = world.cloud.metric_calls().iter().map(|call| call.queries).collect();
    assert_eq!(sizes, [1, 1], "one for each length of period");
}

#[tokio::test]
async fn an_expression_that_cloudwatch_refuses_stands_alone() {
    let mut probes: Vec<Value> = (0..20)
        .map(|number| math(&format!("e-{number}"), &format!("a + {number}")))
        .collect();
    probes.push(math("bad", "a +"));
    let world = world_with(probes).await;
    for number in 0..20 {
        world.cloud.put_metric(&format!("a + {number}"), &[], 9.0);
    }
    world.cloud.refuse_expression("a +");
    next_minute(&world);
    world.observe().await;
    for seen in seen(&world) {
        let expected = if seen.probe == "bad" {
            Health::Unknown
        } else {
            Health::Unhealthy
        };
        assert_eq!(seen.health, expected, "{seen:#?}");
    }
}

#[tokio::test]
async fn validate_says_which_metric_has_never_spoken() {
    let world = world_with(vec![
        probe("spoken", json!({})),
        probe("silent", json!({})),
        probe("failures", json!({"missing": "healthy"})),
        math("bad", "a +"),
        health_check(),
    ])
    .await;
    world.cloud.put_metric("spoken", &[], 1.0);
    world.cloud.refuse_expression("a +");
    world.advance(3 * 24 * 3600);
    let answer = world.command(json!({"command": "validate", "plan": "shop"})).await;
    let told = answer.to_string();
    for words in ["sum of silent", "error in expression", "no Route 53 health check"] {
        assert!(told.contains(words), "{words}: {answer:#}");
    }
    for words in ["sum of spoken", "sum of failures"] {
        assert!(!told.contains(words), "{words}: {answer:#}");
    }
}
