//! Restraint: what holds a move back although the evidence asks for it.

use super::Situation;
use super::asking::Asking;
use crate::control::{Word, later};
use crate::fleet::{FleetMode, Maintenance};
use crate::guard::{Guard, Verdict};
use crate::mutant::{Mutant, active};
use crate::plan::Mode;
use crate::report::clock;
use jiff::{SignedDuration, Timestamp};

/// The mode that counts, and what it is the mode of: the plan's own, or that of all plans where it is more careful.
///
/// `by_word`: a person has asked for this very move, and that word goes over the plan's own mode. One on all plans it does
/// not go over, as little as over a pause.
pub(super) fn mode(situation: Situation<'_>, by_word: bool) -> (Mode, &'static str) {
    let own = if by_word {
        Mode::Automatic
    } else {
        situation.plan.policy.mode
    };
    let fleet = situation.fleet.boldest();
    if fleet > own {
        (fleet, "the mode of all plans")
    } else {
        (own, "policy.mode")
    }
}

/// The guards that stop a move, but for those that only say that the plan observes: what it would have done is the question
/// then, and the mode itself no answer to it.
pub(super) fn stops(asking: &Asking, situation: Situation<'_>, by_word: bool) -> Vec<Guard> {
    let mut stops = asking.stops();
    if mode(situation, by_word).0 == Mode::Observe {
        stops.retain(|guard| !matches!(guard, Guard::PlanIsAutomatic | Guard::FleetIsAutomatic));
    }
    stops
}

/// What lets nothing move by itself. `by_word`: a person has asked for this very move (`rollback_plan`), and that word
/// goes over the mode. It does not go over pauses and windows, which are people's words too, and newer ones.
pub(super) fn automatic_allowed(asking: &mut Asking, situation: Situation<'_>, by_word: bool) {
    let Situation {
        plan, control, fleet, ..
    } = situation;
    let mode = plan.policy.mode;
    let allows = |mode: Mode| matches!(mode, Mode::Automatic | Mode::Approve);
    asking.ask(
        Verdict::when(
            Guard::PlanIsAutomatic,
            allows(mode),
            match mode {
                Mode::Automatic => "policy.mode is automatic",
                Mode::Approve => "policy.mode is approve: it moves if a person says yes",
                Mode::Observe => "policy.mode is observe: what it would do is recorded, and nothing moves",
                Mode::Manual => "policy.mode is manual",
            },
            "move it by hand with `failover`, or set policy.mode: automatic",
        )
        .override_if(by_word),
    );
    asking.ask(match &fleet.mode {
        None => Verdict::allow(Guard::FleetIsAutomatic, "no mode is set for all plans"),
        Some(FleetMode { mode, word }) => Verdict::when(
            Guard::FleetIsAutomatic,
            allows(*mode),
            format!(
                "all plans are in mode {mode} by {} at {}: {}",
                word.operator,
                clock(word.at),
                word.reason
            ),
            "move it by hand with `failover`, or give the plans back their own modes with `mode`: \"automatic\"",
        ),
    });
    asking.ask(word_verdict(
        Guard::PlanNotPaused,
        control.paused.as_ref().filter(|_| !active(Mutant::PauseIgnored)),
        "the plan is not paused",
        "`resume` the plan, or move it by hand with `failover`",
    ));
    asking.ask(word_verdict(
        Guard::FleetNotPaused,
        fleet.paused.as_ref(),
        "the plans are not paused",
        "`resume` with \"plan\": \"*\", or move it by hand with `failover`",
    ));
    asking.ask(fleet_not_stopped(situation));
    let now = asking.now;
    let open = |window: &Option<Maintenance>| {
        let window = window.clone().filter(|window| window.until > now);
        window.filter(|_| !active(Mutant::MaintenanceIgnored))
    };
    let of_plan = open(&control.maintenance).map(|window| (window, "", "`resume`"));
    let of_all = open(&fleet.maintenance).map(|window| (window, " of all plans", "`resume` with \"plan\": \"*\""));
    let longest = of_plan
        .into_iter()
        .chain(of_all)
        .max_by_key(|(window, ..)| window.until);
    match longest {
        None => asking.ask(Verdict::allow(Guard::NoMaintenance, "no maintenance window is open")),
        Some((Maintenance { word, until }, of, end)) => asking.ask_until(
            Verdict::stop(
                Guard::NoMaintenance,
                format!(
                    "maintenance{of} by {} until {}: {}",
                    word.operator,
                    clock(until),
                    word.reason
                ),
                format!("nothing: it ends by itself; {end} ends it now; people can move the plan with `failover`"),
            ),
            Some(until),
        ),
    }
}

