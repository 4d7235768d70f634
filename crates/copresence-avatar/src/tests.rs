//! Tests of whole avatars: the contents of their files, and which part of the face each blendshape moves.

use std::io::{Cursor, Read as _};
use std::sync::LazyLock;

use gltf_json as json;
use image::Rgb;
use json::validation::{Checked, Validate};

use super::*;

/// Built once for all tests.
static AVATAR: LazyLock<Avatar> = LazyLock::new(|| Avatar::new(5, None));
static FILES: LazyLock<AvatarFiles> = LazyLock::new(|| build_avatar(5, None));

/// A little-endian 32-bit number.
fn read_u32_le(bytes: &[u8], at: usize) -> usize {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize
}

/// The document and the buffer of a GLB, whose container is checked.
fn parse_glb(glb: &[u8]) -> (json::Root, &[u8]) {
    assert_eq!(&glb[..4], b"glTF");
    assert_eq!(read_u32_le(glb, 4), 2);
    assert_eq!(read_u32_le(glb, 8), glb.len());
    let document = read_u32_le(glb, 12);
    assert_eq!(&glb[16..20], b"JSON");
    assert_eq!(document % 4, 0);
    let binary = 20 + document;
    assert_eq!(&glb[binary + 4..binary + 8], b"BIN\0");
    assert_eq!(binary + 8 + read_u32_le(glb, binary), glb.len());
    (json::Root::from_slice(&glb[20..binary]).unwrap(), &glb[binary + 8..])
}

/// Unwraps a checked value of the glTF document. Panics if it is invalid.
fn unwrap_valid_value<T>(value: &Checked<T>) -> &T {
    match value {
        Checked::Valid(value) => value,
        Checked::Invalid => panic!("an invalid value in the document"),
    }
}

/// The blendshape of the face with this name. Panics if there is none.
fn find_blendshape(name: &str) -> &'static Blendshape {
    AVATAR.face_shapes.iter().find(|shape| shape.name == name).unwrap_or_else(|| panic!("no blendshape {name}"))
}

#[test]
fn gltf_document_is_valid_and_views_are_within_the_buffer() {
    let (root, binary) = parse_glb(&FILES.glb);
    let mut problems = Vec::new();
    root.validate(&root, json::Path::new, &mut |path, error| problems.push(format!("{}: {error}", path())));
    assert_eq!(problems, Vec::<String>::new());
    assert_eq!(root.buffers.len(), 1);
    assert_eq!(root.buffers[0].byte_length.0 as usize, binary.len());
    for view in &root.buffer_views {
        let start = view.byte_offset.map_or(0, |offset| offset.0);
        assert_eq!(start % 4, 0);
        assert!((start + view.byte_length.0) as usize <= binary.len());
    }
    assert!(FILES.glb.len() < 6 << 20, "{} bytes", FILES.glb.len());
}

#[test]
fn accessors_fit_their_views_and_have_correct_bounds() {
    let (root, binary) = parse_glb(&FILES.glb);
    let mut bounded = 0;
    for accessor in &root.accessors {
        let size =
            unwrap_valid_value(&accessor.type_).multiplicity() * unwrap_valid_value(&accessor.component_type).0.size();
        let Some(view) = accessor.buffer_view else {
            assert!(accessor.sparse.is_some());
            continue;
        };
        let view = &root.buffer_views[view.value()];
        assert_eq!(accessor.count.0 as usize * size, view.byte_length.0 as usize);
        let (Some(min), Some(max)) = (&accessor.min, &accessor.max) else { continue };
        bounded += 1;
        let start = view.byte_offset.unwrap().0 as usize;
        let mut low = [f32::MAX; 3];
        let mut high = [f32::MIN; 3];
        for (i, bytes) in binary[start..start + view.byte_length.0 as usize].chunks_exact(4).enumerate() {
            let value = f32::from_le_bytes(bytes.try_into().unwrap());
            low[i % 3] = low[i % 3].min(value);
            high[i % 3] = high[i % 3].max(value);
        }
        // Compared as 32-bit floats, as a reader does.
        let stated = |bound: &serde_json::Value| [0, 1, 2].map(|axis| bound[axis].as_f64().unwrap() as f32);
        assert_eq!((stated(min), stated(max)), (low, high));
    }
    assert_eq!(bounded, 3, "the positions of head, eyes and hair");
}

