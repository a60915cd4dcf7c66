//! Each rule of meaning refuses what it is there for: at its path, once, and saying why.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod plan_support;

use plan_support::{LISTENER, RULE, accepted, changed, group, plan, refused, with};
use serde_json::{Value, json};

fn green_probe(change: Value) -> Value {
    let mut probe = plan()["probes"][1].clone();
    probe
        .as_object_mut()
        .unwrap()
        .extend(change.as_object().unwrap().clone());
    with("/probes/1", probe)
}

#[test]
fn the_plan_of_these_tests_is_valid() {
    accepted(plan());
}

#[test]
fn names_are_unique() {
    // A site of the same name also leaves the other references dangling, so it is added instead.
    refused(
        with("/sites/-", json!({"name": "blue", "priority": 3})),
        "sites[2].name",
        "sites[0]",
    );
    refused(
        with("/probes/1/name", json!("blue-http")),
        "probes[1].name",
        "probes[0]",
    );
    refused(
        with("/alarms/-", json!({"alarm_name": "blue-5xx", "site": "green"})),
        "alarms[1].alarm_name",
        "alarms[0]",
    );
    refused(with("/steps/2/name", json!("well")), "steps[2].name", "steps[0]");
}

#[test]
fn names_do_not_begin_with_an_underscore() {
    refused(
        with("/name", json!("_fleet")),
        "name",
        "beginning with a letter or a digit",
    );
}

#[test]
fn priorities_are_unique() {
    refused(with("/sites/1/priority", json!(1)), "sites[1].priority", "sites[0]");
}

#[test]
fn probes_alarms_and_steps_speak_of_known_sites() {
    let third = changed(
        plan(),
        "/probes/-",
        json!({"kind": "ec2", "name": "x", "site": "gren", "instance_id": "i-01234567"}),
    );
    refused(third, "probes[2].site", "did you mean `green`?");
    refused(
        with("/alarms/0/site", json!("red")),
        "alarms[0].site",
        "the sites are blue, green",
    );
    refused(
        with("/steps/1/target_groups/red", json!(group("red"))),
        "steps[1].target_groups.red",
        "unknown site",
    );
    refused(
        with("/steps/1/weights", json!({"red": 5})),
        "steps[1].weights.red",
        "unknown site",
    );
    refused(
        with("/steps/2/records/0/sites/red", json!({"values": ["192.0.2.3"]})),
        "steps[2].records[0].sites.red",
        "unknown site",
    );
}

#[test]
fn a_site_without_a_probe_needs_manual_mode() {
    let plan = with("/probes/1", Value::Null);
    for mode in ["automatic", "approve", "observe"] {
        let plan = changed(plan.clone(), "/policy", json!({"mode": mode}));
        refused(plan, "sites[1]", "could never be called healthy");
    }
    accepted(changed(plan, "/policy", json!({"mode": "manual"})));
}

#[test]
fn at_least_is_not_more_than_a_site_has_probes() {
    let plan = with("/policy", json!({"unhealthy_when": {"at_least": 2}}));
    let found = plan_support::problems(plan);
    assert_eq!(found.len(), 2, "one a site: {found:#?}");
    assert!(
        found
            .iter()
            .all(|problem| problem.path == "policy.unhealthy_when.at_least"),
        "{found:#?}"
    );
    accepted(with("/policy", json!({"unhealthy_when": {"at_least": 1}})));
}

#[test]
fn automatic_failback_needs_a_probe_of_the_primary() {
    let policy = json!({"mode": "manual", "failback": {"mode": "automatic"}});
    accepted(with("/policy", policy.clone()));
    let plan = changed(with("/policy", policy), "/probes/0", Value::Null);
    refused(plan, "policy.failback.mode", "a probe of the primary blue");
}

#[test]
fn reference_endpoints_are_hosts_with_ports() {
    accepted(with(
        "/policy",
        json!({"observers": {"quorum": 2, "reference": ["checkip.amazonaws.com:443"]}}),
    ));
    let reference = |text: &str| with("/policy", json!({"observers": {"reference": [text]}}));
    refused(
        reference("checkip.amazonaws.com"),
        "policy.observers.reference[0]",
        "a host and a port",
    );
    refused(
        reference("checkip.amazonaws.com:0"),
        "policy.observers.reference[0]",
        "1 to 65535",
    );
    refused(reference("-x:443"), "policy.observers.reference[0]", "found");
    refused(
        with("/policy", json!({"observers": {"quorum": 0}})),
        "policy.observers.quorum",
        "between 1 and 10",
    );
}

