//! The client against real sockets: responses, network failures, downloads, environment, recording.

mod calls;
mod downloads;
mod environment;
mod faults;
mod once;
mod probes;
mod recording;
mod support;
