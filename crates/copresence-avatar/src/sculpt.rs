//! A signed distance field of head, neck and shoulders, in centimetres. The face points to +Z, Y is up, the eyes are at
//! Y = 0, and the field is symmetric in X.

use glam::{Vec3, vec3};

use super::character::HeadTraits;
use super::maths::{
    ellipsoid_distance, interpolate_spline, lerp, smooth_subtract, smooth_union, smoothstep, tapered_capsule_distance,
};

/// The distance field of one character's head.
pub(super) struct HeadDistanceField {
    pub(super) character: HeadTraits,
    /// Centre of the left eyeball (positive X); the right eyeball mirrors it.
    pub(super) eye_centre: Vec3,
    /// Radius of an eyeball.
    pub(super) eye_radius: f32,
    /// Middle of the mouth, on the surface.
    pub(super) mouth_centre: Vec3,
    /// Left corner of the mouth, on the surface.
    pub(super) mouth_corner: Vec3,
}

/// Height (cm) of the doubled row of the lids.
pub(super) const EYE_ROW: f32 = 0.0;
/// Height (cm) of the doubled row of the lips.
pub(super) const MOUTH_ROW: f32 = -6.5;
/// Height (cm) of the lowest row: the waist, which is below the picture when the head is shown large.
pub(super) const LOWEST_ROW: f32 = -58.0;
/// Height (cm) of the highest row: the crown, where all columns meet.
pub(super) const HIGHEST_ROW: f32 = 13.5;

/// For a row, the height of the point on the spine from which its rays start.
const SPINE_HEIGHT: [(f32, f32); 16] = [
    (LOWEST_ROW, -58.0),
    (-42.0, -43.0),
    (-28.0, -31.5),
    (-23.0, -26.0),
    (-19.0, -20.6),
    (-17.0, -17.6),
    (-15.5, -13.6),
    (-14.0, -10.0),
    (-12.5, -6.6),
    (-11.0, -5.6),
    (-9.0, -4.9),
    (MOUTH_ROW, -3.5),
    (-3.5, -1.3),
    (EYE_ROW, 0.0),
    (5.0, 2.4),
    (HIGHEST_ROW, 2.6),
];
/// For a row, the Z of the point on the spine from which its rays start.
const SPINE_DEPTH: [(f32, f32); 6] =
    [(LOWEST_ROW, -2.0), (-18.0, -2.2), (-14.0, -1.4), (-10.0, -0.4), (EYE_ROW, 0.0), (HIGHEST_ROW, -0.6)];
/// For a row, the elevation of its rays in degrees.
const RAY_ELEVATION: [(f32, f32); 16] = [
    (LOWEST_ROW, 0.0),
    (-42.0, 4.0),
    (-28.0, 12.0),
    (-23.0, 16.0),
    (-19.0, 14.0),
    (-17.0, 4.0),
    (-15.5, -18.0),
    (-14.0, -36.0),
    (-12.5, -48.0),
    (-11.0, -39.0),
    (-9.0, -26.0),
    (MOUTH_ROW, -19.0),
    (-3.5, -13.0),
    (EYE_ROW, 0.0),
    (5.0, 17.0),
    (HIGHEST_ROW, 90.0),
];

impl HeadDistanceField {
    pub(super) fn new(who: HeadTraits) -> Self {
        let eye_radius = 1.7 * who.eye_size;
        let mut it = Self {
            eye_centre: vec3(3.25 * lerp(1.0, who.head_width, 0.5), 0.0, 5.72),
            eye_radius,
            mouth_centre: Vec3::ZERO,
            mouth_corner: Vec3::ZERO,
            character: who,
        };
        it.mouth_centre = it.skin_point_at_angle_row(0.0, MOUTH_ROW);
        it.mouth_corner = it.skin_point_at_angle_row(it.mouth_half_angle(), MOUTH_ROW);
        it
    }

    /// Half of the mouth's width as an angle seen from the spine, in radians.
    pub(super) fn mouth_half_angle(&self) -> f32 {
        0.3 * self.character.mouth_width
    }

    /// Middle and half of the width of an eye, as angles seen from the spine, in radians.
    pub(super) fn eye_middle_and_half_width_angles(&self) -> (f32, f32) {
        let front = self.eye_centre.z + self.eye_radius * 0.85;
        (self.eye_centre.x.atan2(front) + 0.012, 0.226 * self.character.eye_size)
    }

