//! What stands at the beginning of a history: the plans, the sites, and who looks.

use super::history::Dice;
use super::report::{ARCHIVE, DATA, FAIL_OVER, RARE, SWITCH_OVER, UNBOUND};
use super::wide::{REFERENCE_HOST, Wide};
use crate::cloud::FakeCloud;
use crate::memory::MemoryTable;
use crate::world_plan::{a_record, sample_plan};
use jiff::Timestamp;
use serde_json::{Value, json};
use understudy_core::SCHEMA_VERSION;
use understudy_core::control::Control;
use understudy_core::health::{AlarmState, Health, Observation, Streak, slot};
use understudy_core::plan::{Mode, Plan, parse};
use understudy_engine::ports::{GlobalDatabase, Item, Key};
use understudy_engine::store::{CONTROL, NEVER, REVISION, observation_key};

/// How a history opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening {
    /// All is well.
    Calm,
    /// An operator moves the first plan.
    Move,
    /// The primary of the first plan is dead.
    Dead,
    /// The primaries of all plans are dead.
    AllDead,
    /// Both sites of the first plan are dead: nothing may move by itself, and somebody must hear of it.
    BothBad,
    /// A maintenance window is open when the primary of the first plan dies.
    InMaintenance,
    /// The second Region is cut off from its services, and an operator moves the first plan to it.
    CutOff,
    /// An operator sets the first plan up.
    SetUp,
    /// An operator stops everything, starts it again, and stores a plan.
    Stopped,
}

/// What stands at the beginning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setup {
    /// How many plans.
    pub plans: u32,
    /// How many probe functions look.
    pub observers: u32,
    /// Seconds between two looks.
    pub interval_seconds: u32,
    /// Looks in a row that count, each way.
    pub threshold: u32,
    /// `policy.hold_seconds`.
    pub hold_seconds: u32,
    /// `policy.cooldown_seconds`.
    pub cooldown_seconds: u32,
    /// `policy.automatic_failovers_per_hour`.
    pub budget: u32,
    /// `policy.failback.mode: automatic`.
    pub comes_home: bool,
    /// `policy.mode: manual`.
    pub manual: bool,
    /// `timeout_seconds` of the steps.
    pub step_seconds: u32,
    /// `on_failure: halt` of the last step.
    pub halts: bool,
    /// Automatic failovers an hour over all plans.
    pub fleet_limit: u32,
    /// How often a change of DNS is asked about before it has settled.
    pub polls: u32,
    /// Whether the plans move a global database too, and whether their policy allows that it loses data.
    pub data: Option<bool>,
    /// How far the copies of its data are behind, in seconds, while the source is well. A dying one says 0.
    pub lag_seconds: u32,
    /// How it opens.
    pub opening: Opening,
    /// A place where an invocation ends: the `.1`th call to the `.0`th of the points that this history meets, at
    /// its `.2`th place. Steered, so that no place is left out.
    pub hunt: Option<(u16, u16, u16)>,
    /// What a wide history has beside the others.
    pub wide: Wide,
}

/// `policy.max_duration_seconds`, and the longest that any execution takes when faults have stopped.
pub const MAX_DURATION_SECONDS: u32 = 300;
/// `policy.failback.stability_seconds`.
pub const STABILITY_SECONDS: u32 = 30;
/// `policy.consent.max_lag_seconds`.
pub const MAX_LAG_SECONDS: u32 = 5;
/// `policy.consent.max_lag_age_seconds`.
pub const MAX_LAG_AGE_SECONDS: u32 = 300;
/// `policy.max_event_age_seconds`.
pub const EVENT_AGE_SECONDS: u32 = 120;

