//! Rotations and matrices of nodes. Computed in single precision as the Khronos validator does, because the tolerances
//! are of the size of the rounding errors of large matrices.
#![expect(clippy::float_cmp, reason = "the last row of a matrix and its determinant are compared exactly")]
#![expect(clippy::many_single_char_names, reason = "the elements of a matrix have no other names")]

use super::accessor::round_to_single_precision;

/// How far the length of a quaternion may be from 1.
pub(super) const QUATERNION_TOLERANCE: f64 = 0.007_69;
/// How far the norm of a matrix may be from that of its parts.
const MATRIX_TOLERANCE: f64 = 0.000_05;

/// Three columns of a matrix.
type Columns = [[f64; 3]; 3];

pub(super) fn is_unit_quaternion(rotation: &[f64]) -> bool {
    let squares: f64 = rotation.iter().map(|part| round_to_single_precision(*part).powi(2)).sum();
    (1.0 - squares.sqrt()).abs() <= QUATERNION_TOLERANCE
}

/// Whether the matrix (by columns) is decomposable to translation, rotation and scale, without shear.
pub(super) fn is_decomposable_to_trs(matrix: &[f64]) -> bool {
    let Ok(values) = <[f64; 16]>::try_from(matrix) else { return false };
    let [a, b, c, last_a, d, e, f, last_b, g, h, i, last_c, x, y, z, last] = values.map(round_to_single_precision);
    let columns = [[a, b, c], [d, e, f], [g, h, i]];
    let determinant = determinant(&columns);
    if [last_a, last_b, last_c, last] != [0.0, 0.0, 0.0, 1.0] || determinant == 0.0 {
        return false;
    }
    let mut scale = columns.map(|column| column.iter().map(|part| part * part).sum::<f64>().sqrt());
    if determinant < 0.0 {
        scale[0] = -scale[0];
    }
    let mut rotation = columns;
    for (column, scale) in rotation.iter_mut().zip(scale) {
        *column = column.map(|part| round_to_single_precision(part * (1.0 / scale)));
    }
    let mut rebuilt = rotation_from_quaternion(quaternion_from_rotation(&rotation));
    for (column, scale) in rebuilt.iter_mut().zip(scale) {
        *column = column.map(|part| round_to_single_precision(part * round_to_single_precision(scale)));
    }
    let norm = |columns: &Columns| {
        let sums = columns.iter().map(|column| column.iter().map(|part| part.abs()).sum());
        sums.chain([x.abs() + y.abs() + z.abs() + 1.0]).fold(0.0, f64::max)
    };
    (norm(&columns) - norm(&rebuilt)).abs() < MATRIX_TOLERANCE
}

fn determinant([[a, b, c], [d, e, f], [g, h, i]]: &Columns) -> f64 {
    a * (e * i - f * h) - d * (b * i - c * h) + g * (b * f - c * e)
}

/// The quaternion (x, y, z, w) of a rotation.
fn quaternion_from_rotation(rotation: &Columns) -> [f64; 4] {
    let [[xx, xy, xz], [yx, yy, yz], [zx, zy, zz]] = *rotation;
    let trace = xx + yy + zz;
    let parts = if trace > 0.0 {
        let root = (trace + 1.0).sqrt();
        let half = 0.5 / root;
        [(yz - zy) * half, (zx - xz) * half, (xy - yx) * half, root * 0.5]
    } else if xx >= yy && xx >= zz {
        let root = (xx - yy - zz + 1.0).sqrt();
        let half = 0.5 / root;
        [root * 0.5, (xy + yx) * half, (xz + zx) * half, (yz - zy) * half]
    } else if yy >= zz {
        let root = (yy - zz - xx + 1.0).sqrt();
        let half = 0.5 / root;
        [(yx + xy) * half, root * 0.5, (yz + zy) * half, (zx - xz) * half]
    } else {
        let root = (zz - xx - yy + 1.0).sqrt();
        let half = 0.5 / root;
        [(zx + xz) * half, (zy + yz) * half, root * 0.5, (xy - yx) * half]
    };
    parts.map(round_to_single_precision)
}

/// The rotation of a quaternion (x, y, z, w).
fn rotation_from_quaternion([x, y, z, w]: [f64; 4]) -> Columns {
    let (x2, y2, z2) = (x + x, y + y, z + z);
    [
        [1.0 - (y * y2 + z * z2), x * y2 + w * z2, x * z2 - w * y2],
        [x * y2 - w * z2, 1.0 - (x * x2 + z * z2), y * z2 + w * x2],
        [x * z2 + w * y2, y * z2 - w * x2, 1.0 - (x * x2 + y * y2)],
    ]
    .map(|column| column.map(round_to_single_precision))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matrix_with_shear_is_not_rigid() {
        let turned = [0.0, 2.0, 0.0, 0.0, -2.0, 0.0, 0.0, 0.0, 0.0, 0.0, 2.0, 0.0, 1.0, 2.0, 3.0, 1.0];
        assert!(is_decomposable_to_trs(&turned));
        let mut mirrored = turned;
        mirrored[10] = -2.0;
        assert!(is_decomposable_to_trs(&mirrored));
        let mut sheared = turned;
        // The translation does not have the largest column.
        sheared[12..15].fill(0.0);
        sheared[4] = -2.0;
        sheared[5] = 1.0;
        assert!(!is_decomposable_to_trs(&sheared));
    }
}
