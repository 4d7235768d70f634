//! Meshes: primitives, their attributes, indices, materials and blendshapes.

use super::accessor::{Accessor, AccessorUse, ComponentType, ElementFormat, ElementShape};
use super::buffer::ViewUse;
use super::data_checks::VertexCheck;
use super::extensions::{ExtensionOwner, ExtensionReader, VariantMaterialMapping};
use super::object_reader::{NumberRange, ObjectReader};
use super::place::DocumentLocation;
use super::{AccessorAndViewUses, GltfDocumentWithValidProperties, InspectionError, unresolved_index_error};
use std::collections::BTreeSet;

/// A glTF mesh: its primitives, the number of its weights, and the names of its blendshapes.
pub(super) struct Mesh {
    pub(super) primitives: Vec<Primitive>,
    pub(super) weights: Option<usize>,
    /// Names of the blendshapes in the mesh's or a primitive's `extras`, as most tools write them.
    pub(super) target_names: Vec<Option<String>>,
}

/// A mesh primitive: its attributes, indices, material and morph targets.
pub(super) struct Primitive {
    pub(super) attributes: Vec<(String, usize)>,
    pub(super) indices: Option<usize>,
    material: Option<usize>,
    pub(super) targets: Option<Vec<Vec<(String, usize)>>>,
    variants: Option<Vec<VariantMaterialMapping>>,
    /// Number of sets of joints, each with weights.
    pub(super) joint_sets: usize,
    texture_coordinates: u64,
}

impl Mesh {
    /// Parses the JSON object of a mesh. Fails at the first property that the specification does not allow.
    pub(super) fn parse_mesh(reader: &ObjectReader<'_>, extensions: &ExtensionReader) -> Result<Self, InspectionError> {
        let weights = reader.read_number_list("weights", None, NumberRange::ANY)?.map(|weights| weights.len());
        let mut target_names = read_morph_target_names(reader);
        let primitives = reader.read_object_list("primitives", |primitive| {
            if target_names.is_empty() {
                target_names = read_morph_target_names(primitive);
            }
            Primitive::parse_primitive(primitive, extensions)
        })?;
        let primitives = reader.require_property("primitives", primitives)?;
        reader.read_text_property("name")?;
        extensions.read_object_extensions(reader, ExtensionOwner::Other)?;
        let mesh = Self { primitives, weights, target_names };
        let targets = mesh.morph_target_count();
        if mesh.primitives.iter().any(|primitive| primitive.morph_target_count() != targets) {
            return Err(reader
                .location_of_property("primitives")
                .invalid_value_error("they have different numbers of blendshapes"));
        }
        if let Some(weights) = mesh.weights.filter(|weights| *weights != targets) {
            let reason = format!("has {weights} weights for {targets} blendshapes");
            return Err(reader.location_of_property("weights").invalid_value_error(reason));
        }
        Ok(mesh)
    }

    /// Number of the blendshapes.
    pub(super) fn morph_target_count(&self) -> usize {
        self.primitives.first().map_or(0, Primitive::morph_target_count)
    }

    /// Validates that the parts exist and fit together.
    pub(super) fn validate_mesh_references(
        &self,
        document: &GltfDocumentWithValidProperties,
        links: &mut AccessorAndViewUses,
        place: &DocumentLocation<'_>,
    ) -> Result<(), InspectionError> {
        let list = place.child_property_location("primitives");
        for (index, primitive) in self.primitives.iter().enumerate() {
            primitive.validate_primitive_references(document, links, &list.list_item_location(index))?;
        }
        Ok(())
    }
}

/// Reads the names of the blendshapes from `extras.targetNames`. An item that is no string is a blendshape without a
/// name.
fn read_morph_target_names(reader: &ObjectReader<'_>) -> Vec<Option<String>> {
    let extras = reader.members().find(|(name, _)| *name == "extras").map(|(_, extras)| extras);
    let names = extras.and_then(|extras| extras.get("targetNames")?.as_array());
    names.into_iter().flatten().map(|name| name.as_str().map(str::to_owned)).collect()
}

