//! Validates the elements of accessors: bounds, and what their use demands.
#![expect(clippy::float_cmp, reason = "bounds, signs and constant elements must be exact")]

use super::accessor::{ComponentType, ElementFormat, round_to_single_precision};
use super::elements::AccessorElements;
use super::node_transform::QUATERNION_TOLERANCE;
use super::place::DocumentLocation;
use super::{BufferData, GltfDocumentWithValidProperties, InspectionError};
use std::collections::{BTreeMap, HashMap};

/// How far the length of a normal may be from 1.
const NORMAL_TOLERANCE: f64 = 0.006_74;
/// How much the rounding of each weight may change their sum.
const WEIGHT_TOLERANCE: f64 = 2e-7;
/// How many times the size of all buffers the elements may have that are read. Elements that do not overlap have at most
/// this size.
const MAX_OVERLAP: u64 = 4;
/// Bytes of elements that are read whatever the size of the buffers is. Sparse elements are not in a buffer.
const MIN_WORK: u64 = 256 * 1024 * 1024;

/// What the use of a vertex attribute demands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum VertexCheck {
    UnitVector,
    /// A unit vector whose fourth component is 1 or -1.
    UnitVectorWithSign,
    /// Components from 0 to 1.
    Fraction,
}

/// What the uses of all accessors demand of their elements. Each demand has the place of its first use.
#[derive(Default)]
pub(super) struct AccessorDataRequirements {
    by_accessor: HashMap<usize, AccessorChecks>,
}

/// Checks of the data of one accessor. Each has the place of the use that demands it first.
#[derive(Default)]
struct AccessorChecks {
    vertices: Vec<(VertexCheck, String)>,
    /// Smallest number of vertices that the indices may point to.
    indices: Option<(u64, String)>,
    bind_matrices: Option<String>,
    times: Option<String>,
    /// Without and with tangents.
    quaternions: [Option<String>; 2],
}

impl AccessorDataRequirements {
    /// Adds a check of the vertices of the accessor, unless it is there already.
    pub(super) fn add_vertex_check(&mut self, accessor: usize, check: VertexCheck, place: &DocumentLocation<'_>) {
        let checks = &mut self.by_accessor.entry(accessor).or_default().vertices;
        if checks.iter().all(|(known, _)| *known != check) {
            checks.push((check, place.to_string()));
        }
    }

    /// Adds the check that every index of the accessor is less than `vertices`.
    pub(super) fn add_index_bound_check(&mut self, accessor: usize, vertices: u64, place: &DocumentLocation<'_>) {
        let check = &mut self.by_accessor.entry(accessor).or_default().indices;
        if check.as_ref().is_none_or(|(known, _)| vertices < *known) {
            *check = Some((vertices, place.to_string()));
        }
    }

    /// Adds the check that the elements of the accessor are valid inverse bind matrices.
    pub(super) fn add_bind_matrix_check(&mut self, accessor: usize, place: &DocumentLocation<'_>) {
        let check = &mut self.by_accessor.entry(accessor).or_default().bind_matrices;
        check.get_or_insert_with(|| place.to_string());
    }

    /// Adds the check that the elements of the accessor are valid times of an animation.
    pub(super) fn add_time_check(&mut self, accessor: usize, place: &DocumentLocation<'_>) {
        self.by_accessor.entry(accessor).or_default().times.get_or_insert_with(|| place.to_string());
    }

    /// Records that the elements of an accessor must be unit quaternions. `has_tangents` is for the output of a cubic
    /// spline.
    pub(super) fn add_quaternion_check(&mut self, accessor: usize, has_tangents: bool, place: &DocumentLocation<'_>) {
        let [plain, cubic] = &mut self.by_accessor.entry(accessor).or_default().quaternions;
        let check = if has_tangents { cubic } else { plain };
        check.get_or_insert_with(|| place.to_string());
    }

    /// Validates the elements of all accessors, within a limit of work.
    pub(super) fn validate_elements_of_all_accessors(
        &self,
        document: &GltfDocumentWithValidProperties,
        data: &BufferData<'_>,
    ) -> Result<(), InspectionError> {
        let open = |index: usize| {
            let accessor = document.accessors.get(index)?;
            AccessorElements::elements_of_accessor(accessor, &document.views, data)
        };
        let influences = collect_skin_influences(document, &open);
        let size: u64 = data.iter().flatten().map(|bytes| bytes.len() as u64).sum();
        let limit = size.saturating_mul(MAX_OVERLAP).saturating_add(MIN_WORK);
        let of_accessors = (0..document.accessors.len()).filter_map(open).map(|elements| elements.packed_byte_count());
        let of_influences =
            influences.iter().flat_map(|found| &found.sets).flat_map(|(joints, weights)| [joints, weights]);
        let work =
            of_accessors.chain(of_influences.map(AccessorElements::packed_byte_count)).fold(0, u64::saturating_add);
        if work > limit {
            return Err(InspectionError::limit_exceeded(format!(
                "its accessors overlap: they have {work} bytes, and at most {limit} are read"
            )));
        }
        let list = DocumentLocation::root_property_location("accessors");
        for (index, accessor) in document.accessors.iter().enumerate() {
            let Some(elements) = open(index) else { continue };
            let place = list.list_item_location(index);
            elements.validate_sparse_indices(&place.child_property_location("sparse"))?;
            let none = AccessorChecks::default();
            let checks = self.by_accessor.get(&index).unwrap_or(&none);
            validate_elements_of_accessor(&elements, accessor.min.as_deref(), accessor.max.as_deref(), checks, &place)?;
        }
        influences.iter().try_for_each(JointInfluences::validate_joints_and_weights)
    }
}