impl Setup {
    /// Drawn from a seed.
    pub(crate) fn drawn(dice: &Dice, wider: &Dice) -> Self {
        let plans = dice.pick(&[1, 1, 1, 1, 1, 2, 3]).unwrap_or(1);
        let mut setup = Self {
            plans,
            observers: dice.pick(&[1, 1, 1, 2]).unwrap_or(1),
            interval_seconds: dice.pick(&[5, 10, 10, 20]).unwrap_or(10),
            threshold: dice.pick(&[1, 2, 2]).unwrap_or(2),
            hold_seconds: dice.pick(&[0, 5, 15]).unwrap_or(5),
            cooldown_seconds: dice.pick(&[60, 600]).unwrap_or(600),
            budget: dice.pick(&[1, 1, 2]).unwrap_or(1),
            comes_home: dice.one_in(2),
            manual: dice.one_in(12),
            step_seconds: dice.pick(&[15, 60, 60]).unwrap_or(60),
            halts: dice.one_in(6),
            fleet_limit: dice.pick(&[1, 5, 5]).unwrap_or(5),
            polls: dice.below(4),
            opening: dice
                .pick(&[
                    Opening::Calm,
                    Opening::Move,
                    Opening::Move,
                    Opening::Dead,
                    Opening::Dead,
                    Opening::AllDead,
                ])
                .unwrap_or(Opening::Move),
            hunt: dice.one_in(2).then(|| {
                let [point, nth, place, _] = dice.words();
                (point, nth % 6, place % 3)
            }),
            data: dice.pick(&[None, None, Some(true), Some(true), Some(false)]).flatten(),
            lag_seconds: dice.pick(&[1, 1, 20]).unwrap_or(1),
            wide: Wide::default(),
        };
        setup.widen(wider);
        if setup.hunts_data() {
            setup.data = Some(true);
            setup.lag_seconds = 1;
            setup.step_seconds = 60;
        }
        match setup.hunted() {
            Some(point) if RARE.contains(&point) => {
                setup.hunt_the_first_call();
                setup.opening = Opening::Move;
            }
            Some(UNBOUND | ARCHIVE) => setup.hunt_the_first_call(),
            _ => {}
        }
        setup.hunt_for_a_move_of_data();
        if setup.wide.flatters {
            setup.let_a_source_flatter();
        }
        setup
    }

    // An execution moves its database by one call: in its source's absence the one, with its help the other.
    fn hunt_for_a_move_of_data(&mut self) {
        let hunted = self.hunted();
        let planned = hunted == Some(SWITCH_OVER);
        if !planned && hunted != Some(FAIL_OVER) {
            return;
        }
        self.hunt_the_first_call();
        self.opening = if planned { Opening::Move } else { Opening::Dead };
        self.manual = planned && self.manual;
    }

    // The copy is too far behind for a move by itself, and what its dead source says of it looks better and better while
    // the hold time runs.
    fn let_a_source_flatter(&mut self) {
        self.data = Some(true);
        self.lag_seconds = MAX_LAG_SECONDS * 4;
        self.hold_seconds = 90;
        self.opening = Opening::Dead;
        self.manual = false;
        self.wide.mode = Mode::Automatic;
    }

    // Whether the hunted call is one that only plans with a database make.
    pub(super) fn hunts_data(&self) -> bool {
        self.hunted().is_some_and(|point| DATA.contains(&point))
    }

    // Of a call that seldom comes there may be no second one.
    pub(super) fn hunt_the_first_call(&mut self) {
        if let Some((_, nth, _)) = &mut self.hunt {
            *nth = 0;
        }
    }

    /// The one that the exhaustive search walks through: one plan, three steps, nothing else.
    pub fn plain() -> Self {
        Self {
            plans: 1,
            observers: 1,
            interval_seconds: 10,
            threshold: 2,
            hold_seconds: 5,
            cooldown_seconds: 600,
            budget: 1,
            comes_home: false,
            manual: false,
            // A change of DNS whose reply was lost is waited out for a minute.
            step_seconds: 90,
            halts: false,
            fleet_limit: 5,
            polls: 0,
            data: None,
            lag_seconds: 1,
            opening: Opening::Move,
            hunt: None,
            wide: Wide::default(),
        }
    }

