//! The guarantees that hold after a crash and after `recover`. Each violation is described in a sentence.

use crate::HarnessError;
use crate::backend::{self, Backend, Event, EventKind};
use crate::journal_content::JournalContent;
use crate::outcomes::{CrashSummary, Verdict, VisitOutcome};
use crate::test_home::{FinishedRun, TestHome, run_to_end};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The state after the program was killed, before anything else opens its folders.
pub(crate) struct CrashState {
    /// The requests that the backend received.
    pub(crate) events: Vec<Event>,
    /// The content of the journal.
    pub(crate) journal: JournalContent,
    /// The killed run, with its output.
    pub(crate) run: FinishedRun,
    pub(crate) cause: CrashCause,
    /// Size in bytes of each partial file, by its final name.
    partial_files: BTreeMap<String, u64>,
}

/// What ended the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CrashCause {
    /// A signal. The system keeps every byte that the program wrote.
    Kill,
    /// A power cut. The system is started again, and has only what was flushed.
    PowerCut,
}

impl CrashCause {
    /// The command as the system would run it after the crash.
    fn apply_to_command(self, mut command: Command) -> Command {
        if self == Self::PowerCut {
            command.env("COPRESENCE_BOOT_ID", "the boot after the power cut");
        }
        command
    }
}

/// Maximum runs of `recover` that a visit needs.
const MAX_RECOVER_RUNS: usize = 8;

impl CrashState {
    pub(crate) fn capture(
        home: &TestHome,
        backend: &Backend,
        run: FinishedRun,
        cause: CrashCause,
    ) -> Result<Self, HarnessError> {
        backend.await_requests()?;
        let journal = JournalContent::read_copy(&home.data())?;
        Ok(Self { events: backend.events(), journal, run, cause, partial_files: partial_file_sizes(home) })
    }

    fn summary(&self) -> CrashSummary {
        CrashSummary {
            delivered: self.events.iter().any(|event| matches!(event.kind, EventKind::Delivered { .. })),
            on_disk: self.journal.redeems.iter().any(|redeem| redeem.delivered),
        }
    }

    /// The outcomes that are allowed for the only visit. Two where one-time URLs may be used up.
    fn expected_outcomes(&self, backend: &Backend) -> Vec<VisitOutcome> {
        let Some(visit) = self.journal.visits.first() else { return vec![VisitOutcome::NoVisit] };
        let script = backend.script();
        let saved = if script.files.iter().any(|file| file.is_refused) {
            VisitOutcome::SavedInPart
        } else {
            VisitOutcome::Saved
        };
        if visit.ended.as_ref().is_some_and(|(_, exit)| *exit == 0 || *exit == 7) {
            return vec![saved];
        }
        if self.journal.has_delivered_response(&visit.id) {
            // A one-time URL is invalid once its bytes were sent, even if the crash lost them.
            let is_durable = |index| self.journal.files.iter().any(|file| file.index == index && file.is_durable);
            let lost = script.has_one_time_urls
                && self
                    .events
                    .iter()
                    .any(|event| matches!(event.kind, EventKind::FileSent { file, .. } if !is_durable(file)));
            return if lost { vec![saved, VisitOutcome::SavedInPart] } else { vec![saved] };
        }
        match &visit.token {
            Some(token) if backend::is_delivered(&self.events, token) => vec![VisitOutcome::PossiblyConsumed],
            Some(_) => vec![saved],
            None => vec![VisitOutcome::ClosedWithoutToken],
        }
    }
}

