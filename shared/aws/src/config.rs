//! The SDK's configuration, and the clients made from it.
//!
//! 1. [`AwsConfig::load`] runs once, at the start of the process: it reads environment and profile, and
//!    resolves neither credentials nor names.
//! 2. A port asks for the client of a Region when it makes a call. The first one makes the client; only
//!    then are the system's root certificates read. (The SDK's own HTTP client would read them for every
//!    client that is built: that is why `LazyHttp` stands before it.)
//! 3. All clients share one pool of connections for each read timeout.
//!
//! There is no call without a timeout: the SDK has none of its own but that for connecting.

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_runtime::client::retries::{RetryPartition, TokenBucket};
use aws_smithy_runtime_api::client::connector_metadata::ConnectorMetadata;
use aws_smithy_runtime_api::client::http::{HttpClient, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How long a call that changes something may take, all in all. The executor starts one only if this fits
/// into its lease (`understudy_engine::executor::CALL_TIMEOUT` is the same number), so it is a hard limit.
pub const MUTATING_CALL_TIMEOUT_SECONDS: u64 = 8;
/// How long one attempt of a read may take, and all attempts together.
const READ_ATTEMPT_TIMEOUT: Duration = Duration::from_secs(4);
const READ_TIMEOUT: Duration = Duration::from_secs(10);
/// How often a read is sent at most. Five: on a day on which nearly every second call fails, a turn of ten calls would
/// with three attempts seldom come to its end.
const READ_ATTEMPTS: u32 = 5;
/// How long the executor may take to answer a question: it has 25 s itself.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(28);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// Connections idle for longer are not used again: a frozen process wakes up with dead ones.
const IDLE_CONNECTION_TIMEOUT: Duration = Duration::from_secs(20);

/// The SDK's configuration, loaded once.
#[derive(Clone, Debug)]
pub struct AwsConfig {
    sdk: SdkConfig,
    read_attempts: u32,
}

/// What a client is for: it decides timeouts and who repeats.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Usage {
    /// Reads, and writes to the table: the SDK repeats them.
    Reads,
    /// Changes something: sent once.
    #[cfg_attr(not(feature = "route53"), allow(dead_code))]
    Changes,
    /// Waits for an answer of the executor, which changes nothing for it: repeated as reads are, in the time of one answer.
    #[cfg_attr(not(feature = "lambda"), allow(dead_code))]
    Asks,
}

impl AwsConfig {
    /// Loads the configuration from environment and profile. `AWS_ENDPOINT_URL` and
    /// `AWS_ENDPOINT_URL_<SERVICE>` are honoured, with `http://` too.
    pub async fn load() -> Self {
        let sdk = aws_config::defaults(BehaviorVersion::v2026_01_12())
            .http_client(LazyHttp::new())
            .load()
            .await;
        Self::from_sdk(sdk)
    }

    /// A configuration made elsewhere, with another HTTP client for instance. Timeouts and retries are
    /// still set here.
    pub fn from_sdk(sdk: SdkConfig) -> Self {
        Self {
            sdk,
            read_attempts: READ_ATTEMPTS,
        }
    }

    /// The same, with reads sent at most so many times.
    pub fn with_read_attempts(self, read_attempts: u32) -> Self {
        Self { read_attempts, ..self }
    }

    /// The Region of this process, if it has one.
    pub fn region(&self) -> Option<&str> {
        self.sdk.region().map(Region::as_ref)
    }

    fn for_usage(&self, usage: Usage, region: Option<&str>) -> SdkConfig {
        let changing = Duration::from_secs(MUTATING_CALL_TIMEOUT_SECONDS);
        let repeated = || {
            RetryConfig::standard()
                .with_max_attempts(self.read_attempts)
                .with_max_backoff(Duration::from_secs(2))
        };
        let (retries, attempt, operation) = match usage {
            Usage::Reads => (repeated(), READ_ATTEMPT_TIMEOUT, READ_TIMEOUT),
            Usage::Changes => (RetryConfig::disabled(), changing, changing),
            Usage::Asks => (repeated(), ANSWER_TIMEOUT, ANSWER_TIMEOUT),
        };
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            // One connector, and so one pool, for each read timeout: reads and changes share theirs.
            .read_timeout(operation.max(READ_TIMEOUT))
            .operation_attempt_timeout(attempt)
            .operation_timeout(operation)
            .build();
        let mut builder = self.sdk.to_builder().retry_config(retries).timeout_config(timeouts);
        if let Some(region) = region {
            builder.set_region(Region::new(region.to_owned()));
        }
        builder.build()
    }
}

