//! Contours that follow the borders of supervoxels.
//!
//! The image around the region is cut into supervoxels (SLIC: Achanta et al. 2012, doi 10.1109/TPAMI.2012.120), and
//! each supervoxel belongs to the new region with the probability of its overlap with the old one: always from 90 % on,
//! never below 20 %. Extent, number and compactness of the supervoxels are MIRP's; the algorithm is this crate's own.

use std::collections::VecDeque;

use alnm_imaging::region::{VoxelBox, bounding_box, crop};
use alnm_imaging::{LabelMap, Volume};
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};

use super::size_change::Region;
use crate::error::Result;

/// What of the image is looked at around the region, in mm.
const BOUNDARY: f64 = 25.0;
/// The volume of a supervoxel in mm³, which has at least so many voxels.
const VOLUME: f64 = 500.0;
const LEAST_VOXELS: f64 = 20.0;
/// How much a distance of one supervoxel counts against a difference of the whole range of grey values.
const COMPACTNESS: f64 = 0.05;
const ITERATIONS: usize = 10;
/// Overlaps from which on a supervoxel always belongs, and below which it never does.
const ALWAYS: f64 = 0.9;
const NEVER: f64 = 0.2;

/// A region drawn anew along the borders of supervoxels.
pub(super) fn redrawn(image: &Volume<f64>, mask: &LabelMap, label: u32, seed: u64, draw: usize) -> Result<LabelMap> {
    let (geometry, region) = (mask.geometry(), bounding_box(mask, label)?);
    let margin: [usize; 3] = geometry.spacing().map(|side| (BOUNDARY / side).ceil() as usize);
    let size = geometry.size();
    let ranges: [std::ops::Range<usize>; 3] = std::array::from_fn(|axis| {
        region.start()[axis].saturating_sub(margin[axis])..(region.end()[axis] + margin[axis]).min(size[axis])
    });
    let [x, y, z] = ranges;
    let part = VoxelBox::from_ranges_zyx([z, y, x]);
    let (image, inside) = (crop(image, &part)?, crop(mask, &part)?);
    let supervoxels = supervoxels(&image, &inside, label);
    let chosen = chosen(&supervoxels, &inside, label, seed, draw);
    let mut drawn = inside.clone();
    let voxels = drawn.as_mut_slice().iter_mut().zip(&supervoxels);
    voxels.for_each(|(voxel, &supervoxel)| *voxel = if chosen[supervoxel] { label } else { 0 });
    let mut redrawn = Volume::filled(geometry.clone(), 0);
    let start = part.start();
    let [width, height, _] = part.size();
    for (line, row) in drawn.as_slice().chunks(width).enumerate() {
        let (y, z) = (start[1] + line % height, start[2] + line / height);
        let first = (z * size[1] + y) * size[0] + start[0];
        redrawn.as_mut_slice()[first..first + width].copy_from_slice(row);
    }
    Ok(closed(&redrawn, label))
}

/// Gaps of one voxel filled.
fn closed(mask: &LabelMap, label: u32) -> LabelMap {
    let mut region = Region::new(mask, label);
    region.inside = region.dilated();
    let inside = region.eroded();
    let mut closed = mask.clone();
    closed.as_mut_slice().iter_mut().zip(inside).for_each(|(voxel, inside)| *voxel = if inside { label } else { 0 });
    closed
}

