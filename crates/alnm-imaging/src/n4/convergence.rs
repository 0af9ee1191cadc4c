//! The measure by which a level is found to have converged.

use pulp::Arch;

use crate::vectorised;

/// Voxels that are added at once where that gives the same bits as adding them one after the other.
const BLOCK: usize = 32;

/// Single precision counts no further: from here on each voxel is counted, and the count stays.
const LAST_COUNT: f64 = 16_777_216.0;

/// Before this count the bounds of [`Convergence::add_at_rest`] do not hold.
const SETTLED: f32 = 4096.0;

/// The running mean and deviation of ITK's `CalculateConvergenceMeasurement`.
///
/// Mean, deviation and count are single precision and rounded after each voxel. This is not a detail: on volumes of
/// realistic size the mean soon stops to move, the measure differs from the true coefficient of variation by a factor
/// of two, and the number of iterations depends on it.
///
/// Taken literally this is one long chain of roundings, about 17 cycles per voxel. But where the mean does not move,
/// the sums no longer depend on each other, and blocks of voxels are added by vector instructions, to the same bits.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Convergence {
    count: f32,
    mean: f32,
    deviation: f32,
}

impl Convergence {
    /// Adds ratios of the old field to the new one, in raster order.
    pub(super) fn add(&mut self, ratios: &[f32]) {
        let (blocks, rest) = ratios.as_chunks::<BLOCK>();
        let arch = Arch::new();
        for block in blocks {
            match vectorised!(arch, self.add_at_rest(block)) {
                Some(added) => *self = added,
                None => self.add_in_turn(block),
            }
        }
        self.add_in_turn(rest);
    }

    /// The recurrence, voxel by voxel.
    fn add_in_turn(&mut self, ratios: &[f32]) {
        let Self { mut count, mut mean, mut deviation } = *self;
        for &ratio in ratios {
            count = (f64::from(count) + 1.0) as f32;
            let n = f64::from(count);
            if n > 1.0 {
                let distance = ratio - mean;
                deviation = (f64::from(deviation) + f64::from(distance * distance) * (n - 1.0) / n) as f32;
            }
            mean = (f64::from(mean) * (1.0 - 1.0 / n) + f64::from(ratio / count)) as f32;
        }
        *self = Self { count, mean, deviation };
    }

    /// What [`Convergence::add_in_turn`] would come to, where that is known without going through the chain: the
    /// mean stays, and no rounding of the deviation depends on those before it.
    ///
    /// *Mean.* The n-th ratio q moves the mean m by (q − m) / n before rounding, and the sum is rounded to m again when
    /// that is less than half the distance to m's neighbours. The rounding of q / n to single precision is off by less
    /// than 2⁻²⁴ q / n, for ratios near m a thousandth of that half distance as n is at least [`SETTLED`].
    ///
    /// *Deviation.* While the deviation stays between two powers of two, the distance u of its neighbours is one and
    /// the same, and the deviation is a multiple of it. Adding a and rounding then adds the multiple of u that is
    /// nearest to a, whatever the deviation is, unless a lies (nearly) half way between two.
    #[inline(always)]
    fn add_at_rest(&self, ratios: &[f32; BLOCK]) -> Option<Self> {
        const LANES: usize = 8;
        /// Part of half the distance of two numbers that a shift of the mean may come to: room for the rounding of q /
        /// n.
        const REST: f32 = 0.99;
        /// Further than this from half way the sum is rounded as the addend alone is.
        const CLEAR: f64 = 0.499_999;
        /// Adding and taking away 1.5 · 2⁵² rounds to the nearest integer.
        const ROUNDING: f64 = 6_755_399_441_055_744.0;

        let Self { count, mean, deviation } = *self;
        if count < SETTLED || !(0.5..2.0).contains(&mean) || !deviation.is_normal() {
            return None;
        }
        let furthest = REST * count * 0.5 * (mean - mean.next_down());
        // A loop, since `map` of an array is not always inlined.
        let mut distances = [0.0; BLOCK];
        for (distance, ratio) in distances.iter_mut().zip(ratios) {
            *distance = ratio - mean;
        }
        // A ratio that is no number moves the mean too.
        let at_rest: u32 = distances.iter().map(|distance| u32::from(distance.abs() < furthest)).sum();
        if at_rest != BLOCK as u32 {
            return None;
        }

        let step = f64::from(deviation.next_up()) - f64::from(deviation);
        let per_step = 1.0 / step;
        let first = f64::from(count) + 1.0;
        let (mut steps, mut from_nearest) = ([0.0_f64; LANES], [0.0_f64; LANES]);
        for (chunk, distances) in distances.as_chunks::<LANES>().0.iter().enumerate() {
            for lane in 0..LANES {
                let n = (first + (chunk * LANES + lane) as f64).min(LAST_COUNT);
                let addend = f64::from(distances[lane] * distances[lane]) * (n - 1.0) / n * per_step;
                let nearest = (addend + ROUNDING) - ROUNDING;
                steps[lane] += nearest;
                from_nearest[lane] = from_nearest[lane].max((addend - nearest).abs());
            }
        }
        let added = f64::from(deviation) + steps.iter().sum::<f64>() * step;
        // The last number before the distance of neighbours doubles.
        let end = f64::from(f32::from_bits(deviation.to_bits() | 0x007f_ffff));
        let is_clear = from_nearest.iter().all(|&distance| distance < CLEAR) && added <= end;
        let count = (f64::from(count) + BLOCK as f64).min(LAST_COUNT) as f32;
        is_clear.then_some(Self { count, mean, deviation: added as f32 })
    }

