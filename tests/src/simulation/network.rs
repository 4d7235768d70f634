//! The simulated network of one process: it disturbs requests and responses, and records what was received.

use crate::backend::{self, Reply};
use crate::file_server::answer_download;
use crate::response::{Answer, Arrival, GATE_PAGE, draw_retry_after, lost, respond};
use crate::truth::{Effect, Received, Redeem, Truth, World};
use crate::way::{Way, draw_connect_error, draw_way};
use bytes::Bytes;
use copresence_client::ConnectErrorKind;
use copresence_client::simulation::{SimulatedBody, SimulatedFailure, SimulatedNetwork};
use copresence_store::VisitId;
use futures_util::future::BoxFuture;
use futures_util::stream;
use rand::RngExt as _;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, oneshot};
use tokio::time::sleep;

/// The network as one process sees it.
pub(crate) struct ProcessNetwork {
    pub(crate) world: World,
    /// Number of the process in its world.
    pub(crate) process: u32,
    /// The visit for which the process requests tokens.
    pub(crate) visit: Arc<Mutex<Option<VisitId>>>,
    /// Told when a download begins.
    pub(crate) first_download: Arc<Notify>,
}

impl SimulatedNetwork for ProcessNetwork {
    fn send_request(&self, request: http::Request<Bytes>) -> BoxFuture<'static, Answer> {
        let (world, process) = (self.world.clone(), self.process);
        let is_api = request.uri().host().is_some_and(|host| host.starts_with("api."));
        if !is_api {
            self.first_download.notify_one();
        }
        let visit = *self.visit.lock().unwrap_or_else(PoisonError::into_inner);
        Box::pin(async move {
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
            let sender = Sender { process, visit };
            let redeem = is_api.then(|| record_redeem(&mut world.lock(), process, &request, way)).flatten();
            if way == Way::Late {
                tokio::spawn(async move {
                    let delay = draw_lateness(&mut world.lock());
                    sleep(delay).await;
                    _ = answer_api_request(&world, sender, &request, way, redeem);
                });
                return Err(SimulatedFailure::ConnectionLost);
            }
            // From here on the request arrives, whatever happens to its sender.
            let (reply, answer) = oneshot::channel();
            tokio::spawn(async move {
                sleep(delay / 2).await;
                let arrival = if is_api {
                    answer_api_request(&world, sender, &request, way, redeem)
                } else {
                    answer_download(&world, process, &request, way)
                };
                sleep(delay / 2 + arrival.delay).await;
                // Its sender may be gone.
                _ = reply.send(arrival.answer);
            });
            answer.await.unwrap_or(Err(SimulatedFailure::ConnectionLost))
        })
    }
}

/// Who sent a request: a process, and the visit for which it requests tokens.
#[derive(Clone, Copy)]
struct Sender {
    process: u32,
    visit: Option<VisitId>,
}

/// The redeem of a token that a world recorded: the token's name, and the index of the redeem.
type RecordedRedeem = (String, usize);

/// Records a redeem when it is sent. `None` for every other request, and for an unknown token.
fn record_redeem(truth: &mut Truth, process: u32, request: &http::Request<Bytes>, way: Way) -> Option<RecordedRedeem> {
    if request.uri().path() != "/redeemExportToken" {
        return None;
    }
    let name = request.headers().get("x-copresence-export-token")?.to_str().ok()?.to_owned();
    check_no_redeem_after_delivery(truth, &name, process);
    let sent_at = truth.now();
    let redeems = &mut truth.tokens.get_mut(&name)?.redeems;
    redeems.push(Redeem {
        process,
        effect: Effect::None,
        status: None,
        is_genuine: false,
        is_garbage: false,
        is_late: way == Way::Late,
        received: Received::Nothing,
        sent_at,
    });
    let index = redeems.len() - 1;
    Some((name, index))
}

/// Draws how late a request reaches the backend: less than [`copresence_protocol::MAX_REDEEM_DELAY`].
fn draw_lateness(truth: &mut Truth) -> Duration {
    let most = [2_000, 20_000, 120_000, 900_000][truth.rng.random_range(0..4)];
    truth.draw_millis(most)
}

/// Answers a request to the API, and records what it did.
fn answer_api_request(
    world: &World,
    Sender { process, visit }: Sender,
    request: &http::Request<Bytes>,
    way: Way,
    redeem: Option<RecordedRedeem>,
) -> Arrival {
    let path = request.uri().path();
    let token = redeem.as_ref().map(|(name, _)| name.clone());
    let reaches_backend = !matches!(way, Way::LostBefore { .. } | Way::ErrorBefore(_) | Way::Gate(_) | Way::Busy);
    let mut truth = world.lock();
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
        && (status >= 500 || matches!(way, Way::LostBefore { .. } | Way::LostAfter { .. } | Way::Late | Way::Truncated))
        && let Some(visit) = visit.and_then(|visit| truth.visits.get_mut(&visit))
    {
        visit.possibly_issued += 1;
    }
    if let Some((name, index)) = &redeem
        && let Some(redeem) = truth.tokens.get_mut(name).and_then(|token| token.redeems.get_mut(*index))
    {
        let is_lost = matches!(way, Way::LostBefore { .. } | Way::LostAfter { .. } | Way::Late);
        redeem.effect = effect;
        redeem.status = (!is_lost).then_some(status);
        redeem.is_genuine = is_genuine;
        redeem.is_garbage = way == Way::Garbage;
    }
    drop(truth);
    if let Way::LostBefore { silent } | Way::LostAfter { silent } = way {
        return lost(silent);
    }
    let receipt = Receipt { world: world.clone(), redeem };
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
    let mut headers = vec![("content-type", content_type)];
    headers.extend(draw_retry_after(&mut world.lock(), status));
    respond(status, &headers, SimulatedBody::new(length, chunks))
}

/// Notes how much of the response to a redeem its sender received.
struct Receipt {
    world: World,
    redeem: Option<RecordedRedeem>,
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
