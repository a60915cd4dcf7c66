//! What an automatic move may rest on, worked out apart from `core::health`.

use jiff::Timestamp;
use serde::Deserialize;
use std::sync::Arc;
use understudy_core::health::{Health, Observation};
use understudy_core::plan::Plan;
use understudy_engine::ports::Item;

/// How many slots old a word may be.
const FRESH_SLOTS: i64 = 3;

/// What the observations say of one site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Word {
    /// Every probe of it is freshly seen to be unhealthy, by whoever looks.
    pub(super) unhealthy: bool,
    /// Every probe of it is freshly seen to be healthy, by whoever looks.
    pub(super) healthy: bool,
    /// Since when that has been so.
    pub(super) since: Option<Timestamp>,
}

/// Reads the evidence. Each probe must have a fresh word, and nobody's fresh word may differ.
///
/// An observer that reaches no reference endpoint is not heard; that it is right to say so is judged where it says it.
pub(super) fn word(items: &[Arc<Item>], plan: &Plan, site: &str, now: Timestamp, quorum: usize) -> Word {
    let seen: Vec<Observation> = items
        .iter()
        .filter(|item| item.key.plan == plan.name)
        .filter_map(|item| Observation::deserialize(&item.body).ok())
        .collect();
    let mut all = Word {
        unhealthy: true,
        healthy: true,
        since: None,
    };
    let mut probes = 0;
    for probe in plan.probes.iter().filter(|probe| probe.common().site == site) {
        probes += 1;
        let interval = i64::from(probe.interval_seconds());
        let current = now.as_second().div_euclid(interval);
        let mut fresh = seen
            .iter()
            .filter(|seen| seen.probe == probe.name() && seen.site == site && current - seen.slot <= FRESH_SLOTS)
            .filter(|seen| !seen.unfit.as_ref().is_some_and(|why| why.contains("reference")));
        let mut voices = 0;
        for word in fresh.by_ref() {
            voices += 1;
            all.unhealthy &= word.health == Health::Unhealthy;
            all.healthy &= word.health == Health::Healthy;
            all.since = all.since.max(Some(word.since));
        }
        all.unhealthy &= voices >= quorum;
        all.healthy &= voices >= quorum;
    }
    all.unhealthy &= probes > 0;
    all.healthy &= probes > 0;
    all
}
