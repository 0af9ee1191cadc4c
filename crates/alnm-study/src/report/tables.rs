//! The tables of the study.

use std::path::Path;

use alnm_models::logistic::Estimation;
use alnm_models::model_set::ModelPerformance;
use alnm_models::model_set::ThresholdPerformance;
use alnm_selection::{FeatureTable, FittedPipeline, Signature};
use alnm_stats::data_table::{Cell, DataTable, Digits, escaped_latex};
use alnm_stats::table_one::format_p;
use alnm_stats::{Interval, cells};
use anyhow::Result;
use serde::Serialize;

use super::Findings;
use super::published::{PublishedFigures, PublishedModel};
use crate::analysis::{Evaluation, Results};
use crate::cohort::Cohort;
use crate::comparison::{BackboneComparison, ComparedAreas, HarmonisationComparison};
use crate::robustness::Robustness;
use crate::store::write_file;

/// A table of the report.
#[derive(Debug, Clone)]
pub struct Table {
    /// Name of its files without the suffix.
    file: String,
    /// Title on the page.
    title: String,
    /// Columns and rows.
    data: DataTable,
    /// Whether the page shows it.
    on_page: bool,
}

/// A table as the page shows it.
#[derive(Debug, Serialize)]
pub(super) struct ShownTable<'a> {
    file: &'a str,
    title: &'a str,
    header: &'a [String],
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table that the page shows. A column whose name stands to the left of it already, as that of a centre can,
    /// is numbered.
    ///
    /// # Panics
    /// When a row has not as many cells as there are columns.
    pub(super) fn new<C: Into<Cell>>(file: &str, title: &str, header: &[&str], rows: Vec<Vec<C>>) -> Self {
        let mut columns: Vec<String> = Vec::with_capacity(header.len());
        for name in header {
            let numbered = (2..).map(|number| format!("{name} ({number})"));
            columns.extend(std::iter::once((*name).to_owned()).chain(numbered).find(|name| !columns.contains(name)));
        }
        let mut data = DataTable::new(columns).expect("the names of the columns differ");
        for row in rows {
            data.push(row.into_iter().map(Into::into).collect()).expect("a row has a cell for each column");
        }
        Self { file: file.to_owned(), title: title.to_owned(), data, on_page: true }
    }

    fn only_file(mut self) -> Self {
        self.on_page = false;
        self
    }

    /// Name of its files without the suffix.
    pub(super) fn file(&self) -> &str {
        &self.file
    }

    /// Columns and rows.
    #[cfg(test)]
    pub(super) fn data(&self) -> &DataTable {
        &self.data
    }

    /// The table as the page shows it; `None` where it does not.
    pub(super) fn shown(&self) -> Option<ShownTable<'_>> {
        let text = |row: &[Cell]| row.iter().map(|cell| cell.text(Digits::All)).collect();
        self.on_page.then(|| ShownTable {
            file: &self.file,
            title: &self.title,
            header: self.data.columns(),
            rows: self.data.rows().map(text).collect(),
        })
    }

    /// Writes the table as CSV and, when the page shows it, as Markdown and LaTeX.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn write(&self, folder: &Path) -> Result<()> {
        self.write_values(folder)?;
        if self.on_page {
            write_file(&folder.join(format!("{}.md", self.file)), self.markdown().as_bytes())?;
            write_file(&folder.join(format!("{}.tex", self.file)), self.latex().as_bytes())?;
        }
        Ok(())
    }

    /// Writes the table as CSV.
    pub(super) fn write_values(&self, folder: &Path) -> Result<()> {
        write_file(&folder.join(format!("{}.csv", self.file)), self.data.to_csv().as_bytes())
    }

    /// The table in Markdown below its title.
    fn markdown(&self) -> String {
        format!(
            "{}\n\n{}",
            self.title,
            self.data.to_markdown(Digits::All).replacen(" --- |", "---|", self.data.columns().len())
        )
    }

    /// The table as a floating table of LaTeX (package booktabs).
    fn latex(&self) -> String {
        let label = self.file.replace('_', "-");
        let tabular = self.data.to_latex(Digits::All);
        format!(
            "\\begin{{table}}\n\\caption{{{}}}\n\\label{{tab:{label}}}\n{tabular}\\end{{table}}\n",
            escaped_latex(&self.title)
        )
    }
}

