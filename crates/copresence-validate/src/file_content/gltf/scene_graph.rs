//! Nodes, scenes, skins and cameras.

use super::accessor::{AccessorUse, ComponentType, ElementFormat, ElementShape};
use super::buffer::ViewUse;
use super::extensions::{ExtensionOwner, ExtensionReader};
use super::node_transform::{is_decomposable_to_trs, is_unit_quaternion};
use super::object_reader::{NumberRange, ObjectReader};
use super::place::DocumentLocation;
use super::{AccessorAndViewUses, GltfDocumentWithValidProperties, InspectionError, unresolved_index_error};
use std::collections::{BTreeSet, HashMap, HashSet};

/// A node of the scene graph: its children, and what it places in the scene.
pub(super) struct Node {
    camera: Option<usize>,
    children: Vec<usize>,
    pub(super) skin: Option<usize>,
    pub(super) mesh: Option<usize>,
    pub(super) has_matrix: bool,
    weights: Option<usize>,
    light: Option<usize>,
}

/// A glTF skin: its joints, skeleton root and inverse bind matrices.
pub(super) struct Skin {
    inverse_bind_matrices: Option<usize>,
    skeleton: Option<usize>,
    pub(super) joints: Vec<usize>,
}

impl Node {
    /// Parses the JSON object of a node. Fails at the first property that the specification does not allow.
    pub(super) fn parse_node(reader: &ObjectReader<'_>, extensions: &ExtensionReader) -> Result<Self, InspectionError> {
        let matrix = reader.read_number_list("matrix", Some(16), NumberRange::ANY)?;
        let translation = reader.read_number_list("translation", Some(3), NumberRange::ANY)?;
        let rotation = reader.read_number_list("rotation", Some(4), NumberRange::range_between(-1.0, 1.0))?;
        let scale = reader.read_number_list("scale", Some(3), NumberRange::ANY)?;
        if rotation.as_ref().is_some_and(|rotation| !is_unit_quaternion(rotation)) {
            return Err(reader
                .location_of_property("rotation")
                .invalid_value_error("the quaternion is not of length 1"));
        }
        let (mesh, skin) = (reader.read_index_property("mesh")?, reader.read_index_property("skin")?);
        let weights = reader.read_number_list("weights", None, NumberRange::ANY)?.map(|weights| weights.len());
        if mesh.is_none() {
            for (name, is_there) in [("skin", skin.is_some()), ("weights", weights.is_some())] {
                if is_there {
                    return Err(reader.location_of_property(name).invalid_value_error("the node has no mesh for it"));
                }
            }
        }
        if let Some(matrix) = &matrix {
            if translation.is_some() || rotation.is_some() || scale.is_some() {
                return Err(reader
                    .location_of_property("matrix")
                    .invalid_value_error("the node has translation, rotation or scale as well"));
            }
            if !is_decomposable_to_trs(matrix) {
                let reason = "the matrix is not made of translation, rotation and scale";
                return Err(reader.location_of_property("matrix").invalid_value_error(reason));
            }
        }
        reader.read_text_property("name")?;
        Ok(Self {
            camera: reader.read_index_property("camera")?,
            children: reader.read_distinct_indices("children")?.unwrap_or_default(),
            light: extensions.read_object_extensions(reader, ExtensionOwner::Node)?.light,
            has_matrix: matrix.is_some(),
            skin,
            mesh,
            weights,
        })
    }

