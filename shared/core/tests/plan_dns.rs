//! Rules of DNS records, each with what it refuses.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod plan_support;

use plan_support::{accepted, changed, plan, refused, with};
use serde_json::{Value, json};

const SIMPLE: &str = "/steps/2/records/0";
const WEIGHTED: &str = "/steps/2/records/1";

fn simple(field: &str, value: Value) -> Value {
    with(&format!("{SIMPLE}{field}"), value)
}

fn record(record_type: &str, blue: &str, green: &str) -> Value {
    let plan = simple("/type", json!(record_type));
    let plan = changed(plan, &format!("{SIMPLE}/sites/blue/values"), json!([blue]));
    changed(plan, &format!("{SIMPLE}/sites/green/values"), json!([green]))
}

fn alias(name: &str) -> Value {
    json!({"alias": {"dns_name": name, "hosted_zone_id": "Z32O12XQLNTSW2"}})
}

fn aliases() -> Value {
    let plan = simple(
        "/sites",
        json!({"blue": alias("b.example.com"), "green": alias("g.example.com")}),
    );
    changed(plan, &format!("{SIMPLE}/ttl_seconds"), Value::Null)
}

#[test]
fn every_site_has_an_answer() {
    let three = with("/sites/-", json!({"name": "red", "priority": 3}));
    let three = changed(three, "/policy", json!({"mode": "manual"}));
    let three = changed(three, "/steps/1/target_groups/red", json!(plan_support::group("red")));
    let three = changed(three, WEIGHTED, Value::Null);
    refused(three, "steps[2].records[0].sites.red", "can not move there");
}

#[test]
fn an_answer_is_values_or_an_alias() {
    refused(
        simple("/sites/blue", json!({})),
        "steps[2].records[0].sites.blue",
        "needs values or an alias",
    );
    let mut both = alias("b.example.com");
    both["values"] = json!(["192.0.2.1"]);
    refused(
        simple("/sites/blue", both),
        "steps[2].records[0].sites.blue",
        "one of them",
    );
}

#[test]
fn values_fit_the_type() {
    let first = "steps[2].records[0].sites.blue.values[0]";
    refused(record("A", "2001:db8::1", "192.0.2.2"), first, "IPv4");
    refused(record("A", "x.example.com", "192.0.2.2"), first, "IPv4");
    refused(record("AAAA", "192.0.2.1", "2001:db8::2"), first, "IPv6");
    refused(record("CNAME", "a b", "b.example.com"), first, "DNS name");
    refused(record("TXT", "a\nb", "\"b\""), first, "control characters");
    refused(record("TXT", "", "\"b\""), first, "1 to 4000");
    accepted(record("AAAA", "2001:db8::1", "2001:db8::2"));
    accepted(record("CNAME", "a.example.com.", "b.example.com"));
    accepted(record("TXT", "\"a\"", "\"b\""));
}

