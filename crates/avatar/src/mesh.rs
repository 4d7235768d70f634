//! Triangle meshes and their smooth normals.

use std::collections::HashMap;

use glam::{Vec2, Vec3};

/// Triangles over shared vertices. Lengths are in centimetres; the origin of texture coordinates is the top left.
#[derive(Clone, Default)]
pub(super) struct Mesh {
    pub(super) positions: Vec<Vec3>,
    pub(super) normals: Vec<Vec3>,
    pub(super) uvs: Vec<Vec2>,
    pub(super) triangles: Vec<[u32; 3]>,
}

impl Mesh {
    /// Adds a vertex without a normal, and returns its index.
    pub(super) fn vertex(&mut self, position: Vec3, uv: Vec2) -> u32 {
        self.positions.push(position);
        self.uvs.push(uv);
        (self.positions.len() - 1) as u32
    }

    /// Adds two triangles for the corners `a b c d`, which are anticlockwise seen from outside.
    pub(super) fn quad(&mut self, a: u32, b: u32, c: u32, d: u32) {
        self.triangles.extend([[a, b, c], [a, c, d]]);
    }

    /// Adds the triangles of a grid of `rows` × `columns` vertices, which are in row order from `first`.
    pub(super) fn grid(&mut self, first: u32, rows: u32, columns: u32) {
        for r in 0..rows - 1 {
            for c in 0..columns - 1 {
                let a = first + r * columns + c;
                self.quad(a, a + 1, a + columns + 1, a + columns);
            }
        }
    }

    /// Drops triangles without an area, which occur at poles and closed corners.
    pub(super) fn drop_slivers(&mut self) {
        let positions = &self.positions;
        self.triangles.retain(|t| area_normal(positions, t).length_squared() > 1e-12);
    }

    /// Drops vertices that no triangle uses, and returns the old index of each remaining vertex.
    pub(super) fn drop_unused(&mut self) -> Vec<usize> {
        let mut place = vec![u32::MAX; self.positions.len()];
        for corner in self.triangles.iter().flatten() {
            place[*corner as usize] = 0;
        }
        let kept: Vec<usize> = (0..place.len()).filter(|&i| place[i] == 0).collect();
        for (new, &old) in kept.iter().enumerate() {
            place[old] = new as u32;
        }
        self.positions = kept.iter().map(|&i| self.positions[i]).collect();
        self.uvs = kept.iter().map(|&i| self.uvs[i]).collect();
        for corner in self.triangles.iter_mut().flatten() {
            *corner = place[*corner as usize];
        }
        kept
    }

    /// Adds another mesh, with its normals.
    pub(super) fn append(&mut self, other: &Mesh) {
        let base = self.positions.len() as u32;
        self.positions.extend(&other.positions);
        self.normals.extend(&other.normals);
        self.uvs.extend(&other.uvs);
        self.triangles.extend(other.triangles.iter().map(|t| t.map(|i| i + base)));
    }

    /// Computes the smooth normal of every vertex.
    pub(super) fn smooth(&mut self) -> Seams {
        let seams = Seams::of(self);
        self.normals = seams.normals(&self.positions, &self.triangles);
        seams
    }
}

/// Which vertices share a position (at texture seams), and which triangles meet there.
pub(super) struct Seams {
    /// For each vertex, the group of vertices at its position.
    group: Vec<u32>,
    /// For each group, the index of its first triangle in `group_triangles`.
    starts: Vec<u32>,
    /// The triangles that meet in each group, group by group.
    around: Vec<u32>,
}

impl Seams {
    fn of(mesh: &Mesh) -> Self {
        let mut places: HashMap<[i32; 3], u32> = HashMap::with_capacity(mesh.positions.len());
        let group: Vec<u32> = mesh
            .positions
            .iter()
            .map(|p| {
                let key = (*p * 4000.0).round();
                let next = places.len() as u32;
                *places.entry([key.x as i32, key.y as i32, key.z as i32]).or_insert(next)
            })
            .collect();
        let mut starts = vec![0_u32; places.len() + 1];
        for corner in mesh.triangles.iter().flatten() {
            starts[group[*corner as usize] as usize + 1] += 1;
        }
        for i in 1..starts.len() {
            starts[i] += starts[i - 1];
        }
        let mut next = starts.clone();
        let mut around = vec![0; mesh.triangles.len() * 3];
        for (index, triangle) in mesh.triangles.iter().enumerate() {
            for corner in triangle {
                let slot = &mut next[group[*corner as usize] as usize];
                around[*slot as usize] = index as u32;
                *slot += 1;
            }
        }
        Self { group, starts, around }
    }

