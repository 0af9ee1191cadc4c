//! The smallest box around a convex hull, turned as needed.

use rayon::prelude::*;

use super::convex_hull::{ConvexHull, HullEdge};
use crate::diameter::monotone_chain;

/// Lengths of a box's edges in mm.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct BoxEdges(pub(crate) [f64; 3]);

impl BoxEdges {
    /// The product of the edges.
    pub(crate) fn volume(self) -> f64 {
        self.0.iter().product()
    }

    /// Twice the sum of the faces.
    pub(crate) fn area(self) -> f64 {
        let [a, b, c] = self.0;
        2.0 * (a * b + a * c + b * c)
    }

    /// The box of least volume that has a face in the plane of a face of the hull. The least of all boxes may have only
    /// edges of the hull in its faces (O'Rourke 1985) and be a little smaller.
    pub(crate) fn of_least_volume_around(hull: &ConvexHull, spacing: [f64; 3]) -> Self {
        let planes = hull.planes();
        // Planes turn with their spacing inverted.
        let turned = |normal: &[i64; 3]| normalised(std::array::from_fn(|axis| normal[axis] as f64 / spacing[axis]));
        let shape = HullShape {
            positions: hull.positions(spacing),
            corners: hull.vertices(spacing),
            normals: planes.normals.iter().map(turned).collect(),
            edges: planes.edges,
        };
        // Opposite faces make the same box.
        let is_first = |normal: &&[i64; 3]| normal.iter().find(|n| **n != 0).is_none_or(|n| *n > 0);
        let opposite = |normal: &[i64; 3]| normal.map(|n| -n);
        let across: Vec<[f64; 3]> = planes
            .normals
            .iter()
            .filter(|normal| is_first(normal) || planes.normals.binary_search(&opposite(normal)).is_err())
            .map(turned)
            .collect();
        let boxes: Vec<Self> = across.into_par_iter().map(|normal| shape.box_across(normal)).collect();
        boxes
            .into_iter()
            .reduce(|best, other| if other.volume() < best.volume() { other } else { best })
            .unwrap_or(Self([f64::NAN; 3]))
    }
}

/// A hull in mm.
struct HullShape {
    /// Of all points that edges refer to.
    positions: Vec<[f64; 3]>,
    corners: Vec<[f64; 3]>,
    /// Of unit length, outwards.
    normals: Vec<[f64; 3]>,
    edges: Vec<HullEdge>,
}

impl HullShape {
    /// The box of least volume with a face across `normal`: the least rectangle around the projection has an edge along
    /// an edge of the projection's outline.
    fn box_across(&self, normal: [f64; 3]) -> BoxEdges {
        let across = if normal[0].abs() < 0.6 { [1.0, 0.0, 0.0] } else { [0.0, 1.0, 0.0] };
        let u = normalised(cross(normal, across));
        let v = cross(normal, u);
        let height = extent(self.corners.iter().map(|corner| dot(*corner, normal)));
        let silhouette = self.silhouette(normal).flat_map(|edge| edge.corners.map(|corner| self.positions[corner]));
        let outline = outline(silhouette.map(|point| [dot(point, u), dot(point, v)]).collect());
        let rectangles = (0..outline.len()).map(|corner| {
            let (from, to) = (outline[corner], outline[(corner + 1) % outline.len()]);
            let [along_u, along_v] = [to[0] - from[0], to[1] - from[1]];
            let length = along_u.hypot(along_v);
            let (cosine, sine) = (along_u / length, along_v / length);
            let along = extent(outline.iter().map(|point| point[0] * cosine + point[1] * sine));
            let across = extent(outline.iter().map(|point| point[1] * cosine - point[0] * sine));
            [along, across]
        });
        let least = rectangles.min_by(|a, b| (a[0] * a[1]).total_cmp(&(b[0] * b[1]))).unwrap_or([f64::NAN; 2]);
        BoxEdges([height, least[0], least[1]])
    }

    /// The edges between planes that face a direction and planes that face away from it: only their projections can be
    /// edges of the projection's outline.
    fn silhouette(&self, direction: [f64; 3]) -> impl Iterator<Item = &HullEdge> {
        // Planes along the direction count as facing both ways.
        const ROUNDING: f64 = 1e-9;
        let facing: Vec<f64> = self.normals.iter().map(|normal| dot(*normal, direction)).collect();
        self.edges.iter().filter(move |edge| {
            let [a, b] = edge.planes.map(|plane| facing[plane]);
            a.min(b) <= ROUNDING && a.max(b) >= -ROUNDING
        })
    }
}

/// Corners of the convex hull of points in a plane.
fn outline(mut points: Vec<[f64; 2]>) -> Vec<[f64; 2]> {
    points.sort_unstable_by(|a, b| a[0].total_cmp(&b[0]).then(a[1].total_cmp(&b[1])));
    points.dedup();
    let turn = |o: &[f64; 2], a: &[f64; 2], b: &[f64; 2]| (a[0] - o[0]) * (b[1] - o[1]) - (a[1] - o[1]) * (b[0] - o[0]);
    monotone_chain(&points, |o, a, b| turn(o, a, b) <= 0.0)
}

fn extent(values: impl Iterator<Item = f64>) -> f64 {
    let (low, high) =
        values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
    high - low
}

fn dot(a: [f64; 3], b: [f64; 3]) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

fn cross(a: [f64; 3], b: [f64; 3]) -> [f64; 3] {
    [a[1] * b[2] - b[1] * a[2], a[2] * b[0] - b[2] * a[0], a[0] * b[1] - b[0] * a[1]]
}

fn normalised(v: [f64; 3]) -> [f64; 3] {
    let length = dot(v, v).sqrt();
    v.map(|component| component / length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turned_box_is_found() {
        // A cuboid with edges along (1, 2, 2), (2, 1, -2) and (2, -2, 1), whose lengths are 3, 6 and 9.
        let axes = [[1, 2, 2], [4, 2, -4], [6, -6, 3]];
        let corner = |c: usize| {
            std::array::from_fn(|axis| (0..3).map(|edge| if c >> edge & 1 == 1 { axes[edge][axis] } else { 0 }).sum())
        };
        let hull = ConvexHull::new((0..8).map(corner).collect()).unwrap();
        let least = BoxEdges::of_least_volume_around(&hull, [2.0; 3]);
        approx::assert_relative_eq!(least.volume(), 162.0, max_relative = 1e-12);
        approx::assert_relative_eq!(least.area(), 2.0 * (18.0 + 27.0 + 54.0), max_relative = 1e-12);
    }

    #[test]
    fn spacing_stretches_the_box() {
        let hull = ConvexHull::new((0..8).map(|c| [c & 1, c >> 1 & 1, c >> 2].map(|n| 2 * n)).collect()).unwrap();
        let mut edges = BoxEdges::of_least_volume_around(&hull, [3.0, 1.0, 2.0]).0;
        edges.sort_by(f64::total_cmp);
        for (edge, expected) in edges.into_iter().zip([1.0, 2.0, 3.0]) {
            approx::assert_relative_eq!(edge, expected, max_relative = 1e-12);
        }
    }
}
