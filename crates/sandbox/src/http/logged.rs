//! Keeps a line of each request.

use crate::requests::Asked;
use crate::sandbox::Sandbox;
use axum::extract::{ConnectInfo, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

/// Who asks; `None` within the process.
pub(super) fn peer(request: &Request) -> Option<IpAddr> {
    let info = request.extensions().get::<ConnectInfo<SocketAddr>>();
    info.map(|ConnectInfo(address)| address.ip().to_canonical())
}

pub(super) async fn log(State(sandbox): State<Sandbox>, request: Request, next: Next) -> Response {
    let (method, uri, headers) = (request.method(), request.uri(), request.headers());
    let asked = Asked::of(method, uri, headers, peer(&request), sandbox.clock().now_ms);
    let began = Instant::now();
    let response = next.run(request).await;
    let took = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    sandbox.log().add(asked.answered(response.status().as_u16(), took));
    response
}
