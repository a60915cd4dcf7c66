//! Time that stands still until everybody waits, and randomness that can be repeated.
//!
//! [`TestClock`] is a discrete-event clock: nothing really waits. A sleeper steps aside until the others
//! have nothing left to do; then the one with the earliest deadline moves the clock to it. Several
//! invocations, the latency of calls and Lambda's timeouts so interleave as they would in the world, and
//! always in the same way. It needs a runtime of one thread, which is what `#[tokio::test]` gives.

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use understudy_engine::ports::{Clock, Random};

/// How often a sleeper steps aside before it believes that nobody else can go on.
const QUIET_TURNS: u32 = 12;

/// Locks, also after a test's panic: what is looked at then is why it panicked.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A clock that only moves when somebody waits, or when it is told to.
#[derive(Debug)]
pub struct TestClock {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    now: Timestamp,
    sleepers: BTreeMap<u64, Timestamp>,
    next_sleeper: u64,
    activity: u64,
}

struct Sleeper<'a> {
    clock: &'a TestClock,
    number: u64,
    until: Timestamp,
}

impl Drop for Sleeper<'_> {
    fn drop(&mut self) {
        lock(&self.clock.state).sleepers.remove(&self.number);
    }
}

impl TestClock {
    /// A clock that shows `now`.
    pub fn new(now: Timestamp) -> Self {
        Self {
            state: Mutex::new(State {
                now,
                sleepers: BTreeMap::new(),
                next_sleeper: 0,
                activity: 0,
            }),
        }
    }

    /// Moves it forward at once, sleepers or not.
    pub fn advance(&self, by: SignedDuration) {
        let mut state = lock(&self.state);
        state.now = state.now.checked_add(by).unwrap_or(Timestamp::MAX);
        state.activity += 1;
    }

    /// Something happened: sleepers wait a little more. Lets the others go first, once.
    pub async fn breathe(&self) {
        lock(&self.state).activity += 1;
        tokio::task::yield_now().await;
    }

    /// Waits until this time; at once if it is over.
    pub async fn sleep_until(&self, until: Timestamp) {
        let sleeper = {
            let mut state = lock(&self.state);
            state.activity += 1;
            state.next_sleeper += 1;
            let number = state.next_sleeper;
            state.sleepers.insert(number, until);
            Sleeper {
                clock: self,
                number,
                until,
            }
        };
        let mut seen = None;
        loop {
            {
                let mut state = lock(&self.state);
                if state.now >= sleeper.until {
                    return;
                }
                let first = state.sleepers.iter().map(|(number, until)| (*until, *number)).min();
                if seen == Some(state.activity) && first == Some((sleeper.until, sleeper.number)) {
                    state.now = sleeper.until;
                    state.activity += 1;
                    return;
                }
                seen = Some(state.activity);
            }
            for _ in 0..QUIET_TURNS {
                tokio::task::yield_now().await;
            }
        }
    }
}

#[async_trait]
impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        lock(&self.state).now
    }

    async fn sleep(&self, duration: SignedDuration) {
        let until = self.now().checked_add(duration).unwrap_or(Timestamp::MAX);
        self.sleep_until(until).await;
    }
}

/// Bytes that look random, never repeat, and are the same in every run of the same seed.
#[derive(Debug)]
pub struct SeededRandom {
    state: Mutex<u64>,
}

impl SeededRandom {
    /// Randomness from this seed.
    pub fn new(seed: u64) -> Self {
        Self {
            state: Mutex::new(seed),
        }
    }
}

impl Random for SeededRandom {
    fn bytes(&self) -> [u8; 10] {
        let mut state = lock(&self.state);
        let mut bytes = [0; 10];
        for chunk in bytes.chunks_mut(5) {
            // SplitMix64: its states never repeat before 2^64 steps, and its outputs are a permutation of them.
            *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut mixed = *state;
            mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            mixed ^= mixed >> 31;
            for (byte, random) in chunk.iter_mut().zip(mixed.to_le_bytes()) {
                *byte = random;
            }
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[tokio::test]
    async fn sleepers_wake_in_the_order_of_their_deadlines_and_nothing_really_waits() {
        let clock = TestClock::new(Timestamp::UNIX_EPOCH);
        let order = Mutex::new(Vec::new());
        let sleep = async |seconds: i64| {
            clock.sleep(SignedDuration::from_secs(seconds)).await;
            lock(&order).push((seconds, clock.now().as_second()));
        };
        tokio::join!(sleep(300), sleep(5), sleep(60));
        assert_eq!(*lock(&order), [(5, 5), (60, 60), (300, 300)]);
    }

    #[tokio::test]
    async fn a_dropped_sleeper_does_not_move_the_clock() {
        let clock = TestClock::new(Timestamp::UNIX_EPOCH);
        tokio::select! {
            biased;
            () = clock.sleep(SignedDuration::from_secs(900)) => {}
            () = clock.sleep(SignedDuration::from_secs(1)) => {}
        }
        clock.sleep(SignedDuration::from_secs(2)).await;
        assert_eq!(clock.now().as_second(), 3);
    }

    #[test]
    fn seeded_bytes_repeat_by_seed_and_never_within_one() {
        let (one, other) = (SeededRandom::new(7), SeededRandom::new(7));
        let bytes: std::collections::BTreeSet<_> = (0..1000).map(|_| one.bytes()).collect();
        assert_eq!(bytes.len(), 1000);
        assert!(bytes.contains(&other.bytes()));
    }
}
