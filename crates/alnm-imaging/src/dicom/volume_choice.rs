//! Which volumes of a series are meant, and in which units.

use serde::{Deserialize, Serialize};

use super::phase_key::PhaseKey;
use super::series::Series;
use super::series_problem::SeriesProblem;
use super::series_warning::SeriesWarning;
use super::slice::Slice;
use super::uptake::UptakeNorm;
use super::volume_kind::differing_values;

/// Which volumes of a series are meant, and in which units their values are given. The choices are applied in the order
/// of the fields.
///
/// | Field | Default | Meaning | Range |
/// |---|---|---|---|
/// | [`part`](Self::part) | all | part of a complex image or image of a Dixon series: `magnitude`, `water`, a word of `ImageType` | |
/// | [`echo_time`](Self::echo_time) | all | `EchoTime` in ms, to 0.05 ms | |
/// | [`b_value`](Self::b_value) | all | weighting by diffusion in s/mm², to 0.5 s/mm² | |
/// | [`phases_by`](Self::phases_by) | the first key that fits | what tells phases apart | |
/// | [`volume`](Self::volume) | all | number of the volume among those that the choices above leave | from 1 |
/// | [`values`](Self::values) | rescaled | units of the voxels | |
///
/// ```
/// use alnm_imaging::dicom::{PhaseKey, VolumeChoice};
/// let choice = VolumeChoice::default().with_echo_time(4.92).with_phases_by(PhaseKey::ContentTime);
/// assert_eq!(choice.echo_time, Some(4.92));
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
#[must_use]
pub struct VolumeChoice {
    /// The part of a complex image, or the image of a Dixon series: a name of [`VolumeKind::part`](super::VolumeKind),
    /// or a word of `ImageType`; case does not count.
    pub part: Option<String>,
    /// `EchoTime` in ms.
    pub echo_time: Option<f64>,
    /// Weighting by diffusion in s/mm².
    pub b_value: Option<f64>,
    /// What tells phases apart.
    pub phases_by: Option<PhaseKey>,
    /// Number of the volume, from 1.
    pub volume: Option<usize>,
    /// Units of the voxels.
    pub values: SeriesValues,
}

/// Units of the voxels of a series.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum SeriesValues {
    /// Stored values times `RescaleSlope` plus `RescaleIntercept`.
    #[default]
    Rescaled,
    /// The luminance of colours (ITU-R BT.601): 0.299 R + 0.587 G + 0.114 B, or the first sample of YBR. Grey values
    /// are as they are.
    Luminance,
    /// Philips' precise values: the rescaled ones by `RescaleSlope` and the private scale slope (2005,xx0E), which are
    /// comparable between series (Chenevert et al. 2014, <https://doi.org/10.1593/tlo.13811>).
    PhilipsPrecise,
    /// Standardised uptake values of positron emission tomography.
    Uptake(UptakeNorm),
}

impl VolumeChoice {
    /// Sets [`VolumeChoice::part`].
    pub fn with_part(self, part: impl Into<String>) -> Self {
        Self { part: Some(part.into()), ..self }
    }

    /// Sets [`VolumeChoice::echo_time`].
    pub fn with_echo_time(self, milliseconds: f64) -> Self {
        Self { echo_time: Some(milliseconds), ..self }
    }

    /// Sets [`VolumeChoice::b_value`].
    pub fn with_b_value(self, b_value: f64) -> Self {
        Self { b_value: Some(b_value), ..self }
    }

    /// Sets [`VolumeChoice::phases_by`].
    pub fn with_phases_by(self, key: PhaseKey) -> Self {
        Self { phases_by: Some(key), ..self }
    }

    /// Sets [`VolumeChoice::volume`].
    pub fn with_volume(self, number: usize) -> Self {
        Self { volume: Some(number), ..self }
    }

    /// Sets [`VolumeChoice::values`].
    pub fn with_values(self, values: SeriesValues) -> Self {
        Self { values, ..self }
    }

    /// Whether nothing is chosen, so that the series stays as it is.
    #[must_use]
    pub fn is_all(&self) -> bool {
        *self == Self::default()
    }

    pub(super) fn apply(&self, series: &Series) -> Result<Series, SeriesProblem> {
        /// How far an echo time may lie from the one asked for, in ms.
        const SAME_ECHO_TIME: f64 = 0.05;
        /// How far a b-value may lie from the one asked for, in s/mm².
        const SAME_B_VALUE: f64 = 0.5;
        if let Some(problem @ SeriesProblem::Unreadable { .. }) = series.problem() {
            return Err(problem.clone());
        }
        let mut slices = series.slices().to_vec();
        if let Some(part) = &self.part {
            slices = kept(slices, &format!("the part {part:?}"), |slice| slice.making.is_part(part))?;
        }
        let is_near = |value: Option<f64>, wanted: f64, tolerance: f64| {
            value.is_some_and(|value| (value - wanted).abs() <= tolerance)
        };
        if let Some(wanted) = self.echo_time {
            let is_kept = |slice: &Slice| is_near(slice.making.echo_time, wanted, SAME_ECHO_TIME);
            slices = kept(slices, &format!("the echo time {wanted} ms"), is_kept)?;
        }
        if let Some(wanted) = self.b_value {
            let is_kept = |slice: &Slice| is_near(slice.making.b_value, wanted, SAME_B_VALUE);
            slices = kept(slices, &format!("the b-value {wanted} s/mm²"), is_kept)?;
        }
        let mut chosen = series.with_slices(slices, self.phases_by)?;
        if let Some(number) = self.volume {
            chosen = chosen.with_slices(chosen.slices_of_volume(number)?, None)?;
        }
        self.values.apply(chosen)
    }
}

/// The slices that are of a kind; an error that says which kinds there are when none is.
fn kept(slices: Vec<Slice>, wanted: &str, is_kept: impl Fn(&Slice) -> bool) -> Result<Vec<Slice>, SeriesProblem> {
    if !slices.iter().any(&is_kept) {
        let present = differing_values(slices.iter().map(|slice| &slice.making));
        return Err(SeriesProblem::NoSuchKind { wanted: wanted.to_owned(), present });
    }
    Ok(slices.into_iter().filter(is_kept).collect())
}

impl SeriesValues {
    fn apply(self, series: Series) -> Result<Series, SeriesProblem> {
        match self {
            Self::Rescaled => Ok(series),
            Self::Luminance => Ok(series.into_luminance()),
            Self::PhilipsPrecise => series.rescaled(Vec::new(), |slice| {
                let scale = slice.philips_scale.ok_or_else(|| SeriesProblem::MissingAttribute {
                    file: slice.path().to_owned(),
                    attribute: "the private scale slope (2005,xx0E) of Philips",
                    purpose: "the precise scale",
                })?;
                Ok([1.0 / scale, slice.intercept / (slice.slope * scale)])
            }),
            Self::Uptake(norm) => {
                let scale = norm.scale(series.slices())?;
                let said = SeriesWarning::Uptake { norm, decay: scale.decay };
                series.rescaled(vec![said], |slice| Ok([slice.slope * scale.factor, slice.intercept * scale.factor]))
            }
        }
    }
}
