//! One visit's avatar on its way into the folder of saved avatars.
//!
//! It grows in `OUT/.<visit id>.partial/`, on the file system where it will stay, so that one rename shows it whole.
//! The order of steps, each durable before the next:
//!
//! 1. the partial folder is made; `OUT` is fsynced;
//! 2. each file: `<name>.part` written, fsynced, renamed to `<name>`; the folder is fsynced;
//! 3. `manifest.json` likewise;
//! 4. the partial folder is renamed to `OUT/<date>-<visit id>`; `OUT` is fsynced.
//!
//! A crash between any two leaves either a partial folder, which [`AvatarFolder::create`] takes up again, or a whole
//! one, which [`crate::Avatars::find`] finds.

use crate::avatars::Avatars;
use crate::crash::{self, Point};
use crate::data_dir::DataDir;
use crate::disk;
use crate::error::{At, StoreError};
use crate::manifest::{MANIFEST_NAME, Manifest};
use crate::names::{self, Names};
use crate::partial::{PART, PartialFile, WholeFile, read_whole};
use crate::visit_id::VisitId;
use cap_std::fs::Dir;
use jiff::civil::Date;
use protocol::ExportType;
use std::collections::BTreeMap;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// One visit's folder in the making. Dropped, it stays on disk for a later [`AvatarFolder::create`].
///
/// Whoever makes one holds the visit's [`crate::Claim`], so that there is one writer.
#[derive(Debug)]
pub struct AvatarFolder {
    out: Dir,
    out_path: PathBuf,
    dir: Arc<Dir>,
    path: PathBuf,
    visit: VisitId,
    date: Date,
    names: Names,
    given: BTreeMap<usize, String>,
}

impl AvatarFolder {
    /// Makes the folder (private, 0700), or takes up the one that a crash left. `OUT` is made if it is missing.
    ///
    /// # Errors
    /// [`StoreError::Exists`] when this visit's avatar is saved already; [`StoreError::NotOurs`] when a link or a
    /// file stands in the folder's place; those of the disk.
    pub fn create(out: &Path, visit: &VisitId, date: Date) -> Result<Self, StoreError> {
        disk::create_folder(out)?;
        if let Some(saved) = Avatars::path_of(out, visit)? {
            return Err(StoreError::Exists { path: saved });
        }
        let out_path = std::path::absolute(out).at("find", out)?;
        let (name, path) = partial(&out_path, visit);
        let dir = disk::open_folder(&out_path)?;
        if disk::is_there(&dir, &name, &path)? {
            // A crash may have come between its making and its flush.
            disk::sync_folder(&dir, &out_path)?;
        } else {
            disk::create_subfolder(&dir, &name, &path)?;
        }
        crash::reached(Point::FolderDurable);
        Self::open(dir, out_path, visit, date)
    }

    /// Takes up the folder that a crash left, if there is one.
    pub fn reopen(out: &Path, visit: &VisitId, date: Date) -> Result<Option<Self>, StoreError> {
        let out_path = std::path::absolute(out).at("find", out)?;
        let (name, path) = partial(&out_path, visit);
        if !out_path.is_dir() {
            return Ok(None);
        }
        let dir = disk::open_folder(&out_path)?;
        if !disk::is_there(&dir, &name, &path)? {
            return Ok(None);
        }
        Self::open(dir, out_path, visit, date).map(Some)
    }

    /// Where it grows.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The name of the export at this place in the answer; asked again for the same place, the same name.
    ///
    /// Names depend on the types and their order alone, so a later run that asks in the same order gets the same.
    pub fn file(&mut self, index: usize, export_type: &ExportType) -> String {
        let names = &mut self.names;
        self.given.entry(index).or_insert_with(|| names.next(export_type)).clone()
    }

    /// Opens a file for writing; a part that is there already is kept whole, hashed again, and written on.
    ///
    /// For going on **within one run**. After a crash use [`resume`](Self::resume): what a power cut left of a part
    /// that was not flushed is not to be trusted.
    ///
    /// # Errors
    /// [`StoreError::Exists`] when it is whole already; [`StoreError::NotOurs`] for a name that
    /// [`file`](Self::file) never gives.
    pub fn start(&self, name: &str) -> Result<PartialFile, StoreError> {
        self.resume(name, u64::MAX)
    }

    /// Opens a file for writing on after a crash, keeping at most the `durable` bytes that the journal vouches for
    /// (the last [`PartialFile::sync`]).
    pub fn resume(&self, name: &str, durable: u64) -> Result<PartialFile, StoreError> {
        let path = self.ours(name)?;
        if disk::is_there(&self.dir, name, &path)? {
            return Err(StoreError::Exists { path });
        }
        PartialFile::open(Arc::clone(&self.dir), self.path.clone(), name, durable)
    }

