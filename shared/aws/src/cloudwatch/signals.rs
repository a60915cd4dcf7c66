//! Metrics that health checks follow: one datapoint of each, in one call.

use crate::config::{AwsConfig, Regional, Usage};
use crate::failure::{Codes, Effect, explain};
use async_trait::async_trait;
use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::types::{Dimension, MetricDatum};
use understudy_engine::ports::{CallError, CallErrorKind, SignalMetric, Signals};

/// Signals.
pub struct CloudWatchSignals {
    clients: Regional<Client>,
}

impl CloudWatchSignals {
    /// Signals in every Region that this configuration reaches.
    pub fn new(config: &AwsConfig) -> Self {
        Self {
            clients: Regional::new(config, Usage::Changes, Client::new),
        }
    }
}

#[async_trait]
impl Signals for CloudWatchSignals {
    async fn publish(&self, region: Option<&str>, values: &[(SignalMetric, f64)]) -> Result<(), CallError> {
        let Some((first, _)) = values.first() else {
            return Ok(());
        };
        let namespace = &first.namespace;
        let doing = format!("publishing {} metric(s) {} in {namespace}", values.len(), first.name);
        if values.iter().any(|(metric, _)| metric.namespace != *namespace) {
            let message = format!("{doing}: one call has one namespace, and these have several; nothing was changed");
            return Err(CallError::new(CallErrorKind::Refused, message));
        }
        // Without a time of their own they are of the moment at which they arrive: the newest, whatever our clock says.
        let data = values.iter().map(|(metric, value)| {
            let dimensions = metric.dimensions.iter();
            let dimensions = dimensions.map(|(name, value)| Dimension::builder().name(name).value(value).build());
            MetricDatum::builder()
                .metric_name(&metric.name)
                .set_dimensions(Some(dimensions.collect()))
                .value(*value)
                .build()
        });
        self.clients
            .client(region)
            .put_metric_data()
            .namespace(namespace)
            .set_metric_data(Some(data.collect()))
            .send()
            .await
            .map(drop)
            .map_err(|error| explain(&doing, Effect::Changes, Codes::default(), &error))
    }
}
