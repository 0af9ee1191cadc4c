//! NIfTI-1 and NIfTI-2 (`.nii`, `.nii.gz`, and `.hdr` with `.img`), <https://nifti.nimh.nih.gov>.
//!
//! The grid is the one that ITK 5.4 makes of the header: coordinates are turned from RAS to LPS, spacings come from
//! `pixdim`, and of the two orientations of a header the sform is taken when it has no shear and either its code is 1
//! (scanner) or there is no qform, else the qform. Voxels with a scale (`scl_slope`, `scl_inter`) become single
//! precision.

mod header;
mod orientation;
mod outline;
mod write;

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;

use crate::deflate::{Wrapper, inflate, inflate_as_read};
use crate::error::FileProblem;
use crate::format::FileFormat;
use crate::volume::Image;
use crate::voxel_data::{FormConflict, HeaderOutline, ImageHeader, NiftiForm, Part};
use header::{Header, Version};
use outline::outline;
pub(crate) use write::write;

type Result<T> = std::result::Result<T, FileProblem>;
type Matrix = [[f64; 3]; 3];

/// Bytes of a NIfTI header that show its version.
const HEADER_START: usize = 352;

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

/// Whether an open file that starts with these bytes, which were read from it, is a NIfTI image or one half of a pair.
pub(crate) fn is_nifti(path: &Path, start: &[u8], rest: &mut File) -> Result<bool> {
    if header_path(path).is_some_and(|header| header.exists()) {
        return Ok(true);
    }
    if !start.starts_with(&GZIP_MAGIC) {
        return Ok(Version::of(start).is_some());
    }
    let mut inflated = Vec::new();
    // A file that is cut off inside the header is no NIfTI file, not an error of the disk.
    let complete =
        MultiGzDecoder::new(BufReader::new(start.chain(rest))).take(HEADER_START as u64).read_to_end(&mut inflated);
    Ok(complete.is_ok() && Version::of(&inflated).is_some())
}

/// Reads an open file, with the component or volume asked for where there are several. Of a pair, the other half is
/// opened here.
pub(crate) fn read(path: &Path, file: File, part: Part) -> Result<Image> {
    let header_file = header_path(path).unwrap_or_else(|| path.to_owned());
    let is_header = header_file == path;
    let (first, given) = if is_header { (file, None) } else { (File::open(&header_file)?, Some(file)) };
    let mut reader = content(first, inflate)?;
    let header = Header { form: part.form, ..Header::read(&mut reader)? };
    if !header.is_pair {
        return header.decode(reader, part);
    }
    let data_file = data_path(&header_file)
        .ok_or_else(|| malformed("the header's image (.img or .img.gz) is missing in its folder"))?;
    let voxels = match given.filter(|_| data_file == path) {
        Some(file) => file,
        None => File::open(&data_file)?,
    };
    header.decode(content(voxels, inflate)?, part)
}

/// Reads what the header of an open file says.
pub(crate) fn read_header(path: &Path, file: File, form: NiftiForm) -> Result<ImageHeader> {
    let header = Header { form, ..open_header(path, file)? };
    Ok(ImageHeader { pixel_type: header.rescaled_type()?, ..header.layout()?.header() })
}

/// Reads what the header of an open file says in the words of the format.
pub(crate) fn read_outline(path: &Path, file: File) -> Result<HeaderOutline> {
    let header_file = header_path(path).filter(|header| header != path);
    let file = header_file.map_or(Ok(file), File::open)?;
    outline(&mut content(file, |file, wrapper| Ok(inflate_as_read(file, wrapper)))?)
}

/// Whether the two orientations of the header of an open file disagree.
pub(crate) fn form_conflict(path: &Path, file: File, form: NiftiForm) -> Result<Option<FormConflict>> {
    Header { form, ..open_header(path, file)? }.form_conflict()
}

/// Whether the header of an open file has an orientation.
pub(crate) fn is_placed(path: &Path, file: File) -> Result<bool> {
    let header = open_header(path, file)?;
    Ok(header.qform_code > 0 || header.sform_code > 0)
}

/// The header of an open file. Of a pair whose voxels are open, the header is opened.
fn open_header(path: &Path, file: File) -> Result<Header> {
    let header_file = header_path(path).filter(|header| header != path);
    let file = header_file.map_or(Ok(file), File::open)?;
    Header::read(&mut content(file, |file, wrapper| Ok(inflate_as_read(file, wrapper)))?)
}

/// The other half of a pair, where there is one.
pub(crate) fn data_files(path: &Path) -> Vec<PathBuf> {
    header_path(path).or_else(|| data_path(path)).into_iter().collect()
}

/// Reads an image whose header and voxels lie in the same bytes, compressed or not.
///
/// # Errors
/// [`FileProblem`] when the bytes are no NIfTI image.
///
/// ```
/// use alnm_imaging::{Geometry, Image, Volume, nifti, write_image};
///
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("image.nii.gz");
/// let image = Image::U8(Volume::filled(Geometry::axis_aligned([4, 4, 2], [1.0; 3])?, 7));
/// write_image(&path, &image)?;
/// assert_eq!(nifti::decode(&std::fs::read(&path)?)?, image);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn decode(bytes: &[u8]) -> Result<Image> {
    let mut reader: Box<dyn Read + '_> =
        if bytes.starts_with(&GZIP_MAGIC) { inflate(bytes, Wrapper::Gzip)? } else { Box::new(bytes) };
    let header = Header::read(&mut reader)?;
    if header.is_pair {
        return Err(unsupported("the voxels lie in another file; read it by its path"));
    }
    header.decode(reader, Part::default())
}

/// The content of a file, inflated where it is compressed.
fn content(
    file: File,
    inflate: impl FnOnce(BufReader<File>, Wrapper) -> io::Result<Box<dyn Read>>,
) -> Result<Box<dyn Read>> {
    let mut file = BufReader::new(file);
    let is_compressed = file.fill_buf()?.starts_with(&GZIP_MAGIC);
    Ok(if is_compressed { inflate(file, Wrapper::Gzip)? } else { Box::new(file) })
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
    endings
        .iter()
        .map(|ending| path.with_file_name(format!("{}{to}{ending}", &name[..stem_length])))
        .find(|path| path.exists())
}
