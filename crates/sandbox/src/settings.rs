//! How a sandbox is set up.

use crate::faults::Fault;
use crate::scenario::Scenario;
use crate::tls::Tls;
use protocol::{ApiKey, Password, SessionToken, Username};
use rand::RngExt;
use rand::distr::Alphanumeric;
use std::fmt;
use std::num::NonZeroU32;
use std::path::PathBuf;
use url::Url;

/// How a sandbox is set up. The default is `happy` at speed 1, with a random seed and random credentials.
#[derive(Clone)]
pub struct Settings {
    /// The scenario of the tokens that are generated.
    pub scenario: Scenario,
    /// Virtual seconds a real second, above 0.
    pub speed: f64,
    /// Decides timings and avatars: the same seed gives the same run.
    pub seed: u64,
    /// The REST API key that it accepts.
    pub api_key: String,
    /// The user name that `/login` accepts.
    pub username: String,
    /// The password that `/login` accepts.
    pub password: String,
    /// Where it is reached from outside, when that is not the address it listens on (a proxy in front).
    pub public_url: Option<Url>,
    /// A folder with one sub-folder of files per avatar, served instead of generated ones.
    pub assets: Option<PathBuf>,
    /// What goes wrong, from the start on. See [`crate::faults`].
    pub faults: Vec<Fault>,
    /// How many requests a second one address on the network may ask (four seconds' worth at once); beyond it, 429.
    /// `None` sets no limit, and this machine itself never has one.
    pub rate_limit: Option<NonZeroU32>,
    /// Serve HTTPS in place of HTTP.
    pub tls: Option<Tls>,
}

/// [`Settings::rate_limit`] by default: far over any kiosk and any phone.
pub const RATE_LIMIT: u32 = 100;

impl Default for Settings {
    fn default() -> Self {
        Self {
            scenario: Scenario::Happy,
            speed: 1.0,
            seed: rand::rng().random(),
            api_key: random_word(32),
            username: format!("sandbox-{}", random_word(6)),
            password: random_word(24),
            public_url: None,
            assets: None,
            faults: Vec::new(),
            rate_limit: NonZeroU32::new(RATE_LIMIT),
            tls: None,
        }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("scenario", &self.scenario)
            .field("speed", &self.speed)
            .field("seed", &self.seed)
            .field("public_url", &self.public_url)
            .field("assets", &self.assets)
            .field("faults", &self.faults)
            .finish_non_exhaustive()
    }
}

/// What a sandbox accepts. They are the sandbox's own and open no door elsewhere; masked all the same.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// For [`protocol::headers::API_KEY`].
    pub api_key: ApiKey,
    /// One that already works, for [`protocol::headers::SESSION_TOKEN`].
    pub session_token: SessionToken,
    /// For `/login`.
    pub username: Username,
    /// For `/login`.
    pub password: Password,
    /// For [`OPERATOR_KEY`]: opens `/sandbox/…` to others than loopback.
    pub operator_key: ApiKey,
}

/// The header that opens `/sandbox/…` to others than loopback.
pub const OPERATOR_KEY: &str = "X-Sandbox-Operator-Key";

impl Credentials {
    pub(crate) fn of(settings: &Settings) -> Self {
        Self {
            api_key: ApiKey::new(&settings.api_key),
            session_token: SessionToken::new(random_session()),
            username: Username::new(&settings.username),
            password: Password::new(&settings.password),
            operator_key: ApiKey::new(random_word(32)),
        }
    }
}

/// A session token in Parse Server's form.
pub(crate) fn random_session() -> String {
    format!("r:{}", random_word(32))
}

/// Letters and digits from the operating system's randomness (through a generator seeded by it).
fn random_word(length: usize) -> String {
    let mut rng = rand::rng();
    (0..length).map(|_| char::from(rng.sample(Alphanumeric))).collect()
}
