//! Largest distances between the points of a surface.

use alnm_imaging::vectorised;

/// A point of the surface in half voxels, (z, y, x).
pub(crate) type HalfPoint = [i32; 3];

/// The points of the surface between a mask and its outside: the middles between voxels that share a face, of which one
/// is in the mask. Positions are in half voxels from the first voxel's centre. `shape` is (z, y, x).
pub(crate) fn surface_points(mask: &[bool], shape: [usize; 3]) -> Vec<HalfPoint> {
    let strides = [shape[1] * shape[2], shape[2], 1];
    let mut points = Vec::new();
    for axis in 0..3 {
        let (first, second) = ((axis + 1) % 3, (axis + 2) % 3);
        for i in 0..shape[first] {
            for j in 0..shape[second] {
                let start = i * strides[first] + j * strides[second];
                let mut before = false;
                for k in 0..=shape[axis] {
                    let inside = k < shape[axis] && mask[start + k * strides[axis]];
                    if inside != before {
                        let mut point = [0; 3];
                        point[axis] = 2 * k as i32 - 1;
                        point[first] = 2 * i as i32;
                        point[second] = 2 * j as i32;
                        points.push(point);
                    }
                    before = inside;
                }
            }
        }
    }
    points
}

/// The points of the surface between a mask and its outside that can be corners of a convex hull in a plane: the first
/// and the last along each line of the plane.
#[derive(Debug)]
pub(crate) struct Outline {
    /// In planes across z, y and x: ascending by the plane, then by z (across z by y), then by the remaining axis.
    across: [Vec<HalfPoint>; 3],
}

/// The lines of the planes across an axis, and along what their points lie.
const LINES: [[usize; 2]; 3] = [[1, 2], [0, 2], [0, 1]];

/// Stands for the first place of a line without one.
const NONE: i32 = i32::MAX;

/// The first and the last of the places that are marked on each of many lines.
#[derive(Debug, Clone)]
struct LineEnds {
    first: Vec<i32>,
    last: Vec<i32>,
}

impl LineEnds {
    fn new(lines: usize) -> Self {
        Self { first: vec![NONE; lines], last: vec![0; lines] }
    }

    /// The ends of a line, one where both are the same, none on a line without marks.
    fn of(&self, line: usize) -> impl Iterator<Item = i32> {
        let [first, last] = [self.first[line], self.last[line]];
        (first != NONE).then_some(first).into_iter().chain((first != NONE && first != last).then_some(last))
    }
}

impl Outline {
    /// `shape` is (z, y, x).
    pub(crate) fn new(mask: &[bool], shape: [usize; 3]) -> Self {
        let [depth, height, width] = shape;
        let outside = vec![false; width];
        // Rows are counted from -1, the outside, on.
        let row = |z: isize, y: isize| -> &[bool] {
            let within = (0..depth as isize).contains(&z) && (0..height as isize).contains(&y);
            if within { &mask[(z as usize * height + y as usize) * width..][..width] } else { &outside }
        };
        let (planes, rows, arch) = (2 * depth + 1, 2 * height + 1, pulp::Arch::new());
        // Lines along x, and for each plane across z lines along y at the voxels and between them.
        let mut along_x = LineEnds::new(planes * rows);
        let mut along_y = Vec::with_capacity(planes);
        let mut differs = vec![false; width + 1];
        for half_z in 0..planes {
            let (z, z_between) = (half_z.div_ceil(2) as isize, half_z % 2 == 0);
            let (mut at_voxels, mut between) = (LineEnds::new(width), LineEnds::new(width + 1));
            for half_y in 0..rows {
                let (y, y_between) = (half_y.div_ceil(2) as isize, half_y % 2 == 0);
                let at = half_y as i32 - 1;
                let (own, other) = match (z_between, y_between) {
                    (true, true) => continue,
                    (true, false) => (row(z, y - 1), row(z - 1, y - 1)),
                    (false, true) => (row(z - 1, y), row(z - 1, y - 1)),
                    (false, false) => (row(z - 1, y - 1), &outside[..]),
                };
                let is_between = !z_between && !y_between;
                if is_between {
                    vectorised!(arch, mark_changes(own, &mut differs, &mut between, at));
                } else {
                    vectorised!(arch, mark_differences(own, other, &mut differs, &mut at_voxels, at));
                }
                let marked = &differs[..width + usize::from(is_between)];
                let Some(first) = marked.iter().position(|&marked| marked) else { continue };
                let last = marked.iter().rposition(|&marked| marked).unwrap_or(first);
                let half = |place: usize| 2 * place as i32 - i32::from(is_between);
                along_x.first[half_z * rows + half_y] = half(first);
                along_x.last[half_z * rows + half_y] = half(last);
            }
            along_y.push((at_voxels, between));
        }
        let on_row = |z: usize, y: usize| along_x.of(z * rows + y).map(move |x| [z as i32 - 1, y as i32 - 1, x]);
        let on_column = |z: usize, x: usize| {
            let (at_voxels, between) = &along_y[z];
            let lines = if x.is_multiple_of(2) { between } else { at_voxels };
            lines.of(x / 2).map(move |y| [z as i32 - 1, y, x as i32 - 1])
        };
        let (on_row, on_column) = (&on_row, &on_column);
        let across_z = (0..planes).flat_map(|z| (0..rows).flat_map(move |y| on_row(z, y)));
        let across_y = (0..rows).flat_map(|y| (0..planes).flat_map(move |z| on_row(z, y)));
        let across_x = (0..=2 * width).flat_map(|x| (0..planes).flat_map(move |z| on_column(z, x)));
        Self { across: [across_z.collect(), across_y.collect(), across_x.collect()] }
    }