    /// Deviation over mean.
    pub(super) fn coefficient_of_variation(&self) -> f32 {
        let deviation = (f64::from(self.deviation) / (f64::from(self.count) - 1.0)).sqrt() as f32;
        deviation / self.mean
    }
}

#[cfg(test)]
mod tests {
    use rand::rngs::ChaCha8Rng;
    use rand::{RngExt, SeedableRng};

    use super::*;

    /// Ratios as an iteration leaves them: smooth, near 1, with noise of their own.
    fn ratios(count: usize, offset: f64, slope: f64, noise: f64) -> Vec<f32> {
        let mut generator = ChaCha8Rng::seed_from_u64(count as u64);
        let smooth = |i: usize| offset + slope * (i as f64 / 5000.0).sin();
        (0..count).map(|i| (smooth(i) + noise * (generator.random::<f64>() - 0.5)) as f32).collect()
    }

    #[test]
    fn blocks_come_to_the_same_bits_as_voxels_in_turn() {
        let starts = [
            Convergence::default(),
            Convergence { count: 1e5, mean: 1.0, deviation: 0.3 },
            Convergence { count: 3e6, mean: 0.999_999_94, deviation: 1.999_999_9 },
            Convergence { count: 16_777_200.0, mean: 1.000_000_1, deviation: 40.0 },
            Convergence { count: 1e6, mean: 1.0, deviation: 0.0 },
            Convergence { count: 1e6, mean: f32::NAN, deviation: 1.0 },
        ];
        for start in starts {
            for (offset, slope, noise) in [
                (1.0, 0.05, 0.0),
                (1.001, 0.002, 1e-4),
                (0.999_97, 1e-5, 1e-7),
                (1.0, 0.0, 0.0),
                (1.0, 0.5, 1.0),
                (f64::NAN, 0.0, 0.0),
            ] {
                let ratios = ratios(100_003, offset, slope, noise);
                let (mut blocks, mut turns) = (start, start);
                blocks.add(&ratios);
                turns.add_in_turn(&ratios);
                let bits = |c: Convergence| [c.count, c.mean, c.deviation].map(f32::to_bits);
                let both_nan = blocks.mean.is_nan() && turns.mean.is_nan();
                assert!(
                    both_nan || bits(blocks) == bits(turns),
                    "{start:?}, {offset}, {slope}, {noise}: {blocks:?}, {turns:?}"
                );
            }
        }
    }

    #[test]
    fn most_blocks_are_added_at_rest_once_the_mean_has_settled() {
        let mut convergence = Convergence::default();
        let ratios = ratios(1_000_000, 1.0, 0.002, 1e-4);
        convergence.add(&ratios);
        let at_rest = ratios.as_chunks().0.iter().filter(|block| convergence.add_at_rest(block).is_some()).count();
        assert!(at_rest > 30_000, "{at_rest} of 31250 blocks");
    }

    #[test]
    fn halves_are_left_to_the_chain() {
        // A deviation of 1 has neighbours 2⁻²³ apart: half of that, nearly, is added by each ratio.
        let start = Convergence { count: 1e6, mean: 1.0, deviation: 1.0 };
        let ratio = 1.0 + (2.0_f64.powi(-24)).sqrt() as f32;
        assert_eq!(start.add_at_rest(&[ratio; BLOCK]), None);
        let (mut blocks, mut turns) = (start, start);
        blocks.add(&[ratio; 1000]);
        turns.add_in_turn(&[ratio; 1000]);
        assert_eq!(blocks, turns);
    }
}
