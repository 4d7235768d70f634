//! Inspects zip archives: lists the entries, unpacks them without keeping the data, which verifies the checksums, and
//! validates the glTF models among them.

use super::gltf::{GltfFacts, inspect_binary_gltf, inspect_json_gltf};
use super::{InspectionError, MAX_LISTED_NAME_LEN, MAX_LISTED_NAMES, shorten_text};
use std::collections::HashMap;
use std::io::{Cursor, Read};
use zip::CompressionMethod;

/// Maximum size of all unpacked entries, in bytes. Protects against zip bombs.
const MAX_UNPACKED_SIZE: u64 = 2 * 1024 * 1024 * 1024;
/// Maximum size of a model and the files that it refers to together, in bytes: they are kept in memory.
const MAX_MODEL_SIZE: u64 = 256 * 1024 * 1024;
/// Maximum number of models that are validated.
const MAX_MODELS: usize = 8;
/// Maximum number of entries. Bounds the memory of the directory.
const MAX_ENTRIES: usize = 100_000;
/// First bytes of an entry in the directory of an archive.
const DIRECTORY_ENTRY_SIGNATURE: &[u8] = b"PK\x01\x02";

/// Content of a zip archive.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct ZipFacts {
    /// Number of entries.
    pub entry_count: usize,
    /// Names of the first entries, shortened. At most 10.
    pub first_entry_names: Vec<String>,
    /// The glTF models in the archive, with the names of their entries.
    pub models: Vec<(String, GltfFacts)>,
    /// What is unusual about the archive, though it is valid.
    pub notes: Vec<String>,
}

impl ZipFacts {
    /// The names of the first entries, the number of the others, and the models.
    pub(super) fn describe_entries(&self) -> String {
        let listed = self.first_entry_names.join(", ");
        let listed = match self.entry_count.saturating_sub(self.first_entry_names.len()) {
            0 => listed,
            more => format!("{listed} and {more} more"),
        };
        let models = self.models.iter().map(|(name, facts)| format!("; {name} is {}", facts.describe_model()));
        models.fold(listed, |text, model| text + &model)
    }

    /// The model that the reveal shows: a GLB or VRM, otherwise a glTF document; of several that with the shortest name.
    pub(super) fn model_shown_in_reveal(&self) -> Option<&GltfFacts> {
        let rank = |name: &str| (name.to_ascii_lowercase().ends_with(".gltf"), name.len());
        self.models.iter().min_by_key(|(name, _)| rank(name)).map(|(_, facts)| facts)
    }
}

type Archive<'a> = zip::ZipArchive<Cursor<&'a [u8]>>;

