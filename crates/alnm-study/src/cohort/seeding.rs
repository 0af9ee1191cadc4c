//! Outlines that grow from seeds in the table of patients.

use std::path::{Path, PathBuf};

use alnm_imaging::{Image, LabelMap, Volume, write_mask};
use alnm_segmentation::contour::ActiveContourParams;
use alnm_segmentation::seeds::{Bubble, bubble_mask};
use alnm_segmentation::speed::{EdgeSpeedParams, MixtureParams, ThresholdSpeedParams};
use anyhow::{Result, ensure};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::{Cohort, Patient, Problem};

/// The columns of points with `mask = "segment"`: those of the first and of a second reader, who may be missing.
pub const SEED_COLUMNS: [&str; 2] = ["seed", "seed_reader2"];

/// Between the points of a cell.
const POINT_SEPARATOR: char = '|';

/// `mask` of `cohort.toml`: where outlines come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum OutlineSource {
    /// Files named in the columns `mask` and `mask_reader2`.
    #[default]
    File,
    /// Active contours from the points in the columns `seed` and `seed_reader2`.
    Segment,
}

/// What a contour's speed comes from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SeedSpeed {
    /// Clusters of intensities; the contour grows in the one that most voxels of the seed belong to.
    Classes(MixtureParams),
    /// Edges.
    Edges(EdgeSpeedParams),
    /// Thresholds, in the units of the images.
    Thresholds(ThresholdSpeedParams),
    /// A lower threshold relative to the seed, for images whose units differ.
    SeedShare(f64),
}

impl Default for SeedSpeed {
    fn default() -> Self {
        Self::SeedShare(0.75)
    }
}

/// `[segment]` of `cohort.toml`: how an outline grows from its seeds, in the analysed phase as it was acquired.
///
/// | field | default | meaning | range |
/// |---|---|---|---|
/// | `radius` | 3 | radius of the bubble around each point in mm | above 0 |
/// | `speed` | `{ seed_share = 0.75 }` | `classes`, `edges`, `thresholds` with their parameters, or `seed_share`: a lower threshold at this share of the seed's mean | `seed_share` above 0 |
/// | `contour` | ITK-SNAP's for the kind of speed | weights, iterations | that of [`ActiveContourParams`] |
///
/// ```
/// use alnm_imaging::{Geometry, Image, Volume};
/// use alnm_study::cohort::SegmentRules;
///
/// let grid = Geometry::axis_aligned([24, 24, 24], [1.0; 3])?;
/// let inside = |i: usize| (7..17).contains(&i);
/// let voxel = |(z, y, x): (usize, usize, usize)| if inside(x) && inside(y) && inside(z) { 300_i16 } else { 100 };
/// let image = Image::I16(Volume::new(ndarray::Array3::from_shape_fn(grid.shape(), voxel), grid)?);
/// let outline = SegmentRules::default().outline(&image, 1, &[[12.0, 12.0, 12.0]])?;
/// let voxels = outline.mask.as_slice().iter().filter(|&&label| label == 1).count();
/// assert!((800..=1000).contains(&voxels) && outline.warnings.is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct SegmentRules {
    /// Radius of the bubble around each point in mm.
    pub radius: f64,
    /// What the contour's speed comes from.
    pub speed: SeedSpeed,
    /// How the contour moves; ITK-SNAP's defaults for the kind of speed where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contour: Option<ActiveContourParams>,
}

impl Default for SegmentRules {
    fn default() -> Self {
        Self { radius: 3.0, speed: SeedSpeed::default(), contour: None }
    }
}

/// An outline that grew from seeds.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct SeededOutline {
    /// The label inside, 0 elsewhere.
    pub mask: LabelMap,
    /// What should be looked at: a contour that vanished, reached the border or leaked.
    pub warnings: Vec<String>,
}

