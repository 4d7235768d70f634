//! The operator's way through the PIN and out again.

use super::{Booth, SOON, Trouble};
use thirtyfour::prelude::*;

impl Booth {
    /// Opens the desk for the first time, and sets its PIN.
    pub async fn set_first_pin(&self, pin: &str) -> Result<(), Trouble> {
        self.ask_for_desk().await?;
        self.enter(pin).await?;
        self.enter(pin).await?;
        self.app.see("[data-testid=section]", SOON).await.map(drop)
    }

    /// Opens the desk.
    pub async fn open_desk(&self, pin: &str) -> Result<(), Trouble> {
        self.ask_for_desk().await?;
        self.enter(pin).await?;
        self.app.see("[data-testid=section]", SOON).await.map(drop)
    }

    /// Has the PIN asked for.
    pub async fn ask_for_desk(&self) -> Result<(), Trouble> {
        self.app.type_keys(Key::F10).await?;
        self.app.see("[data-testid=pad]", SOON).await.map(drop)
    }

    /// Enters a PIN where it is asked for.
    pub async fn enter(&self, pin: &str) -> Result<(), Trouble> {
        self.app.type_keys(pin).await?;
        self.app.type_keys(Key::Enter).await
    }

    /// Closes the desk: the first screen is there again.
    pub async fn leave_desk(&self) -> Result<(), Trouble> {
        self.app.press("[data-testid=leave]", SOON).await?;
        self.see_screen("attract").await
    }
}
