//! Discretisation of grey values into grey levels, with the bin edges of PyRadiomics to the last bit.
//!
//! A value on a bin edge influences texture features, and integer images with integer bin widths have most of their
//! values on edges. So the edges follow the arithmetic of `numpy.arange` and `numpy.linspace`, and a level is the
//! number of edges that are not above the value (`numpy.digitize`).

use alnm_imaging::vector::whole_part;
use alnm_imaging::{Extremes, Voxel, vectorised};
use serde::Serialize;

use crate::error::{RadiomicsError, Result};
use crate::grey_values::{GreyValues, with_values};
use crate::level_map::{Cell, Cells};

/// The way in which grey values are assigned to bins.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub enum Binning {
    /// Bins of a fixed width whose edges are multiples of the width counted from zero; the first bin holds the minimum
    /// of the region.
    Width(f64),
    /// A fixed number of equal bins between the minimum and the maximum of the region.
    Count(u32),
}

/// The maximum number of bins. More bins result from values in a wrong unit, and the matrices would not fit into
/// memory.
pub const MAXIMUM_BINS: f64 = 16_777_216.0;

/// Grey levels of a region's voxels, in the order of the values they came from.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Discretised {
    /// Level of each voxel; the lowest bin is level 1.
    pub levels: Vec<u32>,
    /// Number of bins between the lowest and the highest edge.
    pub bins: usize,
    /// The smallest and the largest value.
    pub(crate) extremes: [f64; 2],
}

impl Binning {
    /// The levels of `values`. `single_precision` says that the values come from a single-precision image; the edges of
    /// [`Binning::Count`] are then rounded to single precision.
    ///
    /// # Errors
    /// [`RadiomicsError::NonFinite`] for a value that is infinite or NaN, [`RadiomicsError::TooManyBins`] when the
    /// range of values would need more than [`MAXIMUM_BINS`] bins.
    ///
    /// ```
    /// use alnm_radiomics::discretisation::Binning;
    /// let levels = Binning::Width(25.0).discretise(&[54.0, 75.0, 166.0], false)?.levels;
    /// assert_eq!(levels, [1, 2, 5]); // the edges are 50, 75, 100, 125, 150, 175
    /// # Ok::<(), alnm_radiomics::RadiomicsError>(())
    /// ```
    pub fn discretise(self, values: &[f64], single_precision: bool) -> Result<Discretised> {
        let (edges, extremes) = self.edges(values, single_precision)?;
        Ok(Discretised { levels: edges.levels(values), bins: edges.bins(), extremes })
    }

    /// [`Binning::discretise`] with levels in bytes where they have room.
    pub(crate) fn discretise_narrowly(
        self,
        values: &GreyValues,
        single_precision: bool,
    ) -> Result<NarrowlyDiscretised> {
        with_values!(values, values => {
            let (edges, extremes) = self.edges(values, single_precision)?;
            let bins = edges.bins();
            // No level is higher than the number of bins.
            let levels = if bins < usize::from(u8::MAX) {
                Cells::Narrow(edges.levels(values))
            } else {
                Cells::Wide(edges.levels(values))
            };
            Ok(NarrowlyDiscretised { levels, bins, extremes })
        })
    }

    /// The edges between the values' levels, and the smallest and the largest value.
    fn edges<T: Voxel>(self, values: &[T], single_precision: bool) -> Result<(Edges, [f64; 2])> {
        let (minimum, maximum) = range(values)?;
        let edges = match self {
            Self::Width(width) => Edges::OfWidth(WidthEdges::new(minimum, maximum, width)?),
            Self::Count(count) => Edges::OfCount(CountEdges::new(minimum, maximum, count as usize, single_precision)),
        };
        Ok((edges, [minimum, maximum]))
    }
}

/// [`Discretised`] with levels as narrow as they have room.
pub(crate) struct NarrowlyDiscretised {
    pub(crate) levels: Cells,
    pub(crate) bins: usize,
    pub(crate) extremes: [f64; 2],
}

/// The edges between levels.
enum Edges {
    OfWidth(WidthEdges),
    OfCount(CountEdges),
}

impl Edges {
    fn bins(&self) -> usize {
        match self {
            Self::OfWidth(edges) => edges.count - 1,
            Self::OfCount(edges) => edges.edges.len() - 1,
        }
    }

    fn levels<T: Voxel, C: Cell>(&self, values: &[T]) -> Vec<C> {
        match self {
            Self::OfWidth(edges) => vectorised!(pulp::Arch::new(), edges.levels(values)),
            Self::OfCount(edges) => edges.levels(values),
        }
    }
}

