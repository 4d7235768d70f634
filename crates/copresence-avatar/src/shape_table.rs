//! The table of blendshapes: what each moves on the character's left side, in centimetres and degrees.

use glam::{Vec3, vec3};

use super::head::LidDistancesFromEyeRow;

/// A landmark of the face, at which a push acts.
#[derive(Clone, Copy)]
pub(super) enum FaceLandmark {
    MouthMiddle,
    MouthCorner,
    CheekMiddle,
    BrowInner,
    BrowOuter,
    UnderEye,
    ChinTip,
    NoseWing,
}

/// The region that a push moves: the whole face, or the part above or below the mouth.
#[derive(Clone, Copy)]
pub(super) enum DisplacementRegion {
    WholeFace,
    AboveMouth,
    BelowMouth,
}

/// A displacement with full effect at its centre, fading out over its radii.
pub(super) struct FalloffDisplacement {
    pub(super) landmark: FaceLandmark,
    /// Offset of the centre from the landmark.
    pub(super) offset: Vec3,
    pub(super) radius: Vec3,
    pub(super) displacement: Vec3,
    pub(super) mouth_gate: DisplacementRegion,
}

/// The motion of one blendshape, or of a left and a right one. A row of the table.
pub(super) struct BlendshapeMotion {
    pub(super) name: &'static str,
    /// Whether there is a left and a right blendshape.
    pub(super) has_sides: bool,
    pub(super) lids: Option<LidDistancesFromEyeRow>,
    /// Degrees by which the jaw opens.
    pub(super) jaw_degrees: f32,
    pub(super) jaw_shift: Vec3,
    /// Centimetres that the tip of the tongue comes out.
    pub(super) tongue_reach: f32,
    pub(super) pushes: &'static [FalloffDisplacement],
}

/// A push of the same radius on all axes.
const fn displacement_with_equal_radii(at: FaceLandmark, radius: f32, by: [f32; 3]) -> FalloffDisplacement {
    FalloffDisplacement {
        landmark: at,
        offset: Vec3::ZERO,
        radius: vec3(radius, radius, radius),
        displacement: vec3(by[0], by[1], by[2]),
        mouth_gate: DisplacementRegion::WholeFace,
    }
}

/// An elliptical push (separate width and height, in cm) that `gate` can limit to the region above or below the
/// mouth. Mostly used for the lips.
const fn elliptical_displacement_in_region(
    at: FaceLandmark,
    wide: f32,
    tall: f32,
    by: [f32; 3],
    gate: DisplacementRegion,
) -> FalloffDisplacement {
    FalloffDisplacement {
        landmark: at,
        offset: Vec3::ZERO,
        radius: vec3(wide, tall, 2.6),
        displacement: vec3(by[0], by[1], by[2]),
        mouth_gate: gate,
    }
}

