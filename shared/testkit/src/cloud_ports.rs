//! The ports of [`FakeCloud`], but those of load balancers and of machines.

use crate::clock::lock;
use crate::cloud::{FakeCloud, Published, not_found};
use crate::cloud_steering::evaluate;
use crate::faults::Reply;
use async_trait::async_trait;
use serde_json::Value;
use understudy_core::control::Wake;
use understudy_core::health::{AlarmReading, Health, Sample};
use understudy_core::plan::EndpointProbe;
use understudy_core::report::Announcement;
use understudy_core::state::{RecordChange, RecordSet, ResourceState};
use understudy_engine::ports::{
    Alarms, CallError, CallErrorKind, Clock, Database, DatabaseClusterStatus, DatabaseStatus, Dns, Endpoint, Functions,
    Notifier,
};

impl FakeCloud {
    pub(crate) async fn reach(&self, operation: &str) -> Result<Reply, CallError> {
        self.clock.sleep(self.latency).await;
        self.faults.before(operation, &self.clock, Some(self)).await
    }
}

pub(crate) fn seen_after(reply: Reply) -> u32 {
    match reply {
        Reply::SeenAfter(reads) => reads,
        _ => 0,
    }
}

pub(crate) fn conflict(what: String) -> CallError {
    CallError::new(CallErrorKind::Conflict, what)
}

#[async_trait]
impl Dns for FakeCloud {
    async fn records(&self, hosted_zone_id: &str, names: &[(String, String)]) -> Result<Vec<RecordSet>, CallError> {
        let reply = self.reach("dns.records").await?;
        let mut state = lock(&self.state);
        let zone = state
            .zones
            .get_mut(hosted_zone_id)
            .ok_or_else(|| not_found("hosted zone", hosted_zone_id))?;
        let mut records = zone.read();
        records.retain(|set| {
            names
                .iter()
                .any(|(name, kind)| set.name == *name && set.record_type == *kind)
        });
        reply.give("dns.records", records)
    }

    async fn change_records(
        &self,
        hosted_zone_id: &str,
        changes: &[RecordChange],
        _comment: &str,
    ) -> Result<String, CallError> {
        let reply = self.reach("dns.change_records").await?;
        let before = {
            let state = lock(&self.state);
            state
                .zones
                .get(hosted_zone_id)
                .map(|zone| zone.real.clone())
                .ok_or_else(|| not_found("hosted zone", hosted_zone_id))?
        };
        // One batch: all deletes must be exactly there, all creates must not be.
        let mut after = before.clone();
        let mut accepted = true;
        for old in changes.iter().filter_map(|change| change.old.as_ref()) {
            let count = after.len();
            after.retain(|set| set != old);
            accepted &= after.len() < count;
        }
        for new in changes.iter().filter_map(|change| change.new.as_ref()) {
            let identity = |set: &RecordSet| (set.name.clone(), set.record_type.clone(), set.set_identifier.clone());
            accepted &= !after.iter().any(|set| identity(set) == identity(new));
            after.push(new.clone());
        }
        let as_state = |records: &[RecordSet]| ResourceState::DnsRecords {
            records: records.to_vec(),
        };
        self.record(
            "dns.change_records",
            hosted_zone_id,
            as_state(&before),
            as_state(&after),
            accepted,
        );
        if !accepted {
            return Err(conflict(format!(
                "zone {hosted_zone_id}: a record set is not as expected; nothing was changed"
            )));
        }
        let mut state = lock(&self.state);
        if let Some(zone) = state.zones.get_mut(hosted_zone_id) {
            zone.set(after, seen_after(reply));
        }
        state.next_change += 1;
        let id = format!("C{:08}", state.next_change);
        let polls = state.polls_until_in_sync;
        state.pending_changes.insert(id.clone(), polls);
        reply.give("dns.change_records", id)
    }

    async fn in_sync(&self, change_id: &str) -> Result<bool, CallError> {
        let reply = self.reach("dns.in_sync").await?;
        let mut state = lock(&self.state);
        let polls = state
            .pending_changes
            .get_mut(change_id)
            .ok_or_else(|| not_found("change", change_id))?;
        let done = *polls == 0;
        *polls = polls.saturating_sub(1);
        reply.give("dns.in_sync", done)
    }
}

