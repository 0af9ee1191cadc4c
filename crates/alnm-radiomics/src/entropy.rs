//! Entropies in bits.

/// ε = 2⁻⁵², which PyRadiomics adds inside logarithms, so that empty cells of a matrix count 0.
pub(crate) const EPSILON: f64 = f64::EPSILON;

/// p · log₂(p + ε), as PyRadiomics computes it.
#[inline(always)]
pub(crate) fn information(p: f64) -> f64 {
    offset_information(p, EPSILON)
}

/// p · log₂(p + ε) with an ε that is given; 0 where the definition has none and p is above 0.
#[inline(always)]
pub(crate) fn offset_information(p: f64, epsilon: f64) -> f64 {
    p * (p + epsilon).log2()
}
