//! What is seen of a plan's sites: observations and alarms, judged together.

use crate::ports::{Alarms, CallError, Clock};
use crate::store::Store;
use std::collections::BTreeMap;
use understudy_core::event::excerpt_long;
use understudy_core::health::{AlarmWord, SiteHealth, assess};
use understudy_core::plan::Plan;

/// Reads what is known of a plan's sites, and judges it.
///
/// Words are judged by the moment at which they were asked for. A sandbox that is frozen meanwhile would find some of
/// them stale, those that disagree perhaps, and would not know what has been said since.
pub(crate) async fn look(
    store: &Store,
    alarms: &dyn Alarms,
    clock: &dyn Clock,
    plan: &Plan,
) -> Result<BTreeMap<String, SiteHealth>, CallError> {
    let asked_at = clock.now();
    let observations = store.seen(&plan.name).await?;
    let words = sufficient_alarms(alarms, plan).await;
    Ok(assess(asked_at, plan, &observations, &words))
}

/// What CloudWatch says of the plan's alarms whose word is sufficient, Region by Region.
///
/// Never an error: a reading that can not be had says nothing, and the probes go on speaking.
async fn sufficient_alarms(alarms: &dyn Alarms, plan: &Plan) -> Vec<AlarmWord> {
    let mut regions: BTreeMap<Option<&str>, Vec<String>> = BTreeMap::new();
    for alarm in plan.sufficient_alarms() {
        let region = alarm.region.as_deref().or(plan.region.as_deref());
        regions.entry(region).or_default().push(alarm.alarm_name.clone());
    }
    let mut words = Vec::new();
    for (region, names) in regions {
        let answer = alarms.readings(region, &names).await;
        if let Err(error) = &answer {
            tracing::warn!(
                plan = plan.name,
                error = error.message,
                "sufficient alarms can not be read; the probes alone are judged"
            );
        }
        words.extend(names.into_iter().map(|alarm_name| match &answer {
            Ok(readings) => match readings.iter().find(|reading| reading.alarm_name == alarm_name) {
                Some(reading) => AlarmWord::Read(reading.clone()),
                None => AlarmWord::Missing { alarm_name },
            },
            Err(error) => AlarmWord::Unread {
                why: excerpt_long(&error.message).to_string(),
                alarm_name,
            },
        }));
    }
    words
}
