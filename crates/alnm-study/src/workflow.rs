//! A study from its cohort folder to its report, step by step.

use std::path::PathBuf;

use anyhow::Result;

use crate::analysis::FoldInputs;
use crate::bundling::BundleSources;
use crate::deep::NetworkFeatures;
use crate::images::TimeIntensity;
use crate::report::{Findings, PublishedFigures, summary};
use crate::scores::ScoreInputs;
use crate::study::Study;
use crate::table::CohortTable;

/// What a finished study left behind.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FinishedStudy {
    /// The page of the report.
    pub report: PathBuf,
    /// The bundle for new patients.
    pub bundle: PathBuf,
    /// Table 3 as lines for a terminal.
    pub summary: Vec<String>,
}

impl Study {
    /// Runs every step on the cohort folder. What is finished is kept in the output folder; the same call takes up an
    /// interrupted run.
    ///
    /// # Errors
    /// [`CohortProblems`](crate::cohort::CohortProblems) for a cohort folder that is not in order,
    /// [`Interrupted`](crate::Interrupted), and what a step goes wrong with.
    pub fn run(&mut self, published: Option<&PublishedFigures>) -> Result<FinishedStudy> {
        let cohort = self.cohort()?;
        self.claim_output()?;
        let (cohort, images) = self.images(cohort)?;
        let table = CohortTable::new(&cohort)?;
        let deep = self.deep_features(&table, &images)?;
        let inputs = ScoreInputs::new(&images, &deep, self.settings.seed)?;
        let scores = self.scores(&table, &inputs)?;
        let variables = table.with_scores(&scores.of(&inputs)?)?;
        let fold_networks = self.fold_networks(&table, &images)?;
        let fold_tables = fold_networks.as_deref().map(NetworkFeatures::tables).transpose()?;
        let fold_inputs = FoldInputs::new(&inputs, fold_tables.as_deref());
        let results = self.analysis(&table, &variables, &fold_inputs)?;
        self.leave_one_centre_out(&table, &images, &deep, &results)?;
        self.check_leaks(&cohort, &images, &deep, fold_networks.as_deref())?;
        let robustness = self.robustness(&table, &variables, &inputs, &scores, &results)?;
        let harmonisation = self.harmonisation(&table, &inputs, &fold_inputs)?;
        let backbones = self.backbones(&table, &images, &inputs, &deep)?;
        let bundle = self.bundle(&BundleSources {
            table: &table,
            images: &images,
            deep: &deep,
            inputs: &inputs,
            scores: &scores,
            results: &results,
        })?;
        let time_intensity = TimeIntensity::of(&cohort)?;
        let report = self.report(&Findings {
            cohort: &cohort,
            table: &table,
            variables: &variables,
            images: &images,
            time_intensity: time_intensity.as_ref(),
            deep: &deep,
            inputs: &inputs,
            scores: &scores,
            results: &results,
            robustness: &robustness,
            harmonisation: &harmonisation,
            backbones: &backbones,
            published,
        })?;
        Ok(FinishedStudy { report, bundle, summary: summary(&results, published) })
    }
}
