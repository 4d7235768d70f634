//! Builds the skin as a grid around the spine: columns are angles, rows go up from the shoulders to the crown. The rows
//! at the eyes and at the mouth are doubled; their two edges separate into lids and lips.

use glam::{Vec2, Vec3, vec2, vec3};

use super::atlas;
use super::features;
use super::maths::{lerp, smoothstep};
use super::mesh::Mesh;
use super::sculpt::{EYE_ROW, HIGHEST_ROW, HeadDistanceField, LOWEST_ROW, MOUTH_ROW};

/// Distances of an eye's lids from the eye row, in centimetres at the middle of the eye.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct LidDistancesFromEyeRow {
    pub(super) upper: f32,
    pub(super) lower: f32,
}

/// The lids of a relaxed face.
pub(super) const RESTING_LIDS: LidDistancesFromEyeRow = LidDistancesFromEyeRow { upper: 0.76, lower: 0.64 };

/// Where a vertex is on the grid: its angle around the spine, height, edge and part. Its position in space is
/// computed from it for any position of the lids.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct HeadGridVertex {
    /// Angle around the spine in radians: 0 is the face, positive is the character's left.
    pub(super) theta: f32,
    /// Height on the head in centimetres before lids and lips separate.
    pub(super) row: f32,
    /// The edge of a doubled row: −1 lower, 1 upper, 0 for other rows.
    pub(super) edge_side: f32,
    pub(super) layer: HeadVertexPart,
}

/// The part of the head that a vertex belongs to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum HeadVertexPart {
    /// The skin itself.
    Skin,
    /// The rim of a lid, from its edge (0) inwards over the eyeball (2).
    LidRim(u8),
    /// The lashes: root (0), tip (1) and upper root (2).
    Lash(u8),
    /// The inside of a lip, from its edge (0) into the mouth (3).
    LipRim(u8),
    /// Brows and ears, which move with the skin below them.
    OnSkin,
    /// Teeth and gums, which only the jaw moves.
    Teeth,
    /// The tongue, which moves with the jaw and comes out.
    Tongue,
}

/// The mesh of the head, with the origin of each vertex.
pub(super) struct HeadMeshWithVertexOrigins {
    pub(super) mesh: Mesh,
    pub(super) vertex_origins: Vec<HeadGridVertex>,
    /// Angles of the columns of the skin's grid, whose vertices are the first of the mesh.
    pub(super) column_angles: Vec<f32>,
    /// Height and edge of the rows of that grid.
    pub(super) grid_rows: Vec<(f32, f32)>,
}

impl HeadMeshWithVertexOrigins {
    pub(super) fn new(sculpt: &HeadDistanceField) -> Self {
        let mut it = Self {
            mesh: Mesh::default(),
            vertex_origins: Vec::new(),
            column_angles: grid_column_angles(),
            grid_rows: grid_row_heights_and_edges(),
        };
        it.add_skin_grid_closed_below(sculpt);
        for eye in [-1.0, 1.0] {
            it.add_lid_rims_and_lashes(sculpt, eye);
        }
        it.add_lip_inner_sides(sculpt);
        it
    }

    /// Adds the mesh of a part. All its vertices get this layer, and count as above (1) or below (−1) the mouth.
    pub(super) fn append_part_mesh(&mut self, part: &Mesh, layer: HeadVertexPart, side: f32) {
        for p in &part.positions {
            self.vertex_origins.push(HeadGridVertex { theta: p.x.atan2(p.z), row: p.y, edge_side: side, layer });
        }
        self.mesh.append_mesh(part);
    }

