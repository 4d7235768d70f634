//! The world behind the sandbox: tokens, queue, processing, downloads. Pure: the time comes in as a value, what is
//! drawn by lot comes from a seed, and there is no I/O.
//!
//! `now` is always virtual time since the sandbox's start and must not run backwards.

pub mod avatar;
pub mod downloads;
mod plan;
pub mod state;
mod token;

#[cfg(test)]
mod tests;

use crate::scenario::{Delivers, Scenario};
use avatar::{Avatar, AvatarChoice, ExportName, Wardrobe};
use downloads::{Claim, Download, Downloads, Refusal, Source, URL_LIFE, Use};
use plan::{Plan, Stage};
use protocol::Progress;
use rand::distr::Alphanumeric;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use state::{PhoneView, TokenState};
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;
use token::{Phase, Token};

/// The most tokens held. Beyond it the oldest finished ones (spent or expired) are forgotten; when none is
/// finished, no more are generated.
pub const MAX_TOKENS: usize = 20_000;

/// The least life of a token in real time: what a person or a program needs to use it, however fast the clock runs.
/// A scenario whose token is to expire is excepted.
pub const LEAST_TOKEN_LIFE: Duration = Duration::from_mins(2);

/// The least life of a download URL in real time.
pub const LEAST_URL_LIFE: Duration = Duration::from_mins(1);

/// The model. See the [module](self).
#[derive(Debug)]
pub struct World {
    scenario: Scenario,
    seed: u64,
    ids: StdRng,
    wardrobe: Wardrobe,
    tokens: BTreeMap<u64, Token>,
    by_name: HashMap<String, u64>,
    generated: u64,
    downloads: Downloads,
    /// How fast the time runs, for the shortest lives.
    speed: f64,
}

/// A file to be had under `/files/{id}/{file}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// The one-time part of the URL.
    pub id: String,
    /// The last part of the URL.
    pub file: String,
    /// Its `export_type`.
    pub export_type: String,
}

/// What a redeem gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Redeemed {
    /// The token is spent: here is what it bought.
    Ready(Vec<Offer>),
    /// The token is still active.
    NotReady(Progress),
}

/// "Provided Export Token string does not match an active Export Token".
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the provided Export Token does not match an active Export Token")]
pub struct NotActive;

/// There is no room for another token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the sandbox holds {MAX_TOKENS} active Export Tokens, which is its limit; expire some, or restart it"
)]
pub struct Full;

/// Why an avatar is not associated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AssociateError {
    /// Never generated, or forgotten since.
    #[error("there is no such Export Token")]
    NoSuchToken,
    /// One avatar a token.
    #[error("the Export Token has an avatar already")]
    HasAvatar,
    /// Spent or expired.
    #[error("the Export Token is no longer active")]
    Over,
    /// An id that is not in the list.
    #[error("there is no avatar `{0}` to choose; `new` records one")]
    NoSuchAvatar(String),
}

/// What a tester can force upon a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Force {
    /// Its life ends now.
    Expire,
    /// Making the avatar breaks off now.
    Fail,
    /// The avatar is ready now.
    Complete,
}

/// Why nothing is forced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ForceError {
    /// Never generated, or forgotten since.
    #[error("there is no such Export Token")]
    NoSuchToken,
    /// Spent or expired.
    #[error("the Export Token is no longer active")]
    Over,
    /// What has no avatar cannot fail or be completed.
    #[error("the Export Token has no avatar yet; associate one first")]
    NoAvatar,
}

impl World {
    /// An empty world. `seed` decides timings and avatars; `ids` decides tokens and URLs, which nobody may guess.
    pub fn new(scenario: Scenario, seed: u64, ids: [u8; 32], wardrobe: Wardrobe) -> Self {
        Self {
            scenario,
            seed,
            ids: StdRng::from_seed(ids),
            wardrobe,
            tokens: BTreeMap::new(),
            by_name: HashMap::new(),
            generated: 0,
            downloads: Downloads::default(),
            speed: 1.0,
        }
    }

