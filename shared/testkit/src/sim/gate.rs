//! The gate of one sandbox: every call to a port stops here, twice.
//!
//! 1. Before its effect it parks. The scheduler lets it go on, makes it fail, or ends the sandbox.
//! 2. After its effect it parks again if the scheduler holds the reply. Then the reply is let through or lost.
//! 3. A sleep parks too: only the scheduler moves time.
//!
//! A parked call is a real future with a real waker, so `FuturesUnordered`, semaphores and locks of the engine work as
//! they do in the world; nothing needs a runtime. Dropping the future takes the call away, as a dead process does.

use crate::clock::{TestClock, lock};
use jiff::{SignedDuration, Timestamp};
use std::future::poll_fn;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use understudy_core::health::{Health, Sample};
use understudy_engine::ports::{CallError, CallErrorKind};

/// How long a caller waits for an answer: what every client of `shared/aws` is bounded by.
pub(crate) const CLIENT_TIMEOUT: SignedDuration = understudy_engine::executor::CALL_TIMEOUT;

/// The name of a sleep among the operations.
pub(crate) const SLEEP: &str = "clock.sleep";

/// What the scheduler lets a parked call do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Have its effect and read its reply.
    Go,
    /// Have its effect; the reply waits.
    Hold,
    /// Have its effect; the caller hears nothing.
    Lose,
    /// Have its effect; the caller hears that the service broke.
    Break,
    /// Fail without an effect.
    Fail(CallErrorKind),
}

/// Where a parked call stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Phase {
    /// It has not reached its service.
    Sent,
    /// It had its effect; its reply has not been read.
    Effected,
}

/// One call that stands before the gate.
#[derive(Debug)]
pub(crate) struct Parked {
    /// Grows over all sandboxes: the smallest has waited longest.
    pub(crate) ticket: u64,
    /// What is called, and on what kind of item.
    pub(crate) point: &'static str,
    pub(crate) phase: Phase,
    pub(crate) since: Timestamp,
    /// The service takes its time until then; for a sleep, its end.
    pub(crate) not_before: Timestamp,
    verdict: Option<Verdict>,
    waker: Option<Waker>,
}

impl Parked {
    pub(crate) fn is_sleep(&self) -> bool {
        self.point == SLEEP
    }
}

#[derive(Debug, Default)]
struct State {
    parked: Vec<Parked>,
    answered: u64,
    answers: u64,
}

/// The gate of one sandbox.
#[derive(Debug)]
pub(crate) struct Gate {
    clock: Arc<TestClock>,
    tickets: Arc<AtomicU64>,
    skew_milliseconds: AtomicI64,
    /// Whether what passes is hashed: for the exhaustive search, which compares states.
    remembers: bool,
    state: Mutex<State>,
}

// Takes the call away when its future is dropped, wherever it stands.
struct Place<'a> {
    gate: &'a Gate,
    ticket: u64,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut state = lock(&self.gate.state);
        state.parked.retain(|parked| parked.ticket != self.ticket);
    }
}

impl Place<'_> {
    async fn verdict(&self) -> Verdict {
        poll_fn(|context| {
            let mut state = lock(&self.gate.state);
            let Some(parked) = state.parked.iter_mut().find(|parked| parked.ticket == self.ticket) else {
                return Poll::Pending;
            };
            match parked.verdict.take() {
                Some(verdict) => Poll::Ready(verdict),
                None => {
                    parked.waker = Some(context.waker().clone());
                    Poll::Pending
                }
            }
        })
        .await
    }

    fn effected(&self) {
        let mut state = lock(&self.gate.state);
        if let Some(parked) = state.parked.iter_mut().find(|parked| parked.ticket == self.ticket) {
            parked.phase = Phase::Effected;
        }
    }
}

/// What a call answers if it does not answer.
pub(crate) trait Answer {
    /// The answer that says so.
    fn failed(error: CallError) -> Self;
    /// What tells two answers apart.
    fn mark(&self, hasher: &mut DefaultHasher);
}

impl<T: std::fmt::Debug> Answer for Result<T, CallError> {
    fn failed(error: CallError) -> Self {
        Err(error)
    }
    fn mark(&self, hasher: &mut DefaultHasher) {
        format!("{self:?}").hash(hasher);
    }
}

impl Answer for Sample {
    fn failed(error: CallError) -> Self {
        Self::new(Health::Unknown, error.message)
    }
    fn mark(&self, hasher: &mut DefaultHasher) {
        format!("{self:?}").hash(hasher);
    }
}

impl Gate {
    pub(crate) fn new(clock: Arc<TestClock>, tickets: Arc<AtomicU64>, remembers: bool) -> Arc<Self> {
        Arc::new(Self {
            clock,
            tickets,
            skew_milliseconds: AtomicI64::new(0),
            remembers,
            state: Mutex::default(),
        })
    }

