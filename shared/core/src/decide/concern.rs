//! What somebody should look at although the site that carries the plan is well: a standby that is not, and observers whose
//! voice does not count. Nothing moves for it, and on the day on which something must, it is too late to learn of it.
//!
//! A concern is told when it is new to the control item, which remembers what was told ([`Control::concerns`]); not with
//! every look, and again after it has been over.

use super::Situation;
#[cfg(doc)]
use crate::control::Control;
use crate::health::Health;

/// What is of concern now.
#[derive(Default)]
pub(super) struct Concerns {
    /// Each by a name that stays the same while it does.
    pub(super) names: Vec<String>,
    /// Each with its facts, for people.
    texts: Vec<String>,
    /// One of them has not been told yet.
    pub(super) news: bool,
}

impl Concerns {
    pub(super) fn of(situation: Situation<'_>) -> Self {
        let Situation {
            plan, control, sites, ..
        } = situation;
        let mut found = Self::default();
        for site in plan.sites_by_priority() {
            let Some(seen) = sites.get(&site.name).filter(|_| site.name != control.active_site) else {
                continue;
            };
            // The site that was left has been told of when it was left.
            let left = control.away.as_ref().is_some_and(|away| {
                seen.health == Health::Unhealthy && seen.since.is_some_and(|since| since <= away.since)
            });
            if seen.health != Health::Healthy && !seen.settling && !left {
                found.names.push(format!("site {} is {}", site.name, seen.health));
                found.texts.push(format!("site {} is {}", site.name, seen.sentence()));
            }
        }
        let mut unheard: Vec<&str> = sites
            .values()
            .flat_map(|site| &site.witnesses)
            .flat_map(|witness| &witness.unfit)
            .map(String::as_str)
            .collect();
        unheard.sort_unstable();
        unheard.dedup();
        if !unheard.is_empty() {
            let observers = unheard
                .iter()
                .map(|why| why.split_once(": ").map_or(*why, |(observer, _)| observer));
            found
                .names
                .extend(observers.map(|observer| format!("observer {observer} is not heard")));
            found.names.dedup();
            found
                .texts
                .push(format!("not every observer can be heard: {}", unheard.join("; ")));
        }
        found.news = control.is_news(&found.names);
        found
    }

    /// The summary of a decision, with what is of concern behind it.
    pub(super) fn behind(&self, summary: String) -> String {
        if self.texts.is_empty() {
            summary
        } else {
            format!("{summary}; but {}", self.texts.join("; "))
        }
    }
}
