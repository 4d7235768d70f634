//! A disk that knows what is durable: files and folders as a run left them, and as a power cut at any step leaves
//! them.
//!
//! The rules are the least that POSIX promises. What was written into a file is durable once that file was flushed
//! after it; that an entry of a folder was made, renamed or removed is durable once that folder was flushed after it
//! (for a rename between two folders, either of them: no file system shows half of one). Whatever was not flushed may
//! be there or not, each [`Loss`] in its way.

use super::state::{Change, Node, State};
use super::trace::{Call, Effect};
use crate::Trouble;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// What a power cut takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Loss {
    /// Nothing: as if the program had been killed.
    Nothing,
    /// All that was not flushed.
    Strict,
    /// All bytes that were not flushed; files, names and lengths of zero stay ("the empty file").
    BytesOnly,
    /// Of what was not flushed each write and each change of a folder for itself, or not, by lot.
    ByLot(u64),
    /// As `Strict`, but of each file the first of the unflushed writes came through, and the last of them in part.
    Torn(u64),
}

/// One step of a run.
struct Step {
    change: Change,
    words: String,
    began: SystemTime,
    ended: SystemTime,
    /// The step that made it durable.
    durable_at: usize,
}

/// Folders and all that was done to them.
pub(crate) struct Disk {
    /// As it was before, all of it durable.
    start: State,
    /// What the system takes from the mode of whatever is made.
    umask: u32,
    looked_at: SystemTime,
    steps: Vec<Step>,
}

impl Disk {
    /// Looks at these folders as they are now.
    pub(crate) fn look(folders: &[PathBuf]) -> Result<Self, Trouble> {
        let trial = tempfile::tempdir()?;
        let made = std::fs::File::create(trial.path().join("any"))?.metadata()?.permissions().mode();
        let umask = 0o666 & !made;
        let start = State::look(folders)?;
        Ok(Self { start, umask, looked_at: SystemTime::now(), steps: Vec::new() })
    }

    /// Takes in what was done.
    pub(crate) fn follow(&mut self, calls: Vec<Call>) -> Result<(), Trouble> {
        let mut now = self.start.clone();
        for call in calls {
            let words = words(&call.effect);
            for change in now.change(call.effect, self.umask).map_err(|why| format!("{words}: {why}"))? {
                let number = self.steps.len();
                if let Change::Sync = change.0 {
                    for step in &mut self.steps {
                        if step.durable_at == usize::MAX && step.change.touches(change.1) {
                            step.durable_at = number;
                        }
                    }
                }
                now.apply(&change.0, true);
                self.steps.push(Step {
                    change: change.0,
                    words: words.clone(),
                    began: call.began,
                    ended: call.ended,
                    durable_at: usize::MAX,
                });
            }
        }
        self.start.take_in(now);
        Ok(())
    }

    /// How many steps there are.
    pub(crate) fn steps(&self) -> usize {
        self.steps.len()
    }

    /// Whether a step makes something durable.
    pub(crate) fn flushes(&self, step: usize) -> bool {
        self.steps.iter().any(|earlier| earlier.durable_at == step)
    }

    /// What the last step before a cut was.
    pub(crate) fn words(&self, cut: usize) -> &str {
        cut.checked_sub(1).map_or("nothing was done yet", |last| &self.steps[last].words)
    }

    /// From when to when a cut between two steps may have come.
    pub(crate) fn moments(&self, cut: usize) -> (SystemTime, SystemTime) {
        let from = cut.checked_sub(1).map_or(self.looked_at, |last| self.steps[last].ended);
        let far = SystemTime::now();
        (from, self.steps.get(cut).map_or(far, |next| next.began.max(from)))
    }

    /// What was said on stdout before a cut.
    pub(crate) fn told(&self, cut: usize) -> String {
        let mut all = Vec::new();
        for step in &self.steps[..cut] {
            if let Change::Told(bytes) = &step.change {
                all.extend_from_slice(bytes);
            }
        }
        String::from_utf8_lossy(&all).into_owned()
    }

