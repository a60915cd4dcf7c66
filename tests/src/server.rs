//! A plain HTTP server: the loop that the sites and the benchmarks' servers share.

use std::convert::Infallible;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// Answers every request with `handler`, until the task that runs this is aborted: then the listener is closed, and
/// every connection with it.
pub(crate) async fn serve<Handler, Answering>(listener: TcpListener, handler: Handler)
where
    Handler: Fn(Request<Incoming>) -> Answering + Clone + Send + 'static,
    Answering: Future<Output = Result<Response<Full<Bytes>>, Infallible>> + Send + 'static,
{
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
        let handler = handler.clone();
        connections.spawn(async move {
            // An error here is a caller that hung up, or a process that was ended while it waited.
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service_fn(handler))
                .await;
        });
    }
}
