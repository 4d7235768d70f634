//! Visits against a scripted backend: each test writes every response, and where the connection breaks.

mod backend;
mod complete_visit;
mod continued_downloads;
mod downloads;
mod earlier_visits;
mod failing_journal;
mod file_contents;
mod fixture;
mod forget;
mod free_space;
mod masking;
mod network_cases;
mod partial_delivery;
mod recover;
mod redeem;
mod restart;
mod secrets;
mod stated_digests;
mod token_retention;
mod unusual_deliveries;
