//! A state of files and folders, and the changes that lead to the next state.

use super::trace::Effect;
use crate::HarnessError;
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
struct Entry {
    content: Content,
    mode: u32,
}

/// A change of a node. It does not depend on the node's current name.
#[derive(Debug, Clone)]
pub(super) enum Change {
    Make { folder: Node, name: String, node: Node },
    Write { node: Node, offset: usize, bytes: Vec<u8> },
    Resize { node: Node, length: usize },
    SetMode { node: Node, mode: u32 },
    Rename { from: (Node, String), to: (Node, String), node: Node },
    Remove { folder: Node, name: String, node: Node },
    Sync,
    Stdout(Vec<u8>),
}

/// A state of files and folders.
#[derive(Debug, Clone)]
pub(crate) struct State {
    entries: Vec<Entry>,
    /// The entries that were created since the state was read, in their first state.
    created: Vec<Entry>,
    roots: Vec<(PathBuf, Node)>,
}

impl Change {
    /// Whether a flush of this node makes the change durable.
    pub(super) fn is_flushed_by(&self, flushed: Node) -> bool {
        match self {
            Self::Make { folder, .. } | Self::Remove { folder, .. } => *folder == flushed,
            Self::Write { node, .. } | Self::Resize { node, .. } | Self::SetMode { node, .. } => *node == flushed,
            Self::Rename { from, to, .. } => from.0 == flushed || to.0 == flushed,
            Self::Sync | Self::Stdout(_) => false,
        }
    }
}

impl State {
    /// Reads the current state of these folders.
    pub(super) fn from_folders(folders: &[PathBuf]) -> Result<Self, HarnessError> {
        let mut state = Self { entries: Vec::new(), created: Vec::new(), roots: Vec::new() };
        for folder in folders {
            let node = read_entry(folder, &mut state.entries)?;
            state.roots.push((folder.clone(), node));
        }
        Ok(state)
    }

    /// Adds the entries that were created up to a later state, without names and in their first state.
    pub(super) fn add_created(&mut self, later: Self) {
        self.entries.extend(later.created);
    }

    /// The changes of an effect, each with the node that it flushes, or `usize::MAX`.
    pub(super) fn changes_of_effect(
        &mut self,
        effect: Effect,
        umask: u32,
    ) -> Result<Vec<(Change, Node)>, HarnessError> {
        let mut changes = Vec::new();
        match effect {
            Effect::Open { path, create, truncate, mode } => match (self.find_node(&path), create) {
                (Some(node), _) if truncate => changes.push(Change::Resize { node, length: 0 }),
                (Some(_), _) => {}
                (None, false) => return Err("an unknown file was opened".into()),
                (None, true) => {
                    changes.push(self.create_entry(&path, Content::File(Vec::new()), mode & !umask)?);
                }
            },
            Effect::MakeFolder { path, mode } => {
                changes.push(self.create_entry(&path, Content::Folder(BTreeMap::new()), mode & !umask)?);
            }
            Effect::Write { path, offset, bytes } => {
                let node = self.find_node(&path).ok_or("an unknown file was written")?;
                let length = self.file_bytes(node).len();
                let offset = offset.map_or(Ok(length), usize::try_from)?;
                changes.push(Change::Write { node, offset, bytes });
            }
            Effect::Resize { path, length } => {
                let node = self.find_node(&path).ok_or("an unknown file was resized")?;
                changes.push(Change::Resize { node, length: usize::try_from(length)? });
            }
            Effect::SetMode { path, mode } => {
                let node = self.find_node(&path).ok_or("the mode of an unknown file was set")?;
                changes.push(Change::SetMode { node, mode });
            }
            Effect::Rename { from, to } => {
                let node = self.find_node(&from).ok_or("an unknown file was renamed")?;
                let (from, to) = (self.folder_and_name(&from)?, self.folder_and_name(&to)?);
                changes.push(Change::Rename { from, to, node });
            }
            Effect::Unlink { path } | Effect::RemoveFolder { path } => {
                let node = self.find_node(&path).ok_or("an unknown file was removed")?;
                let (folder, name) = self.folder_and_name(&path)?;
                changes.push(Change::Remove { folder, name, node });
            }
            Effect::Sync { path } => {
                let node = self.find_node(&path).ok_or("an unknown file was flushed")?;
                return Ok(vec![(Change::Sync, node)]);
            }
            Effect::Stdout { bytes } => changes.push(Change::Stdout(bytes)),
        }
        Ok(changes.into_iter().map(|change| (change, usize::MAX)).collect())
    }

    /// The bytes of the entry that was created last.
    #[cfg(test)]
    pub(super) fn newest_file_bytes(&self) -> &[u8] {
        self.entries.len().checked_sub(1).map_or(&[], |node| self.file_bytes(node))
    }

    fn create_entry(&mut self, path: &Path, content: Content, mode: u32) -> Result<Change, HarnessError> {
        let (folder, name) = self.folder_and_name(path)?;
        self.created.push(Entry { content: content.clone(), mode });
        self.entries.push(Entry { content, mode });
        Ok(Change::Make { folder, name, node: self.entries.len() - 1 })
    }

