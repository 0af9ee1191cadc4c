//! Slices sorted into volumes: by what tells them apart, by phase and by place; and the grid that each fills.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::phase_key::PhaseKey;
use super::series_problem::SeriesProblem;
use super::series_warning::SeriesWarning;
use super::slice::{PixelSpacing, Slice};
use super::volume_kind::{DIFFERENCES, Difference, VolumeKind, differing, name_parts};
use crate::geometry::{Geometry, IDENTITY, dot};

type Result<T> = std::result::Result<T, SeriesProblem>;

/// Positions that differ by less, in mm, are one position.
const SAME_POSITION: f64 = 1e-3;

/// Positions that differ by less, relative to the distance of slices, are one position too: phases are written with
/// rounded positions.
const SAME_RELATIVE_POSITION: f64 = 1e-3;

/// How far a distance between slices may differ from the median without a word, relative to it: positions are written
/// with few digits.
const EVEN_SPACING: f64 = 0.01;

/// How far a slice may lie off the even grid, in distances of slices.
const OFF_GRID: f64 = 0.1;

/// Direction cosines and pixel spacings that differ by less are equal.
const SAME_COSINE: f64 = 1e-4;

/// The volumes of a series.
#[derive(Debug, Clone)]
pub(super) struct Sorted {
    /// At least one.
    pub(super) kinds: Vec<SortedKind>,
    pub(super) warnings: Vec<SeriesWarning>,
}

/// Volumes that are phases of each other, on one grid.
#[derive(Debug, Clone)]
pub(super) struct SortedKind {
    pub(super) kind: VolumeKind,
    /// The slices of each phase in order of position, as indices.
    pub(super) phases: Vec<Vec<usize>>,
    /// What tells several phases apart.
    pub(super) phases_by: Option<PhaseKey>,
    pub(super) geometry: Geometry,
}

/// How slices are sorted.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sorting<'a> {
    pub(super) modality: &'a str,
    /// The one key that may tell phases apart.
    pub(super) phases_by: Option<PhaseKey>,
}

impl Sorted {
    pub(super) fn new(slices: &[Slice], sorting: Sorting<'_>) -> Result<Self> {
        let mut sorted = Self { kinds: Vec::new(), warnings: Vec::new() };
        match slices.iter().position(|slice| !slice.has_place) {
            Some(_) if slices.iter().all(|slice| !slice.has_place) => sorted.add_planar(slices)?,
            Some(index) => {
                return Err(SeriesProblem::Unreadable {
                    file: slices[index].path().to_owned(),
                    reason: "ImagePositionPatient is missing, which other files of the series have".to_owned(),
                });
            }
            None => sorted.add_grids(slices, sorting)?,
        }
        sorted.name(slices);
        sorted.warn_of_values(slices, sorting.modality);
        Ok(sorted)
    }

    /// The volumes in the order in which they are counted, as numbers of a kind and of a phase of it: phases of one
    /// kind follow each other; weightings by diffusion stand as they were taken.
    pub(super) fn volumes(&self, slices: &[Slice]) -> Vec<(usize, usize)> {
        let mut volumes: Vec<(usize, usize)> = (0..self.kinds.len())
            .flat_map(|kind| (0..self.kinds[kind].phases.len()).map(move |phase| (kind, phase)))
            .collect();
        let is_weighted = |kind: &SortedKind| kind.kind.b_value.is_some() || kind.kind.gradient_direction.is_some();
        if self.kinds.iter().any(is_weighted) {
            let unweighted =
                |kind: usize| VolumeKind { b_value: None, gradient_direction: None, ..self.kinds[kind].kind.clone() };
            let taken = |&(kind, phase): &(usize, usize)| {
                let of_first = (0..kind).find(|&earlier| unweighted(earlier) == unweighted(kind)).unwrap_or(kind);
                let slices_of_phase = self.kinds[kind].phases[phase].iter();
                (of_first, slices_of_phase.filter_map(|&slice| slices[slice].instance_number).min())
            };
            volumes.sort_by_cached_key(taken);
        }
        volumes
    }

