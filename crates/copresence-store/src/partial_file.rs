//! A file while it is downloaded: appended and hashed in constant memory.

use crate::crash_point::{self, CrashPoint};
use crate::digest::Sha256Digest;
use crate::disk;
use crate::disk_space::ensure_free_space;
use crate::error::{IoContext, StoreError};
use crate::file_note::SavedFileNote;
use crate::format::{FileFormat, HEAD_BYTES};
use crate::integrity::inspect_file_structure;
use cap_std::fs::{Dir, File};
use sha2::Digest as _;
use std::fmt;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Suffix of the name of a partial file.
pub(crate) const PART_SUFFIX: &str = ".part";

/// Suffix of the name of a file while its content encoding is removed.
pub(crate) const DECODED_SUFFIX: &str = ".decoded";
/// Suffix of the name of a file that the disk has changed. A number follows if there are several.
pub(crate) const DAMAGED_SUFFIX: &str = ".damaged";
/// Decoded bytes after which the free space is checked.
const SPACE_CHECK_BYTES: u64 = 8 << 20;

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

/// A file that is complete and durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompleteFile {
    /// The file name in the folder.
    pub name: String,
    /// The size in bytes.
    pub bytes: u64,
    /// The digest of the content.
    pub sha256: Sha256Digest,
    /// The format of the content.
    pub format: FileFormat,
    /// Why the structure of the content shows that the file is truncated. Only for GLB, PNG, zip and Blender files.
    pub integrity_defect: Option<String>,
    /// Why the content may not be the whole file, without proof.
    pub doubt: Option<String>,
    /// What is unusual about the file.
    pub notes: Vec<SavedFileNote>,
    /// The first [`HEAD_BYTES`] bytes.
    pub head: Vec<u8>,
}

/// Why [`PartialFile::replace_with_decoded_content`] failed. The partial file is unchanged.
#[derive(Debug)]
pub enum DecodeContentError {
    /// The decoded bytes could not be read. Contains the format of those that could be read.
    Content(std::io::Error, FileFormat),
    /// The decoded bytes could not be written, or exceed the size limit.
    Store(StoreError),
}

