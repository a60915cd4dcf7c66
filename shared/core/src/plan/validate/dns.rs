//! Rules of `dns_records`: values that fit their type, and a difference between the sites.

use super::super::parse::{Path, Problems};
use super::super::{Alias, DnsRecord, DnsSite, RecordType, Step};
use super::{Draft, every_site, sound, text};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, Ipv6Addr};

/// How long one TXT value may be, in characters: Route 53's limit.
const MAX_TXT: usize = 4000;
/// How long each of its quoted strings may be, in characters: also Route 53's limit.
const MAX_TXT_STRING: usize = 255;

/// Adds the problems of all steps of this kind.
pub(super) fn check(draft: &Draft<'_>, problems: &mut Problems) {
    // Zone and name of every record so far, with its type and place.
    let mut known: BTreeMap<(&str, String), Vec<(RecordType, Path)>> = BTreeMap::new();
    for (path, step) in sound(&draft.steps, "steps") {
        let Step::DnsRecords(step) = step else { continue };
        for (index, record) in step.records.iter().enumerate() {
            let path = path.key("records").at(index);
            let others = known
                .entry((step.hosted_zone_id.as_str(), normal_name(&record.name)))
                .or_default();
            for (other_type, other) in others.iter() {
                if *other_type == record.record_type {
                    let message = format!(
                        "{other} is the same record ({} {}); name it once",
                        record.name,
                        record.record_type.as_str()
                    );
                    problems.add(path.key("name"), message);
                } else if RecordType::Cname == record.record_type || RecordType::Cname == *other_type {
                    let message =
                        format!("{other} is a record of the same name, and a CNAME allows no other beside it");
                    problems.add(path.key("name"), message);
                }
            }
            others.push((record.record_type, path.clone()));
            one(draft, record, &path, problems);
        }
    }
}

fn one(draft: &Draft<'_>, record: &DnsRecord, path: &Path, problems: &mut Problems) {
    if let Some(refusal) = text::name_refusal(&record.name, true) {
        problems.add(
            path.key("name"),
            format!("{refusal}; found {}", text::quoted(&record.name)),
        );
    }
    let sites_path = path.key("sites");
    if let Some(names) = draft.site_names() {
        every_site(&names, &record.sites, &sites_path, "say what the record is", problems);
    }
    for (name, site) in &record.sites {
        let path = sites_path.key(name);
        content(record.record_type, &site.values, site.alias.as_ref(), &path, problems);
        set_of(site, &path, problems);
    }
    let has_values = record.sites.values().any(|site| !site.values.is_empty());
    let has_alias = record.sites.values().any(|site| site.alias.is_some());
    time_to_live(record.ttl_seconds, has_values, has_alias, path, problems);
    set_identifiers(record, &sites_path, problems);
    difference(record, &sites_path, problems);
}

/// Values or an alias, and values as the type wants them.
pub(super) fn content(
    record_type: RecordType,
    values: &[String],
    alias: Option<&Alias>,
    path: &Path,
    problems: &mut Problems,
) {
    match (alias, values.is_empty()) {
        (Some(_), false) => problems.add(path.clone(), "has values and an alias; a record is one of them"),
        (None, true) => problems.add(path.clone(), "needs values or an alias"),
        _ => {}
    }
    if let Some(alias) = alias {
        if record_type == RecordType::Cname {
            problems.add(path.key("alias"), "a CNAME can not be an alias; use type A or AAAA");
        }
        if let Some(refusal) = text::name_refusal(&alias.dns_name, false) {
            problems.add(
                path.key("alias").key("dns_name"),
                format!("{refusal}; found {}", text::quoted(&alias.dns_name)),
            );
        }
    }
    if record_type == RecordType::Cname && values.len() > 1 {
        problems.add(
            path.key("values"),
            format!("a CNAME has exactly one value; found {}", values.len()),
        );
    }
    let mut seen = BTreeSet::new();
    for (index, value) in values.iter().enumerate() {
        let path = path.key("values").at(index);
        if let Some(refusal) = value_refusal(record_type, value) {
            problems.add(path, format!("{refusal}; found {}", text::quoted(value)));
        } else if !seen.insert(normal_value(record_type, value)) {
            problems.add(path, "is there twice; Route 53 refuses that");
        }
    }
}

/// The set of a site that has a routing policy.
fn set_of(site: &DnsSite, path: &Path, problems: &mut Problems) {
    if let Some(identifier) = &site.set_identifier {
        text::no_control(identifier, path.key("set_identifier"), problems);
    } else if site.weight.is_some() {
        problems.add(
            path.key("weight"),
            "needs a set_identifier: only weighted record sets have a weight",
        );
    }
}

