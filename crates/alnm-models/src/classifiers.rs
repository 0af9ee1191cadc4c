//! Classifiers that reviewers ask for beside a logistic model: random forest, support vector machine, k nearest
//! neighbours and naive Bayes, from smartcore 0.7.0.
//!
//! They are meant for comparison: a fitted classifier cannot be saved; the results are the risks of rows that it was
//! not fitted to. In each fold, features are scaled by the mean and the standard deviation of the training rows
//! (constant ones are left out), the classifier learns from all training rows, and its scores of the held-out rows
//! become risks by Platt's scaling, which is fitted to scores of training rows that were cross-fitted within them. No
//! held-out row takes part in its own scaling, learning or calibration.
//!
//! | classifier | score before calibration |
//! |---|---|
//! | random forest (Breiman 2001) | mean over regression trees of the share of events in the leaf |
//! | support vector machine (Cortes and Vapnik 1995) | distance from the separating surface, Gaussian kernel |
//! | k nearest neighbours (Cover and Hart 1967) | share of events among the neighbours |
//! | naive Bayes | log odds of independent normal distributions |
//!
//! ```
//! use alnm_models::classifiers::{Classifier, ClassifierParams};
//! use alnm_models::folds::{FoldOrder, Folds};
//! use alnm_models::{FeatureTable, Labels};
//! use ndarray::Array2;
//! let value = |i: usize, j: usize| ((i * (37 + 16 * j) + 11) % 101) as f64 / 100.0;
//! let table = FeatureTable::new(vec!["a".into(), "b".into()], Array2::from_shape_fn((90, 2), |(i, j)| value(i, j)))?;
//! let labels = Labels::new((0..90).map(|i| value(i, 0) + 0.5 * value(i, 2) > 0.75).collect());
//! let folds = Folds::stratified(&labels, 5, FoldOrder::Shuffled { seed: 1 })?;
//! let forest = ClassifierParams::new(Classifier::random_forest()).check()?.cross_fit(&table, &labels, &folds)?;
//! assert!(forest.risks.iter().all(|risk| (0.0..=1.0).contains(risk)));
//! # Ok::<(), alnm_models::ModelError>(())
//! ```

use alnm_selection::SelectionError;
use alnm_selection::cross_fitting::out_of_fold;
use alnm_selection::folds::{FoldOrder, Folds};
use alnm_stats::calibration::PlattScaling;
use smartcore::ensemble::random_forest_regressor::{RandomForestRegressor, RandomForestRegressorParameters};
use smartcore::error::Failed;
use smartcore::linalg::basic::matrix::DenseMatrix;
use smartcore::naive_bayes::gaussian::{GaussianNB, GaussianNBParameters};
use smartcore::neighbors::knn_classifier::{KNNClassifier, KNNClassifierParameters};
use smartcore::svm::Kernels;
use smartcore::svm::svc::{SVC, SVCParameters};

use crate::error::{ModelError, Result};
use crate::{FeatureTable, Labels};

/// Variance that is added to each normal distribution of naive Bayes, of features with unit variance; scikit-learn's.
const VARIANCE_SMOOTHING: f64 = 1e-9;

/// A classifier with its hyperparameters.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Classifier {
    /// Trees on bootstrap samples, each split among some features chosen at random.
    RandomForest {
        /// Number of trees, at least 1.
        trees: usize,
        /// Features that a split chooses from, 1 to their number; `None` for the root of their number.
        features_per_split: Option<usize>,
        /// Rows of a leaf at least, at least 1.
        rows_per_leaf: usize,
    },
    /// A support vector machine with the kernel exp(−γ ‖x − z‖²).
    SupportVectorMachine {
        /// Penalty of a row on the wrong side, above 0.
        cost: f64,
        /// γ, above 0; `None` for one over the number of features.
        gamma: Option<f64>,
    },
    /// The nearest training rows by Euclidean distance.
    NearestNeighbours {
        /// Number of neighbours, 1 to the number of training rows.
        neighbours: usize,
    },
    /// Independent normal distributions in each class.
    NaiveBayes,
}

impl Classifier {
    /// 500 trees, splits among the root of the number of features, leaves of five rows at least.
    #[must_use]
    pub fn random_forest() -> Self {
        Self::RandomForest { trees: 500, features_per_split: None, rows_per_leaf: 5 }
    }

    /// Cost 1, γ one over the number of features.
    #[must_use]
    pub fn support_vector_machine() -> Self {
        Self::SupportVectorMachine { cost: 1.0, gamma: None }
    }

    /// Fifteen neighbours.
    #[must_use]
    pub fn nearest_neighbours() -> Self {
        Self::NearestNeighbours { neighbours: 15 }
    }

    /// Name of the classifier.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::RandomForest { .. } => "random forest",
            Self::SupportVectorMachine { .. } => "support vector machine",
            Self::NearestNeighbours { .. } => "nearest neighbours",
            Self::NaiveBayes => "naive Bayes",
        }
    }
}

