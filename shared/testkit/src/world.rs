//! The three functions over one table, one cloud and one clock.
//!
//! 1. Every invocation is a new sandbox: the handlers are built anew, as after a cold start. What they know of
//!    each other is in the table, and nowhere else.
//! 2. What is written with a wake is delivered as a real stream batch, filtered as the mappings filter; a failed batch
//!    is delivered again twice, then it is a dead letter.
//! 3. An invocation ends with its answer, with Lambda's timeout, or where a [`Wire`] kills it.

use crate::clock::{SeededRandom, TestClock, lock};
use crate::cloud::FakeCloud;
use crate::faults::Wire;
use crate::faults_wire::{Sandbox, Wired};
use crate::memory::{MemoryTable, StreamRecord};
use crate::memory_stream::stream_payload;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use understudy_core::control::{Control, Wake};
use understudy_engine::decision::{DecisionMaker, DecisionPorts};
use understudy_engine::executor::{Executor, ExecutorPorts, HandlerError};
use understudy_engine::ports::{
    Accelerators, AlarmDefinitions, Alarms, CallError, CallErrorKind, Clock, Compute, Database, DatabaseFailover,
    DatabaseSetup, Dns, Endpoint, Functions, GroupSetup, Groups, HealthChecks, Hooks, Invocation, Metrics, Notifier,
    Permissions, Random, Signals, Table, Traffic, ZonalShifts,
};
use understudy_engine::probe::{Probe, ProbePorts};
use understudy_engine::steps::StepPorts;

/// How many describes a second the probe makes in a Region, where a test says nothing else.
const DESCRIBES_PER_SECOND: u32 = 10;

/// The Region of the world's functions.
const HOME: &str = "eu-west-1";

/// How an invocation ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// With an answer.
    Answer(Value),
    /// With an error: whoever invoked it tries again.
    Failed(String),
    /// Its sandbox died.
    Died,
    /// Lambda's timeout ended it.
    TimedOut,
}

impl Outcome {
    /// The answer; null if there is none.
    pub fn answer(&self) -> Value {
        match self {
            Self::Answer(answer) => answer.clone(),
            _ => Value::Null,
        }
    }

    fn needs_redelivery(&self) -> bool {
        match self {
            Self::Answer(answer) => answer["batchItemFailures"]
                .as_array()
                .is_some_and(|failures| !failures.is_empty()),
            _ => true,
        }
    }
}

/// The three functions and their world.
pub struct World {
    /// Time.
    pub clock: Arc<TestClock>,
    /// The table.
    pub table: Arc<MemoryTable>,
    /// The cloud.
    pub cloud: Arc<FakeCloud>,
    /// Between the executor and its ports.
    pub executor_wire: Arc<Wire>,
    /// Between decision and its ports.
    pub decision_wire: Arc<Wire>,
    /// Between the probe and its ports.
    pub probe_wire: Arc<Wire>,
    /// How many automatic failovers an hour all plans may make.
    pub fleet_limit: u32,
    /// How many describes a second the probe may make in a Region.
    pub describes_per_second: u32,
    /// In which Region the executor runs.
    pub executor_region: String,
    random: Arc<SeededRandom>,
    requests: AtomicU32,
    dead_letters: Mutex<Vec<StreamRecord>>,
}

impl Default for World {
    fn default() -> Self {
        Self::new(1)
    }
}

impl World {
    /// An empty world of this seed, at ten o'clock.
    pub fn new(seed: u64) -> Self {
        let start = Timestamp::from_second(1_795_255_200).unwrap_or(Timestamp::UNIX_EPOCH);
        let clock = Arc::new(TestClock::new(start));
        let table = Arc::new(MemoryTable::new(clock.clone()));
        let cloud = Arc::new(FakeCloud::new(clock.clone(), table.clone()));
        let world = Self {
            clock,
            table,
            cloud,
            executor_wire: Arc::default(),
            decision_wire: Arc::default(),
            probe_wire: Arc::default(),
            fleet_limit: 5,
            describes_per_second: DESCRIBES_PER_SECOND,
            executor_region: HOME.to_owned(),
            random: Arc::new(SeededRandom::new(seed)),
            requests: AtomicU32::new(0),
            dead_letters: Mutex::default(),
        };
        answer_questions(&world.clock, &world.table, &world.random, &world.cloud);
        world
    }

