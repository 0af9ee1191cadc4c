//! The tables of the study.

use alnm_models::logistic::{Estimation, INTERCEPT, Term};
use alnm_models::model_set::{ModelPerformance, ThresholdPerformance};
use alnm_selection::{FeatureTable, FittedPipeline, Labels, Signature};
use alnm_stats::bootstrap::Resampling;
use alnm_stats::data_table::{Cell, Tabulate};
use alnm_stats::decision_curve::{DecisionCurve, DecisionIntervalParams};
use alnm_stats::multiplicity::{Adjustment, adjust};
use alnm_stats::proportion::Proportion;
use alnm_stats::table_one::TableOne;
use alnm_stats::{Interval, cells};
use anyhow::Result;

use super::Findings;
use super::published::{PublishedFigures, PublishedModel};
use super::table::{Table, TableCell, in_file_name, printed_estimate};
use crate::analysis::{Evaluation, INTEGRATED, LEVEL, Results, baseline_table};
use crate::cohort::Cohort;
use crate::comparison::{BackboneComparison, ComparedAreas, HarmonisationComparison};
use crate::missing_values::ImputedCoefficient;
use crate::robustness::Robustness;
use crate::study::Study;

/// All tables.
pub(super) fn all(study: &Study, findings: &Findings<'_>) -> Result<Vec<Table>> {
    let &Findings { cohort, results, scores, published, .. } = findings;
    let mut tables = vec![patient_flow(cohort)];
    let excluded = excluded(cohort);
    tables.extend(excluded.map(|table| if study.settings.shows_identifiers { table } else { table.only_file() }));
    tables.push(table_one(results, published));
    tables.extend(other_baselines(findings)?);
    tables.extend([table_two(results), integrated_model(study, results)?]);
    for (index, evaluation) in results.evaluations().enumerate() {
        tables.extend(table_three(index, evaluation, published));
    }
    tables.extend(penalised(results));
    tables.push(optimism(results));
    tables.extend(areas_compared(results)?);
    tables.push(calibration(results.evaluations()));
    tables.push(net_benefit(study, results.evaluations())?);
    tables.extend([
        subgroups(findings.robustness),
        alternatives(cohort, findings.robustness),
        sample_size(findings.robustness),
    ]);
    tables.extend(harmonisation(cohort, findings.harmonisation));
    tables.extend(backbones(cohort, findings.backbones));
    tables.push(selected("selected_radiomic", "Features of the RadScore", &scores.radiomic));
    tables.push(selected("selected_deep", "Features of the DLScore", &scores.deep));
    tables.push(stability(findings.robustness));
    tables.push(removed("removed_radiomic", &scores.radiomic));
    tables.push(removed("removed_deep", &scores.deep));
    tables.push(feature_values("features_radiomic", cohort, &findings.images.features));
    tables.push(feature_values("features_deep", cohort, &findings.inputs.deep));
    tables.push(feature_values("scores", cohort, &scores.of(findings.inputs)?));
    tables.push(risks(cohort, results));
    tables.extend(agreement(findings));
    Ok(tables)
}

fn three(value: f64) -> String {
    format!("{value:.3}")
}

/// An estimate with its interval as the page prints it.
pub(super) fn with_interval(value: f64, interval: Interval) -> String {
    printed_estimate(value, interval, 3)
}

fn proportion(found: Proportion) -> TableCell {
    if found.estimate.is_nan() {
        TableCell::Undefined("undefined")
    } else {
        TableCell::estimate(found.estimate, found.interval)
    }
}

fn patient_flow(cohort: &Cohort) -> Table {
    let rows = cohort.flow().into_iter().map(|(group, patients)| cells![group, patients]).collect();
    Table::new("patient_flow", "Patient flow", &["group", "patients"], rows)
}

fn excluded(cohort: &Cohort) -> Option<Table> {
    let rows: Vec<_> = cohort.excluded.iter().map(|one| vec![one.patient.clone(), one.reasons().join("; ")]).collect();
    (!rows.is_empty()).then(|| Table::new("excluded", "Excluded patients", &["patient", "reasons"], rows))
}