    /// What a power cut after so many steps leaves.
    pub(crate) fn cut(&self, cut: usize, loss: Loss) -> State {
        let mut state = self.start.clone();
        let mut rng = match loss {
            Loss::ByLot(seed) | Loss::Torn(seed) => ChaCha8Rng::seed_from_u64(seed ^ (cut as u64) << 20),
            _ => ChaCha8Rng::seed_from_u64(0),
        };
        let torn = if matches!(loss, Loss::Torn(_)) { self.torn(cut, &mut rng) } else { BTreeMap::new() };
        for (number, step) in self.steps[..cut].iter().enumerate() {
            let durable = step.durable_at < cut;
            let survives = match loss {
                Loss::Nothing => true,
                Loss::Strict => durable,
                Loss::BytesOnly => durable || !matches!(step.change, Change::Write { .. }),
                Loss::ByLot(_) => rng.random_bool(0.5) || durable,
                Loss::Torn(_) => durable || torn.contains_key(&number),
            };
            if !survives {
                continue;
            }
            match (&step.change, torn.get(&number)) {
                (Change::Write { node, offset, bytes }, Some(kept)) => {
                    let bytes = bytes[..*kept].to_vec();
                    state.apply(&Change::Write { node: *node, offset: *offset, bytes }, durable);
                }
                (change, _) => state.apply(change, durable),
            }
        }
        state
    }

    /// Of each file the unflushed writes that came through, with how many bytes of each: whole ones, and a last one up
    /// to a sector's end.
    fn torn(&self, cut: usize, rng: &mut ChaCha8Rng) -> BTreeMap<usize, usize> {
        const SECTOR: usize = 512;
        let mut by_node: BTreeMap<Node, Vec<(usize, usize)>> = BTreeMap::new();
        for (number, step) in self.steps[..cut].iter().enumerate() {
            if let Change::Write { node, bytes, .. } = &step.change
                && step.durable_at >= cut
            {
                by_node.entry(*node).or_default().push((number, bytes.len()));
            }
        }
        let mut torn = BTreeMap::new();
        for writes in by_node.into_values() {
            let last = rng.random_range(0..writes.len());
            torn.extend(writes[..last].iter().copied());
            let (number, length) = writes[last];
            torn.insert(number, rng.random_range(0..=length / SECTOR) * SECTOR);
        }
        torn
    }
}

/// The step in words, without what differs from run to run.
fn words(effect: &Effect) -> String {
    let name = |path: &Path| kind(path);
    match effect {
        Effect::Open { path, .. } | Effect::MakeFolder { path, .. } => format!("make {}", name(path)),
        Effect::Write { path, .. } => format!("write {}", name(path)),
        Effect::Resize { path, .. } => format!("cut {}", name(path)),
        Effect::Rename { from, to } => format!("rename {} to {}", name(from), name(to)),
        Effect::Unlink { path } | Effect::RemoveFolder { path } => format!("remove {}", name(path)),
        Effect::SetMode { path, .. } => format!("set the mode of {}", name(path)),
        Effect::Sync { path } => format!("flush {}", name(path)),
        Effect::Told { .. } => "say a line on stdout".to_owned(),
    }
}

