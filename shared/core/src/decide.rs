//! The judgement: a trigger, a plan, its control item and the health of its sites become one decision.
//!
//! [`decide`] is pure. It returns every guard's verdict, those that let go included, because the record of
//! what was *not* done is worth as much as that of what was. The engine reads, calls this, and writes.
//!
//! 1. An execution is in progress: nothing new starts.
//! 2. Home or away: is the active site unhealthy (failover), or is the plan away and its primary stable (failback)?
//! 3. Each guard of that move speaks. All must let go.
//! 4. What could change by itself with time (a hold, a stability window) sets `look_again_at`.
//! 5. Unknown, stale or contradictory evidence, or everything bad at once, moves nothing and makes an alert.

use crate::command::{Failover, RollbackPlan};
use crate::control::{Control, later};
use crate::event::AlarmEvent;
use crate::execution::{Kind, Style, TriggerKind};
use crate::guard::{Guard, Verdict};
use crate::health::{AlarmReading, Health, SiteHealth};
use crate::plan::{FailbackMode, Mode, Plan};
use crate::report::clock;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What made decision look.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Trigger {
    /// An alarm's change, and the alarm as it was read again.
    Alarm {
        /// What was told.
        event: AlarmEvent,
        /// The alarm read again; none if CloudWatch does not know it (any more).
        reading: Option<AlarmReading>,
    },
    /// A settled health changed.
    Health {
        /// The site.
        site: String,
        /// The probe.
        probe: String,
    },
    /// A time came that decision had set, or the probe touched the item.
    Timer,
    /// A person asks to move the plan.
    Operator {
        /// The command.
        asked: Failover,
        /// Failover or failback.
        move_kind: Kind,
    },
}

impl Trigger {
    /// A few words for the record.
    pub fn sentence(&self) -> String {
        match self {
            Self::Alarm { event, .. } => {
                format!("alarm {} went to {:?} at {} (via {})", event.alarm_name, event.state, clock(event.at), event.via)
            }
            Self::Health { site, probe } => format!("the health of probe {probe} of site {site} changed"),
            Self::Timer => "a timer ran out".into(),
            Self::Operator { asked, move_kind } => format!("{} asks for a {move_kind}: {}", asked.operator, asked.reason),
        }
    }
}

/// What is known when deciding.
#[derive(Clone, Copy, Debug)]
pub struct Situation<'a> {
    /// The plan's newest revision.
    pub plan: &'a Plan,
    /// Its control item.
    pub control: &'a Control,
    /// The health of its sites, from [`crate::health::assess`].
    pub sites: &'a BTreeMap<String, SiteHealth>,
}

/// A move that decision opens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Move {
    /// Failover or failback.
    pub kind: Kind,
    /// The guards or a person.
    pub trigger: TriggerKind,
    /// Planned or unplanned.
    pub style: Style,
    /// The site that carries the plan.
    pub from: String,
    /// The site that shall.
    pub to: String,
    /// Why.
    pub reason: String,
    /// Who asked.
    pub operator: Option<String>,
    /// When the trouble began, by the evidence.
    pub detected_at: Option<Timestamp>,
    /// Seconds after completion at which it comes home by itself.
    pub return_after_seconds: Option<u32>,
}

/// What was decided, and why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// The move to open; none if nothing starts.
    pub start: Option<Move>,
    /// What every guard said, in the order asked.
    pub verdicts: Vec<Verdict>,
    /// One sentence for people.
    pub summary: String,
    /// Somebody should know, although nothing moved.
    pub alert: bool,
    /// When to look again.
    pub look_again_at: Option<Timestamp>,
}

impl Decision {
    fn nothing(summary: impl Into<String>, verdicts: Vec<Verdict>) -> Self {
        Self { start: None, verdicts, summary: summary.into(), alert: false, look_again_at: None }
    }

