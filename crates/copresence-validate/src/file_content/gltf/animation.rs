//! Animations.

use super::accessor::{Accessor, AccessorUse, ComponentType, ElementFormat, ElementShape};
use super::buffer::ViewUse;
use super::extensions::{ExtensionOwner, ExtensionReader};
use super::object_reader::ObjectReader;
use super::place::DocumentLocation;
use super::{AccessorAndViewUses, GltfDocumentWithValidProperties, InspectionError, unresolved_index_error};
use std::collections::HashSet;

/// A glTF animation: its channels and samplers.
pub(super) struct Animation {
    channels: Vec<AnimationChannel>,
    samplers: Vec<AnimationSampler>,
}

/// A channel of an animation: its sampler, and the property of a node that it moves.
struct AnimationChannel {
    sampler: usize,
    /// `None` if an extension says what is moved.
    node: Option<usize>,
    path: String,
    has_pointer: bool,
}

/// A sampler of an animation: the accessors of its times and of its values.
struct AnimationSampler {
    input: usize,
    output: usize,
    is_cubic: bool,
}

impl Animation {
    /// Parses the JSON object of an animation. Fails at the first property that the specification does not allow.
    pub(super) fn parse_animation(
        reader: &ObjectReader<'_>,
        extensions: &ExtensionReader,
    ) -> Result<Self, InspectionError> {
        let channels = reader.read_object_list("channels", |channel| {
            extensions.read_object_extensions(channel, ExtensionOwner::Other)?;
            let target = channel.read_object_property("target", |target| {
                let has_pointer =
                    extensions.read_object_extensions(target, ExtensionOwner::AnimationTarget)?.has_animation_pointer;
                let path = target.require_property("path", target.read_text_property("path")?)?.to_owned();
                Ok((target.read_index_property("node")?, path, has_pointer))
            })?;
            let (node, path, has_pointer) = channel.require_property("target", target)?;
            Ok(AnimationChannel { sampler: channel.read_required_index("sampler")?, node, path, has_pointer })
        })?;
        let samplers = reader.read_object_list("samplers", |sampler| {
            extensions.read_object_extensions(sampler, ExtensionOwner::Other)?;
            let interpolation = sampler.read_text_property("interpolation")?.unwrap_or("LINEAR");
            Ok(AnimationSampler {
                input: sampler.read_required_index("input")?,
                output: sampler.read_required_index("output")?,
                is_cubic: interpolation == "CUBICSPLINE",
            })
        })?;
        reader.read_text_property("name")?;
        extensions.read_object_extensions(reader, ExtensionOwner::Other)?;
        let channels = reader.require_property("channels", channels)?;
        Ok(Self { channels, samplers: reader.require_property("samplers", samplers)? })
    }

    /// Validates that the parts exist and fit together.
    pub(super) fn validate_animation_references(
        &self,
        document: &GltfDocumentWithValidProperties,
        links: &mut AccessorAndViewUses,
        place: &DocumentLocation<'_>,
    ) -> Result<(), InspectionError> {
        let list = place.child_property_location("samplers");
        for (index, sampler) in self.samplers.iter().enumerate() {
            sampler.validate_animation_sampler_references(document, links, &list.list_item_location(index))?;
        }
        let list = place.child_property_location("channels");
        let mut targets = HashSet::new();
        for (index, channel) in self.channels.iter().enumerate() {
            let place = list.list_item_location(index);
            channel.validate_animation_channel_references(self, document, links, &place)?;
            if channel.node.is_some_and(|node| !targets.insert((node, channel.path.as_str()))) {
                return Err(place
                    .child_property_location("target")
                    .invalid_value_error("another channel of the animation moves the same"));
            }
        }
        Ok(())
    }
}

/// Records what the accessor of a sampler is used for.
fn record_sampler_accessor_use<'d>(
    document: &'d GltfDocumentWithValidProperties,
    links: &mut AccessorAndViewUses,
    index: usize,
    new: AccessorUse,
    place: &DocumentLocation<'_>,
) -> Result<&'d Accessor, InspectionError> {
    let accessor = document.accessors.get(index).ok_or_else(|| unresolved_index_error(place, "accessor", index))?;
    links.record_accessor_use(index, new, place)?;
    if let Some(view) = accessor.view {
        links.views.record_view_use(view, ViewUse::Other, place)?;
        if document.views.get(view).is_some_and(|view| view.stride.is_some()) {
            return Err(place.invalid_value_error("a buffer view of an animation must not have `byteStride`"));
        }
    }
    Ok(accessor)
}

