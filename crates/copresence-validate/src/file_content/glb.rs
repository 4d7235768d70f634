//! Validates binary glTF 2.0: container, document, accessors, images and indices. Covers those errors of the official
//! validator that would break a viewer.

use super::InspectionError;
use super::glb_container::split_chunks;
use super::glb_document::parse_document;
use super::picture::validate_picture_header;
use gltf_json as json;
use json::accessor::{GenericComponentType, Type};
use json::mesh::Semantic;
use json::validation::Checked;
use std::collections::{BTreeMap, BTreeSet};

/// How many times the length of the binary chunk the images together may have, and the index accessors together. Parts
/// that do not overlap have at most its length.
const MAX_OVERLAP: usize = 4;

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

/// Validates a model, and summarises its content.
pub(super) fn inspect_glb(bytes: &[u8]) -> Result<GlbFacts, InspectionError> {
    let (document, binary) = split_chunks(bytes)?;
    let root = parse_document(document)?;
    let model = GltfModelWithBinary { root: &root, binary };
    model.validate_buffers()?;
    for index in 0..root.accessors.len() {
        model.validate_accessor(index).map_err(|error| error.in_part(format_args!("accessor {index}")))?;
    }
    let mut image_bytes = ReadBudget::new(binary);
    for (index, image) in root.images.iter().enumerate() {
        model.validate_image(image, &mut image_bytes).map_err(|error| error.in_part(format_args!("image {index}")))?;
    }
    model.validate_and_summarize(&mut MaxIndexReader::new(binary))
}

/// A parsed model with its binary chunk.
struct GltfModelWithBinary<'a> {
    root: &'a json::Root,
    binary: &'a [u8],
}

