//! Planes through a volume, turned as radiologists look at them: the patient's right on the left of axial and coronal
//! planes, anterior above or on the left, head above.

use alnm_imaging::{Geometry, Volume};
use clap::ValueEnum;
use ndarray::Array2;

/// How a plane lies in the patient. Oblique volumes are cut along their own axes, and named by the nearest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Orientation {
    Axial,
    Coronal,
    Sagittal,
}

/// The axes of the patient that point to the right and downwards on the screen, by number in LPS (left, posterior,
/// superior) and sign, and the axis across the plane.
struct Layout {
    right: (usize, f64),
    down: (usize, f64),
    across: usize,
}

impl Orientation {
    pub(super) const ALL: [Self; 3] = [Self::Axial, Self::Coronal, Self::Sagittal];

    fn layout(self) -> Layout {
        match self {
            Self::Axial => Layout { right: (0, 1.0), down: (1, 1.0), across: 2 },
            Self::Coronal => Layout { right: (0, 1.0), down: (2, -1.0), across: 1 },
            Self::Sagittal => Layout { right: (1, 1.0), down: (2, -1.0), across: 0 },
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Axial => "axial",
            Self::Coronal => "coronal",
            Self::Sagittal => "sagittal",
        }
    }
}

/// An axis of the screen: the axis of the volume (0 for x) that runs along it, and whether it runs the other way.
#[derive(Debug, Clone, Copy, PartialEq)]
struct ScreenAxis {
    axis: usize,
    reversed: bool,
}

/// All planes of one orientation through a volume.
#[derive(Debug, Clone)]
pub(super) struct Planes {
    right: ScreenAxis,
    down: ScreenAxis,
    across: usize,
    size: [usize; 3],
    spacing: [f64; 3],
    /// The letters of the directions to the right and downwards.
    letters: [String; 2],
    opposite: [String; 2],
}

impl Planes {
    pub(super) fn new(geometry: &Geometry, orientation: Orientation) -> Self {
        let directions = [0, 1, 2].map(|axis| axis_direction(geometry, axis));
        let volume_axis = assign(&directions);
        let Layout { right, down, across } = orientation.layout();
        let screen = |(patient, sign): (usize, f64)| {
            let axis = volume_axis[patient];
            ScreenAxis { axis, reversed: directions[axis][patient] * sign < 0.0 }
        };
        let (right, down) = (screen(right), screen(down));
        let towards = |screen: ScreenAxis, sign: f64| {
            let sign = if screen.reversed { -sign } else { sign };
            letters(directions[screen.axis].map(|part| part * sign))
        };
        Self {
            right,
            down,
            across: volume_axis[across],
            size: geometry.size(),
            spacing: geometry.spacing(),
            letters: [towards(right, 1.0), towards(down, 1.0)],
            opposite: [towards(right, -1.0), towards(down, -1.0)],
        }
    }

    /// How many planes there are.
    pub(super) fn count(&self) -> usize {
        self.size[self.across]
    }

    /// The axis of the volume that is cut, as a letter.
    pub(super) fn axis_name(&self) -> char {
        ['x', 'y', 'z'][self.across]
    }

    /// Rows and columns of a plane.
    pub(super) fn pixels(&self) -> [usize; 2] {
        [self.size[self.down.axis], self.size[self.right.axis]]
    }

    /// Height and width of a pixel in mm.
    pub(super) fn pixel_size(&self) -> [f64; 2] {
        [self.spacing[self.down.axis], self.spacing[self.right.axis]]
    }

    /// What is written at the left, right, upper and lower edge.
    pub(super) fn edge_letters(&self) -> [&str; 4] {
        [&self.opposite[0], &self.letters[0], &self.opposite[1], &self.letters[1]]
    }

    /// The voxels of a plane, row by row from above.
    pub(super) fn cut<T: Copy>(&self, volume: &Volume<T>, index: usize) -> Array2<T> {
        let [rows, columns] = self.pixels();
        let place = |screen: ScreenAxis, at: usize| if screen.reversed { self.size[screen.axis] - 1 - at } else { at };
        Array2::from_shape_fn((rows, columns), |(row, column)| {
            let mut voxel = [index; 3];
            voxel[self.down.axis] = place(self.down, row);
            voxel[self.right.axis] = place(self.right, column);
            volume.data()[[voxel[2], voxel[1], voxel[0]]]
        })
    }
}

