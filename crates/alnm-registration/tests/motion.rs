//! Known motion is found again, with the same bits at any number of threads.

// A test that cannot make its images must end.
#![allow(clippy::unwrap_used)]

mod simulated;

use std::ops::ControlFlow;

use alnm_imaging::dce::DynamicSeries;
use alnm_imaging::resample::Interpolator;
use alnm_imaging::{Geometry, Image, LabelMap, Volume};
use alnm_registration::{
    EulerTransform, JacobianSummary, LesionConstraint, MotionModel, RegistrationError, RegistrationIteration,
    RegistrationMasks, RegistrationParams, RegistrationResult, SimilarityMeasure, SpatialTransform, StartingPosition,
};
use ndarray::Array3;
use simulated::{Breast, KnownMotion, image, image_through};

fn grid() -> Geometry {
    Geometry::axis_aligned([64, 56, 24], [1.5, 1.5, 2.5]).unwrap()
}

fn go_on(_: &RegistrationIteration) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

fn register(
    params: RegistrationParams,
    fixed: &Volume<f32>,
    moving: &Volume<f32>,
    masks: RegistrationMasks<'_>,
) -> Result<RegistrationResult, RegistrationError> {
    params.check()?.register(fixed, moving, masks, &mut go_on)
}

/// Mean distance of where tissue is found from where it is, in mm, over the tissue of the image.
fn error(transform: &SpatialTransform, motion: &KnownMotion, grid: &Geometry) -> f64 {
    let breast = Breast::new(grid);
    let (mut sum, mut count) = (0.0, 0);
    for position in (0..grid.voxel_count()).step_by(3) {
        let point = grid.index_to_point(grid.index_of(position).map(|index| index as f64));
        if breast.intensity(point, 0.0) > 60.0 {
            let (found, known) = (transform.displacement(point), motion.displacement(point));
            sum += (0..3).map(|axis| (found[axis] - known[axis]).powi(2)).sum::<f64>().sqrt();
            count += 1;
        }
    }
    sum / f64::from(count)
}

#[test]
fn a_smooth_motion_is_found_by_every_measure() {
    let grid = grid();
    let motion = KnownMotion::new(&grid, 5.0);
    let before = error(&SpatialTransform::identity(), &motion, &grid);
    // Measures differ in size, and so do the weights of the bending energy that suit them.
    for (measure, bending_weight, enhancement, largest) in [
        (SimilarityMeasure::MeanSquares, 2.0, 0.0, 0.45),
        (SimilarityMeasure::Correlation, 2.0, 0.0, 0.45),
        (SimilarityMeasure::LocalCorrelation { radius: 2 }, 100.0, 1.0, 0.45),
        (SimilarityMeasure::MutualInformation { bins: 32 }, 20.0, 1.0, 0.8),
    ] {
        let (fixed, moving) = (image(&grid, None, 0.0, 1), image(&grid, Some(&motion), enhancement, 2));
        let params = RegistrationParams::default()
            .with_measure(measure)
            .with_bending_weight(bending_weight)
            .with_stages([MotionModel::BSpline]);
        let result = register(params, &fixed, &moving, RegistrationMasks::default()).unwrap();
        let after = error(&result.transform, &motion, &grid);
        assert!(before > 1.5 && after < largest, "{measure:?}: {before} {after} {:?}", result.resolutions);
        assert_eq!(result.jacobian.folded, 0);
        assert!(result.resolutions.iter().all(|report| report.value <= report.start));
    }
}

