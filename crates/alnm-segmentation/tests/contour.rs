//! Contours against Convert3D 1.4.6 and speeds against SimpleITK's filters; `golden/contour.py` wrote them.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::ops::ControlFlow;

use alnm_imaging::{Geometry, ImagingError, LabelMap, Volume};
use alnm_segmentation::SegmentationError;
use alnm_segmentation::contour::{ActiveContourParams, ContourIteration, ContourWarning};
use alnm_segmentation::seeds::{Bubble, bubble_mask, landmark_voxels, markup_points};
use alnm_segmentation::speed::{
    EdgeSpeedParams, SpeedSource, ThresholdSpeedParams, laplacian_speed, linear_threshold_speed,
};
use ndarray::Array3;
use rayon::ThreadPoolBuilder;

const GOLDEN: &str = include_str!("golden/contour.txt");

/// Twice the distances of a voxel from the middle of the image, which are whole numbers.
fn places(grid: &Geometry) -> Array3<[i64; 3]> {
    let size = grid.size().map(|n| n as i64);
    Array3::from_shape_fn(grid.shape(), |(z, y, x)| {
        [2 * x as i64 - size[0], 2 * y as i64 - size[1], 2 * z as i64 - size[2]]
    })
}

/// The speeds of the script.
fn speed(grid: &Geometry, shape: u32) -> Volume<f32> {
    let at = |&[u, v, w]: &[i64; 3]| {
        let rough = (3 * u + 5 * v + 7 * w + u * v).rem_euclid(13);
        let ball = 400 - u * u - v * v - 4 * w * w;
        let q = match shape {
            0 => ball,
            1 => ball - 12 * rough,
            2 => {
                let balls = [110 - (u - 9).pow(2) - v * v - w * w, 150 - (u + 10).pow(2) - v * v - w * w];
                balls[0].max(balls[1]) - 2 * rough
            }
            _ => 900 - u * u - rough,
        };
        q.div_euclid(4).clamp(-64, 64) as f32 / 64.0
    };
    Volume::new(places(grid).map(at), grid.clone()).unwrap()
}

fn seed(grid: &Geometry, shape: u32) -> LabelMap {
    let balls: &[i64] = match shape {
        0 | 1 => &[0],
        2 => &[-10, 9],
        _ => &[2],
    };
    let is_inside = |&[u, v, w]: &[i64; 3]| balls.iter().any(|ball| (u - ball).pow(2) + v * v + w * w <= 26);
    Volume::new(places(grid).map(|place| u32::from(is_inside(place))), grid.clone()).unwrap()
}

/// The lines of a kind: size, spacing, and what follows.
fn golden(kind: &str) -> Vec<(Geometry, Vec<f64>)> {
    let lines = GOLDEN.lines().filter_map(|line| line.strip_prefix(kind)?.strip_prefix(' '));
    let grids = lines.map(|line| {
        let numbers: Vec<f64> = line.split(' ').map(|number| number.parse().unwrap()).collect();
        let size = std::array::from_fn(|axis| numbers[axis] as usize);
        (Geometry::axis_aligned(size, std::array::from_fn(|axis| numbers[3 + axis])).unwrap(), numbers[6..].to_vec())
    });
    grids.collect()
}

/// Compares outlines with those of a kind of line, whose speed is made of the script's.
fn assert_outlines(kind: &str, cases: usize, make_speed: impl Fn(Volume<f32>) -> Volume<f32>) {
    let lines = golden(kind);
    assert_eq!(lines.len(), cases);
    for (grid, numbers) in lines {
        let (shape, curvature, iterations) = (numbers[0] as u32, numbers[1], numbers[2] as usize);
        let mut expected = Vec::new();
        for (run, &length) in numbers[3..].iter().enumerate() {
            expected.extend(std::iter::repeat_n(run as u32 % 2, length as usize));
        }
        // The filters end when the change falls below 1e-4, as Convert3D asks for.
        let params = ActiveContourParams::regions().with_curvature_weight(curvature).with_iterations(iterations);
        let contour = params.with_rms_change(1e-4).check().unwrap();
        let found = contour.evolve(&make_speed(speed(&grid, shape)), &seed(&grid, shape)).unwrap();
        let differing = found.mask.as_slice().iter().zip(&expected).filter(|(a, b)| a != b).count();
        let voxels = expected.iter().sum::<u32>() as usize;
        let case = format!("{kind}, shape {shape}, curvature {curvature}");
        assert_eq!((differing, found.voxel_count), (0, voxels), "{case}: {} voxels", found.voxel_count);
    }
}

