//! A table's replica in another Region.
//!
//! What the emulator calls a replica is written in the same moment, by the same process, whatever happens: it proves
//! that everything in a second Region is wired to it, and nothing about consistency. On AWS the same call also says
//! `MultiRegionConsistency: STRONG`, needs a third Region or a witness, and takes an empty table only.

use aws_config::Region;
use aws_sdk_dynamodb::types::{CreateReplicationGroupMemberAction, ReplicationGroupUpdate, TableDescription};

use super::error::CloudError;
use super::{LocalCloud, REGION};

impl LocalCloud {
    /// Makes a replica of a table of [`REGION`] in another Region, and returns the ARN of the replica's own stream.
    ///
    /// # Errors
    /// When it is refused, or the replica has no stream.
    pub async fn replicate_table(&self, table: &str, region: &str) -> Result<String, CloudError> {
        let what = format!("UpdateTable of {table}: a replica of it in {region}");
        let member = CreateReplicationGroupMemberAction::builder()
            .region_name(region)
            .build()
            .map_err(|error| CloudError::missing(&what, error.to_string()))?;
        self.clients()
            .dynamodb
            .update_table()
            .table_name(table)
            .replica_updates(ReplicationGroupUpdate::builder().create(member).build())
            .send()
            .await
            .map_err(CloudError::call(&what))?;
        let replica = self.table_in(region, table).await?;
        let stream = replica.latest_stream_arn().map(str::to_owned);
        stream.ok_or_else(|| CloudError::missing(format!("the replica of {table} in {region}"), "it has no stream"))
    }

    /// A table, or the replica of one, as DynamoDB describes it in a Region.
    ///
    /// # Errors
    /// When there is none.
    pub async fn table_in(&self, region: &str, table: &str) -> Result<TableDescription, CloudError> {
        let what = format!("DescribeTable of {table} in {region}");
        let in_region = aws_sdk_dynamodb::config::Builder::new().region(Region::new(region.to_owned()));
        let found = self
            .clients()
            .dynamodb
            .describe_table()
            .table_name(table)
            .customize()
            .config_override(in_region)
            .send()
            .await
            .map_err(CloudError::call(&what))?;
        found
            .table
            .ok_or_else(|| CloudError::missing(what, format!("no description; the first one is in {REGION}")))
    }
}
