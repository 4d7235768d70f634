//! Output streams: JSON Lines and results go to stdout, messages for people to stderr. A closed stream (`| head`) does
//! not end the program, and a stream that nobody reads (a parent that only waits for the end of this program, a full
//! screen of `less`) does not stop it, so that the visit can finish.
//!
//! One thread writes the lines of both streams in their order. [`await_written_output`] waits for it; after a signal only
//! for as long as lines are read.

use copresence_engine::events::{EventKind, VisitEvent};
use copresence_engine::terminal_text::escape_json_for_terminal;
pub(crate) use copresence_engine::terminal_text::sanitize_for_terminal;
use serde::Serialize;
use std::collections::VecDeque;
use std::fmt;
use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Number of unwritten lines beyond which the caller waits for the reader. One visit prints far fewer; a sandbox or a load
/// test that prints each request may reach it.
const MAX_WAITING_LINES: usize = 10_000;
/// Number of unwritten lines beyond which the progress of downloads is left out: later lines have newer numbers.
const MAX_WAITING_LINES_BEFORE_PROGRESS: usize = 1_000;

/// Maximum time without a written line that a program that was asked to end waits for the reader of its output.
const MAX_READER_SILENCE_AFTER_SIGNAL: Duration = Duration::from_secs(2);

/// The lines that are not written yet. The first use starts the thread that writes them.
static WAITING_LINES: LazyLock<WaitingLines> = LazyLock::new(|| {
    // Without a thread, lines are written by their callers.
    let has_thread = std::thread::Builder::new().name("output".to_owned()).spawn(write_waiting_lines_forever).is_ok();
    WaitingLines { has_thread, is_ending: AtomicBool::new(false), lines: Mutex::default(), changed: Condvar::new() }
});

/// Lines in the order in which they were printed.
struct WaitingLines {
    has_thread: bool,
    /// Whether a signal asked the program to end.
    is_ending: AtomicBool,
    lines: Mutex<VecDeque<StdoutOrStderrLine>>,
    /// Notified when a line is added or was written.
    changed: Condvar,
}

/// A line with its stream.
enum StdoutOrStderrLine {
    Stdout(String),
    Stderr(String),
}

impl StdoutOrStderrLine {
    /// Writes the line to its stream and flushes it. Errors are ignored: there is no other stream to report them to.
    fn write_line_ignoring_errors(&self) {
        match self {
            Self::Stdout(line) => {
                let mut out = std::io::stdout();
                _ = writeln!(out, "{line}").and_then(|()| out.flush());
            }
            Self::Stderr(line) => _ = writeln!(std::io::stderr(), "{line}"),
        }
    }
}

impl WaitingLines {
    fn lock_lines(&self) -> MutexGuard<'_, VecDeque<StdoutOrStderrLine>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits while the condition holds for the lines.
    fn wait_while(
        &self,
        holds: impl FnMut(&mut VecDeque<StdoutOrStderrLine>) -> bool,
    ) -> MutexGuard<'_, VecDeque<StdoutOrStderrLine>> {
        self.changed.wait_while(self.lock_lines(), holds).unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a line. Waits for the reader if very many wait, unless the program was asked to end.
    fn queue_line_waiting_if_full(&self, line: StdoutOrStderrLine) {
        if !self.has_thread {
            return line.write_line_ignoring_errors();
        }
        let waits =
            |lines: &mut VecDeque<_>| lines.len() >= MAX_WAITING_LINES && !self.is_ending.load(Ordering::SeqCst);
        self.wait_while(waits).push_back(line);
        self.changed.notify_all();
    }
}

/// Writes the waiting lines, for the life of the process.
fn write_waiting_lines_forever() {
    loop {
        // Stays in the queue until it is written, so that an empty queue means that all is written.
        let line = {
            let mut lines = WAITING_LINES.wait_while(|lines| lines.is_empty());
            lines.front_mut().map(|line| match line {
                StdoutOrStderrLine::Stdout(line) => StdoutOrStderrLine::Stdout(std::mem::take(line)),
                StdoutOrStderrLine::Stderr(line) => StdoutOrStderrLine::Stderr(std::mem::take(line)),
            })
        };
        if let Some(line) = line {
            line.write_line_ignoring_errors();
        }
        WAITING_LINES.lock_lines().pop_front();
        WAITING_LINES.changed.notify_all();
    }
}

/// Waits until all lines are written. To be called before the process ends, and before a question is asked. After
/// [`limit_reader_wait_at_program_end`], it waits only for as long as lines are read.
pub(crate) fn await_written_output() {
    let mut lines = WAITING_LINES.lock_lines();
    while !lines.is_empty() {
        let before = lines.len();
        let waited = WAITING_LINES.changed.wait_timeout(lines, MAX_READER_SILENCE_AFTER_SIGNAL);
        let (waiting, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
        let is_read = !timeout.timed_out() || waiting.len() < before;
        if !is_read && WAITING_LINES.is_ending.load(Ordering::SeqCst) {
            return;
        }
        lines = waiting;
    }
}

/// Limits the wait for a reader, because a signal asked the program to end.
pub(crate) fn limit_reader_wait_at_program_end() {
    WAITING_LINES.is_ending.store(true, Ordering::SeqCst);
    WAITING_LINES.changed.notify_all();
}

/// Prints one line for people to stderr, sanitized. Line ends in it become spaces.
pub(crate) fn eprint_sanitized_line(line: fmt::Arguments<'_>) {
    WAITING_LINES.queue_line_waiting_if_full(StdoutOrStderrLine::Stderr(sanitize_for_terminal(&line.to_string())));
}

/// Prints a value as one line of JSON to stdout. Characters that a terminal may act on are escaped, which keeps the
/// value: U+007F to U+009F, bidirectional and invisible ones. JSON itself escapes the others.
pub(crate) fn print_json_line(value: &impl Serialize) {
    // Our values have string keys only, so they can be serialized.
    if let Ok(json) = serde_json::to_string(value) {
        print_stdout_line(format_args!("{}", escape_json_for_terminal(&json)));
    }
}

/// Prints an event of a visit as one line of JSON to stdout. If nobody reads it, the progress of downloads is left out.
pub(crate) fn print_visit_event_as_json(event: &VisitEvent) {
    let is_progress = matches!(event.kind, EventKind::Progress { .. });
    if !is_progress || WAITING_LINES.lock_lines().len() < MAX_WAITING_LINES_BEFORE_PROGRESS {
        print_json_line(event);
    }
}

/// Prints text to stderr as it is, escape sequences included. Only for text that this program made itself.
pub(crate) fn eprint_unsanitized(lines: &str) {
    WAITING_LINES.queue_line_waiting_if_full(StdoutOrStderrLine::Stderr(lines.to_owned()));
}

/// Prints a line to stdout.
pub(crate) fn print_stdout_line(line: fmt::Arguments<'_>) {
    WAITING_LINES.queue_line_waiting_if_full(StdoutOrStderrLine::Stdout(line.to_string()));
}

/// Whether stderr is a terminal that may show colours and animated lines.
pub(crate) fn can_animate_stderr(no_color: bool) -> bool {
    std::io::stderr().is_terminal() && !no_color && std::env::var_os("NO_COLOR").is_none()
}
