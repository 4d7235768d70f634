//! The model of the backend: tokens, queue, processing and downloads. It is pure: time is passed in, random values come
//! from seeds, and there is no I/O.
//!
//! `now` is always virtual time since the start of the sandbox, and must not run backwards.

pub mod avatar;
pub mod downloads;
mod plan;
pub mod state;
mod token;

#[cfg(test)]
mod tests;

use crate::faults::{FaultSet, RequestAttributes, SelectedFault};
use crate::scenario::{DeliveredFiles, Scenario, URL_LIFETIME};
use avatar::{AvatarCatalog, AvatarChoice, AvatarIdentity, ExportFileNameAndType, PictureId};
use copresence_protocol::Progress;
use downloads::{
    DeliveryId, DownloadFileNameAndPadding, DownloadRefusal, DownloadUrlRegistry, IssuedDownloadUrl, UrlDeliveryState,
};
use plan::{ProcessingPlan, ProcessingStage};
use rand::distr::Alphanumeric;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use state::{PhoneView, TesterTokenView};
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;
use token::{SimulatedToken, TokenLifecycle};

/// Maximum number of tokens of the main world. Beyond it, the oldest spent or expired ones are forgotten; if there are
/// none, no token is generated.
pub const MAX_TOKENS: usize = 20_000;

/// Minimum lifetime of a token in real time: enough to use it, however fast the clock runs. Scenarios with
/// [`Scenario::may_expire_early`] are exempt.
pub const MIN_TOKEN_LIFETIME: Duration = Duration::from_mins(2);

/// Minimum lifetime of a download URL in real time.
pub const MIN_URL_LIFETIME: Duration = Duration::from_mins(1);

/// The model. See the [module](self).
#[derive(Debug)]
pub struct World {
    scenario: Scenario,
    seed: u64,
    id_rng: StdRng,
    avatar_catalog: AvatarCatalog,
    token_views: BTreeMap<u64, SimulatedToken>,
    by_name: HashMap<String, u64>,
    generated_count: u64,
    downloads: DownloadUrlRegistry,
    /// Virtual seconds per real second, for the minimum lifetimes.
    speed: f64,
    max_tokens: usize,
    /// Whether a token has faults of its scenario.
    has_scenario_faults: bool,
}

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

/// The maximum number of active tokens is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there are {max} active Export Tokens, which is the maximum; expire some, or restart the sandbox")]
pub struct TooManyTokensError {
    /// The maximum number.
    pub max: usize,
}

/// Why an avatar is not associated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AssociateError {
    /// The token was never generated, or is forgotten.
    #[error("there is no such Export Token")]
    NoSuchToken,
    /// The token already has an avatar.
    #[error("the Export Token already has an avatar")]
    HasAvatar,
    /// The token is spent or expired.
    #[error("the Export Token is no longer active")]
    NotActive,
    /// No avatar has this id.
    #[error("there is no avatar `{0}`; use `new` to record one")]
    NoSuchAvatar(String),
}

/// A state that a tester can force a token into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ForcedState {
    /// The token expires now.
    Expire,
    /// Processing fails now.
    Fail,
    /// The avatar is ready now.
    Complete,
}

/// Why a state cannot be forced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ForceError {
    /// The token was never generated, or is forgotten.
    #[error("there is no such Export Token")]
    NoSuchToken,
    /// The token is spent or expired.
    #[error("the Export Token is no longer active")]
    NotActive,
    /// The token has no avatar that could fail or complete.
    #[error("the Export Token has no avatar yet; associate one first")]
    NoAvatar,
}

impl World {
    /// Creates an empty model. `seed` determines timings and avatars. `ids` seeds tokens and URLs, and must be secret.
    pub fn new(scenario: Scenario, seed: u64, ids: [u8; 32], avatar_catalog: AvatarCatalog) -> Self {
        Self {
            scenario,
            seed,
            id_rng: StdRng::from_seed(ids),
            avatar_catalog,
            token_views: BTreeMap::new(),
            by_name: HashMap::new(),
            generated_count: 0,
            downloads: DownloadUrlRegistry::default(),
            speed: 1.0,
            max_tokens: MAX_TOKENS,
            has_scenario_faults: false,
        }
    }

    /// Sets the maximum number of tokens, [`MAX_TOKENS`] by default.
    pub fn set_max_tokens(&mut self, max_tokens: usize) {
        self.max_tokens = max_tokens;
    }

    /// Sets the speed of the clock. Tokens and URLs issued from now on live at least [`MIN_TOKEN_LIFETIME`] and
    /// [`MIN_URL_LIFETIME`] of real time.
    pub fn set_speed(&mut self, speed: f64) {
        self.speed = speed;
    }

    /// The scenario of new tokens.
    pub fn scenario(&self) -> &Scenario {
        &self.scenario
    }

