//! A model of a disk that computes what a power cut leaves after any step of a run.
//!
//! The rules are the minimum that POSIX promises. Bytes of a file are durable once the file is flushed after the write.
//! A created, renamed or removed entry of a folder is durable once the folder is flushed afterwards; for a rename
//! between two folders, one of them is enough, because no file system shows half of a rename. Whether unflushed changes
//! survive depends on the [`Loss`].

use super::state::{Change, Node, State};
use super::trace::{Call, Effect};
use crate::HarnessError;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// What a power cut loses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Loss {
    /// Nothing, as if the program was killed.
    Nothing,
    /// Everything that was not flushed.
    AllUnflushed,
    /// All bytes that were not flushed. Names survive, so that a file may be empty.
    BytesOnly,
    /// Each unflushed write and each unflushed change of a folder at random. With the seed.
    Random(u64),
    /// As `AllUnflushed`, but the first unflushed writes of each file survive, the last of them partially. With the
    /// seed.
    Torn(u64),
}

/// One step of a run.
struct Step {
    change: Change,
    description: String,
    began: SystemTime,
    ended: SystemTime,
    /// Index of the step that makes it durable; `usize::MAX` if none does.
    durable_at: usize,
}

/// Folders and the steps that changed them.
pub(crate) struct DiskModel {
    /// The state before the first step; all of it is durable.
    start: State,
    /// The umask of this process, which is removed from the mode of created entries.
    umask: u32,
    read_at: SystemTime,
    steps: Vec<Step>,
}

impl DiskModel {
    /// Reads the current state of these folders.
    pub(crate) fn from_folders(folders: &[PathBuf]) -> Result<Self, HarnessError> {
        let probe = tempfile::tempdir()?;
        let mode = std::fs::File::create(probe.path().join("any"))?.metadata()?.permissions().mode();
        let umask = 0o666 & !mode;
        let start = State::from_folders(folders)?;
        Ok(Self { start, umask, read_at: SystemTime::now(), steps: Vec::new() })
    }

    /// Appends the steps of these calls.
    pub(crate) fn apply_calls(&mut self, calls: Vec<Call>) -> Result<(), HarnessError> {
        let mut now = self.start.clone();
        for call in calls {
            let description = describe_effect(&call.effect);
            for change in
                now.changes_of_effect(call.effect, self.umask).map_err(|why| format!("{description}: {why}"))?
            {
                let number = self.steps.len();
                if let Change::Sync = change.0 {
                    for step in &mut self.steps {
                        if step.durable_at == usize::MAX && step.change.is_flushed_by(change.1) {
                            step.durable_at = number;
                        }
                    }
                }
                now.apply(&change.0, true);
                self.steps.push(Step {
                    change: change.0,
                    description: description.clone(),
                    began: call.began,
                    ended: call.ended,
                    durable_at: usize::MAX,
                });
            }
        }
        self.start.add_created(now);
        Ok(())
    }

    /// The number of steps.
    pub(crate) fn step_count(&self) -> usize {
        self.steps.len()
    }

    /// Whether a step makes an earlier step durable.
    pub(crate) fn is_flush(&self, step: usize) -> bool {
        self.steps.iter().any(|earlier| earlier.durable_at == step)
    }

    /// Describes the last step before a cut.
    pub(crate) fn describe_last_step(&self, cut: usize) -> &str {
        cut.checked_sub(1).map_or("nothing yet", |last| &self.steps[last].description)
    }

    /// The time between the steps around a cut.
    pub(crate) fn cut_time_range(&self, cut: usize) -> (SystemTime, SystemTime) {
        let from = cut.checked_sub(1).map_or(self.read_at, |last| self.steps[last].ended);
        let now = SystemTime::now();
        (from, self.steps.get(cut).map_or(now, |next| next.began.max(from)))
    }

    /// The text on stdout before a cut.
    pub(crate) fn stdout_before(&self, cut: usize) -> String {
        let mut all = Vec::new();
        for step in &self.steps[..cut] {
            if let Change::Stdout(bytes) = &step.change {
                all.extend_from_slice(bytes);
            }
        }
        String::from_utf8_lossy(&all).into_owned()
    }

    /// The state that a power cut after this many steps leaves.
    pub(crate) fn state_after_cut(&self, cut: usize, loss: Loss) -> State {
        let mut state = self.start.clone();
        let mut rng = match loss {
            Loss::Random(seed) | Loss::Torn(seed) => ChaCha8Rng::seed_from_u64(seed ^ (cut as u64) << 20),
            _ => ChaCha8Rng::seed_from_u64(0),
        };
        let torn = if matches!(loss, Loss::Torn(_)) { self.torn_writes(cut, &mut rng) } else { BTreeMap::new() };
        for (number, step) in self.steps[..cut].iter().enumerate() {
            let durable = step.durable_at < cut;
            let survives = match loss {
                Loss::Nothing => true,
                Loss::AllUnflushed => durable,
                Loss::BytesOnly => durable || !matches!(step.change, Change::Write { .. }),
                Loss::Random(_) => rng.random_bool(0.5) || durable,
                Loss::Torn(_) => durable || torn.contains_key(&number),
            };
            if !survives {
                continue;
            }
            match (&step.change, torn.get(&number)) {
                (Change::Write { node, offset, bytes }, Some(length)) => {
                    let bytes = bytes[..*length].to_vec();
                    state.apply(&Change::Write { node: *node, offset: *offset, bytes }, durable);
                }
                (change, _) => state.apply(change, durable),
            }
        }
        state
    }

