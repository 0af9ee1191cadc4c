//! A deflate encoder for voxels (RFC 1951): fast, with codes that are made for the data.
//!
//! What makes images small is before all the code of their bytes, less their repetition: the lowest bytes of real
//! numbers are noise. So repetition is looked for in a few places only, and each stretch of the data has codes of its
//! own.

/// Shortest and longest repetition that is written, in bytes.
const SHORTEST: usize = 4;
const LONGEST: usize = 258;

/// How far back a repetition may begin.
const WINDOW: usize = 1 << 15;

/// Literals and repetitions that share one set of codes.
const TOKENS_OF_A_BLOCK: usize = 1 << 15;

const HASH_BITS: u32 = 15;

/// Places that are looked at with [`Effort::More`], and the length from which on no longer repetition is looked for.
const PLACES: usize = 12;
const GOOD: usize = 32;

/// Symbol that ends a block.
const END: usize = 256;
const LITERAL_SYMBOLS: usize = 286;
const DISTANCE_SYMBOLS: usize = 30;
const LENGTH_SYMBOLS: usize = 19;

/// Longest code of literals and distances, and of the lengths of these codes.
const LONGEST_CODE: usize = 15;
const LONGEST_LENGTH_CODE: usize = 7;

/// The order in which the lengths of the codes of lengths are written.
const LENGTH_ORDER: [usize; LENGTH_SYMBOLS] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

/// First length that each symbol from 257 on stands for, and how many bits follow it.
const LENGTHS: [(u16, u8); 29] = [
    (3, 0),
    (4, 0),
    (5, 0),
    (6, 0),
    (7, 0),
    (8, 0),
    (9, 0),
    (10, 0),
    (11, 1),
    (13, 1),
    (15, 1),
    (17, 1),
    (19, 2),
    (23, 2),
    (27, 2),
    (31, 2),
    (35, 3),
    (43, 3),
    (51, 3),
    (59, 3),
    (67, 4),
    (83, 4),
    (99, 4),
    (115, 4),
    (131, 5),
    (163, 5),
    (195, 5),
    (227, 5),
    (258, 0),
];

/// How carefully repetitions are looked for. Both make files of about the size that ITK's writers make: of NRRD and
/// MetaImage, which look little, and of NIfTI, which look more; of real numbers both make the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effort {
    /// The last place with the same four bytes.
    Least,
    /// Several places, and whether a longer repetition begins at the next byte.
    More,
}

/// A literal, or a repetition: its length and distance.
#[derive(Clone, Copy)]
struct Token(u32);

impl Token {
    const IS_REPETITION: u32 = 1 << 31;

    fn literal(byte: u8) -> Self {
        Self(u32::from(byte))
    }

    fn repetition(length: usize, distance: usize) -> Self {
        Self(Self::IS_REPETITION | (length as u32) << 16 | (distance - 1) as u32)
    }

    fn length(self) -> usize {
        (self.0 >> 16 & 0x1ff) as usize
    }

    fn distance(self) -> usize {
        (self.0 & 0x7fff) as usize + 1
    }

    fn is_repetition(self) -> bool {
        self.0 & Self::IS_REPETITION != 0
    }
}

/// Symbol, extra bits and their number of a distance.
fn distance_symbol(distance: usize) -> (usize, u32, u32) {
    let before = (distance - 1) as u32;
    if before < 4 {
        return (before as usize, 0, 0);
    }
    let top = 31 - before.leading_zeros();
    let extra = top - 1;
    ((2 * top + (before >> extra & 1)) as usize, before & ((1 << extra) - 1), extra)
}

/// Symbols of lengths.
struct LengthTable {
    symbols: [u8; LONGEST + 1],
}

impl LengthTable {
    const NEW: Self = {
        let mut symbols = [0; LONGEST + 1];
        let mut symbol = 0;
        while symbol < 28 {
            let (first, extra) = LENGTHS[symbol];
            let mut length = first as usize;
            while length < first as usize + (1 << extra) && length < LONGEST {
                symbols[length] = symbol as u8;
                length += 1;
            }
            symbol += 1;
        }
        symbols[LONGEST] = 28;
        Self { symbols }
    };
}

