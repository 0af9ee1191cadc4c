//! Selection of features and the two scores, learned on the training centre.

use alnm_selection::agreement_filter::FeatureAgreement;
use alnm_selection::correlation_filter::{CorrelationFilterParams, CorrelationRule};
use alnm_selection::folds::FoldOrder;
use alnm_selection::mrmr::{ContinuousCorrelation, MrmrParams, MrmrVariant};
use alnm_selection::univariate::UnivariateParams;
use alnm_selection::{FeatureTable, FittedPipeline, Labels, Pipeline, SelectionError, Signature, Step};
use anyhow::{Context, Result, bail, ensure};

use crate::cohort::Cohort;
use crate::deep::NetworkFeatures;
use crate::images::CohortFeatures;
use crate::study::Study;
use crate::table::CohortTable;
use crate::variables::{DL_SCORE, RAD_SCORE};

/// |r| above which one of two features goes.
pub const CORRELATION_CUTOFF: f64 = 0.60;
/// Features that mRMR hands to the LASSO at most.
pub const MRMR_FEATURES: usize = 20;

/// Features of the two kinds with the selections to be fitted to them.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ScoreInputs {
    /// Radiomic features of all patients.
    pub radiomic: FeatureTable,
    /// Deep features of all patients.
    pub deep: FeatureTable,
    /// Selection of the radiomic features.
    pub radiomic_pipeline: Pipeline,
    /// Selection of the deep features.
    pub deep_pipeline: Pipeline,
    /// Agreement of two readers, feature by feature, where two outlined the same patients.
    pub agreement: Option<Vec<FeatureAgreement>>,
}

/// The fitted selections.
#[derive(Debug)]
#[non_exhaustive]
pub struct Scores {
    /// Of the radiomic features.
    pub radiomic: FittedPipeline,
    /// Of the deep features.
    pub deep: FittedPipeline,
}

impl Scores {
    /// Both scores of every row as columns.
    ///
    /// # Errors
    /// When a selected feature is missing.
    pub fn table(&self, radiomic: &FeatureTable, deep: &FeatureTable) -> Result<FeatureTable> {
        let columns =
            vec![(RAD_SCORE.to_owned(), self.radiomic.score(radiomic)?), (DL_SCORE.to_owned(), self.deep.score(deep)?)];
        Ok(FeatureTable::from_columns(columns)?)
    }

    /// Both scores of all patients whose features the selections were offered.
    ///
    /// # Errors
    /// When a selected feature is missing.
    pub fn of(&self, inputs: &ScoreInputs) -> Result<FeatureTable> {
        self.table(&inputs.radiomic, &inputs.deep)
    }
}

/// The study's selection: zero variance, t or Mann-Whitney test, |r| > 0.60, mRMR, LASSO with ten-fold
/// cross-validation.
///
/// The source does not say which mRMR; that of the R package mRMRe (continuous mutual information from Pearson's r) is
/// taken.
fn selection(score: &str, seed: u64) -> Pipeline {
    let variant = MrmrVariant::ContinuousMutualInformation { correlation: ContinuousCorrelation::Pearson };
    Pipeline::new(score)
        .then(Step::ZeroVariance)
        .then(Step::Univariate(UnivariateParams::default()))
        .then(Step::CorrelationFilter(
            CorrelationFilterParams::default().with_cutoff(CORRELATION_CUTOFF).with_rule(CorrelationRule::Ranked),
        ))
        .then(Step::Mrmr(MrmrParams::new(variant, MRMR_FEATURES)))
        .then(Step::lasso(FoldOrder::Shuffled { seed }))
}

impl ScoreInputs {
    /// Both feature tables, the radiomic one cut to the features that two readers agree on (ICC > 0.75) and, where the
    /// cohort names a table of reliable features, to those of it.
    ///
    /// The agreement is computed from both readers' outlines of training patients and looks at no outcome.
    ///
    /// # Errors
    /// When no feature is reliable, or the table lacks one.
    pub fn new(images: &CohortFeatures, deep: &NetworkFeatures, seed: u64) -> Result<Self> {
        let inputs = Self::of_one_reader(images, deep, seed)?;
        let Some(agreement) = images.agreement()? else { return Ok(inputs) };
        let of_table = inputs.radiomic.names();
        let is_kept = |found: &&FeatureAgreement| found.reliable && of_table.contains(&found.feature);
        let kept: Vec<String> = agreement.iter().filter(is_kept).map(|found| found.feature.clone()).collect();
        ensure!(!kept.is_empty(), "no radiomic feature has an ICC above 0.75 between the two readers");
        Ok(Self { radiomic: inputs.radiomic.select(&kept)?, agreement: Some(agreement), ..inputs })
    }

