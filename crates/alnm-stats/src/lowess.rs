//! Robust locally linear smoothing of a scatter plot (Cleveland 1979), as R's `lowess`.

use crate::describe::sorted;
use crate::error::{Result, StatsError, require_count, require_finite, require_same_length};
use crate::rank::ascending_order;

/// Parameters of the smoother.
///
/// | field | default | meaning | range |
/// |---|---|---|---|
/// | `span` | 2/3 | Share of the points that influence a smoothed value. | above 0, at most 1 |
/// | `iterations` | 3 | Number of robustifying iterations; take 0 for a binary outcome. | |
/// | `delta` | 1 % of the range of x | Points closer than this to the last fitted one are interpolated. | 0 or more |
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
#[must_use]
pub struct LowessParams {
    /// Share of the points that influence a smoothed value.
    pub span: f64,
    /// Number of robustifying iterations.
    pub iterations: usize,
    /// Distance below which points are interpolated; `None` is 1 % of the range.
    pub delta: Option<f64>,
}

impl Default for LowessParams {
    fn default() -> Self {
        Self { span: 2.0 / 3.0, iterations: 3, delta: None }
    }
}

impl LowessParams {
    /// Sets the share of the points that influence a smoothed value.
    pub fn with_span(self, span: f64) -> Self {
        Self { span, ..self }
    }

    /// Sets the number of robustifying iterations.
    pub fn with_iterations(self, iterations: usize) -> Self {
        Self { iterations, ..self }
    }

    /// Sets the distance below which points are interpolated; `None` is 1 % of the range.
    pub fn with_delta(self, delta: Option<f64>) -> Self {
        Self { delta, ..self }
    }

    /// Checks the parameters.
    ///
    /// # Errors
    /// [`StatsError::Parameter`] names the first that lies outside its range.
    pub fn check(self) -> Result<Lowess> {
        if !(self.span > 0.0 && self.span <= 1.0) {
            return Err(StatsError::parameter("span", self.span, "above 0 and at most 1"));
        }
        match self.delta {
            Some(delta) if !(0.0..=f64::MAX).contains(&delta) => {
                Err(StatsError::parameter("delta", delta, "at least 0 and finite"))
            }
            _ => Ok(Lowess(self)),
        }
    }
}

/// A smoother with checked parameters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Lowess(LowessParams);

/// A smooth curve through points, `x` ascending.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct SmoothCurve {
    x: Vec<f64>,
    y: Vec<f64>,
}

impl SmoothCurve {
    /// A curve through points whose abscissae ascend.
    pub(crate) fn new(x: Vec<f64>, y: Vec<f64>) -> Self {
        Self { x, y }
    }

    /// Abscissae in ascending order, repeated as in the data.
    #[must_use]
    pub fn x(&self) -> &[f64] {
        &self.x
    }

    /// Smoothed values, one per abscissa.
    #[must_use]
    pub fn y(&self) -> &[f64] {
        &self.y
    }
}

/// Smooths `y` over `x`, under parameters that are checked first.
///
/// # Errors
/// As [`LowessParams::check`] and [`Lowess::smooth`].
///
/// ```
/// use alnm_stats::lowess::{LowessParams, lowess};
/// let curve = lowess(&[1.0, 2.0, 3.0, 4.0], &[2.0, 4.0, 6.0, 8.0], LowessParams::default().with_span(1.0))?;
/// assert!((curve.y()[1] - 4.0).abs() < 1e-12);
/// # Ok::<(), alnm_stats::StatsError>(())
/// ```
pub fn lowess(x: &[f64], y: &[f64], params: LowessParams) -> Result<SmoothCurve> {
    params.check()?.smooth(x, y)
}

impl Lowess {
    /// Smooths `y` over `x`.
    ///
    /// # Errors
    /// [`StatsError::LengthMismatch`], [`StatsError::TooFew`] below two points and [`StatsError::NonFinite`].
    pub fn smooth(&self, x: &[f64], y: &[f64]) -> Result<SmoothCurve> {
        smooth(x, y, self.0)
    }
}

fn smooth(x: &[f64], y: &[f64], params: LowessParams) -> Result<SmoothCurve> {
    const OPERATION: &str = "lowess";
    require_same_length(OPERATION, x.len(), y.len())?;
    require_count(OPERATION, "observations", 2, x.len())?;
    require_finite(OPERATION, x)?;
    require_finite(OPERATION, y)?;
    let order = ascending_order(x);
    let x: Vec<f64> = order.iter().map(|&i| x[i]).collect();
    let y: Vec<f64> = order.iter().map(|&i| y[i]).collect();
    let n = x.len();
    let delta = params.delta.unwrap_or(0.01 * (x[n - 1] - x[0]));
    let neighbours = ((params.span * n as f64 + 1e-7) as usize).clamp(2, n);
    let mut robustness: Option<Vec<f64>> = None;
    let mut smooth = vec![0.0; n];
    for iteration in 0..=params.iterations {
        pass(&x, &y, neighbours, delta, robustness.as_deref(), &mut smooth);
        if iteration == params.iterations {
            break;
        }
        match bisquare_weights(&y, &smooth) {
            Some(weights) => robustness = Some(weights),
            None => break,
        }
    }
    Ok(SmoothCurve { x, y: smooth })
}

