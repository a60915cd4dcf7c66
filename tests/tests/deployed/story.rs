//! The demo's story, silently.
//!
//! Tries steps: elb_weights, dns_records, wait_healthy.
//! Tries probes: endpoint.

use super::{CHANGES, effective, forget};
use understudy_testkit::proxy::Mark;
use understudy_tests::local_cloud::CloudError;
use understudy_tests::story::{Quiet, Stage};

pub async fn the_whole_story(stage: &mut Stage) -> Result<(), CloudError> {
    stage.everything_is_well(&mut Quiet).await?;
    let mark = stage.cloud.proxy().mark();
    stage.primary_dies(&mut Quiet).await?;
    stage.primary_returns(&mut Quiet).await?;
    stage.planned_move(&mut Quiet).await?;
    println!("{}", stage.timeline.table());
    expect_moves(stage, mark, 4);
    forget(stage, "shop").await;
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
