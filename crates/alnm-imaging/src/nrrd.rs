//! NRRD (`.nrrd`, and `.nhdr` with the voxels in files of their own), <https://teem.sourceforge.net/nrrd/format.html>.
//!
//! Read: formats 1 to 5; the encodings raw, txt, hex, gzip and bzip2; attached data, and detached data in one file, in a
//! list of files or in numbered files; line and byte skips; the spaces RAS and LAS (converted to LPS as ITK does) and all
//! others (taken as LPS, as ITK does); one component axis anywhere.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use bzip2::read::MultiBzDecoder;
use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;

use crate::error::FileProblem;
use crate::file::{FileFormat, GZIP_LEVEL};
use crate::geometry::{Geometry, IDENTITY};
use crate::volume::{Image, PixelType};
use crate::voxel_data::{ByteOrder, VoxelLayout, write_binary};

type Result<T> = std::result::Result<T, FileProblem>;

/// The longest header that is read.
const MAX_HEADER_BYTES: u64 = 1 << 20;

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

/// Reads a file, with the component `channel` where its voxels have several.
pub(crate) fn read(path: &Path, channel: Option<usize>) -> Result<Image> {
    let mut reader = BufReader::new(File::open(path)?);
    let header = Header::read(&mut reader)?;
    let layout = header.layout()?;
    let Some(data) = &header.data_files else {
        return header.decode(&layout, &mut reader, channel);
    };
    let folder = path.parent().unwrap_or(Path::new(""));
    let mut files = data.paths(folder, &header.sizes)?.into_iter();
    let first = files.next().ok_or_else(|| malformed("the list of data files is empty"))?;
    if files.len() == 0 {
        let mut file = BufReader::new(File::open(&first)?);
        header.skip(&mut file, &layout)?;
        return header.decode_voxels(&layout, file, channel);
    }
    if header.byte_skip < 0 {
        return Err(unsupported("byte skip -1 together with several data files"));
    }
    let mut parts: Box<dyn Read> = Box::new(header.open_part(first, &layout)?);
    for file in files {
        parts = Box::new(parts.chain(header.open_part(file, &layout)?));
    }
    match header.encoding {
        Encoding::Text => layout.read_text(parts, channel),
        _ => layout.read_binary(parts, channel),
    }
}

/// Reads an image whose header and voxels lie in the same bytes.
///
/// # Errors
/// [`FileProblem`] when the bytes are no NRRD file, or one with detached data.
pub fn decode(bytes: &[u8]) -> Result<Image> {
    let mut reader = bytes;
    let header = Header::read(&mut reader)?;
    if header.data_files.is_some() {
        return Err(unsupported("the voxels lie in another file; read it by its path"));
    }
    let layout = header.layout()?;
    header.decode(&layout, &mut reader, None)
}

/// Writes an image, gzip-encoded; a name that ends in `.nhdr` gets its voxels in a `.raw.gz` file beside it.
pub(crate) fn write(path: &Path, image: &Image) -> Result<()> {
    let mut header = header_text(image);
    if path.extension().is_some_and(|suffix| suffix.eq_ignore_ascii_case("nhdr")) {
        let data_path = path.with_extension("raw.gz");
        let name = data_path.file_name().and_then(|name| name.to_str()).ok_or_else(|| malformed("the file name is not Unicode"))?;
        header.push_str(&format!("data file: {name}\n\n"));
        std::fs::write(path, header)?;
        return write_gzip(File::create(&data_path)?, image);
    }
    header.push('\n');
    let mut file = File::create(path)?;
    file.write_all(header.as_bytes())?;
    write_gzip(file, image)
}

fn write_gzip(file: File, image: &Image) -> Result<()> {
    let mut encoder = GzEncoder::new(file, Compression::new(GZIP_LEVEL));
    write_binary(&mut encoder, image)?;
    encoder.finish()?;
    Ok(())
}

