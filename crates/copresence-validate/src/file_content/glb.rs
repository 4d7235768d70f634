//! Validates binary glTF 2.0: container, document, accessors, images and indices. Covers those errors of the official
//! validator that would break a viewer.

use gltf_json as json;
use json::accessor::{GenericComponentType, Type};
use json::mesh::Semantic;
use json::validation::{Checked, Validate};
use std::collections::BTreeSet;

/// Content of a valid model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GlbFacts {
    /// Number of vertices of all meshes.
    pub vertices: u64,
    /// Names of the blendshapes; for a blendshape without a name, mesh and index.
    pub blendshapes: BTreeSet<String>,
    /// Number of textures.
    pub textures: usize,
    /// Number of joints of the skin that has most of them.
    pub joints: usize,
}

/// Length of the container's header, in bytes.
const HEADER_LEN: usize = 12;
/// Type of the JSON chunk.
const JSON_CHUNK_TYPE: u32 = 0x4e4f_534a;
/// Type of the binary chunk.
const BINARY_CHUNK_TYPE: u32 = 0x004e_4942;

/// Validates a model, and summarises its content.
pub(super) fn inspect_glb(bytes: &[u8]) -> Result<GlbFacts, String> {
    let (document, binary) = split_chunks(bytes)?;
    let root: json::Root =
        json::deserialize::from_slice(document).map_err(|error| format!("its JSON is not glTF: {error}"))?;
    if !root.asset.version.starts_with("2.") {
        return Err(format!("it is glTF {}, not 2.0", root.asset.version));
    }
    let mut wrong = None;
    root.validate(&root, json::Path::new, &mut |path, error| {
        wrong.get_or_insert_with(|| format!("glTF {}: {error}", path()));
    });
    if let Some(wrong) = wrong {
        return Err(wrong);
    }
    let model = GltfModelWithBinary { root: &root, binary };
    model.validate_buffers()?;
    for index in 0..root.accessors.len() {
        model.validate_accessor(index).map_err(|why| format!("accessor {index}: {why}"))?;
    }
    for (index, image) in root.images.iter().enumerate() {
        model.validate_image(image).map_err(|why| format!("image {index}: {why}"))?;
    }
    model.validate_and_summarize()
}

/// Splits the container into the JSON chunk and the binary chunk, which is empty if there is none.
fn split_chunks(bytes: &[u8]) -> Result<(&[u8], &[u8]), String> {
    if !bytes.starts_with(b"glTF") {
        return Err("it does not start with `glTF`".to_owned());
    }
    if bytes.len() < HEADER_LEN {
        return Err("it ends within its header".to_owned());
    }
    if read_u32(bytes, 4) != Some(2) {
        return Err("its container is not of version 2".to_owned());
    }
    let stated = read_u32(bytes, 8).map(|length| length as usize);
    if stated != Some(bytes.len()) {
        return Err(format!("its header says {} bytes, but the file has {}", stated.unwrap_or_default(), bytes.len()));
    }
    let (document, rest) =
        take_chunk_of_type(&bytes[HEADER_LEN..], JSON_CHUNK_TYPE)?.ok_or("its first chunk is not JSON")?;
    if rest.is_empty() {
        return Ok((document, &[]));
    }
    let (binary, _) = take_chunk_of_type(rest, BINARY_CHUNK_TYPE)?.ok_or("its second chunk is not binary")?;
    Ok((document, binary))
}

/// The body of a chunk, and the bytes after the chunk.
type ChunkAndRest<'a> = Option<(&'a [u8], &'a [u8])>;

/// Reads the first chunk; `None` if it is of another type.
fn take_chunk_of_type(bytes: &[u8], kind: u32) -> Result<ChunkAndRest<'_>, String> {
    let cut = || "a chunk is cut off".to_owned();
    let length = read_u32(bytes, 0).ok_or_else(cut)? as usize;
    if read_u32(bytes, 4).ok_or_else(cut)? != kind {
        return Ok(None);
    }
    if !length.is_multiple_of(4) {
        return Err("a chunk is not padded to four bytes".to_owned());
    }
    let body = &bytes[8..];
    if body.len() < length {
        return Err(cut());
    }
    Ok(Some(body.split_at(length)))
}