    fn sandbox(&self, function: &str, wire: &Arc<Wire>) -> Arc<Sandbox> {
        let number = self.requests.fetch_add(1, Ordering::SeqCst) + 1;
        Sandbox::new(format!("{function}-{number}"), self.clock.clone(), wire.clone())
    }

    async fn run<F, Fut>(&self, sandbox: &Sandbox, timeout_seconds: i64, handle: F) -> Outcome
    where
        F: FnOnce(Invocation) -> Fut,
        Fut: Future<Output = Result<Value, HandlerError>>,
    {
        let deadline = self
            .clock
            .now()
            .checked_add(SignedDuration::from_secs(timeout_seconds))
            .unwrap_or(Timestamp::MAX);
        let invocation = Invocation {
            request_id: sandbox.request_id.clone(),
            deadline,
        };
        tokio::select! {
            biased;
            () = sandbox.death() => Outcome::Died,
            answer = handle(invocation) => match answer {
                _ if sandbox.is_doomed() => Outcome::Died,
                Ok(answer) => Outcome::Answer(answer),
                Err(error) => Outcome::Failed(error.to_string()),
            },
            () = self.clock.sleep_until(deadline) => Outcome::TimedOut,
        }
    }

    // What a handler works with is put together outside of the invocations' futures: those are compiled anew for every
    // test that calls them.
    fn wired(&self, sandbox: &Arc<Sandbox>) -> (Arc<Wired<MemoryTable>>, Arc<Wired<FakeCloud>>) {
        let table = Wired {
            inner: self.table.clone(),
            sandbox: sandbox.clone(),
        };
        let cloud = Wired {
            inner: self.cloud.clone(),
            sandbox: sandbox.clone(),
        };
        (Arc::new(table), Arc::new(cloud))
    }

    fn executor(&self, sandbox: &Arc<Sandbox>) -> Executor {
        let (table, cloud) = self.wired(sandbox);
        let ports = executor_ports(table, self.clock.clone(), self.random.clone(), &cloud);
        Executor::new(ports, self.executor_region.clone()).with_stack(self.cloud.stack())
    }

    fn decision(&self, sandbox: &Arc<Sandbox>) -> DecisionMaker {
        let (table, cloud) = self.wired(sandbox);
        let ports = DecisionPorts {
            table,
            clock: self.clock.clone(),
            random: self.random.clone(),
            alarms: cloud.clone(),
            functions: cloud,
        };
        DecisionMaker::new(ports, self.fleet_limit).with_stack(self.cloud.stack())
    }

    fn probe(&self, sandbox: &Arc<Sandbox>, observer: &str) -> Probe {
        let (table, cloud) = self.wired(sandbox);
        let ports = probe_ports(table, self.clock.clone(), self.random.clone(), &cloud);
        let ports = ProbePorts {
            describes_per_second: self.describes_per_second,
            ..ports
        };
        Probe::new(ports, observer.to_owned())
    }

    /// Invokes the executor.
    pub async fn invoke_executor(&self, payload: Value) -> Outcome {
        let sandbox = self.sandbox("executor", &self.executor_wire);
        let executor = self.executor(&sandbox);
        self.run(&sandbox, 60, async |invocation: Invocation| {
            executor.handle(payload, &invocation).await
        })
        .await
    }

    /// What drivers of steps need of the world, with nothing in between.
    pub(crate) fn step_ports(&self) -> StepPorts {
        let ports = executor_ports(self.table.clone(), self.clock.clone(), self.random.clone(), &self.cloud);
        ports.steps(&ports.store())
    }

    /// Invokes decision.
    pub async fn invoke_decision(&self, payload: Value) -> Outcome {
        let sandbox = self.sandbox("decision", &self.decision_wire);
        let decision = self.decision(&sandbox);
        self.run(&sandbox, 75, async |invocation: Invocation| {
            decision.handle(payload, &invocation).await
        })
        .await
    }

