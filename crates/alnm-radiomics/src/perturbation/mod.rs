//! Robustness: features of a region under small changes of image and contour.
//!
//! A feature that changes when the patient lies turned by a few degrees, or when a reader draws the contour a voxel
//! wider, tells little about the lesion. Perturbations imitate such changes on one image (Zwanenburg et al., Scientific
//! Reports 9:614, 2019, doi 10.1038/s41598-018-36938-4, after MIRP 2): the grid is turned and shifted by parts of a
//! voxel, the region is grown or shrunk, its contour is drawn anew along the borders of supervoxels, and noise is
//! added. Features are extracted from each, and the intraclass correlation over perturbations and patients tells which
//! features are robust. That step is `alnm_selection::agreement_filter`, which takes a table for each perturbation as
//! it takes one for each reader.
//!
//! Grids, shifts, turns, and growth and shrinkage by distances are those of MIRP 2.7.0 with `anti_aliasing` off. Where
//! MIRP draws random numbers (noise, contours, the last voxels of a change by a fraction of the volume), the draws
//! differ.
//!
//! ```
//! use alnm_imaging::{Geometry, Image, Volume};
//! use alnm_radiomics::perturbation::{PerturbationParams, SizeChange};
//! use alnm_radiomics::{Extractor, Parameters};
//! # use ndarray::Array3;
//! let geometry = Geometry::axis_aligned([16, 16, 12], [1.0; 3])?;
//! let image = Array3::from_shape_fn([12, 16, 16], |(z, y, x)| (7 * z + 5 * y + 3 * x) as f64);
//! let mask = Array3::from_shape_fn([12, 16, 16], |(z, y, x)| u32::from([z, y, x].iter().all(|i| (4..9).contains(i))));
//! let image = Image::F64(Volume::new(image, geometry.clone())?);
//! let mask = Volume::new(mask, geometry)?;
//!
//! let perturbations = PerturbationParams::default()
//!     .with_rotations(vec![-4.0, 4.0])
//!     .with_translations(vec![0.25, 0.75])
//!     .with_size_changes(vec![SizeChange::Distance(-1.0), SizeChange::None, SizeChange::Distance(1.0)])
//!     .with_smallest_share(0.2)
//!     .check()?;
//! // 2 turns, 2 shifts on each of 3 axes, 3 sizes.
//! assert_eq!(perturbations.all().len(), 2 * 8 * 3);
//! let extractor = Extractor::new(Parameters::default());
//! let first = perturbations.perturb(&perturbations.all()[0], &image, &mask, 1)?;
//! assert_eq!(extractor.execute(&first.image, &first.mask, 1)?.features.len(), 107);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod grid;
mod noise;
mod size_change;
mod supervoxels;

use std::fmt;

use alnm_imaging::resample::Interpolator;
use alnm_imaging::{Image, LabelMap, Volume};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::extraction::{Extraction, Extractor};
use crate::parameter_error::ParameterError;
use grid::moved_grid;
pub use noise::noise_level;
pub use size_change::SizeChange;

/// At most as many perturbations of one region.
const MOST_PERTURBATIONS: usize = 100_000;

