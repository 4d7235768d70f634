//! The table of blendshapes: what each moves on the character's left side, in centimetres and degrees.

use glam::{Vec3, vec3};

use super::head::Lids;

/// A landmark of the face, at which a push acts.
#[derive(Clone, Copy)]
pub(super) enum At {
    Mouth,
    Corner,
    Cheek,
    BrowInner,
    BrowOuter,
    UnderEye,
    Chin,
    Nose,
}

/// Whether a push moves only the part above or below the mouth.
#[derive(Clone, Copy)]
pub(super) enum Gate {
    All,
    Upper,
    Lower,
}

/// A displacement with full effect at its centre, fading out over its radii.
pub(super) struct Push {
    pub(super) at: At,
    /// Offset of the centre from the landmark.
    pub(super) offset: Vec3,
    pub(super) radius: Vec3,
    pub(super) by: Vec3,
    pub(super) gate: Gate,
}

/// A row of the table: one blendshape, or a left and a right one.
pub(super) struct Motion {
    pub(super) name: &'static str,
    /// Whether there is a left and a right blendshape.
    pub(super) sided: bool,
    pub(super) lids: Option<Lids>,
    /// Degrees by which the jaw opens.
    pub(super) jaw_turn: f32,
    pub(super) jaw_shift: Vec3,
    /// Centimetres that the tip of the tongue comes out.
    pub(super) tongue: f32,
    pub(super) pushes: &'static [Push],
}

/// A push of the same radius on all axes.
const fn push(at: At, radius: f32, by: [f32; 3]) -> Push {
    Push {
        at,
        offset: Vec3::ZERO,
        radius: vec3(radius, radius, radius),
        by: vec3(by[0], by[1], by[2]),
        gate: Gate::All,
    }
}

/// A push with a width and a height, on one side of the mouth.
const fn lip(at: At, wide: f32, tall: f32, by: [f32; 3], gate: Gate) -> Push {
    Push { at, offset: Vec3::ZERO, radius: vec3(wide, tall, 2.6), by: vec3(by[0], by[1], by[2]), gate }
}

/// A left and a right blendshape.
const fn pair(name: &'static str, pushes: &'static [Push]) -> Motion {
    Motion { name, sided: true, lids: None, jaw_turn: 0.0, jaw_shift: Vec3::ZERO, tongue: 0.0, pushes }
}

/// One blendshape without a side.
const fn whole(name: &'static str, pushes: &'static [Push]) -> Motion {
    Motion { sided: false, ..pair(name, pushes) }
}

/// A left and a right blendshape that also open the lids this far.
const fn eye(name: &'static str, upper: f32, lower: f32, pushes: &'static [Push]) -> Motion {
    Motion { lids: Some(Lids { upper, lower }), ..pair(name, pushes) }
}

/// One blendshape that only moves the jaw.
const fn jaw(name: &'static str, turn: f32, shift: [f32; 3]) -> Motion {
    Motion { jaw_turn: turn, jaw_shift: vec3(shift[0], shift[1], shift[2]), ..whole(name, &[]) }
}

use At::{BrowInner, BrowOuter, Cheek, Chin, Corner, Mouth, Nose, UnderEye};
use Gate::{Lower, Upper};

