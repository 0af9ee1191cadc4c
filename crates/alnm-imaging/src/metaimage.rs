//! MetaImage (`.mha`, and `.mhd` with the voxels in a file of their own), the format of ITK and ITK-SNAP.
//!
//! Read: voxels of 2 or 3 dimensions (further ones of size 1 left aside), raw, zlib-compressed or written as text;
//! attached, in a file of their own, in a list of files or in numbered files (even parts of the voxels, in order).

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read, Seek, Write};
use std::path::{Path, PathBuf};

use crate::atomic_file::AtomicFile;
use crate::data_files::{DataFiles, FileSequence, seek_voxels};
use crate::deflate::{Effort, Wrapper, inflate, write_compressed};
use crate::error::FileProblem;
use crate::format::FileFormat;
use crate::geometry::Geometry;
use crate::volume::{Image, PixelType};
use crate::voxel_data::{ByteOrder, HeaderOutline, ImageHeader, Part, Several, VoxelLayout, Written};

type Result<T> = std::result::Result<T, FileProblem>;

/// The longest header that is read.
const MAX_HEADER_BYTES: u64 = 1 << 20;

/// As in MetaIO.
const MOST_AXES: usize = 10;

fn malformed(what: impl Into<String>) -> FileProblem {
    FileProblem::malformed(FileFormat::MetaImage, what)
}

fn unsupported(what: impl Into<String>) -> FileProblem {
    FileProblem::unsupported(FileFormat::MetaImage, what)
}

/// Whether a file begins as a MetaImage header does: with the field `ObjectType` or `NDims`, comments before them left
/// aside.
pub(crate) fn is_metaimage(start: &[u8]) -> bool {
    start
        .split(|&byte| byte == b'\n')
        .map_while(|line| std::str::from_utf8(line).ok())
        .any(|line| matches!(split_field(line), Some(("ObjectType" | "NDims", _))))
}

/// Name and value of a field. A header line without a separator is a comment.
fn split_field(line: &str) -> Option<(&str, &str)> {
    line.split_once(['=', ':']).map(|(name, value)| (name.trim(), value.trim()))
}

/// Reads an open file, with the component or volume asked for where there are several.
pub(crate) fn read(path: &Path, file: File, part: Part) -> Result<Image> {
    let mut reader = BufReader::new(file);
    let header = Header::read(&mut reader)?;
    let layout = header.layout()?;
    if header.is_local() {
        return header.decode(&layout, reader, part);
    }
    header.decode_files(&layout, header.data_files(path)?, part)
}

/// The files of the voxels, where the header of an open file names others.
pub(crate) fn data_files(path: &Path, file: &File) -> Result<Vec<PathBuf>> {
    let header = Header::read(&mut BufReader::new(file))?;
    if header.is_local() { Ok(Vec::new()) } else { header.data_files(path) }
}

/// Reads what the header of an open file says.
pub(crate) fn read_header(file: File) -> Result<ImageHeader> {
    Ok(Header::read(&mut BufReader::new(file))?.layout()?.header())
}

/// Reads what the header of an open file says in the words of the format.
pub(crate) fn read_outline(file: File) -> Result<HeaderOutline> {
    Header::read(&mut BufReader::new(file))?.outline()
}

/// Reads an image whose header and voxels lie in the same bytes.
///
/// # Errors
/// [`FileProblem`] when the bytes are no MetaImage, or one with its voxels elsewhere.
///
/// ```
/// use alnm_imaging::{Geometry, Image, Volume, metaimage, write_image};
///
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("image.mha");
/// let image = Image::U8(Volume::filled(Geometry::axis_aligned([4, 4, 2], [1.0; 3])?, 7));
/// write_image(&path, &image)?;
/// assert_eq!(metaimage::decode(&std::fs::read(&path)?)?, image);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn decode(bytes: &[u8]) -> Result<Image> {
    let mut reader = Cursor::new(bytes);
    let header = Header::read(&mut reader)?;
    if !header.is_local() {
        return Err(unsupported("the voxels lie in another file; read it by its path"));
    }
    header.decode(&header.layout()?, reader, Part::default())
}

