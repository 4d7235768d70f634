//! Validates glTF 2.0, binary or as JSON: container, document and data. Finds the first error that the Khronos validator
//! would report. `gltf` and `gltf-json` are not used, because they refuse valid files: animations without a node,
//! textures without an image, and every required extension that they do not implement.

mod accessor;
mod animation;
mod buffer;
mod container;
mod data_checks;
mod elements;
mod extensions;
mod image_header;
mod json_document;
mod material;
mod mesh;
mod node_transform;
mod object_reader;
mod place;
mod scene_graph;
mod uri;

use super::{InspectionError, MAX_LISTED_NAME_LEN, MAX_LISTED_NAMES, shorten_text};
use accessor::{Accessor, AccessorUse};
use animation::Animation;
use buffer::{Buffer, BufferView, ViewUses, load_buffers};
use container::split_container;
use data_checks::AccessorDataRequirements;
use extensions::{ExtensionOwner, ExtensionReader};
use image_header::{ImageFormat, read_image_size, recognize_image_format};
use json_document::parse_json_document;
use material::{Image, Material, Texture, validate_sampler};
use mesh::Mesh;
use object_reader::ObjectReader;
use place::DocumentLocation;
use scene_graph::{Node, NodeAncestryIndex, Skin, read_scene, validate_camera_object};
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use uri::Uri;

/// Maximum size of the JSON chunk of a binary file, in bytes.
const MAX_JSON_CHUNK_LEN: usize = 16 * 1024 * 1024;
/// Maximum size of a document that may contain its data, in bytes.
const MAX_JSON_FILE_LEN: usize = 96 * 1024 * 1024;
/// Maximum number of primitives of all meshes.
const MAX_PRIMITIVES: usize = 10_000;
/// Maximum number of images.
const MAX_IMAGES: usize = 256;
/// How many times the size of all buffers the images together may have. Images that do not overlap have at most this
/// size.
const MAX_IMAGE_OVERLAP: usize = 4;

/// Counts, names and notes that were found in a valid glTF model.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct GltfFacts {
    /// Number of vertices of all meshes.
    pub vertices: u64,
    /// Names of the blendshapes; for a blendshape without a name, mesh and index.
    pub blendshapes: BTreeSet<String>,
    /// Number of textures.
    pub textures: usize,
    /// Format and size of each image, as in `KTX2 1024 × 1024`.
    pub images: Vec<String>,
    /// Number of joints of the skin that has most of them.
    pub joints: usize,
    /// Extensions that a program must know to show the model.
    pub required_extensions: Vec<String>,
    /// What is unusual about the file, though it is valid.
    pub notes: Vec<String>,
}

impl GltfFacts {
    /// The counts of a model's vertices, blendshapes, textures and joints, as a text for people.
    pub(super) fn describe_model(&self) -> String {
        let Self { vertices, textures, joints, .. } = self;
        let blendshapes = self.blendshapes.len();
        let list = |items: &[String]| {
            let shown = items.iter().take(MAX_LISTED_NAMES).map(|item| shorten_text(item, MAX_LISTED_NAME_LEN));
            let shown = shown.collect::<Vec<_>>().join(", ");
            match items.len().saturating_sub(MAX_LISTED_NAMES) {
                0 => shown,
                more => format!("{shown} and {more} more"),
            }
        };
        let images = if self.images.is_empty() { String::new() } else { format!(" ({})", list(&self.images)) };
        let text =
            format!("{vertices} vertices, {blendshapes} blendshapes, {textures} textures{images}, {joints} joints");
        if !self.required_extensions.is_empty() {
            return format!("{text}, needs {}", list(&self.required_extensions));
        }
        text
    }
}

/// Loads another file by its name relative to the document.
pub(super) type ResourceLoader<'a> = dyn FnMut(&str) -> Result<Vec<u8>, InspectionError> + 'a;

/// The bytes of each buffer; `None` for a buffer without data.
type BufferData<'a> = [Option<Cow<'a, [u8]>>];

/// Container of a glTF document: a binary file or JSON.
#[derive(Clone, Copy)]
enum ContainerKind<'a> {
    /// A binary file, with its binary chunk if there is one.
    Binary(Option<&'a [u8]>),
    /// A file of its own.
    Json,
}

/// Inspects binary glTF. It must contain all its data.
pub(super) fn inspect_binary_gltf(bytes: &[u8]) -> Result<GltfFacts, InspectionError> {
    let container = split_container(bytes)?;
    let map = parse_json_document(container.json, container.json_offset, MAX_JSON_CHUNK_LEN)?;
    inspect_document(&map, ContainerKind::Binary(container.binary), &mut super::refuse_other_file, container.notes)
}

