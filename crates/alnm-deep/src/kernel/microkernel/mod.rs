//! The innermost loops, written once over a register type and compiled for AVX-512, AVX2 with FMA, and any processor.
//!
//! This is the only module with `unsafe` code. What it offers to the rest of the crate is safe: every entry point
//! checks that the numbers it will touch lie in the slices it was given, and picks a version that the processor can
//! run.
#![allow(unsafe_code)]

mod arena;
mod buffer;
mod depthwise;
mod instructions;
mod product;
mod rectangle;
mod reduction;
mod transform;
mod vector;

pub(crate) use arena::Arena;
pub(crate) use buffer::Buffer;
pub(crate) use depthwise::Tap;
pub use instructions::Instructions;
pub(crate) use product::{PANEL, STRIP};
pub(crate) use rectangle::Rectangle;
pub(crate) use transform::{PATCH, POINTS, TILE};

use depthwise::Line;
use instructions::Set;
use product::Operands;
use reduction::Sums;
use transform::OutputTile;
use vector::Portable;
#[cfg(target_arch = "x86_64")]
use vector::{Avx2, Avx512};

/// Compiles a generic kernel for every instruction set and calls the one asked for.
macro_rules! dispatched {
    ($(#[$documentation:meta])* unsafe fn $name:ident($($argument:ident: $type:ty),*) = $module:ident::$kernel:ident) => {
        $(#[$documentation])*
        ///
        /// # Safety
        /// That of the kernel, but for the instruction set, which the processor has: [`Instructions`] are made of the
        /// sets that it can run only.
        unsafe fn $name(instructions: Instructions, $($argument: $type),*) {
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f")]
            unsafe fn avx512($($argument: $type),*) {
                // SAFETY: this function is called only where the processor has AVX-512; the rest is the caller's.
                unsafe { $module::$kernel::<Avx512>($($argument),*) }
            }
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma")]
            unsafe fn avx2($($argument: $type),*) {
                // SAFETY: this function is called only where the processor has AVX2 and FMA; the rest is the caller's.
                unsafe { $module::$kernel::<Avx2>($($argument),*) }
            }
            match instructions.set() {
                // SAFETY: such `Instructions` exist only where the processor has AVX-512; the rest is the caller's.
                #[cfg(target_arch = "x86_64")]
                Set::Avx512 => unsafe { avx512($($argument),*) },
                // SAFETY: such `Instructions` exist only where the processor has AVX2 and FMA; the rest is the caller's.
                #[cfg(target_arch = "x86_64")]
                Set::Avx2 => unsafe { avx2($($argument),*) },
                // SAFETY: no special instructions are used; the rest is the caller's.
                Set::Portable => unsafe { $module::$kernel::<Portable>($($argument),*) },
            }
        }
    };
}

dispatched!(unsafe fn sweep(operands: Operands, rows: usize) = product::sweep);
dispatched!(unsafe fn reduce(sums: Sums, rows: usize) = reduction::reduce);
dispatched!(unsafe fn transform_input(pixels: &[*const f32; 36], channels: usize, into: *mut f32, stride: usize) = transform::input);
dispatched!(unsafe fn transform_gradient(pixels: &[*const f32; 16], channels: usize, into: *mut f32, stride: usize) = transform::gradient);
dispatched!(unsafe fn transform_output(tile: OutputTile) = transform::output);
dispatched!(unsafe fn depthwise_line(line: Line<'_>) = depthwise::line);

/// Does work whose loops over numbers are compiled for the instruction set. Results have the same bits with every set,
/// since the compiler joins no product with a sum.
#[inline]
pub(crate) fn compiled_for<R>(instructions: Instructions, work: impl FnOnce() -> R) -> R {
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx512f")]
    fn avx512<R>(work: impl FnOnce() -> R) -> R {
        work()
    }
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,fma")]
    fn avx2<R>(work: impl FnOnce() -> R) -> R {
        work()
    }
    match instructions.set() {
        // SAFETY: such `Instructions` exist only where the processor has AVX-512.
        #[cfg(target_arch = "x86_64")]
        Set::Avx512 => unsafe { avx512(work) },
        // SAFETY: such `Instructions` exist only where the processor has AVX2 and FMA.
        #[cfg(target_arch = "x86_64")]
        Set::Avx2 => unsafe { avx2(work) },
        Set::Portable => work(),
    }
}

/// Pixels of a convolution whose channels have kernels of their own: `output[p][c] = max(Σ_t input[t][p][c] ·
/// weight[t][c] + bias[c] + addend[p][c], floor)`, where the numbers under a place t of the kernel begin at
/// [`Tap::input`], those of the next pixel `step` later. Output and addend hold the channels pixel by pixel.
pub(crate) fn depthwise(
    instructions: Instructions,
    (input, step): (&[f32], usize),
    (weight, taps): (&[f32], &[Tap]),
    (bias, addend, floor): (Option<&[f32]>, Option<&[f32]>, f32),
    channels: usize,
    output: &mut [f32],
) {
    let pixels = output.len() / channels.max(1);
    if pixels * channels == 0 {
        return;
    }
    let last = (pixels - 1) * step + channels;
    assert!(taps.iter().all(|tap| tap.input + last <= input.len() && tap.weight + channels <= weight.len()));
    assert!(bias.is_none_or(|bias| bias.len() >= channels));
    assert!(addend.is_none_or(|addend| addend.len() >= pixels * channels));
    let start = |values: Option<&[f32]>| values.map_or(std::ptr::null(), <[f32]>::as_ptr);
    let line = Line {
        taps,
        input: input.as_ptr(),
        step,
        weight: weight.as_ptr(),
        bias: start(bias),
        addend: start(addend),
        output: output.as_mut_ptr(),
        pixels,
        channels,
        floor,
    };
    // SAFETY: every place that the kernel reads or writes was checked above; the output is borrowed for it alone.
    unsafe { depthwise_line(instructions, line) };
}

/// Channels that the transforms take at a time: the widest register.
pub(crate) const LANES: usize = 16;

/// Rows of a left factor: each row is `segments` runs of `run` numbers, `segment_stride` apart.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rows<'a> {
    pub(crate) values: &'a [f32],
    pub(crate) stride: usize,
    pub(crate) segments: usize,
    pub(crate) segment_stride: usize,
    pub(crate) run: usize,
}

impl<'a> Rows<'a> {
    /// Rows of `run` numbers without gaps in them.
    pub(crate) fn dense(values: &'a [f32], stride: usize, run: usize) -> Self {
        Self { values, stride, segments: 1, segment_stride: 0, run }
    }

    fn holds(&self, rows: usize) -> bool {
        let last = (rows.max(1) - 1) * self.stride + (self.segments.max(1) - 1) * self.segment_stride + self.run;
        rows * self.segments * self.run == 0 || last <= self.values.len()
    }
}

/// What is added to a product.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Addend<'a> {
    /// Nothing.
    None,
    /// What the output holds.
    Output,
    /// Rows of another matrix.
    Rows { values: &'a [f32], stride: usize },
}

/// What becomes of sums before they are stored: `max(sum + bias + addend, floor)`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Finish<'a> {
    pub(crate) bias: &'a [f32; PANEL],
    pub(crate) addend: Addend<'a>,
    pub(crate) floor: f32,
}

impl Finish<'_> {
    /// The sums are stored as they are.
    pub(crate) const NONE: Self = Self { bias: &[0.0; PANEL], addend: Addend::None, floor: f32::NEG_INFINITY };
}

/// `output = max(left · panel + bias + addend, floor)`; the output has at most [`PANEL`] columns, the panel for each of
/// its strips as many rows of [`STRIP`] numbers as a left row has numbers.
pub(crate) fn product(
    instructions: Instructions,
    left: Rows<'_>,
    panel: &[f32],
    Finish { bias, addend, floor }: Finish<'_>,
    output: &mut Rectangle<'_>,
) {
    let (rows, columns) = (output.rows(), output.columns());
    assert!(left.holds(rows), "left factor of {} numbers for {rows} rows", left.values.len());
    assert!(panel.len() >= left.segments * left.run * PANEL && columns <= PANEL);
    if let Addend::Rows { values, stride } = addend {
        assert!(rows == 0 || (rows - 1) * stride + columns <= values.len());
    }
    let mut operands = Operands {
        left: left.values.as_ptr(),
        left_stride: left.stride,
        segments: left.segments,
        segment_stride: left.segment_stride,
        run: left.run,
        panel: panel.as_ptr(),
        bias: bias.as_ptr(),
        addend: std::ptr::null(),
        addend_stride: 0,
        output: output.start(),
        output_stride: output.stride(),
        columns,
        floor,
    };
    let tile = instructions.tile_columns();
    if columns.is_multiple_of(tile) {
        (operands.addend, operands.addend_stride) = match addend {
            Addend::None => (std::ptr::null(), 0),
            Addend::Output => (operands.output.cast_const(), operands.output_stride),
            Addend::Rows { values, stride } => (values.as_ptr(), stride),
        };
        // SAFETY: left, panel and addend were checked above; the rectangle has `rows` rows of `columns` columns of its
        // own, whole tiles.
        unsafe { sweep(instructions, operands, rows) };
        return;
    }
    const BLOCK: usize = 14;
    let mut block = [0.0; BLOCK * PANEL];
    operands.floor = f32::NEG_INFINITY;
    operands.columns = columns.next_multiple_of(tile);
    for first in (0..rows).step_by(BLOCK) {
        let here = BLOCK.min(rows - first);
        operands.left = left.values.as_ptr().wrapping_add(first * left.stride);
        (operands.output, operands.output_stride) = (block.as_mut_ptr(), PANEL);
        // SAFETY: as above for the rows first..first + here; the block has room for BLOCK rows of PANEL columns, of which
        // a tile is a divisor.
        unsafe { sweep(instructions, operands, here) };
        for (row, sums) in block.chunks_exact(PANEL).take(here).enumerate() {
            let target = output.row(first + row);
            for (column, (value, sum)) in target.iter_mut().zip(sums).enumerate() {
                let added = match addend {
                    Addend::None => 0.0,
                    Addend::Output => *value,
                    Addend::Rows { values, stride } => values[(first + row) * stride + column],
                };
                let sum = sum + added;
                *value = if floor > sum { floor } else { sum };
            }
        }
    }
}

/// `output[i][j] += Σ_p left[p][i] · right[p][j]`, summed over `count` rows of both factors, for [`PANEL`] columns.
pub(crate) fn accumulate_outer(
    instructions: Instructions,
    (left, left_stride): (&[f32], usize),
    (right, right_stride): (&[f32], usize),
    count: usize,
    output: &mut Rectangle<'_>,
) {
    let rows = output.rows();
    if count == 0 {
        return;
    }
    assert!((count - 1) * left_stride + rows <= left.len() && (count - 1) * right_stride + PANEL <= right.len());
    assert_eq!(output.columns(), PANEL);
    let output_stride = output.stride();
    let (left, right) = (left.as_ptr(), right.as_ptr());
    let sums = Sums { left, left_stride, right, right_stride, count, output: output.start(), output_stride };
    // SAFETY: checked above; the rectangle has `rows` rows of PANEL numbers of its own.
    unsafe { reduce(instructions, sums, rows) };
}

/// A pixel of a patch: its first channel in the image, or none outside of it.
pub(crate) type Pixels = [Option<usize>; PATCH * PATCH];

/// `Bᵀ d B` of a patch of `image` for `channels` channels, a multiple of [`LANES`]; `zeros` stands for pixels outside.
/// Row i of the result begins at `i · stride` of `into`.
pub(crate) fn winograd_input(
    instructions: Instructions,
    image: &[f32],
    pixels: &Pixels,
    channels: usize,
    zeros: &[f32],
    into: &mut [f32],
    stride: usize,
) {
    let pointers = pixel_pointers(image, pixels, channels, zeros, into, stride);
    // SAFETY: every pointer comes from a slice of `channels` numbers; the result's extent was checked; LANES is a
    // multiple of every register's.
    unsafe { transform_input(instructions, &pointers, channels, into.as_mut_ptr(), stride) };
}

/// `A ∂Y Aᵀ` of a tile of a gradient; the rest is as in [`winograd_input`].
pub(crate) fn winograd_gradient(
    instructions: Instructions,
    gradient: &[f32],
    pixels: &[Option<usize>; TILE * TILE],
    channels: usize,
    zeros: &[f32],
    into: &mut [f32],
    stride: usize,
) {
    let pointers = pixel_pointers(gradient, pixels, channels, zeros, into, stride);
    // SAFETY: as in `winograd_input`.
    unsafe { transform_gradient(instructions, &pointers, channels, into.as_mut_ptr(), stride) };
}

/// Where `channels` numbers of each pixel may be read, once the extents of a transform are known to fit.
fn pixel_pointers<const PIXELS: usize>(
    image: &[f32],
    pixels: &[Option<usize>; PIXELS],
    channels: usize,
    zeros: &[f32],
    into: &[f32],
    stride: usize,
) -> [*const f32; PIXELS] {
    assert!(
        channels.is_multiple_of(LANES)
            && zeros.len() >= channels
            && (PATCH * PATCH - 1) * stride + channels <= into.len()
    );
    pixels.map(|pixel| match pixel {
        Some(first) => image[first..first + channels].as_ptr(),
        None => zeros.as_ptr(),
    })
}

/// The pixels of a tile that lie in the image.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TilePixels {
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    /// Distance of the rows in pixels.
    pub(crate) line: usize,
}

