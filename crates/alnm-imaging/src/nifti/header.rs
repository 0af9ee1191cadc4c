//! The fields of a header of either version.

use std::io::Read;

use super::{Matrix, NIFTI_1_BYTES, NIFTI_2_BYTES, NIFTI_2_PAIR, NIFTI_2_SINGLE, Result, malformed, unsupported};
use crate::format::FileFormat;
use crate::geometry::Geometry;
use crate::volume::{Image, PixelType, Voxel};
use crate::voxel_data::{ByteOrder, NiftiForm, Part, Several, VoxelBytes, VoxelLayout};
use crate::with_volume;

/// A version of the format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    One,
    Two,
}

impl Version {
    pub(super) fn of(start: &[u8]) -> Option<Self> {
        let size: [u8; 4] = *start.first_chunk()?;
        match (i32::from_le_bytes(size), i32::from_be_bytes(size)) {
            (348, _) | (_, 348) => Some(Self::One),
            (540, _) | (_, 540) => Some(Self::Two),
            _ => None,
        }
    }
}

/// Numbers at fixed places of a header.
struct Fields<'a> {
    bytes: &'a [u8],
    order: ByteOrder,
}

impl Fields<'_> {
    fn integer<T: VoxelBytes + Into<i64>>(&self, offset: usize) -> i64 {
        T::from_bytes(&self.bytes[offset..], self.order).into()
    }

    fn float<T: VoxelBytes>(&self, offset: usize) -> f64 {
        T::from_bytes(&self.bytes[offset..], self.order).to_f64()
    }

    fn floats<T: VoxelBytes, const N: usize>(&self, offset: usize) -> [f64; N] {
        std::array::from_fn(|i| self.float::<T>(offset + i * T::BYTES))
    }
}

/// How many voxels there are.
struct Extent {
    /// Number of axes in space.
    axes: usize,
    /// Voxels along each.
    size: [usize; 3],
    /// Components of each voxel, or volumes.
    components: usize,
    several: Several,
}

/// What a header says, in the terms of NIfTI.
#[derive(Debug, Clone)]
pub(super) struct Header {
    pub(super) version: Version,
    pub(super) order: ByteOrder,
    pub(super) is_pair: bool,
    pub(super) dim: [i64; 8],
    pub(super) datatype: i64,
    pub(super) pixdim: [f64; 8],
    pub(super) vox_offset: f64,
    pub(super) scl_slope: f64,
    pub(super) scl_inter: f64,
    pub(super) xyzt_units: i64,
    pub(super) intent_code: i64,
    pub(super) qform_code: i64,
    pub(super) sform_code: i64,
    pub(super) quatern: [f64; 3],
    pub(super) qoffset: [f64; 3],
    pub(super) srow: [f64; 12],
    pub(super) bytes_read: u64,
    /// Which orientation is taken.
    pub(super) form: NiftiForm,
}

impl Header {
    pub(super) fn read(reader: &mut impl Read) -> Result<Self> {
        match Self::read_any(reader)? {
            (_, true) => Err(unsupported("an ANALYZE 7.5 header, which has no orientation; convert it to NIfTI")),
            (header, false) => Ok(header),
        }
    }

    /// The header, and whether it is one of ANALYZE 7.5, in which all fields about orientation mean something else.
    pub(super) fn read_any(reader: &mut impl Read) -> Result<(Self, bool)> {
        let mut bytes = vec![0; NIFTI_1_BYTES];
        let truncated = |_| malformed("the file ends inside the header");
        reader.read_exact(&mut bytes).map_err(truncated)?;
        let version = Version::of(&bytes).ok_or_else(|| malformed("the header's size is neither 348 nor 540"))?;
        let order = if matches!(bytes[..4], [92, 1, ..] | [28, 2, ..]) { ByteOrder::Little } else { ByteOrder::Big };
        match version {
            Version::One => Ok((Self::version_one(&bytes, order)?, bytes[344] == 0)),
            Version::Two => {
                bytes.resize(NIFTI_2_BYTES, 0);
                reader.read_exact(&mut bytes[NIFTI_1_BYTES..]).map_err(truncated)?;
                Ok((Self::version_two(&bytes, order)?, false))
            }
        }
    }

