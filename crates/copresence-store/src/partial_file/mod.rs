//! A file while it is downloaded: appended and hashed in constant memory.

mod decoding;

use crate::complete_file::{CompleteFile, inspect_complete_file};
use crate::crash_point::{self, CrashPoint};
use crate::digest::Sha256Digest;
use crate::disk;
use crate::error::{IoContext, StoreError};
use crate::format::{FileFormat, HEAD_BYTES};
use crate::integrity::is_end_proven_by_structure;
use cap_std::fs::{Dir, File};
use sha2::Digest as _;
use std::fmt;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use decoding::DecodeContentError;

/// Suffix of the name of a partial file.
pub(crate) const PART_SUFFIX: &str = ".part";

/// Suffix of the name of a file while its content encoding is removed.
pub(crate) const DECODED_SUFFIX: &str = ".decoded";
/// Suffix of the name of a file that the disk has changed. A number follows if there are several.
pub(crate) const DAMAGED_SUFFIX: &str = ".damaged";
/// Suffix of the name of a copy of doubted bytes, while another response is received.
pub(crate) const DOUBTED_SUFFIX: &str = ".doubted";

/// A file that is being written, as `<name>.part`. It stays on disk when this value is dropped, so it can be resumed.
pub struct PartialFile {
    dir: Arc<Dir>,
    folder: PathBuf,
    final_name: String,
    file: File,
    hasher: sha2::Sha256,
    head: Vec<u8>,
    resume_offset: u64,
    /// Number of bytes of the last successful flush.
    flushed: u64,
    max: u64,
    /// Whether the content is in `<name>.decoded` instead of `<name>.part`.
    is_decoded: bool,
}

impl PartialFile {
    /// Opens or creates `<name>.part`. At most `usable` bytes of an existing file are kept, and hashed again.
    ///
    /// Of these, `flushed` bytes were flushed earlier. If there are more, they are flushed first. If that fails, only
    /// `flushed` bytes are kept: the system may have dropped the others, and returns zeros in their place.
    ///
    /// If `digest` is known and is not that of the first `flushed` bytes, the disk has changed them: the file is set aside
    /// (see [`set_aside_damaged_file`]), and the new one is empty.
    pub(crate) fn open_keeping_durable_bytes(
        dir: Arc<Dir>,
        folder: PathBuf,
        name: &str,
        usable: u64,
        (flushed, digest): (u64, Option<Sha256Digest>),
    ) -> Result<Self, StoreError> {
        let part = format!("{name}{PART_SUFFIX}");
        let path = folder.join(&part);
        let file = if disk::entry_exists(&dir, &part, &path)? {
            disk::open_regular_file(&dir, &part, &path)?;
            dir.open_with(&part, &disk::private_file_options()).io_context("open", &path)?
        } else {
            dir.open_with(&part, disk::private_file_options().create_new(true)).io_context("make", &path)?
        };
        let decoded = format!("{name}{DECODED_SUFFIX}");
        disk::remove_file_if_exists(&dir, &decoded, &folder.join(&decoded))?;
        crash_point::reach_crash_point(CrashPoint::PartMade);
        // Fsynced bytes are durable only if the file name is durable.
        disk::sync_folder(&dir, &folder)?;
        crash_point::reach_crash_point(CrashPoint::PartDurable);
        let mut partial = Self {
            dir,
            folder,
            final_name: name.to_owned(),
            file,
            hasher: sha2::Sha256::new(),
            head: Vec::new(),
            resume_offset: 0,
            flushed: 0,
            max: u64::MAX,
            is_decoded: false,
        };
        let there = partial.file.metadata().io_context("look at", &path)?.len();
        let mut kept = there.min(usable);
        if kept > flushed && partial.file.sync_data().is_err() {
            kept = flushed;
        }
        let found = partial.truncate_and_rehash_returning_prefix_digest(kept, flushed)?;
        if digest.is_some() && found.is_some() && found != digest {
            let kept_as = set_aside_damaged_file(&partial.dir, &partial.folder, &part, name)?;
            tracing::error!(file = %path.display(), kept_as, "the disk has changed received bytes: they are received again");
            partial.file = partial
                .dir
                .open_with(&part, disk::private_file_options().create_new(true))
                .io_context("make", &path)?;
            disk::sync_folder(&partial.dir, &partial.folder)?;
            partial.truncate_and_rehash_returning_prefix_digest(0, 0)?;
        }
        partial.flushed = partial.resume_offset;
        Ok(partial)
    }

