//! Progress of a run: its steps, how far they are, and what each cost. A run can be stopped between two pieces of a
//! step.

mod log;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use serde::Serialize;

pub use log::{LogStyle, ProgressLog};

/// An event of a run.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum StudyEvent<'a> {
    /// A step begins.
    Begun {
        /// Name of the step.
        step: &'a str,
        /// Its pieces: patients, folds, batches; 0 where their number is not known yet.
        pieces: usize,
    },
    /// Pieces of a step are done.
    Advanced {
        /// Name of the step.
        step: &'a str,
        /// Pieces that are done.
        done: usize,
        /// All pieces.
        pieces: usize,
    },
    /// A step is done.
    Finished(&'a StepCost),
}

/// Observes a run, and may stop it. The threads of a step call it in parallel.
pub trait StudyObserver: Send + Sync {
    /// Hears what happens.
    fn hear(&self, event: StudyEvent<'_>);

    /// Whether the run is to stop at the next safe point; finished work is kept.
    fn is_interrupted(&self) -> bool {
        false
    }
}

/// The work was stopped by its observer; what is finished is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("interrupted; the same command continues from here")]
pub struct Interrupted;

/// What a step cost.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct StepCost {
    /// Name of the step.
    pub step: String,
    /// Wall time in seconds.
    pub seconds: f64,
    /// Largest resident memory of the process so far in MiB, where the system tells.
    pub peak_memory_mib: Option<f64>,
}

/// The observers of a run, which are passed on to its steps.
#[derive(Clone, Default)]
pub struct Progress(Vec<Arc<dyn StudyObserver>>);

impl fmt::Debug for Progress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Progress of {} observers", self.0.len())
    }
}

impl Progress {
    /// Progress without any observer.
    #[must_use]
    pub fn silent() -> Self {
        Self::default()
    }

    /// The same with one more observer.
    #[must_use]
    pub fn and(mut self, observer: Arc<dyn StudyObserver>) -> Self {
        self.0.push(observer);
        self
    }

    fn tell(&self, event: StudyEvent<'_>) {
        self.0.iter().for_each(|observer| observer.hear(event));
    }

    /// Begins a step of `pieces`; 0 where their number is not known yet.
    #[must_use]
    pub fn begin(&self, step: &str, pieces: usize) -> RunningStep {
        self.tell(StudyEvent::Begun { step, pieces });
        RunningStep {
            name: step.to_owned(),
            pieces: AtomicUsize::new(pieces),
            done: AtomicUsize::new(0),
            start: Instant::now(),
            progress: self.clone(),
        }
    }

    /// Whether the run is to stop.
    #[must_use]
    pub fn is_interrupted(&self) -> bool {
        self.0.iter().any(|observer| observer.is_interrupted())
    }

    /// An error once the run is to stop.
    ///
    /// # Errors
    /// [`Interrupted`].
    pub fn check_interrupt(&self) -> Result<(), Interrupted> {
        if self.is_interrupted() { Err(Interrupted) } else { Ok(()) }
    }
}

/// A step that has begun.
#[derive(Debug)]
pub struct RunningStep {
    name: String,
    pieces: AtomicUsize,
    done: AtomicUsize,
    start: Instant,
    progress: Progress,
}

impl RunningStep {
    /// An error once the run is to stop.
    ///
    /// # Errors
    /// [`Interrupted`].
    pub fn check_interrupt(&self) -> Result<(), Interrupted> {
        self.progress.check_interrupt()
    }

    /// The step turns out to have so many pieces.
    pub fn set_length(&self, pieces: usize) {
        self.pieces.store(pieces, Ordering::Relaxed);
    }

    /// One piece is done.
    pub fn advance(&self) {
        let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
        self.tell(done);
    }

    /// So many pieces are done.
    pub fn advance_to(&self, done: usize) {
        self.done.store(done, Ordering::Relaxed);
        self.tell(done);
    }

    fn tell(&self, done: usize) {
        let pieces = self.pieces.load(Ordering::Relaxed);
        self.progress.tell(StudyEvent::Advanced { step: &self.name, done, pieces });
    }

    /// The step is done.
    pub fn finish(self, costs: &mut Vec<StepCost>) {
        let cost = StepCost {
            step: self.name,
            seconds: self.start.elapsed().as_secs_f64(),
            peak_memory_mib: peak_memory_mib(),
        };
        self.progress.tell(StudyEvent::Finished(&cost));
        costs.push(cost);
    }
}

/// `VmHWM` of Linux.
fn peak_memory_mib() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse::<f64>().ok().map(|kib| kib / 1024.0)
}
