//! Distances between elements of surface, as DeepMind's package `surface-distance` computes them.

use alnm_imaging::distance::squared_distances;
use alnm_imaging::region::Roi;
use ndarray::Array3;
use serde::Serialize;

use super::OutlineComparisonParams;

/// Distances in mm between the surfaces of a reference A and another outline B, as DeepMind's package
/// `surface-distance` 0.1 computes them for arrays in (z, y, x) order.
///
/// The surface passes between voxels: each point where eight voxels meet, not all of which are inside or outside,
/// carries an element of surface whose area in mm² is that of the triangles of marching cubes there. Distances run from
/// these points to the nearest such point of the other surface, and each counts with the area of its element. What lies
/// outside of the image is outside of the region. Slices and images of one slice have four pixels at a point, and
/// lengths of contours in mm for areas.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct SurfelDistances {
    /// Hausdorff distance: `compute_robust_hausdorff` at 100 per cent.
    pub hausdorff: f64,
    /// The larger of both sides' percentiles, 95 by default: `compute_robust_hausdorff`.
    pub robust_hausdorff: f64,
    /// Mean distance of the reference's surface to the other one: the first value of
    /// `compute_average_surface_distance`.
    pub mean_from_reference: f64,
    /// Mean distance of the other surface to the reference's: the second value of `compute_average_surface_distance`.
    pub mean_from_other: f64,
    /// Share of both surfaces that lies within the tolerance of the other one: `compute_surface_dice_at_tolerance`.
    pub surface_dice: f64,
    /// Share of the reference's surface within the tolerance: the first value of
    /// `compute_surface_overlap_at_tolerance`.
    pub overlap_of_reference: f64,
    /// Share of the other surface within the tolerance: the second value of `compute_surface_overlap_at_tolerance`.
    pub overlap_of_other: f64,
    /// Area of the reference's surface in mm², or length of its contour in mm.
    pub reference_area: f64,
    /// Area of the other surface in mm², or length of its contour in mm.
    pub other_area: f64,
}

impl SurfelDistances {
    /// Of two regions on the same grid.
    pub(super) fn between(reference: &Roi<'_>, other: &Roi<'_>, params: &OutlineComparisonParams) -> Self {
        let spacing = reference.geometry().spacing();
        let codes = [reference, other].map(|region| corner_codes(&region.mask().data().map(|&v| v == region.label())));
        let areas = if codes[0].dim().0 == 1 { contour_lengths(spacing) } else { surfel_areas(spacing) };
        let squared =
            codes.each_ref().map(|codes| squared_distances(&codes.map(|&code| areas.is_surface(code)), spacing));
        let [from_reference, from_other] =
            [(&codes[0], &squared[1]), (&codes[1], &squared[0])].map(|(codes, to)| Surfels::of(codes, to, &areas));
        let share = params.percentile / 100.0;
        let within = [&from_reference, &from_other].map(|surfels| surfels.area_within(params.tolerance));
        let (first, second) = (from_reference.area(), from_other.area());
        Self {
            hausdorff: from_reference.percentile(1.0).max(from_other.percentile(1.0)),
            robust_hausdorff: from_reference.percentile(share).max(from_other.percentile(share)),
            mean_from_reference: from_reference.mean(),
            mean_from_other: from_other.mean(),
            surface_dice: (within[0] + within[1]) / (first + second),
            overlap_of_reference: within[0] / first,
            overlap_of_other: within[1] / second,
            reference_area: first,
            other_area: second,
        }
    }
}

/// The elements of a surface, by ascending distance and then area.
struct Surfels(Vec<Surfel>);

#[derive(Clone, Copy)]
struct Surfel {
    distance: f64,
    area: f64,
}

impl Surfels {
    fn of(codes: &Array3<u8>, squared: &Array3<f64>, areas: &ElementSizes) -> Self {
        let pairs = codes.iter().zip(squared).filter(|(code, _)| areas.is_surface(**code));
        let mut surfels: Vec<Surfel> = pairs
            .map(|(&code, squared)| Surfel { distance: squared.sqrt(), area: areas.0[usize::from(code)] })
            .collect();
        surfels.sort_by(|a, b| a.distance.total_cmp(&b.distance).then(a.area.total_cmp(&b.area)));
        Self(surfels)
    }

    fn area(&self) -> f64 {
        self.0.iter().map(|surfel| surfel.area).sum()
    }

    fn mean(&self) -> f64 {
        self.0.iter().map(|surfel| surfel.distance * surfel.area).sum::<f64>() / self.area()
    }

    fn area_within(&self, tolerance: f64) -> f64 {
        self.0.iter().take_while(|surfel| surfel.distance <= tolerance).map(|surfel| surfel.area).sum()
    }