#[test]
fn contours_are_those_of_convert3d_voxel_by_voxel() {
    assert_outlines("contour", 7, |speed| speed);
}

#[test]
fn contours_are_those_of_simpleitks_filters_voxel_by_voxel() {
    let feature = |speed: Volume<f32>| speed.map(|speed| speed * 64.0 + 100.0);
    assert_outlines("threshold", 5, |speed| linear_threshold_speed(&feature(speed), 95.0, 300.0).unwrap());
    assert_outlines("laplacian", 5, |speed| laplacian_speed(&feature(speed)).unwrap());
}

#[test]
fn speeds_by_edges_are_those_of_itk_snap() {
    for (grid, numbers) in golden("edges") {
        let values = places(&grid).map(|&[u, v, w]| {
            let residue = (u * u + 3 * v * v + 2 * w * w + 5 * u * v).rem_euclid(97);
            (residue + if u > 0 { 40 } else { 0 }) as f32
        });
        let image = Volume::new(values, grid).unwrap();
        let found = EdgeSpeedParams::default().with_sigma(numbers[0]).check().unwrap().speed(&image).unwrap();
        for (found, expected) in found.as_slice().iter().zip(&numbers[1..]) {
            let steps = f64::from(*found) * 32767.0;
            assert!((steps - expected).abs() <= 1.0 + 1e-3, "{steps} instead of {expected}");
        }
    }
}

#[test]
fn speeds_by_thresholds_follow_the_formula_and_are_the_same_row_by_row() {
    let grid = Geometry::axis_aligned([7, 3, 2], [1.0; 3]).unwrap();
    let image =
        Volume::new(Array3::from_shape_fn(grid.shape(), |(z, y, x)| (10 * z + 7 * y + 9 * x) as f32), grid).unwrap();
    let rule = ThresholdSpeedParams::default().with_lower(20.0).with_upper(50.0).check().unwrap();
    let speed = rule.speed(&image).unwrap();
    let rest = 1e-3_f64;
    let slope = ((2.0 - rest) / rest).ln() / 30.0;
    for (&speed, &value) in speed.as_slice().iter().zip(image.as_slice()) {
        let value = f64::from(value);
        let expected = ((value - 20.0) * slope).tanh() + ((50.0 - value) * slope).tanh() - 1.0;
        assert!((f64::from(speed) - expected).abs() < 5e-5, "{value}: {speed} instead of {expected}");
    }
    let mut row = [0.0; 4];
    rule.of(&image).unwrap().fill_row([2, 1, 1], &mut row);
    assert_eq!(row, speed.as_slice()[30..34]);
    let one = ThresholdSpeedParams::default().with_upper(50.0).check().unwrap().speed(&image).unwrap();
    assert!(one.as_slice()[0] > 0.9 && one.as_slice()[41] < -0.5);
}

