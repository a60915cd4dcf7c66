//! Where the calls of each kind were tried, as the tests themselves say.
//!
//! A test file that tries the calls of kinds says so at its head, in lines such as `//! Tries steps: elb_weights, invoke.`
//! and `//! Tries probes: metric.`; where it stands and what it starts says against what.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Against what calls were tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Against {
    /// The deployed functions at emulators, with roles enforced.
    Deployed,
    /// The AWS room alone, at an emulator that keeps what is written.
    Emulator,
    /// The AWS room alone: its requests, and what it makes of each answer.
    ScriptedAnswers,
    /// Real connections to servers of the test.
    RealConnections,
}

impl Against {
    /// For people.
    pub fn words(self) -> &'static str {
        match self {
            Self::Deployed => "deployed on an emulator",
            Self::Emulator => "emulator",
            Self::ScriptedAnswers => "scripted answers",
            Self::RealConnections => "real connections",
        }
    }
}

/// Against what each kind was tried.
pub type Kinds = BTreeMap<String, BTreeSet<Against>>;

/// What was tried where.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Tried {
    /// Steps.
    pub steps: Kinds,
    /// Probes.
    pub probes: Kinds,
}

/// Reads it from the tests of this checkout.
///
/// # Errors
/// A folder of tests can not be read.
pub fn tried() -> Result<Tried, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut tried = Tried::default();
    for folder in ["shared/aws/tests", "tests/tests/deployed"] {
        for path in sources(&root.join(folder))? {
            let text = std::fs::read_to_string(&path).map_err(|error| unreadable(&path, &error))?;
            tried.note(&text, folder.ends_with("deployed"));
        }
    }
    Ok(tried)
}

impl Tried {
    fn note(&mut self, text: &str, deployed: bool) {
        let against = if deployed {
            Against::Deployed
        } else if text.contains("Emulator::start") || text.contains("Moto::start") {
            Against::Emulator
        } else if text.contains("NetworkEndpoint") {
            Against::RealConnections
        } else {
            Against::ScriptedAnswers
        };
        for (word, kinds) in [("steps", &mut self.steps), ("probes", &mut self.probes)] {
            let marker = format!("//! Tries {word}: ");
            let named = text.lines().filter_map(|line| line.strip_prefix(&marker));
            for kind in named.flat_map(|kinds| kinds.trim_end_matches('.').split(", ")) {
                kinds.entry(kind.to_owned()).or_default().insert(against);
            }
        }
    }
}

/// The Rust files of a folder, in order.
///
/// # Errors
/// It can not be read.
pub fn sources(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let entries = std::fs::read_dir(folder).map_err(|error| unreadable(folder, &error))?;
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.map_err(|error| unreadable(folder, &error))?.path();
        if path.is_dir() {
            found.extend(sources(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn unreadable(path: &Path, error: &std::io::Error) -> String {
    format!("reading {}: {error}", path.display())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_file_says_what_it_tries_and_its_place_against_what() {
        let mut tried = Tried::default();
        tried.note(
            "//! Tries steps: elb_weights, invoke.\n//! Tries probes: metric.\n",
            false,
        );
        tried.note("//! Tries steps: invoke.\nlet moto = Moto::start().await;\n", false);
        tried.note("//! Tries steps: invoke.\n", true);
        let all = BTreeSet::from([Against::Deployed, Against::Emulator, Against::ScriptedAnswers]);
        assert_eq!(tried.steps["invoke"], all);
        assert_eq!(tried.steps.len() + tried.probes.len(), 3);
    }
}