static LENGTH_TABLE: LengthTable = LengthTable::NEW;

/// Bits in the order in which deflate packs them: the first into the lowest.
struct BitWriter {
    bytes: Vec<u8>,
    bits: u64,
    count: u32,
}

impl BitWriter {
    /// At most 32 bits at a time.
    #[inline(always)]
    fn put(&mut self, bits: u64, count: u32) {
        self.bits |= bits << self.count;
        self.count += count;
        if self.count >= 32 {
            self.bytes.extend_from_slice(&(self.bits as u32).to_le_bytes());
            self.bits >>= 32;
            self.count -= 32;
        }
    }

    fn align(&mut self) {
        while self.count > 0 {
            self.bytes.push(self.bits as u8);
            self.bits >>= 8;
            self.count = self.count.saturating_sub(8);
        }
    }
}

/// Codes of symbols.
#[derive(Clone, Copy)]
struct Codes<const N: usize> {
    /// Bits of each code, the first lowest.
    codes: [u16; N],
    lengths: [u8; N],
}

impl<const N: usize> Codes<N> {
    /// Codes that are short for frequent symbols.
    fn new(frequencies: &[u32; N], longest: usize) -> Self {
        let mut used: Vec<(u32, u16)> = (0..N)
            .filter(|&symbol| frequencies[symbol] > 0)
            .map(|symbol| (frequencies[symbol], symbol as u16))
            .collect();
        // A decoder wants two codes.
        for symbol in 0..2 {
            if used.len() < 2 && used.iter().all(|&(_, other)| other != symbol) {
                used.push((1, symbol));
            }
        }
        used.sort_unstable();
        let mut lengths = [0; N];
        for (&(_, symbol), length) in used.iter().zip(code_lengths(&used, longest)) {
            lengths[usize::from(symbol)] = length;
        }
        Self::of_lengths(lengths)
    }

    /// The codes that belong to lengths (RFC 1951, 3.2.2).
    fn of_lengths(lengths: [u8; N]) -> Self {
        let mut count = [0_u16; LONGEST_CODE + 1];
        lengths.iter().filter(|length| **length > 0).for_each(|&length| count[usize::from(length)] += 1);
        let mut next = [0_u16; LONGEST_CODE + 2];
        for length in 1..=LONGEST_CODE {
            next[length + 1] = (next[length] + count[length]) << 1;
        }
        let mut codes = [0; N];
        for symbol in 0..N {
            let length = usize::from(lengths[symbol]);
            if length > 0 {
                codes[symbol] = next[length].reverse_bits() >> (16 - length);
                next[length] += 1;
            }
        }
        Self { codes, lengths }
    }
}

/// Lengths of Huffman codes for symbols in ascending order of their frequency, none longer than `longest`.
fn code_lengths(used: &[(u32, u16)], longest: usize) -> Vec<u8> {
    // The two rarest trees are joined until one is left; joined ones come in ascending order, too.
    let count = used.len();
    let mut weights: Vec<u64> = used.iter().map(|&(frequency, _)| u64::from(frequency)).collect();
    let mut parents = vec![0; 2 * count - 1];
    let (mut leaf, mut joined) = (0, count);
    for node in count..2 * count - 1 {
        let mut weight = 0;
        for _ in 0..2 {
            let rarest = if leaf < count && (joined >= node || weights[leaf] <= weights[joined]) {
                leaf += 1;
                leaf - 1
            } else {
                joined += 1;
                joined - 1
            };
            weight += weights[rarest];
            parents[rarest] = node;
        }
        weights.push(weight);
    }
    let mut depths = vec![0_usize; 2 * count - 1];
    for node in (0..2 * count - 2).rev() {
        depths[node] = depths[parents[node]] + 1;
    }
    // How many codes have each length. Those that are too long are cut. They take up too much room then, until codes
    // that are one shorter have made room for them: a code becomes two that are longer by one, one of them for a code
    // of the greatest length.
    let mut of_length = vec![0_usize; longest + 1];
    depths[..count].iter().for_each(|&depth| of_length[depth.min(longest)] += 1);
    let taken: usize = (1..=longest).map(|length| of_length[length] << (longest - length)).sum();
    for _ in 1 << longest..taken {
        let shorter = (1..longest).rev().find(|&length| of_length[length] > 0).unwrap_or(1);
        of_length[longest] -= 1;
        of_length[shorter] -= 1;
        of_length[shorter + 1] += 2;
    }
    // The rarest symbols take the longest codes.
    (1..=longest).rev().flat_map(|length| std::iter::repeat_n(length as u8, of_length[length])).collect()
}