/// Builds the error for an invalid element, with the place in the file that uses it.
fn build_invalid_element_error(place: &str, element: u64, reason: impl std::fmt::Display) -> InspectionError {
    InspectionError::Invalid(format!("{place}: element {element}: {reason}"))
}

/// Validates the elements of one accessor: that they are finite, match `min` and `max`, and satisfy the checks of each
/// use.
fn validate_elements_of_accessor(
    elements: &AccessorElements<'_>,
    min: Option<&[f64]>,
    max: Option<&[f64]>,
    checks: &AccessorChecks,
    place: &DocumentLocation<'_>,
) -> Result<(), InspectionError> {
    let format = elements.format;
    let components = format.shape.component_count();
    let (mut least, mut most) = ([f64::INFINITY; 16], [f64::NEG_INFINITY; 16]);
    let mut last_time = None;
    elements.for_each_accessor_element(|element, values| {
        for ((value, least), most) in values.iter().zip(&mut least).zip(&mut most) {
            if !value.is_finite() {
                return Err(place.invalid_value_error(format_args!("element {element} is {value}")));
            }
            *least = value.min(*least);
            *most = value.max(*most);
        }
        for (check, user) in &checks.vertices {
            validate_vertex_values(values, format, *check)
                .map_err(|reason| build_invalid_element_error(user, element, reason))?;
        }
        if let Some((vertices, user)) = &checks.indices {
            let index = values.first().copied().unwrap_or_default();
            #[expect(clippy::cast_precision_loss, reason = "an index has at most 32 bits")]
            let is_beyond = index >= *vertices as f64;
            if is_beyond {
                let reason = format!("index {index} points beyond the {vertices} vertices");
                return Err(build_invalid_element_error(user, element, reason));
            }
            if index == format.component.component_value_bounds().1 {
                return Err(build_invalid_element_error(
                    user,
                    element,
                    format_args!("index {index} is reserved for primitive restart"),
                ));
            }
        }
        if let Some(user) = &checks.bind_matrices {
            let last_row = [3, 7, 11, 15].map(|at| values.get(at).copied().unwrap_or_default());
            if last_row != [0.0, 0.0, 0.0, 1.0] {
                return Err(build_invalid_element_error(user, element, "the last row of the matrix is not 0 0 0 1"));
            }
        }
        if let Some(user) = &checks.times {
            let time = values.first().copied().unwrap_or_default();
            if time < 0.0 || last_time.is_some_and(|last| time <= last) {
                return Err(build_invalid_element_error(
                    user,
                    element,
                    format_args!("the time {time} is negative or not increasing"),
                ));
            }
            last_time = Some(time);
        }
        let [plain, cubic] = &checks.quaternions;
        // With tangents, each value has a tangent before and behind it.
        let user = plain.as_ref().or(cubic.as_ref().filter(|_| element.checked_rem(3) == Some(1)));
        if let Some(user) = user {
            let length = vector_length(values, format);
            if (length - 1.0).abs() > QUATERNION_TOLERANCE {
                return Err(build_invalid_element_error(
                    user,
                    element,
                    format_args!("the quaternion is of length {length}"),
                ));
            }
        }
        Ok(())
    })?;
    for (name, declared, actual) in [("min", min, least), ("max", max, most)] {
        let Some(declared) = declared else { continue };
        for (component, (declared, actual)) in declared.iter().zip(actual).take(components).enumerate() {
            if *declared != actual {
                let bound = place.child_property_location(name);
                let reason = format!("says {declared}, but the data has {actual}");
                return Err(bound.list_item_location(component).invalid_value_error(reason));
            }
        }
    }
    Ok(())
}

/// Validates the value of one vertex attribute by this rule. The error says what is wrong.
fn validate_vertex_values(values: &[f64], format: ElementFormat, check: VertexCheck) -> Result<(), String> {
    match check {
        VertexCheck::UnitVector | VertexCheck::UnitVectorWithSign => {
            let length = vector_length(values.get(..3).unwrap_or_default(), format);
            if (length - 1.0).abs() > NORMAL_TOLERANCE {
                return Err(format!("the vector is of length {length} instead of 1"));
            }
            let sign = values.get(3).map(|sign| decode_normalized_value(*sign, format));
            if check == VertexCheck::UnitVectorWithSign && sign.is_none_or(|sign| sign.abs() != 1.0) {
                return Err("the fourth component is neither 1 nor -1".to_owned());
            }
        }
        VertexCheck::Fraction => {
            if let Some(value) = values.iter().find(|value| !(0.0..=1.0).contains(*value)) {
                return Err(format!("{value} is not between 0 and 1"));
            }
        }
    }
    Ok(())
}

