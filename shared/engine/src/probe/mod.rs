//! The probe: the clock of the whole, and its eyes.
//!
//! One invocation a minute, rounds inside it:
//!
//! 1. Read which plans there are, and their newest revisions.
//! 2. Every [`ROUND`], aligned to the clock: begin every check whose slot has not been counted, unless it is
//!    still under way (an overrunning probe skips slots, and says so). Describes are batched, and keep within a
//!    budget of calls a second in each Region; each result is counted and written as soon as it is there, so
//!    that one slow probe delays nobody.
//! 3. Meanwhile touch what is due in the table, invoke directly what was touched twice and never taken, and, once
//!    an invocation, delete a few old records, measure how far copies of data are behind, and ask for the
//!    preflights that are due.
//! 4. No round begins after [`ROUNDS_END`]; what is still under way at the end is left uncounted.
//! 5. Leave a sign of life.
//!
//! Memory holds the last observations only as a guess: every write is a compare-and-set, and one that is
//! lost shows the newer item, which is then counted on instead.

mod check;
pub mod facts;
mod lag;
mod observations;
mod preflight;
pub mod prune;
mod silence;
mod touch;

use crate::executor::HandlerError;
use crate::ports::{
    Alarms, CallError, Clock, Compute, Database, Endpoint, Functions, Groups, Invocation, Key, Metrics, Random, Table,
    Traffic,
};
use crate::store::Store;
use check::{Check, checks};
use futures_util::future::{BoxFuture, Either, select};
use futures_util::stream::{self, FuturesUnordered, StreamExt};
use jiff::{SignedDuration, Timestamp};
use observations::Observations;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tokio::sync::{AcquireError, Mutex, Semaphore, SemaphorePermit};
use understudy_core::control::later;
use understudy_core::execution::Status;
use understudy_core::health::{is_counted, slot};
use understudy_core::plan::{Plan, Probe as PlanProbe};
use understudy_core::rate::Budget;

/// How far rounds lie apart. The shortest interval of any probe.
pub const ROUND: SignedDuration = SignedDuration::from_secs(5);
/// How long after its start an invocation begins no further round.
pub const ROUNDS_END: SignedDuration = SignedDuration::from_secs(50);
/// How many describes are under way at once.
const DESCRIBES_AT_ONCE: usize = 32;
/// How many endpoint checks are under way at once: those that hang must not use up all the places.
const ENDPOINTS_AT_ONCE: usize = 256;
/// How many writes are under way at once.
const WRITES_AT_ONCE: usize = 32;
/// How many plans are read at once.
const PLANS_AT_ONCE: usize = 16;

/// The ways out of the probe.
#[derive(Clone)]
pub struct ProbePorts {
    /// The table.
    pub table: Arc<dyn Table>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub random: Arc<dyn Random>,
    /// Real connections.
    pub endpoint: Arc<dyn Endpoint>,
    /// Elastic Load Balancing.
    pub traffic: Arc<dyn Traffic>,
    /// EC2.
    pub compute: Arc<dyn Compute>,
    /// EC2 Auto Scaling.
    pub groups: Arc<dyn Groups>,
    /// RDS.
    pub database: Arc<dyn Database>,
    /// CloudWatch.
    pub alarms: Arc<dyn Alarms>,
    /// CloudWatch metrics.
    pub metrics: Arc<dyn Metrics>,
    /// Our own functions.
    pub functions: Arc<dyn Functions>,
    /// How many describes a second one Region is asked in the long run, see [`Budget`].
    pub describes_per_second: u32,
}

/// The body of the probe function.
pub struct Probe {
    ports: ProbePorts,
    store: Store,
    observer: String,
    // Lambda serves one invocation of a sandbox at a time; the lock is never waited for.
    memory: Mutex<Memory>,
    describes: Semaphore,
    // By Region; none is the plan's silence about it, which means the probe's own.
    budgets: Mutex<BTreeMap<Option<String>, Budget>>,
    endpoints: Semaphore,
    writes: Semaphore,
}

// What a warm sandbox remembers: only ever a guess that a write confirms.
#[derive(Default)]
struct Memory {
    plans: BTreeMap<String, (String, Arc<Plan>)>,
    observations: Observations,
    // When it was last looked whether a plan's preflight is due.
    preflights: BTreeMap<String, Timestamp>,
    // The probes of a plan that fewer observers look at than it needs, as decision has been told.
    silent: BTreeMap<String, BTreeSet<String>>,
}

