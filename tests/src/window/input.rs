//! Keyboard input, and a simulated gamepad.

use super::{Browser, HarnessError};
use thirtyfour::prelude::*;

/// Replaces the machine's gamepads by a simulated one, which the page reads like a real one.
const CONNECT_GAMEPAD: &str = "
    const pad = { id: 'Test pad (STANDARD GAMEPAD)', index: 0, connected: true, mapping: 'standard', timestamp: 0,
        axes: [0, 0, 0, 0], buttons: Array.from({ length: 17 }, () => ({ pressed: false, touched: false, value: 0 })) };
    let readers = [];
    navigator.getGamepads = () => {
        const waiting = readers; readers = [];
        queueMicrotask(() => waiting.forEach(resolve => resolve()));
        return [pad];
    };
    window.__pad = { pad, read: () => new Promise(done => readers.push(done)) };";

/// Holds buttons until the page has read them, and releases them.
const PRESS_BUTTONS: &str = "
    const [buttons] = arguments; const done = arguments[arguments.length - 1];
    const { pad, read } = window.__pad;
    const hold = on => buttons.forEach(button => Object.assign(pad.buttons[button], { pressed: on, value: +on }));
    (async () => { await read(); hold(true); await read(); hold(false); await read(); done(true); })();";

impl Browser {
    /// Types text, or keys such as `Key::Enter`, into the focused element.
    pub async fn type_keys(&self, keys: impl Into<thirtyfour::TypingData>) -> Result<(), HarnessError> {
        Ok(self.page().action_chain().send_keys(keys).perform().await?)
    }

    /// Presses `key` while the keys `held` are down.
    pub async fn press_chord(&self, held: &[Key], key: impl Into<char>) -> Result<(), HarnessError> {
        let key: char = key.into();
        let down = held.iter().fold(self.page().action_chain(), |chain, held| chain.key_down(held.clone()));
        let pressed = down.key_down(key).key_up(key);
        Ok(held.iter().rev().fold(pressed, |chain, held| chain.key_up(held.clone())).perform().await?)
    }

    /// Connects the simulated gamepad. A reload of the page disconnects it.
    pub async fn connect_gamepad(&self) -> Result<(), HarnessError> {
        self.page().execute(CONNECT_GAMEPAD, vec![]).await?;
        Ok(())
    }

    /// Presses buttons of the gamepad together. `buttons`: their numbers in the standard layout.
    pub async fn press_gamepad(&self, buttons: &[u8]) -> Result<(), HarnessError> {
        self.page().execute_async(PRESS_BUTTONS, vec![buttons.into()]).await?;
        Ok(())
    }

    /// The focused element: its test id or its text.
    pub async fn focused_element(&self) -> Result<String, HarnessError> {
        let script = "const now = document.activeElement;
            return now?.dataset?.testid ?? now?.textContent?.trim() ?? ''";
        Ok(self.page().execute(script, vec![]).await?.convert()?)
    }
}
