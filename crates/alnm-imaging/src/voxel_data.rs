//! Voxels as they lie in files: bytes of one type and order, possibly with several components per voxel.

use std::borrow::Cow;
use std::io::{self, Read, Write};

use ndarray::Array3;
use serde::{Deserialize, Serialize};

use crate::error::{FileProblem, ImagingError};
use crate::format::{FileFormat, MAX_VOXEL_BYTES};
use crate::geometry::Geometry;
use crate::geometry_difference::SAME_GRID;
use crate::large_pages::prefer_large_pages;
use crate::volume::{Image, PixelType, Volume, Voxel};

/// Which byte of a number comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ByteOrder {
    Little,
    Big,
}

impl ByteOrder {
    /// That of this machine.
    pub(crate) const NATIVE: Self = if cfg!(target_endian = "little") { Self::Little } else { Self::Big };
}

/// A voxel type that can be decoded from and encoded to bytes.
pub(crate) trait VoxelBytes: Voxel + bytemuck::Pod {
    const BYTES: usize;

    /// The number in the first [`Self::BYTES`] bytes.
    fn from_bytes(bytes: &[u8], order: ByteOrder) -> Self;

    /// A number written as text.
    fn parse(text: &str) -> Option<Self>;
}

macro_rules! voxel_bytes {
    ($($t:ty),*) => {
        $(impl VoxelBytes for $t {
            const BYTES: usize = size_of::<$t>();

            fn from_bytes(bytes: &[u8], order: ByteOrder) -> Self {
                let bytes = bytes.first_chunk().copied().unwrap_or_default();
                match order {
                    ByteOrder::Little => Self::from_le_bytes(bytes),
                    ByteOrder::Big => Self::from_be_bytes(bytes),
                }
            }

            fn parse(text: &str) -> Option<Self> {
                text.parse().ok()
            }
        })*
    };
}

voxel_bytes!(u8, i8, u16, i16, u32, i32, u64, i64, f32, f64);

/// The bytes of numbers, little endian: those in memory where this machine orders them so, else a turned copy.
pub(crate) fn little_endian<T: VoxelBytes>(numbers: &[T]) -> Cow<'_, [u8]> {
    let bytes: &[u8] = bytemuck::cast_slice(numbers);
    match ByteOrder::NATIVE {
        ByteOrder::Little => Cow::Borrowed(bytes),
        ByteOrder::Big => bytes.chunks_exact(T::BYTES).flat_map(|number| number.iter().rev().copied()).collect(),
    }
}

/// Runs an expression with `$t` standing for the Rust type of a [`PixelType`].
macro_rules! with_type {
    ($pixel_type:expr, $t:ident => $body:expr) => {
        match $pixel_type {
            PixelType::U8 => {
                type $t = u8;
                $body
            }
            PixelType::I8 => {
                type $t = i8;
                $body
            }
            PixelType::U16 => {
                type $t = u16;
                $body
            }
            PixelType::I16 => {
                type $t = i16;
                $body
            }
            PixelType::U32 => {
                type $t = u32;
                $body
            }
            PixelType::I32 => {
                type $t = i32;
                $body
            }
            PixelType::U64 => {
                type $t = u64;
                $body
            }
            PixelType::I64 => {
                type $t = i64;
                $body
            }
            PixelType::F32 => {
                type $t = f32;
                $body
            }
            PixelType::F64 => {
                type $t = f64;
                $body
            }
        }
    };
}

/// What the header of an image file says.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ImageHeader {
    /// Type of the voxels, as they are read.
    pub pixel_type: PixelType,
    /// Volumes, or components of each voxel, of which one is read at a time.
    pub volumes: usize,
    /// The grid of each volume.
    pub geometry: Geometry,
}

/// What the header of a file says in the words of its format, also of voxels that are not read here: colours, complex
/// numbers, more than four dimensions.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct HeaderOutline {
    /// Type of the numbers, as the format names it: `RGB24`, `complex64`, `unsigned char`, `MET_SHORT`.
    pub voxels: String,
    /// Numbers of each voxel: 3 of colours, 2 of complex numbers.
    pub components: usize,
    /// Voxels along each axis, those beyond space included. An axis of components is left out.
    pub sizes: Vec<u64>,
    /// Distances of the voxels along the axes of space in mm, as far as they are stated.
    pub spacing: Vec<f64>,
    /// The grid along the axes of space; none where the header states none that makes sense.
    #[serde(skip)]
    pub geometry: Option<Geometry>,
}

/// What is written into a file: one volume, or several on one grid.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Written<'a> {
    /// The voxels, those of several volumes one behind the other along z.
    pub(crate) voxels: &'a Image,
    /// The grid of one volume.
    pub(crate) geometry: &'a Geometry,
    /// Several volumes.
    pub(crate) series: Option<WrittenSeries>,
}

