//! Moves that a person asks for. A person goes over health (`force`), pause, window, latch and budget, never over a
//! running execution or the kill switch.

use super::evidence::{no_execution, target_verdict};
use super::{Accepted, Decision, Move, Situation, consequences, loss_estimate, restraint};
use crate::command::{Failover, RollbackPlan};
use crate::execution::{Kind, Style, TriggerKind};
use crate::guard::{Guard, Verdict};
use crate::health::{Health, SiteHealth};
use crate::plan::Plan;
use jiff::Timestamp;

pub(super) fn decide_operator(now: Timestamp, asked: &Failover, kind: Kind, situation: Situation<'_>) -> Decision {
    let Situation {
        plan, control, sites, ..
    } = situation;
    let active = control.active_site.as_str();
    let mut verdicts = vec![no_execution(control), restraint::fleet_not_stopped(situation)];
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
    let others: Vec<&str> = plan
        .sites_by_priority()
        .into_iter()
        .map(|site| site.name.as_str())
        .filter(|name| *name != active)
        .collect();
    let to = match (&asked.to, kind) {
        (Some(to), _) => to.as_str(),
        (None, Kind::Failback) => primary,
        (None, _) => others
            .iter()
            .copied()
            .find(|name| healthy(name))
            .or(others.first().copied())
            .unwrap_or_default(),
    };
    let names: Vec<&str> = plan.sites.iter().map(|site| site.name.as_str()).collect();
    verdicts.push(Verdict::when(
        Guard::TargetKnown,
        plan.site(to).is_some() && (kind == Kind::Failover || to == primary),
        if kind == Kind::Failback && to != primary {
            format!(
                "failback goes to the primary, {primary}, not to {}",
                crate::event::excerpt(to)
            )
        } else {
            format!(
                "the destination is {}; the plan's sites are {}",
                crate::event::excerpt(to),
                names.join(", ")
            )
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
    let return_after_seconds = match asked.rollback_plan {
        Some(RollbackPlan {
            auto_rollback: true,
            rollback_delay,
        }) => Some(rollback_delay),
        _ => None,
    };
    if return_after_seconds.is_some() {
        verdicts.push(Verdict::when(
            Guard::ReturnPossible,
            to != primary,
            format!("the move goes to {}, and home is {primary}", crate::event::excerpt(to)),
            "leave `rollback_plan` out: who is at home has nowhere to come back to",
        ));
    }
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
    if healthy(to) {
        let (held, _) = target_verdict(now, plan, to, sites.get(to));
        verdicts.push(held.override_if(asked.force));
    }
    let styles: &[Style] = match (asked.style, asked.escalate_after_seconds) {
        (Style::Planned, Some(_)) => &[Style::Planned, Style::Unplanned],
        (Style::Planned, None) => &[Style::Planned],
        (Style::Unplanned, _) => &[Style::Unplanned],
    };
    if kind == Kind::Failback {
        verdicts.extend(homeward(plan, styles, active, to));
    }
    let accepted = Accepted {
        data_loss: asked.accept_data_loss,
        irreversible: asked.accept_irreversible,
    };
    verdicts.extend(consequences(now, plan, (styles, to), situation.lags, accepted));
    if verdicts.iter().any(|verdict| !verdict.allows) {
        let summary = format!("refused: {}", crate::guard::refusals(&verdicts));
        return Decision {
            look_again_at: control.look_again_at,
            ..Decision::nothing(summary, verdicts)
        };
    }
    let summary = format!("{kind} {active} → {to}, asked by {}: {}", asked.operator, asked.reason);
    let chosen = Move {
        kind,
        trigger: TriggerKind::Manual,
        style: asked.style,
        from: active.to_owned(),
        to: to.to_owned(),
        reason: asked.reason.clone(),
        operator: Some(asked.operator.clone()),
        began_at: None,
        detected_at: None,
        return_after_seconds,
        escalate_after_seconds: asked.escalate_after_seconds.filter(|_| asked.style == Style::Planned),
        loss_estimate_seconds: loss_estimate(now, plan, asked.style, to, situation.lags),
    };
    Decision {
        start: Some(chosen),
        ..Decision::nothing(summary, verdicts)
    }
}

/// Databases go home by a switchover: an unplanned move, or one that promotes a replica whose source still takes writes,
/// would throw away what was written away from home. Nothing is said of a plan whose way home can not lose data. No word
/// goes over it: a `failover` to the primary says what it is.
pub(super) fn homeward(plan: &Plan, styles: &[Style], from: &str, to: &str) -> Option<Verdict> {
    let both = [Style::Unplanned, Style::Planned].into_iter();
    let lossy: Vec<Style> = both.filter(|style| plan.is_lossy(*style)).collect();
    if lossy.is_empty() {
        return None;
    }
    let loses = lossy.into_iter().find(|style| styles.contains(style));
    let (facts, what_to_do) = match loses {
        Some(Style::Unplanned) => (
            format!(
                "an unplanned failback from {from} to {to} would lose what was written at {from} and has not arrived"
            ),
            "leave `style` and `escalate_after_seconds` out of `failback`; if the active site is lost for good, say \
             `failover` to the primary, with the consent that it needs",
        ),
        Some(Style::Planned) => (
            format!(
                "the failback from {from} to {to} promotes a replica without a fence around its source before: what is \
                 written at {from} meanwhile would be lost"
            ),
            "put a `fence_source` in front of the promotion, without `on_failure: continue`; or say `failover` to the \
             primary, with the consent that it needs",
        ),
        None => (
            format!("the failback from {from} to {to} is planned, and waits for what was written at {from}"),
            "",
        ),
    };
    Some(Verdict::when(
        Guard::FailbackBySwitchover,
        loses.is_none(),
        facts,
        what_to_do,
    ))
}
