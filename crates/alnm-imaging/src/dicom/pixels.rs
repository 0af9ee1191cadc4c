//! Stored pixels as numbers.

use std::borrow::Cow;

use dicom_dictionary_std::tags;
use dicom_object::InMemDicomObject;

use super::attributes::{integer, text};
use super::compressed;
use super::palette::{PALETTE_COLOUR, Palette};
use super::problem::{malformed, unsupported};
use super::stored_file::Frames;
use crate::error::FileProblem;
use crate::vectorised;
use crate::volume::{PixelType, Voxel};
use crate::voxel_data::{ByteOrder, VoxelBytes};

/// How a pixel is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PixelFormat {
    /// An integer of `stored` bits, the highest of which is `high`, in a word of `allocated` bits.
    Integer { allocated: u32, stored: u32, high: u32, signed: bool },
    /// Single precision (`FloatPixelData`).
    Float,
    /// Double precision (`DoubleFloatPixelData`).
    Double,
    /// Three samples of a byte, of which the luminance is taken.
    Colour { is_planar: bool, space: ColourSpace },
    /// Indices into a table of colours, of which the luminance is taken: two bytes of it or one.
    Palette { is_wide: bool },
}

/// What the samples of a coloured pixel are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ColourSpace {
    /// Red, green and blue.
    RedGreenBlue,
    /// The luminance, then two differences.
    Luminance,
    /// The luminances of two neighbours, then two differences that they share. Compressed frames have differences for
    /// each pixel.
    LuminancePairs,
}

impl PixelFormat {
    pub(super) fn of(object: &InMemDicomObject) -> Result<Self, FileProblem> {
        let samples = integer(object, tags::SAMPLES_PER_PIXEL).unwrap_or(1);
        let interpretation = text(object, tags::PHOTOMETRIC_INTERPRETATION).unwrap_or_default();
        let allocated = integer(object, tags::BITS_ALLOCATED).unwrap_or(0);
        if let Some(space) = ColourSpace::of(&interpretation).filter(|_| samples == 3 && allocated == 8) {
            let is_planar = integer(object, tags::PLANAR_CONFIGURATION) == Some(1);
            return Ok(Self::Colour { is_planar, space });
        }
        if samples != 1 {
            return Err(colours(samples, &interpretation));
        }
        let indices = Self::of_grey(object, allocated)?;
        if interpretation == PALETTE_COLOUR {
            return Ok(Self::Palette { is_wide: Palette::is_wide(object) });
        }
        Ok(indices)
    }

    /// The format of grey values, or of indices into a palette.
    pub(super) fn of_grey(object: &InMemDicomObject, allocated: i64) -> Result<Self, FileProblem> {
        if integer(object, tags::BITS_STORED).is_none() {
            return match allocated {
                32 => Ok(Self::Float),
                64 => Ok(Self::Double),
                other => Err(malformed(format!("BitsAllocated is {other} without BitsStored"))),
            };
        }
        let stored = integer(object, tags::BITS_STORED).unwrap_or(allocated);
        let high = integer(object, tags::HIGH_BIT).unwrap_or(stored - 1);
        if !matches!(allocated, 8 | 16 | 32) {
            return Err(unsupported(format!("BitsAllocated is {allocated}; 8, 16 and 32 are read")));
        }
        if !(1..=allocated).contains(&stored) || !(stored - 1..allocated).contains(&high) {
            return Err(malformed(format!("BitsStored {stored} and HighBit {high} in {allocated} bits")));
        }
        let signed = integer(object, tags::PIXEL_REPRESENTATION).unwrap_or(0) == 1;
        Ok(Self::Integer { allocated: allocated as u32, stored: stored as u32, high: high as u32, signed })
    }

    fn bytes(self) -> usize {
        match self {
            Self::Integer { allocated, .. } => allocated as usize / 8,
            Self::Float => 4,
            Self::Double => 8,
            Self::Colour { .. } => 3,
            Self::Palette { is_wide } => 1 + usize::from(is_wide),
        }
    }

    /// Whether pixels have a colour, of which only the luminance can be read.
    pub(super) fn is_colour(self) -> bool {
        matches!(self, Self::Colour { .. } | Self::Palette { .. })
    }