/// Deflates blocks of data, each by itself.
pub(super) struct Encoder {
    effort: Effort,
    /// Bytes of a number. With [`Effort::Least`], repetitions begin where numbers do: to look between them costs time
    /// and lets repetitions begin that end sooner.
    width: usize,
    /// The last place of each hash, plus one.
    heads: Vec<u32>,
    /// The place before each with the same hash, plus one.
    earlier: Vec<u32>,
    tokens: Vec<Token>,
}

impl Encoder {
    /// For numbers of so many bytes.
    pub(super) fn new(effort: Effort, width: usize) -> Self {
        let earlier = if effort == Effort::More { WINDOW } else { 0 };
        Self {
            effort,
            width,
            heads: vec![0; 1 << HASH_BITS],
            earlier: vec![0; earlier],
            tokens: Vec::with_capacity(TOKENS_OF_A_BLOCK + 1),
        }
    }

    /// Data deflated without what stands before them, ended at a whole byte by an empty stored block. What was deflated
    /// before leaves no trace in it.
    pub(super) fn deflate(&mut self, data: &[u8]) -> Vec<u8> {
        self.heads.fill(0);
        let mut writer = BitWriter { bytes: Vec::with_capacity(data.len() + data.len() / 8 + 64), bits: 0, count: 0 };
        let mut at = 0;
        while at < data.len() {
            let start = at;
            self.tokens.clear();
            at = match self.effort {
                Effort::Least => self.find_fast(data, at),
                Effort::More => self.find_more(data, at),
            };
            self.write_block(&mut writer, &data[start..at]);
        }
        writer.put(0, 3);
        writer.align();
        writer.bytes.extend_from_slice(&[0, 0, 0xff, 0xff]);
        writer.bytes
    }

    /// Tokens of the data from a place on, with [`Effort::Least`]; returns where they end.
    fn find_fast(&mut self, data: &[u8], mut at: usize) -> usize {
        let (end, width) = (data.len().saturating_sub(SHORTEST + 4), self.width);
        while at < end && self.tokens.len() < TOKENS_OF_A_BLOCK {
            let four = four_bytes(data, at);
            let head = &mut self.heads[hash(four)];
            let place = *head as usize;
            *head = at as u32 + 1;
            if place > 0 && at + 1 - place <= WINDOW && four_bytes(data, place - 1) == four {
                let length = common_length(data, place - 1, at);
                self.tokens.push(Token::repetition(length, at + 1 - place));
                let next = at + length;
                // Repetitions of repetitions are found by the places inside them.
                at += width;
                while at < next.min(end) {
                    self.heads[hash(four_bytes(data, at))] = at as u32 + 1;
                    at += width;
                }
                at = next;
            } else {
                let next = at + width - at % width;
                self.tokens.extend(data[at..next].iter().map(|&byte| Token::literal(byte)));
                at = next;
            }
        }
        self.literals_from(data, at, end)
    }

