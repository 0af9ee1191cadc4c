//! Weights packed for the product kernels.

use rayon::prelude::*;

use super::microkernel::{Buffer, PANEL, STRIP};

/// A weight matrix (outputs × depth) as panels of [`PANEL`] outputs, each of which lies strip by strip: for [`STRIP`]
/// outputs the numbers of one depth side by side. Missing outputs of the last panel are zero.
#[derive(Debug, Clone)]
pub(crate) struct Panels {
    values: Buffer,
    outputs: usize,
    depth: usize,
}

impl Panels {
    /// Packs a matrix whose row `output` begins at `output · depth`.
    pub(crate) fn of_rows(weight: &[f32], outputs: usize, depth: usize, memory: impl FnOnce(usize) -> Buffer) -> Self {
        assert_eq!(weight.len(), outputs * depth);
        Self::from_fn(outputs, depth, memory, |first, into| {
            for (block, into) in into.chunks_mut(STRIP * BLOCK).enumerate() {
                for output in first..outputs.min(first + STRIP) {
                    let from = &weight[output * depth + block * BLOCK..][..into.len() / STRIP];
                    for (into, value) in into.iter_mut().skip(output - first).step_by(STRIP).zip(from) {
                        *into = *value;
                    }
                }
            }
        })
    }

    /// Packs a matrix strip by strip: `fill` gets the first output of a strip and its (depth × [`STRIP`])
    /// numbers, zero where the matrix does not fill them.
    pub(crate) fn from_fn(
        outputs: usize,
        depth: usize,
        memory: impl FnOnce(usize) -> Buffer,
        fill: impl Fn(usize, &mut [f32]) + Sync,
    ) -> Self {
        let mut values = memory(outputs.div_ceil(PANEL) * PANEL * depth);
        values.par_chunks_exact_mut((STRIP * depth).max(1)).enumerate().for_each(|(strip, into)| {
            if outputs < (strip + 1) * STRIP {
                into.fill(0.0);
            }
            if strip * STRIP < outputs {
                fill(strip * STRIP, into);
            }
        });
        Self { values, outputs, depth }
    }

    /// Rows of the matrix.
    pub(crate) fn outputs(&self) -> usize {
        self.outputs
    }

    /// Columns of the matrix.
    pub(crate) fn depth(&self) -> usize {
        self.depth
    }

    /// Number of panels.
    pub(crate) fn count(&self) -> usize {
        self.outputs.div_ceil(PANEL)
    }

    /// The numbers of a panel: for each of its strips (depth × [`STRIP`]).
    pub(crate) fn panel(&self, index: usize) -> &[f32] {
        let size = PANEL * self.depth;
        &self.values[index * size..(index + 1) * size]
    }

    /// Multiplies the numbers of each output by its factor.
    pub(crate) fn scale(&mut self, factors: &[f32]) {
        self.values.par_chunks_exact_mut((STRIP * self.depth).max(1)).zip(factors.par_chunks(STRIP)).for_each(
            |(strip, factors)| {
                for values in strip.chunks_exact_mut(STRIP) {
                    values.iter_mut().zip(factors).for_each(|(value, factor)| *value *= factor);
                }
            },
        );
    }
}

/// Depths packed at a time, so that their cache lines of 16 rows stay in the first-level cache.
const BLOCK: usize = 64;

/// The bias of the panel that begins with the output `first`, zero beyond the last output.
pub(crate) fn panel_bias(bias: Option<&[f32]>, first: usize) -> [f32; PANEL] {
    let mut values = [0.0; PANEL];
    if let Some(bias) = bias {
        let here = &bias[first..bias.len().min(first + PANEL)];
        values[..here.len()].copy_from_slice(here);
    }
    values
}
