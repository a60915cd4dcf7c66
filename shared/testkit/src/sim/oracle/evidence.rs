//! What an automatic move may rest on, worked out apart from `core::health`.

use jiff::Timestamp;
use serde::Deserialize;
use std::sync::Arc;
use understudy_core::health::{Health, Observation};
use understudy_core::plan::Plan;
use understudy_engine::ports::Item;

/// How many slots old a word may be.
const FRESH_SLOTS: i64 = 3;
/// How many slots ahead of the reader's clock it may be: as many as clocks that differ by seconds make of it.
const AHEAD_SLOTS: i64 = 1;

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
/// An observer that calls itself unfit is not heard; that it is right to say so is judged where it says it.
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
        let fresh = seen
            .iter()
            .filter(|seen| seen.probe == probe.name() && seen.site == site)
            .filter(|seen| (-AHEAD_SLOTS..=FRESH_SLOTS).contains(&(current - seen.slot)))
            .filter(|seen| seen.unfit.is_none());
        let mut voices = 0;
        for word in fresh {
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;
    use understudy_core::health::{Sample, observe};
    use understudy_engine::ports::Key;

    #[test]
    fn a_word_from_the_future_is_no_evidence() {
        let plan = understudy_core::plan::parse(crate::world_plan::sample_plan("shop")).unwrap();
        let now = Timestamp::from_second(1_795_255_200).unwrap();
        let probe = plan.probes_of("green").next().unwrap();
        let seen = observe(None, probe, "here", now, Sample::new(Health::Healthy, "HTTP 200")).unwrap();
        let heard = |slots: i64| {
            let observation = Observation {
                health: Health::Healthy,
                slot: seen.observation.slot + slots,
                ..seen.observation.clone()
            };
            let item = Item {
                key: Key {
                    plan: "shop".into(),
                    item: "observation#green".into(),
                },
                version: 1,
                write_id: "w".into(),
                schema_version: 1,
                wake: None,
                due_at: None,
                body: json!(observation),
            };
            word(&[Arc::new(item)], &plan, "green", now, 1).healthy
        };
        let believed: Vec<i64> = (-5..6).filter(|slots| heard(*slots)).collect();
        assert_eq!(believed, [-3, -2, -1, 0, 1]);
    }
}