    /// The same with [`Effort::More`].
    fn find_more(&mut self, data: &[u8], mut at: usize) -> usize {
        let end = data.len().saturating_sub(SHORTEST + 4);
        while at < end && self.tokens.len() < TOKENS_OF_A_BLOCK {
            let (length, distance) = self.longest(data, at);
            if length < SHORTEST {
                self.tokens.push(Token::literal(data[at]));
                at += 1;
                continue;
            }
            // A longer repetition that begins at the next byte is worth the literal.
            if length < GOOD && at + 1 < end {
                let (next, next_distance) = self.longest(data, at + 1);
                if next > length {
                    self.tokens.push(Token::literal(data[at]));
                    self.tokens.push(Token::repetition(next, next_distance));
                    self.enter(data, at + 2, (at + 1 + next).min(end));
                    at += 1 + next;
                    continue;
                }
                self.enter(data, at + 2, (at + length).min(end));
            } else {
                self.enter(data, at + 1, (at + length).min(end));
            }
            self.tokens.push(Token::repetition(length, distance));
            at += length;
        }
        self.literals_from(data, at, end)
    }

    /// The last bytes, behind `end`, in which no repetition is looked for; returns where the tokens end.
    fn literals_from(&mut self, data: &[u8], at: usize, end: usize) -> usize {
        if at < end {
            return at;
        }
        let room = TOKENS_OF_A_BLOCK.saturating_sub(self.tokens.len());
        let next = data.len().min(at + room);
        self.tokens.extend(data[at..next].iter().map(|&byte| Token::literal(byte)));
        next
    }

    /// Enters places that lie inside a repetition.
    fn enter(&mut self, data: &[u8], from: usize, to: usize) {
        for at in from..to {
            let head = &mut self.heads[hash(four_bytes(data, at))];
            self.earlier[at % WINDOW] = *head;
            *head = at as u32 + 1;
        }
    }

    /// Length and distance of the longest repetition among the last places with the same hash; enters the place.
    fn longest(&mut self, data: &[u8], at: usize) -> (usize, usize) {
        let four = four_bytes(data, at);
        let head = &mut self.heads[hash(four)];
        let mut place = *head as usize;
        self.earlier[at % WINDOW] = *head;
        *head = at as u32 + 1;
        let (mut best, mut distance) = (0, 0);
        for _ in 0..PLACES {
            if place == 0 || at + 1 - place > WINDOW {
                break;
            }
            if four_bytes(data, place - 1) == four {
                let length = common_length(data, place - 1, at);
                if length > best {
                    (best, distance) = (length, at + 1 - place);
                    if length >= GOOD {
                        break;
                    }
                }
            }
            let before = self.earlier[(place - 1) % WINDOW] as usize;
            if before >= place {
                break;
            }
            place = before;
        }
        (best, distance)
    }

    /// Writes the tokens of some data with codes of their own, or the data as they are where that is shorter.
    fn write_block(&self, writer: &mut BitWriter, data: &[u8]) {
        let mut literals = [0_u32; LITERAL_SYMBOLS];
        let mut distances = [0_u32; DISTANCE_SYMBOLS];
        literals[END] = 1;
        let mut extra_bits = 0_usize;
        for token in &self.tokens {
            if token.is_repetition() {
                let symbol = usize::from(LENGTH_TABLE.symbols[token.length()]);
                literals[257 + symbol] += 1;
                let (symbol_of_distance, _, extra) = distance_symbol(token.distance());
                distances[symbol_of_distance] += 1;
                extra_bits += usize::from(LENGTHS[symbol].1) + extra as usize;
            } else {
                literals[(token.0 & 0xff) as usize] += 1;
            }
        }
        let literal_codes = Codes::new(&literals, LONGEST_CODE);
        let distance_codes = Codes::new(&distances, LONGEST_CODE);
        let cost = |frequencies: &[u32], lengths: &[u8]| -> usize {
            frequencies.iter().zip(lengths).map(|(&count, &length)| count as usize * usize::from(length)).sum()
        };
        let bits = cost(&literals, &literal_codes.lengths) + cost(&distances, &distance_codes.lengths) + extra_bits;
        const HEADER: usize = 60;
        if bits / 8 + HEADER >= data.len() {
            return write_stored(writer, data);
        }
        // No last block, codes of its own.
        writer.put(0b100, 3);
        write_codes(writer, &literal_codes.lengths, &distance_codes.lengths);
        for token in &self.tokens {
            if token.is_repetition() {
                let length = token.length();
                let symbol = usize::from(LENGTH_TABLE.symbols[length]);
                let (first, extra) = LENGTHS[symbol];
                let code = u64::from(literal_codes.codes[257 + symbol]);
                let code_length = u32::from(literal_codes.lengths[257 + symbol]);
                let (distance, low, low_bits) = distance_symbol(token.distance());
                let bits = code | ((length - usize::from(first)) as u64) << code_length;
                writer.put(bits, code_length + u32::from(extra));
                let code_length = u32::from(distance_codes.lengths[distance]);
                let bits = u64::from(distance_codes.codes[distance]) | u64::from(low) << code_length;
                writer.put(bits, code_length + low_bits);
            } else {
                let symbol = (token.0 & 0xff) as usize;
                writer.put(u64::from(literal_codes.codes[symbol]), u32::from(literal_codes.lengths[symbol]));
            }
        }
        writer.put(u64::from(literal_codes.codes[END]), u32::from(literal_codes.lengths[END]));
    }
}

