//! The same penalised logistic regressions by this project's coordinate descent with Newton steps and by argmin's
//! L-BFGS.
//!
//! ```text
//! minimise  f(β₀, β) = −ℓ(β₀, β)/n + λ/2 Σⱼ βⱼ²
//! ```
//!
//! Before the timings, one line per solver says how close it comes: the objective and the largest component of its
//! gradient.

// The comparison is the output of this program.
#![allow(clippy::print_stdout)]

use std::hint::black_box;

use alnm_selection::elastic_net::{ElasticNet, ElasticNetParams, LambdaSequence, PathPrecision};
use alnm_selection::{FeatureTable, Labels};
use argmin::core::{CostFunction, Error, Executor, Gradient, State};
use argmin::solver::linesearch::MoreThuenteLineSearch;
use argmin::solver::quasinewton::LBFGS;
use criterion::{Criterion, criterion_group, criterion_main};
use ndarray::Array2;
use rand::rngs::ChaCha8Rng;
use rand::{Rng, SeedableRng};

/// Penalty λ of every problem.
const LAMBDA: f64 = 0.05;

/// A penalised logistic regression on standardised features.
struct Problem {
    table: FeatureTable,
    labels: Labels,
}

impl Problem {
    /// Independent features of mean 0 and variance 1, of which the first three carry the outcome.
    fn new(rows: usize, features: usize) -> Self {
        let mut generator = ChaCha8Rng::seed_from_u64(features as u64);
        let mut uniform = || f64::from(generator.next_u32()) / f64::from(u32::MAX) - 0.5;
        let mut values = Array2::from_shape_fn((rows, features), |_| uniform() + uniform() + uniform());
        for mut column in values.columns_mut() {
            let mean = column.sum() / rows as f64;
            let deviation = (column.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / rows as f64).sqrt();
            column.mapv_inplace(|v| (v - mean) / deviation);
        }
        let events = (0..rows).map(|i| values[[i, 0]] - values[[i, 1]] + 0.5 * values[[i, 2]] + uniform() > 0.0);
        let labels = Labels::new(events.collect());
        let names = (0..features).map(|column| format!("x{column}")).collect();
        Self { table: FeatureTable::new(names, values).expect("unique names"), labels }
    }

    fn linear_predictor(&self, coefficients: &[f64]) -> Vec<f64> {
        let slopes = &coefficients[1..];
        let of_row = |row: ndarray::ArrayView1<'_, f64>| row.iter().zip(slopes).map(|(x, b)| x * b).sum::<f64>();
        self.table.values().rows().into_iter().map(|row| coefficients[0] + of_row(row)).collect()
    }

    fn objective(&self, coefficients: &[f64]) -> f64 {
        let eta = self.linear_predictor(coefficients);
        let loss = eta.iter().zip(self.labels.to_values()).map(|(e, y)| e.max(0.0) + (-e.abs()).exp().ln_1p() - y * e);
        let penalty = coefficients[1..].iter().map(|b| b * b).sum::<f64>() / 2.0;
        loss.sum::<f64>() / eta.len() as f64 + LAMBDA * penalty
    }

    fn gradient(&self, coefficients: &[f64]) -> Vec<f64> {
        let eta = self.linear_predictor(coefficients);
        let n = eta.len() as f64;
        let residual: Vec<f64> =
            eta.iter().zip(self.labels.to_values()).map(|(e, y)| (1.0 / (1.0 + (-e).exp()) - y) / n).collect();
        let values = self.table.values();
        let slopes = values
            .columns()
            .into_iter()
            .zip(&coefficients[1..])
            .map(|(column, b)| column.iter().zip(&residual).map(|(x, r)| x * r).sum::<f64>() + LAMBDA * b);
        std::iter::once(residual.iter().sum()).chain(slopes).collect()
    }
}

/// The problem as argmin takes it.
#[derive(Clone, Copy)]
struct ForArgmin<'a>(&'a Problem);

impl CostFunction for ForArgmin<'_> {
    type Param = Vec<f64>;
    type Output = f64;

    fn cost(&self, coefficients: &Vec<f64>) -> Result<f64, Error> {
        Ok(self.0.objective(coefficients))
    }
}

impl Gradient for ForArgmin<'_> {
    type Param = Vec<f64>;
    type Gradient = Vec<f64>;

    fn gradient(&self, coefficients: &Vec<f64>) -> Result<Vec<f64>, Error> {
        Ok(self.0.gradient(coefficients))
    }
}

/// Coefficients by argmin's L-BFGS with the line search of Moré and Thuente, and the number of iterations.
fn by_argmin(problem: &Problem) -> (Vec<f64>, u64) {
    let solver = LBFGS::new(MoreThuenteLineSearch::new(), 7).with_tolerance_grad(1e-10).expect("a tolerance");
    let start = vec![0.0; problem.table.columns() + 1];
    let result = Executor::new(ForArgmin(problem), solver)
        .configure(|state| state.param(start).max_iters(500))
        .run()
        .expect("a convex problem");
    (result.state().get_best_param().expect("an iterate").clone(), result.state().get_iter())
}

fn ours() -> ElasticNet {
    ElasticNetParams::default()
        .with_alpha(0.0)
        .with_standardise(false)
        .with_lambda(LambdaSequence::Given(vec![LAMBDA]))
        .with_precision(PathPrecision::OptimalityConditions(1e-10))
        .check()
        .expect("parameters in their ranges")
}

/// Coefficients by the elastic net with α = 0, and the number of passes.
fn by_elastic_net(net: &ElasticNet, problem: &Problem) -> (Vec<f64>, usize) {
    let path = net.binomial_path(&problem.table, &problem.labels).expect("both classes");
    let fitted = &path.coefficients()[0];
    let mut coefficients = vec![0.0; problem.table.columns() + 1];
    coefficients[0] = fitted.intercept();
    fitted.columns().iter().zip(fitted.values()).for_each(|(&column, &b)| coefficients[column + 1] = b);
    (coefficients, path.passes())
}

fn optimisers(criterion: &mut Criterion) {
    let net = ours();
    for features in [6, 100] {
        let problem = Problem::new(200, features);
        let name = format!("ridge logistic regression 200 x {features}");
        let report = |solver: &str, coefficients: &[f64], steps: u64| {
            let steepest = problem.gradient(coefficients).into_iter().fold(0.0, |largest: f64, g| largest.max(g.abs()));
            let objective = problem.objective(coefficients);
            println!("{name}, {solver}: objective {objective:.15}, largest gradient {steepest:.1e}, {steps} steps");
        };
        let (coefficients, passes) = by_elastic_net(&net, &problem);
        report("alnm-selection", &coefficients, passes as u64);
        let (coefficients, iterations) = by_argmin(&problem);
        report("argmin L-BFGS", &coefficients, iterations);
        let mut group = criterion.benchmark_group(&name);
        group.bench_function("alnm-selection", |b| b.iter(|| by_elastic_net(&net, black_box(&problem))));
        group.bench_function("argmin L-BFGS", |b| b.iter(|| by_argmin(black_box(&problem))));
        group.finish();
    }
}

criterion_group!(benches, optimisers);
criterion_main!(benches);