    /// The type of the numbers as they are stored.
    fn stored_type(self) -> PixelType {
        match self {
            Self::Integer { allocated: 8, signed: false, .. } => PixelType::U8,
            Self::Integer { allocated: 8, signed: true, .. } => PixelType::I8,
            Self::Integer { allocated: 16, signed: false, .. } => PixelType::U16,
            Self::Integer { allocated: 16, signed: true, .. } => PixelType::I16,
            Self::Integer { signed: false, .. } => PixelType::U32,
            Self::Integer { signed: true, .. } => PixelType::I32,
            Self::Float => PixelType::F32,
            Self::Double => PixelType::F64,
            Self::Colour { .. } | Self::Palette { is_wide: false } => PixelType::U8,
            Self::Palette { is_wide: true } => PixelType::U16,
        }
    }

    /// Smallest and largest number that the stored bits can hold.
    fn range(self) -> [f64; 2] {
        match self {
            Self::Integer { stored, signed: true, .. } => {
                [-(2.0_f64.powi(stored as i32 - 1)), 2.0_f64.powi(stored as i32 - 1) - 1.0]
            }
            Self::Integer { stored, signed: false, .. } => [0.0, 2.0_f64.powi(stored as i32) - 1.0],
            Self::Float | Self::Double => [f64::NEG_INFINITY, f64::INFINITY],
            Self::Colour { .. } | Self::Palette { is_wide: false } => [0.0, 255.0],
            Self::Palette { is_wide: true } => [0.0, 65_535.0],
        }
    }

    /// The type that holds the rescaled numbers of slices stored so, as GDCM chooses it.
    pub(super) fn rescaled_type<'a>(formats: impl Iterator<Item = (Self, f64, f64)> + Clone + 'a) -> PixelType {
        let mut all = formats.clone();
        let Some((first, ..)) = all.next() else { return PixelType::I16 };
        let untouched =
            formats.clone().all(|(format, slope, intercept)| format == first && slope == 1.0 && intercept == 0.0);
        if untouched {
            return first.stored_type();
        }
        let whole = formats.clone().all(|(format, slope, intercept)| {
            matches!(format, Self::Integer { .. }) && slope.fract() == 0.0 && intercept.fract() == 0.0
        });
        if !whole {
            return PixelType::F64;
        }
        let [low, high] =
            formats.fold([f64::INFINITY, f64::NEG_INFINITY], |[low, high], (format, slope, intercept)| {
                let ends = format.range().map(|end| end * slope + intercept);
                [low.min(ends[0]).min(ends[1]), high.max(ends[0]).max(ends[1])]
            });
        let holds = |least: f64, most: f64| low >= least && high <= most;
        if low >= 0.0 {
            return match high {
                high if high <= 255.0 => PixelType::U8,
                high if high <= 65_535.0 => PixelType::U16,
                high if high <= f64::from(u32::MAX) => PixelType::U32,
                _ => PixelType::F64,
            };
        }
        if holds(-128.0, 127.0) {
            PixelType::I8
        } else if holds(-32_768.0, 32_767.0) {
            PixelType::I16
        } else if holds(f64::from(i32::MIN), f64::from(i32::MAX)) {
            PixelType::I32
        } else {
            PixelType::F64
        }
    }
}

impl ColourSpace {
    /// What a `PhotometricInterpretation` says. Decoders of JPEG 2000 undo the transforms of their own standard.
    fn of(interpretation: &str) -> Option<Self> {
        match interpretation {
            "RGB" | "YBR_RCT" | "YBR_ICT" => Some(Self::RedGreenBlue),
            "YBR_FULL" => Some(Self::Luminance),
            "YBR_FULL_422" => Some(Self::LuminancePairs),
            _ => None,
        }
    }
}

/// The problem of colours whose luminance was not asked for.
pub(super) fn colours_unasked() -> FileProblem {
    unsupported(
        "pixels that are colours; images of grey values are read, and the luminance of colours where it is asked for",
    )
}