/// The kill switch.
pub(super) fn fleet_not_stopped(situation: Situation<'_>) -> Verdict {
    word_verdict(
        Guard::FleetNotStopped,
        situation.fleet.stopped.as_ref(),
        "the kill switch is off",
        "`start-all`, when whoever stopped everything agrees",
    )
}

fn word_verdict(guard: Guard, word: Option<&Word>, free: &str, remedy: &str) -> Verdict {
    match word {
        None => Verdict::allow(guard, free),
        Some(word) => Verdict::stop(
            guard,
            format!("by {} at {}: {}", word.operator, clock(word.at), word.reason),
            remedy,
        ),
    }
}

/// Latch and budget of automatic failovers.
pub(super) fn failovers_left(asking: &mut Asking, situation: Situation<'_>) {
    let Situation { plan, control, .. } = situation;
    let now = asking.now;
    let closed = control.latch.as_ref().filter(|latch| latch.until > now);
    match closed.filter(|_| !active(Mutant::LatchIgnored)) {
        None => asking.ask(Verdict::allow(
            Guard::LatchOpen,
            "no automatic failover within the cooldown",
        )),
        Some(latch) => asking.ask_until(
            Verdict::stop(
                Guard::LatchOpen,
                format!("latched by execution {} until {}", latch.execution, clock(latch.until)),
                "`acknowledge` the plan, or move it by hand with `failover`",
            ),
            Some(latch.until),
        ),
    }
    let budget = plan.policy.automatic_failovers_per_hour as usize;
    let (spent, free_at) = spent(now, &control.automatic_failovers, SignedDuration::from_hours(1), budget);
    asking.ask_until(
        Verdict::when(
            Guard::WithinBudget,
            spent < budget || active(Mutant::BudgetIgnored),
            format!("{spent} of {budget} automatic failover(s) within the last hour"),
            "say `acknowledge` while the latch is closed, or move it by hand with `failover`",
        ),
        free_at,
    );
}

/// Hours and daily limit of automatic failbacks. A promised return goes over both.
pub(super) fn failbacks_left(asking: &mut Asking, situation: Situation<'_>, by_word: bool) {
    let failback = &situation.plan.policy.failback;
    let now = asking.now;
    if let Some(hours) = &failback.hours {
        let opens_at = hours.next_open(now);
        let days: Vec<String> = hours.weekdays.iter().map(|day| format!("{day:?}")).collect();
        let days = if days.is_empty() {
            "every day".to_owned()
        } else {
            days.join(", ")
        };
        let next = match opens_at {
            Some(at) if at > now => format!("; they open at {at}"),
            _ => String::new(),
        };
        asking.ask_until(
            Verdict::when(
                Guard::WithinFailbackHours,
                opens_at.is_some_and(|at| at <= now || active(Mutant::HoursIgnored)),
                format!("failback hours are {} to {} UTC, {days}{next}", hours.from, hours.to),
                "nothing: it comes home when they open; or bring it home by hand with `failback`",
            )
            .override_if(by_word),
            opens_at,
        );
    }
    let limit = failback.max_per_day as usize;
    let control = situation.control;
    let (spent, free_at) = spent(now, &control.automatic_failbacks, SignedDuration::from_hours(24), limit);
    asking.ask_until(
        Verdict::when(
            Guard::WithinFailbackLimit,
            spent < limit,
            format!("{spent} of {limit} automatic failback(s) within the last 24 hours"),
            "look why it went away again, then bring it home by hand with `failback`",
        )
        .override_if(by_word),
        free_at,
    );
}

// How many lie within the span, and when there is room for one more.
fn spent(now: Timestamp, made: &[Timestamp], span: SignedDuration, limit: usize) -> (usize, Option<Timestamp>) {
    let mut within: Vec<Timestamp> = made
        .iter()
        .map(|at| later(*at, span))
        .filter(|end| *end > now)
        .collect();
    within.sort_unstable();
    let free_at = within
        .len()
        .checked_sub(limit)
        .and_then(|first| within.get(first))
        .copied();
    (within.len(), free_at)
}