/// What a name of an attribute means.
enum AttributeSemantic {
    Custom,
    Position,
    Normal,
    Tangent,
    /// Name and number, as in `TEXCOORD_0`.
    Numbered(&'static str, usize),
}

/// The names of attributes with numbers.
const NUMBERED_SEMANTICS: [&str; 4] = ["COLOR", "JOINTS", "TEXCOORD", "WEIGHTS"];

/// Parses the name of a vertex attribute; `None` if glTF does not define it.
fn parse_attribute_semantic(name: &str) -> Option<AttributeSemantic> {
    Some(match name {
        "POSITION" => AttributeSemantic::Position,
        "NORMAL" => AttributeSemantic::Normal,
        "TANGENT" => AttributeSemantic::Tangent,
        _ if name.starts_with('_') => AttributeSemantic::Custom,
        _ => {
            let (kind, number) = name.split_once('_')?;
            let kind = NUMBERED_SEMANTICS.into_iter().find(|known| *known == kind)?;
            let is_number = number.bytes().all(|digit| digit.is_ascii_digit());
            if !is_number || number.len() > 1 && number.starts_with('0') {
                return None;
            }
            AttributeSemantic::Numbered(kind, number.parse().ok()?)
        }
    })
}

impl Primitive {
    /// Parses the JSON object of a primitive. Fails at the first property that the specification does not allow.
    fn parse_primitive(reader: &ObjectReader<'_>, extensions: &ExtensionReader) -> Result<Self, InspectionError> {
        reader.read_unsigned_between("mode", 0, 6)?;
        #[expect(clippy::redundant_closure_for_method_calls, reason = "the method itself is not general enough")]
        let attributes = reader.read_object_property("attributes", |object| object.read_members_as_indices())?;
        let attributes = reader.require_property("attributes", attributes)?;
        let place = reader.location_of_property("attributes");
        let mut numbers = NUMBERED_SEMANTICS.map(|kind| (kind, BTreeSet::new()));
        for (name, _) in &attributes {
            match parse_attribute_semantic(name) {
                None => return Err(place.child_property_location(name).invalid_value_error("is no attribute of glTF")),
                Some(AttributeSemantic::Numbered(kind, number)) => {
                    for (_, known) in numbers.iter_mut().filter(|(known, _)| *known == kind) {
                        known.insert(number);
                    }
                }
                Some(_) => {}
            }
        }
        for (kind, numbers) in &numbers {
            if numbers.last().is_some_and(|last| last.checked_add(1) != Some(numbers.len())) {
                return Err(place.invalid_value_error(format_args!("the numbers of {kind}_… do not run from 0 on")));
            }
        }
        let [(_, _), (_, joints), (_, coordinates), (_, weights)] = &numbers;
        if joints.len() != weights.len() {
            let (joints, weights) = (joints.len(), weights.len());
            return Err(
                place.invalid_value_error(format_args!("{joints} attributes JOINTS_…, but {weights} WEIGHTS_…"))
            );
        }
        let targets = reader.read_object_list("targets", |target| {
            let moved = target.read_members_as_indices()?;
            let is_known = |name: &str| {
                !matches!(
                    parse_attribute_semantic(name),
                    None | Some(AttributeSemantic::Numbered("JOINTS" | "WEIGHTS", _))
                )
            };
            match moved.iter().find(|(name, _)| !is_known(name)) {
                Some((name, _)) => {
                    Err(target.location_of_property(name).invalid_value_error("is no attribute of a blendshape"))
                }
                None => Ok(moved),
            }
        })?;
        Ok(Self {
            indices: reader.read_index_property("indices")?,
            material: reader.read_index_property("material")?,
            variants: extensions.read_object_extensions(reader, ExtensionOwner::Primitive)?.mappings,
            joint_sets: joints.len(),
            texture_coordinates: coordinates.len() as u64,
            attributes,
            targets,
        })
    }

