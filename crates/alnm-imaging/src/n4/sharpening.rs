//! Sharpening of a histogram: what intensity a voxel would have without the blur of the field.

use std::sync::Arc;

use pulp::Arch;
use realfft::num_complex::Complex;
use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};

use crate::vector::whole_part_single;
use crate::vectorised;

/// A deconvolution of histograms with `bins` bins.
pub(super) struct Sharpening {
    bins: usize,
    fwhm: f32,
    noise: f64,
    /// Length of the transforms; the histogram lies in their middle.
    length: usize,
    forward: Arc<dyn RealToComplex<f64>>,
    backward: Arc<dyn ComplexToReal<f64>>,
}

/// Values that are looked up at once, so that their bins are found by vector instructions.
const BLOCK: usize = 256;

/// A share of a value in fixed point: positions are single precision, so that this loses nothing above the first bin.
const SHARE_BITS: u32 = 23;

/// A histogram in which each value is shared by the two bins beside it: whole values, and how much of them belongs to
/// the next bin. Both are integers, so that sums do not depend on their order.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Histogram {
    counts: Vec<u64>,
    shares: Vec<u64>,
}

/// Lowest value and width of the bins.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Bins {
    low: f32,
    width: f32,
    per_width: f32,
    last: f32,
    drops_highest: bool,
}

impl Bins {
    /// Bins whose first and last centre are the lowest and highest value; none when these are equal.
    pub(super) fn new(low: f32, high: f32, bins: usize) -> Option<Self> {
        let last = (bins - 1) as f32;
        let width = (high - low) / last;
        // Rounding may put the highest value beyond the last bin, where ITK drops it.
        let drops_highest = (high - low) / width > last;
        (width > 0.0).then(|| Self { low, width, per_width: 1.0 / width, last, drops_highest })
    }

    fn count(&self) -> usize {
        self.last as usize + 1
    }

    /// The bin below each value and how far the value lies from it towards the next, in bins; inlined, so that it takes
    /// the vector instructions of its caller.
    #[inline(always)]
    fn places(&self, log: &[f32], field: &[f32], bins: &mut [i32], shares: &mut [f32]) {
        for (((log, field), bin), share) in log.iter().zip(field).zip(bins).zip(shares) {
            let position = (log - field - self.low) * self.per_width;
            let position = if position > 0.0 { position } else { 0.0 };
            let position = if position < self.last { position } else { self.last };
            *bin = whole_part_single(position);
            *share = position - position.floor();
        }
    }
}

impl Histogram {
    /// No values in as many bins.
    pub(super) fn new(bins: usize) -> Self {
        Self { counts: vec![0; bins], shares: vec![0; bins] }
    }

    /// The histogram of logarithms less the field.
    pub(super) fn of(bins: &Bins, log: &[f32], field: &[f32]) -> Self {
        // Count and share of a bin are added at once, the count in the upper bits: they cannot run over in as many
        // values.
        const COUNT_SHIFT: u32 = 43;
        const MOST_AT_ONCE: usize = 1 << (COUNT_SHIFT - SHARE_BITS);
        let mut histogram = Self::new(bins.count());
        let (mut places, mut shares, mut fixed) = ([0; BLOCK], [0.0; BLOCK], [0; BLOCK]);
        for (log, field) in log.chunks(MOST_AT_ONCE).zip(field.chunks(MOST_AT_ONCE)) {
            // Neighbours often fall into one bin; taking turns in two tables, they need not wait for each other.
            let mut tables = [vec![0_u64; bins.count()], vec![0_u64; bins.count()]];
            for (log, field) in log.chunks(BLOCK).zip(field.chunks(BLOCK)) {
                let (places, shares) = (&mut places[..log.len()], &mut shares[..log.len()]);
                vectorised!(Arch::new(), {
                    bins.places(log, field, places, shares);
                    for (fixed, share) in fixed.iter_mut().zip(shares.iter()) {
                        *fixed = whole_part_single(share * (1 << SHARE_BITS) as f32);
                    }
                });
                for (i, (bin, fixed)) in places.iter().zip(&fixed).enumerate() {
                    tables[i % 2][*bin as usize] += (1 << COUNT_SHIFT) + *fixed as u64;
                }
            }
            for (bin, both) in tables.iter().flat_map(|table| table.iter().enumerate()) {
                histogram.counts[bin] += both >> COUNT_SHIFT;
                histogram.shares[bin] += both & ((1 << COUNT_SHIFT) - 1);
            }
        }
        if bins.drops_highest {
            histogram.counts[bins.count() - 1] = 0;
        }
        histogram
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.counts.iter_mut().zip(&other.counts).for_each(|(a, b)| *a += b);
        self.shares.iter_mut().zip(&other.shares).for_each(|(a, b)| *a += b);
    }

    /// Frequency of each bin.
    fn frequencies(&self) -> impl Iterator<Item = f64> + '_ {
        let share = |share: &u64| *share as f64 / f64::from(1 << SHARE_BITS);
        let from_below = std::iter::once(0.0).chain(self.shares.iter().map(share));
        let own = self.counts.iter().zip(&self.shares).map(move |(count, shared)| *count as f64 - share(shared));
        own.zip(from_below).map(|(own, below)| own + below)
    }
}

