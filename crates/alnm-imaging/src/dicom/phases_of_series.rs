//! Dynamic series whose phases are series of their own.

use super::series::{Series, continue_after_midnight};
use super::series_problem::SeriesProblem;
use crate::dynamic_series::DynamicSeries;
use crate::error::{FileProblem, ImagingError};
use crate::geometry_difference::SAME_GRID;

/// Series of one phase each, in order of time.
pub(super) fn of_series(series: &[Series]) -> Result<DynamicSeries, FileProblem> {
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
        .map(|&index| {
            starts.as_ref().map_or(f64::NAN, |starts| ((starts[index] - starts[order[0]]) * 1e6).round() / 1e6)
        })
        .collect();
    Ok(DynamicSeries::new(images, times)?)
}

/// Whether two series are successive phases of one examination.
fn check_pair(first: &Series, second: &Series) -> Result<(), FileProblem> {
    let differ = |reason: String| {
        Err(SeriesProblem::NotPhases { first: first.uid().to_owned(), second: second.uid().to_owned(), reason }.into())
    };
    if first.study_uid() != second.study_uid() {
        return differ("they belong to different studies".to_owned());
    }
    if first.frame_of_reference() != second.frame_of_reference() {
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
