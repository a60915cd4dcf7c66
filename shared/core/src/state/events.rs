//! Subscriptions to what happens to databases.

use super::parameters;
use crate::plan::{EventCategory, RdsEventSubscription};
use serde::{Deserialize, Serialize};

/// A subscription to events of RDS, as far as it can be put back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventSubscription {
    /// The topic that is told.
    pub topic_arn: String,
    /// `db-instance`, `db-cluster`, …; none tells of everything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_type: Option<String>,
    /// The databases, in lower case and in order; none means all of the type.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub source_ids: Vec<String>,
    /// The events, in order; none means all of the type.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub categories: Vec<String>,
    /// Whether it tells anything.
    pub is_enabled: bool,
    /// The plan that made it, as its tag `understudy` says. Who made it is no part of what it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made_by: Option<String>,
}

impl EventSubscription {
    /// Whether both tell the same to the same topic.
    pub fn same_as(&self, other: &Self) -> bool {
        self.plain() == other.plain()
    }

    pub(super) fn plain(&self) -> Self {
        Self {
            made_by: None,
            ..self.clone()
        }
    }

    /// One line for people.
    pub fn sentence(&self) -> String {
        let all = |items: &[String], none: &str| {
            if items.is_empty() {
                none.to_owned()
            } else {
                items.join(", ")
            }
        };
        let off = if self.is_enabled { "" } else { ", switched off" };
        format!(
            "tells {} of {} of {}{off}",
            self.topic_arn,
            all(&self.categories, "everything"),
            all(&self.source_ids, self.source_type.as_deref().unwrap_or("all sources"))
        )
    }

    /// All that a call is told of it. What a call that changes one can not tell is the same in both.
    pub fn parameters(&self) -> String {
        let list = |items: &[String]| (!items.is_empty()).then(|| format!("[{}]", items.join(", ")));
        parameters([
            ("SnsTopicArn", Some(self.topic_arn.clone())),
            ("SourceType", self.source_type.clone()),
            ("SourceIds", list(&self.source_ids)),
            ("EventCategories", list(&self.categories)),
            ("Enabled", Some(self.is_enabled.to_string())),
        ])
    }

    /// What of `self` can not be changed into `wanted`, as a field of the plan: sources are added and removed one by one, so
    /// that a failure in between would leave something that nobody wanted; and what tells of everything of a type can not
    /// be told to again (`ModifyEventSubscription` has no way of saying "all").
    pub fn unchangeable(&self, wanted: &Self) -> Option<&'static str> {
        if self.source_type != wanted.source_type {
            Some("source")
        } else if self.source_ids != wanted.source_ids {
            Some("source_ids")
        } else if self.categories.is_empty() != wanted.categories.is_empty() {
            Some("categories (all of them)")
        } else {
            None
        }
    }
}

/// The subscription as it shall be.
pub fn wanted_events(step: &RdsEventSubscription, topic_arn: &str) -> EventSubscription {
    let mut source_ids: Vec<String> = step.source_ids.iter().map(|id| id.to_ascii_lowercase()).collect();
    source_ids.sort();
    let mut categories: Vec<String> = step
        .told()
        .into_iter()
        .map(EventCategory::as_str)
        .map(str::to_owned)
        .collect();
    categories.sort();
    EventSubscription {
        topic_arn: topic_arn.to_owned(),
        source_type: Some(step.source.as_str().to_owned()),
        source_ids,
        categories,
        is_enabled: true,
        made_by: None,
    }
}
