//! Support of the tests: the real program in temporary folders, and a backend that shares no code with it.

pub(crate) mod backend;
pub(crate) mod lines;
pub(crate) mod program;
pub(crate) mod reply;
pub(crate) mod sandbox;
pub(crate) mod wire;