/// The direction of an axis of the volume in the patient, of length 1.
fn axis_direction(geometry: &Geometry, axis: usize) -> [f64; 3] {
    let mut step = [0.0; 3];
    step[axis] = 1.0;
    let (from, to) = (geometry.index_to_point([0.0; 3]), geometry.index_to_point(step));
    std::array::from_fn(|i| (to[i] - from[i]) / geometry.spacing()[axis])
}

/// For each axis of the patient the axis of the volume nearest to it, each taken once: the assignment with the largest
/// sum of cosines.
fn assign(directions: &[[f64; 3]; 3]) -> [usize; 3] {
    const WAYS: [[usize; 3]; 6] = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
    let agreement = |way: &[usize; 3]| -> f64 { (0..3).map(|patient| directions[way[patient]][patient].abs()).sum() };
    WAYS.into_iter().max_by(|a, b| agreement(a).total_cmp(&agreement(b))).unwrap_or(WAYS[0])
}

/// The letters of a direction in the patient, the nearest axis first; axes further than 73 degrees away are left out.
fn letters(direction: [f64; 3]) -> String {
    const LEAST: f64 = 0.3;
    const NAMES: [[char; 2]; 3] = [['L', 'R'], ['P', 'A'], ['S', 'I']];
    let mut parts: Vec<(f64, char)> =
        direction.iter().zip(NAMES).map(|(part, names)| (part.abs(), names[usize::from(*part < 0.0)])).collect();
    parts.sort_by(|a, b| b.0.total_cmp(&a.0));
    parts.into_iter().filter(|(part, _)| *part >= LEAST).map(|(_, letter)| letter).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axial() -> Geometry {
        Geometry::axis_aligned([4, 3, 2], [1.0, 2.0, 5.0]).unwrap()
    }

    #[test]
    fn planes_of_an_axial_volume_are_turned_as_radiologists_look_at_them() {
        let geometry = axial();
        let mut volume = Volume::filled(geometry.clone(), 0_u8);
        // The last voxel lies at the patient's left, at the back, at the head.
        *volume.as_mut_slice().last_mut().unwrap() = 1;
        let place = |orientation, index| {
            let plane = Planes::new(&geometry, orientation).cut(&volume, index);
            plane.indexed_iter().find(|(_, value)| **value == 1).map(|(at, _)| at)
        };
        assert_eq!(place(Orientation::Axial, 1), Some((2, 3)));
        assert_eq!(place(Orientation::Coronal, 2), Some((0, 3)));
        assert_eq!(place(Orientation::Sagittal, 3), Some((0, 2)));
        assert_eq!(Planes::new(&geometry, Orientation::Coronal).pixel_size(), [5.0, 1.0]);
    }

    #[test]
    fn letters_name_the_edges() {
        let letters = |orientation| {
            let planes = Planes::new(&axial(), orientation);
            planes.edge_letters().map(str::to_owned).join(" ")
        };
        assert_eq!(letters(Orientation::Axial), "R L A P");
        assert_eq!(letters(Orientation::Coronal), "R L S I");
        assert_eq!(letters(Orientation::Sagittal), "A P S I");
    }

    #[test]
    fn a_sagittal_acquisition_and_its_axial_copy_show_the_same_planes() {
        // x runs to the back, y to the feet, z to the left.
        let direction = [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, -1.0, 0.0]];
        let sagittal = Geometry::new([3, 2, 4], [2.0, 5.0, 1.0], [0.0, 0.0, 5.0], direction).unwrap();
        let value = |point: [f64; 3]| (point[0] + 10.0 * point[1] + 100.0 * point[2]) as i32;
        let fill = |geometry: &Geometry| {
            let mut volume = Volume::filled(geometry.clone(), 0_i32);
            let voxels: Vec<i32> = (0..geometry.voxel_count())
                .map(|position| value(geometry.index_to_point(geometry.index_of(position).map(|i| i as f64))))
                .collect();
            volume.as_mut_slice().copy_from_slice(&voxels);
            volume
        };
        for orientation in Orientation::ALL {
            let (a, b) = (Planes::new(&sagittal, orientation), Planes::new(&axial(), orientation));
            assert_eq!(a.count(), b.count());
            let both = [a.cut(&fill(&sagittal), 0), b.cut(&fill(&axial()), 0)];
            let sums = both.map(|plane| plane.mapv(|v| v - plane[(0, 0)]));
            assert_eq!(sums[0], sums[1], "{}", orientation.name());
            assert_eq!(a.edge_letters(), b.edge_letters());
        }
    }

    #[test]
    fn an_oblique_direction_has_two_letters() {
        assert_eq!(letters([0.8, 0.0, -0.6]), "LI");
        assert_eq!(letters([0.1, -0.99, 0.1]), "A");
    }
}