    /// Reads a file that is whole already again, to be sure of it; `None` when it is not there. What this gives is
    /// durable.
    pub fn whole(&self, name: &str) -> Result<Option<WholeFile>, StoreError> {
        let path = self.ours(name)?;
        if !disk::is_there(&self.dir, name, &path)? {
            return Ok(None);
        }
        // A crash may have come between the renaming and the flush.
        disk::sync_folder(&self.dir, &self.path)?;
        read_whole(&self.dir, name, &path).map(Some)
    }

    /// Shows the avatar: it appears as `OUT/<date>-<visit id>` whole, by one rename, or not at all.
    ///
    /// # Errors
    /// [`StoreError::Disagrees`] when the manifest is not marked complete, or names other files than are here;
    /// [`StoreError::Exists`] when something stands in the way; those of the disk. After an error everything is
    /// still in the partial folder, and [`create`](Self::create) takes it up again.
    pub fn publish(self, manifest: &Manifest) -> Result<PathBuf, StoreError> {
        if !manifest.complete || !manifest.missing.is_empty() {
            return Err(self.disagrees("an avatar that is not complete is not published".into()));
        }
        let name = folder_name(self.date, &self.visit);
        let target = self.out_path.join(&name);
        refuse_existing(&self.out, &name, &target)?;
        self.seal(manifest)?;
        let from = partial(&self.out_path, &self.visit).0;
        let out_path = self.out_path.clone();
        let out = self.close();
        out.rename(&from, &out, &name).at("rename", &target)?;
        crash::reached(Point::Published);
        disk::sync_folder(&out, &out_path)?;
        crash::reached(Point::PublishDurable);
        Ok(target)
    }

    /// Keeps what came as `DATA/incomplete/<date>-<visit id>`: it never stands among the saved avatars.
    ///
    /// # Errors
    /// As [`publish`](Self::publish); the manifest must say that it is incomplete.
    pub fn keep_incomplete(self, data: &DataDir, manifest: &Manifest) -> Result<PathBuf, StoreError> {
        if manifest.complete {
            return Err(self.disagrees("it is marked complete".into()));
        }
        let (kept, kept_path) = data.incomplete_dir()?;
        let name = folder_name(self.date, &self.visit);
        let target = kept_path.join(&name);
        refuse_existing(&kept, &name, &target)?;
        self.seal(manifest)?;
        let (from, from_path) = partial(&self.out_path, &self.visit);
        let (out_path, visit, day) = (self.out_path.clone(), self.visit, self.date);
        let out = self.close();
        match out.rename(&from, &kept, &name) {
            Ok(()) => crash::reached(Point::KeptRenamed),
            Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {
                let folder = Self::open(out, out_path.clone(), &visit, day)?;
                folder.copy_into(&kept, &kept_path)?;
                crash::reached(Point::CopyDurable);
                kept.rename(&from, &kept, &name).at("rename", &target)?;
                crash::reached(Point::KeptRenamed);
                disk::sync_folder(&kept, &kept_path)?;
                remove_partial(&folder.close(), &from, &from_path)?;
            }
            Err(error) => return Err(StoreError::io("move", &target, error)),
        }
        disk::sync_folder(&kept, &kept_path)?;
        crash::reached(Point::KeptDurable);
        disk::sync_path(&out_path)?;
        crash::reached(Point::KeptAlone);
        Ok(target)
    }

    /// Removes it with what this program put into it. A stranger's file in it stays, and the folder with it.
    pub fn discard(self) -> Result<(), StoreError> {
        let (name, path) = partial(&self.out_path, &self.visit);
        let out_path = self.out_path.clone();
        remove_partial(&self.close(), &name, &path)?;
        disk::sync_path(&out_path)
    }

    fn open(out: Dir, out_path: PathBuf, visit: &VisitId, date: Date) -> Result<Self, StoreError> {
        let (name, path) = partial(&out_path, visit);
        let dir = Arc::new(disk::open_subfolder(&out, &name, &path)?);
        let (names, given) = (Names::default(), BTreeMap::new());
        Ok(Self { out, out_path, dir, path, visit: *visit, date, names, given })
    }

    /// Lets the folder go before it is moved or removed, which Windows asks for.
    fn close(self) -> Dir {
        self.out
    }

    fn ours(&self, name: &str) -> Result<PathBuf, StoreError> {
        let path = self.path.join(name);
        if names::is_ours(name) {
            Ok(path)
        } else {
            Err(StoreError::NotOurs { path, why: "this program gives no such name" })
        }
    }

