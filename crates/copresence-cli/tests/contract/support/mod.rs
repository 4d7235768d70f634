//! What the tests stand on: the real program in folders of its own, and a backend that shares no code with it.

pub(crate) mod backend;
pub(crate) mod lines;
pub(crate) mod program;
pub(crate) mod reply;
pub(crate) mod wire;
