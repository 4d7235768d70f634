//! Writes binary glTF 2.0. `gltf-json` writes the document; buffer and container are written here.

use std::collections::BTreeMap;

use glam::{Mat4, Vec3};
use gltf_json as json;
use json::accessor::{ComponentType, GenericComponentType, IndexComponentType, Type};
use json::buffer::Target;
use json::validation::Checked::Valid;
use json::validation::USize64;
use json::{Index, mesh::Semantic};

use super::Avatar;
use super::mesh::Mesh;
use super::rig::{self, Hold};
use super::shapes::Shape;

/// Factor from centimetres to metres.
const METRES: f32 = 0.01;

/// Writes an avatar. `texture` is a PNG.
pub(super) fn write(avatar: &Avatar, texture: &[u8]) -> Vec<u8> {
    let mut out = Document::default();
    let materials = out.materials(texture);
    let skin = out.skeleton(avatar);

    let head = &avatar.head.mesh;
    let hold: Vec<Hold> = head.positions.iter().map(|&p| rig::hold(p)).collect();
    let primitive = out.primitive(head, &hold, materials[0]);
    let mesh_of_head = out.shaped("head", primitive, head, &avatar.shapes);
    out.skinned("head", mesh_of_head, skin);

    let mut eyes = Mesh::default();
    let mut hold = Vec::new();
    for (eye, index) in avatar.eyes.iter().zip(0..) {
        eyes.append(eye);
        hold.resize(eyes.positions.len(), rig::hold_eye(index));
    }
    let primitive = out.primitive(&eyes, &hold, materials[1]);
    let mesh_of_eyes = out.shaped("eyes", primitive, &eyes, &avatar.eye_shapes);
    out.skinned("eyes", mesh_of_eyes, skin);

    let hold: Vec<Hold> = avatar.hair.positions.iter().map(|&p| rig::hold(p.with_y(p.y.max(-9.0)))).collect();
    let primitive = out.primitive(&avatar.hair, &hold, materials[2]);
    out.skinned("hair", mesh("hair", vec![primitive]), skin);

    out.finish()
}

/// A glTF document and its buffer while they are built.
#[derive(Default)]
struct Document {
    root: json::Root,
    binary: Vec<u8>,
    scene: Vec<Index<json::Node>>,
}

impl Document {
    /// Appends bytes to the buffer, aligned to four bytes, and adds a view of them.
    fn view(&mut self, bytes: &[u8], target: Option<Target>) -> Index<json::buffer::View> {
        let start = self.binary.len();
        self.binary.extend_from_slice(bytes);
        while !self.binary.len().is_multiple_of(4) {
            self.binary.push(0);
        }
        self.root.push(json::buffer::View {
            buffer: Index::new(0),
            byte_length: bytes.len().into(),
            byte_offset: Some(start.into()),
            byte_stride: None,
            name: None,
            target: target.map(Valid),
            extensions: None,
            extras: None,
        })
    }

    /// Appends floats to the buffer, with an accessor for them.
    fn floats(&mut self, values: &[f32], type_: Type, target: Option<Target>) -> json::Accessor {
        let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        let view = self.view(&bytes, target);
        accessor(Some(view), values.len() / type_.multiplicity(), ComponentType::F32, type_)
    }

    /// Appends a mesh to the buffer; `hold` has the joint weights of each vertex.
    fn primitive(
        &mut self,
        mesh: &Mesh,
        hold: &[Hold],
        material: Index<json::Material>,
    ) -> json::mesh::Primitive {
        let vertices = Some(Target::ArrayBuffer);
        let places: Vec<Vec3> = mesh.positions.iter().map(|p| *p * METRES).collect();
        let mut positions = self.floats(&flat(&places), Type::Vec3, vertices);
        (positions.min, positions.max) = bounds(places.iter());
        let normals = self.floats(&flat(&mesh.normals), Type::Vec3, vertices);
        let uvs: Vec<f32> = mesh.uvs.iter().flat_map(glam::Vec2::to_array).collect();
        let uvs = self.floats(&uvs, Type::Vec2, vertices);
        let joints: Vec<u8> = hold.iter().flat_map(|h| h.0).collect();
        let weights: Vec<u8> = hold.iter().flat_map(|h| h.1).collect();
        let joints_view = self.view(&joints, vertices);
        let weights_view = self.view(&weights, vertices);
        let joints = accessor(Some(joints_view), hold.len(), ComponentType::U8, Type::Vec4);
        let mut weights = accessor(Some(weights_view), hold.len(), ComponentType::U8, Type::Vec4);
        weights.normalized = true;
        let corners: Vec<u8> =
            mesh.triangles.iter().flatten().flat_map(|i| (*i as u16).to_le_bytes()).collect();
        let view = self.view(&corners, Some(Target::ElementArrayBuffer));
        let indices = accessor(Some(view), mesh.triangles.len() * 3, ComponentType::U16, Type::Scalar);
        let attributes: BTreeMap<_, _> = [
            (Valid(Semantic::Positions), self.root.push(positions)),
            (Valid(Semantic::Normals), self.root.push(normals)),
            (Valid(Semantic::TexCoords(0)), self.root.push(uvs)),
            (Valid(Semantic::Joints(0)), self.root.push(joints)),
            (Valid(Semantic::Weights(0)), self.root.push(weights)),
        ]
        .into();
        json::mesh::Primitive {
            attributes,
            indices: Some(self.root.push(indices)),
            material: Some(material),
            mode: Valid(json::mesh::Mode::Triangles),
            targets: None,
            extensions: None,
            extras: None,
        }
    }

