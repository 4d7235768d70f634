//! Computes blendshapes with their `ARKit` names. Each moves a part of the face by lids, jaw, and soft pushes at landmarks.

use std::collections::BTreeSet;

use glam::{Quat, Vec3, vec3};

use super::features;
use super::head::{Head, Layer, Lids, Source, place};
use super::maths::{mix, smoothstep};
use super::mesh::{Mesh, Seams};
use super::sculpt::{EYE_ROW, MOUTH_ROW, Sculpt};
use super::shape_table::{At, Gate, MOTIONS, Motion};

/// One blendshape at full weight: the changes of the vertices that it moves.
pub(super) struct Shape {
    pub(super) name: String,
    /// Vertex, change of position (cm), change of normal; sorted by vertex.
    pub(super) changes: Vec<(usize, Vec3, Vec3)>,
}

/// Properties of a vertex that do not depend on the blendshape.
struct Place {
    source: Source,
    rest: Vec3,
    /// 0 above the mouth, 1 below it.
    below: f32,
    /// Share of the jaw's motion that the vertex takes, 0..=1.
    jaw: f32,
    /// Share of a push that the vertex takes, 0..=1.
    soft: f32,
}

/// All blendshapes of a head, whose normals must have been computed.
pub(super) fn shapes(sculpt: &Sculpt, head: &Head, seams: &Seams) -> Vec<Shape> {
    let places: Vec<Place> = head
        .sources
        .iter()
        .zip(&head.mesh.positions)
        .map(|(source, &rest)| {
            let below = below_mouth(sculpt, source);
            let jaw = below * jaw_reach(source, rest);
            Place { source: *source, rest, below, jaw, soft: softness(sculpt, source) }
        })
        .collect();
    let sides: &[(&str, f32)] = &[("Left", 1.0), ("Right", -1.0)];
    let mut all = Vec::new();
    for motion in MOTIONS {
        if motion.sided {
            for (suffix, side) in sides {
                all.push(shape(
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
            all.push(shape(sculpt, head, seams, &places, motion, motion.name.to_owned(), 0.0));
        }
    }
    all
}

/// The blendshapes of both eyeballs, for one mesh that has the left one first.
pub(super) fn eye_shapes(sculpt: &Sculpt, eyes: &[Mesh; 2]) -> Vec<Shape> {
    let mut all = Vec::new();
    let mut first = 0;
    for (eye, (side, suffix)) in eyes.iter().zip([(1.0, "Left"), (-1.0, "Right")]) {
        let middle = vec3(sculpt.eye.x * side, sculpt.eye.y, sculpt.eye.z);
        for (name, turn) in features::looks(sculpt, side) {
            let places = eye.positions.iter().zip(&eye.normals).enumerate();
            let changes = places
                .map(|(i, (&p, &n))| (first + i, turn * (p - middle) + middle - p, turn * n - n))
                .collect();
            all.push(Shape { name: format!("{name}{suffix}"), changes });
        }
        first += eye.positions.len();
    }
    all
}

/// One blendshape; `side` is 1 (left), −1 (right) or 0 (both).
fn shape(
    sculpt: &Sculpt,
    head: &Head,
    seams: &Seams,
    vertices: &[Place],
    motion: &Motion,
    name: String,
    side: f32,
) -> Shape {
    // The centre of each push, computed once for all vertices.
    let places: Vec<Vec3> =
        motion.pushes.iter().map(|push| landmark(sculpt, push.at) + push.offset).collect();
    let mut positions = head.mesh.positions.clone();
    let mut moved = vec![false; positions.len()];
    for (i, vertex) in vertices.iter().enumerate() {
        let by = change(sculpt, vertex, (motion, &places), side);
        // Changes below a hundredth of a millimetre are invisible.
        if by.length_squared() > 1e-6 {
            positions[i] += by;
            moved[i] = true;
        }
    }
    let normals = seams.changed_normals(&positions, &head.mesh.triangles, &moved);
    let touched: BTreeSet<usize> = (0..moved.len()).filter(|&i| moved[i]).collect();
    let mut turn = normals.into_iter().peekable();
    let mut changes = Vec::with_capacity(touched.len());
    for i in touched {
        while turn.next_if(|(at, _)| *at < i).is_some() {}
        let normal = turn.next_if(|(at, _)| *at == i).map_or(Vec3::ZERO, |(_, n)| n - head.mesh.normals[i]);
        changes.push((i, positions[i] - head.mesh.positions[i], normal));
    }
    Shape { name, changes }
}

/// The change of a vertex by a motion; `places` are the centres of its pushes.
fn change(sculpt: &Sculpt, vertex: &Place, (motion, places): (&Motion, &[Vec3]), side: f32) -> Vec3 {
    let (source, rest) = (&vertex.source, vertex.rest);
    let (below, jaw, soft) = (vertex.below, vertex.jaw, vertex.soft);
    let mut by = Vec3::ZERO;
    // A blendshape of one side fades out over the middle of the face.
    let own_side = if side == 0.0 { 1.0 } else { smoothstep(-1.0, 1.0, rest.x * side) };
    if own_side <= 0.0 {
        return by;
    }
    if let Some(lids) = motion.lids {
        by += lid_change(sculpt, source, rest, lids, side);
    }
    if jaw > 0.0 && (motion.jaw_turn != 0.0 || motion.jaw_shift != Vec3::ZERO) {
        let hinge = vec3(0.0, -2.4, 0.5);
        let arm = rest - hinge;
        let turned = Quat::from_rotation_x((motion.jaw_turn * jaw).to_radians()) * arm;
        by += turned - arm + motion.jaw_shift * jaw;
    }
    if source.layer == Layer::Tongue {
        by += features::tongue_out(sculpt, rest) * motion.tongue;
    }
    if soft == 0.0 {
        return by;
    }
    for (push, at) in motion.pushes.iter().zip(places) {
        let gate = match push.gate {
            Gate::All => 1.0,
            Gate::Upper => 1.0 - below,
            Gate::Lower => below,
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
                by += vec3(push.by.x * if mirrored.len() > 1 { hand } else { 1.0 }, push.by.y, push.by.z)
                    * weight;
            }
        }
    }
    by
}

/// The change of a vertex when the lids of its eye move from rest to `lids`.
fn lid_change(sculpt: &Sculpt, source: &Source, rest: Vec3, lids: Lids, side: f32) -> Vec3 {
    let (middle, half) = sculpt.eye_angles();
    let near = source.theta * side > 0.0
        && ((source.theta.abs() - middle) / half).abs() < 1.0
        && (source.row - EYE_ROW).abs() < 3.3;
    match source.layer {
        Layer::Skin | Layer::LidRim(_) | Layer::Lash(_) if near => place(sculpt, source, lids) - rest,
        _ => Vec3::ZERO,
    }
}

/// Share of a push that a vertex takes, 0..=1.
fn softness(sculpt: &Sculpt, source: &Source) -> f32 {
    match source.layer {
        Layer::Skin | Layer::OnSkin | Layer::LipRim(0 | 1) => lid_hold(sculpt, source),
        Layer::LipRim(2) => 0.5,
        Layer::LidRim(_) | Layer::Lash(_) | Layer::LipRim(_) | Layer::Teeth | Layer::Tongue => 0.0,
    }
}

/// Share of a push near an eye. Pushes fade out towards the lids, which stay on the eyeball.
fn lid_hold(sculpt: &Sculpt, source: &Source) -> f32 {
    let (middle, half) = sculpt.eye_angles();
    let s = ((source.theta.abs() - middle) / half).abs();
    let held = 1.0 - smoothstep(1.0, 1.5, s);
    match source.layer {
        Layer::Skin => 1.0 - held * (1.0 - smoothstep(0.5, 1.9, (source.row - EYE_ROW).abs())),
        _ => 1.0,
    }
}

/// 0 above the mouth, 1 below it, with a step between the lips that disappears at the corners.
fn below_mouth(sculpt: &Sculpt, source: &Source) -> f32 {
    let m = source.theta / sculpt.mouth_half_angle();
    let parted = (1.0 - m.powi(4)).max(0.0);
    match source.layer {
        Layer::Teeth | Layer::Tongue => return if source.side < 0.0 { 1.0 } else { 0.0 },
        Layer::LipRim(3) => return 0.5,
        Layer::LipRim(_) => return 0.5 - 0.5 * source.side * parted,
        Layer::OnSkin | Layer::LidRim(_) | Layer::Lash(_) => return 0.0,
        Layer::Skin => {}
    }
    let d = source.row - MOUTH_ROW;
    let gradual = 1.0 - smoothstep(-2.2, 2.2, d);
    // The row of the eyes is doubled too; here only the edges of the mouth's row count.
    let hand = if d.abs() < 0.01 { source.side } else { d.signum() };
    mix(gradual, 0.5 - 0.5 * hand, parted)
}

/// Share of the jaw's motion that a point takes: 0 at the hinge and on the neck.
fn jaw_reach(source: &Source, p: Vec3) -> f32 {
    match source.layer {
        Layer::Skin => smoothstep(-0.8, 4.6, p.z) * smoothstep(-14.6, -11.4, source.row),
        _ => 1.0,
    }
}

/// The position of a landmark on the left side.
fn landmark(sculpt: &Sculpt, at: At) -> Vec3 {
    match at {
        At::Mouth => sculpt.mouth,
        At::Corner => sculpt.mouth_corner,
        At::Cheek => sculpt.surface(0.56, -3.4),
        At::BrowInner => sculpt.surface(0.17, 2.0),
        At::BrowOuter => sculpt.surface(0.52, 2.3),
        At::UnderEye => sculpt.surface(0.45, -2.0),
        At::Chin => sculpt.surface(0.0, -9.4),
        At::Nose => sculpt.surface(0.13, -3.8),
    }
}