    /// Both feature tables for learning from other rows than those of the training centre: radiomic features that are
    /// defined for all of these rows and, where the training centre's patients are among them, that two readers agree
    /// on.
    ///
    /// # Errors
    /// When no feature is left.
    pub(crate) fn learned_on(
        rows: &[usize],
        table: &CohortTable<'_>,
        images: &CohortFeatures,
        deep: &NetworkFeatures,
        seed: u64,
    ) -> Result<Self> {
        // The patients whom two readers outlined are all of the training centre.
        let has_readers = table.training().iter().all(|row| rows.contains(row));
        let inputs =
            if has_readers { Self::new(images, deep, seed)? } else { Self::of_one_reader(images, deep, seed)? };
        let values = inputs.radiomic.values();
        let is_defined = |column: &usize| rows.iter().all(|&row| values[[row, *column]].is_finite());
        let defined: Vec<usize> = (0..inputs.radiomic.columns()).filter(is_defined).collect();
        ensure!(!defined.is_empty(), "no radiomic feature is defined for all of {} patients", rows.len());
        Ok(Self { radiomic: inputs.radiomic.select_columns(&defined), ..inputs })
    }

    /// Both feature tables, whatever two readers of the cohort say.
    fn of_one_reader(images: &CohortFeatures, deep: &NetworkFeatures, seed: u64) -> Result<Self> {
        let radiomic = match &images.reliability {
            Some(table) => images.features.select(&table.kept(images.features.names())?)?,
            None => images.features.clone(),
        };
        Ok(Self {
            radiomic,
            deep: deep.table()?,
            radiomic_pipeline: selection(RAD_SCORE, seed),
            deep_pipeline: selection(DL_SCORE, seed),
            agreement: None,
        })
    }

    /// Fits both selections to the given rows and nothing else.
    ///
    /// # Errors
    /// When a selection leaves no feature.
    pub fn fit(&self, rows: &[usize], labels: &Labels) -> Result<Scores> {
        let fit = |pipeline: &Pipeline, table: &FeatureTable| -> Result<FittedPipeline> {
            fit_selection(pipeline, table, rows, labels)?.with_context(|| {
                format!(
                    "no feature is left for the {}: the features carry too little in {} patients",
                    pipeline.score(),
                    rows.len()
                )
            })
        };
        Ok(Scores {
            radiomic: fit(&self.radiomic_pipeline, &self.radiomic)?,
            deep: fit(&self.deep_pipeline, &self.deep)?,
        })
    }

    /// Both scores of all patients by selections fitted to the given rows. A selection that finds nothing there, as in
    /// outcomes of chance, gives everyone the score 0, from which a model learns nothing.
    ///
    /// # Errors
    /// What a selection goes wrong with otherwise.
    pub fn fitted_scores(&self, rows: &[usize], labels: &Labels) -> Result<FeatureTable> {
        let score = |pipeline: &Pipeline, table: &FeatureTable| -> Result<(String, Vec<f64>)> {
            let values = match fit_selection(pipeline, table, rows, labels)? {
                Some(fitted) => fitted.score(table)?,
                None => vec![0.0; table.rows()],
            };
            Ok((pipeline.score().to_owned(), values))
        };
        let columns = vec![score(&self.radiomic_pipeline, &self.radiomic)?, score(&self.deep_pipeline, &self.deep)?];
        Ok(FeatureTable::from_columns(columns)?)
    }
}

/// A selection fitted to some rows; `None` when it leaves no feature.
fn fit_selection(
    pipeline: &Pipeline,
    table: &FeatureTable,
    rows: &[usize],
    labels: &Labels,
) -> Result<Option<FittedPipeline>> {
    match pipeline.fit(&table.select_rows(rows), labels) {
        Ok(fitted) if fitted.signature().is_none_or(|signature| signature.weights().is_empty()) => Ok(None),
        Err(SelectionError::NothingLeft { .. }) => Ok(None),
        other => Ok(Some(other.with_context(|| format!("selection for the {}", pipeline.score()))?)),
    }
}

/// Refuses patients for whom a feature of the score is undefined. Training patients have all features that a selection
/// is offered.
fn check_defined(fitted: &FittedPipeline, features: &FeatureTable, cohort: &Cohort) -> Result<()> {
    for weight in fitted.signature().into_iter().flat_map(Signature::weights) {
        let column = features.column(&weight.feature)?;
        if let Some(row) = column.iter().position(|value| !value.is_finite()) {
            bail!(
                "patient {}: the feature {} of the {} is undefined for this lesion; correct the outline, or leave the patient out",
                cohort.patients[row].id,
                weight.feature,
                fitted.pipeline().score()
            );
        }
    }
    Ok(())
}

impl Study {
    /// RadScore and DLScore, selected and fitted on the training centre.
    ///
    /// # Errors
    /// When a selection leaves no feature.
    pub fn scores(&mut self, table: &CohortTable<'_>, inputs: &ScoreInputs) -> Result<Scores> {
        self.progress().check_interrupt()?;
        let step = self.progress().begin("selection and scores", 1);
        let scores = inputs.fit(table.training(), &table.training_labels())?;
        check_defined(&scores.radiomic, &inputs.radiomic, table.cohort())?;
        step.advance();
        step.finish(&mut self.costs);
        Ok(scores)
    }
}
