//! What must hold after a crash, and after `recover`: the claims, each told in a sentence when it is broken.

use crate::Trouble;
use crate::backend::{self, Backend, Event, What};
use crate::fates::{Fate, Left, Verdict};
use crate::journal::View;
use crate::stand::{Ran, Stand, run};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// How it stands when the program is dead and nothing has looked at the folders yet.
pub(crate) struct Scene {
    /// What the backend was asked.
    pub(crate) events: Vec<Event>,
    /// What is in the journal.
    pub(crate) journal: View,
    /// What the program had printed on stdout.
    pub(crate) told: Ran,
}

/// The most runs of `recover` that a visit needs: one more than a token is told to wait.
const MOST_RUNS: usize = 8;

impl Scene {
    pub(crate) fn take(stand: &Stand, backend: &Backend, told: Ran) -> Result<Self, Trouble> {
        backend.settle()?;
        Ok(Self { events: backend.events(), journal: View::read(&stand.data())?, told })
    }

    fn left(&self) -> Left {
        Left {
            delivered: self.events.iter().any(|event| matches!(event.what, What::Delivered { .. })),
            on_disk: self.journal.redeems.iter().any(|redeem| redeem.delivered),
        }
    }

    /// What must become of the one visit; either of two where the backend's own URLs decide.
    fn due(&self, backend: &Backend) -> Vec<Fate> {
        let Some(visit) = self.journal.visits.first() else { return vec![Fate::Nothing] };
        let script = backend.script();
        let saved = if script.files.iter().any(|file| file.gone) { Fate::InPart } else { Fate::Saved };
        if visit.ended.as_ref().is_some_and(|(_, exit)| *exit == 0 || *exit == 7) {
            return vec![saved];
        }
        if self.journal.has_answer(&visit.id) {
            // A one-time URL that was used up by bytes that a crash took is gone for everybody.
            let safe = |index| self.journal.files.iter().any(|file| file.index == index && file.safe);
            let lost = script.one_time
                && self
                    .events
                    .iter()
                    .any(|event| matches!(event.what, What::FileSent { file, .. } if !safe(file)));
            return if lost { vec![saved, Fate::InPart] } else { vec![saved] };
        }
        match &visit.token {
            Some(token) if backend::delivered(&self.events, token) => vec![Fate::PossiblyConsumed],
            Some(_) => vec![saved],
            None => vec![Fate::Closed],
        }
    }
}

/// Holds a crash's scene, and what `recover` makes of it, to the claims.
pub(crate) fn judge(stand: &Stand, backend: &Backend, scene: &Scene) -> Result<Verdict, Trouble> {
    let mut breaches = at_once(stand, backend, scene);
    let (runs, restless) = recover_to_the_end(stand)?;
    breaches.extend(restless);
    backend.settle()?;
    let after = View::read(&stand.data())?;
    let due = scene.due(backend);
    let fate = fate(&after);
    if !due.contains(&fate) {
        let mut told = format!("it is {fate:?}, and {due:?} is due");
        for run in &runs {
            _ = write!(told, "\n{}", run.told());
        }
        breaches.push(told);
    }
    breaches.extend(said(scene, &runs, fate));
    breaches.extend(folders(stand, backend, fate));
    breaches.extend(asked(backend, scene));
    breaches.extend(put_away(stand, &after, &backend.events()));
    breaches.extend(modes(stand)?);
    breaches.extend(stand.strangers_touched());
    Ok(Verdict { left: scene.left(), fate, breaches })
}