    /// Tells the world how fast its time runs. Tokens and URLs given out from now on live at least
    /// [`LEAST_TOKEN_LIFE`] and [`LEAST_URL_LIFE`] of real time.
    pub fn set_speed(&mut self, speed: f64) {
        self.speed = speed;
    }

    /// The scenario of tokens that are generated from now on.
    pub fn scenario(&self) -> Scenario {
        self.scenario
    }

    /// Changes the scenario of tokens that are generated from now on.
    pub fn set_scenario(&mut self, scenario: Scenario) {
        self.scenario = scenario;
    }

    /// The seed that a run can be had again with.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// What can be chosen on the phone.
    pub fn wardrobe(&self) -> &Wardrobe {
        &self.wardrobe
    }

    /// Brings every token to where the time has carried it.
    pub fn step(&mut self, now: Duration) {
        for token in self.tokens.values_mut() {
            token.settle(now);
        }
    }

    /// "Generates an Export Token object in the Copresence backend".
    pub fn generate(&mut self, now: Duration) -> Result<String, Full> {
        if self.tokens.len() >= MAX_TOKENS {
            self.forget_finished(now);
        }
        if self.tokens.len() >= MAX_TOKENS {
            return Err(Full);
        }
        let name = self.random_id();
        self.generated += 1;
        self.by_name.insert(name.clone(), self.generated);
        let life = self.token_life(self.scenario);
        self.tokens.insert(self.generated, Token::new(name.clone(), self.scenario, life, now));
        Ok(name)
    }

    /// "Attempts to redeem an Export Token." The answer with files spends the token in the same step.
    pub fn redeem(&mut self, name: &str, now: Duration) -> Result<Redeemed, NotActive> {
        let token = settled(&self.by_name, &mut self.tokens, name, now).ok_or(NotActive)?;
        token.redeems += 1;
        token.last_redeem_at = Some(now);
        if let Some(progress) = token.progress(now) {
            return Ok(Redeemed::NotReady(progress));
        }
        let Phase::Ready { avatar } = &token.phase else { return Err(NotActive) };
        let avatar = avatar.clone();
        token.phase = Phase::Spent { avatar: avatar.clone(), at: now };
        let delivers = token.scenario.entry().delivers;
        let life = least(URL_LIFE, LEAST_URL_LIFE, self.speed);
        let mut offers = Vec::new();
        for (index, (export, source)) in delivered(delivers, self.wardrobe.exports(&avatar)).enumerate() {
            let id = draw_id(&mut self.ids);
            token.urls.push(id.clone());
            let (file, export_type) = (export.file.clone(), export.export_type.clone());
            offers.push(Offer { id: id.clone(), file, export_type });
            let expired = delivers == Delivers::MostlyExpired && index > 0;
            let expires_at = if expired { now } else { now.saturating_add(life) };
            let avatar = avatar.clone();
            self.downloads.add(id, Download { avatar, export, source, expires_at, state: Use::Unused });
        }
        Ok(Redeemed::Ready(offers))
    }

