//! Whether a metric has ever spoken.
//!
//! Nobody can ask whether a metric exists: one that counts failures has no value for as long as there are none. So it is
//! looked for over two weeks; whether silence is a problem is for whoever asks to say.

use crate::ports::{CallError, MetricQuery, Metrics};
use jiff::Timestamp;
use understudy_core::judge::Window;
use understudy_core::plan::MetricSeries;

/// For how many hours a metric is looked for.
const HOURS: u32 = 14 * 24;
/// The period that is looked at: few values, however long the time.
const HOUR_SECONDS: u32 = 3600;

/// Whether the series has had a value in two weeks.
///
/// # Errors
/// CloudWatch does not answer, or does not take the series.
pub(crate) async fn has_spoken(
    metrics: &dyn Metrics,
    now: Timestamp,
    region: Option<&str>,
    series: MetricSeries,
) -> Result<bool, CallError> {
    let window = Window::of(now, HOUR_SECONDS, HOURS);
    let query = MetricQuery {
        series,
        period_seconds: HOUR_SECONDS,
    };
    let found = metrics.newest(region, &[query], window.since, None).await?;
    Ok(found.into_iter().next().transpose()?.flatten().is_some())
}
