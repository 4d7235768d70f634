//! The simulated network of one process: it disturbs requests and responses, and records what was received.

use crate::backend::{self, Reply};
use crate::disturbance::{Disturbance, OutageKind, OutageStart};
use crate::truth::{Effect, Received, Redeem, Truth, World};
use bytes::Bytes;
use copresence_client::ConnectErrorKind;
use copresence_client::simulation::{SimulatedBody, SimulatedFailure, SimulatedNetwork};
use copresence_store::VisitId;
use futures_util::future::BoxFuture;
use futures_util::stream;
use http::{Response, StatusCode};
use rand::RngExt as _;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::sleep;

/// Longer than any patience of the client.
const SILENCE: Duration = Duration::from_hours(2);
const GATE_PAGE: &str = "<!DOCTYPE html><html><head><title>Network login</title></head><body>Log in</body></html>";

/// The network as one process sees it.
pub(crate) struct ProcessNetwork {
    pub(crate) world: World,
    /// Number of the process in its world.
    pub(crate) process: u32,
    /// The visit for which the process requests tokens.
    pub(crate) visit: Arc<Mutex<Option<VisitId>>>,
}

/// What is sent back: status, headers, and a body of which the sender notes the progress.
type Answer = Result<Response<SimulatedBody>, SimulatedFailure>;

/// What happens to a request on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    NotSent,
    LostBefore { silent: bool },
    LostAfter { silent: bool },
    Truncated,
    ErrorBefore(u16),
    ErrorAfter(u16),
    Gate(u16),
    Busy,
    Garbage,
    Slow,
    Cut,
    Stall,
    Free,
}

impl SimulatedNetwork for ProcessNetwork {
    fn send_request(&self, request: http::Request<Bytes>) -> BoxFuture<'static, Answer> {
        let (world, process) = (self.world.clone(), self.process);
        let visit = *self.visit.lock().unwrap_or_else(PoisonError::into_inner);
        Box::pin(async move {
            let is_api = request.uri().host().is_some_and(|host| host.starts_with("api."));
            let (way, delay) = {
                let mut truth = world.lock();
                let way = draw_way(&mut truth, is_api);
                (way, truth.draw_millis(if way == Way::Slow { 12_000 } else { 150 }))
            };
            if way == Way::NotSent {
                let kind = draw_connect_error(&mut world.lock());
                world.lock().note(|| format!("p{process} {} not sent: {kind:?}", request.uri().path()));
                sleep(if kind == ConnectErrorKind::TimedOut { Duration::from_secs(10) } else { delay }).await;
                return Err(SimulatedFailure::NeverSent(kind));
            }
            // From here on the request arrives, whatever happens to its sender.
            let (reply, answer) = oneshot::channel();
            tokio::spawn(async move {
                sleep(delay / 2).await;
                let answer = if is_api {
                    answer_api_request(&world, process, visit, &request, way)
                } else {
                    answer_download(&world, process, &request, way)
                };
                let Arrival { answer, delay: later } = answer;
                sleep(delay / 2 + later).await;
                // Its sender may be gone.
                _ = reply.send(answer);
            });
            answer.await.unwrap_or(Err(SimulatedFailure::ConnectionLost))
        })
    }
}

/// A response and how long it takes.
struct Arrival {
    answer: Answer,
    delay: Duration,
}

impl From<Answer> for Arrival {
    fn from(answer: Answer) -> Self {
        Self { answer, delay: Duration::ZERO }
    }
}

fn lost(silent: bool) -> Arrival {
    Arrival { answer: Err(SimulatedFailure::ConnectionLost), delay: if silent { SILENCE } else { Duration::ZERO } }
}

