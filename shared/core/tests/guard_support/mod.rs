//! A situation in which a move starts, and what a guard says of it after one thing has been changed.

use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use understudy_core::command::{Command, parse as command};
use understudy_core::control::{Away, Control, Word};
use understudy_core::decide::{Decision, LagRecord, Lags, Move, Situation, Trigger, decide};
use understudy_core::execution::{Execution, Kind, PreState, Style, TriggerKind};
use understudy_core::fleet::{Fleet, FleetEntry, FleetLimits, FleetState, Progress};
use understudy_core::guard::Verdict;
use understudy_core::health::{Health, SiteHealth};
use understudy_core::plan::{Plan, parse};
use understudy_core::preflight::Preflight;
use understudy_core::setup::{SetupItem, SetupRecord};
use understudy_core::state::ResourceState;

/// Ten o'clock on a Saturday, and so many seconds.
pub fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_795_255_200 + seconds).unwrap()
}

/// The move that a dead blue calls for.
pub fn blue_to_green() -> Move {
    Move {
        kind: Kind::Failover,
        trigger: TriggerKind::Automatic,
        style: Style::Unplanned,
        from: "blue".into(),
        to: "green".into(),
        reason: "blue is dead".into(),
        operator: None,
        began_at: None,
        detected_at: None,
        return_after_seconds: None,
        escalate_after_seconds: None,
        loss_estimate_seconds: None,
    }
}

/// What the guards said, and whether something starts.
pub struct Said {
    pub verdicts: Vec<Verdict>,
    pub starts: bool,
}

impl From<Decision> for Said {
    fn from(decision: Decision) -> Self {
        Self {
            starts: decision.start.is_some(),
            verdicts: decision.verdicts,
        }
    }
}

impl From<Vec<Verdict>> for Said {
    fn from(verdicts: Vec<Verdict>) -> Self {
        Self {
            starts: verdicts.iter().all(|verdict| verdict.allows),
            verdicts,
        }
    }
}

pub fn site(health: Health, since: i64) -> SiteHealth {
    SiteHealth {
        health,
        since: (health != Health::Unknown).then(|| at(since)),
        witnesses: Vec::new(),
        settling: false,
    }
}

pub fn word() -> Word {
    Word {
        operator: "mia".into(),
        reason: "because".into(),
        at: at(0),
    }
}

fn record() -> Value {
    json!({"kind": "dns_records", "name": "record", "hosted_zone_id": "ZSHOP", "records": [
        {"name": "www.example.com", "type": "A", "ttl_seconds": 60,
         "sites": {"blue": {"values": ["192.0.2.1"]}, "green": {"values": ["192.0.2.2"]}}}]})
}

/// A step that can lose data and can not be taken back.
pub fn promotion() -> Value {
    json!({"kind": "rds_promote_replica", "name": "promote", "timeout_seconds": 300,
           "instances": {"blue": {"db_instance_identifier": "shop-blue"},
                         "green": {"db_instance_identifier": "shop-green", "region": "eu-central-1"}}})
}

/// An item of the plan's setup, which makes this alarm.
pub fn alarm_item(alarm_name: &str) -> Value {
    json!({"kind": "metric_alarm", "name": "errors", "alarm_name": alarm_name, "namespace": "Shop", "metric_name": "Errors",
           "statistic": "Sum", "threshold": 1, "comparison": "GreaterThanThreshold"})
}

pub fn plan(policy: Value, more_steps: &[Value], setup: &[Value]) -> Plan {
    let probe = |site: &str| json!({"kind": "endpoint", "name": format!("{site}-web"), "site": site, "host": format!("{site}.example.com")});
    let mut steps = more_steps.to_vec();
    steps.push(record());
    parse(json!({
        "schema_version": 1, "name": "shop", "region": "eu-west-1",
        "sites": [{"name": "blue", "priority": 1}, {"name": "green", "priority": 2}],
        "probes": [probe("blue"), probe("green")],
        "steps": steps, "setup": setup, "policy": policy,
    }))
    .unwrap()
}

/// Everything that a judgement is made of.
pub struct Case {
    pub now: i64,
    pub trigger: Trigger,
    pub plan: Plan,
    pub control: Control,
    pub fleet: FleetState,
    pub blue: SiteHealth,
    pub green: SiteHealth,
    pub lags: Lags,
    pub preflight: Option<Preflight>,
    pub setup: SetupRecord,
}

