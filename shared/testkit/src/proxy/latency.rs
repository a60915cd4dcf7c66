//! How much slower the proxy makes a call.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

/// The latency added to each call: one for all, and one a service that replaces it.
#[derive(Clone, Debug, Default)]
pub struct Latency {
    inner: Arc<RwLock<Settings>>,
}

#[derive(Debug, Default)]
struct Settings {
    every_call: Duration,
    by_service: BTreeMap<String, Duration>,
}

impl Latency {
    /// Adds `latency` to every call of every service that has no latency of its own.
    pub fn set_every_call(&self, latency: Duration) {
        self.inner.write().unwrap_or_else(PoisonError::into_inner).every_call = latency;
    }

    /// Adds `latency` to every call of one service (signing name) instead of the general one.
    pub fn set_service(&self, service: impl Into<String>, latency: Duration) {
        self.inner
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .by_service
            .insert(service.into(), latency);
    }

    /// Back to no added latency at all.
    pub fn clear(&self) {
        *self.inner.write().unwrap_or_else(PoisonError::into_inner) = Settings::default();
    }

    /// What a call of `service` gets.
    pub fn of(&self, service: Option<&str>) -> Duration {
        let settings = self.inner.read().unwrap_or_else(PoisonError::into_inner);
        service
            .and_then(|name| settings.by_service.get(name))
            .copied()
            .unwrap_or(settings.every_call)
    }
}