    /// The distance up to which a share of the area lies.
    fn percentile(&self, share: f64) -> f64 {
        let total = self.area();
        let mut sum = 0.0;
        let reached = self.0.iter().find(|surfel| {
            sum += surfel.area;
            sum / total >= share
        });
        reached.or(self.0.last()).map_or(f64::INFINITY, |surfel| surfel.distance)
    }
}

/// For each point between voxels, one bit for each of the voxels around it that is inside: 128 for the first in raster
/// order to 1 for the last of eight, or 8 to 1 of the four pixels of a plane.
fn corner_codes(inside: &Array3<bool>) -> Array3<u8> {
    let (depth, height, width) = inside.dim();
    let layers = if depth == 1 { 1 } else { depth + 1 };
    let mut codes = Array3::zeros((layers, height + 1, width + 1));
    let bits = if depth == 1 { &[0][..] } else { &[0, 4] };
    for ((z, y, x), _) in inside.indexed_iter().filter(|(_, inside)| **inside) {
        // The voxel is the last one around the point before it, and the first one around the point behind it.
        for (k, bit) in bits.iter().enumerate() {
            for (j, i, corner) in [(0, 0, 0), (0, 1, 1), (1, 0, 2), (1, 1, 3)] {
                codes[(z + k, y + j, x + i)] |= 1_u8 << (bit + corner);
            }
        }
    }
    codes
}

/// The size of the element of surface for each code, in mm² or mm.
struct ElementSizes(Vec<f64>);

impl ElementSizes {
    /// Whether some but not all of the voxels around a point are inside.
    fn is_surface(&self, code: u8) -> bool {
        code != 0 && usize::from(code) != self.0.len() - 1
    }
}

/// The triangles of marching cubes for the codes 0 to 127, each by its normal, whose length is its area in units of an
/// eighth of a voxel's face: `1` is (1, 1, 1), `2` (2, 2, 2), `3` (3, 3, 3), `a`, `b` and `c` are 4 along z, y and x,
/// and `x`, `y` and `z` (0, 2, 2), (2, 0, 2) and (2, 2, 0) along (z, y, x). A code and its complement have the same
/// surface. The choice where more than one surface is possible is that of `surface_distance/lookup_tables.py`.
const TRIANGLES: &str = "- 1 1 zz 1 yy 11 12a 1 11 yy 12a zz 12a 12a aa 1 xx 11 12b 11 12c 111 1122 11 1xx 1yy 13xy 1zz 13xz \
    112a 12a 1 11 xx 12b 11 1yy 1xx 13xy 11 111 12c 1122 1zz 112a 13xz 12a zz 12b 12b bb 1zz 13yz 112b \
    12b 1zz 112b 13yz 12b zzzz 1zz 1zz zz 1 11 11 1zz xx 12c 1xx 13xz 11 111 1yy 112a 12b 1122 13xy 12a \
    yy 12c 1yy 13yz 12c cc 112c 12c 1yy 112c yyyy 1yy 13yz 12c 1yy yy 11 111 1xx 112b 1xx 112c xxxx 1xx \
    111 1111 112c 111 112b 111 1xx 11 12a 1122 13xy 12b 13xz 12c 1xx xx 112a 111 1yy 11 1zz 11 11 1";

/// Areas of the elements of surface on a grid of this spacing (x, y, z).
fn surfel_areas(spacing: [f64; 3]) -> ElementSizes {
    let [x, y, z] = spacing;
    let faces = [x * y, x * z, y * z];
    let area = |triangle: char| {
        let normal = match triangle {
            '1' => [1.0; 3],
            '2' => [2.0; 3],
            '3' => [3.0; 3],
            'a' => [4.0, 0.0, 0.0],
            'b' => [0.0, 4.0, 0.0],
            'c' => [0.0, 0.0, 4.0],
            'x' => [0.0, 2.0, 2.0],
            'y' => [2.0, 0.0, 2.0],
            'z' => [2.0, 2.0, 0.0],
            _ => [0.0; 3],
        };
        normal.iter().zip(faces).map(|(n, face): (&f64, f64)| (n / 8.0 * face).powi(2)).sum::<f64>().sqrt()
    };
    let half: Vec<f64> = TRIANGLES.split(' ').map(|triangles| triangles.chars().map(area).sum()).collect();
    ElementSizes(half.iter().chain(half.iter().rev()).copied().collect())
}

/// Lengths of the elements of a contour on a plane of this spacing (x, y, z).
fn contour_lengths(spacing: [f64; 3]) -> ElementSizes {
    let [x, y, _] = spacing;
    let diagonal = 0.5 * x.hypot(y);
    let half = [0.0, diagonal, diagonal, x, diagonal, y, 2.0 * diagonal, diagonal];
    ElementSizes(half.iter().chain(half.iter().rev()).copied().collect())
}