impl Case {
    /// A failover that starts by itself: blue has been unhealthy for a minute, green healthy for ten.
    pub fn failover() -> Self {
        Self {
            now: 60,
            trigger: Trigger::Timer,
            plan: plan(json!({"hold_seconds": 30}), &[], &[]),
            control: Control::new("shop", "blue", "revision"),
            fleet: FleetState::default(),
            blue: site(Health::Unhealthy, 0),
            green: site(Health::Healthy, -600),
            lags: Lags::new(),
            preflight: None,
            setup: SetupRecord::default(),
        }
    }

    /// The same of a plan that promotes a replica, with a policy that allows it and a lag of five seconds.
    pub fn promotion() -> Self {
        let consent = json!({"allow_data_loss": true, "allow_irreversible": true, "max_lag_seconds": 10, "max_lag_age_seconds": 600});
        let lag = LagRecord {
            seconds: 5,
            measured_at: at(-60),
            source_healthy: true,
        };
        Self {
            plan: plan(json!({"hold_seconds": 30, "consent": consent}), &[promotion()], &[]),
            lags: Lags::from([("green".to_owned(), lag)]),
            ..Self::failover()
        }
    }

    /// A failback that starts by itself: on green since ten o'clock, blue well since before, a minute of stability.
    pub fn failback() -> Self {
        let policy = json!({"hold_seconds": 30, "failback": {"mode": "automatic", "stability_seconds": 60}});
        let mut case = Self {
            plan: plan(policy, &[], &[]),
            blue: site(Health::Healthy, -600),
            ..Self::failover()
        };
        case.go_away();
        case
    }

    /// A person asks for a move, with nothing to be said against it.
    pub fn asked(asked: Value) -> Self {
        let mut text = json!({"plan": "shop", "operator": "mia", "reason": "patching"});
        text.as_object_mut().unwrap().extend(asked.as_object().unwrap().clone());
        let trigger = match command(text).unwrap() {
            Command::Failover(asked) => Trigger::Operator {
                asked,
                move_kind: Kind::Failover,
            },
            Command::Failback(asked) => Trigger::Operator {
                asked,
                move_kind: Kind::Failback,
            },
            Command::Setup(asked) => Trigger::Setup {
                asked,
                setup_kind: Kind::Setup,
            },
            Command::Teardown(asked) => Trigger::Setup {
                asked,
                setup_kind: Kind::Teardown,
            },
            other => panic!("{other:?} moves nothing and sets nothing up"),
        };
        Self {
            trigger,
            blue: site(Health::Healthy, -600),
            ..Self::failover()
        }
    }

    /// Green carries the plan since ten o'clock.
    pub fn go_away(&mut self) {
        self.control.active_site = "green".into();
        self.control.away = Some(Away {
            since: at(0),
            trigger: TriggerKind::Automatic,
            execution: "x".into(),
            return_at: None,
            kept: None,
            raised: Vec::new(),
        });
    }

    /// An execution of the plan goes on.
    pub fn run(&mut self) {
        self.control.execution = Some(Execution::open(
            "x".into(),
            blue_to_green(),
            Vec::new(),
            &self.plan,
            1,
            at(0),
        ));
    }

    /// Setup has made this alarm.
    pub fn remember(&mut self, alarm_name: &str) {
        let step = plan(json!({}), &[], &[alarm_item(alarm_name)]).setup.remove(0);
        let mut step = step;
        step.common_mut().region = self.plan.region.clone();
        let none = ResourceState::MetricAlarm { alarm: None };
        self.setup.items.push(SetupItem {
            step,
            pre_state: PreState::Inline(none.clone()),
            wanted: none,
            made_at: at(-600),
            execution: "setup".into(),
        });
    }

    pub fn said(&self) -> Said {
        self.decision().into()
    }

    /// What is decided.
    pub fn decision(&self) -> Decision {
        let sites = BTreeMap::from([("blue".into(), self.blue.clone()), ("green".into(), self.green.clone())]);
        let situation = Situation {
            plan: &self.plan,
            control: &self.control,
            sites: &sites,
            fleet: &self.fleet,
            lags: &self.lags,
            preflight: self.preflight.as_ref(),
            setup: &self.setup,
        };
        decide(at(self.now), &self.trigger, situation)
    }
}

/// One more automatic failover, asked for at this second where another plan has made one at ten o'clock.
pub fn one_more(now: i64, other: Progress, limits: FleetLimits) -> Said {
    let entry = |execution: &str, seconds: i64| FleetEntry {
        plan: format!("plan-of-{execution}"),
        execution: execution.into(),
        at: at(seconds),
        kind: Kind::Failover,
    };
    let mut fleet = Fleet {
        entries: vec![entry("other", 0)],
    };
    let progress = BTreeMap::from([("other".to_owned(), other)]);
    fleet.admit(at(now), entry("mine", now), &progress, limits).into()
}
