//! Breast-like tissue with one lesion, imaged by a scanner over the phases of a dynamic contrast-enhanced series.

use alnm_imaging::{Geometry, LabelMap, Volume};
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, StandardNormal};

use super::field::RandomField;

/// Seconds between phases.
pub(super) const PHASE_SECONDS: f64 = 30.0;
/// Phases of a complete series.
pub(super) const PHASES: usize = 9;

/// How a centre's scanner images.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scanner {
    pub(super) size: [usize; 3],
    pub(super) spacing: [f64; 3],
    /// Rotation of the slices about the x axis in degrees.
    pub(super) tilt: f64,
    /// Signal of a tissue of brightness 1.
    pub(super) gain: f64,
    /// Standard deviation of the noise in each of the two receiver channels, as a share of the gain.
    pub(super) noise: f64,
    /// Largest deviation of the bias field from 1.
    pub(super) bias: f64,
}

/// What is told apart by imaging in one patient.
#[derive(Debug, Clone, Copy)]
pub(super) struct LesionTraits {
    pub(super) diameter_mm: f64,
    /// Standard scores: how coarse and strong the lesion's inner heterogeneity is, how bright its rim, how irregular
    /// its margin.
    pub(super) heterogeneity: f64,
    pub(super) rim: f64,
    pub(super) irregularity: f64,
    /// Standard score of how fast contrast leaves.
    pub(super) washout: f64,
}

/// Motion of tissue between phases: a smooth field that grows with the distance in time from the analysed phase, in
/// which nothing has moved.
#[derive(Debug, Clone, Copy)]
pub(super) struct Motion {
    /// Displacements along x, y and z as shares of the largest one.
    fields: [RandomField; 3],
    /// The largest displacement along an axis in mm.
    largest: f64,
    /// The phase, counted from 0, in which nothing has moved.
    still: usize,
}

impl Motion {
    /// Points of the lattices on which displacements are drawn lie so many mm apart.
    const LATTICE: f64 = 60.0;

    pub(super) fn new(largest: f64, still: usize, seed: u64) -> Self {
        let mut generator = ChaCha8Rng::seed_from_u64(seed ^ 0x0030_7104);
        let fields = std::array::from_fn(|_| RandomField::new(generator.random(), Self::LATTICE));
        Self { fields, largest, still }
    }

    /// Where the tissue that a phase shows at a point lies in the phase in which nothing has moved.
    pub(super) fn source(&self, phase: usize, point: [f64; 3]) -> [f64; 3] {
        let farthest = self.still.max(PHASES - 1 - self.still) as f64;
        let share = (phase as f64 - self.still as f64) / farthest;
        std::array::from_fn(|axis| point[axis] - self.largest * share * self.fields[axis].at(point))
    }
}

/// What is known of the lesion in a phase.
#[derive(Debug, Clone, Copy)]
pub(super) struct PhaseTruth {
    /// Mean signal of the lesion without noise and motion, with the bias field.
    pub(super) lesion_signal: f64,
    /// Share of the full enhancement.
    pub(super) enhancement: f64,
    /// Mean distance in mm between where the phase shows the tissue of the lesion's place and where it lies in the
    /// analysed phase.
    pub(super) lesion_motion: f64,
}

/// A patient's breast and lesion, defined at every point of space.
#[derive(Debug)]
pub(super) struct Phantom {
    traits: LesionTraits,
    geometry: Geometry,
    scanner: Scanner,
    centre: [f64; 3],
    stretch: [f64; 3],
    /// How far the margin goes in and out, as a share of its distance.
    roughness: f64,
    surface: [RandomField; 2],
    inner: [RandomField; 2],
    tissue: [RandomField; 2],
    bias: RandomField,
    motion: Option<Motion>,
    seed: u64,
}

/// An outline drawn by a reader: how far it lies from the true margin.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader {
    pub(super) seed: u64,
    /// Share of the radius by which the outline wanders.
    pub(super) wander: f64,
    /// Share of the radius that the outline lies further out.
    pub(super) bias: f64,
}

/// Value and slope of a trait with standard score `z`: exponential, so that it stays positive.
fn positive(typical: f64, spread: f64, z: f64) -> f64 {
    typical * (spread * z.clamp(-3.0, 3.0)).exp()
}

