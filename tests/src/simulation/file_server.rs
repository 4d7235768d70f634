//! The simulated file server: one-time URLs, ranges, expiry, connections that fail in the middle.

use crate::disturbance::{Disturbance, OutageStart};
use crate::response::{Arrival, GATE_PAGE, SILENCE, draw_retry_after, lost, respond, whole_body};
use crate::truth::World;
use crate::way::Way;
use bytes::Bytes;
use copresence_client::simulation::SimulatedBody;
use futures_util::stream;
use rand::RngExt as _;
use std::io;
use std::time::Duration;
use tokio::time::sleep;

/// Answers a download.
pub(crate) fn answer_download(world: &World, process: u32, request: &http::Request<Bytes>, way: Way) -> Arrival {
    let path = request.uri().path().to_owned();
    let mut truth = world.lock();
    let now = truth.now();
    // A client cannot tell the rest of content that repeats itself.
    let sends_rest_as_200 =
        truth.weather.has(Disturbance::FileRestAs200) && !truth.weather.has(Disturbance::FileUnknownContent);
    truth.weather.begin_outages(OutageStart::AtDownload, now);
    match way {
        Way::LostBefore { silent } => {
            truth.note(|| format!("p{process} {path} {way:?}"));
            return lost(silent);
        }
        Way::ErrorBefore(status) | Way::Gate(status) => {
            truth.note(|| format!("p{process} {path} {way:?}"));
            let (body, content_type) =
                if matches!(way, Way::Gate(_)) { (GATE_PAGE, "text/html") } else { ("busy", "text/plain") };
            let mut headers = vec![("content-type", content_type)];
            headers.extend(draw_retry_after(&mut truth, status));
            return respond(status, &headers, whole_body(body.into()));
        }
        _ => {}
    }
    let resume = request
        .headers()
        .get("range")
        .and_then(|range| range.to_str().ok()?.strip_prefix("bytes=")?.strip_suffix('-')?.parse::<usize>().ok());
    let if_range = request.headers().get("if-range").and_then(|value| value.to_str().ok()).map(str::to_owned);
    let Some(file) = truth.files.get_mut(&path) else {
        return respond(404, &[], whole_body(Bytes::new()));
    };
    file.requests += 1;
    let same_version = if_range.is_none() || if_range.as_deref() == file.validator.map(|(_, value)| value);
    let from = resume.filter(|_| file.allows_ranges && same_version);
    file.was_refused_as_expired |= now >= file.expires_at;
    let refused = if now >= file.expires_at {
        Some((403, "<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>"))
    } else if file.is_one_time && file.is_spent && from.is_none() {
        Some((410, "gone"))
    } else if from.is_some_and(|from| from >= file.coded.len()) {
        Some((416, ""))
    } else {
        None
    };
    let total = file.coded.len();
    if let Some((status, body)) = refused {
        truth.note(|| format!("p{process} {path} from {from:?} of {total}: refused with {status}"));
        let range = format!("bytes */{total}");
        let headers: &[(&str, &str)] = if status == 416 { &[("content-range", &range)] } else { &[] };
        return respond(status, headers, whole_body(body.into()));
    }
    file.is_spent = true;
    let (start, delay) = (from.unwrap_or(0), file.first_byte);
    let mut headers = vec![("content-type", "application/octet-stream".to_owned())];
    headers.extend(file.validator.map(|(name, value)| (name, value.to_owned())));
    headers.extend(file.content_encoding.map(|coding| ("content-encoding", coding.to_owned())));
    let is_stated_as_range = from.is_some() && (file.is_one_time || !sends_rest_as_200);
    if is_stated_as_range {
        headers.push(("content-range", format!("bytes {start}-{}/{total}", total - 1)));
    }
    let length = (file.states_length || from.is_some()).then_some((total - start) as u64);
    match length {
        Some(length) => headers.push(("content-length", length.to_string())),
        None => headers.push(("transfer-encoding", "chunked".to_owned())),
    }
    let rest = file.coded.slice(start..);
    let (chunk_bytes, pause) = (file.chunk_bytes, file.chunk_pause);
    let end = if matches!(way, Way::Cut | Way::Stall) { truth.rng.random_range(0..rest.len()) } else { rest.len() };
    truth.note(|| format!("p{process} {path} from {start} of {total}: {way:?} after {end} bytes"));
    drop(truth);
    if let Way::LostAfter { silent } = way {
        return lost(silent);
    }
    let sending = Sending { world: world.clone(), path, rest, at: 0, end, start, chunk_bytes, pause, way };
    let body = SimulatedBody::new(length, stream::unfold(sending, Sending::send_chunk));
    let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    Arrival { delay, ..respond(if is_stated_as_range { 206 } else { 200 }, &headers, body) }
}

/// A file while it is sent.
struct Sending {
    world: World,
    path: String,
    rest: Bytes,
    /// Bytes of `rest` that were sent, and after how many the connection fails (or the file ends).
    at: usize,
    end: usize,
    /// Where `rest` begins in the file.
    start: usize,
    chunk_bytes: usize,
    pause: Duration,
    way: Way,
}

impl Sending {
    async fn send_chunk(mut self) -> Option<(io::Result<Bytes>, Self)> {
        if self.at >= self.end {
            return match self.way {
                Way::Cut => Some((Err(io::ErrorKind::ConnectionReset.into()), self)),
                Way::Stall => {
                    sleep(SILENCE).await;
                    Some((Err(io::ErrorKind::ConnectionReset.into()), self))
                }
                _ => None,
            };
        }
        if !self.pause.is_zero() {
            sleep(self.pause).await;
        }
        let now = { self.world.lock().now() };
        let is_cut = self.world.lock().weather.outages.iter().any(|outage| outage.concerns(false, now));
        if is_cut {
            // The network is gone: nothing more comes over this connection.
            (self.way, self.end) = (Way::Cut, self.at);
            return Some((Err(io::ErrorKind::ConnectionReset.into()), self));
        }
        let to = (self.at + self.chunk_bytes).min(self.end);
        let chunk = self.rest.slice(self.at..to);
        self.at = to;
        let received = self.start + to;
        if let Some(file) = self.world.lock().files.get_mut(&self.path) {
            file.received = received;
        }
        Some((Ok(chunk), self))
    }
}