/// One pass over the points from left to right, with linear interpolation between fitted points.
fn pass(x: &[f64], y: &[f64], neighbours: usize, delta: f64, robustness: Option<&[f64]>, smooth: &mut [f64]) {
    let n = x.len();
    let mut weights = vec![0.0; n];
    let (mut left, mut right) = (0, neighbours - 1);
    let mut last: Option<usize> = None;
    let mut i = 0;
    loop {
        while right + 1 < n && x[i] - x[left] > x[right + 1] - x[i] {
            left += 1;
            right += 1;
        }
        smooth[i] = local_value(x, y, x[i], left, right, robustness, &mut weights).unwrap_or(y[i]);
        if let Some(previous) = last {
            for j in previous + 1..i {
                let alpha = (x[j] - x[previous]) / (x[i] - x[previous]);
                smooth[j] = alpha * smooth[i] + (1.0 - alpha) * smooth[previous];
            }
        }
        let mut fitted = i;
        let cut = x[fitted] + delta;
        let mut next = fitted + 1;
        while next < n && x[next] <= cut {
            if x[next] == x[fitted] {
                smooth[next] = smooth[fitted];
                fitted = next;
            }
            next += 1;
        }
        last = Some(fitted);
        if fitted + 1 >= n {
            return;
        }
        i = (fitted + 1).max(next - 1);
    }
}

/// Value at `at` of the weighted line through the points from `left` on; `None` when all weights vanish.
fn local_value(
    x: &[f64],
    y: &[f64],
    at: f64,
    left: usize,
    right: usize,
    robustness: Option<&[f64]>,
    w: &mut [f64],
) -> Option<f64> {
    let n = x.len();
    let h = (at - x[left]).max(x[right] - at);
    let (near, far) = (0.001 * h, 0.999 * h);
    let mut total = 0.0;
    let mut end = left;
    // Points beyond `right` that tie with it still take part.
    while end < n {
        let r = (x[end] - at).abs();
        w[end] = 0.0;
        if r <= far {
            w[end] = if r <= near { 1.0 } else { (1.0 - (r / h).powi(3)).powi(3) };
            if let Some(weights) = robustness {
                w[end] *= weights[end];
            }
            total += w[end];
        } else if x[end] > at {
            break;
        }
        end += 1;
    }
    if total <= 0.0 {
        return None;
    }
    let window = left..end;
    for v in &mut w[window.clone()] {
        *v /= total;
    }
    if h > 0.0 {
        let center: f64 = window.clone().map(|j| w[j] * x[j]).sum();
        let spread: f64 = window.clone().map(|j| w[j] * (x[j] - center).powi(2)).sum();
        if spread.sqrt() > 0.001 * (x[n - 1] - x[0]) {
            let slope = (at - center) / spread;
            for j in window.clone() {
                w[j] *= slope * (x[j] - center) + 1.0;
            }
        }
    }
    Some(window.map(|j| w[j] * y[j]).sum())
}

/// Bisquare weights from the residuals; `None` when the fit is already as good as exact.
fn bisquare_weights(y: &[f64], smooth: &[f64]) -> Option<Vec<f64>> {
    let residuals: Vec<f64> = y.iter().zip(smooth).map(|(y, s)| (y - s).abs()).collect();
    let n = residuals.len();
    let ordered = sorted(&residuals);
    let six_medians =
        if n.is_multiple_of(2) { 3.0 * (ordered[n / 2] + ordered[n - n / 2 - 1]) } else { 6.0 * ordered[n / 2] };
    if six_medians < 1e-7 * residuals.iter().sum::<f64>() / n as f64 {
        return None;
    }
    let weight = |r: f64| {
        if r <= 0.001 * six_medians {
            1.0
        } else if r <= 0.999 * six_medians {
            (1.0 - (r / six_medians).powi(2)).powi(2)
        } else {
            0.0
        }
    };
    Some(residuals.into_iter().map(weight).collect())
}

#[cfg(feature = "serde")]
crate::reading::checked_on_reading! {
    SmoothCurve {
        x: Vec<f64>,
        y: Vec<f64>,
    }
}

#[cfg(feature = "serde")]
impl SmoothCurve {
    /// What contradicts itself in a value from a file.
    fn check(&self) -> crate::reading::Checked {
        if self.x.len() != self.y.len() {
            let (x, y) = (self.x.len(), self.y.len());
            return Err(format!("lengths of a smooth curve are {x} and {y}; they must be equal"));
        }
        if self.x.iter().chain(&self.y).any(|v| !v.is_finite()) || self.x.windows(2).any(|pair| pair[0] > pair[1]) {
            return Err("order of a smooth curve is wrong; its abscissae must ascend and be finite".to_owned());
        }
        Ok(())
    }
}
