//! From the voxels of one patient to numbers: N4 bias field correction, resampling to 1 mm, radiomic features of each
//! outline, and the crop of the largest section for the network.

use alnm_deep::LesionCrop;
use alnm_imaging::n4::N4Params;
use alnm_imaging::{Image, LabelMap};
use alnm_radiomics::{Extractor, Parameters};
use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use crate::cohort::{PatientVoxels, VoxelHashes};
use crate::series::{
    CorrectedImages, Correction, LearnedFromSeries, PatientMotion, SeriesAnalysis, SeriesEvidence, SeriesOptions,
    motion,
};

/// The parameter file of the 926 features, in PyRadiomics' format.
pub const PARAMETERS_926: &str = include_str!("../params_926.yaml");
/// Bins of Otsu's threshold, as in SimpleITK's N4 example.
pub const OTSU_BINS: usize = 200;

/// Parameters of the bias field correction: those of ITK, the field estimated on every second voxel.
pub fn n4_params() -> N4Params {
    N4Params::default().with_shrink(2)
}

/// Parameters for the preparation of images.
///
/// | field | default | meaning | range |
/// |---|---|---|---|
/// | `phase` | 4 | phase of a dynamic series that is analysed, counted from 1; a series of one phase is taken as it is | ≥ 1 |
/// | `label` | 1 | label of the lesion in the masks | ≥ 1 |
/// | `n4` | ITK's, field on every second voxel | bias field correction | that of [`N4Params`] |
/// | `otsu_bins` | 200 | bins of Otsu's threshold, inside which the field is estimated | ≥ 2 |
/// | `radiomics` | the study's 926 features | parameter file of PyRadiomics, as text; names resampling, filters, bins and features | |
/// | `crop_side` | 224 | side of the crop in pixels | ≥ 1 |
/// | `series` | none | motion, further phases, regions and one scale of intensities, with what was learned for them | that of [`SeriesOptions`] |
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct ImagePreparationParams {
    /// Phase of a dynamic series, counted from 1.
    pub phase: usize,
    /// Label of the lesion.
    pub label: u32,
    /// Bias field correction.
    pub n4: N4Params,
    /// Bins of Otsu's threshold.
    pub otsu_bins: usize,
    /// Parameter file of the radiomic features, as text.
    pub radiomics: String,
    /// Side of the crop in pixels.
    pub crop_side: usize,
    /// Motion, further phases, regions and one scale of intensities.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub series: Option<SeriesPreparation>,
}

/// The data that are used in addition to the features of the lesion in one phase, and what was learned for them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct SeriesPreparation {
    /// What is taken.
    pub options: SeriesOptions,
    /// Scales of intensities and habitats.
    pub learned: LearnedFromSeries,
}

impl SeriesPreparation {
    /// What is taken, by what was learned for it.
    #[must_use]
    pub fn new(options: SeriesOptions, learned: LearnedFromSeries) -> Self {
        Self { options, learned }
    }
}

impl Default for ImagePreparationParams {
    fn default() -> Self {
        Self {
            phase: 4,
            label: 1,
            n4: n4_params(),
            otsu_bins: OTSU_BINS,
            radiomics: PARAMETERS_926.to_owned(),
            crop_side: 224,
            series: None,
        }
    }
}

impl ImagePreparationParams {
    /// Sets the phase.
    #[must_use]
    pub fn with_phase(self, phase: usize) -> Self {
        Self { phase, ..self }
    }

    /// Sets the label.
    #[must_use]
    pub fn with_label(self, label: u32) -> Self {
        Self { label, ..self }
    }

    /// Sets the side of the crop.
    #[must_use]
    pub fn with_crop_side(self, crop_side: usize) -> Self {
        Self { crop_side, ..self }
    }

    /// Sets what is taken beside the features of the lesion in one phase.
    #[must_use]
    pub fn with_series(self, series: Option<SeriesPreparation>) -> Self {
        Self { series, ..self }
    }

