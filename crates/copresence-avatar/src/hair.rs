//! Builds the hair: a shell over the scalp that ends along a hairline, with height and grooves by style.
//!
//! Directions are azimuth and elevation in degrees, seen from [`HAIR_CENTRE`]; azimuth 0 is the face.

use std::f32::consts::TAU;

use glam::{Vec2, Vec3, vec2, vec3};

use super::atlas;
use super::character::HairStyle;
use super::maths::{exp_of_negative_square, interpolate_table_eased, lerp, smoothstep, value_noise, worley_noise};
use super::mesh::Mesh;
use super::sculpt::HeadDistanceField;

/// The origin of all directions of the hair.
const HAIR_CENTRE: Vec3 = vec3(0.0, 2.2, -0.8);
const HAIR_COLUMNS: u32 = 132;
const HAIR_ROWS: u32 = 40;
/// Lowest elevation at which the distance to the scalp is measured.
const LOWEST_ELEVATION: f32 = -72.0;
/// Number of measured elevations in each column; distances between them are interpolated.
const RAYS_PER_COLUMN: u32 = 48;
/// Degrees above the hair's end of the first rows. They are close together, so that the edge is round and clean.
const EDGE_OFFSETS: [f32; 9] = [-9.0, -4.5, -1.6, 0.0, 1.2, 2.6, 4.4, 6.8, 10.0];

/// Builds the hair of a character. No style is without hair.
pub(super) fn build_hair(sculpt: &HeadDistanceField) -> Mesh {
    let cut = HairTraits::from_head_character(sculpt);
    let mut mesh = Mesh::default();
    let skull = ScalpDistancesFromHairCentre::measure_scalp_distance_per_direction(sculpt, &cut);
    for row in 0..HAIR_ROWS {
        for column in 0..=HAIR_COLUMNS {
            let around = column as f32 / HAIR_COLUMNS as f32;
            let azimuth = (around - 0.5) * 360.0;
            // Rows are parallel to the line where the hair ends.
            let line = cut.hair_end_elevation(azimuth);
            let over = EDGE_OFFSETS.get(row as usize).copied().unwrap_or_else(|| {
                let first = EDGE_OFFSETS.len() as u32 - 1;
                let rest = (row - first) as f32 / (HAIR_ROWS - 1 - first) as f32;
                lerp(EDGE_OFFSETS[first as usize], 90.0 - line, rest)
            });
            let position =
                cut.hair_surface_point(skull.scalp_distance_in_direction(column, line + over), azimuth, line + over);
            mesh.add_vertex(
                position,
                atlas::HAIR_PATCH.uv_at_patch_position(vec2(around, 1.0 - row as f32 / (HAIR_ROWS - 1) as f32)),
            );
        }
    }
    mesh.add_grid_triangles(0, HAIR_ROWS, HAIR_COLUMNS + 1);
    if cut.hair_style == HairStyle::Bun {
        mesh.append_mesh(&build_bun_knot(sculpt));
    }
    mesh.drop_degenerate_triangles();
    mesh.drop_unused_vertices_and_map_indices();
    mesh
}

/// Distances from [`HAIR_CENTRE`] to the skin, by column and elevation. The hair is built outside of them.
struct ScalpDistancesFromHairCentre {
    /// One half of the columns with [`RAYS_PER_COLUMN`] distances each, highest first. The other half mirrors it.
    half_columns: Vec<f32>,
}

impl ScalpDistancesFromHairCentre {
    /// Measures the distance from the centre of the hair to the scalp in each direction that the hair covers. Casts
    /// a ray in each direction and keeps where it leaves the head.
    fn measure_scalp_distance_per_direction(sculpt: &HeadDistanceField, cut: &HairTraits) -> Self {
        let mut half_columns = Vec::with_capacity(((HAIR_COLUMNS / 2 + 1) * RAYS_PER_COLUMN) as usize);
        for column in 0..=HAIR_COLUMNS / 2 {
            let azimuth = (column as f32 / HAIR_COLUMNS as f32 - 0.5) * 360.0;
            let lowest =
                cut.hair_end_elevation(azimuth).min(cut.hair_end_elevation(-azimuth)) + EDGE_OFFSETS[0] - RAY_SPACING;
            let mut known = 8.0;
            for ray in (0..RAYS_PER_COLUMN).rev() {
                let elevation = LOWEST_ELEVATION + ray as f32 * RAY_SPACING;
                if elevation >= lowest {
                    known = sculpt.ray_exit_distance(HAIR_CENTRE, direction_vector(azimuth, elevation), known - 0.3);
                }
                half_columns.push(known);
            }
        }
        Self { half_columns }
    }

