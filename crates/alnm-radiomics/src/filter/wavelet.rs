//! Undecimated wavelet transform as PyRadiomics uses PyWavelets' `swtn`.
//!
//! One level convolves along each axis with the low-pass (L) and the high-pass (H) filter, periodically; the letters of
//! a sub-band stand for x, y and z. The next level transforms the approximation LLL again with the same filters. Axes
//! of odd length are extended by a repetition of their first voxel. An image of single precision is transformed in
//! single precision, any other in double precision, and sums are taken in PyWavelets' order: grey values of flat parts
//! are zero but for rounding, and its sign decides their bin.

use std::collections::BTreeMap;
use std::f64::consts::SQRT_2;
use std::ops::{AddAssign, Mul};
use std::sync::OnceLock;

use alnm_imaging::region::VoxelBox;
use alnm_imaging::{Image, Voxel, vectorised, with_volume};

/// Decomposition filters of a wavelet.
#[derive(Debug, Clone, PartialEq)]
pub struct Filters {
    low: Vec<f64>,
    high: Vec<f64>,
    low_single: Vec<f32>,
    high_single: Vec<f32>,
}

/// The filters that ship with the crate; the file's head says where they come from.
const TABLE: &str = include_str!("../../data/wavelets.txt");

impl Filters {
    /// The filters of a discrete wavelet of PyWavelets: `haar`, `db1` to `db38`, `sym2` to `sym20`, `coif1` to
    /// `coif17`, `bior1.1` to `bior6.8`, `rbio1.1` to `rbio6.8`, `dmey`.
    ///
    /// ```
    /// use alnm_radiomics::filter::wavelet::Filters;
    /// let haar = Filters::named("haar").ok_or("no such wavelet")?;
    /// assert_eq!(haar.high_pass(), [-0.7071067811865476, 0.7071067811865476]);
    /// assert!(Filters::named("morl").is_none());
    /// # Ok::<(), &str>(())
    /// ```
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        static FILTERS: OnceLock<BTreeMap<&'static str, Filters>> = OnceLock::new();
        FILTERS
            .get_or_init(|| TABLE.lines().filter(|line| !line.starts_with('#')).filter_map(Self::from_line).collect())
            .get(name)
            .cloned()
    }

    /// The coefficients of the low-pass filter.
    #[must_use]
    pub fn low_pass(&self) -> &[f64] {
        &self.low
    }

    /// The coefficients of the high-pass filter.
    #[must_use]
    pub fn high_pass(&self) -> &[f64] {
        &self.high
    }

    fn from_line(line: &'static str) -> Option<(&'static str, Self)> {
        let (name, filters) = line.split_once(':')?;
        let numbers = |text: &str| -> Vec<f64> {
            text.split_ascii_whitespace().filter_map(|number| number.parse().ok()).collect()
        };
        let (low, high) = match filters.split_once(';') {
            Some((low, high)) => (numbers(low), numbers(high)),
            None => {
                let low = numbers(filters);
                let high = low.iter().rev().enumerate().map(|(k, c)| if k % 2 == 0 { -c } else { *c }).collect();
                (low, high)
            }
        };
        // PyWavelets keeps coiflets divided by √2 and multiplies in the precision of the transform.
        let single = |c: &f64| if name.starts_with("coif") { (c / SQRT_2) as f32 * SQRT_2 as f32 } else { *c as f32 };
        let (low_single, high_single) = (low.iter().map(single).collect(), high.iter().map(single).collect());
        Some((name, Self { low, high, low_single, high_single }))
    }
}

/// A number in the precision of a transform.
trait WaveletNumber: Copy + Default + Send + Sync + Mul<Output = Self> + AddAssign + 'static {
    /// The low-pass and the high-pass filter in this precision.
    fn filters(filters: &Filters) -> [&[Self]; 2];
    /// The value as a double.
    fn widened(self) -> f64;
    /// Values as doubles.
    fn all_widened(values: Vec<Self>) -> Vec<f64>;
}

impl WaveletNumber for f32 {
    fn filters(filters: &Filters) -> [&[Self]; 2] {
        [&filters.low_single, &filters.high_single]
    }
    fn widened(self) -> f64 {
        f64::from(self)
    }
    fn all_widened(values: Vec<Self>) -> Vec<f64> {
        values.into_iter().map(f64::from).collect()
    }
}

