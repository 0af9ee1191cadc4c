//! A deflate encoder for voxels (RFC 1951): fast, with codes that are made for the data.
//!
//! What makes images small is before all the code of their bytes, less their repetition: the lowest bytes of real
//! numbers are noise. So repetition is looked for in a few places only, or not at all where it costs more than the bytes
//! that it repeats, and each stretch of the data has codes of its own.

/// Shortest and longest repetition that is written, in bytes.
const SHORTEST: usize = 4;
const LONGEST: usize = 258;

/// How far back a repetition may begin.
const WINDOW: usize = 1 << 15;

/// Literals and repetitions that share one set of codes.
const TOKENS_OF_A_BLOCK: usize = 1 << 15;

/// Literals and repetitions from which it is told whether repetitions are shorter than their bytes.
const TOKENS_OF_A_PROBE: usize = 1 << 12;

/// Blocks in which no repetition is looked for, behind a probe in which repetitions were no shorter than their bytes.
const BLOCKS_OF_NOISE: usize = 16;

/// Bytes of noise in which one place is compared with what stands before it.
const STEP_IN_NOISE: usize = 64;

/// Widest numbers whose noise is looked for. Each byte of wider ones is noise or a repetition of its own.
const WIDEST_NOISE: usize = 2;

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
    /// The last place with the same four bytes; none in noise.
    Least,
    /// Several places, and whether a longer repetition begins at the next byte.
    More,
}

/// Literals that stand side by side in the data, or a repetition: its length and distance.
#[derive(Clone, Copy)]
struct Token(u32);

impl Token {
    const IS_REPETITION: u32 = 1 << 31;

    fn literals(count: usize) -> Self {
        Self(count as u32)
    }

    fn repetition(length: usize, distance: usize) -> Self {
        Self(Self::IS_REPETITION | (length as u32) << 16 | (distance - 1) as u32)
    }

    fn is_repetition(self) -> bool {
        self.0 & Self::IS_REPETITION != 0
    }

    /// Bytes of the data that it stands for.
    fn length(self) -> usize {
        if self.is_repetition() { (self.0 >> 16 & 0x1ff) as usize } else { self.0 as usize }
    }

