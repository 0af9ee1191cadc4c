//! Conversion of parameters and results of the crates from and to dictionaries of their fields.

use pyo3::prelude::*;
use pyo3::types::PyDict;
use pythonize::{depythonize, pythonize};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::exception;

/// Parameters from a dictionary of their fields; a field that is missing in it has its default.
pub(crate) fn parameters<T: DeserializeOwned>(given: &Bound<'_, PyDict>) -> PyResult<T> {
    let read = |fields: &Bound<'_, PyDict>| depythonize::<T>(fields.as_any());
    read(given).map_err(|error| {
        // The error does not name the field that caused it. Each field is read alone to find the one that is refused.
        for (name, value) in given {
            let alone = PyDict::new(given.py());
            if alone.set_item(&name, &value).is_ok()
                && let Err(error) = read(&alone)
            {
                return exception(format_args!("{name} is {value}, which cannot be used: {error}"));
            }
        }
        exception(error)
    })
}

/// A result as a dictionary of its fields, or several results as a list of such dictionaries.
pub(crate) fn fields<T: Serialize + ?Sized>(py: Python<'_>, result: &T) -> PyResult<Py<PyAny>> {
    Ok(pythonize(py, result)?.unbind())
}
