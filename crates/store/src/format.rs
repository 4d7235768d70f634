//! Detects the format of a file from its first bytes.

use crate::names::known_word;
use protocol::ExportType;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Number of first bytes of a file that [`FileFormat::detect`] uses.
pub const HEAD: usize = 4096;

/// The format of a file, detected from its content and independent of its name and type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Binary glTF.
    Glb,
    /// glTF as JSON.
    Gltf,
    /// A zip archive, for example an FBX or OBJ export, or USDZ.
    Zip,
    /// An uncompressed Blender file.
    Blend,
    /// gzip. Blender files before 3.0 may be compressed with it.
    Gzip,
    /// Zstandard. Blender files since 3.0 may be compressed with it.
    Zstd,
    /// FBX, binary or text.
    Fbx,
    /// Wavefront OBJ.
    Obj,
    /// Universal Scene Description, binary or text.
    Usd,
    /// PNG.
    Png,
    /// JPEG.
    Jpeg,
    /// WebP.
    Webp,
    /// Khronos texture container 2.
    Ktx2,
    /// An HTML page. In place of an asset it is an error page.
    Html,
    /// XML. In place of an asset it is an error of an object store.
    Xml,
    /// JSON other than glTF.
    Json,
    /// No bytes.
    Empty,
    /// Any other format.
    #[serde(other)]
    Unknown,
}

impl Format {
    /// Detects the format from the first [`HEAD_BYTES`] bytes of a file, or from all bytes of a shorter file.
    pub fn detect(head: &[u8]) -> Self {
        if head.is_empty() {
            return Self::Empty;
        }
        let magic = MAGIC.iter().find(|(magic, _)| head.starts_with(magic));
        match magic {
            Some((_, format)) => *format,
            None if head.starts_with(b"RIFF") && head.get(8..12) == Some(b"WEBP") => Self::Webp,
            None => text(head),
        }
    }

    /// The name in a manifest.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Glb => "glb",
            Self::Gltf => "gltf",
            Self::Zip => "zip",
            Self::Blend => "blend",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
            Self::Fbx => "fbx",
            Self::Obj => "obj",
            Self::Usd => "usd",
            Self::Png => "png",
            Self::Jpeg => "jpeg",
            Self::Webp => "webp",
            Self::Ktx2 => "ktx2",
            Self::Html => "html",
            Self::Xml => "xml",
            Self::Json => "json",
            Self::Empty => "empty",
            Self::Unknown => "unknown",
        }
    }

    /// Parses a name. Unknown names are [`FileFormat::Unknown`].
    pub(crate) fn from_word(word: &str) -> Self {
        use serde::de::{IntoDeserializer, value::Error};
        let word: serde::de::value::StrDeserializer<'_, Error> = word.into_deserializer();
        Self::deserialize(word).unwrap_or(Self::Unknown)
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Whether a format contradicts an export type, for example an error page in place of a GLB.
///
/// An unknown type is contradicted only by an empty file or a web page.
pub fn contradicts(export_type: &ExportType, format: Format) -> bool {
    use Format as F;
    if format == F::Empty {
        return true;
    }
    let raw = export_type.as_str().to_ascii_lowercase();
    let Some(word) = known_word(export_type) else {
        return matches!(format, F::Html | F::Xml) && !raw.contains("html") && !raw.contains("xml");
    };
    let possible: &[Format] = match word {
        "glb" | "vrm" => &[F::Glb],
        "gltf" => &[F::Gltf, F::Glb, F::Json, F::Zip],
        "fbx" => &[F::Zip, F::Fbx],
        "obj" => &[F::Zip, F::Obj, F::Unknown],
        "blend" | "blender" => &[F::Blend, F::Gzip, F::Zstd, F::Zip],
        "usdz" | "usd" | "usda" | "usdc" => &[F::Zip, F::Usd],
        "zip" => &[F::Zip],
        "json" => &[F::Json, F::Gltf],
        "ktx2" => &[F::Ktx2],
        // An image of another type can still be shown.
        "png" | "jpg" | "jpeg" | "webp" | "portrait" | "thumbnail" | "preview" => &[F::Png, F::Jpeg, F::Webp],
        _ => return matches!(format, F::Html | F::Xml | F::Json),
    };
    !possible.contains(&format)
}

/// The file length in bytes that the header of a GLB states. `None` if the file is not a GLB.
///
/// A file with another length is truncated or has additional data.
pub fn glb_length(head: &[u8]) -> Option<u64> {
    let length = head.strip_prefix(b"glTF")?.get(4..8)?;
    Some(u64::from(u32::from_le_bytes(length.try_into().ok()?)))
}

/// Formats that are detected by their first bytes.
const MAGIC: &[(&[u8], Format)] = &[
    (b"glTF", Format::Glb),
    (b"PK\x03\x04", Format::Zip),
    (b"PK\x05\x06", Format::Zip),
    (b"BLENDER", Format::Blend),
    (b"\x1f\x8b", Format::Gzip),
    (b"\x28\xb5\x2f\xfd", Format::Zstd),
    (b"Kaydara FBX Binary", Format::Fbx),
    (b"; FBX", Format::Fbx),
    (b"PXR-USDC", Format::Usd),
    (b"#usda", Format::Usd),
    (b"\x89PNG\r\n\x1a\n", Format::Png),
    (b"\xff\xd8\xff", Format::Jpeg),
    (b"\xabKTX 20\xbb\r\n\x1a\n", Format::Ktx2),
];

/// Detects text formats.
fn text(head: &[u8]) -> Format {
    let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
    let starts = |word: &[u8]| head.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word));
    let has = |word: &[u8]| head.windows(word.len()).any(|window| window.eq_ignore_ascii_case(word));
    if starts(b"<!doctype html") || starts(b"<html") || (starts(b"<") && has(b"<html")) {
        return Format::Html;
    }
    if starts(b"<?xml") || starts(b"<error") {
        return Format::Xml;
    }
    if starts(b"<head") || starts(b"<body") || starts(b"<title") || starts(b"<h1") {
        return Format::Html;
    }
    if starts(b"{") || starts(b"[") {
        let scene = has(b"\"asset\"") && (has(b"\"version\"") || has(b"\"scenes\"") || has(b"\"meshes\""));
        return if scene { Format::Gltf } else { Format::Json };
    }
    if obj(head) { Format::Obj } else { Format::Unknown }
}

