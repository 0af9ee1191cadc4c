//! Memory for large arrays: in large pages and, for vector instructions, from the beginning of a line of the cache on.

use std::ops::{Deref, DerefMut};

/// Bytes of a line of the cache. A vector that lies across two of them is loaded in two steps.
const CACHE_LINE: usize = 64;

/// Asks the operating system to lay memory that nothing has touched yet in large pages, if it is some megabytes. Linux
/// then clears 2 MiB at a time instead of 4 KiB; elsewhere nothing happens, and no content changes anywhere.
///
/// ```
/// let zeros = vec![0.0; 1 << 20];
/// alnm_stats::memory::prefer_large_pages(&zeros);
/// ```
pub fn prefer_large_pages<T>(memory: &[T]) {
    #[cfg(target_os = "linux")]
    linux::prefer_large_pages(memory);
    #[cfg(not(target_os = "linux"))]
    let _ = memory;
}

#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
mod linux {
    /// Bytes from which large pages are worth their while.
    const LARGE: usize = 4 << 20;
    /// Bytes of a page, or a multiple of it; of a system with larger pages the advice is not taken.
    const PAGE: usize = 1 << 12;

    pub(super) fn prefer_large_pages<T>(memory: &[T]) {
        let bytes = size_of_val(memory);
        if bytes < LARGE {
            return;
        }
        let start = memory.as_ptr().cast::<u8>().cast_mut();
        // From the first page on that lies in the memory as a whole.
        let before = start.align_offset(PAGE).min(bytes);
        // SAFETY: the pages lie in the memory, and this advice changes neither what they hold nor who may use them.
        unsafe { libc::madvise(start.add(before).cast(), bytes - before, libc::MADV_HUGEPAGE) };
    }
}

/// Numbers of which the first begins a line of the cache, in large pages where they are many.
///
/// ```
/// use alnm_stats::memory::Aligned;
/// let mut numbers = Aligned::<f64>::zeros(5);
/// numbers[4] = 2.0;
/// assert_eq!((numbers.as_ptr().addr() % 64, numbers.iter().sum::<f64>()), (0, 2.0));
/// ```
#[derive(Debug)]
pub struct Aligned<T> {
    memory: Vec<T>,
    start: usize,
}

impl<T: Copy + Default> Aligned<T> {
    /// So many zeros.
    #[must_use]
    pub fn zeros(length: usize) -> Self {
        let line = CACHE_LINE / size_of::<T>();
        let memory = vec![T::default(); length + line];
        prefer_large_pages(&memory);
        let start = memory.as_ptr().align_offset(CACHE_LINE).min(line);
        let mut aligned = Self { memory, start };
        aligned.memory.truncate(start + length);
        aligned
    }
}

impl<T: Copy + Default> Clone for Aligned<T> {
    fn clone(&self) -> Self {
        // The numbers of a copied vector need not begin a line where those of this one do.
        let mut copy = Self::zeros(self.len());
        copy.copy_from_slice(self);
        copy
    }
}

impl<T> Deref for Aligned<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.memory[self.start..]
    }
}

impl<T> DerefMut for Aligned<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.memory[self.start..]
    }
}
