//! Moves that nobody asked for: failover by evidence, failback by stability.

use super::{Decision, Move, Situation, no_execution, target_verdict};
use crate::control::{Control, later};
use crate::execution::{Kind, Style, TriggerKind};
use crate::guard::{Guard, Verdict};
use crate::health::{Health, SiteHealth};
use crate::mutant::{self, Mutant};
use crate::plan::{FailbackMode, Mode, Plan};
use crate::report::clock;
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;

pub(super) fn decide_automatic(now: Timestamp, situation: Situation<'_>, mut verdicts: Vec<Verdict>) -> Decision {
    let Situation { control, sites, .. } = situation;
    verdicts.push(no_execution(control));
    if control.execution.is_some() && !mutant::active(Mutant::SecondExecution) {
        return Decision::nothing("nothing new starts: an execution is in progress", verdicts);
    }
    let active = control.active_site.as_str();
    let unknown = SiteHealth {
        health: Health::Unknown,
        since: None,
        witnesses: Vec::new(),
        settling: true,
    };
    let source = sites.get(active).unwrap_or(&unknown);
    match source.health {
        Health::Unhealthy => decide_failover(now, situation, source, verdicts),
        _ if control.away.is_some() => decide_failback(now, situation, source, verdicts),
        Health::Healthy => {
            verdicts.push(source_verdict(active, source));
            let summary = format!("nothing to do: the active site {active} is healthy");
            match unfit_observers(sites) {
                None => Decision::nothing(summary, verdicts),
                Some(unfit) => Decision {
                    alert: true,
                    ..Decision::nothing(
                        format!("{summary}; but not every observer can be heard: {unfit}"),
                        verdicts,
                    )
                },
            }
        }
        Health::Degraded | Health::Unknown => {
            verdicts.push(source_verdict(active, source));
            let mut decision = Decision::nothing(
                format!(
                    "nothing moves: the active site {active} is {}; that never moves anything by itself",
                    source.sentence()
                ),
                verdicts,
            );
            decision.alert = worth_an_alert(source);
            decision
        }
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

// `by_word`: a person has asked for this very move (`rollback_plan`), and that word goes over the mode. It does not
// go over a pause, which is a person's word too, and a newer one.
fn automatic_allowed(control: &Control, plan: &Plan, by_word: bool) -> Vec<Verdict> {
    let paused = match control
        .paused
        .as_ref()
        .filter(|_| !mutant::active(Mutant::PauseIgnored))
    {
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
        )
        .override_if(by_word),
        paused,
    ]
}

fn decide_failover(
    now: Timestamp,
    situation: Situation<'_>,
    source: &SiteHealth,
    mut verdicts: Vec<Verdict>,
) -> Decision {
    let Situation { plan, control, sites } = situation;
    let active = control.active_site.as_str();
    verdicts.push(source_verdict(active, source));
    verdicts.extend(automatic_allowed(control, plan, false));

    let since = source.since.unwrap_or(now);
    let hold = SignedDuration::from_secs(i64::from(plan.policy.hold_seconds));
    let held_at = later(since, hold);
    verdicts.push(Verdict::when(
        Guard::SourceUnhealthyLongEnough,
        now >= held_at || mutant::active(Mutant::HoldIgnored),
        format!(
            "unhealthy for {} s of the {} s that the policy asks",
            now.duration_since(since).as_secs(),
            hold.as_secs()
        ),
        "nothing: decision looks again when the time is over",
    ));

    let others: Vec<(&str, Option<&SiteHealth>)> = plan
        .sites_by_priority()
        .into_iter()
        .filter(|site| site.name != active)
        .map(|site| (site.name.as_str(), sites.get(&site.name)))
        .collect();
    let all_bad = others
        .iter()
        .all(|(_, health)| health.is_some_and(|health| health.health == Health::Unhealthy));
    verdicts.push(Verdict::when(
        Guard::NotEverythingUnhealthy,
        !all_bad,
        if all_bad { "every site looks unhealthy at once: the observer is the first suspect" } else { "not every site looks unhealthy" },
        "look at the probe function's own network and permissions; if the sites are really down, move by hand with `force`",
    ));
    let healthy = || {
        let healthy = |health: Option<&SiteHealth>| {
            mutant::active(Mutant::TargetHealthIgnored) || health.is_some_and(|health| health.health == Health::Healthy)
        };
        others.iter().filter(move |(_, health)| healthy(*health))
    };
    // The most preferred one that has been well for long enough; failing that, the one that is waited for.
    let target = healthy()
        .find(|(name, health)| target_verdict(now, plan, name, *health).0.allows)
        .or(healthy().next());
    verdicts.push(Verdict::when(
        Guard::TargetHealthy,
        target.is_some(),
        match target {
            Some((name, Some(health))) => format!("site {name} is {}", health.sentence()),
            _ => others
                .iter()
                .map(|(name, health)| {
                    format!(
                        "site {name} is {}",
                        health.map_or("unknown".into(), SiteHealth::sentence)
                    )
                })
                .collect::<Vec<_>>()
                .join(", "),
        },
        "mend the standby, or move by hand with `force`",
    ));
    let mut target_ready_at = None;
    if let Some((name, health)) = target {
        let (held, ready_at) = target_verdict(now, plan, name, *health);
        verdicts.push(held);
        target_ready_at = ready_at;
    }
    verdicts.push(
        match control
            .latch
            .as_ref()
            .filter(|latch| latch.until > now && !mutant::active(Mutant::LatchIgnored))
        {
            None => Verdict::allow(Guard::LatchOpen, "no automatic failover within the cooldown"),
            Some(latch) => Verdict::stop(
                Guard::LatchOpen,
                format!("latched by execution {} until {}", latch.execution, clock(latch.until)),
                "`acknowledge` the plan, or move it by hand with `failover`",
            ),
        },
    );
    let hour_ago = now.checked_sub(SignedDuration::from_hours(1)).unwrap_or(Timestamp::MIN);
    let spent = control.automatic_failovers.iter().filter(|at| **at > hour_ago).count();
    let budget = plan.policy.automatic_failovers_per_hour as usize;
    verdicts.push(Verdict::when(
        Guard::WithinBudget,
        spent < budget || mutant::active(Mutant::BudgetIgnored),
        format!("{spent} of {budget} automatic failover(s) within the last hour"),
        "move it by hand with `failover`",
    ));

    let stopped: Vec<Guard> = verdicts
        .iter()
        .filter(|verdict| !verdict.allows)
        .map(|verdict| verdict.guard)
        .collect();
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
    let only_time = stopped
        .iter()
        .all(|guard| matches!(guard, Guard::SourceUnhealthyLongEnough | Guard::TargetHealthyLongEnough));
    let sure_at = target_ready_at.map_or(held_at, |ready| ready.max(held_at));
    // Whatever stops besides time changes by an event of its own, but for the latch, which opens by the clock.
    let latch_opens = control
        .latch
        .as_ref()
        .map(|latch| latch.until)
        .filter(|_| stopped.contains(&Guard::LatchOpen));
    let sure_at = if mutant::active(Mutant::TimerForgotten) {
        now
    } else {
        sure_at
    };
    let look_again_at = if now < sure_at { Some(sure_at) } else { latch_opens };
    let summary = if only_time {
        format!(
            "site {active} is {}; waiting until {} to be sure",
            source.sentence(),
            clock(sure_at)
        )
    } else {
        format!("nothing moves: {}", crate::guard::refusals(&verdicts))
    };
    Decision {
        start: None,
        summary,
        alert: !only_time,
        look_again_at,
        verdicts,
    }
}

fn decide_failback(
    now: Timestamp,
    situation: Situation<'_>,
    source: &SiteHealth,
    mut verdicts: Vec<Verdict>,
) -> Decision {
    let Situation { plan, control, sites } = situation;
    let active = control.active_site.as_str();
    let (Some(primary), Some(away)) = (plan.primary(), &control.away) else {
        return Decision::nothing("nothing to do: the plan is at home", verdicts);
    };
    let home = sites.get(&primary.name);
    let by_word = away.return_at.is_some();
    let due = away.return_at.is_some_and(|at| at <= now);

    if by_word {
        verdicts.push(Verdict::allow(
            Guard::FailbackIsAutomatic,
            "the person who moved it asked that it comes home by itself",
        ));
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
    verdicts.extend(automatic_allowed(control, plan, by_word));

    let healthy_since = home
        .filter(|home| home.health == Health::Healthy)
        .and_then(|home| home.since);
    let window = SignedDuration::from_secs(i64::from(plan.policy.failback.stability_seconds));
    // A break before the move counts for nothing: the window begins when the plan went away, at the earliest.
    let stable_at = healthy_since.map(|since| later(since.max(away.since), window));
    let hold = SignedDuration::from_secs(i64::from(plan.policy.hold_seconds));
    let ready_at = if by_word {
        // The promise needs no stability window, only the hold that every destination needs.
        healthy_since.and_then(|since| away.return_at.map(|at| at.max(later(since, hold))))
    } else {
        stable_at
    };
    verdicts.push(Verdict::when(
        Guard::PrimaryStable,
        ready_at.is_some_and(|at| at <= now || mutant::active(Mutant::StabilityIgnored)),
        match (home, ready_at) {
            (Some(home), Some(at)) => format!(
                "site {} is {}; it counts as stable from {}",
                primary.name,
                home.sentence(),
                clock(at)
            ),
            (Some(home), None) => format!("site {} is {}", primary.name, home.sentence()),
            (None, _) => format!("nothing is known of site {}", primary.name),
        },
        "nothing: decision looks again when the window is over",
    ));

    if verdicts.iter().all(|verdict| verdict.allows) {
        let reason = if by_word && due {
            format!(
                "the time is over after which it comes home; site {} is healthy",
                primary.name
            )
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
    let only_time = verdicts
        .iter()
        .all(|verdict| verdict.allows || verdict.guard == Guard::PrimaryStable);
    let look_again_at = if only_time {
        ready_at.or(away.return_at).filter(|at| *at > now)
    } else {
        None
    };
    let summary = match ready_at.filter(|_| only_time) {
        Some(at) => format!(
            "the plan comes home to {} at {}, if it stays healthy",
            primary.name,
            clock(at)
        ),
        None => format!("no failback: {}", crate::guard::refusals(&verdicts)),
    };
    // An active standby that nobody can vouch for is worth a word, wherever home is.
    let alert = worth_an_alert(source);
    Decision {
        start: None,
        summary,
        alert,
        look_again_at,
        verdicts,
    }
}

// Whose voice does not count, and why. The others decide without it; somebody should know all the same.
fn unfit_observers(sites: &BTreeMap<String, SiteHealth>) -> Option<String> {
    let mut unfit: Vec<&str> = sites
        .values()
        .flat_map(|site| &site.witnesses)
        .flat_map(|witness| &witness.unfit)
        .map(String::as_str)
        .collect();
    unfit.sort_unstable();
    unfit.dedup();
    (!unfit.is_empty()).then(|| unfit.join("; "))
}

// A site that has just begun to be observed is unknown too, and no news.
fn worth_an_alert(site: &SiteHealth) -> bool {
    matches!(site.health, Health::Unknown | Health::Degraded) && !site.settling
}
