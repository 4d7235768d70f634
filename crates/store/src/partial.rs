//! A file while it is downloaded: appended and hashed in constant memory.

use crate::crash::{self, Point};
use crate::digest::Sha256;
use crate::disk;
use crate::error::{At, StoreError};
use crate::flaw::{TAIL, flaw};
use crate::format::{Format, HEAD};
use cap_std::fs::{Dir, File};
use sha2::Digest as _;
use std::fmt;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::sync::Arc;

/// Suffix of the name of a partial file.
pub(crate) const PART: &str = ".part";

/// A file that is being written, as `<name>.part`. It stays on disk when this value is dropped, so it can be resumed.
pub struct PartialFile {
    dir: Arc<Dir>,
    folder: PathBuf,
    final_name: String,
    file: File,
    hasher: sha2::Sha256,
    head: Vec<u8>,
    offset: u64,
    max: u64,
}

/// A file that is complete and durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WholeFile {
    /// The file name in the folder.
    pub name: String,
    /// The size in bytes.
    pub bytes: u64,
    /// The digest of the content.
    pub sha256: Sha256,
    /// The format of the content.
    pub format: Format,
    /// Why the structure of the content shows that the file is truncated. Only for GLB, PNG, zip and Blender files.
    pub flaw: Option<String>,
}

impl PartialFile {
    /// Opens or creates `<name>.part`. At most `durable` bytes of an existing file are kept, and hashed again.
    pub(crate) fn open(dir: Arc<Dir>, folder: PathBuf, name: &str, durable: u64) -> Result<Self, StoreError> {
        let part = format!("{name}{PART}");
        let path = folder.join(&part);
        let file = if disk::is_there(&dir, &part, &path)? {
            disk::open_ours(&dir, &part, &path)?;
            dir.open_with(&part, &disk::private_file()).at("open", &path)?
        } else {
            dir.open_with(&part, disk::private_file().create_new(true)).at("make", &path)?
        };
        crash::reached(Point::PartMade);
        // Fsynced bytes are durable only if the file name is durable.
        disk::sync_folder(&dir, &folder)?;
        crash::reached(Point::PartDurable);
        let mut partial = Self {
            dir,
            folder,
            final_name: name.to_owned(),
            file,
            hasher: sha2::Sha256::new(),
            head: Vec::new(),
            offset: 0,
            max: u64::MAX,
        };
        partial.take_up(durable)?;
        Ok(partial)
    }

    /// Limits the size to `max` bytes.
    #[must_use]
    pub fn limited(mut self, max: u64) -> Self {
        self.max = max;
        self
    }

    /// Number of bytes written, which is the offset to resume from.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The name of the complete file.
    pub fn name(&self) -> &str {
        &self.final_name
    }