    /// Checks the parameters.
    ///
    /// # Errors
    /// Which parameter is outside its range; what is wrong with the parameter file.
    pub fn check(self) -> Result<ImagePreparation> {
        ensure!(self.phase >= 1, "phase is 0; phases are counted from 1");
        ensure!(self.label >= 1, "label is 0; 0 is the background, so name the label of the lesion");
        ensure!(self.otsu_bins >= 2, "bins of Otsu's threshold are {}; at least 2 are needed", self.otsu_bins);
        ensure!(self.crop_side >= 1, "side of the crop is 0; it must be at least 1 pixel");
        self.n4.clone().check()?;
        let parameters = Parameters::from_yaml(&self.radiomics).context("parameter file of the radiomic features")?;
        let series = match &self.series {
            None => None,
            Some(SeriesPreparation { options, learned }) => {
                options.check(self.phase)?;
                Some(SeriesAnalysis::new(options, learned, parameters.clone())?)
            }
        };
        Ok(ImagePreparation { extractor: Extractor::new(parameters), series, params: self })
    }

    fn correction(&self) -> Correction<'_> {
        Correction { phase: self.phase, label: self.label, n4: &self.n4, otsu_bins: self.otsu_bins }
    }
}

/// Checked parameters, ready to prepare images.
#[derive(Debug, Clone)]
pub struct ImagePreparation {
    params: ImagePreparationParams,
    extractor: Extractor,
    series: Option<SeriesAnalysis>,
}

/// Features of an outline.
struct OutlineFeatures {
    names: Vec<String>,
    values: Vec<Option<f64>>,
    warnings: Vec<String>,
}

/// Everything that is computed from one patient's images.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PatientImages {
    /// Names of the features.
    pub names: Vec<String>,
    /// Features of the first reader's outline; `None` where a feature is not defined.
    pub features: Vec<Option<f64>>,
    /// Features of the second reader's outline, where there is one.
    pub second_reader: Option<Vec<Option<f64>>>,
    /// The crop, row by row, in [0, 1].
    pub crop: Vec<f32>,
    /// Grid of the image and size of the lesion.
    pub geometry: LesionGeometry,
    /// Iterations of N4.
    pub n4_iterations: usize,
    /// What the extraction had to say.
    pub warnings: Vec<String>,
    /// Hashes of the voxels of image and mask.
    pub voxels: VoxelHashes,
}

/// Grid of an image and size of the lesion in it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct LesionGeometry {
    /// Spacing of the voxels along x, y and z in mm.
    pub spacing: [f64; 3],
    /// Volume of the lesion in mm³.
    pub volume_mm3: f64,
}

impl LesionGeometry {
    fn of(image: &Image, mask: &LabelMap, label: u32) -> Self {
        let spacing = image.geometry().spacing();
        let voxels = mask.as_slice().iter().filter(|&&value| value == label).count();
        Self { spacing, volume_mm3: voxels as f64 * spacing.iter().product::<f64>() }
    }
}

impl ImagePreparation {
    /// The parameters.
    #[must_use]
    pub fn params(&self) -> &ImagePreparationParams {
        &self.params
    }

    /// Names of the radiomic features of images of several slices, in their order.
    #[must_use]
    pub fn feature_names(&self) -> Vec<String> {
        let mut names = self.extractor.feature_columns(3);
        if let Some(series) = &self.series {
            names.extend(series.feature_names(&names));
        }
        names
    }

    /// Whether phases beside the analysed one are needed.
    #[must_use]
    pub fn needs_series(&self) -> bool {
        self.params.series.as_ref().is_some_and(|series| series.options.needs_series())
    }

    /// The motion between the phases that are used; none where it is not asked for.
    ///
    /// # Errors
    /// A series that lacks a phase, and what the registration goes wrong with.
    pub fn motion(&self, voxels: &PatientVoxels, options: &SeriesOptions) -> Result<Option<PatientMotion>> {
        motion(voxels, self.params.correction(), options)
    }