    fn morph_target_count(&self) -> usize {
        self.targets.as_ref().map_or(0, Vec::len)
    }

    /// The index of the accessor of an attribute; `None` if the primitive does not have it.
    pub(super) fn find_attribute_accessor(&self, name: &str) -> Option<usize> {
        self.attributes.iter().find(|(known, _)| known == name).map(|(_, accessor)| *accessor)
    }

    /// Validates the accessors and the material of the primitive, and records how the accessors are used.
    fn validate_primitive_references(
        &self,
        document: &GltfDocumentWithValidProperties,
        links: &mut AccessorAndViewUses,
        place: &DocumentLocation<'_>,
    ) -> Result<(), InspectionError> {
        let vertices =
            self.validate_attributes_and_count_vertices(document, links, &place.child_property_location("attributes"))?;
        if let Some(index) = self.indices {
            validate_and_record_index_bounds(
                document,
                links,
                index,
                vertices,
                &place.child_property_location("indices"),
            )?;
        }
        if let Some(material) = self.material {
            self.validate_material_requirements(document, material, &place.child_property_location("material"))?;
        }
        self.validate_variant_mappings(document, place)?;
        let list = place.child_property_location("targets");
        for (number, target) in self.targets.iter().flatten().enumerate() {
            let target_place = list.list_item_location(number);
            for (name, index) in target {
                let place = target_place.child_property_location(name);
                let accessor = validate_and_record_vertex_accessor(document, links, *index, &place)?;
                if self.find_attribute_accessor(name).is_none() {
                    return Err(
                        place.invalid_value_error(format_args!("the primitive has no attribute {name} to change"))
                    );
                }
                if accessor.count != vertices {
                    let count = accessor.count;
                    return Err(place.invalid_value_error(format_args!(
                        "the blendshape has {count} elements, but the primitive has {vertices} vertices"
                    )));
                }
                validate_vertex_format(document, accessor, name, true, &place)?;
            }
        }
        Ok(())
    }

    /// Validates the attributes. Returns the number of vertices.
    fn validate_attributes_and_count_vertices(
        &self,
        document: &GltfDocumentWithValidProperties,
        links: &mut AccessorAndViewUses,
        list: &DocumentLocation<'_>,
    ) -> Result<u64, InspectionError> {
        let mut vertices = None;
        for (name, index) in &self.attributes {
            let place = list.child_property_location(name);
            let accessor = validate_and_record_vertex_accessor(document, links, *index, &place)?;
            let format = validate_vertex_format(document, accessor, name, false, &place)?;
            let check = match name.as_str() {
                "NORMAL" => Some(VertexCheck::UnitVector),
                "TANGENT" => Some(VertexCheck::UnitVectorWithSign),
                "COLOR_0" if format.component == ComponentType::F32 => Some(VertexCheck::Fraction),
                _ => None,
            };
            if let Some(check) = check {
                links.data_checks.add_vertex_check(*index, check, &place);
            }
            let count = accessor.count;
            let vertices = *vertices.get_or_insert(count);
            if vertices != count {
                return Err(place
                    .invalid_value_error(format_args!("it has {count} elements, but another attribute {vertices}")));
            }
        }
        Ok(vertices.unwrap_or(0))
    }

    /// Validates that the primitive has what the material needs.
    fn validate_material_requirements(
        &self,
        document: &GltfDocumentWithValidProperties,
        index: usize,
        place: &DocumentLocation<'_>,
    ) -> Result<(), InspectionError> {
        let material = document.materials.get(index).ok_or_else(|| unresolved_index_error(place, "material", index))?;
        let has_tangents =
            self.find_attribute_accessor("NORMAL").is_some() && self.find_attribute_accessor("TANGENT").is_some();
        if material.needs_tangents && !has_tangents && !material.has_normal_texture {
            return Err(place.invalid_value_error(format_args!(
                "material {index} needs TANGENT, which the primitive does not have"
            )));
        }
        self.validate_texture_coordinate_sets(document, index, place)
    }

