//! The second plan: orders, whose standby grows before it works, and whose database goes along.
//!
//! It is opened early and moves late, so that its probes, which describe resources and are asked every thirty seconds,
//! have settled while the shop's story is told.

use super::telling::tell_steps;
use super::{Narrator, Stage, text};
use crate::local_cloud::{CloudError, checkout};
use crate::world::OrdersState;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

/// The name of the second plan.
const PLAN: &str = "orders";
/// For how long a site must have been healthy: `policy.hold_seconds`, and a second for clocks that are read apart.
const HOLD: SignedDuration = SignedDuration::from_secs(6);

fn is_well_since(status: &Value, site: &str, when: Timestamp) -> bool {
    let since = text(status, &format!("/sites/{site}/since")).parse::<Timestamp>();
    text(status, &format!("/sites/{site}/health")) == "healthy" && since.is_ok_and(|since| since <= when)
}

impl Stage {
    /// The world of the second plan is made, and the plan is stored.
    ///
    /// # Errors
    /// Something was not made, or the plan is not valid.
    pub async fn orders_are_watched(&mut self, narrator: &mut dyn Narrator) -> Result<(), CloudError> {
        narrator.act("A second plan is watched from now on: orders, with a database");
        self.world.create_orders(&self.cloud).await?;
        narrator.event(
            "a third stack: an Auto Scaling group for blue, a small one for green; and an Aurora cluster with a member for each",
        );
        let path = checkout().join("infra/demo/orders-plan.yaml");
        let plan = std::fs::read_to_string(&path);
        let plan = plan.map_err(CloudError::system(format!("reading {}", path.display())))?;
        let plan = plan.replace("${hosted_zone_id}", &self.world.hosted_zone_id);
        let plan = self.weather.time_for(&plan);
        let stored = self
            .granted(json!({"command": "put-plan", "plan": plan, "operator": "demo", "reason": "the first revision"}))
            .await?;
        narrator.event(&format!("put-plan: {}", text(&stored, "/summary")));
        let found = self.world.orders_state(&self.cloud).await?;
        self.expect_orders(&found, "blue", found.green.minimum)?;
        narrator.event(&format!("read back: {found}"));
        Ok(())
    }

    /// The orders move by hand, capacity first, then their database and their name; and come home.
    ///
    /// # Errors
    /// With the claim that does not hold.
    pub async fn orders_move(&mut self, narrator: &mut dyn Narrator) -> Result<(), CloudError> {
        narrator.act("The orders move: first capacity, then the database, then the name");
        self.wait_until(
            PLAN,
            "the probe to see both sites of the orders healthy for long enough",
            narrator,
            |status, _| {
                ["blue", "green"]
                    .iter()
                    .all(|site| is_well_since(status, site, Timestamp::now() - HOLD))
            },
        )
        .await?;
        let before = self.world.orders_state(&self.cloud).await?;
        narrator.event(&format!("read back: {before}"));
        narrator.event("mia asks for a planned failover of the orders to green");
        self.timeline.now("mia asks for a planned failover of the orders");
        let moved = self
            .move_by_hand(json!({"command": "failover", "plan": PLAN, "to": "green", "operator": "mia", "reason": "kernel update on blue", "wait_seconds": 45}))
            .await?;
        tell_steps(&moved, narrator);
        let away = self.world.orders_state(&self.cloud).await?;
        // Three quarters of what is in service at blue, as the plan says.
        let wanted = i32::try_from((before.blue.in_service * 3).div_ceil(4)).unwrap_or(i32::MAX);
        self.expect_orders(&away, "green", wanted)?;
        narrator.event(&format!("read back: {away}"));
        self.timeline.now("read back: the orders are at green");
        self.hear(&moved, &["started", "completed"], narrator).await?;
        narrator.event("mia asks for the way home");
        let home = self
            .move_by_hand(json!({"command": "failback", "plan": PLAN, "operator": "mia", "reason": "blue is updated", "wait_seconds": 45}))
            .await?;
        tell_steps(&home, narrator);
        let found = self.world.orders_state(&self.cloud).await?;
        if found != before {
            return Err(CloudError::missing(
                format!("the orders as they were ({before})"),
                found.to_string(),
            ));
        }
        narrator.event(&format!("read back, all as it was: {found}"));
        self.timeline.now("read back: the orders are as they were");
        self.hear(&home, &["started", "completed"], narrator).await
    }

    // Writer and name are at a site, and green's group has this size.
    fn expect_orders(&self, found: &OrdersState, site: &str, green: i32) -> Result<(), CloudError> {
        let host = format!("{site}.example.test");
        let there = found.writer == format!("orders-{site}")
            && !found.record.is_empty()
            && found.record.iter().all(|value| value.trim_end_matches('.') == host);
        let size = &found.green;
        let in_service = usize::try_from(green).unwrap_or_default();
        if there && (size.minimum, size.desired, size.in_service) == (green, green, in_service) {
            return Ok(());
        }
        Err(CloudError::missing(
            format!("the orders at {site}, with {green} instance(s) at green"),
            found.to_string(),
        ))
    }
}
