//! Progress as text: on a terminal the running step in a line that is written over, anywhere else a line for each
//! finished step and one per minute.

use std::fmt;
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::{StepCost, StudyEvent, StudyObserver};

/// How progress is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LogStyle {
    /// The running step stands in a line that is written over ten times a second, for a terminal.
    Terminal,
    /// A line for each finished step, and one for the running step each minute, for files.
    Lines,
}

impl LogStyle {
    fn interval(self) -> Duration {
        match self {
            Self::Terminal => Duration::from_millis(100),
            Self::Lines => Duration::from_mins(1),
        }
    }
}

/// An observer that writes what it hears as text. What cannot be written is lost: a full disk or a closed terminal ends
/// no run by its progress.
pub struct ProgressLog<W> {
    style: LogStyle,
    interrupt: Option<&'static AtomicBool>,
    state: Mutex<State<W>>,
}

struct State<W> {
    writer: W,
    step_began: Instant,
    written: Instant,
}

impl<W> fmt::Debug for ProgressLog<W> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "ProgressLog as {:?}", self.style)
    }
}

impl<W: Write + Send> ProgressLog<W> {
    /// Writes to `writer`.
    #[must_use]
    pub fn new(writer: W, style: LogStyle) -> Self {
        let now = Instant::now();
        Self { style, interrupt: None, state: Mutex::new(State { writer, step_began: now, written: now }) }
    }

    /// The same, and the run stops once `flag` is set, as by a handler of Ctrl-C.
    #[must_use]
    pub fn stopped_by(mut self, flag: &'static AtomicBool) -> Self {
        self.interrupt = Some(flag);
        self
    }
}

impl<W: Write + Send> StudyObserver for ProgressLog<W> {
    fn hear(&self, event: StudyEvent<'_>) {
        // A thread that panicked while it wrote left at worst half a line.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let line = match event {
            StudyEvent::Begun { .. } => {
                (state.step_began, state.written) = (now, now);
                return;
            }
            StudyEvent::Advanced { .. } if now.duration_since(state.written) < self.style.interval() => return,
            StudyEvent::Advanced { step, done, pieces } => {
                state.written = now;
                running(step, done, pieces, now.duration_since(state.step_began))
            }
            StudyEvent::Finished(cost) => finished(cost),
        };
        let end = matches!(event, StudyEvent::Finished(_)) || self.style == LogStyle::Lines;
        let text = match self.style {
            // Back to the start of the line, and what stood there longer than the new text is erased.
            LogStyle::Terminal => format!("\r{line}\u{1b}[K{}", if end { "\n" } else { "" }),
            LogStyle::Lines => format!("{line}\n"),
        };
        let _ = state.writer.write_all(text.as_bytes()).and_then(|()| state.writer.flush());
    }

    fn is_interrupted(&self) -> bool {
        self.interrupt.is_some_and(|flag| flag.load(Ordering::Relaxed))
    }
}

fn running(step: &str, done: usize, pieces: usize, elapsed: Duration) -> String {
    let left = match done {
        0 => String::new(),
        _ => {
            let rest = pieces.saturating_sub(done) as f64 / done as f64;
            format!(", about {} left", duration(elapsed.mul_f64(rest)))
        }
    };
    format!("{step:<34} {done:>6} of {pieces}, {} elapsed{left}", duration(elapsed))
}

fn finished(cost: &StepCost) -> String {
    let memory = cost.peak_memory_mib.map_or(String::new(), |peak| format!(", peak memory so far {peak:.0} MiB"));
    format!("{:<34} {:>8.1} s{memory}", cost.step, cost.seconds)
}

/// Hours, minutes and seconds, without leading zeros of time.
fn duration(time: Duration) -> String {
    let seconds = time.as_secs();
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (hours, minutes, _) => format!("{hours} h {minutes} min"),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::progress::Progress;

    /// What was written, kept where the test can see it.
    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl Write for Written {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn written(style: LogStyle) -> String {
        let text = Written::default();
        let progress = Progress::silent().and(Arc::new(ProgressLog::new(text.clone(), style)));
        let step = progress.begin("images", 3);
        (0..3).for_each(|_| step.advance());
        step.finish(&mut Vec::new());
        let bytes = text.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_file_gets_a_line_for_a_finished_step_and_a_terminal_one_that_is_written_over() {
        let lines = written(LogStyle::Lines);
        assert!(lines.starts_with("images  ") && lines.lines().count() == 1 && lines.ends_with('\n'), "{lines:?}");
        let terminal = written(LogStyle::Terminal);
        assert!(terminal.starts_with("\rimages") && terminal.ends_with("\u{1b}[K\n"), "{terminal:?}");
    }

    #[test]
    fn a_running_step_tells_how_far_it_is_and_how_long_it_will_take() {
        let line = running("images", 20, 80, Duration::from_secs(75));
        assert!(line.ends_with("20 of 80, 1 min 15 s elapsed, about 3 min 45 s left"), "{line}");
        assert!(running("images", 0, 0, Duration::from_secs(5)).ends_with("0 of 0, 5 s elapsed"));
        assert_eq!(duration(Duration::from_secs(7260)), "2 h 1 min");
    }

    #[test]
    fn a_flag_stops_the_run() {
        static FLAG: AtomicBool = AtomicBool::new(false);
        let log = ProgressLog::new(Written::default(), LogStyle::Lines).stopped_by(&FLAG);
        let progress = Progress::silent().and(Arc::new(log));
        assert!(progress.check_interrupt().is_ok());
        FLAG.store(true, Ordering::Relaxed);
        assert!(progress.check_interrupt().is_err());
    }
}