    fn add_grids(&mut self, slices: &[Slice], sorting: Sorting<'_>) -> Result<()> {
        let grids = grids(slices);
        let several = grids.len() > 1;
        for (number, grid) in grids.iter().enumerate() {
            let of_grid = Stacks { slices, sorting }.sort(grid);
            // What is wrong with one of several grids is most often that a slice is of another size or orientation.
            let of_grid = of_grid.map_err(|problem| mixed(slices, &grids).unwrap_or(problem))?;
            self.warnings.extend(of_grid.warnings);
            self.kinds.extend(of_grid.kinds.into_iter().map(|mut kind| {
                kind.kind.grid = several.then_some(number + 1);
                kind
            }));
        }
        Ok(())
    }

    /// Images without a place in space: those of one file are phases of each other.
    fn add_planar(&mut self, slices: &[Slice]) -> Result<()> {
        let mut files: BTreeMap<&Path, Vec<usize>> = BTreeMap::new();
        for (index, slice) in slices.iter().enumerate() {
            files.entry(slice.path()).or_default().push(index);
        }
        let mut files: Vec<Vec<usize>> = files.into_values().collect();
        files.sort_by_key(|frames| slices[frames[0]].instance_number);
        let several = files.len() > 1;
        for (number, frames) in files.into_iter().enumerate() {
            let first = &slices[frames[0]];
            let [row_distance, column_distance] = first.pixel_spacing;
            let plane = [[IDENTITY[0][0], IDENTITY[0][1]], [IDENTITY[1][0], IDENTITY[1][1]]];
            let size = [first.columns, first.rows];
            let geometry = Geometry::planar(size, [column_distance, row_distance], [0.0; 2], plane)
                .map_err(|error| impossible(first, &error))?;
            let by = if first.trigger_time.is_some() { PhaseKey::TriggerTime } else { PhaseKey::InstanceNumber };
            self.kinds.push(SortedKind {
                kind: VolumeKind { image: several.then_some(number + 1), ..VolumeKind::default() },
                phases_by: (frames.len() > 1).then_some(by),
                phases: frames.into_iter().map(|frame| vec![frame]).collect(),
                geometry,
            });
        }
        Ok(())
    }

    fn name(&mut self, slices: &[Slice]) {
        let mut kinds: Vec<_> =
            self.kinds.iter().map(|sorted| (sorted.kind.clone(), &slices[sorted.phases[0][0]].making)).collect();
        name_parts(&mut kinds);
        let named: Vec<VolumeKind> = kinds.into_iter().map(|(kind, _)| kind).collect();
        for (sorted, kind) in self.kinds.iter_mut().zip(named) {
            sorted.kind = kind;
        }
    }

    fn warn_of_values(&mut self, slices: &[Slice], modality: &str) {
        let any = |source: PixelSpacing| slices.iter().any(|slice| slice.spacing_source == source);
        self.warnings.extend(any(PixelSpacing::Detector).then_some(SeriesWarning::DetectorSpacing));
        self.warnings.extend(any(PixelSpacing::Unknown).then_some(SeriesWarning::UnknownSpacing));
        let is_placed_elsewhere = matches!(modality, "CT" | "MR" | "PT") && slices.iter().any(|slice| !slice.has_place);
        self.warnings.extend(is_placed_elsewhere.then_some(SeriesWarning::NoPlace));
        let is_high_dark = slices.iter().any(|slice| slice.is_high_dark);
        self.warnings.extend(is_high_dark.then_some(SeriesWarning::HighIsDark));
        self.warnings.dedup();
    }
}

/// In what a slice differs from another where all slices of a grid are alike.
fn grid_difference(first: &Slice, slice: &Slice) -> Option<(&'static str, String, String)> {
    let apart = |a: &[f64], b: &[f64]| a.iter().zip(b).any(|(a, b)| (a - b).abs() > SAME_COSINE);
    if (slice.rows, slice.columns) != (first.rows, first.columns) {
        let size = |slice: &Slice| format!("{} × {}", slice.rows, slice.columns);
        return Some(("Rows × Columns", size(first), size(slice)));
    }
    if apart(&slice.orientation, &first.orientation) {
        return Some((
            "ImageOrientationPatient",
            format!("{:?}", first.orientation),
            format!("{:?}", slice.orientation),
        ));
    }
    apart(&slice.pixel_spacing, &first.pixel_spacing)
        .then(|| ("PixelSpacing", format!("{:?}", first.pixel_spacing), format!("{:?}", slice.pixel_spacing)))
}

