//! One visit at a sandbox that does one thing wrong, and what became of it.

use super::variants::{Place, Variant};
use crate::Trouble;
use crate::booth::{Booth, FILES, SIZE, scan};
use crate::stand::{Ran, Stand, run};
use copresence_sandbox::{ClockMove, Endpoint, ForcedState, Sandbox, Settings, TokenPhase};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::runtime::Handle;

/// The poll in the middle, and the one that gets the URLs.
const MIDDLE: u32 = 3;
const LAST: u32 = 5;

/// One visit.
pub(crate) struct Cell {
    pub(crate) on: Endpoint,
    pub(crate) variant: &'static Variant,
    pub(crate) name: String,
    place: Place,
    due: u8,
}

/// What became of it.
pub(crate) struct Verdict {
    exit: Option<i32>,
    /// Of the `recover` that came after the faults, when it found something.
    recovered: Option<i32>,
    pub(crate) breaches: Vec<String>,
}

impl Verdict {
    /// The exit codes, as in `6 → 0`.
    pub(crate) fn told(&self) -> String {
        let code = |exit: Option<i32>| exit.map_or("killed".to_owned(), |exit| exit.to_string());
        let broken = if self.breaches.is_empty() { "" } else { " !" };
        match self.recovered {
            Some(recovered) => format!("{} → {recovered}{broken}", code(self.exit)),
            None => format!("{}{broken}", code(self.exit)),
        }
    }
}

impl Cell {
    pub(crate) fn new(on: Endpoint, place: Place, variant: &'static Variant, due: u8) -> Self {
        let word = Endpoint::ALL.iter().find(|row| row.0 == on).map_or("?", |row| row.1);
        let name = format!("{word}/{}/{}", variant.name, place.word());
        Self { on, variant, name, place, due }
    }

    pub(crate) fn run(&self, program: &Path, runtime: &Handle) -> Result<Verdict, Trouble> {
        let booth = Booth::open(program, runtime, Settings::default())?;
        let (stand, sandbox) = (&booth.stand, booth.sandbox());
        // Nothing happens by itself: what the backend does hangs on what it was asked.
        sandbox.move_clock(&ClockMove { paused: Some(true), ..ClockMove::default() })?;
        sandbox.set_faults(copresence_sandbox::faults::parse_faults(self.faults().as_bytes())?)?;
        play(sandbox);
        let visit = run(booth.visit())?;
        let mut breaches = self.judge(stand, sandbox, &visit);
        let spent = is_spent(sandbox);

        sandbox.clear_faults();
        make_ready(sandbox);
        let recover = run(booth.recover())?;
        breaches.extend(judge_recovery(stand, sandbox, spent, &visit, &recover));
        breaches.extend(stand.strangers_touched());
        let found = !recover.stdout.is_empty();
        Ok(Verdict { exit: visit.exit, recovered: recover.exit.filter(|_| found), breaches })
    }

