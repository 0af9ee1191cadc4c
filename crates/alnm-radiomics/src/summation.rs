//! Sums that are accurate, fast and the same on every machine.

use alnm_imaging::{Voxel, vectorised};

/// Values up to which running sums are used instead of halves.
const BLOCK: usize = 128;
/// Sets that are added up at a time, of those that are added up side by side.
const SETS: usize = 8;
/// Values of the largest set that is added up side by side with others.
pub(crate) const MOST_SIDE_BY_SIDE: usize = BLOCK;
/// Independent running sums inside a block.
const LANES: usize = 8;

/// The sum of `term(v)` over all values, with the additions in the order of numpy's pairwise summation: the values of a
/// flat region differ from their mean by rounding alone, and skewness and kurtosis show it.
pub(crate) fn sum_of<T: Voxel>(values: &[T], term: impl Fn(f64) -> f64 + Copy) -> f64 {
    let [sum] = sums_of(values, |value| [term(value)]);
    sum
}

/// [`sum_of`] for several terms in one pass.
pub(crate) fn sums_of<T: Voxel, const N: usize>(values: &[T], terms: impl Fn(f64) -> [f64; N] + Copy) -> [f64; N] {
    if values.len() > BLOCK {
        let (left, right) = values.split_at(left_part(values.len()));
        let (left, right) = (sums_of(left, terms), sums_of(right, terms));
        return std::array::from_fn(|k| left[k] + right[k]);
    }
    vectorised!(pulp::Arch::new(), sums_of_block(values, terms))
}

/// [`sums_of`] for at most [`BLOCK`] values.
#[inline(always)]
fn sums_of_block<T: Voxel, const N: usize>(values: &[T], terms: impl Fn(f64) -> [f64; N] + Copy) -> [f64; N] {
    let terms = |value: T| terms(value.to_f64());
    if values.len() < LANES {
        return values.iter().map(|&v| terms(v)).fold([0.0; N], |sums, v| std::array::from_fn(|k| sums[k] + v[k]));
    }
    let (chunks, rest) = values.as_chunks::<LANES>();
    let mut lanes = [[0.0; LANES]; N];
    for chunk in chunks {
        for lane in 0..LANES {
            let terms = terms(chunk[lane]);
            for k in 0..N {
                lanes[k][lane] += terms[k];
            }
        }
    }
    let sums = lanes.map(|l| ((l[0] + l[1]) + (l[2] + l[3])) + ((l[4] + l[5]) + (l[6] + l[7])));
    rest.iter().map(|&v| terms(v)).fold(sums, |sums, v| std::array::from_fn(|k| sums[k] + v[k]))
}

/// [`sum_of`] `count` values that `next` gives in their order, as many as it is given room for.
pub(crate) fn sum_of_next(count: usize, next: &mut impl FnMut(&mut [f64]), term: impl Fn(f64) -> f64 + Copy) -> f64 {
    if count > BLOCK {
        let left = left_part(count);
        return sum_of_next(left, next, term) + sum_of_next(count - left, next, term);
    }
    let mut block = [0.0; BLOCK];
    next(&mut block[..count]);
    sum_of(&block[..count], term)
}

/// How many of more values than a block are added up first.
fn left_part(count: usize) -> usize {
    let half = count / 2;
    half - half % LANES
}

/// [`sums_of`] of `W` sets of values side by side: value k of each set stands in row k. A set has at most
/// [`MOST_SIDE_BY_SIDE`] values; their numbers are given, and what lies beyond them does not matter. `terms` is also
/// told which set a value belongs to. The number of sets is a multiple of [`SETS`].
#[inline(always)]
pub(crate) fn sums_side_by_side<const N: usize, const W: usize>(
    rows: &[[f64; W]],
    counts: &[usize; W],
    terms: impl Fn(f64, usize) -> [f64; N] + Copy,
) -> [[f64; W]; N] {
    const { assert!(W.is_multiple_of(SETS), "sets are added up a few at a time") };
    let whole = counts.map(|count| count - count % LANES);
    // Sets without values are taken out at the end.
    let least = whole.iter().zip(counts).filter(|(_, count)| **count > 0).map(|(&whole, _)| whole).min().unwrap_or(0);
    let most = whole.iter().copied().fold(0, usize::max);
    let last = counts.iter().copied().fold(0, usize::max);
    // Numbers as wide as the values, so that both are compared side by side.
    let (ends, totals) = (whole.map(|count| count as f64), counts.map(|count| count as f64));
    let mut all = [[0.0; W]; N];
    // So few sums at a time that they stay in the registers of the processor.
    for first in (0..W).step_by(SETS) {
        let mut lanes = [[[0.0; SETS]; N]; LANES];
        for lane in 0..LANES {
            let mut sums = [[0.0; SETS]; N];
            for row in rows[..least].iter().skip(lane).step_by(LANES) {
                for set in 0..SETS {
                    let terms = terms(row[first + set], first + set);
                    for k in 0..N {
                        sums[k][set] += terms[k];
                    }
                }
            }
            for (place, row) in rows[..most].iter().enumerate().skip(least + lane).step_by(LANES) {
                let place = place as f64;
                for set in 0..SETS {
                    let terms = terms(row[first + set], first + set);
                    for k in 0..N {
                        sums[k][set] += if place < ends[first + set] { terms[k] } else { 0.0 };
                    }
                }
            }
            lanes[lane] = sums;
        }
        let mut sums = [[0.0; SETS]; N];
        for k in 0..N {
            for set in 0..SETS {
                let l = |lane: usize| lanes[lane][k][set];
                sums[k][set] = ((l(0) + l(1)) + (l(2) + l(3))) + ((l(4) + l(5)) + (l(6) + l(7)));
            }
        }
        for (place, row) in rows[..last].iter().enumerate().skip(least) {
            let place = place as f64;
            for set in 0..SETS {
                let terms = terms(row[first + set], first + set);
                let is_left = (place >= ends[first + set]) & (place < totals[first + set]);
                for k in 0..N {
                    sums[k][set] += if is_left { terms[k] } else { 0.0 };
                }
            }
        }
        for k in 0..N {
            for set in 0..SETS {
                all[k][first + set] = if totals[first + set] > 0.0 { sums[k][set] } else { 0.0 };
            }
        }
    }
    all
}

