//! Compares the content of a file with its export type. Refused are only error pages, empty files and files that their
//! own structure shows to be truncated; anything else is kept.

use crate::file_names::first_known_export_type_word;
use crate::file_note::SavedFileNote;
use crate::format::{FileFormat, HEAD_BYTES, is_text};
use crate::partial_file::CompleteFile;
use copresence_protocol::ExportType;

/// The first known word of an export type, the formats that it may have, and whether all of them are binary, so that a
/// short text in its place is an error message.
const EXPECTED: &[(&[&str], &[FileFormat], bool)] = &[
    (&["glb", "vrm"], &[FileFormat::Glb], true),
    (&["gltf"], &[FileFormat::Gltf, FileFormat::Glb, FileFormat::Json, FileFormat::Zip], false),
    (&["fbx"], &[FileFormat::Zip, FileFormat::Fbx], false),
    (&["obj"], &[FileFormat::Zip, FileFormat::Obj], false),
    (&["blend", "blender"], &[FileFormat::Blend, FileFormat::Gzip, FileFormat::Zstd, FileFormat::Zip], true),
    (&["usdz"], &[FileFormat::Zip, FileFormat::Usd], true),
    (&["usd", "usda", "usdc"], &[FileFormat::Zip, FileFormat::Usd], false),
    (&["zip"], &[FileFormat::Zip], true),
    (&["json"], &[FileFormat::Json, FileFormat::Gltf], false),
    (&["ktx2"], &[FileFormat::Ktx2], true),
    // An image of another type can still be shown.
    (
        &["png", "jpg", "jpeg", "webp", "portrait", "thumbnail", "preview"],
        &[FileFormat::Png, FileFormat::Jpeg, FileFormat::Webp],
        true,
    ),
    // STL and PLY are binary or text, and have no reliable signature.
    (&["stl", "ply"], &[FileFormat::Unknown], false),
];

/// Maximum size of a text that may be a message of a server, in bytes.
const MAX_SERVER_MESSAGE_BYTES: u64 = 512;

/// What was sent in place of an export, as in `an HTML page`; `None` if the content may be one. `head` is the start of
/// the content without its encoding, at most [`HEAD_BYTES`] of it, and `is_whole` whether that is all.
pub fn detect_error_page(export_type: &ExportType, head: &[u8], is_whole: bool) -> Option<&'static str> {
    let word = first_known_export_type_word(export_type);
    let expected = EXPECTED.iter().find(|(words, ..)| word.is_some_and(|word| words.contains(&word)));
    match FileFormat::detect_file_format(head) {
        FileFormat::Empty if is_whole => Some("an empty file"),
        // A type whose name says that it is a page or a document may be one.
        FileFormat::Html if !is_unknown_export_type_with_word(export_type, word, "html") => Some("an HTML page"),
        FileFormat::Xml if has_xml_error_root(head) && !is_unknown_export_type_with_word(export_type, word, "xml") => {
            Some("an error in XML")
        }
        FileFormat::Json if expected.is_some() && word != Some("json") && is_whole && is_json_error(head) => {
            Some("an error in JSON")
        }
        FileFormat::Json | FileFormat::Unknown
            if expected.is_some_and(|(.., is_binary)| *is_binary) && is_whole && is_text(head) =>
        {
            Some("a short text")
        }
        _ => None,
    }
}

/// Checks a complete file, and adds a note to it if its content is not what its export type suggests.
///
/// # Errors
/// Why the file is not an export: it is empty, truncated, or an error page. A sentence for the manifest.
pub fn check_and_annotate_content(export_type: &ExportType, mut file: CompleteFile) -> Result<CompleteFile, String> {
    if let Some(defect) = &file.integrity_defect {
        return Err(defect.clone());
    }
    if let Some(page) = detect_error_page(export_type, &file.head, file.bytes <= HEAD_BYTES as u64) {
        return Err(format!("the server sent {page} instead of {export_type}"));
    }
    if file.doubt.is_none() && file.bytes <= MAX_SERVER_MESSAGE_BYTES && may_be_server_message(export_type, &file) {
        file.doubt = Some(format!("its content is a short text, which may be a message in place of {export_type}"));
    }
    let word = first_known_export_type_word(export_type);
    let expected = EXPECTED.iter().find(|(words, ..)| word.is_some_and(|word| words.contains(&word)));
    if file.doubt.is_none()
        && expected.is_some_and(|(_, formats, is_binary)| *is_binary && !formats.contains(&file.format))
        && matches!(file.format, FileFormat::Json | FileFormat::Xml | FileFormat::Unknown)
        && is_text(&file.head)
    {
        file.doubt = Some(format!("its content is a text, which {export_type} is not"));
    }
    if let Some((_, formats, _)) = expected
        && !formats.contains(&file.format)
    {
        let what = match file.format {
            FileFormat::Unknown => "its content has no known signature".to_owned(),
            format => format!("its content is {format}"),
        };
        file.notes
            .push(SavedFileNote::note_of_unexpected_format(format!("{what}, although its type is {export_type}")));
    }
    Ok(file)
}

