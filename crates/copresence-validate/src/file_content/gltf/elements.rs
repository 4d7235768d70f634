//! Reads the elements of accessors.

use super::accessor::{Accessor, ComponentType, ElementFormat};
use super::buffer::BufferView;
use super::place::DocumentLocation;
use super::{BufferData, InspectionError};

/// The largest number of components of an element.
const MAX_COMPONENTS: usize = 16;

/// The elements of an accessor whose layout is valid.
pub(super) struct AccessorElements<'a> {
    pub(super) format: ElementFormat,
    pub(super) count: u64,
    /// `None` if all elements are zero at first.
    base: Option<StridedElements<'a>>,
    sparse: Option<SparseReplacements<'a>>,
}

/// Elements at equal distances.
struct StridedElements<'a> {
    bytes: &'a [u8],
    stride: usize,
}

/// The elements that a sparse accessor replaces: their indices and new values.
struct SparseReplacements<'a> {
    indices: &'a [u8],
    index_component: ComponentType,
    count: usize,
    values: &'a [u8],
}

impl<'a> AccessorElements<'a> {
    /// The elements; `None` if their buffers have no data, or if the accessor has neither a view nor a sparse part.
    pub(super) fn elements_of_accessor(
        accessor: &Accessor,
        views: &[BufferView],
        data: &'a BufferData<'_>,
    ) -> Option<Self> {
        let format = accessor.format?;
        if accessor.view.is_none() && accessor.sparse.is_none() {
            return None;
        }
        let part = |view: usize, offset: u64| {
            let bytes = views.get(view)?.bytes_of_buffer_view(data)?;
            bytes.get(usize::try_from(offset).ok()?..)
        };
        let base = match accessor.view {
            None => None,
            Some(view) => {
                let stride = views.get(view)?.stride.unwrap_or(format.element_length_and_stride().1);
                Some(StridedElements { bytes: part(view, accessor.offset)?, stride: usize::try_from(stride).ok()? })
            }
        };
        let sparse = match &accessor.sparse {
            None => None,
            Some(sparse) => Some(SparseReplacements {
                indices: part(sparse.index_view, sparse.index_offset)?,
                index_component: sparse.index_component?,
                count: usize::try_from(sparse.count).ok()?,
                values: part(sparse.value_view, sparse.value_offset)?,
            }),
        };
        Some(Self { format, count: accessor.count, base, sparse })
    }

    /// Number of bytes that reading all elements takes, as if they were packed.
    pub(super) fn packed_byte_count(&self) -> u64 {
        self.count.saturating_mul(self.format.element_length_and_stride().1)
    }

    /// Validates that the sparse indices increase and are those of elements.
    pub(super) fn validate_sparse_indices(&self, place: &DocumentLocation<'_>) -> Result<(), InspectionError> {
        let Some(sparse) = &self.sparse else { return Ok(()) };
        let count = self.count;
        let mut earlier = None;
        for position in 0..sparse.count {
            let Some(index) = sparse.index_at_position(position) else { break };
            if index >= count {
                return Err(
                    place.invalid_value_error(format_args!("sparse index {index} is beyond the {count} elements"))
                );
            }
            if earlier.is_some_and(|earlier| index <= earlier) {
                return Err(place.invalid_value_error(format_args!("sparse index {index} does not increase")));
            }
            earlier = Some(index);
        }
        Ok(())
    }

    /// Calls `visit` with the index and the components of each element of the accessor, until it fails. Sparse indices must be valid.
    pub(super) fn for_each_accessor_element(
        &self,
        mut visit: impl FnMut(u64, &[f64]) -> Result<(), InspectionError>,
    ) -> Result<(), InspectionError> {
        let mut values = [0.0; MAX_COMPONENTS];
        let mut next_sparse = 0;
        let components = self.format.shape.component_count();
        for element in 0..self.count {
            if let Some(sparse) = &self.sparse
                && sparse.index_at_position(next_sparse) == Some(element)
            {
                self.fill_element_from_sparse_values(sparse, next_sparse, &mut values);
                next_sparse = next_sparse.saturating_add(1);
            } else {
                self.fill_element_from_base(element, &mut values);
            }
            visit(element, values.get(..components).unwrap_or_default())?;
        }
        Ok(())
    }

