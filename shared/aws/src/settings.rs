//! What each function is told by its environment.
//!
//! All that is missing or malformed is named in one error, so that a wrong deployment is corrected once.

use std::fmt::Display;
use std::str::FromStr;
use understudy_core::event::excerpt;
use understudy_core::plan::Stack;

/// How many automatic failovers all plans together may make in an hour, unless the stack says otherwise.
const DEFAULT_FLEET_LIMIT: u32 = 5;
/// How many describes a second the probe makes in one Region in the long run, unless the stack says otherwise: half
/// of what refills an account's bucket of a Describe action (20 a second, "Request throttling for the Amazon EC2
/// API"), since the team's own tools draw on it too.
const DEFAULT_DESCRIBES_PER_SECOND: u32 = 10;
/// How many automatic executions may go on at once over all plans, unless the stack says otherwise.
const DEFAULT_FLEET_CONCURRENT: u32 = 3;

/// What the probe function is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeSettings {
    /// The table's name.
    pub table: String,
    /// The decision function's name.
    pub decision_function: String,
    /// The executor function's name.
    pub executor_function: String,
    /// Under which name observations are written.
    pub observer: String,
    /// How many describes a second one Region is asked in the long run.
    pub describes_per_second: u32,
}

/// What the decision function is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecisionSettings {
    /// The table's name.
    pub table: String,
    /// The executor function's name.
    pub executor_function: String,
    /// How many automatic failovers all plans together may make in an hour.
    pub fleet_limit: u32,
    /// How many automatic executions may go on at once over all plans.
    pub fleet_concurrent: u32,
    /// What it knows of its stack.
    pub stack: Stack,
}

/// What the executor function is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecutorSettings {
    /// The table's name.
    pub table: String,
    /// The topic of plans that name none.
    pub topic_arn: String,
    /// The Region that it runs in.
    pub region: String,
    /// The ARN of its own role.
    pub role_arn: String,
    /// What it knows of its stack.
    pub stack: Stack,
}

/// The environment is not as the function needs it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "reading the settings of this function from its environment: {}; the function was not started; \
     deploy it with the project's template.yaml, which sets them all",
    .problems.join(", ")
)]
pub struct SettingsError {
    /// One sentence for each variable.
    pub problems: Vec<String>,
}

impl ProbeSettings {
    /// Reads them from the environment.
    ///
    /// # Errors
    /// All that is missing.
    pub fn from_env() -> Result<Self, SettingsError> {
        Self::read(&environment)
    }

    /// Reads them from anything that looks up a variable.
    ///
    /// # Errors
    /// All that is missing.
    pub fn read(variable: &dyn Fn(&str) -> Option<String>) -> Result<Self, SettingsError> {
        let mut reader = Reader::new(variable);
        let observer = reader.first_of(&["UNDERSTUDY_OBSERVER", "AWS_REGION"]);
        let settings = Self {
            table: reader.text("UNDERSTUDY_TABLE"),
            decision_function: reader.text("UNDERSTUDY_DECISION_FUNCTION"),
            executor_function: reader.text("UNDERSTUDY_EXECUTOR_FUNCTION"),
            observer,
            describes_per_second: reader.parsed("UNDERSTUDY_DESCRIBES_PER_SECOND", DEFAULT_DESCRIBES_PER_SECOND),
        };
        reader.finish(settings)
    }
}

impl DecisionSettings {
    /// Reads them from the environment.
    ///
    /// # Errors
    /// All that is missing or malformed.
    pub fn from_env() -> Result<Self, SettingsError> {
        Self::read(&environment)
    }

    /// Reads them from anything that looks up a variable.
    ///
    /// # Errors
    /// All that is missing or malformed.
    pub fn read(variable: &dyn Fn(&str) -> Option<String>) -> Result<Self, SettingsError> {
        let mut reader = Reader::new(variable);
        let settings = Self {
            table: reader.text("UNDERSTUDY_TABLE"),
            executor_function: reader.text("UNDERSTUDY_EXECUTOR_FUNCTION"),
            fleet_limit: reader.parsed("UNDERSTUDY_FLEET_LIMIT", DEFAULT_FLEET_LIMIT),
            fleet_concurrent: reader.parsed("UNDERSTUDY_FLEET_CONCURRENT", DEFAULT_FLEET_CONCURRENT),
            stack: reader.stack(),
        };
        reader.finish(settings)
    }
}

impl ExecutorSettings {
    /// Reads them from the environment.
    ///
    /// # Errors
    /// All that is missing.
    pub fn from_env() -> Result<Self, SettingsError> {
        Self::read(&environment)
    }

    /// Reads them from anything that looks up a variable.
    ///
    /// # Errors
    /// All that is missing.
    pub fn read(variable: &dyn Fn(&str) -> Option<String>) -> Result<Self, SettingsError> {
        let mut reader = Reader::new(variable);
        let settings = Self {
            table: reader.text("UNDERSTUDY_TABLE"),
            topic_arn: reader.text("UNDERSTUDY_TOPIC_ARN"),
            region: reader.text("AWS_REGION"),
            role_arn: reader.text("UNDERSTUDY_ROLE_ARN"),
            stack: reader.stack(),
        };
        reader.finish(settings)
    }
}

fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Reads variables and collects what is wrong with them.
struct Reader<'a> {
    variable: &'a dyn Fn(&str) -> Option<String>,
    problems: Vec<String>,
}