    /// The names of the plans.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        ["shop", "mail", "bank"].into_iter().take(self.plans as usize)
    }

    /// A plan as its owner wrote it; `revised`: the second time.
    pub fn plan_file(&self, name: &str, revised: bool) -> Value {
        let mut plan = sample_plan(name);
        for (index, site) in ["blue", "green"].into_iter().enumerate() {
            let probe = &mut plan["probes"][index];
            probe["host"] = json!(host(name, site));
            probe["interval_seconds"] = json!(self.interval_seconds);
            probe["healthy_threshold"] = json!(self.threshold);
            probe["unhealthy_threshold"] = json!(self.threshold);
        }
        plan["alarms"][0]["alarm_name"] = json!(alarm(name));
        plan["steps"][1]["listener_arn"] = json!(listener(name));
        plan["steps"][1]["target_groups"] = json!({"blue": group(name, "blue"), "green": group(name, "green")});
        plan["steps"][2]["hosted_zone_id"] = json!(zone(name));
        for step in 0..3 {
            plan["steps"][step]["timeout_seconds"] = json!(self.step_seconds);
        }
        if self.halts {
            plan["steps"][2]["on_failure"] = json!("halt");
        }
        if self.data.is_some()
            && let Some(steps) = plan["steps"].as_array_mut()
        {
            let data = json!({
                "kind": "rds_global", "name": "data", "global_cluster_identifier": global(name),
                "timeout_seconds": self.step_seconds,
                "clusters": {"blue": cluster(name, "blue"), "green": cluster(name, "green")},
            });
            steps.insert(1, data);
        }
        plan["policy"] = json!({
            "consent": {
                "allow_data_loss": self.data == Some(true), "max_lag_seconds": MAX_LAG_SECONDS,
                "max_lag_age_seconds": MAX_LAG_AGE_SECONDS,
            },
            "mode": self.mode(),
            "hold_seconds": self.hold_seconds + u32::from(revised), "cooldown_seconds": self.cooldown_seconds,
            "automatic_failovers_per_hour": self.budget, "max_event_age_seconds": EVENT_AGE_SECONDS,
            "max_duration_seconds": MAX_DURATION_SECONDS,
            "failback": {"mode": if self.comes_home { "automatic" } else { "manual" }, "stability_seconds": STABILITY_SECONDS},
        });
        self.widen_plan(name, &mut plan);
        if let (true, Some(steps)) = (revised, plan["steps"].as_array_mut()) {
            // The record before the weights: an execution that does not keep its own plan takes one for the other.
            let last = steps.len().saturating_sub(1);
            steps.swap(last.saturating_sub(1), last);
        }
        plan
    }

    /// Puts the cloud and the table into their places: all is well, and has been seen to be for a while.
    pub(crate) fn furnish(&self, cloud: &FakeCloud, table: &MemoryTable, now: Timestamp) -> Vec<Plan> {
        cloud.polls_until_in_sync(self.polls);
        cloud.answer(REFERENCE_HOST, Health::Healthy, "it takes connections");
        let mut plans = Vec::new();
        for name in self.names() {
            let Ok(plan) = parse(self.plan_file(name, false)) else {
                continue;
            };
            cloud.put_weights(
                &listener(name),
                &[
                    (&group(name, "blue"), 100),
                    (&group(name, "green"), 0),
                    (&group(name, "other"), 7),
                ],
            );
            cloud.put_zone(
                zone(name),
                vec![
                    a_record("www.example.com.", "192.0.2.1"),
                    a_record("other.example.com.", "198.51.100.9"),
                ],
            );
            if self.data.is_some() {
                let global_database = GlobalDatabase {
                    status: "available".into(),
                    is_moving: false,
                    writer: Some(cluster(name, "blue")),
                    members: vec![cluster(name, "blue"), cluster(name, "green")],
                };
                cloud.put_global_database(&global(name), global_database);
            }
            cloud.put_alarm(&alarm(name), AlarmState::Ok);
            for site in ["blue", "green"] {
                cloud.answer(&host(name, site), Health::Healthy, "HTTP 200");
                cloud.put_targets(&group(name, site), &["healthy"]);
                cloud.put_target_health(&group(name, site), FakeCloud::default_health_check());
            }
            plant(table, &plan, self.observers, now);
            plans.push(plan);
        }
        plans
    }
}