impl AnimationSampler {
    /// Validates the accessors of times and values, and records their use.
    fn validate_animation_sampler_references(
        &self,
        document: &GltfDocumentWithValidProperties,
        links: &mut AccessorAndViewUses,
        place: &DocumentLocation<'_>,
    ) -> Result<(), InspectionError> {
        let input_place = place.child_property_location("input");
        let input =
            record_sampler_accessor_use(document, links, self.input, AccessorUse::AnimationInput, &input_place)?;
        if !input.format.is_some_and(|format: ElementFormat| {
            format.has_shape_component_and_normalization(ElementShape::Scalar, ComponentType::F32, false)
        }) {
            return Err(input_place.invalid_value_error("times must be floats"));
        }
        if !input.has_min_and_max() {
            return Err(input_place.invalid_value_error("times need `min` and `max`"));
        }
        if self.is_cubic && input.count < 2 {
            return Err(input_place.invalid_value_error("a cubic interpolation needs two times"));
        }
        links.data_checks.add_time_check(self.input, &input_place);
        record_sampler_accessor_use(
            document,
            links,
            self.output,
            AccessorUse::AnimationOutput,
            &place.child_property_location("output"),
        )
        .map(drop)
    }
}

impl AnimationChannel {
    /// Validates that the sampler and the node exist, and that the values fit what is moved.
    fn validate_animation_channel_references(
        &self,
        animation: &Animation,
        document: &GltfDocumentWithValidProperties,
        links: &mut AccessorAndViewUses,
        place: &DocumentLocation<'_>,
    ) -> Result<(), InspectionError> {
        let target = place.child_property_location("target");
        let sampler_place = place.child_property_location("sampler");
        let sampler = animation.samplers.get(self.sampler);
        let sampler =
            sampler.ok_or_else(|| unresolved_index_error(&sampler_place, "sampler of the animation", self.sampler))?;
        let mut weights = 0;
        if let Some(index) = self.node {
            let node_place = target.child_property_location("node");
            let node = document.nodes.get(index).ok_or_else(|| unresolved_index_error(&node_place, "node", index))?;
            let targets = node.mesh.and_then(|mesh| document.meshes.get(mesh)?.primitives.first()?.targets.as_ref());
            match self.path.as_str() {
                "translation" | "rotation" | "scale" if node.has_matrix => {
                    return Err(
                        target.invalid_value_error(format_args!("node {index} has a matrix, which cannot be moved"))
                    );
                }
                "weights" if targets.is_none() => {
                    return Err(target.invalid_value_error(format_args!("node {index} has no mesh with blendshapes")));
                }
                _ => {}
            }
            weights = targets.map_or(0, Vec::len);
        }
        if self.has_pointer && (self.node.is_some() || self.path != "pointer") {
            return Err(target.invalid_value_error("KHR_animation_pointer needs the path `pointer` and no node"));
        }
        let (Some(input), Some(output)) =
            (document.accessors.get(sampler.input), document.accessors.get(sampler.output))
        else {
            return Ok(());
        };
        if self.path == "rotation" && output.format.is_some_and(|format| format.shape.component_count() == 4) {
            links.data_checks.add_quaternion_check(sampler.output, sampler.is_cubic, &sampler_place);
        }
        if !is_allowed_output_format(&self.path, output.format) {
            return Err(sampler_place
                .invalid_value_error(format_args!("the format of its output is not allowed for {}", self.path)));
        }
        let values = match self.path.as_str() {
            "translation" | "rotation" | "scale" => 1,
            "weights" => weights,
            _ => 0,
        };
        let per_time = if sampler.is_cubic { 3 } else { 1 };
        let expected = input.count.saturating_mul(per_time).saturating_mul(values as u64);
        if expected != 0 && expected != output.count {
            let count = output.count;
            return Err(sampler_place
                .invalid_value_error(format_args!("its output has {count} elements instead of {expected}")));
        }
        Ok(())
    }
}

/// Whether the specification allows the format for values of this path.
fn is_allowed_output_format(path: &str, format: Option<ElementFormat>) -> bool {
    let shape = match path {
        "translation" | "scale" => {
            return format.is_some_and(|format| {
                format.has_shape_component_and_normalization(ElementShape::Vec3, ComponentType::F32, false)
            });
        }
        "rotation" => ElementShape::Vec4,
        "weights" => ElementShape::Scalar,
        _ => return true,
    };
    format.is_some_and(|format| {
        let is_fraction = format.normalized && !matches!(format.component, ComponentType::F32 | ComponentType::U32);
        format.shape == shape && (is_fraction || format.component == ComponentType::F32)
    })
}