/// Slices of one size, orientation and pixel spacing, as indices.
fn grids(slices: &[Slice]) -> Vec<Vec<usize>> {
    let mut grids: Vec<Vec<usize>> = Vec::new();
    for (index, slice) in slices.iter().enumerate() {
        let of_same = |grid: &&mut Vec<usize>| grid_difference(&slices[grid[0]], slice).is_none();
        match grids.iter_mut().find(of_same) {
            Some(grid) => grid.push(index),
            None => grids.push(vec![index]),
        }
    }
    grids
}

fn mixed(slices: &[Slice], grids: &[Vec<usize>]) -> Option<SeriesProblem> {
    let (first, other) = (&slices[grids.first()?[0]], &slices[grids.get(1)?[0]]);
    let (attribute, left, right) = grid_difference(first, other)?;
    let [left_file, right_file] = [first, other].map(|slice| slice.path().to_owned());
    Some(SeriesProblem::Mixed { attribute, left, left_file, right, right_file })
}

/// Slices of one grid, sorted into volumes.
struct Stacks<'a> {
    slices: &'a [Slice],
    sorting: Sorting<'a>,
}

impl Stacks<'_> {
    fn sort(&self, members: &[usize]) -> Result<Sorted> {
        let mut sorted = Sorted { kinds: Vec::new(), warnings: Vec::new() };
        let mut groups = vec![members.to_vec()];
        let mut told_apart_by = Vec::new();
        for difference in &DIFFERENCES {
            let before = groups.len();
            groups = groups.into_iter().flat_map(|group| self.split(group, difference)).collect();
            if groups.len() > before {
                told_apart_by.push(difference);
            }
        }
        for group in groups {
            let mut kind = VolumeKind::default();
            told_apart_by.iter().for_each(|difference| (difference.state)(&mut kind, &self.slices[group[0]].making));
            self.add_stack(&group, kind, &mut sorted)?;
        }
        Ok(sorted)
    }

    /// The slices by their values of an attribute, where slices of one place differ in it.
    fn split(&self, group: Vec<usize>, difference: &Difference) -> Vec<Vec<usize>> {
        let value = |&slice: &usize| (difference.value)(&self.slices[slice].making);
        let differs = |here: &Vec<usize>| here.iter().any(|slice| value(slice) != value(&here[0]));
        if !Places::new(self.slices, &group).slices.iter().any(differs) {
            return vec![group];
        }
        let mut groups: BTreeMap<_, Vec<usize>> = BTreeMap::new();
        for slice in group {
            groups.entry(value(&slice)).or_default().push(slice);
        }
        groups.into_values().collect()
    }

    /// One stack of slices with its phases. Scans of computed tomography that only their number tells apart are no
    /// phases of each other.
    fn add_stack(&self, group: &[usize], kind: VolumeKind, sorted: &mut Sorted) -> Result<()> {
        let places = Places::new(self.slices, group);
        let Phases { phases, by, incomplete } = places.phases(self.slices, self.sorting.phases_by)?;
        let (geometry, uneven) = grid(self.slices, &phases[0], &places.locations)?;
        let is_whole = incomplete.is_none();
        sorted.warnings.extend(incomplete);
        sorted.warnings.extend(uneven);
        if by == Some(PhaseKey::AcquisitionNumber) && self.sorting.modality == "CT" {
            sorted.kinds.extend(phases.into_iter().map(|phase| {
                let acquisition = self.slices[phase[0]].making.acquisition;
                let kind = VolumeKind { acquisition, ..kind.clone() };
                SortedKind { kind, phases: vec![phase], phases_by: None, geometry: geometry.clone() }
            }));
            return Ok(());
        }
        let stated = group.iter().find_map(|&slice| self.slices[slice].stated_phases);
        let is_other = |stated: &i64| is_whole && *stated > 1 && *stated != phases.len() as i64;
        if let (Some(stated), Some(by)) = (stated.filter(is_other), by) {
            sorted.warnings.push(SeriesWarning::OtherNumberOfPhases { stated, found: phases.len(), by });
        }
        sorted.kinds.push(SortedKind { kind, phases, phases_by: by, geometry });
        Ok(())
    }
}

