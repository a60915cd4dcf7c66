//! The demo's story, silently.
//!
//! Tries steps: elb_weights, dns_records, wait_healthy, asg_capacity, rds_cluster_failover.
//! Tries probes: endpoint, auto_scaling_group, rds_instance.

use super::{CHANGES, effective, forget};
use understudy_testkit::proxy::Mark;
use understudy_tests::local_cloud::CloudError;
use understudy_tests::story::{Quiet, Stage};

pub async fn the_whole_story(stage: &mut Stage) -> Result<(), CloudError> {
    stage.everything_is_well(&mut Quiet).await?;
    stage.orders_are_watched(&mut Quiet).await?;
    let mark = stage.cloud.proxy().mark();
    stage.primary_dies(&mut Quiet).await?;
    stage.primary_returns(&mut Quiet).await?;
    stage.planned_move(&mut Quiet).await?;
    expect_moves(stage, mark, 4);
    the_orders_move(stage).await?;
    println!("{}", stage.timeline.table());
    forget(stage, "shop").await;
    Ok(())
}

/// The second plan alone.
pub async fn the_orders_there_and_back(stage: &mut Stage) -> Result<(), CloudError> {
    stage.orders_are_watched(&mut Quiet).await?;
    the_orders_move(stage).await
}

async fn the_orders_move(stage: &mut Stage) -> Result<(), CloudError> {
    let mark = stage.cloud.proxy().mark();
    stage.orders_move(&mut Quiet).await?;
    // The standby grows once and is given back once; writer and name go and come.
    for (operation, calls) in [
        ("UpdateAutoScalingGroup", 2),
        ("FailoverDBCluster", 2),
        ("ChangeResourceRecordSets", 2),
    ] {
        assert_eq!(
            effective(stage, mark, operation),
            calls,
            "{operation} of the moves of the orders"
        );
    }
    forget(stage, "orders").await;
    Ok(())
}

pub async fn away_and_home_by_itself(stage: &mut Stage) -> Result<(), CloudError> {
    let mark = stage.cloud.proxy().mark();
    stage.primary_dies(&mut Quiet).await?;
    stage.primary_returns(&mut Quiet).await?;
    println!("{}", stage.timeline.table());
    expect_moves(stage, mark, 2);
    forget(stage, "shop").await;
    Ok(())
}

pub async fn away_and_home_by_hand(stage: &mut Stage) -> Result<(), CloudError> {
    let mark = stage.cloud.proxy().mark();
    stage.planned_move(&mut Quiet).await?;
    println!("{}", stage.timeline.table());
    expect_moves(stage, mark, 2);
    forget(stage, "shop").await;
    Ok(())
}

// What was read back after a lost reply was not changed a second time.
fn expect_moves(stage: &Stage, since: Mark, moves: usize) {
    for operation in CHANGES {
        assert_eq!(
            effective(stage, since, operation),
            moves,
            "{operation} had its effect more or less often than the plan moved"
        );
    }
}
