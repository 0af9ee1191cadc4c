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

    fn at_lattice(&self, point: [i64; 3]) -> f64 {
        let mut hash = self.seed;
        for coordinate in point {
            hash = (hash ^ coordinate as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            hash ^= hash >> 29;
            hash = hash.wrapping_mul(0xBF58_476D_1CE4_E5B9);
            hash ^= hash >> 32;
        }
        (hash >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    }

    /// The value at a point in mm.
    pub(super) fn at(&self, point: [f64; 3]) -> f64 {
        let scaled = point.map(|coordinate| coordinate / self.lattice);
        let cell = scaled.map(f64::floor);
        let weight: [f64; 3] = std::array::from_fn(|axis| {
            let t = scaled[axis] - cell[axis];
            t * t * t * (t * (t * 6.0 - 15.0) + 10.0)
        });
        let corner = cell.map(|coordinate| coordinate as i64);
        let along_x = |y: i64, z: i64| {
            let [left, right] = [0, 1].map(|x| self.at_lattice([corner[0] + x, corner[1] + y, corner[2] + z]));
            left + weight[0] * (right - left)
        };
        let along_y = |z: i64| {
            let [front, back] = [0, 1].map(|y| along_x(y, z));
            front + weight[1] * (back - front)
        };
        let [below, above] = [0, 1].map(along_y);
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
