//! CloudWatch alarms as EventBridge would deliver them.
//!
//! Neither emulator turns a changed alarm into an event, and nobody but AWS may put events of
//! `aws.*` on the bus. So the last part of the way is walked here, with the deployed parts:
//!
//! 1. The alarm's state is set, as a person rehearsing would (`SetAlarmState`), and read back.
//! 2. The event is built as AWS sends it, from what was read.
//! 3. The *deployed* rule's pattern is asked about it (`TestEventPattern`).
//! 4. The rule's *deployed* Lambda targets are invoked asynchronously with exactly that event.

use aws_sdk_cloudwatch::types::{MetricAlarm, StateValue};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::error::CloudError;
use super::{ACCOUNT, Deployment, LocalCloud, REGION, raw};

/// What an event says about a changed alarm, apart from the alarm's own configuration.
#[derive(Clone, Debug)]
pub struct AlarmChange {
    /// The new state: `ALARM`, `OK` or `INSUFFICIENT_DATA`.
    pub state: String,
    /// The state before.
    pub previous_state: String,
    /// Why, in CloudWatch's words.
    pub reason: String,
    /// When the state changed.
    pub changed_at: Timestamp,
    /// When the state before began.
    pub previous_changed_at: Timestamp,
}

/// The event `CloudWatch Alarm State Change` of a metric alarm.
pub fn alarm_state_change_event(alarm: &MetricAlarm, change: &AlarmChange) -> Value {
    let dimensions: serde_json::Map<String, Value> = alarm
        .dimensions()
        .iter()
        .filter_map(|d| Some((d.name()?.to_owned(), Value::from(d.value()?))))
        .collect();
    let mut configuration = json!({
        "metrics": [{
            "id": uuid::Uuid::new_v4().to_string(),
            "metricStat": {
                "metric": {
                    "namespace": alarm.namespace(), "name": alarm.metric_name(),
                    "dimensions": dimensions,
                },
                "period": alarm.period(),
                "stat": alarm.statistic().map(|statistic| statistic.as_str()),
            },
            "returnData": true,
        }],
    });
    if let Some(description) = alarm.alarm_description() {
        configuration["description"] = description.into();
    }
    json!({
        "version": "0",
        "id": uuid::Uuid::new_v4().to_string(),
        "detail-type": "CloudWatch Alarm State Change",
        "source": "aws.cloudwatch",
        "account": ACCOUNT,
        "time": change.changed_at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        "region": REGION,
        "resources": [alarm.alarm_arn()],
        "detail": {
            "alarmName": alarm.alarm_name(),
            "state": state(&change.state, &change.reason, alarm, change.changed_at),
            "previousState":
                state(&change.previous_state, "The state before", alarm, change.previous_changed_at),
            "configuration": configuration,
        },
    })
}

fn state(value: &str, reason: &str, alarm: &MetricAlarm, at: Timestamp) -> Value {
    let data = json!({
        "version": "1.0",
        "queryDate": at.strftime("%Y-%m-%dT%H:%M:%S.%3f+0000").to_string(),
        "statistic": alarm.statistic().map(|statistic| statistic.as_str()),
        "period": alarm.period(),
        "recentDatapoints": [],
        "threshold": alarm.threshold(),
    });
    json!({
        "value": value,
        "reason": reason,
        // A text that holds JSON, as AWS sends it.
        "reasonData": data.to_string(),
        "timestamp": at.strftime("%Y-%m-%dT%H:%M:%S.%3f+0000").to_string(),
    })
}

impl LocalCloud {
    /// Sets an alarm's state and delivers the event of it; returns the event.
    ///
    /// # Errors
    /// When the alarm does not exist, or no deployed rule matches the event.
    pub async fn deliver_alarm_event(
        &self,
        deployment: &Deployment,
        alarm: &str,
        state: &str,
        reason: &str,
    ) -> Result<Value, CloudError> {
        let event = self.change_alarm(alarm, state, reason).await?;
        self.deliver_event(deployment, &event).await?;
        Ok(event)
    }

