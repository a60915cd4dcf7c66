//! Hysteresis counted in slots, and the health of a site from what its probes say.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::json;
use understudy_core::health::{
    ALARM_SETTLES, AlarmReading, AlarmState, AlarmWord, HEARTBEAT_SLOTS, Health, Observation, STALE_SLOTS, Sample,
    assess, observe, slot,
};
use understudy_core::plan::{Plan, UnhealthyRule, parse};

const START: i64 = 1_795_255_200;

fn plan() -> Plan {
    let probe = |site: &str, number: u32| {
        json!({"kind": "endpoint", "name": format!("{site}-{number}"), "site": site, "host": format!("{site}{number}.example.com"),
               "protocol": "http", "interval_seconds": 5, "healthy_threshold": 2, "unhealthy_threshold": 3})
    };
    parse(json!({
        "schema_version": 1, "name": "shop",
        "sites": [{"name": "blue", "priority": 1}, {"name": "green", "priority": 2}],
        "probes": [probe("blue", 1), probe("blue", 2), probe("green", 1)],
        "alarms": [{"alarm_name": "blue-down", "site": "blue", "evidence": "sufficient"}],
        "steps": [{"kind": "dns_records", "name": "record", "hosted_zone_id": "ZSHOP", "records": [{"name": "www.example.com", "type": "A", "ttl_seconds": 60,
            "sites": {"blue": {"values": ["192.0.2.1"]}, "green": {"values": ["192.0.2.2"]}}}]}],
    }))
    .unwrap()
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(START + seconds).unwrap()
}

/// Feeds one sample a slot and answers the last observation.
fn feed(samples: &[Health]) -> Option<Observation> {
    let plan = plan();
    let mut last: Option<Observation> = None;
    for (index, health) in samples.iter().enumerate() {
        let now = at(index as i64 * 5);
        let observed = observe(
            last.as_ref(),
            &plan.probes[0],
            "here",
            now,
            Sample::new(*health, "because"),
        );
        last = observed.map(|observed| observed.observation).or(last);
    }
    last
}

fn seen(probe: &str, site: &str, observer: &str, health: Health, seconds: i64) -> Observation {
    let mut seen = feed(&[Health::Healthy, Health::Healthy]).unwrap();
    (seen.probe, seen.site, seen.observer) = (probe.into(), site.into(), observer.into());
    (seen.health, seen.streak.health) = (health, health);
    (seen.since, seen.observed_at, seen.slot) = (at(seconds), at(seconds), slot(at(seconds), 5));
    seen
}

#[test]
fn a_probe_is_unknown_until_a_threshold_is_reached_whichever_way() {
    use Health::{Healthy, Unhealthy, Unknown};
    assert_eq!(feed(&[Healthy]).unwrap().health, Unknown);
    assert_eq!(feed(&[Healthy, Healthy]).unwrap().health, Healthy);
    assert_eq!(feed(&[Unhealthy, Unhealthy]).unwrap().health, Unknown);
    assert_eq!(
        feed(&[Unhealthy, Unhealthy, Unhealthy]).unwrap().health,
        Unhealthy,
        "never seen healthy, and still found"
    );
    assert_eq!(
        feed(&[Healthy, Healthy, Unhealthy, Unhealthy]).unwrap().health,
        Healthy,
        "two bad answers move nothing"
    );
    assert_eq!(
        feed(&[Healthy, Healthy, Unhealthy, Unhealthy, Healthy, Unhealthy])
            .unwrap()
            .health,
        Healthy,
        "flapping"
    );
}

#[test]
fn a_slot_is_counted_once_and_an_older_one_never() {
    let plan = plan();
    let first = observe(None, &plan.probes[0], "here", at(0), Sample::new(Health::Healthy, ""))
        .unwrap()
        .observation;
    for seconds in [0, 1, 4, -5] {
        let again = observe(
            Some(&first),
            &plan.probes[0],
            "here",
            at(seconds),
            Sample::new(Health::Unhealthy, ""),
        );
        assert!(again.is_none(), "{seconds}");
    }
    assert!(
        observe(
            Some(&first),
            &plan.probes[0],
            "here",
            at(5),
            Sample::new(Health::Unhealthy, "")
        )
        .is_some()
    );
}

