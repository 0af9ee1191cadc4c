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

/// p log₂(p + ε) for p = count / total, kept by total: the same small counts come again and again where features of many
/// windows are computed.
#[derive(Debug)]
pub(crate) struct InformationTables {
    epsilon: f64,
    tables: Vec<Vec<f64>>,
    beyond: Vec<f64>,
}

impl Default for InformationTables {
    fn default() -> Self {
        Self::new(EPSILON)
    }
}

/// Totals up to which a table is kept for each.
const MOST_TABLES: usize = 2048;

impl InformationTables {
    /// Tables with an ε that is given.
    pub(crate) const fn new(epsilon: f64) -> Self {
        Self { epsilon, tables: Vec::new(), beyond: Vec::new() }
    }

    /// The table of a total, by count.
    pub(crate) fn of(&mut self, total: usize) -> &[f64] {
        let epsilon = self.epsilon;
        let of_count = |count: usize| match count {
            // The limit of p log₂ p, which no arithmetic finds.
            0 if epsilon == 0.0 => 0.0,
            count => offset_information(count as f64 / total as f64, epsilon),
        };
        let table = || (0..=total).map(of_count).collect();
        if total > MOST_TABLES {
            if self.beyond.len() != total + 1 {
                self.beyond = table();
            }
            return &self.beyond;
        }
        if self.tables.len() <= total {
            self.tables.resize(total + 1, Vec::new());
        }
        if self.tables[total].is_empty() {
            self.tables[total] = table();
        }
        &self.tables[total]
    }
}
