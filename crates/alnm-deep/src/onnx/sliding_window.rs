//! Volumes computed window by window.

use std::ops::ControlFlow;

use ndarray::{Array4, ArrayD, ArrayView4, Axis, Slice};
use serde::{Deserialize, Serialize};

use super::OnnxNetwork;
use crate::error::{DeepError, Result};

/// How windows that overlap are weighted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum WindowWeighting {
    /// Every voxel of a window counts the same.
    Constant,
    /// `exp(−½ Σ ((i − c) / σ)²)` with the centre c = (n − 1)/2 of a window of n voxels and σ = n/8 along each axis, as
    /// nnU-Net weights them (Isensee et al. 2021); at least a thousandth of the largest weight, so that every voxel
    /// counts.
    #[default]
    Gaussian,
}

/// How a volume is computed window by window.
///
/// | field | default | meaning | range |
/// |---|---|---|---|
/// | `window` | required | voxels of a window (z, y, x) | ≥ 1 |
/// | `overlap` | 0.5 | share of a window that the next one covers again, at least | [0, 1) |
/// | `weighting` | Gaussian | how windows that overlap are weighted | [`WindowWeighting`] |
/// | `mirrors` | none | axes (z, y, x) over whose mirror images the output is averaged | |
///
/// Windows are spread evenly, the first and the last at the edges. A volume smaller than a window is continued by zeros
/// around it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
#[must_use]
pub struct SlidingWindowParams {
    /// Voxels of a window (z, y, x).
    pub window: [usize; 3],
    /// Share of a window that the next one covers again, at least.
    #[serde(default = "half")]
    pub overlap: f64,
    /// How windows that overlap are weighted.
    #[serde(default)]
    pub weighting: WindowWeighting,
    /// Whether the output is averaged over mirror images along z, y and x.
    #[serde(default)]
    pub mirrors: [bool; 3],
}

fn half() -> f64 {
    0.5
}

impl SlidingWindowParams {
    /// Windows of so many voxels (z, y, x).
    pub fn new(window: [usize; 3]) -> Self {
        Self { window, overlap: half(), weighting: WindowWeighting::Gaussian, mirrors: [false; 3] }
    }

    /// Share of a window that the next one covers again, at least.
    pub fn with_overlap(self, overlap: f64) -> Self {
        Self { overlap, ..self }
    }

    /// How windows that overlap are weighted.
    pub fn with_weighting(self, weighting: WindowWeighting) -> Self {
        Self { weighting, ..self }
    }

    /// Whether the output is averaged over mirror images along z, y and x, and along all of them together.
    pub fn with_mirrors(self, mirrors: [bool; 3]) -> Self {
        Self { mirrors, ..self }
    }

    /// The windows, where every parameter is in its range.
    ///
    /// # Errors
    /// [`DeepError::Parameter`] with the first parameter outside its range.
    pub fn check(self) -> Result<SlidingWindow> {
        if self.window.contains(&0) {
            return Err(DeepError::parameter("window", format!("{:?}", self.window), "at least 1 voxel on each axis"));
        }
        if !(0.0..1.0).contains(&self.overlap) {
            return Err(DeepError::parameter("overlap", self.overlap, "in [0, 1)"));
        }
        Ok(SlidingWindow(self))
    }
}

/// Checked windows; see [`SlidingWindowParams`].
///
/// ```
/// use std::ops::ControlFlow;
///
/// use alnm_deep::SlidingWindowParams;
/// use ndarray::Array4;
///
/// let windows = SlidingWindowParams::new([4, 8, 8]).with_mirrors([false, true, true]).check()?;
/// let volume = Array4::from_shape_fn((1, 6, 20, 9), |(_, z, y, x)| (z + y * x) as f32);
/// // In place of a network: a function of a window (1, channels, z, y, x).
/// let doubled = windows.apply(volume.view(), |window| Ok(window * 2.0), &mut |_, _| ControlFlow::Continue(()))?;
/// assert!(doubled.iter().zip(&volume).all(|(got, from)| (got - 2.0 * from).abs() < 1e-3));
/// # Ok::<(), alnm_deep::DeepError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct SlidingWindow(SlidingWindowParams);

