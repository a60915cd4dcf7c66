//! Several observers, and observers that can not be believed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use jiff::Timestamp;
use serde_json::json;
use understudy_core::health::{
    Health, Observation, REFERENCE_SITE, Sample, Streak, Witness, assess, observe, short_of_quorum, slot, unfit,
};
use understudy_core::plan::{Plan, parse};

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_795_255_200 + seconds).unwrap()
}

fn plan(quorum: u32) -> Plan {
    let probe = |site: &str| json!({"kind": "endpoint", "name": format!("{site}-web"), "site": site, "host": format!("{site}.example.com"), "interval_seconds": 5});
    parse(json!({
        "schema_version": 1, "name": "shop",
        "sites": [{"name": "blue", "priority": 1}, {"name": "green", "priority": 2}],
        "probes": [probe("blue"), probe("green")],
        "steps": [{"kind": "dns_records", "name": "record", "hosted_zone_id": "ZSHOP", "records": [{"name": "www.example.com", "type": "A", "ttl_seconds": 60,
            "sites": {"blue": {"values": ["192.0.2.1"]}, "green": {"values": ["192.0.2.2"]}}}]}],
        "policy": {"observers": {"quorum": quorum, "reference": ["checkip.amazonaws.com:443"]}},
    }))
    .unwrap()
}

fn voice(observer: &str, health: Health, since: i64) -> Observation {
    Observation {
        site: "blue".into(),
        probe: "blue-web".into(),
        observer: observer.into(),
        slot: slot(at(100), 5),
        interval_seconds: 5,
        health,
        since: at(since),
        streak: Streak {
            health,
            slots: 3,
            since: at(since),
        },
        reason: "because".into(),
        observed_at: at(100),
        failing_since: None,
        unfit: None,
        unfit_since: None,
    }
}

fn heard(quorum: u32, voices: &[Observation]) -> Witness {
    assess(at(100), &plan(quorum), voices, &[])["blue"].witnesses[0].clone()
}

#[test]
fn a_quorum_outvotes_the_few_and_counts_from_the_decisive_voice() {
    use Health::{Healthy, Unhealthy};
    let three = [
        voice("a", Unhealthy, 10),
        voice("b", Unhealthy, 20),
        voice("c", Healthy, 0),
    ];
    let found = heard(2, &three);
    assert_eq!((found.health, found.since), (Unhealthy, Some(at(20))));
    let late = [
        voice("a", Unhealthy, 10),
        voice("b", Unhealthy, 20),
        voice("c", Unhealthy, 90),
    ];
    assert_eq!(heard(2, &late).since, Some(at(20)), "the third voice changes nothing");
    assert_eq!(heard(3, &late).since, Some(at(90)), "here it was the decisive one");
    assert_eq!(heard(3, &three).health, Health::Unknown);
}

#[test]
fn with_a_quorum_of_one_any_two_that_disagree_are_a_contradiction() {
    let two = [voice("a", Health::Unhealthy, 10), voice("b", Health::Healthy, 0)];
    let found = heard(1, &two);
    assert_eq!(found.health, Health::Unknown);
    assert!(found.reason.contains("observers disagree"), "{}", found.reason);
    assert_eq!(heard(1, &two[..1]).health, Health::Unhealthy);
}

#[test]
fn two_quorums_against_each_other_are_a_contradiction_too() {
    let four: Vec<Observation> = [
        ("a", Health::Unhealthy),
        ("b", Health::Unhealthy),
        ("c", Health::Healthy),
        ("d", Health::Healthy),
    ]
    .map(|(observer, health)| voice(observer, health, 10))
    .into();
    assert_eq!(heard(2, &four).health, Health::Unknown);
}

#[test]
fn too_few_voices_are_no_quorum_however_sure_they_are() {
    let found = heard(2, &[voice("a", Health::Unhealthy, 10)]);
    assert_eq!(found.health, Health::Unknown);
    assert!(found.reason.contains("2 observers must agree"), "{}", found.reason);
    assert!(!found.settling, "somebody should know");
}

#[test]
fn the_voice_of_an_unfit_observer_does_not_count_and_is_told() {
    let blind = Observation {
        unfit: Some("everything it asks failed at once".into()),
        unfit_since: Some(at(0)),
        ..voice("a", Health::Unhealthy, 10)
    };
    let alone = heard(1, std::slice::from_ref(&blind));
    assert_eq!((alone.health, alone.settling), (Health::Unknown, false));
    let two = heard(1, &[blind, voice("b", Health::Healthy, 0)]);
    assert_eq!(two.health, Health::Healthy, "the fit one decides");
    assert_eq!(two.unfit, ["a: everything it asks failed at once"]);
}

