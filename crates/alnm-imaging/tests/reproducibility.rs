//! The same input gives the same bits at any number of threads.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::ops::ControlFlow;

use alnm_imaging::n4::{Foreground, N4Params};
use alnm_imaging::otsu::{otsu_mask, otsu_threshold};
use alnm_imaging::resample::{Interpolator, resample, spacing_grid};
use alnm_imaging::{Geometry, ImagingError, Volume};
use ndarray::Array3;
use rayon::ThreadPoolBuilder;

/// Two tissues in an ellipsoid under a field, with a texture that stands for noise.
fn head() -> Volume<f32> {
    let geometry = Geometry::axis_aligned([48, 40, 24], [1.0, 1.1, 2.0]).unwrap();
    let voxels = Array3::from_shape_fn(geometry.shape(), |(z, y, x)| {
        let [u, v, w] = [x as f32 / 24.0 - 1.0, y as f32 / 20.0 - 1.0, z as f32 / 12.0 - 1.0];
        let tissue = match u * u + v * v + w * w {
            d if d < 0.3 => 400.0,
            d if d < 0.8 => 150.0,
            _ => 5.0,
        };
        let texture = ((31 * x + 17 * y + 7 * z) % 13) as f32;
        (tissue + texture) * (0.3 * u + 0.1 * v * w).exp()
    });
    Volume::new(voxels, geometry).unwrap()
}

fn bits(volume: &Volume<f32>) -> Vec<u32> {
    volume.as_slice().iter().map(|value| value.to_bits()).collect()
}

fn assert_same_bits(compute: impl Fn() -> Vec<u32> + Sync) {
    let in_pool = |threads| ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(&compute);
    let alone = in_pool(1);
    for threads in [2, 8] {
        assert!(in_pool(threads) == alone, "{threads} threads give other bits than one");
    }
}

#[test]
fn n4() {
    let image = head();
    let mask = otsu_mask(&image, 200).unwrap();
    for shrink in [1, 2] {
        let n4 = N4Params::default().with_iterations([8; 3]).with_shrink(shrink).check().unwrap();
        assert_same_bits(|| {
            let result = n4.correct(&image, Some(&mask)).unwrap();
            [bits(result.corrected()), bits(result.log_bias_field())].concat()
        });
    }
}

#[test]
fn resampling() {
    let image = head();
    let straight = spacing_grid(image.geometry(), [0.8, 1.7, 1.0]).unwrap();
    let (sin, cos) = 0.3_f64.sin_cos();
    let turned =
        Geometry::new([40, 40, 30], [1.2; 3], [2.0, -3.0, 1.0], [[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]])
            .unwrap();
    for grid in [straight, turned] {
        for interpolator in [Interpolator::Nearest, Interpolator::Linear, Interpolator::BSpline] {
            assert_same_bits(|| bits(&resample(&image, &grid, interpolator, 0.0).unwrap()));
        }
    }
}

#[test]
fn an_observer_sees_every_iteration_and_can_stop_the_work() {
    let image = head();
    let n4 = N4Params::default().with_iterations([3, 2]).with_convergence_threshold(0.0).check().unwrap();
    let mut seen = Vec::new();
    let mut watch = |now: &alnm_imaging::n4::N4Iteration| {
        seen.push((now.level, now.iteration));
        ControlFlow::Continue(())
    };
    n4.fit(&image, Foreground::All, None, &mut watch).unwrap();
    assert_eq!(seen, [(0, 1), (0, 2), (0, 3), (1, 1), (1, 2)]);

    let mut calls = 0;
    let stopped = n4.fit(&image, Foreground::All, None, &mut |_| {
        calls += 1;
        if calls == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    assert!(matches!(stopped, Err(ImagingError::Cancelled { .. })));
    assert_eq!(calls, 2);
}

#[test]
fn a_threshold_is_as_good_as_the_mask_above_it() {
    let image = head();
    for shrink in [1, 2] {
        let n4 = N4Params::default().with_iterations([4, 3]).with_shrink(shrink).check().unwrap();
        let with_mask = n4.correct(&image, Some(&otsu_mask(&image, 200).unwrap())).unwrap();
        let above = Foreground::Above(f64::from(otsu_threshold(&image, 200).unwrap()));
        let field = n4.fit(&image, above, None, &mut |_| ControlFlow::Continue(())).unwrap();
        assert_eq!(field.log_field(image.geometry()), *with_mask.log_bias_field());
        assert_eq!(field.correct(image.clone()), with_mask);
    }
}