    /// The list of faults, as the sandbox reads it.
    fn faults(&self) -> String {
        let word = Endpoint::ALL.iter().find(|row| row.0 == self.on).map_or("?", |row| row.1);
        let strike = |effect: &str, nth: &str, more: &str| {
            let effect = self.filled(effect);
            format!(r#"{{"on":"{word}","nth":{nth},"do":{effect}{more}}}"#)
        };
        let (nth, file) = match (self.on, self.place) {
            (_, Place::Every) => ("\"every\"".to_owned(), None),
            (Endpoint::File, place) => ("1".to_owned(), Some(FILES[place as usize].0)),
            (_, Place::First) => ("1".to_owned(), None),
            (_, Place::Middle) => (MIDDLE.to_string(), None),
            (_, Place::Last) => (LAST.to_string(), None),
        };
        let file = file.map_or(String::new(), |file| format!(r#","file":"{file}""#));
        match self.variant.after {
            None => format!("[{}]", strike(self.variant.effect, &nth, &file)),
            Some(before) => format!(
                "[{},{}]",
                strike(before, &nth, &format!(r#"{file},"ranged":false"#)),
                strike(self.variant.effect, &nth, &format!(r#"{file},"ranged":true"#)),
            ),
        }
    }

    /// An effect with its figures for this place.
    fn filled(&self, effect: &str) -> String {
        let delivers = self.on == Endpoint::Redeem && self.place == Place::Last;
        let (part, slow, field) = match self.on {
            // So little that it never comes to the last byte, whose loss in a reset would be a matter of chance.
            Endpoint::File if self.place == Place::Every => (20, SIZE * 3, ""),
            Endpoint::File => (SIZE / 2, SIZE * 3, ""),
            Endpoint::Redeem if delivers => (250, 1_000, "payload_complete"),
            Endpoint::Redeem => (60, 1_000, "avatar_ready"),
            Endpoint::Generate => (12, 200, "token"),
            Endpoint::Login => (12, 200, "sessionToken"),
        };
        let mut filled = effect.to_owned();
        for (place, value) in
            [("{part}", part.to_string()), ("{slow}", slow.to_string()), ("{field}", field.to_owned())]
        {
            filled = filled.replace(place, &value);
        }
        filled
    }

    /// What must hold when the visit is over.
    fn judge(&self, stand: &Stand, sandbox: &Sandbox, visit: &Ran) -> Vec<String> {
        let mut breaches = ends_well(visit);
        if visit.exit != Some(i32::from(self.due)) {
            breaches.push(format!("{} is due: {}", self.due, visit.told()));
        }
        let lines = visit.lines();
        let told = lines.last().map_or(&Value::Null, |line| &line["exit"]);
        if visit.exit.is_some_and(|exit| *told != exit) {
            breaches.push(format!("the last line does not say how it ended: {}", visit.told()));
        }
        breaches.extend(folders(stand, visit.exit));
        // Each token is somebody's money.
        let tokens = sandbox.state().tokens.len();
        let most = if self.on == Endpoint::Generate { 3 } else { 1 };
        if tokens > most {
            breaches.push(format!("{tokens} tokens were made"));
        }
        // What the visit was not given, it cannot have.
        let struck: u64 = sandbox.faults().iter().map(|state| state.struck).sum();
        if struck == 0 {
            breaches.push("the fault did not strike".to_owned());
        }
        breaches
    }
}

/// No hang, no crash, no panic.
fn ends_well(ran: &Ran) -> Vec<String> {
    let mut breaches = Vec::new();
    if ran.hung || ran.exit.is_none() || ran.stderr.contains("panicked") {
        breaches.push(format!("it did not end well: {}", ran.told()));
    }
    breaches
}

/// What must hold when the faults are over and `recover` has run.
fn judge_recovery(
    stand: &Stand,
    sandbox: &Sandbox,
    spent_before: bool,
    visit: &Ran,
    recover: &Ran,
) -> Vec<String> {
    let mut breaches = ends_well(recover);
    let spent = is_spent(sandbox);
    let (whole, part) = (saved(&stand.out()), saved(&stand.data().join("incomplete")));
    let said = |code: i32| [visit.exit, recover.exit].contains(&Some(code));
    if spent && whole.is_empty() && part.is_empty() && !said(10) && !said(9) && !said(4) {
        breaches.push(format!(
            "the backend delivered; nothing is kept, and nobody was told: {}; {}",
            visit.told(),
            recover.told()
        ));
    }
    // Whoever was only kept waiting has lost nothing.
    let invited = visit.lines().iter().any(|line| line["event"] == "invited");
    let kept_waiting = matches!(visit.exit, Some(3 | 6 | 8 | 9)) && invited && !spent_before;
    let lost = recover.exit == Some(10);
    let told = lost || recover.exit == Some(7);
    if kept_waiting && !told && whole.is_empty() {
        breaches.push(format!("the avatar is ready, and recover did not bring it: {}", recover.told()));
    }
    if lost && !spent {
        breaches.push(format!("possibly consumed, and the token was never spent: {}", recover.told()));
    }
    for folder in &whole {
        breaches.extend(whole_avatar(folder));
    }
    for folder in &part {
        breaches.extend(honest_part(folder));
    }
    breaches
}

/// Whether the backend gave any token's URLs away.
fn is_spent(sandbox: &Sandbox) -> bool {
    sandbox.state().tokens.iter().any(|token| token.state == TokenPhase::Spent)
}

/// OUT has an avatar only when the exit code says so, and nothing half-made.
fn folders(stand: &Stand, exit: Option<i32>) -> Vec<String> {
    let mut breaches = Vec::new();
    let whole = saved(&stand.out());
    let due = match exit {
        Some(0) => 1..=1,
        // Saved in spite of a broken rule, or nothing came.
        Some(9) => 0..=1,
        _ => 0..=0,
    };
    if !due.contains(&whole.len()) {
        breaches.push(format!("{} avatars stand in OUT after exit {exit:?}", whole.len()));
    }
    for folder in &whole {
        breaches.extend(whole_avatar(folder));
    }
    let part = saved(&stand.data().join("incomplete"));
    if exit == Some(7) && part.len() != 1 {
        breaches.push("saved in part, and nothing is kept".to_owned());
    }
    for folder in &part {
        breaches.extend(honest_part(folder));
    }
    breaches
}

/// The folders of ours in a folder, hidden ones too.
fn saved(parent: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(parent).into_iter().flatten().flatten().map(|entry| entry.path());
    entries.filter(|path| path.is_dir() && !path.ends_with("2026-01-01-summer")).collect()
}

fn manifest(folder: &Path) -> Value {
    let text = std::fs::read(folder.join("manifest.json")).unwrap_or_default();
    serde_json::from_slice(&text).unwrap_or_default()
}

fn whole_avatar(folder: &Path) -> Vec<String> {
    let mut breaches = Vec::new();
    let manifest = manifest(folder);
    if manifest["complete"] != true || manifest["files"].as_array().map_or(0, Vec::len) != FILES.len() {
        breaches.push(format!("{} is not whole: {manifest}", folder.display()));
    }
    for (name, make) in FILES {
        if std::fs::read(folder.join(name)).ok() != Some(make(SIZE)) {
            breaches.push(format!("{}: {name} is not what the backend has", folder.display()));
        }
    }
    breaches
}

/// What is listed as whole is whole; what is not, has its reason.
fn honest_part(folder: &Path) -> Vec<String> {
    let mut breaches = Vec::new();
    let manifest = manifest(folder);
    let (empty, place) = (Vec::new(), folder.display());
    let missing = manifest["missing"].as_array().unwrap_or(&empty);
    if manifest["complete"] != false || missing.is_empty() {
        breaches.push(format!("{place} says not what is missing: {manifest}"));
    }
    if missing.iter().any(|file| file["reason"].as_str().is_none_or(str::is_empty)) {
        breaches.push(format!("{place} says not why a file is missing: {manifest}"));
    }
    for file in manifest["files"].as_array().unwrap_or(&empty) {
        let known = FILES.iter().find(|(name, _)| file["path"] == *name);
        let there = known.and_then(|(name, _)| std::fs::read(folder.join(name)).ok());
        if there.is_none() || there != known.map(|(_, make)| make(SIZE)) {
            breaches.push(format!("{place}: {} is listed as whole, and is not", file["path"]));
        }
    }
    breaches
}

/// Plays the phone and the backend's work, between one answer and the next: scanned after the first poll, ready for
/// the [`LAST`].
fn play(sandbox: &Sandbox) {
    let polls = AtomicU32::new(0);
    sandbox.watch_requests(move |sandbox, line| {
        if line.path == "/redeemExportToken" {
            match polls.fetch_add(1, Ordering::SeqCst) + 1 {
                1 => scan(sandbox),
                polls if polls + 1 == LAST => make_ready(sandbox),
                _ => {}
            }
        }
    });
}

/// Makes the avatar of each token that was asked about ready.
fn make_ready(sandbox: &Sandbox) {
    scan(sandbox);
    for token in sandbox.state().tokens {
        // What has no avatar, or is over, stays as it is.
        _ = sandbox.force_state(&token.token, ForcedState::Complete);
    }
}
