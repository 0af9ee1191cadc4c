//! `alnm apply` and `alnm validate`: a finished study applied to new patients, and judged in another hospital.

mod apply;
mod rows;
mod validate;

use std::io::{IsTerminal, stderr};
use std::sync::Arc;

use alnm_study::{LogStyle, Progress, ProgressLog};

use crate::{interrupt, messages};

pub(crate) use apply::Apply;
pub(crate) use validate::Validate;

/// Progress on standard error. Ctrl-C stops the work at the next safe point, a second one ends the process.
pub(crate) fn progress() -> Progress {
    let stop = interrupt::stop_by_itself();
    if !messages::is_told(messages::Level::Info) {
        return Progress::silent();
    }
    let style = if stderr().is_terminal() { LogStyle::Terminal } else { LogStyle::Lines };
    Progress::silent().and(Arc::new(ProgressLog::new(stderr(), style).stopped_by(stop)))
}
