//! How far a command is: a bar with the time left on a terminal, lines now and then elsewhere.

use std::io::IsTerminal;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use alnm_imaging::PartsDone;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use crate::messages::{self, Level};

/// Work that takes less long shows nothing where there is no terminal.
const SHORT: Duration = Duration::from_secs(2);
/// The time from the first line to the second where there is no terminal. Each later one is twice as long, up to the
/// longest.
const BETWEEN_LINES: Duration = Duration::from_secs(10);
const LONGEST_WAIT: Duration = Duration::from_mins(1);
const TICK: Duration = Duration::from_millis(100);
/// Work that takes less long shows no bar.
const UNSEEN: Duration = Duration::from_millis(500);

/// The bar that the terminal shows, with a number of its own, since another may take its place before it is seen.
static SHOWN: Mutex<Option<(u64, ProgressBar)>> = Mutex::new(None);
static NUMBERS: AtomicU64 = AtomicU64::new(0);

/// Writes to standard error without tearing the bar.
pub(crate) fn above_bar(write: impl FnOnce()) {
    let shown = SHOWN.lock().unwrap_or_else(PoisonError::into_inner).clone();
    match shown {
        Some((_, bar)) => bar.suspend(write),
        None => write(),
    }
}

/// Removes the bar from the terminal.
pub(crate) fn clear() {
    if let Some((_, bar)) = SHOWN.lock().unwrap_or_else(PoisonError::into_inner).take() {
        bar.finish_and_clear();
    }
}

fn on_terminal() -> bool {
    std::io::stderr().is_terminal() && messages::is_told(Level::Info)
}

/// Shows a bar in the place of the one that is shown, when it has stood for a moment.
fn show(bar: &ProgressBar) {
    let number = NUMBERS.fetch_add(1, Ordering::Relaxed);
    let before = SHOWN.lock().unwrap_or_else(PoisonError::into_inner).replace((number, bar.clone()));
    if let Some((_, before)) = before {
        before.finish_and_clear();
    }
    std::thread::spawn(move || {
        std::thread::sleep(UNSEEN);
        let shown = SHOWN.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, bar)) = shown.as_ref().filter(|(current, _)| *current == number) {
            bar.set_draw_target(ProgressDrawTarget::stderr());
            bar.enable_steady_tick(TICK);
        }
    });
}

/// A bar that is not seen yet.
fn unseen(style: ProgressStyle) -> ProgressBar {
    ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden()).with_style(style)
}

/// The time that is left, as a bar shows it.
fn write_time_left(state: &ProgressState, to: &mut dyn std::fmt::Write) {
    if let Some(left) = time_left(state.elapsed(), state.pos(), state.len().unwrap_or(0)) {
        // Writing to a string cannot fail.
        let _ = write!(to, ", {} left", in_words(left));
    }
}

/// The time that is left after so many of all parts; none before the first is done.
fn time_left(elapsed: Duration, done: u64, all: u64) -> Option<Duration> {
    (done > 0).then(|| elapsed.mul_f64(all.saturating_sub(done) as f64 / done as f64))
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the template is a constant that indicatif accepts")
}

/// Parts that are counted, with a bar.
fn counted() -> ProgressStyle {
    style("{wide_bar} {pos}/{len} {prefix} [{elapsed}{left}] {msg}").with_key("left", write_time_left)
}

/// Steps of which it is not known how long they take.
pub(crate) struct Activity {
    is_shown: bool,
    start: Instant,
}

impl Activity {
    /// Begins with a first step.
    pub(crate) fn start(step: &str) -> Self {
        let activity = Self { is_shown: on_terminal(), start: Instant::now() };
        if activity.is_shown {
            activity.spin(step);
        }
        activity
    }

    /// Goes on to the next step, also after one whose parts were counted.
    pub(crate) fn next(&self, step: &str) {
        if self.is_shown {
            self.spin(step);
        } else if self.start.elapsed() >= SHORT {
            messages::inform(format_args!("{step} ..."));
        }
    }

    fn spin(&self, step: &str) {
        let bar = unseen(style("{spinner} {msg} [{elapsed}]"));
        let bar = bar.with_elapsed(self.start.elapsed()).with_message(step.to_owned());
        show(&bar);
    }

