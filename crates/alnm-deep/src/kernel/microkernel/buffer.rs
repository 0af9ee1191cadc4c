//! Memory for activations and packed weights.

use std::fmt;
use std::ops::{Deref, DerefMut};

use memmap2::MmapMut;

use super::arena::{Arena, Loan};

/// Numbers from which a buffer gets pages of its own: 1 MiB.
const MAPPED: usize = 1 << 18;

/// Numbers that begin as zeros. Large buffers lie in huge pages where the system has them: a pass over hundreds of
/// megabytes then waits less often for an address to be translated.
pub(crate) struct Buffer(Memory);

enum Memory {
    Heap(Vec<f32>),
    /// A map of at least so many numbers.
    Mapped(MmapMut, usize),
    /// A part of an arena.
    Lent(Loan),
}

/// Numbers from which a buffer of an arena is a part of it: 64 KiB.
const LENT: usize = 1 << 14;

impl Buffer {
    /// `length` numbers of any value from an arena, to which they return when the buffer is dropped.
    pub(crate) fn lent(arena: &Arena, length: usize) -> Self {
        let loan = if length < LENT { None } else { arena.lend(length) };
        loan.map_or_else(|| Self::zeros(length), |loan| Self(Memory::Lent(loan)))
    }

    /// The numbers in memory of their own, where they are a part of an arena.
    pub(crate) fn into_owned(self) -> Self {
        if matches!(self.0, Memory::Lent(_)) { self.clone() } else { self }
    }

    /// `length` zeros.
    pub(crate) fn zeros(length: usize) -> Self {
        if length < MAPPED {
            return Self(Memory::Heap(vec![0.0; length]));
        }
        let Ok(map) = MmapMut::map_anon(length * size_of::<f32>()) else {
            return Self(Memory::Heap(vec![0.0; length]));
        };
        // Advice only: where it is not taken the pages are small.
        #[cfg(target_os = "linux")]
        let _ = map.advise(memmap2::Advice::HugePage);
        Self(Memory::Mapped(map, length))
    }
}

impl From<Vec<f32>> for Buffer {
    fn from(values: Vec<f32>) -> Self {
        Self(Memory::Heap(values))
    }
}

impl Deref for Buffer {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        match &self.0 {
            Memory::Heap(values) => values,
            Memory::Lent(loan) => loan.as_slice(),
            // SAFETY: the map has room for `length` numbers, begins at a page and is borrowed for as long as the slice;
            // any bytes are numbers.
            Memory::Mapped(map, length) => unsafe { std::slice::from_raw_parts(map.as_ptr().cast(), *length) },
        }
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [f32] {
        match &mut self.0 {
            Memory::Heap(values) => values,
            Memory::Lent(loan) => loan.as_mut_slice(),
            // SAFETY: as in `deref`; the map is borrowed mutably.
            Memory::Mapped(map, length) => unsafe { std::slice::from_raw_parts_mut(map.as_mut_ptr().cast(), *length) },
        }
    }
}

impl Clone for Buffer {
    fn clone(&self) -> Self {
        let mut copy = Self::zeros(self.len());
        copy.copy_from_slice(self);
        copy
    }
}

impl PartialEq for Buffer {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl fmt::Debug for Buffer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(formatter)
    }
}
