//! Scores that were never judged on their own training rows: variance filter, correlation filter and LASSO, fitted once
//! per fold, and the area under the ROC curve of the out-of-fold scores beside that of the rows fitted to.
//!
//! The table is simulated: 120 patients and 40 features, of which three differ between the classes, one is a near copy
//! of another, and one never varies.
//!
//! ```text
//! cargo run -p alnm-selection --example cross_fitted_lasso
//! ```
#![allow(clippy::print_stdout)]

use alnm_selection::correlation_filter::CorrelationFilterParams;
use alnm_selection::folds::{FoldOrder, Folds};
use alnm_selection::{FeatureTable, Labels, Pipeline, Step};
use alnm_stats::delong::auc_estimate;
use alnm_stats::roc::{Direction, RocCurve};
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};

const PATIENTS: usize = 120;
const FEATURES: usize = 40;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let labels = Labels::new((0..PATIENTS).map(|patient| patient % 3 == 0).collect());
    let table = simulated(&labels)?;

    let pipeline = Pipeline::new("score")
        .then(Step::ZeroVariance)
        .then(Step::CorrelationFilter(CorrelationFilterParams::default().with_cutoff(0.9)))
        .then(Step::lasso(FoldOrder::Shuffled { seed: 1 }));
    let folds = Folds::stratified(&labels, 5, FoldOrder::Shuffled { seed: 2 })?;
    let honest = pipeline.cross_fit(&table, &labels, &folds)?;
    for (fold, fit) in honest.fits.iter().enumerate() {
        let weights = fit.signature().map_or(0, |signature| signature.weights().len());
        let steps: Vec<String> =
            fit.report().iter().map(|step| format!("{} {} -> {}", step.step, step.before, step.after)).collect();
        println!("fold {fold}: {}; {weights} weights", steps.join(", "));
    }

    let fitted = pipeline.fit(&table, &labels)?;
    for (rows, scores) in [("out of fold", &honest.scores), ("rows fitted to", &fitted.score(&table)?)] {
        let roc = RocCurve::new(&labels, scores, Direction::HigherIsPositive)?;
        let area = auc_estimate(&roc, 0.95)?;
        println!("{rows}: AUC {:.3} ({:.3} to {:.3})", area.auc, area.interval.lower, area.interval.upper);
    }
    Ok(())
}

/// Features of which the first three are higher with the event, `feature3` is a near copy of `feature0`, and `feature4`
/// is constant.
fn simulated(labels: &Labels) -> Result<FeatureTable, alnm_selection::SelectionError> {
    let mut generator = ChaCha8Rng::seed_from_u64(7);
    // The sum of twelve uniform numbers is nearly normal, with variance 1.
    let mut noise = || (0..12).map(|_| generator.random::<f64>()).sum::<f64>() - 6.0;
    let mut columns: Vec<Vec<f64>> = (0..FEATURES).map(|_| (0..PATIENTS).map(|_| noise()).collect()).collect();
    for column in &mut columns[..3] {
        for (value, &event) in column.iter_mut().zip(labels.as_slice()) {
            *value += if event { 0.7 } else { 0.0 };
        }
    }
    columns[3] = columns[0].iter().map(|value| value + 0.1 * noise()).collect();
    columns[4] = vec![1.0; PATIENTS];
    FeatureTable::from_columns(
        columns.into_iter().enumerate().map(|(i, column)| (format!("feature{i}"), column)).collect(),
    )
}
