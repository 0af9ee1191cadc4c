//! Faults of this program in one case, which must not end the others.

use std::any::Any;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};
use std::sync::{Mutex, PoisonError};

use anyhow::{Result, anyhow};

/// Where the program stood, by the text of the fault. The thread that finds the fault need not be the one that reports
/// it.
static PLACES: Mutex<BTreeMap<String, String>> = Mutex::new(BTreeMap::new());

/// From here on faults write nothing by themselves: [`caught`] tells of them.
pub(super) fn keep_quiet() {
    std::panic::set_hook(Box::new(remember));
}

fn remember(fault: &PanicHookInfo<'_>) {
    let place = fault.location().map_or_else(String::new, ToString::to_string);
    PLACES.lock().unwrap_or_else(PoisonError::into_inner).insert(text(fault.payload()), place);
}

/// The result of `work`, or an error where it panics.
pub(super) fn caught<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    // What the work changes is its own, so nothing half changed is seen afterwards.
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|payload| {
        let fault = text(payload.as_ref());
        let places = PLACES.lock().unwrap_or_else(PoisonError::into_inner);
        let place = places.get(&fault).map_or_else(String::new, |place| format!(" at {place}"));
        Err(anyhow!("the program has a fault: {fault}{place}; please report it, with the case if you can share it"))
    })
}

fn text(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| "without a text".to_owned())
}

#[cfg(test)]
mod tests {
    use rayon::prelude::*;

    use super::*;

    #[test]
    fn a_fault_in_any_thread_is_an_error_that_says_where() {
        keep_quiet();
        let outcomes: Vec<Result<usize>> = (0..20)
            .into_par_iter()
            .map(|case| {
                caught(|| {
                    let deeper =
                        || (0..8).into_par_iter().map(|i| if (case, i) == (7, 5) { panic!("case 7") } else { i });
                    Ok(deeper().sum::<usize>() + case)
                })
            })
            .collect();
        drop(std::panic::take_hook());
        for (case, outcome) in outcomes.iter().enumerate() {
            match outcome {
                Ok(sum) => assert_eq!(*sum, 28 + case),
                Err(error) => {
                    assert_eq!(case, 7);
                    let error = error.to_string();
                    assert!(
                        error.starts_with("the program has a fault: case 7 at ") && error.contains("panics.rs:"),
                        "{error}"
                    );
                }
            }
        }
        assert!(outcomes[7].is_err());
    }
}
