//! The checks against real backends: a healthy sandbox, wrong ones, and relays before it.

mod healthy;
mod support;
