//! Visits with servers that are not ours: Parse Server on `PostgreSQL`, nginx, moto (S3), mitmproxy, Locust and
//! Prometheus.
//!
//! The real `copresence` runs against them as a person would run it. Each test starts its own servers on its own ports
//! in temporary folders. Tests whose names begin with `long_` wait for minutes; `cargo xtask test` leaves them to
//! `cargo xtask test --peers`.
#![cfg(target_os = "linux")]

mod avatar_files;
mod console;
mod delivering_backend;
mod integrations;
mod locust;
mod nginx;
mod nginx_server;
mod parse;
mod parse_stack;
mod parse_validate;
mod peer_process;
mod prometheus;
mod proxy;
mod proxy_server;
mod reports;
mod s3;
mod s3_server;

/// Why the harness itself failed.
type HarnessError = Box<dyn std::error::Error>;

/// What a test returns: an error of the harness fails it, too.
type TestResult = Result<(), HarnessError>;
