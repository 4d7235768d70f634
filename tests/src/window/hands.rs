//! Other hands than a pointer: a keyboard, and a gamepad that is not there.

use super::{Browser, Trouble};
use thirtyfour::prelude::*;

/// A gamepad in place of those that the machine has: the page reads it as it would read a real one.
const PAD: &str = "
    const pad = { id: 'Test pad (STANDARD GAMEPAD)', index: 0, connected: true, mapping: 'standard', timestamp: 0,
        axes: [0, 0, 0, 0], buttons: Array.from({ length: 17 }, () => ({ pressed: false, touched: false, value: 0 })) };
    let readers = [];
    navigator.getGamepads = () => {
        const waiting = readers; readers = [];
        queueMicrotask(() => waiting.forEach(tell => tell()));
        return [pad];
    };
    window.__pad = { pad, read: () => new Promise(done => readers.push(done)) };";

/// Holds a button until the page has seen it, and lets it go.
const PRESS: &str = "
    const [buttons] = arguments; const done = arguments[arguments.length - 1];
    const { pad, read } = window.__pad;
    const hold = on => buttons.forEach(button => Object.assign(pad.buttons[button], { pressed: on, value: +on }));
    (async () => { await read(); hold(true); await read(); hold(false); await read(); done(true); })();";

impl Browser {
    /// Types a text, or keys such as `Key::Enter`, wherever the focus is.
    pub async fn type_keys(&self, keys: impl Into<thirtyfour::TypingData>) -> Result<(), Trouble> {
        Ok(self.page().action_chain().send_keys(keys).perform().await?)
    }

    /// Holds `held` and presses `key`.
    pub async fn chord(&self, held: &[Key], key: impl Into<char>) -> Result<(), Trouble> {
        let key: char = key.into();
        let down = held.iter().fold(self.page().action_chain(), |chain, held| chain.key_down(held.clone()));
        let pressed = down.key_down(key).key_up(key);
        Ok(held.iter().rev().fold(pressed, |chain, held| chain.key_up(held.clone())).perform().await?)
    }

    /// Plugs a gamepad in; a page that was loaded anew needs it again.
    pub async fn plug_pad_in(&self) -> Result<(), Trouble> {
        self.page().execute(PAD, vec![]).await?;
        Ok(())
    }

    /// Presses buttons of the gamepad together, by their numbers in the standard layout.
    pub async fn press_pad(&self, buttons: &[u8]) -> Result<(), Trouble> {
        self.page().execute_async(PRESS, vec![buttons.into()]).await?;
        Ok(())
    }

    /// What has the focus, by its test id or its words.
    pub async fn focused(&self) -> Result<String, Trouble> {
        let script = "const now = document.activeElement;
            return now?.dataset?.testid ?? now?.textContent?.trim() ?? ''";
        Ok(self.page().execute(script, vec![]).await?.convert()?)
    }
}
