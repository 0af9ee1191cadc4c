//! Two scores of the same patients: the area under each ROC curve with DeLong's interval, and DeLong's paired test of
//! their difference.
//!
//! ```text
//! cargo run -p alnm-stats --example compare_roc_curves
//! ```
#![allow(clippy::print_stdout)]

use alnm_stats::delong::{Marker, auc_estimate, paired_test};
use alnm_stats::roc::{Direction, RocCurve};
use alnm_stats::{Alternative, Labels, StatsError};

fn main() -> Result<(), StatsError> {
    // Forty patients, every second one with the event. Both scores rise with the event, the first one more.
    let labels = Labels::new((0..40).map(|patient| patient % 2 == 1).collect());
    let score = |shift: f64, step: usize| -> Vec<f64> {
        let noise = |patient: usize| ((patient * step + 3) % 41) as f64 / 41.0;
        (0..40).map(|patient| noise(patient) + if patient % 2 == 1 { shift } else { 0.0 }).collect()
    };
    let (model, clinical) = (score(0.5, 17), score(0.2, 29));

    for (name, scores) in [("model", &model), ("clinical score", &clinical)] {
        let roc = RocCurve::new(&labels, scores, Direction::HigherIsPositive)?;
        let area = auc_estimate(&roc, 0.95)?;
        let cutoff = roc.youden_cutoff();
        println!(
            "{name}: AUC {:.3}, 95% interval {:.3} to {:.3}; at {:.3} sensitivity {:.2} and specificity {:.2}",
            area.auc,
            area.interval.lower,
            area.interval.upper,
            cutoff.threshold,
            cutoff.table.sensitivity(),
            cutoff.table.specificity(),
        );
    }

    let marker = |scores| Marker { scores, direction: Direction::HigherIsPositive };
    let test = paired_test(&labels, marker(&model), marker(&clinical), Alternative::TwoSided, 0.95)?;
    println!("{}: Z = {:.3}, p = {:.4}", test.method, test.statistic, test.p_value);
    if let Some(interval) = test.confidence_interval {
        let difference = test.estimate[0] - test.estimate[1];
        println!(
            "difference of the areas {difference:.3}, 95% interval {:.3} to {:.3}",
            interval.lower, interval.upper
        );
    }
    Ok(())
}
