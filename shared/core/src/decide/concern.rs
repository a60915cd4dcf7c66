//! What somebody should look at although the site that carries the plan is well: a standby that is not, observers whose
//! voice does not count, and sufficient alarms that say nothing. Nothing moves for it, and on the day on which something
//! must, it is too late to learn of it.
//!
//! A concern is told when it is new to the control item, which remembers what was told ([`Control::concerns`]); not with
//! every look, and again after it has been over. An alarm that could not be read is remembered at the first look and told
//! at the second: one read that fails is no reason to call anybody.

use super::Situation;
use crate::control::Control;
use crate::health::{Health, SiteHealth, Witness};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What is of concern now.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Concerns {
    /// Each by a name that stays the same while it does.
    pub names: Vec<String>,
    /// Each with its facts, for people.
    pub texts: Vec<String>,
    /// Alarms that could not be read at this look.
    pub unread: Vec<String>,
}

impl Concerns {
    pub(super) fn of(situation: Situation<'_>) -> Self {
        let Situation { control, sites, .. } = situation;
        let mut found = Self::default();
        found.look_at_standbys(situation);
        found.look_at_observers(sites);
        let witnesses = sites.values().flat_map(|site| &site.witnesses);
        for (alarm, witness) in witnesses.filter_map(|witness| Some((witness.alarm()?, witness))) {
            // Preflight excuses it as well: `setup` is what comes next.
            let to_be_made = control.set_up.is_none() && situation.plan.sets_up_alarm(alarm);
            if !to_be_made {
                found.look_at_alarm(alarm, witness, control);
            }
        }
        found
    }

    /// Whether one of them has not been told yet.
    pub fn are_news(&self, control: &Control) -> bool {
        self.names.iter().any(|name| !control.concerns.contains(name))
    }

    fn add(&mut self, name: String, text: String) {
        self.names.push(name);
        self.texts.push(text);
    }

    fn look_at_standbys(&mut self, situation: Situation<'_>) {
        let Situation {
            plan, control, sites, ..
        } = situation;
        for site in plan.sites_by_priority() {
            let Some(seen) = sites.get(&site.name).filter(|_| site.name != control.active_site) else {
                continue;
            };
            // The site that was left has been told of when it was left.
            let left = control.away.as_ref().is_some_and(|away| {
                seen.health == Health::Unhealthy && seen.since.is_some_and(|since| since <= away.since)
            });
            if seen.health != Health::Healthy && !seen.settling && !left {
                self.add(
                    format!("site {} is {}", site.name, seen.health),
                    format!("site {} is {}", site.name, seen.sentence()),
                );
            }
        }
    }

    fn look_at_observers(&mut self, sites: &BTreeMap<String, SiteHealth>) {
        let witnesses = sites.values().flat_map(|site| &site.witnesses);
        let unheard: BTreeSet<&str> = witnesses
            .flat_map(|witness| &witness.unfit)
            .map(String::as_str)
            .collect();
        if unheard.is_empty() {
            return;
        }
        let observers = unheard
            .iter()
            .map(|why| why.split_once(": ").map_or(*why, |(observer, _)| observer));
        self.names
            .extend(observers.map(|observer| format!("observer {observer} is not heard")));
        self.names.dedup();
        let reasons: Vec<&str> = unheard.into_iter().collect();
        self.texts
            .push(format!("not every observer can be heard: {}", reasons.join("; ")));
    }

    // One read that fails is no reason to call anybody.
    fn look_at_alarm(&mut self, alarm: &str, witness: &Witness, control: &Control) {
        if witness.health != Health::Unknown || witness.settling {
            return;
        }
        let name = format!("alarm {alarm} says nothing");
        if witness.unread {
            self.unread.push(alarm.to_owned());
            let known = control.concerns.contains(&name) || control.unread_alarms.iter().any(|before| before == alarm);
            if !known {
                return;
            }
        }
        self.add(name, format!("alarm {alarm} says nothing: {}", witness.reason));
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