    /// Validates that the primitive has every set of texture coordinates that its material uses.
    fn validate_texture_coordinate_sets(
        &self,
        document: &GltfDocumentWithValidProperties,
        index: usize,
        place: &DocumentLocation<'_>,
    ) -> Result<(), InspectionError> {
        let material = document.materials.get(index).ok_or_else(|| unresolved_index_error(place, "material", index))?;
        match material.textures.iter().find(|used| used.coordinates >= self.texture_coordinates) {
            Some(used) => {
                let (coordinates, texture) = (used.coordinates, &used.place);
                Err(place.invalid_value_error(format_args!(
                    "needs TEXCOORD_{coordinates} for {texture}, which is not there"
                )))
            }
            None => Ok(()),
        }
    }

    /// Validates that the mappings to material variants name variants that exist, each once, and that the mesh has the
    /// texture coordinates of their materials.
    fn validate_variant_mappings(
        &self,
        document: &GltfDocumentWithValidProperties,
        place: &DocumentLocation<'_>,
    ) -> Result<(), InspectionError> {
        let Some(mappings) = &self.variants else { return Ok(()) };
        let extensions = place.child_property_location("extensions");
        let place = extensions.child_property_location("KHR_materials_variants");
        let defined = document.variants.ok_or_else(|| place.invalid_value_error("the document defines no variants"))?;
        let mut known = BTreeSet::new();
        for mapping in mappings {
            for variant in &mapping.variants {
                if *variant >= defined {
                    return Err(unresolved_index_error(&place, "variant", *variant));
                }
                if !known.insert(variant) {
                    return Err(place.invalid_value_error(format_args!("variant {variant} has two materials")));
                }
            }
            self.validate_texture_coordinate_sets(document, mapping.material, &place)?;
        }
        Ok(())
    }
}

/// Records that an accessor has vertices, and validates its layout for that.
fn validate_and_record_vertex_accessor<'d>(
    document: &'d GltfDocumentWithValidProperties,
    links: &mut AccessorAndViewUses,
    index: usize,
    place: &DocumentLocation<'_>,
) -> Result<&'d Accessor, InspectionError> {
    let accessor = document.accessors.get(index).ok_or_else(|| unresolved_index_error(place, "accessor", index))?;
    links.record_accessor_use(index, AccessorUse::Vertices, place)?;
    let Some(view) = accessor.view else { return Ok(accessor) };
    links.views.record_view_use(view, ViewUse::Vertices, place)?;
    let has_stride = document.views.get(view).is_some_and(|view| view.stride.is_some());
    let is_unaligned = |format: ElementFormat| !format.element_length_and_stride().0.is_multiple_of(4);
    if !accessor.offset.is_multiple_of(4) || !has_stride && accessor.format.is_some_and(is_unaligned) {
        return Err(place.invalid_value_error("vertices are not aligned to four bytes"));
    }
    if !has_stride && *links.accessor_of_packed_view.entry(view).or_insert(index) != index {
        return Err(
            place.invalid_value_error(format_args!("buffer view {view} has several accessors, but no `byteStride`"))
        );
    }
    Ok(accessor)
}