    fn distance(self) -> usize {
        (self.0 & 0x7fff) as usize + 1
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

/// Where bits are written, in the order in which deflate packs them: the first into the lowest.
#[derive(Clone, Copy, Default)]
struct BitPlace {
    /// The byte that is not full yet.
    at: usize,
    /// Its bits so far, and their number.
    bits: u64,
    count: u32,
}

impl BitPlace {
    /// Most bits that are written at a time.
    const MOST: u32 = 56;

    /// Eight bytes are written, whatever the number of bits, so that no branch depends on it.
    #[inline(always)]
    fn put(&mut self, bytes: &mut [u8], bits: u64, count: u32) {
        self.bits |= bits << self.count;
        self.count += count;
        bytes[self.at..self.at + 8].copy_from_slice(&self.bits.to_le_bytes());
        self.at += (self.count / 8) as usize;
        self.bits >>= self.count & !7;
        self.count &= 7;
    }
}

/// Bytes of which those before a place are written.
struct BitWriter {
    bytes: Vec<u8>,
    place: BitPlace,
}

impl BitWriter {
    /// Makes room for so many bytes more.
    fn make_room(&mut self, bytes: usize) {
        let needed = self.place.at + bytes + 8;
        if self.bytes.len() < needed {
            self.bytes.resize(needed, 0);
        }
    }

    fn put(&mut self, bits: u64, count: u32) {
        self.place.put(&mut self.bytes, bits, count);
    }

    /// Goes on at the next whole byte.
    fn align(&mut self) {
        let at = self.place.at + usize::from(self.place.count > 0);
        self.place = BitPlace { at, ..BitPlace::default() };
    }

    /// Writes bytes at a whole byte.
    fn put_bytes(&mut self, bytes: &[u8]) {
        self.bytes[self.place.at..][..bytes.len()].copy_from_slice(bytes);
        self.place.at += bytes.len();
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

    /// The bits of a symbol's code, and their number.
    #[inline(always)]
    fn of(&self, symbol: usize) -> (u64, u32) {
        (u64::from(self.codes[symbol]), u32::from(self.lengths[symbol]))
    }

    /// Bits of all codes of symbols of such frequencies.
    fn cost(&self, frequencies: &[u32; N]) -> usize {
        frequencies.iter().zip(self.lengths).map(|(&count, length)| count as usize * usize::from(length)).sum()
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
    /// Bytes of a number, a power of two. With [`Effort::Least`], repetitions begin where numbers do: to look between
    /// them costs time and lets repetitions begin that end sooner.
    width: usize,
    /// With [`Effort::Least`], the lowest bits of the last place of each hash: more is not needed to find a place that is
    /// near, and half the memory stays in the cache. A place that is too far may look near, but then the data tell.
    near: Box<[u16; 1 << HASH_BITS]>,
    /// With [`Effort::More`], the last place of each hash, plus one.
    heads: Box<[u32; 1 << HASH_BITS]>,
    /// The place before each with the same hash, plus one.
    earlier: Vec<u32>,
    tokens: Vec<Token>,
    /// Where blocks are written, one over the other.
    written: Vec<u8>,
    /// How many literals and repetitions the tokens are.
    taken: usize,
}

impl Encoder {
    /// For numbers of so many bytes, a power of two.
    pub(super) fn new(effort: Effort, width: usize) -> Self {
        debug_assert!(width.is_power_of_two());
        let earlier = if effort == Effort::More { WINDOW } else { 0 };
        Self {
            effort,
            width,
            near: Box::new([0; 1 << HASH_BITS]),
            heads: Box::new([0; 1 << HASH_BITS]),
            earlier: vec![0; earlier],
            tokens: Vec::with_capacity(TOKENS_OF_A_BLOCK + 1),
            written: Vec::new(),
            taken: 0,
        }
    }

    /// Data deflated without what stands before them, ended at a whole byte by an empty stored block. What was deflated
    /// before leaves no trace in it.
    pub(super) fn deflate(&mut self, data: &[u8]) -> Vec<u8> {
        match self.effort {
            Effort::Least => self.near.fill(0),
            Effort::More => self.heads.fill(0),
        }
        let mut writer = BitWriter { bytes: std::mem::take(&mut self.written), place: BitPlace::default() };
        writer.make_room(data.len() + data.len() / 8 + 64);
        let (mut at, mut noise) = (0, Noise::default());
        while at < data.len() {
            self.tokens.clear();
            self.taken = 0;
            let (end, coding) = match self.effort {
                Effort::Least if self.width <= WIDEST_NOISE => self.find_beside_noise(data, at, &mut noise),
                Effort::Least => self.coded(data, at, |encoder| encoder.find_fast(data, at, TOKENS_OF_A_BLOCK)),
                Effort::More => self.coded(data, at, |encoder| encoder.find_more(data, at)),
            };
            self.write_block(&mut writer, &data[at..end], &coding);
            at = end;
        }
        writer.make_room(8);
        writer.put(0, 3);
        writer.align();
        writer.put_bytes(&[0, 0, 0xff, 0xff]);
        let deflated = writer.bytes[..writer.place.at].to_vec();
        self.written = writer.bytes;
        deflated
    }

    /// Where tokens end that begin at a place and are found by a function, and their codes.
    fn coded(&mut self, data: &[u8], at: usize, find: impl FnOnce(&mut Self) -> usize) -> (usize, Coding) {
        let end = find(self);
        (end, Coding::of(&self.frequencies(&data[at..end])))
    }

    /// Tokens of the data from a place on, with [`Effort::Least`]: literals alone in noise, where repetitions are short
    /// and by chance. Returns where they end, and their codes.
    fn find_beside_noise(&mut self, data: &[u8], at: usize, noise: &mut Noise) -> (usize, Coding) {
        if noise.blocks > 0 {
            let block = &data[at..data.len().min(at + TOKENS_OF_A_BLOCK)];
            let literals = Coding::of(&Frequencies::of_literals(block));
            let repeats = self.enter_noise(data, at, at + block.len());
            if !repeats && noise.goes_on(literals.bits, block.len()) {
                noise.blocks -= 1;
                self.tokens.push(Token::literals(block.len()));
                return (at + block.len(), literals);
            }
        }
        let (end, repetitions) = self.coded(data, at, |encoder| encoder.find_fast(data, at, TOKENS_OF_A_PROBE));
        let probe = &data[at..end];
        let literals = Coding::of(&Frequencies::of_literals(probe));
        if literals.bits <= repetitions.bits {
            *noise = Noise { bits: literals.bits, bytes: probe.len(), blocks: BLOCKS_OF_NOISE };
            self.tokens.clear();
            self.tokens.push(Token::literals(probe.len()));
            return (end, literals);
        }
        *noise = Noise::default();
        if end == data.len() {
            return (end, repetitions);
        }
        self.coded(data, at, |encoder| encoder.find_fast(data, end, TOKENS_OF_A_BLOCK))
    }

    /// Enters the places of noise; returns whether it repeats what stands before it.
    fn enter_noise(&mut self, data: &[u8], from: usize, to: usize) -> bool {
        let mut repetitions = 0;
        for start in (from..to).step_by(STEP_IN_NOISE) {
            let near = self.near[hash(four_bytes(data, start))];
            let distance = usize::from((start as u16).wrapping_sub(near));
            let is_within = (1..=WINDOW.min(start)).contains(&distance);
            repetitions += usize::from(is_within && eight_bytes(data, start - distance) == eight_bytes(data, start));
            for at in (start..to.min(start + STEP_IN_NOISE)).step_by(self.width) {
                self.near[hash(four_bytes(data, at))] = at as u16;
            }
        }
        repetitions * 8 * STEP_IN_NOISE >= to - from
    }

    /// Tokens of the data from a place on, with [`Effort::Least`], until they are as many as `most`; returns where they
    /// end.
    fn find_fast(&mut self, data: &[u8], mut at: usize, most: usize) -> usize {
        let (end, width) = (data.len().saturating_sub(SHORTEST + 4), self.width);
        let mut literals = at;
        while at < end && self.taken + (at - literals) < most {
            let near = &mut self.near[hash(four_bytes(data, at))];
            let distance = usize::from((at as u16).wrapping_sub(*near));
            *near = at as u16;
            let is_within = (1..=WINDOW.min(at)).contains(&distance);
            let length = if is_within { common_length(data, at - distance, at) } else { 0 };
            if length >= SHORTEST {
                self.take(at - literals, length, distance);
                let next = at + length;
                // Repetitions of repetitions are found by the places inside them.
                at += width;
                while at < next.min(end) {
                    self.near[hash(four_bytes(data, at))] = at as u16;
                    at += width;
                }
                (at, literals) = (next, next);
            } else {
                at = (at | (width - 1)) + 1;
            }
        }
        self.take_literals(literals, at, end, data.len(), most)
    }

    /// The same with [`Effort::More`].
    fn find_more(&mut self, data: &[u8], mut at: usize) -> usize {
        let end = data.len().saturating_sub(SHORTEST + 4);
        let mut literals = at;
        while at < end && self.taken + (at - literals) < TOKENS_OF_A_BLOCK {
            let (mut length, mut distance) = self.longest(data, at);
            if length < SHORTEST {
                at += 1;
                continue;
            }
            let mut entered = at + 1;
            // A longer repetition that begins at the next byte is worth the literal.
            if length < GOOD && at + 1 < end {
                let (next, next_distance) = self.longest(data, at + 1);
                entered += 1;
                if next > length {
                    (at, length, distance) = (at + 1, next, next_distance);
                }
            }
            self.take(at - literals, length, distance);
            let next = at + length;
            self.enter(data, entered, next.min(end));
            (at, literals) = (next, next);
        }
        self.take_literals(literals, at, end, data.len(), TOKENS_OF_A_BLOCK)
    }

    /// Takes literals and the repetition behind them.
    fn take(&mut self, literals: usize, length: usize, distance: usize) {
        if literals > 0 {
            self.tokens.push(Token::literals(literals));
        }
        self.tokens.push(Token::repetition(length, distance));
        self.taken += literals + 1;
    }

    /// Takes the literals from a place on, and those behind `end`, where no repetition is looked for, until the tokens are
    /// as many as `most`; returns where they end.
    fn take_literals(&mut self, from: usize, at: usize, end: usize, all: usize, most: usize) -> usize {
        let room = most.saturating_sub(self.taken + (at - from));
        let next = if at < end { at } else { all.min(at + room) };
        if next > from {
            self.tokens.push(Token::literals(next - from));
            self.taken += next - from;
        }
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
        let head = &mut self.heads[hash(four_bytes(data, at))];
        let mut place = *head as usize;
        self.earlier[at % WINDOW] = *head;
        *head = at as u32 + 1;
        let (mut best, mut distance) = (0, 0);
        for _ in 0..PLACES {
            if place == 0 || at + 1 - place > WINDOW {
                break;
            }
            let length = common_length(data, place - 1, at);
            if length > best {
                (best, distance) = (length, at + 1 - place);
                if length >= GOOD {
                    break;
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

    /// Writes the tokens of some data with their codes, or the data as they are where that is shorter.
    fn write_block(&self, writer: &mut BitWriter, data: &[u8], coding: &Coding) {
        let header = CodeHeader::of(&coding.literals.lengths, &coding.distances.lengths);
        if header.bits + coding.bits >= 8 * data.len() + BITS_OF_STORED {
            writer.make_room(data.len() + 5 * data.len().div_ceil(0xffff));
            return write_stored(writer, data);
        }
        writer.make_room((header.bits + coding.bits).div_ceil(8) + 1);
        // No last block, codes of its own.
        writer.put(0b100, 3);
        header.write(writer);
        self.write_tokens(writer, data, &coding.literals, &coding.distances);
        let (end, end_bits) = coding.literals.of(END);
        writer.put(end, end_bits);
    }

    /// How often the tokens of some data use each symbol.
    fn frequencies(&self, data: &[u8]) -> Frequencies {
        let mut bytes = ByteCounts::default();
        let mut frequencies = Frequencies::default();
        let mut rest = data;
        for token in &self.tokens {
            let of_token = rest.split_off(..token.length()).unwrap_or_default();
            if token.is_repetition() {
                let symbol = usize::from(LENGTH_TABLE.symbols[of_token.len()]);
                frequencies.literals[257 + symbol] += 1;
                let (symbol_of_distance, _, extra) = distance_symbol(token.distance());
                frequencies.distances[symbol_of_distance] += 1;
                frequencies.extra_bits += usize::from(LENGTHS[symbol].1) + extra as usize;
            } else {
                bytes.count(of_token);
            }
        }
        frequencies.with_bytes(&bytes)
    }

    /// Writes the tokens of some data.
    fn write_tokens(
        &self,
        writer: &mut BitWriter,
        data: &[u8],
        literals: &Codes<LITERAL_SYMBOLS>,
        distances: &Codes<DISTANCE_SYMBOLS>,
    ) {
        // Of its own, so that it stays in registers.
        let mut place = writer.place;
        let bytes = writer.bytes.as_mut_slice();
        let mut rest = data;
        for token in &self.tokens {
            let length = token.length();
            let literal_bytes = rest.split_off(..length).unwrap_or_default();
            if token.is_repetition() {
                let symbol = usize::from(LENGTH_TABLE.symbols[length]);
                let (first, extra) = LENGTHS[symbol];
                let (code, code_length) = literals.of(257 + symbol);
                place.put(
                    bytes,
                    code | ((length - usize::from(first)) as u64) << code_length,
                    code_length + u32::from(extra),
                );
                let (distance, low, low_bits) = distance_symbol(token.distance());
                let (code, code_length) = distances.of(distance);
                place.put(bytes, code | u64::from(low) << code_length, code_length + low_bits);
                continue;
            }
            let (fours, others) = literal_bytes.as_chunks::<4>();
            for four in fours {
                let [(a, of_a), (b, of_b), (c, of_c), (d, of_d)] = four.map(|byte| literals.of(byte.into()));
                let (front, of_front) = (a | b << of_a, of_a + of_b);
                let (back, of_back) = (c | d << of_c, of_c + of_d);
                if of_front + of_back <= BitPlace::MOST {
                    place.put(bytes, front | back << of_front, of_front + of_back);
                } else {
                    place.put(bytes, front, of_front);
                    place.put(bytes, back, of_back);
                }
            }
            for &byte in others {
                let (code, code_length) = literals.of(byte.into());
                place.put(bytes, code, code_length);
            }
        }
        writer.place = place;
    }
}

/// How often each byte occurs. Each of four neighbours has counts of its own: a count that was just written is slow to
/// read.
struct ByteCounts([[u32; 256]; 4]);

impl Default for ByteCounts {
    fn default() -> Self {
        Self([[0; 256]; 4])
    }
}

impl ByteCounts {
    fn count(&mut self, bytes: &[u8]) {
        let (fours, others) = bytes.as_chunks::<4>();
        for four in fours {
            self.0.iter_mut().zip(four).for_each(|(counts, &byte)| counts[usize::from(byte)] += 1);
        }
        others.iter().for_each(|&byte| self.0[0][usize::from(byte)] += 1);
    }
}

/// How often symbols are used, and the bits that follow them.
struct Frequencies {
    literals: [u32; LITERAL_SYMBOLS],
    distances: [u32; DISTANCE_SYMBOLS],
    extra_bits: usize,
}

impl Default for Frequencies {
    fn default() -> Self {
        Self { literals: [0; LITERAL_SYMBOLS], distances: [0; DISTANCE_SYMBOLS], extra_bits: 0 }
    }
}

impl Frequencies {
    /// Those of data of which each byte is a literal.
    fn of_literals(data: &[u8]) -> Self {
        let mut bytes = ByteCounts::default();
        bytes.count(data);
        Self::default().with_bytes(&bytes)
    }

    /// Adds the literals and the end of a block.
    fn with_bytes(mut self, bytes: &ByteCounts) -> Self {
        for (byte, count) in self.literals[..256].iter_mut().enumerate() {
            *count = bytes.0.iter().map(|counts| counts[byte]).sum();
        }
        self.literals[END] = 1;
        self
    }
}

/// Codes for the tokens of a block, and the bits of these tokens.
struct Coding {
    literals: Codes<LITERAL_SYMBOLS>,
    distances: Codes<DISTANCE_SYMBOLS>,
    bits: usize,
}

impl Coding {
    fn of(frequencies: &Frequencies) -> Self {
        let literals = Codes::new(&frequencies.literals, LONGEST_CODE);
        let distances = Codes::new(&frequencies.distances, LONGEST_CODE);
        let of_codes = literals.cost(&frequencies.literals) + distances.cost(&frequencies.distances);
        Self { literals, distances, bits: of_codes + frequencies.extra_bits }
    }
}

/// Data whose repetitions were no shorter than their bytes.
#[derive(Default)]
struct Noise {
    /// Bits of these data as literals, and their bytes.
    bits: usize,
    bytes: usize,
    /// How many blocks are left in which no repetition is looked for.
    blocks: usize,
}

impl Noise {
    /// Whether a block of so many bits, as literals, may be more of the same noise. Where literals are clearly shorter
    /// than those of the noise, something else has begun.
    fn goes_on(&self, bits: usize, bytes: usize) -> bool {
        8 * bits * self.bytes >= 7 * self.bits * bytes
    }
}

#[inline(always)]
fn four_bytes(data: &[u8], at: usize) -> u32 {
    data[at..].first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes))
}

#[inline(always)]
fn eight_bytes(data: &[u8], at: usize) -> u64 {
    data[at..].first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

#[inline(always)]
fn hash(four: u32) -> usize {
    (four.wrapping_mul(0x9e37_79b1) >> (32 - HASH_BITS)) as usize
}

/// How many bytes from two places on are the same, at most [`LONGEST`]. The first lies before the second, behind which
/// there are eight bytes or more.
#[inline(always)]
fn common_length(data: &[u8], first: usize, second: usize) -> usize {
    // Most differ soon.
    let differing = eight_bytes(data, first) ^ eight_bytes(data, second);
    if differing != 0 { (differing.trailing_zeros() / 8) as usize } else { long_common_length(data, first, second) }
}

/// The same where the first eight are.
fn long_common_length(data: &[u8], first: usize, second: usize) -> usize {
    let most = LONGEST.min(data.len() - second);
    let (a, b) = (&data[first..first + most], &data[second..second + most]);
    let mut length = 8;
    for (a, b) in a[8..].chunks_exact(8).zip(b[8..].chunks_exact(8)) {
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
        writer.put_bytes(&length.to_le_bytes());
        writer.put_bytes(&(!length).to_le_bytes());
        writer.put_bytes(part);
    }
}

/// Bits that a stored block takes beyond its bytes: two lengths of 16 bits each.
const BITS_OF_STORED: usize = 32;

/// The lengths of a block's codes as they stand before its tokens (RFC 1951, 3.2.7).
struct CodeHeader {
    literal_count: usize,
    distance_count: usize,
    /// Codes of the symbols of lengths, and how many of these are written, in the standard's order.
    codes: Codes<LENGTH_SYMBOLS>,
    used: usize,
    runs: Vec<LengthRun>,
    /// Bits of the whole.
    bits: usize,
}

/// A length, or a run of the same ones: its symbol, and what follows the symbol in so many bits.
struct LengthRun {
    symbol: usize,
    extra: u64,
    extra_bits: u32,
}

impl CodeHeader {
    fn of(literals: &[u8; LITERAL_SYMBOLS], distances: &[u8; DISTANCE_SYMBOLS]) -> Self {
        let count = |lengths: &[u8], least: usize| {
            lengths.iter().rposition(|&length| length > 0).map_or(least, |last| (last + 1).max(least))
        };
        let (literal_count, distance_count) = (count(literals, 257), count(distances, 1));
        let runs = length_runs(&[&literals[..literal_count], &distances[..distance_count]].concat());
        let mut frequencies = [0; LENGTH_SYMBOLS];
        runs.iter().for_each(|run| frequencies[run.symbol] += 1);
        let codes = Codes::new(&frequencies, LONGEST_LENGTH_CODE);
        let used =
            LENGTH_ORDER.iter().rposition(|&symbol| codes.lengths[symbol] > 0).map_or(4, |last| (last + 1).max(4));
        let extra_bits: usize = runs.iter().map(|run| run.extra_bits as usize).sum();
        let bits = 5 + 5 + 4 + 3 * used + codes.cost(&frequencies) + extra_bits;
        Self { literal_count, distance_count, codes, used, runs, bits }
    }

    fn write(&self, writer: &mut BitWriter) {
        writer.put(self.literal_count as u64 - 257, 5);
        writer.put(self.distance_count as u64 - 1, 5);
        writer.put(self.used as u64 - 4, 4);
        for &symbol in &LENGTH_ORDER[..self.used] {
            writer.put(u64::from(self.codes.lengths[symbol]), 3);
        }
        for &LengthRun { symbol, extra, extra_bits } in &self.runs {
            let (code, length) = self.codes.of(symbol);
            writer.put(code | extra << length, length + extra_bits);
        }
    }
}

/// Runs of zeros, repetitions of the last length, and lengths by themselves.
fn length_runs(lengths: &[u8]) -> Vec<LengthRun> {
    let mut runs = Vec::new();
    let mut rest = lengths;
    let mut last = None;
    while let Some(&length) = rest.first() {
        let run = rest.iter().take_while(|&&other| other == length).count();
        let (symbol, extra_bits, least, most) = match run {
            11.. if length == 0 => (18, 7, 11, 138),
            3.. if length == 0 => (17, 3, 3, 10),
            3.. if last == Some(length) => (16, 2, 3, 6),
            _ => (usize::from(length), 0, 1, 1),
        };
        let taken = run.min(most);
        runs.push(LengthRun { symbol, extra: (taken - least) as u64, extra_bits });
        last = Some(length);
        rest = &rest[taken..];
    }
    runs
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

    /// 16-bit numbers around a mean, the sums of four numbers drawn by chance, so many times.
    fn noise(count: u32) -> Vec<u8> {
        let drawn = |i: u32| i.wrapping_mul(2_654_435_761).rotate_left(15).wrapping_mul(2_246_822_519) >> 27;
        (0..count).flat_map(|i| ((0..4).map(|j| drawn(4 * i + j)).sum::<u32>() as u16 + 300).to_le_bytes()).collect()
    }

    #[test]
    fn noise_is_written_as_literals_and_what_repeats_it_is_not() {
        let deflated = |data: &[u8]| Encoder::new(Effort::Least, 2).deflate(data).len();
        let part = noise(10_000);
        let once = deflated(&part);
        let literals = Coding::of(&Frequencies::of_literals(&part));
        assert!(once <= literals.bits / 8 + 200, "{once} {}", literals.bits / 8);
        // Longer than a block, so that its repetitions begin in blocks in which none is looked for.
        let mut repeated = noise(60_000);
        let before = deflated(&repeated);
        (0..9).for_each(|_| repeated.extend(&part));
        let after = deflated(&repeated);
        assert!(after - before < 4 * once, "{before} {after} {once}");
        // What is shorter than noise ends it.
        repeated.extend([7; 100_000]);
        assert!(deflated(&repeated) - after < 600);
        check(&repeated);
    }

    /// The lengths of codes take many bits beside those of few tokens.
    #[test]
    fn short_data_do_not_grow() {
        let scattered = |i: u32| i.wrapping_mul(2_654_435_761).rotate_left(15).wrapping_mul(2_246_822_519) >> 24;
        for (length, mask) in (20..300_u32).flat_map(|length| [0xff, 0xfd, 0xdb].map(|mask| (length, mask))) {
            let once: Vec<u8> = (0..length).map(|i| scattered(i + 1000 * length) as u8 & mask).collect();
            (1..4).for_each(|repeats| check(&once.repeat(repeats)));
        }
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