impl WaveletNumber for f64 {
    fn filters(filters: &Filters) -> [&[Self]; 2] {
        [&filters.low, &filters.high]
    }
    fn widened(self) -> f64 {
        self
    }
    fn all_widened(values: Vec<Self>) -> Vec<f64> {
        values
    }
}

/// Values of a box on the periodic grid; positions may lie beyond either end.
#[derive(Debug, Clone)]
struct PeriodicBlock<T> {
    start: [isize; 3],
    size: [usize; 3],
    values: Vec<T>,
}

/// A sub-band of the transform.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct SubBand {
    /// Level, from 1.
    pub level: usize,
    /// One letter for each transformed axis, in the order x, y, z.
    pub letters: String,
    /// The values in the box asked for, in raster order.
    pub values: Vec<f64>,
}

/// Levels and letters of the sub-bands that [`WaveletTransform::apply`] gives along `axes` axes, in their order.
pub(crate) fn band_names(axes: usize, levels: usize) -> Vec<(usize, String)> {
    let letters =
        |bits: usize| (0..axes).rev().map(|axis| if bits >> axis & 1 > 0 { 'H' } else { 'L' }).collect::<String>();
    let with_details = (1..=levels).flat_map(|level| (1..1usize << axes).map(move |bits| (level, letters(bits))));
    with_details.chain([(levels, "L".repeat(axes))]).collect()
}

/// Parameters of a wavelet transform: its filters, axes and levels.
#[derive(Debug, Clone, PartialEq)]
#[must_use]
#[non_exhaustive]
pub struct WaveletTransform {
    /// The filters of the wavelet.
    pub filters: Filters,
    /// The axes that are transformed, in the order of the letters (0 = z, 1 = y, 2 = x). Default: x, y, z.
    pub axes: Vec<usize>,
    /// Levels that come before the first that is returned. Default: 0.
    pub start_level: usize,
    /// Levels that are returned, at least 1. Default: 1.
    pub levels: usize,
}

impl WaveletTransform {
    /// One level along all axes.
    pub fn new(filters: Filters) -> Self {
        Self { filters, axes: vec![2, 1, 0], start_level: 0, levels: 1 }
    }

    /// Sets [`WaveletTransform::axes`].
    pub fn with_axes(self, axes: Vec<usize>) -> Self {
        Self { axes, ..self }
    }

    /// Sets [`WaveletTransform::start_level`].
    pub fn with_start_level(self, start_level: usize) -> Self {
        Self { start_level, ..self }
    }

    /// Sets [`WaveletTransform::levels`].
    pub fn with_levels(self, levels: usize) -> Self {
        Self { levels, ..self }
    }

    /// The shape (z, y, x) of the box of voxels that the sub-bands in a box of this shape are computed from: each level
    /// reaches as many voxels farther as the filter has coefficients less one.
    pub(crate) fn gathered_shape(&self, shape: [usize; 3]) -> [usize; 3] {
        let reach = (self.filters.low.len() - 1).saturating_mul(self.start_level.saturating_add(self.levels));
        std::array::from_fn(
            |axis| if self.axes.contains(&axis) { shape[axis].saturating_add(reach) } else { shape[axis] },
        )
    }

