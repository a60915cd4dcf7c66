//! Sandboxes: one handler of the engine, its gate, and the invocation that runs in it.
//!
//! Executor and decision are built anew for each invocation, since they remember nothing. A probe's sandbox may be warm:
//! it is kept between invocations, as Lambda keeps it, and it is gone when one of them dies.

use super::gate::Gate;
use super::ports::{Gated, SandboxClock};
use super::world::Sim;
use crate::memory::StreamRecord;
use crate::world::{executor_ports, probe_ports};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake as StdWake, Waker};
use understudy_core::control::{Wake, later};
use understudy_engine::decision::{DecisionMaker, DecisionPorts};
use understudy_engine::executor::{Executor, HandlerError};
use understudy_engine::ports::{Clock, Invocation, Random};
use understudy_engine::probe::Probe;

/// Which function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Function {
    /// The clock and the eyes.
    Probe,
    /// The door.
    Decision,
    /// The hands.
    Executor,
}

impl Function {
    /// All three.
    pub const ALL: [Self; 3] = [Self::Probe, Self::Decision, Self::Executor];

    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Probe => "probe",
            Self::Decision => "decision",
            Self::Executor => "executor",
        }
    }

    /// Lambda's timeout, as `template.yaml` sets it.
    fn timeout_seconds(self) -> i64 {
        match self {
            Self::Decision => 75,
            Self::Probe | Self::Executor => 60,
        }
    }
}

impl From<Wake> for Function {
    fn from(wake: Wake) -> Self {
        match wake {
            Wake::Decision => Self::Decision,
            Wake::Executor => Self::Executor,
        }
    }
}

/// What an alarm event said, for the oracle.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) alarm: String,
    pub(crate) at: Timestamp,
}

/// Who invoked.
#[derive(Clone, Debug)]
pub(crate) enum Origin {
    /// The stream: a lane waits for it.
    Stream(StreamRecord, Timestamp),
    /// The stream, once more and without a lane: a duplicate.
    Copy,
    /// Asynchronously: Lambda tries twice again.
    Knock {
        payload: Value,
        tries: u32,
        told: Option<Told>,
    },
    /// The schedule.
    Schedule,
    /// A person, synchronously.
    Person {
        /// The command.
        word: &'static str,
        /// It only asks.
        dry_run: bool,
        /// It says `accept_data_loss`.
        lossy: bool,
        /// The proposal that it names.
        meant: Option<String>,
    },
}

/// What is flagged when a future can go on.
#[derive(Debug, Default)]
pub(crate) struct Flag(AtomicBool);

