//! Writing NIfTI files and pairs.

use std::io::{self, Write};
use std::path::Path;

use super::header::Version;
use super::orientation::quaternion;
use super::{Matrix, NIFTI_1_BYTES, NIFTI_2_BYTES, NIFTI_2_PAIR, NIFTI_2_SINGLE, Result, malformed, unsupported};
use crate::atomic_file::AtomicFile;
use crate::deflate::{Effort, Wrapper, write_compressed};
use crate::volume::{Image, PixelType};
use crate::voxel_data::{Written, write_binary};

/// Writes an image: NIfTI-1, or NIfTI-2 where an axis has more than 32767 voxels. The files stand in the order in which
/// they are to appear.
pub(crate) fn write(path: &Path, image: Written<'_>) -> Result<Vec<AtomicFile>> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    let compressed = name.ends_with(".gz");
    let plain = name.strip_suffix(".gz").unwrap_or(&name);
    let is_pair = plain.ends_with(".hdr") || plain.ends_with(".img");
    if !image.geometry.is_orthonormal() {
        return Err(unsupported(format!(
            "axes that are not perpendicular unit vectors, direction {:?}; NRRD and MetaImage hold them",
            image.geometry.direction()
        )));
    }
    let header = header_bytes(image, is_pair);
    if !is_pair {
        return Ok(vec![write_file(path, compressed, &header, Some(image.voxels))?]);
    }
    let stem_length = plain.len() - "img".len();
    let original =
        path.file_name().and_then(|name| name.to_str()).ok_or_else(|| malformed("the file name is not Unicode"))?;
    let half = |suffix: &str| {
        path.with_file_name(format!("{}{suffix}{}", &original[..stem_length], if compressed { ".gz" } else { "" }))
    };
    let voxel_file = write_file(&half("img"), compressed, &[], Some(image.voxels))?;
    Ok(vec![voxel_file, write_file(&half("hdr"), compressed, &header, None)?])
}

/// Writes a header, voxels or both.
fn write_file(path: &Path, compressed: bool, header: &[u8], image: Option<&Image>) -> io::Result<AtomicFile> {
    let mut file = AtomicFile::create(path)?;
    if compressed {
        write_compressed(&mut file, Wrapper::Gzip, Effort::More, header, image)?;
        return Ok(file);
    }
    file.write_all(header)?;
    image.map_or(Ok(()), |image| write_binary(&mut file, image))?;
    Ok(file)
}

/// A header with both orientations in RAS coordinates, then the four bytes of extension flags.
fn header_bytes(image: Written<'_>, is_pair: bool) -> Vec<u8> {
    let Written { voxels, geometry, series } = image;
    let (size, spacing) = (geometry.size(), geometry.spacing());
    let to_ras = [-1.0, -1.0, 1.0];
    let direction = geometry.direction();
    let rotation: Matrix = std::array::from_fn(|row| direction[row].map(|cosine| cosine * to_ras[row]));
    let origin: [f64; 3] = std::array::from_fn(|row| geometry.origin()[row] * to_ras[row]);
    let (quaternion, handedness) = quaternion(&rotation);

    let version = if size.iter().chain(&series.map(|series| series.volumes)).any(|&n| n > i16::MAX as usize) {
        Version::Two
    } else {
        Version::One
    };
    let header_size = match version {
        Version::One => NIFTI_1_BYTES,
        Version::Two => NIFTI_2_BYTES,
    };
    let data_offset = if is_pair { 0 } else { header_size + 4 };
    let (datatype, bits) = (datatype(voxels.pixel_type()), 8 * voxels.pixel_type().bytes() as i64);
    let axes = if series.is_some() { 4 } else { geometry.dimension() as i64 };
    let (volumes, step) = series.map_or((1, 1.0), |series| (series.volumes as i64, series.step));
    let dim: [i64; 8] = [axes, size[0] as i64, size[1] as i64, size[2] as i64, volumes, 1, 1, 1];
    let pixdim = [handedness, spacing[0], spacing[1], spacing[2], step, 1.0, 1.0, 1.0];
    let srow: [f64; 12] =
        std::array::from_fn(|i| if i % 4 == 3 { origin[i / 4] } else { rotation[i / 4][i % 4] * spacing[i % 4] });
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
        Version::One => [252, 254].iter().for_each(|&at| header.short(at, at, SCANNER)),
        Version::Two => [344, 348].iter().for_each(|&at| header.put(at, at, &(SCANNER as i32).to_le_bytes())),
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

/// Code of an orientation in the scanner's coordinates.
const SCANNER: i64 = 1;

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
