//! Regions that grow or shrink.

use std::fmt;

use alnm_imaging::LabelMap;
use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use rand::seq::index::sample;
use serde::{Deserialize, Serialize};

use super::PerturbationWarning;
use crate::error::Result;

/// How the size of a region changes.
///
/// Steps of a voxel go to the six neighbours of a voxel. On grids with uneven voxels they are counted by the largest
/// side, and a warning says so.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SizeChange {
    /// The size stays.
    #[default]
    None,
    /// By a distance in mm. A positive one adds all voxels within the distance of a voxel of the region, among those up
    /// to ⌊distance / spacing⌋ voxels away on each axis. A negative one takes voxels at the surface away, |distance| /
    /// spacing times (rounded), as long as the smallest share is left.
    Distance(f64),
    /// By a fraction of the number of voxels, above −1: steps of one voxel, of the last of which as many voxels are
    /// drawn at random as are needed.
    Fraction(f64),
}

impl fmt::Display for SizeChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("0"),
            Self::Distance(distance) => write!(f, "{distance}mm"),
            Self::Fraction(fraction) => write!(f, "{fraction}"),
        }
    }
}

impl SizeChange {
    pub(super) fn is_valid(&self) -> bool {
        match self {
            Self::None => true,
            Self::Distance(distance) => distance.is_finite(),
            Self::Fraction(fraction) => fraction.is_finite() && *fraction > -1.0,
        }
    }

    /// The region with its new size, and what changed less than was asked for.
    pub(super) fn apply(
        self,
        mask: &LabelMap,
        label: u32,
        smallest_share: f64,
        seed: u64,
    ) -> Result<(LabelMap, Vec<PerturbationWarning>)> {
        let spacing = mask.geometry().spacing();
        let axes = mask.geometry().dimension();
        let largest = spacing[..axes].iter().fold(0.0_f64, |largest, &side| largest.max(side));
        let is_even = spacing[..axes].iter().all(|&side| side == largest);
        let mut region = Region::new(mask, label);
        let mut warnings = Vec::new();
        let changes = !matches!(self, Self::None | Self::Distance(0.0) | Self::Fraction(0.0));
        if changes && !is_even {
            warnings.push(PerturbationWarning::UnevenVoxels { spacing });
        }
        match self {
            Self::Distance(distance) if distance > 0.0 => {
                let reach = (distance / largest).floor() as usize;
                if reach == 0 {
                    warnings.push(PerturbationWarning::DistanceTooSmall { distance, spacing: largest });
                }
                region.grow(reach, spacing, distance);
            }
            Self::Distance(distance) if distance < 0.0 => {
                let asked = (-distance / largest).round_ties_even() as usize;
                if asked == 0 {
                    warnings.push(PerturbationWarning::DistanceTooSmall { distance, spacing: largest });
                }
                let done = region.shrink(asked, smallest_share);
                if done < asked {
                    warnings.push(PerturbationWarning::ShrinkageStopped { done, asked });
                }
            }
            Self::Fraction(fraction) if fraction != 0.0 => {
                let is_large_enough = region.change_by_fraction(fraction, seed);
                warnings.extend((!is_large_enough).then_some(PerturbationWarning::FillsImage));
            }
            _ => {}
        }
        let mut changed = mask.clone();
        let voxels = changed.as_mut_slice().iter_mut().zip(&region.inside);
        voxels.for_each(|(voxel, inside)| *voxel = if *inside { label } else { 0 });
        Ok((changed, warnings))
    }
}

/// Which voxels of a grid (x, y, z) belong.
pub(super) struct Region {
    size: [usize; 3],
    /// Axes along which a region may grow.
    axes: usize,
    pub(super) inside: Vec<bool>,
}

impl Region {
    pub(super) fn new(mask: &LabelMap, label: u32) -> Self {
        Self {
            size: mask.geometry().size(),
            axes: mask.geometry().dimension(),
            inside: mask.as_slice().iter().map(|&voxel| voxel == label).collect(),
        }
    }

    fn count(&self) -> usize {
        self.inside.iter().filter(|&&inside| inside).count()
    }

