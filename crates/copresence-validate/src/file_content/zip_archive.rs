//! Inspects zip archives: lists the entries, and unpacks them without keeping the data, which verifies the checksums.

use std::io::{Cursor, Read};

/// Maximum size of all unpacked entries, in bytes. Protects against zip bombs.
const MAX_UNPACKED_SIZE: u64 = 2 * 1024 * 1024 * 1024;

/// Content of a zip archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ZipFacts {
    /// Names of the entries.
    pub entry_names: Vec<String>,
}

/// Inspects an archive. `wanted`: the extension that at least one entry must have, as in `.obj`.
pub(super) fn inspect_zip(bytes: &[u8], wanted: Option<&str>) -> Result<ZipFacts, String> {
    let broken = |error: &dyn std::fmt::Display| format!("it is not a complete zip archive: {error}");
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).map_err(|error| broken(&error))?;
    let (mut names, mut left) = (Vec::new(), MAX_UNPACKED_SIZE);
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).map_err(|error| broken(&error))?;
        let name = entry.name().map_err(|error| broken(&error))?.to_string();
        if entry.enclosed_name().is_none() {
            return Err(format!("its entry {name:?} would be unpacked outside its folder"));
        }
        let unpacked = std::io::copy(&mut entry.by_ref().take(left + 1), &mut std::io::sink());
        let unpacked = unpacked.map_err(|error| format!("its entry {name:?} is broken: {error}"))?;
        left = left.checked_sub(unpacked).ok_or("it unpacks to more than 2 GiB")?;
        names.push(name);
    }
    if names.is_empty() {
        return Err("it is an empty zip archive".to_owned());
    }
    if let Some(ending) = wanted
        && !names.iter().any(|name| name.to_ascii_lowercase().ends_with(ending))
    {
        return Err(format!("the zip archive holds no file with the extension {ending}: {}", names.join(", ")));
    }
    Ok(ZipFacts { entry_names: names })
}
