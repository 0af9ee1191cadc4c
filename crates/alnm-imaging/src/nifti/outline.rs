//! What a header says, also of voxels that are not read here.

use std::io::Read;

use super::Result;
use super::header::Header;
use crate::voxel_data::HeaderOutline;

/// Types of voxels by their codes, with the numbers of a voxel.
const TYPES: [(i64, &str, usize); 17] = [
    (1, "binary", 1),
    (2, "uint8", 1),
    (4, "int16", 1),
    (8, "int32", 1),
    (16, "float32", 1),
    (32, "complex64", 2),
    (64, "float64", 1),
    (128, "RGB24", 3),
    (256, "int8", 1),
    (512, "uint16", 1),
    (768, "uint32", 1),
    (1024, "int64", 1),
    (1280, "uint64", 1),
    (1536, "float128", 1),
    (1792, "complex128", 2),
    (2048, "complex256", 2),
    (2304, "RGBA32", 4),
];

/// Intents whose fifth axis holds the components of a voxel: general and symmetric matrices, displacements, vectors,
/// points, triangles, quaternions, and colours of voxels.
const INTENTS_OF_COMPONENTS: [i64; 9] = [1004, 1005, 1006, 1007, 1008, 1009, 1010, 2003, 2004];

/// The axis of components, counted from 1.
const COMPONENT_AXIS: usize = 5;

/// Reads a header for what it says, as far as it makes sense. A header of ANALYZE 7.5 has no orientation.
pub(super) fn outline(reader: &mut impl Read) -> Result<HeaderOutline> {
    let (header, is_analyze) = Header::read_any(reader)?;
    let known = TYPES.iter().find(|(code, ..)| *code == header.datatype);
    let (name, of_type) = known
        .map_or_else(|| (format!("datatype {}", header.datatype), 1), |(_, name, count)| ((*name).to_owned(), *count));
    let dimension = usize::try_from(header.dim[0]).unwrap_or(0).min(7);
    let size = |axis: usize| u64::try_from(header.dim[axis]).unwrap_or(0);
    let has_components = dimension >= COMPONENT_AXIS && INTENTS_OF_COMPONENTS.contains(&header.intent_code);
    let components = if has_components { usize::try_from(size(COMPONENT_AXIS)).unwrap_or(1) } else { 1 };
    let axes = (1..=dimension).filter(|&axis| !(has_components && axis == COMPONENT_AXIS));
    let in_space = dimension.min(3);
    let spacing = (1..=in_space).map(|axis| header.pixdim[axis].abs());
    Ok(HeaderOutline {
        voxels: name,
        components: of_type * components,
        sizes: axes.map(size).collect(),
        spacing: spacing.take_while(|spacing| spacing.is_finite() && *spacing > 0.0).collect(),
        geometry: if is_analyze { None } else { header.grid_of_space() },
    })
}
