//! A machine of its own for the app: virtual screen, session bus, unlocked keychain and home; with control of input and
//! screenshots.
//!
//! Every program runs in a process group that ends when its value is dropped, and in one temporary home, by which
//! [`DesktopSession::leftovers`] finds processes that were left running. The output of the programs goes to files
//! beside the screenshots.

#![expect(clippy::missing_errors_doc, reason = "every error of the harness fails the test that called it")]

mod browser;
mod child_program;
mod desktop;
mod hostile_network;
mod input;
mod kiosk;
mod operator_desk;
mod pixel_rect;
mod private_network;
pub mod processes;
mod screenshots;
mod window_manager;

pub use browser::{App, Browser, Phone};
pub use desktop::{DesktopSession, VirtualScreen};
pub use hostile_network::{ATTACKER_COUNT, NetworkAttack, attack_if_asked};
pub use kiosk::{Backend, DrivenKiosk, KioskSetup, RENDER_TIMEOUT, UndrivenKiosk};
pub use pixel_rect::PixelRect;
pub use private_network::{HallNetwork, is_in_private_network, run_test_in_private_network};
pub use screenshots::{bright_share, count_colours, decode_qr_codes, take_screenshot, text_similarity};
pub use window_manager::WindowState;

/// An error of the test harness, not of the product.
pub type HarnessError = Box<dyn std::error::Error + Send + Sync>;