#[test]
fn a_rigid_and_an_affine_motion_are_found() {
    let grid = grid();
    let center = grid.index_to_point([31.5, 27.5, 11.5]);
    let known = SpatialTransform::from(EulerTransform::new([0.04, -0.03, 0.06], [3.0, -2.0, 1.5], center));
    let (fixed, still) = (image_through(&grid, &|point| known.apply(point), 0.0, 1), image(&grid, None, 0.0, 2));
    for stages in [vec![MotionModel::Rigid], vec![MotionModel::Affine], vec![MotionModel::Rigid, MotionModel::Affine]] {
        // Cubes at the border hold tissue that only one of the images shows; the affine motion follows them a little.
        for (measure, largest) in
            [(SimilarityMeasure::MeanSquares, 0.2), (SimilarityMeasure::LocalCorrelation { radius: 2 }, 0.6)]
        {
            let params = RegistrationParams::default().with_stages(stages.clone()).with_measure(measure);
            let result = register(params, &fixed, &still, RegistrationMasks::default()).unwrap();
            for voxel in [[10.0, 10.0, 5.0], [50.0, 40.0, 20.0], [32.0, 28.0, 12.0]] {
                let point = grid.index_to_point(voxel);
                let (found, expected) = (result.transform.apply(point), known.apply(point));
                let apart = (0..3).map(|axis| (found[axis] - expected[axis]).powi(2)).sum::<f64>().sqrt();
                assert!(apart < largest, "{stages:?} {measure:?}: {apart}");
            }
        }
    }
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let grid = Geometry::axis_aligned([41, 37, 13], [1.5, 1.5, 3.0]).unwrap();
    let motion = KnownMotion::new(&grid, 3.0);
    let (fixed, moving) = (image(&grid, None, 0.0, 1), image(&grid, Some(&motion), 1.0, 2));
    let lesion = Breast::new(&grid).lesion(&grid);
    let masks = RegistrationMasks::default().with_lesion(&lesion);
    for measure in [
        SimilarityMeasure::MeanSquares,
        SimilarityMeasure::Correlation,
        SimilarityMeasure::LocalCorrelation { radius: 2 },
        SimilarityMeasure::MutualInformation { bins: 32 },
    ] {
        let params = RegistrationParams::default().with_measure(measure).with_iterations(8);
        let results = [1, 2, 8].map(|threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| register(params.clone(), &fixed, &moving, masks).unwrap())
        });
        assert_eq!(results[0], results[1]);
        assert_eq!(results[0], results[2]);
    }
}

#[test]
fn the_lesion_keeps_its_volume_and_its_curve() {
    let grid = grid();
    let motion = KnownMotion::new(&grid, 6.0);
    let breast = Breast::new(&grid);
    let lesion = breast.lesion(&grid);
    let (fixed, moving) = (image(&grid, None, 0.0, 1), image(&grid, Some(&motion), 1.0, 2));
    let series = DynamicSeries::new(vec![fixed.into(), moving.into()], vec![0.0, 90.0]).unwrap();
    let known = lesion_mean(&image(&grid, None, 1.0, 3).into(), &lesion);
    let before = (lesion_mean(&series.images()[1], &lesion) - known).abs();
    let masks = RegistrationMasks::default().with_lesion(&lesion);
    for constraint in [LesionConstraint::Free, LesionConstraint::Volume, LesionConstraint::Rigid] {
        let registration = RegistrationParams::default().with_lesion(constraint).check().unwrap();
        let mut phases = Vec::new();
        let mut observer = |phase, _: &RegistrationIteration| {
            phases.push(phase);
            ControlFlow::Continue(())
        };
        let found = registration.register_series(&series, 1, masks, Interpolator::Linear, &mut observer).unwrap();
        assert!(phases.iter().all(|&phase| phase == 2) && !phases.is_empty());
        assert_eq!(found.series.images()[0], series.images()[0]);
        let result = found.results[1].as_ref().unwrap();
        let after = (lesion_mean(&found.series.images()[1], &lesion) - known).abs();
        let off = error(&result.transform, &motion, &grid);
        assert!(after < before / 3.0, "{constraint:?}: {before} {after}, error {off}, {:?}", result.lesion);
        let summary = result.lesion.unwrap();
        let largest = if constraint == LesionConstraint::Free { 0.08 } else { 0.02 };
        assert!(summary.volume_change.abs() < largest, "{constraint:?}: {summary:?}");
        assert_eq!(Some(summary), JacobianSummary::of(&result.transform, &lesion).ok());
    }
}

fn lesion_mean(image: &Image, lesion: &LabelMap) -> f64 {
    let image = image.cast::<f64>();
    let voxels = image.as_slice().iter().zip(lesion.as_slice()).filter(|(_, label)| **label != 0);
    let (sum, count) = voxels.fold((0.0, 0.0), |(sum, count), (voxel, _)| (sum + voxel, count + 1.0));
    sum / count
}

