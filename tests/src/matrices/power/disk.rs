//! A disk that knows what is durable: files and folders as a run left them, and as a power cut at any step leaves
//! them.
//!
//! The rules are the least that POSIX promises. What was written into a file is durable once that file was flushed
//! after it; that an entry of a folder was made, renamed or removed is durable once that folder was flushed after it
//! (for a rename between two folders, either of them: no file system shows half of one). Whatever was not flushed may
//! be there or not, each [`Loss`] in its way.

use super::trace::{Call, Effect};
use crate::Trouble;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::Permissions;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
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

type Node = usize;

#[derive(Debug, Clone)]
enum Content {
    File(Vec<u8>),
    Folder(BTreeMap<String, Node>),
}

#[derive(Debug, Clone)]
struct Thing {
    content: Content,
    mode: u32,
}

/// One change, on nodes, so that it can be done again wherever their names are by then.
#[derive(Debug, Clone)]
enum Change {
    Make { folder: Node, name: String, node: Node },
    Write { node: Node, offset: usize, bytes: Vec<u8> },
    Resize { node: Node, length: usize },
    SetMode { node: Node, mode: u32 },
    Rename { from: (Node, String), to: (Node, String), node: Node },
    Remove { folder: Node, name: String, node: Node },
    Sync,
    Told(Vec<u8>),
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
    /// As it was before, all of it durable; nodes that come later are empty.
    start: Vec<Thing>,
    roots: Vec<(PathBuf, Node)>,
    /// What the system takes from the mode of whatever is made.
    umask: u32,
    looked_at: SystemTime,
    steps: Vec<Step>,
}

/// Files and folders at one moment.
pub(crate) struct State {
    things: Vec<Thing>,
    /// Of those, what was made since, as it was when it was made.
    made: Vec<Thing>,
    roots: Vec<(PathBuf, Node)>,
}

impl Disk {
    /// Looks at these folders as they are now.
    pub(crate) fn look(folders: &[PathBuf]) -> Result<Self, Trouble> {
        let trial = tempfile::tempdir()?;
        let made = std::fs::File::create(trial.path().join("any"))?.metadata()?.permissions().mode();
        let umask = 0o666 & !made;
        let mut start = Vec::new();
        let mut roots = Vec::new();
        for folder in folders {
            roots.push((folder.clone(), look(folder, &mut start)?));
        }
        Ok(Self { start, roots, umask, looked_at: SystemTime::now(), steps: Vec::new() })
    }