#[inline(always)]
fn four_bytes(data: &[u8], at: usize) -> u32 {
    data[at..].first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes))
}

#[inline(always)]
fn hash(four: u32) -> usize {
    (four.wrapping_mul(0x9e37_79b1) >> (32 - HASH_BITS)) as usize
}

/// How many bytes from two places on are the same, at most [`LONGEST`]. The first lies before the second.
#[inline(always)]
fn common_length(data: &[u8], first: usize, second: usize) -> usize {
    let most = LONGEST.min(data.len() - second);
    let (a, b) = (&data[first..first + most], &data[second..second + most]);
    let mut length = 0;
    for (a, b) in a.chunks_exact(8).zip(b.chunks_exact(8)) {
        let [a, b] = [a, b].map(|bytes| bytes.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes)));
        if a != b {
            return length + ((a ^ b).trailing_zeros() / 8) as usize;
        }
        length += 8;
    }
    length + a[length..].iter().zip(&b[length..]).take_while(|(a, b)| a == b).count()
}

/// Data as they are, in parts of at most 65535 bytes.
fn write_stored(writer: &mut BitWriter, data: &[u8]) {
    for part in data.chunks(0xffff) {
        writer.put(0, 3);
        writer.align();
        let length = part.len() as u16;
        writer.bytes.extend_from_slice(&length.to_le_bytes());
        writer.bytes.extend_from_slice(&(!length).to_le_bytes());
        writer.bytes.extend_from_slice(part);
    }
}

/// The lengths of the codes (RFC 1951, 3.2.7).
fn write_codes(writer: &mut BitWriter, literals: &[u8; LITERAL_SYMBOLS], distances: &[u8; DISTANCE_SYMBOLS]) {
    let count = |lengths: &[u8], least: usize| {
        lengths.iter().rposition(|&length| length > 0).map_or(least, |last| (last + 1).max(least))
    };
    let (literal_count, distance_count) = (count(literals, 257), count(distances, 1));
    let lengths = [&literals[..literal_count], &distances[..distance_count]].concat();
    // Runs of zeros, repetitions of the last length, and lengths, each with what follows it.
    let mut runs: Vec<(usize, u64, u32)> = Vec::new();
    let mut rest = lengths.as_slice();
    let mut last = None;
    while let Some(&length) = rest.first() {
        let run = rest.iter().take_while(|&&other| other == length).count();
        let taken = match run {
            11.. if length == 0 => {
                runs.push((18, run.min(138) as u64 - 11, 7));
                run.min(138)
            }
            3.. if length == 0 => {
                runs.push((17, run as u64 - 3, 3));
                run
            }
            3.. if last == Some(length) => {
                runs.push((16, run.min(6) as u64 - 3, 2));
                run.min(6)
            }
            _ => {
                runs.push((usize::from(length), 0, 0));
                1
            }
        };
        last = Some(length);
        rest = &rest[taken..];
    }
    let mut frequencies = [0; LENGTH_SYMBOLS];
    runs.iter().for_each(|&(symbol, ..)| frequencies[symbol] += 1);
    let codes = Codes::new(&frequencies, LONGEST_LENGTH_CODE);
    let used = LENGTH_ORDER.iter().rposition(|&symbol| codes.lengths[symbol] > 0).map_or(4, |last| (last + 1).max(4));
    writer.put(literal_count as u64 - 257, 5);
    writer.put(distance_count as u64 - 1, 5);
    writer.put(used as u64 - 4, 4);
    for &symbol in &LENGTH_ORDER[..used] {
        writer.put(u64::from(codes.lengths[symbol]), 3);
    }
    for (symbol, extra, extra_bits) in runs {
        let length = u32::from(codes.lengths[symbol]);
        writer.put(u64::from(codes.codes[symbol]) | extra << length, length + extra_bits);
    }
}