/// Which supervoxels belong to the new region.
fn chosen(supervoxels: &[usize], mask: &LabelMap, label: u32, seed: u64, draw: usize) -> Vec<bool> {
    let count = supervoxels.iter().max().map_or(0, |&last| last + 1);
    let (mut voxels, mut shared) = (vec![0_usize; count], vec![0_usize; count]);
    for (&supervoxel, &voxel) in supervoxels.iter().zip(mask.as_slice()) {
        voxels[supervoxel] += 1;
        shared[supervoxel] += usize::from(voxel == label);
    }
    let overlaps: Vec<f64> =
        shared.iter().zip(&voxels).map(|(&shared, &voxels)| shared as f64 / voxels as f64).collect();
    let largest = overlaps.iter().copied().fold(0.0, f64::max);
    let mut generator = ChaCha8Rng::seed_from_u64(seed);
    generator.set_stream((1 << 32) + draw as u64);
    let mut most = overlaps.iter().position(|&overlap| overlap == largest);
    let belongs = |(supervoxel, &overlap): (usize, &f64)| {
        if overlap == 0.0 {
            return false;
        }
        let drawn = generator.random::<f64>();
        // At least one supervoxel belongs.
        if overlap >= ALWAYS || most.take_if(|most| *most == supervoxel).is_some() {
            return true;
        }
        overlap >= NEVER && drawn < overlap
    };
    overlaps.iter().enumerate().map(belongs).collect()
}

/// The middle of a supervoxel: position (x, y, z) in voxels and grey value.
#[derive(Clone, Copy)]
struct Centre {
    position: [f64; 3],
    value: f64,
}

/// The number of each voxel's supervoxel; every number from 0 on occurs.
fn supervoxels(image: &Volume<f64>, mask: &LabelMap, label: u32) -> Vec<usize> {
    let spacing = image.geometry().spacing();
    let size = image.geometry().size();
    let values = prepared(image, mask, label);
    let volume: f64 = spacing.iter().product();
    let wanted = (values.len() as f64 / LEAST_VOXELS.max(VOLUME / volume)).max(1.0);
    let steps = steps(size, wanted);
    let mut centres = seeds(&values, size, steps);
    let step = steps.iter().zip(&size).map(|(&step, &n)| step.min(n)).max().unwrap_or(1) as f64;
    let mut numbers = vec![0; values.len()];
    for _ in 0..ITERATIONS {
        assign(&mut numbers, &values, size, spacing, &centres, steps, step);
        move_centres(&mut centres, &numbers, &values, size);
    }
    connected(&numbers, size, values.len() / (2 * centres.len()))
}

/// Grey values smoothed by a Gaussian whose σ is the smallest spacing, cut to the region's range and a tenth of it more
/// on each side, which becomes 0 to 1.
fn prepared(image: &Volume<f64>, mask: &LabelMap, label: u32) -> Vec<f64> {
    let inside = image.as_slice().iter().zip(mask.as_slice()).filter(|(_, voxel)| **voxel == label);
    let (low, high) =
        inside.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), (&value, _)| (low.min(value), high.max(value)));
    let (low, width) = (low - 0.1 * (high - low), 1.2 * (high - low));
    let scaled = |&value: &f64| if width > 0.0 { ((value - low) / width).clamp(0.0, 1.0) } else { 0.0 };
    let mut values: Vec<f64> = image.as_slice().iter().map(scaled).collect();
    let spacing = image.geometry().spacing();
    let sigma = spacing.iter().copied().fold(f64::INFINITY, f64::min);
    let size = image.geometry().size();
    for axis in (0..3).filter(|&axis| size[axis] > 1) {
        smooth(&mut values, size, axis, sigma / spacing[axis]);
    }
    values
}

/// Smooths along an axis by a Gaussian of σ voxels, cut off at four σ, with mirrored borders.
fn smooth(values: &mut [f64], size: [usize; 3], axis: usize, sigma: f64) {
    let radius = (4.0 * sigma + 0.5) as isize;
    let weight = |step: isize| (-0.5 * (step as f64 / sigma).powi(2)).exp();
    let total: f64 = (-radius..=radius).map(weight).sum();
    let weights: Vec<f64> = (-radius..=radius).map(|step| weight(step) / total).collect();
    let stride: usize = size[..axis].iter().product();
    let n = size[axis] as isize;
    let mut line = vec![0.0; size[axis]];
    for start in (0..values.len()).filter(|position| (position / stride).is_multiple_of(size[axis])) {
        line.iter_mut().enumerate().for_each(|(index, value)| *value = values[start + index * stride]);
        for index in 0..size[axis] {
            let at = |step: isize| {
                let place = (index as isize + step).rem_euclid(2 * n);
                line[(if place < n { place } else { 2 * n - 1 - place }) as usize]
            };
            values[start + index * stride] =
                (-radius..=radius).zip(&weights).map(|(step, weight)| weight * at(step)).sum();
        }
    }
}

