//! Ctrl-C, SIGTERM and SIGHUP: the first stops gracefully; a second Ctrl-C or SIGTERM at once. On Windows: Ctrl-C and
//! Ctrl-Break, and the end of the console or of the session.

use crate::output;
#[cfg(windows)]
use std::task::{Context, Poll};
#[cfg(windows)]
use tokio::signal::windows as windows_signal;
use tokio_util::sync::CancellationToken;

/// Returns a token that the first signal cancels; prints `asked` then. A second Ctrl-C or SIGTERM exits with 130.
///
/// A SIGHUP never is a second signal: a closed terminal sends several, and a session that ends sends one after a
/// SIGTERM.
pub(crate) fn token_cancelled_by_first_signal(asked: &'static str) -> CancellationToken {
    let token = CancellationToken::new();
    let cancelled = token.clone();
    // Register the handlers before the task is spawned, so that no signal is missed.
    let mut signals = TerminationSignals::listen_for_signals();
    tokio::spawn(async move {
        signals.wait_for_first_ctrl_c_sigterm_or_sighup().await;
        cancelled.cancel();
        output::limit_reader_wait_at_program_end();
        // After the `^C` that the terminal shows.
        output::eprint_sanitized_line(format_args!(""));
        output::eprint_sanitized_line(format_args!("{asked}"));
        signals.wait_for_second_ctrl_c_or_sigterm().await;
        std::process::exit(130);
    });
    token
}

/// Makes a write beyond the file size limit of this process (`ulimit -f`) an I/O error. By default it ends the process.
/// Needs a tokio runtime.
#[cfg(unix)]
pub(crate) fn ignore_file_size_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    // The handler stays for the life of the process. A signal that cannot be handled keeps its default action.
    _ = signal(SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw()));
}

/// Makes a write beyond a file size limit an I/O error, which it always is here.
#[cfg(windows)]
pub(crate) fn ignore_file_size_signal() {}

/// The signals that ask this program to end: Ctrl-C and SIGTERM, and SIGHUP unless it is ignored.
#[cfg(unix)]
struct TerminationSignals {
    /// Ctrl-C and SIGTERM.
    stop: Vec<tokio::signal::unix::Signal>,
    hangup: Option<tokio::signal::unix::Signal>,
}

#[cfg(unix)]
impl TerminationSignals {
    /// Starts to listen for the signals.
    fn listen_for_signals() -> Self {
        use tokio::signal::unix::{SignalKind, signal};
        // A signal that cannot be handled keeps its default action.
        Self {
            stop: [SignalKind::interrupt(), SignalKind::terminate()].map(signal).into_iter().flatten().collect(),
            hangup: if is_hangup_ignored() { None } else { signal(SignalKind::hangup()).ok() },
        }
    }

    /// Waits for the first signal: Ctrl-C, SIGTERM or SIGHUP.
    async fn wait_for_first_ctrl_c_sigterm_or_sighup(&mut self) {
        wait_for_any_signal(self.stop.iter_mut().chain(&mut self.hangup).collect()).await;
    }

    /// Waits for a second Ctrl-C or SIGTERM. A SIGHUP does not count.
    async fn wait_for_second_ctrl_c_or_sigterm(&mut self) {
        wait_for_any_signal(self.stop.iter_mut().collect()).await;
    }
}

