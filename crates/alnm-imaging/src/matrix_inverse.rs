//! The inverse of a small matrix by its singular values, with the bits that ITK finds.
//!
//! ITK takes the matrix that turns points into indices from LINPACK's singular value decomposition (`dsvdc`: Dongarra,
//! Bunch, Moler, Stewart, LINPACK Users' Guide, 1979, chapter 11). Where a point lies half way between two voxels, the
//! last bit of that matrix decides which of them is the nearest. Additions and divisions therefore stand here in the
//! order in which LINPACK does them: Householder reflections to two diagonals, then QR steps with Wilkinson's shift.

use std::array::from_fn;

/// QR steps for one singular value, as in ITK's copy of LINPACK; two or three are usual.
const MOST_STEPS: usize = 1000;

/// A⁻¹ = V · S⁻¹ · Uᵀ of a matrix A = U · S · Vᵀ given by its rows; a singular value of 0 counts as infinite.
pub(crate) fn inverse<const N: usize>(rows: &[[f64; N]; N]) -> [[f64; N]; N] {
    let Decomposition { values, left, right, .. } = Decomposition::new(rows);
    let reciprocals = values.map(|value| if value == 0.0 { 0.0 } else { 1.0 / value });
    from_fn(|i| from_fn(|k| (0..N).fold(0.0, |sum, j| sum + right[j][i] * reciprocals[j] * left[j][k])))
}

/// A matrix as U · B · Vᵀ, where B has a diagonal and elements above it. When B is diagonal, it holds the singular
/// values.
struct Decomposition<const N: usize> {
    /// The diagonal of B.
    values: [f64; N],
    /// The elements above the diagonal, the last one being 0.
    above: [f64; N],
    /// Columns of U.
    left: [[f64; N]; N],
    /// Columns of V.
    right: [[f64; N]; N],
}

impl<const N: usize> Decomposition<N> {
    fn new(rows: &[[f64; N]; N]) -> Self {
        let mut decomposition = Self::with_two_diagonals(rows);
        decomposition.make_diagonal();
        decomposition
    }

    fn with_two_diagonals(rows: &[[f64; N]; N]) -> Self {
        let mut columns: [[f64; N]; N] = from_fn(|column| from_fn(|row| rows[row][column]));
        let (mut values, mut above) = ([0.0; N], [0.0; N]);
        let (mut left, mut right) = ([[0.0; N]; N], [[0.0; N]; N]);
        for step in 0..N - 1 {
            let (done, rest) = columns.split_at_mut(step + 1);
            let column = &mut done[step];
            values[step] = reflection(&mut column[step..]);
            for (other, above) in rest.iter_mut().zip(&mut above[step + 1..]) {
                if values[step] != 0.0 {
                    reflect(&column[step..], &mut other[step..]);
                }
                *above = other[step];
            }
            left[step] = *column;
            if step + 2 < N {
                above[step] = reflection(&mut above[step + 1..]);
                if above[step] != 0.0 {
                    reflect_rows(&above[step + 1..], rest, step + 1);
                }
                right[step][step + 1..].copy_from_slice(&above[step + 1..]);
            }
        }
        values[N - 1] = columns[N - 1][N - 1];
        let last_of_row = N - 2;
        above[last_of_row] = columns[N - 1][last_of_row];
        above[N - 1] = 0.0;
        accumulate_left(&mut left, &values);
        accumulate_right(&mut right, &above);
        Self { values, above, left, right }
    }

    /// QR steps until nothing is left above the diagonal; the values become positive and descend.
    fn make_diagonal(&mut self) {
        let (mut end, mut steps) = (N, 0);
        while end > 0 && steps < MOST_STEPS {
            let start = self.start_of_block(end);
            if start + 1 == end {
                self.settle(start);
                (end, steps) = (end - 1, 0);
                continue;
            }
            match self.negligible_value(start, end) {
                None => {
                    self.step(start, end);
                    steps += 1;
                }
                Some(place) if place + 1 == end => self.deflate_end(start, end),
                Some(place) => self.split_after(place, end),
            }
        }
    }

    /// Where the last block without a negligible element above the diagonal begins, among the values before `end`.
    fn start_of_block(&mut self, end: usize) -> usize {
        for place in (1..end).rev() {
            let size = self.values[place - 1].abs() + self.values[place].abs();
            if size + self.above[place - 1].abs() == size {
                self.above[place - 1] = 0.0;
                return place;
            }
        }
        0
    }

