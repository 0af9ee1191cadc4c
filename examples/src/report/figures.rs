//! The figures of the study.

use alnm_selection::FittedPipeline;
use alnm_selection::cross_validation::LambdaChoice;

use super::figure::{COLOURS, Chart, Series, bars};
use super::{Figure, Findings};
use crate::study::analysis::{Evaluation, INTEGRATED, Results};

pub(super) fn all(findings: &Findings<'_>) -> Vec<Figure> {
    let results = findings.results;
    let mut figures: Vec<Figure> = time_intensity(findings).into_iter().collect();
    figures.extend([
        fine_tuning(findings),
        lasso("Figure 2. Radiomic features", &findings.scores.radiomic),
        lasso("Figure 3. Deep features", &findings.scores.deep),
        variables(results),
        of_cohorts("Figure 5. ROC curves with AUC", results, roc),
        of_cohorts("Figure 6. Calibration of the integrated model: tenths of risk with smooth curve (loess)", results, calibration),
        of_cohorts("Figure 7. Decision curves", results, decision),
    ]);
    figures
}

fn figure(caption: &str, panels: Vec<String>) -> Figure {
    Figure { caption: caption.to_owned(), panels }
}

fn time_intensity(findings: &Findings<'_>) -> Option<Figure> {
    let curve = findings.time_intensity?;
    let points = curve.curve.times.iter().copied().zip(curve.curve.means.iter().copied()).collect();
    let title = format!("Time-intensity curve, patient {}: {}", curve.patient, curve.delayed_phase());
    let chart = Chart::around(&title, "seconds", "mean signal in the outline", vec![Series::line("", points, COLOURS[0])]);
    let caption = format!(
        "Figure 1. Enhancement of the lesion over the phases of a dynamic series: peak {:.0} % after {:.0} s, then {} ({:+.0} %).",
        100.0 * curve.kinetics.peak_enhancement,
        curve.kinetics.time_to_peak,
        curve.delayed_phase(),
        100.0 * curve.kinetics.delayed_change,
    );
    Some(figure(&caption, vec![chart.svg()]))
}

fn fine_tuning(findings: &Findings<'_>) -> Figure {
    let history = &findings.deep.history;
    let line = |value: fn(&alnm_deep::EpochRecord) -> f64| history.iter().map(|e| ((e.epoch + 1) as f64, value(e))).collect();
    let loss =
        Chart::around("Training loss", "epoch", "binary cross-entropy", vec![Series::line("", line(|e| e.training_loss), COLOURS[0])]);
    let auc = Chart::around("AUC of the batches' logits", "epoch", "AUC", vec![Series::line("", line(|e| e.training_auc), COLOURS[1])]);
    figure("Fine-tuning: loss and AUC over augmented training images while the parameters moved.", vec![loss.svg(), auc.svg()])
}

fn lasso(caption: &str, pipeline: &FittedPipeline) -> Figure {
    let Some(cv) = &pipeline.lasso else { return figure(caption, Vec::new()) };
    let log_lambda: Vec<f64> = cv.path.lambda.iter().map(|lambda| lambda.ln()).collect();
    let points: Vec<(f64, f64)> = log_lambda.iter().copied().zip(cv.mean.iter().copied()).collect();
    let ends = cv.mean.iter().zip(&cv.standard_error).map(|(mean, error)| (mean - error, mean + error)).collect();
    let curve = Series::line("", points, COLOURS[0]).with_bars(ends);
    let mut chart = Chart::around("A. Cross-validation", "log λ", "binomial deviance", vec![curve]);
    chart.marks = [LambdaChoice::Min, LambdaChoice::OneStandardError].map(|choice| cv.lambda(choice).ln()).to_vec();
    let paths = (0..cv.path.names.len())
        .map(|column| {
            let value = |step: usize| {
                let coefficients = &cv.path.coefficients[step];
                coefficients.columns.iter().position(|&c| c == column).map_or(0.0, |place| coefficients.values[place])
            };
            // Coefficients stand on the features' own scales; dividing by the largest makes the paths comparable.
            let largest = (0..log_lambda.len()).map(|step| value(step).abs()).fold(f64::MIN_POSITIVE, f64::max);
            let points = log_lambda.iter().enumerate().map(|(step, &x)| (x, value(step) / largest)).collect();
            Series::line("", points, COLOURS[column % COLOURS.len()])
        })
        .collect();
    let mut coefficients = Chart::around("B. Coefficient paths", "log λ", "coefficient, relative to its largest", paths);
    coefficients.marks = vec![cv.lambda(LambdaChoice::Min).ln()];
    let weights: Vec<(String, f64)> = pipeline.signature.iter().flat_map(|s| &s.weights).map(|w| (w.feature.clone(), w.weight)).collect();
    let mut ordered = weights;
    ordered.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()));
    let caption = format!(
        "{caption}: LASSO with ten-fold cross-validation. Dashed: λ of the smallest deviance (chosen) and one standard error from it."
    );
    figure(&caption, vec![chart.svg(), coefficients.svg(), bars("C. Weights of the score", "weight on the feature's own scale", &ordered)])
}

