//! Work on a pool of threads while the global interpreter lock is released, which Ctrl-C can end.

use std::any::Any;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::error::{AlnmError, exception};

/// The interval at which Python is asked whether Ctrl-C was pressed.
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

/// A flag that is set when Ctrl-C is pressed while work is running.
#[derive(Debug, Default)]
pub(crate) struct Interruption(AtomicBool);

impl Interruption {
    /// Whether the work should end.
    pub(crate) fn is_asked_for(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// What an observer answers: whether the work goes on.
    pub(crate) fn answer(&self) -> ControlFlow<()> {
        if self.is_asked_for() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

/// Set the number of threads of calls whose argument `threads` is `None`.
///
/// The number, `count`, is from 0 to 1024; 0, which holds until this function is called, stands for one thread per
/// processor core. A larger number is refused. Results do not depend on the number of threads.
#[pyfunction]
pub(crate) fn set_threads(count: usize) -> PyResult<()> {
    WANTED.store(checked(count)?, Ordering::Relaxed);
    Ok(())
}

/// A number of threads, where it is not too large.
fn checked(threads: usize) -> PyResult<usize> {
    const MOST: usize = 1024;
    if threads > MOST {
        return Err(AlnmError::new_err(format!(
            "threads is {threads}; it must be at most {MOST}, or 0 for one per core"
        )));
    }
    Ok(threads)
}

/// The number of threads of calls whose argument `threads` is `None`.
#[pyfunction]
pub(crate) fn threads() -> PyResult<usize> {
    Ok(pool(None)?.current_num_threads())
}

fn pool(threads: Option<usize>) -> PyResult<Arc<ThreadPool>> {
    let threads = checked(threads.unwrap_or_else(|| WANTED.load(Ordering::Relaxed)))?;
    let process = std::process::id();
    let mut kept = POOL.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(other) = kept.take() {
        if other.process == process && other.threads == threads {
            let pool = Arc::clone(&other.pool);
            *kept = Some(other);
            return Ok(pool);
        }
        if other.process != process {
            // Its threads exist only in the parent process, so there is nothing here that could be ended.
            std::mem::forget(other);
        }
    }
    let built = ThreadPoolBuilder::new().num_threads(threads).thread_name(|number| format!("alnm-{number}")).build();
    let pool = Arc::new(built.map_err(|error| PyRuntimeError::new_err(format!("threads cannot be started: {error}")))?);
    *kept = Some(Pool { process, threads, pool: Arc::clone(&pool) });
    Ok(pool)
}

/// Runs `work` on a pool of threads while the global interpreter lock is released. Meanwhile the calling thread checks
/// for signals: after Ctrl-C the work is notified, and `KeyboardInterrupt` is raised when it has ended.
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
        // This thread checks for signals, and the threads of the pool do the work.
        pool.in_place_scope(|scope| {
            let (sender, receiver) = mpsc::channel();
            let interruption = &interruption;
            scope.spawn(move |_| {
                let outcome = catch_unwind(AssertUnwindSafe(|| work(interruption)));
                // The receiver waits for this message, so that sending cannot fail.
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

/// Runs Python's handlers of signals that have arrived: that of Ctrl-C raises `KeyboardInterrupt`.
#[expect(
    clippy::redundant_closure_for_method_calls,
    reason = "the method itself is not general enough in its lifetime"
)]
fn check_signals() -> PyResult<()> {
    Python::attach(|py| py.check_signals())
}

/// The exception for a panic, which is a fault of the program.
fn fault(panic: &(dyn Any + Send)) -> PyErr {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    PyRuntimeError::new_err(format!("a fault of the program, please report it: {}", text.unwrap_or("no details")))
}
