//! Zip archives: listed, and unpacked into nothing, which checks each entry's sum.

use std::io::{Cursor, Read};

/// The most that an archive may hold unpacked: beyond it, it is a trap.
const MOST: u64 = 2 * 1024 * 1024 * 1024;

/// What a zip archive holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ZipFacts {
    /// Its entries.
    pub names: Vec<String>,
}

pub(super) fn read(bytes: &[u8], wanted: Option<&str>) -> Result<ZipFacts, String> {
    let broken = |error: &dyn std::fmt::Display| format!("it is no whole zip archive: {error}");
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).map_err(|error| broken(&error))?;
    let (mut names, mut left) = (Vec::new(), MOST);
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
        return Err(format!("the zip archive holds no file that ends in {ending}: {}", names.join(", ")));
    }
    Ok(ZipFacts { names })
}
