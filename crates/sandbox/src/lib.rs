//! A simulated Copresence backend: the vendor's endpoints, the phone that scans the code, and a tester's calls that
//! move it. It runs on a port ([`Server`]) or within a test ([`app`]).
//!
//! ```
//! use sandbox::{AvatarChoice, Sandbox, Scenario, Settings};
//!
//! let sandbox = Sandbox::new(Settings { scenario: Scenario::ExistingAvatar, ..Settings::default() })?;
//! let router = sandbox::app(sandbox.clone()); // mount it, or call it by `tower::ServiceExt::oneshot`
//! assert!(sandbox.associate("no such token", &AvatarChoice::New, None).is_err());
//! # drop(router);
//! # Ok::<(), sandbox::SetupError>(())
//! ```
//!
//! What the sandbox decides where the specification is silent stands beside the code that does it: errors in Parse
//! Server's form, one-time URLs in [`world::downloads`], who may call `/sandbox/…` in the guard of the router.

pub mod avatar;
pub mod clock;
pub mod faults;
mod http;
mod line;
mod network;
mod openapi;
pub mod picture;
pub mod requests;
mod sandbox;
pub mod scenario;
mod server;
mod settings;
mod wardrobe;
mod words;
pub mod world;

pub use clock::{ClockError, ClockMove, ClockState};
pub use faults::{Effect, Endpoint, Fault, FaultState, FaultsError, Nth};
pub use http::{app, openapi};
pub use requests::RequestLine;
pub use sandbox::{Sandbox, SandboxState, SetupError};
pub use scenario::{Scenario, UnknownScenario};
pub use server::{Server, StartError};
pub use settings::{Credentials, OPERATOR_KEY, Settings};
pub use wardrobe::AssetsError;
pub use world::avatar::{AvatarChoice, Existing};
pub use world::state::{TokenPhase, TokenState};
pub use world::{AssociateError, Force, ForceError};
