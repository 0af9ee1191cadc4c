//! Convergence of the chains: whether they have forgotten their start and mix.

use ndarray::Array2;

/// Mean and standard deviation of the imputed values of one variable, by iteration and chain. Of a categorical variable
/// they are those of its codes.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Trace {
    /// The variable.
    pub variable: String,
    /// Mean of the imputed values, iterations × chains.
    pub mean: Array2<f64>,
    /// Standard deviation of the imputed values, iterations × chains; NaN where one value is imputed.
    pub standard_deviation: Array2<f64>,
}

impl Trace {
    pub(crate) fn new(variable: &str, mean: Array2<f64>, standard_deviation: Array2<f64>) -> Self {
        Self { variable: variable.to_owned(), mean, standard_deviation }
    }

    /// The potential scale reduction R̂ of the means ([`split_r_hat`]). Values near 1 say that the chains agree; above
    /// 1.1 or so more iterations are needed.
    #[must_use]
    pub fn r_hat_of_mean(&self) -> f64 {
        split_r_hat(&self.mean)
    }

    /// The potential scale reduction R̂ of the standard deviations.
    #[must_use]
    pub fn r_hat_of_standard_deviation(&self) -> f64 {
        split_r_hat(&self.standard_deviation)
    }
}

/// The split potential scale reduction (Gelman et al., Bayesian Data Analysis, third edition, 11.4) of a quantity,
/// iterations × chains. Each chain is cut in halves, of which m have n iterations each:
///
/// ```text
/// B = n/(m − 1) Σ (ψ̄ⱼ − ψ̄)²     W = mean of the variances within the halves     R̂ = √(((n − 1)/n W + B/n)/W)
/// ```
///
/// Of an odd number of iterations the first is left out. NaN with fewer than four iterations, or when a value is not
/// finite; 1 when nothing varies; infinite when halves that do not vary differ.
///
/// ```
/// use alnm_imputation::convergence::split_r_hat;
/// use ndarray::array;
/// // Two chains around 0 and one apart.
/// let apart = array![[0.1, -0.1, 5.0], [-0.1, 0.1, 5.1], [0.1, 0.0, 4.9], [-0.1, 0.1, 5.0]];
/// assert!(split_r_hat(&apart) > 3.0);
/// ```
#[must_use]
pub fn split_r_hat(quantity: &Array2<f64>) -> f64 {
    let half = quantity.nrows() / 2;
    if half < 2 {
        return f64::NAN;
    }
    let n = half as f64;
    let first = quantity.nrows() - 2 * half;
    let (mut means, mut variances) = (Vec::new(), Vec::new());
    for chain in quantity.columns() {
        for part in [first..first + half, first + half..quantity.nrows()] {
            let values: Vec<f64> = part.map(|iteration| chain[iteration]).collect();
            let mean = values.iter().sum::<f64>() / n;
            variances.push(values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1.0));
            means.push(mean);
        }
    }
    let m = means.len() as f64;
    let grand = means.iter().sum::<f64>() / m;
    let between = means.iter().map(|mean| (mean - grand).powi(2)).sum::<f64>() / (m - 1.0);
    let within = variances.iter().sum::<f64>() / m;
    if within == 0.0 && between == 0.0 {
        return 1.0;
    }
    (((n - 1.0) / n * within + between) / within).sqrt()
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn r_hat_is_that_of_its_formula() {
        // Halves (1, 3), (2, 4) and (1, 5), (3, 3): means 2, 3, 3, 3, variances 2, 2, 8, 0.
        let quantity = array![[1.0, 1.0], [3.0, 5.0], [2.0, 3.0], [4.0, 3.0]];
        // W = 3, B/n = variance of the means = 0.25.
        assert!((split_r_hat(&quantity) - ((0.5 * 3.0 + 0.25) / 3.0_f64).sqrt()).abs() < 1e-15);
        // The first of five iterations is left out.
        let longer = array![[90.0, -90.0], [1.0, 1.0], [3.0, 5.0], [2.0, 3.0], [4.0, 3.0]];
        assert_eq!(split_r_hat(&longer), split_r_hat(&quantity));
        assert!(split_r_hat(&array![[1.0], [2.0], [3.0]]).is_nan());
        assert_eq!(split_r_hat(&Array2::from_elem((6, 2), 7.0)), 1.0);
        assert!(split_r_hat(&array![[1.0, 2.0], [1.0, 2.0], [1.0, 2.0], [1.0, 2.0]]).is_infinite());
    }
}
