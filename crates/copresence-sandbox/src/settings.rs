//! The configuration of a sandbox.

use crate::faults::Fault;
use crate::limits::ResourceLimits;
use crate::replay::Recording;
use crate::scenario::{BuiltInScenarioName, Scenario};
use crate::tls::CertificateSource;
use copresence_protocol::{ApiKey, Password, SessionToken, Username};
use rand::RngExt;
use rand::distr::Alphanumeric;
use std::fmt;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;
use url::Url;

/// The configuration of a sandbox.
///
/// # Defaults
/// Scenario `happy` at speed 1; a random seed and random credentials; no public URL, assets, faults or recording; a rate limit of
/// [`DEFAULT_RATE_LIMIT`] requests per second; plain HTTP; unused worlds end after [`DEFAULT_WORLD_IDLE_LIMIT`].
#[derive(Clone)]
pub struct SandboxSettings {
    /// The scenario of new tokens. One that is not built-in is known by its name, too.
    pub scenario: Scenario,
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
    /// A recorded run that it answers from. Each Export Token begins the recorded redeems anew.
    pub recording: Option<Recording>,
    /// Requests per second that one client address may send, with bursts of four seconds' worth. Beyond it, the
    /// response is 429. `None` sets no limit. Programs on this machine are not limited; a proxy on this machine is, as
    /// one client.
    pub rate_limit: Option<NonZeroU32>,
    /// Serves HTTPS instead of HTTP.
    pub tls: Option<CertificateSource>,
    /// Bounds on bodies, responses and connections.
    pub limits: ResourceLimits,
    /// Real time after which a world other than the main one ends, if it is not used.
    pub world_idle_limit: Duration,
}

/// The settings of a world other than the main one. See [`crate::Sandbox::create_world`].
///
/// # Defaults
/// A random seed, a running clock, and the scenario, speed, faults and idle limit that the sandbox was started with. Its
/// recording is always that of the sandbox.
#[derive(Debug, Clone, Default)]
pub struct WorldSettings {
    /// The seed of ids, timings and avatars.
    pub seed: Option<u64>,
    /// The scenario of new tokens. One that is not built-in is known in this world by its name, too.
    pub scenario: Option<Scenario>,
    /// Virtual seconds per real second, above 0.
    pub speed: Option<f64>,
    /// Whether the clock is paused from the start.
    pub paused: bool,
    /// The initial faults. See [`crate::faults`].
    pub faults: Option<Vec<Fault>>,
    /// Real time after which it ends, if it is not used.
    pub idle_limit: Option<Duration>,
}

/// Default of [`SandboxSettings::world_idle_limit`].
pub const DEFAULT_WORLD_IDLE_LIMIT: Duration = Duration::from_mins(10);

/// Default of [`SandboxSettings::rate_limit`], in requests per second: far more than any kiosk or phone needs.
pub const DEFAULT_RATE_LIMIT: u32 = 100;

/// A random seed that every reader of JSON keeps: JavaScript rounds integers above 2^53.
pub(crate) fn generate_random_seed_exact_in_json() -> u64 {
    rand::rng().random::<u64>() >> 11
}

impl Default for SandboxSettings {
    fn default() -> Self {
        Self {
            scenario: BuiltInScenarioName::Happy.into(),
            speed: 1.0,
            seed: generate_random_seed_exact_in_json(),
            api_key: generate_random_api_key(),
            username: generate_random_username(),
            password: generate_random_password(),
            public_url: None,
            assets: None,
            faults: Vec::new(),
            recording: None,
            rate_limit: NonZeroU32::new(DEFAULT_RATE_LIMIT),
            tls: None,
            limits: ResourceLimits::default(),
            world_idle_limit: DEFAULT_WORLD_IDLE_LIMIT,
        }
    }
}

impl fmt::Debug for SandboxSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("scenario", &self.scenario.name())
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
            operator_key: ApiKey::new(generate_random_alphanumeric(32)),
        }
    }

    /// Random credentials of a world, which has the operator key of its sandbox.
    pub(crate) fn generate_random_credentials(operator_key: ApiKey) -> Self {
        Self {
            api_key: ApiKey::new(generate_random_api_key()),
            session_token: SessionToken::new(random_session_token()),
            username: Username::new(generate_random_username()),
            password: Password::new(generate_random_password()),
            operator_key,
        }
    }
}

fn generate_random_api_key() -> String {
    generate_random_alphanumeric(32)
}

fn generate_random_username() -> String {
    format!("sandbox-{}", generate_random_alphanumeric(6))
}

fn generate_random_password() -> String {
    generate_random_alphanumeric(24)
}

/// A random session token in Parse Server's form.
pub(crate) fn random_session_token() -> String {
    format!("r:{}", generate_random_alphanumeric(32))
}

/// Random letters and digits from the thread's generator, which the operating system seeds.
pub(crate) fn generate_random_alphanumeric(length: usize) -> String {
    let mut rng = rand::rng();
    (0..length).map(|_| char::from(rng.sample(Alphanumeric))).collect()
}
