//! Generated heads, one for each seed, as GLB, OBJ (zip) and portrait PNG.
//!
//! Like the exports of the specification, they have a rig and `ARKit` blendshapes, so that any viewer of real avatars
//! shows them. Everything is computed; no asset file is shipped.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::many_single_char_names,
    reason = "pixels, grid indices and hashes are small and are converted between integers and floats on purpose; \
              points, normals and corners of triangles have the single-letter names of geometry"
)]

mod atlas;
mod character;
mod features;
mod glb;
mod hair;
mod head;
mod maths;
mod mesh;
mod obj;
mod photo;
mod portrait;
mod rig;
mod sculpt;
mod shape_table;
#[cfg(test)]
mod shape_tests;
mod shapes;
#[cfg(test)]
mod tests;
mod texture;

use bytes::Bytes;
use glam::Vec3;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder, RgbImage};

use character::{HeadTraits, color_from_24_bit_rgb};
use head::{HeadMeshWithVertexOrigins, HeadVertexPart};
use mesh::Mesh;
use portrait::SurfaceFinish;
use sculpt::HeadDistanceField;
use shapes::Blendshape;

/// The exports of one generated avatar.
#[derive(Clone, Debug)]
pub struct AvatarFiles {
    /// Binary glTF 2.0: head, eyes and hair in metres, Y up, the face towards +Z; rig, blendshapes, one texture.
    pub glb: Bytes,
    /// Portrait, 512 × 640 pixels.
    pub png: Bytes,
    /// Zip of `avatar.obj`, `avatar.mtl` and `textures/avatar.png`.
    pub obj_zip: Bytes,
}

/// Builds the avatar of a seed. The same seed always gives the same files.
///
/// `face` is an upright picture of the visitor with the face in its middle. It is blended onto the front of the head.
pub fn build_avatar(seed: u64, face: Option<&RgbImage>) -> AvatarFiles {
    let avatar = Avatar::new(seed, face);
    let texture = encode_png(&avatar.texture);
    AvatarFiles {
        glb: Bytes::from(glb::build_avatar_glb(&avatar, &texture)),
        png: Bytes::from(encode_png(&avatar.render_portrait())),
        obj_zip: Bytes::from(obj::encode_obj_zip(&avatar, &texture)),
    }
}

/// All parts of an avatar before they are written. Lengths are in centimetres.
struct Avatar {
    sculpt: HeadDistanceField,
    head: HeadMeshWithVertexOrigins,
    eyes: [Mesh; 2],
    hair: Mesh,
    face_shapes: Vec<Blendshape>,
    eye_shapes: Vec<Blendshape>,
    texture: RgbImage,
}

impl Avatar {
    fn new(seed: u64, face: Option<&RgbImage>) -> Self {
        let sculpt = HeadDistanceField::new(HeadTraits::from_seed(seed));
        let mut head = HeadMeshWithVertexOrigins::new(&sculpt);
        for side in [1.0, -1.0] {
            head.append_part_mesh(&features::build_eyebrow(&sculpt, side), HeadVertexPart::OnSkin, 0.0);
            head.append_part_mesh(&features::build_ear(&sculpt, side), HeadVertexPart::OnSkin, 0.0);
            head.append_part_mesh(&features::build_teeth(&sculpt, side), HeadVertexPart::Teeth, side);
        }
        let collar = features::build_collar(&sculpt, 1.0 - head.texture_v_of_grid_row(5));
        head.append_part_mesh(&collar, HeadVertexPart::OnSkin, 0.0);
        head.append_part_mesh(&features::build_tongue(&sculpt), HeadVertexPart::Tongue, -1.0);
        head.mesh.drop_degenerate_triangles();
        head.mesh.set_normals_and_group_vertices();
        let texture = texture::paint_texture(&sculpt, &head, face);
        let kept = head.mesh.drop_unused_vertices_and_map_indices();
        head.vertex_origins = kept.iter().map(|&i| head.vertex_origins[i]).collect();
        let seams = head.mesh.set_normals_and_group_vertices();
        let face_shapes = shapes::build_face_blendshapes(&sculpt, &head, &seams);
        // The exact normals of the modelled surface are smoother than those of its triangles. The changes by
        // blendshapes stay those of the triangles.
        head.apply_modelled_skin_normals(&sculpt);
        let mut eyes = [1.0, -1.0].map(|side| features::build_eyeball(&sculpt, side));
        let mut hair = hair::build_hair(&sculpt);
        for mesh in eyes.iter_mut().chain([&mut hair]) {
            mesh.drop_degenerate_triangles();
            mesh.drop_unused_vertices_and_map_indices();
            mesh.set_normals_and_group_vertices();
        }
        let eye_shapes = shapes::build_eye_blendshapes(&sculpt, &eyes);
        Self { sculpt, head, eyes, hair, face_shapes, eye_shapes, texture }
    }

    /// The head's mesh with these blendshapes applied; weights are 0..=1.
    fn pose_face(&self, weights: &[(&str, f32)]) -> Mesh {
        let mut mesh = self.head.mesh.clone();
        for (name, weight) in weights {
            for shape in self.face_shapes.iter().filter(|shape| shape.name == *name) {
                for (i, by, turn) in &shape.changes {
                    mesh.positions[*i] += *by * *weight;
                    mesh.normals[*i] += *turn * *weight;
                }
            }
        }
        mesh
    }

    /// Renders the portrait with a slight smile.
    fn render_portrait(&self) -> RgbImage {
        let face = self.pose_face(&[
            ("mouthSmileLeft", 0.5),
            ("mouthSmileRight", 0.44),
            ("browInnerUp", 0.06),
            ("browOuterUpLeft", 0.12),
            ("eyeSquintLeft", 0.12),
            ("eyeSquintRight", 0.12),
        ]);
        let skin = SurfaceFinish { gloss_strength: 0.12, gloss_exponent: 20.0, scatter_share: 1.0 };
        let wet = SurfaceFinish { gloss_strength: 0.5, gloss_exponent: 160.0, scatter_share: 0.2 };
        let locks = SurfaceFinish { gloss_strength: 0.13, gloss_exponent: 26.0, scatter_share: 0.25 };
        let parts = [(&face, skin), (&self.eyes[0], wet), (&self.eyes[1], wet), (&self.hair, locks)];
        portrait::render_parts_on_backdrop(&parts, &self.texture, self.backdrop_tone())
    }

    /// A background colour that contrasts with the shirt.
    fn backdrop_tone(&self) -> Vec3 {
        let shirt = self.sculpt.character.shirt_tone;
        let warm = shirt.x > shirt.z;
        shirt.lerp(if warm { color_from_24_bit_rgb(0x006f_9fb8) } else { color_from_24_bit_rgb(0x00d8_a878) }, 0.75)
    }
}

fn encode_png(image: &RgbImage) -> Vec<u8> {
    let mut bytes = Vec::new();
    let encoder = PngEncoder::new_with_quality(&mut bytes, CompressionType::Fast, FilterType::Up);
    let written = encoder.write_image(image.as_raw(), image.width(), image.height(), ExtendedColorType::Rgb8);
    debug_assert!(written.is_ok(), "an RGB picture of a known size can always be encoded into memory");
    bytes
}
