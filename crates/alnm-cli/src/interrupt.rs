//! What Ctrl-C does: it ends the command with exit code 130 and says what is kept, when no file is half written.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::exit::Ending;
use crate::messages;

/// Whether Ctrl-C was pressed.
static PRESSED: AtomicBool = AtomicBool::new(false);
/// Whether the work looks at [`PRESSED`] and stops by itself.
static STOPS_BY_ITSELF: AtomicBool = AtomicBool::new(false);
/// How many files are being written. Not a lock: a thread that writes may take up the writing of another file
/// meanwhile.
static WRITING: AtomicUsize = AtomicUsize::new(0);
/// The longest that Ctrl-C waits for files to be whole.
const LONGEST_WRITE: Duration = Duration::from_secs(60);
/// What is kept, and how to go on.
static KEPT: Mutex<Option<String>> = Mutex::new(None);

/// From here on Ctrl-C ends the command in order. Without a handler it ends too, with the system's code.
pub(crate) fn install() {
    let _ = ctrlc::set_handler(|| {
        let is_first = !PRESSED.swap(true, Ordering::Relaxed);
        if is_first && STOPS_BY_ITSELF.load(Ordering::Relaxed) {
            messages::inform("stopping at the next safe point; Ctrl-C again stops at once");
            return;
        }
        let pressed = Instant::now();
        while WRITING.load(Ordering::Acquire) > 0 && pressed.elapsed() < LONGEST_WRITE {
            sleep(Duration::from_millis(1));
        }
        crate::progress::clear();
        messages::error(message());
        std::process::exit(Ending::Interrupted.code().into());
    });
}

/// What the last message says.
fn message() -> String {
    let kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    let kept = kept.as_deref().unwrap_or("nothing is kept; the same command begins again");
    format!("interrupted; {kept}")
}

/// What an interruption from here on says of the work that is done.
pub(crate) fn keeps(what: impl Into<String>) {
    *KEPT.lock().unwrap_or_else(PoisonError::into_inner) = Some(what.into());
}

/// From here on the work looks at this flag and stops by itself; only a second Ctrl-C ends it at once.
#[cfg(any(feature = "bundle", feature = "pacs"))]
pub(crate) fn stop_by_itself() -> &'static AtomicBool {
    STOPS_BY_ITSELF.store(true, Ordering::Relaxed);
    &PRESSED
}

/// A file that is being written, as long as this is held: Ctrl-C waits for it.
pub(crate) struct Writing(());

/// Begins to write a file.
pub(crate) fn while_writing() -> Writing {
    WRITING.fetch_add(1, Ordering::AcqRel);
    Writing(())
}

impl Drop for Writing {
    fn drop(&mut self) {
        WRITING.fetch_sub(1, Ordering::AcqRel);
    }
}
