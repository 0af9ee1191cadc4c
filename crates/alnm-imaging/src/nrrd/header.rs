//! The fields of a header: what the voxels are and where they lie in space.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, Read};

use super::{Result, malformed, parse_type, unsupported};
use crate::data_files::DataFiles;
use crate::format::FileFormat;
use crate::geometry::{Geometry, IDENTITY, cross};
use crate::voxel_data::{ByteOrder, HeaderOutline, NamedSegment, Several, VoxelLayout};

/// How the bytes of the voxels are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Raw,
    Text,
    Hex,
    Gzip,
    Bzip2,
}

impl Encoding {
    pub(super) fn parse(name: &str) -> Option<Self> {
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

/// The longest header that is read.
const MAX_HEADER_BYTES: u64 = 1 << 20;

/// The fields of a header that decide what is read.
#[derive(Debug)]
pub(super) struct Header {
    fields: BTreeMap<String, String>,
    /// Keys and values of programs.
    pairs: BTreeMap<String, String>,
    sizes: Vec<usize>,
    pub(super) encoding: Encoding,
    pub(super) data_files: Option<DataFiles>,
    pub(super) line_skip: usize,
    /// Bytes to skip; a negative number −1 − n goes to where the voxels begin that end n bytes before the end.
    pub(super) byte_skip: i64,
}

impl Header {
    /// Reads the lines up to the first empty one (or to the end, for a detached header).
    pub(super) fn read(reader: &mut impl BufRead) -> Result<Self> {
        let mut lines = HeaderLines { reader: reader.take(MAX_HEADER_BYTES) };
        let magic = lines.next_line()?.unwrap_or_default();
        if !matches!(magic.as_str(), "NRRD00.01" | "NRRD0001" | "NRRD0002" | "NRRD0003" | "NRRD0004" | "NRRD0005") {
            return Err(malformed(format!("the first line is {magic:?} where NRRD0001 to NRRD0005 belongs")));
        }
        let mut fields = BTreeMap::new();
        let mut pairs = BTreeMap::new();
        let mut data_file_list = Vec::new();
        while let Some(line) = lines.next_line()? {
            if line.is_empty() {
                break;
            }
            if let Some((key, value)) = line.split_once(":=") {
                pairs.insert(key.trim().to_owned(), value.trim().to_owned());
                continue;
            }
            if line.starts_with('#') {
                continue;
            }
            let (name, value) =
                line.split_once(": ").ok_or_else(|| malformed(format!("the header line {line:?} is no field")))?;
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
        Ok(Self { pairs, ..Self::from_fields(fields, &data_file_list)? })
    }

    fn from_fields(fields: BTreeMap<String, String>, data_file_list: &[String]) -> Result<Self> {
        let number = |name: &str| -> Result<i64> {
            fields.get(name).map_or(Ok(0), |value| {
                value.parse().map_err(|_| malformed(format!("{name} is {value:?}, no whole number")))
            })
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
        if byte_skip < 0 && matches!(encoding, Encoding::Text | Encoding::Hex) {
            return Err(unsupported(format!("byte skip {byte_skip} with voxels written as text; it is at least 0")));
        }
        let data_files = fields
            .get("data file")
            .map(|value| DataFiles::parse(value, data_file_list))
            .transpose()
            .map_err(malformed)?;
        Ok(Self { sizes, encoding, data_files, line_skip, byte_skip, fields, pairs: BTreeMap::new() })
    }

    /// The segments that 3D Slicer names in a `.seg.nrrd` file.
    pub(super) fn segments(&self) -> Vec<NamedSegment> {
        let value = |index: usize, name: &str| self.pairs.get(&format!("Segment{index}_{name}"));
        let number = |index: usize, name: &str| value(index, name).and_then(|text| text.parse().ok());
        let segment = |index: usize| {
            let name = value(index, "Name").or_else(|| value(index, "ID"))?.clone();
            let layer = number(index, "Layer").unwrap_or(0) as usize;
            Some(NamedSegment { name, number: 0, label: number(index, "LabelValue").unwrap_or(1), layer })
        };
        let mut segments: Vec<NamedSegment> = (0..).map_while(segment).collect();
        // Labels of several layers may be the same; then segments are counted.
        let labels: BTreeSet<u32> = segments.iter().map(|segment| segment.label).collect();
        let are_labels = labels.len() == segments.len();
        for (count, segment) in (1..).zip(&mut segments) {
            segment.number = if are_labels { i64::from(segment.label) } else { count };
        }
        segments
    }

    /// Type, order and grid of the voxels.
    pub(super) fn layout(&self) -> Result<VoxelLayout> {
        let name = self.fields.get("type").ok_or_else(|| malformed("the field \"type\" is missing"))?;
        let pixel_type =
            parse_type(&name.to_ascii_lowercase()).ok_or_else(|| unsupported(format!("voxels of type {name:?}")))?;
        let order = match self.fields.get("endian").map(|order| order.to_ascii_lowercase()).as_deref() {
            Some("little") => ByteOrder::Little,
            Some("big") => ByteOrder::Big,
            None if pixel_type.bytes() == 1 || self.encoding == Encoding::Text => ByteOrder::Little,
            other => {
                return Err(malformed(format!(
                    "endian is {other:?}; little or big is needed for voxels of several bytes"
                )));
            }
        };
        let component_axis = self.component_axis()?;
        let mut domain: Vec<usize> = (0..self.sizes.len()).filter(|&axis| Some(axis) != component_axis).collect();
        // Axes of one voxel behind those of space say nothing.
        while domain.len() > 3 && domain.last().is_some_and(|&axis| self.sizes[axis] == 1) {
            domain.pop();
        }
        if !matches!(domain.len(), 2 | 3) {
            return Err(unsupported(format!(
                "{} axes in space, sizes {:?}; 2 or 3 are read",
                domain.len(),
                self.sizes
            )));
        }
        let geometry = self.geometry(&domain)?;
        let components = component_axis.map_or(1, |axis| self.sizes[axis]);
        if components == 0 {
            return Err(malformed("a component axis of size 0"));
        }
        let component_stride = self.sizes[..component_axis.unwrap_or(0)].iter().product();
        let are_volumes = component_axis.is_some_and(|axis| axis + 1 == self.sizes.len() && self.is_series(axis));
        let several = if are_volumes { Several::Volumes } else { Several::Components };
        VoxelLayout { format: FileFormat::Nrrd, pixel_type, order, geometry, components, several, component_stride }
            .checked()
    }

    /// The axis that holds the components of a voxel, by its kind or by having no direction in space.
    fn component_axis(&self) -> Result<Option<usize>> {
        match self.component_axes()?[..] {
            // Volumes follow each other along the fourth axis, if nothing else is said.
            [] if self.sizes.len() == 4 && self.sizes[3] > 1 => Ok(Some(3)),
            [] => Ok(None),
            [axis] => Ok(Some(axis)),
            ref axes => Err(unsupported(format!("{} component axes; at most one is read", axes.len()))),
        }
    }

    /// The axes that hold components of voxels, by their kinds or by having no direction in space.
    fn component_axes(&self) -> Result<Vec<usize>> {
        let kinds = self.kinds();
        let directions = self.directions()?;
        let is_component = |axis: &usize| {
            let kind = kinds.get(*axis).map_or("domain", String::as_str);
            let has_no_direction =
                directions.as_ref().is_some_and(|vectors| vectors.get(*axis).is_some_and(Option::is_none));
            has_no_direction || !matches!(kind, "domain" | "space" | "time" | "???" | "none")
        };
        Ok((0..self.sizes.len()).filter(is_component).collect())
    }

    /// What the header says, as far as it makes sense.
    pub(super) fn outline(&self) -> HeaderOutline {
        let beyond_space = self.component_axes().unwrap_or_default();
        let components: Vec<usize> = beyond_space
            .iter()
            .copied()
            .filter(|&axis| !(axis + 1 == self.sizes.len() && self.is_series(axis)))
            .collect();
        let axes = || 0..self.sizes.len();
        let space: Vec<usize> = axes().filter(|axis| !beyond_space.contains(axis)).take(3).collect();
        let geometry = if space.len() < 2 { None } else { self.geometry(&space).ok() };
        HeaderOutline {
            voxels: self.fields.get("type").cloned().unwrap_or_default(),
            components: components.iter().map(|&axis| self.sizes[axis]).product(),
            sizes: axes().filter(|axis| !components.contains(axis)).map(|axis| self.sizes[axis] as u64).collect(),
            spacing: geometry.as_ref().map_or_else(Vec::new, |grid| grid.spacing()[..grid.dimension()].to_vec()),
            geometry,
        }
    }

    /// The kinds of the axes, as far as they are stated.
    fn kinds(&self) -> Vec<String> {
        let kinds = self.fields.get("kinds").map(|value| value.to_ascii_lowercase()).unwrap_or_default();
        kinds.split_whitespace().map(str::to_owned).collect()
    }

    /// Whether an axis is one along which volumes follow each other, and not one of the components of a voxel.
    fn is_series(&self, axis: usize) -> bool {
        const SERIES: [&str; 6] = ["time", "list", "none", "???", "domain", "space"];
        self.kinds().get(axis).is_none_or(|kind| SERIES.contains(&kind.as_str()))
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
            None => Placement {
                spacing: self.per_axis("spacings", domain)?.map(|value| value.unwrap_or(1.0)),
                direction: IDENTITY,
            },
        };
        let mut origin = [0.0; 3];
        if let Some(text) = self.fields.get("space origin") {
            let vector =
                vectors(text)?.into_iter().next().flatten().ok_or_else(|| malformed("space origin holds no vector"))?;
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
        geometry.check_axes().map_err(unsupported)?;
        Ok(if axes == 2 { geometry.into_planar() } else { geometry })
    }

    /// Spacing and direction from vectors in space.
    fn oriented(&self, domain: &[usize], vectors: &[Option<Vec<f64>>]) -> Result<Placement> {
        let mut spacing = [1.0; 3];
        let mut columns = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
        for (axis, &position) in domain.iter().enumerate() {
            let vector =
                vectors[position].as_ref().ok_or_else(|| malformed(format!("axis {position} has no direction")))?;
            // A space may have more dimensions than three, such as time, of which axes of space have no part.
            let (vector, beyond) = vector.split_at(vector.len().min(3));
            if beyond.iter().any(|coordinate| *coordinate != 0.0) {
                return Err(unsupported(format!(
                    "axis {position}, whose direction leaves the three dimensions of space"
                )));
            }
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
        let centerings: Vec<&str> =
            self.fields.get("centers").map(|value| value.split_whitespace().collect()).unwrap_or_default();
        Ok(std::array::from_fn(|axis| {
            let is_node = domain.get(axis).is_some_and(|&position| centerings.get(position) == Some(&"node"));
            mins[axis].map_or(0.0, |min| if is_node { min } else { min + spacing[axis] / 2.0 })
        }))
    }

    /// One number for each axis, `None` where the field is missing or NaN.
    fn per_axis(&self, name: &str, domain: &[usize]) -> Result<[Option<f64>; 3]> {
        let Some(value) = self.fields.get(name) else { return Ok([None; 3]) };
        let numbers: Vec<f64> = value
            .split_whitespace()
            .map(parse_number)
            .collect::<Result<_>>()
            .map_err(|_| malformed(format!("{name} is {value:?}")))?;
        if numbers.len() != self.sizes.len() {
            return Err(malformed(format!("{} {name} for {} axes", numbers.len(), self.sizes.len())));
        }
        Ok(std::array::from_fn(|axis| {
            domain.get(axis).map(|&position| numbers[position]).filter(|number| !number.is_nan())
        }))
    }

    /// Signs that bring the coordinates of the file's space into LPS.
    fn flips_to_lps(&self) -> [f64; 3] {
        match self.fields.get("space").map(|space| space.to_ascii_lowercase()).as_deref() {
            Some("right-anterior-superior" | "ras" | "right-anterior-superior-time" | "rast") => [-1.0, -1.0, 1.0],
            Some("left-anterior-superior" | "las" | "left-anterior-superior-time" | "last") => [1.0, -1.0, 1.0],
            _ => [1.0, 1.0, 1.0],
        }
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
