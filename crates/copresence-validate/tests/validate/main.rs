//! The checks against real backends: a healthy sandbox, faulty ones, and relays in front of it.

mod answers;
mod healthy;
mod layers;
mod live;
mod mutants;
mod passports;
mod relays;
mod reports;
mod support;
