//! Adjustment of p-values for multiple testing (R's `p.adjust`).

/// Method of adjustment. Holm, Hochberg, Hommel and Bonferroni control the family-wise error rate, the others the false
/// discovery rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Adjustment {
    /// p times the number of tests.
    Bonferroni,
    /// Holm's step-down procedure.
    Holm,
    /// Hochberg's step-up procedure.
    Hochberg,
    /// Hommel's procedure.
    Hommel,
    /// Benjamini and Hochberg's false discovery rate.
    BenjaminiHochberg,
    /// Benjamini and Yekutieli's false discovery rate under dependence.
    BenjaminiYekutieli,
}

/// Adjusted p-values in the order of the input. NaN stays NaN and is not counted as a test.
///
/// ```
/// use alnm_stats::multiplicity::{Adjustment, adjust};
/// assert_eq!(adjust(&[0.01, 0.04, 0.03], Adjustment::BenjaminiHochberg), [0.03, 0.04, 0.04]);
/// ```
#[must_use]
pub fn adjust(p: &[f64], method: Adjustment) -> Vec<f64> {
    let tested: Vec<usize> = (0..p.len()).filter(|&i| !p[i].is_nan()).collect();
    let mut order = tested.clone();
    order.sort_by(|&a, &b| p[a].total_cmp(&p[b]));
    let n = order.len();
    let nf = n as f64;
    let sorted: Vec<f64> = order.iter().map(|&i| p[i]).collect();
    let scaled = |factor: &dyn Fn(f64) -> f64| -> Vec<f64> {
        sorted.iter().enumerate().map(|(i, p)| factor(i as f64 + 1.0) * p).collect()
    };
    let adjusted = match method {
        Adjustment::Bonferroni => scaled(&|_| nf),
        Adjustment::Holm => running_maximum(scaled(&|rank| nf - rank + 1.0)),
        Adjustment::Hochberg => running_minimum(scaled(&|rank| nf - rank + 1.0)),
        Adjustment::BenjaminiHochberg => running_minimum(scaled(&|rank| nf / rank)),
        Adjustment::BenjaminiYekutieli => {
            let q: f64 = (1..=n).map(|i| 1.0 / i as f64).sum();
            running_minimum(scaled(&|rank| q * nf / rank))
        }
        Adjustment::Hommel => hommel(&sorted),
    };
    let mut result = vec![f64::NAN; p.len()];
    for (&i, value) in order.iter().zip(adjusted) {
        result[i] = value.min(1.0);
    }
    result
}

fn running_maximum(mut p: Vec<f64>) -> Vec<f64> {
    for i in 1..p.len() {
        p[i] = p[i].max(p[i - 1]);
    }
    p
}

fn running_minimum(mut p: Vec<f64>) -> Vec<f64> {
    for i in (1..p.len()).rev() {
        p[i - 1] = p[i - 1].min(p[i]);
    }
    p
}

/// Hommel's adjusted p-values of sorted p (Wright 1992).
fn hommel(p: &[f64]) -> Vec<f64> {
    let n = p.len();
    if n < 2 {
        return p.to_vec();
    }
    let start = (0..n).map(|i| n as f64 * p[i] / (i as f64 + 1.0)).fold(f64::INFINITY, f64::min);
    let mut q = vec![start; n];
    let mut adjusted = q.clone();
    for m in (2..n).rev() {
        let split = n - m + 1;
        let tail = (split..n).map(|i| m as f64 * p[i] / (i - split + 2) as f64).fold(f64::INFINITY, f64::min);
        for i in 0..split {
            q[i] = (m as f64 * p[i]).min(tail);
        }
        for i in split..n {
            q[i] = q[split - 1];
        }
        for i in 0..n {
            adjusted[i] = adjusted[i].max(q[i]);
        }
    }
    (0..n).map(|i| adjusted[i].max(p[i])).collect()
}
