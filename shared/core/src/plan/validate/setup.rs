//! Rules of `setup`: only kinds that make or adjust something once, done always, and one item for each resource.

use super::super::parse::{Path, Problems};
use super::super::{Step, When};
use super::{Draft, sound};

/// Adds the problems of the whole list.
pub(super) fn check(draft: &Draft<'_>, problems: &mut Problems) {
    let mut before: Vec<(Path, &Step)> = Vec::new();
    let sites: Vec<_> = draft.sites.iter().flatten().cloned().collect();
    for (path, step) in sound(&draft.setup, "setup") {
        if !step.as_kind().is_setup() {
            let message = format!(
                "{} is a step of a move, which setup is not: setup makes or adjusts what moves need. It belongs into `steps`",
                step.kind()
            );
            problems.add(path.key("kind"), message);
            continue;
        }
        let common = step.common();
        if common.when != When::Always {
            let message = format!(
                "a setup is no move, so an item that is done only where the move is {} never is; leave it out",
                common.when.as_str()
            );
            problems.add(path.key("when"), message);
        }
        if let Some((other, _)) = before.iter().find(|(_, other)| other.changes_same_as(step, &sites)) {
            let message = format!("{other} makes the same already, and the later item would overwrite the earlier one");
            problems.add(path.clone(), message);
        }
        before.push((path, step));
    }
    super::groups(&draft.setup, "setup", problems);
}
