//! How often each number of a window comes up.

use super::{Lanes, WINDOWS};

/// Counts by number, and which numbers came up, in memory that one window after the other uses.
#[derive(Debug, Default)]
pub(super) struct NumberCounts {
    counts: Vec<u32>,
    /// A bit for each number that came up.
    occurring: Vec<u64>,
}

const BITS: usize = u64::BITS as usize;

impl NumberCounts {
    /// Makes room for numbers below `numbers`.
    pub(super) fn resize(&mut self, numbers: usize) {
        self.counts.resize(numbers.next_multiple_of(BITS), 0);
        self.occurring.resize(numbers.div_ceil(BITS), 0);
    }

    /// Counts the numbers of one window.
    pub(super) fn count(&mut self, numbers: &[Lanes<u32>], window: usize) {
        debug_assert!(window < WINDOWS);
        for lanes in numbers {
            let number = lanes[window] as usize;
            self.counts[number] += 1;
            self.occurring[number / BITS] |= 1 << (number % BITS);
        }
    }

    /// Forgets the numbers below `lowest`, which stand for nothing, and returns how many have come up but them.
    pub(super) fn leave_out_below(&mut self, lowest: usize, numbers: usize) -> usize {
        let nothing = self.counts[..lowest].iter_mut().map(|count| std::mem::take(count) as usize).sum::<usize>();
        let words = lowest / BITS;
        self.occurring[..words].fill(0);
        if !lowest.is_multiple_of(BITS) {
            self.occurring[words] &= u64::MAX << (lowest % BITS);
        }
        numbers - nothing
    }

    /// The numbers that came up, ascending, with their counts, which are 0 afterwards.
    pub(super) fn take(&mut self) -> impl Iterator<Item = (u32, u32)> {
        let Self { counts, occurring } = self;
        let (mut word, mut bits) = (0, occurring.first_mut().map_or(0, std::mem::take));
        std::iter::from_fn(move || {
            while bits == 0 {
                word += 1;
                bits = std::mem::take(occurring.get_mut(word)?);
            }
            let number = word * BITS + bits.trailing_zeros() as usize;
            bits &= bits - 1;
            Some((number as u32, std::mem::take(&mut counts[number])))
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn counts_are_those_of_a_map(windows in prop::collection::vec(prop::collection::vec(0u32..300, 1..50), 1..4), lowest in 0u32..140) {
            let mut counts = NumberCounts::default();
            counts.resize(300);
            // One after the other, since what is taken has to leave nothing.
            for numbers in windows {
                let lanes: Vec<Lanes<u32>> = numbers.iter().map(|&number| std::array::from_fn(|lane| if lane == 3 { number } else { 7 })).collect();
                counts.count(&lanes, 3);
                let mut expected = BTreeMap::new();
                for number in numbers.into_iter().filter(|&number| number >= lowest) {
                    *expected.entry(number).or_insert(0u32) += 1;
                }
                let total = counts.leave_out_below(lowest as usize, lanes.len());
                prop_assert_eq!(total as u32, expected.values().sum::<u32>());
                prop_assert_eq!(counts.take().collect::<Vec<_>>(), expected.into_iter().collect::<Vec<_>>());
            }
        }
    }
}