    /// "After recording or selection, the avatar is associated with the Export Token." A scenario given here takes
    /// the place of the token's own; its life then counts from now, if that is sooner.
    pub fn associate(
        &mut self,
        name: &str,
        choice: &AvatarChoice,
        scenario: Option<Scenario>,
        now: Duration,
    ) -> Result<Avatar, AssociateError> {
        let ordinal = self.by_name.get(name).copied().ok_or(AssociateError::NoSuchToken)?;
        let life = scenario.map_or(Duration::MAX, |scenario| self.token_life(scenario));
        let token = settled(&self.by_name, &mut self.tokens, name, now).ok_or(AssociateError::NoSuchToken)?;
        let failed = matches!(token.stage(now), Some(Stage::Failed { .. }));
        match token.phase {
            Phase::Waiting | Phase::Failed { .. } => {}
            // The visitor records again before the scenario does.
            Phase::Making { .. } if failed => {}
            Phase::Making { .. } | Phase::Ready { .. } | Phase::Spent { .. } => {
                return Err(AssociateError::HasAvatar);
            }
            Phase::Expired { .. } => return Err(AssociateError::Over),
        }
        // Each recording has a stream of its own, so that its course does not hang on what else was asked.
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        rng.set_stream((ordinal << 16) | token.associations);
        let seed = rng.random();
        let avatar = match choice {
            AvatarChoice::Existing(id) => {
                let found = self.wardrobe.find(id).ok_or_else(|| AssociateError::NoSuchAvatar(id.clone()))?;
                Avatar::Existing { id: found.id.clone() }
            }
            AvatarChoice::New => match self.wardrobe.existing.as_slice() {
                owned if self.wardrobe.new_is_existing && !owned.is_empty() => {
                    Avatar::Existing { id: owned[rng.random_range(0..owned.len())].id.clone() }
                }
                _ => Avatar::New { token: name.to_owned(), seed },
            },
        };
        if let Some(scenario) = scenario {
            token.scenario = scenario;
            token.expires_at = token.expires_at.min(now.saturating_add(life));
        }
        let existing = matches!(choice, AvatarChoice::Existing(_));
        let plan = Plan::draw(token.scenario.entry(), existing, token.associations, &mut rng);
        token.associations += 1;
        token.associated_at = Some(now);
        token.phase = Phase::Making { avatar: avatar.clone(), plan, since: now };
        Ok(avatar)
    }

    /// Forces a state.
    pub fn force(&mut self, name: &str, force: Force, now: Duration) -> Result<(), ForceError> {
        let token = settled(&self.by_name, &mut self.tokens, name, now).ok_or(ForceError::NoSuchToken)?;
        if !token.is_active() {
            return Err(ForceError::Over);
        }
        token.phase = match (force, token.avatar().cloned()) {
            (Force::Expire, _) => {
                token.expires_at = now;
                Phase::Expired { at: now }
            }
            (Force::Fail, Some(avatar)) => Phase::Failed { avatar, percent: percent_at(token, now) },
            (Force::Complete, Some(avatar)) => Phase::Ready { avatar },
            (Force::Fail | Force::Complete, None) => return Err(ForceError::NoAvatar),
        };
        Ok(())
    }

    /// What the phone is told; `None` when there is no such token.
    pub fn phone_view(&mut self, name: &str, now: Duration) -> Option<PhoneView> {
        let token = settled(&self.by_name, &mut self.tokens, name, now)?;
        Some(PhoneView::of(token, now))
    }

    /// Every token, the oldest first.
    pub fn tokens(&mut self, now: Duration) -> Vec<TokenState> {
        self.step(now);
        self.tokens.values().map(|token| self.state_of(token, now)).collect()
    }

    /// One token; `None` when there is no such token.
    pub fn token(&mut self, name: &str, now: Duration) -> Option<TokenState> {
        settled(&self.by_name, &mut self.tokens, name, now)?;
        let token = self.tokens.get(self.by_name.get(name)?)?;
        Some(self.state_of(token, now))
    }

    /// Whether the next redeem of a token gets download URLs.
    pub(crate) fn is_ready(&mut self, name: &str, now: Duration) -> bool {
        let token = settled(&self.by_name, &mut self.tokens, name, now);
        token.is_some_and(|token| matches!(token.phase, Phase::Ready { .. }))
    }

    /// Looks whether a URL still gives its file, without using it.
    pub(crate) fn look_at_file(
        &self,
        id: &str,
        file: &str,
        now: Duration,
    ) -> Result<(Avatar, Source), Refusal> {
        self.downloads.look(id, file, now).map(|download| (download.avatar.clone(), download.source.clone()))
    }

    /// What a URL gives, whether it still does or not.
    pub(crate) fn export_type(&self, id: &str) -> Option<&str> {
        self.downloads.get(id).map(|download| download.export.export_type.as_str())
    }

