//! What a plan expects of the stack that it is stored in: that its alarms are heard, and may be made.
//!
//! Alarms reach decision by an EventBridge rule of the stack's own Region that passes names with one prefix; setup may make
//! alarms whose names begin with another. A plan can not know either, so none of this is an error of the plan.

use super::{MetricAlarm, Plan, Probe, Problem, Step};

/// What is known of the stack. What is not known is not warned about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stack {
    /// The Region that it stands in.
    pub region: Option<String>,
    /// Its own topic, for plans that name none.
    pub topic_arn: Option<String>,
    /// How the names of alarms begin that its rule passes. Empty: all.
    pub alarm_name_prefix: Option<String>,
    /// How the names of alarms begin that setup may make.
    pub setup_alarm_name_prefix: Option<String>,
}

impl Plan {
    /// All that is allowed in this plan and will hurt on a bad day, in this stack.
    pub fn warnings_in(&self, stack: &Stack) -> Vec<Problem> {
        let mut found = self.warnings();
        for (path, alarm) in self.alarms_made() {
            found.extend(self.unheard(&path, alarm, stack));
        }
        found
    }

    /// Alarms that setup makes and that no site hears.
    pub(super) fn unbound_alarms(&self) -> Vec<Problem> {
        let made = self.alarms_made().into_iter();
        made.filter(|(_, alarm)| !self.is_bound(alarm))
            .map(|(path, alarm)| Problem {
                path: format!("{path}.alarm_name"),
                message: format!(
                    "no entry of `alarms` binds {} to a site, so Understudy only records what it says; add one if it speaks \
                     about a site's health",
                    alarm.alarm_name
                ),
            })
            .collect()
    }

    fn alarms_made(&self) -> Vec<(String, &MetricAlarm)> {
        let setup = self.setup.iter().enumerate();
        setup
            .filter_map(|(index, step)| match step {
                Step::MetricAlarm(alarm) => Some((format!("setup[{index}]"), alarm)),
                _ => None,
            })
            .collect()
    }

    fn region_of<'a>(&'a self, own: &'a Option<String>) -> Option<&'a str> {
        own.as_ref().or(self.region.as_ref()).map(String::as_str)
    }

    // By an entry of `alarms`, or by a probe that asks for it.
    fn is_bound(&self, alarm: &MetricAlarm) -> bool {
        let is_it = |name: &str, region: Option<&str>| {
            name == alarm.alarm_name && region == self.region_of(&alarm.common.region)
        };
        let listed = self
            .alarms
            .iter()
            .any(|bound| is_it(&bound.alarm_name, self.region_of(&bound.region)));
        let asked = self.probes.iter().any(|probe| {
            matches!(probe, Probe::Alarm(asked) if is_it(&asked.alarm_name, probe.region(self.region.as_deref())))
        });
        listed || asked
    }

    fn unheard(&self, path: &str, alarm: &MetricAlarm, stack: &Stack) -> Vec<Problem> {
        let mut found = Vec::new();
        let name = &alarm.alarm_name;
        let mut warn = |field: &str, message: String| {
            let path = format!("{path}.{field}");
            found.push(Problem { path, message });
        };
        let begins = |prefix: &Option<String>| {
            prefix
                .as_ref()
                .filter(|prefix| !name.starts_with(prefix.as_str()))
                .cloned()
        };
        if let Some(prefix) = begins(&stack.setup_alarm_name_prefix) {
            warn(
                "alarm_name",
                format!(
                    "{name} does not begin with {prefix}, so the executor's role may not make it; give it another name, or the \
                     stack another SetupAlarmNamePrefix"
                ),
            );
        }
        let is_listed = self.alarms.iter().any(|bound| bound.alarm_name == *name);
        if !is_listed {
            return found;
        }
        if let Some(prefix) = begins(&stack.alarm_name_prefix) {
            warn(
                "alarm_name",
                format!(
                    "{name} does not begin with {prefix}, so the stack's rule does not pass it and it wakes nobody; give it \
                     another name, or the stack another AlarmNamePrefix"
                ),
            );
        }
        let place = self.region_of(&alarm.common.region).zip(stack.region.as_deref());
        if let Some((there, here)) = place.filter(|(there, here)| there != here) {
            let message = format!(
                "{name} is in {there}, and the stack's rule hears alarms of {here} only, so it wakes nobody; ask it by a probe \
                 of kind alarm, or hand its events on to {here}"
            );
            warn("region", message);
        }
        found
    }
}