/// Parameters of the perturbations; [`PerturbationParams::check`] gives the [`Perturbations`].
///
/// | field | default | meaning | range |
/// |---|---|---|---|
/// | `rotations` | 0 | angles by which the grid is turned about the patient's long axis, in degrees | finite, at least one |
/// | `translations` | 0 | shifts of the grid along each axis, in parts of the new spacing; each combination of axes is made | [0, 1), at least one |
/// | `size_changes` | none | changes of the region's size | see [`SizeChange`]; at least one |
/// | `smallest_share` | 0.8 | the part of the region's voxels that shrinkage by a distance leaves at least | [0, 1] |
/// | `contours` | 0 | how often the contour is drawn anew along supervoxels; 0 leaves it as it is | |
/// | `noises` | 0 | how often noise is added; 0 adds none | |
/// | `noise_level` | from the image | standard deviation of the noise, in grey values | finite, at least 0 |
/// | `spacing` | the image's | spacing (x, y, z) of the new grid in mm, which shares its centre with the image's | above 0 |
/// | `interpolator` | B-spline | for the image on the new grid; the mask is interpolated linearly and cut at a half | nearest, linear or B-spline |
/// | `seed` | 0 | of all random draws | |
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
#[must_use]
pub struct PerturbationParams {
    /// Angles by which the grid is turned about the patient's long axis, in degrees.
    pub rotations: Vec<f64>,
    /// Shifts of the grid along each axis, in parts of the new spacing.
    pub translations: Vec<f64>,
    /// Changes of the region's size.
    pub size_changes: Vec<SizeChange>,
    /// The part of the region's voxels that shrinkage by a distance leaves at least.
    pub smallest_share: f64,
    /// How often the contour is drawn anew along supervoxels.
    pub contours: usize,
    /// How often noise is added.
    pub noises: usize,
    /// Standard deviation of the noise; estimated from the image where it is not given.
    pub noise_level: Option<f64>,
    /// Spacing (x, y, z) of the new grid in mm.
    pub spacing: Option<[f64; 3]>,
    /// For the image on the new grid.
    pub interpolator: Interpolator,
    /// Of all random draws.
    pub seed: u64,
}

impl Default for PerturbationParams {
    fn default() -> Self {
        Self {
            rotations: vec![0.0],
            translations: vec![0.0],
            size_changes: vec![SizeChange::None],
            smallest_share: 0.8,
            contours: 0,
            noises: 0,
            noise_level: None,
            spacing: None,
            interpolator: Interpolator::BSpline,
            seed: 0,
        }
    }
}

impl PerturbationParams {
    /// Sets [`PerturbationParams::rotations`].
    pub fn with_rotations(self, rotations: Vec<f64>) -> Self {
        Self { rotations, ..self }
    }

    /// Sets [`PerturbationParams::translations`].
    pub fn with_translations(self, translations: Vec<f64>) -> Self {
        Self { translations, ..self }
    }

    /// Sets [`PerturbationParams::size_changes`].
    pub fn with_size_changes(self, size_changes: Vec<SizeChange>) -> Self {
        Self { size_changes, ..self }
    }

    /// Sets [`PerturbationParams::smallest_share`].
    pub fn with_smallest_share(self, smallest_share: f64) -> Self {
        Self { smallest_share, ..self }
    }

    /// Sets [`PerturbationParams::contours`].
    pub fn with_contours(self, contours: usize) -> Self {
        Self { contours, ..self }
    }

    /// Sets [`PerturbationParams::noises`].
    pub fn with_noises(self, noises: usize) -> Self {
        Self { noises, ..self }
    }

    /// Sets [`PerturbationParams::noise_level`].
    pub fn with_noise_level(self, noise_level: f64) -> Self {
        Self { noise_level: Some(noise_level), ..self }
    }

    /// Sets [`PerturbationParams::spacing`].
    pub fn with_spacing(self, spacing: [f64; 3]) -> Self {
        Self { spacing: Some(spacing), ..self }
    }

    /// Sets [`PerturbationParams::interpolator`].
    pub fn with_interpolator(self, interpolator: Interpolator) -> Self {
        Self { interpolator, ..self }
    }

