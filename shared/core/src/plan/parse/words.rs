//! What a structural problem is called, for a person at three in the morning.

use super::{Path, Problems};
use jsonschema::ValidationError;
use jsonschema::error::ValidationErrorKind as Kind;
use serde_json::Value;

/// Every pattern of the schema, and what it wants.
const PATTERNS: &[(&str, &str)] = &[
    (
        r"^[a-z0-9][a-z0-9-]{0,62}$",
        "must be a name: 1 to 63 lower-case letters, digits and hyphens, beginning with a letter or a digit",
    ),
    (r"^[a-z]{2}(-[a-z]+)+-[0-9]$", "must be a Region such as eu-west-1"),
    (
        r"^arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_.-]{1,256}$",
        "must be the ARN of an SNS topic, such as arn:aws:sns:eu-west-1:123456789012:failovers",
    ),
    (
        r"^arn:aws[a-z-]*:elasticloadbalancing:[a-z0-9-]+:[0-9]{12}:targetgroup/.+$",
        "must be the ARN of a target group (arn:aws:elasticloadbalancing:<Region>:<account>:targetgroup/<name>/<id>)",
    ),
    (
        r"^arn:aws[a-z-]*:elasticloadbalancing:[a-z0-9-]+:[0-9]{12}:listener/.+$",
        "must be the ARN of a listener (arn:aws:elasticloadbalancing:<Region>:<account>:listener/app/<name>/<id>/<id>); \
         the ARN of a rule belongs into `rule_arn`",
    ),
    (
        r"^arn:aws[a-z-]*:elasticloadbalancing:[a-z0-9-]+:[0-9]{12}:listener-rule/.+$",
        "must be the ARN of a listener rule (arn:aws:elasticloadbalancing:<Region>:<account>:listener-rule/app/<name>/<id>/<id>/<id>); \
         the ARN of a listener belongs into `listener_arn`",
    ),
    (
        r"^i-[0-9a-f]{8,17}$",
        "must be the id of an EC2 instance, such as i-0123456789abcdef0",
    ),
    (
        r"^(i|eni)-[0-9a-f]{8,17}$",
        "must be the id of an EC2 instance or of a network interface, such as i-0123456789abcdef0 or eni-0123456789abcdef0",
    ),
    (
        r"^(i-[0-9a-f]{8,17}|[0-9]{1,3}(\.[0-9]{1,3}){3}|[0-9a-f:]{2,39})$",
        "must be the id of an EC2 instance or an IP address, such as i-0123456789abcdef0 or 10.0.0.1",
    ),
    (
        r"^subnet-[0-9a-f]{8,17}$",
        "must be the id of a subnet, such as subnet-0123456789abcdef0",
    ),
    (
        r"^eipalloc-[0-9a-f]{8,17}$",
        "must be the allocation id of an Elastic IP address, such as eipalloc-0123456789abcdef0 (not the address itself)",
    ),
    (
        r"^[a-zA-Z][a-zA-Z0-9-]{0,62}$",
        "must be the identifier of a database instance or cluster: 1 to 63 letters, digits and hyphens, beginning with a letter \
         (not its ARN or its host name)",
    ),
    (
        r"^([a-zA-Z][a-zA-Z0-9-]{0,62}|arn:aws[a-z-]*:rds:[a-z0-9-]+:[0-9]{12}:db:[a-zA-Z][a-zA-Z0-9-]{0,62})$",
        "must be the identifier of a database instance, or its ARN (arn:aws:rds:<Region>:<account>:db:<identifier>) where it \
         is in another Region",
    ),
    (
        r"^db\.[a-z0-9-]+(\.[a-z0-9-]+)*$",
        "must be the class of a database instance, such as db.t3.micro",
    ),
    (
        r"^[a-z]{2}(-[a-z]+)+-[0-9][a-z]$",
        "must be an Availability Zone such as eu-west-1a",
    ),
    (
        r"^sg-[0-9a-f]{8,17}$",
        "must be a security group's id such as sg-0123456789abcdef0",
    ),
    (
        r"^arn:aws[a-z-]*:rds:[a-z0-9-]+:[0-9]{12}:cluster:.+$",
        "must be the ARN of a DB cluster",
    ),
    (
        r"^[A-Za-z0-9._/#-][A-Za-z0-9._/#: -]{0,254}$",
        "must be a namespace of CloudWatch: 1 to 255 letters, digits and . - _ / # : or blanks, not beginning with a colon, such \
         as Understudy/shop",
    ),
    (
        r"^arn:aws[a-z-]*:(elasticloadbalancing:[a-z0-9-]+:[0-9]{12}:loadbalancer/(app|net)/.+|autoscaling:[a-z0-9-]+:[0-9]{12}:autoScalingGroup:.+)$",
        "must be the ARN of an Application or Network Load Balancer, or of an Auto Scaling group",
    ),
    (
        r"^[a-z]{3,5}[0-9]-az[0-9]{1,2}$",
        "must be the id of an Availability Zone such as euw1-az1 (a name such as eu-west-1a means another zone in each account)",
    ),
    (
        r"^arn:aws[a-z-]*:globalaccelerator::[0-9]{12}:accelerator/[0-9a-zA-Z-]+/listener/[0-9a-zA-Z]+/endpoint-group/[0-9a-zA-Z]+$",
        "must be the ARN of an endpoint group \
         (arn:aws:globalaccelerator::<account>:accelerator/<id>/listener/<id>/endpoint-group/<id>)",
    ),
    (
        r"^Z[A-Z0-9]{1,31}$",
        "must be the id of a hosted zone, such as Z0123456789ABCDEFGHIJ, without `/hostedzone/`",
    ),
    (
        r"^(average|sum|minimum|maximum|sample_count|p[0-9]{1,2}(\.[0-9]{1,4})?)$",
        "must be average, sum, minimum, maximum, sample_count or a percentile such as p99 or p99.9",
    ),
    (
        r"^(arn:aws[a-z-]*:lambda:[a-z0-9-]+:[0-9]{12}:function:)?[a-zA-Z0-9_-]{1,64}$",
        "must be the name or the ARN of a Lambda function, such as shop-hook or \
         arn:aws:lambda:eu-west-1:123456789012:function:shop-hook; a version or an alias belongs into `qualifier`",
    ),
    (
        r"^[a-zA-Z0-9_-]{1,128}$",
        "must be a version or an alias of the function: 1 to 128 letters, digits, hyphens and underscores",
    ),
    (
        r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$",
        "must be the id of a Route 53 health check, such as 0123abcd-45ef-6789-abcd-0123456789ab; in a record, the name of one \
         that this plan makes belongs into `health_check`",
    ),
    (
        r"^[a-z][a-z0-9-]{0,253}$",
        "must be the name of an event subscription: a small letter, then small letters, digits and hyphens",
    ),
    (r"^/", "must begin with `/`"),
    (
        r"^(traffic-port|[0-9]{1,5})$",
        "must be a port in quotes, such as \"8080\", or traffic-port",
    ),
    (
        r"^[0-9]{1,3}(-[0-9]{1,3})?(,[0-9]{1,3}(-[0-9]{1,3})?)*$",
        "must be codes and ranges of codes in quotes, such as \"200\", \"200,302\" or \"200-299\"",
    ),
    (
        r"^[A-Za-z0-9.-]+:[0-9]{1,5}$",
        "must be a host and a port, such as checkip.amazonaws.com:443",
    ),
    (
        r"^([01][0-9]|2[0-3]):[0-5][0-9]$",
        "must be a time of the day from 00:00 to 23:59, such as 09:00",
    ),
];