/// Writes an image, compressed; a name that ends in `.mhd` gets its voxels in a `.zraw` file in the same folder. The
/// files stand in the order in which they are to appear.
pub(crate) fn write(path: &Path, image: Written<'_>) -> Result<Vec<AtomicFile>> {
    let mut voxels = Vec::new();
    write_compressed(&mut voxels, Wrapper::Zlib, Effort::Least, &[], Some(image.voxels))?;
    let mut file = AtomicFile::create(path)?;
    if path.extension().is_some_and(|suffix| suffix.eq_ignore_ascii_case("mhd")) {
        let data_path = path.with_extension("zraw");
        let name = data_path
            .file_name()
            .and_then(|name| name.to_str())
            .ok_or_else(|| malformed("the file name is not Unicode"))?;
        file.write_all(header_text(image, voxels.len(), name).as_bytes())?;
        let mut data = AtomicFile::create(&data_path)?;
        data.write_all(&voxels)?;
        return Ok(vec![data, file]);
    }
    file.write_all(header_text(image, voxels.len(), "LOCAL").as_bytes())?;
    file.write_all(&voxels)?;
    Ok(vec![file])
}

fn header_text(image: Written<'_>, compressed_size: usize, data_file: &str) -> String {
    let Written { voxels, geometry, series } = image;
    let axes = geometry.dimension();
    let numbers = |values: &[f64]| values.iter().map(f64::to_string).collect::<Vec<_>>().join(" ");
    let direction = geometry.direction();
    let dimension = if series.is_some() { axes + 1 } else { axes };
    // The axis of volumes is perpendicular to those of space.
    let cosine = |row: usize, axis: usize| match (row < axes, axis < axes) {
        (true, true) => direction[row][axis],
        _ => f64::from(u8::from(row == axis)),
    };
    let columns: Vec<f64> = (0..dimension).flat_map(|axis| (0..dimension).map(move |row| cosine(row, axis))).collect();
    let with_series = |mut values: Vec<f64>, of_series: f64| {
        values.extend(series.map(|_| of_series));
        values
    };
    let mut sizes: Vec<String> = geometry.size()[..axes].iter().map(usize::to_string).collect();
    sizes.extend(series.map(|series| series.volumes.to_string()));
    format!(
        "ObjectType = Image\nNDims = {dimension}\nBinaryData = True\nBinaryDataByteOrderMSB = False\nCompressedData = True\n\
         CompressedDataSize = {compressed_size}\nTransformMatrix = {}\nOffset = {}\nCenterOfRotation = {}\nElementSpacing = {}\n\
         DimSize = {}\nElementType = {}\nElementDataFile = {data_file}\n",
        numbers(&columns),
        numbers(&with_series(geometry.origin()[..axes].to_vec(), 0.0)),
        numbers(&vec![0.0; dimension]),
        numbers(&with_series(geometry.spacing()[..axes].to_vec(), series.map_or(1.0, |series| series.step))),
        sizes.join(" "),
        type_name(voxels.pixel_type()),
    )
}

fn type_name(pixel_type: PixelType) -> &'static str {
    match pixel_type {
        PixelType::U8 => "MET_UCHAR",
        PixelType::I8 => "MET_CHAR",
        PixelType::U16 => "MET_USHORT",
        PixelType::I16 => "MET_SHORT",
        PixelType::U32 => "MET_UINT",
        PixelType::I32 => "MET_INT",
        PixelType::U64 => "MET_ULONG_LONG",
        PixelType::I64 => "MET_LONG_LONG",
        PixelType::F32 => "MET_FLOAT",
        PixelType::F64 => "MET_DOUBLE",
    }
}

fn parse_type(name: &str) -> Option<PixelType> {
    Some(match name {
        "MET_UCHAR" => PixelType::U8,
        "MET_CHAR" => PixelType::I8,
        "MET_USHORT" => PixelType::U16,
        "MET_SHORT" => PixelType::I16,
        // A MetaImage's long has 32 bits on every machine.
        "MET_UINT" | "MET_ULONG" => PixelType::U32,
        "MET_INT" | "MET_LONG" => PixelType::I32,
        "MET_ULONG_LONG" => PixelType::U64,
        "MET_LONG_LONG" => PixelType::I64,
        "MET_FLOAT" => PixelType::F32,
        "MET_DOUBLE" => PixelType::F64,
        _ => return None,
    })
}

struct Header {
    fields: BTreeMap<String, String>,
    data_file: String,
    /// The lines below a `LIST` of data files.
    data_file_list: Vec<String>,
}

impl Header {
    /// Reads fields up to `ElementDataFile`, which is the last.
    fn read(reader: &mut impl BufRead) -> Result<Self> {
        let mut lines = reader.take(MAX_HEADER_BYTES);
        let mut fields = BTreeMap::new();
        loop {
            let mut line = Vec::new();
            if lines.read_until(b'\n', &mut line)? == 0 {
                return Err(malformed("the header ends without ElementDataFile"));
            }
            let line = String::from_utf8_lossy(&line);
            let Some((name, value)) = split_field(&line) else { continue };
            if name == "ElementDataFile" {
                let mut list = String::new();
                if value.starts_with("LIST") {
                    lines.read_to_string(&mut list)?;
                }
                let data_file_list =
                    list.lines().map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect();
                return Ok(Self { fields, data_file: value.to_owned(), data_file_list });
            }
            fields.insert(name.to_owned(), value.to_owned());
        }
    }

