//! SHA-1 of the voxels of image and mask, as SimpleITK's `Hash`.
//!
//! Each block of 64 bytes waits for the one before, and most of the time goes by waiting; so both images are hashed
//! side by side where the processor has instructions for it.

use std::borrow::Cow;

use alnm_imaging::Image;
use alnm_imaging::mask::MaskRef;
use pulp::bytemuck::{NoUninit, cast_slice};
use sha1::block_api::compress;

/// The bytes that are hashed at a time.
type Block = [u8; 64];
/// As many labels, of which each is hashed as a number of 32 bits.
type LabelBlock = [u8; 16];
/// What is known of the bytes before.
type State = [u32; 5];

/// FIPS 180-4, 5.3.1.
const START: State = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476, 0xc3d2_e1f0];

/// SHA-1 of the voxels of an image and of a mask, as they lie in memory on a little-endian machine, labels being numbers
/// of 32 bits, in hexadecimal digits.
pub(crate) fn voxel_hashes(image: &Image, mask: MaskRef<'_>) -> [String; 2] {
    let image = match image {
        Image::U8(volume) => bytes(volume.as_slice(), u8::to_le_bytes),
        Image::I8(volume) => bytes(volume.as_slice(), i8::to_le_bytes),
        Image::U16(volume) => bytes(volume.as_slice(), u16::to_le_bytes),
        Image::I16(volume) => bytes(volume.as_slice(), i16::to_le_bytes),
        Image::U32(volume) => bytes(volume.as_slice(), u32::to_le_bytes),
        Image::I32(volume) => bytes(volume.as_slice(), i32::to_le_bytes),
        Image::U64(volume) => bytes(volume.as_slice(), u64::to_le_bytes),
        Image::I64(volume) => bytes(volume.as_slice(), i64::to_le_bytes),
        Image::F32(volume) => bytes(volume.as_slice(), f32::to_le_bytes),
        Image::F64(volume) => bytes(volume.as_slice(), f64::to_le_bytes),
    };
    let mask = match mask {
        MaskRef::Narrow(mask) => Message::Labels(mask.as_slice()),
        MaskRef::Wide(mask) => Message::Bytes(bytes(mask.as_slice(), u32::to_le_bytes)),
    };
    hashes([&Message::Bytes(image), &mask]).map(|state| state.iter().map(|word| format!("{word:08x}")).collect())
}

/// The bytes of voxels, the lowest of each first.
fn bytes<T: NoUninit, const N: usize>(voxels: &[T], bytes_of: impl Fn(T) -> [u8; N]) -> Cow<'_, [u8]> {
    if cfg!(target_endian = "little") {
        Cow::Borrowed(cast_slice(voxels))
    } else {
        Cow::Owned(voxels.iter().flat_map(|&voxel| bytes_of(voxel)).collect())
    }
}

/// What is hashed.
enum Message<'a> {
    Bytes(Cow<'a, [u8]>),
    Labels(&'a [u8]),
}

/// Whole blocks of a message.
#[derive(Debug, Clone, Copy)]
enum Blocks<'a> {
    Bytes(&'a [Block]),
    Labels(&'a [LabelBlock]),
}

impl Message<'_> {
    fn byte_count(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::Labels(labels) => labels.len() * size_of::<u32>(),
        }
    }

    /// Its whole blocks, and the bytes after them.
    fn split(&self) -> (Blocks<'_>, Cow<'_, [u8]>) {
        match self {
            Self::Bytes(bytes) => {
                let (blocks, rest) = bytes.as_chunks();
                (Blocks::Bytes(blocks), Cow::Borrowed(rest))
            }
            Self::Labels(labels) => {
                let (blocks, rest) = labels.as_chunks();
                (Blocks::Labels(blocks), rest.iter().flat_map(|&label| number(label)).collect())
            }
        }
    }
}

impl Blocks<'_> {
    fn len(self) -> usize {
        match self {
            Self::Bytes(blocks) => blocks.len(),
            Self::Labels(blocks) => blocks.len(),
        }
    }

    fn split_at(self, count: usize) -> (Self, Self) {
        match self {
            Self::Bytes(blocks) => {
                let (before, after) = blocks.split_at(count);
                (Self::Bytes(before), Self::Bytes(after))
            }
            Self::Labels(blocks) => {
                let (before, after) = blocks.split_at(count);
                (Self::Labels(before), Self::Labels(after))
            }
        }
    }
}

