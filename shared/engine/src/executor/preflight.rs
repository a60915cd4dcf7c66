//! Preflight: the plan is read through towards each site that could carry it, and what is found is remembered.
//!
//! 1. Is it due, by the clock, the revision and the active site ([`is_due`])? Is the active site well enough to conclude
//!    anything ([`may_look`])?
//! 2. Each step is read as a move would read it: what is missing, refused or in a state that the step does not accept
//!    blocks. An error that may pass is a warning, and has all be looked at again soon.
//! 3. Each driver rehearses what reading does not tell; the rest of the calls goes to the policy simulator: those of a
//!    planned move, of an unplanned one, and of their undo ([`permitted`]).
//! 4. What no move changes is looked at, too: the resources of probes, alarms, and what setup makes ([`named`]). That is
//!    never more than a warning.
//! 5. If what blocks has changed, people are told. Then what was found is written to an item of its own; and if a site can
//!    be moved to that could not, decision is asked to look.
//!
//! It takes no lease, and of what the epoch protects it writes an announcement and a time to look.

mod named;
mod permitted;

use super::Executor;
use crate::ports::{CallError, CallErrorKind, Permission};
use crate::sites;
use crate::steps::{Finding, Goal, Reading, driver};
use futures_util::stream::{self, StreamExt};
use understudy_core::control::{Control, Wake};
use understudy_core::decide::{Accepted, consequences};
use understudy_core::execution::Style;
use understudy_core::plan::{OnFailure, Plan, Step};
use understudy_core::preflight::{Concern, Preflight, Weight, is_due, may_look};
use understudy_core::report::{EventKind, about_plan};

/// How many steps are read at once.
const STEPS_AT_ONCE: usize = 4;

/// What was found of one step towards one site.
struct Looked {
    to: String,
    path: String,
    step: String,
    findings: Vec<Finding>,
    permissions: Vec<Permission>,
    /// Whether everything could be read.
    complete: bool,
    /// How much it may weigh at most: what no move does never blocks one.
    at_most: Weight,
}

impl Looked {
    // What could not be read: for good, or for now, which warns and has all be looked at again soon.
    fn failed(&mut self, error: CallError) {
        let passes = match error.kind {
            CallErrorKind::Retryable | CallErrorKind::Fault | CallErrorKind::Lost | CallErrorKind::NotYet => true,
            CallErrorKind::NotFound | CallErrorKind::Conflict | CallErrorKind::Refused => false,
        };
        self.complete &= !error.may_repeat();
        let weight = if passes { Weight::Warns } else { Weight::Blocks };
        self.findings.push(Finding::new(weight, error.message));
    }

    fn concern(&self, finding: Finding) -> Concern {
        Concern {
            // What weighs less comes behind.
            weight: finding.weight.max(self.at_most),
            to: self.to.clone(),
            path: self.path.clone(),
            step: self.step.clone(),
            message: finding.message,
        }
    }
}

impl Executor {
    /// Makes a preflight of the plan if it is due (or `asked` for) and the day is quiet. `None`: none was made.
    pub(super) async fn preflight(&self, name: &str, asked: bool) -> Result<Option<Preflight>, CallError> {
        let Some(control) = self.store.control(name).await? else {
            return Ok(None);
        };
        if control.execution.is_some() {
            return Ok(None);
        }
        let last = self.store.preflight(name).await?;
        let now = self.ports.clock.now();
        if !asked && !is_due(now, last.as_ref(), &control) {
            return Ok(None);
        }
        let plan = self.store.plan_of(&control).await?;
        let (alarms, clock) = (self.ports.alarms.as_ref(), self.ports.clock.as_ref());
        let seen = sites::look(&self.store, alarms, clock, &plan).await?;
        if !may_look(seen.get(&control.active_site)) {
            tracing::info!(plan = name, "no preflight while the active site is not well");
            return Ok(None);
        }
        let found = self.read_through(&plan, &control).await;
        // Told before it is remembered: rather twice than never.
        if let Some((headline, details)) = found.news(last.as_ref()) {
            self.tell(name, &found, &headline, &details).await?;
        }
        let before = self.store.remember_preflight(name, &found).await?;
        tracing::info!(plan = name, found = found.sentence(), "preflight made");
        if before.is_some_and(|before| found.frees(&before)) {
            let now = self.ports.clock.now();
            self.store.change_if_there(name, |control| control.look_by(now)).await?;
        }
        Ok(Some(found))
    }

