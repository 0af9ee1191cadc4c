//! NIfTI-1 and NIfTI-2 (`.nii`, `.nii.gz`, and `.hdr` with `.img`), <https://nifti.nimh.nih.gov>.
//!
//! The grid is the one that ITK 5.4 makes of the header: coordinates are turned from RAS to LPS, spacings come from
//! `pixdim`, and of the two orientations of a header the sform is taken when it has no shear and either its code is 1
//! (scanner) or there is no qform, else the qform. Voxels with a scale (`scl_slope`, `scl_inter`) become single precision.

use std::fs::File;
use std::io::{BufReader, Read, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;

use crate::error::FileProblem;
use crate::file::{FileFormat, GZIP_LEVEL};
use crate::geometry::{Geometry, IDENTITY};
use crate::volume::{Image, PixelType, Voxel};
use crate::voxel_data::{ByteOrder, VoxelBytes, VoxelLayout, write_binary};
use crate::with_volume;

type Result<T> = std::result::Result<T, FileProblem>;
type Matrix = [[f64; 3]; 3];

/// Bytes from which a NIfTI header of either version can be told.
pub(crate) const HEADER_START: usize = 352;

const NIFTI_1_BYTES: usize = 348;
const NIFTI_2_BYTES: usize = 540;
const NIFTI_2_SINGLE: &[u8; 8] = b"n+2\0\r\n\x1a\n";
const NIFTI_2_PAIR: &[u8; 8] = b"ni2\0\r\n\x1a\n";
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

fn malformed(what: impl Into<String>) -> FileProblem {
    FileProblem::malformed(FileFormat::Nifti, what)
}

fn unsupported(what: impl Into<String>) -> FileProblem {
    FileProblem::unsupported(FileFormat::Nifti, what)
}

/// Whether a file that starts with these bytes is a NIfTI image or one half of a pair.
pub(crate) fn is_nifti(path: &Path, start: &[u8]) -> Result<bool> {
    if header_path(path).is_some_and(|header| header.exists()) {
        return Ok(true);
    }
    if !start.starts_with(&GZIP_MAGIC) {
        return Ok(Version::of(start).is_some());
    }
    let mut inflated = Vec::new();
    // A file that is cut off inside the header is no NIfTI file, not an error of the disk.
    let complete = MultiGzDecoder::new(File::open(path)?).take(HEADER_START as u64).read_to_end(&mut inflated);
    Ok(complete.is_ok() && Version::of(&inflated).is_some())
}

/// Reads a file, with the component `channel` where its voxels have several.
pub(crate) fn read(path: &Path, channel: Option<usize>) -> Result<Image> {
    let header_file = header_path(path).unwrap_or_else(|| path.to_owned());
    let mut reader = open(&header_file)?;
    let header = Header::read(&mut reader)?;
    if !header.is_pair {
        return header.decode(reader, channel);
    }
    let data_file = data_path(&header_file).ok_or_else(|| malformed("the header's image (.img or .img.gz) is not beside it"))?;
    header.decode(open(&data_file)?, channel)
}

/// Reads an image whose header and voxels lie in the same bytes, compressed or not.
///
/// # Errors
/// [`FileProblem`] when the bytes are no NIfTI image.
pub fn decode(bytes: &[u8]) -> Result<Image> {
    let mut reader: Box<dyn Read + '_> =
        if bytes.starts_with(&GZIP_MAGIC) { Box::new(MultiGzDecoder::new(bytes)) } else { Box::new(bytes) };
    let header = Header::read(&mut reader)?;
    if header.is_pair {
        return Err(unsupported("the voxels lie in another file; read it by its path"));
    }
    header.decode(reader, None)
}

fn open(path: &Path) -> Result<Box<dyn Read>> {
    let mut start = Vec::new();
    File::open(path)?.take(2).read_to_end(&mut start)?;
    let file = BufReader::new(File::open(path)?);
    Ok(if start == GZIP_MAGIC { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) })
}

/// The header that belongs to the `.img` half of a pair.
fn header_path(path: &Path) -> Option<PathBuf> {
    sibling(path, "img", "hdr")
}

/// The voxels that belong to the `.hdr` half of a pair.
fn data_path(path: &Path) -> Option<PathBuf> {
    sibling(path, "hdr", "img")
}