impl Phantom {
    pub(super) fn new(traits: LesionTraits, scanner: Scanner, seed: u64) -> alnm_imaging::Result<Self> {
        let (sine, cosine) = scanner.tilt.to_radians().sin_cos();
        let direction = [[1.0, 0.0, 0.0], [0.0, cosine, -sine], [0.0, sine, cosine]];
        let extent: [f64; 3] = std::array::from_fn(|axis| scanner.size[axis] as f64 * scanner.spacing[axis]);
        let corner: [f64; 3] = std::array::from_fn(|axis| -extent[axis] / 2.0);
        let origin = std::array::from_fn(|row| (0..3).map(|column| direction[row][column] * corner[column]).sum());
        let geometry = Geometry::new(scanner.size, scanner.spacing, origin, direction)?;
        let mut generator = ChaCha8Rng::seed_from_u64(seed);
        let room = extent.map(|side| (side / 2.0 - traits.diameter_mm * 0.62 - 4.0).clamp(0.0, 8.0));
        let centre = std::array::from_fn(|axis| (generator.random::<f64>() * 2.0 - 1.0) * room[axis]);
        let stretch: [f64; 3] = std::array::from_fn(|_| 0.82 + 0.18 * generator.random::<f64>());
        let longest = stretch.iter().copied().fold(0.0, f64::max);
        let mut field = |lattice: f64| RandomField::new(generator.random(), lattice);
        let coarse = positive(3.2, 0.18, traits.heterogeneity);
        Ok(Self {
            traits,
            scanner,
            geometry,
            centre,
            stretch: stretch.map(|factor| factor / longest),
            roughness: positive(0.09, 0.45, traits.irregularity),
            surface: [field(0.9), field(0.35)],
            inner: [field(coarse), field(coarse * 0.45)],
            tissue: [field(14.0), field(5.0)],
            bias: field(55.0),
            motion: None,
            seed,
        })
    }

    /// The same breast, moving between phases.
    pub(super) fn with_motion(self, motion: Option<Motion>) -> Self {
        Self { motion, ..self }
    }

    /// Distance from the lesion's centre as a share of the distance of its margin in that direction: below 1 inside.
    /// `None` where it is larger than `limit` whatever the margin, which is not looked at there.
    fn relative_radius(&self, point: [f64; 3], limit: f64) -> Option<f64> {
        let mut offset = [0.0; 3];
        for axis in 0..3 {
            offset[axis] = (point[axis] - self.centre[axis]) / self.stretch[axis];
        }
        let distance = (offset[0] * offset[0] + offset[1] * offset[1] + offset[2] * offset[2]).sqrt();
        if distance < 1e-9 {
            return Some(0.0);
        }
        let radius = self.traits.diameter_mm / 2.0;
        // Fields stay within [−1, 1], so the margin lies at most 1.5 times the roughness outside.
        if distance > limit * radius * (1.0 + 1.51 * self.roughness) {
            return None;
        }
        let unit = offset.map(|x| x / distance);
        let margin = 1.0 + self.roughness * (self.surface[0].at(unit) + 0.5 * self.surface[1].at(unit));
        Some(distance / (radius * margin))
    }

    /// Brightness of the enhancing lesion at a point, relative to a homogeneous one.
    fn lesion_pattern(&self, point: [f64; 3], radius: f64) -> f64 {
        let strength = positive(0.20, 0.28, self.traits.heterogeneity);
        let rim = positive(0.22, 0.55, self.traits.rim);
        let ring = (-((radius - 0.85) / 0.16).powi(2)).exp();
        let texture = self.inner[0].at(point) + 0.6 * self.inner[1].at(point);
        1.0 + strength * texture + rim * (ring - 0.35)
    }

    /// Share of the full enhancement at a time: contrast arrives after 30 s, rises within a minute and then leaves, the
    /// faster the higher the trait.
    fn kinetics(&self, seconds: f64) -> f64 {
        let since = (seconds - PHASE_SECONDS).max(0.0);
        let rise = 1.0 - (-since / 28.0).exp();
        let washout = positive(0.0009, 0.5, self.traits.washout);
        rise * (-washout * (since - 60.0).max(0.0)).exp()
    }

    /// Signal without noise of one phase, with the bias field, at a voxel, as a share of the gain.
    fn signal(&self, phase: usize, index: [f64; 3], point: [f64; 3]) -> f64 {
        let bias = 1.0 + self.scanner.bias * self.bias.at(point);
        let (tissue, place) = match &self.motion {
            None => (point, index),
            Some(motion) => {
                let tissue = motion.source(phase, point);
                (tissue, self.geometry.point_to_index(tissue))
            }
        };
        self.tissue_signal(phase, place, tissue) * bias
    }