#[test]
fn indices_are_within_range_and_sparse_indices_ascend() {
    let (root, binary) = parse_glb(&FILES.glb);
    let shorts = |view: usize| -> Vec<u32> {
        let view = &root.buffer_views[view];
        let start = view.byte_offset.unwrap().0 as usize;
        binary[start..start + view.byte_length.0 as usize]
            .chunks_exact(2)
            .map(|b| u32::from(u16::from_le_bytes([b[0], b[1]])))
            .collect()
    };
    for mesh in &root.meshes {
        for primitive in &mesh.primitives {
            let positions = primitive.attributes[&Checked::Valid(json::mesh::Semantic::Positions)];
            let count = root.accessors[positions.value()].count.0 as u32;
            assert!(primitive.attributes.values().all(|a| root.accessors[a.value()].count.0 as u32 == count));
            let indices = &root.accessors[primitive.indices.unwrap().value()];
            let corners = shorts(indices.buffer_view.unwrap().value());
            assert_eq!(corners.len() % 3, 0);
            assert!(corners.iter().all(|&i| i < count));
        }
    }
    for sparse in root.accessors.iter().filter_map(|a| Some((a.count.0 as u32, a.sparse.as_ref()?))) {
        let (count, sparse) = sparse;
        let mut indices = shorts(sparse.indices.buffer_view.value());
        indices.truncate(sparse.count.0 as usize);
        assert!(indices.is_sorted_by(|a, b| a < b) && indices.iter().all(|&i| i < count));
    }
}

#[test]
fn each_morph_target_has_a_blendshape_name() {
    let (root, _) = parse_glb(&FILES.glb);
    for (mesh, shapes) in root.meshes.iter().zip([&AVATAR.face_shapes, &AVATAR.eye_shapes]) {
        let extras: serde_json::Value = serde_json::from_str(mesh.extras.as_ref().unwrap().get()).unwrap();
        let names: Vec<&str> = extras["targetNames"].as_array().unwrap().iter().map(|n| n.as_str().unwrap()).collect();
        assert_eq!(names, shapes.iter().map(|shape| shape.name.as_str()).collect::<Vec<_>>());
        assert_eq!(names.len(), mesh.primitives[0].targets.as_ref().unwrap().len());
        assert_eq!(names.len(), mesh.weights.as_ref().unwrap().len());
    }
}

#[test]
fn meshes_have_plausible_vertices_normals_and_uvs() {
    let parts = [&AVATAR.head.mesh, &AVATAR.eyes[0], &AVATAR.eyes[1], &AVATAR.hair];
    let vertices: usize = parts.iter().map(|mesh| mesh.positions.len()).sum();
    assert!((5_000..=27_000).contains(&vertices), "{vertices} vertices");
    for mesh in parts {
        assert!(mesh.positions.iter().all(|p| p.is_finite() && p.length() < 64.0));
        assert!(mesh.normals.iter().all(|n| (n.length() - 1.0).abs() < 1e-4));
        assert!(mesh.uvs.iter().all(|uv| uv.min_element() >= 0.0 && uv.max_element() <= 1.0));
    }
}

#[test]
fn parts_are_not_inside_out() {
    let sculpt = &AVATAR.sculpt;
    let parts = [
        ("eye", features::build_eyeball(sculpt, 1.0)),
        ("left brow", features::build_eyebrow(sculpt, 1.0)),
        ("right brow", features::build_eyebrow(sculpt, -1.0)),
        ("left ear", features::build_ear(sculpt, 1.0)),
        ("right ear", features::build_ear(sculpt, -1.0)),
    ];
    for (name, mesh) in parts {
        let middle = mesh.positions.iter().sum::<Vec3>() / mesh.positions.len() as f32;
        let volume: f32 = mesh
            .triangles
            .iter()
            .map(|t| {
                let [a, b, c] = t.map(|i| mesh.positions[i as usize] - middle);
                a.dot(b.cross(c))
            })
            .sum();
        assert!(volume > 0.0, "{name} is inside out");
    }
}