/// Whether a short file may be a message of a server in place of the export, without proof.
fn may_be_server_message(export_type: &ExportType, file: &CompleteFile) -> bool {
    match file.format {
        FileFormat::Json => is_json_error(&file.head),
        FileFormat::Unknown if matches!(first_known_export_type_word(export_type), Some("stl" | "ply")) => {
            is_text(&file.head) && !file.head.starts_with(b"solid") && !file.head.starts_with(b"ply")
        }
        FileFormat::Unknown => is_text(&file.head),
        _ => false,
    }
}

/// Whether the export type contains `word`, and none of its words is a known type.
fn is_unknown_export_type_with_word(export_type: &ExportType, known_word: Option<&str>, word: &str) -> bool {
    known_word.is_none() && export_type.as_str().to_ascii_lowercase().contains(word)
}

/// Whether the XML root element suggests an error: its name contains `error`, `fault`, `exception`, `envelope` or
/// `html`.
fn has_xml_error_root(head: &[u8]) -> bool {
    let text = String::from_utf8_lossy(head).to_ascii_lowercase();
    let elements = text.split('<').skip(1).filter(|tag| !tag.starts_with(['?', '!']));
    let root = elements.map(|tag| tag.split([' ', '>', '/', '\t', '\r', '\n']).next().unwrap_or_default()).next();
    root.is_some_and(|root| ["error", "fault", "exception", "envelope", "html"].iter().any(|word| root.contains(word)))
}

