//! Hides typed credentials on the terminal, also between two prompts.
//!
//! The prompt library hides typing only from the prompt to the end of the line. Text that is pasted as several lines,
//! or typed before the next prompt is read, would be visible.
//!
//! It also reads Ctrl-C as a character only from the prompt on: a Ctrl-C just before would be a signal, and the prompt
//! would wait on. So Ctrl-C is a character from here on, which the prompt reads.

#[cfg(unix)]
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
#[cfg(unix)]
use std::fs::File;
#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Turns terminal echo off, and Ctrl-C into a character, until it is dropped. Does nothing without a terminal.
#[cfg(unix)]
pub(crate) struct TerminalEchoGuard {
    terminal: Option<(File, Termios)>,
    /// The prompt library raises SIGINT for Ctrl-C. A registered handler keeps it from ending the program before the
    /// terminal is restored.
    _interrupt: Option<Signal>,
}

#[cfg(unix)]
impl TerminalEchoGuard {
    /// Hides what is typed: turns off the echo and the signals of the terminal until the value is dropped. Must be
    /// called within a tokio runtime, which handles SIGINT.
    pub(crate) fn hide_typing() -> Self {
        let hidden = || {
            let terminal = File::options().read(true).write(true).open("/dev/tty").ok()?;
            let before = tcgetattr(&terminal).ok()?;
            let mut silent = before.clone();
            silent.local_modes.remove(LocalModes::ECHO | LocalModes::ECHONL | LocalModes::ISIG);
            tcsetattr(&terminal, OptionalActions::Now, &silent).ok()?;
            Some((terminal, before))
        };
        Self { _interrupt: signal(SignalKind::interrupt()).ok(), terminal: hidden() }
    }
}

#[cfg(unix)]
impl Drop for TerminalEchoGuard {
    fn drop(&mut self) {
        if let Some((terminal, before)) = &self.terminal {
            // An error cannot be reported from here.
            _ = tcsetattr(terminal, OptionalActions::Now, before);
        }
    }
}

/// Does nothing: stands in for the guard of Unix. The Windows console has no gap between two prompts in which typing is
/// echoed.
#[cfg(not(unix))]
pub(crate) struct TerminalEchoGuard;

#[cfg(not(unix))]
impl TerminalEchoGuard {
    /// Does nothing, see [`TerminalEchoGuard`].
    pub(crate) fn hide_typing() -> Self {
        Self
    }
}
