//! Replaces the content of a partial file by its decoded content, in a second file.

use super::{DECODED_SUFFIX, PartialFile};
use crate::disk;
use crate::disk_space::ensure_free_space;
use crate::error::{IoContext, StoreError};
use crate::format::FileFormat;
use sha2::Digest as _;
use std::io::{Read, Seek, SeekFrom};
use std::sync::Arc;

/// Decoded bytes after which the free space is checked.
const SPACE_CHECK_BYTES: u64 = 8 << 20;

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
    /// Returns a reader of all written bytes, from their start. It shares its position with this file: nothing may be
    /// appended or read otherwise while it is in use.
    ///
    /// # Errors
    /// An I/O failure.
    pub fn rewound_reader_of_written_bytes(&self) -> Result<impl Read + Send + 'static, StoreError> {
        let mut file = self.file.try_clone().io_context("open", self.partial_file_path())?;
        file.seek(SeekFrom::Start(0)).io_context("read", self.partial_file_path())?;
        Ok(file.take(self.resume_offset))
    }

    /// Replaces the content by what is read from `decoded`, which decodes [`Self::rewound_reader_of_written_bytes`]. The
    /// written bytes stay on disk until [`Self::finish_partial_file`], so that a crash loses nothing. `min_free_space` bytes
    /// of the disk stay free.
    ///
    /// Returns the error of `decoded` if `is_cut_off` says of it that encoded bytes are missing, and what was decoded is
    /// complete by its own structure: then only the end of the encoding is missing.
    ///
    /// # Errors
    /// [`DecodeContentError::Content`] if `decoded` fails otherwise, [`DecodeContentError::Store`] for
    /// [`StoreError::TooLarge`] and I/O failures.
    pub fn replace_with_decoded_content<R: Read>(
        &mut self,
        decoded: &mut R,
        min_free_space: u64,
        is_cut_off: impl FnOnce(&R) -> bool,
    ) -> Result<Option<std::io::Error>, DecodeContentError> {
        let (target, result) = self.decode_to_second_file(decoded, min_free_space, is_cut_off)?;
        if result.is_ok() {
            *self = target;
        } else {
            target.remove_decoded_file()?;
        }
        result
    }

    /// Whether what is read from `decoded` is complete by its own structure, although encoded bytes may be missing. The other
    /// arguments are those of [`Self::replace_with_decoded_content`]. The content is unchanged.
    ///
    /// # Errors
    /// An I/O failure.
    pub fn is_decoded_content_complete<R: Read>(
        &self,
        decoded: &mut R,
        min_free_space: u64,
        is_cut_off: impl FnOnce(&R) -> bool,
    ) -> Result<bool, StoreError> {
        let (mut target, result) = self.decode_to_second_file(decoded, min_free_space, is_cut_off)?;
        let is_complete = match result {
            Ok(_) => target.is_proven_complete_by_structure()?,
            Err(_) => false,
        };
        target.remove_decoded_file()?;
        Ok(is_complete)
    }

    /// Removes the file with the decoded content.
    fn remove_decoded_file(self) -> Result<(), StoreError> {
        let (dir, path) = (Arc::clone(&self.dir), self.partial_file_path());
        let name = format!("{}{DECODED_SUFFIX}", self.final_name);
        drop(self);
        disk::remove_file_if_exists(&dir, &name, &path).map(|_| ())
    }

    /// Decodes the content to `<name>.decoded`. Returns that file, and the result as of
    /// [`Self::replace_with_decoded_content`].
    fn decode_to_second_file<R: Read>(
        &self,
        decoded: &mut R,
        min_free_space: u64,
        is_cut_off: impl FnOnce(&R) -> bool,
    ) -> Result<(Self, Result<Option<std::io::Error>, DecodeContentError>), StoreError> {
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
        let result = match target.append_content_checking_free_space(decoded, min_free_space) {
            Ok(()) => Ok(None),
            Err(DecodeContentError::Content(error, _))
                if is_cut_off(decoded) && target.is_proven_complete_by_structure()? =>
            {
                Ok(Some(error))
            }
            Err(error) => Err(error),
        };
        Ok((target, result))
    }

    /// Appends all bytes of `content`, and checks the free space of the disk meanwhile.
    fn append_content_checking_free_space(
        &mut self,
        content: &mut impl Read,
        min_free_space: u64,
    ) -> Result<(), DecodeContentError> {
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
}
