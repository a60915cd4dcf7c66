//! The decision function: the only door.
//!
//! Alarms, health changes, timers and people all ask it. It reads the truth, judges with
//! [`understudy_core::decide`], writes what it decided by one compare-and-set, and answers with its reasons.
//! What it refused is recorded too.
//!
//! - `judge` is the loop of reading, judging and writing; `fleet` what it asks of all plans together.
//! - `commands` is what people ask for; `plans` is `put-plan`, `delete-plan` and `validate`.

mod answers;
mod commands;
mod fleet;
mod judge;
mod plans;

pub use judge::DecisionRecord;

use crate::executor::HandlerError;
use crate::intake::{self, Incoming, MAX_PAYLOAD_BYTES, WakeRecord};
use crate::ports::{Alarms, CallError, Clock, Functions, Invocation, Key, Random, Table};
use crate::store::{CONTROL, OBSERVATION, Store};
use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use std::sync::Arc;
use understudy_core::control::Wake;
use understudy_core::decide::Trigger;
use understudy_core::event::{AlarmEvent, excerpt_long};
use understudy_core::fleet::FleetLimits;
use understudy_core::health::Observation;
use understudy_core::plan::Stack;

/// The ways out of the decision function.
#[derive(Clone)]
pub struct DecisionPorts {
    /// The table.
    pub table: Arc<dyn Table>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub random: Arc<dyn Random>,
    /// CloudWatch.
    pub alarms: Arc<dyn Alarms>,
    /// The executor, for questions.
    pub functions: Arc<dyn Functions>,
}

/// The body of the decision function.
pub struct DecisionMaker {
    ports: DecisionPorts,
    store: Store,
    fleet: FleetLimits,
    stack: Stack,
}

/// How many automatic executions go on at once over all plans, unless the stack says otherwise.
pub const DEFAULT_FLEET_CONCURRENT: u32 = 3;

impl DecisionMaker {
    /// A decision function over these ports. `fleet_limit`: how many automatic failovers an hour all plans
    /// together may make.
    pub fn new(ports: DecisionPorts, fleet_limit: u32) -> Self {
        let store = Store::new(ports.table.clone(), ports.clock.clone(), ports.random.clone());
        Self {
            ports,
            store,
            fleet: FleetLimits {
                failovers_per_hour: fleet_limit,
                concurrent: DEFAULT_FLEET_CONCURRENT,
            },
            stack: Stack::default(),
        }
    }

    /// The same, which knows this of its stack.
    pub fn with_stack(mut self, stack: Stack) -> Self {
        self.stack = stack;
        self
    }

    /// The same, with at most so many automatic executions at once over all plans.
    pub fn with_fleet_concurrent(mut self, concurrent: u32) -> Self {
        self.fleet.concurrent = concurrent;
        self
    }