impl SegmentRules {
    /// The rules of `cohort.toml` when all are in range.
    ///
    /// # Errors
    /// The first that is not.
    pub fn check(&self) -> Result<()> {
        ensure!(self.radius > 0.0 && self.radius.is_finite(), "radius is {}; it must be above 0 mm", self.radius);
        self.contour().check()?;
        match &self.speed {
            SeedSpeed::Classes(params) => params.check().map(|_| ())?,
            SeedSpeed::Edges(params) => params.check().map(|_| ())?,
            SeedSpeed::Thresholds(params) => params.check().map(|_| ())?,
            SeedSpeed::SeedShare(share) => {
                ensure!(*share > 0.0 && share.is_finite(), "seed_share is {share}; it must be above 0");
            }
        }
        Ok(())
    }

    fn contour(&self) -> ActiveContourParams {
        let preset = || match self.speed {
            SeedSpeed::Edges(_) => ActiveContourParams::edges(),
            _ => ActiveContourParams::regions(),
        };
        self.contour.clone().unwrap_or_else(preset)
    }

    /// The outline that grows from points in mm (LPS, as DICOM's).
    ///
    /// # Errors
    /// A rule out of range, a point outside of the image, a contour that vanishes.
    pub fn outline(&self, image: &Image, label: u32, points: &[[f64; 3]]) -> Result<SeededOutline> {
        self.check()?;
        let image: Volume<f32> = image.cast();
        let bubbles: Vec<Bubble> = points.iter().map(|&point| Bubble::new(point, self.radius)).collect();
        let seed = bubble_mask(image.geometry(), &bubbles)?;
        let contour = self.contour().check()?;
        let found = match &self.speed {
            SeedSpeed::Classes(params) => {
                let mixture = params.check()?.fit(&image)?;
                let class = mixture.class_of_seed(&image, &seed)?;
                contour.evolve(&mixture.speed(&image, &[class])?, &seed)?
            }
            SeedSpeed::Edges(params) => contour.evolve(&params.check()?.speed(&image)?, &seed)?,
            SeedSpeed::Thresholds(params) => contour.evolve(&params.check()?.of(&image)?, &seed)?,
            SeedSpeed::SeedShare(share) => {
                let inside = image.as_slice().iter().zip(seed.as_slice()).filter(|(_, label)| **label != 0);
                let add = |(sum, count): (f64, f64), (&value, _): (&f32, &u32)| (sum + f64::from(value), count + 1.0);
                let (sum, count) = inside.fold((0.0, 0.0), add);
                let thresholds = ThresholdSpeedParams::default().with_lower(share * sum / count).check()?;
                contour.evolve(&thresholds.of(&image)?, &seed)?
            }
        };
        ensure!(
            found.voxel_count > 0,
            "the contour vanished, since its speed is negative at the seed or smaller than what the curvature takes away"
        );
        Ok(SeededOutline {
            mask: found.mask.map(|&voxel| voxel * label),
            warnings: found.warnings.iter().map(ToString::to_string).collect(),
        })
    }
}

impl Cohort {
    /// With `mask = "segment"`, grows every patient's outlines from the seeds and writes them into a folder, as
    /// `PATIENT_seed.nii.gz` and `PATIENT_seed_reader2.nii.gz`; from then on they are the masks of the patients. What a
    /// contour warns of is added to the remarks. Otherwise nothing happens. `observe` is called after each patient.
    ///
    /// Returned is what is wrong, in the order of the patients; who has a problem has no mask, and has to be settled
    /// ([`Cohort::settle`]) before masks are read.
    ///
    /// # Errors
    /// When the folder cannot be created.
    pub fn draw_outlines(&mut self, folder: &Path, observe: &(dyn Fn() + Sync)) -> Result<Vec<Problem>> {
        if self.description.mask != OutlineSource::Segment {
            return Ok(Vec::new());
        }
        std::fs::create_dir_all(folder)?;
        let folder = std::path::absolute(folder)?;
        let drawn: Vec<Result<DrawnOutlines, Vec<Problem>>> = self
            .patients
            .par_iter()
            .map(|patient| {
                let drawn = self.outlines_of(patient, &folder);
                observe();
                drawn
            })
            .collect();
        let mut problems = Vec::new();
        for (patient, drawn) in self.patients.iter_mut().zip(drawn) {
            match drawn {
                Ok(drawn) => {
                    patient.mask = drawn.first;
                    patient.mask_reader2 = drawn.second;
                    self.remarks.extend(drawn.warnings);
                }
                Err(found) => problems.extend(found),
            }
        }
        Ok(problems)
    }

