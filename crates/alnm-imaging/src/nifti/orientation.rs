//! Where the axes point: the two orientations that a header has.

use super::header::{Header, Version};
use super::{Matrix, Result, malformed, unsupported};
use crate::geometry::dot;
use crate::voxel_data::{FormConflict, NiftiForm};

/// Columns of the matrix from index to coordinates, and the first voxel's coordinates.
type Placement = ([[f64; 3]; 3], [f64; 3]);

impl Header {
    /// Columns of the matrix from index to RAS coordinates, and the first voxel's coordinates.
    pub(super) fn orientation(&self) -> Result<Placement> {
        match self.form {
            NiftiForm::Qform if self.qform_code > 0 => return Ok(self.qform()),
            NiftiForm::Sform if self.sform_code > 0 && self.is_unsheared(&self.sform().0) => return Ok(self.sform()),
            NiftiForm::Sform if self.sform_code > 0 => {
                return Err(unsupported("the sform is sheared or contradicts pixdim; take the qform"));
            }
            NiftiForm::Qform => return Err(malformed("qform_code is 0: the header has no qform; take the sform")),
            NiftiForm::Sform => return Err(malformed("sform_code is 0: the header has no sform; take the qform")),
            NiftiForm::Itk => {}
        }
        if self.qform_code <= 0 && self.sform_code <= 0 {
            // Without an orientation ITK takes index axes and LPS axes as the same.
            return Ok(([[-1.0, 0.0, 0.0], [0.0, -1.0, 0.0], [0.0, 0.0, 1.0]], [0.0; 3]));
        }
        let sform = self.sform();
        let sform_is_usable = self.sform_code > 0 && self.is_unsheared(&sform.0);
        if sform_is_usable && (self.qform_code <= 0 || self.sform_code == 1) {
            return Ok(sform);
        }
        if self.qform_code > 0 {
            return Ok(self.qform());
        }
        Err(unsupported(
            "the sform is sheared or contradicts pixdim, and there is no qform; resample the image to orthogonal axes",
        ))
    }

    /// Whether both orientations are there and place the image elsewhere.
    pub(super) fn form_conflict(&self) -> Result<Option<FormConflict>> {
        /// How far apart in voxels the two may place a corner: single precision rounds.
        const SAME_PLACE: f64 = 0.01;
        if self.qform_code <= 0 || self.sform_code <= 0 {
            return Ok(None);
        }
        let (sform, qform) = (self.sform(), self.qform());
        let extent: [f64; 3] = std::array::from_fn(|axis| (self.dim[axis + 1].max(1) - 1) as f64);
        let at = |(columns, offset): &Placement, corner: usize| -> [f64; 3] {
            std::array::from_fn(|row| {
                let along = (0..3).filter(|axis| corner >> axis & 1 == 1).map(|axis| columns[axis][row] * extent[axis]);
                offset[row] + along.sum::<f64>()
            })
        };
        let distance = |corner: usize| {
            let (a, b) = (at(&sform, corner), at(&qform, corner));
            (0..3).map(|axis| (a[axis] - b[axis]).powi(2)).sum::<f64>().sqrt()
        };
        let millimetres = (0..8).map(distance).fold(0.0, f64::max);
        let smallest = self.pixdim[1..4].iter().copied().filter(|spacing| *spacing > 0.0).fold(f64::INFINITY, f64::min);
        if millimetres.is_nan() || millimetres <= SAME_PLACE * smallest {
            return Ok(None);
        }
        let is_sform_taken = self.orientation()? == sform;
        Ok(Some(FormConflict { millimetres, is_sform_taken }))
    }

    fn sform(&self) -> Placement {
        let columns = std::array::from_fn(|column| std::array::from_fn(|row| self.srow[row * 4 + column]));
        (columns, std::array::from_fn(|row| self.srow[row * 4 + 3]))
    }