/// The problem of an image of several samples per pixel.
fn colours(samples: i64, interpretation: &str) -> FileProblem {
    unsupported(format!(
        "{samples} samples per pixel, {interpretation:?}; images of one grey value per pixel are read, and where it is asked for the \
         luminance of palettes and of RGB, YBR_FULL, YBR_FULL_422, YBR_RCT and YBR_ICT with a byte for each sample"
    ))
}

/// The luminance of a colour of red, green and blue (ITU-R BT.601): 0.299 R + 0.587 G + 0.114 B, rounded as Pillow
/// does.
pub(super) fn luminance(colour: [u16; 3]) -> u16 {
    const WEIGHTS: [u64; 3] = [19_595, 38_470, 7_471];
    const HALF: u64 = 0x8000;
    let weighted: u64 = WEIGHTS.iter().zip(colour).map(|(weight, sample)| weight * u64::from(sample)).sum();
    ((weighted + HALF) >> 16) as u16
}

/// Samples of a frame of coloured pixels.
pub(super) struct ColourFrame<'a> {
    pub(super) samples: Cow<'a, [u8]>,
    pub(super) is_planar: bool,
    pub(super) space: ColourSpace,
}

impl ColourFrame<'_> {
    /// The luminances of so many pixels.
    fn luminances(&self, pixels: usize) -> Result<Vec<u8>, FileProblem> {
        let needed = match self.space {
            ColourSpace::LuminancePairs => 4 * pixels.div_ceil(2),
            _ => 3 * pixels,
        };
        let samples = self
            .samples
            .get(..needed)
            .ok_or_else(|| malformed(format!("{} bytes of pixels where {needed} belong", self.samples.len())))?;
        let sample = |pixel: usize, sample: usize| {
            samples[if self.is_planar { sample * pixels + pixel } else { 3 * pixel + sample }]
        };
        let of_pixel = |pixel: usize| match self.space {
            ColourSpace::RedGreenBlue => luminance([0, 1, 2].map(|index| sample(pixel, index).into())) as u8,
            ColourSpace::Luminance => sample(pixel, 0),
            ColourSpace::LuminancePairs => samples[pixel / 2 * 4 + pixel % 2],
        };
        Ok((0..pixels).map(of_pixel).collect())
    }
}

/// Writes the pixels of one frame, rescaled, to `voxels`.
pub(super) fn decode_frame<T: VoxelBytes>(
    frames: &Frames<'_>,
    frame: u32,
    format: PixelFormat,
    rescale: [f64; 2],
    voxels: &mut [T],
) -> Result<(), FileProblem> {
    let frame_bytes = voxels.len() * format.bytes();
    if let PixelFormat::Colour { is_planar, space } = format {
        let colours = if frames.are_packed() {
            compressed::decode_colour_frame(frames, frame, is_planar, space)?
        } else {
            let frame_bytes =
                if space == ColourSpace::LuminancePairs { voxels.len().div_ceil(2) * 4 } else { frame_bytes };
            let samples = frames.plain(u64::from(frame) * frame_bytes as u64, frame_bytes as u64)?;
            ColourFrame { samples, is_planar, space }
        };
        let luminances = colours.luminances(voxels.len())?;
        let grey = PixelFormat::Integer { allocated: 8, stored: 8, high: 7, signed: false };
        return convert(&luminances, voxels.len(), grey, rescale, voxels);
    }
    if format.is_as_stored::<T>(rescale)
        && frames.plain_in_place(u64::from(frame) * frame_bytes as u64, bytemuck::cast_slice_mut(voxels))?
    {
        format.numbers_in_place(voxels);
        return Ok(());
    }
    let bytes = if frames.are_packed() {
        compressed::decode_frame(frames, frame, 8 * format.bytes())?.into()
    } else {
        frames.plain(u64::from(frame) * frame_bytes as u64, frame_bytes as u64)?
    };
    convert(&bytes, frame_bytes, format, rescale, voxels)
}

