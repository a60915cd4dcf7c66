//! Endpoint groups on Global Accelerator.
//!
//! `UpdateEndpointGroup` has no version to compare, and replaces all endpoints of a group by those that it is given. So a
//! change reads the group, compares what it is about to replace with what its caller expects, and sends the dial if that
//! changes, and every endpoint if a weight does. An endpoint from another account needs an attachment that the service does
//! not tell: of such a group only the dial can be changed, and the service refuses the rest.

use crate::config::{AwsConfig, Regional, Usage, attempts_alone};
use crate::failure::{Codes, Effect, explain, within_one_call};
use async_trait::async_trait;
use aws_sdk_globalaccelerator::Client;
use aws_sdk_globalaccelerator::config::Builder;
use aws_sdk_globalaccelerator::types::EndpointGroup as Described;
use aws_sdk_globalaccelerator::types::{AcceleratorStatus, EndpointConfiguration, EndpointDescription};
use understudy_core::state::{Dial, Percent};
use understudy_engine::actions::repeated;
use understudy_engine::ports::{Accelerators, CallError, CallErrorKind, EndpointGroup};

const CODES: Codes = Codes {
    not_found: &["EndpointGroupNotFoundException", "AcceleratorNotFoundException"],
    retryable: repeated::GLOBAL_ACCELERATOR,
};

/// Where the API is, for accelerators and endpoint groups in all Regions.
const API_REGION: Option<&str> = Some("us-west-2");
/// The weight of an endpoint that was added without one.
const DEFAULT_WEIGHT: i32 = 128;

/// Global Accelerator.
pub struct GlobalAccelerators {
    reading: Regional<Client>,
    changing: Regional<Client>,
}

impl GlobalAccelerators {
    /// The accelerators of the account.
    pub fn new(config: &AwsConfig) -> Self {
        Self {
            reading: Regional::new(config, Usage::Reads, |sdk| {
                Client::from_conf(Builder::from(sdk).retry_partition(attempts_alone()).build())
            }),
            changing: Regional::new(config, Usage::Changes, Client::new),
        }
    }

    async fn described(&self, arn: &str, doing: &str) -> Result<Described, CallError> {
        let client = self.reading.client(API_REGION);
        let answer = client.describe_endpoint_group().endpoint_group_arn(arn).send().await;
        let answer = answer.map_err(|error| explain(doing, Effect::Reads, CODES, &error))?;
        answer.endpoint_group.ok_or_else(|| {
            let message = format!("{doing}: the answer has no endpoint group in it; nothing was changed");
            CallError::new(CallErrorKind::Lost, message)
        })
    }
}

#[async_trait]
impl Accelerators for GlobalAccelerators {
    async fn endpoint_group(&self, arn: &str) -> Result<EndpointGroup, CallError> {
        let doing = format!("reading endpoint group {arn}");
        group(&doing, &self.described(arn, &doing).await?)
    }

    async fn is_deployed(&self, endpoint_group_arn: &str) -> Result<bool, CallError> {
        let arn = endpoint_group_arn.split("/listener/").next().unwrap_or_default();
        let doing = format!("reading accelerator {arn}");
        let client = self.reading.client(API_REGION);
        let answer = client.describe_accelerator().accelerator_arn(arn).send().await;
        let answer = answer.map_err(|error| explain(&doing, Effect::Reads, CODES, &error))?;
        let status = answer.accelerator().and_then(|accelerator| accelerator.status());
        Ok(status == Some(&AcceleratorStatus::Deployed))
    }

    async fn dial(&self, arn: &str, expected: &Dial, wanted: &Dial) -> Result<(), CallError> {
        let doing = format!("dialling endpoint group {arn} to {}", wanted.percent);
        within_one_call(&doing, async {
            let described = self.described(arn, &doing).await?;
            let found = group(&doing, &described)?;
            let weight = |id: &String| found.endpoints.get(id).copied();
            let as_expected = expected.weights.iter().all(|(id, old)| weight(id) == Some(*old));
            if found.percent != expected.percent || !as_expected {
                let message = format!(
                    "{doing}: found {} and {:?} where {} and {:?} was expected, so somebody else changed it; nothing was changed",
                    found.percent, found.endpoints, expected.percent, expected.weights
                );
                return Err(CallError::new(CallErrorKind::Conflict, message));
            }
            let mut call = self.changing.client(API_REGION).update_endpoint_group().endpoint_group_arn(arn);
            if wanted.percent != expected.percent {
                call = call.traffic_dial_percentage(wanted.percent.get());
            }
            if wanted.weights != expected.weights {
                let endpoints = described.endpoint_descriptions().iter();
                let endpoints = endpoints.map(|endpoint| configuration(endpoint, wanted)).collect();
                call = call.set_endpoint_configurations(Some(endpoints));
            }
            let answer = call.send().await;
            answer.map(drop).map_err(|error| explain(&doing, Effect::Changes, CODES, &error))
        })
        .await
    }
}

fn group(doing: &str, described: &Described) -> Result<EndpointGroup, CallError> {
    // The service's default, where it does not say.
    let percent = Percent::new(described.traffic_dial_percentage().unwrap_or(100.0))
        .map_err(|why| CallError::new(CallErrorKind::Refused, format!("{doing}: {why}; nothing was changed")))?;
    let endpoints = described.endpoint_descriptions().iter().filter_map(|endpoint| {
        let weight = endpoint.weight().unwrap_or(DEFAULT_WEIGHT);
        Some((endpoint.endpoint_id()?.to_owned(), u32::try_from(weight).ok()?))
    });
    Ok(EndpointGroup {
        percent,
        endpoints: endpoints.collect(),
    })
}

// An endpoint as it is, but for its weight.
fn configuration(endpoint: &EndpointDescription, wanted: &Dial) -> EndpointConfiguration {
    let weight = endpoint.endpoint_id().and_then(|id| wanted.weights.get(id));
    let weight = weight.and_then(|weight| i32::try_from(*weight).ok());
    EndpointConfiguration::builder()
        .set_endpoint_id(endpoint.endpoint_id().map(str::to_owned))
        .set_weight(weight.or(endpoint.weight()))
        .set_client_ip_preservation_enabled(endpoint.client_ip_preservation_enabled())
        .build()
}
