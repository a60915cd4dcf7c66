//! Setup and teardown, which a person asks for and which move nothing: health, latch, window and budget do not matter.
//! One execution of a plan at a time, and the kill switch, hold for them too.

use super::evidence::no_execution;
use super::{Decision, Move, Situation, restraint};
use crate::command::SettingUp;
use crate::execution::{Kind, Style, TriggerKind};
use crate::guard::{Guard, Verdict, refusals};

pub(super) fn decide_setup(asked: &SettingUp, kind: Kind, situation: Situation<'_>) -> Decision {
    let Situation {
        plan, control, setup, ..
    } = situation;
    let mut verdicts = vec![no_execution(control), restraint::fleet_not_stopped(situation)];
    if kind == Kind::Teardown {
        let count = setup.items.len();
        verdicts.push(Verdict::when(
            Guard::SetupRemembered,
            count > 0,
            format!("{count} item(s) that setup made or adjusted are remembered"),
            "nothing: there is nothing to take back",
        ));
    } else {
        verdicts.push(Verdict::when(
            Guard::SetupStated,
            !plan.setup.is_empty(),
            format!("the plan's `setup` has {} item(s)", plan.setup.len()),
            "state in the plan's `setup` what is to be made, and put the plan",
        ));
        let strangers = setup.strangers(plan, &control.active_site);
        verdicts.push(Verdict::when(
            Guard::SetupKnown,
            strangers.is_empty(),
            if strangers.is_empty() {
                "no item is remembered for another resource".to_owned()
            } else {
                format!(
                    "{} was set up for another resource than the plan states now",
                    strangers.join(", ")
                )
            },
            "`teardown` first, or give the new item another name: what was there before would not be known any more",
        ));
    }
    if verdicts.iter().any(|verdict| !verdict.allows) {
        let summary = format!("refused: {}", refusals(&verdicts));
        return Decision {
            look_again_at: control.look_again_at,
            ..Decision::nothing(summary, verdicts)
        };
    }
    let at = control.active_site.clone();
    let summary = format!("{kind} at {at}, asked by {}: {}", asked.operator, asked.reason);
    let chosen = Move {
        kind,
        trigger: TriggerKind::Manual,
        style: Style::Planned,
        from: at.clone(),
        to: at,
        reason: asked.reason.clone(),
        operator: Some(asked.operator.clone()),
        began_at: None,
        detected_at: None,
        return_after_seconds: None,
        escalate_after_seconds: None,
        loss_estimate_seconds: None,
    };
    Decision {
        start: Some(chosen),
        ..Decision::nothing(summary, verdicts)
    }
}