#[test]
fn a_probe_is_short_of_its_quorum_once_too_few_still_look_at_it() {
    let short = |quorum: u32, voices: &[Observation]| short_of_quorum(at(100), &plan(quorum), voices).count();
    let fresh = |observer: &str| voice(observer, Health::Healthy, 0);
    let gone = |observer: &str, slots: i64| Observation {
        slot: slot(at(100), 5) + slots,
        ..fresh(observer)
    };
    assert_eq!(short(2, &[fresh("a"), fresh("b")]), 0);
    assert_eq!(
        short(2, &[fresh("a"), gone("b", -3)]),
        0,
        "three slots old is still evidence"
    );
    assert_eq!(short(2, &[fresh("a"), gone("b", -4)]), 1);
    assert_eq!(short(2, &[fresh("a"), gone("b", 2)]), 1, "a clock that ran ahead");
    assert_eq!(short(2, &[fresh("a"), fresh("b"), gone("c", -4)]), 0, "two are enough");
    assert_eq!(
        short(2, &[fresh("a")]),
        0,
        "the second has never looked: it may be on its way"
    );
}

/// What an observer sees of `probes`: each its site, its interval and the second at which it began to fail.
fn seen(probes: &[(&str, u32, Option<i64>)]) -> Option<String> {
    let observations: Vec<Observation> = probes
        .iter()
        .map(|(site, interval_seconds, failing_since)| {
            let health = if failing_since.is_some() {
                Health::Unhealthy
            } else {
                Health::Healthy
            };
            Observation {
                site: (*site).into(),
                interval_seconds: *interval_seconds,
                slot: slot(at(100), *interval_seconds),
                failing_since: failing_since.map(at),
                ..voice("here", health, 0)
            }
        })
        .collect();
    judge(&observations)
}

fn judge(observations: &[Observation]) -> Option<String> {
    unfit(
        at(100),
        observations.iter().map(|seen| ("shop", Some((seen, seen.slot)))),
    )
}

#[test]
fn an_observer_says_nothing_of_everything_before_it_has_looked_at_all_of_it() {
    let failing: Vec<Observation> = ["blue", "blue", "green"]
        .map(|site| Observation {
            site: site.into(),
            failing_since: Some(at(95)),
            ..voice("here", Health::Unhealthy, 95)
        })
        .into();
    assert!(judge(&failing).is_some(), "the same without one that is still out");
    let with = |last: Option<(&Observation, i64)>| {
        let known = failing.iter().map(|seen| ("shop", Some((seen, seen.slot))));
        unfit(at(100), known.chain([("shop", last)]))
    };
    assert_eq!(with(None), None, "never observed: it may answer");
    let old = voice("here", Health::Unhealthy, 0);
    let long_ago = slot(at(100), old.interval_seconds) - 120;
    assert_eq!(
        with(Some((&old, long_ago))),
        None,
        "what it said long ago is not what it says"
    );
    let hangs = slot(at(100), old.interval_seconds) - 10;
    assert!(with(Some((&old, hangs))).is_some(), "a check that hangs is no excuse");
}

#[test]
fn an_observer_that_sees_everything_fail_at_once_is_unfit() {
    let why = seen(&[("blue", 5, Some(50)), ("blue", 30, Some(75)), ("green", 5, Some(52))]).unwrap();
    assert!(why.contains("3 probe(s) of 2 sites"), "{why}");
    let one_works = [
        ("blue", 5, Some(50)),
        ("blue", 5, Some(50)),
        ("green", 5, Some(50)),
        ("green", 5, None),
    ];
    assert_eq!(seen(&one_works), None, "one that works is proof of the rest");
    assert_eq!(
        seen(&[("blue", 5, Some(50)), ("green", 5, Some(50))]),
        None,
        "two are a coincidence"
    );
    let one_site = [("blue", 5, Some(50)), ("blue", 5, Some(50)), ("blue", 5, Some(50))];
    assert_eq!(seen(&one_site), None, "a site may lose all of its probes");
    let one_by_one = [("blue", 5, Some(10)), ("blue", 5, Some(11)), ("green", 5, Some(80))];
    assert_eq!(seen(&one_by_one), None, "the standby died later, for itself");
}

#[test]
fn what_was_broken_before_says_nothing_about_the_observer() {
    let mut probes = vec![("blue", 5, Some(60)), ("green", 5, Some(60)), ("red", 5, Some(-900))];
    assert_eq!(seen(&probes), None, "only two failed together");
    probes.push(("green", 5, Some(62)));
    assert!(seen(&probes).is_some());
}

#[test]
fn an_observer_that_reaches_none_of_its_references_is_unfit() {
    let reference = |health: Health| Observation {
        site: REFERENCE_SITE.into(),
        ..voice("here", health, 0)
    };
    let well = voice("here", Health::Healthy, 0);
    let why = judge(&[well.clone(), reference(Health::Unhealthy)]).unwrap();
    assert!(why.contains("reference"), "{why}");
    assert_eq!(
        judge(&[well.clone(), reference(Health::Unhealthy), reference(Health::Healthy)]),
        None
    );
    assert_eq!(judge(std::slice::from_ref(&well)), None, "none is asked for");
    // Without a resolver nobody can say, and that is out of reach too: not at the first look.
    let unknown = |slots: u32| {
        let mut seen = reference(Health::Unknown);
        seen.streak.slots = slots;
        seen
    };
    assert!(judge(&[well.clone(), unknown(2), reference(Health::Unhealthy)]).is_some());
    assert_eq!(judge(&[well.clone(), unknown(1)]), None);
    assert_eq!(judge(&[well.clone(), unknown(2), reference(Health::Healthy)]), None);
    let long_ago = slot(at(100), well.interval_seconds) - 120;
    let with = |references: &[(Observation, i64)]| {
        let references = references.iter().map(|(seen, newest)| ("shop", Some((seen, *newest))));
        unfit(at(100), references.chain([("shop", Some((&well, long_ago)))]))
    };
    let silent = reference(Health::Unhealthy);
    let newest = silent.slot;
    assert!(
        with(&[(silent.clone(), newest)]).is_some_and(|why| why.contains("reference")),
        "a probe that nobody has looked at lately is no witness for the observer"
    );
    assert_eq!(
        with(&[(silent.clone(), newest), (silent, long_ago)]),
        None,
        "one of them may answer"
    );
}

