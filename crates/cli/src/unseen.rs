//! What is typed while credentials are asked for stays unseen, also between two prompts.
//!
//! The prompt's library hides typing only from after a prompt until the line's end: what is pasted as several lines, or
//! typed on before the next prompt is read, would stand on the screen.

#[cfg(unix)]
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
#[cfg(unix)]
use std::fs::File;

/// The terminal shows no typing as long as this value lives; without a terminal it does nothing.
#[cfg(unix)]
pub(crate) struct Unseen(Option<(File, Termios)>);

#[cfg(unix)]
impl Unseen {
    pub(crate) fn begin() -> Self {
        let hidden = || {
            let terminal = File::options().read(true).write(true).open("/dev/tty").ok()?;
            let before = tcgetattr(&terminal).ok()?;
            let mut silent = before.clone();
            silent.local_modes.remove(LocalModes::ECHO | LocalModes::ECHONL);
            tcsetattr(&terminal, OptionalActions::Now, &silent).ok()?;
            Some((terminal, before))
        };
        Self(hidden())
    }
}

#[cfg(unix)]
impl Drop for Unseen {
    fn drop(&mut self) {
        if let Some((terminal, before)) = &self.0 {
            // Nobody could be told.
            _ = tcsetattr(terminal, OptionalActions::Now, before);
        }
    }
}

/// A console has no such gap to be closed from here.
#[cfg(not(unix))]
pub(crate) struct Unseen;

#[cfg(not(unix))]
impl Unseen {
    pub(crate) fn begin() -> Self {
        Self
    }
}