#[cfg(test)]
mod tests {
    use flate2::{Decompress, FlushDecompress};
    use proptest::prelude::*;

    use super::*;

    /// The data that another program's decoder makes of deflated ones.
    fn inflated(deflated: &[u8], length: usize) -> Vec<u8> {
        let mut data = Vec::with_capacity(length + 1);
        Decompress::new(false).decompress_vec(deflated, &mut data, FlushDecompress::None).unwrap();
        data
    }

    fn check(data: &[u8]) {
        for effort in [Effort::Least, Effort::More] {
            for width in [1, 2, 4, 8] {
                let mut encoder = Encoder::new(effort, width);
                let deflated = encoder.deflate(data);
                assert_eq!(inflated(&deflated, data.len()), data, "{effort:?} {width}");
                assert_eq!(encoder.deflate(data), deflated);
                // Stored, data grow by 5 bytes for each block and 65535 bytes.
                assert!(deflated.len() <= data.len() + 16 + data.len() / 1000, "{} of {}", deflated.len(), data.len());
            }
        }
    }

    #[test]
    fn data_of_every_kind_come_back() {
        check(&[]);
        check(&[7]);
        check(&[0; 100_000]);
        check(&(0..=255).cycle().take(70_000).collect::<Vec<u8>>());
        // Frequencies in the ratio of Fibonacci numbers ask for codes that are too long.
        let (mut a, mut b, mut fibonacci) = (1, 1, Vec::new());
        for symbol in 0..22_u8 {
            fibonacci.extend(std::iter::repeat_n([symbol, symbol.wrapping_mul(37)], a).flatten());
            (a, b) = (b, a + b);
        }
        check(&fibonacci);
        let floats: Vec<u8> =
            (0..60_000_u32).flat_map(|i| (i.wrapping_mul(2_654_435_761) as f32).sqrt().to_le_bytes()).collect();
        check(&floats);
    }

    #[test]
    fn symbols_of_lengths_and_distances_are_those_of_the_standard() {
        for length in 3..=LONGEST {
            let (first, extra) = LENGTHS[usize::from(LENGTH_TABLE.symbols[length])];
            assert!(length >= usize::from(first) && length < usize::from(first) + (1 << extra), "{length}");
        }
        assert_eq!(distance_symbol(1), (0, 0, 0));
        assert_eq!(distance_symbol(5), (4, 0, 1));
        assert_eq!(distance_symbol(24_577), (29, 0, 13));
        assert_eq!(distance_symbol(WINDOW), (29, 8191, 13));
    }

    #[test]
    fn codes_are_complete_and_not_too_long() {
        let used: Vec<(u32, u16)> = (0..30).map(|symbol| (1 << (symbol / 2), symbol)).collect();
        let lengths = code_lengths(&used, 7);
        assert_eq!(lengths.iter().map(|&length| 1 << (7 - length)).sum::<usize>(), 1 << 7);
        assert!(lengths.is_sorted_by(|a, b| a >= b));
    }

    proptest! {
        #[test]
        fn any_data_come_back(
            seed in prop::collection::vec(any::<u8>(), 1..2000),
            repeats in 1_usize..40,
            mask in any::<u8>(),
        ) {
            let data: Vec<u8> = (0..repeats).flat_map(|_| seed.iter().map(|byte| byte & mask)).collect();
            check(&data);
        }
    }
}
