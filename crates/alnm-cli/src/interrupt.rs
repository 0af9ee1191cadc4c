//! What Ctrl-C does: it ends the command with exit code 130 and says what is kept, when no file is half written.
//! SIGTERM, which `timeout` and batch systems send, does the same with 143.

use std::cell::Cell;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::exit::Ending;
use crate::messages;

/// Whether the command was told to stop.
static STOPPED: AtomicBool = AtomicBool::new(false);
/// Whether it was told so by SIGTERM.
static TERMINATED: AtomicBool = AtomicBool::new(false);
/// Whether the work looks at [`STOPPED`] and stops by itself.
static STOPS_BY_ITSELF: AtomicBool = AtomicBool::new(false);
/// Whether the process ends as soon as no file is being written, so that no further one may be begun.
static CLOSING: AtomicBool = AtomicBool::new(false);
/// How many files are being written. Not a lock: a thread that writes may take up the writing of another file
/// meanwhile.
static WRITING: AtomicUsize = AtomicUsize::new(0);
/// Whether the writing of a file has come to its end.
static WRITTEN: AtomicBool = AtomicBool::new(false);
/// The longest that Ctrl-C waits for files to be whole.
const LONGEST_WRITE: Duration = Duration::from_secs(60);
/// What is kept, and how to go on.
static KEPT: Mutex<Kept> = Mutex::new(Kept::Nothing("the same command begins again"));

thread_local! {
    /// How many files this thread is writing.
    static WRITING_HERE: Cell<usize> = const { Cell::new(0) };
}

/// What an interruption says of the work that is done.
#[derive(Debug)]
enum Kept {
    /// Nothing but files that are whole, and what would mend that.
    Nothing(&'static str),
    Something(String),
}

/// From here on Ctrl-C and SIGTERM end the command in order. Without a handler they end it too, with the system's code.
/// No thread may run before this.
pub(crate) fn install() {
    #[cfg(unix)]
    wait_for_termination();
    let _ = ctrlc::set_handler(|| stop(Ending::Interrupted));
}

/// Lets a thread of its own take SIGTERM.
#[cfg(unix)]
fn wait_for_termination() {
    use nix::sys::signal::{SigSet, Signal};

    let mut awaited = SigSet::empty();
    awaited.add(Signal::SIGTERM);
    // Threads that start later inherit this, so that the signal waits for the one that takes it.
    if awaited.thread_block().is_err() {
        return;
    }
    let take = move || {
        while awaited.wait().is_ok() {
            TERMINATED.store(true, Ordering::Relaxed);
            stop(Ending::Terminated);
        }
    };
    if std::thread::Builder::new().name("termination".to_owned()).spawn(take).is_err() {
        let _ = awaited.thread_unblock();
    }
}

/// Ends the process when no file is half written, or lets work that stops by itself do so.
fn stop(ending: Ending) {
    let is_first = !STOPPED.swap(true, Ordering::Relaxed);
    if is_first && STOPS_BY_ITSELF.load(Ordering::Relaxed) {
        messages::inform("stopping at the next safe point; Ctrl-C again stops at once");
        return;
    }
    CLOSING.store(true, Ordering::SeqCst);
    let told = Instant::now();
    while WRITING.load(Ordering::SeqCst) > 0 && told.elapsed() < LONGEST_WRITE {
        sleep(Duration::from_millis(1));
    }
    crate::progress::clear();
    messages::error(format_args!("{}; {}", how(), kept(WRITTEN.load(Ordering::SeqCst))));
    std::process::exit(ending.code().into());
}

/// What the last message says is kept.
fn kept(has_written: bool) -> String {
    match &*KEPT.lock().unwrap_or_else(PoisonError::into_inner) {
        Kept::Something(what) => what.clone(),
        Kept::Nothing(_) if has_written => {
            "files that were written are whole and stay; the same command replaces them with --force".to_owned()
        }
        Kept::Nothing(remedy) => format!("nothing is kept; {remedy}"),
    }
}

/// What an interruption from here on says of the work that is done.
pub(crate) fn keeps(what: impl Into<String>) {
    *KEPT.lock().unwrap_or_else(PoisonError::into_inner) = Kept::Something(what.into());
}

/// What an interruption from here on says would mend that nothing is kept but files that are whole.
pub(crate) fn keeps_nothing(remedy: &'static str) {
    *KEPT.lock().unwrap_or_else(PoisonError::into_inner) = Kept::Nothing(remedy);
}

/// What stopped the work, as messages call it.
pub(crate) fn how() -> &'static str {
    if is_terminated() { "terminated" } else { "interrupted" }
}

/// Whether SIGTERM stopped the work.
pub(crate) fn is_terminated() -> bool {
    TERMINATED.load(Ordering::Relaxed)
}

/// From here on the work looks at this flag and stops by itself; only a second Ctrl-C ends it at once.
pub(crate) fn stop_by_itself() -> &'static AtomicBool {
    STOPS_BY_ITSELF.store(true, Ordering::Relaxed);
    &STOPPED
}

/// From here on Ctrl-C ends the command by itself again.
pub(crate) fn stop_at_once() {
    STOPS_BY_ITSELF.store(false, Ordering::Relaxed);
}

/// A file that is being written, as long as this is held: Ctrl-C waits for it. It stays in the thread that began it.
pub(crate) struct Writing(PhantomData<*const ()>);

/// Begins to write a file. When the process is about to end, this waits for that, unless the thread is writing a file
/// already that this one is part of.
pub(crate) fn while_writing() -> Writing {
    WRITING.fetch_add(1, Ordering::SeqCst);
    if WRITING_HERE.get() == 0 && CLOSING.load(Ordering::SeqCst) {
        WRITING.fetch_sub(1, Ordering::SeqCst);
        loop {
            std::thread::park();
        }
    }
    WRITING_HERE.set(WRITING_HERE.get() + 1);
    Writing(PhantomData)
}

impl Drop for Writing {
    fn drop(&mut self) {
        WRITTEN.store(true, Ordering::SeqCst);
        WRITING_HERE.set(WRITING_HERE.get() - 1);
        WRITING.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_are_whole_are_not_denied() {
        assert_eq!(kept(false), "nothing is kept; the same command begins again");
        assert!(kept(true).starts_with("files that were written are whole and stay"));
        keeps_nothing("with --out-dir finished cases would be");
        assert_eq!(kept(false), "nothing is kept; with --out-dir finished cases would be");
        assert!(kept(true).starts_with("files that were written are whole and stay"));
        keeps("finished cases are kept in parts");
        assert_eq!(
            (kept(false), kept(true)),
            ("finished cases are kept in parts".to_owned(), "finished cases are kept in parts".to_owned())
        );
    }
}
