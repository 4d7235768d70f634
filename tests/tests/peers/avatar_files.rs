//! Generated files of an avatar.

use crate::HarnessError;
use crate::peer_process::{python_bin_dir, scripts_dir};
use std::io::Write as _;
use std::process::{Command, Stdio};

/// A valid GLB of about this many bytes. Different seeds give different contents.
pub(crate) fn generate_glb(size: usize, seed: u32) -> Vec<u8> {
    let mut json = br#"{"asset":{"version":"2.0"}}"#.to_vec();
    json.resize(json.len().next_multiple_of(4), b' ');
    let mut state = seed.wrapping_mul(2).wrapping_add(1);
    let mut binary: Vec<u8> = Vec::with_capacity(size);
    while binary.len() < size {
        // A linear congruential generator: hardly compressible, so that an encoded file is about as long.
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        binary.extend_from_slice(&state.to_be_bytes());
    }
    let mut glb = b"glTF".to_vec();
    let length = 12 + 8 + json.len() + 8 + binary.len();
    for number in [2, u32::try_from(length).expect("a small file"), u32::try_from(json.len()).expect("short")] {
        glb.extend_from_slice(&number.to_le_bytes());
    }
    glb.extend_from_slice(b"JSON");
    glb.extend_from_slice(&json);
    glb.extend_from_slice(&u32::try_from(binary.len()).expect("a small file").to_le_bytes());
    glb.extend_from_slice(b"BIN\0");
    glb.extend_from_slice(&binary);
    glb
}

/// A PNG of one pixel.
pub(crate) const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0\x1f\x15\xc4\x89\
    \0\0\0\x0bIDATx\x9cc\xf8\x0f\x04\0\x09\xfb\x03\xfd\xfb^k+\0\0\0\0IEND\xaeB`\x82";

/// Encodes bytes for a `Content-Encoding`: `gzip`, `br` or `zstd`.
pub(crate) fn encode_content(content: &[u8], encoding: &str) -> Result<Vec<u8>, HarnessError> {
    let mut child = Command::new(python_bin_dir().join("python"))
        .arg(scripts_dir().join("encode.py"))
        .arg(encoding)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut stdin = child.stdin.take().ok_or("no pipe")?;
    let content = content.to_vec();
    let writer = std::thread::spawn(move || stdin.write_all(&content));
    let output = child.wait_with_output()?;
    writer.join().map_err(|_| "the writing thread panicked")??;
    if output.status.success() { Ok(output.stdout) } else { Err(format!("encode.py: {}", output.status).into()) }
}