/// The models that maximum likelihood has no finite estimate for.
fn penalised(results: &Results) -> Option<Table> {
    let models = results.models.models().iter().filter(|model| model.model().estimation() == Estimation::Firth);
    let rows: Vec<_> = models
        .map(|model| vec![model.specification().name.clone(), model.specification().variables.join(", ")])
        .collect();
    let title = "Models whose variables separate the training outcomes, estimated by Firth's penalised likelihood";
    (!rows.is_empty()).then(|| Table::new("penalised_models", title, &["model", "variables"], rows))
}

/// A baseline table with the numbers of patients in its header; the file holds its numbers one by one.
fn baseline(file: &str, title: &str, table: &TableOne, groups: [&str; 2]) -> Table {
    let printed = table.printed();
    let mut header: Vec<String> = printed.columns().to_vec();
    let (negatives, positives) = (table.negatives(), table.positives());
    let [first, second] = groups;
    header[1] = format!("overall (N = {})", negatives + positives);
    header[2] = format!("{first} (n = {negatives})");
    header[3] = format!("{second} (n = {positives})");
    let header: Vec<&str> = header.iter().map(String::as_str).collect();
    let rows: Vec<Vec<Cell>> = printed.rows().map(<[Cell]>::to_vec).collect();
    Table::new(file, title, &header, rows).with_values(table.to_table())
}

/// The groups of a baseline table by outcome.
const BY_OUTCOME: [&str; 2] = ["no metastasis", "metastasis"];

fn table_one(results: &Results, published: Option<&PublishedFigures>) -> Table {
    let table = baseline("table1", "Table 1. Training cohort", &results.table_one, BY_OUTCOME);
    let Some(published) = published else { return table };
    table.with_columns(&["published, no metastasis", "published, metastasis", "published p"], |row| {
        let variable = row[0].text();
        let of_variable = published.characteristic(variable.split(" (").next().unwrap_or_default());
        of_variable.map_or(["", "", ""], |p| [p.negative, p.positive, p.p]).map(TableCell::from).to_vec()
    })
}

/// The same table for every validation centre, and the training centre beside all of them.
fn other_baselines(findings: &Findings<'_>) -> Result<Vec<Table>> {
    let table = findings.table;
    let observed = table.observed(&findings.scores.of(findings.inputs)?)?;
    let mut tables = Vec::new();
    let mut all = table.training().to_vec();
    for (centre, rows) in table.validation() {
        let by_outcome = baseline_table(table, &observed, &rows, &table.labels(&rows))?;
        let file = format!("table1_{}", in_file_name(centre));
        tables.push(baseline(&file, &format!("Table 1. Validation, {centre}"), &by_outcome, BY_OUTCOME));
        all.extend(rows);
    }
    if !tables.is_empty() {
        let validates = (0..all.len()).map(|place| place >= table.training().len()).collect();
        let between = baseline_table(table, &observed, &all, &Labels::new(validates))?;
        let title = "Table 1. Training beside validation";
        tables.push(baseline("table1_centres", title, &between, ["training", "validation"]));
    }
    Ok(tables)
}

/// What an odds ratio refers to, as a reader says it.
fn per_unit(unit: &str, per: f64) -> String {
    match (unit, per) {
        ("cm", per) if (per - 0.1).abs() < 1e-12 => "per mm".to_owned(),
        ("", _) => "per unit".to_owned(),
        ("years", 1.0) => "per year".to_owned(),
        (unit, 1.0) => format!("per {}", unit.replace("10^9", "10⁹")),
        (unit, per) => format!("per {per} {}", unit.replace("10^9", "10⁹")),
    }
}

