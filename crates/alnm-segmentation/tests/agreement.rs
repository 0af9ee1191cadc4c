//! Agreement of outlines against SimpleITK 2.5.7 and surface-distance 0.1; `golden/agreement.py` wrote the values.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use alnm_imaging::region::{VoxelBox, crop};
use alnm_imaging::{Geometry, LabelMap, Volume};
use alnm_segmentation::SegmentationError;
use alnm_segmentation::agreement::{
    LabelAgreement, OutlineComparisonParams, OutlineDistances, RegionOverlap, SurfelDistances, VoxelDistances,
};
use alnm_segmentation::consensus::{StapleParams, majority_vote};
use ndarray::Array3;

const GOLDEN: &str = include_str!("golden/agreement.txt");

const CASES: [(&str, [usize; 3], [f64; 3], f64); 4] = [
    ("isotropic", [22, 20, 18], [1.0, 1.0, 1.0], 1.0),
    ("breast", [25, 23, 9], [0.7, 0.75, 2.5], 0.8),
    ("touching", [9, 8, 7], [1.5, 0.5, 3.0], 2.0),
    ("plane", [24, 21, 1], [0.6, 0.9, 5.0], 1.0),
];

/// The same outlines as in the script: two ellipsoids, roughened by a residue.
fn outline(grid: &Geometry, shift: i64) -> LabelMap {
    let [width, height, depth] = grid.size().map(|n| n as i64);
    let label = |(z, y, x): (usize, usize, usize)| {
        let [x, y, z] = [x, y, z].map(|index| index as i64);
        let (u, v, w) = (2 * x - width - 2 * shift, 2 * y - height + shift, 2 * z - depth + 1);
        let rough = (3 * x + 5 * y + 7 * z + x * y) % 11;
        if 9 * u * u + 12 * v * v + 20 * w * w + 40 * rough < 1300 + 60 * shift {
            1
        } else {
            u32::from((u - 14).pow(2) + (v + 9).pow(2) + 2 * w * w + 2 * rough < 70) * 2
        }
    };
    Volume::new(Array3::from_shape_fn(grid.shape(), label), grid.clone()).unwrap()
}

/// The values of a line of the golden file that begins with these words.
fn golden(name: &str) -> Option<Vec<f64>> {
    let line = GOLDEN.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?;
    Some(line.split(' ').map(|number| number.parse().unwrap()).collect())
}

fn assert_near(name: &str, found: &[f64], expected: &[f64]) {
    assert_eq!(found.len(), expected.len(), "{name}");
    for (i, (&found, &expected)) in found.iter().zip(expected).enumerate() {
        // Where a measure is a quotient of zeros, SimpleITK gives the largest double.
        let undefined = found.is_nan() && expected > 1e300;
        assert!(undefined || (found - expected).abs() <= 1e-9, "{name}, value {i}: {found} instead of {expected}");
    }
}

fn assert_overlap(name: &str, overlap: &RegionOverlap) {
    let RegionOverlap { dice, jaccard, volume_similarity, false_negative_error, false_discovery_rate, kappa, .. } =
        *overlap;
    let found = [dice, jaccard, volume_similarity, false_negative_error, false_discovery_rate];
    assert_near(name, &found, &golden(&format!("{name} overlap")).unwrap());
    assert_near(name, &[kappa], &golden(&format!("{name} kappa")).unwrap());
}

fn assert_distances(name: &str, distances: Option<&OutlineDistances>) {
    let (voxels, surfels) = (golden(&format!("{name} voxels")), golden(&format!("{name} surfels")));
    let Some(found) = distances else {
        assert!(voxels.is_none() && surfels.is_none(), "{name}");
        return;
    };
    let v: &VoxelDistances = &found.voxels;
    let found_voxels = [
        v.hausdorff,
        v.average_hausdorff,
        v.surface_mean,
        v.surface_median,
        v.surface_standard_deviation,
        v.surface_percentile,
        v.surface_maximum,
    ];
    assert_near(&format!("{name} voxels"), &found_voxels, &voxels.unwrap());
    let s: &SurfelDistances = &found.surfels;
    let found_surfels = [
        s.hausdorff,
        s.robust_hausdorff,
        s.mean_from_reference,
        s.mean_from_other,
        s.surface_dice,
        s.overlap_of_reference,
        s.overlap_of_other,
        s.reference_area,
        s.other_area,
    ];
    assert_near(&format!("{name} surfels"), &found_surfels, &surfels.unwrap());
}