/// What pays for the repetitions of a client that a move depends on: nothing but its attempts and its time.
///
/// The SDK also keeps an account of tokens for each service, shared by all calls of a warm process: every repetition
/// takes some, and only the last one of a call gives them back. On a bad day of some minutes it runs dry, and from then
/// on each call is sent once, in that process, for as long as the day is bad. That spares a service many clients with
/// many calls; these are few, and a turn that ends at its first refused read keeps a lease for nothing.
#[cfg_attr(
    not(any(
        feature = "arczonalshift",
        feature = "dynamodb",
        feature = "elbv2",
        feature = "globalaccelerator",
        feature = "lambda",
        feature = "rds",
        feature = "route53"
    )),
    allow(dead_code)
)]
pub(crate) fn attempts_alone() -> RetryPartition {
    RetryPartition::custom("attempts-alone")
        .token_bucket(TokenBucket::unlimited())
        .build()
}

/// The clients of one service for one usage, by Region. Each is made when it is first asked for.
pub(crate) struct Regional<C> {
    config: AwsConfig,
    usage: Usage,
    make: fn(&SdkConfig) -> C,
    made: Mutex<HashMap<Option<String>, C>>,
}

impl<C: Clone> Regional<C> {
    pub(crate) fn new(config: &AwsConfig, usage: Usage, make: fn(&SdkConfig) -> C) -> Self {
        Self {
            config: config.clone(),
            usage,
            make,
            made: Mutex::default(),
        }
    }

    /// The client of this Region; `None` is the process's own.
    pub(crate) fn client(&self, region: Option<&str>) -> C {
        let region = region.filter(|region| Some(*region) != self.config.region());
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        made.entry(region.map(str::to_owned))
            .or_insert_with(|| (self.make)(&self.config.for_usage(self.usage, region)))
            .clone()
    }
}

/// The SDK's HTTP client over rustls and ring, which reads root certificates at its first request and not
/// whenever a client is built.
#[derive(Debug)]
struct LazyHttp {
    inner: SharedHttpClient,
}

impl LazyHttp {
    fn new() -> Self {
        let inner = aws_smithy_http_client::Builder::new()
            .pool_idle_timeout(IDLE_CONNECTION_TIMEOUT)
            .tls_provider(Provider::Rustls(CryptoMode::Ring))
            .build_https();
        Self { inner }
    }
}

impl HttpClient for LazyHttp {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        self.inner.http_connector(settings, components)
    }

    // `validate_base_client_config` stays the trait's own, which does nothing: the inner one would build a
    // whole connector, certificates included, and throw it away.

    fn connector_metadata(&self) -> Option<ConnectorMetadata> {
        self.inner.connector_metadata()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> AwsConfig {
        AwsConfig::from_sdk(
            SdkConfig::builder()
                .behavior_version(BehaviorVersion::v2026_01_12())
                .region(Region::new("eu-west-1"))
                .build(),
        )
    }

    #[test]
    fn a_changing_client_is_never_repeated_and_ends_in_time() {
        let sdk = config().for_usage(Usage::Changes, None);
        assert_eq!(sdk.retry_config().map(RetryConfig::max_attempts), Some(1));
        let timeouts = sdk.timeout_config().cloned().unwrap_or_else(TimeoutConfig::disabled);
        assert_eq!(
            timeouts.operation_timeout(),
            Some(Duration::from_secs(MUTATING_CALL_TIMEOUT_SECONDS))
        );
        assert_eq!(timeouts.connect_timeout(), Some(CONNECT_TIMEOUT));
    }

    #[test]
    fn a_reading_client_is_repeated_within_its_time() {
        let sdk = config().for_usage(Usage::Reads, Some("us-east-1"));
        assert_eq!(sdk.retry_config().map(RetryConfig::max_attempts), Some(READ_ATTEMPTS));
        assert_eq!(sdk.region().map(Region::as_ref), Some("us-east-1"));
        let timeouts = sdk.timeout_config().cloned().unwrap_or_else(TimeoutConfig::disabled);
        assert_eq!(timeouts.operation_timeout(), Some(READ_TIMEOUT));
        assert_eq!(timeouts.operation_attempt_timeout(), Some(READ_ATTEMPT_TIMEOUT));
    }

    #[test]
    fn a_client_is_made_once_for_each_region() {
        use std::sync::atomic::{AtomicU32, Ordering};
        static MADE: AtomicU32 = AtomicU32::new(0);
        let clients = Regional::new(&config(), Usage::Reads, |sdk| {
            MADE.fetch_add(1, Ordering::SeqCst);
            sdk.region().map(|region| region.as_ref().to_owned())
        });
        assert_eq!(MADE.load(Ordering::SeqCst), 0);
        assert_eq!(clients.client(None).as_deref(), Some("eu-west-1"));
        assert_eq!(clients.client(Some("eu-west-1")).as_deref(), Some("eu-west-1"));
        assert_eq!(clients.client(Some("us-east-1")).as_deref(), Some("us-east-1"));
        assert_eq!(clients.client(Some("us-east-1")).as_deref(), Some("us-east-1"));
        assert_eq!(MADE.load(Ordering::SeqCst), 2);
    }
}
