//! Reading masks: label maps of every image format, and the regions of DICOM segmentations and structure sets.

pub(crate) mod narrow;
pub(crate) mod note;
pub(crate) mod on_grid;
pub(crate) mod params;
pub(crate) mod region;

use std::path::Path;

#[cfg(feature = "dicom")]
use crate::dicom::MaskFile;
use crate::error::{FileProblem, ImagingError, Result};
use crate::file::Source;
#[cfg(feature = "dicom")]
use crate::format::FileFormat;
use crate::volume::{Image, LabelMap, Volume, Voxel};
use crate::voxel_data::NamedSegment;
use crate::{with_labels, with_volume};

use on_grid::onto_grid;

pub use narrow::{Label, Mask, MaskRef};
pub use note::{MaskNote, ReadMask};
pub use params::{ContourEdge, CrossingContours, MaskParams, MaskReader};
pub use region::{MaskProblem, MaskRegion, RegionChoice};

impl MaskReader {
    /// Reads a mask; its format is found from the content: a label map in an image format, or a DICOM segmentation or
    /// structure set, as a file or as the only one in a folder.
    ///
    /// # Errors
    /// [`ImagingError::File`] with the path and what is wrong there: a voxel of a label map is no label, or with
    /// [`MaskParams::grid`] no voxel of the mask lies on that grid ([`MaskProblem::OffGrid`]).
    pub fn read(&self, path: impl AsRef<Path>) -> Result<LabelMap> {
        self.read_source(Source::open(path)?)
    }

    /// Reads a mask from a file or folder that was opened already.
    ///
    /// # Errors
    /// As [`MaskReader::read`].
    pub fn read_source(&self, source: Source) -> Result<LabelMap> {
        self.read_with_notes(source).map(|read| read.mask)
    }

    /// As [`MaskReader::read_source`], with what was odd: regions that leave the grid of the image, slices that were filled.
    ///
    /// # Errors
    /// As [`MaskReader::read`].
    pub fn read_with_notes(&self, source: Source) -> Result<ReadMask> {
        self.read_mask(source).map(ReadMask::widened)
    }

    /// As [`MaskReader::read_source`], with labels of one byte where they have room.
    ///
    /// # Errors
    /// As [`MaskReader::read`].
    ///
    /// ```
    /// use alnm_imaging::file::Source;
    /// use alnm_imaging::mask::{Mask, MaskParams};
    /// use alnm_imaging::{Geometry, Volume, write_image};
    ///
    /// let folder = tempfile::tempdir()?;
    /// let path = folder.path().join("mask.nrrd");
    /// let labels = Volume::filled(Geometry::axis_aligned([4, 4, 2], [1.0; 3])?, 7_i16);
    /// write_image(&path, &labels.into())?;
    /// let mask = MaskParams::default().check()?.read_narrow(Source::open(&path)?)?;
    /// assert!(matches!(mask, Mask::Narrow(labels) if labels.as_slice() == [7_u8; 32]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn read_narrow(&self, source: Source) -> Result<Mask> {
        self.read_mask(source).map(|read| read.mask)
    }

    fn read_mask(&self, source: Source) -> Result<ReadMask<Mask>> {
        let path = source.path().to_owned();
        #[cfg(feature = "dicom")]
        let source = match self.read_dicom(source)? {
            DicomContent::Mask(drawn) => return Ok(drawn.into()),
            DicomContent::Image(image) => return self.label_map(&path, image),
            DicomContent::Other(source) => source,
        };
        let segments = source.segments()?;
        if self.params().region.is_some() && !segments.is_empty() {
            return self.segment(source, &segments);
        }
        let image = match self.params().volume {
            Some(number) => source.read_volume(number)?,
            None => source.read_channel(self.params().channel)?,
        };
        self.label_map(&path, image)
    }

    /// The regions of a DICOM mask that was opened already.
    ///
    /// # Errors
    /// As [`MaskReader::read`].
    #[cfg(feature = "dicom")]
    pub fn draw(&self, mask: &MaskFile) -> Result<LabelMap> {
        self.draw_with_notes(mask).map(|read| read.mask)
    }

    /// As [`MaskReader::draw`], with what was odd.
    ///
    /// # Errors
    /// As [`MaskReader::read`].
    #[cfg(feature = "dicom")]
    pub fn draw_with_notes(&self, mask: &MaskFile) -> Result<ReadMask> {
        match mask {
            MaskFile::StructureSet(file) => file.draw(self),
            MaskFile::Segmentation(file) => file.draw(self),
        }
    }

    /// One segment of a file that names its segments, in whatever layer it lies.
    fn segment(&self, source: Source, segments: &[NamedSegment]) -> Result<ReadMask<Mask>> {
        let path = source.path().to_owned();
        let regions: Vec<MaskRegion> = (1..)
            .zip(segments)
            .map(|(label, segment)| MaskRegion { label, number: segment.number, name: segment.name.clone() })
            .collect();
        let chosen = MaskRegion::choose(&regions, self.params().region.as_ref());
        let chosen = chosen.map_err(|problem| FileProblem::from(problem).at(&path))?[0].label as usize - 1;
        let NamedSegment { label, layer, ref name, .. } = segments[chosen];
        let layer = mask_of(source.read_layer(layer)?, &path)?;
        self.on_grid(only(layer, label), &path, |_| format!("{name:?}"))
    }

    #[cfg(feature = "dicom")]
    fn read_dicom(&self, source: Source) -> Result<DicomContent> {
        if source.format() != FileFormat::Dicom {
            return Ok(DicomContent::Other(source));
        }
        if source.is_folder() {
            // Of most files of a folder the first elements show that they are no masks.
            let mask = MaskFile::find(source.path())?;
            return mask
                .map_or(Ok(DicomContent::Other(source)), |mask| self.draw_with_notes(&mask).map(DicomContent::Mask));
        }
        let folder = source.dicom_folder()?;
        match folder.only_mask()? {
            Some(mask) => self.draw_with_notes(mask).map(DicomContent::Mask),
            None => folder.only_series()?.image().map(DicomContent::Image),
        }
    }

    /// The region and grid asked for, of an image whose voxels are labels.
    fn label_map(&self, path: &Path, image: Image) -> Result<ReadMask<Mask>> {
        let mut mask = mask_of(image, path)?;
        let mut chosen_label = None;
        if let Some(choice) = &self.params().region {
            let present = mask.borrowed().labels(64).into_iter();
            let regions: Vec<MaskRegion> =
                present.map(|label| MaskRegion { label, number: i64::from(label), name: String::new() }).collect();
            let chosen =
                MaskRegion::choose(&regions, Some(choice)).map_err(|problem| FileProblem::from(problem).at(path))?;
            let wanted = chosen[0].label;
            mask = only(mask, wanted);
            chosen_label = Some(wanted);
        }
        self.on_grid(mask, path, |label| format!("label {}", chosen_label.unwrap_or(label)))
    }

    /// A mask of a file on the grid asked for; `name` gives the words for the region of a label.
    fn on_grid(&self, mask: Mask, path: &Path, name: impl Fn(u32) -> String) -> Result<ReadMask<Mask>> {
        match &self.params().grid {
            Some(grid) if grid.difference(mask.borrowed().geometry(), 1e-6).is_some() => {
                onto_grid(mask.borrowed(), grid, path, name)
            }
            _ => Ok(ReadMask { mask, notes: Vec::new() }),
        }
    }
}

