//! Names of saved files. They are derived from the export type and never come from a server.
//!
//! | `export_type` | name |
//! |---|---|
//! | `glb`, `gltf`, `vrm`, `usdz`, `usd`, `usda`, `usdc`, `stl`, `ply` | `avatar.<type>` |
//! | `blend`, `blender` | `avatar.blend` |
//! | `fbx`, `obj` (zip archives with textures) | `avatar_fbx.zip`, `avatar_obj.zip` |
//! | `png`, `jpg`, `jpeg`, `webp`, `ktx2` | `avatar.<type>` (`jpeg` as `jpg`) |
//! | `portrait`, `thumbnail`, `preview` | `avatar_<word>.png` |
//! | `zip`, `json` | `avatar.<type>` |
//! | a known word and others (`glb_lod1`) | `avatar_glb_lod1.glb`: the first known word determines the extension |
//! | any other | `avatar_<its ASCII letters and digits>.bin` |
//!
//! Equal names get `-2`, `-3`, … Every name consists of `a-z 0-9 _ - .`, starts with `avatar`, and has at most
//! [`MAX_FILE_NAME`] bytes. It is valid on every file system, is not a reserved Windows name, and is unique also on
//! file systems that ignore case.

use copresence_protocol::ExportType;
use std::collections::{HashMap, HashSet};

/// Maximum length of a file name, in bytes.
pub const MAX_FILE_NAME: usize = 64;

/// The assigned file names in the folder of one avatar.
#[derive(Debug, Default, Clone)]
pub struct AssignedFileNames {
    /// How many files have each name without a number. A number is behind a `-`, which no such name contains.
    counts: HashMap<String, u32>,
    /// Names that are assigned to no file.
    reserved: HashSet<String>,
}

impl AssignedFileNames {
    /// Takes a name, so that it is assigned to no other file.
    pub(crate) fn reserve_name(&mut self, name: &str) {
        self.reserved.insert(name.to_owned());
    }

    /// Assigns a free name for a type.
    pub fn assign_free_name_for_type(&mut self, export_type: &ExportType) -> String {
        let (stem, extension) = name_parts_for_export_type(export_type);
        let name = format!("{stem}.{extension}");
        let count = self.counts.entry(name.clone()).or_default();
        loop {
            *count += 1;
            let numbered = if *count == 1 { name.clone() } else { format!("{stem}-{count}.{extension}") };
            if !self.reserved.contains(&numbered) {
                return numbered;
            }
        }
    }
}

/// Whether a name has the form of [`AssignedFileNames`]. Names that are read from disk are accepted only then.
pub fn is_avatar_file_name(name: &str) -> bool {
    let Some(rest) = name.strip_prefix("avatar") else { return false };
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let allowed = |byte: u8| plain(byte) || matches!(byte, b'_' | b'-' | b'.');
    name.len() <= MAX_FILE_NAME
        && rest.bytes().all(allowed)
        && rest.bytes().filter(|byte| *byte == b'.').count() == 1
        && rest.bytes().last().is_some_and(plain)
}

/// Known words of export types: word, suffix of the file stem, extension.
const KNOWN_TYPES: &[(&str, &str, &str)] = &[
    ("glb", "", "glb"),
    ("gltf", "", "gltf"),
    ("vrm", "", "vrm"),
    ("usdz", "", "usdz"),
    ("usd", "", "usd"),
    ("usda", "", "usda"),
    ("usdc", "", "usdc"),
    ("stl", "", "stl"),
    ("ply", "", "ply"),
    ("blend", "", "blend"),
    ("blender", "", "blend"),
    ("fbx", "_fbx", "zip"),
    ("obj", "_obj", "zip"),
    ("png", "", "png"),
    ("jpg", "", "jpg"),
    ("jpeg", "", "jpg"),
    ("webp", "", "webp"),
    ("ktx2", "", "ktx2"),
    ("portrait", "_portrait", "png"),
    ("thumbnail", "_thumbnail", "png"),
    ("preview", "_preview", "png"),
    ("zip", "", "zip"),
    ("json", "", "json"),
];

/// Maximum length of the type in a file name, in bytes. Leaves enough bytes for the other parts and a number of 32
/// bits.
const MAX_TYPE_LENGTH: usize = 36;

/// Derives the file stem and the extension from an export type.
fn name_parts_for_export_type(export_type: &ExportType) -> (String, &'static str) {
    let words = split_export_type_words(export_type.as_str());
    if let [word] = words.as_slice()
        && let Some((_, tail, extension)) = find_known_type_by_word(word)
    {
        return (format!("avatar{tail}"), extension);
    }
    let extension =
        words.iter().find_map(|word| find_known_type_by_word(word)).map_or("bin", |(_, _, extension)| extension);
    let mut stem = "avatar".to_owned();
    let joined = words.join("_");
    let joined = joined[..joined.len().min(MAX_TYPE_LENGTH)].trim_end_matches('_');
    if !joined.is_empty() {
        stem = format!("{stem}_{joined}");
    }
    (stem, extension)
}

/// Splits an export type into words of ASCII letters and digits, in lower case.
fn split_export_type_words(raw: &str) -> Vec<String> {
    raw.split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .take(MAX_TYPE_LENGTH)
        .map(str::to_ascii_lowercase)
        .collect()
}

