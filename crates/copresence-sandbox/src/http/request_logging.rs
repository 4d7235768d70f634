//! Logs every request, including those that are never answered.

use crate::requests::{FinishedRequest, LoggedRequestBeforeHandling};
use crate::sandbox::Sandbox;
use axum::extract::{ConnectInfo, Request};
use axum::http::Method;
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

/// The IP address of the client; `None` within the process.
pub(super) fn client_address(request: &Request) -> Option<IpAddr> {
    let info = request.extensions().get::<ConnectInfo<SocketAddr>>();
    info.map(|ConnectInfo(address)| address.ip().to_canonical())
}

/// Marks a response that is not sent: no byte of it leaves. An extension of the response.
#[derive(Debug, Clone, Copy)]
pub(super) struct UnsentResponseMarker;

/// A log line that is written when dropped, with status 0 if the client disconnected before a response.
pub(super) struct PendingLogLine {
    sandbox: Sandbox,
    request: Option<LoggedRequestBeforeHandling>,
    started_at: Instant,
    /// The names of the faults applied to the request.
    pub(super) applied_faults: Vec<&'static str>,
    /// The status of the response; 0 until it is there, and if it is not sent.
    pub(super) status: u16,
}

/// Sent by the index page, which polls `/sandbox/…` once a second. These requests are not logged.
const WATCH_HEADER: &str = "X-Sandbox-Watch";

/// Begins the log line of a request. It is logged once it is answered or its client has left. `None` for polls of the
/// index page.
pub(super) fn begin_log_line(sandbox: &Sandbox, request: &Request) -> Option<PendingLogLine> {
    let (method, uri, headers) = (request.method(), request.uri(), request.headers());
    if method == Method::GET && uri.path().starts_with("/sandbox/") && headers.contains_key(WATCH_HEADER) {
        return None;
    }
    let started_at = Instant::now();
    let at_ms = sandbox.virtual_milliseconds_at(started_at);
    let peer = client_address(request);
    let logged = LoggedRequestBeforeHandling::mask_request_for_log(method, uri, headers, peer, at_ms);
    Some(PendingLogLine {
        sandbox: sandbox.clone(),
        request: Some(logged),
        started_at,
        applied_faults: Vec::new(),
        status: 0,
    })
}

impl Drop for PendingLogLine {
    fn drop(&mut self) {
        let Some(received) = self.request.take() else { return };
        self.sandbox.notify_watchers_and_log_request(FinishedRequest {
            received,
            status: self.status,
            duration_ms: u64::try_from(self.started_at.elapsed().as_millis()).unwrap_or(u64::MAX),
            world: self.sandbox.world_id().map(str::to_owned),
            faults: std::mem::take(&mut self.applied_faults),
        });
    }
}
