//! From which URL each file of an unpublished avatar comes, by the digest of the URL.
//!
//! The files of a truncated response are downloaded before the journal knows of them. The delivery that follows may name
//! other files, or the same ones in another order: a file name alone does not say what is in the file.

use crate::digest::Sha256Digest;
use crate::disk;
use crate::error::{IoContext, StoreError};
use crate::file_names::is_avatar_file_name;
use cap_std::fs::Dir;
use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;

/// Name of the file in the partial folder. A published avatar does not have it.
pub(crate) const SOURCES_NAME: &str = "sources.json";

/// The digest of the URL by the name of the file.
pub(crate) type FileSources = BTreeMap<String, Sha256Digest>;

/// Reads the sources of the files in a partial folder. `None` if they were never recorded; what cannot be parsed is empty.
///
/// # Errors
/// An I/O failure.
pub(crate) fn read_file_sources(dir: &Dir, folder: &Path) -> Result<Option<FileSources>, StoreError> {
    let path = folder.join(SOURCES_NAME);
    if !disk::entry_exists(dir, SOURCES_NAME, &path)? {
        return Ok(None);
    }
    let mut json = Vec::new();
    disk::open_regular_file(dir, SOURCES_NAME, &path)?.read_to_end(&mut json).io_context("read", &path)?;
    let mut sources: FileSources = serde_json::from_slice(&json).unwrap_or_default();
    sources.retain(|name, _| is_avatar_file_name(name));
    Ok(Some(sources))
}

/// Replaces the sources of the files in a partial folder. Durable when this returns.
///
/// # Errors
/// An I/O failure.
pub(crate) fn write_file_sources(dir: &Dir, folder: &Path, sources: &FileSources) -> Result<(), StoreError> {
    let json = serde_json::to_vec(sources).unwrap_or_default();
    disk::write_file_atomically(dir, SOURCES_NAME, &json, &folder.join(SOURCES_NAME), || {})?;
    disk::sync_folder(dir, folder)
}

/// Removes the sources of the files in a partial folder.
///
/// # Errors
/// An I/O failure.
pub(crate) fn remove_file_sources(dir: &Dir, folder: &Path) -> Result<(), StoreError> {
    disk::remove_file_if_exists(dir, SOURCES_NAME, &folder.join(SOURCES_NAME)).map(|_| ())
}
