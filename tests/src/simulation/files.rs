//! The files of a simulated avatar: content by export type, and the traits of the server that hosts them.

use crate::disturbance::Disturbance;
use crate::truth::{AvatarPlan, HostedFile, Truth};
use bytes::Bytes;
use rand::RngExt as _;
use std::io::Write as _;
use std::time::Duration;

/// The export types of an avatar, in the order of its delivery.
const EXPORT_TYPES: [&str; 4] = ["glb", "png", "fbx", "obj"];

/// Bytes behind the end of a model.
pub(crate) const TRAILING_BYTES: &[u8] = b"\0\0trailing";

/// Hosts the files of a delivery. Returns their export types and paths.
pub(crate) fn host_files(truth: &mut Truth, token: &str, plan: &AvatarPlan) -> Vec<(&'static str, String)> {
    let count = truth.rng.random_range(1..=EXPORT_TYPES.len());
    let expires_at = truth.now() + plan.url_lifetime;
    let is_one_time = truth.rng.random_bool(0.5);
    let allows_ranges = truth.rng.random_bool(0.6);
    let mut hosted = Vec::new();
    for export_type in &EXPORT_TYPES[..count] {
        let path = format!("/files/{token}/{export_type}");
        let content = draw_content(truth, export_type);
        let (coded, content_encoding) = encode(truth, &content);
        let validator = [None, Some(("etag", "\"1\"")), Some(("last-modified", "Sat, 28 Nov 2026 10:00:00 GMT"))]
            [truth.rng.random_range(0..3)];
        let first_byte = if truth.weather.has(Disturbance::FileSlowFirstByte) {
            truth.draw_millis(100_000)
        } else {
            truth.draw_millis(300)
        };
        let chunk_pause = [0, 0, 20, 200, 700][truth.rng.random_range(0..5)];
        let file = HostedFile {
            token: token.to_owned(),
            export_type,
            content,
            coded,
            content_encoding,
            is_one_time,
            allows_ranges,
            validator,
            states_length: truth.rng.random_bool(0.8),
            first_byte,
            chunk_bytes: truth.rng.random_range(800..9000),
            chunk_pause: Duration::from_millis(chunk_pause),
            expires_at,
            is_spent: false,
            received: 0,
            requests: 0,
            was_refused_as_expired: false,
        };
        truth.files.insert(path.clone(), file);
        hosted.push((*export_type, path));
    }
    hosted
}

/// Content that a client recognises by its type, unless the world has other ideas.
fn draw_content(truth: &mut Truth, export_type: &str) -> Bytes {
    let longest = [200, 3000, 20_000][truth.rng.random_range(0..3)];
    let size = truth.rng.random_range(64..longest);
    let salt = truth.rng.random::<u8>();
    let mut filling =
        (0..size).map(|at| u8::try_from(at % 251).unwrap_or_default().wrapping_add(salt) | 0x80).collect();
    let mut file: Vec<u8> = Vec::new();
    match export_type {
        "glb" => {
            file.extend(b"glTF\x02\0\0\0");
            file.extend(u32::try_from(size + 12).unwrap_or_default().to_le_bytes());
            file.append(&mut filling);
            if truth.weather.has(Disturbance::FileTrailingBytes) {
                file.extend(TRAILING_BYTES);
            }
        }
        "png" => {
            file.extend(b"\x89PNG\r\n\x1a\n");
            file.append(&mut filling);
            file.extend(b"\0\0\0\0IEND\xae\x42\x60\x82");
        }
        _ if truth.weather.has(Disturbance::FileUnknownContent) => file.append(&mut filling),
        "fbx" => {
            file.extend(b"Kaydara FBX Binary  \0\x1a\0");
            file.append(&mut filling);
        }
        _ => {
            file.extend(b"# Wavefront OBJ\n");
            for vertex in 0..size / 8 {
                _ = writeln!(file, "v {} {vertex} 0", salt % 10);
            }
        }
    }
    file.into()
}

/// The file as it is sent, and its `Content-Encoding`.
fn encode(truth: &mut Truth, content: &Bytes) -> (Bytes, Option<&'static str>) {
    let gzip = truth.weather.has(Disturbance::FileGzip);
    let odd = truth.weather.has(Disturbance::FileOddEncoding);
    match truth.rng.random_range(0..3) {
        0 | 1 if gzip => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            let coded = encoder.write_all(content).and_then(|()| encoder.finish());
            coded.map_or((content.clone(), None), |coded| (coded.into(), Some("gzip")))
        }
        _ if odd => {
            let words = ["aws-chunked", "UTF-8", "base64", "none", "gzip"];
            (content.clone(), Some(words[truth.rng.random_range(0..words.len())]))
        }
        _ => (content.clone(), None),
    }
}
