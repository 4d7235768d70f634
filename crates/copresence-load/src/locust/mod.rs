//! A worker of a Locust master: the master's users are consoles of this process.
//!
//! Implements the message protocol of Locust's distributed mode (version 2): `MessagePack` arrays of type, data and worker id
//! over a `ZeroMQ` DEALER socket. The statistics, the web page, the spawning and the distribution over machines are
//! Locust's own.

mod message;
mod process_usage;
mod request_statistics;
mod worker;

pub use worker::{WorkerConfig, WorkerError, WorkerSummary, run_worker};
