//! The simulated backend: tokens, avatars and deliveries. It knows the truth of every token.

use crate::disturbance::OutageStart;
use crate::files::host_files;
use crate::truth::{AvatarPlan, Effect, Token, TokenState, Truth};
use copresence_store::VisitId;
use rand::RngExt as _;
use std::time::Duration;

/// Where the API and the files are.
pub(crate) const API_URL: &str = "http://api.simulated.test";
const FILES_URL: &str = "http://files.simulated.test";

/// A response of the backend, and what its request did.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) body: String,
    pub(crate) effect: Effect,
}

impl Reply {
    fn new(status: u16, body: &serde_json::Value) -> Self {
        Self { status, body: body.to_string(), effect: Effect::None }
    }
}

/// A login.
pub(crate) fn log_in(truth: &mut Truth) -> Reply {
    truth.sessions += 1;
    Reply::new(200, &serde_json::json!({ "sessionToken": format!("session-{}", truth.sessions) }))
}

/// Issues a token for a visit.
pub(crate) fn issue_token(truth: &mut Truth, visit: Option<VisitId>) -> Reply {
    let name = format!("token-{}-{:08x}", truth.tokens.len(), truth.rng.random::<u32>());
    let rng = &mut truth.rng;
    let seconds = |range: std::ops::Range<u64>, rng: &mut rand_chacha::ChaCha8Rng| {
        Duration::from_millis(rng.random_range(range.start * 1000..range.end * 1000))
    };
    let plan = AvatarPlan {
        scan: rng.random_bool(0.96).then(|| seconds(1..30, rng)),
        queue: seconds(0..8, rng),
        processing: seconds(1..40, rng),
        fails: rng.random_bool(0.08),
        url_lifetime: [seconds(60..600, rng), seconds(600..7200, rng), seconds(86_400..604_800, rng)]
            [rng.random_range(0..3)],
    };
    let lifetime = if rng.random_bool(0.1) { seconds(20..120, rng) } else { seconds(900..7200, rng) };
    let token = Token { issued_at: truth.now(), lifetime, scanned_at: None, plan, spent_at: None, redeems: Vec::new() };
    truth.tokens.insert(name.clone(), token);
    if let Some(visit) = visit.and_then(|visit| truth.visits.get_mut(&visit)) {
        visit.issued += 1;
    }
    Reply::new(200, &serde_json::json!({ "token": name }))
}

/// Redeems a token: the only request after which URLs are never sent again.
pub(crate) fn redeem_token(truth: &mut Truth, name: &str) -> Reply {
    let now = truth.now();
    let state = truth.tokens.get(name).map_or(TokenState::Inactive, |token| token.state(now));
    let not_ready = |status: &str, progress: i64, queue: i64| {
        let body = serde_json::json!({ "avatar_ready": false, "payload_incomplete": {
            "completion_progress": progress, "completion_status": status, "queue_position": queue } });
        Reply { effect: Effect::Progress(state), ..Reply::new(200, &body) }
    };
    match state {
        TokenState::Unassociated => not_ready("no_associated_avatar", -1, -1),
        TokenState::Queued => not_ready("in_queue", 0, 1),
        TokenState::Processing => not_ready("processing", 50, -1),
        TokenState::Failed => not_ready("failed", 50, -1),
        TokenState::Inactive => Reply {
            effect: Effect::Refused,
            ..Reply::new(400, &serde_json::json!({"error": "no active Export Token"}))
        },
        TokenState::Ready => {
            let plan = match truth.tokens.get_mut(name) {
                Some(token) => {
                    token.spent_at = Some(now);
                    token.plan.clone()
                }
                None => return Reply::new(400, &serde_json::json!({})),
            };
            let list: Vec<serde_json::Value> = host_files(truth, name, &plan)
                .into_iter()
                .map(|(export_type, path)| {
                    serde_json::json!({ "download_URL": format!("{FILES_URL}{path}"), "export_type": export_type })
                })
                .collect();
            truth.weather.begin_outages(OutageStart::AtDelivery, now);
            let body = serde_json::json!({ "avatar_ready": true, "payload_complete": list });
            Reply { effect: Effect::Spent, ..Reply::new(200, &body) }
        }
    }
}

/// The visitor sees the QR code, and may scan it later.
pub(crate) fn show_token(truth: &mut Truth, visit: VisitId, name: &str) {
    let now = truth.now();
    if let Some(token) = truth.tokens.get_mut(name) {
        token.scanned_at = token.plan.scan.map(|delay| now + delay);
    }
    if let Some(visit) = truth.visits.get_mut(&visit) {
        visit.token = Some(name.to_owned());
    }
}