fn variables(results: &Results) -> Figure {
    let mut importances: Vec<(String, f64)> = results.importances.iter().map(|i| (i.feature.clone(), i.gain)).collect();
    importances.sort_by(|a, b| b.1.total_cmp(&a.1));
    let subsets = &results.subsets.subsets;
    let points = subsets.iter().map(|s| (s.variables.len() as f64, s.mean_auc)).collect();
    let ends = subsets.iter().map(|s| (s.interval.lower, s.interval.upper)).collect();
    let mut chart = Chart::around(
        "B. Incremental subsets",
        "variables",
        "mean AUC of ten folds, 95 % CI",
        vec![Series::line("", points, COLOURS[1]).with_bars(ends)],
    );
    chart.marks = vec![results.subsets.best_variables().len() as f64];
    let caption = format!(
        "Figure 4. Importance by gradient boosting, and subsets in its order; best: {}.",
        results.subsets.best_variables().join(", ")
    );
    figure(&caption, vec![bars("A. Importance", "gain", &importances), chart.svg()])
}

fn of_cohorts(caption: &str, results: &Results, panel: fn(&Evaluation) -> Chart) -> Figure {
    let evaluations = [&results.training, &results.cross_fitted].into_iter().chain(&results.validation);
    figure(caption, evaluations.map(|evaluation| panel(evaluation).svg()).collect())
}

fn roc(evaluation: &Evaluation) -> Chart {
    let mut series = vec![Series::line("", vec![(0.0, 0.0), (1.0, 1.0)], "#999").dashed()];
    for (performance, colour) in evaluation.performances.iter().zip(COLOURS) {
        let roc = &performance.roc;
        let points = roc.specificities().iter().map(|s| 1.0 - s).zip(roc.sensitivities()).collect();
        series.push(Series::line(&format!("{} {:.3}", performance.model, performance.auc.auc), points, colour));
    }
    Chart::around(&evaluation.cohort, "1 - specificity", "sensitivity", series).with_ranges((0.0, 1.0), (0.0, 1.0))
}

fn calibration(evaluation: &Evaluation) -> Chart {
    let mut series = vec![Series::line("ideal", vec![(0.0, 0.0), (1.0, 1.0)], "#999").dashed()];
    let integrated = evaluation.performances.iter().position(|performance| performance.model == INTEGRATED);
    let mut title = evaluation.cohort.clone();
    if let Some(calibration) = integrated.map(|index| &evaluation.calibrations[index]) {
        if let Some(curve) = &calibration.curve {
            let points = curve.curve.x.iter().copied().zip(curve.curve.y.iter().copied()).collect();
            series.push(Series::line("loess", points, COLOURS[1]));
        }
        if let Some(hl) = &calibration.hosmer_lemeshow {
            let points: Vec<(f64, f64)> = hl.groups.iter().map(|group| (group.mean_risk(), group.observed())).collect();
            let ends = points.iter().map(|&(_, y)| (y, y)).collect();
            series.push(Series::line("tenths of risk", points, COLOURS[0]).with_bars(ends));
            title = format!("{title}, Hosmer-Lemeshow p = {:.3}", hl.test.p_value);
        }
    }
    Chart::around(&title, "predicted risk", "observed share", series).with_ranges((0.0, 1.0), (0.0, 1.0))
}

fn decision(evaluation: &Evaluation) -> Chart {
    let mut series = Vec::new();
    for ((performance, curve), colour) in evaluation.performances.iter().zip(&evaluation.decision_curves).zip(COLOURS) {
        let points = curve.points.iter().map(|point| (point.threshold, point.net_benefit)).collect();
        series.push(Series::line(&performance.model, points, colour));
    }
    if let Some(curve) = evaluation.decision_curves.first() {
        let points = curve.points.iter().map(|point| (point.threshold, point.treat_all)).collect();
        series.push(Series::line("treat all", points, "#555").dashed());
    }
    series.push(Series::line("treat none", vec![(0.0, 0.0), (1.0, 0.0)], "#bbb").dashed());
    let mut chart = Chart::around(&evaluation.cohort, "threshold", "net benefit", series).with_ranges((0.0, 1.0), (-0.1, 0.5));
    chart.legend_on_top = true;
    chart
}
