//! Fits of the model of one variable given the others, and parameters drawn from their posterior.
//!
//! A fit is deterministic; the parameters are then drawn around it, and from the drawn model each missing value. The
//! square root of the covariance by which parameters are drawn is the upper triangular one in the order intercept,
//! predictors. mice takes the lower triangular one, which is the same for the reverse order of the columns.

use alnm_models::FeatureTable;
use alnm_models::proportional_odds::{OrderedOutcome, ProportionalOdds, ProportionalOddsParams};
use alnm_stats::linear::{Cholesky, dot, weighted_products};

use crate::collinearity::{Independent, UnitColumn, independent};
use crate::conditional::{ConditionalModel, LinearPart};
use crate::draws::Draws;
use crate::plan::ImputationMethod;

/// What happened while a model was fitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum ImputationEventKind {
    /// All observed values are equal, and so is every imputed one.
    ConstantVariable,
    /// Predictors were left out because they are constant in the rows where the variable is observed, copy it, or are
    /// linear combinations of others.
    PredictorsRemoved,
    /// There are not more observed values than coefficients, so that the residual variance was estimated with one
    /// degree of freedom.
    FewObservations,
    /// The proportional-odds regression had no optimum, and a multinomial one took its place.
    MultinomialInstead,
}

/// A variable with what it is predicted from.
pub(crate) struct Target<'a> {
    pub(crate) method: &'a ImputationMethod,
    /// The values that a categorical variable takes, ascending.
    pub(crate) levels: &'a [f64],
    /// Values of the observed rows.
    pub(crate) observed_values: &'a [f64],
    /// The rows in which the variable is observed.
    pub(crate) observed_rows: &'a [usize],
    /// All design columns, of all rows.
    pub(crate) design: &'a [Vec<f64>],
    /// Positions of the design columns that predict the variable.
    pub(crate) predictors: &'a [usize],
    /// Where the search for the estimates of a categorical variable begins, for instance at those of the round before;
    /// at 0 without.
    pub(crate) start: &'a [LinearPart],
}

/// A fitted and drawn model, and what happened meanwhile.
pub(crate) struct Drawn {
    pub(crate) model: ConditionalModel,
    /// The estimates of a multinomial model around which its parameters were drawn; empty for others.
    pub(crate) estimate: Vec<LinearPart>,
    pub(crate) events: Vec<(ImputationEventKind, Vec<usize>)>,
}

