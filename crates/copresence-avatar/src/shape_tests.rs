//! Tests that all 52 blendshapes of `ARKit` exist, and that each moves the right part of the face in the right
//! direction.

use super::*;
use glam::vec3;
use std::collections::BTreeSet;
use std::sync::LazyLock;

static AVATAR: LazyLock<Avatar> = LazyLock::new(|| Avatar::new(5, None));

/// Approximate middle and radius of a part of the face, on the character's left.
fn face_part(name: &str) -> (Vec3, f32) {
    let s = &AVATAR.sculpt;
    match name {
        "eye" => (s.eye_centre + vec3(0.0, 0.0, 1.4), 2.6),
        "under the eye" => (s.skin_point_at_angle_row(0.45, -2.0), 2.6),
        "brow" => (s.skin_point_at_angle_row(0.36, 2.2), 3.2),
        "inner brow" => (s.skin_point_at_angle_row(0.17, 2.0), 1.9),
        "cheek" => (s.skin_point_at_angle_row(0.56, -3.4), 3.0),
        "nose" => (s.skin_point_at_angle_row(0.13, -3.8), 2.2),
        "corner" => (s.mouth_corner, 2.3),
        "mouth" => (s.mouth_centre, 3.4),
        "upper lip" => (s.mouth_centre + vec3(0.0, 0.4, 0.0), 2.4),
        "lower lip" => (s.mouth_centre - vec3(0.0, 0.5, 0.0), 2.6),
        "jaw" => (vec3(0.0, -8.4, 5.2), 5.6),
        "tongue" => (s.mouth_centre + vec3(0.0, -0.6, -1.6), 1.6),
        other => panic!("no such part: {other}"),
    }
}

const UP: Vec3 = Vec3::Y;
const DOWN: Vec3 = Vec3::NEG_Y;
const FRONT: Vec3 = Vec3::Z;
const BACK: Vec3 = Vec3::NEG_Z;
/// Away from the middle of the face, on the character's left.
const OUT: Vec3 = Vec3::X;
const IN: Vec3 = Vec3::NEG_X;

/// The names in Apple's order, without the side; whether they have sides; which part moves most, and in which
/// direction.
const ARKIT: [(&str, bool, &str, Vec3); 32] = [
    ("eyeBlink", true, "eye", DOWN),
    ("eyeLookDown", true, "eye", DOWN),
    ("eyeLookIn", true, "under the eye", IN),
    ("eyeLookOut", true, "under the eye", OUT),
    ("eyeLookUp", true, "eye", UP),
    ("eyeSquint", true, "eye", UP),
    ("eyeWide", true, "eye", UP),
    ("jawForward", false, "jaw", FRONT),
    ("jawLeft", false, "jaw", OUT),
    ("jawRight", false, "jaw", IN),
    ("jawOpen", false, "jaw", DOWN),
    ("mouthClose", false, "lower lip", UP),
    ("mouthFunnel", false, "mouth", FRONT),
    ("mouthPucker", false, "mouth", FRONT),
    ("mouthLeft", false, "mouth", OUT),
    ("mouthRight", false, "mouth", IN),
    ("mouthSmile", true, "corner", UP),
    ("mouthFrown", true, "corner", DOWN),
    ("mouthDimple", true, "corner", OUT),
    ("mouthStretch", true, "corner", OUT),
    ("mouthRollLower", false, "lower lip", BACK),
    ("mouthRollUpper", false, "upper lip", BACK),
    ("mouthShrugLower", false, "lower lip", UP),
    ("mouthShrugUpper", false, "upper lip", UP),
    ("mouthPress", true, "corner", BACK),
    ("mouthLowerDown", true, "lower lip", DOWN),
    ("mouthUpperUp", true, "upper lip", UP),
    ("browDown", true, "brow", DOWN),
    ("browInnerUp", false, "inner brow", UP),
    ("browOuterUp", true, "brow", UP),
    ("cheekPuff", false, "cheek", OUT),
    ("cheekSquint", true, "cheek", UP),
];
const ARKIT_OTHERS: [(&str, bool, &str, Vec3); 2] =
    [("noseSneer", true, "nose", UP), ("tongueOut", false, "tongue", FRONT)];

/// Name, side (0: none), part and direction of each blendshape.
fn expected_blendshapes() -> impl Iterator<Item = (String, f32, &'static str, Vec3)> {
    ARKIT.iter().chain(&ARKIT_OTHERS).flat_map(|&(name, sided, part, way)| {
        let sides: &[(&str, f32)] = if sided { &[("Left", 1.0), ("Right", -1.0)] } else { &[("", 0.0)] };
        sides.iter().map(move |(suffix, side)| (format!("{name}{suffix}"), *side, part, way))
    })
}