    /// Applies a change. If an earlier change that it depends on was lost, it is skipped or applied without it.
    pub(super) fn apply(&mut self, change: &Change, durable: bool) {
        match change {
            Change::Make { folder, name, node } => self.insert_name(*folder, name, *node),
            Change::Write { node, offset, bytes } => {
                let content = self.file_bytes_mut(*node);
                if content.len() < offset + bytes.len() {
                    content.resize(offset + bytes.len(), 0);
                }
                content[*offset..offset + bytes.len()].copy_from_slice(bytes);
            }
            Change::Resize { node, length } => self.file_bytes_mut(*node).resize(*length, 0),
            Change::SetMode { node, mode } => self.entries[*node].mode = *mode,
            Change::Rename { from, to, node } => {
                let was_removed = self.remove_name(from.0, &from.1, *node);
                if was_removed || durable {
                    self.insert_name(to.0, &to.1, *node);
                }
            }
            Change::Remove { folder, name, node } => {
                self.remove_name(*folder, name, *node);
            }
            Change::Sync | Change::Stdout(_) => {}
        }
    }

    fn insert_name(&mut self, folder: Node, name: &str, node: Node) {
        if let Content::Folder(entries) = &mut self.entries[folder].content {
            entries.insert(name.to_owned(), node);
        }
    }

    fn remove_name(&mut self, folder: Node, name: &str, node: Node) -> bool {
        let Content::Folder(entries) = &mut self.entries[folder].content else { return false };
        if entries.get(name) != Some(&node) {
            return false;
        }
        entries.remove(name);
        true
    }

    fn file_bytes(&self, node: Node) -> &[u8] {
        match &self.entries[node].content {
            Content::File(bytes) => bytes,
            Content::Folder(_) => &[],
        }
    }

    /// The bytes of a file for writing. A folder is replaced by an empty file, which does not happen.
    fn file_bytes_mut(&mut self, node: Node) -> &mut Vec<u8> {
        let content = &mut self.entries[node].content;
        if let Content::Folder(_) = content {
            *content = Content::File(Vec::new());
        }
        match content {
            Content::File(bytes) => bytes,
            Content::Folder(_) => unreachable!("it was replaced by a file"),
        }
    }

    fn find_node(&self, path: &Path) -> Option<Node> {
        let (root, mut node) =
            self.roots.iter().find_map(|(root, node)| Some((path.strip_prefix(root).ok()?, *node)))?;
        for part in root.components() {
            let Content::Folder(entries) = &self.entries[node].content else { return None };
            node = *entries.get(part.as_os_str().to_str()?)?;
        }
        Some(node)
    }

    fn folder_and_name(&self, path: &Path) -> Result<(Node, String), HarnessError> {
        let folder = path.parent().and_then(|parent| self.find_node(parent)).ok_or("its folder is unknown")?;
        let name = path.file_name().and_then(|name| name.to_str()).ok_or("it has no name")?;
        Ok((folder, name.to_owned()))
    }

    /// All files and folders with their bytes and modes.
    pub(super) fn list_entries(&self) -> BTreeMap<PathBuf, (Option<&[u8]>, u32)> {
        let mut all = BTreeMap::new();
        let mut open: Vec<(PathBuf, Node)> = self.roots.clone();
        // A random cut may leave a folder under two names or in itself. It is listed once.
        let mut seen = BTreeSet::new();
        while let Some((path, node)) = open.pop() {
            let thing = &self.entries[node];
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

    /// A hash that identifies the state.
    pub(crate) fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.list_entries().hash(&mut hasher);
        hasher.finish()
    }

    /// Replaces the content of the real folders by this state.
    pub(crate) fn write_to_disk(&self) -> Result<(), HarnessError> {
        for (root, _) in &self.roots {
            if root.exists() {
                std::fs::remove_dir_all(root)?;
            }
        }
        for (path, (bytes, mode)) in self.list_entries() {
            match bytes {
                Some(bytes) => std::fs::write(&path, bytes)?,
                None => std::fs::create_dir(&path)?,
            }
            std::fs::set_permissions(&path, Permissions::from_mode(mode))?;
        }
        Ok(())
    }

    /// Describes the differences between the real folders and this state.
    pub(crate) fn differences(&self) -> Result<Vec<String>, HarnessError> {
        let folders: Vec<PathBuf> = self.roots.iter().map(|(root, _)| root.clone()).collect();
        let real = Self::from_folders(&folders)?;
        let (real, model) = (real.list_entries(), self.list_entries());
        let names: BTreeSet<&PathBuf> = real.keys().chain(model.keys()).collect();
        let differs = |name: &&PathBuf| real.get(*name) != model.get(*name);
        let describe = |it: Option<&(Option<&[u8]>, u32)>| match it {
            None => "missing".to_owned(),
            Some((None, mode)) => format!("a folder {mode:o}"),
            Some((Some(bytes), mode)) => format!("{} bytes {mode:o}", bytes.len()),
        };
        let describe_difference = |name: &PathBuf| {
            format!("{} ({}; in the model {})", name.display(), describe(real.get(name)), describe(model.get(name)))
        };
        Ok(names.into_iter().filter(differs).map(describe_difference).collect())
    }
}

fn read_entry(path: &Path, entries: &mut Vec<Entry>) -> Result<Node, HarnessError> {
    let about = path.symlink_metadata()?;
    let content = if about.is_dir() {
        let mut children = BTreeMap::new();
        for entry in std::fs::read_dir(path)? {
            let entry = entry?;
            let name = entry.file_name().into_string().map_err(|_| "a name that is no text")?;
            // Shared memory is not on the disk.
            if !name.ends_with("-shm") {
                children.insert(name, read_entry(&entry.path(), entries)?);
            }
        }
        Content::Folder(children)
    } else {
        Content::File(std::fs::read(path)?)
    };
    entries.push(Entry { content, mode: about.permissions().mode() & 0o7777 });
    Ok(entries.len() - 1)
}
