//! How often the cells of a table come up.

/// Copies of a small table.
const COPIES: usize = 4;
/// Cells of the largest table that is kept in copies.
const MOST_COPIED: usize = 4096;

/// Counts by cell of a table. A cell that comes up twice in a row would wait for itself, as cells of images with few
/// levels mostly do, so cells next to each other are counted in different copies of the table.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    cells: usize,
    /// Cell by cell, its copies side by side.
    counts: Vec<u32>,
}

/// The number of a cell.
pub(crate) trait TallyCell: Copy {
    /// The number as a place in the table.
    fn place(self) -> usize;
}

impl TallyCell for u8 {
    #[inline(always)]
    fn place(self) -> usize {
        usize::from(self)
    }
}

impl TallyCell for u16 {
    #[inline(always)]
    fn place(self) -> usize {
        usize::from(self)
    }
}

impl TallyCell for u32 {
    #[inline(always)]
    fn place(self) -> usize {
        self as usize
    }
}

impl Tally {
    /// A table of `cells` cells, all of them 0.
    pub(crate) fn new(cells: usize) -> Self {
        let mut tally = Self::default();
        tally.clear(cells);
        tally
    }

    /// Makes this a table of `cells` cells, all of them 0.
    pub(crate) fn clear(&mut self, cells: usize) {
        self.cells = cells;
        self.counts.clear();
        self.counts.resize(if cells <= MOST_COPIED { COPIES * cells } else { cells }, 0);
    }

    /// Counts each of the cells once more.
    #[inline(always)]
    pub(crate) fn count<T: TallyCell>(&mut self, cells: &[T]) {
        if self.cells > MOST_COPIED {
            for &cell in cells {
                self.counts[cell.place()] += 1;
            }
            return;
        }
        let (groups, rest) = cells.as_chunks::<COPIES>();
        let counts = self.counts.as_chunks_mut::<COPIES>().0;
        for group in groups {
            for (copy, &cell) in group.iter().enumerate() {
                counts[cell.place()][copy] += 1;
            }
        }
        for &cell in rest {
            counts[cell.place()][0] += 1;
        }
    }

    /// The count of each cell.
    pub(crate) fn counts(&self) -> impl Iterator<Item = u32> {
        let copies = if self.cells <= MOST_COPIED { COPIES } else { 1 };
        self.counts.chunks_exact(copies).map(|copies| copies.iter().sum())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_and_large_tables_count_alike() {
        for size in [10, MOST_COPIED + 1] {
            let mut tally = Tally::new(size);
            tally.count(&[3u32, 3, 3, 7, 3, 0, 9]);
            tally.count(&[3u16, 9]);
            let counts: Vec<u32> = tally.counts().take(10).collect();
            assert_eq!(counts, [1, 0, 0, 5, 0, 0, 0, 1, 0, 2]);
            assert_eq!(tally.counts().count(), size);
        }
    }
}
