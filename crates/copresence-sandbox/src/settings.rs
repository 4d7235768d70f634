//! The configuration of a sandbox.

use crate::faults::Fault;
use crate::limits::ResourceLimits;
use crate::scenario::TokenScenario;
use crate::tls::CertificateSource;
use copresence_protocol::{ApiKey, Password, SessionToken, Username};
use rand::RngExt;
use rand::distr::Alphanumeric;
use std::fmt;
use std::num::NonZeroU32;
use std::path::PathBuf;
use url::Url;

/// The configuration of a sandbox.
///
/// # Defaults
/// Scenario `happy` at speed 1; a random seed and random credentials; no public URL, assets or faults; a rate limit of
/// [`DEFAULT_RATE_LIMIT`] requests per second; plain HTTP.
#[derive(Clone)]
pub struct SandboxSettings {
    /// The scenario of new tokens.
    pub scenario: TokenScenario,
    /// Virtual seconds per real second, above 0.
    pub speed: f64,
    /// The seed of timings and avatars: the same seed gives the same run.
    pub seed: u64,
    /// The REST API key that it accepts.
    pub api_key: String,
    /// The user name that `/login` accepts.
    pub username: String,
    /// The password that `/login` accepts.
    pub password: String,
    /// The URL that clients use, if it differs from the listening address (a reverse proxy). If it names another host
    /// than a loopback one, requests of this machine count as a proxy's: `/sandbox/…` needs the operator key, and the
    /// rate limit applies.
    pub public_url: Option<Url>,
    /// A folder with one sub-folder of files per avatar. These are served instead of generated avatars.
    pub assets: Option<PathBuf>,
    /// The initial faults. See [`crate::faults`].
    pub faults: Vec<Fault>,
    /// Requests per second that one client address may send, with bursts of four seconds' worth. Beyond it, the
    /// response is 429. `None` sets no limit. Programs on this machine are not limited; a proxy on this machine is, as
    /// one client.
    pub rate_limit: Option<NonZeroU32>,
    /// Serves HTTPS instead of HTTP.
    pub tls: Option<CertificateSource>,
    /// Bounds on bodies, responses and connections.
    pub limits: ResourceLimits,
}

/// Default of [`SandboxSettings::rate_limit`], in requests per second: far more than any kiosk or phone needs.
pub const DEFAULT_RATE_LIMIT: u32 = 100;

impl Default for SandboxSettings {
    fn default() -> Self {
        Self {
            scenario: TokenScenario::Happy,
            speed: 1.0,
            seed: rand::rng().random(),
            api_key: random_alphanumeric(32),
            username: format!("sandbox-{}", random_alphanumeric(6)),
            password: random_alphanumeric(24),
            public_url: None,
            assets: None,
            faults: Vec::new(),
            rate_limit: NonZeroU32::new(DEFAULT_RATE_LIMIT),
            tls: None,
            limits: ResourceLimits::default(),
        }
    }
}

impl fmt::Debug for SandboxSettings {
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

/// The credentials that a sandbox accepts. They are valid in this sandbox only, but are masked all the same.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// Value of [`copresence_protocol::headers::API_KEY`].
    pub api_key: ApiKey,
    /// A session token that is valid from the start, for [`copresence_protocol::headers::SESSION_TOKEN`].
    pub session_token: SessionToken,
    /// User name for `/login`.
    pub username: Username,
    /// Password for `/login`.
    pub password: Password,
    /// Value of [`OPERATOR_KEY_HEADER`]: allows other machines to call `/sandbox/…`.
    pub operator_key: ApiKey,
}

/// The header that allows other machines than this one to call `/sandbox/…`.
pub const OPERATOR_KEY_HEADER: &str = "X-Sandbox-Operator-Key";

impl Credentials {
    /// Credentials from the settings (API key, user name and password) and random ones (session token and operator
    /// key).
    pub(crate) fn credentials_from_settings_and_random(settings: &SandboxSettings) -> Self {
        Self {
            api_key: ApiKey::new(&settings.api_key),
            session_token: SessionToken::new(random_session_token()),
            username: Username::new(&settings.username),
            password: Password::new(&settings.password),
            operator_key: ApiKey::new(random_alphanumeric(32)),
        }
    }
}

/// A random session token in Parse Server's form.
pub(crate) fn random_session_token() -> String {
    format!("r:{}", random_alphanumeric(32))
}

/// Random letters and digits from the thread's generator, which the operating system seeds.
fn random_alphanumeric(length: usize) -> String {
    let mut rng = rand::rng();
    (0..length).map(|_| char::from(rng.sample(Alphanumeric))).collect()
}
