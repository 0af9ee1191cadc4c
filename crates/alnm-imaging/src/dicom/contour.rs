//! Contours, and the voxels that closed ones enclose.

use dicom_dictionary_std::tags;
use dicom_object::InMemDicomObject;

use super::attributes::{number, numbers, text};
use super::problem::malformed;
use crate::error::FileProblem;
use crate::geometry::Geometry;
use crate::mask::note::MaskNote;
use crate::mask::params::{ContourEdge, CrossingContours};
use crate::mask::region::MaskProblem;
use crate::volume::LabelMap;

/// How far the points of one contour may lie from one plane, in voxels.
const FLAT: f64 = 0.25;

/// Planes that lie nearer to each other are one plane, in voxels.
const SAME_PLANE: f64 = 0.01;

/// What a contour encloses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ContourKind {
    /// `CLOSED_PLANAR` and `CLOSEDPLANAR_XOR`: the area inside; how areas of one plane that cross are combined says
    /// [`CrossingContours`].
    Closed,
    /// `POINT`, `OPEN_PLANAR`, `OPEN_NONPLANAR`: no area.
    Open,
}

/// One contour of a region.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Contour {
    /// Whether it encloses an area.
    pub kind: ContourKind,
    /// Its points in mm (LPS).
    pub points: Vec<[f64; 3]>,
    /// `ContourSlabThickness`: the thickness in mm of the slab that the contour stands for, where the file states it.
    pub slab_thickness: Option<f64>,
}

impl Contour {
    pub(super) fn of(item: &InMemDicomObject) -> Result<Self, FileProblem> {
        let kind = match text(item, tags::CONTOUR_GEOMETRIC_TYPE).as_deref() {
            Some("CLOSED_PLANAR" | "CLOSEDPLANAR_XOR") => ContourKind::Closed,
            Some("POINT" | "OPEN_PLANAR" | "OPEN_NONPLANAR") => ContourKind::Open,
            other => return Err(malformed(format!("ContourGeometricType is {other:?}"))),
        };
        let coordinates = numbers(item, tags::CONTOUR_DATA).unwrap_or_default();
        let (points, rest) = coordinates.as_chunks::<3>();
        if !rest.is_empty() {
            return Err(malformed(format!("a contour of {} coordinates, which are no points", coordinates.len())));
        }
        #[allow(deprecated, reason = "retired, but written by planning systems")]
        let slab_thickness = number(item, tags::CONTOUR_SLAB_THICKNESS).filter(|thickness| *thickness > 0.0);
        Ok(Self { kind, points: points.to_vec(), slab_thickness })
    }
}

/// The contours of one plane as polygons in the indices of the two axes along it.
struct Plane {
    position: f64,
    polygons: Vec<Vec<[f64; 2]>>,
}

/// An edge from its upper end (smaller v) to its lower one.
#[derive(Clone, Copy)]
struct Edge {
    upper: [f64; 2],
    lower: [f64; 2],
}

/// A run of voxels in a row of a plane, which may lie beyond the grid: `start..end` along u in row v.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Run {
    v: i64,
    start: i64,
    end: i64,
}

/// How contours are filled.
#[derive(Debug, Clone, Copy)]
pub(super) struct Filling {
    pub(super) edge: ContourEdge,
    pub(super) crossing: CrossingContours,
}

/// What was found when the contours of a region were filled.
pub(super) struct Filled {
    /// The label of a voxel that had another one.
    pub(super) overlapped: Option<u32>,
    pub(super) notes: Vec<MaskNote>,
}