/// The sum of all values; see [`sum_of`].
pub(crate) fn sum(values: &[f64]) -> f64 {
    sum_of(values, |value| value)
}

/// Σ x and Σ x², with Kahan's compensation: exact where all partial sums are, and else hardly more than one rounding
/// away from it.
pub(crate) fn compensated_sums(values: &[f64]) -> [f64; 2] {
    let (chunks, rest) = values.as_chunks::<LANES>();
    let mut lanes = [[[0.0; 2]; LANES]; 2];
    for chunk in chunks {
        for lane in 0..LANES {
            let value = chunk[lane];
            add(&mut lanes[0][lane], value);
            add(&mut lanes[1][lane], value * value);
        }
    }
    let mut totals = [[0.0; 2]; 2];
    for (total, lanes) in totals.iter_mut().zip(lanes) {
        for [sum, excess] in lanes {
            add(total, sum);
            add(total, -excess);
        }
    }
    for &value in rest {
        add(&mut totals[0], value);
        add(&mut totals[1], value * value);
    }
    totals.map(|[sum, _]| sum)
}

/// Adds a value to a sum, and keeps what rounding added too much.
#[inline(always)]
fn add([sum, excess]: &mut [f64; 2], value: f64) {
    let corrected = value - *excess;
    let next = *sum + corrected;
    *excess = (next - *sum) - corrected;
    *sum = next;
}

/// The mean of all values that are not NaN; NaN when there is none.
pub(crate) fn mean_of_defined(values: impl IntoIterator<Item = f64>) -> f64 {
    let (mut total, mut count) = (0.0, 0usize);
    for value in values {
        if !value.is_nan() {
            total += value;
            count += 1;
        }
    }
    if count == 0 { f64::NAN } else { total / count as f64 }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn agrees_with_a_sum_in_integers(values in prop::collection::vec(-1000i32..1000, 0..5000)) {
            let exact: i64 = values.iter().map(|&v| i64::from(v)).sum();
            let floats: Vec<f64> = values.iter().map(|&v| f64::from(v)).collect();
            prop_assert_eq!(sum(&floats), exact as f64);
            let squares: i64 = values.iter().map(|&v| i64::from(v) * i64::from(v)).sum();
            prop_assert_eq!(compensated_sums(&floats), [exact as f64, squares as f64]);
        }
    }

    proptest! {
        #[test]
        fn values_one_block_after_the_other_have_the_sum_of_all(values in prop::collection::vec(-1e3f64..1e3, 0..2000)) {
            let mut remaining = values.as_slice();
            let mut next = |room: &mut [f64]| {
                let (given, later) = remaining.split_at(room.len());
                room.copy_from_slice(given);
                remaining = later;
            };
            let found = sum_of_next(values.len(), &mut next, |value| value * value);
            prop_assert_eq!(found.to_bits(), sum_of(&values, |value| value * value).to_bits());
        }
    }

    proptest! {
        #[test]
        fn sets_side_by_side_have_the_sums_of_each_alone(
            sets in prop::collection::vec(prop::collection::vec(prop_oneof![-1e3f64..1e3, Just(-0.0)], 0..=MOST_SIDE_BY_SIDE), 2 * SETS),
        ) {
            let rows: Vec<[f64; 2 * SETS]> = (0..MOST_SIDE_BY_SIDE)
                .map(|place| std::array::from_fn(|set| sets[set].get(place).copied().unwrap_or(f64::NAN)))
                .collect();
            let counts = std::array::from_fn(|set| sets[set].len());
            let terms = |value: f64, set: usize| [value, value * value - set as f64];
            let found = sums_side_by_side(&rows, &counts, terms);
            for (set, values) in sets.iter().enumerate() {
                let expected = sums_of(values, |value| terms(value, set));
                prop_assert_eq!(found.map(|sums| sums[set].to_bits()), expected.map(f64::to_bits));
            }
        }
    }

    #[test]
    fn undefined_values_are_left_out_of_the_mean() {
        assert_eq!(mean_of_defined([1.0, f64::NAN, 3.0]), 2.0);
        assert!(mean_of_defined([f64::NAN]).is_nan());
    }
}