    /// Begins to deliver a file.
    pub(crate) fn begin_file(&mut self, id: &str, file: &str, now: Duration) -> Result<Claim, Refusal> {
        self.downloads.begin(id, file, now)
    }

    /// Whether a delivery may hand over more; `last` uses the URL up.
    pub(crate) fn hand_over(&mut self, id: &str, delivery: u64, last: bool) -> bool {
        self.downloads.hand_over(id, delivery, last)
    }

    /// Whether the picture and the files of a token's new avatar are needed any more.
    pub(crate) fn needs_avatar(&mut self, name: &str, now: Duration) -> bool {
        let Some(token) = settled(&self.by_name, &mut self.tokens, name, now) else { return false };
        match token.phase {
            Phase::Making { .. } | Phase::Failed { .. } | Phase::Ready { .. } => true,
            Phase::Spent { .. } => self.downloads.wanted(&token.urls, now),
            Phase::Waiting | Phase::Expired { .. } => false,
        }
    }

    /// Makes room: of the finished tokens the oldest go, down to three quarters of the limit.
    fn forget_finished(&mut self, now: Duration) {
        self.step(now);
        let surplus = self.tokens.len().saturating_sub(MAX_TOKENS * 3 / 4);
        let finished = self.tokens.iter().filter(|(_, token)| !token.is_active());
        let goes: Vec<u64> = finished.map(|(ordinal, _)| *ordinal).take(surplus).collect();
        for ordinal in goes {
            if let Some(token) = self.tokens.remove(&ordinal) {
                self.by_name.remove(&token.name);
                token.urls.iter().for_each(|id| self.downloads.remove(id));
            }
        }
    }

    fn state_of(&self, token: &Token, now: Duration) -> TokenState {
        TokenState::of(token, token.urls.iter().filter_map(|id| self.downloads.get(id)), now)
    }

    fn token_life(&self, scenario: Scenario) -> Duration {
        let entry = scenario.entry();
        if entry.token_hurries {
            entry.token_life
        } else {
            least(entry.token_life, LEAST_TOKEN_LIFE, self.speed)
        }
    }

    fn random_id(&mut self) -> String {
        draw_id(&mut self.ids)
    }
}

/// A life, or what the least life in real time is at this speed, if that is more.
fn least(life: Duration, real: Duration, speed: f64) -> Duration {
    life.max(Duration::try_from_secs_f64(real.as_secs_f64() * speed).unwrap_or(Duration::MAX))
}

/// What of an avatar's exports a scenario delivers, and which of its files each is.
fn delivered(delivers: Delivers, exports: Vec<ExportName>) -> impl Iterator<Item = (ExportName, Source)> {
    let times = match delivers {
        Delivers::Nothing => 0,
        Delivers::Repeated(times) => times,
        Delivers::Own | Delivers::Large | Delivers::MostlyExpired => 1,
    };
    let large = delivers == Delivers::Large;
    (1..=times).flat_map(move |time| {
        exports.clone().into_iter().map(move |mut export| {
            let source = Source { file: export.file.clone(), large };
            if time > 1 {
                let dot = export.file.find('.').unwrap_or(export.file.len());
                export.file.insert_str(dot, &format!("-{time}"));
            }
            (export, source)
        })
    })
}

/// 24 letters and digits: some 140 bits.
fn draw_id(rng: &mut StdRng) -> String {
    (0..24).map(|_| char::from(rng.sample(Alphanumeric))).collect()
}

fn percent_at(token: &Token, now: Duration) -> u8 {
    match token.stage(now) {
        Some(Stage::Processing { percent } | Stage::Failed { percent }) => percent,
        Some(Stage::Ready) => 100,
        Some(Stage::InQueue { .. }) | None => 0,
    }
}

fn settled<'a>(
    by_name: &HashMap<String, u64>,
    tokens: &'a mut BTreeMap<u64, Token>,
    name: &str,
    now: Duration,
) -> Option<&'a mut Token> {
    let token = tokens.get_mut(by_name.get(name)?)?;
    token.settle(now);
    Some(token)
}
