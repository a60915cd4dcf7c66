//! Moves that nobody asked for: which one the evidence calls for, and what the plan's mode makes of it.

use super::evidence::{no_execution, source_verdict, worth_an_alert};
use super::{Decision, Move, ProposalChange, Situation, Trigger, failback, failover, proposal};
use crate::guard::Verdict;
use crate::health::{Health, SiteHealth};
use crate::mutant::{self, Mutant};
use crate::plan::Mode;
use jiff::Timestamp;
use std::collections::BTreeMap;

pub(super) fn decide_automatic(
    now: Timestamp,
    trigger: &Trigger,
    situation: Situation<'_>,
    mut verdicts: Vec<Verdict>,
) -> Decision {
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
        Health::Unhealthy => failover::decide_failover(now, trigger, situation, source, verdicts),
        _ if control.away.is_some() => failback::decide_failback(now, trigger, situation, source, verdicts),
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
            let summary = format!(
                "nothing moves: the active site {active} is {}; that never moves anything by itself",
                source.sentence()
            );
            Decision {
                alert: worth_an_alert(source),
                ..Decision::nothing(summary, verdicts)
            }
        }
    }
}

// Every guard has let go of this move: what the plan's mode makes of that. A promised move (`by_word`) needs no asking.
pub(super) fn conclude(
    now: Timestamp,
    trigger: &Trigger,
    situation: Situation<'_>,
    mut verdicts: Vec<Verdict>,
    mut chosen: Move,
    by_word: bool,
) -> Decision {
    match situation.plan.policy.mode {
        Mode::Observe if !by_word && !mutant::active(Mutant::ObserveMoves) => {
            let summary = format!("it would have started: {}; policy.mode is observe", chosen.sentence());
            return Decision {
                alert: true,
                would: Some(chosen),
                ..Decision::nothing(summary, verdicts)
            };
        }
        Mode::Approve if !by_word => {
            let (verdict, change) = proposal::approval(now, trigger, situation, &chosen);
            let allows = verdict.allows;
            verdicts.push(verdict);
            if !allows {
                let look_again_at = match &change {
                    ProposalChange::Make { expires_at, .. } => Some(*expires_at),
                    _ => proposal::aftermath(now, situation).1,
                };
                return Decision {
                    proposal: change,
                    look_again_at,
                    ..Decision::nothing(
                        format!("{}; {}", chosen.sentence(), crate::guard::refusals(&verdicts)),
                        verdicts,
                    )
                };
            }
            if let Trigger::Approval { answer } = trigger {
                chosen.operator = Some(answer.operator.clone());
            }
        }
        _ => {}
    }
    Decision {
        start: Some(chosen.clone()),
        ..Decision::nothing(chosen.sentence(), verdicts)
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