/// All blendshapes of the head, in the order of the exports.
pub(super) const MOTIONS: &[Motion] = &[
    eye("eyeBlink", -0.33, 0.345, &[push(UnderEye, 1.6, [0.0, 0.08, 0.02])]),
    eye("eyeSquint", 0.6, 0.26, &[push(UnderEye, 1.7, [0.0, 0.26, 0.1])]),
    eye("eyeWide", 1.12, 0.8, &[push(BrowOuter, 2.0, [0.0, 0.15, 0.0])]),
    eye("eyeLookDown", 0.42, 0.62, &[]),
    eye("eyeLookUp", 1.04, 0.46, &[]),
    eye("eyeLookIn", 0.8, 0.7, &[push(UnderEye, 1.3, [-0.12, 0.03, 0.0])]),
    eye("eyeLookOut", 0.8, 0.7, &[push(UnderEye, 1.3, [0.12, 0.03, 0.0])]),
    jaw("jawOpen", 15.0, [0.0, 0.0, 0.0]),
    jaw("jawForward", 0.0, [0.0, 0.0, 0.7]),
    jaw("jawLeft", 0.0, [0.8, 0.0, 0.0]),
    jaw("jawRight", 0.0, [-0.8, 0.0, 0.0]),
    pair(
        "mouthSmile",
        &[
            push(Corner, 1.6, [0.72, 0.72, -0.42]),
            push(Cheek, 1.9, [0.1, 0.4, 0.3]),
            push(UnderEye, 1.5, [0.0, 0.16, 0.08]),
        ],
    ),
    pair("mouthFrown", &[push(Corner, 1.8, [0.12, -0.75, -0.1]), push(Chin, 1.6, [0.0, 0.12, 0.08])]),
    pair("mouthDimple", &[push(Corner, 1.5, [0.45, 0.12, -0.4])]),
    pair("mouthStretch", &[push(Corner, 1.9, [0.85, -0.28, -0.35])]),
    pair("mouthPress", &[push(Corner, 1.7, [0.12, 0.16, -0.22])]),
    pair("mouthUpperUp", &[lip(Mouth, 2.2, 1.5, [0.0, 0.5, 0.1], Upper), push(Nose, 1.3, [0.08, 0.16, 0.0])]),
    pair("mouthLowerDown", &[lip(Mouth, 2.2, 1.6, [0.0, -0.55, 0.0], Lower)]),
    whole(
        "mouthFunnel",
        &[
            push(Corner, 1.6, [-0.75, 0.0, 0.45]),
            lip(Mouth, 2.0, 1.3, [0.0, 0.42, 0.5], Upper),
            lip(Mouth, 2.0, 1.5, [0.0, -0.5, 0.5], Lower),
        ],
    ),
    whole("mouthPucker", &[push(Corner, 1.8, [-1.15, 0.0, 0.45]), push(Mouth, 1.8, [0.0, 0.0, 0.62])]),
    whole("mouthLeft", &[lip(Mouth, 3.0, 2.0, [0.8, 0.05, 0.0], Gate::All)]),
    whole("mouthRight", &[lip(Mouth, 3.0, 2.0, [-0.8, 0.05, 0.0], Gate::All)]),
    whole("mouthRollUpper", &[lip(Mouth, 2.4, 0.9, [0.0, -0.12, -0.5], Upper)]),
    whole("mouthRollLower", &[lip(Mouth, 2.4, 1.0, [0.0, 0.14, -0.5], Lower)]),
    whole("mouthShrugUpper", &[lip(Mouth, 2.4, 1.3, [0.0, 0.3, 0.25], Upper)]),
    whole(
        "mouthShrugLower",
        &[lip(Mouth, 2.4, 1.5, [0.0, 0.2, 0.32], Lower), push(Chin, 1.7, [0.0, 0.35, 0.12])],
    ),
    whole(
        "mouthClose",
        &[lip(Mouth, 2.3, 1.2, [0.0, -0.22, 0.0], Upper), lip(Mouth, 2.5, 1.9, [0.0, 1.72, 0.3], Lower)],
    ),
    pair(
        "browDown",
        &[push(BrowInner, 1.5, [-0.12, -0.45, 0.1]), push(BrowOuter, 1.7, [-0.05, -0.34, 0.05])],
    ),
    whole("browInnerUp", &[push(BrowInner, 1.7, [0.0, 0.8, 0.05])]),
    pair("browOuterUp", &[push(BrowOuter, 1.9, [0.05, 0.75, 0.0])]),
    whole("cheekPuff", &[push(Cheek, 2.6, [0.75, -0.25, 0.55])]),
    pair("cheekSquint", &[push(Cheek, 2.0, [0.05, 0.4, 0.28]), push(UnderEye, 1.5, [0.0, 0.22, 0.08])]),
    Motion { jaw_turn: 7.0, tongue: 2.9, ..whole("tongueOut", &[]) },
    pair("noseSneer", &[push(Nose, 1.3, [0.12, 0.36, -0.04]), lip(Mouth, 1.9, 1.2, [0.0, 0.16, 0.0], Upper)]),
];
