//! The skeleton (chest, neck, head and both eyes), and the joint weights of vertices.

use glam::{Vec3, vec3};

use super::maths::smoothstep;
use super::sculpt::HeadDistanceField;

/// A joint: its name, the index of its parent in [`build_joints`], and its position (cm).
pub(super) struct Joint {
    pub(super) name: &'static str,
    pub(super) parent: Option<usize>,
    pub(super) position: Vec3,
}

const CHEST_JOINT: u8 = 0;
const NECK_JOINT: u8 = 1;
const HEAD_JOINT: u8 = 2;
/// The joint of the left eye; that of the right eye is the next.
const LEFT_EYE_JOINT: u8 = 3;

/// All joints, parents first.
pub(super) fn build_joints(sculpt: &HeadDistanceField) -> Vec<Joint> {
    let eye = sculpt.eye_centre;
    vec![
        Joint { name: "chest", parent: None, position: vec3(0.0, -17.0, -3.2) },
        Joint { name: "neck", parent: Some(0), position: vec3(0.0, -13.2, -2.9) },
        Joint { name: "head", parent: Some(1), position: vec3(0.0, -7.0, -2.0) },
        Joint { name: "leftEye", parent: Some(2), position: eye },
        Joint { name: "rightEye", parent: Some(2), position: vec3(-eye.x, eye.y, eye.z) },
    ]
}

/// Up to four joints of a vertex and their weights, which sum up to 255. Unused entries are 0.
pub(super) type JointWeights = ([u8; 4], [u8; 4]);

/// The joint weights (head, neck, chest) of a point of the head's skin or of the hair.
pub(super) fn head_joint_weights(p: Vec3) -> JointWeights {
    let head = smoothstep(-12.8, -8.6, p.y + 0.25 * (p.z + 2.0).min(0.0));
    let chest = smoothstep(-13.4, -15.8, p.y);
    let head = (head * (1.0 - chest) * 255.0).round() as u8;
    let chest = (chest * 255.0).round() as u8;
    let parts = [(HEAD_JOINT, head), (NECK_JOINT, 255 - head - chest), (CHEST_JOINT, chest)];
    let mut hold: JointWeights = ([0; 4], [0; 4]);
    // The Khronos validator requires joint 0 where the weight is 0.
    for (slot, (joint, weight)) in parts.into_iter().filter(|(_, weight)| *weight > 0).enumerate() {
        hold.0[slot] = joint;
        hold.1[slot] = weight;
    }
    hold
}

/// The joint weights of an eyeball: 0 for the left, 1 for the right.
pub(super) fn eye_joint_weights(eye: u8) -> JointWeights {
    ([LEFT_EYE_JOINT + eye, 0, 0, 0], [255, 0, 0, 0])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_sum_to_one_everywhere_and_unused_joints_are_zero() {
        for y in -240..160 {
            let (joints, weights) = head_joint_weights(vec3(0.0, y as f32 * 0.1, 3.0));
            assert_eq!(weights.iter().map(|w| u32::from(*w)).sum::<u32>(), 255, "at {y} mm");
            assert!(joints.iter().zip(weights).all(|(j, w)| w > 0 || *j == 0));
        }
        assert_eq!(head_joint_weights(Vec3::ZERO).0[0], HEAD_JOINT);
        assert_eq!(head_joint_weights(vec3(0.0, -21.0, 0.0)).0[0], CHEST_JOINT);
    }
}