#[test]
fn masks_keep_what_must_not_be_matched_out() {
    let grid = grid();
    let shift = |[x, y, z]: [f64; 3]| [x + 3.0, y - 2.0, z];
    let (mut fixed, mut moving) = (image_through(&grid, &shift, 0.0, 1), image(&grid, None, 0.0, 2));
    // A bright block that does not move with the rest.
    let mut mask = Volume::filled(grid.clone(), 1_u32);
    for position in 0..grid.voxel_count() {
        let [x, y, _] = grid.index_of(position);
        if (10..30).contains(&x) && (15..35).contains(&y) {
            fixed.as_mut_slice()[position] = if (x + y) % 8 < 4 { 900.0 } else { 100.0 };
            moving.as_mut_slice()[position] = fixed.as_slice()[position];
            mask.as_mut_slice()[position] = 0;
        }
    }
    let found = |masks| {
        let params = RegistrationParams::default()
            .with_stages([MotionModel::Rigid])
            .with_measure(SimilarityMeasure::MeanSquares);
        let result = register(params, &fixed, &moving, masks).unwrap();
        let [x, y, z] = result.transform.displacement(grid.index_to_point([45.0, 30.0, 12.0]));
        ((x - 3.0).powi(2) + (y + 2.0).powi(2) + z * z).sqrt()
    };
    let without = found(RegistrationMasks::default());
    let with = found(RegistrationMasks::default().with_fixed(&mask).with_moving(&mask));
    assert!(with < 0.3 && without > 1.0, "{with} {without}");
}

#[test]
fn images_of_one_slice_are_registered_in_their_plane() {
    let grid = Geometry::axis_aligned([64, 56, 1], [1.5, 1.5, 4.0]).unwrap();
    let breast = Breast::new(&Geometry::axis_aligned([64, 56, 24], [1.5, 1.5, 2.5]).unwrap());
    let plane = |shift: f64| {
        let mut image = Volume::filled(grid.clone(), 0.0_f32);
        for position in 0..grid.voxel_count() {
            let [x, y, _] = grid.index_to_point(grid.index_of(position).map(|index| index as f64));
            image.as_mut_slice()[position] = breast.intensity([x - shift, y + 0.5 * shift, 30.0], 0.0) as f32;
        }
        image
    };
    let (fixed, moving) = (plane(0.0), plane(3.0));
    for stages in [vec![MotionModel::Rigid], vec![MotionModel::Affine], vec![MotionModel::Rigid, MotionModel::BSpline]]
    {
        let params = RegistrationParams::default().with_stages(stages);
        let result = register(params, &fixed, &moving, RegistrationMasks::default()).unwrap();
        let [x, y, z] = result.transform.displacement(grid.index_to_point([30.0, 30.0, 0.0]));
        assert!((x - 3.0).abs() < 0.2 && (y + 1.5).abs() < 0.2 && z.abs() < 1e-6, "{x} {y} {z}");
    }
}

