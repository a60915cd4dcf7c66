//! Reading plans: strict, complete in what it reports, and unmoved by hostile input.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod plan_support;

use plan_support::{accepted, plan, problems, refused, with};
use serde_json::{Value, json};
use understudy_core::plan::{MAX_PLAN_BYTES, PlanError, parse, parse_text};

fn paths(plan: Value) -> Vec<String> {
    problems(plan).into_iter().map(|problem| problem.path).collect()
}

#[test]
fn all_problems_are_listed_at_once_in_the_order_of_the_format() {
    let mut plan = plan();
    plan["policy"] = json!({"mode": "auto", "failback": {"modus": "manual"}});
    plan["sites"][0]["colour"] = json!("blue");
    plan["probes"][0]["host"] = json!("http://x");
    plan["probes"][1]["site"] = json!("gren");
    plan["steps"][2]["records"][0]["type"] = json!("MX");
    plan["steps"][1]["weights"] = json!({"green": "many"});
    plan["schema_version"] = json!(2);
    plan.as_object_mut().unwrap().remove("name");
    assert_eq!(
        paths(plan),
        [
            "schema_version",
            "name",
            "sites[0].colour",
            "probes[0].host",
            "probes[1].site",
            "steps[1].weights.green",
            "steps[2].records[0].type",
            "policy.failback.modus",
            "policy.mode",
        ]
    );
}

#[test]
fn a_broken_element_causes_no_echo() {
    // The site blue is broken, its name still counts; the probe is broken, its site still has one.
    refused(
        with("/sites/0/priority", json!("first")),
        "sites[0].priority",
        "must be a whole number",
    );
    refused(
        with("/probes/0/port", json!(70000)),
        "probes[0].port",
        "between 1 and 65535",
    );
    refused(
        with("/sites/0/priority", json!(0.5)),
        "sites[0].priority",
        "must be a whole number",
    );
    // A site without a name may be any of them.
    refused(with("/sites/0/name", Value::Null), "sites[0].name", "is missing");
    refused(with("/probes/0/site", Value::Null), "probes[0].site", "is missing");
}

#[test]
fn unknown_fields_are_refused_everywhere() {
    for (pointer, path) in [
        ("", ""),
        ("/sites/0", "sites[0]."),
        ("/probes/0", "probes[0]."),
        ("/alarms/0", "alarms[0]."),
        ("/steps/0", "steps[0]."),
        ("/steps/1", "steps[1]."),
        ("/steps/2", "steps[2]."),
        ("/steps/2/records/0", "steps[2].records[0]."),
        ("/steps/2/records/0/sites/blue", "steps[2].records[0].sites.blue."),
    ] {
        refused(
            with(&format!("{pointer}/surprise"), json!(1)),
            &format!("{path}surprise"),
            "unknown field; known here: ",
        );
    }
    refused(
        with("/probes/0/timeout_second", json!(1)),
        "probes[0].timeout_second",
        "did you mean `timeout_seconds`?",
    );
}