#[test]
fn a_slot_from_a_clock_that_ran_ahead_is_got_over_and_nothing_is_counted_twice() {
    let plan = plan();
    let look = |last: Option<&Observation>, seconds: i64| {
        observe(
            last,
            &plan.probes[0],
            "here",
            at(seconds),
            Sample::new(Health::Healthy, ""),
        )
    };
    let ahead = Observation {
        slot: slot(at(3600), 5),
        observed_at: at(3600),
        ..feed(&[Health::Healthy; 3]).unwrap()
    };
    let anew = look(Some(&ahead), 10).expect("time need not catch up first");
    assert_eq!(
        (
            anew.observation.slot,
            anew.observation.health,
            anew.observation.streak.slots
        ),
        (slot(at(10), 5), Health::Unknown, 1),
        "it is counted from the beginning"
    );
    assert!(anew.changed && anew.write, "what was known is not known any more");
    assert!(look(Some(&anew.observation), 14).is_none(), "the slot is counted");
    let settled = look(Some(&anew.observation), 15).unwrap();
    assert_eq!(settled.observation.health, Health::Healthy);
    assert!(settled.changed);

    // One slot is what two clocks that are right may differ by.
    let next = Observation {
        slot: slot(at(15), 5),
        ..ahead
    };
    assert!(look(Some(&next), 10).is_none());
}

#[test]
fn after_a_gap_the_count_begins_again_from_unknown() {
    let plan = plan();
    let before = feed(&[Health::Healthy, Health::Healthy]).unwrap();
    let near = at(5 + 5 * STALE_SLOTS);
    let kept = observe(
        Some(&before),
        &plan.probes[0],
        "here",
        near,
        Sample::new(Health::Healthy, ""),
    )
    .unwrap();
    assert_eq!(kept.observation.health, Health::Healthy);
    let far = at(5 + 5 * (STALE_SLOTS + 1));
    let forgotten = observe(
        Some(&before),
        &plan.probes[0],
        "here",
        far,
        Sample::new(Health::Healthy, ""),
    )
    .unwrap();
    assert_eq!(forgotten.observation.health, Health::Unknown);
    assert!(forgotten.changed, "that nobody knows any more is news");
}

#[test]
fn an_unchanged_observation_is_written_only_as_a_heartbeat() {
    let plan = plan();
    let mut stored = feed(&[Health::Healthy; 3]).unwrap();
    let mut writes = 0;
    for index in 3..43 {
        let observed = observe(
            Some(&stored),
            &plan.probes[0],
            "here",
            at(index * 5),
            Sample::new(Health::Healthy, ""),
        )
        .unwrap();
        assert!(!observed.changed);
        if observed.write {
            writes += 1;
            stored = observed.observation;
        }
    }
    assert_eq!(writes, 40 / HEARTBEAT_SLOTS);
}

#[test]
fn a_missing_stale_or_contradicted_word_is_unknown_and_never_unhealthy() {
    let mut plan = plan();
    plan.policy.unhealthy_when = UnhealthyRule::Any;
    let health =
        |observations: &[Observation], seconds: i64| assess(at(seconds), &plan, observations, &[])["green"].health;
    assert_eq!(health(&[], 0), Health::Unknown);
    let bad = seen("green-1", "green", "here", Health::Unhealthy, 0);
    assert_eq!(health(std::slice::from_ref(&bad), 0), Health::Unhealthy);
    assert_eq!(
        health(std::slice::from_ref(&bad), 5 * STALE_SLOTS),
        Health::Unhealthy,
        "three slots old is still evidence"
    );
    assert_eq!(
        health(std::slice::from_ref(&bad), 5 * (STALE_SLOTS + 1)),
        Health::Unknown,
        "four is not"
    );
    let good = seen("green-1", "green", "there", Health::Healthy, 0);
    assert_eq!(
        health(&[bad.clone(), good.clone()], 0),
        Health::Unknown,
        "observers disagree"
    );
    let stale_good = Observation {
        slot: good.slot - 10,
        ..good
    };
    assert_eq!(
        health(&[bad, stale_good], 0),
        Health::Unhealthy,
        "one that stopped looking has no veto"
    );
}

