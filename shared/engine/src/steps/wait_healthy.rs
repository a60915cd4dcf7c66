//! `wait_healthy`: a gate that opens when fresh observations call the destination healthy.

use super::{Driver, Facts, Goal, Plane, Reading, StepPorts};
use crate::ports::CallError;
use crate::sites;
use async_trait::async_trait;
use jiff::SignedDuration;
use understudy_core::control::later;
use understudy_core::health::Health;
use understudy_core::plan::{Plan, WaitHealthy};
use understudy_core::state::ResourceState;

pub(super) struct WaitHealthyDriver {
    ports: StepPorts,
    plan: Plan,
    step: WaitHealthy,
}

impl WaitHealthyDriver {
    pub(super) fn new(ports: &StepPorts, plan: Plan, step: WaitHealthy) -> Self {
        Self {
            ports: ports.clone(),
            plan,
            step,
        }
    }
}

#[async_trait]
impl Driver for WaitHealthyDriver {
    fn facts(&self) -> Facts {
        Facts {
            plane: Plane::None,
            reads: &["cloudwatch:DescribeAlarms"],
            changes: &[],
        }
    }

    async fn read(&self, goal: &Goal) -> Result<Reading, CallError> {
        let (alarms, clock) = (self.ports.alarms.as_ref(), self.ports.clock.as_ref());
        let sites = sites::look(&self.ports.store, alarms, clock, &self.plan).await?;
        let now = clock.now();
        let to = goal.to.as_str();
        let (open, note) = match sites.get(to) {
            Some(site) => {
                let long_enough = site.since.is_some_and(|since| {
                    later(since, SignedDuration::from_secs(i64::from(self.step.for_seconds))) <= now
                });
                (
                    site.health == Health::Healthy && long_enough,
                    format!("site {to} is {}", site.sentence()),
                )
            }
            None => (false, format!("nothing is known of site {to}")),
        };
        Ok(Reading::of_gate(open, note))
    }

    async fn change(
        &self,
        _from: &ResourceState,
        _into: &ResourceState,
        _comment: &str,
    ) -> Result<Option<String>, CallError> {
        Ok(None)
    }

    fn calls(&self, _from: &ResourceState, _into: &ResourceState) -> Vec<String> {
        Vec::new()
    }
}