    fn outlines_of(&self, patient: &Patient, folder: &Path) -> Result<DrawnOutlines, Vec<Problem>> {
        let fix = "write three numbers in mm (LPS) separated by blanks, several points with | between them";
        let of_column = |column: &str, what: String, fix: &str| {
            vec![Problem::of_patient(&patient.id, format!("column {column}"), what, fix)]
        };
        let [first, second] = SEED_COLUMNS.map(|column| patient.seed_cell(column));
        let Some(first) = first else {
            return Err(of_column(SEED_COLUMNS[0], "the seed is missing".to_owned(), fix));
        };
        let image = self.image(patient).map_err(|error| {
            let place = format!("image {}", patient.image.display());
            vec![Problem::of_patient(&patient.id, place, error.to_string(), "export the series again")]
        })?;
        let mut warnings = Vec::new();
        let mut draw = |column: &str, cell: &str| -> Result<PathBuf, Vec<Problem>> {
            let points = points(cell).map_err(|what| of_column(column, what, fix))?;
            let path = folder.join(format!("{}_{column}.nii.gz", patient.id));
            let outline = self.description.segment.outline(&image, self.description.label, &points);
            let outline = outline.map_err(|error| {
                of_column(column, format!("{error:#}"), "move the seed into the lesion, or change [segment]")
            })?;
            write_mask(&path, &outline.mask)
                .map_err(|error| of_column(column, error.to_string(), "make room for the outline"))?;
            let said = |warning: &String| format!("patient {}, column {column}: {warning}", patient.id);
            warnings.extend(outline.warnings.iter().map(said));
            Ok(path)
        };
        let first = draw(SEED_COLUMNS[0], first)?;
        let second = second.map(|cell| draw(SEED_COLUMNS[1], cell)).transpose()?;
        Ok(DrawnOutlines { first, second, warnings })
    }
}

/// The files of a patient's outlines.
struct DrawnOutlines {
    first: PathBuf,
    second: Option<PathBuf>,
    warnings: Vec<String>,
}

/// The points of a cell: three numbers each, separated by blanks, points by `|`.
///
/// # Errors
/// What is no point, in words.
fn points(cell: &str) -> Result<Vec<[f64; 3]>, String> {
    let point = |text: &str| {
        let numbers: Result<Vec<f64>, _> =
            text.split_whitespace().map(|number| number.replace(',', ".").parse::<f64>()).collect();
        match numbers.as_deref() {
            Ok(&[x, y, z]) if [x, y, z].iter().all(|value| value.is_finite()) => Ok([x, y, z]),
            _ => Err(format!("`{}` is no point", text.trim())),
        }
    };
    cell.split(POINT_SEPARATOR).map(point).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_hold_points() {
        assert_eq!(points("1 -2.5 3"), Ok(vec![[1.0, -2.5, 3.0]]));
        assert_eq!(points(" 1,5 2 3 | 4 5 6 "), Ok(vec![[1.5, 2.0, 3.0], [4.0, 5.0, 6.0]]));
        assert_eq!(points("1 2"), Err("`1 2` is no point".to_owned()));
        assert_eq!(points("1 2 3 |"), Err("`` is no point".to_owned()));
        assert!(points("a b c").is_err() && points("1 2 inf").is_err());
    }

    #[test]
    fn rules_out_of_range_are_refused() {
        let rules = |text: &str| toml::from_str::<SegmentRules>(text).unwrap();
        assert!(rules("").check().is_ok());
        assert!(rules("speed = { classes = { classes = 3 } }").check().is_ok());
        for text in [
            "radius = 0",
            "speed = { seed_share = -1.0 }",
            "speed = { edges = { sigma = -1 } }",
            "contour = { iterations = 0 }",
        ] {
            assert!(rules(text).check().is_err(), "{text}");
        }
    }
}
