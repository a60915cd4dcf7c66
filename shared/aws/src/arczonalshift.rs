//! Zonal shifts on ARC.
//!
//! The service compares by itself: it starts no second shift of a resource, and one that has ended is neither extended nor
//! cancelled. Both are told as a `ConflictException` with a reason.

use crate::config::{AwsConfig, Regional, Usage, attempts_alone};
use crate::failure::{Codes, Effect, explain};
use async_trait::async_trait;
use aws_sdk_arczonalshift::Client;
use aws_sdk_arczonalshift::config::Builder;
use aws_sdk_arczonalshift::types::{ShiftType, ZonalShiftInResource};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use jiff::Timestamp;
use std::error::Error;
use understudy_engine::actions::repeated;
use understudy_engine::ports::{ActiveShift, CallError, CallErrorKind, ShiftedResource, ZonalShifts};

const CODES: Codes = Codes {
    not_found: &["ResourceNotFoundException"],
    retryable: repeated::ZONAL_SHIFT,
};

/// How long a comment may be.
const MAX_COMMENT: usize = 128;

/// ARC zonal shift.
pub struct ArcZonalShifts {
    reading: Regional<Client>,
    changing: Regional<Client>,
}

impl ArcZonalShifts {
    /// Shifts in every Region that this configuration reaches.
    pub fn new(config: &AwsConfig) -> Self {
        Self {
            reading: Regional::new(config, Usage::Reads, |sdk| {
                Client::from_conf(Builder::from(sdk).retry_partition(attempts_alone()).build())
            }),
            changing: Regional::new(config, Usage::Changes, Client::new),
        }
    }
}

#[async_trait]
impl ZonalShifts for ArcZonalShifts {
    async fn resource(&self, region: Option<&str>, arn: &str) -> Result<ShiftedResource, CallError> {
        let doing = format!("reading the zonal shifts of {arn}");
        let client = self.reading.client(region);
        let found = client.get_managed_resource().resource_identifier(arn).send().await;
        let found = found.map_err(|error| {
            let mut error = explain(&doing, Effect::Reads, CODES, &error);
            if error.kind == CallErrorKind::NotFound {
                error.message += ". If the resource exists, zonal shift is not enabled for it (of a load balancer, the attribute \
                                  zonal_shift.config.enabled)";
            }
            error
        })?;
        let weights = found.applied_weights().iter();
        let shifts: Result<Vec<ActiveShift>, CallError> =
            found.zonal_shifts().iter().map(|shift| active(&doing, shift)).collect();
        Ok(ShiftedResource {
            zones: weights.map(|(zone, weight)| (zone.clone(), *weight > 0.0)).collect(),
            shifts: shifts?,
            autoshifts: found
                .autoshifts()
                .iter()
                .map(|shift| shift.away_from().to_owned())
                .collect(),
        })
    }

    async fn start(
        &self,
        region: Option<&str>,
        arn: &str,
        away_from: &str,
        minutes: u32,
        comment: &str,
    ) -> Result<(), CallError> {
        let doing = format!("shifting {arn} away from {away_from}");
        let client = self.changing.client(region);
        let call = client.start_zonal_shift().resource_identifier(arn).away_from(away_from);
        let call = call.expires_in(format!("{minutes}m")).comment(cut(comment));
        call.send().await.map(drop).map_err(|error| changed(&doing, &error))
    }

    async fn extend(&self, region: Option<&str>, id: &str, minutes: u32, comment: &str) -> Result<(), CallError> {
        let doing = format!("letting zonal shift {id} last {minutes} minutes from now");
        let call = self.changing.client(region).update_zonal_shift().zonal_shift_id(id);
        let call = call.expires_in(format!("{minutes}m")).comment(cut(comment));
        call.send()
            .await
            .map(drop)
            .map_err(|error| gone(changed(&doing, &error)))
    }

    async fn cancel(&self, region: Option<&str>, id: &str) -> Result<(), CallError> {
        let doing = format!("cancelling zonal shift {id}");
        let call = self.changing.client(region).cancel_zonal_shift().zonal_shift_id(id);
        call.send()
            .await
            .map(drop)
            .map_err(|error| gone(changed(&doing, &error)))
    }
}

fn active(doing: &str, shift: &ZonalShiftInResource) -> Result<ActiveShift, CallError> {
    let id = shift.zonal_shift_id();
    let ends_at = shift.expiry_time();
    let ends_at = Timestamp::from_second(ends_at.secs()).map_err(|error| {
        let message = format!("{doing}: the end of {id} can not be read: {error}; nothing was changed");
        CallError::new(CallErrorKind::Refused, message)
    })?;
    Ok(ActiveShift {
        id: id.to_owned(),
        away_from: shift.away_from().to_owned(),
        ends_at,
        comment: shift.comment().to_owned(),
        // Before there were practice runs, the service did not say: all were begun by hand.
        shift_type: shift.shift_type().unwrap_or(&ShiftType::ZonalShift).as_str().to_owned(),
    })
}

fn changed<E>(doing: &str, error: &SdkError<E, HttpResponse>) -> CallError
where
    E: Error + ProvideErrorMetadata + 'static,
{
    let mut explained = explain(doing, Effect::Changes, CODES, error);
    if error.as_service_error().and_then(ProvideErrorMetadata::code) == Some("ConflictException") {
        explained.kind = CallErrorKind::Conflict;
    }
    explained
}

// A shift that was there when its resource was read, and is not known any more.
fn gone(mut error: CallError) -> CallError {
    if error.kind == CallErrorKind::NotFound {
        error.kind = CallErrorKind::Conflict;
    }
    error
}

fn cut(comment: &str) -> String {
    comment.chars().take(MAX_COMMENT).collect()
}
