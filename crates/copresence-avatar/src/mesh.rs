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
    pub(super) fn add_vertex(&mut self, position: Vec3, uv: Vec2) -> u32 {
        self.positions.push(position);
        self.uvs.push(uv);
        (self.positions.len() - 1) as u32
    }

    /// Adds two triangles for the corners `a b c d`, which are anticlockwise seen from outside.
    pub(super) fn add_quad(&mut self, a: u32, b: u32, c: u32, d: u32) {
        self.triangles.extend([[a, b, c], [a, c, d]]);
    }

    /// Adds the triangles of a grid of `rows` × `columns` vertices, which are in row order from `first`.
    pub(super) fn add_grid_triangles(&mut self, first: u32, rows: u32, columns: u32) {
        for r in 0..rows - 1 {
            for c in 0..columns - 1 {
                let a = first + r * columns + c;
                self.add_quad(a, a + 1, a + columns + 1, a + columns);
            }
        }
    }

    /// Drops triangles without an area, which occur at poles and closed corners.
    pub(super) fn drop_degenerate_triangles(&mut self) {
        let positions = &self.positions;
        self.triangles.retain(|t| area_weighted_normal(positions, t).length_squared() > 1e-12);
    }

    /// Drops vertices that no triangle uses, and returns the old index of each remaining vertex.
    pub(super) fn drop_unused_vertices_and_map_indices(&mut self) -> Vec<usize> {
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
    pub(super) fn append_mesh(&mut self, other: &Mesh) {
        let base = self.positions.len() as u32;
        self.positions.extend(&other.positions);
        self.normals.extend(&other.normals);
        self.uvs.extend(&other.uvs);
        self.triangles.extend(other.triangles.iter().map(|t| t.map(|i| i + base)));
    }

    /// Sets the smooth normal of every vertex. Returns the groups of vertices, from which changed normals can be
    /// computed later.
    pub(super) fn set_normals_and_group_vertices(&mut self) -> CoincidentVertexGroups {
        let seams = CoincidentVertexGroups::group_coincident_vertices(self);
        self.normals = seams.vertex_normals(&self.positions, &self.triangles);
        seams
    }
}

/// Groups of vertices at the same position (at texture seams), with the triangles that meet there. Their vertices
/// share one smooth normal.
pub(super) struct CoincidentVertexGroups {
    /// For each vertex, the group of vertices at its position.
    vertex_groups: Vec<u32>,
    /// For each group, the index of its first triangle in `group_triangles`.
    group_starts: Vec<u32>,
    /// The triangles that meet in each group, group by group.
    group_triangles: Vec<u32>,
}

impl CoincidentVertexGroups {
    /// Groups the vertices of a mesh that share a position, and lists the triangles that meet in each group.
    fn group_coincident_vertices(mesh: &Mesh) -> Self {
        let mut places: HashMap<[i32; 3], u32> = HashMap::with_capacity(mesh.positions.len());
        let vertex_groups: Vec<u32> = mesh
            .positions
            .iter()
            .map(|p| {
                let key = (*p * 4000.0).round();
                let next = places.len() as u32;
                *places.entry([key.x as i32, key.y as i32, key.z as i32]).or_insert(next)
            })
            .collect();
        let mut group_starts = vec![0_u32; places.len() + 1];
        for corner in mesh.triangles.iter().flatten() {
            group_starts[vertex_groups[*corner as usize] as usize + 1] += 1;
        }
        for i in 1..group_starts.len() {
            group_starts[i] += group_starts[i - 1];
        }
        let mut next = group_starts.clone();
        let mut group_triangles = vec![0; mesh.triangles.len() * 3];
        for (index, triangle) in mesh.triangles.iter().enumerate() {
            for corner in triangle {
                let slot = &mut next[vertex_groups[*corner as usize] as usize];
                group_triangles[*slot as usize] = index as u32;
                *slot += 1;
            }
        }
        Self { vertex_groups, group_starts, group_triangles }
    }