/// Draws what happens to a request, from outages and single disturbances.
fn draw_way(truth: &mut Truth, is_api: bool) -> Way {
    let now = truth.now();
    if let Some(outage) = truth.weather.outages.iter().find(|outage| outage.concerns(is_api, now)) {
        return match outage.kind {
            OutageKind::NotSent => Way::NotSent,
            OutageKind::Reset => Way::LostBefore { silent: false },
            OutageKind::Silence => Way::LostBefore { silent: true },
            OutageKind::ServerError => Way::ErrorBefore(503),
            OutageKind::Gate => Way::Gate(if is_api { 403 } else { 200 }),
        };
    }
    let Truth { rng, weather, .. } = truth;
    let drawn = if is_api { weather.draw_for_api_request(rng) } else { weather.draw_for_download(rng) };
    let Some(drawn) = drawn else { return Way::Free };
    let choose = |choices: &[u16], rng: &mut rand_chacha::ChaCha8Rng| choices[rng.random_range(0..choices.len())];
    match drawn {
        Disturbance::ApiNotSent | Disturbance::FileNotSent => Way::NotSent,
        Disturbance::ApiAnswerLost | Disturbance::FileAnswerLost => match rng.random_range(0..4) {
            0 => Way::LostBefore { silent: false },
            1 => Way::LostBefore { silent: true },
            2 => Way::LostAfter { silent: false },
            _ => Way::LostAfter { silent: true },
        },
        Disturbance::ApiAnswerTruncated => Way::Truncated,
        Disturbance::ApiErrorBeforeEffect => Way::ErrorBefore(choose(&[500, 502, 503, 504], rng)),
        Disturbance::ApiErrorAfterEffect => Way::ErrorAfter(choose(&[500, 502, 504], rng)),
        Disturbance::ApiGate => Way::Gate(choose(&[200, 403, 401, 511], rng)),
        Disturbance::ApiBusy => Way::Busy,
        Disturbance::ApiGarbage => Way::Garbage,
        Disturbance::ApiSlow => Way::Slow,
        Disturbance::FileError => Way::ErrorBefore(choose(&[500, 503, 429], rng)),
        Disturbance::FileCut => Way::Cut,
        Disturbance::FileStall => Way::Stall,
        Disturbance::FileGate => Way::Gate(choose(&[200, 511], rng)),
        _ => Way::Free,
    }
}

fn draw_connect_error(truth: &mut Truth) -> ConnectErrorKind {
    use ConnectErrorKind as Kind;
    [Kind::ConnectionRefused, Kind::NameNotFound, Kind::Unreachable, Kind::TimedOut][truth.rng.random_range(0..4)]
}