/// Whether the content is a JSON object with a name that errors have, such as `error`, `code` or `message`, and without
/// `asset`.
fn is_json_error(content: &[u8]) -> bool {
    const NAMES: [&str; 9] =
        ["error", "errors", "Error", "code", "message", "Message", "fault", "detail", "statusCode"];
    serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(content)
        .is_ok_and(|object| NAMES.iter().any(|name| object.contains_key(*name)) && !object.contains_key("asset"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Sha256Digest;

    fn create_complete_file(content: &[u8]) -> CompleteFile {
        CompleteFile {
            name: "avatar.bin".to_owned(),
            bytes: content.len() as u64,
            sha256: Sha256Digest::sha256_of_bytes(content),
            format: FileFormat::detect_file_format(&content[..content.len().min(HEAD_BYTES)]),
            integrity_defect: None,
            doubt: None,
            notes: Vec::new(),
            head: content[..content.len().min(HEAD_BYTES)].to_vec(),
        }
    }

    fn check(raw: &str, content: &[u8]) -> Result<Vec<String>, String> {
        let file = create_complete_file(content);
        let notes = |file: CompleteFile| file.notes.into_iter().map(|note| note.code).collect();
        check_and_annotate_content(&ExportType::new(raw), file).map(notes)
    }

    #[test]
    fn error_pages_and_empty_files_are_refused() {
        for raw in ["glb", "gltf", "fbx", "obj", "blend", "png", "portrait", "usdz", "stl", "custom", ""] {
            for page in [
                &b""[..],
                b"<!doctype html><title>Sorry</title>",
                b"<html><body>502",
                b"\xff\xfe<\0h\0t\0m\0l\0>\0",
                b"<?xml version=\"1.0\"?>\n<Error><Code>AccessDenied</Code></Error>",
                b"<?xml version=\"1.0\"?><!-- x --><soap:Envelope xmlns=\"x\"/>",
            ] {
                assert!(check(raw, page).is_err(), "{raw} {}", String::from_utf8_lossy(page));
            }
        }
        for raw in ["glb", "fbx", "gltf", "zip", "png", "stl"] {
            let error = check(raw, b"{\"code\":101,\"error\":\"Object not found.\"}").expect_err(raw);
            assert_eq!(error, format!("the server sent an error in JSON instead of {raw}"));
        }
        for raw in ["glb", "vrm", "png", "zip", "blend", "usdz"] {
            assert!(check(raw, b"Not Found\n").is_err() && check(raw, b"[]").is_err(), "{raw}");
        }
    }

    /// Case: ASCII FBX without the usual comment; any unknown content under a known type.
    #[test]
    fn unknown_content_is_kept_with_a_note() {
        for (raw, content) in [
            ("fbx", &b"FBXHeaderExtension:  {\n\tFBXHeaderVersion: 1003\n}\n"[..]),
            ("glb", b"\0\x01\x02 a later format"),
            ("glb", b"PK\x03\x04 a zip archive"),
            ("glb", b"\x1f\x8b\x08 a compressed file"),
            ("glb", b"{\"asset\": {\"version\": \"2.0\"}}"),
            ("glb_lod1", b"\xff\0"),
            ("png", b"glTF\x02\0\0\0"),
            ("obj", b"call other.obj\n"),
            ("usdz", b"<?xml version=\"1.0\"?><COLLADA/>"),
            ("blend", b"\x00BLENDER of a later version"),
        ] {
            assert_eq!(check(raw, content), Ok(vec!["unknown_content".to_owned()]), "{raw}");
        }
        // Longer than a message.
        let long = "text ".repeat(HEAD_BYTES);
        assert_eq!(check("glb", long.as_bytes()), Ok(vec!["unknown_content".to_owned()]));
    }

    #[test]
    fn short_text_that_may_be_a_message_is_doubtful() {
        let doubt = |raw: &str, content: &[u8]| {
            let file = create_complete_file(content);
            check_and_annotate_content(&ExportType::new(raw), file).expect("kept").doubt
        };
        let busy = b"Service temporarily unavailable, please retry";
        for raw in ["fbx", "obj", "usd", "stl", "ply", "gltf", "json", "", "blendshapes"] {
            assert!(doubt(raw, busy).is_some(), "{raw}");
        }
        assert!(doubt("blendshapes", b"{\"error\": \"internal error, try again\"}").is_some());
        for (raw, content) in [
            ("stl", &b"solid words"[..]),
            ("ply", b"ply\nformat ascii 1.0\n"),
            ("obj", b"v 0 0 0\n"),
            ("blendshapes", b"{\"jawOpen\": 0.5}"),
            ("custom", b"\0\x01binary"),
        ] {
            assert_eq!(doubt(raw, content), None, "{raw}");
        }
        assert_eq!(doubt("custom", "text ".repeat(200).as_bytes()), None, "longer than a message");
        // However long, it is no model of a binary type.
        let umlauts = "ü".repeat(HEAD_BYTES);
        for long in [format!("{{\"portal\": \"{umlauts}\"}}"), umlauts.clone(), format!("x{umlauts}")] {
            assert!(doubt("glb", long.as_bytes()).is_some() && doubt("png", long.as_bytes()).is_some());
            assert_eq!(doubt("fbx", long.as_bytes()), None, "it may be one in text");
        }
        let scene = format!("{{\"asset\": {{\"version\": \"2.0\"}}, \"extras\": \"{umlauts}\"}}");
        assert_eq!(doubt("glb", scene.as_bytes()), None, "a model");
    }

    #[test]
    fn expected_content_has_no_note() {
        for (raw, content) in [
            ("glb", &b"glTF\x02\0\0\0\x10\0\0\0"[..]),
            ("fbx", b"PK\x03\x04"),
            ("fbx", b"; FBX 7.4.0 project file"),
            ("blend", b"\x28\xb5\x2f\xfd\0"),
            ("Blender", b"\x1f\x8b\x08"),
            ("obj", b"v 0 0 0\n"),
            ("png", b"\xff\xd8\xff\xe0"),
            ("stl", b"solid words"),
            ("custom", b"plain words"),
            ("custom", b"{\"code\": 7}"),
            ("dae", b"<?xml version=\"1.0\"?><COLLADA/>"),
            ("report_html", b"<!doctype html>"),
            ("json", b"{\"code\": 7}"),
        ] {
            assert_eq!(check(raw, content), Ok(Vec::new()), "{raw}");
        }
    }
}