/// What must hold before anything looks at what the crash left.
fn at_once(stand: &Stand, backend: &Backend, scene: &Scene) -> Vec<String> {
    let mut breaches = whole_folders(stand, backend, true);
    breaches.extend(scene.journal.damage.iter().map(|damage| format!("the journal is damaged: {damage}")));
    if scene.told.stderr.contains("panicked") {
        breaches.push(format!("a panic: {}", scene.told.stderr));
    }
    // On disk before it counts.
    let tokens = backend::tokens(&scene.events);
    if tokens.len() > scene.journal.visits.len() {
        breaches.push("a token was asked for before its visit was in the journal".to_owned());
    }
    let redeems: usize = tokens.iter().map(|token| backend::redeems(&scene.events, token)).sum();
    let intents = scene.journal.intents();
    if redeems > intents {
        breaches.push(format!("the backend had {redeems} redeems, and the journal has {intents} intents"));
    }
    let asked = scene.events.iter().filter_map(|event| match event.what {
        What::FileAsked { file, .. } => Some(file),
        _ => None,
    });
    for file in asked {
        if !scene.journal.files.iter().any(|planned| planned.index == file) {
            breaches.push(format!("file {file} was asked for before it was planned in the journal"));
        }
    }
    // What was told is so.
    for line in scene.told.lines() {
        let there = |folder: &Value| folder.as_str().is_some_and(|folder| Path::new(folder).is_dir());
        if line["event"] == "saved" && !there(&line["directory"]) {
            breaches.push(format!("it told of a saved avatar, and that is not there: {line}"));
        }
        if line["event"] == "invited" && !scene.journal.visits.iter().any(|visit| visit.issued) {
            breaches.push("it showed a link whose token is not in the journal".to_owned());
        }
    }
    breaches
}

/// Runs `recover` until it finds nothing more to do.
fn recover_to_the_end(stand: &Stand) -> Result<(Vec<Ran>, Vec<String>), Trouble> {
    let (mut runs, mut breaches) = (Vec::new(), Vec::new());
    loop {
        let ran = run(stand.recover())?;
        if ran.hung || ran.exit.is_none() || ran.stderr.contains("panicked") {
            breaches.push(format!("recover did not end well: {}", ran.told()));
        }
        let quiet = ran.stdout.is_empty() && ran.stderr.is_empty();
        let done = quiet || ran.hung || runs.len() + 1 >= MOST_RUNS;
        if quiet && ran.exit != Some(0) {
            breaches.push(format!("recover had nothing to say, and did not end with 0: {}", ran.told()));
        }
        if done && !quiet {
            breaches.push(format!("recover comes to no end: {}", ran.told()));
        }
        if !quiet {
            runs.push(ran);
        }
        if done {
            return Ok((runs, breaches));
        }
    }
}

fn fate(after: &View) -> Fate {
    let Some(visit) = after.visits.first() else { return Fate::Nothing };
    match visit.ended.as_ref().map(|(_, exit)| *exit) {
        Some(0) => Fate::Saved,
        Some(7) => Fate::InPart,
        Some(10) => Fate::PossiblyConsumed,
        _ => Fate::Closed,
    }
}

/// The lines and exit codes of `recover --json`.
fn said(scene: &Scene, runs: &[Ran], fate: Fate) -> Vec<String> {
    let mut breaches = Vec::new();
    let unfinished = scene.journal.visits.first().is_some_and(|visit| visit.unfinished);
    let Some(last) = runs.last() else {
        if unfinished {
            breaches.push("recover said nothing of a visit that had not ended".to_owned());
        }
        return breaches;
    };
    if !unfinished {
        breaches.push(format!("recover took up a visit that had ended: {}", last.told()));
    }
    let exit = match fate {
        Fate::Saved | Fate::Closed | Fate::Nothing => 0,
        Fate::InPart => 7,
        Fate::PossiblyConsumed => 10,
    };
    let ended: Vec<Value> = last.lines().into_iter().filter(|line| line["event"] == "ended").collect();
    let [ended] = ended.as_slice() else {
        breaches.push(format!("recover's last word is not one `ended`: {}", last.told()));
        return breaches;
    };
    // A visit that is closed without a token ends as interrupted, and that is no failure of `recover`.
    let line = if fate == Fate::Closed { 130 } else { exit };
    if last.exit != Some(exit) || ended["exit"] != line {
        breaches.push(format!("recover's exit code and `ended` are not those of {fate:?}: {}", last.told()));
    }
    breaches
}