    /// The sub-bands of an image in the box `part`: of each level the bands with at least one H, of the last also the
    /// approximation, in PyRadiomics' order. An image of single precision is transformed in single precision.
    ///
    /// ```
    /// use alnm_imaging::region::VoxelBox;
    /// use alnm_imaging::{Geometry, Image, Volume};
    /// use alnm_radiomics::filter::wavelet::{Filters, WaveletTransform};
    ///
    /// let flat = Image::I16(Volume::filled(Geometry::axis_aligned([4, 4, 4], [1.0; 3])?, 100));
    /// let haar = WaveletTransform::new(Filters::named("haar").ok_or("no such wavelet")?);
    /// let bands = haar.apply(&flat, VoxelBox::of_shape([4, 4, 4]));
    /// let letters: Vec<&str> = bands.iter().map(|band| band.letters.as_str()).collect();
    /// assert_eq!(letters, ["LLH", "LHL", "LHH", "HLL", "HLH", "HHL", "HHH", "LLL"]);
    /// // Each axis multiplies a flat image by √2.
    /// assert!((bands[7].values[0] - 100.0 * 8f64.sqrt()).abs() < 1e-9);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn apply(&self, image: &Image, part: VoxelBox) -> Vec<SubBand> {
        let shape = image.geometry().shape();
        match image {
            Image::F32(volume) => {
                self.transform(shape, part, |grid| grid.gather(volume.as_slice(), |voxel: f32| voxel))
            }
            other => self.transform(
                shape,
                part,
                |grid| with_volume!(other, volume => grid.gather(volume.as_slice(), Voxel::to_f64)),
            ),
        }
    }

    /// The sub-bands of an image of which `gather` gives a box on the periodic grid.
    fn transform<T: WaveletNumber>(
        &self,
        shape: [usize; 3],
        part: VoxelBox,
        gather: impl FnOnce(&PeriodicGrid) -> PeriodicBlock<T>,
    ) -> Vec<SubBand> {
        let Self { filters, axes, start_level, levels } = self;
        let (start_level, levels) = (*start_level, *levels);
        let [low, high] = T::filters(filters);
        let taps = low.len();
        // Odd axes are extended even where they are not transformed, which changes nothing there.
        let period: [usize; 3] =
            std::array::from_fn(
                |axis| if axes.contains(&axis) { shape[axis].next_multiple_of(2) } else { shape[axis] },
            );

        // Each level before the last has to cover what the next one gathers.
        let mut widest = (part.start_zyx().map(|start| start as isize), part.shape());
        let mut boxes = vec![widest];
        for _ in 1..start_level + levels {
            widest = gathered(widest.0, widest.1, axes, taps);
            boxes.push(widest);
        }
        let (start, size) = gathered(widest.0, widest.1, axes, taps);
        let mut approximation = gather(&PeriodicGrid { shape, period, start, size });

        let mut bands = Vec::new();
        for level in 1..=start_level + levels {
            let (start, size) = boxes[start_level + levels - level];
            if level <= start_level {
                approximation = approximation_only(approximation, axes, low, period);
            } else {
                let mut parts = vec![(String::new(), approximation)];
                for &axis in axes {
                    parts = parts
                        .into_iter()
                        .flat_map(|(letters, block)| {
                            let [lower, upper] = convolve(&block, axis, [low, high], period[axis]);
                            [(format!("{letters}L"), lower), (format!("{letters}H"), upper)]
                        })
                        .collect();
                }
                debug_assert!(parts.iter().all(|(_, block)| block.start == start && block.size == size));
                approximation = parts.swap_remove(0).1;
                parts.sort_by(|a, b| b.0.cmp(&a.0));
                bands.extend(parts.into_iter().map(|(letters, block)| SubBand {
                    level: level - start_level,
                    letters,
                    values: cut(block, part),
                }));
            }
        }
        bands.push(SubBand { level: levels, letters: "L".repeat(axes.len()), values: cut(approximation, part) });
        bands
    }
}

fn approximation_only<T: WaveletNumber>(
    block: PeriodicBlock<T>,
    axes: &[usize],
    low: &[T],
    period: [usize; 3],
) -> PeriodicBlock<T> {
    axes.iter().fold(block, |block, &axis| {
        let [lower] = convolve(&block, axis, [low], period[axis]);
        lower
    })
}

/// The box that a box's convolution reads from.
fn gathered(mut start: [isize; 3], mut size: [usize; 3], axes: &[usize], taps: usize) -> ([isize; 3], [usize; 3]) {
    for &axis in axes {
        start[axis] -= (taps - 1 - taps / 2) as isize;
        size[axis] += taps - 1;
    }
    (start, size)
}

/// A box on the periodic grid of an image.
struct PeriodicGrid {
    /// Of the image.
    shape: [usize; 3],
    period: [usize; 3],
    /// Of the box.
    start: [isize; 3],
    size: [usize; 3],
}