impl SlidingWindow {
    /// The parameters.
    pub fn params(&self) -> &SlidingWindowParams {
        &self.0
    }

    /// The output of a network for a volume (channel, z, y, x): (output channel, z, y, x). `observer` hears of the
    /// windows done and of all there are, and stops the work by [`ControlFlow::Break`].
    ///
    /// # Errors
    /// As [`OnnxNetwork::run`] and [`SlidingWindow::apply`].
    pub fn run(
        &self,
        network: &OnnxNetwork,
        volume: ArrayView4<'_, f32>,
        observer: &mut dyn FnMut(usize, usize) -> ControlFlow<()>,
    ) -> Result<Array4<f32>> {
        self.apply(volume, |window| network.output(window.view()), observer)
    }

    /// The output of any function of a window (1, channel, z, y, x) that gives (1, output channel, z, y, x), averaged
    /// over windows and mirror images by their weights.
    ///
    /// # Errors
    /// [`DeepError::Shape`] for a volume without voxels, or an output of other voxels than the window's;
    /// [`DeepError::NotFinite`] for a volume with values that are not finite; [`DeepError::Stopped`] when the observer
    /// stops the work; the function's own.
    pub fn apply(
        &self,
        volume: ArrayView4<'_, f32>,
        mut network: impl FnMut(ArrayD<f32>) -> Result<ArrayD<f32>>,
        observer: &mut dyn FnMut(usize, usize) -> ControlFlow<()>,
    ) -> Result<Array4<f32>> {
        let Self(SlidingWindowParams { window, overlap, weighting, mirrors }) = self;
        let (channels, depth, height, width) = volume.dim();
        let size = [depth, height, width];
        if channels == 0 || size.contains(&0) {
            return Err(DeepError::Shape {
                operation: "volume (channel, z, y, x)",
                got: volume.shape().to_vec(),
                expected: "at least one channel and one voxel".to_owned(),
            });
        }
        if let Some((position, value)) = volume.indexed_iter().find(|(_, value)| !value.is_finite()) {
            let position = format!("channel, z, y, x {position:?}");
            return Err(DeepError::NotFinite { operation: "volume", position, value: f64::from(*value) });
        }
        let starts = [0, 1, 2].map(|axis| starts(size[axis], window[axis], *overlap));
        let weights = [0, 1, 2].map(|axis| axis_weights(window[axis], *weighting));
        let total = starts.iter().map(Vec::len).product();
        let mut sums: Option<Array4<f32>> = None;
        let mut covered = ndarray::Array3::<f32>::zeros(size);
        let places = starts[0].iter().flat_map(|z| {
            let starts = &starts;
            starts[1].iter().flat_map(move |y| starts[2].iter().map(move |x| [*z, *y, *x]))
        });
        for (done, start) in places.enumerate() {
            let output = self.averaged(&cut(volume, start, *window), *mirrors, &mut network)?;
            let sums = sums.get_or_insert_with(|| Array4::zeros((output.dim().0, depth, height, width)));
            if output.dim().0 != sums.dim().0 {
                return Err(wrong_output(output.shape(), *window));
            }
            // Where the window lies in the volume, and that part of the window.
            let inside = [0, 1, 2].map(|axis| {
                let first = (-start[axis]).max(0);
                let end = (size[axis] as isize - start[axis]).min(window[axis] as isize);
                first as usize..end as usize
            });
            for z in inside[0].clone() {
                for y in inside[1].clone() {
                    for x in inside[2].clone() {
                        let weight = weights[0][z] * weights[1][y] * weights[2][x];
                        let place = [z, y, x];
                        let [vz, vy, vx] = [0, 1, 2].map(|axis| (start[axis] + place[axis] as isize) as usize);
                        covered[[vz, vy, vx]] += weight;
                        for channel in 0..sums.dim().0 {
                            sums[[channel, vz, vy, vx]] += weight * output[[channel, z, y, x]];
                        }
                    }
                }
            }
            if observer(done + 1, total).is_break() {
                return Err(DeepError::Stopped { done: done + 1, total });
            }
        }
        let mut sums = sums.unwrap_or_else(|| Array4::zeros((0, depth, height, width)));
        for mut channel in sums.outer_iter_mut() {
            channel.zip_mut_with(&covered, |sum, weight| *sum /= weight);
        }
        Ok(sums)
    }

