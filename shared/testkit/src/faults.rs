//! What goes wrong, and when.
//!
//! - [`Faults`] sit inside the table and the cloud: rules by operation (`traffic.set_weights`, `table.*`, `*`)
//!   that make a call fail before its effect, lose its reply after it, take long, or find the world changed.
//! - A [`Wire`] lies between one function and all of its ports: it counts the calls of each invocation and can
//!   end the invocation at any of them, as Lambda does when a sandbox dies: the future is never polled again.

use crate::clock::{TestClock, lock};
use crate::cloud::FakeCloud;
use jiff::SignedDuration;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use understudy_engine::ports::{CallError, CallErrorKind, Clock};

/// What happens to a call.
pub enum Fault {
    /// It fails and has no effect.
    Before(CallErrorKind),
    /// It has its effect, and the caller is told [`CallErrorKind::Lost`].
    ReplyLost,
    /// It has its effect, and the service breaks before it has said so: the caller is told [`CallErrorKind::Fault`].
    Breaks,
    /// A conditional put has its effect; its reply is lost, the SDK repeats it, and the repetition meets its own
    /// write: the caller is told that it lost, to its own item. For other calls the same as [`Fault::ReplyLost`].
    MeetsItself,
    /// A conditional put has its effect; its reply is lost, the SDK repeats it, and the repetition is throttled: the caller is
    /// told [`CallErrorKind::Retryable`]. Only for calls that the SDK repeats.
    RepetitionThrottled,
    /// It takes this much longer, and then goes on to the next rule.
    Slow(SignedDuration),
    /// It never answers.
    Hang,
    /// Its effect is seen only after this many reads.
    SeenAfter(u32),
    /// Somebody else does this just before it; then it goes on to the next rule.
    Outside(Box<dyn Fn(&FakeCloud) + Send + Sync>),
}

struct Rule {
    pattern: String,
    /// Matching calls to leave alone first.
    skip: u32,
    /// How many it hits; none for all.
    left: Option<u32>,
    fault: Arc<Fault>,
}

impl Rule {
    fn matches(&self, operation: &str) -> bool {
        match self.pattern.strip_suffix('*') {
            Some(prefix) => operation.starts_with(prefix),
            None => operation == self.pattern,
        }
    }
}

/// Rules of what goes wrong.
#[derive(Default)]
pub struct Faults {
    rules: Mutex<Vec<Rule>>,
}

impl Faults {
    /// The next call of the operation.
    pub fn next(&self, operation: &str, fault: Fault) {
        self.nth(operation, 1, fault);
    }

    /// The nth call from now on, counted from 1.
    pub fn nth(&self, operation: &str, nth: u32, fault: Fault) {
        self.add(operation, nth.saturating_sub(1), Some(1), fault);
    }

    /// The next `count` calls.
    pub fn times(&self, operation: &str, count: u32, fault: Fault) {
        self.add(operation, 0, Some(count), fault);
    }

    /// Every call, until [`Faults::clear`].
    pub fn always(&self, operation: &str, fault: Fault) {
        self.add(operation, 0, None, fault);
    }

    /// Every call from the nth on, counted from 1, until [`Faults::clear`].
    pub fn from_nth(&self, operation: &str, nth: u32, fault: Fault) {
        self.add(operation, nth.saturating_sub(1), None, fault);
    }

    /// All is well again.
    pub fn clear(&self) {
        lock(&self.rules).clear();
    }

    fn add(&self, operation: &str, skip: u32, left: Option<u32>, fault: Fault) {
        lock(&self.rules).push(Rule {
            pattern: operation.to_owned(),
            skip,
            left,
            fault: Arc::new(fault),
        });
    }

    /// The faults that hit this call: any number of slow and outside ones, then at most one that decides.
    pub(crate) fn hit(&self, operation: &str) -> Vec<Arc<Fault>> {
        let mut rules = lock(&self.rules);
        let mut hits = Vec::new();
        for rule in rules.iter_mut().filter(|rule| rule.matches(operation)) {
            if rule.skip > 0 {
                rule.skip -= 1;
                continue;
            }
            if let Some(left) = &mut rule.left {
                if *left == 0 {
                    continue;
                }
                *left -= 1;
            }
            hits.push(rule.fault.clone());
            if !matches!(*rule.fault, Fault::Slow(_) | Fault::Outside(_)) {
                break;
            }
        }
        rules.retain(|rule| rule.left != Some(0));
        hits
    }