/// The sharpened intensity at each bin.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct IntensityMap {
    bins: Bins,
    /// Intensity at each bin, and its rise to the next: 0 at the last.
    steps: Vec<[f32; 2]>,
}

impl IntensityMap {
    /// What sharpening takes away from logarithms less the field; inlined as [`Bins::places`].
    #[inline(always)]
    pub(super) fn residuals(&self, log: &[f32], field: &[f32], residuals: &mut [f32]) {
        let (mut places, mut shares) = ([0; BLOCK], [0.0; BLOCK]);
        for ((log, field), residuals) in log.chunks(BLOCK).zip(field.chunks(BLOCK)).zip(residuals.chunks_mut(BLOCK)) {
            self.bins.places(log, field, &mut places[..log.len()], &mut shares[..log.len()]);
            for (residual, (bin, share)) in residuals.iter_mut().zip(places.iter().zip(&shares)) {
                let [intensity, rise] = self.steps[*bin as usize];
                *residual = intensity + rise * share;
            }
            for (residual, (log, field)) in residuals.iter_mut().zip(log.iter().zip(field)) {
                *residual = log - field - *residual;
            }
        }
    }
}

impl Sharpening {
    pub(super) fn new(bins: usize, fwhm: f64, noise: f64) -> Self {
        let length = 2 * bins.next_power_of_two();
        let mut planner = RealFftPlanner::new();
        Self {
            bins,
            fwhm: fwhm as f32,
            noise,
            length,
            forward: planner.plan_fft_forward(length),
            backward: planner.plan_fft_inverse(length),
        }
    }

    pub(super) fn bins(&self) -> usize {
        self.bins
    }

    /// The intensities expected without the field, given the histogram of the image.
    pub(super) fn sharpen(&self, histogram: &Histogram, bins: Bins) -> IntensityMap {
        let offset = (self.length - self.bins) / 2;
        let width = f64::from(bins.width);
        let mut padded = vec![0.0; self.length];
        padded.iter_mut().skip(offset).zip(histogram.frequencies()).for_each(|(value, frequency)| *value = frequency);
        let gaussian = self.transform(self.gaussian(bins.width));
        let mut spectrum = self.transform(padded);
        for (value, g) in spectrum.iter_mut().zip(&gaussian) {
            *value *= (g.conj() / (g.conj() * g + self.noise)).re;
        }
        let sharpened: Vec<f64> = self.inverse(spectrum).iter().map(|frequency| frequency.max(0.0)).collect();

        let low = f64::from(bins.low);
        let moments = sharpened.iter().enumerate().map(|(n, frequency)| {
            let intensity = (low + (n as f64 - offset as f64) * width) as f32;
            f64::from(intensity) * frequency
        });
        let numerator = self.blurred(moments.collect(), &gaussian);
        let denominator = self.blurred(sharpened, &gaussian);
        let expected: Vec<f32> = numerator[offset..offset + self.bins]
            .iter()
            .zip(&denominator[offset..])
            .map(|(numerator, denominator)| if *denominator == 0.0 { 0.0 } else { (numerator / denominator) as f32 })
            .collect();
        let rise = |bin: usize| expected.get(bin + 1).map_or(0.0, |next| next - expected[bin]);
        IntensityMap { bins, steps: (0..self.bins).map(|bin| [expected[bin], rise(bin)]).collect() }
    }

    /// The Gaussian of the field's histogram in units of bins, around index 0; rounded where ITK rounds.
    fn gaussian(&self, bin_width: f32) -> Vec<f64> {
        let width = self.fwhm / bin_width;
        let exponent = (4.0 * std::f64::consts::LN_2 / f64::from(width * width)) as f32;
        let scale = (2.0 * (std::f64::consts::LN_2 / std::f64::consts::PI).sqrt() / f64::from(width)) as f32;
        let value = |n: usize| f64::from(scale) * (-((n * n) as f64) * f64::from(exponent)).exp();
        (0..self.length).map(|n| value(n.min(self.length - n))).collect()
    }

    fn blurred(&self, values: Vec<f64>, gaussian: &[Complex<f64>]) -> Vec<f64> {
        let mut spectrum = self.transform(values);
        spectrum.iter_mut().zip(gaussian).for_each(|(value, g)| *value *= g);
        self.inverse(spectrum)
    }

    fn transform(&self, mut values: Vec<f64>) -> Vec<Complex<f64>> {
        let mut spectrum = self.forward.make_output_vec();
        self.forward.process(&mut values, &mut spectrum).expect("both buffers have the plan's length");
        spectrum
    }

    fn inverse(&self, mut spectrum: Vec<Complex<f64>>) -> Vec<f64> {
        // The transform of real values is real at both ends; rounding may have left a trace.
        if let [first, .., last] = spectrum.as_mut_slice() {
            first.im = 0.0;
            last.im = 0.0;
        }
        let mut values = self.backward.make_output_vec();
        self.backward.process(&mut spectrum, &mut values).expect("both buffers have the plan's length");
        values
    }
}