fn table_two(results: &Results) -> Table {
    let rows = results.odds_ratios.iter().map(|odds| {
        vec![
            TableCell::from(odds.variable.name.clone()),
            TableCell::from(per_unit(&odds.variable.unit, odds.per)),
            TableCell::estimate(odds.odds_ratio, odds.profile),
            TableCell::PValue(odds.wald_p),
            TableCell::PValue(odds.likelihood_ratio_p),
        ]
    });
    let header = ["variable", "unit", "OR (95 % profile CI)", "Wald p", "likelihood ratio p"];
    Table::new("table2", "Table 2. Univariate logistic regression, training cohort", &header, rows.collect())
}

/// The integrated model written out, as it is handed on.
fn integrated_model(study: &Study, results: &Results) -> Result<Table> {
    let unit_of = |name: &str| {
        let variables = results.model.variables().iter();
        let unit =
            variables.filter(|one| one.variable.name == name).map(|one| per_unit(&one.variable.unit, 1.0)).next();
        unit.unwrap_or_default()
    };
    let terms = integrated_terms(study, results)?;
    let rows = terms.iter().map(|term| {
        vec![
            TableCell::from(if term.name == INTERCEPT { "intercept".to_owned() } else { term.name.clone() }),
            TableCell::from(unit_of(&term.name)),
            TableCell::Number { value: term.estimate, decimals: 5 },
            TableCell::Number { value: term.standard_error, decimals: 5 },
            if term.name == INTERCEPT {
                TableCell::Undefined("")
            } else {
                TableCell::estimate(term.estimate.exp(), term.interval.map(f64::exp))
            },
            TableCell::PValue(term.p_value),
        ]
    });
    let header = ["variable", "unit", "coefficient", "standard error", "OR (95 % CI)", "p"];
    let pooled = match pooled_over(study) {
        Some(imputations) => format!(", pooled over {imputations} imputations by Rubin's rules"),
        None => String::new(),
    };
    let title = format!(
        "The integrated model{pooled}. Risk = 1 / (1 + exp(-L)), where L is the intercept and the sum of coefficient times value"
    );
    Ok(Table::new("integrated_model", &title, &header, rows.collect()))
}

/// How many imputations the integrated model is pooled over; `None` where it is one fit.
pub(super) fn pooled_over(study: &Study) -> Option<usize> {
    study.missing_values.as_ref().filter(|missing| missing.integrated.is_some()).map(|missing| missing.imputations)
}

/// A coefficient of the integrated model, on the scale of log odds.
pub(super) struct IntegratedTerm {
    pub(super) name: String,
    pub(super) estimate: f64,
    pub(super) standard_error: f64,
    pub(super) interval: Interval,
    pub(super) p_value: f64,
}

/// The coefficients of the integrated model that is handed on.
pub(super) fn integrated_terms(study: &Study, results: &Results) -> Result<Vec<IntegratedTerm>> {
    if let Some(missing) = study.missing_values.as_ref().filter(|missing| missing.integrated.is_some()) {
        let of_term = |one: &ImputedCoefficient| IntegratedTerm {
            name: one.term.clone(),
            estimate: one.pooled.estimate,
            standard_error: one.standard_error,
            interval: one.pooled.interval,
            p_value: one.p_value,
        };
        return Ok(missing.coefficients.iter().map(of_term).collect());
    }
    let fitted = results.models.model(INTEGRATED)?.model();
    let of_term = |term: &Term| IntegratedTerm {
        name: term.name.clone(),
        estimate: term.estimate,
        standard_error: term.standard_error,
        interval: term.interval,
        p_value: term.p_value,
    };
    Ok(fitted.terms().iter().map(of_term).collect())
}

fn cutoff_cells(at: &ThresholdPerformance) -> Vec<TableCell> {
    let m = &at.metrics;
    let cutoff =
        if at.cutoff.is_finite() { TableCell::number(at.cutoff) } else { TableCell::Undefined("nobody above") };
    let mut cells = vec![cutoff];
    cells.extend(
        [m.sensitivity, m.specificity, m.accuracy, m.positive_predictive_value, m.negative_predictive_value]
            .map(proportion),
    );
    cells.push(if m.f1.is_nan() { TableCell::Undefined("undefined") } else { TableCell::number(m.f1) });
    cells
}

