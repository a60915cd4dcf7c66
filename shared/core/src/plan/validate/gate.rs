//! Rules of the gates: a wait that can end, and a yes that somebody said.

use super::super::parse::{Path, Problems};
use super::super::{OnFailure, Step, StepCommon};
use super::{Draft, sound, text};

/// Adds the problems of all gates.
pub(super) fn check(draft: &Draft<'_>, problems: &mut Problems) {
    for (path, step) in sound(&draft.steps, "steps") {
        match step {
            Step::WaitHealthy(wait) => fits(wait.for_seconds, &wait.common, path.key("for_seconds"), problems),
            Step::Wait(wait) => {
                fits(wait.seconds, &wait.common, path.key("seconds"), problems);
                stands_alone(&wait.common, &path, problems);
            }
            Step::AwaitApproval(approval) => {
                stands_alone(&approval.common, &path, problems);
                if let Some(question) = &approval.question {
                    text::no_control(question, path.key("question"), problems);
                }
                if approval.common.on_failure == OnFailure::Continue {
                    let message = "must be rollback or halt: with continue, silence would be a yes";
                    problems.add(path.key("on_failure"), message);
                }
            }
            _ => {}
        }
    }
}

fn fits(seconds: u32, common: &StepCommon, path: Path, problems: &mut Problems) {
    if seconds >= common.timeout_seconds {
        let message = format!(
            "must be less than the step's timeout_seconds ({}), or the wait always times out; found {seconds}",
            common.timeout_seconds
        );
        problems.add(path, message);
    }
}

/// Refuses a group for what may wait long. What is begun together is looked at in order: the time of the others would run
/// out behind it.
pub(super) fn stands_alone(common: &StepCommon, path: &Path, problems: &mut Problems) {
    if common.group.is_some() {
        let message = "what waits for a time, a person or a hook stands alone: the time of the group's other steps would run \
                       out meanwhile. Put it before the group, or behind it";
        problems.add(path.key("group"), message);
    }
}
