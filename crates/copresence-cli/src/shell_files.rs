//! `copresence completions SHELL` and `copresence man DIR`: shell completions and man pages, generated from the definitions
//! of the command line.

use crate::args::Args;
use crate::failure::CommandFailure;
use crate::output;
use clap::CommandFactory as _;
use clap_complete::Shell;
use std::io::Write as _;
use std::path::Path;

/// Prints the completion script of a shell.
pub(crate) fn print_completions(shell: Shell) {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "copresence", &mut script);
    // As with every output, a reader that closes the pipe is no failure.
    _ = std::io::stdout().write_all(&script);
}

/// Writes `copresence.1` and one page for each command to the folder, which is made if it does not exist.
pub(crate) fn write_man_pages(folder: &Path) -> Result<(), CommandFailure> {
    let written = std::fs::create_dir_all(folder).and_then(|()| clap_mangen::generate_to(Args::command(), folder));
    let shown = folder.display();
    written
        .map_err(|error| CommandFailure::usage_error(format!("the man pages cannot be written to {shown}: {error}")))?;
    output::eprint_sanitized_line(format_args!("Wrote the man pages to {shown}"));
    Ok(())
}