fn vector_length(values: &[f64], format: ElementFormat) -> f64 {
    values.iter().map(|value| decode_normalized_value(*value, format).powi(2)).sum::<f64>().sqrt()
}

/// The fraction that a normalised integer represents.
fn decode_normalized_value(value: f64, format: ElementFormat) -> f64 {
    if !format.normalized || format.component == ComponentType::F32 {
        return value;
    }
    component_to_normalized_fraction(value, format.component)
}

/// Scales an integer component value to its normalized fraction (−1..=1); a float value is unchanged.
fn component_to_normalized_fraction(value: f64, component: ComponentType) -> f64 {
    if component == ComponentType::F32 { value } else { (value / component.component_value_bounds().1).max(-1.0) }
}

/// The joints and weights of a primitive.
struct JointInfluences<'a> {
    /// Place of the attributes.
    place: String,
    vertices: u64,
    /// Number of the joints of the skin with the fewest joints.
    joints: u64,
    /// Joints and weights of each set.
    sets: Vec<(AccessorElements<'a>, AccessorElements<'a>)>,
}

/// The influences of all primitives of meshes with skins.
fn collect_skin_influences<'a>(
    document: &GltfDocumentWithValidProperties,
    open: &impl Fn(usize) -> Option<AccessorElements<'a>>,
) -> Vec<JointInfluences<'a>> {
    let mut joints_of_mesh: BTreeMap<usize, usize> = BTreeMap::new();
    for node in &document.nodes {
        let skin = node.skin.and_then(|skin| document.skins.get(skin));
        if let (Some(mesh), Some(skin)) = (node.mesh, skin) {
            let joints = skin.joints.len();
            joints_of_mesh.entry(mesh).and_modify(|known| *known = joints.min(*known)).or_insert(joints);
        }
    }
    let mut found = Vec::new();
    for (mesh, joints) in joints_of_mesh {
        let primitives = document.meshes.get(mesh).map(|mesh| &mesh.primitives);
        for (number, primitive) in primitives.into_iter().flatten().enumerate() {
            let sets = (0..primitive.joint_sets).map(|set| {
                let open_attribute = |kind: &str| open(primitive.find_attribute_accessor(&format!("{kind}_{set}"))?);
                Some((open_attribute("JOINTS")?, open_attribute("WEIGHTS")?))
            });
            let Some(sets) = sets.collect::<Option<Vec<_>>>().filter(|sets| !sets.is_empty()) else { continue };
            let vertices = sets.iter().map(|(joints, weights)| joints.count.min(weights.count)).min().unwrap_or(0);
            let place = format!("/meshes/{mesh}/primitives/{number}/attributes");
            found.push(JointInfluences { place, vertices, joints: joints as u64, sets });
        }
    }
    found
}

impl JointInfluences<'_> {
    /// Validates that each vertex has different joints that exist, and weights whose sum is 1.
    fn validate_joints_and_weights(&self) -> Result<(), InspectionError> {
        let joint_count = self.joints;
        for vertex in 0..self.vertices {
            let (mut sum, mut tolerance) = (0.0, 0.0);
            let mut used = Vec::new();
            let sets: Vec<_> = self
                .sets
                .iter()
                .map(|(joints, weights)| (joints.read_element(vertex), weights.read_element(vertex)))
                .collect();
            for component in 0..4 {
                for (set, (joints, weights)) in sets.iter().enumerate() {
                    let (Some(joint), Some(weight)) = (joints.get(component), weights.get(component)) else { continue };
                    let invalid = |kind: &str, reason: String| {
                        build_invalid_element_error(&format!("{}/{kind}_{set}", self.place), vertex, reason)
                    };
                    #[expect(clippy::cast_precision_loss, reason = "a joint has at most 16 bits")]
                    if *joint >= joint_count as f64 {
                        return Err(invalid(
                            "JOINTS",
                            format!("joint {joint} is used, but the skin has {joint_count} joints"),
                        ));
                    }
                    let component_type = self.sets.get(set).map(|(_, weights)| weights.format.component);
                    let weight = component_type
                        .map_or(*weight, |component| component_to_normalized_fraction(*weight, component));
                    if weight == 0.0 {
                        continue;
                    }
                    if weight < 0.0 {
                        return Err(invalid("WEIGHTS", format!("the weight {weight} is negative")));
                    }
                    if used.contains(joint) {
                        return Err(invalid("JOINTS", format!("joint {joint} is used twice")));
                    }
                    used.push(*joint);
                    // Programs add the weights in single precision.
                    sum = round_to_single_precision(sum + weight);
                    tolerance += WEIGHT_TOLERANCE;
                }
            }
            if (sum - 1.0_f64).abs() > tolerance {
                let place = format!("{}/WEIGHTS_0", self.place);
                return Err(build_invalid_element_error(
                    &place,
                    vertex,
                    format_args!("the sum of the weights is {sum} instead of 1"),
                ));
            }
        }
        Ok(())
    }
}
