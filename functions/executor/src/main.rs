//! The executor function: settings, clients, wiring. What it does is in `understudy_engine::executor`.

use std::sync::Arc;
use understudy_aws::arczonalshift::ArcZonalShifts;
use understudy_aws::autoscaling::AutoScalingGroups;
use understudy_aws::clock::{SystemClock, SystemRandom};
use understudy_aws::cloudwatch::{CloudWatchAlarms, CloudWatchDefinitions, CloudWatchMetrics, CloudWatchSignals};
use understudy_aws::dynamodb::DynamoTable;
use understudy_aws::ec2::Ec2Compute;
use understudy_aws::elbv2::ElbTraffic;
use understudy_aws::globalaccelerator::GlobalAccelerators;
use understudy_aws::iam::PolicySimulator;
use understudy_aws::lambda::LambdaHooks;
use understudy_aws::rds::{RdsDatabase, RdsFailover, RdsSetup};
use understudy_aws::route53::{Route53Dns, Route53HealthChecks};
use understudy_aws::settings::ExecutorSettings;
use understudy_aws::sns::SnsNotifier;
use understudy_aws::telemetry::Telemetry;
use understudy_aws::{AwsConfig, runtime};
use understudy_engine::executor::{Executor, ExecutorPorts};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let telemetry = Telemetry::start("executor");
    let settings = ExecutorSettings::from_env().inspect_err(|error| tracing::error!(error = %error, "not started"))?;
    let config = AwsConfig::load().await;
    let permissions = PolicySimulator::new(&config, settings.role_arn, settings.region.clone())?;
    let ports = ExecutorPorts {
        table: Arc::new(DynamoTable::new(&config, settings.table)),
        clock: Arc::new(SystemClock),
        random: Arc::new(SystemRandom),
        traffic: Arc::new(ElbTraffic::new(&config)),
        dns: Arc::new(Route53Dns::new(&config)),
        health_checks: Arc::new(Route53HealthChecks::new(&config)),
        notifier: Arc::new(SnsNotifier::new(&config, settings.topic_arn)),
        compute: Arc::new(Ec2Compute::new(&config)),
        groups: Arc::new(AutoScalingGroups::new(&config)),
        group_setup: Arc::new(AutoScalingGroups::new(&config)),
        hooks: Arc::new(LambdaHooks::new(&config)),
        database: Arc::new(RdsDatabase::new(&config)),
        databases: Arc::new(RdsFailover::new(&config)),
        database_setup: Arc::new(RdsSetup::new(&config)),
        alarms: Arc::new(CloudWatchAlarms::new(&config)),
        definitions: Arc::new(CloudWatchDefinitions::new(&config)),
        metrics: Arc::new(CloudWatchMetrics::new(&config)),
        permissions: Arc::new(permissions),
        signals: Arc::new(CloudWatchSignals::new(&config)),
        shifts: Arc::new(ArcZonalShifts::new(&config)),
        accelerators: Arc::new(GlobalAccelerators::new(&config)),
    };
    let executor = &Executor::new(ports, settings.region).with_stack(settings.stack);
    runtime::run(telemetry, |event, invocation| async move {
        executor.handle(event, &invocation).await
    })
    .await
}