fn ranked(evaluation: &Evaluation) -> Vec<&ModelPerformance> {
    let mut performances: Vec<&ModelPerformance> = evaluation.performances.iter().collect();
    performances.sort_by(|a, b| b.auc.auc.total_cmp(&a.auc.auc));
    performances
}

/// Columns of Table 3 at a cutoff.
const AT_CUTOFF: [&str; 7] = ["cutoff", "sensitivity", "specificity", "accuracy", "PPV", "NPV", "F1"];

/// Table 3 of a cohort, at the cutoff of training, and its rest, at the cohort's own best cutoff.
fn table_three(index: usize, evaluation: &Evaluation, published: Option<&PublishedFigures>) -> [Table; 2] {
    let published = published.filter(|_| matches!(index, 0 | 2));
    let published_area = |model: &str| {
        let row = published.and_then(|published| published.model(model));
        row.map_or(TableCell::Undefined(""), |row| {
            TableCell::number(if index == 0 { row.training[0] } else { row.validation[0] })
        })
    };
    let carried = ranked(evaluation).into_iter().map(|performance| {
        let mut cells = vec![
            TableCell::from(performance.model.clone()),
            TableCell::estimate(performance.auc.auc, performance.auc.interval),
        ];
        cells.extend(published.map(|_| published_area(&performance.model)));
        cells.push(TableCell::number(performance.brier));
        cells.extend(cutoff_cells(&performance.carried_cutoff));
        cells
    });
    let own = ranked(evaluation).into_iter().map(|performance| {
        std::iter::once(TableCell::from(performance.model.clone()))
            .chain(cutoff_cells(&performance.own_cutoff))
            .collect()
    });
    let mut header = vec!["model", "AUC (95 % DeLong CI)"];
    header.extend(published.map(|_| "published AUC"));
    header.push("Brier");
    header.extend(AT_CUTOFF);
    let (patients, events) = (evaluation.labels.len(), evaluation.labels.positives());
    let cohort = format!("{} (N = {patients}, {events} with metastasis)", evaluation.cohort);
    let file = format!("table3_{}", in_file_name(&evaluation.cohort));
    let at_training = format!("Table 3. Ten models at the cutoff of training, with 95 % intervals: {cohort}");
    let at_own =
        format!("Table 3, continued. Ten models at the cohort's own best cutoff, with 95 % intervals: {cohort}");
    let own_header: Vec<&str> = ["model"].into_iter().chain(AT_CUTOFF).collect();
    [
        Table::new(&file, &at_training, &header, carried.collect()),
        Table::new(&format!("{file}_own_cutoff"), &at_own, &own_header, own.collect()),
    ]
}

fn optimism(results: &Results) -> Table {
    let rows = results.training.performances.iter().zip(&results.cross_fitted.performances).zip(&results.corrected_auc);
    let rows = rows.map(|((training, cross_fitted), corrected)| {
        let area_in = |evaluation: &Evaluation| {
            let found = evaluation.performances.iter().find(|p| p.model == training.model);
            found.map_or(TableCell::Undefined(""), |p| TableCell::number(p.auc.auc))
        };
        let own =
            [training.auc.auc, corrected.corrected, cross_fitted.auc.auc, training.auc.auc - cross_fitted.auc.auc];
        std::iter::once(TableCell::from(training.model.clone()))
            .chain(own.map(TableCell::number))
            .chain(results.outside().map(area_in))
            .collect()
    });
    let rows = rows.collect();
    let mut header =
        vec!["model", "training", "bootstrap-corrected (scores fixed)", "cross-fitted", "optimism of training"];
    header.extend(results.outside().map(|evaluation| evaluation.cohort.as_str()));
    Table::new("optimism", "AUC and its optimism", &header, rows)
}

