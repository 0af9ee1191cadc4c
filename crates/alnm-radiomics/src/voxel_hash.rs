//! SHA-1 of the voxels of image and mask, as SimpleITK's `Hash`.
//!
//! Each block of 64 bytes waits for the one before, and most of the time goes by waiting; so both images are hashed
//! side by side where the processor has instructions for it.

use std::borrow::Cow;

use alnm_imaging::{Image, LabelMap};
use pulp::bytemuck::{NoUninit, cast_slice};
use sha1::block_api::compress;

/// The bytes that are hashed at a time.
type Block = [u8; 64];
/// What is known of the bytes before.
type State = [u32; 5];

/// FIPS 180-4, 5.3.1.
const START: State = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476, 0xc3d2_e1f0];

/// SHA-1 of the voxels of an image and of a mask, as they lie in memory on a little-endian machine, in hexadecimal
/// digits.
pub(crate) fn voxel_hashes(image: &Image, mask: &LabelMap) -> [String; 2] {
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
    let mask = bytes(mask.as_slice(), u32::to_le_bytes);
    hashes([&image, &mask]).map(|state| state.iter().map(|word| format!("{word:08x}")).collect())
}

/// The bytes of voxels, the lowest of each first.
fn bytes<T: NoUninit, const N: usize>(voxels: &[T], bytes_of: impl Fn(T) -> [u8; N]) -> Cow<'_, [u8]> {
    if cfg!(target_endian = "little") {
        Cow::Borrowed(cast_slice(voxels))
    } else {
        Cow::Owned(voxels.iter().flat_map(|&voxel| bytes_of(voxel)).collect())
    }
}

/// SHA-1 of two messages.
fn hashes(messages: [&[u8]; 2]) -> [State; 2] {
    let whole = messages.map(|message| message.as_chunks::<64>().0);
    let shared = whole[0].len().min(whole[1].len());
    let mut states = compressed_together(whole.map(|blocks| &blocks[..shared]));
    for ((state, blocks), message) in states.iter_mut().zip(whole).zip(messages) {
        compress(state, &blocks[shared..]);
        compress(state, &last_blocks(message));
    }
    states
}

/// The end of a message with a bit of 1, zeros, and the number of its bits.
fn last_blocks(message: &[u8]) -> Vec<Block> {
    let rest = message.as_chunks::<64>().1;
    let mut last = vec![[0; 64]; if rest.len() < 56 { 1 } else { 2 }];
    last[0][..rest.len()].copy_from_slice(rest);
    last[0][rest.len()] = 0x80;
    if let Some(block) = last.last_mut() {
        block[56..].copy_from_slice(&(message.len() as u64 * 8).to_be_bytes());
    }
    last
}

/// The states after as many blocks of both messages.
fn compressed_together(blocks: [&[Block]; 2]) -> [State; 2] {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("sha")
        && std::arch::is_x86_feature_detected!("ssse3")
        && std::arch::is_x86_feature_detected!("sse4.1")
    {
        return x86::compressed_together(blocks);
    }
    blocks.map(|blocks| {
        let mut state = START;
        compress(&mut state, blocks);
        state
    })
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::{
        __m128i, _mm_add_epi32, _mm_extract_epi32, _mm_set_epi32, _mm_set_epi64x, _mm_setzero_si128,
        _mm_sha1msg1_epu32, _mm_sha1msg2_epu32, _mm_sha1nexte_epu32, _mm_sha1rnds4_epu32, _mm_shuffle_epi8,
        _mm_xor_si128,
    };

    use super::{Block, START, State};

    /// The states after as many blocks of both messages, on a processor with SHA, SSSE3 and SSE4.1.
    #[allow(unsafe_code)]
    pub(super) fn compressed_together(blocks: [&[Block]; 2]) -> [State; 2] {
        // SAFETY: the caller has found out that the processor has the instructions that the function is compiled for.
        unsafe { compress(blocks) }
    }

    /// FIPS 180-4, 6.1.2, four rounds at a time.
    #[target_feature(enable = "sha,sse2,ssse3,sse4.1")]
    fn compress(blocks: [&[Block]; 2]) -> [State; 2] {
        let [a, b, c, d, e] = START.map(u32::cast_signed);
        let mut abcd = [_mm_set_epi32(a, b, c, d); 2];
        let mut e = [_mm_set_epi32(e, 0, 0, 0); 2];
        for (first, second) in blocks[0].iter().zip(blocks[1]) {
            let (abcd_before, e_before) = (abcd, e);
            let mut words = [scheduled(first), scheduled(second)];
            macro_rules! four_rounds {
                ($kind:literal: $($group:literal)*) => { $(
                    for message in 0..2 {
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
            for message in 0..2 {
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
            let expected = [&first, &second].map(|message| Sha1::digest(message).to_vec());
            let found = hashes([&first, &second]).map(|state| state.iter().flat_map(|word| word.to_be_bytes()).collect::<Vec<u8>>());
            prop_assert_eq!(found, expected);
        }
    }
}
