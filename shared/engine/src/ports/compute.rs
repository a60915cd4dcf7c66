//! EC2: the machines, and their addresses.

use super::CallError;
use async_trait::async_trait;
use understudy_core::state::Association;

/// The status checks of an EC2 instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstanceStatus {
    /// The instance.
    pub instance_id: String,
    /// `running`, `stopped`, …
    pub state: String,
    /// `ok`, `impaired`, `initializing`, `insufficient-data`, `not-applicable`.
    pub instance_check: String,
    /// The same for the system underneath.
    pub system_check: String,
}

/// A changing call of EC2, to be tried with `DryRun`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rehearsal {
    /// Starting these instances.
    Start(Vec<String>),
    /// Stopping them.
    Stop(Vec<String>),
    /// Associating an address, by its allocation id.
    Associate(String, Association),
    /// Ending its association, if it is this one.
    Disassociate(String, Association),
}

/// EC2.
#[async_trait]
pub trait Compute: Send + Sync {
    /// The status of these instances, at most 100. `NotFound` if one of them does not exist.
    async fn instance_statuses(&self, region: Option<&str>, ids: &[String]) -> Result<Vec<InstanceStatus>, CallError>;
    /// Starts these instances: all or none. One that runs already stays as it is.
    async fn start(&self, region: Option<&str>, ids: &[String]) -> Result<(), CallError>;
    /// Stops these instances: all or none. One that is stopped already stays as it is.
    async fn stop(&self, region: Option<&str>, ids: &[String]) -> Result<(), CallError>;
    /// Asks whether the call would be allowed, and changes nothing. `Refused` if not.
    async fn rehearse(&self, region: Option<&str>, call: &Rehearsal) -> Result<(), CallError>;
    /// What an Elastic IP address is associated with, if anything. `NotFound` if there is no such address.
    async fn association(&self, region: Option<&str>, allocation_id: &str) -> Result<Option<Association>, CallError>;
    /// The other addresses that AWS would disassociate, if this one came to `wanted`: those that are there already.
    async fn addresses_in_the_way(
        &self,
        region: Option<&str>,
        allocation_id: &str,
        wanted: &Association,
    ) -> Result<Vec<String>, CallError>;
    /// Associates the address; a conflict if it is associated with anything: nothing is ever taken from there. `Refused` if
    /// another address is there, which AWS would disassociate.
    async fn associate(&self, region: Option<&str>, allocation_id: &str, wanted: &Association)
    -> Result<(), CallError>;
    /// Ends the association, if it is still `expected`.
    async fn disassociate(
        &self,
        region: Option<&str>,
        allocation_id: &str,
        expected: &Association,
    ) -> Result<(), CallError>;
}
