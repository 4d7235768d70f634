//! The sandbox from outside: its router by `oneshot`, its server over real HTTP.

mod access;
mod files;
mod phone;
mod served;
mod support;
mod tester;
mod vendor;
