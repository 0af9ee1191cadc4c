//! Errors of the crates as exceptions of Python.

use std::fmt;

use pyo3::exceptions::PyValueError;
use pyo3::{PyErr, create_exception};

create_exception!(
    alnm,
    AlnmError,
    PyValueError,
    "Input that cannot be worked with. The message says what it is and what would fix it."
);

/// The exception for an error of one of the crates.
pub(crate) fn exception(error: impl fmt::Display) -> PyErr {
    AlnmError::new_err(error.to_string())
}