    /// Validates that the camera, skin, light and mesh that a node refers to exist, and that mesh, weights and skin fit
    /// together.
    pub(super) fn validate_node_references(
        &self,
        document: &GltfDocumentWithValidProperties,
        place: &DocumentLocation<'_>,
    ) -> Result<(), InspectionError> {
        if let Some(camera) = self.camera.filter(|camera| *camera >= document.cameras) {
            return Err(unresolved_index_error(&place.child_property_location("camera"), "camera", camera));
        }
        if let Some(skin) = self.skin.filter(|skin| *skin >= document.skins.len()) {
            return Err(unresolved_index_error(&place.child_property_location("skin"), "skin", skin));
        }
        if let Some(light) = self.light {
            let extensions = place.child_property_location("extensions");
            let place = extensions.child_property_location("KHR_lights_punctual");
            let lights = document.lights.ok_or_else(|| place.invalid_value_error("the document defines no lights"))?;
            if light >= lights {
                return Err(unresolved_index_error(&place.child_property_location("light"), "light", light));
            }
        }
        let Some(index) = self.mesh else { return Ok(()) };
        let mesh_place = place.child_property_location("mesh");
        let mesh = document.meshes.get(index).ok_or_else(|| unresolved_index_error(&mesh_place, "mesh", index))?;
        let targets = mesh.primitives.first().and_then(|primitive| primitive.targets.as_ref()).map_or(0, Vec::len);
        if let Some(weights) = self.weights.filter(|weights| *weights != targets) {
            return Err(place
                .child_property_location("weights")
                .invalid_value_error(format_args!("has {weights} weights for {targets} blendshapes")));
        }
        if self.skin.is_some() && mesh.primitives.iter().all(|primitive| primitive.joint_sets == 0) {
            return Err(place
                .child_property_location("skin")
                .invalid_value_error(format_args!("mesh {index} has no JOINTS_0 for a skin")));
        }
        Ok(())
    }
}

impl Skin {
    /// Parses the JSON object of a skin. Fails at the first property that the specification does not allow.
    pub(super) fn parse_skin(reader: &ObjectReader<'_>, extensions: &ExtensionReader) -> Result<Self, InspectionError> {
        extensions.read_object_extensions(reader, ExtensionOwner::Other)?;
        reader.read_text_property("name")?;
        Ok(Self {
            inverse_bind_matrices: reader.read_index_property("inverseBindMatrices")?,
            skeleton: reader.read_index_property("skeleton")?,
            joints: reader.require_property("joints", reader.read_distinct_indices("joints")?)?,
        })
    }

    /// Validates that joints, skeleton and matrices exist and fit together.
    pub(super) fn validate_skin_references(
        &self,
        document: &GltfDocumentWithValidProperties,
        links: &mut AccessorAndViewUses,
        tree: &NodeAncestryIndex,
        place: &DocumentLocation<'_>,
    ) -> Result<(), InspectionError> {
        let list = place.child_property_location("joints");
        let nodes = document.nodes.len();
        let mut roots = BTreeSet::new();
        for (number, joint) in self.joints.iter().enumerate() {
            if *joint >= nodes {
                return Err(unresolved_index_error(&list.list_item_location(number), "node", *joint));
            }
            roots.insert(tree.topmost_ancestor(*joint));
        }
        if roots.len() != 1 {
            return Err(list.invalid_value_error("the joints have no common root"));
        }
        if let Some(skeleton) = self.skeleton {
            let place = place.child_property_location("skeleton");
            if skeleton >= nodes {
                return Err(unresolved_index_error(&place, "node", skeleton));
            }
            if !self.joints.iter().all(|joint| tree.is_in_subtree(skeleton, *joint)) {
                return Err(place.invalid_value_error(format_args!("node {skeleton} is not above all joints")));
            }
        }
        let Some(index) = self.inverse_bind_matrices else { return Ok(()) };
        let place = place.child_property_location("inverseBindMatrices");
        let accessor =
            document.accessors.get(index).ok_or_else(|| unresolved_index_error(&place, "accessor", index))?;
        links.record_accessor_use(index, AccessorUse::InverseBindMatrices, &place)?;
        if let Some(view) = accessor.view {
            links.views.record_view_use(view, ViewUse::InverseBindMatrices, &place)?;
            if document.views.get(view).is_some_and(|view| view.stride.is_some()) {
                return Err(
                    place.invalid_value_error("a buffer view of inverse bind matrices must not have `byteStride`")
                );
            }
        }
        if !accessor.format.is_some_and(|format: ElementFormat| {
            format.has_shape_component_and_normalization(ElementShape::Mat4, ComponentType::F32, false)
        }) {
            return Err(place.invalid_value_error("inverse bind matrices must be 4×4 matrices of floats"));
        }
        let (matrices, joints) = (accessor.count, self.joints.len());
        if matrices < joints as u64 {
            return Err(place.invalid_value_error(format_args!("{matrices} inverse bind matrices for {joints} joints")));
        }
        links.data_checks.add_bind_matrix_check(index, &place);
        Ok(())
    }
}