    /// The distance to the scalp in a direction, from the centre of the hair. Interpolated between the measured
    /// elevations.
    fn scalp_distance_in_direction(&self, column: u32, elevation: f32) -> f32 {
        let column = column.min(HAIR_COLUMNS - column);
        let up = ((elevation - LOWEST_ELEVATION) / RAY_SPACING).clamp(0.0, RAYS_PER_COLUMN as f32 - 1.001);
        let at = |ray: u32| self.half_columns[(column * RAYS_PER_COLUMN + RAYS_PER_COLUMN - 1 - ray) as usize];
        lerp(at(up as u32), at(up as u32 + 1), up.fract())
    }
}

/// Degrees between two rays.
const RAY_SPACING: f32 = (90.0 - LOWEST_ELEVATION) / (RAYS_PER_COLUMN - 1) as f32;

/// The unit vector of a direction in degrees. Azimuth 0 is the face (+Z); elevation 90 is up.
fn direction_vector(azimuth: f32, elevation: f32) -> Vec3 {
    let (a, e) = (azimuth.to_radians(), elevation.to_radians());
    vec3(a.sin() * e.cos(), e.sin(), a.cos() * e.cos())
}

/// Degrees of a skin point above the hairline; positive means covered by hair.
pub(super) fn degrees_above_hairline(sculpt: &HeadDistanceField, p: Vec3) -> f32 {
    let d = p - HAIR_CENTRE;
    let azimuth = d.x.atan2(d.z).to_degrees();
    let elevation = d.y.atan2(d.x.hypot(d.z)).to_degrees();
    elevation - HairTraits::from_head_character(sculpt).hairline_elevation(azimuth)
}

/// The traits of a character that shape its hair.
struct HairTraits {
    hair_style: HairStyle,
    parting_side: f32,
    head_width: f32,
    noise_offset: f32,
}

impl HairTraits {
    /// Copies the traits that shape the hair from the character of the head.
    fn from_head_character(sculpt: &HeadDistanceField) -> Self {
        let who = &sculpt.character;
        Self {
            hair_style: who.hair_style,
            parting_side: who.parting_side,
            head_width: who.head_width,
            noise_offset: who.noise_offset,
        }
    }

    /// Elevation of the hairline on the skin.
    fn hairline_elevation(&self, azimuth: f32) -> f32 {
        const SHORT: [(f32, f32); 12] = [
            (0.0, 32.5),
            (28.0, 32.0),
            (46.0, 28.5),
            (57.0, 18.0),
            (66.0, 2.0),
            (74.0, -11.0),
            (82.0, -13.0),
            (90.0, 4.0),
            (108.0, 4.0),
            (120.0, -22.0),
            (136.0, -34.0),
            (180.0, -38.0),
        ];
        let wave = 1.2 * (value_noise(vec3(azimuth * 0.22, self.noise_offset, 0.0)) - 0.5);
        interpolate_table_eased(&SHORT, azimuth.abs()) + wave
    }

    /// Elevation where the hair ends.
    fn hair_end_elevation(&self, azimuth: f32) -> f32 {
        const CURTAIN: [(f32, f32); 8] = [
            (0.0, 35.0),
            (30.0, 32.0),
            (44.0, 25.0),
            (54.0, 8.0),
            (62.0, -22.0),
            (72.0, -42.0),
            (100.0, -46.0),
            (180.0, -47.0),
        ];
        let a = azimuth.abs();
        let towards = azimuth * self.parting_side;
        let tips = self.lock_tip_elevation_offset(azimuth);
        match self.hair_style {
            HairStyle::Bob => {
                tips * 0.5 + interpolate_table_eased(&CURTAIN, a)
                    - 12.0 * exp_of_negative_square((towards + 34.0) / 22.0)
            }
            HairStyle::Fringe => {
                tips * 0.7
                    + lerp(
                        21.0 + 4.0 * smoothstep(-30.0, 40.0, towards),
                        interpolate_table_eased(&CURTAIN, a),
                        smoothstep(40.0, 58.0, a),
                    )
            }
            HairStyle::Long => {
                let long = interpolate_table_eased(&CURTAIN, a);
                tips * 0.5 + lerp(long, long - 12.5, smoothstep(58.0, 74.0, a))
                    - 9.0 * exp_of_negative_square((towards + 32.0) / 22.0)
            }
            HairStyle::SidePart => {
                tips * 0.6 + self.hairline_elevation(azimuth) - 7.0 * exp_of_negative_square((towards + 22.0) / 24.0)
            }
            HairStyle::Crop => {
                tips * 0.5 + self.hairline_elevation(azimuth) - 2.0 * exp_of_negative_square(azimuth / 40.0)
            }
            HairStyle::Quiff | HairStyle::Curls | HairStyle::Bun => self.hairline_elevation(azimuth),
        }
    }

