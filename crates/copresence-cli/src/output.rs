//! Output streams: JSON Lines and results go to stdout, messages for people to stderr. A closed stream (`| head`) does
//! not end the program, so that the visit can finish.

use copresence_engine::terminal_text::escape_json_for_terminal;
pub(crate) use copresence_engine::terminal_text::sanitize_for_terminal;
use serde::Serialize;
use std::fmt;
use std::io::{IsTerminal, Write};

/// Prints one line for people to stderr, sanitized. Line ends in it become spaces.
pub(crate) fn eprint_sanitized_line(line: fmt::Arguments<'_>) {
    // There is no other stream to report a closed stderr to.
    _ = writeln!(std::io::stderr(), "{}", sanitize_for_terminal(&line.to_string()));
}

/// Prints a value as one line of JSON to stdout. Characters that a terminal may act on are escaped, which keeps the
/// value: U+007F to U+009F, bidirectional and invisible ones. JSON itself escapes the others.
pub(crate) fn print_json_line(value: &impl Serialize) {
    // Our values have string keys only, so they can be serialized.
    if let Ok(json) = serde_json::to_string(value) {
        print_stdout_line(format_args!("{}", escape_json_for_terminal(&json)));
    }
}

/// Prints text to stderr as it is, escape sequences included. Only for text that this program made itself.
pub(crate) fn eprint_unsanitized(lines: &str) {
    _ = writeln!(std::io::stderr(), "{lines}");
}

/// Prints a line to stdout and flushes it.
pub(crate) fn print_stdout_line(line: fmt::Arguments<'_>) {
    let mut out = std::io::stdout();
    _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

/// Whether stderr is a terminal that may show colours and animated lines.
pub(crate) fn can_animate_stderr(no_color: bool) -> bool {
    std::io::stderr().is_terminal() && !no_color && std::env::var_os("NO_COLOR").is_none()
}
