//! The table on DynamoDB.
//!
//! | attribute | type | what it is |
//! |---|---|---|
//! | `plan`, `item` | S, S | the key |
//! | `version` | N | what compare-and-set compares |
//! | `write_id` | S | of the write that made this version |
//! | `schema_version` | N | the form of `body`; a newer one than this code knows is refused |
//! | `wake` | S, or absent | which function it needs: the stream's filters test only this |
//! | `due_shard`, `due_at` | S, N, or absent | the sparse index `due`; milliseconds since the epoch |
//! | `body` | M | the item itself |
//!
//! Every write is a conditional `PutItem` or `DeleteItem` that asks for the item it loses to, so the SDK may
//! repeat it: whoever is refused sees by the `write_id` whether it was refused by itself. Nothing here needs
//! transactions or local indexes, so the table may be a strongly consistent global one.

use crate::config::{AwsConfig, Regional, Usage, attempts_alone};
use crate::failure::{Codes, Effect, explain};
use async_trait::async_trait;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::Builder;
use aws_sdk_dynamodb::operation::delete_item::DeleteItemError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
pub use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure;
use jiff::Timestamp;
use std::collections::HashMap;
use understudy_core::SCHEMA_VERSION;
use understudy_core::control::Wake;
use understudy_core::event::excerpt;
use understudy_engine::actions::repeated;
use understudy_engine::ports::{CallError, CallErrorKind, Due, Item, Key, Put, Table};

/// The name of the sparse index.
const DUE_INDEX: &str = "due";
/// Its only shard: the index is small, one entry a plan.
const DUE_SHARD: &str = "0";
/// How many items one page is asked for at most.
const PAGE: usize = 1000;

const CODES: Codes = Codes {
    not_found: &["ResourceNotFoundException"],
    retryable: repeated::DYNAMODB,
};

/// DynamoDB's own form of an item.
pub type Attributes = HashMap<String, AttributeValue>;

/// A table.
pub struct DynamoTable {
    clients: Regional<Client>,
    table: String,
}

impl DynamoTable {
    /// The table of this name, in the process's Region.
    pub fn new(config: &AwsConfig, table: impl Into<String>) -> Self {
        Self {
            clients: Regional::new(config, Usage::Reads, |sdk| {
                Client::from_conf(Builder::from(sdk).retry_partition(attempts_alone()).build())
            }),
            table: table.into(),
        }
    }

    fn doing(&self, what: &str, key: &Key) -> String {
        format!("{what} item {} of plan {} in table {}", key.item, key.plan, self.table)
    }

    /// A condition was refused: by which item?
    async fn lost_to(&self, key: &Key, item: Option<&Attributes>) -> Result<Put, CallError> {
        let item = match item {
            Some(attributes) => Some(self.decode(attributes)?),
            // No item came along: there is none, or the reply left it out. Reading tells which.
            None => self.get(key).await?,
        };
        Ok(Put::Lost(item.map(Box::new)))
    }

    fn decode(&self, attributes: &Attributes) -> Result<Item, CallError> {
        decode(attributes).map_err(|problem| {
            let name = |attribute: &str| text(attributes, attribute).unwrap_or_else(|_| "?".to_owned());
            CallError::new(
                CallErrorKind::Refused,
                format!(
                    "reading item {} of plan {} in table {}: {problem}; nothing was changed",
                    name("item"),
                    name("plan"),
                    self.table
                ),
            )
        })
    }
}