/// Reads a scene: its nodes.
pub(super) fn read_scene(
    reader: &ObjectReader<'_>,
    extensions: &ExtensionReader,
) -> Result<Vec<usize>, InspectionError> {
    extensions.read_object_extensions(reader, ExtensionOwner::Other)?;
    reader.read_text_property("name")?;
    Ok(reader.read_distinct_indices("nodes")?.unwrap_or_default())
}

/// Validates a camera. Nothing of it is kept.
pub(super) fn validate_camera_object(
    reader: &ObjectReader<'_>,
    extensions: &ExtensionReader,
) -> Result<(), InspectionError> {
    if reader.has_property("orthographic") && reader.has_property("perspective") {
        return Err(reader.error_for_whole_object("a camera must be either orthographic or perspective"));
    }
    let kind = reader.require_property("type", reader.read_text_property("type")?)?;
    extensions.read_object_extensions(reader, ExtensionOwner::Other)?;
    reader.read_text_property("name")?;
    match kind {
        "orthographic" => {
            let read = reader.read_object_property("orthographic", |camera| {
                let [x, y] = ["xmag", "ymag"].map(|name| camera.read_number_in_range(name, NumberRange::ANY));
                let magnifications = [camera.require_property("xmag", x?)?, camera.require_property("ymag", y?)?];
                if magnifications.contains(&0.0) {
                    return Err(camera.error_for_whole_object("the magnification must not be 0"));
                }
                let far =
                    camera.require_property("zfar", camera.read_number_in_range("zfar", NumberRange::POSITIVE)?)?;
                let near = camera
                    .require_property("znear", camera.read_number_in_range("znear", NumberRange::NOT_NEGATIVE)?)?;
                validate_clipping_planes(camera, Some(far), near)?;
                extensions.read_object_extensions(camera, ExtensionOwner::Other).map(drop)
            })?;
            reader.require_property("orthographic", read)
        }
        "perspective" => {
            let read = reader.read_object_property("perspective", |camera| {
                camera.require_property("yfov", camera.read_number_in_range("yfov", NumberRange::POSITIVE)?)?;
                let far = camera.read_number_in_range("zfar", NumberRange::POSITIVE)?;
                let near =
                    camera.require_property("znear", camera.read_number_in_range("znear", NumberRange::POSITIVE)?)?;
                validate_clipping_planes(camera, far, near)?;
                camera.read_number_in_range("aspectRatio", NumberRange::POSITIVE)?;
                extensions.read_object_extensions(camera, ExtensionOwner::Other).map(drop)
            })?;
            reader.require_property("perspective", read)
        }
        _ => Ok(()),
    }
}

/// Validates that the far clipping plane, if there is one, is beyond the near one.
fn validate_clipping_planes(camera: &ObjectReader<'_>, far: Option<f64>, near: f64) -> Result<(), InspectionError> {
    match far {
        Some(far) if far <= near => {
            Err(camera.error_for_whole_object(format_args!("zfar {far} is not larger than znear {near}")))
        }
        _ => Ok(()),
    }
}

/// Preorder interval and root of every node, to decide ancestry. Has no loops.
pub(super) struct NodeAncestryIndex {
    /// First and last number of the nodes in and below each node, in the order of a walk through the tree.
    intervals: Vec<(usize, usize)>,
    roots: Vec<usize>,
}

