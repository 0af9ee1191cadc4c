//! Largest distances between the points of a surface.

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

/// The largest distance in mm between two points with the same coordinate on `axis`; 0 when no two share one. `spacing`
/// is (z, y, x).
pub(crate) fn largest_in_planes(points: &[HalfPoint], axis: usize, spacing: [f64; 3]) -> f64 {
    let mut largest = 0.0;
    for_each_plane(points, axis, |plane| largest = f64::max(largest, largest_squared_distance(plane, spacing)));
    largest.sqrt()
}

/// The largest distance in mm between two points. `spacing` is (z, y, x).
///
/// Only a corner of a plane's convex hull can be an end of the longest line, in the planes across each of the axes;
/// scaling the axes does not change which points are corners, so hulls are found in whole numbers.
pub(crate) fn largest(points: &[HalfPoint], spacing: [f64; 3]) -> f64 {
    largest_squared_distance(&plane_corners(points), spacing).sqrt()
}

/// The points that are corners of the convex hulls of those in a plane, in the planes across each of the axes: every
/// corner of the convex hull of all is among them.
pub(crate) fn plane_corners(points: &[HalfPoint]) -> Vec<HalfPoint> {
    let mut corners = points.to_vec();
    for axis in [0, 1, 2, 0] {
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

fn largest_squared_distance(points: &[HalfPoint], spacing: [f64; 3]) -> f64 {
    let positions: Vec<[f64; 3]> =
        points.iter().map(|point| std::array::from_fn(|axis| f64::from(point[axis]) * 0.5 * spacing[axis])).collect();
    let mut largest = 0.0;
    for (index, a) in positions.iter().enumerate() {
        for b in &positions[index + 1..] {
            let (dz, dy, dx) = (a[0] - b[0], a[1] - b[1], a[2] - b[2]);
            largest = f64::max(largest, dz * dz + dy * dy + dx * dx);
        }
    }
    largest
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn hulls_lose_no_diameter(points in prop::collection::vec([-6i32..6, -6i32..6, -6i32..6], 1..60), sz in 0.5f64..4.0, sx in 0.5f64..2.0) {
            let spacing = [sz, 1.0, sx];
            prop_assert_eq!(largest(&points, spacing), largest_squared_distance(&points, spacing).sqrt());
            for axis in 0..3 {
                let mut all = 0.0;
                for a in &points {
                    let plane: Vec<HalfPoint> = points.iter().copied().filter(|b| b[axis] == a[axis]).collect();
                    all = f64::max(all, largest_squared_distance(&plane, spacing));
                }
                prop_assert_eq!(largest_in_planes(&points, axis, spacing), all.sqrt());
            }
        }
    }
}