impl StdWake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
    fn wake_by_ref(self: &Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

type Handled = Result<Value, HandlerError>;

/// One invocation.
pub(crate) struct Running {
    pub(crate) function: Function,
    pub(crate) request_id: String,
    pub(crate) gate: Arc<Gate>,
    pub(crate) origin: Origin,
    pub(crate) deadline: Timestamp,
    pub(crate) frozen_until: Option<Timestamp>,
    pub(crate) was_frozen: bool,
    /// Its clock was set off while it ran.
    pub(crate) jumped: bool,
    /// It is dead; only the call of this ticket is still on its way.
    pub(crate) orphan: Option<u64>,
    /// It dies when it next stands before its gate, or answers.
    pub(crate) doomed: bool,
    /// The number of its Region.
    pub(crate) place: usize,
    warm: Option<Arc<Probe>>,
    future: Pin<Box<dyn Future<Output = Handled> + Send>>,
    flag: Arc<Flag>,
    waker: Waker,
}

impl Running {
    /// Polls until it can not go on.
    pub(crate) fn poll(&mut self) -> Option<Handled> {
        let mut context = Context::from_waker(&self.waker);
        loop {
            self.flag.0.store(false, Ordering::Relaxed);
            if let Poll::Ready(done) = self.future.as_mut().poll(&mut context) {
                return Some(done);
            }
            if !self.flag.0.load(Ordering::Relaxed) {
                return None;
            }
        }
    }

    /// Whether its own code runs now.
    pub(crate) fn is_awake(&self, now: Timestamp) -> bool {
        self.orphan.is_none() && self.frozen_until.is_none_or(|until| until <= now)
    }

    /// The warm sandbox that remains when it has ended well.
    pub(crate) fn into_warm(self) -> Option<Warm> {
        let gate = self.gate;
        self.warm.map(|probe| Warm { probe, gate })
    }
}

/// A sandbox of the probe that waits for its next invocation.
pub(crate) struct Warm {
    probe: Arc<Probe>,
    gate: Arc<Gate>,
}

impl Sim {
    fn begin<F, Fut>(
        &mut self,
        (function, place): (Function, usize),
        origin: Origin,
        gate: Arc<Gate>,
        warm: Option<Arc<Probe>>,
        handle: F,
    ) where
        F: FnOnce(Invocation) -> Fut,
        Fut: Future<Output = Handled> + Send + 'static,
    {
        self.requests += 1;
        let request_id = format!("{}-{}", function.as_str(), self.requests);
        let started = self.clock.now();
        let timeout = SignedDuration::from_secs(function.timeout_seconds());
        let invocation = Invocation {
            request_id: request_id.clone(),
            deadline: later(gate.now(), timeout),
        };
        let flag = Arc::new(Flag::default());
        let running = Running {
            function,
            request_id,
            gate,
            origin,
            deadline: later(started, timeout),
            frozen_until: None,
            was_frozen: false,
            jumped: false,
            orphan: None,
            doomed: false,
            place,
            warm,
            future: Box::pin(handle(invocation)),
            waker: Waker::from(flag.clone()),
            flag,
        };
        self.running.push(running);
        self.counts.invocations += 1;
        self.poll(self.running.len() - 1);
    }

    fn gate(&self) -> Arc<Gate> {
        Gate::new(self.clock.clone(), self.tickets.clone(), self.exhaustive)
    }

    fn gated<T>(&self, inner: &Arc<T>, gate: &Arc<Gate>) -> Arc<Gated<T>> {
        Arc::new(Gated {
            inner: inner.clone(),
            gate: gate.clone(),
        })
    }

    /// Invokes executor or decision.
    pub(crate) fn invoke(&mut self, (function, place): (Function, usize), payload: Value, origin: Origin) {
        let gate = self.gate();
        let (table, cloud) = (self.gated(&self.table, &gate), self.gated(&self.cloud, &gate));
        let (clock, random) = (Arc::new(SandboxClock(gate.clone())), self.randomness());
        match function {
            Function::Executor => {
                let ports = executor_ports(table, clock, random, &cloud);
                let executor = Executor::new(ports, region(place).to_owned());
                self.begin((function, place), origin, gate, None, |invocation| async move {
                    executor.handle(payload, &invocation).await
                });
            }
            Function::Decision | Function::Probe => {
                let ports = DecisionPorts {
                    table,
                    clock,
                    random,
                    alarms: cloud.clone(),
                    functions: cloud,
                };
                let decision =
                    DecisionMaker::new(ports, self.setup.fleet_limit).with_fleet_concurrent(self.setup.wide.concurrent);
                self.begin(
                    (Function::Decision, place),
                    origin,
                    gate,
                    None,
                    |invocation| async move { decision.handle(payload, &invocation).await },
                );
            }
        }
    }

    /// Runs the schedule: a minute of the probe, in a warm sandbox if one waits.
    pub(crate) fn invoke_probe(&mut self, observer: usize) {
        self.show_lags(self.now());
        let warm = self.warm.get_mut(observer).and_then(Option::take);
        let (probe, gate) = match warm {
            Some(warm) => (warm.probe, warm.gate),
            None => {
                let gate = self.gate();
                let (table, cloud) = (self.gated(&self.table, &gate), self.gated(&self.cloud, &gate));
                let clock = Arc::new(SandboxClock(gate.clone()));
                let ports = probe_ports(table, clock, self.randomness(), &cloud);
                (Arc::new(Probe::new(ports, region(observer).to_owned())), gate)
            }
        };
        let kept = probe.clone();
        self.begin(
            (Function::Probe, observer),
            Origin::Schedule,
            gate,
            Some(kept),
            |invocation| async move { probe.handle(&invocation).await },
        );
    }

    // One stream of bytes for all, or, for the exhaustive search, one for each sandbox: there the order in which two
    // sandboxes take their turns must not change what each of them draws.
    fn randomness(&self) -> Arc<dyn Random> {
        if self.exhaustive {
            return Arc::new(crate::clock::SeededRandom::new(u64::from(self.requests) << 32));
        }
        self.random.clone()
    }
}

/// The Region of this number.
pub(crate) fn region(place: usize) -> &'static str {
    super::setup::OBSERVERS.get(place).copied().unwrap_or("elsewhere")
}