/// Gives `label` to the voxels inside the contours.
pub(super) fn fill(
    name: &str,
    contours: &[&Contour],
    mask: &mut LabelMap,
    label: u32,
    filling: Filling,
) -> Result<Filled, MaskProblem> {
    let grid = mask.geometry().clone();
    if contours.is_empty() {
        return Err(MaskProblem::NoClosedContour { name: name.to_owned() });
    }
    let indices: Vec<Vec<[f64; 3]>> = contours
        .iter()
        .map(|contour| contour.points.iter().map(|&point| grid.point_to_index(point)).collect())
        .collect();
    let axis = normal_axis(&indices).ok_or_else(|| MaskProblem::Askew { name: name.to_owned() })?;
    let planes = planes(&indices, axis);
    let stated = contours.iter().filter_map(|contour| contour.slab_thickness).reduce(f64::min);
    let distance = stated.map_or_else(|| distance_of(&planes), |thickness| thickness / grid.spacing()[axis]).max(1.0);
    let [u_axis, v_axis] = in_plane(axis);
    let size = grid.size().map(|size| size as i64);
    let strides = strides(&grid);
    let (mut overlapped, mut painted, mut lost, mut crossed, mut between) = (None, 0_u64, 0_u64, 0_usize, false);
    for (plane, slices) in planes.iter().zip(nearest_planes(&planes, grid.size()[axis], distance)) {
        if slices.is_empty() {
            continue;
        }
        let Area { runs, is_crossed } = plane.area(size[v_axis], filling);
        crossed += usize::from(is_crossed);
        let whole: u64 = runs.iter().map(|run| (run.end - run.start) as u64).sum();
        for slice in slices {
            between |= (plane.position - slice as f64).abs() > 0.5 + ROUNDING;
            if !(0..size[axis]).contains(&slice) {
                lost += whole;
                continue;
            }
            let mut inside = 0;
            for run in runs.iter().filter(|run| (0..size[v_axis]).contains(&run.v)) {
                let row = slice as usize * strides[axis] + run.v as usize * strides[v_axis];
                let [start, end] = [run.start, run.end].map(|u| u.clamp(0, size[u_axis]) as usize);
                for u in start..end {
                    let voxel = &mut mask.as_mut_slice()[row + u * strides[u_axis]];
                    if *voxel != 0 && *voxel != label {
                        overlapped.get_or_insert(*voxel);
                    }
                    *voxel = label;
                }
                inside += end.saturating_sub(start) as u64;
            }
            painted += inside;
            lost += whole - inside;
        }
    }
    if painted == 0 {
        return Err(MaskProblem::Outside { name: name.to_owned() });
    }
    let name = || name.to_owned();
    let share = lost as f64 / (lost + painted) as f64;
    let spacing = grid.spacing()[axis];
    let notes = [
        (lost > 0).then(|| MaskNote::CutOff { name: name(), share }),
        between.then(|| MaskNote::FilledBetween { name: name(), contours: distance * spacing, slices: spacing }),
        (crossed > 0).then(|| MaskNote::Crossing { name: name(), planes: crossed, combined: filling.crossing }),
    ];
    Ok(Filled { overlapped, notes: notes.into_iter().flatten().collect() })
}

/// Distances of planes that differ by less, relative to them, are equal.
const EVEN: f64 = 0.05;

/// Positions that differ by less, in voxels, are equal.
const ROUNDING: f64 = 1e-6;

/// Distance of neighbours along each axis in the array of voxels.
fn strides(grid: &Geometry) -> [usize; 3] {
    let [x, y, _] = grid.size();
    [1, x, x * y]
}

/// The two axes along a plane.
fn in_plane(normal: usize) -> [usize; 2] {
    match normal {
        0 => [1, 2],
        1 => [0, 2],
        _ => [0, 1],
    }
}

/// The axis of the grid to which all contours are perpendicular, before all the one of the slices.
fn normal_axis(contours: &[Vec<[f64; 3]>]) -> Option<usize> {
    let is_flat = |contour: &Vec<[f64; 3]>, axis: usize| {
        let [low, high] = contour
            .iter()
            .fold([f64::INFINITY, f64::NEG_INFINITY], |[low, high], p| [low.min(p[axis]), high.max(p[axis])]);
        high - low <= FLAT
    };
    [2, 1, 0].into_iter().find(|&axis| contours.iter().all(|contour| contour.is_empty() || is_flat(contour, axis)))
}