    fn field(&self, name: &str) -> Option<&str> {
        self.fields.get(name).map(String::as_str)
    }

    fn integer(&self, name: &str) -> Result<Option<i64>> {
        self.field(name).map(|value| value.parse().map_err(|_| malformed(format!("{name} is {value:?}")))).transpose()
    }

    /// Whether the voxels follow the header.
    fn is_local(&self) -> bool {
        self.data_file.eq_ignore_ascii_case("LOCAL")
    }

    /// The files of the voxels, in the folder of the header where their names are relative.
    fn data_files(&self, path: &Path) -> Result<Vec<PathBuf>> {
        let folder = path.parent().unwrap_or(Path::new(""));
        let files = DataFiles::parse(&self.data_file, &self.data_file_list);
        files.and_then(|files| files.paths(folder)).map_err(malformed)
    }

    /// A field that is true or false, by its first letter.
    fn truth(&self, name: &str) -> Option<bool> {
        self.field(name).map(|value| value.starts_with(['T', 't', '1']))
    }

    fn is_true(&self, name: &str) -> bool {
        self.truth(name).unwrap_or(false)
    }

    /// Bytes before the voxels in each data file; none where they are whatever is left when the voxels are taken from
    /// the end.
    fn header_size(&self) -> Result<Option<u64>> {
        match self.integer("HeaderSize")?.unwrap_or(0) {
            -1 if self.is_true("CompressedData") => {
                Err(unsupported("HeaderSize -1 with compressed voxels, whose start it does not say"))
            }
            -1 => Ok(None),
            size => u64::try_from(size)
                .map(Some)
                .map_err(|_| malformed(format!("HeaderSize is {size}; it is -1 or at least 0"))),
        }
    }

    /// `count` numbers of the first of some fields that is there.
    fn numbers(&self, names: &[&str], count: usize) -> Result<Option<Vec<f64>>> {
        let Some((name, value)) = names.iter().find_map(|name| self.field(name).map(|value| (name, value))) else {
            return Ok(None);
        };
        let numbers: std::result::Result<Vec<f64>, _> = value.split_whitespace().map(str::parse).collect();
        match numbers {
            Ok(numbers) if numbers.len() == count => Ok(Some(numbers)),
            _ => Err(malformed(format!("{name} is {value:?} where {count} numbers belong"))),
        }
    }

    fn layout(&self) -> Result<VoxelLayout> {
        let name = self.field("ElementType").ok_or_else(|| malformed("ElementType is missing"))?;
        let pixel_type = parse_type(name).ok_or_else(|| unsupported(format!("voxels of type {name}")))?;
        let is_big = self.is_true("BinaryDataByteOrderMSB") || self.is_true("ElementByteOrderMSB");
        let components = self.integer("ElementNumberOfChannels")?.unwrap_or(1);
        let components = usize::try_from(components)
            .ok()
            .filter(|&n| n > 0)
            .ok_or_else(|| malformed(format!("{components} channels")))?;
        let geometry = self.geometry()?;
        let volumes = self.volumes()?;
        if volumes > 1 && components > 1 {
            return Err(unsupported(format!("{volumes} volumes of {components} channels; split them into volumes")));
        }
        let voxels = geometry.voxel_count();
        VoxelLayout {
            format: FileFormat::MetaImage,
            pixel_type,
            order: if is_big { ByteOrder::Big } else { ByteOrder::Little },
            geometry,
            components: components * volumes,
            several: if volumes > 1 { Several::Volumes } else { Several::Components },
            component_stride: if volumes > 1 { voxels } else { 1 },
        }
        .checked()
    }

    /// What the header says, as far as it makes sense.
    fn outline(&self) -> Result<HeaderOutline> {
        let geometry = self.geometry().ok();
        Ok(HeaderOutline {
            voxels: self.field("ElementType").unwrap_or_default().to_owned(),
            components: self.integer("ElementNumberOfChannels")?.and_then(|count| count.try_into().ok()).unwrap_or(1),
            sizes: self.all_sizes()?.into_iter().map(|size| size as u64).collect(),
            spacing: geometry.as_ref().map_or_else(Vec::new, |grid| grid.spacing()[..grid.dimension()].to_vec()),
            geometry,
        })
    }

