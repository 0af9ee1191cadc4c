//! Landmarks that ITK-SNAP saves.

use super::markups::{MOST_POINTS, refused};
use crate::error::Result;

/// What a file of annotations says of itself.
const FORMAT: &str = "ITK-SNAP Annotation File";

/// The voxels (x, y, z), from 0, in which the landmarks of a file of annotations of ITK-SNAP (`.annot`) lie. Rulers are
/// left out.
///
/// The file counts places in voxels from the corner of the first one, so that the whole part is the voxel. It is read
/// as ITK-SNAP writes it: one tag a line.
///
/// # Errors
/// [`SegmentationError::Markups`](crate::SegmentationError::Markups) when the text is no such file, a place is not
/// three numbers from 0 on, there are more than 100 000 landmarks, or none.
///
/// ```
/// use alnm_segmentation::seeds::landmark_voxels;
///
/// let text = r#"<?xml version="1.0" encoding="UTF-8" ?>
/// <registry>
///   <entry key="Format" value="ITK-SNAP Annotation File" />
///   <folder key="Annotations" >
///     <entry key="ArraySize" value="1" />
///     <folder key="Element[0]" >
///       <entry key="Pos" value="31.5 20.25 8.5" />
///       <entry key="Type" value="LandmarkAnnotation" />
///     </folder>
///   </folder>
/// </registry>"#;
/// assert_eq!(landmark_voxels(text)?, [[31, 20, 8]]);
/// # Ok::<(), alnm_segmentation::SegmentationError>(())
/// ```
pub fn landmark_voxels(text: &str) -> Result<Vec<[usize; 3]>> {
    let (mut is_of_annotations, mut voxels) = (false, Vec::new());
    let (mut place, mut is_landmark) = (None, false);
    for line in text.lines().map(str::trim) {
        match entry(line) {
            Some(("Format", value)) => is_of_annotations |= value == FORMAT,
            Some(("Pos", value)) => place = Some(value),
            Some(("Type", value)) => is_landmark = value == "LandmarkAnnotation",
            _ => {}
        }
        // The entries of an annotation stand in a folder of their own.
        if line.starts_with("<folder") || line == "</folder>" {
            if let (Some(place), true) = (place, is_landmark) {
                voxels.push(voxel(place)?);
            }
            (place, is_landmark) = (None, false);
        }
    }
    if !is_of_annotations {
        return Err(refused(format!("it is no {FORMAT}")));
    }
    match voxels.len() {
        0 => Err(refused("it has no landmark")),
        count if count > MOST_POINTS => Err(refused(format!("it has more than {MOST_POINTS} points"))),
        _ => Ok(voxels),
    }
}

/// Key and value of the entry that a line holds.
fn entry(line: &str) -> Option<(&str, &str)> {
    let (key, rest) = line.strip_prefix("<entry key=\"")?.split_once('"')?;
    let (value, _) = rest.trim_start().strip_prefix("value=\"")?.split_once('"')?;
    Some((key, value))
}

/// The voxel in which a place lies.
fn voxel(place: &str) -> Result<[usize; 3]> {
    let index = |word: &str| word.parse().ok().filter(|place: &f64| *place >= 0.0 && *place < f64::from(u32::MAX));
    let numbers: Option<Vec<f64>> = place.split_whitespace().map(index).collect();
    match numbers.as_deref() {
        Some(&[x, y, z]) => Ok([x as usize, y as usize, z as usize]),
        _ => Err(refused(format!("the place {place:?} of a landmark is not three numbers from 0 on"))),
    }
}
