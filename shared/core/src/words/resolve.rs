//! An execution that is stuck: a person says how it goes on.

use crate::command::{Resolution, Resolve};
use crate::control::{Away, Control, Word};
use crate::event::excerpt;
use crate::execution::{Direction, Execution, Status};
use crate::plan::Plan;
use crate::report::{EventKind, about_execution};

impl Control {
    /// `resolve`: it is tried on, undone, or left as it stands. `newest` is the plan's newest revision, where it is
    /// known: which sites there are to be left at.
    ///
    /// # Errors
    /// None goes on, it is not stuck, or the site that is named is none of the plan's.
    pub fn resolve(&mut self, asked: &Resolve, newest: Option<&Plan>, word: &Word) -> Result<String, String> {
        let stuck = self.running("resolve")?;
        if stuck.status != Status::Stuck {
            return Err(format!(
                "execution {} is {}, not stuck; use `cancel` to stop it",
                stuck.id, stuck.status
            ));
        }
        let mut execution = stuck.clone();
        execution.hear(&format!("resolve with {}", asked.action.as_str()), word);
        let direction = match asked.action {
            Resolution::Retry => execution.direction,
            Resolution::Rollback => Direction::Back,
            Resolution::Abandon => return self.abandon(execution, asked, newest, word),
        };
        execution
            .unstick(word.at, direction)
            .map_err(|error| error.to_string())?;
        let said = match asked.action {
            Resolution::Rollback => format!("execution {} is undone", execution.id),
            _ => format!("execution {} is tried on from where it stands", execution.id),
        };
        self.execution = Some(execution);
        Ok(said)
    }

    // It ends as failed, its resources stay as they are, and the person says which site carries the plan.
    fn abandon(
        &mut self,
        mut execution: Execution,
        asked: &Resolve,
        newest: Option<&Plan>,
        word: &Word,
    ) -> Result<String, String> {
        if !execution.kind.is_move() && asked.active_site.is_some() {
            return Err(format!("a {} moves nothing: leave `active_site` out", execution.kind));
        }
        let active = asked.active_site.clone().unwrap_or_else(|| execution.from.clone());
        // By the newest revision: nobody would look after a site that it does not have.
        let known = newest.unwrap_or(&execution.plan);
        if known.site(&active).is_none() {
            return Err(format!("`active_site` {} is not a site of the plan", excerpt(&active)));
        }
        let home = known.is_home(&active);
        execution.failure = Some(format!(
            "{}; abandoned by {}: {}",
            execution.failure.clone().unwrap_or_default(),
            word.operator,
            word.reason
        ));
        execution
            .finish(word.at, Status::Failed)
            .map_err(|error| error.to_string())?;
        let told = about_execution(EventKind::Failed, &self.plan, self.epoch, &execution, word.at);
        let before = self.away.as_ref().map(|away| away.raised.clone()).unwrap_or_default();
        let raised = execution.raised(&before);
        if home {
            self.away = None;
        } else if self.active_site != active {
            self.away = Some(Away {
                since: word.at,
                trigger: execution.trigger,
                execution: execution.id.clone(),
                return_at: None,
                kept: None,
                raised,
            });
        } else if let Some(away) = &mut self.away {
            away.raised = raised;
        }
        let said = format!(
            "execution {} has ended as failed; its resources are left as they are; the active site is {active}",
            execution.id
        );
        self.active_site = active;
        self.execution = Some(execution);
        self.announce(told);
        Ok(said)
    }
}