#[test]
fn agreement_is_that_of_simpleitk_and_surface_distance() {
    for (name, size, spacing, tolerance) in CASES {
        let grid = Geometry::axis_aligned(size, spacing).unwrap();
        let params = OutlineComparisonParams::default().with_tolerance(tolerance).with_per_slice(true);
        let found = params.check().unwrap().compare(&outline(&grid, 0), &outline(&grid, 2)).unwrap();
        for LabelAgreement { label, overlap, distances, slices, .. } in &found.labels {
            assert_overlap(&format!("{name} {label}"), overlap);
            assert_distances(&format!("{name} {label}"), distances.as_ref());
            for slice in slices {
                let name = format!("{name} {label} {}", slice.slice);
                if golden(&format!("{name} overlap")).is_some() {
                    assert_overlap(&name, &slice.overlap);
                    assert_distances(&name, slice.distances.as_ref());
                }
            }
        }
        assert!(found.labels.iter().any(|label| label.label == 1) && found.labels[0].slices.len() >= size[2].min(5));
    }
}

#[test]
fn staple_and_votes_are_those_of_simpleitk() {
    for (name, size, spacing, _) in CASES {
        let grid = Geometry::axis_aligned(size, spacing).unwrap();
        let outlines = [0, 1, 2, 4].map(|shift| outline(&grid, shift));
        let outlines: Vec<&LabelMap> = outlines.iter().collect();
        for (confidence, word) in [(1.0, "1.0"), (0.4, "0.4")] {
            let name = format!("{name} {word}");
            let staple = StapleParams::default().with_confidence_weight(confidence).check().unwrap();
            let found = staple.estimate(&outlines).unwrap();
            let mut performance = vec![found.iterations as f64];
            performance.extend(found.raters.iter().map(|rater| rater.sensitivity));
            performance.extend(found.raters.iter().map(|rater| rater.specificity));
            assert_near(&format!("{name} staple"), &performance, &golden(&format!("{name} staple")).unwrap());
            let middle =
                crop(&found.probability, &VoxelBox::new([0, size[1] / 2, size[2] / 2], [size[0], 1, 1])).unwrap();
            let mut probabilities = vec![found.probability.as_slice().iter().sum()];
            probabilities.extend(middle.as_slice());
            assert_near(&name, &probabilities, &golden(&format!("{name} probabilities")).unwrap());
            let votes = majority_vote(&outlines, 9).unwrap();
            let counts =
                [0, 1, 2, 9].map(|label| votes.as_slice().iter().filter(|&&voxel| voxel == label).count() as f64);
            assert_near(&name, &counts, &golden(&format!("{name} votes")).unwrap());
        }
    }
}

#[test]
fn outlines_on_other_grids_and_impossible_parameters_are_refused() {
    let grid = Geometry::axis_aligned([4, 4, 4], [1.0; 3]).unwrap();
    let mask = Volume::filled(grid.clone(), 1_u32);
    let moved = Volume::filled(Geometry::axis_aligned([4, 4, 4], [1.0, 1.0, 1.1]).unwrap(), 1_u32);
    let comparison = OutlineComparisonParams::default().check().unwrap();
    let error = comparison.compare(&mask, &moved).unwrap_err();
    assert!(matches!(error, SegmentationError::Imaging(_)), "{error}");
    assert!(majority_vote(&[&mask, &moved], 0).is_err() && majority_vote(&[], 0).is_err());
    assert!(StapleParams::default().check().unwrap().estimate(&vec![&mask; 65]).is_err());
    let error = StapleParams::default().with_label(3).check().unwrap().estimate(&[&mask]).unwrap_err();
    assert_eq!(error.to_string(), "label of the structure is 3; it must be a label that at least one outline holds");
    for params in [
        OutlineComparisonParams::default().with_labels([0]),
        OutlineComparisonParams::default().with_tolerance(f64::NAN),
        OutlineComparisonParams::default().with_percentile(0.0),
    ] {
        assert!(params.check().is_err());
    }
    assert!(StapleParams::default().with_confidence_weight(1.5).check().is_err());
    assert!(StapleParams::default().with_label(0).check().is_err());
    assert!(StapleParams::default().with_max_iterations(0).check().is_err());
}

#[test]
fn an_outline_agrees_with_itself() {
    let grid = Geometry::axis_aligned([12, 10, 6], [0.8, 0.8, 2.0]).unwrap();
    let mask = outline(&grid, 0);
    for label in OutlineComparisonParams::default().check().unwrap().compare(&mask, &mask).unwrap().labels {
        let distances = label.distances.unwrap();
        assert_eq!((label.overlap.dice, label.overlap.kappa, label.overlap.volume_similarity), (1.0, 1.0, 0.0));
        assert_eq!((distances.voxels.hausdorff, distances.voxels.surface_maximum), (0.0, 0.0));
        assert_eq!((distances.surfels.hausdorff, distances.surfels.surface_dice), (0.0, 1.0));
    }
}