/// All tables.
pub(super) fn all(findings: &Findings<'_>) -> Result<Vec<Table>> {
    let &Findings { cohort, results, scores, published, .. } = findings;
    let mut tables = vec![patient_flow(cohort)];
    tables.extend(excluded(cohort));
    tables.extend([table_one(results, published), table_two(results)]);
    tables
        .extend(results.evaluations().enumerate().map(|(index, evaluation)| table_three(index, evaluation, published)));
    tables.extend(penalised(results));
    tables.push(optimism(results));
    tables.extend(areas_compared(results)?);
    tables.push(calibration(results.evaluations()));
    tables.push(net_benefit(results.evaluations()));
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

pub(super) fn with_interval(value: f64, interval: Interval) -> String {
    if interval.lower.is_nan() {
        return format!("{value:.3} (interval undefined)");
    }
    format!("{value:.3} ({:.3}, {:.3})", interval.lower, interval.upper)
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

fn table_one(results: &Results, published: Option<&PublishedFigures>) -> Table {
    let printed = results.table_one.printed();
    let mut header: Vec<&str> = printed.columns().iter().map(String::as_str).collect();
    let mut rows: Vec<Vec<Cell>> = printed.rows().map(<[Cell]>::to_vec).collect();
    if let Some(published) = published {
        header.extend(["published negative", "published positive", "published p"]);
        for row in &mut rows {
            let variable = row[0].text(Digits::All);
            let name = variable.split(" (").next().unwrap_or_default();
            let of_variable = published.characteristic(name);
            row.extend(of_variable.map_or(["", "", ""], |p| [p.negative, p.positive, p.p]).map(Cell::from));
        }
    }
    Table::new("table1", "Table 1. Training cohort", &header, rows)
}

fn table_two(results: &Results) -> Table {
    let rows = results.odds_ratios.iter().map(|odds| {
        let unit = match (odds.variable.unit.as_str(), odds.per) {
            ("cm", per) if (per - 0.1).abs() < 1e-12 => "per mm".to_owned(),
            ("", _) => "per 1".to_owned(),
            (unit, per) => format!("per {per} {unit}"),
        };
        let ratio = format!("{:.3} ({:.3}, {:.3})", odds.odds_ratio, odds.profile.lower, odds.profile.upper);
        vec![odds.variable.name.clone(), unit, ratio, format_p(odds.wald_p), format_p(odds.likelihood_ratio_p)]
    });
    let header = ["variable", "unit", "OR (95 % profile CI)", "Wald p", "likelihood ratio p"];
    Table::new("table2", "Table 2. Univariate logistic regression, training cohort", &header, rows.collect())
}

fn cutoff_cells(at: &ThresholdPerformance) -> Vec<String> {
    let m = &at.metrics;
    let of = |p: alnm_stats::proportion::Proportion| with_interval(p.estimate, p.interval);
    let mut cells = vec![three(at.cutoff)];
    cells.extend(
        [m.sensitivity, m.specificity, m.accuracy, m.positive_predictive_value, m.negative_predictive_value].map(of),
    );
    cells.push(three(m.f1));
    cells
}

fn ranked(evaluation: &Evaluation) -> Vec<&ModelPerformance> {
    let mut performances: Vec<&ModelPerformance> = evaluation.performances.iter().collect();
    performances.sort_by(|a, b| b.auc.auc.total_cmp(&a.auc.auc));
    performances
}

/// Columns of Table 3 at the cutoff that was carried over from training.
const CARRIED: [&str; 6] = [
    "sensitivity (carried)",
    "specificity (carried)",
    "accuracy (carried)",
    "PPV (carried)",
    "NPV (carried)",
    "F1 (carried)",
];

fn table_three(index: usize, evaluation: &Evaluation, published: Option<&PublishedFigures>) -> Table {
    let published_area = |model: &str| -> Vec<String> {
        match (published.and_then(|published| published.model(model)), index) {
            (Some(row), 0) => vec![three(row.training[0])],
            (Some(row), 2) => vec![three(row.validation[0])],
            _ => Vec::new(),
        }
    };
    let rows = ranked(evaluation).into_iter().map(|performance| {
        let mut cells = vec![performance.model.clone(), with_interval(performance.auc.auc, performance.auc.interval)];
        cells.extend(published_area(&performance.model));
        cells.push(three(performance.brier));
        cells.extend(cutoff_cells(&performance.own_cutoff));
        cells.extend(cutoff_cells(&performance.carried_cutoff));
        cells
    });
    let mut header = vec!["model", "AUC (95 % DeLong CI)"];
    if published.is_some() && index != 1 {
        header.push("published AUC");
    }
    header.push("Brier");
    header.extend(["own cutoff", "sensitivity", "specificity", "accuracy", "PPV", "NPV", "F1"]);
    header.push("carried cutoff");
    header.extend(CARRIED);
    let title = format!("Table 3. Ten models: {}", evaluation.cohort);
    Table::new(&format!("table3_{}", evaluation.cohort.replace([' ', ','], "_")), &title, &header, rows.collect())
}

fn optimism(results: &Results) -> Table {
    let rows = results.training.performances.iter().zip(&results.cross_fitted.performances).zip(&results.corrected_auc);
    let rows = rows.map(|((training, cross_fitted), corrected)| {
        let mut cells = vec![training.model.clone()];
        cells.extend(
            [training.auc.auc, corrected.corrected, cross_fitted.auc.auc, training.auc.auc - cross_fitted.auc.auc]
                .map(three),
        );
        cells.extend(results.validation.iter().chain(&results.pooled_validation).map(|evaluation| {
            evaluation
                .performances
                .iter()
                .find(|p| p.model == training.model)
                .map_or(String::new(), |p| three(p.auc.auc))
        }));
        cells
    });
    let rows = rows.collect();
    let mut header =
        vec!["model", "training", "bootstrap-corrected (scores fixed)", "cross-fitted", "optimism of training"];
    let outside = results.validation.iter().chain(&results.pooled_validation);
    header.extend(outside.map(|evaluation| evaluation.cohort.as_str()));
    Table::new("optimism", "AUC and its optimism", &header, rows)
}

/// `None` without a centre that validates.
fn areas_compared(results: &Results) -> Result<Option<Table>> {
    let mut rows = Vec::new();
    for evaluation in results.validation.iter().chain(&results.pooled_validation) {
        let (reference, others): (Vec<_>, Vec<_>) = evaluation
            .performances
            .iter()
            .cloned()
            .partition(|performance| performance.model == crate::analysis::INTEGRATED);
        if let Some(reference) = reference.first() {
            let tests = alnm_models::model_set::compare_areas(&evaluation.labels, reference, &others)?;
            rows.extend(others.iter().zip(tests).map(|(other, test)| {
                let difference = other.auc.auc - reference.auc.auc;
                vec![
                    evaluation.cohort.clone(),
                    other.model.clone(),
                    three(difference),
                    three(test.statistic),
                    format_p(test.p_value),
                ]
            }));
        }
    }
    let header = ["cohort", "model", "AUC minus that of Integrated", "Z", "p"];
    let title = "DeLong's test of each model against Integrated, external validation";
    Ok((!rows.is_empty()).then(|| Table::new("delong", title, &header, rows)))
}

fn calibration<'a>(evaluations: impl Iterator<Item = &'a Evaluation>) -> Table {
    let rows = evaluations.flat_map(|evaluation| {
        evaluation.performances.iter().zip(&evaluation.calibrations).map(|(performance, calibration)| {
            let or_absent = |value: Option<String>| value.unwrap_or_else(|| "undefined".to_owned());
            let recalibration = calibration.recalibration.as_ref();
            vec![
                evaluation.cohort.clone(),
                performance.model.clone(),
                or_absent(calibration.hosmer_lemeshow.as_ref().map(|hl| format!("{:.2}", hl.test.statistic))),
                or_absent(calibration.hosmer_lemeshow.as_ref().map(|hl| format_p(hl.test.p_value))),
                or_absent(recalibration.map(|r| three(r.intercept.estimate))),
                or_absent(recalibration.map(|r| three(r.slope.estimate))),
                or_absent(calibration.curve.as_ref().map(|curve| three(curve.error().ici))),
            ]
        })
    });
    let header = ["cohort", "model", "Hosmer-Lemeshow χ²", "p", "intercept", "slope", "ICI"];
    Table::new("calibration", "Calibration", &header, rows.collect())
}

fn net_benefit<'a>(evaluations: impl Iterator<Item = &'a Evaluation>) -> Table {
    let thresholds = [0.1, 0.2, 0.3, 0.4, 0.5];
    let rows = evaluations.flat_map(|evaluation| {
        evaluation.performances.iter().zip(&evaluation.decision_curves).map(move |(performance, curve)| {
            let at = |threshold: f64| curve.net_benefit_at(threshold).map_or(String::new(), three);
            [evaluation.cohort.clone(), performance.model.clone()].into_iter().chain(thresholds.map(at)).collect()
        })
    });
    let header = ["cohort", "model", "at 0.1", "at 0.2", "at 0.3", "at 0.4", "at 0.5"];
    Table::new("net_benefit", "Net benefit", &header, rows.collect())
}