    /// The output for a window, averaged over its mirror images.
    fn averaged(
        &self,
        window: &Array4<f32>,
        mirrors: [bool; 3],
        network: &mut impl FnMut(ArrayD<f32>) -> Result<ArrayD<f32>>,
    ) -> Result<Array4<f32>> {
        let mut total: Option<Array4<f32>> = None;
        let mut count = 0.0;
        for turn in 0..8usize {
            let axes: Vec<usize> = (0..3).filter(|axis| turn & 1 << axis != 0).collect();
            if axes.iter().any(|axis| !mirrors[*axis]) {
                continue;
            }
            let mut view = window.view();
            axes.iter().for_each(|axis| view.invert_axis(Axis(axis + 1)));
            let output = network(view.insert_axis(Axis(0)).as_standard_layout().into_owned().into_dyn())?;
            let shape = output.shape().to_vec();
            let fits = shape.len() == 5 && shape[0] == 1 && shape[2..] == window.shape()[1..];
            let wrong = || wrong_output(&shape, self.0.window);
            if !fits {
                return Err(wrong());
            }
            let mut output =
                output.index_axis_move(Axis(0), 0).into_dimensionality::<ndarray::Ix4>().map_err(|_| wrong())?;
            axes.iter().for_each(|axis| output.invert_axis(Axis(axis + 1)));
            count += 1.0;
            match &mut total {
                None => total = Some(output),
                Some(total) if total.shape() == output.shape() => *total += &output,
                Some(_) => return Err(wrong()),
            }
        }
        let total = total.unwrap_or_else(|| window.clone());
        Ok(if count > 1.0 { total / count } else { total })
    }
}

fn wrong_output(shape: &[usize], window: [usize; 3]) -> DeepError {
    DeepError::Shape {
        operation: "output for a window",
        got: shape.to_vec(),
        expected: format!("one image of the window's {window:?} voxels, with as many channels each time"),
    }
}

/// The first voxels of the windows along an axis: evenly spread from edge to edge, below 0 where the window is larger.
fn starts(size: usize, window: usize, overlap: f64) -> Vec<isize> {
    let Some(room) = size.checked_sub(window) else {
        return vec![-((window - size) as isize / 2)];
    };
    let step = ((window as f64 * (1.0 - overlap)).floor() as usize).max(1);
    let steps = room.div_ceil(step);
    (0..=steps).map(|index| ((room * index + steps / 2) / steps.max(1)) as isize).collect()
}

/// Weights along an axis; their product over the axes is a voxel's weight.
fn axis_weights(size: usize, weighting: WindowWeighting) -> Vec<f32> {
    match weighting {
        WindowWeighting::Constant => vec![1.0; size],
        WindowWeighting::Gaussian => {
            let (centre, deviation) = ((size as f64 - 1.0) / 2.0, size as f64 / 8.0);
            let of = |place: usize| (-0.5 * ((place as f64 - centre) / deviation).powi(2)).exp();
            // A tenth on each of three axes is a thousandth.
            (0..size).map(|place| of(place).max(0.1) as f32).collect()
        }
    }
}

