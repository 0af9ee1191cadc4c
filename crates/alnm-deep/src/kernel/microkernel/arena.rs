//! Large memory that is lent in parts and comes back when they are dropped.

use std::collections::BTreeMap;
use std::ptr::NonNull;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use memmap2::MmapMut;

/// Numbers of a region at least: 128 MiB. The pages of a part that was never lent cost no memory.
const REGION: usize = 32 << 20;
/// Lengths are rounded up to multiples of a page of 4 KiB.
const PAGE: usize = 1024;

/// Memory lent in parts of any size. A part that comes back joins its free neighbours and is lent again, in whatever
/// sizes are asked for next: a pass over a network then needs little more than what it holds at one time. The lowest
/// place that is large enough is taken, so that holes stay few.
#[derive(Debug, Clone, Default)]
pub(crate) struct Arena(Arc<Mutex<Vec<Region>>>);

#[derive(Debug)]
struct Region {
    /// Keeps the memory that `start` points to; nothing is read or written through it.
    _map: MmapMut,
    start: Start,
    /// First number and length of the parts that are not lent.
    free: BTreeMap<usize, usize>,
}

/// Where a map begins.
#[derive(Debug, Clone, Copy)]
struct Start(NonNull<f32>);

// SAFETY: the pointer is only an address: who reads or writes through it is settled by loans, none of which overlap.
unsafe impl Send for Start {}

/// Numbers of an arena, of any value, that belong to the holder until they are dropped.
#[derive(Debug)]
pub(super) struct Loan {
    arena: Arena,
    region: usize,
    place: usize,
    start: NonNull<f32>,
    length: usize,
}

// SAFETY: a loan is the only one over its numbers, as a box would be; the arena behind it is guarded by a mutex.
unsafe impl Send for Loan {}
// SAFETY: as above; a shared loan gives shared slices only.
unsafe impl Sync for Loan {}

/// The numbers that a loan of so many takes up.
fn rounded(length: usize) -> usize {
    length.next_multiple_of(PAGE)
}

impl Arena {
    fn regions(&self) -> MutexGuard<'_, Vec<Region>> {
        // Whoever panicked did so outside of the few lines that change the list.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `length` numbers of any value; `None` where the system maps no memory.
    pub(super) fn lend(&self, length: usize) -> Option<Loan> {
        let size = rounded(length);
        let mut regions = self.regions();
        let found = regions.iter().enumerate().find_map(|(index, region)| {
            region.free.iter().find(|(_, free)| **free >= size).map(|(at, _)| (index, *at))
        });
        let (index, place) = match found {
            Some(found) => found,
            None => {
                regions.push(Region::of_at_least(size)?);
                (regions.len() - 1, 0)
            }
        };
        let region = &mut regions[index];
        let free = region.free.remove(&place)?;
        if free > size {
            region.free.insert(place + size, free - size);
        }
        // SAFETY: the free part at `place` lies within the map.
        let start = unsafe { region.start.0.add(place) };
        Some(Loan { arena: self.clone(), region: index, place, start, length })
    }
}

impl Region {
    fn of_at_least(size: usize) -> Option<Self> {
        let size = size.max(REGION);
        let mut map = MmapMut::map_anon(size.checked_mul(size_of::<f32>())?).ok()?;
        // Advice only: where it is not taken the pages are small.
        #[cfg(target_os = "linux")]
        let _ = map.advise(memmap2::Advice::HugePage);
        let start = Start(NonNull::new(map.as_mut_ptr().cast())?);
        Some(Self { _map: map, start, free: BTreeMap::from([(0, size)]) })
    }

    /// Takes a part back and joins it with free neighbours.
    fn take_back(&mut self, mut place: usize, mut size: usize) {
        if let Some(after) = self.free.remove(&(place + size)) {
            size += after;
        }
        if let Some((before, length)) = self.free.range(..place).next_back().map(|(at, length)| (*at, *length))
            && before + length == place
        {
            self.free.remove(&before);
            (place, size) = (before, size + length);
        }
        self.free.insert(place, size);
    }
}

impl Loan {
    pub(super) fn as_slice(&self) -> &[f32] {
        // SAFETY: `length` numbers from `start` on lie within a map that the arena keeps; any bytes are numbers; no other
        // loan overlaps them, and this one is borrowed.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.length) }
    }

    pub(super) fn as_mut_slice(&mut self) -> &mut [f32] {
        // SAFETY: as above, and this loan is borrowed mutably.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.length) }
    }
}

impl Drop for Loan {
    fn drop(&mut self) {
        self.arena.regions()[self.region].take_back(self.place, rounded(self.length));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn free(arena: &Arena) -> Vec<Vec<(usize, usize)>> {
        arena.regions().iter().map(|region| region.free.iter().map(|(at, size)| (*at, *size)).collect()).collect()
    }

    #[test]
    fn parts_come_back_whole_and_are_lent_again_from_the_lowest_place() {
        let arena = Arena::default();
        let mut loans: Vec<Loan> = [1, PAGE, PAGE + 1, 7].iter().map(|size| arena.lend(*size).unwrap()).collect();
        assert_eq!(loans.iter().map(|loan| loan.place / PAGE).collect::<Vec<_>>(), [0, 1, 2, 4]);
        for (index, loan) in loans.iter_mut().enumerate() {
            loan.as_mut_slice().fill(index as f32);
        }
        assert!(loans.iter().enumerate().all(|(i, loan)| loan.as_slice().iter().all(|value| *value == i as f32)));
        drop(loans.remove(1));
        drop(loans.remove(0));
        assert_eq!(free(&arena)[0][0], (0, 2 * PAGE));
        assert_eq!(arena.lend(2 * PAGE).unwrap().place, 0);
        assert_eq!(arena.lend(2 * PAGE + 1).unwrap().place, 5 * PAGE);
        let large = arena.lend(REGION + 1).unwrap();
        assert_eq!((large.region, large.place), (1, 0));
        drop((loans, large));
        assert_eq!(free(&arena), [vec![(0, REGION)], vec![(0, rounded(REGION + 1))]]);
    }

    #[test]
    fn a_loan_outlives_its_arena_and_moves_between_threads() {
        let mut loan = Arena::default().lend(5000).unwrap();
        loan.as_mut_slice().fill(3.0);
        let sum = std::thread::spawn(move || loan.as_slice().iter().sum::<f32>()).join().unwrap();
        assert_eq!(sum, 15_000.0);
    }
}
