//! Meshes that are attached to the head: eyeballs, eyebrows, teeth, tongue and ears.
//!
//! `side` is 1 for the character's left and −1 for the right.

use std::f32::consts::{PI, TAU};

use glam::{Quat, Vec3, vec2, vec3};

use super::atlas;
use super::character::HeadTraits;
use super::maths::{exp_of_negative_square, interpolate_table_eased, lerp, pixel_noise, smoothstep};
use super::mesh::Mesh;
use super::sculpt::HeadDistanceField;

/// One eyeball, its pupil towards +Z.
pub(super) fn build_eyeball(sculpt: &HeadDistanceField, side: f32) -> Mesh {
    let (rings, segments) = (20_u32, 36_u32);
    let centre = vec3(sculpt.eye_centre.x * side, sculpt.eye_centre.y, sculpt.eye_centre.z);
    let mut mesh = Mesh::default();
    for ring in 0..=rings {
        // Rings are closer together over the iris, where the cornea bulges.
        let out = ring as f32 / rings as f32;
        let polar = PI * 0.72 * lerp(out * out, out, 0.55);
        let bulge = 1.0 + 0.05 * exp_of_negative_square(polar / 0.42);
        for segment in 0..=segments {
            let turn = TAU * segment as f32 / segments as f32;
            let round = vec2(turn.cos(), turn.sin());
            let (sin, cos) = polar.sin_cos();
            let p = vec3(round.x * sin, round.y * sin, cos) * sculpt.eye_radius * bulge;
            let spread = 0.5 * (polar / (PI * 0.72));
            mesh.add_vertex(
                centre + p,
                atlas::EYE_PATCH.uv_at_patch_position(vec2(0.5 + round.x * spread, 0.5 - round.y * spread)),
            );
        }
    }
    // Rings go outwards from the pole, so that column order is anticlockwise seen from the front.
    for ring in 0..rings {
        for segment in 0..segments {
            let a = ring * (segments + 1) + segment;
            let b = a + segments + 1;
            mesh.add_quad(a, b, b + 1, a + 1);
        }
    }
    mesh
}