/// The other half of a pair, before all the one that is compressed as this half is.
fn sibling(path: &Path, from: &str, to: &str) -> Option<PathBuf> {
    let name = path.file_name()?.to_str()?;
    let lower = name.to_ascii_lowercase();
    let stem_length = lower.strip_suffix(".gz").unwrap_or(&lower).strip_suffix(from)?.len();
    let endings = if lower.ends_with(".gz") { [".gz", ""] } else { ["", ".gz"] };
    endings.iter().map(|ending| path.with_file_name(format!("{}{to}{ending}", &name[..stem_length]))).find(|path| path.exists())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    One,
    Two,
}

impl Version {
    fn of(start: &[u8]) -> Option<Self> {
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

/// What a header says, in the terms of NIfTI.
#[derive(Debug, Clone)]
struct Header {
    version: Version,
    order: ByteOrder,
    is_pair: bool,
    dim: [i64; 8],
    datatype: i64,
    pixdim: [f64; 8],
    vox_offset: f64,
    scl_slope: f64,
    scl_inter: f64,
    xyzt_units: i64,
    intent_code: i64,
    qform_code: i64,
    sform_code: i64,
    quatern: [f64; 3],
    qoffset: [f64; 3],
    srow: [f64; 12],
    bytes_read: u64,
}

impl Header {
    fn read(reader: &mut impl Read) -> Result<Self> {
        let mut bytes = vec![0; NIFTI_1_BYTES];
        let truncated = |_| malformed("the file ends inside the header");
        reader.read_exact(&mut bytes).map_err(truncated)?;
        let version = Version::of(&bytes).ok_or_else(|| malformed("the header's size is neither 348 nor 540"))?;
        let order = if matches!(bytes[..4], [92, 1, ..] | [28, 2, ..]) { ByteOrder::Little } else { ByteOrder::Big };
        match version {
            Version::One => Self::version_one(&bytes, order),
            Version::Two => {
                bytes.resize(NIFTI_2_BYTES, 0);
                reader.read_exact(&mut bytes[NIFTI_1_BYTES..]).map_err(truncated)?;
                Self::version_two(&bytes, order)
            }
        }
    }

    fn version_one(bytes: &[u8], order: ByteOrder) -> Result<Self> {
        let is_pair = match &bytes[344..348] {
            b"n+1\0" => false,
            b"ni1\0" => true,
            [0, ..] => return Err(unsupported("an ANALYZE 7.5 header, which has no orientation; convert it to NIfTI")),
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
        })
    }

    /// The image from what follows the header, or from the other half of a pair.
    fn decode(&self, mut reader: impl Read, channel: Option<usize>) -> Result<Image> {
        let layout = self.layout()?;
        let image = self.skip_to_voxels(&mut reader).and_then(|()| layout.read_binary(reader, channel))?;
        Ok(self.rescaled(image))
    }

    fn skip_to_voxels(&self, reader: &mut impl Read) -> Result<()> {
        const LARGEST_OFFSET: f64 = (1u64 << 32) as f64;
        if !(0.0..LARGEST_OFFSET).contains(&self.vox_offset) {
            return Err(malformed(format!("vox_offset is {}", self.vox_offset)));
        }
        // A single file whose offset lies inside the header has its voxels right after the four bytes of extension flags.
        let start = if self.is_pair { self.vox_offset as u64 } else { (self.vox_offset as u64).max(self.bytes_read + 4) };
        let gap = start - if self.is_pair { 0 } else { self.bytes_read };
        if std::io::copy(&mut reader.take(gap), &mut std::io::sink())? != gap {
            return Err(malformed("the file ends before its voxels"));
        }
        Ok(())
    }

    fn layout(&self) -> Result<VoxelLayout> {
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
            other => return Err(unsupported(format!("voxels of datatype {other}; real numbers of 8 to 64 bits are read"))),
        };
        let (axes, size, components) = self.extent()?;
        let geometry = self.geometry(axes, size)?;
        let component_stride = geometry.voxel_count();
        VoxelLayout { format: FileFormat::Nifti, pixel_type, order: self.order, geometry, components, component_stride }.checked()
    }

