//! Outlines of the regions of a slice.
//!
//! Pixels belong together when they share an edge. An outline is the polygon that marching squares draw: it crosses the
//! line between the centres of an inner and an outer neighbour, here at 0.45 of a pixel from the inner one. So the
//! centre of every inner pixel lies inside and that of every outer one outside, by a margin that survives rounding; and
//! programs that round the points to whole pixels and fill up to them, as OpenCV does, find the same pixels.

use std::collections::BTreeMap;

/// How far an outline runs from the centres of the pixels inside it, in pixels.
const MARGIN: f64 = 0.45;

/// Steps to the right, down, left and up.
const STEPS: [[isize; 2]; 4] = [[1, 0], [0, 1], [-1, 0], [0, -1]];

const RIGHT: usize = 0;
const LEFT: usize = 2;

/// One side of a pixel of the region beyond which lies none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Side {
    pixel: [isize; 2],
    /// Index of the step to the neighbour outside.
    step: usize,
}

impl Side {
    /// Where the outline passes.
    fn point(self) -> [f64; 2] {
        std::array::from_fn(|axis| self.pixel[axis] as f64 + MARGIN * STEPS[self.step][axis] as f64)
    }

    /// The side that follows around the region, which lies to the right hand.
    fn next(self, is_inside: &impl Fn([isize; 2]) -> bool) -> Self {
        let along = (self.step + 1) % 4;
        let ahead = moved(self.pixel, along);
        let diagonal = moved(ahead, self.step);
        if !is_inside(ahead) {
            Self { pixel: self.pixel, step: along }
        } else if !is_inside(diagonal) {
            Self { pixel: ahead, step: self.step }
        } else {
            Self { pixel: diagonal, step: (self.step + 3) % 4 }
        }
    }
}

fn moved(pixel: [isize; 2], step: usize) -> [isize; 2] {
    [pixel[0] + STEPS[step][0], pixel[1] + STEPS[step][1]]
}

/// The outlines of a region in one slice, as polygons in indices of pixels.
pub(super) struct Outlines {
    /// Sides in order around the region; those around holes run the other way.
    loops: Vec<Vec<Side>>,
}

impl Outlines {
    /// Follows the border of the pixels with a label in a slice of a number of columns.
    pub(super) fn of(pixels: &[u32], columns: usize, label: u32) -> Self {
        let rows = pixels.len() / columns;
        let is_inside = |[x, y]: [isize; 2]| {
            let place = usize::try_from(x).ok().zip(usize::try_from(y).ok());
            place.is_some_and(|(x, y)| x < columns && y < rows && pixels[y * columns + x] == label)
        };
        // One bit for each side of a pixel that an outline has passed.
        let mut passed = vec![0_u8; pixels.len()];
        let mut loops = Vec::new();
        for start in pixels.iter().enumerate().filter(|(_, voxel)| **voxel == label).map(|(start, _)| start) {
            let pixel = [(start % columns) as isize, (start / columns) as isize];
            for step in 0..STEPS.len() {
                if passed[start] & 1 << step != 0 || is_inside(moved(pixel, step)) {
                    continue;
                }
                let first = Side { pixel, step };
                let mut sides = Vec::new();
                let mut side = first;
                loop {
                    let [x, y] = side.pixel;
                    passed[y as usize * columns + x as usize] |= 1 << side.step;
                    sides.push(side);
                    side = side.next(&is_inside);
                    if side == first {
                        break;
                    }
                }
                loops.push(sides);
            }
        }
        Self { loops }
    }

    /// Whether one of them surrounds a hole.
    pub(super) fn have_holes(&self) -> bool {
        self.loops.iter().any(|sides| is_hole(sides))
    }

    /// A polygon for each border, outer and inner ones alike.
    pub(super) fn polygons(&self) -> Vec<Vec<[f64; 2]>> {
        self.loops
            .iter()
            .map(|sides| without_straight_points(sides.iter().map(|side| side.point()).collect()))
            .collect()
    }

    /// A polygon for each outer border; it goes to each hole and back along a row of pixels that lie inside (a
    /// keyhole).
    pub(super) fn keyhole_polygons(&self) -> Vec<Vec<[f64; 2]>> {
        let place_of: BTreeMap<Side, (usize, usize)> = self
            .loops
            .iter()
            .enumerate()
            .flat_map(|(number, sides)| sides.iter().enumerate().map(move |(i, &side)| (side, (number, i))))
            .collect();
        // The hole to which each side leads, and where its border is entered: at its leftmost side, from which a row of
        // inner pixels leads to the left until another border. That one lies farther left, so no two holes lead to each
        // other, and in a row each border meets the next one only.
        let mut entrances: BTreeMap<Side, (usize, usize)> = BTreeMap::new();
        for (number, sides) in self.loops.iter().enumerate().filter(|(_, sides)| is_hole(sides)) {
            let facing_right = sides.iter().enumerate().filter(|(_, side)| side.step == RIGHT);
            let Some((entrance, side)) = facing_right.min_by_key(|(_, side)| side.pixel) else { continue };
            let mut pixel = side.pixel;
            while !place_of.contains_key(&Side { pixel, step: LEFT }) {
                pixel = moved(pixel, LEFT);
            }
            entrances.insert(Side { pixel, step: LEFT }, (number, entrance));
        }
        let outer = self.loops.iter().enumerate().filter(|(_, sides)| !is_hole(sides));
        outer.map(|(number, _)| without_straight_points(self.walk(number, &entrances))).collect()
    }

