//! Observers of long work: functions of Python that are called after each step.

use std::ops::ControlFlow;

use pyo3::call::PyCallArgs;
use pyo3::prelude::*;

use crate::threads::Interruption;

/// A function of Python that is called after each step. An exception that it raises ends the work, as Ctrl-C does.
pub(crate) struct Observer {
    function: Option<Py<PyAny>>,
    raised: Option<PyErr>,
}

impl Observer {
    /// An observer that calls a function, or none.
    pub(crate) fn new(function: Option<Py<PyAny>>) -> Self {
        Self { function, raised: None }
    }

    /// Calls the function with a step, and returns whether the work goes on.
    pub(crate) fn tell(&mut self, interruption: &Interruption, step: impl for<'py> PyCallArgs<'py>) -> ControlFlow<()> {
        if let Some(function) = &self.function {
            self.raised = Python::attach(|py| function.call1(py, step).map(drop)).err();
        }
        let stop = self.raised.is_some() || interruption.is_asked_for();
        if stop { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    /// The outcome of the work, or the exception that the function raised.
    pub(crate) fn outcome<T>(self, outcome: PyResult<T>) -> PyResult<T> {
        match self.raised {
            Some(raised) => Err(raised),
            None => outcome,
        }
    }
}
