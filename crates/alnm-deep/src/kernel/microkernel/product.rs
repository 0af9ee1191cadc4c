//! Products of a few rows with a panel of packed weights, the sums held in registers.

use super::vector::Vector;

/// Output channels of a panel.
pub(crate) const PANEL: usize = 32;

/// Output channels of a strip. The numbers of a panel lie strip by strip: as many as the sums of a tile that is two
/// AVX2 registers wide take, side by side, so that they pass through the first-level cache as one stream. One AVX-512
/// register takes a strip.
pub(crate) const STRIP: usize = 16;

/// Rows of a strip that are asked for ahead of their use where the depth is summed in one.
const ROWS_AHEAD: usize = 32;

/// Where a product reads and writes; see [`sweep`] for what has to hold.
#[derive(Clone, Copy)]
pub(super) struct Operands {
    /// The first row of the left factor, and the distance of its rows.
    pub(super) left: *const f32,
    pub(super) left_stride: usize,
    /// A row is `segments` runs of `run` numbers, `segment_stride` apart.
    pub(super) segments: usize,
    pub(super) segment_stride: usize,
    pub(super) run: usize,
    /// For each strip of the panel `segments · run` rows of [`STRIP`] numbers.
    pub(super) panel: *const f32,
    /// [`PANEL`] numbers added to every row.
    pub(super) bias: *const f32,
    /// Added to the product, row by row; null for none. May be the output itself.
    pub(super) addend: *const f32,
    pub(super) addend_stride: usize,
    pub(super) output: *mut f32,
    pub(super) output_stride: usize,
    /// Columns of addend and output: a multiple of two registers, [`PANEL`] at most.
    pub(super) columns: usize,
    /// Sums below are raised to it: 0 for a rectified linear unit, −∞ for none.
    pub(super) floor: f32,
}

impl Operands {
    /// The operands from row `row` of the product on.
    #[inline(always)]
    fn starting_at(self, row: usize) -> Self {
        Self {
            left: self.left.wrapping_add(row * self.left_stride),
            addend: if self.addend.is_null() {
                self.addend
            } else {
                self.addend.wrapping_add(row * self.addend_stride)
            },
            output: self.output.wrapping_add(row * self.output_stride),
            ..self
        }
    }

    /// Parts that the depth is summed in; sums of all but the last are kept in the output. The order of the sums, and
    /// so their bits, are the same for any number of parts.
    #[inline(always)]
    fn parts<V: Vector>(&self) -> usize {
        let adds_to_output = std::ptr::eq(self.addend, self.output);
        if self.segments == 1 && !adds_to_output { self.run.div_ceil(V::DEPTH).max(1) } else { 1 }
    }

    /// Asks for what the end of a tile reads and writes, so that it comes from memory while the products are summed.
    #[inline(always)]
    fn prefetch<V: Vector>(&self, rows: usize, column: usize) {
        for row in 0..rows {
            for line in (column..column + 2 * V::LANES).step_by(STRIP) {
                V::prefetch(self.output.wrapping_add(row * self.output_stride + line));
                if !self.addend.is_null() {
                    V::prefetch(self.addend.wrapping_add(row * self.addend_stride + line));
                }
            }
        }
    }
}

/// `output = max(left · panel + bias + addend, floor)` for `rows` rows of `columns` columns.
///
/// # Safety
/// The processor has the instruction set of `V`. With `n = segments · run`: every row `i < rows` of the left factor may
/// be read at `i · left_stride + s · segment_stride + k` (`s < segments`, `k < run`), the panel at `n · PANEL` numbers,
/// the bias at `PANEL`, rows of addend and output at `columns` numbers, a multiple of `2 · LANES` and `PANEL` at most,
/// and nothing else accesses the output meanwhile.
#[inline(always)]
pub(super) unsafe fn sweep<V: Vector>(operands: Operands, rows: usize) {
    let tiles = rows.div_ceil(V::TILE).max(1);
    let (height, taller) = (rows / tiles, rows % tiles);
    let parts = operands.parts::<V>();
    // Two registers at a time across the panel and a part of the depth at a time: these numbers of the panel stay in the
    // first-level cache from tile to tile.
    for column in (0..operands.columns).step_by(2 * V::LANES) {
        for index in 0..parts {
            let (begin, end) = (operands.run * index / parts, operands.run * (index + 1) / parts);
            let (mut ahead, share) = Ahead::of::<V>((end - begin) * operands.segments, tiles);
            let mut row = 0;
            for index in 0..tiles {
                let here = height + usize::from(index < taller);
                let of_tile = operands.starting_at(row);
                let part = Part { begin, end, column, ahead };
                ahead.distance += share;
                of_tile.prefetch::<V>(here, column);
                // SAFETY: the rows row..row + here, the part of the runs and the columns column..column + 2 · LANES ≤
                // columns are among those that the caller vouches for; the sums of earlier parts were stored.
                unsafe { tile_of_height::<V>(of_tile, part, here) };
                row += here;
            }
        }
    }
}

/// What a tile sums at a time: the numbers `begin..end` of every run, and two registers of columns from `column` on.
#[derive(Clone, Copy)]
struct Part {
    begin: usize,
    end: usize,
    column: usize,
    ahead: Ahead,
}

/// Numbers of the panel that are asked for before they are used: at small batches weights come from memory.
#[derive(Clone, Copy)]
struct Ahead {
    /// How far they are ahead of the first of the part.
    distance: usize,
    /// By how many they advance with each number of a row.
    step: usize,
}