/// Checks the guarantees on the state after a crash and on the result of `recover`.
pub(crate) fn check_recovery(home: &TestHome, backend: &Backend, crash: &CrashState) -> Result<Verdict, HarnessError> {
    let mut violations = check_before_recovery(home, backend, crash);
    let (runs, extra) = recover_until_done(home, crash.cause)?;
    violations.extend(extra);
    backend.await_requests()?;
    let after = JournalContent::read_copy(&home.data())?;
    let expected = crash.expected_outcomes(backend);
    let outcome = final_outcome(&after);
    if !expected.contains(&outcome) {
        let mut message = format!("the outcome is {outcome:?}, expected {expected:?}");
        for run in &runs {
            _ = write!(message, "\n{}", run.describe());
        }
        violations.push(message);
    }
    violations.extend(check_recover_output(crash, &runs, outcome));
    violations.extend(check_folders(home, backend, outcome));
    violations.extend(check_backend_requests(backend, crash));
    violations.extend(check_resumed_downloads(backend, crash));
    violations.extend(check_secrets_erased(home, &after, &backend.events()));
    violations.extend(check_file_modes(home)?);
    violations.extend(home.foreign_file_changes());
    Ok(Verdict { crash: crash.summary(), outcome, violations })
}

/// Checks the guarantees that hold before `recover` runs.
fn check_before_recovery(home: &TestHome, backend: &Backend, crash: &CrashState) -> Vec<String> {
    let mut violations = check_output_folder(home, backend, true);
    violations.extend(crash.journal.damage.iter().map(|damage| format!("the journal is damaged: {damage}")));
    if crash.run.stderr.contains("panicked") {
        violations.push(format!("a panic: {}", crash.run.stderr));
    }
    // The journal is written before the request is sent.
    let tokens = backend::generated_tokens(&crash.events);
    if tokens.len() > crash.journal.visits.len() {
        violations.push("a token was requested before its visit was in the journal".to_owned());
    }
    let redeems: usize = tokens.iter().map(|token| backend::count_redeems(&crash.events, token)).sum();
    let intents = crash.journal.redeem_intents();
    if redeems > intents {
        violations.push(format!("the backend received {redeems} redeems, but the journal has {intents} intents"));
    }
    let requested = crash.events.iter().filter_map(|event| match event.kind {
        EventKind::FileRequested { file, .. } => Some(file),
        _ => None,
    });
    for file in requested {
        if !crash.journal.files.iter().any(|planned| planned.index == file) {
            violations.push(format!("file {file} was requested before it was in the journal"));
        }
    }
    // Every printed line is true.
    for line in crash.run.json_lines() {
        let is_folder = |folder: &Value| folder.as_str().is_some_and(|folder| Path::new(folder).is_dir());
        if line["event"] == "saved" && !is_folder(&line["directory"]) {
            violations.push(format!("a saved avatar was reported, but its folder does not exist: {line}"));
        }
        if line["event"] == "invited" && !crash.journal.visits.iter().any(|visit| visit.was_issued) {
            violations.push("a link was shown whose token is not in the journal".to_owned());
        }
    }
    violations
}

/// Runs `recover` until it finds nothing more to do.
fn recover_until_done(home: &TestHome, cause: CrashCause) -> Result<(Vec<FinishedRun>, Vec<String>), HarnessError> {
    let (mut runs, mut violations) = (Vec::new(), Vec::new());
    loop {
        let ran = run_to_end(cause.apply_to_command(home.recover_command()))?;
        if ran.timed_out || ran.exit.is_none() || ran.stderr.contains("panicked") {
            violations.push(format!("recover failed: {}", ran.describe()));
        }
        let is_silent = ran.stdout.is_empty() && ran.stderr.is_empty();
        let done = is_silent || ran.timed_out || runs.len() + 1 >= MAX_RECOVER_RUNS;
        if is_silent && ran.exit != Some(0) {
            violations.push(format!("recover printed nothing and did not exit with 0: {}", ran.describe()));
        }
        if done && !is_silent {
            violations.push(format!("recover still has work after {MAX_RECOVER_RUNS} runs: {}", ran.describe()));
        }
        if !is_silent {
            runs.push(ran);
        }
        if done {
            return Ok((runs, violations));
        }
    }
}

fn final_outcome(after: &JournalContent) -> VisitOutcome {
    let Some(visit) = after.visits.first() else { return VisitOutcome::NoVisit };
    match visit.ended.as_ref().map(|(_, exit)| *exit) {
        Some(0) => VisitOutcome::Saved,
        Some(7) => VisitOutcome::SavedInPart,
        Some(10) => VisitOutcome::PossiblyConsumed,
        _ => VisitOutcome::ClosedWithoutToken,
    }
}

