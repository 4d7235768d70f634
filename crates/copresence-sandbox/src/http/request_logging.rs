//! Logs every request, including those that are never answered.

use crate::requests::LoggedRequestBeforeHandling;
use crate::sandbox::Sandbox;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::Response;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

/// The IP address of the client; `None` within the process.
pub(super) fn client_address(request: &Request) -> Option<IpAddr> {
    let info = request.extensions().get::<ConnectInfo<SocketAddr>>();
    info.map(|ConnectInfo(address)| address.ip().to_canonical())
}

/// The names of the faults applied to a request, for its log line; an extension of the request.
#[derive(Debug, Clone, Default)]
pub(super) struct AppliedFaultNames(Arc<OnceLock<Vec<&'static str>>>);

impl AppliedFaultNames {
    /// Notes the faults applied to the request, for its log line. Only the first call counts.
    pub(super) fn record_fault_names(&self, faults: Vec<&'static str>) {
        // Only the fault layer records, once per request.
        let _ = self.0.set(faults);
    }
}

/// Marks a response that is not sent: no byte of it leaves. An extension of the response.
#[derive(Debug, Clone, Copy)]
pub(super) struct UnsentResponseMarker;

/// A log line that is written when dropped, with status 0 if the client disconnected before a response.
struct PendingLogLine {
    sandbox: Sandbox,
    request: Option<LoggedRequestBeforeHandling>,
    applied_faults: AppliedFaultNames,
    started_at: Instant,
    status: u16,
}

/// Sent by the index page, which polls `/sandbox/…` once a second. These requests are not logged.
const WATCH_HEADER: &str = "X-Sandbox-Watch";

/// Middleware: logs a request once it is answered or its client has left. Polls of the index page are not logged.
pub(super) async fn log_request(State(sandbox): State<Sandbox>, mut request: Request, next: Next) -> Response {
    let (method, uri, headers) = (request.method(), request.uri(), request.headers());
    if method == Method::GET && uri.path().starts_with("/sandbox/") && headers.contains_key(WATCH_HEADER) {
        return next.run(request).await;
    }
    let logged = LoggedRequestBeforeHandling::mask_request_for_log(
        method,
        uri,
        headers,
        client_address(&request),
        sandbox.clock_state().now_ms,
    );
    let applied_faults = AppliedFaultNames::default();
    request.extensions_mut().insert(applied_faults.clone());
    let mut pending =
        PendingLogLine { sandbox, request: Some(logged), applied_faults, started_at: Instant::now(), status: 0 };
    let response = next.run(request).await;
    if response.extensions().get::<UnsentResponseMarker>().is_none() {
        pending.status = response.status().as_u16();
    }
    response
}

impl Drop for PendingLogLine {
    fn drop(&mut self) {
        let Some(logged) = self.request.take() else { return };
        let duration_ms = u64::try_from(self.started_at.elapsed().as_millis()).unwrap_or(u64::MAX);
        let faults = self.applied_faults.0.get().cloned().unwrap_or_default();
        self.sandbox.notify_watchers_and_log_request(logged.into_log_line(self.status, duration_ms, faults));
    }
}
