//! The table of blendshapes: what each moves on the character's left side, in centimetres and degrees.

use glam::{Vec3, vec3};

use super::head::LidOpening;

/// A landmark of the face, at which a push acts.
#[derive(Clone, Copy)]
pub(super) enum Landmark {
    MouthMiddle,
    MouthCorner,
    CheekMiddle,
    BrowInner,
    BrowOuter,
    UnderEye,
    ChinTip,
    NoseWing,
}

/// Whether a push moves only the part above or below the mouth.
#[derive(Clone, Copy)]
pub(super) enum MouthGate {
    WholeFace,
    AboveMouth,
    BelowMouth,
}

/// A displacement with full effect at its centre, fading out over its radii.
pub(super) struct Push {
    pub(super) landmark: Landmark,
    /// Offset of the centre from the landmark.
    pub(super) offset: Vec3,
    pub(super) radius: Vec3,
    pub(super) displacement: Vec3,
    pub(super) mouth_gate: MouthGate,
}

/// A row of the table: one blendshape, or a left and a right one.
pub(super) struct BlendshapeMotion {
    pub(super) name: &'static str,
    /// Whether there is a left and a right blendshape.
    pub(super) has_sides: bool,
    pub(super) lids: Option<LidOpening>,
    /// Degrees by which the jaw opens.
    pub(super) jaw_degrees: f32,
    pub(super) jaw_shift: Vec3,
    /// Centimetres that the tip of the tongue comes out.
    pub(super) tongue_reach: f32,
    pub(super) pushes: &'static [Push],
}

/// A push of the same radius on all axes.
const fn round_push(at: Landmark, radius: f32, by: [f32; 3]) -> Push {
    Push {
        landmark: at,
        offset: Vec3::ZERO,
        radius: vec3(radius, radius, radius),
        displacement: vec3(by[0], by[1], by[2]),
        mouth_gate: MouthGate::WholeFace,
    }
}

/// A push with a width and a height, on one side of the mouth.
const fn lip_push(at: Landmark, wide: f32, tall: f32, by: [f32; 3], gate: MouthGate) -> Push {
    Push {
        landmark: at,
        offset: Vec3::ZERO,
        radius: vec3(wide, tall, 2.6),
        displacement: vec3(by[0], by[1], by[2]),
        mouth_gate: gate,
    }
}

/// A left and a right blendshape.
const fn sided_motion(name: &'static str, pushes: &'static [Push]) -> BlendshapeMotion {
    BlendshapeMotion {
        name,
        has_sides: true,
        lids: None,
        jaw_degrees: 0.0,
        jaw_shift: Vec3::ZERO,
        tongue_reach: 0.0,
        pushes,
    }
}

/// One blendshape without a side.
const fn unsided_motion(name: &'static str, pushes: &'static [Push]) -> BlendshapeMotion {
    BlendshapeMotion { has_sides: false, ..sided_motion(name, pushes) }
}

/// A left and a right blendshape that also open the lids this far.
const fn eyelid_motion(
    name: &'static str,
    upper: f32,
    lower: f32,
    pushes: &'static [Push],
) -> BlendshapeMotion {
    BlendshapeMotion { lids: Some(LidOpening { upper, lower }), ..sided_motion(name, pushes) }
}

/// One blendshape that only moves the jaw.
const fn jaw_motion(name: &'static str, turn: f32, shift: [f32; 3]) -> BlendshapeMotion {
    BlendshapeMotion {
        jaw_degrees: turn,
        jaw_shift: vec3(shift[0], shift[1], shift[2]),
        ..unsided_motion(name, &[])
    }
}

use Landmark::{BrowInner, BrowOuter, CheekMiddle, ChinTip, MouthCorner, MouthMiddle, NoseWing, UnderEye};
use MouthGate::{AboveMouth, BelowMouth};