    /// Sets an alarm's state and returns the event of it, which nobody has got yet.
    ///
    /// # Errors
    /// When the alarm does not exist.
    pub async fn change_alarm(&self, alarm: &str, state: &str, reason: &str) -> Result<Value, CloudError> {
        let before = self.alarm(alarm).await?;
        self.clients()
            .cloudwatch
            .set_alarm_state()
            .alarm_name(alarm)
            .state_value(StateValue::from(state))
            .state_reason(reason)
            .send()
            .await
            .map_err(CloudError::call(format!("SetAlarmState of {alarm}")))?;
        let after = self.alarm(alarm).await?;
        let at = |alarm: &MetricAlarm| {
            let seconds = alarm.state_updated_timestamp().map(|time| time.secs());
            seconds.and_then(|seconds| Timestamp::from_second(seconds).ok())
        };
        let now = Timestamp::now();
        let previous = before.state_value().map_or("INSUFFICIENT_DATA", StateValue::as_str);
        let change = AlarmChange {
            state: state.to_owned(),
            previous_state: previous.to_owned(),
            reason: reason.to_owned(),
            changed_at: at(&after).unwrap_or(now),
            previous_changed_at: at(&before).unwrap_or(now),
        };
        Ok(alarm_state_change_event(&after, &change))
    }

    /// Delivers any event to the Lambda targets of every deployed rule whose pattern matches;
    /// returns the ARNs of the functions that got it. May be called again with the same event:
    /// EventBridge delivers at least once.
    ///
    /// # Errors
    /// When no deployed rule matches: on AWS the event would go nowhere.
    pub async fn deliver_event(&self, deployment: &Deployment, event: &Value) -> Result<Vec<String>, CloudError> {
        let mut delivered = Vec::new();
        for rule in self.matching_rules(deployment, event).await? {
            let answer = self.events("ListTargetsByRule", json!({ "Rule": rule })).await?;
            for target in answer["Targets"].as_array().into_iter().flatten() {
                let arn = target["Arn"].as_str().unwrap_or_default();
                if arn.contains(":lambda:") {
                    self.invoke_async(arn, event).await?;
                    delivered.push(arn.to_owned());
                }
            }
        }
        if delivered.is_empty() {
            return Err(CloudError::missing(
                "the deployed EventBridge rules",
                format!("none with a Lambda target matches the event, which was not delivered: {event}"),
            ));
        }
        Ok(delivered)
    }

    /// The names of the deployed rules whose event pattern matches the event.
    ///
    /// # Errors
    /// When a rule cannot be read.
    pub async fn matching_rules(&self, deployment: &Deployment, event: &Value) -> Result<Vec<String>, CloudError> {
        let mut matching = Vec::new();
        for rule in deployment.of_type("AWS::Events::Rule") {
            // A physical id may be `bus|rule`; the default bus leaves the rule's name alone.
            let name = rule.rsplit('|').next().unwrap_or(rule);
            let found = self.events("DescribeRule", json!({ "Name": name })).await?;
            let Some(pattern) = found["EventPattern"].as_str().filter(|text| !text.is_empty()) else {
                continue;
            };
            let test = json!({ "EventPattern": pattern, "Event": event.to_string() });
            if self.events("TestEventPattern", test).await?["Result"] == true {
                matching.push(name.to_owned());
            }
        }
        Ok(matching)
    }

    async fn events(&self, operation: &str, body: Value) -> Result<Value, CloudError> {
        let target = format!("AWSEvents.{operation}");
        raw::json(self.ministack_endpoint(), "events", &target, &body).await
    }

    /// An alarm as CloudWatch describes it now.
    ///
    /// # Errors
    /// When there is none of this name.
    pub async fn alarm(&self, name: &str) -> Result<MetricAlarm, CloudError> {
        let call = self.clients().cloudwatch.describe_alarms().alarm_names(name).send();
        let found = call
            .await
            .map_err(CloudError::call(format!("DescribeAlarms of {name}")))?;
        let mut alarms = found.metric_alarms.unwrap_or_default();
        alarms
            .pop()
            .ok_or_else(|| CloudError::missing(format!("the alarm {name}"), "not there"))
    }
}
