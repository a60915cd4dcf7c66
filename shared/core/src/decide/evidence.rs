//! Evidence: the guards that ask whether what was seen calls for a move at all.

use crate::control::{Control, later};
use crate::event::AlarmEvent;
use crate::guard::{Guard, Verdict};
use crate::health::{AlarmReading, Health, SiteHealth};
use crate::mutant::{self, Mutant};
use crate::plan::Plan;
use crate::report::clock;
use jiff::{SignedDuration, Timestamp};

pub(super) fn source_verdict(active: &str, source: &SiteHealth) -> Verdict {
    Verdict::when(
        Guard::SourceUnhealthy,
        source.health == Health::Unhealthy,
        format!("the active site {active} is {}", source.sentence()),
        "nothing, if that is right; else look at the site's probes",
    )
}

// A site that has just begun to be observed is unknown too, and no news.
pub(super) fn worth_an_alert(site: &SiteHealth) -> bool {
    matches!(site.health, Health::Unknown | Health::Degraded) && !site.settling
}

pub(super) fn alarm_verdicts(
    now: Timestamp,
    event: &AlarmEvent,
    reading: Option<&AlarmReading>,
    plan: &Plan,
) -> Vec<Verdict> {
    let age = now.duration_since(event.at);
    let limit = SignedDuration::from_secs(i64::from(plan.policy.max_event_age_seconds));
    let fresh = Verdict::when(
        Guard::EventFresh,
        (age <= limit || mutant::active(Mutant::EventAgeIgnored)) && age >= -SignedDuration::from_mins(5),
        format!(
            "the event is of {} and {} s old; the limit is {} s",
            clock(event.at),
            age.as_secs(),
            limit.as_secs()
        ),
        "nothing: an old event says nothing about now, and the probes go on looking",
    );
    let confirmed = match reading {
        None => Verdict::stop(
            Guard::AlarmConfirmed,
            format!("CloudWatch does not know an alarm {}", event.alarm_name),
            "create the alarm, or take it out of the plan",
        ),
        Some(read) => Verdict::when(
            Guard::AlarmConfirmed,
            read.state == event.state,
            format!(
                "the event says {:?}; the alarm, read again, is in {:?}",
                event.state, read.state
            ),
            "nothing: the alarm has changed since",
        ),
    };
    vec![fresh, confirmed]
}

// The destination must have been well for as long as the source must have been ill: a site that has just come up is
// no safer than one that has just gone down. `None` for the time: it is not healthy, and no clock will change that.
pub(super) fn target_verdict(
    now: Timestamp,
    plan: &Plan,
    name: &str,
    health: Option<&SiteHealth>,
) -> (Verdict, Option<Timestamp>) {
    let hold = SignedDuration::from_secs(i64::from(plan.policy.hold_seconds));
    let since = health
        .filter(|health| health.health == Health::Healthy)
        .and_then(|health| health.since);
    let ready_at = since.map(|since| later(since, hold));
    let verdict = Verdict::when(
        Guard::TargetHealthyLongEnough,
        ready_at.is_some_and(|at| at <= now) || mutant::active(Mutant::TargetHealthIgnored),
        match since {
            Some(since) => format!(
                "site {} has been healthy for {} s of the {} s that the policy asks",
                crate::event::excerpt(name),
                now.duration_since(since).as_secs(),
                hold.as_secs()
            ),
            None => format!(
                "nobody can say since when site {} is healthy",
                crate::event::excerpt(name)
            ),
        },
        "wait, or say `\"force\": true` to go there all the same",
    );
    (verdict, ready_at)
}

pub(super) fn no_execution(control: &Control) -> Verdict {
    match control
        .execution
        .as_ref()
        .filter(|_| !mutant::active(Mutant::SecondExecution))
    {
        None => Verdict::allow(Guard::NoExecutionInProgress, "no execution is in progress"),
        Some(running) => Verdict::stop(
            Guard::NoExecutionInProgress,
            format!(
                "execution {} ({} {}) is {}",
                running.id,
                running.kind,
                running.route(),
                running.status
            ),
            "wait for its end, or `cancel` it",
        ),
    }
}