    /// A mesh with its blendshapes, whose names are in `extras.targetNames`, where most readers look for them.
    fn shaped(
        &mut self,
        name: &str,
        mut primitive: json::mesh::Primitive,
        of: &Mesh,
        shapes: &[Shape],
    ) -> json::Mesh {
        primitive.targets = Some(shapes.iter().map(|shape| self.target(of, shape)).collect());
        let names: Vec<&str> = shapes.iter().map(|shape| shape.name.as_str()).collect();
        let extras = serde_json::value::to_raw_value(&serde_json::json!({ "targetNames": names })).ok();
        json::Mesh { extras, weights: Some(vec![0.0; names.len()]), ..mesh(name, vec![primitive]) }
    }

    /// Adds a blendshape as sparse accessors, which hold only the vertices that it moves.
    fn target(&mut self, mesh: &Mesh, shape: &Shape) -> json::mesh::MorphTarget {
        let indices: Vec<u8> = shape.changes.iter().flat_map(|(i, ..)| (*i as u16).to_le_bytes()).collect();
        let indices = self.view(&indices, None);
        let moves: Vec<Vec3> = shape.changes.iter().map(|(_, by, _)| *by * METRES).collect();
        let turns: Vec<Vec3> = shape.changes.iter().map(|(_, _, turn)| *turn).collect();
        let [positions, normals] = [moves, turns].map(|values| {
            let bytes: Vec<u8> = flat(&values).iter().flat_map(|v| v.to_le_bytes()).collect();
            let view = self.view(&bytes, None);
            let mut accessor = accessor(None, mesh.positions.len(), ComponentType::F32, Type::Vec3);
            // The bounds include the zero of the vertices that do not move.
            let rest = (values.len() < mesh.positions.len()).then_some(&Vec3::ZERO);
            (accessor.min, accessor.max) = bounds(values.iter().chain(rest));
            accessor.sparse = Some(json::accessor::sparse::Sparse {
                count: values.len().into(),
                indices: json::accessor::sparse::Indices {
                    buffer_view: indices,
                    byte_offset: USize64(0),
                    component_type: Valid(IndexComponentType(ComponentType::U16)),
                    extensions: None,
                    extras: None,
                },
                values: json::accessor::sparse::Values {
                    buffer_view: view,
                    byte_offset: USize64(0),
                    extensions: None,
                    extras: None,
                },
                extensions: None,
                extras: None,
            });
            self.root.push(accessor)
        });
        json::mesh::MorphTarget { positions: Some(positions), normals: Some(normals), tangents: None }
    }

    /// Adds the materials of skin, eyes and hair, which share one texture.
    fn materials(&mut self, texture: &[u8]) -> [Index<json::Material>; 3] {
        let view = self.view(texture, None);
        let source = self.root.push(json::Image {
            buffer_view: Some(view),
            mime_type: Some(json::image::MimeType("image/png".into())),
            name: Some("avatar".into()),
            uri: None,
            extensions: None,
            extras: None,
        });
        let sampler = self.root.push(json::texture::Sampler {
            mag_filter: Some(Valid(json::texture::MagFilter::Linear)),
            min_filter: Some(Valid(json::texture::MinFilter::LinearMipmapLinear)),
            wrap_s: Valid(json::texture::WrappingMode::ClampToEdge),
            wrap_t: Valid(json::texture::WrappingMode::ClampToEdge),
            ..Default::default()
        });
        let texture = self.root.push(json::Texture {
            name: None,
            sampler: Some(sampler),
            source,
            extensions: None,
            extras: None,
        });
        [("skin", 0.58), ("eyes", 0.12), ("hair", 0.62)].map(|(name, roughness)| {
            self.root.push(json::Material {
                name: Some(name.into()),
                pbr_metallic_roughness: json::material::PbrMetallicRoughness {
                    base_color_texture: Some(json::texture::Info {
                        index: texture,
                        tex_coord: 0,
                        extensions: None,
                        extras: None,
                    }),
                    metallic_factor: json::material::StrengthFactor(0.0),
                    roughness_factor: json::material::StrengthFactor(roughness),
                    ..Default::default()
                },
                ..Default::default()
            })
        })
    }

