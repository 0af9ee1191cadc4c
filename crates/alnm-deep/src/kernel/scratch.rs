//! Memory of a thread that is used again from task to task.

use std::cell::RefCell;

thread_local! {
    static SCRATCH: RefCell<Vec<Vec<f32>>> = const { RefCell::new(Vec::new()) };
}

/// Runs `task` with `size` numbers of any content.
pub(crate) fn with_scratch<R>(size: usize, task: impl FnOnce(&mut [f32]) -> R) -> R {
    // A task that waits for others may run one of them meanwhile, so the memory is taken out, not borrowed.
    let mut buffer = SCRATCH.with_borrow_mut(Vec::pop).unwrap_or_default();
    if buffer.len() < size {
        buffer.resize(size, 0.0);
    }
    let result = task(&mut buffer[..size]);
    SCRATCH.with_borrow_mut(|buffers| buffers.push(buffer));
    result
}