    /// Number of axes in space, voxels along each and components a voxel.
    fn extent(&self) -> Result<(usize, [usize; 3], usize)> {
        const VECTOR_INTENT: i64 = 1007;
        let dimension = usize::try_from(self.dim[0]).ok().filter(|n| (1..=7).contains(n));
        let dimension = dimension.ok_or_else(|| malformed(format!("dim[0] is {}; it is a number of axes from 1 to 7", self.dim[0])))?;
        let size = |axis: usize| -> Result<usize> {
            let voxels = if axis <= dimension { self.dim[axis] } else { 1 };
            usize::try_from(voxels).ok().filter(|&n| n > 0).ok_or_else(|| malformed(format!("dim[{axis}] is {voxels}")))
        };
        let extents: Vec<usize> = (1..=7).map(size).collect::<Result<_>>()?;
        let components = if self.intent_code == VECTOR_INTENT && dimension >= 5 { extents[4] } else { 1 };
        let beyond_space: Vec<usize> = extents[3..].iter().copied().filter(|&n| n > 1).collect();
        if !beyond_space.is_empty() && beyond_space != [components] {
            return Err(unsupported(format!(
                "an image of more than three dimensions, dim = {:?}; split it into volumes",
                &self.dim[1..=dimension]
            )));
        }
        if dimension == 1 {
            return Err(unsupported("an image of one dimension"));
        }
        let is_vector_of_planes = components > 1 && extents[2] == 1;
        let axes = if dimension == 2 || is_vector_of_planes { 2 } else { 3 };
        Ok((axes, [extents[0], extents[1], extents[2]], components))
    }

    fn geometry(&self, axes: usize, size: [usize; 3]) -> Result<Geometry> {
        let millimetres = match self.xyzt_units & 7 {
            1 => 1e3,
            3 => 1e-3,
            _ => 1.0,
        };
        let mut spacing: [f64; 3] = std::array::from_fn(|axis| self.pixdim[axis + 1] * millimetres);
        let (mut columns, offset) = self.orientation()?;
        for column in &mut columns {
            // Two-dimensional images keep the part of their directions that lies in the plane.
            let length = column[..axes].iter().map(|x| x * x).sum::<f64>().sqrt();
            *column = [-column[0] / length, -column[1] / length, column[2] / length];
        }
        let origin = [-offset[0], -offset[1], offset[2]];
        // -0 would print as such and is no coordinate that anyone wrote.
        let clean = |vector: [f64; 3]| vector.map(|x| x + 0.0);
        let direction: Matrix = std::array::from_fn(|row| clean(columns.map(|column| column[row])));
        if axes == 2 {
            let plane = [[direction[0][0], direction[0][1]], [direction[1][0], direction[1][1]]];
            return Ok(Geometry::planar([size[0], size[1]], [spacing[0], spacing[1]], [origin[0] + 0.0, origin[1] + 0.0], plane)?);
        }
        if size[2] == 1 && self.dim[0] == 2 {
            spacing[2] = 1.0;
        }
        Ok(Geometry::new(size, spacing, clean(origin), direction)?)
    }

    /// Columns of the matrix from index to RAS coordinates, and the first voxel's coordinates.
    fn orientation(&self) -> Result<([[f64; 3]; 3], [f64; 3])> {
        if self.qform_code <= 0 && self.sform_code <= 0 {
            // Without an orientation ITK takes index axes and LPS axes as the same.
            return Ok(([[-1.0, 0.0, 0.0], [0.0, -1.0, 0.0], [0.0, 0.0, 1.0]], [0.0; 3]));
        }
        let sform = self.sform();
        let sform_is_usable = self.sform_code > 0 && self.is_unsheared(&sform.0);
        if sform_is_usable && (self.qform_code <= 0 || self.sform_code == 1) {
            return Ok(sform);
        }
        if self.qform_code > 0 {
            return Ok(self.qform());
        }
        Err(unsupported("the sform is sheared or contradicts pixdim, and there is no qform; resample the image to orthogonal axes"))
    }

    fn sform(&self) -> ([[f64; 3]; 3], [f64; 3]) {
        let columns = std::array::from_fn(|column| std::array::from_fn(|row| self.srow[row * 4 + column]));
        (columns, std::array::from_fn(|row| self.srow[row * 4 + 3]))
    }