#[test]
fn jaw_open_lowers_only_the_chin() {
    let rest = &AVATAR.head.mesh.positions;
    let chin = find_blendshape("jawOpen").changes.iter().filter(|(i, ..)| rest[*i].y < -8.5 && rest[*i].z > 6.0);
    let lowered: Vec<f32> = chin.map(|(_, by, _)| by.y).collect();
    assert!(lowered.len() > 50 && lowered.iter().all(|y| *y < -0.5));
    for (i, by, _) in &find_blendshape("jawOpen").changes {
        assert!(rest[*i].y < -2.5, "moves {} by {by}", rest[*i]);
    }
}

#[test]
fn blink_closes_its_eye_only() {
    for (name, side) in [("eyeBlinkLeft", 1.0), ("eyeBlinkRight", -1.0)] {
        let eye = AVATAR.sculpt.eye_centre * Vec3::new(side, 1.0, 1.0);
        let rest = &AVATAR.head.mesh.positions;
        let changes = &find_blendshape(name).changes;
        assert!(changes.len() > 200);
        for (i, ..) in changes {
            assert!(rest[*i].distance(eye) < 6.0 && rest[*i].x * side > 0.0, "{name} moves {}", rest[*i]);
        }
        // The edges of the lids meet over the pupil.
        let posed = AVATAR.pose_face(&[(name, 1.0)]);
        let edge = |layer_side: f32| {
            let at = AVATAR.head.vertex_origins.iter().zip(&posed.positions).filter(|(source, p)| {
                source.layer == HeadVertexPart::LidRim(0)
                    && source.edge_side * layer_side > 0.0
                    && (p.x - eye.x).abs() < 0.4
            });
            at.map(|(_, p)| p.y).collect::<Vec<_>>()
        };
        let (upper, lower) = (edge(1.0), edge(-1.0));
        assert!(!upper.is_empty() && upper.len() == lower.len());
        assert!(upper.iter().zip(&lower).all(|(u, l)| (u - l).abs() < 0.15), "{upper:?} over {lower:?}");
    }
}

#[test]
fn smile_lifts_its_corner_of_the_mouth_only() {
    let rest = &AVATAR.head.mesh.positions;
    let corner = AVATAR.sculpt.mouth_corner;
    let lifted = |name: &str, x: f32| {
        let at = Vec3::new(x, corner.y, corner.z);
        find_blendshape(name)
            .changes
            .iter()
            .filter(|(i, ..)| rest[*i].distance(at) < 0.6)
            .map(|c| c.1.y)
            .fold(0.0, f32::max)
    };
    assert!(lifted("mouthSmileLeft", corner.x) > 0.4);
    assert!(lifted("mouthSmileLeft", -corner.x) < 0.05);
    assert!(lifted("mouthSmileRight", -corner.x) > 0.4);
    // Vertices that move by more than half a millimetre are on the cheek.
    let strong = find_blendshape("mouthSmileLeft").changes.iter().filter(|(_, by, _)| by.length() > 0.05);
    assert!(strong.map(|(i, ..)| rest[*i]).all(|p| p.y < 1.0 && p.y > -11.0 && p.x > -1.0));
}

#[test]
fn blendshapes_are_not_empty_and_do_not_tear_the_skin() {
    let rest = &AVATAR.head.mesh.positions;
    for shape in &AVATAR.face_shapes {
        let most = shape.changes.iter().map(|(_, by, _)| by.length()).fold(0.0, f32::max);
        assert!((0.1..4.0).contains(&most), "{} moves by {most} cm", shape.name);
        // The two edges of a doubled row stay together outside of lids and lips.
        let mut moved = vec![Vec3::ZERO; rest.len()];
        shape.changes.iter().for_each(|(i, by, _)| moved[*i] = *by);
        let skin = |side: f32| {
            let is = move |s: &&head::HeadGridVertex| s.layer == HeadVertexPart::Skin && s.edge_side * side > 0.0;
            AVATAR.head.vertex_origins.iter().filter(is).count()
        };
        assert_eq!(skin(1.0), skin(-1.0));
        let of = |side: f32| {
            (0..rest.len()).filter(move |&i| {
                let source = &AVATAR.head.vertex_origins[i];
                source.layer == HeadVertexPart::Skin && source.edge_side * side > 0.0
            })
        };
        for (lower, upper) in of(-1.0).zip(of(1.0)).filter(|&(l, u)| rest[l].distance(rest[u]) < 1e-4) {
            // The corners of eyes and mouth are single points; the vertices beside them may separate.
            let theta = AVATAR.head.vertex_origins[lower].theta.abs();
            let (middle, half) = AVATAR.sculpt.eye_middle_and_half_width_angles();
            let at_eye = AVATAR.head.vertex_origins[lower].row > -1.0;
            let lips_or_lids =
                if at_eye { (theta - middle).abs() < half } else { theta < AVATAR.sculpt.mouth_half_angle() };
            assert!(
                lips_or_lids || moved[lower].distance(moved[upper]) < 1e-4,
                "{} tears at {}",
                shape.name,
                rest[lower]
            );
        }
    }
}