/// Whether the first line that is not a comment is an OBJ statement.
fn obj(head: &[u8]) -> bool {
    const STATEMENTS: &[&[u8]] = &[b"v ", b"vn ", b"vt ", b"o ", b"g ", b"mtllib ", b"usemtl ", b"s "];
    let mut lines = head.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii_start);
    lines
        .find(|line| !line.is_empty() && !line.starts_with(b"#"))
        .is_some_and(|line| STATEMENTS.iter().any(|statement| line.starts_with(statement)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLES: &[(&[u8], Format)] = &[
        (b"", Format::Empty),
        (b"glTF\x02\0\0\0\x10\0\0\0", Format::Glb),
        (b"{\"asset\": {\"version\": \"2.0\"}}", Format::Gltf),
        (b"{\"error\": \"gone\"}", Format::Json),
        (b"PK\x03\x04rest", Format::Zip),
        (b"BLENDER-v403", Format::Blend),
        (b"BLENDER17-01v0500", Format::Blend),
        (b"\x1f\x8b\x08", Format::Gzip),
        (b"\x28\xb5\x2f\xfd\0", Format::Zstd),
        (b"Kaydara FBX Binary  \0\x1a\0", Format::Fbx),
        (b"; FBX 7.4.0 project file", Format::Fbx),
        (b"# made by\r\n\r\nmtllib avatar.mtl\r\n", Format::Obj),
        (b"v 0.1 0.2 0.3\n", Format::Obj),
        (b"PXR-USDC\0", Format::Usd),
        (b"\x89PNG\r\n\x1a\n\0", Format::Png),
        (b"\xff\xd8\xff\xe0", Format::Jpeg),
        (b"RIFF\x10\0\0\0WEBPVP8 ", Format::Webp),
        (b"\xabKTX 20\xbb\r\n\x1a\n", Format::Ktx2),
        (b"\xef\xbb\xbf\n <!DOCTYPE HTML PUBLIC>", Format::Html),
        (b"<HTML><body>", Format::Html),
        (b"<?xml version=\"1.0\"?><html>", Format::Html),
        (b"<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code>", Format::Xml),
        (b"plain words", Format::Unknown),
        (b"\0\0\0\0", Format::Unknown),
    ];

    #[test]
    fn formats_are_detected_from_the_content() {
        for (head, format) in SAMPLES {
            assert_eq!(Format::detect(head), *format, "{:?}", String::from_utf8_lossy(head));
        }
    }

    #[test]
    fn names_are_parsed_and_unknown_ones_are_accepted() {
        for (_, format) in SAMPLES {
            assert_eq!(Format::from_word(format.as_str()), *format);
            assert_eq!(serde_json::to_string(format).expect("JSON"), format!("\"{format}\""));
        }
        assert_eq!(serde_json::from_str::<Format>("\"of-a-later-version\"").ok(), Some(Format::Unknown));
    }

    #[test]
    fn an_error_page_contradicts_every_asset_type() {
        for raw in ["glb", "gltf", "fbx", "obj", "blend", "png", "portrait", "usdz", "stl", "custom", ""] {
            for page in [Format::Html, Format::Xml, Format::Empty] {
                assert!(contradicts(&ExportType::new(raw), page), "{raw} {page}");
            }
        }
        assert!(contradicts(&ExportType::new("GLB"), Format::Json));
        assert!(contradicts(&ExportType::new("glb_lod1"), Format::Unknown));
    }

    #[test]
    fn possible_formats_of_a_type_do_not_contradict_it() {
        for (raw, format) in [
            ("glb", Format::Glb),
            ("fbx", Format::Zip),
            ("fbx", Format::Fbx),
            ("blend", Format::Zstd),
            ("Blender", Format::Gzip),
            ("obj", Format::Zip),
            ("png", Format::Jpeg),
            ("custom", Format::Unknown),
            ("report_html", Format::Html),
            ("stl", Format::Unknown),
        ] {
            assert!(!contradicts(&ExportType::new(raw), format), "{raw} {format}");
        }
    }

    #[test]
    fn the_stated_length_of_a_glb_is_read() {
        assert_eq!(glb_length(b"glTF\x02\0\0\0\x10\x01\0\0JSON"), Some(0x110));
        assert_eq!(glb_length(b"glTF\x02\0"), None);
        assert_eq!(glb_length(b"PK\x03\x04\x02\0\0\0\x10\x01\0\0"), None);
    }
}