    /// Signal of the tissue at a point, without noise, motion and bias field.
    fn tissue_signal(&self, phase: usize, index: [f64; 3], point: [f64; 3]) -> f64 {
        let parenchyma = 0.25 * (phase as f64 / (PHASES - 1) as f64);
        // The chest lies behind (large y); in front the breast ends in air.
        let height = index[1] / self.scanner.size[1] as f64;
        let across = (index[0] / self.scanner.size[0] as f64 - 0.5) * 2.0;
        let inside = height - 0.10 * across * across - 0.04;
        if inside < 0.0 {
            return 0.015;
        }
        let glandular = 1.0 / (1.0 + (-6.0 * (self.tissue[0].at(point) + 0.15)).exp());
        let background = 0.24 + 0.13 * glandular * (1.0 + parenchyma) + 0.03 * self.tissue[1].at(point);
        // The margin is blurred over about a millimetre; a share of less than a thousandth is none.
        let sharpness = self.traits.diameter_mm / 2.0 / 0.9;
        let Some(radius) = self.relative_radius(point, 1.0 + 7.0 / (sharpness * 2.2)) else {
            return background;
        };
        let share = 1.0 / (1.0 + ((radius - 1.0) * sharpness * 2.2).exp());
        if share < 1e-3 {
            return background;
        }
        let enhancement = self.kinetics(phase as f64 * PHASE_SECONDS);
        let lesion = 0.34 + 0.52 * enhancement * self.lesion_pattern(point, radius);
        background + share * (lesion.max(0.05) - background)
    }

    /// The volume of a phase, counted from 0.
    pub(super) fn image(&self, phase: usize) -> Volume<u16> {
        let mut generator = ChaCha8Rng::seed_from_u64(self.seed ^ 0x5EED_0000 ^ phase as u64);
        let mut volume = Volume::filled(self.geometry.clone(), 0u16);
        let noise = self.scanner.noise;
        self.for_each_voxel(|position, index, point| {
            let signal = self.signal(phase, index, point);
            let [real, imaginary]: [f64; 2] = std::array::from_fn(|_| StandardNormal.sample(&mut generator));
            let magnitude = (signal + noise * real).hypot(noise * imaginary);
            volume.as_mut_slice()[position] = (magnitude * self.scanner.gain).round().clamp(0.0, 4095.0) as u16;
        });
        volume
    }

    /// What is known of the lesion in every phase.
    pub(super) fn truth(&self) -> [PhaseTruth; PHASES] {
        let mut voxels = Vec::new();
        self.for_each_voxel(|_, index, point| {
            if self.relative_radius(point, 1.0).is_some_and(|radius| radius < 1.0) {
                voxels.push((index, point));
            }
        });
        let mean = |value: &dyn Fn([f64; 3], [f64; 3]) -> f64| {
            voxels.iter().map(|&(index, point)| value(index, point)).sum::<f64>() / voxels.len() as f64
        };
        std::array::from_fn(|phase| PhaseTruth {
            lesion_signal: self.scanner.gain
                * mean(&|index, point| {
                    self.tissue_signal(phase, index, point) * (1.0 + self.scanner.bias * self.bias.at(point))
                }),
            enhancement: self.kinetics(phase as f64 * PHASE_SECONDS),
            lesion_motion: self.motion.map_or(0.0, |motion| {
                mean(&|_, point| {
                    let source = motion.source(phase, point);
                    (0..3).map(|axis| (source[axis] - point[axis]).powi(2)).sum::<f64>().sqrt()
                })
            }),
        })
    }

    /// The outline of a reader as a mask of label 1.
    pub(super) fn mask(&self, reader: Reader) -> LabelMap {
        let wander = RandomField::new(reader.seed, 0.8);
        let mut mask = Volume::filled(self.geometry.clone(), 0u32);
        self.for_each_voxel(|position, _, point| {
            let Some(radius) = self.relative_radius(point, 1.6).filter(|radius| *radius <= 1.6) else { return };
            let direction: [f64; 3] =
                std::array::from_fn(|axis| (point[axis] - self.centre[axis]) / (self.traits.diameter_mm / 2.0));
            let outline = 1.0 + reader.bias + reader.wander * wander.at(direction);
            mask.as_mut_slice()[position] = u32::from(radius < outline);
        });
        mask
    }

