//! Restricted cubic splines: cubic between the knots, linear beyond them.

use crate::describe::{QuantileType, quantile_of_sorted, sorted};
use crate::error::{Result, StatsError, require_count, require_finite};

/// A restricted (natural) cubic spline in Harrell's form, as `rcspline.eval` of R's `Hmisc`.
///
/// With the knots t₁ < … < tₖ its terms are x and, for j = 1 … k − 2,
///
/// ```text
/// [(x − tⱼ)₊³ − (x − tₖ₋₁)₊³ (tₖ − tⱼ)/(tₖ − tₖ₋₁) + (x − tₖ)₊³ (tₖ₋₁ − tⱼ)/(tₖ − tₖ₋₁)] / (tₖ − t₁)²
/// ```
///
/// A model that is linear in these terms is a smooth function of x that ends in straight lines.
///
/// ```
/// use alnm_stats::restricted_spline::RestrictedSpline;
/// let spline = RestrictedSpline::new(vec![0.0, 1.0, 2.0])?;
/// assert_eq!(spline.terms(-1.0), [-1.0, 0.0]);
/// assert_eq!(spline.terms(1.0), [1.0, 0.25]);
/// // Beyond the last knot each further unit adds the same.
/// assert_eq!(spline.terms(4.0)[1] - spline.terms(3.0)[1], spline.terms(3.0)[1] - spline.terms(2.0)[1]);
/// # Ok::<(), alnm_stats::StatsError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct RestrictedSpline {
    knots: Vec<f64>,
}

impl RestrictedSpline {
    /// A spline with the given knots.
    ///
    /// # Errors
    /// [`StatsError::TooFew`] below three knots, [`StatsError::NonFinite`], [`StatsError::Parameter`] for knots that do
    /// not ascend.
    pub fn new(knots: Vec<f64>) -> Result<Self> {
        const OPERATION: &str = "restricted cubic spline";
        require_count(OPERATION, "knots", 3, knots.len())?;
        require_finite(OPERATION, &knots)?;
        match knots.windows(2).find(|pair| pair[0] >= pair[1]) {
            Some(pair) => Err(StatsError::parameter("knot of a spline", pair[1], "above the knot before it")),
            None => Ok(Self { knots }),
        }
    }

    /// A spline with `count` knots at Harrell's quantiles (type 7) of the values: from the 10th to the 90th percentile
    /// for 3 knots, the 5th to the 95th for 4 to 6, the 2.5th to the 97.5th for 7 and more, evenly between. Below 100
    /// values the outer knots are the fifth smallest and largest.
    ///
    /// # Errors
    /// [`StatsError::TooFew`] below three knots or ten values, [`StatsError::NonFinite`], [`StatsError::Parameter`]
    /// when tied values leave two knots equal: take fewer knots.
    pub fn at_quantiles(values: &[f64], count: usize) -> Result<Self> {
        const OPERATION: &str = "restricted cubic spline";
        const FEW: usize = 100;
        require_count(OPERATION, "knots", 3, count)?;
        require_count(OPERATION, "observations", 10, values.len())?;
        require_finite(OPERATION, values)?;
        let ordered = sorted(values);
        let outer = match count {
            3 => 0.1,
            4..=6 => 0.05,
            _ => 0.025,
        };
        let place = |k: usize| outer + (1.0 - 2.0 * outer) * k as f64 / (count - 1) as f64;
        let mut knots: Vec<f64> =
            (0..count).map(|k| quantile_of_sorted(&ordered, place(k), QuantileType::Type7)).collect();
        if values.len() < FEW {
            knots[0] = ordered[4];
            knots[count - 1] = ordered[values.len() - 5];
        }
        Self::new(knots)
    }

    /// The knots in ascending order.
    #[must_use]
    pub fn knots(&self) -> &[f64] {
        &self.knots
    }

    /// The terms at a value, one less than knots: the value itself, then the cubic terms.
    #[must_use]
    pub fn terms(&self, x: f64) -> Vec<f64> {
        let k = self.knots.len();
        let (first, inner, last) = (self.knots[0], self.knots[k - 2], self.knots[k - 1]);
        let cube = |knot: f64| (x - knot).max(0.0).powi(3);
        let cubic = self.knots[..k - 2].iter().map(|&knot| {
            let span = last - inner;
            let value = cube(knot) - cube(inner) * (last - knot) / span + cube(last) * (inner - knot) / span;
            value / (last - first).powi(2)
        });
        std::iter::once(x).chain(cubic).collect()
    }
}

#[cfg(feature = "serde")]
crate::reading::checked_on_reading! {
    RestrictedSpline {
        knots: Vec<f64>,
    }
}

#[cfg(feature = "serde")]
impl RestrictedSpline {
    /// What contradicts itself in a value from a file.
    fn check(&self) -> crate::reading::Checked {
        Self::new(self.knots.clone()).map(drop).map_err(|error| error.to_string())
    }
}
