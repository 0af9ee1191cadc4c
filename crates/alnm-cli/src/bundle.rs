//! `alnm apply` and `alnm validate`: a finished study applied to new patients, and judged in another hospital.

mod apply;
mod rows;
mod validate;

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use alnm_study::{Bundle, Progress, StudyEvent, StudyObserver};

use anyhow::Context;

use crate::exit::interrupted;
use crate::interrupt;
use crate::messages::inform;
use crate::progress::Counted;

pub(crate) use apply::Apply;
pub(crate) use validate::Validate;

/// Reads a bundle; what is missing or no bundle is called one.
fn read_bundle(path: &Path) -> anyhow::Result<Bundle> {
    std::fs::metadata(path).with_context(|| format!("cannot read the bundle {}", path.display()))?;
    Bundle::read(path).with_context(|| format!("{} is no bundle of a study", path.display()))
}

/// Progress as all commands show it. Ctrl-C stops the work at the next safe point, a second one ends the process.
pub(crate) fn progress() -> Progress {
    Progress::silent().and(Arc::new(Steps { stop: interrupt::stop_by_itself(), running: Mutex::new(None) }))
}

/// The end of work that keeps nothing, where Ctrl-C stopped it.
fn check_interrupt(progress: &Progress) -> anyhow::Result<()> {
    progress.check_interrupt().map_err(|_| interrupted("nothing is kept; the same command begins again"))
}

/// Shows the running step, and says what each cost that is done.
struct Steps {
    stop: &'static AtomicBool,
    running: Mutex<Option<Counted>>,
}

impl StudyObserver for Steps {
    fn hear(&self, event: StudyEvent<'_>) {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            StudyEvent::Begun { step, pieces } => {
                // The bar of a step before is gone before the next one is shown.
                drop(running.take());
                *running = Some(Counted::start(step, pieces));
            }
            StudyEvent::Advanced { done, pieces, .. } => {
                running.iter().for_each(|running| running.set(done, pieces, ""));
            }
            StudyEvent::Finished(cost) => {
                drop(running.take());
                let memory =
                    cost.peak_memory_mib.map_or_else(String::new, |peak| format!(", peak memory so far {peak:.0} MiB"));
                inform(format_args!("{}: {:.1} s{memory}", cost.step, cost.seconds));
            }
            _ => {}
        }
    }

    fn is_interrupted(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}