/// Slices, as indices, at each position along the normal, ascending.
struct Places {
    locations: Vec<f64>,
    slices: Vec<Vec<usize>>,
}

/// The slices of each phase in order of position.
struct Phases {
    phases: Vec<Vec<usize>>,
    /// What tells several phases apart.
    by: Option<PhaseKey>,
    incomplete: Option<SeriesWarning>,
}

impl Places {
    fn new(slices: &[Slice], members: &[usize]) -> Self {
        let [_, _, normal] = slices[members[0]].axes();
        let mut ordered: Vec<(f64, usize)> =
            members.iter().map(|&slice| (dot(slices[slice].position, normal), slice)).collect();
        ordered.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let widest = ordered.windows(2).map(|pair| pair[1].0 - pair[0].0).fold(0.0, f64::max);
        let same = SAME_POSITION.max(SAME_RELATIVE_POSITION * widest);
        let mut places = Self { locations: Vec::new(), slices: Vec::new() };
        for (location, slice) in ordered {
            match (places.locations.last(), places.slices.last_mut()) {
                (Some(last), Some(here)) if location - last < same => here.push(slice),
                _ => {
                    places.locations.push(location);
                    places.slices.push(vec![slice]);
                }
            }
        }
        places
    }

    /// Slices at the place that has the fewest, and at the one that has the most.
    fn fewest_and_most(&self) -> [usize; 2] {
        let counts = || self.slices.iter().map(Vec::len);
        [counts().min().unwrap_or(0), counts().max().unwrap_or(0)]
    }

    fn phases(&self, slices: &[Slice], wanted: Option<PhaseKey>) -> Result<Phases> {
        let [fewest, most] = self.fewest_and_most();
        if most == 1 {
            let phases = vec![self.slices.iter().map(|here| here[0]).collect()];
            return Ok(Phases { phases, by: None, incomplete: None });
        }
        let mut problem = None;
        for key in PhaseKey::ALL.into_iter().filter(|key| wanted.is_none_or(|wanted| wanted == *key)) {
            let values = values_of(key, slices);
            let is_even = key != PhaseKey::InstanceNumber || fewest == most;
            if !is_even || !self.tells_apart(&values) {
                continue;
            }
            let phases = if key.is_number() { self.phases_by_number(&values) } else { self.phases_by_rank(&values) };
            match phases {
                Ok((phases, incomplete)) => return Ok(Phases { phases, by: Some(key), incomplete }),
                Err(of_key) => drop(problem.get_or_insert(of_key)),
            }
        }
        Err(match (problem, wanted) {
            (Some(problem), _) => problem,
            (None, Some(by)) => SeriesProblem::NotToldApart { by },
            (None, None) => self.indistinct(slices),
        })
    }

    fn tells_apart(&self, values: &[Option<f64>]) -> bool {
        self.slices.iter().all(|here| {
            let mut values: Vec<f64> = here.iter().filter_map(|&slice| values[slice]).collect();
            values.sort_by(f64::total_cmp);
            values.len() == here.len() && values.windows(2).all(|pair| pair[0] < pair[1])
        })
    }

