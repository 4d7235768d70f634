//! Buffers and buffer views.

use super::extensions::{ExtensionOwner, ExtensionReader};
use super::object_reader::ObjectReader;
use super::place::DocumentLocation;
use super::uri::{Uri, parse_uri};
use super::{ContainerKind, InspectionError, ResourceLoader, unresolved_index_error};
use std::borrow::Cow;

/// The `target` of buffer views with vertices.
const ARRAY_BUFFER: u64 = 34_962;
/// The `target` of buffer views with indices.
const ELEMENT_ARRAY_BUFFER: u64 = 34_963;

/// A glTF buffer: its length in bytes and where its data is.
pub(super) struct Buffer {
    pub(super) length: u64,
    pub(super) uri: Option<Uri>,
}

/// A glTF buffer view: a range of a buffer, with its stride and target.
pub(super) struct BufferView {
    pub(super) buffer: usize,
    pub(super) offset: u64,
    pub(super) length: u64,
    pub(super) stride: Option<u64>,
    pub(super) target: Option<u64>,
}

/// What a buffer view is used for. Two different uses are an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ViewUse {
    Vertices,
    Indices,
    Image,
    InverseBindMatrices,
    Other,
}

/// The uses of all buffer views.
pub(super) struct ViewUses(Vec<Option<ViewUse>>);

impl ViewUses {
    /// The uses that the views declare with their `target`.
    pub(super) fn uses_from_declared_targets(views: &[BufferView]) -> Self {
        let target_use = |view: &BufferView| match view.target {
            Some(ARRAY_BUFFER) => Some(ViewUse::Vertices),
            Some(ELEMENT_ARRAY_BUFFER) => Some(ViewUse::Indices),
            _ => None,
        };
        Self(views.iter().map(target_use).collect())
    }

    /// Records a use; fails if another one is known.
    pub(super) fn record_view_use(
        &mut self,
        view: usize,
        new: ViewUse,
        place: &DocumentLocation<'_>,
    ) -> Result<(), InspectionError> {
        let Some(known) = self.0.get_mut(view) else { return Ok(()) };
        match *known.get_or_insert(new) {
            earlier if earlier == new => Ok(()),
            earlier => {
                Err(place
                    .invalid_value_error(format_args!("buffer view {view} is for {earlier:?}, but used for {new:?}")))
            }
        }
    }
}

impl Buffer {
    /// Parses the JSON object of a buffer. Fails at the first property that the specification does not allow.
    pub(super) fn parse_buffer(
        reader: &ObjectReader<'_>,
        extensions: &ExtensionReader,
    ) -> Result<Self, InspectionError> {
        let length = reader.require_property("byteLength", reader.read_unsigned_at_least("byteLength", 1)?)?;
        let uri = match reader.read_text_property("uri")? {
            None => None,
            Some(text) => {
                Some(parse_uri(text).map_err(|reason| reader.location_of_property("uri").invalid_value_error(reason))?)
            }
        };
        if let Some(Uri::Data { media_type, .. }) = &uri
            && !matches!(media_type.as_str(), "application/octet-stream" | "application/gltf-buffer")
        {
            return Err(reader
                .location_of_property("uri")
                .invalid_value_error(format_args!("{media_type:?} is no media type of a buffer")));
        }
        extensions.read_object_extensions(reader, ExtensionOwner::Other)?;
        reader.read_text_property("name")?;
        Ok(Self { length, uri })
    }
}

