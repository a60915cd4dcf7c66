//! Health checks of Route 53 in [`FakeCloud`], and the sandboxes' and the simulator's ways to them.
//!
//! As in AWS: a reference answers with the check that it made, is refused for other settings, and is used up by a
//! deletion.

use crate::clock::lock;
use crate::cloud::{FakeCloud, Lagging, not_found};
use crate::cloud_ports::{conflict, seen_after};
use async_trait::async_trait;
use std::collections::{BTreeMap, BTreeSet};
use understudy_core::state::{HealthCheckMade, HealthCheckSettings, ResourceState};
use understudy_engine::ports::{CallError, HealthCheckFound, HealthChecks};

/// The health checks of a cloud, by the reference that each was made with.
#[derive(Default)]
pub(crate) struct Checks {
    made: BTreeMap<String, Lagging<Option<HealthCheckFound>>>,
    used: BTreeSet<String>,
}

impl FakeCloud {
    /// Every health check that really is, by id.
    pub fn health_checks(&self) -> Vec<HealthCheckFound> {
        let state = lock(&self.state);
        state
            .health_checks
            .made
            .values()
            .filter_map(|check| check.real.clone())
            .collect()
    }

    /// Changes every health check as somebody else would.
    pub fn change_health_checks(&self, change: impl Fn(&mut HealthCheckSettings)) {
        for check in lock(&self.state).health_checks.made.values_mut() {
            if let Some(mut found) = check.real.clone() {
                change(&mut found.settings);
                *check = Lagging::new(Some(found));
            }
        }
    }

    /// Makes a health check with a reference, as an earlier set-up would have.
    pub fn put_health_check(&self, reference: &str, check: HealthCheckFound) {
        let mut state = lock(&self.state);
        state.health_checks.used.insert(reference.to_owned());
        let check = Lagging::new(Some(check));
        state.health_checks.made.insert(reference.to_owned(), check);
    }

    // The reference and the check of this id.
    fn check_of(&self, id: &str) -> Result<(String, HealthCheckFound), CallError> {
        let state = lock(&self.state);
        let mut made = state.health_checks.made.iter();
        let found = made.find_map(|(reference, check)| {
            let check = check.real.as_ref().filter(|check| check.id == id)?;
            Some((reference.clone(), check.clone()))
        });
        found.ok_or_else(|| not_found("health check", id))
    }

    fn change_check(
        &self,
        operation: &'static str,
        id: &str,
        expected: Option<&HealthCheckSettings>,
        seen_after: u32,
        change: impl FnOnce(HealthCheckFound) -> Option<HealthCheckFound>,
    ) -> Result<(), CallError> {
        let (reference, before) = self.check_of(id)?;
        let accepted = expected.is_none_or(|expected| *expected == before.settings);
        let after = change(before.clone());
        let resource = name_of(&before).to_owned();
        self.record(
            operation,
            &resource,
            as_state(Some(&before)),
            as_state(after.as_ref()),
            accepted,
        );
        if !accepted {
            return Err(conflict(format!(
                "health check {id} is not as expected; nothing was changed"
            )));
        }
        if let Some(check) = lock(&self.state).health_checks.made.get_mut(&reference) {
            check.set(after, seen_after);
        }
        Ok(())
    }
}

// What the plan says of it.
fn name_of(check: &HealthCheckFound) -> &str {
    let settings = &check.settings;
    let name = settings.host.as_deref().or(settings.ip_address.as_deref());
    name.unwrap_or_default()
}

fn as_state(check: Option<&HealthCheckFound>) -> ResourceState {
    ResourceState::DnsHealthCheck {
        check: check.map(|check| HealthCheckMade {
            id: Some(check.id.clone()),
            settings: check.settings.clone(),
            is_tagged: !check.tags.is_empty(),
            made_by: check.tags.get("understudy").cloned(),
        }),
    }
}

#[async_trait]
impl HealthChecks for FakeCloud {
    async fn find(&self, prefix: &str) -> Result<Option<HealthCheckFound>, CallError> {
        let reply = self.reach("health_checks.find").await?;
        let mut state = lock(&self.state);
        let mut found = None;
        for (reference, check) in &mut state.health_checks.made {
            if reference.starts_with(prefix)
                && let Some(check) = check.read()
            {
                found = Some(check);
            }
        }
        reply.give("health_checks.find", found)
    }

    async fn create(&self, reference: &str, settings: &HealthCheckSettings) -> Result<(), CallError> {
        let reply = self.reach("health_checks.create").await?;
        let (known, count, is_used) = {
            let state = lock(&self.state);
            let checks = &state.health_checks;
            let known = checks.made.get(reference).and_then(|check| check.real.clone());
            (known, checks.used.len(), checks.used.contains(reference))
        };
        let made = HealthCheckFound {
            id: format!("check-{count}"),
            settings: settings.clone(),
            tags: BTreeMap::new(),
        };
        let is_same = known.as_ref().is_some_and(|known| known.settings == *settings);
        let accepted = is_same || !is_used;
        let after = known.clone().unwrap_or_else(|| made.clone());
        let (was, is) = (as_state(known.as_ref()), as_state(Some(&after)));
        self.record("health_checks.create", name_of(&made), was, is, accepted);
        if !accepted {
            return Err(conflict(format!("the reference {reference} was used before")));
        }
        if !is_used {
            let mut state = lock(&self.state);
            state.health_checks.used.insert(reference.to_owned());
            let mut check = Lagging::new(None);
            check.set(Some(made), seen_after(reply));
            state.health_checks.made.insert(reference.to_owned(), check);
        }
        reply.give("health_checks.create", ())
    }

    async fn update(
        &self,
        id: &str,
        expected: &HealthCheckSettings,
        wanted: &HealthCheckSettings,
    ) -> Result<(), CallError> {
        let reply = self.reach("health_checks.update").await?;
        let settings = wanted.clone();
        let change = |check| Some(HealthCheckFound { settings, ..check });
        self.change_check("health_checks.update", id, Some(expected), seen_after(reply), change)?;
        reply.give("health_checks.update", ())
    }

    async fn tag(&self, id: &str, tags: &BTreeMap<String, String>, present: bool) -> Result<(), CallError> {
        let reply = self.reach("health_checks.tag").await?;
        let change = |mut check: HealthCheckFound| {
            check.tags.retain(|key, _| !tags.contains_key(key));
            if present {
                check.tags.extend(tags.clone());
            }
            Some(check)
        };
        self.change_check("health_checks.tag", id, None, seen_after(reply), change)?;
        reply.give("health_checks.tag", ())
    }

    async fn delete(&self, id: &str, expected: &HealthCheckSettings) -> Result<(), CallError> {
        let reply = self.reach("health_checks.delete").await?;
        self.change_check("health_checks.delete", id, Some(expected), seen_after(reply), |_| None)?;
        reply.give("health_checks.delete", ())
    }
}
