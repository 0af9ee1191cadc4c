//! The partial likelihood of a Cox regression and its maximum.

use std::ops::Range;

use alnm_stats::linear::solve_symmetric;
use rayon::prelude::*;

use super::{CoxTies, UsedRows};

/// A column that keeps less than this share of the information beside the columns before it depends on them.
const RANK_TOLERANCE: f64 = 1e-11;

/// Newton's method squares the error with each step: a step of 10⁻⁸ standard errors leaves none.
const STEP_TOLERANCE: f64 = 1e-16;

/// The rows in the order of strata and falling times, with centred and scaled predictors.
pub(super) struct RiskSets {
    ties: CoxTies,
    /// Rows × columns, row by row.
    x: Vec<f64>,
    columns: usize,
    weights: Vec<f64>,
    /// Rows of one stratum and one time, the events first.
    moments: Vec<Moment>,
    /// Means of the columns as given.
    pub(super) means: Vec<f64>,
    /// Standard deviations of the columns as given; 1 for constants.
    pub(super) scales: Vec<f64>,
}

/// The rows of one stratum whose observation ends at one time.
pub(super) struct Moment {
    pub(super) stratum: usize,
    pub(super) time: f64,
    rows: Range<usize>,
    events: usize,
    /// Whether this is the latest time of its stratum.
    first_of_stratum: bool,
}

/// The partial likelihood at some coefficients.
pub(super) struct Evaluation {
    pub(super) log_likelihood: f64,
    pub(super) gradient: Vec<f64>,
    /// Observed information, columns × columns.
    pub(super) information: Vec<f64>,
    /// Step of the cumulative baseline hazard at each moment, for a patient with the mean predictors.
    pub(super) hazard_steps: Vec<f64>,
}

/// A maximum of the partial likelihood on the scaled columns.
pub(super) struct Maximum {
    pub(super) beta: Vec<f64>,
    pub(super) at: Evaluation,
    pub(super) iterations: usize,
    pub(super) converged: bool,
    /// Whether a coefficient runs off to infinity.
    pub(super) monotone: bool,
}

impl RiskSets {
    pub(super) fn new(data: &UsedRows, ties: CoxTies) -> Self {
        let (times, events) = (data.follow_up.times(), data.follow_up.events());
        let mut order: Vec<usize> = (0..times.len()).collect();
        order.sort_by(|&a, &b| {
            data.strata[a].cmp(&data.strata[b]).then(times[b].total_cmp(&times[a])).then(events[b].cmp(&events[a]))
        });
        let values = data.table.values();
        let columns = values.ncols();
        let n = times.len() as f64;
        // Sums over all rows need no better means than these; the predictors only have to lie around 0.
        let means: Vec<f64> = values.columns().into_iter().map(|c| c.sum() / n).collect();
        let scales: Vec<f64> = values
            .columns()
            .into_iter()
            .zip(&means)
            .map(|(c, mean)| {
                let spread = (c.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n).sqrt();
                if c.iter().all(|v| *v == c[0]) || spread == 0.0 { 1.0 } else { spread }
            })
            .collect();
        let constant: Vec<bool> = values.columns().into_iter().map(|c| c.iter().all(|v| *v == c[0])).collect();
        let mut x = Vec::with_capacity(order.len() * columns);
        for &row in &order {
            let of_row = values.row(row);
            x.extend((0..columns).map(|j| if constant[j] { 0.0 } else { (of_row[j] - means[j]) / scales[j] }));
        }
        let mut moments: Vec<Moment> = Vec::new();
        for (place, &row) in order.iter().enumerate() {
            let (stratum, time, event) = (data.strata[row], times[row], usize::from(events[row]));
            match moments.last_mut().filter(|m| m.stratum == stratum && m.time == time) {
                Some(moment) => {
                    moment.rows.end = place + 1;
                    moment.events += event;
                }
                None => {
                    let first_of_stratum = moments.last().is_none_or(|m| m.stratum != stratum);
                    moments.push(Moment { stratum, time, rows: place..place + 1, events: event, first_of_stratum });
                }
            }
        }
        let weights = order.iter().map(|&row| data.weights[row]).collect();
        Self { ties, x, columns, weights, moments, means, scales }
    }

    pub(super) fn moments(&self) -> &[Moment] {
        &self.moments
    }

    /// The same rows with some of the columns.
    pub(super) fn select(&self, kept: &[usize]) -> Self {
        let x = self.x.chunks_exact(self.columns.max(1)).flat_map(|row| kept.iter().map(|&j| row[j])).collect();
        let moments = self.moments.iter().map(|m| Moment { rows: m.rows.clone(), ..*m }).collect();
        let pick = |values: &[f64]| kept.iter().map(|&j| values[j]).collect();
        Self {
            ties: self.ties,
            x,
            columns: kept.len(),
            weights: self.weights.clone(),
            moments,
            means: pick(&self.means),
            scales: pick(&self.scales),
        }
    }

    fn row(&self, row: usize) -> &[f64] {
        &self.x[row * self.columns..(row + 1) * self.columns]
    }