    /// Replaces the normals of the skin away from lids and lips by those of the modelled surface.
    pub(super) fn apply_modelled_skin_normals(&mut self, sculpt: &HeadDistanceField) {
        let (middle, half) = sculpt.eye_middle_and_half_width_angles();
        for (source, (p, normal)) in
            self.vertex_origins.iter().zip(self.mesh.positions.iter().zip(&mut self.mesh.normals))
        {
            if source.layer != HeadVertexPart::Skin || source.row < -17.0 {
                continue;
            }
            let eye = ((source.theta.abs() - middle) / (half * 1.1)).hypot((source.row - EYE_ROW) / 1.4);
            let mouth = (source.theta / (sculpt.mouth_half_angle() * 1.1)).hypot((source.row - MOUTH_ROW) / 1.3);
            let share = smoothstep(0.9, 1.5, eye) * smoothstep(0.9, 1.5, mouth);
            if share > 0.0 {
                let exact = features::skin_normal(sculpt, *p);
                *normal = normal.lerp(exact, share).normalize_or_zero().normalize_or(exact);
            }
        }
    }

    /// The `v` texture coordinate of a row of the grid, 0..=1.
    pub(super) fn texture_v_of_grid_row(&self, index: usize) -> f32 {
        // The two edges of a doubled row share a line of the texture.
        let doubled = self.grid_rows[..=index].iter().filter(|row| row.1 > 0.0).count();
        (index - doubled) as f32 / (self.grid_rows.len() - 3) as f32
    }

    /// Adds the vertices and triangles of the skin's grid, and closes the shoulders from below.
    fn add_skin_grid_closed_below(&mut self, sculpt: &HeadDistanceField) {
        let (rows, columns) = (self.grid_rows.clone(), self.column_angles.clone());
        let last = columns.len() - 1;
        for (r, &(row, side)) in rows.iter().enumerate() {
            let v = self.texture_v_of_grid_row(r);
            // The head is symmetric: one half is computed, the other mirrored.
            let half: Vec<Vec3> = columns[..=last / 2]
                .iter()
                .map(|&theta| {
                    let source = HeadGridVertex { theta, row, edge_side: side, layer: HeadVertexPart::Skin };
                    vertex_position_at_lid_distances(sculpt, &source, RESTING_LIDS)
                })
                .collect();
            for (c, &theta) in columns.iter().enumerate() {
                let p = half[c.min(last - c)];
                let p = if c > last / 2 { vec3(-p.x, p.y, p.z) } else { p };
                self.mesh.add_vertex(p, atlas::HEAD_PATCH.uv_at_patch_position(vec2(c as f32 / last as f32, 1.0 - v)));
                self.vertex_origins.push(HeadGridVertex { theta, row, edge_side: side, layer: HeadVertexPart::Skin });
            }
        }
        let width = columns.len() as u32;
        for r in 0..rows.len() - 1 {
            if rows[r].0 < rows[r + 1].0 {
                self.mesh.add_grid_triangles(r as u32 * width, 2, width);
            }
        }
        // Close the shoulders from below.
        let rim = self.mesh.positions[..width as usize].iter().sum::<Vec3>() / width as f32;
        let middle = self.mesh.add_vertex(rim, self.mesh.uvs[width as usize / 2]);
        self.vertex_origins.push(HeadGridVertex {
            theta: 0.0,
            row: LOWEST_ROW,
            edge_side: 0.0,
            layer: HeadVertexPart::OnSkin,
        });
        self.mesh.triangles.extend((0..width - 1).map(|c| [middle, c + 1, c]));
    }

    /// Adds a strip of triangles along one edge of a doubled row, with one line of vertices for each layer (for
    /// example the inside of a lip).
    fn add_layered_strip_along_edge(
        &mut self,
        sculpt: &HeadDistanceField,
        angles: &[f32],
        row: f32,
        side: f32,
        layers: &[(HeadVertexPart, Vec2)],
    ) {
        let first = self.mesh.positions.len() as u32;
        // Rows of a grid go upwards: an upper edge is the top of its strip, a lower edge the bottom.
        let ordered: Vec<_> = if side > 0.0 { layers.iter().rev().collect() } else { layers.iter().collect() };
        for (layer, uv) in ordered {
            for &theta in angles {
                let source = HeadGridVertex { theta, row, edge_side: side, layer: *layer };
                self.mesh.add_vertex(vertex_position_at_lid_distances(sculpt, &source, RESTING_LIDS), *uv);
                self.vertex_origins.push(source);
            }
        }
        self.mesh.add_grid_triangles(first, layers.len() as u32, angles.len() as u32);
    }

