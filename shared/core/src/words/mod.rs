//! What people's words change, as plain functions: of one value they make the next, or say why not.
//!
//! Each takes the [`Word`] of a person, whose [`Word::at`] is now, and answers in one sentence what that means. A word
//! that is refused changes nothing. The engine reads the value, calls this, and writes it by compare-and-set, with the
//! announcement.
//!
//! - `automatic`: what may move by itself, of one plan and of all: pause, maintenance window, latch, proposal, promise,
//!   mode, kill switch.
//! - `running`: an execution that goes on: hold it, cancel it, say yes to it.
//! - `judged`: the same where the guards of consent are asked first: go on without a step, escalate.
//! - `resolve`: an execution that is stuck.

mod automatic;
mod judged;
mod resolve;
mod running;

use crate::control::{Control, Word};
use crate::execution::Execution;
use crate::guard::Verdict;

/// What a person is answered: what is done, or why it is not, and what the guards said that were asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// For the person.
    pub sentence: String,
    /// What the guards said, whether they let go or not; none where none was asked.
    pub verdicts: Vec<Verdict>,
}

impl From<String> for Said {
    fn from(sentence: String) -> Self {
        Self {
            sentence,
            verdicts: Vec::new(),
        }
    }
}

impl std::fmt::Display for Said {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.sentence)
    }
}

impl Control {
    // The execution that goes on; `what` cannot be done without one.
    fn running(&mut self, what: &str) -> Result<&mut Execution, String> {
        self.execution
            .as_mut()
            .ok_or_else(|| format!("no execution is in progress: there is nothing to {what}"))
    }
}

// By whom, since when and why something is as it is.
fn told(known: &Word) -> String {
    format!(
        "by {} since {}: {}",
        known.operator,
        crate::report::clock(known.at),
        known.reason
    )
}
