//! The image of a lesion as the networks take it.

use alnm_imaging::region::{VoxelBox, crop, largest_cross_section, resize_bilinear};
use alnm_imaging::resample::{RoiResamplingParams, resample_roi};
use alnm_imaging::{Geometry, Image, LabelMap, Volume};
use ndarray::{Array2, Array3, Axis};

use crate::error::{DeepError, Result};

/// Millimetres kept around the lesion.
const MARGIN: usize = 3;
/// Percentiles of the crop that become 0 and 1.
const RANGE: [f64; 2] = [0.01, 0.99];

/// The rectangle around a lesion's largest axial cross-section at 1 mm, in grey values from 0 to 1.
///
/// ```
/// use alnm_deep::LesionCrop;
/// use alnm_imaging::{Geometry, Image, Volume};
/// use ndarray::{Array2, Array3};
///
/// let geometry = Geometry::axis_aligned([30, 24, 9], [1.0, 1.0, 3.0])?;
/// let image = Array3::from_shape_fn((9, 24, 30), |(z, y, x)| (x + 2 * y + z) as f32);
/// let inside = |z: usize, y: usize, x: usize| (3..6).contains(&z) && (6..14).contains(&y) && (8..18).contains(&x);
/// let mask = Array3::from_shape_fn((9, 24, 30), |(z, y, x)| u32::from(inside(z, y, x)));
/// let (image, mask) = (Image::F32(Volume::new(image, geometry.clone())?), Volume::new(mask, geometry)?);
///
/// let crop = LesionCrop::of_largest_section(&image, &mask, 1, 64)?;
/// assert_eq!(crop.pixels().dim(), (64, 64));
/// // A map over the crop, such as that of Grad-CAM, on the grid of the image.
/// let map = crop.map_to_volume(&Array2::ones((7, 7)), image.geometry())?;
/// assert_eq!(map.geometry(), image.geometry());
/// # Ok::<(), alnm_deep::DeepError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct LesionCrop {
    pixels: Array2<f32>,
    grid: Geometry,
    rectangle: VoxelBox,
}

impl LesionCrop {
    /// Resamples image and mask to 1 mm (B-spline, PyRadiomics' grid), takes the rectangle around the largest section
    /// of `label` with 3 mm around it, and resizes it to `side` × `side` pixels by linear interpolation.
    ///
    /// # Errors
    /// [`DeepError::Imaging`] when the mask has no such label or another grid than the image, or `side` is 0;
    /// [`DeepError::Parameter`] when the crop has one grey value only; [`DeepError::NotFinite`] when it holds a value
    /// that is not finite.
    pub fn of_largest_section(image: &Image, mask: &LabelMap, label: u32, side: usize) -> Result<Self> {
        let resampled = resample_roi(image, mask, label, &RoiResamplingParams::new([1.0; 3]))?;
        let volume: Volume<f32> = resampled.image.cast();
        let section = largest_cross_section(&resampled.mask, label)?;
        let rectangle = section.rectangle.grown_by([MARGIN, MARGIN, 0], volume.geometry().size());
        let grid = volume.geometry().clone();
        let mut pixels = crop(&volume, &rectangle)?.into_data().index_axis_move(Axis(0), 0);
        if let Some((position, value)) = pixels.indexed_iter().find(|(_, value)| !value.is_finite()) {
            return Err(DeepError::NotFinite {
                operation: "grey value of the crop",
                position: format!("pixel {position:?}"),
                value: f64::from(*value),
            });
        }
        let mut sorted: Vec<f32> = pixels.iter().copied().collect();
        sorted.sort_by(f32::total_cmp);
        let [low, high] = RANGE.map(|share| sorted[(share * (sorted.len() - 1) as f64).round() as usize]);
        if high <= low {
            return Err(DeepError::parameter(
                "grey value of the lesion and its margin",
                format!("{low} throughout"),
                "of more than one value",
            ));
        }
        pixels.mapv_inplace(|value| ((value - low) / (high - low)).clamp(0.0, 1.0));
        Ok(Self { pixels: resize_bilinear(pixels.view(), side, side)?, grid, rectangle })
    }

    /// Grey values (rows, columns): those from the 1st to the 99th percentile are brought to [0, 1], others to its
    /// ends.
    #[must_use]
    pub fn pixels(&self) -> &Array2<f32> {
        &self.pixels
    }

    /// The grey values, without the place of the crop; see [`LesionCrop::pixels`].
    #[must_use]
    pub fn into_pixels(self) -> Array2<f32> {
        self.pixels
    }

