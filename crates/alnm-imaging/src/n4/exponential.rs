//! The exponential function without branches, so that it runs in vector lanes.

/// Adding 1.5 · 2⁵² rounds a number to the nearest integer, which then stands in the lowest bits.
const ROUNDING: f64 = 6_755_399_441_055_744.0;

/// Inverse factorials from 1/11! to 1/2!; the series of eʳ for |r| ≤ ln 2 / 2 ends below 10⁻¹⁴.
const TAYLOR: [f64; 10] = [
    1.0 / 39_916_800.0,
    1.0 / 3_628_800.0,
    1.0 / 362_880.0,
    1.0 / 40_320.0,
    1.0 / 5_040.0,
    1.0 / 720.0,
    1.0 / 120.0,
    1.0 / 24.0,
    1.0 / 6.0,
    1.0 / 2.0,
];

/// eˣ = 2ᵏ eʳ with k = round(x / ln 2), in double precision and rounded once.
#[inline(always)]
pub(super) fn exponential(x: f32) -> f32 {
    // Beyond these single precision has no finite value, or none above zero.
    let x = f64::from(x).clamp(-150.0, 150.0);
    let shifted = x * std::f64::consts::LOG2_E + ROUNDING;
    let rest = x - (shifted - ROUNDING) * std::f64::consts::LN_2;
    let mut series = TAYLOR[0];
    for coefficient in &TAYLOR[1..] {
        series = series * rest + coefficient;
    }
    let power_of_two = f64::from_bits((shifted.to_bits() << 52).wrapping_add(1.0_f64.to_bits()));
    ((1.0 + rest * (1.0 + rest * series)) * power_of_two) as f32
}

#[cfg(test)]
mod tests {
    use super::exponential;

    #[test]
    fn agrees_with_the_standard_library() {
        for step in -11_000..11_000 {
            let x = step as f32 * 0.01;
            let exact = f64::from(x).exp();
            let rounded = exact as f32;
            let found = exponential(x);
            let next = f32::from_bits(rounded.to_bits() + 1);
            assert!(
                found == rounded || (f64::from(found) - exact).abs() <= 0.500_01 * f64::from(next - rounded),
                "e^{x}: {found}, not {rounded}"
            );
        }
        assert_eq!(exponential(0.0), 1.0);
        assert_eq!(exponential(f32::NEG_INFINITY), 0.0);
        assert_eq!(exponential(f32::INFINITY), f32::INFINITY);
        assert!(exponential(f32::NAN).is_nan());
    }
}