/// `None` without a centre that validates.
fn areas_compared(results: &Results) -> Result<Option<Table>> {
    let mut rows = Vec::new();
    for evaluation in results.outside() {
        let (reference, others): (Vec<_>, Vec<_>) =
            evaluation.performances.iter().cloned().partition(|performance| performance.model == INTEGRATED);
        let Some(reference) = reference.first() else { continue };
        let tests = alnm_models::model_set::compare_areas(&evaluation.labels, reference, &others)?;
        let p: Vec<f64> = tests.iter().map(|test| test.p_value).collect();
        let adjusted = adjust(&p, Adjustment::Holm);
        rows.extend(others.iter().zip(tests).zip(adjusted).map(|((other, test), adjusted)| {
            let difference = other.auc.auc - reference.auc.auc;
            let difference = match test.confidence_interval {
                Some(interval) => TableCell::estimate(difference, interval),
                None => TableCell::number(difference),
            };
            vec![
                TableCell::from(evaluation.cohort.clone()),
                TableCell::from(other.model.clone()),
                difference,
                TableCell::number(test.statistic),
                TableCell::PValue(test.p_value),
                TableCell::PValue(adjusted),
            ]
        }));
    }
    let header = ["cohort", "model", "AUC minus that of Integrated (95 % CI)", "Z", "p", "p adjusted (Holm)"];
    let title = "DeLong's test of each model against Integrated, external validation";
    Ok((!rows.is_empty()).then(|| Table::new("delong", title, &header, rows)))
}

fn calibration<'a>(evaluations: impl Iterator<Item = &'a Evaluation>) -> Table {
    let undefined = || TableCell::Undefined("undefined");
    let rows = evaluations.flat_map(|evaluation| {
        evaluation.performances.iter().zip(&evaluation.calibrations).map(|(performance, calibration)| {
            let groups = calibration.hosmer_lemeshow.as_ref();
            let recalibration = calibration.recalibration.as_ref();
            let wald = |found: Option<alnm_stats::calibration::WaldEstimate>| {
                found.map_or_else(undefined, |found| TableCell::estimate(found.estimate, found.interval))
            };
            vec![
                TableCell::from(evaluation.cohort.clone()),
                TableCell::from(performance.model.clone()),
                groups.map_or_else(undefined, |hl| TableCell::Number { value: hl.test.statistic, decimals: 2 }),
                groups.map_or_else(undefined, |hl| TableCell::PValue(hl.test.p_value)),
                wald(recalibration.map(|found| found.in_the_large)),
                wald(recalibration.map(|found| found.intercept)),
                wald(recalibration.map(|found| found.slope)),
                calibration.curve.as_ref().map_or_else(undefined, |curve| TableCell::number(curve.error().ici)),
            ]
        })
    });
    let header = ["cohort", "model", "Hosmer-Lemeshow χ²", "p", "in the large", "intercept", "slope", "ICI"];
    let title = "Calibration, with 95 % intervals; undefined where risks of 0 or 1, or outcomes that they separate, leave nothing \
                 to fit, and χ² is huge where such a risk was wrong";
    Table::new("calibration", title, &header, rows.collect())
}

/// Thresholds of the table of net benefit.
const THRESHOLDS: [f64; 5] = [0.1, 0.2, 0.3, 0.4, 0.5];