/// Answers a request to the API, and records what it did.
fn answer_api_request(
    world: &World,
    process: u32,
    visit: Option<VisitId>,
    request: &http::Request<Bytes>,
    way: Way,
) -> Arrival {
    let path = request.uri().path();
    let token = (path == "/redeemExportToken").then(|| {
        let value = request.headers().get("x-copresence-export-token").and_then(|value| value.to_str().ok());
        value.unwrap_or_default().to_owned()
    });
    let reaches_backend = !matches!(way, Way::LostBefore { .. } | Way::ErrorBefore(_) | Way::Gate(_) | Way::Busy);
    let mut truth = world.lock();
    if let Some(token) = &token {
        check_no_redeem_after_delivery(&mut truth, token, process);
    }
    let reply = reaches_backend.then(|| match (path, &token) {
        ("/login", _) => backend::log_in(&mut truth),
        ("/generateExportToken", _) => backend::issue_token(&mut truth, visit),
        (_, Some(token)) => backend::redeem_token(&mut truth, token),
        _ => Reply { status: 404, body: "{}".to_owned(), effect: Effect::None },
    });
    let effect = reply.as_ref().map_or(Effect::None, |reply| reply.effect);
    let (status, body, content_type, is_genuine) = match (way, reply) {
        (Way::ErrorBefore(status) | Way::ErrorAfter(status), _) => {
            (status, r#"{"error":"try again"}"#.to_owned(), "application/json", false)
        }
        (Way::Gate(status), _) => (status, GATE_PAGE.to_owned(), "text/html", false),
        (Way::Busy, _) => (429, r#"{"error":"too many requests"}"#.to_owned(), "application/json", true),
        (Way::Garbage, Some(_)) if token.is_some() => {
            (200, r#"{"avatar_ready":"perhaps"}"#.to_owned(), "application/json", false)
        }
        (_, Some(reply)) => (reply.status, reply.body, "application/json", true),
        (_, None) => (0, String::new(), "application/json", false),
    };
    truth.note(|| format!("p{process} {path} {way:?} → {effect:?}, status {status}"));
    if path == "/generateExportToken"
        && (status >= 500 || matches!(way, Way::LostBefore { .. } | Way::LostAfter { .. } | Way::Truncated))
        && let Some(visit) = visit.and_then(|visit| truth.visits.get_mut(&visit))
    {
        visit.possibly_issued += 1;
    }
    let number = token.as_ref().and_then(|name| {
        let redeems = &mut truth.tokens.get_mut(name)?.redeems;
        let is_lost = matches!(way, Way::LostBefore { .. } | Way::LostAfter { .. });
        redeems.push(Redeem {
            process,
            effect,
            status: (!is_lost).then_some(status),
            is_genuine,
            is_garbage: way == Way::Garbage,
            received: Received::Nothing,
        });
        Some(redeems.len() - 1)
    });
    drop(truth);
    if let Way::LostBefore { silent } | Way::LostAfter { silent } = way {
        return lost(silent);
    }
    let receipt = Receipt { world: world.clone(), redeem: token.zip(number) };
    let body = Bytes::from(body);
    let kept = if way == Way::Truncated { world.lock().rng.random_range(0..body.len()) } else { body.len() };
    let length = Some(body.len() as u64);
    let chunks = stream::unfold((receipt, Some(body.slice(..kept))), move |(receipt, rest)| async move {
        match rest {
            Some(chunk) => {
                receipt.record(Received::Headers);
                Some((Ok(chunk), (receipt, None)))
            }
            None if way == Way::Truncated => Some((Err(io::ErrorKind::ConnectionReset.into()), (receipt, None))),
            None => {
                receipt.record(Received::Whole);
                None
            }
        }
    });
    respond(status, &[("content-type", content_type)], SimulatedBody::new(length, chunks)).into()
}

/// Notes how much of the response to a redeem its sender received.
struct Receipt {
    world: World,
    redeem: Option<(String, usize)>,
}

impl Receipt {
    fn record(&self, received: Received) {
        let mut truth = self.world.lock();
        if let Some((token, number)) = &self.redeem
            && let Some(redeem) = truth.tokens.get_mut(token).and_then(|token| token.redeems.get_mut(*number))
        {
            redeem.received = received;
        }
    }
}

/// A redeem after a received delivery asks for what cannot be had again.
fn check_no_redeem_after_delivery(truth: &mut Truth, name: &str, process: u32) {
    let Some(token) = truth.tokens.get(name) else { return };
    let Some(delivery) = token.spending_redeem().filter(|redeem| redeem.is_received_delivery()) else { return };
    let is_used = truth.files.values().any(|file| file.token == name && file.requests > 0);
    if delivery.process == process || is_used {
        truth.violate("no redeem after a delivery", format!("{name} was redeemed again by process {process}"));
    }
}

/// Answers a download.
fn answer_download(world: &World, process: u32, request: &http::Request<Bytes>, way: Way) -> Arrival {
    let path = request.uri().path().to_owned();
    let mut truth = world.lock();
    let now = truth.now();
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
            return respond(status, &[("content-type", content_type)], whole_body(body.into())).into();
        }
        _ => {}
    }
    let resume = request
        .headers()
        .get("range")
        .and_then(|range| range.to_str().ok()?.strip_prefix("bytes=")?.strip_suffix('-')?.parse::<usize>().ok());
    let if_range = request.headers().get("if-range").and_then(|value| value.to_str().ok()).map(str::to_owned);
    let Some(file) = truth.files.get_mut(&path) else {
        return respond(404, &[], whole_body(Bytes::new())).into();
    };
    file.requests += 1;
    let same_version = if_range.is_none() || if_range.as_deref() == file.validator.map(|(_, value)| value);
    let from = resume.filter(|_| file.allows_ranges && same_version);
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
        return respond(status, headers, whole_body(body.into())).into();
    }
    file.is_spent = true;
    let (start, delay) = (from.unwrap_or(0), file.first_byte);
    let mut headers = vec![("content-type", "application/octet-stream".to_owned())];
    headers.extend(file.validator.map(|(name, value)| (name, value.to_owned())));
    headers.extend(file.content_encoding.map(|coding| ("content-encoding", coding.to_owned())));
    if from.is_some() {
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
    Arrival { answer: respond(if from.is_some() { 206 } else { 200 }, &headers, body), delay }
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

fn whole_body(body: Bytes) -> SimulatedBody {
    let length = Some(body.len() as u64);
    SimulatedBody::new(length, stream::iter([Ok(body)]))
}

/// A response with its headers.
fn respond(status: u16, headers: &[(&str, &str)], body: SimulatedBody) -> Answer {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    for (name, value) in headers {
        if let (Ok(name), Ok(value)) = (name.parse::<http::HeaderName>(), value.parse()) {
            response.headers_mut().insert(name, value);
        }
    }
    Ok(response)
}