    /// The digest of all written bytes.
    pub fn digest_written_bytes(&self) -> Sha256Digest {
        Sha256Digest::wrap_digest_bytes(self.hasher.clone().finalize().into())
    }

    /// Limits the size to `max` bytes.
    #[must_use]
    pub fn with_max_size_bytes(mut self, max: u64) -> Self {
        self.max = max;
        self
    }

    /// Number of bytes written, which is the offset to resume from.
    pub fn resume_offset(&self) -> u64 {
        self.resume_offset
    }

    /// The name of the complete file.
    pub fn complete_file_name(&self) -> &str {
        &self.final_name
    }

    /// Appends bytes.
    ///
    /// # Errors
    /// [`StoreError::TooLarge`] if the size limit would be exceeded, or an I/O failure. The file and its
    /// [`offset`](Self::resume_offset) are then unchanged.
    pub fn append_bytes(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        let grown = self.resume_offset.saturating_add(bytes.len() as u64);
        if grown > self.max {
            return Err(self.too_large_error(self.max));
        }
        // The file may have been read meanwhile, through this handle or a reader that shares its position.
        let end = SeekFrom::Start(self.resume_offset);
        let written = self.file.seek(end).and_then(|_| self.file.write_all(bytes));
        if written.is_ok() {
            self.hash_and_count_written_bytes(bytes);
            crash_point::reach_crash_point(CrashPoint::BytesWritten);
        } else {
            // A failed write may have written some of the bytes.
            self.file.set_len(self.resume_offset).io_context("shorten", self.partial_file_path())?;
        }
        written.io_context("write", self.partial_file_path())
    }

    /// The error for a file that would exceed the limit of `max` bytes.
    pub fn too_large_error(&self, max: u64) -> StoreError {
        StoreError::TooLarge { path: self.partial_file_path(), max }
    }

    /// Makes all written bytes durable. Returns their number, which may be recorded in the journal.
    ///
    /// # Errors
    /// An I/O failure. The file is then shortened to what was flushed before, and nothing may be appended: Linux keeps
    /// the bytes that it could not write only in memory, does not report them again, and later returns zeros in their
    /// place.
    pub fn sync_and_get_durable_length(&mut self) -> Result<u64, StoreError> {
        let flushed = self.file.sync_data();
        self.record_flush_or_shorten_file(flushed)?;
        crash_point::reach_crash_point(CrashPoint::PartFlushed);
        Ok(self.resume_offset)
    }

    /// Records the flushed length. After a failed flush, shortens the file to the length of the last successful one.
    fn record_flush_or_shorten_file(&mut self, flushed: std::io::Result<()>) -> Result<(), StoreError> {
        if flushed.is_ok() {
            self.flushed = self.resume_offset;
        } else {
            // The bytes may be lost, whether or not this succeeds; the journal does not count them.
            _ = self.file.set_len(self.flushed);
        }
        flushed.io_context("flush", self.partial_file_path())
    }

    /// Removes all written bytes, for a server that cannot resume. The [`crate::DurableFileProgress`] in the journal must be
    /// reset **before** new bytes are written.
    ///
    /// # Errors
    /// An I/O failure.
    pub fn remove_bytes_to_restart_download(&mut self) -> Result<(), StoreError> {
        self.discard_bytes_behind(0)
    }

    /// Removes all written bytes behind the first `keep` ones, and hashes those again. The [`crate::DurableFileProgress`] in the
    /// journal must be set accordingly **before** new bytes are written.
    ///
    /// # Errors
    /// An I/O failure.
    pub fn discard_bytes_behind(&mut self, keep: u64) -> Result<(), StoreError> {
        self.truncate_and_rehash_returning_prefix_digest(keep, 0)?;
        self.flushed = self.flushed.min(self.resume_offset);
        Ok(())
    }