    /// The last value of a block that is nothing beside the elements above the diagonal.
    fn negligible_value(&mut self, start: usize, end: usize) -> Option<usize> {
        for place in (start..end).rev() {
            let mut size = 0.0;
            if place + 1 != end {
                size += self.above[place].abs();
            }
            if place != start {
                size += self.above[place - 1].abs();
            }
            if size + self.values[place].abs() == size {
                self.values[place] = 0.0;
                return Some(place);
            }
        }
        None
    }

    /// Takes the element above the last value of a block away when that value is 0.
    fn deflate_end(&mut self, start: usize, end: usize) {
        let last = end - 1;
        let mut rest = std::mem::take(&mut self.above[last - 1]);
        for place in (start..last).rev() {
            let rotation = Rotation::new(self.values[place], rest);
            self.values[place] = rotation.length;
            if place != start {
                rest = -rotation.sine * self.above[place - 1];
                self.above[place - 1] *= rotation.cosine;
            }
            rotation.apply(&mut self.right, place, last);
        }
    }

    /// Splits a block after a value that is 0.
    fn split_after(&mut self, place: usize, end: usize) {
        let mut rest = std::mem::take(&mut self.above[place]);
        for next in place + 1..end {
            let rotation = Rotation::new(self.values[next], rest);
            self.values[next] = rotation.length;
            rest = -rotation.sine * self.above[next];
            self.above[next] *= rotation.cosine;
            rotation.apply(&mut self.left, next, place);
        }
    }

    /// One QR step on a block.
    fn step(&mut self, start: usize, end: usize) {
        let last = end - 1;
        let (values, above) = (&mut self.values, &mut self.above);
        let block = [values[last], values[last - 1], above[last - 1], values[start], above[start]];
        let scale = block.iter().fold(0.0_f64, |largest, element| largest.max(element.abs()));
        let [end_value, before, above_end, first, above_first] = block.map(|element| element / scale);
        let b = ((before + end_value) * (before - end_value) + above_end * above_end) / 2.0;
        let c = (end_value * above_end) * (end_value * above_end);
        let mut shift = 0.0;
        if b != 0.0 || c != 0.0 {
            let root = (b * b + c).sqrt();
            shift = c / (b + if b < 0.0 { -root } else { root });
        }
        let mut f = (first + end_value) * (first - end_value) + shift;
        let mut g = first * above_first;
        for place in start..last {
            let rotation = Rotation::new(f, g);
            let Rotation { length, cosine, sine } = rotation;
            if place != start {
                above[place - 1] = length;
            }
            f = cosine * values[place] + sine * above[place];
            above[place] = cosine * above[place] - sine * values[place];
            g = sine * values[place + 1];
            values[place + 1] *= cosine;
            rotation.apply(&mut self.right, place, place + 1);
            let rotation = Rotation::new(f, g);
            let Rotation { length, cosine, sine } = rotation;
            values[place] = length;
            f = cosine * above[place] + sine * values[place + 1];
            values[place + 1] = -sine * above[place] + cosine * values[place + 1];
            g = sine * above[place + 1];
            above[place + 1] *= cosine;
            rotation.apply(&mut self.left, place, place + 1);
        }
        above[last - 1] = f;
    }

    /// Makes a value that was found positive and moves it to its place among those found before.
    fn settle(&mut self, mut place: usize) {
        if self.values[place] < 0.0 {
            self.values[place] = -self.values[place];
            self.right[place] = self.right[place].map(|element| -element);
        }
        while place + 1 < N && self.values[place] < self.values[place + 1] {
            self.values.swap(place, place + 1);
            self.left.swap(place, place + 1);
            self.right.swap(place, place + 1);
            place += 1;
        }
    }
}

/// The Euclidean norm, scaled by the largest element so far.
fn norm(vector: &[f64]) -> f64 {
    if let [element] = vector {
        return element.abs();
    }
    let (mut scale, mut sum) = (0.0, 1.0);
    for size in vector.iter().map(|element| element.abs()).filter(|size| *size != 0.0) {
        if scale < size {
            sum = 1.0 + sum * ((scale / size) * (scale / size));
            scale = size;
        } else {
            sum += (size / scale) * (size / scale);
        }
    }
    scale * sum.sqrt()
}

/// Turns a vector into that of the Householder reflection which leaves it only a first element; returns that element.
fn reflection(vector: &mut [f64]) -> f64 {
    let mut length = norm(vector);
    if length != 0.0 {
        if vector[0] != 0.0 {
            length = length.copysign(vector[0]);
        }
        let scale = 1.0 / length;
        vector.iter_mut().for_each(|element| *element *= scale);
        vector[0] += 1.0;
    }
    -length
}

