//! Parses the JSON chunk of a model within limits, and validates every index in it.

use super::InspectionError;
use gltf_json as json;
use json::validation::Validate as _;
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// Maximum size of the JSON chunk, in bytes.
const MAX_JSON_CHUNK_LEN: usize = 16 * 1024 * 1024;
/// Maximum number of JSON values. Bounds the memory of the parsed lists.
const MAX_JSON_VALUES: u32 = 2_000_000;
/// Maximum number of JSON objects: accessors, nodes, primitives and all others together. A parsed object takes at most a
/// few hundred bytes.
const MAX_JSON_OBJECTS: u32 = 200_000;
/// Maximum number of primitives of all meshes.
const MAX_PRIMITIVES: usize = 10_000;
/// Maximum number of images.
const MAX_IMAGES: usize = 256;

/// Parses the JSON chunk. Every index in the result points to an existing object.
pub(super) fn parse_document(chunk: &[u8]) -> Result<json::Root, InspectionError> {
    if chunk.len() > MAX_JSON_CHUNK_LEN {
        let length = chunk.len();
        return Err(InspectionError::limit_exceeded(format!(
            "its JSON has {length} bytes, and at most {MAX_JSON_CHUNK_LEN} are read"
        )));
    }
    refuse_too_many_json_values(chunk)?;
    let root: json::Root =
        json::deserialize::from_slice(chunk).map_err(|error| format!("its JSON is not glTF: {error}"))?;
    if !root.asset.version.starts_with("2.") {
        return Err(format!("it is glTF {}, not 2.0", root.asset.version).into());
    }
    let primitives: usize = root.meshes.iter().map(|mesh| mesh.primitives.len()).fold(0, usize::saturating_add);
    for (count, max, what) in [(primitives, MAX_PRIMITIVES, "primitives"), (root.images.len(), MAX_IMAGES, "images")] {
        if count > max {
            return Err(InspectionError::limit_exceeded(format!(
                "it has {count} {what}, and at most {max} are examined"
            )));
        }
    }
    // Before the validation of the library, which panics at a `POSITION` that does not exist.
    validate_indices(&root)?;
    let mut wrong = None;
    root.validate(&root, json::Path::new, &mut |path, error| {
        wrong.get_or_insert_with(|| format!("glTF {}: {error}", path()));
    });
    wrong.map_or(Ok(root), |wrong| Err(wrong.into()))
}

/// Fails above the maximum number of values or objects. Keeps none of them.
fn refuse_too_many_json_values(chunk: &[u8]) -> Result<(), InspectionError> {
    let mut count = JsonValueCount::default();
    let mut reader = serde_json::Deserializer::from_slice(chunk);
    let counted = CountValues(&mut count).deserialize(&mut reader);
    match counted {
        _ if count.exceeds_limits() => Err(InspectionError::limit_exceeded(format!(
            "its JSON has more than {MAX_JSON_VALUES} values or {MAX_JSON_OBJECTS} objects"
        ))),
        Err(error) => Err(format!("its JSON is not glTF: {error}").into()),
        Ok(()) => Ok(()),
    }
}

/// Number of values of a JSON text, and how many of them are objects.
#[derive(Default)]
struct JsonValueCount {
    values: u32,
    objects: u32,
}

impl JsonValueCount {
    fn exceeds_limits(&self) -> bool {
        self.values > MAX_JSON_VALUES || self.objects > MAX_JSON_OBJECTS
    }
}

/// Counts a JSON value and the values in it. Ends with an error above the limits.
struct CountValues<'a>(&'a mut JsonValueCount);

impl<'de> DeserializeSeed<'de> for CountValues<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        self.0.values = self.0.values.saturating_add(1);
        if self.0.exceeds_limits() {
            return Err(D::Error::custom("too many values"));
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for CountValues<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while list.next_element_seed(CountValues(self.0))?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<(), A::Error> {
        self.0.objects = self.0.objects.saturating_add(1);
        while object.next_key::<IgnoredAny>()?.is_some() {
            object.next_value_seed(CountValues(self.0))?;
        }
        Ok(())
    }
}