#[test]
fn failing_is_counted_from_its_first_bad_sample_and_only_if_it_was_well() {
    let plan = plan(1);
    let mut last: Option<Observation> = None;
    let mut feed = |seconds: i64, health: Health| {
        let sample = Sample::new(health, "because");
        last = observe(last.as_ref(), &plan.probes[0], "here", at(seconds), sample).map(|seen| seen.observation);
        last.as_ref().unwrap().failing_since
    };
    assert_eq!(feed(0, Health::Unhealthy), None, "it was never well");
    feed(5, Health::Healthy);
    feed(10, Health::Healthy);
    assert_eq!(feed(15, Health::Unhealthy), Some(at(15)));
    assert_eq!(feed(20, Health::Unknown), Some(at(15)), "another way of failing");
    assert_eq!(feed(25, Health::Healthy), None);
}

#[test]
fn a_changed_word_about_oneself_is_written_and_wakes_decision() {
    let plan = plan(1);
    let seen = |seconds: i64, before: Option<&Observation>, unfit: Option<String>| {
        let sample = Sample::new(Health::Healthy, "HTTP 200");
        observe(before, &plan.probes[0], "here", at(seconds), sample)
            .unwrap()
            .of_observer(before, unfit)
    };
    let before = seen(5, Some(&seen(0, None, None).observation), None).observation;
    let unfit = seen(10, Some(&before), Some("blind".into()));
    assert!(unfit.changed && unfit.write);
    let still = seen(15, Some(&unfit.observation), Some("blind, for another reason".into()));
    assert!(!still.changed);
    assert!(seen(20, Some(&still.observation), None).changed);
}

#[test]
fn reference_endpoints_are_asked_like_any_probe() {
    let probes = plan(1).reference_probes();
    assert_eq!(probes.len(), 1);
    assert_eq!(probes[0].resource(), Some("checkip.amazonaws.com"));
    assert_eq!(probes[0].common().site, REFERENCE_SITE);
}

#[test]
fn what_a_fallen_voice_held_back_is_not_settled_from_before() {
    use Health::{Healthy, Unhealthy};
    let unfit = |health: Health, since: i64, unfit_since: i64| Observation {
        unfit: Some("everything it asks failed at once".into()),
        unfit_since: Some(at(unfit_since)),
        ..voice("b", health, since)
    };
    let since = |quorum: u32, voices: &[Observation]| {
        let found = heard(quorum, voices);
        assert_eq!(found.health, Unhealthy);
        found.since
    };
    let sure = voice("a", Unhealthy, 10);
    assert_eq!(since(1, &[sure.clone(), unfit(Healthy, 0, 80)]), Some(at(80)));
    let agreed_at_last = unfit(Unhealthy, 85, 80);
    assert_eq!(
        since(1, &[sure.clone(), agreed_at_last]),
        Some(at(80)),
        "what it said then is not known"
    );
    let agreed_before = unfit(Unhealthy, 20, 80);
    assert_eq!(since(1, &[sure.clone(), agreed_before]), Some(at(20)));
    let stale = Observation {
        slot: slot(at(75), 5),
        ..voice("b", Healthy, 0)
    };
    assert_eq!(
        since(1, &[sure.clone(), stale]),
        Some(at(95)),
        "it was heard for three slots more"
    );
    let two = [sure, voice("c", Unhealthy, 30), unfit(Healthy, 0, 80)];
    assert_eq!(
        since(2, &two),
        Some(at(30)),
        "alone it could not have held the two back"
    );
}

#[test]
fn since_when_an_observer_is_unfit_stays_while_it_is() {
    let plan = plan(1);
    let probe = &plan.probes[0];
    let seen = |before: Option<&Observation>, second: i64, why: Option<&str>| {
        let observed = observe(
            before,
            probe,
            "b",
            at(second),
            Sample::new(Health::Unhealthy, "refused"),
        )
        .unwrap();
        observed.of_observer(before, why.map(str::to_owned)).observation
    };
    let first = seen(None, 0, None);
    assert_eq!(first.unfit_since, None);
    let second = seen(Some(&first), 5, Some("cut off"));
    let third = seen(Some(&second), 10, Some("cut off still"));
    assert_eq!((second.unfit_since, third.unfit_since), (Some(at(5)), Some(at(5))));
    assert_eq!(seen(Some(&third), 15, None).unfit_since, None);
}
