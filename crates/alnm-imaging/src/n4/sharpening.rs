//! Sharpening of a histogram: what intensity a voxel would have without the blur of the field.

use std::sync::Arc;

use realfft::num_complex::Complex;
use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};

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

/// A histogram in which each value is shared by the two bins beside it: whole values, and how much of them belongs to the
/// next bin.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Histogram {
    counts: Vec<u32>,
    shares: Vec<f64>,
}

/// Lowest value and width of the bins.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Bins {
    low: f32,
    width: f32,
    per_width: f32,
    last: usize,
}

impl Bins {
    /// Bins whose first and last centre are the lowest and highest value; none when these are equal.
    pub(super) fn new(low: f32, high: f32, bins: usize) -> Option<Self> {
        let width = (high - low) / (bins - 1) as f32;
        (width > 0.0).then(|| Self { low, width, per_width: 1.0 / width, last: bins - 1 })
    }

    /// The bin below a value and how far the value lies from it towards the next, in bins.
    fn place(&self, value: f32) -> (usize, f32) {
        let position = (value - self.low) / self.width;
        let bin = (position.max(0.0) as usize).min(self.last);
        (bin, position - bin as f32)
    }
}

impl Histogram {
    pub(super) fn new(bins: usize) -> Self {
        Self { counts: vec![0; bins], shares: vec![0.0; bins] }
    }

    pub(super) fn add(&mut self, bins: &Bins, value: f32) {
        let (bin, share) = bins.place(value);
        // Rounding may put the highest value beyond the last bin, where ITK drops it.
        if bin == bins.last && share > 0.0 {
            return;
        }
        self.counts[bin] += 1;
        self.shares[bin] += f64::from(share);
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.counts.iter_mut().zip(&other.counts).for_each(|(a, b)| *a += b);
        self.shares.iter_mut().zip(&other.shares).for_each(|(a, b)| *a += b);
    }

    /// Frequency of each bin; what lies beyond the last bin is dropped.
    fn frequencies(&self) -> impl Iterator<Item = f64> + '_ {
        let from_below = std::iter::once(0.0).chain(self.shares.iter().copied());
        let last = self.counts.len() - 1;
        let own = move |(bin, (&count, &share)): (usize, (&u32, &f64))| f64::from(count) - if bin < last { share } else { 0.0 };
        self.counts.iter().zip(&self.shares).enumerate().map(own).zip(from_below).map(|(own, below)| own + below)
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
    /// What sharpening takes away from a value.
    pub(super) fn residual(&self, value: f32) -> f32 {
        let (bin, share) = self.bins.place(value);
        let [intensity, rise] = self.steps[bin];
        value - (intensity + rise * share)
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