    async fn read_through(&self, plan: &Plan, control: &Control) -> Preflight {
        let others: Vec<&str> = plan
            .sites
            .iter()
            .map(|site| site.name.as_str())
            .filter(|site| *site != control.active_site)
            .collect();
        let mut looks = Vec::new();
        for to in &others {
            for (index, step) in plan.steps.iter().enumerate() {
                looks.push(self.look_at(plan, &control.active_site, to, index, step));
            }
        }
        let mut looked: Vec<Looked> = stream::iter(looks).buffered(STEPS_AT_ONCE).collect().await;
        looked.extend(self.look_at_setup(plan, control).await);
        let mut complete = looked.iter().all(|look| look.complete);
        let mut concerns: Vec<Concern> = looked
            .iter()
            .flat_map(|look| look.findings.iter().map(|finding| look.concern(finding.clone())))
            .collect();
        let (named, all_read) = self.look_at_named(plan).await;
        concerns.extend(named);
        complete &= all_read;
        match self.not_permitted(&looked).await {
            Ok((found, all_read)) => {
                concerns.extend(found);
                complete &= all_read;
            }
            Err(error) => {
                complete = false;
                tracing::warn!(
                    plan = plan.name,
                    error = error.message,
                    "permissions could not be looked at"
                );
            }
        }
        match self.data_at_risk(plan, &others).await {
            Ok(found) => concerns.extend(found),
            Err(error) => {
                complete = false;
                tracing::warn!(plan = plan.name, error = error.message, "the lag could not be read");
            }
        }
        Preflight::new(self.ports.clock.now(), control, complete, concerns)
    }

    async fn look_at(&self, plan: &Plan, from: &str, to: &str, index: usize, step: &Step) -> Looked {
        let when = step.common().when;
        let styles = [Style::Unplanned, Style::Planned].into_iter();
        let mut goals = styles.filter(|style| when.includes(*style)).map(|style| Goal {
            from: from.to_owned(),
            to: to.to_owned(),
            style,
            started_at: None,
            doing: None,
        });
        let mut looked = Looked {
            to: to.to_owned(),
            path: format!("steps[{index}]"),
            step: step.name().to_owned(),
            findings: Vec::new(),
            permissions: Vec::new(),
            complete: true,
            // What the plan goes on without holds nothing back.
            at_most: match step.common().on_failure {
                OnFailure::Continue => Weight::Warns,
                OnFailure::Rollback | OnFailure::Halt => Weight::Blocks,
            },
        };
        let Some(goal) = goals.next() else { return looked };
        let account = self.ports.permissions.account();
        let reader = driver(&self.steps, plan, step, &goal);
        let found = match reader.read(&goal).await {
            Ok(reading) => {
                looked.findings.extend(told_by(&reading));
                looked.permissions = reader.permissions(&goal, account);
                for other in goals {
                    let asked = driver(&self.steps, plan, step, &other).permissions(&other, account);
                    looked.permissions.extend(asked);
                }
                reader.rehearse(&goal, &reading).await
            }
            Err(error) => Err(error),
        };
        match found {
            Ok(findings) => looked.findings.extend(findings),
            Err(error) => looked.failed(error),
        }
        looked
    }

    // What consent would say now: a guard of its own holds such a move back, so this is a warning ahead of time.
    async fn data_at_risk(&self, plan: &Plan, others: &[&str]) -> Result<Vec<Concern>, CallError> {
        if !plan.is_lossy(Style::Unplanned) {
            return Ok(Vec::new());
        }
        let (now, lags) = (self.ports.clock.now(), self.store.lags(&plan.name).await?);
        let stops = others.iter().flat_map(|to| {
            let verdicts = consequences(now, plan, (&[Style::Unplanned], to), &lags, Accepted::default());
            let stops = verdicts.into_iter().filter(|verdict| !verdict.allows);
            stops.map(|verdict| Concern {
                weight: Weight::Warns,
                to: (*to).to_owned(),
                path: "policy.consent".into(),
                step: verdict.guard.as_str().into(),
                message: verdict.facts,
            })
        });
        Ok(stops.collect())
    }

    async fn tell(&self, plan: &str, found: &Preflight, headline: &str, details: &[String]) -> Result<(), CallError> {
        metrics::counter!("Alerts").increment(1);
        let id = format!("preflight:{}", found.checked_at);
        let told = self.store.change_if_there(plan, |control| {
            let now = self.ports.clock.now();
            control.announce(about_plan(EventKind::Alert, plan, &id, headline, details, now));
            control.wake(now, Wake::Executor);
        });
        told.await
    }
}

// What reading says by itself. That a resource takes no call just now passes.
fn told_by(reading: &Reading) -> Vec<Finding> {
    let blocked = reading.blocked.iter().map(|why| Finding::new(Weight::Blocks, why));
    let hold = reading.hold.iter().map(|why| Finding::new(Weight::Warns, why));
    blocked.chain(hold).collect()
}
