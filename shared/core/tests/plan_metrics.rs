//! Probes of metrics, health checks and clusters: what they are read as, and each rule that refuses them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod plan_support;

use plan_support::{accepted, changed, plan, problems, refused};
use serde_json::{Value, json};
use understudy_core::plan::{Comparison, MetricSeries, Missing, Plan, Probe, parse};

fn metric() -> Value {
    json!({
        "kind": "metric", "name": "load", "site": "blue", "namespace": "AWS/RDS", "metric_name": "CPUUtilization",
        "dimensions": {"DBInstanceIdentifier": "orders"}, "statistic": "average", "comparison": "greater_than",
        "threshold": 95,
    })
}

fn math() -> Value {
    let of = |name: &str| json!({"namespace": "Shop", "metric_name": name, "statistic": "sum", "dimensions": {"Site": "blue"}});
    json!({
        "kind": "metric", "name": "errors", "site": "blue", "expression": "100 * errors / FILL(all, 1)",
        "metrics": {"errors": of("Errors"), "all": of("Requests")}, "comparison": "greater_than_or_equal",
        "threshold": 2.5, "missing": "healthy", "period_seconds": 300, "stale_periods": 2,
    })
}

fn health_check() -> Value {
    json!({
        "kind": "dns_health_check", "name": "world", "site": "blue",
        "health_check_id": "0123abcd-45ef-6789-abcd-0123456789ab",
    })
}

fn cluster() -> Value {
    json!({"kind": "rds_cluster", "name": "orders", "site": "blue", "db_cluster_identifier": "Orders-1"})
}

/// The plan with this probe in the place of its first.
fn with_probe(probe: Value) -> Value {
    changed(plan(), "/probes/0", probe)
}

/// The probe with the value at a pointer replaced, added, or (null) taken out; in a plan.
fn but(probe: Value, pointer: &str, value: Value) -> Value {
    with_probe(changed(probe, pointer, value))
}

fn first(plan: Value) -> (Plan, Probe) {
    let plan = parse(plan).unwrap();
    let probe = plan.probes[0].clone();
    (plan, probe)
}

#[test]
fn they_are_read_with_their_defaults() {
    let (_, Probe::Metric(probe)) = first(with_probe(metric())) else {
        panic!("a metric")
    };
    assert_eq!((probe.period_seconds, probe.stale_periods), (60, 3));
    assert_eq!(
        (probe.missing, probe.comparison),
        (Missing::Unknown, Comparison::GreaterThan)
    );
    let Some(MetricSeries::Metric(metric)) = probe.series() else {
        panic!("one metric")
    };
    assert_eq!(
        (metric.metric_name.as_str(), metric.statistic.as_str()),
        ("CPUUtilization", "average")
    );

    let (_, Probe::Metric(probe)) = first(with_probe(math())) else {
        panic!("a metric")
    };
    let series = probe.series().unwrap();
    assert_eq!((series.queries(), probe.threshold), (3, 2.5));
}

#[test]
fn intervals_are_a_minute_or_half_of_one_by_kind() {
    for (probe, seconds) in [(metric(), 60), (math(), 60), (health_check(), 60), (cluster(), 30)] {
        let (_, read) = first(with_probe(probe.clone()));
        assert_eq!(read.interval_seconds(), seconds, "{probe}");
        let least = format!("at least {seconds}");
        refused(
            but(probe, "/interval_seconds", json!(seconds - 1)),
            "probes[0].interval_seconds",
            &least,
        );
    }
}

#[test]
fn a_health_check_is_asked_where_all_of_them_are_and_the_others_where_the_plan_says() {
    let asked_in = |probe: Value| {
        let (plan, probe) = first(with_probe(probe));
        probe.region(plan.region.as_deref()).map(str::to_owned)
    };
    assert_eq!(asked_in(health_check()).as_deref(), Some("us-east-1"));
    assert_eq!(asked_in(cluster()).as_deref(), Some("eu-west-1"));
    let elsewhere = changed(metric(), "/region", json!("eu-north-1"));
    assert_eq!(asked_in(elsewhere).as_deref(), Some("eu-north-1"));
    accepted(but(health_check(), "/region", json!("us-east-1")));
    refused(
        but(health_check(), "/region", json!("eu-west-1")),
        "probes[0].region",
        "are in us-east-1",
    );
}

#[test]
fn a_resource_belongs_to_the_site_whose_probe_asks_about_it() {
    for (probe, resource) in [
        (health_check(), "0123abcd-45ef-6789-abcd-0123456789ab"),
        (cluster(), "Orders-1"),
    ] {
        let (plan, _) = first(with_probe(probe));
        assert_eq!(plan.sites_owning(resource).into_iter().collect::<Vec<_>>(), ["blue"]);
    }
    let (plan, probe) = first(with_probe(metric()));
    assert_eq!(probe.resource(), None, "a metric is no resource");
    assert!(plan.sites_owning("CPUUtilization").is_empty());
}

