//! Extensions: whether they are declared, where they are allowed, and the properties of those that the Khronos validator
//! knows. Others only have to be declared.

use super::InspectionError;
use super::object_reader::{NumberRange, ObjectReader};
use super::place::Place;
use std::collections::BTreeSet;
use std::f64::consts::{FRAC_PI_2, FRAC_PI_4};

/// The object that has extensions, where it matters for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    Root,
    Material,
    Texture,
    TextureInfo,
    Node,
    Primitive,
    AnimationTarget,
    Other,
}

/// A property of a material's extension.
enum Property {
    Number(&'static str, NumberRange),
    Numbers(&'static str, usize, NumberRange),
    Texture(&'static str),
    /// A texture with directions, for which the mesh needs tangents.
    DirectionTexture(&'static str),
}

use Property::{DirectionTexture, Number, Numbers, Texture};

const UNIT: NumberRange = NumberRange::UNIT;
const NOT_NEGATIVE: NumberRange = NumberRange::NOT_NEGATIVE;
const ANY: NumberRange = NumberRange::ANY;

/// The extensions of materials. `KHR_materials_ior` also allows 0, see [`read_material_extension`].
const MATERIAL_EXTENSIONS: &[(&str, &[Property])] = &[
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
            Number("iridescenceIor", NumberRange::at_least(1.0)),
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
const OTHER_EXTENSIONS: &[(&str, &[Owner])] = &[
    ("EXT_texture_webp", &[Owner::Texture]),
    ("KHR_animation_pointer", &[Owner::AnimationTarget]),
    ("KHR_lights_punctual", &[Owner::Root, Owner::Node]),
    ("KHR_materials_variants", &[Owner::Root, Owner::Primitive]),
    ("KHR_mesh_quantization", &[]),
    ("KHR_texture_transform", &[Owner::TextureInfo]),
];

/// A texture as a material uses it.
pub(super) struct TextureUse {
    /// `None` if only the coordinates are replaced.
    pub(super) texture: Option<usize>,
    /// Number of the texture coordinates.
    pub(super) coordinates: u64,
    /// Where it is in the document.
    pub(super) place: String,
}

impl TextureUse {
    /// Reads a texture if the property is there, and adds it. Returns whether it is there.
    pub(super) fn read_from(
        reader: &ObjectReader<'_>,
        name: &'static str,
        extensions: &ExtensionReader,
        textures: &mut Vec<Self>,
    ) -> Result<bool, InspectionError> {
        let read = reader.object(name, |info| {
            let mut content = extensions.read_all(info, Owner::TextureInfo)?;
            let texture = info.required_index("index")?;
            let coordinates = info.unsigned("texCoord", 0)?.unwrap_or(0);
            let place = info.place_of("index").to_string();
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
    required: BTreeSet<String>,
}

/// What the extensions of an object contain that is linked with other parts of the document.
#[derive(Default)]
pub(super) struct ExtensionContent {
    /// Names of all extensions of the object.
    pub(super) names: Vec<String>,
    pub(super) textures: Vec<TextureUse>,
    pub(super) needs_tangents: bool,
    /// Number of the lights that the document defines.
    pub(super) lights: Option<usize>,
    /// Number of the variants that the document defines.
    pub(super) variants: Option<usize>,
    /// Light of a node.
    pub(super) light: Option<usize>,
    /// Materials of a primitive by variant.
    pub(super) mappings: Option<Vec<VariantMapping>>,
    pub(super) webp_source: Option<usize>,
    pub(super) has_animation_pointer: bool,
}

/// The material of a primitive for some variants.
pub(super) struct VariantMapping {
    pub(super) variants: Vec<usize>,
    pub(super) material: usize,
}

impl ExtensionReader {
    /// Reads which extensions the document declares.
    pub(super) fn read_declarations(root: &ObjectReader<'_>) -> Result<Self, InspectionError> {
        let own = |texts: Option<Vec<&str>>| texts.into_iter().flatten().map(str::to_owned).collect::<BTreeSet<_>>();
        let used = own(root.texts("extensionsUsed")?);
        let required_list = root.texts("extensionsRequired")?.unwrap_or_default();
        let place = root.place_of("extensionsRequired");
        if let Some((index, name)) = required_list.iter().enumerate().find(|(_, name)| !used.contains(**name)) {
            return Err(place.index(index).invalid(format_args!("{name:?} is not in `extensionsUsed`")));
        }
        let reader = Self { used, required: own(Some(required_list)) };
        if reader.uses("KHR_mesh_quantization") && !reader.required.contains("KHR_mesh_quantization") {
            return Err(Place::at_root("extensionsUsed").invalid("KHR_mesh_quantization must be required"));
        }
        Ok(reader)
    }

    /// Whether the document declares the extension.
    pub(super) fn uses(&self, name: &str) -> bool {
        self.used.contains(name)
    }

    /// Names of the extensions without which the document must not be shown.
    pub(super) fn required(&self) -> &BTreeSet<String> {
        &self.required
    }

    /// Reads all extensions of an object, and validates the type of its `extras`.
    pub(super) fn read_all(
        &self,
        reader: &ObjectReader<'_>,
        owner: Owner,
    ) -> Result<ExtensionContent, InspectionError> {
        let mut content = ExtensionContent::default();
        reader.object("extensions", |extensions| {
            for (name, _) in extensions.members() {
                extensions.object(name, |extension| self.read_one(extension, name, owner, &mut content))?;
                content.names.push(name.to_owned());
            }
            Ok(())
        })?;
        Ok(content)
    }

    fn read_one(
        &self,
        reader: &ObjectReader<'_>,
        name: &str,
        owner: Owner,
        content: &mut ExtensionContent,
    ) -> Result<(), InspectionError> {
        if !self.uses(name) {
            return Err(reader.invalid("the extension is not in `extensionsUsed`"));
        }
        let material = MATERIAL_EXTENSIONS.iter().find(|(known, _)| *known == name);
        let other = OTHER_EXTENSIONS.iter().find(|(known, _)| *known == name);
        let is_allowed = match (material, other) {
            (Some(_), _) => owner == Owner::Material,
            (None, Some((_, owners))) => owners.contains(&owner),
            (None, None) => return Ok(()),
        };
        if !is_allowed {
            return Err(reader.invalid("the extension is not allowed here"));
        }
        match material {
            Some((_, properties)) => self.read_material_extension(reader, name, properties, content)?,
            None => self.read_other_extension(reader, name, owner, content)?,
        }
        self.read_all(reader, Owner::Other).map(drop)
    }

    fn read_material_extension(
        &self,
        reader: &ObjectReader<'_>,
        name: &str,
        properties: &'static [Property],
        content: &mut ExtensionContent,
    ) -> Result<(), InspectionError> {
        for property in properties {
            match property {
                Number(name, range) => drop(reader.number(name, *range)?),
                Numbers(name, length, range) => drop(reader.numbers(name, Some(*length), *range)?),
                Texture(name) => drop(TextureUse::read_from(reader, name, self, &mut content.textures)?),
                DirectionTexture(name) => {
                    content.needs_tangents |= TextureUse::read_from(reader, name, self, &mut content.textures)?;
                    // The normal texture of the clearcoat has this property of core normal textures.
                    reader.object(name, |texture| texture.number("scale", ANY))?;
                }
            }
        }
        if name == "KHR_materials_ior" {
            let ior = reader.number("ior", ANY)?.unwrap_or(1.5);
            if ior != 0.0 && ior < 1.0 {
                return Err(reader.place_of("ior").invalid(format_args!("{ior} is neither 0 nor at least 1")));
            }
        }
        Ok(())
    }

    fn read_other_extension(
        &self,
        reader: &ObjectReader<'_>,
        name: &str,
        owner: Owner,
        content: &mut ExtensionContent,
    ) -> Result<(), InspectionError> {
        match (name, owner) {
            ("EXT_texture_webp", _) => content.webp_source = reader.index("source")?,
            ("KHR_animation_pointer", _) => {
                let pointer = reader.require("pointer", reader.text("pointer")?)?;
                let is_escaped = |token: &str| {
                    token
                        .match_indices('~')
                        .all(|(at, _)| token[at..].starts_with("~0") || token[at..].starts_with("~1"))
                };
                if !(pointer.is_empty() || pointer.starts_with('/') && is_escaped(pointer)) {
                    return Err(reader.place_of("pointer").invalid("is not a JSON pointer"));
                }
                content.has_animation_pointer = true;
            }
            ("KHR_lights_punctual", Owner::Root) => {
                let lights = reader.objects("lights", |light| self.read_light(light))?;
                content.lights = Some(reader.require("lights", lights)?.len());
            }
            ("KHR_lights_punctual", _) => content.light = Some(reader.required_index("light")?),
            ("KHR_materials_variants", Owner::Root) => {
                let variants = reader.objects("variants", |variant| {
                    self.read_all(variant, Owner::Other)?;
                    variant.require("name", variant.text("name")?).map(drop)
                })?;
                content.variants = Some(reader.require("variants", variants)?.len());
            }
            ("KHR_materials_variants", _) => {
                let mappings = reader.objects("mappings", |mapping| {
                    self.read_all(mapping, Owner::Other)?;
                    mapping.text("name")?;
                    let variants = mapping.require("variants", mapping.indices("variants")?)?;
                    Ok(VariantMapping { variants, material: mapping.required_index("material")? })
                })?;
                content.mappings = Some(reader.require("mappings", mappings)?);
            }
            ("KHR_texture_transform", _) => {
                reader.numbers("offset", Some(2), ANY)?;
                reader.number("rotation", ANY)?;
                reader.numbers("scale", Some(2), ANY)?;
                if let Some(coordinates) = reader.unsigned("texCoord", 0)? {
                    let place = reader.place_of("texCoord").to_string();
                    content.textures.push(TextureUse { texture: None, coordinates, place });
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn read_light(&self, reader: &ObjectReader<'_>) -> Result<(), InspectionError> {
        reader.numbers("color", Some(3), UNIT)?;
        reader.number("intensity", NOT_NEGATIVE)?;
        reader.number("range", NumberRange::POSITIVE)?;
        reader.text("name")?;
        let kind = reader.require("type", reader.text("type")?)?;
        self.read_all(reader, Owner::Other)?;
        if kind != "spot" {
            return Ok(());
        }
        let spot = reader.object("spot", |spot| {
            let inner = spot.number("innerConeAngle", NOT_NEGATIVE.and_below(FRAC_PI_2))?.unwrap_or(0.0);
            let outer = NumberRange::POSITIVE.and_at_most(FRAC_PI_2);
            let outer = spot.number("outerConeAngle", outer)?.unwrap_or(FRAC_PI_4);
            if outer <= inner {
                return Err(spot.invalid(format_args!("the outer angle {outer} is not larger than {inner}")));
            }
            self.read_all(spot, Owner::Other).map(drop)
        })?;
        reader.require("spot", spot)
    }
}
