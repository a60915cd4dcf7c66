//! Where the pre-state of a step is kept: in the control item, or, if it is large, in an item of its own.
//!
//! The control item is written whole with every change and must stay small. A large pre-state is written once, before
//! the intent that needs it, under the hash of its content: whoever reads it back can tell that it is the right one.

use crate::state::ResourceState;
use serde::{Deserialize, Serialize};

/// The largest pre-state, in bytes of its JSON form, that the control item itself holds.
pub const MAX_INLINE_PRE_STATE_BYTES: usize = 8 * 1024;

/// What undo restores, or where that is written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum PreState {
    /// In an item of its own, written once.
    Stored {
        /// The SHA-256 of its JSON form, in hexadecimal digits: also the name of the item.
        sha256: String,
    },
    /// Here.
    Inline(ResourceState),
}

impl PreState {
    /// The pre-state itself, where it is kept here.
    pub fn inline(&self) -> Option<&ResourceState> {
        match self {
            Self::Inline(state) => Some(state),
            Self::Stored { .. } => None,
        }
    }

    /// Whether there is nothing to restore.
    pub fn is_gate(&self) -> bool {
        *self == Self::Inline(ResourceState::Gate)
    }
}

impl From<ResourceState> for PreState {
    fn from(state: ResourceState) -> Self {
        Self::Inline(state)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    #[test]
    fn an_inline_pre_state_is_written_as_the_state_itself_and_a_stored_one_as_its_hash() {
        for (pre_state, written) in [
            (PreState::from(ResourceState::Gate), json!({"kind": "gate"})),
            (
                PreState::from(ResourceState::DnsRecords { records: Vec::new() }),
                json!({"kind": "dns_records", "records": []}),
            ),
            (PreState::Stored { sha256: "0a".into() }, json!({"sha256": "0a"})),
        ] {
            assert_eq!(serde_json::to_value(&pre_state).unwrap(), written);
            assert_eq!(serde_json::from_value::<PreState>(written).unwrap(), pre_state);
        }
    }
}
