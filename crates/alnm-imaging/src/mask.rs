//! Reading masks: label maps of every image format, and the regions of DICOM segmentations and structure sets.

use std::fmt;
use std::path::Path;

use crate::dicom::{MaskFile, Segmentation};
use crate::error::{FileProblem, ImagingError, Result};
use crate::file::{Content, read_voxels};
use crate::geometry::Geometry;
use crate::resample::{Interpolator, resample};
use crate::volume::{Image, LabelMap, Volume, Voxel};
use crate::with_volume;

/// Why a region cannot be read as a mask.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MaskProblem {
    /// Contours without a grid to draw them on.
    #[error("contours need the grid of an image; give that of the image on which they were drawn")]
    GridNeeded,
    /// No region has the name or number asked for.
    #[error("no region {wanted} here; the file has: {}", list(present))]
    NoSuchRegion {
        /// What was asked for.
        wanted: RegionChoice,
        /// The regions of the file.
        present: Vec<MaskRegion>,
    },
    /// Several regions have the name or number asked for.
    #[error("several regions are {wanted}: {}", list(regions))]
    Ambiguous {
        /// What was asked for.
        wanted: RegionChoice,
        /// The regions that have it.
        regions: Vec<MaskRegion>,
    },
    /// Regions and image were placed in different coordinates.
    #[error("the regions lie in the frame of reference {region}, the image in {image}; register them first")]
    FrameOfReference {
        /// Identifier of the regions' coordinates.
        region: String,
        /// Identifier of the image's coordinates.
        image: String,
    },
    /// Two regions share a voxel, which a label map cannot hold.
    #[error("the regions {first:?} and {second:?} overlap; read them one by one")]
    Overlap {
        /// Name of one.
        first: String,
        /// Name of the other.
        second: String,
    },
    /// A region of points or open lines.
    #[error("the region {name:?} has no closed contour")]
    NoClosedContour {
        /// Its name.
        name: String,
    },
    /// Contours that are not parallel to two axes of the grid.
    #[error(
        "the contours of {name:?} are parallel to no plane of the grid; give the grid of the image on which they were drawn"
    )]
    Askew {
        /// Name of the region.
        name: String,
    },
    /// Contours that enclose no voxel's centre.
    #[error("the contours of {name:?} enclose no voxel of the grid; is it that of the image on which they were drawn?")]
    Outside {
        /// Name of the region.
        name: String,
    },
}

/// A region that a DICOM mask file names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MaskRegion {
    /// The label of its voxels when all regions are read: the segment's number, or the place in a structure set, from
    /// 1.
    pub label: u32,
    /// `SegmentNumber` or `ROINumber`.
    pub number: i64,
    /// `SegmentLabel` or `ROIName`.
    pub name: String,
}

/// One region of a mask file: by its name, or by its number (`SegmentNumber`, `ROINumber`, or the label in a label
/// map).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RegionChoice {
    /// The name; case counts.
    Name(String),
    /// The number.
    Number(i64),
}

impl From<&str> for RegionChoice {
    fn from(name: &str) -> Self {
        Self::Name(name.to_owned())
    }
}

impl From<u32> for RegionChoice {
    fn from(number: u32) -> Self {
        Self::Number(i64::from(number))
    }
}

impl fmt::Display for RegionChoice {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => write!(formatter, "{name:?}"),
            Self::Number(number) => write!(formatter, "number {number}"),
        }
    }
}

impl fmt::Display for MaskRegion {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {:?}", self.number, self.name)
    }
}

impl MaskRegion {
    /// The regions that a choice names; all without one.
    pub(crate) fn choose<'a>(regions: &'a [Self], choice: Option<&RegionChoice>) -> Result<Vec<&'a Self>, MaskProblem> {
        let Some(choice) = choice else { return Ok(regions.iter().collect()) };
        let is_chosen = |region: &&Self| match choice {
            RegionChoice::Name(name) => region.name == *name,
            RegionChoice::Number(number) => region.number == *number,
        };
        let chosen: Vec<&Self> = regions.iter().filter(is_chosen).collect();
        match (chosen.len(), choice) {
            (0, _) => Err(MaskProblem::NoSuchRegion { wanted: choice.clone(), present: regions.to_vec() }),
            (1, _) => Ok(chosen),
            (_, choice) => {
                let regions = chosen.into_iter().cloned().collect();
                Err(MaskProblem::Ambiguous { wanted: choice.clone(), regions })
            }
        }
    }
}

fn list(regions: &[MaskRegion]) -> String {
    regions.iter().map(MaskRegion::to_string).collect::<Vec<_>>().join(", ")
}

/// How a mask is read: which region, and onto which grid.
///
/// ```
/// use alnm_imaging::mask::MaskReader;
/// # use alnm_imaging::{Geometry, Volume, write_mask};
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("mask.nii.gz");
/// # let mut labels = Volume::filled(Geometry::axis_aligned([4, 4, 2], [1.0; 3])?, 0_u32);
/// # labels.as_mut_slice()[5] = 2;
/// # write_mask(&path, &labels)?;
/// // In a structure set or segmentation `.region("GTV-1")` chooses by name.
/// let mask = MaskReader::new().region(2).grid(labels.geometry()).read(&path)?;
/// assert_eq!(mask.as_slice()[5], 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct MaskReader<'a> {
    region: Option<RegionChoice>,
    grid: Option<&'a Geometry>,
    frame_of_reference: Option<&'a str>,
    channel: Option<usize>,
    threshold: f64,
}

