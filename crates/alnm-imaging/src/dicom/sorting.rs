//! Slices sorted by phase and place, and the grid that they fill.

use super::series_problem::SeriesProblem;
use super::slice::Slice;
use crate::geometry::{Geometry, dot};

type Result<T> = std::result::Result<T, SeriesProblem>;

/// Positions that differ by less, in mm, are one position.
const SAME_POSITION: f64 = 1e-3;

/// How far a distance between slices may differ from the mean, relative to it: positions are written with few digits.
const EVEN_SPACING: f64 = 0.01;

/// Direction cosines and pixel spacings that differ by less are equal.
const SAME_COSINE: f64 = 1e-4;

/// The slices of each phase in order of position, as indices, and the grid they fill.
#[derive(Debug, Clone)]
pub(super) struct Sorted {
    pub(super) phases: Vec<Vec<usize>>,
    pub(super) geometry: Geometry,
}

impl Sorted {
    pub(super) fn new(slices: &[Slice]) -> Result<Self> {
        check_uniform(slices)?;
        let [_, _, normal] = slices[0].axes();
        let location = |slice: &Slice| dot(slice.position, normal);
        let places = Places::new(slices, location);
        let phases = places.phases(slices)?;
        let geometry = grid(slices, &phases[0], &places.locations)?;
        Ok(Self { phases, geometry })
    }
}

/// Whether all slices have one size, orientation and pixel spacing.
fn check_uniform(slices: &[Slice]) -> Result<()> {
    let first = &slices[0];
    for slice in &slices[1..] {
        let mixed = |attribute: &'static str, left: String, right: String| {
            Err(SeriesProblem::Mixed {
                attribute,
                left,
                left_file: first.path().to_owned(),
                right,
                right_file: slice.path().to_owned(),
            })
        };
        let apart = |a: &[f64], b: &[f64]| a.iter().zip(b).any(|(a, b)| (a - b).abs() > SAME_COSINE);
        if (slice.rows, slice.columns) != (first.rows, first.columns) {
            let size = |slice: &Slice| format!("{} × {}", slice.rows, slice.columns);
            return mixed("Rows × Columns", size(first), size(slice));
        }
        if apart(&slice.orientation, &first.orientation) {
            return mixed(
                "ImageOrientationPatient",
                format!("{:?}", first.orientation),
                format!("{:?}", slice.orientation),
            );
        }
        if apart(&slice.pixel_spacing, &first.pixel_spacing) {
            return mixed("PixelSpacing", format!("{:?}", first.pixel_spacing), format!("{:?}", slice.pixel_spacing));
        }
    }
    Ok(())
}

/// Slices, as indices, at each position along the normal, ascending.
struct Places {
    locations: Vec<f64>,
    slices: Vec<Vec<usize>>,
}

/// An attribute in which slices at one position differ.
type TimeKey = fn(&Slice) -> Option<f64>;

impl Places {
    fn new(slices: &[Slice], location: impl Fn(&Slice) -> f64) -> Self {
        let mut ordered: Vec<(f64, usize)> = slices.iter().map(location).zip(0..).collect();
        ordered.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let mut places = Self { locations: Vec::new(), slices: Vec::new() };
        for (location, slice) in ordered {
            match (places.locations.last(), places.slices.last_mut()) {
                (Some(last), Some(here)) if location - last < SAME_POSITION => here.push(slice),
                _ => {
                    places.locations.push(location);
                    places.slices.push(vec![slice]);
                }
            }
        }
        places
    }

    /// The slices of each phase in order of position.
    fn phases(&self, slices: &[Slice]) -> Result<Vec<Vec<usize>>> {
        if self.slices.iter().all(|here| here.len() == 1) {
            return Ok(vec![self.slices.iter().map(|here| here[0]).collect()]);
        }
        if let Some(phases) = self.phases_by_number(slices) {
            return phases;
        }
        let keys: [TimeKey; 2] = [|slice| slice.trigger_time, |slice| slice.acquisition_time];
        match keys.iter().find(|key| self.tells_apart(slices, **key)) {
            Some(key) => self.phases_by_rank(slices, *key),
            None => Err(self.duplicate(slices)),
        }
    }

    fn tells_apart(&self, slices: &[Slice], key: TimeKey) -> bool {
        self.slices.iter().all(|here| {
            let mut keys: Vec<f64> = here.iter().filter_map(|&i| key(&slices[i])).collect();
            keys.sort_by(f64::total_cmp);
            keys.len() == here.len() && keys.windows(2).all(|pair| pair[0] < pair[1])
        })
    }

