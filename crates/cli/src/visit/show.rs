//! Prints a visit's events: as JSON Lines for programs, as text and progress bars for people.

use crate::common_options::Common;
use crate::{code, output};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use kiosk::line::{Line, LineEvent, SavedFile};
use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Prints events as they are emitted.
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
    /// Files that were already reported as complete.
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

    /// Prints an event as JSON (with `--json`) and for people.
    pub(super) fn take(&self, line: &Line) {
        self.only_for_programs(line);
        self.for_people(&line.event);
    }

    /// Prints an event as JSON only (with `--json`); people get its message elsewhere.
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
        for line in code::lines(link, link_line, self.lively, ROWS_BELOW) {
            self.say(&line);
        }
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
            // A complete file becomes a static line above the progress bars.
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
            // Without a length, show the received bytes instead of a bar.
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
            // Without --json, the directory is the command's result on stdout.
            output::result(format_args!("{directory}"));
        }
    }

    fn say(&self, words: &str) {
        if self.lively {
            // Prints above the progress bars. A closed terminal does not end the visit.
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

/// Rows below the QR code: an empty line, the link, an empty line, and the status.
const ROWS_BELOW: usize = 4;

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
