//! Rules of the steps that make names ready: a check that Route 53 can make, and two records that differ, each with its
//! own.

use super::super::parse::{Path, Problems};
use super::super::{DnsFailoverRecords, DnsHealthCheck, FailoverRecord, Protocol, RecordType, Step};
use super::{Draft, by_one_step, dns, sound, sound_everywhere, text};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// Adds the problems of all steps of these kinds.
pub(super) fn check(draft: &Draft<'_>, problems: &mut Problems) {
    let known = health_checks(draft);
    let mut records = dns_records(draft);
    let everywhere = sound_everywhere(draft).into_iter();
    for (path, step) in everywhere.flat_map(|(_, steps)| steps) {
        match step {
            Step::DnsHealthCheck(step) => health_check(step, &path, problems),
            Step::DnsFailoverRecords(step) => {
                let record_type = step.record_type.as_str();
                let name = format!(
                    "{}/{}/{record_type}",
                    step.hosted_zone_id,
                    dns::normal_name(&step.record_name)
                );
                by_one_step(&mut records, [(name, path.key("record_name"))], &path, problems);
                failover(step, &known, &path, problems);
            }
            _ => {}
        }
    }
}

// The names of the plan's health checks, wherever they stand in it, as far as they can be read.
fn health_checks<'a>(draft: &'a Draft<'_>) -> BTreeSet<&'a str> {
    let mut found = BTreeSet::new();
    for field in ["setup", "steps"] {
        let kinds = draft.texts(field, "kind").into_iter();
        let named = kinds.zip(draft.texts(field, "name"));
        found.extend(named.filter_map(|(kind, name)| name.filter(|_| kind == Some("dns_health_check"))));
    }
    found
}

// What `dns_records` changes: a failover pair of the same name would undo it.
fn dns_records(draft: &Draft<'_>) -> BTreeMap<String, Path> {
    let mut found = BTreeMap::new();
    for (path, step) in sound(&draft.steps, "steps") {
        let Step::DnsRecords(step) = step else { continue };
        for record in &step.records {
            let record_type = record.record_type.as_str();
            let name = format!(
                "{}/{}/{record_type}",
                step.hosted_zone_id,
                dns::normal_name(&record.name)
            );
            found.entry(name).or_insert_with(|| path.clone());
        }
    }
    found
}

fn health_check(step: &DnsHealthCheck, path: &Path, problems: &mut Problems) {
    if step.host.is_none() && step.ip_address.is_none() {
        problems.add(path.key("host"), "is missing: name the host or its ip_address");
    }
    if let Some(host) = &step.host {
        let field = path.key("host");
        if host.parse::<IpAddr>().is_ok() {
            problems.add(
                field,
                "is an address, and Route 53 would look it up as a name; put it into `ip_address`",
            );
        } else if let Some(refusal) = text::host_refusal(host) {
            problems.add(field, format!("{refusal}; found {}", text::quoted(host)));
        }
    }
    if let Some(address) = &step.ip_address
        && let Some(refusal) = address_refusal(address)
    {
        problems.add(
            path.key("ip_address"),
            format!("{refusal}; found {}", text::quoted(address)),
        );
    }
    if step.asked_port().is_none() {
        problems.add(path.key("port"), "is missing: tcp has no port of its own");
    }
    if let Some(asked) = &step.path {
        if step.protocol == Protocol::Tcp {
            problems.add(
                path.key("path"),
                "tcp only opens a connection and asks for nothing; leave it out",
            );
        }
        text::no_control(asked, path.key("path"), problems);
    }
}

fn address_refusal(address: &str) -> Option<&'static str> {
    let is_private = match address.parse::<IpAddr>() {
        Err(_) => return Some("must be an IP address"),
        Ok(IpAddr::V4(v4)) => {
            v4.is_private()
                || v4.is_loopback()
                || v4.is_link_local()
                || v4.is_unspecified()
                || v4.is_multicast()
                || v4.is_broadcast()
        }
        Ok(IpAddr::V6(v6)) => {
            let first = v6.segments()[0];
            v6.is_loopback()
                || v6.is_unspecified()
                || v6.is_multicast()
                || (first & 0xffc0) == 0xfe80
                || (first & 0xfe00) == 0xfc00
        }
    };
    is_private.then_some("must be a public address: the checkers of Route 53 ask from outside")
}

fn failover(step: &DnsFailoverRecords, known: &BTreeSet<&str>, path: &Path, problems: &mut Problems) {
    if let Some(refusal) = text::name_refusal(&step.record_name, true) {
        problems.add(
            path.key("record_name"),
            format!("{refusal}; found {}", text::quoted(&step.record_name)),
        );
    }
    if step.record_type == RecordType::Txt {
        problems.add(path.key("type"), "a failover record leads to a host: A, AAAA or CNAME");
    }
    let (primary, secondary) = (&step.primary, &step.secondary);
    for (record, path) in [(primary, path.key("primary")), (secondary, path.key("secondary"))] {
        dns::content(step.record_type, &record.values, record.alias.as_ref(), &path, problems);
        follows(record, known, &path, problems);
        if let Some(identifier) = &record.set_identifier {
            text::no_control(identifier, path.key("set_identifier"), problems);
        }
    }
    let second = path.key("secondary");
    let has_values = !primary.values.is_empty() || !secondary.values.is_empty();
    let has_alias = primary.alias.is_some() || secondary.alias.is_some();
    dns::time_to_live(step.ttl_seconds, has_values, has_alias, path, problems);
    if (&primary.values, &primary.alias) == (&secondary.values, &secondary.alias) {
        problems.add(
            second.clone(),
            "says the same as primary: a failover would change nothing",
        );
    }
    let identifier = |record: &FailoverRecord, role: &str| record.set_identifier.clone().unwrap_or(role.to_owned());
    if identifier(primary, "primary") == identifier(secondary, "secondary") {
        problems.add(
            second.key("set_identifier"),
            "is the primary's too; each record set needs its own",
        );
    }
    let shared = |one: &Option<String>, other: &Option<String>| one.is_some() && one == other;
    for (field, is_shared) in [
        ("health_check", shared(&primary.health_check, &secondary.health_check)),
        (
            "health_check_id",
            shared(&primary.health_check_id, &secondary.health_check_id),
        ),
    ] {
        if is_shared {
            problems.add(
                second.key(field),
                "is the primary's too: both would be unhealthy together; each needs its own",
            );
        }
    }
}

// Each of the two follows something: a record that is healthy for ever takes part in no failover.
fn follows(record: &FailoverRecord, known: &BTreeSet<&str>, path: &Path, problems: &mut Problems) {
    let field = path.key("health_check");
    let evaluates = record.alias.as_ref().is_some_and(|alias| alias.evaluate_target_health);
    match (&record.health_check, &record.health_check_id) {
        (Some(_), Some(_)) => problems.add(
            path.key("health_check_id"),
            "there is a health_check too; a record follows one",
        ),
        (None, None) if !evaluates => problems.add(
            field,
            "is missing: without a health check of its own the record counts as healthy for ever. Name a dns_health_check \
             of this plan, or give a health_check_id (an alias may evaluate_target_health instead)",
        ),
        (Some(name), None) if !known.contains(name.as_str()) => {
            let meant = text::did_you_mean(name, known.iter().copied());
            let found = text::quoted(name);
            let message = format!("there is no dns_health_check of this name in the plan; found {found}{meant}");
            problems.add(field, message);
        }
        _ => {}
    }
}
