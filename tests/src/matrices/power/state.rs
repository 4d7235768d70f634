//! Files and folders at one moment, and the changes that lead from one to the next.

use super::trace::Effect;
use crate::Trouble;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::Permissions;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

pub(super) type Node = usize;

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
pub(super) enum Change {
    Make { folder: Node, name: String, node: Node },
    Write { node: Node, offset: usize, bytes: Vec<u8> },
    Resize { node: Node, length: usize },
    SetMode { node: Node, mode: u32 },
    Rename { from: (Node, String), to: (Node, String), node: Node },
    Remove { folder: Node, name: String, node: Node },
    Sync,
    Told(Vec<u8>),
}

/// Files and folders at one moment.
#[derive(Debug, Clone)]
pub(crate) struct State {
    things: Vec<Thing>,
    /// Of those, what was made since, as it was when it was made.
    made: Vec<Thing>,
    roots: Vec<(PathBuf, Node)>,
}

impl Change {
    /// Whether a flush of this node makes it durable.
    pub(super) fn touches(&self, flushed: Node) -> bool {
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
    /// These folders as they are now.
    pub(super) fn look(folders: &[PathBuf]) -> Result<Self, Trouble> {
        let mut state = Self { things: Vec::new(), made: Vec::new(), roots: Vec::new() };
        for folder in folders {
            let node = look(folder, &mut state.things)?;
            state.roots.push((folder.clone(), node));
        }
        Ok(state)
    }

    /// Gives a place to what was made in a later state, nameless, and as it was when it was made.
    pub(super) fn take_in(&mut self, later: Self) {
        self.things.extend(later.made);
    }

    /// What an effect changes, each change with the node that it flushes, if it does.
    pub(super) fn change(&mut self, effect: Effect, umask: u32) -> Result<Vec<(Change, Node)>, Trouble> {
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

    /// What was made last, wherever its name is by now.
    #[cfg(test)]
    pub(super) fn newest(&self) -> &[u8] {
        self.things.len().checked_sub(1).map_or(&[], |node| self.bytes(node))
    }

    fn make(&mut self, path: &Path, content: Content, mode: u32) -> Result<Change, Trouble> {
        let (folder, name) = self.entry(path)?;
        self.made.push(Thing { content: content.clone(), mode });
        self.things.push(Thing { content, mode });
        Ok(Change::Make { folder, name, node: self.things.len() - 1 })
    }

    /// Does a change; what a lost one would have prepared is done without, or left.
    pub(super) fn apply(&mut self, change: &Change, durable: bool) {
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
    pub(super) fn list(&self) -> BTreeMap<PathBuf, (Option<&[u8]>, u32)> {
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
        let real = Self::look(&folders)?;
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