/// The rotations of an eyeball that looks up, down, in or out as far as it can, by the names of their blendshapes.
pub(super) fn eye_look_blendshape_rotations(sculpt: &HeadDistanceField, side: f32) -> [(&'static str, Quat); 4] {
    let (high, wide) = (22.0_f32.to_radians() * sculpt.character.eye_size, 28.0_f32.to_radians());
    [
        ("eyeLookUp", Quat::from_rotation_x(-high)),
        ("eyeLookDown", Quat::from_rotation_x(high)),
        ("eyeLookIn", Quat::from_rotation_y(-wide * side)),
        ("eyeLookOut", Quat::from_rotation_y(wide * side)),
    ]
}

/// Angle from the face's middle at which an eyebrow begins and at which it ends, in radians.
pub(super) const BROW_ANGLES: (f32, f32) = (0.15, 0.66);
/// Number of hairs of one eyebrow.
const BROW_HAIRS: u32 = 100;

/// The row of the middle of an eyebrow at `t`: 0 is its inner end, 1 its outer end.
pub(super) fn brow_middle_row_at(who: &HeadTraits, t: f32) -> f32 {
    2.12 + who.brow_arch * exp_of_negative_square((t - 0.62) / 0.42) - 0.42 * smoothstep(0.5, 1.0, t)
}

/// Half of the height of an eyebrow at `t`, in centimetres.
pub(super) fn brow_half_height(who: &HeadTraits, t: f32) -> f32 {
    let body = smoothstep(-0.2, 0.22, t) * (1.0 - smoothstep(0.35, 1.08, t)).max(0.02).powf(0.7);
    0.4 * who.brow_weight * body
}

/// Builds the hairs of one eyebrow, each a thin cone. `side` is -1 or 1.
pub(super) fn build_eyebrow(sculpt: &HeadDistanceField, side: f32) -> Mesh {
    let who = &sculpt.character;
    let point_at = |t: f32, above: f32| {
        let theta = lerp(BROW_ANGLES.0, BROW_ANGLES.1, t);
        sculpt.skin_point_at_angle_row(theta, brow_middle_row_at(who, t) + above)
    };
    let mut mesh = Mesh::default();
    for hair in 0..BROW_HAIRS {
        let chance = |salt: u32| pixel_noise(hair * 7 + salt, 31 + who.noise_offset as u32);
        let t = ((hair as f32 + chance(0)) / BROW_HAIRS as f32).powf(1.1);
        let across = chance(1) * 2.0 - 1.0;
        let root = point_at(t, across * brow_half_height(who, t) * 0.85);
        let out = skin_normal(sculpt, root);
        let along = (point_at(t + 0.04, 0.0) - point_at(t - 0.04, 0.0)).normalize_or_zero();
        let up = out.cross(along).normalize_or_zero();
        // Upwards at the inner end, then along the brow and towards its middle.
        let rise = lerp(0.95, 0.12, smoothstep(0.0, 0.4, t)) - 0.45 * across * smoothstep(0.1, 0.5, t);
        let way = (along + up * (rise + 0.3 * (chance(2) - 0.5))).normalize_or_zero();
        let long = lerp(0.34, 0.58, chance(3)) * lerp(1.0, 0.5, t) * lerp(0.7, 1.0, who.brow_weight.min(1.0));
        let wide = lerp(0.019, 0.03, chance(4)) * lerp(0.8, 1.1, who.brow_weight.min(1.0));
        let beside = way.cross(out);
        let uv = atlas::BROW_PATCH.uv_at_patch_position(vec2(chance(5), chance(6)));
        let mirrored = |p: Vec3| vec3(p.x * side, p.y, p.z);
        let first = mesh.positions.len() as u32;
        for corner in 0..3 {
            let (sin, cos) = (TAU * corner as f32 / 3.0).sin_cos();
            mesh.add_vertex(mirrored(root + beside * cos * wide + out * (sin * wide + 0.01)), uv);
        }
        mesh.add_vertex(mirrored(root + way * long + out * (0.05 - 0.12 * long)), uv);
        for corner in 0..3 {
            let (a, b) = (first + corner, first + (corner + 1) % 3);
            mesh.triangles.push(if side > 0.0 { [b, a, first + 3] } else { [a, b, first + 3] });
        }
    }
    mesh
}

/// The collar: a soft ring of cloth around the neck, over the edge of the shirt.
pub(super) fn build_collar(sculpt: &HeadDistanceField, uv_row: f32) -> Mesh {
    let (columns, around) = (48_u32, 8_u32);
    let tall = sculpt.character.collar_height;
    let mut mesh = Mesh::default();
    let half: Vec<(Vec3, Vec3, Vec3)> = (0..=columns / 2)
        .map(|column| {
            let theta = PI * (column as f32 / (columns / 2) as f32);
            // The row at which the skin crosses the edge of the shirt.
            let (mut low, mut high) = (-20.0_f32, -12.5_f32);
            for _ in 0..12 {
                let middle = 0.5 * (low + high);
                let below = height_above_shirt_edge(sculpt.skin_point_at_angle_row(theta, middle)) < 0.0;
                if below { low = middle } else { high = middle }
            }
            let p = sculpt.skin_point_at_angle_row(theta, low);
            let up = (sculpt.skin_point_at_angle_row(theta, low + 0.25) - p).normalize_or_zero();
            let out = skin_normal(sculpt, p);
            (p, out, (up - out * up.dot(out)).normalize_or_zero())
        })
        .collect();
    for column in 0..=columns {
        let (p, out, up) = half[column.abs_diff(columns / 2) as usize];
        let side = if column < columns / 2 { -1.0 } else { 1.0 };
        for j in 0..=around {
            let (sin, cos) = (TAU * j as f32 / around as f32).sin_cos();
            // Flat below, with a rounded upper edge.
            let height = if sin > 0.0 { 0.5 * tall } else { 0.75 };
            let q = p + up * sin * height + out * (0.1 + 0.26 * cos + 0.05 * tall * sin.max(0.0) + 0.3 * sin.min(0.0));
            let u = column as f32 / columns as f32;
            mesh.add_vertex(vec3(q.x * side, q.y, q.z), atlas::HEAD_PATCH.uv_at_patch_position(vec2(u, uv_row)));
        }
    }
    for column in 0..columns {
        for j in 0..around {
            let a = column * (around + 1) + j;
            let b = a + around + 1;
            mesh.add_quad(a, b, b + 1, a + 1);
        }
    }
    mesh
}

/// Height of a point above the edge of the shirt in centimetres; the edge is lower at the front.
pub(super) fn height_above_shirt_edge(p: Vec3) -> f32 {
    p.y + 14.3 + 0.2 * (p.z + 2.7) - 0.26 * (p.x * p.x + 4.0).sqrt()
}

/// The teeth of one jaw with their gum (here `side` is 1 for the upper jaw and −1 for the lower).
pub(super) fn build_teeth(sculpt: &HeadDistanceField, side: f32) -> Mesh {
    let columns = 41_u32;
    let mut mesh = Mesh::default();
    // The lower teeth are behind the upper ones, and do not touch the hollow under the lip.
    let front = sculpt.mouth_centre.z - if side > 0.0 { 1.05 } else { 1.35 };
    let (edge, height) =
        if side > 0.0 { (sculpt.mouth_centre.y - 0.26, 0.8) } else { (sculpt.mouth_centre.y - 0.52, -0.6) };
    // From the edge along the front to the gum. The edge is rounded towards the back.
    let profile =
        [(-0.3, 0.12, 0.9), (0.0, 0.0, 0.8), (0.06, 0.0, 0.7), (0.5, 0.02, 0.4), (1.0, 0.0, 0.12), (1.7, -0.25, 0.0)];
    let ordered: Vec<_> = if side > 0.0 { profile.to_vec() } else { profile.iter().rev().copied().collect() };
    for (up, back, v) in ordered {
        for c in 0..columns {
            let u = c as f32 / (columns - 1) as f32;
            let turn = (u - 0.5) * 2.3;
            let gap = 1.0 - 0.05 * exp_of_negative_square(((u * 12.0).fract() - 0.5) * 9.0) * (1.0 - v);
            let radius = 2.25 * gap - back;
            let y = if up < 0.0 { edge } else { edge + up * height };
            let depth = if up < 0.0 { 0.35 } else { 0.0 };
            let p = vec3(turn.sin() * (radius - depth), y, front - 2.9 + turn.cos() * (radius - depth) * 1.28);
            mesh.add_vertex(p, atlas::TEETH_PATCH.uv_at_patch_position(vec2(u, v)));
        }
    }
    mesh.add_grid_triangles(0, 6, columns);
    mesh
}

/// Root and tip of the tongue at rest, behind the lower teeth.
fn tongue_endpoints(sculpt: &HeadDistanceField) -> (Vec3, Vec3) {
    (sculpt.mouth_centre + vec3(0.0, -0.25, -3.9), sculpt.mouth_centre + vec3(0.0, -0.62, -1.55))
}

/// The tongue: a flat, tapered tube with a round tip.
pub(super) fn build_tongue(sculpt: &HeadDistanceField) -> Mesh {
    let (along, around) = (12_u32, 16_u32);
    let (root, tip) = tongue_endpoints(sculpt);
    let mut mesh = Mesh::default();
    for i in 0..=along {
        // Rings are closer together at the round tip.
        let t = 1.0 - (1.0 - i as f32 / along as f32).powf(1.7);
        let middle = root.lerp(tip, t);
        let round = (1.0 - t.powi(5)).max(0.0).sqrt();
        for j in 0..=around {
            let (sin, cos) = (TAU * j as f32 / around as f32).sin_cos();
            // A furrow along the back.
            let high = 0.3 * cos - if cos > 0.0 { 0.09 * exp_of_negative_square(sin / 0.3) } else { 0.0 };
            mesh.add_vertex(
                middle + vec3(sin * 1.15, high, 0.0) * round,
                atlas::TONGUE_PATCH.uv_at_patch_position(vec2(0.5 + 0.5 * sin, 1.0 - t)),
            );
        }
    }
    mesh.add_grid_triangles(0, along + 1, around + 1);
    mesh
}

/// The displacement of a point of the tongue for each centimetre that the tip comes out.
pub(super) fn tongue_point_displacement_per_tip_centimeter(sculpt: &HeadDistanceField, rest: Vec3) -> Vec3 {
    let (root, tip) = tongue_endpoints(sculpt);
    let along = ((rest.z - root.z) / (tip.z - root.z)).clamp(0.0, 1.0);
    // Over the lower teeth and the lip, then down.
    vec3(0.0, 0.31 * (PI * 0.85 * along).sin() - 0.16 * along.powi(3), along)
}

/// One ear: a shell with a folded rim at the side of the head.
pub(super) fn build_ear(sculpt: &HeadDistanceField, side: f32) -> Mesh {
    let (rings, segments) = (20_u32, 40_u32);
    let who = &sculpt.character;
    let root = sculpt.skin_point_at_angle_row(1.62, -0.9);
    // Height of the shell above its base plate, from the middle (0) to the rim (1).
    let relief =
        [(0.0, 0.0), (0.3, 0.03), (0.46, 0.34), (0.58, 0.5), (0.7, 0.36), (0.8, 0.34), (0.92, 0.66), (1.0, 0.52)];
    let turn = Quat::from_rotation_y(0.95) * Quat::from_rotation_x(-0.16);
    let mut mesh = Mesh::default();
    for ring in 0..=rings {
        let out = ring as f32 / rings as f32 * 1.35;
        for segment in 0..=segments {
            let angle = TAU * segment as f32 / segments as f32;
            let (sin, cos) = angle.sin_cos();
            // Egg-shaped, broad at the top. `cos` points to the back of the head.
            let half_width = lerp(1.05, 1.62, smoothstep(-1.0, 0.7, sin));
            let half_height = if sin > 0.0 { 2.55 } else { 2.35 };
            let towards_face = smoothstep(0.1, 0.95, -cos);
            let lobe = smoothstep(-0.55, -0.95, sin);
            let fold = out.min(1.0);
            let mut height = interpolate_table_eased(&relief, fold);
            height = lerp(height, 0.3 * smoothstep(0.3, 0.7, fold), (towards_face * 0.85).max(lobe * 0.9));
            // The small flap in front of the ear canal.
            height += 0.42
                * exp_of_negative_square((cos + 0.62) / 0.3)
                * exp_of_negative_square((sin + 0.12) / 0.36)
                * exp_of_negative_square((fold - 0.62) / 0.3);
            // Beyond the rim, the shell turns to the back and inwards.
            let behind = (out - 1.0).max(0.0) / 0.35;
            let reach = fold - 0.42 * behind * behind;
            height -= behind * lerp(1.0, 1.3, towards_face) + 0.7 * towards_face * smoothstep(0.6, 1.0, fold);
            let flat = vec3(-cos * half_width * reach, sin * half_height * reach, height) * who.ear_size;
            // Local +Z is outwards. The front edge touches the head; the back edge does not.
            let local = vec3(flat.x, flat.y, flat.z);
            let mut p = turn * vec3(local.x, local.y, local.z);
            p += vec3(root.x + 0.12, -0.7, root.z - 0.35);
            mesh.add_vertex(
                vec3(p.x * side, p.y, p.z),
                atlas::EAR_PATCH.uv_at_patch_position(vec2(
                    0.5 - cos * 0.5 * reach * if out > 1.0 { 0.98 } else { 1.0 },
                    0.5 - sin * 0.5 * reach,
                )),
            );
        }
    }
    for ring in 0..rings {
        for segment in 0..segments {
            let a = ring * (segments + 1) + segment;
            let b = a + segments + 1;
            if side > 0.0 { mesh.add_quad(a, a + 1, b + 1, b) } else { mesh.add_quad(a, b, b + 1, a + 1) }
        }
    }
    mesh
}

/// The unit normal of the skin at a point.
pub(super) fn skin_normal(sculpt: &HeadDistanceField, p: Vec3) -> Vec3 {
    // Four samples at the corners of a tetrahedron.
    let corners = [vec3(1.0, -1.0, -1.0), vec3(-1.0, -1.0, 1.0), vec3(-1.0, 1.0, -1.0), Vec3::ONE];
    let slope: Vec3 = corners.into_iter().map(|way| way * sculpt.signed_distance_to_skin(p + way * 0.02)).sum();
    slope.try_normalize().unwrap_or(Vec3::Z)
}