/// Inspects glTF as JSON. `load`: loads the files that it refers to.
pub(super) fn inspect_json_gltf(bytes: &[u8], load: &mut ResourceLoader<'_>) -> Result<GltfFacts, InspectionError> {
    let map = parse_json_document(bytes, 0, MAX_JSON_FILE_LEN)?;
    inspect_document(&map, ContainerKind::Json, load, Vec::new())
}

/// A document whose properties are valid by themselves.
struct GltfDocumentWithValidProperties {
    accessors: Vec<Accessor>,
    animations: Vec<Animation>,
    buffers: Vec<Buffer>,
    views: Vec<BufferView>,
    cameras: usize,
    images: Vec<Image>,
    materials: Vec<Material>,
    meshes: Vec<Mesh>,
    nodes: Vec<Node>,
    samplers: usize,
    scenes: Vec<Vec<usize>>,
    skins: Vec<Skin>,
    textures: Vec<Texture>,
    lights: Option<usize>,
    variants: Option<usize>,
    is_quantized: bool,
    is_webp_declared: bool,
    required_extensions: Vec<String>,
}

/// How the document uses its accessors and buffer views, and the checks of their data that follow from it.
struct AccessorAndViewUses {
    views: ViewUses,
    accessors: Vec<Option<AccessorUse>>,
    /// The accessor with vertices of each buffer view without a stride.
    accessor_of_packed_view: HashMap<usize, usize>,
    data_checks: AccessorDataRequirements,
}

impl AccessorAndViewUses {
    /// Records a use of an accessor; fails if another one is known.
    fn record_accessor_use(
        &mut self,
        index: usize,
        new: AccessorUse,
        place: &DocumentLocation<'_>,
    ) -> Result<(), InspectionError> {
        let Some(known) = self.accessors.get_mut(index) else { return Ok(()) };
        match *known.get_or_insert(new) {
            earlier if earlier == new => Ok(()),
            earlier => {
                Err(place.invalid_value_error(format_args!("accessor {index} is used for {earlier:?} and for {new:?}")))
            }
        }
    }
}

/// The error of an index that points beyond the last object.
fn unresolved_index_error(place: &DocumentLocation<'_>, what: &str, index: usize) -> InspectionError {
    place.invalid_value_error(format_args!("refers to {what} {index}, which does not exist"))
}

/// Validates a document with its data.
fn inspect_document(
    map: &Map<String, Value>,
    container: ContainerKind<'_>,
    load: &mut ResourceLoader<'_>,
    mut notes: Vec<String>,
) -> Result<GltfFacts, InspectionError> {
    let document = GltfDocumentWithValidProperties::read_all_objects(&ObjectReader::reader_at_root(map))?;
    let data_checks = document.validate_links_and_get_data_checks()?;
    let data = load_buffers(&document.buffers, container, load, &mut notes)?;
    let images = document.validate_and_describe_images(&data, load, &mut notes)?;
    data_checks.validate_elements_of_all_accessors(&document, &data)?;
    Ok(document.into_gltf_facts(images, notes))
}

impl GltfDocumentWithValidProperties {
    /// Reads and validates every top-level object of the glTF document.
    fn read_all_objects(root: &ObjectReader<'_>) -> Result<Self, InspectionError> {
        let extensions = ExtensionReader::read_declarations(root)?;
        let known = &extensions;
        root.require_property(
            "asset",
            root.read_object_property("asset", |asset| validate_asset_object(asset, known))?,
        )?;
        let meshes = root.read_object_list("meshes", |mesh| Mesh::parse_mesh(mesh, known))?.unwrap_or_default();
        let images = root.read_object_list("images", |image| Image::parse_image(image, known))?.unwrap_or_default();
        let primitives = meshes.iter().map(|mesh| mesh.primitives.len()).fold(0, usize::saturating_add);
        for (count, max, what) in [(primitives, MAX_PRIMITIVES, "primitives"), (images.len(), MAX_IMAGES, "images")] {
            if count > max {
                return Err(InspectionError::limit_exceeded(format!(
                    "it has {count} {what}, and at most {max} are examined"
                )));
            }
        }
        let content = extensions.read_object_extensions(root, ExtensionOwner::Root)?;
        let document = Self {
            accessors: root
                .read_object_list("accessors", |item| Accessor::parse_accessor(item, known))?
                .unwrap_or_default(),
            animations: root
                .read_object_list("animations", |item| Animation::parse_animation(item, known))?
                .unwrap_or_default(),
            buffers: root.read_object_list("buffers", |item| Buffer::parse_buffer(item, known))?.unwrap_or_default(),
            views: root
                .read_object_list("bufferViews", |item| BufferView::parse_buffer_view(item, known))?
                .unwrap_or_default(),
            cameras: root
                .read_object_list("cameras", |item| validate_camera_object(item, known))?
                .map_or(0, |list| list.len()),
            materials: root
                .read_object_list("materials", |item| Material::parse_material(item, known))?
                .unwrap_or_default(),
            nodes: root.read_object_list("nodes", |item| Node::parse_node(item, known))?.unwrap_or_default(),
            samplers: root
                .read_object_list("samplers", |item| validate_sampler(item, known))?
                .map_or(0, |list| list.len()),
            scenes: root.read_object_list("scenes", |item| read_scene(item, known))?.unwrap_or_default(),
            skins: root.read_object_list("skins", |item| Skin::parse_skin(item, known))?.unwrap_or_default(),
            textures: root
                .read_object_list("textures", |item| Texture::parse_texture(item, known))?
                .unwrap_or_default(),
            lights: content.lights,
            variants: content.variants,
            is_quantized: extensions.is_extension_declared("KHR_mesh_quantization"),
            is_webp_declared: extensions.is_extension_declared("EXT_texture_webp"),
            required_extensions: extensions.required_extension_names().iter().cloned().collect(),
            images,
            meshes,
        };
        match root.read_index_property("scene")? {
            Some(scene) if scene >= document.scenes.len() => {
                Err(unresolved_index_error(&root.location_of_property("scene"), "scene", scene))
            }
            _ => Ok(document),
        }
    }

