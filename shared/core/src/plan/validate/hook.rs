//! Rules of the hooks: a function of the Region that is called, and a payload that is small.

use super::super::parse::Problems;
use super::super::{InvokeUndo, MAX_PAYLOAD_BYTES, Step};
use super::gate::stands_alone;
use super::{Draft, sound, text};

/// Adds the problems of all hooks.
pub(super) fn check(draft: &Draft<'_>, problems: &mut Problems) {
    for (path, step) in sound(&draft.steps, "steps") {
        let Step::Invoke(step) = step else { continue };
        let region = draft.region_of(step.common.region.as_deref());
        text::arn_region(&step.function, region, path.key("function"), problems);
        stands_alone(&step.common, &path, problems);
        if step.fences_source && step.undo == InvokeUndo::None {
            let message =
                "a fence must be taken away when the move turns back, or nobody takes writes: add undo: invoke";
            problems.add(path.key("undo"), message);
        }
        let bytes = serde_json::to_vec(&step.payload).map_or(usize::MAX, |written| written.len());
        if bytes > MAX_PAYLOAD_BYTES {
            let message = format!(
                "has {bytes} bytes as JSON; at most {MAX_PAYLOAD_BYTES} are sent. Name the place of what is larger, and \
                 let the function read it there"
            );
            problems.add(path.key("payload"), message);
        }
    }
}