/// Checks the lines and exit codes of `recover --json`.
fn check_recover_output(crash: &CrashState, runs: &[FinishedRun], outcome: VisitOutcome) -> Vec<String> {
    let mut violations = Vec::new();
    let unfinished = crash.journal.visits.first().is_some_and(|visit| visit.is_unfinished);
    let Some(last) = runs.last() else {
        if unfinished {
            violations.push("recover printed nothing about an unfinished visit".to_owned());
        }
        return violations;
    };
    if !unfinished {
        violations.push(format!("recover continued a visit that had ended: {}", last.describe()));
    }
    let exit = match outcome {
        VisitOutcome::Saved | VisitOutcome::ClosedWithoutToken | VisitOutcome::NoVisit => 0,
        VisitOutcome::SavedInPart => 7,
        VisitOutcome::PossiblyConsumed => 10,
    };
    let ended: Vec<Value> = last.json_lines().into_iter().filter(|line| line["event"] == "ended").collect();
    let [ended] = ended.as_slice() else {
        violations.push(format!("the last run of recover did not print exactly one `ended`: {}", last.describe()));
        return violations;
    };
    // A visit without a token ends as interrupted, which is no failure of `recover`.
    let line_exit = if outcome == VisitOutcome::ClosedWithoutToken { 130 } else { exit };
    if last.exit != Some(exit) || ended["exit"] != line_exit {
        violations.push(format!("the exit code and `ended` of recover do not match {outcome:?}: {}", last.describe()));
    }
    violations
}

/// Checks OUT, `incomplete/` and the locks after recovery.
fn check_folders(home: &TestHome, backend: &Backend, outcome: VisitOutcome) -> Vec<String> {
    let mut violations = check_output_folder(home, backend, false);
    let count = |parent: &Path| own_entries(home, parent).len();
    let expected = match outcome {
        VisitOutcome::Saved => (1, 0),
        VisitOutcome::SavedInPart => (0, 1),
        _ => (0, 0),
    };
    let incomplete = home.data().join("incomplete");
    let found = (count(&home.out()), count(&incomplete));
    if found != expected {
        violations.push(format!("{} avatars in OUT and {} incomplete ones, expected {expected:?}", found.0, found.1));
    }
    for folder in own_entries(home, &incomplete) {
        violations.extend(check_avatar_folder(&folder, backend, false));
    }
    for name in folder_entries(&home.data().join("live")) {
        violations.push(format!("a lock was left behind: {}", name.display()));
    }
    violations
}

/// Checks that every own folder in OUT is a complete avatar. `allow_partial`: hidden partial folders are allowed.
fn check_output_folder(home: &TestHome, backend: &Backend, allow_partial: bool) -> Vec<String> {
    let mut violations = Vec::new();
    for folder in own_entries(home, &home.out()) {
        let hidden = folder.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if hidden && allow_partial {
            continue;
        }
        if hidden {
            violations.push(format!("left behind in OUT: {}", folder.display()));
        } else {
            violations.extend(check_avatar_folder(&folder, backend, true));
        }
    }
    violations
}

