//! What steps want of groups, zones, instances and addresses, and when two states are the same.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use serde_json::json;
use understudy_core::execution::Style;
use understudy_core::plan::{AsgCapacity, AsgZones, Ec2Instance, ElasticIp};
use understudy_core::state::{
    Association, GroupSize, Power, ResourceState, SourceCount, wanted_association, wanted_power, wanted_size,
    wanted_subnets,
};

fn size(minimum: u32, desired: u32, maximum: u32) -> GroupSize {
    GroupSize {
        minimum,
        desired,
        maximum,
    }
}

fn capacity(percent: u32, minimum: u32, raise_max: bool) -> AsgCapacity {
    serde_json::from_value(json!({
        "name": "capacity", "groups": {"blue": "b", "green": "g"}, "percent": percent, "minimum": minimum, "raise_max": raise_max,
    }))
    .unwrap()
}

fn source(in_service: u32, desired: u32) -> Option<SourceCount> {
    Some(SourceCount { in_service, desired })
}

#[test]
fn the_share_is_rounded_up_and_the_minimum_rises_with_it() {
    let wanted = wanted_size(&capacity(50, 1, false), size(1, 1, 10), source(7, 9), Style::Planned);
    assert_eq!(
        (wanted.size, wanted.in_service, wanted.refused),
        (size(4, 4, 10), 4, None)
    );
    let wanted = wanted_size(&capacity(50, 1, false), size(1, 1, 10), source(7, 9), Style::Unplanned);
    assert_eq!(wanted.size, size(5, 5, 10), "of what it was meant to have");
    let wanted = wanted_size(&capacity(50, 3, false), size(1, 1, 10), None, Style::Unplanned);
    assert_eq!(wanted.size, size(3, 3, 10), "of nothing that is known");
}

#[test]
fn nothing_is_scaled_down() {
    for in_service in 0..12 {
        for current in [size(0, 0, 20), size(2, 5, 20), size(9, 9, 20), size(0, 20, 20)] {
            let wanted = wanted_size(&capacity(100, 1, false), current, source(in_service, 0), Style::Planned).size;
            assert!(wanted.minimum >= current.minimum && wanted.desired >= current.desired);
            assert!(wanted.minimum <= wanted.desired && wanted.desired <= wanted.maximum);
            assert_eq!(wanted.maximum, current.maximum);
        }
    }
}

#[test]
fn the_maximum_holds_unless_the_plan_lets_it_rise() {
    let wanted = wanted_size(&capacity(100, 1, false), size(1, 1, 4), source(6, 6), Style::Planned);
    let why = wanted.refused.unwrap();
    assert!(why.contains("6 instance(s)") && why.contains("maximum is 4"), "{why}");
    let wanted = wanted_size(&capacity(100, 1, true), size(1, 1, 4), source(6, 6), Style::Planned);
    assert_eq!((wanted.size, wanted.refused), (size(6, 6, 6), None));
    let absurd = wanted_size(
        &capacity(1000, 1, true),
        size(1, 1, 4),
        source(u32::MAX, 1),
        Style::Planned,
    );
    assert_eq!(absurd.size.desired, u32::MAX);
}

#[test]
fn a_wanted_size_is_a_floor_and_a_found_one_is_exact() {
    let state = |desired, at_least| ResourceState::AsgCapacity {
        site: "green".into(),
        size: size(4, desired, 10),
        at_least,
    };
    assert!(state(6, false).same_as(&state(4, true)));
    assert!(state(4, true).same_as(&state(6, false)));
    assert!(!state(4, false).same_as(&state(6, true)));
    assert!(!state(6, false).same_as(&state(4, false)));
    let other_bounds = ResourceState::AsgCapacity {
        site: "green".into(),
        size: size(1, 6, 10),
        at_least: false,
    };
    assert!(!other_bounds.same_as(&state(4, true)));
}

#[test]
fn subnets_of_nobody_stay_and_shared_ones_too() {
    let step: AsgZones = serde_json::from_value(json!({
        "name": "zones", "auto_scaling_group_name": "web", "subnets": {"blue": ["a", "b"], "green": ["b"]},
    }))
    .unwrap();
    let current = ["a", "b", "x"].map(str::to_owned);
    assert_eq!(wanted_subnets(&step, "green", &current), ["b", "x"]);
    let current = ["b", "x"].map(str::to_owned);
    assert_eq!(wanted_subnets(&step, "blue", &current), ["a", "b", "x"]);
}

#[test]
fn one_step_starts_the_destination_and_another_stops_the_source() {
    let step = |action: &str| -> Ec2Instance {
        let step = json!({"name": "machines", "instances": {"blue": ["i-1"], "green": ["i-2"]}, "action": action});
        serde_json::from_value(step).unwrap()
    };
    let started = wanted_power(&step("start"), "blue", "green");
    assert_eq!(
        started.into_iter().collect::<Vec<_>>(),
        [("i-2".to_owned(), Power::Running)]
    );
    let stopped = wanted_power(&step("stop"), "blue", "green");
    assert_eq!(
        stopped.into_iter().collect::<Vec<_>>(),
        [("i-1".to_owned(), Power::Stopped)]
    );
    assert_eq!(Power::of("stopping"), Some(Power::Stopped));
    assert_eq!(Power::of("terminated"), None);
}

#[test]
fn an_address_is_taken_only_from_what_the_plan_names() {
    let step: ElasticIp = serde_json::from_value(json!({
        "name": "address", "allocation_id": "eipalloc-1", "targets": {"blue": "i-1", "green": "eni-2"},
    }))
    .unwrap();
    let blue = Association {
        network_interface_id: Some("eni-1".into()),
        private_ip_address: Some("10.0.0.1".into()),
        ..Association::with("i-1")
    };
    let green = Association::with("eni-2");
    assert_eq!(wanted_association(&step, "green", None), Ok(green.clone()));
    assert_eq!(wanted_association(&step, "green", Some(&blue)), Ok(green.clone()));
    let stranger = Association::with("i-9");
    let why = wanted_association(&step, "green", Some(&stranger)).unwrap_err();
    assert!(why.contains("i-9") && why.contains("does not name"), "{why}");

    assert!(
        blue.same_as(&Association::with("i-1")),
        "what only one says may be anything"
    );
    assert!(!blue.same_as(&Association::with("i-2")));
    assert!(
        !Association::with("i-2").same_as(&green),
        "nothing in common says nothing"
    );
    let moved = Association {
        private_ip_address: Some("10.0.0.2".into()),
        ..blue.clone()
    };
    assert!(!blue.same_as(&moved), "another private address is another association");
}
