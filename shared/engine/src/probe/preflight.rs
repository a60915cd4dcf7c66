//! The half-hourly preflight: the probe is the clock, the executor does it.

use super::Probe;
use super::check::Done;
use crate::ports::CallError;
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;
use understudy_core::control::{Wake, later};
use understudy_core::plan::Plan;
use understudy_core::preflight::is_due;

/// How often a plan is looked at: whether it is due, and whether what was asked for before has been done.
const LOOK_EVERY: SignedDuration = SignedDuration::from_mins(5);

impl Probe {
    /// Asks for the preflights that are due.
    pub(super) async fn ask_preflights(&self, plans: &[Arc<Plan>], now: Timestamp) -> Done {
        let mut done = Done::default();
        for plan in plans {
            let looked = self.memory.lock().await.preflights.get(&plan.name).copied();
            if looked.is_some_and(|at| now < later(at, LOOK_EVERY)) {
                continue;
            }
            match self.ask_preflight(plan, now).await {
                Ok(asked) => done.nudges += u32::from(asked),
                Err(error) => {
                    done.errors += 1;
                    tracing::warn!(
                        plan = plan.name,
                        error = error.message,
                        "no preflight was asked for; what was found before stands"
                    );
                }
            }
        }
        done
    }

    async fn ask_preflight(&self, plan: &Plan, now: Timestamp) -> Result<bool, CallError> {
        let Some(control) = self.store.control(&plan.name).await? else {
            return Ok(false);
        };
        let last = self.store.preflight(&plan.name).await?;
        let due = control.execution.is_none() && is_due(now, last.as_ref(), &control);
        if due {
            self.ports.functions.nudge(Wake::Executor, &plan.name).await?;
        }
        self.memory.lock().await.preflights.insert(plan.name.clone(), now);
        Ok(due)
    }
}
