//! How far long work is, for those who wait for it.

use std::sync::atomic::{AtomicUsize, Ordering};

/// How much of a work is done. The function that does it says what its parts are; they take about the same time each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct PartsDone {
    /// Parts that are done.
    pub done: usize,
    /// All parts.
    pub all: usize,
}

/// What is told how far a work is, from the threads that do it, at most two hundred times. Of two threads the one that
/// tells later may have done its part earlier.
pub type ProgressObserver<'a> = dyn Fn(PartsDone) + Sync + 'a;

/// Counts the parts of a work.
pub(crate) struct Tally<'a> {
    done: AtomicUsize,
    all: usize,
    observer: &'a ProgressObserver<'a>,
}

impl<'a> Tally<'a> {
    /// None of all parts done.
    pub(crate) fn new(all: usize, observer: &'a ProgressObserver<'a>) -> Self {
        Self { done: AtomicUsize::new(0), all, observer }
    }

    /// Counts for nobody.
    pub(crate) fn untold() -> Self {
        Self::new(0, &|_| {})
    }

    /// So many parts are done when what is returned is dropped.
    pub(crate) fn at_end(&self, parts: usize) -> impl Drop + '_ {
        Advance { tally: self, parts }
    }

    /// So many more parts are done.
    pub(crate) fn advance(&self, parts: usize) {
        /// A bar shows no finer steps, and telling must cost nothing beside the work.
        const STEPS: usize = 200;
        let before = self.done.fetch_add(parts, Ordering::Relaxed);
        let done = before + parts;
        let step = |done: usize| done.saturating_mul(STEPS) / self.all.max(1);
        if step(before) != step(done) {
            (self.observer)(PartsDone { done, all: self.all });
        }
    }
}

/// Parts that are done when this is dropped.
struct Advance<'a> {
    tally: &'a Tally<'a>,
    parts: usize,
}

impl Drop for Advance<'_> {
    fn drop(&mut self) {
        self.tally.advance(self.parts);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// What an observer hears of a work with so many parts, one after the other.
    fn told(all: usize) -> Vec<PartsDone> {
        let told = Mutex::new(Vec::new());
        let observer = |progress: PartsDone| told.lock().unwrap().push(progress);
        let tally = Tally::new(all, &observer);
        (0..all).for_each(|_| tally.advance(1));
        told.into_inner().unwrap()
    }

    #[test]
    fn few_parts_are_told_each_and_many_now_and_then() {
        assert_eq!(told(3).iter().map(|progress| progress.done).collect::<Vec<_>>(), [1, 2, 3]);
        let many = told(100_000);
        assert_eq!(many.len(), 200);
        assert_eq!(many.last(), Some(&PartsDone { done: 100_000, all: 100_000 }));
        assert!(told(0).is_empty());
    }
}
