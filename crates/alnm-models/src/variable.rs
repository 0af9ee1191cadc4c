//! Variables with units, and measurements of them.

use crate::error::{ModelError, Result};

/// A variable with the unit that it is measured in.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Variable {
    /// Name of the column.
    pub name: String,
    /// Unit, for instance "cm"; empty without one.
    pub unit: String,
}

impl Variable {
    /// A variable with a unit, which is empty without one.
    #[must_use]
    pub fn new(name: &str, unit: &str) -> Self {
        Self { name: name.to_owned(), unit: unit.to_owned() }
    }

    /// Refuses another unit.
    pub(crate) fn require_unit(&self, given: &str) -> Result<()> {
        if given == self.unit {
            return Ok(());
        }
        Err(ModelError::Unit { variable: self.name.clone(), given: given.to_owned(), trained: self.unit.clone() })
    }
}

/// The value of a variable in one patient, with the unit that it was measured in.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Measurement {
    /// The variable.
    pub variable: Variable,
    /// The value, in the unit of the variable.
    pub value: f64,
}

impl Measurement {
    /// A measured value: `Measurement::new("MTD", "cm", 2.5)`.
    #[must_use]
    pub fn new(name: &str, unit: &str, value: f64) -> Self {
        Self { variable: Variable::new(name, unit), value }
    }
}