    /// Sets [`PerturbationParams::seed`].
    pub fn with_seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// The perturbations when all parameters are in range.
    ///
    /// # Errors
    /// [`crate::RadiomicsError::Parameter`] for an empty list, a number outside its range, an interpolator that is none
    /// of the three, or more than 100,000 perturbations.
    pub fn check(self) -> Result<Perturbations> {
        let lists = [
            ("rotations", self.rotations.len()),
            ("translations", self.translations.len()),
            ("size_changes", self.size_changes.len()),
        ];
        if let Some((key, _)) = lists.iter().find(|(_, length)| *length == 0) {
            return invalid(key, "empty", "at least one value; 0 or none changes nothing");
        }
        if let Some(angle) = self.rotations.iter().find(|angle| !angle.is_finite()) {
            return invalid("rotations", angle, "finite angles in degrees");
        }
        if let Some(shift) = self.translations.iter().find(|shift| !(0.0..1.0).contains(*shift)) {
            return invalid("translations", shift, "parts of the spacing from 0 up to but not including 1");
        }
        if let Some(change) = self.size_changes.iter().find(|change| !change.is_valid()) {
            return invalid("size_changes", change, "a finite distance in mm, or a fraction above -1");
        }
        if !(0.0..=1.0).contains(&self.smallest_share) {
            return invalid("smallest_share", self.smallest_share, "from 0 to 1");
        }
        if let Some(level) = self.noise_level.filter(|level| !(level.is_finite() && *level >= 0.0)) {
            return invalid("noise_level", level, "finite and at least 0");
        }
        if let Some(spacing) = self.spacing.filter(|spacing| !spacing.iter().all(|s| s.is_finite() && *s > 0.0)) {
            return invalid("spacing", format!("{spacing:?}"), "finite and above 0 mm");
        }
        if !matches!(self.interpolator, Interpolator::Nearest | Interpolator::Linear | Interpolator::BSpline) {
            return invalid("interpolator", format!("{:?}", self.interpolator), "nearest, linear or bspline");
        }
        let factors = [
            self.rotations.len(),
            self.translations.len().saturating_pow(3),
            self.size_changes.len(),
            self.contours.max(1),
            self.noises.max(1),
        ];
        let count = factors.into_iter().fold(1, usize::saturating_mul);
        if count > MOST_PERTURBATIONS {
            return invalid("number of perturbations", count, "at most 100000");
        }
        Ok(Perturbations { params: self })
    }
}

fn invalid<T>(key: &str, value: impl fmt::Display, expected: &str) -> Result<T> {
    let (key, value, expected) = (key.to_owned(), value.to_string(), expected.to_owned());
    Err(ParameterError::Value { line: None, key, value, expected }.into())
}

/// One combination of changes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Perturbation {
    /// Which draw of noise is added.
    pub noise: Option<usize>,
    /// The angle by which the grid is turned, in degrees.
    pub rotation: f64,
    /// The shift of the grid along x, y and z, in parts of the new spacing.
    pub translation: [f64; 3],
    /// The change of the region's size.
    pub size_change: SizeChange,
    /// Which draw of the contour is taken.
    pub contour: Option<usize>,
}

/// A name without spaces, such as `rot4_dx0.25_dy0.75_dz0.25_vol1mm`; `original` where nothing changes.
impl fmt::Display for Perturbation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        parts.extend(self.noise.map(|draw| format!("noise{draw}")));
        parts.extend((self.rotation != 0.0).then(|| format!("rot{}", self.rotation)));
        let shifts = self.translation.iter().zip(["dx", "dy", "dz"]).filter(|(shift, _)| **shift != 0.0);
        parts.extend(shifts.map(|(shift, axis)| format!("{axis}{shift}")));
        parts.extend((self.size_change != SizeChange::None).then(|| format!("vol{}", self.size_change)));
        parts.extend(self.contour.map(|draw| format!("svx{draw}")));
        if parts.is_empty() {
            parts.push("original".to_owned());
        }
        f.write_str(&parts.join("_"))
    }
}

/// Why a perturbation changed less than was asked for.
#[derive(Debug, Clone, PartialEq, Serialize, thiserror::Error)]
#[non_exhaustive]
pub enum PerturbationWarning {
    /// A distance that is less than a voxel.
    #[error("the region keeps its size: {distance} mm is too small a change on a grid with voxels of {spacing} mm")]
    DistanceTooSmall {
        /// The distance asked for, in mm.
        distance: f64,
        /// The largest spacing of the grid, in mm.
        spacing: f64,
    },
    /// Voxels whose sides differ: as in MIRP, steps are counted by the largest.
    #[error("the region's size changes unevenly: the grid's spacing is {spacing:?} mm; give an even `spacing`")]
    UnevenVoxels {
        /// The grid's spacing, in mm.
        spacing: [f64; 3],
    },
    /// The region would have become smaller than the smallest share.
    #[error("the region shrinks by {done} of {asked} steps, below which it would lose more than allowed")]
    ShrinkageStopped {
        /// Steps done.
        done: usize,
        /// Steps asked for.
        asked: usize,
    },
    /// The region fills the image.
    #[error("the region cannot grow as far as asked; it fills the image")]
    FillsImage,
}