fn header_text(image: &Image) -> String {
    let geometry = image.geometry();
    let axes = geometry.dimension();
    let vector = |values: [f64; 3]| format!("({})", values[..axes].iter().map(f64::to_string).collect::<Vec<_>>().join(","));
    let (spacing, direction) = (geometry.spacing(), geometry.direction());
    let directions: Vec<String> = (0..axes).map(|axis| vector(direction.map(|row| row[axis] * spacing[axis]))).collect();
    let sizes: Vec<String> = geometry.size()[..axes].iter().map(usize::to_string).collect();
    let space = if axes == 3 { "space: left-posterior-superior" } else { "space dimension: 2" };
    format!(
        "NRRD0004\ntype: {}\ndimension: {axes}\n{space}\nsizes: {}\nspace directions: {}\nkinds: {}\nendian: little\nencoding: gzip\nspace origin: {}\n",
        type_name(image.pixel_type()),
        sizes.join(" "),
        directions.join(" "),
        vec!["domain"; axes].join(" "),
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
        "longlong" | "long long" | "long long int" | "signed long long" | "signed long long int" | "int64" | "int64_t" => PixelType::I64,
        "ulonglong" | "unsigned long long" | "unsigned long long int" | "uint64" | "uint64_t" => PixelType::U64,
        "float" => PixelType::F32,
        "double" => PixelType::F64,
        _ => return None,
    })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encoding {
    Raw,
    Text,
    Hex,
    Gzip,
    Bzip2,
}

impl Encoding {
    fn parse(name: &str) -> Option<Self> {
        Some(match name.to_ascii_lowercase().as_str() {
            "raw" => Self::Raw,
            "txt" | "text" | "ascii" => Self::Text,
            "hex" => Self::Hex,
            "gz" | "gzip" => Self::Gzip,
            "bz2" | "bzip2" => Self::Bzip2,
            _ => return None,
        })
    }
}

/// Where detached voxels lie.
#[derive(Debug, Clone)]
enum DataFiles {
    Names(Vec<String>),
    Numbered { pattern: String, first: i64, last: i64, step: i64 },
}

impl DataFiles {
    fn parse(value: &str, lines_below: &[String]) -> Result<Self> {
        if value == "LIST" {
            return Ok(Self::Names(lines_below.to_vec()));
        }
        if value.starts_with("LIST ") {
            return Err(unsupported("data files of another dimension than slices (LIST with a number)"));
        }
        let words: Vec<&str> = value.split_whitespace().collect();
        if let [pattern, first, last, step] = words[..]
            && pattern.contains('%')
        {
            let number = |text: &str| text.parse::<i64>().map_err(|_| malformed(format!("{text:?} is no number of a data file")));
            return Ok(Self::Numbered { pattern: pattern.to_owned(), first: number(first)?, last: number(last)?, step: number(step)? });
        }
        Ok(Self::Names(vec![value.to_owned()]))
    }

    fn paths(&self, folder: &Path, sizes: &[usize]) -> Result<Vec<PathBuf>> {
        let names = match self {
            Self::Names(names) => names.clone(),
            Self::Numbered { pattern, first, last, step } => numbered_names(pattern, *first, *last, *step)?,
        };
        let slices = sizes.last().copied().unwrap_or(0);
        if names.len() > 1 && names.len() != slices {
            return Err(unsupported(format!("{} data files for {slices} slices; one file for each slice is read", names.len())));
        }
        Ok(names.iter().map(|name| folder.join(name)).collect())
    }
}

/// The names that a `printf` pattern with one `%d`, `%i` or `%0Nd` gives for first, first + step, … last.
fn numbered_names(pattern: &str, first: i64, last: i64, step: i64) -> Result<Vec<String>> {
    const MOST_FILES: i64 = 1 << 20;
    let bad = || malformed(format!("data file pattern {pattern:?} from {first} to {last} in steps of {step}"));
    let count = last.checked_sub(first).and_then(|range| range.checked_div(step)).ok_or_else(bad)?;
    if !(0..MOST_FILES).contains(&count) {
        return Err(bad());
    }
    let (before, rest) = pattern.split_once('%').ok_or_else(bad)?;
    let end = rest.find(['d', 'i', 'u']).ok_or_else(bad)?;
    let (format, after) = (&rest[..end], &rest[end + 1..]);
    let width: usize = if format.is_empty() { 0 } else { format.parse().map_err(|_| bad())? };
    if width > 32 {
        return Err(bad());
    }
    let zeros = format.starts_with('0');
    Ok((0..=count)
        .map(|i| {
            let number = first + i * step;
            if zeros { format!("{before}{number:0width$}{after}") } else { format!("{before}{number:width$}{after}") }
        })
        .collect())
}

