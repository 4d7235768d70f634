//! What really happened in a world: tokens, files, requests and what their sender received of the responses.

use crate::disturbance::Weather;
use bytes::Bytes;
use copresence_store::VisitId;
use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// The state of a world, shared by its network, its backend and its processes.
#[derive(Clone)]
pub(crate) struct World(Arc<Mutex<Truth>>);

impl World {
    pub(crate) fn new(truth: Truth) -> Self {
        Self(Arc::new(Mutex::new(truth)))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Truth> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A guarantee that did not hold.
#[derive(Debug, Clone)]
pub(crate) struct Violation {
    /// Which guarantee, as a stable word.
    pub(crate) guarantee: &'static str,
    pub(crate) detail: String,
}

/// Everything that a world knows.
pub(crate) struct Truth {
    pub(crate) rng: ChaCha8Rng,
    pub(crate) weather: Weather,
    pub(crate) tokens: BTreeMap<String, Token>,
    /// By the path of their URL.
    pub(crate) files: BTreeMap<String, HostedFile>,
    pub(crate) visits: BTreeMap<VisitId, VisitTruth>,
    pub(crate) violations: Vec<Violation>,
    pub(crate) sessions: u32,
    /// Clock changes of more than an hour.
    pub(crate) clock_was_set: bool,
    trace: Option<String>,
    began: Instant,
}

impl Truth {
    pub(crate) fn new(rng: ChaCha8Rng, weather: Weather, with_trace: bool) -> Self {
        Self {
            rng,
            weather,
            tokens: BTreeMap::new(),
            files: BTreeMap::new(),
            visits: BTreeMap::new(),
            violations: Vec::new(),
            sessions: 0,
            clock_was_set: false,
            trace: with_trace.then(String::new),
            began: Instant::now(),
        }
    }

    /// Time since the world began.
    pub(crate) fn now(&self) -> Duration {
        self.began.elapsed()
    }

    /// A drawn time of up to `millis` milliseconds.
    pub(crate) fn draw_millis(&mut self, millis: u64) -> Duration {
        Duration::from_millis(self.rng.random_range(0..=millis))
    }

    /// Adds a line to the trace, if there is one.
    pub(crate) fn note(&mut self, line: impl FnOnce() -> String) {
        let now = self.now();
        if let Some(trace) = &mut self.trace {
            _ = writeln!(trace, "{:>12.3} {}", now.as_secs_f64(), line());
        }
    }

    pub(crate) fn take_trace(&mut self) -> String {
        self.trace.take().unwrap_or_default()
    }

    /// Records that a guarantee did not hold.
    pub(crate) fn violate(&mut self, guarantee: &'static str, detail: String) {
        self.note(|| format!("VIOLATED {guarantee}: {detail}"));
        self.violations.push(Violation { guarantee, detail });
    }
}

/// What really happened to a visit.
#[derive(Debug, Default)]
pub(crate) struct VisitTruth {
    /// Its token, once it was shown to the visitor.
    pub(crate) token: Option<String>,
    pub(crate) began: Duration,
    /// Generate requests that reached the backend and issued a token.
    pub(crate) issued: u32,
    /// Generate requests whose response never arrived, or was a 5xx.
    pub(crate) possibly_issued: u32,
    /// Processes that ended by a crash while this visit was not finished.
    pub(crate) crashes: u32,
    /// The endings that were judged: code and exit code.
    pub(crate) judged_endings: Vec<(String, u8)>,
}

/// One Export Token of the backend.
#[derive(Debug)]
pub(crate) struct Token {
    pub(crate) issued_at: Duration,
    pub(crate) lifetime: Duration,
    /// When the visitor scanned the QR code.
    pub(crate) scanned_at: Option<Duration>,
    pub(crate) plan: AvatarPlan,
    pub(crate) spent_at: Option<Duration>,
    pub(crate) redeems: Vec<Redeem>,
}

/// How an avatar will be made.
#[derive(Debug, Clone)]
pub(crate) struct AvatarPlan {
    /// From the QR code's appearance to the scan. `None`: nobody scans.
    pub(crate) scan: Option<Duration>,
    pub(crate) queue: Duration,
    pub(crate) processing: Duration,
    pub(crate) fails: bool,
    pub(crate) url_lifetime: Duration,
}

/// The state of a token at the backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TokenState {
    Unassociated,
    Queued,
    Processing,
    Failed,
    Ready,
    Inactive,
}

impl Token {
    pub(crate) fn state(&self, now: Duration) -> TokenState {
        if self.spent_at.is_some() || now > self.issued_at + self.lifetime {
            return TokenState::Inactive;
        }
        match self.scanned_at.filter(|scanned| *scanned <= now) {
            None => TokenState::Unassociated,
            Some(scanned) if now < scanned + self.plan.queue => TokenState::Queued,
            Some(scanned) if now < scanned + self.plan.queue + self.plan.processing => TokenState::Processing,
            Some(_) if self.plan.fails => TokenState::Failed,
            Some(_) => TokenState::Ready,
        }
    }

