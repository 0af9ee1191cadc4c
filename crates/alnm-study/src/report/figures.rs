//! The figures of the study.

use alnm_deep::EpochRecord;
use alnm_models::logistic::INTERCEPT;
use alnm_models::model_set::compare_areas;
use alnm_models::nomogram::Nomogram;
use alnm_selection::cross_validation::LambdaChoice;
use alnm_selection::{FeatureTable, FittedPipeline, Signature};
use alnm_stats::bootstrap::Resampling;
use alnm_stats::correlation::{Correlation, correlation};
use alnm_stats::delong::AucEstimate;
use alnm_stats::describe::standard_deviation;
use alnm_stats::table_one::format_p;
use anyhow::{Context, Result};

use super::attention;
use super::corrected_calibration::{CorrectedCurve, corrected_curve};
use super::figure::{COLOURS, Chart, Panel, PlottedSeries, bars, push};
use super::flow;
use super::forest::{Ratio, forest};
use super::heat_map::heat_map;
use super::lesion::outlined_slice;
use super::nomogram::nomogram;
use super::swarm::{Line, swarm};
use super::table::in_file_name;
use super::tables::integrated_terms;
use super::{Figure, Findings};
use crate::analysis::{Evaluation, INTEGRATED, Results};
use crate::study::Study;
use crate::variables::{DL_SCORE, RAD_SCORE};

pub(super) fn all(study: &Study, findings: &Findings<'_>) -> Result<Vec<Figure>> {
    let results = findings.results;
    let mut figures = vec![
        figure(
            if findings.cohort.excluded.is_empty() {
                "Patient flow."
            } else {
                "Patient flow. What is wrong with each excluded patient stands in tables/excluded.csv."
            },
            vec![flow::diagram(findings.cohort)],
        ),
        lesion(study, findings)?,
    ];
    let training = |table: &FeatureTable| table.select_rows(findings.table.training());
    figures.extend([
        fine_tuning(findings),
        lasso(
            "Figure 2. Radiomic features",
            "figure2",
            &findings.scores.radiomic,
            &training(&findings.inputs.radiomic),
        )?,
        lasso("Figure 3. Deep features", "figure3", &findings.scores.deep, &training(&findings.inputs.deep))?,
        waterfalls(findings)?,
        correlations(findings)?,
        forests(study, results)?,
        variables(results),
        of_cohorts(
            "Figure 5. ROC curves with AUC, 95 % DeLong interval and p of DeLong's test against the integrated model.",
            "figure5_roc",
            results,
            roc,
        )?,
        calibrations(study, findings)?,
        of_cohorts(
            "Figure 7. Decision curves. Net benefit at thresholds of 0.1 to 0.5 stands in the table of that name.",
            "figure7_decision",
            results,
            |evaluation| Ok(decision(evaluation)),
        )?,
        integrated(findings)?,
    ]);
    figures.extend(attention_examples(study, findings)?);
    Ok(figures)
}

/// A figure, its panels lettered where it has several.
fn figure(caption: &str, panels: Vec<Panel>) -> Figure {
    let is_lettered = panels.len() > 1;
    let lettered = |(panel, letter): (Panel, char)| if is_lettered { panel.lettered(letter) } else { panel };
    Figure { caption: caption.to_owned(), panels: panels.into_iter().zip('A'..='Z').map(lettered).collect() }
}

/// Scores of the training patients in ascending order, by outcome.
fn waterfalls(findings: &Findings<'_>) -> Result<Figure> {
    let labels = findings.table.training_labels();
    let scores = findings.variables.select_rows(findings.table.training());
    let panel = |score: &str| -> Result<Panel> {
        let mut patients: Vec<(f64, bool)> =
            scores.column(score)?.iter().copied().zip(labels.as_slice().iter().copied()).collect();
        patients.sort_by(|a, b| a.0.total_cmp(&b.0));
        let of = |outcome: bool, name: &str, colour| {
            let chosen = patients.iter().enumerate().filter(|(_, patient)| patient.1 == outcome);
            let points: Vec<(f64, f64)> = chosen.map(|(place, patient)| ((place + 1) as f64, patient.0)).collect();
            let ends = points.iter().map(|&(_, y)| (y.min(0.0), y.max(0.0))).collect();
            PlottedSeries::line(name, points, colour).with_bars(ends)
        };
        let series = vec![of(false, "no metastasis", COLOURS[1]), of(true, "metastasis", COLOURS[0])];
        Ok(Chart::around(score, "patients of training in order of the score", "score", series)
            .panel(&format!("waterfall_{score}")))
    };
    Ok(figure("Scores of the training patients by outcome.", vec![panel(RAD_SCORE)?, panel(DL_SCORE)?]))
}