    /// Adds the joints as nodes, and the skin that binds them.
    fn skeleton(&mut self, avatar: &Avatar) -> Index<json::Skin> {
        let joints = rig::joints(&avatar.sculpt);
        let first = self.root.nodes.len() as u32;
        let node = |i: usize| Index::new(first + i as u32);
        for (i, joint) in joints.iter().enumerate() {
            let parent = joint.parent.map_or(Vec3::ZERO, |p| joints[p].at);
            let children: Vec<_> =
                (0..joints.len()).filter(|&c| joints[c].parent == Some(i)).map(node).collect();
            self.root.push(json::Node {
                name: Some(joint.name.into()),
                translation: Some(((joint.at - parent) * METRES).to_array()),
                children: (!children.is_empty()).then_some(children),
                ..Default::default()
            });
        }
        let inverse: Vec<f32> = joints
            .iter()
            .flat_map(|joint| Mat4::from_translation(-joint.at * METRES).to_cols_array())
            .collect();
        let matrices = self.floats(&inverse, Type::Mat4, None);
        self.scene.push(node(0));
        let inverse_bind_matrices = Some(self.root.push(matrices));
        self.root.push(json::Skin {
            joints: (0..joints.len()).map(node).collect(),
            inverse_bind_matrices,
            skeleton: Some(node(0)),
            name: Some("rig".into()),
            extensions: None,
            extras: None,
        })
    }

    /// Adds a mesh to the scene, bound to the skin.
    fn skinned(&mut self, name: &str, mesh: json::Mesh, skin: Index<json::Skin>) {
        let mesh = Some(self.root.push(mesh));
        let node = self.root.push(json::Node {
            name: Some(name.into()),
            mesh,
            skin: Some(skin),
            ..Default::default()
        });
        self.scene.push(node);
    }

    /// Completes the document, and writes it with its buffer.
    fn finish(mut self) -> Vec<u8> {
        self.root.push(json::Buffer {
            byte_length: self.binary.len().into(),
            name: None,
            uri: None,
            extensions: None,
            extras: None,
        });
        let scene =
            json::Scene { nodes: self.scene, name: Some("avatar".into()), extensions: None, extras: None };
        self.root.scene = Some(self.root.push(scene));
        self.root.asset.generator = Some("Copresence kiosk sandbox".into());
        let written = json::serialize::to_vec(&self.root);
        debug_assert!(written.is_ok(), "a document of plain values can always be serialised");
        container(written.unwrap_or_default(), self.binary)
    }
}

/// The GLB container: a 12-byte header, then two chunks, each padded to four bytes.
fn container(mut document: Vec<u8>, mut binary: Vec<u8>) -> Vec<u8> {
    document.resize(document.len().next_multiple_of(4), b' ');
    binary.resize(binary.len().next_multiple_of(4), 0);
    let length = 12 + 8 + document.len() + 8 + binary.len();
    let mut out = Vec::with_capacity(length);
    out.extend_from_slice(b"glTF");
    out.extend_from_slice(&2_u32.to_le_bytes());
    out.extend_from_slice(&(length as u32).to_le_bytes());
    for (kind, chunk) in [(b"JSON", document), (b"BIN\0", binary)] {
        out.extend_from_slice(&(chunk.len() as u32).to_le_bytes());
        out.extend_from_slice(kind);
        out.extend_from_slice(&chunk);
    }
    out
}

/// An accessor without bounds.
fn accessor(
    view: Option<Index<json::buffer::View>>,
    count: usize,
    component: ComponentType,
    type_: Type,
) -> json::Accessor {
    json::Accessor {
        buffer_view: view,
        byte_offset: view.map(|_| USize64(0)),
        count: count.into(),
        component_type: Valid(GenericComponentType(component)),
        type_: Valid(type_),
        min: None,
        max: None,
        name: None,
        normalized: false,
        sparse: None,
        extensions: None,
        extras: None,
    }
}

/// A mesh without blendshapes.
fn mesh(name: &str, primitives: Vec<json::mesh::Primitive>) -> json::Mesh {
    json::Mesh { name: Some(name.into()), primitives, weights: None, extensions: None, extras: None }
}

fn flat(values: &[Vec3]) -> Vec<f32> {
    values.iter().flat_map(Vec3::to_array).collect()
}

/// The smallest and largest component on each axis.
fn bounds<'a>(
    values: impl Iterator<Item = &'a Vec3>,
) -> (Option<serde_json::Value>, Option<serde_json::Value>) {
    let (low, high) =
        values.fold((Vec3::INFINITY, Vec3::NEG_INFINITY), |(low, high), v| (low.min(*v), high.max(*v)));
    (Some(serde_json::json!(low.to_array())), Some(serde_json::json!(high.to_array())))
}
