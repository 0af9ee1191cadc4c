//! Memory that passes over a network use again.

use std::collections::HashMap;

use super::microkernel::{Buffer, Instructions};
use crate::tensor::Tensor;

/// Buffers of earlier passes, kept by size: activations of a batch are hundreds of megabytes, and asking the system for
/// them anew in every step costs more than the arithmetic of a batch normalisation.
#[derive(Debug)]
pub(crate) struct Workspace {
    free: HashMap<usize, Vec<Buffer>>,
    /// What the kernels of the pass run on.
    pub(crate) instructions: Instructions,
}

impl Workspace {
    pub(crate) fn new(instructions: Instructions) -> Self {
        Self { free: HashMap::new(), instructions }
    }

    /// A tensor with any contents.
    pub(crate) fn take(&mut self, shape: [usize; 4]) -> Tensor {
        Tensor::from_buffer(shape, self.take_buffer(shape.iter().product()))
    }

    pub(crate) fn give(&mut self, tensor: Tensor) {
        self.give_buffer(tensor.into_buffer());
    }

    /// So many numbers of any value.
    pub(crate) fn take_buffer(&mut self, size: usize) -> Buffer {
        self.free.get_mut(&size).and_then(Vec::pop).unwrap_or_else(|| Buffer::zeros(size))
    }

    pub(crate) fn give_buffer(&mut self, buffer: Buffer) {
        self.free.entry(buffer.len()).or_default().push(buffer);
    }
}