/// Net benefit with bootstrap intervals; below the models of each cohort what treating everybody gives.
fn net_benefit<'a>(study: &Study, evaluations: impl Iterator<Item = &'a Evaluation>) -> Result<Table> {
    let resampling = Resampling::new(study.settings.resamples, study.settings.seed);
    let intervals = DecisionIntervalParams::default().with_resampling(resampling).with_level(LEVEL).check()?;
    let mut rows = Vec::new();
    for evaluation in evaluations {
        let named = |model: &str| [&evaluation.cohort, model].map(TableCell::from).to_vec();
        for performance in &evaluation.performances {
            let found = intervals.of(&evaluation.labels, &performance.risks, &THRESHOLDS)?;
            let curve = DecisionCurve::new(&evaluation.labels, &performance.risks, &THRESHOLDS)?;
            let cells = curve.points().iter().zip(&found);
            let cells = cells.map(|(point, interval)| TableCell::estimate(point.net_benefit, interval.net_benefit));
            rows.push(named(&performance.model).into_iter().chain(cells).collect());
        }
        let prevalence = evaluation.labels.prevalence();
        let treat_all = THRESHOLDS.map(|threshold| prevalence - (1.0 - prevalence) * threshold / (1.0 - threshold));
        rows.push(named("treat all").into_iter().chain(treat_all.map(TableCell::number)).collect::<Vec<_>>());
    }
    let names = THRESHOLDS.map(|threshold| format!("at {threshold}"));
    let header: Vec<&str> = ["cohort", "model"].into_iter().chain(names.iter().map(String::as_str)).collect();
    let title = format!(
        "Net benefit at thresholds of risk, with 95 % intervals by {} bootstraps; treating nobody gives 0",
        study.settings.resamples
    );
    Ok(Table::new("net_benefit", &title, &header, rows))
}

/// Fewest patients of each outcome in a subgroup whose discrimination is judged.
const FEWEST_IN_SUBGROUP: usize = 10;

fn subgroups(robustness: &Robustness) -> Table {
    let rows = robustness.subgroups.iter().flat_map(|part| {
        part.subgroups.iter().map(|group| {
            let rarer = group.events.min(group.patients - group.events);
            let is_judged = rarer >= FEWEST_IN_SUBGROUP;
            let if_judged = |cell: TableCell| if is_judged { cell } else { TableCell::Undefined("too few") };
            let area = group.auc.as_ref();
            let area = area.map_or(TableCell::Undefined("one outcome only"), |auc| {
                if_judged(TableCell::estimate(auc.auc, auc.interval))
            });
            vec![
                TableCell::from(part.cohort.clone()),
                TableCell::from(part.by.clone()),
                TableCell::from(group.subgroup.clone()),
                TableCell::from(group.patients),
                TableCell::from(group.events),
                TableCell::number(group.mean_risk),
                area,
                if_judged(proportion(group.metrics.sensitivity)),
                if_judged(proportion(group.metrics.specificity)),
            ]
        })
    });
    let header =
        ["cohort", "by", "subgroup", "patients", "with metastasis", "mean risk", "AUC", "sensitivity", "specificity"];
    let title = format!(
        "Integrated model by subtype and age, at the training cutoff, with 95 % intervals; subgroups with fewer than {FEWEST_IN_SUBGROUP} patients of an outcome are not judged"
    );
    Table::new("subgroups", &title, &header, rows.collect())
}

fn alternatives(cohort: &Cohort, robustness: &Robustness) -> Table {
    let rows = robustness.alternatives.iter().map(|model| {
        let areas = std::iter::once(&model.training).chain(&model.validation);
        std::iter::once(TableCell::from(model.model.clone()))
            .chain(areas.map(|auc| TableCell::estimate(auc.auc, auc.interval)))
            .collect()
    });
    let mut header = vec!["model", "training, apparent"];
    header.extend(cohort.description.validation_centres.iter().map(String::as_str));
    Table::new(
        "alternatives",
        "AUC of other kinds of models on the variables of the integrated one",
        &header,
        rows.collect(),
    )
}

/// Cells and header of areas in training, across folds and in the validation centres.
fn area_cells(areas: &ComparedAreas) -> impl Iterator<Item = TableCell> {
    [&areas.training, &areas.cross_fitted]
        .into_iter()
        .chain(&areas.validation)
        .map(|auc| TableCell::estimate(auc.auc, auc.interval))
}

fn area_header<'a>(first: &[&'a str], cohort: &'a Cohort) -> Vec<&'a str> {
    let centres = cohort.description.validation_centres.iter().map(String::as_str);
    first.iter().copied().chain(["training, apparent", "training, cross-fitted"]).chain(centres).collect()
}