/// A classifier and how it is calibrated; [`ClassifierParams::check`] gives the [`ComparisonClassifier`] that can run.
///
/// | field | default | meaning | range |
/// |---|---|---|---|
/// | `classifier` | given to [`ClassifierParams::new`] | which classifier | see [`Classifier`] |
/// | `calibration_folds` | 5 | folds within the training rows for Platt's scaling | 2 to the training rows of the rarer class |
/// | `seed` | 0 | seed of the trees, of the order of rows and of the inner folds | |
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
#[must_use]
pub struct ClassifierParams {
    /// Which classifier.
    pub classifier: Classifier,
    /// Folds within the training rows for Platt's scaling.
    pub calibration_folds: usize,
    /// Seed of the trees, of the order of rows and of the inner folds.
    pub seed: u64,
}

impl ClassifierParams {
    /// A classifier with five inner folds.
    pub fn new(classifier: Classifier) -> Self {
        Self { classifier, calibration_folds: 5, seed: 0 }
    }

    /// Sets the number of folds within the training rows.
    pub fn with_calibration_folds(self, calibration_folds: usize) -> Self {
        Self { calibration_folds, ..self }
    }

    /// Sets the seed.
    pub fn with_seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// Checks the parameters.
    ///
    /// # Errors
    /// [`ModelError::Parameter`] names the first parameter outside its range.
    pub fn check(self) -> Result<ComparisonClassifier> {
        let count = |name, value: usize, least: usize, requirement| {
            if value >= least { Ok(()) } else { Err(ModelError::parameter(name, value, requirement)) }
        };
        let positive = |name, value: f64| {
            let requirement = "finite and above 0";
            if value > 0.0 && value.is_finite() { Ok(()) } else { Err(ModelError::parameter(name, value, requirement)) }
        };
        match self.classifier {
            Classifier::RandomForest { trees, features_per_split, rows_per_leaf } => {
                count("number of trees", trees, 1, "at least 1")?;
                count("number of features per split", features_per_split.unwrap_or(1), 1, "at least 1")?;
                count("number of rows per leaf", rows_per_leaf, 1, "at least 1")?;
            }
            Classifier::SupportVectorMachine { cost, gamma } => {
                positive("cost of the support vector machine", cost)?;
                positive("gamma of the support vector machine", gamma.unwrap_or(1.0))?;
            }
            Classifier::NearestNeighbours { neighbours } => {
                count("number of neighbours", neighbours, 1, "at least 1")?;
            }
            Classifier::NaiveBayes => {}
        }
        count("number of calibration folds", self.calibration_folds, 2, "at least 2")?;
        Ok(ComparisonClassifier { params: self })
    }
}

/// A comparison classifier with checked parameters; made by [`ClassifierParams::check`].
#[derive(Debug, Clone, PartialEq)]
pub struct ComparisonClassifier {
    params: ClassifierParams,
}

/// Cross-fitted scores and risks: those of each row come from a fit without the row. They are in the order of the rows.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct CrossFittedRisks {
    /// Name of the classifier.
    pub classifier: String,
    /// Scores on the classifier's own scale; scores of different folds need not be comparable.
    pub scores: Vec<f64>,
    /// Calibrated risks.
    pub risks: Vec<f64>,
}

impl ComparisonClassifier {
    /// The parameters.
    pub fn params(&self) -> &ClassifierParams {
        &self.params
    }

    /// Scores and risks of every row by fits that did not use the row. Use the same folds as for the models that are
    /// compared.
    ///
    /// # Errors
    /// [`ModelError::Selection`] for a missing or infinite value, for labels or folds of another number of rows and for
    /// training rows without a feature that varies; [`ModelError::Statistics`] for labels of one class and for scores
    /// that are all equal; [`ModelError::Parameter`] for more neighbours or features per split than there are;
    /// [`ModelError::Classifier`] for what smartcore refuses.
    pub fn cross_fit(&self, table: &FeatureTable, labels: &Labels, folds: &Folds) -> Result<CrossFittedRisks> {
        table.require_rows(labels.len())?;
        table.require_finite()?;
        labels.require_both("comparison classifier")?;
        let ClassifierParams { calibration_folds, seed, .. } = self.params;
        let both = out_of_fold(folds, |split| -> Result<Vec<(f64, f64)>> {
            let (training, truth) = (table.select_rows(&split.training), labels.select(&split.training));
            let inner = Folds::stratified(&truth, calibration_folds, FoldOrder::Shuffled { seed })?;
            let within = out_of_fold(&inner, |inner| -> Result<Vec<f64>> {
                let (learned, judged) = (training.select_rows(&inner.training), training.select_rows(&inner.held_out));
                self.scores(&learned, &truth.select(&inner.training), &judged)
            })?;
            let platt = PlattScaling::fit(&truth, &within)?;
            let scores = self.scores(&training, &truth, &table.select_rows(&split.held_out))?;
            Ok(scores.into_iter().map(|score| (score, platt.apply(score))).collect())
        })?;
        let (scores, risks) = both.into_iter().unzip();
        Ok(CrossFittedRisks { classifier: self.params.classifier.name().to_owned(), scores, risks })
    }

