//! Pre-states that are too large for the control item: written before the intent, under their hash, and never changed.
//!
//! 1. The item is written. One with the same content may be there already, from an executor that was ended before its
//!    intent was durable, or from an earlier move: it is written again all the same, as it is. That gives it a new
//!    version, and the probe, which deletes what nobody names, can not delete what it saw before somebody needed it.
//! 2. Only then is the intent committed, with the hash.
//! 3. Whoever needs the pre-state reads it back and hashes it. An item that is gone or has another content restores
//!    nothing: what was there before is then not known, and is not guessed.

use crate::ports::{CallError, CallErrorKind, Key};
use crate::store::{PRE_STATE, Store};
use sha2::{Digest, Sha256};
use understudy_core::execution::{MAX_INLINE_PRE_STATE_BYTES, PreState};
use understudy_core::state::ResourceState;

/// Makes a state ready to be recorded as a pre-state: a large one is durable when this returns.
///
/// # Errors
/// The table could not be written, or the item of this name has another content.
pub(super) async fn keep(store: &Store, plan: &str, state: &ResourceState) -> Result<PreState, CallError> {
    keep_within(store, plan, state, MAX_INLINE_PRE_STATE_BYTES).await
}

/// The same, where less than in the control item may be kept in place.
///
/// # Errors
/// As for [`keep`].
pub(super) async fn keep_within(
    store: &Store,
    plan: &str,
    state: &ResourceState,
    most_bytes: usize,
) -> Result<PreState, CallError> {
    let json = json_of(plan, state)?;
    if json.len() <= most_bytes {
        return Ok(PreState::Inline(state.clone()));
    }
    let sha256 = hash(&json);
    let kept = store
        .upsert(&key(plan, &sha256), |found: Option<ResourceState>| match found {
            Some(other) if other != *state => (None, false),
            _ => (Some(state.clone()), true),
        })
        .await?;
    if !kept {
        return Err(CallError::new(
            CallErrorKind::Refused,
            format!(
                "recording the pre-state: item {plan}/{PRE_STATE}{sha256} is there with another content; nothing was \
                 called; somebody wrote it by hand? Delete it and try again"
            ),
        ));
    }
    Ok(PreState::Stored { sha256 })
}

/// The pre-state itself.
///
/// # Errors
/// The table could not be read, or the item is gone or is not what its name says.
pub(super) async fn recall(store: &Store, plan: &str, pre_state: &PreState) -> Result<ResourceState, CallError> {
    let sha256 = match pre_state {
        PreState::Inline(state) => return Ok(state.clone()),
        PreState::Stored { sha256 } => sha256,
    };
    let lost = |kind, found: &str| {
        CallError::new(
            kind,
            format!(
                "reading what was there before: item {plan}/{PRE_STATE}{sha256} {found}, so it is not known what to \
                 restore; nothing was called; restore the resource by hand, then resolve the execution"
            ),
        )
    };
    let Some(state) = store.read::<ResourceState>(&key(plan, sha256)).await? else {
        return Err(lost(CallErrorKind::NotFound, "is not in the table"));
    };
    if hash(&json_of(plan, &state)?) != *sha256 {
        return Err(lost(CallErrorKind::Refused, "has another content than was written"));
    }
    Ok(state)
}

fn key(plan: &str, sha256: &str) -> Key {
    Key {
        plan: plan.to_owned(),
        item: format!("{PRE_STATE}{sha256}"),
    }
}

fn json_of(plan: &str, state: &ResourceState) -> Result<String, CallError> {
    serde_json::to_string(state).map_err(|error| {
        CallError::new(
            CallErrorKind::Refused,
            format!("a pre-state of plan {plan} has no JSON form: {error}; nothing was called"),
        )
    })
}

fn hash(json: &str) -> String {
    Sha256::digest(json).iter().map(|byte| format!("{byte:02x}")).collect()
}