    /// Adds the voxels within a distance in mm, among those up to `reach` voxels away on each axis.
    fn grow(&mut self, reach: usize, spacing: [f64; 3], distance: f64) {
        let reach = reach as isize;
        let depth = if self.axes == 3 { reach } else { 0 };
        let steps =
            (-depth..=depth).flat_map(|z| (-reach..=reach).flat_map(move |y| (-reach..=reach).map(move |x| [x, y, z])));
        let length = |step: &[isize; 3]| {
            // The order of the sum is that of MIRP's axes.
            let squared = |axis: usize| (step[axis] as f64 * spacing[axis]).powi(2);
            (squared(2) + squared(1) + squared(0)).sqrt()
        };
        let steps: Vec<[isize; 3]> = steps.filter(|step| length(step) <= distance).collect();
        let mut grown = self.inside.clone();
        for (position, _) in self.inside.iter().enumerate().filter(|(_, inside)| **inside) {
            steps.iter().filter_map(|&step| self.neighbour(position, step)).for_each(|place| grown[place] = true);
        }
        self.inside = grown;
    }

    /// Takes surface voxels away up to `steps` times, as long as a share of the voxels is left; how often it was done.
    fn shrink(&mut self, steps: usize, smallest_share: f64) -> usize {
        let initial = self.count() as f64;
        for done in 0..steps {
            let shrunk = self.eroded();
            let left = shrunk.iter().filter(|&&inside| inside).count() as f64;
            if left / initial < smallest_share || left == 0.0 {
                return done;
            }
            self.inside = shrunk;
        }
        steps
    }

    /// False when the region fills the image before it is large enough.
    fn change_by_fraction(&mut self, fraction: f64, seed: u64) -> bool {
        let initial = self.count();
        let wanted = (initial as f64 * (1.0 + fraction)).floor() as usize;
        let wanted = wanted.max(1);
        let grows = fraction > 0.0;
        loop {
            let next = if grows { self.dilated() } else { self.eroded() };
            let count = next.iter().filter(|&&inside| inside).count();
            let current = self.count();
            if count == current {
                return false;
            }
            if (grows && count >= wanted) || (!grows && count <= wanted) {
                let border: Vec<usize> =
                    (0..next.len()).filter(|&position| next[position] != self.inside[position]).collect();
                let mut generator = ChaCha8Rng::seed_from_u64(seed);
                for place in sample(&mut generator, border.len(), wanted.abs_diff(current)) {
                    self.inside[border[place]] = grows;
                }
                return true;
            }
            self.inside = next;
        }
    }

    /// The region without the voxels that have a neighbour outside it or outside the image.
    pub(super) fn eroded(&self) -> Vec<bool> {
        let keeps = |position: usize| {
            self.faces().all(|step| self.neighbour(position, step).is_some_and(|place| self.inside[place]))
        };
        self.inside.iter().enumerate().map(|(position, inside)| *inside && keeps(position)).collect()
    }

    /// The region with the neighbours of its voxels.
    pub(super) fn dilated(&self) -> Vec<bool> {
        let mut grown = self.inside.clone();
        for (position, _) in self.inside.iter().enumerate().filter(|(_, inside)| **inside) {
            self.faces().filter_map(|step| self.neighbour(position, step)).for_each(|place| grown[place] = true);
        }
        grown
    }

    /// Steps to the neighbours that share a face with a voxel.
    fn faces(&self) -> impl Iterator<Item = [isize; 3]> + use<> {
        (0..self.axes)
            .flat_map(|axis| [-1, 1].map(|step| std::array::from_fn(|other| if other == axis { step } else { 0 })))
    }

    fn neighbour(&self, position: usize, step: [isize; 3]) -> Option<usize> {
        let [width, height, _] = self.size;
        let place = [position % width, position / width % height, position / width / height];
        let mut moved = [0; 3];
        for axis in 0..3 {
            moved[axis] = place[axis].checked_add_signed(step[axis]).filter(|&index| index < self.size[axis])?;
        }
        Some((moved[2] * height + moved[1]) * width + moved[0])
    }
}
