//! Structure sets (RTSTRUCT): regions drawn as contours.

use std::path::{Path, PathBuf};

use dicom_dictionary_std::tags;
use dicom_object::InMemDicomObject;

use super::attributes::{integer, items, text};
use super::contour::{self, Contour, ContourKind, Filling};
use super::problem::malformed;
use super::stored_file::{self, Opened};
use crate::error::{FileProblem, Result};
use crate::mask::note::ReadMask;
use crate::mask::params::{MaskParams, MaskReader};
use crate::mask::region::{MaskProblem, MaskRegion};
use crate::volume::{LabelMap, Volume};

/// One region of a structure set.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct StructureSetRoi {
    /// `ROINumber`.
    pub number: i64,
    /// `ROIName`, empty when absent.
    pub name: String,
    /// `ReferencedFrameOfReferenceUID`: the coordinates in which the contours are drawn.
    pub frame_of_reference: Option<String>,
    /// The contours, as they stand in the file.
    pub contours: Vec<Contour>,
}

/// The regions of an RTSTRUCT file.
///
/// The mask of a region on a grid holds the voxels whose centres its closed contours enclose by the even-odd rule,
/// which makes holes of inner contours and of keyholes alike; a contour that stands twice counts once. The contours
/// must be parallel to two axes of the grid, oblique in space or not.
///
/// Of voxels whose centres lie on a contour [`MaskParams::edge`] decides, of contours of one plane that cross each
/// other [`MaskParams::crossing`].
///
/// A slice of the grid takes the contours of the plane nearest to it, up to half a slice away: one exactly half a slice
/// before the first plane belongs to it, one exactly half a slice behind the last does not. Where contours lie farther
/// apart than slices, the slices between two planes are filled from the nearer one, when the planes lie at the regular
/// distance of contours (the thickness of their slabs where the file states it, else the smallest distance of planes
/// when at least half of all distances equal it); nothing is filled before the first plane and behind the last.
/// Contours that leave the image are cut off, and a [`MaskNote`](crate::mask::MaskNote) says which share was lost.
#[derive(Debug, Clone, PartialEq)]
pub struct StructureSet {
    label: String,
    rois: Vec<StructureSetRoi>,
    path: PathBuf,
}

impl StructureSet {
    /// Reads an RTSTRUCT file.
    ///
    /// # Errors
    /// [`crate::ImagingError::File`] when the file cannot be read, is no structure set, or a contour is malformed.
    pub fn read(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        stored_file::open_dicom(path).and_then(|opened| Self::of(&opened)).map_err(|problem| problem.at(path))
    }

    /// Reads an RTSTRUCT file from its bytes.
    ///
    /// # Errors
    /// As [`StructureSet::read`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, FileProblem> {
        Self::of(&stored_file::parse_bytes(bytes)?)
    }

    pub(super) fn of(Opened { header: file, file: stored }: &Opened) -> Result<Self, FileProblem> {
        let definitions = items(file, tags::STRUCTURE_SET_ROI_SEQUENCE);
        if definitions.is_empty() {
            return Err(malformed("no StructureSetROISequence; this is no structure set, or an empty one"));
        }
        let contours = items(file, tags::ROI_CONTOUR_SEQUENCE);
        let rois =
            definitions.iter().map(|definition| StructureSetRoi::of(definition, contours)).collect::<Result<_, _>>()?;
        Ok(Self {
            label: text(file, tags::STRUCTURE_SET_LABEL).unwrap_or_default(),
            rois,
            path: stored.path().to_owned(),
        })
    }

    /// The file.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// `StructureSetLabel`, empty when absent.
    #[must_use]
    pub fn label(&self) -> &str {
        &self.label
    }

    /// The regions in the order of the file.
    #[must_use]
    pub fn rois(&self) -> &[StructureSetRoi] {
        &self.rois
    }

    /// Names of the regions; the label of each is its place in the file, from 1.
    #[must_use]
    pub fn regions(&self) -> Vec<MaskRegion> {
        let region =
            |(roi, label): (&StructureSetRoi, u32)| MaskRegion { label, number: roi.number, name: roi.name.clone() };
        self.rois.iter().zip(1..).map(region).collect()
    }

    /// The regions on the grid that the reader names. One that was chosen has the label 1; without a choice each has
    /// its place in the file, from 1, and regions without a closed contour are left out.
    ///
    /// # Errors
    /// [`crate::ImagingError::File`] with a [`MaskProblem`]: the reader names no grid, there is no such region, it was
    /// drawn in another frame of reference, has no closed contour, lies askew to the grid or outside it, or two regions
    /// overlap.
    pub fn mask(&self, reader: &MaskReader) -> Result<LabelMap> {
        self.draw(reader).map(|drawn| drawn.mask)
    }

    /// As [`StructureSet::mask`], with what was odd.
    ///
    /// # Errors
    /// As [`StructureSet::mask`].
    pub fn draw(&self, reader: &MaskReader) -> Result<ReadMask> {
        self.rasterise(reader.params()).map_err(|problem| FileProblem::from(problem).at(&self.path))
    }

    fn rasterise(&self, params: &MaskParams) -> Result<ReadMask, MaskProblem> {
        let filling = Filling { edge: params.edge, crossing: params.crossing };
        let mut notes = Vec::new();
        let (choice, frame) = (params.region.as_ref(), params.frame_of_reference.as_deref());
        let grid = params.grid.as_ref().ok_or(MaskProblem::GridNeeded)?;
        let regions = self.regions();
        let mut mask = Volume::filled(grid.clone(), 0_u32);
        let chosen = MaskRegion::choose(&regions, choice)?;
        for region in &chosen {
            let roi = &self.rois[region.label as usize - 1];
            roi.check_frame(frame)?;
            let closed: Vec<&Contour> =
                roi.contours.iter().filter(|contour| contour.kind == ContourKind::Closed).collect();
            if closed.is_empty() && choice.is_none() && regions.len() > 1 {
                continue;
            }
            let label = if chosen.len() == 1 { 1 } else { region.label };
            let filled = contour::fill(&roi.name, &closed, &mut mask, label, filling)?;
            notes.extend(filled.notes);
            if let Some(other) = filled.overlapped {
                let first = regions[other as usize - 1].name.clone();
                return Err(MaskProblem::Overlap { first, second: region.name.clone() });
            }
        }
        Ok(ReadMask { mask, notes })
    }
}

impl StructureSetRoi {
    fn of(definition: &InMemDicomObject, contours: &[InMemDicomObject]) -> Result<Self, FileProblem> {
        let number = integer(definition, tags::ROI_NUMBER).ok_or_else(|| malformed("a region without ROINumber"))?;
        let own = contours.iter().filter(|item| integer(item, tags::REFERENCED_ROI_NUMBER) == Some(number));
        let contours =
            own.flat_map(|item| items(item, tags::CONTOUR_SEQUENCE)).map(Contour::of).collect::<Result<_, _>>()?;
        Ok(Self {
            number,
            name: text(definition, tags::ROI_NAME).unwrap_or_default(),
            frame_of_reference: text(definition, tags::REFERENCED_FRAME_OF_REFERENCE_UID),
            contours,
        })
    }

    fn check_frame(&self, image: Option<&str>) -> Result<(), MaskProblem> {
        match (self.frame_of_reference.as_deref(), image) {
            (Some(region), Some(image)) if region != image => {
                Err(MaskProblem::FrameOfReference { region: region.to_owned(), image: image.to_owned() })
            }
            _ => Ok(()),
        }
    }
}