/// What one invocation did, for the log and the heartbeat.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Rounds that were begun.
    pub rounds: u32,
    /// Samples that were counted.
    pub samples: u32,
    /// Observations that were written.
    pub writes: u32,
    /// Slots that were skipped because the check before was still under way.
    pub skipped_slots: u32,
    /// Items that were touched because they were due.
    pub touches: u32,
    /// Functions that were invoked directly because a wake was not taken.
    pub nudges: u32,
    /// Old records that were deleted.
    #[serde(default)]
    pub pruned: u32,
    /// Things that could not be done: the log has each.
    pub errors: u32,
}

// What is under way during rounds: nothing of it waits for anything else of it.
enum Work<'a> {
    Check(Check),
    Touch(Timestamp),
    Prune(&'a [Arc<Plan>], Timestamp),
    Lag(&'a [Arc<Plan>], Timestamp),
    Preflight(&'a [Arc<Plan>], Timestamp),
}

/// One probe of one plan, or one question of its observer about itself.
#[derive(Clone)]
pub(crate) struct Asked {
    pub(crate) plan: Arc<Plan>,
    index: usize,
    reference: Option<Arc<PlanProbe>>,
}

impl Asked {
    pub(crate) fn probe(&self) -> &PlanProbe {
        // The index comes from this very plan.
        self.reference
            .as_deref()
            .unwrap_or_else(|| &self.plan.probes[self.index])
    }

    fn region(&self) -> Option<String> {
        self.probe().region(self.plan.region.as_deref()).map(str::to_owned)
    }

    fn id(&self) -> (String, String) {
        (self.plan.name.clone(), self.probe().name().to_owned())
    }
}

impl Probe {
    /// A probe over these ports. `observer` names it in its observations.
    pub fn new(ports: ProbePorts, observer: String) -> Self {
        let store = Store::new(ports.table.clone(), ports.clock.clone(), ports.random.clone());
        Self {
            ports,
            store,
            observer,
            memory: Mutex::default(),
            describes: Semaphore::new(DESCRIBES_AT_ONCE),
            budgets: Mutex::default(),
            endpoints: Semaphore::new(ENDPOINTS_AT_ONCE),
            writes: Semaphore::new(WRITES_AT_ONCE),
        }
    }

    /// Runs the rounds of one invocation.
    ///
    /// # Errors
    /// The plans could not be read: nothing was observed, and the missed-heartbeat alarm will tell.
    pub fn handle<'a>(&'a self, invocation: &'a Invocation) -> BoxFuture<'a, Result<Value, HandlerError>> {
        let started = self.ports.clock.now();
        let last_start = later(started, ROUNDS_END).min(later(invocation.deadline, -SignedDuration::from_secs(8)));
        let end = later(invocation.deadline, -SignedDuration::from_secs(3));
        Box::pin(self.rounds(Some(last_start), end))
    }

    /// Runs a single round and waits for all of its checks. For people and measurements: the deployed
    /// function is asked for it with `{"rounds": 1}`.
    ///
    /// # Errors
    /// As for [`Probe::handle`].
    pub fn single_round<'a>(&'a self, invocation: &'a Invocation) -> BoxFuture<'a, Result<Value, HandlerError>> {
        Box::pin(self.rounds(None, later(invocation.deadline, -SignedDuration::from_secs(3))))
    }

    // Without `last_start` one round is made, however long reading the plans took.
    async fn rounds(&self, last_start: Option<Timestamp>, end: Timestamp) -> Result<Value, HandlerError> {
        let mut tally = Tally::default();
        let plans = self.plans(&mut tally).await?;
        let asked = all_probes(&plans);
        self.memory.lock().await.observations.ask(&asked, &self.observer);
        self.remember(&plans, &mut tally).await;

        let mut begun: BTreeMap<(String, String), i64> = BTreeMap::new();
        let mut under_way: BTreeSet<(String, String)> = BTreeSet::new();
        let mut running = FuturesUnordered::new();
        let mut next_round = self.ports.clock.now();
        let last_start = last_start.unwrap_or(next_round);
        running.push(self.carry_out(Work::Prune(&plans, next_round)));
        running.push(self.carry_out(Work::Lag(&plans, next_round)));
        running.push(self.carry_out(Work::Preflight(&plans, next_round)));
        loop {
            let now = self.ports.clock.now();
            if now >= next_round && next_round <= last_start {
                tally.rounds += 1;
                let due = self.due_now(&asked, now, &mut begun, &under_way, &mut tally).await;
                under_way.extend(due.iter().map(Asked::id));
                for check in checks(due) {
                    running.push(self.carry_out(Work::Check(check)));
                }
                running.push(self.carry_out(Work::Touch(now)));
                metrics::counter!("RoundsCompleted").increment(1);
                next_round = aligned_after(now);
            }
            let more_rounds = next_round <= last_start;
            if running.is_empty() && !more_rounds {
                break;
            }
            let wake_at = if more_rounds { next_round } else { end };
            let pause = wake_at.duration_since(self.ports.clock.now());
            if !more_rounds && pause <= SignedDuration::ZERO {
                tracing::warn!(
                    count = running.len(),
                    "checks were still under way at the end; their slots are not counted"
                );
                break;
            }
            let sleep = self.ports.clock.sleep(pause.max(SignedDuration::ZERO));
            if running.is_empty() {
                sleep.await;
                continue;
            }
            match select(running.next(), sleep).await {
                Either::Left((Some(done), _)) => {
                    let done: check::Done = done;
                    for id in &done.probes {
                        under_way.remove(id);
                    }
                    tally.samples += done.samples;
                    tally.writes += done.writes;
                    tally.touches += done.touches;
                    tally.nudges += done.nudges;
                    tally.pruned += done.pruned;
                    tally.errors += done.errors;
                }
                Either::Left((None, _)) | Either::Right(_) => {}
            }
        }
        drop(running);
        self.tell_silence(&plans, &mut tally).await;
        self.beat(&tally).await;
        metrics::counter!("ProbeErrors").increment(u64::from(tally.errors));
        tracing::info!(
            rounds = tally.rounds,
            samples = tally.samples,
            writes = tally.writes,
            skipped = tally.skipped_slots,
            touches = tally.touches,
            "rounds done"
        );
        Ok(json!({"ok": true, "observer": self.observer, "plans": plans.len(), "probes": asked.len(), "tally": tally}))
    }

    // The plans that the table lists. One that can not be read must not blind the others.
    async fn plans(&self, tally: &mut Tally) -> Result<Vec<Arc<Plan>>, CallError> {
        let due = self.store.table().due(None).await?;
        let reading = due.into_iter().map(|due| async move {
            let plan = self.plan(&due.plan).await;
            (due.plan, plan)
        });
        let mut read = stream::iter(reading).buffered(PLANS_AT_ONCE);
        let mut plans = Vec::new();
        while let Some((name, plan)) = read.next().await {
            match plan {
                Ok(Some(plan)) => plans.push(plan),
                Ok(None) => {}
                Err(error) => {
                    tally.errors += 1;
                    tracing::error!(
                        plan = name,
                        error = error.message,
                        "the plan can not be read; it is not probed"
                    );
                }
            }
        }
        Ok(plans)
    }

    async fn plan(&self, name: &str) -> Result<Option<Arc<Plan>>, CallError> {
        let Some(control) = self.store.control(name).await? else {
            return Ok(None);
        };
        if control
            .execution
            .as_ref()
            .is_some_and(|execution| execution.status == Status::Stuck)
        {
            // Told every minute for as long as it lasts: the alarm on it stays until a person has resolved it.
            metrics::counter!("ExecutionsStuck").increment(1);
        }
        let known = self.memory.lock().await.plans.get(name).cloned();
        if let Some((item, plan)) = known.filter(|(item, _)| *item == control.plan_item) {
            tracing::trace!(item, "revision known");
            return Ok(Some(plan));
        }
        let plan = Arc::new(self.store.plan_of(&control).await?);
        self.memory
            .lock()
            .await
            .plans
            .insert(name.to_owned(), (control.plan_item, plan.clone()));
        Ok(Some(plan))
    }

    // The observations of plans that this sandbox has not seen yet.
    async fn remember(&self, plans: &[Arc<Plan>], tally: &mut Tally) {
        let mut unseen = Vec::new();
        for plan in plans {
            if !self.memory.lock().await.observations.knows(&plan.name) {
                unseen.push(plan.name.clone());
            }
        }
        let reading = unseen.into_iter().map(|name| async move {
            let found = self.store.observations(&name).await;
            (name, found)
        });
        let mut read = stream::iter(reading).buffered(PLANS_AT_ONCE);
        while let Some((name, found)) = read.next().await {
            match found {
                Ok(found) => self.memory.lock().await.observations.learn(&name, found),
                Err(error) => {
                    tally.errors += 1;
                    tracing::error!(
                        plan = name,
                        error = error.message,
                        "old observations can not be read; writing finds them"
                    );
                }
            }
        }
    }

    async fn due_now(
        &self,
        asked: &[Asked],
        now: Timestamp,
        begun: &mut BTreeMap<(String, String), i64>,
        under_way: &BTreeSet<(String, String)>,
        tally: &mut Tally,
    ) -> Vec<Asked> {
        let memory = self.memory.lock().await;
        let mut due = Vec::new();
        for one in asked {
            let id = one.id();
            let slot = slot(now, one.probe().interval_seconds());
            let counted = memory
                .observations
                .slot(one, &self.observer)
                .is_some_and(|newest| is_counted(newest, slot));
            if counted || begun.get(&id).is_some_and(|begun| is_counted(*begun, slot)) {
                continue;
            }
            begun.insert(id.clone(), slot);
            if under_way.contains(&id) {
                tally.skipped_slots += 1;
                tracing::warn!(
                    plan = id.0,
                    probe = id.1,
                    slot,
                    "the check before is still under way; this slot is skipped"
                );
                continue;
            }
            due.push(one.clone());
        }
        due
    }

    // Waits until one more describe of the Region is within the budget and has a place.
    async fn place_for_describe(&self, region: Option<&str>) -> Result<SemaphorePermit<'_>, AcquireError> {
        let wait = {
            let mut budgets = self.budgets.lock().await;
            let budget = budgets
                .entry(region.map(str::to_owned))
                .or_insert_with(|| Budget::new(self.ports.describes_per_second));
            budget.take(self.ports.clock.now())
        };
        if wait > SignedDuration::ZERO {
            self.ports.clock.sleep(wait).await;
        }
        self.describes.acquire().await
    }

    async fn carry_out(&self, work: Work<'_>) -> check::Done {
        match work {
            Work::Check(check) => check.run(self).await,
            Work::Touch(now) => self.touch_due(now).await,
            Work::Prune(plans, now) => self.prune(plans, now).await,
            Work::Lag(plans, now) => self.measure_lags(plans, now).await,
            Work::Preflight(plans, now) => self.ask_preflights(plans, now).await,
        }
    }

    // A sign of life for people; the missed-heartbeat alarm watches the metric.
    async fn beat(&self, tally: &Tally) {
        let key = Key {
            plan: format!("_observer#{}", self.observer),
            item: "heartbeat".into(),
        };
        let now = self.ports.clock.now();
        let written = self
            .store
            .upsert(&key, |_: Option<Value>| (Some(json!({"at": now, "tally": tally})), ()))
            .await;
        if let Err(error) = written {
            tracing::error!(error = error.message, "the heartbeat was not written");
        }
    }
}

fn all_probes(plans: &[Arc<Plan>]) -> Vec<Asked> {
    plans
        .iter()
        .flat_map(|plan| {
            let probes = (0..plan.probes.len()).map(|index| (index, None));
            let references = plan
                .reference_probes()
                .into_iter()
                .map(|probe| (0, Some(Arc::new(probe))));
            probes.chain(references).map(|(index, reference)| Asked {
                plan: plan.clone(),
                index,
                reference,
            })
        })
        .collect()
}

// Rounds lie on multiples of ROUND of the clock, so that slots of 5 seconds are hit once each.
fn aligned_after(now: Timestamp) -> Timestamp {
    let step = ROUND.as_secs();
    let next = (now.as_second().div_euclid(step) + 1) * step;
    Timestamp::from_second(next).unwrap_or(Timestamp::MAX)
}