/// What a file or folder turned out to hold.
#[cfg(feature = "dicom")]
enum DicomContent {
    /// The mask that a structure set or segmentation draws.
    Mask(ReadMask),
    /// A DICOM image whose voxels are labels.
    Image(Image),
    /// Whatever is read as an image by its format.
    Other(Source),
}

/// Reads a mask with all its regions on its own grid; see [`read_mask_with`] for a choice of region and grid.
///
/// # Errors
/// As [`MaskReader::read`].
pub fn read_mask(path: impl AsRef<Path>) -> Result<LabelMap> {
    read_mask_with(path, &MaskParams::default())
}

/// Reads one component, counted from 0, of a mask whose voxels have several.
///
/// # Errors
/// As [`MaskReader::read`], and when the file has fewer components.
pub fn read_mask_channel(path: impl AsRef<Path>, channel: usize) -> Result<LabelMap> {
    read_mask_with(path, &MaskParams::default().with_channel(channel))
}

/// Reads a mask: one region, or onto the grid of an image.
///
/// # Errors
/// As [`MaskParams::check`] and [`MaskReader::read`].
pub fn read_mask_with(path: impl AsRef<Path>, params: &MaskParams) -> Result<LabelMap> {
    params.clone().check()?.read(path)
}

impl Image {
    /// The image as a mask: each voxel is a label, 0 the background.
    ///
    /// # Errors
    /// [`ImagingError::InvalidVoxel`] with the first voxel that is no whole number from 0 to 4,294,967,295.
    pub fn label_map(&self) -> Result<LabelMap> {
        match self {
            // Every number of these types is a label.
            Self::U8(volume) => Ok(volume.map(|&label| label.into())),
            Self::U16(volume) => Ok(volume.map(|&label| label.into())),
            Self::U32(volume) => Ok(volume.clone()),
            other => with_volume!(other, volume => check_labels(volume).map(|()| volume.cast())),
        }
    }
}

/// The image of a file as a mask; a voxel that is no label is a fault of that file.
fn mask_of(image: Image, path: &Path) -> Result<Mask> {
    Mask::of_image(image).map_err(|problem| problem.at(path))
}

/// The voxels of a label, as the label 1.
fn only(mask: Mask, label: u32) -> Mask {
    fn of<L: Label>(labels: &Volume<L>, label: u32) -> Volume<u8> {
        labels.map(|&voxel| u8::from(voxel.into() == label))
    }
    with_labels!(mask.borrowed(), labels => of(labels, label)).into()
}

/// Checks that each voxel is a label.
fn check_labels<T: Voxel>(volume: &Volume<T>) -> Result<()> {
    let is_label = |value: f64| value >= 0.0 && value <= f64::from(u32::MAX) && value.fract() == 0.0;
    if let Some(position) = volume.as_slice().iter().position(|voxel| !is_label(voxel.to_f64())) {
        return Err(ImagingError::InvalidVoxel {
            operation: "reading a mask",
            index: volume.geometry().index_of(position),
            value: volume.as_slice()[position].to_f64(),
            requirement: "the voxels of a mask are whole numbers from 0 to 4294967295",
        });
    }
    Ok(())
}
