//! Keeps a line of each request, also of one that is never answered.

use crate::requests::Asked;
use crate::sandbox::Sandbox;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::Response;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

/// Who asks; `None` within the process.
pub(super) fn peer(request: &Request) -> Option<IpAddr> {
    let info = request.extensions().get::<ConnectInfo<SocketAddr>>();
    info.map(|ConnectInfo(address)| address.ip().to_canonical())
}

/// Where the faults that strike a request are noted for its line; an extension of the request.
#[derive(Debug, Clone, Default)]
pub(super) struct Struck(Arc<OnceLock<Vec<&'static str>>>);

impl Struck {
    pub(super) fn note(&self, faults: Vec<&'static str>) {
        // One layer notes, once.
        let _ = self.0.set(faults);
    }
}

/// Marks an answer that nobody sees a byte of; an extension of the answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Unseen;

/// A line that is written when the request ends: with its status, or with 0 when whoever asked left before.
struct Pending {
    sandbox: Sandbox,
    asked: Option<Asked>,
    struck: Struck,
    began: Instant,
    status: u16,
}

/// The header of a page that only watches: its looks at `/sandbox/…`, once a second, are not logged.
const WATCH: &str = "X-Sandbox-Watch";

pub(super) async fn log(State(sandbox): State<Sandbox>, mut request: Request, next: Next) -> Response {
    let (method, uri, headers) = (request.method(), request.uri(), request.headers());
    if method == Method::GET && uri.path().starts_with("/sandbox/") && headers.contains_key(WATCH) {
        return next.run(request).await;
    }
    let asked = Asked::of(method, uri, headers, peer(&request), sandbox.clock().now_ms);
    let struck = Struck::default();
    request.extensions_mut().insert(struck.clone());
    let mut line = Pending { sandbox, asked: Some(asked), struck, began: Instant::now(), status: 0 };
    let response = next.run(request).await;
    if response.extensions().get::<Unseen>().is_none() {
        line.status = response.status().as_u16();
    }
    response
}

impl Drop for Pending {
    fn drop(&mut self) {
        let Some(asked) = self.asked.take() else { return };
        let took = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let faults = self.struck.0.get().cloned().unwrap_or_default();
        self.sandbox.answered(asked.answered(self.status, took, faults));
    }
}