    /// Phases by a number: slices of one number belong together, whenever they were taken. The last phase may lack
    /// slices and is left out then.
    fn phases_by_number(&self, values: &[Option<f64>]) -> Result<(Vec<Vec<usize>>, Option<SeriesWarning>)> {
        let mut numbers: Vec<f64> = self.slices.iter().flatten().filter_map(|&slice| values[slice]).collect();
        numbers.sort_by(f64::total_cmp);
        numbers.dedup();
        let at = |number: f64| {
            self.slices.iter().map(move |here| here.iter().copied().find(|&slice| values[slice] == Some(number)))
        };
        let mut phases = Vec::new();
        for (index, &number) in numbers.iter().enumerate() {
            match at(number).collect::<Option<Vec<usize>>>() {
                Some(phase) => phases.push(phase),
                None if index > 0 && index + 1 == numbers.len() => {
                    let found = at(number).flatten().count();
                    let slices = self.slices.len();
                    return Ok((phases, Some(SeriesWarning::IncompletePhase { phase: index + 1, found, slices })));
                }
                None => {
                    let missing = at(number).position(|slice| slice.is_none()).unwrap_or(0);
                    return Err(SeriesProblem::MissingInPhase { phase: index + 1, location: self.locations[missing] });
                }
            }
        }
        Ok((phases, None))
    }

    /// Phases by rank: the n-th slice at every position belongs to phase n. Where the scan stopped early, the slices
    /// that are left over were all taken after the whole phases.
    fn phases_by_rank(&self, values: &[Option<f64>]) -> Result<(Vec<Vec<usize>>, Option<SeriesWarning>)> {
        let value = |slice: usize| values[slice].unwrap_or(0.0);
        let [fewest, most] = self.fewest_and_most();
        let mut ordered = self.slices.clone();
        for here in &mut ordered {
            here.sort_by(|&a, &b| value(a).total_cmp(&value(b)));
        }
        let mut incomplete = None;
        if fewest < most {
            let last_whole = ordered.iter().map(|here| value(here[fewest - 1])).fold(f64::NEG_INFINITY, f64::max);
            let left_over = || ordered.iter().filter_map(|here| here.get(fewest));
            let stopped_early = fewest > 1 && most == fewest + 1 && left_over().all(|&slice| value(slice) > last_whole);
            if !stopped_early {
                let missing = ordered.iter().position(|here| here.len() < most).unwrap_or(0);
                let phase = ordered[missing].len() + 1;
                return Err(SeriesProblem::MissingInPhase { phase, location: self.locations[missing] });
            }
            let (found, slices) = (left_over().count(), self.slices.len());
            incomplete = Some(SeriesWarning::IncompletePhase { phase: most, found, slices });
        }
        let phases = (0..fewest).map(|phase| ordered.iter().map(|here| here[phase]).collect()).collect();
        Ok((phases, incomplete))
    }

    /// Why slices at one place cannot be told apart.
    fn indistinct(&self, slices: &[Slice]) -> SeriesProblem {
        let several: Vec<usize> = (0..self.slices.len()).filter(|&place| self.slices[place].len() > 1).collect();
        let here = &self.slices[several[0]];
        let [first, second] = [here[0], here[1]].map(|slice| slices[slice].path().to_owned());
        if several.len() == 1 && here.len() == 2 && self.slices.len() > 1 {
            return SeriesProblem::DuplicateSlice { location: self.locations[several[0]], first, second };
        }
        let instances: BTreeSet<(&str, u32)> =
            self.slices.iter().flatten().map(|&i| (slices[i].sop_instance_uid.as_str(), slices[i].frame)).collect();
        let [_, most] = self.fewest_and_most();
        SeriesProblem::Indistinct {
            most,
            several: several.len(),
            places: self.slices.len(),
            differ_in: differing(self.slices.iter().flatten().map(|&slice| &slices[slice].making)),
            are_copies: instances.len() <= self.slices.len(),
            first,
            second,
        }
    }
}

fn impossible(slice: &Slice, error: &crate::error::ImagingError) -> SeriesProblem {
    SeriesProblem::ImpossibleGrid { file: PathBuf::from(slice.path()), reason: error.to_string() }
}