/// The entry of a word in [`KNOWN_TYPES`].
fn find_known_type_by_word(word: &str) -> Option<(&'static str, &'static str, &'static str)> {
    KNOWN_TYPES.iter().find(|(name, ..)| *name == word).copied()
}

/// Whether two export types denote the same: in another spelling, such as `.glb` and `GLB`, or with another word for it, such as
/// `blend` and `Blender`.
pub fn is_same_export_type(one: &ExportType, other: &ExportType) -> bool {
    let [one_words, other_words] = [one, other].map(|kind| split_export_type_words(kind.as_str()));
    let known = |words: &[String]| match words {
        [word] => find_known_type_by_word(word).map(|(_, tail, extension)| (tail, extension)),
        _ => None,
    };
    one.as_str().eq_ignore_ascii_case(other.as_str())
        || !one_words.is_empty() && one_words == other_words
        || known(&one_words).is_some() && known(&one_words) == known(&other_words)
}

/// The first known word of an export type.
pub(crate) fn first_known_export_type_word(export_type: &ExportType) -> Option<&'static str> {
    split_export_type_words(export_type.as_str())
        .iter()
        .find_map(|word| find_known_type_by_word(word))
        .map(|(word, ..)| word)
}

/// Whether the last word of an export type is a known one.
pub(crate) fn is_last_export_type_word_known(export_type: &ExportType) -> bool {
    split_export_type_words(export_type.as_str()).last().is_some_and(|word| find_known_type_by_word(word).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashSet;

    fn name(raw: &str) -> String {
        AssignedFileNames::default().assign_free_name_for_type(&ExportType::new(raw))
    }

    #[test]
    fn known_types_have_stable_names() {
        for (raw, expected) in [
            ("glb", "avatar.glb"),
            ("GLB", "avatar.glb"),
            (".glb", "avatar.glb"),
            ("fbx", "avatar_fbx.zip"),
            ("obj", "avatar_obj.zip"),
            ("blend", "avatar.blend"),
            ("Blender", "avatar.blend"),
            ("png", "avatar.png"),
            ("portrait", "avatar_portrait.png"),
            ("glb_lod1", "avatar_glb_lod1.glb"),
            ("../../etc/passwd", "avatar_etc_passwd.bin"),
            ("evil.exe", "avatar_evil_exe.bin"),
            ("", "avatar.bin"),
            ("头像", "avatar.bin"),
            ("CON", "avatar_con.bin"),
        ] {
            assert_eq!(name(raw), expected, "{raw}");
        }
    }

    #[test]
    fn export_types_are_compared_by_their_words() {
        let is_same = |one: &str, other: &str| is_same_export_type(&ExportType::new(one), &ExportType::new(other));
        for (one, other) in
            [("glb", ".glb"), ("GLB", "glb "), ("blend", "Blender"), ("jpg", "jpeg"), ("头像", "头像"), ("a_b", "a-b")]
        {
            assert!(is_same(one, other) && is_same(other, one), "{one} {other}");
        }
        for (one, other) in [
            ("glb", "glb_lod1"),
            ("glb", "gltf"),
            ("fbx", "zip"),
            ("portrait", "png"),
            ("头", "像"),
            ("", "glb"),
            ("custom", "other"),
        ] {
            assert!(!is_same(one, other) && !is_same(other, one), "{one} {other}");
        }
    }

    #[test]
    fn equal_types_get_different_names() {
        let mut names = AssignedFileNames::default();
        let given: Vec<_> = ["glb", "GLB", "fbx", "glb", "fbx"]
            .iter()
            .map(|raw| names.assign_free_name_for_type(&ExportType::new(*raw)))
            .collect();
        assert_eq!(given, ["avatar.glb", "avatar-2.glb", "avatar_fbx.zip", "avatar-3.glb", "avatar_fbx-2.zip"]);
    }

    /// A response of 1 MiB has 20,000 entries. Their names are assigned on a thread that others wait for.
    #[test]
    fn names_of_many_equal_types_are_assigned_at_once() {
        let mut names = AssignedFileNames::default();
        let began = std::time::Instant::now();
        let last = (0..20_000).map(|_| names.assign_free_name_for_type(&ExportType::new("x"))).last();
        assert_eq!(last.as_deref(), Some("avatar_x-20000.bin"));
        // Minutes if every number is tried from 2 on.
        assert!(began.elapsed() < std::time::Duration::from_secs(20), "{:?}", began.elapsed());
    }

    proptest! {
        #[test]
        fn any_type_gets_a_safe_unique_name(raws in prop::collection::vec(".{0,80}|[a-z_. -]{0,12}", 1..40)) {
            let mut names = AssignedFileNames::default();
            let mut seen = HashSet::new();
            for raw in raws {
                let name = names.assign_free_name_for_type(&ExportType::new(&raw));
                prop_assert!(is_avatar_file_name(&name), "{name:?} of {raw:?}");
                prop_assert!(seen.insert(name.to_lowercase()), "{name:?} twice");
            }
        }

        #[test]
        fn a_path_is_never_accepted_as_a_name(name in ".*[/\\\\:\0].*") {
            prop_assert!(!is_avatar_file_name(&name));
        }
    }

    #[test]
    fn similar_names_are_not_accepted() {
        for bad in ["avatar", "avatar.", "avatar..", "avatar.glb.part", "Avatar.glb", "manifest.json", "avatar/../x.y"]
        {
            assert!(!is_avatar_file_name(bad), "{bad}");
        }
    }
}
