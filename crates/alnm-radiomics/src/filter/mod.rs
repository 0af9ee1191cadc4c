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

/// A number as a voxel of an image of that type holds it.
pub(crate) fn stored_as(pixel_type: PixelType, value: f64) -> f64 {
    match pixel_type {
        PixelType::U8 => u8::from_f64(value).to_f64(),
        PixelType::I8 => i8::from_f64(value).to_f64(),
        PixelType::U16 => u16::from_f64(value).to_f64(),
        PixelType::I16 => i16::from_f64(value).to_f64(),
        PixelType::U32 => u32::from_f64(value).to_f64(),
        PixelType::I32 => i32::from_f64(value).to_f64(),
        PixelType::U64 => u64::from_f64(value).to_f64(),
        PixelType::I64 => i64::from_f64(value).to_f64(),
        PixelType::F32 => f32::from_f64(value).to_f64(),
        _ => value,
    }
}
