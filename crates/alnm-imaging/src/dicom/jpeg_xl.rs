//! JPEG XL (ISO/IEC 18181): frames of one component of up to 16 bits.

use jxl_oxide::image::BitDepth;
use jxl_oxide::{AllocTracker, JxlImage};

use super::problem::{malformed, unsupported};
use crate::error::FileProblem;

/// What the decoder may allocate: for each pixel, and in addition.
const BYTES_A_PIXEL: usize = 256;
const BYTES_BESIDES: usize = 64 << 20;

/// Unpacks one frame of rows and columns into pixels of `width` bytes, little endian.
pub(super) fn decode_frame(stream: &[u8], size: [usize; 2], width: usize) -> Result<Vec<u8>, FileProblem> {
    let problem = |error| malformed(format!("a JPEG XL frame: {error}"));
    let memory = AllocTracker::with_limit(size[0] * size[1] * BYTES_A_PIXEL + BYTES_BESIDES);
    let image = JxlImage::builder().alloc_tracker(memory).read(stream).map_err(problem)?;
    let found = [image.height(), image.width()].map(|side| side as usize);
    if found != size {
        return Err(malformed(format!("a compressed frame of {found:?} pixels where {size:?} (rows, columns) belong")));
    }
    let channels = image.pixel_format().channels();
    if channels != 1 {
        return Err(unsupported(format!("a JPEG XL frame of {channels} channels; one is read")));
    }
    let bits = match image.image_header().metadata.bit_depth {
        BitDepth::IntegerSample { bits_per_sample } if bits_per_sample <= 16 => bits_per_sample,
        other => return Err(unsupported(format!("a JPEG XL frame of {other:?}; integers of up to 16 bits are read"))),
    };
    if bits as usize > 8 * width {
        return Err(malformed(format!("a JPEG XL frame of {bits} bits per pixel where {} are allocated", 8 * width)));
    }
    // The decoder gives shares of the largest value, as precise as single precision is: 24 bits.
    let most = ((1_u32 << bits) - 1) as f32;
    let shares = image.render_frame(0).map_err(problem)?.image_all_channels();
    let pixels = shares.buf().iter().map(|share| (share * most).round().clamp(0.0, most) as u32);
    Ok(pixels.flat_map(|pixel| pixel.to_le_bytes().into_iter().take(width)).collect())
}