/// The fields of a header that decide what is read.
#[derive(Debug)]
struct Header {
    fields: BTreeMap<String, String>,
    sizes: Vec<usize>,
    encoding: Encoding,
    data_files: Option<DataFiles>,
    line_skip: usize,
    byte_skip: i64,
}

impl Header {
    /// Reads the lines up to the first empty one (or to the end, for a detached header).
    fn read(reader: &mut impl BufRead) -> Result<Self> {
        let mut lines = HeaderLines { reader: reader.take(MAX_HEADER_BYTES) };
        let magic = lines.next_line()?.unwrap_or_default();
        if !matches!(magic.as_str(), "NRRD0001" | "NRRD0002" | "NRRD0003" | "NRRD0004" | "NRRD0005") {
            return Err(malformed(format!("the first line is {magic:?} where NRRD0001 to NRRD0005 belongs")));
        }
        let mut fields = BTreeMap::new();
        let mut data_file_list = Vec::new();
        while let Some(line) = lines.next_line()? {
            if line.is_empty() {
                break;
            }
            if line.starts_with('#') || line.contains(":=") {
                continue;
            }
            let (name, value) = line.split_once(": ").ok_or_else(|| malformed(format!("the header line {line:?} is no field")))?;
            let name = canonical_name(name);
            let is_list = name == "data file" && value.trim().starts_with("LIST");
            if fields.insert(name.clone(), value.trim().to_owned()).is_some() {
                return Err(malformed(format!("the field {name:?} stands twice")));
            }
            if is_list {
                while let Some(name) = lines.next_line()?.filter(|name| !name.is_empty()) {
                    data_file_list.push(name);
                }
                break;
            }
        }
        Self::from_fields(fields, &data_file_list)
    }

    fn from_fields(fields: BTreeMap<String, String>, data_file_list: &[String]) -> Result<Self> {
        let number = |name: &str| -> Result<i64> {
            fields.get(name).map_or(Ok(0), |value| value.parse().map_err(|_| malformed(format!("{name} is {value:?}, no whole number"))))
        };
        let field = |name: &str| fields.get(name).ok_or_else(|| malformed(format!("the field {name:?} is missing")));
        let sizes: Vec<usize> = field("sizes")?
            .split_whitespace()
            .map(|word| word.parse().map_err(|_| malformed(format!("sizes: {word:?} is no whole number"))))
            .collect::<Result<_>>()?;
        let dimension: usize = field("dimension")?.parse().map_err(|_| malformed("dimension is no whole number"))?;
        if dimension != sizes.len() {
            return Err(malformed(format!("dimension {dimension}, but {} sizes", sizes.len())));
        }
        let encoding = field("encoding")?;
        let encoding = Encoding::parse(encoding).ok_or_else(|| unsupported(format!("encoding {encoding:?}")))?;
        let line_skip = usize::try_from(number("line skip")?).map_err(|_| malformed("line skip is negative"))?;
        let byte_skip = number("byte skip")?;
        if byte_skip < -1 || (byte_skip == -1 && encoding != Encoding::Raw) {
            return Err(malformed(format!("byte skip {byte_skip}; it is at least 0, or -1 for raw data")));
        }
        let data_files = fields.get("data file").map(|value| DataFiles::parse(value, data_file_list)).transpose()?;
        Ok(Self { sizes, encoding, data_files, line_skip, byte_skip, fields })
    }

