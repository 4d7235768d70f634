//! Visits driven against a backend whose every answer the test writes, down to where the connection breaks.

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