/// An image and its region after a perturbation.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct PerturbedRegion {
    /// The image, in double precision unless it stayed as it was.
    pub image: Image,
    /// The region on the same grid, under its label; other labels are gone.
    pub mask: LabelMap,
    /// What changed less than was asked for.
    pub warnings: Vec<PerturbationWarning>,
}

/// The features of a region after a perturbation.
#[derive(Debug)]
#[non_exhaustive]
pub struct PerturbedExtraction {
    /// The perturbation.
    pub perturbation: Perturbation,
    /// The features, or why there are none.
    pub extraction: Result<Extraction>,
    /// What changed less than was asked for.
    pub warnings: Vec<PerturbationWarning>,
}

/// Perturbations with checked parameters.
#[derive(Debug, Clone, PartialEq)]
pub struct Perturbations {
    params: PerturbationParams,
}

/// An image on a moved grid, and the region there before its shape changes.
struct Moved {
    image: Image,
    mask: LabelMap,
}

impl Perturbations {
    /// The parameters.
    pub fn params(&self) -> &PerturbationParams {
        &self.params
    }

    /// All combinations: noise, turn, shift along x, y and z, size, contour, the last running fastest.
    #[must_use]
    pub fn all(&self) -> Vec<Perturbation> {
        self.moves().flat_map(|moved| self.shapes().map(move |shape| moved.with_shape(shape))).collect()
    }

