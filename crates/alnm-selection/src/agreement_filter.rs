//! Features that two or more readers agree on.

use alnm_stats::cells;
use alnm_stats::data_table::{Cell, Tabulate};
use alnm_stats::icc::{IccAnalysis, IccEstimation, IccForm, icc_of_features};
use serde::{Deserialize, Serialize};

use crate::FeatureTable;
use crate::error::{Result, SelectionError};

/// Rule of the filter: which intraclass correlation must exceed what.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct AgreementFilter {
    /// Form of the intraclass correlation; default ICC(2,1), absolute agreement of single readings.
    pub form: IccForm,
    /// Estimation of the variance components; default mean squares.
    pub estimation: IccEstimation,
    /// Features above this stay; default 0.75.
    pub above: f64,
}

impl Default for AgreementFilter {
    fn default() -> Self {
        Self { form: IccForm::Icc2, estimation: IccEstimation::Anova, above: 0.75 }
    }
}

/// Agreement on one feature.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FeatureAgreement {
    /// Name of the feature.
    pub feature: String,
    /// All six intraclass correlations.
    pub analysis: IccAnalysis,
    /// Whether the feature stays.
    pub reliable: bool,
}

impl AgreementFilter {
    /// Agreement of the readers on every feature. The tables hold the same patients in the same order; columns are
    /// matched by name. An undefined correlation (a feature without variation) does not stay.
    ///
    /// # Errors
    /// [`SelectionError::MissingColumn`], [`SelectionError::Parameter`] for fewer than two readers,
    /// [`SelectionError::Statistics`].
    pub fn assess(&self, readers: &[&FeatureTable]) -> Result<Vec<FeatureAgreement>> {
        let [first, others @ ..] = readers else {
            return Err(SelectionError::Parameter { name: "number of readers", range: "2 or more", value: 0.0 });
        };
        let aligned = others.iter().map(|t| t.select(first.names())).collect::<Result<Vec<_>>>()?;
        let views: Vec<_> = std::iter::once(first.values()).chain(aligned.iter().map(FeatureTable::values)).collect();
        let analyses = icc_of_features(&views, self.estimation, 0.95)?;
        Ok(first
            .names()
            .iter()
            .zip(analyses)
            .map(|(name, analysis)| FeatureAgreement {
                feature: name.clone(),
                reliable: analysis.form(self.form).estimate > self.above,
                analysis,
            })
            .collect())
    }

    /// Names of the features that stay.
    ///
    /// # Errors
    /// As [`AgreementFilter::assess`].
    pub fn reliable_features(&self, readers: &[&FeatureTable]) -> Result<Vec<String>> {
        Ok(self.assess(readers)?.into_iter().filter(|f| f.reliable).map(|f| f.feature).collect())
    }
}

impl Tabulate for FeatureAgreement {
    const COLUMNS: &'static [&'static str] = &["feature", "form", "ICC", "lower", "upper", "reliable"];

    fn rows(&self) -> Vec<Vec<Cell>> {
        IccForm::ALL
            .iter()
            .map(|form| {
                let icc = self.analysis.form(*form);
                cells![&self.feature, form.name(), icc.estimate, icc.interval.lower, icc.interval.upper, self.reliable]
            })
            .collect()
    }
}