#[test]
fn a_word_from_a_clock_that_is_ahead_is_unknown_and_names_the_clock() {
    let plan = plan();
    let green = |observations: &[Observation]| assess(at(0), &plan, observations, &[])["green"].clone();
    let soon = seen("green-1", "green", "there", Health::Healthy, 5);
    assert_eq!(
        green(&[soon]).health,
        Health::Healthy,
        "one slot is what two clocks differ by"
    );
    let ahead = seen("green-1", "green", "there", Health::Healthy, 10);
    let found = green(std::slice::from_ref(&ahead));
    assert_eq!((found.health, found.settling), (Health::Unknown, false));
    let reason = &found.witnesses[0].reason;
    assert!(reason.contains("clock") && reason.contains("10 s ahead"), "{reason}");

    let here = seen("green-1", "green", "here", Health::Unhealthy, 0);
    let found = green(&[here, ahead]);
    assert_eq!(found.health, Health::Unhealthy, "it has no veto");
    assert!(
        found.witnesses[0]
            .unfit
            .iter()
            .any(|why| why.starts_with("there: ") && why.contains("clock")),
        "and it is told: {:?}",
        found.witnesses[0].unfit
    );
}

#[test]
fn each_rule_asks_for_its_number_of_probes() {
    let observations = |one: Health, two: Health| {
        [
            seen("blue-1", "blue", "here", one, 0),
            seen("blue-2", "blue", "here", two, 5),
        ]
    };
    let judge = |rule: UnhealthyRule, one: Health, two: Health| {
        let mut plan = plan();
        plan.policy.unhealthy_when = rule;
        assess(at(5), &plan, &observations(one, two), &[])["blue"].clone()
    };
    use Health::{Degraded, Healthy, Unhealthy, Unknown};
    assert_eq!(judge(UnhealthyRule::Any, Unhealthy, Healthy).health, Unhealthy);
    assert_eq!(judge(UnhealthyRule::All, Unhealthy, Healthy).health, Degraded);
    assert_eq!(judge(UnhealthyRule::All, Unhealthy, Unknown).health, Unknown);
    assert_eq!(judge(UnhealthyRule::All, Unhealthy, Unhealthy).health, Unhealthy);
    assert_eq!(
        judge(UnhealthyRule::All, Unhealthy, Unhealthy).since,
        Some(at(5)),
        "since the last probe it needed"
    );
    assert_eq!(
        judge(UnhealthyRule::Any, Unhealthy, Unhealthy).since,
        Some(at(0)),
        "since the first"
    );
    assert_eq!(judge(UnhealthyRule::AtLeast(2), Unhealthy, Degraded).health, Degraded);
    assert_eq!(judge(UnhealthyRule::Any, Degraded, Healthy).health, Degraded);
    assert_eq!(judge(UnhealthyRule::Any, Healthy, Healthy).since, Some(at(5)));
}

#[test]
fn a_sufficient_alarm_calls_its_site_unhealthy_and_its_ok_calls_nobody_healthy() {
    let reading = |state: AlarmState| {
        AlarmWord::Read(AlarmReading {
            alarm_name: "blue-down".into(),
            state,
            since: at(-60),
            reason: "threshold".into(),
        })
    };
    let judge = |state: AlarmState| assess(at(0), &plan(), &[], &[reading(state)])["blue"].health;
    assert_eq!(judge(AlarmState::Alarm), Health::Unhealthy);
    assert_eq!(judge(AlarmState::Ok), Health::Unknown);
    assert_eq!(judge(AlarmState::InsufficientData), Health::Unknown);
}