/// A label as a number of 32 bits.
fn number(label: u8) -> [u8; 4] {
    u32::from(label).to_le_bytes()
}

/// SHA-1 of two messages.
fn hashes(messages: [&Message<'_>; 2]) -> [State; 2] {
    let [(first, rest_of_first), (second, rest_of_second)] = messages.map(Message::split);
    let shared = first.len().min(second.len());
    let [(first, longer_first), (second, longer_second)] = [first, second].map(|blocks| blocks.split_at(shared));
    let [first, second] = compressed([START; 2], [first, second]);
    let finished = |message: &Message<'_>, state, longer, rest: &[u8]| {
        let [mut state] = compressed([state], [longer]);
        compress(&mut state, &last_blocks(rest, message.byte_count()));
        state
    };
    [
        finished(messages[0], first, longer_first, &rest_of_first),
        finished(messages[1], second, longer_second, &rest_of_second),
    ]
}

/// The end of a message with a bit of 1, zeros, and the number of its bits.
fn last_blocks(rest: &[u8], byte_count: usize) -> Vec<Block> {
    let mut last = vec![[0; 64]; if rest.len() < 56 { 1 } else { 2 }];
    last[0][..rest.len()].copy_from_slice(rest);
    last[0][rest.len()] = 0x80;
    if let Some(block) = last.last_mut() {
        block[56..].copy_from_slice(&(byte_count as u64 * 8).to_be_bytes());
    }
    last
}

