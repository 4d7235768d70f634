//! Accessors: their properties, and whether their elements lie within their buffer views.

use super::buffer::{BufferView, ViewUse, ViewUses};
use super::extensions::{ExtensionOwner, ExtensionReader};
use super::object_reader::{NumberRange, ObjectReader};
use super::place::DocumentLocation;
use super::{InspectionError, unresolved_index_error};

/// Type of one component.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ComponentType {
    I8,
    U8,
    I16,
    U16,
    U32,
    F32,
}

/// The numbers of the component types.
const COMPONENT_CODES: [u64; 6] = [5120, 5121, 5122, 5123, 5125, 5126];
/// The numbers of the component types of sparse indices.
const INDEX_COMPONENT_CODES: [u64; 3] = [5121, 5123, 5125];

impl ComponentType {
    fn component_type_from_code(code: u64) -> Option<Self> {
        Some(match code {
            5120 => Self::I8,
            5121 => Self::U8,
            5122 => Self::I16,
            5123 => Self::U16,
            5125 => Self::U32,
            5126 => Self::F32,
            _ => return None,
        })
    }

    /// Size of a component in bytes.
    pub(super) fn size_in_bytes(self) -> u64 {
        match self {
            Self::I8 | Self::U8 => 1,
            Self::I16 | Self::U16 => 2,
            Self::U32 | Self::F32 => 4,
        }
    }

    /// The smallest and the largest value of this component type; infinite for floats.
    pub(super) fn component_value_bounds(self) -> (f64, f64) {
        match self {
            Self::I8 => (-128.0, 127.0),
            Self::U8 => (0.0, 255.0),
            Self::I16 => (-32_768.0, 32_767.0),
            Self::U16 => (0.0, 65_535.0),
            Self::U32 => (0.0, 4_294_967_295.0),
            Self::F32 => (f64::NEG_INFINITY, f64::INFINITY),
        }
    }
}

/// The shape of an element: scalar, vector or matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ElementShape {
    Scalar,
    Vec2,
    Vec3,
    Vec4,
    Mat2,
    Mat3,
    Mat4,
}

impl ElementShape {
    /// Parses the `type` of an accessor, such as `VEC3`.
    fn shape_from_type_name(name: &str) -> Option<Self> {
        Some(match name {
            "SCALAR" => Self::Scalar,
            "VEC2" => Self::Vec2,
            "VEC3" => Self::Vec3,
            "VEC4" => Self::Vec4,
            "MAT2" => Self::Mat2,
            "MAT3" => Self::Mat3,
            "MAT4" => Self::Mat4,
            _ => return None,
        })
    }

    /// Number of components.
    pub(super) fn component_count(self) -> usize {
        match self {
            Self::Scalar => 1,
            Self::Vec2 => 2,
            Self::Vec3 => 3,
            Self::Vec4 | Self::Mat2 => 4,
            Self::Mat3 => 9,
            Self::Mat4 => 16,
        }
    }
}

/// What an element is: shape, component, and whether integers stand for fractions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ElementFormat {
    pub(super) shape: ElementShape,
    pub(super) component: ComponentType,
    pub(super) normalized: bool,
}

impl ElementFormat {
    /// Length of one element and distance of two elements that are packed, in bytes. The columns of small matrices are
    /// padded to four bytes; the last padding does not count as part of the element.
    pub(super) fn element_length_and_stride(self) -> (u64, u64) {
        match (self.shape, self.component.size_in_bytes()) {
            (ElementShape::Mat2, 1) => (6, 8),
            (ElementShape::Mat3, 1) => (11, 12),
            (ElementShape::Mat3, 2) => (22, 24),
            (shape, size) => {
                let length = size.saturating_mul(shape.component_count() as u64);
                (length, length)
            }
        }
    }

    /// Number of rows of a matrix whose columns are padded to four components.
    pub(super) fn row_count_if_columns_padded(self) -> Option<usize> {
        match (self.shape, self.component.size_in_bytes()) {
            (ElementShape::Mat2, 1) => Some(2),
            (ElementShape::Mat3, 1 | 2) => Some(3),
            _ => None,
        }
    }

    /// Whether the format has exactly this shape, component and normalization.
    pub(super) fn has_shape_component_and_normalization(
        self,
        shape: ElementShape,
        component: ComponentType,
        normalized: bool,
    ) -> bool {
        self == Self { shape, component, normalized }
    }
}