/// Inspects an archive. `wanted`: the extensions of which at least one entry must have one, as in `.obj`.
pub(super) fn inspect_zip(bytes: &[u8], wanted: &[&str]) -> Result<ZipFacts, InspectionError> {
    // Entries can also be in a stored archive within the archive; then this is too high.
    let entries = bytes.windows(DIRECTORY_ENTRY_SIGNATURE.len()).filter(|four| *four == DIRECTORY_ENTRY_SIGNATURE);
    if entries.take(MAX_ENTRIES.saturating_add(1)).count() > MAX_ENTRIES {
        return Err(InspectionError::limit_exceeded(format!("it has more than {MAX_ENTRIES} entries")));
    }
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).map_err(|error| broken_archive_error(&error))?;
    let (mut left, mut packed_left) = (MAX_UNPACKED_SIZE, bytes.len() as u64);
    let mut facts =
        ZipFacts { entry_count: archive.len(), first_entry_names: Vec::new(), models: Vec::new(), notes: Vec::new() };
    let mut models = Vec::new();
    let mut has_wanted = false;
    for index in 0..archive.len() {
        let entry = ArchiveEntry::read_entry_properties(&mut archive, index)?;
        let shown = shorten_text(&entry.name, MAX_LISTED_NAME_LEN);
        if !entry.is_enclosed {
            return Err(format!("its entry {shown:?} would be unpacked outside its folder").into());
        }
        if entry.is_encrypted {
            return Err(format!(
                "its entry {shown:?} is encrypted{}, and no password is known",
                entry.cipher_name_of_entry()
            )
            .into());
        }
        packed_left = packed_left.checked_sub(entry.packed_size).ok_or("its entries overlap")?;
        let lower = entry.name.to_ascii_lowercase();
        let is_companion = is_apple_double(&lower);
        has_wanted |= wanted.is_empty() || !is_companion && wanted.iter().any(|ending| lower.ends_with(ending));
        if let Some(note) = entry.describe_compatibility_issue(&shown, &lower)
            && facts.notes.len() < MAX_LISTED_NAMES
        {
            facts.notes.push(note);
        }
        if facts.first_entry_names.len() < MAX_LISTED_NAMES {
            facts.first_entry_names.push(shown.clone());
        }
        if entry.unknown_method.is_some() {
            continue;
        }
        let unpacked =
            archive.by_index(index).map_err(|error| broken_archive_error(&error)).and_then(|mut entry| {
                let unpacked = std::io::copy(&mut entry.by_ref().take(left.saturating_add(1)), &mut std::io::sink());
                unpacked.map_err(|error| format!("its entry {shown:?} is broken: {error}").into())
            })?;
        left = left
            .checked_sub(unpacked)
            .ok_or_else(|| InspectionError::limit_exceeded("it unpacks to more than 2 GiB"))?;
        if !is_companion && [".glb", ".gltf", ".vrm"].iter().any(|ending| lower.ends_with(ending)) {
            models.push((index, entry.name));
        }
    }
    if facts.entry_count == 0 {
        return Err("it is an empty zip archive".into());
    }
    if !has_wanted {
        let (listed, wanted) = (facts.describe_entries(), wanted.join(" or "));
        return Err(format!("the zip archive holds no file with the extension {wanted}: {listed}").into());
    }
    if models.len() > MAX_MODELS {
        let count = models.len();
        return Err(InspectionError::limit_exceeded(format!(
            "it has {count} models, and at most {MAX_MODELS} are read"
        )));
    }
    for (index, name) in models {
        let shown = shorten_text(&name, MAX_LISTED_NAME_LEN);
        let model = inspect_model(&mut archive, index, &name).map_err(|error| error.in_part(&shown))?;
        facts.notes.extend(model.notes.iter().map(|note| format!("{shown}: {note}")));
        facts.models.push((shown, model));
    }
    Ok(facts)
}

/// Whether unpacking a file of this name ends within the folder of the archive. A leading `/` or drive letter is ignored,
/// as unpacking programs do. The verdict is the same on every system, unlike that of [`zip::read::ZipFile::enclosed_name`].
fn is_name_within_folder(name: &str) -> bool {
    let without_drive = match name.as_bytes() {
        [letter, b':', ..] if letter.is_ascii_alphabetic() => &name[2..],
        _ => name,
    };
    if without_drive.contains('\0') {
        return false;
    }
    let mut parents = Vec::new();
    without_drive.split(['/', '\\']).all(|part| match part {
        "" | "." => true,
        ".." => parents.pop().is_some(),
        name => {
            parents.push(name);
            true
        }
    })
}

/// Whether macOS added an entry for the properties of another one. It has the other's extension, but not its content.
fn is_apple_double(lower_name: &str) -> bool {
    lower_name.starts_with("__macosx/")
        || lower_name.rsplit('/').next().is_some_and(|file_name| file_name.starts_with("._"))
}

/// The error of a zip archive that cannot be read.
fn broken_archive_error(error: &dyn std::fmt::Display) -> InspectionError {
    InspectionError::Invalid(format!("it is not a complete zip archive: {error}"))
}

/// What the directory says about an entry.
struct ArchiveEntry {
    /// The name; bytes that are not UTF-8 are replaced.
    name: String,
    has_utf8_name: bool,
    is_enclosed: bool,
    is_encrypted: bool,
    packed_size: u64,
    /// The compression method, if it is neither *stored* nor *deflate*.
    unknown_method: Option<CompressionMethod>,
}