    /// Adds the rims of both lids of an eye and the lashes of the upper lid. `eye` is 1 for the left eye and −1 for
    /// the right.
    fn add_lid_rims_and_lashes(&mut self, sculpt: &HeadDistanceField, eye: f32) {
        let (middle, half) = sculpt.eye_middle_and_half_width_angles();
        let within = |theta: &f32| (theta * eye - middle).abs() < half + 0.03;
        let angles: Vec<f32> = self.column_angles.iter().copied().filter(within).collect();
        for side in [1.0, -1.0] {
            // The upper rim, below the lashes, is darker.
            let uv = atlas::LID_RIM_PATCH.uv_at_patch_position(vec2(0.5 - 0.3 * side, 0.5));
            let rim = [0, 1, 2].map(|depth| (HeadVertexPart::LidRim(depth), uv));
            self.add_layered_strip_along_edge(sculpt, &angles, EYE_ROW, side, &rim);
        }
        let lash = [0, 1, 2].map(|k| (HeadVertexPart::Lash(k), atlas::LASH_PATCH.uv_at_patch_middle()));
        self.add_layered_strip_along_edge(sculpt, &angles, EYE_ROW, 1.0, &[lash[2], lash[1], lash[0]]);
    }

    /// Adds the inner sides of the upper and lower lip.
    fn add_lip_inner_sides(&mut self, sculpt: &HeadDistanceField) {
        let half = sculpt.mouth_half_angle() + 0.03;
        let angles: Vec<f32> = self.column_angles.iter().copied().filter(|a| a.abs() < half).collect();
        for side in [1.0, -1.0] {
            let into = [0, 1, 2, 3].map(|k| {
                let depth = f32::from(k) / 3.0;
                (HeadVertexPart::LipRim(k), atlas::MOUTH_PATCH.uv_at_patch_position(vec2(0.5, lerp(0.1, 0.9, depth))))
            });
            self.add_layered_strip_along_edge(sculpt, &angles, MOUTH_ROW, side, &into);
        }
    }
}

/// The position of a vertex when the lids have these distances. Both eyes have the same lids.
pub(super) fn vertex_position_at_lid_distances(
    sculpt: &HeadDistanceField,
    source: &HeadGridVertex,
    lids: LidDistancesFromEyeRow,
) -> Vec3 {
    let edge = sculpt.skin_point_at_angle_row(source.theta, vertex_height_at_lid_distances(sculpt, source, lids));
    let eye = vec3(sculpt.eye_centre.x.copysign(source.theta), sculpt.eye_centre.y, sculpt.eye_centre.z);
    let out = (edge - eye).normalize_or_zero();
    match source.layer {
        HeadVertexPart::Skin
        | HeadVertexPart::OnSkin
        | HeadVertexPart::Teeth
        | HeadVertexPart::Tongue
        | HeadVertexPart::LidRim(0) => edge,
        HeadVertexPart::LidRim(1) => eye + out * (sculpt.eye_radius + 0.01),
        HeadVertexPart::LidRim(_) => eye + out * sculpt.eye_radius * 0.9,
        HeadVertexPart::Lash(k) => {
            let (middle, half) = sculpt.eye_middle_and_half_width_angles();
            let s = ((source.theta.abs() - middle) / half).clamp(-1.0, 1.0);
            let long = (sculpt.character.lash_length * 0.27 - 0.03)
                * (1.0 - s * s).sqrt()
                * lerp(0.6, 1.25, smoothstep(-1.0, 1.0, s));
            let lift = lerp(-0.55, 0.6, smoothstep(-0.4, 0.9, lids.upper));
            let sweep = vec3(0.45 * s.max(0.0) * source.theta.signum(), lift, 0.0);
            match k {
                0 => eye + out * (sculpt.eye_radius + 0.06),
                1 => edge + (out + sweep).normalize_or_zero() * long,
                _ => edge + out * 0.02 + Vec3::Y * 0.03 * (1.0 - s * s),
            }
        }
        HeadVertexPart::LipRim(k) => {
            let c = 1.0 - (source.theta / sculpt.mouth_half_angle()).powi(2).min(1.0);
            let side = source.edge_side * c.max(0.0).sqrt();
            // The cavity follows the line of the lips, so that nothing shows at the corners.
            let y = edge.y - side * 0.04;
            match k {
                0 => edge,
                // The lips touch behind their edges, so that no light comes through a closed mouth.
                1 => edge + vec3(0.0, side * -0.03, -0.35),
                2 => vec3(edge.x * 0.95, y + side * 1.0, edge.z - 1.7),
                _ => vec3(edge.x * 0.7, y, 4.2),
            }
        }
    }
}