impl Target<'_> {
    /// Fits the model to the observed rows and draws its parameters.
    pub(crate) fn draw_model(&self, draws: &mut Draws) -> Drawn {
        let y = UnitColumn::new(self.observed_values.to_vec());
        if y.is_constant() || (self.method.is_categorical() && self.levels.len() == 1) {
            let value = self.observed_values[0];
            let events = vec![(ImputationEventKind::ConstantVariable, Vec::new())];
            return Drawn { model: ConditionalModel::Constant { value }, estimate: Vec::new(), events };
        }
        let gather = |&column: &usize| {
            let column = &self.design[column];
            UnitColumn::new(self.observed_rows.iter().map(|&row| column[row]).collect())
        };
        let columns: Vec<UnitColumn> = self.predictors.iter().map(gather).collect();
        let found = independent(&columns, &y);
        let mut events = Vec::new();
        if found.kept.len() < columns.len() {
            let gone = (0..columns.len()).filter(|place| !found.kept.contains(place));
            events.push((ImputationEventKind::PredictorsRemoved, gone.map(|place| self.predictors[place]).collect()));
        }
        if !self.method.is_categorical() && y.values.len() <= found.kept.len() + 1 {
            events.push((ImputationEventKind::FewObservations, Vec::new()));
        }
        let kept: Vec<usize> = found.kept.iter().map(|&place| self.predictors[place]).collect();
        let mut estimate = Vec::new();
        let mut multinomial = |sample: &Sample, draws: &mut Draws| {
            let fit = MultinomialFit::new(sample, self.levels.len(), &kept, self.start);
            estimate = fit.drawn(&kept, &vec![0.0; fit.estimate.len()]);
            let normals = draws.normals(fit.estimate.len());
            ConditionalModel::Multinomial { levels: self.levels.to_vec(), log_odds: fit.drawn(&kept, &normals) }
        };
        let model = match self.method {
            ImputationMethod::ProportionalOdds if self.levels.len() > 2 => {
                let sample = self.augmented(&kept);
                sample.draw_cumulative(self.levels, &kept, draws).unwrap_or_else(|| {
                    events.push((ImputationEventKind::MultinomialInstead, Vec::new()));
                    multinomial(&sample, draws)
                })
            }
            ImputationMethod::Logistic | ImputationMethod::Polytomous | ImputationMethod::ProportionalOdds => {
                multinomial(&self.augmented(&kept), draws)
            }
            ImputationMethod::MeanMatching { donors } => {
                let fit = LinearFit::new(&columns, &y, &found);
                let drawn = fit.draw(&columns, &y, &found, &kept, draws);
                let rows = fit.fitted.iter().zip(self.observed_values);
                let mut rows: Vec<(f64, f64)> =
                    rows.map(|(fitted, value)| (y.mean + y.length * fitted, *value)).collect();
                // Rows with equal predictions stand in random order.
                draws.shuffle(&mut rows);
                rows.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
                let (predictions, values) = rows.into_iter().unzip();
                ConditionalModel::MeanMatching { mean: drawn.mean, donors: *donors, predictions, values }
            }
            ImputationMethod::BayesianLinear | ImputationMethod::Passive(_) => {
                let fit = LinearFit::new(&columns, &y, &found);
                let drawn = fit.draw(&columns, &y, &found, &kept, draws);
                ConditionalModel::Normal { mean: drawn.mean, deviation: drawn.deviation }
            }
        };
        Drawn { model, estimate, events }
    }

    /// The observed rows with the pseudo-observations of White, Daniel and Royston (2010), which keep the estimates of
    /// a categorical variable finite: for each predictor and each level two rows at the means of the predictors, half a
    /// standard deviation to both sides in that predictor, within its range. Together they weigh as much as there are
    /// coefficients.
    fn augmented(&self, predictors: &[usize]) -> Sample {
        let (p, levels) = (predictors.len(), self.levels.len());
        let pseudo = 2 * p * levels;
        let level_of = |value: f64| self.levels.partition_point(|level| *level < value);
        let mut sample = Sample {
            columns: Vec::with_capacity(p),
            classes: self.observed_values.iter().map(|&value| level_of(value)).collect(),
            weights: vec![1.0; self.observed_rows.len()],
        };
        for place in 0..pseudo {
            sample.classes.push(place / 2 % levels);
            sample.weights.push((p + 1) as f64 / pseudo as f64);
        }
        for (place, &predictor) in predictors.iter().enumerate() {
            let all = &self.design[predictor];
            let n = all.len() as f64;
            let mean = all.iter().sum::<f64>() / n;
            let deviation = (all.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1.0)).sqrt();
            let lowest = all.iter().copied().fold(f64::INFINITY, f64::min);
            let highest = all.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let mut column: Vec<f64> = self.observed_rows.iter().map(|&row| all[row]).collect();
            column.extend((0..pseudo).map(|row| {
                let side = if row % 2 == 0 { 0.5 } else { -0.5 };
                let own = row / (2 * levels) == place;
                if own { (mean + side * deviation).clamp(lowest, highest) } else { mean }
            }));
            sample.columns.push(column);
        }
        sample
    }
}

/// Least squares on columns of length 1.
pub(crate) struct LinearFit {
    /// Coefficients of the kept columns.
    coefficients: Vec<f64>,
    /// Fitted values, relative to mean and length of the target.
    fitted: Vec<f64>,
    residual_sum: f64,
    degrees_of_freedom: f64,
}

struct LinearDraw {
    mean: LinearPart,
    deviation: f64,
}

impl LinearFit {
    fn new(columns: &[UnitColumn], y: &UnitColumn, found: &Independent) -> Self {
        let coefficients = found.factor.as_ref().map_or_else(Vec::new, |factor| factor.solve(&found.with_target));
        let mut fitted = vec![0.0; y.values.len()];
        for (&place, coefficient) in found.kept.iter().zip(&coefficients) {
            let column = &columns[place].values;
            fitted.iter_mut().zip(column).for_each(|(fitted, x)| *fitted += coefficient * x);
        }
        let residuals: Vec<f64> = y.values.iter().zip(&fitted).map(|(y, fitted)| y - fitted).collect();
        let coefficients_and_intercept = found.kept.len() + 1;
        Self {
            residual_sum: dot(&residuals, &residuals) * y.length * y.length,
            degrees_of_freedom: (y.values.len().saturating_sub(coefficients_and_intercept)).max(1) as f64,
            coefficients,
            fitted,
        }
    }