    fn disagrees(&self, why: String) -> StoreError {
        StoreError::Disagrees { path: self.path.clone(), why }
    }

    /// Checks the files against the manifest, writes it, and flushes everything.
    fn seal(&self, manifest: &Manifest) -> Result<(), StoreError> {
        if manifest.visit != self.visit {
            return Err(self.disagrees("it is another visit's".into()));
        }
        for listed in &manifest.files {
            let path = self.ours(&listed.path)?;
            let file = disk::open_ours(&self.dir, &listed.path, &path)?;
            let bytes = file.metadata().at("look at", &path)?.len();
            if bytes != listed.bytes {
                let why = format!("{} has {bytes} bytes, and {} are listed", listed.path, listed.bytes);
                return Err(self.disagrees(why));
            }
        }
        for name in disk::entries(&self.dir, &self.path)? {
            let came = manifest.files.iter().map(|file| &file.path);
            let listed = came.chain(manifest.missing.iter().map(|file| &file.path)).any(|path| *path == name);
            let part = name.strip_suffix(PART).is_some_and(names::is_ours);
            if (names::is_ours(&name) && !listed) || (part && manifest.complete) {
                return Err(self.disagrees(format!("{name} is not listed")));
            }
        }
        let path = self.path.join(MANIFEST_NAME);
        disk::write_whole(&self.dir, MANIFEST_NAME, &manifest.to_json(), &path, || {
            crash::reached(Point::ManifestFlushed);
        })?;
        crash::reached(Point::ManifestRenamed);
        disk::sync_folder(&self.dir, &self.path)?;
        crash::reached(Point::ManifestDurable);
        Ok(())
    }

    /// Copies the folder under its partial name, durable when this returns.
    fn copy_into(&self, kept: &Dir, kept_path: &Path) -> Result<(), StoreError> {
        let (name, path) = partial(kept_path, &self.visit);
        remove_partial(kept, &name, &path)?;
        disk::create_subfolder(kept, &name, &path)?;
        let copy = disk::open_subfolder(kept, &name, &path)?;
        for file in disk::entries(&self.dir, &self.path)?.iter().filter(|name| made_here(name)) {
            let (from, to) = (self.path.join(file), path.join(file));
            let mut source = disk::open_ours(&self.dir, file, &from)?;
            let mut target = copy.open_with(file, disk::private_file().create_new(true)).at("make", &to)?;
            let mut buffer = vec![0; 64 * 1024];
            loop {
                let count = source.read(&mut buffer).at("read", &from)?;
                if count == 0 {
                    break;
                }
                target.write_all(&buffer[..count]).at("write", &to)?;
            }
            target.sync_all().at("flush", &to)?;
        }
        crash::reached(Point::CopyMade);
        disk::sync_folder(&copy, &path)
    }
}

/// The visit whose partial folder this would be.
pub(crate) fn visit_of_partial(name: &str) -> Option<VisitId> {
    name.strip_prefix('.')?.strip_suffix(".partial")?.parse().ok()
}

/// Removes a partial folder with what was made here; a stranger's file in it stays, and the folder with it.
pub(crate) fn remove_partial(parent: &Dir, name: &str, path: &Path) -> Result<(), StoreError> {
    if !disk::is_there(parent, name, path)? {
        return Ok(());
    }
    let dir = disk::open_subfolder(parent, name, path)?;
    for file in disk::entries(&dir, path)?.iter().filter(|file| made_here(file)) {
        disk::remove_if_there(&dir, file, &path.join(file))?;
    }
    drop(dir);
    crash::reached(Point::PartialEmptied);
    remove_if_empty(parent, name, path)
}

/// Removes a folder unless something is left in it.
pub(crate) fn remove_if_empty(parent: &Dir, name: &str, path: &Path) -> Result<(), StoreError> {
    match parent.remove_dir(name) {
        Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => Ok(()),
        removed => removed.at("remove", path),
    }
}

/// `<date>-<visit id>`.
pub(crate) fn folder_name(date: Date, visit: &VisitId) -> String {
    format!("{date}-{visit}")
}

fn refuse_existing(dir: &Dir, name: &str, target: &Path) -> Result<(), StoreError> {
    if disk::is_there(dir, name, target)? {
        return Err(StoreError::Exists { path: target.to_owned() });
    }
    Ok(())
}

fn made_here(name: &str) -> bool {
    let name = name.strip_suffix(PART).unwrap_or(name);
    name == MANIFEST_NAME || names::is_ours(name)
}

fn partial(parent: &Path, visit: &VisitId) -> (String, PathBuf) {
    let name = format!(".{visit}.partial");
    let path = parent.join(&name);
    (name, path)
}