    /// Degrees of elevation by which the tips of the locks raise or lower the end of the hair at an azimuth,
    /// -3.8..=3.8.
    fn lock_tip_elevation_offset(&self, azimuth: f32) -> f32 {
        let wide = value_noise(vec3(azimuth * 0.11, self.noise_offset, 3.0));
        let narrow = value_noise(vec3(azimuth * 0.36, self.noise_offset, 7.0));
        4.0 * wide + 3.6 * narrow - 3.8
    }

    /// The point of the hair's surface in a direction; `scalp` is the distance to the skin there.
    fn hair_surface_point(&self, scalp: f32, azimuth: f32, elevation: f32) -> Vec3 {
        let along = direction_vector(azimuth, elevation);
        let over = elevation - self.hair_end_elevation(azimuth);
        let (height, edge) = self.hair_thickness_and_edge_width_angle(azimuth, elevation, scalp, along);
        let grown = smoothstep(0.0, edge, over).powf(0.75);
        let sunk = 0.9 * smoothstep(0.0, -4.0, over);
        let groove = self.hair_groove_depth(azimuth, elevation, along) * smoothstep(0.0, 0.5, height);
        let reach = scalp - 0.06 + (height + groove) * grown - sunk;
        let mut p = HAIR_CENTRE + along * reach;
        // A quiff leans forward.
        if self.hair_style == HairStyle::Quiff {
            p.z += 0.9
                * exp_of_negative_square((elevation - 46.0) / 22.0)
                * exp_of_negative_square(azimuth / 46.0)
                * grown;
        }
        p
    }

    /// Thickness of the hair above the scalp (cm), and the degrees over which it rises from its edge.
    fn hair_thickness_and_edge_width_angle(&self, azimuth: f32, elevation: f32, scalp: f32, along: Vec3) -> (f32, f32) {
        let top = smoothstep(5.0, 62.0, elevation);
        let front = exp_of_negative_square(azimuth / 62.0);
        let towards = azimuth * self.parting_side;
        match self.hair_style {
            HairStyle::Crop => (lerp(0.25, 0.6, top), 10.0),
            HairStyle::Quiff => {
                let lift =
                    1.5 * exp_of_negative_square((elevation - 52.0) / 26.0) * exp_of_negative_square(azimuth / 52.0);
                (lerp(0.35, 0.9, top) + lift, lerp(9.0, 13.0, front))
            }
            HairStyle::SidePart => {
                let part = exp_of_negative_square((towards - 40.0) / 7.0) * smoothstep(82.0, 60.0, elevation);
                let sweep = 1.0
                    * exp_of_negative_square((towards + 8.0) / 46.0)
                    * exp_of_negative_square((elevation - 52.0) / 26.0);
                (lerp(0.4, 0.85, top) + sweep - 0.6 * part, 11.0)
            }
            HairStyle::Curls => {
                let curl = worley_noise(along * 4.4 + Vec3::splat(self.noise_offset));
                (lerp(0.8, 1.7, smoothstep(-20.0, 50.0, elevation)) + 1.0 * (0.55 - curl), 12.0)
            }
            HairStyle::Bun => (lerp(0.3, 0.55, top), 9.0),
            HairStyle::Bob | HairStyle::Fringe | HairStyle::Long => {
                // Below its widest part, the hair hangs straight down, a little wider at the tips.
                let fall = (-elevation).max(0.0);
                let hull = vec3(8.6, 9.25, 10.0) * self.head_width.max(0.98);
                let over_skull = 1.0 / (along / hull).length();
                let flat = along.x.hypot(along.z).max(0.3);
                let side = vec2(along.x / flat / hull.x, along.z / flat / hull.z).length();
                let tuck = if self.hair_style == HairStyle::Long { 0.0 } else { 0.06 * smoothstep(34.0, 47.0, fall) };
                let curtain = (1.0 + 0.05 * smoothstep(0.0, 30.0, fall) - tuck) / side / flat;
                let reach = if elevation < 0.0 { curtain } else { over_skull };
                let part = if self.hair_style == HairStyle::Fringe {
                    0.0
                } else {
                    0.55 * exp_of_negative_square((towards - 16.0) / 5.0)
                        * smoothstep(24.0, 45.0, elevation)
                        * smoothstep(89.0, 74.0, elevation)
                };
                ((reach - scalp).max(0.45) - part, lerp(9.0, 6.0, smoothstep(50.0, 70.0, azimuth.abs())))
            }
        }
    }