    fn normals(&self, positions: &[Vec3], triangles: &[[u32; 3]]) -> Vec<Vec3> {
        let flat: Vec<Vec3> = triangles.iter().map(|t| area_normal(positions, t)).collect();
        self.group.iter().map(|&g| unit(self.ring(g).map(|t| flat[t as usize]).sum())).collect()
    }

    /// The triangles that meet in a group.
    fn ring(&self, group: u32) -> impl Iterator<Item = u32> + '_ {
        let (from, to) = (self.starts[group as usize], self.starts[group as usize + 1]);
        self.around[from as usize..to as usize].iter().copied()
    }

    /// The normals that change when the `moved` vertices get their new `positions`: vertex and new normal.
    pub(super) fn changed_normals(
        &self,
        positions: &[Vec3],
        triangles: &[[u32; 3]],
        moved: &[bool],
    ) -> Vec<(usize, Vec3)> {
        let mut touched = vec![false; self.starts.len()];
        for triangle in triangles {
            if triangle.iter().any(|&i| moved[i as usize]) {
                for &i in triangle {
                    touched[self.group[i as usize] as usize] = true;
                }
            }
        }
        let mut known: Vec<Option<Vec3>> = vec![None; touched.len()];
        (0..positions.len())
            .filter(|&i| touched[self.group[i] as usize])
            .map(|i| {
                let g = self.group[i];
                let normal = *known[g as usize].get_or_insert_with(|| {
                    unit(self.ring(g).map(|t| area_normal(positions, &triangles[t as usize])).sum())
                });
                (i, normal)
            })
            .collect()
    }
}

/// The vector with length 1; +Y for a vector without length.
fn unit(v: Vec3) -> Vec3 {
    // Normalised twice: for very small sums, once is not within the tolerance of the Khronos validator.
    v.try_normalize().and_then(Vec3::try_normalize).unwrap_or(Vec3::Y)
}

/// The normal of a triangle, as long as twice its area.
fn area_normal(positions: &[Vec3], t: &[u32; 3]) -> Vec3 {
    let [a, b, c] = t.map(|i| positions[i as usize]);
    (b - a).cross(c - a)
}

#[cfg(test)]
mod tests {
    use glam::vec3;

    use super::*;

    fn square() -> Mesh {
        let mut mesh = Mesh::default();
        for (x, y) in [(0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (1.0, 1.0)] {
            mesh.vertex(vec3(x, y, 0.0), Vec2::ZERO);
        }
        mesh.grid(0, 2, 2);
        mesh
    }

    #[test]
    fn normals_of_a_flat_grid_point_along_z() {
        let mut mesh = square();
        mesh.smooth();
        assert!(mesh.normals.iter().all(|n| (*n - Vec3::Z).length() < 1e-6));
    }

    #[test]
    fn unused_vertices_are_dropped_and_indices_updated() {
        let mut mesh = square();
        mesh.positions.insert(0, Vec3::ONE);
        mesh.uvs.insert(0, Vec2::ONE);
        mesh.triangles.iter_mut().flatten().for_each(|i| *i += 1);
        assert_eq!(mesh.drop_unused(), [1, 2, 3, 4]);
        assert_eq!(mesh.positions.len(), 4);
        assert_eq!(mesh.triangles[0], [0, 1, 3]);
    }

    #[test]
    fn only_normals_next_to_moved_vertices_change() {
        let mut mesh = square();
        let mut far = square();
        far.positions.iter_mut().for_each(|p| p.x += 9.0);
        mesh.append(&far);
        let seams = mesh.smooth();
        let mut moved = vec![false; 8];
        moved[0] = true;
        mesh.positions[0].z = 1.0;
        let changed = seams.changed_normals(&mesh.positions, &mesh.triangles, &moved);
        assert!(!changed.is_empty() && changed.iter().all(|(i, _)| *i < 4));
    }
}
