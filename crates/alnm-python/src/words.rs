//! Arguments that are one of several words.

use pyo3::PyResult;

use crate::error::exception;

/// The choice for which a word stands; an unknown word is an error that lists all of them.
pub(crate) fn word<T: Clone>(what: &str, given: &str, known: &[(&str, T)]) -> PyResult<T> {
    known.iter().find(|(name, _)| *name == given).map(|(_, value)| value.clone()).ok_or_else(|| {
        let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
        exception(format_args!("{what} is {given}; it must be one of {}", names.join(", ")))
    })
}
