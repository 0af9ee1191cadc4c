//! Tail probabilities and quantiles of the distributions that the tests refer to.
//!
//! Probabilities come from the regularised incomplete beta and gamma functions of `statrs`; upper tails are computed
//! directly, never as `1 - cdf`, so that small p-values keep their digits. Quantiles solve `cdf(x) = p` by Halley's
//! method inside a shrinking bracket. Arguments outside their range give NaN.
//!
//! ```
//! use alnm_stats::distribution::{chi_squared_upper_tail, normal_quantile, t_quantile};
//! assert!((normal_quantile(0.975) - 1.959963984540054).abs() < 1e-13);
//! assert!((t_quantile(0.975, 10.0) - 2.228138851986273).abs() < 1e-12);
//! assert!((chi_squared_upper_tail(3.841458820694124, 1.0) - 0.05).abs() < 1e-13);
//! ```

use std::f64::consts::{FRAC_1_SQRT_2, PI, SQRT_2};

use statrs::function::beta::{beta_reg, ln_beta};
use statrs::function::erf::erfc_inv;
use statrs::function::gamma::{gamma_lr, gamma_ur, ln_gamma};

/// P(Z ≤ z) for the standard normal distribution.
#[must_use]
pub fn normal_cdf(z: f64) -> f64 {
    0.5 * erfc(-z * FRAC_1_SQRT_2)
}

/// P(Z > z) for the standard normal distribution.
#[must_use]
pub fn normal_upper_tail(z: f64) -> f64 {
    0.5 * erfc(z * FRAC_1_SQRT_2)
}

/// P(|Z| > |z|) for the standard normal distribution.
#[must_use]
pub fn normal_two_sided(z: f64) -> f64 {
    erfc(z.abs() * FRAC_1_SQRT_2)
}

/// Complementary error function to full precision (that of `statrs` is good to 2·10⁻¹² only): a series of positive
/// terms near 0, a continued fraction in the tail.
fn erfc(x: f64) -> f64 {
    let z = x.abs();
    let tail = if z < 2.0 {
        let mut term = z;
        let mut sum = z;
        let mut k = 1.0;
        while term > 1e-18 * sum {
            term *= 2.0 * z * z / (2.0 * k + 1.0);
            sum += term;
            k += 1.0;
        }
        1.0 - 2.0 / PI.sqrt() * (-z * z).exp() * sum
    } else {
        let fraction = (1..=120).rev().fold(z, |f, k| z + f64::from(k) / 2.0 / f);
        (-z * z).exp() / PI.sqrt() / fraction
    };
    if x < 0.0 { 2.0 - tail } else { tail }
}

/// Quantile of the standard normal distribution, `p` in [0, 1].
#[must_use]
pub fn normal_quantile(p: f64) -> f64 {
    if p <= 0.0 {
        return if p == 0.0 { f64::NEG_INFINITY } else { f64::NAN };
    }
    if p >= 1.0 {
        return if p == 1.0 { f64::INFINITY } else { f64::NAN };
    }
    let z = -SQRT_2 * erfc_inv(2.0 * p);
    if !z.is_finite() || z.abs() > 37.0 {
        return z;
    }
    // One Newton step takes the rational approximation of the inverse to full precision.
    let density = (-0.5 * z * z).exp() / (2.0 * PI).sqrt();
    z - (normal_cdf(z) - p) / density
}

/// P(X > x) for the chi-squared distribution with `df` degrees of freedom.
#[must_use]
pub fn chi_squared_upper_tail(x: f64, df: f64) -> f64 {
    if x.is_nan() || df.is_nan() || df < 0.0 {
        f64::NAN
    } else if df == 0.0 {
        // All mass lies at 0.
        if x > 0.0 { 0.0 } else { 1.0 }
    } else if x <= 0.0 {
        1.0
    } else if x.is_infinite() {
        0.0
    } else {
        gamma_ur(df / 2.0, x / 2.0)
    }
}

/// Quantile of the chi-squared distribution with `df` degrees of freedom.
#[must_use]
pub fn chi_squared_quantile(p: f64, df: f64) -> f64 {
    2.0 * gamma_quantile(p, df / 2.0)
}

/// Quantile of the gamma distribution with the given shape and rate 1.
#[must_use]
pub fn gamma_quantile(p: f64, shape: f64) -> f64 {
    if p.is_nan() || shape.is_nan() || shape <= 0.0 {
        return f64::NAN;
    }
    if p <= 0.0 {
        return 0.0;
    }
    if p >= 1.0 {
        return f64::INFINITY;
    }
    let log_norm = ln_gamma(shape);
    // Wilson and Hilferty's cube-root approximation starts the search.
    let c = 1.0 / (9.0 * shape);
    let start = (shape * (1.0 - c + normal_quantile(p) * c.sqrt()).powi(3)).max(1e-300);
    let mut high = start.max(1.0);
    while gamma_lr(shape, high) < p {
        high *= 2.0;
    }
    let density = |x: f64| ((shape - 1.0) * x.ln() - x - log_norm).exp();
    invert(p, (0.0, high), start, |x| gamma_lr(shape, x), density, |x| (shape - 1.0) / x - 1.0)
}