/// The smallest and the largest value.
fn range<T: Voxel>(values: &[T]) -> Result<(f64, f64)> {
    let extremes = Extremes::of(values);
    if extremes.is_some_and(|extremes| !extremes.is_finite)
        && let Some(value) = values.iter().map(|value| value.to_f64()).find(|value| !value.is_finite())
    {
        return Err(RadiomicsError::NonFinite { value });
    }
    Ok(extremes.map_or((f64::INFINITY, f64::NEG_INFINITY), |extremes| (extremes.low.to_f64(), extremes.high.to_f64())))
}

/// Edges `low + i · step` as `numpy.arange(low, maximum + 2 · width, width)` has them.
struct WidthEdges {
    low: f64,
    step: f64,
    count: usize,
}

impl WidthEdges {
    fn new(minimum: f64, maximum: f64, width: f64) -> Result<Self> {
        let low = minimum - floored_remainder(minimum, width);
        let stop = maximum + 2.0 * width;
        let count = ((stop - low) / width).ceil();
        if count.is_nan() || count > MAXIMUM_BINS {
            return Err(RadiomicsError::TooManyBins { minimum, maximum, width });
        }
        // numpy's arange stores the first two elements and steps by their difference, which rounding keeps from being
        // `width`.
        Ok(Self { low, step: (low + width) - low, count: count as usize })
    }

    /// For each value the number of edges that are not above it: a first guess by division, which rounding makes wrong
    /// by one at most, put right against the edges themselves. No value lies below the first edge or beyond the last.
    #[inline(always)]
    fn levels<T: Voxel, C: Cell>(&self, values: &[T]) -> Vec<C> {
        let inverse = 1.0 / self.step;
        let level = |value: f64| {
            let guess = whole_part((value - self.low) * inverse);
            let below = |index: i32| i32::from(self.low + f64::from(index) * self.step <= value);
            (guess + below(guess) + below(guess + 1)) as u32
        };
        mapped(values, level)
    }
}

/// What `level` makes of each value. Unlike `collect`, a loop is always inlined and so takes the vector instructions of
/// its caller.
#[inline(always)]
fn mapped<T: Voxel, C: Cell>(values: &[T], level: impl Fn(f64) -> u32) -> Vec<C> {
    let mut levels = vec![C::default(); values.len()];
    for (to, value) in levels.iter_mut().zip(values) {
        *to = C::narrowed(level(value.to_f64()));
    }
    levels
}

/// The remainder with the sign of the divisor, as Python's `%`.
fn floored_remainder(value: f64, divisor: f64) -> f64 {
    let remainder = value % divisor;
    if remainder != 0.0 && (remainder < 0.0) != (divisor < 0.0) { remainder + divisor } else { remainder }
}

/// The first and the last edge, before the last one is raised.
fn unraised_ends(minimum: f64, maximum: f64) -> (f64, f64) {
    if minimum == maximum { (minimum - 0.5, maximum + 0.5) } else { (minimum, maximum) }
}

/// Edges as `numpy.histogram_bin_edges`, the last one raised by 1 so that the maximum falls into the last bin.
fn count_edges(minimum: f64, maximum: f64, count: usize, single_precision: bool) -> Vec<f64> {
    let (first, last) = unraised_ends(minimum, maximum);
    let step = (last - first) / count as f64;
    let edge = |index: usize| {
        if index == count {
            last
        } else if step == 0.0 {
            index as f64 / count as f64 * (last - first) + first
        } else {
            index as f64 * step + first
        }
    };
    let mut edges: Vec<f64> = (0..=count).map(edge).collect();
    if single_precision {
        for edge in &mut edges {
            *edge = f64::from(*edge as f32);
        }
        edges[count] = f64::from(edges[count] as f32 + 1.0);
    } else {
        edges[count] += 1.0;
    }
    edges
}

/// The edges of a fixed number of bins, made ready for finding the bin of a value.
struct CountEdges {
    /// The ascending edges.
    edges: Vec<f64>,
    /// The first edge before rounding to single precision, and the width of a bin.
    first: f64,
    step: f64,
    /// Whether edges are rounded to single precision.
    single_precision: bool,
    /// Whether every edge but the last is `first + i · step`, rounded, and so close to it that it lies within a quarter
    /// of a bin.
    evenly_spaced: bool,
}

impl CountEdges {
    fn new(minimum: f64, maximum: f64, bins: usize, single_precision: bool) -> Self {
        let edges = count_edges(minimum, maximum, bins, single_precision);
        let (first, last) = unraised_ends(minimum, maximum);
        let step = (last - first) / bins as f64;
        let mut found = Self { edges, first, step, single_precision, evenly_spaced: false };
        let is_near = |(index, &edge): (usize, &f64)| {
            let computed =
                if single_precision { found.edge::<true>(index as i32) } else { found.edge::<false>(index as i32) };
            computed == edge && ((edge - found.edges[0]) / step - index as f64).abs() < 0.25
        };
        found.evenly_spaced = step > 0.0 && found.edges[..bins].iter().enumerate().all(is_near);
        found
    }

