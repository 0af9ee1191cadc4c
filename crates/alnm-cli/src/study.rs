//! `alnm study`: a cohort folder run to its report and its bundle.

use std::path::PathBuf;

use alnm_study::cohort::{check_lines, write_template};
use alnm_study::{Study, StudyOptions};
use anyhow::Result;

use crate::bundle::progress;
use crate::defaults::Defaults;
use crate::messages::{inform, warn};
use crate::output::{Overwriting, print, refuse_stream};

/// Run a study: from a cohort folder to scores, models, their evaluation, a report and a bundle for new patients.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  alnm study --template my_cohort           an empty cohort folder to fill in
  alnm study my_cohort --check              everything that is wrong with it, at once
  alnm study my_cohort --out out --weights resnet50.safetensors

Finished work is kept in the output folder; the same command takes up an interrupted run. Results of other settings are not overwritten:
--force replaces a quality sheet alone.
Research software, not a medical device.")]
pub(crate) struct StudyCommand {
    /// Cohort folder: cohort.toml, patients.csv, images, masks.
    #[arg(required_unless_present = "template")]
    cohort: Option<PathBuf>,
    /// Only check the cohort folder: its description, its table, every image and mask. Nothing is written.
    #[arg(long, requires = "cohort")]
    check: bool,
    /// With --check, write a page of the cohort to leaf through: each patient's slice with outline, curve, volume,
    /// signal over noise, N4 field and shift between phases, those first who stand out.
    #[arg(long, value_name = "FILE", requires = "check")]
    quality_sheet: Option<PathBuf>,
    /// Write an empty cohort folder to fill in: a commented cohort.toml, patients.csv, and what its columns hold.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["cohort", "out"])]
    template: Option<PathBuf>,
    /// Folder for results and finished steps.
    #[arg(long, value_name = "DIR", required_unless_present_any = ["check", "template"])]
    out: Option<PathBuf>,
    #[command(flatten)]
    run: StudyOptions,
    #[command(flatten)]
    overwriting: Overwriting,
}

impl StudyCommand {
    pub(crate) fn run(self) -> Result<()> {
        if let Some(folder) = &self.template {
            write_template(folder)?;
            return print(&format!(
                "{} is ready to be filled in; check it with alnm study {0} --check\n",
                folder.display()
            ));
        }
        if let Some(path) = &self.quality_sheet {
            refuse_stream(path, "page")?;
            self.overwriting.check_files([path.as_path()])?;
        }
        if let Some(threads) = self.run.threads.or(Defaults::of_user().threads.map(u64::from)) {
            rayon::ThreadPoolBuilder::new().num_threads(threads as usize).build_global()?;
        }
        let settings = self.run.settings(self.cohort, self.out.unwrap_or_default());
        let mut study = Study::new(settings).with_progress(progress());
        if self.check {
            let cohort = study.checked_cohort()?;
            let lines = check_lines(&cohort, &study.acquisitions);
            print(&lines.iter().map(|line| format!("{line}\n")).collect::<String>())?;
            if let Some(path) = &self.quality_sheet {
                study.quality_sheet(&cohort, path)?;
                inform(format_args!("quality sheet: {}", path.display()));
            }
            return Ok(());
        }
        if study.settings.weights.is_none() {
            warn("no weights were named: the network starts from a seeded random initialisation, not from ImageNet");
        }
        let finished = study.run(None)?;
        let lines: String = finished.summary.iter().map(|line| format!("{line}\n")).collect();
        let (report, bundle) = (finished.report.display(), finished.bundle.display());
        print(&format!("\n{lines}\nReport: {report}\nBundle for new patients: {bundle}\n"))
    }
}
