//! NRRD (`.nrrd`, and `.nhdr` with the voxels in files of their own), <https://teem.sourceforge.net/nrrd/format.html>.
//!
//! Read: formats 1 to 5; the encodings raw, txt, hex, gzip and bzip2; attached data, and detached data in one file, in
//! a list of files or in numbered files (even parts of the voxels, in order); line and byte skips; the spaces RAS and
//! LAS (converted to LPS as ITK does) and all others (taken as LPS, as ITK does); one component axis anywhere.

mod data;
mod header;

use std::fs::File;
use std::io::{BufReader, Cursor, Write};
use std::path::{Path, PathBuf};

use crate::atomic_file::AtomicFile;
use crate::deflate::{Effort, Wrapper, write_compressed};
use crate::error::FileProblem;
use crate::format::FileFormat;
use crate::volume::{Image, PixelType};
use crate::voxel_data::{HeaderOutline, ImageHeader, NamedSegment, Part, Written};
use header::Header;

type Result<T> = std::result::Result<T, FileProblem>;

fn malformed(what: impl Into<String>) -> FileProblem {
    FileProblem::malformed(FileFormat::Nrrd, what)
}

fn unsupported(what: impl Into<String>) -> FileProblem {
    FileProblem::unsupported(FileFormat::Nrrd, what)
}

/// Whether these first bytes of a file are those of an NRRD file.
pub(crate) fn is_nrrd(start: &[u8]) -> bool {
    start.starts_with(b"NRRD")
}

/// Reads an open file, with the component or volume asked for where there are several.
pub(crate) fn read(path: &Path, file: File, part: Part) -> Result<Image> {
    let mut reader = BufReader::new(file);
    let header = Header::read(&mut reader)?;
    let layout = header.layout()?;
    let Some(data) = &header.data_files else {
        return header.decode(&layout, reader, part);
    };
    header.decode_files(&layout, data, path.parent().unwrap_or(Path::new("")), part)
}

/// The segments that the header of an open file names.
pub(crate) fn segments(file: &File) -> Result<Vec<NamedSegment>> {
    Ok(Header::read(&mut BufReader::new(file))?.segments())
}

/// Reads what the header of an open file says.
pub(crate) fn read_header(file: File) -> Result<ImageHeader> {
    Ok(Header::read(&mut BufReader::new(file))?.layout()?.header())
}

/// Reads what the header of an open file says in the words of the format.
pub(crate) fn read_outline(file: File) -> Result<HeaderOutline> {
    Ok(Header::read(&mut BufReader::new(file))?.outline())
}

/// The files of the voxels, where the header of an open file names others.
pub(crate) fn data_files(path: &Path, file: &File) -> Result<Vec<PathBuf>> {
    let header = Header::read(&mut BufReader::new(file))?;
    let folder = path.parent().unwrap_or(Path::new(""));
    header.data_files.map_or(Ok(Vec::new()), |files| files.paths(folder).map_err(malformed))
}

/// Reads an image whose header and voxels lie in the same bytes.
///
/// # Errors
/// [`FileProblem`] when the bytes are no NRRD file, or one with detached data.
///
/// ```
/// use alnm_imaging::{Geometry, Image, Volume, nrrd, write_image};
///
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("image.nrrd");
/// let image = Image::U8(Volume::filled(Geometry::axis_aligned([4, 4, 2], [1.0; 3])?, 7));
/// write_image(&path, &image)?;
/// assert_eq!(nrrd::decode(&std::fs::read(&path)?)?, image);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn decode(bytes: &[u8]) -> Result<Image> {
    let mut reader = Cursor::new(bytes);
    let header = Header::read(&mut reader)?;
    if header.data_files.is_some() {
        return Err(unsupported("the voxels lie in another file; read it by its path"));
    }
    let layout = header.layout()?;
    header.decode(&layout, reader, Part::default())
}