    /// What a training patient's images give to learn scales of intensities and habitats from. `motion` is that of
    /// [`ImagePreparation::motion`].
    ///
    /// # Errors
    /// What the correction goes wrong with; an image of one grey value.
    pub fn evidence(
        &self,
        voxels: &PatientVoxels,
        options: &SeriesOptions,
        motion: Option<&PatientMotion>,
    ) -> Result<SeriesEvidence> {
        let corrected = CorrectedImages::of(voxels, self.params.correction(), Some(options), motion)?;
        corrected.evidence(options, &voxels.mask, self.params.label)
    }

    /// Corrects the image and takes features of each outline and the crop of the first.
    ///
    /// # Errors
    /// What the correction, an extraction or the crop goes wrong with: an image of one grey value, a lesion of too few
    /// voxels; a series that lacks a phase.
    pub fn prepare(&self, voxels: PatientVoxels) -> Result<PatientImages> {
        let motion = match &self.series {
            Some(series) => self.motion(&voxels, series.options())?,
            None => None,
        };
        self.prepare_with_motion(voxels, motion.as_ref())
    }

    /// As [`ImagePreparation::prepare`], with the motion that [`ImagePreparation::motion`] found before.
    ///
    /// # Errors
    /// As [`ImagePreparation::prepare`].
    pub fn prepare_with_motion(&self, voxels: PatientVoxels, motion: Option<&PatientMotion>) -> Result<PatientImages> {
        let ImagePreparationParams { label, crop_side, .. } = &self.params;
        let options = self.series.as_ref().map(SeriesAnalysis::options);
        let mut corrected = CorrectedImages::of(&voxels, self.params.correction(), options, motion)?;
        let crop = LesionCrop::of_largest_section(&corrected.image, &voxels.mask, *label, *crop_side)?;
        if let Some(series) = &self.series {
            corrected = series.standardised(corrected)?;
        }
        let first = self.features(&corrected, &voxels.mask)?;
        let second = voxels.second_mask.as_ref().map(|mask| self.features(&corrected, mask)).transpose()?;
        Ok(PatientImages {
            names: first.names,
            features: first.values,
            second_reader: second.map(|features| features.values),
            crop: crop.pixels().iter().copied().collect(),
            geometry: LesionGeometry::of(&voxels.image, &voxels.mask, *label),
            n4_iterations: corrected.n4_iterations,
            warnings: corrected.warnings.into_iter().chain(first.warnings).collect(),
            voxels: voxels.hashes(),
        })
    }

    fn features(&self, corrected: &CorrectedImages, mask: &LabelMap) -> Result<OutlineFeatures> {
        let label = self.params.label;
        let extraction = self.extractor.execute(&corrected.image, mask, label)?;
        let mut found = OutlineFeatures {
            names: extraction.features.iter().map(|feature| feature.id.to_string()).collect(),
            values: extraction.features.iter().map(|feature| defined(feature.value)).collect(),
            warnings: extraction.warnings.iter().map(ToString::to_string).collect(),
        };
        if let Some(series) = &self.series {
            let further = series.features(corrected, mask, label, &extraction.features)?;
            found.names.extend(further.names);
            found.values.extend(further.values.into_iter().map(defined));
            found.warnings.extend(further.warnings);
        }
        Ok(found)
    }
}

fn defined(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_outside_their_ranges_are_refused_with_their_values() {
        let refused = |params: ImagePreparationParams| params.check().unwrap_err().to_string();
        assert!(refused(ImagePreparationParams::default().with_phase(0)).contains("phase is 0"));
        assert!(refused(ImagePreparationParams::default().with_label(0)).contains("label is 0"));
        assert!(refused(ImagePreparationParams::default().with_crop_side(0)).contains("crop is 0"));
        let unreadable = ImagePreparationParams { radiomics: "setting: [".to_owned(), ..Default::default() };
        assert!(refused(unreadable).contains("parameter file"));
        assert_eq!(ImagePreparationParams::default().check().unwrap().params(), &ImagePreparationParams::default());
    }
}
