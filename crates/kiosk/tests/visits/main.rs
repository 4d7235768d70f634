//! Visits against a scripted backend: each test writes every response, and where the connection breaks.

mod backend;
mod booth;
mod downloads;
mod forget;
mod house;
mod inspector;
mod kept;
mod masking;
mod recover;
mod redeem;
mod restart;
mod room;
mod salvage;
mod secrets;
mod sick_disk;
mod whole;
mod window;