/// Validates the format of an attribute of a primitive or of a blendshape, and that positions have bounds.
fn validate_vertex_format(
    document: &GltfDocumentWithValidProperties,
    accessor: &Accessor,
    name: &str,
    is_blendshape: bool,
    place: &DocumentLocation<'_>,
) -> Result<ElementFormat, InspectionError> {
    if name == "POSITION" && !accessor.has_min_and_max() {
        return Err(place.invalid_value_error("positions need `min` and `max`"));
    }
    let kind = name.split('_').next().unwrap_or_default();
    let wrong = || place.invalid_value_error(format_args!("the format of the accessor is not allowed for {name}"));
    let Some(format) = accessor.format else {
        // Custom attributes may be of an unknown format.
        return if kind.is_empty() { Ok(UNKNOWN_FORMAT) } else { Err(wrong()) };
    };
    let is_allowed = match kind {
        "" => format.component != ComponentType::U32 || is_blendshape,
        _ => is_allowed_vertex_format(kind, format, document.is_quantized, is_blendshape),
    };
    if is_allowed { Ok(format) } else { Err(wrong()) }
}

/// Stands for the format of an accessor that is not examined.
const UNKNOWN_FORMAT: ElementFormat =
    ElementFormat { shape: ElementShape::Scalar, component: ComponentType::U8, normalized: false };

/// Whether the specification (with `KHR_mesh_quantization`, if `is_quantized`) allows the format for the attribute.
fn is_allowed_vertex_format(kind: &str, format: ElementFormat, is_quantized: bool, is_blendshape: bool) -> bool {
    use ComponentType::{F32, I8, I16, U8, U16};
    let ElementFormat { shape, component, normalized } = format;
    let is_small = matches!(component, I8 | U8 | I16 | U16);
    let is_signed = matches!(component, I8 | I16);
    let is_float = component == F32;
    match kind {
        "POSITION" => {
            shape == ElementShape::Vec3
                && (is_float || is_quantized && if is_blendshape { is_signed } else { is_small })
        }
        "NORMAL" => shape == ElementShape::Vec3 && (is_float || is_quantized && is_signed && normalized),
        "TANGENT" => {
            let wanted = if is_blendshape { ElementShape::Vec3 } else { ElementShape::Vec4 };
            shape == wanted && (is_float || is_quantized && is_signed && normalized)
        }
        "TEXCOORD" => {
            let is_fraction = is_small && normalized;
            let core = is_float || is_fraction && (is_blendshape || !is_signed);
            let quantized = is_quantized && if is_blendshape { is_signed } else { is_small };
            shape == ElementShape::Vec2 && (core || quantized)
        }
        "COLOR" => {
            let core = is_float || is_small && normalized && (is_blendshape || !is_signed);
            matches!(shape, ElementShape::Vec3 | ElementShape::Vec4) && core
        }
        "JOINTS" => shape == ElementShape::Vec4 && matches!(component, U8 | U16) && !normalized,
        "WEIGHTS" => shape == ElementShape::Vec4 && (is_float || matches!(component, U8 | U16) && normalized),
        _ => true,
    }
}

/// Validates the accessor of indices, and records that it is used as indices, and how many vertices they may point to.
fn validate_and_record_index_bounds(
    document: &GltfDocumentWithValidProperties,
    links: &mut AccessorAndViewUses,
    index: usize,
    vertices: u64,
    place: &DocumentLocation<'_>,
) -> Result<(), InspectionError> {
    let accessor = document.accessors.get(index).ok_or_else(|| unresolved_index_error(place, "accessor", index))?;
    links.record_accessor_use(index, AccessorUse::Indices, place)?;
    if let Some(view) = accessor.view {
        links.views.record_view_use(view, ViewUse::Indices, place)?;
        if document.views.get(view).is_some_and(|view| view.stride.is_some()) {
            return Err(place.invalid_value_error("a buffer view of indices must not have `byteStride`"));
        }
    }
    let is_allowed = |format: ElementFormat| {
        [ComponentType::U8, ComponentType::U16, ComponentType::U32]
            .iter()
            .any(|part| format.has_shape_component_and_normalization(ElementShape::Scalar, *part, false))
    };
    if !accessor.format.is_some_and(is_allowed) {
        return Err(place.invalid_value_error("the format of the accessor is not allowed for indices"));
    }
    links.data_checks.add_index_bound_check(index, vertices, place);
    Ok(())
}
