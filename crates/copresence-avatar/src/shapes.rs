//! Computes blendshapes with their `ARKit` names. Each moves a part of the face by lids, jaw, and soft pushes at
//! landmarks.

use std::collections::BTreeSet;

use glam::{Quat, Vec3, vec3};

use super::features;
use super::head::{
    HeadGridVertex, HeadMeshWithVertexOrigins, HeadVertexPart, LidDistancesFromEyeRow, vertex_position_at_lid_distances,
};
use super::maths::{lerp, smoothstep};
use super::mesh::{CoincidentVertexGroups, Mesh};
use super::sculpt::{EYE_ROW, HeadDistanceField, MOUTH_ROW};
use super::shape_table::{BLENDSHAPE_MOTIONS, BlendshapeMotion, DisplacementRegion, FaceLandmark};

/// One blendshape at full weight: the changes of the vertices that it moves.
pub(super) struct Blendshape {
    pub(super) name: String,
    /// Vertex, change of position (cm), change of normal; sorted by vertex.
    pub(super) changes: Vec<(usize, Vec3, Vec3)>,
}

/// A vertex that blendshapes can move: its properties that are the same for every blendshape.
struct DisplaceableVertex {
    origin: HeadGridVertex,
    rest_position: Vec3,
    /// 0 above the mouth, 1 below it.
    below_mouth: f32,
    /// Share of the jaw's motion that the vertex takes, 0..=1.
    jaw_share: f32,
    /// Share of a push that the vertex takes, 0..=1.
    push_share: f32,
}

/// All blendshapes of the head's mesh (not of the eyeballs). Its normals must have been computed.
pub(super) fn build_face_blendshapes(
    sculpt: &HeadDistanceField,
    head: &HeadMeshWithVertexOrigins,
    seams: &CoincidentVertexGroups,
) -> Vec<Blendshape> {
    let places: Vec<DisplaceableVertex> = head
        .vertex_origins
        .iter()
        .zip(&head.mesh.positions)
        .map(|(source, &rest)| {
            let below = below_mouth_share(sculpt, source);
            let jaw = below * jaw_motion_share_of_vertex(source, rest);
            DisplaceableVertex {
                origin: *source,
                rest_position: rest,
                below_mouth: below,
                jaw_share: jaw,
                push_share: displacement_share_of_vertex(sculpt, source),
            }
        })
        .collect();
    let sides: &[(&str, f32)] = &[("Left", 1.0), ("Right", -1.0)];
    let mut all = Vec::new();
    for motion in BLENDSHAPE_MOTIONS {
        if motion.has_sides {
            for (suffix, side) in sides {
                all.push(build_face_blendshape(
                    sculpt,
                    head,
                    seams,
                    &places,
                    motion,
                    format!("{}{suffix}", motion.name),
                    *side,
                ));
            }
        } else {
            all.push(build_face_blendshape(sculpt, head, seams, &places, motion, motion.name.to_owned(), 0.0));
        }
    }
    all
}

/// The blendshapes of both eyeballs, for one mesh that has the left one first.
pub(super) fn build_eye_blendshapes(sculpt: &HeadDistanceField, eyes: &[Mesh; 2]) -> Vec<Blendshape> {
    let mut all = Vec::new();
    let mut first = 0;
    for (eye, (side, suffix)) in eyes.iter().zip([(1.0, "Left"), (-1.0, "Right")]) {
        let middle = vec3(sculpt.eye_centre.x * side, sculpt.eye_centre.y, sculpt.eye_centre.z);
        for (name, turn) in features::eye_look_blendshape_rotations(sculpt, side) {
            let places = eye.positions.iter().zip(&eye.normals).enumerate();
            let changes =
                places.map(|(i, (&p, &n))| (first + i, turn * (p - middle) + middle - p, turn * n - n)).collect();
            all.push(Blendshape { name: format!("{name}{suffix}"), changes });
        }
        first += eye.positions.len();
    }
    all
}