impl Ahead {
    /// What the first of `tiles` tiles asks for while it sums `length` numbers of its rows, and how much further each
    /// next tile asks. Where the depth is summed in parts, the tiles of a part ask for the next one, each for its
    /// share; what they sum themselves is near.
    #[inline(always)]
    fn of<V: Vector>(length: usize, tiles: usize) -> (Self, usize) {
        if V::DEPTH == usize::MAX {
            return (Self { distance: ROWS_AHEAD * STRIP, step: STRIP }, 0);
        }
        (Self { distance: length * STRIP, step: STRIP.div_ceil(tiles) }, length / tiles * STRIP)
    }
}

/// The rows after those of a tile, line by line across them.
struct NextRows {
    line: *const f32,
    row: usize,
    stride: usize,
}

impl NextRows {
    #[inline(always)]
    fn of<const ROWS: usize>(left: *const f32, stride: usize) -> Self {
        Self { line: left.wrapping_add(ROWS * stride), row: 0, stride }
    }

    /// A cache line that the next tile begins with, then the one below it; after the last row the next ones.
    #[inline(always)]
    fn line<const ROWS: usize>(&mut self) -> *const f32 {
        let line = self.line;
        let below = line.wrapping_add(self.stride);
        let is_last = self.row + 1 == ROWS;
        self.row = if is_last { 0 } else { self.row + 1 };
        self.line = if is_last { below.wrapping_sub(ROWS * self.stride).wrapping_add(STRIP) } else { below };
        line
    }
}

/// A part of a tile of at most [`Vector::TILE`] rows, by its height.
#[inline(always)]
unsafe fn tile_of_height<V: Vector>(operands: Operands, part: Part, rows: usize) {
    macro_rules! heights {
        ($($height:literal)*) => {
            match rows {
                // A constant guard: no instruction set gets the code of tiles that are too tall for it.
                // SAFETY: as of the caller, for as many rows.
                $($height if const { $height <= V::TILE } => unsafe { tile::<V, $height>(operands, part) },)*
                _ => {}
            }
        };
    }
    heights!(1 2 3 4 5 6 7 8 9 10 11 12 13 14);
}

/// A statement for every row of a tile, written out: a loop whose turns the compiler leaves together would index the
/// sums by a variable and keep them in memory instead of registers.
macro_rules! for_rows {
    ($r:ident < $rows:ident $body:block) => {
        for_rows!($r < $rows $body 0 1 2 3 4 5 6 7 8 9 10 11 12 13)
    };
    ($r:ident < $rows:ident $body:block $($row:literal)*) => {
        $(if const { $row < $rows } {
            let $r = const { if $row < $rows { $row } else { 0 } };
            $body
        })*
    };
}

/// A part of a tile of `ROWS` rows.
#[inline(always)]
unsafe fn tile<V: Vector, const ROWS: usize>(operands: Operands, Part { begin, end, column, ahead }: Part) {
    let Operands { left, left_stride, segments, segment_stride, run, .. } = operands;
    // SAFETY: all accesses lie in what the caller of `sweep` vouches for: the left factor is read at row r < ROWS, the
    // strips at their rows in order, bias, addend and output at columns column..column + 2 · LANES.
    unsafe {
        let place = |column: usize| column / STRIP * STRIP * segments * run + column % STRIP;
        let mut sums = [[V::splat(0.0); 2]; ROWS];
        if begin > 0 {
            for_rows!(r < ROWS {
                let from = operands.output.add(r * operands.output_stride + column);
                sums[r] = [V::load(from), V::load(from.add(V::LANES))];
            });
        }
        let mut panel = operands.panel.add(place(column) + begin * STRIP);
        let mut asked = panel.wrapping_add(ahead.distance);
        // Distance of the second register's numbers.
        let second_half = place(column + V::LANES) - place(column);
        for segment in 0..segments {
            let left = left.add(segment * segment_stride);
            let mut next = NextRows::of::<ROWS>(left.wrapping_add(begin), left_stride);
            for k in begin..end {
                let (first, second) = (V::load(panel), V::load(panel.add(second_half)));
                V::prefetch(asked);
                if V::LANES == STRIP {
                    V::prefetch(asked.wrapping_add(second_half));
                }
                asked = asked.wrapping_add(ahead.step);
                if V::LANES == STRIP {
                    V::prefetch(next.line::<ROWS>());
                }
                panel = panel.add(STRIP);
                for_rows!(r < ROWS {
                    let value = V::splat(*left.add(r * left_stride + k));
                    sums[r][0] = value.mul_add(first, sums[r][0]);
                    sums[r][1] = value.mul_add(second, sums[r][1]);
                });
            }
        }
        if end < run {
            for_rows!(r < ROWS {
                let into = operands.output.add(r * operands.output_stride + column);
                sums[r][0].store(into);
                sums[r][1].store(into.add(V::LANES));
            });
            return;
        }
        let floor = V::splat(operands.floor);
        let biases = [V::load(operands.bias.add(column)), V::load(operands.bias.add(column + V::LANES))];
        if !operands.addend.is_null() {
            for_rows!(r < ROWS {
                let from = operands.addend.add(r * operands.addend_stride + column);
                sums[r][0] = sums[r][0].add(biases[0]).add(V::load(from));
                sums[r][1] = sums[r][1].add(biases[1]).add(V::load(from.add(V::LANES)));
            });
        } else {
            for_rows!(r < ROWS {
                sums[r] = [sums[r][0].add(biases[0]), sums[r][1].add(biases[1])];
            });
        }
        for_rows!(r < ROWS {
            let into = operands.output.add(r * operands.output_stride + column);
            // NaN stays NaN.
            floor.max(sums[r][0]).store(into);
            floor.max(sums[r][1]).store(into.add(V::LANES));
        });
    }
}
