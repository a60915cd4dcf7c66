//! Subscriptions to events of RDS: read whole, made in one call, changed in all but their sources.
//!
//! Neither `ModifyEventSubscription` nor `DeleteEventSubscription` compares anything: what is expected is looked at just
//! before. Making one compares by itself: a name is taken or it is not.

use super::setup::RdsSetup;
use crate::failure::{Codes, Effect, explain, within_one_call};
use aws_sdk_rds::types::{EventSubscription as Described, Tag};
use std::collections::BTreeMap;
use understudy_core::state::EventSubscription;
use understudy_engine::actions::{TAG, repeated};
use understudy_engine::ports::{CallError, CallErrorKind, SubscriptionFound};

const CODES: Codes = Codes {
    not_found: &["SubscriptionNotFound", "SubscriptionNotFoundFault"],
    retryable: repeated::RDS,
};

impl RdsSetup {
    pub(super) async fn find_subscription(
        &self,
        region: Option<&str>,
        name: &str,
        doing: &str,
    ) -> Result<Option<SubscriptionFound>, CallError> {
        let client = self.reading.client(region);
        let answer = client
            .describe_event_subscriptions()
            .subscription_name(name)
            .send()
            .await;
        let page = match answer.map_err(|error| explain(doing, Effect::Reads, CODES, &error)) {
            Ok(page) => page,
            Err(error) if error.kind == CallErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let Some(found) = page.event_subscriptions_list().first() else {
            return Ok(None);
        };
        let mut subscription = read(found);
        if let Some(arn) = found.event_subscription_arn() {
            let answer = client.list_tags_for_resource().resource_name(arn).send().await;
            let tags = answer.map_err(|error| explain(doing, Effect::Reads, CODES, &error))?;
            let tag = tags.tag_list().iter().find(|tag| tag.key() == Some(TAG));
            subscription.made_by = tag.and_then(Tag::value).map(str::to_owned);
        }
        Ok(Some(SubscriptionFound {
            status: found.status().unwrap_or("unknown").to_owned(),
            subscription,
        }))
    }

    pub(super) async fn make_or_change_subscription(
        &self,
        region: Option<&str>,
        name: &str,
        expected: Option<&EventSubscription>,
        wanted: &EventSubscription,
        tags: &BTreeMap<String, String>,
    ) -> Result<(), CallError> {
        let doing = format!("making event subscription {name}, which {}", wanted.sentence());
        let list = |items: &[String]| (!items.is_empty()).then(|| items.to_vec());
        within_one_call(&doing, async {
            let Some(expected) = expected else {
                let tags = tags
                    .iter()
                    .map(|(key, value)| Tag::builder().key(key).value(value).build());
                let call = self.changing.client(region).create_event_subscription();
                let answer = call
                    .subscription_name(name)
                    .sns_topic_arn(&wanted.topic_arn)
                    .set_source_type(wanted.source_type.clone())
                    .set_source_ids(list(&wanted.source_ids))
                    .set_event_categories(list(&wanted.categories))
                    .enabled(wanted.is_enabled)
                    .set_tags(Some(tags.collect()))
                    .send()
                    .await;
                return answer.map(drop).map_err(|error| {
                    let taken = error
                        .as_service_error()
                        .is_some_and(|error| error.is_subscription_already_exist_fault());
                    let told = explain(&doing, Effect::Changes, CODES, &error);
                    if taken {
                        return CallError::new(CallErrorKind::Conflict, told.message);
                    }
                    told
                });
            };
            self.expect_subscription(region, name, expected, &doing).await?;
            let call = self.changing.client(region).modify_event_subscription();
            call.subscription_name(name)
                .sns_topic_arn(&wanted.topic_arn)
                .set_source_type(wanted.source_type.clone())
                .set_event_categories(list(&wanted.categories))
                .enabled(wanted.is_enabled)
                .send()
                .await
                .map(drop)
                .map_err(|error| explain(&doing, Effect::Changes, CODES, &error))
        })
        .await
    }

    pub(super) async fn take_subscription_away(
        &self,
        region: Option<&str>,
        name: &str,
        expected: &EventSubscription,
    ) -> Result<(), CallError> {
        let doing = format!("deleting event subscription {name}");
        within_one_call(&doing, async {
            self.expect_subscription(region, name, expected, &doing).await?;
            let call = self.changing.client(region).delete_event_subscription();
            let answer = call.subscription_name(name).send().await;
            answer
                .map(drop)
                .map_err(|error| explain(&doing, Effect::Changes, CODES, &error))
        })
        .await
    }

    async fn expect_subscription(
        &self,
        region: Option<&str>,
        name: &str,
        expected: &EventSubscription,
        doing: &str,
    ) -> Result<(), CallError> {
        let found = self.find_subscription(region, name, doing).await?;
        if found.as_ref().is_some_and(|found| found.subscription.same_as(expected)) {
            return Ok(());
        }
        let message = format!(
            "{doing}: found that it {} where it {} was expected, so somebody else changed it; nothing was changed",
            found.map_or_else(|| "is gone".to_owned(), |found| found.subscription.sentence()),
            expected.sentence()
        );
        Err(CallError::new(CallErrorKind::Conflict, message))
    }
}

fn read(found: &Described) -> EventSubscription {
    let sorted = |items: &[String]| {
        let mut items = items.to_vec();
        items.sort();
        items
    };
    let ids: Vec<String> = found
        .source_ids_list()
        .iter()
        .map(|id| id.to_ascii_lowercase())
        .collect();
    EventSubscription {
        topic_arn: found.sns_topic_arn().unwrap_or_default().to_owned(),
        source_type: found.source_type().map(str::to_owned),
        source_ids: sorted(&ids),
        categories: sorted(found.event_categories_list()),
        is_enabled: found.enabled().unwrap_or(true),
        made_by: None,
    }
}
