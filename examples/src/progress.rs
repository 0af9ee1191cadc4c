//! Progress of a step on the terminal, interruption, and what each step cost.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use anyhow::{Result, bail};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Lets Ctrl-C stop the work at the next safe point; a second one ends the process.
///
/// # Errors
/// When the system refuses the handler.
pub fn stop_on_interrupt() -> Result<()> {
    ctrlc::set_handler(|| {
        if INTERRUPTED.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
    })?;
    Ok(())
}

/// Whether Ctrl-C was pressed.
pub fn is_interrupted() -> bool {
    INTERRUPTED.load(Ordering::Relaxed)
}

/// An error once Ctrl-C was pressed.
///
/// # Errors
/// [`Interrupted`].
pub fn check_interrupt() -> Result<()> {
    if is_interrupted() { bail!(Interrupted) } else { Ok(()) }
}

/// The work was stopped by Ctrl-C; what is finished is kept.
#[derive(Debug, thiserror::Error)]
#[error("interrupted; the same command continues from here")]
pub struct Interrupted;

/// What a step cost.
#[derive(Debug, Clone, Serialize)]
pub struct StepCost {
    /// Name of the step.
    pub step: String,
    /// Wall time in seconds.
    pub seconds: f64,
    /// Largest resident memory of the process so far in MiB, where the system tells.
    pub peak_memory_mib: Option<f64>,
}

/// A running step with its bar.
#[derive(Debug)]
pub struct RunningStep {
    name: String,
    bar: ProgressBar,
    start: Instant,
}

impl RunningStep {
    /// Begins a step of `count` pieces.
    pub fn begin(name: &str, count: usize) -> Self {
        let bar = ProgressBar::new(count as u64);
        let style =
            ProgressStyle::with_template("{msg:34} {bar:30} {pos:>5}/{len:5} {elapsed:>4} elapsed, {eta:>4} left");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.set_message(name.to_owned());
        Self { name: name.to_owned(), bar, start: Instant::now() }
    }

    /// The step turns out to have so many pieces.
    pub fn set_length(&self, count: usize) {
        self.bar.set_length(count as u64);
    }

    /// One piece is done.
    pub fn advance(&self) {
        self.bar.inc(1);
    }

    /// So many pieces are done.
    pub fn advance_to(&self, done: usize) {
        self.bar.set_position(done as u64);
    }

    /// The step is done.
    pub fn finish(self, costs: &mut Vec<StepCost>) {
        self.bar.finish();
        costs.push(StepCost {
            step: self.name,
            seconds: self.start.elapsed().as_secs_f64(),
            peak_memory_mib: peak_memory_mib(),
        });
    }
}

/// `VmHWM` of Linux.
fn peak_memory_mib() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse::<f64>().ok().map(|kib| kib / 1024.0)
}
