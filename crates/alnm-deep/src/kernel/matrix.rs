//! Products of row-major matrices, on one thread; callers cut the work.

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};

/// A row-major matrix read from a slice, transposed on request.
#[derive(Clone, Copy)]
pub(crate) struct Matrix<'a>(MatRef<'a, f32>);

impl<'a> Matrix<'a> {
    /// The matrix of `rows` × `columns` in `values`.
    pub(crate) fn new(values: &'a [f32], rows: usize, columns: usize) -> Self {
        Self(MatRef::from_row_major_slice(values, rows, columns))
    }

    /// Columns `start..start + columns` of a matrix with `stride` values a row.
    pub(crate) fn columns(values: &'a [f32], rows: usize, stride: usize, start: usize, columns: usize) -> Self {
        Self(MatRef::from_row_major_slice(values, rows, stride).subcols(start, columns))
    }

    /// The transposed matrix, without a copy.
    pub(crate) fn transposed(self) -> Self {
        Self(self.0.transpose())
    }
}

/// Whether a product replaces its destination or is added to it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Into {
    Replace,
    Add,
}

/// `destination = left · right`, or `destination += left · right`; the destination is row-major and dense.
pub(crate) fn multiply(destination: &mut [f32], into: Into, left: Matrix<'_>, right: Matrix<'_>) {
    let accumulate = match into {
        Into::Replace => Accum::Replace,
        Into::Add => Accum::Add,
    };
    let target = MatMut::from_row_major_slice_mut(destination, left.0.nrows(), right.0.ncols());
    matmul(target, accumulate, left.0, right.0, 1.0, Par::Seq);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_with_and_without_transposition() {
        let left = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        let right = [1.0, 0.0, 2.0, 1.0, 0.0, 1.0];
        let mut product = [1.0; 4];
        multiply(&mut product, Into::Add, Matrix::new(&left, 2, 3), Matrix::new(&right, 2, 3).transposed());
        assert_eq!(product, [8.0, 5.0, 17.0, 11.0]);
        multiply(&mut product, Into::Replace, Matrix::columns(&left, 2, 3, 1, 2), Matrix::new(&right[2..], 2, 2));
        assert_eq!(product, [4.0, 5.0, 10.0, 11.0]);
    }
}
