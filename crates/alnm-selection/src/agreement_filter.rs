//! Selection of features on which two or more readers agree.

use alnm_stats::cells;
use alnm_stats::data_table::{Cell, Tabulate};
use alnm_stats::icc::icc_of_features;
pub use alnm_stats::icc::{IccAnalysis, IccEstimation, IccForm};

use crate::FeatureTable;
use crate::error::{Result, SelectionError};

/// The intraclass correlation that a reliable feature must exceed; [`AgreementParams::check`] gives the
/// [`AgreementFilter`].
///
/// | field | default | meaning | range |
/// |---|---|---|---|
/// | `form` | ICC(2,1) | form of the intraclass correlation: absolute agreement of single readings by default | |
/// | `estimation` | mean squares | estimation of the variance components | |
/// | `above` | 0.75 | features with a larger intraclass correlation stay | [−1, 1] |
///
/// ```
/// use alnm_selection::FeatureTable;
/// use alnm_selection::agreement_filter::AgreementParams;
/// use ndarray::array;
/// let names = || vec!["size".to_owned(), "edge".to_owned()];
/// let first = FeatureTable::new(names(), array![[1.0, 5.0], [2.0, 1.0], [3.0, 4.0], [4.0, 2.0]])?;
/// let second = FeatureTable::new(names(), array![[1.1, 1.0], [2.1, 4.0], [2.9, 2.0], [4.0, 5.0]])?;
/// let filter = AgreementParams::default().check()?;
/// assert_eq!(filter.reliable_features(&[&first, &second])?, ["size"]);
/// # Ok::<(), alnm_selection::SelectionError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
#[non_exhaustive]
#[must_use]
pub struct AgreementParams {
    /// Form of the intraclass correlation.
    pub form: IccForm,
    /// Estimation of the variance components.
    pub estimation: IccEstimation,
    /// Features with a larger intraclass correlation stay.
    pub above: f64,
}

impl Default for AgreementParams {
    fn default() -> Self {
        Self { form: IccForm::Icc2, estimation: IccEstimation::Anova, above: 0.75 }
    }
}

impl AgreementParams {
    /// Sets the form of the intraclass correlation.
    pub fn with_form(mut self, form: IccForm) -> Self {
        self.form = form;
        self
    }

    /// Sets how the variance components are estimated.
    pub fn with_estimation(mut self, estimation: IccEstimation) -> Self {
        self.estimation = estimation;
        self
    }

    /// Sets the intraclass correlation that a feature must exceed.
    pub fn with_above(mut self, above: f64) -> Self {
        self.above = above;
        self
    }

    /// The filter with these parameters.
    ///
    /// # Errors
    /// [`SelectionError::Parameter`] for a limit outside [−1, 1].
    pub fn check(self) -> Result<AgreementFilter> {
        if (-1.0..=1.0).contains(&self.above) {
            Ok(AgreementFilter { params: self })
        } else {
            let name = "intraclass correlation that features must exceed";
            Err(SelectionError::parameter(name, self.above, "at least -1 and at most 1"))
        }
    }
}

/// A filter by agreement with checked parameters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AgreementFilter {
    params: AgreementParams,
}

/// Agreement of the readers on one feature.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct FeatureAgreement {
    /// Name of the feature.
    pub feature: String,
    /// All six forms of the intraclass correlation.
    pub analysis: IccAnalysis,
    /// Whether the feature stays.
    pub reliable: bool,
}

impl AgreementFilter {
    /// The parameters.
    pub fn params(&self) -> &AgreementParams {
        &self.params
    }

    /// Agreement of the readers on every feature. The tables, one per reader, hold the same patients in the same order;
    /// columns are matched by name. A feature whose intraclass correlation is undefined, because it does not vary, is
    /// not reliable.
    ///
    /// # Errors
    /// [`SelectionError::Parameter`] for fewer than two readers, [`SelectionError::MissingColumn`] when a reader lacks
    /// a feature of the first one, [`SelectionError::Statistics`] when an intraclass correlation cannot be computed.
    pub fn assess(&self, readers: &[&FeatureTable]) -> Result<Vec<FeatureAgreement>> {
        let [first, others @ ..] = readers else {
            return Err(SelectionError::parameter("number of readers", 0_usize, "at least 2"));
        };
        if others.is_empty() {
            return Err(SelectionError::parameter("number of readers", 1_usize, "at least 2"));
        }
        let aligned = others.iter().map(|t| t.select(first.names())).collect::<Result<Vec<_>>>()?;
        let views: Vec<_> = std::iter::once(first.values()).chain(aligned.iter().map(FeatureTable::values)).collect();
        let analyses = icc_of_features(&views, self.params.estimation, 0.95)?;
        Ok(first
            .names()
            .iter()
            .zip(analyses)
            .map(|(name, analysis)| FeatureAgreement {
                feature: name.clone(),
                reliable: analysis.form(self.params.form).estimate > self.params.above,
                analysis,
            })
            .collect())
    }

    /// Names of the reliable features, in the order of the first reader's columns.
    ///
    /// # Errors
    /// As [`AgreementFilter::assess`].
    pub fn reliable_features(&self, readers: &[&FeatureTable]) -> Result<Vec<String>> {
        Ok(self.assess(readers)?.into_iter().filter(|f| f.reliable).map(|f| f.feature).collect())
    }
}

impl FeatureAgreement {
    /// The row of one form in the table that [`Tabulate`] lays out with all six.
    #[must_use]
    pub fn row(&self, form: IccForm) -> Vec<Cell> {
        let icc = self.analysis.form(form);
        cells![&self.feature, form.name(), icc.estimate, icc.interval.lower, icc.interval.upper, self.reliable]
    }
}

impl Tabulate for FeatureAgreement {
    const COLUMNS: &'static [&'static str] = &["feature", "form", "ICC", "lower", "upper", "reliable"];

    fn rows(&self) -> Vec<Vec<Cell>> {
        IccForm::ALL.iter().map(|form| self.row(*form)).collect()
    }
}