    /// Changes the scenario of new tokens.
    pub fn set_new_token_scenario(&mut self, scenario: Scenario) {
        self.scenario = scenario;
    }

    /// The seed that reproduces this run.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Number of tokens, including those that have ended and are not forgotten.
    pub fn token_count(&self) -> usize {
        self.token_views.len()
    }

    /// The avatars that visitors can choose.
    pub fn avatar_catalog(&self) -> &AvatarCatalog {
        &self.avatar_catalog
    }

    /// Updates the phase of every token.
    pub fn update_token_phases(&mut self, now: Duration) {
        for token in self.token_views.values_mut() {
            token.update_phase(now);
        }
    }

    /// Spec: "Generates an Export Token object in the Copresence backend".
    ///
    /// # Errors
    /// The maximum number of tokens is active.
    pub fn generate_token(&mut self, now: Duration) -> Result<String, TooManyTokensError> {
        if self.token_views.len() >= self.max_tokens {
            self.forget_finished_tokens(now);
        }
        if self.token_views.len() >= self.max_tokens {
            return Err(TooManyTokensError { max: self.max_tokens });
        }
        let name = draw_random_id(&mut self.id_rng);
        self.generated_count += 1;
        self.by_name.insert(name.clone(), self.generated_count);
        let scenario = self.scenario.clone();
        let life = self.token_lifetime(&scenario);
        self.has_scenario_faults |= !scenario.faults().is_empty();
        let faults = FaultSet::faults_of_token(self.seed, self.generated_count, scenario.faults());
        let token = SimulatedToken::new(self.generated_count, name.clone(), scenario, faults, life, now);
        self.token_views.insert(self.generated_count, token);
        Ok(name)
    }

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
            self.downloads.add_download(
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
    pub(crate) fn count_redeem(&mut self, name: &str, now: Duration) -> Option<u64> {
        let token = find_updated_token(&self.by_name, &mut self.token_views, name, now)?;
        token.is_active().then(|| {
            token.last_redeem_at = Some(now);
            token.redeems += 1;
            token.redeems - 1
        })
    }

    /// Counts a request for a file in a replay. Returns the number of requests for the token's files before; `None` if
    /// the URL is unknown.
    pub(crate) fn count_download_request(&mut self, url_id: &str) -> Option<u64> {
        let ordinal = self.downloads.find_download_in_any_state(url_id)?.token_ordinal;
        let token = self.token_views.get_mut(&ordinal)?;
        token.download_requests += 1;
        Some(token.download_requests - 1)
    }

    /// Spends a token with a recorded delivery: one file for each export type. A type that is not generated has the
    /// content of a GLB.
    ///
    /// # Errors
    /// The token is unknown, spent or expired.
    pub(crate) fn deliver_files_of_types(
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
            self.downloads.add_download(id, issued);
        }
        Ok(offers)
    }

    /// Checks whether [`World::associate_avatar`] would succeed now.
    ///
    /// # Errors
    /// As [`World::associate_avatar`].
    pub fn check_association(
        &mut self,
        name: &str,
        choice: &AvatarChoice,
        now: Duration,
    ) -> Result<(), AssociateError> {
        let token =
            find_updated_token(&self.by_name, &mut self.token_views, name, now).ok_or(AssociateError::NoSuchToken)?;
        let failed = matches!(token.avatar_stage_at(now), Some(ProcessingStage::Failed { .. }));
        match token.phase {
            TokenLifecycle::Waiting | TokenLifecycle::Failed { .. } => {}
            // The visitor records again before the scenario does.
            TokenLifecycle::InProgress { .. } if failed => {}
            TokenLifecycle::InProgress { .. } | TokenLifecycle::Ready { .. } | TokenLifecycle::Spent { .. } => {
                return Err(AssociateError::HasAvatar);
            }
            TokenLifecycle::Expired { .. } => return Err(AssociateError::NotActive),
        }
        match choice {
            AvatarChoice::Existing(id) if self.avatar_catalog.find_existing_avatar(id).is_none() => {
                Err(AssociateError::NoSuchAvatar(id.clone()))
            }
            _ => Ok(()),
        }
    }