impl NodeAncestryIndex {
    /// Builds the tree. Fails if a node has more than one parent, or if there is a loop.
    pub(super) fn build_node_ancestry_index(nodes: &[Node]) -> Result<Self, InspectionError> {
        let list = DocumentLocation::root_property_location("nodes");
        let mut parents = vec![None; nodes.len()];
        for (index, node) in nodes.iter().enumerate() {
            let node_place = list.list_item_location(index);
            let children = node_place.child_property_location("children");
            for (number, child) in node.children.iter().enumerate() {
                let place = children.list_item_location(number);
                let parent: &mut Option<usize> =
                    parents.get_mut(*child).ok_or_else(|| unresolved_index_error(&place, "node", *child))?;
                if let Some(parent) = parent.replace(index) {
                    return Err(
                        place.invalid_value_error(format_args!("node {child} is also a child of node {parent}"))
                    );
                }
            }
        }
        let mut tree = Self { intervals: vec![(0, 0); nodes.len()], roots: vec![usize::MAX; nodes.len()] };
        let mut next = 1_usize;
        for root in (0..nodes.len()).filter(|index| parents.get(*index) == Some(&None)) {
            let mut open = vec![(root, 0_usize)];
            while let Some((node, child)) = open.pop() {
                if child == 0
                    && let (Some(interval), Some(own)) = (tree.intervals.get_mut(node), tree.roots.get_mut(node))
                {
                    interval.0 = next;
                    *own = root;
                    next = next.saturating_add(1);
                }
                match nodes.get(node).and_then(|node| node.children.get(child)) {
                    Some(below) => open.extend([(node, child.saturating_add(1)), (*below, 0)]),
                    None => {
                        if let Some(interval) = tree.intervals.get_mut(node) {
                            interval.1 = next.saturating_sub(1);
                        }
                    }
                }
            }
        }
        // A node that no root leads to is in a loop or below one.
        match tree.intervals.iter().position(|interval| interval.0 == 0) {
            Some(index) => {
                Err(list.list_item_location(index).invalid_value_error("the node is in or below a loop of nodes"))
            }
            None => Ok(tree),
        }
    }

    /// The topmost node above the node, or the node itself.
    fn topmost_ancestor(&self, node: usize) -> usize {
        self.roots.get(node).copied().unwrap_or(node)
    }

    /// Whether a node is `top` or below it.
    fn is_in_subtree(&self, top: usize, node: usize) -> bool {
        let (Some(top), Some(node)) = (self.intervals.get(top), self.intervals.get(node)) else { return false };
        (top.0..=top.1).contains(&node.0)
    }

    /// Validates that scenes consist of root nodes, and that each scene with a skinned mesh has its joints.
    pub(super) fn validate_scenes(&self, document: &GltfDocumentWithValidProperties) -> Result<(), InspectionError> {
        let list = DocumentLocation::root_property_location("scenes");
        let mut scenes_of_root: HashMap<usize, BTreeSet<usize>> = HashMap::new();
        for (index, scene) in document.scenes.iter().enumerate() {
            let scene_place = list.list_item_location(index);
            let nodes = scene_place.child_property_location("nodes");
            for (number, node) in scene.iter().enumerate() {
                let place = nodes.list_item_location(number);
                if *node >= document.nodes.len() {
                    return Err(unresolved_index_error(&place, "node", *node));
                }
                if self.topmost_ancestor(*node) != *node {
                    return Err(place.invalid_value_error(format_args!("node {node} is a child of another node")));
                }
                scenes_of_root.entry(*node).or_default().insert(index);
            }
        }
        let none = BTreeSet::new();
        let mut known = HashSet::new();
        for (index, node) in document.nodes.iter().enumerate() {
            let joint = node.skin.and_then(|skin| document.skins.get(skin)?.joints.first());
            let Some(joint) = joint else { continue };
            let (root, joint_root) = (self.topmost_ancestor(index), self.topmost_ancestor(*joint));
            if !known.insert((root, joint_root)) {
                continue;
            }
            let [own, joints] = [root, joint_root].map(|root| scenes_of_root.get(&root).unwrap_or(&none));
            if !own.is_subset(joints) {
                let place = DocumentLocation::root_property_location("nodes");
                return Err(place
                    .list_item_location(index)
                    .invalid_value_error("the joints of its skin are not in its scene"));
            }
        }
        Ok(())
    }
}