/// Writes an image, gzip-encoded; a name that ends in `.nhdr` gets its voxels in a `.raw.gz` file in the same folder.
/// The files stand in the order in which they are to appear.
pub(crate) fn write(path: &Path, image: Written<'_>) -> Result<Vec<AtomicFile>> {
    let mut header = header_text(image);
    let mut file = AtomicFile::create(path)?;
    if path.extension().is_some_and(|suffix| suffix.eq_ignore_ascii_case("nhdr")) {
        let data_path = path.with_extension("raw.gz");
        let name = data_path
            .file_name()
            .and_then(|name| name.to_str())
            .ok_or_else(|| malformed("the file name is not Unicode"))?;
        header.push_str(&format!("data file: {name}\n\n"));
        file.write_all(header.as_bytes())?;
        return Ok(vec![write_gzip(AtomicFile::create(&data_path)?, image.voxels)?, file]);
    }
    header.push('\n');
    file.write_all(header.as_bytes())?;
    Ok(vec![write_gzip(file, image.voxels)?])
}

fn write_gzip(mut file: AtomicFile, image: &Image) -> Result<AtomicFile> {
    write_compressed(&mut file, Wrapper::Gzip, Effort::Least, &[], Some(image))?;
    Ok(file)
}

fn header_text(image: Written<'_>) -> String {
    let Written { voxels, geometry, series } = image;
    let axes = geometry.dimension();
    let vector =
        |values: [f64; 3]| format!("({})", values[..axes].iter().map(f64::to_string).collect::<Vec<_>>().join(","));
    let (spacing, direction) = (geometry.spacing(), geometry.direction());
    let mut directions: Vec<String> =
        (0..axes).map(|axis| vector(direction.map(|row| row[axis] * spacing[axis]))).collect();
    let mut sizes: Vec<String> = geometry.size()[..axes].iter().map(usize::to_string).collect();
    let mut kinds = vec!["domain"; axes];
    let mut step = String::new();
    if let Some(series) = series {
        directions.push("none".to_owned());
        sizes.push(series.volumes.to_string());
        // ITK reads a list as components, and refuses an axis of time that has no direction.
        kinds.push("list");
        step = format!("spacings: NaN NaN NaN {}\n", series.step);
    }
    let dimension = sizes.len();
    let space = if axes == 3 { "space: left-posterior-superior" } else { "space dimension: 2" };
    format!(
        "NRRD0004\ntype: {}\ndimension: {dimension}\n{space}\nsizes: {}\nspace directions: {}\nkinds: {}\nendian: little\nencoding: gzip\n{step}space origin: {}\n",
        type_name(voxels.pixel_type()),
        sizes.join(" "),
        directions.join(" "),
        kinds.join(" "),
        vector(geometry.origin()),
    )
}

fn type_name(pixel_type: PixelType) -> &'static str {
    match pixel_type {
        PixelType::U8 => "uint8",
        PixelType::I8 => "int8",
        PixelType::U16 => "uint16",
        PixelType::I16 => "int16",
        PixelType::U32 => "uint32",
        PixelType::I32 => "int32",
        PixelType::U64 => "uint64",
        PixelType::I64 => "int64",
        PixelType::F32 => "float",
        PixelType::F64 => "double",
    }
}

fn parse_type(name: &str) -> Option<PixelType> {
    Some(match name {
        "signed char" | "int8" | "int8_t" => PixelType::I8,
        "uchar" | "unsigned char" | "uint8" | "uint8_t" => PixelType::U8,
        "short" | "short int" | "signed short" | "signed short int" | "int16" | "int16_t" => PixelType::I16,
        "ushort" | "unsigned short" | "unsigned short int" | "uint16" | "uint16_t" => PixelType::U16,
        "int" | "signed int" | "int32" | "int32_t" => PixelType::I32,
        "uint" | "unsigned int" | "uint32" | "uint32_t" => PixelType::U32,
        "longlong"
        | "long long"
        | "long long int"
        | "signed long long"
        | "signed long long int"
        | "int64"
        | "int64_t" => PixelType::I64,
        "ulonglong" | "unsigned long long" | "unsigned long long int" | "uint64" | "uint64_t" => PixelType::U64,
        "float" => PixelType::F32,
        "double" => PixelType::F64,
        _ => return None,
    })
}
