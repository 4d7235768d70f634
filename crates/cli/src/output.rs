//! What goes where: JSON Lines and results to stdout, everything for people to stderr. A reader that goes away
//! (`| head`) ends nothing: a visit is worth more than its lines.

use std::fmt;
use std::io::{IsTerminal, Write};

/// A line for people.
pub(crate) fn people(line: fmt::Arguments<'_>) {
    // Nobody is left to be told that stderr is gone.
    _ = writeln!(std::io::stderr(), "{line}");
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