/// What a path stands for: ids and dates left out.
fn kind(path: &Path) -> String {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let is_id = |text: &str| text.len() == 36 && text.matches('-').count() == 4;
    if name.starts_with('.') && name.ends_with(".partial") {
        "the partial folder".to_owned()
    } else if name.starts_with(".copresence-probe-") {
        "a probe".to_owned()
    } else if name.strip_suffix(".lock").is_some_and(is_id) {
        "the visit's lock".to_owned()
    } else if name.len() == 47 && is_id(&name[11..]) {
        "the avatar's folder".to_owned()
    } else if name.starts_with("copresence.") {
        "the log".to_owned()
    } else if path.ends_with("out") {
        "OUT".to_owned()
    } else if path.ends_with("data") {
        "DATA".to_owned()
    } else {
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn calls(effects: Vec<Effect>) -> Vec<Call> {
        let at = |n: usize| SystemTime::UNIX_EPOCH + Duration::from_secs(n as u64);
        let call = |(n, effect)| Call { began: at(n), ended: at(n), effect };
        effects.into_iter().enumerate().map(call).collect()
    }

    struct Sketch {
        _root: tempfile::TempDir,
        out: PathBuf,
        disk: Disk,
    }

    /// A file that is written, flushed, renamed, and its folder flushed; step by step.
    fn sketch() -> Sketch {
        let root = tempfile::tempdir().expect("a folder");
        let out = root.path().join("out");
        std::fs::create_dir(&out).expect("made");
        std::fs::write(out.join("old"), "old").expect("written");
        let mut disk = Disk::look(std::slice::from_ref(&out)).expect("looked at");
        let (part, whole) = (out.join("a.part"), out.join("a"));
        let effects = vec![
            Effect::Open { path: part.clone(), create: true, truncate: false, mode: 0o600 },
            Effect::Write { path: part.clone(), offset: None, bytes: vec![b'x'; 600] },
            Effect::Write { path: part.clone(), offset: None, bytes: vec![b'y'; 600] },
            Effect::Sync { path: part.clone() },
            Effect::Rename { from: part, to: whole },
            Effect::Sync { path: out.clone() },
            Effect::Unlink { path: out.join("old") },
        ];
        disk.follow(calls(effects)).expect("followed");
        Sketch { _root: root, out, disk }
    }

    fn there(state: &State) -> Vec<(String, usize)> {
        let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned());
        let file = |(path, (bytes, _)): (PathBuf, (Option<&[u8]>, u32))| Some((name(&path)?, bytes?.len()));
        state.list().into_iter().filter_map(file).collect()
    }

    fn files(of: &[(&str, usize)]) -> Vec<(String, usize)> {
        of.iter().map(|(name, size)| ((*name).to_owned(), *size)).collect()
    }

    #[test]
    fn what_was_not_flushed_is_lost() {
        let Sketch { disk, .. } = sketch();
        let after = |cut, loss| there(&disk.cut(cut, loss));
        assert_eq!(after(4, Loss::Strict), files(&[("old", 3)]), "flushed, and its name is not");
        assert_eq!(after(5, Loss::Strict), files(&[("old", 3)]));
        assert_eq!(after(6, Loss::Strict), files(&[("a", 1200), ("old", 3)]));
        assert_eq!(
            after(7, Loss::Strict),
            files(&[("a", 1200), ("old", 3)]),
            "removed, and that is not flushed"
        );
        assert_eq!(after(7, Loss::Nothing), files(&[("a", 1200)]));
    }

    #[test]
    fn names_may_outlive_bytes() {
        let Sketch { disk, .. } = sketch();
        assert_eq!(there(&disk.cut(3, Loss::BytesOnly)), files(&[("a.part", 0), ("old", 3)]));
        assert_eq!(there(&disk.cut(5, Loss::BytesOnly)), files(&[("a", 1200), ("old", 3)]));
    }

    #[test]
    fn a_last_write_may_be_torn_and_lots_never_touch_what_is_durable() {
        let Sketch { disk, .. } = sketch();
        for seed in 0..50 {
            let torn = disk.cut(3, Loss::Torn(seed));
            let length = torn.newest().len();
            assert!([0, 512, 600, 1112].contains(&length), "{length}");
            assert!(there(&disk.cut(6, Loss::ByLot(seed))) == files(&[("a", 1200), ("old", 3)]));
        }
    }

    #[test]
    fn a_state_is_put_on_the_real_disk_as_it_is() {
        let sketch = sketch();
        let (disk, out) = (&sketch.disk, &sketch.out);
        let state = disk.cut(6, Loss::Strict);
        assert_eq!(state.differences().expect("looked at").len(), 1, "`a` is only in the model");
        state.put().expect("put");
        assert_eq!(state.differences().expect("looked at"), Vec::<String>::new());
        assert_eq!(std::fs::read(out.join("a")).expect("there").len(), 1200);
    }
}
