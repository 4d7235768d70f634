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
//! A crash leaves either a partial folder, which [`PartialAvatarFolder::create_or_reopen_folder`] opens again, or a
//! complete folder, which [`crate::SavedAvatarOperations::find_durable_avatar_with_manifest`] finds.

use crate::boot_id::current_boot_time;
use crate::complete_file::{CompleteFile, read_and_inspect_complete_file};
use crate::crash_point::{self, CrashPoint};
use crate::data_dir::DataDir;
use crate::digest::Sha256Digest;
use crate::disk;
use crate::disk_space;
use crate::error::{IoContext, StoreError};
use crate::file_names::{self, AssignedFileNames};
use crate::file_sources::{read_file_sources, remove_file_sources, write_file_sources};
use crate::format::HEAD_BYTES;
use crate::manifest::{MANIFEST_NAME, Manifest};
use crate::partial_file::{DOUBTED_SUFFIX, PART_SUFFIX, PartialFile, remove_encoded_file, set_aside_damaged_file};
use crate::partial_folder::{
    is_avatar_or_manifest_file, is_damaged_avatar_file, partial_folder_name_and_path, remove_partial_folder,
};
use crate::saved_avatars::SavedAvatarOperations;
use crate::visit_id::VisitId;
use cap_std::fs::Dir;
use copresence_protocol::ExportType;
use jiff::civil::Date;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The partial folder of a visit. It stays on disk when this value is dropped.
///
/// The caller must hold the [`crate::VisitLock`] of the visit, so that there is only one writer.
#[derive(Debug)]
pub struct PartialAvatarFolder {
    out: Dir,
    out_path: PathBuf,
    dir: Arc<Dir>,
    partial_folder_path: PathBuf,
    visit: VisitId,
    date: Date,
    names: AssignedFileNames,
    assigned_names: BTreeMap<usize, String>,
}

impl PartialAvatarFolder {
    /// Creates the private folder (mode 0700), or opens the one that a crash left. Creates `OUT` if it does not exist.
    ///
    /// # Errors
    /// [`StoreError::AlreadyExists`] if the avatar of this visit is already saved, [`StoreError::ForeignEntry`] if the
    /// path is a link or a file, or an I/O failure.
    pub fn create_or_reopen_folder(out: &Path, visit: &VisitId, date: Date) -> Result<Self, StoreError> {
        disk::create_durable_private_folder(out)?;
        if let Some(saved) = SavedAvatarOperations::find_avatar_folder_of_visit(out, visit)? {
            return Err(StoreError::AlreadyExists { path: saved });
        }
        let out_path = std::path::absolute(out).io_context("find", out)?;
        let (name, path) = partial_folder_name_and_path(&out_path, visit);
        let dir = disk::open_folder_following_symlinks(&out_path)?;
        if disk::entry_exists(&dir, &name, &path)? {
            // A crash may have occurred between its creation and its fsync.
            disk::sync_folder(&dir, &out_path)?;
        } else {
            disk::create_subfolder(&dir, &name, &path)?;
        }
        crash_point::reach_crash_point(CrashPoint::FolderDurable);
        Self::open_existing_partial_folder(dir, out_path, visit, date)
    }

    /// Opens the folder that a crash left. Returns `None` if there is none.
    ///
    /// # Errors
    /// [`StoreError::ForeignEntry`] if the path is a link or a file, or an I/O failure.
    pub fn reopen_partial_folder(out: &Path, visit: &VisitId, date: Date) -> Result<Option<Self>, StoreError> {
        let out_path = std::path::absolute(out).io_context("find", out)?;
        let (name, path) = partial_folder_name_and_path(&out_path, visit);
        if !out_path.is_dir() {
            return Ok(None);
        }
        let dir = disk::open_folder_following_symlinks(&out_path)?;
        if !disk::entry_exists(&dir, &name, &path)? {
            return Ok(None);
        }
        Self::open_existing_partial_folder(dir, out_path, visit, date).map(Some)
    }

    /// The path of the partial folder.
    pub fn partial_folder_path(&self) -> &Path {
        &self.partial_folder_path
    }

