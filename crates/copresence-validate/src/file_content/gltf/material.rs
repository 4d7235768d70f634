//! Materials, textures, samplers and images.

use super::buffer::{BufferView, ViewUse, ViewUses};
use super::extensions::{ExtensionOwner, ExtensionReader, LinkedExtensionContent, MaterialTextureUse};
use super::image_header::{ImageFormat, recognize_image_format};
use super::object_reader::{NumberRange, ObjectReader};
use super::place::DocumentLocation;
use super::uri::{Uri, parse_uri};
use super::{InspectionError, unresolved_index_error};

/// A glTF material: its textures, and what they need from the mesh.
pub(super) struct Material {
    pub(super) textures: Vec<MaterialTextureUse>,
    /// Whether a texture has directions, for which the mesh needs tangents.
    pub(super) needs_tangents: bool,
    /// Whether programs can compute missing tangents.
    pub(super) has_normal_texture: bool,
}

impl Material {
    /// Parses the JSON object of a material. Fails at the first property that the specification does not allow.
    pub(super) fn parse_material(
        reader: &ObjectReader<'_>,
        extensions: &ExtensionReader,
    ) -> Result<Self, InspectionError> {
        let mut textures = Vec::new();
        let mut read_texture = |reader: &ObjectReader<'_>, name: &'static str| {
            MaterialTextureUse::append_texture_use_if_present(reader, name, extensions, &mut textures)
        };
        reader.read_object_property("pbrMetallicRoughness", |reader| {
            reader.read_number_list("baseColorFactor", Some(4), NumberRange::UNIT)?;
            read_texture(reader, "baseColorTexture")?;
            reader.read_number_in_range("metallicFactor", NumberRange::UNIT)?;
            reader.read_number_in_range("roughnessFactor", NumberRange::UNIT)?;
            read_texture(reader, "metallicRoughnessTexture")?;
            extensions.read_object_extensions(reader, ExtensionOwner::Other).map(drop)
        })?;
        let has_normal_texture = read_texture(reader, "normalTexture")?;
        reader
            .read_object_property("normalTexture", |texture| texture.read_number_in_range("scale", NumberRange::ANY))?;
        read_texture(reader, "occlusionTexture")?;
        reader.read_object_property("occlusionTexture", |texture| {
            texture.read_number_in_range("strength", NumberRange::UNIT)
        })?;
        read_texture(reader, "emissiveTexture")?;
        reader.read_number_list("emissiveFactor", Some(3), NumberRange::UNIT)?;
        reader.read_text_property("alphaMode")?;
        reader.read_number_in_range("alphaCutoff", NumberRange::NOT_NEGATIVE)?;
        reader.read_boolean_property("doubleSided")?;
        reader.read_text_property("name")?;
        let LinkedExtensionContent { textures: mut more, needs_tangents, .. } =
            extensions.read_object_extensions(reader, ExtensionOwner::Material)?;
        textures.append(&mut more);
        Ok(Self { textures, needs_tangents: needs_tangents || has_normal_texture, has_normal_texture })
    }

    /// Validates that the textures to which the material refers exist.
    pub(super) fn validate_texture_references(&self, textures: &[Texture]) -> Result<(), InspectionError> {
        let missing = |used: &&MaterialTextureUse| used.texture.is_some_and(|texture| texture >= textures.len());
        match self.textures.iter().find(missing) {
            Some(MaterialTextureUse { texture, place, .. }) => {
                let texture = texture.unwrap_or_default();
                Err(format!("{place}: refers to texture {texture}, which does not exist").into())
            }
            None => Ok(()),
        }
    }
}

/// A glTF texture: indices of its sampler and images.
pub(super) struct Texture {
    sampler: Option<usize>,
    source: Option<usize>,
    webp_source: Option<usize>,
}

impl Texture {
    /// Parses the JSON object of a texture. Fails at the first property that the specification does not allow.
    pub(super) fn parse_texture(
        reader: &ObjectReader<'_>,
        extensions: &ExtensionReader,
    ) -> Result<Self, InspectionError> {
        let webp_source = extensions.read_object_extensions(reader, ExtensionOwner::Texture)?.webp_source;
        reader.read_text_property("name")?;
        Ok(Self {
            sampler: reader.read_index_property("sampler")?,
            source: reader.read_index_property("source")?,
            webp_source,
        })
    }

