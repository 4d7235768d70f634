//! Output streams: JSON Lines and results go to stdout, messages for people to stderr. A closed stream (`| head`) does
//! not end the program, so that the visit can finish.

use std::fmt;
use std::io::{IsTerminal, Write};

/// Prints a line for people to stderr, sanitized.
pub(crate) fn eprint_sanitized_line(line: fmt::Arguments<'_>) {
    // There is no other stream to report a closed stderr to.
    _ = writeln!(std::io::stderr(), "{}", sanitize_for_terminal(&line.to_string()));
}

/// Maximum characters of one printed line: text from a backend may be a megabyte long.
const LONGEST: usize = 4_000;

/// Makes text from a backend safe for a terminal: replaces control and bidirectional characters and cuts long lines.
pub(crate) fn sanitize_for_terminal(words: &str) -> String {
    let turns = |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let lines = words.split('\n').map(|line| {
        let tamed = line.chars().map(|c| if c.is_control() || turns(c) { '\u{fffd}' } else { c });
        let mut short: String = tamed.take(LONGEST).collect();
        if line.chars().nth(LONGEST).is_some() {
            short.push('…');
        }
        short
    });
    lines.collect::<Vec<_>>().join("\n")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_from_a_backend_cannot_control_or_flood_a_terminal() {
        assert_eq!(sanitize_for_terminal("a\n\u{1b}]0;x\u{7}b\u{9b}\u{202e}c █"), "a\n�]0;x�b��c █");
        assert_eq!(sanitize_for_terminal(&"x".repeat(1 << 20)).chars().count(), LONGEST + 1);
    }
}