impl PeriodicGrid {
    /// The box with what `number` makes of the voxels. A voxel that extends an odd axis repeats the first.
    fn gather<V: Copy, T>(&self, voxels: &[V], number: impl Fn(V) -> T) -> PeriodicBlock<T> {
        let Self { shape, period, start, size } = *self;
        let index = |axis: usize| -> Vec<usize> {
            let wrapped =
                (0..size[axis] as isize).map(|i| (start[axis] + i).rem_euclid(period[axis] as isize) as usize);
            wrapped.map(|i| if i < shape[axis] { i } else { 0 }).collect()
        };
        let (zs, ys, xs) = (index(0), index(1), index(2));
        let mut values = Vec::with_capacity(size.iter().product());
        for &z in &zs {
            for &y in &ys {
                let row = &voxels[(z * shape[1] + y) * shape[2]..][..shape[2]];
                values.extend(xs.iter().map(|&x| number(row[x])));
            }
        }
        PeriodicBlock { start, size, values }
    }
}

/// out(p) = Σ_j filter(j) · in(p + L/2 - j) along one axis for each of the filters, added up in PyWavelets' order:
/// ascending j, but terms that wrap round the upper end of the period first, in descending j.
fn convolve<T: WaveletNumber, const FILTERS: usize>(
    block: &PeriodicBlock<T>,
    axis: usize,
    filters: [&[T]; FILTERS],
    period: usize,
) -> [PeriodicBlock<T>; FILTERS] {
    let taps = filters[0].len();
    let mut size = block.size;
    size[axis] -= taps - 1;
    let mut start = block.start;
    start[axis] += (taps - 1 - taps / 2) as isize;

    let inner: usize = block.size[axis + 1..].iter().product();
    let outer: usize = block.size[..axis].iter().product();
    let mut values: [Vec<T>; FILTERS] = std::array::from_fn(|_| vec![T::default(); size.iter().product()]);
    // Positions in these runs do not wrap and are added up with j ascending, all at once.
    let unwrapped = unwrapped_runs(start[axis], size[axis], taps, period);
    let wrapped = |p: usize| wrapped_taps(start[axis] + p as isize, taps, period);
    let arch = pulp::Arch::new();
    for o in 0..outer {
        let source = &block.values[o * block.size[axis] * inner..][..block.size[axis] * inner];
        let mut targets = values.each_mut().map(|values| &mut values[o * size[axis] * inner..][..size[axis] * inner]);
        for &(first, count) in &unwrapped {
            let targets = targets.each_mut().map(|target| &mut target[first * inner..][..count * inner]);
            vectorised!(arch, add_taps(targets, filters, &source[first * inner..], inner));
        }
        for p in (0..size[axis]).filter(|&p| wrapped(p) > 0) {
            for j in (0..wrapped(p)).rev().chain(wrapped(p)..taps) {
                let source = &source[(p + taps - 1 - j) * inner..][..inner];
                for (target, filter) in targets.iter_mut().zip(filters) {
                    add_scaled(&mut target[p * inner..][..inner], filter[j], source);
                }
            }
        }
    }
    values.map(|values| PeriodicBlock { start, size, values })
}

/// Sums that are kept while the taps go over them.
const TOGETHER: usize = 16;

/// Adds filter(j) · source(i + (L - 1 - j) · inner) to target(i) of each filter, j ascending.
#[inline(always)]
fn add_taps<T: WaveletNumber, const FILTERS: usize>(
    targets: [&mut [T]; FILTERS],
    filters: [&[T]; FILTERS],
    source: &[T],
    inner: usize,
) {
    let taps = filters[0].len();
    let length = targets[0].len();
    let whole = length - length % TOGETHER;
    for first in (0..whole).step_by(TOGETHER) {
        let mut sums = [[T::default(); TOGETHER]; FILTERS];
        for j in 0..taps {
            let source = &source[first + (taps - 1 - j) * inner..][..TOGETHER];
            for (sums, filter) in sums.iter_mut().zip(filters) {
                for place in 0..TOGETHER {
                    sums[place] += filter[j] * source[place];
                }
            }
        }
        for filter in 0..FILTERS {
            targets[filter][first..first + TOGETHER].copy_from_slice(&sums[filter]);
        }
    }
    for i in whole..length {
        for filter in 0..FILTERS {
            let mut sum = T::default();
            for j in 0..taps {
                sum += filters[filter][j] * source[i + (taps - 1 - j) * inner];
            }
            targets[filter][i] = sum;
        }
    }
}

#[inline(always)]
fn add_scaled<T: WaveletNumber>(target: &mut [T], factor: T, source: &[T]) {
    for (sum, &value) in target.iter_mut().zip(source) {
        *sum += factor * value;
    }
}

