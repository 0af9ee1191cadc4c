//! The transforms of Winograd's minimal filtering F(4 × 4, 3 × 3) (Lavin and Gray 2016) at the points 0, ±a, ±b and ∞.
//!
//! With the polynomial of each point's Lagrange basis, `Bᵀ` has the rows
//! `x⁰: (a²b², 0, −(a²+b²), 0, 1, 0)`, `±a: (0, ∓ab², −b², ±a, 1, 0)`, `±b: (0, ∓a²b, −a², ±b, 1, 0)`, `∞: (0, a²b², 0,
//! −(a²+b²), 0, 1)`; `Aᵀ` has the powers 0 to 3 of the points, and `G` the powers 0 to 2 over the points' differences.

use super::vector::Vector;

/// The points a and b.
pub(crate) const POINTS: [f32; 2] = [1.0, 2.0];
/// Side of the patch under a tile.
pub(crate) const PATCH: usize = 6;
/// Side of a tile of outputs.
pub(crate) const TILE: usize = 4;

const A: f32 = POINTS[0];
const B: f32 = POINTS[1];

/// `Bᵀ` times six values.
#[inline(always)]
unsafe fn input_line<V: Vector>(d: [V; 6]) -> [V; 6] {
    // SAFETY: arithmetic on registers, under the caller's instruction set.
    unsafe {
        let splat = |value: f32| V::splat(value);
        let (a2, b2) = (A * A, B * B);
        let ends = |x0: V, x2: V, x4: V| x0.mul_add(splat(a2 * b2), x2.mul_add(splat(-(a2 + b2)), x4));
        let even_a = d[2].mul_add(splat(-b2), d[4]);
        let odd_a = d[1].mul_add(splat(-b2), d[3]).mul(splat(A));
        let even_b = d[2].mul_add(splat(-a2), d[4]);
        let odd_b = d[1].mul_add(splat(-a2), d[3]).mul(splat(B));
        [
            ends(d[0], d[2], d[4]),
            even_a.add(odd_a),
            even_a.sub(odd_a),
            even_b.add(odd_b),
            even_b.sub(odd_b),
            ends(d[1], d[3], d[5]),
        ]
    }
}

/// `Aᵀ` times six values.
#[inline(always)]
unsafe fn output_line<V: Vector>(m: [V; 6]) -> [V; 4] {
    // SAFETY: as in `input_line`.
    unsafe {
        let splat = |value: f32| V::splat(value);
        let (sum_a, difference_a) = (m[1].add(m[2]), m[1].sub(m[2]));
        let (sum_b, difference_b) = (m[3].add(m[4]), m[3].sub(m[4]));
        [
            m[0].add(sum_a).add(sum_b),
            difference_a.mul(splat(A)).mul_add(splat(1.0), difference_b.mul(splat(B))),
            sum_a.mul(splat(A * A)).mul_add(splat(1.0), sum_b.mul(splat(B * B))),
            difference_a.mul_add(splat(A * A * A), difference_b.mul_add(splat(B * B * B), m[5])),
        ]
    }
}

/// `Bᵀ d B` for `channels` channels (a multiple of [`Vector::LANES`]) of the patch whose pixels `pixels` points to.
///
/// # Safety
/// The processor has the instruction set of `V`; every pixel may be read at `channels` numbers; `into` may be written
/// at `i · stride + c` for `i < 36`, `c < channels`.
#[inline(always)]
pub(super) unsafe fn input<V: Vector>(pixels: &[*const f32; 36], channels: usize, into: *mut f32, stride: usize) {
    for channel in (0..channels).step_by(V::LANES) {
        // SAFETY: channel + LANES ≤ channels.
        unsafe {
            let mut columns = [[V::splat(0.0); 6]; 6];
            for x in 0..6 {
                let column = input_line(std::array::from_fn(|y| V::load(pixels[y * 6 + x].add(channel))));
                for y in 0..6 {
                    columns[y][x] = column[y];
                }
            }
            for y in 0..6 {
                let row = input_line(columns[y]);
                for x in 0..6 {
                    row[x].store(into.add((y * 6 + x) * stride + channel));
                }
            }
        }
    }
}

