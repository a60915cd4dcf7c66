//! Whatever comes in, reading answers; and what it accepts survives being written and read again.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod plan_support;

use plan_support::{group, plan};
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use std::sync::LazyLock;
use understudy_core::plan::{json_schema, parse, parse_text};

static PUBLISHED: LazyLock<jsonschema::Validator> =
    LazyLock::new(|| jsonschema::validator_for(&json_schema()).expect("a valid schema"));

/// Keys and words of the format among arbitrary ones, so that values get past the first check.
fn word() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => prop::sample::select(vec![
            "schema_version", "name", "region", "sites", "probes", "alarms", "steps", "policy", "priority", "kind", "site",
            "host", "endpoint", "ec2", "elb_weights", "dns_records", "wait_healthy", "records", "type", "values", "alias",
            "target_groups", "weights", "mode", "unhealthy_when", "at_least", "failback", "blue", "green", "A", "CNAME",
        ]).prop_map(str::to_owned),
        1 => any::<String>(),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        (0..400u32).prop_map(Value::from),
        word().prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 96, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((word(), inner), 0..8)
                .prop_map(|fields| Value::Object(fields.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// Every place of a value, as JSON pointers.
fn places(value: &Value, here: &str, found: &mut Vec<String>) {
    found.push(here.to_owned());
    match value {
        Value::Array(items) => {
            items
                .iter()
                .enumerate()
                .for_each(|(index, item)| places(item, &format!("{here}/{index}"), found));
        }
        Value::Object(fields) => fields
            .iter()
            .for_each(|(name, field)| places(field, &format!("{here}/{name}"), found)),
        _ => {}
    }
}

prop_compose! {
    /// A valid plan with a few sites and some of everything.
    fn valid()(
        count in 2usize..6,
        probes in prop::collection::vec((0usize..9, 1u32..20, 1u32..20, prop::option::of(60u32..600)), 0..12),
        weight in 1u32..1000,
        ttl in 1u32..61,
        weighted: bool,
        at_least in prop::option::of(1u32..2),
        automatic_failback: bool,
        capacity in 1u32..101,
        description in prop::option::of("[a-zA-Z0-9 äöü:#'\"-]{0,40}"),
    ) -> Value {
        let name = |index: usize| format!("site-{index}");
        let mut all: Vec<Value> = (0..count)
            .map(|index| json!({"kind": "endpoint", "name": format!("base-{index}"), "site": name(index), "host": format!("h{index}.example.com")}))
            .collect();
        for (index, (kind, healthy, unhealthy, interval)) in probes.into_iter().enumerate() {
            let mut probe = match kind {
                0 => json!({"kind": "endpoint", "host": "2001:db8::1", "protocol": "tcp", "port": 5432}),
                1 => json!({"kind": "ec2", "instance_id": "i-0123456789abcdef0"}),
                2 => json!({"kind": "target_group", "target_group_arn": group("x"), "minimum_healthy": 2}),
                3 => json!({"kind": "rds_instance", "db_instance_identifier": "orders"}),
                4 => json!({"kind": "rds_cluster", "db_cluster_identifier": "Orders"}),
                5 => json!({"kind": "metric", "namespace": "AWS/RDS", "metric_name": "CPUUtilization", "statistic": "p99.9",
                    "dimensions": {"DBInstanceIdentifier": "orders"}, "period_seconds": 300, "comparison": "greater_than_or_equal",
                    "threshold": 97.5}),
                6 => json!({"kind": "metric", "expression": "errors / 2", "comparison": "less_than", "threshold": 3, "missing": "healthy",
                    "metrics": {"errors": {"namespace": "Shop", "metric_name": "Errors", "statistic": "sum"}}}),
                7 => json!({"kind": "dns_health_check", "health_check_id": "0123abcd-45ef-6789-abcd-0123456789ab"}),
                _ => json!({"kind": "alarm", "alarm_name": "down"}),
            };
            let common = json!({"name": format!("p{index}"), "site": name(index % count), "healthy_threshold": healthy,
                "unhealthy_threshold": unhealthy, "interval_seconds": interval});
            probe.as_object_mut().unwrap().extend(common.as_object().unwrap().clone());
            all.push(probe);
        }
        let groups: Map<String, Value> = (0..count).map(|index| (name(index), group(&name(index)).into())).collect();
        let answers: Map<String, Value> = (0..count).map(|index| {
            let mut site = json!({"values": [format!("192.0.2.{index}")]});
            if weighted {
                site["set_identifier"] = json!(name(index));
                site["weight"] = json!(1 + weight % 255);
            }
            (name(index), site)
        }).collect();
        json!({
            "schema_version": 1, "name": "generated", "region": "eu-west-1", "description": description,
            "sites": (0..count).map(|index| json!({"name": name(index), "priority": 10 - index, "capacity_percent": capacity})).collect::<Vec<_>>(),
            "probes": all,
            "alarms": [{"alarm_name": "a", "site": name(0), "evidence": "sufficient", "region": "us-east-1"}],
            "steps": [
                {"kind": "elb_weights", "name": "traffic", "listener_arn": plan_support::LISTENER, "target_groups": groups, "weights": {name(1): weight}},
                {"kind": "dns_records", "name": "names", "hosted_zone_id": "Z1X", "on_failure": "halt", "records": [
                    {"name": "x.example.com", "type": "A", "ttl_seconds": ttl, "sites": answers}]},
                {"kind": "wait_healthy", "name": "well", "for_seconds": 5, "timeout_seconds": 60},
            ],
            "policy": {
                "unhealthy_when": at_least.map_or(json!("any"), |least| json!({"at_least": least})),
                "failback": {"mode": if automatic_failback { "automatic" } else { "manual" }},
            },
        })
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_text_is_answered(text in any::<String>()) {
        let _ = parse_text(&text);
    }

    #[test]
    fn arbitrary_yaml_is_answered(text in "[a-z0-9:&*!|>{}\\[\\],'\"#%@<\n -]{0,200}") {
        let _ = parse_text(&text);
    }

    #[test]
    fn arbitrary_values_are_answered(value in value()) {
        let error = parse(value).expect_err("no such value is a plan");
        prop_assert!(!error.problems().is_empty());
        prop_assert!(!error.to_string().is_empty());
    }

    /// A valid plan with one place replaced: what the published schema refuses is refused, and whatever is refused
    /// is refused with words, never by the last resort of the reader.
    #[test]
    fn a_plan_with_one_place_replaced_is_answered(place in any::<prop::sample::Index>(), value in value()) {
        let mut broken = plan();
        let mut found = Vec::new();
        places(&broken, "", &mut found);
        *broken.pointer_mut(&found[place.index(found.len())]).unwrap() = value;
        let fits = PUBLISHED.is_valid(&broken);
        match parse(broken) {
            Ok(_) => prop_assert!(fits, "accepted against the published schema"),
            Err(error) => {
                let text = error.to_string();
                prop_assert!(!text.contains("can not be read as a plan:") && !text.contains("schema is broken"), "{}", text);
            }
        }
    }

    #[test]
    fn a_valid_plan_survives_writing_and_reading(value in valid()) {
        let plan = parse(value).map_err(|error| TestCaseError::fail(error.to_string()))?;
        let written = serde_json::to_value(&plan).unwrap();
        prop_assert_eq!(&parse(written).unwrap(), &plan);
        prop_assert_eq!(&parse_text(&serde_json::to_string_pretty(&plan).unwrap()).unwrap(), &plan);
    }
}