/// Several volumes of one file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WrittenSeries {
    pub(crate) volumes: usize,
    /// Seconds from one to the next.
    pub(crate) step: f64,
}

impl<'a> From<&'a Image> for Written<'a> {
    fn from(image: &'a Image) -> Self {
        Self { voxels: image, geometry: image.geometry(), series: None }
    }
}

/// Images of one type on one grid, as one whose slices follow each other.
pub(crate) fn stacked(images: &[Image]) -> Result<Image, FileProblem> {
    const OPERATION: &str = "writing volumes into one file";
    let invalid = |parameter: &'static str, value: String, requirement: &'static str| {
        FileProblem::from(ImagingError::InvalidParameter { operation: OPERATION, parameter, value, requirement })
    };
    let first = images.first().ok_or_else(|| invalid("images", "none".to_owned(), "there must be at least one"))?;
    let grid = first.geometry();
    if grid.dimension() != 3 {
        return Err(invalid("dimension", grid.dimension().to_string(), "volumes of three dimensions are written so"));
    }
    for image in images {
        if let Some(difference) = grid.difference(image.geometry(), SAME_GRID) {
            return Err(FileProblem::from(ImagingError::GeometryMismatch { operation: OPERATION, difference }));
        }
        if image.pixel_type() != first.pixel_type() {
            let value = format!("{:?} and {:?}", first.pixel_type(), image.pixel_type());
            return Err(invalid("voxel type", value, "all volumes of a file have one type"));
        }
    }
    let geometry = tall(grid, images.len())?;
    with_type!(first.pixel_type(), T => {
        let mut voxels: Vec<T> = Vec::with_capacity(geometry.voxel_count());
        for image in images {
            let volume = T::from_image(image.clone());
            voxels.extend_from_slice(volume.as_ref().map_or(&[][..], Volume::as_slice));
        }
        of_voxels(voxels, &geometry)
    })
}

/// The grid of so many volumes one behind the other along z.
fn tall(grid: &Geometry, volumes: usize) -> Result<Geometry, ImagingError> {
    let [x, y, z] = grid.size();
    Geometry::new([x, y, z * volumes], grid.spacing(), grid.origin(), grid.direction())
}

/// The volumes on a grid that [stand behind each other](stacked) in an image.
pub(crate) fn unstacked(stack: Image, grid: &Geometry) -> Result<Vec<Image>, FileProblem> {
    crate::with_volume!(stack, volume => {
        // Images that were just read lie in raster order from the start of their memory.
        let (mut voxels, _) = volume.into_data().into_raw_vec_and_offset();
        let mut volumes = Vec::new();
        // From the end, so that what was taken off is given back.
        while let Some(start) = voxels.len().checked_sub(grid.voxel_count()) {
            volumes.push(of_voxels(voxels.split_off(start), grid)?);
            voxels.shrink_to_fit();
        }
        volumes.reverse();
        Ok(volumes)
    })
}

/// An image of the voxels of a grid, in raster order.
pub(crate) fn of_voxels<T: Voxel>(voxels: Vec<T>, grid: &Geometry) -> Result<Image, FileProblem> {
    let data = Array3::from_shape_vec(grid.shape(), voxels).map_err(|error| ImagingError::InvalidParameter {
        operation: "filling a grid",
        parameter: "voxels",
        value: error.to_string(),
        requirement: "there must be one for each place",
    })?;
    Ok(T::into_image(Volume::new(data, grid.clone())?))
}

/// A segment that the header of a file names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct NamedSegment {
    /// Its name.
    pub name: String,
    /// The label, or the place in the file from 1 where labels stand in several layers.
    pub number: i64,
    /// The label of its voxels in its layer.
    pub label: u32,
    /// The component that holds it, from 0.
    pub layer: usize,
}

/// Which of the two orientations of a NIfTI header is taken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum NiftiForm {
    /// As ITK 5.4: the sform when it has no shear and either its code is 1 (scanner) or there is no qform, else the
    /// qform. The default.
    #[default]
    Itk,
    /// The quaternion.
    Qform,
    /// The matrix.
    Sform,
}

/// Two orientations of a NIfTI header that disagree.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, thiserror::Error)]
#[non_exhaustive]
#[error(
    "qform and sform disagree: they place a corner of the image {millimetres:.3} mm apart; the {} is taken",
    if *.is_sform_taken { "sform" } else { "qform" }
)]
pub struct FormConflict {
    /// How far apart the two place the corner of the image where they differ most, in mm.
    pub millimetres: f64,
    /// Whether the sform is taken.
    pub is_sform_taken: bool,
}