    fn linear_predictor(&self, beta: &[f64]) -> Vec<f64> {
        (0..self.weights.len()).map(|row| dot(self.row(row), beta)).collect()
    }

    /// Log likelihood, gradient and information.
    ///
    /// With the hazard steps h of the events, a row with the relative risk r contributes r Λ to the expected events, Λ
    /// being the sum of the steps while it is at risk. The gradient is Σ (events − rΛ) x, and the information
    /// Σ rΛ x xᵀ − Σ h S₀ x̄ x̄ᵀ with the means x̄ of the risk sets: two products of matrices instead of one for each
    /// event.
    pub(super) fn evaluate(&self, beta: &[f64]) -> Evaluation {
        let p = self.columns;
        let eta = self.linear_predictor(beta);
        let mut risk = vec![0.0; eta.len()];
        let mut log_likelihood = 0.0;
        // Steps for the rows at risk and, by Efron, for those with an event at the moment itself.
        let mut steps = vec![[0.0; 2]; self.moments.len()];
        let mut hazard_steps = vec![0.0; self.moments.len()];
        let mut means: Vec<f64> = Vec::new();
        let (mut s0, mut s1) = (0.0, vec![0.0; p]);
        let mut shift = 0.0;
        for (m, moment) in self.moments.iter().enumerate() {
            if moment.first_of_stratum {
                shift = self.largest_of_stratum(m, &eta);
                s0 = 0.0;
                s1.fill(0.0);
            }
            let died = moment.rows.start..moment.rows.start + moment.events;
            for row in moment.rows.clone() {
                risk[row] = self.weights[row] * (eta[row] - shift).exp();
                s0 += risk[row];
                add_scaled(&mut s1, risk[row], self.row(row));
            }
            if moment.events == 0 {
                continue;
            }
            let d = moment.events as f64;
            let weight: f64 = self.weights[died.clone()].iter().sum();
            log_likelihood += died.clone().map(|row| self.weights[row] * (eta[row] - shift)).sum::<f64>();
            match self.ties {
                CoxTies::Breslow => {
                    log_likelihood -= weight * s0.ln();
                    steps[m] = [weight / s0; 2];
                    means.extend(s1.iter().map(|s| weight.sqrt() * s / s0));
                }
                CoxTies::Efron => {
                    let (mut own0, mut own1) = (0.0, vec![0.0; p]);
                    for row in died {
                        own0 += risk[row];
                        add_scaled(&mut own1, risk[row], self.row(row));
                    }
                    let mean_weight = weight / d;
                    for k in 0..moment.events {
                        let part = k as f64 / d;
                        let left = s0 - part * own0;
                        log_likelihood -= mean_weight * left.ln();
                        steps[m][0] += mean_weight / left;
                        steps[m][1] += (1.0 - part) * mean_weight / left;
                        let root = mean_weight.sqrt() / left;
                        means.extend(s1.iter().zip(&own1).map(|(all, own)| root * (all - part * own)));
                    }
                }
            }
            hazard_steps[m] = steps[m][0] * (-shift).exp();
        }
        let expected = self.expected(&risk, &steps);
        let mut gradient = vec![0.0; p];
        for moment in &self.moments {
            for row in moment.rows.clone() {
                let event = if row < moment.rows.start + moment.events { self.weights[row] } else { 0.0 };
                add_scaled(&mut gradient, event - expected[row], self.row(row));
            }
        }
        let mut information = gram(&self.x, p, Some(&expected));
        information.iter_mut().zip(gram(&means, p, None)).for_each(|(a, b)| *a -= b);
        Evaluation { log_likelihood, gradient, information, hazard_steps }
    }

    /// The largest linear predictor of the stratum that starts at a moment; taken off, exponentials stay finite.
    fn largest_of_stratum(&self, start: usize, eta: &[f64]) -> f64 {
        let of_stratum = self.moments[start..].iter().take_while(|m| m.stratum == self.moments[start].stratum);
        of_stratum.flat_map(|m| &eta[m.rows.clone()]).copied().fold(f64::NEG_INFINITY, f64::max)
    }

    /// Expected events rΛ of each row: its relative risk times the hazard steps while it is at risk.
    fn expected(&self, risk: &[f64], steps: &[[f64; 2]]) -> Vec<f64> {
        let mut expected = vec![0.0; risk.len()];
        let mut cumulated = 0.0;
        for (m, moment) in self.moments.iter().enumerate().rev() {
            for (k, row) in moment.rows.clone().enumerate() {
                let own = steps[m][usize::from(k < moment.events)];
                expected[row] = risk[row] * (cumulated + own);
            }
            cumulated = if moment.first_of_stratum { 0.0 } else { cumulated + steps[m][0] };
        }
        expected
    }