/// Validates every index of the document except those in materials, which only the library reads.
fn validate_indices(root: &json::Root) -> Result<(), InspectionError> {
    let accessor = IndexBounds { what: "accessor", count: root.accessors.len() };
    let view = IndexBounds { what: "buffer view", count: root.buffer_views.len() };
    let buffer = IndexBounds { what: "buffer", count: root.buffers.len() };
    let image = IndexBounds { what: "image", count: root.images.len() };
    let material = IndexBounds { what: "material", count: root.materials.len() };
    let mesh = IndexBounds { what: "mesh", count: root.meshes.len() };
    let node = IndexBounds { what: "node", count: root.nodes.len() };
    let sampler = IndexBounds { what: "sampler", count: root.samplers.len() };
    let scene = IndexBounds { what: "scene", count: root.scenes.len() };
    let skin = IndexBounds { what: "skin", count: root.skins.len() };
    let camera = IndexBounds { what: "camera", count: root.cameras.len() };

    buffer.require_indices_in_range("a buffer view", root.buffer_views.iter().map(|view| view.buffer.value()))?;
    for item in &root.accessors {
        view.require_indices_in_range("an accessor", item.buffer_view.map(|index| index.value()))?;
        let sparse = item.sparse.iter().flat_map(|sparse| [&sparse.indices.buffer_view, &sparse.values.buffer_view]);
        view.require_indices_in_range("a sparse accessor", sparse.map(json::Index::value))?;
    }
    for primitive in root.meshes.iter().flat_map(|mesh| &mesh.primitives) {
        accessor.require_indices_in_range("a primitive", primitive.attributes.values().map(json::Index::value))?;
        accessor.require_indices_in_range("a primitive", primitive.indices.map(|index| index.value()))?;
        material.require_indices_in_range("a primitive", primitive.material.map(|index| index.value()))?;
        let targets = primitive.targets.iter().flatten();
        let moved = targets.flat_map(|target| [target.positions, target.normals, target.tangents]);
        accessor.require_indices_in_range("a blendshape", moved.flatten().map(|index| index.value()))?;
    }
    for item in &root.skins {
        accessor.require_indices_in_range("a skin", item.inverse_bind_matrices.map(|index| index.value()))?;
        node.require_indices_in_range("a skin", item.joints.iter().chain(&item.skeleton).map(json::Index::value))?;
    }
    for item in &root.animations {
        let own = IndexBounds { what: "sampler of the animation", count: item.samplers.len() };
        for channel in &item.channels {
            own.require_indices_in_range("an animation", [channel.sampler.value()])?;
            node.require_indices_in_range("an animation", [channel.target.node.value()])?;
        }
        let keys = item.samplers.iter().flat_map(|sampler| [&sampler.input, &sampler.output]);
        accessor.require_indices_in_range("an animation", keys.map(json::Index::value))?;
    }
    view.require_indices_in_range(
        "an image",
        root.images.iter().filter_map(|image| image.buffer_view).map(|index| index.value()),
    )?;
    for item in &root.textures {
        image.require_indices_in_range("a texture", [item.source.value()])?;
        sampler.require_indices_in_range("a texture", item.sampler.map(|index| index.value()))?;
    }
    for item in &root.nodes {
        node.require_indices_in_range("a node", item.children.iter().flatten().map(json::Index::value))?;
        mesh.require_indices_in_range("a node", item.mesh.map(|index| index.value()))?;
        skin.require_indices_in_range("a node", item.skin.map(|index| index.value()))?;
        camera.require_indices_in_range("a node", item.camera.map(|index| index.value()))?;
    }
    node.require_indices_in_range(
        "a scene",
        root.scenes.iter().flat_map(|scene| &scene.nodes).map(json::Index::value),
    )?;
    scene.require_indices_in_range("the document", root.scene.map(|index| index.value()))
}

/// The objects of one kind that an index may point to.
struct IndexBounds {
    what: &'static str,
    count: usize,
}

impl IndexBounds {
    /// Fails if an index of `user` points beyond the last object.
    fn require_indices_in_range(
        &self,
        user: &str,
        indices: impl IntoIterator<Item = usize>,
    ) -> Result<(), InspectionError> {
        let Self { what, count } = self;
        match indices.into_iter().find(|index| index >= count) {
            Some(index) => Err(format!("{user} refers to {what} {index}, which does not exist").into()),
            None => Ok(()),
        }
    }
}
