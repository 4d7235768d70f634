//! Keyboard input, and a simulated gamepad and touch screen.

use super::{Browser, HarnessError};
use std::time::Duration;
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

/// Sends the events of a finger to whatever is drawn in the middle of an element. Returns whether that is the element.
/// The driver of WebKit and the virtual screen have no touch input of their own.
const TOUCH_ELEMENT: &str = "
    const [element] = arguments;
    const box = element.getBoundingClientRect();
    const [clientX, clientY] = [box.x + box.width / 2, box.y + box.height / 2];
    const hit = document.elementFromPoint(clientX, clientY);
    const how = { bubbles: true, cancelable: true, composed: true, clientX, clientY, detail: 1, isPrimary: true,
        pointerId: 7, pointerType: 'touch' };
    for (const kind of ['pointerover', 'pointerdown', 'pointerup', 'pointerout', 'click'])
        hit?.dispatchEvent(new PointerEvent(kind, how));
    return element.contains(hit);";

impl Browser {
    /// Touches the middle of an element with a simulated finger, once the element can be clicked.
    ///
    /// # Errors
    /// Something else is drawn there, or the driver fails.
    pub async fn touch_element(&self, css: &str, timeout: Duration) -> Result<(), HarnessError> {
        let element = self.await_clickable(css, timeout).await?;
        let is_hit: bool = self.page().execute(TOUCH_ELEMENT, vec![element.to_json()?]).await?.convert()?;
        if is_hit { Ok(()) } else { Err(format!("something else is drawn over {css}").into()) }
    }

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
