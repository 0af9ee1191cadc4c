//! Volumes segmented by an ONNX network.

use std::borrow::Cow;
use std::ops::ControlFlow;

use alnm_imaging::intensity::{IntensityStatistics, statistics};
use alnm_imaging::region::Roi;
use alnm_imaging::resample::{Interpolator, resample, spacing_grid};
use alnm_imaging::{Geometry, ImagingError, LabelMap, Volume};
use ndarray::{Array4, ArrayD, Axis};
use serde::{Deserialize, Serialize};

use super::{OnnxNetwork, SlidingWindow, SlidingWindowParams};
use crate::error::{DeepError, Result};

/// Grids that differ by less are one: in spacings of the first axis, or in direction cosines.
const SAME_GRID: f64 = 1e-4;
/// Standard deviations below this are raised to it, as in nnU-Net.
const SMALLEST_DEVIATION: f64 = 1e-8;

/// How the values of an image are brought to the scale that a network was trained on, each channel by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ChannelNormalisation {
    /// The values as they are.
    Unchanged,
    /// (x − mean) / standard deviation over all voxels: nnU-Net's `ZScoreNormalization`.
    #[default]
    ZScore,
    /// The same over the voxels that are not 0; those that are 0 stay 0. It is what nnU-Net does for images whose
    /// surroundings were set to 0, and MONAI's `NormalizeIntensity` with `nonzero`.
    NonZeroZScore,
}

impl ChannelNormalisation {
    fn apply(self, volume: &mut Volume<f32>) -> Result<()> {
        let counts = |value: f32| self == Self::ZScore || value != 0.0;
        if self == Self::Unchanged || !volume.as_slice().iter().any(|value| counts(*value)) {
            return Ok(());
        }
        let counted = volume.map(|value| u32::from(counts(*value)));
        let IntensityStatistics { mean, standard_deviation, .. } = statistics(volume, Some(Roi::new(&counted, 1)?))?;
        let deviation = standard_deviation.max(SMALLEST_DEVIATION);
        for value in volume.as_mut_slice().iter_mut().filter(|value| counts(**value)) {
            *value = ((f64::from(*value) - mean) / deviation) as f32;
        }
        Ok(())
    }
}

/// How an ONNX network segments a volume.
///
/// | field | default | meaning | range |
/// |---|---|---|---|
/// | `windows` | required | windows in which the volume is computed | [`SlidingWindowParams`] |
/// | `spacing` | 0, 0, 0 | voxel spacing (x, y, z) in mm that the network was trained on; 0 keeps that of the image | finite, ≥ 0 |
/// | `normalisation` | z-score | how each channel is normalised, after it was resampled | [`ChannelNormalisation`] |
/// | `threshold` | 0 | value of a network's only output channel above which a voxel has the label 1 | finite |
///
/// The steps are those of nnU-Net's prediction (Isensee et al. 2021): each channel is resampled to `spacing` by a cubic
/// B-spline and normalised, the network is computed window by window, its output channels are resampled to the image's
/// grid linearly, and each voxel gets the number of the output channel with the largest value, from 0, which is the
/// background. A network with a single output channel gives the label 1 where that is above `threshold`: 0 for a
/// network that gives logits, 0.5 for one that ends with a sigmoid.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
#[must_use]
pub struct VolumeSegmentationParams {
    /// Windows in which the volume is computed.
    pub windows: SlidingWindowParams,
    /// Voxel spacing (x, y, z) in mm that the network was trained on; 0 keeps that of the image.
    #[serde(default)]
    pub spacing: [f64; 3],
    /// How each channel is normalised.
    #[serde(default)]
    pub normalisation: ChannelNormalisation,
    /// Value of a network's only output channel above which a voxel has the label 1.
    #[serde(default)]
    pub threshold: f32,
}

impl VolumeSegmentationParams {
    /// Segmentation in these windows.
    pub fn new(windows: SlidingWindowParams) -> Self {
        Self { windows, spacing: [0.0; 3], normalisation: ChannelNormalisation::default(), threshold: 0.0 }
    }

