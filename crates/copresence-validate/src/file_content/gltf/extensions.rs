//! Extensions: whether they are declared, where they are allowed, and the properties of those that the Khronos validator
//! knows. Others only have to be declared.

use super::InspectionError;
use super::object_reader::{NumberRange, ObjectReader};
use super::place::DocumentLocation;
use std::collections::BTreeSet;
use std::f64::consts::{FRAC_PI_2, FRAC_PI_4};

/// Kind of the object that has extensions, as far as it decides which are allowed or how they are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ExtensionOwner {
    Root,
    Material,
    Texture,
    TextureInfo,
    Node,
    Primitive,
    AnimationTarget,
    Other,
}

/// A property of a material extension, with the rule for its value.
enum MaterialExtensionProperty {
    Number(&'static str, NumberRange),
    Numbers(&'static str, usize, NumberRange),
    Texture(&'static str),
    /// A texture with directions, for which the mesh needs tangents.
    DirectionTexture(&'static str),
}

use MaterialExtensionProperty::{DirectionTexture, Number, Numbers, Texture};

const UNIT: NumberRange = NumberRange::UNIT;
const NOT_NEGATIVE: NumberRange = NumberRange::NOT_NEGATIVE;
const ANY: NumberRange = NumberRange::ANY;

/// The extensions of materials. `KHR_materials_ior` also allows 0, see [`read_material_extension`].
const MATERIAL_EXTENSIONS: &[(&str, &[MaterialExtensionProperty])] = &[
    (
        "KHR_materials_anisotropy",
        &[Number("anisotropyStrength", UNIT), Number("anisotropyRotation", ANY), DirectionTexture("anisotropyTexture")],
    ),
    (
        "KHR_materials_clearcoat",
        &[
            Number("clearcoatFactor", UNIT),
            Texture("clearcoatTexture"),
            Number("clearcoatRoughnessFactor", UNIT),
            Texture("clearcoatRoughnessTexture"),
            DirectionTexture("clearcoatNormalTexture"),
        ],
    ),
    ("KHR_materials_dispersion", &[Number("dispersion", NOT_NEGATIVE)]),
    ("KHR_materials_emissive_strength", &[Number("emissiveStrength", NOT_NEGATIVE)]),
    ("KHR_materials_ior", &[]),
    (
        "KHR_materials_iridescence",
        &[
            Number("iridescenceFactor", UNIT),
            Texture("iridescenceTexture"),
            Number("iridescenceIor", NumberRange::range_from_minimum(1.0)),
            Number("iridescenceThicknessMinimum", NOT_NEGATIVE),
            Number("iridescenceThicknessMaximum", NOT_NEGATIVE),
            Texture("iridescenceThicknessTexture"),
        ],
    ),
    (
        "KHR_materials_pbrSpecularGlossiness",
        &[
            Numbers("diffuseFactor", 4, UNIT),
            Texture("diffuseTexture"),
            Numbers("specularFactor", 3, UNIT),
            Number("glossinessFactor", UNIT),
            Texture("specularGlossinessTexture"),
        ],
    ),
    (
        "KHR_materials_sheen",
        &[
            Numbers("sheenColorFactor", 3, UNIT),
            Texture("sheenColorTexture"),
            Number("sheenRoughnessFactor", UNIT),
            Texture("sheenRoughnessTexture"),
        ],
    ),
    (
        "KHR_materials_specular",
        &[
            Number("specularFactor", UNIT),
            Texture("specularTexture"),
            Numbers("specularColorFactor", 3, NOT_NEGATIVE),
            Texture("specularColorTexture"),
        ],
    ),
    ("KHR_materials_transmission", &[Number("transmissionFactor", UNIT), Texture("transmissionTexture")]),
    ("KHR_materials_unlit", &[]),
    (
        "KHR_materials_volume",
        &[
            Numbers("attenuationColor", 3, UNIT),
            Number("attenuationDistance", NumberRange::POSITIVE),
            Number("thicknessFactor", NOT_NEGATIVE),
            Texture("thicknessTexture"),
        ],
    ),
];

/// The other extensions that the Khronos validator knows, and their owners. `KHR_mesh_quantization` has no object.
const OTHER_EXTENSIONS: &[(&str, &[ExtensionOwner])] = &[
    ("EXT_texture_webp", &[ExtensionOwner::Texture]),
    ("KHR_animation_pointer", &[ExtensionOwner::AnimationTarget]),
    ("KHR_lights_punctual", &[ExtensionOwner::Root, ExtensionOwner::Node]),
    ("KHR_materials_variants", &[ExtensionOwner::Root, ExtensionOwner::Primitive]),
    ("KHR_mesh_quantization", &[]),
    ("KHR_texture_transform", &[ExtensionOwner::TextureInfo]),
];

/// A texture as a material uses it.
pub(super) struct MaterialTextureUse {
    /// `None` if only the coordinates are replaced.
    pub(super) texture: Option<usize>,
    /// Number of the texture coordinates.
    pub(super) coordinates: u64,
    /// Where it is in the document.
    pub(super) place: String,
}

impl MaterialTextureUse {
    /// Reads a texture if the property is there, and adds it. Returns whether it is there.
    pub(super) fn append_texture_use_if_present(
        reader: &ObjectReader<'_>,
        name: &'static str,
        extensions: &ExtensionReader,
        textures: &mut Vec<Self>,
    ) -> Result<bool, InspectionError> {
        let read = reader.read_object_property(name, |info| {
            let mut content = extensions.read_object_extensions(info, ExtensionOwner::TextureInfo)?;
            let texture = info.read_required_index("index")?;
            let coordinates = info.read_unsigned_at_least("texCoord", 0)?.unwrap_or(0);
            let place = info.location_of_property("index").to_string();
            textures.push(Self { texture: Some(texture), coordinates, place });
            textures.append(&mut content.textures);
            Ok(())
        })?;
        Ok(read.is_some())
    }
}

/// Reads extensions of one document.
pub(super) struct ExtensionReader {
    used: BTreeSet<String>,
    required_extension_names: BTreeSet<String>,
}

/// What the extensions of an object contain that is linked with other parts of the document.
#[derive(Default)]
pub(super) struct LinkedExtensionContent {
    /// Names of all extensions of the object.
    pub(super) names: Vec<String>,
    pub(super) textures: Vec<MaterialTextureUse>,
    pub(super) needs_tangents: bool,
    /// Number of the lights that the document defines.
    pub(super) lights: Option<usize>,
    /// Number of the variants that the document defines.
    pub(super) variants: Option<usize>,
    /// Light of a node.
    pub(super) light: Option<usize>,
    /// Materials of a primitive by variant.
    pub(super) mappings: Option<Vec<VariantMaterialMapping>>,
    pub(super) webp_source: Option<usize>,
    pub(super) has_animation_pointer: bool,
}

/// The material of a primitive for some variants.
pub(super) struct VariantMaterialMapping {
    pub(super) variants: Vec<usize>,
    pub(super) material: usize,
}

impl ExtensionReader {
    /// Reads which extensions the document declares.
    pub(super) fn read_declarations(root: &ObjectReader<'_>) -> Result<Self, InspectionError> {
        let own = |texts: Option<Vec<&str>>| texts.into_iter().flatten().map(str::to_owned).collect::<BTreeSet<_>>();
        let used = own(root.read_distinct_texts("extensionsUsed")?);
        let required_list = root.read_distinct_texts("extensionsRequired")?.unwrap_or_default();
        let place = root.location_of_property("extensionsRequired");
        if let Some((index, name)) = required_list.iter().enumerate().find(|(_, name)| !used.contains(**name)) {
            return Err(place
                .list_item_location(index)
                .invalid_value_error(format_args!("{name:?} is not in `extensionsUsed`")));
        }
        let reader = Self { used, required_extension_names: own(Some(required_list)) };
        if reader.is_extension_declared("KHR_mesh_quantization")
            && !reader.required_extension_names.contains("KHR_mesh_quantization")
        {
            return Err(DocumentLocation::root_property_location("extensionsUsed")
                .invalid_value_error("KHR_mesh_quantization must be required"));
        }
        Ok(reader)
    }

    /// Whether the document declares the extension.
    pub(super) fn is_extension_declared(&self, name: &str) -> bool {
        self.used.contains(name)
    }

    /// Names of the extensions without which the document must not be shown.
    pub(super) fn required_extension_names(&self) -> &BTreeSet<String> {
        &self.required_extension_names
    }

    /// Reads all extensions of an object, and validates the type of its `extras`.
    pub(super) fn read_object_extensions(
        &self,
        reader: &ObjectReader<'_>,
        owner: ExtensionOwner,
    ) -> Result<LinkedExtensionContent, InspectionError> {
        let mut content = LinkedExtensionContent::default();
        reader.read_object_property("extensions", |extensions| {
            for (name, _) in extensions.members() {
                extensions.read_object_property(name, |extension| {
                    self.read_extension(extension, name, owner, &mut content)
                })?;
                content.names.push(name.to_owned());
            }
            Ok(())
        })?;
        Ok(content)
    }

    /// Reads one extension of an object into `content`. Fails if the document does not declare it, or it is not allowed
    /// there.
    fn read_extension(
        &self,
        reader: &ObjectReader<'_>,
        name: &str,
        owner: ExtensionOwner,
        content: &mut LinkedExtensionContent,
    ) -> Result<(), InspectionError> {
        if !self.is_extension_declared(name) {
            return Err(reader.error_for_whole_object("the extension is not in `extensionsUsed`"));
        }
        let material = MATERIAL_EXTENSIONS.iter().find(|(known, _)| *known == name);
        let other = OTHER_EXTENSIONS.iter().find(|(known, _)| *known == name);
        let is_allowed = match (material, other) {
            (Some(_), _) => owner == ExtensionOwner::Material,
            (None, Some((_, owners))) => owners.contains(&owner),
            (None, None) => return Ok(()),
        };
        if !is_allowed {
            return Err(reader.error_for_whole_object("the extension is not allowed here"));
        }
        match material {
            Some((_, properties)) => self.read_material_extension(reader, name, properties, content)?,
            None => self.read_non_material_extension(reader, name, owner, content)?,
        }
        self.read_object_extensions(reader, ExtensionOwner::Other).map(drop)
    }

    /// Reads a material extension by the rules of its `properties`, and adds its textures to `content`.
    fn read_material_extension(
        &self,
        reader: &ObjectReader<'_>,
        name: &str,
        properties: &'static [MaterialExtensionProperty],
        content: &mut LinkedExtensionContent,
    ) -> Result<(), InspectionError> {
        for property in properties {
            match property {
                Number(name, range) => drop(reader.read_number_in_range(name, *range)?),
                Numbers(name, length, range) => drop(reader.read_number_list(name, Some(*length), *range)?),
                Texture(name) => {
                    MaterialTextureUse::append_texture_use_if_present(reader, name, self, &mut content.textures)?;
                }
                DirectionTexture(name) => {
                    content.needs_tangents |=
                        MaterialTextureUse::append_texture_use_if_present(reader, name, self, &mut content.textures)?;
                    // The normal texture of the clearcoat has this property of core normal textures.
                    reader.read_object_property(name, |texture| texture.read_number_in_range("scale", ANY))?;
                }
            }
        }
        if name == "KHR_materials_ior" {
            let ior = reader.read_number_in_range("ior", ANY)?.unwrap_or(1.5);
            if ior != 0.0 && ior < 1.0 {
                return Err(reader
                    .location_of_property("ior")
                    .invalid_value_error(format_args!("{ior} is neither 0 nor at least 1")));
            }
        }
        Ok(())
    }

    /// Reads an extension that is not one of a material. One that is not known is not examined.
    fn read_non_material_extension(
        &self,
        reader: &ObjectReader<'_>,
        name: &str,
        owner: ExtensionOwner,
        content: &mut LinkedExtensionContent,
    ) -> Result<(), InspectionError> {
        match (name, owner) {
            ("EXT_texture_webp", _) => content.webp_source = reader.read_index_property("source")?,
            ("KHR_animation_pointer", _) => {
                let pointer = reader.require_property("pointer", reader.read_text_property("pointer")?)?;
                let is_escaped = |token: &str| {
                    token
                        .match_indices('~')
                        .all(|(at, _)| token[at..].starts_with("~0") || token[at..].starts_with("~1"))
                };
                if !(pointer.is_empty() || pointer.starts_with('/') && is_escaped(pointer)) {
                    return Err(reader.location_of_property("pointer").invalid_value_error("is not a JSON pointer"));
                }
                content.has_animation_pointer = true;
            }
            ("KHR_lights_punctual", ExtensionOwner::Root) => {
                let lights = reader.read_object_list("lights", |light| self.validate_light_object(light))?;
                content.lights = Some(reader.require_property("lights", lights)?.len());
            }
            ("KHR_lights_punctual", _) => content.light = Some(reader.read_required_index("light")?),
            ("KHR_materials_variants", ExtensionOwner::Root) => {
                let variants = reader.read_object_list("variants", |variant| {
                    self.read_object_extensions(variant, ExtensionOwner::Other)?;
                    variant.require_property("name", variant.read_text_property("name")?).map(drop)
                })?;
                content.variants = Some(reader.require_property("variants", variants)?.len());
            }
            ("KHR_materials_variants", _) => {
                let mappings = reader.read_object_list("mappings", |mapping| {
                    self.read_object_extensions(mapping, ExtensionOwner::Other)?;
                    mapping.read_text_property("name")?;
                    let variants = mapping.require_property("variants", mapping.read_distinct_indices("variants")?)?;
                    Ok(VariantMaterialMapping { variants, material: mapping.read_required_index("material")? })
                })?;
                content.mappings = Some(reader.require_property("mappings", mappings)?);
            }
            ("KHR_texture_transform", _) => {
                reader.read_number_list("offset", Some(2), ANY)?;
                reader.read_number_in_range("rotation", ANY)?;
                reader.read_number_list("scale", Some(2), ANY)?;
                if let Some(coordinates) = reader.read_unsigned_at_least("texCoord", 0)? {
                    let place = reader.location_of_property("texCoord").to_string();
                    content.textures.push(MaterialTextureUse { texture: None, coordinates, place });
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Validates a light of `KHR_lights_punctual`. Nothing of it is kept.
    fn validate_light_object(&self, reader: &ObjectReader<'_>) -> Result<(), InspectionError> {
        reader.read_number_list("color", Some(3), UNIT)?;
        reader.read_number_in_range("intensity", NOT_NEGATIVE)?;
        reader.read_number_in_range("range", NumberRange::POSITIVE)?;
        reader.read_text_property("name")?;
        let kind = reader.require_property("type", reader.read_text_property("type")?)?;
        self.read_object_extensions(reader, ExtensionOwner::Other)?;
        if kind != "spot" {
            return Ok(());
        }
        let spot = reader.read_object_property("spot", |spot| {
            let inner = spot
                .read_number_in_range("innerConeAngle", NOT_NEGATIVE.with_exclusive_maximum(FRAC_PI_2))?
                .unwrap_or(0.0);
            let outer = NumberRange::POSITIVE.with_inclusive_maximum(FRAC_PI_2);
            let outer = spot.read_number_in_range("outerConeAngle", outer)?.unwrap_or(FRAC_PI_4);
            if outer <= inner {
                return Err(
                    spot.error_for_whole_object(format_args!("the outer angle {outer} is not larger than {inner}"))
                );
            }
            self.read_object_extensions(spot, ExtensionOwner::Other).map(drop)
        })?;
        reader.require_property("spot", spot)
    }
}
