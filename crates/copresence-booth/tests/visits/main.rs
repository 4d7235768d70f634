//! The booth against a scripted backend and against the sandbox.

// The engine's own tests have the backend and the fixture, and use all of them.
#[allow(dead_code)]
#[path = "../../../copresence-engine/tests/visits/backend.rs"]
mod backend;
mod booth;
#[allow(dead_code)]
#[path = "../../../copresence-engine/tests/visits/earlier_visits.rs"]
mod earlier_visits;
#[allow(dead_code)]
#[path = "../../../copresence-engine/tests/visits/fixture.rs"]
mod fixture;
mod inspector;
mod lanes;
mod refused_credentials;
mod window;