    /// What is the same when the same thing is refused again: guards and sites, without times.
    pub fn fingerprint(&self, trigger: &Trigger) -> String {
        let kind = match trigger {
            Trigger::Alarm { event, .. } => format!("alarm {} {:?}", event.alarm_name, event.state),
            Trigger::Health { .. } | Trigger::Timer => "health".into(),
            Trigger::Operator { asked, move_kind } => format!("operator {move_kind} {:?}", asked.to),
        };
        let stops: Vec<&str> =
            self.verdicts.iter().filter(|verdict| !verdict.allows).map(|verdict| verdict.guard.as_str()).collect();
        format!("{kind}|{}", stops.join(","))
    }
}

/// Judges. See the module's story.
pub fn decide(now: Timestamp, trigger: &Trigger, situation: Situation<'_>) -> Decision {
    match trigger {
        Trigger::Operator { asked, move_kind } => decide_operator(asked, *move_kind, situation),
        Trigger::Alarm { event, reading } => {
            let verdicts = alarm_verdicts(now, event, reading.as_ref(), situation.plan);
            if verdicts.iter().any(|verdict| !verdict.allows) {
                let summary = format!("nothing moves: {}", crate::guard::refusals(&verdicts));
                // A hint that can not be used must not make a timer forgotten that an earlier look has set.
                return Decision { look_again_at: situation.control.look_again_at, ..Decision::nothing(summary, verdicts) };
            }
            decide_automatic(now, situation, verdicts)
        }
        Trigger::Health { .. } | Trigger::Timer => decide_automatic(now, situation, Vec::new()),
    }
}

fn alarm_verdicts(now: Timestamp, event: &AlarmEvent, reading: Option<&AlarmReading>, plan: &Plan) -> Vec<Verdict> {
    let age = now.duration_since(event.at);
    let limit = SignedDuration::from_secs(i64::from(plan.policy.max_event_age_seconds));
    let fresh = Verdict::when(
        Guard::EventFresh,
        age <= limit && age >= -SignedDuration::from_mins(5),
        format!("the event is of {} and {} s old; the limit is {} s", clock(event.at), age.as_secs(), limit.as_secs()),
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
            format!("the event says {:?}; the alarm, read again, is in {:?}", event.state, read.state),
            "nothing: the alarm has changed since",
        ),
    };
    vec![fresh, confirmed]
}

fn decide_automatic(now: Timestamp, situation: Situation<'_>, mut verdicts: Vec<Verdict>) -> Decision {
    let Situation { control, sites, .. } = situation;
    verdicts.push(no_execution(control));
    if control.execution.is_some() {
        return Decision::nothing("nothing new starts: an execution is in progress", verdicts);
    }
    let active = control.active_site.as_str();
    let unknown = SiteHealth { health: Health::Unknown, since: None, witnesses: Vec::new(), settling: true };
    let source = sites.get(active).unwrap_or(&unknown);
    match source.health {
        Health::Unhealthy => decide_failover(now, situation, source, verdicts),
        _ if control.away.is_some() => decide_failback(now, situation, source, verdicts),
        Health::Healthy => {
            verdicts.push(source_verdict(active, source));
            Decision::nothing(format!("nothing to do: the active site {active} is healthy"), verdicts)
        }
        Health::Degraded | Health::Unknown => {
            verdicts.push(source_verdict(active, source));
            let mut decision = Decision::nothing(
                format!("nothing moves: the active site {active} is {}; that never moves anything by itself", source.sentence()),
                verdicts,
            );
            decision.alert = worth_an_alert(source);
            decision
        }
    }
}

fn no_execution(control: &Control) -> Verdict {
    match &control.execution {
        None => Verdict::allow(Guard::NoExecutionInProgress, "no execution is in progress"),
        Some(running) => Verdict::stop(
            Guard::NoExecutionInProgress,
            format!("execution {} ({} {}) is {}", running.id, running.kind, running.route(), running.status),
            "wait for its end, or `cancel` it",
        ),
    }
}

fn source_verdict(active: &str, source: &SiteHealth) -> Verdict {
    Verdict::when(
        Guard::SourceUnhealthy,
        source.health == Health::Unhealthy,
        format!("the active site {active} is {}", source.sentence()),
        "nothing, if that is right; else look at the site's probes",
    )
}

