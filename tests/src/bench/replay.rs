//! moto's answers without moto's slowness.
//!
//! moto answers one call at a time and needs milliseconds of processor for each, where AWS answers thousands at
//! once: with moto itself behind the proxy, a round mostly measures moto. So rounds are measured twice:
//!
//! - passing on: every describe goes to moto;
//! - replaying: a describe that moto has answered before is answered again with the same bytes.
//!
//! The key is the whole request (path and body; the signature and the time are in headers), so each side is only
//! ever given what moto said to that very question. Both sides are measured in both ways.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::{Request, Response, StatusCode, header};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::local_cloud::CloudError;
use crate::server;

/// An answer that can be given again.
#[derive(Clone)]
struct Answer {
    status: StatusCode,
    content_type: Option<header::HeaderValue>,
    body: Bytes,
}

struct Shared {
    emulator: String,
    replaying: AtomicBool,
    known: Mutex<HashMap<(String, Bytes), Answer>>,
    client: Client<HttpConnector, Full<Bytes>>,
}

/// A server in front of an emulator. Dropping it closes the socket and its connections.
pub struct Replay {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

impl Replay {
    /// Starts in front of `http://<host:port>` on a free port of 127.0.0.1, passing everything on.
    ///
    /// # Errors
    /// When no port can be opened.
    pub async fn start(emulator: &str) -> Result<Self, CloudError> {
        let opening = || CloudError::system("opening a port of 127.0.0.1 in front of moto");
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(opening())?;
        let address = listener.local_addr().map_err(opening())?;
        let shared = Arc::new(Shared {
            emulator: emulator.to_owned(),
            replaying: AtomicBool::new(false),
            known: Mutex::default(),
            // As the proxy: a pooled connection that the other side is just closing would lose a call.
            client: Client::builder(TokioExecutor::new())
                .pool_max_idle_per_host(0)
                .build_http(),
        });
        let serving = Arc::clone(&shared);
        let accepting = tokio::spawn(server::serve(listener, move |request| {
            answer(Arc::clone(&serving), request)
        }));
        Ok(Self {
            address,
            shared,
            accepting,
        })
    }

    /// `host:port` of it.
    pub fn authority(&self) -> String {
        self.address.to_string()
    }

    /// From now on, what is known is answered from memory, or nothing is.
    pub fn set_replaying(&self, replaying: bool) {
        self.shared.replaying.store(replaying, Ordering::SeqCst);
    }
}

impl Drop for Replay {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn answer(shared: Arc<Shared>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let path = head.uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
    let key = (path, body);
    if shared.replaying.load(Ordering::SeqCst) {
        let known = shared.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(answer) = known.get(&key) {
            return Ok(response(answer));
        }
    }
    let mut request = Request::new(Full::new(key.1.clone()));
    *request.method_mut() = head.method;
    *request.headers_mut() = head.headers;
    let uri = format!("{}{}", shared.emulator, key.0).parse();
    *request.uri_mut() = uri.unwrap_or_default();
    let answer = match pass_on(&shared, request).await {
        Ok(answer) => answer,
        Err(reason) => Answer {
            status: StatusCode::BAD_GATEWAY,
            content_type: None,
            body: Bytes::from(reason),
        },
    };
    let given = response(&answer);
    // Only what describes: an answer to anything else may be true only once.
    if answer.status.is_success() && String::from_utf8_lossy(&key.1).contains("Action=Describe") {
        let mut known = shared.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(key, answer);
    }
    Ok(given)
}

async fn pass_on(shared: &Shared, request: Request<Full<Bytes>>) -> Result<Answer, String> {
    let response = shared
        .client
        .request(request)
        .await
        .map_err(|error| error.to_string())?;
    let (head, body) = response.into_parts();
    let body = body.collect().await.map_err(|error| error.to_string())?;
    Ok(Answer {
        status: head.status,
        content_type: head.headers.get(header::CONTENT_TYPE).cloned(),
        body: body.to_bytes(),
    })
}

fn response(answer: &Answer) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(answer.body.clone()));
    *response.status_mut() = answer.status;
    if let Some(kind) = &answer.content_type {
        response.headers_mut().insert(header::CONTENT_TYPE, kind.clone());
    }
    response
}
