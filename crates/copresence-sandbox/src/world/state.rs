//! The state of tokens and downloads as shown to testers and phones.

use crate::clock::to_millis;
use crate::world::avatar::AvatarIdentity;
use crate::world::downloads::{IssuedDownloadUrl, UrlDeliveryState};
use crate::world::plan::ProcessingStage;
use crate::world::token::{SimulatedToken, TokenLifecycle};
use serde::Serialize;
use std::time::Duration;
use utoipa::ToSchema;

/// The state of a token: the four statuses of the specification, and the three that follow them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TokenPhase {
    /// No avatar is associated yet.
    NoAssociatedAvatar,
    /// The avatar waits in the queue.
    InQueue,
    /// The avatar is being processed.
    Processing,
    /// Processing failed; the visitor may record again under the same token.
    Failed,
    /// The next redeem returns the download URLs.
    Ready,
    /// The download URLs were returned.
    Spent,
    /// The token expired before it was redeemed.
    Expired,
}

/// A token as testers see it, in `GET /sandbox/state`. Times are milliseconds of virtual time.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = TokenState)]
pub struct TesterTokenView {
    /// The Export Token.
    pub token: String,
    /// Its scenario.
    pub scenario: String,
    /// Its state.
    pub state: TokenPhase,
    /// As in `/redeemExportToken`: 0 to 100, or −1.
    pub completion_progress: i64,
    /// As in `/redeemExportToken`: a queue position from 1, or −1.
    pub queue_position: i64,
    /// `new`, the id of an existing avatar, or null.
    pub avatar: Option<String>,
    /// When it was generated.
    pub generated_ms: u64,
    /// When it expires or expired.
    pub expires_ms: u64,
    /// When an avatar was last associated.
    pub associated_ms: Option<u64>,
    /// When it was spent or expired.
    pub ended_ms: Option<u64>,
    /// Number of redeems, including refused ones after its end.
    pub redeems: u64,
    /// When it was last redeemed.
    pub last_redeem_ms: Option<u64>,
    /// The download URLs returned for it.
    pub downloads: Vec<DownloadUrlView>,
}

/// A download URL as testers see it. The URL itself is not shown.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = DownloadState)]
pub struct DownloadUrlView {
    /// The file name, which is the last part of the URL.
    pub file: String,
    /// Its `export_type`.
    pub export_type: String,
    /// How far it has been used.
    pub state: UrlStateView,
    /// When it expires.
    pub expires_ms: u64,
}

/// The state of a download URL as testers see it: how far it has been used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = UrlState)]
pub enum UrlStateView {
    /// Not requested yet.
    Unused,
    /// A delivery has begun, and the last byte has not been sent.
    UnderWay,
    /// Delivered; it cannot be used again.
    Used,
    /// Expired before it was used up.
    Expired,
}

/// The state of a token as shown on the phone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PhoneView {
    /// Its state.
    pub state: TokenPhase,
    /// The queue position, from 1.
    pub queue_position: Option<u32>,
    /// Percent, 0 to 100.
    pub completion_progress: Option<u8>,
    /// The ticket with which its visitor returns to the console, if the console gave one.
    pub ticket: Option<PhoneTicket>,
}

/// The ticket of a visitor whose console continues the visit in the background. Only a console in the same program gives
/// one ([`crate::Sandbox::replace_phone_tickets`]).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PhoneTicket {
    /// Stable word of its colour, as in `blue`; the first word of its name.
    pub colour: String,
    /// Stable word of its symbol, as in `comet`; the second word of its name.
    pub symbol: String,
    /// What its visitor can do.
    pub state: PhoneTicketState,
}

/// State of a ticket on the phone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PhoneTicketState {
    /// The console waits for the recording.
    Recording,
    /// The avatar is being made or saved.
    Making,
    /// The avatar is on the console: its visitor can come back.
    Ready,
    /// There is no complete avatar: the console says why.
    Failed,
}

impl TokenPhase {
    /// Derives the phase shown to testers and phones at this virtual time.
    pub(crate) fn phase_of_token(token: &SimulatedToken, now: Duration) -> Self {
        match (&token.phase, token.avatar_stage_at(now)) {
            (TokenLifecycle::Waiting, _) => Self::NoAssociatedAvatar,
            (TokenLifecycle::Spent { .. }, _) => Self::Spent,
            (TokenLifecycle::Expired { .. }, _) => Self::Expired,
            (_, Some(ProcessingStage::InQueue { .. })) => Self::InQueue,
            (_, Some(ProcessingStage::Processing { .. })) => Self::Processing,
            (_, Some(ProcessingStage::Failed { .. })) => Self::Failed,
            (_, Some(ProcessingStage::Ready) | None) => Self::Ready,
        }
    }
}

impl TesterTokenView {
    /// Builds the state shown to testers from a token and the downloads issued for it.
    pub(crate) fn view_of_token<'a>(
        token: &SimulatedToken,
        urls: impl Iterator<Item = &'a IssuedDownloadUrl>,
        now: Duration,
    ) -> Self {
        let progress = token.progress_at(now);
        let ended = match token.phase {
            TokenLifecycle::Spent { at, .. } | TokenLifecycle::Expired { at } => Some(at),
            _ => None,
        };
        Self {
            token: token.name.clone(),
            scenario: token.scenario.name().to_owned(),
            state: TokenPhase::phase_of_token(token, now),
            completion_progress: progress.as_ref().map_or(-1, copresence_protocol::Progress::completion_wire_value),
            queue_position: progress.as_ref().map_or(-1, copresence_protocol::Progress::queue_position_wire_value),
            avatar: token.associated_avatar().map(|avatar| match avatar {
                AvatarIdentity::New { .. } => "new".to_owned(),
                AvatarIdentity::Existing { id } => id.clone(),
            }),
            generated_ms: to_millis(token.generated_at),
            expires_ms: to_millis(token.expires_at),
            associated_ms: token.associated_at.map(to_millis),
            ended_ms: ended.map(to_millis),
            redeems: token.redeems,
            last_redeem_ms: token.last_redeem_at.map(to_millis),
            downloads: urls.map(|url| DownloadUrlView::view_of_download(url, now)).collect(),
        }
    }
}

impl DownloadUrlView {
    /// Builds the state shown to testers; a URL past its end that is not used up is `Expired`.
    fn view_of_download(download: &IssuedDownloadUrl, now: Duration) -> Self {
        let state = match download.state {
            UrlDeliveryState::Used => UrlStateView::Used,
            _ if now >= download.expires_at => UrlStateView::Expired,
            UrlDeliveryState::Unused => UrlStateView::Unused,
            UrlDeliveryState::UnderWay { .. } => UrlStateView::UnderWay,
        };
        Self {
            file: download.export.file.clone(),
            export_type: download.export.export_type.clone(),
            state,
            expires_ms: to_millis(download.expires_at),
        }
    }
}

impl PhoneView {
    /// Builds what the phone page shows of a token at this virtual time.
    pub(crate) fn phone_view_of_token(token: &SimulatedToken, now: Duration) -> Self {
        let progress = token.progress_at(now);
        Self {
            state: TokenPhase::phase_of_token(token, now),
            queue_position: progress
                .as_ref()
                .and_then(|p| p.queue_position)
                .map(copresence_protocol::QueuePosition::queue_position_as_u32),
            completion_progress: progress
                .as_ref()
                .and_then(|p| p.completion)
                .map(copresence_protocol::Percent::percent_as_u8),
            ticket: None,
        }
    }
}