    /// Calls with raster position, index (x, y, z) and point of every voxel.
    fn for_each_voxel(&self, mut visit: impl FnMut(usize, [f64; 3], [f64; 3])) {
        let [width, height, depth] = self.geometry.size();
        let mut position = 0;
        for z in 0..depth {
            for y in 0..height {
                for x in 0..width {
                    let index = [x as f64, y as f64, z as f64];
                    visit(position, index, self.geometry.index_to_point(index));
                    position += 1;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;

    use alnm_imaging::Image;
    use alnm_imaging::resample::Interpolator;
    use alnm_registration::{RegistrationMasks, RegistrationParams, resample_through};

    use super::*;

    fn phantom(diameter_mm: f64) -> Phantom {
        let traits = LesionTraits { diameter_mm, heterogeneity: 0.5, rim: 0.5, irregularity: 0.0, washout: 1.0 };
        let scanner =
            Scanner { size: [64, 64, 32], spacing: [1.0, 1.0, 2.0], tilt: 5.0, gain: 1000.0, noise: 0.02, bias: 0.2 };
        Phantom::new(traits, scanner, 7).unwrap()
    }

    #[test]
    fn the_lesion_has_its_diameter_and_enhances() {
        let phantom = phantom(24.0);
        let mask = phantom.mask(Reader { seed: 1, wander: 0.0, bias: 0.0 });
        let voxels = mask.as_slice().iter().filter(|label| **label == 1).count() as f64;
        let sphere = 4.0 / 3.0 * std::f64::consts::PI * 12.0f64.powi(3);
        assert!((0.35..1.1).contains(&(voxels * 2.0 / sphere)), "{voxels}");
        let mean = |phase: usize| {
            let image = phantom.image(phase);
            let inside = image.as_slice().iter().zip(mask.as_slice()).filter(|(_, label)| **label == 1);
            inside.map(|(value, _)| f64::from(*value)).sum::<f64>() / voxels
        };
        let (before, fourth, last) = (mean(0), mean(3), mean(8));
        assert!(fourth > 1.5 * before && last < fourth, "{before} {fourth} {last}");
    }

    /// Registration finds the motion, and the lesion's curve after it is the known one.
    #[test]
    fn motion_and_kinetics_are_known() {
        let still = phantom(24.0);
        let mask = still.mask(Reader { seed: 1, wander: 0.0, bias: 0.0 });
        let motion = Motion::new(6.0, 3, 11);
        let moving = phantom(24.0).with_motion(Some(motion));
        assert_eq!(moving.image(3), still.image(3), "the analysed phase does not move");
        let truth = moving.truth();
        let shown = |volume: &Volume<f32>| {
            let inside = volume.as_slice().iter().zip(mask.as_slice()).filter(|(_, label)| **label == 1);
            let (sum, count) =
                inside.fold((0.0, 0.0), |(sum, count), (value, _)| (sum + f64::from(*value), count + 1.0));
            sum / count
        };
        let fixed: Volume<f32> = moving.image(3).cast();
        // The noise of a magnitude image adds a little to its mean.
        assert!((shown(&fixed) / truth[3].lesion_signal - 1.0).abs() < 0.01);
        let last: Volume<f32> = moving.image(8).cast();
        let (mut before, mut after, mut count) = (0.0, 0.0, 0.0);
        let masks = RegistrationMasks::default().with_lesion(&mask);
        let registration = RegistrationParams::default().check().unwrap();
        let result = registration.register(&fixed, &last, masks, &mut |_| ControlFlow::Continue(())).unwrap();
        let apart = |a: [f64; 3], b: [f64; 3]| (0..3).map(|axis| (a[axis] - b[axis]).powi(2)).sum::<f64>().sqrt();
        moving.for_each_voxel(|position, _, point| {
            if mask.as_slice()[position] == 1 {
                before += apart(motion.source(8, point), point);
                after += apart(motion.source(8, result.transform.apply(point)), point);
                count += 1.0;
            }
        });
        assert!(truth[8].lesion_motion > 1.0 && (before / count / truth[8].lesion_motion - 1.0).abs() < 0.2);
        assert!(after < 0.5 * before, "{before} {after} {count}");
        let image = Image::F32(last.clone());
        let registered = resample_through(&result.transform, &image, fixed.geometry(), Interpolator::Linear, 0.0);
        let registered: Volume<f32> = registered.unwrap().cast();
        let error = |volume: &Volume<f32>| (shown(volume) - truth[8].lesion_signal).abs();
        assert!(error(&registered) < error(&last) / 2.0, "{} {}", error(&registered), error(&last));
    }

    #[test]
    fn the_same_seed_gives_the_same_voxels() {
        assert_eq!(phantom(20.0).image(3), phantom(20.0).image(3));
    }
}
