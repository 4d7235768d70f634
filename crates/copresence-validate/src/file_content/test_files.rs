//! Builds files for tests: valid ones to start from, and hostile ones.

use serde_json::{Value, json};
use std::io::{Cursor, Write as _};

/// A valid model of few bytes in which each part of glTF occurs. `tests/avatars/complete-model.mjs` makes it.
pub(super) const COMPLETE_MODEL: &[u8] = include_bytes!("complete-model.glb");

/// Splits [`COMPLETE_MODEL`] into its document and its binary chunk.
fn document_and_binary_chunk_of_complete_model() -> (&'static [u8], &'static [u8]) {
    let length = u32::from_le_bytes(*COMPLETE_MODEL[12..].first_chunk().expect("a header")) as usize;
    let (document, binary) = COMPLETE_MODEL[20..].split_at(length);
    (document, &binary[8..])
}

/// The document of [`COMPLETE_MODEL`], with an index of every kind.
pub(super) fn document_with_every_index_kind() -> Value {
    serde_json::from_slice(document_and_binary_chunk_of_complete_model().0).expect("JSON")
}

/// A GLB of this document and the data of [`COMPLETE_MODEL`].
pub(super) fn build_complete_glb(document: &Value) -> Vec<u8> {
    build_glb_of_chunks(document.to_string().as_bytes(), document_and_binary_chunk_of_complete_model().1)
}

/// A GLB of these chunks, padded.
pub(super) fn build_glb_of_chunks(document: &[u8], binary: &[u8]) -> Vec<u8> {
    let mut document = document.to_vec();
    document.resize(document.len().next_multiple_of(4), b' ');
    let mut binary = binary.to_vec();
    binary.resize(binary.len().next_multiple_of(4), 0);
    let mut glb = b"glTF\x02\0\0\0".to_vec();
    glb.extend(to_u32(28 + document.len() + binary.len()).to_le_bytes());
    for (kind, body) in [(b"JSON", document), (b"BIN\0", binary)] {
        glb.extend(to_u32(body.len()).to_le_bytes());
        glb.extend(kind);
        glb.extend(body);
    }
    glb
}

fn to_u32(length: usize) -> u32 {
    u32::try_from(length).expect("a small file")
}

/// A document whose primitives share one index accessor of `length` bytes.
pub(super) fn gltf_with_shared_index_accessor(primitives: usize, length: usize) -> Value {
    let primitive = json!({"attributes": {"POSITION": 0}, "indices": 1});
    json!({
        "asset": {"version": "2.0"},
        "meshes": [{"primitives": vec![primitive; primitives]}],
        "accessors": [
            {"bufferView": 0, "componentType": 5126, "count": 3, "type": "VEC3", "min": [0.0, 0.0, 0.0],
             "max": [0.0, 0.0, 0.0]},
            {"bufferView": 1, "componentType": 5121, "count": length, "type": "SCALAR"},
        ],
        "bufferViews": [
            {"buffer": 0, "byteLength": 36},
            {"buffer": 0, "byteOffset": 36, "byteLength": length},
        ],
        "buffers": [{"byteLength": length + 36}],
    })
}

/// A zip archive of empty entries with these names.
pub(super) fn build_zip_of_empty_entries(names: impl Iterator<Item = String>) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for name in names {
        archive.start_file(name, options).expect("an entry");
    }
    archive.finish().expect("an archive").into_inner()
}

/// A zip archive of one compressed entry.
pub(super) fn build_zip_of_one_entry(name: &str, content: &[u8]) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    archive.start_file(name, zip::write::SimpleFileOptions::default()).expect("an entry");
    archive.write_all(content).expect("written");
    archive.finish().expect("an archive").into_inner()
}

/// A black picture of 16 × 16 pixels in this format.
pub(super) fn encode_test_picture(format: image::ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image::DynamicImage::new_rgb8(16, 16).write_to(&mut bytes, format).expect("encoded");
    bytes.into_inner()
}

/// A PNG whose header says this size; its pixels are those of [`encode_picture`].
pub(super) fn png_of_stated_size(width: u32, height: u32) -> Vec<u8> {
    let mut png = encode_test_picture(image::ImageFormat::Png);
    png[16..20].copy_from_slice(&width.to_be_bytes());
    png[20..24].copy_from_slice(&height.to_be_bytes());
    let checksum = crc32(&png[12..29]);
    png[29..33].copy_from_slice(&checksum.to_be_bytes());
    png
}

/// A JPEG whose header says this size and this kind of frame, as in 0xc2 for a progressive one.
pub(super) fn jpeg_of_stated_size(width: u16, height: u16, frame: u8) -> Vec<u8> {
    let mut jpeg = encode_test_picture(image::ImageFormat::Jpeg);
    let start = jpeg.windows(2).position(|pair| pair == [0xff, 0xc0]).expect("a frame");
    jpeg[start + 1] = frame;
    jpeg[start + 5..start + 7].copy_from_slice(&height.to_be_bytes());
    jpeg[start + 7..start + 9].copy_from_slice(&width.to_be_bytes());
    jpeg
}

/// A JPEG with an EXIF segment of these bytes.
pub(super) fn jpeg_with_exif(exif: &[u8]) -> Vec<u8> {
    let jpeg = encode_test_picture(image::ImageFormat::Jpeg);
    let length = u16::try_from(exif.len() + 8).expect("short").to_be_bytes();
    [&jpeg[..2], b"\xff\xe1", &length, b"Exif\0\0", exif, &jpeg[2..]].concat()
}

/// CRC-32 as PNG uses it.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 })
    })
}
