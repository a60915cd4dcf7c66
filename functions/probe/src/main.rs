//! The probe function: settings, clients, wiring. What it does is in `understudy_engine::probe`.

use serde_json::Value;
use std::sync::Arc;
use understudy_aws::autoscaling::AutoScalingGroups;
use understudy_aws::clock::{SystemClock, SystemRandom};
use understudy_aws::cloudwatch::{CloudWatchAlarms, CloudWatchMetrics};
use understudy_aws::dynamodb::DynamoTable;
use understudy_aws::ec2::Ec2Compute;
use understudy_aws::elbv2::ElbTraffic;
use understudy_aws::endpoint::NetworkEndpoint;
use understudy_aws::lambda::LambdaFunctions;
use understudy_aws::rds::RdsDatabase;
use understudy_aws::settings::ProbeSettings;
use understudy_aws::telemetry::Telemetry;
use understudy_aws::{AwsConfig, runtime};
use understudy_engine::probe::{Probe, ProbePorts};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let telemetry = Telemetry::start("probe");
    let settings = ProbeSettings::from_env().inspect_err(|error| tracing::error!(error = %error, "not started"))?;
    let config = AwsConfig::load().await;
    let decision = Some(settings.decision_function);
    let executor = Some(settings.executor_function);
    let ports = ProbePorts {
        table: Arc::new(DynamoTable::new(&config, settings.table)),
        clock: Arc::new(SystemClock),
        random: Arc::new(SystemRandom),
        endpoint: Arc::new(NetworkEndpoint::new()),
        traffic: Arc::new(ElbTraffic::new(&config)),
        compute: Arc::new(Ec2Compute::new(&config)),
        groups: Arc::new(AutoScalingGroups::new(&config)),
        database: Arc::new(RdsDatabase::new(&config)),
        alarms: Arc::new(CloudWatchAlarms::new(&config)),
        metrics: Arc::new(CloudWatchMetrics::new(&config)),
        functions: Arc::new(LambdaFunctions::new(&config, decision, executor)),
        describes_per_second: settings.describes_per_second,
    };
    let probe = &Probe::new(ports, settings.observer);
    runtime::run(telemetry, |event, invocation| async move {
        // A person may ask for a single round; the schedule asks for a minute of them.
        match event.get("rounds").and_then(Value::as_u64) {
            Some(1) => probe.single_round(&invocation).await,
            _ => probe.handle(&invocation).await,
        }
    })
    .await
}