/// The observers' names.
pub(crate) const OBSERVERS: [&str; 2] = ["eu-west-1", "eu-central-1"];

fn plant(table: &MemoryTable, plan: &Plan, observers: u32, now: Timestamp) {
    let place = |item: &str, body: Value, due_at: Option<Timestamp>| {
        table.plant(Item {
            key: Key {
                plan: plan.name.clone(),
                item: item.to_owned(),
            },
            version: 1,
            write_id: "planted".into(),
            schema_version: SCHEMA_VERSION,
            wake: None,
            due_at,
            body,
        });
    };
    let revision = format!("{REVISION}00000001");
    let mut control = Control::new(&plan.name, "blue", &revision);
    control.version = 1;
    place(&revision, serde_json::to_value(plan).unwrap_or_default(), None);
    place(CONTROL, serde_json::to_value(&control).unwrap_or_default(), Some(NEVER));
    let long_ago = understudy_core::control::later(now, -jiff::SignedDuration::from_mins(10));
    for probe in &plan.probes {
        for observer in OBSERVERS.into_iter().take(observers as usize) {
            let interval_seconds = probe.interval_seconds();
            let observation = Observation {
                site: probe.common().site.clone(),
                probe: probe.name().to_owned(),
                observer: observer.to_owned(),
                slot: slot(now, interval_seconds) - 1,
                interval_seconds,
                health: Health::Healthy,
                since: long_ago,
                streak: Streak {
                    health: Health::Healthy,
                    slots: probe.common().healthy_threshold,
                    since: long_ago,
                },
                reason: "HTTP 200".into(),
                observed_at: now,
                failing_since: None,
                unfit: None,
                unfit_since: None,
            };
            let key = observation_key(&plan.name, &observation);
            place(&key.item, serde_json::to_value(&observation).unwrap_or_default(), None);
        }
    }
}

/// The host of a plan's site.
pub fn host(plan: &str, site: &str) -> String {
    format!("{site}.{plan}.example.com")
}

/// The alarm on a plan's primary.
pub fn alarm(plan: &str) -> String {
    format!("{plan}-blue-is-down")
}

/// The listener of a plan.
pub fn listener(plan: &str) -> String {
    format!("arn:aws:elasticloadbalancing:eu-west-1:000000000000:listener/app/{plan}/0123456789abcdef/0123456789abcdef")
}

/// The other one of a plan's two sites.
pub(super) fn other_site(site: &str) -> &'static str {
    if site == "blue" { "green" } else { "blue" }
}

/// The target group of a plan's site.
pub fn group(plan: &str, site: &str) -> String {
    format!("arn:aws:elasticloadbalancing:eu-west-1:000000000000:targetgroup/{plan}-{site}/0123456789abcdef")
}

/// The global database of a plan.
pub fn global(plan: &str) -> String {
    format!("{plan}-data")
}

/// The cluster of a plan's site, each in a Region of its own.
pub fn cluster(plan: &str, site: &str) -> String {
    let region = if site == "blue" { "eu-west-1" } else { "eu-central-1" };
    format!("arn:aws:rds:{region}:000000000000:cluster:{plan}-{site}")
}

/// The hosted zone of a plan.
pub fn zone(plan: &str) -> &'static str {
    match plan {
        "shop" => "ZSHOP00000000",
        "mail" => "ZMAIL00000000",
        _ => "ZBANK00000000",
    }
}
