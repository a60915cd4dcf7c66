//! Failover by evidence: the active site has been unhealthy, and another one healthy, for long enough.

use super::asking::Asking;
use super::automatic::conclude;
use super::evidence::{source_verdict, target_verdict};
use super::{Accepted, Decision, Move, Situation, Trigger, consequences, loss_estimate, restraint};
use crate::control::later;
use crate::execution::{Kind, Style, TriggerKind};
use crate::guard::{Guard, Verdict};
use crate::health::{Health, SiteHealth};
use crate::mutant::{self, Mutant};
use crate::preflight;
use crate::report::clock;
use jiff::{SignedDuration, Timestamp};

pub(super) fn decide_failover(
    now: Timestamp,
    trigger: &Trigger,
    situation: Situation<'_>,
    source: &SiteHealth,
    verdicts: Vec<Verdict>,
) -> Decision {
    let Situation { plan, control, .. } = situation;
    let active = control.active_site.as_str();
    let mut asking = Asking::new(now, verdicts);
    asking.ask(source_verdict(active, source));
    restraint::automatic_allowed(&mut asking, situation, false);

    let since = source.since.unwrap_or(now);
    let hold = SignedDuration::from_secs(i64::from(plan.policy.hold_seconds));
    let held_at = later(since, hold);
    asking.ask_until(
        Verdict::when(
            Guard::SourceUnhealthyLongEnough,
            now >= held_at || mutant::active(Mutant::HoldIgnored),
            format!(
                "unhealthy for {} s of the {} s that the policy asks",
                now.duration_since(since).as_secs(),
                hold.as_secs()
            ),
            "nothing: decision looks again when the time is over",
        ),
        Some(held_at),
    );
    let to = ask_target(&mut asking, situation);
    asking.ask(preflight::verdict(situation.preflight, control, &to));
    restraint::failovers_left(&mut asking, situation);
    let accepted = Accepted::default();
    for verdict in consequences(now, plan, (&[Style::Unplanned], &to), situation.lags, accepted) {
        asking.ask(verdict);
    }

    let stops = restraint::stops(&asking, situation, false);
    if stops.is_empty() {
        let chosen = Move {
            kind: Kind::Failover,
            trigger: TriggerKind::Automatic,
            style: Style::Unplanned,
            from: active.to_owned(),
            loss_estimate_seconds: loss_estimate(now, plan, Style::Unplanned, &to, situation.lags),
            to,
            reason: format!("site {active} is {}", source.sentence()),
            operator: None,
            began_at: source.failing_since().map(|began| began.min(since)),
            detected_at: Some(since),
            return_after_seconds: None,
            escalate_after_seconds: None,
        };
        return conclude(now, trigger, situation, asking.verdicts, chosen, false);
    }
    let only_time = stops
        .iter()
        .all(|guard| matches!(guard, Guard::SourceUnhealthyLongEnough | Guard::TargetHealthyLongEnough));
    let summary = match asking.all_open_at().filter(|_| only_time) {
        Some(sure_at) => format!(
            "site {active} is {}; waiting until {} to be sure",
            source.sentence(),
            clock(sure_at)
        ),
        None => format!("nothing moves: {}", crate::guard::refusals(&asking.verdicts)),
    };
    let look_again_at = if only_time {
        asking.all_open_at()
    } else {
        asking.look_again_at()
    };
    Decision {
        alert: !only_time,
        look_again_at,
        ..Decision::nothing(summary, asking.verdicts)
    }
}

// Where to: the most preferred other site that has been well for long enough; failing that, the one that is waited for.
fn ask_target(asking: &mut Asking, situation: Situation<'_>) -> String {
    let Situation {
        plan, control, sites, ..
    } = situation;
    let now = asking.now;
    let others: Vec<(&str, Option<&SiteHealth>)> = plan
        .sites_by_priority()
        .into_iter()
        .filter(|site| site.name != control.active_site)
        .map(|site| (site.name.as_str(), sites.get(&site.name)))
        .collect();
    let is = |health: Option<&SiteHealth>, wanted: Health| health.is_some_and(|health| health.health == wanted);
    let all_bad = others.iter().all(|(_, health)| is(*health, Health::Unhealthy));
    asking.ask(Verdict::when(
        Guard::NotEverythingUnhealthy,
        !all_bad,
        if all_bad { "every site looks unhealthy at once: the observer is the first suspect" } else { "not every site looks unhealthy" },
        "look at the probe function's own network and permissions; if the sites are really down, move by hand with `force`",
    ));
    let healthy = || {
        others
            .iter()
            .filter(|(_, health)| mutant::active(Mutant::TargetHealthIgnored) || is(*health, Health::Healthy))
    };
    let target = healthy()
        .find(|(name, health)| target_verdict(now, plan, name, *health).0.allows)
        .or(healthy().next());
    let sentence = |name: &str, health: Option<&SiteHealth>| {
        let health = health.map_or_else(|| "unknown".to_owned(), SiteHealth::sentence);
        format!("site {name} is {health}")
    };
    let facts = match target {
        Some((name, health)) => sentence(name, *health),
        None => others
            .iter()
            .map(|(name, health)| sentence(name, *health))
            .collect::<Vec<_>>()
            .join(", "),
    };
    asking.ask(Verdict::when(
        Guard::TargetHealthy,
        target.is_some(),
        facts,
        "mend the standby, or move by hand with `force`",
    ));
    let Some((name, health)) = target else {
        return String::new();
    };
    let (held, ready_at) = target_verdict(now, plan, name, *health);
    asking.ask_until(held, ready_at);
    (*name).to_owned()
}
