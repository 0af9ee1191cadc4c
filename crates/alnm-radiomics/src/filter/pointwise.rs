//! Images whose grey values are functions of the original ones.
//!
//! M stands for the largest absolute grey value of the image, so that results have about the original range.

/// (x / √M)².
pub(crate) fn square(values: &[f64], largest: f64) -> Vec<f64> {
    let coefficient = 1.0 / largest.sqrt();
    values.iter().map(|x| (coefficient * x) * (coefficient * x)).collect()
}

/// √(x M), with the sign of x.
pub(crate) fn square_root(values: &[f64], largest: f64) -> Vec<f64> {
    let root = |x: f64| (x * largest).sqrt();
    values
        .iter()
        .map(|&x| {
            if x > 0.0 {
                root(x)
            } else if x < 0.0 {
                -root(-x)
            } else {
                x
            }
        })
        .collect()
}

/// log(|x| + 1), with the sign of x, scaled so that M stays M.
pub(crate) fn logarithm(values: &[f64], largest: f64) -> Vec<f64> {
    let log = |x: f64| {
        if x > 0.0 {
            (x + 1.0).ln()
        } else if x < 0.0 {
            -(-(x - 1.0)).ln()
        } else {
            x
        }
    };
    let scale = largest / log(largest);
    values.iter().map(|&x| log(x) * scale).collect()
}

/// exp(x log(M) / M).
pub(crate) fn exponential(values: &[f64], largest: f64) -> Vec<f64> {
    let coefficient = largest.ln() / largest;
    values.iter().map(|x| (coefficient * x).exp()).collect()
}

/// M: the largest absolute value.
pub(crate) fn largest_magnitude(values: impl Iterator<Item = f64>) -> f64 {
    values.fold(0.0, |largest, value| f64::max(largest, value.abs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_keep_the_range_and_the_sign() {
        let values = [-100.0, -4.0, 0.0, 25.0];
        let largest = largest_magnitude(values.into_iter());
        assert_eq!(square_root(&values, largest), [-100.0, -20.0, 0.0, 50.0]);
        approx::assert_relative_eq!(logarithm(&values, largest)[0], -100.0, max_relative = 1e-14);
        approx::assert_relative_eq!(square(&values, largest)[0], 100.0, max_relative = 1e-14);
        approx::assert_relative_eq!(exponential(&values, largest)[0], 0.01, max_relative = 1e-12);
    }
}
