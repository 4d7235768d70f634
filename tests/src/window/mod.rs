//! A machine of its own for the app: screen, session bus, unlocked keychain, home; and a hand and eyes for it.
//!
//! Everything runs in process groups that end with the value that started them, and under one temporary home, by
//! which [`Desk::leftovers`] finds what got away. What the programs print goes to files beside the screenshots.

mod booth;
mod browser;
mod desk;
mod hands;
mod manager;
mod panel;
mod part;
mod pictures;
pub mod processes;
mod program;

pub use booth::{Backend, Bare, Booth, Plan, SOON};
pub use browser::{App, Browser, Phone};
pub use desk::{Desk, Screen};
pub use manager::Seen;
pub use part::Part;
pub use pictures::{colours, decode_qr, likeness, photograph};

/// Why the test's own machinery, not the product, failed: what was tried, and what came of it.
pub type Trouble = Box<dyn std::error::Error + Send + Sync>;