/// P(X ≤ x) for the beta distribution with shapes `a` and `b`.
#[must_use]
pub fn beta_cdf(x: f64, a: f64, b: f64) -> f64 {
    if x.is_nan() { f64::NAN } else { beta_reg(a, b, x.clamp(0.0, 1.0)) }
}

/// Quantile of the beta distribution with shapes `a` and `b`.
#[must_use]
pub fn beta_quantile(p: f64, a: f64, b: f64) -> f64 {
    beta_quantile_and_rest(p, a, b).0
}

/// The quantile x of the beta distribution and 1 - x. The smaller of the two is solved for, so that neither end loses
/// digits.
fn beta_quantile_and_rest(p: f64, a: f64, b: f64) -> (f64, f64) {
    let below = || {
        let x = solve_beta(p, a, b);
        (x, 1.0 - x)
    };
    let above = || {
        let y = solve_beta(1.0 - p, b, a);
        (1.0 - y, y)
    };
    let guessed_below = beta_quantile_guess(p, a, b) < 0.5;
    let (x, y) = if guessed_below { below() } else { above() };
    let solved = if guessed_below { x } else { y };
    if solved <= 0.6 || solved.is_nan() {
        (x, y)
    } else if guessed_below {
        above()
    } else {
        below()
    }
}

/// The quantile to within a part of its own size, which says little of its distance from 1.
fn solve_beta(p: f64, a: f64, b: f64) -> f64 {
    if p.is_nan() || a.is_nan() || b.is_nan() || a <= 0.0 || b <= 0.0 {
        return f64::NAN;
    }
    if p <= 0.0 {
        return 0.0;
    }
    if p >= 1.0 {
        return 1.0;
    }
    let log_norm = ln_beta(a, b);
    let density = |x: f64| ((a - 1.0) * x.ln() + (b - 1.0) * (-x).ln_1p() - log_norm).exp();
    let slope = |x: f64| (a - 1.0) / x - (b - 1.0) / (1.0 - x);
    invert(p, (0.0, 1.0), beta_quantile_guess(p, a, b), |x| beta_reg(a, b, x), density, slope)
}

/// Normal approximation of the beta quantile (Abramowitz and Stegun 26.5.22), good to a few per cent for shapes above
/// 1.
fn beta_quantile_guess(p: f64, a: f64, b: f64) -> f64 {
    if a <= 1.0 || b <= 1.0 {
        return a / (a + b);
    }
    let y = normal_quantile(1.0 - p);
    let (u, v) = (1.0 / (2.0 * a - 1.0), 1.0 / (2.0 * b - 1.0));
    let h = 2.0 / (u + v);
    let lambda = (y * y - 3.0) / 6.0;
    let w = y * (h + lambda).max(0.0).sqrt() / h - (v - u) * (lambda + 5.0 / 6.0 - 2.0 / (3.0 * h));
    a / (a + b * (2.0 * w).exp())
}

/// P(T > t) for Student's distribution with `df` degrees of freedom (not necessarily a whole number).
#[must_use]
pub fn t_upper_tail(t: f64, df: f64) -> f64 {
    if t.is_nan() || df.is_nan() || df <= 0.0 {
        return f64::NAN;
    }
    if t.is_infinite() {
        return if t > 0.0 { 0.0 } else { 1.0 };
    }
    let tail = 0.5 * beta_reg(df / 2.0, 0.5, df / (df + t * t));
    if t >= 0.0 { tail } else { 1.0 - tail }
}

/// P(|T| > |t|) for Student's distribution with `df` degrees of freedom.
#[must_use]
pub fn t_two_sided(t: f64, df: f64) -> f64 {
    2.0 * t_upper_tail(t.abs(), df)
}

/// Quantile of Student's distribution with `df` degrees of freedom.
#[must_use]
pub fn t_quantile(p: f64, df: f64) -> f64 {
    if df.is_nan() || p.is_nan() {
        return f64::NAN;
    }
    let central = (2.0 * p - 1.0).abs();
    let y = beta_quantile(central, 0.5, df / 2.0);
    let t = (df * y / (1.0 - y)).sqrt();
    if p < 0.5 { -t } else { t }
}

/// P(F ≤ f) for Fisher's distribution with `d1` and `d2` degrees of freedom.
#[must_use]
pub fn f_cdf(f: f64, d1: f64, d2: f64) -> f64 {
    if f.is_nan() || d1.is_nan() || d2.is_nan() || d1 <= 0.0 || d2 <= 0.0 {
        f64::NAN
    } else if f <= 0.0 {
        0.0
    } else if f.is_infinite() {
        1.0
    } else {
        smaller_tail_first(
            || beta_reg(d1 / 2.0, d2 / 2.0, d1 * f / (d1 * f + d2)),
            || beta_reg(d2 / 2.0, d1 / 2.0, d2 / (d2 + d1 * f)),
        )
    }
}

