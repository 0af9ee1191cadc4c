//! Each kernel against plain double precision on odd shapes, for every instruction set of the machine.

use proptest::prelude::*;

use super::*;

fn numbers(count: usize, seed: u64) -> Vec<f32> {
    (0..count)
        .map(|i| ((i as u64 + 1).wrapping_mul(seed.wrapping_mul(2) + 0x9E37_79B9) % 2003) as f32 / 1001.0 - 1.0)
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn products_with_bias_addend_and_floor(
        rows in 1usize..40, run in prop_oneof![4 => 1usize..50, 1 => 500usize..1600], segments in 1usize..4, columns in 1usize..=PANEL, gap in 0usize..20, floor in prop::bool::ANY,
        kind in 0usize..3, seed in 0u64..1000,
    ) {
        let (stride, segment_stride, wide) = (run + gap, run + 3, columns + gap);
        let left = numbers(rows * stride + segments * segment_stride, seed);
        let panel = numbers(segments * run * PANEL, seed + 1);
        let bias: [f32; PANEL] = std::array::from_fn(|c| c as f32 / 16.0 - 1.0);
        let (before, other) = (numbers(rows * wide, seed + 2), numbers(rows * wide, seed + 3));
        let floor = if floor { 0.0 } else { f32::NEG_INFINITY };
        for instructions in Instructions::available() {
            let mut output = before.clone();
            let addend = [Addend::None, Addend::Output, Addend::Rows { values: &other, stride: wide }][kind];
            let operand = Rows { values: &left, stride, segments, segment_stride, run };
            product(instructions, operand, &panel, Finish { bias: &bias, addend, floor }, &mut Rectangle::whole(&mut output, wide).part(0..rows, 0..columns));
            for row in 0..rows {
                for column in 0..wide {
                    let place = row * wide + column;
                    if column >= columns {
                        prop_assert_eq!(output[place], before[place]);
                        continue;
                    }
                    let mut sum = f64::from(bias[column]) + f64::from([0.0, before[place], other[place]][kind]);
                    for segment in 0..segments {
                        for k in 0..run {
                            let value = f64::from(left[row * stride + segment * segment_stride + k]);
                            sum += value * f64::from(panel[(column / STRIP * segments * run + segment * run + k) * STRIP + column % STRIP]);
                        }
                    }
                    let tolerance = 1e-4 + 1e-6 * (segments * run) as f64;
                    prop_assert!((f64::from(output[place]) - sum.max(f64::from(floor))).abs() < tolerance);
                }
            }
        }
    }

    #[test]
    fn outer_products_are_added(rows in 1usize..40, count in 0usize..40, gap in 0usize..20, seed in 0u64..1000) {
        let (left, right) = (numbers((count + 1) * (rows + gap), seed), numbers((count + 1) * (PANEL + gap), seed + 1));
        let before = numbers(rows * PANEL, seed + 2);
        for instructions in Instructions::available() {
            let mut output = before.clone();
            let mut target = Rectangle::whole(&mut output, PANEL);
            accumulate_outer(instructions, (&left, rows + gap), (&right, PANEL + gap), count, &mut target);
            for row in 0..rows {
                for column in 0..PANEL {
                    let products = (0..count).map(|p| f64::from(left[p * (rows + gap) + row]) * f64::from(right[p * (PANEL + gap) + column]));
                    let sum = f64::from(before[row * PANEL + column]) + products.sum::<f64>();
                    prop_assert!((f64::from(output[row * PANEL + column]) - sum).abs() < 1e-4);
                }
            }
        }
    }
}

#[test]
fn not_a_number_passes_through() {
    for instructions in Instructions::available() {
        let mut output = [0.0; PANEL];
        let left = Rows::dense(&[f32::NAN], 1, 1);
        product(
            instructions,
            left,
            &[1.0; PANEL],
            Finish { floor: 0.0, ..Finish::NONE },
            &mut Rectangle::whole(&mut output, PANEL),
        );
        assert!(output.iter().all(|value| value.is_nan()), "{instructions:?}");
    }
}

#[test]
#[should_panic(expected = "left factor")]
fn a_left_factor_that_is_too_short_is_refused() {
    let mut output = [0.0; 2 * PANEL];
    let left = Rows::dense(&[1.0; 3], 2, 2);
    product(
        Instructions::best(),
        left,
        &[0.0; 2 * PANEL],
        Finish { floor: 0.0, ..Finish::NONE },
        &mut Rectangle::whole(&mut output, PANEL),
    );
}

#[test]
fn rectangles_cover_the_matrix_once() {
    let mut values = [0.0; 20];
    for mut part in Rectangle::whole(&mut values, 5).cut(&[0, 1, 4], &[0, 2, 5]) {
        for row in 0..part.rows() {
            part.row(row).iter_mut().for_each(|value| *value += 1.0);
        }
    }
    assert_eq!(values, [1.0; 20]);
}