    /// Type, order and grid of the voxels.
    fn layout(&self) -> Result<VoxelLayout> {
        let name = self.fields.get("type").ok_or_else(|| malformed("the field \"type\" is missing"))?;
        let pixel_type = parse_type(name).ok_or_else(|| unsupported(format!("voxels of type {name:?}")))?;
        let order = match self.fields.get("endian").map(String::as_str) {
            Some("little") => ByteOrder::Little,
            Some("big") => ByteOrder::Big,
            None if pixel_type.bytes() == 1 || self.encoding == Encoding::Text => ByteOrder::Little,
            other => return Err(malformed(format!("endian is {other:?}; little or big is needed for voxels of several bytes"))),
        };
        let component_axis = self.component_axis()?;
        let domain: Vec<usize> = (0..self.sizes.len()).filter(|&axis| Some(axis) != component_axis).collect();
        if !matches!(domain.len(), 2 | 3) {
            return Err(unsupported(format!("{} axes in space, sizes {:?}; 2 or 3 are read", domain.len(), self.sizes)));
        }
        let geometry = self.geometry(&domain)?;
        let components = component_axis.map_or(1, |axis| self.sizes[axis]);
        if components == 0 {
            return Err(malformed("a component axis of size 0"));
        }
        let component_stride = self.sizes[..component_axis.unwrap_or(0)].iter().product();
        VoxelLayout { format: FileFormat::Nrrd, pixel_type, order, geometry, components, component_stride }.checked()
    }

    /// The axis that holds the components of a voxel, by its kind or by having no direction in space.
    fn component_axis(&self) -> Result<Option<usize>> {
        let kinds: Vec<&str> = self.fields.get("kinds").map(|value| value.split_whitespace().collect()).unwrap_or_default();
        let directions = self.directions()?;
        let is_component = |axis: usize| {
            let kind = kinds.get(axis).copied().unwrap_or("domain");
            let has_no_direction = directions.as_ref().is_some_and(|vectors| vectors.get(axis).is_some_and(Option::is_none));
            has_no_direction || !matches!(kind, "domain" | "space" | "time" | "???" | "none")
        };
        let axes: Vec<usize> = (0..self.sizes.len()).filter(|&axis| is_component(axis)).collect();
        match axes[..] {
            [] => Ok(None),
            [axis] => Ok(Some(axis)),
            _ => Err(unsupported(format!("{} component axes; at most one is read", axes.len()))),
        }
    }

    /// The vectors of the field `space directions`, `None` for an axis outside space.
    fn directions(&self) -> Result<Option<Vec<Option<Vec<f64>>>>> {
        let Some(value) = self.fields.get("space directions") else { return Ok(None) };
        let vectors = vectors(value)?;
        if vectors.len() != self.sizes.len() {
            return Err(malformed(format!("{} space directions for {} axes", vectors.len(), self.sizes.len())));
        }
        Ok(Some(vectors))
    }

    fn geometry(&self, domain: &[usize]) -> Result<Geometry> {
        let axes = domain.len();
        let mut size = [1; 3];
        for (axis, &position) in domain.iter().enumerate() {
            size[axis] = self.sizes[position];
        }
        let Placement { spacing, mut direction } = match self.directions()? {
            Some(vectors) => self.oriented(domain, &vectors)?,
            None => Placement { spacing: self.per_axis("spacings", domain)?.map(|value| value.unwrap_or(1.0)), direction: IDENTITY },
        };
        let mut origin = [0.0; 3];
        if let Some(text) = self.fields.get("space origin") {
            let vector = vectors(text)?.into_iter().next().flatten().ok_or_else(|| malformed("space origin holds no vector"))?;
            for (coordinate, value) in origin.iter_mut().zip(vector) {
                *coordinate = value;
            }
        } else if !self.fields.contains_key("space directions") {
            origin = self.axis_origin(domain, spacing)?;
        }
        let flips = self.flips_to_lps();
        for row in 0..3 {
            origin[row] *= flips[row];
            direction[row] = direction[row].map(|cosine| cosine * flips[row]);
        }
        let geometry = Geometry::new(size, spacing, origin, direction)?;
        Ok(if axes == 2 { geometry.into_planar() } else { geometry })
    }

