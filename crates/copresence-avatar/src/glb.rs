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
use super::rig::{self, JointWeights};
use super::shapes::Blendshape;

/// Factor from centimetres to metres.
const CM_TO_METRES: f32 = 0.01;

/// The GLB file of an avatar, as bytes. `texture` is a PNG.
pub(super) fn build_avatar_glb(avatar: &Avatar, texture: &[u8]) -> Vec<u8> {
    let mut out = GlbDocument::default();
    let materials = out.add_materials(texture);
    let skin = out.add_skeleton(avatar);

    let head = &avatar.head.mesh;
    let hold: Vec<JointWeights> = head.positions.iter().map(|&p| rig::head_joint_weights(p)).collect();
    let primitive = out.append_mesh_as_primitive(head, &hold, materials[0]);
    let mesh_of_head = out.mesh_with_blendshapes("head", primitive, head, &avatar.face_shapes);
    out.add_skinned_node("head", mesh_of_head, skin);

    let mut eyes = Mesh::default();
    let mut hold = Vec::new();
    for (eye, index) in avatar.eyes.iter().zip(0..) {
        eyes.append_mesh(eye);
        hold.resize(eyes.positions.len(), rig::eye_joint_weights(index));
    }
    let primitive = out.append_mesh_as_primitive(&eyes, &hold, materials[1]);
    let mesh_of_eyes = out.mesh_with_blendshapes("eyes", primitive, &eyes, &avatar.eye_shapes);
    out.add_skinned_node("eyes", mesh_of_eyes, skin);

    let hold: Vec<JointWeights> =
        avatar.hair.positions.iter().map(|&p| rig::head_joint_weights(p.with_y(p.y.max(-9.0)))).collect();
    let primitive = out.append_mesh_as_primitive(&avatar.hair, &hold, materials[2]);
    out.add_skinned_node("hair", mesh_without_blendshapes("hair", vec![primitive]), skin);

    out.into_glb()
}

/// A glTF document and its buffer while they are built.
#[derive(Default)]
struct GlbDocument {
    root: json::Root,
    binary: Vec<u8>,
    scene_nodes: Vec<Index<json::Node>>,
}

