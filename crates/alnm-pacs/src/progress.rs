//! What is told while objects move.

use std::ops::ControlFlow;
use std::thread;
use std::time::{Duration, Instant};

use crate::error::{PacsError, Result};

/// An event during a transfer.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum TransferEvent<'a> {
    /// So many objects are to move; others are there already.
    Planned {
        /// Objects that are to move.
        objects: usize,
        /// Objects that need not.
        already_there: usize,
    },
    /// So many more bytes of objects have moved.
    Bytes(u64),
    /// An object is where it belongs, as a whole.
    Done {
        /// Its `SOPInstanceUID`.
        sop_instance_uid: &'a str,
    },
    /// What failed is tried again after a pause.
    Retry {
        /// What failed.
        reason: &'a str,
        /// Number of the attempt that failed, from 1.
        attempt: u32,
        /// The pause.
        pause: Duration,
    },
    /// Time passes in a pause.
    Waiting,
}

/// A function that is told of each event and stops the work by [`ControlFlow::Break`].
pub type TransferObserver<'a> = dyn FnMut(TransferEvent<'_>) -> ControlFlow<()> + 'a;

/// Tells an observer.
pub(crate) fn tell(observer: &mut TransferObserver<'_>, event: TransferEvent<'_>) -> Result<()> {
    if observer(event).is_break() { Err(PacsError::Cancelled) } else { Ok(()) }
}

/// Waits, and asks the observer meanwhile.
pub(crate) fn pause(observer: &mut TransferObserver<'_>, duration: Duration) -> Result<()> {
    const STEP: Duration = Duration::from_millis(50);
    let start = Instant::now();
    loop {
        tell(observer, TransferEvent::Waiting)?;
        let left = duration.saturating_sub(start.elapsed());
        if left.is_zero() {
            return Ok(());
        }
        thread::sleep(left.min(STEP));
    }
}