    /// Applies what comes before an effect. What decides about the reply is returned.
    ///
    /// # Errors
    /// The call fails before its effect.
    pub(crate) async fn before(
        &self,
        operation: &str,
        clock: &TestClock,
        cloud: Option<&FakeCloud>,
    ) -> Result<Reply, CallError> {
        let mut reply = Reply::Given;
        for fault in self.hit(operation) {
            match &*fault {
                Fault::Before(kind) => {
                    return Err(CallError::new(
                        *kind,
                        format!("{operation} failed, as the test asked: {kind:?}"),
                    ));
                }
                Fault::ReplyLost => reply = Reply::Lost,
                Fault::Breaks => reply = Reply::Broken,
                Fault::MeetsItself => reply = Reply::MeetsItself,
                Fault::RepetitionThrottled => reply = Reply::Throttled,
                Fault::Slow(duration) => clock.sleep(*duration).await,
                Fault::Hang => std::future::pending().await,
                Fault::SeenAfter(reads) => reply = Reply::SeenAfter(*reads),
                Fault::Outside(change) => {
                    if let Some(cloud) = cloud {
                        change(cloud);
                    }
                }
            }
        }
        Ok(reply)
    }
}

/// What becomes of the reply to a call that had its effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    Given,
    Lost,
    Broken,
    MeetsItself,
    Throttled,
    SeenAfter(u32),
}

impl Reply {
    /// The reply, unless it is lost.
    pub(crate) fn give<T>(self, operation: &str, value: T) -> Result<T, CallError> {
        match self {
            Self::Given | Self::SeenAfter(_) => Ok(value),
            Self::Lost | Self::MeetsItself => Err(CallError::new(
                CallErrorKind::Lost,
                format!("the reply of {operation} was lost, as the test asked"),
            )),
            Self::Throttled => Err(CallError::new(
                CallErrorKind::Retryable,
                format!("the repetition of {operation} was throttled, as the test asked"),
            )),
            Self::Broken => Err(CallError::new(
                CallErrorKind::Fault,
                format!("{operation} broke, as the test asked; it is not known whether anything was changed"),
            )),
        }
    }
}

/// Where an invocation ends, relative to its nth call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The call never reaches its service.
    BeforeEffect,
    /// The call has its effect, the answer is never read.
    AfterEffect,
    /// The answer is read; the next call is never made.
    AfterReply,
}

impl Place {
    /// All three.
    pub const ALL: [Self; 3] = [Self::BeforeEffect, Self::AfterEffect, Self::AfterReply];
}

/// One call of a function to one of its ports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortCall {
    /// The invocation that made it.
    pub request_id: String,
    /// The operation: `table.put`, `traffic.set_weights`, …
    pub operation: &'static str,
}

#[derive(Default)]
struct WireState {
    calls: Vec<PortCall>,
    kill: Option<(u32, Place)>,
    dead: BTreeSet<String>,
}

/// What lies between a function and its ports.
#[derive(Default)]
pub struct Wire {
    state: Mutex<WireState>,
}

impl Wire {
    /// Ends the next invocation that gets as far as its nth call (counted from 1 within the invocation).
    pub fn kill_at(&self, nth: u32, place: Place) {
        lock(&self.state).kill = Some((nth, place));
    }

    /// Whether the kill that was asked for is still to come.
    pub fn kill_is_pending(&self) -> bool {
        lock(&self.state).kill.is_some()
    }

    /// No kill.
    pub fn spare(&self) {
        lock(&self.state).kill = None;
    }

    /// Every call so far.
    pub fn calls(&self) -> Vec<PortCall> {
        lock(&self.state).calls.clone()
    }

    /// Whether this invocation has been ended.
    pub fn is_dead(&self, request_id: &str) -> bool {
        lock(&self.state).dead.contains(request_id)
    }

    /// Notes a call; where, if anywhere, the invocation ends at it.
    pub(crate) fn enter(&self, request_id: &str, nth: u32, operation: &'static str) -> Option<Place> {
        let mut state = lock(&self.state);
        if state.dead.contains(request_id) {
            return Some(Place::BeforeEffect);
        }
        state.calls.push(PortCall {
            request_id: request_id.to_owned(),
            operation,
        });
        let place = state.kill.filter(|(at, _)| *at == nth).map(|(_, place)| place);
        if place.is_some() {
            state.kill = None;
            state.dead.insert(request_id.to_owned());
        }
        place
    }
}