#[test]
fn what_cannot_be_registered_is_refused() {
    let grid = grid();
    let good = image(&grid, None, 0.0, 1);
    let none = RegistrationMasks::default();
    let refused = |fixed: &Volume<f32>, moving: &Volume<f32>, masks| {
        register(RegistrationParams::default(), fixed, moving, masks).unwrap_err()
    };
    let tiny = Volume::filled(Geometry::axis_aligned([3, 40, 3], [1.0; 3]).unwrap(), 1.0_f32);
    assert!(matches!(refused(&tiny, &good, none), RegistrationError::ImageTooSmall { image: "fixed", .. }));
    assert!(matches!(refused(&good, &tiny, none), RegistrationError::ImageTooSmall { image: "moving", .. }));
    let flat = Volume::filled(grid.clone(), 7.0_f32);
    let error = refused(&good, &flat, none);
    assert!(matches!(error, RegistrationError::ConstantImage { image: "moving", value: 7.0 }));
    let plane = Volume::filled(Geometry::axis_aligned([64, 56, 1], [1.5; 3]).unwrap(), 7.0_f32);
    assert!(matches!(refused(&good, &plane, none), RegistrationError::SliceCount { fixed: 24, moving: 1 }));
    let mut holed = good.clone();
    holed.as_mut_slice()[100] = f32::NAN;
    let error = refused(&holed, &good, none);
    assert_eq!(error.to_string(), "fixed image: the voxel [36, 1, 0] (x, y, z) is NaN; every voxel must be finite");
    let empty = Volume::filled(grid.clone(), 0_u32);
    let error = refused(&good, &good, none.with_fixed(&empty));
    assert!(matches!(error, RegistrationError::EmptyMask { mask: "fixed" }));
    let other = Volume::filled(Geometry::axis_aligned([64, 56, 24], [1.0; 3]).unwrap(), 1_u32);
    assert!(matches!(
        refused(&good, &good, none.with_lesion(&other)),
        RegistrationError::MaskGrid { mask: "lesion", .. }
    ));
    let far = Geometry::new([64, 56, 24], [1.5, 1.5, 2.5], [500.0, 0.0, 0.0], grid.direction()).unwrap();
    let far = Volume::new(good.data().clone(), far).unwrap();
    assert!(matches!(refused(&good, &far, none), RegistrationError::NoOverlap { .. }));
    // Their centres can be brought together.
    let params = RegistrationParams::default().with_start(StartingPosition::GridCenters);
    let found = register(params.with_stages([MotionModel::Rigid]), &good, &far, none).unwrap();
    let [x, y, z] = found.transform.displacement([40.0, 40.0, 30.0]);
    assert!((x - 500.0).abs() < 0.05 && y.abs() < 0.05 && z.abs() < 0.05);
    for spacing in [0.5, 1e-300] {
        let params = RegistrationParams::default().with_stages([MotionModel::BSpline]).with_grid_spacing(spacing);
        let error = register(params, &good, &good, none).unwrap_err();
        assert!(matches!(error, RegistrationError::InvalidParameter { parameter: "grid_spacing", .. }));
    }
    let series = DynamicSeries::new(vec![good.clone().into()], vec![0.0]).unwrap();
    let registration = RegistrationParams::default().check().unwrap();
    let mut observer = |_, _: &RegistrationIteration| ControlFlow::Continue(());
    assert!(matches!(
        registration.register_series(&series, 2, none, Interpolator::Linear, &mut observer),
        Err(RegistrationError::NoSuchPhase { phase: 2, count: 1 })
    ));
    let mut stop = |_: &RegistrationIteration| ControlFlow::Break(());
    let moved = image(&grid, Some(&KnownMotion::new(&grid, 3.0)), 0.0, 2);
    assert!(matches!(registration.register(&good, &moved, none, &mut stop), Err(RegistrationError::Cancelled)));
}

/// Independent noise correlates best where few voxels lie in both images.
#[test]
fn images_without_likeness_are_not_moved_apart() {
    let grid = Geometry::axis_aligned([20, 18, 9], [2.0, 2.0, 3.0]).unwrap();
    let mut state = 7_u64;
    let mut noise = || {
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 40) as f32
        };
        Volume::new(Array3::from_shape_simple_fn(grid.shape(), &mut next), grid.clone()).unwrap()
    };
    for measure in [SimilarityMeasure::Correlation, SimilarityMeasure::MutualInformation { bins: 16 }] {
        for _ in 0..4 {
            let params = RegistrationParams::default()
                .with_stages([MotionModel::Rigid])
                .with_measure(measure)
                .with_iterations(200);
            let found = register(params, &noise(), &noise(), RegistrationMasks::default()).unwrap();
            // Half of the voxels have to stay in common, those up to three voxels outside among them.
            assert!(found.overlap > 0.25, "{measure:?}: {}", found.overlap);
        }
    }
    let whole = image(&grid, None, 0.0, 1);
    let params = RegistrationParams::default().with_stages([MotionModel::Rigid]);
    let found = register(params, &whole, &whole, RegistrationMasks::default()).unwrap();
    assert_eq!(found.overlap, 1.0);
}

#[test]
fn public_types_go_between_threads() {
    fn check<T: Send + Sync>() {}
    check::<RegistrationParams>();
    check::<RegistrationResult>();
    check::<RegistrationError>();
    check::<SpatialTransform>();
}
