//! Redeems of tokens, and the download URLs that they return.

use super::{MIN_URL_LIFETIME, World, draw_random_id, extend_to_real_lifetime, find_updated_token};
use crate::scenario::{DeliveredFiles, URL_LIFETIME};
use crate::world::avatar::{AvatarIdentity, ExportFileNameAndType};
use crate::world::downloads::{DownloadFileNameAndPadding, IssuedDownloadUrl, UrlDeliveryState};
use crate::world::token::TokenLifecycle;
use copresence_protocol::Progress;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::time::Duration;

/// A download that is offered under `/files/{id}/{file}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DownloadOffer {
    /// The one-time part of the URL.
    pub id: String,
    /// The file name, which is the last part of the URL.
    pub file: String,
    /// Its `export_type`.
    pub export_type: String,
}

/// The result of a redeem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RedeemResult {
    /// The token is now spent; these are its downloads.
    Ready(Vec<DownloadOffer>),
    /// The token is still active; this is the progress of its avatar.
    NotReady(Progress),
}

/// Spec: "Provided Export Token string does not match an active Export Token".
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the provided Export Token does not match an active Export Token")]
pub struct TokenNotActive;

impl World {
    /// Spec: "Attempts to redeem an Export Token." The response with files spends the token in the same step.
    ///
    /// # Errors
    /// The token is unknown, spent or expired.
    pub fn redeem_token(&mut self, name: &str, now: Duration) -> Result<RedeemResult, TokenNotActive> {
        let token = find_updated_token(&self.by_name, &mut self.token_views, name, now).ok_or(TokenNotActive)?;
        let ordinal = token.ordinal;
        token.redeems += 1;
        token.last_redeem_at = Some(now);
        if let Some(progress) = token.progress_at(now) {
            return Ok(RedeemResult::NotReady(progress));
        }
        let TokenLifecycle::Ready { avatar } = &token.phase else { return Err(TokenNotActive) };
        let avatar = avatar.clone();
        token.phase = TokenLifecycle::Spent { avatar: avatar.clone(), at: now };
        let scenario = token.scenario.clone();
        let delivered = scenario.delivered_files();
        let life = if scenario.may_expire_early() {
            delivered.url_lifetime
        } else {
            extend_to_real_lifetime(delivered.url_lifetime, MIN_URL_LIFETIME, self.speed)
        };
        let mut offers = Vec::new();
        let exports = delivered_exports(delivered, self.avatar_catalog.exports_of_avatar(&avatar));
        for (place, (export, source)) in (1..).zip(exports) {
            let id = draw_random_id(&mut self.id_rng);
            token.urls.push(id.clone());
            let (file, export_type) = (export.file.clone(), export.export_type.clone());
            offers.push(DownloadOffer { id: id.clone(), file, export_type });
            let expired = delivered.expired_from.is_some_and(|first| place >= first);
            let expires_at = if expired { now } else { now.saturating_add(life) };
            let avatar = avatar.clone();
            self.downloads.add_download_url(
                id,
                IssuedDownloadUrl {
                    avatar,
                    export,
                    source,
                    token_ordinal: ordinal,
                    expires_at,
                    state: UrlDeliveryState::Unused,
                },
            );
        }
        Ok(RedeemResult::Ready(offers))
    }

    /// Counts a redeem that is answered from a recording. Returns the number of redeems before; `None` if the token is
    /// unknown, spent or expired.
    pub(crate) fn count_replayed_redeem(&mut self, name: &str, now: Duration) -> Option<u64> {
        let token = find_updated_token(&self.by_name, &mut self.token_views, name, now)?;
        token.is_active().then(|| {
            token.last_redeem_at = Some(now);
            token.redeems += 1;
            token.redeems - 1
        })
    }

    /// Spends a token with a recorded delivery: one file for each export type. A type that is not generated has the
    /// content of a GLB.
    ///
    /// # Errors
    /// The token is unknown, spent or expired.
    pub(crate) fn spend_token_for_recorded_delivery(
        &mut self,
        name: &str,
        types: &[String],
        now: Duration,
    ) -> Result<Vec<DownloadOffer>, TokenNotActive> {
        let token = find_updated_token(&self.by_name, &mut self.token_views, name, now).ok_or(TokenNotActive)?;
        let ordinal = token.ordinal;
        if !token.is_active() {
            return Err(TokenNotActive);
        }
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        rng.set_stream(ordinal << 16);
        let generated = AvatarIdentity::New { seed: rng.random(), picture: None };
        let avatar = token.associated_avatar().cloned().unwrap_or(generated);
        token.phase = TokenLifecycle::Spent { avatar: avatar.clone(), at: now };
        let life = extend_to_real_lifetime(URL_LIFETIME, MIN_URL_LIFETIME, self.speed);
        let known = self.avatar_catalog.exports_of_avatar(&avatar);
        let mut offers = Vec::new();
        for (place, export_type) in (1..).zip(types) {
            let generated = known.iter().find(|export| export.export_type == *export_type);
            let plain = export_type.chars().filter(char::is_ascii_alphanumeric).take(20).collect::<String>();
            let extension =
                generated.and_then(|export| export.file.rsplit_once('.')).map(|(_, ending)| ending.to_owned());
            let extension = extension.unwrap_or(plain);
            let source = generated.or(known.first()).map(|export| export.file.clone()).unwrap_or_default();
            let export =
                ExportFileNameAndType { file: format!("file-{place}.{extension}"), export_type: export_type.clone() };
            let id = draw_random_id(&mut self.id_rng);
            token.urls.push(id.clone());
            offers.push(DownloadOffer { id: id.clone(), file: export.file.clone(), export_type: export_type.clone() });
            let issued = IssuedDownloadUrl {
                avatar: avatar.clone(),
                export,
                source: DownloadFileNameAndPadding { file: source, glb_padding: 0 },
                token_ordinal: ordinal,
                expires_at: now.saturating_add(life),
                state: UrlDeliveryState::Unused,
            };
            self.downloads.add_download_url(id, issued);
        }
        Ok(offers)
    }

    /// Whether the next redeem of a token returns download URLs.
    pub(crate) fn is_token_ready(&mut self, name: &str, now: Duration) -> bool {
        let token = find_updated_token(&self.by_name, &mut self.token_views, name, now);
        token.is_some_and(|token| matches!(token.phase, TokenLifecycle::Ready { .. }))
    }
}

/// The exports that a scenario delivers, each with its source.
fn delivered_exports(
    delivered: &DeliveredFiles,
    mut exports: Vec<ExportFileNameAndType>,
) -> impl Iterator<Item = (ExportFileNameAndType, DownloadFileNameAndPadding)> {
    if let Some(wanted) = &delivered.export_types {
        exports.retain(|export| wanted.contains(&export.export_type));
    }
    let padding = delivered.glb_padding;
    (1..=delivered.copies).flat_map(move |time| {
        exports.clone().into_iter().map(move |mut export| {
            let source = DownloadFileNameAndPadding { file: export.file.clone(), glb_padding: padding };
            if time > 1 {
                let dot = export.file.find('.').unwrap_or(export.file.len());
                export.file.insert_str(dot, &format!("-{time}"));
            }
            (export, source)
        })
    })
}
