//! The checks against real backends: a healthy sandbox, wrong ones, and relays before it.

mod healthy;
mod live;
mod mutants;
mod relays;
mod reports;
mod support;
mod wrong;