    /// Scores of rows by the classifier that learned from others.
    fn scores(&self, training: &FeatureTable, labels: &Labels, judged: &FeatureTable) -> Result<Vec<f64>> {
        let name = self.params.classifier.name();
        let scaling = Scaling::of(training)?;
        let failed = |error: Failed| ModelError::Classifier { classifier: name, reason: error.to_string() };
        let matrix = |rows: &Vec<Vec<f64>>| DenseMatrix::from_2d_vec(rows).map_err(failed);
        let judged_rows = scaling.apply(judged);
        let (learned, judged) = (matrix(&scaling.apply(training))?, matrix(&judged_rows)?);
        let features = scaling.columns.len();
        let seed = self.params.seed;
        match self.params.classifier {
            Classifier::RandomForest { trees, features_per_split, rows_per_leaf } => {
                // Regression trees on the outcome 0 or 1: the mean of their predictions is a share of events.
                let per_split = features_per_split.unwrap_or((features as f64).sqrt() as usize).max(1);
                at_most(
                    "number of features per split",
                    per_split,
                    features,
                    "the number of features that vary at most",
                )?;
                let parameters = RandomForestRegressorParameters::default()
                    .with_n_trees(trees)
                    .with_m(per_split)
                    .with_min_samples_leaf(rows_per_leaf)
                    .with_seed(seed);
                let forest = RandomForestRegressor::fit(&learned, &labels.to_values(), parameters).map_err(failed)?;
                forest.predict(&judged).map_err(failed)
            }
            Classifier::SupportVectorMachine { cost, gamma } => {
                let outcomes: Vec<i32> = labels.as_slice().iter().map(|&event| if event { 1 } else { -1 }).collect();
                let kernel = Kernels::rbf().with_gamma(gamma.unwrap_or(1.0 / features as f64));
                let parameters = SVCParameters::default().with_c(cost).with_kernel(kernel).with_seed(Some(seed));
                let machine = SVC::fit(&learned, &outcomes, &parameters).map_err(failed)?;
                machine.decision_function(&judged).map_err(failed)
            }
            Classifier::NearestNeighbours { neighbours } => {
                at_most("number of neighbours", neighbours, labels.len(), "the number of training rows at most")?;
                let outcomes: Vec<i32> = labels.as_slice().iter().map(|&event| i32::from(event)).collect();
                let parameters = KNNClassifierParameters::default().with_k(neighbours);
                let nearest = KNNClassifier::fit(&learned, &outcomes, parameters).map_err(failed)?;
                let shares = nearest.predict_proba(&judged).map_err(failed)?;
                Ok(shares.into_iter().map(|of_classes| of_classes[1]).collect())
            }
            Classifier::NaiveBayes => {
                let outcomes: Vec<u32> = labels.as_slice().iter().map(|&event| u32::from(event)).collect();
                let bayes = GaussianNB::fit(&learned, &outcomes, GaussianNBParameters::default()).map_err(failed)?;
                let log_density = |class: usize, row: &[f64]| -> f64 {
                    let normals = bayes.theta()[class].iter().zip(&bayes.var()[class]);
                    let of_feature = |(x, (mean, variance)): (&f64, (&f64, &f64))| {
                        let variance = variance + VARIANCE_SMOOTHING;
                        -0.5 * ((x - mean).powi(2) / variance + variance.ln())
                    };
                    bayes.class_priors()[class].ln() + row.iter().zip(normals).map(of_feature).sum::<f64>()
                };
                Ok(judged_rows.iter().map(|row| log_density(1, row) - log_density(0, row)).collect())
            }
        }
    }
}

/// Refuses a number of things that there are not.
fn at_most(name: &'static str, value: usize, most: usize, requirement: &'static str) -> Result<()> {
    if value <= most {
        return Ok(());
    }
    Err(ModelError::Parameter { name, value: value.into(), requirement })
}

/// Mean and standard deviation of the features that vary.
struct Scaling {
    columns: Vec<usize>,
    mean: Vec<f64>,
    deviation: Vec<f64>,
}

impl Scaling {
    fn of(training: &FeatureTable) -> Result<Self> {
        let mut scaling = Self { columns: Vec::new(), mean: Vec::new(), deviation: Vec::new() };
        let rows = training.rows() as f64;
        for (column, values) in training.values().columns().into_iter().enumerate() {
            let mean = values.sum() / rows;
            let deviation = (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / rows).sqrt();
            if values.iter().any(|v| *v != values[0]) && deviation > 0.0 {
                scaling.columns.push(column);
                scaling.mean.push(mean);
                scaling.deviation.push(deviation);
            }
        }
        if scaling.columns.is_empty() {
            return Err(SelectionError::NothingLeft { step: "a comparison classifier on constant features" }.into());
        }
        Ok(scaling)
    }

    /// The scaled features of every row.
    fn apply(&self, table: &FeatureTable) -> Vec<Vec<f64>> {
        let of_row = |row: ndarray::ArrayView1<'_, f64>| {
            let features = self.columns.iter().zip(&self.mean).zip(&self.deviation);
            features.map(|((&column, mean), deviation)| (row[column] - mean) / deviation).collect()
        };
        table.values().rows().into_iter().map(of_row).collect()
    }
}
