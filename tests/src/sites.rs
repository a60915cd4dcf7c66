//! Two sites as real HTTP servers, and every way in which they can be unwell.
//!
//! A site keeps its port for life: a probe that is told the address once can see it die, answer
//! nonsense, hang, and come back.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::{Request, Response, StatusCode};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::local_cloud::{CloudError, free_listener};
use crate::server;

/// What a site does with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    /// Answers 200 on `/health` and `/`, 404 elsewhere.
    Well,
    /// Answers 500 to everything.
    Failing,
    /// Accepts the connection, reads the request, and never answers.
    Hanging,
    /// Does not listen: a connection is refused, and those that were open are closed.
    Dead,
}

/// One running site.
#[derive(Debug)]
pub struct Site {
    name: Arc<str>,
    address: SocketAddr,
    mood: watch::Sender<Mood>,
    serving: Option<JoinHandle<()>>,
}

impl Site {
    /// Starts a healthy site on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// When no port can be opened.
    pub async fn start(name: &str) -> Result<Self, CloudError> {
        let opening = || CloudError::system(format!("opening a port for the site {name}"));
        let listener = free_listener()?;
        listener.set_nonblocking(true).map_err(opening())?;
        let listener = TcpListener::from_std(listener).map_err(opening())?;
        let mut site = Self {
            name: name.into(),
            address: listener.local_addr().map_err(opening())?,
            mood: watch::Sender::new(Mood::Well),
            serving: None,
        };
        site.serve(listener);
        Ok(site)
    }

    /// What it was called; its answers say so.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where it listens, dead or alive.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address of its health page.
    pub fn health_url(&self) -> String {
        format!("http://{}/health", self.address)
    }

    /// What it does now.
    pub fn mood(&self) -> Mood {
        *self.mood.borrow()
    }

    /// Closes the socket and every connection, as a machine that lost its power would.
    /// When this returns, connections are refused.
    pub async fn die(&mut self) {
        self.mood.send_replace(Mood::Dead);
        if let Some(serving) = self.serving.take() {
            serving.abort();
            // The listener is closed when the task is gone, and not before.
            let _ = serving.await;
            // A child that another thread is just starting holds a copy of every open socket for
            // the moment between its fork and its exec. Until then the kernel still accepts.
            for _ in 0..1_000 {
                if TcpStream::connect(self.address).await.is_err() {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    }

    /// Answers 500 from now on.
    ///
    /// # Errors
    /// When it was dead and its port cannot be opened again.
    pub async fn answer_500(&mut self) -> Result<(), CloudError> {
        self.become_mood(Mood::Failing).await
    }

    /// Accepts requests and leaves them without an answer from now on.
    ///
    /// # Errors
    /// When it was dead and its port cannot be opened again.
    pub async fn hang(&mut self) -> Result<(), CloudError> {
        self.become_mood(Mood::Hanging).await
    }

    /// Is well again, on the same port.
    ///
    /// # Errors
    /// When it was dead and its port cannot be opened again.
    pub async fn come_back(&mut self) -> Result<(), CloudError> {
        self.become_mood(Mood::Well).await
    }

    async fn become_mood(&mut self, mood: Mood) -> Result<(), CloudError> {
        self.mood.send_replace(mood);
        if self.serving.is_none() {
            let listener = TcpListener::bind(self.address)
                .await
                .map_err(CloudError::system(format!(
                    "opening {} for the site {}",
                    self.address, self.name
                )))?;
            self.serve(listener);
        }
        Ok(())
    }

    fn serve(&mut self, listener: TcpListener) {
        let (name, mood) = (Arc::clone(&self.name), self.mood.subscribe());
        let serving = server::serve(listener, move |request| {
            answer(request, Arc::clone(&name), mood.clone())
        });
        self.serving = Some(tokio::spawn(serving));
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        if let Some(serving) = &self.serving {
            serving.abort();
        }
    }
}

async fn answer(
    request: Request<Incoming>,
    name: Arc<str>,
    mut mood: watch::Receiver<Mood>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    // A hanging request stays without an answer until the site changes its mood.
    let _ = mood.wait_for(|mood| *mood != Mood::Hanging).await;
    let now = *mood.borrow();
    let (status, text) = match (now, request.uri().path()) {
        (Mood::Well, "/" | "/health") => (StatusCode::OK, format!("{name} is well\n")),
        (Mood::Well, _) => (StatusCode::NOT_FOUND, format!("{name} has no such page\n")),
        _ => (StatusCode::INTERNAL_SERVER_ERROR, format!("{name} is not well\n")),
    };
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    Ok(response)
}
