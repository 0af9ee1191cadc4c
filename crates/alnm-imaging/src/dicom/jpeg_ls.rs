//! JPEG-LS (ITU-T T.87, ISO/IEC 14495-1): frames of one component, without loss and near it.
//!
//! Names are those of the standard: A, B, C and N are a context's statistics, Ra, Rb, Rc and Rd the neighbours to the
//! left, above, above to the left and above to the right.

use super::jpeg::next_segment;
use super::problem::{malformed, unsupported};
use crate::error::FileProblem;

const START_OF_IMAGE: [u8; 2] = [0xff, 0xd8];
const START_OF_FRAME: u8 = 0xf7;
const PRESET_PARAMETERS: u8 = 0xf8;
const START_OF_SCAN: u8 = 0xda;
const RESTART_INTERVAL: u8 = 0xdd;

/// RESET where a stream has no other.
const RESET: u16 = 64;
/// J: binary logarithms of the lengths of a run's pieces (A.2.1).
const RUN_ORDER: [u32; 32] =
    [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 9, 10, 11, 12, 13, 14, 15];
/// Contexts of regular mode: nine levels of each of three gradients, where opposite ones share one.
const CONTEXTS: usize = 365;

/// Unpacks one frame of rows and columns into pixels of `width` bytes, little endian.
pub(super) fn decode_frame(stream: &[u8], size: [usize; 2], width: usize) -> Result<Vec<u8>, FileProblem> {
    let (coding, scan) = read_header(stream, size)?;
    let bits = i32::BITS - coding.max_value.leading_zeros();
    if bits as usize > 8 * width {
        return Err(malformed(format!("a JPEG-LS frame of {bits} bits per pixel where {} are allocated", 8 * width)));
    }
    let pixels = Scan::new(&coding, scan).decode(size);
    let pixels =
        pixels.ok_or_else(|| malformed("the scan of a JPEG-LS frame ends early, or holds codes that cannot be"))?;
    Ok(pixels.iter().flat_map(|pixel| u32::from(*pixel).to_le_bytes().into_iter().take(width)).collect())
}

/// What the headers of a frame say about the coding of its scan.
#[derive(Debug, PartialEq, Eq)]
struct Coding {
    /// MAXVAL.
    max_value: i32,
    /// NEAR: by how much a pixel may be wrong.
    near: i32,
    /// T1, T2 and T3, at which a gradient passes to the next level.
    thresholds: [i32; 3],
    /// RESET: the count at which a context's statistics are halved.
    reset: u32,
}

impl Coding {
    /// From the precision, NEAR and the preset MAXVAL, T1, T2, T3 and RESET, zero for those to be derived (C.2.4.1.1).
    fn new(precision: u8, near: u8, preset: [u16; 5]) -> Option<Self> {
        let most = u16::try_from((1_u32 << precision) - 1).ok()?;
        let [max_value, thresholds @ .., reset] = preset;
        let max_value = if max_value == 0 { most } else { max_value };
        let reset = if reset == 0 { RESET } else { reset };
        let near = i32::from(near);
        let derived = default_thresholds(i32::from(max_value), near);
        let thresholds = [0, 1, 2].map(|i| if thresholds[i] == 0 { derived[i] } else { i32::from(thresholds[i]) });
        let rising = near < thresholds[0] && thresholds.is_sorted() && thresholds[2] <= i32::from(max_value);
        let possible =
            max_value <= most && near <= i32::from(max_value) / 2 && (3..=max_value.max(255)).contains(&reset);
        (rising && possible).then_some(Self {
            max_value: i32::from(max_value),
            near,
            thresholds,
            reset: u32::from(reset),
        })
    }

    /// The distance between values that near-lossless coding tells apart.
    fn step(&self) -> i32 {
        2 * self.near + 1
    }

    /// RANGE: how many prediction errors there are.
    fn range(&self) -> i32 {
        (self.max_value + 2 * self.near) / self.step() + 1
    }
}

