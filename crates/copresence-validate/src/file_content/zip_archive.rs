//! Inspects zip archives: lists the entries, and unpacks them without keeping the data, which verifies the checksums.

use super::{InspectionError, MAX_LISTED_NAME_LEN, MAX_LISTED_NAMES, shorten_text};
use std::io::{Cursor, Read};

/// Maximum size of all unpacked entries, in bytes. Protects against zip bombs.
const MAX_UNPACKED_SIZE: u64 = 2 * 1024 * 1024 * 1024;
/// Maximum number of entries. Bounds the memory of the directory.
const MAX_ENTRIES: usize = 100_000;
/// First bytes of an entry in the directory of an archive.
const DIRECTORY_ENTRY_SIGNATURE: &[u8] = b"PK\x01\x02";

/// Content of a zip archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ZipFacts {
    /// Number of entries.
    pub entry_count: usize,
    /// Names of the first entries, shortened. At most 10.
    pub first_entry_names: Vec<String>,
}

impl ZipFacts {
    /// The names of the first entries, and the number of the others.
    pub(super) fn describe_entries(&self) -> String {
        let listed = self.first_entry_names.join(", ");
        match self.entry_count.saturating_sub(self.first_entry_names.len()) {
            0 => listed,
            more => format!("{listed} and {more} more"),
        }
    }
}

/// Inspects an archive. `wanted`: the extension that at least one entry must have, as in `.obj`.
pub(super) fn inspect_zip(bytes: &[u8], wanted: Option<&str>) -> Result<ZipFacts, InspectionError> {
    // Entries can also be in a stored archive within the archive; then this is too high.
    let entries = bytes.windows(DIRECTORY_ENTRY_SIGNATURE.len()).filter(|four| *four == DIRECTORY_ENTRY_SIGNATURE);
    if entries.take(MAX_ENTRIES.saturating_add(1)).count() > MAX_ENTRIES {
        return Err(InspectionError::limit_exceeded(format!("it has more than {MAX_ENTRIES} entries")));
    }
    let broken = |error: &dyn std::fmt::Display| format!("it is not a complete zip archive: {error}");
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).map_err(|error| broken(&error))?;
    let (mut left, mut packed_left) = (MAX_UNPACKED_SIZE, bytes.len() as u64);
    let mut facts = ZipFacts { entry_count: archive.len(), first_entry_names: Vec::new() };
    let mut has_wanted = false;
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).map_err(|error| broken(&error))?;
        let name = entry.name().map_err(|error| broken(&error))?.to_string();
        let shown = shorten_text(&name, MAX_LISTED_NAME_LEN);
        if entry.enclosed_name().is_none() {
            return Err(format!("its entry {shown:?} would be unpacked outside its folder").into());
        }
        packed_left = packed_left.checked_sub(entry.compressed_size()).ok_or("its entries overlap")?;
        let unpacked = std::io::copy(&mut entry.by_ref().take(left.saturating_add(1)), &mut std::io::sink());
        let unpacked = unpacked.map_err(|error| format!("its entry {shown:?} is broken: {error}"))?;
        left = left
            .checked_sub(unpacked)
            .ok_or_else(|| InspectionError::limit_exceeded("it unpacks to more than 2 GiB"))?;
        has_wanted |= wanted.is_none_or(|ending| name.to_ascii_lowercase().ends_with(ending));
        if facts.first_entry_names.len() < MAX_LISTED_NAMES {
            facts.first_entry_names.push(shown);
        }
    }
    match wanted {
        _ if facts.entry_count == 0 => Err("it is an empty zip archive".into()),
        Some(ending) if !has_wanted => {
            let listed = facts.describe_entries();
            Err(format!("the zip archive holds no file with the extension {ending}: {listed}").into())
        }
        _ => Ok(facts),
    }
}