/// Correlations between the features of both scores, training centre.
fn correlations(findings: &Findings<'_>) -> Result<Figure> {
    let rows = findings.table.training();
    let columns = |pipeline: &FittedPipeline, table: &FeatureTable| -> Result<Vec<(String, Vec<f64>)>> {
        let weights = pipeline.signature().into_iter().flat_map(Signature::weights);
        weights
            .map(|w| {
                Ok((
                    w.feature.clone(),
                    rows.iter().map(|&row| table.column(&w.feature).map(|c| c[row])).collect::<Result<_, _>>()?,
                ))
            })
            .collect()
    };
    let mut chosen = columns(&findings.scores.radiomic, &findings.inputs.radiomic)?;
    chosen.extend(columns(&findings.scores.deep, &findings.inputs.deep)?);
    let names: Vec<String> = chosen.iter().map(|(name, _)| name.clone()).collect();
    let of_pair = |a: &[f64], b: &[f64]| correlation(a, b, Correlation::Pearson).unwrap_or(f64::NAN);
    let matrix: Vec<Vec<f64>> =
        chosen.iter().map(|(_, a)| chosen.iter().map(|(_, b)| of_pair(a, b)).collect()).collect();
    Ok(figure(
        "Pearson correlations between the features of both scores, training centre.",
        vec![heat_map("correlations", "Chosen features", &names, &matrix)],
    ))
}

fn forests(study: &Study, results: &Results) -> Result<Figure> {
    let univariate: Vec<Ratio> = results
        .odds_ratios
        .iter()
        .map(|odds| Ratio {
            name: odds.variable.name.clone(),
            estimate: odds.odds_ratio,
            lower: odds.profile.lower,
            upper: odds.profile.upper,
        })
        .collect();
    let terms = integrated_terms(study, results)?;
    let joint: Vec<Ratio> = terms
        .iter()
        .filter(|term| term.name != INTERCEPT)
        .map(|term| Ratio {
            name: term.name.clone(),
            estimate: term.estimate.exp(),
            lower: term.interval.lower.exp(),
            upper: term.interval.upper.exp(),
        })
        .collect();
    Ok(figure(
        "Odds ratios with 95 % intervals: one variable at a time (profile likelihood; MTD and SAD_ALN per mm), and in the integrated model (Wald; \
         per unit of Table 1).",
        vec![
            forest("forest_univariate", "Table 2", &univariate),
            forest("forest_integrated", "Integrated model", &joint),
        ],
    ))
}

/// The integrated model explained: exact Shapley values of the training patients, and the nomogram.
fn integrated(findings: &Findings<'_>) -> Result<Figure> {
    let model = &findings.results.model;
    let table = findings.variables.select_rows(findings.table.training());
    let names: Vec<String> = model.variables().iter().map(|v| v.variable.name.clone()).collect();
    let values = table.select(&names)?;
    let mut lines: Vec<Line> = model
        .variables()
        .iter()
        .enumerate()
        .map(|(column, v)| {
            let added = |&value: &f64| (value, v.coefficient * (value - v.training_mean));
            Line { name: v.variable.name.clone(), patients: values.values().column(column).iter().map(added).collect() }
        })
        .collect();
    let mean_absolute = |line: &Line| line.patients.iter().map(|patient| patient.1.abs()).sum::<f64>();
    lines.sort_by(|a, b| mean_absolute(b).total_cmp(&mean_absolute(a)));
    let nomogram_data = Nomogram::new(model, &[0.01, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.99])?;
    Ok(figure(
        "The integrated model. A: exact Shapley values of every training patient on the log odds, blue for low and orange for high values \
         of the variable. B: nomogram; points of all variables add up to the total, below which the risk is read.",
        vec![
            swarm("shap", "Shapley values", "change of the log odds", &lines),
            nomogram("nomogram", "Nomogram", &nomogram_data),
        ],
    ))
}

