//! One module for each kind of step, all in one shape.
//!
//! A kind says what it is ([`Facts`]) and does three things: *read* what is and what is wanted, *change* the
//! one into the other with a single mutating call, and say whether a change has *settled*. Undo is no
//! fourth thing: it is a change from what is to the recorded pre-state. Repeats, deadlines, intents and
//! lost replies belong to the executor and are the same for every kind.
//!
//! | to add a kind | where |
//! |---|---|
//! | what the plan says | a struct and a variant of `core::plan::Step` |
//! | what it reads and restores | a variant of `core::state::ResourceState` and a pure `wanted_…` |
//! | how | a module here, and its arm in [`driver`] |

mod dns_records;
mod elb_weights;
mod wait_healthy;

use crate::ports::{Alarms, CallError, Clock, Dns, Traffic};
use crate::store::Store;
use async_trait::async_trait;
use jiff::SignedDuration;
use serde::Serialize;
use std::sync::Arc;
use understudy_core::plan::{Plan, Step};
use understudy_core::state::ResourceState;

/// Which plane a step's calls use. On a Region's bad day its control planes may be down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Plane {
    /// Configuration calls.
    Control,
    /// It calls nothing of AWS but the table.
    None,
}

/// Whether a step can be taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reversibility {
    /// Its pre-state is restored exactly.
    Reversible,
    /// There is nothing to take back.
    Nothing,
}

/// What a kind of step is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Facts {
    /// The plane of its calls.
    pub plane: Plane,
    /// Whether it can be taken back.
    pub reversibility: Reversibility,
    /// The IAM actions that it reads with.
    pub reads: &'static [&'static str],
    /// The IAM actions that it changes with.
    pub changes: &'static [&'static str],
}

/// What a step found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// What is.
    pub current: ResourceState,
    /// What is wanted.
    pub wanted: ResourceState,
    /// For a gate: whether it lets go on. Always true for a change.
    pub open: bool,
    /// What was found, for people.
    pub note: String,
}

impl Reading {
    /// Whether nothing is to be changed or waited for.
    pub fn is_satisfied(&self) -> bool {
        self.open && self.current.same_as(&self.wanted)
    }
}

/// One step of one plan, bound to the ports that it uses.
#[async_trait]
pub trait Driver: Send + Sync {
    /// What the kind is.
    fn facts(&self) -> Facts;
    /// Reads what is, and works out what is wanted while site `to` is active.
    async fn read(&self, to: &str) -> Result<Reading, CallError>;
    /// Turns `from` into `into` with one mutating call, refused if it is not `from` any more.
    /// Answers what [`Driver::settled`] asks about, if anything.
    async fn change(
        &self,
        from: &ResourceState,
        into: &ResourceState,
        comment: &str,
    ) -> Result<Option<String>, CallError>;
    /// Whether the change has reached everybody.
    async fn settled(&self, receipt: &str) -> Result<bool, CallError> {
        let _ = receipt;
        Ok(true)
    }
    /// How long a change generally takes to reach everybody, where [`Driver::settled`] must be asked. That long is
    /// waited when the answer of [`Driver::change`] was lost and nobody can be asked.
    fn propagation(&self) -> Option<SignedDuration> {
        None
    }
    /// The calls that [`Driver::change`] would make, for a dry run.
    fn calls(&self, from: &ResourceState, into: &ResourceState) -> Vec<String>;
}

/// What drivers need of the world.
#[derive(Clone)]
pub struct StepPorts {
    /// Elastic Load Balancing.
    pub traffic: Arc<dyn Traffic>,
    /// Route 53.
    pub dns: Arc<dyn Dns>,
    /// CloudWatch alarms.
    pub alarms: Arc<dyn Alarms>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Observations.
    pub store: Store,
}

/// The driver of a step.
pub fn driver(ports: &StepPorts, plan: &Plan, step: &Step) -> Box<dyn Driver> {
    let region = step.common().region.clone().or_else(|| plan.region.clone());
    match step {
        Step::ElbWeights(step) => Box::new(elb_weights::ElbWeightsDriver::new(
            ports.traffic.clone(),
            step.clone(),
            region,
        )),
        Step::DnsRecords(step) => Box::new(dns_records::DnsRecordsDriver::new(ports.dns.clone(), step.clone())),
        Step::WaitHealthy(step) => Box::new(wait_healthy::WaitHealthyDriver::new(ports, plan.clone(), step.clone())),
    }
}

/// An error for states of another kind: an item written by hand, or a bug.
fn foreign_state(kind: &str) -> CallError {
    CallError::new(
        crate::ports::CallErrorKind::Refused,
        format!("a {kind} step was given the state of another kind of step; nothing was called"),
    )
}