    fn draw(
        &self,
        columns: &[UnitColumn],
        y: &UnitColumn,
        found: &Independent,
        kept: &[usize],
        draws: &mut Draws,
    ) -> LinearDraw {
        let chi_squared = draws.chi_squared(self.degrees_of_freedom);
        self.drawn(columns, y, found, kept, chi_squared, &draws.normals(1 + kept.len()))
    }

    /// σ² is the residual sum of squares over a chi-squared number, and the coefficients lie around their estimates by
    /// normal numbers, that of the intercept first (Rubin 1987, p. 167).
    fn drawn(
        &self,
        columns: &[UnitColumn],
        y: &UnitColumn,
        found: &Independent,
        kept: &[usize],
        chi_squared: f64,
        normals: &[f64],
    ) -> LinearDraw {
        let deviation = (self.residual_sum / chi_squared).sqrt();
        let constant = y.mean + deviation * normals[0] / (y.values.len() as f64).sqrt();
        let noise = found.factor.as_ref().map_or_else(Vec::new, |factor| factor.solve_transposed(&normals[1..]));
        let of_column = |place: usize| &columns[found.kept[place]];
        LinearDraw {
            mean: LinearPart {
                constant,
                columns: kept.to_vec(),
                centres: (0..kept.len()).map(|place| of_column(place).mean).collect(),
                weights: (0..kept.len())
                    .map(|place| {
                        (y.length * self.coefficients[place] + deviation * noise[place]) / of_column(place).length
                    })
                    .collect(),
            },
            deviation,
        }
    }
}

/// Classes with weights and what predicts them.
struct Sample {
    columns: Vec<Vec<f64>>,
    classes: Vec<usize>,
    weights: Vec<f64>,
}

impl Sample {
    /// `None` where the likelihood has no finite optimum.
    fn draw_cumulative(&self, levels: &[f64], kept: &[usize], draws: &mut Draws) -> Option<ConditionalModel> {
        let names: Vec<String> = (0..levels.len()).map(|level| level.to_string()).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let columns = self.columns.iter().enumerate().map(|(place, column)| (place.to_string(), column.clone()));
        let table = if self.columns.is_empty() {
            FeatureTable::new(Vec::new(), ndarray::Array2::zeros((self.classes.len(), 0)))
        } else {
            FeatureTable::from_columns(columns.collect())
        };
        let outcome = OrderedOutcome::new(&names, self.classes.clone()).ok()?;
        let params = ProportionalOddsParams::default().with_weights(self.weights.clone());
        let fit = ProportionalOdds::fit(&table.ok()?, &outcome, &params).ok()?;
        let covariance = fit.covariance().filter(|_| fit.converged() && fit.aliased().is_empty())?;
        let (p, k) = (kept.len(), levels.len() - 1);
        let thresholds: Vec<f64> = fit.thresholds().iter().map(|term| term.estimate).collect();
        // Drawn are the coefficients, the first threshold, and the logarithms of the gaps, so that thresholds ascend.
        let gap = |place: usize| thresholds[place] - thresholds[place - 1];
        let map = |row: usize, column: usize| match row.checked_sub(p + 1) {
            None => f64::from(u8::from(row == column)),
            Some(below) if column == p + below + 1 => 1.0 / gap(below + 1),
            Some(below) if column == p + below => -1.0 / gap(below + 1),
            Some(_) => 0.0,
        };
        let (size, covariance) = (p + k, covariance.view());
        let half: Vec<f64> = (0..size * size)
            .map(|entry| (0..size).map(|a| map(entry / size, a) * covariance[[a, entry % size]]).sum())
            .collect();
        let mapped: Vec<f64> = (0..size * size)
            .map(|entry| (0..size).map(|b| half[entry / size * size + b] * map(entry % size, b)).sum())
            .collect();
        let noise = Cholesky::new(&mapped, size)?.times_lower(&draws.normals(size));
        let mut drawn = vec![thresholds[0] + noise[p]];
        for place in 1..k {
            drawn.push(drawn[place - 1] + gap(place) * noise[p + place].exp());
        }
        let weights: Vec<f64> =
            fit.coefficients().iter().zip(&noise).map(|(term, noise)| term.estimate + noise).collect();
        Some(ConditionalModel::Cumulative {
            levels: levels.to_vec(),
            shift: LinearPart { constant: 0.0, columns: kept.to_vec(), centres: vec![0.0; p], weights },
            thresholds: drawn,
        })
    }
}