    /// Spacing and direction from vectors in space.
    fn oriented(&self, domain: &[usize], vectors: &[Option<Vec<f64>>]) -> Result<Placement> {
        let mut spacing = [1.0; 3];
        let mut columns = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
        for (axis, &position) in domain.iter().enumerate() {
            let vector = vectors[position].as_ref().ok_or_else(|| malformed(format!("axis {position} has no direction")))?;
            if !(domain.len()..=3).contains(&vector.len()) {
                return Err(malformed(format!("a space direction with {} coordinates", vector.len())));
            }
            spacing[axis] = vector.iter().map(|x| x * x).sum::<f64>().sqrt();
            let scale = 1.0 / spacing[axis];
            columns[axis] = std::array::from_fn(|row| vector.get(row).map_or(0.0, |x| x * scale));
        }
        if domain.len() == 2 {
            columns[2] = cross(columns[0], columns[1]);
        }
        Ok(Placement { spacing, direction: std::array::from_fn(|row| columns.map(|column| column[row])) })
    }

    /// Origin from `axis mins`, half a voxel further in for axes whose samples are centred in cells, as ITK reads it.
    fn axis_origin(&self, domain: &[usize], spacing: [f64; 3]) -> Result<[f64; 3]> {
        let mins = self.per_axis("axis mins", domain)?;
        let centerings: Vec<&str> = self.fields.get("centers").map(|value| value.split_whitespace().collect()).unwrap_or_default();
        Ok(std::array::from_fn(|axis| {
            let is_node = domain.get(axis).is_some_and(|&position| centerings.get(position) == Some(&"node"));
            mins[axis].map_or(0.0, |min| if is_node { min } else { min + spacing[axis] / 2.0 })
        }))
    }

    /// One number an axis, `None` where the field is missing or NaN.
    fn per_axis(&self, name: &str, domain: &[usize]) -> Result<[Option<f64>; 3]> {
        let Some(value) = self.fields.get(name) else { return Ok([None; 3]) };
        let numbers: Vec<f64> =
            value.split_whitespace().map(parse_number).collect::<Result<_>>().map_err(|_| malformed(format!("{name} is {value:?}")))?;
        if numbers.len() != self.sizes.len() {
            return Err(malformed(format!("{} {name} for {} axes", numbers.len(), self.sizes.len())));
        }
        Ok(std::array::from_fn(|axis| domain.get(axis).map(|&position| numbers[position]).filter(|number| !number.is_nan())))
    }

    /// Signs that bring the coordinates of the file's space into LPS.
    fn flips_to_lps(&self) -> [f64; 3] {
        match self.fields.get("space").map(|space| space.to_ascii_lowercase()).as_deref() {
            Some("right-anterior-superior" | "ras") => [-1.0, -1.0, 1.0],
            Some("left-anterior-superior" | "las") => [1.0, -1.0, 1.0],
            _ => [1.0, 1.0, 1.0],
        }
    }

    fn decode(&self, layout: &VoxelLayout, reader: &mut impl BufRead, channel: Option<usize>) -> Result<Image> {
        if self.byte_skip < 0 {
            return Err(unsupported("byte skip -1 with data in the same file"));
        }
        self.skip_forward(reader)?;
        self.decode_voxels(layout, reader, channel)
    }

    fn decode_voxels(&self, layout: &VoxelLayout, reader: impl BufRead, channel: Option<usize>) -> Result<Image> {
        match self.encoding {
            Encoding::Raw => layout.read_binary(reader, channel),
            Encoding::Text => layout.read_text(reader, channel),
            Encoding::Hex => layout.read_binary(HexReader { reader }, channel),
            Encoding::Gzip => layout.read_binary(MultiGzDecoder::new(reader), channel),
            Encoding::Bzip2 => layout.read_binary(MultiBzDecoder::new(reader), channel),
        }
    }

    /// One of several data files, decoded to bytes.
    fn open_part(&self, path: PathBuf, layout: &VoxelLayout) -> Result<Box<dyn Read>> {
        let mut file = BufReader::new(File::open(path)?);
        self.skip(&mut file, layout)?;
        Ok(match self.encoding {
            Encoding::Raw | Encoding::Text => Box::new(file),
            Encoding::Hex => Box::new(HexReader { reader: file }),
            Encoding::Gzip => Box::new(MultiGzDecoder::new(file)),
            Encoding::Bzip2 => Box::new(MultiBzDecoder::new(file)),
        })
    }

