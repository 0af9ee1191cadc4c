//! Classifiers of smartcore beside this project's LASSO, under the same cross-fitting.
//!
//! Before the timings, one line per classifier gives the area under the ROC curve of its predictions of held-out rows.

// The comparison is the output of this program.
#![allow(clippy::print_stdout)]

use std::hint::black_box;

use alnm_selection::cross_fitting::out_of_fold;
use alnm_selection::folds::{FoldOrder, Folds, Split};
use alnm_selection::{FeatureTable, Labels, Pipeline, SelectionError, Step};
use alnm_stats::roc::{Direction, RocCurve};
use criterion::{Criterion, criterion_group, criterion_main};
use ndarray::Array2;
use rand::rngs::ChaCha8Rng;
use rand::{Rng, SeedableRng};
use smartcore::ensemble::random_forest_regressor::{RandomForestRegressor, RandomForestRegressorParameters};
use smartcore::linalg::basic::matrix::DenseMatrix;
use smartcore::neighbors::knn_classifier::{KNNClassifier, KNNClassifierParameters};
use smartcore::svm::Kernels;
use smartcore::svm::svc::{SVC, SVCParameters};

/// What goes wrong in a classifier, as text.
#[derive(Debug)]
struct Problem(#[expect(dead_code, reason = "a test prints it")] String);

impl From<SelectionError> for Problem {
    fn from(error: SelectionError) -> Self {
        Self(error.to_string())
    }
}

impl From<smartcore::error::Failed> for Problem {
    fn from(error: smartcore::error::Failed) -> Self {
        Self(error.to_string())
    }
}

/// A table of standardised features with its outcome.
struct Cohort {
    table: FeatureTable,
    labels: Labels,
    folds: Folds,
}

impl Cohort {
    /// Two hundred rows and twenty features: two act linearly, two only together.
    fn new() -> Self {
        let mut generator = ChaCha8Rng::seed_from_u64(5);
        let mut uniform = || 2.0 * f64::from(generator.next_u32()) / f64::from(u32::MAX) - 1.0;
        let values = Array2::from_shape_fn((200, 20), |_| uniform() + uniform() + uniform());
        let signal = |i: usize| values[[i, 0]] - values[[i, 1]] + 0.7 * values[[i, 2]] * values[[i, 3]];
        let labels = Labels::new((0..200).map(|i| signal(i) + uniform() + uniform() > 0.0).collect());
        let folds = Folds::stratified(&labels, 5, FoldOrder::Shuffled { seed: 1 }).expect("enough rows");
        let names = (0..20).map(|column| format!("x{column}")).collect();
        Self { table: FeatureTable::new(names, values).expect("unique names"), labels, folds }
    }

    fn matrix(&self, rows: &[usize]) -> Result<DenseMatrix<f64>, Problem> {
        let values = self.table.values();
        Ok(DenseMatrix::from_2d_vec(&rows.iter().map(|&row| values.row(row).to_vec()).collect())?)
    }

    fn outcomes(&self, rows: &[usize], negative: i32) -> Vec<i32> {
        rows.iter().map(|&row| if self.labels.as_slice()[row] { 1 } else { negative }).collect()
    }

    fn lasso(&self, split: &Split) -> Result<Vec<f64>, Problem> {
        let selection = Pipeline::new("score").then(Step::lasso(FoldOrder::AsGiven));
        let training = self.table.select_rows(&split.training);
        let fitted = selection.fit(&training, &self.labels.select(&split.training))?;
        Ok(fitted.score(&self.table.select_rows(&split.held_out))?)
    }

    /// Regression trees on the outcome 0 or 1, whose mean is a probability.
    fn forest(&self, split: &Split) -> Result<Vec<f64>, Problem> {
        let parameters = RandomForestRegressorParameters::default().with_n_trees(200).with_m(4).with_seed(3);
        let outcomes = self.labels.select(&split.training).to_values();
        let forest = RandomForestRegressor::fit(&self.matrix(&split.training)?, &outcomes, parameters)?;
        Ok(forest.predict(&self.matrix(&split.held_out)?)?)
    }

    fn neighbours(&self, split: &Split) -> Result<Vec<f64>, Problem> {
        let outcomes = self.outcomes(&split.training, 0);
        let parameters = KNNClassifierParameters::default().with_k(15);
        let neighbours = KNNClassifier::fit(&self.matrix(&split.training)?, &outcomes, parameters)?;
        let shares = neighbours.predict_proba(&self.matrix(&split.held_out)?)?;
        Ok(shares.into_iter().map(|share| share[1]).collect())
    }

    fn support_vectors(&self, split: &Split) -> Result<Vec<f64>, Problem> {
        let (training, held_out) = (self.matrix(&split.training)?, self.matrix(&split.held_out)?);
        let outcomes = self.outcomes(&split.training, -1);
        let parameters = SVCParameters::default().with_c(1.0).with_kernel(Kernels::rbf().with_gamma(0.05));
        let machine = SVC::fit(&training, &outcomes, &parameters)?;
        Ok(machine.decision_function(&held_out)?)
    }
}

/// A classifier that is fitted to the training rows and judges the held-out rows.
type Classifier = fn(&Cohort, &Split) -> Result<Vec<f64>, Problem>;

fn classifiers(criterion: &mut Criterion) {
    let cohort = Cohort::new();
    let all: [(&str, Classifier); 4] = [
        ("LASSO (alnm-selection)", Cohort::lasso),
        ("random forest (smartcore)", Cohort::forest),
        ("k nearest neighbours (smartcore)", Cohort::neighbours),
        ("support vector classifier (smartcore)", Cohort::support_vectors),
    ];
    let mut group = criterion.benchmark_group("cross-fitted classifiers 200 x 20, 5 folds");
    group.sample_size(10);
    for (name, classifier) in all {
        let run = || out_of_fold(&cohort.folds, |split| classifier(&cohort, split)).expect("both classes");
        let roc = RocCurve::new(&cohort.labels, &run(), Direction::HigherIsPositive).expect("both classes");
        println!("{name}: AUC of held-out rows {:.3}", roc.auc());
        group.bench_function(name, |b| b.iter(|| black_box(run())));
    }
    group.finish();
}

criterion_group!(benches, classifiers);
criterion_main!(benches);