/// Contours sorted into planes.
fn planes(contours: &[Vec<[f64; 3]>], axis: usize) -> Vec<Plane> {
    let [u, v] = in_plane(axis);
    let mean = |contour: &Vec<[f64; 3]>| contour.iter().map(|point| point[axis]).sum::<f64>() / contour.len() as f64;
    let mut ordered: Vec<(f64, &Vec<[f64; 3]>)> =
        contours.iter().filter(|c| !c.is_empty()).map(|c| (mean(c), c)).collect();
    ordered.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut planes: Vec<Plane> = Vec::new();
    for (position, contour) in ordered {
        let polygon: Vec<[f64; 2]> = contour.iter().map(|point| [point[u], point[v]]).collect();
        match planes.last_mut() {
            Some(plane) if position - plane.position < SAME_PLANE => {
                if !plane.polygons.contains(&polygon) {
                    plane.polygons.push(polygon);
                }
            }
            _ => planes.push(Plane { position, polygons: vec![polygon] }),
        }
    }
    planes
}

/// The distance at which planes follow each other, in voxels: the smallest one, when at least two and half of all equal
/// it.
fn distance_of(planes: &[Plane]) -> f64 {
    let gaps: Vec<f64> = planes.windows(2).map(|pair| pair[1].position - pair[0].position).collect();
    let smallest = gaps.iter().copied().fold(f64::INFINITY, f64::min);
    let equal = gaps.iter().filter(|&&gap| gap <= smallest * (1.0 + EVEN)).count();
    if equal >= 2 && 2 * equal >= gaps.len() { smallest } else { 1.0 }
}

/// For each plane the slices that take its contours, those beyond the grid included. Between planes that follow each
/// other it is the nearest one; beyond them a plane reaches half a slice, to a slice exactly so far before it and not
/// to one exactly so far behind it.
fn nearest_planes(planes: &[Plane], slices: usize, distance: f64) -> Vec<Vec<i64>> {
    // As many slices beyond the grid are looked at as it has: work and memory stay in proportion to it.
    let beyond = slices as i64;
    let mut taken = vec![Vec::new(); planes.len()];
    let (Some(first), Some(last)) = (planes.first(), planes.last()) else { return taken };
    let start = (first.position.floor() as i64).saturating_sub(1).max(-beyond);
    let end = (last.position.ceil() as i64).saturating_add(1).min(slices as i64 + beyond);
    for slice in start..=end {
        let position = slice as f64;
        let after = planes.partition_point(|plane| plane.position < position);
        let before = after.checked_sub(1);
        let is_half_before = |index: usize| planes[index].position - position <= 0.5 + ROUNDING;
        let is_half_behind = |index: usize| position - planes[index].position < 0.5 - ROUNDING;
        let following = before.filter(|&before| {
            planes.get(after).is_some_and(|next| next.position - planes[before].position <= distance * (1.0 + EVEN))
        });
        let nearest = match (following, before) {
            (Some(before), _) => {
                let is_first_nearer = position - planes[before].position <= planes[after].position - position;
                Some(if is_first_nearer { before } else { after })
            }
            (None, _) if after < planes.len() && is_half_before(after) => Some(after),
            (None, before) => before.filter(|&before| is_half_behind(before)),
        };
        if let Some(index) = nearest {
            taken[index].push(slice);
        }
    }
    taken
}

/// The voxels inside the contours of a plane.
struct Area {
    runs: Vec<Run>,
    /// Whether contours cross each other.
    is_crossed: bool,
}