    fn version_one(bytes: &[u8], order: ByteOrder) -> Result<Self> {
        let is_pair = match &bytes[344..348] {
            b"n+1\0" => false,
            b"ni1\0" | [0, ..] => true,
            other => return Err(malformed(format!("magic {other:?} where \"n+1\" or \"ni1\" belongs"))),
        };
        let fields = Fields { bytes, order };
        Ok(Self {
            version: Version::One,
            order,
            is_pair,
            dim: std::array::from_fn(|i| fields.integer::<i16>(40 + 2 * i)),
            intent_code: fields.integer::<i16>(68),
            datatype: fields.integer::<i16>(70),
            pixdim: fields.floats::<f32, 8>(76),
            vox_offset: fields.float::<f32>(108),
            scl_slope: fields.float::<f32>(112),
            scl_inter: fields.float::<f32>(116),
            xyzt_units: i64::from(bytes[123]),
            qform_code: fields.integer::<i16>(252),
            sform_code: fields.integer::<i16>(254),
            quatern: fields.floats::<f32, 3>(256),
            qoffset: fields.floats::<f32, 3>(268),
            srow: fields.floats::<f32, 12>(280),
            bytes_read: NIFTI_1_BYTES as u64,
            form: NiftiForm::Itk,
        })
    }

    fn version_two(bytes: &[u8], order: ByteOrder) -> Result<Self> {
        let magic = &bytes[4..12];
        if magic != NIFTI_2_SINGLE && magic != NIFTI_2_PAIR {
            return Err(malformed(format!("magic {magic:?} where that of NIfTI-2 belongs")));
        }
        let fields = Fields { bytes, order };
        Ok(Self {
            version: Version::Two,
            order,
            is_pair: magic == NIFTI_2_PAIR,
            datatype: fields.integer::<i16>(12),
            dim: std::array::from_fn(|i| fields.integer::<i64>(16 + 8 * i)),
            pixdim: fields.floats::<f64, 8>(104),
            vox_offset: fields.integer::<i64>(168) as f64,
            scl_slope: fields.float::<f64>(176),
            scl_inter: fields.float::<f64>(184),
            qform_code: fields.integer::<i32>(344),
            sform_code: fields.integer::<i32>(348),
            quatern: fields.floats::<f64, 3>(352),
            qoffset: fields.floats::<f64, 3>(376),
            srow: fields.floats::<f64, 12>(400),
            xyzt_units: fields.integer::<i32>(500),
            intent_code: fields.integer::<i32>(504),
            bytes_read: NIFTI_2_BYTES as u64,
            form: NiftiForm::Itk,
        })
    }

    /// The image from what follows the header, or from the other half of a pair.
    pub(super) fn decode(&self, mut reader: impl Read, part: Part) -> Result<Image> {
        let layout = self.layout()?;
        let image = self.skip_to_voxels(&mut reader).and_then(|()| layout.read_binary(&mut reader, part))?;
        Ok(self.rescaled(image))
    }

    fn skip_to_voxels(&self, reader: &mut impl Read) -> Result<()> {
        const LARGEST_OFFSET: f64 = (1u64 << 32) as f64;
        if !(0.0..LARGEST_OFFSET).contains(&self.vox_offset) {
            return Err(malformed(format!("vox_offset is {}", self.vox_offset)));
        }
        // A single file whose offset lies inside the header has its voxels right after the four bytes of extension
        // flags.
        let start =
            if self.is_pair { self.vox_offset as u64 } else { (self.vox_offset as u64).max(self.bytes_read + 4) };
        let gap = start - if self.is_pair { 0 } else { self.bytes_read };
        if std::io::copy(&mut reader.take(gap), &mut std::io::sink())? != gap {
            return Err(malformed("the file ends before its voxels"));
        }
        Ok(())
    }

    pub(super) fn layout(&self) -> Result<VoxelLayout> {
        let pixel_type = match self.datatype {
            2 => PixelType::U8,
            256 => PixelType::I8,
            512 => PixelType::U16,
            4 => PixelType::I16,
            768 => PixelType::U32,
            8 => PixelType::I32,
            1280 => PixelType::U64,
            1024 => PixelType::I64,
            16 => PixelType::F32,
            64 => PixelType::F64,
            other => {
                return Err(unsupported(format!("voxels of datatype {other}; real numbers of 8 to 64 bits are read")));
            }
        };
        let Extent { axes, size, components, several } = self.extent()?;
        let geometry = self.geometry(axes, size)?;
        let component_stride = geometry.voxel_count();
        VoxelLayout {
            format: FileFormat::Nifti,
            pixel_type,
            order: self.order,
            geometry,
            components,
            several,
            component_stride,
        }
        .checked()
    }