impl GltfModelWithBinary<'_> {
    /// Validates buffers and buffer views.
    fn validate_buffers(&self) -> Result<(), InspectionError> {
        match self.root.buffers.as_slice() {
            [] => {}
            [only] if only.uri.is_none() => {
                let length = only.byte_length.0;
                let there = self.binary.len() as u64;
                // A chunk may be padded by up to three bytes.
                if there.checked_sub(length).is_none_or(|padding| padding > 3) {
                    return Err(format!("its buffer is {length} bytes long, but its chunk {there}").into());
                }
            }
            _ => return Err("it refers to other files".into()),
        }
        for (index, view) in self.root.buffer_views.iter().enumerate() {
            let end = view.byte_offset.map_or(0, |offset| offset.0).checked_add(view.byte_length.0);
            if end.is_none_or(|end| end > self.binary.len() as u64) {
                return Err(format!("buffer view {index} exceeds its buffer").into());
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

    /// Validates an accessor: every element lies within its buffer view.
    fn validate_accessor(&self, index: usize) -> Result<(), InspectionError> {
        let accessor = self.root.accessors.get(index).ok_or("it does not exist")?;
        let (Checked::Valid(kind), Checked::Valid(GenericComponentType(component))) =
            (&accessor.type_, &accessor.component_type)
        else {
            return Err("its type is unknown".into());
        };
        let size = component.size() as u64;
        let element = size.saturating_mul(kind.multiplicity() as u64);
        let count = accessor.count.0;
        if count == 0 {
            return Err("it is empty".into());
        }
        if let Some(view) = accessor.buffer_view {
            let offset = accessor.byte_offset.map_or(0, |offset| offset.0);
            let own = self.root.buffer_views.get(view.value()).ok_or("its buffer view does not exist")?;
            let start = own.byte_offset.map_or(0, |offset| offset.0).checked_add(offset);
            if !start.ok_or("it exceeds its buffer view")?.is_multiple_of(size) {
                return Err("it is not aligned to its component".into());
            }
            let stride = own.byte_stride.map_or(element, |stride| stride.0 as u64);
            self.validate_range(view.value(), offset, stride, count, element)?;
        }
        if let Some(sparse) = &accessor.sparse {
            let changed = sparse.count.0;
            if changed == 0 || changed > count {
                return Err("its sparse count is wrong".into());
            }
            let Checked::Valid(indices) = sparse.indices.component_type else {
                return Err("its sparse indices are of an unknown type".into());
            };
            let size = indices.0.size() as u64;
            let (at, values) = (&sparse.indices, &sparse.values);
            self.validate_range(at.buffer_view.value(), at.byte_offset.0, size, changed, size)?;
            self.validate_range(values.buffer_view.value(), values.byte_offset.0, element, changed, element)?;
        }
        Ok(())
    }

    /// Validates that `count` elements, at least one, lie within a buffer view.
    fn validate_range(
        &self,
        view: usize,
        offset: u64,
        stride: u64,
        count: u64,
        element: u64,
    ) -> Result<(), InspectionError> {
        let length = self.buffer_view_bytes(view).ok_or("its buffer view does not exist")?.len() as u64;
        let last = count.saturating_sub(1).checked_mul(stride).and_then(|last| last.checked_add(offset));
        match last.and_then(|last| last.checked_add(element)) {
            Some(end) if end <= length => Ok(()),
            _ => Err("it exceeds its buffer view".into()),
        }
    }

    /// Validates an embedded image by its header.
    fn validate_image(&self, image: &json::Image, budget: &mut ReadBudget) -> Result<(), InspectionError> {
        let Some(view) = image.buffer_view else {
            return match &image.uri {
                Some(uri) if uri.starts_with("data:") => Ok(()),
                _ => Err("it refers to another file".into()),
            };
        };
        let bytes = self.buffer_view_bytes(view.value()).ok_or("its buffer view does not exist")?;
        budget.spend(bytes.len(), "images")?;
        validate_picture_header(bytes)
    }

    /// Validates every mesh, and summarises the model.
    fn validate_and_summarize(&self, indices: &mut MaxIndexReader) -> Result<GlbFacts, InspectionError> {
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
                let vertices = self
                    .validate_primitive(primitive, indices)
                    .map_err(|error| error.in_part(format_args!("mesh {number}")))?;
                let positions = primitive.attributes.get(&Checked::Valid(Semantic::Positions));
                if positions.is_some_and(|positions| counted.insert(positions.value())) {
                    facts.vertices =
                        facts.vertices.checked_add(vertices).ok_or("its number of vertices is impossible")?;
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
            return Err("it has no vertices".into());
        }
        Ok(facts)
    }

    /// Validates that the parts of a primitive fit together. Returns its number of vertices.
    fn validate_primitive(
        &self,
        primitive: &json::mesh::Primitive,
        indices: &mut MaxIndexReader,
    ) -> Result<u64, InspectionError> {
        let count = |index: usize| self.root.accessors.get(index).map_or(0, |accessor| accessor.count.0);
        let positions = primitive.attributes.get(&Checked::Valid(Semantic::Positions));
        let positions = positions.ok_or("a primitive has no positions")?.value();
        let accessor = self.root.accessors.get(positions).ok_or("its positions do not exist")?;
        if !matches!(accessor.type_, Checked::Valid(Type::Vec3)) || accessor.min.is_none() || accessor.max.is_none() {
            return Err("its positions are not vectors with bounds".into());
        }
        let vertices = count(positions);
        if primitive.attributes.values().any(|attribute| count(attribute.value()) != vertices) {
            return Err("its attributes differ in length".into());
        }
        for target in primitive.targets.iter().flatten() {
            let moved = [target.positions, target.normals, target.tangents];
            if moved.into_iter().flatten().any(|index| count(index.value()) != vertices) {
                return Err("a blendshape differs in length".into());
            }
        }
        if let Some(index) = primitive.indices
            && indices.max_vertex_index(self, index.value())?.is_some_and(|highest| highest >= vertices)
        {
            return Err("an index points beyond the vertices".into());
        }
        Ok(vertices)
    }

    /// The bytes of an accessor without stride, and the size of its component. `None` if it has no buffer view.
    fn packed_accessor_bytes(&self, index: usize) -> Option<(&[u8], usize)> {
        let accessor = self.root.accessors.get(index)?;
        let bytes = self.buffer_view_bytes(accessor.buffer_view?.value())?;
        let offset = usize::try_from(accessor.byte_offset.map_or(0, |offset| offset.0)).ok()?;
        let Checked::Valid(GenericComponentType(component)) = accessor.component_type else { return None };
        let size = component.size();
        let length = usize::try_from(accessor.count.0).ok()?.checked_mul(size)?;
        Some((bytes.get(offset..offset.checked_add(length)?)?, size))
    }
}

/// Number of bytes that may still be read. Bounds the work for a file whose parts overlap.
struct ReadBudget {
    bytes_left: usize,
}

impl ReadBudget {
    fn new(binary: &[u8]) -> Self {
        Self { bytes_left: binary.len().saturating_mul(MAX_OVERLAP) }
    }

    /// Counts `bytes`, and fails above the maximum.
    fn spend(&mut self, bytes: usize, what: &str) -> Result<(), InspectionError> {
        let left = self.bytes_left.checked_sub(bytes);
        self.bytes_left = left.ok_or_else(|| {
            InspectionError::limit_exceeded(format!(
                "its {what} overlap and are more than {MAX_OVERLAP} times as long as its binary chunk"
            ))
        })?;
        Ok(())
    }
}

/// Reads the largest value of index accessors, of each accessor once.
struct MaxIndexReader {
    known: BTreeMap<usize, Option<u64>>,
    budget: ReadBudget,
}

impl MaxIndexReader {
    fn new(binary: &[u8]) -> Self {
        Self { known: BTreeMap::new(), budget: ReadBudget::new(binary) }
    }

    /// The largest value of an index accessor; `None` if the accessor has no buffer view.
    fn max_vertex_index(
        &mut self,
        model: &GltfModelWithBinary<'_>,
        accessor: usize,
    ) -> Result<Option<u64>, InspectionError> {
        if let Some(known) = self.known.get(&accessor) {
            return Ok(*known);
        }
        let mut highest = None;
        if let Some((bytes, size)) = model.packed_accessor_bytes(accessor) {
            self.budget.spend(bytes.len(), "index accessors")?;
            let number = |item: &[u8]| item.iter().rev().fold(0_u64, |value, byte| value << 8 | u64::from(*byte));
            highest = bytes.chunks_exact(size).map(number).max();
        }
        self.known.insert(accessor, highest);
        Ok(highest)
    }
}

/// Names of the blendshapes of a mesh: `extras.targetNames`, as most tools write them.
fn blendshape_names(mesh: &json::Mesh) -> Vec<String> {
    /// The part of a mesh's `extras` that names its blendshapes.
    #[derive(serde::Deserialize)]
    struct MeshExtras {
        #[serde(rename = "targetNames")]
        target_names: Vec<String>,
    }
    let extras = mesh.extras.as_ref().and_then(|extras| serde_json::from_str::<MeshExtras>(extras.get()).ok());
    extras.map(|extras| extras.target_names).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::test_files::{build_glb, gltf_with_shared_index_accessor};
    use super::*;

    /// The work does not grow with the number of primitives.
    #[test]
    fn index_accessor_that_primitives_share_is_read_once() {
        let bytes_read = |primitives: usize| {
            let glb = build_glb(&gltf_with_shared_index_accessor(primitives, 60_000), 60_000);
            let (document, binary) = split_chunks(&glb).expect("chunks");
            let root = parse_document(document).expect("a document");
            let mut indices = MaxIndexReader::new(binary);
            let before = indices.budget.bytes_left;
            let model = GltfModelWithBinary { root: &root, binary };
            model.validate_and_summarize(&mut indices).expect("a model");
            before - indices.budget.bytes_left
        };
        assert_eq!((bytes_read(1), bytes_read(5_000)), (60_000, 60_000));
    }

    #[test]
    fn parts_that_overlap_have_a_read_budget() {
        let mut budget = ReadBudget::new(&[0; 100]);
        assert_eq!(budget.spend(400, "images"), Ok(()));
        let error = budget.spend(1, "images").expect_err("spent");
        assert!(matches!(&error, InspectionError::NotExamined(why) if why.contains("images overlap")), "{error}");
    }
}
