//! Rounds: the same resources (but Auto Scaling groups, which only ours can ask for), the same emulator, the same latency on every call, both sides in turn.
//!
//! A round of ours counts each resource once in its slot, so each needs a slot of its own; the baseline's rounds
//! are made in the time between. What a round of ours has to write depends on what was written before:
//!
//! | round | process | what it writes |
//! |---|---|---|
//! | first | new | every observation: there were none |
//! | settling | warm | every observation: the second good slot makes it healthy |
//! | steady | warm | nothing: all is as it was |
//! | heartbeat | warm | every observation: each is written at every second slot, lest it go stale |
//! | steady, cold | new | nothing, but it has plans and old observations to read first |
//!
//! Steady and heartbeat rounds take turns for as long as nothing happens. See [`super::replay`] for why moto itself
//! answers in some of them and its recorded answers in the others.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Serialize;
use serde_json::{Value, json};
use understudy_testkit::proxy::{Mark, ProxySettings, RecordingProxy, RoutingTable, Upstream};

use super::figures::median;
use super::replay::Replay;
use super::subject::{Programs, Side, Subject};
use super::world::{self, INTERVAL_SECONDS, Watched};
use crate::local_cloud::{CloudError, LocalCloud};

/// What the proxy adds to every call.
pub const LATENCY: Duration = Duration::from_millis(30);
/// How many warm rounds of ours follow the first: settling, and then steady and heartbeat in turns. In the first
/// steady one moto itself answers, in the others its answers are replayed.
const WARM_ROUNDS: usize = 8;
/// The services that moto answers for: signing names of what is described.
const DESCRIBED: &[&str] = &["autoscaling", "ec2", "elasticloadbalancing", "rds"];
/// How far into a slot a round begins: clear of its edge, with room for the round.
const INTO_SLOT: Duration = Duration::from_millis(500);

/// What a round had to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A new process and an empty table.
    First,
    /// The second round: everything becomes healthy.
    Settling,
    /// A warm process, and nothing to write; moto itself answers.
    SteadyOnMoto,
    /// A warm process, and nothing to write.
    Steady,
    /// A warm process that writes every observation again.
    Heartbeat,
    /// A new process, and nothing to write.
    SteadyCold,
    /// A new process that writes every observation again.
    HeartbeatCold,
    /// The baseline in a new process; moto itself answers.
    BaselineColdOnMoto,
    /// The baseline in a warm process; moto itself answers.
    BaselineOnMoto,
    /// The baseline in a warm process.
    Baseline,
    /// The baseline in a new process.
    BaselineCold,
}

impl Kind {
    /// Whether it is one of the baseline's.
    pub fn is_baseline(self) -> bool {
        matches!(
            self,
            Self::BaselineColdOnMoto | Self::BaselineOnMoto | Self::Baseline | Self::BaselineCold
        )
    }
}

/// One measured round.
#[derive(Clone, Debug, Serialize)]
pub struct Round {
    /// What it had to do.
    pub kind: Kind,
    /// From giving out the event to the answer.
    pub seconds: f64,
    /// With the start of the process, where it was a new one.
    pub seconds_with_start: Option<f64>,
    /// Calls by service and operation.
    pub calls: BTreeMap<String, usize>,
    /// The middle duration of a describe as the proxy saw it, its latency included, in milliseconds.
    pub describe_milliseconds: f64,
    /// Calls that were answered with an error.
    pub failed_calls: usize,
    /// The process's peak resident memory afterwards, in MiB.
    pub peak_memory_mib: f64,
}

impl Round {
    /// How many describes it made.
    pub fn describes(&self) -> usize {
        let describes = self.calls.iter().filter(|(call, _)| call.contains(" Describe"));
        describes.map(|(_, count)| count).sum()
    }
}

/// All rounds that were measured.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Rounds {
    /// In the order in which they were made.
    pub all: Vec<Round>,
    /// What the baseline said: health and how often.
    pub baseline_said: BTreeMap<String, usize>,
}

impl Rounds {
    /// Those of a kind.
    pub fn of(&self, kind: Kind) -> Vec<&Round> {
        self.all.iter().filter(|round| round.kind == kind).collect()
    }

