//! What the terminal shows of a transfer, and how Ctrl-C ends it.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};

use alnm_pacs::TransferEvent;
use indicatif::{HumanBytes, ProgressBar, ProgressStyle};

use super::INTERRUPTED;

/// Whether Ctrl-C was pressed.
static STOPPED: AtomicBool = AtomicBool::new(false);

/// Ends the work at the next step after Ctrl-C, and the program at once after a second one. What is done is kept in both
/// cases. Without a handler Ctrl-C ends the program too, with the system's code.
pub(super) fn stop_at_interrupt() {
    let _ = ctrlc::set_handler(|| {
        if STOPPED.swap(true, Ordering::Relaxed) {
            std::process::exit(INTERRUPTED.into());
        }
    });
}

/// Objects on their way.
pub(super) struct Transfer {
    bar: ProgressBar,
    /// Bytes that have moved.
    bytes: u64,
}

impl Transfer {
    pub(super) fn start() -> Self {
        let style = ProgressStyle::with_template("{msg:12} {wide_bar} {pos}/{len} objects [{elapsed}, {eta} left]")
            .expect("the template is a constant that indicatif accepts");
        Self { bar: ProgressBar::new(0).with_style(style), bytes: 0 }
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
        if STOPPED.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    /// A line on standard error, above the bar where there is one.
    #[allow(clippy::print_stderr, reason = "the command says what it does")]
    pub(super) fn say(&self, line: &str) {
        self.bar.suspend(|| eprintln!("{line}"));
    }

    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