/// The height on the head of a vertex when the lids have these distances. Also applies the tilt of the eyes and the
/// gap between the lips.
fn vertex_height_at_lid_distances(
    sculpt: &HeadDistanceField,
    source: &HeadGridVertex,
    lids: LidDistancesFromEyeRow,
) -> f32 {
    let fall = |x: f32| (1.0 - x).max(0.0).powi(2);
    let mut row = source.row;
    let (middle, half) = sculpt.eye_middle_and_half_width_angles();
    let s = (source.theta.abs() - middle) / half;
    let above = source.row - EYE_ROW;
    if s.abs() < 1.0 {
        let upper = above > 0.0 || (source.edge_side > 0.0 && above > -0.01);
        // The upper lid is highest near the nose, the lower one lowest away from it.
        let lean = if upper { s + 0.12 * (1.0 - s * s) } else { s - 0.15 * (1.0 - s * s) };
        let arc = (1.0 - lean * lean).max(0.0).powf(0.72);
        row += if upper { lids.upper * arc * fall(above / 3.2) } else { -lids.lower * arc * fall(-above / 2.8) };
    }
    if s.abs() < 1.6 {
        let tilt = sculpt.character.eye_tilt * s * (1.0 - smoothstep(1.0, 1.6, s.abs()));
        row += tilt * fall(above.abs() / 3.0);
    }
    let m = source.theta / sculpt.mouth_half_angle();
    let below = source.row - MOUTH_ROW;
    if m.abs() < 1.0 {
        row += 0.014 * source.edge_side * (1.0 - m * m) * fall(below.abs() / 0.5);
    }
    row
}

/// Angles of the columns, in radians from −π to π.
fn grid_column_angles() -> Vec<f32> {
    // Columns are closer together on the face than on the back of the head.
    let mut half = Vec::new();
    let mut angle = 0.0_f32;
    while angle < std::f32::consts::PI - 0.04 {
        half.push(angle);
        angle += lerp(0.0232, 0.115, smoothstep(0.62, 1.5, angle));
    }
    half.push(std::f32::consts::PI);
    half[1..].iter().rev().map(|a| -a).chain(half.iter().copied()).collect()
}

/// Heights of the rows from below, each with its edge (−1, 1; 0 for rows that are not doubled).
fn grid_row_heights_and_edges() -> Vec<(f32, f32)> {
    let bands = [
        (LOWEST_ROW, -26.0, 4),
        (-26.0, -18.6, 9),
        (-18.6, -16.6, 7),
        (-16.6, -12.5, 9),
        (-12.5, -8.8, 13),
        (-8.8, MOUTH_ROW, 12),
        (MOUTH_ROW, -5.0, 8),
        (-5.0, -2.2, 12),
        (-2.2, EYE_ROW, 11),
        (EYE_ROW, 3.0, 15),
        (3.0, 6.0, 8),
        (6.0, HIGHEST_ROW, 13),
    ];
    let mut rows = Vec::new();
    for (from, to, steps) in bands {
        for step in 0..steps {
            let row = lerp(from, to, step as f32 / steps as f32);
            if step == 0 && (from == EYE_ROW || from == MOUTH_ROW) {
                rows.push((row, -1.0));
                rows.push((row, 1.0));
            } else {
                rows.push((row, 0.0));
            }
        }
    }
    rows.push((HIGHEST_ROW, 0.0));
    rows
}
