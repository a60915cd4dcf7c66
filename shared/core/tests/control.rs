//! The lease, the epoch, the wake and the unsent announcements of the control item.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use understudy_core::control::{
    ANNOUNCE_RETRY, CALL_MARGIN, Control, Ended, LEASE, LastRefusal, MAX_ANNOUNCEMENTS, MAX_REFUSALS, TAKEOVER_MARGIN,
    WAKE_PATIENCE, Wake, later,
};
use understudy_core::execution::Status;
use understudy_core::report::{EventKind, about_plan};

fn control() -> Control {
    Control::new("shop", "blue", "revision#00000001-x")
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_795_255_200 + seconds).unwrap()
}

#[test]
fn a_lease_is_taken_once_and_again_only_after_its_expiry_and_the_margin() {
    let mut control = control();
    assert_eq!(control.take_lease(at(0), "one").unwrap(), 1);
    let free = later(later(at(0), LEASE), TAKEOVER_MARGIN);
    for now in [at(0), at(10), at(20), free] {
        let held = control.clone().take_lease(now, "two").unwrap_err();
        assert_eq!(held.holder, "one");
    }
    assert_eq!(
        control
            .take_lease(later(free, SignedDuration::from_millis(1)), "two")
            .unwrap(),
        2
    );
    assert!(control.held_by("two", 2));
    assert!(!control.held_by("one", 1), "the old holder finds another epoch");
    assert!(!control.held_by("two", 1));
}

#[test]
fn a_call_fits_only_if_it_ends_well_before_the_lease() {
    let mut control = control();
    control.take_lease(at(0), "one").unwrap();
    let lease = control.lease.clone().unwrap();
    let longest = LEASE - CALL_MARGIN;
    assert!(lease.fits(at(0), longest));
    assert!(!lease.fits(at(0), longest + SignedDuration::from_millis(1)));
    assert!(!lease.fits(at(15), SignedDuration::from_secs(1)));
    assert!(
        !lease.fits(Timestamp::MAX, SignedDuration::from_secs(1)),
        "the end of time overflows nothing"
    );
}

#[test]
fn taking_the_lease_clears_the_executors_wake_and_no_other() {
    let mut woken = control();
    woken.wake(at(0), Wake::Executor);
    woken.take_lease(at(0), "one").unwrap();
    assert!(woken.wake.is_none());
    let mut woken = control();
    woken.wake(at(0), Wake::Decision);
    woken.take_lease(at(0), "one").unwrap();
    assert_eq!(woken.wake.unwrap().function, Wake::Decision);
}

#[test]
fn decisions_wake_does_not_take_the_place_of_an_untaken_executors() {
    let mut control = control();
    control.wake(at(0), Wake::Executor);
    control.wake(at(1), Wake::Decision);
    assert_eq!(control.wake.as_ref().unwrap().function, Wake::Executor);
    control.clear_decision_wake();
    assert!(control.wake.is_some());
}

#[test]
fn an_untaken_wake_is_touched_again_and_each_touch_is_counted() {
    let mut control = control();
    assert!(control.touch(at(0)).is_none(), "nothing is due");
    control.wake(at(0), Wake::Executor);
    assert!(control.touch(at(1)).is_none(), "it has just been sent");
    let mut now = at(0);
    for touches in 1..=4 {
        now = later(now, WAKE_PATIENCE);
        let woken = control.touch(now).unwrap();
        assert_eq!((woken.function, woken.touches), (Wake::Executor, touches));
    }
}

#[test]
fn an_announcement_is_kept_once_and_starts_and_ends_outlive_alerts() {
    let mut control = control();
    let announcement = |id: &str, event: EventKind| about_plan(event, "shop", id, "headline", &[], at(0));
    control.announce(announcement("started", EventKind::Started));
    control.announce(announcement("started", EventKind::Started));
    assert_eq!(control.announcements.len(), 1);
    for number in 0..200 {
        control.announce(announcement(&format!("alert-{number}"), EventKind::Alert));
    }
    assert_eq!(control.announcements.len(), MAX_ANNOUNCEMENTS);
    assert_eq!(control.announcements[0].id, "started");
    assert_eq!(
        control.announcements.last().unwrap().id,
        "alert-199",
        "the oldest alerts give way"
    );
}