    /// The unflushed writes that survive, with the number of surviving bytes: of each file some complete writes and a
    /// last one up to the end of a sector.
    fn torn_writes(&self, cut: usize, rng: &mut ChaCha8Rng) -> BTreeMap<usize, usize> {
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

/// Describes a step without the parts that differ between runs.
fn describe_effect(effect: &Effect) -> String {
    let name = |path: &Path| describe_path(path);
    match effect {
        Effect::Open { path, .. } | Effect::MakeFolder { path, .. } => format!("create {}", name(path)),
        Effect::Write { path, .. } => format!("write {}", name(path)),
        Effect::Resize { path, .. } => format!("truncate {}", name(path)),
        Effect::Rename { from, to } => format!("rename {} to {}", name(from), name(to)),
        Effect::Unlink { path } | Effect::RemoveFolder { path } => format!("remove {}", name(path)),
        Effect::SetMode { path, .. } => format!("set the mode of {}", name(path)),
        Effect::Sync { path } => format!("flush {}", name(path)),
        Effect::Stdout { .. } => "print a line on stdout".to_owned(),
    }
}

/// Describes a path without ids and dates.
fn describe_path(path: &Path) -> String {
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

    fn calls_of_effects(effects: Vec<Effect>) -> Vec<Call> {
        let at = |n: usize| SystemTime::UNIX_EPOCH + Duration::from_secs(n as u64);
        let call = |(n, effect)| Call { began: at(n), ended: at(n), effect };
        effects.into_iter().enumerate().map(call).collect()
    }

    struct ExampleDisk {
        _root: tempfile::TempDir,
        out: PathBuf,
        disk: DiskModel,
    }

    /// A file is created, written, flushed and renamed, its folder is flushed, and another file is removed.
    fn example_disk() -> ExampleDisk {
        let root = tempfile::tempdir().expect("a folder");
        let out = root.path().join("out");
        std::fs::create_dir(&out).expect("a folder");
        std::fs::write(out.join("old"), "old").expect("written");
        let mut disk = DiskModel::from_folders(std::slice::from_ref(&out)).expect("readable folders");
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
        disk.apply_calls(calls_of_effects(effects)).expect("known calls");
        ExampleDisk { _root: root, out, disk }
    }

    fn list_files(state: &State) -> Vec<(String, usize)> {
        let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned());
        let file = |(path, (bytes, _)): (PathBuf, (Option<&[u8]>, u32))| Some((name(&path)?, bytes?.len()));
        state.list_entries().into_iter().filter_map(file).collect()
    }

    fn expected_files(of: &[(&str, usize)]) -> Vec<(String, usize)> {
        of.iter().map(|(name, size)| ((*name).to_owned(), *size)).collect()
    }

    #[test]
    fn unflushed_changes_are_lost() {
        let ExampleDisk { disk, .. } = example_disk();
        let after = |cut, loss| list_files(&disk.state_after_cut(cut, loss));
        assert_eq!(after(4, Loss::AllUnflushed), expected_files(&[("old", 3)]), "the file is flushed, its name is not");
        assert_eq!(after(5, Loss::AllUnflushed), expected_files(&[("old", 3)]));
        assert_eq!(after(6, Loss::AllUnflushed), expected_files(&[("a", 1200), ("old", 3)]));
        assert_eq!(
            after(7, Loss::AllUnflushed),
            expected_files(&[("a", 1200), ("old", 3)]),
            "the removal is not flushed"
        );
        assert_eq!(after(7, Loss::Nothing), expected_files(&[("a", 1200)]));
    }

    #[test]
    fn names_may_survive_without_their_bytes() {
        let ExampleDisk { disk, .. } = example_disk();
        assert_eq!(list_files(&disk.state_after_cut(3, Loss::BytesOnly)), expected_files(&[("a.part", 0), ("old", 3)]));
        assert_eq!(list_files(&disk.state_after_cut(5, Loss::BytesOnly)), expected_files(&[("a", 1200), ("old", 3)]));
    }

    #[test]
    fn the_last_write_may_be_torn_and_durable_changes_always_survive() {
        let ExampleDisk { disk, .. } = example_disk();
        for seed in 0..50 {
            let torn = disk.state_after_cut(3, Loss::Torn(seed));
            let length = torn.newest_file_bytes().len();
            assert!([0, 512, 600, 1112].contains(&length), "{length}");
            assert!(
                list_files(&disk.state_after_cut(6, Loss::Random(seed))) == expected_files(&[("a", 1200), ("old", 3)])
            );
        }
    }

    #[test]
    fn a_state_is_written_to_the_real_disk() {
        let example = example_disk();
        let (disk, out) = (&example.disk, &example.out);
        let state = disk.state_after_cut(6, Loss::AllUnflushed);
        assert_eq!(state.differences().expect("readable folders").len(), 1, "`a` is only in the model");
        state.write_to_disk().expect("the state is written");
        assert_eq!(state.differences().expect("readable folders"), Vec::<String>::new());
        assert_eq!(std::fs::read(out.join("a")).expect("the file").len(), 1200);
    }
}