/// Compares a folder with its manifest and with the files of the backend.
fn check_avatar_folder(folder: &Path, backend: &Backend, complete: bool) -> Vec<String> {
    let path = folder.display();
    let manifest = match std::fs::read(folder.join("manifest.json")) {
        Ok(text) => serde_json::from_slice::<Value>(&text).unwrap_or_default(),
        Err(error) => return vec![format!("{path} has no manifest: {error}")],
    };
    let mut violations = Vec::new();
    if manifest["complete"] != complete {
        violations.push(format!("{path}: `complete` is {}", manifest["complete"]));
    }
    let empty = Vec::new();
    let listed = manifest["files"].as_array().unwrap_or(&empty);
    for file in &backend.script().files {
        let Some(entry) = listed.iter().find(|entry| entry["path"] == file.name) else {
            if complete {
                violations.push(format!("{path}: {} is not in the manifest", file.name));
            }
            continue;
        };
        if entry["sha256"] != sha256_hex(&file.bytes) || entry["bytes"] != file.bytes.len() {
            violations.push(format!("{path}: the manifest entry of {} is wrong: {entry}", file.name));
        }
        match std::fs::read(folder.join(file.name)) {
            Ok(bytes) if bytes == file.bytes => {}
            Ok(bytes) => {
                violations.push(format!("{path}: {} has wrong content of {} bytes", file.name, bytes.len()));
            }
            Err(error) => violations.push(format!("{path}: {}: {error}", file.name)),
        }
    }
    let missing = manifest["missing"].as_array().map_or(0, Vec::len);
    if listed.len() + missing != backend.script().files.len() {
        violations.push(format!("{path}: {} files and {missing} missing ones are listed", listed.len()));
    }
    violations
}

/// Checks the requests that the backend received after the crash.
fn check_backend_requests(backend: &Backend, crash: &CrashState) -> Vec<String> {
    let events = backend.events();
    let after = events.get(crash.events.len()..).unwrap_or_default();
    let mut violations = Vec::new();
    if after.iter().any(|event| matches!(event.kind, EventKind::Generated { .. })) {
        violations.push("recover requested another token".to_owned());
    }
    let on_disk = crash.summary().on_disk;
    let redeems = after.iter().filter(|event| {
        matches!(event.kind, EventKind::NotReady { .. } | EventKind::Delivered { .. } | EventKind::Refused { .. })
    });
    let redeems = redeems.count();
    if on_disk && redeems > 0 {
        violations.push(format!("the response was on the disk, but its token was redeemed {redeems} more times"));
    }
    let refused = events.iter().filter(|event| matches!(event.kind, EventKind::Refused { .. })).count();
    // A refusal is confirmed by a second one a second later. A crash, also of `recover`, may come between the two.
    if refused > 4 {
        violations.push(format!("a spent token was redeemed {refused} more times"));
    }
    let deliveries = events.iter().filter(|event| matches!(event.kind, EventKind::Delivered { .. })).count();
    if deliveries > 1 {
        violations.push(format!("the backend delivered {deliveries} times"));
    }
    violations
}

/// The sizes in bytes of the partial files in OUT, by the name of the complete file.
fn partial_file_sizes(home: &TestHome) -> BTreeMap<String, u64> {
    let folders =
        own_entries(home, &home.out()).into_iter().filter(|path| path.extension() == Some("partial".as_ref()));
    let files = folders.flat_map(|folder| folder_entries(&folder)).filter_map(|path| {
        let name = path.file_name()?.to_str()?.strip_suffix(".part")?.to_owned();
        Some((name, path.metadata().ok()?.len()))
    });
    files.collect()
}

/// Bytes on the disk that are requested again and compared, if there are more. Of fewer, all but the first are, unless a
/// validator connects them with the rest.
const OVERLAP_BYTES: u64 = 4096;

/// Checks that each download continues from the bytes on the disk after a kill.
fn check_resumed_downloads(backend: &Backend, crash: &CrashState) -> Vec<String> {
    if crash.cause != CrashCause::Kill {
        return Vec::new();
    }
    let events = backend.events();
    let mut violations = Vec::new();
    for (index, asset) in backend.script().files.iter().enumerate() {
        let first = events.iter().skip(crash.events.len()).find_map(|event| match event.kind {
            EventKind::FileRequested { file, from, .. } if file == index => Some(from),
            _ => None,
        });
        let on_disk = crash.partial_files.get(asset.name).copied().unwrap_or(0);
        let expected = if on_disk > OVERLAP_BYTES { [on_disk - OVERLAP_BYTES; 2] } else { [on_disk, on_disk.min(1)] };
        if let Some(from) = first
            && u64::try_from(from).is_ok_and(|from| !expected.contains(&from))
        {
            violations.push(format!(
                "{on_disk} bytes of {} were on the disk, but it was requested from byte {from}",
                asset.name
            ));
        }
    }
    violations
}

