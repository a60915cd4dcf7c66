//! Reading the world back: what the cloud's own APIs say now.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{RECORD, World};
use crate::local_cloud::{CloudError, LocalCloud};

/// Target group ARN to forward weight.
pub type Weights = BTreeMap<String, i32>;

/// A message as the subscriber got it.
#[derive(Clone, Debug)]
pub struct Message {
    /// The subject line, if there was one.
    pub subject: Option<String>,
    /// The text, which may be JSON.
    pub body: String,
    /// The message attributes, by name; values as text.
    pub attributes: BTreeMap<String, String>,
    /// The whole SNS envelope.
    pub envelope: Value,
}

impl World {
    /// The weights of the listener's forward action.
    ///
    /// # Errors
    /// When the listener cannot be read or does not forward by weight.
    pub async fn listener_weights(&self, cloud: &LocalCloud) -> Result<Weights, CloudError> {
        let call = cloud
            .clients()
            .elb
            .describe_listeners()
            .listener_arns(&self.listener_arn);
        let what = format!("DescribeListeners {}", self.listener_arn);
        let found = call.send().await.map_err(CloudError::call(&what))?;
        let actions = found.listeners().first().map(|listener| listener.default_actions());
        let forward = actions.into_iter().flatten().find_map(|action| action.forward_config());
        let forward = forward.ok_or_else(|| CloudError::missing(what, "no forward action"))?;
        let groups = forward.target_groups().iter();
        Ok(groups
            .filter_map(|group| Some((group.target_group_arn()?.to_owned(), group.weight()?)))
            .collect())
    }

    /// The weights of blue and green, in this order; 0 for a group that is not attached.
    ///
    /// # Errors
    /// As [`World::listener_weights`].
    pub async fn blue_green_weights(&self, cloud: &LocalCloud) -> Result<(i32, i32), CloudError> {
        let weights = self.listener_weights(cloud).await?;
        let of = |arn: &String| weights.get(arn).copied().unwrap_or_default();
        Ok((of(&self.blue_target_group_arn), of(&self.green_target_group_arn)))
    }

    /// The values of the record that is moved.
    ///
    /// # Errors
    /// When the zone cannot be read or holds no such record.
    pub async fn record_values(&self, cloud: &LocalCloud) -> Result<Vec<String>, CloudError> {
        self.values_of(cloud, RECORD).await
    }

    /// The values of a record of the zone.
    ///
    /// # Errors
    /// As [`World::record_values`].
    pub async fn values_of(&self, cloud: &LocalCloud, record: &str) -> Result<Vec<String>, CloudError> {
        let zone = &self.hosted_zone_id;
        let call = cloud.clients().route53.list_resource_record_sets().hosted_zone_id(zone);
        let what = format!("ListResourceRecordSets of {zone}");
        let found = call.send().await.map_err(CloudError::call(&what))?;
        let mut sets = found.resource_record_sets().iter();
        let set = sets.find(|set| set.name().trim_end_matches('.') == record);
        let set = set.ok_or_else(|| CloudError::missing(what, format!("no {record}")))?;
        Ok(set
            .resource_records()
            .iter()
            .map(|record| record.value().to_owned())
            .collect())
    }

    /// Takes the messages that the subscriber has got so far, waiting up to `wait_seconds`
    /// (0 to 20) for the first. A message is returned once.
    ///
    /// # Errors
    /// When the queue cannot be read, or holds something that SNS would not send.
    pub async fn take_messages(&self, cloud: &LocalCloud, wait_seconds: i32) -> Result<Vec<Message>, CloudError> {
        let mut messages = Vec::new();
        let mut wait_seconds = wait_seconds;
        loop {
            let call = cloud.clients().sqs.receive_message().queue_url(&self.queue_url);
            let call = call.max_number_of_messages(10).wait_time_seconds(wait_seconds).send();
            let got = call
                .await
                .map_err(CloudError::call("ReceiveMessage of the subscriber"))?;
            if got.messages().is_empty() {
                return Ok(messages);
            }
            for message in got.messages() {
                messages.push(parse(message.body().unwrap_or_default())?);
                let receipt = message.receipt_handle().unwrap_or_default();
                let call = cloud.clients().sqs.delete_message().queue_url(&self.queue_url);
                let deleted = call.receipt_handle(receipt).send().await;
                deleted.map_err(CloudError::call("DeleteMessage of the subscriber"))?;
            }
            wait_seconds = 0;
        }
    }
}

fn parse(text: &str) -> Result<Message, CloudError> {
    let envelope: Value = serde_json::from_str(text)
        .map_err(|error| CloudError::missing("the subscriber's message", format!("{error} in {text}")))?;
    let attributes = envelope["MessageAttributes"].as_object();
    let attributes = attributes
        .into_iter()
        .flatten()
        .map(|(name, value)| (name.clone(), value["Value"].as_str().unwrap_or_default().to_owned()))
        .collect();
    Ok(Message {
        subject: envelope["Subject"].as_str().map(str::to_owned),
        body: envelope["Message"].as_str().unwrap_or_default().to_owned(),
        attributes,
        envelope,
    })
}
