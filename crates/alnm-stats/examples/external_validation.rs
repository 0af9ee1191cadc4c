//! An external validation from its sample size to the choice of a correction: patients needed, discrimination and
//! calibration with bands and by centre, net benefit, and recalibrated risks.
//!
//! `cargo run -p alnm-stats --example external_validation`

#![allow(clippy::print_stdout)]

use alnm_stats::calibration::{
    IsotonicCalibration, SmoothCalibrationParams, calibration_by_centre, recalibrate, smooth_calibration,
};
use alnm_stats::data_table::{Digits, Tabulate};
use alnm_stats::decision_curve::{DecisionCurve, DecisionIntervalParams};
use alnm_stats::sample_size::{ExternalValidationSizeParams, PredictorDistribution, external_validation};
use alnm_stats::{Labels, StatsError};

fn main() -> Result<(), StatsError> {
    // How many patients: 40 % events, an expected area of 0.8, and log odds as the development cohort had them.
    let predictor = PredictorDistribution::Normal { mean: -0.5, standard_deviation: 1.4 };
    let size = external_validation(ExternalValidationSizeParams::new(0.4, 0.8, predictor))?;
    println!("Patients needed\n{}", size.to_table().to_markdown(Digits::Significant(3)));

    // A third hospital, whose risks are too extreme: the log odds are half as far apart as the model says.
    let uniform = |k: usize| ((k * 7919 + 104_729) % 10_007) as f64 / 10_007.0;
    let log_odds: Vec<f64> = (0..400).map(|i| 5.0 * uniform(i) - 3.0).collect();
    let risk = |log_odds: f64| 1.0 / (1.0 + (-log_odds).exp());
    let risks: Vec<f64> = log_odds.iter().map(|x| risk(*x)).collect();
    let labels = Labels::new((0..400).map(|i| uniform(31 * i + 17) < risk(0.5 * log_odds[i] + 0.3)).collect());
    let centres: Vec<String> = (0..400).map(|i| if i % 3 == 0 { "North" } else { "South" }.to_owned()).collect();

    let recalibration = recalibrate(&labels, &risks, 0.95)?;
    println!("Calibration\n{}", recalibration.to_table().to_markdown(Digits::Significant(3)));
    let curve = smooth_calibration(&labels, &risks, SmoothCalibrationParams::default().with_points(6))?;
    println!("Smooth curve with its 95 % band\n{}", curve.to_table().to_markdown(Digits::Significant(3)));
    let by_centre = calibration_by_centre(&labels, &risks, &centres, 0.95)?;
    println!("By centre\n{}", by_centre.to_table().to_markdown(Digits::Significant(3)));

    // Two corrections, and what they gain at the thresholds at which a clinic decides. Judged on the patients that they
    // were fitted to, they look better than they are.
    let platt: Vec<f64> = risks.iter().map(|p| recalibration.apply(*p)).collect();
    let isotonic = IsotonicCalibration::fit(&labels, &risks)?;
    let stepwise: Vec<f64> = risks.iter().map(|p| isotonic.apply(*p)).collect();
    println!("Isotonic recalibration has {} points", isotonic.points().len());
    let thresholds = [0.2, 0.4, 0.6];
    let intervals = DecisionIntervalParams::default().check()?;
    let gain = intervals.difference(&labels, &platt, &risks, &thresholds)?;
    println!("Net benefit gained by recalibration\n{}", gain.to_table().to_markdown(Digits::Significant(3)));
    let gain = intervals.difference(&labels, &stepwise, &platt, &thresholds)?;
    println!(
        "Net benefit gained by steps over a straight line\n{}",
        gain.to_table().to_markdown(Digits::Significant(3))
    );
    let elsewhere = DecisionCurve::with_prevalence(&labels, &platt, &thresholds, 0.2)?;
    println!("Where one patient in five has the event\n{}", elsewhere.to_table().to_markdown(Digits::Significant(3)));
    Ok(())
}
