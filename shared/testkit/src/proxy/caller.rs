//! Who is calling: access key ids and the roles they stand for.
//!
//! A record names the caller by role, so that a test can say "the executor called this". The
//! harness fills the registry after a deployment; calls of a key that nobody registered have no
//! caller name, and their key id is still in the record.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use sha2::{Digest, Sha256};

/// Access key id to role name, shared between the proxy and whoever deploys.
#[derive(Clone, Debug, Default)]
pub struct CallerRegistry {
    names: Arc<RwLock<HashMap<String, String>>>,
}

impl CallerRegistry {
    /// Names the holder of `access_key_id`; a later name replaces an earlier one.
    pub fn name(&self, access_key_id: impl Into<String>, role_name: impl Into<String>) {
        // A poisoned lock only means that a test thread died elsewhere; the map itself is whole.
        self.names
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(access_key_id.into(), role_name.into());
    }

    /// The role behind an access key id, if it was registered.
    pub fn name_of(&self, access_key_id: &str) -> Option<String> {
        self.names
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(access_key_id)
            .cloned()
    }
}

/// The access key id that ministack gives to a function that runs under a role.
///
/// It is derived, not random: `ASIA` and the first sixteen upper-case hexadecimal digits of
/// the SHA-256 of `<function ARN>:<role ARN>`. So a caller can be named before it ever calls.
pub fn function_access_key(function_arn: &str, role_arn: &str) -> String {
    let digest = Sha256::digest(format!("{function_arn}:{role_arn}").as_bytes());
    let mut key = String::from("ASIA");
    for byte in digest.iter().take(8) {
        key.push_str(&format!("{byte:02X}"));
    }
    key
}