    /// Voxel spacing (x, y, z) in mm that the network was trained on; 0 keeps that of the image.
    pub fn with_spacing(self, spacing: [f64; 3]) -> Self {
        Self { spacing, ..self }
    }

    /// How each channel is normalised.
    pub fn with_normalisation(self, normalisation: ChannelNormalisation) -> Self {
        Self { normalisation, ..self }
    }

    /// Value of a network's only output channel above which a voxel has the label 1.
    pub fn with_threshold(self, threshold: f32) -> Self {
        Self { threshold, ..self }
    }

    /// The segmentation, where every parameter is in its range.
    ///
    /// # Errors
    /// [`DeepError::Parameter`] with the first parameter outside its range.
    pub fn check(self) -> Result<VolumeSegmentation> {
        let Self { windows, spacing, normalisation, threshold } = self;
        if let Some(wrong) = spacing.into_iter().find(|spacing| !(spacing.is_finite() && *spacing >= 0.0)) {
            return Err(DeepError::parameter("spacing", wrong, "finite and at least 0 mm"));
        }
        if !threshold.is_finite() {
            return Err(DeepError::parameter("threshold", threshold, "finite"));
        }
        Ok(VolumeSegmentation { windows: windows.check()?, spacing, normalisation, threshold })
    }
}

/// A checked way to segment volumes; see [`VolumeSegmentationParams`].
///
/// ```no_run
/// use std::ops::ControlFlow;
///
/// use alnm_deep::{OnnxNetwork, SlidingWindowParams, VolumeSegmentationParams};
/// use alnm_imaging::read_image;
///
/// let network = OnnxNetwork::open("nnunet.onnx")?;
/// let windows = SlidingWindowParams::new([64, 128, 128]).with_mirrors([true; 3]);
/// let segmentation = VolumeSegmentationParams::new(windows).with_spacing([0.7, 0.7, 1.5]).check()?;
/// let image = read_image("breast.nii.gz")?.cast::<f32>();
/// let labels = segmentation.run(&network, &[image], &mut |_, _| ControlFlow::Continue(()))?;
/// # Ok::<(), alnm_deep::DeepError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct VolumeSegmentation {
    windows: SlidingWindow,
    spacing: [f64; 3],
    normalisation: ChannelNormalisation,
    threshold: f32,
}

impl VolumeSegmentation {
    /// The labels of a volume whose channels are images on one grid. `observer` hears of the windows done and of all
    /// there are, and stops the work by [`ControlFlow::Break`].
    ///
    /// A network of planes, with an input (image, channel, row, column), is computed plane by plane, for windows of one
    /// plane.
    ///
    /// # Errors
    /// [`DeepError::Parameter`] without a channel, or for another number of channels than the network takes;
    /// [`DeepError::Shape`] for an output of other voxels than the window's; [`DeepError::Imaging`] for channels on
    /// different grids or with values that are not finite; [`DeepError::NotFinite`] for outputs that are not finite;
    /// [`DeepError::Stopped`] when the observer stops the work; those of [`OnnxNetwork::run`].
    pub fn run(
        &self,
        network: &OnnxNetwork,
        channels: &[Volume<f32>],
        observer: &mut dyn FnMut(usize, usize) -> ControlFlow<()>,
    ) -> Result<LabelMap> {
        let grid = self.check_channels(network, channels)?;
        let trained = spacing_grid(grid, self.spacing)?;
        let input = self.input(channels, &trained)?;
        let is_planar = network.inputs().first().is_some_and(|input| input.shape.len() == 4);
        let output = self.windows.apply(
            input.view(),
            |window| if is_planar { of_plane(network, window) } else { network.output(window.view()) },
            observer,
        )?;
        self.labels(output, &trained, grid)
    }