#[test]
fn a_contour_has_the_same_bits_at_any_number_of_threads() {
    let grid = Geometry::axis_aligned([80, 76, 40], [0.8, 0.8, 1.6]).unwrap();
    let image = Volume::new(
        places(&grid).map(|&[u, v, w]| {
            6000.0 - (u * u + v * v + 4 * w * w) as f32 + ((u * v + 3 * w).rem_euclid(17) * 40) as f32
        }),
        grid.clone(),
    );
    let image = image.unwrap();
    let seed = bubble_mask(&grid, &[Bubble::at_voxel(&grid, [40, 38, 20], 20.0)]).unwrap();
    let edges = EdgeSpeedParams::default().check().unwrap();
    let thresholds = ThresholdSpeedParams::default().with_lower(1000.0).check().unwrap();
    let run = |threads| {
        ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(|| {
            let regions = ActiveContourParams::regions().with_iterations(80).check().unwrap();
            let active = ActiveContourParams::edges().with_iterations(40).check().unwrap();
            let mut most = 0;
            let mut observer = |now: &ContourIteration| {
                most = most.max(now.active_voxels);
                ControlFlow::Continue(())
            };
            let first = regions.evolve_with(&thresholds.of(&image).unwrap(), &seed, &mut observer).unwrap();
            let second = active.evolve(&edges.speed(&image).unwrap(), &seed).unwrap();
            assert!(most > 4096, "the contour has {most} voxels, too few to be shared out");
            [(first.mask, first.rms_change.to_bits()), (second.mask, second.rms_change.to_bits())]
        })
    };
    let alone = run(1);
    for threads in [2, 8] {
        assert!(run(threads) == alone, "{threads} threads give other bits than one");
    }
}

#[test]
fn leaks_vanishing_contours_and_borders_are_told() {
    let grid = Geometry::axis_aligned([40, 30, 30], [1.0; 3]).unwrap();
    let seed = bubble_mask(&grid, &[Bubble::at_voxel(&grid, [10, 15, 15], 3.0)]).unwrap();
    let speed_of = |inside: &dyn Fn(i64, i64, i64) -> bool| {
        let speed =
            Array3::from_shape_fn(
                grid.shape(),
                |(z, y, x)| {
                    if inside(x as i64, y as i64, z as i64) { 1.0_f32 } else { -1.0 }
                },
            );
        Volume::new(speed, grid.clone()).unwrap()
    };
    let contour = ActiveContourParams::regions().with_iterations(400).check().unwrap();
    let nowhere = contour.evolve(&speed_of(&|_, _, _| false), &seed).unwrap();
    assert_eq!((nowhere.voxel_count, &nowhere.warnings[..]), (0, &[ContourWarning::Vanished][..]));
    let everywhere = contour.evolve(&speed_of(&|_, _, _| true), &seed).unwrap();
    assert!(matches!(&everywhere.warnings[0], ContourWarning::TouchesBorder { axes } if axes[..] == ['x', 'y', 'z']));
    // A small chamber with a door to a large one.
    let chambers = |x: i64, y: i64, z: i64| {
        let small = (x - 10).pow(2) + (y - 15).pow(2) + (z - 15).pow(2) <= 36;
        let door = (14..22).contains(&x) && (y - 15).abs() <= 2 && (z - 15).abs() <= 2;
        let large = (22..37).contains(&x) && (3..27).contains(&y) && (3..27).contains(&z);
        small || door || large
    };
    let leaked = contour.evolve(&speed_of(&chambers), &seed).unwrap();
    assert!(
        leaked.warnings.iter().any(|warning| matches!(warning, ContourWarning::VolumeJump { .. })),
        "{:?}",
        leaked.warnings
    );
    let closed = contour.evolve(&speed_of(&|x, y, z| chambers(x, y, z) && x < 17), &seed).unwrap();
    assert!(closed.warnings.is_empty() && closed.voxel_count > 800, "{:?}", closed.warnings);
}

