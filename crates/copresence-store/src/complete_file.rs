//! A complete file of an avatar: its size, digest, format and defects.

use crate::digest::Sha256Digest;
use crate::disk;
use crate::error::{IoContext, StoreError};
use crate::file_note::SavedFileNote;
use crate::format::{FileFormat, HEAD_BYTES};
use crate::integrity::inspect_file_structure;
use cap_std::fs::{Dir, File};
use sha2::Digest as _;
use std::io::Read;
use std::path::Path;

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

/// Inspects a complete file: its format, defects and notes.
pub(crate) fn inspect_complete_file(
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
