//! Wavefront OBJ with its material file and texture, as a zip.

use std::fmt::Write as _;
use std::io::{Cursor, Write as _};

use zip::write::{SimpleFileOptions, ZipWriter};
use zip::{CompressionMethod, result::ZipResult};

use super::Avatar;

const MATERIALS: &str = "\
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

/// Writes an avatar with its texture (a PNG).
pub(super) fn write(avatar: &Avatar, texture: &[u8]) -> Vec<u8> {
    let packed = pack(&[
        ("avatar.obj", geometry(avatar).as_bytes(), CompressionMethod::Deflated),
        ("avatar.mtl", MATERIALS.as_bytes(), CompressionMethod::Deflated),
        // A PNG is compressed already.
        ("textures/avatar.png", texture, CompressionMethod::Stored),
    ]);
    debug_assert!(packed.is_ok(), "a zip of three small files always fits into memory");
    packed.unwrap_or_default()
}

fn pack(files: &[(&str, &[u8], CompressionMethod)]) -> ZipResult<Vec<u8>> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes, method) in files {
        // The fixed default time keeps the files the same for the same seed.
        let level = (*method == CompressionMethod::Deflated).then_some(1);
        let options = SimpleFileOptions::default().compression_method(*method).compression_level(level);
        zip.start_file(*name, options)?;
        zip.write_all(bytes)?;
    }
    Ok(zip.finish()?.into_inner())
}

/// Vertices in metres; `v` of the texture counts from below, as OBJ has it.
fn geometry(avatar: &Avatar) -> String {
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
            let _ = writeln!(text, "v {:.5} {:.5} {:.5}", p.x * 0.01, p.y * 0.01, p.z * 0.01);
        }
        for uv in &mesh.uvs {
            let _ = writeln!(text, "vt {:.5} {:.5}", uv.x, 1.0 - uv.y);
        }
        for n in &mesh.normals {
            let _ = writeln!(text, "vn {:.3} {:.3} {:.3}", n.x, n.y, n.z);
        }
        for t in &mesh.triangles {
            let [a, b, c] = t.map(|i| i + first);
            let _ = writeln!(text, "f {a}/{a}/{a} {b}/{b}/{b} {c}/{c}/{c}");
        }
        first += mesh.positions.len() as u32;
    }
    text
}