    async fn invoke_probe(&self, observer: &str, single: bool) -> Outcome {
        let sandbox = self.sandbox("probe", &self.probe_wire);
        let probe = self.probe(&sandbox, observer);
        self.run(&sandbox, 60, async |invocation: Invocation| {
            if single {
                probe.single_round(&invocation).await
            } else {
                probe.handle(&invocation).await
            }
        })
        .await
    }

    /// A single round of the probe, and nothing else.
    pub async fn observe(&self) -> Outcome {
        self.observe_as(HOME).await
    }

    /// The same by another observer.
    pub async fn observe_as(&self, observer: &str) -> Outcome {
        self.invoke_probe(observer, true).await
    }

    /// A whole invocation of the probe, all its rounds, and nothing else.
    pub async fn observe_for_a_minute(&self) -> Outcome {
        self.invoke_probe(HOME, false).await
    }

    /// One round as the world sees it: the probe, then what the stream carries, then the next slot.
    pub async fn run_round(&self) {
        self.observe().await;
        self.deliver().await;
        let next = (self.clock.now().as_second().div_euclid(5) + 1) * 5;
        self.clock
            .sleep_until(Timestamp::from_second(next).unwrap_or(Timestamp::MAX))
            .await;
    }

    /// So many rounds.
    pub async fn run_rounds(&self, rounds: u32) {
        for _ in 0..rounds {
            self.run_round().await;
        }
    }

    /// Rounds until a whole minute begins, by which CloudWatch counts.
    pub async fn run_until_a_minute_begins(&self) {
        while self.clock.now().as_second() % 60 != 0 {
            self.run_round().await;
        }
    }

    /// Rounds until `done`, at most so many. Whether it was done.
    pub async fn run_until(&self, most_rounds: u32, done: impl Fn(&World) -> bool) -> bool {
        for _ in 0..most_rounds {
            if done(self) {
                return true;
            }
            self.run_round().await;
        }
        done(self)
    }

    /// Rounds until no plan has an execution or anything left to tell, at most so many. Whether it came to rest.
    pub async fn settle(&self, most_rounds: u32) -> bool {
        self.run_until(most_rounds, |world| {
            world
                .table
                .controls()
                .iter()
                .all(|control| control.execution.is_none() && control.announcements.is_empty())
                && world.table.waiting_records().is_empty()
        })
        .await
    }

    /// Delivers what the stream carries and what was invoked directly, until all is quiet.
    pub async fn deliver(&self) {
        loop {
            if let Some(record) = self.table.take_record() {
                self.deliver_record(&record).await;
            } else if let Some((function, plan)) = self.cloud.take_nudge() {
                self.invoke(function, json!({"plan": plan})).await;
            } else {
                return;
            }
        }
    }

    /// Delivers one record of the stream, three times at most.
    pub async fn deliver_record(&self, record: &StreamRecord) {
        for _ in 0..3 {
            self.clock.sleep(SignedDuration::from_millis(100)).await;
            let outcome = self
                .invoke(record.wake, stream_payload(std::slice::from_ref(record)))
                .await;
            if !outcome.needs_redelivery() {
                return;
            }
        }
        lock(&self.dead_letters).push(record.clone());
    }

    /// Invokes the function that a wake is for.
    pub async fn invoke(&self, function: Wake, payload: Value) -> Outcome {
        match function {
            Wake::Decision => self.invoke_decision(payload).await,
            Wake::Executor => self.invoke_executor(payload).await,
        }
    }

    /// What was delivered three times in vain.
    pub fn dead_letters(&self) -> Vec<StreamRecord> {
        lock(&self.dead_letters).clone()
    }

    /// A person's command, answered. Nothing is delivered.
    pub async fn command(&self, command: Value) -> Value {
        self.invoke_decision(command).await.answer()
    }

    /// Stores a plan, delivers what follows, and answers what was answered.
    pub async fn put_plan(&self, plan: Value) -> Value {
        let answer = self
            .command(json!({"command": "put-plan", "plan": plan, "operator": "mia", "reason": "first"}))
            .await;
        self.deliver().await;
        answer
    }

