//! Visits against a scripted backend: each test writes every response, and where the connection breaks.

mod backend;
mod booth;
mod complete_visit;
mod downloads;
mod failing_journal;
mod fixture;
mod forget;
mod free_space;
mod inspector;
mod masking;
mod partial_delivery;
mod recover;
mod redeem;
mod restart;
mod secrets;
mod token_retention;
mod window;