/// Builds the motion of a blendshape that exists twice, for the left and for the right side.
const fn paired_shape_motion(name: &'static str, pushes: &'static [FalloffDisplacement]) -> BlendshapeMotion {
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

/// Builds the motion of a single blendshape, which has no left and right side.
const fn unpaired_shape_motion(name: &'static str, pushes: &'static [FalloffDisplacement]) -> BlendshapeMotion {
    BlendshapeMotion { has_sides: false, ..paired_shape_motion(name, pushes) }
}

/// A pair of blendshapes, left and right, that also move the lids to these distances (cm) from the eye row.
const fn paired_shape_motion_moving_lids(
    name: &'static str,
    upper: f32,
    lower: f32,
    pushes: &'static [FalloffDisplacement],
) -> BlendshapeMotion {
    BlendshapeMotion { lids: Some(LidDistancesFromEyeRow { upper, lower }), ..paired_shape_motion(name, pushes) }
}

/// One blendshape that only moves the jaw.
const fn jaw_only_blendshape(name: &'static str, turn: f32, shift: [f32; 3]) -> BlendshapeMotion {
    BlendshapeMotion {
        jaw_degrees: turn,
        jaw_shift: vec3(shift[0], shift[1], shift[2]),
        ..unpaired_shape_motion(name, &[])
    }
}

use DisplacementRegion::{AboveMouth, BelowMouth};
use FaceLandmark::{BrowInner, BrowOuter, CheekMiddle, ChinTip, MouthCorner, MouthMiddle, NoseWing, UnderEye};

/// All blendshapes of the head, in the order of the exports.
pub(super) const BLENDSHAPE_MOTIONS: &[BlendshapeMotion] = &[
    paired_shape_motion_moving_lids(
        "eyeBlink",
        -0.33,
        0.345,
        &[displacement_with_equal_radii(UnderEye, 1.6, [0.0, 0.08, 0.02])],
    ),
    paired_shape_motion_moving_lids(
        "eyeSquint",
        0.56,
        0.26,
        &[displacement_with_equal_radii(UnderEye, 1.7, [0.0, 0.26, 0.1])],
    ),
    paired_shape_motion_moving_lids(
        "eyeWide",
        1.12,
        0.8,
        &[displacement_with_equal_radii(BrowOuter, 2.0, [0.0, 0.15, 0.0])],
    ),
    paired_shape_motion_moving_lids("eyeLookDown", 0.36, 0.64, &[]),
    paired_shape_motion_moving_lids("eyeLookUp", 0.98, 0.46, &[]),
    paired_shape_motion_moving_lids(
        "eyeLookIn",
        0.76,
        0.64,
        &[displacement_with_equal_radii(UnderEye, 1.3, [-0.12, 0.03, 0.0])],
    ),
    paired_shape_motion_moving_lids(
        "eyeLookOut",
        0.76,
        0.64,
        &[displacement_with_equal_radii(UnderEye, 1.3, [0.12, 0.03, 0.0])],
    ),
    jaw_only_blendshape("jawOpen", 15.0, [0.0, 0.0, 0.0]),
    jaw_only_blendshape("jawForward", 0.0, [0.0, 0.0, 0.7]),
    jaw_only_blendshape("jawLeft", 0.0, [0.8, 0.0, 0.0]),
    jaw_only_blendshape("jawRight", 0.0, [-0.8, 0.0, 0.0]),
    paired_shape_motion(
        "mouthSmile",
        &[
            displacement_with_equal_radii(MouthCorner, 1.6, [0.72, 0.72, -0.42]),
            displacement_with_equal_radii(CheekMiddle, 1.9, [0.1, 0.4, 0.3]),
            displacement_with_equal_radii(UnderEye, 1.5, [0.0, 0.16, 0.08]),
        ],
    ),
    paired_shape_motion(
        "mouthFrown",
        &[
            displacement_with_equal_radii(MouthCorner, 1.8, [0.12, -0.75, -0.1]),
            displacement_with_equal_radii(ChinTip, 1.6, [0.0, 0.12, 0.08]),
        ],
    ),
    paired_shape_motion("mouthDimple", &[displacement_with_equal_radii(MouthCorner, 1.5, [0.45, 0.12, -0.4])]),
    paired_shape_motion("mouthStretch", &[displacement_with_equal_radii(MouthCorner, 1.9, [0.85, -0.28, -0.35])]),
    paired_shape_motion("mouthPress", &[displacement_with_equal_radii(MouthCorner, 1.7, [0.12, 0.16, -0.22])]),
    paired_shape_motion(
        "mouthUpperUp",
        &[
            elliptical_displacement_in_region(MouthMiddle, 2.2, 1.5, [0.0, 0.5, 0.1], AboveMouth),
            displacement_with_equal_radii(NoseWing, 1.3, [0.08, 0.16, 0.0]),
        ],
    ),
    paired_shape_motion(
        "mouthLowerDown",
        &[elliptical_displacement_in_region(MouthMiddle, 2.2, 1.6, [0.0, -0.55, 0.0], BelowMouth)],
    ),
    unpaired_shape_motion(
        "mouthFunnel",
        &[
            displacement_with_equal_radii(MouthCorner, 1.6, [-0.75, 0.0, 0.45]),
            elliptical_displacement_in_region(MouthMiddle, 2.0, 1.3, [0.0, 0.42, 0.5], AboveMouth),
            elliptical_displacement_in_region(MouthMiddle, 2.0, 1.5, [0.0, -0.5, 0.5], BelowMouth),
        ],
    ),
    unpaired_shape_motion(
        "mouthPucker",
        &[
            displacement_with_equal_radii(MouthCorner, 1.8, [-1.15, 0.0, 0.45]),
            displacement_with_equal_radii(MouthMiddle, 1.8, [0.0, 0.0, 0.62]),
        ],
    ),
    unpaired_shape_motion(
        "mouthLeft",
        &[elliptical_displacement_in_region(MouthMiddle, 3.0, 2.0, [0.8, 0.05, 0.0], DisplacementRegion::WholeFace)],
    ),
    unpaired_shape_motion(
        "mouthRight",
        &[elliptical_displacement_in_region(MouthMiddle, 3.0, 2.0, [-0.8, 0.05, 0.0], DisplacementRegion::WholeFace)],
    ),
    unpaired_shape_motion(
        "mouthRollUpper",
        &[elliptical_displacement_in_region(MouthMiddle, 2.4, 0.9, [0.0, -0.12, -0.5], AboveMouth)],
    ),
    unpaired_shape_motion(
        "mouthRollLower",
        &[elliptical_displacement_in_region(MouthMiddle, 2.4, 1.0, [0.0, 0.14, -0.5], BelowMouth)],
    ),
    unpaired_shape_motion(
        "mouthShrugUpper",
        &[elliptical_displacement_in_region(MouthMiddle, 2.4, 1.3, [0.0, 0.3, 0.25], AboveMouth)],
    ),
    unpaired_shape_motion(
        "mouthShrugLower",
        &[
            elliptical_displacement_in_region(MouthMiddle, 2.4, 1.5, [0.0, 0.2, 0.32], BelowMouth),
            displacement_with_equal_radii(ChinTip, 1.7, [0.0, 0.35, 0.12]),
        ],
    ),
    unpaired_shape_motion(
        "mouthClose",
        &[
            elliptical_displacement_in_region(MouthMiddle, 2.3, 1.2, [0.0, -0.22, 0.0], AboveMouth),
            elliptical_displacement_in_region(MouthMiddle, 2.5, 1.9, [0.0, 1.72, 0.3], BelowMouth),
        ],
    ),
    paired_shape_motion(
        "browDown",
        &[
            displacement_with_equal_radii(BrowInner, 1.5, [-0.12, -0.45, 0.1]),
            displacement_with_equal_radii(BrowOuter, 1.7, [-0.05, -0.34, 0.05]),
        ],
    ),
    unpaired_shape_motion("browInnerUp", &[displacement_with_equal_radii(BrowInner, 1.7, [0.0, 0.8, 0.05])]),
    paired_shape_motion("browOuterUp", &[displacement_with_equal_radii(BrowOuter, 1.9, [0.05, 0.75, 0.0])]),
    unpaired_shape_motion("cheekPuff", &[displacement_with_equal_radii(CheekMiddle, 2.6, [0.75, -0.25, 0.55])]),
    paired_shape_motion(
        "cheekSquint",
        &[
            displacement_with_equal_radii(CheekMiddle, 2.0, [0.05, 0.4, 0.28]),
            displacement_with_equal_radii(UnderEye, 1.5, [0.0, 0.22, 0.08]),
        ],
    ),
    BlendshapeMotion { jaw_degrees: 7.0, tongue_reach: 2.9, ..unpaired_shape_motion("tongueOut", &[]) },
    paired_shape_motion(
        "noseSneer",
        &[
            displacement_with_equal_radii(NoseWing, 1.3, [0.12, 0.36, -0.04]),
            elliptical_displacement_in_region(MouthMiddle, 1.9, 1.2, [0.0, 0.16, 0.0], AboveMouth),
        ],
    ),
];