impl ArchiveEntry {
    /// Reads the properties of the entry with this index, without its content.
    fn read_entry_properties(archive: &mut Archive<'_>, index: usize) -> Result<Self, InspectionError> {
        let entry = archive.by_index_raw(index).map_err(|error| broken_archive_error(&error))?;
        let raw = entry.name_raw();
        let method = entry.compression();
        Ok(Self {
            name: String::from_utf8_lossy(raw).into_owned(),
            has_utf8_name: std::str::from_utf8(raw).is_ok(),
            is_enclosed: is_name_within_folder(&String::from_utf8_lossy(raw)),
            is_encrypted: entry.encrypted() || method == CompressionMethod::AES,
            packed_size: entry.compressed_size(),
            unknown_method: (!matches!(method, CompressionMethod::Stored | CompressionMethod::Deflated))
                .then_some(method),
        })
    }

    /// The cipher of an encrypted entry, if the directory names it.
    fn cipher_name_of_entry(&self) -> &'static str {
        if self.unknown_method == Some(CompressionMethod::AES) { " (AES)" } else { "" }
    }

    /// What programs may not understand about the entry.
    fn describe_compatibility_issue(&self, shown: &str, lower_name: &str) -> Option<String> {
        if let Some(method) = self.unknown_method {
            let method = compression_method_name(method);
            return Some(format!("its entry {shown:?} is compressed with {method}, which many programs cannot unpack"));
        }
        if !self.has_utf8_name {
            return Some(format!("the name of its entry {shown:?} is not UTF-8"));
        }
        let archive = [".zip", ".7z", ".rar", ".tar", ".gz"].iter().any(|ending| lower_name.ends_with(ending));
        archive.then(|| format!("its entry {shown:?} is an archive too, which is not inspected"))
    }
}

/// The name of a compression method as archive programs show it.
fn compression_method_name(method: CompressionMethod) -> String {
    let names = [
        (CompressionMethod::DEFLATE64, "Deflate64"),
        (CompressionMethod::BZIP2, "BZIP2"),
        (CompressionMethod::LZMA, "LZMA"),
        (CompressionMethod::ZSTD, "Zstandard"),
        (CompressionMethod::XZ, "XZ"),
        (CompressionMethod::PPMD, "PPMd"),
    ];
    let known = names.into_iter().find(|(known, _)| *known == method);
    known.map_or_else(|| format!("an unknown method ({method:?})"), |(_, name)| name.to_owned())
}

/// Validates a model in the archive. It may refer to other entries.
fn inspect_model(archive: &mut Archive<'_>, index: usize, name: &str) -> Result<GltfFacts, InspectionError> {
    let mut left = MAX_MODEL_SIZE;
    let bytes = read_entry_within_budget(archive, index, &mut left)?;
    if !name.to_ascii_lowercase().ends_with(".gltf") {
        return inspect_binary_gltf(&bytes);
    }
    let names =
        (0..archive.len()).map(|index| ArchiveEntry::read_entry_properties(archive, index).map(|entry| entry.name));
    let names = names.collect::<Result<Vec<_>, _>>()?;
    let entries = EntryNameIndex::index_entry_names(&names);
    let folder = name.rsplit_once(['/', '\\']).map_or("", |(folder, _)| folder);
    let mut notes = Vec::new();
    let inspected = inspect_json_gltf(&bytes, &mut |uri| {
        let path = resolve_relative_path_to_entry(folder, uri).ok_or("it refers to a file outside of the archive")?;
        let shown = shorten_text(&path, MAX_LISTED_NAME_LEN);
        let index = entries.find_entry(&path);
        let index = index.ok_or_else(|| format!("it refers to {shown:?}, which is not in the archive"))?;
        if names[index] != path {
            let other = shorten_text(&names[index], MAX_LISTED_NAME_LEN);
            notes.push(format!("it refers to {shown:?}, which is in the archive only as {other:?}"));
        }
        read_entry_within_budget(archive, index, &mut left)
    });
    inspected.map(|mut facts| {
        facts.notes.append(&mut notes);
        facts
    })
}

/// Finds the entries that paths mean, in constant time each: an archive and the model in it may have very many.
struct EntryNameIndex {
    /// By the name as it is.
    exact: HashMap<String, usize>,
    /// By the name in lower case with slashes; `None` if several entries have it.
    similar: HashMap<String, Option<usize>>,
    /// By that name without its folder; `None` if several entries have it.
    without_folder: HashMap<String, Option<usize>>,
}

