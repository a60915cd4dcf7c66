//! What this execution has verified of the fences before a promotion, whatever the plan says of them.

use super::{Execution, StepRun, StepState, Style};
use crate::plan::Step;

impl Execution {
    /// Whether the writes to the source were verifiably cut before the step of this index: a fence before it is done. One
    /// that was skipped, or that failed and was gone on without, is none.
    pub fn is_fenced_before(&self, index: usize) -> bool {
        self.verified_fences(index).next().is_some()
    }

    /// The promotion that would lose data if this step were skipped, although nobody was asked for consent: the step is
    /// the fence that made it lossless.
    pub fn unfenced_by_skipping(&self, index: usize) -> Option<&str> {
        let behind = self.plan.steps.iter().enumerate().skip(index + 1);
        let mut promotions = behind.filter(|(_, step)| {
            matches!(step, Step::RdsPromoteReplica(_)) && step.common().when.includes(Style::Planned)
        });
        let found = promotions.find(|(promotion, step)| {
            let mut fences = self.plan.fences_before(step.name(), self.style);
            let lossless = self.style == Style::Planned && self.plan.is_fenced_before(step.name(), self.style);
            let left = self.verified_fences(*promotion).any(|fence| fence != index);
            lossless && !left && fences.any(|(fence, _)| fence == index)
        });
        found.map(|(_, step)| step.name())
    }

    /// Whether it can lose data: by its plan, or because every fence before a promotion was gone on without.
    pub fn is_lossy(&self) -> bool {
        let promotions =
            self.plan.steps.iter().enumerate().filter(|(_, step)| {
                matches!(step, Step::RdsPromoteReplica(_)) && step.common().when.includes(self.style)
            });
        let mut unfenced = promotions.filter(|(index, step)| {
            let mut fences = self.plan.fences_before(step.name(), self.style);
            let over = |fence: usize| self.steps.get(fence).is_some_and(StepRun::has_ended);
            !self.is_fenced_before(*index) && fences.all(|(fence, _)| over(fence))
        });
        self.plan.is_lossy(self.style) || unfenced.next().is_some()
    }

    fn verified_fences(&self, index: usize) -> impl Iterator<Item = usize> {
        let name = self.plan.steps.get(index).map_or("", Step::name);
        let fences = self.plan.fences_before(name, self.style).map(|(fence, _)| fence);
        fences.filter(|fence| {
            let state = self.steps.get(*fence).map(|run| run.state);
            matches!(state, Some(StepState::Done | StepState::Satisfied))
        })
    }
}
