//! Announcements on SNS.
//!
//! One publication has two forms: JSON for machines, and a text for mail. Message attributes carry what
//! subscriptions filter by, and the id to deduplicate by: the executor publishes at least once.

use crate::config::{AwsConfig, Regional, Usage};
use crate::failure::{Codes, Effect, explain};
use async_trait::async_trait;
use aws_sdk_sns::Client;
use aws_sdk_sns::error::BuildError;
use aws_sdk_sns::types::MessageAttributeValue;
use serde_json::{Value, json};
use understudy_core::report::Announcement;
use understudy_engine::actions::repeated;
use understudy_engine::ports::{CallError, CallErrorKind, Notifier};

const CODES: Codes = Codes {
    not_found: &["NotFound", "NotFoundException"],
    retryable: repeated::SNS,
};

/// Topics.
pub struct SnsNotifier {
    clients: Regional<Client>,
    topic_arn: String,
}

impl SnsNotifier {
    /// Topics of every Region; `topic_arn` is that of plans that name none.
    pub fn new(config: &AwsConfig, topic_arn: impl Into<String>) -> Self {
        Self {
            clients: Regional::new(config, Usage::Changes, Client::new),
            topic_arn: topic_arn.into(),
        }
    }
}

#[async_trait]
impl Notifier for SnsNotifier {
    async fn publish(&self, topic_arn: Option<&str>, plan: &str, announcement: &Announcement) -> Result<(), CallError> {
        let topic_arn = topic_arn.unwrap_or(&self.topic_arn);
        let doing = format!(
            "publishing announcement {} of plan {plan} to topic {topic_arn}",
            announcement.id
        );
        let incomplete = |error: BuildError| {
            CallError::new(
                CallErrorKind::Refused,
                format!("{doing}: it is not complete: {error}; nothing was published"),
            )
        };
        let mut call = self
            .clients
            .client(region_of(topic_arn))
            .publish()
            .topic_arn(topic_arn)
            .subject(&announcement.subject)
            .message_structure("json")
            .message(message(announcement));
        let execution = announcement
            .body
            .get("execution")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let attributes = [
            ("plan", plan),
            ("event", announcement.event.as_str()),
            ("execution", execution),
            ("dedup_id", &announcement.id),
        ];
        // An empty attribute is refused.
        for (name, value) in attributes.into_iter().filter(|(_, value)| !value.is_empty()) {
            let attribute = MessageAttributeValue::builder()
                .data_type("String")
                .string_value(value)
                .build()
                .map_err(incomplete)?;
            call = call.message_attributes(name, attribute);
        }
        if topic_arn.ends_with(".fifo") {
            call = call.message_group_id(plan).message_deduplication_id(&announcement.id);
        }
        call.send()
            .await
            .map(drop)
            .map_err(|error| explain(&doing, Effect::Changes, CODES, &error))
    }
}

/// `default` is JSON with the announcement's id in it, `email` is for people.
fn message(announcement: &Announcement) -> String {
    let mut body = announcement.body.clone();
    if let Some(object) = body.as_object_mut() {
        object
            .entry("id")
            .or_insert_with(|| Value::String(announcement.id.clone()));
    }
    json!({ "default": body.to_string(), "email": announcement.text }).to_string()
}

/// A topic is published to in its own Region.
fn region_of(topic_arn: &str) -> Option<&str> {
    topic_arn.split(':').nth(3).filter(|region| !region.is_empty())
}