    fn park(&self, point: &'static str, not_before: Timestamp) -> Place<'_> {
        let ticket = self.tickets.fetch_add(1, Ordering::Relaxed);
        lock(&self.state).parked.push(Parked {
            ticket,
            point,
            phase: Phase::Sent,
            since: understudy_engine::ports::Clock::now(&*self.clock),
            not_before,
            verdict: None,
            waker: None,
        });
        Place { gate: self, ticket }
    }

    /// Takes a call through the gate.
    pub(crate) async fn through<T: Answer>(&self, point: &'static str, call: impl Future<Output = T>) -> T {
        let place = self.park(point, Timestamp::MIN);
        let mut verdict = place.verdict().await;
        let mut answer = None;
        if !matches!(verdict, Verdict::Fail(_)) {
            answer = Some(call.await);
            place.effected();
            if verdict == Verdict::Hold {
                verdict = place.verdict().await;
            }
        }
        let answer = match (verdict, answer) {
            (Verdict::Go | Verdict::Hold, Some(answer)) => answer,
            (Verdict::Fail(kind), None) => T::failed(CallError::new(kind, failure(point, kind))),
            (Verdict::Break, _) => {
                let kind = CallErrorKind::Fault;
                T::failed(CallError::new(kind, failure(point, kind)))
            }
            _ => T::failed(CallError::new(CallErrorKind::Lost, failure(point, CallErrorKind::Lost))),
        };
        if self.remembers {
            let mut hasher = DefaultHasher::new();
            answer.mark(&mut hasher);
            self.remember(point, hasher.finish());
        }
        answer
    }

    /// A sleep: over when the scheduler has moved time so far.
    pub(crate) async fn sleep(&self, duration: SignedDuration) {
        let until = understudy_core::control::later(understudy_engine::ports::Clock::now(&*self.clock), duration);
        self.park(SLEEP, until).verdict().await;
    }

    fn remember(&self, point: &str, answer: u64) {
        let mut hasher = DefaultHasher::new();
        let mut state = lock(&self.state);
        (state.answered, point, answer).hash(&mut hasher);
        state.answered = hasher.finish();
        state.answers += 1;
    }

    /// What this sandbox has been told so far, as one number. Its handler is a function of that alone (and of the
    /// clock and the random bytes), so equal numbers mean equal sandboxes.
    pub(crate) fn knowledge(&self) -> (u64, u64, Vec<(&'static str, Phase)>) {
        let state = lock(&self.state);
        let parked = state.parked.iter().map(|parked| (parked.point, parked.phase));
        (state.answered, state.answers, parked.collect())
    }

    /// Looks at every parked call.
    pub(crate) fn each(&self, mut look: impl FnMut(&Parked)) {
        for parked in &lock(&self.state).parked {
            look(parked);
        }
    }

    /// The service takes its time with this call.
    pub(crate) fn slow(&self, ticket: u64, until: Timestamp) {
        let mut state = lock(&self.state);
        if let Some(parked) = state.parked.iter_mut().find(|parked| parked.ticket == ticket) {
            parked.not_before = until;
        }
    }

    /// Says how a call goes on, and wakes whoever waits for it.
    pub(crate) fn decide(&self, ticket: u64, verdict: Verdict) {
        let waker = {
            let mut state = lock(&self.state);
            let parked = state.parked.iter_mut().find(|parked| parked.ticket == ticket);
            parked.and_then(|parked| {
                parked.verdict = Some(verdict);
                parked.waker.take()
            })
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// How far this sandbox's clock is from the true time.
    pub(crate) fn skew(&self) -> SignedDuration {
        SignedDuration::from_millis(self.skew_milliseconds.load(Ordering::Relaxed))
    }

    /// Sets the clock of this sandbox off.
    pub(crate) fn set_skew(&self, skew: SignedDuration) {
        let milliseconds = i64::try_from(skew.as_millis()).unwrap_or_default();
        self.skew_milliseconds.store(milliseconds, Ordering::Relaxed);
    }

    /// The time as this sandbox sees it.
    pub(crate) fn now(&self) -> Timestamp {
        understudy_core::control::later(understudy_engine::ports::Clock::now(&*self.clock), self.skew())
    }
}

fn failure(point: &str, kind: CallErrorKind) -> String {
    match kind {
        CallErrorKind::Lost => format!("{point}: no answer"),
        CallErrorKind::Retryable => format!("{point}: throttled"),
        CallErrorKind::Fault => format!("{point}: the service broke"),
        other => format!("{point}: {other:?}"),
    }
}