#[test]
fn a_single_slice_is_outlined_in_two_dimensions_and_oblique_axes_do_not_matter() {
    let plane = Geometry::axis_aligned([40, 40, 1], [1.0; 3]).unwrap();
    let disc = Array3::from_shape_fn(plane.shape(), |(_, y, x)| {
        if (x as i64 - 20).pow(2) + (y as i64 - 20).pow(2) <= 100 { 1.0_f32 } else { -1.0 }
    });
    let disc = Volume::new(disc, plane.clone()).unwrap();
    let contour = ActiveContourParams::regions().with_iterations(120).check().unwrap();
    let seed = bubble_mask(&plane, &[Bubble::at_voxel(&plane, [20, 20, 0], 2.0)]).unwrap();
    let found = contour.evolve(&disc, &seed).unwrap();
    assert!((270..=330).contains(&found.voxel_count), "{}", found.voxel_count);

    let (sin, cos) = 0.4_f64.sin_cos();
    let turned = [[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]];
    let straight = Geometry::axis_aligned([28, 24, 20], [0.8, 1.0, 2.0]).unwrap();
    let oblique = Geometry::new([28, 24, 20], [0.8, 1.0, 2.0], [5.0, -3.0, 40.0], turned).unwrap();
    let mask_of = |grid: &Geometry| contour.evolve(&speed(grid, 1), &seed_at_middle(grid)).unwrap().mask.into_data();
    assert_eq!(mask_of(&straight), mask_of(&oblique));
}

fn seed_at_middle(grid: &Geometry) -> LabelMap {
    bubble_mask(grid, &[Bubble::at_voxel(grid, grid.size().map(|n| n / 2), 3.0)]).unwrap()
}

#[test]
fn speeds_matter_where_the_contour_comes() {
    let grid = Geometry::axis_aligned([60, 9, 9], [1.0; 3]).unwrap();
    let mut speed = Volume::filled(grid.clone(), 1.0_f32);
    let voxels = speed.as_mut_slice();
    let last = voxels.len() - 1;
    voxels[last] = f32::NAN;
    let seed = bubble_mask(&grid, &[Bubble::new([4.0; 3], 2.0)]).unwrap();
    let evolve =
        |iterations| ActiveContourParams::regions().with_iterations(iterations).check().unwrap().evolve(&speed, &seed);
    assert!(evolve(5).unwrap().voxel_count > 20);
    let error = evolve(2000).unwrap_err();
    assert_eq!(error.to_string(), "active contour: the voxel [59, 8, 8] (x, y, z) is NaN; every voxel must be finite");
}

#[test]
fn impossible_input_is_refused() {
    let grid = Geometry::axis_aligned([8, 8, 8], [1.0; 3]).unwrap();
    let speed = Volume::filled(grid.clone(), 1.0_f32);
    let contour = ActiveContourParams::regions().check().unwrap();
    let empty = contour.evolve(&speed, &Volume::filled(grid.clone(), 0)).unwrap_err();
    assert!(empty.to_string().contains("number of voxels of the seed is 0; it must be at least 1"), "{empty}");
    let other = Geometry::axis_aligned([8, 8, 8], [1.0, 1.0, 2.0]).unwrap();
    assert!(contour.evolve(&speed, &seed_at_middle(&other)).is_err());
    let stopped = contour.evolve_with(&speed, &seed_at_middle(&grid), &mut |_| ControlFlow::Break(()));
    assert!(matches!(stopped, Err(SegmentationError::Imaging(ImagingError::Cancelled { .. }))));
    let not_finite = Volume::filled(grid.clone(), f32::NAN);
    assert!(contour.evolve(&not_finite, &seed_at_middle(&grid)).is_err());
    assert!(ThresholdSpeedParams::default().with_lower(0.0).check().unwrap().speed(&not_finite).is_err());
    assert!(ThresholdSpeedParams::default().with_lower(0.0).check().unwrap().speed(&speed).is_err());
    assert!(EdgeSpeedParams::default().check().unwrap().speed(&speed).is_err());
    for params in [
        ActiveContourParams::regions().with_curvature_weight(-0.1),
        ActiveContourParams::regions().with_propagation_weight(f64::INFINITY),
        ActiveContourParams::regions().with_curvature_exponent(-1),
        ActiveContourParams::regions().with_iterations(0),
        ActiveContourParams::regions().with_rms_change(f64::NAN),
        ActiveContourParams::regions().with_time_step_factor(1.5),
    ] {
        assert!(params.check().is_err());
    }
    for params in [
        ThresholdSpeedParams::default(),
        ThresholdSpeedParams::default().with_lower(2.0).with_upper(1.0),
        ThresholdSpeedParams::default().with_lower(f64::NAN),
        ThresholdSpeedParams::default().with_lower(2.0).with_smoothness(0.0),
    ] {
        assert!(params.check().is_err());
    }
    assert!(EdgeSpeedParams::default().with_sigma(0.0).check().is_err());
    assert!(EdgeSpeedParams::default().with_kappa(-1.0).check().is_err());
    assert!(bubble_mask(&grid, &[]).is_err() && bubble_mask(&grid, &[Bubble::new([0.0; 3], -1.0)]).is_err());
    assert!(bubble_mask(&grid, &[Bubble::new([0.0, 0.0, 99.0], 1.0)]).is_err());
}

