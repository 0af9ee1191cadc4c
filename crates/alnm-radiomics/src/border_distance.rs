//! How far the voxels of a region lie from its border.

/// Steps across faces from each voxel of a box of `shape` (z, y, x) to the nearest one that is not `inside`, without
/// steps along `fixed_axis`; 0 outside. What lies beyond the box is outside. One pass forward and one backward find
/// city-block distances.
pub(crate) fn border_distances(inside: &[bool], shape: [usize; 3], fixed_axis: Option<usize>) -> Vec<u32> {
    let [_, height, width] = shape;
    let goes_along: [bool; 3] = std::array::from_fn(|axis| fixed_axis != Some(axis));
    let mut distances: Vec<u32> = inside.iter().map(|&inside| if inside { u32::MAX - 1 } else { 0 }).collect();
    let rows = distances.len() / width.max(1);
    for row in 0..rows {
        let (earlier, own) = distances.split_at_mut(row * width);
        let own = &mut own[..width];
        let before = |rows: usize, exists: bool| exists.then(|| &earlier[(row - rows) * width..][..width]);
        if goes_along[0] {
            lower_to(own, before(height, row >= height));
        }
        if goes_along[1] {
            lower_to(own, before(1, row % height > 0));
        }
        if goes_along[2] {
            lower_along(own.iter_mut());
        }
    }
    for row in (0..rows).rev() {
        let (own, later) = distances.split_at_mut((row + 1) * width);
        let own = &mut own[row * width..];
        let after = |rows: usize, exists: bool| exists.then(|| &later[(rows - 1) * width..][..width]);
        if goes_along[0] {
            lower_to(own, after(height, row + height < rows));
        }
        if goes_along[1] {
            lower_to(own, after(1, row % height + 1 < height));
        }
        if goes_along[2] {
            lower_along(own.iter_mut().rev());
        }
    }
    distances
}

/// Makes the distances of a row at most one more than those of the row `beside` it; where there is none, what would be
/// there is outside.
fn lower_to(row: &mut [u32], beside: Option<&[u32]>) {
    match beside {
        Some(beside) => {
            for (distance, beside) in row.iter_mut().zip(beside) {
                *distance = (*distance).min(beside + 1);
            }
        }
        None => row.iter_mut().for_each(|distance| *distance = (*distance).min(1)),
    }
}

/// Makes each distance of a row at most one more than the one before; before the first is outside.
fn lower_along<'a>(row: impl Iterator<Item = &'a mut u32>) {
    let mut before = 0;
    for distance in row {
        *distance = (*distance).min(before + 1);
        before = *distance;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn distances_agree_with_looking_at_every_voxel(inside in prop::collection::vec(prop::bool::weighted(0.8), 3 * 4 * 5), fixed in 0usize..4) {
            let shape = [3, 4, 5];
            let fixed_axis = (fixed < 3).then_some(fixed);
            let distances = border_distances(&inside, shape, fixed_axis);
            // With a layer of voxels outside around the box.
            let place = |index: usize| [index / 42, index / 7 % 6, index % 7].map(|i| i as isize - 1);
            let is_inside = |[z, y, x]: [isize; 3]| {
                let within = (0..3).contains(&z) && (0..4).contains(&y) && (0..5).contains(&x);
                within && inside[((z * 4 + y) * 5 + x) as usize]
            };
            for (index, &distance) in distances.iter().enumerate() {
                let voxel = [index / 20, index / 5 % 4, index % 5].map(|i| i as isize);
                let reachable = |other: &[isize; 3]| fixed_axis.is_none_or(|axis| other[axis] == voxel[axis]);
                let steps = |other: [isize; 3]| (0..3).map(|axis| voxel[axis].abs_diff(other[axis])).sum::<usize>();
                let outside = (0..5 * 6 * 7).map(place).filter(|other| !is_inside(*other) && reachable(other));
                prop_assert_eq!(distance as usize, outside.map(steps).min().unwrap());
            }
        }
    }
}
