//! Moves that nobody asked for: which one the evidence calls for, and what the plan's mode makes of it.

use super::concern::Concerns;
use super::evidence::{no_execution, source_verdict, worth_an_alert};
use super::{Decision, Move, ProposalChange, Situation, Trigger, failback, failover, proposal, restraint};
use crate::guard::Verdict;
use crate::health::{Health, SiteHealth};
use crate::mutant::{self, Mutant};
use crate::plan::Mode;
use jiff::Timestamp;

pub(super) fn decide_automatic(
    now: Timestamp,
    trigger: &Trigger,
    situation: Situation<'_>,
    mut verdicts: Vec<Verdict>,
) -> Decision {
    let Situation {
        plan, control, sites, ..
    } = situation;
    verdicts.push(no_execution(control));
    if control.execution.is_some() && !mutant::active(Mutant::SecondExecution) {
        return Decision::nothing("nothing new starts: an execution is in progress", verdicts);
    }
    let active = control.active_site.as_str();
    let unknown = SiteHealth {
        health: Health::Unknown,
        since: None,
        witnesses: Vec::new(),
        // A site that the plan does not have is observed by nobody: that does not settle.
        settling: plan.site(active).is_some(),
    };
    let source = sites.get(active).unwrap_or(&unknown);
    match source.health {
        Health::Unhealthy => failover::decide_failover(now, trigger, situation, source, verdicts),
        // The plan may have another primary by now than the one that it left: then it is at home where it is.
        _ if control.away.is_some() && !plan.is_home(active) => {
            failback::decide_failback(now, trigger, situation, source, verdicts)
        }
        Health::Healthy => {
            verdicts.push(source_verdict(active, source));
            let concerns = Concerns::of(situation);
            let summary = concerns.behind(format!("nothing to do: the active site {active} is healthy"));
            Decision {
                alert: concerns.are_news(control),
                concerns: Some(concerns),
                ..Decision::nothing(summary, verdicts)
            }
        }
        Health::Degraded | Health::Unknown => {
            verdicts.push(source_verdict(active, source));
            let summary = format!(
                "nothing moves: the active site {active} is {}; that never moves anything by itself",
                source.sentence()
            );
            // Nobody ever knows anything of a site without probes: what else is of concern is told all the same.
            let unwatched = plan.probes_of(active).next().is_none();
            let concerns = unwatched.then(|| Concerns::of(situation));
            let news = concerns.as_ref().is_some_and(|concerns| concerns.are_news(control));
            let summary = match &concerns {
                Some(concerns) => concerns.behind(summary),
                None => summary,
            };
            Decision {
                alert: worth_an_alert(source) || news,
                concerns,
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
    match restraint::mode(situation, by_word) {
        (Mode::Observe, of) if !mutant::active(Mutant::ObserveMoves) => {
            let summary = format!("it would have started: {}; {of} is observe", chosen.sentence());
            return Decision {
                alert: true,
                would: Some(chosen),
                ..Decision::nothing(summary, verdicts)
            };
        }
        (Mode::Approve, of) => {
            let (verdict, change) = proposal::approval(now, trigger, situation, (&chosen, of));
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
        (Mode::Automatic | Mode::Manual | Mode::Observe, _) => {}
    }
    Decision {
        start: Some(chosen.clone()),
        ..Decision::nothing(chosen.sentence(), verdicts)
    }
}
