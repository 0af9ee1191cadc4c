//! Memory that passes over a network use again.

use super::microkernel::{Arena, Buffer, Instructions};
use crate::tensor::Tensor;

/// The memory of passes over a network, and what their kernels run on. Activations of a batch are hundreds of
/// megabytes, and asking the system for them anew in every step costs more than the arithmetic of a batch
/// normalisation: what is taken lies in an arena, to which it returns when it is dropped.
#[derive(Debug)]
pub(crate) struct Workspace {
    arena: Arena,
    /// What the kernels of the pass run on.
    pub(crate) instructions: Instructions,
}

impl Workspace {
    pub(crate) fn new(instructions: Instructions) -> Self {
        Self { arena: Arena::default(), instructions }
    }

    /// A tensor with any contents.
    pub(crate) fn take(&self, shape: [usize; 4]) -> Tensor {
        Tensor::from_buffer(shape, self.take_buffer(shape.iter().product()))
    }

    /// So many numbers of any value.
    pub(crate) fn take_buffer(&self, size: usize) -> Buffer {
        Buffer::lent(&self.arena, size)
    }

    /// Gives the memory back to the system, but for what is still in use.
    pub(crate) fn clear(&mut self) {
        self.arena = Arena::default();
    }
}
