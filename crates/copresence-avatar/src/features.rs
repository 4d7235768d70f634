//! Meshes that are attached to the head: eyeballs, eyebrows, teeth, tongue and ears.
//!
//! `side` is 1 for the character's left and −1 for the right.

use std::f32::consts::{PI, TAU};

use glam::{Quat, Vec3, vec2, vec3};

use super::atlas;
use super::maths::{gaussian, interpolate_table_eased, lerp, smoothstep};
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
        let bulge = 1.0 + 0.05 * gaussian(polar / 0.42);
        for segment in 0..=segments {
            let turn = TAU * segment as f32 / segments as f32;
            let round = vec2(turn.cos(), turn.sin());
            let (sin, cos) = polar.sin_cos();
            let p = vec3(round.x * sin, round.y * sin, cos) * sculpt.eye_radius * bulge;
            let spread = 0.5 * (polar / (PI * 0.72));
            mesh.add_vertex(centre + p, atlas::EYE_PATCH.uv_at(vec2(0.5 + round.x * spread, 0.5 - round.y * spread)));
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
pub(super) fn eye_look_rotations(sculpt: &HeadDistanceField, side: f32) -> [(&'static str, Quat); 4] {
    let (high, wide) = (22.0_f32.to_radians() * sculpt.character.eye_size, 28.0_f32.to_radians());
    [
        ("eyeLookUp", Quat::from_rotation_x(-high)),
        ("eyeLookDown", Quat::from_rotation_x(high)),
        ("eyeLookIn", Quat::from_rotation_y(-wide * side)),
        ("eyeLookOut", Quat::from_rotation_y(wide * side)),
    ]
}

/// Builds one eyebrow as a curved strip. `side` is -1 or 1.
pub(super) fn build_eyebrow(sculpt: &HeadDistanceField, side: f32) -> Mesh {
    let (along, around) = (26_u32, 8_u32);
    let who = &sculpt.character;
    let spine = |t: f32| {
        let theta = lerp(0.15, 0.68, t);
        let arch = who.brow_arch * gaussian((t - 0.62) / 0.42);
        sculpt.skin_point_at_angle_row(theta * side, 2.3 + arch - 0.5 * smoothstep(0.5, 1.0, t))
    };
    let mut mesh = Mesh::default();
    for i in 0..=along {
        let t = i as f32 / along as f32;
        let p = spine(t);
        let forward = (spine((t + 0.03).min(1.0)) - spine((t - 0.03).max(0.0))).normalize_or_zero();
        let out = skin_normal(sculpt, p);
        let up = forward.cross(out).normalize_or_zero() * -side;
        let body = smoothstep(-0.12, 0.3, t) * (1.0 - smoothstep(0.3, 1.1, t)).max(0.02).powf(0.7);
        let tall = 0.37 * who.brow_weight * body;
        let thick = 0.2 * who.brow_weight.sqrt() * body;
        for j in 0..=around {
            let turn = TAU * j as f32 / around as f32 * -side;
            let edge = up * turn.cos() * tall + out * (turn.sin() * thick + 0.03);
            mesh.add_vertex(p + edge, atlas::BROW_PATCH.uv_at(vec2(t, j as f32 / around as f32)));
        }
    }
    mesh.add_grid_triangles(0, along + 1, around + 1);
    // `add_grid` expects rows that go upwards. These go sideways, which reverses the winding.
    mesh.triangles.iter_mut().for_each(|t| t.swap(1, 2));
    mesh
}

/// The teeth of one jaw with their gum (here `side` is 1 for the upper jaw and −1 for the lower).
pub(super) fn build_teeth(sculpt: &HeadDistanceField, side: f32) -> Mesh {
    let columns = 41_u32;
    let mut mesh = Mesh::default();
    // The lower teeth are behind the upper ones, and do not touch the hollow under the lip.
    let front = sculpt.mouth_centre.z - if side > 0.0 { 0.95 } else { 1.3 };
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
            let gap = 1.0 - 0.05 * gaussian(((u * 12.0).fract() - 0.5) * 9.0) * (1.0 - v);
            let radius = 2.25 * gap - back;
            let y = if up < 0.0 { edge } else { edge + up * height };
            let depth = if up < 0.0 { 0.35 } else { 0.0 };
            let p = vec3(turn.sin() * (radius - depth), y, front - 2.9 + turn.cos() * (radius - depth) * 1.28);
            mesh.add_vertex(p, atlas::TEETH_PATCH.uv_at(vec2(u, v)));
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
            let high = 0.3 * cos - if cos > 0.0 { 0.09 * gaussian(sin / 0.3) } else { 0.0 };
            mesh.add_vertex(
                middle + vec3(sin * 1.15, high, 0.0) * round,
                atlas::TONGUE_PATCH.uv_at(vec2(0.5 + 0.5 * sin, 1.0 - t)),
            );
        }
    }
    mesh.add_grid_triangles(0, along + 1, around + 1);
    mesh
}

/// The displacement of a point of the tongue for each centimetre that the tip comes out.
pub(super) fn tongue_displacement_per_centimeter(sculpt: &HeadDistanceField, rest: Vec3) -> Vec3 {
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
            height +=
                0.42 * gaussian((cos + 0.62) / 0.3) * gaussian((sin + 0.12) / 0.36) * gaussian((fold - 0.62) / 0.3);
            // Beyond the rim, the shell turns to the back and inwards.
            let behind = (out - 1.0).max(0.0) / 0.35;
            let reach = fold - 0.42 * behind * behind;
            height -= behind * lerp(1.0, 0.75, towards_face);
            let flat = vec3(-cos * half_width * reach, sin * half_height * reach, height) * who.ear_size;
            // Local +Z is outwards. The front edge touches the head; the back edge does not.
            let local = vec3(flat.x, flat.y, flat.z);
            let mut p = turn * vec3(local.x, local.y, local.z);
            p += vec3(root.x + 0.28, -0.7, root.z - 0.35);
            mesh.add_vertex(
                vec3(p.x * side, p.y, p.z),
                atlas::EAR_PATCH
                    .uv_at(vec2(0.5 - cos * 0.5 * reach * if out > 1.0 { 0.98 } else { 1.0 }, 0.5 - sin * 0.5 * reach)),
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
    let step = 0.03;
    let slope = |axis: Vec3| sculpt.signed_distance(p + axis * step) - sculpt.signed_distance(p - axis * step);
    vec3(slope(Vec3::X), slope(Vec3::Y), slope(Vec3::Z)).try_normalize().unwrap_or(Vec3::Z)
}