fn harmonisation(cohort: &Cohort, comparison: &HarmonisationComparison) -> Option<Table> {
    let row = |areas: &ComparedAreas| {
        [&areas.model, &areas.features].map(TableCell::from).into_iter().chain(area_cells(areas)).collect()
    };
    let rows: Vec<Vec<TableCell>> = comparison.areas.iter().map(row).collect();
    let header = area_header(&["model", "features"], cohort);
    (!rows.is_empty())
        .then(|| Table::new("harmonisation", "AUC with and without ComBat between scanners", &header, rows))
}

fn backbones(cohort: &Cohort, comparisons: &[BackboneComparison]) -> Option<Table> {
    let rows: Vec<Vec<TableCell>> = comparisons
        .iter()
        .flat_map(|comparison| {
            let start = comparison.weights.clone().unwrap_or_else(|| "seeded initialisation".to_owned());
            let row = move |areas: &ComparedAreas| {
                [&comparison.backbone, &start, &areas.model]
                    .map(TableCell::from)
                    .into_iter()
                    .chain(area_cells(areas))
                    .collect()
            };
            comparison.areas.iter().map(row)
        })
        .collect();
    let header = area_header(&["backbone", "start", "model"], cohort);
    let title =
        "AUC by backbone: the same fine-tuning, selection and models; one network on all training patients each";
    (!rows.is_empty()).then(|| Table::new("backbones", title, &header, rows))
}

fn sample_size(robustness: &Robustness) -> Table {
    let remark = &robustness.sample_size;
    let riley = |of: fn(&alnm_stats::sample_size::SampleSize) -> usize| {
        remark.riley.as_ref().map_or_else(|| "undefined".to_owned(), |size| of(size).to_string())
    };
    let row = |what: &str, value: String| vec![what.to_owned(), value];
    let rows = vec![
        row("training patients", remark.patients.to_string()),
        row("with metastasis", remark.events.to_string()),
        row("variables of the integrated model", remark.variables.to_string()),
        row("patients of the rarer outcome per variable", format!("{:.1}", remark.events_per_variable)),
        row("patients asked for: shrinkage of 0.9", riley(|size| size.for_shrinkage)),
        row("patients asked for: optimism of R² at most 0.05", riley(|size| size.for_optimism)),
        row("patients asked for: overall risk within 0.05", riley(|size| size.for_overall_risk)),
    ];
    let title =
        "Size of the training cohort; Riley's criteria for the ten candidate variables and the apparent Cox-Snell R²";
    Table::new("sample_size", title, &["quantity", "value"], rows)
}

fn stability(robustness: &Robustness) -> Table {
    let rows = robustness.selection.iter().map(|one| {
        vec![
            TableCell::from(one.score.clone()),
            TableCell::from(one.feature.clone()),
            TableCell::number(one.frequency),
            TableCell::from(if one.in_score { "yes" } else { "no" }),
        ]
    });
    let title = format!("Share of {} bootstraps whose selection keeps a feature", robustness.selection_resamples);
    Table::new("selection_stability", &title, &["score", "feature", "share", "in the score"], rows.collect())
}

fn selected(file: &str, title: &str, pipeline: &FittedPipeline) -> Table {
    let weights = pipeline.signature().into_iter().flat_map(Signature::weights);
    let rows = weights
        .map(|weight| vec![TableCell::from(weight.feature.clone()), TableCell::Significant(weight.weight)])
        .collect();
    Table::new(file, title, &["feature", "weight"], rows)
}

fn removed(file: &str, pipeline: &FittedPipeline) -> Table {
    let rows = pipeline.report().iter().flat_map(|step| {
        step.removed.iter().map(|removal| vec![removal.feature.clone(), step.step.clone(), removal.reason.clone()])
    });
    Table::new(file, "Features removed and why", &["feature", "step", "reason"], rows.collect()).only_file()
}