    /// The largest distance in mm between two points with the same coordinate on `axis`; 0 when no two share one.
    /// `spacing` is (z, y, x).
    pub(crate) fn largest_in_planes(&self, axis: usize, spacing: [f64; 3]) -> f64 {
        let mut largest = 0.0;
        self.for_each_plane(axis, |plane| largest = f64::max(largest, largest_squared_distance(plane, spacing)));
        largest.sqrt()
    }

    /// The largest distance in mm between two points. `spacing` is (z, y, x).
    pub(crate) fn largest(&self, spacing: [f64; 3]) -> f64 {
        let mut corners = Vec::new();
        self.for_each_plane(0, |plane| corners.extend_from_slice(plane));
        largest_squared_distance(&corners_in_planes(corners, &[1, 2, 0]), spacing).sqrt()
    }

    /// Calls `visit` with the corners of the convex hull of the points in each plane across `axis`.
    fn for_each_plane(&self, axis: usize, mut visit: impl FnMut(&[HalfPoint])) {
        let [first, second] = LINES[axis];
        for plane in self.across[axis].chunk_by(|a, b| a[axis] == b[axis]) {
            visit(&hull_corners(plane, first, second));
        }
    }
}

/// Marks where two rows differ, and notes `at` as a place on the lines across them.
#[inline(always)]
fn mark_differences(own: &[bool], other: &[bool], differs: &mut [bool], lines: &mut LineEnds, at: i32) {
    let lines = lines.first.iter_mut().zip(&mut lines.last);
    for ((differs, (&own, &other)), (first, last)) in differs.iter_mut().zip(own.iter().zip(other)).zip(lines) {
        *differs = own != other;
        *first = if *differs & (*first == NONE) { at } else { *first };
        *last = if *differs { at } else { *last };
    }
}

/// Marks where a row goes into the mask or out of it: place k is before voxel k. Notes `at` as a place on the lines
/// there.
#[inline(always)]
fn mark_changes(row: &[bool], differs: &mut [bool], lines: &mut LineEnds, at: i32) {
    let width = row.len();
    differs[0] = row[0];
    differs[width] = row[width - 1];
    for (differs, (&own, &other)) in differs[1..width].iter_mut().zip(row[1..].iter().zip(row)) {
        *differs = own != other;
    }
    let lines = lines.first.iter_mut().zip(&mut lines.last);
    for (&differs, (first, last)) in differs.iter().zip(lines) {
        *first = if differs & (*first == NONE) { at } else { *first };
        *last = if differs { at } else { *last };
    }
}

/// The largest distance in mm between two points. `spacing` is (z, y, x).
pub(crate) fn largest(points: &[HalfPoint], spacing: [f64; 3]) -> f64 {
    largest_squared_distance(&plane_corners(points), spacing).sqrt()
}

/// The points that are corners of the convex hulls of those in a plane, in the planes across each of the axes: every
/// corner of the convex hull of all is among them.
pub(crate) fn plane_corners(points: &[HalfPoint]) -> Vec<HalfPoint> {
    corners_in_planes(points.to_vec(), &[0, 1, 2, 0])
}

/// The points that are corners of the convex hulls in the planes across each of the axes in turn.
///
/// Only a corner of a plane's convex hull can be an end of the longest line; scaling the axes does not change which
/// points are corners, so hulls are found in whole numbers.
fn corners_in_planes(mut corners: Vec<HalfPoint>, axes: &[usize]) -> Vec<HalfPoint> {
    for &axis in axes {
        let mut kept = Vec::new();
        for_each_plane(&corners, axis, |plane| kept.extend_from_slice(plane));
        corners = kept;
    }
    corners
}

/// Calls `visit` with the corners of the convex hull of the points in each plane across `axis`.
fn for_each_plane(points: &[HalfPoint], axis: usize, mut visit: impl FnMut(&[HalfPoint])) {
    let (first, second) = ((axis + 1) % 3, (axis + 2) % 3);
    let mut sorted = points.to_vec();
    sorted.sort_unstable_by_key(|point| (point[axis], point[first], point[second]));
    sorted.dedup();
    for plane in sorted.chunk_by(|a, b| a[axis] == b[axis]) {
        visit(&hull_corners(plane, first, second));
    }
}

