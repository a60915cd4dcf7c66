//! Status checks on EC2.

use crate::config::{AwsConfig, Regional, Usage};
use crate::failure::{Codes, Effect, explain};
use async_trait::async_trait;
use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::InstanceStatusSummary;
use understudy_engine::ports::{CallError, Compute, InstanceStatus};

const CODES: Codes = Codes {
    not_found: &["InvalidInstanceID.NotFound", "InvalidInstanceID.Malformed"],
    retryable: &["Unavailable"],
};

/// EC2 instances.
pub struct Ec2Compute {
    clients: Regional<Client>,
}

impl Ec2Compute {
    /// Instances of every Region that this configuration reaches.
    pub fn new(config: &AwsConfig) -> Self {
        Self {
            clients: Regional::new(config, Usage::Reads, Client::new),
        }
    }
}

#[async_trait]
impl Compute for Ec2Compute {
    async fn instance_statuses(&self, region: Option<&str>, ids: &[String]) -> Result<Vec<InstanceStatus>, CallError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let answer = self
            .clients
            .client(region)
            .describe_instance_status()
            .set_instance_ids(Some(ids.to_vec()))
            // Without it a stopped instance is not in the answer at all.
            .include_all_instances(true)
            .send()
            .await
            .map_err(|error| {
                explain(
                    &format!("reading the status of instance(s) {}", ids.join(", ")),
                    Effect::Reads,
                    CODES,
                    &error,
                )
            })?;
        let word = |summary: Option<&InstanceStatusSummary>| {
            summary
                .and_then(InstanceStatusSummary::status)
                .map_or("unknown", |status| status.as_str())
                .to_owned()
        };
        Ok(answer
            .instance_statuses()
            .iter()
            .map(|status| InstanceStatus {
                instance_id: status.instance_id().unwrap_or_default().to_owned(),
                state: status
                    .instance_state()
                    .and_then(|state| state.name())
                    .map_or("unknown", |name| name.as_str())
                    .to_owned(),
                instance_check: word(status.instance_status()),
                system_check: word(status.system_status()),
            })
            .collect())
    }
}
