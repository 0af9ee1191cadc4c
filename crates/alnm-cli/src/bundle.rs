//! `alnm apply` and `alnm validate`: a finished study applied to new patients, and judged in another hospital.

mod apply;
mod rows;
mod validate;

use std::io::{IsTerminal, stderr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use alnm_study::{LogStyle, Progress, ProgressLog};
use anyhow::Result;

pub(crate) use apply::Apply;
pub(crate) use validate::Validate;

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Progress on standard error. Ctrl-C stops the work at the next safe point, a second one ends the process.
pub(crate) fn progress() -> Result<Progress> {
    ctrlc::set_handler(|| {
        if INTERRUPTED.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
    })?;
    let style = if stderr().is_terminal() { LogStyle::Terminal } else { LogStyle::Lines };
    Ok(Progress::silent().and(Arc::new(ProgressLog::new(stderr(), style).stopped_by(&INTERRUPTED))))
}