    /// Whether the columns are orthogonal and as long as the spacings, in ITK's tolerances.
    fn is_unsheared(&self, columns: &[[f64; 3]; 3]) -> bool {
        let lengths = columns.map(|column| dot(column, column).sqrt());
        let spacings_agree = (0..3).all(|axis| (self.pixdim[axis + 1] - lengths[axis]).abs() <= 1e-3);
        let orthogonal = [(0, 1), (0, 2), (1, 2)]
            .iter()
            .all(|&(a, b)| dot(columns[a], columns[b]).abs() <= 1e-4 * lengths[a] * lengths[b]);
        spacings_agree && orthogonal && lengths.iter().all(|length| *length > 0.0)
    }

    /// Rotation from the quaternion (a, b, c, d) with a ≥ 0 left out of the file; the third axis turned round when
    /// `pixdim[0]` is negative.
    fn qform(&self) -> Placement {
        let [mut b, mut c, mut d] = self.quatern;
        let rest = 1.0 - (b * b + c * c + d * d);
        let mut a = 0.0;
        if rest < 1e-7 {
            let scale = 1.0 / (b * b + c * c + d * d).sqrt();
            (b, c, d) = (b * scale, c * scale, d * scale);
        } else {
            a = rest.sqrt();
        }
        let handedness = if self.pixdim[0] < 0.0 { -1.0 } else { 1.0 };
        let scale: [f64; 3] =
            std::array::from_fn(|axis| if self.pixdim[axis + 1] > 0.0 { self.pixdim[axis + 1] } else { 1.0 });
        let columns = [
            [a * a + b * b - c * c - d * d, 2.0 * (b * c + a * d), 2.0 * (b * d - a * c)],
            [2.0 * (b * c - a * d), a * a + c * c - b * b - d * d, 2.0 * (c * d + a * b)],
            [2.0 * (b * d + a * c), 2.0 * (c * d - a * b), a * a + d * d - c * c - b * b].map(|x| x * handedness),
        ];
        let single = |x: f64| if self.version == Version::One { f64::from(x as f32) } else { x };
        (std::array::from_fn(|axis| columns[axis].map(|x| single(x * scale[axis]))), self.qoffset)
    }
}

/// (b, c, d) of the quaternion with a ≥ 0 of a rotation, and −1 where the third axis has to be turned round to make the
/// axes right-handed.
pub(super) fn quaternion(rotation: &Matrix) -> ([f64; 3], f64) {
    let mut r = *rotation;
    let determinant = r[0][0] * (r[1][1] * r[2][2] - r[1][2] * r[2][1])
        - r[0][1] * (r[1][0] * r[2][2] - r[1][2] * r[2][0])
        + r[0][2] * (r[1][0] * r[2][1] - r[1][1] * r[2][0]);
    let handedness = determinant.signum();
    for row in &mut r {
        row[2] *= handedness;
    }
    // The largest of the four components is found first, since the others are divided by it.
    let trace = r[0][0] + r[1][1] + r[2][2];
    let squares = [1.0 + trace, 1.0 + 2.0 * r[0][0] - trace, 1.0 + 2.0 * r[1][1] - trace, 1.0 + 2.0 * r[2][2] - trace];
    let largest = (0..4).max_by(|&i, &j| squares[i].total_cmp(&squares[j])).unwrap_or(0);
    let root = squares[largest].max(0.0).sqrt();
    let divisor = 2.0 * root;
    let (xy, xz, yz) = (r[0][1] + r[1][0], r[0][2] + r[2][0], r[1][2] + r[2][1]);
    let (x, y, z) = (r[2][1] - r[1][2], r[0][2] - r[2][0], r[1][0] - r[0][1]);
    let [a, b, c, d] = match largest {
        0 => [root / 2.0, x / divisor, y / divisor, z / divisor],
        1 => [x / divisor, root / 2.0, xy / divisor, xz / divisor],
        2 => [y / divisor, xy / divisor, root / 2.0, yz / divisor],
        _ => [z / divisor, xz / divisor, yz / divisor, root / 2.0],
    };
    let sign = if a < 0.0 { -1.0 } else { 1.0 };
    ([b, c, d].map(|x| x * sign), handedness)
}