fn feature_values(file: &str, cohort: &Cohort, table: &FeatureTable) -> Table {
    let header: Vec<&str> =
        ["patient", "centre", "alnm"].into_iter().chain(table.names().iter().map(String::as_str)).collect();
    let all = table.values();
    let rows = cohort.patients.iter().zip(all.outer_iter()).map(|(patient, values)| {
        let own = cells![patient.id.clone(), patient.centre.clone(), usize::from(patient.alnm)];
        own.into_iter().chain(values.iter().copied().map(Cell::from)).collect()
    });
    Table::new(file, file, &header, rows.collect()).only_file()
}

/// Risks of every model for every patient, by cohort.
fn risks(cohort: &Cohort, results: &Results) -> Table {
    let mut rows = Vec::new();
    let training = cohort.training();
    let mut add = |evaluation: &Evaluation, patients: &[&crate::cohort::Patient]| {
        for (index, patient) in patients.iter().enumerate() {
            let own = cells![evaluation.cohort.clone(), patient.id.clone(), usize::from(patient.alnm)];
            let risks = evaluation.performances.iter().map(|performance| Cell::from(performance.risks[index]));
            rows.push(own.into_iter().chain(risks).collect::<Vec<Cell>>());
        }
    };
    add(&results.training, &training);
    add(&results.cross_fitted, &training);
    for evaluation in &results.validation {
        let patients: Vec<_> = cohort.patients.iter().filter(|patient| patient.centre == evaluation.cohort).collect();
        add(evaluation, &patients);
    }
    let models = results.training.performances.iter().map(|p| p.model.as_str());
    let header: Vec<&str> = ["cohort", "patient", "alnm"].into_iter().chain(models).collect();
    Table::new("risks", "risks", &header, rows).only_file()
}

fn agreement(findings: &Findings<'_>) -> Option<Table> {
    let agreement = findings.inputs.agreement.as_ref()?;
    let rows = agreement.iter().map(|feature| {
        let icc = feature.analysis.form(alnm_stats::icc::IccForm::Icc2);
        cells![
            feature.feature.clone(),
            icc.estimate,
            icc.interval.lower,
            icc.interval.upper,
            feature.reliable.to_string()
        ]
    });
    let header = ["feature", "ICC(2,1)", "lower", "upper", "reliable"];
    Some(Table::new("agreement", "Agreement of two readers", &header, rows.collect()).only_file())
}

/// Table 3 as lines for a terminal, with published areas where another study stands beside it.
#[must_use]
pub fn summary(results: &Results, published: Option<&PublishedFigures>) -> Vec<String> {
    let external = results.validation.first();
    let published_area = |model: &str, of: fn(&PublishedModel) -> f64| {
        published.and_then(|published| published.model(model)).map_or(String::new(), |row| three(of(row)))
    };
    let heading = if published.is_some() { "published" } else { "" };
    let mut lines = vec![
        format!("{:<14} {:^17} {:^12}", "", "training", ""),
        format!("{:<14} {:>8} {heading:>9} {:>11}", "model", "AUC", "cross-fit"),
    ];
    if let Some(external) = external {
        lines[0].push_str(&format!(" {:^17}", external.cohort));
        lines[1].push_str(&format!(" {:>8} {heading:>9}", "AUC"));
    }
    for performance in ranked(external.unwrap_or(&results.cross_fitted)) {
        let of = |evaluation: &Evaluation| {
            evaluation
                .performances
                .iter()
                .find(|p| p.model == performance.model)
                .map_or(String::new(), |p| three(p.auc.auc))
        };
        let mut line = format!(
            "{:<14} {:>8} {:>9} {:>11}",
            performance.model,
            of(&results.training),
            published_area(&performance.model, |row| row.training[0]),
            of(&results.cross_fitted),
        );
        if let Some(external) = external {
            let published = published_area(&performance.model, |row| row.validation[0]);
            line.push_str(&format!(" {:>8} {published:>9}", of(external)));
        }
        lines.push(line);
    }
    lines
}