    /// The point of the skin at an angle around the spine (0 is the face, positive is the character's left) and a row.
    pub(super) fn skin_point_at_angle_row(&self, theta: f32, row: f32) -> Vec3 {
        let from = vec3(0.0, interpolate_spline(&SPINE_HEIGHT, row), interpolate_spline(&SPINE_DEPTH, row));
        let elevation = interpolate_spline(&RAY_ELEVATION, row).min(90.0).to_radians();
        let along = vec3(theta.sin() * elevation.cos(), elevation.sin(), theta.cos() * elevation.cos());
        let mut p = from + along * self.ray_exit_distance(from, along, 4.0);
        p.y = height_on_shortened_neck(p.y);
        p
    }

    /// Distance that a ray from inside goes before it leaves the head; the search begins at `start`.
    pub(super) fn ray_exit_distance(&self, from: Vec3, along: Vec3, start: f32) -> f32 {
        let mut reach = start;
        let mut gap = self.distance_to_unshortened_head(from + along * reach);
        let mut step = -gap * 0.9;
        for _ in 0..24 {
            reach += step;
            let next = self.distance_to_unshortened_head(from + along * reach);
            if next.abs() < 0.002 {
                break;
            }
            // The rate at which the distance changes along this ray, which may meet the skin at a flat angle.
            let slope = if step.abs() > 1e-5 { (next - gap) / step } else { 1.0 };
            gap = next;
            step = -gap / slope.clamp(0.4, 1.15);
        }
        reach
    }

    /// How open the surroundings of a skin point are, from 0 (enclosed) to 1.
    pub(super) fn ambient_visibility(&self, p: Vec3, normal: Vec3) -> f32 {
        let mut hidden = 0.0;
        for (step, weight) in [(0.4, 0.55), (1.0, 0.32), (2.2, 0.17)] {
            hidden += weight * (step - self.signed_distance_to_skin(p + normal * step)).max(0.0) / step;
        }
        (1.0 - hidden).clamp(0.0, 1.0)
    }

    /// Signed distance to the skin; negative inside.
    pub(super) fn signed_distance_to_skin(&self, p: Vec3) -> f32 {
        self.distance_to_unshortened_head(p.with_y(height_on_unshortened_neck(p.y)))
    }

    /// Signed distance to the skin of the head with its full-length neck; negative inside.
    fn distance_to_unshortened_head(&self, point: Vec3) -> f32 {
        let who = &self.character;
        // Rounded in the middle, where mirrored parts would meet in a crease.
        let p = vec3((point.x * point.x + 0.06).sqrt(), point.y, point.z);
        let mut d = ellipsoid_distance(p - vec3(0.0, 3.3, -1.0), vec3(7.45 * who.head_width, 8.5, 9.1));
        d = smooth_union(
            d,
            ellipsoid_distance(p - vec3(0.0, -3.0, 2.3), vec3(5.3 * who.head_width * who.jaw_width, 7.6, 5.9)),
            3.2,
        );
        // Parts too far from the point are skipped: this function takes most of the time.
        if p.y < 0.0 {
            let chin = 1.55 * who.chin_size;
            d = smooth_union(
                d,
                tapered_capsule_distance(p, vec3(3.75 * who.jaw_width, -4.9, 0.5), vec3(0.8, -9.0, 6.2), 1.85, chin),
                2.8,
            );
        }
        if p.y < 1.5 {
            d = smooth_union(d, self.neck_and_shoulders_distance(p), 1.6);
        }
        if p.z > 1.5 && p.y > -13.5 && p.y < 6.0 {
            d = self.distance_with_face_features(p, d);
        }
        d
    }