impl BufferView {
    /// Parses the JSON object of a buffer view. Fails at the first property that the specification does not allow.
    pub(super) fn parse_buffer_view(
        reader: &ObjectReader<'_>,
        extensions: &ExtensionReader,
    ) -> Result<Self, InspectionError> {
        let length = reader.require_property("byteLength", reader.read_unsigned_at_least("byteLength", 1)?)?;
        let stride = reader.read_unsigned_between("byteStride", 4, 252)?;
        let target = reader.read_integer_of_known_values("target", &[ARRAY_BUFFER, ELEMENT_ARRAY_BUFFER])?;
        if let Some(stride) = stride {
            let place = reader.location_of_property("byteStride");
            if stride > length {
                return Err(
                    place.invalid_value_error(format_args!("{stride} is more than the {length} bytes of the view"))
                );
            }
            if !stride.is_multiple_of(4) {
                return Err(place.invalid_value_error(format_args!("{stride} is not a multiple of four")));
            }
            if target == Some(ELEMENT_ARRAY_BUFFER) {
                return Err(place.invalid_value_error("a buffer view of indices must not have it"));
            }
        }
        extensions.read_object_extensions(reader, ExtensionOwner::Other)?;
        reader.read_text_property("name")?;
        let offset = reader.read_unsigned_at_least("byteOffset", 0)?.unwrap_or(0);
        Ok(Self { buffer: reader.read_required_index("buffer")?, offset, length, stride, target })
    }

    /// Validates that the view lies within its buffer.
    pub(super) fn validate_range(
        &self,
        buffers: &[Buffer],
        place: &DocumentLocation<'_>,
    ) -> Result<(), InspectionError> {
        let buffer_place = place.child_property_location("buffer");
        let buffer =
            buffers.get(self.buffer).ok_or_else(|| unresolved_index_error(&buffer_place, "buffer", self.buffer))?;
        let (offset, length, available) = (self.offset, self.length, buffer.length);
        if offset >= available || offset.saturating_add(length) > available {
            return Err(place.invalid_value_error(format_args!(
                "{length} bytes from {offset} on: the buffer view exceeds its buffer of {available} bytes"
            )));
        }
        Ok(())
    }

    /// The bytes of the view; `None` if its buffer has none.
    pub(super) fn bytes_of_buffer_view<'a>(&self, data: &'a [Option<Cow<'_, [u8]>>]) -> Option<&'a [u8]> {
        let buffer = data.get(self.buffer)?.as_deref()?;
        let (offset, length) = (usize::try_from(self.offset).ok()?, usize::try_from(self.length).ok()?);
        buffer.get(offset..offset.checked_add(length)?)
    }
}

/// The bytes of each buffer. A buffer without URI has none, except the first one of a binary file, which is the binary
/// chunk.
pub(super) fn load_buffers<'a>(
    buffers: &'a [Buffer],
    container: ContainerKind<'a>,
    load: &mut ResourceLoader<'_>,
    notes: &mut Vec<String>,
) -> Result<Vec<Option<Cow<'a, [u8]>>>, InspectionError> {
    let list = DocumentLocation::root_property_location("buffers");
    let load_buffer = |(index, buffer): (usize, &'a Buffer)| {
        let place = list.list_item_location(index);
        let (bytes, is_chunk): (Cow<'_, [u8]>, bool) = match (&buffer.uri, container) {
            (Some(Uri::Data { bytes, .. }), _) => {
                if matches!(container, ContainerKind::Binary(_)) {
                    notes.push(format!("{}: a data URI in a binary file", place.child_property_location("uri")));
                }
                (Cow::Borrowed(bytes), false)
            }
            (Some(Uri::External(name)), _) => {
                let loaded = load(name).map_err(|error| error.in_part(place.child_property_location("uri")))?;
                (Cow::Owned(loaded), false)
            }
            (None, ContainerKind::Binary(chunk)) if index == 0 => (
                Cow::Borrowed(chunk.ok_or_else(|| place.invalid_value_error("the file has no binary chunk for it"))?),
                true,
            ),
            (None, _) => return Ok(None),
        };
        let (length, there) = (buffer.length, bytes.len() as u64);
        if there < length {
            return Err(place.invalid_value_error(format_args!("it says {length} bytes, but there are {there}")));
        }
        if is_chunk && there > length.next_multiple_of(4) {
            let extra = there.saturating_sub(length);
            notes.push(format!("{place}: the binary chunk has {extra} bytes more than the buffer"));
        }
        Ok(Some(bytes))
    };
    buffers.iter().enumerate().map(load_buffer).collect()
}