fn automatic_allowed(control: &Control, plan: &Plan) -> Vec<Verdict> {
    let paused = match &control.paused {
        None => Verdict::allow(Guard::PlanNotPaused, "the plan is not paused"),
        Some(word) => Verdict::stop(
            Guard::PlanNotPaused,
            format!("paused by {} at {}: {}", word.operator, clock(word.at), word.reason),
            "`resume` the plan, or move it by hand with `failover`",
        ),
    };
    vec![
        Verdict::when(
            Guard::PlanIsAutomatic,
            plan.policy.mode == Mode::Automatic,
            format!("policy.mode is {:?}", plan.policy.mode),
            "move it by hand with `failover`, or set policy.mode: automatic",
        ),
        paused,
    ]
}

fn decide_failover(now: Timestamp, situation: Situation<'_>, source: &SiteHealth, mut verdicts: Vec<Verdict>) -> Decision {
    let Situation { plan, control, sites } = situation;
    let active = control.active_site.as_str();
    verdicts.push(source_verdict(active, source));
    verdicts.extend(automatic_allowed(control, plan));

    let since = source.since.unwrap_or(now);
    let hold = SignedDuration::from_secs(i64::from(plan.policy.hold_seconds));
    let held_at = later(since, hold);
    verdicts.push(Verdict::when(
        Guard::SourceUnhealthyLongEnough,
        now >= held_at,
        format!("unhealthy for {} s of the {} s that the policy asks", now.duration_since(since).as_secs(), hold.as_secs()),
        "nothing: decision looks again when the time is over",
    ));

    let others: Vec<(&str, Option<&SiteHealth>)> = plan
        .sites_by_priority()
        .into_iter()
        .filter(|site| site.name != active)
        .map(|site| (site.name.as_str(), sites.get(&site.name)))
        .collect();
    let all_bad = others.iter().all(|(_, health)| health.is_some_and(|health| health.health == Health::Unhealthy));
    verdicts.push(Verdict::when(
        Guard::NotEverythingUnhealthy,
        !all_bad,
        if all_bad { "every site looks unhealthy at once: the observer is the first suspect" } else { "not every site looks unhealthy" },
        "look at the probe function's own network and permissions; if the sites are really down, move by hand with `force`",
    ));
    let target = others.iter().find(|(_, health)| health.is_some_and(|health| health.health == Health::Healthy));
    verdicts.push(Verdict::when(
        Guard::TargetHealthy,
        target.is_some(),
        match target {
            Some((name, Some(health))) => format!("site {name} is {}", health.sentence()),
            _ => others
                .iter()
                .map(|(name, health)| format!("site {name} is {}", health.map_or("unknown".into(), SiteHealth::sentence)))
                .collect::<Vec<_>>()
                .join(", "),
        },
        "mend the standby, or move by hand with `force`",
    ));
    verdicts.push(match control.latch.as_ref().filter(|latch| latch.until > now) {
        None => Verdict::allow(Guard::LatchOpen, "no automatic failover within the cooldown"),
        Some(latch) => Verdict::stop(
            Guard::LatchOpen,
            format!("latched by execution {} until {}", latch.execution, clock(latch.until)),
            "`acknowledge` the plan, or move it by hand with `failover`",
        ),
    });
    let hour_ago = now.checked_sub(SignedDuration::from_hours(1)).unwrap_or(Timestamp::MIN);
    let spent = control.automatic_failovers.iter().filter(|at| **at > hour_ago).count();
    let budget = plan.policy.automatic_failovers_per_hour as usize;
    verdicts.push(Verdict::when(
        Guard::WithinBudget,
        spent < budget,
        format!("{spent} of {budget} automatic failover(s) within the last hour"),
        "move it by hand with `failover`",
    ));

    let stopped: Vec<Guard> = verdicts.iter().filter(|verdict| !verdict.allows).map(|verdict| verdict.guard).collect();
    if stopped.is_empty() {
        let to = target.map_or_else(String::new, |(name, _)| (*name).to_owned());
        let reason = format!("site {active} is {}", source.sentence());
        return Decision {
            summary: format!("failover {active} → {to}: {reason}"),
            start: Some(Move {
                kind: Kind::Failover,
                trigger: TriggerKind::Automatic,
                style: Style::Unplanned,
                from: active.to_owned(),
                to,
                reason,
                operator: None,
                detected_at: Some(since),
                return_after_seconds: None,
            }),
            verdicts,
            alert: false,
            look_again_at: None,
        };
    }
    let only_time = stopped == [Guard::SourceUnhealthyLongEnough];
    // Whatever stops besides time changes by an event of its own, but for the latch, which opens by the clock.
    let latch_opens = control.latch.as_ref().map(|latch| latch.until).filter(|_| stopped.contains(&Guard::LatchOpen));
    let look_again_at = if now < held_at { Some(held_at) } else { latch_opens };
    let summary = if only_time {
        format!("site {active} is {}; waiting until {} to be sure", source.sentence(), clock(held_at))
    } else {
        format!("nothing moves: {}", crate::guard::refusals(&verdicts))
    };
    Decision { start: None, summary, alert: !only_time, look_again_at, verdicts }
}

