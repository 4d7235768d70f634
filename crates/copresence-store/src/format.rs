//! Detects the format of a file from its first bytes.

use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fmt;

/// Number of first bytes of a file that [`FileFormat::detect_file_format`] uses.
pub const HEAD_BYTES: usize = 4096;

/// The format of a file, detected from its content and independent of its name and type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FileFormat {
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
    /// An HTML page, or a part of one. In place of an asset a page is an error page.
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

impl FileFormat {
    /// Detects the format from the first [`HEAD_BYTES`] bytes of a file, or from all bytes of a shorter file.
    pub fn detect_file_format(head: &[u8]) -> Self {
        if head.is_empty() {
            return Self::Empty;
        }
        let magic = MAGIC_BYTES.iter().find(|(magic, _)| head.starts_with(magic));
        match magic {
            Some((_, format)) => *format,
            None if head.starts_with(b"RIFF") && head.get(8..12) == Some(b"WEBP") => Self::Webp,
            None => detect_text_format(head),
        }
    }

    /// Whether truncation can be detected in the content of a file of this format.
    pub fn is_truncation_detectable(self) -> bool {
        matches!(self, Self::Glb | Self::Png | Self::Webp | Self::Ktx2 | Self::Zip | Self::Blend)
    }

    /// The name in a manifest.
    pub fn as_manifest_name(self) -> &'static str {
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

    /// Parses the name of a format in a manifest. Unknown names are [`FileFormat::Unknown`].
    pub(crate) fn parse_format_name(word: &str) -> Self {
        use serde::de::{IntoDeserializer, value::Error};
        let word: serde::de::value::StrDeserializer<'_, Error> = word.into_deserializer();
        Self::deserialize(word).unwrap_or(Self::Unknown)
    }
}

impl fmt::Display for FileFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_manifest_name())
    }
}

/// The file length in bytes that the header of a GLB states. `None` if the file is not a GLB.
///
/// A shorter file is truncated, a longer one has additional data.
pub fn glb_stated_length(head: &[u8]) -> Option<u64> {
    let length = head.strip_prefix(b"glTF")?.get(4..8)?;
    Some(u64::from(u32::from_le_bytes(length.try_into().ok()?)))
}

/// Whether a content, or the beginning of one, is a text in UTF-8. Its last character may be cut off.
pub fn is_text(content: &[u8]) -> bool {
    let text = match std::str::from_utf8(content) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(&content[..error.valid_up_to()]).unwrap_or_default()
        }
        Err(_) => return false,
    };
    text.chars().all(|c| !c.is_control() || c.is_ascii_whitespace())
}

/// Whether a content is the start of a signature, and too short to be more.
pub(crate) fn is_truncated_format_signature(content: &[u8]) -> bool {
    let signatures = MAGIC_BYTES.iter().map(|(magic, _)| *magic).chain([b"RIFF".as_slice()]);
    !content.is_empty()
        && (content.starts_with(b"RIFF") && content.len() < RIFF_FORM_END
            || signatures.into_iter().any(|magic| magic.len() > content.len() && magic.starts_with(content)))
}

/// Length of the header of a RIFF file, such as WebP, which ends with its form, in bytes.
const RIFF_FORM_END: usize = 12;

/// Formats that are detected by their first bytes.
const MAGIC_BYTES: &[(&[u8], FileFormat)] = &[
    (b"glTF", FileFormat::Glb),
    (b"PK\x03\x04", FileFormat::Zip),
    (b"PK\x05\x06", FileFormat::Zip),
    (b"BLENDER", FileFormat::Blend),
    (b"\x1f\x8b", FileFormat::Gzip),
    (b"\x28\xb5\x2f\xfd", FileFormat::Zstd),
    (b"Kaydara FBX Binary", FileFormat::Fbx),
    (b"; FBX", FileFormat::Fbx),
    (b"PXR-USDC", FileFormat::Usd),
    (b"#usda", FileFormat::Usd),
    (b"\x89PNG\r\n\x1a\n", FileFormat::Png),
    (b"\xff\xd8\xff", FileFormat::Jpeg),
    (b"\xabKTX 20\xbb\r\n\x1a\n", FileFormat::Ktx2),
];

