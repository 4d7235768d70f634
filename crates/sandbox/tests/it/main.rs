//! The sandbox from outside: its router by `oneshot`, its server over real HTTP.

mod access;
mod faults;
mod files;
mod openapi;
mod phone;
mod raw;
mod scenarios;
mod schemathesis;
mod served;
mod support;
mod tester;
mod vendor;
