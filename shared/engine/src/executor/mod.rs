//! The executor: takes an execution over and carries it a turn further.
//!
//! 1. Read the control item; is there anything to do? A turn that finds nothing takes no lease.
//! 2. Take the lease: one conditional write, `epoch + 1`. Held by another, or left to another Region: leave.
//! 3. Ask [`Execution::next`] what to do, do it, and commit the result, conditional on the epoch
//!    (`Turn::commit`). A commit that finds another epoch ends the turn at once: nothing more is called.
//! 4. Before a mutating call: a commit that counts the attempt (so intent, pre-state and epoch have just been
//!    seen durable), then a check that the whole call fits into the lease and into Lambda's time.
//! 5. Long waits are recorded (`wake_at`) and left; the probe touches the item when they are over.
//! 6. Publish what is to be told, then release the lease in one last write.
//!
//! Nothing is spawned: no task outlives its invocation, so a thawed sandbox sends nothing.

mod pre_state;
mod preflight;
pub mod question;
mod turn;

use crate::intake::{self, Incoming, WakeRecord};
use crate::ports::{
    Accelerators, AlarmDefinitions, Alarms, CallError, CallErrorKind, Clock, Compute, Database, DatabaseFailover,
    DatabaseSetup, Dns, GroupSetup, Groups, HealthChecks, Hooks, Invocation, Metrics, Notifier, Permissions, Random,
    Signals, Table, Traffic, ZonalShifts,
};
use crate::steps::StepPorts;
use crate::store::Store;
use futures_util::future::BoxFuture;
use jiff::SignedDuration;
use serde_json::{Value, json};
use std::sync::Arc;
use understudy_core::execution::Execution;
use understudy_core::plan::Stack;

/// The longest that a mutating call may take, its connection included. `shared/aws` sets its clients to it.
pub const CALL_TIMEOUT: SignedDuration = SignedDuration::from_secs(8);
/// When a turn stops beginning anything new.
pub const TURN: SignedDuration = SignedDuration::from_secs(25);

/// The ways out of the executor.
#[derive(Clone)]
pub struct ExecutorPorts {
    /// The table.
    pub table: Arc<dyn Table>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub random: Arc<dyn Random>,
    /// Elastic Load Balancing.
    pub traffic: Arc<dyn Traffic>,
    /// Route 53.
    pub dns: Arc<dyn Dns>,
    /// Route 53's health checks.
    pub health_checks: Arc<dyn HealthChecks>,
    /// SNS.
    pub notifier: Arc<dyn Notifier>,
    /// EC2.
    pub compute: Arc<dyn Compute>,
    /// EC2 Auto Scaling.
    pub groups: Arc<dyn Groups>,
    /// EC2 Auto Scaling, for what is adjusted once.
    pub group_setup: Arc<dyn GroupSetup>,
    /// Users' functions.
    pub hooks: Arc<dyn Hooks>,
    /// RDS, for validating.
    pub database: Arc<dyn Database>,
    /// RDS, for steps.
    pub databases: Arc<dyn DatabaseFailover>,
    /// RDS, for what is made once.
    pub database_setup: Arc<dyn DatabaseSetup>,
    /// CloudWatch, for gates and validating.
    pub alarms: Arc<dyn Alarms>,
    /// What alarms are, for steps of setup.
    pub definitions: Arc<dyn AlarmDefinitions>,
    /// CloudWatch metrics, for steps that wait for a copy to catch up, or for a health check to show a signal.
    pub metrics: Arc<dyn Metrics>,
    /// IAM, for preflight.
    pub permissions: Arc<dyn Permissions>,
    /// CloudWatch metrics that health checks follow.
    pub signals: Arc<dyn Signals>,
    /// ARC zonal shift.
    pub shifts: Arc<dyn ZonalShifts>,
    /// Global Accelerator.
    pub accelerators: Arc<dyn Accelerators>,
}

impl ExecutorPorts {
    /// Typed items over the table.
    pub fn store(&self) -> Store {
        Store::new(self.table.clone(), self.clock.clone(), self.random.clone())
    }