/// Checks that the journal and its files have no secrets of finished visits.
fn check_secrets_erased(home: &TestHome, after: &JournalContent, events: &[Event]) -> Vec<String> {
    let mut violations: Vec<String> =
        after.damage.iter().map(|damage| format!("the journal is damaged: {damage}")).collect();
    if after.visits.iter().any(|visit| visit.is_unfinished) {
        return violations;
    }
    let has_secret = after.visits.iter().any(|visit| visit.token.is_some())
        || after.redeems.iter().any(|redeem| redeem.has_body)
        || after.files.iter().any(|file| file.has_url && file.visit == after.visits[0].id);
    if has_secret {
        violations.push("the journal has a secret of a finished visit".to_owned());
    }
    for name in ["journal.sqlite", "journal.sqlite-wal"] {
        let bytes = std::fs::read(home.data().join(name)).unwrap_or_default();
        for token in backend::generated_tokens(events) {
            if bytes.windows(token.len()).any(|window| window == token.as_bytes()) {
                violations.push(format!("{name} has the token of a finished visit"));
            }
        }
    }
    violations
}

/// Checks that all own files and folders are private.
fn check_file_modes(home: &TestHome) -> Result<Vec<String>, HarnessError> {
    let mut violations = Vec::new();
    let mut open = vec![home.data(), home.out()];
    while let Some(folder) = open.pop() {
        for path in folder_entries(&folder) {
            if home.is_foreign(&path) {
                continue;
            }
            let about = path.symlink_metadata()?;
            let (mode, expected) = (about.permissions().mode() & 0o777, if about.is_dir() { 0o700 } else { 0o600 });
            if mode != expected {
                violations.push(format!("{} has mode {mode:o}, expected {expected:o}", path.display()));
            }
            if about.is_dir() {
                open.push(path);
            }
        }
    }
    Ok(violations)
}

/// The entries of a folder, without foreign files.
fn own_entries(home: &TestHome, folder: &Path) -> Vec<PathBuf> {
    folder_entries(folder).into_iter().filter(|path| !home.is_foreign(path)).collect()
}

fn folder_entries(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    names.sort();
    names
}

fn sha256_hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |mut text, byte| {
        _ = write!(text, "{byte:02x}");
        text
    })
}

/// Checks that nothing of the visit is left after forgetting, and that forgetting again finds nothing.
pub(crate) fn check_forgetting(
    home: &TestHome,
    backend: &Backend,
    crash: &CrashState,
) -> Result<Verdict, HarnessError> {
    let mut violations: Vec<String> =
        crash.journal.damage.iter().map(|damage| format!("the journal is damaged: {damage}")).collect();
    if crash.run.stderr.contains("panicked") {
        violations.push(format!("a panic: {}", crash.run.stderr));
    }
    // A crash in between leaves no avatar without a visit.
    if crash.journal.visits.is_empty() && !own_entries(home, &home.out()).is_empty() {
        violations.push("files are left in OUT without a visit".to_owned());
    }
    let again = run_to_end(home.command(&["history", "forget", "--all", "--json"]))?;
    if again.exit != Some(0) || again.stderr.contains("panicked") {
        violations.push(format!("forgetting again failed: {}", again.describe()));
    }
    for parent in [home.out(), home.data().join("incomplete"), home.data().join("live")] {
        violations.extend(own_entries(home, &parent).iter().map(|path| format!("left behind: {}", path.display())));
    }
    let after = JournalContent::read_copy(&home.data())?;
    if !after.visits.is_empty() {
        violations.push("the journal still has the visit".to_owned());
    }
    if backend.events().len() != crash.events.len() {
        violations.push("forgetting sent a request to the backend".to_owned());
    }
    violations.extend(check_secrets_erased(home, &after, &crash.events));
    violations.extend(check_file_modes(home)?);
    violations.extend(home.foreign_file_changes());
    Ok(Verdict { crash: crash.summary(), outcome: final_outcome(&after), violations })
}
