//! The model of the backend: tokens, queue, processing and downloads. It is pure: time is passed in, random values come
//! from seeds, and there is no I/O.
//!
//! `now` is always virtual time since the start of the sandbox, and must not run backwards.

mod association;
pub mod avatar;
pub mod downloads;
mod plan;
mod redeem;
pub mod state;
mod token;

#[cfg(test)]
mod tests;

pub use association::{AssociateError, ForceTokenStateError, ForcedState};
pub use redeem::{DownloadOffer, RedeemResult, TokenNotActive};

use crate::faults::{FaultSet, RequestAttributes, SelectedFault};
use crate::scenario::Scenario;
use avatar::{AvatarCatalog, AvatarIdentity};
use downloads::{DeliveryId, DownloadFileNameAndPadding, DownloadRefusal, DownloadUrlRegistry};
use rand::distr::Alphanumeric;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
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

/// The maximum number of active tokens is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there are {max} active Export Tokens, which is the maximum; expire some, or restart the sandbox")]
pub struct TooManyTokensError {
    /// The maximum number.
    pub max: usize,
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
    pub fn set_scenario_of_new_tokens(&mut self, scenario: Scenario) {
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
            token.update_phase_to_time(now);
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
        let faults = FaultSet::faults_of_token_scenario(self.seed, self.generated_count, scenario.faults());
        let token = SimulatedToken::new(self.generated_count, name.clone(), scenario, faults, life, now);
        self.token_views.insert(self.generated_count, token);
        Ok(name)
    }

    /// Counts a request for a file in a replay. Returns the number of requests for the token's files before; `None` if
    /// the URL is unknown.
    pub(crate) fn count_download_request(&mut self, url_id: &str) -> Option<u64> {
        let ordinal = self.downloads.find_download_in_any_state(url_id)?.token_ordinal;
        let token = self.token_views.get_mut(&ordinal)?;
        token.download_requests += 1;
        Some(token.download_requests - 1)
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
        token.map(|token| token.faults.count_request_returning_its_faults(attributes)).unwrap_or_default()
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
        self.downloads.may_send_chunk_and_record_last(id, delivery, last)
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
                token.urls.iter().for_each(|id| self.downloads.remove_download_url(id));
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

/// A random id of 24 letters and digits (about 140 bits).
fn draw_random_id(rng: &mut StdRng) -> String {
    (0..24).map(|_| char::from(rng.sample(Alphanumeric))).collect()
}

/// Finds a token by its name, and updates its phase to `now`; `None` if there is no such token.
fn find_updated_token<'a>(
    by_name: &HashMap<String, u64>,
    tokens: &'a mut BTreeMap<u64, SimulatedToken>,
    name: &str,
    now: Duration,
) -> Option<&'a mut SimulatedToken> {
    let token = tokens.get_mut(by_name.get(name)?)?;
    token.update_phase_to_time(now);
    Some(token)
}
