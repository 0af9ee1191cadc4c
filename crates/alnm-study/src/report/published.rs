//! Figures of another study that stand beside those of a run.

/// A row of a published Table 1.
#[derive(Debug, Clone, Copy)]
pub struct PublishedCharacteristic {
    /// Name of the variable.
    pub variable: &'static str,
    /// Patients without the outcome.
    pub negative: &'static str,
    /// Patients with the outcome.
    pub positive: &'static str,
    /// p value.
    pub p: &'static str,
}

/// A row of a published Table 3.
#[derive(Debug, Clone, Copy)]
pub struct PublishedModel {
    /// Name of the model.
    pub model: &'static str,
    /// AUC, cutoff, sensitivity, specificity, accuracy, F1, Brier score in the training cohort.
    pub training: [f64; 7],
    /// The same in the external validation cohort.
    pub validation: [f64; 7],
}

/// Figures of a published study with one validation centre.
#[derive(Debug, Clone, Copy)]
pub struct PublishedFigures {
    /// Table 1.
    pub table_one: &'static [PublishedCharacteristic],
    /// Table 3.
    pub table_three: &'static [PublishedModel],
}

impl PublishedFigures {
    pub(super) fn characteristic(&self, variable: &str) -> Option<&'static PublishedCharacteristic> {
        self.table_one.iter().find(|published| published.variable == variable)
    }

    pub(super) fn model(&self, model: &str) -> Option<&'static PublishedModel> {
        self.table_three.iter().find(|published| published.model == model)
    }
}