    /// Signed distance to neck and shoulders.
    fn neck_and_shoulders_distance(&self, p: Vec3) -> f32 {
        let q = vec3(p.x, p.y, p.z * 1.04);
        let column = tapered_capsule_distance(
            q,
            vec3(0.0, -5.0, -1.7),
            vec3(0.0, -19.0, -3.2),
            4.3 * self.character.neck_width,
            4.5 * self.character.neck_width,
        );
        if p.y > -11.0 {
            return column;
        }
        let broad = self.character.shoulder_width;
        let trapezius = tapered_capsule_distance(p, vec3(2.2, -15.6, -3.6), vec3(12.4 * broad, -23.4, -3.2), 2.5, 3.0);
        let arm = tapered_capsule_distance(
            p,
            vec3(13.4 * broad, -25.0, -3.0),
            vec3(15.2 * broad, LOWEST_ROW - 6.0, -2.0),
            4.3,
            3.7,
        );
        let chest = ellipsoid_distance(p - vec3(0.0, -36.0, -2.7), vec3(13.0 * broad, 17.0, 9.4));
        let waist = ellipsoid_distance(p - vec3(0.0, -58.0, -2.7), vec3(11.4 * broad, 24.0, 8.8));
        let body = smooth_union(smooth_union(chest, waist, 4.0), smooth_union(trapezius, arm, 4.0), 4.5);
        smooth_union(column, body, 3.0)
    }

    /// The distance `d` joined with all features of the face.
    fn distance_with_face_features(&self, p: Vec3, mut d: f32) -> f32 {
        let who = &self.character;
        d = smooth_union(d, ellipsoid_distance(p - vec3(0.0, -9.3, 6.5), vec3(1.75, 1.45, 1.65) * who.chin_size), 1.9);
        d = smooth_union(
            d,
            ellipsoid_distance(p - vec3(3.75, -2.7, 4.7), vec3(2.1, 1.9, 2.0) * lerp(1.0, who.cheek_size, 0.6)),
            3.0,
        );
        // The cheek between cheekbone and jaw.
        d = smooth_union(d, ellipsoid_distance(p - vec3(2.9, -4.9, 4.6), vec3(1.9, 2.1, 1.9)), 2.2);
        if p.y > -4.5 {
            d = self.distance_with_brow_and_eyes(p, d);
        }
        if p.y < -2.0 {
            d = self.distance_with_mouth_region(p, d);
        }
        if p.x < 3.2 && p.y > -7.0 && p.y < 3.5 { self.distance_with_nose(p, d) } else { d }
    }

    /// The distance `d` joined with the brow and the lids over the eyeballs, less the eye sockets.
    fn distance_with_brow_and_eyes(&self, p: Vec3, mut d: f32) -> f32 {
        d = smooth_union(d, tapered_capsule_distance(p, vec3(0.2, 1.9, 6.9), vec3(4.9, 1.7, 4.8), 0.95, 0.85), 2.2);
        d = smooth_subtract(
            d,
            ellipsoid_distance(p - vec3(self.eye_centre.x - 0.1, -0.1, 8.6), vec3(2.35, 1.6, 1.45)),
            1.6,
        );
        smooth_union(d, (p - self.eye_centre).length() - self.eye_radius - 0.15, 0.5)
    }

    /// The distance to the skin with the mouth region added: the lips, the line between them, the groove above and
    /// the dimples.
    fn distance_with_mouth_region(&self, p: Vec3, mut d: f32) -> f32 {
        let who = &self.character;
        d = smooth_union(d, ellipsoid_distance(p - vec3(0.0, -6.4, 6.3), vec3(3.0, 2.3, 2.1)), 1.3);
        let lips = who.lip_fullness;
        let corner = 2.5 * who.mouth_width;
        let upper = smooth_union(
            tapered_capsule_distance(p, vec3(0.35, -6.12, 8.38), vec3(corner, -6.3, 7.35), 0.42 * lips, 0.16),
            (p - vec3(0.0, -6.22, 8.42)).length() - 0.4 * lips,
            0.3,
        );
        let lower =
            tapered_capsule_distance(p, vec3(0.0, -7.05, 8.2), vec3(corner * 0.8, -6.65, 7.4), 0.54 * lips, 0.2);
        d = smooth_union(d, upper, 0.4);
        d = smooth_union(d, lower, 0.4);
        let seam = tapered_capsule_distance(p, vec3(0.0, -6.56, 9.0), vec3(corner * 1.02, -6.35, 7.75), 0.14, 0.1);
        d = smooth_subtract(d, seam, 0.3);
        // Groove above the lip.
        d = smooth_subtract(
            d,
            tapered_capsule_distance(p, vec3(0.0, -5.5, 9.05), vec3(0.0, -4.7, 9.1), 0.3, 0.25),
            0.4,
        );
        // Dimples beside the corners.
        smooth_subtract(d, (p - vec3(corner + 0.5, -6.3, 7.9)).length() - 0.25, 0.9)
    }

