//! What the terminal shows of a transfer, and how Ctrl-C ends it.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};

use alnm_pacs::TransferEvent;
use indicatif::{HumanBytes, ProgressBar, ProgressStyle};

use crate::interrupt;
use crate::messages::{inform, warn};

/// Objects on their way.
pub(super) struct Transfer {
    bar: ProgressBar,
    /// Bytes that have moved.
    bytes: u64,
    /// Whether Ctrl-C was pressed. What has moved is kept.
    stopped: &'static AtomicBool,
}

impl Transfer {
    pub(super) fn start() -> Self {
        let style = ProgressStyle::with_template("{msg:12} {wide_bar} {pos}/{len} objects [{elapsed}, {eta} left]")
            .expect("the template is a constant that indicatif accepts");
        Self { bar: ProgressBar::new(0).with_style(style), bytes: 0, stopped: interrupt::stop_by_itself() }
    }

    /// Shows an event; asks to stop after Ctrl-C.
    pub(super) fn show(&mut self, event: TransferEvent<'_>) -> ControlFlow<()> {
        match event {
            TransferEvent::Planned { objects, .. } => self.bar.inc_length(objects as u64),
            TransferEvent::Bytes(count) => {
                self.bytes += count;
                self.bar.set_message(HumanBytes(self.bytes).to_string());
            }
            TransferEvent::Done { .. } => self.bar.inc(1),
            TransferEvent::Retry { reason, attempt, pause } => {
                self.say(&format!("attempt {attempt} failed, the next in {:.1} s: {reason}", pause.as_secs_f64()));
            }
            _ => {}
        }
        if self.stopped.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    /// A line on standard error, above the bar where there is one.
    pub(super) fn say(&self, line: &str) {
        self.bar.suspend(|| inform(line));
    }

    /// What was odd or went wrong, told as [`Transfer::say`] does.
    pub(super) fn warn(&self, line: &str) {
        self.bar.suspend(|| warn(line));
    }

    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