/// Multinomial logistic regression by Newton's method, on columns of mean 0 and length 1; with two classes it is
/// logistic regression.
struct MultinomialFit {
    columns: Vec<UnitColumn>,
    /// For each class but the first its intercept and coefficients.
    estimate: Vec<f64>,
    factor: Option<Cholesky>,
}

impl MultinomialFit {
    fn new(sample: &Sample, count: usize, kept: &[usize], start: &[LinearPart]) -> Self {
        let columns: Vec<UnitColumn> = sample.columns.iter().map(|column| UnitColumn::new(column.clone())).collect();
        let design: Vec<Vec<f64>> = std::iter::once(vec![1.0; sample.classes.len()])
            .chain(columns.iter().map(|column| column.values.clone()))
            .collect();
        let problem =
            MultinomialProblem { design, classes: &sample.classes, weights: &sample.weights, others: count - 1 };
        let zeros = vec![0.0; problem.size()];
        let mut found = Self { columns, estimate: zeros.clone(), factor: None };
        if start.len() == count - 1 {
            let start = start.iter().flat_map(|part| found.of_units(part, kept)).collect();
            problem.maximise(&mut found, start);
        }
        if found.factor.is_none() {
            problem.maximise(&mut found, zeros);
        }
        found
    }

    /// Intercept and coefficients of a part on the scale of the columns; 0 for columns that the part lacks.
    fn of_units(&self, part: &LinearPart, kept: &[usize]) -> Vec<f64> {
        let mut units = vec![part.constant];
        for (column, place) in self.columns.iter().zip(kept) {
            let own = part.columns.binary_search(place).ok();
            let weight = own.map_or(0.0, |own| part.weights[own]);
            units[0] += own.map_or(0.0, |own| weight * (column.mean - part.centres[own]));
            units.push(weight * column.length);
        }
        units
    }

    /// The coefficients, drawn by normal numbers from the normal approximation of their posterior.
    fn drawn(&self, kept: &[usize], normals: &[f64]) -> Vec<LinearPart> {
        let noise = self.factor.as_ref().map_or_else(|| vec![0.0; normals.len()], |f| f.solve_transposed(normals));
        let drawn: Vec<f64> = self.estimate.iter().zip(noise).map(|(b, noise)| b + noise).collect();
        let of_class = |class: &[f64]| LinearPart {
            constant: class[0],
            columns: kept.to_vec(),
            centres: self.columns.iter().map(|column| column.mean).collect(),
            weights: class[1..].iter().zip(&self.columns).map(|(b, column)| b / column.length).collect(),
        };
        drawn.chunks_exact(self.columns.len() + 1).map(of_class).collect()
    }
}

struct MultinomialProblem<'a> {
    /// The intercept and the columns.
    design: Vec<Vec<f64>>,
    classes: &'a [usize],
    weights: &'a [f64],
    /// Number of classes but the first.
    others: usize,
}

/// Probabilities of the classes but the first, one list a class, and the deviance.
struct MultinomialState {
    probabilities: Vec<Vec<f64>>,
    deviance: f64,
}

