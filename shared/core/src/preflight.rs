//! Preflight: whether a plan could move now, found out on a day on which nobody needs it.
//!
//! A standby rots quietly: a permission goes, a target group is detached, a replica is deleted. So each plan is read
//! through, step by step, towards each site that could carry it: when it is stored, and then every half hour. What would
//! make a step fail *blocks* automatic moves towards that site, and is told; what would only disappoint is a warning.
//!
//! Nothing is concluded from a bad day. While the active site is not well, what was found before stands: the services that
//! would be asked may be what is failing, and their silence must not hold back the very move that is needed. For the same
//! reason an error that may pass is never more than a warning.

use crate::control::{Control, later};
use crate::guard::{Guard, Verdict};
use crate::health::{Health, SiteHealth};
use crate::report::clock;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// How long a preflight is good for.
pub const EVERY: SignedDuration = SignedDuration::from_mins(30);
/// When one that could not read everything is made again.
pub const INCOMPLETE_EVERY: SignedDuration = SignedDuration::from_mins(5);
/// How many concerns are kept.
pub const MAX_CONCERNS: usize = 100;

/// How much a concern weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Weight {
    /// The step would fail.
    Blocks,
    /// It might, or would not do what people expect.
    Warns,
}

/// Something about a step that somebody should look at.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Concern {
    /// How much it weighs.
    pub weight: Weight,
    /// The site towards which it counts; empty where it counts whatever the site.
    #[serde(default)]
    pub to: String,
    /// Its path in the plan: `steps[2]`, `probes[0]`.
    pub path: String,
    /// The name of the step, probe or alarm.
    pub step: String,
    /// What was found, of what, and what to do.
    pub message: String,
}

impl Concern {
    /// One line for people.
    pub fn sentence(&self) -> String {
        let towards = match self.to.as_str() {
            "" => String::new(),
            site => format!(" towards {site}"),
        };
        format!("{} ({}){towards}: {}", self.path, self.step, self.message)
    }
}

/// What one preflight found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preflight {
    /// When it was made.
    pub checked_at: Timestamp,
    /// The revision of the plan that was read through.
    pub plan_revision: u64,
    /// The site that carried the plan then.
    pub active_site: String,
    /// Whether everything could be read.
    pub complete: bool,
    /// What somebody should look at, what blocks first.
    pub concerns: Vec<Concern>,
}

impl Preflight {
    /// What one found. What blocks is kept first.
    pub fn new(now: Timestamp, control: &Control, complete: bool, mut concerns: Vec<Concern>) -> Self {
        concerns.sort();
        concerns.dedup();
        concerns.truncate(MAX_CONCERNS);
        Self {
            checked_at: now,
            plan_revision: control.plan_revision,
            active_site: control.active_site.clone(),
            complete,
            concerns,
        }
    }

    /// Whether it speaks about the plan as it is: this revision, carried by this site.
    pub fn is_about(&self, control: &Control) -> bool {
        self.plan_revision == control.plan_revision && self.active_site == control.active_site
    }

    /// What would make a move to `to` fail.
    pub fn blocking<'a>(&'a self, to: &'a str) -> impl Iterator<Item = &'a Concern> {
        let counts = move |concern: &Concern| concern.to.is_empty() || concern.to == to;
        let towards = move |concern: &&Concern| concern.weight == Weight::Blocks && counts(concern);
        self.concerns.iter().filter(towards)
    }

    /// Whether a site could be moved to now that could not be after `before`.
    pub fn frees(&self, before: &Preflight) -> bool {
        let blocks = |concern: &&Concern| concern.weight == Weight::Blocks;
        let held = before.concerns.iter().filter(blocks);
        held.into_iter()
            .any(|concern| self.blocking(&concern.to).next().is_none())
    }

    /// When the next one comes, if nobody asks for one before.
    pub fn next_at(&self) -> Timestamp {
        later(self.checked_at, if self.complete { EVERY } else { INCOMPLETE_EVERY })
    }

    /// What it says in a few words.
    pub fn sentence(&self) -> String {
        let count = |weight: Weight| self.concerns.iter().filter(|concern| concern.weight == weight).count();
        let found = match (count(Weight::Blocks), count(Weight::Warns)) {
            (0, 0) => "every step could be done".to_owned(),
            (0, warns) => format!("every step could be done, with {warns} warning(s)"),
            (blocks, warns) => format!("{blocks} step(s) would fail, and {warns} warning(s)"),
        };
        let rest = if self.complete {
            ""
        } else {
            "; not everything could be read"
        };
        format!("{found}{rest}")
    }

    /// What people are told after `before`: what would fail now, or that nothing would any more. Nothing if that is known.
    pub fn news(&self, before: Option<&Preflight>) -> Option<(String, Vec<String>)> {
        let blocks = |preflight: &Preflight| -> Vec<String> {
            let blocking = preflight
                .concerns
                .iter()
                .filter(|concern| concern.weight == Weight::Blocks);
            blocking.map(Concern::sentence).collect()
        };
        let (was, is) = (before.map(blocks).unwrap_or_default(), blocks(self));
        match (was == is, is.is_empty()) {
            (true, _) => None,
            (false, true) => Some(("preflight: every step could be done again".into(), was)),
            (false, false) => Some((format!("preflight: {} step(s) would fail", is.len()), is)),
        }
    }
}