    /// Validates that all parts exist and fit together. Returns what the data of the accessors must fulfil.
    fn validate_links_and_get_data_checks(&self) -> Result<AccessorDataRequirements, InspectionError> {
        let tree = NodeAncestryIndex::build_node_ancestry_index(&self.nodes)?;
        let mut links = AccessorAndViewUses {
            views: ViewUses::uses_from_declared_targets(&self.views),
            accessors: vec![None; self.accessors.len()],
            accessor_of_packed_view: HashMap::new(),
            data_checks: AccessorDataRequirements::default(),
        };
        let list = DocumentLocation::root_property_location("bufferViews");
        for (index, view) in self.views.iter().enumerate() {
            view.validate_range(&self.buffers, &list.list_item_location(index))?;
        }
        let list = DocumentLocation::root_property_location("accessors");
        for (index, accessor) in self.accessors.iter().enumerate() {
            accessor.validate_layout(&self.views, &mut links.views, &list.list_item_location(index))?;
        }
        let list = DocumentLocation::root_property_location("images");
        for (index, image) in self.images.iter().enumerate() {
            image.validate_and_record_image_view(&self.views, &mut links.views, &list.list_item_location(index))?;
        }
        for material in &self.materials {
            material.validate_texture_references(&self.textures)?;
        }
        let list = DocumentLocation::root_property_location("meshes");
        for (index, mesh) in self.meshes.iter().enumerate() {
            mesh.validate_mesh_references(self, &mut links, &list.list_item_location(index))?;
        }
        let list = DocumentLocation::root_property_location("nodes");
        for (index, node) in self.nodes.iter().enumerate() {
            node.validate_node_references(self, &list.list_item_location(index))?;
        }
        let list = DocumentLocation::root_property_location("skins");
        for (index, skin) in self.skins.iter().enumerate() {
            skin.validate_skin_references(self, &mut links, &tree, &list.list_item_location(index))?;
        }
        let list = DocumentLocation::root_property_location("animations");
        for (index, animation) in self.animations.iter().enumerate() {
            animation.validate_animation_references(self, &mut links, &list.list_item_location(index))?;
        }
        tree.validate_scenes(self)?;
        Ok(links.data_checks)
    }