/// A glTF accessor: where its elements are, and their format, number and bounds.
pub(super) struct Accessor {
    pub(super) view: Option<usize>,
    /// Offset within the view, in bytes.
    pub(super) offset: u64,
    /// `None` if shape or component is unknown.
    pub(super) format: Option<ElementFormat>,
    pub(super) count: u64,
    pub(super) min: Option<Vec<f64>>,
    pub(super) max: Option<Vec<f64>>,
    pub(super) sparse: Option<SparseSubstitution>,
}

/// The sparse part of an accessor.
pub(super) struct SparseSubstitution {
    pub(super) count: u64,
    pub(super) index_view: usize,
    pub(super) index_offset: u64,
    /// `None` if it is unknown.
    pub(super) index_component: Option<ComponentType>,
    pub(super) value_view: usize,
    pub(super) value_offset: u64,
}

/// What an accessor is used for. Two different uses are an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AccessorUse {
    Vertices,
    Indices,
    InverseBindMatrices,
    AnimationInput,
    AnimationOutput,
}

impl Accessor {
    /// Whether the accessor declares both `min` and `max`.
    pub(super) fn has_min_and_max(&self) -> bool {
        self.min.is_some() && self.max.is_some()
    }

    /// Reads an accessor.
    pub(super) fn parse_accessor(
        reader: &ObjectReader<'_>,
        extensions: &ExtensionReader,
    ) -> Result<Self, InspectionError> {
        let view = reader.read_index_property("bufferView")?;
        if view.is_none() && reader.has_property("byteOffset") {
            return Err(reader.location_of_property("byteOffset").invalid_value_error("needs `bufferView`"));
        }
        let offset = reader.read_unsigned_at_least("byteOffset", 0)?.unwrap_or(0);
        if !reader.has_property("componentType") {
            reader.require_property::<()>("componentType", None)?;
        }
        let component = reader
            .read_integer_of_known_values("componentType", &COMPONENT_CODES)?
            .and_then(ComponentType::component_type_from_code);
        let count = reader.require_property("count", reader.read_unsigned_at_least("count", 1)?)?;
        let shape =
            ElementShape::shape_from_type_name(reader.require_property("type", reader.read_text_property("type")?)?);
        let normalized = reader.read_boolean_property("normalized")?.unwrap_or(false);
        if normalized && matches!(component, Some(ComponentType::F32 | ComponentType::U32)) {
            return Err(reader
                .location_of_property("normalized")
                .invalid_value_error("this component type cannot be normalized"));
        }
        if matches!(shape, Some(ElementShape::Mat2 | ElementShape::Mat3 | ElementShape::Mat4))
            && !offset.is_multiple_of(4)
        {
            return Err(reader
                .location_of_property("byteOffset")
                .invalid_value_error("a matrix is not aligned to four bytes"));
        }
        let format = shape.zip(component).map(|(shape, component)| ElementFormat { shape, component, normalized });
        let (min, max) = (read_min_or_max(reader, "min", format)?, read_min_or_max(reader, "max", format)?);
        let sparse = reader.read_object_property("sparse", |sparse| {
            SparseSubstitution::parse_sparse_substitution(sparse, extensions)
        })?;
        extensions.read_object_extensions(reader, ExtensionOwner::Other)?;
        reader.read_text_property("name")?;
        Ok(Self { view, offset, format, count, min, max, sparse })
    }

    /// Validates that all elements lie within their buffer views.
    pub(super) fn validate_layout(
        &self,
        views: &[BufferView],
        uses: &mut ViewUses,
        place: &DocumentLocation<'_>,
    ) -> Result<(), InspectionError> {
        let Some(format) = self.format else { return Ok(()) };
        let (element, packed) = format.element_length_and_stride();
        let size = format.component.size_in_bytes();
        if let Some(index) = self.view {
            let view_place = place.child_property_location("bufferView");
            let view = views.get(index).ok_or_else(|| unresolved_index_error(&view_place, "buffer view", index))?;
            let stride = view.stride.unwrap_or(packed);
            if stride < element {
                return Err(place.invalid_value_error(format_args!(
                    "its buffer view has {stride} bytes per element, but an element has {element}"
                )));
            }
            let length = stride.saturating_mul(self.count.saturating_sub(1)).saturating_add(element);
            validate_byte_range(view, self.offset, length, size, place)?;
        }
        let Some(sparse) = &self.sparse else { return Ok(()) };
        let place = place.child_property_location("sparse");
        if sparse.count > self.count {
            let (changed, count) = (sparse.count, self.count);
            return Err(place
                .child_property_location("count")
                .invalid_value_error(format_args!("changes {changed} elements of {count}")));
        }
        let part = |name: &'static str, index: usize, uses: &mut ViewUses| {
            let part_place = place.child_property_location(name);
            let view_place = part_place.child_property_location("bufferView");
            let view = views.get(index).ok_or_else(|| unresolved_index_error(&view_place, "buffer view", index))?;
            uses.record_view_use(index, ViewUse::Other, &view_place)?;
            if view.stride.is_some() {
                return Err(view_place.invalid_value_error("a buffer view of sparse data must not have `byteStride`"));
            }
            Ok(view)
        };
        let (indices, values) = (part("indices", sparse.index_view, uses)?, part("values", sparse.value_view, uses)?);
        if let Some(component) = sparse.index_component {
            let length = component.size_in_bytes().saturating_mul(sparse.count);
            validate_byte_range(
                indices,
                sparse.index_offset,
                length,
                component.size_in_bytes(),
                &place.child_property_location("indices"),
            )?;
        }
        let length = size.saturating_mul(format.shape.component_count() as u64).saturating_mul(sparse.count);
        validate_byte_range(values, sparse.value_offset, length, size, &place.child_property_location("values"))
    }
}