/// Whether a text is certainly an HTML document: a doctype says so, or its first element does. Comments and an XML declaration
/// may come before.
pub(crate) fn is_html_document(head: &[u8]) -> bool {
    let text = readable_text(head);
    let mut rest = text.trim_ascii_start();
    loop {
        let end: &[u8] = match rest {
            [b'<', b'!', b'-', b'-', ..] => b"-->",
            [b'<', b'?', ..] => b"?>",
            [b'<', b'!', ..] if starts_with_tag(rest, b"!doctype") => {
                let name = rest[b"<!doctype".len()..].trim_ascii_start();
                let is_html = name.get(..4).is_some_and(|start| start.eq_ignore_ascii_case(b"html"));
                if is_html && ends_tag_name(name.get(4)) {
                    return true;
                }
                b">"
            }
            [b'<', name @ ..] => {
                let Some(length) = name.iter().position(|byte| ends_tag_name(Some(byte))) else { return false };
                let local = name[..length].rsplit(|byte| *byte == b':').next().unwrap_or_default();
                return local.eq_ignore_ascii_case(b"html");
            }
            _ => return false,
        };
        let Some(at) = rest.windows(end.len()).position(|window| window == end) else { return false };
        rest = rest[at + end.len()..].trim_ascii_start();
    }
}

/// The text without a byte order mark, in UTF-8. The names of elements are ASCII: without its zero bytes, UTF-16 of either order
/// reads as UTF-8.
fn readable_text(head: &[u8]) -> Cow<'_, [u8]> {
    match head.strip_prefix(b"\xff\xfe").or_else(|| head.strip_prefix(b"\xfe\xff")) {
        Some(text) => text.iter().copied().filter(|byte| *byte != 0).collect::<Vec<u8>>().into(),
        None => head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).into(),
    }
}

/// Whether a text starts with a tag of this name.
fn starts_with_tag(text: &[u8], name: &[u8]) -> bool {
    text.strip_prefix(b"<").is_some_and(|rest| {
        rest.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name))
            && ends_tag_name(rest.get(name.len()))
    })
}

/// Whether the name of a tag ends before this byte. At the end of the received bytes it may go on.
fn ends_tag_name(next: Option<&u8>) -> bool {
    next.is_some_and(|byte| byte.is_ascii_whitespace() || matches!(byte, b'>' | b'/'))
}

/// Detects text formats, in UTF-8 or in UTF-16 with a byte order mark.
fn detect_text_format(head: &[u8]) -> FileFormat {
    if is_html_document(head) {
        return FileFormat::Html;
    }
    let text = readable_text(head);
    let text = text.trim_ascii_start();
    let starts = |word: &[u8]| text.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word));
    let has = |word: &[u8]| text.windows(word.len()).any(|window| window.eq_ignore_ascii_case(word));
    if starts(b"<?xml") || starts(b"<error") {
        return FileFormat::Xml;
    }
    let is_page_part = |name: &&[u8]| starts_with_tag(text, name);
    if [&b"head"[..], b"body", b"title", b"h1", b"script", b"style", b"meta"].iter().any(is_page_part) {
        return FileFormat::Html;
    }
    if starts(b"{") || starts(b"[") {
        let scene = has(b"\"asset\"") && (has(b"\"version\"") || has(b"\"scenes\"") || has(b"\"meshes\""));
        return if scene { FileFormat::Gltf } else { FileFormat::Json };
    }
    if starts_with_obj_statement(text) { FileFormat::Obj } else { FileFormat::Unknown }
}

/// Whether the first line that is not a comment is an OBJ statement.
fn starts_with_obj_statement(head: &[u8]) -> bool {
    const STATEMENTS: &[&[u8]] = &[b"v ", b"vn ", b"vt ", b"o ", b"g ", b"mtllib ", b"usemtl ", b"s "];
    first_line_without_comment(head).is_some_and(|line| STATEMENTS.iter().any(|statement| line.starts_with(statement)))
}

