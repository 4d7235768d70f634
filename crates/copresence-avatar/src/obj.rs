//! Writes Wavefront OBJ with its material file and texture as a zip.

use std::fmt::Write as _;
use std::io::{Cursor, Write as _};

use zip::write::{SimpleFileOptions, ZipWriter};
use zip::{CompressionMethod, result::ZipResult};

use super::Avatar;

const MATERIAL_FILE: &str = "\
newmtl skin
Kd 1 1 1
Ks 0.04 0.04 0.04
Ns 20
map_Kd textures/avatar.png

newmtl eyes
Kd 1 1 1
Ks 0.2 0.2 0.2
Ns 200
map_Kd textures/avatar.png

newmtl hair
Kd 1 1 1
Ks 0.04 0.04 0.04
Ns 25
map_Kd textures/avatar.png
";

/// The ZIP file of an avatar's OBJ, as bytes. `texture` is a PNG.
pub(super) fn encode_obj_zip(avatar: &Avatar, texture: &[u8]) -> Vec<u8> {
    let packed = pack_files_into_zip(&[
        ("avatar.obj", obj_geometry_text(avatar).as_bytes(), CompressionMethod::Deflated),
        ("avatar.mtl", MATERIAL_FILE.as_bytes(), CompressionMethod::Deflated),
        // A PNG is compressed already.
        ("textures/avatar.png", texture, CompressionMethod::Stored),
    ]);
    debug_assert!(packed.is_ok(), "a zip of three small files can always be written to memory");
    packed.unwrap_or_default()
}

/// Packs files into a zip, each with its name, bytes and compression. The same files always give the same zip.
fn pack_files_into_zip(files: &[(&str, &[u8], CompressionMethod)]) -> ZipResult<Vec<u8>> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes, method) in files {
        // The default time is fixed, so that the same seed gives the same file.
        let level = (*method == CompressionMethod::Deflated).then_some(1);
        let options = SimpleFileOptions::default().compression_method(*method).compression_level(level);
        zip.start_file(*name, options)?;
        zip.write_all(bytes)?;
    }
    Ok(zip.finish()?.into_inner())
}

/// The geometry as OBJ text: vertices in metres, and `v` of the texture from below.
fn obj_geometry_text(avatar: &Avatar) -> String {
    let parts = [
        ("head", "skin", &avatar.head.mesh),
        ("left_eye", "eyes", &avatar.eyes[0]),
        ("right_eye", "eyes", &avatar.eyes[1]),
        ("hair", "hair", &avatar.hair),
    ];
    let mut text = String::with_capacity(3 << 20);
    text.push_str("mtllib avatar.mtl\n");
    let mut first = 1;
    for (name, material, mesh) in parts {
        // Writing into a String cannot fail.
        let _ = writeln!(text, "o {name}\nusemtl {material}");
        for p in &mesh.positions {
            push_number_line(&mut text, "v", &(*p * 0.01).to_array(), 5);
        }
        for uv in &mesh.uvs {
            push_number_line(&mut text, "vt", &[uv.x, 1.0 - uv.y], 5);
        }
        for n in &mesh.normals {
            push_number_line(&mut text, "vn", &n.to_array(), 3);
        }
        for t in &mesh.triangles {
            text.push('f');
            for corner in t.map(|i| i + first) {
                for separator in [' ', '/', '/'] {
                    text.push(separator);
                    push_padded_number(&mut text, corner, 1);
                }
            }
            text.push('\n');
        }
        first += mesh.positions.len() as u32;
    }
    text
}

/// Appends a line of small numbers with fixed decimals. An avatar has tens of thousands of lines, for which `write!`
/// takes five times as long.
fn push_number_line(text: &mut String, word: &str, numbers: &[f32], decimals: u32) {
    text.push_str(word);
    let scale = 10_u32.pow(decimals);
    for number in numbers {
        let fixed = (number * scale as f32).round() as i32;
        text.push_str(if fixed < 0 { " -" } else { " " });
        push_padded_number(text, fixed.unsigned_abs() / scale, 1);
        text.push('.');
        push_padded_number(text, fixed.unsigned_abs() % scale, decimals);
    }
    text.push('\n');
}

/// Appends a number with at least `least` digits.
fn push_padded_number(text: &mut String, number: u32, least: u32) {
    if number >= 10 || least > 1 {
        push_padded_number(text, number / 10, least.saturating_sub(1));
    }
    text.push(char::from(b'0' + (number % 10) as u8));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_by_format() {
        for number in [0.0, -0.004, 0.5, 0.12345, -1.0, 0.99999, 13.0401, -0.00001] {
            let mut text = String::new();
            push_number_line(&mut text, "v", &[number], 5);
            let expected = format!("v {number:.5}\n");
            assert_eq!(text, expected);
        }
        let mut text = String::new();
        push_padded_number(&mut text, 1_203, 1);
        assert_eq!(text, "1203");
    }
}
