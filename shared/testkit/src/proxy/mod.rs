//! The recording proxy: what really was called, by whom, in which order.
//!
//! It listens on one loopback address and stands between AWS SDKs and several emulators:
//!
//! ```text
//! probe, decision, executor, operator ──▶ proxy ──┬──▶ ministack (DynamoDB, Lambda, SNS, …)
//!                                          │      └──▶ moto      (ELB, EC2, RDS, …)
//!                                          ▼
//!                                       records
//! ```
//!
//! The service in a call's own signature says where it goes, so callers need one endpoint only.
//! Every call is recorded before it is forwarded and completed when it is answered. Latency can
//! be added to all calls or to one service's. Signatures stay valid: nothing signed is changed.
//!
//! On a bad day ([`ProxyFaults`]) calls are throttled, refused with a server's error, or lose their connection before
//! or after their effect: by caller, service and operation, so often of a hundred, from a seed.

mod answer;
mod caller;
#[cfg(test)]
mod fault_tests;
mod faults;
mod forward;
mod latency;
mod operation;
mod record;
mod refusal;
mod resource;
mod route;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::service::service_fn;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};

pub use caller::{CallerRegistry, function_access_key};
pub use faults::{Fault, FaultRule, ProxyFaults};
pub use latency::Latency;
pub use record::{CallOutcome, CallRecord, Mark};
pub use resource::TableKey;
pub use route::{CredentialScope, RoutingTable, Upstream};

use record::CallLog;

/// The largest body that is read, either way: above Lambda's 50 MB package upload.
pub(crate) const BODY_LIMIT_BYTES: usize = 64 * 1024 * 1024;

/// How the proxy is to be started.
#[derive(Clone, Debug)]
pub struct ProxySettings {
    /// Which service goes where.
    pub routes: RoutingTable,
    /// Also append every ended call to this file, one line of JSON each.
    pub record_file: Option<PathBuf>,
    /// How long an emulator may take; Lambda's synchronous invocations are the longest.
    pub upstream_timeout: Duration,
}

impl ProxySettings {
    /// Settings with no record file and room for an invocation of five minutes.
    pub fn new(routes: RoutingTable) -> Self {
        Self {
            routes,
            record_file: None,
            upstream_timeout: Duration::from_secs(300),
        }
    }
}

/// Why a proxy did not start.
#[derive(Debug, thiserror::Error)]
pub enum ProxyError {
    /// No loopback port could be opened.
    #[error("the recording proxy could not listen on 127.0.0.1; nothing was started")]
    Listen(#[source] std::io::Error),
    /// The record file could not be opened.
    #[error("the recording proxy could not open its record file {path}; nothing was started")]
    RecordFile {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
}

/// What the connections share.
#[derive(Debug)]
struct Shared {
    routes: RoutingTable,
    latency: Latency,
    callers: CallerRegistry,
    faults: ProxyFaults,
    log: CallLog,
    client: Client<HttpConnector, Full<Bytes>>,
    upstream_timeout: Duration,
}

/// A running proxy. Dropping it closes the listening socket and its connections.
#[derive(Debug)]
pub struct RecordingProxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

impl RecordingProxy {
    /// Starts listening on a free port of 127.0.0.1. Emulators may be started later.
    ///
    /// # Errors
    /// When no port or the record file can be opened; nothing is left running then.
    pub async fn start(settings: ProxySettings) -> Result<Self, ProxyError> {
        let log = CallLog::with_file(settings.record_file.as_deref()).map_err(|source| ProxyError::RecordFile {
            path: settings.record_file.unwrap_or_default(),
            source,
        })?;
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(ProxyError::Listen)?;
        let address = listener.local_addr().map_err(ProxyError::Listen)?;
        // No pooled connections to emulators: one that the other side is just closing would
        // lose a call, and the proxy may not repeat a call of its own accord.
        let client = Client::builder(TokioExecutor::new())
            .pool_max_idle_per_host(0)
            .retry_canceled_requests(false)
            .build_http();
        let shared = Arc::new(Shared {
            routes: settings.routes,
            latency: Latency::default(),
            callers: CallerRegistry::default(),
            faults: ProxyFaults::default(),
            log,
            client,
            upstream_timeout: settings.upstream_timeout,
        });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Ok(Self {
            address,
            shared,
            accepting,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What to put into `AWS_ENDPOINT_URL`.
    pub fn endpoint_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The latency that is added to calls; may be changed at any time.
    pub fn latency(&self) -> &Latency {
        &self.shared.latency
    }

    /// What happens to calls on a bad day; may be changed at any time.
    pub fn faults(&self) -> &ProxyFaults {
        &self.shared.faults
    }

    /// The names of the callers; may be filled at any time, and counts for later calls.
    pub fn callers(&self) -> &CallerRegistry {
        &self.shared.callers
    }

    /// Every call kept so far, oldest first, calls in flight included.
    pub fn calls(&self) -> Vec<CallRecord> {
        self.shared.log.all()
    }

    /// The present end of the record.
    pub fn mark(&self) -> Mark {
        self.shared.log.mark()
    }

    /// Every call that arrived after `mark` was taken.
    pub fn calls_since(&self, mark: Mark) -> Vec<CallRecord> {
        self.shared.log.since(mark)
    }

    /// How many calls of one operation arrived, whatever came of them.
    pub fn count(&self, service: &str, operation: &str) -> usize {
        self.shared.log.count(service, operation)
    }
}

impl Drop for RecordingProxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    // Owned by this task, so that ending it ends every connection too.
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next(), if !connections.is_empty() => continue,
        };
        let Ok((stream, _)) = accepted else {
            // Out of file descriptors, or a caller that was gone already: neither is the end.
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        let _ = stream.set_nodelay(true);
        let shared = Arc::clone(&shared);
        connections.spawn(async move {
            let service = service_fn(move |request| forward::serve(Arc::clone(&shared), request));
            // An error here is a caller that hung up or spoke no HTTP; its calls are on record.
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}