/// The first line of an OBJ or MTL text that is neither blank nor a comment, without white space before it.
pub(crate) fn first_line_without_comment(text: &[u8]) -> Option<&[u8]> {
    let mut lines = text.split(|byte| matches!(byte, b'\n' | b'\r')).map(<[u8]>::trim_ascii_start);
    lines.find(|line| !line.is_empty() && !line.starts_with(b"#"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLES: &[(&[u8], FileFormat)] = &[
        (b"", FileFormat::Empty),
        (b"glTF\x02\0\0\0\x10\0\0\0", FileFormat::Glb),
        (b"{\"asset\": {\"version\": \"2.0\"}}", FileFormat::Gltf),
        (b"{\"error\": \"gone\"}", FileFormat::Json),
        (b"PK\x03\x04rest", FileFormat::Zip),
        (b"BLENDER-v403", FileFormat::Blend),
        (b"BLENDER17-01v0500", FileFormat::Blend),
        (b"\x1f\x8b\x08", FileFormat::Gzip),
        (b"\x28\xb5\x2f\xfd\0", FileFormat::Zstd),
        (b"Kaydara FBX Binary  \0\x1a\0", FileFormat::Fbx),
        (b"; FBX 7.4.0 project file", FileFormat::Fbx),
        (b"# made by\r\n\r\nmtllib avatar.mtl\r\n", FileFormat::Obj),
        (b"v 0.1 0.2 0.3\n", FileFormat::Obj),
        (b"PXR-USDC\0", FileFormat::Usd),
        (b"\x89PNG\r\n\x1a\n\0", FileFormat::Png),
        (b"\xff\xd8\xff\xe0", FileFormat::Jpeg),
        (b"RIFF\x10\0\0\0WEBPVP8 ", FileFormat::Webp),
        (b"\xabKTX 20\xbb\r\n\x1a\n", FileFormat::Ktx2),
        (b"\xef\xbb\xbf\n <!DOCTYPE HTML PUBLIC>", FileFormat::Html),
        (b"<HTML><body>", FileFormat::Html),
        (b"\xff\xfe<\0h\0t\0m\0l\0>\0", FileFormat::Html),
        (b"\xfe\xff\0<\0h\0t\0m\0l\0>", FileFormat::Html),
        (b"<?xml version=\"1.0\"?><html>", FileFormat::Html),
        (b"<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code>", FileFormat::Xml),
        (b"<?xml version=\"1.0\"?><!-- x --><!DOCTYPE html PUBLIC><x:html>", FileFormat::Html),
        (b"<head><title>503", FileFormat::Html),
        (b"<h1>503</h1>", FileFormat::Html),
        (b"<?xml version=\"1.0\"?><htmlLabel/>", FileFormat::Xml),
        (b"<?xml version=\"1.0\"?><avatar><html/></avatar>", FileFormat::Xml),
        (b"<bodyMeasurements unit=\"cm\"/>", FileFormat::Unknown),
        (b"<headRig/>", FileFormat::Unknown),
        (b"<html", FileFormat::Unknown),
        (b"<titles/>", FileFormat::Unknown),
        (b"<HeadPose><htmlLabel/></HeadPose>", FileFormat::Unknown),
        (b"plain words", FileFormat::Unknown),
        (b"\0\0\0\0", FileFormat::Unknown),
    ];

    #[test]
    fn formats_are_detected_from_the_content() {
        for (head, format) in SAMPLES {
            assert_eq!(FileFormat::detect_file_format(head), *format, "{:?}", String::from_utf8_lossy(head));
        }
    }

    #[test]
    fn names_are_parsed_and_unknown_ones_are_accepted() {
        for (_, format) in SAMPLES {
            assert_eq!(FileFormat::parse_format_name(format.as_manifest_name()), *format);
            assert_eq!(serde_json::to_string(format).expect("JSON"), format!("\"{format}\""));
        }
        assert_eq!(serde_json::from_str::<FileFormat>("\"of-a-later-version\"").ok(), Some(FileFormat::Unknown));
    }

    #[test]
    fn the_stated_length_of_a_glb_is_read() {
        assert_eq!(glb_stated_length(b"glTF\x02\0\0\0\x10\x01\0\0JSON"), Some(0x110));
        assert_eq!(glb_stated_length(b"glTF\x02\0"), None);
        assert_eq!(glb_stated_length(b"PK\x03\x04\x02\0\0\0\x10\x01\0\0"), None);
    }
}