#[test]
fn hours_answers_and_lags_are_checked() {
    let hours = |from: &str| {
        with(
            "/policy",
            json!({"failback": {"hours": {"from": from, "to": "17:00", "weekdays": ["monday"]}}}),
        )
    };
    accepted(hours("09:00"));
    refused(hours("9:00"), "policy.failback.hours.from", "such as 09:00");
    refused(hours("24:00"), "policy.failback.hours.from", "such as 09:00");
    let days = json!({"failback": {"hours": {"from": "09:00", "to": "17:00", "weekdays": ["mon"]}}});
    refused(with("/policy", days), "policy.failback.hours.weekdays[0]", "monday");
    let approval = |seconds: u32| {
        with(
            "/policy",
            json!({"mode": "approve", "approval": {"expires_after_seconds": seconds, "on_expiry": "move"}}),
        )
    };
    accepted(approval(60));
    refused(
        approval(59),
        "policy.approval.expires_after_seconds",
        "between 60 and 86400",
    );
    refused(
        with("/policy", json!({"failback": {"max_per_day": 0}})),
        "policy.failback.max_per_day",
        "between 1 and 24",
    );
    let consent = json!({"consent": {"max_lag_age_seconds": 10, "max_lag_seconds": 90000}});
    assert_eq!(plan_support::problems(with("/policy", consent)).len(), 2, "all at once");
}

#[test]
fn a_sufficient_alarm_is_accepted() {
    accepted(with("/alarms/0/evidence", json!("sufficient")));
}

#[test]
fn intervals_have_a_minimum_by_kind() {
    refused(
        green_probe(json!({"interval_seconds": 4})),
        "probes[1].interval_seconds",
        "between 5 and 3600",
    );
    let ec2 = |interval: u32| {
        with(
            "/probes/-",
            json!({"kind": "ec2", "name": "x", "site": "blue", "instance_id": "i-01234567", "interval_seconds": interval}),
        )
    };
    refused(ec2(10), "probes[2].interval_seconds", "at least 30");
    accepted(ec2(30));
    let alarm = json!({"kind": "alarm", "name": "x", "site": "blue", "alarm_name": "a", "interval_seconds": 30});
    refused(with("/probes/-", alarm), "probes[2].interval_seconds", "at least 60");
}

#[test]
fn a_try_ends_before_the_next_begins() {
    refused(
        green_probe(json!({"timeout_seconds": 10})),
        "probes[1].timeout_seconds",
        "less than the interval (10",
    );
    accepted(green_probe(json!({"timeout_seconds": 9})));
}

#[test]
fn tcp_needs_a_port_and_takes_nothing_of_http() {
    refused(
        green_probe(json!({"protocol": "tcp"})),
        "probes[1].port",
        "TCP has no usual port",
    );
    for (field, value) in [
        ("path", json!("/x")),
        ("method", json!("HEAD")),
        ("expected_status", json!({"from": 200, "to": 200})),
        ("body_contains", json!("ok")),
    ] {
        let plan = green_probe(json!({"protocol": "tcp", "port": 5432, field: value}));
        refused(plan, &format!("probes[1].{field}"), "means nothing to a TCP probe");
    }
    accepted(green_probe(json!({"protocol": "tcp", "port": 5432})));
}

#[test]
fn head_has_no_body() {
    refused(
        green_probe(json!({"method": "HEAD", "body_contains": "ok"})),
        "probes[1].body_contains",
        "no body",
    );
}

#[test]
fn a_status_range_goes_upwards() {
    refused(
        green_probe(json!({"expected_status": {"from": 299, "to": 200}})),
        "probes[1].expected_status",
        "from 299 to 200",
    );
}

#[test]
fn hosts_are_hosts() {
    for host in [
        "https://x.example.com",
        "x.example.com/health",
        "a b",
        "x\r\nHost: y",
        "user@x",
        "x:80",
        "[::1]",
        "-x",
        "x..y",
        "1.2.3",
        "999.1.1.1",
        "0.0.0.0",
        "169.254.169.254",
        "fe80::1",
        "224.0.0.1",
        "ex\u{e4}mple.com",
        "x?y",
        "\u{0}",
    ] {
        refused(green_probe(json!({"host": host})), "probes[1].host", "");
    }
    for host in [
        "localhost",
        "127.0.0.1",
        "::1",
        "2001:db8::1",
        "a-b.example.com",
        "x.example.com.",
        "my_host",
    ] {
        accepted(green_probe(json!({"host": host})));
    }
}

#[test]
fn paths_and_texts_have_no_control_characters() {
    refused(green_probe(json!({"path": "/a b"})), "probes[1].path", "%20");
    refused(
        green_probe(json!({"path": "/a\r\nX: y"})),
        "probes[1].path",
        "control characters",
    );
    refused(
        green_probe(json!({"path": "a"})),
        "probes[1].path",
        "must begin with `/`",
    );
    refused(green_probe(json!({"path": "/a#b"})), "probes[1].path", "fragment");
    refused(
        green_probe(json!({"body_contains": "a\u{7}"})),
        "probes[1].body_contains",
        "control characters",
    );
    refused(
        with("/description", json!("a\u{1b}[2J")),
        "description",
        "control characters",
    );
    refused(
        with("/alarms/0/alarm_name", json!("a\nb")),
        "alarms[0].alarm_name",
        "control characters",
    );
    refused(
        with("/sites/0/resources", json!(["ok", "a\tb"])),
        "sites[0].resources[1]",
        "control characters",
    );
}

