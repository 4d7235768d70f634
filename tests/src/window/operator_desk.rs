//! Opening and leaving the operator's desk with its PIN.

use super::{DrivenKiosk, HarnessError, RENDER_TIMEOUT};
use thirtyfour::prelude::*;

impl DrivenKiosk {
    /// Opens the desk for the first time and sets its PIN.
    pub async fn set_first_pin_and_unlock(&self, pin: &str) -> Result<(), HarnessError> {
        self.request_desk().await?;
        self.enter_pin(pin).await?;
        self.enter_pin(pin).await?;
        self.app.await_element("[data-testid=section]", RENDER_TIMEOUT).await.map(drop)
    }

    /// Opens the desk with its PIN.
    pub async fn open_desk(&self, pin: &str) -> Result<(), HarnessError> {
        self.request_desk().await?;
        self.enter_pin(pin).await?;
        self.app.await_element("[data-testid=section]", RENDER_TIMEOUT).await.map(drop)
    }

    /// Opens the PIN pad.
    pub async fn request_desk(&self) -> Result<(), HarnessError> {
        self.app.type_keys(Key::F10).await?;
        self.app.await_element("[data-testid=pad]", RENDER_TIMEOUT).await.map(drop)
    }

    /// Enters a PIN on the pad.
    pub async fn enter_pin(&self, pin: &str) -> Result<(), HarnessError> {
        self.app.type_keys(pin).await?;
        self.app.type_keys(Key::Enter).await
    }

    /// Leaves the desk, and waits for the first screen.
    pub async fn leave_desk(&self) -> Result<(), HarnessError> {
        self.app.click_element("[data-testid=leave]", RENDER_TIMEOUT).await?;
        self.await_screen("attract").await
    }
}