/// One blendshape; `side` is 1 (left), −1 (right) or 0 (both).
fn build_face_blendshape(
    sculpt: &HeadDistanceField,
    head: &HeadMeshWithVertexOrigins,
    seams: &CoincidentVertexGroups,
    vertices: &[DisplaceableVertex],
    motion: &BlendshapeMotion,
    name: String,
    side: f32,
) -> Blendshape {
    // The centre of each push, computed once for all vertices.
    let places: Vec<Vec3> =
        motion.pushes.iter().map(|push| left_side_landmark_position(sculpt, push.landmark) + push.offset).collect();
    let mut positions = head.mesh.positions.clone();
    let mut moved = vec![false; positions.len()];
    for (i, vertex) in vertices.iter().enumerate() {
        let by = vertex_displacement_by_motion(sculpt, vertex, (motion, &places), side);
        // Changes below a hundredth of a millimetre are invisible.
        if by.length_squared() > 1e-6 {
            positions[i] += by;
            moved[i] = true;
        }
    }
    let normals = seams.compute_affected_normals(&positions, &head.mesh.triangles, &moved);
    let touched: BTreeSet<usize> = (0..moved.len()).filter(|&i| moved[i]).collect();
    let mut turn = normals.into_iter().peekable();
    let mut changes = Vec::with_capacity(touched.len());
    for i in touched {
        while turn.next_if(|(at, _)| *at < i).is_some() {}
        let normal = turn.next_if(|(at, _)| *at == i).map_or(Vec3::ZERO, |(_, n)| n - head.mesh.normals[i]);
        changes.push((i, positions[i] - head.mesh.positions[i], normal));
    }
    Blendshape { name, changes }
}

/// The change of a vertex by a motion; `places` are the centres of its pushes.
fn vertex_displacement_by_motion(
    sculpt: &HeadDistanceField,
    vertex: &DisplaceableVertex,
    (motion, places): (&BlendshapeMotion, &[Vec3]),
    side: f32,
) -> Vec3 {
    let (source, rest) = (&vertex.origin, vertex.rest_position);
    let (below, jaw, soft) = (vertex.below_mouth, vertex.jaw_share, vertex.push_share);
    let mut by = Vec3::ZERO;
    // A blendshape of one side fades out over the middle of the face.
    let own_side = if side == 0.0 { 1.0 } else { smoothstep(-1.0, 1.0, rest.x * side) };
    if own_side <= 0.0 {
        return by;
    }
    if let Some(lids) = motion.lids {
        by += displacement_by_lid_motion(sculpt, source, rest, lids, side);
    }
    if jaw > 0.0 && (motion.jaw_degrees != 0.0 || motion.jaw_shift != Vec3::ZERO) {
        let hinge = vec3(0.0, -2.4, 0.5);
        let arm = rest - hinge;
        let turned = Quat::from_rotation_x((motion.jaw_degrees * jaw).to_radians()) * arm;
        by += turned - arm + motion.jaw_shift * jaw;
    }
    if source.layer == HeadVertexPart::Tongue {
        by += features::tongue_point_displacement_per_tip_centimeter(sculpt, rest) * motion.tongue_reach;
    }
    if soft == 0.0 {
        return by;
    }
    for (push, at) in motion.pushes.iter().zip(places) {
        let gate = match push.mouth_gate {
            DisplacementRegion::WholeFace => 1.0,
            DisplacementRegion::AboveMouth => 1.0 - below,
            DisplacementRegion::BelowMouth => below,
        };
        // A landmark that is not in the middle also exists on the other side.
        let mirrored: &[f32] = if at.x.abs() < 0.01 { &[1.0] } else { &[1.0, -1.0] };
        for &hand in mirrored {
            if side * hand < 0.0 && mirrored.len() > 1 {
                continue;
            }
            let d = (rest - vec3(at.x * hand, at.y, at.z)) / push.radius;
            // Beyond this distance the weight is close to 0.
            let far = d.length_squared();
            let weight = if far < 5.6 { (-far).exp() * gate * soft * own_side } else { 0.0 };
            if weight > 0.004 {
                by += vec3(
                    push.displacement.x * if mirrored.len() > 1 { hand } else { 1.0 },
                    push.displacement.y,
                    push.displacement.z,
                ) * weight;
            }
        }
    }
    by
}

/// How far a vertex of the skin, lid or lashes near an eye moves when the lids of that eye move from rest to
/// `lids`. Zero for other vertices.
fn displacement_by_lid_motion(
    sculpt: &HeadDistanceField,
    source: &HeadGridVertex,
    rest: Vec3,
    lids: LidDistancesFromEyeRow,
    side: f32,
) -> Vec3 {
    let (middle, half) = sculpt.eye_middle_and_half_width_angles();
    let near = source.theta * side > 0.0
        && ((source.theta.abs() - middle) / half).abs() < 1.0
        && (source.row - EYE_ROW).abs() < 3.3;
    match source.layer {
        HeadVertexPart::Skin | HeadVertexPart::LidRim(_) | HeadVertexPart::Lash(_) if near => {
            vertex_position_at_lid_distances(sculpt, source, lids) - rest
        }
        _ => Vec3::ZERO,
    }
}

