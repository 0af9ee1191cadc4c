//! Where the voxels of a grid lie in the patient.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::error::{ImagingError, Result};
use crate::geometry_difference::{GeometryDifference, GeometryField};
use crate::matrix_inverse::inverse;
use crate::voxel_box::VoxelBox;

/// The grid of a volume in physical space, as in DICOM and ITK: millimetres, LPS (x to the patient's left, y to the
/// back, z to the head).
///
/// A voxel with index `i = (x, y, z)` has its centre at `origin + direction · (spacing ∘ i)`; the columns of
/// `direction` are the unit vectors of the three index axes.
///
/// A two-dimensional image is a grid of one slice whose [`Geometry::dimension`] is 2.
///
/// A geometry that is read (by serde) is checked as [`Geometry::new`] checks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "StoredGeometry")]
pub struct Geometry {
    size: [usize; 3],
    spacing: [f64; 3],
    origin: [f64; 3],
    direction: [[f64; 3]; 3],
    dimension: usize,
    /// Turns an offset from the origin in mm into a continuous index.
    #[serde(skip)]
    offset_to_index: [[f64; 3]; 3],
}

/// A geometry as it is written.
#[derive(Deserialize)]
#[serde(rename = "Geometry", deny_unknown_fields)]
struct StoredGeometry {
    size: [usize; 3],
    spacing: [f64; 3],
    origin: [f64; 3],
    direction: [[f64; 3]; 3],
    dimension: usize,
}

impl TryFrom<StoredGeometry> for Geometry {
    type Error = ImagingError;

    fn try_from(stored: StoredGeometry) -> Result<Self> {
        let StoredGeometry { size, spacing, origin, direction, dimension } = stored;
        let geometry = Self::new(size, spacing, origin, direction)?;
        match dimension {
            3 => Ok(geometry),
            2 if size[2] == 1 => Ok(geometry.into_planar()),
            other => Err(ImagingError::InvalidGeometry {
                field: "dimension",
                value: format!("{other} for {} slices", size[2]),
                requirement: "it must be 3, or 2 for a grid of one slice",
            }),
        }
    }
}

/// The direction of an image whose index axes are the patient's axes.
pub(crate) const IDENTITY: [[f64; 3]; 3] = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];

impl Geometry {
    /// A grid of `size` voxels (x, y, z) with `spacing` in mm, the centre of its first voxel at `origin` and the rows
    /// of the direction matrix in `direction`.
    ///
    /// # Errors
    /// [`ImagingError::InvalidGeometry`] when a size is zero or their product overflows, a spacing is not finite and
    /// positive, an origin is not finite, or the direction is singular or not finite.
    pub fn new(size: [usize; 3], spacing: [f64; 3], origin: [f64; 3], direction: [[f64; 3]; 3]) -> Result<Self> {
        let invalid = |field, value, requirement| Err(ImagingError::InvalidGeometry { field, value, requirement });
        let voxels = size.iter().try_fold(1usize, |product, &n| product.checked_mul(n));
        if voxels.is_none_or(|n| n == 0) {
            return invalid(
                "size",
                format!("{size:?}"),
                "every axis needs at least one voxel and the product must fit in memory",
            );
        }
        if !spacing.iter().all(|s| s.is_finite() && *s > 0.0) {
            return invalid("spacing", format!("{spacing:?}"), "every spacing must be finite and above 0 mm");
        }
        if !origin.iter().all(|o| o.is_finite()) {
            return invalid("origin", format!("{origin:?}"), "every coordinate must be finite");
        }
        let determinant = determinant(&direction);
        if !determinant.is_finite() || determinant.abs() < 1e-6 {
            return invalid("direction", format!("{direction:?}"), "the matrix must be finite and invertible");
        }
        let offset_to_index = offset_to_index(&direction, spacing, 3);
        Ok(Self { size, spacing, origin, direction, dimension: 3, offset_to_index })
    }

    /// A two-dimensional grid of `size` pixels (x, y): one slice, 1 mm thick at z = 0, that remembers its dimension.
    ///
    /// # Errors
    /// As [`Geometry::new`].
    pub fn planar(size: [usize; 2], spacing: [f64; 2], origin: [f64; 2], direction: [[f64; 2]; 2]) -> Result<Self> {
        let direction =
            [[direction[0][0], direction[0][1], 0.0], [direction[1][0], direction[1][1], 0.0], [0.0, 0.0, 1.0]];
        Self::new([size[0], size[1], 1], [spacing[0], spacing[1], 1.0], [origin[0], origin[1], 0.0], direction)
            .map(Self::into_planar)
    }