    /// Ends, and leaves no trace on the terminal.
    pub(crate) fn finish(&self) {
        if self.is_shown {
            clear();
        }
    }
}

impl Drop for Activity {
    fn drop(&mut self) {
        self.finish();
    }
}

/// Work whose parts are counted: cases, iterations, files. It may be counted from several threads.
pub(crate) struct Counted {
    bar: ProgressBar,
    /// When the next line is due, where there is no terminal.
    lines: Option<Mutex<Lines>>,
    what: String,
}

/// When lines are told: the longer the work, the fewer.
#[derive(Debug, Clone, Copy)]
struct Lines {
    due: Instant,
    wait: Duration,
}

impl Lines {
    fn start(now: Instant) -> Self {
        Self { due: now + SHORT, wait: BETWEEN_LINES }
    }

    /// Whether a line is due; then the next one is later.
    fn are_due(&mut self, now: Instant) -> bool {
        let is_due = now >= self.due;
        if is_due {
            self.due = now + self.wait;
            self.wait = (2 * self.wait).min(LONGEST_WAIT);
        }
        is_due
    }
}

impl Counted {
    /// Begins with none of `total` parts done; `what` are the parts.
    pub(crate) fn start(what: impl Into<String>, total: usize) -> Self {
        let what = what.into();
        let is_shown = on_terminal();
        let bar = if is_shown {
            let bar = unseen(if total > 0 { counted() } else { style("{spinner} {prefix} [{elapsed}]") });
            bar.set_prefix(what.clone());
            show(&bar);
            bar
        } else {
            ProgressBar::hidden()
        };
        bar.set_length(total as u64);
        Self { bar, lines: (!is_shown).then(|| Mutex::new(Lines::start(Instant::now()))), what }
    }

    /// One more part is done.
    pub(crate) fn advance(&self) {
        self.bar.inc(1);
        self.tell("");
    }

    /// So many parts are done of so many, with a word about the last.
    pub(crate) fn set(&self, done: usize, total: usize, word: &str) {
        if self.bar.length() == Some(0) && total > 0 {
            self.bar.set_style(counted());
        }
        self.bar.set_length(total as u64);
        self.bar.set_position(done as u64);
        self.bar.set_message(word.to_owned());
        self.tell(word);
    }

    /// An observer of work that counts its own parts.
    pub(crate) fn observer(&self) -> impl Fn(PartsDone) + Sync + '_ {
        |progress| self.set(progress.done, progress.all, "")
    }

    /// A line, where one is due.
    fn tell(&self, word: &str) {
        let Some(lines) = &self.lines else { return };
        let (done, total) = (self.bar.position(), self.bar.length().unwrap_or(0));
        let mut lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
        if done >= total || !lines.are_due(Instant::now()) {
            return;
        }
        let word = if word.is_empty() { String::new() } else { format!(", {word}") };
        let left = time_left(self.bar.elapsed(), done, total);
        let left = left.map_or_else(String::new, |left| format!("; about {} left", in_words(left)));
        messages::inform(format_args!("{done} of {total} {}{word}{left}", self.what));
    }

    /// Ends, and leaves no trace on the terminal.
    pub(crate) fn finish(&self) {
        if self.lines.is_none() {
            clear();
        }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.finish();
    }
}

/// A time as people say it.
fn in_words(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..=99 => format!("{seconds} s"),
        seconds @ 100..=5999 => format!("{} min", (seconds + 30) / 60),
        seconds => format!("{:.1} h", seconds as f64 / 3600.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_become_rarer() {
        let start = Instant::now();
        let mut lines = Lines::start(start);
        let told: Vec<u64> = (0..200).filter(|second| lines.are_due(start + Duration::from_secs(*second))).collect();
        assert_eq!(told, [2, 12, 32, 72, 132, 192]);
    }

    #[test]
    fn nothing_is_known_of_the_time_before_the_first_part() {
        let left = |done| time_left(Duration::from_secs(6), done, 5);
        assert_eq!([0, 2, 5].map(left), [None, Some(Duration::from_secs(9)), Some(Duration::ZERO)]);
    }

    #[test]
    fn times_are_told_in_fitting_units() {
        let words = |seconds| in_words(Duration::from_secs(seconds));
        assert_eq!([words(7), words(150), words(9000)], ["7 s", "3 min", "2.5 h"]);
    }
}