    /// Spec: "After recording or selection, the avatar is associated with the Export Token." `scenario` replaces the
    /// token's own scenario, and its lifetime then counts from now if that ends sooner. `picture` is the face of a new
    /// avatar.
    ///
    /// # Errors
    /// The token is unknown, no longer active or already has an avatar, or the chosen avatar does not exist.
    pub fn associate_avatar(
        &mut self,
        name: &str,
        choice: &AvatarChoice,
        scenario: Option<&Scenario>,
        picture: Option<PictureId>,
        now: Duration,
    ) -> Result<AvatarIdentity, AssociateError> {
        self.check_association(name, choice, now)?;
        let ordinal = self.by_name.get(name).copied().ok_or(AssociateError::NoSuchToken)?;
        let life = scenario.map_or(Duration::MAX, |scenario| self.token_lifetime(scenario));
        let token =
            find_updated_token(&self.by_name, &mut self.token_views, name, now).ok_or(AssociateError::NoSuchToken)?;
        // Each recording has its own random stream, so that it does not depend on other requests.
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        rng.set_stream((ordinal << 16) | token.associations);
        let seed = rng.random();
        let avatar = match choice {
            AvatarChoice::Existing(id) => {
                let found = self
                    .avatar_catalog
                    .find_existing_avatar(id)
                    .ok_or_else(|| AssociateError::NoSuchAvatar(id.clone()))?;
                AvatarIdentity::Existing { id: found.id.clone() }
            }
            AvatarChoice::New => match self.avatar_catalog.existing.as_slice() {
                owned if self.avatar_catalog.new_is_existing && !owned.is_empty() => {
                    AvatarIdentity::Existing { id: owned[rng.random_range(0..owned.len())].id.clone() }
                }
                _ => AvatarIdentity::New { seed, picture },
            },
        };
        if let Some(scenario) = scenario {
            token.scenario = scenario.clone();
            token.faults = FaultSet::faults_of_token(self.seed, ordinal, scenario.faults());
            self.has_scenario_faults |= !scenario.faults().is_empty();
            token.expires_at = token.expires_at.min(now.saturating_add(life));
        }
        let existing = matches!(choice, AvatarChoice::Existing(_));
        let plan = ProcessingPlan::draw_plan_for_scenario(&token.scenario, existing, token.associations, &mut rng);
        token.associations += 1;
        token.associated_at = Some(now);
        token.phase = TokenLifecycle::InProgress { avatar: avatar.clone(), plan, since: now };
        Ok(avatar)
    }

    /// Forces a token into a state.
    ///
    /// # Errors
    /// The token is unknown or no longer active, or has no avatar that could fail or complete.
    pub fn force_token_state(&mut self, name: &str, force: ForcedState, now: Duration) -> Result<(), ForceError> {
        let token =
            find_updated_token(&self.by_name, &mut self.token_views, name, now).ok_or(ForceError::NoSuchToken)?;
        if !token.is_active() {
            return Err(ForceError::NotActive);
        }
        token.phase = match (force, token.associated_avatar().cloned()) {
            (ForcedState::Expire, _) => {
                token.expires_at = now;
                TokenLifecycle::Expired { at: now }
            }
            (ForcedState::Fail, Some(avatar)) => {
                TokenLifecycle::Failed { avatar, percent: progress_percent(token, now) }
            }
            (ForcedState::Complete, Some(avatar)) => TokenLifecycle::Ready { avatar },
            (ForcedState::Fail | ForcedState::Complete, None) => return Err(ForceError::NoAvatar),
        };
        Ok(())
    }

    /// The state shown on the phone; `None` if there is no such token.
    pub fn phone_view(&mut self, name: &str, now: Duration) -> Option<PhoneView> {
        let token = find_updated_token(&self.by_name, &mut self.token_views, name, now)?;
        Some(PhoneView::phone_view_of_token(token, now))
    }

    /// The states of all tokens, oldest first.
    pub fn token_views(&mut self, now: Duration) -> Vec<TesterTokenView> {
        self.update_token_phases(now);
        self.token_views.values().map(|token| self.build_token_view(token, now)).collect()
    }

    /// The state of a token; `None` if there is no such token.
    pub fn token_view(&mut self, name: &str, now: Duration) -> Option<TesterTokenView> {
        find_updated_token(&self.by_name, &mut self.token_views, name, now)?;
        let token = self.token_views.get(self.by_name.get(name)?)?;
        Some(self.build_token_view(token, now))
    }

    /// Whether the next redeem of a token returns download URLs.
    pub(crate) fn is_token_ready(&mut self, name: &str, now: Duration) -> bool {
        let token = find_updated_token(&self.by_name, &mut self.token_views, name, now);
        token.is_some_and(|token| matches!(token.phase, TokenLifecycle::Ready { .. }))
    }

    /// Returns avatar and file if a URL is valid, without using it.
    pub(crate) fn check_download(
        &self,
        id: &str,
        file: &str,
        now: Duration,
    ) -> Result<(AvatarIdentity, DownloadFileNameAndPadding), DownloadRefusal> {
        self.downloads
            .find_valid_download(id, file, now)
            .map(|download| (download.avatar.clone(), download.source.clone()))
    }

    /// Whether a token has faults of its scenario.
    pub(crate) fn has_scenario_faults(&self) -> bool {
        self.has_scenario_faults
    }