impl GlbDocument {
    /// Appends bytes to the buffer, aligned to four bytes, and adds a view of them.
    fn add_buffer_view(&mut self, bytes: &[u8], target: Option<Target>) -> Index<json::buffer::View> {
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
    fn add_float_accessor(&mut self, values: &[f32], type_: Type, target: Option<Target>) -> json::Accessor {
        let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        let view = self.add_buffer_view(&bytes, target);
        build_accessor_without_bounds(Some(view), values.len() / type_.multiplicity(), ComponentType::F32, type_)
    }

    /// Appends a mesh to the buffer, and returns it as a glTF primitive. `hold` has the joint weights of each vertex.
    fn append_mesh_as_primitive(
        &mut self,
        mesh: &Mesh,
        hold: &[JointWeights],
        material: Index<json::Material>,
    ) -> json::mesh::Primitive {
        let vertices = Some(Target::ArrayBuffer);
        let places: Vec<Vec3> = mesh.positions.iter().map(|p| *p * CM_TO_METRES).collect();
        let mut positions = self.add_float_accessor(&flatten_vectors(&places), Type::Vec3, vertices);
        (positions.min, positions.max) = json_bounding_box(places.iter());
        let normals = self.add_float_accessor(&flatten_vectors(&mesh.normals), Type::Vec3, vertices);
        let uvs: Vec<f32> = mesh.uvs.iter().flat_map(glam::Vec2::to_array).collect();
        let uvs = self.add_float_accessor(&uvs, Type::Vec2, vertices);
        let joints: Vec<u8> = hold.iter().flat_map(|h| h.0).collect();
        let weights: Vec<u8> = hold.iter().flat_map(|h| h.1).collect();
        let joints_view = self.add_buffer_view(&joints, vertices);
        let weights_view = self.add_buffer_view(&weights, vertices);
        let joints = build_accessor_without_bounds(Some(joints_view), hold.len(), ComponentType::U8, Type::Vec4);
        let mut weights = build_accessor_without_bounds(Some(weights_view), hold.len(), ComponentType::U8, Type::Vec4);
        weights.normalized = true;
        let corners: Vec<u8> = mesh.triangles.iter().flatten().flat_map(|i| (*i as u16).to_le_bytes()).collect();
        let view = self.add_buffer_view(&corners, Some(Target::ElementArrayBuffer));
        let indices =
            build_accessor_without_bounds(Some(view), mesh.triangles.len() * 3, ComponentType::U16, Type::Scalar);
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

    /// Builds a glTF mesh of one primitive with its blendshapes as morph targets. Their names are in
    /// `extras.targetNames`, where most readers look for them.
    fn mesh_with_blendshapes(
        &mut self,
        name: &str,
        mut primitive: json::mesh::Primitive,
        of: &Mesh,
        shapes: &[Blendshape],
    ) -> json::Mesh {
        primitive.targets = Some(shapes.iter().map(|shape| self.add_morph_target(of, shape)).collect());
        let names: Vec<&str> = shapes.iter().map(|shape| shape.name.as_str()).collect();
        let extras = serde_json::value::to_raw_value(&serde_json::json!({ "targetNames": names })).ok();
        json::Mesh { extras, weights: Some(vec![0.0; names.len()]), ..mesh_without_blendshapes(name, vec![primitive]) }
    }

    /// Adds a blendshape as sparse accessors, which hold only the vertices that it moves.
    fn add_morph_target(&mut self, mesh: &Mesh, shape: &Blendshape) -> json::mesh::MorphTarget {
        let indices: Vec<u8> = shape.changes.iter().flat_map(|(i, ..)| (*i as u16).to_le_bytes()).collect();
        let indices = self.add_buffer_view(&indices, None);
        let moves: Vec<Vec3> = shape.changes.iter().map(|(_, by, _)| *by * CM_TO_METRES).collect();
        let turns: Vec<Vec3> = shape.changes.iter().map(|(_, _, turn)| *turn).collect();
        let [positions, normals] = [moves, turns].map(|values| {
            let bytes: Vec<u8> = flatten_vectors(&values).iter().flat_map(|v| v.to_le_bytes()).collect();
            let view = self.add_buffer_view(&bytes, None);
            let mut accessor =
                build_accessor_without_bounds(None, mesh.positions.len(), ComponentType::F32, Type::Vec3);
            // The bounds include the zero of the vertices that do not move.
            let rest = (values.len() < mesh.positions.len()).then_some(&Vec3::ZERO);
            (accessor.min, accessor.max) = json_bounding_box(values.iter().chain(rest));
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
    fn add_materials(&mut self, texture: &[u8]) -> [Index<json::Material>; 3] {
        let view = self.add_buffer_view(texture, None);
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
    fn add_skeleton(&mut self, avatar: &Avatar) -> Index<json::Skin> {
        let joints = rig::build_joints(&avatar.sculpt);
        let first = self.root.nodes.len() as u32;
        let node = |i: usize| Index::new(first + i as u32);
        for (i, joint) in joints.iter().enumerate() {
            let parent = joint.parent.map_or(Vec3::ZERO, |p| joints[p].position);
            let children: Vec<_> = (0..joints.len()).filter(|&c| joints[c].parent == Some(i)).map(node).collect();
            self.root.push(json::Node {
                name: Some(joint.name.into()),
                translation: Some(((joint.position - parent) * CM_TO_METRES).to_array()),
                children: (!children.is_empty()).then_some(children),
                ..Default::default()
            });
        }
        let inverse: Vec<f32> = joints
            .iter()
            .flat_map(|joint| Mat4::from_translation(-joint.position * CM_TO_METRES).to_cols_array())
            .collect();
        let matrices = self.add_float_accessor(&inverse, Type::Mat4, None);
        self.scene_nodes.push(node(0));
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
    fn add_skinned_node(&mut self, name: &str, mesh: json::Mesh, skin: Index<json::Skin>) {
        let mesh = Some(self.root.push(mesh));
        let node = self.root.push(json::Node { name: Some(name.into()), mesh, skin: Some(skin), ..Default::default() });
        self.scene_nodes.push(node);
    }

    /// Completes the document, and writes it with its buffer.
    fn into_glb(mut self) -> Vec<u8> {
        self.root.push(json::Buffer {
            byte_length: self.binary.len().into(),
            name: None,
            uri: None,
            extensions: None,
            extras: None,
        });
        let scene =
            json::Scene { nodes: self.scene_nodes, name: Some("avatar".into()), extensions: None, extras: None };
        self.root.scene = Some(self.root.push(scene));
        self.root.asset.generator = Some("Copresence kiosk sandbox".into());
        let written = json::serialize::to_vec(&self.root);
        debug_assert!(written.is_ok(), "a document of plain values can always be serialised");
        encode_glb_container(written.unwrap_or_default(), self.binary)
    }
}

/// The GLB container: a 12-byte header, then two chunks, each padded to four bytes.
fn encode_glb_container(mut document: Vec<u8>, mut binary: Vec<u8>) -> Vec<u8> {
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

/// Builds an accessor for `count` elements of a view. `min` and `max` are left empty, which only positions need.
/// Does not add it to the document.
fn build_accessor_without_bounds(
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

/// Builds a glTF mesh of primitives, without morph targets. Does not add it to the document.
fn mesh_without_blendshapes(name: &str, primitives: Vec<json::mesh::Primitive>) -> json::Mesh {
    json::Mesh { name: Some(name.into()), primitives, weights: None, extensions: None, extras: None }
}

/// The components of all vectors, one after the other.
fn flatten_vectors(values: &[Vec3]) -> Vec<f32> {
    values.iter().flat_map(Vec3::to_array).collect()
}

/// The smallest and largest component on each axis.
fn json_bounding_box<'a>(
    values: impl Iterator<Item = &'a Vec3>,
) -> (Option<serde_json::Value>, Option<serde_json::Value>) {
    let (low, high) = values.fold((Vec3::INFINITY, Vec3::NEG_INFINITY), |(low, high), v| (low.min(*v), high.max(*v)));
    (Some(serde_json::json!(low.to_array())), Some(serde_json::json!(high.to_array())))
}