impl MultinomialProblem<'_> {
    fn size(&self) -> usize {
        self.design.len() * self.others
    }

    /// Newton's method, with steps halved until the likelihood rises. The factor is absent when it fails.
    fn maximise(&self, found: &mut MultinomialFit, start: Vec<f64>) {
        const ITERATIONS: usize = 50;
        // The squared length of a step in units of standard errors. After a step of a millionth of them the next one
        // would be a millionth of that.
        const TOLERANCE: f64 = 1e-12;
        let mut estimate = start;
        let mut state = self.state(&estimate);
        found.factor = None;
        for _ in 0..ITERATIONS {
            let (gradient, information) = self.slope(&state);
            found.factor = Cholesky::new(&information, self.size());
            let Some(factor) = &found.factor else { break };
            let step = factor.solve(&gradient);
            let decrement = dot(&step, &gradient);
            if decrement.is_nan() {
                break;
            }
            if decrement <= TOLERANCE {
                estimate.iter_mut().zip(&step).for_each(|(b, step)| *b += step);
                break;
            }
            let mut length = 1.0;
            state = loop {
                let candidate: Vec<f64> = estimate.iter().zip(&step).map(|(b, step)| b + length * step).collect();
                let next = self.state(&candidate);
                if next.deviance <= state.deviance + 1e-10 * (state.deviance + 0.1) || length < 1e-8 {
                    estimate = candidate;
                    break next;
                }
                length /= 2.0;
            };
        }
        found.estimate = estimate;
    }

    fn state(&self, estimate: &[f64]) -> MultinomialState {
        let rows = self.classes.len();
        let mut eta: Vec<Vec<f64>> = estimate
            .chunks_exact(self.design.len())
            .map(|class| {
                let mut eta = vec![0.0; rows];
                for (column, b) in self.design.iter().zip(class) {
                    eta.iter_mut().zip(column).for_each(|(eta, x)| *eta += b * x);
                }
                eta
            })
            .collect();
        let mut deviance = 0.0;
        for row in 0..rows {
            let largest = eta.iter().map(|class| class[row]).fold(0.0, f64::max);
            let own = self.classes[row].checked_sub(1).map_or(0.0, |class| eta[class][row]);
            let mut total = (-largest).exp();
            for class in &mut eta {
                class[row] = (class[row] - largest).exp();
                total += class[row];
            }
            eta.iter_mut().for_each(|class| class[row] /= total);
            deviance += 2.0 * self.weights[row] * (total.ln() + largest - own);
        }
        MultinomialState { probabilities: eta, deviance }
    }

    /// Gradient of the log likelihood and the information.
    fn slope(&self, state: &MultinomialState) -> (Vec<f64>, Vec<f64>) {
        let (k, size) = (self.design.len(), self.size());
        let mut gradient = vec![0.0; size];
        let mut information = vec![0.0; size * size];
        for (c, p) in state.probabilities.iter().enumerate() {
            let pull: Vec<f64> = (0..p.len())
                .map(|row| self.weights[row] * (f64::from(u8::from(self.classes[row] == c + 1)) - p[row]))
                .collect();
            for (j, column) in self.design.iter().enumerate() {
                gradient[c * k + j] = dot(column, &pull);
            }
            for (d, q) in state.probabilities.iter().enumerate().take(c + 1) {
                let own = f64::from(u8::from(c == d));
                let curvature: Vec<f64> = (0..p.len()).map(|row| self.weights[row] * p[row] * (own - q[row])).collect();
                let block = weighted_products(&self.design, &curvature);
                for i in 0..k {
                    for j in 0..k {
                        information[(c * k + i) * size + d * k + j] = block[i * k + j];
                        information[(d * k + j) * size + c * k + i] = block[i * k + j];
                    }
                }
            }
        }
        (gradient, information)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The numbers of a line of the golden file, whose script stands beside it.
    fn line(name: &str) -> Vec<f64> {
        let golden = include_str!("../tests/golden/draws.csv");
        let found = golden.lines().find_map(|line| line.strip_prefix(&format!("{name},")));
        found.expect("a line of that name").split(',').map(|field| field.parse().expect("a number")).collect()
    }

    /// A column of the lines that are numbered from 1.
    fn column(name: &str, place: usize) -> Vec<f64> {
        (1..=60).map(|row| line(&format!("{name},{row}"))[place]).collect()
    }

    struct Example {
        design: Vec<Vec<f64>>,
        observed: Vec<usize>,
        y: Vec<f64>,
    }

    fn example(target: &str) -> Example {
        let observed: Vec<usize> = (0..60).filter(|&row| line(&format!("y,{}", row + 1))[1] == 1.0).collect();
        let target = column(target, 0);
        Example {
            design: (0..3).map(|place| column("x", place)).collect(),
            y: observed.iter().map(|&row| target[row]).collect(),
            observed,
        }
    }

    /// Intercept and coefficients of a part without its centres.
    fn plain(part: &LinearPart) -> Vec<f64> {
        let shift: f64 = part.centres.iter().zip(&part.weights).map(|(centre, weight)| centre * weight).sum();
        std::iter::once(part.constant - shift).chain(part.weights.iter().copied()).collect()
    }

    fn assert_near(ours: &[f64], expected: &[f64], tolerance: f64) {
        assert_eq!(ours.len(), expected.len());
        for (a, b) in ours.iter().zip(expected) {
            assert!((a - b).abs() <= tolerance * b.abs().max(1.0), "{ours:?} are not {expected:?}");
        }
    }

    #[test]
    fn the_linear_model_is_drawn_as_by_mice() {
        let Example { design, observed, y } = example("y");
        let gather = |column: &Vec<f64>| UnitColumn::new(observed.iter().map(|&row| column[row]).collect());
        let columns: Vec<UnitColumn> = design.iter().map(gather).collect();
        let y = UnitColumn::new(y);
        let found = independent(&columns, &y);
        let fit = LinearFit::new(&columns, &y, &found);
        let of = |chi, normals: &[f64]| fit.drawn(&columns, &y, &found, &[0, 1, 2], chi, normals);
        assert_near(&plain(&of(1.0, &[0.0; 4]).mean), &line("norm coefficients"), 1e-10);
        let drawn = of(line("norm chi")[0], &line("norm z"));
        assert_near(&plain(&drawn.mean), &line("norm drawn"), 1e-10);
        assert_near(&[drawn.deviation], &line("norm sigma"), 1e-10);
    }

    fn augmented(target: &str, levels: &[f64]) -> (Sample, MultinomialFit) {
        let Example { design, observed, y } = example(target);
        let target = Target {
            method: &ImputationMethod::Polytomous,
            levels,
            observed_values: &y,
            observed_rows: &observed,
            design: &design,
            predictors: &[0, 1, 2],
            start: &[],
        };
        let sample = target.augmented(&[0, 1, 2]);
        let fit = MultinomialFit::new(&sample, levels.len(), &[0, 1, 2], &[]);
        // Wherever the search begins, it ends at the same place.
        let start = fit.drawn(&[0, 1, 2], &vec![0.7; fit.estimate.len()]);
        let other = MultinomialFit::new(&sample, levels.len(), &[0, 1, 2], &start);
        assert_near(&other.estimate, &fit.estimate, 1e-7);
        (sample, fit)
    }

    #[test]
    fn the_logistic_model_is_drawn_as_by_mice() {
        let (sample, fit) = augmented("event", &[0.0, 1.0]);
        assert_eq!(sample.classes.len(), 45 + 12);
        assert_near(&plain(&fit.drawn(&[0, 1, 2], &[0.0; 4])[0]), &line("logreg coefficients"), 1e-8);
        assert_near(&plain(&fit.drawn(&[0, 1, 2], &line("logreg z"))[0]), &line("logreg drawn"), 1e-8);
    }

    #[test]
    fn the_multinomial_fit_is_that_of_nnet() {
        let (_, fit) = augmented("level", &[1.0, 2.0, 3.0]);
        for (part, class) in fit.drawn(&[0, 1, 2], &[0.0; 8]).iter().zip(1..) {
            assert_near(&plain(part), &line(&format!("polyreg coefficients,{class}")), 1e-5);
        }
    }

    #[test]
    fn categories_are_drawn_with_their_probabilities() {
        let part = |constant: f64| LinearPart { constant, ..LinearPart::default() };
        let levels = vec![3.0, 5.0, 9.0];
        let shares: [f64; 3] = [0.2, 0.5, 0.3];
        let log_odds = vec![part((shares[1] / shares[0]).ln()), part((shares[2] / shares[0]).ln())];
        let thresholds = vec![(0.2_f64 / 0.8).ln(), (0.7_f64 / 0.3).ln()];
        for model in [
            ConditionalModel::Multinomial { levels: levels.clone(), log_odds },
            ConditionalModel::Cumulative { levels: levels.clone(), shift: part(0.0), thresholds },
        ] {
            let mut draws = Draws::new(3, 0);
            let drawn: Vec<f64> = (0..40_000).map(|_| model.draw(|_| 0.0, &mut draws)).collect();
            for (level, share) in levels.iter().zip(shares) {
                let found = drawn.iter().filter(|value| *value == level).count() as f64 / 40_000.0;
                assert!((found - share).abs() < 0.01, "{level}: {found}");
            }
        }
    }
}
