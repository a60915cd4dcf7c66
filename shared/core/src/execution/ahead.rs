//! Which steps are looked at before anything is done: what can never be done now must not first cost a fence, or the traffic.

use super::Execution;
use crate::plan::{OnFailure, Step};

impl Execution {
    /// The steps that are read before the first one begins: those that make the destination's database the one that is
    /// written to. If one of them can not begin at all (its replica replicates somebody else), the move ends with nothing done.
    ///
    /// Not those behind a step in which the world may become another one (a person's yes, a hook, a time), and not those
    /// whose failure the plan treats otherwise than by undoing.
    pub fn looked_at_first(&self) -> Vec<usize> {
        let may_mend = |step: &&Step| matches!(step, Step::AwaitApproval(_) | Step::Invoke(_) | Step::Wait(_));
        let steps = self.plan.steps.iter().filter(|_| self.kind.is_move());
        let before = steps.take_while(|step| !may_mend(step)).enumerate();
        let settles = before.filter(|(_, step)| {
            let common = step.common();
            matches!(step, Step::RdsPromoteReplica(_) | Step::RdsGlobal(_))
                && common.on_failure == OnFailure::Rollback
                && common.when.includes(self.style)
        });
        settles.map(|(index, _)| index).collect()
    }
}