#[test]
fn weights_are_those_of_an_application_load_balancer() {
    for (kind, why) in [
        ("net", "Network Load Balancer"),
        ("gwy", "Gateway Load Balancer"),
        ("x", "must be of an Application"),
    ] {
        let listener = LISTENER.replace("/app/", &format!("/{kind}/"));
        refused(
            with("/steps/1/listener_arn", json!(listener)),
            "steps[1].listener_arn",
            why,
        );
    }
    let rule = changed(
        with("/steps/1/listener_arn", Value::Null),
        "/steps/1/rule_arn",
        json!(RULE.replace("/app/", "/net/")),
    );
    refused(rule, "steps[1].rule_arn", "dns_records");
    accepted(plan());
}

#[test]
fn weights_need_exactly_one_listener_or_rule() {
    refused(
        with("/steps/1/listener_arn", Value::Null),
        "steps[1]",
        "needs listener_arn",
    );
    refused(with("/steps/1/rule_arn", json!(RULE)), "steps[1]", "both");
    accepted(changed(
        with("/steps/1/listener_arn", Value::Null),
        "/steps/1/rule_arn",
        json!(RULE),
    ));
}

#[test]
fn every_site_has_a_target_group_of_its_own() {
    let three = with("/sites/-", json!({"name": "red", "priority": 3}));
    let three = changed(three, "/policy", json!({"mode": "manual"}));
    let three = changed(three, "/steps/2", Value::Null);
    refused(three, "steps[1].target_groups.red", "can not move there");
    refused(
        with("/steps/1/target_groups/green", json!(group("blue"))),
        "steps[1].target_groups.green",
        "would change nothing",
    );
    refused(
        with("/steps/1/target_groups/green", json!("green")),
        "steps[1].target_groups.green",
        "ARN of a target group",
    );
    refused(
        with("/steps/1/target_groups", json!({})),
        "steps[1].target_groups",
        "at least 2 entries",
    );
}

#[test]
fn weights_are_from_1_to_999() {
    for weight in [0, 1000] {
        refused(
            with("/steps/1/weights", json!({"blue": weight})),
            "steps[1].weights.blue",
            "between 1 and 999",
        );
    }
    refused(
        with("/steps/1/weights", json!({"blue": 0})),
        "steps[1].weights.blue",
        "without work",
    );
    accepted(with("/steps/1/weights", json!({"blue": 1, "green": 999})));
}

#[test]
fn two_steps_do_not_change_the_same_listener() {
    let mut second = plan()["steps"][1].clone();
    second["name"] = json!("again");
    refused(
        with("/steps/-", second),
        "steps[3].listener_arn",
        "steps[1] changes it already",
    );
}

#[test]
fn resources_are_in_the_region_that_is_called() {
    refused(
        with("/steps/1/region", json!("us-east-1")),
        "steps[1].listener_arn",
        "is in eu-west-1",
    );
    let probe = json!({"kind": "target_group", "name": "x", "site": "blue", "target_group_arn": group("blue"), "region": "us-east-1"});
    refused(
        with("/probes/-", probe),
        "probes[2].target_group_arn",
        "is in eu-west-1",
    );
    let elsewhere = group("green").replace("eu-west-1", "us-east-1");
    refused(
        with("/steps/1/target_groups/green", json!(elsewhere)),
        "steps[1].target_groups.green",
        "can not forward there",
    );
    let other_account = group("green").replace("123456789012", "210987654321");
    refused(
        with("/steps/1/target_groups/green", json!(other_account)),
        "steps[1].target_groups.green",
        "the account",
    );
    // A plan that names no Region is called where Understudy runs: nothing to compare with.
    accepted(with("/region", Value::Null));
}

#[test]
fn a_wait_is_shorter_than_its_timeout() {
    refused(
        with("/steps/0/for_seconds", json!(120)),
        "steps[0].for_seconds",
        "less than the step's timeout_seconds (120)",
    );
}

#[test]
fn the_steps_fit_into_the_execution() {
    refused(
        with("/policy", json!({"max_duration_seconds": 359})),
        "policy.max_duration_seconds",
        "360 seconds",
    );
    accepted(with("/policy", json!({"max_duration_seconds": 360})));
}

#[test]
fn a_plan_moves_something() {
    refused(
        with("/steps", json!([{"kind": "wait_healthy", "name": "well"}])),
        "steps",
        "must move something",
    );
}

#[test]
fn the_listener_belongs_into_its_own_field() {
    refused(
        with("/steps/1/listener_arn", json!(RULE)),
        "steps[1].listener_arn",
        "`rule_arn`",
    );
    let rule = changed(
        with("/steps/1/listener_arn", Value::Null),
        "/steps/1/rule_arn",
        json!(LISTENER),
    );
    refused(rule, "steps[1].rule_arn", "`listener_arn`");
}
