//! Parts of a matrix that tasks write at the same time.

use std::marker::PhantomData;
use std::ops::Range;

/// Exclusive access to some rows and columns of a row-major matrix.
///
/// Rectangles come from a mutable slice by cutting, so no two of them share a number.
#[derive(Debug)]
pub(crate) struct Rectangle<'a> {
    start: *mut f32,
    stride: usize,
    rows: usize,
    columns: usize,
    borrowed: PhantomData<&'a mut [f32]>,
}

// SAFETY: a rectangle is the only access to its numbers, as a mutable slice is; numbers may be written from any thread.
unsafe impl Send for Rectangle<'_> {}
// SAFETY: a shared rectangle gives no access to its numbers.
unsafe impl Sync for Rectangle<'_> {}

impl<'a> Rectangle<'a> {
    /// The whole matrix of `stride` columns in `values`.
    pub(crate) fn whole(values: &'a mut [f32], stride: usize) -> Self {
        Self {
            start: values.as_mut_ptr(),
            stride,
            rows: values.len() / stride.max(1),
            columns: stride,
            borrowed: PhantomData,
        }
    }

    /// Cuts at rows and columns: cuts ascend from 0 to the number of rows or columns. Row blocks come one after
    /// another, in each its columns from left to right.
    pub(crate) fn cut(self, row_cuts: &[usize], column_cuts: &[usize]) -> Vec<Self> {
        for (cuts, end) in [(row_cuts, self.rows), (column_cuts, self.columns)] {
            assert!(
                cuts.is_sorted() && cuts.first() == Some(&0) && cuts.last() == Some(&end),
                "cuts {cuts:?} of 0..{end}"
            );
        }
        let mut parts = Vec::with_capacity((row_cuts.len() - 1) * (column_cuts.len() - 1));
        for rows in row_cuts.windows(2) {
            for columns in column_cuts.windows(2) {
                // SAFETY: cuts ascend within the matrix, so the part lies in it and meets no other part.
                parts.push(unsafe { self.at(rows[0]..rows[1], columns[0]..columns[1]) });
            }
        }
        parts
    }

    /// # Safety
    /// The range lies within this rectangle and no other access to it is handed out meanwhile.
    unsafe fn at<'b>(&self, rows: Range<usize>, columns: Range<usize>) -> Rectangle<'b> {
        Rectangle {
            start: self.start.wrapping_add(rows.start * self.stride + columns.start),
            stride: self.stride,
            rows: rows.len(),
            columns: columns.len(),
            borrowed: PhantomData,
        }
    }

    /// A part of it, while nothing else is done with the whole.
    pub(crate) fn part(&mut self, rows: Range<usize>, columns: Range<usize>) -> Rectangle<'_> {
        assert!(
            rows.start <= rows.end
                && rows.end <= self.rows
                && columns.start <= columns.end
                && columns.end <= self.columns
        );
        // SAFETY: checked; the part borrows the whole mutably.
        unsafe { self.at(rows, columns) }
    }

    /// The numbers of a row.
    pub(crate) fn row(&mut self, row: usize) -> &mut [f32] {
        assert!(row < self.rows);
        // SAFETY: the row's columns belong to this rectangle alone, which is borrowed mutably.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(row * self.stride), self.columns) }
    }

    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    pub(crate) fn columns(&self) -> usize {
        self.columns
    }

    pub(super) fn stride(&self) -> usize {
        self.stride
    }

    pub(super) fn start(&mut self) -> *mut f32 {
        self.start
    }
}