#[test]
fn blendshape_names_are_exactly_those_of_arkit() {
    let expected: BTreeSet<String> = expected_blendshapes().map(|(name, ..)| name).collect();
    assert_eq!(expected.len(), 52);
    let named: Vec<&str> = AVATAR.face_shapes.iter().map(|shape| shape.name.as_str()).collect();
    assert_eq!(named.len(), 52, "a name occurs twice");
    assert_eq!(named.into_iter().map(str::to_owned).collect::<BTreeSet<_>>(), expected);
}

#[test]
fn blendshapes_move_their_part_in_their_direction() {
    let rest = &AVATAR.head.mesh.positions;
    let mut wrong = Vec::new();
    for (name, side, place, way) in expected_blendshapes() {
        let shape = AVATAR.face_shapes.iter().find(|shape| shape.name == name).expect("exists");
        let hand = if side < 0.0 { vec3(-1.0, 1.0, 1.0) } else { Vec3::ONE };
        let (middle, reach) = face_part(place);
        // The vertices that move most. For a blendshape without a side, both halves count.
        let most = shape.changes.iter().map(|(_, by, _)| by.length()).fold(0.0, f32::max);
        let strong: Vec<_> = shape.changes.iter().filter(|(_, by, _)| by.length() > 0.75 * most).collect();
        let near = |i: usize| {
            let p = rest[i] * hand;
            let p = if side == 0.0 { p.with_x(p.x.abs()) } else { p };
            p.distance(middle.with_x(if side == 0.0 { middle.x.abs() } else { middle.x })) < reach
        };
        let within = strong.iter().filter(|(i, ..)| near(*i)).count();
        if within * 10 < strong.len() * 8 {
            wrong.push(format!("{name}: {within} of {} at the {place}", strong.len()));
        }
        // Directions that are mirrored on the right are checked on the left half.
        let mirrored = side == 0.0 && matches!(place, "cheek");
        let whereto: Vec3 = strong
            .iter()
            .filter(|(i, ..)| near(*i) && (!mirrored || rest[*i].x > 0.0))
            .map(|(_, by, _)| *by * hand)
            .sum();
        let whereto = whereto.normalize_or_zero();
        if whereto.dot(way) < 0.45 {
            wrong.push(format!("{name} moves the {place} by {whereto}"));
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn right_blendshapes_mirror_the_left_ones() {
    for pair in AVATAR.face_shapes.chunk_by(|a, b| a.name.trim_end_matches("Left") == b.name.trim_end_matches("Right"))
    {
        let [left, right] = pair else { continue };
        let sum = |shape: &Blendshape| shape.changes.iter().map(|(_, by, _)| *by).sum::<Vec3>();
        let (l, r) = (sum(left), sum(right));
        assert!(l.distance(vec3(-r.x, r.y, r.z)) < 0.02 * l.length(), "{}: {l} and {r}", left.name);
    }
}

#[test]
fn eyeballs_turn_in_the_direction_of_their_blendshape() {
    let vertices = AVATAR.eyes[0].positions.len();
    for shape in &AVATAR.eye_shapes {
        let left = shape.name.ends_with("Left");
        assert_eq!(shape.changes[0].0, if left { 0 } else { vertices }, "{}", shape.name);
        assert_eq!(shape.changes.len(), vertices);
        // The first vertex is the middle of the pupil.
        let pupil = shape.changes[0].1;
        let way = match shape.name.trim_end_matches("Left").trim_end_matches("Right") {
            "eyeLookUp" => UP,
            "eyeLookDown" => DOWN,
            "eyeLookIn" => IN,
            _ => OUT,
        };
        let way = if left { way } else { vec3(-way.x, way.y, way.z) };
        assert!(pupil.length() > 0.4 && pupil.normalize().dot(way) > 0.9, "{}: {pupil}", shape.name);
    }
    assert_eq!(AVATAR.eye_shapes.len(), 8);
}

#[test]
fn mouth_close_brings_the_lips_of_an_open_jaw_together() {
    let gap = |weights: &[(&str, f32)]| {
        let posed = AVATAR.pose_face(weights);
        let lip = |side: f32| {
            let edge = AVATAR.head.vertex_origins.iter().zip(&posed.positions).filter(|(source, _)| {
                source.layer == HeadVertexPart::LipRim(0) && source.edge_side * side > 0.0 && source.theta.abs() < 0.03
            });
            edge.map(|(_, p)| p.y).sum::<f32>()
        };
        lip(1.0) - lip(-1.0)
    };
    let (open, closed) = (gap(&[("jawOpen", 1.0)]), gap(&[("jawOpen", 1.0), ("mouthClose", 1.0)]));
    assert!(open > 1.0 && closed.abs() < 0.25 * open, "{open} cm open, {closed} cm closed");
}
