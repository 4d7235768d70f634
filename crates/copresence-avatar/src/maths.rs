//! Shared numeric functions: interpolation, smooth unions, signed distances and noise.

use glam::Vec3;

/// 0 below `a`, 1 above `b`, an S-curve between them.
pub(super) fn smoothstep(a: f32, b: f32, x: f32) -> f32 {
    let t = ((x - a) / (b - a)).clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}

/// Linear interpolation from `a` (0) to `b` (1).
pub(super) fn lerp(a: f32, b: f32, t: f32) -> f32 {
    a + (b - a) * t
}

/// The bell curve `e^(-x²)`.
pub(super) fn exp_of_negative_square(x: f32) -> f32 {
    (-x * x).exp()
}

/// Union of two signed distances, rounded over the length `k`.
pub(super) fn smooth_union(a: f32, b: f32, k: f32) -> f32 {
    let h = (k - (a - b).abs()).max(0.0) / k;
    a.min(b) - h * h * k * 0.25
}

/// Difference of two signed distances, `a` without `b`, rounded over the length `k`.
pub(super) fn smooth_subtract(a: f32, b: f32, k: f32) -> f32 {
    -smooth_union(-a, b, k)
}

/// Signed distance to an ellipsoid at the origin with radii `r` (approximate, but close enough for ray marching).
pub(super) fn ellipsoid_distance(p: Vec3, r: Vec3) -> f32 {
    let outer = (p / r).length();
    let inner = (p / (r * r)).length().max(1e-6);
    outer * (outer - 1.0) / inner
}

/// Signed distance to a bar from `a` to `b`, whose radius changes from `ra` to `rb`.
pub(super) fn tapered_capsule_distance(p: Vec3, a: Vec3, b: Vec3, ra: f32, rb: f32) -> f32 {
    let (pa, ba) = (p - a, b - a);
    let h = (pa.dot(ba) / ba.length_squared()).clamp(0.0, 1.0);
    (pa - ba * h).length() - lerp(ra, rb, h)
}

/// `y` at `x` in a table of `(x, y)` sorted by `x`, with an S-curve between rows.
pub(super) fn interpolate_table_eased(table: &[(f32, f32)], x: f32) -> f32 {
    let (Some(first), Some(last)) = (table.first(), table.last()) else { return 0.0 };
    if x <= first.0 {
        return first.1;
    }
    table
        .windows(2)
        .find(|pair| x <= pair[1].0)
        .map_or(last.1, |pair| lerp(pair[0].1, pair[1].1, smoothstep(pair[0].0, pair[1].0, x)))
}

/// `y` at `x` on a smooth curve through `(x, y)` rows sorted by `x` (cubic Hermite with finite-difference slopes).
pub(super) fn interpolate_spline(table: &[(f32, f32)], x: f32) -> f32 {
    let last = table.len() - 1;
    let i = table.windows(2).position(|pair| x <= pair[1].0).unwrap_or(last - 1);
    let slope = |k: usize| {
        let (a, b) = (table[k.saturating_sub(1)], table[(k + 1).min(last)]);
        (b.1 - a.1) / (b.0 - a.0)
    };
    let ((x0, y0), (x1, y1)) = (table[i], table[i + 1]);
    let width = x1 - x0;
    let t = ((x - x0) / width).clamp(0.0, 1.0);
    let (t2, t3) = (t * t, t * t * t);
    y0 * (2.0 * t3 - 3.0 * t2 + 1.0)
        + slope(i) * width * (t3 - 2.0 * t2 + t)
        + y1 * (3.0 * t2 - 2.0 * t3)
        + slope(i + 1) * width * (t3 - t2)
}

/// A pseudo-random number in 0..=1 from three integers.
fn hash_to_unit(x: i32, y: i32, z: i32) -> f32 {
    let mut h = x.wrapping_mul(0x1657_4bf1) ^ y.wrapping_mul(0x27d4_eb2f) ^ z.wrapping_mul(0x0563_5c9b);
    h = (h ^ (h >> 15)).wrapping_mul(0x2c1b_3c6d);
    h = (h ^ (h >> 12)).wrapping_mul(0x297a_2d39);
    ((h ^ (h >> 15)) & 0xffff) as f32 / 65_535.0
}

/// White noise in 0..=1 for a pixel.
pub(super) fn pixel_noise(x: u32, y: u32) -> f32 {
    hash_to_unit(x as i32, y as i32, 5)
}

/// Value noise in 0..=1 with one feature in each unit.
pub(super) fn value_noise(p: Vec3) -> f32 {
    let cell = p.floor();
    let f = p - cell;
    let w = f * f * (Vec3::splat(3.0) - 2.0 * f);
    let (x, y, z) = (cell.x as i32, cell.y as i32, cell.z as i32);
    let row = |dy: i32, dz: i32| lerp(hash_to_unit(x, y + dy, z + dz), hash_to_unit(x + 1, y + dy, z + dz), w.x);
    lerp(lerp(row(0, 0), row(1, 0), w.y), lerp(row(0, 1), row(1, 1), w.y), w.z)
}

/// Distance from `p` to the nearest of scattered points, one in each unit cell (for curls and freckles).
pub(super) fn worley_noise(p: Vec3) -> f32 {
    let cell = p.floor();
    let mut best = 9.0_f32;
    for dz in -1..=1 {
        for dy in -1..=1 {
            for dx in -1..=1 {
                let (x, y, z) = (cell.x as i32 + dx, cell.y as i32 + dy, cell.z as i32 + dz);
                let at = Vec3::new(
                    x as f32 + hash_to_unit(x, y, z),
                    y as f32 + hash_to_unit(y, z, x),
                    z as f32 + hash_to_unit(z, x, y + 7),
                );
                best = best.min(at.distance_squared(p));
            }
        }
    }
    best.sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spline_and_table_pass_through_their_rows() {
        let rows = [(-2.0, 1.0), (0.0, 4.0), (1.0, 2.0)];
        for (x, y) in rows {
            assert!((interpolate_spline(&rows, x) - y).abs() < 1e-5);
            assert!((interpolate_table_eased(&rows, x) - y).abs() < 1e-5);
        }
    }

    #[test]
    fn noise_is_within_zero_and_one_and_repeatable() {
        for i in 0..200 {
            let p = Vec3::new(i as f32 * 0.37, -(i as f32) * 0.21, 3.3);
            assert!((0.0..=1.0).contains(&value_noise(p)));
            assert_eq!(value_noise(p).to_bits(), value_noise(p).to_bits());
        }
    }

    #[test]
    fn distances_are_negative_inside_and_zero_on_the_surface() {
        assert!(ellipsoid_distance(Vec3::X * 0.5, Vec3::splat(2.0)) < 0.0);
        assert!(ellipsoid_distance(Vec3::X * 2.0, Vec3::splat(2.0)).abs() < 1e-5);
        assert!(tapered_capsule_distance(Vec3::Y * 2.0, Vec3::ZERO, Vec3::X, 1.0, 1.0) > 0.9);
        assert!(smooth_union(0.1, 0.1, 0.5) < 0.1 && smooth_subtract(-1.0, -0.5, 0.1) > 0.0);
    }
}