    fn extent(&self) -> Result<Extent> {
        const VECTOR_INTENT: i64 = 1007;
        let dimension = usize::try_from(self.dim[0]).ok().filter(|n| (1..=7).contains(n));
        let dimension = dimension
            .ok_or_else(|| malformed(format!("dim[0] is {}; it is a number of axes from 1 to 7", self.dim[0])))?;
        let size = |axis: usize| -> Result<usize> {
            let voxels = if axis <= dimension { self.dim[axis] } else { 1 };
            usize::try_from(voxels).ok().filter(|&n| n > 0).ok_or_else(|| malformed(format!("dim[{axis}] is {voxels}")))
        };
        let extents: Vec<usize> = (1..=7).map(size).collect::<Result<_>>()?;
        let beyond_space: Vec<usize> = extents[3..].iter().copied().filter(|&n| n > 1).collect();
        let components = match beyond_space[..] {
            [] => 1,
            [count] => count,
            _ => {
                return Err(unsupported(format!(
                    "an image of more than four dimensions, dim = {:?}; split it into volumes",
                    &self.dim[1..=dimension]
                )));
            }
        };
        let is_vector = self.intent_code == VECTOR_INTENT && extents[4] > 1;
        if dimension == 1 {
            return Err(unsupported("an image of one dimension"));
        }
        let is_vector_of_planes = is_vector && extents[2] == 1;
        let axes = if dimension == 2 || is_vector_of_planes { 2 } else { 3 };
        let several = if is_vector { Several::Components } else { Several::Volumes };
        Ok(Extent { axes, size: [extents[0], extents[1], extents[2]], components, several })
    }

    /// The grid of the axes of space; none where it makes no sense.
    pub(super) fn grid_of_space(&self) -> Option<Geometry> {
        let voxels = |axis: usize| if (axis as i64) <= self.dim[0] { self.dim[axis] } else { 1 };
        let size = [1, 2, 3].map(|axis| usize::try_from(voxels(axis)).unwrap_or(0));
        let axes = if self.dim[0] == 2 { 2 } else { 3 };
        self.geometry(axes, size).ok()
    }

    fn geometry(&self, axes: usize, size: [usize; 3]) -> Result<Geometry> {
        let millimetres = match self.xyzt_units & 7 {
            1 => 1e3,
            3 => 1e-3,
            _ => 1.0,
        };
        let spacing: [f64; 3] = std::array::from_fn(|axis| self.pixdim[axis + 1] * millimetres);
        if let Some(axis) = (0..axes).find(|&axis| !(spacing[axis].is_finite() && spacing[axis] > 0.0)) {
            return Err(malformed(format!(
                "pixdim[{}] is {}; a spacing is finite and above 0",
                axis + 1,
                self.pixdim[axis + 1]
            )));
        }
        let (mut columns, offset) = self.orientation()?;
        for column in &mut columns {
            // Two-dimensional images keep the part of their directions that lies in the plane.
            let length = column[..axes].iter().map(|x| x * x).sum::<f64>().sqrt();
            *column = [-column[0] / length, -column[1] / length, column[2] / length];
        }
        let origin = [-offset[0], -offset[1], offset[2]].map(|coordinate| coordinate * millimetres);
        // -0 would print as such and is no coordinate that anyone wrote.
        let clean = |vector: [f64; 3]| vector.map(|x| x + 0.0);
        let direction: Matrix = std::array::from_fn(|row| clean(columns.map(|column| column[row])));
        if axes == 2 {
            let plane = [[direction[0][0], direction[0][1]], [direction[1][0], direction[1][1]]];
            return Ok(Geometry::planar(
                [size[0], size[1]],
                [spacing[0], spacing[1]],
                [origin[0] + 0.0, origin[1] + 0.0],
                plane,
            )?);
        }
        Ok(Geometry::new(size, spacing, clean(origin), direction)?)
    }

    /// The type of the voxels as they are read, with their scale.
    pub(super) fn rescaled_type(&self) -> Result<PixelType> {
        let stored = self.layout()?.pixel_type;
        let [slope, intercept] = self.scale();
        Ok(if (slope == 1.0 && intercept == 0.0) || stored == PixelType::F64 { stored } else { PixelType::F32 })
    }

    /// Slope and intercept of the stored values.
    fn scale(&self) -> [f64; 2] {
        let slope = if self.scl_slope.is_finite() && self.scl_slope != 0.0 { self.scl_slope } else { 1.0 };
        let intercept = if self.scl_inter.is_finite() && self.scl_slope != 0.0 { self.scl_inter } else { 0.0 };
        [slope, intercept]
    }

    /// Voxels times `scl_slope` plus `scl_inter`, in single precision unless they are stored in double precision.
    fn rescaled(&self, image: Image) -> Image {
        let [slope, intercept] = self.scale();
        if slope == 1.0 && intercept == 0.0 {
            return image;
        }
        match image {
            Image::F64(volume) => f64::into_image(volume.map(|voxel| voxel * slope + intercept)),
            image => {
                with_volume!(&image, volume => f32::into_image(volume.map(|voxel| (voxel.to_f64() * slope + intercept) as f32)))
            }
        }
    }
}