/// A tail, from the other one where that is smaller: with few degrees of freedom the larger tail may depend on digits
/// that its argument, too close to 1, no longer has.
fn smaller_tail_first(tail: impl Fn() -> f64, other: impl Fn() -> f64) -> f64 {
    let direct = tail();
    if direct > 0.5 { 1.0 - other() } else { direct }
}

/// P(F > f) for Fisher's distribution with `d1` and `d2` degrees of freedom.
#[must_use]
pub fn f_upper_tail(f: f64, d1: f64, d2: f64) -> f64 {
    if f.is_nan() || d1.is_nan() || d2.is_nan() || d1 <= 0.0 || d2 <= 0.0 {
        f64::NAN
    } else if f <= 0.0 {
        1.0
    } else if f.is_infinite() {
        0.0
    } else {
        smaller_tail_first(
            || beta_reg(d2 / 2.0, d1 / 2.0, d2 / (d2 + d1 * f)),
            || beta_reg(d1 / 2.0, d2 / 2.0, d1 * f / (d1 * f + d2)),
        )
    }
}

/// Quantile of Fisher's distribution with `d1` and `d2` degrees of freedom.
#[must_use]
pub fn f_quantile(p: f64, d1: f64, d2: f64) -> f64 {
    let (x, rest) = beta_quantile_and_rest(p, d1 / 2.0, d2 / 2.0);
    d2 * x / (d1 * rest)
}

/// A step of Halley's method this small, relative to x, leaves an error of its cube.
const LAST_STEP: f64 = 1e-6;

/// Solves `cdf(x) = p` in `[low, high]` by Halley's method within a bracket. `slope` is the derivative of the logarithm
/// of the density.
fn invert(
    p: f64,
    (mut low, mut high): (f64, f64),
    start: f64,
    cdf: impl Fn(f64) -> f64,
    density: impl Fn(f64) -> f64,
    slope: impl Fn(f64) -> f64,
) -> f64 {
    let mut x = if start > low && start < high { start } else { 0.5 * (low + high) };
    for _ in 0..200 {
        let excess = cdf(x) - p;
        if excess == 0.0 {
            return x;
        }
        if excess > 0.0 {
            high = x;
        } else {
            low = x;
        }
        let step = excess / density(x);
        let bend = 1.0 - (0.5 * step * slope(x)).clamp(-0.5, 0.5);
        let halley = x - step / bend;
        // Far from the root the geometric mean halves the exponent, so that quantiles near 0 are found as fast as
        // others.
        let inside = halley > low && halley < high;
        let next = if inside {
            halley
        } else if low > 0.0 && high / low > 4.0 {
            (low * high).sqrt()
        } else if low == 0.0 && high < 1e-3 {
            high * 1e-2
        } else {
            0.5 * (low + high)
        };
        let done = inside && (next - x).abs() <= LAST_STEP * x.abs();
        if done || high <= low || next < f64::MIN_POSITIVE {
            return next;
        }
        x = next;
    }
    x
}

#[cfg(test)]
mod tests {
    use approx::assert_relative_eq;

    use super::*;

    #[test]
    fn quantiles_equal_tabulated_values() {
        assert_relative_eq!(normal_quantile(0.975), 1.959963984540054, max_relative = 1e-14);
        assert_relative_eq!(normal_quantile(1e-10), -6.361340902404056, max_relative = 1e-13);
        assert_relative_eq!(chi_squared_quantile(0.95, 1.0), 3.841458820694124, max_relative = 1e-13);
        assert_relative_eq!(t_quantile(0.975, 10.0), 2.228138851986273, max_relative = 1e-13);
    }

    #[test]
    fn student_tails_equal_their_closed_forms() {
        for t in [0.3, 2.0, 12.0, 300.0] {
            assert_relative_eq!(t_upper_tail(t, 1.0), (1.0 / t).atan() / PI, max_relative = 1e-12);
            let closed = 1.0 / (2.0 + t * t + t * (2.0 + t * t).sqrt());
            assert_relative_eq!(t_upper_tail(t, 2.0), closed, max_relative = 1e-12);
        }
    }

    #[test]
    fn quantiles_invert_the_distribution() {
        for &p in &[1e-8, 0.01, 0.3, 0.5, 0.9, 0.999] {
            assert_relative_eq!(beta_cdf(beta_quantile(p, 0.7, 40.0), 0.7, 40.0), p, max_relative = 1e-12);
            assert_relative_eq!(f_cdf(f_quantile(p, 3.3, 29.0), 3.3, 29.0), p, max_relative = 1e-11);
            assert_relative_eq!(
                1.0 - chi_squared_upper_tail(chi_squared_quantile(p, 4.0), 4.0),
                p,
                max_relative = 1e-7
            );
        }
    }
}
