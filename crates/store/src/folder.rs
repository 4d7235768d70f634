//! The folder of one avatar while it is downloaded.
//!
//! The files are written to `OUT/.<visit id>.partial/`, on the file system of the final folder, so that one rename
//! publishes the complete folder. Each step is durable before the next one starts:
//!
//! 1. The partial folder is created. `OUT` is fsynced.
//! 2. Each file is written as `<name>.part`, fsynced, and renamed to `<name>`. The folder is fsynced.
//! 3. `manifest.json` is written in the same way.
//! 4. The partial folder is renamed to `OUT/<date>-<visit id>`. `OUT` is fsynced.
//!
//! A crash leaves either a partial folder, which [`AvatarFolder::create_or_reopen`] opens again, or a complete folder,
//! which [`crate::SavedAvatars::find_avatar`] finds.

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

/// The partial folder of a visit. It stays on disk when this value is dropped.
///
/// The caller must hold the [`crate::VisitLock`] of the visit, so that there is only one writer.
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
    /// Creates the private folder (mode 0700), or opens the one that a crash left. Creates `OUT` if it does not exist.
    ///
    /// # Errors
    /// [`StoreError::AlreadyExists`] if the avatar of this visit is already saved, [`StoreError::ForeignEntry`] if the
    /// path is a link or a file, or an I/O failure.
    pub fn create(out: &Path, visit: &VisitId, date: Date) -> Result<Self, StoreError> {
        disk::create_folder(out)?;
        if let Some(saved) = Avatars::path_of(out, visit)? {
            return Err(StoreError::Exists { path: saved });
        }
        let out_path = std::path::absolute(out).at("find", out)?;
        let (name, path) = partial(&out_path, visit);
        let dir = disk::open_folder(&out_path)?;
        if disk::is_there(&dir, &name, &path)? {
            // A crash may have occurred between its creation and its fsync.
            disk::sync_folder(&dir, &out_path)?;
        } else {
            disk::create_subfolder(&dir, &name, &path)?;
        }
        crash::reached(Point::FolderDurable);
        Self::open(dir, out_path, visit, date)
    }

    /// Opens the folder that a crash left. Returns `None` if there is none.
    ///
    /// # Errors
    /// [`StoreError::ForeignEntry`] if the path is a link or a file, or an I/O failure.
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

    /// The path of the partial folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Assigns a file name to the export at `index` in the response. Returns the same name for the same index.
    ///
    /// Names depend only on the types and the order of the calls, so a later run with the same order gets the same
    /// names.
    pub fn file(&mut self, index: usize, export_type: &ExportType) -> String {
        let names = &mut self.names;
        self.given.entry(index).or_insert_with(|| names.next(export_type)).clone()
    }

    /// Opens a partial file for appending. All bytes of an existing partial file are kept and hashed again.
    ///
    /// Use it only **within one run**. Use [`resume_file`](Self::resume_file) after a crash, because bytes that were
    /// not fsynced may be lost or wrong.
    ///
    /// # Errors
    /// [`StoreError::AlreadyExists`] if the file is complete, [`StoreError::ForeignEntry`] for a name that
    /// [`file_name`](Self::file_name) never assigns, or an I/O failure.
    pub fn start(&self, name: &str) -> Result<PartialFile, StoreError> {
        self.resume(name, u64::MAX)
    }

    /// Opens a partial file for appending after a crash. Keeps at most `durable` bytes, the number in the journal from
    /// the last [`PartialFile::sync_data`].
    ///
    /// # Errors
    /// As [`start_file`](Self::start_file).
    pub fn resume(&self, name: &str, durable: u64) -> Result<PartialFile, StoreError> {
        let path = self.ours(name)?;
        if disk::is_there(&self.dir, name, &path)? {
            return Err(StoreError::Exists { path });
        }
        PartialFile::open(Arc::clone(&self.dir), self.path.clone(), name, durable)
    }

    /// Reads and hashes a complete file again, and makes its name durable. Returns `None` if it does not exist.
    ///
    /// # Errors
    /// [`StoreError::ForeignEntry`] for a name that [`file_name`](Self::file_name) never assigns, or an I/O failure.
    pub fn whole(&self, name: &str) -> Result<Option<WholeFile>, StoreError> {
        let path = self.ours(name)?;
        if !disk::is_there(&self.dir, name, &path)? {
            return Ok(None);
        }
        // A crash may have occurred between the rename and the fsync.
        disk::sync_folder(&self.dir, &self.path)?;
        read_whole(&self.dir, name, &path).map(Some)
    }

    /// Publishes the avatar by one rename to `OUT/<date>-<visit id>`.
    ///
    /// # Errors
    /// [`StoreError::ContentMismatch`] if the manifest is not marked complete or lists other files than the folder has,
    /// [`StoreError::AlreadyExists`] if the target exists, or an I/O failure. After an error the partial folder is
    /// unchanged, and [`create_or_reopen`](Self::create_or_reopen) opens it again.
    pub fn publish(self, manifest: &Manifest) -> Result<PathBuf, StoreError> {
        if !manifest.complete || !manifest.missing.is_empty() {
            return Err(self.disagrees("an incomplete avatar cannot be published".into()));
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

    /// Moves an incomplete avatar to `DATA/incomplete/<date>-<visit id>`, so that it is not among the saved avatars.
    ///
    /// # Errors
    /// As [`publish`](Self::publish), but the manifest must be marked incomplete.
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

    /// Removes the folder and the files of this program in it. If it contains other files, they and the folder are
    /// kept.
    ///
    /// # Errors
    /// An I/O failure.
    pub fn discard(self) -> Result<(), StoreError> {
        let (name, path) = partial(&self.out_path, &self.visit);
        let out_path = self.out_path.clone();
        remove_partial(&self.close(), &name, &path)?;
        disk::sync_path(&out_path)
    }

    /// Opens the existing partial folder in `out`.
    fn open(out: Dir, out_path: PathBuf, visit: &VisitId, date: Date) -> Result<Self, StoreError> {
        let (name, path) = partial(&out_path, visit);
        let dir = Arc::new(disk::open_subfolder(&out, &name, &path)?);
        let (names, given) = (Names::default(), BTreeMap::new());
        Ok(Self { out, out_path, dir, path, visit: *visit, date, names, given })
    }

    /// Closes the partial folder and returns `OUT`. Windows cannot move or remove an open folder.
    fn close(self) -> Dir {
        self.out
    }

    /// The path of a file with a name of this program. Other names are an error.
    fn ours(&self, name: &str) -> Result<PathBuf, StoreError> {
        let path = self.path.join(name);
        if names::is_ours(name) {
            Ok(path)
        } else {
            Err(StoreError::NotOurs { path, why: "this program does not use such a name" })
        }
    }

    /// The error for a manifest that does not match the folder.
    fn disagrees(&self, why: String) -> StoreError {
        StoreError::Disagrees { path: self.path.clone(), why }
    }

    /// Checks the files against the manifest, writes the manifest, and makes everything durable.
    fn seal(&self, manifest: &Manifest) -> Result<(), StoreError> {
        if manifest.visit != self.visit {
            return Err(self.disagrees("the manifest belongs to another visit".into()));
        }
        for listed in &manifest.files {
            let path = self.ours(&listed.path)?;
            let file = disk::open_ours(&self.dir, &listed.path, &path)?;
            let bytes = file.metadata().at("look at", &path)?.len();
            if bytes != listed.bytes {
                let why = format!("{} has {bytes} bytes, but {} are listed", listed.path, listed.bytes);
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

    /// Copies the folder to `kept` under its partial name. The copy is durable when this returns.
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

/// Parses the name of a partial folder. Returns `None` for other names.
pub(crate) fn visit_of_partial(name: &str) -> Option<VisitId> {
    name.strip_prefix('.')?.strip_suffix(".partial")?.parse().ok()
}

/// Removes a partial folder and the files of this program in it. If it contains other files, they and the folder are
/// kept.
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

/// Removes a folder if it is empty.
pub(crate) fn remove_if_empty(parent: &Dir, name: &str, path: &Path) -> Result<(), StoreError> {
    match parent.remove_dir(name) {
        Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => Ok(()),
        removed => removed.at("remove", path),
    }
}

/// The final name of a folder: `<date>-<visit id>`.
pub(crate) fn folder_name(date: Date, visit: &VisitId) -> String {
    format!("{date}-{visit}")
}

/// Fails if the target exists.
fn refuse_existing(dir: &Dir, name: &str, target: &Path) -> Result<(), StoreError> {
    if disk::is_there(dir, name, target)? {
        return Err(StoreError::Exists { path: target.to_owned() });
    }
    Ok(())
}

/// Whether a file name, complete or partial, is one of this program.
fn made_here(name: &str) -> bool {
    let name = name.strip_suffix(PART).unwrap_or(name);
    name == MANIFEST_NAME || names::is_ours(name)
}

/// Name and path of the partial folder of a visit.
fn partial(parent: &Path, visit: &VisitId) -> (String, PathBuf) {
    let name = format!(".{visit}.partial");
    let path = parent.join(&name);
    (name, path)
}