#[test]
fn operators_words_give_way_before_any_start_end_or_wait() {
    let mut control = control();
    let events = [
        EventKind::Started,
        EventKind::Waiting,
        EventKind::Completed,
        EventKind::Stuck,
    ];
    let announcement = |id: String, event: EventKind| about_plan(event, "shop", &id, "headline", &[], at(0));
    for (number, event) in events.iter().cycle().take(40).enumerate() {
        control.announce(announcement(format!("execution-{number}"), *event));
    }
    control.announce(announcement("alert".into(), EventKind::Alert));
    for number in 0..30 {
        control.announce(announcement(format!("operator-{number}"), EventKind::Operator));
    }
    let of_executions = |control: &Control| {
        let ids = control.announcements.iter().map(|kept| kept.id.as_str());
        ids.filter(|id| id.starts_with("execution-")).count()
    };
    assert_eq!(
        (of_executions(&control), control.announcements.len()),
        (40, MAX_ANNOUNCEMENTS)
    );
    assert!(
        control.announcements.iter().all(|kept| kept.id != "alert"),
        "alerts go first"
    );
    for number in 40..50 {
        control.announce(announcement(format!("execution-{number}"), EventKind::Completed));
    }
    assert_eq!(of_executions(&control), MAX_ANNOUNCEMENTS);
    control.announce(announcement("operator-last".into(), EventKind::Operator));
    assert_eq!(of_executions(&control), MAX_ANNOUNCEMENTS, "not even for a newer word");
    control.announce(announcement("execution-50".into(), EventKind::Stuck));
    assert_eq!(
        control.announcements[0].id, "execution-1",
        "the oldest, where there is nothing else"
    );
}

fn refusal(source: &str, fingerprint: &str) -> LastRefusal {
    LastRefusal {
        source: source.into(),
        fingerprint: fingerprint.into(),
        decision_id: "x".into(),
        at: None,
    }
}

#[test]
fn refusals_of_several_sources_do_not_make_each_other_forgotten() {
    let mut control = control();
    control.remember_refusal(refusal("health", "health|target"), false);
    control.remember_refusal(refusal("alarm a", "alarm a|target"), false);
    assert!(control.repeated("health|target").is_some() && control.repeated("alarm a|target").is_some());
    control.remember_refusal(refusal("health", "health|lag"), false);
    assert!(
        control.repeated("health|target").is_none(),
        "of each source the last one counts"
    );
    for number in 0..20 {
        let (source, fingerprint) = (format!("alarm {number}"), format!("alarm {number}|target"));
        control.remember_refusal(refusal(&source, &fingerprint), false);
    }
    assert_eq!(control.last_refusals.len(), MAX_REFUSALS);
    control.remember_refusal(refusal("health", "health|quiet"), true);
    assert_eq!(
        control.last_refusals.len(),
        1,
        "after the all-clear, everything is news again"
    );
}

#[test]
fn an_unsent_announcement_is_due_when_it_is_to_be_tried_again() {
    let mut control = control();
    let mut announcement = about_plan(EventKind::Alert, "shop", "a", "headline", &[], at(0));
    announcement.retry_at = later(at(0), ANNOUNCE_RETRY);
    control.announce(announcement);
    assert_eq!(control.next_due(), Some((later(at(0), ANNOUNCE_RETRY), Wake::Executor)));
}

#[test]
fn an_open_latch_and_old_failovers_are_forgotten() {
    let mut control = control();
    control.automatic_failovers = vec![at(0), at(3000)];
    control.latch = Some(understudy_core::control::Latch {
        until: at(3600),
        execution: "x".into(),
    });
    control.expire(at(3599));
    assert!(control.latch.is_some());
    control.expire(at(3601));
    assert_eq!(
        (control.latch.clone(), control.automatic_failovers.clone()),
        (None, vec![at(3000)])
    );
}

proptest! {
    /// Whoever takes, renews and releases in whatever order: the epoch never falls, and no two hold at once.
    #[test]
    fn the_epoch_only_grows_and_one_holds(steps in prop::collection::vec((0i64..40, 0usize..3, prop::bool::ANY), 1..60)) {
        let mut control = control();
        let mut now = 0;
        let mut held: Option<(String, u64, Timestamp)> = None;
        for (pause, who, release) in steps {
            now += pause;
            let before = control.epoch;
            let name = format!("holder-{who}");
            match control.take_lease(at(now), &name) {
                Ok(epoch) => {
                    prop_assert_eq!(epoch, before + 1);
                    if let Some((_, _, until)) = &held {
                        prop_assert!(at(now) > later(*until, TAKEOVER_MARGIN));
                    }
                    held = Some((name, epoch, later(at(now), LEASE)));
                }
                Err(_) => prop_assert_eq!(control.epoch, before),
            }
            if release {
                control.lease = None;
                held = None;
            }
        }
    }
}

#[test]
fn since_when_a_site_carries_the_plan_is_told_by_the_last_move_that_came_to_it() {
    let mut control = control();
    assert_eq!(control.carried_since(), None);
    let here = control.active_site.clone();
    let ended = |from: &str, to: &str, status: Status| Ended {
        summary: "it ended".into(),
        id: "x".into(),
        status,
        from: from.to_owned(),
        to: to.to_owned(),
        ended_at: at(50),
    };
    control.last_execution = Some(ended("elsewhere", &here, Status::Completed));
    assert_eq!(control.carried_since(), Some(at(50)));
    for other in [
        ended(&here, &here, Status::Completed),
        ended("elsewhere", &here, Status::RolledBack),
        ended(&here, "elsewhere", Status::RolledBack),
    ] {
        control.last_execution = Some(other);
        assert_eq!(control.carried_since(), None, "{:?}", control.last_execution);
    }
}