/// Which of several numbers of each voxel, or of several volumes, is read.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Part {
    /// Which orientation of a NIfTI header is taken.
    pub(crate) form: NiftiForm,
    /// A component, from 0.
    pub(crate) channel: Option<usize>,
    /// A volume, from 1; a component where the voxels have several.
    pub(crate) volume: Option<usize>,
    /// All volumes, one behind the other along z, instead of one; [`unstacked`] takes them apart.
    pub(crate) every_volume: bool,
}

/// What a file with several numbers for each place holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Several {
    /// Voxels of several components.
    Components,
    /// Volumes, as of a time series.
    Volumes,
}

/// How the numbers of one image follow each other in a file.
#[derive(Debug, Clone)]
pub(crate) struct VoxelLayout {
    pub(crate) format: FileFormat,
    pub(crate) pixel_type: PixelType,
    pub(crate) order: ByteOrder,
    pub(crate) geometry: Geometry,
    /// Numbers for each voxel.
    pub(crate) components: usize,
    /// What several numbers for each voxel are.
    pub(crate) several: Several,
    /// Distance between two components of a voxel, in numbers: 1 when they are interleaved.
    pub(crate) component_stride: usize,
}

impl VoxelLayout {
    /// A layout whose size has been checked against [`MAX_VOXEL_BYTES`].
    pub(crate) fn checked(self) -> Result<Self, FileProblem> {
        let bytes = [self.components, self.pixel_type.bytes()]
            .iter()
            .try_fold(self.geometry.voxel_count() as u64, |product, &factor| product.checked_mul(factor as u64))
            .unwrap_or(u64::MAX);
        if bytes > MAX_VOXEL_BYTES {
            return Err(FileProblem::TooLarge { bytes, limit: MAX_VOXEL_BYTES });
        }
        Ok(self)
    }

    fn numbers(&self) -> usize {
        self.geometry.voxel_count() * self.components
    }

    /// Bytes of all voxels.
    pub(crate) fn byte_count(&self) -> usize {
        self.numbers() * self.pixel_type.bytes()
    }

    /// What is known without the voxels.
    pub(crate) fn header(&self) -> ImageHeader {
        ImageHeader { pixel_type: self.pixel_type, volumes: self.components, geometry: self.geometry.clone() }
    }

    /// The component or volume to read, from 0: the only one, or the one that was asked for; none where all are.
    fn component(&self, part: Part) -> Result<Option<usize>, FileProblem> {
        if part.every_volume {
            return Ok(None);
        }
        let of_volume = |number: usize| number.checked_sub(1);
        let asked = match (self.several, part) {
            (_, Part { volume: Some(number), .. }) => Some(of_volume(number)),
            (Several::Components, Part { channel: Some(channel), .. }) => Some(Some(channel)),
            _ => None,
        };
        match (asked, self.several) {
            (Some(Some(index)), _) if index < self.components => Ok(Some(index)),
            (None, _) if self.components == 1 => Ok(Some(0)),
            (None, Several::Volumes) => Err(FileProblem::Several { count: self.components, parts: "volumes" }),
            (None, Several::Components) => {
                Err(FileProblem::Several { count: self.components, parts: "components per voxel" })
            }
            (Some(_), Several::Components) if part.volume.is_none() => Err(FileProblem::NoSuchPart {
                part: "component",
                number: part.channel.unwrap_or(0),
                first: 0,
                last: self.components.saturating_sub(1),
            }),
            (Some(_), _) => Err(FileProblem::NoSuchPart {
                part: "volume",
                number: part.volume.unwrap_or(0),
                first: 1,
                last: self.components,
            }),
        }
    }

    /// Reads one component of every voxel from binary data. Memory grows with the data that is really there, so that a
    /// header that lies about its size costs nothing.
    pub(crate) fn read_binary(&self, reader: &mut dyn Read, part: Part) -> Result<Image, FileProblem> {
        let channel = self.component(part)?;
        with_type!(self.pixel_type, T => {
            let Some(channel) = channel.filter(|_| self.components > 1) else {
                return self.stack(self.read_numbers::<T>(reader)?);
            };
            let mut voxels: Vec<T> = Vec::new();
            self.for_each_chunk(reader, T::BYTES, &mut |first, chunk| {
                let numbers = chunk.chunks_exact(T::BYTES).map(|bytes| T::from_bytes(bytes, self.order));
                let kept = numbers.enumerate().filter(|(i, _)| (first + i) / self.component_stride % self.components == channel);
                voxels.extend(kept.map(|(_, number)| number));
            })?;
            self.assemble(voxels)
        })
    }