/// Adds what `error` means to `problems`. `base` is where `value`, the value checked against `schema`, stands.
pub(super) fn explain(
    error: &ValidationError<'_>,
    schema: &Value,
    value: &Value,
    base: &Path,
    problems: &mut Problems,
) {
    let path = path_of(error.instance_path().as_str(), value, base);
    let pointer = error.schema_path().as_str();
    // The schema whose keyword refused: one above the keyword.
    let rule = pointer
        .rsplit_once('/')
        .and_then(|(rule, _)| schema.pointer(rule))
        .unwrap_or(&Value::Null);
    let found = shown(error.instance());
    match error.kind() {
        Kind::AdditionalProperties { unexpected } => {
            let known: Vec<&str> = rule["properties"]
                .as_object()
                .into_iter()
                .flatten()
                .map(|(name, _)| name.as_str())
                .collect();
            for name in unexpected {
                let meant = did_you_mean(name, known.iter().copied());
                let known = listed(known.iter().copied());
                problems.add(path.key(name), format!("unknown field; known here: {known}{meant}"));
            }
        }
        Kind::Required { property } => {
            let name = property.as_str().unwrap_or_default();
            let described = rule["properties"][name]["description"]
                .as_str()
                .map(first_line)
                .unwrap_or_default();
            let described = if described.is_empty() {
                String::new()
            } else {
                format!(" ({described})")
            };
            problems.add(path.key(name), format!("is missing{described}"));
        }
        // `0.5` where a whole number is wanted is one problem, not also one of its range.
        Kind::Minimum { .. } | Kind::Maximum { .. }
            if error.instance().as_f64().is_some_and(|number| number.fract() != 0.0) => {}
        _ => problems.add(path, message(error, rule, pointer, &found)),
    }
}