fn decide_failback(now: Timestamp, situation: Situation<'_>, source: &SiteHealth, mut verdicts: Vec<Verdict>) -> Decision {
    let Situation { plan, control, sites } = situation;
    let active = control.active_site.as_str();
    let (Some(primary), Some(away)) = (plan.primary(), &control.away) else {
        return Decision::nothing("nothing to do: the plan is at home", verdicts);
    };
    let home = sites.get(&primary.name);
    let by_word = away.return_at.is_some();
    let due = away.return_at.is_some_and(|at| at <= now);

    if by_word {
        verdicts.push(Verdict::allow(Guard::FailbackIsAutomatic, "the person who moved it asked that it comes home by itself"));
    } else {
        verdicts.push(Verdict::when(
            Guard::FailbackIsAutomatic,
            plan.policy.failback.mode == FailbackMode::Automatic,
            format!("policy.failback.mode is {:?}", plan.policy.failback.mode),
            "bring it home by hand with `failback`",
        ));
        verdicts.push(Verdict::when(
            Guard::WentAwayAutomatically,
            away.trigger == TriggerKind::Automatic,
            format!("execution {} that moved it was {}", away.execution, away.trigger),
            "bring it home by hand with `failback`",
        ));
    }
    verdicts.extend(automatic_allowed(control, plan));

    let healthy_since = home.filter(|home| home.health == Health::Healthy).and_then(|home| home.since);
    let window = SignedDuration::from_secs(i64::from(plan.policy.failback.stability_seconds));
    // A break before the move counts for nothing: the window begins when the plan went away, at the earliest.
    let stable_at = healthy_since.map(|since| later(since.max(away.since), window));
    let ready_at = if by_word { healthy_since.and(away.return_at) } else { stable_at };
    verdicts.push(Verdict::when(
        Guard::PrimaryStable,
        ready_at.is_some_and(|at| at <= now),
        match (home, ready_at) {
            (Some(home), Some(at)) => format!("site {} is {}; it counts as stable from {}", primary.name, home.sentence(), clock(at)),
            (Some(home), None) => format!("site {} is {}", primary.name, home.sentence()),
            (None, _) => format!("nothing is known of site {}", primary.name),
        },
        "nothing: decision looks again when the window is over",
    ));

    if verdicts.iter().all(|verdict| verdict.allows) {
        let reason = if by_word && due {
            format!("the time is over after which it comes home; site {} is healthy", primary.name)
        } else {
            format!("site {} has been healthy for {} s", primary.name, window.as_secs())
        };
        return Decision {
            summary: format!("failback {active} → {}: {reason}", primary.name),
            start: Some(Move {
                kind: Kind::Failback,
                trigger: TriggerKind::Automatic,
                style: Style::Planned,
                from: active.to_owned(),
                to: primary.name.clone(),
                reason,
                operator: None,
                detected_at: stable_at.filter(|_| !by_word).and(healthy_since),
                return_after_seconds: None,
            }),
            verdicts,
            alert: false,
            look_again_at: None,
        };
    }
    let only_time = verdicts.iter().all(|verdict| verdict.allows || verdict.guard == Guard::PrimaryStable);
    let look_again_at = if only_time { ready_at.or(away.return_at).filter(|at| *at > now) } else { None };
    let summary = match ready_at.filter(|_| only_time) {
        Some(at) => format!("the plan comes home to {} at {}, if it stays healthy", primary.name, clock(at)),
        None => format!("no failback: {}", crate::guard::refusals(&verdicts)),
    };
    // An active standby that nobody can vouch for is worth a word, wherever home is.
    let alert = worth_an_alert(source);
    Decision { start: None, summary, alert, look_again_at, verdicts }
}