    /// Validates that sampler and images exist, and that the images are of a format that is allowed there.
    pub(super) fn validate_texture_references(
        &self,
        images: &[Image],
        formats: &[Option<ImageFormat>],
        samplers: usize,
        place: &DocumentLocation<'_>,
    ) -> Result<(), InspectionError> {
        if let Some(sampler) = self.sampler.filter(|sampler| *sampler >= samplers) {
            return Err(unresolved_index_error(&place.child_property_location("sampler"), "sampler", sampler));
        }
        let core: &[&str] = &["image/jpeg", "image/png"];
        let extensions = place.child_property_location("extensions");
        let webp = extensions.child_property_location("EXT_texture_webp");
        for (source, allowed, owner) in [(self.source, core, place), (self.webp_source, &["image/webp"][..], &webp)] {
            let Some(source) = source else { continue };
            let place = owner.child_property_location("source");
            let image = images.get(source).ok_or_else(|| unresolved_index_error(&place, "image", source))?;
            let found = formats.get(source).copied().flatten().map(ImageFormat::media_type);
            let media_type = image.media_type.as_deref().or(found);
            if let Some(media_type) = media_type.filter(|media_type| !allowed.contains(media_type)) {
                let allowed = allowed.join(" or ");
                return Err(place
                    .invalid_value_error(format_args!("image {source} is {media_type:?}, but {allowed} is needed")));
            }
        }
        Ok(())
    }
}

/// Validates the properties of a texture sampler. Nothing else depends on them.
pub(super) fn validate_sampler(reader: &ObjectReader<'_>, extensions: &ExtensionReader) -> Result<(), InspectionError> {
    for name in ["magFilter", "minFilter", "wrapS", "wrapT"] {
        reader.read_integer_of_known_values(name, &[])?;
    }
    reader.read_text_property("name")?;
    extensions.read_object_extensions(reader, ExtensionOwner::Other).map(drop)
}

/// A glTF image: its buffer view or URI, and its media type.
pub(super) struct Image {
    pub(super) view: Option<usize>,
    pub(super) uri: Option<Uri>,
    pub(super) media_type: Option<String>,
    /// Whether the image has extensions; then its data may be something else.
    pub(super) has_extensions: bool,
}

impl Image {
    /// Parses the JSON object of an image. Fails at the first property that the specification does not allow.
    pub(super) fn parse_image(
        reader: &ObjectReader<'_>,
        extensions: &ExtensionReader,
    ) -> Result<Self, InspectionError> {
        let view = reader.read_index_property("bufferView")?;
        let media_type = reader.read_text_property("mimeType")?.map(str::to_owned);
        let uri = match reader.read_text_property("uri")? {
            None => None,
            Some(text) => {
                Some(parse_uri(text).map_err(|reason| reader.location_of_property("uri").invalid_value_error(reason))?)
            }
        };
        if view.is_some() && media_type.is_none() {
            return Err(reader.error_for_whole_object("an image in a buffer view needs `mimeType`"));
        }
        if view.is_some() == uri.is_some() {
            return Err(reader.error_for_whole_object("an image must have either `bufferView` or `uri`"));
        }
        if let Some(Uri::Data { media_type, bytes }) = &uri {
            let found = recognize_image_format(bytes).filter(|format| *format != ImageFormat::Avif);
            if found.map(ImageFormat::media_type) != Some(media_type) {
                let place = reader.location_of_property("uri");
                return Err(
                    place.invalid_value_error(format_args!("its content is not of the media type {media_type:?}"))
                );
            }
        }
        let has_extensions = !extensions.read_object_extensions(reader, ExtensionOwner::Other)?.names.is_empty();
        reader.read_text_property("name")?;
        Ok(Self { view, uri, media_type, has_extensions })
    }

    /// Validates that the image may use its buffer view, and records the use.
    pub(super) fn validate_and_record_image_view(
        &self,
        views: &[BufferView],
        uses: &mut ViewUses,
        place: &DocumentLocation<'_>,
    ) -> Result<(), InspectionError> {
        let Some(index) = self.view else { return Ok(()) };
        let place = place.child_property_location("bufferView");
        let view = views.get(index).ok_or_else(|| unresolved_index_error(&place, "buffer view", index))?;
        uses.record_view_use(index, ViewUse::Image, &place)?;
        if view.stride.is_some() {
            return Err(place.invalid_value_error("a buffer view of an image must not have `byteStride`"));
        }
        Ok(())
    }
}
