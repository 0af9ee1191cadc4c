//! The report of a study: CSV tables, JSON models and a self-contained HTML page.

mod attention;
mod checklist;
mod cohort_tables;
mod corrected_calibration;
mod design_tables;
pub mod figure;
mod figures;
mod flow;
mod forest;
mod heat_map;
mod lesion;
mod methods;
mod nomogram;
mod published;
mod quality_sheet;
mod raster;
mod swarm;
mod table;
mod tables;
mod word;

use std::path::{Path, PathBuf};

use alnm_models::calculator::page_with;
use alnm_selection::FeatureTable;
use anyhow::{Context, Result};
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, Value, context};
use rayon::prelude::*;

use crate::analysis::Results;
use crate::cohort::Cohort;
use crate::comparison::{BackboneComparison, HarmonisationComparison};
use crate::deep::NetworkFeatures;
use crate::images::{CohortFeatures, TimeIntensity};
use crate::robustness::Robustness;
use crate::scores::{ScoreInputs, Scores};
use crate::store::write_file;
use crate::study::Study;
use crate::table::CohortTable;
use crate::variables::quotients;
use checklist::Checklist;
pub use published::{PublishedCharacteristic, PublishedFigures, PublishedModel};
use table::ShownTable;
pub use table::Table;
pub use tables::summary;

/// Everything that a report is written from.
#[derive(Debug)]
pub struct Findings<'a> {
    /// The cohort.
    pub cohort: &'a Cohort,
    /// The cohort as a table.
    pub table: &'a CohortTable<'a>,
    /// Every variable that a model may hold, of all patients.
    pub variables: &'a FeatureTable,
    /// Features and crops.
    pub images: &'a CohortFeatures,
    /// Enhancement over time of one patient, where a dynamic series is there.
    pub time_intensity: Option<&'a TimeIntensity>,
    /// Fine-tuning and vectors.
    pub deep: &'a NetworkFeatures,
    /// Features offered to the selections.
    pub inputs: &'a ScoreInputs,
    /// Selections and scores.
    pub scores: &'a Scores,
    /// Tables, models, evaluation.
    pub results: &'a Results,
    /// Subgroups, other models, stability, sample size.
    pub robustness: &'a Robustness,
    /// With and without ComBat between scanners.
    pub harmonisation: &'a HarmonisationComparison,
    /// Other networks, where they were asked for.
    pub backbones: &'a [BackboneComparison],
    /// Figures of another study to stand beside those of the run.
    pub published: Option<&'a PublishedFigures>,
}

/// A figure of the page.
#[derive(Debug)]
struct Figure {
    caption: String,
    panels: Vec<figure::Panel>,
}

