//! What the study leaves behind: CSV tables, JSON models and a self-contained HTML page.

pub mod figure;
mod figures;
mod forest;
mod heat_map;
mod markup;
mod nomogram;
mod swarm;
mod tables;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, Value, context};

use crate::cohort::Cohort;
use crate::store::write_atomically;
use crate::study::Study;
use crate::study::analysis::Results;
use crate::study::comparison::{BackboneComparison, HarmonisationComparison};
use crate::study::deep::DeepFeatures;
use crate::study::images::{CohortImages, TimeIntensity};
use crate::study::robustness::Robustness;
use crate::study::scores::{ScoreInputs, Scores};

pub use tables::{Table, summary};

/// Everything that a report is written from.
pub struct Findings<'a> {
    /// The cohort.
    pub cohort: &'a Cohort,
    /// Features and crops.
    pub images: &'a CohortImages,
    /// Enhancement over time of one patient, where a dynamic series is there.
    pub time_intensity: Option<&'a TimeIntensity>,
    /// Fine-tuning and vectors.
    pub deep: &'a DeepFeatures,
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
}

/// A figure of the page.
#[derive(Debug)]
struct Figure {
    caption: String,
    panels: Vec<figure::Panel>,
}

impl Study {
    /// Writes tables, models and the report to the output folder and returns the report's path. Files depend on inputs and settings
    /// alone; what the steps cost goes to `costs.json`.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn report(&self, findings: &Findings<'_>) -> Result<PathBuf> {
        let out = &self.settings.out;
        let folder = out.join("tables");
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        let tables = tables::all(findings)?;
        for table in &tables {
            table.write(&folder)?;
        }
        let figures = figures::all(findings)?;
        let folder = out.join("figures");
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        for panel in figures.iter().flat_map(|figure| &figure.panels) {
            panel.data.write(&folder)?;
            write_atomically(&folder.join(format!("{}.svg", panel.data.file)), panel.svg.as_bytes())?;
        }
        let save = |name: &str, text: String| write_atomically(&out.join(name), text.as_bytes());
        save("integrated_model.json", findings.results.model.to_json()?)?;
        save("calculator.html", alnm_cli::calculator::page(&findings.results.model)?)?;
        save("radscore.json", findings.scores.radiomic.to_json()?)?;
        save("dlscore.json", findings.scores.deep.to_json()?)?;
        save("results.json", serde_json::to_string(findings.results)?)?;
        save("robustness.json", serde_json::to_string(findings.robustness)?)?;
        save("comparisons.json", serde_json::to_string(&(findings.harmonisation, findings.backbones))?)?;
        save("costs.json", serde_json::to_string_pretty(&self.costs)?)?;
        let page = self.page(findings, &tables, figures)?;
        let path = out.join("report.html");
        write_atomically(&path, page.as_bytes())?;
        Ok(path)
    }

    fn page(&self, findings: &Findings<'_>, tables: &[Table], figures: Vec<Figure>) -> Result<String> {
        let mut environment = Environment::new();
        environment.set_auto_escape_callback(|_| AutoEscape::Html);
        environment.add_template("report", include_str!("report.html"))?;
        let figures: Vec<Value> = figures
            .into_iter()
            .map(|figure| {
                let panels: Vec<Value> = figure.panels.into_iter().map(|panel| Value::from_safe_string(panel.svg)).collect();
                context! { caption => figure.caption, panels => panels }
            })
            .collect();
        let shown: Vec<&Table> = tables.iter().filter(|table| table.on_page).collect();
        let agreement = findings.inputs.agreement.as_ref();
        let reliable = agreement.map(|all| (all.iter().filter(|feature| feature.reliable).count(), all.len()));
        let page = environment.get_template("report")?.render(context! {
            version => env!("CARGO_PKG_VERSION"),
            description => Value::from(Serde(&findings.cohort.description)),
            training => findings.cohort.training().len(),
            validation => findings.cohort.validation().len(),
            settings => Value::from(Serde(&self.settings)),
            backbone => self.settings.backbone_size.backbone().name(),
            side => self.settings.backbone_size.side(),
            weights => self.settings.weights.as_deref().map(file_name),
            reliable => Value::from(Serde(reliable)),
            harmonisation => findings.harmonisation.remark.as_str(),
            undefined => Value::from(Serde(&findings.images.undefined)),
            selections => Value::from(Serde([&findings.scores.radiomic, &findings.scores.deep])),
            tables => Value::from(Serde(shown)),
            figures => figures,
        })?;
        Ok(page)
    }
}

fn file_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}