/// How many taps, from j = 0 on, read beyond the upper end of the period for the output at `position`.
fn wrapped_taps(position: isize, taps: usize, period: usize) -> usize {
    let within = position.rem_euclid(period as isize) as usize;
    (within + taps / 2 + 1).saturating_sub(period).min(taps)
}

/// Runs (first, count) of outputs that wrap at no tap.
fn unwrapped_runs(start: isize, size: usize, taps: usize, period: usize) -> Vec<(usize, usize)> {
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for p in (0..size).filter(|&p| wrapped_taps(start + p as isize, taps, period) == 0) {
        match runs.last_mut() {
            Some((first, count)) if *first + *count == p => *count += 1,
            _ => runs.push((p, 1)),
        }
    }
    runs
}

/// The box `part` of a block that covers it.
fn cut<T: WaveletNumber>(block: PeriodicBlock<T>, part: VoxelBox) -> Vec<f64> {
    let start = part.start_zyx();
    let within = std::array::from_fn(|axis| {
        let first = (start[axis] as isize - block.start[axis]) as usize;
        first..first + part.shape()[axis]
    });
    if block.size == part.shape() {
        return T::all_widened(block.values);
    }
    VoxelBox::from_ranges_zyx(within).cut_slice(&block.values, block.size, T::widened)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The sub-bands of an image of these values.
    fn of_values(transform: &WaveletTransform, values: &[f64], shape: [usize; 3], part: VoxelBox) -> Vec<SubBand> {
        transform.transform(shape, part, |grid| grid.gather(values, |value: f64| value))
    }

    #[test]
    fn every_filter_is_even_and_has_a_partner() {
        assert_eq!(TABLE.lines().filter(|line| !line.starts_with('#')).count(), 106);
        for (name, filters) in TABLE.lines().filter_map(Filters::from_line) {
            assert_eq!(filters.low.len(), filters.high.len(), "{name}");
            assert_eq!(filters.low.len() % 2, 0, "{name}");
        }
    }

    /// The convolution as its formula says, on the whole periodic line.
    fn slow(line: &[f64], filter: &[f64]) -> Vec<f64> {
        let n = line.len() as isize;
        let at = |i: isize| line[i.rem_euclid(n) as usize];
        (0..n)
            .map(|p| filter.iter().enumerate().map(|(j, f)| f * at(p + filter.len() as isize / 2 - j as isize)).sum())
            .collect()
    }

    #[test]
    fn one_axis_agrees_with_the_formula() {
        let line: Vec<f64> = (0..14).map(|i| f64::from((i * 37) % 17)).collect();
        for name in ["haar", "coif1", "db7", "bior3.3"] {
            let filters = Filters::named(name).unwrap();
            let bands = WaveletTransform::new(filters.clone()).with_axes(vec![2]).with_levels(2);
            let bands = of_values(&bands, &line, [1, 1, 14], VoxelBox::of_shape([1, 1, 14]));
            let low = slow(&line, &filters.low);
            let expected = [slow(&line, &filters.high), slow(&low, &filters.high), slow(&low, &filters.low)];
            assert_eq!(
                bands.iter().map(|band| (band.level, band.letters.as_str())).collect::<Vec<_>>(),
                [(1, "H"), (2, "H"), (2, "L")]
            );
            for (band, expected) in bands.iter().zip(expected) {
                for (value, expected) in band.values.iter().zip(expected) {
                    approx::assert_abs_diff_eq!(*value, expected, epsilon = 1e-11);
                }
            }
        }
    }

    #[test]
    fn a_part_equals_the_part_of_the_whole() {
        let shape = [7, 8, 9];
        let image: Vec<f64> = (0..504).map(|i| f64::from((i * 7919) % 131)).collect();
        let coiflet = WaveletTransform::new(Filters::named("coif1").unwrap()).with_levels(2);
        let part = VoxelBox::new([3, 0, 4], [5, 4, 3]);
        let whole = of_values(&coiflet, &image, shape, VoxelBox::of_shape(shape));
        for (whole, cut) in whole.iter().zip(of_values(&coiflet, &image, shape, part)) {
            assert_eq!(part.cut_slice(&whole.values, shape, |value| value), cut.values);
        }
    }
}