/// T1, T2 and T3 of a stream that has none of its own (C.2.4.1.1.1).
fn default_thresholds(max_value: i32, near: i32) -> [i32; 3] {
    const BASIC: [i32; 3] = [3, 7, 21];
    let mut least = near + 1;
    [0, 1, 2].map(|i| {
        let tolerance = (2 * i as i32 + 3) * near;
        let threshold = if max_value >= 128 {
            let factor = (max_value.min(4095) + 128) / 256;
            let offset = i as i32 + 2;
            factor * (BASIC[i] - offset) + offset + tolerance
        } else {
            let factor = 256 / (max_value + 1);
            (BASIC[i] / factor + tolerance).max(i as i32 + 2)
        };
        least = if (least..=max_value).contains(&threshold) { threshold } else { least };
        least
    })
}

/// Reads the segments up to the scan, and returns what follows them.
fn read_header(stream: &[u8], size: [usize; 2]) -> Result<(Coding, &[u8]), FileProblem> {
    let impossible =
        |what: &str, content: &[u8]| malformed(format!("{what} of a JPEG-LS frame cannot hold {content:?}"));
    let mut rest =
        stream.strip_prefix(&START_OF_IMAGE).ok_or_else(|| malformed("a JPEG-LS frame without start of image"))?;
    let (mut precision, mut preset) = (None, [0; 5]);
    loop {
        let (marker, content, after) =
            next_segment(rest).ok_or_else(|| malformed("the header of a JPEG-LS frame ends early"))?;
        match (marker, content) {
            (START_OF_FRAME, &[bits, y1, y0, x1, x0, 1, _, _, _]) if (2..=16).contains(&bits) => {
                let found = [[y1, y0], [x1, x0]].map(|bytes| usize::from(u16::from_be_bytes(bytes)));
                if found != size {
                    return Err(malformed(format!(
                        "a compressed frame of {found:?} pixels where {size:?} (rows, columns) belong"
                    )));
                }
                precision = Some(bits);
            }
            (START_OF_FRAME, _) => {
                return Err(unsupported(format!("a JPEG-LS frame header {content:?}; one component is read")));
            }
            (PRESET_PARAMETERS, &[1, ref values @ ..]) if values.len() == 10 => {
                preset = [0, 2, 4, 6, 8].map(|at| u16::from_be_bytes([values[at], values[at + 1]]));
            }
            (PRESET_PARAMETERS, _) => return Err(unsupported(format!("JPEG-LS with the extension {content:?}"))),
            (RESTART_INTERVAL, _) => return Err(unsupported("JPEG-LS with restart intervals")),
            (START_OF_SCAN, &[1, _, 0, near, 0, 0]) => {
                let precision = precision.ok_or_else(|| malformed("a JPEG-LS scan without frame header"))?;
                let coding = Coding::new(precision, near, preset);
                return Ok((
                    coding.ok_or_else(|| malformed(format!("JPEG-LS with NEAR {near} and presets {preset:?}")))?,
                    after,
                ));
            }
            (START_OF_SCAN, _) => return Err(impossible("the scan header", content)),
            (0xc0..=0xcf, _) => return Err(malformed("a frame of another JPEG process where JPEG-LS belongs")),
            _ => {}
        }
        rest = after;
    }
}

/// The statistics of a regular context.
#[derive(Debug, Clone, Copy)]
struct Context {
    a: u32,
    b: i32,
    c: i32,
    n: u32,
}

impl Context {
    /// Learns a prediction error (A.6).
    fn update(&mut self, error: i32, coding: &Coding) {
        self.a += error.unsigned_abs();
        self.b += error * coding.step();
        if self.n == coding.reset {
            self.a >>= 1;
            self.b >>= 1;
            self.n >>= 1;
        }
        self.n += 1;
        let count = self.n.cast_signed();
        if self.b <= -count {
            self.b = (self.b + count).max(1 - count);
            self.c = (self.c - 1).max(-128);
        } else if self.b > 0 {
            self.b = (self.b - count).min(0);
            self.c = (self.c + 1).min(127);
        }
    }
}