    /// Assigns a file name to the export at `index` in the response. Returns the same name for the same index.
    ///
    /// Unless names were assigned otherwise, they depend only on the types and the order of the calls.
    pub fn assign_file_name(&mut self, index: usize, export_type: &ExportType) -> String {
        let names = &mut self.names;
        self.assigned_names.entry(index).or_insert_with(|| names.assign_free_name_for_type(export_type)).clone()
    }

    /// Assigns the names that an earlier run gave to the files of a delivery, by index.
    pub fn restore_file_names_of_earlier_run<'a>(&mut self, recorded: impl IntoIterator<Item = (usize, &'a str)>) {
        for (index, name) in recorded {
            self.names.reserve_name(name);
            self.assigned_names.insert(index, name.to_owned());
        }
    }

    /// Assigns names to the files of a delivery that the journal does not know yet; `exports` are their types and the digests
    /// of their URLs. A file in the folder keeps its name if the delivery has the URL from which it comes. Other files of an
    /// avatar are removed, because a truncated response before this delivery named them. A complete one is kept as doubted bytes
    /// of the file with its name, if both are the only ones of their type: the same file with a new signature in its URL, most likely. Files of which the folder
    /// does not know the URL are kept by their names.
    ///
    /// `records_sources` says that the folder is to know the URLs from now on.
    ///
    /// # Errors
    /// An I/O failure.
    pub fn assign_file_names_by_source(
        &mut self,
        exports: &[(&ExportType, Sha256Digest)],
        records_sources: bool,
    ) -> Result<Vec<String>, StoreError> {
        let known = read_file_sources(&self.dir, &self.partial_folder_path)?;
        let records_sources = records_sources || known.is_some();
        let mut others = known.unwrap_or_default();
        let known_names: Vec<String> = others.keys().cloned().collect();
        for (index, (_, source)) in exports.iter().enumerate() {
            let found = others.iter().find(|(_, known)| *known == source).map(|(name, _)| name.clone());
            if let Some(name) = found {
                others.remove(&name);
                self.restore_file_names_of_earlier_run([(index, name.as_str())]);
            }
        }
        let names: Vec<String> = exports
            .iter()
            .enumerate()
            .map(|(index, (export_type, _))| self.assign_file_name(index, export_type))
            .collect();
        // The same file with a new signature in its URL, most likely: the only one of its type, before and now.
        let types_before = count_file_types(known_names.iter().map(String::as_str));
        let types_now = count_file_types(names.iter().map(String::as_str));
        let has_successor = |name: &str| {
            let kind = Path::new(name).extension();
            [&types_before, &types_now].iter().all(|types| types.get(&kind) == Some(&1))
                && names.iter().any(|assigned| assigned == name)
        };
        for found in disk::entry_names(&self.dir, &self.partial_folder_path)? {
            let name =
                [PART_SUFFIX, DOUBTED_SUFFIX].iter().find_map(|suffix| found.strip_suffix(suffix)).unwrap_or(&found);
            let is_other = others.contains_key(name) || !names.iter().any(|assigned| assigned == name);
            if !file_names::is_avatar_file_name(name) || !is_other {
                continue;
            }
            let path = self.partial_folder_path.join(&found);
            if found == name && has_successor(name) {
                self.dir.rename(name, &self.dir, format!("{name}{DOUBTED_SUFFIX}")).io_context("rename", &path)?;
            } else if !(found.ends_with(DOUBTED_SUFFIX) && has_successor(name)) {
                disk::remove_file_if_exists(&self.dir, &found, &path)?;
            }
        }
        if records_sources {
            let sources = names.iter().cloned().zip(exports.iter().map(|(_, source)| *source)).collect();
            write_file_sources(&self.dir, &self.partial_folder_path, &sources)?;
        }
        Ok(names)
    }

    /// Opens a partial file for appending. All bytes of an existing partial file are kept and hashed again.
    ///
    /// Use it only **within one run**. Use [`Self::resume_partial_file_after_crash`] after a crash, because bytes that
    /// were not fsynced may be lost or wrong.
    ///
    /// # Errors
    /// [`StoreError::AlreadyExists`] if the file is complete, [`StoreError::ForeignEntry`] for a name that
    /// [`assign_file_name`](Self::assign_file_name) never assigns, or an I/O failure.
    pub fn open_partial_file_keeping_all_bytes(&self, name: &str) -> Result<PartialFile, StoreError> {
        self.resume_partial_file_after_crash(name, u64::MAX, 0, None)
    }

    /// Opens a partial file for appending after a crash. Keeps at most `usable` bytes; `flushed` is the number in the
    /// journal from the last [`PartialFile::sync_and_get_durable_length`]. If there are more, and they cannot be flushed now, only `flushed`
    /// bytes are kept. If `digest` is known and the disk has changed these bytes, the file is set aside as
    /// `<name>.damaged`, and the partial file is empty.
    ///
    /// # Errors
    /// As [`Self::open_partial_file_keeping_all_bytes`].
    pub fn resume_partial_file_after_crash(
        &self,
        name: &str,
        usable: u64,
        flushed: u64,
        digest: Option<Sha256Digest>,
    ) -> Result<PartialFile, StoreError> {
        let path = self.avatar_file_path(name)?;
        if disk::entry_exists(&self.dir, name, &path)? {
            return Err(StoreError::AlreadyExists { path });
        }
        PartialFile::open_keeping_durable_bytes(
            Arc::clone(&self.dir),
            self.partial_folder_path.clone(),
            name,
            usable,
            (flushed, digest),
        )
    }

    /// Sets a complete file aside as `<name>.damaged`, because the disk has changed it. Returns its new name.
    ///
    /// # Errors
    /// [`StoreError::ForeignEntry`] for a name that [`assign_file_name`](Self::assign_file_name) never assigns, or an
    /// I/O failure.
    pub fn set_aside_damaged_file(&self, name: &str) -> Result<String, StoreError> {
        self.avatar_file_path(name)?;
        set_aside_damaged_file(&self.dir, &self.partial_folder_path, name, name)
    }

    /// Whether a partial file was last written since the system was started, so that all its bytes are right. False if
    /// there is none, or if it is unknown.
    pub fn was_partial_file_written_since_boot(&self, name: &str) -> bool {
        let written = self.dir.metadata(format!("{name}{PART_SUFFIX}")).and_then(|file| file.modified()).ok();
        written.zip(current_boot_time()).is_some_and(|(written, started)| written.into_std() >= started)
    }

    /// Makes the name of a complete file durable, removes its encoded form, and hashes it again from the disk. Returns
    /// `None` if it does not exist.
    ///
    /// # Errors
    /// [`StoreError::ForeignEntry`] for a name that [`assign_file_name`](Self::assign_file_name) never assigns, or an
    /// I/O failure.
    pub fn sync_and_rehash_complete_file(&self, name: &str) -> Result<Option<CompleteFile>, StoreError> {
        let path = self.avatar_file_path(name)?;
        if !disk::entry_exists(&self.dir, name, &path)? {
            return Ok(None);
        }
        // A crash may have occurred between the rename and the fsync.
        disk::sync_folder(&self.dir, &self.partial_folder_path)?;
        remove_encoded_file(&self.dir, &self.partial_folder_path, name)?;
        read_and_inspect_complete_file(&self.dir, name, &path).map(Some)
    }

    /// Size and first bytes of the doubted bytes of a file ([`PartialFile::copy_doubted_bytes`],
    /// [`Self::assign_file_names_by_source`]). `None` if there are none.
    ///
    /// # Errors
    /// [`StoreError::ForeignEntry`] for a name that [`assign_file_name`](Self::assign_file_name) never assigns, or an
    /// I/O failure.
    pub fn doubted_bytes_size_and_head(&self, name: &str) -> Result<Option<(u64, Vec<u8>)>, StoreError> {
        let path = self.avatar_file_path(name)?;
        let doubted = format!("{name}{DOUBTED_SUFFIX}");
        if !disk::entry_exists(&self.dir, &doubted, &path)? {
            return Ok(None);
        }
        let file = disk::open_regular_file(&self.dir, &doubted, &path)?;
        let size = file.metadata().io_context("look at", &path)?.len();
        let mut head = Vec::new();
        file.take(HEAD_BYTES as u64).read_to_end(&mut head).io_context("read", &path)?;
        Ok(Some((size, head)))
    }

    /// Replaces the partial file by its doubted bytes. The partial file must not be open.
    ///
    /// # Errors
    /// [`StoreError::ForeignEntry`] for a name that [`assign_file_name`](Self::assign_file_name) never assigns, or an
    /// I/O failure.
    pub fn restore_doubted_bytes(&self, name: &str) -> Result<(), StoreError> {
        let path = self.avatar_file_path(name)?;
        let part = format!("{name}{PART_SUFFIX}");
        disk::remove_file_if_exists(&self.dir, &part, &path)?;
        self.dir.rename(format!("{name}{DOUBTED_SUFFIX}"), &self.dir, part).io_context("rename", &path)?;
        disk::sync_folder(&self.dir, &self.partial_folder_path)
    }

    /// Makes a complete file partial again, because its content is not the whole file.
    ///
    /// # Errors
    /// [`StoreError::ForeignEntry`] for a name that [`assign_file_name`](Self::assign_file_name) never assigns, or an
    /// I/O failure.
    pub fn return_complete_file_to_partial(&self, name: &str) -> Result<(), StoreError> {
        let path = self.avatar_file_path(name)?;
        self.dir.rename(name, &self.dir, format!("{name}{PART_SUFFIX}")).io_context("rename", &path)?;
        disk::sync_folder(&self.dir, &self.partial_folder_path)
    }

    /// Copies a complete file, for an export that is the same file.
    ///
    /// # Errors
    /// [`StoreError::ForeignEntry`] for a name that [`assign_file_name`](Self::assign_file_name) never assigns, or an
    /// I/O failure.
    pub fn copy_file_for_duplicate_export(&self, from: &str, to: &str) -> Result<CompleteFile, StoreError> {
        let (source, target) = (self.avatar_file_path(from)?, self.avatar_file_path(to)?);
        let part = format!("{to}{PART_SUFFIX}");
        self.dir.copy(from, &self.dir, &part).io_context("copy", &source)?;
        disk::sync_regular_file(&self.dir, &part, &target)?;
        self.dir.rename(&part, &self.dir, to).io_context("rename", &target)?;
        disk::sync_folder(&self.dir, &self.partial_folder_path)?;
        read_and_inspect_complete_file(&self.dir, to, &target)
    }

    /// Publishes the avatar by one rename to `OUT/<date>-<visit id>`.
    ///
    /// # Errors
    /// [`StoreError::ContentMismatch`] if the manifest is not marked complete or lists other files than the folder has,
    /// [`StoreError::AlreadyExists`] if the target exists, or an I/O failure. After an error the partial folder is
    /// unchanged, and [`Self::create_or_reopen_folder`] opens it again.
    pub fn publish_complete_avatar(self, manifest: &Manifest) -> Result<PathBuf, StoreError> {
        if !manifest.complete || !manifest.missing.is_empty() {
            return Err(self.manifest_mismatch_error("an incomplete avatar cannot be published".into()));
        }
        let name = avatar_folder_name(self.date, &self.visit);
        let target = self.out_path.join(&name);
        ensure_target_absent(&self.out, &name, &target)?;
        self.check_files_and_write_manifest(manifest)?;
        let from = partial_folder_name_and_path(&self.out_path, &self.visit).0;
        let out_path = self.out_path.clone();
        let out = self.close_partial_folder_and_return_out_dir();
        out.rename(&from, &out, &name).io_context("rename", &target)?;
        crash_point::reach_crash_point(CrashPoint::Published);
        disk::sync_folder(&out, &out_path)?;
        crash_point::reach_crash_point(CrashPoint::PublishDurable);
        Ok(target)
    }

    /// Moves an incomplete avatar to `DATA/incomplete/<date>-<visit id>`, so that it is not among the saved avatars.
    ///
    /// # Errors
    /// As [`Self::publish_complete_avatar`], but the manifest must be marked incomplete.
    pub fn move_to_incomplete_folder(self, data: &DataDir, manifest: &Manifest) -> Result<PathBuf, StoreError> {
        if manifest.complete {
            return Err(self.manifest_mismatch_error("it is marked complete".into()));
        }
        let (kept, kept_path) = data.open_or_create_incomplete_folder()?;
        let name = avatar_folder_name(self.date, &self.visit);
        let target = kept_path.join(&name);
        ensure_target_absent(&kept, &name, &target)?;
        self.check_files_and_write_manifest(manifest)?;
        let (from, from_path) = partial_folder_name_and_path(&self.out_path, &self.visit);
        let (out_path, visit, day) = (self.out_path.clone(), self.visit, self.date);
        let out = self.close_partial_folder_and_return_out_dir();
        match out.rename(&from, &kept, &name) {
            Ok(()) => crash_point::reach_crash_point(CrashPoint::IncompleteRenamed),
            Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {
                let folder = Self::open_existing_partial_folder(out, out_path.clone(), &visit, day)?;
                if let Err(error) = folder.copy_partial_folder(&kept, &kept_path) {
                    // The original is still there, and the journal needs the space.
                    let (copy, copy_path) = partial_folder_name_and_path(&kept_path, &visit);
                    _ = remove_partial_folder(&kept, &copy, &copy_path);
                    return Err(error);
                }
                crash_point::reach_crash_point(CrashPoint::CopyDurable);
                kept.rename(&from, &kept, &name).io_context("rename", &target)?;
                crash_point::reach_crash_point(CrashPoint::IncompleteRenamed);
                disk::sync_folder(&kept, &kept_path)?;
                remove_partial_folder(&folder.close_partial_folder_and_return_out_dir(), &from, &from_path)?;
            }
            Err(error) => return Err(StoreError::from_io_error("move", &target, error)),
        }
        disk::sync_folder(&kept, &kept_path)?;
        crash_point::reach_crash_point(CrashPoint::IncompleteDurable);
        disk::sync_folder_path(&out_path)?;
        crash_point::reach_crash_point(CrashPoint::IncompleteMoved);
        Ok(target)
    }

    /// Removes the folder and the files of this program in it. If it contains other files, they and the folder are
    /// kept.
    ///
    /// # Errors
    /// An I/O failure.
    pub fn remove_folder_and_own_files(self) -> Result<Vec<String>, StoreError> {
        let (name, path) = partial_folder_name_and_path(&self.out_path, &self.visit);
        let out_path = self.out_path.clone();
        let removed = remove_partial_folder(&self.close_partial_folder_and_return_out_dir(), &name, &path)?;
        disk::sync_folder_path(&out_path)?;
        Ok(removed)
    }

    /// Opens the existing partial folder of a visit in `out`.
    fn open_existing_partial_folder(
        out: Dir,
        out_path: PathBuf,
        visit: &VisitId,
        date: Date,
    ) -> Result<Self, StoreError> {
        let (name, path) = partial_folder_name_and_path(&out_path, visit);
        let dir = Arc::new(disk::open_subfolder(&out, &name, &path)?);
        let (names, given) = (AssignedFileNames::default(), BTreeMap::new());
        Ok(Self { out, out_path, dir, partial_folder_path: path, visit: *visit, date, names, assigned_names: given })
    }

    /// Closes the partial folder and returns `OUT`. Windows cannot move or remove an open folder.
    fn close_partial_folder_and_return_out_dir(self) -> Dir {
        self.out
    }

    /// The path of an avatar's file. Fails for a name that this program does not give to files.
    fn avatar_file_path(&self, name: &str) -> Result<PathBuf, StoreError> {
        let path = self.partial_folder_path.join(name);
        if file_names::is_avatar_file_name(name) {
            Ok(path)
        } else {
            Err(StoreError::ForeignEntry { path, why: "this program does not use such a name" })
        }
    }

    /// The error for a manifest that does not match the folder.
    fn manifest_mismatch_error(&self, why: String) -> StoreError {
        StoreError::ContentMismatch { path: self.partial_folder_path.clone(), why }
    }

    /// Checks the files against the manifest, writes the manifest, and makes everything durable.
    fn check_files_and_write_manifest(&self, manifest: &Manifest) -> Result<(), StoreError> {
        if manifest.visit != self.visit {
            return Err(self.manifest_mismatch_error("the manifest belongs to another visit".into()));
        }
        for listed in &manifest.files {
            let path = self.avatar_file_path(&listed.path)?;
            let file = disk::open_regular_file(&self.dir, &listed.path, &path)?;
            let bytes = file.metadata().io_context("look at", &path)?.len();
            if bytes != listed.bytes {
                let why = format!("{} has {bytes} bytes, but {} are listed", listed.path, listed.bytes);
                return Err(self.manifest_mismatch_error(why));
            }
        }
        for name in disk::entry_names(&self.dir, &self.partial_folder_path)? {
            let doubted = name.strip_suffix(DOUBTED_SUFFIX);
            let is_doubted = doubted.is_some_and(file_names::is_avatar_file_name);
            let is_complete = |name: &str| manifest.files.iter().any(|file| file.path == name);
            if is_doubted && doubted.is_some_and(is_complete)
                || manifest.complete && (is_doubted || is_damaged_avatar_file(&name))
            {
                // It was received again.
                disk::remove_file_if_exists(&self.dir, &name, &self.partial_folder_path.join(&name))?;
                continue;
            }
            let came = manifest.files.iter().map(|file| &file.path);
            let listed = came.chain(manifest.missing.iter().map(|file| &file.path)).any(|path| *path == name);
            let part = name.strip_suffix(PART_SUFFIX).is_some_and(file_names::is_avatar_file_name);
            if (file_names::is_avatar_file_name(&name) && !listed) || (part && manifest.complete) {
                return Err(self.manifest_mismatch_error(format!("{name} is not listed")));
            }
        }
        remove_file_sources(&self.dir, &self.partial_folder_path)?;
        let path = self.partial_folder_path.join(MANIFEST_NAME);
        disk::write_file_atomically(&self.dir, MANIFEST_NAME, &manifest.to_json(), &path, || {
            crash_point::reach_crash_point(CrashPoint::ManifestFlushed);
        })?;
        crash_point::reach_crash_point(CrashPoint::ManifestRenamed);
        disk::sync_folder(&self.dir, &self.partial_folder_path)?;
        crash_point::reach_crash_point(CrashPoint::ManifestDurable);
        Ok(())
    }

    /// Copies the folder to `kept` under its partial name. The copy is durable when this returns.
    fn copy_partial_folder(&self, kept: &Dir, kept_path: &Path) -> Result<(), StoreError> {
        let (name, path) = partial_folder_name_and_path(kept_path, &self.visit);
        remove_partial_folder(kept, &name, &path)?;
        disk::create_subfolder(kept, &name, &path)?;
        let copy = disk::open_subfolder(kept, &name, &path)?;
        let mut names = disk::entry_names(&self.dir, &self.partial_folder_path)?;
        names.retain(|name| is_avatar_or_manifest_file(name));
        let mut bytes = disk_space::SAFETY_MARGIN;
        for file in &names {
            let from = self.partial_folder_path.join(file);
            let source = disk::open_regular_file(&self.dir, file, &from)?;
            bytes = bytes.saturating_add(source.metadata().io_context("look at", &from)?.len());
        }
        disk_space::ensure_free_space(kept_path, bytes)?;
        for file in &names {
            let (from, to) = (self.partial_folder_path.join(file), path.join(file));
            let mut source = disk::open_regular_file(&self.dir, file, &from)?;
            let mut target =
                copy.open_with(file, disk::private_file_options().create_new(true)).io_context("make", &to)?;
            let mut buffer = vec![0; 64 * 1024];
            loop {
                let count = source.read(&mut buffer).io_context("read", &from)?;
                if count == 0 {
                    break;
                }
                target.write_all(&buffer[..count]).io_context("write", &to)?;
            }
            target.sync_all().io_context("flush", &to)?;
        }
        crash_point::reach_crash_point(CrashPoint::CopyMade);
        disk::sync_folder(&copy, &path)
    }
}

/// How many of these files have each extension.
fn count_file_types<'a>(names: impl Iterator<Item = &'a str>) -> BTreeMap<Option<&'a OsStr>, usize> {
    let mut counts = BTreeMap::new();
    for name in names {
        *counts.entry(Path::new(name).extension()).or_default() += 1;
    }
    counts
}

/// The final name of a folder: `<date>-<visit id>`.
pub(crate) fn avatar_folder_name(date: Date, visit: &VisitId) -> String {
    format!("{date}-{visit}")
}

/// Fails if the target exists.
fn ensure_target_absent(dir: &Dir, name: &str, target: &Path) -> Result<(), StoreError> {
    if disk::entry_exists(dir, name, target)? {
        return Err(StoreError::AlreadyExists { path: target.to_owned() });
    }
    Ok(())
}
