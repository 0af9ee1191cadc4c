//! The arithmetic of the engine: forward and backward passes of each layer on NHWC activations.
//!
//! Work is cut into pieces whose size depends on the shapes alone and sums over pieces are taken in order, so that a
//! result has the same bits at any number of threads.

pub(crate) mod batch_norm;
pub(crate) mod convolution;
pub(crate) mod epilogue;
pub(crate) mod gradient;
pub(crate) mod microkernel;
pub(crate) mod panels;
pub(crate) mod pooling;
mod scratch;
pub(crate) mod spatial;
mod weight_gradient;
pub(crate) mod winograd;
mod winograd_gradient;
pub(crate) mod workspace;

/// Does work as a task of the thread pool. A loop over tasks that begins outside of the pool costs two changes of
/// threads, and a pass over a network has hundreds of loops.
pub(crate) fn in_pool<R: Send>(work: impl FnOnce() -> R + Send) -> R {
    rayon::scope(|_| work())
}