fn subgroups(robustness: &Robustness) -> Table {
    let rows = robustness.subgroups.iter().flat_map(|part| {
        part.subgroups.iter().map(|group| {
            let proportion = |p: alnm_stats::proportion::Proportion| with_interval(p.estimate, p.interval);
            cells![
                part.cohort.clone(),
                part.by.clone(),
                group.subgroup.clone(),
                group.patients,
                group.events,
                three(group.mean_risk),
                group
                    .auc
                    .as_ref()
                    .map_or_else(|| "one outcome only".to_owned(), |auc| with_interval(auc.auc, auc.interval)),
                proportion(group.metrics.sensitivity),
                proportion(group.metrics.specificity),
            ]
        })
    });
    let header = [
        "cohort",
        "by",
        "subgroup",
        "patients",
        "with metastasis",
        "mean risk",
        "AUC (95 % CI)",
        "sensitivity",
        "specificity",
    ];
    Table::new("subgroups", "Integrated model by subtype and age, at the training cutoff", &header, rows.collect())
}

fn alternatives(cohort: &Cohort, robustness: &Robustness) -> Table {
    let rows = robustness.alternatives.iter().map(|model| {
        let areas = std::iter::once(&model.training).chain(&model.validation);
        std::iter::once(model.model.clone()).chain(areas.map(|auc| with_interval(auc.auc, auc.interval))).collect()
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
fn area_cells(areas: &ComparedAreas) -> impl Iterator<Item = String> {
    [&areas.training, &areas.cross_fitted]
        .into_iter()
        .chain(&areas.validation)
        .map(|auc| with_interval(auc.auc, auc.interval))
}

fn area_header<'a>(first: &[&'a str], cohort: &'a Cohort) -> Vec<&'a str> {
    let centres = cohort.description.validation_centres.iter().map(String::as_str);
    first.iter().copied().chain(["training, apparent", "training, cross-fitted"]).chain(centres).collect()
}

fn harmonisation(cohort: &Cohort, comparison: &HarmonisationComparison) -> Option<Table> {
    let row = |areas: &ComparedAreas| {
        [areas.model.clone(), areas.features.clone()].into_iter().chain(area_cells(areas)).collect()
    };
    let rows: Vec<Vec<String>> = comparison.areas.iter().map(row).collect();
    let header = area_header(&["model", "features"], cohort);
    (!rows.is_empty())
        .then(|| Table::new("harmonisation", "AUC with and without ComBat between scanners", &header, rows))
}

fn backbones(cohort: &Cohort, comparisons: &[BackboneComparison]) -> Option<Table> {
    let rows: Vec<Vec<String>> = comparisons
        .iter()
        .flat_map(|comparison| {
            let start = comparison.weights.clone().unwrap_or_else(|| "seeded initialisation".to_owned());
            let row = move |areas: &ComparedAreas| {
                [comparison.backbone.clone(), start.clone(), areas.model.clone()]
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
            one.score.clone(),
            one.feature.clone(),
            three(one.frequency),
            if one.in_score { "yes" } else { "no" }.to_owned(),
        ]
    });
    let title = format!("Share of {} bootstraps whose selection keeps a feature", robustness.selection_resamples);
    Table::new("selection_stability", &title, &["score", "feature", "share", "in the score"], rows.collect())
}

fn selected(file: &str, title: &str, pipeline: &FittedPipeline) -> Table {
    let weights = pipeline.signature().into_iter().flat_map(Signature::weights);
    let rows = weights.map(|weight| cells![weight.feature.clone(), weight.weight]).collect();
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

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        Table::new("table_x", "A & B", &["a|b", "p"], vec![vec!["50 % ± 1", "<0.001"]])
    }

    #[test]
    fn markdown_keeps_bars_in_their_cells() {
        assert_eq!(table().markdown(), "A & B\n\n| a\\|b | p |\n|---|---|\n| 50 % ± 1 | <0.001 |\n");
    }

    #[test]
    fn latex_escapes_what_it_would_read_otherwise() {
        let text = table().latex();
        assert!(text.contains("\\caption{A \\& B}\n\\label{tab:table-x}\n\\begin{tabular}{ll}"), "{text}");
        assert!(text.contains("50 \\% $\\pm$ 1 & $<$0.001 \\\\\n\\bottomrule"), "{text}");
    }

    #[test]
    fn a_name_that_stands_to_the_left_already_is_numbered() {
        let table = Table::new("t", "t", &["b", "b", "b (2)"], vec![vec![1.0, 2.0, 0.1 + 0.2]]);
        assert_eq!(table.data().to_csv(), "b,b (2),b (2) (2)\n1,2,0.30000000000000004\n");
    }
}