#[test]
fn damaged_files_of_points_are_refused() {
    for text in [
        "",
        "{",
        "{}",
        r#"{"markups": []}"#,
        r#"{"markups": [{"coordinateSystem": "XYZ", "controlPoints": [{"position": [1, 2, 3]}]}]}"#,
        r#"{"markups": [{"controlPoints": [{"position": [1, 2]}]}]}"#,
        r#"{"markups": [{"controlPoints": [{"position": [1, 2, 3], "positionStatus": "undefined"}]}]}"#,
        "# columns = id,label\nF,1,2,3",
        "F,1,2",
        "F,1,2,three",
        "F,1,2,inf",
        "# CoordinateSystem = ABC\nF,1,2,3",
    ] {
        assert!(markup_points(text).is_err(), "{text:?}");
    }
    let table = "# CoordinateSystem = LPS\r\n# columns = id,x,y,z,ow\r\nF-1, 1, 2, 3, 0\r\n\r\nF-2,4,5,6,0\r\n";
    assert_eq!(markup_points(table).unwrap(), [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]);
    assert_eq!(markup_points("F,1,2,3").unwrap(), [[-1.0, -2.0, 3.0]]);
}

#[test]
fn landmarks_of_itk_snap_are_voxels_and_rulers_are_left_out() {
    // As its classes `Registry` and `ImageAnnotationData` write it.
    let element = |number: usize, entries: &str| {
        format!(
            "    <folder key=\"Element[{number}]\" >\n{entries}      <entry key=\"Tags\" value=\"\" />\n    </folder>\n"
        )
    };
    let landmark = |place: &str| {
        format!(
            "      <entry key=\"Offset\" value=\"5 5\" />\n      <entry key=\"Pos\" value=\"{place}\" />\n      <entry key=\"Text\" value=\"Pos\" />\n      <entry key=\"Type\" value=\"LandmarkAnnotation\" />\n"
        )
    };
    let ruler = "      <entry key=\"Point1\" value=\"1 2 3\" />\n      <entry key=\"Point2\" value=\"4 5 3\" />\n      <entry key=\"Type\" value=\"LineSegmentAnnotation\" />\n";
    let file = |elements: &str| {
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\" ?>\n<!DOCTYPE registry [\n<!ELEMENT entry EMPTY>\n]>\n<registry>\n  <entry key=\"Format\" value=\"ITK-SNAP Annotation File\" />\n  <folder key=\"Annotations\" >\n    <entry key=\"ArraySize\" value=\"3\" />\n{elements}  </folder>\n</registry>\n"
        )
    };
    let [first, second] = ["31.5 20.25 8.5", "0.999 7 3"].map(landmark);
    let text = file(&[element(0, &first), element(1, ruler), element(2, &second)].concat());
    assert_eq!(landmark_voxels(&text).unwrap(), [[31, 20, 8], [0, 7, 3]]);
    for refused in [
        file(""),
        file(&element(0, ruler)),
        file(&element(0, &landmark("1 2"))),
        file(&element(0, &landmark("1 2 -3"))),
        file(&element(0, &landmark("1 2 nan"))),
        text.replace("Annotation File", "Project"),
        String::new(),
    ] {
        assert!(landmark_voxels(&refused).is_err(), "{refused}");
    }
}
