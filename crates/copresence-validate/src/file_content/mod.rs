//! Inspects downloaded files: whether the bytes are of the type that `export_type` says.

mod glb;
mod picture;
mod zip_archive;

pub use glb::GlbFacts;
pub use zip_archive::ZipFacts;

/// Result of inspecting a file. `Err` says why the file is not valid.
#[derive(Debug, Clone, PartialEq)]
pub enum FileInspection {
    /// Binary glTF.
    Glb(Result<GlbFacts, String>),
    /// A zip archive.
    Zip(Result<ZipFacts, String>),
    /// A PNG or JPEG picture, with width and height in pixels.
    Picture(Result<(u32, u32), String>),
    /// A Blender file.
    Blend(Result<(), String>),
    /// Any other type. Inspected only for error pages.
    Unknown(Result<(), String>),
}

impl FileInspection {
    /// Why the file is not valid, if it is not.
    pub fn invalid_reason(&self) -> Option<&str> {
        match self {
            Self::Glb(read) => read.as_ref().err(),
            Self::Zip(read) => read.as_ref().err(),
            Self::Picture(read) => read.as_ref().err(),
            Self::Blend(read) | Self::Unknown(read) => read.as_ref().err(),
        }
        .map(String::as_str)
    }

    /// What the file contains, as shown to people.
    pub fn describe_content(&self) -> String {
        match self {
            Self::Glb(Ok(facts)) => format!(
                "binary glTF: {} vertices, {} blendshapes, {} textures, {} joints",
                facts.vertices,
                facts.blendshapes.len(),
                facts.textures,
                facts.joints
            ),
            Self::Zip(Ok(facts)) => format!("zip archive: {}", facts.entry_names.join(", ")),
            Self::Picture(Ok((width, height))) => format!("picture: {width} × {height}"),
            Self::Blend(Ok(())) => "Blender file".to_owned(),
            Self::Unknown(Ok(())) => "of a type that is not inspected".to_owned(),
            other => other.invalid_reason().unwrap_or_default().to_owned(),
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

/// Inspects a downloaded file according to its `export_type`.
pub fn inspect_file(export_type: &str, bytes: &[u8]) -> FileInspection {
    let zip = bytes.starts_with(b"PK");
    match extension_for_export_type(export_type).as_str() {
        "glb" => FileInspection::Glb(glb::inspect_glb(bytes)),
        "zip" => FileInspection::Zip(zip_archive::inspect_zip(bytes, None)),
        // The vendor packs FBX as "a zip: `avatar.fbx` and a folder `textures/` of PNGs".
        "fbx" if !bytes.starts_with(b"Kaydara FBX Binary") => {
            FileInspection::Zip(zip_archive::inspect_zip(bytes, Some(".fbx")))
        }
        "obj" if zip => FileInspection::Zip(zip_archive::inspect_zip(bytes, Some(".obj"))),
        "png" => FileInspection::Picture(picture::decode_picture_size(bytes, image::ImageFormat::Png)),
        "jpg" => FileInspection::Picture(picture::decode_picture_size(bytes, image::ImageFormat::Jpeg)),
        "blend" => FileInspection::Blend(validate_blend(bytes)),
        _ => FileInspection::Unknown(reject_empty_or_web_page(bytes)),
    }
}

/// Accepts a Blender file, plain or compressed with gzip or Zstandard, by its first bytes.
fn validate_blend(bytes: &[u8]) -> Result<(), String> {
    let begins: [&[u8]; 3] = [b"BLENDER", b"\x1f\x8b", b"\x28\xb5\x2f\xfd"];
    if begins.iter().any(|begin| bytes.starts_with(begin)) {
        return Ok(());
    }
    Err("it does not start like a Blender file".to_owned())
}

/// Rejects an empty file and a web page.
fn reject_empty_or_web_page(bytes: &[u8]) -> Result<(), String> {
    if bytes.is_empty() {
        return Err("it is empty".to_owned());
    }
    let begin = String::from_utf8_lossy(&bytes[..bytes.len().min(64)]).trim_start().to_ascii_lowercase();
    if begin.starts_with("<!doctype html")
        || begin.starts_with("<html")
        || begin.starts_with("<?xml version") && begin.contains("<error")
    {
        return Err("it is a web page, not an avatar".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_type_is_inspected_by_its_own_format() {
        assert!(inspect_file("blender", b"BLENDER-v300").invalid_reason().is_none());
        assert!(inspect_file("blend", b"PK").invalid_reason().is_some());
        assert!(inspect_file("usdz", b"whatever").invalid_reason().is_none());
        assert!(inspect_file("usdz", b"").invalid_reason().is_some());
        assert!(inspect_file("usdz", b"<!DOCTYPE html><p>gone").invalid_reason().is_some());
        assert!(matches!(inspect_file(".GLB", b""), FileInspection::Glb(Err(_))));
        assert!(matches!(inspect_file("fbx", b"<html>"), FileInspection::Zip(Err(_))));
        assert!(matches!(inspect_file("png", b"\x89PNG"), FileInspection::Picture(Err(_))));
    }
}