impl Default for MaskReader<'_> {
    fn default() -> Self {
        Self { region: None, grid: None, frame_of_reference: None, channel: None, threshold: Segmentation::THRESHOLD }
    }
}

impl<'a> MaskReader<'a> {
    /// All regions, on the grid of the file.
    pub fn new() -> Self {
        Self::default()
    }

    /// One region, whose voxels become 1. Without a choice the only region of a DICOM file becomes 1, too; several keep
    /// their labels ([`MaskRegion::label`]), and those of a label map are kept as they are.
    #[must_use]
    pub fn region(self, region: impl Into<RegionChoice>) -> Self {
        Self { region: Some(region.into()), ..self }
    }

    /// The grid of the image to which the mask belongs. Structure sets need it; masks on another grid are brought onto
    /// it by the nearest voxel.
    #[must_use]
    pub fn grid(self, grid: &'a Geometry) -> Self {
        Self { grid: Some(grid), ..self }
    }

    /// The `FrameOfReferenceUID` of the image; DICOM regions in another one are refused.
    #[must_use]
    pub fn frame_of_reference(self, uid: &'a str) -> Self {
        Self { frame_of_reference: Some(uid), ..self }
    }

    /// The component to read, from 0, of a label map whose voxels have several: segmentations that overlap are stored
    /// so.
    #[must_use]
    pub fn channel(self, channel: usize) -> Self {
        Self { channel: Some(channel), ..self }
    }

    /// The part of a voxel from which on it belongs to a fractional segment. Default 0.5; above 0, at most 1.
    #[must_use]
    pub fn threshold(self, threshold: f64) -> Self {
        Self { threshold, ..self }
    }

    /// Reads a mask; its format is told from the content: a label map in an image format, or a DICOM segmentation or
    /// structure set, as a file or as the only one in a folder.
    ///
    /// # Errors
    /// [`ImagingError::File`] with the path and what is wrong there; [`ImagingError::InvalidVoxel`] when a voxel of a
    /// label map is no label; [`ImagingError::InvalidParameter`] for a threshold out of range.
    pub fn read(&self, path: impl AsRef<Path>) -> Result<LabelMap> {
        let path = path.as_ref();
        if !(self.threshold > 0.0 && self.threshold <= 1.0) {
            return Err(ImagingError::InvalidParameter {
                operation: "reading a mask",
                parameter: "threshold",
                value: self.threshold.to_string(),
                requirement: "it must be above 0 and at most 1",
            });
        }
        if Content::of(path).map_err(|problem| problem.at(path))? == Content::Dicom
            && let Some(file) = MaskFile::find(path)?
        {
            return self.regions_of(&file, path);
        }
        self.label_map(path)
    }

    fn regions_of(&self, file: &MaskFile, path: &Path) -> Result<LabelMap> {
        match file {
            MaskFile::Segmentation(file) => {
                file.mask(self.region.as_ref(), self.grid, self.frame_of_reference, self.threshold)
            }
            MaskFile::StructureSet(file) => {
                let grid = self.grid.ok_or_else(|| FileProblem::from(MaskProblem::GridNeeded).at(path))?;
                file.mask(self.region.as_ref(), grid, self.frame_of_reference)
            }
        }
    }

    fn label_map(&self, path: &Path) -> Result<LabelMap> {
        let mut mask = labels(&read_voxels(path, self.channel)?)?;
        if let Some(choice) = &self.region {
            let present = crate::region::labels(&mask, 64).into_iter();
            let regions: Vec<MaskRegion> =
                present.map(|label| MaskRegion { label, number: i64::from(label), name: String::new() }).collect();
            let chosen =
                MaskRegion::choose(&regions, Some(choice)).map_err(|problem| FileProblem::from(problem).at(path))?;
            let wanted = chosen[0].label;
            mask = mask.map(|&voxel| u32::from(voxel == wanted));
        }
        match self.grid {
            Some(grid) if grid.difference(mask.geometry(), 1e-6).is_some() => {
                resample(&mask, grid, Interpolator::Nearest, 0)
            }
            _ => Ok(mask),
        }
    }
}

/// Reads a mask with all its regions on its own grid; see [`MaskReader`] for a choice of region and grid.
///
/// # Errors
/// As [`MaskReader::read`].
pub fn read_mask(path: impl AsRef<Path>) -> Result<LabelMap> {
    MaskReader::new().read(path)
}

/// Reads one component, counted from 0, of a mask whose voxels have several.
///
/// # Errors
/// As [`MaskReader::read`], and when the file has fewer components.
pub fn read_mask_channel(path: impl AsRef<Path>, channel: usize) -> Result<LabelMap> {
    MaskReader::new().channel(channel).read(path)
}

fn labels(image: &Image) -> Result<LabelMap> {
    with_volume!(image, volume => label_map(volume))
}

fn label_map<T: Voxel>(volume: &Volume<T>) -> Result<LabelMap> {
    let is_label = |value: f64| value >= 0.0 && value <= f64::from(u32::MAX) && value.fract() == 0.0;
    if let Some(position) = volume.as_slice().iter().position(|voxel| !is_label(voxel.to_f64())) {
        return Err(ImagingError::InvalidVoxel {
            operation: "reading a mask",
            index: volume.geometry().index_of(position),
            value: volume.as_slice()[position].to_f64(),
            requirement: "the voxels of a mask are whole numbers from 0 to 4294967295",
        });
    }
    Ok(volume.cast())
}

impl From<MaskProblem> for FileProblem {
    fn from(problem: MaskProblem) -> Self {
        Self::Mask(Box::new(problem))
    }
}