impl EntryNameIndex {
    /// Builds the index of these names, which are in the order of the entries.
    fn index_entry_names(names: &[String]) -> Self {
        let mut index = Self { exact: HashMap::new(), similar: HashMap::new(), without_folder: HashMap::new() };
        let add_unless_ambiguous = |map: &mut HashMap<String, Option<usize>>, name: String, position| {
            map.entry(name).and_modify(|found| *found = None).or_insert(Some(position));
        };
        for (position, name) in names.iter().enumerate() {
            index.exact.entry(name.clone()).or_insert(position);
            let similar = normalize_entry_name(name);
            add_unless_ambiguous(&mut index.without_folder, file_name_of_entry(&similar).to_owned(), position);
            add_unless_ambiguous(&mut index.similar, similar, position);
        }
        index
    }

    /// The index of the entry that a resolved path means: by the same name, otherwise by the same name in other case or
    /// with backslashes, otherwise the only one of that file name in any folder. Programs that pack archives change paths.
    fn find_entry(&self, path: &str) -> Option<usize> {
        let similar = normalize_entry_name(path);
        let of_file_name = || self.without_folder.get(file_name_of_entry(&similar)).copied().flatten();
        self.exact.get(path).copied().or_else(|| self.similar.get(&similar).copied().flatten()).or_else(of_file_name)
    }
}

/// The name of an entry in lower case and with slashes.
fn normalize_entry_name(name: &str) -> String {
    name.replace('\\', "/").to_lowercase()
}

/// The part of an entry's normalized name behind its folder.
fn file_name_of_entry(normalized: &str) -> &str {
    normalized.rsplit('/').next().unwrap_or_default()
}

/// Unpacks an entry, and subtracts its size from `left`, the number of bytes that may still be unpacked.
fn read_entry_within_budget(
    archive: &mut Archive<'_>,
    index: usize,
    left: &mut u64,
) -> Result<Vec<u8>, InspectionError> {
    let entry = archive.by_index(index).map_err(|error| broken_archive_error(&error))?;
    let mut bytes = Vec::new();
    let read = entry.take(left.saturating_add(1)).read_to_end(&mut bytes);
    read.map_err(|error| broken_archive_error(&error))?;
    *left = left
        .checked_sub(bytes.len() as u64)
        .ok_or_else(|| InspectionError::limit_exceeded("a model with its files is larger than 256 MiB"))?;
    Ok(bytes)
}

/// The name of the entry that a relative path in a folder means; `None` outside of the archive.
fn resolve_relative_path_to_entry(folder: &str, path: &str) -> Option<String> {
    if path.contains("://") || path.starts_with('/') {
        return None;
    }
    let mut parts: Vec<&str> = folder.split(['/', '\\']).filter(|part| !part.is_empty()).collect();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_found_by_names_that_programs_changed() {
        let names = ["Avatar\\Head Data.bin", "textures/face.png", "other/face.png"].map(str::to_owned);
        let entries = EntryNameIndex::index_entry_names(&names);
        assert_eq!(entries.find_entry("avatar/head data.bin"), Some(0));
        assert_eq!(entries.find_entry("head data.bin"), Some(0));
        assert_eq!(entries.find_entry("textures/face.png"), Some(1));
        assert_eq!(entries.find_entry("face.png"), None, "two files have this name");
    }

    #[test]
    fn names_that_lead_out_of_the_folder_are_found_on_every_system() {
        for within in ["a.bin", "a/../b.bin", "/a.bin", "C:\\a.bin", "CON", "a:b", "a. ", &"x".repeat(60_000)] {
            assert!(is_name_within_folder(within), "{within:.20}");
        }
        for outside in
            ["../a.bin", "a/../../b.bin", "a\\..\\..\\b.bin", "/../a.bin", "C:\\..\\a.bin", "C:../a.bin", "a\0"]
        {
            assert!(!is_name_within_folder(outside), "{outside}");
        }
    }

    #[test]
    fn relative_paths_stay_in_the_archive() {
        assert_eq!(resolve_relative_path_to_entry("", "a b.bin").as_deref(), Some("a b.bin"));
        assert_eq!(resolve_relative_path_to_entry("model", "./../textures/a.png").as_deref(), Some("textures/a.png"));
        for outside in ["../a.bin", "/a.bin", "https://example.com/a.bin"] {
            assert_eq!(resolve_relative_path_to_entry("", outside), None, "{outside}");
        }
    }
}