impl From<StoreError> for DecodeContentError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
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
        let written = self.file.write_all(bytes);
        if written.is_ok() {
            self.hash_and_count_written_bytes(bytes);
            crash_point::reach_crash_point(CrashPoint::BytesWritten);
        } else {
            // A failed write may have written some of the bytes.
            let cut = self
                .file
                .set_len(self.resume_offset)
                .and_then(|()| self.file.seek(SeekFrom::Start(self.resume_offset)));
            cut.io_context("shorten", self.partial_file_path())?;
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

    /// Removes all written bytes, for a server that cannot resume. The [`crate::FileProgress`] in the journal must be
    /// reset **before** new bytes are written.
    ///
    /// # Errors
    /// An I/O failure.
    pub fn remove_bytes_to_restart_download(&mut self) -> Result<(), StoreError> {
        self.discard_bytes_behind(0)
    }

    /// Removes all written bytes behind the first `keep` ones, and hashes those again. The [`crate::FileProgress`] in the
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
        // It ends at the position at which bytes are appended.
        self.file
            .seek(SeekFrom::Start(self.resume_offset - count))
            .and_then(|_| (&self.file).take(count).read_to_end(&mut bytes))
            .and_then(|_| self.file.seek(SeekFrom::Start(self.resume_offset)))
            .io_context("read", self.partial_file_path())?;
        Ok(bytes)
    }

    /// The format of the content that was written so far.
    pub fn detected_format(&self) -> FileFormat {
        FileFormat::detect_file_format(&self.head)
    }

    /// The first [`HEAD_BYTES`] of the written bytes, or all of them if there are fewer.
    pub fn written_head(&self) -> &[u8] {
        &self.head
    }

    /// Returns a reader of all written bytes that shares its position with this file, so nothing may be appended
    /// until [`Self::replace_with_decoded_content`] has returned.
    ///
    /// # Errors
    /// An I/O failure.
    pub fn rewound_reader_of_written_bytes(&self) -> Result<impl Read + Send + 'static, StoreError> {
        let mut file = self.file.try_clone().io_context("open", self.partial_file_path())?;
        file.seek(SeekFrom::Start(0)).io_context("read", self.partial_file_path())?;
        Ok(file.take(self.resume_offset))
    }

    /// Size above which the file is refused, in bytes.
    pub fn max_file_size(&self) -> u64 {
        self.max
    }

    /// Replaces the content by what is read from `decoded`, which decodes [`Self::rewound_reader_of_written_bytes`]. The
    /// written bytes stay on disk until [`Self::finish_partial_file`], so that a crash loses nothing. `min_free_space` bytes
    /// of the disk stay free.
    ///
    /// # Errors
    /// [`DecodeContentError::Content`] if `decoded` fails, [`DecodeContentError::Store`] for [`StoreError::TooLarge`]
    /// and I/O failures.
    pub fn replace_with_decoded_content(
        &mut self,
        decoded: &mut impl Read,
        min_free_space: u64,
    ) -> Result<(), DecodeContentError> {
        let name = format!("{}{DECODED_SUFFIX}", self.final_name);
        let path = self.folder.join(&name);
        disk::remove_file_if_exists(&self.dir, &name, &path)?;
        let file =
            self.dir.open_with(&name, disk::private_file_options().create_new(true)).io_context("make", &path)?;
        let mut target = Self {
            dir: Arc::clone(&self.dir),
            folder: self.folder.clone(),
            final_name: self.final_name.clone(),
            file,
            hasher: sha2::Sha256::new(),
            head: Vec::new(),
            resume_offset: 0,
            flushed: 0,
            max: self.max,
            is_decoded: true,
        };
        let copied = target.append_content(decoded, min_free_space);
        if copied.is_ok() {
            *self = target;
        } else {
            drop(target);
            disk::remove_file_if_exists(&self.dir, &name, &path)?;
            // The position of the file is shared with the reader.
            self.file.seek(SeekFrom::Start(self.resume_offset)).io_context("write", self.partial_file_path())?;
        }
        copied
    }

    /// Appends all bytes of `content`, and checks the free space of the disk meanwhile.
    fn append_content(&mut self, content: &mut impl Read, min_free_space: u64) -> Result<(), DecodeContentError> {
        let mut buffer = vec![0; 64 * 1024];
        let mut checked = 0;
        loop {
            let count = match content.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(count) => count,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(DecodeContentError::Content(error, self.detected_format())),
            };
            self.append_bytes(&buffer[..count])?;
            if self.resume_offset - checked >= SPACE_CHECK_BYTES {
                checked = self.resume_offset;
                ensure_free_space(&self.folder, min_free_space)?;
            }
        }
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
    /// whole, however the response ended.
    ///
    /// # Errors
    /// An I/O failure.
    pub fn is_proven_complete_by_structure(&mut self) -> Result<bool, StoreError> {
        if !self.detected_format().is_truncation_detectable() {
            return Ok(false);
        }
        let structure = inspect_file_structure(&mut self.file, &self.head, self.resume_offset);
        // The next bytes are appended at the end.
        self.file.seek(SeekFrom::Start(self.resume_offset)).io_context("write", self.partial_file_path())?;
        let structure = structure.io_context("read", self.partial_file_path())?;
        Ok(structure.defect.is_none() && structure.doubt.is_none() && structure.trailing_bytes == 0)
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

    /// Truncates the file to at most `keep` bytes and hashes them again. Returns, to see whether the disk has changed them, the digest of the first `prefix` bytes
    /// if there are so many, and not none.
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

/// Inspects a complete file: its format, defects and notes.
fn inspect_complete_file(
    file: &mut File,
    name: &str,
    sha256: Sha256Digest,
    head: Vec<u8>,
    bytes: u64,
) -> std::io::Result<CompleteFile> {
    let structure = inspect_file_structure(file, &head, bytes)?;
    Ok(CompleteFile {
        name: name.to_owned(),
        bytes,
        sha256,
        format: FileFormat::detect_file_format(&head),
        integrity_defect: structure.defect,
        doubt: structure.doubt,
        notes: (structure.trailing_bytes > 0)
            .then(|| SavedFileNote::note_of_trailing_bytes(structure.trailing_bytes))
            .into_iter()
            .collect(),
        head,
    })
}

/// Reads a complete file to determine its size, digest and format.
pub(crate) fn read_and_inspect_complete_file(dir: &Dir, name: &str, path: &Path) -> Result<CompleteFile, StoreError> {
    let mut file = disk::open_regular_file(dir, name, path)?;
    let (mut hasher, mut head, mut bytes) = (sha2::Sha256::new(), Vec::new(), 0);
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let count = file.read(&mut buffer).io_context("read", path)?;
        if count == 0 {
            break;
        }
        hasher.update(&buffer[..count]);
        head.extend_from_slice(&buffer[..count.min(HEAD_BYTES - head.len())]);
        bytes += count as u64;
    }
    let sha256 = Sha256Digest::wrap_digest_bytes(hasher.finalize().into());
    inspect_complete_file(&mut file, name, sha256, head, bytes).io_context("read", path)
}

impl fmt::Debug for PartialFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PartialFile")
            .field("path", &self.partial_file_path())
            .field("offset", &self.resume_offset)
            .finish_non_exhaustive()
    }
}
