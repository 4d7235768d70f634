//! What only the window needs: the screens of visits, the operator's panel with its PIN lock and settings, retention,
//! the inspector, and the metrics.
//!
//! A window keeps an [`app::Kiosk`] and shows its snapshots, and a [`panel::Panel`] for the operator.

pub mod app;
pub mod inspector;
mod language;
pub mod metrics;
pub mod panel;
mod pin;
mod screen_state;
pub mod settings;
pub mod view;
