//! Smooth random fields without storage: lattice noise.

/// A random field with values in about [−1, 1] and one correlation length, defined everywhere.
///
/// Values are drawn at the points of a cubic lattice by hashing their coordinates and joined by the quintic of Perlin's
/// improved noise, so the field has continuous second derivatives.
#[derive(Debug, Clone, Copy)]
pub(super) struct RandomField {
    seed: u64,
    lattice: f64,
}

impl RandomField {
    /// A field whose lattice points are `lattice` mm apart.
    pub(super) fn new(seed: u64, lattice: f64) -> Self {
        Self { seed, lattice }
    }

    /// One coordinate of a lattice point mixed into the hash of those before it.
    fn mix(hash: u64, coordinate: i64) -> u64 {
        let mut hash = (hash ^ coordinate as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        hash ^= hash >> 29;
        hash = hash.wrapping_mul(0xBF58_476D_1CE4_E5B9);
        hash ^ (hash >> 32)
    }

    /// The value at a point in mm.
    ///
    /// Written as loops over the corners of the cell, which share the hashes of their first coordinates: a simulated
    /// cohort asks for some billion values.
    pub(super) fn at(&self, point: [f64; 3]) -> f64 {
        let (mut corner, mut weight) = ([0i64; 3], [0.0; 3]);
        for axis in 0..3 {
            let scaled = point[axis] / self.lattice;
            let cell = scaled.floor();
            let t = scaled - cell;
            corner[axis] = cell as i64;
            weight[axis] = t * t * t * (t * (t * 6.0 - 15.0) + 10.0);
        }
        // Indexed by corner along x, and by corners along y and z.
        let mut values = [[0.0; 4]; 2];
        for x in 0..2 {
            let hash = Self::mix(self.seed, corner[0] + x as i64);
            for y in 0..2 {
                let hash = Self::mix(hash, corner[1] + y as i64);
                for z in 0..2 {
                    let hash = Self::mix(hash, corner[2] + z as i64);
                    values[x][2 * z + y] = (hash >> 11) as f64 / (1u64 << 52) as f64 - 1.0;
                }
            }
        }
        let mut along_x = [0.0; 4];
        for edge in 0..4 {
            along_x[edge] = values[0][edge] + weight[0] * (values[1][edge] - values[0][edge]);
        }
        let below = along_x[0] + weight[1] * (along_x[1] - along_x[0]);
        let above = along_x[2] + weight[1] * (along_x[3] - along_x[2]);
        below + weight[2] * (above - below)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_field_is_smooth_and_depends_on_its_seed() {
        let (field, other) = (RandomField::new(3, 2.0), RandomField::new(4, 2.0));
        let (mut largest_step, mut differs): (f64, bool) = (0.0, false);
        for i in 0..1000 {
            let x = f64::from(i) * 0.02 - 10.0;
            let here = field.at([x, 1.3, -0.4]);
            assert!(here.abs() <= 1.0);
            largest_step = largest_step.max((field.at([x + 0.02, 1.3, -0.4]) - here).abs());
            differs |= here != other.at([x, 1.3, -0.4]);
        }
        assert!(largest_step < 0.05 && differs);
    }
}
