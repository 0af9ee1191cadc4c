//! What failed for a reason that may pass is tried again, a bounded number of times.

use std::time::Duration;

use crate::error::{PacsError, Result};
use crate::progress::{TransferEvent, TransferObserver, pause, tell};

/// The longest pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// How often, and after which pause.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Retry {
    pub(crate) attempts: u32,
    /// The pause after the first attempt; it doubles with each.
    pub(crate) first_pause: Duration,
}

/// Why an attempt failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Trying again does not help.
    Final(PacsError),
    /// The reason may pass, perhaps after a time that the server named.
    Passing { error: PacsError, after: Option<Duration> },
}

impl From<PacsError> for Failure {
    fn from(error: PacsError) -> Self {
        Self::Final(error)
    }
}

impl Retry {
    /// Tries until it works, cannot work, or was tried often enough.
    pub(crate) fn run<T>(
        self,
        observer: &mut TransferObserver<'_>,
        mut attempt: impl FnMut(&mut TransferObserver<'_>, u32) -> Result<T, Failure>,
    ) -> Result<T> {
        let mut number = 1;
        loop {
            match attempt(observer, number) {
                Ok(done) => return Ok(done),
                Err(failure) => self.after(observer, failure, number)?,
            }
            number += 1;
        }
    }

    /// Waits after an attempt that failed; an error when it was the last.
    pub(crate) fn after(self, observer: &mut TransferObserver<'_>, failure: Failure, number: u32) -> Result<()> {
        let (error, after) = match failure {
            Failure::Final(error) => return Err(error),
            Failure::Passing { error, after } => (error, after),
        };
        if number >= self.attempts {
            return Err(error);
        }
        let length = self.pause_after(number, after);
        tell(observer, TransferEvent::Retry { reason: &error.to_string(), attempt: number, pause: length })?;
        pause(observer, length)
    }

    /// The pause after attempt `number`: twice that of the one before, or as long as the server says; half a minute at
    /// most.
    fn pause_after(self, number: u32, after: Option<Duration>) -> Duration {
        let doubled = self.first_pause.saturating_mul(2_u32.saturating_pow(number - 1));
        after.unwrap_or(doubled).min(LONGEST_PAUSE)
    }
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;

    use super::*;

    const RETRY: Retry = Retry { attempts: 3, first_pause: Duration::ZERO };

    fn passing() -> Failure {
        Failure::Passing { error: PacsError::answer("x", "is short"), after: None }
    }

    #[test]
    fn attempts_are_counted_and_told() {
        let mut told = Vec::new();
        let mut observer = |event: TransferEvent<'_>| {
            if let TransferEvent::Retry { attempt, .. } = event {
                told.push(attempt);
            }
            ControlFlow::Continue(())
        };
        let done = RETRY.run(&mut observer, |_, number| if number < 3 { Err(passing()) } else { Ok(number) });
        assert_eq!(done.unwrap(), 3);
        let mut count = 0;
        let failed = RETRY.run::<()>(&mut observer, |_, _| {
            count += 1;
            Err(passing())
        });
        assert!(matches!(failed, Err(PacsError::Answer { .. })));
        assert_eq!((count, told), (3, vec![1, 2, 1, 2]));
    }

    #[test]
    fn what_cannot_pass_is_tried_once_and_an_observer_stops_the_waiting() {
        let mut count = 0;
        let failed = RETRY.run::<()>(&mut |_| ControlFlow::Continue(()), |_, _| {
            count += 1;
            Err(Failure::Final(PacsError::answer("x", "is wrong")))
        });
        assert!(failed.is_err());
        assert_eq!(count, 1);
        let slow = Retry { attempts: 3, first_pause: Duration::from_secs(3600) };
        let stopped = slow.run::<()>(
            &mut |event| {
                if event == TransferEvent::Waiting { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            },
            |_, _| Err(passing()),
        );
        assert!(matches!(stopped, Err(PacsError::Cancelled)));
    }

    #[test]
    fn pauses_double_up_to_half_a_minute() {
        let retry = Retry { attempts: 99, first_pause: Duration::from_secs(1) };
        let seconds = |number, after: Option<u64>| retry.pause_after(number, after.map(Duration::from_secs)).as_secs();
        assert_eq!([1, 2, 3, 6, 90].map(|number| seconds(number, None)), [1, 2, 4, 30, 30]);
        assert_eq!((seconds(1, Some(7)), seconds(1, Some(7200))), (7, 30));
    }
}
