//! What steers traffic from outside: metrics that health checks follow, zonal shifts, Global Accelerator.

use super::CallError;
use async_trait::async_trait;
use jiff::Timestamp;
use std::collections::BTreeMap;
use understudy_core::state::{Dial, Percent};

/// A metric that somebody follows, by all that names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignalMetric {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its dimensions, all of them.
    pub dimensions: Vec<(String, String)>,
}

/// CloudWatch metrics that somebody follows.
#[async_trait]
pub trait Signals: Send + Sync {
    /// Publishes one datapoint of each of these, of now, all in one call: all of them or none. There is nothing to compare
    /// with; the newest word counts.
    async fn publish(&self, region: Option<&str>, values: &[(SignalMetric, f64)]) -> Result<(), CallError>;
}

/// A resource with zonal shift enabled, as `GetManagedResource` says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShiftedResource {
    /// Its zones by their ids, each with whether it gets traffic.
    pub zones: BTreeMap<String, bool>,
    /// The zonal shifts that are active.
    pub shifts: Vec<ActiveShift>,
    /// The zones that AWS itself keeps traffic away from (autoshifts).
    pub autoshifts: Vec<String>,
}

/// One active zonal shift.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActiveShift {
    /// The service's name for it.
    pub id: String,
    /// The zone that is left, by its id.
    pub away_from: String,
    /// When it ends by itself.
    pub ends_at: Timestamp,
    /// What its beginner wrote.
    pub comment: String,
    /// `ZONAL_SHIFT`, `PRACTICE_RUN`, `FIS_EXPERIMENT`, …
    pub shift_type: String,
}

/// ARC zonal shift.
#[async_trait]
pub trait ZonalShifts: Send + Sync {
    /// What is shifted of a resource. `NotFound` if it is not there, or zonal shift is not enabled for it.
    async fn resource(&self, region: Option<&str>, arn: &str) -> Result<ShiftedResource, CallError>;
    /// Starts a shift that ends by itself; a conflict if one is active.
    async fn start(
        &self,
        region: Option<&str>,
        arn: &str,
        away_from: &str,
        minutes: u32,
        comment: &str,
    ) -> Result<(), CallError>;
    /// Lets a shift end so many minutes from now; a conflict if it is not active any more.
    async fn extend(&self, region: Option<&str>, id: &str, minutes: u32, comment: &str) -> Result<(), CallError>;
    /// Ends a shift; a conflict if it is not active any more.
    async fn cancel(&self, region: Option<&str>, id: &str) -> Result<(), CallError>;
}

/// An endpoint group of Global Accelerator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointGroup {
    /// Its traffic dial.
    pub percent: Percent,
    /// Its endpoints, each with its weight.
    pub endpoints: BTreeMap<String, u32>,
}

/// Global Accelerator, whose API lies in one Region for all.
#[async_trait]
pub trait Accelerators: Send + Sync {
    /// An endpoint group. `NotFound` if there is none of this ARN.
    async fn endpoint_group(&self, arn: &str) -> Result<EndpointGroup, CallError>;
    /// Whether the accelerator of this endpoint group has deployed every change to its edge.
    async fn is_deployed(&self, endpoint_group_arn: &str) -> Result<bool, CallError>;
    /// Sets the dial and the weights of these endpoints in one call, if they are still `expected`. All other endpoints
    /// and all other settings of the group stay.
    async fn dial(&self, arn: &str, expected: &Dial, wanted: &Dial) -> Result<(), CallError>;
}
