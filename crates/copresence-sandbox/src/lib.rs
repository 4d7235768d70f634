//! A simulated Copresence backend: the vendor's endpoints, the phone page, and control endpoints for testers.
//!
//! Run it as a server on a port ([`Server`]), or call it as a router inside a test ([`build_router`]).
//!
//! ```
//! use copresence_sandbox::{AvatarChoice, Sandbox, BuiltInScenarioName, SandboxSettings};
//!
//! let settings = SandboxSettings { scenario: BuiltInScenarioName::ExistingAvatar.into(), ..SandboxSettings::default() };
//! let sandbox = Sandbox::new(settings)?;
//! let router = copresence_sandbox::build_router(sandbox.clone()); // mount it, or call it with `tower::ServiceExt::oneshot`
//! assert!(sandbox.associate_avatar("no such token", &AvatarChoice::New, None).is_err());
//! # drop(router);
//! # Ok::<(), copresence_sandbox::SandboxSetupError>(())
//! ```
//!
//! A server on a port, for the test of a client (needs a tokio runtime):
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use copresence_sandbox::{Server, SandboxSettings, faults};
//!
//! let server = Server::start(SandboxSettings::default(), "127.0.0.1:0".parse()?).await?;
//! let known = server.sandbox().accepted_credentials();
//! println!("{} accepts the key {}", server.local_url(), known.api_key.expose());
//! let list = faults::parse_and_check_faults(br#"[{"on": "redeem", "nth": 1, "do": "reset"}]"#)?;
//! server.sandbox().set_faults(list)?;
//! // … send requests, then:
//! server.shut_down_server().await;
//! # Ok(())
//! # }
//! ```
//!
//! Mounted in a router of your own, beside other services: download URLs then need `public_url`, and the address of the
//! client is known only if the router is served with [`axum::extract::ConnectInfo`] (see [`build_router`]).
//!
//! ```
//! use axum::Router;
//! use copresence_sandbox::{Sandbox, SandboxSettings};
//!
//! let public_url = Some("http://127.0.0.1:8080/copresence".parse()?);
//! let sandbox = Sandbox::new(SandboxSettings { public_url, ..SandboxSettings::default() })?;
//! let router: Router = Router::new().nest("/copresence", copresence_sandbox::build_router(sandbox));
//! # drop(router);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Where the specification is silent, the code that decides also documents the decision: errors in Parse Server's form,
//! one-time URLs in [`world::downloads`], access to `/sandbox/…` in `http/guard.rs`.

mod avatar_store;
pub mod clock;
mod connection;
mod connection_slots;
pub mod faults;
mod http;
mod limits;
mod network;
mod open_files;
mod openapi;
mod phone_texts;
pub mod picture;
mod rate_limit;
mod replay;
pub mod requests;
mod sandbox;
pub mod scenario;
mod server;
mod settings;
mod tls;
mod whole_number;
pub mod world;
mod world_registry;

pub use avatar_store::AssetsFolderError;
pub use clock::{ClockChange, ClockError, ClockState};
pub use faults::{Effect, Endpoint, Fault, FaultListError, FaultWithCounts, NthRequests};
pub use http::{build_router, openapi_document};
pub use limits::ResourceLimits;
pub use open_files::raise_open_file_limit;
pub use replay::{Recording, UnreplayableRecordingError};
pub use requests::RequestLine;
pub use sandbox::{CreateWorldError, Sandbox, SandboxSetupError, SandboxStateView, WorldView};
pub use scenario::{BuiltInScenarioName, Scenario, ScenarioFileError, UnknownScenarioError};
pub use server::{Server, StartError};
pub use settings::{
    Credentials, DEFAULT_RATE_LIMIT, DEFAULT_WORLD_IDLE_LIMIT, OPERATOR_KEY_HEADER, SandboxSettings, WorldSettings,
};
pub use tls::{CertificateSource, TlsError};
pub use world::avatar::{AvatarChoice, ExistingAvatar};
pub use world::state::{PhoneTicket, PhoneTicketState, TesterTokenView, TokenPhase};
pub use world::{AssociateError, ForceTokenStateError, ForcedState};
pub use world_registry::{MAX_ADDITIONAL_WORLDS, TooManyWorldsError};
