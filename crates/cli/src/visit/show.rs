//! A visit's lines, for programs as JSON and for people as a picture of where it stands.

use crate::args::Common;
use crate::output;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use kiosk::line::{Line, LineEvent, SavedFile};
use kiosk::qr::LinkCode;
use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Shows lines as they come.
pub(super) struct Show {
    json: bool,
    lively: bool,
    bars: MultiProgress,
    moving: Mutex<Moving>,
}

#[derive(Default)]
struct Moving {
    status: Option<ProgressBar>,
    files: HashMap<String, ProgressBar>,
    /// Files that were told to be whole.
    whole: HashSet<String>,
}

impl Show {
    pub(super) fn new(common: &Common) -> Self {
        let lively = output::is_lively(common.no_color);
        let target = if lively { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        Self {
            json: common.json,
            lively,
            bars: MultiProgress::with_draw_target(target),
            moving: Mutex::default(),
        }
    }

    /// A line for both.
    pub(super) fn take(&self, line: &Line) {
        self.only_for_programs(line);
        self.for_people(&line.event);
    }

    /// A line whose words people get elsewhere.
    pub(super) fn only_for_programs(&self, line: &Line) {
        if self.json
            && let Ok(text) = serde_json::to_string(line)
        {
            output::result(format_args!("{text}"));
        }
    }

    fn for_people(&self, event: &LineEvent) {
        match event {
            LineEvent::Started { profile, api_url } => {
                self.say(&format!("Visit at {api_url} (profile {profile})"));
            }
            LineEvent::Invited { link, expires_at } => {
                self.invite(link, expires_at.map(kiosk::line::rfc3339));
            }
            LineEvent::Status { completion_status, completion_progress, queue_position, .. } => {
                let words = status_words(completion_status, *completion_progress, *queue_position);
                self.status(&output::tame(&words));
            }
            LineEvent::Retrying { message, attempt, next_poll_ms, .. } => {
                let again = humantime::format_duration(rounded(*next_poll_ms));
                let words = format!("{message}; trying again in {again} (failure {attempt} in a row)");
                self.status(&output::tame(&words));
            }
            LineEvent::Redeemed { exports } => {
                self.end_status();
                self.say(&output::tame(&format!("Ready. Downloading {}", exports.join(", "))));
            }
            LineEvent::Progress { file, bytes, total } => self.progress(file, *bytes, *total),
            LineEvent::Saved { directory, files } => self.saved(directory, files),
            LineEvent::Ended { exit, message, .. } => {
                self.end_status();
                self.moving().files.drain().for_each(|(_, bar)| bar.finish_and_clear());
                if *exit != 0 {
                    self.say(&output::tame(&format!("Ended (exit {exit}): {message}")));
                }
            }
        }
    }

    fn invite(&self, link: &str, expires_at: Option<String>) {
        self.say("Scan this with a phone, or open the link:");
        self.say("");
        let expiry = expires_at.map_or_else(String::new, |at| format!("  (until {at})"));
        let link_line = format!("  {link}{expiry}");
        match LinkCode::new(link) {
            Ok(code) if Room::of(&code, ROWS_BELOW).is_enough() => {
                self.say(&self.painted(&code.blocks()));
                self.say("");
                self.say(&link_line);
                self.say("");
            }
            Ok(code) => {
                // In a small terminal the code comes last, so that nothing pushes it out.
                self.say(&link_line);
                match LinkCode::smallest(link) {
                    Ok(small) if Room::of(&small, 1).is_enough() => self.say(&self.painted(&small.blocks())),
                    small => self.say(&Room::of(&small.unwrap_or(code), 1).words()),
                }
            }
            // The visit itself says what is wrong with such a link.
            Err(_) => self.say(&link_line),
        }
    }

    /// White on black whatever the terminal's own colours are: many phones read no inverted code.
    fn painted(&self, blocks: &str) -> String {
        if !self.lively {
            return blocks.to_owned();
        }
        let lines: Vec<_> =
            blocks.lines().map(|line| format!("\u{1b}[38;5;231;48;5;16m{line}\u{1b}[0m")).collect();
        lines.join("\n")
    }

    fn status(&self, words: &str) {
        if !self.lively {
            return self.say(words);
        }
        let mut moving = self.moving();
        let bar = moving.status.get_or_insert_with(|| {
            let bar = self.bars.add(ProgressBar::new_spinner());
            bar.set_style(style("{spinner:.cyan} {msg}  {elapsed:.dim}"));
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        bar.set_message(words.to_owned());
    }

    fn end_status(&self) {
        if let Some(bar) = self.moving().status.take() {
            bar.finish_and_clear();
        }
    }

    fn progress(&self, file: &str, bytes: u64, total: Option<u64>) {
        let mut moving = self.moving();
        if total == Some(bytes) {
            // What is done stands still, above what moves.
            if let Some(bar) = moving.files.remove(file) {
                bar.finish_and_clear();
            }
            let is_new = moving.whole.insert(file.to_owned());
            drop(moving);
            if !is_new {
                return;
            }
            return self.say(&format!("  {file:<20} {:>10}", size(bytes)));
        }
        if !self.lively {
            return;
        }
        let bar = moving.files.entry(file.to_owned()).or_insert_with(|| {
            let bar = self.bars.add(ProgressBar::new(0));
            bar.set_style(style("  {prefix:<20} {bar:32.cyan/dim} {bytes:>10}/{total_bytes:<10} {eta:.dim}"));
            bar.set_prefix(file.to_owned());
            bar
        });
        match total {
            Some(total) => bar.set_length(total),
            // Honest where no length is given: bytes that came, and no bar of nothing.
            None => bar.set_style(style("  {prefix:<20} {spinner:.cyan} {bytes:>10}")),
        }
        bar.set_position(bytes);
    }

    fn saved(&self, directory: &str, files: &[SavedFile]) {
        let whole: u64 = files.iter().map(|file| file.bytes).sum();
        let files = if files.len() == 1 { "1 file".to_owned() } else { format!("{} files", files.len()) };
        self.say(&format!("Saved {files}, {}, in", size(whole)));
        if self.json {
            self.say(directory);
        } else {
            // The one thing that a script wants of a visit without --json.
            output::result(format_args!("{directory}"));
        }
    }

    fn say(&self, words: &str) {
        if self.lively {
            // Above the moving lines; a terminal that is gone is no reason to stop.
            _ = self.bars.println(words);
        } else {
            output::people(format_args!("{words}"));
        }
    }

    fn moving(&self) -> std::sync::MutexGuard<'_, Moving> {
        self.moving.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// Under the code: an empty line, the link, an empty line, and where the visit stands.
const ROWS_BELOW: usize = 4;

/// What a code needs, in columns and rows.
struct Room {
    columns: usize,
    rows: usize,
}

impl Room {
    fn of(code: &LinkCode, rows_below: usize) -> Self {
        // Four quiet modules a side; two modules a row, and the row that the cursor stands in.
        let side = code.width() + 8;
        Self { columns: side, rows: side.div_ceil(2) + rows_below + 1 }
    }

    /// Without a terminal (a log, a pipe) nothing is cut off.
    fn is_enough(&self) -> bool {
        terminal_size::terminal_size_of(std::io::stderr()).is_none_or(|(width, height)| {
            usize::from(width.0) >= self.columns && usize::from(height.0) >= self.rows
        })
    }

    fn words(&self) -> String {
        let Self { columns, rows } = self;
        format!(
            "(this terminal is too small for the code, which needs {columns} columns and {rows} rows: \
             enlarge it and start again, or use --qr FILE.png)"
        )
    }
}

fn rounded(millis: u64) -> Duration {
    if millis < 1_000 { Duration::from_millis(millis) } else { Duration::from_secs(millis / 1_000) }
}

fn size(bytes: u64) -> String {
    bytesize::ByteSize(bytes).display().iec().to_string()
}

fn status_words(status: &str, progress: i64, queue: i64) -> String {
    match status {
        "no_associated_avatar" => "Waiting for a phone to scan the code".to_owned(),
        "in_queue" if queue >= 0 => format!("In the queue, place {queue}"),
        "in_queue" => "In the queue".to_owned(),
        "processing" => format!("The avatar is being made: {progress} %"),
        "failed" => {
            "The avatar could not be made; the visitor may record again with the same code".to_owned()
        }
        other if progress >= 0 => format!("{other}: {progress} %"),
        other => other.to_owned(),
    }
}