fn message(error: &ValidationError<'_>, rule: &Value, pointer: &str, found: &str) -> String {
    match error.kind() {
        Kind::Type { .. } => format!(
            "must be {}; found {found}{}",
            wanted_type(&rule["type"]),
            quote_hint(error, rule)
        ),
        Kind::Minimum { .. } | Kind::Maximum { .. } => {
            let why = if pointer.contains("/weight") {
                ". A weight of 0 would leave the active site without work"
            } else if pointer.contains("/ttl_seconds") && matches!(error.kind(), Kind::Maximum { .. }) {
                ". Clients keep the old answer for so long, and after a failover they would go on to the site that was left"
            } else {
                ""
            };
            match (&rule["minimum"], &rule["maximum"]) {
                (Value::Null, most) => format!("must be at most {most}; found {found}{why}"),
                (least, Value::Null) => format!("must be at least {least}; found {found}{why}"),
                (least, most) if least == most => format!("must be {least}; found {found}"),
                (least, most) => format!("must be between {least} and {most}; found {found}{why}"),
            }
        }
        Kind::MinLength { limit: 1 } => "must not be empty".to_owned(),
        Kind::MinLength { limit } => format!("must have at least {limit} characters; found {found}"),
        Kind::MaxLength { limit } => format!("must have at most {limit} characters; found {found}"),
        Kind::MinItems { limit } => format!("must have at least {limit} {}; found {}", entries(*limit), count(error)),
        Kind::MaxItems { limit } => format!("must have at most {limit} {}; found {}", entries(*limit), count(error)),
        Kind::MinProperties { limit } => {
            format!("must have at least {limit} {}; found {}", entries(*limit), count(error))
        }
        Kind::Pattern { pattern } => match PATTERNS.iter().find(|(known, _)| known == pattern) {
            Some((_, words)) => format!("{words}; found {found}"),
            None => format!("must match the pattern {pattern}; found {found}"),
        },
        Kind::Enum { options } => {
            // "or null" is how the schema says that a field may be left out.
            let options: Vec<String> = options
                .as_array()
                .into_iter()
                .flatten()
                .filter(|option| !option.is_null())
                .map(|option| option.as_str().map_or_else(|| option.to_string(), str::to_owned))
                .collect();
            let options: Vec<&str> = options.iter().map(String::as_str).collect();
            let meant = error
                .instance()
                .as_str()
                .map(|text| did_you_mean(text, options.iter().copied()));
            // The one choice that also has a form with a number.
            let also = if pointer.contains("/UnhealthyRule/") {
                " or `at_least: <number>`"
            } else {
                ""
            };
            format!(
                "must be one of {}{also}; found {found}{}",
                listed(options.iter().copied()),
                meant.unwrap_or_default()
            )
        }
        _ => shortened_to(&error.to_string(), 300),
    }
}

fn entries(count: u64) -> &'static str {
    if count == 1 { "entry" } else { "entries" }
}

fn count(error: &ValidationError<'_>) -> usize {
    match error.instance().as_ref() {
        Value::Array(items) => items.len(),
        Value::Object(fields) => fields.len(),
        _ => 0,
    }
}

fn wanted_type(wanted: &Value) -> String {
    let name = |wanted: &Value| match wanted.as_str() {
        Some("string") => "text",
        Some("integer") => "a whole number",
        Some("number") => "a number",
        Some("boolean") => "true or false",
        Some("array") => "a list",
        Some("object") => "a mapping",
        _ => "nothing",
    };
    match wanted {
        // "or null" is how the schema says that a field may be left out; saying it would only distract.
        Value::Array(several) => several
            .iter()
            .filter(|one| *one != "null")
            .map(name)
            .collect::<Vec<_>>()
            .join(" or "),
        one => name(one).to_owned(),
    }
}