    /// The distance `d` joined with bridge, tip and wings.
    fn distance_with_nose(&self, p: Vec3, mut d: f32) -> f32 {
        let who = &self.character;
        let (n, lift) = (who.nose_size, who.nose_lift);
        let tip = vec3(0.0, -3.25 + lift, 8.85 + 0.45 * n);
        d = smooth_union(
            d,
            tapered_capsule_distance(p, vec3(0.0, 0.9, 6.9), tip - vec3(0.0, -0.25, 0.45), 0.62, 0.66 * n),
            1.5,
        );
        d = smooth_union(d, (p - tip).length() - 0.84 * n, 1.1);
        let wing = vec3(0.95 * n, -3.7 + lift * 0.6, 7.75);
        d = smooth_union(d, ellipsoid_distance(p - wing, vec3(0.62, 0.6, 1.2) * n), 1.0);
        // Broad at its base, so that no ray from the spine passes its side.
        let base = vec3(0.0, -3.3 + lift * 0.8, 7.7);
        smooth_union(d, ellipsoid_distance(p - base, vec3(1.5 * n, 1.0, 1.5)), 0.9)
    }

    /// Centre of the left nostril, which is painted: its inside is hidden from the rays that model the skin.
    pub(super) fn left_nostril_centre(&self) -> Vec3 {
        let (n, lift) = (self.character.nose_size, self.character.nose_lift);
        vec3(0.5 * n, -4.22 + lift * 0.7, 8.75)
    }
}

/// Centimetres by which the neck is shortened after it was modelled. On the longer neck, rays meet the skin at steeper
/// angles.
const NECK_SHORTENING: f32 = 3.2;
/// Height of the top of the shortened part, on the long neck.
const NECK_TOP: f32 = -10.3;
/// Height of the bottom of the shortened part, on the long neck.
const NECK_BOTTOM: f32 = -18.0;

/// The height after shortening of a height on the long neck.
fn height_on_shortened_neck(y: f32) -> f32 {
    y + NECK_SHORTENING * smoothstep(NECK_TOP, NECK_BOTTOM, y)
}

/// The inverse of [`height_on_shortened_neck`].
fn height_on_unshortened_neck(y: f32) -> f32 {
    if y >= NECK_TOP {
        return y;
    }
    let mut long = y - NECK_SHORTENING * smoothstep(NECK_TOP, NECK_BOTTOM + NECK_SHORTENING, y);
    for _ in 0..3 {
        let slope = (height_on_shortened_neck(long + 0.05) - height_on_shortened_neck(long - 0.05)) * 10.0;
        long -= (height_on_shortened_neck(long) - y) / slope;
    }
    long
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unshortening_inverts_shortening() {
        for step in 0..240 {
            let y = 2.0 - step as f32 * 0.1;
            assert!((height_on_unshortened_neck(height_on_shortened_neck(y)) - y).abs() < 0.02, "{y}");
        }
    }

    #[test]
    fn rays_end_on_the_skin_and_the_head_is_symmetric() {
        for seed in 0..4 {
            let it = HeadDistanceField::new(HeadTraits::from_seed(seed));
            for (theta, row) in
                [(0.0, 6.0), (0.5, -3.0), (1.2, 2.0), (2.8, -9.0), (0.2, -19.0), (1.5, -24.0), (0.8, 12.0)]
            {
                let p = it.skin_point_at_angle_row(theta, row);
                assert!(
                    it.signed_distance_to_skin(p).abs() < 0.05,
                    "seed {seed}: {p} at {theta} {row} is off the skin"
                );
                let q = it.skin_point_at_angle_row(-theta, row);
                assert!((p - vec3(-q.x, q.y, q.z)).length() < 1e-3);
            }
        }
    }

    #[test]
    fn nose_is_in_front_and_head_has_a_human_size() {
        let it = HeadDistanceField::new(HeadTraits::from_seed(3));
        let height = it.skin_point_at_angle_row(0.0, HIGHEST_ROW).y - it.skin_point_at_angle_row(0.0, -10.5).y;
        assert!((20.0..26.0).contains(&height), "{height} cm");
        assert!(it.skin_point_at_angle_row(0.0, -3.3).z > it.skin_point_at_angle_row(0.0, 6.0).z + 1.0);
    }
}
