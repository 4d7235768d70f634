//! Integration tests: the router by `oneshot`, and the server over TCP.

mod access;
mod exhaustion;
mod faults;
mod files;
mod openapi;
mod phone;
mod raw;
mod replay;
mod scenario_files;
mod scenarios;
mod schemathesis;
mod served;
mod support;
mod tester;
mod vendor;
mod worlds;
