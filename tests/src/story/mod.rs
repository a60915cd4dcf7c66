//! The whole story, once: told live by the demo, and checked silently by a test.
//!
//! 1. [`Stage::set`]: the cloud, the stack, the world and the sites are there, the plan is stored.
//! 2. [`Stage::orders_are_watched`]: a second plan, with Auto Scaling groups and a database, is watched from now on.
//! 3. [`Stage::primary_dies`]: rounds see it, decision judges, the executor moves, a subscriber is told.
//! 4. [`Stage::primary_returns`]: after the stability window the work comes home by itself.
//! 5. [`Stage::planned_move`]: by hand, first as a dry run, then for real, and home again.
//! 6. [`Stage::orders_move`]: the second plan, by hand: capacity, database and name; and home again, as it was before.
//!
//! What is claimed about a move is read back from the cloud's own APIs, never from Understudy. A claim that
//! does not hold ends the story with a [`crate::local_cloud::CloudError`] that says what was found instead.

mod acts;
mod asking;
mod orders;
mod stage;
mod telling;
mod timeline;

pub use acts::Told;
pub use asking::Weather;
pub use stage::{Stage, StageOptions, plan_text};
pub use timeline::Timeline;

use serde_json::Value;

/// Who listens. The demo prints; a test keeps quiet.
pub trait Narrator: Send {
    /// A new act.
    fn act(&mut self, title: &str);
    /// Something happened.
    fn event(&mut self, line: &str);
    /// Something is being waited for; called about once a second.
    fn waiting(&mut self, for_what: &str, seconds: u64);
    /// A longer text, shown as it is.
    fn show(&mut self, text: &str);
}

/// A narrator for tests: what it was told goes to the test's captured output.
#[derive(Debug, Default)]
pub struct Quiet;

impl Narrator for Quiet {
    fn act(&mut self, title: &str) {
        println!("== {title}");
    }
    fn event(&mut self, line: &str) {
        println!("   {line}");
    }
    fn waiting(&mut self, _: &str, _: u64) {}
    fn show(&mut self, text: &str) {
        println!("{text}");
    }
}

/// A text at a JSON pointer; empty where there is none.
pub(crate) fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}