impl Plane {
    /// The voxels whose centres lie inside, row by row: of contours that lie in each other or apart by the even-odd
    /// rule, of contours that cross each other as asked for.
    fn area(&self, rows: i64, filling: Filling) -> Area {
        let areas: Vec<Vec<Run>> = self.polygons.iter().map(|polygon| runs(polygon, rows)).collect();
        let clusters = clusters(&areas);
        let is_crossed = clusters.len() < areas.len();
        let combined = match filling.crossing {
            CrossingContours::Union if is_crossed => {
                let united: Vec<Vec<Run>> = clusters
                    .iter()
                    .map(|cluster| combine(cluster.iter().map(|&index| &areas[index]), |count| count > 0))
                    .collect();
                combine(united.iter(), |count| count % 2 == 1)
            }
            _ => combine(areas.iter(), |count| count % 2 == 1),
        };
        let runs = match filling.edge {
            ContourEdge::HalfOpen => combined,
            ContourEdge::Inside => {
                let on_edges: Vec<Run> = self.polygons.iter().flat_map(|polygon| centres_on(polygon, rows)).collect();
                combine([combined, on_edges].iter(), |count| count > 0)
            }
        };
        Area { runs, is_crossed }
    }
}

/// Rows of a plane that are looked at: those of the grid and as many beyond it on either side, so that work and memory
/// stay in proportion to the grid. What lies farther away is not counted among what is lost.
fn rows_within(first: f64, last: f64, rows: i64) -> std::ops::RangeInclusive<i64> {
    (first.ceil().max(-rows as f64) as i64)..=(last.floor().min((2 * rows) as f64) as i64)
}

/// The voxels whose centres lie inside a polygon by the even-odd rule, row by row.
fn runs(polygon: &[[f64; 2]], rows: i64) -> Vec<Run> {
    let mut edges: Vec<Edge> = edges(polygon).collect();
    edges.sort_by(|a, b| a.upper[1].total_cmp(&b.upper[1]));
    let last = edges.iter().map(|edge| edge.lower[1]).fold(f64::NEG_INFINITY, f64::max);
    let Some(first) = edges.first().map(|edge| edge.upper[1]) else { return Vec::new() };
    let mut waiting = edges.into_iter().peekable();
    let mut active: Vec<Edge> = Vec::new();
    let mut crossings = Vec::new();
    let mut runs = Vec::new();
    for v in rows_within(first, last, rows) {
        let row = v as f64;
        while let Some(edge) = waiting.next_if(|edge| edge.upper[1] <= row) {
            active.push(edge);
        }
        active.retain(|edge| edge.lower[1] > row);
        crossings.clear();
        crossings.extend(active.iter().map(|edge| edge.crossing(row)));
        crossings.sort_by(f64::total_cmp);
        for pair in crossings.chunks_exact(2) {
            let [start, end] = [pair[0], pair[1]].map(column);
            if start < end {
                runs.push(Run { v, start, end });
            }
        }
    }
    runs
}

/// The first column at or behind a place; none lies farther from the grid than numbers hold.
fn column(u: f64) -> i64 {
    const FARTHEST: f64 = (1_u64 << 40) as f64;
    u.ceil().clamp(-FARTHEST, FARTHEST) as i64
}

/// Voxels that so many of several areas hold as are wanted.
fn combine<'a>(areas: impl Iterator<Item = &'a Vec<Run>>, is_wanted: impl Fn(i32) -> bool) -> Vec<Run> {
    let mut ends: Vec<(i64, i64, i32)> =
        areas.flatten().flat_map(|run| [(run.v, run.start, 1), (run.v, run.end, -1)]).collect();
    ends.sort_unstable();
    let mut combined: Vec<Run> = Vec::new();
    let (mut count, mut opened) = (0, None);
    for (index, &(v, u, change)) in ends.iter().enumerate() {
        count += change;
        // All changes at one place count together.
        if ends.get(index + 1).is_some_and(|next| (next.0, next.1) == (v, u)) {
            continue;
        }
        match (is_wanted(count), opened) {
            (true, None) => opened = Some(u),
            (false, Some(start)) => {
                combined.push(Run { v, start, end: u });
                opened = None;
            }
            _ => {}
        }
    }
    combined
}