    /// The middle of something over the rounds of a kind; `None` without any.
    pub fn median(&self, kind: Kind, of: impl Fn(&Round) -> f64) -> Option<f64> {
        let found: Vec<f64> = self.of(kind).into_iter().map(of).collect();
        (!found.is_empty()).then(|| median(&found))
    }
}

/// What rounds are made in.
struct Place {
    // Dropped in this order: the proxy and the replay before the emulators behind them.
    proxy: RecordingProxy,
    replay: Replay,
    watched: Watched,
    _cloud: LocalCloud,
}

impl Place {
    async fn make(say: &mut dyn FnMut(&str)) -> Result<Self, CloudError> {
        say("starting the emulators");
        let cloud = LocalCloud::start().await?;
        say("making the instances, target groups, databases, Auto Scaling groups and plans");
        world::create_table(cloud.clients()).await?;
        let watched = Watched::create(cloud.clients()).await?;
        watched.store_plans(&cloud).await?;
        // A proxy of our own, so that the replay can stand between it and moto.
        let replay = Replay::start(cloud.moto_endpoint()).await?;
        let to_ministack = cloud.ministack_endpoint().trim_start_matches("http://");
        let routes = RoutingTable::new(Upstream::new("ministack", to_ministack))
            .with(DESCRIBED, &Upstream::new("moto", replay.authority()));
        let proxy = RecordingProxy::start(ProxySettings::new(routes)).await?;
        proxy.latency().set_every_call(LATENCY);
        Ok(Self {
            proxy,
            replay,
            watched,
            _cloud: cloud,
        })
    }
}

/// Makes the world and measures rounds of both sides in it. About six minutes, most of it waiting for slots.
///
/// # Errors
/// When the cloud does not start, a call for the world is refused, or a side fails.
pub async fn measure(programs: &Programs, say: &mut dyn FnMut(&str)) -> Result<Rounds, CloudError> {
    let place = Place::make(say).await?;
    let endpoint = place.proxy.endpoint_url();
    let mut rounds = Rounds::default();
    let compared = programs.baseline().is_some();
    let mut baseline = None;
    if compared {
        let subject = baseline.insert(Subject::start(programs, Side::Baseline, &endpoint).await?);
        of_baseline(&place, subject, Kind::BaselineColdOnMoto, &mut rounds, say).await?;
    }
    next_slot(say).await;
    let mut ours = Subject::start(programs, Side::Ours, &endpoint).await?;
    of_ours(&place, &mut ours, Kind::First, &mut rounds, say).await?;
    for number in 0..WARM_ROUNDS {
        // The first steady round of ours has its partner right before it, the others too.
        let on_moto = number < 2;
        place.replay.set_replaying(!on_moto);
        if let Some(baseline) = &mut baseline
            && number % 2 == 1
        {
            let kind = if on_moto { Kind::BaselineOnMoto } else { Kind::Baseline };
            of_baseline(&place, baseline, kind, &mut rounds, say).await?;
        }
        next_slot(say).await;
        let kind = match number {
            0 => Kind::Settling,
            1 => Kind::SteadyOnMoto,
            odd if odd % 2 == 1 => Kind::Steady,
            _ => Kind::Heartbeat,
        };
        of_ours(&place, &mut ours, kind, &mut rounds, say).await?;
    }
    ours.end().await;
    // After a steady slot comes a heartbeat, and after that a steady one again: each for a new process.
    next_slot(say).await;
    let mut ours = Subject::start(programs, Side::Ours, &endpoint).await?;
    of_ours(&place, &mut ours, Kind::HeartbeatCold, &mut rounds, say).await?;
    ours.end().await;
    if compared {
        drop(baseline.take());
        let mut subject = Subject::start(programs, Side::Baseline, &endpoint).await?;
        of_baseline(&place, &mut subject, Kind::BaselineCold, &mut rounds, say).await?;
        subject.end().await;
    }
    next_slot(say).await;
    let mut ours = Subject::start(programs, Side::Ours, &endpoint).await?;
    of_ours(&place, &mut ours, Kind::SteadyCold, &mut rounds, say).await?;
    ours.end().await;
    Ok(rounds)
}

