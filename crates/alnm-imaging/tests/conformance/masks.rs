//! Structure sets on their images against masks made by another rasteriser.

use alnm_imaging::dicom::{ContourKind, DicomFolder, MaskFile};
use alnm_imaging::mask::{MaskParams, read_mask_with};
use alnm_imaging::{Geometry, LabelMap, read_mask};

use crate::dicom::folders;
use crate::pack::{ImagingPack, section};

#[test]
fn structure_sets() {
    let Some(pack) = ImagingPack::open() else { return };
    let mut overlap = section("RTSTRUCT masks, 1 - Dice");
    let mut stray = section("RTSTRUCT masks, differing voxels that touch no contour");
    for folder in folders(&pack) {
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        let images = DicomFolder::scan(folder.join("image")).unwrap();
        let series = images.only_series().unwrap();
        let grid = series.geometry().unwrap();
        let frame_of_reference = series.frame_of_reference().unwrap();
        let params = MaskParams::default().with_grid(grid.clone()).with_frame_of_reference(frame_of_reference);
        let ours = read_mask_with(folder.join("mask"), &params).unwrap();
        let expected = read_mask(folder.join("mask.nii.gz")).unwrap();
        let (dice, differing) = compare(&ours, &expected);
        println!("{name}: Dice {dice:.5}, {} differing voxels", differing.len());
        overlap.case_of_difference(&name, 1.0 - dice, 0.01);
        let Some(MaskFile::StructureSet(set)) = MaskFile::find(folder.join("mask")).unwrap() else {
            panic!("{name} has no structure set")
        };
        let closed =
            set.rois().iter().flat_map(|roi| &roi.contours).filter(|contour| contour.kind == ContourKind::Closed);
        let polygons: Vec<Vec<[f64; 3]>> = closed.map(|contour| indices(grid, &contour.points)).collect();
        let untouched =
            differing.iter().filter(|&&voxel| !polygons.iter().any(|polygon| passes_through(polygon, voxel))).count();
        stray.case_of_difference(name, untouched as f64, 0.0);
    }
    overlap.finish();
    stray.finish();
}

fn indices(grid: &Geometry, points: &[[f64; 3]]) -> Vec<[f64; 3]> {
    points.iter().map(|&point| grid.point_to_index(point)).collect()
}

/// Dice coefficient and the indices of the voxels that differ.
fn compare(ours: &LabelMap, expected: &LabelMap) -> (f64, Vec<[usize; 3]>) {
    assert_eq!(ours.geometry().size(), expected.geometry().size());
    let inside = |mask: &LabelMap| mask.as_slice().iter().filter(|voxel| **voxel != 0).count();
    let pairs = || ours.as_slice().iter().zip(expected.as_slice()).map(|(a, b)| (*a != 0, *b != 0));
    let both = pairs().filter(|&(a, b)| a && b).count();
    let differing = pairs()
        .enumerate()
        .filter(|(_, (a, b))| a != b)
        .map(|(position, _)| ours.geometry().index_of(position))
        .collect();
    (2.0 * both as f64 / (inside(ours) + inside(expected)) as f64, differing)
}

/// Whether an edge of a polygon on the voxel's slice passes through the voxel or along its border.
fn passes_through(polygon: &[[f64; 3]], voxel: [usize; 3]) -> bool {
    let centre = voxel.map(|index| index as f64);
    if polygon.iter().any(|point| (point[2] - centre[2]).abs() > 0.5) {
        return false;
    }
    let ends = polygon.iter().zip(polygon.iter().cycle().skip(1));
    ends.into_iter()
        .any(|(a, b)| cuts_square([a[0] - centre[0], a[1] - centre[1]], [b[0] - centre[0], b[1] - centre[1]]))
}

/// Whether a segment meets the closed square of side 1 around the origin (clipping by Liang and Barsky).
fn cuts_square(a: [f64; 2], b: [f64; 2]) -> bool {
    const HALF: f64 = 0.5 + 1e-6;
    let (mut enter, mut leave) = (0.0_f64, 1.0_f64);
    for axis in 0..2 {
        let step = b[axis] - a[axis];
        if step == 0.0 {
            if a[axis].abs() > HALF {
                return false;
            }
            continue;
        }
        let (first, second) = ((-HALF - a[axis]) / step, (HALF - a[axis]) / step);
        enter = enter.max(first.min(second));
        leave = leave.min(first.max(second));
    }
    enter <= leave
}