/// The statistics of pixels that end a run.
#[derive(Debug, Clone, Copy)]
struct RunContext {
    a: u32,
    n: u32,
    /// Nn: how many errors were negative.
    negative: u32,
}

/// The smallest k with 2^k N >= A (A.5.1).
///
/// Errors are at most 2^15 and RESET below 2^16, so that A stays below 2^31 + 2^15 and 2^k N in 32 bits.
fn golomb_parameter(n: u32, a: u32) -> u32 {
    let same_length = n.leading_zeros().saturating_sub(a.leading_zeros());
    same_length + u32::from(n << same_length < a)
}

/// A scan while it is decoded.
struct Scan<'a> {
    coding: &'a Coding,
    range: i32,
    /// qbpp: bits of a code that is not a Golomb code.
    code_bits: u32,
    /// LIMIT: the longest Golomb code.
    limit: u32,
    bits: Bits<'a>,
    contexts: [Context; CONTEXTS],
    run_contexts: [RunContext; 2],
    run_index: usize,
}

impl<'a> Scan<'a> {
    fn new(coding: &'a Coding, scan: &'a [u8]) -> Self {
        let range = coding.range();
        let bits_of = |values: i32| u32::BITS - (values - 1).leading_zeros();
        let pixel_bits = bits_of(coding.max_value + 1).max(2);
        let a = ((range + 32) / 64).max(2).cast_unsigned();
        Self {
            coding,
            range,
            code_bits: bits_of(range),
            limit: 2 * (pixel_bits + pixel_bits.max(8)),
            bits: Bits { bytes: scan, held: 0, count: 0, after_ones: false },
            contexts: [Context { a, b: 0, c: 0, n: 1 }; CONTEXTS],
            run_contexts: [RunContext { a, n: 1, negative: 0 }; 2],
            run_index: 0,
        }
    }

    /// All pixels, or None when the scan ends first or is damaged.
    fn decode(mut self, [rows, columns]: [usize; 2]) -> Option<Vec<u16>> {
        // A pixel stands before each line and one behind it (A.2.1).
        let (mut line, mut above) = (vec![0; columns + 2], vec![0; columns + 2]);
        let mut pixels = Vec::with_capacity(rows * columns);
        for _ in 0..rows {
            line[0] = above[1];
            above[columns + 1] = above[columns];
            self.decode_line(&mut line, &above)?;
            pixels.extend(line[1..=columns].iter().map(|&pixel| pixel as u16));
            std::mem::swap(&mut line, &mut above);
        }
        Some(pixels)
    }

    fn decode_line(&mut self, line: &mut [i32], above: &[i32]) -> Option<()> {
        let end = line.len() - 1;
        let mut x = 1;
        while x < end {
            let [ra, rb, rc, rd] = [line[x - 1], above[x], above[x - 1], above[x + 1]];
            let levels = [rd - rb, rb - rc, rc - ra].map(|gradient| self.level(gradient));
            let context = 81 * levels[0] + 9 * levels[1] + levels[2];
            if context != 0 {
                line[x] = self.decode_regular(context, [ra, rb, rc])?;
                x += 1;
                continue;
            }
            let run = self.decode_run(end - x)?;
            line[x..x + run].fill(ra);
            x += run;
            if x < end {
                line[x] = self.decode_run_end(ra, above[x])?;
                x += 1;
            }
        }
        Some(())
    }

    /// The level of a gradient, -4 to 4 (A.3.3).
    fn level(&self, gradient: i32) -> i32 {
        let size = gradient.abs();
        let [t1, t2, t3] = self.coding.thresholds;
        gradient.signum()
            * (i32::from(size > self.coding.near)
                + i32::from(size >= t1)
                + i32::from(size >= t2)
                + i32::from(size >= t3))
    }