    /// Whether the columns are orthogonal and as long as the spacings, in ITK's tolerances.
    fn is_unsheared(&self, columns: &[[f64; 3]; 3]) -> bool {
        let dot = |a: &[f64; 3], b: &[f64; 3]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let lengths = columns.map(|column| dot(&column, &column).sqrt());
        let spacings_agree = (0..3).all(|axis| (self.pixdim[axis + 1] - lengths[axis]).abs() <= 1e-3);
        let orthogonal =
            [(0, 1), (0, 2), (1, 2)].iter().all(|&(a, b)| dot(&columns[a], &columns[b]).abs() <= 1e-4 * lengths[a] * lengths[b]);
        spacings_agree && orthogonal && lengths.iter().all(|length| *length > 0.0)
    }

    /// Rotation from the quaternion (a, b, c, d) with a ≥ 0 left out of the file; the third axis turned round when
    /// `pixdim[0]` is negative.
    fn qform(&self) -> ([[f64; 3]; 3], [f64; 3]) {
        let [mut b, mut c, mut d] = self.quatern;
        let rest = 1.0 - (b * b + c * c + d * d);
        let mut a = 0.0;
        if rest < 1e-7 {
            let scale = 1.0 / (b * b + c * c + d * d).sqrt();
            (b, c, d) = (b * scale, c * scale, d * scale);
        } else {
            a = rest.sqrt();
        }
        let handedness = if self.pixdim[0] < 0.0 { -1.0 } else { 1.0 };
        let scale: [f64; 3] = std::array::from_fn(|axis| if self.pixdim[axis + 1] > 0.0 { self.pixdim[axis + 1] } else { 1.0 });
        let columns = [
            [a * a + b * b - c * c - d * d, 2.0 * (b * c + a * d), 2.0 * (b * d - a * c)],
            [2.0 * (b * c - a * d), a * a + c * c - b * b - d * d, 2.0 * (c * d + a * b)],
            [2.0 * (b * d + a * c), 2.0 * (c * d - a * b), a * a + d * d - c * c - b * b].map(|x| x * handedness),
        ];
        let single = |x: f64| if self.version == Version::One { f64::from(x as f32) } else { x };
        (std::array::from_fn(|axis| columns[axis].map(|x| single(x * scale[axis]))), self.qoffset)
    }

    /// Voxels times `scl_slope` plus `scl_inter`, in single precision unless they are stored in double precision.
    fn rescaled(&self, image: Image) -> Image {
        let slope = if self.scl_slope.is_finite() && self.scl_slope != 0.0 { self.scl_slope } else { 1.0 };
        let intercept = if self.scl_inter.is_finite() && self.scl_slope != 0.0 { self.scl_inter } else { 0.0 };
        if slope == 1.0 && intercept == 0.0 {
            return image;
        }
        match image {
            Image::F64(volume) => f64::into_image(volume.map(|voxel| voxel * slope + intercept)),
            image => with_volume!(&image, volume => f32::into_image(volume.map(|voxel| (voxel.to_f64() * slope + intercept) as f32))),
        }
    }
}

/// Writes an image: NIfTI-1, or NIfTI-2 where an axis has more than 32767 voxels.
pub(crate) fn write(path: &Path, image: &Image) -> Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    let compressed = name.ends_with(".gz");
    let plain = name.strip_suffix(".gz").unwrap_or(&name);
    let is_pair = plain.ends_with(".hdr") || plain.ends_with(".img");
    let header = header_bytes(image, is_pair);
    if !is_pair {
        let mut writer = create(path, compressed)?;
        writer.write_all(&header)?;
        write_binary(&mut writer, image)?;
        return writer.finish();
    }
    let stem_length = plain.len() - "img".len();
    let original = path.file_name().and_then(|name| name.to_str()).ok_or_else(|| malformed("the file name is not Unicode"))?;
    let half = |suffix: &str| path.with_file_name(format!("{}{suffix}{}", &original[..stem_length], if compressed { ".gz" } else { "" }));
    let mut writer = create(&half("hdr"), compressed)?;
    writer.write_all(&header)?;
    writer.finish()?;
    let mut writer = create(&half("img"), compressed)?;
    write_binary(&mut writer, image)?;
    writer.finish()
}

