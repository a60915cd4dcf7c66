//! Observers that have fallen silent.
//!
//! A word that grows stale changes nothing in the table, so it wakes nobody: a plan that needs the words of several observers
//! would silently become one that can not move by itself. So each observer looks, once an invocation, whether those plans
//! are still seen by as many as they need, and has decision look where they are not any more. That reads, and writes only
//! when something has changed. A plan that needs one observer needs no such look: nobody is left to make it, and the alarm
//! on missed heartbeats tells.

use super::{PLANS_AT_ONCE, Probe, Tally};
use crate::ports::CallError;
use futures_util::stream::{self, StreamExt};
use jiff::Timestamp;
use std::collections::BTreeSet;
use std::sync::Arc;
use understudy_core::control::Wake;
use understudy_core::health::short_of_quorum;
use understudy_core::plan::Plan;

impl Probe {
    /// Looks at every plan that needs several observers. At the end of the rounds, when what this observer sees is fresh.
    pub(super) async fn tell_silence(&self, plans: &[Arc<Plan>], tally: &mut Tally) {
        let mut several = plans.to_vec();
        several.retain(|plan| plan.policy.observers.quorum > 1);
        let looking = several.into_iter().map(|plan| async move {
            let told = self.look_for_silence(&plan, self.ports.clock.now()).await;
            (plan, told)
        });
        let mut looked = stream::iter(looking).buffered(PLANS_AT_ONCE);
        while let Some((plan, told)) = looked.next().await {
            match told {
                Ok(told) => tally.touches += u32::from(told),
                Err(error) => {
                    tally.errors += 1;
                    tracing::error!(
                        plan = plan.name,
                        error = error.message,
                        "it was not seen whether enough observers still look at the plan; the next invocation looks again"
                    );
                }
            }
        }
    }

    async fn look_for_silence(&self, plan: &Plan, now: Timestamp) -> Result<bool, CallError> {
        let found: BTreeSet<String> = short_of_quorum(now, plan, &self.store.seen(&plan.name).await?).collect();
        let known = self
            .memory
            .lock()
            .await
            .silent
            .get(&plan.name)
            .cloned()
            .unwrap_or_default();
        let news = !found.is_subset(&known);
        if news {
            tracing::warn!(
                plan = plan.name,
                probes = ?found,
                "fewer observers than the plan needs look at these probes; decision is asked to look"
            );
            let asked = self.store.change_if_there(&plan.name, |control| {
                let now = self.ports.clock.now();
                // The time is for the case that the executor's wake goes first.
                control.look_by(now);
                control.wake(now, Wake::Decision);
            });
            asked.await?;
        }
        self.memory.lock().await.silent.insert(plan.name.clone(), found);
        Ok(news)
    }
}