    /// The same grid as a two-dimensional one; it has to have one slice.
    pub(crate) fn into_planar(self) -> Self {
        let offset_to_index = offset_to_index(&self.direction, self.spacing, 2);
        Self { dimension: 2, offset_to_index, ..self }
    }

    /// A grid aligned with the patient's axes whose first voxel lies at the origin.
    ///
    /// # Errors
    /// As [`Geometry::new`].
    pub fn axis_aligned(size: [usize; 3], spacing: [f64; 3]) -> Result<Self> {
        Self::new(size, spacing, [0.0; 3], IDENTITY)
    }

    /// How many axes the image has: 3, or 2 for an image that was stored as a plane.
    #[must_use]
    pub fn dimension(&self) -> usize {
        self.dimension
    }

    /// Voxels along x, y and z.
    #[must_use]
    pub fn size(&self) -> [usize; 3] {
        self.size
    }

    /// The shape of the array that holds the voxels: (z, y, x).
    #[must_use]
    pub fn shape(&self) -> [usize; 3] {
        [self.size[2], self.size[1], self.size[0]]
    }

    /// Number of voxels.
    #[must_use]
    pub fn voxel_count(&self) -> usize {
        self.size.iter().product()
    }

    /// The box of all voxels.
    #[must_use]
    pub fn voxel_box(&self) -> VoxelBox {
        VoxelBox::of_shape(self.shape())
    }

    /// Distance of neighbouring voxel centres along x, y and z in mm.
    #[must_use]
    pub fn spacing(&self) -> [f64; 3] {
        self.spacing
    }

    /// Volume of one voxel in mm³.
    #[must_use]
    pub fn voxel_volume(&self) -> f64 {
        self.spacing.iter().product()
    }

    /// Centre of the voxel (0, 0, 0) in mm.
    #[must_use]
    pub fn origin(&self) -> [f64; 3] {
        self.origin
    }

    /// Rows of the direction matrix; its columns are the unit vectors of the index axes.
    #[must_use]
    pub fn direction(&self) -> [[f64; 3]; 3] {
        self.direction
    }

    /// The point in mm at a continuous index (x, y, z).
    ///
    /// ```
    /// # use alnm_imaging::Geometry;
    /// let geometry = Geometry::new([4, 4, 2], [0.5, 0.5, 2.0], [10.0, 0.0, -5.0], [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])?;
    /// assert_eq!(geometry.index_to_point([2.0, 0.0, 1.0]), [11.0, 0.0, -3.0]);
    /// # Ok::<(), alnm_imaging::ImagingError>(())
    /// ```
    #[must_use]
    pub fn index_to_point(&self, index: [f64; 3]) -> [f64; 3] {
        std::array::from_fn(|row| {
            self.origin[row]
                + (0..3).map(|axis| self.direction[row][axis] * self.spacing[axis] * index[axis]).sum::<f64>()
        })
    }

    /// The point in mm at the centre of the voxel (x, y, z), added up as ITK does it for whole indices: from the origin
    /// on, where [`Geometry::index_to_point`] adds the origin last. The two differ by rounding.
    pub(crate) fn voxel_to_point(&self, voxel: [usize; 3]) -> [f64; 3] {
        std::array::from_fn(|row| {
            (0..3).fold(self.origin[row], |sum, axis| {
                sum + self.direction[row][axis] * self.spacing[axis] * voxel[axis] as f64
            })
        })
    }

    /// The continuous index (x, y, z) of a point in mm; the inverse of [`Geometry::index_to_point`], with the bits that
    /// ITK's `TransformPhysicalPointToContinuousIndex` gives.
    #[must_use]
    pub fn point_to_index(&self, point: [f64; 3]) -> [f64; 3] {
        let offset: [f64; 3] = std::array::from_fn(|axis| point[axis] - self.origin[axis]);
        self.offset_to_index.map(|row| row[0] * offset[0] + row[1] * offset[1] + row[2] * offset[2])
    }

    /// Whether a point in mm lies in the image: at most half a voxel beyond the centres of its outermost voxels.
    ///
    /// ```
    /// # use alnm_imaging::Geometry;
    /// let geometry = Geometry::axis_aligned([4, 4, 2], [0.5, 0.5, 2.0])?;
    /// assert!(geometry.contains([1.75, 0.0, -1.0]));
    /// assert!(!geometry.contains([1.8, 0.0, 0.0]));
    /// # Ok::<(), alnm_imaging::ImagingError>(())
    /// ```
    #[must_use]
    pub fn contains(&self, point: [f64; 3]) -> bool {
        /// In voxels: grids of files in single precision differ by less.
        const ROUNDING: f64 = 1e-4;
        let index = self.point_to_index(point);
        let is_inside = |axis: usize| {
            let half = 0.5 + ROUNDING;
            (-half..=self.size[axis] as f64 - 1.0 + half).contains(&index[axis])
        };
        (0..3).all(is_inside)
    }