/// The grid that the slices of one phase fill.
fn grid(slices: &[Slice], phase: &[usize], locations: &[f64]) -> Result<(Geometry, Option<SeriesWarning>)> {
    let (first, last) = (&slices[phase[0]], &slices[phase[phase.len() - 1]]);
    let (spacing, uneven) = slice_spacing(locations)?;
    let spacing = spacing.or(first.stated_spacing).unwrap_or(1.0);
    let axes = first.axes();
    let shift = (0..2)
        .map(|axis| (0..3).map(|i| (last.position[i] - first.position[i]) * axes[axis][i]).sum::<f64>().abs())
        .fold(0.0, f64::max);
    let [row_distance, column_distance] = first.pixel_spacing;
    let size = [first.columns, first.rows, phase.len()];
    let direction = std::array::from_fn(|row| axes.map(|axis| axis[row]));
    let geometry = Geometry::new(size, [column_distance, row_distance, spacing], first.position, direction)
        .map_err(|error| impossible(first, &error))?;
    if shift > 0.1 * row_distance.min(column_distance) {
        return Err(SeriesProblem::Sheared { shift });
    }
    Ok((geometry, uneven))
}

/// The even distance of positions in mm, none for a single one, and a word where some lie off the even grid.
fn slice_spacing(locations: &[f64]) -> Result<(Option<f64>, Option<SeriesWarning>)> {
    let gaps: Vec<f64> = locations.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let mut ordered = gaps.clone();
    ordered.sort_by(f64::total_cmp);
    let Some(&median) = ordered.get(ordered.len() / 2) else { return Ok((None, None)) };
    let spacing = (locations[locations.len() - 1] - locations[0]) / gaps.len() as f64;
    let is_even = |gap: &&f64| (**gap - median).abs() <= EVEN_SPACING * median;
    let Some(uneven) = gaps.iter().position(|gap| !is_even(&gap)) else { return Ok((Some(spacing), None)) };
    let deviation = |index: usize| (locations[index] - (locations[0] + index as f64 * spacing)).abs();
    let farthest = (0..locations.len()).max_by(|&a, &b| deviation(a).total_cmp(&deviation(b))).unwrap_or(0);
    if deviation(farthest) <= OFF_GRID * spacing {
        let warning =
            SeriesWarning::UnevenSlices { location: locations[farthest], deviation: deviation(farthest), spacing };
        return Ok((Some(spacing), Some(warning)));
    }
    // A gap of several slices explains more than a distance that is a little off.
    let slices_in = |gap: f64| (gap / median).round();
    let is_hole = |gap: f64| slices_in(gap) >= 2.0 && (gap - slices_in(gap) * median).abs() <= EVEN_SPACING * gap;
    let place = gaps.iter().position(|&gap| is_hole(gap)).unwrap_or(uneven);
    let (gap, after, before) = (gaps[place], locations[place], locations[place + 1]);
    if is_hole(gap) {
        return Err(SeriesProblem::MissingSlices {
            count: slices_in(gap) as usize - 1,
            after,
            before,
            spacing: median,
        });
    }
    Err(SeriesProblem::UnevenSpacing { distance: gap, after, before, spacing: median })
}

/// The value of a key in each slice, as a number that orders them.
fn values_of(key: PhaseKey, slices: &[Slice]) -> Vec<Option<f64>> {
    let each = |value: fn(&Slice) -> Option<f64>| slices.iter().map(value).collect();
    match key {
        PhaseKey::TemporalPosition => each(|slice| slice.temporal_position.map(|number| number as f64)),
        PhaseKey::TriggerTime => each(|slice| slice.trigger_time),
        PhaseKey::AcquisitionTime => each(|slice| slice.acquisition_time),
        PhaseKey::ContentTime => each(|slice| slice.content_time),
        PhaseKey::AcquisitionNumber => each(|slice| slice.making.acquisition.map(|number| number as f64)),
        PhaseKey::InstanceNumber => each(|slice| slice.instance_number.map(|number| number as f64)),
        PhaseKey::DimensionIndex => {
            let distinct: BTreeMap<&[i64], f64> =
                slices.iter().map(|slice| (slice.dimension_indices.as_slice(), 0.0)).collect();
            let ranks: BTreeMap<&[i64], f64> =
                distinct.into_keys().zip(0_u32..).map(|(indices, rank)| (indices, f64::from(rank))).collect();
            let rank = |slice: &Slice| ranks.get(slice.dimension_indices.as_slice()).copied();
            slices.iter().map(|slice| rank(slice).filter(|_| !slice.dimension_indices.is_empty())).collect()
        }
    }
}
