//! Alarms on CloudWatch.

mod definitions;
mod metrics;
mod signals;

pub use definitions::CloudWatchDefinitions;
pub use metrics::{CloudWatchMetrics, index_of};
pub use signals::CloudWatchSignals;

use crate::config::{AwsConfig, Regional, Usage};
use crate::failure::{Codes, Effect, explain};
use async_trait::async_trait;
use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{AlarmType, StateValue};
use jiff::Timestamp;
use understudy_core::health::{AlarmReading, AlarmState};
use understudy_engine::ports::{Alarms, CallError};

/// Alarms.
pub struct CloudWatchAlarms {
    clients: Regional<Client>,
}

impl CloudWatchAlarms {
    /// Alarms of every Region that this configuration reaches.
    pub fn new(config: &AwsConfig) -> Self {
        Self {
            clients: Regional::new(config, Usage::Reads, Client::new),
        }
    }
}

#[async_trait]
impl Alarms for CloudWatchAlarms {
    async fn readings(&self, region: Option<&str>, names: &[String]) -> Result<Vec<AlarmReading>, CallError> {
        if names.is_empty() {
            // The service would answer with all alarms of the account.
            return Ok(Vec::new());
        }
        let doing = format!("reading alarm(s) {}", names.join(", "));
        let mut readings = Vec::new();
        let mut token: Option<String> = None;
        loop {
            let page = self
                .clients
                .client(region)
                .describe_alarms()
                .set_alarm_names(Some(names.to_vec()))
                .alarm_types(AlarmType::MetricAlarm)
                // Composite alarms are left out unless they are asked for.
                .alarm_types(AlarmType::CompositeAlarm)
                .max_records(100)
                .set_next_token(token.take())
                .send()
                .await
                .map_err(|error| explain(&doing, Effect::Reads, Codes::default(), &error))?;
            readings.extend(page.metric_alarms().iter().map(|alarm| {
                let since = alarm.state_transitioned_timestamp().or(alarm.state_updated_timestamp());
                reading(alarm.alarm_name(), alarm.state_value(), since, alarm.state_reason())
            }));
            readings.extend(page.composite_alarms().iter().map(|alarm| {
                let since = alarm.state_transitioned_timestamp().or(alarm.state_updated_timestamp());
                reading(alarm.alarm_name(), alarm.state_value(), since, alarm.state_reason())
            }));
            token = page.next_token.filter(|token| !token.is_empty());
            if token.is_none() {
                return Ok(readings);
            }
        }
    }
}

fn reading(
    name: Option<&str>,
    state: Option<&StateValue>,
    since: Option<&DateTime>,
    reason: Option<&str>,
) -> AlarmReading {
    let since = since
        .and_then(|since| since.to_millis().ok())
        .and_then(|millis| Timestamp::from_millisecond(millis).ok());
    AlarmReading {
        alarm_name: name.unwrap_or_default().to_owned(),
        state: match state {
            Some(StateValue::Ok) => AlarmState::Ok,
            Some(StateValue::Alarm) => AlarmState::Alarm,
            _ => AlarmState::InsufficientData,
        },
        // Without a time it has just begun: nothing that must last is satisfied by what is not known.
        since: since.unwrap_or_else(Timestamp::now),
        reason: reason.unwrap_or_default().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_that_is_not_known_is_no_data() {
        let state = StateValue::from("DREAMING");
        assert_eq!(
            reading(Some("a"), Some(&state), None, None).state,
            AlarmState::InsufficientData
        );
        assert_eq!(reading(Some("a"), None, None, None).state, AlarmState::InsufficientData);
    }

    #[test]
    fn the_time_keeps_its_milliseconds() {
        let since = DateTime::from_millis(1_700_000_000_123);
        let read = reading(Some("a"), Some(&StateValue::Alarm), Some(&since), Some("high"));
        assert_eq!(read.since.as_millisecond(), 1_700_000_000_123);
        assert_eq!((read.state, read.reason.as_str()), (AlarmState::Alarm, "high"));
    }
}