#[async_trait]
impl Table for DynamoTable {
    async fn get(&self, key: &Key) -> Result<Option<Item>, CallError> {
        let answer = self
            .clients
            .client(None)
            .get_item()
            .table_name(&self.table)
            .key("plan", AttributeValue::S(key.plan.clone()))
            .key("item", AttributeValue::S(key.item.clone()))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| explain(&self.doing("reading", key), Effect::Reads, CODES, &error))?;
        answer
            .item
            .as_ref()
            .map(|attributes| self.decode(attributes))
            .transpose()
    }

    async fn put(&self, item: &Item, expected: u64) -> Result<Put, CallError> {
        let doing = self.doing("writing", &item.key);
        let attributes = encode(item).map_err(|problem| {
            CallError::new(
                CallErrorKind::Refused,
                format!("{doing}: {problem}; nothing was changed"),
            )
        })?;
        let call = self
            .clients
            .client(None)
            .put_item()
            .table_name(&self.table)
            .set_item(Some(attributes))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let call = if expected == 0 {
            call.condition_expression("attribute_not_exists(#plan)")
                .expression_attribute_names("#plan", "plan")
        } else {
            call.condition_expression("#version = :expected")
                .expression_attribute_names("#version", "version")
                .expression_attribute_values(":expected", AttributeValue::N(expected.to_string()))
        };
        match call.send().await {
            Ok(_) => Ok(Put::Written),
            Err(error) => match error.as_service_error() {
                Some(PutItemError::ConditionalCheckFailedException(lost)) => self.lost_to(&item.key, lost.item()).await,
                _ => Err(explain(&doing, Effect::Changes, CODES, &error)),
            },
        }
    }

    async fn delete(&self, key: &Key, expected: u64) -> Result<Put, CallError> {
        let answer = self
            .clients
            .client(None)
            .delete_item()
            .table_name(&self.table)
            .key("plan", AttributeValue::S(key.plan.clone()))
            .key("item", AttributeValue::S(key.item.clone()))
            .condition_expression("attribute_not_exists(#plan) OR #version = :expected")
            .expression_attribute_names("#plan", "plan")
            .expression_attribute_names("#version", "version")
            .expression_attribute_values(":expected", AttributeValue::N(expected.to_string()))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        match answer {
            Ok(_) => Ok(Put::Written),
            Err(error) => match error.as_service_error() {
                Some(DeleteItemError::ConditionalCheckFailedException(lost)) => self.lost_to(key, lost.item()).await,
                _ => Err(explain(&self.doing("deleting", key), Effect::Changes, CODES, &error)),
            },
        }
    }

    async fn query(&self, plan: &str, prefix: &str, limit: usize, newest_first: bool) -> Result<Vec<Item>, CallError> {
        let doing = format!("reading the items {prefix}… of plan {plan} in table {}", self.table);
        let mut items = Vec::new();
        let mut start: Option<Attributes> = None;
        while items.len() < limit {
            let page = (limit - items.len()).min(PAGE);
            let call = self
                .clients
                .client(None)
                .query()
                .table_name(&self.table)
                .consistent_read(true)
                .scan_index_forward(!newest_first)
                .limit(i32::try_from(page).unwrap_or(i32::MAX))
                .expression_attribute_names("#plan", "plan")
                .expression_attribute_values(":plan", AttributeValue::S(plan.to_owned()))
                .set_exclusive_start_key(start.take());
            // DynamoDB refuses an empty prefix.
            let call = if prefix.is_empty() {
                call.key_condition_expression("#plan = :plan")
            } else {
                call.key_condition_expression("#plan = :plan AND begins_with(#item, :prefix)")
                    .expression_attribute_names("#item", "item")
                    .expression_attribute_values(":prefix", AttributeValue::S(prefix.to_owned()))
            };
            let answer = call
                .send()
                .await
                .map_err(|error| explain(&doing, Effect::Reads, CODES, &error))?;
            for attributes in answer.items() {
                items.push(self.decode(attributes)?);
            }
            start = answer.last_evaluated_key.filter(|key| !key.is_empty());
            if start.is_none() {
                break;
            }
        }
        Ok(items)
    }

    async fn due(&self, until: Option<Timestamp>) -> Result<Vec<Due>, CallError> {
        let doing = format!("reading what is due from index {DUE_INDEX} of table {}", self.table);
        let mut found = Vec::new();
        let mut start: Option<Attributes> = None;
        loop {
            let call = self
                .clients
                .client(None)
                .query()
                .table_name(&self.table)
                .index_name(DUE_INDEX)
                .expression_attribute_names("#shard", "due_shard")
                .expression_attribute_values(":shard", AttributeValue::S(DUE_SHARD.to_owned()))
                .set_exclusive_start_key(start.take());
            let call = match until {
                None => call.key_condition_expression("#shard = :shard"),
                Some(until) => call
                    .key_condition_expression("#shard = :shard AND #due <= :until")
                    .expression_attribute_names("#due", "due_at")
                    .expression_attribute_values(":until", AttributeValue::N(until.as_millisecond().to_string())),
            };
            let answer = call
                .send()
                .await
                .map_err(|error| explain(&doing, Effect::Reads, CODES, &error))?;
            for attributes in answer.items() {
                let entry = text(attributes, "plan")
                    .and_then(|plan| {
                        Ok(Due {
                            plan,
                            due_at: moment(attributes, "due_at")?,
                        })
                    })
                    .map_err(|problem| {
                        CallError::new(
                            CallErrorKind::Refused,
                            format!("{doing}: {problem}; nothing was changed"),
                        )
                    })?;
                found.push(entry);
            }
            start = answer.last_evaluated_key.filter(|key| !key.is_empty());
            if start.is_none() {
                return Ok(found);
            }
        }
    }
}