    /// What drivers of steps need of them.
    pub fn steps(&self, store: &Store) -> StepPorts {
        StepPorts {
            traffic: self.traffic.clone(),
            dns: self.dns.clone(),
            health_checks: self.health_checks.clone(),
            compute: self.compute.clone(),
            groups: self.groups.clone(),
            group_setup: self.group_setup.clone(),
            hooks: self.hooks.clone(),
            alarms: self.alarms.clone(),
            definitions: self.definitions.clone(),
            metrics: self.metrics.clone(),
            signals: self.signals.clone(),
            shifts: self.shifts.clone(),
            accelerators: self.accelerators.clone(),
            databases: self.databases.clone(),
            database_setup: self.database_setup.clone(),
            clock: self.clock.clone(),
            store: store.clone(),
            topic_arn: None,
        }
    }
}

/// An invocation that did not do its work: whoever invoked it should try again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct HandlerError(pub String);

impl From<CallError> for HandlerError {
    fn from(error: CallError) -> Self {
        Self(error.message)
    }
}

/// The body of the executor function.
pub struct Executor {
    ports: ExecutorPorts,
    store: Store,
    steps: StepPorts,
    region: String,
    stack: Stack,
}

impl Executor {
    /// An executor over these ports, which runs in this Region.
    pub fn new(ports: ExecutorPorts, region: String) -> Self {
        let store = ports.store();
        let steps = ports.steps(&store);
        Self {
            ports,
            store,
            steps,
            region,
            stack: Stack::default(),
        }
    }

    /// The same, which knows this of its stack.
    pub fn with_stack(mut self, stack: Stack) -> Self {
        self.steps.topic_arn = stack.topic_arn.clone();
        self.stack = stack;
        self
    }

    /// Handles one invocation.
    ///
    /// # Errors
    /// A nudge could not be served because the table is out of reach. Stream batches name their failed
    /// records instead; questions and nonsense are always answered.
    pub fn handle<'a>(
        &'a self,
        payload: Value,
        invocation: &'a Invocation,
    ) -> BoxFuture<'a, Result<Value, HandlerError>> {
        // Boxed here and in the two other handlers: without it, all that a handler does would be compiled anew for every
        // program and every test that calls it.
        Box::pin(self.handle_here(payload, invocation))
    }

    async fn handle_here(&self, payload: Value, invocation: &Invocation) -> Result<Value, HandlerError> {
        match intake::classify(payload) {
            Incoming::Wakes(records) => Ok(self.wakes(records, invocation).await),
            Incoming::Nudge(plan) => self.nudged(&plan, invocation).await.map_err(HandlerError::from),
            Incoming::Question(question) => Ok(self.answer(question).await),
            Incoming::Unknown(why) => Ok(refuse(&why)),
            Incoming::Command(_) | Incoming::ResourceRequest(_) | Incoming::Alarms(..) => Ok(refuse(
                "commands and alarms go to the decision function; the executor takes wakes of the stream and {\"plan\": …}",
            )),
        }
    }

    async fn wakes(&self, records: Vec<WakeRecord>, invocation: &Invocation) -> Value {
        let mut failures = Vec::new();
        for record in records {
            if record.plan.starts_with('_') || record.item != crate::store::CONTROL {
                continue;
            }
            if let Err(error) = self.turn(&record.plan, invocation).await {
                tracing::error!(
                    plan = record.plan,
                    error = error.message,
                    "the turn failed; the stream delivers the wake again"
                );
                failures.push(json!({"itemIdentifier": record.sequence_number}));
            }
        }
        json!({"batchItemFailures": failures})
    }

    // A turn first: what is going on is never kept waiting by what might.
    async fn nudged(&self, plan: &str, invocation: &Invocation) -> Result<Value, CallError> {
        let outcome = self.turn(plan, invocation).await?;
        let preflight = self.preflight(plan, false).await?;
        let found = preflight.map(|found| found.sentence());
        Ok(json!({"ok": true, "plan": plan, "outcome": outcome, "preflight": found}))
    }

    async fn turn(&self, plan: &str, invocation: &Invocation) -> Result<String, CallError> {
        turn::run(self, plan, invocation).await
    }

    fn driver(
        &self,
        execution: &Execution,
        index: usize,
        goal: &crate::steps::Goal,
    ) -> Result<Box<dyn crate::steps::Driver>, CallError> {
        let step = execution.step(index).ok_or_else(|| {
            CallError::new(
                CallErrorKind::Refused,
                format!(
                    "execution {} has no step {index} in its plan; nothing was called",
                    execution.id
                ),
            )
        })?;
        Ok(crate::steps::driver(&self.steps, &execution.plan, step, goal))
    }
}

fn refuse(why: &str) -> Value {
    json!({"ok": false, "error": why, "changed": "nothing"})
}