    /// The grid that all channels lie on.
    fn check_channels<'a>(&self, network: &OnnxNetwork, channels: &'a [Volume<f32>]) -> Result<&'a Geometry> {
        const OPERATION: &str = "segmentation by a network";
        let shape = network.inputs().first().map(|input| input.shape.as_slice()).unwrap_or_default();
        let wanted = shape.get(1).copied().flatten();
        let Some(first) = channels.first().filter(|_| wanted.is_none_or(|wanted| wanted == channels.len())) else {
            let expected = wanted.map_or_else(|| "at least one".to_owned(), |wanted| wanted.to_string());
            return Err(DeepError::parameter("number of channels", channels.len(), expected));
        };
        for channel in channels {
            if let Some(difference) = first.geometry().difference(channel.geometry(), SAME_GRID) {
                return Err(ImagingError::GeometryMismatch { operation: OPERATION, difference }.into());
            }
            channel.check_finite().map_err(|voxel| voxel.during(OPERATION))?;
        }
        Ok(first.geometry())
    }

    /// The channels as the network sees them (channel, z, y, x).
    fn input(&self, channels: &[Volume<f32>], trained: &Geometry) -> Result<Array4<f32>> {
        let [depth, height, width] = trained.shape();
        let mut input = Array4::zeros((channels.len(), depth, height, width));
        for (channel, mut into) in channels.iter().zip(input.outer_iter_mut()) {
            let mut channel = on(Cow::Borrowed(channel), trained, Interpolator::BSpline, 0.0)?;
            self.normalisation.apply(&mut channel)?;
            into.assign(channel.data());
        }
        Ok(input)
    }

    /// The labels on the image's grid of an output (channel, z, y, x) on that of the network.
    fn labels(&self, output: Array4<f32>, trained: &Geometry, grid: &Geometry) -> Result<LabelMap> {
        if let Some((place, value)) = output.indexed_iter().find(|(_, value)| !value.is_finite()) {
            let position = format!("(channel, z, y, x) = {place:?}");
            return Err(DeepError::NotFinite { operation: "output of the network", position, value: (*value).into() });
        }
        let is_single = output.dim().0 == 1;
        let background = if is_single { self.threshold } else { f32::NEG_INFINITY };
        let mut largest = Volume::filled(grid.clone(), background);
        let mut labels = Volume::filled(grid.clone(), 0_u32);
        for (number, channel) in output.outer_iter().enumerate() {
            let channel = Volume::new(channel.to_owned(), trained.clone())?;
            let channel = on(Cow::Owned(channel), grid, Interpolator::Linear, f32::NEG_INFINITY)?;
            let label = if is_single { 1 } else { number as u32 };
            let voxels = largest.as_mut_slice().iter_mut().zip(labels.as_mut_slice()).zip(channel.as_slice());
            for ((largest, voxel), value) in voxels.filter(|((largest, _), value)| *value > *largest) {
                (*largest, *voxel) = (*value, label);
            }
        }
        Ok(labels)
    }
}

/// A volume on a grid, which may be its own.
fn on(volume: Cow<'_, Volume<f32>>, grid: &Geometry, interpolator: Interpolator, outside: f32) -> Result<Volume<f32>> {
    if volume.geometry() == grid {
        return Ok(volume.into_owned());
    }
    Ok(resample(&volume, grid, interpolator, outside)?)
}

/// The output of a network of planes for a window of one plane.
fn of_plane(network: &OnnxNetwork, window: ArrayD<f32>) -> Result<ArrayD<f32>> {
    if window.shape()[2] != 1 {
        return Err(DeepError::Shape {
            operation: "window of a network that takes planes",
            got: window.shape()[2..].to_vec(),
            expected: "one plane along z".to_owned(),
        });
    }
    let output = network.output(window.index_axis(Axis(2), 0).into_dyn())?;
    if output.ndim() != 4 {
        return Err(DeepError::Shape {
            operation: "output of a network that takes planes",
            got: output.shape().to_vec(),
            expected: "(1, channel, row, column)".to_owned(),
        });
    }
    Ok(output.insert_axis(Axis(2)))
}
