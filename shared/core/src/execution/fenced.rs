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
        if self.style != Style::Planned {
            return None;
        }
        let found = self.promotions().find(|(promotion, step)| {
            let mut fences = self.plan.fences_before(step.name(), self.style);
            let lossless = self.plan.is_fenced_before(step.name(), self.style);
            let left = self.verified_fences(*promotion).any(|fence| fence != index);
            lossless && !left && fences.any(|(fence, _)| fence == index)
        });
        found.map(|(_, step)| step.name())
    }

    /// Whether it can lose data: by its plan, or because every fence before a promotion was gone on without.
    pub fn is_lossy(&self) -> bool {
        let is_over = |fence: usize| self.steps.get(fence).is_some_and(StepRun::has_ended);
        let is_unfenced = |(index, step): (usize, &Step)| {
            let mut fences = self.plan.fences_before(step.name(), self.style);
            !self.is_fenced_before(index) && fences.all(|(fence, _)| is_over(fence))
        };
        self.plan.is_lossy(self.style) || self.promotions().any(is_unfenced)
    }

    // The promotions that a move of this style makes, with their indices.
    fn promotions(&self) -> impl Iterator<Item = (usize, &Step)> {
        let steps = self.plan.steps.iter().enumerate();
        steps.filter(|(_, step)| matches!(step, Step::RdsPromoteReplica(_)) && step.common().when.includes(self.style))
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
