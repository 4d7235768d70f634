//! A cell of the fault matrix: one visit with a sandbox that injects one fault.

use super::variants::{RequestPosition, Variant};
use crate::HarnessError;
use crate::sandbox_home::{FILE_BYTES, FILES, MakeFile, SandboxHome, associate_avatars};
use crate::test_home::{FinishedRun, TestHome, run_to_end};
use copresence_sandbox::{ClockChange, Endpoint, ForcedState, Sandbox, SandboxSettings, TokenPhase};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::runtime::Handle;

/// The poll in the middle, and the poll that gets the URLs. Counted from 1.
const MIDDLE_POLL: u32 = 3;
const LAST_POLL: u32 = 5;

/// A visit with one fault.
pub(crate) struct FaultCell {
    pub(crate) on: Endpoint,
    pub(crate) variant: &'static Variant,
    pub(crate) name: String,
    position: RequestPosition,
    expected_exit: u8,
}

/// The result of a cell.
pub(crate) struct Verdict {
    exit: Option<i32>,
    /// The exit code of the `recover` after the fault, if it found a visit.
    recovered: Option<i32>,
    pub(crate) violations: Vec<String>,
}

impl Verdict {
    /// The exit codes as in `6 → 0`, with `!` after a violation.
    pub(crate) fn describe(&self) -> String {
        let code = |exit: Option<i32>| exit.map_or("killed".to_owned(), |exit| exit.to_string());
        let marker = if self.violations.is_empty() { "" } else { " !" };
        match self.recovered {
            Some(recovered) => format!("{} → {recovered}{marker}", code(self.exit)),
            None => format!("{}{marker}", code(self.exit)),
        }
    }
}

impl FaultCell {
    pub(crate) fn new(on: Endpoint, position: RequestPosition, variant: &'static Variant, expected_exit: u8) -> Self {
        let endpoint = Endpoint::ALL.iter().find(|row| row.0 == on).map_or("?", |row| row.1);
        let name = format!("{endpoint}/{}/{}", variant.name, position.label());
        Self { on, variant, name, position, expected_exit }
    }

    pub(crate) fn run(&self, program: &Path, runtime: &Handle) -> Result<Verdict, HarnessError> {
        let sandbox_home = SandboxHome::start(program, runtime, SandboxSettings::default())?;
        let (home, sandbox) = (&sandbox_home.home, sandbox_home.sandbox());
        // The clock stands still, so that the backend depends only on the requests.
        sandbox.change_clock(&ClockChange { paused: Some(true), ..ClockChange::default() })?;
        sandbox.set_faults(copresence_sandbox::faults::parse_and_check_faults(self.fault_list().as_bytes())?)?;
        simulate_phone(sandbox);
        let visit = run_to_end(sandbox_home.visit_command())?;
        let mut violations = self.check_visit(home, sandbox, &visit);
        let spent = is_any_token_spent(sandbox);

        sandbox.clear_faults();
        complete_avatars(sandbox);
        let recover = run_to_end(sandbox_home.recover_command())?;
        violations.extend(check_recovery(home, sandbox, spent, &visit, &recover));
        violations.extend(home.foreign_file_changes());
        let found_visit = !recover.stdout.is_empty();
        Ok(Verdict { exit: visit.exit, recovered: recover.exit.filter(|_| found_visit), violations })
    }

