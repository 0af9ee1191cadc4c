//! In what two grids differ.

use std::fmt;

/// Tolerance of the grids of phases, relative to the spacing.
pub(crate) const SAME_GRID: f64 = 1e-3;

/// A field of a [`Geometry`](crate::Geometry).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum GeometryField {
    /// Number of axes, 2 or 3.
    Dimension,
    /// Voxels along x, y, z.
    Size,
    /// Centre of the first voxel.
    Origin,
    /// Voxel distance in mm.
    Spacing,
    /// Direction cosines.
    Direction,
}

/// The field in which two grids differ, and by how much.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct GeometryDifference {
    /// The first field that differs.
    pub field: GeometryField,
    /// Its value in the first grid.
    pub left: String,
    /// Its value in the second grid.
    pub right: String,
    /// The tolerance that was exceeded.
    pub tolerance: f64,
}

impl fmt::Display for GeometryDifference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let field = match self.field {
            GeometryField::Dimension => "dimension",
            GeometryField::Size => "size",
            GeometryField::Origin => "origin",
            GeometryField::Spacing => "spacing",
            GeometryField::Direction => "direction",
        };
        write!(
            formatter,
            "{field} is {} in one and {} in the other (tolerance {:e})",
            self.left, self.right, self.tolerance
        )
    }
}
