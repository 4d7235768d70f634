//! Load tests of a sandbox, checked against the sandbox's own log and its record of every token.

mod accounting;
mod latency;
mod locust_worker;
mod reports;
mod support;