#[test]
fn odd_keys_are_quoted_in_paths() {
    refused(with("/sites/0/a.b", json!(1)), r#"sites[0]["a.b"]"#, "unknown field");
    refused(with("/sites/0/x\ny", json!(1)), r#"sites[0]["x\ny"]"#, "unknown field");
}

#[test]
fn the_kind_selects_what_is_checked() {
    refused(
        with("/probes/0/kind", Value::Null),
        "probes[0].kind",
        "one of alarm, auto_scaling_group, dns_health_check, ec2, endpoint, ",
    );
    refused(
        with("/probes/0/kind", json!("end-point")),
        "probes[0].kind",
        "did you mean `endpoint`?",
    );
    refused(
        with("/steps/0/kind", json!("magic")),
        "steps[0].kind",
        ", ec2_instance, elastic_ip, ",
    );
    refused(
        with("/steps/0/kind", json!(["wait_healthy"])),
        "steps[0].kind",
        "found a list",
    );
    refused(with("/alarms/0", json!(7)), "alarms[0]", "must be a mapping");
    refused(
        with("/steps/0", json!("wait")),
        "steps[0]",
        "must be a mapping with a `kind`",
    );
}

#[test]
fn choices_are_explained() {
    refused(
        with("/policy", json!({"mode": "auto"})),
        "policy.mode",
        "must be one of automatic, approve, observe, manual; found \"auto\"",
    );
    refused(
        with("/policy", json!({"unhealthy_when": "most"})),
        "policy.unhealthy_when",
        "any, all or `at_least: <number>`",
    );
    refused(
        with("/policy", json!({"unhealthy_when": {"at_least": 0}})),
        "policy.unhealthy_when.at_least",
        "between 1 and 2000",
    );
}

#[test]
fn types_are_explained_with_a_hint() {
    refused(
        with("/name", json!(123)),
        "name",
        "must be text; found 123. Put it in quotes",
    );
    refused(
        with("/sites/0/priority", json!("1")),
        "sites[0].priority",
        "Leave out the quotes",
    );
    refused(with("/policy", json!([])), "policy", "must be a mapping; found a list");
    refused(json!([1]), "", "must be a mapping");
}

#[test]
fn a_whole_number_may_be_written_with_a_point() {
    accepted(with("/sites/1/priority", json!(2.0)));
    refused(
        with("/sites/1/priority", json!(1e300)),
        "sites[1].priority",
        "between 1 and 100",
    );
}

#[test]
fn a_long_list_of_problems_is_cut_and_counted() {
    let probes: Vec<Value> = (0..300)
        .map(|index| json!({"kind": "ec2", "name": format!("p{index}"), "site": "red"}))
        .collect();
    let found = problems(with("/probes", json!(probes)));
    assert_eq!(found.len(), 201);
    assert!(found[200].message.contains("more"), "{:?}", found[200]);
}

#[test]
fn the_display_lists_every_problem_on_a_line_of_its_own() {
    let mut plan = plan();
    plan["name"] = json!("Shop");
    plan["sites"][0]["x\ny"] = json!(1);
    let error = parse(plan).unwrap_err();
    let text = error.to_string();
    assert_eq!(text.lines().count(), 2, "{text}");
    assert!(text.starts_with("name: must be a name"), "{text}");
}

#[test]
fn yaml_and_json_read_alike() {
    let yaml = "
schema_version: 1
name: shop
sites:
  - { name: blue, priority: 1 }
  - { name: green, priority: 2 }
policy: { mode: manual }
steps:
  - &step
    kind: elb_weights
    name: traffic
    listener_arn: LISTENER
    target_groups: { blue: BLUE, green: GREEN }
";
    let yaml = yaml.replace("LISTENER", plan_support::LISTENER);
    let yaml = yaml
        .replace("BLUE", &plan_support::group("blue"))
        .replace("GREEN", &plan_support::group("green"));
    let from_yaml = parse_text(&yaml).unwrap_or_else(|error| panic!("{error}"));
    let json = serde_json::to_string_pretty(&from_yaml).unwrap();
    assert_eq!(parse_text(&json).unwrap(), from_yaml);
}

#[test]
fn words_of_yaml_1_1_stay_words() {
    let error = parse_text("name: no").unwrap_err().to_string();
    assert!(!error.contains("Put it in quotes"), "`no` is a word: {error}");
}

#[test]
fn syntax_errors_say_where() {
    for (text, words) in [
        ("a: [1", "line 1"),
        ("name: a\nname: b", "line 2, column 1"),
        (r#"{"name": "a", "name": "b"}"#, "a second time"),
        ("a: 1\n---\nb: 2", "One text is one plan"),
        ("a: !danger 1", "tag"),
    ] {
        let error = parse_text(text).unwrap_err();
        assert!(matches!(error, PlanError::Unreadable { .. }), "{text}: {error}");
        assert!(error.to_string().contains(words), "{text}: {error}");
        assert_eq!(error.problems().len(), 1);
    }
}

#[test]
fn texts_made_to_exhaust_the_reader_are_refused() {
    let mut laughs = String::from("a: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
    for level in 1..12 {
        let ten = vec![format!("*a{}", level - 1); 10].join(",");
        laughs.push_str(&format!("b{level}: &a{level} [{ten}]\n"));
    }
    for text in [
        laughs,
        "[".repeat(50_000),
        "- ".repeat(50_000),
        "{a: ".repeat(20_000),
        "a: &a [*a]".to_owned(),
    ] {
        let error = parse_text(&text).unwrap_err();
        assert!(matches!(error, PlanError::Unreadable { .. }), "{error}");
        assert!(error.to_string().len() < 600);
    }
}

#[test]
fn a_plan_that_is_too_large_is_not_read() {
    let text = format!("x: [{}", "a".repeat(MAX_PLAN_BYTES));
    assert!(matches!(parse_text(&text), Err(PlanError::TooLarge { .. })));
    assert!(matches!(
        parse(json!({"x": "a".repeat(MAX_PLAN_BYTES)})),
        Err(PlanError::TooLarge { .. })
    ));
}

#[test]
fn a_plan_that_is_too_large_with_its_defaults_is_refused() {
    let mut large = plan();
    for index in 0..600 {
        let probe =
            json!({"kind": "endpoint", "name": format!("p{index}"), "site": "blue", "host": "blue.example.com"});
        large["probes"].as_array_mut().unwrap().push(probe);
    }
    assert!(serde_json::to_string(&large).unwrap().len() < MAX_PLAN_BYTES);
    assert!(matches!(parse(large), Err(PlanError::TooLarge { .. })));
}

#[test]
fn a_value_that_nests_too_deep_is_refused() {
    let mut deep = json!(1);
    for _ in 0..100 {
        deep = json!([deep]);
    }
    assert!(matches!(parse(json!({"x": deep})), Err(PlanError::Unreadable { .. })));
}

#[test]
fn long_and_binary_values_are_shortened_in_messages() {
    let found = problems(with("/name", json!("\u{1b}".repeat(10_000))));
    assert!(found[0].message.len() < 1000, "{}", found[0].message.len());
    assert!(!found[0].message.contains('\u{1b}'));
}