    /// Reads one element, from the sparse part if that replaces it. Unused components are 0.
    pub(super) fn read_element(&self, element: u64) -> [f64; MAX_COMPONENTS] {
        let mut values = [0.0; MAX_COMPONENTS];
        match self.sparse.as_ref().and_then(|sparse| Some((sparse, sparse.find_sparse_position(element)?))) {
            Some((sparse, position)) => self.fill_element_from_sparse_values(sparse, position, &mut values),
            None => self.fill_element_from_base(element, &mut values),
        }
        values
    }

    /// Fills the values of an element from the sparse values at `position`; zeros if they are too short.
    fn fill_element_from_sparse_values(
        &self,
        sparse: &SparseReplacements<'_>,
        position: usize,
        values: &mut [f64; MAX_COMPONENTS],
    ) {
        let components = self.format.shape.component_count();
        let size = component_size(self.format.component);
        let start = position.saturating_mul(components).saturating_mul(size);
        for (component, value) in values.iter_mut().enumerate().take(components) {
            let offset = start.saturating_add(component.saturating_mul(size));
            *value = read_component(sparse.values, offset, self.format.component).unwrap_or_default();
        }
    }

    /// Fills the values of an element from the buffer view, without sparse substitution; zeros if there is no buffer
    /// view.
    fn fill_element_from_base(&self, element: u64, values: &mut [f64; MAX_COMPONENTS]) {
        let Some(base) = &self.base else {
            *values = [0.0; MAX_COMPONENTS];
            return;
        };
        let size = component_size(self.format.component);
        let start = usize::try_from(element).unwrap_or(usize::MAX).saturating_mul(base.stride);
        let rows = self.format.row_count_if_columns_padded();
        for (component, value) in values.iter_mut().enumerate().take(self.format.shape.component_count()) {
            let position =
                match rows.and_then(|rows| Some((component.checked_div(rows)?, component.checked_rem(rows)?))) {
                    Some((column, row)) => column.saturating_mul(4).saturating_add(row),
                    None => component,
                };
            let offset = start.saturating_add(position.saturating_mul(size));
            *value = read_component(base.bytes, offset, self.format.component).unwrap_or_default();
        }
    }
}

impl SparseReplacements<'_> {
    /// The index at a position; `None` behind the last one.
    fn index_at_position(&self, position: usize) -> Option<u64> {
        if position >= self.count {
            return None;
        }
        let offset = position.checked_mul(component_size(self.index_component))?;
        let number = read_component(self.indices, offset, self.index_component)?;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an unsigned integer of 32 bits")]
        Some(number as u64)
    }

    /// The position of an element index in the sorted list of sparse indices (binary search); `None` if it is not
    /// listed.
    fn find_sparse_position(&self, index: u64) -> Option<usize> {
        let (mut start, mut end) = (0, self.count);
        while start < end {
            let middle = start.midpoint(end);
            match self.index_at_position(middle)?.cmp(&index) {
                std::cmp::Ordering::Equal => return Some(middle),
                std::cmp::Ordering::Less => start = middle.saturating_add(1),
                std::cmp::Ordering::Greater => end = middle,
            }
        }
        None
    }
}

/// Size of one component in bytes, as a `usize`.
fn component_size(component: ComponentType) -> usize {
    usize::try_from(component.size_in_bytes()).unwrap_or_default()
}

/// The component at an offset.
fn read_component(bytes: &[u8], offset: usize, component: ComponentType) -> Option<f64> {
    let rest = bytes.get(offset..)?;
    Some(match component {
        ComponentType::I8 => f64::from(i8::from_le_bytes(*rest.first_chunk()?)),
        ComponentType::U8 => f64::from(u8::from_le_bytes(*rest.first_chunk()?)),
        ComponentType::I16 => f64::from(i16::from_le_bytes(*rest.first_chunk()?)),
        ComponentType::U16 => f64::from(u16::from_le_bytes(*rest.first_chunk()?)),
        ComponentType::U32 => f64::from(u32::from_le_bytes(*rest.first_chunk()?)),
        ComponentType::F32 => f64::from(f32::from_le_bytes(*rest.first_chunk()?)),
    })
}