    /// The redeem that spent the token.
    pub(crate) fn spending_redeem(&self) -> Option<&Redeem> {
        self.redeems.iter().find(|redeem| redeem.effect == Effect::Spent)
    }
}

/// What a redeem did at the backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    /// It did not reach the backend, or only before the effect.
    None,
    /// The token was active, and no avatar was ready.
    Progress(TokenState),
    /// It spent the token.
    Spent,
    /// The token was not active.
    Refused,
}

/// How much of a response its sender received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Received {
    Nothing,
    Headers,
    Whole,
}

/// One redeem request that was sent.
#[derive(Debug, Clone)]
pub(crate) struct Redeem {
    /// The process that sent it.
    pub(crate) process: u32,
    pub(crate) effect: Effect,
    pub(crate) status: Option<u16>,
    /// The body is what the backend says according to the specification.
    pub(crate) is_genuine: bool,
    /// The backend itself violated the specification.
    pub(crate) is_garbage: bool,
    pub(crate) received: Received,
    /// It reached the backend, or will reach it, after its sender lost the connection.
    pub(crate) is_late: bool,
    /// When it was sent, since the world began.
    pub(crate) sent_at: Duration,
}

impl Redeem {
    /// Its sender knows from it that the token was active.
    pub(crate) fn proves_active(&self) -> bool {
        self.received == Received::Whole && self.is_genuine && matches!(self.effect, Effect::Progress(_))
    }

    /// Its sender received the delivery.
    pub(crate) fn is_received_delivery(&self) -> bool {
        self.received == Received::Whole && self.is_genuine && self.effect == Effect::Spent
    }

    /// Its sender cannot know what it did.
    pub(crate) fn leaves_doubt(&self) -> bool {
        let is_clear = self.is_genuine && matches!(self.status, Some(200 | 400 | 429));
        self.received != Received::Whole || !is_clear
    }
}

/// A file behind a one-time URL.
#[expect(clippy::struct_excessive_bools, reason = "each is one trait of a server, and all combinations occur")]
#[derive(Debug)]
pub(crate) struct HostedFile {
    pub(crate) token: String,
    pub(crate) export_type: &'static str,
    /// What the client must save.
    pub(crate) content: Bytes,
    /// What is sent.
    pub(crate) coded: Bytes,
    pub(crate) content_encoding: Option<&'static str>,
    pub(crate) is_one_time: bool,
    pub(crate) allows_ranges: bool,
    pub(crate) validator: Option<(&'static str, &'static str)>,
    pub(crate) states_length: bool,
    pub(crate) first_byte: Duration,
    pub(crate) chunk_bytes: usize,
    pub(crate) chunk_pause: Duration,
    pub(crate) expires_at: Duration,
    /// A response with its bytes began.
    pub(crate) is_spent: bool,
    /// Bytes of the coded file, from its start, that a client holds.
    pub(crate) received: usize,
    /// Requests that the server answered, or would have answered.
    pub(crate) requests: u32,
    pub(crate) was_refused_as_expired: bool,
}

impl HostedFile {
    /// Whether a client that does its best would get the rest of it.
    pub(crate) fn could_be_had(&self, now: Duration) -> bool {
        let is_served = !self.is_one_time || !self.is_spent || (self.allows_ranges && self.received > 0);
        now < self.expires_at && is_served
    }
}