async fn of_ours(
    place: &Place,
    subject: &mut Subject,
    kind: Kind,
    rounds: &mut Rounds,
    say: &mut dyn FnMut(&str),
) -> Result<(), CloudError> {
    // As the schedule's event: nothing in it counts. The Runtime API leaves time for exactly one round.
    let (round, answer) = one(place, subject, kind, &json!({})).await?;
    let tally = |name: &str| {
        answer
            .pointer(&format!("/tally/{name}"))
            .and_then(Value::as_u64)
            .unwrap_or_default()
    };
    let count = place.watched.count() as u64;
    let writes = if matches!(kind, Kind::SteadyOnMoto | Kind::Steady | Kind::SteadyCold) {
        0
    } else {
        count
    };
    // A round that did something else than it is said to have done must not be in the table.
    if (tally("samples"), tally("writes"), tally("errors")) != (count, writes, 0) {
        return Err(CloudError::missing(
            format!("the {kind:?} round, which has {count} resources to count and {writes} observations to write,"),
            answer.to_string(),
        ));
    }
    report(&round, say);
    rounds.all.push(round);
    Ok(())
}

async fn of_baseline(
    place: &Place,
    subject: &mut Subject,
    kind: Kind,
    rounds: &mut Rounds,
    say: &mut dyn FnMut(&str),
) -> Result<(), CloudError> {
    let (round, answer) = one(place, subject, kind, &place.watched.event_of_baseline()).await?;
    let mut said = BTreeMap::new();
    for health in answer.as_object().into_iter().flat_map(|answer| answer.values()) {
        *said.entry(health.as_str().unwrap_or("?").to_owned()).or_insert(0) += 1;
    }
    let asked: usize = said.values().sum();
    if asked != place.watched.count_of_baseline() {
        let found = format!("it spoke of {asked} resources out of {}", place.watched.count());
        return Err(CloudError::missing("the answer of the baseline", found));
    }
    rounds.baseline_said = said;
    report(&round, say);
    rounds.all.push(round);
    Ok(())
}

async fn one(place: &Place, subject: &mut Subject, kind: Kind, event: &Value) -> Result<(Round, Value), CloudError> {
    let mark = place.proxy.mark();
    let invoked = subject.invoke(event).await?;
    let new = matches!(
        kind,
        Kind::First | Kind::SteadyCold | Kind::HeartbeatCold | Kind::BaselineCold | Kind::BaselineColdOnMoto
    );
    let with_start = subject.start + invoked.elapsed;
    let (calls, describe_milliseconds, failed_calls) = calls(place, mark);
    let round = Round {
        kind,
        seconds: invoked.elapsed.as_secs_f64(),
        seconds_with_start: new.then_some(with_start.as_secs_f64()),
        calls,
        describe_milliseconds,
        failed_calls,
        peak_memory_mib: subject.peak_memory_kib()? as f64 / 1024.0,
    };
    Ok((round, invoked.answer))
}

fn calls(place: &Place, mark: Mark) -> (BTreeMap<String, usize>, f64, usize) {
    let mut calls = BTreeMap::new();
    let mut describes = Vec::new();
    let mut failed = 0;
    for call in place.proxy.calls_since(mark) {
        let service = call.service.as_deref().unwrap_or("unsigned");
        *calls.entry(format!("{service} {}", call.operation)).or_insert(0) += 1;
        failed += usize::from(!call.succeeded());
        if let Some(outcome) = call.outcome.filter(|_| call.operation.starts_with("Describe")) {
            describes.push(outcome.duration_milliseconds as f64);
        }
    }
    (calls, median(&describes), failed)
}

fn report(round: &Round, say: &mut dyn FnMut(&str)) {
    say(&format!(
        "{:<18} {:>7.3} s  {:>5} calls, {:>5} of them describes of {:.0} ms each, {} failed; peak memory {:.1} MiB",
        format!("{:?}", round.kind),
        round.seconds,
        round.calls.values().sum::<usize>(),
        round.describes(),
        round.describe_milliseconds,
        round.failed_calls,
        round.peak_memory_mib,
    ));
}

/// Waits until the next slot of all resources has just begun.
async fn next_slot(say: &mut dyn FnMut(&str)) {
    let slot = u128::from(INTERVAL_SECONDS) * 1000;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let left = slot - now.as_millis() % slot;
    let left = Duration::from_millis(u64::try_from(left).unwrap_or_default()) + INTO_SLOT;
    say(&format!("waiting {} s for the next slot", left.as_secs()));
    tokio::time::sleep(left).await;
}
