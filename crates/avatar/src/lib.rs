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

use character::{Character, rgb};
use head::{Head, Layer};
use mesh::Mesh;
use portrait::Finish;
use sculpt::Sculpt;
use shapes::Shape;

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
pub fn build(seed: u64, face: Option<&RgbImage>) -> AvatarFiles {
    let avatar = Avatar::new(seed, face);
    let texture = png(&avatar.texture);
    AvatarFiles {
        glb: Bytes::from(glb::write(&avatar, &texture)),
        png: Bytes::from(png(&avatar.portrait())),
        obj_zip: Bytes::from(obj::write(&avatar, &texture)),
    }
}

/// All parts of an avatar before they are written. Lengths are in centimetres.
struct Avatar {
    sculpt: Sculpt,
    head: Head,
    eyes: [Mesh; 2],
    hair: Mesh,
    shapes: Vec<Shape>,
    eye_shapes: Vec<Shape>,
    texture: RgbImage,
}

impl Avatar {
    fn new(seed: u64, face: Option<&RgbImage>) -> Self {
        let sculpt = Sculpt::new(Character::from_seed(seed));
        let mut head = Head::new(&sculpt);
        for side in [1.0, -1.0] {
            head.attach(&features::brow(&sculpt, side), Layer::OnSkin, 0.0);
            head.attach(&features::ear(&sculpt, side), Layer::OnSkin, 0.0);
            head.attach(&features::teeth(&sculpt, side), Layer::Teeth, side);
        }
        head.attach(&features::tongue(&sculpt), Layer::Tongue, -1.0);
        head.mesh.drop_slivers();
        head.mesh.smooth();
        let texture = texture::paint(&sculpt, &head, face);
        let kept = head.mesh.drop_unused();
        head.sources = kept.iter().map(|&i| head.sources[i]).collect();
        let seams = head.mesh.smooth();
        let shapes = shapes::shapes(&sculpt, &head, &seams);
        let mut eyes = [1.0, -1.0].map(|side| features::eyeball(&sculpt, side));
        let mut hair = hair::hair(&sculpt);
        for mesh in eyes.iter_mut().chain([&mut hair]) {
            mesh.drop_slivers();
            mesh.drop_unused();
            mesh.smooth();
        }
        let eye_shapes = shapes::eye_shapes(&sculpt, &eyes);
        Self { sculpt, head, eyes, hair, shapes, eye_shapes, texture }
    }

    /// The head's mesh with these blendshapes applied; weights are 0..=1.
    fn posed(&self, weights: &[(&str, f32)]) -> Mesh {
        let mut mesh = self.head.mesh.clone();
        for (name, weight) in weights {
            for shape in self.shapes.iter().filter(|shape| shape.name == *name) {
                for (i, by, turn) in &shape.changes {
                    mesh.positions[*i] += *by * *weight;
                    mesh.normals[*i] += *turn * *weight;
                }
            }
        }
        mesh
    }

    /// Renders the portrait with a slight smile.
    fn portrait(&self) -> RgbImage {
        let face = self.posed(&[
            ("mouthSmileLeft", 0.5),
            ("mouthSmileRight", 0.44),
            ("browInnerUp", 0.06),
            ("browOuterUpLeft", 0.12),
            ("eyeSquintLeft", 0.12),
            ("eyeSquintRight", 0.12),
        ]);
        let skin = Finish { gloss: 0.12, sharp: 20.0, soft: 1.0 };
        let wet = Finish { gloss: 0.5, sharp: 160.0, soft: 0.2 };
        let locks = Finish { gloss: 0.13, sharp: 26.0, soft: 0.25 };
        let parts = [(&face, skin), (&self.eyes[0], wet), (&self.eyes[1], wet), (&self.hair, locks)];
        portrait::render(&parts, &self.texture, self.backdrop())
    }

    /// A background colour that contrasts with the shirt.
    fn backdrop(&self) -> Vec3 {
        let shirt = self.sculpt.who.shirt;
        let warm = shirt.x > shirt.z;
        shirt.lerp(if warm { rgb(0x006f_9fb8) } else { rgb(0x00d8_a878) }, 0.75)
    }
}

fn png(image: &RgbImage) -> Vec<u8> {
    let mut bytes = Vec::new();
    let encoder = PngEncoder::new_with_quality(&mut bytes, CompressionType::Fast, FilterType::Up);
    let written = encoder.write_image(image.as_raw(), image.width(), image.height(), ExtendedColorType::Rgb8);
    debug_assert!(written.is_ok(), "an RGB picture of a known size can always be encoded into memory");
    bytes
}