    /// Phases by temporal position: slices of one number belong together, whenever they were taken.
    fn phases_by_number(&self, slices: &[Slice]) -> Option<Result<Vec<Vec<usize>>>> {
        let number: TimeKey = |slice| slice.temporal_position.map(|number| number as f64);
        if !self.tells_apart(slices, number) {
            return None;
        }
        let numbers: std::collections::BTreeSet<i64> =
            slices.iter().filter_map(|slice| slice.temporal_position).collect();
        let phase = |(index, number): (usize, i64)| {
            let at = |(here, location): (&Vec<usize>, &f64)| {
                let slice = here.iter().copied().find(|&i| slices[i].temporal_position == Some(number));
                slice.ok_or(SeriesProblem::MissingInPhase { phase: index + 1, location: *location })
            };
            self.slices.iter().zip(&self.locations).map(at).collect()
        };
        Some(numbers.into_iter().enumerate().map(phase).collect())
    }

    /// Phases by time: the n-th slice at every position belongs to phase n, since the slices of one phase may have been
    /// taken one after the other.
    fn phases_by_rank(&self, slices: &[Slice], key: TimeKey) -> Result<Vec<Vec<usize>>> {
        let count = self.slices.iter().map(Vec::len).max().unwrap_or(0);
        let mut phases = vec![Vec::with_capacity(self.slices.len()); count];
        for (here, location) in self.slices.iter().zip(&self.locations) {
            if here.len() < count {
                return Err(SeriesProblem::MissingInPhase { phase: here.len() + 1, location: *location });
            }
            let mut ordered = here.clone();
            ordered.sort_by(|&a, &b| key(&slices[a]).unwrap_or(0.0).total_cmp(&key(&slices[b]).unwrap_or(0.0)));
            for (phase, slice) in phases.iter_mut().zip(ordered) {
                phase.push(slice);
            }
        }
        Ok(phases)
    }

    fn duplicate(&self, slices: &[Slice]) -> SeriesProblem {
        let (here, location) = self
            .slices
            .iter()
            .zip(&self.locations)
            .find(|(here, _)| here.len() > 1)
            .expect("called where a position has several slices");
        SeriesProblem::DuplicateSlice {
            location: *location,
            first: slices[here[0]].path().to_owned(),
            second: slices[here[1]].path().to_owned(),
        }
    }
}

/// The grid that the slices of one phase fill.
fn grid(slices: &[Slice], phase: &[usize], locations: &[f64]) -> Result<Geometry> {
    let (first, last) = (&slices[phase[0]], &slices[phase[phase.len() - 1]]);
    let spacing = slice_spacing(locations)?.or(first.stated_spacing).unwrap_or(1.0);
    let axes = first.axes();
    let shift = (0..2)
        .map(|axis| (0..3).map(|i| (last.position[i] - first.position[i]) * axes[axis][i]).sum::<f64>().abs())
        .fold(0.0, f64::max);
    let [row_distance, column_distance] = first.pixel_spacing;
    let size = [first.columns, first.rows, phase.len()];
    let direction = std::array::from_fn(|row| axes.map(|axis| axis[row]));
    let geometry = Geometry::new(size, [column_distance, row_distance, spacing], first.position, direction)
        .map_err(|error| SeriesProblem::ImpossibleGrid { file: first.path().to_owned(), reason: error.to_string() })?;
    if shift > 0.1 * row_distance.min(column_distance) { Err(SeriesProblem::Sheared { shift }) } else { Ok(geometry) }
}

/// The even distance of positions in mm, none for a single one.
fn slice_spacing(locations: &[f64]) -> Result<Option<f64>> {
    let gaps: Vec<f64> = locations.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let mut ordered = gaps.clone();
    ordered.sort_by(f64::total_cmp);
    let Some(&median) = ordered.get(ordered.len() / 2) else { return Ok(None) };
    for (gap, pair) in gaps.iter().zip(locations.windows(2)) {
        let (distance, after, before, spacing) = (*gap, pair[0], pair[1], median);
        if (gap - median).abs() <= EVEN_SPACING * median {
            continue;
        }
        let slices = (gap / median).round();
        if slices >= 2.0 && (gap - slices * median).abs() <= EVEN_SPACING * gap {
            return Err(SeriesProblem::MissingSlices { count: slices as usize - 1, after, before, spacing });
        }
        return Err(SeriesProblem::UnevenSpacing { distance, after, before, spacing });
    }
    Ok(Some((locations[locations.len() - 1] - locations[0]) / gaps.len() as f64))
}
