//! Failback by stability: the primary has been well for long enough, and the work may come home.

use super::asking::Asking;
use super::automatic::conclude;
use super::concern::Concerns;
use super::evidence::worth_an_alert;
use super::{Accepted, Decision, Move, Situation, Trigger, consequences, restraint};
use crate::control::later;
use crate::execution::{Kind, Status, Style, TriggerKind};
use crate::guard::{Guard, Verdict};
use crate::health::{Health, SiteHealth};
use crate::mutant::{self, Mutant};
use crate::plan::{FailbackMode, Step};
use crate::preflight;
use crate::report::clock;
use jiff::{SignedDuration, Timestamp};

/// How long after its time the next preflight has been made: a probe looks every five minutes which are due.
const NEXT_PREFLIGHT_TAKES: SignedDuration = SignedDuration::from_mins(6);

pub(super) fn decide_failback(
    now: Timestamp,
    trigger: &Trigger,
    situation: Situation<'_>,
    source: &SiteHealth,
    verdicts: Vec<Verdict>,
) -> Decision {
    let Situation {
        plan, control, sites, ..
    } = situation;
    let active = control.active_site.as_str();
    let (Some(primary), Some(away)) = (plan.primary(), &control.away) else {
        return Decision::nothing("nothing to do: the plan is at home", verdicts);
    };
    let home = sites.get(&primary.name);
    let by_word = away.return_at.is_some();
    let mut asking = Asking::new(now, verdicts);

    if by_word {
        asking.ask(Verdict::allow(
            Guard::FailbackIsAutomatic,
            "the person who moved it asked that it comes home by itself",
        ));
    } else {
        asking.ask(Verdict::when(
            Guard::FailbackIsAutomatic,
            plan.policy.failback.mode == FailbackMode::Automatic,
            format!("policy.failback.mode is {:?}", plan.policy.failback.mode),
            "bring it home by hand with `failback`",
        ));
        asking.ask(Verdict::when(
            Guard::WentAwayAutomatically,
            away.trigger == TriggerKind::Automatic,
            format!("execution {} that moved it was {}", away.execution, away.trigger),
            "bring it home by hand with `failback`",
        ));
    }
    restraint::automatic_allowed(&mut asking, situation, by_word);
    restraint::failbacks_left(&mut asking, situation, by_word);

    let healthy_since = home
        .filter(|home| home.health == Health::Healthy)
        .and_then(|home| home.since);
    let seconds = |seconds: u32| SignedDuration::from_secs(i64::from(seconds));
    let window = seconds(plan.policy.failback.stability_seconds);
    let ready_at = healthy_since.map(|since| match away.return_at {
        // The promise needs no stability window, only the hold that every destination needs.
        Some(at) => at.max(later(since, seconds(plan.policy.hold_seconds))),
        // A break before the move counts for nothing: the window begins when the plan went away, at the earliest.
        None => later(since.max(away.since), window),
    });
    // One that was turned back, by what failed or by a person, is not tried again at once: a whole window comes first.
    let turned_back = control
        .last_execution
        .as_ref()
        .filter(|last| last.from == active && last.to == primary.name && last.status != Status::Completed);
    let ready_at = ready_at.map(|at| turned_back.map_or(at, |last| at.max(later(last.ended_at, window))));
    asking.ask_until(
        Verdict::when(
            Guard::PrimaryStable,
            ready_at.is_some_and(|at| at <= now || mutant::active(Mutant::StabilityIgnored)),
            match (home, ready_at) {
                (Some(home), Some(at)) => format!(
                    "site {} is {}; {}it counts as stable from {}",
                    primary.name,
                    home.sentence(),
                    turned_back.map_or_else(String::new, |last| format!(
                        "the last way home was {} at {}, and a window begins there; ",
                        last.status,
                        clock(last.ended_at)
                    )),
                    clock(at)
                ),
                (Some(home), None) => format!("site {} is {}", primary.name, home.sentence()),
                (None, _) => format!("nothing is known of site {}", primary.name),
            },
            "nothing: decision looks again when the window is over",
        ),
        ready_at.or(away.return_at),
    );
    let passed = preflight::verdict(situation.preflight, control, &primary.name);
    let next = situation.preflight.map(|last| last.next_at().max(now));
    asking.ask_until(passed, next.map(|at| later(at, NEXT_PREFLIGHT_TAKES)));
    let accepted = Accepted::default();
    for verdict in consequences(now, plan, (&[Style::Planned], &primary.name), situation.lags, accepted) {
        asking.ask(verdict);
    }
    // The way out may have done what the way home leaves out.
    let one_way = plan.steps.iter().filter(|step| {
        let when = step.common().when;
        when.includes(Style::Unplanned) && !when.includes(Style::Planned) && step.is_lossy(Style::Unplanned)
    });
    let mut irreversible = plan.irreversible_steps(Style::Planned);
    irreversible.extend(one_way.map(Step::name));
    // Databases go home only by switchover: a promotion needs an old side that was rebuilt, and a person who knows.
    asking.ask(Verdict::when(
        Guard::FailbackReversible,
        irreversible.is_empty(),
        if irreversible.is_empty() {
            "every step of the way home can be taken back".to_owned()
        } else {
            format!(
                "step {} can not be taken back, or is left out of the way home, and the old side may hold data that the new one \
                 does not",
                irreversible.join(", ")
            )
        },
        "make the old side a replica of the new one, then bring it home by hand with `failback`",
    ));

    let stops = restraint::stops(&asking, situation, by_word);
    if stops.is_empty() {
        let reason = if by_word {
            format!(
                "the time is over after which it comes home; site {} is healthy",
                primary.name
            )
        } else {
            format!("site {} has been healthy for {} s", primary.name, window.as_secs())
        };
        let chosen = Move {
            kind: Kind::Failback,
            trigger: TriggerKind::Automatic,
            style: Style::Planned,
            from: active.to_owned(),
            to: primary.name.clone(),
            reason,
            operator: None,
            began_at: None,
            detected_at: healthy_since.filter(|_| !by_word),
            return_after_seconds: None,
            escalate_after_seconds: None,
            loss_estimate_seconds: None,
        };
        return conclude(now, trigger, situation, asking.verdicts, chosen, by_word);
    }
    let is_time = |guard: &Guard| {
        matches!(
            guard,
            Guard::PrimaryStable | Guard::WithinFailbackHours | Guard::WithinFailbackLimit | Guard::NoMaintenance
        )
    };
    let only_time = stops.iter().all(is_time);
    let summary = match asking.all_open_at().filter(|_| only_time && ready_at.is_some()) {
        Some(at) => format!(
            "the plan comes home to {} at {}, if it stays healthy",
            primary.name,
            clock(at)
        ),
        None => format!("no failback: {}", crate::guard::refusals(&asking.verdicts)),
    };
    let by_itself = !stops.contains(&Guard::FailbackIsAutomatic) && !stops.contains(&Guard::WentAwayAutomatically);
    // Whoever waits for it to come home would wait in vain. An alarm that flaps says nothing new about that.
    let held = by_itself && !stops.iter().any(is_time) && !matches!(trigger, Trigger::Alarm { .. });
    let concerns = Concerns::of(situation);
    let summary = concerns.behind(summary);
    Decision {
        // An active standby that nobody can vouch for is worth a word, wherever home is.
        alert: worth_an_alert(source) || concerns.are_news(control) || held,
        look_again_at: if only_time {
            asking.all_open_at()
        } else {
            asking.look_again_at().filter(|_| by_itself)
        },
        concerns: Some(concerns),
        ..Decision::nothing(summary, asking.verdicts)
    }
}