fn convert<T: VoxelBytes>(
    bytes: &[u8],
    needed: usize,
    format: PixelFormat,
    rescale: [f64; 2],
    voxels: &mut [T],
) -> Result<(), FileProblem> {
    let bytes = bytes
        .get(..needed)
        .ok_or_else(|| malformed(format!("{} bytes of pixels where {needed} belong", bytes.len())))?;
    if format.is_as_stored::<T>(rescale) {
        let place: &mut [u8] = bytemuck::cast_slice_mut(voxels);
        place.copy_from_slice(bytes);
        format.numbers_in_place(voxels);
        return Ok(());
    }
    let [slope, intercept] = rescale;
    let store = |voxel: &mut T, stored: f64| *voxel = T::from_f64(stored * slope + intercept);
    let pairs = voxels.iter_mut().zip(bytes.chunks_exact(format.bytes()));
    match format {
        PixelFormat::Float => {
            pairs.for_each(|(voxel, bytes)| store(voxel, f32::from_bytes(bytes, ByteOrder::Little).to_f64()));
        }
        PixelFormat::Double => pairs.for_each(|(voxel, bytes)| store(voxel, f64::from_bytes(bytes, ByteOrder::Little))),
        PixelFormat::Colour { .. } | PixelFormat::Palette { .. } => {
            return Err(malformed("colours where grey values belong"));
        }
        PixelFormat::Integer { allocated, stored, high, signed } => {
            let bits = StoredBits { stored, high, signed };
            match allocated {
                8 => bits.rescale::<u8, T>(bytes, rescale, voxels),
                16 => bits.rescale::<u16, T>(bytes, rescale, voxels),
                _ => bits.rescale::<u32, T>(bytes, rescale, voxels),
            }
        }
    }
    Ok(())
}

/// A word of an integer that is stored, at most 32 bits wide.
trait StoredWord: VoxelBytes {
    /// With zeros above.
    fn widened(self) -> u32;

    /// The lowest bits.
    fn lowest(bits: u32) -> Self;
}

macro_rules! stored_words {
    ($($t:ty),*) => {
        $(#[allow(trivial_numeric_casts, reason = "u32 is one of the types")]
        impl StoredWord for $t {
            #[inline]
            fn widened(self) -> u32 {
                self as u32
            }

            #[inline]
            fn lowest(bits: u32) -> Self {
                bits as $t
            }
        })*
    };
}

stored_words!(u8, u16, u32);

/// Which bits of a word are stored: so many, of which the highest is `high`.
#[derive(Debug, Clone, Copy)]
struct StoredBits {
    stored: u32,
    high: u32,
    signed: bool,
}

impl StoredBits {
    /// How far the stored bits are moved to the top of 32, and back down with or without their sign.
    fn shifts(self) -> [u32; 2] {
        [31 - self.high, 32 - self.stored]
    }

    /// Words as their numbers, in words of the same width.
    fn cut<W: StoredWord>(self, words: &mut [W]) {
        let ([up, down], is_signed) = (self.shifts(), self.signed);
        vectorised!(pulp::Arch::new(), {
            for word in words {
                let top = word.widened() << up;
                *word = W::lowest(if is_signed { (top.cast_signed() >> down).cast_unsigned() } else { top >> down });
            }
        });
    }

    /// The numbers of words, rescaled.
    fn rescale<W: StoredWord, T: VoxelBytes>(self, bytes: &[u8], [slope, intercept]: [f64; 2], voxels: &mut [T]) {
        let [up, down] = self.shifts();
        let tops = bytes.chunks_exact(W::BYTES).map(|bytes| W::from_bytes(bytes, ByteOrder::Little).widened() << up);
        if self.signed {
            vectorised!(pulp::Arch::new(), {
                for (voxel, top) in voxels.iter_mut().zip(tops) {
                    *voxel = T::from_f64(f64::from(top.cast_signed() >> down) * slope + intercept);
                }
            });
        } else {
            vectorised!(pulp::Arch::new(), {
                for (voxel, top) in voxels.iter_mut().zip(tops) {
                    *voxel = T::from_f64(f64::from(top >> down) * slope + intercept);
                }
            });
        }
    }
}

impl PixelFormat {
    /// Whether voxels of a type are the stored numbers themselves.
    fn is_as_stored<T: VoxelBytes>(self, rescale: [f64; 2]) -> bool {
        let is_a_number = matches!(self, Self::Integer { .. } | Self::Float | Self::Double);
        is_a_number && self.stored_type() == T::PIXEL_TYPE && rescale == [1.0, 0.0]
    }