    /// Takes in what was done.
    pub(crate) fn follow(&mut self, calls: Vec<Call>) -> Result<(), Trouble> {
        let mut now = State { things: self.start.clone(), made: Vec::new(), roots: self.roots.clone() };
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
        // The nodes that were made later are there from the beginning, empty and without a name.
        self.start.extend(now.made);
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
        let mut state = State { things: self.start.clone(), made: Vec::new(), roots: self.roots.clone() };
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

impl Change {
    /// Whether a flush of this node makes it durable.
    fn touches(&self, flushed: Node) -> bool {
        match self {
            Self::Make { folder, .. } | Self::Remove { folder, .. } => *folder == flushed,
            Self::Write { node, .. } | Self::Resize { node, .. } | Self::SetMode { node, .. } => {
                *node == flushed
            }
            Self::Rename { from, to, .. } => from.0 == flushed || to.0 == flushed,
            Self::Sync | Self::Told(_) => false,
        }
    }
}

impl State {
    /// What an effect changes, each change with the node that it flushes, if it does.
    fn change(&mut self, effect: Effect, umask: u32) -> Result<Vec<(Change, Node)>, Trouble> {
        let mut changes = Vec::new();
        match effect {
            Effect::Open { path, create, truncate, mode } => match (self.find(&path), create) {
                (Some(node), _) if truncate => changes.push(Change::Resize { node, length: 0 }),
                (Some(_), _) => {}
                (None, false) => return Err("it was opened, and the model knows no such file".into()),
                (None, true) => changes.push(self.make(&path, Content::File(Vec::new()), mode & !umask)?),
            },
            Effect::MakeFolder { path, mode } => {
                changes.push(self.make(&path, Content::Folder(BTreeMap::new()), mode & !umask)?);
            }
            Effect::Write { path, offset, bytes } => {
                let node = self.find(&path).ok_or("it was written, and the model knows no such file")?;
                let there = self.bytes(node).len();
                let offset = offset.map_or(Ok(there), usize::try_from)?;
                changes.push(Change::Write { node, offset, bytes });
            }
            Effect::Resize { path, length } => {
                let node = self.find(&path).ok_or("it got a length, and the model knows no such file")?;
                changes.push(Change::Resize { node, length: usize::try_from(length)? });
            }
            Effect::SetMode { path, mode } => {
                let node = self.find(&path).ok_or("it got a mode, and the model knows no such file")?;
                changes.push(Change::SetMode { node, mode });
            }
            Effect::Rename { from, to } => {
                let node = self.find(&from).ok_or("it was renamed, and the model knows no such file")?;
                let (from, to) = (self.entry(&from)?, self.entry(&to)?);
                changes.push(Change::Rename { from, to, node });
            }
            Effect::Unlink { path } | Effect::RemoveFolder { path } => {
                let node = self.find(&path).ok_or("it was removed, and the model knows no such file")?;
                let (folder, name) = self.entry(&path)?;
                changes.push(Change::Remove { folder, name, node });
            }
            Effect::Sync { path } => {
                let node = self.find(&path).ok_or("it was flushed, and the model knows no such file")?;
                return Ok(vec![(Change::Sync, node)]);
            }
            Effect::Told { bytes } => changes.push(Change::Told(bytes)),
        }
        Ok(changes.into_iter().map(|change| (change, usize::MAX)).collect())
    }

    fn make(&mut self, path: &Path, content: Content, mode: u32) -> Result<Change, Trouble> {
        let (folder, name) = self.entry(path)?;
        self.made.push(Thing { content: content.clone(), mode });
        self.things.push(Thing { content, mode });
        Ok(Change::Make { folder, name, node: self.things.len() - 1 })
    }

    /// Does a change; what a lost one would have prepared is done without, or left.
    fn apply(&mut self, change: &Change, durable: bool) {
        match change {
            Change::Make { folder, name, node } => self.enter(*folder, name, *node),
            Change::Write { node, offset, bytes } => {
                let there = self.bytes_of(*node);
                if there.len() < offset + bytes.len() {
                    there.resize(offset + bytes.len(), 0);
                }
                there[*offset..offset + bytes.len()].copy_from_slice(bytes);
            }
            Change::Resize { node, length } => self.bytes_of(*node).resize(*length, 0),
            Change::SetMode { node, mode } => self.things[*node].mode = *mode,
            Change::Rename { from, to, node } => {
                let there = self.leave(from.0, &from.1, *node);
                if there || durable {
                    self.enter(to.0, &to.1, *node);
                }
            }
            Change::Remove { folder, name, node } => {
                self.leave(*folder, name, *node);
            }
            Change::Sync | Change::Told(_) => {}
        }
    }

    fn enter(&mut self, folder: Node, name: &str, node: Node) {
        if let Content::Folder(entries) = &mut self.things[folder].content {
            entries.insert(name.to_owned(), node);
        }
    }

    fn leave(&mut self, folder: Node, name: &str, node: Node) -> bool {
        let Content::Folder(entries) = &mut self.things[folder].content else { return false };
        if entries.get(name) != Some(&node) {
            return false;
        }
        entries.remove(name);
        true
    }

    fn bytes(&self, node: Node) -> &[u8] {
        match &self.things[node].content {
            Content::File(bytes) => bytes,
            Content::Folder(_) => &[],
        }
    }

    /// A folder's are nobody's: nothing writes into one.
    fn bytes_of(&mut self, node: Node) -> &mut Vec<u8> {
        let content = &mut self.things[node].content;
        if let Content::Folder(_) = content {
            *content = Content::File(Vec::new());
        }
        match content {
            Content::File(bytes) => bytes,
            Content::Folder(_) => unreachable!("it was made a file"),
        }
    }

    fn find(&self, path: &Path) -> Option<Node> {
        let (root, mut node) =
            self.roots.iter().find_map(|(root, node)| Some((path.strip_prefix(root).ok()?, *node)))?;
        for part in root.components() {
            let Content::Folder(entries) = &self.things[node].content else { return None };
            node = *entries.get(part.as_os_str().to_str()?)?;
        }
        Some(node)
    }

    fn entry(&self, path: &Path) -> Result<(Node, String), Trouble> {
        let folder = path.parent().and_then(|parent| self.find(parent)).ok_or("its folder is unknown")?;
        let name = path.file_name().and_then(|name| name.to_str()).ok_or("it has no name")?;
        Ok((folder, name.to_owned()))
    }

    /// Every file and folder, with its bytes and mode.
    fn list(&self) -> BTreeMap<PathBuf, (Option<&[u8]>, u32)> {
        let mut all = BTreeMap::new();
        let mut open: Vec<(PathBuf, Node)> = self.roots.clone();
        // A cut by lot may leave a folder in two places, or in itself; it is listed once.
        let mut seen = BTreeSet::new();
        while let Some((path, node)) = open.pop() {
            let thing = &self.things[node];
            match &thing.content {
                Content::File(bytes) => all.insert(path, (Some(bytes.as_slice()), thing.mode)),
                Content::Folder(entries) => {
                    if seen.insert(node) {
                        open.extend(entries.iter().map(|(name, node)| (path.join(name), *node)));
                    }
                    all.insert(path, (None, thing.mode))
                }
            };
        }
        all
    }

    /// Tells two states apart.
    pub(crate) fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.list().hash(&mut hasher);
        hasher.finish()
    }

    /// Makes the real folders so.
    pub(crate) fn put(&self) -> Result<(), Trouble> {
        for (root, _) in &self.roots {
            if root.exists() {
                std::fs::remove_dir_all(root)?;
            }
        }
        for (path, (bytes, mode)) in self.list() {
            match bytes {
                Some(bytes) => std::fs::write(&path, bytes)?,
                None => std::fs::create_dir(&path)?,
            }
            std::fs::set_permissions(&path, Permissions::from_mode(mode))?;
        }
        Ok(())
    }

    /// In which places the real folders are otherwise; none when the model is right.
    pub(crate) fn differences(&self) -> Result<Vec<String>, Trouble> {
        let folders: Vec<PathBuf> = self.roots.iter().map(|(root, _)| root.clone()).collect();
        let real = Disk::look(&folders)?.cut(0, Loss::Nothing);
        let (real, model) = (real.list(), self.list());
        let names: BTreeSet<&PathBuf> = real.keys().chain(model.keys()).collect();
        let differs = |name: &&PathBuf| real.get(*name) != model.get(*name);
        let told = |it: Option<&(Option<&[u8]>, u32)>| match it {
            None => "not there".to_owned(),
            Some((None, mode)) => format!("a folder {mode:o}"),
            Some((Some(bytes), mode)) => format!("{} bytes {mode:o}", bytes.len()),
        };
        let words = |name: &PathBuf| {
            format!("{} ({}; in the model {})", name.display(), told(real.get(name)), told(model.get(name)))
        };
        Ok(names.into_iter().filter(differs).map(words).collect())
    }
}

fn look(path: &Path, things: &mut Vec<Thing>) -> Result<Node, Trouble> {
    let about = path.symlink_metadata()?;
    let content = if about.is_dir() {
        let mut entries = BTreeMap::new();
        for entry in std::fs::read_dir(path)? {
            let entry = entry?;
            let name = entry.file_name().into_string().map_err(|_| "a name that is no text")?;
            // What is shared memory is none of the disk's.
            if !name.ends_with("-shm") {
                entries.insert(name, look(&entry.path(), things)?);
            }
        }
        Content::Folder(entries)
    } else {
        Content::File(std::fs::read(path)?)
    };
    things.push(Thing { content, mode: about.permissions().mode() & 0o7777 });
    Ok(things.len() - 1)
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
            let node = disk.start.len() - 1;
            assert!([0, 512, 600, 1112].contains(&torn.bytes(node).len()), "{}", torn.bytes(node).len());
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
