//! A small world to move: two sites, a listener, a zone.

use crate::cloud::FakeCloud;
use crate::world::World;
use serde_json::{Value, json};
use understudy_core::health::Health;
use understudy_core::state::RecordSet;

/// The listener of the sample plans.
pub const LISTENER: &str =
    "arn:aws:elasticloadbalancing:eu-west-1:000000000000:listener/app/shop/0123456789abcdef/0123456789abcdef";
/// Blue's target group.
pub const BLUE_GROUP: &str = "arn:aws:elasticloadbalancing:eu-west-1:000000000000:targetgroup/blue/0123456789abcdef";
/// Green's target group.
pub const GREEN_GROUP: &str = "arn:aws:elasticloadbalancing:eu-west-1:000000000000:targetgroup/green/0123456789abcdef";
/// A target group on the same listener that no plan names.
pub const OTHER_GROUP: &str = "arn:aws:elasticloadbalancing:eu-west-1:000000000000:targetgroup/other/0123456789abcdef";
/// The zone of the sample plans.
pub const ZONE: &str = "ZSHOP00000000";
/// Blue's host.
pub const BLUE_HOST: &str = "blue.example.com";
/// Green's host.
pub const GREEN_HOST: &str = "green.example.com";
/// The alarm bound to blue, a hint.
pub const BLUE_ALARM: &str = "blue-is-down";
/// The SNS topic of the sample plans.
pub const TOPIC: &str = "arn:aws:sns:eu-west-1:000000000000:shop-moves";

/// A plan of two sites and three steps: a gate, the listener's weights, a record.
///
/// Thresholds: two slots of five seconds each way. Hold 15 s, stability 60 s, automatic failback.
pub fn sample_plan(name: &str) -> Value {
    let probe = |site: &str, host: &str| {
        json!({
            "kind": "endpoint", "name": format!("{site}-web"), "site": site, "host": host, "protocol": "http",
            "path": "/health", "interval_seconds": 5, "timeout_seconds": 2, "healthy_threshold": 2, "unhealthy_threshold": 2,
        })
    };
    json!({
        "schema_version": 1,
        "name": name,
        "description": "the shop, on blue or on green",
        "sites": [{"name": "blue", "priority": 1}, {"name": "green", "priority": 2}],
        "probes": [probe("blue", BLUE_HOST), probe("green", GREEN_HOST)],
        "alarms": [{"alarm_name": BLUE_ALARM, "site": "blue"}],
        "steps": [
            {"kind": "wait_healthy", "name": "ready", "timeout_seconds": 60},
            {
                "kind": "elb_weights", "name": "weights", "listener_arn": LISTENER, "timeout_seconds": 60,
                "target_groups": {"blue": BLUE_GROUP, "green": GREEN_GROUP},
            },
            {
                "kind": "dns_records", "name": "record", "hosted_zone_id": ZONE, "timeout_seconds": 120,
                "records": [{
                    "name": "www.example.com", "type": "A", "ttl_seconds": 60,
                    "sites": {"blue": {"values": ["192.0.2.1"]}, "green": {"values": ["192.0.2.2"]}},
                }],
            },
        ],
        "policy": {
            "hold_seconds": 15, "cooldown_seconds": 600, "max_duration_seconds": 900,
            "failback": {"mode": "automatic", "stability_seconds": 60},
        },
        "topic_arn": TOPIC,
    })
}

/// A record set of type A.
pub fn a_record(name: &str, address: &str) -> RecordSet {
    RecordSet {
        name: name.to_owned(),
        record_type: "A".into(),
        ttl_seconds: Some(60),
        values: vec![address.to_owned()],
        ..RecordSet::default()
    }
}

/// Everything that the sample plan names, all well, blue carrying it.
pub fn furnish(cloud: &FakeCloud) {
    cloud.put_weights(LISTENER, &[(BLUE_GROUP, 100), (GREEN_GROUP, 0), (OTHER_GROUP, 7)]);
    cloud.put_zone(
        ZONE,
        vec![
            a_record("www.example.com.", "192.0.2.1"),
            a_record("other.example.com.", "198.51.100.9"),
        ],
    );
    for group in [BLUE_GROUP, GREEN_GROUP, OTHER_GROUP] {
        cloud.put_targets(group, &["healthy", "healthy"]);
    }
    cloud.put_alarm(BLUE_ALARM, understudy_core::health::AlarmState::Ok);
    cloud.answer(BLUE_HOST, Health::Healthy, "HTTP 200");
    cloud.answer(GREEN_HOST, Health::Healthy, "HTTP 200");
}

/// Which site the cloud really sends the sample plan's traffic to: by the weights, and by the record.
pub fn really_at(cloud: &FakeCloud) -> (&'static str, &'static str) {
    let weights = cloud.weights_of(LISTENER);
    let weight = |group: &str| {
        weights
            .iter()
            .find(|(arn, _)| arn == group)
            .map_or(0, |(_, weight)| *weight)
    };
    let by_weight = match (weight(BLUE_GROUP), weight(GREEN_GROUP)) {
        (100, 0) => "blue",
        (0, 100) => "green",
        _ => "between",
    };
    let zone = cloud.zone(ZONE);
    let address = zone
        .iter()
        .find(|set| set.name == "www.example.com.")
        .and_then(|set| set.values.first().cloned());
    let by_record = match address.as_deref() {
        Some("192.0.2.1") => "blue",
        Some("192.0.2.2") => "green",
        _ => "between",
    };
    (by_weight, by_record)
}

/// A world of this seed in which the plan `shop` stands, blue carries it, and both sites have been
/// known to be healthy for longer than the sample plan's hold.
pub async fn shop(seed: u64) -> World {
    shop_with(seed, sample_plan("shop")).await
}

/// The same with another plan of that name.
pub async fn shop_with(seed: u64, plan: Value) -> World {
    let world = World::new(seed);
    furnish(&world.cloud);
    world.put_plan(plan).await;
    world.run_rounds(6).await;
    world
}

/// The command that moves `shop` by hand.
pub fn failover(reason: &str) -> Value {
    json!({"command": "failover", "plan": "shop", "operator": "mia", "reason": reason})
}