#[async_trait]
impl Database for FakeCloud {
    async fn instance_statuses(&self, _region: Option<&str>, ids: &[String]) -> Result<Vec<DatabaseStatus>, CallError> {
        let reply = self.reach("database.instance_statuses").await?;
        if ids.len() > 100 {
            return Err(CallError::new(
                CallErrorKind::Refused,
                "DescribeDBInstances takes at most 100 ids",
            ));
        }
        let state = lock(&self.state);
        reply.give(
            "database.instance_statuses",
            ids.iter().filter_map(|id| state.databases.get(id).cloned()).collect(),
        )
    }
    async fn cluster_statuses(
        &self,
        _region: Option<&str>,
        ids: &[String],
    ) -> Result<Vec<DatabaseClusterStatus>, CallError> {
        let reply = self.reach("database.cluster_statuses").await?;
        if ids.len() > 100 {
            return Err(CallError::new(
                CallErrorKind::Refused,
                "DescribeDBClusters takes at most 100 ids",
            ));
        }
        let state = lock(&self.state);
        let found = ids.iter().filter_map(|id| state.data.cluster_status(id)).collect();
        reply.give("database.cluster_statuses", found)
    }
}

#[async_trait]
impl Alarms for FakeCloud {
    async fn readings(&self, _region: Option<&str>, names: &[String]) -> Result<Vec<AlarmReading>, CallError> {
        let reply = self.reach("alarms.readings").await?;
        if names.len() > 100 {
            return Err(CallError::new(
                CallErrorKind::Refused,
                "DescribeAlarms takes at most 100 names",
            ));
        }
        let mut state = lock(&self.state);
        evaluate(&mut state, self.clock.now());
        reply.give(
            "alarms.readings",
            names
                .iter()
                .filter_map(|name| state.alarms.get(name).cloned())
                .collect(),
        )
    }
}

#[async_trait]
impl Endpoint for FakeCloud {
    async fn check(&self, probe: &EndpointProbe) -> Sample {
        self.clock.sleep(self.latency).await;
        let (hangs, sample) = {
            let state = lock(&self.state);
            (
                state.hanging.contains(&probe.host),
                state.endpoints.get(&probe.host).cloned(),
            )
        };
        if hangs {
            // The port promises to answer within the probe's timeout.
            self.clock
                .sleep(jiff::SignedDuration::from_secs(i64::from(probe.timeout_seconds)))
                .await;
            return Sample::new(
                Health::Unhealthy,
                format!("no answer within {} s", probe.timeout_seconds),
            );
        }
        if let Err(error) = self.faults.before("endpoint.check", &self.clock, Some(self)).await {
            return Sample::new(Health::Unknown, error.message);
        }
        sample.unwrap_or_else(|| Sample::new(Health::Unhealthy, "connection refused"))
    }
}

#[async_trait]
impl Notifier for FakeCloud {
    async fn publish(&self, topic_arn: Option<&str>, plan: &str, announcement: &Announcement) -> Result<(), CallError> {
        let reply = self.reach("notifier.publish").await?;
        let published = Published {
            at: self.clock.now(),
            topic_arn: topic_arn.map(str::to_owned),
            plan: plan.to_owned(),
            announcement: announcement.clone(),
        };
        lock(&self.state).published.push(published);
        reply.give("notifier.publish", ())
    }
}

#[async_trait]
impl Functions for FakeCloud {
    async fn nudge(&self, function: Wake, plan: &str) -> Result<(), CallError> {
        let reply = self.reach("functions.nudge").await?;
        lock(&self.state).nudges.push((function, plan.to_owned()));
        reply.give("functions.nudge", ())
    }

    async fn ask_executor(&self, question: &Value) -> Result<Value, CallError> {
        let reply = self.reach("functions.ask_executor").await?;
        let Some(executor) = self.executor.get() else {
            return Err(CallError::new(
                CallErrorKind::Refused,
                "nobody answers questions in this world",
            ));
        };
        let answer = executor(question.clone()).await?;
        reply.give("functions.ask_executor", answer)
    }
}
