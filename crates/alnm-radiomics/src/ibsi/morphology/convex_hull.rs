//! Convex hulls of points on a lattice, in whole numbers and therefore without tolerances.

/// A point in half voxels, (z, y, x).
pub(crate) type LatticePoint = [i32; 3];

/// A convex hull as triangles.
#[derive(Debug, Clone)]
pub(crate) struct ConvexHull {
    points: Vec<LatticePoint>,
    /// Corners as indices into `points`, counter-clockwise from outside.
    faces: Vec<[usize; 3]>,
}

/// A face with the points that lie outside of it and are still to be added.
struct Face {
    corners: [usize; 3],
    outside: Vec<usize>,
}

impl ConvexHull {
    /// The hull of points of which four are not in one plane; `None` when all are.
    ///
    /// Quickhull (Barber, Dobkin, Huhdanpaa 1996, doi 10.1145/235815.235821): the farthest point outside a face is
    /// added, the faces that it sees make way for those between it and the edges around them. A point in the plane of a
    /// face does not see it, so the hull may have several faces in one plane.
    pub(crate) fn new(points: Vec<LatticePoint>) -> Option<Self> {
        let simplex = simplex(&points)?;
        let [a, b, c, d] = simplex;
        let mut done: Vec<Face> = Vec::new();
        let mut open: Vec<Face> =
            [[a, b, c], [a, d, b], [b, d, c], [c, d, a]].map(|corners| Face { corners, outside: Vec::new() }).into();
        let others: Vec<usize> = (0..points.len()).filter(|index| !simplex.contains(index)).collect();
        distribute(&points, &mut open, others);
        while let Some(face) = open.pop() {
            let height = |index: &usize| above(&points, face.corners, *index);
            // The last of equally far points, so that the hull does not depend on how points were handed down.
            let Some(farthest) = face.outside.iter().copied().max_by_key(|index| (height(index), *index)) else {
                done.push(face);
                continue;
            };
            let mut visible = vec![face];
            for faces in [&mut open, &mut done] {
                let (seen, hidden) =
                    std::mem::take(faces).into_iter().partition(|face| above(&points, face.corners, farthest) > 0);
                *faces = hidden;
                visible.extend::<Vec<Face>>(seen);
            }
            let edges: Vec<[usize; 2]> = visible.iter().flat_map(|face| edges(face.corners)).collect();
            let horizon = edges.iter().filter(|[from, to]| !edges.contains(&[*to, *from]));
            let mut added: Vec<Face> =
                horizon.map(|&[from, to]| Face { corners: [from, to, farthest], outside: Vec::new() }).collect();
            let orphans =
                visible.into_iter().flat_map(|face| face.outside).filter(|index| *index != farthest).collect();
            distribute(&points, &mut added, orphans);
            open.extend(added);
        }
        Some(Self { points, faces: done.into_iter().map(|face| face.corners).collect() })
    }

    /// The corners, each once, in mm; `spacing` is (z, y, x).
    pub(crate) fn vertices(&self, spacing: [f64; 3]) -> Vec<[f64; 3]> {
        let mut corners: Vec<usize> = self.faces.iter().flatten().copied().collect();
        corners.sort_unstable();
        corners.dedup();
        corners.into_iter().map(|index| position(self.points[index], spacing)).collect()
    }

    /// The triangles in mm.
    pub(crate) fn triangles(&self, spacing: [f64; 3]) -> impl Iterator<Item = [[f64; 3]; 3]> + '_ {
        self.faces.iter().map(move |corners| corners.map(|index| position(self.points[index], spacing)))
    }

    /// Whole-number normals of the faces in half voxels, each direction once.
    pub(crate) fn normals(&self) -> Vec<[i64; 3]> {
        let mut normals: Vec<[i64; 3]> = self
            .faces
            .iter()
            .map(|&[a, b, c]| {
                let normal = cross(minus(self.points[b], self.points[a]), minus(self.points[c], self.points[a]));
                let divisor = normal.into_iter().fold(0, |divisor, n| greatest_common_divisor(divisor, n.abs())).max(1);
                // Opposite faces make the same box.
                let sign = normal.into_iter().find(|n| *n != 0).map_or(1, i64::signum);
                normal.map(|n| n / divisor * sign)
            })
            .collect();
        normals.sort_unstable();
        normals.dedup();
        normals
    }

    /// Volume in mm³.
    pub(crate) fn volume(&self, spacing: [f64; 3]) -> f64 {
        self.triangles(spacing).map(|[a, b, c]| dot(a, cross(b, c)) / 6.0).sum::<f64>().abs()
    }

    /// Area in mm².
    pub(crate) fn area(&self, spacing: [f64; 3]) -> f64 {
        let area = |[a, b, c]: [[f64; 3]; 3]| {
            let normal = cross(std::array::from_fn(|k| b[k] - a[k]), std::array::from_fn(|k| c[k] - a[k]));
            0.5 * dot(normal, normal).sqrt()
        };
        self.triangles(spacing).map(area).sum()
    }
}