    /// Validates the headers of all images, and that textures use images of the right format. Returns the
    /// descriptions of the images, as in `PNG 512 × 512`.
    fn validate_and_describe_images(
        &self,
        data: &BufferData<'_>,
        load: &mut ResourceLoader<'_>,
        notes: &mut Vec<String>,
    ) -> Result<Vec<String>, InspectionError> {
        let size: usize = data.iter().flatten().map(|bytes| bytes.len()).sum();
        let mut bytes_left = size.saturating_mul(MAX_IMAGE_OVERLAP);
        let (mut formats, mut descriptions) = (Vec::new(), Vec::new());
        let list = DocumentLocation::root_property_location("images");
        for (index, image) in self.images.iter().enumerate() {
            let place = list.list_item_location(index);
            let view = image.view.and_then(|view| self.views.get(view)?.bytes_of_buffer_view(data));
            let bytes: Option<Cow<'_, [u8]>> = match (&image.uri, view) {
                _ if image.has_extensions => None,
                (Some(Uri::Data { bytes, .. }), _) => Some(Cow::Borrowed(bytes)),
                (Some(Uri::External(name)), _) => {
                    Some(Cow::Owned(load(name).map_err(|error| error.in_part(place.child_property_location("uri")))?))
                }
                (None, view) => view.map(Cow::Borrowed),
            };
            if image.uri.is_none() {
                let left = bytes_left.checked_sub(bytes.as_ref().map_or(0, |bytes| bytes.len()));
                bytes_left = left.ok_or_else(|| {
                    InspectionError::limit_exceeded(format!(
                        "its images overlap and are more than {MAX_IMAGE_OVERLAP} times as long as its buffers"
                    ))
                })?;
            }
            let format = bytes.as_deref().and_then(recognize_image_format);
            if let (Some(bytes), Some(format)) = (&bytes, format) {
                let size = read_image_size(bytes, format).map_err(|reason| place.invalid_value_error(reason))?;
                descriptions.push(match size {
                    Some((width, height)) => format!("{} {width} × {height}", format.format_name()),
                    None => format.format_name().to_owned(),
                });
                self.validate_image_format(image, format, &place)?;
            } else if bytes.is_some() {
                notes.push(format!("{place}: the format of the image is unknown"));
            }
            formats.push(
                format.filter(|format| matches!(format, ImageFormat::Png | ImageFormat::Jpeg | ImageFormat::WebP)),
            );
        }
        let list = DocumentLocation::root_property_location("textures");
        for (index, texture) in self.textures.iter().enumerate() {
            texture.validate_texture_references(
                &self.images,
                &formats,
                self.samplers,
                &list.list_item_location(index),
            )?;
        }
        Ok(descriptions)
    }

    /// Validates that an image is of the format that it declares. KTX2 and AVIF are not examined further.
    fn validate_image_format(
        &self,
        image: &Image,
        format: ImageFormat,
        place: &DocumentLocation<'_>,
    ) -> Result<(), InspectionError> {
        let found = format.media_type();
        match format {
            ImageFormat::Ktx2 | ImageFormat::Avif => return Ok(()),
            ImageFormat::WebP if !self.is_webp_declared => {
                return Err(place.invalid_value_error("a WebP image needs EXT_texture_webp"));
            }
            _ => {}
        }
        match &image.media_type {
            Some(declared) if declared != found => {
                Err(place.invalid_value_error(format_args!("its content is {found}, but it says {declared:?}")))
            }
            _ => Ok(()),
        }
    }

    /// Collects the facts about the model from the valid document.
    fn into_gltf_facts(self, images: Vec<String>, notes: Vec<String>) -> GltfFacts {
        let mut facts = GltfFacts {
            vertices: 0,
            blendshapes: BTreeSet::new(),
            textures: self.textures.len(),
            images,
            joints: self.skins.iter().map(|skin| skin.joints.len()).max().unwrap_or(0),
            required_extensions: self.required_extensions,
            notes,
        };
        let mut counted = BTreeSet::new();
        for (number, mesh) in self.meshes.iter().enumerate() {
            for positions in
                mesh.primitives.iter().filter_map(|primitive| primitive.find_attribute_accessor("POSITION"))
            {
                let count = self.accessors.get(positions).map_or(0, |accessor| accessor.count);
                if counted.insert(positions) {
                    facts.vertices = facts.vertices.saturating_add(count);
                }
            }
            facts.blendshapes.extend((0..mesh.morph_target_count()).map(|index| {
                let name = mesh.target_names.get(index).cloned().flatten();
                name.unwrap_or_else(|| format!("mesh {number}, target {index}"))
            }));
        }
        facts
    }
}

/// Validates the `asset` object of the document, above all its glTF version.
fn validate_asset_object(asset: &ObjectReader<'_>, extensions: &ExtensionReader) -> Result<(), InspectionError> {
    asset.read_text_property("copyright")?;
    asset.read_text_property("generator")?;
    extensions.read_object_extensions(asset, ExtensionOwner::Other)?;
    let parse = |name: &'static str| match asset.read_text_property(name)? {
        None => Ok(None),
        Some(text) => match parse_version(text) {
            Some(version) => Ok(Some(version)),
            None => Err(asset.location_of_property(name).invalid_value_error(format_args!("{text:?} is no version"))),
        },
    };
    let version = asset.require_property("version", parse("version")?)?;
    if version.0 != 2 {
        let (major, minor) = version;
        return Err(asset
            .location_of_property("version")
            .invalid_value_error(format_args!("it is glTF {major}.{minor}, not 2.0")));
    }
    match parse("minVersion")? {
        Some(min) if min > version => {
            Err(asset.location_of_property("minVersion").invalid_value_error("is greater than `version`"))
        }
        _ => Ok(()),
    }
}

/// Parses a version such as `2.0`.
fn parse_version(text: &str) -> Option<(u64, u64)> {
    let (major, minor) = text.split_once('.')?;
    let number = |digits: &str| {
        let is_number = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
        is_number.then(|| digits.parse().unwrap_or(u64::MAX))
    };
    Some((number(major)?, number(minor)?))
}