#[test]
fn one_metric_needs_all_of_its_name() {
    for field in ["namespace", "metric_name", "statistic"] {
        refused(
            but(metric(), &format!("/{field}"), Value::Null),
            &format!("probes[0].{field}"),
            "is missing",
        );
    }
    for field in ["comparison", "threshold"] {
        refused(
            but(metric(), &format!("/{field}"), Value::Null),
            &format!("probes[0].{field}"),
            "is missing",
        );
    }
    let none = json!({"kind": "metric", "name": "m", "site": "blue", "comparison": "less_than", "threshold": 1});
    assert_eq!(problems(with_probe(none)).len(), 3, "each missing field at once");
}

#[test]
fn one_metric_and_an_expression_are_not_mixed() {
    for (field, value) in [
        ("namespace", json!("AWS/RDS")),
        ("metric_name", json!("x")),
        ("statistic", json!("sum")),
        ("dimensions", json!({"a": "b"})),
    ] {
        refused(
            but(math(), &format!("/{field}"), value),
            &format!("probes[0].{field}"),
            "beside an expression",
        );
    }
    let metrics = math()["metrics"].clone();
    refused(
        but(metric(), "/metrics", metrics),
        "probes[0].metrics",
        "without an expression",
    );
}

#[test]
fn an_expression_and_its_metrics_name_each_other() {
    refused(
        but(math(), "/expression", json!("errors + all + other")),
        "probes[0].expression",
        "names other",
    );
    refused(
        but(math(), "/expression", json!("errors + al + all")),
        "probes[0].expression",
        "did you mean `all`?",
    );
    refused(
        but(math(), "/expression", json!("errors * 2")),
        "probes[0].metrics.all",
        "not used",
    );
    let without = changed(math(), "/metrics", Value::Null);
    let found = problems(with_probe(changed(without, "/expression", json!("1 - 1"))));
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(found[0].path == "probes[0].metrics" && found[0].message.contains("is missing"));
}

#[test]
fn an_expression_makes_one_series_of_its_own_metrics() {
    for (expression, words) in [
        ("SUM(METRICS()) + errors + all", "must not use METRICS"),
        ("SORT(errors, MAX) + all", "must not use SORT"),
        ("SEARCH('{Shop} Errors', 'Sum', 60)", "no quotes"),
        ("errors + all\n", "control characters"),
    ] {
        refused(
            but(math(), "/expression", json!(expression)),
            "probes[0].expression",
            words,
        );
    }
}

#[test]
fn names_of_metrics_begin_small() {
    let mut probe = math();
    let moved = probe["metrics"].as_object_mut().unwrap().remove("all").unwrap();
    probe["metrics"]["All"] = moved;
    probe["expression"] = json!("errors + All");
    refused(
        with_probe(probe),
        "probes[0].metrics.All",
        "beginning with a lower-case letter",
    );
    let mut probe = math();
    let one = probe["metrics"]["all"].clone();
    let names: Vec<String> = (0..21).map(|number| format!("m{number}")).collect();
    probe["metrics"] = names.iter().map(|name| (name.clone(), one.clone())).collect();
    probe["expression"] = json!(names.join("+"));
    refused(with_probe(probe), "probes[0].metrics", "at most 20");
}

#[test]
fn periods_statistics_comparisons_and_silence_are_words_that_are_known() {
    for (field, value, words) in [
        ("period_seconds", json!(90), "multiple of 60"),
        ("period_seconds", json!(30), "between 60 and 86400"),
        ("statistic", json!("median"), "a percentile such as p99"),
        ("statistic", json!("p100"), "a percentile such as p99"),
        ("comparison", json!("greater"), "greater_than, greater_than_or_equal"),
        ("missing", json!("ignore"), "unknown, unhealthy, healthy"),
        ("threshold", json!("95"), "Leave out the quotes"),
        ("stale_periods", json!(0), "between 1 and 60"),
    ] {
        refused(
            but(metric(), &format!("/{field}"), value),
            &format!("probes[0].{field}"),
            words,
        );
    }
}

#[test]
fn dimensions_are_few_and_not_empty() {
    refused(
        but(metric(), "/dimensions/DBInstanceIdentifier", json!("")),
        "probes[0].dimensions.DBInstanceIdentifier",
        "1 to 1024",
    );
    let many: Value = (0..31).map(|number| (format!("d{number}"), json!("x"))).collect();
    refused(but(metric(), "/dimensions", many), "probes[0].dimensions", "at most 30");
    refused(
        but(math(), "/metrics/all/dimensions/Site", json!("a\u{7}b")),
        "probes[0].metrics.all.dimensions.Site",
        "control characters",
    );
}

#[test]
fn ids_look_like_ids() {
    for id in ["0123abcd", "0123ABCD-45ef-6789-abcd-0123456789ab"] {
        refused(
            but(health_check(), "/health_check_id", json!(id)),
            "probes[0].health_check_id",
            "id of a Route 53 health check",
        );
    }
    refused(
        but(
            cluster(),
            "/db_cluster_identifier",
            json!("arn:aws:rds:eu-west-1:1:cluster:x"),
        ),
        "probes[0].db_cluster_identifier",
        "database instance or cluster",
    );
}