impl SparseSubstitution {
    /// Parses the JSON object of sparse values. Fails at the first property that the specification does not allow.
    fn parse_sparse_substitution(
        reader: &ObjectReader<'_>,
        extensions: &ExtensionReader,
    ) -> Result<Self, InspectionError> {
        let count = reader.require_property("count", reader.read_unsigned_at_least("count", 1)?)?;
        let indices = reader.read_object_property("indices", |part| {
            if !part.has_property("componentType") {
                part.require_property::<()>("componentType", None)?;
            }
            let component = part.read_integer_of_known_values("componentType", &INDEX_COMPONENT_CODES)?;
            extensions.read_object_extensions(part, ExtensionOwner::Other)?;
            let offset = part.read_unsigned_at_least("byteOffset", 0)?.unwrap_or(0);
            Ok((
                part.read_required_index("bufferView")?,
                offset,
                component.and_then(ComponentType::component_type_from_code),
            ))
        })?;
        let values = reader.read_object_property("values", |part| {
            extensions.read_object_extensions(part, ExtensionOwner::Other)?;
            Ok((part.read_required_index("bufferView")?, part.read_unsigned_at_least("byteOffset", 0)?.unwrap_or(0)))
        })?;
        extensions.read_object_extensions(reader, ExtensionOwner::Other)?;
        let (index_view, index_offset, index_component) = reader.require_property("indices", indices)?;
        let (value_view, value_offset) = reader.require_property("values", values)?;
        Ok(Self { count, index_view, index_offset, index_component, value_view, value_offset })
    }
}

/// Reads the property `min` or `max` of an accessor, one number per component. `None` if it is absent or the format is
/// unknown.
fn read_min_or_max(
    reader: &ObjectReader<'_>,
    name: &'static str,
    format: Option<ElementFormat>,
) -> Result<Option<Vec<f64>>, InspectionError> {
    let Some(format) = format else { return Ok(None) };
    let numbers = reader.read_number_list(name, Some(format.shape.component_count()), NumberRange::ANY)?;
    let Some(mut numbers) = numbers else { return Ok(None) };
    let (least, most) = format.component.component_value_bounds();
    for (index, number) in numbers.iter_mut().enumerate() {
        if format.component == ComponentType::F32 {
            *number = round_to_single_precision(*number);
        } else if number.fract() != 0.0 || *number < least || *number > most {
            let reason = format!("{number} is no value of the component type");
            return Err(reader.location_of_property(name).list_item_location(index).invalid_value_error(reason));
        }
    }
    Ok(Some(numbers))
}

/// The nearest number of single precision.
#[expect(clippy::cast_possible_truncation, reason = "this is the purpose")]
pub(super) fn round_to_single_precision(number: f64) -> f64 {
    f64::from(number as f32)
}

/// Validates that `length` bytes from `offset` lie within a buffer view and are aligned to a component.
fn validate_byte_range(
    view: &BufferView,
    offset: u64,
    length: u64,
    component: u64,
    place: &DocumentLocation<'_>,
) -> Result<(), InspectionError> {
    if !offset.is_multiple_of(component) || !view.offset.saturating_add(offset).is_multiple_of(component) {
        return Err(place.invalid_value_error(format_args!("it is not aligned to its component of {component} bytes")));
    }
    if offset.saturating_add(length) > view.length {
        let available = view.length;
        return Err(place.invalid_value_error(format_args!(
            "{length} bytes from {offset} on: it exceeds its buffer view of {available} bytes"
        )));
    }
    Ok(())
}