    /// Reads the last `count` of the written bytes, or all of them if there are fewer.
    ///
    /// # Errors
    /// An I/O failure.
    pub fn read_last_bytes(&mut self, count: u64) -> Result<Vec<u8>, StoreError> {
        let count = count.min(self.resume_offset);
        let mut bytes = Vec::new();
        self.file
            .seek(SeekFrom::Start(self.resume_offset - count))
            .and_then(|_| (&self.file).take(count).read_to_end(&mut bytes))
            .io_context("read", self.partial_file_path())?;
        Ok(bytes)
    }

    /// Copies the written bytes to `<name>.doubted`, so that [`Self::remove_bytes_to_restart_download`] does not lose them. The
    /// copy replaces an earlier one, and is durable when this returns.
    ///
    /// # Errors
    /// An I/O failure. There is no copy then.
    pub fn copy_doubted_bytes(&self) -> Result<(), StoreError> {
        let [part, copy] = [PART_SUFFIX, DOUBTED_SUFFIX].map(|suffix| format!("{}{suffix}", self.final_name));
        let path = self.folder.join(&copy);
        disk::remove_file_if_exists(&self.dir, &copy, &path)?;
        let copied = self.dir.copy(part, &self.dir, &copy).io_context("write", &path);
        let copied = copied.and_then(|_| disk::sync_regular_file(&self.dir, &copy, &path));
        if copied.is_err() {
            disk::remove_file_if_exists(&self.dir, &copy, &path)?;
        }
        copied
    }

    /// The format of the content that was written so far.
    pub fn detected_format(&self) -> FileFormat {
        FileFormat::detect_file_format(&self.head)
    }

    /// The first [`HEAD_BYTES`] of the written bytes, or all of them if there are fewer.
    pub fn written_head(&self) -> &[u8] {
        &self.head
    }

    /// Size above which the file is refused, in bytes.
    pub fn max_file_size(&self) -> u64 {
        self.max
    }

    /// Describes the written content, before the file gets its name. Nothing may be appended afterwards.
    ///
    /// # Errors
    /// An I/O failure.
    pub fn inspect_written_content(&mut self) -> Result<CompleteFile, StoreError> {
        let sha256 = self.digest_written_bytes();
        inspect_complete_file(&mut self.file, &self.final_name, sha256, self.head.clone(), self.resume_offset)
            .io_context("read", self.partial_file_path())
    }

    /// Whether the structure of the written content states its end, and the content ends exactly there. Then the file is
    /// whole, however the response ended. An archive within the content does not count.
    ///
    /// # Errors
    /// An I/O failure.
    pub fn is_proven_complete_by_structure(&mut self) -> Result<bool, StoreError> {
        is_end_proven_by_structure(&mut self.file, &self.head, self.resume_offset)
            .io_context("read", self.partial_file_path())
    }

    /// Completes the file: fsync, rename to its final name, fsync of the folder.
    ///
    /// # Errors
    /// [`StoreError::ContentMismatch`] if another program has changed the size of the file,
    /// [`StoreError::AlreadyExists`] if the final name exists, or an I/O failure.
    pub fn finish_partial_file(mut self) -> Result<CompleteFile, StoreError> {
        let part = self.partial_file_path();
        let flushed = self.file.sync_all();
        self.record_flush_or_shorten_file(flushed)?;
        crash_point::reach_crash_point(CrashPoint::FileFlushed);
        let there = self.file.metadata().io_context("look at", &part)?.len();
        if there != self.resume_offset {
            let why = format!("it has {there} bytes, but {} were written", self.resume_offset);
            return Err(StoreError::ContentMismatch { path: part, why });
        }
        let name = self.folder.join(&self.final_name);
        if disk::entry_exists(&self.dir, &self.final_name, &name)? {
            return Err(StoreError::AlreadyExists { path: name });
        }
        let mut file = self.file;
        let sha256 = Sha256Digest::wrap_digest_bytes(self.hasher.finalize().into());
        let whole = inspect_complete_file(&mut file, &self.final_name, sha256, self.head, self.resume_offset)
            .io_context("read", &part)?;
        // Windows cannot rename an open file.
        drop(file);
        let written_name = format!("{}{}", self.final_name, part_or_decoded_suffix(self.is_decoded));
        self.dir.rename(written_name, &self.dir, &self.final_name).io_context("rename", &part)?;
        crash_point::reach_crash_point(CrashPoint::FileRenamed);
        disk::sync_folder(&self.dir, &self.folder)?;
        if self.is_decoded {
            remove_encoded_file(&self.dir, &self.folder, &self.final_name)?;
        }
        crash_point::reach_crash_point(CrashPoint::FileDurable);
        Ok(whole)
    }

