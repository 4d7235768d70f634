//! Prints a visit's events: as JSON Lines for programs, as text and progress bars for people.

use crate::common_options::CommonOptions;
use crate::{output, qr_terminal};
use copresence_engine::events::{EventKind, SavedFile, VisitEvent};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Prints the events of a visit, with animated lines on a terminal.
pub(super) struct VisitRenderer {
    json: bool,
    lively: bool,
    bars: MultiProgress,
    live_lines: Mutex<LiveLines>,
}

/// Lines of the terminal that change: the status line, and a progress bar for each file.
#[derive(Default)]
struct LiveLines {
    status: Option<ProgressBar>,
    files: HashMap<String, ProgressBar>,
    /// Files that were already reported as complete.
    whole: HashSet<String>,
}

impl VisitRenderer {
    pub(super) fn new(common: &CommonOptions) -> Self {
        let lively = output::can_animate_stderr(common.no_color);
        let target = if lively { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        Self { json: common.json, lively, bars: MultiProgress::with_draw_target(target), live_lines: Mutex::default() }
    }

    /// Prints an event: as JSON with `--json`, and always in words for people.
    pub(super) fn print_event_json_and_text(&self, line: &VisitEvent) {
        self.print_event_if_json_output(line);
        self.print_event_for_people(&line.kind);
    }

    /// Prints an event as JSON only (with `--json`); people get its message elsewhere.
    pub(super) fn print_event_if_json_output(&self, line: &VisitEvent) {
        if self.json {
            output::print_visit_event_as_json(line);
        }
    }

    /// Prints an event in words, with moving lines on a terminal.
    fn print_event_for_people(&self, event: &EventKind) {
        match event {
            EventKind::Started { profile, api_url } => {
                self.print_line_above_bars(&format!("Visit at {api_url} (profile {profile})"));
            }
            EventKind::Invited { link, expires_at } => {
                self.show_qr_code(link, expires_at.map(copresence_engine::events::format_rfc3339));
            }
            EventKind::Status { completion_status, completion_progress, queue_position, .. } => {
                let words = describe_avatar_status(completion_status, *completion_progress, *queue_position);
                self.show_status_line(&words);
            }
            EventKind::Retrying { message, attempt, next_poll_ms, .. } => {
                let again = humantime::format_duration(round_delay_for_display(*next_poll_ms));
                let words = format!("{message}; trying again in {again} (failure {attempt} in a row)");
                self.show_status_line(&words);
            }
            EventKind::Redeemed { exports } => {
                self.clear_status_line();
                self.print_line_above_bars(&format!("Ready. Downloading {}", exports.join(", ")));
            }
            EventKind::Progress { file, bytes, total } => self.show_download_progress(file, *bytes, *total),
            EventKind::Saved { directory, files } => self.show_saved_files(directory, files),
            EventKind::Ended { exit, message, .. } => {
                self.clear_status_line();
                self.lock_live_lines().files.drain().for_each(|(_, bar)| bar.finish_and_clear());
                if *exit != 0 {
                    self.print_line_above_bars(&format!("Ended (exit {exit}): {message}"));
                }
            }
        }
    }

    /// Prints the QR code of a link, and the link with the time of its expiry.
    fn show_qr_code(&self, link: &str, expires_at: Option<String>) {
        self.print_line_above_bars("Scan this with a phone, or open the link:");
        self.print_line_above_bars("");
        let expiry = expires_at.map_or_else(String::new, |at| format!("  (until {at})"));
        let link_line = output::sanitize_for_terminal(&format!("  {link}{expiry}"));
        for line in qr_terminal::qr_code_and_link_lines(link, link_line, self.lively, ROWS_BELOW) {
            // The lines of the code contain colours of our own.
            if self.lively {
                _ = self.bars.println(line);
            } else {
                output::eprint_unsanitized(&line);
            }
        }
    }

    /// Shows a status next to a spinner, or as a line if nothing is animated.
    fn show_status_line(&self, words: &str) {
        if !self.lively {
            return self.print_line_above_bars(words);
        }
        let mut moving = self.lock_live_lines();
        let bar = moving.status.get_or_insert_with(|| {
            let bar = self.bars.add(ProgressBar::new_spinner());
            bar.set_style(progress_style_from_template("{spinner:.cyan} {msg}  {elapsed:.dim}"));
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        bar.set_message(output::sanitize_for_terminal(words));
    }

    /// Removes the status line, if there is one.
    fn clear_status_line(&self) {
        if let Some(bar) = self.lock_live_lines().status.take() {
            bar.finish_and_clear();
        }
    }

    /// Shows how much of a file is received. A complete file gets a static line above the bars.
    fn show_download_progress(&self, file: &str, bytes: u64, total: Option<u64>) {
        let mut moving = self.lock_live_lines();
        if total == Some(bytes) {
            // A complete file becomes a static line above the progress bars.
            if let Some(bar) = moving.files.remove(file) {
                bar.finish_and_clear();
            }
            let is_new = moving.whole.insert(file.to_owned());
            drop(moving);
            if !is_new {
                return;
            }
            return self.print_line_above_bars(&format!("  {file:<20} {:>10}", format_binary_size(bytes)));
        }
        if !self.lively {
            return;
        }
        let bar = moving.files.entry(file.to_owned()).or_insert_with(|| {
            let bar = self.bars.add(ProgressBar::new(0));
            bar.set_style(progress_style_from_template(
                "  {prefix:<20} {bar:32.cyan/dim} {bytes:>10}/{total_bytes:<10} {eta:.dim}",
            ));
            bar.set_prefix(file.to_owned());
            bar
        });
        match total {
            Some(total) => bar.set_length(total),
            // Without a length, show the received bytes instead of a bar.
            None => bar.set_style(progress_style_from_template("  {prefix:<20} {spinner:.cyan} {bytes:>10}")),
        }
        bar.set_position(bytes);
    }

    /// Prints the notes of the saved files, their number and size, and their folder (to stdout without `--json`).
    fn show_saved_files(&self, directory: &str, files: &[SavedFile]) {
        let whole: u64 = files.iter().map(|file| file.bytes).sum();
        let notes = files.iter().flat_map(|file| file.notes.iter().map(move |note| (&file.path, note)));
        for (path, note) in notes {
            self.print_line_above_bars(&format!("Note on {path}: {}", note.message));
        }
        let files = if files.len() == 1 { "1 file".to_owned() } else { format!("{} files", files.len()) };
        self.print_line_above_bars(&format!("Saved {files}, {}, in", format_binary_size(whole)));
        if self.json {
            self.print_line_above_bars(directory);
        } else {
            // Without --json, the directory is the command's result on stdout.
            output::print_stdout_line(format_args!("{directory}"));
        }
    }

    /// Prints a line, sanitized, above the progress bars, or plainly to stderr if nothing is animated.
    fn print_line_above_bars(&self, words: &str) {
        if self.lively {
            // Prints above the progress bars. A closed terminal does not end the visit.
            _ = self.bars.println(output::sanitize_for_terminal(words));
        } else {
            output::eprint_sanitized_line(format_args!("{words}"));
        }
    }

    /// Locks the mutex of the moving lines on the terminal.
    fn lock_live_lines(&self) -> std::sync::MutexGuard<'_, LiveLines> {
        self.live_lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The style of a progress bar from a template; the default if it is invalid.
fn progress_style_from_template(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// Rows below the QR code: an empty line, the link, an empty line, and the status.
const ROWS_BELOW: usize = 4;

/// Rounds a delay of a second or more down to whole seconds; a shorter one stays in milliseconds.
fn round_delay_for_display(millis: u64) -> Duration {
    if millis < 1_000 { Duration::from_millis(millis) } else { Duration::from_secs(millis / 1_000) }
}

/// A size in binary units, as in `1.5 MiB`.
fn format_binary_size(bytes: u64) -> String {
    bytesize::ByteSize(bytes).display().iec().to_string()
}

/// Describes a completion status in words, with the queue position and the percentage if they are known.
fn describe_avatar_status(status: &str, progress: i64, queue: i64) -> String {
    match status {
        "no_associated_avatar" => "Waiting for a phone to scan the code".to_owned(),
        "in_queue" if queue >= 0 => format!("In the queue, place {queue}"),
        "in_queue" => "In the queue".to_owned(),
        "processing" => format!("The avatar is being made: {progress} %"),
        "failed" => "The avatar could not be made; the visitor may record again with the same code".to_owned(),
        other if progress >= 0 => format!("{other}: {progress} %"),
        other => other.to_owned(),
    }
}
