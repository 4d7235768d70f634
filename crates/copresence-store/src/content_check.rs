//! Compares the content of a file with its export type. Refused are only error pages, empty files and files that their
//! own structure shows to be truncated; anything else is kept, and doubted if it may be a message of a server.

use crate::complete_file::CompleteFile;
use crate::file_names::{first_known_export_type_word, is_last_export_type_word_known};
use crate::file_note::SavedFileNote;
use crate::format::{FileFormat, HEAD_BYTES, first_line_without_comment, is_html_document, is_text};
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
    let is_side_file = may_be_sidecar_export_type(export_type);
    match FileFormat::detect_file_format(head) {
        FileFormat::Empty if is_whole => Some("an empty file"),
        // A type whose name says that it is a page or a document may be one.
        FileFormat::Html if is_html_document(head) && !is_unknown_export_type_with_word(export_type, word, "html") => {
            Some("an HTML page")
        }
        FileFormat::Xml if has_xml_error_root(head) && !is_unknown_export_type_with_word(export_type, word, "xml") => {
            Some("an error in XML")
        }
        FileFormat::Json
            if expected.is_some() && !is_side_file && word != Some("json") && is_whole && is_json_error(head) =>
        {
            Some("an error in JSON")
        }
        FileFormat::Json | FileFormat::Html | FileFormat::Unknown
            if expected.is_some_and(|(.., is_binary)| *is_binary) && !is_side_file && is_whole && is_text(head) =>
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
    let word = first_known_export_type_word(export_type);
    let expected = EXPECTED.iter().find(|(words, ..)| word.is_some_and(|word| words.contains(&word)));
    if file.doubt.is_none() && file.bytes <= MAX_SERVER_MESSAGE_BYTES && may_be_server_message(word, &file) {
        file.doubt = Some(format!("its content is a short text, which may be a message in place of {export_type}"));
    }
    if file.doubt.is_none()
        && file.format == FileFormat::Html
        && !is_unknown_export_type_with_word(export_type, word, "html")
    {
        file.doubt = Some(format!("its content may be a part of an HTML page in place of {export_type}"));
    }
    if file.doubt.is_none()
        && let (Some(word), Some((_, formats, _))) = (word, expected)
        && is_text_in_place_of_known_type(word, formats, &file)
    {
        file.doubt = Some(format!("its content is a text that does not begin like {export_type}"));
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

/// Whether the export type may be that of a file beside another one, as in `glb.sha256`: its last word is no known type.
fn may_be_sidecar_export_type(export_type: &ExportType) -> bool {
    !is_last_export_type_word_known(export_type)
}

/// Whether a short file may be a message of a server in place of the export, without proof.
fn may_be_server_message(word: Option<&str>, file: &CompleteFile) -> bool {
    match file.format {
        FileFormat::Json => is_json_error(&file.head),
        FileFormat::Unknown => {
            is_text(&file.head) && !word.is_some_and(|word| begins_like_text_format(word, &file.head))
        }
        _ => false,
    }
}

/// Whether a file of a known type is a text of another kind, however long, such as a page or a message in JSON or XML.
fn is_text_in_place_of_known_type(word: &str, formats: &[FileFormat], file: &CompleteFile) -> bool {
    let is_other = match file.format {
        FileFormat::Unknown => !begins_like_text_format(word, &file.head),
        FileFormat::Json if word == "gltf" => !begins_like_long_gltf(file),
        FileFormat::Json | FileFormat::Xml => !formats.contains(&file.format),
        _ => false,
    };
    is_other && is_text(&file.head)
}

/// Whether a text without a known signature begins like one of a known type that may be a text.
fn begins_like_text_format(word: &str, head: &[u8]) -> bool {
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
    let starts = |start: &[u8]| text.get(..start.len()).is_some_and(|found| found.eq_ignore_ascii_case(start));
    match word {
        "stl" => starts(b"solid"),
        "ply" => starts(b"ply"),
        "fbx" => starts(b";") || starts(b"FBXHeaderExtension"),
        "obj" => begins_like_obj_or_mtl(text, head.len() < HEAD_BYTES),
        _ => false,
    }
}

/// Whether the first line that is not a comment has a keyword of OBJ or of its material library (MTL). The start of a longer
/// file may have only comments.
fn begins_like_obj_or_mtl(text: &[u8], is_whole: bool) -> bool {
    const KEYWORDS: [&[u8]; 13] =
        [b"v", b"vn", b"vt", b"vp", b"o", b"g", b"s", b"f", b"l", b"p", b"mtllib", b"usemtl", b"newmtl"];
    match first_line_without_comment(text) {
        Some(line) => {
            let keyword = line.split(u8::is_ascii_whitespace).next().unwrap_or_default();
            KEYWORDS.contains(&keyword)
        }
        None => !is_whole,
    }
}

/// Whether a JSON text that is longer than its head may be glTF: `asset` may be behind the head, and other members of glTF in
/// it.
fn begins_like_long_gltf(file: &CompleteFile) -> bool {
    const MEMBERS: [&str; 14] = [
        "asset",
        "accessors",
        "animations",
        "buffers",
        "bufferViews",
        "extensionsUsed",
        "extensionsRequired",
        "materials",
        "meshes",
        "nodes",
        "scene",
        "scenes",
        "skins",
        "textures",
    ];
    let text = String::from_utf8_lossy(&file.head);
    file.bytes > HEAD_BYTES as u64 && MEMBERS.iter().any(|name| text.contains(&format!("\"{name}\"")))
}

/// Whether the export type contains `word`, and none of its words is a known type.
fn is_unknown_export_type_with_word(export_type: &ExportType, known_word: Option<&str>, word: &str) -> bool {
    known_word.is_none() && export_type.as_str().to_ascii_lowercase().contains(word)
}

/// Whether the XML root element suggests an error: a word of its name is, or begins with, `error`, `fault`, `exception` or
/// `envelope`. `Default` does not.
fn has_xml_error_root(head: &[u8]) -> bool {
    let text = String::from_utf8_lossy(head);
    let elements = text.split('<').skip(1).filter(|tag| !tag.starts_with(['?', '!']));
    let root = elements.map(|tag| tag.split([' ', '>', '/', '\t', '\r', '\n']).next().unwrap_or_default()).next();
    let mut spaced = String::new();
    for c in root.unwrap_or_default().chars() {
        if c.is_uppercase() && spaced.chars().last().is_some_and(|before| !before.is_uppercase()) {
            spaced.push(' ');
        }
        spaced.push(c);
    }
    let spaced = spaced.to_ascii_lowercase();
    let mut words = spaced.split(|c: char| !c.is_alphanumeric());
    words.any(|word| ["error", "fault", "exception", "envelope"].iter().any(|known| word.starts_with(known)))
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

    /// Files beside an avatar: a checksum, facts, landmarks.
    #[test]
    fn a_text_file_beside_a_binary_one_is_no_error() {
        for (raw, content) in [
            ("glb.sha256", &b"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08  avatar.glb\n"[..]),
            ("glb_info", b"{\"code\": \"head-7\", \"vertices\": 26000}"),
            ("portrait_landmarks", b"[[1, 2], [3, 4]]"),
            ("zip_readme", b"How to import this avatar\n"),
            ("rig", b"<DefaultRig><Bone name=\"head\"/></DefaultRig>"),
        ] {
            assert!(check(raw, content).is_ok(), "{raw}");
        }
        for page in
            [&b"<ErrorResponse/>"[..], b"<ServiceError/>", b"<soap:Fault/>", b"<errors/>", b"<serviceException/>"]
        {
            let page = [b"<?xml version=\"1.0\"?>", page].concat();
            assert!(check("rig", &page).is_err(), "{}", String::from_utf8_lossy(&page));
        }
    }

    #[test]
    fn only_an_html_document_is_refused_as_a_page() {
        let doubt = |raw: &str, content: &[u8]| {
            check_and_annotate_content(&ExportType::new(raw), create_complete_file(content)).expect("kept").doubt
        };
        let long = |start: &str| format!("{start}{}", "<bone/>".repeat(HEAD_BYTES));
        for raw in ["measurements", "rig", "custom"] {
            for root in ["<head version=\"2\">", "<body>", "<title>", "<h1>"] {
                assert!(doubt(raw, long(root).as_bytes()).is_some(), "{raw} {root}");
            }
            for root in
                ["<bodyMeasurements>", "<headRig version=\"2\">", "<HeadPose>", "<?xml version=\"1.0\"?><htmlLabel>"]
            {
                assert_eq!(doubt(raw, long(root).as_bytes()), None, "{raw} {root}");
            }
        }
        assert_eq!(doubt("report_html", long("<body>").as_bytes()), None);
        for page in ["<head><title>503</title>", "<h1>Not Found</h1>"] {
            assert!(check("glb", page.as_bytes()).is_err() && doubt("glb", long(page).as_bytes()).is_some(), "{page}");
        }
        for page in ["<!DOCTYPE HTML PUBLIC \"x\">", "<html lang=\"en\">", "<?xml version=\"1.0\"?><!-- x --><html/>"] {
            assert!(check("custom", long(page).as_bytes()).is_err(), "{page}");
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
            for raw in ["fbx", "obj", "usd", "stl", "ply", "gltf"] {
                assert!(doubt(raw, long.as_bytes()).is_some(), "{raw} {}", &long[..9]);
            }
        }
        let scene = format!("{{\"asset\": {{\"version\": \"2.0\"}}, \"extras\": \"{umlauts}\"}}");
        assert_eq!(doubt("glb", scene.as_bytes()), None, "a model");
    }

    /// A page, a block notice or a state, however long, in place of a type that may be a text.
    #[test]
    fn text_of_another_kind_is_doubtful_in_place_of_every_known_type() {
        let doubt = |raw: &str, content: &[u8]| {
            check_and_annotate_content(&ExportType::new(raw), create_complete_file(content)).expect("kept").doubt
        };
        let xml = "<?xml version=\"1.0\"?><response status=\"fail\"/>";
        let notice = "<div class=\"block\">This site is blocked by the policy of your company.</div>".repeat(12);
        let long_json = format!("{{\"status\": \"pending\", \"log\": \"{notice}{notice}{notice}{notice}{notice}\"}}");
        for raw in ["fbx", "obj", "usd", "usda", "stl", "ply", "gltf", "FBX", "fbx_lod1"] {
            for text in ["{\"status\":\"pending\",\"retry_in\":5}", xml, &notice, &long_json] {
                assert!(doubt(raw, text.as_bytes()).is_some(), "{raw} {text}");
            }
        }
        assert!(doubt("json", xml.as_bytes()).is_some() && doubt("json", notice.as_bytes()).is_some());
        for raw in ["custom", "mesh", "dae"] {
            assert_eq!(doubt(raw, notice.as_bytes()), None, "an unknown type: {raw}");
            assert_eq!(doubt(raw, xml.as_bytes()), None, "an unknown type: {raw}");
        }
    }

    #[test]
    fn models_in_text_are_not_doubtful() {
        let comments = "# A licence of many lines.\n".repeat(HEAD_BYTES);
        let numbers = "0.25 ".repeat(HEAD_BYTES);
        let gltf =
            format!("{{\"accessors\": [{}], \"asset\": {{\"version\": \"2.0\"}}}}", numbers.trim().replace(' ', ","));
        for (raw, content) in [
            ("fbx", "; FBX 7.4.0 project file\n"),
            ("fbx", "\r\n;FBX"),
            ("fbx", "FBXHeaderExtension:  {\n\tFBXHeaderVersion: 1003\n}\n"),
            ("obj", "v 0 0 0\n"),
            ("obj", "# made by hand\r\n\r\n\tv\t0\t0\t0\r\n"),
            ("obj", "g\nv 0 0 0\n"),
            ("obj", &comments),
            ("obj_mtl", "newmtl skin\nKd 1 1 1\n"),
            ("usd", "#usda 1.0\n"),
            ("usda", "#usda 1.0\n"),
            ("stl", "SOLID head\nfacet normal 0 0 1\n"),
            ("ply", "ply\nformat ascii 1.0\n"),
            ("gltf", "{\"asset\": {\"version\": \"2.0\"}}"),
            ("gltf", &gltf),
            ("json", "{\"status\": \"pending\"}"),
        ] {
            let file = create_complete_file(content.as_bytes());
            let doubt = check_and_annotate_content(&ExportType::new(raw), file).expect("kept").doubt;
            assert_eq!(doubt, None, "{raw} {}", &content[..content.len().min(20)]);
        }
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