    /// Removes the file, for example if its content is an error page.
    ///
    /// # Errors
    /// An I/O failure.
    pub fn remove_partial_file(self) -> Result<(), StoreError> {
        let path = self.partial_file_path();
        drop(self.file);
        disk::remove_file_if_exists(&self.dir, &format!("{}{PART_SUFFIX}", self.final_name), &path)?;
        disk::sync_folder(&self.dir, &self.folder)
    }

    /// The path of the partial file.
    fn partial_file_path(&self) -> PathBuf {
        self.folder.join(format!("{}{}", self.final_name, part_or_decoded_suffix(self.is_decoded)))
    }

    /// Updates hash, length and saved head of the file with newly written bytes.
    fn hash_and_count_written_bytes(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
        let room = HEAD_BYTES - self.head.len();
        self.head.extend_from_slice(&bytes[..bytes.len().min(room)]);
        self.resume_offset += bytes.len() as u64;
    }

    /// Truncates the file to at most `keep` bytes and hashes them again. Returns, to see whether the disk has changed them, the
    /// digest of the first `prefix` bytes if there are so many, and not none.
    fn truncate_and_rehash_returning_prefix_digest(
        &mut self,
        keep: u64,
        prefix: u64,
    ) -> Result<Option<Sha256Digest>, StoreError> {
        let path = self.partial_file_path();
        let there = self.file.metadata().io_context("look at", &path)?.len();
        if there > keep {
            self.file.set_len(keep).io_context("shorten", &path)?;
        }
        self.file.seek(SeekFrom::Start(0)).io_context("read", &path)?;
        self.hasher = sha2::Sha256::new();
        self.head.clear();
        self.resume_offset = 0;
        let mut digest_of_prefix = None;
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let left = prefix.saturating_sub(self.resume_offset);
            let most =
                if left == 0 { buffer.len() } else { usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len()) };
            let count = self.file.read(&mut buffer[..most]).io_context("read", &path)?;
            if count == 0 {
                return Ok(digest_of_prefix);
            }
            self.hash_and_count_written_bytes(&buffer[..count]);
            if self.resume_offset == prefix {
                digest_of_prefix = Some(self.digest_written_bytes());
            }
        }
    }
}

/// Renames a file that the disk has changed, complete or partial, to `<name>.damaged`, and returns the new name. `found` is
/// its present name.
pub(crate) fn set_aside_damaged_file(dir: &Dir, folder: &Path, found: &str, name: &str) -> Result<String, StoreError> {
    let mut kept_as = format!("{name}{DAMAGED_SUFFIX}");
    let mut number = 1_u32;
    while disk::entry_exists(dir, &kept_as, &folder.join(&kept_as))? {
        number += 1;
        kept_as = format!("{name}{DAMAGED_SUFFIX}-{number}");
    }
    dir.rename(found, dir, &kept_as).io_context("rename", folder.join(found))?;
    disk::sync_folder(dir, folder)?;
    Ok(kept_as)
}

/// The file name suffix of the content: `.decoded` after decoding, otherwise `.part`.
fn part_or_decoded_suffix(is_decoded: bool) -> &'static str {
    if is_decoded { DECODED_SUFFIX } else { PART_SUFFIX }
}

/// Removes the file with the encoded bytes of a download whose decoded content is durable.
pub(crate) fn remove_encoded_file(dir: &Dir, folder: &Path, name: &str) -> Result<(), StoreError> {
    let part = format!("{name}{PART_SUFFIX}");
    disk::remove_file_if_exists(dir, &part, &folder.join(&part)).map(|_| ())
}

impl fmt::Debug for PartialFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PartialFile")
            .field("path", &self.partial_file_path())
            .field("offset", &self.resume_offset)
            .finish_non_exhaustive()
    }
}
