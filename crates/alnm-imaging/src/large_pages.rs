//! Memory of volumes in large pages.

/// Asks the operating system to lay memory that nothing has touched yet in large pages, if it is some megabytes. Linux
/// then gives 2 MiB at a time; to be given 4 KiB at a time takes longer than to fill them from a file in the system's
/// cache. Elsewhere nothing happens, and no content changes anywhere.
pub(crate) fn prefer_large_pages<T>(memory: &[T]) {
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