    /// Columns that do not depend on the columns before them, judged by the information without effects.
    pub(super) fn independent_columns(&self, information: &[f64]) -> Vec<usize> {
        let p = self.columns;
        let largest = (0..p).map(|j| information[j * p + j]).fold(0.0, f64::max);
        let mut factor: Vec<Vec<f64>> = Vec::new();
        let mut kept: Vec<usize> = Vec::new();
        for j in 0..p {
            let mut row: Vec<f64> = Vec::with_capacity(kept.len());
            for (a, &k) in kept.iter().enumerate() {
                let known: f64 = (0..a).map(|b| row[b] * factor[a][b]).sum();
                row.push((information[j * p + k] - known) / factor[a][a]);
            }
            let pivot = information[j * p + j] - row.iter().map(|v| v * v).sum::<f64>();
            if pivot > RANK_TOLERANCE * largest {
                row.push(pivot.sqrt());
                factor.push(row);
                kept.push(j);
            }
        }
        kept
    }

    /// Newton's method with halved steps, from no effects.
    pub(super) fn maximise(&self, max_iterations: usize) -> Maximum {
        let mut beta = vec![0.0; self.columns];
        let mut at = self.evaluate(&beta);
        if beta.is_empty() {
            return Maximum { beta, at, iterations: 0, converged: true, monotone: false };
        }
        let mut monotone = false;
        for iteration in 1..=max_iterations {
            let Some(step) = solve_symmetric(&at.information, &at.gradient) else {
                return Maximum { beta, at, iterations: iteration, converged: false, monotone };
            };
            let decrement: f64 = step.iter().zip(&at.gradient).map(|(s, g)| s * g).sum();
            let mut scale = 1.0;
            let (next, evaluation) = loop {
                let next: Vec<f64> = beta.iter().zip(&step).map(|(b, s)| b + scale * s).collect();
                let evaluation = self.evaluate(&next);
                let allowed = 1e-10 * (at.log_likelihood.abs() + 0.1);
                if evaluation.log_likelihood >= at.log_likelihood - allowed || scale < 1e-10 {
                    break (next, evaluation);
                }
                scale /= 2.0;
            };
            let gain = evaluation.log_likelihood - at.log_likelihood;
            (beta, at) = (next, evaluation);
            monotone = iteration >= 6 && self.is_recession(&step);
            if decrement.abs() <= STEP_TOLERANCE {
                return Maximum { beta, at, iterations: iteration, converged: !monotone, monotone };
            }
            if monotone && gain.abs() <= 1e-10 * (at.log_likelihood.abs() + 0.1) {
                return Maximum { beta, at, iterations: iteration, converged: false, monotone };
            }
        }
        Maximum { beta, at, iterations: max_iterations, converged: false, monotone }
    }

    /// Whether the likelihood never falls along `direction`: no one at risk at an event moves up faster than the
    /// patient with the event, and some move slower.
    fn is_recession(&self, direction: &[f64]) -> bool {
        let moved = self.linear_predictor(direction);
        let (mut highest, mut lowest) = (f64::NEG_INFINITY, f64::INFINITY);
        let (mut ahead, mut behind) = (0.0f64, 0.0f64);
        for moment in &self.moments {
            if moment.first_of_stratum {
                (highest, lowest) = (f64::NEG_INFINITY, f64::INFINITY);
            }
            for value in &moved[moment.rows.clone()] {
                highest = highest.max(*value);
                lowest = lowest.min(*value);
            }
            for value in &moved[moment.rows.start..moment.rows.start + moment.events] {
                ahead = ahead.max(value - lowest);
                behind = behind.max(highest - value);
            }
        }
        ahead > 0.1 && behind <= 1e-4 * ahead
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn add_scaled(to: &mut [f64], factor: f64, what: &[f64]) {
    to.iter_mut().zip(what).for_each(|(to, what)| *to += factor * what);
}

/// Σ w x xᵀ over the rows of a matrix, w being 1 without weights. Rows are cut into blocks by their number alone, and
/// the blocks are added in order, so that the sum has the same bits on any number of threads.
fn gram(rows: &[f64], columns: usize, weights: Option<&[f64]>) -> Vec<f64> {
    const BLOCKS: usize = 16;
    const SMALLEST_BLOCK: usize = 2048;
    if columns == 0 || rows.is_empty() {
        return vec![0.0; columns * columns];
    }
    let count = rows.len() / columns;
    let block = count.div_ceil(BLOCKS).max(SMALLEST_BLOCK);
    let parts: Vec<Vec<f64>> = rows
        .par_chunks(block * columns)
        .enumerate()
        .map(|(b, part)| {
            let mut sum = vec![0.0; columns * columns];
            for (k, x) in part.chunks_exact(columns).enumerate() {
                let weight = weights.map_or(1.0, |w| w[b * block + k]);
                for (a, value) in x.iter().enumerate() {
                    add_scaled(&mut sum[a * columns..=a * columns + a], weight * value, &x[..=a]);
                }
            }
            sum
        })
        .collect();
    let mut total = vec![0.0; columns * columns];
    for part in parts {
        add_scaled(&mut total, 1.0, &part);
    }
    for a in 0..columns {
        for b in 0..a {
            total[b * columns + a] = total[a * columns + b];
        }
    }
    total
}