enum Output {
    Plain(std::io::BufWriter<File>),
    Gzip(GzEncoder<File>),
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match self {
            Self::Plain(file) => file.write(bytes),
            Self::Gzip(encoder) => encoder.write(bytes),
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        match self {
            Self::Plain(file) => file.flush(),
            Self::Gzip(encoder) => encoder.flush(),
        }
    }
}

impl Output {
    fn finish(self) -> Result<()> {
        match self {
            Self::Plain(mut file) => file.flush()?,
            Self::Gzip(encoder) => drop(encoder.finish()?),
        }
        Ok(())
    }
}

fn create(path: &Path, compressed: bool) -> Result<Output> {
    let file = File::create(path)?;
    Ok(if compressed {
        Output::Gzip(GzEncoder::new(file, Compression::new(GZIP_LEVEL)))
    } else {
        Output::Plain(std::io::BufWriter::new(file))
    })
}

/// A header with both orientations (code 1, scanner) in RAS coordinates, then the four bytes of extension flags.
fn header_bytes(image: &Image, is_pair: bool) -> Vec<u8> {
    let geometry = image.geometry();
    let (size, spacing) = (geometry.size(), geometry.spacing());
    let to_ras = [-1.0, -1.0, 1.0];
    let direction = geometry.direction();
    let rotation: Matrix = std::array::from_fn(|row| direction[row].map(|cosine| cosine * to_ras[row]));
    let origin: [f64; 3] = std::array::from_fn(|row| geometry.origin()[row] * to_ras[row]);
    let (quaternion, handedness) = quaternion(&rotation);
    let qform_code = i64::from(quaternion.is_some());
    let quaternion = quaternion.unwrap_or_default();

    let version = if size.iter().any(|&n| n > i16::MAX as usize) { Version::Two } else { Version::One };
    let header_size = match version {
        Version::One => NIFTI_1_BYTES,
        Version::Two => NIFTI_2_BYTES,
    };
    let data_offset = if is_pair { 0 } else { header_size + 4 };
    let (datatype, bits) = (datatype(image.pixel_type()), 8 * image.pixel_type().bytes() as i64);
    let dim: [i64; 8] = [geometry.dimension() as i64, size[0] as i64, size[1] as i64, size[2] as i64, 1, 1, 1, 1];
    let pixdim = [handedness, spacing[0], spacing[1], spacing[2], 1.0, 1.0, 1.0, 1.0];
    let srow: [f64; 12] = std::array::from_fn(|i| if i % 4 == 3 { origin[i / 4] } else { rotation[i / 4][i % 4] * spacing[i % 4] });
    let mut header = HeaderWriter { version, bytes: vec![0; header_size + 4] };
    header.put(0, 0, &(header_size as i32).to_le_bytes());
    header.integers(40, 16, &dim);
    header.short(70, 12, datatype);
    header.short(72, 14, bits);
    header.floats(76, 104, &pixdim);
    match version {
        Version::One => header.put(108, 0, &(data_offset as f32).to_le_bytes()),
        Version::Two => header.put(0, 168, &(data_offset as i64).to_le_bytes()),
    }
    header.floats(112, 176, &[1.0, 0.0]);
    header.put(123, 500, &[MILLIMETRES_AND_SECONDS]);
    match version {
        Version::One => [252, 254].iter().zip([qform_code, 1]).for_each(|(&at, code)| header.short(at, at, code)),
        Version::Two => [344, 348].iter().zip([qform_code, 1]).for_each(|(&at, code)| header.put(at, at, &(code as i32).to_le_bytes())),
    }
    header.floats(256, 352, &quaternion);
    header.floats(268, 376, &origin);
    header.floats(280, 400, &srow);
    match (version, is_pair) {
        (Version::One, true) => header.put(344, 0, b"ni1\0"),
        (Version::One, false) => header.put(344, 0, b"n+1\0"),
        (Version::Two, true) => header.put(0, 4, NIFTI_2_PAIR),
        (Version::Two, false) => header.put(0, 4, NIFTI_2_SINGLE),
    }
    header.bytes
}

