//! Rules of the policy that a schema can not say.

use super::super::Policy;
use super::super::parse::{Path, Problems};
use super::text;

/// Adds the problems of the policy.
pub(super) fn check(policy: &Policy, path: &Path, problems: &mut Problems) {
    let references = path.key("observers").key("reference");
    for (index, reference) in policy.observers.reference.iter().enumerate() {
        let Some((host, port)) = reference.rsplit_once(':') else {
            continue;
        };
        if let Some(refusal) = text::host_refusal(host) {
            problems.add(
                references.at(index),
                format!("{refusal}; found {}", text::quoted(reference)),
            );
        }
        if !port.parse::<u16>().is_ok_and(|port| port > 0) {
            let message = format!("a port is a number from 1 to 65535; found {}", text::quoted(reference));
            problems.add(references.at(index), message);
        }
    }
}
