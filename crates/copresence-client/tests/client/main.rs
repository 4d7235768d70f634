//! The client against real sockets: responses, network failures, downloads, environment, recording.

mod calls;
mod downloads;
mod environment;
mod file_server_errors;
mod network_failures;
mod probes;
mod recording;
mod single_request;
mod support;