    /// An alarm's event as EventBridge sends it, about a change at `at`.
    pub fn alarm_event(name: &str, state: &str, at: Timestamp) -> Value {
        json!({
            "version": "0", "id": "c4c1c1c9-6542-e61b-6ef0-8c4d36933a92", "detail-type": "CloudWatch Alarm State Change",
            "source": "aws.cloudwatch", "account": "000000000000", "time": at.to_string(), "region": "eu-west-1",
            "resources": [format!("arn:aws:cloudwatch:eu-west-1:000000000000:alarm:{name}")],
            "detail": {
                "alarmName": name,
                "state": {"value": state, "reason": "threshold crossed", "timestamp": at.to_string()},
                "previousState": {"value": "OK", "reason": "was well", "timestamp": at.to_string()},
            },
        })
    }

    /// Moves the clock.
    pub fn advance(&self, seconds: i64) {
        self.clock.advance(SignedDuration::from_secs(seconds));
    }

    /// The plan's control item.
    ///
    /// # Panics
    /// There is none: the test has not put the plan.
    pub fn control(&self, plan: &str) -> Control {
        #[allow(clippy::expect_used)]
        self.table.control(plan).expect("the plan has a readable control item")
    }
}

/// The executor's ports, all of AWS served by one cloud.
pub(crate) fn executor_ports<C>(
    table: Arc<dyn Table>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    cloud: &Arc<C>,
) -> ExecutorPorts
where
    C: Traffic
        + Dns
        + Notifier
        + Compute
        + Groups
        + Hooks
        + Database
        + DatabaseFailover
        + DatabaseSetup
        + GroupSetup
        + HealthChecks
        + Metrics
        + Alarms
        + Permissions
        + AlarmDefinitions
        + 'static,
    C: Signals + ZonalShifts + Accelerators,
{
    ExecutorPorts {
        table,
        clock,
        random,
        traffic: cloud.clone(),
        dns: cloud.clone(),
        notifier: cloud.clone(),
        compute: cloud.clone(),
        groups: cloud.clone(),
        hooks: cloud.clone(),
        database: cloud.clone(),
        databases: cloud.clone(),
        database_setup: cloud.clone(),
        group_setup: cloud.clone(),
        health_checks: cloud.clone(),
        metrics: cloud.clone(),
        signals: cloud.clone(),
        shifts: cloud.clone(),
        accelerators: cloud.clone(),
        alarms: cloud.clone(),
        permissions: cloud.clone(),
        definitions: cloud.clone(),
    }
}

/// The probe's ports, all of AWS served by one cloud, with the describes a second that it is deployed with.
pub(crate) fn probe_ports<C>(
    table: Arc<dyn Table>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    cloud: &Arc<C>,
) -> ProbePorts
where
    C: Endpoint + Traffic + Compute + Groups + Database + Alarms + Metrics + Functions + 'static,
{
    ProbePorts {
        table,
        clock,
        random,
        endpoint: cloud.clone(),
        traffic: cloud.clone(),
        compute: cloud.clone(),
        groups: cloud.clone(),
        database: cloud.clone(),
        alarms: cloud.clone(),
        metrics: cloud.clone(),
        functions: cloud.clone(),
        describes_per_second: DESCRIBES_PER_SECOND,
    }
}

/// The executor that decision asks, invoked synchronously and read-only.
pub(crate) fn answer_questions(
    clock: &Arc<TestClock>,
    table: &Arc<MemoryTable>,
    random: &Arc<SeededRandom>,
    cloud: &Arc<FakeCloud>,
) {
    let (clock, table, random) = (clock.clone(), table.clone(), random.clone());
    let weak = Arc::downgrade(cloud);
    cloud.hook_executor(Box::new(move |question| {
        let (clock, table, random, cloud) = (clock.clone(), table.clone(), random.clone(), weak.upgrade());
        Box::pin(async move {
            let Some(cloud) = cloud else {
                return Err(CallError::new(CallErrorKind::Lost, "the world is gone"));
            };
            let invocation = Invocation {
                request_id: "question".into(),
                deadline: clock
                    .now()
                    .checked_add(SignedDuration::from_secs(60))
                    .unwrap_or(Timestamp::MAX),
            };
            let ports = executor_ports(table, clock, random, &cloud);
            let answer = Executor::new(ports, HOME.to_owned())
                .with_stack(cloud.stack())
                .handle(question, &invocation)
                .await;
            answer.map_err(|error| CallError::new(CallErrorKind::Refused, error.to_string()))
        })
    }));
}
