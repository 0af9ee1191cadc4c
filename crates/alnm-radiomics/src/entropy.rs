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

/// p log₂(p + ε) for p = count / total of one total, kept for the counts that have come up: most counts of a matrix are
/// small whole numbers that come again and again.
#[derive(Debug)]
pub(crate) struct KnownInformation {
    total: f64,
    epsilon: f64,
    /// By count; NaN for one that has not come up.
    known: Vec<f64>,
}

/// Counts whose information is kept.
const MOST_KNOWN: usize = 1024;

impl KnownInformation {
    /// For a matrix of `cells` cells.
    pub(crate) fn new(cells: usize, total: f64, epsilon: f64) -> Self {
        Self { total, epsilon, known: vec![f64::NAN; cells.min(MOST_KNOWN)] }
    }

    /// Of a count.
    pub(crate) fn of(&mut self, count: f64) -> f64 {
        let information = || offset_information(count / self.total, self.epsilon);
        let place = count as usize;
        match self.known.get_mut(place) {
            Some(known) if place as f64 == count => {
                if known.is_nan() {
                    *known = information();
                }
                *known
            }
            _ => information(),
        }
    }
}

/// p log₂(p + ε) for p = count / total, kept by total: the same small counts come again and again where features of
/// many windows are computed.
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

    /// The table of a total that [`InformationTables::of`] has been asked for; none where it is so large that only the
    /// last one is kept.
    pub(crate) fn known(&self, total: usize) -> &[f64] {
        if total > MOST_TABLES { &[] } else { &self.tables[total] }
    }
}
