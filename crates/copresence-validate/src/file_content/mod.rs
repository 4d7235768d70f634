//! Inspects downloaded files: whether the bytes are of the type that `export_type` says.
//!
//! The files come from strangers. Each inspection is bounded in memory and in work by the limits of its module, and its
//! arithmetic on numbers from the file is checked.
#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

mod gltf;
mod picture;
mod timed_inspection;
mod zip_archive;

#[cfg(test)]
mod generated_file_tests;
#[cfg(test)]
mod hostile_file_tests;
#[cfg(test)]
mod test_files;

pub use gltf::GltfFacts;
pub(crate) use timed_inspection::{INSPECTION_TIME_LIMIT, TimeLimitedInspections};
pub use zip_archive::ZipFacts;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Maximum length of a reason, in characters. Messages of parsers quote the file.
const MAX_REASON_LEN: usize = 500;
/// Maximum number of names from a file that a message lists.
const MAX_LISTED_NAMES: usize = 10;
/// Maximum length of a listed name, in characters.
pub(crate) const MAX_LISTED_NAME_LEN: usize = 100;

/// Content of a valid file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FileContent {
    /// Binary glTF, also as VRM.
    Glb(GltfFacts),
    /// glTF as JSON with all its data.
    Gltf(GltfFacts),
    /// A zip archive.
    Zip(ZipFacts),
    /// A PNG or JPEG picture, with width and height in pixels.
    Picture(u32, u32),
    /// A Blender file.
    Blend,
    /// Any other type. Inspected only for error pages.
    Unknown,
}

/// Why a file has no [`FileContent`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum InspectionError {
    /// The file is not valid; the reason.
    #[error("{0}")]
    Invalid(String),
    /// The file exceeds a limit of the inspection, or the inspection failed. The file may be valid.
    #[error("could not be examined: {0}")]
    NotExamined(String),
}

impl From<String> for InspectionError {
    fn from(reason: String) -> Self {
        Self::Invalid(reason)
    }
}

impl From<&str> for InspectionError {
    fn from(reason: &str) -> Self {
        Self::Invalid(reason.to_owned())
    }
}

impl InspectionError {
    /// The error of a file that exceeds a limit of the inspection.
    fn limit_exceeded(reason: impl Into<String>) -> Self {
        Self::NotExamined(reason.into())
    }

    /// Applies a change to the reason.
    pub(crate) fn map_reason(self, change: impl FnOnce(String) -> String) -> Self {
        match self {
            Self::Invalid(reason) => Self::Invalid(change(reason)),
            Self::NotExamined(reason) => Self::NotExamined(change(reason)),
        }
    }

    /// Puts the part of the file in front of the reason.
    fn in_part(self, part: impl std::fmt::Display) -> Self {
        self.map_reason(|reason| format!("{part}: {reason}"))
    }
}

impl FileContent {
    /// What the file contains, as shown to people.
    pub fn describe_content(&self) -> String {
        match self {
            Self::Glb(facts) => format!("binary glTF: {}", facts.describe_model()),
            Self::Gltf(facts) => format!("glTF: {}", facts.describe_model()),
            Self::Zip(facts) => format!("zip archive: {}", facts.describe_entries()),
            Self::Picture(width, height) => format!("picture: {width} × {height}"),
            Self::Blend => "Blender file".to_owned(),
            Self::Unknown => "of a type that is not inspected".to_owned(),
        }
    }

    /// The glTF model that the reveal shows, also in an archive.
    pub(crate) fn shown_model(&self) -> Option<&GltfFacts> {
        match self {
            Self::Glb(facts) | Self::Gltf(facts) => Some(facts),
            Self::Zip(facts) => facts.model_shown_in_reveal(),
            Self::Picture(..) | Self::Blend | Self::Unknown => None,
        }
    }

    /// What is unusual about the file, though it is valid. Some programs may not understand it.
    pub fn notes(&self) -> &[String] {
        match self {
            Self::Glb(facts) | Self::Gltf(facts) => &facts.notes,
            Self::Zip(facts) => &facts.notes,
            Self::Picture(..) | Self::Blend | Self::Unknown => &[],
        }
    }
}

/// The file extension that an `export_type` stands for. Spec: "usually indicating file extension".
pub(crate) fn extension_for_export_type(export_type: &str) -> String {
    let word = export_type.trim().trim_start_matches('.').to_ascii_lowercase();
    match word.as_str() {
        "blender" => "blend".to_owned(),
        "jpeg" => "jpg".to_owned(),
        _ => word,
    }
}

