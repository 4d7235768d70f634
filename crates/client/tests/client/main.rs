//! The client against real sockets: whole answers, faults, downloads, this machine's environment, the record.

mod calls;
mod downloads;
mod environment;
mod faults;
mod once;
mod probes;
mod recording;
mod support;