fn value_refusal(record_type: RecordType, value: &str) -> Option<String> {
    match record_type {
        RecordType::A if value.parse::<Ipv4Addr>().is_err() => {
            Some("must be an IPv4 address, as the type is A".to_owned())
        }
        RecordType::Aaaa if value.parse::<Ipv6Addr>().is_err() => {
            Some("must be an IPv6 address, as the type is AAAA".to_owned())
        }
        RecordType::A | RecordType::Aaaa => None,
        RecordType::Cname => text::name_refusal(value, false),
        RecordType::Txt if value.chars().any(char::is_control) => Some("must have no control characters".to_owned()),
        RecordType::Txt if value.is_empty() || value.chars().count() > MAX_TXT => {
            Some(format!("must have 1 to {MAX_TXT} characters"))
        }
        RecordType::Txt => txt_refusal(value),
    }
}

/// Route 53 takes a TXT value as a zone file has it: strings in double quotes, with spaces between them.
fn txt_refusal(value: &str) -> Option<String> {
    let mut rest = value;
    while let Some((length, after)) = quoted_string(rest) {
        if length > MAX_TXT_STRING {
            return Some(format!(
                "has a string of {length} characters, {MAX_TXT_STRING} are allowed in each; write it as several strings \
                 in double quotes with spaces between them"
            ));
        }
        if after.is_empty() {
            return None;
        }
        rest = after.trim_start_matches(' ');
        if rest.len() == after.len() {
            break;
        }
    }
    let meant = value.trim_matches('"').replace('\\', r"\\").replace('"', r#"\""#);
    Some(format!(
        "must be in double quotes, which Route 53 wants to be part of the value; write it as '\"{}\"' (a long one as several \
         such strings with spaces between them)",
        super::super::parse::shortened(&meant)
    ))
}

/// The length of the quoted string at the beginning of a text, a backslash standing before what is meant literally,
/// and what comes after it.
fn quoted_string(text: &str) -> Option<(usize, &str)> {
    let inside = text.strip_prefix('"')?;
    let mut length = 0;
    let mut characters = inside.char_indices();
    while let Some((_, character)) = characters.next() {
        match character {
            '"' => return Some((length, characters.as_str())),
            '\\' => {
                characters.next();
            }
            _ => {}
        }
        length += 1;
    }
    None
}

/// Values need a time to live, aliases have that of their target.
pub(super) fn time_to_live(
    ttl_seconds: Option<u32>,
    has_values: bool,
    has_alias: bool,
    path: &Path,
    problems: &mut Problems,
) {
    match ttl_seconds {
        None if has_values => problems.add(
            path.key("ttl_seconds"),
            "is missing: values need one, at most 60 seconds, or a move is not seen",
        ),
        Some(_) if has_alias && !has_values => {
            problems.add(
                path.key("ttl_seconds"),
                "an alias has the time to live of its target; leave it out",
            );
        }
        _ => {}
    }
}

/// All sites of a record are sets with a routing policy, each its own, or none is.
fn set_identifiers(record: &DnsRecord, path: &Path, problems: &mut Problems) {
    let mut first: BTreeMap<&str, &str> = BTreeMap::new();
    for (name, site) in &record.sites {
        let Some(identifier) = &site.set_identifier else {
            continue;
        };
        if let Some(other) = first.get(identifier.as_str()) {
            problems.add(
                path.key(name).key("set_identifier"),
                format!("{other} has this one too; each site needs its own set"),
            );
        } else {
            first.insert(identifier, name);
        }
    }
    if first.is_empty() {
        return;
    }
    for (name, _) in record.sites.iter().filter(|(_, site)| site.set_identifier.is_none()) {
        let message =
            "is missing: other sites of this record have one, and Route 53 does not mix simple and weighted sets";
        problems.add(path.key(name).key("set_identifier"), message);
    }
}

/// Two sites with the same answer: a move between them would change nothing.
fn difference(record: &DnsRecord, path: &Path, problems: &mut Problems) {
    let mut first = BTreeMap::new();
    for (name, site) in &record.sites {
        let values: BTreeSet<String> = site
            .values
            .iter()
            .map(|value| normal_value(record.record_type, value))
            .collect();
        let alias = site
            .alias
            .as_ref()
            .map(|alias| (normal_name(&alias.dns_name), alias.hosted_zone_id.clone()));
        if values.is_empty() && alias.is_none() {
            continue;
        }
        if let Some(other) = first.get(&(values.clone(), alias.clone())) {
            problems.add(
                path.key(name),
                format!("says the same as {other}: moving between them would change nothing"),
            );
        } else {
            first.insert((values, alias), name);
        }
    }
}

/// Names are the same with and without the last dot, in small letters and capitals.
pub(super) fn normal_name(name: &str) -> String {
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

fn normal_value(record_type: RecordType, value: &str) -> String {
    match record_type {
        RecordType::Aaaa => value
            .parse::<Ipv6Addr>()
            .map_or_else(|_| value.to_owned(), |address| address.to_string()),
        RecordType::Cname => normal_name(value),
        RecordType::A | RecordType::Txt => value.to_owned(),
    }
}