const MILLIMETRES_AND_SECONDS: u8 = 2 | 8;

/// Puts fields at the place that their version of the header gives them.
struct HeaderWriter {
    version: Version,
    bytes: Vec<u8>,
}

impl HeaderWriter {
    fn put(&mut self, at_one: usize, at_two: usize, field: &[u8]) {
        let at = if self.version == Version::One { at_one } else { at_two };
        self.bytes[at..at + field.len()].copy_from_slice(field);
    }

    fn short(&mut self, at_one: usize, at_two: usize, value: i64) {
        self.put(at_one, at_two, &(value as i16).to_le_bytes());
    }

    fn integers(&mut self, at_one: usize, at_two: usize, values: &[i64]) {
        for (i, value) in values.iter().enumerate() {
            match self.version {
                Version::One => self.put(at_one + 2 * i, 0, &(*value as i16).to_le_bytes()),
                Version::Two => self.put(0, at_two + 8 * i, &value.to_le_bytes()),
            }
        }
    }

    fn floats(&mut self, at_one: usize, at_two: usize, values: &[f64]) {
        for (i, value) in values.iter().enumerate() {
            match self.version {
                Version::One => self.put(at_one + 4 * i, 0, &(*value as f32).to_le_bytes()),
                Version::Two => self.put(0, at_two + 8 * i, &value.to_le_bytes()),
            }
        }
    }
}

fn datatype(pixel_type: PixelType) -> i64 {
    match pixel_type {
        PixelType::U8 => 2,
        PixelType::I8 => 256,
        PixelType::U16 => 512,
        PixelType::I16 => 4,
        PixelType::U32 => 768,
        PixelType::I32 => 8,
        PixelType::U64 => 1280,
        PixelType::I64 => 1024,
        PixelType::F32 => 16,
        PixelType::F64 => 64,
    }
}

/// (b, c, d) of the rotation's quaternion with a ≥ 0, none when the axes are not orthogonal; and −1 where the third axis
/// has to be turned round to make the axes right-handed.
fn quaternion(rotation: &Matrix) -> (Option<[f64; 3]>, f64) {
    let mut r = *rotation;
    let determinant = r[0][0] * (r[1][1] * r[2][2] - r[1][2] * r[2][1]) - r[0][1] * (r[1][0] * r[2][2] - r[1][2] * r[2][0])
        + r[0][2] * (r[1][0] * r[2][1] - r[1][1] * r[2][0]);
    let handedness = determinant.signum();
    for row in &mut r {
        row[2] *= handedness;
    }
    let product = |i: usize, j: usize| (0..3).map(|k| r[k][i] * r[k][j]).sum::<f64>();
    let is_orthonormal = (0..3).all(|i| (0..3).all(|j| (product(i, j) - IDENTITY[i][j]).abs() < 1e-4));
    if !is_orthonormal {
        return (None, handedness);
    }
    // The largest of the four components is found first, since the others are divided by it.
    let trace = r[0][0] + r[1][1] + r[2][2];
    let squares = [1.0 + trace, 1.0 + 2.0 * r[0][0] - trace, 1.0 + 2.0 * r[1][1] - trace, 1.0 + 2.0 * r[2][2] - trace];
    let largest = (0..4).max_by(|&i, &j| squares[i].total_cmp(&squares[j])).unwrap_or(0);
    let root = squares[largest].max(0.0).sqrt();
    let divisor = 2.0 * root;
    let (xy, xz, yz) = (r[0][1] + r[1][0], r[0][2] + r[2][0], r[1][2] + r[2][1]);
    let (x, y, z) = (r[2][1] - r[1][2], r[0][2] - r[2][0], r[1][0] - r[0][1]);
    let [a, b, c, d] = match largest {
        0 => [root / 2.0, x / divisor, y / divisor, z / divisor],
        1 => [x / divisor, root / 2.0, xy / divisor, xz / divisor],
        2 => [y / divisor, xy / divisor, root / 2.0, yz / divisor],
        _ => [z / divisor, xz / divisor, yz / divisor, root / 2.0],
    };
    let sign = if a < 0.0 { -1.0 } else { 1.0 };
    (Some([b, c, d].map(|x| x * sign)), handedness)
}
