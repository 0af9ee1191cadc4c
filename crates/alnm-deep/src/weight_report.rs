//! How well a set of weights fits a network.

use std::fmt;

/// A tensor whose shape in a file is not that in the network.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct WrongShape {
    /// Name of the tensor.
    pub name: String,
    /// Shape in the network.
    pub expected: Vec<usize>,
    /// Shape in the file.
    pub found: Vec<usize>,
}

/// What a network took of a set of weights, and the names of the tensors that do not fit it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct WeightReport {
    /// Names that the network has and the file lacks.
    pub missing: Vec<String>,
    /// Names that the file has and the network lacks.
    pub unexpected: Vec<String>,
    /// Tensors of another shape.
    pub wrong_shape: Vec<WrongShape>,
    /// Number of tensors that were taken.
    pub taken: usize,
    /// What stood before the network's names in the file, such as `module.` or `backbone.`.
    pub prefix: String,
    /// Names in the file outside of that prefix, which were left aside.
    pub ignored: Vec<String>,
    /// Names of the network's tensors that the file lacks, or has in another shape, and that kept their values, as was
    /// asked for.
    pub kept: Vec<String>,
}

impl WeightReport {
    /// Whether every tensor fits.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.missing.is_empty() && self.unexpected.is_empty() && self.wrong_shape.is_empty()
    }

    fn names(formatter: &mut fmt::Formatter<'_>, what: &str, names: &[String]) -> fmt::Result {
        let shown = names.iter().take(3).map(String::as_str).collect::<Vec<_>>().join(", ");
        let more = if names.len() > 3 { ", ..." } else { "" };
        match names.len() {
            0 => write!(formatter, "0 {what}"),
            count => write!(formatter, "{count} {what} ({shown}{more})"),
        }
    }
}

impl fmt::Display for WeightReport {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        Self::names(formatter, "missing", &self.missing)?;
        formatter.write_str(", ")?;
        Self::names(formatter, "unexpected", &self.unexpected)?;
        write!(formatter, ", {} of a wrong shape", self.wrong_shape.len())?;
        match self.wrong_shape.first() {
            Some(WrongShape { name, expected, found }) => {
                write!(formatter, " ({name}: expected {expected:?}, found {found:?})")
            }
            None => Ok(()),
        }
    }
}
