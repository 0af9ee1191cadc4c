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

/// The planes of a hull's faces, and the edges between them.
#[derive(Debug, Clone)]
pub(crate) struct HullPlanes {
    /// Whole-number normals in half voxels, outwards, each once.
    pub(crate) normals: Vec<[i64; 3]>,
    pub(crate) edges: Vec<HullEdge>,
}

/// An edge where two planes meet.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HullEdge {
    /// Its ends, as indices of points.
    pub(crate) corners: [usize; 2],
    /// Its planes, as indices of normals.
    pub(crate) planes: [usize; 2],
}

/// A face of a hull that grows.
struct Face {
    corners: [usize; 3],
    /// The faces across the edges from each corner to the next.
    neighbours: [usize; 3],
    /// The points that lie outside of it and are still to be added.
    outside: Vec<usize>,
    /// Whether it is a face of the hull still.
    is_kept: bool,
}

/// An edge between a face that a point sees and one that it does not see.
struct HorizonEdge {
    from: usize,
    to: usize,
    /// The face that is not seen.
    beyond: usize,
}

impl ConvexHull {
    /// The hull of points of which four are not in one plane; `None` when all are.
    ///
    /// Quickhull (Barber, Dobkin, Huhdanpaa 1996, doi 10.1145/235815.235821): the farthest point outside a face is
    /// added, the faces that it sees make way for those between it and the edges around them. A point in the plane of a
    /// face does not see it, so the hull may have several faces in one plane. Faces that a point sees lie together, so
    /// they are found from one to the next.
    pub(crate) fn new(points: Vec<LatticePoint>) -> Option<Self> {
        let simplex = simplex(&points)?;
        let [a, b, c, d] = simplex;
        let face = |corners, neighbours| Face { corners, neighbours, outside: Vec::new(), is_kept: true };
        let mut faces = vec![
            face([a, b, c], [1, 2, 3]),
            face([a, d, b], [3, 2, 0]),
            face([b, d, c], [1, 3, 0]),
            face([c, d, a], [2, 1, 0]),
        ];
        let others: Vec<usize> = (0..points.len()).filter(|index| !simplex.contains(index)).collect();
        distribute(&points, &mut faces, others);
        // For each point the face that was added from its edge on the horizon.
        let mut face_from = vec![0; points.len()];
        let mut open: Vec<usize> = (0..faces.len()).collect();
        while let Some(id) = open.pop() {
            let height = |index: &usize| above(&points, faces[id].corners, *index);
            // The last of equally far points, so that the hull does not depend on how points were handed down.
            let farthest = faces[id].outside.iter().copied().max_by_key(|index| (height(index), *index));
            let Some(farthest) = farthest.filter(|_| faces[id].is_kept) else { continue };
            let (visible, horizon) = seen_from(&points, &mut faces, id, farthest);
            let first = faces.len();
            for (place, edge) in horizon.iter().enumerate() {
                face_from[edge.from] = first + place;
                faces.push(face([edge.from, edge.to, farthest], [edge.beyond, 0, 0]));
            }
            for (place, edge) in horizon.iter().enumerate() {
                let (own, next) = (first + place, face_from[edge.to]);
                faces[own].neighbours[1] = next;
                faces[next].neighbours[2] = own;
                let across = edges(faces[edge.beyond].corners).iter().position(|other| *other == [edge.to, edge.from]);
                if let Some(across) = across {
                    faces[edge.beyond].neighbours[across] = own;
                }
            }
            let orphans: Vec<usize> = visible.iter().flat_map(|&id| std::mem::take(&mut faces[id].outside)).collect();
            let orphans = orphans.into_iter().filter(|index| *index != farthest).collect();
            distribute(&points, &mut faces[first..], orphans);
            open.extend(first..faces.len());
        }
        let faces = faces.into_iter().filter(|face| face.is_kept).map(|face| face.corners).collect();
        Some(Self { points, faces })
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

    /// The faces as planes, with the edges where two of them meet.
    pub(crate) fn planes(&self) -> HullPlanes {
        let of_faces: Vec<[i64; 3]> = self.faces.iter().map(|face| self.normal(*face)).collect();
        let mut normals = of_faces.clone();
        normals.sort_unstable();
        normals.dedup();
        let plane = |face: usize| normals.partition_point(|normal| *normal < of_faces[face]);
        let of_face = |(face, corners): (usize, &[usize; 3])| {
            edges(*corners).map(|[from, to]| ([from.min(to), from.max(to)], plane(face)))
        };
        let mut edges: Vec<([usize; 2], usize)> = self.faces.iter().enumerate().flat_map(of_face).collect();
        edges.sort_unstable();
        let between = edges.chunk_by(|a, b| a.0 == b.0).filter_map(|sides| match sides {
            [(corners, first), (_, second)] if first != second => {
                Some(HullEdge { corners: *corners, planes: [*first, *second] })
            }
            _ => None,
        });
        HullPlanes { edges: between.collect(), normals }
    }

    /// The positions of all points in mm, to which the corners of edges refer; `spacing` is (z, y, x).
    pub(crate) fn positions(&self, spacing: [f64; 3]) -> Vec<[f64; 3]> {
        self.points.iter().map(|point| position(*point, spacing)).collect()
    }

    /// The whole-number normal of a face in half voxels, outwards and without a common divisor.
    fn normal(&self, [a, b, c]: [usize; 3]) -> [i64; 3] {
        let normal = cross(minus(self.points[b], self.points[a]), minus(self.points[c], self.points[a]));
        let divisor = normal.into_iter().fold(0, |divisor, n| greatest_common_divisor(divisor, n.abs())).max(1);
        normal.map(|n| n / divisor)
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

/// Takes away the faces that a point outside of the face `id` sees; gives them and the edges around them.
fn seen_from(points: &[LatticePoint], faces: &mut [Face], id: usize, point: usize) -> (Vec<usize>, Vec<HorizonEdge>) {
    faces[id].is_kept = false;
    let (mut visible, mut horizon) = (vec![id], Vec::new());
    let mut next = 0;
    while let Some(&id) = visible.get(next) {
        next += 1;
        let (corners, neighbours) = (faces[id].corners, faces[id].neighbours);
        for ([from, to], neighbour) in edges(corners).into_iter().zip(neighbours) {
            if !faces[neighbour].is_kept {
                continue;
            }
            if above(points, faces[neighbour].corners, point) > 0 {
                faces[neighbour].is_kept = false;
                visible.push(neighbour);
            } else {
                horizon.push(HorizonEdge { from, to, beyond: neighbour });
            }
        }
    }
    (visible, horizon)
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
        let planes = hull.planes();
        assert_eq!(planes.normals, [[-1, 0, 0], [0, -1, 0], [0, 0, -1], [0, 0, 1], [0, 1, 0], [1, 0, 0]]);
        assert!(planes.edges.len() >= 12);
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