    /// Depth of the shallow grooves between locks (cm), along the direction of the hair.
    fn hair_groove_depth(&self, azimuth: f32, elevation: f32, along: Vec3) -> f32 {
        let wander = 16.0 * value_noise(vec3(azimuth * 0.03, elevation * 0.05, self.noise_offset));
        let across = match self.hair_style {
            // Combed over: locks go around the head.
            HairStyle::SidePart => elevation * 0.42 + azimuth * 0.1,
            HairStyle::Quiff => azimuth * 0.24 + wander * 0.12,
            HairStyle::Curls => return 0.0,
            HairStyle::Crop => {
                return 0.22 * (value_noise(along * 9.0 + Vec3::splat(self.noise_offset)) - 0.5);
            }
            _ => azimuth * 0.2 + wander * 0.1,
        };
        let lock = (across + self.noise_offset).fract().abs();
        let fine = (across * 2.7 + self.noise_offset).fract().abs();
        let pole = if self.hair_style == HairStyle::SidePart { 1.0 } else { smoothstep(89.0, 70.0, elevation) };
        pole * (0.3 * ((lock * std::f32::consts::PI).sin().sqrt() - 0.8) + 0.08 * (fine * std::f32::consts::PI).sin())
    }
}

/// Builds the knot of a bun: a grooved ball behind the crown.
fn build_bun_knot(sculpt: &HeadDistanceField) -> Mesh {
    let (rings, segments) = (16_u32, 32_u32);
    let centre = sculpt.skin_point_at_angle_row(std::f32::consts::PI, 11.6) + vec3(0.0, 2.3, -0.9);
    let mut mesh = Mesh::default();
    for ring in 0..=rings {
        let polar = std::f32::consts::PI * ring as f32 / rings as f32;
        for segment in 0..=segments {
            let turn = TAU * segment as f32 / segments as f32;
            let swirl = 1.0 + 0.05 * (turn * 5.0 + polar * 4.0).sin();
            let p = vec3(polar.sin() * turn.sin(), -polar.cos() * 0.82, polar.sin() * turn.cos()) * 2.9 * swirl;
            let uv: Vec2 = vec2(segment as f32 / segments as f32, 0.2 + 0.6 * ring as f32 / rings as f32);
            mesh.add_vertex(centre + p, atlas::HAIR_PATCH.uv_at_patch_position(uv));
        }
    }
    mesh.add_grid_triangles(0, rings + 1, segments + 1);
    mesh
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::character::HeadTraits;

    #[test]
    fn hair_covers_the_crown_and_leaves_the_face_free() {
        for seed in 0..6 {
            let sculpt = HeadDistanceField::new(HeadTraits::from_seed(seed));
            let mesh = build_hair(&sculpt);
            let crown = sculpt.skin_point_at_angle_row(0.0, 13.5).y;
            assert!(mesh.positions.iter().any(|p| p.y > crown + 0.2), "seed {seed} has a bare crown");
            let before_the_nose = mesh.positions.iter().filter(|p| p.z > 6.5 && p.y < 0.0).count();
            assert_eq!(before_the_nose, 0, "seed {seed} ({:?}) has hair over the face", sculpt.character.hair_style);
        }
    }
}