/// Reads a little-endian number at an offset in bytes.
fn read_u32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

/// A parsed model with its binary chunk.
struct GltfModelWithBinary<'a> {
    root: &'a json::Root,
    binary: &'a [u8],
}

impl GltfModelWithBinary<'_> {
    /// Validates buffers and buffer views.
    fn validate_buffers(&self) -> Result<(), String> {
        match self.root.buffers.as_slice() {
            [] => {}
            [only] if only.uri.is_none() => {
                let length = only.byte_length.0;
                let there = self.binary.len() as u64;
                // A chunk may be padded by up to three bytes.
                if length > there || there - length > 3 {
                    return Err(format!("its buffer is {length} bytes long, but its chunk {there}"));
                }
            }
            _ => return Err("it refers to other files".to_owned()),
        }
        for (index, view) in self.root.buffer_views.iter().enumerate() {
            let end = view.byte_offset.map_or(0, |offset| offset.0).checked_add(view.byte_length.0);
            if end.is_none_or(|end| end > self.binary.len() as u64) {
                return Err(format!("buffer view {index} exceeds its buffer"));
            }
        }
        Ok(())
    }

    /// The bytes of a buffer view.
    fn buffer_view_bytes(&self, index: usize) -> Option<&[u8]> {
        let view = self.root.buffer_views.get(index)?;
        let offset = usize::try_from(view.byte_offset.map_or(0, |offset| offset.0)).ok()?;
        let length = usize::try_from(view.byte_length.0).ok()?;
        self.binary.get(offset..offset.checked_add(length)?)
    }

    /// Validates that every element of an accessor lies within its buffer view.
    fn validate_accessor(&self, index: usize) -> Result<(), String> {
        let accessor = self.root.accessors.get(index).ok_or("it does not exist")?;
        let (Checked::Valid(kind), Checked::Valid(GenericComponentType(component))) =
            (&accessor.type_, &accessor.component_type)
        else {
            return Err("its type is unknown".to_owned());
        };
        let size = component.size() as u64;
        let element = size * kind.multiplicity() as u64;
        let count = accessor.count.0;
        if count == 0 {
            return Err("it is empty".to_owned());
        }
        let within = |view: usize, offset: u64, stride: u64, count: u64, element: u64| {
            let length = self.buffer_view_bytes(view).ok_or("its buffer view does not exist")?.len() as u64;
            let end = (count - 1).checked_mul(stride).and_then(|n| n.checked_add(offset + element));
            if end.is_none_or(|end| end > length) {
                return Err("it exceeds its buffer view".to_owned());
            }
            Ok(())
        };
        if let Some(view) = accessor.buffer_view {
            let offset = accessor.byte_offset.map_or(0, |offset| offset.0);
            let own = &self.root.buffer_views[view.value()];
            let start = own.byte_offset.map_or(0, |offset| offset.0) + offset;
            if !start.is_multiple_of(size) {
                return Err("it is not aligned to its component".to_owned());
            }
            let stride = own.byte_stride.map_or(element, |stride| stride.0 as u64);
            within(view.value(), offset, stride, count, element)?;
        }
        if let Some(sparse) = &accessor.sparse {
            let changed = sparse.count.0;
            if changed == 0 || changed > count {
                return Err("its sparse count is wrong".to_owned());
            }
            let Checked::Valid(indices) = sparse.indices.component_type else {
                return Err("its sparse indices are of an unknown type".to_owned());
            };
            let size = indices.0.size() as u64;
            let (at, values) = (&sparse.indices, &sparse.values);
            within(at.buffer_view.value(), at.byte_offset.0, size, changed, size)?;
            within(values.buffer_view.value(), values.byte_offset.0, element, changed, element)?;
        }
        Ok(())
    }

    /// Validates an embedded image by its header.
    fn validate_image(&self, image: &json::Image) -> Result<(), String> {
        let Some(view) = image.buffer_view else {
            return match &image.uri {
                Some(uri) if uri.starts_with("data:") => Ok(()),
                _ => Err("it refers to another file".to_owned()),
            };
        };
        let bytes = self.buffer_view_bytes(view.value()).ok_or("its buffer view does not exist")?;
        let format = image::guess_format(bytes).map_err(|_| "it is neither PNG nor JPEG")?;
        image::ImageReader::with_format(std::io::Cursor::new(bytes), format)
            .into_dimensions()
            .map(|_| ())
            .map_err(|error| format!("it cannot be decoded: {error}"))
    }

    /// Validates every mesh, and summarises the model.
    fn validate_and_summarize(&self) -> Result<GlbFacts, String> {
        let mut facts = GlbFacts {
            vertices: 0,
            blendshapes: BTreeSet::new(),
            textures: self.root.textures.len(),
            joints: self.root.skins.iter().map(|skin| skin.joints.len()).max().unwrap_or(0),
        };
        let mut counted = BTreeSet::new();
        for (number, mesh) in self.root.meshes.iter().enumerate() {
            let mut targets = 0;
            for primitive in &mesh.primitives {
                let vertices = self.validate_primitive(primitive).map_err(|why| format!("mesh {number}: {why}"))?;
                let positions = primitive.attributes.get(&Checked::Valid(Semantic::Positions));
                if positions.is_some_and(|positions| counted.insert(positions.value())) {
                    facts.vertices += vertices;
                }
                targets = targets.max(primitive.targets.as_ref().map_or(0, Vec::len));
            }
            let named = blendshape_names(mesh);
            facts
                .blendshapes
                .extend((0..targets).map(|index| {
                    named.get(index).cloned().unwrap_or_else(|| format!("mesh {number}, target {index}"))
                }));
        }
        if facts.vertices == 0 {
            return Err("it has no vertices".to_owned());
        }
        Ok(facts)
    }

    /// Validates that the parts of a primitive fit together. Returns its number of vertices.
    fn validate_primitive(&self, primitive: &json::mesh::Primitive) -> Result<u64, String> {
        let count = |index: usize| self.root.accessors.get(index).map_or(0, |accessor| accessor.count.0);
        let positions = primitive.attributes.get(&Checked::Valid(Semantic::Positions));
        let positions = positions.ok_or("a primitive has no positions")?.value();
        let accessor = &self.root.accessors[positions];
        if !matches!(accessor.type_, Checked::Valid(Type::Vec3)) || accessor.min.is_none() || accessor.max.is_none() {
            return Err("its positions are not vectors with bounds".to_owned());
        }
        let vertices = count(positions);
        if primitive.attributes.values().any(|attribute| count(attribute.value()) != vertices) {
            return Err("its attributes differ in length".to_owned());
        }
        for target in primitive.targets.iter().flatten() {
            let moved = [target.positions, target.normals, target.tangents];
            if moved.into_iter().flatten().any(|index| count(index.value()) != vertices) {
                return Err("a blendshape differs in length".to_owned());
            }
        }
        if let Some(indices) = primitive.indices
            && self.max_vertex_index(indices.value()).is_some_and(|highest| highest >= vertices)
        {
            return Err("an index points beyond the vertices".to_owned());
        }
        Ok(vertices)
    }

    /// The largest value of an index accessor.
    fn max_vertex_index(&self, index: usize) -> Option<u64> {
        let accessor = self.root.accessors.get(index)?;
        let bytes = self.buffer_view_bytes(accessor.buffer_view?.value())?;
        let offset = usize::try_from(accessor.byte_offset.map_or(0, |offset| offset.0)).ok()?;
        let Checked::Valid(GenericComponentType(component)) = accessor.component_type else { return None };
        let size = component.size();
        let length = usize::try_from(accessor.count.0).ok()?.checked_mul(size)?;
        let number = |item: &[u8]| item.iter().rev().fold(0_u64, |value, byte| value << 8 | u64::from(*byte));
        bytes.get(offset..offset + length)?.chunks_exact(size).map(number).max()
    }
}

/// Names of the blendshapes of a mesh: `extras.targetNames`, as most tools write them.
fn blendshape_names(mesh: &json::Mesh) -> Vec<String> {
    #[derive(serde::Deserialize)]
    struct MeshExtras {
        #[serde(rename = "targetNames")]
        target_names: Vec<String>,
    }
    let extras = mesh.extras.as_ref().and_then(|extras| serde_json::from_str::<MeshExtras>(extras.get()).ok());
    extras.map(|extras| extras.target_names).unwrap_or_default()
}
