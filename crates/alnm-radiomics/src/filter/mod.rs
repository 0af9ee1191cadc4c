//! The filters behind the derived images, computed where a region needs them.
//!
//! A filter is given the whole image and the box whose values are wanted. What it computes is equal to the last bit to
//! the same part of the filtered whole image. [`Extractor::filtered_images`](crate::Extractor::filtered_images) gives
//! the images of an extraction; single filters are public where they are of use alone: [`log`] and [`wavelet`].

pub(crate) mod gradient;
pub(crate) mod lbp2d;
pub(crate) mod lbp3d;
pub mod log;
pub(crate) mod pointwise;
pub mod wavelet;

use alnm_imaging::region::VoxelBox;
use alnm_imaging::{Image, PixelType, Voxel, with_volume};

/// The grey values of a box of an image, in raster order.
pub(crate) fn box_values(image: &Image, part: VoxelBox) -> Vec<f64> {
    let shape = image.geometry().shape();
    with_volume!(image, volume => part.cut_slice(volume.as_slice(), shape, Voxel::to_f64))
}

/// A number as an array of that type holds it once numpy has cast it there (on x86-64): cut towards zero; types of 8 and
/// 16 bits keep the lowest bits of 32; what has no place in 32 or 64 bits becomes the lowest number, as on the processor.
pub(crate) fn stored_as(pixel_type: PixelType, value: f64) -> f64 {
    match pixel_type {
        PixelType::U8 => f64::from(cut_to_32_bits(value) as u8),
        PixelType::I8 => f64::from(cut_to_32_bits(value) as i8),
        PixelType::U16 => f64::from(cut_to_32_bits(value) as u16),
        PixelType::I16 => f64::from(cut_to_32_bits(value) as i16),
        PixelType::I32 => f64::from(cut_to_32_bits(value)),
        PixelType::U32 => {
            const HALF: f64 = 2_147_483_648.0;
            let upper = |value: f64| cut_to_32_bits(value - HALF) as u32 ^ (1 << 31);
            f64::from(if value >= HALF { upper(value) } else { cut_to_32_bits(value) as u32 })
        }
        PixelType::I64 => cut_to_64_bits(value) as f64,
        PixelType::U64 => {
            const HALF: f64 = 9_223_372_036_854_775_808.0;
            let upper = |value: f64| cut_to_64_bits(value - HALF) as u64 ^ (1 << 63);
            (if value >= HALF { upper(value) } else { cut_to_64_bits(value) as u64 }) as f64
        }
        PixelType::F32 => f64::from(value as f32),
        _ => value,
    }
}

fn cut_to_32_bits(value: f64) -> i32 {
    if value.is_nan() || value >= 2_147_483_648.0 { i32::MIN } else { value as i32 }
}

fn cut_to_64_bits(value: f64) -> i64 {
    if value.is_nan() || value >= 9_223_372_036_854_775_808.0 { i64::MIN } else { value as i64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `numpy.zeros(1, type)[...] = value` of numpy 1.26.4 on x86-64.
    #[test]
    fn numbers_are_stored_as_numpy_casts_them() {
        let values = [f64::NAN, 1e3, 40_000.0, -70_000.0, 3e9, 5e9, 1e19, -3e9, 1.7, -1.7, f64::INFINITY];
        let lowest = f64::from(i32::MIN);
        let expected: [(PixelType, [f64; 11]); 6] = [
            (PixelType::U8, [0.0, 232.0, 64.0, 144.0, 0.0, 0.0, 0.0, 0.0, 1.0, 255.0, 0.0]),
            (PixelType::I8, [0.0, -24.0, 64.0, -112.0, 0.0, 0.0, 0.0, 0.0, 1.0, -1.0, 0.0]),
            (PixelType::U16, [0.0, 1e3, 40_000.0, 61_072.0, 0.0, 0.0, 0.0, 0.0, 1.0, 65_535.0, 0.0]),
            (PixelType::I16, [0.0, 1e3, -25_536.0, -4464.0, 0.0, 0.0, 0.0, 0.0, 1.0, -1.0, 0.0]),
            (
                PixelType::U32,
                [-lowest, 1e3, 40_000.0, 4_294_897_296.0, 3e9, 0.0, 0.0, -lowest, 1.0, 4_294_967_295.0, 0.0],
            ),
            (PixelType::I32, [lowest, 1e3, 40_000.0, -70_000.0, lowest, lowest, lowest, lowest, 1.0, -1.0, lowest]),
        ];
        for (pixel_type, expected) in expected {
            assert_eq!(values.map(|value| stored_as(pixel_type, value)), expected, "{pixel_type:?}");
        }
    }
}