    /// Makes of words in little endian, which voxels of the stored type hold, the numbers that are stored in them.
    fn numbers_in_place<T: VoxelBytes>(self, voxels: &mut [T]) {
        if ByteOrder::NATIVE != ByteOrder::Little {
            voxels.iter_mut().for_each(|voxel| *voxel = T::from_bytes(bytemuck::bytes_of(voxel), ByteOrder::Little));
        }
        let Self::Integer { allocated, stored, high, signed } = self else { return };
        let bits = StoredBits { stored, high, signed };
        match allocated {
            _ if stored == allocated => {}
            8 => bits.cut::<u8>(bytemuck::cast_slice_mut(voxels)),
            16 => bits.cut::<u16>(bytemuck::cast_slice_mut(voxels)),
            _ => bits.cut::<u32>(bytemuck::cast_slice_mut(voxels)),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Pixels bit by bit, in double precision.
    fn slowly(
        words: &[u32],
        StoredBits { stored, high, signed }: StoredBits,
        [slope, intercept]: [f64; 2],
    ) -> Vec<f64> {
        let value = |word: u32| {
            let bit = |index: u32| i64::from(word >> (high + 1 - stored + index) & 1) << index;
            let value: i64 = (0..stored).map(bit).sum();
            let is_negative = signed && value >> (stored - 1) == 1;
            (if is_negative { value - (1 << stored) } else { value }) as f64 * slope + intercept
        };
        words.iter().copied().map(value).collect()
    }

    fn converted<T: VoxelBytes + Default>(bytes: &[u8], format: PixelFormat, rescale: [f64; 2]) -> Vec<f64> {
        let mut voxels = vec![T::default(); bytes.len() / format.bytes()];
        convert(bytes, bytes.len(), format, rescale, &mut voxels).unwrap();
        voxels.into_iter().map(Voxel::to_f64).collect()
    }

    /// Bits that lie anywhere in a word of `allocated` bits.
    fn bits(allocated: u32) -> impl Strategy<Value = StoredBits> {
        (1..=allocated)
            .prop_flat_map(move |stored| (Just(stored), stored - 1..allocated, any::<bool>()))
            .prop_map(|(stored, high, signed)| StoredBits { stored, high, signed })
    }

    proptest! {
        #[test]
        fn stored_bits_are_those_that_are_found_one_by_one(
            (allocated, bits) in prop::sample::select(vec![8, 16, 32]).prop_flat_map(|width| (Just(width), bits(width))),
            words in prop::collection::vec(any::<u32>(), 1..50),
            rescale in prop::sample::select(vec![[1.0, 0.0], [2.0, -100.0], [0.37, 1.5]]),
        ) {
            let StoredBits { stored, high, signed } = bits;
            let format = PixelFormat::Integer { allocated, stored, high, signed };
            let words: Vec<u32> = words.iter().map(|word| word & (u32::MAX >> (32 - allocated))).collect();
            let width = format.bytes();
            let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes().into_iter().take(width)).collect();
            let expected = slowly(&words, bits, rescale);
            prop_assert_eq!(&converted::<f64>(&bytes, format, rescale), &expected);
            let found = match format.stored_type() {
                PixelType::U8 => converted::<u8>(&bytes, format, rescale),
                PixelType::I8 => converted::<i8>(&bytes, format, rescale),
                PixelType::U16 => converted::<u16>(&bytes, format, rescale),
                PixelType::I16 => converted::<i16>(&bytes, format, rescale),
                PixelType::U32 => converted::<u32>(&bytes, format, rescale),
                _ => converted::<i32>(&bytes, format, rescale),
            };
            let word = PixelFormat::Integer { allocated, stored: allocated, high: allocated - 1, signed };
            let [low, high] = word.range();
            let clamped: Vec<f64> = expected.iter().map(|value| value.clamp(low, high).trunc() + 0.0).collect();
            prop_assert_eq!(&found, &clamped);
        }
    }
}