/// YAML makes `123` a number and `true` a truth value, also where a name was meant.
fn quote_hint(error: &ValidationError<'_>, rule: &Value) -> &'static str {
    let text_wanted = rule["type"] == "string"
        || rule["type"]
            .as_array()
            .is_some_and(|types| types.contains(&"string".into()));
    match error.instance().as_ref() {
        Value::Number(_) | Value::Bool(_) if text_wanted => ". Put it in quotes",
        Value::String(text) if !text_wanted && text.parse::<f64>().is_ok() => ". Leave out the quotes",
        _ => "",
    }
}

/// The place to which a JSON pointer into `value` leads.
fn path_of(pointer: &str, value: &Value, base: &Path) -> Path {
    let mut path = base.clone();
    let mut here = Some(value);
    for part in pointer.split('/').skip(1) {
        let part = part.replace("~1", "/").replace("~0", "~");
        match (here, part.parse::<usize>()) {
            (Some(Value::Array(items)), Ok(index)) => {
                here = items.get(index);
                path = path.at(index);
            }
            _ => {
                here = here.and_then(|value| value.get(&part));
                path = path.key(&part);
            }
        }
    }
    path
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

/// A value as an error shows it: short, and without control characters.
pub(in crate::plan) fn shown(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::Bool(truth) => truth.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => format!("{:?}", shortened(text)),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "a mapping".to_owned(),
    }
}

/// At most 80 characters of a text.
pub(in crate::plan) fn shortened(text: &str) -> String {
    shortened_to(text, 80)
}

/// At most `most` characters of a text, and a sign where it was cut.
pub(super) fn shortened_to(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((cut, _)) => format!("{}…", &text[..cut]),
        None => text.to_owned(),
    }
}

/// The same, with a dot for every control character: a terminal must not obey what somebody wrote into a plan.
pub(super) fn presentable(text: &str, most: usize) -> String {
    shortened_to(text, most).replace(char::is_control, "·")
}

/// Names one after the other.
pub(in crate::plan) fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.collect::<Vec<_>>().join(", ")
}

/// ` (did you mean …?)` if one of the known names is close, else nothing.
pub(in crate::plan) fn did_you_mean<'a>(given: &str, known: impl Iterator<Item = &'a str>) -> String {
    let plain = |name: &str| {
        name.chars()
            .take(64)
            .collect::<String>()
            .to_lowercase()
            .replace(['-', ' '], "_")
    };
    let given = plain(given);
    known
        .map(|name| (distance(&given, &plain(name)), name))
        .filter(|(distance, name)| *distance <= 2 && distance * 3 <= name.len())
        .min()
        .map(|(_, name)| format!(" (did you mean `{name}`?)"))
        .unwrap_or_default()
}

/// How many letters must be put in, taken out or replaced to make one name of the other.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (above, letter) in one.chars().enumerate() {
        let mut diagonal = above;
        row[0] = above + 1;
        for (column, wanted) in other.iter().enumerate() {
            let replaced = diagonal + usize::from(letter != *wanted);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patterns(schema: &Value, found: &mut Vec<String>) {
        match schema {
            Value::Array(items) => items.iter().for_each(|item| patterns(item, found)),
            Value::Object(fields) => {
                found.extend(fields.get("pattern").and_then(Value::as_str).map(str::to_owned));
                fields.values().for_each(|field| patterns(field, found));
            }
            _ => {}
        }
    }

    #[test]
    fn every_pattern_of_the_schema_is_explained_in_words() {
        let mut found = Vec::new();
        patterns(&super::super::super::json_schema(), &mut found);
        for pattern in &found {
            assert!(
                PATTERNS.iter().any(|(known, _)| known == pattern),
                "add words for {pattern}"
            );
        }
        for (known, _) in PATTERNS {
            assert!(
                found.iter().any(|pattern| pattern == known),
                "{known} is no longer used"
            );
        }
    }

    #[test]
    fn a_near_miss_is_guessed_and_a_far_one_is_not() {
        let known = ["endpoint", "ec2", "target_group"];
        assert_eq!(
            did_you_mean("target-group", known.into_iter()),
            " (did you mean `target_group`?)"
        );
        assert_eq!(
            did_you_mean("endpiont", known.into_iter()),
            " (did you mean `endpoint`?)"
        );
        assert_eq!(did_you_mean("lambda", known.into_iter()), "");
        assert_eq!(did_you_mean("x", known.into_iter()), "");
    }
}