/// An item in DynamoDB's own form.
///
/// # Errors
/// Its body has no such form.
pub fn encode(item: &Item) -> Result<Attributes, String> {
    let body: AttributeValue = serde_dynamo::aws_sdk_dynamodb_1::to_attribute_value(&item.body)
        .map_err(|error| format!("its body has no DynamoDB form: {error}"))?;
    let mut attributes = Attributes::from([
        ("plan".to_owned(), AttributeValue::S(item.key.plan.clone())),
        ("item".to_owned(), AttributeValue::S(item.key.item.clone())),
        ("version".to_owned(), AttributeValue::N(item.version.to_string())),
        ("write_id".to_owned(), AttributeValue::S(item.write_id.clone())),
        (
            "schema_version".to_owned(),
            AttributeValue::N(item.schema_version.to_string()),
        ),
        ("body".to_owned(), body),
    ]);
    if let Some(wake) = item.wake {
        attributes.insert("wake".to_owned(), AttributeValue::S(wake.as_str().to_owned()));
    }
    if let Some(due_at) = item.due_at {
        attributes.insert("due_shard".to_owned(), AttributeValue::S(DUE_SHARD.to_owned()));
        attributes.insert(
            "due_at".to_owned(),
            AttributeValue::N(due_at.as_millisecond().to_string()),
        );
    }
    Ok(attributes)
}

/// Reads an item from DynamoDB's own form.
///
/// # Errors
/// A sentence that names the attribute which is not as it must be, or says that a newer version wrote the item.
pub fn decode(attributes: &Attributes) -> Result<Item, String> {
    let schema_version: u32 = number(attributes, "schema_version")?;
    if schema_version > SCHEMA_VERSION {
        metrics::counter!("NewerItemsRefused").increment(1);
        let refusal = format!(
            "it is of form {schema_version} and this function knows form {SCHEMA_VERSION} at most; a newer version of \
             Understudy wrote it: deploy that version here too"
        );
        tracing::error!(
            schema_version,
            known_schema_version = SCHEMA_VERSION,
            "an item was refused: {refusal}"
        );
        return Err(refusal);
    }
    let wake = match attributes.get("wake") {
        None => None,
        Some(AttributeValue::S(word)) if word == Wake::Decision.as_str() => Some(Wake::Decision),
        Some(AttributeValue::S(word)) if word == Wake::Executor.as_str() => Some(Wake::Executor),
        Some(_) => return Err("its attribute `wake` names no function".to_owned()),
    };
    let due_at = if attributes.contains_key("due_at") {
        Some(moment(attributes, "due_at")?)
    } else {
        None
    };
    let body = attributes.get("body").cloned().ok_or("it has no attribute `body`")?;
    Ok(Item {
        key: Key {
            plan: text(attributes, "plan")?,
            item: text(attributes, "item")?,
        },
        version: number(attributes, "version")?,
        write_id: text(attributes, "write_id")?,
        schema_version,
        wake,
        due_at,
        body: serde_dynamo::aws_sdk_dynamodb_1::from_attribute_value(body)
            .map_err(|error| format!("its attribute `body` is not JSON: {error}"))?,
    })
}