/// Figure 1: the slice with the outline and, where a dynamic series is there, the curve of the same patient.
fn lesion(study: &Study, findings: &Findings<'_>) -> Result<Figure> {
    let cohort = findings.cohort;
    let of_curve =
        findings.time_intensity.and_then(|curve| cohort.patients.iter().find(|patient| patient.id == curve.patient));
    let patient =
        of_curve.or_else(|| cohort.training().first().copied()).context("the training centre has no patients")?;
    let mut panels = vec![outlined_slice(cohort, patient, study.settings.shows_identifiers)?];
    let mut caption =
        "Figure 1. The axial slice on which the lesion is largest, before bias correction, with the first reader's outline".to_owned();
    if let Some(curve) = findings.time_intensity {
        let points = curve.curve.times().iter().copied().zip(curve.curve.means().iter().copied()).collect();
        let title = format!("Time-intensity curve: {}", curve.delayed_phase());
        let chart = Chart::around(
            &title,
            "seconds",
            "mean signal in the outline",
            vec![PlottedSeries::line("", points, COLOURS[0])],
        );
        panels.push(chart.panel("figure1_time_intensity"));
        push(
            &mut caption,
            format_args!(
                ", and the mean signal inside it over the phases: peak {:.0} % after {:.0} s, then {} ({:+.0} %)",
                100.0 * curve.kinetics.peak_enhancement,
                curve.kinetics.time_to_peak,
                curve.delayed_phase(),
                100.0 * curve.kinetics.delayed_change,
            ),
        );
    }
    caption.push('.');
    Ok(figure(&caption, panels))
}

/// Grad-CAM of the clearest patient of each kind; absent where the trained network is not kept.
fn attention_examples(study: &Study, findings: &Findings<'_>) -> Result<Option<Figure>> {
    let path = study.network_file()?;
    if !path.exists() {
        return Ok(None);
    }
    let network = attention::trained_network(&path)?;
    let stage = study.settings.backbone_size.backbone().last_stage();
    let panels = attention::examples(findings, &network, stage, study.settings.shows_identifiers)?;
    let caption = "Grad-CAM of the network's logit in its last stage, first validation centre: of each kind the patient whose risk by the DL \
                   model is most extreme; positive is a risk above the training cutoff, which stands in the title. The map shows where the network \
                   finds what raises its logit, scaled to its own maximum in every patient, so a patient of low risk has bright places too: it does not show \
                   how high the risk is, and it explains the network, not the biology. Outlined: the lesion.";
    Ok((!panels.is_empty()).then(|| figure(caption, panels)))
}

fn fine_tuning(findings: &Findings<'_>) -> Figure {
    let history = &findings.deep.history;
    let line = |value: fn(&EpochRecord) -> f64| history.iter().map(|e| ((e.epoch() + 1) as f64, value(e))).collect();
    let loss = Chart::around(
        "Training loss",
        "epoch",
        "binary cross-entropy",
        vec![PlottedSeries::line("", line(EpochRecord::training_loss), COLOURS[0])],
    );
    let auc = Chart::around(
        "AUC of the batches' logits",
        "epoch",
        "AUC",
        vec![PlottedSeries::line("", line(EpochRecord::training_auc), COLOURS[1])],
    );
    figure(
        "Fine-tuning: loss and AUC over augmented training images while the parameters moved.",
        vec![loss.panel("fine_tuning_loss"), auc.panel("fine_tuning_auc")],
    )
}