/// Areas that cross each other, directly or through others, as indices.
fn clusters(areas: &[Vec<Run>]) -> Vec<Vec<usize>> {
    let bounds: Vec<[i64; 4]> = areas.iter().map(|runs| bounds(runs)).collect();
    let mut clusters: Vec<Vec<usize>> = Vec::new();
    for index in 0..areas.len() {
        let crosses = |cluster: &Vec<usize>| {
            cluster
                .iter()
                .any(|&other| may_meet(bounds[index], bounds[other]) && do_cross(&areas[index], &areas[other]))
        };
        let (joined, apart): (Vec<_>, Vec<_>) = clusters.into_iter().partition(crosses);
        clusters = apart;
        clusters.push(joined.into_iter().flatten().chain([index]).collect());
    }
    clusters
}

/// First row, last row, first column and end of the columns.
fn bounds(runs: &[Run]) -> [i64; 4] {
    runs.iter().fold([i64::MAX, i64::MIN, i64::MAX, i64::MIN], |[top, bottom, left, right], run| {
        [top.min(run.v), bottom.max(run.v), left.min(run.start), right.max(run.end)]
    })
}

fn may_meet(a: [i64; 4], b: [i64; 4]) -> bool {
    a[0] <= b[1] && b[0] <= a[1] && a[2] < b[3] && b[2] < a[3]
}

/// Whether two areas share voxels and each has others of its own.
fn do_cross(a: &Vec<Run>, b: &Vec<Run>) -> bool {
    let count = |runs: &[Run]| runs.iter().map(|run| run.end - run.start).sum::<i64>();
    let shared = count(&combine([a, b].into_iter(), |count| count == 2));
    shared > 0 && shared < count(a).min(count(b))
}

/// The voxels whose centres lie on an edge of a polygon.
fn centres_on(polygon: &[[f64; 2]], rows: i64) -> Vec<Run> {
    /// How far a centre may lie from an edge, in voxels: coordinates are written with few digits.
    const ON_EDGE: f64 = 1e-3;
    let ends = polygon.iter().zip(polygon.iter().cycle().skip(1));
    let mut centres = Vec::new();
    for (&a, &b) in ends {
        let (upper, lower) = if a[1] <= b[1] { (a, b) } else { (b, a) };
        for v in rows_within(upper[1] - ON_EDGE, lower[1] + ON_EDGE, rows) {
            let is_flat = lower[1] - upper[1] <= ON_EDGE;
            let at = |row: f64| upper[0] + (row - upper[1]) * (lower[0] - upper[0]) / (lower[1] - upper[1]);
            let near =
                if is_flat { [a[0].min(b[0]), a[0].max(b[0])] } else { [at((v as f64).clamp(upper[1], lower[1])); 2] };
            let (start, end) = (column(near[0] - ON_EDGE), column(near[1] + ON_EDGE));
            // The end is the first column behind the edge.
            if start < end {
                centres.push(Run { v, start, end });
            }
        }
    }
    centres.sort_unstable();
    centres
}

/// The edges of a closed polygon without those along a row.
fn edges(polygon: &[[f64; 2]]) -> impl Iterator<Item = Edge> {
    let ends = polygon.iter().zip(polygon.iter().cycle().skip(1));
    ends.filter(|(a, b)| a[1] != b[1])
        .map(|(&a, &b)| if a[1] < b[1] { Edge { upper: a, lower: b } } else { Edge { upper: b, lower: a } })
}

impl Edge {
    /// Where the edge crosses a row; the same for both directions, so that the two sides of a keyhole cancel out.
    fn crossing(&self, row: f64) -> f64 {
        let [u0, v0] = self.upper;
        let [u1, v1] = self.lower;
        u0 + (row - v0) * (u1 - u0) / (v1 - v0)
    }
}
