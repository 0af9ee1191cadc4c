//! Dynamic series whose phases are series of their own.

use super::problem::SeriesProblem;
use super::series::{Series, continue_after_midnight};
use crate::error::{FileProblem, ImagingError};
use crate::volume::Image;

/// All phases of a dynamic series.
#[derive(Debug, Clone, PartialEq)]
pub struct DynamicSeries {
    /// One image a phase, in order of time, all on one grid.
    pub images: Vec<Image>,
    /// Seconds from the first phase to each; NaN where the files state no time.
    pub times: Vec<f64>,
}

/// Tolerance of grids, relative to the spacing.
const SAME_GRID: f64 = 1e-3;

impl DynamicSeries {
    /// Series of one phase each, in order of time.
    pub(super) fn of_series(series: &[Series]) -> Result<Self, FileProblem> {
        let mut starts: Option<Vec<f64>> = series.iter().map(Series::start).collect();
        continue_after_midnight(starts.iter_mut().flatten().collect());
        let mut order: Vec<usize> = (0..series.len()).collect();
        if let Some(starts) = &starts {
            order.sort_by(|&a, &b| starts[a].total_cmp(&starts[b]));
        }
        for pair in order.windows(2) {
            check_pair(&series[pair[0]], &series[pair[1]])?;
        }
        let images = order.iter().map(|&index| series[index].image()).collect::<Result<_, ImagingError>>()?;
        let times = order
            .iter()
            .map(|&index| starts.as_ref().map_or(f64::NAN, |starts| starts[index] - starts[order[0]]))
            .collect();
        Ok(Self { images, times })
    }
}

/// Whether two series are successive phases of one examination.
fn check_pair(first: &Series, second: &Series) -> Result<(), FileProblem> {
    let differ = |reason: String| {
        Err(SeriesProblem::NotPhases { first: first.uid.clone(), second: second.uid.clone(), reason }.into())
    };
    if first.study_uid != second.study_uid {
        return differ("they belong to different studies".to_owned());
    }
    if first.frame_of_reference != second.frame_of_reference {
        return differ("they lie in different frames of reference".to_owned());
    }
    if let Some(difference) = first.geometry()?.difference(second.geometry()?, SAME_GRID) {
        return differ(difference.to_string());
    }
    match (first.start(), second.start()) {
        (Some(a), Some(b)) if a == b => differ("they began at the same time".to_owned()),
        _ => Ok(()),
    }
}