/// Inspects a downloaded file according to its `export_type`. Blocks while it reads the file.
///
/// # Errors
/// [`InspectionError`] if the file is not valid, or exceeds a limit of the inspection.
pub fn inspect_file(export_type: &str, bytes: &[u8]) -> Result<FileContent, InspectionError> {
    let zip = bytes.starts_with(b"PK");
    let inspected = match extension_for_export_type(export_type).as_str() {
        // VRM is binary glTF with extensions.
        "glb" | "vrm" => gltf::inspect_binary_gltf(bytes).map(FileContent::Glb),
        "gltf" if zip => zip_archive::inspect_zip(bytes, &[".gltf", ".glb"]).map(FileContent::Zip),
        "gltf" if bytes.starts_with(b"glTF") => gltf::inspect_binary_gltf(bytes).map(FileContent::Glb),
        "gltf" => gltf::inspect_json_gltf(bytes, &mut refuse_other_file).map(FileContent::Gltf),
        "zip" => zip_archive::inspect_zip(bytes, &[]).map(FileContent::Zip),
        // The vendor packs FBX as "a zip: `avatar.fbx` and a folder `textures/` of PNGs".
        "fbx" if !bytes.starts_with(b"Kaydara FBX Binary") => {
            zip_archive::inspect_zip(bytes, &[".fbx"]).map(FileContent::Zip)
        }
        "obj" if zip => zip_archive::inspect_zip(bytes, &[".obj"]).map(FileContent::Zip),
        "png" => inspect_picture(bytes, image::ImageFormat::Png),
        "jpg" => inspect_picture(bytes, image::ImageFormat::Jpeg),
        "blend" => validate_blend(bytes).map(|()| FileContent::Blend),
        _ => reject_empty_or_web_page(bytes).map(|()| FileContent::Unknown),
    };
    inspected.map_err(|error| error.map_reason(|reason| shorten_text(&reason, MAX_REASON_LEN)))
}

/// Refuses a file beside a document, because it is not downloaded with it.
fn refuse_other_file(name: &str) -> Result<Vec<u8>, InspectionError> {
    Err(InspectionError::Invalid(format!("it refers to another file, {name:?}")))
}

fn inspect_picture(bytes: &[u8], format: image::ImageFormat) -> Result<FileContent, InspectionError> {
    picture::decode_picture_size(bytes, format).map(|(width, height)| FileContent::Picture(width, height))
}

/// Cuts a text to `max` characters, and marks the cut.
pub(crate) fn shorten_text(text: &str, max: usize) -> String {
    match text.char_indices().nth(max) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// Validates the first bytes of a Blender file, plain or compressed with gzip or Zstandard.
fn validate_blend(bytes: &[u8]) -> Result<(), InspectionError> {
    let begins: [&[u8]; 3] = [b"BLENDER", b"\x1f\x8b", b"\x28\xb5\x2f\xfd"];
    if begins.iter().any(|begin| bytes.starts_with(begin)) {
        return Ok(());
    }
    Err("it does not start like a Blender file".into())
}

/// Rejects an empty file and a web page.
fn reject_empty_or_web_page(bytes: &[u8]) -> Result<(), InspectionError> {
    if bytes.is_empty() {
        return Err("it is empty".into());
    }
    let begin = String::from_utf8_lossy(&bytes[..bytes.len().min(64)]).trim_start().to_ascii_lowercase();
    if begin.starts_with("<!doctype html")
        || begin.starts_with("<html")
        || begin.starts_with("<?xml version") && begin.contains("<error")
    {
        return Err("it is a web page, not an avatar".into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_type_is_inspected_by_its_own_format() {
        assert_eq!(inspect_file("blender", b"BLENDER-v300"), Ok(FileContent::Blend));
        assert!(inspect_file("blend", b"PK").is_err());
        assert_eq!(inspect_file("usdz", b"whatever"), Ok(FileContent::Unknown));
        assert!(inspect_file("usdz", b"").is_err());
        assert!(inspect_file("usdz", b"<!DOCTYPE html><p>gone").is_err());
        let reason = |export_type, bytes: &[u8]| inspect_file(export_type, bytes).expect_err("invalid").to_string();
        assert!(reason(".GLB", b"").contains("glTF"));
        assert!(reason("fbx", b"<html>").contains("zip archive"));
        assert!(reason("png", b"\x89PNG").contains("decoded"));
    }

    #[test]
    fn reason_that_quotes_the_file_is_shortened() {
        let long = format!("it is {}", "ü".repeat(MAX_REASON_LEN));
        assert_eq!(shorten_text(&long, MAX_REASON_LEN).chars().count(), MAX_REASON_LEN + 1);
        assert_eq!(shorten_text("short", MAX_REASON_LEN), "short");
    }
}
