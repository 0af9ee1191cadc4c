//! Contours, and the voxels that closed ones enclose.

use dicom_dictionary_std::tags;
use dicom_object::InMemDicomObject;

use super::attributes::{number, numbers, text};
use super::problem::malformed;
use crate::error::FileProblem;
use crate::geometry::Geometry;
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
    /// `CLOSED_PLANAR` and `CLOSEDPLANAR_XOR`: the area inside; areas of one plane are combined by exclusive or.
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

/// A run of voxels in a row of a plane: `start..end` along u in row v.
struct Run {
    v: usize,
    start: usize,
    end: usize,
}

/// Gives `label` to the voxels inside the contours; returns the label of a voxel that had another one.
pub(super) fn fill(
    name: &str,
    contours: &[&Contour],
    mask: &mut LabelMap,
    label: u32,
) -> Result<Option<u32>, MaskProblem> {
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
    let reach =
        stated.map_or_else(|| distance_of(&planes), |thickness| thickness / grid.spacing()[axis]).max(1.0) / 2.0;
    let [u_axis, v_axis] = in_plane(axis);
    let size = grid.size();
    let strides = strides(&grid);
    let (mut overlapped, mut painted) = (None, 0_usize);
    let slices = nearest_planes(&planes, size[axis], reach);
    for (plane, slices) in planes.iter().zip(slices) {
        if slices.is_empty() {
            continue;
        }
        let runs = plane.runs(size[u_axis], size[v_axis]);
        for (slice, run) in slices.iter().flat_map(|slice| runs.iter().map(move |run| (slice, run))) {
            let row = slice * strides[axis] + run.v * strides[v_axis];
            for u in run.start..run.end {
                let voxel = &mut mask.as_mut_slice()[row + u * strides[u_axis]];
                if *voxel != 0 && *voxel != label {
                    overlapped.get_or_insert(*voxel);
                }
                *voxel = label;
                painted += 1;
            }
        }
    }
    if painted == 0 {
        return Err(MaskProblem::Outside { name: name.to_owned() });
    }
    Ok(overlapped)
}

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
    const EQUAL: f64 = 0.05;
    let gaps: Vec<f64> = planes.windows(2).map(|pair| pair[1].position - pair[0].position).collect();
    let smallest = gaps.iter().copied().fold(f64::INFINITY, f64::min);
    let equal = gaps.iter().filter(|&&gap| gap <= smallest * (1.0 + EQUAL)).count();
    if equal >= 2 && 2 * equal >= gaps.len() { smallest } else { 1.0 }
}

/// For each plane the slices that take its contours: those to which it is the nearest plane, at most `reach` away.
fn nearest_planes(planes: &[Plane], slices: usize, reach: f64) -> Vec<Vec<usize>> {
    const ROUNDING: f64 = 1e-6;
    let mut taken = vec![Vec::new(); planes.len()];
    for slice in 0..slices {
        let distance = |&index: &usize| (planes[index].position - slice as f64).abs();
        // Planes are in order, so the nearest is the last one before the slice or the first one behind it.
        let after = planes.partition_point(|plane| plane.position < slice as f64);
        let neighbours = after.saturating_sub(1)..(after + 1).min(planes.len());
        let nearest = neighbours.min_by(|a, b| distance(a).total_cmp(&distance(b)));
        if let Some(index) = nearest.filter(|index| distance(index) <= reach + ROUNDING) {
            taken[index].push(slice);
        }
    }
    taken
}

impl Plane {
    /// The voxels whose centres lie inside by the even-odd rule, row by row.
    fn runs(&self, columns: usize, rows: usize) -> Vec<Run> {
        let mut edges: Vec<Edge> = self.polygons.iter().flat_map(|polygon| edges(polygon)).collect();
        edges.sort_by(|a, b| a.upper[1].total_cmp(&b.upper[1]));
        let mut waiting = edges.into_iter().peekable();
        let mut active: Vec<Edge> = Vec::new();
        let mut crossings = Vec::new();
        let mut runs = Vec::new();
        for v in 0..rows {
            let row = v as f64;
            while let Some(edge) = waiting.next_if(|edge| edge.upper[1] <= row) {
                active.push(edge);
            }
            active.retain(|edge| edge.lower[1] > row);
            crossings.clear();
            crossings.extend(active.iter().map(|edge| edge.crossing(row)));
            crossings.sort_by(f64::total_cmp);
            for pair in crossings.chunks_exact(2) {
                let [start, end] = [pair[0], pair[1]].map(|u| u.ceil().clamp(0.0, columns as f64) as usize);
                if start < end {
                    runs.push(Run { v, start, end });
                }
            }
        }
        runs
    }
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