impl<'a> Reader<'a> {
    fn new(variable: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self {
            variable,
            problems: Vec::new(),
        }
    }

    fn get(&self, name: &str) -> Option<String> {
        (self.variable)(name)
            .map(|value| value.trim().to_owned())
            .filter(|value| !value.is_empty())
    }

    fn text(&mut self, name: &str) -> String {
        self.first_of(&[name])
    }

    fn first_of(&mut self, names: &[&str]) -> String {
        let found = names.iter().find_map(|name| self.get(name));
        found.unwrap_or_else(|| {
            self.problems.push(format!("{} is not set", names.join(" or ")));
            String::new()
        })
    }

    fn parsed<T: FromStr<Err: Display>>(&mut self, name: &str, default: T) -> T {
        let Some(text) = self.get(name) else { return default };
        text.parse().unwrap_or_else(|error| {
            self.problems.push(format!("{name} is `{}`: {error}", excerpt(&text)));
            default
        })
    }

    // What is not set is not known, and nothing is wrong with that.
    fn stack(&self) -> Stack {
        Stack {
            region: self.get("AWS_REGION"),
            topic_arn: self.get("UNDERSTUDY_TOPIC_ARN"),
            alarm_name_prefix: self.get("UNDERSTUDY_ALARM_NAME_PREFIX"),
            setup_alarm_name_prefix: self.get("UNDERSTUDY_SETUP_ALARM_NAME_PREFIX"),
        }
    }

    fn finish<T>(self, settings: T) -> Result<T, SettingsError> {
        if self.problems.is_empty() {
            Ok(settings)
        } else {
            Err(SettingsError {
                problems: self.problems,
            })
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn of<'a>(pairs: &'a [(&'a str, &'a str)]) -> impl Fn(&str) -> Option<String> + 'a {
        move |name| {
            pairs
                .iter()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| (*value).to_owned())
        }
    }

    #[test]
    fn all_that_is_missing_is_named_at_once() {
        let error = ProbeSettings::read(&of(&[("UNDERSTUDY_TABLE", " ")]))
            .unwrap_err()
            .to_string();
        for name in [
            "UNDERSTUDY_TABLE",
            "UNDERSTUDY_DECISION_FUNCTION",
            "UNDERSTUDY_EXECUTOR_FUNCTION",
            "AWS_REGION",
        ] {
            assert!(error.contains(name), "{error}");
        }
    }

    #[test]
    fn the_observer_is_the_region_unless_it_has_a_name() {
        let mut pairs = vec![
            ("UNDERSTUDY_TABLE", "t"),
            ("UNDERSTUDY_DECISION_FUNCTION", "d"),
            ("UNDERSTUDY_EXECUTOR_FUNCTION", "e"),
            ("AWS_REGION", "eu-west-1"),
        ];
        assert_eq!(ProbeSettings::read(&of(&pairs)).unwrap().observer, "eu-west-1");
        pairs.push(("UNDERSTUDY_OBSERVER", "office"));
        assert_eq!(ProbeSettings::read(&of(&pairs)).unwrap().observer, "office");
    }

    #[test]
    fn what_is_not_set_of_the_stack_is_not_known() {
        let mut pairs = vec![("UNDERSTUDY_TABLE", "t"), ("UNDERSTUDY_EXECUTOR_FUNCTION", "e")];
        assert_eq!(DecisionSettings::read(&of(&pairs)).unwrap().stack, Stack::default());
        pairs.extend([("AWS_REGION", "eu-west-1"), ("UNDERSTUDY_ALARM_NAME_PREFIX", "")]);
        pairs.push(("UNDERSTUDY_SETUP_ALARM_NAME_PREFIX", "understudy-"));
        let known = Stack {
            region: Some("eu-west-1".into()),
            setup_alarm_name_prefix: Some("understudy-".into()),
            ..Stack::default()
        };
        assert_eq!(DecisionSettings::read(&of(&pairs)).unwrap().stack, known);
    }

    #[test]
    fn the_budget_of_describes_has_a_default_and_must_be_a_number() {
        let mut pairs = vec![
            ("UNDERSTUDY_TABLE", "t"),
            ("UNDERSTUDY_DECISION_FUNCTION", "d"),
            ("UNDERSTUDY_EXECUTOR_FUNCTION", "e"),
            ("UNDERSTUDY_OBSERVER", "office"),
        ];
        assert_eq!(ProbeSettings::read(&of(&pairs)).unwrap().describes_per_second, 10);
        pairs.push(("UNDERSTUDY_DESCRIBES_PER_SECOND", "-1"));
        let error = ProbeSettings::read(&of(&pairs)).unwrap_err().to_string();
        assert!(error.contains("UNDERSTUDY_DESCRIBES_PER_SECOND is `-1`"), "{error}");
    }

    #[test]
    fn the_fleets_limits_have_defaults_and_must_be_numbers() {
        let mut pairs = vec![("UNDERSTUDY_TABLE", "t"), ("UNDERSTUDY_EXECUTOR_FUNCTION", "e")];
        let settings = DecisionSettings::read(&of(&pairs)).unwrap();
        assert_eq!((settings.fleet_limit, settings.fleet_concurrent), (5, 3));
        pairs.push(("UNDERSTUDY_FLEET_LIMIT", "many"));
        let error = DecisionSettings::read(&of(&pairs)).unwrap_err().to_string();
        assert!(error.contains("UNDERSTUDY_FLEET_LIMIT is `many`"), "{error}");
    }
}