/// Puts each point into the list of the first face that it lies outside of; points inside all faces are dropped.
fn distribute(points: &[LatticePoint], faces: &mut [Face], indices: Vec<usize>) {
    for index in indices {
        if let Some(face) = faces.iter_mut().find(|face| above(points, face.corners, index) > 0) {
            face.outside.push(index);
        }
    }
}

fn edges([a, b, c]: [usize; 3]) -> [[usize; 2]; 3] {
    [[a, b], [b, c], [c, a]]
}

/// Six times the signed volume between a face and a point; positive outside.
fn above(points: &[LatticePoint], [a, b, c]: [usize; 3], index: usize) -> i64 {
    let from = |to: usize| minus(points[to], points[a]);
    dot(cross(from(b), from(c)), from(index))
}

/// Four points that are not in one plane, the fourth below the first three seen counter-clockwise.
fn simplex(points: &[LatticePoint]) -> Option<[usize; 4]> {
    let indices = 0..points.len();
    let a = indices.clone().next()?;
    let squared = |v: [i64; 3]| dot(v, v);
    let b = indices.clone().max_by_key(|&index| squared(minus(points[index], points[a])))?;
    let away = |index: usize| squared(cross(minus(points[b], points[a]), minus(points[index], points[a])));
    let c = indices.clone().max_by_key(|&index| away(index)).filter(|&c| away(c) > 0)?;
    let d = indices.max_by_key(|&index| above(points, [a, b, c], index).abs())?;
    match above(points, [a, b, c], d) {
        0 => None,
        height if height > 0 => Some([a, c, b, d]),
        _ => Some([a, b, c, d]),
    }
}

fn greatest_common_divisor(a: i64, b: i64) -> i64 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

fn minus(a: LatticePoint, b: LatticePoint) -> [i64; 3] {
    std::array::from_fn(|axis| i64::from(a[axis]) - i64::from(b[axis]))
}

fn position(point: LatticePoint, spacing: [f64; 3]) -> [f64; 3] {
    std::array::from_fn(|axis| f64::from(point[axis]) * 0.5 * spacing[axis])
}

fn dot<T: Copy + std::ops::Mul<Output = T> + std::ops::Add<Output = T>>(a: [T; 3], b: [T; 3]) -> T {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

fn cross<T: Copy + std::ops::Mul<Output = T> + std::ops::Sub<Output = T>>(a: [T; 3], b: [T; 3]) -> [T; 3] {
    [a[1] * b[2] - b[1] * a[2], a[2] * b[0] - b[2] * a[0], a[0] * b[1] - b[0] * a[1]]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_hull_of_a_box_is_the_box() {
        let points: Vec<LatticePoint> = (0..4 * 5 * 6).map(|i| [i / 30, i / 6 % 5, i % 6]).collect();
        let hull = ConvexHull::new(points).unwrap();
        approx::assert_relative_eq!(hull.volume([2.0; 3]), 60.0, max_relative = 1e-14);
        approx::assert_relative_eq!(hull.area([2.0; 3]), 2.0 * (12.0 + 15.0 + 20.0), max_relative = 1e-14);
        assert_eq!(hull.normals(), [[0, 0, 1], [0, 1, 0], [1, 0, 0]]);
    }

    #[test]
    fn a_plane_has_no_hull() {
        assert!(ConvexHull::new((0..20).map(|i| [i % 5, i / 5, 3]).collect()).is_none());
        assert!(ConvexHull::new(vec![[1, 2, 3]; 4]).is_none());
        assert!(ConvexHull::new(Vec::new()).is_none());
    }

    proptest! {
        #[test]
        fn no_point_lies_outside_and_the_hull_is_closed(points in prop::collection::vec(prop::array::uniform3(-6i32..6), 4..80)) {
            let Some(hull) = ConvexHull::new(points) else { return Ok(()) };
            let edges: Vec<[usize; 2]> = hull.faces.iter().flat_map(|face| edges(*face)).collect();
            for [from, to] in &edges {
                prop_assert_eq!(edges.iter().filter(|edge| **edge == [*to, *from]).count(), 1);
            }
            for &face in &hull.faces {
                prop_assert!((0..hull.points.len()).all(|index| above(&hull.points, face, index) <= 0));
            }
        }
    }
}
