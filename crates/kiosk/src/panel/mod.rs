//! The operator's panel: a door with a PIN, what is set behind it, and what it does.

mod gate;
mod pin;
mod settings;

pub use gate::Gate;
pub use pin::{PIN_LENGTH, PinHash};
pub use settings::{IDLE_SECONDS, Settings, SettingsFile};
