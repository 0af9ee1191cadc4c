//! Sums of products channel by channel: convolutions whose channels have kernels of their own.

use super::vector::Vector;

/// Pixels whose sums are kept in registers together, so that a weight is loaded once for all of them.
const PIXELS: usize = 4;

/// A place of the kernel: its first number under the first pixel, and the first of its weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tap {
    pub(crate) input: usize,
    pub(crate) weight: usize,
}

/// Neighbouring pixels that all places of the kernel reach.
#[derive(Clone, Copy)]
pub(super) struct Line<'a> {
    pub(super) taps: &'a [Tap],
    pub(super) input: *const f32,
    /// Distance of the input's numbers from pixel to pixel.
    pub(super) step: usize,
    pub(super) weight: *const f32,
    /// Added to every pixel where it is not null.
    pub(super) bias: *const f32,
    /// Added pixel by pixel where it is not null; laid out like the output.
    pub(super) addend: *const f32,
    pub(super) output: *mut f32,
    pub(super) pixels: usize,
    pub(super) channels: usize,
    pub(super) floor: f32,
}

/// `output[p][c] = max(Σ_t input[t][p][c] · weight[t][c] + bias[c] + addend[p][c], floor)`.
///
/// # Safety
/// The processor has the instruction set of `V`; the input may be read at `tap.input + p · step + c`, the weight at
/// `tap.weight + c`, the bias at `c`, addend and output at `p · channels + c` for every pixel p and channel c, and
/// nothing else accesses the output meanwhile.
#[inline(always)]
pub(super) unsafe fn line<V: Vector>(line: Line<'_>) {
    let whole = line.pixels / PIXELS * PIXELS;
    for pixel in (0..whole).step_by(PIXELS) {
        // SAFETY: pixels pixel..pixel + PIXELS are among those of the caller.
        unsafe { strip::<V, PIXELS, 2>(line, pixel) };
    }
    for pixel in whole..line.pixels {
        // SAFETY: as above, for one pixel.
        unsafe { strip::<V, 1, 8>(line, pixel) };
    }
}

/// `COUNT` pixels, `REGISTERS` registers of channels at a time: enough sums that none waits for the one before it.
#[inline(always)]
unsafe fn strip<V: Vector, const COUNT: usize, const REGISTERS: usize>(line: Line<'_>, pixel: usize) {
    let together = REGISTERS * V::LANES;
    let mut done = 0;
    // Where there are few registers, sums beyond them would pass through memory.
    if V::TILE * 2 >= COUNT * REGISTERS {
        while done + together <= line.channels {
            // SAFETY: channels done..done + together exist, for pixels of the caller.
            unsafe { channels::<V, COUNT, REGISTERS>(line, pixel, done) };
            done += together;
        }
    }
    while done + V::LANES <= line.channels {
        // SAFETY: as above for one register.
        unsafe { channels::<V, COUNT, 1>(line, pixel, done) };
        done += V::LANES;
    }
    for channel in done..line.channels {
        for place in pixel..pixel + COUNT {
            // SAFETY: channels and pixels of the caller.
            unsafe {
                let mut sum = if line.bias.is_null() { 0.0 } else { *line.bias.add(channel) };
                for tap in line.taps {
                    let value = *line.input.add(tap.input + place * line.step + channel);
                    sum += value * *line.weight.add(tap.weight + channel);
                }
                let at = place * line.channels + channel;
                if !line.addend.is_null() {
                    sum += *line.addend.add(at);
                }
                *line.output.add(at) = if line.floor > sum { line.floor } else { sum };
            }
        }
    }
}

/// `REGISTERS` registers of channels from `channel` on, for `COUNT` pixels.
#[inline(always)]
unsafe fn channels<V: Vector, const COUNT: usize, const REGISTERS: usize>(
    line: Line<'_>,
    pixel: usize,
    channel: usize,
) {
    // SAFETY: channel + REGISTERS · LANES ≤ channels, for pixels of the caller.
    unsafe {
        let mut sums = [[V::splat(0.0); REGISTERS]; COUNT];
        if !line.bias.is_null() {
            let bias = line.bias.add(channel);
            sums = [std::array::from_fn(|register| V::load(bias.add(register * V::LANES))); COUNT];
        }
        for tap in line.taps {
            let weight = line.weight.add(tap.weight + channel);
            let from = line.input.add(tap.input + pixel * line.step + channel);
            for register in 0..REGISTERS {
                let weight = V::load(weight.add(register * V::LANES));
                for (place, sums) in sums.iter_mut().enumerate() {
                    let value = V::load(from.add(place * line.step + register * V::LANES));
                    sums[register] = value.mul_add(weight, sums[register]);
                }
            }
        }
        for (place, sums) in sums.into_iter().enumerate() {
            for (register, mut sum) in sums.into_iter().enumerate() {
                let at = (pixel + place) * line.channels + channel + register * V::LANES;
                if !line.addend.is_null() {
                    sum = sum.add(V::load(line.addend.add(at)));
                }
                V::splat(line.floor).max(sum).store(line.output.add(at));
            }
        }
    }
}