fn lasso(caption: &str, name: &str, pipeline: &FittedPipeline, training: &FeatureTable) -> Result<Figure> {
    let Some(cv) = pipeline.lasso() else { return Ok(figure(caption, Vec::new())) };
    let log_lambda: Vec<f64> = cv.path().lambda().iter().map(|lambda| lambda.ln()).collect();
    let points: Vec<(f64, f64)> = log_lambda.iter().copied().zip(cv.mean().iter().copied()).collect();
    let ends = cv.mean().iter().zip(cv.standard_error()).map(|(mean, error)| (mean - error, mean + error)).collect();
    let curve = PlottedSeries::line("", points, COLOURS[0]).with_bars(ends);
    let mut chart = Chart::around("Cross-validation", "log λ", "binomial deviance", vec![curve]);
    chart.marks = [LambdaChoice::Min, LambdaChoice::OneStandardError].map(|choice| cv.lambda(choice).ln()).to_vec();
    // Features have scales of their own; per standard deviation their coefficients can be compared.
    let paths = cv.path().names().iter().enumerate().map(|(column, feature)| -> Result<PlottedSeries> {
        let deviation = standard_deviation(&training.column(feature)?.to_vec());
        let value = |step: usize| {
            let coefficients = &cv.path().coefficients()[step];
            let place = coefficients.columns().iter().position(|&c| c == column);
            place.map_or(0.0, |place| coefficients.values()[place] * deviation)
        };
        let points = log_lambda.iter().enumerate().map(|(step, &x)| (x, value(step))).collect();
        Ok(PlottedSeries::line("", points, COLOURS[column % COLOURS.len()]))
    });
    let paths = paths.collect::<Result<_>>()?;
    let mut coefficients = Chart::around("Coefficient paths", "log λ", "coefficient per standard deviation", paths);
    // As glmnet draws them, the number of features with a coefficient stands above.
    let features_at = |step: usize| cv.path().coefficients()[step].columns().len().to_string();
    let steps = log_lambda.len();
    coefficients.above =
        (0..steps).step_by(steps.div_ceil(6).max(1)).map(|step| (log_lambda[step], features_at(step))).collect();
    coefficients.marks = vec![cv.lambda(LambdaChoice::Min).ln()];
    let per_deviation = |(feature, weight): (&String, f64)| -> Result<(String, f64)> {
        Ok((feature.clone(), weight * standard_deviation(&training.column(feature)?.to_vec())))
    };
    let weights = pipeline.signature().into_iter().flat_map(Signature::weights);
    let mut ordered: Vec<(String, f64)> =
        weights.map(|w| per_deviation((&w.feature, w.weight))).collect::<Result<_>>()?;
    ordered.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()));
    let caption = format!(
        "{caption}: LASSO with ten-fold cross-validation. Dashed: λ of the smallest deviance (chosen) and one standard error from it; \
         above the paths the number of features with a coefficient."
    );
    let panels = vec![
        chart.panel(&format!("{name}_cross_validation")),
        coefficients.panel(&format!("{name}_paths")),
        bars(&format!("{name}_weights"), "Weights of the score", "weight per standard deviation", &ordered),
    ];
    Ok(figure(&caption, panels))
}

fn variables(results: &Results) -> Figure {
    let mut importances: Vec<(String, f64)> = results.importances.iter().map(|i| (i.feature.clone(), i.gain)).collect();
    importances.sort_by(|a, b| b.1.total_cmp(&a.1));
    let subsets = results.subsets.subsets();
    let points = subsets.iter().map(|s| (s.variables.len() as f64, s.mean_auc)).collect();
    // An interval of a mean of areas may reach where no area is.
    let ends = subsets.iter().map(|s| (s.interval.lower.max(0.0), s.interval.upper.min(1.0))).collect();
    let mut chart = Chart::around(
        "Incremental subsets",
        "variables",
        "mean AUC of ten folds, 95 % CI",
        vec![PlottedSeries::line("", points, COLOURS[1]).with_bars(ends)],
    );
    chart.marks = vec![results.subsets.best_variables().len() as f64];
    let caption = format!(
        "Figure 4. Importance by gradient boosting, and subsets in its order; best: {}. Intervals end at 1.",
        results.subsets.best_variables().join(", ")
    );
    figure(
        &caption,
        vec![bars("figure4_importance", "Importance", "gain", &importances), chart.panel("figure4_subsets")],
    )
}

fn of_cohorts(
    caption: &str,
    name: &str,
    results: &Results,
    chart: impl Fn(&Evaluation) -> Result<Chart>,
) -> Result<Figure> {
    let panel = |evaluation: &Evaluation| -> Result<Panel> {
        Ok(chart(evaluation)?.panel(&format!("{name}_{}", in_file_name(&evaluation.cohort))))
    };
    Ok(figure(caption, results.evaluations().map(panel).collect::<Result<_>>()?))
}

fn roc(evaluation: &Evaluation) -> Result<Chart> {
    let mut series = vec![PlottedSeries::line("", vec![(0.0, 0.0), (1.0, 1.0)], "#999").dashed()];
    let reference = evaluation.performances.iter().find(|performance| performance.model == INTEGRATED);
    for (performance, colour) in evaluation.performances.iter().zip(COLOURS) {
        let roc = &performance.roc;
        let points = roc.specificities().iter().map(|s| 1.0 - s).zip(roc.sensitivities()).collect();
        let AucEstimate { auc, interval, .. } = &performance.auc;
        let mut name = format!("{} {auc:.3} ({:.3}, {:.3})", performance.model, interval.lower, interval.upper);
        if let Some(reference) = reference.filter(|reference| reference.model != performance.model) {
            let test = compare_areas(&evaluation.labels, reference, std::slice::from_ref(performance))?;
            push(&mut name, format_args!(", p {}", format_p(test[0].p_value)));
        }
        series.push(PlottedSeries::line(&name, points, colour));
    }
    let mut chart =
        Chart::around(&evaluation.cohort, "1 - specificity", "sensitivity", series).with_ranges((0.0, 1.0), (0.0, 1.0));
    chart.notes = vec![format!("AUC (95 % DeLong interval), p of DeLong's paired test against {INTEGRATED}")];
    Ok(chart)
}

