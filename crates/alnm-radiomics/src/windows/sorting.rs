//! Numbers of many windows put in order side by side.

use super::{Lanes, WINDOWS};

/// The exchanges that put a fixed number of numbers in ascending order, whatever they are, so that many sets of numbers
/// go through them side by side: the merge exchange of Batcher, in the form of Knuth, The Art of Computer Programming,
/// 5.2.2, algorithm M.
#[derive(Debug, Default)]
pub(super) struct SortingNetwork {
    /// Places of two numbers, of which the smaller one goes to the first.
    exchanges: Vec<(u32, u32)>,
}

impl SortingNetwork {
    pub(super) fn new(count: usize) -> Self {
        let mut exchanges = Vec::new();
        let largest = count.next_power_of_two() / 2;
        let mut p = largest;
        while p > 0 {
            let (mut q, mut r, mut d) = (largest, 0, p);
            loop {
                let pairs = (0..count.saturating_sub(d)).filter(|i| i & p == r);
                exchanges.extend(pairs.map(|i| (i as u32, (i + d) as u32)));
                if q == p {
                    break;
                }
                (d, q, r) = (q - p, q / 2, p);
            }
            p /= 2;
        }
        Self { exchanges }
    }

    /// Puts the numbers of each lane in order; there are as many as the network was made for.
    #[inline(always)]
    pub(super) fn sort<T: Copy + Ord>(&self, numbers: &mut [Lanes<T>]) {
        for &(first, second) in &self.exchanges {
            // Copies, of which the compiler knows that they are apart.
            let (a, b) = (numbers[first as usize], numbers[second as usize]);
            let (mut lower, mut higher) = (a, b);
            for lane in 0..WINDOWS {
                lower[lane] = if b[lane] < a[lane] { b[lane] } else { a[lane] };
                higher[lane] = if b[lane] < a[lane] { a[lane] } else { b[lane] };
            }
            numbers[first as usize] = lower;
            numbers[second as usize] = higher;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_lane_is_put_in_order(count in 1usize..130, seed in any::<u32>()) {
            let mut numbers: Vec<Lanes<u32>> = (0..count as u32)
                .map(|place| std::array::from_fn(|lane| (place * WINDOWS as u32 + lane as u32).wrapping_mul(seed | 1) >> 22))
                .collect();
            let mut expected: Vec<Vec<u32>> = (0..WINDOWS).map(|lane| numbers.iter().map(|row| row[lane]).collect()).collect();
            SortingNetwork::new(count).sort(&mut numbers);
            for (lane, expected) in expected.iter_mut().enumerate() {
                expected.sort_unstable();
                prop_assert_eq!(&numbers.iter().map(|row| row[lane]).collect::<Vec<u32>>(), expected);
            }
        }
    }
}
