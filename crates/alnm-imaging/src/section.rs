//! Axial sections: the largest cross-section of a region, rectangles around it, and their resizing.

use ndarray::{Array2, s};
use serde::{Deserialize, Serialize};

use crate::error::{ImagingError, Result};
use crate::region::labels;
use crate::volume::{LabelMap, Volume, Voxel};

/// A rectangle on one slice of a volume, in voxels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Section {
    /// Index of the slice (z).
    pub slice: usize,
    /// First column and row (x, y).
    pub start: [usize; 2],
    /// Columns and rows (x, y).
    pub size: [usize; 2],
}

impl Section {
    /// The rectangle around a region on the slice where it has most voxels; of equals the slice with the lowest index.
    ///
    /// # Errors
    /// [`ImagingError::EmptyRegion`] when no voxel has the label.
    ///
    /// ```
    /// use alnm_imaging::section::Section;
    /// use alnm_imaging::{Geometry, Volume};
    /// use ndarray::Array3;
    /// let labels = Array3::from_shape_fn((3, 6, 8), |(z, y, x)| u32::from(z > 0 && y == 2 && (3..4 + z).contains(&x)));
    /// let mask = Volume::new(labels, Geometry::axis_aligned([8, 6, 3], [1.0; 3])?)?;
    /// let section = Section::largest(&mask, 1)?;
    /// assert_eq!((section.slice, section.start, section.size), (2, [3, 2], [3, 1]));
    /// # Ok::<(), alnm_imaging::ImagingError>(())
    /// ```
    pub fn largest(mask: &LabelMap, label: u32) -> Result<Self> {
        let counts = mask.data().outer_iter().map(|slice| slice.iter().filter(|&&value| value == label).count());
        let (slice, _) = counts.enumerate().fold((0, 0), |best, (slice, count)| if count > best.1 { (slice, count) } else { best });
        let inside = || mask.data().slice(s![slice, .., ..]).into_owned();
        let (mut low, mut high) = ([usize::MAX; 2], [0; 2]);
        for ((row, column), &value) in inside().indexed_iter() {
            if value == label {
                low = [low[0].min(column), low[1].min(row)];
                high = [high[0].max(column), high[1].max(row)];
            }
        }
        if low[0] == usize::MAX {
            return Err(ImagingError::EmptyRegion { operation: "largest axial section", label, present: labels(mask, 8) });
        }
        Ok(Self { slice, start: low, size: [high[0] - low[0] + 1, high[1] - low[1] + 1] })
    }

    /// The rectangle with `margin` more voxels on every side, as far as the grid of `size` voxels (x, y, z) reaches.
    pub fn with_margin(self, margin: usize, size: [usize; 3]) -> Self {
        let start = self.start.map(|first| first.saturating_sub(margin));
        let end: [usize; 2] = std::array::from_fn(|axis| (self.start[axis] + self.size[axis] + margin).min(size[axis]));
        Self { slice: self.slice, start, size: std::array::from_fn(|axis| end[axis] - start[axis]) }
    }

    /// The voxels of the rectangle, (row, column).
    ///
    /// # Errors
    /// [`ImagingError::InvalidGeometry`] when the rectangle leaves the volume.
    pub fn of<T: Voxel>(&self, volume: &Volume<T>) -> Result<Array2<T>> {
        let [width, height, depth] = volume.geometry().size();
        let [end_x, end_y]: [usize; 2] = std::array::from_fn(|axis| self.start[axis] + self.size[axis]);
        if self.slice >= depth || end_x > width || end_y > height {
            return Err(ImagingError::InvalidGeometry {
                field: "section",
                value: format!("{self:?}"),
                requirement: "the rectangle must lie inside the volume",
            });
        }
        Ok(volume.data().slice(s![self.slice, self.start[1]..end_y, self.start[0]..end_x]).to_owned())
    }
}

/// An image of `height` × `width` pixels by linear interpolation between pixel centres; the edge is repeated outside.
///
/// The convention is that of PyTorch's `interpolate(mode="bilinear", align_corners=False)`: output pixel i lies at
/// `(i + ½) · n / N − ½` of the input, without smoothing before an image is made smaller.
///
/// # Errors
/// [`ImagingError::InvalidParameter`] when an input or output side is 0.
pub fn resize_bilinear(image: &Array2<f32>, height: usize, width: usize) -> Result<Array2<f32>> {
    let (rows, columns) = image.dim();
    if [rows, columns, height, width].contains(&0) {
        return Err(ImagingError::InvalidParameter {
            operation: "resizing",
            parameter: "size",
            value: format!("{rows} x {columns} to {height} x {width}"),
            requirement: "every side needs at least one pixel",
        });
    }
    let taps = |from: usize, to: usize| -> Vec<(usize, usize, f64)> {
        let scale = from as f64 / to as f64;
        (0..to)
            .map(|index| {
                let position = ((index as f64 + 0.5) * scale - 0.5).max(0.0);
                let first = (position as usize).min(from - 1);
                (first, (first + 1).min(from - 1), position - first as f64)
            })
            .collect()
    };
    let (vertical, horizontal) = (taps(rows, height), taps(columns, width));
    Ok(Array2::from_shape_fn((height, width), |(y, x)| {
        let ((top, bottom, down), (left, right, along)) = (vertical[y], horizontal[x]);
        let row = |r: usize| f64::from(image[[r, left]]) * (1.0 - along) + f64::from(image[[r, right]]) * along;
        (row(top) * (1.0 - down) + row(bottom) * down) as f32
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Geometry;

    #[test]
    fn a_margin_stops_at_the_edge() {
        let section = Section { slice: 0, start: [1, 4], size: [3, 2] }.with_margin(2, [5, 20, 1]);
        assert_eq!((section.start, section.size), ([0, 2], [5, 6]));
        let volume = Volume::filled(Geometry::axis_aligned([5, 7, 1], [1.0; 3]).unwrap(), 1u8);
        assert!(section.of(&volume).is_err());
    }

    /// torch 2.15: `interpolate(torch.tensor([[[[1., 2., 4.]]]]), size=(1, 6), mode="bilinear", align_corners=False)`
    #[test]
    fn resizing_follows_pytorch() {
        let image = Array2::from_shape_vec((1, 3), vec![1.0, 2.0, 4.0]).unwrap();
        let wide = resize_bilinear(&image, 1, 6).unwrap();
        assert_eq!(wide.into_raw_vec_and_offset().0, [1.0, 1.25, 1.75, 2.5, 3.5, 4.0]);
        assert!(resize_bilinear(&image, 0, 4).is_err());
    }

    #[test]
    fn an_empty_region_has_no_section() {
        let mask = Volume::filled(Geometry::axis_aligned([5, 7, 1], [1.0; 3]).unwrap(), 0u32);
        assert!(Section::largest(&mask, 1).is_err());
    }
}