    /// Appends bytes.
    ///
    /// # Errors
    /// [`StoreError::TooLarge`] if the size limit would be exceeded, or an I/O failure. The file and its
    /// [`offset`](Self::offset) are then unchanged.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        let grown = self.offset.saturating_add(bytes.len() as u64);
        if grown > self.max {
            return Err(self.too_large(self.max));
        }
        let written = self.file.write_all(bytes);
        if written.is_ok() {
            self.note(bytes);
            crash::reached(Point::BytesWritten);
        } else {
            // A failed write may have written some of the bytes.
            let cut =
                self.file.set_len(self.offset).and_then(|()| self.file.seek(SeekFrom::Start(self.offset)));
            cut.at("shorten", self.path())?;
        }
        written.at("write", self.path())
    }

    /// The error for a file that would exceed the limit of `max` bytes.
    pub fn too_large(&self, max: u64) -> StoreError {
        StoreError::TooLarge { path: self.path(), max }
    }

    /// Makes all written bytes durable. Returns their number, which may be recorded in the journal.
    ///
    /// # Errors
    /// An I/O failure.
    pub fn sync(&mut self) -> Result<u64, StoreError> {
        self.file.sync_data().at("flush", self.path())?;
        crash::reached(Point::PartFlushed);
        Ok(self.offset)
    }

    /// Removes all written bytes, for a server that cannot resume. The [`crate::FileProgress`] in the journal must be
    /// reset **before** new bytes are written.
    ///
    /// # Errors
    /// An I/O failure.
    pub fn restart(&mut self) -> Result<(), StoreError> {
        self.take_up(0)
    }

    /// The format of the content that was written so far.
    pub fn format(&self) -> Format {
        Format::detect(&self.head)
    }

    /// Completes the file: fsync, rename to its final name, fsync of the folder.
    ///
    /// # Errors
    /// [`StoreError::ContentMismatch`] if another program has changed the size of the file,
    /// [`StoreError::AlreadyExists`] if the final name exists, or an I/O failure.
    pub fn finish(self) -> Result<WholeFile, StoreError> {
        let part = self.path();
        self.file.sync_all().at("flush", &part)?;
        crash::reached(Point::FileFlushed);
        let there = self.file.metadata().at("look at", &part)?.len();
        if there != self.offset {
            let why = format!("it has {there} bytes, but {} were written", self.offset);
            return Err(StoreError::Disagrees { path: part, why });
        }
        let name = self.folder.join(&self.final_name);
        if disk::is_there(&self.dir, &self.final_name, &name)? {
            return Err(StoreError::Exists { path: name });
        }
        let tail = tail(&self.file).at("read", &part)?;
        let whole = self.whole(&tail);
        // Windows cannot rename an open file.
        drop(self.file);
        self.dir
            .rename(format!("{}{PART}", self.final_name), &self.dir, &self.final_name)
            .at("rename", &part)?;
        crash::reached(Point::FileRenamed);
        disk::sync_folder(&self.dir, &self.folder)?;
        crash::reached(Point::FileDurable);
        Ok(whole)
    }

    /// Removes the file, for example if its content is an error page.
    ///
    /// # Errors
    /// An I/O failure.
    pub fn discard(self) -> Result<(), StoreError> {
        let path = self.path();
        drop(self.file);
        disk::remove_if_there(&self.dir, &format!("{}{PART}", self.final_name), &path)?;
        disk::sync_folder(&self.dir, &self.folder)
    }

    /// The path of the partial file.
    fn path(&self) -> PathBuf {
        self.folder.join(format!("{}{PART}", self.final_name))
    }

    /// Hashes and counts written bytes, and keeps the head for format detection.
    fn note(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
        let room = HEAD - self.head.len();
        self.head.extend_from_slice(&bytes[..bytes.len().min(room)]);
        self.offset += bytes.len() as u64;
    }

    /// Truncates the file to at most `keep` bytes and hashes them again.
    fn take_up(&mut self, keep: u64) -> Result<(), StoreError> {
        let path = self.path();
        let there = self.file.metadata().at("look at", &path)?.len();
        if there > keep {
            self.file.set_len(keep).at("shorten", &path)?;
        }
        self.file.seek(SeekFrom::Start(0)).at("read", &path)?;
        self.hasher = sha2::Sha256::new();
        self.head.clear();
        self.offset = 0;
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let count = self.file.read(&mut buffer).at("read", &path)?;
            if count == 0 {
                return Ok(());
            }
            self.note(&buffer[..count]);
        }
    }

    /// The description of the completed file.
    fn whole(&self, tail: &[u8]) -> WholeFile {
        WholeFile {
            name: self.final_name.clone(),
            bytes: self.offset,
            sha256: Sha256::from_bytes(self.hasher.clone().finalize().into()),
            format: Format::detect(&self.head),
            flaw: flaw(&self.head, tail, self.offset),
        }
    }
}

/// Reads the last [`TAIL_BYTES`] of a file.
fn tail(mut file: &File) -> std::io::Result<Vec<u8>> {
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
    let mut tail = Vec::new();
    file.read_to_end(&mut tail)?;
    Ok(tail)
}

/// Reads a complete file: size, digest and format.
pub(crate) fn read_whole(dir: &Dir, name: &str, path: &std::path::Path) -> Result<WholeFile, StoreError> {
    let mut file = disk::open_ours(dir, name, path)?;
    let (mut hasher, mut head, mut bytes) = (sha2::Sha256::new(), Vec::new(), 0);
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let count = file.read(&mut buffer).at("read", path)?;
        if count == 0 {
            break;
        }
        hasher.update(&buffer[..count]);
        head.extend_from_slice(&buffer[..count.min(HEAD - head.len())]);
        bytes += count as u64;
    }
    Ok(WholeFile {
        name: name.to_owned(),
        bytes,
        sha256: Sha256::from_bytes(hasher.finalize().into()),
        format: Format::detect(&head),
        flaw: flaw(&head, &tail(&file).at("read", path)?, bytes),
    })
}

impl fmt::Debug for PartialFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PartialFile")
            .field("path", &self.path())
            .field("offset", &self.offset)
            .finish_non_exhaustive()
    }
}