/// Reflects a vector by another one's Householder reflection.
fn reflect(reflection: &[f64], vector: &mut [f64]) {
    let dot = reflection.iter().zip(&*vector).fold(0.0, |sum, (a, b)| sum + a * b);
    let factor = -dot / reflection[0];
    vector.iter_mut().zip(reflection).for_each(|(element, along)| *element += factor * along);
}

/// Reflects the rows from `first` on of the matrix whose columns are given.
fn reflect_rows<const N: usize>(reflection: &[f64], columns: &mut [[f64; N]], first: usize) {
    let mut products = [0.0; N];
    for (column, along) in columns.iter().zip(reflection) {
        products[first..].iter_mut().zip(&column[first..]).for_each(|(product, element)| *product += along * element);
    }
    for (column, along) in columns.iter_mut().zip(reflection) {
        let factor = -along / reflection[0];
        column[first..].iter_mut().zip(&products[first..]).for_each(|(element, product)| *element += factor * product);
    }
}

/// U as the product of the reflections that stand in its columns.
fn accumulate_left<const N: usize>(left: &mut [[f64; N]; N], values: &[f64; N]) {
    left[N - 1] = unit(N - 1);
    for step in (0..N - 1).rev() {
        if values[step] == 0.0 {
            left[step] = unit(step);
            continue;
        }
        let (done, rest) = left.split_at_mut(step + 1);
        let column = &mut done[step];
        rest.iter_mut().for_each(|other| reflect(&column[step..], &mut other[step..]));
        column[step..].iter_mut().for_each(|element| *element = -*element);
        column[step] += 1.0;
        column[..step].fill(0.0);
    }
}

/// V as the product of the reflections that stand in its columns.
fn accumulate_right<const N: usize>(right: &mut [[f64; N]; N], above: &[f64; N]) {
    for step in (0..N).rev() {
        if step + 2 < N && above[step] != 0.0 {
            let (done, rest) = right.split_at_mut(step + 1);
            rest.iter_mut().for_each(|other| reflect(&done[step][step + 1..], &mut other[step + 1..]));
        }
        right[step] = unit(step);
    }
}

fn unit<const N: usize>(place: usize) -> [f64; N] {
    from_fn(|element| f64::from(u8::from(element == place)))
}

/// Givens' rotation of (a, b) onto (length, 0).
#[derive(Clone, Copy)]
struct Rotation {
    length: f64,
    cosine: f64,
    sine: f64,
}

impl Rotation {
    fn new(a: f64, b: f64) -> Self {
        let scale = a.abs() + b.abs();
        if scale == 0.0 {
            return Self { length: 0.0, cosine: 1.0, sine: 0.0 };
        }
        let (x, y) = (a / scale, b / scale);
        let larger = if a.abs() > b.abs() { a } else { b };
        let length = (scale * (x * x + y * y).sqrt()).copysign(larger);
        Self { length, cosine: a / length, sine: b / length }
    }

    fn apply<const N: usize>(self, columns: &mut [[f64; N]; N], first: usize, second: usize) {
        for element in 0..N {
            let (a, b) = (columns[first][element], columns[second][element]);
            columns[first][element] = self.cosine * a + self.sine * b;
            columns[second][element] = self.cosine * b - self.sine * a;
        }
    }
}

#[cfg(test)]
mod tests {
    use approx::assert_abs_diff_eq;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_diagonal_matrix_has_the_reciprocals() {
        let rows = [[0.7, 0.0, 0.0], [0.0, 0.0, -3.5], [0.0, 1.1, 0.0]];
        assert_eq!(inverse(&rows), [[1.0 / 0.7, 0.0, 0.0], [0.0, 0.0, 1.0 / 1.1], [0.0, -1.0 / 3.5, 0.0]]);
    }

    #[test]
    fn a_matrix_without_an_inverse_ends() {
        for rows in [[[0.0; 3]; 3], [[1.0, 2.0, 3.0]; 3], [[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [0.0, 0.0, 0.0]]] {
            assert!(inverse(&rows).as_flattened().iter().all(|element| element.is_finite()));
        }
    }

    proptest! {
        #[test]
        fn the_product_is_the_identity(elements in proptest::array::uniform9(-4.0..4.0_f64)) {
            let rows: [[f64; 3]; 3] = from_fn(|row| from_fn(|column| elements[3 * row + column] + if row == column { 9.0 } else { 0.0 }));
            let inverse = inverse(&rows);
            for i in 0..3 {
                for j in 0..3 {
                    let product: f64 = (0..3).map(|k| rows[i][k] * inverse[k][j]).sum();
                    assert_abs_diff_eq!(product, if i == j { 1.0 } else { 0.0 }, epsilon = 1e-12);
                }
            }
        }
    }
}