    /// Skips what lies before the voxels of a detached file.
    fn skip(&self, file: &mut BufReader<File>, layout: &VoxelLayout) -> Result<()> {
        if self.byte_skip < 0 {
            let end = i64::try_from(layout.byte_count()).map_err(|_| malformed("more bytes than a file can hold"))?;
            file.seek(SeekFrom::End(-end)).map_err(|_| malformed("the data file is shorter than its voxels"))?;
            return Ok(());
        }
        self.skip_forward(file)
    }

    /// Skips lines, then bytes. Before compressed data the bytes are those of the file, as ITK reads it.
    fn skip_forward(&self, reader: &mut impl BufRead) -> Result<()> {
        for _ in 0..self.line_skip {
            if reader.skip_until(b'\n')? == 0 {
                return Err(malformed(format!("line skip {} leaves the file", self.line_skip)));
            }
        }
        let bytes = self.byte_skip.unsigned_abs();
        if std::io::copy(&mut reader.by_ref().take(bytes), &mut std::io::sink())? != bytes {
            return Err(malformed(format!("byte skip {bytes} leaves the file")));
        }
        Ok(())
    }
}

/// How far apart voxels lie, and in which directions.
struct Placement {
    spacing: [f64; 3],
    direction: [[f64; 3]; 3],
}

struct HeaderLines<R> {
    reader: std::io::Take<R>,
}

impl<R: BufRead> HeaderLines<R> {
    /// The next line without its end; `None` at the end of the file.
    fn next_line(&mut self) -> Result<Option<String>> {
        let mut line = Vec::new();
        if self.reader.read_until(b'\n', &mut line)? == 0 {
            if self.reader.limit() == 0 {
                return Err(malformed(format!("the header is longer than {MAX_HEADER_BYTES} bytes")));
            }
            return Ok(None);
        }
        while line.last().is_some_and(|byte| matches!(byte, b'\n' | b'\r')) {
            line.pop();
        }
        Ok(Some(String::from_utf8_lossy(&line).into_owned()))
    }
}

/// Field names have spellings with and without spaces.
fn canonical_name(name: &str) -> String {
    match name.trim().to_ascii_lowercase().as_str() {
        "datafile" => "data file",
        "lineskip" => "line skip",
        "byteskip" => "byte skip",
        "axismins" => "axis mins",
        "axismaxs" => "axis maxs",
        "centerings" => "centers",
        other => return other.to_owned(),
    }
    .to_owned()
}

fn parse_number(word: &str) -> Result<f64> {
    word.parse().map_err(|_| malformed(format!("{word:?} is no number")))
}

/// Vectors `(a,b,c)`, or `none` for an axis outside space.
fn vectors(text: &str) -> Result<Vec<Option<Vec<f64>>>> {
    let mut vectors = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix("none") {
            vectors.push(None);
            rest = after.trim_start();
            continue;
        }
        let (inside, after) = rest
            .strip_prefix('(')
            .and_then(|inside| inside.split_once(')'))
            .ok_or_else(|| malformed(format!("{text:?} is no list of vectors")))?;
        vectors.push(Some(inside.split(',').map(|word| parse_number(word.trim())).collect::<Result<_>>()?));
        rest = after.trim_start();
    }
    Ok(vectors)
}

fn cross(a: [f64; 3], b: [f64; 3]) -> [f64; 3] {
    [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}

/// Bytes written as pairs of hexadecimal digits, white space ignored.
struct HexReader<R> {
    reader: R,
}

impl<R: BufRead> HexReader<R> {
    fn next_digit(&mut self) -> std::io::Result<Option<u8>> {
        loop {
            let Some(&byte) = self.reader.fill_buf()?.first() else { return Ok(None) };
            self.reader.consume(1);
            if byte.is_ascii_whitespace() {
                continue;
            }
            let digit = char::from(byte).to_digit(16);
            return digit
                .map(|digit| Some(digit as u8))
                .ok_or_else(|| std::io::Error::other("hex data hold another character than 0 to f"));
        }
    }
}

impl<R: BufRead> Read for HexReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        for (filled, byte) in buffer.iter_mut().enumerate() {
            let Some(high) = self.next_digit()? else { return Ok(filled) };
            let Some(low) = self.next_digit()? else { return Ok(filled) };
            *byte = high << 4 | low;
        }
        Ok(buffer.len())
    }
}