/// Figure 6. The training panel shows the curve as fitted and corrected; cross-fitting and other centres need no
/// correction.
fn calibrations(study: &Study, findings: &Findings<'_>) -> Result<Figure> {
    let results = findings.results;
    let variables = &results.models.model(INTEGRATED)?.specification().variables;
    let table = findings.variables.select_rows(findings.table.training()).select(variables)?;
    let resampling = Resampling::new(study.settings.resamples, study.settings.seed);
    // A model of separated outcomes has too few distinct risks for a smooth curve; the groups are then drawn alone.
    let corrected = corrected_curve(&table, &results.training.labels, resampling).ok();
    let caption = format!(
        "Figure 6. Calibration of the integrated model: tenths of risk, and smooth curve (loess). In training the curve is shown as fitted and \
         corrected for optimism by {} bootstraps of the regression, the scores held fixed.",
        corrected.as_ref().map_or(0, |curve| curve.resamples)
    );
    of_cohorts(&caption, "figure6_calibration", results, |evaluation| {
        let corrected = corrected.as_ref().filter(|_| evaluation.cohort == results.training.cohort);
        Ok(calibration(evaluation, corrected))
    })
}

fn calibration(evaluation: &Evaluation, corrected: Option<&CorrectedCurve>) -> Chart {
    let mut series = vec![PlottedSeries::line("ideal", vec![(0.0, 0.0), (1.0, 1.0)], "#999").dashed()];
    let integrated = evaluation.performances.iter().position(|performance| performance.model == INTEGRATED);
    let mut notes = Vec::new();
    if let Some(calibration) = integrated.map(|index| &evaluation.calibrations[index]) {
        if let Some(curve) = corrected {
            let points = |values: &[f64]| curve.risks.iter().copied().zip(values.iter().copied()).collect();
            series.push(PlottedSeries::line("loess, apparent", points(&curve.apparent), COLOURS[1]));
            series.push(
                PlottedSeries::line("loess, corrected for optimism", points(&curve.corrected), COLOURS[9]).dashed(),
            );
        } else if let Some(curve) = &calibration.curve {
            let points = curve.curve().x().iter().copied().zip(curve.curve().y().iter().copied()).collect();
            series.push(PlottedSeries::line("loess", points, COLOURS[1]));
        }
        if let Some(hl) = &calibration.hosmer_lemeshow {
            let points: Vec<(f64, f64)> = hl.groups.iter().map(|group| (group.mean_risk(), group.observed())).collect();
            let ends = points.iter().map(|&(_, y)| (y, y)).collect();
            series.push(PlottedSeries::line("tenths of risk", points, COLOURS[0]).with_bars(ends));
            notes.push(format!("Hosmer-Lemeshow χ² {:.2}, p {}", hl.test.statistic, format_p(hl.test.p_value)));
        }
        if let Some(recalibration) = &calibration.recalibration {
            notes.push(format!(
                "intercept {:.3}, slope {:.3} of the logistic recalibration",
                recalibration.intercept.estimate, recalibration.slope.estimate
            ));
        }
    }
    let mut chart = Chart::around(&evaluation.cohort, "predicted risk", "observed share", series)
        .with_ranges((0.0, 1.0), (0.0, 1.0));
    chart.notes = notes;
    chart
}

fn decision(evaluation: &Evaluation) -> Chart {
    let mut series = Vec::new();
    for ((performance, curve), colour) in evaluation.performances.iter().zip(&evaluation.decision_curves).zip(COLOURS) {
        let points = curve.points().iter().map(|point| (point.threshold, point.net_benefit)).collect();
        series.push(PlottedSeries::line(&performance.model, points, colour));
    }
    if let Some(curve) = evaluation.decision_curves.first() {
        let points = curve.points().iter().map(|point| (point.threshold, point.treat_all)).collect();
        series.push(PlottedSeries::line("treat all", points, "#555").dashed());
    }
    series.push(PlottedSeries::line("treat none", vec![(0.0, 0.0), (1.0, 0.0)], "#bbb").dashed());
    let top = (evaluation.labels.prevalence() * 10.0).ceil() / 10.0;
    Chart::around(&evaluation.cohort, "threshold", "net benefit", series).with_ranges((0.0, 1.0), (-0.1, top))
}
