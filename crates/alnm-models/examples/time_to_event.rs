//! A Cox regression of the time to recurrence: hazard ratios, risks by five years, and how good they are in other
//! patients.
//!
//! `cargo run -p alnm-models --example time_to_event`

#![allow(clippy::print_stdout)]

use alnm_models::cox::{CoxModel, CoxParams, survival_calibration_curve};
use alnm_models::performance::time_to_event_performance;
use alnm_models::{FeatureTable, FollowUp, ModelError};
use alnm_stats::data_table::{Digits, Tabulate};
use alnm_stats::survival::{KaplanMeier, KaplanMeierParams, log_rank};

/// Simulated patients from the `seed`-th on: tumour size in cm, affected nodes, and follow-up in years.
fn patients(count: usize, seed: usize) -> Result<(FeatureTable, FollowUp), ModelError> {
    let uniform = |k: usize| (((k + seed) * 7919 + 104_729) % 10_007) as f64 / 10_007.0 + 1e-5;
    let size: Vec<f64> = (0..count).map(|i| 1.0 + 3.0 * uniform(3 * i)).collect();
    let nodes: Vec<f64> = (0..count).map(|i| (6.0 * uniform(3 * i + 1).powi(2)).floor()).collect();
    let hazard = |i: usize| 0.01 * (0.5 * size[i] + 0.25 * nodes[i]).exp();
    let recurrence: Vec<f64> = (0..count).map(|i| -uniform(5 * i + 2).ln() / hazard(i)).collect();
    let end: Vec<f64> = (0..count).map(|i| 2.0 + 8.0 * uniform(7 * i + 3)).collect();
    let times = (0..count).map(|i| recurrence[i].min(end[i])).collect();
    let events = (0..count).map(|i| recurrence[i] <= end[i]).collect();
    let table = FeatureTable::from_columns(vec![("size".into(), size), ("nodes".into(), nodes)])?;
    Ok((table, FollowUp::new(times, events)?))
}

fn main() -> Result<(), ModelError> {
    let (table, follow_up) = patients(500, 0)?;
    let curve = KaplanMeier::fit(&follow_up, KaplanMeierParams::default())?;
    println!("{} patients, {} recurrences", follow_up.len(), follow_up.number_of_events());
    println!("Free of recurrence after five years: {:.1} %", 100.0 * curve.survival_at(5.0));
    let affected: Vec<usize> = table.column("nodes")?.iter().map(|n| usize::from(*n > 0.0)).collect();
    println!("Log-rank test of affected nodes: p = {:.2e}", log_rank(&follow_up, &affected)?.test.p_value);

    let model = CoxModel::fit(&table, &follow_up, &CoxParams::default())?;
    println!("\nHazard ratios\n{}", model.to_table().to_markdown(Digits::Significant(3)));

    // Judged in patients that the model has not seen.
    let (others, their_follow_up) = patients(300, 90_000)?;
    let risks = model.risk_at(&others, 5.0)?;
    let performance = time_to_event_performance(&their_follow_up, &risks, 5.0, 0.95)?;
    println!("Risk by five years in other patients\n{}", performance.to_table().to_markdown(Digits::Significant(3)));
    let calibration = survival_calibration_curve(&their_follow_up, &risks, 5.0, 3, 0.95)?;
    let slope = &calibration.slope;
    println!("Calibration slope {:.2} ({:.2} to {:.2})", slope.estimate, slope.interval.lower, slope.interval.upper);
    println!("Mean distance of observed and predicted risk {:.3}", calibration.error.ici);
    Ok(())
}
