//! The outline of a region on a slice.

use ndarray::ArrayView2;
use serde::Serialize;

/// A piece of the border between pixels inside and outside of a region: the side of one pixel, from one of its corners
/// to the next. Corner (column c, row r) is the upper left corner of the pixel in column c and row r.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[non_exhaustive]
pub struct OutlineEdge {
    /// Column and row of the corner where the edge begins.
    pub from: [usize; 2],
    /// Column and row of the corner where it ends: one to the right of `from`, or one below it.
    pub to: [usize; 2],
}

/// All sides of pixels that have the inside of a region on one side and the outside on the other, row by row. What lies
/// beyond the slice is outside, so that the edges of a region that touches the border of the slice close too.
///
/// ```
/// use alnm_imaging::region::outline_edges;
///
/// let inside = ndarray::array![[false, true, true], [false, true, true]];
/// // The perimeter of a square of two by two pixels.
/// assert_eq!(outline_edges(inside.view()).len(), 8);
/// ```
#[must_use]
pub fn outline_edges(inside: ArrayView2<'_, bool>) -> Vec<OutlineEdge> {
    let (rows, columns) = inside.dim();
    let at = |row: Option<usize>, column: Option<usize>| match (row, column) {
        (Some(row), Some(column)) => inside.get((row, column)).copied().unwrap_or(false),
        _ => false,
    };
    let mut edges = Vec::new();
    for row in 0..=rows {
        for column in 0..=columns {
            let here = at(Some(row), Some(column));
            if here != at(row.checked_sub(1), Some(column)) {
                edges.push(OutlineEdge { from: [column, row], to: [column + 1, row] });
            }
            if here != at(Some(row), column.checked_sub(1)) {
                edges.push(OutlineEdge { from: [column, row], to: [column, row + 1] });
            }
        }
    }
    edges
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use ndarray::Array2;

    use super::*;

    #[test]
    fn the_outline_of_a_rectangle_is_its_perimeter_even_at_the_edge_of_the_slice() {
        let whole = Array2::from_elem((3, 5), true);
        assert_eq!(outline_edges(whole.view()).len(), 2 * (3 + 5));
        let mut one = Array2::from_elem((4, 4), false);
        one[(1, 2)] = true;
        let mut edges: Vec<_> = outline_edges(one.view()).iter().map(|edge| [edge.from, edge.to]).collect();
        edges.sort_unstable();
        assert_eq!(edges, [[[2, 1], [2, 2]], [[2, 1], [3, 1]], [[2, 2], [3, 2]], [[3, 1], [3, 2]]]);
    }

    #[test]
    fn the_outline_is_closed_and_separates_inside_from_outside() {
        let ring = Array2::from_shape_fn((9, 9), |(y, x)| {
            let square = |a: usize| (a as i64 - 4).pow(2);
            (4..=14).contains(&(square(y) + square(x)))
        });
        let mut ends: BTreeMap<[usize; 2], usize> = BTreeMap::new();
        for OutlineEdge { from, to } in outline_edges(ring.view()) {
            *ends.entry(from).or_default() += 1;
            *ends.entry(to).or_default() += 1;
            let [column, row] = from;
            let before = if row == to[1] {
                row.checked_sub(1).map(|above| ring[(above, column)])
            } else {
                column.checked_sub(1).map(|left| ring[(row, left)])
            };
            assert_ne!(before.unwrap_or(false), ring.get((row, column)).copied().unwrap_or(false));
        }
        assert!(ends.values().all(|count| count % 2 == 0), "every corner is left as often as it is entered");
    }
}
