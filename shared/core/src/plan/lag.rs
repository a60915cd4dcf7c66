//! How far a copy of the data is behind, and where that is measured.
//!
//! Nobody writes this into a plan: it follows from the steps that can lose data. CloudWatch has the figure, once a
//! minute, in the Region of the copy.

use super::{Plan, Step};

/// A metric that says how far the copy of one site is behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LagSource {
    /// The step that would lose it.
    pub step: String,
    /// The site of the copy.
    pub site: String,
    /// The copy's Region, if the plan says so.
    pub region: Option<String>,
    /// The metric's name, in the namespace `AWS/RDS`.
    pub metric: &'static str,
    /// Its dimensions.
    pub dimensions: Vec<(&'static str, String)>,
    /// How many of its units are a second.
    pub units_a_second: u32,
}

impl Plan {
    /// Where the lag of the copies is measured that a move away from `active` would make do with.
    ///
    /// `ReplicaLag` is in seconds, and -1 where nothing replicates (Amazon RDS User Guide, "Amazon CloudWatch metrics
    /// for Amazon RDS"). `AuroraGlobalDBReplicationLag` is in milliseconds and is published in the secondary's Region
    /// (Amazon Aurora User Guide, "Cluster-level metrics for Amazon Aurora").
    pub fn lag_sources(&self, active: &str) -> Vec<LagSource> {
        let mut sources = Vec::new();
        for step in &self.steps {
            let region = || step.common().region.clone().or_else(|| self.region.clone());
            match step {
                Step::RdsPromoteReplica(promote) => {
                    sources.extend(
                        promote
                            .instances
                            .iter()
                            .filter(|(site, _)| *site != active)
                            .map(|(site, copy)| LagSource {
                                step: step.name().to_owned(),
                                site: site.clone(),
                                region: copy.region.clone().or_else(region),
                                metric: "ReplicaLag",
                                dimensions: vec![(
                                    "DBInstanceIdentifier",
                                    copy.db_instance_identifier.to_ascii_lowercase(),
                                )],
                                units_a_second: 1,
                            }),
                    );
                }
                Step::RdsGlobal(global) => {
                    let source = global.clusters.get(active).and_then(|arn| arn_part(arn, 3));
                    sources.extend(global.clusters.iter().filter(|(site, _)| *site != active).filter_map(
                        |(site, arn)| {
                            Some(LagSource {
                                step: step.name().to_owned(),
                                site: site.clone(),
                                region: Some(arn_part(arn, 3)?.to_owned()),
                                metric: "AuroraGlobalDBReplicationLag",
                                dimensions: vec![
                                    ("DBClusterIdentifier", arn_part(arn, 6)?.to_owned()),
                                    ("SourceRegion", source?.to_owned()),
                                ],
                                units_a_second: 1000,
                            })
                        },
                    ));
                }
                _ => {}
            }
        }
        sources
    }
}

fn arn_part(arn: &str, index: usize) -> Option<&str> {
    arn.split(':').nth(index)
}
