//! Work on a pool of threads, without Python's lock, that Ctrl-C can end.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::error::exception;

/// How often Python is asked whether Ctrl-C was pressed.
const SIGNAL_CHECK: Duration = Duration::from_millis(50);

/// The number of threads that [`set_threads`] asked for; 0 for one per core.
static WANTED: AtomicUsize = AtomicUsize::new(0);

/// The pool of the last call, with the process that it belongs to: after a fork its threads are gone.
static POOL: Mutex<Option<Pool>> = Mutex::new(None);

struct Pool {
    process: u32,
    threads: usize,
    pool: Arc<ThreadPool>,
}

/// Whether Ctrl-C was pressed since the work began.
#[derive(Debug, Default)]
pub(crate) struct Interruption(AtomicBool);

impl Interruption {
    /// Whether the work should end.
    pub(crate) fn is_asked_for(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Sets how many threads calls use that do not say so themselves; 0 for one per core. Results do not depend on it.
#[pyfunction]
pub(crate) fn set_threads(count: usize) {
    WANTED.store(count, Ordering::Relaxed);
}

/// How many threads calls use that do not say so themselves.
#[pyfunction]
pub(crate) fn threads() -> PyResult<usize> {
    Ok(pool(None)?.current_num_threads())
}

fn pool(threads: Option<usize>) -> PyResult<Arc<ThreadPool>> {
    const MOST: usize = 1024;
    let threads = threads.unwrap_or_else(|| WANTED.load(Ordering::Relaxed));
    if threads > MOST {
        return Err(PyValueError::new_err(format!(
            "threads is {threads}; it must be at most {MOST}, or 0 for one per core"
        )));
    }
    let process = std::process::id();
    let mut kept = POOL.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(other) = kept.take() {
        if other.process == process && other.threads == threads {
            let pool = Arc::clone(&other.pool);
            *kept = Some(other);
            return Ok(pool);
        }
        if other.process != process {
            // Its threads live in another process, so there is nothing here that could be ended.
            std::mem::forget(other);
        }
    }
    let built = ThreadPoolBuilder::new().num_threads(threads).thread_name(|number| format!("alnm-{number}")).build();
    let pool = Arc::new(built.map_err(|error| PyRuntimeError::new_err(format!("threads cannot be started: {error}")))?);
    *kept = Some(Pool { process, threads, pool: Arc::clone(&pool) });
    Ok(pool)
}

/// Runs `work` on a pool of threads without Python's lock. While it runs, signals are looked for: after Ctrl-C the work is
/// told, and when it has ended `KeyboardInterrupt` is raised.
pub(crate) fn run<T, E>(
    py: Python<'_>,
    threads: Option<usize>,
    work: impl FnOnce(&Interruption) -> Result<T, E> + Send,
) -> PyResult<T>
where
    T: Send,
    E: std::fmt::Display + Send,
{
    let pool = pool(threads)?;
    let interruption = Interruption::default();
    let (outcome, signal) = py.detach(|| {
        // This thread looks after signals, and the work is done by those of the pool.
        pool.in_place_scope(|scope| {
            let (sender, receiver) = mpsc::channel();
            let interruption = &interruption;
            scope.spawn(move |_| {
                let outcome = catch_unwind(AssertUnwindSafe(|| work(interruption)));
                // The receiver waits until this is sent.
                let _ = sender.send(outcome);
            });
            let mut signal = None;
            loop {
                match receiver.recv_timeout(SIGNAL_CHECK) {
                    Ok(outcome) => return (Some(outcome), signal),
                    Err(RecvTimeoutError::Disconnected) => return (None, signal),
                    Err(RecvTimeoutError::Timeout) if signal.is_none() => {
                        if let Err(raised) = check_signals() {
                            interruption.0.store(true, Ordering::Relaxed);
                            signal = Some(raised);
                        }
                    }
                    Err(RecvTimeoutError::Timeout) => {}
                }
            }
        })
    });
    if let Some(raised) = signal {
        return Err(raised);
    }
    match outcome {
        Some(Ok(Ok(value))) => Ok(value),
        Some(Ok(Err(error))) => Err(exception(error)),
        Some(Err(panic)) => Err(fault(panic.as_ref())),
        None => Err(PyRuntimeError::new_err("the work ended without a result; please report this")),
    }
}

/// Runs Python's handlers of signals that have come: that of Ctrl-C raises `KeyboardInterrupt`.
#[expect(
    clippy::redundant_closure_for_method_calls,
    reason = "the method itself is not general enough in its lifetime"
)]
fn check_signals() -> PyResult<()> {
    Python::attach(|py| py.check_signals())
}

/// The exception for a fault of the program.
fn fault(panic: &(dyn Any + Send)) -> PyErr {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    PyRuntimeError::new_err(format!("a fault of the program, please report it: {}", text.unwrap_or("no details")))
}