    /// The points of a border and of the holes to which it leads.
    fn walk(&self, outer: usize, entrances: &BTreeMap<Side, (usize, usize)>) -> Vec<[f64; 2]> {
        /// A border that is walked around: where it was entered, and how many of its sides are done.
        struct Walked {
            border: usize,
            entrance: usize,
            done: usize,
        }
        let mut points = Vec::new();
        let mut way = vec![Walked { border: outer, entrance: 0, done: 0 }];
        while let Some(current) = way.last_mut() {
            let sides = &self.loops[current.border];
            let side = sides[(current.entrance + current.done) % sides.len()];
            if current.done == sides.len() {
                // Around: back to where the border was entered, and from there to the one that led here.
                way.pop();
                if let Some(before) = way.last() {
                    points.push(side.point());
                    let sides = &self.loops[before.border];
                    points.push(sides[(before.entrance + before.done - 1) % sides.len()].point());
                }
                continue;
            }
            points.push(side.point());
            current.done += 1;
            if let Some(&(border, entrance)) = entrances.get(&side) {
                way.push(Walked { border, entrance, done: 0 });
            }
        }
        points
    }
}

/// Whether sides surround a hole: their area, the sum of x dy, is negative.
fn is_hole(sides: &[Side]) -> bool {
    let area: isize = sides
        .iter()
        .map(|side| match side.step {
            RIGHT => side.pixel[0] + 1,
            LEFT => -side.pixel[0],
            _ => 0,
        })
        .sum();
    area < 0
}

/// A polygon without the points that lie on a straight line between their neighbours.
fn without_straight_points(points: Vec<[f64; 2]>) -> Vec<[f64; 2]> {
    const ROUNDING: f64 = 1e-9;
    let count = points.len();
    let is_corner = |i: usize| {
        let [before, here, after] = [(i + count - 1) % count, i, (i + 1) % count].map(|i| points[i]);
        let [a, b] = [[here[0] - before[0], here[1] - before[1]], [after[0] - here[0], after[1] - here[1]]];
        let (cross, dot) = (a[0] * b[1] - a[1] * b[0], a[0] * b[0] + a[1] * b[1]);
        cross.abs() > ROUNDING || dot < 0.0
    };
    (0..count).filter(|&i| is_corner(i)).map(|i| points[i]).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Pixels whose centres lie inside by the even-odd rule, edge by edge.
    fn filled(polygons: &[Vec<[f64; 2]>], columns: usize, rows: usize) -> Vec<u32> {
        let crosses = |polygon: &Vec<[f64; 2]>, [x, y]: [f64; 2]| {
            let ends = polygon.iter().zip(polygon.iter().cycle().skip(1));
            let above = ends.filter(|(a, b)| (a[1] <= y) != (b[1] <= y));
            above.filter(|(a, b)| a[0] + (y - a[1]) * (b[0] - a[0]) / (b[1] - a[1]) > x).count()
        };
        (0..rows * columns)
            .map(|i| [(i % columns) as f64, (i / columns) as f64])
            .map(|centre| polygons.iter().map(|polygon| crosses(polygon, centre)).sum::<usize>() as u32 % 2)
            .collect()
    }

    #[test]
    fn one_pixel_is_a_diamond() {
        let outlines = Outlines::of(&[0, 0, 0, 0, 1, 0, 0, 0, 0], 3, 1);
        assert_eq!(outlines.polygons(), [[[1.45, 1.0], [1.0, 1.45], [0.55, 1.0], [1.0, 0.55]]]);
    }

    #[test]
    fn a_ring_is_one_polygon_with_a_keyhole() {
        #[rustfmt::skip]
        let ring = [
            1, 1, 1, 1,
            1, 0, 0, 1,
            1, 1, 1, 1,
        ];
        let outlines = Outlines::of(&ring, 4, 1);
        assert!(outlines.have_holes());
        assert_eq!(outlines.polygons().len(), 2);
        let keyholes = outlines.keyhole_polygons();
        assert_eq!(keyholes.len(), 1);
        assert_eq!(filled(&keyholes, 4, 3), ring);
    }

    proptest! {
        #[test]
        fn outlines_enclose_their_pixels(pixels in prop::collection::vec(0_u32..2, 12 * 9)) {
            let outlines = Outlines::of(&pixels, 12, 1);
            prop_assert_eq!(&filled(&outlines.polygons(), 12, 9), &pixels);
            prop_assert_eq!(&filled(&outlines.keyhole_polygons(), 12, 9), &pixels);
        }
    }
}
