//! What differs between two states, field by field: what a dry run shows beside the sentences, which leave things out.

use super::ResourceState;
use serde_json::Value;
use std::collections::BTreeMap;

/// What elements of a list are known by, if they are mappings: the first of these that they have. Others by their place.
const NAMES: [&[&str]; 3] = [
    &["name", "record_type", "set_identifier"],
    &["target_group_arn"],
    &["id", "port"],
];

impl ResourceState {
    /// What of `self` becomes another in `wanted`, a line each: `field: old → new`. What is not listed stays.
    pub fn differences(&self, wanted: &Self) -> Vec<String> {
        let (old, new) = (self.fields(), wanted.fields());
        let names: Vec<&String> = old
            .keys()
            .chain(new.keys().filter(|name| !old.contains_key(*name)))
            .collect();
        let mut differing: Vec<String> = names
            .iter()
            .filter(|name| old.get(**name) != new.get(**name))
            .map(|name| {
                let word = |fields: &BTreeMap<String, String>| fields.get(*name).cloned().unwrap_or("none".into());
                format!("{name}: {} → {}", word(&old), word(&new))
            })
            .collect();
        differing.sort();
        if !differing.is_empty() && differing.len() < names.len() {
            differing.push("all else stays as it is".into());
        }
        differing
    }

    fn fields(&self) -> BTreeMap<String, String> {
        let mut fields = BTreeMap::new();
        // A state that can not be written has no fields to show; its sentence says what there is to say.
        if let Ok(Value::Object(mut state)) = serde_json::to_value(self.plain()) {
            state.remove("kind");
            for (name, value) in state {
                // The one thing that a state holds (an alarm, a check, a policy) needs no name.
                let name = if value.is_object() { String::new() } else { name };
                flatten(&name, &value, &mut fields);
            }
        }
        fields
    }

    // Without what does not count, and with what is meant where nothing is stated.
    fn plain(&self) -> Self {
        match self {
            Self::MetricAlarm { alarm: Some(alarm) } => Self::MetricAlarm {
                alarm: Some(Box::new(alarm.plain())),
            },
            // Route 53 gives it, and nobody wants a certain one.
            Self::DnsHealthCheck { check: Some(check) } => {
                let check = super::HealthCheckMade {
                    id: None,
                    made_by: None,
                    ..check.clone()
                };
                Self::DnsHealthCheck { check: Some(check) }
            }
            Self::RdsEventSubscription {
                subscription: Some(subscription),
            } => Self::RdsEventSubscription {
                subscription: Some(subscription.plain()),
            },
            other => other.clone(),
        }
    }
}

fn flatten(path: &str, value: &Value, fields: &mut BTreeMap<String, String>) {
    let under = |name: &str| {
        if path.is_empty() {
            name.to_owned()
        } else {
            format!("{path}.{name}")
        }
    };
    match value {
        Value::Null => {}
        Value::Object(entries) => entries
            .iter()
            .for_each(|(name, value)| flatten(&under(name), value, fields)),
        Value::Array(elements) if elements.iter().any(Value::is_object) => {
            for (index, element) in elements.iter().enumerate() {
                flatten(&format!("{path}[{}]", name_of(element, index)), element, fields);
            }
        }
        Value::Array(elements) if elements.is_empty() => {}
        Value::Array(elements) => {
            let words: Vec<String> = elements.iter().map(word).collect();
            fields.insert(path.to_owned(), words.join(", "));
        }
        scalar => {
            fields.insert(path.to_owned(), word(scalar));
        }
    }
}

fn name_of(element: &Value, index: usize) -> String {
    let named = NAMES.iter().find_map(|names| {
        let found: Vec<String> = names.iter().filter_map(|name| element.get(name).map(word)).collect();
        (!found.is_empty()).then(|| found.join(" "))
    });
    named.unwrap_or_else(|| index.to_string())
}

fn word(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::super::{AlarmDefinition, RecordSet, Threshold};
    use super::*;

    fn alarm(definition: AlarmDefinition) -> ResourceState {
        ResourceState::MetricAlarm {
            alarm: Some(Box::new(definition)),
        }
    }

    #[test]
    fn what_no_sentence_says_is_a_difference_all_the_same() {
        let old = AlarmDefinition {
            description: Some("old".into()),
            alarm_actions: vec!["arn:pager".into()],
            threshold: Threshold(0.5),
            ..AlarmDefinition::default()
        };
        let new = AlarmDefinition {
            description: Some("new".into()),
            alarm_actions: vec!["arn:pager".into(), "arn:topic".into()],
            treat_missing_data: Some("breaching".into()),
            ..old.clone()
        };
        assert_eq!(old.sentence(), new.sentence());
        assert_eq!(
            alarm(old.clone()).differences(&alarm(new)),
            [
                "alarm_actions: arn:pager → arn:pager, arn:topic",
                "description: old → new",
                "treat_missing_data: missing → breaching",
                "all else stays as it is",
            ]
        );
        assert_eq!(alarm(old.clone()).differences(&alarm(old)), Vec::<String>::new());
    }

    #[test]
    fn what_is_made_is_listed_whole_and_nothing_of_it_stays() {
        let none = ResourceState::MetricAlarm { alarm: None };
        let made = none.differences(&alarm(AlarmDefinition {
            actions_enabled: true,
            period_seconds: 60,
            ..AlarmDefinition::default()
        }));
        assert!(made.contains(&"period_seconds: none → 60".to_owned()), "{made:#?}");
        assert!(!made.iter().any(|line| line.contains("stays")), "{made:#?}");
    }

    #[test]
    fn elements_of_a_list_are_compared_by_their_names_and_not_by_their_places() {
        let set = |identifier: &str, ttl| RecordSet {
            name: "api.example.com.".into(),
            record_type: "A".into(),
            set_identifier: Some(identifier.into()),
            ttl_seconds: Some(ttl),
            ..RecordSet::default()
        };
        let records = |records: Vec<RecordSet>| ResourceState::DnsRecords { records };
        let old = records(vec![set("blue", 60), set("green", 60)]);
        let new = records(vec![set("green", 30), set("blue", 60)]);
        assert_eq!(
            old.differences(&new),
            [
                "records[api.example.com. A green].ttl_seconds: 60 → 30",
                "all else stays as it is"
            ]
        );
    }
}
