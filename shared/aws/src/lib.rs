//! The engine's ports on the AWS SDK. SDK types stop here.
//!
//! Each file implements one port on one service: it translates, and it classifies what went wrong. It
//! decides nothing. A function turns on the features of the services that it calls and links no other.
//!
//! ```text
//!   settings ─▶ main.rs ─▶ engine's handler ─▶ ports ─▶ dynamodb, elbv2, route53, …  ─▶ AWS
//!   telemetry ◀── runtime ◀─ Lambda                         ▲
//!                                                 config: clients, timeouts, retries
//! ```
//!
//! - [`settings`] reads the environment and names all that is missing at once.
//! - [`config`] loads the SDK's configuration once. Clients come into being at their first call, one for
//!   each Region: a cold start pays for none that it does not use.
//! - [`runtime`] runs a handler under the Lambda runtime; [`telemetry`] writes logs and metrics.
//! - The others are the ports.
//!
//! # Who repeats what
//! Reads and all of DynamoDB are repeated by the SDK. A call that changes something outside of the table is
//! sent once, within [`config::MUTATING_CALL_TIMEOUT_SECONDS`]: only the executor sends it again, after
//! reading.

pub mod clock;
pub mod config;
pub mod runtime;
pub mod settings;
pub mod telemetry;

#[cfg(feature = "arczonalshift")]
pub mod arczonalshift;
#[cfg(feature = "autoscaling")]
pub mod autoscaling;
#[cfg(feature = "cloudwatch")]
pub mod cloudwatch;
#[cfg(feature = "dynamodb")]
pub mod dynamodb;
#[cfg(feature = "ec2")]
pub mod ec2;
#[cfg(feature = "elbv2")]
pub mod elbv2;
#[cfg(feature = "endpoint")]
pub mod endpoint;
#[cfg(feature = "globalaccelerator")]
pub mod globalaccelerator;
#[cfg(feature = "iam")]
pub mod iam;
#[cfg(feature = "lambda")]
pub mod lambda;
#[cfg(feature = "rds")]
pub mod rds;
#[cfg(feature = "route53")]
pub mod route53;
#[cfg(feature = "sns")]
pub mod sns;

#[cfg(any(
    feature = "arczonalshift",
    feature = "autoscaling",
    feature = "cloudwatch",
    feature = "dynamodb",
    feature = "ec2",
    feature = "elbv2",
    feature = "iam",
    feature = "globalaccelerator",
    feature = "lambda",
    feature = "rds",
    feature = "route53",
    feature = "sns"
))]
pub mod failure;

pub use config::AwsConfig;