/// All blendshapes of the head, in the order of the exports.
pub(super) const BLENDSHAPE_MOTIONS: &[BlendshapeMotion] = &[
    eyelid_motion("eyeBlink", -0.33, 0.345, &[round_push(UnderEye, 1.6, [0.0, 0.08, 0.02])]),
    eyelid_motion("eyeSquint", 0.6, 0.26, &[round_push(UnderEye, 1.7, [0.0, 0.26, 0.1])]),
    eyelid_motion("eyeWide", 1.12, 0.8, &[round_push(BrowOuter, 2.0, [0.0, 0.15, 0.0])]),
    eyelid_motion("eyeLookDown", 0.42, 0.62, &[]),
    eyelid_motion("eyeLookUp", 1.04, 0.46, &[]),
    eyelid_motion("eyeLookIn", 0.8, 0.7, &[round_push(UnderEye, 1.3, [-0.12, 0.03, 0.0])]),
    eyelid_motion("eyeLookOut", 0.8, 0.7, &[round_push(UnderEye, 1.3, [0.12, 0.03, 0.0])]),
    jaw_motion("jawOpen", 15.0, [0.0, 0.0, 0.0]),
    jaw_motion("jawForward", 0.0, [0.0, 0.0, 0.7]),
    jaw_motion("jawLeft", 0.0, [0.8, 0.0, 0.0]),
    jaw_motion("jawRight", 0.0, [-0.8, 0.0, 0.0]),
    sided_motion(
        "mouthSmile",
        &[
            round_push(MouthCorner, 1.6, [0.72, 0.72, -0.42]),
            round_push(CheekMiddle, 1.9, [0.1, 0.4, 0.3]),
            round_push(UnderEye, 1.5, [0.0, 0.16, 0.08]),
        ],
    ),
    sided_motion(
        "mouthFrown",
        &[round_push(MouthCorner, 1.8, [0.12, -0.75, -0.1]), round_push(ChinTip, 1.6, [0.0, 0.12, 0.08])],
    ),
    sided_motion("mouthDimple", &[round_push(MouthCorner, 1.5, [0.45, 0.12, -0.4])]),
    sided_motion("mouthStretch", &[round_push(MouthCorner, 1.9, [0.85, -0.28, -0.35])]),
    sided_motion("mouthPress", &[round_push(MouthCorner, 1.7, [0.12, 0.16, -0.22])]),
    sided_motion(
        "mouthUpperUp",
        &[
            lip_push(MouthMiddle, 2.2, 1.5, [0.0, 0.5, 0.1], AboveMouth),
            round_push(NoseWing, 1.3, [0.08, 0.16, 0.0]),
        ],
    ),
    sided_motion("mouthLowerDown", &[lip_push(MouthMiddle, 2.2, 1.6, [0.0, -0.55, 0.0], BelowMouth)]),
    unsided_motion(
        "mouthFunnel",
        &[
            round_push(MouthCorner, 1.6, [-0.75, 0.0, 0.45]),
            lip_push(MouthMiddle, 2.0, 1.3, [0.0, 0.42, 0.5], AboveMouth),
            lip_push(MouthMiddle, 2.0, 1.5, [0.0, -0.5, 0.5], BelowMouth),
        ],
    ),
    unsided_motion(
        "mouthPucker",
        &[round_push(MouthCorner, 1.8, [-1.15, 0.0, 0.45]), round_push(MouthMiddle, 1.8, [0.0, 0.0, 0.62])],
    ),
    unsided_motion("mouthLeft", &[lip_push(MouthMiddle, 3.0, 2.0, [0.8, 0.05, 0.0], MouthGate::WholeFace)]),
    unsided_motion("mouthRight", &[lip_push(MouthMiddle, 3.0, 2.0, [-0.8, 0.05, 0.0], MouthGate::WholeFace)]),
    unsided_motion("mouthRollUpper", &[lip_push(MouthMiddle, 2.4, 0.9, [0.0, -0.12, -0.5], AboveMouth)]),
    unsided_motion("mouthRollLower", &[lip_push(MouthMiddle, 2.4, 1.0, [0.0, 0.14, -0.5], BelowMouth)]),
    unsided_motion("mouthShrugUpper", &[lip_push(MouthMiddle, 2.4, 1.3, [0.0, 0.3, 0.25], AboveMouth)]),
    unsided_motion(
        "mouthShrugLower",
        &[
            lip_push(MouthMiddle, 2.4, 1.5, [0.0, 0.2, 0.32], BelowMouth),
            round_push(ChinTip, 1.7, [0.0, 0.35, 0.12]),
        ],
    ),
    unsided_motion(
        "mouthClose",
        &[
            lip_push(MouthMiddle, 2.3, 1.2, [0.0, -0.22, 0.0], AboveMouth),
            lip_push(MouthMiddle, 2.5, 1.9, [0.0, 1.72, 0.3], BelowMouth),
        ],
    ),
    sided_motion(
        "browDown",
        &[round_push(BrowInner, 1.5, [-0.12, -0.45, 0.1]), round_push(BrowOuter, 1.7, [-0.05, -0.34, 0.05])],
    ),
    unsided_motion("browInnerUp", &[round_push(BrowInner, 1.7, [0.0, 0.8, 0.05])]),
    sided_motion("browOuterUp", &[round_push(BrowOuter, 1.9, [0.05, 0.75, 0.0])]),
    unsided_motion("cheekPuff", &[round_push(CheekMiddle, 2.6, [0.75, -0.25, 0.55])]),
    sided_motion(
        "cheekSquint",
        &[round_push(CheekMiddle, 2.0, [0.05, 0.4, 0.28]), round_push(UnderEye, 1.5, [0.0, 0.22, 0.08])],
    ),
    BlendshapeMotion { jaw_degrees: 7.0, tongue_reach: 2.9, ..unsided_motion("tongueOut", &[]) },
    sided_motion(
        "noseSneer",
        &[
            round_push(NoseWing, 1.3, [0.12, 0.36, -0.04]),
            lip_push(MouthMiddle, 1.9, 1.2, [0.0, 0.16, 0.0], AboveMouth),
        ],
    ),
];
