//! The decision function: settings, clients, wiring. What it does is in `understudy_engine::decision`.

use std::sync::Arc;
use understudy_aws::clock::{SystemClock, SystemRandom};
use understudy_aws::cloudwatch::CloudWatchAlarms;
use understudy_aws::dynamodb::DynamoTable;
use understudy_aws::lambda::LambdaFunctions;
use understudy_aws::settings::DecisionSettings;
use understudy_aws::telemetry::Telemetry;
use understudy_aws::{AwsConfig, runtime};
use understudy_engine::decision::{DecisionMaker, DecisionPorts};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let telemetry = Telemetry::start("decision");
    let settings = DecisionSettings::from_env().inspect_err(|error| tracing::error!(error = %error, "not started"))?;
    let config = AwsConfig::load().await;
    let ports = DecisionPorts {
        table: Arc::new(DynamoTable::new(&config, settings.table)),
        clock: Arc::new(SystemClock),
        random: Arc::new(SystemRandom),
        alarms: Arc::new(CloudWatchAlarms::new(&config)),
        functions: Arc::new(LambdaFunctions::new(&config, None, Some(settings.executor_function))),
    };
    let decision = &DecisionMaker::new(ports, settings.fleet_limit)
        .with_fleet_concurrent(settings.fleet_concurrent)
        .with_stack(settings.stack);
    runtime::run(telemetry, |event, invocation| async move {
        decision.handle(event, &invocation).await
    })
    .await
}