#[test]
fn a_txt_value_is_one_or_more_quoted_strings() {
    let first = "steps[2].records[0].sites.blue.values[0]";
    for unquoted in [
        "v=spf1 -all",
        "\"a",
        "a\"",
        "\"",
        "\"a\" b",
        "\"a\"\"b\"",
        "\"a\" ",
        "\"a\\\"",
        "'a'",
    ] {
        refused(record("TXT", unquoted, "\"b\""), first, "double quotes");
    }
    refused(
        record("TXT", "v=spf1 -all", "\"b\""),
        first,
        "write it as '\"v=spf1 -all\"'",
    );
    refused(record("TXT", "say \"hi\" now", "\"b\""), first, r#"'"say \"hi\" now"'"#);
    let (longest, longer) = ("x".repeat(255), "x".repeat(256));
    refused(
        record("TXT", &format!("\"{longer}\""), "\"b\""),
        first,
        "256 characters",
    );
    for quoted in [
        "\"\"".to_owned(),
        "\"v=spf1 -all\"".to_owned(),
        format!("\"{longest}\" \"{longest}\""),
        "\"say \\\"hi\\\" and \\\\\"".to_owned(),
    ] {
        accepted(record("TXT", &quoted, "\"b\""));
    }
}

#[test]
fn a_cname_is_one_name_and_no_alias() {
    let plan = changed(
        record("CNAME", "a.example.com", "b.example.com"),
        &format!("{SIMPLE}/sites/blue/values"),
        json!(["a", "b"]),
    );
    refused(plan, "steps[2].records[0].sites.blue.values", "exactly one value");
    let plan = changed(
        record("CNAME", "a.example.com", "b.example.com"),
        &format!("{SIMPLE}/sites/blue"),
        alias("x.example.com"),
    );
    refused(plan, "steps[2].records[0].sites.blue.alias", "can not be an alias");
}

#[test]
fn a_value_is_there_once() {
    refused(
        simple("/sites/blue/values", json!(["192.0.2.1", "192.0.2.1"])),
        "steps[2].records[0].sites.blue.values[1]",
        "twice",
    );
}

#[test]
fn values_need_a_short_time_to_live_and_aliases_have_none() {
    refused(
        simple("/ttl_seconds", Value::Null),
        "steps[2].records[0].ttl_seconds",
        "is missing",
    );
    refused(
        simple("/ttl_seconds", json!(300)),
        "steps[2].records[0].ttl_seconds",
        "between 1 and 60",
    );
    accepted(aliases());
    refused(
        changed(aliases(), &format!("{SIMPLE}/ttl_seconds"), json!(30)),
        "steps[2].records[0].ttl_seconds",
        "leave it out",
    );
}

#[test]
fn all_sites_are_weighted_sets_of_their_own_or_none_is() {
    let blue = format!("{WEIGHTED}/sites/blue");
    let plan = changed(plan(), &format!("{WEIGHTED}/sites/green/set_identifier"), Value::Null);
    refused(plan, "steps[2].records[1].sites.green.set_identifier", "does not mix");
    refused(
        with(&format!("{blue}/set_identifier"), json!("green")),
        "steps[2].records[1].sites.green.set_identifier",
        "its own set",
    );
    refused(
        simple("/sites/blue/weight", json!(5)),
        "steps[2].records[0].sites.blue.weight",
        "needs a set_identifier",
    );
    refused(
        with(&format!("{blue}/weight"), json!(0)),
        "steps[2].records[1].sites.blue.weight",
        "between 1 and 255",
    );
}

#[test]
fn two_sites_with_the_same_answer_would_move_nothing() {
    let same = "steps[2].records[0].sites.green";
    refused(record("A", "192.0.2.1", "192.0.2.1"), same, "would change nothing");
    refused(
        record("AAAA", "2001:db8::1", "2001:0db8:0::1"),
        same,
        "would change nothing",
    );
    refused(
        record("CNAME", "a.example.com", "A.example.com."),
        same,
        "would change nothing",
    );
    let plan = changed(aliases(), &format!("{SIMPLE}/sites/green"), alias("B.example.com."));
    refused(plan, same, "would change nothing");
}

#[test]
fn a_record_is_named_once_in_the_plan() {
    let mut second = plan()["steps"][2].clone();
    second["name"] = json!("again");
    second["records"] = json!([plan()["steps"][2]["records"][0]]);
    second["records"][0]["name"] = json!("SHOP.example.com.");
    refused(
        with("/steps/-", second.clone()),
        "steps[3].records[0].name",
        "steps[2].records[0] is the same record",
    );
    // The same name in a private zone is another record.
    second["hosted_zone_id"] = json!("Z9");
    accepted(with("/steps/-", second));
}

#[test]
fn a_cname_stands_alone() {
    refused(
        with(&format!("{WEIGHTED}/name"), json!("shop.example.com")),
        "steps[2].records[1].name",
        "no other beside it",
    );
}

#[test]
fn record_names_are_dns_names() {
    for name in ["a b", "a..b", "*", "x/y", "a\u{0}b"] {
        refused(simple("/name", json!(name)), "steps[2].records[0].name", "DNS name");
    }
    for name in ["*.example.com", "_srv.example.com."] {
        accepted(simple("/name", json!(name)));
    }
}

#[test]
fn a_step_that_can_not_outlast_a_lost_reply_is_warned_of_and_accepted() {
    let timed = |seconds: u32| {
        let value = with("/steps/2/timeout_seconds", json!(seconds));
        understudy_core::plan::parse(value).expect("a warning refuses nothing")
    };
    let warnings = timed(89).warnings();
    assert_eq!(warnings.len(), 1, "{warnings:#?}");
    assert_eq!(warnings[0].path, "steps[2].timeout_seconds");
    for words in ["89 seconds", "is lost", "at least 90"] {
        assert!(warnings[0].message.contains(words), "{warnings:#?}");
    }
    assert!(timed(90).warnings().is_empty());
    let by_default = understudy_core::plan::parse(plan()).unwrap();
    assert!(by_default.warnings().is_empty(), "the default is long enough");
}
