//! Lambda's Runtime API for one process, with a stopwatch.
//!
//! 1. The process asks `GET …/invocation/next`: the moment at which it did so is kept, and it waits.
//! 2. [`RuntimeApi::invoke`] gives it an event: the watch starts.
//! 3. The process posts its answer or its error: the watch stops when the request has arrived in whole.
//!
//! One connection or several make no difference; one process a server does.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::{Method, Request, Response, StatusCode};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::local_cloud::{ACCOUNT, CloudError, REGION};
use crate::server;

/// How much time a function is told it has. The probe begins no round in its last 8 seconds, and rounds lie 5
/// seconds apart: given an event right after such a moment, it has time for exactly one.
const INVOCATION_DEADLINE: Duration = Duration::from_secs(12);
/// The path in front of `next`, `<id>/response` and `<id>/error`.
const INVOCATION: &str = "/2018-06-01/runtime/invocation/";

/// The process asks for work.
struct Asked {
    at: Instant,
    reply: oneshot::Sender<Bytes>,
}

/// The process has ended its work.
struct Answered {
    at: Instant,
    body: Bytes,
    failed: bool,
}

/// One invocation, as it was seen from here.
#[derive(Clone, Debug)]
pub struct Invoked {
    /// From giving out the event to the answer.
    pub elapsed: Duration,
    /// When the answer was there.
    pub answered_at: Instant,
    /// What was answered.
    pub answer: Value,
}

/// A running Runtime API. Dropping it closes the socket and its connections.
pub struct RuntimeApi {
    address: SocketAddr,
    asked: mpsc::UnboundedReceiver<Asked>,
    answered: mpsc::UnboundedReceiver<Answered>,
    waiting: Option<Asked>,
    accepting: JoinHandle<()>,
}

impl RuntimeApi {
    /// Starts listening on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// When no port can be opened.
    pub async fn start() -> Result<Self, CloudError> {
        let opening = || CloudError::system("opening a port of 127.0.0.1 for the Runtime API");
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(opening())?;
        let address = listener.local_addr().map_err(opening())?;
        let (asked_sender, asked) = mpsc::unbounded_channel();
        let (answered_sender, answered) = mpsc::unbounded_channel();
        let accepting = tokio::spawn(server::serve(listener, move |request| {
            answer(request, asked_sender.clone(), answered_sender.clone())
        }));
        Ok(Self {
            address,
            asked,
            answered,
            waiting: None,
            accepting,
        })
    }

    /// What to put into `AWS_LAMBDA_RUNTIME_API`.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits until the process asks for work; answers when it did. It goes on waiting.
    ///
    /// # Errors
    /// When the server has ended.
    pub async fn next_asked(&mut self) -> Result<Instant, CloudError> {
        if let Some(asked) = &self.waiting {
            return Ok(asked.at);
        }
        let asked = self.asked.recv().await.ok_or_else(ended)?;
        Ok(self.waiting.insert(asked).at)
    }

    /// Gives the process an event and waits for its answer.
    ///
    /// # Errors
    /// When the function answers an error, or something that is not JSON.
    pub async fn invoke(&mut self, event: &Value) -> Result<Invoked, CloudError> {
        self.next_asked().await?;
        let asked = self.waiting.take().ok_or_else(ended)?;
        let body = Bytes::from(event.to_string());
        let given_at = Instant::now();
        asked.reply.send(body).map_err(|_| ended())?;
        let answered = self.answered.recv().await.ok_or_else(ended)?;
        let text = String::from_utf8_lossy(&answered.body);
        if answered.failed {
            return Err(CloudError::missing(
                "the answer of the function",
                format!("an error: {text}"),
            ));
        }
        let answer = serde_json::from_slice(&answered.body)
            .map_err(|error| CloudError::missing("the answer of the function", format!("{error}: {text}")))?;
        Ok(Invoked {
            elapsed: answered.at.duration_since(given_at),
            answered_at: answered.at,
            answer,
        })
    }
}

impl Drop for RuntimeApi {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

fn ended() -> CloudError {
    CloudError::missing("the Runtime API", "it has ended; nothing was measured")
}

async fn answer(
    request: Request<Incoming>,
    asked: mpsc::UnboundedSender<Asked>,
    answered: mpsc::UnboundedSender<Answered>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let at = Instant::now();
    let (head, body) = request.into_parts();
    let what = head.uri.path().strip_prefix(INVOCATION).unwrap_or_default();
    if head.method == Method::GET && what == "next" {
        let (reply, event) = oneshot::channel();
        let _ = asked.send(Asked { at, reply });
        // An error: the bench has ended, and the process is ended with it.
        return Ok(event.await.map_or_else(|_| empty(StatusCode::GONE), invocation));
    }
    // Also an error while starting (`/runtime/init/error`): it answers an invocation that nobody has made yet.
    let failed = !what.ends_with("/response");
    let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let at = Instant::now();
    let _ = answered.send(Answered { at, body, failed });
    Ok(empty(StatusCode::ACCEPTED))
}

fn empty(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}

fn invocation(event: Bytes) -> Response<Full<Bytes>> {
    let deadline = SystemTime::now()
        .checked_add(INVOCATION_DEADLINE)
        .and_then(|at| at.duration_since(UNIX_EPOCH).ok())
        .unwrap_or_default();
    Response::builder()
        .header("Content-Type", "application/json")
        .header("Lambda-Runtime-Aws-Request-Id", uuid::Uuid::new_v4().to_string())
        .header("Lambda-Runtime-Deadline-Ms", deadline.as_millis().to_string())
        .header(
            "Lambda-Runtime-Invoked-Function-Arn",
            format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:bench"),
        )
        .header(
            "Lambda-Runtime-Trace-Id",
            "Root=1-00000000-000000000000000000000000;Sampled=0",
        )
        .body(Full::new(event))
        .unwrap_or_else(|_| empty(StatusCode::INTERNAL_SERVER_ERROR))
}