/// Waits until one of the signals is received.
#[cfg(unix)]
async fn wait_for_any_signal(mut signals: Vec<&mut tokio::signal::unix::Signal>) {
    std::future::poll_fn(|context| {
        let heard = signals.iter_mut().any(|signal| signal.poll_recv(context).is_ready());
        if heard { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
}

/// Whether the program was started with SIGHUP ignored, as `nohup` does. A handler would end that. Known on Linux only.
#[cfg(unix)]
fn is_hangup_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    // Bit 0 is signal 1, SIGHUP.
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & 1 == 1)
}

/// The signals that ask this program to end: keys (Ctrl-C and Ctrl-Break), and the end of the console or of the session.
#[cfg(windows)]
struct TerminationSignals {
    ctrl_c: Option<windows_signal::CtrlC>,
    ctrl_break: Option<windows_signal::CtrlBreak>,
    /// The console window is closed, or `taskkill` asks the program to end. Windows ends it a few seconds later.
    close: Option<windows_signal::CtrlClose>,
    logoff: Option<windows_signal::CtrlLogoff>,
    shutdown: Option<windows_signal::CtrlShutdown>,
}

#[cfg(windows)]
impl TerminationSignals {
    /// Starts to listen for the signals.
    fn listen_for_signals() -> Self {
        // A signal that cannot be handled keeps its default action.
        Self {
            ctrl_c: windows_signal::ctrl_c().ok(),
            ctrl_break: windows_signal::ctrl_break().ok(),
            close: windows_signal::ctrl_close().ok(),
            logoff: windows_signal::ctrl_logoff().ok(),
            shutdown: windows_signal::ctrl_shutdown().ok(),
        }
    }

    /// Waits for the first signal: a key, or the end of the console or of the session.
    async fn wait_for_first_ctrl_c_sigterm_or_sighup(&mut self) {
        std::future::poll_fn(|context| {
            let has_ended = has_received_signal(&mut self.close, |signal| signal.poll_recv(context))
                || has_received_signal(&mut self.logoff, |signal| signal.poll_recv(context))
                || has_received_signal(&mut self.shutdown, |signal| signal.poll_recv(context));
            if has_ended { Poll::Ready(()) } else { self.poll_ctrl_c_or_ctrl_break(context) }
        })
        .await;
    }

    /// Waits for a second Ctrl-C or Ctrl-Break.
    async fn wait_for_second_ctrl_c_or_sigterm(&mut self) {
        std::future::poll_fn(|context| self.poll_ctrl_c_or_ctrl_break(context)).await;
    }

    /// Whether Ctrl-C or Ctrl-Break was pressed.
    fn poll_ctrl_c_or_ctrl_break(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let is_pressed = has_received_signal(&mut self.ctrl_c, |signal| signal.poll_recv(context))
            || has_received_signal(&mut self.ctrl_break, |signal| signal.poll_recv(context));
        if is_pressed { Poll::Ready(()) } else { Poll::Pending }
    }
}

/// Whether a signal that this program listens for has been received.
#[cfg(windows)]
fn has_received_signal<S>(signal: &mut Option<S>, poll: impl FnOnce(&mut S) -> Poll<Option<()>>) -> bool {
    signal.as_mut().is_some_and(|signal| poll(signal).is_ready())
}

/// Signals that a program passes on to the command that it runs.
#[cfg(unix)]
pub(crate) struct ForwardedSignals(Vec<(rustix::process::Signal, tokio::signal::unix::Signal)>);

/// A signal that was received.
#[cfg(unix)]
pub(crate) struct ReceivedSignal(rustix::process::Signal);

#[cfg(unix)]
impl ForwardedSignals {
    /// Starts to listen for the signals. They no longer end this program.
    pub(crate) fn listen_for_signals() -> Self {
        use rustix::process::Signal;
        let passed_on = [Signal::INT, Signal::TERM, Signal::HUP, Signal::QUIT, Signal::USR1, Signal::USR2].into_iter();
        let passed_on = passed_on.filter(|signal| *signal != Signal::HUP || !is_hangup_ignored());
        let listen = |signal: Signal| {
            let kind = tokio::signal::unix::SignalKind::from_raw(signal.as_raw());
            // A signal that cannot be handled keeps its default action.
            Some((signal, tokio::signal::unix::signal(kind).ok()?))
        };
        Self(passed_on.filter_map(listen).collect())
    }

    /// Waits for the next signal.
    pub(crate) async fn wait_for_signal(&mut self) -> ReceivedSignal {
        std::future::poll_fn(|context| {
            let heard =
                self.0.iter_mut().find_map(|(signal, stream)| stream.poll_recv(context).is_ready().then_some(*signal));
            heard.map_or(std::task::Poll::Pending, |signal| std::task::Poll::Ready(ReceivedSignal(signal)))
        })
        .await
    }
}

#[cfg(unix)]
impl ReceivedSignal {
    /// Sends the signal to the child, unless the terminal has sent it to both: a key such as Ctrl-C signals every process of
    /// the foreground.
    pub(crate) fn send_to_child_unless_already_sent(&self, child: &tokio::process::Child) {
        use rustix::process::{Pid, Signal};
        let is_from_key = matches!(self.0, Signal::INT | Signal::QUIT) && is_in_terminal_foreground();
        let id = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        if let Some(id) = id.filter(|_| !is_from_key) {
            // A child that has just ended needs no signal.
            _ = rustix::process::kill_process(id, self.0);
        }
    }
}

/// Whether this process is in the foreground of its terminal.
#[cfg(unix)]
fn is_in_terminal_foreground() -> bool {
    let terminal = std::fs::File::open("/dev/tty").ok();
    terminal.and_then(|terminal| rustix::termios::tcgetpgrp(terminal).ok()) == Some(rustix::process::getpgrp())
}

/// Signals that a program passes on to the command that it runs: none, because a console signals all its processes.
#[cfg(windows)]
pub(crate) struct ForwardedSignals(TerminationSignals);

/// A signal that was received.
#[cfg(windows)]
pub(crate) struct ReceivedSignal;

#[cfg(windows)]
impl ForwardedSignals {
    pub(crate) fn listen_for_signals() -> Self {
        Self(TerminationSignals::listen_for_signals())
    }

    /// Waits for a signal, so that it does not end this program before the command.
    pub(crate) async fn wait_for_signal(&mut self) -> ReceivedSignal {
        self.0.wait_for_first_ctrl_c_sigterm_or_sighup().await;
        ReceivedSignal
    }
}

#[cfg(windows)]
impl ReceivedSignal {
    /// Does nothing: the console has sent the signal to the child too.
    #[expect(clippy::unused_self, reason = "the same interface as on Unix")]
    pub(crate) fn send_to_child_unless_already_sent(&self, _: &tokio::process::Child) {}
}