/// Voxels between neighbouring seeds on each axis; an axis shorter than a step has one seed.
fn steps(size: [usize; 3], wanted: f64) -> [usize; 3] {
    let mut free: Vec<usize> = vec![0, 1, 2];
    let mut steps = size;
    loop {
        let voxels: f64 = free.iter().map(|&axis| size[axis] as f64).product();
        let step = (voxels / wanted).powf(1.0 / free.len().max(1) as f64).max(1.0);
        let before = free.len();
        free.retain(|&axis| size[axis] as f64 > step);
        if free.len() == before || free.is_empty() {
            free.iter().for_each(|&axis| steps[axis] = step.floor() as usize);
            return steps;
        }
    }
}

fn seeds(values: &[f64], size: [usize; 3], steps: [usize; 3]) -> Vec<Centre> {
    let places = |axis: usize| (steps[axis] / 2..size[axis]).step_by(steps[axis].max(1));
    let at = |[x, y, z]: [usize; 3]| values[(z * size[1] + y) * size[0] + x];
    places(2)
        .flat_map(|z| places(1).flat_map(move |y| places(0).map(move |x| [x, y, z])))
        .map(|place| Centre { position: place.map(|index| index as f64), value: at(place) })
        .collect()
}

/// Gives each voxel the nearest centre, by position and grey value, among those within two steps.
fn assign(
    numbers: &mut [usize],
    values: &[f64],
    size: [usize; 3],
    spacing: [f64; 3],
    centres: &[Centre],
    steps: [usize; 3],
    step: f64,
) {
    let mut nearest = vec![f64::INFINITY; values.len()];
    for (number, centre) in centres.iter().enumerate() {
        let [xs, ys, zs] = [0, 1, 2].map(|axis| {
            let reach = 2.0 * steps[axis] as f64;
            let first = (centre.position[axis] - reach).max(0.0) as usize;
            first..((centre.position[axis] + reach + 1.0) as usize).min(size[axis])
        });
        let squared =
            |axis: usize, index: usize| ((index as f64 - centre.position[axis]) * spacing[axis] / step).powi(2);
        for z in zs {
            for y in ys.clone() {
                let beside = squared(2, z) + squared(1, y);
                for x in xs.clone() {
                    let place = (z * size[1] + y) * size[0] + x;
                    let distance = beside + squared(0, x) + ((values[place] - centre.value) / COMPACTNESS).powi(2);
                    if distance < nearest[place] {
                        (nearest[place], numbers[place]) = (distance, number);
                    }
                }
            }
        }
    }
}

/// Moves each centre to the mean of its voxels.
fn move_centres(centres: &mut [Centre], numbers: &[usize], values: &[f64], size: [usize; 3]) {
    let mut sums = vec![([0.0; 3], 0.0, 0.0); centres.len()];
    for (place, (&number, &value)) in numbers.iter().zip(values).enumerate() {
        let index = [place % size[0], place / size[0] % size[1], place / size[0] / size[1]];
        let (position, grey, count) = &mut sums[number];
        position.iter_mut().zip(index).for_each(|(sum, index)| *sum += index as f64);
        *grey += value;
        *count += 1.0;
    }
    for (centre, (position, grey, count)) in centres.iter_mut().zip(sums) {
        if count > 0.0 {
            *centre = Centre { position: position.map(|sum| sum / count), value: grey / count };
        }
    }
}