    /// Whether the centre of any voxel of this grid lies in the image on another.
    ///
    /// ```
    /// # use alnm_imaging::Geometry;
    /// let here = Geometry::axis_aligned([4, 4, 2], [1.0; 3])?;
    /// assert!(here.meets(&here.with_grid([4, 4, 2], [1.0; 3], [3.5, 0.0, 0.0])?));
    /// assert!(!here.meets(&here.with_grid([4, 4, 2], [1.0; 3], [40.0, 0.0, 0.0])?));
    /// # Ok::<(), alnm_imaging::ImagingError>(())
    /// ```
    #[must_use]
    pub fn meets(&self, other: &Self) -> bool {
        (0..self.voxel_count())
            .into_par_iter()
            .any(|position| other.contains(self.voxel_to_point(self.index_of(position))))
    }

    /// Whether the axes are perpendicular unit vectors but for rounding.
    pub(crate) fn is_orthonormal(&self) -> bool {
        const ROUNDING: f64 = 1e-4;
        self.skewness() < ROUNDING
    }

    /// Says what is wrong with a grid from a file whose axes are not perpendicular unit vectors: distances and the
    /// volume of a voxel would not be those of [`Geometry::spacing`]. Directions written with three decimals pass.
    pub(crate) fn check_axes(&self) -> std::result::Result<(), String> {
        const THREE_DECIMALS: f64 = 2e-3;
        if self.skewness() < THREE_DECIMALS {
            return Ok(());
        }
        Err(format!(
            "axes that are not perpendicular unit vectors, direction {:?}; resample the image to orthogonal axes",
            self.direction
        ))
    }

    /// The largest difference of the axes' scalar products from those of perpendicular unit vectors.
    fn skewness(&self) -> f64 {
        let column = |axis: usize| self.direction.map(|row| row[axis]);
        let pairs = (0..3).flat_map(|a| (0..3).map(move |b| (a, b)));
        pairs.map(|(a, b)| (dot(column(a), column(b)) - IDENTITY[a][b]).abs()).fold(0.0, f64::max)
    }

    /// Index (x, y, z) of the voxel at a position in raster order, x fastest.
    #[must_use]
    pub fn index_of(&self, position: usize) -> [usize; 3] {
        [position % self.size[0], position / self.size[0] % self.size[1], position / self.size[0] / self.size[1]]
    }

    /// The part of the grid in a box.
    ///
    /// # Errors
    /// [`ImagingError::InvalidGeometry`] when the box is empty or leaves the grid.
    pub fn part(&self, part: &VoxelBox) -> Result<Self> {
        if part.end().iter().zip(self.size).any(|(&end, size)| end > size) {
            return Err(ImagingError::InvalidGeometry {
                field: "part",
                value: format!("start {:?}, size {:?}", part.start(), part.size()),
                requirement: "the part must lie inside the grid",
            });
        }
        let origin = self.index_to_point(part.start().map(|i| i as f64));
        self.with_grid(part.size(), self.spacing, origin)
    }

    /// A grid with other voxels in the same orientation and of the same dimension.
    ///
    /// # Errors
    /// As [`Geometry::new`].
    pub fn with_grid(&self, size: [usize; 3], spacing: [f64; 3], origin: [f64; 3]) -> Result<Self> {
        let grid = Self::new(size, spacing, origin, self.direction)?;
        Ok(if self.dimension == 2 { grid.into_planar() } else { grid })
    }

    /// The first field in which two grids differ by more than `tolerance`: the rule of ITK, where origins and spacings
    /// may differ by `tolerance` times the first spacing in mm and direction cosines by `tolerance` itself
    /// (ITK's default is 1e-6). `None` when the grids agree.
    #[must_use]
    pub fn difference(&self, other: &Self, tolerance: f64) -> Option<GeometryDifference> {
        let report = |field, left: String, right: String| Some(GeometryDifference { field, left, right, tolerance });
        let apart = |a: &[f64; 3], b: &[f64; 3], limit: f64| a.iter().zip(b).any(|(a, b)| (a - b).abs() > limit);
        let millimetres = tolerance * self.spacing[0];
        if self.dimension != other.dimension {
            return report(GeometryField::Dimension, self.dimension.to_string(), other.dimension.to_string());
        }
        if self.size != other.size {
            return report(GeometryField::Size, format!("{:?}", self.size), format!("{:?}", other.size));
        }
        if apart(&self.origin, &other.origin, millimetres) {
            return report(GeometryField::Origin, format!("{:?}", self.origin), format!("{:?}", other.origin));
        }
        if apart(&self.spacing, &other.spacing, millimetres) {
            return report(GeometryField::Spacing, format!("{:?}", self.spacing), format!("{:?}", other.spacing));
        }
        if (0..3).any(|row| apart(&self.direction[row], &other.direction[row], tolerance)) {
            return report(GeometryField::Direction, format!("{:?}", self.direction), format!("{:?}", other.direction));
        }
        None
    }
}