    /// The voxels along each axis, of which one may lie beyond space.
    fn sizes(&self) -> Result<Vec<usize>> {
        let size = self.all_sizes()?;
        if size.iter().skip(3).filter(|&&size| size != 1).count() > 1 {
            return Err(unsupported(format!(
                "an image of more than four dimensions, DimSize {size:?}; split it into volumes"
            )));
        }
        Ok(size)
    }

    /// The voxels along each axis, however many there are.
    fn all_sizes(&self) -> Result<Vec<usize>> {
        let axes = self.integer("NDims")?.ok_or_else(|| malformed("NDims is missing"))?;
        let axes = usize::try_from(axes).ok().filter(|axes| (2..=MOST_AXES).contains(axes));
        let axes = axes.ok_or_else(|| unsupported("an image that has not 2 or 3 dimensions"))?;
        let sizes = self.field("DimSize").ok_or_else(|| malformed("DimSize is missing"))?;
        let size: std::result::Result<Vec<usize>, _> = sizes.split_whitespace().map(str::parse).collect();
        size.ok().filter(|size| size.len() == axes).ok_or_else(|| malformed(format!("DimSize is {sizes:?}")))
    }

    /// Volumes along the axes beyond space.
    fn volumes(&self) -> Result<usize> {
        let volumes: usize = self.sizes()?.iter().skip(3).product();
        if volumes > 0 { Ok(volumes) } else { Err(malformed("an axis of size 0")) }
    }

    fn geometry(&self) -> Result<Geometry> {
        let size = self.all_sizes()?;
        let axes = size.len();
        let spacing = self.numbers(&["ElementSpacing", "ElementSize"], axes)?.unwrap_or_else(|| vec![1.0; axes]);
        let origin = self.numbers(&["Offset", "Position", "Origin"], axes)?.unwrap_or_else(|| vec![0.0; axes]);
        let identity = || (0..axes * axes).map(|i| f64::from(u8::from(i % (axes + 1) == 0))).collect();
        let columns: Vec<f64> =
            self.numbers(&["TransformMatrix", "Rotation", "Orientation"], axes * axes)?.unwrap_or_else(identity);
        if axes == 2 {
            let direction = [[columns[0], columns[2]], [columns[1], columns[3]]];
            let (size, spacing) = ([size[0], size[1]], [spacing[0], spacing[1]]);
            let geometry = Geometry::planar(size, spacing, [origin[0], origin[1]], direction)?;
            geometry.check_axes().map_err(unsupported)?;
            return Ok(geometry);
        }
        let direction = std::array::from_fn(|row| std::array::from_fn(|column| columns[axes * column + row]));
        let triple = |values: &[f64]| std::array::from_fn(|axis| values[axis]);
        let geometry = Geometry::new([size[0], size[1], size[2]], triple(&spacing), triple(&origin), direction)?;
        geometry.check_axes().map_err(unsupported)?;
        Ok(geometry)
    }

    /// The voxels that lie in the same file as the header: behind it, or where a header size says.
    fn decode(&self, layout: &VoxelLayout, mut reader: impl BufRead + Seek + Send, part: Part) -> Result<Image> {
        match self.header_size()? {
            Some(0) => {}
            start => seek_voxels(&mut reader, start, layout.byte_count() as u64)?,
        }
        if self.is_text() {
            layout.read_text(&mut reader, part)
        } else if self.is_true("CompressedData") {
            layout.read_binary(&mut inflate(reader, Wrapper::Zlib)?, part)
        } else {
            layout.read_binary(&mut reader, part)
        }
    }

    /// The voxels of detached files, each an even part of them in order.
    fn decode_files(&self, layout: &VoxelLayout, files: Vec<PathBuf>, part: Part) -> Result<Image> {
        let (total, count) = (layout.byte_count() as u64, files.len() as u64);
        let compressed = self.is_true("CompressedData");
        if total % count != 0 || (compressed && count > 1) {
            return Err(unsupported(format!(
                "{count} data files for {total} bytes of voxels, compressed: {compressed}"
            )));
        }
        let share = total / count;
        let start = self.header_size()?;
        let open = move |path: &Path| -> io::Result<Box<dyn Read>> {
            let mut file = BufReader::new(File::open(path)?);
            seek_voxels(&mut file, start, share)?;
            if compressed { inflate(file, Wrapper::Zlib) } else { Ok(Box::new(file)) }
        };
        if self.is_text() {
            return layout.read_text(&mut FileSequence::new(files, None, open), part);
        }
        layout.read_binary(&mut FileSequence::new(files, Some(share), open), part)
    }

    fn is_text(&self) -> bool {
        self.truth("BinaryData") == Some(false)
    }
}
