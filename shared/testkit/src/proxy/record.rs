//! The memory of the proxy: one record a call, kept from the moment it arrives.
//!
//! A record exists before its call is forwarded, so that "one call was in flight" can be seen
//! and not only inferred. Its outcome is filled in when the answer is there. Numbers only grow:
//! a test takes a [`Mark`], does something, and asks for what came after it.

use std::collections::VecDeque;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;

use super::faults::Fault;
use super::resource::TableKey;

/// How many records are kept. Each is below 1 KB, so a cloud left running stays under 200 MB.
const MAX_RECORDS: usize = 200_000;

/// One call that went through the proxy.
#[derive(Clone, Debug, Serialize)]
pub struct CallRecord {
    /// Grows by one with every call.
    pub number: u64,
    /// When the call had arrived in whole.
    pub arrived_at: jiff::Timestamp,
    /// The signing name of the service; absent on an unsigned call.
    pub service: Option<String>,
    /// The signed Region.
    pub region: Option<String>,
    /// The operation, for example `ModifyListener`, or `METHOD /path` where that is unknown.
    pub operation: String,
    /// ARNs, names and ids that the request names, where they were cheap to read.
    pub resources: Vec<String>,
    /// The item that a DynamoDB call names by key.
    pub table_key: Option<TableKey>,
    /// The access key id that signed the call.
    pub access_key_id: Option<String>,
    /// The role behind that key, if the harness registered it.
    pub caller: Option<String>,
    /// The emulator that was asked.
    pub upstream: String,
    /// The latency that the proxy added before it forwarded the call.
    pub latency_injected_milliseconds: u64,
    /// The fault that the proxy let it meet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault_injected: Option<Fault>,
    /// What came of it; absent while the call is in flight.
    pub outcome: Option<CallOutcome>,
}

impl CallRecord {
    /// The error code of the answer, if it was an error with one.
    pub fn error_code(&self) -> Option<&str> {
        self.outcome.as_ref()?.error_code.as_deref()
    }

    /// Whether the call was answered with a 2xx status.
    pub fn succeeded(&self) -> bool {
        self.outcome
            .as_ref()
            .is_some_and(|outcome| (200..300).contains(&outcome.status))
    }
}

/// How a call ended.
#[derive(Clone, Debug, Serialize)]
pub struct CallOutcome {
    /// The HTTP status that the caller was sent; 502 when the emulator could not be reached, 0 when the proxy hung up.
    pub status: u16,
    /// The AWS error code, for example `ConditionalCheckFailedException`.
    pub error_code: Option<String>,
    /// From arrival to answer, injected latency included.
    pub duration_milliseconds: u64,
}

/// A place in the record: everything with a number from here on came later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark(u64);

/// All records, and the file that they are also written to, if any.
#[derive(Debug, Default)]
pub(super) struct CallLog {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    next_number: u64,
    records: VecDeque<CallRecord>,
    file: Option<File>,
}

impl CallLog {
    /// A log that also appends each ended call as one line of JSON to `path`.
    pub(super) fn with_file(path: Option<&Path>) -> std::io::Result<Self> {
        let file = path
            .map(|path| File::options().create(true).append(true).open(path))
            .transpose()?;
        Ok(Self {
            inner: Mutex::new(Inner {
                file,
                ..Inner::default()
            }),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // The data is whole even if a holder died: every change below is a single push or set.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a call that has just arrived and returns its number.
    pub(super) fn arrived(&self, mut record: CallRecord) -> u64 {
        let mut inner = self.lock();
        let number = inner.next_number;
        inner.next_number += 1;
        record.number = number;
        if inner.records.len() == MAX_RECORDS {
            inner.records.pop_front();
        }
        inner.records.push_back(record);
        number
    }

    /// Completes a call's record. A record that has been dropped since is left alone.
    pub(super) fn ended(&self, number: u64, outcome: CallOutcome) {
        let mut inner = self.lock();
        let Some(first) = inner.records.front().map(|record| record.number) else {
            return;
        };
        let Some(position) = number.checked_sub(first).and_then(|p| usize::try_from(p).ok()) else {
            return;
        };
        let Inner { records, file, .. } = &mut *inner;
        let Some(record) = records.get_mut(position) else {
            return;
        };
        record.outcome = Some(outcome);
        if let (Some(file), Ok(mut line)) = (file.as_mut(), serde_json::to_vec(record)) {
            line.push(b'\n');
            // The file is a convenience for reading along: a full disk must not fail a call.
            let _ = file.write_all(&line);
        }
    }

    pub(super) fn mark(&self) -> Mark {
        Mark(self.lock().next_number)
    }

    pub(super) fn since(&self, mark: Mark) -> Vec<CallRecord> {
        self.lock()
            .records
            .iter()
            .filter(|record| record.number >= mark.0)
            .cloned()
            .collect()
    }

    pub(super) fn all(&self) -> Vec<CallRecord> {
        self.since(Mark(0))
    }

    pub(super) fn count(&self, service: &str, operation: &str) -> usize {
        self.lock()
            .records
            .iter()
            .filter(|record| record.service.as_deref() == Some(service) && record.operation == operation)
            .count()
    }
}