    /// The smooth normal of every vertex: the mean of the triangles that meet at its position, weighted by area.
    fn vertex_normals(&self, positions: &[Vec3], triangles: &[[u32; 3]]) -> Vec<Vec3> {
        let flat: Vec<Vec3> = triangles.iter().map(|t| area_weighted_normal(positions, t)).collect();
        self.vertex_groups
            .iter()
            .map(|&g| normalize_or_up(self.triangles_of_vertex_group(g).map(|t| flat[t as usize]).sum()))
            .collect()
    }

    /// The triangles that meet in a group.
    fn triangles_of_vertex_group(&self, group: u32) -> impl Iterator<Item = u32> + '_ {
        let (from, to) = (self.group_starts[group as usize], self.group_starts[group as usize + 1]);
        self.group_triangles[from as usize..to as usize].iter().copied()
    }

    /// Computes the normals that change when the `moved` vertices get their new `positions`, and returns each with its
    /// vertex. Does not change the mesh.
    pub(super) fn compute_affected_normals(
        &self,
        positions: &[Vec3],
        triangles: &[[u32; 3]],
        moved: &[bool],
    ) -> Vec<(usize, Vec3)> {
        let mut touched = vec![false; self.group_starts.len()];
        for triangle in triangles {
            if triangle.iter().any(|&i| moved[i as usize]) {
                for &i in triangle {
                    touched[self.vertex_groups[i as usize] as usize] = true;
                }
            }
        }
        let mut known: Vec<Option<Vec3>> = vec![None; touched.len()];
        (0..positions.len())
            .filter(|&i| touched[self.vertex_groups[i] as usize])
            .map(|i| {
                let g = self.vertex_groups[i];
                let normal = *known[g as usize].get_or_insert_with(|| {
                    normalize_or_up(
                        self.triangles_of_vertex_group(g)
                            .map(|t| area_weighted_normal(positions, &triangles[t as usize]))
                            .sum(),
                    )
                });
                (i, normal)
            })
            .collect()
    }
}

/// The vector with length 1; +Y for a vector without length.
fn normalize_or_up(v: Vec3) -> Vec3 {
    // Normalised twice: for very small sums, once is not within the tolerance of the Khronos validator.
    v.try_normalize().and_then(Vec3::try_normalize).unwrap_or(Vec3::Y)
}

/// The area-weighted normal of a triangle: as long as twice its area.
fn area_weighted_normal(positions: &[Vec3], t: &[u32; 3]) -> Vec3 {
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
            mesh.add_vertex(vec3(x, y, 0.0), Vec2::ZERO);
        }
        mesh.add_grid_triangles(0, 2, 2);
        mesh
    }

    #[test]
    fn normals_of_a_flat_grid_point_along_z() {
        let mut mesh = square();
        mesh.set_normals_and_group_vertices();
        assert!(mesh.normals.iter().all(|n| (*n - Vec3::Z).length() < 1e-6));
    }

    #[test]
    fn unused_vertices_are_dropped_and_indices_updated() {
        let mut mesh = square();
        mesh.positions.insert(0, Vec3::ONE);
        mesh.uvs.insert(0, Vec2::ONE);
        mesh.triangles.iter_mut().flatten().for_each(|i| *i += 1);
        assert_eq!(mesh.drop_unused_vertices_and_map_indices(), [1, 2, 3, 4]);
        assert_eq!(mesh.positions.len(), 4);
        assert_eq!(mesh.triangles[0], [0, 1, 3]);
    }

    #[test]
    fn only_normals_next_to_moved_vertices_change() {
        let mut mesh = square();
        let mut far = square();
        far.positions.iter_mut().for_each(|p| p.x += 9.0);
        mesh.append_mesh(&far);
        let seams = mesh.set_normals_and_group_vertices();
        let mut moved = vec![false; 8];
        moved[0] = true;
        mesh.positions[0].z = 1.0;
        let changed = seams.compute_affected_normals(&mesh.positions, &mesh.triangles, &moved);
        assert!(!changed.is_empty() && changed.iter().all(|(i, _)| *i < 4));
    }
}
