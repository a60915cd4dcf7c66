//! Steps at load balancers.

use super::assert_none;
use serde_json::json;
use understudy_core::execution::Style;
use understudy_testkit::step_proof::Proof;
use understudy_testkit::world_plan::{BLUE_GROUP, GREEN_GROUP, LISTENER, OTHER_GROUP};

fn elb_weights() -> Proof {
    Proof {
        step: json!({
            "kind": "elb_weights", "name": "weights", "listener_arn": LISTENER,
            "target_groups": {"blue": BLUE_GROUP, "green": GREEN_GROUP},
        }),
        style: Style::Planned,
        furnish: |cloud| cloud.put_weights(LISTENER, &[(BLUE_GROUP, 100), (GREEN_GROUP, 0), (OTHER_GROUP, 7)]),
        snapshot: |cloud| json!(cloud.weights_of(LISTENER)),
        moved: |cloud| {
            let wanted = [(BLUE_GROUP, 0), (GREEN_GROUP, 100), (OTHER_GROUP, 7)];
            cloud.weights_of(LISTENER) == wanted.map(|(arn, weight)| (arn.to_owned(), weight))
        },
        reads: &["traffic.weights"],
        calls: &["traffic.set_weights"],
        undo_calls: &["traffic.set_weights"],
        disturb: |cloud| cloud.put_weights(LISTENER, &[(BLUE_GROUP, 50), (GREEN_GROUP, 50)]),
        is_disturbed: |cloud| cloud.weights_of(LISTENER).iter().all(|(_, weight)| *weight == 50),
    }
}

#[tokio::test]
async fn elb_weights_stands_the_proof() {
    assert_none(&elb_weights().violations().await);
}

#[tokio::test]
async fn elb_weights_bears_deaths() {
    assert_none(&elb_weights().bears_deaths().await);
}
