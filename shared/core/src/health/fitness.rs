//! Whether an observer can be believed.
//!
//! A cut cable at the observer looks like the end of the world: every probe fails, of every plan. So an observer
//! looks at all that it sees before it speaks, and marks itself unfit
//!
//! - if everything that it asks fails, and at least [`FEWEST_PROBES`] of those probes, of at least [`FEWEST_SITES`]
//!   sites, were well and began to fail within one interval of each other; or
//! - if it reaches none of its reference endpoints (`policy.observers.reference`), because they do not answer or because
//!   nothing can be said of them.
//!
//! It is its own judge because only it sees all plans at once. It stays unfit until anything that it asks
//! works again (or, by the second rule, a reference answers). One that is mistaken costs a page to a person
//! instead of a wrong move.

use super::{Health, Observation, STALE_SLOTS, is_ahead, slot};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeSet;

/// The site under which reference endpoints are observed. No plan has one of this name.
pub const REFERENCE_SITE: &str = "_reference";

/// Fewer probes than this failing together are a coincidence that a person would not call suspicious.
const FEWEST_PROBES: usize = 3;
/// A single site may well lose all of its probes at once.
const FEWEST_SITES: usize = 2;
/// How long a look is good for where an observer judges itself, unless its interval makes words live longer. Longer than any
/// check takes: a cut cable makes checks hang, and one that hangs is no reason to be believed.
const LOOK_SECONDS: i64 = 120;
/// How many looks in a row at a reference settle that it does not answer, or that nothing can be said of it.
pub(crate) const REFERENCE_LOOKS: u32 = 2;
/// How much later than an interval a failing probe may be seen: a try may hang, a round may overrun.
const SLACK: SignedDuration = SignedDuration::from_secs(15);

/// Why an observer is not to be believed. `None`: it is fit, or has not seen enough to say otherwise.
///
/// `asked` is every probe that the observer asks, of every plan, each with what it saw last and the newest slot that was
/// counted for that (which may be newer than the one that was written). One that has not been looked at lately may be
/// well, so that nothing is said of everything before all of it has been seen: a probe that answers slowly would else
/// be left out of the very look that it proves wrong.
pub fn unfit<'a>(
    now: Timestamp,
    asked: impl Iterator<Item = (&'a str, Option<(&'a Observation, i64)>)>,
) -> Option<String> {
    let seen: Option<Vec<(&str, &Observation, bool)>> = asked
        .map(|(plan, seen)| seen.map(|(seen, newest)| (plan, seen, lately(now, seen, newest))))
        .collect();
    let (references, asked): (Vec<_>, Vec<_>) = seen?.into_iter().partition(|(_, seen, _)| seen.site == REFERENCE_SITE);
    let whole = |looks: &[(&str, &Observation, bool)]| looks.iter().all(|(_, _, lately)| *lately);
    let unanswered: BTreeSet<&str> = references
        .iter()
        .filter(|(_, seen, _)| is_out_of_reach(seen))
        .map(|(_, seen, _)| seen.reason.as_str())
        .collect();
    let none_answers = references.iter().all(|(_, seen, _)| is_out_of_reach(seen));
    if !references.is_empty() && whole(&references) && none_answers {
        let reasons: Vec<&str> = unanswered.into_iter().take(3).collect();
        return Some(format!(
            "it reaches none of its {} reference endpoint(s) ({})",
            references.len(),
            reasons.join("; ")
        ));
    }
    let fails = |seen: &Observation| matches!(seen.streak.health, Health::Unhealthy | Health::Unknown);
    if !whole(&references) || !whole(&asked) || !asked.iter().all(|(_, seen, _)| fails(seen)) {
        return None;
    }
    let began = |seen: &Observation| {
        let interval = SignedDuration::from_secs(i64::from(seen.interval_seconds));
        let earliest = seen
            .failing_since?
            .checked_sub(interval)
            .ok()?
            .checked_sub(SLACK)
            .ok()?;
        Some(earliest)
    };
    // What failed long before that moment was broken already and says nothing about the observer.
    let moment = asked.iter().filter_map(|(_, seen, _)| began(seen)).max()?;
    let together: Vec<_> = asked
        .iter()
        .filter(|(_, seen, _)| seen.failing_since.is_some_and(|since| since >= moment))
        .collect();
    let sites: BTreeSet<(&str, &str)> = together
        .iter()
        .map(|(plan, seen, _)| (*plan, seen.site.as_str()))
        .collect();
    (together.len() >= FEWEST_PROBES && sites.len() >= FEWEST_SITES).then(|| {
        format!(
            "everything it asks failed at once: {} probe(s) of {} sites",
            together.len(),
            sites.len()
        )
    })
}

// A resolver that is away, or a network without a way out, leaves a reference unknown: it is out of reach all the same.
fn is_out_of_reach(reference: &Observation) -> bool {
    let unknown = reference.health == Health::Unknown
        && reference.streak.health == Health::Unknown
        && reference.streak.slots >= REFERENCE_LOOKS;
    reference.health == Health::Unhealthy || unknown
}

fn lately(now: Timestamp, seen: &Observation, newest: i64) -> bool {
    let slots = STALE_SLOTS.max(LOOK_SECONDS / i64::from(seen.interval_seconds.max(1)));
    let current = slot(now, seen.interval_seconds);
    current.saturating_sub(newest) <= slots && !is_ahead(newest, current)
}