fn text(attributes: &Attributes, name: &str) -> Result<String, String> {
    match attributes.get(name) {
        Some(AttributeValue::S(text)) => Ok(text.clone()),
        _ => Err(format!("it has no text `{name}`")),
    }
}

fn number<T: std::str::FromStr>(attributes: &Attributes, name: &str) -> Result<T, String> {
    match attributes.get(name) {
        Some(AttributeValue::N(number)) => number
            .parse()
            .map_err(|_| format!("its number `{name}` is {}", excerpt(number))),
        _ => Err(format!("it has no number `{name}`")),
    }
}

fn moment(attributes: &Attributes, name: &str) -> Result<Timestamp, String> {
    let millis = number(attributes, name)?;
    // The end of time, which stands for "never", is more than `from_millisecond` takes.
    if millis >= Timestamp::MAX.as_millisecond() {
        return Ok(Timestamp::MAX);
    }
    Timestamp::from_millisecond(millis).map_err(|_| format!("its time `{name}` is {millis}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    fn item() -> Item {
        Item {
            key: Key {
                plan: "shop".into(),
                item: "control".into(),
            },
            version: 7,
            write_id: "w-1".into(),
            schema_version: SCHEMA_VERSION,
            wake: Some(Wake::Executor),
            due_at: Some(Timestamp::from_millisecond(1_700_000_000_123).unwrap()),
            body: json!({
                "text": "", "none": null, "list": [1, -2, 3.5, [], {}], "yes": true, "big": u64::MAX, "nested": {"a": {"b": "c"}},
            }),
        }
    }

    #[test]
    fn an_item_comes_back_as_it_went() {
        assert_eq!(decode(&encode(&item()).unwrap()).unwrap(), item());
        let quiet = Item {
            wake: None,
            due_at: None,
            ..item()
        };
        let attributes = encode(&quiet).unwrap();
        assert!(!attributes.contains_key("wake") && !attributes.contains_key("due_shard"));
        assert_eq!(decode(&attributes).unwrap(), quiet);
    }

    #[test]
    fn the_end_of_time_is_a_due_time() {
        let never = Item {
            due_at: Some(Timestamp::MAX),
            ..item()
        };
        assert_eq!(decode(&encode(&never).unwrap()).unwrap(), never);
    }

    #[test]
    fn a_newer_form_is_refused_by_its_number() {
        let newer = Item {
            schema_version: SCHEMA_VERSION + 1,
            ..item()
        };
        let refusal = decode(&encode(&newer).unwrap()).unwrap_err();
        assert!(refusal.contains(&format!("form {}", SCHEMA_VERSION + 1)), "{refusal}");
        assert!(refusal.contains(&format!("form {SCHEMA_VERSION} at most")), "{refusal}");
    }

    #[test]
    fn a_damaged_item_is_refused_by_its_attribute() {
        for name in ["plan", "item", "version", "write_id", "schema_version", "body"] {
            let mut attributes = encode(&item()).unwrap();
            attributes.remove(name);
            let refusal = decode(&attributes).unwrap_err();
            assert!(refusal.contains(&format!("`{name}`")), "{refusal}");
        }
    }
}