/// Corners of the convex hull in the plane of two axes. `points` ascend by (`first`, `second`) and do not repeat.
fn hull_corners(points: &[HalfPoint], first: usize, second: usize) -> Vec<HalfPoint> {
    if points.len() < 3 {
        return points.to_vec();
    }
    let turn = |o: &HalfPoint, a: &HalfPoint, b: &HalfPoint| {
        let side = |p: &HalfPoint, axis: usize| i64::from(p[axis]) - i64::from(o[axis]);
        side(a, first) * side(b, second) - side(a, second) * side(b, first)
    };
    monotone_chain(points, |o, a, b| turn(o, a, b) <= 0)
}

/// Corners of the convex hull of points in a plane, by the monotone chain of Andrew 1979. `points` ascend and do not
/// repeat; `is_no_corner` says whether the way over three points fails to turn left at the second.
pub(crate) fn monotone_chain<P: Copy>(points: &[P], is_no_corner: impl Fn(&P, &P, &P) -> bool) -> Vec<P> {
    let mut hull: Vec<P> = Vec::new();
    let mut chain = |points: &mut dyn Iterator<Item = &P>| {
        let start = hull.len();
        for point in points {
            while hull.len() >= start + 2 && is_no_corner(&hull[hull.len() - 2], &hull[hull.len() - 1], point) {
                hull.pop();
            }
            hull.push(*point);
        }
        hull.pop();
    };
    chain(&mut points.iter());
    chain(&mut points.iter().rev());
    hull
}

/// Distances that are compared side by side.
const LANES: usize = 8;

fn largest_squared_distance(points: &[HalfPoint], spacing: [f64; 3]) -> f64 {
    let along =
        |axis: usize| -> Vec<f64> { points.iter().map(|point| f64::from(point[axis]) * 0.5 * spacing[axis]).collect() };
    let positions = [along(0), along(1), along(2)];
    vectorised!(pulp::Arch::new(), largest_squared(&positions))
}

/// The largest of the squared distances of points whose coordinates are given axis by axis; 0 without two points.
#[inline(always)]
fn largest_squared(positions: &[Vec<f64>; 3]) -> f64 {
    let [zs, ys, xs] = positions;
    let squared = |a: usize, b: usize| {
        let (dz, dy, dx) = (zs[a] - zs[b], ys[a] - ys[b], xs[a] - xs[b]);
        dz * dz + dy * dy + dx * dx
    };
    let mut largest = [0.0; LANES];
    let mut rest = 0.0;
    for a in 0..zs.len() {
        let whole = (zs.len() - a - 1) / LANES * LANES;
        for first in (a + 1..a + 1 + whole).step_by(LANES) {
            for lane in 0..LANES {
                let distance = squared(a, first + lane);
                largest[lane] = if distance > largest[lane] { distance } else { largest[lane] };
            }
        }
        for b in a + 1 + whole..zs.len() {
            rest = f64::max(rest, squared(a, b));
        }
    }
    largest.into_iter().fold(rest, f64::max)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn outlines_lose_no_diameter(
            shape in [1usize..5, 1usize..6, 1usize..8],
            seeds in prop::collection::vec(0u8..4, 140),
            sz in 0.5f64..4.0,
            sx in 0.5f64..2.0,
        ) {
            let mask: Vec<bool> = seeds[..shape.iter().product()].iter().map(|&seed| seed == 0).collect();
            let spacing = [sz, 1.0, sx];
            let (points, outline) = (surface_points(&mask, shape), Outline::new(&mask, shape));
            prop_assert_eq!(outline.largest(spacing), largest_squared_distance(&points, spacing).sqrt());
            for axis in 0..3 {
                let mut all = 0.0;
                for a in &points {
                    let plane: Vec<HalfPoint> = points.iter().copied().filter(|b| b[axis] == a[axis]).collect();
                    all = f64::max(all, largest_squared_distance(&plane, spacing));
                }
                prop_assert_eq!(outline.largest_in_planes(axis, spacing), all.sqrt());
            }
        }

        #[test]
        fn distances_side_by_side_are_those_one_by_one(points in prop::collection::vec([-60i32..60, -60i32..60, -60i32..60], 0..60), sz in 0.5f64..4.0) {
            let spacing = [sz, 1.0, 0.7];
            let mut expected = 0.0;
            for a in &points {
                for b in &points {
                    let squares: [f64; 3] = std::array::from_fn(|axis| {
                        let distance = f64::from(a[axis]) * 0.5 * spacing[axis] - f64::from(b[axis]) * 0.5 * spacing[axis];
                        distance * distance
                    });
                    expected = f64::max(expected, squares[0] + squares[1] + squares[2]);
                }
            }
            prop_assert_eq!(largest_squared_distance(&points, spacing), expected);
        }
    }
}