impl Study {
    /// Writes tables, models and the report to the output folder and returns the report's path. Files depend on inputs
    /// and settings alone; what the steps cost goes to `costs.json`.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn report(&self, findings: &Findings<'_>) -> Result<PathBuf> {
        let out = &self.settings.out;
        let folder = out.join("tables");
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        let mut tables = tables::all(self, findings)?;
        // Behind the patient flow.
        tables.splice(1..1, cohort_tables::all(self, findings.cohort));
        tables.extend(design_tables::all(self));
        for table in &tables {
            table.write(&folder)?;
        }
        let figures = figures::all(self, findings)?;
        let folder = out.join("figures");
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        let panels: Vec<&figure::Panel> = figures.iter().flat_map(|figure| &figure.panels).collect();
        panels.par_iter().try_for_each(|panel| write_panel(panel, &folder, self.settings.tiff))?;
        let checklists = checklist::all(findings)?;
        let folder = out.join("checklists");
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        checklists.iter().try_for_each(|checklist| checklist.table().write(&folder))?;
        let save = |name: &str, text: String| write_file(&out.join(name), text.as_bytes());
        save("integrated_model.json", findings.results.model.to_json()?)?;
        save("calculator.html", page_with(&findings.results.model, &quotients(&findings.results.model))?)?;
        save("radscore.json", findings.scores.radiomic.to_json()?)?;
        save("dlscore.json", findings.scores.deep.to_json()?)?;
        if let Some(missing) = &self.missing_values {
            save("missing_values.json", serde_json::to_string_pretty(missing)?)?;
        }
        if let Some(left_out) = &self.leave_one_centre_out {
            save("leave_one_centre_out.json", serde_json::to_string_pretty(left_out)?)?;
        }
        if !self.further_outcomes.is_empty() {
            save("further_outcomes.json", serde_json::to_string_pretty(&self.further_outcomes)?)?;
        }
        save("results.json", serde_json::to_string(findings.results)?)?;
        save("robustness.json", serde_json::to_string(findings.robustness)?)?;
        save("comparisons.json", serde_json::to_string(&(findings.harmonisation, findings.backbones))?)?;
        let parameters = serde_json::to_string_pretty(&methods::parameters(self, findings))?;
        save("parameters.json", parameters)?;
        save("costs.json", serde_json::to_string_pretty(&self.costs)?)?;
        write_file(&out.join("report.docx"), &word::document(self, findings, &tables, &figures, &checklists)?)?;
        let page = self.page(findings, &tables, figures, &checklists)?;
        let path = out.join("report.html");
        write_file(&path, page.as_bytes())?;
        Ok(path)
    }

    fn page(
        &self,
        findings: &Findings<'_>,
        tables: &[Table],
        figures: Vec<Figure>,
        checklists: &[Checklist],
    ) -> Result<String> {
        let mut environment = Environment::new();
        environment.set_auto_escape_callback(|_| AutoEscape::Html);
        environment.add_template("report", include_str!("report.html"))?;
        let figures: Vec<Value> = figures
            .into_iter()
            .map(|figure| {
                let files: Vec<String> = figure.panels.iter().map(|panel| panel.data.file().to_owned()).collect();
                let panels: Vec<Value> =
                    figure.panels.into_iter().map(|panel| Value::from_safe_string(panel.svg)).collect();
                context! { caption => figure.caption, files => files, panels => panels }
            })
            .collect();
        let shown: Vec<ShownTable<'_>> = tables.iter().filter_map(Table::shown).collect();
        let kinds = if self.settings.tiff { vec!["svg", "png", "tiff", "csv"] } else { vec!["svg", "png", "csv"] };
        let page = environment.get_template("report")?.render(context! {
            description => Value::from(Serde(&findings.cohort.description)),
            settings => Value::from(Serde(&self.settings)),
            picture_kinds => Value::from(Serde(kinds)),
            published => findings.published.is_some(),
            headline => Value::from(Serde(methods::headline(findings))),
            methods => Value::from(Serde(methods::paragraphs(self, findings)?)),
            limits => Value::from(Serde(methods::limits(self, findings))),
            checklists => Value::from(Serde(checklists)),
            selections => Value::from(Serde([&findings.scores.radiomic, &findings.scores.deep])),
            tables => Value::from(Serde(shown)),
            figures => figures,
        })?;
        Ok(page)
    }
}

/// A panel as SVG, PNG and CSV and, on request, as TIFF.
fn write_panel(panel: &figure::Panel, folder: &Path, as_tiff: bool) -> Result<()> {
    panel.data.write_values(folder)?;
    let name = panel.data.file();
    write_file(&folder.join(format!("{name}.svg")), panel.svg.as_bytes())?;
    let picture = raster::png(&panel.svg).with_context(|| format!("figure {name} as PNG"))?;
    write_file(&folder.join(format!("{name}.png")), &picture)?;
    if as_tiff {
        let picture = raster::tiff(&panel.svg).with_context(|| format!("figure {name} as TIFF"))?;
        write_file(&folder.join(format!("{name}.tiff")), &picture)?;
    }
    Ok(())
}