    /// All combinations that change the image.
    fn moves(&self) -> impl Iterator<Item = Perturbation> + '_ {
        let PerturbationParams { rotations, translations, .. } = &self.params;
        let shifts = move || translations.iter().copied();
        let shifts = move || shifts().flat_map(move |x| shifts().flat_map(move |y| shifts().map(move |z| [x, y, z])));
        let turns = move || rotations.iter().flat_map(move |&rotation| shifts().map(move |shift| (rotation, shift)));
        draws(self.params.noises).flat_map(move |noise| {
            turns().map(move |(rotation, translation)| Perturbation {
                noise,
                rotation,
                translation,
                size_change: SizeChange::None,
                contour: None,
            })
        })
    }

    /// All changes of the region's shape.
    fn shapes(&self) -> impl Iterator<Item = (SizeChange, Option<usize>)> + '_ {
        let sizes = self.params.size_changes.iter();
        sizes.flat_map(|&size_change| draws(self.params.contours).map(move |contour| (size_change, contour)))
    }

    /// An image and its region after one perturbation.
    ///
    /// # Errors
    /// [`crate::RadiomicsError::Image`] when the label is not in the mask, a voxel is not finite, or the new grid has
    /// too many voxels.
    pub fn perturb(
        &self,
        perturbation: &Perturbation,
        image: &Image,
        mask: &LabelMap,
        label: u32,
    ) -> Result<PerturbedRegion> {
        let moved = self.moved(perturbation, image, mask, label)?;
        let (mask, warnings) = self.reshaped(perturbation, &moved, label)?;
        Ok(PerturbedRegion { image: moved.image, mask, warnings })
    }

    /// The features of a region after each perturbation, in the order of [`Perturbations::all`].
    ///
    /// The parameters of the extractor should not resample: the grid of a perturbation is that of
    /// [`PerturbationParams::spacing`] already.
    ///
    /// # Errors
    /// As [`Perturbations::perturb`] for a region that cannot be perturbed at all. An extraction that fails stands in
    /// the results.
    pub fn extract(
        &self,
        extractor: &Extractor,
        image: &Image,
        mask: &LabelMap,
        label: u32,
    ) -> Result<Vec<PerturbedExtraction>> {
        let moves: Vec<Perturbation> = self.moves().collect();
        let of_moves = moves.into_par_iter().map(|moved| {
            let on_grid = self.moved(&moved, image, mask, label)?;
            let extracted = |perturbation: Perturbation| {
                let (mask, warnings) = self.reshaped(&perturbation, &on_grid, label)?;
                let extraction = extractor.execute(&on_grid.image, &mask, label);
                Ok(PerturbedExtraction { perturbation, extraction, warnings })
            };
            self.shapes().map(|shape| extracted(moved.with_shape(shape))).collect::<Result<Vec<_>>>()
        });
        Ok(of_moves.collect::<Result<Vec<_>>>()?.into_iter().flatten().collect())
    }

    fn moved(&self, perturbation: &Perturbation, image: &Image, mask: &LabelMap, label: u32) -> Result<Moved> {
        let region = mask.map(|&voxel| if voxel == label { label } else { 0 });
        alnm_imaging::region::bounding_box(&region, label)?;
        let mut image = image.clone();
        if let Some(draw) = perturbation.noise {
            let mut values: Volume<f64> = image.cast();
            let level = self.params.noise_level.map_or_else(|| noise_level(&values), Ok)?;
            noise::add(&mut values, level, self.params.seed, draw);
            image = values.into();
        }
        let geometry = image.geometry().clone();
        let spacing = self.params.spacing.unwrap_or_else(|| geometry.spacing());
        let grid = moved_grid(&geometry, spacing, perturbation.translation, perturbation.rotation)?;
        let image = if grid.difference(&geometry, 0.0).is_none() {
            image
        } else {
            grid::interpolated(&image.cast(), &grid, self.params.interpolator)?.into()
        };
        Ok(Moved { image, mask: grid::registered(&region, &grid, label)? })
    }

    fn reshaped(
        &self,
        perturbation: &Perturbation,
        moved: &Moved,
        label: u32,
    ) -> Result<(LabelMap, Vec<PerturbationWarning>)> {
        let PerturbationParams { smallest_share, seed, .. } = self.params;
        let (mut mask, warnings) = perturbation.size_change.apply(&moved.mask, label, smallest_share, seed)?;
        if let Some(draw) = perturbation.contour {
            mask = supervoxels::redrawn(&moved.image.cast(), &mask, label, seed, draw)?;
        }
        Ok((mask, warnings))
    }
}

impl Perturbation {
    fn with_shape(self, (size_change, contour): (SizeChange, Option<usize>)) -> Self {
        Self { size_change, contour, ..self }
    }
}

/// `None` alone, or the numbers of all draws.
fn draws(count: usize) -> impl Iterator<Item = Option<usize>> {
    (0..count).map(Some).chain((count == 0).then_some(None))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_number_of_perturbations() {
        let params = PerturbationParams::default().with_translations(vec![0.0, 0.5]).with_noises(2).with_contours(3);
        let all = params.check().unwrap().all();
        assert_eq!(all.len(), 2 * 8 * 3);
        assert_eq!(all[1].to_string(), "noise0_svx1");
        assert_eq!(all[4].to_string(), "noise0_dz0.5_svx1");
        let one = PerturbationParams::default().check().unwrap().all();
        assert_eq!(one.iter().map(Perturbation::to_string).collect::<Vec<_>>(), ["original"]);
    }

    #[test]
    fn parameters_out_of_range_are_refused() {
        let base = PerturbationParams::default;
        for params in [
            base().with_rotations(Vec::new()),
            base().with_rotations(vec![f64::NAN]),
            base().with_translations(vec![1.0]),
            base().with_size_changes(vec![SizeChange::Fraction(-1.0)]),
            base().with_smallest_share(1.1),
            base().with_noise_level(-1.0),
            base().with_spacing([1.0, 0.0, 1.0]),
            base().with_interpolator(Interpolator::LanczosSinc),
            base().with_translations(vec![0.0; 100]),
            base().with_noises(usize::MAX),
        ] {
            let error = params.check().unwrap_err().to_string();
            assert!(error.contains("is") && !error.contains("  "), "{error}");
        }
    }
}