    /// Counts a request for a token or one of its files, and returns the faults of the token's scenario to apply to it.
    /// `url_id` is the id in the URL of a download.
    pub(crate) fn count_and_select_token_faults(
        &mut self,
        attributes: &RequestAttributes<'_>,
        token: Option<&str>,
        url_id: Option<&str>,
    ) -> Vec<SelectedFault> {
        let by_url = url_id.and_then(|id| self.downloads.find_download_in_any_state(id)).map(|url| url.token_ordinal);
        let ordinal = by_url.or_else(|| self.by_name.get(token?).copied());
        let token = ordinal.and_then(|ordinal| self.token_views.get_mut(&ordinal));
        token.map(|token| token.faults.count_and_select_faults(attributes)).unwrap_or_default()
    }

    /// The export type of a URL, valid or not.
    pub(crate) fn export_type_of_url(&self, id: &str) -> Option<&str> {
        self.downloads.find_download_in_any_state(id).map(|download| download.export.export_type.as_str())
    }

    /// Begins to deliver a file.
    pub(crate) fn begin_delivery(
        &mut self,
        id: &str,
        file: &str,
        now: Duration,
    ) -> Result<DeliveryId, DownloadRefusal> {
        self.downloads.begin_delivery_replacing_unfinished(id, file, now)
    }

    /// Whether a delivery may send another chunk; `last` uses the URL up.
    pub(crate) fn check_and_record_chunk(&mut self, id: &str, delivery: u64, last: bool) -> bool {
        self.downloads.may_send_chunk_and_record(id, delivery, last)
    }

    /// Whether the picture and the files of a token's new avatar are still needed.
    pub(crate) fn needs_avatar(&mut self, name: &str, now: Duration) -> bool {
        let Some(token) = find_updated_token(&self.by_name, &mut self.token_views, name, now) else {
            return false;
        };
        match token.phase {
            TokenLifecycle::InProgress { .. } | TokenLifecycle::Failed { .. } | TokenLifecycle::Ready { .. } => true,
            TokenLifecycle::Spent { .. } => self.downloads.has_any_usable_url(&token.urls, now),
            TokenLifecycle::Waiting | TokenLifecycle::Expired { .. } => false,
        }
    }

    /// Forgets the oldest spent and expired tokens until three quarters of the limit remain.
    fn forget_finished_tokens(&mut self, now: Duration) {
        self.update_token_phases(now);
        let surplus = self.token_views.len().saturating_sub(self.max_tokens * 3 / 4);
        let finished = self.token_views.iter().filter(|(_, token)| !token.is_active());
        let forgotten: Vec<u64> = finished.map(|(ordinal, _)| *ordinal).take(surplus).collect();
        for ordinal in forgotten {
            if let Some(token) = self.token_views.remove(&ordinal) {
                self.by_name.remove(&token.name);
                token.urls.iter().for_each(|id| self.downloads.remove_download(id));
            }
        }
    }

    fn build_token_view(&self, token: &SimulatedToken, now: Duration) -> TesterTokenView {
        TesterTokenView::view_of_token(
            token,
            token.urls.iter().filter_map(|id| self.downloads.find_download_in_any_state(id)),
            now,
        )
    }

    /// Lifetime of new tokens of a scenario, in virtual time: at least [`MIN_TOKEN_LIFETIME`] of real time unless
    /// the scenario may expire early.
    fn token_lifetime(&self, scenario: &Scenario) -> Duration {
        if scenario.may_expire_early() {
            scenario.token_lifetime()
        } else {
            extend_to_real_lifetime(scenario.token_lifetime(), MIN_TOKEN_LIFETIME, self.speed)
        }
    }
}

/// The longer of a virtual lifetime and a real lifetime at this speed.
fn extend_to_real_lifetime(life: Duration, real: Duration, speed: f64) -> Duration {
    life.max(Duration::try_from_secs_f64(real.as_secs_f64() * speed).unwrap_or(Duration::MAX))
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

/// A random id of 24 letters and digits (about 140 bits).
fn draw_random_id(rng: &mut StdRng) -> String {
    (0..24).map(|_| char::from(rng.sample(Alphanumeric))).collect()
}

fn progress_percent(token: &SimulatedToken, now: Duration) -> u8 {
    match token.avatar_stage_at(now) {
        Some(ProcessingStage::Processing { percent } | ProcessingStage::Failed { percent }) => percent,
        Some(ProcessingStage::Ready) => 100,
        Some(ProcessingStage::InQueue { .. }) | None => 0,
    }
}

/// Finds a token by its name, and updates its phase to `now`; `None` if there is no such token.
fn find_updated_token<'a>(
    by_name: &HashMap<String, u64>,
    tokens: &'a mut BTreeMap<u64, SimulatedToken>,
    name: &str,
    now: Duration,
) -> Option<&'a mut SimulatedToken> {
    let token = tokens.get_mut(by_name.get(name)?)?;
    token.update_phase(now);
    Some(token)
}