/// OUT and `incomplete/` when everything is done.
fn folders(stand: &Stand, backend: &Backend, fate: Fate) -> Vec<String> {
    let mut breaches = whole_folders(stand, backend, false);
    let count = |parent: &Path| ours(stand, parent).len();
    let expected = match fate {
        Fate::Saved => (1, 0),
        Fate::InPart => (0, 1),
        _ => (0, 0),
    };
    let incomplete = stand.data().join("incomplete");
    let found = (count(&stand.out()), count(&incomplete));
    if found != expected {
        breaches.push(format!(
            "{} avatars in OUT and {} incomplete ones, and {expected:?} are due",
            found.0, found.1
        ));
    }
    for folder in ours(stand, &incomplete) {
        breaches.extend(avatar(&folder, backend, false));
    }
    for name in names(&stand.data().join("live")) {
        breaches.push(format!("a lock is left: {}", name.display()));
    }
    breaches
}

/// Every folder in OUT is a whole avatar, or hidden, or a stranger's; `growing`: a partial one may stand there.
fn whole_folders(stand: &Stand, backend: &Backend, growing: bool) -> Vec<String> {
    let mut breaches = Vec::new();
    for folder in ours(stand, &stand.out()) {
        let hidden = folder.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if hidden && growing {
            continue;
        }
        if hidden {
            breaches.push(format!("left in OUT: {}", folder.display()));
        } else {
            breaches.extend(avatar(&folder, backend, true));
        }
    }
    breaches
}

/// Holds a folder to its manifest, and to what the backend delivered.
fn avatar(folder: &Path, backend: &Backend, complete: bool) -> Vec<String> {
    let place = folder.display();
    let manifest = match std::fs::read(folder.join("manifest.json")) {
        Ok(text) => serde_json::from_slice::<Value>(&text).unwrap_or_default(),
        Err(error) => return vec![format!("{place} has no manifest: {error}")],
    };
    let mut breaches = Vec::new();
    if manifest["complete"] != complete {
        breaches.push(format!("{place}: `complete` is {}", manifest["complete"]));
    }
    let empty = Vec::new();
    let listed = manifest["files"].as_array().unwrap_or(&empty);
    for file in &backend.script().files {
        let Some(entry) = listed.iter().find(|entry| entry["path"] == file.name) else {
            if complete {
                breaches.push(format!("{place}: {} is not in the manifest", file.name));
            }
            continue;
        };
        if entry["sha256"] != digest(&file.bytes) || entry["bytes"] != file.bytes.len() {
            breaches.push(format!("{place}: the manifest has another {}: {entry}", file.name));
        }
        match std::fs::read(folder.join(file.name)) {
            Ok(bytes) if bytes == file.bytes => {}
            Ok(bytes) => {
                breaches.push(format!("{place}: {} is another, of {} bytes", file.name, bytes.len()));
            }
            Err(error) => breaches.push(format!("{place}: {}: {error}", file.name)),
        }
    }
    let missing = manifest["missing"].as_array().map_or(0, Vec::len);
    if listed.len() + missing != backend.script().files.len() {
        breaches.push(format!("{place}: {} files and {missing} missing ones are listed", listed.len()));
    }
    breaches
}

/// What the backend was asked after the crash.
fn asked(backend: &Backend, scene: &Scene) -> Vec<String> {
    let events = backend.events();
    let after = events.get(scene.events.len()..).unwrap_or_default();
    let mut breaches = Vec::new();
    if after.iter().any(|event| matches!(event.what, What::Generated { .. })) {
        breaches.push("recover asked for another token".to_owned());
    }
    let on_disk = scene.left().on_disk;
    let redeems = after.iter().filter(|event| {
        matches!(event.what, What::NotReady { .. } | What::Delivered { .. } | What::Refused { .. })
    });
    let redeems = redeems.count();
    if on_disk && redeems > 0 {
        breaches.push(format!("the answer was on the disk, and its token was redeemed {redeems} times more"));
    }
    let refused = events.iter().filter(|event| matches!(event.what, What::Refused { .. })).count();
    if refused > 1 {
        breaches.push(format!("a spent token was redeemed {refused} times more"));
    }
    let deliveries = events.iter().filter(|event| matches!(event.what, What::Delivered { .. })).count();
    if deliveries > 1 {
        breaches.push(format!("the backend delivered {deliveries} times"));
    }
    breaches
}