    /// The list of faults as JSON for the sandbox.
    fn fault_list(&self) -> String {
        let endpoint = Endpoint::ALL.iter().find(|row| row.0 == self.on).map_or("?", |row| row.1);
        let fault = |effect: &str, nth: &str, more: &str| {
            let effect = self.fill_placeholders(effect);
            format!(r#"{{"on":"{endpoint}","nth":{nth},"do":{effect}{more}}}"#)
        };
        let (nth, file) = match (self.on, self.position) {
            (_, RequestPosition::Every) => ("\"every\"".to_owned(), None),
            (Endpoint::File, position) => ("1".to_owned(), Some(FILES[position as usize].0)),
            (_, RequestPosition::First) => ("1".to_owned(), None),
            (_, RequestPosition::Middle) => (MIDDLE_POLL.to_string(), None),
            (_, RequestPosition::Last) => (LAST_POLL.to_string(), None),
        };
        let file = file.map_or(String::new(), |file| format!(r#","file":"{file}""#));
        match self.variant.preceded_by {
            None => format!("[{}]", fault(self.variant.effect, &nth, &file)),
            Some(before) => format!(
                "[{},{}]",
                fault(before, &nth, &format!(r#"{file},"ranged":false"#)),
                fault(self.variant.effect, &nth, &format!(r#"{file},"ranged":true"#)),
            ),
        }
    }

    /// Replaces the placeholders of an effect with the values for this position.
    fn fill_placeholders(&self, effect: &str) -> String {
        let delivers = self.on == Endpoint::Redeem && self.position == RequestPosition::Last;
        let (part, slow, field) = match self.on {
            // Small enough to never reach the last byte, because its loss in a reset would be random.
            Endpoint::File if self.position == RequestPosition::Every => (20, FILE_BYTES * 3, ""),
            Endpoint::File => (FILE_BYTES / 2, FILE_BYTES * 3, ""),
            Endpoint::Redeem if delivers => (250, 1_000, "payload_complete"),
            Endpoint::Redeem => (60, 1_000, "avatar_ready"),
            Endpoint::Generate => (12, 200, "token"),
            Endpoint::Login => (12, 200, "sessionToken"),
        };
        let mut text = effect.to_owned();
        for (placeholder, value) in [
            ("{part}", part.to_string()),
            ("{slow}", slow.to_string()),
            ("{field}", field.to_owned()),
            ("{to_last_byte}", (FILE_BYTES - 1).saturating_sub(part).to_string()),
        ] {
            text = text.replace(placeholder, &value);
        }
        text
    }

    /// Checks the result of the visit.
    fn check_visit(&self, home: &TestHome, sandbox: &Sandbox, visit: &FinishedRun) -> Vec<String> {
        let mut violations = check_ended(visit);
        if visit.exit != Some(i32::from(self.expected_exit)) {
            violations.push(format!("expected exit code {}: {}", self.expected_exit, visit.describe()));
        }
        let lines = visit.json_lines();
        let printed_exit = lines.last().map_or(&Value::Null, |line| &line["exit"]);
        if visit.exit.is_some_and(|exit| *printed_exit != exit) {
            violations.push(format!("the last line does not have the exit code: {}", visit.describe()));
        }
        violations.extend(check_folders(home, visit.exit));
        let replaces_files = self.on == Endpoint::File && self.variant.effect == r#""garbage""#;
        let noted = own_folders(&home.out())
            .iter()
            .any(|folder| FILES.iter().any(|(name, _)| is_noted_as_unknown(folder, name)));
        if noted != (replaces_files && visit.exit == Some(0)) {
            violations.push(format!("a file is noted as unknown content: {noted}, replaced: {replaces_files}"));
        }
        // Each token costs money.
        let tokens = sandbox.sandbox_state().tokens.len();
        let max_tokens = if self.on == Endpoint::Generate { 3 } else { 1 };
        if tokens > max_tokens {
            violations.push(format!("{tokens} tokens were issued, at most {max_tokens} are allowed"));
        }
        let applied: u64 = sandbox.active_faults_with_counts().iter().map(|state| state.struck).sum();
        if applied == 0 {
            violations.push("the fault was not applied".to_owned());
        }
        violations
    }
}

/// Checks that the run did not hang, crash or panic.
fn check_ended(ran: &FinishedRun) -> Vec<String> {
    let mut violations = Vec::new();
    if ran.timed_out || ran.exit.is_none() || ran.stderr.contains("panicked") {
        violations.push(format!("the run failed: {}", ran.describe()));
    }
    violations
}

/// Checks the result of `recover` after the faults were removed.
fn check_recovery(
    home: &TestHome,
    sandbox: &Sandbox,
    spent_before: bool,
    visit: &FinishedRun,
    recover: &FinishedRun,
) -> Vec<String> {
    let mut violations = check_ended(recover);
    let spent = is_any_token_spent(sandbox);
    let (complete, partial) = (own_folders(&home.out()), own_folders(&home.data().join("incomplete")));
    let exited_with = |code: i32| [visit.exit, recover.exit].contains(&Some(code));
    if spent && complete.is_empty() && partial.is_empty() && !exited_with(10) && !exited_with(9) && !exited_with(4) {
        violations.push(format!(
            "the backend delivered, but nothing was saved and no loss was reported: {}; {}",
            visit.describe(),
            recover.describe()
        ));
    }
    // A visit that only waited in vain has lost nothing.
    let invited = visit.json_lines().iter().any(|line| line["event"] == "invited");
    let waited_in_vain = matches!(visit.exit, Some(3 | 6 | 8 | 9)) && invited && !spent_before;
    let lost = recover.exit == Some(10);
    let is_reported = lost || recover.exit == Some(7);
    if waited_in_vain && !is_reported && complete.is_empty() {
        violations.push(format!("the avatar is ready, but recover did not save it: {}", recover.describe()));
    }
    if lost && !spent {
        violations
            .push(format!("possibly consumed is reported, but the token was never spent: {}", recover.describe()));
    }
    for folder in &complete {
        violations.extend(check_complete_avatar(folder));
    }
    for folder in &partial {
        violations.extend(check_partial_avatar(folder));
    }
    violations
}

/// Whether the backend delivered the URLs of any token.
fn is_any_token_spent(sandbox: &Sandbox) -> bool {
    sandbox.sandbox_state().tokens.iter().any(|token| token.state == TokenPhase::Spent)
}

/// Checks that OUT and `incomplete/` match the exit code of the visit.
fn check_folders(home: &TestHome, exit: Option<i32>) -> Vec<String> {
    let mut violations = Vec::new();
    let mut complete = own_folders(&home.out());
    if exit == Some(6) {
        // The hidden folder of a download that is continued later.
        complete.retain(|path| !path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.')));
    }
    let expected = match exit {
        Some(0) => 1..=1,
        // Saved despite a protocol violation, or nothing received.
        Some(9) => 0..=1,
        _ => 0..=0,
    };
    if !expected.contains(&complete.len()) {
        violations.push(format!("{} avatars are in OUT after exit {exit:?}", complete.len()));
    }
    for folder in &complete {
        violations.extend(check_complete_avatar(folder));
    }
    let partial = own_folders(&home.data().join("incomplete"));
    if exit == Some(7) && partial.len() != 1 {
        violations.push("saved in part is reported, but no incomplete folder exists".to_owned());
    }
    for folder in &partial {
        violations.extend(check_partial_avatar(folder));
    }
    violations
}

/// The own folders in a folder, including hidden ones.
fn own_folders(parent: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(parent).into_iter().flatten().flatten().map(|entry| entry.path());
    entries.filter(|path| path.is_dir() && !path.ends_with("2026-01-01-summer")).collect()
}

fn read_manifest(folder: &Path) -> Value {
    let text = std::fs::read(folder.join("manifest.json")).unwrap_or_default();
    serde_json::from_slice(&text).unwrap_or_default()
}

fn check_complete_avatar(folder: &Path) -> Vec<String> {
    let mut violations = Vec::new();
    let manifest = read_manifest(folder);
    if manifest["complete"] != true || manifest["files"].as_array().map_or(0, Vec::len) != FILES.len() {
        violations.push(format!("{} is not complete: {manifest}", folder.display()));
    }
    for (name, make) in FILES {
        // `check_visit` checks that only replaced files are noted.
        let is_same = std::fs::read(folder.join(name)).ok() == Some(make(FILE_BYTES));
        if !is_same && !is_noted_as_unknown(folder, name) {
            violations.push(format!("{}: {name} differs from the file of the backend", folder.display()));
        }
    }
    violations
}

/// Whether the manifest notes that the content of a file is unknown.
fn is_noted_as_unknown(folder: &Path, name: &str) -> bool {
    let manifest = read_manifest(folder);
    let file = manifest["files"].as_array().into_iter().flatten().find(|file| file["path"] == name);
    let notes = file.and_then(|file| file["notes"].as_array()).into_iter().flatten();
    notes.into_iter().any(|note| note["code"] == "unknown_content")
}

/// Checks that each listed file is complete and each missing file has a reason.
fn check_partial_avatar(folder: &Path) -> Vec<String> {
    let mut violations = Vec::new();
    let manifest = read_manifest(folder);
    let (empty, path) = (Vec::new(), folder.display());
    let missing = manifest["missing"].as_array().unwrap_or(&empty);
    if manifest["complete"] != false || missing.is_empty() {
        violations.push(format!("{path} does not list missing files: {manifest}"));
    }
    if missing.iter().any(|file| file["reason"].as_str().is_none_or(str::is_empty)) {
        violations.push(format!("{path} has no reason for a missing file: {manifest}"));
    }
    for file in manifest["files"].as_array().unwrap_or(&empty) {
        // A response that broke off behind a URL does not name the type of its file.
        let known = FILES.iter().find(|(name, _)| file["path"] == *name);
        let content = file["path"].as_str().and_then(|name| std::fs::read(folder.join(name)).ok());
        let is_right = |make: &MakeFile| content.as_ref() == Some(&make(FILE_BYTES));
        let is_complete = match known {
            Some((_, make)) => is_right(make),
            None => FILES.iter().any(|(_, make)| is_right(make)),
        };
        if !is_complete {
            violations.push(format!("{path}: {} is listed as complete, but is not", file["path"]));
        }
    }
    violations
}

/// Simulates the phone and the progress of the avatar between responses: an avatar is associated at the first poll, and
/// complete at the [`LAST_POLL`].
fn simulate_phone(sandbox: &Sandbox) {
    let polls = AtomicU32::new(0);
    sandbox.add_request_watcher(move |sandbox, line| {
        if line.path == "/redeemExportToken" {
            match polls.fetch_add(1, Ordering::SeqCst) + 1 {
                1 => associate_avatars(sandbox),
                polls if polls + 1 == LAST_POLL => complete_avatars(sandbox),
                _ => {}
            }
        }
    });
}

/// Completes the avatars of all tokens.
fn complete_avatars(sandbox: &Sandbox) {
    associate_avatars(sandbox);
    for token in sandbox.sandbox_state().tokens {
        // Fails for a token that has no avatar or is no longer active.
        _ = sandbox.force_token_state(&token.token, ForcedState::Complete);
    }
}