/// The states of messages after as many blocks of each.
fn compressed<const N: usize>(mut states: [State; N], blocks: [Blocks<'_>; N]) -> [State; N] {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("sha")
        && std::arch::is_x86_feature_detected!("ssse3")
        && std::arch::is_x86_feature_detected!("sse4.1")
    {
        return x86::compressed(states, blocks);
    }
    for (state, blocks) in states.iter_mut().zip(blocks) {
        match blocks {
            Blocks::Bytes(blocks) => compress(state, blocks),
            Blocks::Labels(blocks) => {
                for labels in blocks {
                    let mut block = [0; 64];
                    block.as_chunks_mut().0.iter_mut().zip(labels).for_each(|(to, &label)| *to = number(label));
                    compress(state, &[block]);
                }
            }
        }
    }
    states
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::{
        __m128i, _mm_add_epi32, _mm_extract_epi32, _mm_set_epi8, _mm_set_epi32, _mm_set_epi64x, _mm_setzero_si128,
        _mm_sha1msg1_epu32, _mm_sha1msg2_epu32, _mm_sha1nexte_epu32, _mm_sha1rnds4_epu32, _mm_shuffle_epi8,
        _mm_xor_si128,
    };

    use super::{Block, Blocks, LabelBlock, State};

    /// The states after as many blocks of each message, on a processor with SHA, SSSE3 and SSE4.1.
    #[allow(unsafe_code)]
    pub(super) fn compressed<const N: usize>(states: [State; N], blocks: [Blocks<'_>; N]) -> [State; N] {
        // SAFETY: the caller has found out that the processor has the instructions that the function is compiled for.
        unsafe { compress(states, blocks) }
    }

    /// FIPS 180-4, 6.1.2, four rounds at a time.
    #[target_feature(enable = "sha,sse2,ssse3,sse4.1")]
    fn compress<const N: usize>(states: [State; N], blocks: [Blocks<'_>; N]) -> [State; N] {
        let states = states.map(|state| state.map(u32::cast_signed));
        let mut abcd = states.map(|[a, b, c, d, _]| _mm_set_epi32(a, b, c, d));
        let mut e = states.map(|[.., e]| _mm_set_epi32(e, 0, 0, 0));
        let count = blocks.iter().map(|blocks| blocks.len()).min().unwrap_or(0);
        for block in 0..count {
            let (abcd_before, e_before) = (abcd, e);
            let mut words = [[_mm_setzero_si128(); 4]; N];
            for (words, blocks) in words.iter_mut().zip(blocks) {
                *words = match blocks {
                    Blocks::Bytes(blocks) => scheduled(&blocks[block]),
                    Blocks::Labels(blocks) => scheduled_labels(&blocks[block]),
                };
            }
            macro_rules! four_rounds {
                ($kind:literal: $($group:literal)*) => { $(
                    for message in 0..N {
                        let words = &mut words[message];
                        if $group >= 4 {
                            let mixed = _mm_xor_si128(
                                _mm_sha1msg1_epu32(words[$group % 4], words[($group + 1) % 4]),
                                words[($group + 2) % 4],
                            );
                            words[$group % 4] = _mm_sha1msg2_epu32(mixed, words[($group + 3) % 4]);
                        }
                        let added = if $group == 0 {
                            _mm_add_epi32(e[message], words[0])
                        } else {
                            _mm_sha1nexte_epu32(e[message], words[$group % 4])
                        };
                        e[message] = abcd[message];
                        abcd[message] = _mm_sha1rnds4_epu32::<$kind>(abcd[message], added);
                    }
                )* };
            }
            four_rounds!(0: 0 1 2 3 4);
            four_rounds!(1: 5 6 7 8 9);
            four_rounds!(2: 10 11 12 13 14);
            four_rounds!(3: 15 16 17 18 19);
            for message in 0..N {
                e[message] = _mm_sha1nexte_epu32(e[message], e_before[message]);
                abcd[message] = _mm_add_epi32(abcd[message], abcd_before[message]);
            }
        }
        std::array::from_fn(|message| {
            let abcd = abcd[message];
            let words = [
                _mm_extract_epi32::<3>(abcd),
                _mm_extract_epi32::<2>(abcd),
                _mm_extract_epi32::<1>(abcd),
                _mm_extract_epi32::<0>(abcd),
                _mm_extract_epi32::<3>(e[message]),
            ];
            words.map(i32::cast_unsigned)
        })
    }

    /// The first 16 words of a block, the first of each four in the highest place.
    #[target_feature(enable = "ssse3")]
    fn scheduled(block: &Block) -> [__m128i; 4] {
        let turned = _mm_set_epi64x(0x0001_0203_0405_0607, 0x0809_0a0b_0c0d_0e0f);
        let mut words = [_mm_setzero_si128(); 4];
        let (halves, _) = block.as_chunks::<8>();
        for (words, halves) in words.iter_mut().zip(halves.as_chunks::<2>().0) {
            let [low, high] = halves.map(i64::from_le_bytes);
            *words = _mm_shuffle_epi8(_mm_set_epi64x(high, low), turned);
        }
        words
    }

    /// The same of a block of labels, each of which is the lowest byte of a number, and so the highest of its word.
    #[target_feature(enable = "ssse3")]
    fn scheduled_labels(labels: &LabelBlock) -> [__m128i; 4] {
        const NONE: i8 = -1;
        let (halves, _) = labels.as_chunks::<8>();
        let [low, high] = [halves[0], halves[1]].map(i64::from_le_bytes);
        let labels = _mm_set_epi64x(high, low);
        let mut words = [_mm_setzero_si128(); 4];
        for (words, first) in words.iter_mut().zip([0, 4, 8, 12]) {
            #[rustfmt::skip]
            let places = _mm_set_epi8(
                first, NONE, NONE, NONE,
                first + 1, NONE, NONE, NONE,
                first + 2, NONE, NONE, NONE,
                first + 3, NONE, NONE, NONE,
            );
            *words = _mm_shuffle_epi8(labels, places);
        }
        words
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use sha1::{Digest, Sha1};

    use super::*;

    proptest! {
        #[test]
        fn both_hashes_are_those_of_each_message(
            first in prop::collection::vec(any::<u8>(), 0..400),
            second in prop::collection::vec(any::<u8>(), 0..400),
        ) {
            let wide: Vec<u8> = second.iter().flat_map(|&label| u32::from(label).to_le_bytes()).collect();
            let expected = [&first, &wide].map(|message| Sha1::digest(message).to_vec());
            let bytes = |message| Message::Bytes(Cow::Borrowed(message));
            for second in [bytes(&wide), Message::Labels(&second)] {
                let found = hashes([&bytes(&first), &second]);
                let found = found.map(|state| state.iter().flat_map(|word| word.to_be_bytes()).collect::<Vec<u8>>());
                prop_assert_eq!(&found, &expected);
            }
        }
    }
}