/// A window of a volume, zero where it hangs over the edge.
fn cut(volume: ArrayView4<'_, f32>, start: [isize; 3], window: [usize; 3]) -> Array4<f32> {
    let mut result = Array4::zeros((volume.dim().0, window[0], window[1], window[2]));
    let (mut from, mut into) = (volume, result.view_mut());
    for axis in 0..3 {
        let size = from.len_of(Axis(axis + 1)) as isize;
        let (first, end) = (start[axis].max(0), (start[axis] + window[axis] as isize).min(size));
        from.slice_axis_inplace(Axis(axis + 1), Slice::from(first..end));
        into.slice_axis_inplace(Axis(axis + 1), Slice::from(first - start[axis]..end - start[axis]));
    }
    into.assign(&from);
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    fn volume(size: [usize; 3]) -> Array4<f32> {
        Array4::from_shape_fn((2, size[0], size[1], size[2]), |(c, z, y, x)| {
            ((c * 31 + z * 17 + y * 7 + x * 3) % 23) as f32 - 11.0
        })
    }

    #[test]
    fn windows_reach_from_edge_to_edge_and_overlap_enough() {
        for (size, window, overlap) in [(10, 4, 0.5), (11, 4, 0.25), (4, 4, 0.5), (5, 4, 0.0), (100, 7, 0.9)] {
            let starts = starts(size, window, overlap);
            assert_eq!((starts[0], *starts.last().unwrap()), (0, (size - window) as isize));
            let most = ((window as f64 * (1.0 - overlap)).floor() as isize).max(1);
            assert!(starts.windows(2).all(|pair| pair[0] < pair[1] && pair[1] - pair[0] <= most), "{starts:?}");
        }
        assert_eq!(starts(3, 8, 0.5), [-2]);
    }

    /// What a voxel's output depends on alone comes out as it went in, whatever the windows, the weights and the
    /// mirrors.
    #[test]
    fn a_function_of_single_voxels_passes_unchanged() {
        for size in [[9, 14, 11], [3, 20, 4]] {
            let volume = volume(size);
            for weighting in [WindowWeighting::Constant, WindowWeighting::Gaussian] {
                let windows = SlidingWindowParams::new([4, 6, 5])
                    .with_weighting(weighting)
                    .with_mirrors([true, false, true])
                    .check()
                    .unwrap();
                let mut calls = 0;
                let output = windows
                    .apply(volume.view(), |window| Ok(window.mapv(|x| x * x)), &mut |done, total| {
                        calls += 1;
                        assert!(done <= total);
                        ControlFlow::Continue(())
                    })
                    .unwrap();
                assert!(output.iter().zip(&volume).all(|(got, x)| (got - x * x).abs() < 1e-4));
                assert!(calls > 1);
            }
        }
    }

    /// By hand: with a function of the position in the window, the output is the weighted mean of the positions.
    #[test]
    fn overlapping_windows_are_averaged_by_their_weights() {
        let volume = Array4::zeros((1, 1, 1, 6));
        let windows = SlidingWindowParams::new([1, 1, 4]).with_overlap(0.5).check().unwrap();
        let place = |window: ArrayD<f32>| Ok(ArrayD::from_shape_fn(window.raw_dim(), |index| index[4] as f32));
        let output = windows.apply(volume.view(), place, &mut |_, _| ControlFlow::Continue(())).unwrap();
        let weights = axis_weights(4, WindowWeighting::Gaussian);
        let mean = (2.0 * weights[2] + 0.0 * weights[0]) / (weights[2] + weights[0]);
        assert!((output[[0, 0, 0, 2]] - mean).abs() < 1e-6);
        // Mirror images average a position with its opposite.
        let mirrored = SlidingWindowParams::new([1, 1, 6]).with_mirrors([false, false, true]).check().unwrap();
        let output = mirrored.apply(volume.view(), place, &mut |_, _| ControlFlow::Continue(())).unwrap();
        assert!(output.iter().all(|value| (value - 2.5).abs() < 1e-6));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        assert!(SlidingWindowParams::new([0, 4, 4]).check().is_err());
        assert!(SlidingWindowParams::new([4; 3]).with_overlap(1.0).check().is_err());
        let windows = SlidingWindowParams::new([2; 3]).check().unwrap();
        let go = |volume: &Array4<f32>| {
            windows.apply(volume.view(), |window| Ok(window.index_axis_move(Axis(4), 0)), &mut |_, _| {
                ControlFlow::Continue(())
            })
        };
        assert!(matches!(go(&volume([3; 3])), Err(DeepError::Shape { .. })));
        assert!(matches!(go(&Array4::zeros((1, 0, 2, 2))), Err(DeepError::Shape { .. })));
        let mut spoiled = volume([3; 3]);
        spoiled[[1, 2, 0, 1]] = f32::NAN;
        assert!(matches!(go(&spoiled), Err(DeepError::NotFinite { .. })));
        let stopped = windows.apply(volume([3; 3]).view(), Ok, &mut |_, _| ControlFlow::Break(()));
        assert!(matches!(stopped, Err(DeepError::Stopped { done: 1, total: 8 })));
    }
}