#[test]
fn an_alarm_that_says_nothing_is_told_and_counts_for_nothing() {
    let alarm_name = || "blue-down".to_owned();
    let insufficient = |since: Timestamp| {
        AlarmWord::Read(AlarmReading {
            alarm_name: alarm_name(),
            state: AlarmState::InsufficientData,
            since,
            reason: "no datapoints".into(),
        })
    };
    let missing = AlarmWord::Missing {
        alarm_name: alarm_name(),
    };
    let unread = AlarmWord::Unread {
        alarm_name: alarm_name(),
        why: "throttled".into(),
    };
    let settled = at(5).checked_sub(ALARM_SETTLES).unwrap();
    for (word, says, settling, is_unread) in [
        (missing, "does not know this alarm", false, false),
        (unread, "throttled", false, true),
        (insufficient(settled), "no datapoints", false, false),
        (insufficient(at(0)), "no datapoints", true, false),
    ] {
        for health in [Health::Healthy, Health::Unhealthy] {
            let observations: Vec<Observation> = (1..=2)
                .map(|number| seen(&format!("blue-{number}"), "blue", "here", health, 0))
                .collect();
            let blue = assess(at(5), &plan(), &observations, std::slice::from_ref(&word))["blue"].clone();
            assert_eq!(blue.health, health, "the probes alone decide");
            let witness = blue
                .witnesses
                .iter()
                .find(|witness| witness.alarm() == Some("blue-down"));
            let witness = witness.expect("told to people");
            assert_eq!((witness.health, witness.settling), (Health::Unknown, settling));
            assert_eq!(witness.unread, is_unread);
            assert!(witness.reason.contains(says), "{}", witness.reason);
        }
    }
}

proptest! {
    /// However samples come, the settled health is one for which a whole threshold of slots in a row has spoken.
    #[test]
    fn a_settled_health_had_a_whole_threshold_in_a_row(bits in prop::collection::vec(0u8..4, 1..60)) {
        let samples: Vec<Health> = bits.iter().map(|bit| match bit {
            0 => Health::Healthy, 1 => Health::Unhealthy, 2 => Health::Degraded, _ => Health::Unknown,
        }).collect();
        let settled = feed(&samples).unwrap().health;
        if settled != Health::Unknown {
            let needed = if settled == Health::Healthy { 2 } else { 3 };
            prop_assert!(samples.windows(needed).any(|run| run.iter().all(|sample| *sample == settled)));
        }
    }

    /// Overlapping probes: whatever order and however often the samples of a slot arrive, slots only grow.
    #[test]
    fn slots_only_grow(times in prop::collection::vec(0i64..300, 1..80)) {
        let plan = plan();
        let mut last: Option<Observation> = None;
        for seconds in times {
            if let Some(observed) = observe(last.as_ref(), &plan.probes[0], "here", at(seconds), Sample::new(Health::Unhealthy, "")) {
                let now = slot(at(seconds), 5);
                // One that lies ahead of what two clocks differ by is got over, and then nothing is counted on.
                prop_assert!(last.as_ref().is_none_or(|before| before.slot < now || (before.slot > now + 1 && observed.observation.streak.slots == 1)));
                prop_assert!(observed.observation.streak.slots <= 3);
                last = Some(observed.observation);
            }
        }
    }
}

#[test]
fn a_site_that_settles_again_after_a_gap_is_news_although_it_is_what_it_was() {
    let mut plan = serde_json::to_value(plan()).unwrap();
    plan["probes"][0]["unhealthy_threshold"] = json!(1);
    let plan = parse(plan).unwrap();
    let look = |last: Option<&Observation>, seconds: i64| {
        let sample = Sample::new(Health::Unhealthy, "connection refused");
        observe(last, &plan.probes[0], "here", at(seconds), sample).unwrap()
    };
    let first = look(None, 0);
    assert!(first.changed);
    let second = look(Some(&first.observation), 5);
    assert!(!second.changed, "it is what it was");
    // Nobody looked for a while: decision has taken the site for unknown, and forgotten what it was waiting for.
    let again = look(Some(&second.observation), 5 + (STALE_SLOTS + 1) * 5);
    assert_eq!(again.observation.health, Health::Unhealthy);
    assert!(again.changed, "decision must hear that the evidence is fresh again");
}