    /// A map over the crop (rows, columns), of any resolution, on the grid of a volume.
    ///
    /// Voxels within the rectangle of the crop whose centres lie within half a millimetre of its section have the map's
    /// value by linear interpolation; all others are 0. A grid whose slices lie further apart than 1 mm has the map on
    /// the slice nearest to the section.
    ///
    /// # Errors
    /// [`DeepError::Shape`] for a map without values, [`DeepError::Imaging`] when the volume cannot be made.
    pub fn map_to_volume(&self, map: &Array2<f32>, geometry: &Geometry) -> Result<Volume<f32>> {
        if map.is_empty() {
            let (operation, got) = ("map over a lesion", map.shape().to_vec());
            return Err(DeepError::Shape { operation, got, expected: "at least one row and one column".to_owned() });
        }
        let [width, height, depth] = geometry.size();
        let (start, size) = (self.rectangle.start(), self.rectangle.size());
        let section = start[2] as f64;
        let in_crop = |index: [usize; 3]| self.grid.point_to_index(geometry.index_to_point(index.map(|i| i as f64)));
        let distance = |z: usize| (in_crop([width / 2, height / 2, z])[2] - section).abs();
        let nearest = (0..depth).map(distance).fold(f64::INFINITY, f64::min);
        let reach = nearest.max(0.5) + 1e-6;
        let (rows, columns) = map.dim();
        let voxels = Array3::from_shape_fn((depth, height, width), |(z, y, x)| {
            let place = in_crop([x, y, z]);
            // Pixels of the map are centred within equal parts of the rectangle.
            let of_axis = |axis: usize, count: usize| {
                let share = (place[axis] - start[axis] as f64 + 0.5) / size[axis] as f64;
                (0.0..=1.0).contains(&share).then(|| (share * count as f64 - 0.5).clamp(0.0, count as f64 - 1.0))
            };
            match (of_axis(1, rows), of_axis(0, columns)) {
                (Some(row), Some(column)) if (place[2] - section).abs() <= reach => bilinear(map, row, column),
                _ => 0.0,
            }
        });
        Ok(Volume::new(voxels, geometry.clone())?)
    }
}

fn bilinear(map: &Array2<f32>, row: f64, column: f64) -> f32 {
    let (top, left) = (row.floor() as usize, column.floor() as usize);
    let (bottom, right) = ((top + 1).min(map.nrows() - 1), (left + 1).min(map.ncols() - 1));
    let (down, across) = ((row - row.floor()) as f32, (column - column.floor()) as f32);
    let line = |y: usize| map[[y, left]] * (1.0 - across) + map[[y, right]] * across;
    line(top) * (1.0 - down) + line(bottom) * down
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lesion() -> (Image, LabelMap) {
        let geometry = Geometry::axis_aligned([30, 24, 9], [1.0, 1.0, 3.0]).unwrap();
        let inside = |z: usize, y: usize, x: usize| (8..18).contains(&x) && (6..14).contains(&y) && (3..6).contains(&z);
        let image = Array3::from_shape_fn(geometry.shape(), |(z, y, x)| (x + 2 * y + z) as f32);
        let mask = Array3::from_shape_fn(geometry.shape(), |(z, y, x)| u32::from(inside(z, y, x)));
        (Image::F32(Volume::new(image, geometry.clone()).unwrap()), Volume::new(mask, geometry).unwrap())
    }

    #[test]
    fn a_map_comes_back_to_where_the_crop_was_taken() {
        let (image, mask) = lesion();
        let crop = LesionCrop::of_largest_section(&image, &mask, 1, 64).unwrap();
        assert!(crop.pixels().iter().all(|value| (0.0..=1.0).contains(value)));
        let back = crop.map_to_volume(&Array2::ones((7, 7)), mask.geometry()).unwrap();
        let marked: Vec<[usize; 3]> = back
            .as_slice()
            .iter()
            .enumerate()
            .filter(|(_, value)| **value > 0.0)
            .map(|(place, _)| mask.geometry().index_of(place))
            .collect();
        let slices: Vec<usize> = marked.iter().map(|index| index[2]).collect();
        assert!(slices.iter().all(|slice| *slice == slices[0] && (3..6).contains(slice)), "{slices:?}");
        let extent = |axis: usize| {
            (marked.iter().map(|i| i[axis]).min().unwrap(), marked.iter().map(|i| i[axis]).max().unwrap())
        };
        assert_eq!((extent(0), extent(1)), ((5, 20), (3, 16)));
    }

    #[test]
    fn a_lesion_without_contrast_or_voxels_is_refused() {
        let (image, mask) = lesion();
        let flat = Image::F32(image.cast::<f32>().map(|_| 5.0));
        assert!(matches!(LesionCrop::of_largest_section(&flat, &mask, 1, 64), Err(DeepError::Parameter { .. })));
        assert!(matches!(LesionCrop::of_largest_section(&image, &mask, 7, 64), Err(DeepError::Imaging(_))));
        let crop = LesionCrop::of_largest_section(&image, &mask, 1, 64).unwrap();
        let empty = crop.map_to_volume(&Array2::zeros((0, 3)), mask.geometry());
        assert!(matches!(empty, Err(DeepError::Shape { .. })));
    }
}
