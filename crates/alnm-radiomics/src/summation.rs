//! Sums that are accurate, fast and the same on every machine.

use alnm_imaging::vectorised;

/// Values up to which running sums are used instead of halves.
const BLOCK: usize = 128;
/// Independent running sums inside a block.
const LANES: usize = 8;

/// The sum of `term(v)` over all values, with the additions in the order of numpy's pairwise summation: the values of a
/// flat region differ from their mean by rounding alone, and skewness and kurtosis show it.
pub(crate) fn sum_of(values: &[f64], term: impl Fn(f64) -> f64 + Copy) -> f64 {
    let [sum] = sums_of(values, |value| [term(value)]);
    sum
}

/// [`sum_of`] for several terms in one pass.
pub(crate) fn sums_of<const N: usize>(values: &[f64], terms: impl Fn(f64) -> [f64; N] + Copy) -> [f64; N] {
    if values.len() > BLOCK {
        let half = values.len() / 2;
        let (left, right) = values.split_at(half - half % LANES);
        let (left, right) = (sums_of(left, terms), sums_of(right, terms));
        return std::array::from_fn(|k| left[k] + right[k]);
    }
    vectorised!(pulp::Arch::new(), sums_of_block(values, terms))
}

/// [`sums_of`] for at most [`BLOCK`] values.
#[inline(always)]
fn sums_of_block<const N: usize>(values: &[f64], terms: impl Fn(f64) -> [f64; N] + Copy) -> [f64; N] {
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

    #[test]
    fn undefined_values_are_left_out_of_the_mean() {
        assert_eq!(mean_of_defined([1.0, f64::NAN, 3.0]), 2.0);
        assert!(mean_of_defined([f64::NAN]).is_nan());
    }
}
