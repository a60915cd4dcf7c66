//! One thing that is wrong with a plan, and where.

use serde::Serialize;
use std::collections::BTreeSet;
use std::fmt;

/// One thing that is wrong with a plan.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Problem {
    /// Where, as one would write it: `steps[2].weights.green`. Empty: the plan as a whole.
    pub path: String,
    /// What was found, and what is wanted instead.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = if self.path.is_empty() { "plan" } else { &self.path };
        write!(f, "{path}: {}", self.message)
    }
}

/// A place in a plan. Ordered as the format is, list elements by number.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::plan) struct Path(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    /// A field of the plan itself: its rank in [`FIELDS`] puts problems in the order in which plans are written.
    Field(usize, String),
    Key(String),
    Index(usize),
}

/// The longest message, in characters. None needs as many that quotes only names as long as names may be.
const LONGEST_MESSAGE: usize = 1000;

/// The fields of a plan in the order in which people write them.
const FIELDS: [&str; 11] = [
    "schema_version",
    "name",
    "description",
    "region",
    "sites",
    "probes",
    "alarms",
    "steps",
    "setup",
    "policy",
    "topic_arn",
];

impl Path {
    /// The plan as a whole.
    pub(in crate::plan) fn root() -> Self {
        Self::default()
    }

    /// The field `name` of what is here.
    pub(in crate::plan) fn key(&self, name: &str) -> Self {
        if self.0.is_empty() {
            let rank = FIELDS.iter().position(|field| *field == name).unwrap_or(FIELDS.len());
            return self.with(Part::Field(rank, name.to_owned()));
        }
        self.with(Part::Key(name.to_owned()))
    }

    /// The element `index` of the list that is here.
    pub(in crate::plan) fn at(&self, index: usize) -> Self {
        self.with(Part::Index(index))
    }

    fn with(&self, part: Part) -> Self {
        let mut parts = self.0.clone();
        parts.push(part);
        Self(parts)
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, part) in self.0.iter().enumerate() {
            match part {
                Part::Index(index) => write!(f, "[{index}]")?,
                Part::Field(_, name) | Part::Key(name) if plain(name) => {
                    let dot = if position == 0 { "" } else { "." };
                    write!(f, "{dot}{name}")?;
                }
                Part::Field(_, name) | Part::Key(name) => write!(f, "[{:?}]", super::words::shortened(name))?,
            }
        }
        Ok(())
    }
}

/// Whether a key reads well after a dot.
fn plain(name: &str) -> bool {
    !name.is_empty() && name.len() <= 64 && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
}

/// Problems as they are found, in any order.
#[derive(Default)]
pub(in crate::plan) struct Problems {
    found: BTreeSet<(Path, String)>,
}

impl Problems {
    /// Adds one. The same problem twice counts once. A message may quote names as they were written, however long and
    /// with whatever in them: what is kept of it can be shown.
    pub(in crate::plan) fn add(&mut self, path: Path, message: impl AsRef<str>) {
        let message = super::words::presentable(message.as_ref(), LONGEST_MESSAGE);
        self.found.insert((path, message));
    }

    /// Whether there is none.
    pub(in crate::plan) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// Whether there is one at `path` or inside of it.
    pub(in crate::plan) fn any_under(&self, path: &Path) -> bool {
        // Everything inside of a path sorts directly after it.
        let from = (path.clone(), String::new());
        self.found
            .range(from..)
            .next()
            .is_some_and(|(found, _)| found.0.starts_with(&path.0))
    }

    /// The first `most`, in the order of the format, and one that counts the rest.
    pub(in crate::plan) fn into_list(self, most: usize) -> Vec<Problem> {
        let more = self.found.len().saturating_sub(most);
        let mut list: Vec<Problem> = self
            .found
            .into_iter()
            .take(most)
            .map(|(path, message)| Problem {
                path: path.to_string(),
                message,
            })
            .collect();
        if more > 0 {
            list.push(Problem {
                path: String::new(),
                message: format!("and {more} more; mend these first"),
            });
        }
        list
    }
}
