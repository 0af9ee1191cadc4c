//! Numbers of 16 bits, as weights are stored to save space. All of them are exact in single precision.

/// The numbers of IEEE 754's binary16 in `bytes`, the lower byte first; a last odd byte is left out.
pub(crate) fn from_binary16(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks::<2>().0.iter().map(|bytes| binary16(u16::from_le_bytes(*bytes))).collect()
}

/// The numbers of bfloat16 in `bytes`, the lower byte first; a last odd byte is left out.
pub(crate) fn from_bfloat16(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks::<2>().0.iter().map(|bytes| bfloat16(u16::from_le_bytes(*bytes))).collect()
}

/// A sign, five bits of the exponent and ten of the fraction.
fn binary16(bits: u16) -> f32 {
    const EXPONENT: u32 = 0x1f << 23;
    // The exponents of binary16 and single precision are biased by 15 and 127.
    const REBIASED: f32 = f32::from_bits((127 + 127 - 15) << 23);
    let sign = u32::from(bits & 0x8000) << 16;
    let magnitude = u32::from(bits & 0x7fff) << 13;
    let magnitude = if magnitude & EXPONENT == EXPONENT {
        // Infinities, and NaN with the fraction that they have, made quiet.
        magnitude | 0xff << 23 | if magnitude & 0x007f_ffff == 0 { 0 } else { 1 << 22 }
    } else {
        // The product is exact, for subnormal numbers as well.
        (f32::from_bits(magnitude) * REBIASED).to_bits()
    };
    f32::from_bits(sign | magnitude)
}

/// The upper half of a number in single precision.
fn bfloat16(bits: u16) -> f32 {
    f32::from_bits(u32::from(bits) << 16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_is_that_of_the_crate_half() {
        for bits in 0..=u16::MAX {
            let bytes = bits.to_le_bytes();
            let (binary, brain) = (from_binary16(&bytes)[0], from_bfloat16(&bytes)[0]);
            let (of_binary, of_brain) = (half::f16::from_bits(bits).to_f32(), half::bf16::from_bits(bits).to_f32());
            assert_eq!(binary.to_bits(), of_binary.to_bits(), "binary16 {bits:04x}");
            // half makes signalling NaN quiet.
            assert!(
                brain.to_bits() == of_brain.to_bits() || brain.is_nan() && of_brain.is_nan(),
                "bfloat16 {bits:04x}"
            );
        }
        assert_eq!(from_binary16(&[0x00, 0x3c, 0x01]), [1.0]);
    }
}
