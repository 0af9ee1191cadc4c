//! Memory for activations and packed weights.

use std::fmt;
use std::ops::{Deref, DerefMut};

use memmap2::MmapMut;

/// Numbers from which a buffer gets pages of its own: 1 MiB.
const MAPPED: usize = 1 << 18;

/// Numbers that begin as zeros. Large buffers lie in huge pages where the system has them: a pass over hundreds of
/// megabytes then waits less often for an address to be translated.
pub(crate) struct Buffer(Memory);

enum Memory {
    Heap(Vec<f32>),
    /// A map of at least so many numbers.
    Mapped(MmapMut, usize),
}

impl Buffer {
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