pub(crate) fn cross(a: [f64; 3], b: [f64; 3]) -> [f64; 3] {
    [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}

pub(crate) fn dot(a: [f64; 3], b: [f64; 3]) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

/// The unit vector in the direction of a vector; none of one without length.
#[cfg(feature = "dicom")]
pub(crate) fn unit(vector: [f64; 3]) -> Option<[f64; 3]> {
    let length = dot(vector, vector).sqrt();
    (length.is_normal()).then(|| vector.map(|x| x / length))
}

fn determinant(m: &[[f64; 3]; 3]) -> f64 {
    m[0][0] * (m[1][1] * m[2][2] - m[1][2] * m[2][1]) - m[0][1] * (m[1][0] * m[2][2] - m[1][2] * m[2][0])
        + m[0][2] * (m[1][0] * m[2][1] - m[1][1] * m[2][0])
}

/// The inverse of the matrix that turns an index into an offset from the origin in mm.
fn offset_to_index(direction: &[[f64; 3]; 3], spacing: [f64; 3], dimension: usize) -> [[f64; 3]; 3] {
    let [a, b, c]: [[f64; 3]; 3] = direction.map(|row| std::array::from_fn(|axis| row[axis] * spacing[axis]));
    if dimension == 2 && [a[2], b[2], c[0], c[1]] == [0.0; 4] {
        // ITK's image has two axes and a matrix of two rows here.
        let [[xx, xy], [yx, yy]] = inverse(&[[a[0], a[1]], [b[0], b[1]]]);
        return [[xx, xy, 0.0], [yx, yy, 0.0], [0.0, 0.0, 1.0 / c[2]]];
    }
    inverse(&[a, b, c])
}

#[cfg(test)]
mod tests {
    use approx::assert_abs_diff_eq;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn impossible_grids_are_refused() {
        assert!(Geometry::axis_aligned([0, 1, 1], [1.0; 3]).is_err());
        assert!(Geometry::axis_aligned([usize::MAX, 2, 1], [1.0; 3]).is_err());
        assert!(Geometry::axis_aligned([1, 1, 1], [1.0, -1.0, 1.0]).is_err());
        assert!(Geometry::axis_aligned([1, 1, 1], [1.0, f64::NAN, 1.0]).is_err());
        assert!(Geometry::new([1, 1, 1], [1.0; 3], [0.0; 3], [[1.0, 0.0, 0.0]; 3]).is_err());
    }

    #[test]
    fn a_geometry_that_is_read_is_checked() {
        let planar = Geometry::planar([4, 3], [1.0, 2.0], [0.0; 2], [[1.0, 0.0], [0.0, 1.0]]).unwrap();
        let text = serde_json::to_string(&planar).unwrap();
        assert_eq!(serde_json::from_str::<Geometry>(&text).unwrap(), planar);
        for (good, bad) in [("[4,3,1]", "[4,3,2]"), ("[4,3,1]", "[4,0,1]"), ("\"dimension\":2", "\"dimension\":4")] {
            assert!(text.contains(good), "{text}");
            assert!(serde_json::from_str::<Geometry>(&text.replace(good, bad)).is_err());
        }
    }

    proptest! {
        #[test]
        fn point_to_index_inverts_index_to_point(angle in -3.0f64..3.0, x in -50.0f64..50.0, y in -50.0f64..50.0, z in -50.0f64..50.0) {
            let (s, c) = angle.sin_cos();
            let direction = [[c, -s * 0.6, s * 0.8], [s, c * 0.6, -c * 0.8], [0.0, 0.8, 0.6]];
            let geometry = Geometry::new([8, 8, 8], [0.7, 1.3, 2.0], [-12.0, 4.0, 99.0], direction).unwrap();
            let back = geometry.point_to_index(geometry.index_to_point([x, y, z]));
            for (got, want) in back.iter().zip([x, y, z]) {
                assert_abs_diff_eq!(*got, want, epsilon = 1e-9);
            }
        }
    }
}