/// Whether it is time for a preflight.
pub fn is_due(now: Timestamp, last: Option<&Preflight>, control: &Control) -> bool {
    last.is_none_or(|last| !last.is_about(control) || last.next_at() <= now)
}

/// Whether the active site is well enough that what services answer says something about the standby.
///
/// One that nobody has observed yet is: a plan is read through when it is stored.
pub fn may_look(active: Option<&SiteHealth>) -> bool {
    active.is_none_or(|site| match site.health {
        Health::Healthy => true,
        Health::Unknown => site.settling,
        Health::Degraded | Health::Unhealthy => false,
    })
}

/// Whether a move to `to` may start by itself, as far as preflight knows. One that was not made yet, or that speaks about
/// another revision, says nothing.
pub fn verdict(last: Option<&Preflight>, control: &Control, to: &str) -> Verdict {
    let Some(last) = last.filter(|last| last.is_about(control)) else {
        return Verdict::allow(
            Guard::PreflightPassed,
            "the plan as it is now has not been through preflight yet",
        );
    };
    let at = clock(last.checked_at);
    let blocking: Vec<String> = last.blocking(to).map(Concern::sentence).collect();
    Verdict::when(
        Guard::PreflightPassed,
        blocking.is_empty(),
        if blocking.is_empty() {
            format!("{}, at {at}", last.sentence())
        } else {
            format!("at {at}: {}", blocking.join("; "))
        },
        "mend it and, while the active site is well, say `preflight`; or move it by hand with `failover`, which this does not hold back",
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_795_255_200 + seconds).unwrap()
    }

    fn concern(weight: Weight, to: &str) -> Concern {
        Concern {
            weight,
            to: to.into(),
            path: "steps[0]".into(),
            step: "weights".into(),
            message: "gone".into(),
        }
    }

    fn control() -> Control {
        Control::new("shop", "blue", "revision#1")
    }

    fn found(complete: bool, concerns: Vec<Concern>) -> Preflight {
        Preflight::new(at(0), &control(), complete, concerns)
    }

    #[test]
    fn what_blocks_one_site_does_not_block_another() {
        let last = found(
            true,
            vec![concern(Weight::Warns, "red"), concern(Weight::Blocks, "green")],
        );
        assert!(!verdict(Some(&last), &control(), "green").allows);
        assert!(verdict(Some(&last), &control(), "red").allows);
        assert!(verdict(None, &control(), "green").allows, "not made yet");
    }

    #[test]
    fn one_of_another_revision_or_site_says_nothing_and_is_due() {
        let last = found(true, vec![concern(Weight::Blocks, "green")]);
        for changed in [
            Control {
                plan_revision: 2,
                ..control()
            },
            Control {
                active_site: "green".into(),
                ..control()
            },
        ] {
            assert!(verdict(Some(&last), &changed, "green").allows);
            assert!(is_due(at(1), Some(&last), &changed));
        }
    }

    #[test]
    fn it_is_due_after_half_an_hour_or_sooner_where_something_could_not_be_read() {
        let (whole, part) = (found(true, vec![]), found(false, vec![]));
        assert!(is_due(at(0), None, &control()));
        assert!(!is_due(at(299), Some(&part), &control()) && is_due(at(300), Some(&part), &control()));
        assert!(!is_due(at(1799), Some(&whole), &control()) && is_due(at(1800), Some(&whole), &control()));
    }

    #[test]
    fn what_blocks_is_kept_first_and_told_once() {
        let many = (0..MAX_CONCERNS).map(|_| concern(Weight::Warns, "green"));
        let distinct = many.enumerate().map(|(index, concern)| Concern {
            path: format!("steps[{index}]"),
            ..concern
        });
        let last = found(true, distinct.chain([concern(Weight::Blocks, "green")]).collect());
        assert_eq!(last.concerns.len(), MAX_CONCERNS);
        assert_eq!(last.blocking("green").count(), 1);
        let (headline, details) = last.news(None).unwrap();
        assert!(
            headline.contains("1 step(s) would fail") && details.len() == 1,
            "{headline} {details:?}"
        );
        assert_eq!(last.news(Some(&last)), None, "known");
        let well = found(true, vec![]);
        assert!(well.news(Some(&last)).unwrap().0.contains("again"));
        assert_eq!(well.news(None), None, "nothing to tell");
    }

    #[test]
    fn nothing_is_concluded_from_a_bad_day() {
        let site = |health, settling| SiteHealth {
            health,
            since: None,
            witnesses: vec![],
            settling,
        };
        assert!(may_look(None) && may_look(Some(&site(Health::Healthy, false))));
        assert!(may_look(Some(&site(Health::Unknown, true))), "never observed");
        for health in [Health::Unknown, Health::Degraded, Health::Unhealthy] {
            assert!(!may_look(Some(&site(health, false))), "{health}");
        }
    }
}
