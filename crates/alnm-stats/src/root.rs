//! Root of a function of one variable.

use crate::error::{Result, StatsError};

/// A root found in a bracket.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Root {
    /// Where the function changes its sign.
    pub location: f64,
    /// Number of function values computed.
    pub evaluations: usize,
}

/// Brent's method in `[a, b]`, whose ends must give values of opposite sign. Converged when the bracket is shorter than
/// `tolerance` plus four units in the last place of the root. The iteration is that of R's `uniroot` (Brent 1973,
/// "zeroin"), so that step functions give the same answer.
///
/// # Errors
/// [`StatsError::Undefined`] when the signs at the ends agree or a value is NaN, [`StatsError::NotConverged`] after
/// `max_evaluations`.
///
/// ```
/// let root = alnm_stats::root::brent(|x| x * x - 2.0, 0.0, 2.0, 1e-14, 100)?;
/// assert!((root.location - 2f64.sqrt()).abs() < 1e-13);
/// # Ok::<(), alnm_stats::StatsError>(())
/// ```
pub fn brent(mut f: impl FnMut(f64) -> f64, a: f64, b: f64, tolerance: f64, max_evaluations: usize) -> Result<Root> {
    let (mut a, mut b) = (a, b);
    let (mut fa, mut fb) = (f(a), f(b));
    if fa.is_nan() || fb.is_nan() || (fa > 0.0 && fb > 0.0) || (fa < 0.0 && fb < 0.0) {
        return Err(StatsError::Undefined {
            operation: "root finding",
            requirement: "the function must change its sign in the bracket",
        });
    }
    let (mut c, mut fc) = (a, fa);
    for evaluations in 2..max_evaluations {
        let previous_step = b - a;
        if fc.abs() < fb.abs() {
            (a, b, c) = (b, c, b);
            (fa, fb, fc) = (fb, fc, fb);
        }
        let close = 2.0 * f64::EPSILON * b.abs() + tolerance / 2.0;
        let bisection = (c - b) / 2.0;
        if bisection.abs() <= close || fb == 0.0 {
            return Ok(Root { location: b, evaluations });
        }
        let mut step = bisection;
        if previous_step.abs() >= close && fa.abs() > fb.abs() {
            let cb = c - b;
            let (mut p, mut q) = if a == c {
                // Two points: secant.
                let t1 = fb / fa;
                (cb * t1, 1.0 - t1)
            } else {
                // Three points: inverse quadratic interpolation.
                let (q, t1, t2) = (fa / fc, fb / fc, fb / fa);
                (t2 * (cb * q * (q - t1) - (b - a) * (t1 - 1.0)), (q - 1.0) * (t1 - 1.0) * (t2 - 1.0))
            };
            if p > 0.0 {
                q = -q;
            } else {
                p = -p;
            }
            if p < 0.75 * cb * q - (close * q).abs() / 2.0 && p < (previous_step * q / 2.0).abs() {
                step = p / q;
            }
        }
        if step.abs() < close {
            step = if step > 0.0 { close } else { -close };
        }
        a = b;
        fa = fb;
        b += step;
        fb = f(b);
        if (fb > 0.0 && fc > 0.0) || (fb < 0.0 && fc < 0.0) {
            c = a;
            fc = fa;
        }
    }
    Err(StatsError::NotConverged { operation: "root finding", iterations: max_evaluations })
}