/// Nothing secret is kept of what is finished, neither in the journal nor anywhere in its files.
fn put_away(stand: &Stand, after: &View, events: &[Event]) -> Vec<String> {
    let mut breaches: Vec<String> =
        after.damage.iter().map(|damage| format!("the journal is damaged: {damage}")).collect();
    if after.visits.iter().any(|visit| visit.unfinished) {
        return breaches;
    }
    let kept = after.visits.iter().any(|visit| visit.token.is_some())
        || after.redeems.iter().any(|redeem| redeem.has_body)
        || after.files.iter().any(|file| file.has_url && file.visit == after.visits[0].id);
    if kept {
        breaches.push("the journal keeps a secret of a visit that is finished".to_owned());
    }
    for name in ["journal.sqlite", "journal.sqlite-wal"] {
        let bytes = std::fs::read(stand.data().join(name)).unwrap_or_default();
        for token in backend::tokens(events) {
            if bytes.windows(token.len()).any(|window| window == token.as_bytes()) {
                breaches.push(format!("{name} still holds the token of a visit that is finished"));
            }
        }
    }
    breaches
}

/// Everything of ours is private.
fn modes(stand: &Stand) -> Result<Vec<String>, Trouble> {
    let mut breaches = Vec::new();
    let mut open = vec![stand.data(), stand.out()];
    while let Some(folder) = open.pop() {
        for path in names(&folder) {
            if stand.is_strangers(&path) {
                continue;
            }
            let about = path.symlink_metadata()?;
            let (mode, due) =
                (about.permissions().mode() & 0o777, if about.is_dir() { 0o700 } else { 0o600 });
            if mode != due {
                breaches.push(format!("{} has the mode {mode:o}, and {due:o} is due", path.display()));
            }
            if about.is_dir() {
                open.push(path);
            }
        }
    }
    Ok(breaches)
}

/// What stands in a folder and is no stranger's.
fn ours(stand: &Stand, folder: &Path) -> Vec<PathBuf> {
    names(folder).into_iter().filter(|path| !stand.is_strangers(path)).collect()
}

fn names(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    names.sort();
    names
}

fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |mut text, byte| {
        _ = write!(text, "{byte:02x}");
        text
    })
}

/// After forgetting: nothing of the visit is left, and a second time finds nothing.
pub(crate) fn judge_forgotten(stand: &Stand, backend: &Backend, scene: &Scene) -> Result<Verdict, Trouble> {
    let mut breaches: Vec<String> =
        scene.journal.damage.iter().map(|damage| format!("the journal is damaged: {damage}")).collect();
    if scene.told.stderr.contains("panicked") {
        breaches.push(format!("a panic: {}", scene.told.stderr));
    }
    // A crash in the middle leaves no avatar that nobody knows of.
    if scene.journal.visits.is_empty() && !ours(stand, &stand.out()).is_empty() {
        breaches.push("files are left in OUT, and no visit that knows of them".to_owned());
    }
    let again = run(stand.command(&["history", "forget", "--all", "--json"]))?;
    if again.exit != Some(0) || again.stderr.contains("panicked") {
        breaches.push(format!("forgetting again did not end well: {}", again.told()));
    }
    for parent in [stand.out(), stand.data().join("incomplete"), stand.data().join("live")] {
        breaches.extend(ours(stand, &parent).iter().map(|path| format!("left: {}", path.display())));
    }
    let after = View::read(&stand.data())?;
    if !after.visits.is_empty() {
        breaches.push("the journal still knows the visit".to_owned());
    }
    if backend.events().len() != scene.events.len() {
        breaches.push("forgetting asked the backend".to_owned());
    }
    breaches.extend(put_away(stand, &after, &scene.events));
    breaches.extend(modes(stand)?);
    breaches.extend(stand.strangers_touched());
    Ok(Verdict { left: scene.left(), fate: fate(&after), breaches })
}