/// `max(Aᵀ m A + bias + addend, floor)` of a tile; row i of `m` begins at `i · stride` of `from`. The tile's pixels are
/// rows `row · line + column` of the output, and likewise of the addend, whose pixels lie as far apart as the output's.
pub(crate) fn winograd_output(
    instructions: Instructions,
    (from, stride): (&[f32], usize),
    Finish { bias, addend, floor }: Finish<'_>,
    TilePixels { rows, columns, line }: TilePixels,
    output: &mut Rectangle<'_>,
) {
    let channels = output.columns();
    let last = (rows.max(1) - 1) * line + columns;
    assert!(
        channels.is_multiple_of(LANES)
            && bias.len() >= channels
            && (PATCH * PATCH - 1) * stride + channels <= from.len()
    );
    assert!(rows <= TILE && columns <= TILE && last <= output.rows());
    let pixel = output.stride();
    let start = output.start();
    let addend = match addend {
        Addend::None => std::ptr::null(),
        Addend::Output => start.cast_const(),
        Addend::Rows { values, stride } => {
            assert!(stride == pixel && (last - 1) * stride + channels <= values.len());
            values.as_ptr()
        }
    };
    let tile = OutputTile {
        from: from.as_ptr(),
        stride,
        bias: bias.as_ptr(),
        addend,
        output: start,
        pixel,
        line: line * pixel,
        rows,
        columns,
        channels,
        floor,
    };
    // SAFETY: checked above; the pixels belong to the rectangle.
    unsafe { transform_output(instructions, tile) };
}

#[cfg(test)]
mod tests;