    /// Reads all numbers into their place. Memory of zeros takes up none until numbers arrive; beyond what is had at once,
    /// it is asked for as they do.
    fn read_numbers<T: VoxelBytes + Default>(&self, reader: &mut dyn Read) -> Result<Vec<T>, FileProblem> {
        const AT_ONCE_BYTES: usize = 1 << 30;
        const STEP_BYTES: usize = 1 << 24;
        let at_once = self.numbers().min(AT_ONCE_BYTES / T::BYTES);
        let mut numbers: Vec<T> = bytemuck::allocation::try_zeroed_vec(at_once).unwrap_or_default();
        prefer_large_pages(&numbers);
        let mut done = 0;
        while done < self.numbers() {
            if done == numbers.len() {
                numbers.resize(self.numbers().min(done + STEP_BYTES / T::BYTES), T::default());
            }
            let place: &mut [u8] = bytemuck::cast_slice_mut(&mut numbers[done..]);
            let read = read_up_to(reader, place)?;
            if read < place.len() {
                self.expect_numbers(done + read / T::BYTES)?;
            }
            done = numbers.len();
        }
        if self.order != ByteOrder::NATIVE {
            for number in &mut numbers {
                *number = T::from_bytes(bytemuck::bytes_of(number), self.order);
            }
        }
        Ok(numbers)
    }

    /// Reads one component of every voxel from numbers written as text.
    pub(crate) fn read_text(&self, reader: &mut dyn Read, part: Part) -> Result<Image, FileProblem> {
        // The longest number of 64 bits written out has 25 characters.
        const LONGEST_NUMBER: u64 = 32;
        let channel = self.component(part)?;
        let mut text = String::new();
        reader.take(self.numbers() as u64 * LONGEST_NUMBER).read_to_string(&mut text)?;
        with_type!(self.pixel_type, T => {
            let mut voxels = Vec::new();
            let mut found = 0;
            let separators = |c: char| c.is_ascii_whitespace() || c == ',';
            for (i, word) in text.split(separators).filter(|word| !word.is_empty()).take(self.numbers()).enumerate() {
                let number = <T as VoxelBytes>::parse(word)
                    .ok_or_else(|| FileProblem::malformed(self.format, format!("{word:?} is not a voxel of type {:?}", self.pixel_type)))?;
                if channel.is_none_or(|channel| i / self.component_stride % self.components == channel) {
                    voxels.push(number);
                }
                found = i + 1;
            }
            self.expect_numbers(found)?;
            if channel.is_none() { self.stack(voxels) } else { self.assemble(voxels) }
        })
    }

    fn for_each_chunk(
        &self,
        reader: &mut dyn Read,
        width: usize,
        work: &mut dyn FnMut(usize, &[u8]),
    ) -> Result<(), FileProblem> {
        const CHUNK: usize = 1 << 16;
        let mut buffer = vec![0u8; CHUNK];
        let mut done = 0;
        while done < self.numbers() {
            let wanted = CHUNK.min((self.numbers() - done) * width);
            let read = read_up_to(reader, &mut buffer[..wanted])?;
            work(done, &buffer[..read - read % width]);
            done += read / width;
            if read < wanted {
                break;
            }
        }
        self.expect_numbers(done)
    }

    fn expect_numbers(&self, found: usize) -> Result<(), FileProblem> {
        if found == self.numbers() {
            return Ok(());
        }
        let what = format!(
            "the data end after {found} of {} numbers; the file is truncated or its header is wrong",
            self.numbers()
        );
        Err(FileProblem::malformed(self.format, what))
    }

    fn assemble<T: VoxelBytes>(&self, voxels: Vec<T>) -> Result<Image, FileProblem> {
        of_voxels(voxels, &self.geometry)
    }

    /// All components or volumes, one behind the other, of numbers as they follow each other in the file.
    fn stack<T: VoxelBytes>(&self, numbers: Vec<T>) -> Result<Image, FileProblem> {
        if self.components == 1 {
            return self.assemble(numbers);
        }
        let grid = tall(&self.geometry, self.components)?;
        if self.component_stride >= self.geometry.voxel_count() {
            return of_voxels(numbers, &grid);
        }
        let runs = |component: usize| numbers.chunks(self.component_stride).skip(component).step_by(self.components);
        of_voxels((0..self.components).flat_map(runs).flatten().copied().collect(), &grid)
    }
}

/// Fills the buffer as far as the reader has bytes.
fn read_up_to(reader: &mut dyn Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match reader.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// Writes voxels in raster order, little endian.
pub(crate) fn write_binary(writer: &mut dyn Write, image: &Image) -> io::Result<()> {
    const CHUNK: usize = 1 << 14;
    crate::with_volume!(image, volume => {
        volume.as_slice().chunks(CHUNK).try_for_each(|chunk| writer.write_all(&little_endian(chunk)))
    })
}
