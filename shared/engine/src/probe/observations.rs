//! What the probe remembers of its observations, and how one is written.

use super::{Asked, Probe};
use crate::ports::{CallError, Item, Put};
use crate::store::{from_item, observation_key, to_body};
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use understudy_core::control::{Wake, later};
use understudy_core::health::{Observation, Sample, observe, unfit};
use understudy_core::mutant::{Mutant, active};

/// How long a look at the observer itself is good for.
const FITNESS_LASTS: SignedDuration = SignedDuration::from_secs(1);

type Id = (String, String, String);

/// The last known observations, each with the version that it was read or written with.
#[derive(Default)]
pub(super) struct Observations {
    plans: BTreeSet<String>,
    /// Every probe that is asked, whether anything is known of it or not.
    asked: BTreeSet<Id>,
    known: BTreeMap<Id, Known>,
    fitness: Option<(Timestamp, Option<String>)>,
}

#[derive(Clone)]
struct Known {
    version: u64,
    wake: Option<Wake>,
    /// As it stands in the table.
    stored: Observation,
    /// The greatest slot that was counted, written or not.
    slot: i64,
}

impl Observations {
    pub(super) fn knows(&self, plan: &str) -> bool {
        self.plans.contains(plan)
    }

    /// What is asked from now on.
    pub(super) fn ask(&mut self, asked: &[Asked], observer: &str) {
        self.asked = asked.iter().map(|one| id(one, observer)).collect();
        self.fitness = None;
    }

    pub(super) fn learn(&mut self, plan: &str, found: Vec<(Item, Observation)>) {
        self.plans.insert(plan.to_owned());
        for (item, observation) in found {
            self.insert(plan, &item, observation);
        }
    }

    fn insert(&mut self, plan: &str, item: &Item, stored: Observation) {
        let id = (plan.to_owned(), stored.probe.clone(), stored.observer.clone());
        let slot = stored.slot;
        self.known.insert(
            id,
            Known {
                version: item.version,
                wake: item.wake,
                stored,
                slot,
            },
        );
    }

    /// Why this observer is not to be believed now. Looked at once a second: it is about all that it sees.
    fn unfit(&mut self, now: Timestamp) -> Option<String> {
        if let Some((_, known)) = self.fitness.as_ref().filter(|(at, _)| later(*at, FITNESS_LASTS) > now) {
            return known.clone();
        }
        let asked = self.asked.iter().map(|id| {
            let seen = self.known.get(id).map(|known| (&known.stored, known.slot));
            (id.0.as_str(), seen)
        });
        let found = unfit(now, asked);
        let was = self.fitness.as_ref().and_then(|(_, known)| known.clone());
        if found.is_some() && was.is_none() {
            metrics::counter!("ObserversUnfit").increment(1);
            tracing::error!(why = found, "this observer is unfit: its voice does not count");
        }
        self.fitness = Some((now, found.clone()));
        found
    }

    pub(super) fn slot(&self, asked: &Asked, observer: &str) -> Option<i64> {
        self.known.get(&id(asked, observer)).map(|known| known.slot)
    }
}

fn id(asked: &Asked, observer: &str) -> Id {
    (
        asked.plan.name.clone(),
        asked.probe().name().to_owned(),
        observer.to_owned(),
    )
}

impl Probe {
    /// Counts a sample and writes the observation if that is due. Answers whether it was written.
    ///
    /// A write that is lost means that another probe function was quicker: its item is counted on instead,
    /// which finds that the slot has been counted.
    pub(super) async fn count(&self, asked: &Asked, sample: Sample) -> Result<bool, CallError> {
        let id = id(asked, &self.observer);
        for _ in 0..3 {
            let (known, unfit) = {
                let mut memory = self.memory.lock().await;
                let unfit = memory.observations.unfit(self.ports.clock.now());
                (memory.observations.known.get(&id).cloned(), unfit)
            };
            // Another site's old observation of the same probe name is none of this probe's.
            let known = known.filter(|known| known.stored.site == asked.probe().common().site);
            let now = self.ports.clock.now();
            let Some(observed) = observe(
                known.as_ref().map(|known| &known.stored),
                asked.probe(),
                &self.observer,
                now,
                sample.clone(),
            ) else {
                return Ok(false);
            };
            let observed = observed.of_observer(known.as_ref().map(|known| &known.stored), unfit);
            if observed.changed {
                tracing::warn!(
                    plan = asked.plan.name,
                    site = observed.observation.site,
                    probe = observed.observation.probe,
                    health = observed.observation.health.as_str(),
                    reason = observed.observation.reason,
                    "health changed"
                );
            }
            if !observed.write {
                if let Some(known) = self.memory.lock().await.observations.known.get_mut(&id) {
                    known.slot = observed.observation.slot;
                }
                return Ok(false);
            }
            // An untaken wake stays: every heartbeat sends it again until decision has taken it.
            let wake = if observed.changed {
                Some(Wake::Decision)
            } else {
                known
                    .as_ref()
                    .and_then(|known| known.wake)
                    .filter(|_| !active(Mutant::ObservationWakeDropped))
            };
            let version = known.as_ref().map_or(0, |known| known.version);
            // A place first, the item then: what waits for its turn shall not lie ready in memory.
            let _place = self.writes.acquire().await;
            let key = observation_key(&asked.plan.name, &observed.observation);
            let body = to_body(&key, &observed.observation)?;
            let item = self.store.item(key, version + 1, body, wake, None);
            match self.store.put(&item, version).await? {
                Put::Written => {
                    self.memory
                        .lock()
                        .await
                        .observations
                        .insert(&asked.plan.name, &item, observed.observation);
                    return Ok(true);
                }
                Put::Lost(Some(newer)) => {
                    let stored: Observation = from_item(&newer)?;
                    self.memory
                        .lock()
                        .await
                        .observations
                        .insert(&asked.plan.name, &newer, stored);
                }
                Put::Lost(None) => {
                    self.memory.lock().await.observations.known.remove(&id);
                }
            }
        }
        tracing::warn!(
            plan = asked.plan.name,
            probe = asked.probe().name(),
            "three writes lost against others; this slot is theirs"
        );
        Ok(false)
    }
}