// A site that has just begun to be observed is unknown too, and no news.
fn worth_an_alert(site: &SiteHealth) -> bool {
    matches!(site.health, Health::Unknown | Health::Degraded) && !site.settling
}

fn decide_operator(asked: &Failover, kind: Kind, situation: Situation<'_>) -> Decision {
    let Situation { plan, control, sites } = situation;
    let active = control.active_site.as_str();
    let mut verdicts = vec![no_execution(control)];
    let primary = plan.primary().map(|site| site.name.as_str()).unwrap_or_default();
    if kind == Kind::Failback {
        verdicts.push(Verdict::when(
            Guard::AwayFromHome,
            active != primary,
            format!("the active site is {active}, the primary is {primary}"),
            "nothing: the plan is at home",
        ));
    }
    let healthy = |name: &str| sites.get(name).is_some_and(|site| site.health == Health::Healthy);
    let others: Vec<&str> =
        plan.sites_by_priority().into_iter().map(|site| site.name.as_str()).filter(|name| *name != active).collect();
    let to = match (&asked.to, kind) {
        (Some(to), _) => to.as_str(),
        (None, Kind::Failback) => primary,
        (None, Kind::Failover) => {
            others.iter().copied().find(|name| healthy(name)).or(others.first().copied()).unwrap_or_default()
        }
    };
    let names: Vec<&str> = plan.sites.iter().map(|site| site.name.as_str()).collect();
    verdicts.push(Verdict::when(
        Guard::TargetKnown,
        plan.site(to).is_some() && (kind == Kind::Failover || to == primary),
        if kind == Kind::Failback && to != primary {
            format!("failback goes to the primary, {primary}, not to {}", crate::event::excerpt(to))
        } else {
            format!("the destination is {}; the plan's sites are {}", crate::event::excerpt(to), names.join(", "))
        },
        "name a site of the plan in `to`, or leave it out",
    ));
    if kind == Kind::Failover && asked.to.is_none() {
        // A second `failover` without a destination, pressed twice or late, must not move the plan back.
        verdicts.push(Verdict::when(
            Guard::AtHome,
            active == primary,
            format!("the active site is {active}, the primary is {primary}"),
            "say where to in `to`, or bring the plan home with `failback`",
        ));
    }
    verdicts.push(Verdict::when(
        Guard::TargetDiffers,
        to != active,
        format!("the active site is {active}"),
        "nothing: the plan is where you want it",
    ));
    let health = sites.get(to).map_or_else(|| "unknown".to_owned(), SiteHealth::sentence);
    verdicts.push(
        Verdict::when(
            Guard::TargetHealthy,
            healthy(to),
            format!("site {} is {health}", crate::event::excerpt(to)),
            "mend it, or say `\"force\": true` to go there all the same",
        )
        .override_if(asked.force),
    );
    if verdicts.iter().any(|verdict| !verdict.allows) {
        let summary = format!("refused: {}", crate::guard::refusals(&verdicts));
        return Decision { look_again_at: control.look_again_at, ..Decision::nothing(summary, verdicts) };
    }
    let return_after_seconds = match asked.rollback_plan {
        Some(RollbackPlan { auto_rollback: true, rollback_delay }) => Some(rollback_delay),
        _ => None,
    };
    Decision {
        summary: format!("{kind} {active} → {to}, asked by {}: {}", asked.operator, asked.reason),
        start: Some(Move {
            kind,
            trigger: TriggerKind::Manual,
            style: asked.style,
            from: active.to_owned(),
            to: to.to_owned(),
            reason: asked.reason.clone(),
            operator: Some(asked.operator.clone()),
            detected_at: None,
            return_after_seconds,
        }),
        verdicts,
        alert: false,
        look_again_at: None,
    }
}