    #[inline(always)]
    fn edge<const SINGLE: bool>(&self, index: i32) -> f64 {
        let edge = f64::from(index) * self.step + self.first;
        if SINGLE { f64::from(edge as f32) } else { edge }
    }

    /// For each value the number of edges that are not above it.
    fn levels<T: Voxel, C: Cell>(&self, values: &[T]) -> Vec<C> {
        if !self.evenly_spaced {
            let level = |value: f64| C::narrowed(self.edges.partition_point(|&edge| edge <= value) as u32);
            return values.iter().map(|value| level(value.to_f64())).collect();
        }
        if self.single_precision {
            vectorised!(pulp::Arch::new(), self.even_levels::<true, T, C>(values))
        } else {
            vectorised!(pulp::Arch::new(), self.even_levels::<false, T, C>(values))
        }
    }

    /// Division says how many edges but the first are not above a value, to within one where an edge is near; comparing
    /// with the edges puts it right. They are computed anew instead of looked up. No value reaches the last edge.
    #[inline(always)]
    fn even_levels<const SINGLE: bool, T: Voxel, C: Cell>(&self, values: &[T]) -> Vec<C> {
        let bins = self.edges.len() as i32 - 1;
        let (origin, inverse) = (self.edges[0], 1.0 / self.step);
        let level = |value: f64| {
            let guess = whole_part(((value - origin) * inverse).max(0.0)).min(bins);
            let passed = |index: i32| i32::from(index < bins) & i32::from(self.edge::<SINGLE>(index) <= value);
            (guess + passed(guess) + passed(guess + 1)) as u32
        };
        mapped(values, level)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Numbers of `numpy.digitize(x, numpy.arange(low, max + 2 w, w))` by counting the edges one by one.
    fn counted(values: &[f64], width: f64) -> Vec<u32> {
        let (minimum, maximum) = range(values).unwrap();
        let edges = WidthEdges::new(minimum, maximum, width).unwrap();
        let all: Vec<f64> = (0..edges.count).map(|i| edges.low + i as f64 * edges.step).collect();
        values.iter().map(|&v| all.iter().filter(|&&edge| edge <= v).count() as u32).collect()
    }

    proptest! {
        #[test]
        fn levels_count_the_edges_below(
            values in prop::collection::vec(prop_oneof![-50.0f64..50.0, (-500i32..500).prop_map(|v| f64::from(v) * 0.1)], 1..40),
            width in prop_oneof![Just(0.1), Just(25.0), 0.05f64..30.0],
        ) {
            prop_assert_eq!(Binning::Width(width).discretise(&values, false).unwrap().levels, counted(&values, width));
            let narrow = Binning::Width(width).discretise_narrowly(&values.clone().into(), false).unwrap().levels;
            prop_assert_eq!(narrow.widened().into_owned(), counted(&values, width));
        }
    }

    proptest! {
        #[test]
        fn a_guess_put_right_counts_the_edges_below(
            values in prop::collection::vec(prop_oneof![-50.0f64..50.0, (-40i32..40).prop_map(f64::from)], 1..60),
            count in prop_oneof![1u32..70, 250u32..260],
            single in any::<bool>(),
        ) {
            let (minimum, maximum) = range(&values).unwrap();
            let edges = count_edges(minimum, maximum, count as usize, single);
            let expected: Vec<u32> = values.iter().map(|&value| edges.iter().filter(|&&edge| edge <= value).count() as u32).collect();
            let narrow = Binning::Count(count).discretise_narrowly(&values.clone().into(), single).unwrap().levels;
            prop_assert_eq!(narrow.widened().into_owned(), expected.clone());
            prop_assert_eq!(Binning::Count(count).discretise(&values, single).unwrap().levels, expected);
        }
    }

    #[test]
    fn a_flat_region_has_one_level() {
        assert_eq!(Binning::Width(25.0).discretise(&[100.0; 4], false).unwrap().levels, [1; 4]);
        assert_eq!(Binning::Count(8).discretise(&[100.0; 4], false).unwrap().levels, [5; 4]);
    }

    #[test]
    fn the_maximum_falls_into_the_last_of_a_fixed_number_of_bins() {
        assert_eq!(Binning::Count(4).discretise(&[0.0, 1.0, 2.0, 3.0, 4.0], false).unwrap().levels, [1, 2, 3, 4, 4]);
    }

    #[test]
    fn impossible_ranges_are_refused() {
        assert!(matches!(
            Binning::Width(1.0).discretise(&[0.0, f64::NAN], false),
            Err(RadiomicsError::NonFinite { .. })
        ));
        assert!(matches!(Binning::Width(1e-9).discretise(&[0.0, 1.0], false), Err(RadiomicsError::TooManyBins { .. })));
    }
}