/// Numbers the connected parts of supervoxels; a part with fewer voxels than `smallest` goes to a neighbour's.
fn connected(numbers: &[usize], size: [usize; 3], smallest: usize) -> Vec<usize> {
    const UNSEEN: usize = usize::MAX;
    let mut parts = vec![UNSEEN; numbers.len()];
    let mut next = 0;
    let mut members = Vec::new();
    let mut waiting = VecDeque::new();
    for start in 0..numbers.len() {
        if parts[start] != UNSEEN {
            continue;
        }
        members.clear();
        let mut adjacent = None;
        parts[start] = next;
        waiting.push_back(start);
        while let Some(place) = waiting.pop_front() {
            members.push(place);
            for neighbour in faces(place, size) {
                if parts[neighbour] == UNSEEN && numbers[neighbour] == numbers[start] {
                    parts[neighbour] = next;
                    waiting.push_back(neighbour);
                } else if parts[neighbour] != UNSEEN && parts[neighbour] != next {
                    adjacent = Some(parts[neighbour]);
                }
            }
        }
        match adjacent.filter(|_| members.len() < smallest) {
            Some(other) => members.iter().for_each(|&place| parts[place] = other),
            None => next += 1,
        }
    }
    parts
}

/// The voxels that share a face with one.
fn faces(place: usize, size: [usize; 3]) -> impl Iterator<Item = usize> {
    let index = [place % size[0], place / size[0] % size[1], place / size[0] / size[1]];
    let strides = [1, size[0], size[0] * size[1]];
    (0..3).flat_map(move |axis| {
        let below = (index[axis] > 0).then(|| place - strides[axis]);
        let above = (index[axis] + 1 < size[axis]).then(|| place + strides[axis]);
        below.into_iter().chain(above)
    })
}

#[cfg(test)]
mod tests {
    use alnm_imaging::Geometry;
    use ndarray::Array3;

    use super::*;

    /// A bright ball in a dark image, and a mask a voxel beside it.
    fn ball() -> (Volume<f64>, LabelMap) {
        let geometry = Geometry::axis_aligned([30, 28, 26], [1.0, 1.0, 1.2]).unwrap();
        let distance = |z: usize, y: usize, x: usize, middle: f64| {
            ((z as f64 - 12.5) * 1.2).powi(2) + (y as f64 - 13.5).powi(2) + (x as f64 - middle).powi(2)
        };
        let image =
            Array3::from_shape_fn([26, 28, 30], |(z, y, x)| if distance(z, y, x, 15.0) < 81.0 { 100.0 } else { 0.0 });
        let mask = Array3::from_shape_fn([26, 28, 30], |(z, y, x)| u32::from(distance(z, y, x, 16.0) < 81.0));
        (Volume::new(image, geometry.clone()).unwrap(), Volume::new(mask, geometry).unwrap())
    }

    #[test]
    fn supervoxels_are_connected_and_numbered() {
        let (image, mask) = ball();
        let numbers = supervoxels(&image, &mask, 1);
        let count = numbers.iter().max().unwrap() + 1;
        assert!((10..200).contains(&count), "{count}");
        let parts = connected(&numbers, image.geometry().size(), 0);
        assert_eq!(parts.iter().max().unwrap() + 1, count);
    }

    #[test]
    fn a_contour_drawn_anew_keeps_to_the_edge() {
        let (image, mask) = ball();
        let overlap = |drawn: &LabelMap| {
            let pairs = || drawn.as_slice().iter().zip(image.as_slice());
            let both = pairs().filter(|(voxel, value)| **voxel == 1 && **value > 50.0).count();
            let either =
                pairs().map(|(voxel, value)| usize::from(*voxel == 1) + usize::from(*value > 50.0)).sum::<usize>();
            2.0 * both as f64 / either as f64
        };
        let drawn: Vec<LabelMap> = (0..4).map(|draw| redrawn(&image, &mask, 1, 7, draw).unwrap()).collect();
        assert!(drawn.iter().any(|other| *other != drawn[0]), "all contours are the same");
        // The ball has about the volume of six supervoxels, any of which at its edge may be left out.
        let largest = drawn.iter().map(overlap).fold(0.0, f64::max);
        assert!(largest > 0.8, "{largest}");
        for (draw, drawn) in drawn.iter().enumerate() {
            assert!(overlap(drawn) > 0.5, "Dice of draw {draw}: {}", overlap(drawn));
            assert_eq!(*drawn, redrawn(&image, &mask, 1, 7, draw).unwrap());
        }
    }
}
