//! Entropies as PyRadiomics computes them, in bits.

/// ε = 2⁻⁵², which PyRadiomics adds inside logarithms, so that empty cells of a matrix count 0.
pub(crate) const EPSILON: f64 = f64::EPSILON;

/// p · log₂(p + ε).
#[inline(always)]
pub(crate) fn information(p: f64) -> f64 {
    p * (p + EPSILON).log2()
}