    /// Handles one invocation.
    ///
    /// # Errors
    /// An alarm could not be read, or not be recorded, or a nudge not be served because the table is out of reach: Lambda
    /// delivers it again. Commands and nonsense are always answered; stream batches name their failures.
    pub fn handle<'a>(
        &'a self,
        payload: Value,
        invocation: &'a Invocation,
    ) -> BoxFuture<'a, Result<Value, HandlerError>> {
        Box::pin(self.handle_here(payload, invocation))
    }

    async fn handle_here(&self, payload: Value, invocation: &Invocation) -> Result<Value, HandlerError> {
        let bytes = payload.to_string().len();
        if bytes > MAX_PAYLOAD_BYTES {
            return Ok(answers::refused(&format!(
                "the payload has {bytes} bytes; at most {MAX_PAYLOAD_BYTES} are looked at"
            )));
        }
        match intake::classify(payload) {
            Incoming::Command(value) => Ok(self.command(value, invocation).await),
            Incoming::ResourceRequest(value) => Ok(self.resource_request(value, invocation).await),
            Incoming::Alarms(events, unread) => {
                let mut answers = Vec::new();
                for event in events {
                    answers.push(self.alarm(event).await?);
                }
                // Those that could be read are judged, and are repetitions when it comes again.
                if !unread.is_empty() {
                    let error = format!(
                        "{}; nothing was judged by that; Lambda tries again, and keeps it in the dead letters",
                        excerpt_long(&unread.join("; "))
                    );
                    tracing::error!(error, "an alarm's event can not be read");
                    return Err(HandlerError(error));
                }
                Ok(json!({"ok": true, "alarms": answers}))
            }
            Incoming::Wakes(records) => Ok(self.wakes(records).await),
            Incoming::Nudge(plan) => {
                let judged = self.judge(&plan, &Trigger::Timer).await?;
                Ok(judged.map_or_else(|| answers::no_plan(&plan), |judged| judged.answer()))
            }
            Incoming::Question(_) => Ok(answers::refused(
                "questions go to the executor; send decision a command",
            )),
            Incoming::Unknown(why) => {
                tracing::warn!(why, "a payload that nobody understands");
                Ok(answers::refused(&why))
            }
        }
    }

    // An alarm is looked for in every plan: which plans there are is the table's to say.
    async fn alarm(&self, event: AlarmEvent) -> Result<Value, CallError> {
        let mut answers = Vec::new();
        let mut failed = None;
        for due in self.store.table().due(None).await? {
            match self.alarm_of_plan(&due.plan, &event).await {
                Ok(answer) => answers.extend(answer),
                Err(error) => {
                    tracing::error!(
                        plan = due.plan,
                        alarm = event.alarm_name,
                        error = error.message,
                        "the alarm was not judged for this plan"
                    );
                    failed = Some(error);
                }
            }
        }
        // The others have been judged; the event comes again for this one, and for them it is a repetition.
        if let Some(error) = failed {
            return Err(error);
        }
        if answers.is_empty() {
            tracing::info!(alarm = event.alarm_name, "no plan is bound to this alarm");
            let key = Key {
                plan: "_unbound".into(),
                item: format!("alarm#{}", event.alarm_name),
            };
            self.record_unbound(&key, &event).await?;
        }
        Ok(json!({"alarm": event.alarm_name, "plans": answers}))
    }

    // What the alarm means for one plan; nothing if the plan is not bound to it.
    async fn alarm_of_plan(&self, name: &str, event: &AlarmEvent) -> Result<Option<Value>, CallError> {
        let Some(control) = self.store.control(name).await? else {
            return Ok(None);
        };
        let plan = self.store.plan_of(&control).await?;
        let Some(binding) = plan.alarms.iter().find(|alarm| alarm.alarm_name == event.alarm_name) else {
            return Ok(None);
        };
        let region = binding.region.as_deref().or(plan.region.as_deref());
        if event.region.is_some() && region.is_some() && event.region.as_deref() != region {
            return Ok(None);
        }
        let readings = self
            .ports
            .alarms
            .readings(region, std::slice::from_ref(&event.alarm_name))
            .await?;
        let reading = readings
            .into_iter()
            .find(|reading| reading.alarm_name == event.alarm_name);
        let judged = self
            .judge(
                name,
                &Trigger::Alarm {
                    event: event.clone(),
                    reading,
                },
            )
            .await?;
        Ok(judged.map(|judged| judged.answer()))
    }

    async fn wakes(&self, records: Vec<WakeRecord>) -> Value {
        let mut failures = Vec::new();
        for record in records {
            if let Err(error) = self.wake(&record).await {
                tracing::error!(
                    plan = record.plan,
                    item = record.item,
                    error = error.message,
                    "not judged; the stream delivers it again"
                );
                failures.push(json!({"itemIdentifier": record.sequence_number}));
            }
        }
        json!({"batchItemFailures": failures})
    }

    async fn wake(&self, record: &WakeRecord) -> Result<(), CallError> {
        if record.item == CONTROL {
            self.judge(&record.plan, &Trigger::Timer).await?;
            return Ok(());
        }
        if !record.item.starts_with(OBSERVATION) {
            return Ok(());
        }
        let key = Key {
            plan: record.plan.clone(),
            item: record.item.clone(),
        };
        let Some(item) = self.store.table().get(&key).await? else {
            return Ok(());
        };
        if item.wake != Some(Wake::Decision) {
            return Ok(());
        }
        let observation: Observation = crate::store::from_item(&item)?;
        let trigger = Trigger::Health {
            site: observation.site,
            probe: observation.probe,
        };
        self.judge(&record.plan, &trigger).await?;
        // Cleared only if nobody wrote since: a newer observation brings its own wake.
        let cleared = self.store.item(key, item.version + 1, item.body, None, None);
        self.store.put(&cleared, item.version).await?;
        Ok(())
    }
}