/// `A` times four values.
#[inline(always)]
unsafe fn gradient_line<V: Vector>(y: [V; 4]) -> [V; 6] {
    // SAFETY: as in `input_line`.
    unsafe {
        let splat = |value: f32| V::splat(value);
        let even_a = y[2].mul_add(splat(A * A), y[0]);
        let odd_a = y[3].mul_add(splat(A * A), y[1]).mul(splat(A));
        let even_b = y[2].mul_add(splat(B * B), y[0]);
        let odd_b = y[3].mul_add(splat(B * B), y[1]).mul(splat(B));
        [y[0], even_a.add(odd_a), even_a.sub(odd_a), even_b.add(odd_b), even_b.sub(odd_b), y[3]]
    }
}

/// `A ∂Y Aᵀ` for `channels` channels (a multiple of [`Vector::LANES`]) of the tile whose pixels `pixels` points to.
///
/// # Safety
/// As of [`input`], for sixteen pixels.
#[inline(always)]
pub(super) unsafe fn gradient<V: Vector>(pixels: &[*const f32; 16], channels: usize, into: *mut f32, stride: usize) {
    for channel in (0..channels).step_by(V::LANES) {
        // SAFETY: channel + LANES ≤ channels.
        unsafe {
            let mut columns = [[V::splat(0.0); 4]; 6];
            for x in 0..4 {
                let column = gradient_line(std::array::from_fn(|y| V::load(pixels[y * 4 + x].add(channel))));
                for y in 0..6 {
                    columns[y][x] = column[y];
                }
            }
            for y in 0..6 {
                let row = gradient_line(columns[y]);
                for x in 0..6 {
                    row[x].store(into.add((y * 6 + x) * stride + channel));
                }
            }
        }
    }
}

/// Where an output transform reads and writes.
#[derive(Clone, Copy)]
pub(super) struct OutputTile {
    /// 36 rows of `columns` numbers, `stride` apart.
    pub(super) from: *const f32,
    pub(super) stride: usize,
    /// Added to every pixel.
    pub(super) bias: *const f32,
    /// Added pixel by pixel where it is not null; laid out like the output.
    pub(super) addend: *const f32,
    pub(super) output: *mut f32,
    /// Distance of the output's pixels, and of its image rows.
    pub(super) pixel: usize,
    pub(super) line: usize,
    /// Pixels of the tile that lie in the image.
    pub(super) rows: usize,
    pub(super) columns: usize,
    /// Channels, a multiple of [`Vector::LANES`].
    pub(super) channels: usize,
    pub(super) floor: f32,
}

/// `max(Aᵀ m A + bias + addend, floor)`.
///
/// # Safety
/// The processor has the instruction set of `V`; the pointers may be used as [`OutputTile`] says for `channels`
/// channels of `rows` × `columns` pixels, and nothing else accesses these pixels of the output.
#[inline(always)]
pub(super) unsafe fn output<V: Vector>(tile: OutputTile) {
    for channel in (0..tile.channels).step_by(V::LANES) {
        // SAFETY: channel + LANES ≤ channels; pixels are visited below rows and columns only.
        unsafe {
            let mut lines = [[V::splat(0.0); 6]; 4];
            for x in 0..6 {
                let column =
                    output_line(std::array::from_fn(|y| V::load(tile.from.add((y * 6 + x) * tile.stride + channel))));
                for y in 0..4 {
                    lines[y][x] = column[y];
                }
            }
            let (bias, floor) = (V::load(tile.bias.add(channel)), V::splat(tile.floor));
            for y in 0..tile.rows.min(4) {
                let row = output_line(lines[y]);
                for x in 0..tile.columns.min(4) {
                    let place = y * tile.line + x * tile.pixel + channel;
                    let mut value = row[x].add(bias);
                    if !tile.addend.is_null() {
                        value = value.add(V::load(tile.addend.add(place)));
                    }
                    floor.max(value).store(tile.output.add(place));
                }
            }
        }
    }
}