/// Share of a displacement of the skin that a vertex takes, by its part of the head, 0..=1.
fn displacement_share_of_vertex(sculpt: &HeadDistanceField, source: &HeadGridVertex) -> f32 {
    match source.layer {
        HeadVertexPart::Skin | HeadVertexPart::OnSkin | HeadVertexPart::LipRim(0 | 1) => {
            displacement_share_near_eye(sculpt, source)
        }
        HeadVertexPart::LipRim(2) => 0.5,
        HeadVertexPart::LidRim(_)
        | HeadVertexPart::Lash(_)
        | HeadVertexPart::LipRim(_)
        | HeadVertexPart::Teeth
        | HeadVertexPart::Tongue => 0.0,
    }
}

/// Share of a displacement that a vertex near an eye takes. It fades out towards the lids, which stay on the eyeball.
fn displacement_share_near_eye(sculpt: &HeadDistanceField, source: &HeadGridVertex) -> f32 {
    let (middle, half) = sculpt.eye_middle_and_half_width_angles();
    let s = ((source.theta.abs() - middle) / half).abs();
    let held = 1.0 - smoothstep(1.0, 1.5, s);
    match source.layer {
        HeadVertexPart::Skin => 1.0 - held * (1.0 - smoothstep(0.5, 1.9, (source.row - EYE_ROW).abs())),
        _ => 1.0,
    }
}

/// 0 above the mouth, 1 below it, with a step between the lips that disappears at the corners.
fn below_mouth_share(sculpt: &HeadDistanceField, source: &HeadGridVertex) -> f32 {
    let m = source.theta / sculpt.mouth_half_angle();
    let parted = (1.0 - m.powi(4)).max(0.0);
    match source.layer {
        HeadVertexPart::Teeth | HeadVertexPart::Tongue => return if source.edge_side < 0.0 { 1.0 } else { 0.0 },
        HeadVertexPart::LipRim(3) => return 0.5,
        HeadVertexPart::LipRim(_) => return 0.5 - 0.5 * source.edge_side * parted,
        HeadVertexPart::OnSkin | HeadVertexPart::LidRim(_) | HeadVertexPart::Lash(_) => return 0.0,
        HeadVertexPart::Skin => {}
    }
    let d = source.row - MOUTH_ROW;
    let gradual = 1.0 - smoothstep(-2.2, 2.2, d);
    // The row of the eyes is doubled too; here only the edges of the mouth's row count.
    let hand = if d.abs() < 0.01 { source.edge_side } else { d.signum() };
    lerp(gradual, 0.5 - 0.5 * hand, parted)
}

/// Share of the jaw's motion that a point takes: 0 at the hinge and on the neck.
fn jaw_motion_share_of_vertex(source: &HeadGridVertex, p: Vec3) -> f32 {
    match source.layer {
        HeadVertexPart::Skin => smoothstep(-0.8, 4.6, p.z) * smoothstep(-14.6, -11.4, source.row),
        _ => 1.0,
    }
}

/// The position of a landmark on the left side.
fn left_side_landmark_position(sculpt: &HeadDistanceField, at: FaceLandmark) -> Vec3 {
    match at {
        FaceLandmark::MouthMiddle => sculpt.mouth_centre,
        FaceLandmark::MouthCorner => sculpt.mouth_corner,
        FaceLandmark::CheekMiddle => sculpt.skin_point_at_angle_row(0.56, -3.4),
        FaceLandmark::BrowInner => sculpt.skin_point_at_angle_row(0.17, 2.0),
        FaceLandmark::BrowOuter => sculpt.skin_point_at_angle_row(0.52, 2.3),
        FaceLandmark::UnderEye => sculpt.skin_point_at_angle_row(0.45, -2.0),
        FaceLandmark::ChinTip => sculpt.skin_point_at_angle_row(0.0, -9.4),
        FaceLandmark::NoseWing => sculpt.skin_point_at_angle_row(0.13, -3.8),
    }
}