    /// A pixel in regular mode (A.4 to A.6).
    fn decode_regular(&mut self, context: i32, [ra, rb, rc]: [i32; 3]) -> Option<i32> {
        let sign = context.signum();
        let statistics = &mut self.contexts[context.unsigned_abs() as usize];
        let median = (ra + rb - rc).clamp(ra.min(rb), ra.max(rb));
        let predicted = (median + sign * statistics.c).clamp(0, self.coding.max_value);
        let k = golomb_parameter(statistics.n, statistics.a);
        let code = self.bits.golomb_code(k, self.limit, self.code_bits, self.range)?;
        let mut error = (code >> 1) ^ -(code & 1);
        if k == 0 && self.coding.near == 0 && 2 * statistics.b <= -statistics.n.cast_signed() {
            error = !error;
        }
        statistics.update(error, self.coding);
        Some(self.reconstruct(predicted, sign * error))
    }

    /// The length of a run, of at most `rest` pixels (A.7.1).
    fn decode_run(&mut self, rest: usize) -> Option<usize> {
        let mut run = 0;
        while self.bits.take(1)? == 1 {
            let piece = 1 << RUN_ORDER[self.run_index];
            if run + piece > rest {
                return Some(rest);
            }
            run += piece;
            self.run_index = (self.run_index + 1).min(RUN_ORDER.len() - 1);
            if run == rest {
                return Some(rest);
            }
        }
        run += self.bits.take(RUN_ORDER[self.run_index])? as usize;
        // A run that reaches the end of the line has no pixel that ends it.
        (run < rest).then_some(run)
    }

    /// The pixel that ends a run (A.7.2).
    fn decode_run_end(&mut self, ra: i32, rb: i32) -> Option<i32> {
        let flat = (ra - rb).abs() <= self.coding.near;
        let statistics = &mut self.run_contexts[usize::from(flat)];
        let k = golomb_parameter(statistics.n, if flat { statistics.a + (statistics.n >> 1) } else { statistics.a });
        let limit = self.limit - RUN_ORDER[self.run_index] - 1;
        self.run_index = self.run_index.saturating_sub(1);
        let code = self.bits.golomb_code(k, limit, self.code_bits, self.range)?;
        let doubled = code + i32::from(flat);
        let size = (doubled + 1) >> 1;
        let odd_is_positive = k == 0 && 2 * statistics.negative < statistics.n;
        let error = if (doubled & 1 == 1) == odd_is_positive { size } else { -size };
        statistics.negative += u32::from(error < 0);
        statistics.a += ((code + 1 - i32::from(flat)) >> 1).cast_unsigned();
        if statistics.n == self.coding.reset {
            statistics.a >>= 1;
            statistics.n >>= 1;
            statistics.negative >>= 1;
        }
        statistics.n += 1;
        Some(match flat {
            true => self.reconstruct(ra, error),
            false => self.reconstruct(rb, if ra > rb { -error } else { error }),
        })
    }

    /// The pixel of an error, which is known up to RANGE steps (A.4.5).
    fn reconstruct(&self, predicted: i32, error: i32) -> i32 {
        let Coding { max_value, near, .. } = *self.coding;
        let (step, around) = (self.coding.step(), self.range * self.coding.step());
        let pixel = predicted + error * step;
        let pixel = match pixel {
            _ if pixel < -near => pixel + around,
            _ if pixel > max_value + near => pixel - around,
            _ => pixel,
        };
        pixel.clamp(0, max_value)
    }
}

/// Bits of a scan, the highest first. The byte after one of ones begins with a zero that is no data (A.1).
struct Bits<'a> {
    bytes: &'a [u8],
    /// The next bits, at the top.
    held: u64,
    count: u32,
    after_ones: bool,
}