#[test]
fn same_seed_gives_same_files_and_other_seed_others() {
    let again = build_avatar(5, None);
    assert!(again.glb == FILES.glb && again.png == FILES.png && again.obj_zip == FILES.obj_zip);
    let other = build_avatar(6, None);
    assert!(other.glb != FILES.glb && other.png != FILES.png);
}

#[test]
fn portrait_shows_a_head_in_front_of_a_background() {
    let image = image::load_from_memory(&FILES.png).unwrap().to_rgb8();
    assert_eq!(image.dimensions(), portrait::PORTRAIT_SIZE);
    let differs = |a: &Rgb<u8>, b: &Rgb<u8>, limit| a.0.iter().zip(b.0).any(|(x, y)| x.abs_diff(y) > limit);
    assert!(differs(image.get_pixel(4, 4), image.get_pixel(256, 300), 40));
    // Above the hair there is room for a round frame around the middle square: a strip of 18 px has only background.
    let (width, height) = portrait::PORTRAIT_SIZE;
    let top = (height - width) / 2;
    // The background has no edges.
    let is_background = |y: u32| (1..width).all(|x| !differs(image.get_pixel(x - 1, y), image.get_pixel(x, y), 16));
    assert!((top..top + 18).all(is_background));
    assert!((top..height).any(|y| !is_background(y)), "the hair has an edge");
}

#[test]
fn zip_contains_geometry_material_and_texture() {
    let mut zip = zip::ZipArchive::new(Cursor::new(FILES.obj_zip.clone())).unwrap();
    let mut names: Vec<String> = zip.file_names().map(|name| name.unwrap().into_owned()).collect();
    names.sort();
    assert_eq!(names, ["avatar.mtl", "avatar.obj", "textures/avatar.png"]);
    let mut text = String::new();
    zip.by_name("avatar.obj").unwrap().read_to_string(&mut text).unwrap();
    let lines = |start: &str| text.lines().filter(|line| line.starts_with(start)).count();
    assert!(lines("v ") == lines("vn ") && lines("v ") == lines("vt ") && lines("f ") > 20_000);
    let mut texture = Vec::new();
    zip.by_name("textures/avatar.png").unwrap().read_to_end(&mut texture).unwrap();
    assert_eq!(image::load_from_memory(&texture).unwrap().width(), atlas::TEXTURE_SIZE);
}

#[test]
fn picture_is_visible_on_the_cheek_but_not_on_the_shirt() {
    let green = RgbImage::from_pixel(200, 240, Rgb([60, 200, 90]));
    let with = Avatar::new(5, Some(&green)).texture;
    let without = &AVATAR.texture;
    let at = |p: Vec3| {
        let rest = &AVATAR.head.mesh;
        let nearest = (0..rest.positions.len())
            .filter(|&i| AVATAR.head.vertex_origins[i].layer == HeadVertexPart::Skin)
            .min_by(|&a, &b| rest.positions[a].distance(p).total_cmp(&rest.positions[b].distance(p)))
            .unwrap();
        let pixel = rest.uvs[nearest] * atlas::TEXTURE_SIZE as f32;
        (pixel.x as u32, pixel.y as u32)
    };
    let cheek = at(AVATAR.sculpt.skin_point_at_angle_row(0.2, -5.0));
    let Rgb([r, g, _]) = *with.get_pixel(cheek.0, cheek.1);
    assert!(g > r, "the cheek is not the picture's");
    let shirt = at(AVATAR.sculpt.skin_point_at_angle_row(0.0, -20.5));
    assert_eq!(with.get_pixel(shirt.0, shirt.1), without.get_pixel(shirt.0, shirt.1));
}
