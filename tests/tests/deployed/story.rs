//! The demo's story, silently.

use understudy_tests::local_cloud::CloudError;
use understudy_tests::story::{Quiet, Stage};

pub async fn the_whole_story(stage: &mut Stage) -> Result<(), CloudError> {
    stage.everything_is_well(&mut Quiet).await?;
    stage.primary_dies(&mut Quiet).await?;
    stage.primary_returns(&mut Quiet).await?;
    stage.planned_move(&mut Quiet).await?;
    println!("{}", stage.timeline.table());
    Ok(())
}