impl Bits<'_> {
    /// Holds at least 57 bits, or all up to the next marker.
    fn fill(&mut self) {
        while self.count <= 56 {
            let Some((&byte, after)) = self.bytes.split_first() else { return };
            if byte == 0xff && after.first().is_none_or(|&next| next >= 0x80) {
                return;
            }
            let bits = if self.after_ones { 7 } else { 8 };
            self.held |= u64::from(byte) << (64 - bits - self.count);
            self.count += bits;
            self.after_ones = byte == 0xff;
            self.bytes = after;
        }
    }

    /// The next bits, at most 32; None when the scan ends first.
    fn take(&mut self, bits: u32) -> Option<u32> {
        if self.count < bits {
            self.fill();
        }
        self.count = self.count.checked_sub(bits)?;
        let taken = (self.held >> 32 >> (32 - bits)) as u32;
        self.held <<= bits;
        Some(taken)
    }

    /// A Golomb code of limited length (A.5.3), which is `most` at most.
    ///
    /// `limit` is at most 64 and, where it is, `code_bits` at least 7: zeros and the one behind them are 57 bits at
    /// most.
    fn golomb_code(&mut self, k: u32, limit: u32, code_bits: u32, most: i32) -> Option<i32> {
        self.fill();
        let longest = limit - code_bits - 1;
        let zeros = self.held.leading_zeros();
        self.count = self.count.checked_sub(zeros + 1)?;
        self.held = self.held << zeros << 1;
        let code = match zeros {
            _ if zeros < longest => u64::from(zeros) << k | u64::from(self.take(k)?),
            _ if zeros == longest => u64::from(self.take(code_bits)?) + 1,
            _ => return None,
        };
        i32::try_from(code).ok().filter(|&code| code <= most)
    }
}

#[cfg(test)]
mod tests {
    use jpegls::EncodeOptions;
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    /// What another implementation makes of the pixels.
    fn encode(pixels: &[u16], [rows, columns]: [usize; 2], precision: u8, near: u8) -> Vec<u8> {
        let mut options = EncodeOptions::default();
        (options.near, options.precision) = (near, Some(precision));
        let mut stream = Vec::new();
        jpegls::encode_with_options(pixels, columns as u32, rows as u32, &options, &mut stream).unwrap();
        stream
    }

    fn decode(stream: &[u8], size: [usize; 2]) -> Result<Vec<u16>, FileProblem> {
        let bytes = decode_frame(stream, size, 2)?;
        Ok(bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect())
    }

    /// Rows, columns, precision, NEAR and pixels, of which runs of equal ones are likely.
    fn images() -> impl Strategy<Value = ([usize; 2], u8, u8, Vec<u16>)> {
        (1_usize..20, 1_usize..70, 2_u8..=16).prop_flat_map(|(rows, columns, precision)| {
            let most = ((1_u32 << precision) - 1) as u16;
            let pixel = prop_oneof![6 => Just(most / 2), 2 => 0..=most.min(6), 1 => 0..=most];
            let near = 0..=(most / 2).min(255) as u8;
            (Just([rows, columns]), Just(precision), prop_oneof![Just(0), near], vec(pixel, rows * columns))
        })
    }

    proptest! {
        #[test]
        fn pixels_come_back_within_near((size, precision, near, pixels) in images()) {
            let decoded = decode(&encode(&pixels, size, precision, near), size).unwrap();
            for (decoded, pixel) in decoded.iter().zip(&pixels) {
                prop_assert!(decoded.abs_diff(*pixel) <= u16::from(near), "{decoded} for {pixel}");
            }
        }

        #[test]
        fn damaged_scans_never_panic((size, precision, near, pixels) in images(), damage in vec((any::<usize>(), any::<u8>()), 1..8)) {
            let mut stream = encode(&pixels, size, precision, near);
            let headers = 25;
            for (position, byte) in damage {
                let length = stream.len();
                stream[headers + position % (length - headers)] = byte;
            }
            if let Ok(decoded) = decode(&stream, size) {
                prop_assert!(decoded.iter().all(|pixel| u32::from(*pixel) < 1 << precision));
            }
        }
    }

    #[test]
    fn thresholds_of_eight_bits_are_those_of_the_standard() {
        assert_eq!(default_thresholds(255, 0), [3, 7, 21]);
        assert_eq!(default_thresholds(4095, 0), [18, 67, 276]);
        assert_eq!(default_thresholds(65_535, 0), [18, 67, 276]);
    }
}
