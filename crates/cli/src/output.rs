//! What goes where: JSON Lines and results to stdout, everything for people to stderr. A reader that goes away
//! (`| head`) ends nothing: a visit is worth more than its lines.

use std::fmt;
use std::io::{IsTerminal, Write};

/// A line for people.
pub(crate) fn people(line: fmt::Arguments<'_>) {
    // Nobody is left to be told that stderr is gone.
    _ = writeln!(std::io::stderr(), "{}", tame(&line.to_string()));
}

/// The most characters of one line for people: a stranger's may be a megabyte long.
const LONGEST: usize = 4_000;

/// Words that a backend may have chosen, for a terminal: no control character or change of direction, and no end
/// without end.
pub(crate) fn tame(words: &str) -> String {
    let turns =
        |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
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

/// Lines of our own making for people, colours and all: nothing of a backend's.
pub(crate) fn drawn(lines: &str) {
    _ = writeln!(std::io::stderr(), "{lines}");
}

/// A line on stdout.
pub(crate) fn result(line: fmt::Arguments<'_>) {
    let mut out = std::io::stdout();
    _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

/// Whether stderr shows moving lines.
pub(crate) fn is_lively(no_color: bool) -> bool {
    std::io::stderr().is_terminal() && !no_color && std::env::var_os("NO_COLOR").is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strangers_words_neither_paint_nor_turn_nor_flood_a_terminal() {
        assert_eq!(tame("a\n\u{1b}]0;x\u{7}b\u{9b}\u{202e}c █"), "a\n�]0;x�b��c █");
        assert_eq!(tame(&"x".repeat(1 << 20)).chars().count(), LONGEST + 1);
    }
}
