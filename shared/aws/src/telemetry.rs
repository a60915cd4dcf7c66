//! Logs and metrics, both on standard output, where Lambda's log is made of.
//!
//! - A log line is one JSON object: `timestamp`, `level`, `target`, `message`, the event's own fields, and
//!   `span` with the request id. `UNDERSTUDY_LOG` is its filter (`info` without it).
//! - Metrics are lines in CloudWatch's embedded metric format, namespace `Understudy`: counted in memory,
//!   written once at the end of each invocation. Their one dimension is the deployed function's name, which
//!   begins with the stack's: two stacks in one account never hide each other's silence.
//!
//! No secret gets into a log: the libraries that handle credentials and requests are kept at `info` whatever
//! the filter says, since their finer lines quote signatures and session tokens.

use metrics_cloudwatch_embedded::{Builder, Collector};
use std::io::Write;
use tracing::{Level, Metadata};
use tracing_subscriber::filter::{EnvFilter, FilterExt, filter_fn};
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

/// The namespace of all metrics.
pub const NAMESPACE: &str = "Understudy";
/// The dimension with the function's name.
pub const FUNCTION_DIMENSION: &str = "function";
/// The variable with the log filter.
const FILTER_VARIABLE: &str = "UNDERSTUDY_LOG";
const DEFAULT_FILTER: &str = "info";
/// Libraries that see credentials or whole requests.
const KEPT_AT_INFO: &[&str] = &["aws_", "h2", "hyper", "lambda_runtime", "reqwest", "rustls"];

/// Where metrics are counted until they are written.
#[derive(Clone, Copy, Default)]
pub struct Telemetry {
    collector: Option<&'static Collector>,
}

impl Telemetry {
    /// Starts logs and metrics. Once a process: what was started before stays.
    ///
    /// Metrics carry the deployed function's name (`AWS_LAMBDA_FUNCTION_NAME`), or `function` without one.
    pub fn start(function: &str) -> Self {
        let function = std::env::var("AWS_LAMBDA_FUNCTION_NAME").unwrap_or_else(|_| function.to_owned());
        let wanted = std::env::var(FILTER_VARIABLE).unwrap_or_default();
        let wanted = if wanted.trim().is_empty() {
            DEFAULT_FILTER
        } else {
            wanted.trim()
        };
        let (filter, problem) = match EnvFilter::try_new(wanted) {
            Ok(filter) => (filter, None),
            Err(error) => (EnvFilter::new(DEFAULT_FILTER), Some(error.to_string())),
        };
        let lines = tracing_subscriber::fmt::layer()
            .json()
            .flatten_event(true)
            .with_current_span(true)
            .with_span_list(false)
            .with_writer(std::io::stdout)
            .with_filter(filter.and(filter_fn(is_harmless)));
        // A second start in one process (tests) keeps the first one's.
        let _ = tracing_subscriber::registry().with(lines).try_init();
        if let Some(problem) = problem {
            tracing::warn!(
                filter = wanted,
                problem,
                "{FILTER_VARIABLE} is not a filter; `{DEFAULT_FILTER}` is used"
            );
        }
        // A panic becomes a line like any other; lambda_runtime turns it into an error answer.
        std::panic::set_hook(Box::new(
            |panic| tracing::error!(panic = %panic, "the handler panicked"),
        ));
        let collector = Builder::new()
            .cloudwatch_namespace(NAMESPACE)
            .with_dimension(FUNCTION_DIMENSION, function)
            .init();
        match collector {
            Ok(collector) => Self {
                collector: Some(collector),
            },
            Err(error) => {
                tracing::warn!(error = error.to_string(), "metrics were not started; none are written");
                Self::default()
            }
        }
    }

    /// No logs, no metrics: for tests.
    pub fn silent() -> Self {
        Self::default()
    }

    /// Writes what was counted since the last time.
    pub fn flush(&self, request_id: &str) {
        let Some(collector) = self.collector else { return };
        let mut lines = Vec::new();
        let written = collector
            .set_property("RequestId", request_id)
            .flush(&mut lines)
            .and_then(|()| {
                // One write, so that no log line comes between.
                let mut output = std::io::stdout().lock();
                output.write_all(&lines)?;
                output.flush()
            });
        if let Err(error) = written {
            tracing::error!(error = error.to_string(), "metrics were not written");
        }
    }
}

/// Whether a line may be written as far as secrets are concerned.
fn is_harmless(metadata: &Metadata<'_>) -> bool {
    *metadata.level() <= Level::INFO
        || !KEPT_AT_INFO
            .iter()
            .any(|library| metadata.target().starts_with(library))
}
